//! What the switchboard wants done.
//!
//! Lives here: the values that it returns.
//! Must not: do anything.

use ahoy_proto::frame::{CloseCode, ToClient};

use crate::client_id::ClientId;
use crate::rooms::RoomOrder;
use crate::store::Store;

/// What one client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who.
    pub to: ClientId,
    /// What.
    pub what: What,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A frame.
    Say(ToClient),
    /// The end of its connection. Nothing follows, and no `disconnect` is expected for it.
    Close(CloseCode),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// For a client.
    Client(Delivery),
    /// For the store.
    Store(Store),
    /// For the server of the rooms.
    Room(RoomOrder),
}
