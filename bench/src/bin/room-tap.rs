//! Somebody in a room who has no key: which frames come of whom, under which key, and when.
//!
//!     room-tap URL TOKEN_FILE INTERFACE
//!
//! Four times a second one JSON object a line for each identity and key index of which frames came since: `who`, `index`, `frames`
//! (so far), `first` and `last` (seconds since boot, suspend included). Ends when it is terminated.
//!
//! Lives here: a stay in a room by the daemon's own parts, and what is seen by who has no key.
//! Must not: have a key, or judge what it sees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::{Epoch, LegId, Moment};
use ahoyd::media::peer::{RoomPath, RoomSetup};
use ahoyd::room::said::RoomToken;
use ahoyd::room::session::Place;
use ahoyd::room::stay::{self, Parts, StayOrder};
use ahoyd::system::clock;
use ahoyd::system::trust::Trust;
use ahoyd::values::room::{FrameCipher, Identity, RoomEvent};
use anyhow::Context as _;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Orders and events that may wait.
const WAITING: usize = 1_024;
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Frames of one sender under one key.
#[derive(Default)]
struct Seen {
    frames: u64,
    first: Moment,
    last: Moment,
    told: u64,
}

/// Opens nothing, and tells whose frames came, under which key.
struct Tap(mpsc::Sender<(String, u8, Moment)>);

impl FrameCipher for Tap {
    fn seal(&mut self, _: u32, _: u32, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn open(&mut self, from: &Identity, frame: &[u8]) -> Option<(u32, Vec<u8>)> {
        let index = frame.last().copied().unwrap_or_default();
        // Nobody listens any more: the program ends.
        let _gone = self.0.try_send((from.as_str().to_owned(), index, clock::now()));
        None
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("usage: room-tap URL TOKEN_FILE INTERFACE");
    let (url, token, interface) = (next()?, std::fs::read_to_string(next()?)?, next()?);
    let (seen_in, mut seen) = mpsc::channel(WAITING);
    let ((asks, asked), (says, said)) = (mpsc::channel(WAITING), mpsc::channel(WAITING));
    let ((events, mut told), (stay, orders)) = (mpsc::channel(WAITING), mpsc::channel(WAITING));
    let (trailer, _trailer) = watch::channel(Vec::new());
    let (legs_in, legs) = watch::channel(BTreeMap::new());
    let plan = RoomPath::plan(RoomSetup {
        interfaces: vec![interface],
        relay_only: false,
        asks: asked,
        says,
        cipher: Box::new(Tap(seen_in)),
        legs,
    });
    let (path_events, mut path) = mpsc::channel(WAITING);
    let (_transport, running) = plan((LegId::from_bytes([0; 16]), Epoch(1)), path_events);
    let place = Place { urls: vec![url], token: RoomToken::new(token.trim()).context("no token")? };
    let mut tasks = JoinSet::new();
    tasks.spawn(running);
    tasks.spawn(stay::run(Parts {
        place,
        members: BTreeSet::new(),
        trust: Trust::default(),
        asks,
        said,
        trailer,
        events,
        orders,
    }));
    let mut people = BTreeMap::new();
    let mut all = BTreeMap::<(String, u8), Seen>::new();
    let mut tell_at = clock::now() + TELL_EVERY;
    loop {
        tokio::select! {
            event = told.recv() => match event.context("the stay is gone")? {
                RoomEvent::Here(who) => {
                    let number = u8::try_from(people.len() + 1)?;
                    people.entry(who).or_insert_with(|| LegId::from_bytes([number; 16]));
                    legs_in.send_replace(people.clone());
                    stay.try_send(StayOrder::Members(people.keys().cloned().collect()))?;
                }
                RoomEvent::Ended(why) => anyhow::bail!("the stay is over: {why:?}"),
                RoomEvent::Entered(_)
                | RoomEvent::Up
                | RoomEvent::Down
                | RoomEvent::Gone(_)
                | RoomEvent::Unsealed(_)
                | RoomEvent::TokenRefused => {}
            },
            Some(_) = path.recv() => {}
            Some((who, index, now)) = seen.recv() => {
                let one = all.entry((who, index)).or_default();
                if one.frames == 0 {
                    one.first = now;
                }
                (one.frames, one.last) = (one.frames + 1, now);
            }
            () = clock::sleep_until(tell_at) => {
                tell_at = tell_at + TELL_EVERY;
                all.iter_mut().for_each(|(of, one)| tell(of, one));
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "what this program is for")]
fn tell((who, index): &(String, u8), one: &mut Seen) {
    if std::mem::replace(&mut one.told, one.frames) != one.frames {
        let seconds = |at: Moment| Duration::from_micros(at.micros()).as_secs_f64();
        let (first, last) = (seconds(one.first), seconds(one.last));
        println!(
            "{}",
            json!({ "who": who, "index": index, "frames": one.frames, "first": first, "last": last })
        );
    }
}
