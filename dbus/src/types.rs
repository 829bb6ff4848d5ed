//! The vocabularies of the bus: strings with a closed set of known words.
//!
//! Lives here: one enum a vocabulary, its spelling, and `Other` for words of a later daemon.
//! Must not: judge a word, or refuse one.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A word that this version does not know; treat it as "something else".
            Other(String),
        }

        impl $name {
            /// Every known word.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word on the bus.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl FromStr for $name {
            type Err = Infallible;
            fn from_str(word: &str) -> Result<Self, Infallible> {
                Ok(Self::from(word))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// `State` of Call, and of Focus (which alone says `idle`).
    State {
        /// No call.
        Idle = "idle",
        /// We called; not known to ring there.
        Dialing = "dialing",
        /// It rings there.
        Alerting = "alerting",
        /// It rings here.
        Incoming = "incoming",
        /// A second call rings here.
        Waiting = "waiting",
        /// Answered; no sound yet.
        Connecting = "connecting",
        /// Sound flows.
        Active = "active",
        /// Held by us.
        Held = "held",
        /// The path broke and is being mended.
        Reconnecting = "reconnecting",
        /// Over; lingers ten seconds.
        Disconnected = "disconnected",
    }
}

words! {
    /// `StateReason` of Call and `reason` of history rows: why a call is over.
    Reason {
        /// Somebody hung up an answered call.
        Completed = "completed",
        /// The caller hung up before an answer.
        Canceled = "canceled",
        /// The callee said no.
        Declined = "declined",
        /// Everybody in a group said no.
        AllDeclined = "all-declined",
        /// The callee was in a call.
        Busy = "busy",
        /// It rang there and nobody answered.
        NoAnswer = "no-answer",
        /// It rang here and nobody answered.
        Missed = "missed",
        /// Another device of ours answered.
        AnsweredElsewhere = "answered-elsewhere",
        /// Another device of ours declined.
        DeclinedElsewhere = "declined-elsewhere",
        /// We have no relay.
        Unreachable = "unreachable",
        /// Their phone never rang: offline, blocked, unknown look alike.
        Unavailable = "unavailable",
        /// Another call took its place.
        Superseded = "superseded",
        /// Everybody else left the group.
        LastLeft = "last-left",
        /// No place in the room.
        RoomFull = "room-full",
        /// The room was closed.
        RoomEnded = "room-ended",
        /// The host put us out.
        Removed = "removed",
        /// The host ended it.
        EndedByHost = "ended-by-host",
        /// Encrypted sound could not be set up, or sound failed here.
        MediaFailed = "media-failed",
        /// The descriptions did not fit.
        NegotiationFailed = "negotiation-failed",
        /// No path could be set up in time.
        IceFailed = "ice-failed",
        /// Only a TURN server may carry the sound, and none is known or serves us.
        NoTurn = "no-turn",
        /// The path broke and did not come back within the window.
        ConnectionLost = "connection-lost",
        /// Signaling could carry nothing more.
        SignalingFailed = "signaling-failed",
        /// The other's identity did not hold.
        SecurityFailed = "security-failed",
        /// The daemon stopped.
        Shutdown = "shutdown",
        /// The daemon was killed in the call.
        Interrupted = "interrupted",
        /// A fault of ours.
        Internal = "internal",
    }
}

words! {
    /// `EndedBy`: on whose side the reason arose.
    EndedBy {
        /// Ours.
        Local = "local",
        /// Theirs.
        Remote = "remote",
        /// Between us.
        Network = "network",
        /// A rule: a lifetime, busy.
        Policy = "policy",
    }
}

words! {
    /// Who began the call.
    Direction {
        /// They called.
        Incoming = "incoming",
        /// We called.
        Outgoing = "outgoing",
    }
}

words! {
    /// `Kind` of a call.
    Kind {
        /// Two people.
        Direct = "direct",
        /// More.
        Group = "group",
    }
}

words! {
    /// `ConnectionState` of Manager and Account.
    ConnectionState {
        /// No relay holds an inbox of ours.
        Offline = "offline",
        /// A link is being made.
        Connecting = "connecting",
        /// We can be called.
        Online = "online",
    }
}

words! {
    /// `outcome` of history rows. A row of a running call has an empty one.
    Outcome {
        /// It was answered.
        Answered = "answered",
        /// They called and we did not answer.
        Missed = "missed",
        /// The callee said no.
        Declined = "declined",
        /// They were busy.
        Busy = "busy",
        /// It rang there in vain.
        NoAnswer = "no-answer",
        /// It never rang there.
        Unavailable = "unavailable",
        /// The caller hung up before an answer.
        Canceled = "canceled",
        /// Something broke before an answer.
        Failed = "failed",
        /// Another device of ours took or declined it.
        Elsewhere = "elsewhere",
        /// The daemon was killed before an answer.
        Interrupted = "interrupted",
    }
}

words! {
    /// The first argument of `Decline`.
    DeclineReason {
        /// No.
        Declined = "declined",
        /// In a call.
        Busy = "busy",
        /// Not now; arrives as `declined` with the text.
        Later = "later",
    }
}

words! {
    /// Option `scope` of `Decline`.
    Scope {
        /// Our other devices ring on.
        ThisDevice = "this-device",
        /// All of our devices stop ringing.
        Everywhere = "everywhere",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_word_survives_the_way_there_and_back() {
        for word in State::WORDS {
            let state = State::from(*word);
            assert!(!matches!(state, State::Other(_)), "{word}");
            assert_eq!(state.as_str(), *word);
        }
        for word in Reason::WORDS {
            let reason = Reason::from(*word);
            assert!(!matches!(reason, Reason::Other(_)), "{word}");
            assert_eq!(reason.as_str(), *word);
        }
    }

    #[test]
    fn a_word_of_a_later_daemon_is_kept_as_other() {
        assert_eq!(State::from("translating"), State::Other("translating".into()));
        assert_eq!(State::from("translating").to_string(), "translating");
    }

    #[test]
    fn the_contract_names_every_reason_that_a_call_of_two_can_have() {
        let (_, call) = crate::XML[2];
        for word in Reason::WORDS {
            let of_groups =
                ["last-left", "room-full", "room-ended", "removed", "ended-by-host"].contains(word);
            assert!(of_groups || call.contains(word), "{word} is missing in the XML of Call");
        }
    }
}
