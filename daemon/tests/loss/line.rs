//! One direction of a call, from samples to samples.
//!
//! Lives here: the sender's memory, a seeded line that loses, delays and answers, and the ear's clock.
//! Must not: say what must come of it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use ahoy_call::Moment;
use ahoyd::media::capture::Capture;
use ahoyd::media::codec::FRAME;
use ahoyd::media::pipeline::Playback;
use ahoyd::media::playout::Statistics;
use ahoyd::media::transport::{Copy, Packet};

const FRAME_US: u64 = 20_000;
/// The ear takes blocks of 5 ms.
const BLOCK_US: u64 = 5_000;

/// What a line does to packets.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) round_trip_us: u64,
    /// Share lost, and the mean length of a loss in frames of 20 ms; shorter than one is each packet for itself.
    pub(crate) loss: f64,
    pub(crate) burst: f64,
    /// A packet is later by up to this, and holds back those behind it.
    pub(crate) jitter_us: u64,
    pub(crate) seed: u64,
}

impl Line {
    pub(crate) const CLEAN: Self = Self { round_trip_us: 600, loss: 0.0, burst: 0.0, jitter_us: 0, seed: 1 };
}

/// How a voice is mended.
#[derive(Clone, Copy)]
pub(crate) struct Mend {
    /// How far back the frames lie that travel with each packet.
    pub(crate) copies: &'static [u8],
    pub(crate) asking: bool,
    pub(crate) bitrate: u32,
    /// How long after their time frames play; 0: as long as the copies, or two askings, need.
    pub(crate) wait_ms: u64,
}

impl Mend {
    fn need(self, line: Line) -> Duration {
        if self.wait_ms > 0 {
            return Duration::from_millis(self.wait_ms);
        }
        let copies = self.copies.iter().max().map_or(0, |furthest| u64::from(*furthest) * FRAME_US + 10_000);
        let again = (line.round_trip_us + 3_000).max(8_000);
        let asking = if self.asking && line.loss > 0.0 { 17_000 + line.round_trip_us + again } else { 0 };
        Duration::from_micros(copies.max(asking))
    }
}

/// What came of it.
pub(crate) struct Heard {
    pub(crate) sound: Vec<f32>,
    pub(crate) concealed_per_cent: f32,
    pub(crate) delay_ms: f32,
    pub(crate) kbit: f32,
    pub(crate) told: Statistics,
}

/// A small seeded generator (splitmix).
struct Chance(u64);

impl Chance {
    fn share(&mut self) -> f64 {
        (self.mixed() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { (self.mixed() >> 11) % end }
    }

    fn mixed(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Whether the line is open, in steps of a millisecond: bursts last as long whatever is sent.
struct Bursts {
    chance: Chance,
    line: Line,
    broken: bool,
    until_ms: u64,
}

impl Bursts {
    fn loses(&mut self, at: u64) -> bool {
        let Line { loss, burst, .. } = self.line;
        if burst < 1.0 {
            return self.chance.share() < loss;
        }
        let mean_ms = burst * 20.0;
        while self.until_ms <= at / 1_000 {
            let turn = if self.broken { 1.0 / mean_ms } else { loss / (1.0 - loss) / mean_ms };
            self.broken ^= self.chance.share() < turn;
            self.until_ms += 1;
        }
        self.broken
    }
}

/// Something under way: when it comes, and what.
type Coming = BinaryHeap<Reverse<(u64, usize)>>;

/// Say all of `said` over this line.
pub(crate) fn carry(said: &[f32], line: Line, mend: Mend) -> Heard {
    let mut capture = Capture::new(mend.bitrate, 4_294_000_000).unwrap();
    if !mend.copies.is_empty() || mend.asking {
        capture.set_loss(0);
    }
    let mut playback = Playback::new().unwrap();
    playback.asking(mend.asking);
    playback.need(mend.need(line));
    let bursts = |seed| Bursts { chance: Chance(seed), line, broken: false, until_ms: 0 };
    let (mut there, mut back) = (bursts(line.seed), bursts(line.seed + 1_000));
    let mut jitter = Chance(line.seed + 2_000);
    let (mut packets, mut bytes, mut held_until) = (Vec::<Packet>::new(), 0, 0);
    let (mut coming, mut asked, mut came): (Coming, Coming, _) =
        (Coming::new(), Coming::new(), BTreeSet::new());
    let (mut sound, mut delay, mut blocks) = (Vec::with_capacity(said.len()), 0.0, 0.0);
    let (mut block, mut frames) = ([0.0; FRAME / 4], said.chunks_exact(FRAME));
    let round_trip = Duration::from_micros(line.round_trip_us);
    let end = said.len() as u64 * 1_000 / 48;
    let mut leave = |packet: &Packet, number: usize, at: u64, there: &mut Bursts, coming: &mut Coming| {
        bytes += packet.payload.len() + packet.copies.iter().map(|c| c.payload.len() + 4).sum::<usize>();
        if !there.loses(at) {
            held_until = (at + line.round_trip_us / 2 + jitter.below(line.jitter_us)).max(held_until);
            coming.push(Reverse((held_until, number)));
        }
    };
    for at in (0..end).step_by(200) {
        if at % FRAME_US == 0 && at > 0 {
            let Some(frame) = frames.next() else { break };
            capture.feed(frame, |mut packet| {
                let number = packets.len();
                packet.copies = mend
                    .copies
                    .iter()
                    .rev()
                    .filter_map(|distance| {
                        let of: &Packet = &packets[number.checked_sub(usize::from(*distance))?];
                        Some(Copy { distance: *distance, payload: of.payload.clone() })
                    })
                    .collect();
                leave(&packet, number, at, &mut there, &mut coming);
                packets.push(packet);
            });
        }
        while let Some(Reverse((_, number))) = asked.peek().filter(|Reverse((when, _))| *when <= at).copied()
        {
            asked.pop();
            leave(&packets[number], number, at, &mut there, &mut coming);
        }
        let mut new = false;
        while let Some(Reverse((when, number))) =
            coming.peek().filter(|Reverse((when, _))| *when <= at).copied()
        {
            coming.pop();
            if came.insert(number) {
                playback.receive(Moment::from_micros(1_000_000 + when), 0, &packets[number]);
                new = true;
            }
        }
        let now = Moment::from_micros(1_000_000 + at);
        if new || at % BLOCK_US == 0 {
            for (_, sequence) in playback.ask(now, round_trip) {
                let number = packets.iter().rposition(|packet| packet.sequence == sequence);
                if let Some(number) = number.filter(|_| !back.loses(at)) {
                    asked.push(Reverse((at + line.round_trip_us / 2, number)));
                }
            }
        }
        if at % BLOCK_US == 0 {
            playback.play(now, &mut block);
            sound.extend_from_slice(&block);
            if at > 3_000_000 {
                delay += playback.statistics().delay.as_secs_f32() * 1_000.0;
                blocks += 1.0;
            }
        }
    }
    let told = playback.statistics();
    Heard {
        sound,
        concealed_per_cent: (told.concealed + told.recovered) as f32 * 100.0 / packets.len() as f32,
        delay_ms: delay / blocks,
        kbit: bytes as f32 * 8.0 / (end as f32 / 1_000.0),
        told,
    }
}
