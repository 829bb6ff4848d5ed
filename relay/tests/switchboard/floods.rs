//! What one address does to a relay, and what the others notice of it: nothing.
//!
//! Lives here: one flood a test, and an honest person from elsewhere beside it.
//! Must not: open a socket or wait.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ahoy_proto::envelope::{Body, Envelope, TokenHash, Ttl};
use ahoy_proto::frame::{Claim, ToClient, ToRelay};
use ahoy_proto::limits;
use ahoy_relay::budgets::{SETTLED_AFTER, TOKENS_FLOOR};
use ahoy_relay::crowd::Room;
use ahoy_relay::store::Bounds;
use ahoy_relay::switchboard::{ClientId, Delivery, What};

use super::rig::{Owner, Relay, bytes, closed, delivered, id, to};

/// An address of the documentation's network.
fn at(n: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, n))
}

const EVE: u8 = 66;

fn small(mail_bytes: usize, inboxes: usize, tokens: usize) -> Relay {
    Relay::with(Bounds { mail_bytes, inboxes, tokens }, Room::default())
}

fn week(envelope: Envelope) -> Envelope {
    let body = Body::try_from(vec![1; limits::BODY_BYTES]).expect("it is as long as a body may be");
    Envelope { ttl: Ttl::new(limits::TTL), body, ..envelope }
}

fn many(from: u32, to: u32) -> Vec<TokenHash> {
    (from..to).map(|n| TokenHash::from_bytes(id(n).bytes())).collect()
}

/// Claims, stays until it is no passer-by, and leaves.
fn known_and_away(r: &mut Relay, n: u8) -> Owner {
    let owner = Owner::new(n);
    let (client, _) = r.claim_from(at(n), &owner);
    r.after(SETTLED_AFTER);
    r.board.disconnect(r.now, client);
    owner
}

#[test]
fn a_flood_of_mail_stops_no_delivery_and_takes_nobodys_note() {
    let mut r = small(4 * 1024 * 1024, 1_000, 100_000);
    let away = known_and_away(&mut r, 2);
    let ana = Owner::new(1);
    let (ana_at, _) = r.claim_from(at(1), &ana);
    let ben = r.sender_from(at(3));
    r.say(ben, ToRelay::Send(week(to(&away, 500))));
    let eves: Vec<Owner> = (0..10).map(Owner::numbered).collect();
    for eve in &eves {
        let (client, _) = r.claim_from(at(EVE), eve);
        r.board.disconnect(r.now, client);
    }
    for (n, eve) in (0..).zip(&eves) {
        let (client, _) = r.claim_from(at(EVE), &Owner::numbered(1_000 + n));
        for one in 0..64 {
            r.say(client, ToRelay::Send(week(to(eve, one))));
        }
    }
    let out = r.say(ben, ToRelay::Send(week(to(&ana, 1))));
    assert_eq!(delivered(&out, ana_at), [id(1)], "who is here gets what comes");
    r.say(ben, ToRelay::Send(week(to(&away, 501))));
    let (client, out) = r.claim_from(at(2), &away);
    assert_eq!(delivered(&out, client), [id(500), id(501)], "and who was away what came before and after");
}

#[test]
fn who_is_here_gets_what_there_is_no_room_to_keep() {
    let mut r = small(2, 1_000, 100_000);
    let ana = Owner::new(1);
    let (ana_at, _) = r.claim_from(at(1), &ana);
    let ben = r.sender_from(at(3));
    assert_eq!(delivered(&r.say(ben, ToRelay::Send(to(&ana, 1))), ana_at), [id(1)]);
    assert_eq!(delivered(&r.say(ben, ToRelay::Send(to(&ana, 2))), ana_at), [id(2)]);
}

#[test]
fn senders_to_countless_targets_keep_no_newcomer_from_sending() {
    let mut r = Relay::new();
    let ana = Owner::new(1);
    let (ana_at, _) = r.claim_from(at(1), &ana);
    for n in 0..201 {
        let (eve, _) = r.claim_from(at(EVE), &Owner::numbered(n));
        for target in 0..1_000_u32 {
            let mut envelope = to(&ana, target);
            envelope.inbox = ahoy_proto::envelope::Inbox::from_bytes(id(n * 1_000 + target).bytes());
            let _answered = r.board.handle(r.now, eve, ToRelay::Send(envelope));
        }
        r.board.disconnect(r.now, eve);
    }
    r.after(Duration::ZERO);
    let ben = r.sender_from(at(3));
    let out = r.say(ben, ToRelay::Send(to(&ana, 1)));
    assert_eq!(delivered(&out, ana_at), [id(1)], "{:?}", bytes(&out, ben));
}

#[test]
fn refusals_to_one_inbox_leave_the_rest_of_the_quota() {
    let mut r = Relay::new();
    let (ana, ben) = (Owner::new(1), Owner::new(2));
    r.claim_from(at(1), &ana);
    let (ben_at, _) = r.claim_from(at(2), &ben);
    let refused = |r: &mut Relay, to_whom: &Owner, n: u32| {
        bytes(&r.say(ben_at, ToRelay::Send(to(to_whom, n))), ben_at)[0].contains("rate")
    };
    assert_eq!((0..2_000).filter(|n| refused(&mut r, &ana, *n)).count(), 1_700, "300 to one inbox");
    assert!(!refused(&mut r, &Owner::new(3), 1), "its own calls to others go out");
}

#[test]
fn tokens_of_a_flood_leave_newcomers_theirs_and_who_comes_back_the_list_and_mail() {
    let mut r = small(1_000_000, 1_000, 20_000);
    let ana = Owner::new(1);
    let (ana_at, _) = r.claim_from(at(1), &ana);
    r.after(SETTLED_AFTER);
    r.board.disconnect(r.now, ana_at);
    let ben = r.sender_from(at(3));
    r.say(ben, ToRelay::Send(to(&ana, 1)));
    for n in 0..4 {
        let client = r.arrive(at(EVE)).0;
        let nonce = r.hello(client);
        let claim = Claim::sign(&Owner::numbered(n).key, &nonce, many(0, 1_024), true);
        r.say(client, ToRelay::Claim(claim));
        for part in 1..16 {
            let tokens = many(part * 1_024, (part + 1) * 1_024);
            r.say(client, ToRelay::Allow { tokens, more: part < 15 });
        }
    }
    let newcomer = r.arrive(at(4)).0;
    let nonce = r.hello(newcomer);
    let tokens = many(0, u32::try_from(TOKENS_FLOOR).unwrap());
    let out = r.say(newcomer, ToRelay::Claim(Claim::sign(&Owner::new(4).key, &nonce, tokens, false)));
    assert!(matches!(&out[..], [Delivery { what: What::Say(ToClient::Welcome { .. }), .. }]), "{out:?}");
    let (client, out) = r.claim_from(at(1), &ana);
    assert_eq!(delivered(&out, client), [id(1)], "nor is who comes back cut off: {out:?}");
    let out = r.say(client, ToRelay::Allow { tokens: many(0, 1_000), more: false });
    assert_eq!(bytes(&out, client), [""; 0], "a thousand more fit, because another has most");
}

#[test]
fn claims_of_a_flood_push_out_nobody_who_stayed() {
    let mut r = small(10_000_000, 50, 100_000);
    let away: Vec<Owner> = (1..=20).map(|n| known_and_away(&mut r, n)).collect();
    let ben = r.sender_from(at(30));
    for owner in &away {
        r.say(ben, ToRelay::Send(Envelope { ttl: Ttl::new(limits::TTL), ..to(owner, 1) }));
    }
    for n in 0..1_000 {
        let (client, _) = r.claim_from(at(EVE), &Owner::numbered(n));
        r.board.disconnect(r.now, client);
    }
    for (n, owner) in (1..).zip(&away) {
        let (client, out) = r.claim_from(at(n), owner);
        assert_eq!(delivered(&out, client), [id(1)], "the note of {n} is there");
    }
}

#[test]
fn a_passer_bys_mail_waits_an_hour_and_no_week() {
    let mut r = Relay::new();
    let ana = Owner::new(1);
    let (client, _) = r.claim_from(at(1), &ana);
    r.board.disconnect(r.now, client);
    let ben = r.sender_from(at(3));
    r.say(ben, ToRelay::Send(week(to(&ana, 1))));
    r.after(Duration::from_secs(3_599));
    let (client, out) = r.claim_from(at(1), &ana);
    assert_eq!(delivered(&out, client), [id(1)]);
    r.board.disconnect(r.now, client);
    r.after(Duration::from_secs(1));
    let (client, out) = r.claim_from(at(1), &ana);
    assert_eq!(delivered(&out, client), []);
}

#[test]
fn held_sockets_of_one_address_cost_no_other_its_own_and_the_idlest_gives_way() {
    let room = Room { connections: 100, of_address: 40 };
    let mut r = Relay::with(Bounds::default(), room);
    let ana = Owner::new(1);
    let (ana_at, _) = r.claim_from(at(1), &ana);
    let mut held = Vec::new();
    for n in 0..3 {
        for _ in 0..60 {
            let (client, gave_way) = r.arrive(at(100 + n));
            r.hello(client);
            r.say(client, ToRelay::Send(to(&Owner::new(9), 1)));
            assert!(!gave_way.contains(&ana_at));
            held.push(client);
        }
    }
    assert!(r.board.len() <= 100);
    let (ben, gave_way) = r.arrive(at(3));
    assert_eq!(gave_way.len(), 1, "one of those who have most");
    r.hello(ben);
    assert_eq!(delivered(&r.say(ben, ToRelay::Send(to(&ana, 1))), ana_at), [id(1)]);
    let out = r.after(Duration::from_secs(60));
    assert_eq!(r.board.len(), 1, "after a minute in which they had nothing to send: {}", closed(&out).len());
}

#[test]
fn an_office_of_two_hundred_comes_back_at_once_after_a_restart() {
    let mut r = Relay::new();
    let office: Vec<Owner> = (0..200).map(Owner::numbered).collect();
    let clients: Vec<ClientId> = office.iter().map(|owner| r.claim_from(at(1), owner).0).collect();
    for owner in &office {
        let sender = r.sender_from(at(1));
        let out = r.say(sender, ToRelay::Send(to(owner, 1)));
        assert_eq!(closed(&out), []);
    }
    r.after(SETTLED_AFTER);
    assert_eq!(r.board.len(), clients.len(), "all claims stand");
}

#[test]
fn one_address_has_one_pair_of_turn_credentials_for_ten_minutes_whoever_asks() {
    let mut r = Relay::new();
    let (here, elsewhere) = (at(1), at(2));
    let asked = |r: &mut Relay, client| {
        let text = bytes(&r.say(client, ToRelay::Credentials), client).concat();
        let start = text.find("\"username\"").unwrap_or_else(|| panic!("never refused: {text}"));
        text[start..].to_owned()
    };
    let (ana, _) = r.claim_from(here, &Owner::new(1));
    let first = asked(&mut r, ana);
    for n in 0..100 {
        let (eve, _) = r.claim_from(here, &Owner::numbered(n));
        assert_eq!(asked(&mut r, eve), first, "the same pair, and no refusal");
    }
    let (ben, _) = r.claim_from(elsewhere, &Owner::new(2));
    let other = asked(&mut r, ben);
    assert_ne!(other, first);
    r.after(Duration::from_secs(599));
    assert_eq!(asked(&mut r, ana), first);
    r.after(Duration::from_secs(1));
    let second = asked(&mut r, ana);
    assert_ne!(second, first);
    assert!(second.contains("1700004200:"), "an hour from now: {second}");
}
