//! One remote device of a call, and its media path.
//!
//! Lives here: a path's generations (epochs), the set of those that are open, which one stands, when the next one begins.
//! Must not: know the call's phase; end the call.

mod offers;
mod quiet;
mod said;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use crate::call::{Out, Words};
use crate::effect::{Effect, MediaOrder, Role, SignalOrder};
use crate::id::{CallId, Epoch, LegId};
use crate::message::{Description, Message, Opaque};
use crate::time::Moment;
use quiet::Kept;

pub(crate) use said::Said;

/// How long the old path lives on beside a new one that is up, so that what is under way is still played.
const OVERLAP: Duration = Duration::from_secs(2);
/// Waits between repairs that did not help.
const WAITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// A path between two of a group is up in this time, or is begun anew.
const COMES_UP: Duration = Duration::from_secs(5);
/// At most so many repairs begin in any minute, and so many more because our network changed: a network that flaps must
/// not use up what a real break needs.
const REPAIRS_A_MINUTE: usize = 6;
const MOVES_A_MINUTE: usize = 2;
/// At most so many offers of theirs are answered in any minute: as many as we make. Each costs sockets and a handshake.
const THEIRS_A_MINUTE: usize = REPAIRS_A_MINUTE + MOVES_A_MINUTE;
const A_MINUTE: Duration = Duration::from_secs(60);
/// Candidates that came before their description: the oldest go first.
const EARLY: usize = 64;
/// An encrypted transport that does not come up is built anew so often before the call is given up.
const REBUILDS: u8 = 2;
/// Candidates in one message (`Message::Candidates`).
const A_MESSAGE: usize = 32;

/// How far the remote device has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Our ring is under way to it.
    Invited,
    /// A session stands.
    Ready,
    /// It rings.
    Ringing,
    /// It is the one we talk to.
    Chosen,
}

/// The media path as the rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// None was begun.
    None,
    /// One is being set up.
    Building,
    /// Sound can flow.
    Up,
    /// It broke.
    Lost,
}

/// One remote device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    call: CallId,
    own: LegId,
    pub(crate) id: LegId,
    pub(crate) stage: Stage,
    pub(crate) path: Path,
    pub(crate) said: Said,
    /// What was said of the room.
    pub(crate) room: Words,
    /// Every epoch that was prepared and not closed. What has no part any more is closed at once, see `sweep`.
    open: BTreeSet<Epoch>,
    /// The newest epoch, building or up.
    current: Option<Epoch>,
    /// The newest that there was when all were taken down: numbers are not used again.
    past: Option<Epoch>,
    /// We made the offer of the current epoch.
    offerer: bool,
    /// The newest epoch that was up and is not lost.
    standing: Option<Epoch>,
    /// An epoch that has been replaced, and when it goes.
    closing: Option<(Epoch, Moment)>,
    /// An offer that may not be answered yet.
    waiting: Option<(Epoch, Description)>,
    /// It rings here, and nothing of ours may leave.
    quiet: bool,
    /// What is kept back while nothing, or not all, of ours may leave.
    kept: Option<Kept>,
    /// When it may be answered, if only too many before it keep it waiting.
    turn: Option<Moment>,
    early: Vec<(Epoch, Opaque)>,
    early_complete: Option<Epoch>,
    stuck: u8,
    attempts: usize,
    retry: Option<Moment>,
    begun: Vec<Moment>,
    moved: Vec<Moment>,
    answered: Vec<Moment>,
}

impl Leg {
    pub(crate) fn new(call: CallId, own: LegId, id: LegId, stage: Stage) -> Self {
        Self {
            call,
            own,
            id,
            stage,
            path: Path::None,
            said: Said::default(),
            room: Words::default(),
            open: BTreeSet::new(),
            current: None,
            past: None,
            offerer: false,
            standing: None,
            closing: None,
            waiting: None,
            quiet: false,
            kept: None,
            turn: None,
            early: Vec::new(),
            early_complete: None,
            stuck: 0,
            attempts: 0,
            retry: None,
            begun: Vec::new(),
            moved: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// Whether it rings there.
    pub(crate) fn rings(&self) -> bool {
        self.stage == Stage::Ringing
    }

    /// Whether a person there may have heard nothing of the call.
    pub(crate) fn is_not_known_to_have_rung(&self) -> bool {
        match self.stage {
            Stage::Invited | Stage::Ready => true,
            Stage::Ringing | Stage::Chosen => false,
        }
    }

    pub(crate) fn send(&self, out: &mut Out, message: Message) {
        out.order(Effect::Signal { call: self.call, leg: self.id, order: SignalOrder::Send(message) });
    }

    pub(crate) fn signal(&self, out: &mut Out, order: SignalOrder) {
        out.order(Effect::Signal { call: self.call, leg: self.id, order });
    }

    fn media(&self, out: &mut Out, epoch: Epoch, order: MediaOrder) {
        out.order(Effect::Media { call: self.call, leg: self.id, epoch, order });
    }

    /// An order for the newest path, if there is one.
    pub(crate) fn tell_media(&self, out: &mut Out, order: MediaOrder) {
        if let Some(epoch) = self.current {
            self.media(out, epoch, order);
        }
    }

    /// Whether sound can flow on some path.
    pub(crate) fn carries(&self) -> bool {
        self.standing.is_some()
    }

    /// Whether it has a path, in whatever state.
    pub(crate) fn has_path(&self) -> bool {
        self.current.is_some() || !self.open.is_empty() || self.waiting.is_some()
    }

    pub(crate) fn is_current(&self, epoch: Epoch) -> bool {
        self.current == Some(epoch)
    }

    pub(crate) fn is_standing(&self, epoch: Epoch) -> bool {
        self.standing == Some(epoch)
    }

    /// Every generation that was prepared and not closed.
    pub(crate) fn open_paths(&self) -> impl Iterator<Item = Epoch> {
        self.open.iter().copied()
    }

    /// A generation is up that is none of ours any more: it may not stay so.
    pub(crate) fn close_unknown(&self, out: &mut Out, epoch: Epoch) {
        if !self.open.contains(&epoch) {
            self.media(out, epoch, MediaOrder::Close);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        let closing = self.closing.map(|(_, at)| at);
        [self.retry, closing, self.turn, self.said.hold_due()].into_iter().flatten().min()
    }

    /// Begins the first path with our offer. Does nothing when there is one.
    pub(crate) fn begin(&mut self, out: &mut Out) {
        let first = match self.past {
            None => Some(Epoch::first(self.own, self.id)),
            Some(past) => past.next(self.own, self.id),
        };
        if let Some(first) = first.filter(|_| self.current.is_none()) {
            self.offer(out, first);
        }
    }

    /// What does not come up is begun anew: their end may have gone, or come when they had no part in the call.
    pub(crate) fn insist(&mut self, out: &Out) {
        if self.path == Path::Building {
            self.retry.get_or_insert(out.now + COMES_UP);
        }
    }

    /// Begins the next generation with our offer, unless too many began in the last minute; then later.
    pub(crate) fn repair(&mut self, out: &mut Out) {
        let now = out.now;
        if self.current.is_none() {
            return;
        }
        let wait = WAITS[self.attempts.min(WAITS.len() - 1)];
        self.retry = Some(now + self.jittered(wait));
        self.attempts += 1;
        if within_a_minute(&mut self.begun, now) < REPAIRS_A_MINUTE && self.begin_next(out) {
            self.begun.push(now);
        }
    }

    /// Our network changed. A path that carries sound is looked at, and mended when nothing comes any more; one that does
    /// not is begun anew at once, for what it was begun with may be gone.
    pub(crate) fn moved(&mut self, out: &mut Out, talks: bool) {
        if let Some(standing) = self.standing.filter(|_| talks) {
            self.media(out, standing, MediaOrder::Probe);
        } else if within_a_minute(&mut self.moved, out.now) < MOVES_A_MINUTE && self.begin_next(out) {
            self.moved.push(out.now);
            let retry = out.now + self.jittered(WAITS[0]);
            self.retry = Some(retry);
        }
    }

    fn begin_next(&mut self, out: &mut Out) -> bool {
        let Some(next) = self.current.and_then(|current| current.next(self.own, self.id)) else {
            self.retry = None;
            return false;
        };
        self.make_room(out.now, next);
        self.offer(out, next);
        self.sweep(out);
        true
    }

    /// The current generation is up. The one it replaces goes after the overlap.
    pub(crate) fn up(&mut self, out: &mut Out, epoch: Epoch) {
        if !self.is_current(epoch) || self.path == Path::Up {
            return;
        }
        self.path = Path::Up;
        self.attempts = 0;
        self.retry = None;
        self.stuck = 0;
        if let Some(old) = self.standing.replace(epoch).filter(|old| *old != epoch) {
            self.close_later(out, old);
        } else if let Some((old, _)) = self.closing {
            self.close_later(out, old);
        }
    }

    /// A generation broke. `true` when sound can flow on none.
    pub(crate) fn lost(&mut self, out: &mut Out, epoch: Epoch) -> bool {
        if self.is_standing(epoch) {
            self.standing = None;
            if !self.is_current(epoch) {
                // Its successor is being built; it may come back by itself until then.
                self.close_later(out, epoch);
                self.try_later(out);
            }
        }
        if self.is_current(epoch) {
            self.path = Path::Lost;
        }
        self.standing.is_none()
    }

    /// The next generation begins after a while, unless that is settled already.
    pub(crate) fn try_later(&mut self, out: &Out) {
        let retry = out.now + self.jittered(WAITS[self.attempts.min(WAITS.len() - 1)]);
        self.retry.get_or_insert(retry);
    }

    /// An encrypted transport did not come up. `false` when it was rebuilt often enough.
    pub(crate) fn stuck(&mut self, out: &mut Out, epoch: Epoch) -> bool {
        if !self.is_current(epoch) || self.path == Path::Up {
            return true;
        }
        self.stuck += 1;
        if self.stuck > REBUILDS {
            return false;
        }
        self.repair(out);
        true
    }

    /// What is due now.
    pub(crate) fn tick(&mut self, out: &mut Out) {
        if let Some((epoch, at)) = self.closing
            && at <= out.now
        {
            debug_assert!(self.open.contains(&epoch), "what is to be closed is open");
            self.closing = None;
            self.sweep(out);
        }
        if self.turn.is_some_and(|at| at <= out.now) {
            self.turn = None;
            self.admit(out);
        }
        if self.retry.is_some_and(|at| at <= out.now) {
            self.retry = None;
            self.repair(out);
        }
    }

    /// Takes every generation down.
    pub(crate) fn close(&mut self, out: &mut Out) {
        self.past = self.past.max(self.current);
        (self.current, self.standing, self.closing) = (None, None, None);
        self.sweep(out);
        self.path = Path::None;
        (self.retry, self.turn, self.waiting) = (None, None, None);
        (self.quiet, self.kept) = (false, None);
    }

    fn offer(&mut self, out: &mut Out, epoch: Epoch) {
        self.current = Some(epoch);
        self.kept = self.kept.take().map(|_| Kept::default());
        self.offerer = true;
        self.path = Path::Building;
        self.prepare(out, epoch, Role::Offerer);
    }

    fn prepare(&mut self, out: &mut Out, epoch: Epoch, role: Role) {
        self.open.insert(epoch);
        self.media(out, epoch, MediaOrder::Prepare(role));
    }

    /// Makes room for `next`: a generation that did carry sound stays until `next` is up. One that never did has no part
    /// any more and goes once `next` was begun, so that the sound devices stay open.
    fn make_room(&mut self, now: Moment, next: Epoch) {
        let Some(current) = self.current.filter(|current| *current != next) else { return };
        let stays = self.is_standing(current) || self.closing.is_some_and(|(epoch, _)| epoch == current);
        if !stays && self.path == Path::Lost && self.closing.is_none() {
            // It carried sound until a moment ago and may come back before its successor is up.
            self.closing = Some((current, now + OVERLAP));
        }
    }

    /// `epoch` goes after the overlap; one that waited for its end before goes now.
    fn close_later(&mut self, out: &mut Out, epoch: Epoch) {
        self.closing = Some((epoch, out.now + OVERLAP));
        self.sweep(out);
    }

    /// Takes down what is neither the newest one, nor stands, nor waits for its end: nothing can be open and forgotten.
    fn sweep(&mut self, out: &mut Out) {
        let parts = [self.current, self.standing, self.closing.map(|(epoch, _)| epoch)];
        let gone: Vec<Epoch> = self.open.extract_if(.., |epoch| !parts.contains(&Some(*epoch))).collect();
        for epoch in gone {
            self.media(out, epoch, MediaOrder::Close);
        }
    }

    /// `wait` ± 20 %, from what both sides see differently: the call, the device, the generation.
    fn jittered(&self, wait: Duration) -> Duration {
        let seed = self.call.bytes()[0]
            ^ self.own.bytes()[1]
            ^ self.current.map_or(0, |epoch| epoch.0.to_le_bytes()[0].wrapping_mul(59));
        wait * (80 + u32::from(seed) % 41) / 100
    }
}

/// How many of these lie in the last minute; the others are forgotten.
pub(crate) fn within_a_minute(moments: &mut Vec<Moment>, now: Moment) -> usize {
    moments.retain(|at| now.since(*at) < A_MINUTE);
    moments.len()
}
