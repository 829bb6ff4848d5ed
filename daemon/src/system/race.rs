//! A connection to whichever address of a name answers first (RFC 8305).
//!
//! Lives here: in which order addresses are tried, and the race.
//! Must not: look a name up, or know what is connected to.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::system::clock;

/// How long an address has the race to itself before the next one joins (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// How long the race may take. A lost first packet comes again after 1, 3 and 7 s.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Addresses of one name that are tried; a relay has a few.
const MOST: usize = 16;

/// Of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

/// The families by turns, each in the order it came; `first` begins, else the family that came first.
pub(crate) fn interleaved(addresses: Vec<SocketAddr>, first: Option<Family>) -> Vec<SocketAddr> {
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
pub(crate) async fn race<T, F: Future<Output = io::Result<T>>>(
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
}
