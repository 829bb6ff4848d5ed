//! Whether a sound server runs, without disturbing it.
//!
//! Lives here: where its sockets would be, and whether anyone listens there.
//! Must not: talk to it.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A PipeWire or PulseAudio server can be reached.
pub(super) fn server_listens() -> bool {
    any_listens(&[pipewire(&environment), pulse(&environment)].concat())
}

/// PipeWire itself can be reached.
pub(super) fn pipewire_listens() -> bool {
    any_listens(&pipewire(&environment))
}

/// Somebody speaks PulseAudio's protocol here.
pub(super) fn pulse_listens() -> bool {
    any_listens(&pulse(&environment))
}

/// Where PulseAudio, or PipeWire in its place, would listen.
pub(super) fn pulse_sockets() -> Vec<PathBuf> {
    pulse(&environment)
}

/// Where sockets of servers and files of sound cards appear; of a folder that is not there, where it would.
pub(super) fn folders() -> Vec<PathBuf> {
    let sockets = [pipewire(&environment), pulse(&environment)].concat();
    let above = |path: PathBuf| path.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned);
    sockets.into_iter().chain([PathBuf::from("/dev/snd/controlC0")]).filter_map(above).collect()
}

/// ALSA can reach something without a server on this machine: a sound card of the kernel, or what a person has set up for it.
pub(super) fn card_exists() -> bool {
    let cards = ["/proc/asound/card0", "/proc/asound/card1", "/etc/asound.conf"].map(PathBuf::from);
    let own = environment("HOME").map(|home| PathBuf::from(home).join(".asoundrc"));
    cards.into_iter().chain(own).any(|path| path.exists())
}

/// PulseAudio's own library is told of a server that we cannot see: on another machine, or by its configuration.
pub(super) fn elsewhere() -> bool {
    let named = environment("PULSE_SERVER").is_some_and(|server| !server.starts_with("unix:"));
    let home = environment("HOME").map(PathBuf::from);
    let in_home = [".pulse/client.conf", ".config/pulse/client.conf"];
    let in_home = home.into_iter().flat_map(|home| in_home.map(|file| home.join(file)));
    let files = environment("PULSE_CLIENTCONFIG").map(PathBuf::from).into_iter().chain(in_home);
    let mut texts = files
        .chain([PathBuf::from("/etc/pulse/client.conf")])
        .filter_map(|file| std::fs::read_to_string(file).ok());
    let says = |text: String| text.lines().any(|line| line.trim_start().starts_with("default-server"));
    named || texts.any(says)
}

fn any_listens(sockets: &[PathBuf]) -> bool {
    let listening = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
    sockets.iter().any(|path| listens(&listening, path))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn pipewire(variable: &impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let remote = PathBuf::from(variable("PIPEWIRE_REMOTE").unwrap_or_else(|| "pipewire-0".into()));
    let folder = variable("PIPEWIRE_RUNTIME_DIR").or_else(|| variable("XDG_RUNTIME_DIR"));
    folder.map(|at| PathBuf::from(at).join(remote)).into_iter().collect()
}

fn pulse(variable: &impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let server = variable("PULSE_SERVER");
    if let Some(server) = server.filter(|server| !server.is_empty()) {
        // Where it names a server, no other is looked for.
        return server.strip_prefix("unix:").map(PathBuf::from).into_iter().collect();
    }
    let own = variable("PULSE_RUNTIME_PATH").map(|at| PathBuf::from(at).join("native"));
    let usual = variable("XDG_RUNTIME_DIR").map(|at| PathBuf::from(at).join("pulse/native"));
    own.into_iter().chain(usual).collect()
}

/// The kernel's list of sockets says so. One that is not in it may still belong to another network namespace.
fn listens(list: &str, socket: &Path) -> bool {
    const ACCEPTS: &str = "00010000";
    let Some(name) = socket.to_str() else { return false };
    let listed = list.lines().any(|line| {
        line.strip_suffix(name)
            .is_some_and(|head| head.ends_with(' ') && head.split_whitespace().nth(3) == Some(ACCEPTS))
    });
    listed || socket.exists() && UnixStream::connect(socket).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_server_is_there_while_it_listens_and_gone_though_its_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipewire-0");
        let list = || std::fs::read_to_string("/proc/net/unix").unwrap();
        assert!(!listens(&list(), &path));
        let server = UnixListener::bind(&path).unwrap();
        assert!(listens(&list(), &path));
        assert!(!listens(&list(), &directory.path().join("pipewire")), "the whole name counts");
        drop(server);
        assert!(path.exists() && !listens(&list(), &path), "a file that nobody listens at");
    }

    #[test]
    fn the_environment_says_where_to_look() {
        let environment = |name: &str| match name {
            "XDG_RUNTIME_DIR" => Some("/run/user/7".to_owned()),
            "PIPEWIRE_REMOTE" => Some("pipewire-9".to_owned()),
            "PULSE_SERVER" => Some("unix:/p/native".to_owned()),
            _ => None,
        };
        let names = |found: Vec<PathBuf>| found.iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
        assert_eq!(names(pipewire(&environment)), ["/run/user/7/pipewire-9"]);
        assert_eq!(names(pulse(&environment)), ["/p/native"]);
        let without = |name: &str| environment(name).filter(|_| name != "PULSE_SERVER");
        assert_eq!(names(pulse(&without)), ["/run/user/7/pulse/native"]);
        let remote =
            |name: &str| if name == "PULSE_SERVER" { Some("tcp:far".to_owned()) } else { environment(name) };
        assert!(pulse(&remote).is_empty());
        assert!(pipewire(&|_| None).is_empty() && pulse(&|_| None).is_empty());
    }
}
