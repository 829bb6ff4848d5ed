//! Do we meet others in a room on a real LiveKit server, sealed from end to end, whatever becomes of server and line?
//!
//! Lives here: one test a behaviour, with LiveKit's own client as the other where it matters. `make test-rooms` runs them: they need a
//! server (`tests/lab/livekit.sh`) and a Python with that client.
//! Must not: use a sound device or the rules.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

#[path = "rooms/figures.rs"]
mod figures;
#[path = "rooms/member.rs"]
mod member;
#[path = "rooms/proxy.rs"]
mod proxy;
#[path = "rooms/python.rs"]
mod python;
#[path = "rooms/relay.rs"]
mod relay;
#[path = "rooms/server.rs"]
mod server;
/// The target of `make fuzz`.
#[path = "../../fuzz/src/room.rs"]
#[expect(unreachable_pub, reason = "the fuzzer's crate shows it")]
mod target;

use std::time::Duration;

use ahoy_relay::token::ApiKey;
use ahoyd::room::said::RoomToken;
use ahoyd::room::stay::StayOrder;
use ahoyd::system::clock;
use ahoyd::values::room::{RoomEnd, RoomEvent};
use member::{Member, both, keys, who};
use proxy::Proxy;
use python::Python;
use relay::Relay;
use serde_json::json;
use server::{KEY, Redis, SECRET, Server};

/// For a day, as a test is not over in ten minutes on every machine.
pub(crate) fn token(room: &str, name: &str) -> String {
    let key = ApiKey { key: KEY.to_owned(), secret: SECRET.to_owned() };
    key.entry(u64::try_from(clock::unix_us() / 1_000_000).unwrap(), 86_400, room, name)
}

/// One of ours, called `us`, who says 520 Hz and knows the keys of `py` and `them`.
fn us(url: &str, room: &str) -> Member {
    let keys = keys((0, "us 0"), &[("py", 0, "py 0"), ("them", 0, "them 0")]);
    Member::join(url, &token(room, "us"), "us", 520, &["py", "them"], keys)
}

/// The other of ours, called `them`, who says 700 Hz.
fn them(url: &str, room: &str) -> Member {
    let keys = keys((0, "them 0"), &[("us", 0, "us 0"), ("py", 0, "py 0")]);
    Member::join(url, &token(room, "them"), "them", 700, &["us", "py"], keys)
}

/// A server, a relay that has rooms there, and a room.
async fn place() -> (Server, Relay, String) {
    let server = Server::start().await;
    let mut relay = Relay::start(&server).await;
    let room = relay.room().await;
    (server, relay, room)
}

/// Both, when each hears the other. `url`: our way to the server.
async fn talking(url: &str, server: &Server, room: &str) -> (Member, Member) {
    let (mut us, mut them) = (us(url, room), them(&server.url(), room));
    both(&mut us, &mut them, "all voices", |us, them| us.hears("them", 700) && them.hears("us", 520)).await;
    (us, them)
}

#[test]
fn the_corpus_of_the_fuzz_target_room_is_replayed_and_reaches_both_ends() {
    let folder = server::root().join("fuzz/corpus/room");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let read: Vec<bool> = files.map(|bytes| target::room(&bytes)).collect();
    assert!(read.contains(&true) && read.contains(&false), "{read:?}");
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn livekits_own_client_and_we_hear_each_other_sealed_end_to_end() {
    let (server, _relay, room) = place().await;
    let mut py = Python::join(&server, &room, "py", Some(300), &[("py", "py 0"), ("us", "us 0")]).await;
    let mut us = us(&server.url(), &room);
    us.until("py's tone", |us| us.hears("py", 300)).await;
    println!("from the join to the first frame that was opened: {} ms", us.first().unwrap().as_millis());
    let speaking = us.until("for ever", |_| false);
    tokio::select! {
        () = speaking => {}
        () = py.hears("us", 520) => {}
    }
    assert!(us.happened.contains(&RoomEvent::Here(who("py"))));
    us.leave().await;
    py.until("that we left", |said| said["name"] == "participant_disconnected").await;
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn who_has_no_key_hears_nothing_of_what_is_said() {
    let (server, _relay, room) = place().await;
    // One without any keys, as the server itself would listen; and ours with a wrong key for them.
    let mut eve = Python::join(&server, &room, "eve", None, &[]).await;
    let (mut us, mut wrong) = (
        us(&server.url(), &room),
        Member::join(
            &server.url(),
            &token(&room, "them"),
            "them",
            700,
            &["us"],
            keys((0, "them 0"), &[("us", 0, "py 1")]),
        ),
    );
    both(&mut us, &mut wrong, "we hear them", |us, _| us.hears("them", 700)).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        let (heard, (), ()) = tokio::join!(
            eve.until("that something comes", |said| said["what"] == "heard" && said["who"] == "us"),
            us.pass(Duration::from_secs(2)),
            wrong.pass(Duration::from_secs(2)),
        );
        all.push((heard["hz"].as_i64().unwrap(), heard["rms"].as_i64().unwrap()));
    }
    let tone = |(hz, rms): &(i64, i64)| (hz - 520).abs() <= 20 && *rms > 1_000;
    // It is a steady tone: noise may be near it once.
    assert!(!all.iter().all(tone), "what eve heard: {all:?}");
    assert_eq!(wrong.frames("us"), 0, "nothing is played that does not open");
    us.leave().await;
    wrong.leave().await;
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn a_new_key_under_a_new_index_is_heard_without_a_gap_and_one_that_is_not_known_not_at_all() {
    let (server, _relay, room) = place().await;
    let mut py = Python::join(&server, &room, "py", Some(300), &[("py", "py 0"), ("us", "us 0")]).await;
    let mut us = us(&server.url(), &room);
    us.until("py's tone", |us| us.hears("py", 300)).await;
    py.order(&json!({"do": "key", "who": "us", "word": "us 1", "index": 1})).await;
    py.order(&json!({"do": "key", "who": "py", "word": "py 1", "index": 1})).await;
    us.keys.send_replace(keys((1, "us 1"), &[("py", 0, "py 0"), ("py", 1, "py 1")]));
    tokio::select! {
        () = us.until("for ever", |_| false) => {}
        () = py.hears("us", 520) => {}
    }
    us.gap("py");
    py.order(&json!({"do": "use", "index": 1})).await;
    us.pass(Duration::from_secs(2)).await;
    us.keys.send_replace(keys((1, "us 1"), &[("py", 1, "py 1")]));
    let before = us.frames("py");
    us.until("frames under the new key", |us| us.frames("py") > before + 50).await;
    us.keys.send_replace(keys((1, "us 1"), &[("py", 0, "py 0")]));
    us.pass(Duration::from_millis(100)).await;
    let before = us.frames("py");
    us.pass(Duration::from_secs(1)).await;
    assert_eq!(us.frames("py"), before, "the old key opens nothing");
    us.leave().await;
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn a_socket_that_is_cut_comes_back_and_nobody_notices() {
    let (server, _relay, room) = place().await;
    let proxy = Proxy::to(server.port()).await;
    let (mut us, mut them) = talking(&proxy.url(), &server, &room).await;
    us.gap("them");
    them.gap("us");
    let before = us.frames("them");
    for _ in 0..3 {
        proxy.cut();
        tokio::join!(us.pass(Duration::from_secs(2)), them.pass(Duration::from_secs(2)));
    }
    let came = us.frames("them") - before;
    println!("gaps {:?} {:?}, {came} frames of 300", us.gap("them"), them.gap("us"));
    assert!(came > 280, "{came} of 300 frames");
    assert!(!us.happened.contains(&RoomEvent::Down), "{:?}", us.happened);
    // The socket that came back is one: who comes now is heard.
    let mut py = Python::join(&server, &room, "py", Some(300), &[("py", "py 0"), ("us", "us 0")]).await;
    us.until("py's tone", |us| us.hears("py", 300)).await;
    py.order(&json!({"do": "leave"})).await;
    us.until("that py left", |us| us.happened.contains(&RoomEvent::Gone(who("py")))).await;
    us.leave().await;
    them.leave().await;
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn another_way_is_looked_for_within_the_same_stay() {
    let (server, _relay, room) = place().await;
    let (mut us, mut them) = talking(&server.url(), &server, &room).await;
    us.gap("them");
    them.gap("us");
    us.order(StayOrder::Moved).await;
    // Longer than it is waited for a way: without one the stay would begin anew.
    tokio::join!(us.pass(Duration::from_secs(8)), them.pass(Duration::from_secs(8)));
    println!("gaps {:?} {:?}", us.gap("them"), them.gap("us"));
    assert_eq!(us.happened.iter().filter(|event| matches!(event, RoomEvent::Entered(_))).count(), 1);
    assert!(us.is_up() && us.hears("them", 700) && them.hears("us", 520));
    us.leave().await;
    them.leave().await;
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn a_server_that_dies_and_comes_back_is_joined_anew() {
    let (mut server, _relay, room) = place().await;
    let (mut us, mut them) = talking(&server.url(), &server, &room).await;
    server.kill();
    tokio::join!(us.pass(Duration::from_secs(2)), them.pass(Duration::from_secs(2)));
    server.again().await;
    let (before, after) = (us.frames("them"), them.frames("us"));
    both(&mut us, &mut them, "all voices again", |us, them| {
        us.frames("them") > before + 50 && them.frames("us") > after + 50
    })
    .await;
    assert!(us.happened.contains(&RoomEvent::Down));
    us.leave().await;
    them.leave().await;
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn two_nodes_are_one_room_and_when_one_dies_all_meet_on_the_other() {
    let redis = Redis::start().await;
    let (mut first, second) = (Server::node(&redis).await, Server::node(&redis).await);
    let mut relay = Relay::start(&first).await;
    let room = relay.room().await;
    let urls = [first.url(), second.url()];
    let mut us = Member::join_any(
        urls.to_vec(),
        &token(&room, "us"),
        "us",
        520,
        &["them"],
        keys((0, "us 0"), &[("them", 0, "them 0")]),
    );
    let mut them = Member::join_any(
        urls.iter().rev().cloned().collect(),
        &token(&room, "them"),
        "them",
        700,
        &["us"],
        keys((0, "them 0"), &[("us", 0, "us 0")]),
    );
    both(&mut us, &mut them, "all voices", |us, them| us.hears("them", 700) && them.hears("us", 520)).await;
    first.kill();
    let (before, after) = (us.frames("them"), them.frames("us"));
    both(&mut us, &mut them, "all voices by the other node", |us, them| {
        us.frames("them") > before + 150 && them.frames("us") > after + 150 && us.is_up() && them.is_up()
    })
    .await;
    us.leave().await;
    them.leave().await;
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn who_is_put_out_whose_room_is_deleted_and_whose_name_is_taken_is_told_so() {
    let (server, mut relay, room) = place().await;
    let (mut one, mut two) = (us(&server.url(), &room), them(&server.url(), &room));
    both(&mut one, &mut two, "both are up", |one, two| one.is_up() && two.is_up()).await;
    assert_eq!(relay.people().await, ["them", "us"]);
    let mut again = us(&server.url(), &room);
    one.until("our name is taken", |one| one.ended().is_some()).await;
    assert_eq!(one.ended(), Some(&RoomEvent::Ended(RoomEnd::Displaced)));
    both(&mut again, &mut two, "the newer one is heard", |_, two| two.hears("us", 520)).await;
    assert!(!two.happened.contains(&RoomEvent::Gone(who("us"))), "{:?}", two.happened);
    relay.remove("us").await;
    again.until("we are put out", |again| again.ended().is_some()).await;
    assert_eq!(again.ended(), Some(&RoomEvent::Ended(RoomEnd::Removed)));
    two.until("we are gone", |two| two.happened.contains(&RoomEvent::Gone(who("us")))).await;
    relay.remove("nobody of that name").await;
    relay.close().await;
    two.until("the room is deleted", |two| two.ended().is_some()).await;
    assert_eq!(two.ended(), Some(&RoomEvent::Ended(RoomEnd::Deleted)));
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn an_expired_token_and_one_of_another_key_let_nobody_in_and_one_for_another_room_only_there() {
    let (server, mut relay, room) = place().await;
    let now_s = u64::try_from(clock::unix_us() / 1_000_000).unwrap();
    let key = |secret: &str| ApiKey { key: KEY.to_owned(), secret: secret.to_owned() };
    for token in [
        key("a secret of somebody else that is long enough").entry(now_s, 600, &room, "us"),
        key(SECRET).entry(now_s - 7_200, 600, &room, "us"),
    ] {
        let mut us = Member::join(&server.url(), &token, "us", 520, &[], keys((0, "us 0"), &[]));
        us.until("it is not let in", |us| us.happened.contains(&RoomEvent::TokenRefused)).await;
        assert!(!us.happened.iter().any(|event| matches!(event, RoomEvent::Entered(_))));
        // A good one comes in time.
        us.order(StayOrder::Token(RoomToken::new(&self::token(&room, "us")).unwrap())).await;
        us.until("it is in", |us| us.is_up()).await;
        us.leave().await;
    }
    // One for another room leads there, and nobody of this one is met. A room of its own: the server lets go of who left in its time.
    let room = relay.room().await;
    let mut them = them(&server.url(), &room);
    let mut us = us(&server.url(), &"0".repeat(32));
    both(&mut us, &mut them, "both are up", |us, them| us.is_up() && them.is_up()).await;
    tokio::join!(us.pass(Duration::from_secs(1)), them.pass(Duration::from_secs(1)));
    for (one, other) in [(&us, "them"), (&them, "us")] {
        assert!(!one.happened.contains(&RoomEvent::Here(who(other))) && one.frames(other) == 0);
    }
    us.leave().await;
    them.leave().await;
    assert!(!server.log().contains("panic"));
}

#[tokio::test]
#[ignore = "a real server: make test-rooms"]
async fn a_pass_lets_somebody_in_under_a_name_of_this_call_alone_and_is_spent_then() {
    let (_server, mut relay, room) = place().await;
    let (url, token, name) = relay.enter().await;
    let mut one =
        Member::join(&url, &token, &name, 520, &["them"], keys((0, "us 0"), &[("them", 0, "them 0")]));
    let mut two = Member::join(
        &url,
        &self::token(&room, "them"),
        "them",
        700,
        &[&name],
        keys((0, "them 0"), &[(&name, 0, "us 0")]),
    );
    both(&mut one, &mut two, "all voices", |one, two| one.hears("them", 700) && two.hears(&name, 520)).await;
    assert!(one.happened.contains(&RoomEvent::Entered(who(&name))));
    assert!(relay.people().await.contains(&name));
    one.leave().await;
    two.leave().await;
}
