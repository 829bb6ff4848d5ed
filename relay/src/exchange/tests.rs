//! Is what is counted uncounted again?
//!
//! Lives here: sockets that end in every way, and what is left of them.
//! Must not: know what frames do.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::Limits;
use crate::turn::Ice;

const AT_MOST: Duration = Duration::from_secs(20);

/// Serves until every connection is over.
async fn until_empty(exchange: &mut Exchange, inputs: &mut mpsc::Receiver<Input>) {
    let serving = async {
        while !exchange.tasks.is_empty() {
            tokio::select! {
                Some(input) = inputs.recv() => exchange.take(input),
                () = std::future::ready(()), if exchange.has_work() => {
                    exchange.work();
                    tokio::task::yield_now().await;
                }
                () = exchange.ended() => {}
            }
        }
    };
    clock::timeout(AT_MOST, serving).await.expect("all end");
}

#[tokio::test]
async fn what_is_counted_at_accept_is_uncounted_on_every_way_out() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (listen, limits) = (listener.local_addr().unwrap(), Limits::default());
    let timing = Timing { claim_within: Duration::from_millis(50), ..Timing::default() };
    let settings = Settings { listen, tls: None, ice: Ice::default(), rooms: None, limits, timing };
    let (mut exchange, mut inputs) = Exchange::new([7; 32], settings);
    let get = "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n";
    let keys = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let whole = format!("{get}{keys}Sec-WebSocket-Protocol: ahoy.relay.1\r\n\r\n");
    // Nothing, garbage, half a handshake, a whole one and then: the end, nonsense, a ping.
    for words in ["", "x", get, &whole, &format!("{whole}x"), &format!("{whole}\u{9}\0")] {
        for stays in [false, true] {
            let mut socket = TcpStream::connect(listen).await.unwrap();
            let (tcp, from) = listener.accept().await.unwrap();
            exchange.arrived(tcp, from.ip());
            assert_eq!(exchange.board.len(), 1, "{words:?}");
            socket.write_all(words.as_bytes()).await.unwrap();
            if !stays {
                socket.shutdown().await.unwrap();
            } else if words.starts_with(&whole) {
                // Served, or on a busy machine too late for it; then it goes without a word.
                let mut some = [0; 12];
                tokio::select! {
                    read = socket.read_exact(&mut some) => drop(read),
                    () = until_empty(&mut exchange, &mut inputs) => {}
                }
                drop(socket);
                until_empty(&mut exchange, &mut inputs).await;
                continue;
            }
            until_empty(&mut exchange, &mut inputs).await;
        }
        assert!(exchange.board.is_empty() && exchange.clients.is_empty(), "{words:?}");
        assert!(exchange.goodbyes.is_empty() && exchange.knocks.is_empty() && !exchange.has_work());
        assert_eq!(exchange.handshakes.under_way(), 0, "{words:?}");
        assert_eq!(exchange.held.load(Ordering::Relaxed), 0, "{words:?}");
    }
}

#[tokio::test]
async fn a_connection_whose_task_is_cut_is_uncounted_too() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (listen, limits) = (listener.local_addr().unwrap(), Limits::default());
    let settings =
        Settings { listen, tls: None, ice: Ice::default(), rooms: None, limits, timing: Timing::default() };
    let (mut exchange, mut inputs) = Exchange::new([7; 32], settings);
    let _socket = TcpStream::connect(listen).await.unwrap();
    let (tcp, from) = listener.accept().await.unwrap();
    exchange.arrived(tcp, from.ip());
    exchange.clients.values().for_each(|client| client.task.abort());
    until_empty(&mut exchange, &mut inputs).await;
    assert!(exchange.board.is_empty() && exchange.clients.is_empty());
}
