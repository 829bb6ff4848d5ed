//! Rooms at a relay: who gets in, by what, how often.
//!
//! Lives here: passes, tickets, tokens, a server that is away, bounds.
//! Must not: need a server: what is ordered of it is looked at.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ahoy_proto::frame::{ToClient, ToRelay, Why};
use ahoy_proto::limits;
use ahoy_proto::room::{RoomAsk, RoomNews, RoomOver, Ticket};
use ahoy_relay::rooms::{RoomOrder, RoomReport, RoomServer};
use ahoy_relay::switchboard::{ClientId, Delivery, What};
use ahoy_relay::token::ApiKey;

use crate::rig::{Owner, Relay};

const SECRET: &str = "a secret that nobody knows";

fn server(secret: &str) -> RoomServer {
    let key = ApiKey { key: "key".to_owned(), secret: secret.to_owned() };
    RoomServer { urls: vec!["wss://rooms.example".to_owned()], key }
}

/// A relay with rooms whose server answers, and Ana at her inbox there.
fn with_rooms() -> (Relay, ClientId) {
    let mut relay = Relay::new();
    relay.board.set_rooms(Some(server(SECRET)));
    assert_eq!(relay.board.roomed(relay.now, RoomReport::Health(true)), []);
    let (ana, _) = relay.claim(&Owner::new(1));
    (relay, ana)
}

fn news(out: &[Delivery], client: ClientId) -> Vec<RoomNews> {
    let said = out.iter().filter(|one| one.to == client).filter_map(|one| match &one.what {
        What::Say(ToClient::Room(news)) => Some(news.clone()),
        What::Say(_) | What::Close(_) => None,
    });
    said.collect()
}

fn ask(relay: &mut Relay, client: ClientId, ask: RoomAsk) -> RoomNews {
    let out = relay.say(client, ToRelay::Room(ask));
    news(&out, client).pop().expect("an answer")
}

fn why(news: &RoomNews) -> Option<RoomOver> {
    if let RoomNews::Over { why } = news { Some(*why) } else { None }
}

/// Opens a room: the host's ticket and the passes, and how the server knows it.
fn open(relay: &mut Relay, client: ClientId, passes: u8) -> (Ticket, Vec<Ticket>, String) {
    let out = relay.say(client, ToRelay::Room(RoomAsk::Open { passes, lives_s: 90 }));
    assert_eq!(news(&out, client), [], "the server is asked first");
    let [RoomOrder::Create { client: who, room, passes, lives_s }] = relay.board.room_orders()[..] else {
        panic!("a room is to be made");
    };
    let report = RoomReport::Created { client: who, room, passes, lives_s, made: true };
    let out = relay.board.roomed(relay.now, report);
    match news(&out, client).pop() {
        Some(RoomNews::Passes { host: Some(host), passes }) => (host, passes, room.name()),
        other => panic!("{other:?}"),
    }
}

fn claims(token: &str) -> serde_json::Value {
    use base64::Engine as _;
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

#[test]
fn a_pass_buys_one_token_for_one_room_under_a_name_that_nobody_knows() {
    let (mut relay, ana) = with_rooms();
    let (_, passes, room) = open(&mut relay, ana, 3);
    assert_eq!(passes.len(), 3);
    let ben = relay.sender();
    let mut names = Vec::new();
    for pass in &passes {
        let entry = ask(&mut relay, ben, RoomAsk::Enter { pass: *pass });
        let RoomNews::Entry { urls, token, identity, .. } = entry else { panic!("{entry:?}") };
        assert_eq!(urls, ["wss://rooms.example"]);
        let claims = claims(&token);
        assert_eq!(
            (claims["video"]["room"].as_str(), claims["sub"].as_str()),
            (Some(&*room), Some(&*identity))
        );
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap(), 600);
        assert_eq!(claims["video"]["roomCreate"].as_bool().or(claims["video"]["roomAdmin"].as_bool()), None);
        names.push(identity);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3);
    for pass in passes {
        assert_eq!(why(&ask(&mut relay, ben, RoomAsk::Enter { pass })), Some(RoomOver::Used));
    }
}

#[test]
fn a_pass_lives_as_long_as_the_ring_and_a_used_one_is_used_until_then() {
    let (mut relay, ana) = with_rooms();
    let (_, passes, _) = open(&mut relay, ana, 2);
    ask(&mut relay, ana, RoomAsk::Enter { pass: passes[0] });
    relay.after(Duration::from_secs(80));
    let (ana, _) = relay.claim(&Owner::new(1));
    assert_eq!(why(&ask(&mut relay, ana, RoomAsk::Enter { pass: passes[0] })), Some(RoomOver::Used));
    relay.after(Duration::from_secs(10));
    for pass in passes {
        assert_eq!(why(&ask(&mut relay, ana, RoomAsk::Enter { pass })), Some(RoomOver::Expired));
    }
}

#[test]
fn another_relay_that_shares_the_secret_takes_the_pass_and_one_that_does_not_refuses_it() {
    let (mut relay, ana) = with_rooms();
    let (_, passes, _) = open(&mut relay, ana, 1);
    for (secret, good) in [(SECRET, true), ("another", false)] {
        let mut other = Relay::new();
        other.board.set_rooms(Some(server(secret)));
        let ben = other.sender();
        let news = ask(&mut other, ben, RoomAsk::Enter { pass: passes[0] });
        assert_eq!(matches!(news, RoomNews::Entry { .. }), good, "{news:?}");
        assert_eq!(why(&news), (!good).then_some(RoomOver::Bad));
    }
}

#[test]
fn each_ticket_is_good_for_its_own_purpose_alone() {
    let (mut relay, ana) = with_rooms();
    let (host, passes, _) = open(&mut relay, ana, 2);
    let pass = passes[0];
    let RoomNews::Entry { seat, .. } = ask(&mut relay, ana, RoomAsk::Enter { pass }) else {
        panic!("no entry")
    };
    let ben = relay.sender();
    let drawn = ask(&mut relay, ben, RoomAsk::Draw { by: seat, passes: 2, lives_s: 90 });
    assert!(matches!(&drawn, RoomNews::Passes { host: None, passes } if passes.len() == 2), "{drawn:?}");
    let who = "x".to_owned();
    for wrong in [
        RoomAsk::Enter { pass: seat },
        RoomAsk::Enter { pass: host },
        RoomAsk::Draw { by: passes[1], passes: 1, lives_s: 90 },
        RoomAsk::Close { host: seat },
        RoomAsk::Remove { host: passes[1], who },
        RoomAsk::People { host: seat },
    ] {
        assert_eq!(why(&ask(&mut relay, ben, wrong)), Some(RoomOver::Bad));
    }
    assert_eq!(relay.board.room_orders(), []);
}

#[test]
fn the_host_looks_puts_out_and_ends_and_is_told_what_came_of_it() {
    let (mut relay, ana) = with_rooms();
    let (host, _, room) = open(&mut relay, ana, 1);
    let who = "somebody".to_owned();
    relay.say(ana, ToRelay::Room(RoomAsk::People { host }));
    relay.say(ana, ToRelay::Room(RoomAsk::Remove { host, who: who.clone() }));
    relay.say(ana, ToRelay::Room(RoomAsk::Close { host }));
    let orders = relay.board.room_orders();
    let [
        RoomOrder::People { client, room: one },
        RoomOrder::Remove { room: two, who: whom, .. },
        RoomOrder::Delete { room: three, .. },
    ] = &orders[..]
    else {
        panic!("{orders:?}")
    };
    assert!([one, two, three].iter().all(|id| id.name() == room) && *client == ana && *whom == who);
    for (report, news_of) in [
        (
            RoomReport::People { client: ana, who: Some(vec![who.clone()]) },
            RoomNews::People { who: vec![who] },
        ),
        (RoomReport::Done { client: ana, done: true }, RoomNews::Done),
        (RoomReport::Done { client: ana, done: false }, RoomNews::Over { why: RoomOver::None }),
        (RoomReport::People { client: ana, who: None }, RoomNews::Over { why: RoomOver::None }),
    ] {
        let out = relay.board.roomed(relay.now, report);
        assert_eq!(news(&out, ana), [news_of]);
    }
}

#[test]
fn without_a_server_that_answers_there_is_no_room_and_who_is_in_gets_others_in_all_the_same() {
    let mut relay = Relay::new();
    let (ana, _) = relay.claim(&Owner::new(1));
    let open_one = RoomAsk::Open { passes: 1, lives_s: 90 };
    assert_eq!(why(&ask(&mut relay, ana, open_one.clone())), Some(RoomOver::None), "there are none");
    let (mut relay, ana) = with_rooms();
    let (host, passes, _) = open(&mut relay, ana, 1);
    let _nobody = relay.sender();
    let rooms = |passes| [Delivery { to: ana, what: What::Say(ToClient::Rooms { passes }) }];
    assert_eq!(
        relay.board.roomed(relay.now, RoomReport::Health(false)),
        rooms(0),
        "who has an inbox is told"
    );
    assert_eq!(relay.board.roomed(relay.now, RoomReport::Health(false)), [], "once");
    assert_eq!(why(&ask(&mut relay, ana, open_one.clone())), Some(RoomOver::None));
    assert!(matches!(ask(&mut relay, ana, RoomAsk::Enter { pass: passes[0] }), RoomNews::Entry { .. }));
    assert!(matches!(
        ask(&mut relay, ana, RoomAsk::Draw { by: host, passes: 1, lives_s: 90 }),
        RoomNews::Passes { .. }
    ));
    let welcomed = |relay: &mut Relay, n| {
        let (at, out) = relay.claim(&Owner::new(n));
        out.iter().find_map(|one| match &one.what {
            What::Say(ToClient::Welcome { limits, .. }) if one.to == at => Some(limits.room),
            What::Say(_) | What::Close(_) => None,
        })
    };
    assert_eq!(welcomed(&mut relay, 2), Some(0));
    let most = u32::try_from(limits::ROOM_PASSES).unwrap();
    let told = relay.board.roomed(relay.now, RoomReport::Health(true));
    assert_eq!((&told[..1], told.len()), (&rooms(most)[..], 2), "both who have inboxes");
    assert_eq!(welcomed(&mut relay, 3), Some(most));
}

#[test]
fn a_room_that_could_not_be_made_is_none_and_who_left_meanwhile_is_told_nothing() {
    let (mut relay, ana) = with_rooms();
    for gone in [false, true] {
        relay.say(ana, ToRelay::Room(RoomAsk::Open { passes: 1, lives_s: 90 }));
        let [RoomOrder::Create { client, room, passes, lives_s }] = relay.board.room_orders()[..] else {
            panic!("a room is to be made");
        };
        if gone {
            relay.board.disconnect(relay.now, ana);
        }
        let report = RoomReport::Created { client, room, passes, lives_s, made: gone };
        let out = relay.board.roomed(relay.now, report);
        assert_eq!(news(&out, ana).iter().filter_map(why).collect::<Vec<_>>().len(), usize::from(!gone));
        assert_eq!(out.len(), usize::from(!gone));
    }
}

#[test]
fn only_who_has_an_inbox_opens_a_room_and_only_who_said_hello_says_anything_about_one() {
    let (mut relay, ana) = with_rooms();
    let (_, passes, _) = open(&mut relay, ana, 1);
    let ben = relay.sender();
    let out = relay.say(ben, ToRelay::Room(RoomAsk::Open { passes: 1, lives_s: 90 }));
    assert!(matches!(
        &out[..],
        [Delivery { what: What::Say(ToClient::Refused { why: Why::NotClaimed, .. }), .. }]
    ));
    let silent = relay.connect();
    assert_eq!(why(&ask(&mut relay, silent, RoomAsk::Enter { pass: passes[0] })), Some(RoomOver::Bad));
}

#[test]
fn who_guesses_passes_is_stopped_by_address_and_the_neighbour_gets_in() {
    let (mut relay, ana) = with_rooms();
    let (_, passes, _) = open(&mut relay, ana, 1);
    let far = |n| IpAddr::V4(Ipv4Addr::new(192, 0, 2, n));
    let (one, two) = (relay.sender_from(far(1)), relay.sender_from(far(1)));
    let mut tried = 0;
    for n in 0..1_000_u32 {
        let mut guess = passes[0];
        guess.0[20..24].copy_from_slice(&n.to_be_bytes());
        let by = if n % 2 == 0 { one } else { two };
        match why(&ask(&mut relay, by, RoomAsk::Enter { pass: guess })) {
            Some(RoomOver::Bad) => tried += 1,
            Some(RoomOver::Rate) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tried, 200);
    let ben = relay.sender_from(far(2));
    assert!(matches!(ask(&mut relay, ben, RoomAsk::Enter { pass: passes[0] }), RoomNews::Entry { .. }));
}
