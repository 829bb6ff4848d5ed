//! Is what one member signs what another reads, and nothing else?
//!
//! Lives here: news with signatures, whole, bent and foreign.
//! Must not: judge what entries come to.

use ahoy_call::group::{Age, Ending, Gone, Head, Invited, Presence, Removed};
use ahoy_call::{CallId, DeclineReason, EndReason, GroupId, Scope};
use ed25519_dalek::VerifyingKey;

use super::*;
use crate::codec;

/// A device with keys made of one number.
fn card(seed: u8) -> (SigningKey, CallCard) {
    let account = SigningKey::from_bytes(&[seed; 32]);
    let device = SigningKey::from_bytes(&[seed + 100; 32]);
    let noise = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from([seed + 50; 32]));
    let public: VerifyingKey = device.verifying_key();
    let certificate = DeviceCertificate::sign(&account, &public, &noise, "desk", 1_000, 2_000).unwrap();
    let inboxes =
        vec![InboxAt { relay: "wss://relay.example".to_owned(), inbox: Inbox::from_bytes([seed; 16]) }];
    let [name, group] = ["Ana", "Books"].map(|text| Words::of(text, NAME));
    (device, CallCard { certificate, inboxes, name, group, token: Token::from_bytes([seed; 16]) })
}

fn start() -> Start {
    let (_, card) = card(1);
    let (leg, peer) = (card.certificate.leg_id(), card.certificate.peer_id());
    Start { call: CallId::from_bytes([7; 16]), leg, peer, group: Some(GroupId::from_bytes([8; 16])) }
}

fn statement(presence: Presence) -> Statement {
    let peer = PeerId::from_bytes([5; 16]);
    Statement {
        number: 3,
        presence,
        invited: vec![Invited { peer, devices: 2, at: Age(0) }],
        removed: vec![Removed { peer, at: Age(9) }],
        gone: vec![Gone { leg: LegId::from_bytes([6; 16]), number: 2, at: Age(8) }],
        ended: Some(Ending { reason: EndReason::EndedByHost, at: Age(10) }),
        rooms: true,
    }
}

fn own_entry(seed: u8, presence: Presence) -> Entry {
    let (_, card) = card(seed);
    let (author, peer) = (card.certificate.leg_id(), card.certificate.peer_id());
    Entry { author, peer, statement: statement(presence), seal: Opaque(Vec::new()), print: 0 }
}

fn news(entries: Vec<Entry>) -> News {
    let heads = entries.iter().map(|entry| Head {
        author: entry.author,
        number: entry.statement.number,
        print: 0,
        contradicted: false,
    });
    let told = vec![LegId::from_bytes([4; 16])];
    News { start: start(), age: Age(1_234), heads: heads.collect(), entries, told }
}

fn sealed(seed: u8, presence: Presence) -> Message {
    let (device, card) = card(seed);
    let mut message = Message::Log(Box::new(news(vec![own_entry(seed, presence)])));
    seal(&mut message, &Sealer { device: &device, card: &card }).unwrap();
    message
}

const JOINED: Presence = Presence::Joined { at: Age(5) };

fn read(message: &Message) -> News {
    match codec::decode(&codec::encode(message).unwrap()) {
        Ok(Some(Message::Log(news) | Message::Invite { news, .. })) => *news,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_one_member_signs_another_reads() {
    let declined = |reason, scope| Presence::Declined { reason, scope, at: Age(6) };
    for presence in [
        JOINED,
        Presence::Left { joined: Some(Age(5)), at: Age(6) },
        Presence::Left { joined: None, at: Age(6) },
        declined(DeclineReason::Declined, Scope::Everywhere),
        declined(DeclineReason::Busy, Scope::ThisDevice),
    ] {
        let message = sealed(2, presence);
        let Message::Log(sent) = &message else { panic!("a log") };
        let read = read(&message);
        assert_eq!(read, **sent);
        let entry = &read.entries[0];
        assert_eq!(entry.statement, statement(presence));
        assert_eq!((entry.author, entry.peer), (own_entry(2, JOINED).author, own_entry(2, JOINED).peer));
        assert_eq!(read.heads[0].print, entry.print, "the head tells which entry it means");
        assert_eq!(card_of(&entry.seal).unwrap(), card(2).1, "where the author is reached for this call");
    }
}

#[test]
fn the_same_statement_is_signed_into_the_same_bytes_and_passed_on_as_it_was() {
    let (one, other) = (read(&sealed(2, JOINED)), read(&sealed(2, JOINED)));
    assert_eq!(one.entries, other.entries);
    // A third passes it on, beside an entry of its own.
    let mut on = Message::Log(Box::new(news(vec![one.entries[0].clone(), own_entry(3, JOINED)])));
    let (device, card) = card(3);
    seal(&mut on, &Sealer { device: &device, card: &card }).unwrap();
    let heard = read(&on);
    assert_eq!(heard.entries[0], one.entries[0]);
    assert_eq!(heard.entries.len(), 2);
}

#[test]
fn two_statements_under_one_number_have_two_prints() {
    let (one, other) = (read(&sealed(2, JOINED)), read(&sealed(2, Presence::Joined { at: Age(6) })));
    assert_eq!(one.entries[0].statement.number, other.entries[0].statement.number);
    assert_ne!(one.entries[0].print, other.entries[0].print);
}

#[test]
fn an_entry_that_was_not_sealed_is_never_written() {
    let message = Message::Log(Box::new(news(vec![own_entry(2, JOINED)])));
    assert_eq!(codec::encode(&message), Err(CodecError::OutOfRange("seal")));
}

#[test]
fn what_is_forged_altered_or_of_another_call_is_left_out_and_the_rest_is_read() {
    let good = read(&sealed(2, JOINED)).entries.remove(0);
    // Signed by another device than the certificate's.
    let mut forged = Message::Log(Box::new(news(vec![own_entry(2, JOINED)])));
    let ((thief, _), (_, card)) = (card(3), card(2));
    seal(&mut forged, &Sealer { device: &thief, card: &card }).unwrap();
    let Message::Log(forged) = forged else { panic!("a log") };
    let entries = [vec![good.clone()], forged.entries].concat();
    assert_eq!(read(&Message::Log(Box::new(news(entries)))).entries, std::slice::from_ref(&good));
    // Every byte of it counts.
    for at in [0, 63, 64, 200, good.seal.0.len() - 1] {
        let mut altered = good.clone();
        altered.seal.0[at] ^= 1;
        let entries = vec![altered, good.clone()];
        let read = read(&Message::Log(Box::new(news(entries)))).entries;
        assert_eq!(read, std::slice::from_ref(&good), "byte {at}");
    }
    // Of another call, or of one that another began.
    for start in [
        Start { call: CallId::from_bytes([9; 16]), ..start() },
        Start { leg: LegId::from_bytes([9; 16]), ..start() },
        Start { group: None, ..start() },
    ] {
        let message = Message::Log(Box::new(News { start, ..news(vec![good.clone()]) }));
        assert!(read(&message).entries.is_empty());
    }
}

#[test]
fn bounds_hold_both_ways() {
    let good = read(&sealed(2, JOINED)).entries.remove(0);
    let many = Message::Log(Box::new(news(vec![good.clone(); 9])));
    assert_eq!(codec::encode(&many), Err(CodecError::OutOfRange("entries")));
    let told = vec![LegId::from_bytes([1; 16]); 65];
    let told = Message::Log(Box::new(News { told, ..news(Vec::new()) }));
    assert_eq!(codec::encode(&told), Err(CodecError::OutOfRange("told")));
    let (device, card) = card(2);
    let peer = PeerId::from_bytes([5; 16]);
    let invited = vec![Invited { peer, devices: 1, at: Age(0) }; 25];
    let wide = Entry { statement: Statement { invited, ..statement(JOINED) }, ..own_entry(2, JOINED) };
    let mut wide = Message::Log(Box::new(news(vec![wide, good])));
    seal(&mut wide, &Sealer { device: &device, card: &card }).unwrap();
    assert_eq!(read(&wide).entries.len(), 1, "an entry outside its bounds is none");
    // Eight entries, each as long as those of honest programs get, and all heads fit one message.
    let full = statement(JOINED);
    let invited = vec![Invited { peer, devices: 8, at: Age(u64::from(u32::MAX)) }; 24];
    let full = Entry { statement: Statement { invited, ..full }, ..own_entry(2, JOINED) };
    let mut full = Message::Log(Box::new(news(vec![full])));
    seal(&mut full, &Sealer { device: &device, card: &card }).unwrap();
    assert!(codec::encode(&full).is_ok());
}

#[test]
fn an_age_that_lies_is_cut_and_a_reason_of_a_later_version_is_the_nearest() {
    let old = Message::Log(Box::new(News { age: Age(u64::MAX), ..news(Vec::new()) }));
    assert_eq!(read(&old).age, ahoy_call::group::OLDEST);
    let body = WireStatement::of(&statement(JOINED));
    let mut json = serde_json::to_value(&body).unwrap();
    json["ended"]["reason"] = "translated".into();
    let read: WireStatement = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(read.read().unwrap().ended.unwrap().reason, EndReason::EndedByHost);
    json["presence"] = "listening".into();
    let later: WireStatement = serde_json::from_value(json).unwrap();
    assert_eq!(later.read(), None, "who is neither in nor out cannot be shown");
}
