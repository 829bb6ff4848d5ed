//! Rooms of a LiveKit server that this relay lets people into.
//!
//! Lives here: which server, whether it answers, what is ordered of it and what it reports, how much one address may ask.
//! Must not: speak to it, or remember a room: who opened one holds a ticket.

use std::collections::BTreeMap;

use crate::address::{Address, Near, Wide};
use crate::budgets;
use crate::client_id::ClientId;
use crate::quota::Window;
use crate::tickets::RoomId;
use crate::time::Moment;
use crate::token::ApiKey;

/// The server of the rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomServer {
    /// Where clients reach it: `wss://host`; each is a node, or all of them are.
    pub urls: Vec<String>,
    /// What it knows us by.
    pub key: ApiKey,
}

/// What is to be done at the room's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomOrder {
    /// Make it, for `limits::ROOM_PASSES` people. Reported, with all of this.
    Create {
        /// Who asked.
        client: ClientId,
        /// Which.
        room: RoomId,
        /// How many passes are to be drawn then.
        passes: u8,
        /// How long they are good.
        lives_s: u16,
    },
    /// End it, tried until that is done. Reported at once.
    Delete {
        /// Who asked.
        client: ClientId,
        /// Which.
        room: RoomId,
    },
    /// Put somebody out. Reported.
    Remove {
        /// Who asked.
        client: ClientId,
        /// Of which.
        room: RoomId,
        /// Whom.
        who: String,
    },
    /// Look who is there. Reported.
    People {
        /// Who asked.
        client: ClientId,
        /// In which.
        room: RoomId,
    },
}

/// What the room's server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomReport {
    /// It answers, or it does not.
    Health(bool),
    /// It was made, or was not.
    Created {
        /// Who asked.
        client: ClientId,
        /// Which.
        room: RoomId,
        /// How many passes are to be drawn.
        passes: u8,
        /// How long they are good.
        lives_s: u16,
        /// Whether it was.
        made: bool,
    },
    /// It was done, or was not.
    Done {
        /// Who asked.
        client: ClientId,
        /// Whether it was.
        done: bool,
    },
    /// Who is there, if it said so.
    People {
        /// Who asked.
        client: ClientId,
        /// By identity.
        who: Option<Vec<String>>,
    },
}

/// Our part in rooms.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    server: Option<RoomServer>,
    up: bool,
    near: BTreeMap<Near, Window>,
    wide: BTreeMap<Wide, Window>,
    /// With more than that, what is over is forgotten.
    clean_at: usize,
}

impl Rooms {
    pub(crate) fn set(&mut self, server: Option<RoomServer>) {
        self.server = server;
    }

    pub(crate) fn health(&mut self, up: bool) {
        self.up = up;
    }

    /// The server, whether it answers or not: what is signed needs no answer.
    pub(crate) fn server(&self) -> Option<&RoomServer> {
        self.server.as_ref()
    }

    /// Whether there is a room to be had.
    pub(crate) fn is_up(&self) -> bool {
        self.up && self.server.is_some()
    }

    /// Whether this address may ask once more.
    pub(crate) fn may_ask(&mut self, now: Moment, from: Address) -> bool {
        if self.near.len() >= self.clean_at {
            self.near.retain(|_, window| !window.is_over(now));
            self.wide.retain(|_, window| !window.is_over(now));
            self.clean_at = 2 * self.near.len() + 1_024;
        }
        let most = budgets::ROOM_ASKS_PER_MINUTE;
        let times = u32::try_from(budgets::NETWORKS_OF_CUSTOMER).unwrap_or(u32::MAX);
        let near = self.near.entry(from.near).or_insert_with(|| Window::new(now)).count(now, most);
        let wide = self.wide.entry(from.wide).or_insert_with(|| Window::new(now)).count(now, most * times);
        near && wide
    }
}
