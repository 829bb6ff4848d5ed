//! How to serve.
//!
//! Lives here: what an operator and the limits decide, as one value.
//! Must not: read a command line or a file.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::config::Limits;
use crate::connection::Timing;
use crate::rooms::RoomServer;
use crate::turn::Ice;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where. Port 0: any free one.
    pub listen: SocketAddr,
    /// Certificate and key. Without it only loopback is listened on.
    pub tls: Option<Arc<ServerConfig>>,
    /// STUN and TURN servers.
    pub ice: Ice,
    /// The server of the rooms, if there is one.
    pub rooms: Option<RoomServer>,
    /// How much is kept.
    pub limits: Limits,
    /// How long things may take.
    pub timing: Timing,
}
