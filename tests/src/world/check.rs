//! What must hold after every step, and what must hold once the world is quiet.
//!
//! Lives here: the invariants.
//! Must not: know how a phone decides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::{CallId, CallKind, CallView, Fact, MemberState, Moment, PeerId, PhaseKind, State};

use super::{Device, World, peer};

impl World {
    /// What must hold after every step.
    ///
    /// # Panics
    /// If something does not.
    pub fn check(&self) {
        self.check_guests();
        for person in &self.people {
            let (name, views) = (&person.name, person.phone.views());
            let ears = views.iter().filter(|view| is_conversation(view.state) && !view.local_hold).count();
            let dialed = views.iter().filter(|view| is_dialed(view.state)).count();
            assert!(ears + dialed <= 1, "{name}: one ear, not {ears} conversations and {dialed} dialed");
            let ringing = views.iter().filter(|view| view.state == State::Incoming).count();
            let living = views.iter().filter(|view| view.state != State::Disconnected).count();
            assert!(ringing <= 1, "{name}: of several that ring all but one wait");
            let only_rings = living > 0 && living == person.ringing_calls();
            assert_eq!(ringing == 1, only_rings, "{name}: what rings beside a call waits");
            for view in &views {
                check_view(name, view);
                assert_eq!(person.published.get(&view.id), Some(view), "{name}: the bus shows the truth");
            }
            assert_eq!(person.published.len(), views.len(), "{name}: nothing else is shown");
            person.check_sound(&views);
            let mut ended = BTreeSet::new();
            for record in &person.records {
                // A group that one enters again goes on in its row.
                if record.fact == Fact::Rejoined {
                    assert!(ended.remove(&record.view.id), "{name}: who comes again had gone");
                }
                if record.fact != Fact::Ended {
                    continue;
                }
                assert!(ended.insert(record.view.id), "{name}: a call ends once");
                assert!(record.view.outcome.is_some() && record.view.reason.is_some());
                assert!(record.view.deadline.is_none(), "{name}: nothing is due of what is filed");
            }
        }
    }

    /// What must hold once nobody is cut off and time has passed. `honest`: every message was one that the rules sent.
    ///
    /// # Panics
    /// If something does not.
    pub fn check_quiet(&self, honest: bool) {
        if honest {
            self.check_rooms();
        }
        for person in &self.people {
            let (name, views) = (&person.name, person.phone.views());
            for view in &views {
                let outside = view.kind == CallKind::Group && view.state == State::Disconnected;
                assert!(
                    outside || matches!(view.state, State::Active | State::Held),
                    "{name}: only a conversation lasts, and it is {:?}",
                    view.state
                );
                if honest && !outside {
                    self.check_agreement(person, view);
                    if view.kind == CallKind::Group && self.blocks == 0 {
                        check_all_heard(name, view);
                        self.check_same_group(person, view);
                    }
                }
            }
            let begun: BTreeSet<_> = person.records.iter().map(|record| record.view.id).collect();
            let ended: BTreeSet<_> = begun.iter().filter(|call| person.has_ended(**call)).copied().collect();
            let open = views.iter().filter(|view| view.state != State::Disconnected).count();
            assert_eq!(begun.len(), ended.len() + open, "{name}: every call has one row that ends");
            assert_eq!(person.phone.standing().len(), views.len(), "{name}: nothing is hidden for ever");
            let sessions = person.sessions.len();
            assert!(!views.is_empty() || sessions == 0, "{name}: {sessions} sessions without a call");
        }
    }

    /// Each of the others in a conversation is in it, too, and what they say of themselves is known here.
    fn check_agreement(&self, here: &Device, view: &CallView) {
        let (name, wire) = (&here.name, here.phone.on_wire(view.id));
        for member in view.members.iter().filter(|member| member.state == MemberState::Joined) {
            // Of several devices of theirs one is in it.
            let devices = self.people.iter().filter(|there| peer(there.owner) == member.peer);
            let there = devices.flat_map(|there| {
                let views = there.phone.views().into_iter();
                views.filter(|other| there.phone.on_wire(other.id) == wire).collect::<Vec<_>>()
            });
            let there = there.max_by_key(|view| is_conversation(view.state));
            let there = there.unwrap_or_else(|| panic!("{name}: the other end of {wire:?} is gone"));
            assert!(is_conversation(there.state), "{name}: the other end is {:?}", there.state);
            assert_eq!(member.held, there.local_hold, "{name}: hold is told");
            assert_eq!(member.muted, there.muted, "{name}: mute is told");
            assert_eq!(member.hears_only, there.hears_only, "{name}: a missing microphone is told");
        }
    }
}

/// Everybody who takes part is heard, whichever way.
fn check_all_heard(name: &str, view: &CallView) {
    let heard = |member: &&ahoy_call::MemberView| member.state != MemberState::Connecting;
    let all = view.members.iter().all(|member| heard(&member));
    assert!(all, "{name} does not hear all: {:?}", view.members);
}

impl World {
    /// All who are in a group see the same people in it, and the same of those who are not.
    fn check_same_group(&self, here: &Device, view: &CallView) {
        let wire = here.phone.on_wire(view.id);
        let ours = standings(view);
        for there in &self.people {
            let mut views = there.phone.views().into_iter();
            let theirs =
                views.find(|other| there.phone.on_wire(other.id) == wire && is_conversation(other.state));
            let Some(theirs) = theirs.filter(|_| there.owner != here.owner) else { continue };
            let both = |(who, _): &(&PeerId, &(Standing, Option<Moment>))| {
                **who != peer(here.owner) && **who != peer(there.owner)
            };
            let theirs = standings(&theirs);
            let (one, other) = (ours.iter().filter(both), theirs.iter().filter(both));
            let seen = |all: Vec<(&PeerId, &(Standing, Option<Moment>))>| {
                all.into_iter().map(|(who, (standing, _))| (*who, *standing)).collect::<Vec<_>>()
            };
            let (one, other): (Vec<_>, Vec<_>) = (one.collect(), other.collect());
            for ((who, (_, ours)), (_, (_, theirs))) in one.iter().zip(&other) {
                let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
                let apart = ours.since(*theirs).max(theirs.since(*ours));
                assert!(
                    apart < SAME_TIME,
                    "{} and {}: {who:?} joined {ours:?}, {theirs:?}",
                    here.name,
                    there.name
                );
            }
            assert_eq!(seen(one), seen(other), "{} and {} see the same of {wire:?}", here.name, there.name);
        }
    }
}

/// How far clocks of two that reckon the age of a call may be apart: a message's way, with its repeats.
const SAME_TIME: Duration = Duration::from_secs(60);

/// How far somebody has come, where all must agree: whether sound flows, or it rings, is a matter of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Called,
    In,
    No,
    Out,
}

fn standings(view: &CallView) -> BTreeMap<PeerId, (Standing, Option<Moment>)> {
    let standing = |state| match state {
        MemberState::Invited | MemberState::Ringing => Standing::Called,
        MemberState::Connecting | MemberState::Joined => Standing::In,
        MemberState::Declined => Standing::No,
        MemberState::Left => Standing::Out,
    };
    view.members.iter().map(|member| (member.peer, (standing(member.state), member.joined))).collect()
}

impl Device {
    /// Whether the row of this call is closed.
    fn has_ended(&self, call: CallId) -> bool {
        let of = self.records.iter().filter(|record| record.view.id == call);
        let last = of.rev().find(|record| matches!(record.fact, Fact::Ended | Fact::Rejoined));
        last.is_some_and(|record| record.fact == Fact::Ended)
    }

    fn ringing_calls(&self) -> usize {
        let rings = |phase| matches!(phase, PhaseKind::Ringing | PhaseKind::Waiting);
        self.phone.standing().iter().filter(|(_, phase)| rings(*phase)).count()
    }

    /// Sound flows exactly in the conversation that has the ear, while nobody holds it.
    fn check_sound(&self, views: &[CallView]) {
        let name = &self.name;
        let audible = self.media.audible();
        assert!(audible.len() <= 1, "{name}: {} voices at once", audible.len());
        let wants =
            views.iter().find(|view| is_conversation(view.state) && !view.local_hold && !view.remote_hold());
        for call in &audible {
            let of = wants.is_some_and(|view| self.phone.on_wire(view.id) == *call);
            assert!(of, "{name}: sound without a conversation");
        }
        let heard = |view: &&CallView| view.members.iter().any(|member| member.state == MemberState::Joined);
        if let Some(view) = wants.filter(|view| view.state == State::Active).filter(heard) {
            let wire = self.phone.on_wire(view.id);
            let open = self.media.paths.iter().any(|(key, path)| key.0 == wire && path.open);
            assert!(open, "{name}: a conversation has a microphone");
            assert_eq!(self.media.muted.contains(&wire), view.muted, "{name}: mute reaches the sound");
        }
        let conversation = views.iter().any(|view| is_conversation(view.state));
        assert!(conversation || !self.media.microphone_open(), "{name}: it listens without a call");
        let open: BTreeSet<_> = self.phone.open_paths().into_iter().collect();
        let prepared: BTreeSet<_> = self.media.paths.keys().copied().collect();
        assert_eq!(
            prepared, open,
            "{name}: every path that was prepared is closed, and the rules know which are not"
        );
        let living = self.phone.standing();
        for key in self.media.paths.keys() {
            assert!(living.iter().any(|(call, _)| *call == key.0), "{name}: a path without a call");
        }
    }
}

/// What one view says fits together.
fn check_view(name: &str, view: &CallView) {
    let over = view.state == State::Disconnected;
    let rings = matches!(view.state, State::Incoming | State::Waiting);
    assert_eq!(over, view.reason.is_some() && view.ended.is_some(), "{name}: only an ended call says why");
    assert_eq!((view.can.answer, view.can.decline), (rings, rings), "{name}: what rings can be answered");
    assert_eq!((view.can.hang_up, view.can.mute), (!over, !over), "{name}: what lives can be ended");
    assert!(!view.can.hold || is_conversation(view.state), "{name}: a conversation can be held");
    assert!(view.state != State::Held || view.local_hold, "{name}: held is what we hold");
    assert!(view.state != State::Active || !view.local_hold, "{name}: what we hold is held");
    let again = view.kind == CallKind::Group && rings;
    assert_eq!(
        is_conversation(view.state),
        view.answered.is_some() && !over && !again,
        "{name}: answered is answered"
    );
    check_members(name, view);
}

/// Who else is in a call, and what its state says of them.
fn check_members(name: &str, view: &CallView) {
    let members = &view.members;
    assert!(members.is_sorted_by_key(|member| member.id) && !members.is_empty(), "{name}: {members:?}");
    assert_eq!(members[0].peer, view.peer, "{name}: the first is whom it began with");
    assert!(view.kind == CallKind::Group || members.len() == 1, "{name}: a direct call is between two");
    let any = |state| members.iter().any(|member| member.state == state);
    let group = view.kind == CallKind::Group;
    // Nobody need be left in a group that one is in, and who is in one that one is not in is seen.
    let nobody = group && !any(MemberState::Connecting) && !any(MemberState::Joined);
    let furthest = match view.state {
        State::Active | State::Held if nobody => true,
        State::Disconnected if group => !any(MemberState::Connecting),
        State::Incoming | State::Waiting if group => any(MemberState::Connecting),
        State::Alerting if group => any(MemberState::Ringing) || any(MemberState::Invited),
        State::Dialing if group => !any(MemberState::Ringing),
        State::Dialing => any(MemberState::Invited) && !any(MemberState::Ringing),
        State::Alerting => any(MemberState::Ringing),
        State::Incoming | State::Waiting => members.iter().any(|member| member.starter),
        State::Connecting | State::Reconnecting => any(MemberState::Connecting) && !any(MemberState::Joined),
        State::Active | State::Held => any(MemberState::Joined),
        State::Disconnected => !any(MemberState::Connecting) && !any(MemberState::Joined),
    };
    assert!(furthest, "{name}: {:?} with {members:?}", view.state);
    for member in members {
        let takes_part = matches!(member.state, MemberState::Connecting | MemberState::Joined);
        let left = member.state == MemberState::Left;
        assert_eq!(member.joined.is_some(), takes_part || left, "{name}: {member:?}");
        assert_eq!(member.left.is_some(), left, "{name}: {member:?}");
    }
}

/// What must hold between two publications of one call. A guard (`expect-serial`) must notice that a verb would act on
/// another state than the person saw.
pub(super) fn check_step(before: &CallView, after: &CallView) {
    let seen = |view: &CallView| (view.state, view.local_hold);
    assert!(after.serial >= before.serial, "a serial never falls");
    let (old, new) = (seen(before), seen(after));
    assert!(old == new || after.serial > before.serial, "{old:?} became {new:?} under the same serial");
    assert_eq!((before.created, before.direction), (after.created, after.direction), "that never changes");
    let group = before.kind == CallKind::Group;
    assert!(group || before.ringing.is_none() || before.ringing == after.ringing, "it began to ring once");
    assert!(group || before.ended.is_none(), "an ended call is final");
}

fn is_conversation(state: State) -> bool {
    match state {
        State::Connecting | State::Active | State::Held | State::Reconnecting => true,
        State::Dialing | State::Alerting | State::Incoming | State::Waiting | State::Disconnected => false,
    }
}

fn is_dialed(state: State) -> bool {
    matches!(state, State::Dialing | State::Alerting)
}
