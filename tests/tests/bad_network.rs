//! Does a bad network change any story's end?
//!
//! Lives here: stories of one call, each on a perfect network and on many that lose, double and reorder; compared.
//! Must not: use real time, sockets or sound.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

use std::time::Duration;

use ahoy_call::{
    CancelReason, DeclineReason, Direction, EndReason, EndedBy, Event, MediaReport, Message, Outcome,
    PhaseKind, Scope, State,
};
use ahoy_tests::world::{MINUTE, SECOND, World};

/// How a call is filed, without its times.
type Row = (String, Direction, EndReason, EndedBy, Outcome, bool, bool, Option<String>, Option<String>);

/// A story, told with pauses that are long enough for anything to arrive.
type Story = fn(&mut World);

fn rows(w: &World) -> Vec<Row> {
    let mut all = Vec::new();
    for person in &w.people {
        assert_eq!(person.phone.standing(), [], "{}: it is over", person.name);
        for row in w.rows(&person.name) {
            let view = &row.view;
            all.push((
                person.name.clone(),
                view.direction,
                view.reason.unwrap(),
                view.ended_by.unwrap(),
                view.outcome.unwrap(),
                view.ringing.is_some(),
                view.answered.is_some(),
                view.note.clone(),
                view.message.clone(),
            ));
        }
    }
    all
}

const LONG: Duration = Duration::from_secs(35);

fn dial(w: &mut World) {
    w.dial_with("ada", "bob", 3 * MINUTE, Some("lunch?"), true).unwrap();
    w.pass(LONG);
}

fn answer(w: &mut World) {
    dial(w);
    w.answer("bob").unwrap();
    w.pass(LONG);
}

const STORIES: [(&str, Story); 14] = [
    ("nobody answers", |w| {
        dial(w);
        w.pass(3 * MINUTE);
    }),
    ("the callee declines with a text", |w| {
        dial(w);
        w.decline_with("bob", DeclineReason::Declined, Scope::ThisDevice, Some("later")).unwrap();
    }),
    ("the callee says busy", |w| {
        dial(w);
        w.decline_with("bob", DeclineReason::Busy, Scope::ThisDevice, None).unwrap();
    }),
    ("the caller takes it back", |w| {
        dial(w);
        w.hang_up("ada").unwrap();
    }),
    ("they talk and the caller hangs up", |w| {
        answer(w);
        w.hang_up("ada").unwrap();
    }),
    ("they talk and the callee hangs up", |w| {
        answer(w);
        w.hang_up("bob").unwrap();
    }),
    ("the callee hangs up in the moment of the answer", |w| {
        dial(w);
        w.answer("bob").unwrap();
        w.hang_up("bob").unwrap();
    }),
    ("they mute and hold and hang up", |w| {
        answer(w);
        let call = w.last_call(0);
        w.hold("ada", call).unwrap();
        w.mute("bob", true).unwrap();
        w.resume("ada", call).unwrap();
        w.hold("ada", call).unwrap();
        w.pass(LONG);
        assert!(w.view("bob").unwrap().remote_hold() && w.view("ada").unwrap().remote_muted());
        w.hang_up("bob").unwrap();
    }),
    ("the path never comes up", |w| {
        w.cut(0, 1, true);
        dial(w);
        w.answer("bob").unwrap();
    }),
    ("the path breaks for good", |w| {
        answer(w);
        w.cut(0, 1, true);
        w.pass(40 * SECOND);
    }),
    ("the path breaks for a while", |w| {
        answer(w);
        w.cut(0, 1, true);
        w.pass(5 * SECOND);
        w.cut(0, 1, false);
        w.pass(20 * SECOND);
        assert_eq!((w.state("ada"), w.state("bob")), (Some(State::Active), Some(State::Active)));
        w.hang_up("ada").unwrap();
    }),
    ("the callee was away", |w| {
        w.network.offline.insert(1);
        w.dial_for("ada", "bob", 20 * SECOND).unwrap();
        w.pass(30 * SECOND);
        w.network.offline.clear();
        w.pass(10 * MINUTE);
    }),
    ("the callee's media fails", |w| {
        dial(w);
        let (call, leg, epoch) = *w.people[1].media.paths.keys().next_back().unwrap();
        let report = MediaReport::Failed(ahoy_call::MediaFault::Media);
        w.event(1, Event::Media { call, leg, epoch, report });
    }),
    ("they call each other", |w| {
        w.dial("ada", "bob").unwrap();
        w.dial("bob", "ada").unwrap();
        w.pass(LONG);
        w.hang_up("ada").unwrap();
    }),
];

fn told(story: Story, seed: u64, loss: f64, jitter: u64) -> Vec<Row> {
    let mut w = World::new(seed, &["ada", "bob"]);
    w.network.loss = loss;
    w.network.doubling = if loss > 0.0 { 0.3 } else { 0.0 };
    w.network.jitter = Duration::from_millis(jitter);
    story(&mut w);
    w.until_quiet();
    w.check();
    rows(&w)
}

#[test]
fn duplicates_losses_and_reordering_change_neither_reason_nor_rows_of_any_story() {
    for (name, story) in STORIES {
        let perfect = told(story, 1, 0.0, 1);
        assert!(!perfect.is_empty(), "{name}");
        for seed in 0..250 {
            let (loss, jitter) = [(0.0, 2_000), (0.1, 900), (0.25, 200)][usize::try_from(seed % 3).unwrap()];
            assert_eq!(told(story, seed, loss, jitter), perfect, "{name}, seed {seed}");
        }
    }
}

#[test]
fn an_end_that_overtakes_the_answer_is_the_end_of_an_answered_call() {
    let mut answered = 0;
    for seed in 0..200 {
        let mut w = World::new(seed, &["ada", "bob"]);
        w.network.jitter = 2 * SECOND;
        w.dial("ada", "bob").unwrap();
        w.pass(20 * SECOND);
        w.answer("bob").unwrap();
        w.hang_up("bob").unwrap();
        w.until_quiet();
        assert_eq!(w.end("ada"), (EndReason::Completed, EndedBy::Remote, Outcome::Answered), "seed {seed}");
        assert_eq!(w.end("bob"), (EndReason::Completed, EndedBy::Local, Outcome::Answered), "seed {seed}");
        answered += usize::from(w.people[0].media.paths.is_empty());
    }
    assert_eq!(answered, 200, "and nothing of it stays open");
}

#[test]
fn candidates_that_come_before_the_description_are_kept_for_it() {
    for seed in 0..200 {
        let mut w = World::new(seed, &["ada", "bob"]);
        w.network.jitter = 2 * SECOND;
        w.preconnect = seed % 2 == 0;
        w.dial("ada", "bob").unwrap();
        w.pass(20 * SECOND);
        w.answer("bob").unwrap();
        w.pass(15 * SECOND);
        assert_eq!(
            (w.state("ada"), w.state("bob")),
            (Some(State::Active), Some(State::Active)),
            "seed {seed}"
        );
    }
}

#[test]
fn a_call_is_heard_of_by_nobody_who_is_not_part_of_it() {
    for (phase, after) in [("before it rings", 55), ("ringing", 1_000), ("talking", 0)] {
        let mut w = World::new(1, &["ada", "bob", "eve"]);
        w.network.doubling = 0.5;
        w.network.jitter = Duration::from_millis(1);
        let call = w.dial("ada", "bob").unwrap();
        w.pass(Duration::from_millis(after));
        if after == 0 {
            w.pass(SECOND);
            w.pick_up("bob");
        }
        assert_ne!(w.people[1].phone.phase(call), PhaseKind::Nothing);
        // Eve knows the id and says so in a session of her own: there is none of that call.
        let leg = ahoy_tests::world::device(2);
        let said = |message| Event::Received { call, leg, message };
        for event in [
            said(Message::End { reason: EndReason::Completed }),
            said(Message::Cancel { reason: CancelReason::Canceled }),
            said(Message::Offer { remaining: SECOND, text: None }),
            said(Message::Ready { offers: false }),
            said(Message::Accept),
            said(Message::State { serial: 99, muted: true, held: true, camera: true, listening: false }),
            Event::Bye { call, leg },
            Event::Undeliverable { call, leg },
        ] {
            for who in 0..2 {
                let before = w.people[who].phone.clone();
                w.event(who, event.clone());
                assert!(before == w.people[who].phone, "{phase}: {event:?} of a stranger does nothing");
            }
        }
        assert!(w.facts("eve").is_empty());
    }
}
