//! What is asked about calls.
//!
//! Lives here: whom a dial means, which call a verb is for, and the commands that they become.
//! Must not: decide what the rules decide.

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_call::group::PEOPLE;
use ahoy_call::{CallId, CallView, Callee, Command, GroupId, PeerId, State};

use super::{Act, Components, fresh_id, hex, no_contact};
use crate::media;
use crate::values::request::{Answer, CallRequest, Denied, DeniedKind, Guard, Lease, Verb, Which};

/// How long a group rings if nobody says.
const GROUP_RINGS: Duration = Duration::from_secs(90);

pub(super) fn on_request(request: CallRequest, with: &mut Components<'_>) -> Result<Act, Denied> {
    let command = match request {
        CallRequest::Dial { target, lifetime, note, hold_others } => {
            return dial(with, &target, lifetime, note, hold_others);
        }
        CallRequest::StartGroup { targets, lifetime, note, hold_others } => {
            return start_group(with, &targets, lifetime, note, hold_others);
        }
        CallRequest::GroupAgain { call, others, lifetime, note, hold_others } => {
            return group_again(with, call, &others, (lifetime, note, hold_others));
        }
        CallRequest::Invite { call, target, lifetime } => {
            let whom = called(with, &target)?;
            dialed(with)?;
            Command::Invite { call, whom, lifetime: lifetime.unwrap_or(GROUP_RINGS) }
        }
        CallRequest::Merge(call, other) => Command::Merge { call, other },
        CallRequest::RemoveMember(call, member) => Command::Remove { call, member },
        // Who hangs up while there is no call means the test.
        CallRequest::Verb { call: Which::Focus, verb: Verb::HangUp, .. }
            if with.test_call && with.focus.call.is_none() =>
        {
            return Ok(Act::EndTestCall);
        }
        CallRequest::Verb { call, verb, guard } => return on_verb(with, call, verb, guard),
        CallRequest::AnswerNext(others) => {
            let rings = |state| matches!(state, State::Incoming | State::Waiting);
            if !with.phone.views().iter().any(|view| rings(view.state)) {
                return Err(Denied::new(DeniedKind::InvalidState, "No call rings here."));
            }
            return on_verb(with, Which::FocusRinging, Verb::Answer(others), Guard::default());
        }
        CallRequest::HangUpAll => Command::HangUpAll,
        CallRequest::Swap => Command::Swap,
        CallRequest::SetAllMuted(muted) => Command::SetAllMuted { muted },
        CallRequest::SetDeafened(deafened) => return Ok(Act::Deafen(deafened)),
        CallRequest::OpenLevels(call, into) => {
            let sentence = "The levels of this call cannot be told now: try again.";
            let call = with.phone.on_wire(call);
            return Ok(Act::OfCall(call, media::CallOrder::Levels(into), sentence));
        }
        CallRequest::Stats(call) => return Ok(Act::Stats(with.phone.on_wire(call))),
        CallRequest::Test(client, lasts) => return test(with, client, lasts),
    };
    Ok(Act::Command(command, Answer::Done))
}

/// It needs microphone and loudspeaker for itself.
fn test(with: &Components<'_>, client: Lease, lasts: Duration) -> Result<Act, Denied> {
    let busy = |sentence| Err(Denied::new(DeniedKind::Busy, sentence));
    if with.phone.views().iter().any(|view| view.ended.is_none()) {
        return busy("There is a call: a test call is for when there is none.");
    }
    match with.test_call {
        true => busy("A test call runs already."),
        false => Ok(Act::TestCall(client, lasts)),
    }
}

fn dial(
    with: &mut Components<'_>,
    target: &str,
    lifetime: Option<Duration>,
    note: Option<String>,
    hold_others: bool,
) -> Result<Act, Denied> {
    if names_group(with, target) {
        return start_group(with, &[target.to_owned()], lifetime, note, hold_others);
    }
    let Callee { peer, devices } = called(with, target)?;
    let call = fresh_id()?;
    dialed(with)?;
    // To dial who rings here is to answer: the call that there is comes back.
    let shown = with.phone.ringing_from(peer).unwrap_or(call);
    let lifetime = lifetime.unwrap_or(with.in_force.config().call.lifetime);
    let both_tell = with.contacts.both_tell(peer);
    let command = Command::Dial { call, peer, devices, lifetime, note, hold_others, both_tell };
    Ok(Act::Command(command, Answer::Call(shown)))
}

/// Several at once. The same people, while a group of them rings or runs: that one is joined, and comes back.
fn start_group(
    with: &mut Components<'_>,
    targets: &[String],
    lifetime: Option<Duration>,
    note: Option<String>,
    hold_others: bool,
) -> Result<Act, Denied> {
    if !(1..PEOPLE).contains(&targets.len()) {
        return Err(Denied::new(DeniedKind::InvalidOption, "A group is 1 to 24 others."));
    }
    let group = targets.first().filter(|target| targets.len() == 1 && names_group(with, target));
    let (group, targets) = match group {
        Some(name) => {
            let group = with.groups.resolve(name)?;
            (group.id(), reachable(with, group.members().map(hex))?)
        }
        None => (None, targets.iter().map(|target| called(with, target)).collect::<Result<Vec<_>, _>>()?),
    };
    ring_group(with, group, targets, (lifetime, note, hold_others))
}

/// A group of the history: entered while it runs, also without us; else its people are called anew, as far as we can.
fn group_again(with: &mut Components<'_>, call: CallId, others: &[String], how: How) -> Result<Act, Denied> {
    let runs = |view: &CallView| view.id == call && (view.ended.is_none() || view.can.join);
    if with.phone.views().iter().any(runs) {
        return Ok(Act::Command(Command::Join { call }, Answer::Call(call)));
    }
    let targets = reachable(with, others.iter().cloned())?;
    ring_group(with, None, targets, how)
}

/// For how long it rings, with which words, and whether what there is is held.
type How = (Option<Duration>, Option<String>, bool);

fn ring_group(
    with: &mut Components<'_>,
    group: Option<GroupId>,
    targets: Vec<Callee>,
    (lifetime, note, hold_others): How,
) -> Result<Act, Denied> {
    let people: Vec<PeerId> = targets.iter().map(|target| target.peer).collect();
    if people.iter().collect::<BTreeSet<_>>().len() < people.len() {
        let sentence = "Somebody is named twice.";
        return Err(Denied::new(DeniedKind::InvalidOption, sentence));
    }
    dialed(with)?;
    let call = fresh_id()?;
    let shown = with.phone.group_of(group, &people).unwrap_or(call);
    let lifetime = lifetime.unwrap_or(GROUP_RINGS);
    let command = Command::StartGroup { call, group, targets, lifetime, note, hold_others };
    Ok(Act::Command(command, Answer::Call(shown)))
}

/// Whether a named group is meant, and no contact.
fn names_group(with: &Components<'_>, target: &str) -> bool {
    let unknown = with.contacts.resolve(target).is_err_and(|denied| denied.kind == DeniedKind::NoSuchContact);
    unknown && with.groups.resolve(target).is_ok()
}

/// Those of a group whom we can ring: contacts that are not blocked. The others are brought by who has their cards.
fn reachable(with: &Components<'_>, people: impl Iterator<Item = String>) -> Result<Vec<Callee>, Denied> {
    let mut why = None;
    let mut all = Vec::new();
    for target in people {
        match called(with, &target) {
            Ok(callee) => all.push(callee),
            Err(denied) => drop(why.get_or_insert(denied)),
        }
    }
    match why {
        Some(denied) if all.is_empty() => Err(denied),
        _ => Ok(all),
    }
}

/// One more call of ours: so many are made in a minute.
fn dialed(with: &mut Components<'_>) -> Result<(), Denied> {
    let sentence = "You have dialed twenty times in a minute: wait a moment.";
    if with.ring_policy.dial(with.now) { Ok(()) } else { Err(Denied::new(DeniedKind::RateLimited, sentence)) }
}

/// Whom a target means, with the devices that are rung.
fn called(with: &Components<'_>, target: &str) -> Result<Callee, Denied> {
    let peer = callee(with, target)?;
    let unix_s = with.unix_us.div_euclid(1_000_000);
    let devices = with.contacts.legs(peer, unix_s, with.networks.sees(peer));
    if devices.is_empty() && with.contacts.has_ended(peer, unix_s) {
        let sentence = "The certificates of the contact's devices have ended, by this machine's date: ask for a new card.";
        return Err(Denied::new(DeniedKind::NoDevice, sentence));
    }
    Ok(Callee { peer, devices })
}

/// Whom a dial means, if they can be called at all.
fn callee(with: &Components<'_>, target: &str) -> Result<PeerId, Denied> {
    let peer = with.contacts.resolve(target)?;
    let offline = |sentence| Err(Denied::new(DeniedKind::NotConnected, sentence));
    if !with.in_force.config().account.enabled {
        return offline("The account is switched off: ahoyctl config set account.enabled true");
    }
    if with.own.is_away() {
        let sentence = "The keys of this account cannot be read now: ahoyctl status says why.";
        return Err(Denied::new(DeniedKind::NotReady, sentence));
    }
    if with.own.relays().is_empty() && !with.networks.sees(peer) {
        return offline(if with.networks.is_home() {
            "No relay is configured, and the contact is not seen on this network: ahoyctl config set relay.urls wss://…"
        } else {
            "No relay is configured: ahoyctl config set relay.urls wss://…"
        });
    }
    match with.contacts.get(peer) {
        Some(row) if row.blocked => {
            let sentence = format!("{} is blocked: unblock the contact first.", row.name);
            Err(Denied::new(DeniedKind::InvalidState, sentence))
        }
        Some(_) => Ok(peer),
        None => Err(no_contact(target)),
    }
}

fn on_verb(with: &Components<'_>, which: Which, verb: Verb, guard: Guard) -> Result<Act, Denied> {
    let call = resolve(with, which, guard)?;
    let view = with.phone.views().into_iter().find(|view| view.id == call);
    let mut answer = Answer::Done;
    let command = match verb {
        Verb::Answer(others) => Command::Answer { call, others },
        Verb::Silence => Command::Silence { call },
        Verb::Hold => Command::Hold { call },
        Verb::Resume => Command::Resume { call },
        Verb::ToggleHold => {
            let held = view.is_some_and(|view| view.local_hold);
            answer = Answer::Flag(!held);
            if held { Command::Resume { call } } else { Command::Hold { call } }
        }
        Verb::Decline { reason, scope, text } => Command::Decline { call, reason, scope, text },
        Verb::HangUp => Command::HangUp { call, everyone: false },
        Verb::EndForAll => Command::HangUp { call, everyone: true },
        Verb::Join => Command::Join { call },
        Verb::SetMuted(muted) => Command::SetMuted { call, muted },
        Verb::SendTones(digits) => Command::SendTones { call, digits },
        Verb::ToggleMute => {
            let muted = !view.is_some_and(|view| view.muted);
            answer = Answer::Flag(muted);
            Command::SetMuted { call, muted }
        }
    };
    Ok(Act::Command(command, answer))
}

/// Which call a verb is for, if it still is what the person saw.
fn resolve(with: &Components<'_>, which: Which, guard: Guard) -> Result<CallId, Denied> {
    let focus = with.focus;
    let (call, serial) = match which {
        Which::Focus => (focus.call, Some(focus.serial)),
        Which::FocusRinging => (focus.waiting.or(focus.call), Some(focus.serial)),
        Which::Id(id) => {
            let views = with.phone.views();
            (Some(id), views.iter().find(|view| view.id == id).map(|view| view.serial))
        }
    };
    let stale = guard.call.is_some_and(|seen| Some(seen) != call)
        || guard.serial.is_some_and(|seen| Some(seen) != serial);
    if stale {
        let sentence = "The call has changed since you looked: look again, then ask again.";
        return Err(Denied::new(DeniedKind::Stale, sentence));
    }
    call.ok_or_else(|| Denied::new(DeniedKind::NoSuchCall, "There is no call."))
}
