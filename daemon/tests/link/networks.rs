//! A link whose connection is dead, or does not come: what a change of our network and somebody who waits do to it.
//!
//! Lives here: relays that are played, and hang or fall silent.
//! Must not: wait for real limits.

use super::*;

#[tokio::test]
async fn after_a_change_of_our_network_a_relay_that_is_gone_is_noticed_at_once() {
    let (mut ana, listener, mut relay) = standing().await;
    let ToRelay::Send(sent) = said(&mut relay).await else { panic!("nothing sent") };
    ana.link.network_changed();
    assert!(matches!(relay.next().await, Some(Ok(Message::Ping(_)))), "it is asked for a sign of life");
    relay.flush().await.unwrap();
    say(&mut relay, ToClient::Accepted { id: sent.id }).await;
    assert_eq!(ana.accepted().await, 1, "and gave one");
    // From now on nothing is read and nothing answered, as by a network that has gone.
    drop(listener);
    let asked = clock::now();
    ana.link.network_changed();
    assert_eq!(ana.down().await, "the relay fell silent");
    assert!(clock::now().since(asked) < Duration::from_secs(10), "long before silence alone would tell");
}

#[tokio::test]
async fn a_network_that_changes_all_the_time_does_not_keep_a_dead_link_alive() {
    let (mut ana, listener, _relay) = standing().await;
    drop(listener);
    // Each change by itself gives a relay less time than that before the next one comes.
    for _ in 0..15 {
        ana.link.network_changed();
        if let Ok(report) = clock::timeout(Duration::from_secs(1), ana.reports.recv()).await {
            assert!(matches!(report, Some((_, FromLink::Down { .. }))), "{report:?}");
            return;
        }
    }
    panic!("each change put off the end of the dead connection");
}

#[tokio::test]
async fn after_a_change_of_our_network_the_next_connection_takes_the_place_of_a_dead_one() {
    let (mut ana, listener, mut old) = standing().await;
    let ToRelay::Send(sent) = said(&mut old).await else { panic!("nothing sent") };
    // The old connection says nothing any more.
    ana.link.network_changed();
    let mut new = clock::timeout(AT_MOST, greeted(&listener)).await.expect("it dials beside the old one");
    ana.up().await;
    let again = said(&mut new).await;
    assert!(matches!(&again, ToRelay::Send(it) if it.id == sent.id), "it goes again: {again:?}");
    say(&mut new, ToClient::Accepted { id: sent.id }).await;
    assert_eq!(ana.accepted().await, 1, "nobody was told of a link that is down");
}

#[tokio::test]
async fn a_connection_that_brings_what_the_relay_says_and_takes_nothing_to_it_gives_way_to_the_next_one() {
    let (mut ana, listener, mut old) = standing().await;
    let ToRelay::Send(sent) = said(&mut old).await else { panic!("nothing sent") };
    ana.link.network_changed();
    let (tcp, _) =
        clock::timeout(AT_MOST, listener.accept()).await.expect("it dials beside the old one").unwrap();
    // Not read, so not answered: what it is asked.
    say(&mut old, ToClient::Accepted { id: sent.id }).await;
    assert_eq!(ana.accepted().await, 1);
    let _new = greet(tcp).await;
    ana.up().await;
}

#[tokio::test]
async fn a_link_that_hangs_in_its_dialing_dials_anew_when_our_network_changes() {
    let (mut ana, listener) = played(LinkRole::Sender).await;
    ana.link.send(envelope(&key(2), 1, OPEN)).unwrap();
    // This one is never answered.
    let (mut hanging, _) = listener.accept().await.unwrap();
    let mut asked = [0; 1];
    hanging.read_exact(&mut asked).await.unwrap();
    ana.link.network_changed();
    let (second, _) = clock::timeout(AT_MOST, listener.accept()).await.expect("it dials anew").unwrap();
    let mut rest = vec![0; 4_096];
    let left = async { while hanging.read(&mut rest).await.unwrap() > 0 {} };
    assert!(clock::timeout(Duration::ZERO, left).await.is_err(), "not because the first try was over");
    let _relay = greet(second).await;
    ana.up().await;
}

#[tokio::test]
async fn while_somebody_waits_a_dead_connection_is_left_and_a_hanging_try_is_followed_by_others() {
    let (mut ana, listener, mut old) = standing().await;
    let ToRelay::Send(sent) = said(&mut old).await else { panic!("nothing sent") };
    say(&mut old, ToClient::Accepted { id: sent.id }).await;
    assert_eq!(ana.accepted().await, 1);
    ana.link.hurry();
    assert!(matches!(old.next().await, Some(Ok(Message::Ping(_)))), "it is asked for a sign of life");
    old.flush().await.unwrap();
    // It answers, so nobody dials; from now on nothing is answered, as by a network that has gone.
    ana.link.send(envelope(&key(2), 2, OPEN)).unwrap();
    let ToRelay::Send(sent) = said(&mut old).await else { panic!("nothing sent") };
    say(&mut old, ToClient::Accepted { id: sent.id }).await;
    assert_eq!(ana.accepted().await, 2);
    let dialed = clock::timeout(Duration::ZERO, listener.accept()).await;
    assert!(dialed.is_err(), "a connection that answers is enough");
    ana.link.send(envelope(&key(2), 3, OPEN)).unwrap();
    ana.link.hurry();
    let tries = async {
        let (first, _) = listener.accept().await.unwrap();
        let (second, _) = listener.accept().await.unwrap();
        let (third, _) = listener.accept().await.unwrap();
        (first, second, third)
    };
    let (_first, _second, third) = clock::timeout(AT_MOST, tries).await.expect("one try after the other");
    assert_eq!(ana.down().await, "the relay fell silent");
    let _new = greet(third).await;
    ana.up().await;
}

#[tokio::test]
async fn while_somebody_waits_tries_that_fail_at_once_do_not_follow_each_other_at_once() {
    let (ana, listener) = played(LinkRole::Sender).await;
    ana.link.send(envelope(&key(2), 1, OPEN)).unwrap();
    ana.link.hurry();
    let began = clock::now();
    let tries = async {
        for _ in 0..8 {
            drop(listener.accept().await.unwrap());
        }
    };
    clock::timeout(AT_MOST, tries).await.expect("it goes on trying");
    assert!(clock::now().since(began) >= Duration::from_secs(2), "two a second");
}
