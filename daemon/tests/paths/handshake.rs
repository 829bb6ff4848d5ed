//! A network that loses what the keys of a path are agreed by.
//!
//! Lives here: the story of that, between the two and on the way to a TURN server.
//! Must not: wait for the library to repeat a flight: what it makes anew is lost once, too.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahoy_call::MediaReport;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::between::{Between, COMPANY, FIRST};
use crate::sound::{ANA, BEN};
use crate::turn::Turn;

const HOUR: i64 = 3_600;

async fn both_come_up_and_hear(w: &mut Between) {
    w.connect(FIRST).await;
    for side in [&w.ana, &w.ben] {
        assert!(!side.has(FIRST, &MediaReport::Stuck), "no second path was needed");
    }
    w.open(FIRST, false);
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
}

#[tokio::test]
async fn a_path_comes_up_where_each_datagram_of_each_flight_is_lost_once() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.loses_first_of_flight = true;
    both_come_up_and_hear(&mut w).await;
    let [ana, ben] = w.unseen(FIRST);
    // RFC 6347 §4.2.4: three flights of the client, the last of them in one datagram or more, and three of the server.
    assert!(ana >= 3 && ben >= 3, "all of them were lost: {ana}, {ben}");
    w.end().await;
}

#[tokio::test]
async fn by_a_turn_server_too() {
    let _shared = COMPANY.read().await;
    let turn = Turn::start(&[]).await;
    let (mut tasks, lost) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    let mut w = Between::new();
    w.direct = true;
    for side in [&mut w.ana, &mut w.ben] {
        let door = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let mut servers = turn.servers("udp", HOUR);
        servers[0].urls = vec![format!("turn:{}?transport=udp", door.local_addr().unwrap())];
        (side.ice_servers, side.trust, side.relay_only) = (servers, turn.trust(), true);
        tasks.spawn(pass_on(door, turn.address(), lost.clone()));
    }
    both_come_up_and_hear(&mut w).await;
    let lost = lost.load(Ordering::Relaxed);
    assert!(lost >= 6, "all of them were lost: {lost}");
    w.end().await;
}

/// A door to a server, which loses each datagram with a part of a flight once.
async fn pass_on(door: Arc<UdpSocket>, server: SocketAddr, lost: Arc<AtomicUsize>) {
    let (mut clients, mut tasks, mut seen) =
        (HashMap::<SocketAddr, Arc<UdpSocket>>::new(), JoinSet::new(), HashSet::new());
    let mut bytes = [0; 2048];
    while let Ok((length, client)) = door.recv_from(&mut bytes).await {
        let datagram = &bytes[..length];
        // RFC 8656 §12.4: ChannelData, four bytes of its own; RFC 6347 §4.1: what it carries.
        let flight = (64..80).contains(&datagram[0]) && [Some(&20), Some(&22)].contains(&datagram.get(4));
        if flight && seen.insert(datagram.to_vec()) {
            lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        if let Entry::Vacant(first) = clients.entry(client) {
            let out = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
            out.connect(server).await.unwrap();
            first.insert(out.clone());
            let door = door.clone();
            tasks.spawn(async move {
                let mut bytes = [0; 2048];
                while let Ok(length) = out.recv(&mut bytes).await {
                    door.send_to(&bytes[..length], client).await.ok();
                }
            });
        }
        clients[&client].send(datagram).await.ok();
    }
}
