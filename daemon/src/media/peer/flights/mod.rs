//! Flights of the DTLS handshake that go again: what a path loses of them would cost the library's whole second, which cannot be set
//! (RFC 6347 §4.2.4.1).
//!
//! Lives here: the task that sends the same datagrams again, for all sockets of a path. To the other side that is a network that
//! doubles datagrams, which it must bear (RFC 6347 §4.1.2.6).
//! Must not: decide when, or read a datagram.

mod datagram;
mod repeats;

use std::net::SocketAddr;
use std::sync::Weak;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::datagram::Kind;
use self::repeats::Repeats;
use super::turn::Ways;
use crate::system::clock;

/// Datagrams that wait for the task. What finds no room is not sent again.
const QUEUE: usize = 32;

/// What passed through one socket of a path.
#[derive(Debug)]
enum Passed {
    /// Went out, by this.
    Flight(Weak<Ways>, SocketAddr, Vec<u8>),
    /// Came in.
    Came(Kind),
}

/// What sockets tell what passes through them. Costs nothing once the handshake is over.
#[derive(Clone, Debug)]
pub(super) struct Flights(mpsc::Sender<Passed>);

impl Flights {
    /// Begins the task of a path.
    pub(super) fn begin(tasks: &mut JoinSet<()>) -> Self {
        let (passed_in, passed) = mpsc::channel(QUEUE);
        tasks.spawn(run(passed));
        Self(passed_in)
    }

    /// A datagram went to this address.
    pub(super) fn went(&self, by: impl Fn() -> Weak<Ways>, to: SocketAddr, bytes: &[u8]) {
        if !self.0.is_closed() && datagram::kind(bytes) == Some(Kind::Handshake) {
            self.tell(Passed::Flight(by(), to, bytes.to_vec()));
        }
    }

    /// A datagram came.
    pub(super) fn came(&self, bytes: &[u8]) {
        if let (false, Some(kind)) = (self.0.is_closed(), datagram::kind(bytes)) {
            self.tell(Passed::Came(kind));
        }
    }

    fn tell(&self, passed: Passed) {
        if self.0.try_send(passed).is_err() {
            tracing::debug!("a part of a DTLS flight goes once alone");
        }
    }
}

/// Until the handshake is over, or the path.
async fn run(mut passed: mpsc::Receiver<Passed>) {
    let mut repeats = Repeats::default();
    loop {
        let due = repeats.due();
        tokio::select! {
            one = passed.recv() => match one {
                Some(Passed::Flight(by, to, bytes)) => repeats.went(clock::now(), (by, to), bytes),
                Some(Passed::Came(Kind::Handshake)) => repeats.answered(),
                Some(Passed::Came(Kind::Keyed)) | None => return,
            },
            () = clock::at(due) => {
                let now = clock::now();
                if repeats.is_over(now) {
                    return;
                }
                while let Some(((by, to), bytes)) = repeats.next(now) {
                    // A socket that is gone takes its path with it.
                    let _unsent = by.upgrade().map(|ways| ways.send(*to, bytes));
                }
            }
        }
    }
}
