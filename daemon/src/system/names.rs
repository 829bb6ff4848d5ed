//! Names of the outside, looked up in the system's way and within bounds.
//!
//! Lives here: the only wait for a resolver: with a deadline of its own, and with few threads that hang in one.
//! Must not: connect, or remember an answer; who asks knows what the answer was good for.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::system::clock;

/// How long a look-up may take. A system that loses half of its questions (one family of addresses is never answered)
/// has an answer after its second try, which is ten seconds.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(12);

/// Look-ups at once. The system's resolver cannot be interrupted: each that hangs holds a thread.
static AT_ONCE: Semaphore = Semaphore::const_new(8);

/// The addresses of a host, as the system prefers them. An address as text needs nobody's help.
pub(crate) async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    let asked = async move {
        let turn = AT_ONCE.acquire().await.map_err(io::Error::other)?;
        let ask = move || {
            // Given back when the resolver has answered, whether or not somebody still waits.
            let _turn = turn;
            (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
        };
        tokio::task::spawn_blocking(ask).await.map_err(io::Error::other)?
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no name server answers");
    clock::timeout(ANSWER_WITHIN, asked).await.unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_its_own_answer_and_a_name_that_nobody_has_is_an_error() {
        let found = look_up("2001:db8::1", 443).await.unwrap();
        assert_eq!(found[0].to_string(), "[2001:db8::1]:443");
        assert!(look_up("localhost", 80).await.unwrap().iter().all(|it| it.ip().is_loopback()));
        assert!(look_up("", 80).await.is_err() || look_up("\u{0}", 80).await.is_err());
    }
}
