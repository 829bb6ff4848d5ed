//! Do two connections that treat each other as foreign agree, over and over, while both speak?
//!
//! Lives here: exchanges between two real connections over loopback, whose descriptions and candidates a test passes on when it
//! likes. Browsers and others: `bench/src/bin/interop/`.
//! Must not: use sessions, sound, or the rules.

#[cfg(test)]
#[path = "foreign/pair.rs"]
mod pair;

use std::time::Duration;

use ahoy_call::{Description, MediaFault, Opaque, Role, SdpKind};
use ahoyd::media::peer::{Manners, Setup};
use ahoyd::media::transport::{Flow, PathEvent, PathOrder, Renewal};
use ahoyd::system::clock;
use pair::{PATIENCE, Pair, Side};
use tokio::task::JoinSet;

#[tokio::test]
async fn either_side_may_offer_first_or_both() {
    for (polite, impolite) in [(true, false), (false, true), (true, true)] {
        let mut pair = Pair::connect(polite, impolite).await;
        pair.both_are_answered().await;
        pair.both_are_heard("after exchanges").await;
        pair.end().await;
    }
}

#[tokio::test]
async fn an_offer_to_who_takes_no_candidates_later_has_them_all() {
    let mut tasks = JoinSet::new();
    let setup = Setup { foreign: Some(Manners::Polite), whole: true, ..Setup::default() };
    let mut polite = Side::with(Role::Offerer, setup, &mut tasks);
    let mut told = Vec::new();
    let give_up = clock::now() + PATIENCE;
    while told.is_empty() {
        assert!(clock::now() < give_up, "an offer in time");
        told = polite.take();
        clock::sleep(Duration::from_millis(2)).await;
    }
    let [PathOrder::Remote(offer)] = &told[..] else { panic!("something else than an offer: {told:?}") };
    let text = String::from_utf8(offer.body.0.clone()).unwrap();
    assert!(text.contains("a=candidate:") && text.contains("a=end-of-candidates"), "{text}");
    let impolite = Side::begin(Role::Answerer(offer.clone()), Manners::Impolite, &mut tasks);
    let towards = Default::default();
    let mut pair = Pair { polite, impolite, towards, holds: false, tasks };
    pair.both_are_heard("with what the offer says").await;
    pair.both_are_answered().await;
    pair.end().await;
}

#[tokio::test]
async fn both_sides_renewing_at_once_settle_on_one_description_every_time() {
    let mut pair = Pair::connect(true, false).await;
    for _ in 0..10 {
        pair.both_renew(Renewal::Describe, Renewal::Describe).await;
        pair.both_are_answered().await;
    }
    pair.both_are_heard("after ten collisions").await;
    pair.end().await;
}

#[tokio::test]
async fn ice_is_restarted_by_either_side_and_by_both_at_once() {
    let mut pair = Pair::connect(true, false).await;
    pair.polite.order(PathOrder::Renew(Renewal::Restart));
    pair.until("an answer", |pair| pair.impolite.made.1 == 2).await;
    pair.both_are_heard("after the polite one's restart").await;
    pair.impolite.order(PathOrder::Renew(Renewal::Restart));
    pair.until("an answer", |pair| pair.polite.made.1 == 1).await;
    pair.both_are_heard("after the impolite one's restart").await;
    for (polite, impolite) in [
        (Renewal::Restart, Renewal::Restart),
        (Renewal::Restart, Renewal::Describe),
        (Renewal::Describe, Renewal::Restart),
    ] {
        pair.both_renew(polite, impolite).await;
        pair.both_are_answered().await;
        pair.both_are_heard("after two at once").await;
    }
    pair.end().await;
}

#[tokio::test]
async fn who_holds_the_call_sends_nothing_hears_nothing_and_is_heard_again() {
    let mut pair = Pair::connect(false, true).await;
    for (flow, heard_by_polite, heard_by_impolite) in [
        (Flow { send: false, receive: true }, false, true),
        (Flow { send: false, receive: false }, false, false),
        (Flow::BOTH, true, true),
        (Flow { send: true, receive: false }, true, false),
        (Flow { send: false, receive: false }, false, false),
        (Flow::BOTH, true, true),
    ] {
        let (offers, answers) = (pair.impolite.made.0, pair.polite.made.1);
        pair.impolite.order(PathOrder::Flow(flow));
        pair.until("an answer", |pair| pair.impolite.made.0 > offers && pair.polite.made.1 > answers).await;
        // What was under way has come when an exchange more is done.
        pair.both_are_answered().await;
        (pair.polite.heard, pair.impolite.heard) = (0, 0);
        let sent = pair.polite.sequence;
        pair.until("more packets", |pair| pair.polite.sequence > sent + 40).await;
        let heard = (pair.polite.heard > 0, pair.impolite.heard > 0);
        assert_eq!(heard, (heard_by_polite, heard_by_impolite), "{flow:?}");
    }
    pair.end().await;
}

#[tokio::test]
async fn a_voice_gives_way_to_another_without_an_exchange_and_its_reception_is_told() {
    let mut pair = Pair::connect(true, false).await;
    let made = (pair.polite.made, pair.impolite.made);
    pair.polite.voice = vec![2, 2];
    pair.until("the other voice", |pair| pair.impolite.came == [2, 2]).await;
    pair.until("reports", |pair| pair.polite.reported && pair.impolite.reported).await;
    assert_eq!((pair.polite.made, pair.impolite.made), made);
    pair.end().await;
}

#[tokio::test]
async fn nonsense_in_a_call_changes_nothing_and_at_its_beginning_fails_it() {
    let nonsense = Description { kind: SdpKind::Offer, body: Opaque(b"v=0".to_vec()) };
    let mut pair = Pair::connect(true, false).await;
    pair.polite.order(PathOrder::Remote(nonsense.clone()));
    pair.polite.order(PathOrder::Candidates(vec![Opaque(b"{}".to_vec()); 100]));
    pair.both_are_answered().await;
    pair.both_are_heard("after nonsense").await;
    let mut tasks = JoinSet::new();
    let mut begun = Side::begin(Role::Answerer(nonsense), Manners::Polite, &mut tasks);
    let first = clock::timeout(PATIENCE, begun.events.recv()).await.expect("a word in time");
    assert!(matches!(first, Some((_, PathEvent::Failed(MediaFault::Negotiation)))), "{first:?}");
    begun.take();
    drop(begun);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    pair.end().await;
}
