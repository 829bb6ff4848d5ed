//! Is the bus port there whenever the bus is?
//!
//! Lives here: a bus that comes, goes, hangs, and a name that is taken.
//! Must not: start a whole daemon.

use super::*;

#[tokio::test]
async fn a_second_owner_hears_that_the_name_is_taken_and_the_first_stays() {
    let rig = Rig::up(&idle()).await;
    let mut second = Port::at(rig.bus.address());
    second.publish(&idle()).await;
    assert_eq!(second.report().await, Report::NameTaken);
    assert!(second.reports.recv().await.is_none(), "the second port has ended");
    assert!(!rig.properties(ROOT, "Manager").await.is_empty(), "the first serves on");
}

#[tokio::test]
async fn a_bus_is_taken_up_whenever_it_comes_and_shows_the_newest_board() {
    let mut bus = PrivateBus::absent().unwrap();
    let mut port = Port::at(bus.address());
    port.publish(&idle()).await;
    let down = port.report().await;
    assert!(matches!(down, Report::Down(_)), "{down:?}");
    port.publish(&with_call(State::Dialing)).await;
    bus.come().unwrap();
    assert_eq!(within_five_seconds(&mut port).await, Report::Up);
    bus.go();
    let down = port.report().await;
    assert!(matches!(down, Report::Down(_)), "{down:?}");
    port.publish(&with_call(State::Active)).await;
    bus.come().unwrap();
    assert_eq!(within_five_seconds(&mut port).await, Report::Up);
    let rig = Rig { client: connect(&bus).await, port, bus };
    let call = rig.properties(CALL_PATH, "Call").await;
    assert_eq!(call["State"], Variant::from("active").try_into_owned().unwrap());
}

#[tokio::test]
async fn a_name_that_an_older_connection_of_ours_still_holds_is_waited_for() {
    let Rig { mut port, mut bus, .. } = Rig::up(&idle()).await;
    bus.go();
    assert!(matches!(port.report().await, Report::Down(_)));
    bus.come().unwrap();
    let ghost = connect(&bus).await;
    ghost.request_name("org.ahoyd.Calls1").await.unwrap();
    let Report::Down(why) = within_five_seconds(&mut port).await else { panic!("not while it is held") };
    assert!(why.contains("older connection"), "{why}");
    ghost.close().await.unwrap();
    assert_eq!(within_five_seconds(&mut port).await, Report::Up);
}

#[tokio::test]
async fn a_bus_that_is_stuck_is_left_and_joined_again_though_a_method_was_on_its_way() {
    let mut rig = Rig::up(&with_call(State::Active)).await;
    let client = rig.client.clone();
    let interface = Some("org.ahoyd.Calls1.Focus");
    let hangup = client.call_method(Some("org.ahoyd.Calls1"), FOCUS, interface, "Hangup", &NOTHING);
    let asked = tokio::select! {
        asked = rig.port.asked() => asked,
        answered = hangup => panic!("answered by nobody: {answered:?}"),
    };
    rig.bus.freeze().unwrap();
    let (orders, shown) = (rig.port.orders.clone(), rig.port.boards.clone());
    let boards = [muted(with_call(State::Active)), with_call(State::Active)];
    let fill = async {
        for board in boards.iter().cycle() {
            let (reply, out) = tokio::sync::oneshot::channel();
            shown.send_replace(Some(Newest { board: Arc::new(board.clone()), lost: 0 }));
            orders.send(Publication::Reply(reply, Ok(Answer::Done))).await.unwrap();
            let _out = out.await;
        }
    };
    let down = tokio::select! {
        report = rig.port.reports.recv() => report.unwrap(),
        () = fill => unreachable!("boards never end"),
    };
    assert!(matches!(down, Report::Down(_)), "{down:?}");
    rig.port.show(&with_call(State::Reconnecting), 0);
    rig.port.order(Publication::Reply(asked.reply, Ok(Answer::Done))).await;
    rig.bus.thaw().unwrap();
    let mut report = within_five_seconds(&mut rig.port).await;
    while let Report::Down(_) = report {
        report = within_five_seconds(&mut rig.port).await;
    }
    assert_eq!(report, Report::Up);
    rig.client = connect(&rig.bus).await;
    let call = rig.properties(CALL_PATH, "Call").await;
    assert_eq!(call["State"], Variant::from("reconnecting").try_into_owned().unwrap());
}
