//! Paths by a TURN server alone, over each way to reach one, and servers that do not serve.
//!
//! Lives here: the story of each, with a real coturn; what the two sides tell each other of their addresses.
//! Must not: stand between the two: nobody is there but the server.

use std::time::Duration;

use ahoy_call::{Epoch, MediaFault, MediaOrder, MediaReport, Role};
use ahoyd::system::clock;
use ahoyd::values::line::PathKind;
use tokio::net::TcpListener;

use crate::between::{Between, COMPANY, FIRST, SECOND};
use crate::side::Side;
use crate::sound::{ANA, BEN};
use crate::turn::Turn;

const HOUR: i64 = 3_600;

/// Both may show their address to this server alone, which they reach so.
fn by_turn_alone(turn: &Turn, by: &str, for_s: i64) -> Between {
    let mut w = Between::new();
    w.direct = true;
    for side in [&mut w.ana, &mut w.ben] {
        (side.ice_servers, side.trust, side.relay_only) = (turn.servers(by, for_s), turn.trust(), true);
    }
    w
}

async fn both_hear(w: &mut Between) {
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
}

#[tokio::test]
async fn over_udp_tcp_and_tls_a_turn_server_carries_a_call_in_which_nobody_shows_an_address() {
    let _shared = COMPANY.read().await;
    let turn = Turn::start(&[]).await;
    for (by, way) in [("udp", PathKind::RelayUdp), ("tcp", PathKind::RelayTcp), ("tls", PathKind::RelayTls)] {
        let mut w = by_turn_alone(&turn, by, HOUR);
        let took = w.connect(FIRST).await;
        println!("Prepare to Up on both sides, by TURN over {by}: {} ms", took.as_millis());
        w.until("both data channels", |w| w.ana.channel && w.ben.channel).await;
        w.ana.frame(&[7; 32_900]);
        w.until("a sealed frame of full size", |w| !w.ben.frames.is_empty()).await;
        w.open(FIRST, false);
        both_hear(&mut w).await;
        let named = |side: &Side| side.line.path == Some(way);
        w.until("the way by its name", |w| named(&w.ana) && named(&w.ben)).await;
        let relayed = w.told.iter().filter(|text| text.contains("typ relay")).count();
        assert!(relayed >= 2, "each told of an address at the server: {:?}", w.told);
        for text in &w.told {
            assert!(!text.contains("typ host") && !text.contains("typ srflx"), "{text}");
            assert!(!text.contains("typ relay") || text.contains(" raddr 0.0.0.0 rport 9"), "{text}");
            let mut of_us = text.lines().filter(|line| line.starts_with("c=") || line.starts_with("o="));
            assert!(of_us.all(|line| line.ends_with("IN IP4 0.0.0.0")), "{text}");
        }
        w.end().await;
    }
}

#[tokio::test]
async fn what_costs_less_is_used_where_it_works_and_nothing_else_is_connected_to() {
    let _shared = COMPANY.read().await;
    let turn = Turn::start(&[]).await;
    let before = turn.streams();
    let mut w = by_turn_alone(&turn, "udp", HOUR);
    for side in [&mut w.ana, &mut w.ben] {
        let more = ["tls", "tcp"].map(|by| turn.servers(by, HOUR));
        side.ice_servers.extend(more.into_iter().flatten());
    }
    w.connect(FIRST).await;
    w.open(FIRST, false);
    both_hear(&mut w).await;
    w.end().await;
    assert_eq!(turn.streams(), before, "the server was reached by UDP");
    // One without UDP.
    for side in [&mut w.ana, &mut w.ben] {
        side.ice_servers.remove(0);
    }
    let mut next = Between::new();
    next.direct = true;
    for (side, like) in [(&mut next.ana, &w.ana), (&mut next.ben, &w.ben)] {
        (side.ice_servers, side.trust, side.relay_only) = (like.ice_servers.clone(), turn.trust(), true);
    }
    next.connect(FIRST).await;
    next.open(FIRST, false);
    both_hear(&mut next).await;
    next.end().await;
    assert_eq!(turn.streams(), before + 2, "each by TCP, and neither by TLS");
}

#[tokio::test]
async fn a_server_that_knows_us_not_is_full_or_was_never_there_ends_the_path_with_its_reason() {
    let _shared = COMPANY.read().await;
    let no_turn = MediaReport::Failed(MediaFault::NoTurn);
    let turn = Turn::start(&[]).await;
    let mut side = Side::new(ANA);
    (side.relay_only, side.trust) = (true, turn.trust());
    let silent = (
        tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let ports = [silent.0.local_addr().unwrap().port(), silent.1.local_addr().unwrap().port()];
    let mut never_answers = turn.servers("udp", HOUR);
    never_answers[0].urls = vec![
        format!("turn:127.0.0.1:{}?transport=udp", ports[0]),
        format!("turn:127.0.0.1:{}?transport=tcp", ports[1]),
        format!("turns:127.0.0.1:{}?transport=tcp", ports[1]),
    ];
    let mut nobody = turn.servers("tcp", HOUR);
    nobody[0].urls = vec!["turn:127.0.0.1:1?transport=tcp".to_owned()];
    let cases = [
        ("none at all", Vec::new()),
        ("401, by UDP", turn.servers_of_a_stranger("udp")),
        ("401, by TLS", turn.servers_of_a_stranger("tls")),
        ("expired", turn.servers("tcp", -60)),
        ("nobody listens", nobody),
        ("never answers", never_answers),
    ];
    for (epoch, (case, servers)) in (1..).zip(cases) {
        let epoch = Epoch(epoch);
        side.ice_servers = servers;
        let began = clock::now();
        side.order(epoch, MediaOrder::Prepare(Role::Offerer));
        side.until_report(epoch, &no_turn).await;
        println!("{case}: {} ms", (clock::now() - began).as_millis());
        side.order(epoch, MediaOrder::Close);
    }
    side.end().await;
}

#[tokio::test]
async fn a_server_without_room_for_two_serves_one_and_one_that_forbids_the_other_side_leads_nowhere() {
    let _shared = COMPANY.read().await;
    let no_turn = MediaReport::Failed(MediaFault::NoTurn);
    let turn = Turn::start(&["--user-quota=1"]).await;
    let mut w = by_turn_alone(&turn, "udp", HOUR);
    w.begin(FIRST);
    w.until("486 for one of them", |w| w.ana.has(FIRST, &no_turn) != w.ben.has(FIRST, &no_turn)).await;
    assert!(!w.ana.has(FIRST, &MediaReport::Up) && !w.ben.has(FIRST, &MediaReport::Up));
    w.end().await;
    // 403: it lets nobody through to where the other side is, which is itself.
    let turn = Turn::start(&["--denied-peer-ip=127.0.0.0-127.255.255.255"]).await;
    let mut w = by_turn_alone(&turn, "tcp", HOUR);
    w.begin(FIRST);
    w.until("no way", |w| w.ana.has(FIRST, &MediaReport::Lost) && w.ben.has(FIRST, &MediaReport::Lost)).await;
    assert!(!w.ana.has(FIRST, &MediaReport::Up) && !w.ben.has(FIRST, &MediaReport::Up));
    w.end().await;
}

#[tokio::test]
async fn without_the_rule_a_server_that_does_not_serve_costs_nothing_but_itself() {
    let _shared = COMPANY.read().await;
    let turn = Turn::start(&[]).await;
    let mut w = Between::new();
    for side in [&mut w.ana, &mut w.ben] {
        side.ice_servers =
            ["udp", "tcp", "tls"].map(|by| turn.servers_of_a_stranger(by)).into_iter().flatten().collect();
        side.trust = turn.trust();
    }
    w.connect(FIRST).await;
    w.open(FIRST, false);
    both_hear(&mut w).await;
    assert!(w.voices(ANA) > 0, "directly");
    w.end().await;
}

#[tokio::test]
async fn a_server_that_is_gone_in_a_call_is_a_lost_path_and_the_next_one_is_by_another() {
    let _shared = COMPANY.read().await;
    for by in ["udp", "tcp", "tls"] {
        let (mut turn, other) = (Turn::start(&[]).await, Turn::start(&[]).await);
        let mut w = by_turn_alone(&turn, by, HOUR);
        w.connect(FIRST).await;
        w.open(FIRST, false);
        both_hear(&mut w).await;
        turn.kill();
        w.until("a lost path", |w| [&w.ana, &w.ben].iter().all(|it| it.has(FIRST, &MediaReport::Lost))).await;
        for side in [&mut w.ana, &mut w.ben] {
            (side.ice_servers, side.trust) = (other.servers(by, HOUR), other.trust());
        }
        w.connect(SECOND).await;
        w.open(SECOND, false);
        w.close(FIRST);
        both_hear(&mut w).await;
        w.end().await;
    }
}

#[tokio::test]
async fn a_call_outlives_the_credentials_that_it_was_begun_with() {
    let _shared = COMPANY.read().await;
    const CREDENTIALS: i64 = 60;
    let turn = Turn::start(&[]).await;
    let mut w = by_turn_alone(&turn, "udp", CREDENTIALS);
    w.ben.ice_servers = turn.servers("tls", CREDENTIALS);
    // The server counts whole seconds.
    let ended = clock::now() + Duration::from_secs(61);
    w.connect(FIRST).await;
    w.open(FIRST, false);
    both_hear(&mut w).await;
    for side in [&mut w.ana, &mut w.ben] {
        side.ear.start_over();
    }
    w.starved = Duration::ZERO;
    w.pass(ended.since(clock::now())).await;
    let renewed = || turn.log().matches("refreshed").count();
    let before = renewed();
    w.until("both allocations renewed by credentials that have ended", |_| renewed() >= before + 2).await;
    both_hear(&mut w).await;
    assert!(!w.ana.has(FIRST, &MediaReport::Lost) && !w.ben.has(FIRST, &MediaReport::Lost), "it stood");
    let gaps = (w.ana.ear.longest_gap(), w.ben.ear.longest_gap());
    println!("renewed {} times, longest gaps: {gaps:?}, starved {:?}", renewed(), w.starved);
    let most = Duration::from_millis(200) + w.starved * 2;
    assert!(gaps.0 < most && gaps.1 < most, "{gaps:?}, starved {:?}", w.starved);
    w.end().await;
}
