//! What is known of the names of STUN and TURN servers.
//!
//! Lives here: how a path asks for it.
//! Must not: look a name up: `names.rs` does, ahead of the paths.

use std::collections::HashMap;
use std::net::SocketAddr;

use ahoy_call::Moment;
use tokio::sync::watch;

use crate::system::clock;

/// Addresses by `host:port`. The last good answer stays until there is a better one.
pub type Known = HashMap<String, Vec<SocketAddr>>;

/// The addresses of this host, if they are known by then.
pub(super) async fn of(
    known: Option<&watch::Receiver<Known>>,
    host: &str,
    until: Moment,
) -> Option<Vec<SocketAddr>> {
    if let Ok(literal) = host.parse() {
        return Some(vec![literal]);
    }
    let mut known = known?.clone();
    let found = |known: &Known| known.get(host).cloned();
    let now = found(&known.borrow());
    if now.is_some() {
        return now;
    }
    let wait = until.since(clock::now());
    let later = clock::timeout(wait, known.wait_for(|known| known.contains_key(host))).await.ok()?;
    later.ok().and_then(|known| found(&known))
}
