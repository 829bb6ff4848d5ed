//! What does every input do in every phase?
//!
//! Lives here: the whole table of the rules, one row an input, one column a phase, compared with what the rules do.
//! Must not: leave a phase or an input out: a new one fails here until it is listed.

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_call::group::{Age, Entry, Head, Invited, News, Presence, Start, Statement};
use ahoy_call::{
    CallId, CallView, Callee, CancelReason, Command, DeclineReason, Description, Effect, Effects, EndReason,
    Epoch, Event, Input, LegId, MediaFault, MediaReport, MemberId, MemberView, Message, Moment, Opaque,
    Others, PhaseKind, Phone, Refusal, RingPolicy, RoomReport, RoomWord, Scope, SdpKind,
};
use ahoy_tests::network::Chance;
use ahoy_tests::op::{List, way_to};
use ahoy_tests::world::{World, device, digits, peer};

/// What each cell says: `.` nothing happens (a command: success, it was so already) · `+` something happens, the phase stays ·
/// `no-call state handled busy` the refusal, nothing has changed · `gone` it vanishes without a trace of its own, being a part of
/// another call · else the phase that follows.
///
/// Before the phases stands what an input ever changes. Of the member that it is about: `state`, what they have `said`, a
/// `path` to one of their devices. Of the call as a whole: its `state`, our `own` side of it.
const TABLE: &str = "
                  | member     | call      | Nothing      Dialing      Alerting     Knocking     Parked       Arriving     Ringing      Waiting      Connecting   Talking      Held         Reconnecting Outside      Ended
dial them         | path state | state     | Dialing      busy         busy         +            busy         Connecting   Talking      Talking      busy         busy         busy         busy         +            +
dial another      | path       | own state | Dialing      busy         busy         +            busy         +            Waiting      +            +            Held         +            +            +            +
dial, hold nothing|            |           | Dialing      busy         busy         +            busy         busy         busy         busy         busy         busy         busy         busy         +            +
dial, both tell   | path       | own state | Dialing      busy         busy         +            busy         +            Waiting      +            +            Held         +            +            +            +
start with them   | path       | own state | Dialing      busy         busy         +            busy         +            Waiting      +            +            Held         +            +            +            +
start with others | path       | own state | Dialing      busy         busy         +            busy         +            Waiting      +            +            Held         +            +            +            +
invite another    |            |           | no-call      state        state        no-call      no-call      no-call      state        state        +            +            +            +            state        state
merge             |            |           | no-call      state        state        no-call      no-call      no-call      state        state        no-call      no-call      no-call      no-call      state        state
join              | state      | state     | no-call      state        state        no-call      no-call      no-call      state        state        state        state        state        state        Connecting   state
remove            |            |           | no-call      state        state        no-call      no-call      no-call      state        state        state        state        state        state        state        state
answer            | path state | state     | no-call      state        state        no-call      no-call      no-call      Talking      Talking      .            .            .            .            Connecting   handled
decline           | path state | state     | no-call      state        state        no-call      no-call      no-call      Ended        Ended        handled      handled      handled      handled      handled      .
silence           |            | own       | no-call      state        state        no-call      no-call      no-call      +            +            state        state        state        state        state        state
hold              | path       | own state | no-call      state        state        no-call      no-call      no-call      state        state        +            Held         .            +            state        state
resume            | path       | own state | no-call      state        state        no-call      no-call      no-call      state        state        .            .            Talking      .            state        state
swap              | path       | own state | no-call      no-call      no-call      no-call      no-call      no-call      no-call      no-call      no-call      no-call      Talking      no-call      no-call      no-call
block them        | path state | state     | +            Ended        Ended        gone         Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        +            +
block another     |            |           | +            +            +            +            +            +            +            +            +            +            +            +            +            +
unblock them      |            |           | .            .            .            .            .            .            .            .            .            .            .            .            .            .
end for all       | path state | state     | no-call      Ended        Ended        no-call      no-call      no-call      Ended        Ended        Ended        Ended        Ended        Ended        not-host     .
hang up           | path state | state     | no-call      Ended        Ended        no-call      no-call      no-call      Ended        Ended        Ended        Ended        Ended        Ended        .            .
hang up all       | path state | state     | .            Ended        Ended        .            Arriving     .            Ended        Ended        Ended        Ended        Ended        Ended        .            .
mute              | path       | own       | no-call      +            +            no-call      no-call      no-call      +            +            +            +            +            +            state        state
send digits       | path       |           | no-call      state        state        no-call      no-call      no-call      state        state        state        +            state        state        state        state
mute all          | path       | own       | +            +            +            +            +            +            +            +            +            +            +            +            +            +
time passes       | path state | state     | .            Ended        Ended        gone         +            Ringing      Ended        Ended        Ended        .            .            +            Ended        +
rings again       |            |           | Knocking     .            .            .            .            .            .            .            .            .            .            .            .            .
another rings     |            |           | Knocking     +            +            +            +            +            +            +            +            +            +            +            +            +
meets us          |            |           | +            .            .            .            .            .            .            .            .            .            .            .            +            +
note of it        | path       |           | Ended        .            .            Ended        .            .            .            .            .            .            .            .            .            .
ready             | path       |           | .            +            .            .            .            .            .            .            .            .            .            .            .            .
offer             |            |           | .            .            .            Arriving     .            .            .            .            .            .            .            .            .            .
offer of a group  | state      |           | .            .            .            Arriving     .            .            .            .            .            .            .            .            Ended        .
log of a group    | state      |           | .            .            .            .            .            .            .            .            +            +            +            +            Ended        .
their next path   | path       |           | .            +            +            +            +            +            +            +            +            +            +            +            .            .
answer to ours    | path       |           | .            .            .            +            +            +            +            .            +            +            +            +            .            .
candidates        | path       |           | .            +            +            +            +            +            +            +            +            +            +            +            +            .
rings there       | state      | state     | .            Alerting     .            .            .            .            .            .            .            .            .            .            .            .
accept            | path state | state     | .            Connecting   Talking      .            .            .            .            .            .            .            .            .            .            .
declined          | path state | state     | .            Ended        Ended        .            .            .            .            .            .            .            .            .            .            .
declined for all  | path state | state     | .            Ended        Ended        .            .            .            .            .            .            .            .            .            .            .
busy              | path state | state     | .            Ended        Ended        .            .            .            .            .            .            .            .            .            .            .
cancel            | path state | state     | .            .            .            Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        .            .
no answer         | path state | state     | .            .            .            Ended        gone         Ended        Ended        Ended        Ended        Ended        Ended        Ended        .            .
elsewhere         | path state | state     | .            .            .            Ended        gone         Ended        Ended        Ended        Ended        Ended        Ended        Ended        .            .
end               | path state | state     | .            Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        .            .
end, failed       | path state | state     | .            Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        .            .
flags             | path said  |           | .            +            +            +            +            +            +            +            +            +            +            +            +            .
carried           |            |           | .            .            .            .            .            .            .            .            .            .            .            .            .            .
undeliverable     | path       | state     | .            Ended        Ended        gone         gone         Ended        .            .            .            .            .            .            .            .
bye               | path state | state     | .            Ended        Ended        gone         Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        .            .
described         |            |           | .            .            +            +            +            +            +            +            +            +            +            +            .            .
gathered          |            |           | .            .            +            +            +            +            +            +            +            +            +            +            .            .
path up           | path state | state     | +            +            .            +            +            Ringing      .            .            Talking      +            +            Talking      +            +
path lost         | path state | state     | .            .            +            +            +            +            +            +            +            Reconnecting Reconnecting +            .            .
path stuck        | path       |           | .            .            .            +            +            +            .            .            +            .            .            +            .            .
path failed       | path state | state     | .            .            Ended        +            +            Ended        Ended        Ended        Ended        Reconnecting Reconnecting +            .            .
media gone        | path state | state     | .            Ended        Ended        +            +            Ended        Ended        Ended        Ended        Ended        Ended        Ended        .            .
no microphone     |            | own       | .            +            +            +            +            +            +            +            +            +            +            +            +            .
word of a room    |            |           | .            .            .            .            .            .            .            .            .            .            .            .            +            .
pass of a room    |            |           | .            .            .            +            +            +            +            +            .            .            .            .            .            .
passes            |            |           | .            .            .            .            .            .            .            .            .            .            .            .            .            .
no room           |            |           | .            .            .            .            .            .            .            .            .            .            .            .            .            .
key of a room     |            |           | .            .            .            .            .            .            .            .            .            .            .            .            .            .
heard by a room   |            |           | .            .            .            .            .            .            .            .            .            .            .            .            .            .
room over         |            |           | .            .            .            .            .            .            .            .            .            .            .            .            .            .
rooms can be had  |            |           | +            +            +            +            +            +            +            +            +            +            +            +            +            +
network changed   | path       |           | .            .            +            +            +            +            +            +            +            +            +            +            .            .
stopping          | path state | state     | .            Ended        Ended        gone         Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        Ended        .
";

/// One of so many seeds leads to each phase.
const LEADS: u64 = 100;

/// One call of device 0 in some phase.
struct Scene {
    phone: Phone,
    now: Moment,
    /// As this person knows it.
    call: CallId,
    /// As signaling and media know it.
    wire: CallId,
    leg: LegId,
    epoch: Epoch,
}

/// What is given.
enum Given {
    Command(Command),
    Event(Event),
    Tick,
}

type Row = (&'static str, fn(&Scene) -> Given);

fn scene(phase: PhaseKind) -> Scene {
    for seed in 1..=LEADS {
        let list = List { seed, ops: way_to(phase, &mut Chance::new(seed)), honest: false, groups: false };
        let mut world = World::new(seed, &["ada", "bob", "eve", "dan"]);
        world.network.jitter = Duration::from_millis(1);
        for op in &list.ops {
            // The way is known to be free; where it is not, the phase is not reached.
            let _ = op.run(&mut world);
        }
        let phone = world.people[0].phone.clone();
        let standing = phone.standing();
        let found = standing.iter().rev().find(|(_, it)| *it == phase).map(|(wire, _)| *wire);
        let lingering = phone.views().last().map(|view| view.id).filter(|_| phase == PhaseKind::Ended);
        let nothing = (phase == PhaseKind::Nothing).then_some(CallId::from_bytes([0x77; 16]));
        let Some(wire) = found.or(lingering).or(nothing) else { continue };
        let call =
            phone.views().iter().map(|view| view.id).find(|id| phone.on_wire(*id) == wire).unwrap_or(wire);
        let paths = &world.people[0].media.paths;
        let epoch = paths.keys().filter(|key| key.0 == wire).map(|key| key.2).max().unwrap_or_default();
        // Eve is the one that waits; everybody else's call is with Bob.
        let leg = if phase == PhaseKind::Waiting { device(2) } else { device(1) };
        assert_eq!(phone.phase(call), phase);
        return Scene { phone, now: world.now, call, wire, leg, epoch };
    }
    unreachable!("none of {LEADS} seeds leads to {phase:?}")
}

fn dial(whom: usize, hold_others: bool) -> Given {
    dial_as(whom, hold_others, false)
}

fn dial_as(whom: usize, hold_others: bool, both_tell: bool) -> Given {
    let (call, lifetime) = (CallId::from_bytes([0x55; 16]), Duration::from_secs(30));
    let (peer, devices) = (peer(whom), vec![device(whom)]);
    Given::Command(Command::Dial { call, peer, devices, lifetime, note: None, hold_others, both_tell })
}

fn callee(whom: usize) -> Callee {
    Callee { peer: peer(whom), devices: vec![device(whom)] }
}

fn start(whom: &[usize]) -> Given {
    let targets = whom.iter().map(|whom| callee(*whom)).collect();
    let (call, group, lifetime) = (CallId::from_bytes([0x58; 16]), None, Duration::from_secs(30));
    Given::Command(Command::StartGroup { call, group, targets, lifetime, note: None, hold_others: true })
}

/// They began it as a group, and called us and another.
fn news(s: &Scene) -> News {
    let (leg, peer_of) = (s.leg, peer(them(s)));
    let start = Start { call: s.wire, leg, peer: peer_of, group: None };
    let invited = [0, 3].map(|whom| Invited { peer: peer(whom), devices: 1, at: Age(0) }).to_vec();
    let (presence, removed, gone) = (Presence::Joined { at: Age(0) }, Vec::new(), Vec::new());
    let statement = Statement { number: 1, presence, invited, removed, gone, ended: None, rooms: false };
    let seal = Opaque(b"seal".to_vec());
    let entry = Entry { author: leg, peer: peer_of, statement, seal, print: 7 };
    let head = Head { author: leg, number: 1, print: 7, contradicted: false };
    News { start, age: Age(0), heads: vec![head], entries: vec![entry], told: Vec::new() }
}

/// The contact that the scene's call is with.
fn them(s: &Scene) -> usize {
    if s.leg == device(2) { 2 } else { 1 }
}

fn said(s: &Scene, message: Message) -> Given {
    Given::Event(Event::Received { call: s.wire, leg: s.leg, message })
}

fn declined(s: &Scene, reason: DeclineReason, scope: Scope) -> Given {
    said(s, Message::Decline { reason, scope, text: None })
}

fn reported(s: &Scene, report: MediaReport) -> Given {
    Given::Event(Event::Media { call: s.wire, leg: s.leg, epoch: s.epoch, report })
}

fn room(s: &Scene, report: RoomReport) -> Given {
    Given::Event(Event::Room { call: s.wire, report })
}

fn rung(call: CallId, from: usize) -> Given {
    let (lifetime, policy) = (Duration::from_secs(30), RingPolicy::Normal);
    Given::Event(Event::Rung {
        call,
        leg: device(from),
        peer: peer(from),
        lifetime,
        preconnect: true,
        callee_offers: false,
        policy,
    })
}

fn description(kind: SdpKind) -> Description {
    Description { kind, body: Opaque(b"sdp".to_vec()) }
}

fn list() -> Vec<Opaque> {
    vec![Opaque(b"host".to_vec())]
}

/// The first generation after this one that the other device may begin.
fn their_next(s: &Scene) -> Epoch {
    s.epoch.next(s.leg, device(0)).unwrap_or_default()
}

const ROWS: &[Row] = &[
    ("dial them", |s| dial(them(s), true)),
    ("dial another", |_| dial(3, true)),
    ("dial, hold nothing", |_| dial(3, false)),
    ("dial, both tell", |_| dial_as(3, true, true)),
    ("start with them", |s| start(&[them(s), 3])),
    ("start with others", |_| start(&[3, 2])),
    ("invite another", |s| {
        let (whom, lifetime) = (callee(3), Duration::from_secs(30));
        Given::Command(Command::Invite { call: s.call, whom, lifetime })
    }),
    ("merge", |s| Given::Command(Command::Merge { call: s.call, other: CallId::from_bytes([0x57; 16]) })),
    ("join", |s| Given::Command(Command::Join { call: s.call })),
    ("remove", |s| Given::Command(Command::Remove { call: s.call, member: MemberId::FIRST })),
    ("answer", |s| Given::Command(Command::Answer { call: s.call, others: Others::Hold })),
    ("decline", |s| {
        let (reason, scope) = (DeclineReason::Declined, Scope::ThisDevice);
        Given::Command(Command::Decline { call: s.call, reason, scope, text: None })
    }),
    ("silence", |s| Given::Command(Command::Silence { call: s.call })),
    ("hold", |s| Given::Command(Command::Hold { call: s.call })),
    ("resume", |s| Given::Command(Command::Resume { call: s.call })),
    ("swap", |_| Given::Command(Command::Swap)),
    ("block them", |s| Given::Command(Command::Block { peer: peer(them(s)) })),
    ("block another", |_| Given::Command(Command::Block { peer: peer(3) })),
    ("unblock them", |s| Given::Command(Command::Unblock { peer: peer(them(s)) })),
    ("end for all", |s| Given::Command(Command::HangUp { call: s.call, everyone: true })),
    ("hang up", |s| Given::Command(Command::HangUp { call: s.call, everyone: false })),
    ("hang up all", |_| Given::Command(Command::HangUpAll)),
    ("mute", |s| Given::Command(Command::SetMuted { call: s.call, muted: true })),
    ("send digits", |s| Given::Command(Command::SendTones { call: s.call, digits: digits() })),
    ("mute all", |_| Given::Command(Command::SetAllMuted { muted: true })),
    ("time passes", |_| Given::Tick),
    ("rings again", |s| rung(s.wire, them(s))),
    ("another rings", |_| rung(CallId::from_bytes([0x56; 16]), 3)),
    ("meets us", |s| Given::Event(Event::Met { call: s.wire, leg: s.leg, peer: peer(them(s)) })),
    ("note of it", |s| {
        Given::Event(Event::MissedNote { call: s.wire, peer: peer(them(s)), at_unix_us: 1, why: None })
    }),
    ("ready", |s| said(s, Message::Ready { offers: false })),
    ("offer", |s| said(s, Message::Offer { remaining: Duration::from_secs(30), text: None })),
    ("offer of a group", |s| {
        let (remaining, news) = (Duration::from_secs(30), Box::new(news(s)));
        said(s, Message::Invite { remaining, text: None, instead_of: None, news })
    }),
    ("log of a group", |s| said(s, Message::Log(Box::new(news(s))))),
    ("their next path", |s| {
        said(s, Message::Description { epoch: their_next(s), description: description(SdpKind::Offer) })
    }),
    ("answer to ours", |s| {
        said(s, Message::Description { epoch: s.epoch, description: description(SdpKind::Answer) })
    }),
    ("candidates", |s| said(s, Message::Candidates { epoch: s.epoch, list: list(), complete: false })),
    ("rings there", |s| said(s, Message::Ringing)),
    ("accept", |s| said(s, Message::Accept)),
    ("declined", |s| declined(s, DeclineReason::Declined, Scope::ThisDevice)),
    ("declined for all", |s| declined(s, DeclineReason::Declined, Scope::Everywhere)),
    ("busy", |s| declined(s, DeclineReason::Busy, Scope::ThisDevice)),
    ("cancel", |s| said(s, Message::Cancel { reason: CancelReason::Canceled })),
    ("no answer", |s| said(s, Message::Cancel { reason: CancelReason::NoAnswer })),
    ("elsewhere", |s| said(s, Message::Cancel { reason: CancelReason::AnsweredElsewhere })),
    ("end", |s| said(s, Message::End { reason: EndReason::Completed })),
    ("end, failed", |s| said(s, Message::End { reason: EndReason::MediaFailed })),
    ("flags", |s| {
        said(s, Message::State { serial: 99, muted: true, held: true, camera: false, listening: false })
    }),
    ("carried", |s| Given::Event(Event::Carried { call: s.wire, leg: s.leg })),
    ("undeliverable", |s| Given::Event(Event::Undeliverable { call: s.wire, leg: s.leg })),
    ("bye", |s| Given::Event(Event::Bye { call: s.wire, leg: s.leg })),
    ("described", |s| reported(s, MediaReport::Described(description(SdpKind::Offer)))),
    ("gathered", |s| reported(s, MediaReport::Candidates { list: list(), complete: true })),
    ("path up", |s| reported(s, MediaReport::Up)),
    ("path lost", |s| reported(s, MediaReport::Lost)),
    ("path stuck", |s| reported(s, MediaReport::Stuck)),
    ("path failed", |s| reported(s, MediaReport::Failed(MediaFault::Media))),
    ("media gone", |s| Given::Event(Event::MediaGone { call: s.wire })),
    ("no microphone", |s| reported(s, MediaReport::Voice(false))),
    ("word of a room", |s| said(s, Message::Room(RoomWord::Hears { serial: 9, heard: true }))),
    ("pass of a room", |s| said(s, Message::Room(RoomWord::Pass(Opaque(b"pass".to_vec()))))),
    ("passes", |s| room(s, RoomReport::Passes(list()))),
    ("no room", |s| room(s, RoomReport::NoRoom)),
    ("key of a room", |s| room(s, RoomReport::Key { key: Opaque(b"key".to_vec()), step: false })),
    ("heard by a room", |s| room(s, RoomReport::Heard { leg: s.leg, heard: true })),
    ("room over", |s| room(s, RoomReport::Over)),
    ("rooms can be had", |_| Given::Event(Event::Rooms(true))),
    ("network changed", |_| Given::Event(Event::NetworkChanged)),
    ("stopping", |_| Given::Event(Event::Stopping)),
];

fn cell(phase: PhaseKind, row: Row, touched: &mut Touched) -> (String, Input) {
    let scene = scene(phase);
    let given = (row.1)(&scene);
    let (mut phone, mut now) = (scene.phone.clone(), scene.now);
    let (input, done) = match given {
        Given::Command(command) => (Input::from(&command), phone.command(now, command)),
        Given::Event(event) => (Input::from(&event), Ok(phone.event(now, event))),
        Given::Tick => match phone.deadline() {
            Some(due) => {
                now = now.max(due.at);
                (Input::Tick, Ok(phone.event(now, Event::Tick)))
            }
            None => (Input::Tick, Ok(Effects::default())),
        },
    };
    let changed = phone != scene.phone;
    if let Ok(Effects(effects)) = &done {
        touched.note(&scene, &phone, effects);
    }
    let text = match done {
        Err(refusal) => {
            assert!(!changed, "{phase:?}, {}: a refusal changes nothing", row.0);
            word(refusal).to_owned()
        }
        Ok(Effects(effects)) if !changed && effects.is_empty() => ".".to_owned(),
        Ok(_) => after(&phone, &scene, phase),
    };
    (text, input)
}

fn after(phone: &Phone, scene: &Scene, phase: PhaseKind) -> String {
    let made =
        (phase == PhaseKind::Nothing).then(|| phone.standing().last().map(|(_, phase)| *phase)).flatten();
    let now = made.unwrap_or_else(|| phone.phase(scene.call));
    if now == phase {
        "+".to_owned()
    } else if now == PhaseKind::Nothing {
        "gone".to_owned()
    } else {
        format!("{now:?}")
    }
}

fn word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoSuchCall => "no-call",
        Refusal::InvalidState => "state",
        Refusal::AlreadyHandled => "handled",
        Refusal::AnsweredElsewhere => "elsewhere",
        Refusal::Busy => "busy",
        Refusal::NoDevice => "no-device",
        Refusal::OutOfRange => "range",
        Refusal::TooSoon => "soon",
        Refusal::NotHost => "not-host",
        Refusal::RoomFull => "full",
    }
}

fn line(head: &str, touched: &Touched, cells: &[String]) -> String {
    let cells = cells.iter().map(|cell| format!(" {cell:<12}"));
    let parts = |of: &BTreeSet<&str>| of.iter().copied().collect::<Vec<_>>().join(" ");
    let (member, call) = (parts(&touched.member), parts(&touched.call));
    format!("{head:<18}| {member:<10} | {call:<9} |{}", cells.collect::<String>()).trim_end().to_owned()
}

/// What an input changes of a member, and of the call as a whole.
#[derive(Default)]
struct Touched {
    member: BTreeSet<&'static str>,
    call: BTreeSet<&'static str>,
}

impl Touched {
    fn note(&mut self, before: &Scene, after: &Phone, effects: &[Effect]) {
        let path = |effect: &Effect| matches!(effect, Effect::Media { call, .. } if *call == before.wire);
        self.member.extend(effects.iter().any(path).then_some("path"));
        let view = |phone: &Phone| phone.views().into_iter().find(|view| view.id == before.call);
        let (Some(before), Some(after)) = (view(&before.phone), view(after)) else { return };
        let own = |view: &CallView| (view.muted, view.hears_only, view.local_hold, view.silenced);
        self.call.extend((before.state != after.state).then_some("state"));
        self.call.extend((own(&before) != own(&after)).then_some("own"));
        for (before, after) in before.members.iter().zip(&after.members) {
            let said = |member: &MemberView| (member.muted, member.held, member.hears_only, member.camera);
            self.member.extend((before.state != after.state).then_some("state"));
            self.member.extend((said(before) != said(after)).then_some("said"));
        }
    }
}

#[test]
fn every_input_in_every_phase_does_what_the_table_says() {
    let mut inputs = BTreeSet::new();
    let phases: Vec<String> = PhaseKind::ALL.iter().map(|phase| format!("{phase:?}")).collect();
    let mut lines = vec![line("", &Touched { member: ["member"].into(), call: ["call"].into() }, &phases)];
    for row in ROWS {
        let (mut cells, mut touched) = (Vec::new(), Touched::default());
        for phase in PhaseKind::ALL {
            let (text, input) = cell(*phase, *row, &mut touched);
            inputs.insert(input);
            cells.push(text);
        }
        lines.push(line(row.0, &touched, &cells));
    }
    let all: BTreeSet<Input> = Input::ALL.iter().copied().collect();
    assert_eq!(inputs, all, "every input has a row");
    let expected: Vec<&str> = TABLE.trim_matches('\n').lines().map(str::trim_end).collect();
    for (number, actual) in lines.iter().enumerate() {
        let listed = expected.get(number).copied().unwrap_or("(not listed)");
        assert_eq!(listed, actual, "the rules do\n{}", lines.join("\n"));
    }
    assert_eq!(expected.len(), lines.len(), "the table lists what does not exist");
}
