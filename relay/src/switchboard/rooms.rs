//! What a relay does with words about rooms.
//!
//! Lives here: which ticket is good for what, who is told what.
//! Must not: speak to the room's server, or know who comes.

use std::time::Duration;

use ahoy_proto::frame::ToClient;
use ahoy_proto::limits;
use ahoy_proto::room::{RoomAsk, RoomNews, RoomOver, Ticket};

use super::{Switchboard, say, told_limits};
use crate::client_id::ClientId;
use crate::output::Output;
use crate::rooms::{RoomOrder, RoomReport};
use crate::store::{Redeemed, Store};
use crate::tickets::{Kind, Read, RoomId};
use crate::time::Moment;
use crate::token::ApiKey;

impl Switchboard {
    /// Somebody says something about a room.
    pub(super) fn room(&mut self, now: Moment, client: ClientId, ask: RoomAsk, out: &mut Vec<Output>) {
        if ask == RoomAsk::Unknown {
            return;
        }
        if matches!(ask, RoomAsk::Open { .. }) && self.owner(now, client, out).is_none() {
            return;
        }
        let Some(known) = self.clients.get_mut(&client) else { return };
        if known.nonce.is_none() {
            return over(out, client, RoomOver::Bad);
        }
        // Who comes in by a ticket has no inbox here, and is no passer-by either.
        known.sent_at = Some(now);
        if !self.rooms.may_ask(now, known.address) {
            return over(out, client, RoomOver::Rate);
        }
        if let Err(why) = self.ordered(now, client, ask, out) {
            over(out, client, why);
        }
    }

    fn ordered(
        &mut self,
        now: Moment,
        client: ClientId,
        ask: RoomAsk,
        out: &mut Vec<Output>,
    ) -> Result<(), RoomOver> {
        let now_s = self.unix_s(now);
        let key = self.rooms.server().ok_or(RoomOver::None)?.key.clone();
        let host = |ticket: &Ticket| Read::of(ticket, &key, now_s, &[Kind::Host]).map(|read| read.room);
        let order = match ask {
            RoomAsk::Open { passes, lives_s } => {
                if !self.rooms.is_up() {
                    return Err(RoomOver::None);
                }
                let room = RoomId(self.number(b"room"));
                RoomOrder::Create { client, room, passes, lives_s }
            }
            RoomAsk::Draw { by, passes, lives_s } => {
                let by = Read::of(&by, &key, now_s, &[Kind::Host, Kind::Seat])?;
                let passes = self.passes(&key, now_s, by.room, passes, lives_s);
                say(out, client, ToClient::Room(RoomNews::Passes { host: None, passes }));
                return Ok(());
            }
            RoomAsk::Enter { pass } => {
                let pass = Read::of(&pass, &key, now_s, &[Kind::Pass])?;
                let until = now + Duration::from_secs(pass.until_s.saturating_sub(now_s));
                let (room, number) = (pass.room, pass.number);
                out.push(Output::Store(Store::Redeem { client, room, number, until }));
                return Ok(());
            }
            RoomAsk::Remove { host: ticket, who } => RoomOrder::Remove { client, room: host(&ticket)?, who },
            RoomAsk::People { host: ticket } => RoomOrder::People { client, room: host(&ticket)? },
            RoomAsk::Close { host: ticket } => RoomOrder::Delete { client, room: host(&ticket)? },
            RoomAsk::Unknown => return Ok(()),
        };
        out.push(Output::Room(order));
        Ok(())
    }

    /// The store has looked whether a pass was used before.
    pub(super) fn redeemed(
        &mut self,
        now: Moment,
        client: ClientId,
        room: RoomId,
        outcome: Redeemed,
        out: &mut Vec<Output>,
    ) {
        if !self.clients.contains_key(&client) {
            return;
        }
        let server = match (outcome, self.rooms.server().cloned()) {
            (Redeemed::First, Some(server)) => server,
            (Redeemed::Again, _) => return over(out, client, RoomOver::Used),
            (Redeemed::NoRoom, _) | (_, None) => return over(out, client, RoomOver::None),
        };
        let now_s = self.unix_s(now);
        let identity: String = self.number(b"identity").iter().map(|byte| format!("{byte:02x}")).collect();
        let token = server.key.entry(now_s, limits::ROOM_TOKEN_FOR.as_secs(), &room.name(), &identity);
        let seat = self.ticket(&server.key, Kind::Seat, room, now_s + limits::ROOM_LIVES.as_secs());
        say(out, client, ToClient::Room(RoomNews::Entry { urls: server.urls, token, identity, seat }));
    }

    /// The room's server says something.
    #[must_use]
    pub fn roomed(&mut self, now: Moment, report: RoomReport) -> Vec<Output> {
        let mut out = Vec::new();
        match report {
            RoomReport::Health(up) => {
                let before = self.rooms.is_up();
                self.rooms.health(up);
                if self.rooms.is_up() != before {
                    self.tell_of_rooms(&mut out);
                }
            }
            RoomReport::Created { client, room, passes, lives_s, made } => {
                let server = self.rooms.server().filter(|_| made).map(|server| server.key.clone());
                let (Some(key), true) = (server, self.clients.contains_key(&client)) else {
                    if self.clients.contains_key(&client) {
                        over(&mut out, client, RoomOver::None);
                    }
                    return out;
                };
                let now_s = self.unix_s(now);
                let host = Some(self.ticket(&key, Kind::Host, room, now_s + limits::ROOM_LIVES.as_secs()));
                let passes = self.passes(&key, now_s, room, passes, lives_s);
                say(&mut out, client, ToClient::Room(RoomNews::Passes { host, passes }));
            }
            RoomReport::Done { client, done } if self.clients.contains_key(&client) => {
                let news = if done { RoomNews::Done } else { RoomNews::Over { why: RoomOver::None } };
                say(&mut out, client, ToClient::Room(news));
            }
            RoomReport::People { client, who } if self.clients.contains_key(&client) => {
                let news = who.map_or(RoomNews::Over { why: RoomOver::None }, |who| RoomNews::People { who });
                say(&mut out, client, ToClient::Room(news));
            }
            RoomReport::Done { .. } | RoomReport::People { .. } => {}
        }
        out
    }

    /// Who was welcomed before hears what `welcome` says now.
    fn tell_of_rooms(&self, out: &mut Vec<Output>) {
        let passes = told_limits(self.rooms.is_up()).room;
        for (client, _) in self.clients.iter().filter(|(_, known)| known.inbox.is_some()) {
            say(out, *client, ToClient::Rooms { passes });
        }
    }

    fn passes(&mut self, key: &ApiKey, now_s: u64, room: RoomId, passes: u8, lives_s: u16) -> Vec<Ticket> {
        let until_s = now_s + u64::from(lives_s).min(limits::RING_LIFETIME.as_secs());
        let count = usize::from(passes).min(limits::ROOM_PASSES);
        (0..count).map(|_| self.ticket(key, Kind::Pass, room, until_s)).collect()
    }

    fn ticket(&mut self, key: &ApiKey, kind: Kind, room: RoomId, until_s: u64) -> Ticket {
        Read { kind, room, number: self.number(b"ticket"), until_s }.sign(key)
    }

    fn number(&mut self, what: &[u8]) -> [u8; 16] {
        let drawn = self.draw(what);
        std::array::from_fn(|n| drawn[n])
    }
}

fn over(out: &mut Vec<Output>, client: ClientId, why: RoomOver) {
    say(out, client, ToClient::Room(RoomNews::Over { why }));
}
