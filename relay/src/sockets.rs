//! How many sockets this process may have.
//!
//! Lives here: raising the limit of open files as far as it goes, and what follows for the number of connections: a relay
//! that cannot open one more file cannot take a newcomer either.
//! Must not: count sockets.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are no connection: the listener, the log, the runtime's own.
const OTHERS: u64 = 64;

/// Of the sockets, this part is for those that are closed and say goodbye.
const GOODBYES: usize = 8;

/// How the sockets are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sockets {
    /// For connections.
    pub(crate) connections: usize,
    /// For those that are closed and say goodbye.
    pub(crate) goodbyes: usize,
}

impl Sockets {
    /// As many connections as wanted, if the system lets us.
    pub(crate) fn for_connections(wanted: usize) -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current != maximum
            && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        {
            tracing::debug!(%error, "the limit of open files stays");
        }
        let files = getrlimit(Resource::Nofile).current;
        let sockets = Self::of(wanted, files);
        if sockets.connections < wanted {
            let (connections, files) = (sockets.connections, files.unwrap_or(u64::MAX));
            tracing::warn!(connections, files, "fewer connections than configured: see LimitNOFILE=");
        }
        sockets
    }

    fn of(wanted: usize, files: Option<u64>) -> Self {
        let files = files
            .map_or(usize::MAX, |files| usize::try_from(files.saturating_sub(OTHERS)).unwrap_or(usize::MAX));
        let goodbyes = (files / GOODBYES).clamp(1, 1_024);
        Self { connections: wanted.min(files - goodbyes.min(files)).max(1), goodbyes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_connections_than_files() {
        let of = |files| {
            let Sockets { connections, goodbyes } = Sockets::of(10_000, files);
            (connections, goodbyes)
        };
        assert_eq!(of(None), (10_000, 1_024));
        assert_eq!(of(Some(65_536)), (10_000, 1_024));
        assert_eq!(of(Some(1_024)), (840, 120));
        assert_eq!(of(Some(10)), (1, 1));
    }
}
