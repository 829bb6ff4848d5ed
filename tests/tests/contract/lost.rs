//! What a client sees after the port was too slow, or another part of the daemon hangs.
//!
//! Lives here: boards, events and replies that found no room; methods that wait for a part that does not answer.
//! Must not: know how the port carries what it shows.

use ahoy_call::State;
use ahoyd::bus::Publication;
use ahoyd::engine::shown::Shown;
use ahoyd::values::board::AccountRow;
use ahoyd::values::happening::EventData;
use ahoyd::values::request::{Answer, Asked, CallRequest, DaemonRequest, HistoryRequest, Request, Verb};
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};
use zbus::Variant;

use super::rig::{CALL_PATH, Rig, changes, connect, idle, muted, with_call};
use super::speech::{NOTHING, ROOT, error_name};
use super::{BTreeSet, FOCUS, PrivateBus, Report};

#[tokio::test]
async fn the_newest_board_is_shown_after_a_time_in_which_the_port_took_nothing() {
    let (orders, mut orders_in) = mpsc::channel(256);
    let account = AccountRow { id: "a".repeat(32), ..AccountRow::default() };
    let mut show = Shown::new(orders, account);
    let boards = show.boards();
    for n in 0..300 {
        *show.board() = match n {
            299 => muted(with_call(State::Active)),
            _ => with_call(if n % 2 == 0 { State::Active } else { State::Held }),
        };
        show.flush();
        show.happened("test.toggled", EventData::default());
    }
    let (reply, answered) = oneshot::channel();
    show.publish(Publication::Reply(reply, Ok(Answer::Done)));
    assert!(boards.borrow().as_ref().unwrap().lost > 0, "it counts what it lost");
    let mut queued = 0;
    while let Ok(order) = orders_in.try_recv() {
        queued += 1;
        if let Publication::Reply(reply, answer) = order {
            reply.send(answer).unwrap();
        }
    }
    assert!(queued < 256, "{queued}: events leave room for replies");
    answered.await.unwrap().unwrap();

    let bus = PrivateBus::start().unwrap();
    let (asked, _asked) = mpsc::channel(16);
    let (reports, mut reported) = mpsc::channel(16);
    let mut task = tokio::task::JoinSet::new();
    task.spawn(ahoyd::bus::serve(Some(bus.address()), asked, boards, orders_in, reports));
    assert_eq!(reported.recv().await, Some(Report::Up));
    let client = connect(&bus).await;
    let proxy = super::rig::properties_of(&client, CALL_PATH).await;
    let seen = proxy.get("org.ahoyd.Calls1.Call".try_into().unwrap(), "Muted").await.unwrap();
    assert_eq!(seen, Variant::from(true).try_into_owned().unwrap(), "the 300th board, not one before it");
}

#[tokio::test]
async fn after_lost_events_every_property_of_every_object_is_told_again() {
    let rig = Rig::up(&with_call(State::Active)).await;
    let mut monitor = rig.monitor().await;
    rig.port.publish(&with_call(State::Active)).await;
    assert!(changes(&rig.seen(&mut monitor).await).is_empty(), "nothing was lost");
    rig.port.show(&with_call(State::Active), 3);
    let told = changes(&rig.seen(&mut monitor).await);
    let objects: BTreeSet<&str> = told.iter().map(|(_, interface, _)| interface.as_str()).collect();
    let all = ["Account", "AudioDevice", "Call", "Contacts", "Focus", "History", "Manager", "Peer"];
    assert_eq!(objects, BTreeSet::from(all));
    let (_, _, call) = told.iter().find(|(path, ..)| path == CALL_PATH).unwrap();
    assert_eq!(call["State"], Variant::from("active").try_into_owned().unwrap());
    assert!(changes(&rig.seen(&mut monitor).await).is_empty(), "once");
}

#[tokio::test]
async fn a_part_that_hangs_holds_up_no_other_method_and_its_client_is_told() {
    let mut rig = Rig::up(&with_call(State::Active)).await;
    let client = rig.client.clone();
    let ask = |path: &'static str, interface: &'static str, method: &'static str| {
        let client = client.clone();
        async move { client.call_method(Some("org.ahoyd.Calls1"), path, Some(interface), method, &NOTHING).await }
    };
    let stats = ask(CALL_PATH, "org.ahoyd.Calls1.Call", "GetStats");
    let dial = {
        let (client, body) = (client.clone(), ("history:7", &NOTHING));
        async move {
            client
                .call_method(Some("org.ahoyd.Calls1"), ROOT, Some("org.ahoyd.Calls1.Manager"), "Dial", &body)
                .await
        }
    };
    let hangup = ask(FOCUS, "org.ahoyd.Calls1.Focus", "Hangup");
    let engine = async {
        // The two that hang are kept, and never answered.
        let mut kept = Vec::new();
        for _ in 0..3 {
            let asked = rig.port.asked().await;
            // Who was given up has been told already: whatever came after that has waited for it.
            assert!(kept.iter().all(|one: &Asked| !one.reply.is_closed()), "{:?} waited", asked.what);
            if matches!(asked.what, Request::Call(CallRequest::Verb { verb: Verb::HangUp, .. })) {
                rig.port.order(Publication::Reply(asked.reply, Ok(Answer::Done))).await;
            } else {
                assert!(
                    matches!(
                        asked.what,
                        Request::Call(CallRequest::Stats(_)) | Request::History(HistoryRequest::Get(7))
                    ),
                    "{:?}",
                    asked.what
                );
                kept.push(asked);
            }
        }
        kept
    };
    let (stats, dial, hangup, _kept) = tokio::join!(stats, dial, hangup, engine);
    hangup.unwrap();
    for refused in [stats, dial] {
        assert_eq!(error_name(&refused.unwrap_err()), "org.ahoyd.Calls1.Error.Failed");
    }
}

/// An agent, and the name under which it registered.
async fn with_an_agent() -> (Rig, zbus::Connection, String) {
    let mut rig = Rig::up(&idle()).await;
    let agent = connect(&rig.bus).await;
    let manager = ahoy_dbus::proxy::ManagerProxy::new(&agent).await.expect("the bus is there");
    let none = ahoy_dbus::Dict::new();
    let board = idle();
    let (registered, asked) =
        tokio::join!(manager.register_agent(&none), rig.port.serve_one(&board, Ok(Answer::Flag(true))));
    registered.expect("an agent may register");
    let Request::Daemon(DaemonRequest::RegisterAgent(name)) = asked.what else { panic!("{:?}", asked.what) };
    (rig, agent, name)
}

#[tokio::test]
async fn an_agent_is_forgotten_with_the_bus() {
    let (mut rig, _agent, name) = with_an_agent().await;
    rig.bus.go();
    let asked = tokio::time::timeout(std::time::Duration::from_secs(10), rig.port.asked()).await;
    assert_eq!(asked.expect("the lease ends").what, Request::Daemon(DaemonRequest::UnregisterAgent(name)));
}

#[tokio::test]
async fn an_agent_that_leaves_while_the_queue_is_full_is_forgotten_all_the_same() {
    let (mut rig, agent, name) = with_an_agent().await;
    // Requests that nobody takes, until one more is refused: the queue is full.
    let client = rig.client.clone();
    let full = async {
        let mut waiting = futures_util::stream::FuturesUnordered::new();
        for _ in 0..40 {
            let client = client.clone();
            waiting.push(async move {
                let (body, interface) = (("all", 0_i64, &NOTHING), Some("org.ahoyd.Calls1.Manager"));
                client.call_method(Some("org.ahoyd.Calls1"), ROOT, interface, "SetDnd", &body).await
            });
        }
        let refused = waiting.next().await.expect("there are forty").unwrap_err();
        assert_eq!(error_name(&refused), "org.ahoyd.Calls1.Error.RateLimited");
        waiting
    };
    let _waiting = full.await;
    agent.close().await.unwrap();
    let dbus = zbus::fdo::DBusProxy::new(&rig.client).await.unwrap();
    while dbus.name_has_owner(name.as_str().try_into().unwrap()).await.unwrap() {}
    for _ in 0..5 {
        // The port has heard of it by then.
        rig.properties(ROOT, "Manager").await;
    }
    let forgotten = async {
        loop {
            if rig.port.asked().await.what == Request::Daemon(DaemonRequest::UnregisterAgent(name.clone())) {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), forgotten).await.expect("the lease ends");
}
