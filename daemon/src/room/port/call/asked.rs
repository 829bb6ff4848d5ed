//! What relays are asked about the room of one call, and what their answers come to.
//!
//! Lives here: the questions in their line, whom each is for.
//! Must not: ask anybody itself, or know what goes on in the room.

use ahoy_call::{Moment, Opaque, RoomReport};
use ahoy_proto::limits;
use ahoy_proto::relay_url::RelayUrl;
use ahoy_proto::room::{RoomAsk, RoomNews, Ticket};
use ahoy_proto::room_words::RoomPass;

use super::{CallRoom, UNKNOWN_FOR};
use crate::room::port::{Held, Out};
use crate::room::said::RoomToken;
use crate::room::stay::StayOrder;
use crate::values::room::Identity;

/// Questions that wait for the one under way.
const WANTS: usize = 24;

/// What a relay is to be asked.
#[derive(Clone, Debug)]
pub(in crate::room::port) enum Want {
    Open(u8),
    Draw(u8),
    /// Into the room, for the stay of this number.
    Enter(u64, RelayUrl, Ticket),
    /// A pass, and then a token, for the stay of this number, which is refused.
    FreshPass(u64),
    FreshToken(u64, String, Ticket),
    Remove(Identity),
    People,
}

impl CallRoom {
    /// What is next to be asked, if nothing is.
    pub(in crate::room::port) fn next_want(&mut self) -> Option<Want> {
        if self.waits { None } else { self.wants.pop_front() }
    }

    pub(in crate::room::port) fn waits_for_answer(&mut self) {
        self.waits = true;
    }

    /// Whom to ask what. `ours`: a relay of ours that has rooms.
    pub(in crate::room::port) fn question(
        &self,
        want: &Want,
        ours: Option<&String>,
    ) -> Option<(String, RoomAsk)> {
        let lives_s = u16::try_from(limits::RING_LIFETIME.as_secs()).unwrap_or(u16::MAX);
        let most = |passes: u8| passes.min(u8::try_from(limits::ROOM_PASSES).unwrap_or(u8::MAX));
        let draw = |passes| {
            let Held { relay, ticket: by } = self.host.clone().or(self.seat.clone())?;
            Some((relay, RoomAsk::Draw { by, passes, lives_s }))
        };
        let as_host = |ask: fn(Ticket, String) -> RoomAsk, who: &str| {
            let Held { relay, ticket } = self.host.clone()?;
            Some((relay, ask(ticket, who.to_owned())))
        };
        match want {
            Want::Open(passes) => Some((ours?.clone(), RoomAsk::Open { passes: most(*passes), lives_s })),
            Want::Draw(passes) => draw(most(*passes)),
            Want::FreshPass(number) if self.stays(*number) => draw(1),
            Want::Enter(number, relay, pass) if self.stays(*number) => {
                Some((relay.as_str().to_owned(), RoomAsk::Enter { pass: *pass }))
            }
            Want::FreshToken(number, relay, pass) if self.stays(*number) => {
                Some((relay.clone(), RoomAsk::Enter { pass: *pass }))
            }
            Want::Remove(who) => as_host(|host, who| RoomAsk::Remove { host, who }, who.as_str()),
            Want::People => as_host(|host, _| RoomAsk::People { host }, ""),
            Want::FreshPass(_) | Want::Enter(..) | Want::FreshToken(..) => None,
        }
    }

    /// There is nobody to ask that.
    pub(in crate::room::port) fn unasked(&mut self, want: &Want, out: &mut Vec<Out>) {
        if let Want::Open(_) | Want::Draw(_) = want {
            out.push(Out::Tell(self.call, RoomReport::NoRoom));
        }
    }

    /// A relay answered, or did not.
    pub(in crate::room::port) fn answered(
        &mut self,
        now: Moment,
        relay: String,
        want: Want,
        news: Option<RoomNews>,
        out: &mut Vec<Out>,
    ) {
        self.waits = false;
        if let Some(RoomNews::Over { why }) = &news {
            tracing::debug!(?why, "a relay gives nothing of a room");
        }
        match (want, news) {
            (Want::Open(_), Some(RoomNews::Passes { host: Some(ticket), passes })) => {
                self.host = Some(Held { relay: relay.clone(), ticket });
                self.tell_passes(&relay, &passes, out);
            }
            (Want::Draw(_), Some(RoomNews::Passes { passes, .. })) => self.tell_passes(&relay, &passes, out),
            (Want::Open(_) | Want::Draw(_), _) => out.push(Out::Tell(self.call, RoomReport::NoRoom)),
            (Want::Enter(number, ..), Some(RoomNews::Entry { urls, token, seat, .. })) => {
                if self.stays(number) {
                    self.seat = Some(Held { relay, ticket: seat });
                    self.begin(urls, &token, out);
                }
            }
            (Want::Enter(number, ..), _) => {
                if self.stays(number) {
                    // Its connection hears nothing any more, and reports that it has failed.
                    self.stay = None;
                    out.push(Out::Tell(self.call, RoomReport::NoRoom));
                }
            }
            (Want::FreshPass(number), Some(RoomNews::Passes { passes, .. })) => {
                if let Some(pass) = passes.first() {
                    self.want(Want::FreshToken(number, relay, *pass), out);
                }
            }
            (Want::FreshToken(number, ..), Some(RoomNews::Entry { token, seat, .. })) => {
                if self.stays(number)
                    && let Some((stay, token)) = self.stay.as_ref().zip(RoomToken::new(&token))
                {
                    stay.say(StayOrder::Token(token));
                    self.seat = Some(Held { relay, ticket: seat });
                }
            }
            (Want::People, Some(RoomNews::People { who })) => {
                if let Some(stay) = &mut self.stay {
                    let who = who.iter().filter_map(|who| Identity::new(who));
                    who.for_each(|who| stay.suspect(who, now + UNKNOWN_FOR));
                }
            }
            (Want::FreshPass(_) | Want::FreshToken(..) | Want::Remove(_) | Want::People, _) => {}
        }
        self.settle(out);
    }

    pub(super) fn want(&mut self, want: Want, out: &mut Vec<Out>) {
        if self.wants.len() < WANTS {
            self.wants.push_back(want);
        } else {
            tracing::debug!("too much is asked about a room");
            self.unasked(&want, out);
        }
    }

    fn tell_passes(&self, relay: &str, passes: &[Ticket], out: &mut Vec<Out>) {
        let Ok(relay) = RelayUrl::parse(relay) else { return };
        let pass = |ticket: &Ticket| RoomPass { relay: relay.clone(), ticket: *ticket }.write().ok();
        let passes: Vec<Opaque> = passes.iter().filter_map(pass).collect();
        let report = if passes.is_empty() { RoomReport::NoRoom } else { RoomReport::Passes(passes) };
        out.push(Out::Tell(self.call, report));
    }
}
