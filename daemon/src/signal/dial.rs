//! From a relay's name to a connected socket.
//!
//! Lives here: which addresses race, and what is remembered of it for the next try.
//! Must not: know TLS or the relay's protocol, or decide when to try again.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ahoy_call::Moment;
use tokio::net::TcpStream;

use super::tls::RelayUrl;
use crate::system::race::{Family, interleaved, race};
use crate::system::{clock, names};

/// How long a name server may take before the last good answer is tried in its place.
const ASK_ALONE: Duration = Duration::from_secs(1);

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

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|it| it.parse().unwrap()).collect()
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
