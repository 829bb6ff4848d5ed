//! One of ours in a room: a stay, a connection, a tone out of a real encoder, and what a real decoder hears.
//!
//! Lives here: the parts put together, as whoever holds a call does.
//! Must not: use a sound device, a relay or the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::{Epoch, LegId, Moment};
use ahoyd::media::codec::{Decoder, Encoder, FRAME, PACKET_MAX};
use ahoyd::media::peer::{RoomPath, RoomSetup};
use ahoyd::media::transport::{Packet, PathEvent, PathOrder, Track, Transport};
use ahoyd::room::frames::{FrameKey, Keys, Ring};
use ahoyd::room::said::RoomToken;
use ahoyd::room::session::Place;
use ahoyd::room::stay::{self, Parts, StayOrder};
use ahoyd::system::clock;
use ahoyd::system::trust::Trust;
use ahoyd::values::room::{Identity, RoomEvent};
use data_encoding::HEXLOWER;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Everything takes less, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(40);

/// What LiveKit's clients make of a word (PBKDF2-HMAC-SHA256, 100,000 times, with their salt).
pub(crate) fn key(word: &str) -> FrameKey {
    let hex = match word {
        "py 0" => "f49c673a8099f5103a9076c11bb4d034",
        "py 1" => "b3ee73c65383e6faa785f672a0e3c57f",
        "us 0" => "d518515275fba16a970e969ffdddfd82",
        "us 1" => "3238adfcd793ec052396dd8ad2021ae4",
        "them 0" => "974986dd238086a510e433558c6e4845",
        other => panic!("no key was computed of {other:?}"),
    };
    FrameKey::new(HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap())
}

pub(crate) fn who(name: &str) -> Identity {
    Identity::new(name).unwrap()
}

/// What came of one of the others.
#[derive(Default)]
struct Heard {
    decoder: Option<Decoder>,
    frames: usize,
    last: Moment,
    gap: Duration,
    /// Of the last second: samples, and where the tone goes through zero upwards.
    samples: usize,
    crossings: usize,
    before: f32,
    hz: usize,
}

impl Heard {
    fn frame(&mut self, now: Moment, payload: &[u8]) {
        let decoder = self.decoder.get_or_insert_with(|| Decoder::new().unwrap());
        let mut sound = [0.0; FRAME];
        decoder.decode(payload, &mut sound);
        if self.frames > 0 {
            self.gap = self.gap.max(now.since(self.last));
        }
        (self.frames, self.last) = (self.frames + 1, now);
        for sample in sound {
            self.crossings += usize::from(self.before < 0.0 && sample >= 0.0);
            self.before = sample;
        }
        self.samples += FRAME;
        if self.samples >= 24_000 {
            self.hz = self.crossings * 48_000 / self.samples;
            (self.samples, self.crossings) = (0, 0);
        }
    }
}

pub(crate) struct Member {
    pub(crate) name: String,
    transport: Box<dyn Transport>,
    events: mpsc::Receiver<((LegId, Epoch), PathEvent)>,
    pub(crate) told: mpsc::Receiver<RoomEvent>,
    pub(crate) stay: mpsc::Sender<StayOrder>,
    pub(crate) keys: watch::Sender<Keys>,
    /// Number of each of the others' legs, in their order.
    others: Vec<String>,
    heard: BTreeMap<LegId, Heard>,
    /// What the room said so far.
    pub(crate) happened: Vec<RoomEvent>,
    tasks: JoinSet<()>,
    began: Moment,
    first: Option<Duration>,
    up_after: Option<Duration>,
    hz: f32,
    encoder: Encoder,
    sent: u16,
    up: bool,
}

/// Our key, and those of others.
pub(crate) fn keys(own: (u8, &str), others: &[(&str, u8, &str)]) -> Keys {
    let mut all: BTreeMap<Identity, BTreeMap<u8, FrameKey>> = BTreeMap::new();
    for (name, index, word) in others {
        all.entry(who(name)).or_default().insert(*index, key(word));
    }
    Keys { own: Some((own.0, key(own.1))), others: all }
}

/// By which interfaces a server is reached.
fn interfaces() -> Vec<String> {
    let told = std::env::var("AHOY_ROOM_INTERFACE").unwrap_or_else(|_| "lo".to_owned());
    told.split(',').map(str::to_owned).collect()
}

impl Member {
    /// Comes to this server with this token.
    pub(crate) fn join(url: &str, token: &str, name: &str, hz: u32, others: &[&str], keys: Keys) -> Self {
        Self::join_any(vec![url.to_owned()], token, name, hz, others, keys)
    }

    /// The same, to any of these servers, the first one first.
    pub(crate) fn join_any(
        urls: Vec<String>,
        token: &str,
        name: &str,
        hz: u32,
        others: &[&str],
        keys: Keys,
    ) -> Self {
        let ((asks, asked), (says, said)) = (mpsc::channel(256), mpsc::channel(256));
        let ((events_in, told), (stay_in, orders)) = (mpsc::channel(256), mpsc::channel(16));
        let ((keys, keys_out), (trailer, trailer_out)) = (watch::channel(keys), watch::channel(Vec::new()));
        let number = |n: usize| LegId::from_bytes([u8::try_from(n + 1).unwrap(); 16]);
        let legs = others.iter().enumerate().map(|(n, name)| (who(name), number(n))).collect();
        let (_legs, legs) = watch::channel(legs);
        let plan = RoomPath::plan(RoomSetup {
            interfaces: interfaces(),
            relay_only: false,
            asks: asked,
            says,
            cipher: Box::new(Ring::new(keys_out, trailer_out)),
            legs,
        });
        let (path_events, events) = mpsc::channel(1_024);
        let key = (LegId::from_bytes([0; 16]), Epoch(1));
        let began = clock::now();
        let (transport, running) = plan(key, path_events);
        let mut tasks = JoinSet::new();
        tasks.spawn(running);
        let members: BTreeSet<Identity> = others.iter().map(|name| who(name)).collect();
        let place = Place { urls, token: RoomToken::new(token).unwrap() };
        let trust = Trust::default();
        tasks.spawn(stay::run(Parts {
            place,
            members,
            trust,
            asks,
            said,
            trailer,
            events: events_in,
            orders,
        }));
        Self {
            name: name.to_owned(),
            transport,
            events,
            told,
            stay: stay_in,
            keys,
            others: others.iter().map(|name| (*name).to_owned()).collect(),
            heard: BTreeMap::new(),
            happened: Vec::new(),
            tasks,
            began,
            first: None,
            up_after: None,
            hz: f32::from(u16::try_from(hz).unwrap()),
            encoder: Encoder::new(32_000).unwrap(),
            sent: 0,
            up: false,
        }
    }

    fn of(&self, name: &str) -> LegId {
        let n = self.others.iter().position(|one| one == name).unwrap();
        LegId::from_bytes([u8::try_from(n + 1).unwrap(); 16])
    }

    /// Frames that came of somebody and were opened.
    pub(crate) fn frames(&self, name: &str) -> usize {
        self.heard.get(&self.of(name)).map_or(0, |heard| heard.frames)
    }

    /// The longest time between two of them since this was asked last.
    pub(crate) fn gap(&mut self, name: &str) -> Duration {
        let of = self.of(name);
        self.heard.get_mut(&of).map_or(Duration::MAX, |heard| std::mem::take(&mut heard.gap))
    }

    pub(crate) fn hears(&self, name: &str, hz: usize) -> bool {
        self.heard.get(&self.of(name)).is_some_and(|heard| heard.hz.abs_diff(hz) <= 6)
    }

    /// From the beginning to the first frame that was opened.
    pub(crate) fn first(&self) -> Option<Duration> {
        self.first
    }

    /// From the beginning until packets could flow.
    pub(crate) fn up_after(&self) -> Option<Duration> {
        self.up_after
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    pub(crate) fn ended(&self) -> Option<&RoomEvent> {
        self.happened.iter().find(|event| matches!(event, RoomEvent::Ended(_)))
    }

    /// A frame of the tone leaves, if packets can.
    fn speak(&mut self) {
        let start = u32::from(self.sent) * 960;
        let at = |n: u16| {
            // The phase is counted in whole turns, so that it never gets too large to be exact.
            let turns = f64::from(self.hz) * (f64::from(start) + f64::from(n)) / 48_000.0;
            let phase = turns.fract() * std::f64::consts::TAU;
            #[expect(clippy::cast_possible_truncation, reason = "a sample")]
            let sample = (0.244 * phase.sin()) as f32;
            sample
        };
        let samples: Vec<f32> = (0..960).map(at).collect();
        let mut packet = [0; PACKET_MAX];
        let length = self.encoder.encode(&samples, &mut packet).unwrap();
        let payload = packet[..length].to_vec();
        let packet = Packet {
            sequence: self.sent,
            timestamp: start,
            first: false,
            payload,
            copies: vec![],
            event: None,
        };
        self.sent = self.sent.wrapping_add(1);
        self.transport.order(PathOrder::Packet(Track::Voice, packet)).unwrap();
    }

    /// Speaks and listens until this is so.
    pub(crate) async fn until(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> bool) {
        let give_up = clock::now() + PATIENCE;
        let mut next = clock::now();
        while !so(self) {
            assert!(clock::now() < give_up, "{}: {what}; it heard {:?}", self.name, self.happened);
            tokio::select! {
                Some((_, event)) = self.events.recv() => self.path(event),
                Some(event) = self.told.recv() => self.happened.push(event),
                () = clock::sleep_until(next) => {
                    next = next + Duration::from_millis(20);
                    self.speak();
                }
            }
        }
    }

    fn path(&mut self, event: PathEvent) {
        match event {
            PathEvent::Up => {
                self.up_after.get_or_insert_with(|| clock::now().since(self.began));
                self.up = true;
            }
            PathEvent::Lost | PathEvent::Failed(_) => self.up = false,
            PathEvent::Packet { member, packet, .. } => {
                let now = clock::now();
                self.first.get_or_insert_with(|| now.since(self.began));
                self.heard.entry(member).or_default().frame(now, &packet.payload);
            }
            PathEvent::Described(_)
            | PathEvent::Candidates { .. }
            | PathEvent::Gone
            | PathEvent::Stuck
            | PathEvent::Takes(_)
            | PathEvent::Pair(_)
            | PathEvent::Ciphers(_)
            | PathEvent::Reception(_)
            | PathEvent::Feedback(_)
            | PathEvent::Asked(_)
            | PathEvent::Frame(_)
            | PathEvent::Channel(_) => {}
        }
    }

    /// Speaks and listens for so long.
    pub(crate) async fn pass(&mut self, time: Duration) {
        let end = clock::now() + time;
        self.until("time passes", |_| clock::now() >= end).await;
    }

    pub(crate) async fn order(&self, order: StayOrder) {
        self.stay.send(order).await.unwrap();
    }

    /// Leaves, and everything of it ends.
    pub(crate) async fn leave(mut self) {
        self.order(StayOrder::Leave).await;
        self.until("it is over", |it| it.ended().is_some()).await;
        let Self { transport, mut tasks, stay, .. } = self;
        drop((transport, stay));
        let ending = async { while tasks.join_next().await.is_some() {} };
        clock::timeout(PATIENCE, ending).await.expect("nothing is left running");
    }
}

/// Both speak and listen until this is so.
pub(crate) async fn both(
    one: &mut Member,
    other: &mut Member,
    what: &str,
    so: impl Fn(&Member, &Member) -> bool,
) {
    let give_up = clock::now() + PATIENCE;
    while !so(one, other) {
        assert!(clock::now() < give_up, "{what}: {:?} {:?}", one.happened, other.happened);
        tokio::join!(one.pass(Duration::from_millis(40)), other.pass(Duration::from_millis(40)));
    }
}
