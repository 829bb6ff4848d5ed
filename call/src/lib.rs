//! What a call is: the rules of a phone, as pure values.
//!
//! Lives here: what each command and each event does to a call, and what the ports must then do.
//! Must not: know a clock, a socket, a thread, randomness, a log, SDP or a string of the bus.
//!
//! The laws:
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
mod effect;
mod event;
mod id;
mod kind;
mod message;
mod phone;
mod time;
mod view;

pub use command::{Command, Others, Refusal};
pub use effect::{Effect, Effects, Fact, MediaOrder, Record, Role, SignalOrder, Tracks};
pub use event::{Event, MediaFault, MediaReport, RingPolicy};
pub use id::{CallId, Epoch, LegId, MemberId, PeerId};
pub use kind::{Input, PhaseKind};
pub use message::{CancelReason, DeclineReason, Description, Message, Opaque, Scope, SdpKind};
pub use phone::{Deadline, Phone, Settings};
pub use time::Moment;
pub use view::{
    CallKind, CallView, Can, Direction, EndReason, EndedBy, MemberState, MemberView, Outcome, State,
};
