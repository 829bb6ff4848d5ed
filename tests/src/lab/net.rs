//! A network with a loopback and nothing else, whose UDP can be cut.
//!
//! Lives here: the process that holds the network, and the way into it.
//! Must not: need root: a user's own namespace will do.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use super::Running;

/// One network. It ends with its last process.
#[derive(Debug)]
pub struct Net {
    holder: Running,
    asks: ChildStdin,
    says: BufReader<ChildStdout>,
    root: bool,
}

impl Net {
    /// A new network, its loopback up.
    pub fn new() -> io::Result<Self> {
        let root = rustix::process::geteuid().is_root();
        let own_user: &[&str] = if root { &[] } else { &["--map-current-user", "--keep-caps"] };
        let mut command = Command::new("unshare");
        command.args(own_user).args(["--net", "sh"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = Running::start(&mut command)?;
        let asks = holder.child().stdin.take().ok_or_else(|| io::Error::other("the shell's input"))?;
        let says = holder.child().stdout.take().ok_or_else(|| io::Error::other("the shell's output"))?;
        let mut net = Self { holder, asks, says: BufReader::new(says), root };
        net.change("ip link set lo up")?;
        net.change("PATH=$PATH:/usr/sbin; nft add table inet cut")?;
        net.change("nft add chain inet cut way '{ type filter hook input priority 0; }'")?;
        Ok(net)
    }

    /// A program to be started in this network.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        let user: &[&str] = if self.root { &[] } else { &["--user", "--preserve-credentials"] };
        command.args(["--target", &self.holder.id().to_string()]).args(user);
        command.args(["--net", "--"]).arg(program);
        command
    }

    /// Drops all UDP from now on: the sound of calls, and nothing of the relay's.
    pub fn cut_udp(&mut self) -> io::Result<()> {
        self.change("nft add rule inet cut way meta l4proto udp counter drop")
    }

    /// Lets UDP pass again; returns how many datagrams were dropped.
    pub fn mend_udp(&mut self) -> io::Result<u64> {
        let rule = self.ask("nft list chain inet cut way | grep -o 'packets [0-9]*'")?;
        self.change("nft flush chain inet cut way")?;
        rule.rsplit(' ').next().and_then(|count| count.parse().ok()).ok_or_else(|| io::Error::other(rule))
    }

    /// The process that holds it.
    pub fn holder(&self) -> u32 {
        self.holder.id()
    }

    /// Changes the network by a shell's command.
    pub fn change(&mut self, command: &str) -> io::Result<()> {
        let said = self.ask(&format!("{command} >&2 && echo yes || echo no"))?;
        if said == "yes" { Ok(()) } else { Err(io::Error::other(format!("{command}: {said}"))) }
    }

    /// The one line that a command prints.
    fn ask(&mut self, command: &str) -> io::Result<String> {
        writeln!(self.asks, "{command}")?;
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_drops_datagrams_and_counts_them() {
        let mut net = Net::new().unwrap();
        net.cut_udp().unwrap();
        let send =
            net.command(Path::new("bash")).args(["-c", "echo gone >/dev/udp/127.0.0.1/9"]).status().unwrap();
        assert!(send.success());
        assert_eq!(net.mend_udp().unwrap(), 1);
        net.cut_udp().unwrap();
        assert_eq!(net.mend_udp().unwrap(), 0, "each cut counts anew");
    }

    #[test]
    fn a_network_has_nothing_but_loopback() {
        let net = Net::new().unwrap();
        let links = net.command(Path::new("ip")).args(["-o", "link"]).output().unwrap();
        let links = String::from_utf8(links.stdout).unwrap();
        assert!(links.lines().count() == 1 && links.contains("lo:"), "{links}");
    }
}
