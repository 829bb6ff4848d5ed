//! From a relay's name to a connected socket: its addresses race (RFC 8305).
//!
//! Lives here: in which order addresses are tried, the race, and what is remembered of it for the next try.
//! Must not: know TLS or the relay's protocol, or decide when to try again.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ahoy_call::Moment;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;

use super::tls::RelayUrl;
use crate::system::{clock, names};

/// How long an address has the race to itself before the next one joins (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// How long the race may take. A lost first packet comes again after 1, 3 and 7 s.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long a name server may take before the last good answer is tried in its place.
const ASK_ALONE: Duration = Duration::from_secs(1);

/// Addresses of one name that are tried; a relay has a few.
const MOST: usize = 16;

/// What earlier tries taught about one relay.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The addresses by which it was last reached; none after they failed.
    addresses: Vec<SocketAddr>,
    /// What its clock said when it last answered, in seconds since the Unix epoch, and when that was; none where it does not tell.
    pub(super) told_time: Option<(i64, Moment)>,
    /// Tried first: the last winner's family, or the other one after a winner turned out to be no relay.
    first: Option<Family>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

impl Known {
    /// Connects to whichever address of the relay answers first.
    pub(super) async fn dial(&mut self, url: &RelayUrl) -> io::Result<(SocketAddr, TcpStream)> {
        let found = self.addresses(names::look_up(url.host(), url.port())).await?;
        // A name of this machine that leads elsewhere must not carry plain text there.
        let allowed = found.iter().copied().filter(|it| url.is_sealed() || it.ip().is_loopback()).collect();
        let won = race(interleaved(allowed, self.first), TcpStream::connect).await;
        match &won {
            Ok((winner, _)) => (self.addresses, self.first) = (found, Some(Family::of(*winner))),
            // An answer that no longer holds must not be preferred to a slow name server again.
            Err(_) => self.addresses.clear(),
        }
        won
    }

    /// What connected there is no relay, or did not finish: something in between answered for it.
    pub(super) fn misled(&mut self, by: SocketAddr) {
        self.addresses.clear();
        self.first = Some(Family::of(by).other());
    }

    /// The name server's answer. While it is silent, or has none, the last good one.
    async fn addresses(
        &self,
        look_up: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    ) -> io::Result<Vec<SocketAddr>> {
        if self.addresses.is_empty() {
            return look_up.await;
        }
        match clock::timeout(ASK_ALONE, look_up).await {
            Ok(Ok(found)) if !found.is_empty() => Ok(found),
            Ok(Ok(_) | Err(_)) | Err(_) => Ok(self.addresses.clone()),
        }
    }
}

/// The families by turns, each in the order it came; `first` begins, else the family that came first.
fn interleaved(addresses: Vec<SocketAddr>, first: Option<Family>) -> Vec<SocketAddr> {
    let Some(first) = first.or_else(|| addresses.first().copied().map(Family::of)) else { return addresses };
    let (mut one, mut other): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|it| Family::of(*it) == first);
    let mut order = Vec::new();
    while order.len() < MOST && !(one.is_empty() && other.is_empty()) {
        order.extend(one.pop_front());
        order.extend(other.pop_front());
    }
    order
}

/// Tries the addresses in order. The next one joins when the last has failed or its head start is over; the first that
/// connects wins. Fails when all have, or after `CONNECT_WITHIN`.
async fn race<T, F: Future<Output = io::Result<T>>>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<(SocketAddr, T)> {
    let mut waiting = VecDeque::from(addresses);
    let mut tries = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let end = clock::now() + CONNECT_WITHIN;
    let mut next = clock::now();
    loop {
        if tries.is_empty() || next <= clock::now() {
            if let Some(address) = waiting.pop_front() {
                let connecting = connect(address);
                tries.push(async move { (address, connecting.await) });
                next = clock::now() + HEAD_START;
            } else if tries.is_empty() {
                return Err(last);
            }
        }
        let wake = if waiting.is_empty() { end } else { next.min(end) };
        tokio::select! {
            biased;
            Some((address, done)) = tries.next() => match done {
                Ok(connected) => return Ok((address, connected)),
                Err(error) => (last, next) = (error, clock::now()),
            },
            () = clock::sleep_until(wake) => if clock::now() >= end {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing answers at its address"));
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn all(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|it| it.parse().unwrap()).collect()
    }

    /// Connects where `fate` says so: `Some(true)` at once, `Some(false)` refuses, `None` swallows everything.
    async fn run(
        addresses: Vec<SocketAddr>,
        fate: fn(SocketAddr) -> Option<bool>,
    ) -> (String, Vec<SocketAddr>) {
        let tried = RefCell::new(Vec::new());
        let connect = |address| {
            tried.borrow_mut().push(address);
            async move {
                match fate(address) {
                    Some(true) => Ok(()),
                    Some(false) => Err(io::ErrorKind::ConnectionRefused.into()),
                    None => std::future::pending().await,
                }
            }
        };
        let won = race(addresses, connect).await;
        (won.map_or_else(|error| error.kind().to_string(), |(it, ())| it.to_string()), tried.into_inner())
    }

    #[tokio::test]
    async fn an_address_that_swallows_everything_does_not_keep_from_the_one_that_answers() {
        let v6 = all(&["[2001:db8::1]:443", "192.0.2.1:443"]);
        assert_eq!(run(v6, |it| it.is_ipv4().then_some(true)).await.0, "192.0.2.1:443");
        let dead = all(&["192.0.2.1:443", "192.0.2.2:443"]);
        assert_eq!(
            run(dead, |it| (it.ip().to_string() == "192.0.2.2").then_some(true)).await.0,
            "192.0.2.2:443"
        );
    }

    #[tokio::test]
    async fn a_first_address_that_answers_is_the_only_one_tried() {
        let both = all(&["[2001:db8::1]:443", "192.0.2.1:443"]);
        assert_eq!(run(both.clone(), |_| Some(true)).await, (both[0].to_string(), vec![both[0]]));
    }

    #[tokio::test]
    async fn all_that_refuse_are_tried_at_once_and_the_refusal_is_told() {
        let three = all(&["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"]);
        assert_eq!(run(three.clone(), |_| Some(false)).await, ("connection refused".to_owned(), three));
        assert_eq!(run(Vec::new(), |_| Some(true)).await.0, "entity not found");
    }

    #[test]
    fn families_take_turns_and_the_last_winner_goes_first() {
        let found = all(&["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "192.0.2.1:1"]);
        let turns = all(&["[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1", "[2001:db8::3]:1"]);
        assert_eq!(interleaved(found.clone(), None), turns);
        assert_eq!(interleaved(found.clone(), Some(Family::V4))[0], found[3]);
        assert_eq!(interleaved(all(&["192.0.2.1:1"]), Some(Family::V6)), all(&["192.0.2.1:1"]));
        let many: Vec<SocketAddr> = (0..100).map(|port| SocketAddr::from(([192, 0, 2, 1], port))).collect();
        assert_eq!(interleaved(many, None).len(), MOST);
    }

    #[tokio::test]
    async fn while_the_name_server_is_silent_the_last_good_answer_serves() {
        let known = Known { addresses: all(&["192.0.2.1:443"]), ..Known::default() };
        let silent = std::future::pending();
        assert_eq!(known.addresses(silent).await.unwrap(), known.addresses);
        let gone = async { Err(io::ErrorKind::NotFound.into()) };
        assert_eq!(known.addresses(gone).await.unwrap(), known.addresses);
        let moved = async { Ok(all(&["192.0.2.9:443"])) };
        assert_eq!(known.addresses(moved).await.unwrap(), all(&["192.0.2.9:443"]));
        let nothing = async { Err(io::ErrorKind::NotFound.into()) };
        assert!(Known::default().addresses(nothing).await.is_err(), "there was none");
    }

    #[test]
    fn after_something_that_was_no_relay_the_other_family_goes_first() {
        let mut known = Known::default();
        known.misled("[2001:db8::1]:443".parse().unwrap());
        assert_eq!(known.first, Some(Family::V4));
    }
}
