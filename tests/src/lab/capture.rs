//! What passes a machine's network, as tcpdump sees it.
//!
//! Lives here: a capture from its start to its end, and its packets.
//! Must not: judge who may speak to whom.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{ChildStderr, Stdio};

use tempfile::NamedTempFile;

use super::{Net, Running};

/// One packet of IP.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Seconds since 1970.
    pub at: f64,
    /// Who sent it.
    pub from: Ipv4Addr,
    /// For whom it is.
    pub to: Ipv4Addr,
    /// What it carries, without headers.
    pub bytes: usize,
}

/// All that passes one machine's network, from its start on.
#[derive(Debug)]
pub struct Capture {
    dump: Running,
    /// Kept open: it says something at its end, too.
    says: Lines<BufReader<ChildStderr>>,
    seen: NamedTempFile,
}

impl Capture {
    /// Every packet of IP, but the kernel's own.
    pub fn start(net: &Net) -> anyhow::Result<Self> {
        // What the kernel itself says of the groups that an interface listens to is no program's.
        Self::of(net, &["(ip and not igmp) or ip6"])
    }

    /// With more words for tcpdump.
    pub fn of(net: &Net, more: &[&str]) -> anyhow::Result<Self> {
        let seen = NamedTempFile::new()?;
        let mut command = net.command(Path::new("tcpdump"));
        command.args(["-Z", "root", "-i", "lan", "-nn", "-tt", "-q", "--immediate-mode"]).args(more);
        let mut dump = Running::start(command.stdout(seen.reopen()?).stderr(Stdio::piped()))?;
        let says = dump.child().stderr.take().ok_or_else(|| anyhow::anyhow!("tcpdump's words"))?;
        let mut says = BufReader::new(says).lines();
        let heard = says.by_ref().map_while(Result::ok).any(|line| line.contains("listening on"));
        anyhow::ensure!(heard, "tcpdump does not listen");
        Ok(Self { dump, says, seen })
    }

    /// What it wrote, if it ends by itself.
    pub fn full(mut self) -> anyhow::Result<String> {
        self.dump.child().wait()?;
        Ok(fs::read_to_string(self.seen.path())?)
    }

    /// Ends it, and tells what passed.
    pub fn end(mut self) -> anyhow::Result<Vec<Packet>> {
        let pid = rustix::process::Pid::from_child(self.dump.child());
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.dump.child().wait()?;
        drop(self.says);
        let all = fs::read_to_string(self.seen.path())?;
        let lines = all.lines().filter(|line| !line.is_empty());
        lines.map(|line| packet(line).ok_or_else(|| anyhow::anyhow!("a packet like {line:?}"))).collect()
    }
}

/// `1764512345.678901 IP 10.9.0.11.40000 > 10.9.0.1.8790: tcp 39`, or `…: UDP, length 39`; without ports where there are none.
fn packet(line: &str) -> Option<Packet> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [at, "IP", from, ">", to, .., bytes] = words[..] else { return None };
    let address = |text: &str| {
        let parts: Vec<&str> = text.trim_end_matches(':').splitn(5, '.').take(4).collect();
        parts.join(".").parse().ok()
    };
    Some(Packet { at: at.parse().ok()?, from: address(from)?, to: address(to)?, bytes: bytes.parse().ok()? })
}
