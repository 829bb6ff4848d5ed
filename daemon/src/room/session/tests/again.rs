//! Coming back into a room, and giving it up.
//!
//! Lives here: sockets that break, servers that forget, ways that are lost, each in virtual time.
//! Must not: open a socket.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// The stay goes on: the server knows us still.
fn resumed(rig: &mut Rig) {
    rig.says(Response::Reconnect(wire::Reconnect::default()));
}

#[test]
fn a_socket_that_breaks_is_opened_again_while_packets_flow() {
    let mut rig = Rig::up();
    rig.says(update(vec![person("PA_a", "ana", 2, &[("TR_a", 1)])]));
    rig.says(Response::RefreshToken("fresh".to_owned()));
    rig.pass(12 * SECOND);
    rig.says(update(vec![]));
    rig.out.clear();
    rig.take(Input::Closed(Closed::Broken));
    let opened = rig.opened();
    let request = &opened[0].1;
    assert_eq!((request.reconnect, &*request.participant_sid), (true, "PA_us"));
    assert!(request.publisher_offer.is_none());
    let fresh = RoomToken::new("fresh").unwrap();
    assert!(rig.out.iter().any(|out| matches!(out, Output::Open { token, .. } if *token == fresh)));
    assert_eq!((rig.asks(), rig.told()), (vec![], vec![]), "the connection is left alone");
    rig.media(RoomSaid::Candidate(RoomCandidate("late".to_owned())));
    rig.out.clear();
    resumed(&mut rig);
    let sent = rig.sent();
    let Request::SyncState(state) = &sent[0] else { panic!("{sent:?}") };
    assert_eq!(state.offer.as_ref().map(|offer| &*offer.sdp), Some("offer 1"));
    assert_eq!(state.answer.as_ref().map(|answer| &*answer.sdp), Some("answer 1"));
    assert_eq!(
        state.subscription.as_ref().map(|wants| &wants.track_sids[..]),
        Some(&["TR_a".to_owned()][..])
    );
    assert_eq!(state.publish_tracks[0].track.as_ref().map(|track| &*track.sid), Some("TR_us"));
    assert!(matches!(&sent[1], Request::Trickle(one) if one.candidate_init == "late"));
    assert!(!rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Offer { .. })), "the way is a good one");
}

#[test]
fn a_way_that_was_lost_meanwhile_is_looked_for_after_the_socket_is_back() {
    let mut rig = Rig::up();
    rig.take(Input::Closed(Closed::Broken));
    rig.pass(SECOND);
    rig.media(RoomSaid::Down);
    resumed(&mut rig);
    assert!(rig.asks().contains(&RoomAsk::Offer { number: 2, more: 0, restart: true }), "{:?}", rig.asks());
    assert_eq!(rig.told(), [RoomEvent::Down]);
    let number = rig.describe();
    rig.says(answer(number));
    rig.out.clear();
    rig.media(RoomSaid::Up);
    assert_eq!(rig.told(), [RoomEvent::Up]);
    rig.pass(SECOND);
    assert_eq!(rig.opened(), []);
}

#[test]
fn a_description_that_nobody_will_answer_is_withdrawn_and_made_anew() {
    let mut rig = Rig::up();
    rig.says(Response::Sections(wire::Sections { audios: 1, videos: 0 }));
    rig.describe();
    rig.out.clear();
    rig.take(Input::Closed(Closed::Broken));
    assert_eq!(rig.asks(), [RoomAsk::Withdraw]);
    rig.pass(SECOND);
    rig.out.clear();
    resumed(&mut rig);
    assert_eq!(rig.asks(), [RoomAsk::Offer { number: 3, more: 0, restart: false }]);
    rig.media(RoomSaid::Offered(2, sdp("the one that was withdrawn")));
    assert!(!rig.sent().iter().any(|sent| matches!(sent, Request::Offer(_))));
    rig.says(answer(2));
    assert!(!rig.asks().contains(&RoomAsk::Answer(sdp("answer 2"))));
}

#[test]
fn a_server_that_does_not_know_us_any_more_is_joined_anew() {
    for said in [leave(6, 2), leave(3, 2), leave(8, 0)] {
        let mut rig = Rig::up();
        rig.pass(12 * SECOND);
        rig.take(Input::Closed(Closed::Broken));
        rig.out.clear();
        rig.says(said);
        assert!(
            rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. })) || {
                rig.pass(SECOND);
                rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. }))
            }
        );
        assert!(rig.told().contains(&RoomEvent::Down));
        rig.describe();
        let request = rig.opened().pop().unwrap().1;
        assert!(!request.reconnect && request.publisher_offer.is_some());
        rig.out.clear();
        rig.says(join(vec![person("PA_a", "ana", 2, &[("TR_a", 1)])]));
        assert!(rig.told().contains(&RoomEvent::Here(who("ana"))));
    }
}

#[test]
fn three_refusals_lead_to_a_new_stay_and_fourteen_to_the_end() {
    let mut rig = Rig::up();
    rig.pass(12 * SECOND);
    rig.out.clear();
    rig.take(Input::Closed(Closed::Broken));
    let mut ways = Vec::new();
    let mut waited = Duration::ZERO;
    while rig.ended().is_none() {
        if rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. })) {
            rig.describe();
        }
        let opened = rig.opened();
        rig.out.clear();
        match opened.into_iter().next_back() {
            Some((url, request)) => {
                ways.push((url, request.reconnect));
                rig.take(Input::Closed(Closed::Broken));
            }
            None => {
                rig.pass(SECOND / 10);
                waited += SECOND / 10;
            }
        }
        assert!(waited < 200 * SECOND);
    }
    assert_eq!(rig.ended(), Some(RoomEnd::Unreachable));
    let resumes = ways.iter().take_while(|(_, resume)| *resume).count();
    assert_eq!(resumes, 3);
    assert_eq!(ways.len(), 14, "and no more");
    assert!(ways.iter().any(|(url, _)| url != URL), "the other address is tried too");
    assert!((60 * SECOND..100 * SECOND).contains(&waited), "{waited:?}");
}

#[test]
fn a_server_that_lets_us_in_and_closes_at_once_is_not_asked_all_the_time() {
    let mut rig = Rig::up();
    let mut asked = 0;
    for _ in 0..600 {
        let fresh = rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. }));
        if fresh {
            rig.describe();
        }
        let opened = rig.opened().len();
        rig.out.clear();
        asked += opened;
        if opened > 0 {
            rig.says(if fresh { join(vec![]) } else { Response::Reconnect(wire::Reconnect::default()) });
        }
        rig.take(Input::Closed(Closed::Broken));
        rig.pass(SECOND / 10);
    }
    assert!((3..=20).contains(&asked), "{asked} times in a minute");
}

#[test]
fn a_token_that_is_refused_is_replaced_before_anything_else_is_tried() {
    let mut rig = Rig::up();
    rig.pass(12 * SECOND);
    rig.take(Input::Closed(Closed::Broken));
    rig.out.clear();
    rig.take(Input::Closed(Closed::Status(401)));
    assert_eq!(rig.told(), [RoomEvent::TokenRefused]);
    rig.pass(60 * SECOND);
    assert_eq!(rig.opened(), []);
    rig.take(Input::Token(RoomToken::new("fresh").unwrap()));
    rig.pass(SECOND);
    assert_eq!(rig.opened().len(), 1);
}

#[test]
fn a_server_that_says_nothing_is_asked_and_then_taken_for_lost() {
    let mut rig = Rig::up();
    rig.pass(6 * SECOND);
    assert!(matches!(&rig.sent()[..], [Request::Ping(_)]));
    assert_eq!(rig.opened(), []);
    rig.says(Response::Pong(wire::Pong::default()));
    rig.pass(14 * SECOND);
    assert_eq!(rig.opened(), []);
    rig.pass(2 * SECOND);
    assert!(rig.out.contains(&Output::Close));
    assert!(rig.opened()[0].1.reconnect);
}

#[test]
fn a_way_that_is_lost_or_may_be_is_looked_for_and_without_one_in_six_seconds_we_come_anew() {
    for input in [Input::Media(RoomSaid::Down), Input::Moved { cut: false }] {
        let mut rig = Rig::up();
        rig.take(input);
        assert_eq!(
            rig.asks(),
            [RoomAsk::Offer { number: 2, more: 0, restart: true }],
            "by the same connection first"
        );
        rig.take(Input::Moved { cut: false });
        assert_eq!(rig.asks().len(), 1, "which takes a while");
        let number = rig.describe();
        rig.says(answer(number));
        rig.out.clear();
        rig.pass(SECOND * 11 / 2);
        assert!(!rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. })));
        rig.pass(SECOND);
        assert!(rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. })), "{:?}", rig.out);
    }
}

#[test]
fn whose_socket_went_with_the_network_comes_back_at_once_and_then_looks_for_a_way() {
    let mut rig = Rig::up();
    rig.take(Input::Moved { cut: true });
    let opened = rig.opened();
    assert!(opened.len() == 1 && opened[0].1.reconnect, "{opened:?}");
    assert_eq!(rig.asks(), [], "nobody could be told");
    rig.out.clear();
    rig.says(Response::Reconnect(wire::Reconnect::default()));
    assert_eq!(rig.asks(), [RoomAsk::Offer { number: 2, more: 0, restart: true }]);
    assert!(!rig.told().contains(&RoomEvent::Down), "the way of before may still carry");
    let number = rig.describe();
    rig.says(answer(number));
    rig.out.clear();
    rig.pass(SECOND * 13 / 2);
    assert!(rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. })), "no way in six seconds");
}

#[test]
fn who_is_on_the_way_when_the_network_changes_begins_it_again_and_it_counts_as_no_try() {
    let mut rig = Rig::up();
    for _ in 0..20 {
        rig.take(Input::Moved { cut: true });
    }
    let opened = rig.opened();
    assert!(opened.len() == 20 && opened.iter().all(|(_, request)| request.reconnect), "{opened:?}");
    let mut rig = Rig::begin(members(&[]));
    rig.describe();
    rig.out.clear();
    rig.take(Input::Moved { cut: false });
    assert!(rig.out.is_empty(), "what is under way may well arrive");
    rig.take(Input::Moved { cut: true });
    let built = rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. }));
    assert!(built, "its addresses may be others: {:?}", rig.out);
}

#[test]
fn a_way_that_was_looked_for_when_the_socket_broke_is_looked_for_again() {
    let mut rig = Rig::up();
    rig.take(Input::Moved { cut: false });
    rig.out.clear();
    rig.take(Input::Closed(Closed::Broken));
    rig.pass(SECOND);
    rig.says(Response::Reconnect(wire::Reconnect::default()));
    let asks = rig.asks();
    assert!(asks.contains(&RoomAsk::Offer { number: 3, more: 0, restart: true }), "{asks:?}");
}

#[test]
fn a_connection_that_fails_is_built_anew() {
    let mut rig = Rig::up();
    rig.pass(12 * SECOND);
    rig.media(RoomSaid::Failed);
    assert!(rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. })));
    assert!(rig.told().contains(&RoomEvent::Down));
}
