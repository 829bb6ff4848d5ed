//! Does the relay keep its rules? The switchboard alone, without sockets and clocks.
//!
//! Lives here: one test a rule, and the people they are about.
//! Must not: open a socket or wait.

#[path = "switchboard/floods.rs"]
mod floods;
#[path = "switchboard/pairing.rs"]
mod pairing;
#[path = "switchboard/rig.rs"]
mod rig;
#[path = "switchboard/rooms.rs"]
mod rooms;

use std::time::Duration;

use ahoy_proto::envelope::{Body, Envelope, EnvelopeId, Token, TokenHash, Ttl};
use ahoy_proto::frame::{Claim, CloseCode, Deliver, Nonce, ToClient, ToRelay, Why};
use ahoy_proto::limits;
use ahoy_relay::budgets::SETTLED_AFTER;
use ahoy_relay::switchboard::{ClientId, Delivery, What};
use rig::{Owner, Relay, bytes, closed, delivered, id, to, wrong_token};

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_claimed_inbox_gets_what_is_sent_to_it_and_is_told_the_token() {
    let mut r = Relay::new();
    let ana = Owner::new(1);
    let (at, welcome) = r.claim(&ana);
    let [Delivery { what: What::Say(ToClient::Welcome { limits, ice_servers }), .. }] = &welcome[..] else {
        panic!("no welcome: {welcome:?}");
    };
    assert_eq!((limits.mailbox, ice_servers.len()), (64, 2));
    assert!(ice_servers[1].username.starts_with("1700003600:"), "an hour from now");
    let ben = r.sender();
    let out = r.say(ben, ToRelay::Send(to(&ana, 1)));
    assert_eq!(out[0], Delivery { to: ben, what: What::Say(ToClient::Accepted { id: id(1) }) });
    let body = Body::try_from(vec![0, 0, 0, 1]).unwrap();
    let deliver = Deliver { id: id(1), held_ms: 0, token: ana.listed[0].hash(), body };
    assert_eq!(out[1..], [Delivery { to: at, what: What::Say(ToClient::Deliver(deliver)) }]);
}

#[test]
fn a_sender_reads_the_same_bytes_whatever_becomes_of_the_envelope() {
    let answers = |prepare: &dyn Fn(&mut Relay, &Owner), envelope: &dyn Fn(&Owner, u32) -> Envelope| {
        let mut r = Relay::new();
        let ana = Owner::new(1);
        prepare(&mut r, &ana);
        let ben = r.sender();
        let mut seen = Vec::new();
        for n in 0..150 {
            // What is written at once, before anything is looked up, and all that ever comes.
            let at_once = r.board.handle(r.now, ben, ToRelay::Send(envelope(&ana, n)));
            assert_eq!(
                at_once.iter().filter(|d| d.to == ben).count(),
                at_once.len(),
                "nothing for others yet"
            );
            seen.extend(bytes(&at_once, ben));
            seen.extend(bytes(&r.after(Duration::from_millis(1)), ben));
        }
        seen
    };
    let online = |r: &mut Relay, ana: &Owner| drop(r.claim(ana));
    let offline = |r: &mut Relay, ana: &Owner| {
        let (at, _) = r.claim(ana);
        r.board.disconnect(r.now, at);
    };
    let unknown = |_: &mut Relay, _: &Owner| {};
    let wrong = |ana: &Owner, n| wrong_token(to(ana, n));
    let reference = answers(&online, &to);
    assert_eq!(reference.len(), 150);
    let refused = reference.iter().filter(|line| line.contains("rate"));
    assert_eq!(refused.count(), 50, "limits count in each case");
    for (name, other) in [
        ("offline", answers(&offline, &to)),
        ("unknown inbox", answers(&unknown, &to)),
        ("wrong token, online", answers(&online, &wrong)),
        ("wrong token, offline", answers(&offline, &wrong)),
    ] {
        assert_eq!(reference, other, "{name}");
    }
}

#[test]
fn a_wrong_token_delivers_nothing_and_keeps_nothing() {
    let (mut r, ana, at) = Relay::with_ana();
    let ben = r.sender();
    let out = r.say(ben, ToRelay::Send(wrong_token(to(&ana, 1))));
    assert_eq!(delivered(&out, at), []);
    let allow = ToRelay::Allow { tokens: vec![Token::from_bytes([99; 16]).hash()], more: false };
    assert_eq!(delivered(&r.say(at, allow), at), [], "nor later");
    let out = r.say(ben, ToRelay::Send(wrong_token(to(&ana, 2))));
    assert_eq!(delivered(&out, at), [id(2)], "from then on it is listed");
}

#[test]
fn mail_waits_for_its_owner_and_comes_again_until_it_is_acknowledged() {
    let (mut r, ana, at) = Relay::with_ana();
    let ben = r.left_by(at);
    r.say(ben, ToRelay::Send(to(&ana, 1)));
    r.say(ben, ToRelay::Send(to(&ana, 2)));
    r.after(Duration::from_secs(5));
    let (at, out) = r.claim(&ana);
    assert_eq!(delivered(&out, at), [id(1), id(2)]);
    assert!(out.iter().any(|d| matches!(&d.what, What::Say(ToClient::Deliver(d)) if d.held_ms == 5_000)));
    r.say(at, ToRelay::Ack { id: id(1) });
    r.board.disconnect(r.now, at);
    let (at, out) = r.claim(&ana);
    assert_eq!(delivered(&out, at), [id(2)]);
}

#[test]
fn mail_ends_with_its_ttl_and_no_later_than_a_week() {
    let (mut r, ana, at) = Relay::with_ana();
    r.after(SETTLED_AFTER);
    let ben = r.left_by(at);
    r.say(ben, ToRelay::Send(to(&ana, 1)));
    let long = Ttl::new(1_000 * HOUR);
    r.say(ben, ToRelay::Send(Envelope { ttl: long, ..to(&ana, 2) }));
    r.after(Duration::from_secs(60));
    let (at, out) = r.claim(&ana);
    assert_eq!(delivered(&out, at), [id(2)]);
    r.board.disconnect(r.now, at);
    // Her list lives seven days from now, the envelope a minute less.
    r.after(7 * 24 * HOUR - Duration::from_secs(60));
    let (at, out) = r.claim(&ana);
    assert_eq!(delivered(&out, at), []);
}

#[test]
fn one_copy_waits_and_one_that_was_acknowledged_may_come_again() {
    let (mut r, ana, at) = Relay::with_ana();
    let ben = r.sender();
    assert_eq!(delivered(&r.say(ben, ToRelay::Send(to(&ana, 1))), at), [id(1)]);
    let out = r.say(ben, ToRelay::Send(to(&ana, 1)));
    assert_eq!(bytes(&out, ben).len(), 1, "accepted as ever");
    assert_eq!(delivered(&out, at), [], "but not delivered twice");
    r.say(at, ToRelay::Ack { id: id(1) });
    assert_eq!(delivered(&r.say(ben, ToRelay::Send(to(&ana, 1))), at), [id(1)]);
}

#[test]
fn a_full_mailbox_is_delivered_in_parts_that_fit_the_queue() {
    let (mut r, ana, at) = Relay::with_ana();
    let ben = r.left_by(at);
    for n in 0..70 {
        let body = Body::try_from(vec![0; limits::BODY_BYTES]).unwrap();
        r.say(ben, ToRelay::Send(Envelope { body, ..to(&ana, n) }));
    }
    let (at, mut out) = r.claim(&ana);
    let mut got: Vec<EnvelopeId> = Vec::new();
    loop {
        let new = delivered(&out, at);
        let size: usize = bytes(&out, at).iter().map(String::len).sum();
        assert!(out.len() <= limits::QUEUE_MESSAGES && size < limits::QUEUE_BYTES, "{} {size}", out.len());
        got.extend(&new);
        let Some(next) = new.first() else { break };
        out = r.say(at, ToRelay::Ack { id: *next });
        for id in &new[1..] {
            out.extend(r.say(at, ToRelay::Ack { id: *id }));
        }
    }
    assert_eq!(got, (6..70).map(id).collect::<Vec<_>>(), "the last 64, in order, each once");
}

#[test]
fn nobody_claims_anothers_inbox_or_with_an_old_nonce() {
    let (mut r, ana, at) = Relay::with_ana();
    let eve = r.connect();
    let mine = r.hello(eve);
    let forged = Claim {
        key: ana.key.verifying_key().to_bytes(),
        ..Claim::sign(&Owner::new(2).key, &mine, vec![], false)
    };
    assert_eq!(closed(&r.say(eve, ToRelay::Claim(forged))), [(eve, CloseCode::Policy)]);
    let eve = r.connect();
    r.hello(eve);
    let replayed = Claim::sign(&ana.key, &mine, vec![], false);
    assert_eq!(closed(&r.say(eve, ToRelay::Claim(replayed))), [(eve, CloseCode::Policy)]);
    let ben = r.sender();
    assert_eq!(delivered(&r.say(ben, ToRelay::Send(to(&ana, 1))), at), [id(1)], "the owner noticed nothing");
}

#[test]
fn a_newer_connection_displaces_the_older_whose_close_does_it_no_harm() {
    let mut r = Relay::new();
    let ana = Owner::new(1);
    let (older, _) = r.claim(&ana);
    let (newer, out) = r.claim(&ana);
    assert_eq!(closed(&out), [(older, CloseCode::Displaced)]);
    r.board.disconnect(r.now, older);
    let ben = r.sender();
    let out = r.say(ben, ToRelay::Send(to(&ana, 1)));
    assert_eq!(delivered(&out, newer), [id(1)]);
    assert_eq!(delivered(&out, older), []);
    r.after(8 * 24 * HOUR);
    let carol = r.sender();
    let out = r.say(carol, ToRelay::Send(to(&ana, 2)));
    assert_eq!(delivered(&out, newer), [id(2)], "nor does it make the list end");
}

#[test]
fn who_neither_claims_nor_sends_within_ten_seconds_is_closed() {
    let mut r = Relay::new();
    let ana = Owner::new(1);
    let silent = r.connect();
    let greets = r.connect();
    r.hello(greets);
    let sends = r.sender();
    r.say(sends, ToRelay::Send(to(&ana, 1)));
    let (claims, _) = r.claim(&ana);
    assert_eq!(closed(&r.after(Duration::from_micros(9_999_999))), []);
    let out = r.after(Duration::from_micros(1));
    assert_eq!(closed(&out), [(silent, CloseCode::Policy), (greets, CloseCode::Policy)]);
    assert_eq!(closed(&r.after(Duration::from_micros(49_999_999))), []);
    let after = r.after(Duration::from_micros(1));
    assert_eq!(closed(&after), [(sends, CloseCode::Policy)], "a minute of nothing");
    assert_eq!(closed(&r.after(HOUR)), []);
    assert!(sends != claims && r.board.len() == 1);
}

#[test]
fn revoking_a_token_ends_what_came_with_it() {
    let (mut r, ana, at) = Relay::with_ana();
    let ben = r.left_by(at);
    r.say(ben, ToRelay::Send(to(&ana, 1)));
    let unlisted = Owner { listed: vec![Token::from_bytes([50; 16])], ..Owner::new(1) };
    let (at, out) = r.claim(&unlisted);
    assert_eq!(delivered(&out, at), [], "a claim's list replaces the one before");
    let out = r.say(ben, ToRelay::Send(to(&unlisted, 2)));
    assert_eq!(delivered(&out, at), [id(2)]);
    r.say(at, ToRelay::Revoke { tokens: unlisted.tokens() });
    assert_eq!(delivered(&r.say(ben, ToRelay::Send(to(&unlisted, 3))), at), []);
}

#[test]
fn a_list_that_comes_in_parts_decides_when_it_is_whole() {
    let mut r = Relay::new();
    let ana =
        Owner { listed: (0..3_000_u32).map(|n| Token::from_bytes(id(n).bytes())).collect(), ..Owner::new(1) };
    let all = ana.tokens();
    let at = r.connect();
    let nonce = r.hello(at);
    r.say(at, ToRelay::Claim(Claim::sign(&ana.key, &nonce, all[..1_024].to_vec(), true)));
    let ben = r.sender();
    for (n, token) in [(1, ana.listed[5]), (2, ana.listed[2_999]), (3, Token::from_bytes([99; 16]))] {
        let out = r.say(ben, ToRelay::Send(Envelope { token, ..to(&ana, n) }));
        assert_eq!(delivered(&out, at), []);
    }
    let out = r.say(at, ToRelay::Allow { tokens: all[1_024..2_048].to_vec(), more: true });
    assert_eq!(delivered(&out, at), []);
    let out = r.say(at, ToRelay::Allow { tokens: all[2_048..].to_vec(), more: false });
    assert_eq!(delivered(&out, at), [id(1), id(2)]);
}

#[test]
fn a_list_has_an_end() {
    let mut r = Relay::new();
    let (at, _) = r.claim(&Owner::new(1));
    let tokens = |from: u32| (from..from + 1_024).map(|n| TokenHash::from_bytes(id(n).bytes())).collect();
    for part in 0..15 {
        assert_eq!(r.say(at, ToRelay::Allow { tokens: tokens(part * 1_024), more: false }), []);
    }
    let out = r.say(at, ToRelay::Allow { tokens: tokens(15 * 1_024), more: false });
    assert_eq!(bytes(&out, at), [r#"{"kind":"refused","why":"too-many-tokens"}"#]);
}

#[test]
fn a_list_is_forgotten_seven_days_after_its_owner_left() {
    let (mut r, ana, at) = Relay::with_ana();
    r.after(SETTLED_AFTER);
    r.board.disconnect(r.now, at);
    r.after(7 * 24 * HOUR - Duration::from_secs(1));
    let ben = r.sender();
    r.say(ben, ToRelay::Send(to(&ana, 1)));
    let (at, out) = r.claim(&ana);
    assert_eq!(delivered(&out, at), [id(1)], "a second before, mail still waits");
    r.say(at, ToRelay::Ack { id: id(1) });
    r.board.disconnect(r.now, at);
    r.after(7 * 24 * HOUR);
    let ben = r.sender();
    r.say(ben, ToRelay::Send(to(&ana, 2)));
    let (at, out) = r.claim(&ana);
    assert_eq!(delivered(&out, at), [], "and then no more");
    assert_eq!(bytes(&out, at).len(), 1);
}

#[test]
fn who_claims_nothing_may_send_a_hundred_a_minute_and_is_not_refused_for_its_neighbours() {
    let mut r = Relay::new();
    let (ana, ben) = (Owner::new(1), Owner::new(2));
    let refused = |r: &mut Relay, client, n: u32| {
        let out = r.say(client, ToRelay::Send(to(&ana, n)));
        bytes(&out, client)[0].contains(r#""why":"rate""#)
    };
    let (one, two) = (r.sender(), r.sender());
    assert_eq!((0..120).filter(|n| refused(&mut r, one, *n)).count(), 20);
    assert_eq!((120..180).filter(|n| refused(&mut r, two, *n)).count(), 0, "a neighbour in the same office");
    let (claimed, _) = r.claim(&ben);
    assert_eq!((300..500).filter(|n| refused(&mut r, claimed, *n)).count(), 0);
    r.after(Duration::from_secs(30));
    assert!(refused(&mut r, one, 599), "still the same");
    r.after(Duration::from_secs(30));
    assert!(!refused(&mut r, one, 600), "the next minute");
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let (mut r, ana, at) = Relay::with_ana();
    let early = r.connect();
    assert_eq!(bytes(&r.say(early, ToRelay::Send(to(&ana, 1))), early), [refusal_of(id(1), Why::HelloFirst)]);
    let claim = ToRelay::Claim(Claim::sign(&ana.key, &Nonce([0; 32]), vec![], false));
    assert!(bytes(&r.say(early, claim.clone()), early)[0].contains("hello-first"));
    let ben = r.sender();
    for frame in [
        ToRelay::Allow { tokens: vec![], more: false },
        ToRelay::Revoke { tokens: ana.tokens() },
        ToRelay::Ack { id: id(1) },
        ToRelay::Credentials,
    ] {
        assert!(bytes(&r.say(ben, frame), ben)[0].contains("not-claimed"));
    }
    assert!(bytes(&r.say(at, claim), at)[0].contains("already-claimed"));
    assert_eq!(delivered(&r.say(ben, ToRelay::Send(to(&ana, 2))), at), [id(2)]);
    assert_eq!(r.say(ClientId(999), ToRelay::Hello { version: 1 }), [], "a connection that is gone");
}

fn refusal_of(id: EnvelopeId, why: Why) -> String {
    ToClient::Refused { id: Some(id), why }.to_text()
}

#[test]
fn nonsense_is_ignored_until_it_is_a_flood() {
    let mut r = Relay::new();
    let (at, _) = r.claim(&Owner::new(1));
    let answers: Vec<_> = (0..4_998).flat_map(|_| r.board.nonsense(r.now, at)).collect();
    assert_eq!(answers, []);
    assert_eq!(closed(&r.board.nonsense(r.now, at)), [(at, CloseCode::Policy)]);
}

#[test]
fn who_claims_no_inbox_gets_no_turn_credentials_whatever_it_says() {
    let mut r = Relay::new();
    let ana = Owner::new(1);
    let eve = r.connect();
    let mut heard = bytes(&r.say(eve, ToRelay::Credentials), eve);
    let nonce = r.hello(eve);
    for frame in [
        ToRelay::Credentials,
        ToRelay::Send(to(&ana, 1)),
        ToRelay::Allow { tokens: ana.tokens(), more: false },
        ToRelay::Credentials,
        ToRelay::Claim(Claim { signature: [1; 64], ..Claim::sign(&ana.key, &nonce, vec![], false) }),
        ToRelay::Credentials,
    ] {
        heard.extend(bytes(&r.say(eve, frame), eve));
    }
    assert_eq!(heard.len(), 6, "an answer to each, and nothing after its false claim: {heard:?}");
    for answer in &heard {
        assert!(
            !answer.contains("username") && !answer.contains("credential\"") && !answer.contains("turn:"),
            "{answer}"
        );
    }
    let (at, welcome) = r.claim(&ana);
    assert!(bytes(&welcome, at)[0].contains("turn:t"), "who claims gets them with the welcome");
}
