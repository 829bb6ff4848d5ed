//! A network emulator: hosts in namespaces of their own, joined by links that delay, lose and queue packets.
//!
//!     emulator [--seed NUMBER] [--log FILE] HOST=PROCESS:ADDRESS...
//!
//! Says `ready`, then obeys the commands on its standard input (see `ahoy_tests::emulator`) and ends with it. The log has a line a
//! packet: microseconds since boot, link, bytes at IP, bytes in the datagram, its first four, what became of it, microseconds queued.
//!
//! Lives here: the words of the command line.
//! Must not: know what a packet meets.

use std::fs::File;

use ahoy_tests::emulator::{Emulator, Host};
use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let (mut hosts, mut seed, mut log) = (Vec::<Host>::new(), 1, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => seed = words.next().context("--seed NUMBER")?.parse()?,
            "--log" => log = Some(File::create(words.next().context("--log FILE")?)?),
            host => hosts.push(host.parse()?),
        }
    }
    Emulator::new(hosts, seed, log)?.run()
}
