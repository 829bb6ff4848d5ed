//! Which STUN and TURN servers a path uses.
//!
//! Lives here: those that the library can use, and their names as it spells them.
//! Must not: look a name up.

use webrtc::peer_connection::RTCIceServer;

use crate::values::ice::IceServer;

/// More STUN and TURN servers than this only make set-up slower.
const MOST_SERVERS: usize = 8;

/// Every `host:port` that the library will ask for, as it spells it.
pub(super) fn hosts(servers: &[IceServer]) -> impl Iterator<Item = String> {
    let urls = usable(servers).into_iter().filter_map(|server| server.urls().ok()).flatten();
    urls.map(|url| match url.host.contains(':') {
        true => format!("[{}]:{}", url.host, url.port),
        false => format!("{}:{}", url.host, url.port),
    })
}

/// One address that the library cannot read, or a TURN server without a name, would fail the whole path.
pub(super) fn usable(servers: &[IceServer]) -> Vec<RTCIceServer> {
    let each = servers.iter().flat_map(|server| {
        server.urls.iter().map(|url| RTCIceServer {
            urls: vec![url.clone()],
            username: server.username.clone(),
            credential: server.credential.clone(),
        })
    });
    let usable: Vec<_> = each.filter(|server| server.urls().is_ok()).take(MOST_SERVERS).collect();
    let given: usize = servers.iter().map(|server| server.urls.len()).sum();
    if usable.len() < given {
        tracing::debug!(left_out = given - usable.len(), "some STUN or TURN servers are not used");
    }
    usable
}
