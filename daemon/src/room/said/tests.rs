//! What a server says, with a real session as the example.
//!
//! Lives here: every frame of that session, and messages at and past each bound.
//! Must not: know what follows from a word.

use data_encoding::BASE64;

use super::*;

/// A session of another client of ours with a server of version 1.13.5, recorded both ways: what it said and heard.
fn recorded() -> Vec<(bool, Vec<u8>)> {
    let text = include_str!("../fixtures/livekit-frames.jsonl");
    text.lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let bytes = BASE64.decode(line["b64"].as_str().unwrap().as_bytes()).unwrap();
            (line["way"] == "<", bytes)
        })
        .collect()
}

fn heard() -> Vec<Said> {
    recorded().iter().filter(|(from_server, _)| *from_server).map(|(_, bytes)| read(bytes).unwrap()).collect()
}

fn message(message: Response) -> Vec<u8> {
    SignalResponse { message: Some(message) }.encode_to_vec()
}

#[test]
fn a_real_session_is_understood() {
    let heard = heard();
    let Said::Joined { own, others, servers, ping_every, lost_after, trailer } = &heard[0] else {
        panic!("{:?}", heard[0]);
    };
    assert_eq!((own.identity.as_str(), own.sid.as_str()), ("r1", "PA_cy3Boajd8xL2"));
    assert_eq!(others.iter().map(|one| one.identity.as_str()).collect::<Vec<_>>(), ["py"]);
    assert_eq!((servers.len(), ping_every.as_secs(), lost_after.as_secs()), (1, 5, 15));
    assert_eq!(trailer.len(), 44);
    assert_eq!(heard[1], Said::Published(TrackSid("TR_AMhAw97pQLQtdd".to_owned())));
    let of = |wanted: fn(&Said) -> bool| heard.iter().filter(|said| wanted(said)).count();
    assert_eq!(of(|said| matches!(said, Said::Answer(1..=4, sdp) if sdp.0.starts_with("v=0"))), 4);
    assert_eq!(of(|said| matches!(said, Said::Sections { .. })), 3);
    assert_eq!(of(|said| matches!(said, Said::Token(_))), 2);
    assert_eq!(of(|said| matches!(said, Said::Back(_))), 1);
    assert_eq!(of(|said| matches!(said, Said::Pong)), 2);
    assert_eq!(heard.last(), Some(&Said::Leave(Then::Stop(Why::Removed))));
    let voices: Vec<_> = heard
        .iter()
        .filter_map(|said| if let Said::People(people) = said { Some(people) } else { None })
        .flatten()
        .filter(|one| one.identity.as_str() == "py")
        .flat_map(|py| py.voices.clone())
        .collect();
    assert!(voices.iter().all(|voice| voice.sid.0 == "TR_AMLFJBGSXoNxpU" && !voice.sealed));
    assert!(!voices.is_empty());
    let gone = |said: &Said| matches!(said, Said::People(people) if people.iter().any(|one| one.gone));
    assert!(heard.iter().any(gone), "r2 left");
}

#[test]
fn what_a_client_says_is_written_as_a_real_one_writes_it() {
    for (_, bytes) in recorded().iter().filter(|(from_server, _)| !from_server) {
        let read = SignalRequest::decode(&bytes[..]).unwrap();
        let Some(request) = read.message else { panic!("a word that we do not know: {bytes:?}") };
        // A state that is kept after a lost socket holds less here; all else is the same to the last bit.
        if !matches!(request, Request::SyncState(_)) {
            assert_eq!(&write(request), bytes);
        }
    }
}

#[test]
fn what_is_out_of_bounds_is_no_word() {
    let person = |identity: &str, sid: &str| wire::Participant {
        identity: identity.to_owned(),
        sid: sid.to_owned(),
        ..Default::default()
    };
    let update = |people: Vec<wire::Participant>| {
        read(&message(Response::Update(wire::Update { participants: people })))
    };
    let many = |n: usize| (0..n).map(|n| person(&n.to_string(), "PA")).collect::<Vec<_>>();
    assert!(matches!(update(many(PEOPLE)), Ok(Said::People(people)) if people.len() == PEOPLE));
    assert_eq!(update(many(PEOPLE + 1)), Err(Unreadable::OutOfBounds));
    let hidden = vec![person("", "PA"), person(&"x".repeat(129), "PA"), person("a", ""), person("b", "PA")];
    assert!(
        matches!(update(hidden), Ok(Said::People(people)) if people.len() == 1),
        "who cannot be is not there, and hides nobody"
    );
    let answer = |length: usize| {
        let sdp = "x".repeat(length);
        read(&message(Response::Answer(wire::SessionDescription { sdp, ..Default::default() })))
    };
    assert!(answer(SDP_MAX).is_ok());
    assert_eq!(answer(SDP_MAX + 1), Err(Unreadable::OutOfBounds));
    let candidate = |length: usize, target| {
        let candidate_init = "x".repeat(length);
        read(&message(Response::Trickle(wire::Trickle { candidate_init, target, last: false })))
    };
    assert!(candidate(CANDIDATE_MAX, 0).is_ok());
    assert_eq!(candidate(CANDIDATE_MAX + 1, 0), Err(Unreadable::OutOfBounds));
    assert_eq!(candidate(9, 1), Err(Unreadable::OutOfBounds), "of a second connection, which we do not have");
    assert_eq!(candidate(0, 0), Ok(Said::Else));
    for token in ["", "a b", "a\r\nHost: x", &"x".repeat(TOKEN_MAX + 1)] {
        assert_eq!(read(&message(Response::RefreshToken(token.to_owned()))), Err(Unreadable::OutOfBounds));
    }
    assert_eq!(read(&vec![0; MESSAGE_MAX + 1]), Err(Unreadable::Malformed));
    assert_eq!(read(&[0xff; 20]), Err(Unreadable::Malformed));
    assert_eq!(read(&[]), Ok(Said::Else));
    assert_eq!(read(&message(Response::Join(wire::Join::default()))), Err(Unreadable::OutOfBounds));
}

#[test]
fn times_that_a_server_names_are_held_within_reason() {
    let times = |ping_timeout, ping_interval| {
        let participant =
            Some(wire::Participant { identity: "a".to_owned(), sid: "PA".to_owned(), ..Default::default() });
        let join = wire::Join { participant, ping_timeout, ping_interval, ..Default::default() };
        match read(&message(Response::Join(join))) {
            Ok(Said::Joined { ping_every, lost_after, .. }) => (ping_every.as_secs(), lost_after.as_secs()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(times(0, 0), (5, 15));
    assert_eq!(times(-7, -7), (5, 15));
    assert_eq!(times(i32::MAX, i32::MAX), (30, 60));
    assert_eq!(times(1, 1), (1, 5));
}

#[test]
fn the_end_of_a_stay_says_what_comes_after_it() {
    let leave = |action, reason| match read(&message(Response::Leave(wire::Leave { reason, action }))) {
        Ok(Said::Leave(then)) => then,
        other => panic!("{other:?}"),
    };
    assert_eq!(leave(0, 2), Then::Stop(Why::Duplicate));
    assert_eq!(leave(0, 4), Then::Stop(Why::Removed));
    assert_eq!(leave(2, 4), Then::Stop(Why::Removed), "who is put out does not come back, whatever is said");
    assert_eq!(leave(0, 5), Then::Stop(Why::Deleted));
    assert_eq!(leave(0, 10), Then::Stop(Why::Deleted));
    assert_eq!(leave(1, 14), Then::Resume);
    for moves in [3, 6, 8] {
        assert_eq!([leave(0, moves), leave(2, moves)], [Then::Anew; 2]);
    }
    assert_eq!(leave(0, 999), Then::Stop(Why::Other));
    assert_eq!(leave(-3, -3), Then::Stop(Why::Other));
}

#[test]
fn a_token_is_not_shown() {
    let token = RoomToken::new("secret.secret.secret").unwrap();
    assert_eq!(format!("{token:?}"), "<token>");
}

#[test]
fn the_address_of_a_join_is_one_word() {
    let path = path(&wire::JoinRequest { participant_sid: "PA_1".to_owned(), ..Default::default() });
    let rest = path.strip_prefix("/rtc/v1?join_request=").unwrap();
    assert!(rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_%".contains(&byte)), "{rest}");
}
