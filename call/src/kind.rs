//! What kind of input met what kind of phase: the rows and columns of the rules' table.
//!
//! Lives here: `Input` and `PhaseKind`, complete by construction.
//! Must not: decide anything; carry what an input says.

use crate::command::Command;
use crate::event::{Event, MediaReport, RoomReport};
use crate::message::Message;

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $kind:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$of])* $kind),+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];
        }
    };
}

kinds! {
    /// Where a call stands, finer than what outsiders see.
    PhaseKind {
        /// There is no such call.
        Nothing,
        /// We called; no device is known to ring.
        Dialing,
        /// We called; it rings somewhere.
        Alerting,
        /// They called; the proof that they live now has not come.
        Knocking,
        /// They called while we call them, and our call comes first.
        Parked,
        /// They called; the path is set up before it rings.
        Arriving,
        /// It rings here.
        Ringing,
        /// It rings here beside another call.
        Waiting,
        /// Answered; no sound yet.
        Connecting,
        /// Sound flows.
        Talking,
        /// We put it aside.
        Held,
        /// The path broke and is being mended.
        Reconnecting,
        /// A group call that runs without us.
        Outside,
        /// Over, and remembered.
        Ended,
    }
}

kinds! {
    /// A command or an event, without what it says.
    Input {
        /// [`Command::Dial`]
        Dial,
        /// [`Command::StartGroup`]
        StartGroup,
        /// [`Command::Invite`]
        Invite,
        /// [`Command::Merge`]
        Merge,
        /// [`Command::Join`]
        Join,
        /// [`Command::Remove`]
        Remove,
        /// [`Command::Answer`]
        Answer,
        /// [`Command::Decline`]
        Decline,
        /// [`Command::Silence`]
        Silence,
        /// [`Command::Hold`]
        Hold,
        /// [`Command::Resume`]
        Resume,
        /// [`Command::Swap`]
        Swap,
        /// [`Command::Block`]
        Block,
        /// [`Command::Unblock`]
        Unblock,
        /// [`Command::HangUp`]
        HangUp,
        /// [`Command::HangUpAll`]
        HangUpAll,
        /// [`Command::SetMuted`]
        SetMuted,
        /// [`Command::SendTones`]
        SendTones,
        /// [`Command::SetAllMuted`]
        SetAllMuted,
        /// [`Event::Tick`]
        Tick,
        /// [`Event::Rung`]
        Rung,
        /// [`Event::Met`]
        Met,
        /// [`Event::MissedNote`]
        MissedNote,
        /// [`Message::Ready`]
        Ready,
        /// [`Message::Offer`]
        Offer,
        /// [`Message::Invite`]
        Invited,
        /// [`Message::Log`]
        Log,
        /// [`Message::Description`]
        Description,
        /// [`Message::Candidates`]
        Candidates,
        /// [`Message::Ringing`]
        Rings,
        /// [`Message::Accept`]
        Accept,
        /// [`Message::Decline`]
        Declined,
        /// [`Message::Cancel`]
        Cancel,
        /// [`Message::End`]
        End,
        /// [`Message::Room`]
        RoomWord,
        /// [`Message::State`]
        State,
        /// [`Event::Carried`]
        Carried,
        /// [`Event::Undeliverable`]
        Undeliverable,
        /// [`Event::Bye`]
        Bye,
        /// [`MediaReport::Described`]
        Described,
        /// [`MediaReport::Candidates`]
        Gathered,
        /// [`MediaReport::Up`]
        Up,
        /// [`MediaReport::Lost`]
        Lost,
        /// [`MediaReport::Stuck`]
        Stuck,
        /// [`MediaReport::Failed`]
        Failed,
        /// [`MediaReport::Voice`]
        Voice,
        /// [`RoomReport::Passes`]
        Passes,
        /// [`RoomReport::NoRoom`]
        NoRoom,
        /// [`RoomReport::Key`]
        RoomKey,
        /// [`RoomReport::Heard`]
        HeardByRoom,
        /// [`RoomReport::Over`]
        RoomOver,
        /// [`Event::Rooms`]
        Rooms,
        /// [`Event::MediaGone`]
        MediaGone,
        /// [`Event::NetworkChanged`]
        NetworkChanged,
        /// [`Event::Stopping`]
        Stopping,
    }
}

impl From<&Command> for Input {
    fn from(command: &Command) -> Self {
        match command {
            Command::Dial { .. } => Self::Dial,
            Command::StartGroup { .. } => Self::StartGroup,
            Command::Invite { .. } => Self::Invite,
            Command::Merge { .. } => Self::Merge,
            Command::Join { .. } => Self::Join,
            Command::Remove { .. } => Self::Remove,
            Command::Answer { .. } => Self::Answer,
            Command::Decline { .. } => Self::Decline,
            Command::Silence { .. } => Self::Silence,
            Command::Hold { .. } => Self::Hold,
            Command::Resume { .. } => Self::Resume,
            Command::Swap => Self::Swap,
            Command::Block { .. } => Self::Block,
            Command::Unblock { .. } => Self::Unblock,
            Command::HangUp { .. } => Self::HangUp,
            Command::HangUpAll => Self::HangUpAll,
            Command::SetMuted { .. } => Self::SetMuted,
            Command::SendTones { .. } => Self::SendTones,
            Command::SetAllMuted { .. } => Self::SetAllMuted,
        }
    }
}

impl From<&Event> for Input {
    fn from(event: &Event) -> Self {
        match event {
            Event::Tick => Self::Tick,
            Event::Rung { .. } => Self::Rung,
            Event::Met { .. } => Self::Met,
            Event::MissedNote { .. } => Self::MissedNote,
            Event::Received { message, .. } => match message {
                Message::Ready { .. } => Self::Ready,
                Message::Offer { .. } => Self::Offer,
                Message::Invite { .. } => Self::Invited,
                Message::Log(_) => Self::Log,
                Message::Description { .. } => Self::Description,
                Message::Candidates { .. } => Self::Candidates,
                Message::Ringing => Self::Rings,
                Message::Accept => Self::Accept,
                Message::Decline { .. } => Self::Declined,
                Message::Cancel { .. } => Self::Cancel,
                Message::End { .. } => Self::End,
                Message::Room(_) => Self::RoomWord,
                Message::State { .. } => Self::State,
            },
            Event::Carried { .. } => Self::Carried,
            Event::Undeliverable { .. } => Self::Undeliverable,
            Event::Bye { .. } => Self::Bye,
            Event::Media { report, .. } => match report {
                MediaReport::Described(_) => Self::Described,
                MediaReport::Candidates { .. } => Self::Gathered,
                MediaReport::Up => Self::Up,
                MediaReport::Lost => Self::Lost,
                MediaReport::Stuck => Self::Stuck,
                MediaReport::Failed(_) => Self::Failed,
                MediaReport::Voice(_) => Self::Voice,
            },
            Event::Room { report, .. } => match report {
                RoomReport::Passes(_) => Self::Passes,
                RoomReport::NoRoom => Self::NoRoom,
                RoomReport::Key { .. } => Self::RoomKey,
                RoomReport::Heard { .. } => Self::HeardByRoom,
                RoomReport::Over => Self::RoomOver,
            },
            Event::Rooms(_) => Self::Rooms,
            Event::MediaGone { .. } => Self::MediaGone,
            Event::NetworkChanged => Self::NetworkChanged,
            Event::Stopping => Self::Stopping,
        }
    }
}
