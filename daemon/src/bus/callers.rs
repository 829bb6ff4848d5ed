//! Who calls: a program of the session, or one that is kept in a sandbox.
//!
//! Lives here: what a sandboxed caller may do, and how it is known: by what the bus and the kernel say of it.
//! Must not: serve anything; keep what it learned; touch a file system that a caller made, for it may never answer.
//!
//! Who is not known to be sandboxed is not. Signals go to everybody whom the bus lets listen.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ahoy_dbus::{Error, ErrorName};
use zbus::Connection;
use zbus::fdo::{ConnectionCredentials, DBusProxy};
use zbus::message::{Header, Message};
use zbus::names::UniqueName;

use super::fault::Fault;
use super::names;
use super::options::Dictionary;
use crate::system::clock;

/// How long the bus may take to say who calls.
const PATIENCE: Duration = Duration::from_secs(2);
/// The standard interface of properties.
pub(super) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// In the root of every flatpak.
const FLATPAK_INFO: &str = ".flatpak-info";
/// Where a file is looked for only if the kernel alone answers for it: others may hang.
const OTHERS_FILE_SYSTEMS: [&str; 9] =
    ["fuse", "nfs", "cifs", "smb", "9p", "ceph", "afs", "autofs", "virtiofs"];

/// What is known of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Not known to be sandboxed.
    Free,
    /// A flatpak, or a snap that is confined.
    Sandboxed,
    /// It left the bus before it could be looked at.
    Gone,
}

/// Whether a sandboxed caller may call this method: `interface` without the prefix of ours.
pub(super) fn may_call(interface: &str, member: &str, message: &Message) -> bool {
    match (interface, member) {
        ("Focus", _) | ("Manager", "RegisterAgent" | "UnregisterAgent") => true,
        // Each property is judged by its interface.
        (PROPERTIES, _) => true,
        ("Manager", "Dial") => target(message).is_some_and(|target| is_contact_id(&target)),
        _ => false,
    }
}

/// Whether a sandboxed caller may read the properties of this interface of ours.
pub(super) fn may_read(interface: &str) -> bool {
    matches!(interface, "Focus" | "Manager" | "Call" | "Peer")
}

/// Whom a message `Dial` is for.
pub(super) fn target(message: &Message) -> Option<String> {
    message.body().deserialize::<(String, Dictionary)>().ok().map(|(target, _options)| target)
}

/// Lets free callers pass.
pub(super) async fn admit(bus: &Connection, header: &Header<'_>) -> Result<(), Fault> {
    let denied = |name, sentence| Err(Fault::refused(Error::new(name, sentence)));
    match who(bus, header).await {
        Some(Caller::Free) => Ok(()),
        Some(Caller::Sandboxed) => denied(
            ErrorName::PermissionDenied,
            "A sandboxed program may steer the call that matters (Focus), read Manager, Call and Peer, show the ring, and dial a contact by its id. Nothing else.",
        ),
        Some(Caller::Gone) => {
            denied(ErrorName::PermissionDenied, "You left the bus before it could say who you are.")
        }
        None => denied(ErrorName::Failed, "The bus does not say who you are: try again."),
    }
}

/// Who sent a message; `None` if the bus does not say in time.
pub(super) async fn who(bus: &Connection, header: &Header<'_>) -> Option<Caller> {
    // Without a bus between us there is no sandbox that filters it.
    let Some(sender) = header.sender() else { return Some(Caller::Free) };
    clock::timeout(PATIENCE, look(bus, sender)).await.ok()?.ok()
}

async fn look(bus: &Connection, sender: &UniqueName<'_>) -> zbus::Result<Caller> {
    let driver = DBusProxy::new(bus).await?;
    let credentials = match driver.get_connection_credentials(sender.to_owned().into()).await {
        Ok(credentials) => credentials,
        Err(zbus::fdo::Error::NameHasNoOwner(_)) => return Ok(Caller::Gone),
        Err(error) => return Err(error.into()),
    };
    if is_confined(&credentials, Path::new("/proc")) {
        return Ok(Caller::Sandboxed);
    }
    // What was looked at is the caller only if the caller is still there: numbers of processes are given again.
    let there = driver.name_has_owner(sender.to_owned().into()).await?;
    Ok(if there { Caller::Free } else { Caller::Gone })
}

/// What the bus says of a caller, and what `proc` says of its process.
fn is_confined(credentials: &ConnectionCredentials, proc: &Path) -> bool {
    let snap = credentials.linux_security_label().is_some_and(|label| is_snap(label));
    snap || credentials
        .process_id()
        .is_some_and(|id| is_flatpak(&proc.join(id.to_string()), &proc.join("self")))
}

/// AppArmor's label of a snap: `snap.NAME.PROGRAM (enforce)`. A snap that only complains is not confined.
fn is_snap(label: &[u8]) -> bool {
    let label = label.strip_suffix(b"\0").unwrap_or(label);
    label.starts_with(b"snap.") && !label.ends_with(b"(complain)") && !label.ends_with(b"(unconfined)")
}

/// `process` and `own` are folders of `/proc`.
fn is_flatpak(process: &Path, own: &Path) -> bool {
    let link = |of: &Path, name: &str| fs::read_link(of.join(name)).ok();
    let same_place = link(process, "ns/mnt").is_some_and(|mounts| Some(mounts) == link(own, "ns/mnt"));
    if same_place && link(process, "root").is_some_and(|root| root.as_os_str() == OsStr::new("/")) {
        return false;
    }
    let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
    match mounted(&mounts) {
        Mounted::Info => true,
        Mounted::Elsewhere => false,
        Mounted::Here => process.join("root").join(FLATPAK_INFO).symlink_metadata().is_ok(),
    }
}

/// What `mountinfo` says of a root and of the file in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mounted {
    /// The file itself is a mount.
    Info,
    /// The root is where looking may hang.
    Elsewhere,
    /// The root answers at once, or nothing is known of it.
    Here,
}

/// See proc_pid_mountinfo(5): the place is the fifth word of a line, the kind of file system the first after ` - `.
fn mounted(mountinfo: &str) -> Mounted {
    let mut root = Mounted::Here;
    for line in mountinfo.lines() {
        let place = line.split(' ').nth(4).unwrap_or_default();
        if place.strip_prefix('/') == Some(FLATPAK_INFO) {
            return Mounted::Info;
        }
        if place == "/" {
            let kind = line.split_once(" - ").map_or("", |(_, rest)| rest);
            let foreign = OTHERS_FILE_SYSTEMS.iter().any(|other| kind.starts_with(other));
            root = if foreign { Mounted::Elsewhere } else { Mounted::Here };
        }
    }
    root
}

/// 32 hex digits, as the bus spells a contact.
fn is_contact_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An interface of ours without the prefix, or as it is.
pub(super) fn short(interface: &str) -> &str {
    interface.strip_prefix(names::NAME).and_then(|rest| rest.strip_prefix('.')).unwrap_or(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snaps_label_tells_unless_the_snap_is_not_confined() {
        for label in [&b"snap.player.player (enforce)\0"[..], b"snap.player.hook.configure"] {
            assert!(is_snap(label), "{}", String::from_utf8_lossy(label));
        }
        for label in [&b"unconfined\0"[..], b"", b"/usr/bin/snap.x", b"snap.code.code (complain)\0"] {
            assert!(!is_snap(label), "{}", String::from_utf8_lossy(label));
        }
    }

    #[test]
    fn the_file_in_the_root_tells_a_flatpak_and_what_cannot_be_read_tells_nothing() {
        let proc = tempfile::tempdir().unwrap();
        let process = |name: &str, info: bool, mounts: &str| {
            let folder = proc.path().join(name);
            fs::create_dir_all(folder.join("root")).unwrap();
            if info {
                fs::write(folder.join("root/.flatpak-info"), "[Application]\n").unwrap();
            }
            fs::write(folder.join("mountinfo"), mounts).unwrap();
            is_flatpak(&folder, &proc.path().join("self"))
        };
        assert!(process("1", true, "1 0 0:1 / / ro - tmpfs tmpfs ro\n"));
        assert!(process("2", true, ""), "the mounts cannot be read, the root can");
        assert!(process("3", false, "2 1 0:2 /x /.flatpak-info ro,nosuid - tmpfs tmpfs ro\n"));
        assert!(!process("4", false, "1 0 0:1 / / ro - ext4 /dev/a ro\n"));
        assert!(!process("5", true, "1 0 0:1 / / ro - fuse.slow slow ro\n"), "it would never answer");
        assert!(!is_flatpak(&proc.path().join("6"), &proc.path().join("self")), "nothing is known");
        assert!(!is_flatpak(Path::new("/proc/self"), Path::new("/proc/self")));
    }

    #[test]
    fn a_sandboxed_caller_dials_by_id_alone() {
        let dial = |target: &str| {
            let body = (target, std::collections::HashMap::<&str, zbus::Variant<'_>>::new());
            let message = Message::method_call("/org/ahoyd/Calls1", "Dial").build(&body).unwrap();
            may_call("Manager", "Dial", &message)
        };
        assert!(dial(&"a0".repeat(16)));
        for target in ["Ana", "history:1", &"A0".repeat(16), &"a0".repeat(17), ""] {
            assert!(!dial(target), "{target}");
        }
    }
}
