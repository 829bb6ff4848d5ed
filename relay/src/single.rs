//! A relay on its own: the switchboard with its store in memory, which answers at once.
//!
//! Lives here: passing orders and reports between the two.
//! Must not: decide anything.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use ahoy_proto::frame::ToRelay;

use crate::client_id::ClientId;
use crate::crowd::Room;
use crate::rooms::{RoomOrder, RoomReport, RoomServer};
use crate::store::{Bounds, Memory};
use crate::switchboard::{Delivery, Output, Switchboard};
use crate::time::Moment;
use crate::turn::Ice;

/// All connections of one relay, and what it remembers. Each function is the switchboard's of that name.
#[derive(Debug)]
pub struct Single {
    board: Switchboard,
    memory: Memory,
    room_orders: Vec<RoomOrder>,
}

impl Single {
    /// With nobody connected. `seed` must be random: nonces come from it.
    pub fn new(seed: [u8; 32], ice: Ice) -> Self {
        Self::with_bounds(seed, ice, Bounds::default())
    }

    /// With less room for lists and mail, or more.
    pub fn with_bounds(seed: [u8; 32], ice: Ice, bounds: Bounds) -> Self {
        Self { board: Switchboard::new(seed, ice), memory: Memory::new(bounds), room_orders: Vec::new() }
    }

    /// How long a new connection may take to claim or send, instead of `limits::CLAIM_WITHIN`.
    pub fn claim_within(&mut self, within: Duration) {
        self.board.claim_within(within);
    }

    /// How many may be connected.
    pub fn set_room(&mut self, room: Room) {
        self.board.set_room(room);
    }

    /// Where rooms are.
    pub fn set_rooms(&mut self, server: Option<RoomServer>) {
        self.board.set_rooms(server);
    }

    /// What is to be done at the server of the rooms, since it was asked last.
    #[must_use]
    pub fn room_orders(&mut self) -> Vec<RoomOrder> {
        std::mem::take(&mut self.room_orders)
    }

    /// That server says something.
    #[must_use]
    pub fn roomed(&mut self, now: Moment, report: RoomReport) -> Vec<Delivery> {
        let out = self.board.roomed(now, report);
        self.settle(now, out)
    }

    /// The calendar, in seconds since the Unix epoch, at `now`.
    pub fn calendar(&mut self, now: Moment, unix_s: u64) {
        self.board.calendar(now, unix_s);
    }

    /// A socket was taken, and its handshake begins.
    #[must_use]
    pub fn accept(&mut self, now: Moment, client: ClientId, address: IpAddr) -> Vec<Delivery> {
        let out = self.board.accept(now, client, address);
        self.settle(now, out)
    }

    /// Somebody connected, from this address.
    #[must_use]
    pub fn connect(&mut self, now: Moment, client: ClientId, address: IpAddr) -> Vec<Delivery> {
        let out = self.board.connect(now, client, address);
        self.settle(now, out)
    }

    /// A connection is gone.
    pub fn disconnect(&mut self, now: Moment, client: ClientId) {
        let out = self.board.disconnect(now, client);
        let told = self.settle(now, out);
        debug_assert!(told.is_empty(), "nobody is told that somebody left: {told:?}");
    }

    /// A client said something.
    #[must_use]
    pub fn handle(&mut self, now: Moment, client: ClientId, frame: ToRelay) -> Vec<Delivery> {
        let out = self.board.handle(now, client, frame);
        self.settle(now, out)
    }

    /// A client said something that is no frame.
    #[must_use]
    pub fn nonsense(&mut self, now: Moment, client: ClientId) -> Vec<Delivery> {
        let out = self.board.nonsense(now, client);
        self.settle(now, out)
    }

    /// When `tick` next has something to do.
    pub fn deadline(&self) -> Option<Moment> {
        [self.board.deadline(), self.memory.deadline()].into_iter().flatten().min()
    }

    /// Does what is due.
    #[must_use]
    pub fn tick(&mut self, now: Moment) -> Vec<Delivery> {
        self.memory.expire(now);
        let out = self.board.tick(now);
        self.settle(now, out)
    }

    /// How many are connected, or in their handshake.
    pub fn len(&self) -> usize {
        self.board.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.board.is_empty()
    }

    fn settle(&mut self, now: Moment, out: Vec<Output>) -> Vec<Delivery> {
        let mut told = Vec::new();
        let mut open: VecDeque<Output> = out.into();
        while let Some(output) = open.pop_front() {
            match output {
                Output::Client(delivery) => told.push(delivery),
                Output::Room(order) => self.room_orders.push(order),
                Output::Store(order) => {
                    let reports = self.memory.perform(now, order);
                    let follows: Vec<_> =
                        reports.into_iter().flat_map(|report| self.board.stored(now, report)).collect();
                    // What follows from an order comes before what was ordered after it.
                    for output in follows.into_iter().rev() {
                        open.push_front(output);
                    }
                }
            }
        }
        told
    }
}
