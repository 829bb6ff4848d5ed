//! A network emulator in user space: hosts in network namespaces, joined by links that delay, lose and queue packets.
//!
//! Lives here: the loop that takes packets, lets a link decide and delivers them in time; commands, and the log of packets.
//! Must not: decide what happens to a packet (`link.rs` does), or know what a call is.

mod link;
mod packet;
mod tun;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Stdin, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

pub use link::{Condition, Fate, Link};
use packet::Packet;

/// A host: its name of one letter or more, the process whose network namespace it is, and its address there. The same process again
/// is a further interface of the same machine.
#[derive(Debug)]
pub struct Host {
    name: String,
    process: u32,
    address: IpAddr,
}

impl std::str::FromStr for Host {
    type Err = anyhow::Error;

    /// `NAME=PROCESS:ADDRESS`
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').and_then(|(name, rest)| Some((name, rest.split_once(':')?)));
        let (name, (process, address)) = parts.context("a host is NAME=PROCESS:ADDRESS")?;
        Ok(Self { name: name.to_owned(), process: process.parse()?, address: address.parse()? })
    }
}

/// When due, the how many-th packet, to which host, its bytes; the next one first.
type Due = Reverse<(Duration, u64, usize, Vec<u8>)>;

/// The running emulator.
pub struct Emulator {
    hosts: Vec<(Host, File)>,
    /// From each host to each other, by their places in `hosts`.
    links: Vec<(usize, usize, Link)>,
    waiting: BinaryHeap<Due>,
    count: u64,
    log: Option<BufWriter<File>>,
}

impl Emulator {
    /// Gives each host an interface `link0` in its namespace, `link1` the second time. Wants the right to administer these networks.
    pub fn new(hosts: Vec<Host>, seed: u64, log: Option<File>) -> anyhow::Result<Self> {
        let mut opened: Vec<(Host, File)> = Vec::new();
        for host in hosts {
            let number = opened.iter().filter(|(other, _)| other.process == host.process).count();
            let interface = tun::interface(&format!("to-{}", host.name), host.process, host.address, number)?;
            opened.push((host, interface));
        }
        let hosts = opened;
        let ends = |from: usize| (0..hosts.len()).filter(move |to| *to != from).map(move |to| (from, to));
        let links = (0..hosts.len()).flat_map(ends).zip(0_u64..);
        let links = links.map(|((from, to), id)| (from, to, Link::new(seed, id))).collect();
        let log = log.map(BufWriter::new);
        Ok(Self { hosts, links, waiting: BinaryHeap::new(), count: 0, log })
    }

    /// Carries packets and obeys the commands on standard input, with a line of answer each, until its end:
    /// `set LINK CONDITION`, `cut LINK` (what passes it now passes no more: see [`Link::cut`]), `seed NUMBER` (all links begin anew),
    /// `flush` (the log), `time`. LINK is `a>b`, `a>*`, `*>a` or `*`.
    pub fn run(&mut self) -> anyhow::Result<()> {
        let (mut input, mut begun) = (io::stdin(), Vec::new());
        answer("ready")?;
        loop {
            let readable = self.wait(&input)?;
            self.deliver();
            for (from, _) in readable.iter().enumerate().filter(|(_, readable)| **readable) {
                if from == self.hosts.len() {
                    if !self.listen(&mut input, &mut begun)? {
                        return Ok(());
                    }
                } else {
                    self.take(from)?;
                }
            }
            self.deliver();
        }
    }

    /// Waits until a host sends, a command comes or a packet is due: which of the hosts, and at the end the input, can be read.
    fn wait(&self, input: &Stdin) -> anyhow::Result<Vec<bool>> {
        let files = self.hosts.iter().map(|(_, file)| file.as_fd()).chain([input.as_fd()]);
        let mut polled: Vec<_> = files.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let due = self.waiting.peek().map(|Reverse((due, ..))| due.saturating_sub(now()));
        let timeout = due.map(Timespec::try_from).transpose()?;
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) => Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect()),
            Err(rustix::io::Errno::INTR) => Ok(vec![false; polled.len()]),
            Err(error) => Err(error).context("waiting for packets"),
        }
    }

    /// Takes what a host has sent, and decides about it at once.
    fn take(&mut self, from: usize) -> anyhow::Result<()> {
        let mut bytes = [0; 1 << 16];
        loop {
            let size = match self.hosts[from].1.read(&mut bytes) {
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("taking a packet"),
            };
            let Some(packet) = Packet::read(&bytes[..size]) else { continue };
            // A network lets nobody send by an address that belongs to another one (RFC 2827).
            if packet.source != self.hosts[from].0.address {
                continue;
            }
            let reached = self
                .links
                .iter_mut()
                .find(|(start, end, _)| *start == from && self.hosts[*end].0.address == packet.destination);
            let Some((_, to, link)) = reached else { continue };
            let (at, to) = (now(), *to);
            let fate = link.fate(at, size, &packet);
            if let Some(log) = &mut self.log {
                let link = format!("{}>{}", self.hosts[from].0.name, self.hosts[to].0.name);
                writeln!(log, "{} {link} {size} {packet} {fate}", at.as_micros())?;
            }
            if let Fate::Delivered { at, .. } = fate {
                self.count += 1;
                self.waiting.push(Reverse((at, self.count, to, bytes[..size].to_vec())));
            }
        }
    }

    fn deliver(&mut self) {
        while self.waiting.peek().is_some_and(|Reverse((due, ..))| *due <= now()) {
            let Some(Reverse((.., to, bytes))) = self.waiting.pop() else { return };
            // A host whose namespace is going takes no more.
            let _ = self.hosts[to].1.write(&bytes);
        }
    }

    /// Obeys each whole line that has come; whether there will be more.
    fn listen(&mut self, input: &mut Stdin, begun: &mut Vec<u8>) -> anyhow::Result<bool> {
        let mut bytes = [0; 4096];
        let size = rustix::io::read(&*input, &mut bytes)?;
        begun.extend_from_slice(&bytes[..size]);
        while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = begun.drain(..=end).collect();
            let said = self.obey(String::from_utf8_lossy(&line).trim());
            answer(&said.unwrap_or_else(|error| format!("error: {error}")))?;
        }
        Ok(size > 0)
    }

    fn obey(&mut self, line: &str) -> anyhow::Result<String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "set" => {
                let (name, condition) = rest.split_once(' ').context("set LINK CONDITION")?;
                let condition: Condition = condition.parse()?;
                self.named(name)?.into_iter().for_each(|link| link.condition = condition.clone());
            }
            "cut" => self.named(rest)?.into_iter().for_each(Link::cut),
            "seed" => {
                let seed = rest.parse()?;
                self.links.iter_mut().for_each(|(_, _, link)| link.begin_anew(seed));
            }
            "flush" => {
                if let Some(log) = &mut self.log {
                    log.flush()?;
                }
            }
            "time" => return Ok(now().as_micros().to_string()),
            other => return Err(anyhow!("no command is called {other}; set, cut, seed, flush, time")),
        }
        Ok("ok".to_owned())
    }

    /// The links of that name.
    fn named(&mut self, name: &str) -> anyhow::Result<Vec<&mut Link>> {
        let (start, end) = name.split_once('>').unwrap_or((name, name));
        let is = |word: &str, host: &Host| word == "*" || word == host.name;
        let hosts = &self.hosts;
        let fits = |(from, to): (usize, usize)| is(start, &hosts[from].0) && is(end, &hosts[to].0);
        let links = self.links.iter_mut().filter(|(from, to, _)| fits((*from, *to)));
        let found: Vec<&mut Link> = links.map(|(.., link)| link).collect();
        if found.is_empty() {
            bail!("no link is called {name}");
        }
        Ok(found)
    }
}

#[expect(clippy::print_stdout, reason = "standard output is where commands are answered")]
fn answer(line: &str) -> io::Result<()> {
    println!("{line}");
    io::stdout().flush()
}

/// Since the machine was started, as all measurements reckon.
fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let part = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), part)
}
