//! What a call is: the rules of a phone, as pure values.
//!
//! Lives here: what each command and each event does to a call, and what the ports must then do.
//! Must not: know a clock, a socket, a thread, randomness, a log, SDP or a name of the bus.
//!
//! # The model
//!
//! A [`Phone`] is one device of one person with all its calls. Two things go in: a [`Command`] is a wish of the person and may be
//! refused ([`Refusal`]); an [`Event`] is a fact that a port reports and never fails. Out come [`Effects`], in order: messages for
//! the other side ([`SignalOrder`]), paths for the media ([`MediaOrder`]), entries for the history ([`Record`]), and what
//! outsiders may see ([`CallView`]). The other person's device is a *leg*; a leg has *paths*, one an [`Epoch`], and a repair is the
//! next epoch. Time is an argument: [`Phone::deadline`] says when the phone wants [`Event::Tick`].
//!
//! ```
//! use ahoy_call::{CallId, Command, Effect, Event, LegId, Message, Moment, PeerId, Phone, Settings, State};
//! use std::time::Duration;
//!
//! // The newest picture that a step shows of a call.
//! fn shown(effects: ahoy_call::Effects) -> Option<State> {
//!     effects.into_iter().filter_map(|e| if let Effect::Publish(view) = e { Some(view.state) } else { None }).last()
//! }
//!
//! let mut phone = Phone::new(LegId::from_bytes([1; 16]), PeerId::from_bytes([8; 16]), Settings::default());
//! let (call, ben, desk) = (CallId::from_bytes([7; 16]), PeerId::from_bytes([9; 16]), LegId::from_bytes([2; 16]));
//! let mut now = Moment::from_micros(1_000_000);
//! let dial = Command::Dial {
//!     call,
//!     peer: ben,
//!     devices: vec![desk],
//!     lifetime: Duration::from_secs(60),
//!     note: None,
//!     hold_others: false,
//!     both_tell: false,
//! };
//! assert_eq!(shown(phone.command(now, dial).unwrap()), Some(State::Dialing));
//!
//! // Ben's desk has opened our ring, and rings.
//! for message in [Message::Ready { offers: false }, Message::Ringing] {
//!     phone.event(now, Event::Received { call, leg: desk, message });
//! }
//! assert_eq!(phone.views()[0].state, State::Alerting);
//!
//! // Nobody answers: the phone said when it wants to be woken.
//! while phone.views()[0].ended.is_none() {
//!     now = phone.deadline().unwrap().at;
//!     phone.event(now, Event::Tick);
//! }
//! assert_eq!(phone.views()[0].reason, Some(ahoy_call::EndReason::NoAnswer));
//! ```
//!
//! # The laws
//!
//! 1. Commands may be refused; events may not fail.
//! 2. A refusal changes nothing.
//! 3. Time first: a due tick is fed before any other input, so [`Phone::deadline`] is always later than the last `now`.
//! 4. Effects are performed in order, and before the command's reply; the commit of a record releases the
//!    publication that follows it.
//! 5. The engine never waits for a port.
//! 6. Same inputs, same effects.
//! 7. An unknown or late input does nothing, quietly.
#![no_std]

extern crate alloc;

mod call;
mod command;
mod digits;
mod effect;
mod event;
pub mod group;
mod id;
mod kind;
mod message;
mod parts;
mod phone;
#[cfg(any(test, feature = "sample"))]
mod sample;
mod time;
mod view;
mod words;

pub use command::{Callee, Command, Others, Refusal};
pub use digits::{Digit, Digits, GAP, PAUSE, TONE};
pub use effect::{Effect, Effects, Fact, MediaOrder, Record, Role, RoomOrder, SignalOrder, Tracks};
pub use event::{Event, MediaFault, MediaReport, RingPolicy, RoomReport};
pub use id::{CallId, Epoch, GroupId, LegId, MemberId, PeerId};
pub use kind::{Input, PhaseKind};
pub use message::{CancelReason, DeclineReason, Description, Message, Opaque, RoomWord, Scope, SdpKind};
pub use phone::{Deadline, Phone, Settings};
pub use time::Moment;
pub use view::{
    CallKind, CallView, Can, Direction, EndReason, EndedBy, MemberState, MemberView, Outcome, State,
};
