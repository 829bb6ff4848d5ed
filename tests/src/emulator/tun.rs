//! A network interface whose packets this process reads and writes.
//!
//! Lives here: making one, and moving it into another namespace.
//! Must not: carry a packet.
#![expect(unsafe_code, reason = "the system's call that names such an interface takes a structure of C")]

use std::fs::{File, OpenOptions};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;

use anyhow::{Context as _, bail};
use rustix::fs::OFlags;
use rustix::ioctl::{Opcode, Setter, ioctl};

/// TUNSETIFF of <linux/if_tun.h>.
const SET_INTERFACE: Opcode = 0x4004_54ca;
/// IFF_TUN | IFF_NO_PI: bare IP packets.
const BARE_IP: u16 = 0x1001;

/// `struct ifreq` of <linux/if.h> with the flags of an interface.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// An interface `link0`, or of that number, with that address in the network of a process, as its way to everywhere: the first one
/// before those that come after it.
pub(super) fn interface(name: &str, process: u32, address: IpAddr, number: usize) -> anyhow::Result<File> {
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits())?;
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).custom_flags(nonblock).open("/dev/net/tun");
    let file = file.context("opening /dev/net/tun")?;
    let mut request = Request { name: [0; 16], flags: BARE_IP, rest: [0; 22] };
    // The last byte stays zero.
    request.name[..15].iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    // SAFETY: the system reads a structure of exactly this form for this number, and the file is open.
    unsafe { ioctl(&file, Setter::<SET_INTERFACE, Request>::new(request)) }.context("making an interface")?;
    let (process, link) = (process.to_string(), format!("link{number}"));
    let (address, family, more) = match address {
        IpAddr::V4(_) => (format!("{address}/24"), "-4", None),
        // Else it could not be used while others on the link are asked whether they have it.
        IpAddr::V6(_) => (format!("{address}/64"), "-6", Some("nodad")),
    };
    let metric = (100 * (number + 1)).to_string();
    run(&["ip", "link", "set", name, "netns", &process, "name", &link])?;
    let inside = ["nsenter", "--target", &process, "--net", "--", "ip", family];
    let addressed: Vec<&str> = ["addr", "add", &address, "dev", &link].into_iter().chain(more).collect();
    for words in [
        &addressed[..],
        &["link", "set", &link, "txqueuelen", "5000", "up"],
        &["route", "add", "default", "dev", &link, "metric", &metric],
    ] {
        run(&[&inside[..], words].concat())?;
    }
    Ok(file)
}

fn run(words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(words[0]).args(&words[1..]).output().with_context(|| words[0].to_owned())?;
    if !output.status.success() {
        bail!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
