//! A house: a router, and machines that are joined by it alone.
//!
//! Lives here: the networks and what joins them, a capture of everything that passes.
//! Must not: know what a daemon says there.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStderr, Stdio};

use super::{Net, Running};

/// The router's hardware address: a network is known by it, and a bridge would change its own with every machine that comes.
const WIRE: &str = "02:00:00:00:77:01";

/// A router with its bridge.
#[derive(Debug)]
pub struct House {
    router: Net,
    machines: u8,
}

impl House {
    /// Whether one can be built: its parts are moved between networks, which only root may.
    pub fn can_be() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Nobody is in yet.
    pub fn new() -> io::Result<Self> {
        let mut router = Net::new()?;
        router.change(&format!("ip link add br0 address {WIRE} type bridge mcast_snooping 0"))?;
        router.change("ip addr add 192.168.77.1/24 dev br0 && ip link set br0 up")?;
        Ok(Self { router, machines: 1 })
    }

    /// The router's own network.
    pub fn router(&mut self) -> &mut Net {
        &mut self.router
    }

    /// One more machine, by `eth0`, at an address of this house.
    pub fn machine(&mut self) -> io::Result<Net> {
        self.machines += 1;
        let (mut net, number) = (Net::new()?, self.machines);
        let (port, holder) = (format!("port{number}"), net.holder());
        self.router.change(&format!("ip link add {port} type veth peer name eth0 netns {holder}"))?;
        self.router.change(&format!("ip link set {port} master br0 up"))?;
        // No second of waiting for somebody who has the same address.
        net.change("echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad")?;
        net.change(&format!("ip addr add 192.168.77.{number}/24 dev eth0 && ip link set eth0 up"))?;
        net.change("ip route add default via 192.168.77.1")?;
        Ok(net)
    }

    /// Writes everything that passes into a file, from now on.
    pub fn capture(&self, file: &Path) -> io::Result<Recording> {
        let mut command = self.router.command(Path::new("tcpdump"));
        command.args(["-i", "br0", "-U", "--immediate-mode", "-Z", "root", "-w"]).arg(file);
        let mut running = Running::start(command.stdin(Stdio::null()).stderr(Stdio::piped()))?;
        let said = running.child().stderr.take().ok_or_else(|| io::Error::other("tcpdump says nothing"))?;
        let mut said = BufReader::new(said);
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                return Err(io::Error::other("tcpdump does not begin"));
            }
        }
        Ok(Recording { running, said })
    }
}

/// A capture into a file, that runs.
#[derive(Debug)]
pub struct Recording {
    running: Running,
    said: BufReader<ChildStderr>,
}

impl Recording {
    /// Ends it when all is written.
    pub fn end(mut self) -> io::Result<()> {
        let pid = rustix::process::Pid::from_child(self.running.child());
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        let mut line = String::new();
        while self.said.read_line(&mut line)? > 0 {}
        self.running.child().wait().map(drop)
    }
}
