//! What it costs to hear several people at once.
//!
//! Lives here: the media of one call as the daemon runs it, between a microphone and a loudspeaker that follow the clock and others
//! whose packets were encoded before; one other and three, by turns.
//! Must not: encrypt, or open a socket or a device: what a path costs is not in it.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Epoch, LegId, MediaOrder, Moment, Role, Tracks};
use ahoyd::media::capture::Capture;
use ahoyd::media::session::{self, Ask};
use ahoyd::media::transport::{
    Events, Packet, PathEvent, PathOrder, Plan, QueueFull, Takes, Track, Transport,
};
use ahoyd::media::wanted::{Key, Wanted};
use ahoyd::media::{CallOrder, Report, Sound};
use ahoyd::values::media::{Switch, Wishes};
use ahoyd::values::rows::Stats;
use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot, watch};

use crate::figure::{Figure, Sheet};
use crate::time::pause;

/// How many others.
const CASES: [u8; 2] = [1, 3];
const ROUNDS: u32 = 5;
/// How long each is watched, and before that.
const LASTING: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(2);
const FRAME: Duration = Duration::from_millis(20);

/// Processor time of the thread that runs all of it.
pub(crate) async fn measure(sheet: &mut Sheet) -> anyhow::Result<()> {
    let said = Arc::new(said()?);
    let mut figures =
        CASES.map(|others| (others, Figure::new("mesh_cpu_s_per_min", format!("{others} heard"), "s/min")));
    for _ in 0..sheet.either(ROUNDS, 2) {
        for (others, figure) in &mut figures {
            let (others, said) = (*others, Arc::clone(&said));
            let spent = tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(watched(others, said))
            });
            figure.add(spent.await??);
        }
    }
    figures.iter().try_for_each(|(_, figure)| sheet.put(figure))
}

/// Ten seconds of something like a voice.
fn said() -> anyhow::Result<Vec<Packet>> {
    let mut capture = Capture::new(32_000, 0)?;
    let sound = |n: u16| {
        let t = f32::from(n) / 48_000.0;
        let loudness = 0.2 * (t * 19.0).sin().max(0.0);
        loudness * (1..9_u8).map(|h| (t * 140.0 * TAU * f32::from(h)).sin() / f32::from(h)).sum::<f32>()
    };
    let second: Vec<f32> = (0..48_000).map(sound).collect();
    let mut packets = Vec::new();
    for _ in 0..10 {
        capture.feed(&second, |packet| packets.push(packet));
    }
    Ok(packets)
}

/// Seconds of the processor in a minute.
async fn watched(others: u8, said: Arc<Vec<Packet>>) -> anyhow::Result<f64> {
    let (asks_in, asks) = mpsc::channel(session::QUEUE);
    let (reports, mut told) = mpsc::channel(256);
    let (wanted_in, wanted) = watch::channel(Wanted::default());
    for other in 1..=others {
        let key = (LegId::from_bytes([other; 16]), Epoch(1));
        let open = MediaOrder::Open { tracks: Tracks::VOICE, muted: false, held: false };
        wanted_in.send_modify(|wanted| {
            wanted.take(key, &MediaOrder::Prepare(Role::Offerer));
            wanted.take(key, &open);
        });
        let ask = Ask::Prepare { key, plan: plan(Arc::clone(&said)), is_room: false, wanted: wanted.clone() };
        asks_in.try_send(ask).ok().context("the queue has room")?;
    }
    let wishes = Wishes { echo: Switch::Off, noise: Switch::Off, gain: Switch::Off };
    let call = CallId::from_bytes([1; 16]);
    let session = session::run(call, 32_000, wishes, Box::new(Desk::default()), wanted, asks, reports);
    let watch = async {
        pause(SETTLE).await;
        let before = spent();
        pause(LASTING).await;
        let spent = spent() - before;
        asks_in.try_send(Ask::Order(CallOrder::Stats(1))).ok().context("the queue has room")?;
        while let Some(report) = told.recv().await {
            if let Report::Stats { stats, .. } = report {
                return judged(others, &stats, spent);
            }
        }
        anyhow::bail!("the media ended")
    };
    let figure = tokio::select! {
        () = session => anyhow::bail!("the media ended"),
        figure = watch => figure?,
    };
    // Nothing is wanted any more.
    drop(wanted_in);
    Ok(figure)
}

/// What was spent, if all of them were heard meanwhile.
fn judged(others: u8, stats: &Stats, spent: Duration) -> anyhow::Result<f64> {
    anyhow::ensure!(stats.members.len() == usize::from(others), "not all of them are there");
    for member in &stats.members {
        let played = member.numbers.packets_played;
        anyhow::ensure!(played > 45 * LASTING.as_secs(), "one of them was not heard: {played} frames");
    }
    Ok(spent.as_secs_f64() * 60.0 / LASTING.as_secs_f64())
}

/// Processor time of this thread.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Follows the clock in blocks of 10 ms.
#[derive(Default)]
struct Desk {
    began: Option<Moment>,
    read: u64,
    written: u64,
}

impl Desk {
    const BLOCK: u64 = 480;

    fn samples(&mut self, now: Moment) -> u64 {
        let micros = now.since(*self.began.get_or_insert(now)).as_micros();
        u64::try_from(micros * 48 / 1_000).unwrap_or(0) / Self::BLOCK * Self::BLOCK
    }
}

impl Sound for Desk {
    fn read(&mut self, now: Moment, block: &mut [f32]) -> usize {
        let there = usize::try_from(self.samples(now).saturating_sub(self.read)).unwrap_or(0);
        let count = there.min(block.len());
        for (n, sample) in block[..count].iter_mut().enumerate() {
            *sample = if n % 160 < 80 { 0.05 } else { -0.05 };
        }
        self.read += count as u64;
        count
    }

    fn wanted(&mut self, now: Moment) -> usize {
        usize::try_from(self.samples(now).saturating_sub(self.written)).unwrap_or(0)
    }

    fn due(&mut self, _now: Moment, _missing: Option<usize>) -> Duration {
        Duration::from_millis(10)
    }

    fn write(&mut self, samples: &[f32]) {
        self.written += samples.len() as u64;
    }
}

/// Ends its path when it is dropped.
struct Way(#[expect(dead_code, reason = "its end is its word")] oneshot::Sender<()>);

impl Transport for Way {
    fn order(&self, _order: PathOrder) -> Result<(), QueueFull> {
        Ok(())
    }
}

fn plan(said: Arc<Vec<Packet>>) -> Plan {
    Box::new(|key, events| {
        let (way, over) = oneshot::channel();
        let speaks = async move {
            tokio::select! {
                () = speaks(key, events, said) => {}
                _ended = over => {}
            }
        };
        (Box::new(Way(way)), Box::pin(speaks))
    })
}

/// A path that is up at once, and a packet by it every 20 ms.
async fn speaks(key: Key, events: Events, said: Arc<Vec<Packet>>) {
    let takes = Takes { copies: true, asks: true, feedback: true, events: true, frames: 6 };
    for event in [PathEvent::Takes(takes), PathEvent::Up] {
        if events.send((key, event)).await.is_err() {
            return;
        }
    }
    let mut due = crate::time::now();
    for (n, packet) in (0_u32..).zip(said.iter().cycle()) {
        due += FRAME;
        pause(due.saturating_duration_since(crate::time::now())).await;
        let [.., high, low] = n.to_be_bytes();
        let (sequence, timestamp) = (u16::from_be_bytes([high, low]), n.wrapping_mul(960));
        let packet = Packet { sequence, timestamp, first: n == 0, ..packet.clone() };
        let event = PathEvent::Packet { member: key.0, track: Track::Voice, packet };
        if events.send((key, event)).await.is_err() {
            return;
        }
    }
}
