//! A network interface whose packets this process reads and writes.
//!
//! Lives here: making one, and moving it into another namespace.
//! Must not: carry a packet.
#![expect(unsafe_code, reason = "the system's call that names such an interface takes a structure of C")]

use std::fs::{File, OpenOptions};
use std::net::Ipv4Addr;
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

/// An interface `link0` with that address in the network of a process, as its way to everywhere.
pub(super) fn interface(name: &str, process: u32, address: Ipv4Addr) -> anyhow::Result<File> {
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits())?;
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).custom_flags(nonblock).open("/dev/net/tun");
    let file = file.context("opening /dev/net/tun")?;
    let mut request = Request { name: [0; 16], flags: BARE_IP, rest: [0; 22] };
    // The last byte stays zero.
    request.name[..15].iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    // SAFETY: the system reads a structure of exactly this form for this number, and the file is open.
    unsafe { ioctl(&file, Setter::<SET_INTERFACE, Request>::new(request)) }.context("making an interface")?;
    let (process, address) = (process.to_string(), format!("{address}/24"));
    run(&["ip", "link", "set", name, "netns", &process, "name", "link0"])?;
    let inside = ["nsenter", "--target", &process, "--net", "--", "ip"];
    for words in [
        &["addr", "add", &address, "dev", "link0"][..],
        &["link", "set", "link0", "txqueuelen", "5000", "up"],
        &["route", "add", "default", "dev", "link0"],
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
