//! Tickets: rights at rooms that nothing has to be remembered for.
//!
//! Lives here: making one, reading one, what each kind is good for. Any relay that shares the secret reads those of the others.
//! Must not: know whether one was used: a store does.

use ahoy_proto::room::{RoomOver, TICKET_BYTES, Ticket};

use crate::token::ApiKey;

/// What a ticket is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To come in, once.
    Pass,
    /// To draw passes: of somebody who came in.
    Seat,
    /// To draw passes, put people out, see who is there, end it: of who opened the room.
    Host,
}

/// A room: a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoomId(pub [u8; 16]);

impl RoomId {
    /// As the room's server knows it.
    pub fn name(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a ticket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// What it is good for.
    pub kind: Kind,
    /// Where.
    pub room: RoomId,
    /// Which one it is.
    pub number: [u8; 16],
    /// Until when, in seconds since the Unix epoch.
    pub until_s: u64,
}

const PURPOSE: &str = "ahoy room ticket 1";
const BODY: usize = TICKET_BYTES - 32;

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Pass => 1,
            Self::Seat => 2,
            Self::Host => 3,
        }
    }
}

impl Read {
    /// Signs it.
    pub fn sign(&self, key: &ApiKey) -> Ticket {
        let mut bytes = [0; TICKET_BYTES];
        let (body, mac) = bytes.split_at_mut(BODY);
        body[0] = self.kind.byte();
        body[1..17].copy_from_slice(&self.room.0);
        body[17..33].copy_from_slice(&self.number);
        body[33..].copy_from_slice(&self.until_s.to_be_bytes());
        mac.copy_from_slice(&key.mac(PURPOSE, body));
        Ticket(bytes)
    }

    /// Reads one that is to be of one of these kinds.
    pub fn of(ticket: &Ticket, key: &ApiKey, now_s: u64, kinds: &[Kind]) -> Result<Self, RoomOver> {
        let (body, mac) = ticket.0.split_at(BODY);
        // Every byte is looked at, so that time says nothing of how much of it is right.
        let differs = key.mac(PURPOSE, body).iter().zip(mac).fold(0, |all, (a, b)| all | (a ^ b));
        let kind = kinds.iter().copied().find(|kind| kind.byte() == body[0]);
        let (0, Some(kind)) = (differs, kind) else { return Err(RoomOver::Bad) };
        let part = |from: usize| std::array::from_fn(|n| body[from + n]);
        let until_s = u64::from_be_bytes(std::array::from_fn(|n| body[33 + n]));
        if until_s <= now_s {
            return Err(RoomOver::Expired);
        }
        Ok(Self { kind, room: RoomId(part(1)), number: part(17), until_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> ApiKey {
        ApiKey { key: "k".to_owned(), secret: secret.to_owned() }
    }

    fn pass() -> Read {
        Read { kind: Kind::Pass, room: RoomId([1; 16]), number: [2; 16], until_s: 100 }
    }

    #[test]
    fn any_relay_with_the_secret_reads_a_ticket_and_no_other() {
        let ticket = pass().sign(&key("s"));
        assert_eq!(Read::of(&ticket, &key("s"), 99, &[Kind::Host, Kind::Pass]), Ok(pass()));
        assert_eq!(Read::of(&ticket, &key("t"), 99, &[Kind::Pass]), Err(RoomOver::Bad));
        assert_eq!(Read::of(&ticket, &key("s"), 100, &[Kind::Pass]), Err(RoomOver::Expired));
        assert_eq!(Read::of(&ticket, &key("s"), 99, &[Kind::Host, Kind::Seat]), Err(RoomOver::Bad));
    }

    #[test]
    fn a_ticket_with_any_byte_changed_is_none() {
        let ticket = pass().sign(&key("s"));
        for n in 0..TICKET_BYTES {
            let mut changed = ticket;
            changed.0[n] ^= 1;
            let read = Read::of(&changed, &key("s"), 1, &[Kind::Pass, Kind::Seat, Kind::Host]);
            assert_eq!(read, Err(RoomOver::Bad), "byte {n}");
        }
    }
}
