//! Whether a sound server runs, without disturbing it.
//!
//! Lives here: where its sockets would be, and whether anyone listens there.
//! Must not: talk to it.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A PipeWire or PulseAudio server can be reached.
pub(super) fn server_listens() -> bool {
    let listening = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
    sockets(|name| std::env::var(name).ok()).iter().any(|path| listens(&listening, path))
}

/// The kernel has a sound card, so that one could be opened without a server.
pub(super) fn card_exists() -> bool {
    Path::new("/proc/asound/card0").exists() || Path::new("/proc/asound/card1").exists()
}

/// Where servers listen, by the environment.
fn sockets(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let directory = |name: &str| variable(name).map(PathBuf::from);
    let remote = PathBuf::from(variable("PIPEWIRE_REMOTE").unwrap_or_else(|| "pipewire-0".into()));
    let runtime = directory("XDG_RUNTIME_DIR");
    let pulse = variable("PULSE_SERVER").and_then(|server| server.strip_prefix("unix:").map(PathBuf::from));
    [
        directory("PIPEWIRE_RUNTIME_DIR").or(runtime.clone()).map(|at| at.join(remote)),
        pulse,
        directory("PULSE_RUNTIME_PATH").map(|at| at.join("native")),
        runtime.map(|at| at.join("pulse/native")),
    ]
    .into_iter()
    .flatten()
    .collect()
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
        let found: Vec<_> = sockets(environment).iter().map(|path| path.display().to_string()).collect();
        assert_eq!(found, ["/run/user/7/pipewire-9", "/p/native", "/run/user/7/pulse/native"]);
        assert!(sockets(|_| None).is_empty());
    }
}
