//! Pings: who is answered, and that everybody else gets nothing at all.
//!
//! Lives here: two tables of sessions whose rosters allow it or not.
//! Must not: open a socket or read a clock.

use ahoy_call::CallId;
use ahoy_proto::session::{Called, Ephemeral};

use super::*;
use crate::values::budget;

const JOB: CallId = CallId::from_bytes([0x50; 16]);

impl Phone {
    fn allows(mut self, ping: bool) -> Self {
        self.contacts.iter_mut().for_each(|known| known.ping = ping);
        self.tell();
        self
    }

    fn pings(&mut self, ms: u64, job: CallId, peer: PeerId) -> Vec<Out> {
        self.table.order(at(ms), SignalingOrder::Ping { job, peer })
    }

    fn answers(&mut self, ms: u64, out: &[Out]) -> Vec<Out> {
        let pinged = out.iter().find_map(|it| match it {
            Out::Report(Report::Pinged { call, leg, .. }) => Some((*call, *leg)),
            Out::Report(_) | Out::Post { .. } => None,
        });
        let (call, leg) = pinged.expect("the engine is asked");
        self.table.order(at(ms), SignalingOrder::Pong { call, leg })
    }
}

fn reports(out: &[Out]) -> Vec<&Report> {
    out.iter()
        .filter_map(|it| match it {
            Out::Report(report) => Some(report),
            Out::Post { .. } => None,
        })
        .collect()
}

#[test]
fn between_two_who_both_allow_it_a_ping_is_answered_once_with_the_time_that_it_took() {
    let (ana, ben) = friends();
    let (mut ana, mut ben) = (ana.allows(true), ben.allows(true));
    let message_1 = posts(&ana.pings(0, JOB, ben.peer())).remove(0);
    let came = ben.take(20, &message_1);
    assert!(
        events(&came).is_empty() && posts(&came).is_empty(),
        "nothing rings, and the engine decides: {came:?}"
    );
    let pong = posts(&ben.answers(25, &came)).remove(0);
    let over = ana.take(50, &pong);
    let took = Some(Duration::from_millis(50));
    assert!(
        matches!(&reports(&over)[..], [Report::Mutual(_), Report::PingThere(_, true), Report::PingOver { job: JOB, took: t, .. }] if *t == took),
        "{over:?}"
    );
    ben.drops(Cause::Replayed, |ben| ben.take(60, &message_1));
    ana.drops(Cause::UnknownSession, |ana| ana.take(60, &pong));
    assert!(
        ana.table.deadline().is_none() && ben.table.deadline().is_none_or(|due| due <= at(5_020).now),
        "nothing goes on"
    );
    assert!(ana.table.tick(at(10_000).now).is_empty(), "it was over once");
}

#[test]
fn who_is_not_allowed_gets_nothing_at_all_and_it_is_over_after_five_seconds() {
    let (ana, ben) = friends();
    let (mut ana, mut ben) = (ana.allows(true), ben.allows(false));
    let message_1 = posts(&ana.pings(0, JOB, ben.peer())).remove(0);
    ben.drops(Cause::Unsupported, |ben| ben.take(20, &message_1));
    let mut last = Vec::new();
    for ms in (500..=5_000).step_by(500) {
        assert!(reports(&last).is_empty(), "{last:?}");
        last = ana.table.tick(at(ms).now);
    }
    assert!(matches!(&reports(&last)[..], [Report::PingOver { job: JOB, took: None, .. }]), "{last:?}");
    assert!(ana.table.deadline().is_none(), "and nothing goes on");
}

#[test]
fn a_ping_that_the_engine_does_not_answer_is_forgotten_and_its_copies_ask_no_more() {
    let (ana, ben) = friends();
    let (mut ana, mut ben) = (ana.allows(true), ben.allows(true));
    let message_1 = posts(&ana.pings(0, JOB, ben.peer())).remove(0);
    ben.take(20, &message_1);
    ben.drops(Cause::TooMany, |ben| ben.take(40, &message_1));
    assert_eq!(ben.table.deadline(), Some(at(5_020).now));
    assert!(ben.table.tick(at(5_020).now).is_empty());
    ben.drops(Cause::Replayed, |ben| ben.take(5_030, &message_1));
    assert!(ben.table.deadline().is_none());
}

#[test]
fn what_a_contact_makes_us_do_by_pinging_is_bounded() {
    let (ana, ben) = friends();
    let (mut ana, mut ben) = (ana.allows(true), ben.allows(true));
    let mut answered = 0;
    // Two a second for a minute; each is a ping of its own.
    for n in 0..120_u8 {
        let ms = 500 * u64::from(n);
        let out = ana.pings(ms, CallId::from_bytes([n; 16]), ben.peer());
        for message_1 in posts(&out) {
            let came = ben.take(ms + 1, &message_1);
            if !came.is_empty() {
                answered += posts(&ben.answers(ms + 2, &came)).len();
            }
        }
        ana.table.tick(at(ms + 10).now);
    }
    let most = usize::try_from(budget::PINGS.burst + budget::PINGS.minute).unwrap();
    assert!((6..=most).contains(&answered), "{answered} answers");
    assert!(ben.table.marks().made() == 0, "and the disk nothing");
}

#[test]
fn a_ring_says_whether_its_sender_lets_the_other_see_and_so_does_its_answer() {
    let (ana, ben) = friends();
    let (mut ana, mut ben) = (ana.allows(true), ben.allows(false));
    let message_1 = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    let rung = ben.take(10, &message_1);
    assert!(reports(&rung).iter().any(|it| matches!(it, Report::PingThere(_, true))), "{rung:?}");
    let message_2 = posts(&ben.send(20, ana.leg(), Message::Ready { offers: false })).remove(0);
    let ready = ana.take(30, &message_2);
    assert!(reports(&ready).iter().any(|it| matches!(it, Report::PingThere(_, false))), "{ready:?}");
}

#[test]
fn a_ping_names_a_place_for_its_answer_and_rings_nobody() {
    let (ana, ben) = friends();
    let mut ana = ana.allows(true);
    let message_1 = posts(&ana.pings(0, JOB, ben.peer())).remove(0);
    let own = (&ben.own.noise, ben.own.certificate.device());
    let (_, hello) = Called::open(own.0, own.1, &Ephemeral([1; 32]), message_1.body.bytes()).unwrap();
    assert!(
        hello.kind == HelloKind::Ping && hello.reply.is_some() && hello.lifetime == Duration::from_secs(5)
    );
}

#[test]
fn where_each_has_a_relay_of_their_own_the_answer_goes_by_the_one_that_brought_the_ping() {
    let (of_ana, of_ben) = ("wss://ana.example", "wss://ben.example");
    let (mut ana, mut ben) = (Phone::at(1, of_ana), Phone::at(2, of_ben));
    let (card_of_ana, card_of_ben) = (ana.card(11), ben.card(22));
    ana.add(card_of_ben);
    ben.add(card_of_ana);
    ben.contacts[0].preconnect = false;
    let (mut ana, mut ben) = (ana.allows(true), ben.allows(true));
    let out = ana.pings(0, JOB, ben.peer());
    assert_eq!(relays(&out), [of_ben]);
    let made = ana.table.reply_inboxes().next().unwrap().clone();
    assert!(made.key.is_some() && made.relays == [of_ben], "claimed there for as long as the ping lasts");
    let came = ben.take_by(20, of_ben, true, &posted(&out).remove(0).1);
    let out = ben.answers(30, &came);
    assert_eq!(relays(&out), [of_ben], "Ana's relay hears nothing of Ben");
    let over = ana.take_by(40, of_ben, false, &posted(&out).remove(0).1);
    assert!(reports(&over).iter().any(|it| matches!(it, Report::PingOver { took: Some(_), .. })), "{over:?}");
    assert!(ana.table.reply_inboxes().next().is_none() && ana.table.relays().next().is_none());
}
