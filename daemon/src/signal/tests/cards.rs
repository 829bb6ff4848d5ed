//! Cards that travel: ours until a relay has them, theirs, and those of strangers who ask.
//!
//! Lives here: the tests of cards, between the same two tables.
//! Must not: open a socket or read a clock.

use super::*;

fn give(ana: &mut Phone, ms: u64, to: PeerId, card: &Card, news: bool) -> Vec<Out> {
    let order = SignalingOrder::GiveCard { peer: to, card: Box::new(card.clone()), news };
    ana.table.order(at(ms), order)
}

fn asked(out: &[Out]) -> Vec<(TokenHash, PeerId)> {
    out.iter()
        .filter_map(|it| match it {
            Out::Report(Report::Asked { token, card }) => {
                Some((TokenHash::from_bytes(*token), card.peer_id()))
            }
            Out::Report(_) | Out::Post { .. } => None,
        })
        .collect()
}

fn over(out: &[Out]) -> Vec<Option<u64>> {
    out.iter()
        .filter_map(|it| match it {
            Out::Report(Report::CardTaken(_, revision)) => Some(Some(*revision)),
            Out::Report(Report::CardNotTaken(_)) => Some(None),
            Out::Report(_) | Out::Post { .. } => None,
        })
        .collect()
}

/// Ana has Ben's card and Ben has not hers; the card that she sends him.
fn one_sided() -> (Phone, Phone, Card) {
    let (mut ana, mut ben) = (Phone::new(1), Phone::new(2));
    let theirs = ben.card(22);
    ana.add(theirs);
    ben.tell();
    let ours = ana.card(11);
    ana.tell();
    (ana, ben, ours)
}

#[test]
fn a_card_waits_a_week_at_the_relay_and_comes_to_a_contact_once_and_nothing_is_answered() {
    let (mut ana, mut ben) = friends();
    let newer = ana.card(12);
    let out = give(&mut ana, 0, ben.peer(), &newer, false);
    let sent = posts(&out).remove(0);
    assert_eq!(sent.ttl.duration(), Duration::from_secs(7 * 24 * 3_600));
    assert_eq!(over(&ana.table.accepted(RELAY, sent.id)), [Some(1)]);
    assert_eq!(ana.table.deadline(), None, "taken: nothing is repeated");
    let out = ben.take_after(10, Duration::from_secs(3_600), &sent);
    assert!(posts(&out).is_empty(), "nobody learns that it came");
    let came = out.iter().any(
        |it| matches!(it, Out::Report(Report::Card(peer, card)) if *peer == ana.peer() && **card == newer),
    );
    let mutual = out.iter().any(|it| matches!(it, Out::Report(Report::Mutual(peer)) if *peer == ana.peer()));
    assert!(came && mutual, "{out:?}");
    ben.tokens[0].bound = Some(ana.peer());
    ben.tell();
    ben.drops(Cause::Replayed, |ben| ben.take(20, &sent));
}

#[test]
fn a_card_that_no_relay_takes_is_said_to_be_lost_and_one_without_a_way_at_once() {
    let (mut ana, ben) = friends();
    let card = ana.card(12);
    let first = posts(&give(&mut ana, 0, ben.peer(), &card, false)).remove(0);
    let (mut last, mut said) = (0, Vec::new());
    while let Some(due) = ana.table.deadline() {
        let out = ana.table.tick(due);
        assert!(posts(&out).iter().all(|again| (again.id, &again.body) == (first.id, &first.body)));
        said.extend(over(&out));
        last = due.micros() / 1_000_000;
    }
    assert_eq!(said, [None]);
    assert!((60..70).contains(&last), "{last}");
    let stranger = Phone::new(3);
    assert_eq!(over(&give(&mut ana, 0, stranger.peer(), &card, false)), [None]);
}

#[test]
fn news_go_to_who_may_not_learn_our_address_by_our_own_relays_alone() {
    let (mut ana, mut ben) = (Phone::new(1), Phone::at(2, "wss://elsewhere.example"));
    let theirs = ben.card(22);
    ana.add(theirs);
    ana.contacts[0].preconnect = false;
    ana.tell();
    let card = ana.card(11);
    let out = give(&mut ana, 0, ben.peer(), &card, true);
    assert!(posted(&out).is_empty() && over(&out) == [None], "{out:?}");
    let out = give(&mut ana, 1, ben.peer(), &card, false);
    assert_eq!(relays(&out), ["wss://elsewhere.example"], "a person has just added them");
}

#[test]
fn a_stranger_with_a_card_of_ours_asks_and_binds_nothing_and_without_it_gets_exactly_nothing() {
    let (mut ana, mut ben, ours) = one_sided();
    let sent = posts(&give(&mut ana, 0, ben.peer(), &ours, false)).remove(0);
    let out = ben.take(10, &sent);
    assert_eq!(asked(&out), [(Token::from_bytes([22; 16]).hash(), ana.peer())]);
    assert_eq!(out.len(), 1, "nothing else is reported, nothing is sent: {out:?}");
    // A ring of hers is still nobody's.
    let ring = posts(&ana.ring(20, ben.peer(), ben.leg())).remove(0);
    ben.drops(Cause::UnknownSender, |ben| ben.take(30, &ring));
    // With a token that is another's, or none of ours.
    ben.tokens[0].bound = Some(PeerId::from_bytes([9; 16]));
    ben.tell();
    ben.drops(Cause::ForeignToken, |ben| ben.take(40, &sent));
    ben.tokens.clear();
    ben.tell();
    ben.drops(Cause::UnknownToken, |ben| ben.take(50, &sent));
}

#[test]
fn a_stranger_may_send_its_own_card_alone_and_no_relay_may_put_another_token_beside_it() {
    let (mut ana, mut ben, ours) = one_sided();
    let mut eve = Phone::new(3);
    eve.add(ben.card(33));
    ben.tell();
    // Ana's card in a message of Eve's.
    let stolen = posts(&give(&mut eve, 0, ben.peer(), &ours, false)).remove(0);
    ben.drops(Cause::UnknownSender, |ben| ben.take(10, &stolen));
    let sent = posts(&give(&mut ana, 0, ben.peer(), &ours, false)).remove(0);
    let moved = Envelope { token: Token::from_bytes([33; 16]), ..sent };
    ben.drops(Cause::ForeignToken, |ben| ben.take(20, &moved));
    // Ana's account with a device that is not on the card.
    let (mut other, card) = (Phone::new(1), Phone::new(1).card(11));
    other.add(ben.card(44));
    ben.tell();
    let device = SigningKey::from_bytes(&[77; 32]);
    let noise = x25519_dalek::StaticSecret::from([78; 32]);
    let certificate = DeviceCertificate::sign(
        other.own.holder().unwrap(),
        &device.verifying_key(),
        &PublicKey::from(&noise),
        "desk",
        1,
        2_000,
    );
    other.own = Arc::new(Own { device, noise, certificate: certificate.unwrap(), ..Own::clone(&other.own) });
    other.tell();
    let foreign = posts(&give(&mut other, 0, ben.peer(), &card, false)).remove(0);
    ben.drops(Cause::UnknownDevice, |ben| ben.take(30, &foreign));
}

#[test]
fn who_is_blocked_or_comes_from_the_past_or_asks_too_often_is_not_heard() {
    let (mut ana, mut ben) = friends();
    let card = ana.card(12);
    let sent = posts(&give(&mut ana, 0, ben.peer(), &card, false)).remove(0);
    ben.contacts[0].blocked = true;
    ben.tell();
    ben.drops(Cause::Blocked, |ben| ben.take(10, &sent));

    let (mut ana, mut ben, ours) = one_sided();
    let mut heard = 0;
    for n in 0..20 {
        let sent = posts(&give(&mut ana, n, ben.peer(), &ours, false)).remove(0);
        heard += asked(&ben.take(n, &sent)).len();
    }
    assert_eq!(heard, 2, "of one person");
    // Who has a copy of that card has not used it up for its owner.
    let mut owner = Phone::new(3);
    owner.add(ana.cards[&ben.peer()].clone());
    let own = owner.card(33);
    let sent = posts(&give(&mut owner, 20, ben.peer(), &own, false)).remove(0);
    assert_eq!(asked(&ben.take(20, &sent)).len(), 1);
    let sent = posts(&give(&mut ana, 30, ben.peer(), &ours, false)).remove(0);
    let late = Time { unix_s: UNIX_S + 9 * 86_400, ..at(7_200_000) };
    let came = came(sent.token.hash());
    let total = ben.table.dropped().of(Cause::Expired) + ben.table.dropped().of(Cause::Replayed);
    assert!(ben.table.delivered(late, came, sent.body.bytes()).is_empty());
    assert_eq!(ben.table.dropped().of(Cause::Expired) + ben.table.dropped().of(Cause::Replayed), total + 1);
}

#[test]
fn a_contact_s_new_device_brings_the_card_that_names_it() {
    let (mut ana, mut ben) = friends();
    let noise = x25519_dalek::StaticSecret::from([78; 32]);
    let device = SigningKey::from_bytes(&[77; 32]);
    let certificate = DeviceCertificate::sign(
        ana.own.holder().unwrap(),
        &device.verifying_key(),
        &PublicKey::from(&noise),
        "new desk",
        1,
        2_000,
    );
    ana.own = Arc::new(Own { device, noise, certificate: certificate.unwrap(), ..Own::clone(&ana.own) });
    ana.tell();
    let ring = posts(&ana.ring(0, ben.peer(), ben.leg())).remove(0);
    ben.drops(Cause::UnknownDevice, |ben| ben.take(10, &ring));
    let card = ana.card(12);
    let sent = posts(&give(&mut ana, 20, ben.peer(), &card, false)).remove(0);
    let out = ben.take(30, &sent);
    assert!(out.iter().any(|it| matches!(it, Out::Report(Report::Card(..)))), "{out:?}");
}
