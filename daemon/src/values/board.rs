//! What the bus shows, as one immutable value.
//!
//! Lives here: the snapshot that the engine hands over after each step, with every time already in the clocks of the bus.
//! Must not: know D-Bus, or how a value came about.

use std::sync::Arc;

use ahoy_call::{CallId, CallView, MemberId, MemberState, MemberView, PeerId, State};

use crate::values::devices::Device;
use crate::values::dnd::Dnd;
use crate::values::line::{Line, MemberLine};
use crate::values::link::Offer;
use crate::values::near::NearView;
use crate::values::pairing::PairingRow;
use crate::values::relays::ServingRow;

/// Everything that the bus shows at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// Properties of Manager.
    pub manager: ManagerRow,
    /// Living and lingering calls, oldest first.
    pub calls: Vec<Arc<CallRow>>,
    /// The call that Focus shows: the active one, else the oldest that rings here, else the one in dialing. Never an ended one.
    pub focus: Option<CallId>,
    /// A second call that rings beside it.
    pub waiting: Option<CallId>,
    /// Rises by one when the focused or the waiting call or its state changes.
    pub focus_serial: u64,
    /// The account of this user.
    pub account: AccountRow,
    /// The sound devices that are there, and the chosen ones that are not.
    pub devices: Vec<Arc<DeviceRow>>,
    /// How many contacts there are.
    pub contacts: u32,
    /// Who asks to be one. On the bus: how many.
    pub asking: Vec<PeerId>,
    /// History rows of outcome `missed` that nobody has seen.
    pub missed: u32,
    /// The newest history row; 0 for none.
    pub last_history: u64,
    /// The last link that was opened, about which a person is to be asked. Not on the bus: it may hold a code.
    pub offer: Option<Arc<Offer>>,
    /// Clients that show the ring themselves. Not on the bus: the desktop keeps its own pop-up back for them.
    pub agents: u32,
    /// Sentences that a person must read now, wherever they look. Not on the bus: all problems are there.
    pub alerts: Vec<String>,
}

/// What the bus is to show now. Levels, not edges: whoever comes late takes the newest and has missed nothing.
#[derive(Clone, Debug)]
pub struct Newest {
    /// The newest board.
    pub board: Arc<Board>,
    /// How many events were lost because the queue of the bus was full. When it rises everything is told again, so that
    /// a client that folds signals is right again.
    pub lost: u64,
}

/// Properties of Manager that are not in other rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ManagerRow {
    /// Every port has reported once.
    pub ready: bool,
    /// At least one inbox of ours is claimed.
    pub online: bool,
    /// `offline`, `connecting` or `online`.
    pub connection: &'static str,
    /// One sentence for each thing that is missing now.
    pub problems: Vec<String>,
    /// The switch for all calls.
    pub muted: bool,
    /// The others are silenced in all calls.
    pub deafened: bool,
    /// Where the configuration lies; never changes while the daemon runs.
    pub config_file: String,
    /// Do-not-disturb.
    pub dnd: Dnd,
    /// Somebody here can change the volume of devices.
    pub volumes: bool,
    /// The chosen microphone; empty for the system's default.
    pub input_device: String,
    /// The chosen loudspeaker; empty for the system's default.
    pub output_device: String,
    /// The chosen devices to ring on; empty for the system's default.
    pub ring_devices: Vec<String>,
    /// It rings without a sound.
    pub ringer_muted: bool,
    /// How loud it rings, 0 to 1.
    pub ring_volume: f64,
    /// Why Dial would be refused now; empty when it would not.
    pub cannot_dial: String,
    /// The last pairing.
    pub pairing: PairingRow,
    /// Local networks, and who is seen there.
    pub near: NearView,
}

/// One call, its times in microseconds: `…_at` since the Unix epoch (0: not yet), `…_boot` of CLOCK_BOOTTIME (0: never).
#[derive(Clone, Debug, PartialEq)]
pub struct CallRow {
    /// The rules' own view.
    pub view: CallView,
    /// The contact's name, else its address.
    pub name: String,
    /// The contact's picture and own ring tone; empty for the usual.
    pub icon: String,
    /// See there.
    pub ring_tone: String,
    /// The contact's address (z-base-32 of the account key).
    pub address: String,
    /// The contact's safety number was compared.
    pub verified: bool,
    /// Its history row; 0 until it is committed.
    pub history_id: u64,
    /// When it was made.
    pub created_at: i64,
    /// When it first rang.
    pub ringing_at: i64,
    /// When it was answered.
    pub answered_at: i64,
    /// When it ended.
    pub ended_at: i64,
    /// When it was answered, to count from.
    pub answered_boot: u64,
    /// When the present state ends by itself.
    pub deadline_boot: u64,
    /// One for each of the view's members, in their order.
    pub members: Vec<MemberRow>,
    /// How its line is, by the last word of media.
    pub line: Line,
}

/// What is shown of a member of a call beside the rules' own view.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberRow {
    /// The contact's name, else its address.
    pub name: String,
    /// How loud they are played, 0 to 2.
    pub volume: f64,
    /// A contact that is blocked: neither hears the other, whoever brought them in.
    pub blocked: bool,
    /// Since when they take part.
    pub joined_at: i64,
    /// Until when they did.
    pub left_at: i64,
    /// How they are heard, by the last word of media.
    pub line: MemberLine,
}

impl CallRow {
    /// How its line is, as far as sound can flow: at other times there is none.
    pub fn shown_line(&self) -> Line {
        match self.flows() {
            true => Line { speaking_muted: self.line.speaking_muted && self.view.muted, ..self.line },
            false => Line::default(),
        }
    }

    /// How one of its members is heard; the same, and only of who takes part is it known who speaks.
    pub fn shown_member_line(&self, view: &MemberView, row: &MemberRow) -> MemberLine {
        let joined = view.state == MemberState::Joined;
        match self.flows() {
            true => MemberLine { speaking: row.line.speaking && joined, ..row.line },
            false => MemberLine::default(),
        }
    }

    fn flows(&self) -> bool {
        match self.view.state {
            State::Active | State::Held | State::Reconnecting => true,
            State::Dialing
            | State::Alerting
            | State::Incoming
            | State::Waiting
            | State::Connecting
            | State::Disconnected => false,
        }
    }

    /// The others in the call, in the order of their coming.
    pub fn members(&self) -> impl Iterator<Item = (&MemberView, &MemberRow)> {
        self.view.members.iter().zip(&self.members)
    }

    /// One of them.
    pub fn member(&self, id: MemberId) -> Option<(&MemberView, &MemberRow)> {
        self.members().find(|(view, _)| view.id == id)
    }
}

#[cfg(any(test, feature = "sample"))]
impl CallRow {
    /// The row of such a call of a contact, for tests: without any times, and not in history yet.
    pub fn sample(view: CallView, name: &str) -> Self {
        Self {
            view,
            name: name.to_owned(),
            icon: String::new(),
            ring_tone: String::new(),
            address: format!("{}-address", name.to_lowercase()),
            verified: false,
            history_id: 0,
            created_at: 0,
            ringing_at: 0,
            answered_at: 0,
            ended_at: 0,
            answered_boot: 0,
            deadline_boot: 0,
            members: Vec::new(),
            line: Line::default(),
        }
    }
}

/// One sound device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceRow {
    /// As it is, or as it was seen last.
    pub device: Device,
    /// It is there.
    pub present: bool,
    /// The roles that it serves now: `input`, `output`, `ring`.
    pub roles: Vec<&'static str>,
}

/// The account of this user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountRow {
    /// 32 hex digits.
    pub id: String,
    /// z-base-32 of the account key.
    pub address: String,
    /// As others see it.
    pub display_name: String,
    /// We want to be reached.
    pub enabled: bool,
    /// Relays that are to hold an inbox of ours, by URL.
    pub relays: Vec<String>,
    /// The same, with whether it serves now, and where we have it from.
    pub serving: Vec<ServingRow>,
    /// `offline`, `connecting` or `online`.
    pub connection: &'static str,
    /// The last reason why a link failed; empty when all is well.
    pub connection_error: String,
    /// This account's devices: name, 32 hex digits of the device id, whether it is this one.
    pub devices: Vec<(String, String, bool)>,
}
