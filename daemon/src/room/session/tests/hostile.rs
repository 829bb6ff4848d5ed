//! Servers that mean no good.
//!
//! Lives here: what they may refuse, withhold, repeat and make up, and that a stay ends with a reason or goes on.
//! Must not: open a socket.

use super::*;

#[test]
fn a_server_that_takes_us_and_never_carries_a_packet_is_given_up_within_ten_seconds() {
    for refuses in [true, false] {
        let mut rig = Rig::begin(members(&["ana"]));
        for _ in 0..100 {
            let (build, open) =
                (rig.asks().iter().any(|ask| matches!(ask, RoomAsk::Build { .. })), !rig.opened().is_empty());
            if build {
                rig.describe();
            }
            if rig.ended().is_some() {
                break;
            }
            if open || build {
                rig.out.clear();
                rig.says(join(vec![]));
                if !refuses {
                    let id = rig.session.talk.agreed().map_or(1, |(offer, _)| offer.id + 1);
                    rig.says(answer(id));
                }
            }
            rig.pass(Duration::from_millis(100));
        }
        assert_eq!(rig.ended(), Some(RoomEnd::NoMedia));
        assert!(rig.now.since(Moment::from_micros(1_000_000)) < Duration::from_secs(10));
    }
}

#[test]
fn a_server_that_does_not_answer_or_lets_nobody_in_is_given_up_with_a_reason() {
    for (said, why) in [
        (Closed::Status(404), RoomEnd::Absent),
        (Closed::Status(400), RoomEnd::Refused),
        (Closed::Status(500), RoomEnd::Refused),
    ] {
        let mut rig = Rig::begin(members(&[]));
        rig.describe();
        rig.take(Input::Closed(said));
        assert_eq!(rig.ended(), Some(why), "{said:?}");
    }
    let mut rig = Rig::begin(members(&[]));
    rig.describe();
    rig.pass(Duration::from_secs(10));
    assert_eq!(rig.ended(), Some(RoomEnd::Unreachable), "it takes sockets and says nothing");
    let mut rig = Rig::begin(members(&[]));
    rig.pass(Duration::from_secs(10));
    assert_eq!(rig.ended(), Some(RoomEnd::Unreachable), "no description");
}

#[test]
fn a_storm_of_requests_for_sections_costs_a_description_a_second_and_pictures_none() {
    let mut rig = Rig::up();
    let mut offers = 0;
    for n in 0..1_000 {
        rig.says(Response::Sections(wire::Sections { audios: 0, videos: 1 }));
        assert_eq!(rig.asks(), [], "we show no pictures");
        rig.says(Response::Sections(wire::Sections { audios: 0, videos: 0 }));
        if !rig.asks().is_empty() {
            let number = rig.describe();
            rig.says(answer(number));
            offers += 1;
        }
        rig.out.clear();
        rig.now = rig.now + Duration::from_millis(n % 2);
    }
    assert!((1..=64).contains(&offers), "{offers}");
    let mut all = 0;
    for _ in 0..10 {
        rig.pass(Duration::from_secs(4));
        rig.says(Response::Pong(wire::Pong::default()));
    }
    rig.now = rig.now + Duration::from_secs(21);
    for _ in 0..20 {
        rig.says(Response::Sections(wire::Sections { audios: u32::MAX, videos: 0 }));
        let more = rig
            .asks()
            .iter()
            .find_map(|ask| if let RoomAsk::Offer { more, .. } = ask { Some(*more) } else { None });
        all += more.unwrap_or(0);
        let number = rig.describe();
        rig.says(answer(number));
        rig.out.clear();
    }
    assert!(all <= 64, "{all} sections");
}

#[test]
fn words_at_the_wrong_time_do_nothing() {
    let mut rig = Rig::begin(members(&["ana"]));
    rig.out.clear();
    let early = [
        join(vec![]),
        answer(1),
        update(vec![person("PA_a", "ana", 2, &[("TR_a", 1)])]),
        Response::Sections(wire::Sections { audios: 3, videos: 0 }),
        Response::Reconnect(wire::Reconnect::default()),
    ];
    for word in early.clone() {
        rig.says(word);
    }
    assert!(rig.out.is_empty(), "nobody was asked: {:?}", rig.out);
    let mut rig = Rig::up();
    rig.says(join(vec![person("PA_e", "eve", 2, &[])]));
    rig.says(Response::Reconnect(wire::Reconnect::default()));
    assert!(rig.out.is_empty(), "we are in: {:?}", rig.out);
}

#[test]
fn a_server_that_says_we_are_somebody_else_or_that_tracks_are_ours_is_not_heard() {
    let mut rig = Rig::up();
    rig.says(update(vec![person("PA_x", "us", 3, &[("TR_x", 1)])]));
    assert!(rig.out.is_empty());
    // One track that two are said to have: whose key opens it is who it is.
    rig.says(update(vec![person("PA_a", "ana", 2, &[("TR", 1)]), person("PA_b", "ben", 2, &[("TR", 1)])]));
    let tracks = BTreeMap::from([(TrackSid("TR".to_owned()), who("ana"))]);
    assert!(rig.asks().contains(&RoomAsk::Tracks(tracks)));
}

#[test]
fn people_without_end_are_bounded_and_so_is_nonsense() {
    let mut rig = Rig::up();
    for n in 0..2_000 {
        rig.says(update(vec![person("PA", &format!("x{n}"), 2, &[])]));
    }
    assert_eq!(rig.told().len(), said::PEOPLE);
    for _ in 0..NONSENSE {
        rig.take(Input::Frame(vec![0xff; 30]));
    }
    assert_eq!(rig.ended(), None);
    rig.take(Input::Frame(vec![0xff; 30]));
    assert_eq!(rig.ended(), Some(RoomEnd::Nonsense));
}

#[test]
fn nothing_that_a_server_says_in_any_order_is_a_fault() {
    let words = [
        join(vec![person("PA_a", "ana", 2, &[("TR_a", 1)])]),
        answer(1),
        answer(2),
        answer(3),
        update(vec![person("PA_a", "ana", 2, &[("TR_a", 1)])]),
        update(vec![person("PA_a", "ana", 3, &[])]),
        leave(6, 2),
        leave(14, 1),
        Response::Reconnect(wire::Reconnect::default()),
        Response::Sections(wire::Sections { audios: 1, videos: 1 }),
        Response::Mute(wire::MuteTrack { sid: "TR_us".to_owned(), muted: true }),
        Response::TrackUnpublished(wire::TrackUnpublished { track_sid: "TR_us".to_owned() }),
        Response::RefreshToken("fresh".to_owned()),
    ];
    let mut chance: u64 = 7;
    let mut draw = |below: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(chance >> 33).unwrap() % below
    };
    let (mut up, mut ended) = (0, 0);
    for _ in 0..300 {
        let mut rig = if draw(2) == 0 { Rig::up() } else { Rig::begin(members(&["ana", "ben"])) };
        for _ in 0..60 {
            match draw(8) {
                0..=3 => rig.says(words[draw(words.len())].clone()),
                4 => {
                    if rig
                        .asks()
                        .iter()
                        .any(|ask| matches!(ask, RoomAsk::Build { .. } | RoomAsk::Offer { .. }))
                    {
                        rig.describe();
                    }
                }
                5 => rig.media(
                    [RoomSaid::Up, RoomSaid::Down, RoomSaid::Failed, RoomSaid::Gathered][draw(4)].clone(),
                ),
                6 => rig.take(Input::Closed([Closed::Broken, Closed::Status(500)][draw(2)])),
                _ => rig.pass(Duration::from_millis(u64::try_from(draw(3_000)).unwrap())),
            }
            up += usize::from(rig.told().contains(&RoomEvent::Up));
            let sockets = rig.opened().len();
            assert!(sockets <= 2, "{sockets} sockets for one input");
            rig.out.retain(|out| matches!(out, Output::Tell(RoomEvent::Ended(_))));
            assert_eq!(rig.session.is_over(), rig.session.deadline().is_none() || rig.ended().is_some());
        }
        ended += usize::from(rig.session.is_over());
    }
    assert!(up > 100 && ended > 20 && ended < 300, "{up} times up, {ended} ended");
}
