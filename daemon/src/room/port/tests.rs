//! The rooms of calls without a relay, a server or a path.
//!
//! Lives here: what orders, answers and stays come to.
//! Must not: open a socket or read a clock.

mod guests;

use std::collections::BTreeSet;

use ahoy_call::{LegId, Opaque};
use ahoy_proto::limits;
use ahoy_proto::relay_url::RelayUrl;
use ahoy_proto::room::{RoomOver, TICKET_BYTES};
use ahoy_proto::room_words::{RoomKey, RoomPass};
use zeroize::Zeroizing;

use super::*;
use crate::room::stay::StayOrder;
use crate::values::room::{Identity, RoomEnd};

const CALL: CallId = CallId::from_bytes([1; 16]);
const OURS: &str = "wss://ours.example";
const THEIRS: &str = "wss://theirs.example";

struct Rig {
    rooms: Rooms,
    ms: u64,
    /// What the stay that runs was begun with.
    stay: Option<(u64, Box<Parts>)>,
    path: Option<RoomEnds>,
}

fn ticket(n: u8) -> Ticket {
    Ticket([n; TICKET_BYTES])
}

fn leg(n: u8) -> LegId {
    LegId::from_bytes([n; 16])
}

fn who(name: &str) -> Identity {
    Identity::new(name).unwrap()
}

fn pass(relay: &str, n: u8) -> Opaque {
    RoomPass { relay: RelayUrl::parse(relay).unwrap(), ticket: ticket(n) }.write().unwrap()
}

fn key(name: &str, index: u8) -> Opaque {
    RoomKey { identity: name.to_owned(), index, key: Zeroizing::new([index; 16]) }.write().unwrap()
}

fn entry() -> RoomNews {
    RoomNews::Entry {
        urls: vec!["wss://room.example".to_owned()],
        token: "token".to_owned(),
        identity: "us".to_owned(),
        seat: ticket(77),
    }
}

/// What came out, but for what the rig keeps.
#[derive(Debug, PartialEq)]
enum Came {
    Asked(u64, String, RoomAsk),
    Told(RoomReport),
    Path(Epoch),
    Stay,
}

impl Rig {
    fn new() -> Self {
        let mut rooms = Rooms::default();
        assert_eq!(rooms.set_relays(&[OURS.to_owned()]), Some(true));
        assert_eq!(rooms.set_relays(&[OURS.to_owned()]), None);
        Self { rooms, ms: 0, stay: None, path: None }
    }

    fn now(&self) -> Moment {
        Moment::from_micros(1_000_000 + self.ms * 1_000)
    }

    fn came(&mut self) -> Vec<Came> {
        let all = self.rooms.take().into_iter();
        let came = all.map(|one| match one {
            Out::Ask { job, relay, ask } => Came::Asked(job, relay, ask),
            Out::Tell(call, report) => {
                assert_eq!(call, CALL);
                Came::Told(report)
            }
            Out::Prepare { epoch, ends, .. } => {
                self.path = Some(ends);
                Came::Path(epoch)
            }
            Out::Stay { number, parts } => {
                self.stay = Some((number, parts));
                Came::Stay
            }
        });
        came.collect()
    }

    fn order(&mut self, order: RoomOrder) -> Vec<Came> {
        self.rooms.order(self.now(), CALL, order);
        self.came()
    }

    fn answer(&mut self, job: u64, news: Option<RoomNews>) -> Vec<Came> {
        self.rooms.answered(self.now(), job, news);
        self.came()
    }

    fn happens(&mut self, event: RoomEvent) -> Vec<Came> {
        let number = self.stay.as_ref().map(|(number, _)| *number).unwrap();
        self.rooms.happened(self.now(), number, event);
        self.came()
    }

    fn comes(&mut self, epoch: u16, member: u8, comes: bool) -> Vec<Came> {
        self.rooms.comes(CALL, Epoch(epoch), leg(member), comes);
        self.came()
    }

    /// What is due in so many ms.
    fn later(&mut self, ms: u64) -> Vec<Came> {
        let until = self.ms + ms;
        let mut came = Vec::new();
        loop {
            let due = self.rooms.deadline().map(|at| (at.micros() - 1_000_000) / 1_000);
            let Some(due) = due.filter(|due| *due <= until) else { break };
            self.ms = self.ms.max(due);
            self.rooms.tick(self.now());
            came.extend(self.came());
        }
        self.ms = until;
        came
    }

    /// What the stay was ordered since the last time.
    fn ordered(&mut self) -> Vec<StayOrder> {
        let (_, parts) = self.stay.as_mut().unwrap();
        std::iter::from_fn(|| parts.orders.try_recv().ok()).collect()
    }

    /// We opened a room, and are in it.
    fn host() -> Self {
        let mut rig = Self::new();
        let open = rig.order(RoomOrder::Open { passes: 2 });
        let [Came::Asked(job, ..)] = open[..] else { panic!("{open:?}") };
        let passes = vec![ticket(2), ticket(3)];
        rig.answer(job, Some(RoomNews::Passes { host: Some(ticket(1)), passes }));
        rig.enter(OURS);
        rig
    }

    /// Goes in, and is up.
    fn enter(&mut self, relay: &str) -> Opaque {
        let came = self.order(RoomOrder::Enter { epoch: Epoch(4), pass: pass(relay, 2) });
        let [Came::Path(Epoch(4)), Came::Asked(job, ..)] = came[..] else { panic!("{came:?}") };
        assert_eq!(self.answer(job, Some(entry())), [Came::Stay]);
        let entered = self.happens(RoomEvent::Entered(who("us")));
        let [Came::Told(RoomReport::Key { ref key, .. })] = entered[..] else { panic!("{entered:?}") };
        let key = key.clone();
        assert!(self.happens(RoomEvent::Up).is_empty());
        key
    }
}

#[test]
fn a_room_is_opened_at_a_relay_of_ours_and_its_passes_name_that_relay() {
    let mut rig = Rig::new();
    let came = rig.order(RoomOrder::Open { passes: 200 });
    let [Came::Asked(job, relay, RoomAsk::Open { passes, lives_s })] = &came[..] else { panic!("{came:?}") };
    assert_eq!((&relay[..], usize::from(*passes)), (OURS, limits::ROOM_PASSES));
    assert_eq!(u64::from(*lives_s), limits::RING_LIFETIME.as_secs());
    assert!(rig.order(RoomOrder::Draw { passes: 1 }).is_empty(), "one question at a time");
    let passes = RoomNews::Passes { host: Some(ticket(1)), passes: vec![ticket(2)] };
    let came = rig.answer(*job, Some(passes));
    let [Came::Told(ref told), Came::Asked(next, _, RoomAsk::Draw { by, passes: 1, .. })] = came[..] else {
        panic!("{came:?}")
    };
    assert_eq!((told, by), (&RoomReport::Passes(vec![pass(OURS, 2)]), ticket(1)));
    assert_eq!(rig.answer(next, None), [Came::Told(RoomReport::NoRoom)]);
    assert!(rig.answer(next, None).is_empty(), "answered is answered");
    rig.rooms.set_relays(&[]);
    assert_eq!(rig.order(RoomOrder::Open { passes: 1 }), [Came::Told(RoomReport::NoRoom)]);
}

#[test]
fn who_has_no_ticket_draws_nothing_and_a_seat_is_one() {
    let mut rig = Rig::new();
    assert_eq!(rig.order(RoomOrder::Draw { passes: 1 }), [Came::Told(RoomReport::NoRoom)]);
    rig.enter(THEIRS);
    let came = rig.order(RoomOrder::Draw { passes: 1 });
    let [Came::Asked(_, ref relay, RoomAsk::Draw { by, .. })] = came[..] else { panic!("{came:?}") };
    assert_eq!((&relay[..], by), (THEIRS, ticket(77)));
}

#[test]
fn a_pass_that_leads_nowhere_is_no_room_and_its_path_ends() {
    for news in [None, Some(RoomNews::Over { why: RoomOver::Used }), Some(RoomNews::Done)] {
        let mut rig = Rig::new();
        let came = rig.order(RoomOrder::Enter { epoch: Epoch(4), pass: pass(THEIRS, 2) });
        let [Came::Path(_), Came::Asked(job, ref relay, RoomAsk::Enter { pass })] = came[..] else {
            panic!("{came:?}")
        };
        assert_eq!((&relay[..], pass), (THEIRS, ticket(2)), "its own relay is asked");
        assert_eq!(rig.answer(job, news), [Came::Told(RoomReport::NoRoom)]);
        let mut path = rig.path.take().unwrap();
        assert!(matches!(path.asks.try_recv(), Err(tokio::sync::mpsc::error::TryRecvError::Disconnected)));
    }
    let mut rig = Rig::new();
    let bad = Opaque(br#"{"relay":"ws://abroad.example","pass":""}"#.to_vec());
    let came = rig.order(RoomOrder::Enter { epoch: Epoch(4), pass: bad });
    assert_eq!(came, [Came::Path(Epoch(4)), Came::Told(RoomReport::NoRoom)]);
}

#[test]
fn who_is_there_up_and_known_and_comes_is_heard_and_nobody_else() {
    let mut rig = Rig::new();
    rig.enter(THEIRS);
    let heard = |n, heard| Came::Told(RoomReport::Heard { leg: leg(n), heard });
    assert!(rig.order(RoomOrder::Members([leg(3), leg(4)].into())).is_empty());
    assert!(rig.happens(RoomEvent::Here(who("ana"))).is_empty(), "nobody knows her");
    assert!(
        rig.order(RoomOrder::Key { leg: leg(3), key: key("ana", 0) }).is_empty(),
        "nothing comes of her yet"
    );
    assert!(rig.comes(3, 3, true).is_empty(), "that was another stay's");
    assert!(rig.comes(4, 9, true).is_empty(), "whoever that is");
    assert_eq!(rig.comes(4, 3, true), [heard(3, true)]);
    assert_eq!(rig.comes(4, 3, false), [heard(3, false)], "a server that passes nothing on");
    assert_eq!(rig.comes(4, 3, true), [heard(3, true)]);
    assert!(
        rig.order(RoomOrder::Key { leg: leg(4), key: key("ana", 0) }).is_empty(),
        "a name is one member's"
    );
    assert!(rig.order(RoomOrder::Key { leg: leg(4), key: key("us", 0) }).is_empty(), "and ours is ours");
    assert!(rig.order(RoomOrder::Key { leg: leg(4), key: Opaque(vec![0; 40]) }).is_empty());
    assert!(rig.order(RoomOrder::Key { leg: leg(9), key: key("eve", 0) }).is_empty(), "she takes no part");
    assert!(rig.happens(RoomEvent::Here(who("eve"))).is_empty());
    assert_eq!(rig.path.as_ref().unwrap().legs.borrow().get(&who("ana")), Some(&leg(3)));
    assert_eq!(rig.path.as_ref().unwrap().legs.borrow().len(), 1);
    let admitted: Vec<BTreeSet<Identity>> = rig
        .ordered()
        .into_iter()
        .filter_map(|it| if let StayOrder::Members(all) = it { Some(all) } else { None })
        .collect();
    assert_eq!(admitted, [BTreeSet::from([who("ana")])]);
    assert_eq!(rig.happens(RoomEvent::Down), [heard(3, false)]);
    assert_eq!(rig.happens(RoomEvent::Up), [heard(3, true)]);
    assert_eq!(rig.happens(RoomEvent::Gone(who("ana"))), [heard(3, false)]);
    assert_eq!(rig.happens(RoomEvent::Here(who("ana"))), [heard(3, true)]);
    assert_eq!(rig.order(RoomOrder::Members([leg(4)].into())), [heard(3, false)]);
    assert!(rig.path.as_ref().unwrap().legs.borrow().is_empty());
    assert_eq!(rig.happens(RoomEvent::Ended(RoomEnd::Deleted)), [Came::Told(RoomReport::Over)]);
}

#[test]
fn a_key_is_renewed_under_the_next_index_and_each_stay_has_one_of_its_own() {
    let mut rig = Rig::new();
    let index = |key: &Opaque| RoomKey::read(key).unwrap().index;
    assert_eq!(index(&rig.enter(THEIRS)), 0);
    let came = rig.order(RoomOrder::Renew);
    let [Came::Told(RoomReport::Key { ref key, .. })] = came[..] else { panic!("{came:?}") };
    assert_eq!(index(key), 1);
    assert!(rig.later(10_000).is_empty());
    let came = rig.order(RoomOrder::Step);
    let [Came::Told(RoomReport::Key { ref key, step: true })] = came[..] else { panic!("{came:?}") };
    assert_eq!(index(key), 2);
    assert_eq!(index(&rig.enter(THEIRS)), 3);
    assert!(rig.happens(RoomEvent::Entered(who("us"))).is_empty(), "the same name and key");
    let again = rig.happens(RoomEvent::Entered(who("us-again")));
    let [Came::Told(RoomReport::Key { ref key, step: false })] = again[..] else { panic!("{again:?}") };
    assert_eq!(index(key), 4, "what was sealed under the other name opens no more");
}

#[test]
fn who_opened_the_room_puts_out_whom_nobody_knows_and_who_was_a_member() {
    let mut rig = Rig::host();
    let removed = |came: Vec<Came>| {
        let who = |one| {
            if let Came::Asked(_, _, RoomAsk::Remove { host, who }) = one { Some((host, who)) } else { None }
        };
        came.into_iter().filter_map(who).collect::<Vec<_>>()
    };
    rig.order(RoomOrder::Members([leg(3)].into()));
    rig.order(RoomOrder::Key { leg: leg(3), key: key("ana", 0) });
    rig.happens(RoomEvent::Here(who("ana")));
    rig.happens(RoomEvent::Here(who("eve")));
    rig.happens(RoomEvent::Here(who("late")));
    assert!(rig.later(9_000).is_empty());
    rig.order(RoomOrder::Members([leg(3), leg(5)].into()));
    rig.order(RoomOrder::Key { leg: leg(5), key: key("late", 0) });
    let came = rig.later(1_500);
    let [Came::Asked(job, ..)] = came[..] else { panic!("{came:?}") };
    assert_eq!(removed(came), [(ticket(1), "eve".to_owned())]);
    rig.happens(RoomEvent::Gone(who("eve")));
    rig.order(RoomOrder::Members([leg(5)].into()));
    // One question at a time: the last was not answered yet.
    assert!(rig.later(2_500).is_empty());
    assert_eq!(removed(rig.answer(job, Some(RoomNews::Done))), [(ticket(1), "ana".to_owned())]);
    // Who did not open it puts nobody out.
    let mut guest = Rig::new();
    guest.enter(THEIRS);
    guest.happens(RoomEvent::Here(who("eve")));
    assert!(guest.later(100_000).is_empty());
}

#[test]
fn who_opened_the_room_looks_who_is_there() {
    let mut rig = Rig::host();
    let came = rig.later(61_000);
    let [Came::Asked(job, _, RoomAsk::People { .. })] = came[..] else { panic!("{came:?}") };
    let who = vec!["us".to_owned(), "eve".to_owned()];
    assert!(rig.answer(job, Some(RoomNews::People { who })).is_empty());
    let came = rig.later(11_000);
    assert!(
        matches!(&came[..], [Came::Asked(_, _, RoomAsk::Remove { who, .. })] if who == "eve"),
        "{came:?}"
    );
}

#[test]
fn a_refused_token_is_followed_by_a_fresh_one_a_few_times() {
    let mut rig = Rig::new();
    rig.enter(THEIRS);
    for n in 0..5 {
        let came = rig.happens(RoomEvent::TokenRefused);
        if n >= 3 {
            assert!(came.is_empty());
            continue;
        }
        let [Came::Asked(job, _, RoomAsk::Draw { passes: 1, .. })] = came[..] else { panic!("{came:?}") };
        let passes = RoomNews::Passes { host: None, passes: vec![ticket(9)] };
        let came = rig.answer(job, Some(passes));
        let [Came::Asked(job, _, RoomAsk::Enter { pass })] = came[..] else { panic!("{came:?}") };
        assert_eq!(pass, ticket(9));
        assert!(rig.answer(job, Some(entry())).is_empty());
        assert!(matches!(rig.ordered()[..], [StayOrder::Token(_)]));
    }
}

#[test]
fn the_room_that_we_opened_ends_when_it_is_told_to_and_that_is_tried_again() {
    let mut rig = Rig::host();
    let came = rig.order(RoomOrder::Leave { ends: true });
    let [Came::Asked(mut job, _, RoomAsk::Close { host })] = came[..] else { panic!("{came:?}") };
    assert_eq!(host, ticket(1));
    assert!(matches!(rig.ordered()[..], [StayOrder::Leave]));
    rig.rooms.over(CALL);
    for n in 1..=2 {
        assert!(rig.answer(job, None).is_empty());
        let came = rig.later(5_000);
        let [Came::Asked(next, _, RoomAsk::Close { .. })] = came[..] else { panic!("{n} {came:?}") };
        job = next;
    }
    rig.answer(job, None);
    assert!(rig.later(100_000).is_empty(), "it is given up: it ends by itself");
    // Who leaves a room that goes on ends nothing.
    let mut rig = Rig::host();
    assert!(rig.order(RoomOrder::Leave { ends: false }).is_empty());
    assert!(matches!(rig.ordered()[..], [StayOrder::Leave]));
    assert!(rig.happens(RoomEvent::Ended(RoomEnd::Left)).is_empty(), "it is not reported");
}

#[test]
fn a_room_that_comes_after_its_call_ends_and_an_entry_after_its_stay_begins_nothing() {
    let mut rig = Rig::new();
    let came = rig.order(RoomOrder::Open { passes: 1 });
    let [Came::Asked(job, ..)] = came[..] else { panic!("{came:?}") };
    rig.rooms.over(CALL);
    let passes = RoomNews::Passes { host: Some(ticket(1)), passes: vec![ticket(2)] };
    let came = rig.answer(job, Some(passes));
    assert!(matches!(came[..], [Came::Asked(_, _, RoomAsk::Close { .. })]), "{came:?}");
    let mut rig = Rig::new();
    let came = rig.order(RoomOrder::Enter { epoch: Epoch(4), pass: pass(THEIRS, 2) });
    let [Came::Path(_), Came::Asked(job, ..)] = came[..] else { panic!("{came:?}") };
    let came = rig.order(RoomOrder::Enter { epoch: Epoch(5), pass: pass(OURS, 3) });
    assert_eq!(came, [Came::Path(Epoch(5))], "another pass, in its turn");
    let came = rig.answer(job, Some(entry()));
    assert!(
        matches!(came[..], [Came::Asked(_, _, RoomAsk::Enter { pass })] if pass == ticket(3)),
        "{came:?}"
    );
}

#[test]
fn what_the_rules_flood_with_is_bounded() {
    let mut rig = Rig::new();
    let mut refused = 0;
    for _ in 0..100 {
        refused +=
            rig.order(RoomOrder::Open { passes: 1 }).iter().filter(|it| matches!(it, Came::Told(_))).count();
    }
    assert_eq!(refused, 100 - 1 - 24);
    for n in 0..100 {
        rig.rooms.order(rig.now(), CallId::from_bytes([n; 16]), RoomOrder::Renew);
    }
    assert!(
        rig.rooms.calls.len() <= CALLS && rig.rooms.calls.contains_key(&CALL),
        "what is idle makes place"
    );
}
