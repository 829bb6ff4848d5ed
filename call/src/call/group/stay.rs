//! Our stay in the room of a group: its path, the keys, who is heard by it.
//!
//! Lives here: going in and out, what the port of rooms reports; when a direct path gives way to it, or is begun instead of it.
//! Must not: decide who opens a room, or whose pass is taken (`room.rs`); say who is told what (`stay/told.rs`).

mod told;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Group, MESH};
use crate::call::flags::open_order;
use crate::call::live::Sound;
use crate::call::{Call, Flow, Out, Path, Phase};
use crate::effect::{Effect, MediaOrder, RoomOrder};
use crate::event::{MediaReport, RoomReport};
use crate::id::{Epoch, LegId};
use crate::message::Opaque;
use crate::time::Moment;

/// After so long in which the room carries both ways the direct path goes.
const OVERLAP: Duration = Duration::from_secs(2);
/// Who does not come into the room for so long is met by a direct path where there may be one.
const ROOM_FIRST: Duration = Duration::from_secs(5);
/// The path of a stay is up in this time, or never will be.
const COMES_UP: Duration = Duration::from_secs(10);
/// And mends itself in this time.
const MENDS: Duration = Duration::from_secs(10);
/// Keys are renewed so often at most, and more seldom by twice after each so many in a minute: somebody who comes and goes all the time
/// does not make everybody say keys all the time.
const RENEW_EVERY: Duration = Duration::from_secs(1);
const RENEWALS: usize = 8;
/// So many steps in a minute are made at once, more of them as seldom as keys are renewed.
const STEPS_AT_ONCE: usize = 16;
/// Keys of one other device reach the port so often at most.
const KEY_EVERY: Duration = Duration::from_millis(250);

/// One stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) epoch: Epoch,
    /// Whose pass let us in.
    pub(super) by: LegId,
    path: Path,
    /// Since when it is so.
    since: Moment,
    /// When it first came up.
    came_up: Option<Moment>,
    /// The microphone gives sound to it.
    open: bool,
    /// Something was sealed in it.
    seals: bool,
    /// Whom the port knows to take part.
    members: BTreeSet<LegId>,
    /// And to be called.
    guests: BTreeSet<LegId>,
    /// Which of their keys the port has, and since when.
    keys: BTreeMap<LegId, (u32, Moment)>,
    /// Ours.
    key: Option<(u32, Opaque)>,
    /// Who has it.
    told: BTreeSet<LegId>,
    renews: bool,
    /// When keys were renewed, lately.
    renewed: Vec<Moment>,
    /// A step is wanted: who came waits for it, and for the key.
    to_step: bool,
    /// When steps were made, lately.
    stepped: Vec<Moment>,
    /// Steps from the key that all were told.
    steps: u8,
}

/// When the next may come after these of the last minute, of which so many may come at once.
fn next_after(made: &[Moment], at_once: usize) -> Moment {
    let more = made.len().saturating_sub(at_once);
    let last = made.last().filter(|_| more > 0);
    last.map_or(Moment::default(), |last| *last + RENEW_EVERY * (1 << (more / RENEWALS).min(3)))
}

impl Stay {
    pub(super) fn is_up(&self) -> bool {
        self.path == Path::Up
    }

    pub(super) fn up_since(&self) -> Option<Moment> {
        self.is_up().then_some(self.since)
    }

    pub(super) fn is_building(&self) -> bool {
        self.path == Path::Building
    }

    /// Whether sound flows, or will in its time.
    pub(super) fn is_fit(&self) -> bool {
        self.path != Path::Lost
    }

    /// How long it was of use; none if it never was.
    pub(super) fn was_fit_for(&self, now: Moment) -> Option<Duration> {
        self.came_up.map(|at| now.since(at))
    }

    /// From when on the next key may be made.
    fn renews_at(&self) -> Moment {
        next_after(&self.renewed, 0)
    }

    /// From when on the next step may be made.
    fn steps_at(&self) -> Moment {
        next_after(&self.stepped, STEPS_AT_ONCE)
    }

    /// Whether this device is in the room and has not answered.
    pub(super) fn has_guest(&self, leg: LegId) -> bool {
        self.guests.contains(&leg)
    }

    /// When it is given up if nothing changes.
    fn breaks(&self) -> Option<Moment> {
        match self.path {
            Path::Building => Some(self.since + COMES_UP),
            Path::Lost => Some(self.since + MENDS),
            Path::Up | Path::None => None,
        }
    }
}

impl Group {
    /// Whether the sound of this device and ours go by the room.
    pub(super) fn carries(&self, leg: LegId) -> bool {
        self.room.seats.get(&leg).is_some_and(|seat| seat.both.is_some())
    }

    /// Whether nobody needs a place in the mesh for us.
    pub(super) fn is_in_room(&self) -> bool {
        self.room.stay.as_ref().is_some_and(|stay| stay.was_fit_for(Moment::default()).is_some())
    }

    /// Whether a direct path is begun to this device, if there is none.
    pub(super) fn goes_direct(&self, leg: LegId, now: Moment) -> bool {
        let seat = self.room.seats.get(&leg);
        let few = self.fold.joined().len() <= MESH;
        let waits =
            seat.is_some_and(|seat| seat.heard || (self.room.leads_in() && seat.since + ROOM_FIRST > now));
        few && !self.carries(leg) && !waits
    }

    /// Whether the direct path has no use any more.
    pub(super) fn gives_way(&self, leg: LegId, now: Moment) -> bool {
        let both = self.room.seats.get(&leg).and_then(|seat| seat.both);
        both.is_some_and(|since| since + OVERLAP <= now)
    }
}

impl Call {
    pub(super) fn stay_media(&self, out: &mut Out, epoch: Epoch, order: MediaOrder) {
        out.order(Effect::Media { call: self.wire, leg: self.own_leg(), epoch, order });
    }

    /// An order for the path of our stay, if there is one.
    pub(crate) fn tell_stay(&self, out: &mut Out, order: MediaOrder) {
        if let Some(stay) = self.stay() {
            self.stay_media(out, stay.epoch, order);
        }
    }

    fn stay(&self) -> Option<&Stay> {
        self.group.as_ref()?.room.stay.as_ref()
    }

    fn stay_mut(&mut self) -> Option<&mut Stay> {
        self.group.as_mut()?.room.stay.as_mut()
    }

    /// The path of our stay.
    pub(crate) fn stay_path(&self) -> Option<(LegId, Epoch)> {
        self.stay().map(|stay| (self.own_leg(), stay.epoch))
    }

    /// Whether this device is ourselves, in a room.
    pub(crate) fn stays_as(&self, leg: LegId) -> bool {
        self.stay().is_some() && self.own_leg() == leg
    }

    /// Whether sound to and from this device goes by the room.
    pub(crate) fn carries_by_room(&self, leg: LegId) -> bool {
        self.group.as_ref().is_some_and(|group| group.carries(leg))
    }

    /// The port of rooms reports.
    pub(crate) fn room_report(&mut self, out: &mut Out, report: RoomReport) -> Flow {
        self.group.as_ref()?;
        match report {
            RoomReport::Passes(passes) => self.passes(out, passes),
            RoomReport::NoRoom => {
                let asked = self.group.as_ref().is_some_and(|group| group.room.has_asked());
                if asked {
                    self.nothing_to_be_had(out);
                } else if self.stay().is_some_and(Stay::is_building) {
                    self.end_stay(out, true);
                }
            }
            RoomReport::Key { key, step } => self.key_is_another(key, step),
            RoomReport::Heard { leg, heard } => self.heard_by_room(out, leg, heard),
            RoomReport::Over => self.end_stay(out, true),
        }
        self.settle_group(out)
    }

    fn heard_by_room(&mut self, out: &Out, leg: LegId, heard: bool) {
        let Some(group) = &mut self.group else { return };
        if !group.room.stay.as_ref().is_some_and(|stay| stay.members.contains(&leg)) {
            return;
        }
        let carried = group.carries(leg);
        let Some(seat) = group.room.seats.get_mut(&leg).filter(|seat| seat.heard != heard) else { return };
        seat.hear(heard, out.now);
        if let Some(tie) = group.ties.get_mut(&leg).filter(|_| carried) {
            tie.heard = out.now;
        }
    }

    /// A report about the path of our stay.
    pub(crate) fn stay_media_report(&mut self, out: &mut Out, epoch: Epoch, report: &MediaReport) -> Flow {
        let stay = self.stay_mut()?;
        if stay.epoch != epoch {
            if *report == MediaReport::Up {
                self.stay_media(out, epoch, MediaOrder::Close);
            }
            return None;
        }
        match report {
            MediaReport::Up => {
                (stay.path, stay.since, stay.open) = (Path::Up, out.now, false);
                stay.came_up.get_or_insert(out.now);
                let room = &mut self.group.as_mut()?.room;
                (room.was_in, room.settled) = (true, true);
                if self.is_arriving() {
                    self.ring(out);
                }
            }
            MediaReport::Lost if stay.path == Path::Up => (stay.path, stay.since) = (Path::Lost, out.now),
            MediaReport::Stuck | MediaReport::Failed(_) => self.end_stay(out, false),
            MediaReport::Voice(heard) => self.voice(out, *heard),
            MediaReport::Lost | MediaReport::Described(_) | MediaReport::Candidates { .. } => {}
        }
        self.settle_group(out)
    }

    /// Goes in, if there is a way.
    pub(super) fn go_in(&mut self, out: &mut Out) {
        let Some((pass, by)) = self.take_entry() else { return };
        self.hush(out);
        let Some(group) = &mut self.group else { return };
        let Some(number) = group.room.stays.checked_add(1) else { return };
        group.room.stays = number;
        let epoch = Epoch(number);
        let stay = Stay {
            epoch,
            by,
            path: Path::Building,
            since: out.now,
            came_up: None,
            open: false,
            seals: false,
            members: BTreeSet::new(),
            guests: BTreeSet::new(),
            keys: BTreeMap::new(),
            key: None,
            told: BTreeSet::new(),
            renews: false,
            renewed: Vec::new(),
            to_step: false,
            stepped: Vec::new(),
            steps: 0,
        };
        let old = group.room.stay.replace(stay);
        self.room_order(out, RoomOrder::Enter { epoch, pass });
        if let Some(old) = old {
            self.stay_media(out, old.epoch, MediaOrder::Close);
        }
    }

    /// The room carries nobody any more.
    fn hush(&mut self, out: &Out) {
        let Some(group) = &mut self.group else { return };
        for (leg, seat) in &mut group.room.seats {
            if let Some(tie) = group.ties.get_mut(leg).filter(|_| seat.both.is_some()) {
                tie.heard = out.now;
            }
            if seat.heard {
                seat.hear(false, out.now);
            }
        }
    }

    /// What does not come up, or does not mend itself, is given up.
    pub(super) fn end_broken_stay(&mut self, out: &mut Out) {
        if self.stay().and_then(Stay::breaks).is_some_and(|at| at <= out.now) {
            self.end_stay(out, false);
        }
    }

    /// The stay is over. `gone`: the port knows.
    fn end_stay(&mut self, out: &mut Out, gone: bool) {
        self.hush(out);
        let Some(group) = &mut self.group else { return };
        let Some(stay) = group.room.stay.take() else { return };
        group.room.lost(out.now, &stay, gone);
        if !gone {
            self.room_order(out, RoomOrder::Leave { ends: false });
        }
        self.stay_media(out, stay.epoch, MediaOrder::Close);
    }

    /// The microphone gives sound to the room as soon as others take part: by its frames, and not by what the server says, they know that
    /// we can be heard there. From the answer on, as on any path, while the first word is waited for.
    pub(super) fn open_stay(&mut self, out: &mut Out) {
        let (muted, held) = (self.ours.is_muted(), self.held().is_some());
        let Phase::Live(live) = &self.phase else { return };
        let first = matches!(live.sound, Sound::Awaited { .. }) && self.connected.is_none();
        let wanted = first || !self.company().is_empty();
        let Some(stay) = self.stay_mut().filter(|stay| wanted && stay.is_up() && !stay.open) else { return };
        (stay.open, stay.seals) = (true, true);
        self.tell_stay(out, open_order(muted, held));
    }

    /// No sample is read from the microphone any more.
    pub(super) fn pause_stay(&mut self, out: &mut Out) {
        self.tell_stay(out, MediaOrder::Pause);
        if let Some(stay) = self.stay_mut() {
            stay.open = false;
        }
    }

    /// When something is due of our stay, or of what may take its place.
    pub(super) fn stay_dues(&self) -> Vec<Moment> {
        let Some(group) = &self.group else { return Vec::new() };
        let stay = group.room.stay.as_ref();
        let renews = stay.filter(|stay| stay.renews).map(Stay::renews_at);
        let steps = stay.filter(|stay| stay.to_step).map(Stay::steps_at);
        let seats = group.room.seats.values();
        let seats = seats.flat_map(|seat| {
            let direct = (!seat.heard).then_some(seat.since + ROOM_FIRST);
            [seat.both.map(|since| since + OVERLAP), direct]
        });
        let keys = self.keys_due().into_iter().map(|(.., due)| due);
        let all = seats.chain([renews, steps, stay.and_then(Stay::breaks)]).flatten();
        all.chain(keys).collect()
    }
}
