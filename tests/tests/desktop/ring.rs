//! The pop-up of a ring, and the notice of a missed call.
//!
//! Lives here: what is shown when, and whose word about it counts.
//! Must not: know how a note looks.

use std::sync::Arc;

use ahoy_call::{CallId, Direction, EndReason, Others, PeerId, State};
use ahoy_tests::bus::PrivateBus;
use ahoyd::values::board::Board;
use ahoyd::values::happening::EventData;
use ahoyd::values::request::{Answer, CallRequest, Denied, DeniedKind, Request, Verb, Which};

use super::rig::{Rig, Server, Told, call, press, until};

fn answers(request: &Request, who: u8) -> bool {
    let id = CallId::from_bytes([who; 16]);
    matches!(request, Request::Call(CallRequest::Verb { call: Which::Id(call), verb: Verb::Answer(Others::Hold), .. }) if *call == id)
}

fn declines(request: &Request, who: u8) -> bool {
    let id = CallId::from_bytes([who; 16]);
    matches!(request, Request::Call(CallRequest::Verb { call: Which::Id(call), verb: Verb::Decline { .. }, .. }) if *call == id)
}

#[tokio::test]
async fn a_ring_is_shown_once_and_goes_with_the_ring() {
    let (rig, mut server) = Rig::with_server().await;
    let mut ringing = call(1, "Ana", State::Incoming);
    ringing.view.note = Some("<i>hello</i> & \u{202e}bye".to_owned());
    rig.show(vec![ringing.clone()]);
    let Told::Notify { id, summary, body, buttons, urgency, .. } = server.told().await else { panic!() };
    assert_eq!((summary.as_str(), urgency), ("Ana is calling", 2));
    assert_eq!(body, "“&lt;i&gt;hello&lt;/i&gt; &amp; bye”");
    assert_eq!(buttons, ["answer", "Answer", "decline", "Decline"], "and no `default`");
    // Boards that say nothing new about the ring.
    for missed in 1..5 {
        rig.show_board(Board { calls: vec![Arc::new(ringing.clone())], missed, ..Board::default() });
        tokio::task::yield_now().await;
    }
    rig.show(vec![call(1, "Ana", State::Active)]);
    assert_eq!(server.closed().await, id, "nothing but the end was said after the beginning");
    for (who, over) in [(2, State::Disconnected), (3, State::Connecting)] {
        rig.show(vec![call(who, "Ana", State::Incoming)]);
        let (id, _) = server.shown().await;
        rig.show(vec![call(who, "Ana", over)]);
        assert_eq!(server.closed().await, id);
    }
}

#[tokio::test]
async fn its_buttons_answer_and_decline_and_closing_or_clicking_it_does_neither() {
    let (mut rig, mut server) = Rig::with_server().await;
    for (who, button) in [(1, "answer"), (2, "decline")] {
        rig.show(vec![call(who, "Ana", State::Incoming)]);
        let (id, _) = server.shown().await;
        server.press(id + 100, "answer").await;
        server.press(id, "default").await;
        server.press(id, "whatever").await;
        server.press(id, button).await;
        let asked = rig.asks().await.what;
        assert!(if who == 1 { answers(&asked, who) } else { declines(&asked, who) }, "{asked:?}");
        assert_eq!(server.closed().await, id, "some servers leave it on the screen");
    }
    let id = rig.rings_on(&mut server, 3).await;
    server.gone(id, 2).await;
    rig.show(vec![call(3, "Ana", State::Incoming), call(4, "Ben", State::Incoming)]);
    let (other, _) = server.shown().await;
    server.press(id, "answer").await;
    server.press(other, "decline").await;
    let asked = rig.asks().await.what;
    assert!(declines(&asked, 4), "what was closed is not shown again and asks for nothing: {asked:?}");
    assert!(rig.asks_nothing());
}

#[tokio::test]
async fn a_word_from_anybody_but_the_server_that_shows_it_is_not_believed() {
    let (mut rig, mut server) = Rig::with_server().await;
    let id = rig.rings_on(&mut server, 1).await;
    let forger = rig.connect().await;
    let dbus = zbus::fdo::DBusProxy::new(&forger).await.unwrap();
    // To everybody, and to each connection there is: the port's own is among them.
    press(&forger, None, id, "answer").await;
    for name in dbus.list_names().await.unwrap().iter().filter(|name| name.starts_with(':')) {
        press(&forger, Some(name.as_str()), id, "answer").await;
    }
    // The bus has carried all of it before it answers this.
    dbus.get_id().await.unwrap();
    server.press(id, "decline").await;
    let asked = rig.asks().await.what;
    assert!(declines(&asked, 1), "the forged answer was believed: {asked:?}");
    assert!(rig.asks_nothing());
}

#[tokio::test]
async fn a_server_that_comes_late_or_restarts_shows_the_ring_again() {
    let mut rig = Rig::start();
    rig.show(vec![call(1, "Ana", State::Incoming)]);
    let mut first = Server::come(&rig.bus, 0).await;
    let (old, summary) = first.shown().await;
    assert_eq!(summary, "Ana is calling");
    // One that takes its notes down in leaving has closed nothing in a person's name.
    first.gone(old, 4).await;
    first.go().await;
    let mut second = Server::come(&rig.bus, 40).await;
    let (new, _) = second.shown().await;
    second.press(new, "answer").await;
    assert!(answers(&rig.asks().await.what, 1));
    assert!(rig.asks_nothing());
}

#[tokio::test]
async fn what_a_person_closed_stays_closed_through_a_restart() {
    let rig = Rig::start();
    let mut first = Server::come(&rig.bus, 0).await;
    rig.show(vec![call(1, "Ana", State::Incoming)]);
    let (id, _) = first.shown().await;
    first.gone(id, 2).await;
    rig.show(vec![call(1, "Ana", State::Incoming), call(2, "Ben", State::Incoming)]);
    first.shown().await;
    first.go().await;
    let mut second = Server::come(&rig.bus, 40).await;
    assert_eq!(second.shown().await.1, "Ben is calling");
    rig.show(vec![]);
    second.closed().await;
    assert!(second.told_nothing());
}

#[tokio::test]
async fn a_pop_up_that_the_server_took_away_while_it_rings_is_shown_once_more() {
    let (mut rig, mut server) = Rig::with_server().await;
    let first = rig.rings_on(&mut server, 1).await;
    server.gone(first, 1).await;
    let (second, summary) = server.shown().await;
    assert_eq!(summary, "Ana is calling");
    // Some servers say the same when a person closed it: not a third time.
    server.gone(second, 1).await;
    rig.show(vec![call(1, "Ana", State::Incoming), call(2, "Ben", State::Incoming)]);
    let (other, summary) = server.shown().await;
    assert_eq!(summary, "Ben is calling");
    server.press(other, "decline").await;
    assert!(declines(&rig.asks().await.what, 2));
}

#[tokio::test]
async fn a_call_that_broke_leaves_its_reason_and_calls_again() {
    let (mut rig, mut server) = Rig::with_server().await;
    let data = |reason| EventData {
        call: Some(CallId::from_bytes([1; 16])),
        contact: Some(PeerId::from_bytes([1; 16])),
        name: Some("Ana".to_owned()),
        direction: Some(Direction::Outgoing),
        reason: Some(reason),
        duration_ms: Some(7_000),
        ..EventData::default()
    };
    rig.happens_so("call.ended", data(EndReason::Completed));
    rig.happens_so("call.ended", data(EndReason::ConnectionLost));
    let Told::Notify { id, summary, body, buttons, .. } = server.told().await else { panic!() };
    assert_eq!(summary, "The call with Ana broke off");
    assert!(body.contains("connection was lost"), "{body}");
    assert_eq!(buttons, ["call-again", "Call again"]);
    server.press(id, "call-again").await;
    let asked = rig.asks().await.what;
    assert!(
        matches!(&asked, Request::Call(CallRequest::Dial { target, .. }) if *target == "01".repeat(16)),
        "{asked:?}"
    );
    assert_eq!(server.closed().await, id);
}

#[tokio::test]
async fn a_call_that_was_answered_by_itself_is_announced_and_can_be_hung_up() {
    let (mut rig, mut server) = Rig::with_server().await;
    let mut row = call(1, "Ana", State::Active);
    row.view.auto_answered = true;
    rig.show(vec![row]);
    let (id, summary) = server.shown().await;
    assert_eq!(summary, "The call of Ana was answered by itself");
    server.press(id, "hang-up").await;
    assert!(matches!(rig.asks().await.what, Request::Call(CallRequest::Verb { verb: Verb::HangUp, .. })));
}

#[tokio::test]
async fn who_is_alone_in_a_group_is_asked_once_and_stays_or_ends_it() {
    let (mut rig, mut server) = Rig::with_server().await;
    let alone = |id| {
        let mut row = call(id, "Ana and 2 more", State::Active);
        row.view.alone = true;
        row
    };
    rig.show(vec![alone(1)]);
    let Told::Notify { id, summary, body, buttons, .. } = server.told().await else { panic!() };
    assert_eq!(summary, "You are alone in the call with Ana and 2 more");
    assert!(body.contains("ends by itself"), "{body}");
    assert_eq!(buttons, ["hang-up", "End", "stay", "Stay"]);
    server.press(id, "stay").await;
    assert_eq!(server.closed().await, id);
    // The same call is not asked about again; another is, and asks the engine for nothing but its own end.
    rig.show(vec![alone(1), alone(2)]);
    let (id, _) = server.shown().await;
    server.press(id, "hang-up").await;
    let Request::Call(CallRequest::Verb { call: Which::Id(ended), verb: Verb::HangUp, .. }) =
        rig.asks().await.what
    else {
        panic!("no end")
    };
    assert_eq!(ended, CallId::from_bytes([2; 16]));
}

#[tokio::test]
async fn with_a_bus_that_comes_late_or_no_server_at_all_nothing_hangs() {
    let mut rig = Rig::on(PrivateBus::absent().unwrap());
    rig.show(vec![call(1, "Ana", State::Incoming)]);
    rig.bus.come().unwrap();
    // No server yet: others of the port live on it meanwhile.
    let client = rig.connect().await;
    let dbus = zbus::fdo::DBusProxy::new(&client).await.unwrap();
    let two = async || {
        let names = dbus.list_names().await.unwrap();
        (names.iter().filter(|name| name.starts_with(':')).count() > 1).then_some(())
    };
    until(&client, two).await;
    let mut server = Server::come(&rig.bus, 0).await;
    server.shown().await;
    rig.end().await;
    server.closed().await;
    let mut deserted = Rig::start();
    deserted.show(vec![call(1, "Ana", State::Incoming)]);
    deserted.show(vec![]);
    deserted.end().await;
}

#[tokio::test]
async fn a_call_that_waits_says_what_its_answer_does() {
    let (rig, mut server) = Rig::with_server().await;
    rig.show(vec![call(1, "Ana", State::Active), call(2, "Ben", State::Waiting)]);
    let Told::Notify { id, body, buttons, .. } = server.told().await else { panic!() };
    assert_eq!(body, "Answering puts your call with Ana on hold.");
    assert_eq!(buttons[1], "Hold and answer");
    rig.show(vec![call(1, "Ana", State::Disconnected), call(2, "Ben", State::Incoming)]);
    let Told::Notify { replaces, body, buttons, .. } = server.told().await else { panic!() };
    assert_eq!((replaces, body.as_str(), buttons[1].as_str()), (id, "", "Answer"), "changed where it stands");
}

#[tokio::test]
async fn a_silenced_ring_stays_answerable_and_steps_back() {
    let (mut rig, mut server) = Rig::with_server().await;
    let mut ringing = call(1, "Ana", State::Incoming);
    rig.show(vec![ringing.clone()]);
    let (id, _) = server.shown().await;
    ringing.view.silenced = true;
    rig.show(vec![ringing]);
    let Told::Notify { replaces, urgency, body, .. } = server.told().await else { panic!() };
    assert_eq!((replaces, urgency), (id, 1));
    assert!(body.contains("without a sound"), "{body}");
    server.press(id, "answer").await;
    assert!(answers(&rig.asks().await.what, 1));
}

#[tokio::test]
async fn the_pop_up_is_kept_back_for_an_agent_and_missed_calls_are_told_all_the_same() {
    let (rig, mut server) = Rig::with_server().await;
    let ringing = vec![Arc::new(call(1, "Ana", State::Incoming))];
    rig.show_board(Board { calls: ringing.clone(), agents: 1, ..Board::default() });
    rig.happens("call.missed", 2, "Ben");
    assert_eq!(server.shown().await.1, "Missed call from Ben", "and nothing before it");
    rig.show_board(Board { calls: ringing.clone(), agents: 0, ..Board::default() });
    let (id, summary) = server.shown().await;
    assert_eq!(summary, "Ana is calling", "the agent has left while it rang");
    rig.show_board(Board { calls: ringing, agents: 1, ..Board::default() });
    assert_eq!(server.closed().await, id);
}

#[tokio::test]
async fn missed_calls_gather_by_person_and_call_back_dials() {
    let (mut rig, mut server) = Rig::with_server().await;
    rig.happens("call.missed", 1, "Ana");
    let Told::Notify { id, summary, buttons, urgency, .. } = server.told().await else { panic!() };
    assert_eq!((summary.as_str(), urgency), ("Missed call from Ana", 1));
    assert_eq!(buttons, ["call-back", "Call back"]);
    rig.happens("call.missed", 1, "Ana");
    let Told::Notify { replaces, summary, .. } = server.told().await else { panic!() };
    assert_eq!((replaces, summary.as_str()), (id, "2 missed calls from Ana"));
    let forger = rig.connect().await;
    press(&forger, None, id, "call-back").await;
    zbus::fdo::DBusProxy::new(&forger).await.unwrap().get_id().await.unwrap();
    assert!(rig.asks_nothing());
    server.press(id, "call-back").await;
    let asked = rig.asks().await;
    let Request::Call(CallRequest::Dial { target, .. }) = &asked.what else { panic!("{asked:?}") };
    let hex: String = PeerId::from_bytes([1; 16]).bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(*target, hex);
    let refused = Denied::new(DeniedKind::Busy, "You are in a call already.");
    asked.reply.send(Err::<Answer, _>(refused)).unwrap();
    assert_eq!(server.closed().await, id);
    rig.happens("call.missed", 1, "Ana");
    assert_eq!(server.shown().await.1, "Missed call from Ana", "it counts anew");
}

#[tokio::test]
async fn a_missed_notice_goes_when_the_history_was_looked_at_and_outlives_the_daemon_without_its_button() {
    let (mut rig, mut server) = Rig::with_server().await;
    rig.show_board(Board { missed: 1, ..Board::default() });
    rig.happens("call.missed", 1, "Ana");
    let (id, _) = server.shown().await;
    rig.show_board(Board::default());
    assert_eq!(server.closed().await, id, "its row was marked as seen");
    rig.happens("call.missed", 2, "Ben");
    let (id, _) = server.shown().await;
    rig.end().await;
    let Told::Notify { replaces, buttons, .. } = server.told().await else { panic!() };
    assert_eq!((replaces, buttons.len()), (id, 0));
}

#[tokio::test]
async fn a_server_without_buttons_says_what_to_type() {
    let rig = Rig::start();
    let mut server = Server::able(&rig.bus, 0, vec!["body"]).await;
    rig.show(vec![call(1, "Ana", State::Incoming)]);
    let Told::Notify { body, .. } = server.told().await else { panic!() };
    assert!(body.contains("ahoyctl answer"), "{body}");
}
