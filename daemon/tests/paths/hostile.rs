//! Another side that is not who it says, or sends what no honest one does.
//!
//! Lives here: the story of each attack on a path that is being built.
//! Must not: attack a path that is up, or the relay.

use std::net::UdpSocket;

use ahoy_call::{Epoch, MediaFault, MediaOrder, MediaReport, Opaque, Role, SdpKind};

use crate::between::{Between, COMPANY, FIRST, SECOND};
use crate::side::{self, Side};
use crate::sound::{ANA, BEN};

#[tokio::test]
async fn a_peer_with_a_swapped_fingerprint_never_comes_up_and_is_never_heard() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.swap_fingerprint = true;
    w.begin(FIRST);
    w.until("Ben's turn", |w| w.ben.is_asked()).await;
    w.open(FIRST, false);
    w.until("a stuck path", |w| {
        w.ana.has(FIRST, &MediaReport::Stuck) || w.ben.has(FIRST, &MediaReport::Stuck)
    })
    .await;
    assert!(!w.ana.has(FIRST, &MediaReport::Up) && !w.ben.has(FIRST, &MediaReport::Up));
    assert!(!w.ana.ear.hears(BEN) && !w.ben.ear.hears(ANA));
    assert_eq!((w.voices(ANA), w.voices(BEN)), (0, 0), "no RTP to whom the fingerprint is not");
    w.end().await;
}

#[tokio::test]
async fn a_path_whose_dtls_hangs_is_reported_as_stuck() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.only_ice = true;
    w.begin(FIRST);
    let both = |w: &Between| [&w.ana, &w.ben].iter().all(|side| side.has(FIRST, &MediaReport::Stuck));
    w.until("a stuck path on both sides", |w| both(w)).await;
    assert!(!w.ana.has(FIRST, &MediaReport::Up) && !w.ben.has(FIRST, &MediaReport::Up));
    w.only_ice = false;
    w.connect(SECOND).await;
    w.end().await;
}

#[tokio::test]
async fn hostile_descriptions_fail_the_path_and_nothing_else() {
    let _shared = COMPANY.read().await;
    let mut side = Side::new(ANA);
    let garbage = |kind, text: &str| side::description(kind, text);
    for (n, text) in
        ["", "v=0\r\n", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "\u{0}\u{0}"].iter().enumerate()
    {
        let epoch = Epoch(u16::try_from(n).unwrap());
        side.order(epoch, MediaOrder::Prepare(Role::Answerer(garbage(SdpKind::Offer, text))));
        side.until_report(epoch, &MediaReport::Failed(MediaFault::Negotiation)).await;
        side.order(epoch, MediaOrder::Close);
    }
    side.order(Epoch(9), MediaOrder::Prepare(Role::Offerer));
    side.until_described(Epoch(9)).await;
    let hostile = vec![Opaque(vec![0xff; 4000]), Opaque(b"candidate:1 1 tcp 1 10.0.0.1 1 typ host".to_vec())];
    side.order(Epoch(9), MediaOrder::Candidates { list: hostile, complete: true });
    side.order(Epoch(9), MediaOrder::Remote(garbage(SdpKind::Answer, "no such thing")));
    side.until_report(Epoch(9), &MediaReport::Failed(MediaFault::Negotiation)).await;
    side.end().await;
}

#[tokio::test]
async fn of_ten_thousand_candidates_few_are_knocked_at_and_the_path_still_comes_up() {
    let _shared = COMPANY.read().await;
    let doors: Vec<UdpSocket> = (0..100).map(|_| UdpSocket::bind("127.0.0.9:0").unwrap()).collect();
    let mut ports: Vec<u16> = doors.iter().map(|door| door.local_addr().unwrap().port()).collect();
    ports.extend(10_000..19_900);
    let each = ports.iter().map(|port| format!("candidate:1 1 udp 2130706431 127.0.0.9 {port} typ host"));
    let list = each.map(|text| Opaque(text.into_bytes())).collect();
    let mut w = Between::new();
    w.begin(FIRST);
    // Before the description of the other side, whose own candidates come too late for room.
    w.ana.order(FIRST, MediaOrder::Candidates { list, complete: true });
    w.until("a path", |w| w.ana.has(FIRST, &MediaReport::Up) && w.ben.has(FIRST, &MediaReport::Up)).await;
    w.open(FIRST, false);
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
    let knocked = doors.iter().filter(|door| {
        door.set_nonblocking(true).unwrap();
        door.recv(&mut [0; 2_000]).is_ok()
    });
    let knocked = knocked.count();
    assert!((1..=32).contains(&knocked), "{knocked} doors");
    w.end().await;
}
