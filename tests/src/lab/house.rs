//! A house: a router with two networks, and machines that are joined by it alone.
//!
//! Lives here: the networks and what joins them, a capture of everything that passes.
//! Must not: know what a daemon says there.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStderr, Stdio};

use super::{Net, Running};

/// Which network of the house. The router has a hardware address in each: a network is known by it, and a bridge would change
/// its own with every machine that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// 192.168.77.0/24, which captures see.
    Ground = 0,
    /// 192.168.78.0/24.
    Upper = 1,
}

/// Which addresses a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Of IPv4, and of IPv6 those of the link.
    Four,
    /// Of IPv6 alone: fd77::/64 on the ground floor.
    Six,
}

/// A router with its bridges.
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
        for n in 0..2 {
            let (bridge, net) = (format!("br{n}"), 77 + n);
            router.change(&format!(
                "ip link add {bridge} address 02:00:00:00:{net}:01 type bridge mcast_snooping 0"
            ))?;
            router.change(&format!("ip addr add 192.168.{net}.1/24 dev {bridge}"))?;
            router.change(&format!(
                "ip addr add fd{net}::1/64 dev {bridge} nodad && ip link set {bridge} up"
            ))?;
        }
        Ok(Self { router, machines: 1 })
    }

    /// The router's own network.
    pub fn router(&mut self) -> &mut Net {
        &mut self.router
    }

    /// One more machine, by `eth0`.
    pub fn machine(&mut self, floor: Floor, family: Family) -> io::Result<Net> {
        let mut net = Net::new()?;
        self.join(&mut net, "eth0", floor, family)?;
        Ok(net)
    }

    /// A machine gets this interface, with an address of that network.
    pub fn join(&mut self, net: &mut Net, interface: &str, floor: Floor, family: Family) -> io::Result<()> {
        self.machines += 1;
        let (number, bridge, of) = (self.machines, floor as u8, 77 + floor as u8);
        let (port, holder) = (format!("port{number}"), net.holder());
        self.router.change(&format!("ip link add {port} type veth peer name {interface} netns {holder}"))?;
        self.router.change(&format!("ip link set {port} master br{bridge} up"))?;
        // No second of waiting for somebody who has the same address.
        net.change(&format!("echo 0 >/proc/sys/net/ipv6/conf/{interface}/accept_dad"))?;
        let (own, gateway) = match family {
            Family::Four => (format!("192.168.{of}.{number}/24"), format!("192.168.{of}.1")),
            Family::Six => (format!("fd{of}::{number}/64"), format!("fd{of}::1")),
        };
        net.change(&format!("ip addr add {own} dev {interface} && ip link set {interface} up"))?;
        net.change(&format!("ip route add default via {gateway} dev {interface} metric {number}"))
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
