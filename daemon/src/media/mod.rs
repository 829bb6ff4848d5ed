//! The media port: one session a call, paths below it, sound devices beside it.
//!
//! Lives here: orders in, reports out, the media thread that runs them.
//! Must not: decide anything about a call.

pub mod capture;
pub mod codec;
pub mod device;
mod dispatch;
pub mod dtmf;
pub mod emodel;
pub mod feedback;
mod flood;
mod hush;
mod levels;
mod limiter;
pub mod peer;
pub mod pipeline;
pub mod playout;
mod pump;
mod quality;
mod rate;
pub mod red;
mod redundancy;
mod rests;
pub mod ring;
#[cfg(test)]
mod said;
pub mod session;
pub mod sound;
mod speech;
pub mod stretch;
mod test_call;
pub mod transport;
mod unpack;
pub mod voice;
pub mod wanted;

pub use dispatch::{Media, Refused};
pub use sound::{OpenSound, Sound};
pub use test_call::{Carried, TestCall};

use std::sync::Arc;

use ahoy_call::{CallId, Epoch, LegId, MediaOrder, MediaReport, Opaque};

use self::device::Wish;
use crate::values::devices::{Adjust, Flow, Found};
use crate::values::line::{Line, MemberLine};
use crate::values::media::MediaSettings;
use crate::values::request::Lease;
use crate::values::rows::Stats;

/// What the engine asks of the media of one call.
#[derive(Debug)]
pub enum CallOrder {
    /// An order of the rules about a path.
    Path {
        /// The leg.
        leg: LegId,
        /// The path's generation.
        epoch: Epoch,
        /// What.
        order: MediaOrder,
    },
    /// Send this sealed frame over the leg's data channel; dropped if it is not open.
    Frame {
        /// The leg.
        leg: LegId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// From now on nobody but our TURN servers learns our address by paths of this call, or others may too. Goes before the
    /// paths that it is about.
    RelayOnly(bool),
    /// Play one of the others that loud.
    Volume {
        /// Their device.
        leg: LegId,
        /// 0 to 2; 1 is as loud as they come.
        volume: f32,
    },
    /// Play nothing of the others, or play them again.
    Deafen(bool),
    /// Write how loud it is, microphone and speaker, into this pipe until it is closed or the call ends.
    Levels(Lease),
    /// Report the numbers of the call with this ticket.
    Stats(u64),
    /// Nothing of the call may be open any more: paths, microphone, loudspeaker.
    End,
}

/// What the engine asks of the sound devices beside the calls.
#[derive(Debug)]
pub enum DeviceOrder {
    /// Change a sound device for every program.
    Adjust(Adjust),
    /// Let the person hear a device: a sound on a loudspeaker, themselves from a microphone.
    Test {
        /// Its direction.
        flow: Flow,
        /// Its id.
        id: String,
    },
    /// Write how loud a microphone is into this pipe until it is closed or a call begins.
    Gauge {
        /// Its id.
        id: String,
        /// The writing end.
        into: Lease,
    },
}

/// What the engine hears.
#[derive(Clone, Debug)]
pub enum Report {
    /// For the rules.
    Event {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The path's generation.
        epoch: Epoch,
        /// What.
        report: MediaReport,
    },
    /// The voice of one of the others comes by our stay in a room, or comes so no more.
    ByRoom {
        /// The call.
        call: CallId,
        /// Of the stay.
        epoch: Epoch,
        /// Their device.
        member: LegId,
        /// Whether it comes.
        comes: bool,
    },
    /// Nothing of the media of a call is left: what ran them broke.
    Gone {
        /// The call.
        call: CallId,
    },
    /// A sealed frame came by the leg's data channel.
    Frame {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// The leg's data channel opened or closed.
    Channel {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// Whether frames can go that way.
        open: bool,
    },
    /// The numbers of a call. Every question is answered, with nothing where nothing flows, but for those to a call that broke.
    Stats {
        /// Of the question.
        ticket: u64,
        /// The numbers.
        stats: Box<Stats>,
    },
    /// The line of a call is another than before. At most once a second but for what a person does.
    Line {
        /// The call.
        call: CallId,
        /// How it is.
        line: Line,
    },
    /// One of the others speaks, or does no more, or their line is another than before. Some times a second at most.
    Member {
        /// The call.
        call: CallId,
        /// Their device.
        leg: LegId,
        /// How they are heard.
        line: MemberLine,
    },
    /// About the test call.
    TestCall(TestReport),
    /// Sentences about what is missing (no sound server, no microphone); empty when all is well.
    Problems(Vec<String>),
    /// Sentences about what would serve sound better; nothing of it needs a person at once.
    Notes(Vec<String>),
    /// The sound devices that are there.
    Devices(Arc<Found>),
}

/// What the engine hears of a test call.
#[derive(Clone, Debug)]
pub enum TestReport {
    /// Let a relay carry this to ourselves, sealed.
    Carry(Opaque),
    /// It is over.
    Over,
}

impl MediaSettings {
    /// The devices that calls use.
    pub fn wish(&self) -> Wish {
        Wish { input: self.input.clone(), output: self.output.clone() }
    }
}
