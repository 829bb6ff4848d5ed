//! Stays in a room, in virtual time.
//!
//! Lives here: what a server and a connection may say, and what a stay makes of it. Coming back: `tests/again.rs`.
//! Must not: open a socket.

mod again;
mod hostile;

use std::collections::BTreeMap;

use prost::Message as _;

use super::super::wire::{Response, SignalRequest, SignalResponse};
use super::*;
use crate::values::room::Sdp;

const URL: &str = "ws://one.example";

/// A stay, and what it ordered that was not looked at yet.
struct Rig {
    session: Session,
    now: Moment,
    out: VecDeque<Output>,
}

fn who(name: &str) -> Identity {
    Identity::new(name).unwrap()
}

fn members(names: &[&str]) -> BTreeSet<Identity> {
    names.iter().map(|name| who(name)).collect()
}

fn sdp(text: &str) -> Sdp {
    Sdp(text.to_owned())
}

fn answer(id: u32) -> Response {
    let (kind, sdp) = ("answer".to_owned(), format!("answer {id}"));
    Response::Answer(wire::SessionDescription { kind, sdp, id, ..Default::default() })
}

/// Somebody with these tracks, each sealed or not.
fn person(sid: &str, identity: &str, state: i32, tracks: &[(&str, i32)]) -> wire::Participant {
    let track = |(sid, encryption): &(&str, i32)| wire::Track {
        sid: (*sid).to_owned(),
        encryption: *encryption,
        ..Default::default()
    };
    let tracks = tracks.iter().map(track).collect();
    wire::Participant { sid: sid.to_owned(), identity: identity.to_owned(), state, tracks }
}

fn update(people: Vec<wire::Participant>) -> Response {
    Response::Update(wire::Update { participants: people })
}

fn leave(reason: i32, action: i32) -> Response {
    Response::Leave(wire::Leave { reason, action })
}

fn join(others: Vec<wire::Participant>) -> Response {
    Response::Join(wire::Join {
        participant: Some(person("PA_us", "us", 0, &[])),
        other_participants: others,
        sif_trailer: b"trailer".to_vec(),
        ..Default::default()
    })
}

impl Rig {
    fn begin(members: BTreeSet<Identity>) -> Self {
        let urls = vec![URL.to_owned(), "ws://two.example".to_owned()];
        let place = Place { urls, token: RoomToken::new("token").unwrap() };
        let now = Moment::from_micros(1_000_000);
        let (session, out) = Session::begin(now, place, members);
        Self { session, now, out: out.into() }
    }

    /// In, with packets flowing and nobody else there.
    fn up() -> Self {
        let mut rig = Self::begin(members(&["ana", "ben"]));
        rig.describe();
        rig.says(join(vec![]));
        rig.says(answer(1));
        rig.says(Response::TrackPublished(wire::TrackPublished {
            cid: VOICE.to_owned(),
            track: Some(wire::Track { sid: "TR_us".to_owned(), ..Default::default() }),
        }));
        rig.media(RoomSaid::Up);
        rig.out.clear();
        rig
    }

    fn take(&mut self, input: Input) {
        let out = self.session.take(self.now, input);
        self.out.extend(out);
    }

    fn says(&mut self, message: Response) {
        self.take(Input::Frame(SignalResponse { message: Some(message) }.encode_to_vec()));
    }

    fn media(&mut self, said: RoomSaid) {
        self.take(Input::Media(said));
    }

    /// The connection describes itself, as it is asked to.
    fn describe(&mut self) -> u32 {
        let asked = self.asks().into_iter().find_map(|ask| match ask {
            RoomAsk::Build { number, .. } | RoomAsk::Offer { number, .. } => Some(number),
            RoomAsk::Begin(_)
            | RoomAsk::Withdraw
            | RoomAsk::Answer(_)
            | RoomAsk::Candidate(_)
            | RoomAsk::Tracks(_)
            | RoomAsk::Close => None,
        });
        let number = asked.expect("a description is asked for");
        self.media(RoomSaid::Offered(number, sdp(&format!("offer {number}"))));
        number
    }

    /// Lets time pass, with every tick in it.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.session.deadline().filter(|due| *due <= end) {
            assert!(due > self.now || !self.out.is_empty(), "it waits for a moment that has passed");
            self.now = self.now.max(due);
            self.take(Input::Tick);
        }
        self.now = end;
    }

    fn asks(&self) -> Vec<RoomAsk> {
        self.out
            .iter()
            .filter_map(|out| if let Output::Media(ask) = out { Some(ask.clone()) } else { None })
            .collect()
    }

    fn told(&self) -> Vec<RoomEvent> {
        self.out
            .iter()
            .filter_map(|out| if let Output::Tell(event) = out { Some(event.clone()) } else { None })
            .collect()
    }

    fn sent(&self) -> Vec<Request> {
        let sent =
            self.out.iter().filter_map(|out| if let Output::Send(bytes) = out { Some(bytes) } else { None });
        sent.map(|bytes| SignalRequest::decode(&bytes[..]).unwrap().message.unwrap()).collect()
    }

    /// The requests to join in the sockets that were ordered.
    fn opened(&self) -> Vec<(String, wire::JoinRequest)> {
        let opened = self.out.iter().filter_map(|out| {
            if let Output::Open { url, path, .. } = out { Some((url.clone(), path)) } else { None }
        });
        opened
            .map(|(url, path)| {
                let text = path.strip_prefix("/rtc/v1?join_request=").unwrap().replace("%3D", "=");
                let wrapped = data_encoding::BASE64URL.decode(text.as_bytes()).unwrap();
                let wrapped = wire::WrappedJoin::decode(&wrapped[..]).unwrap();
                (url, wire::JoinRequest::decode(&wrapped.join_request[..]).unwrap())
            })
            .collect()
    }

    fn ended(&self) -> Option<RoomEnd> {
        self.told()
            .into_iter()
            .find_map(|event| if let RoomEvent::Ended(why) = event { Some(why) } else { None })
    }
}

#[test]
fn one_request_holds_all_that_is_needed_to_be_heard() {
    let mut rig = Rig::begin(members(&["ana"]));
    assert_eq!(rig.asks(), [RoomAsk::Build { number: 1, sections: coming::SECTIONS }]);
    rig.describe();
    let opened = rig.opened();
    let (url, request) = &opened[0];
    assert_eq!(url, URL);
    assert_eq!(request.publisher_offer.as_ref().map(|offer| (offer.id, &*offer.sdp)), Some((1, "offer 1")));
    let track = &request.add_track_requests[0];
    assert_eq!((&*track.cid, track.encryption, track.source), (VOICE, number::GCM, number::MICROPHONE));
    assert!(!request.connection_settings.as_ref().unwrap().auto_subscribe, "we say whom we hear");
    rig.out.clear();
    rig.says(join(vec![person("PA_a", "ana", 2, &[("TR_a", 1)])]));
    let tracks = BTreeMap::from([(TrackSid("TR_a".to_owned()), who("ana"))]);
    assert_eq!(rig.asks(), [RoomAsk::Begin(vec![]), RoomAsk::Tracks(tracks)]);
    assert_eq!(rig.told(), [RoomEvent::Entered(who("us")), RoomEvent::Here(who("ana"))]);
    let wants = wire::Subscription { track_sids: vec!["TR_a".to_owned()], subscribe: true };
    assert_eq!(rig.sent(), [Request::Subscription(wants)]);
    assert!(rig.out.contains(&Output::Trailer(b"trailer".to_vec())));
    rig.out.clear();
    rig.says(answer(1));
    rig.media(RoomSaid::Up);
    assert_eq!(rig.asks(), [RoomAsk::Answer(sdp("answer 1"))]);
    assert_eq!(rig.told(), [RoomEvent::Up]);
}

#[test]
fn candidates_wait_for_the_server_to_let_us_in_and_its_own_for_its_answer() {
    let mut rig = Rig::begin(members(&[]));
    rig.describe();
    let theirs = |text: &str| {
        Response::Trickle(wire::Trickle { candidate_init: text.to_owned(), target: 0, last: false })
    };
    rig.says(join(vec![]));
    rig.out.clear();
    rig.says(theirs("first"));
    assert_eq!(rig.asks(), [], "it would be for a description that is not known");
    rig.media(RoomSaid::Candidate(RoomCandidate("ours".to_owned())));
    rig.media(RoomSaid::Gathered);
    assert!(matches!(&rig.sent()[..], [Request::Trickle(one), Request::Trickle(end)]
        if one.candidate_init == "ours" && !one.last && end.last));
    rig.says(answer(1));
    rig.says(theirs("second"));
    let candidate = |text: &str| RoomAsk::Candidate(RoomCandidate(text.to_owned()));
    assert_eq!(rig.asks(), [RoomAsk::Answer(sdp("answer 1")), candidate("first"), candidate("second")]);
}

#[test]
fn nobody_is_heard_who_is_no_member_or_whose_voice_is_not_sealed() {
    let mut rig = Rig::up();
    rig.says(update(vec![
        person("PA_a", "ana", 2, &[("TR_a", 1)]),
        person("PA_b", "ben", 2, &[("TR_b", 0)]),
        person("PA_e", "eve", 2, &[("TR_e", 1)]),
    ]));
    let wants = |sids: &[&str], subscribe| {
        let track_sids = sids.iter().map(|sid| (*sid).to_owned()).collect();
        Request::Subscription(wire::Subscription { track_sids, subscribe })
    };
    assert_eq!(rig.sent(), [wants(&["TR_a"], true)]);
    assert!(rig.told().contains(&RoomEvent::Unsealed(who("ben"))));
    assert!(rig.told().contains(&RoomEvent::Here(who("eve"))), "who is there is told");
    rig.out.clear();
    rig.take(Input::Members(members(&["ben", "eve"])));
    assert_eq!(rig.sent(), [wants(&["TR_e"], true), wants(&["TR_a"], false)]);
    let tracks = BTreeMap::from([(TrackSid("TR_e".to_owned()), who("eve"))]);
    assert_eq!(rig.asks(), [RoomAsk::Tracks(tracks)]);
    rig.out.clear();
    rig.says(update(vec![person("PA_b", "ben", 2, &[("TR_b", 0)])]));
    assert_eq!(rig.told(), [], "that is told once");
    rig.says(update(vec![person("PA_b", "ben", 2, &[("TR_b2", 1)])]));
    assert_eq!(rig.sent(), [wants(&["TR_b2"], true)], "sealed by now");
}

#[test]
fn a_new_stay_of_somebody_replaces_the_old_one_without_a_word() {
    let mut rig = Rig::up();
    rig.says(update(vec![person("PA_1", "ana", 2, &[("TR_1", 1)])]));
    rig.out.clear();
    rig.says(update(vec![person("PA_2", "ana", 2, &[("TR_2", 1)])]));
    rig.says(update(vec![person("PA_1", "ana", 3, &[])]));
    assert_eq!(rig.told(), [], "they are there all the while");
    let tracks = BTreeMap::from([(TrackSid("TR_2".to_owned()), who("ana"))]);
    assert_eq!(rig.asks(), [RoomAsk::Tracks(tracks)]);
    rig.says(update(vec![person("PA_2", "ana", 3, &[])]));
    assert_eq!(rig.told(), [RoomEvent::Gone(who("ana"))]);
}

#[test]
fn the_server_asks_for_sections_and_gets_them_one_description_after_the_other() {
    let mut rig = Rig::up();
    let sections = |audios, videos| Response::Sections(wire::Sections { audios, videos });
    rig.says(sections(1, 0));
    assert_eq!(rig.asks(), [RoomAsk::Offer { number: 2, more: 1, restart: false }]);
    rig.says(sections(2, 0));
    rig.says(sections(0, 0));
    assert_eq!(rig.asks().len(), 1, "one at a time");
    let number = rig.describe();
    assert!(matches!(&rig.sent()[..], [Request::Offer(offer)] if offer.id == number));
    rig.out.clear();
    rig.says(answer(1));
    assert_eq!(rig.asks(), [], "the answer to another one");
    rig.says(answer(2));
    assert_eq!(
        rig.asks(),
        [RoomAsk::Answer(sdp("answer 2")), RoomAsk::Offer { number: 3, more: 2, restart: false }]
    );
}

#[test]
fn how_the_server_ends_a_stay_is_told() {
    for (said, why) in [
        (leave(2, 0), RoomEnd::Displaced),
        (leave(4, 0), RoomEnd::Removed),
        (leave(5, 0), RoomEnd::Deleted),
        (leave(12, 0), RoomEnd::Refused),
    ] {
        let mut rig = Rig::up();
        rig.says(said);
        assert_eq!(rig.ended(), Some(why));
        assert!(rig.asks().contains(&RoomAsk::Close) && rig.out.contains(&Output::Close));
        assert_eq!(rig.session.deadline(), None);
        rig.out.clear();
        rig.says(leave(4, 2));
        rig.media(RoomSaid::Up);
        rig.take(Input::Closed(Closed::Broken));
        rig.take(Input::Leave);
        assert!(rig.out.is_empty(), "nothing follows: {:?}", rig.out);
    }
}

#[test]
fn who_leaves_says_so() {
    let mut rig = Rig::up();
    rig.take(Input::Leave);
    assert!(matches!(&rig.sent()[..], [Request::Leave(leave)] if leave.reason == number::CLIENT_INITIATED));
    assert_eq!(rig.ended(), Some(RoomEnd::Left));
    let mut rig = Rig::begin(members(&[]));
    rig.take(Input::Leave);
    assert_eq!((rig.sent(), rig.ended()), (vec![], Some(RoomEnd::Left)));
}
