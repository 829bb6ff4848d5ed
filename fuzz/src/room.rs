//! From what a room's server says, and from a frame that it passes on, to what is done and played.
//!
//! Lives here: the target that knows the rooms of the daemon.
//! Must not: depend on the fuzzer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ahoy_call::Moment;
use ahoyd::room::frames::{FRAME_MAX, FrameKey, Frames, Keys, OVERHEAD};
use ahoyd::room::said::{self, RoomToken};
use ahoyd::room::session::{Closed, Input, Output, Place, Session};
use ahoyd::values::room::{Identity, RoomAsk, RoomSaid, Sdp};

/// Whose frames are opened.
pub const SENDER: &str = "py";

/// The keys that a frame may be sealed with.
pub fn keys() -> Keys {
    let key = |seed| FrameKey::new([seed; 16]);
    let name = Identity::new(SENDER).expect("it is short");
    let others = BTreeMap::from([(name, BTreeMap::from([(0, key(1)), (1, key(2))]))]);
    Keys { own: Some((0, key(1))), others }
}

/// Messages of a server to a stay, each with two bytes of length and one of what happens before it; or, after a byte of 255, one sealed
/// frame. True if a message was read, or the frame opened.
pub fn room(data: &[u8]) -> bool {
    match data.split_first() {
        Some((255, frame)) => opened(frame),
        Some(_) => stayed(data),
        None => false,
    }
}

fn opened(frame: &[u8]) -> bool {
    let (mut frames, from) = (Frames::default(), Identity::new(SENDER).expect("it is short"));
    frames.set(&keys());
    frames.set_trailer(b"silence of the server");
    let Ok(plain) = frames.open(&from, frame) else {
        let counted = frames.refusals();
        let all = [counted.malformed, counted.unknown_key, counted.forged, counted.replayed, counted.silence];
        assert_eq!(all.iter().sum::<u64>(), 1, "what is not opened is counted");
        return false;
    };
    assert!((1..=FRAME_MAX).contains(&plain.len()) && plain.len() + OVERHEAD == frame.len());
    assert!(frames.open(&from, frame).is_err(), "each frame once");
    true
}

fn stayed(data: &[u8]) -> bool {
    let token = RoomToken::new("token").expect("it is plain");
    let place = Place { urls: vec!["ws://127.0.0.1:1".to_owned()], token };
    let members: BTreeSet<Identity> = [SENDER, "r2"].into_iter().filter_map(Identity::new).collect();
    let mut now = Moment::from_micros(1_000_000);
    let (mut session, out) = Session::begin(now, place, members);
    let mut open = VecDeque::from(out);
    let (mut rest, mut read) = (data, false);
    loop {
        let mut answers = 0;
        while let Some(output) = open.pop_front() {
            let input = match output {
                Output::Media(RoomAsk::Build { number, .. } | RoomAsk::Offer { number, .. }) => {
                    Input::Media(RoomSaid::Offered(number, Sdp("v=0".to_owned())))
                }
                Output::Open { .. } => Input::Opened,
                Output::Send(_) | Output::Close | Output::Media(_) | Output::Trailer(_) | Output::Tell(_) => {
                    continue;
                }
            };
            answers += 1;
            assert!(answers < 10, "one word leads to no end of others");
            open.extend(session.take(now, input));
        }
        assert_eq!(session.is_over(), session.deadline().is_none());
        let Some((&[a, b, before], after)) = rest.split_first_chunk::<3>() else { return read };
        let (message, after) = after.split_at(usize::from(u16::from_be_bytes([a, b])).min(after.len()));
        rest = after;
        now = now + Duration::from_millis(u64::from(before) * 4);
        let first = match before % 8 {
            1 => Some(Input::Media(RoomSaid::Up)),
            2 => Some(Input::Media(RoomSaid::Down)),
            3 => Some(Input::Closed(Closed::Broken)),
            4 => Some(Input::Media(RoomSaid::Failed)),
            _ => None,
        };
        for input in [first, Some(Input::Tick), Some(Input::Frame(message.to_vec()))].into_iter().flatten() {
            let out = session.take(now, input);
            assert!(out.len() < 1_000, "{} orders for one word", out.len());
            open.extend(out);
        }
        read |= said::is_readable(message) && !message.is_empty();
    }
}
