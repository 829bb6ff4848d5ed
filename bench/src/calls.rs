//! Calls, timed from the verb to what a person hears.
//!
//! Lives here: dial to ring, answer to heard, mouth to ear: one call after the other through the sound server.
//! Must not: believe a daemon about sound: what counts is what the speaker plays.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::figure::{Figure, percentile};
use crate::pair::Pair;
use crate::sound::{Ears, Mouth};
use crate::time::{ms, now, pause};

/// Ana hums this, Ben that, in hertz: high enough that 5 ms tell them from a ring.
pub(crate) const TONES: [f64; 2] = [2000.0, 3000.0];
/// Louder than this, in dBFS, the other would be heard before the answer. A ring has a little of every tone.
const QUIET: f64 = -28.0;

/// What calls took.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) dial_to_ring: Figure,
    pub(crate) heard_by_caller: Figure,
    pub(crate) heard_by_callee: Figure,
    pub(crate) mouth_to_ear: Figure,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Self {
            dial_to_ring: Figure::new("dial_to_ring_ms", "", "ms"),
            heard_by_caller: Figure::new("answer_to_heard_caller_ms", "", "ms"),
            heard_by_callee: Figure::new("answer_to_heard_callee_ms", "", "ms"),
            mouth_to_ear: Figure::new("mouth_to_ear_ms", "", "ms"),
        }
    }

    /// Another call's.
    pub(crate) fn take(&mut self, other: Self) {
        let Self { dial_to_ring, heard_by_caller, heard_by_callee, mouth_to_ear } = other;
        self.dial_to_ring.take(dial_to_ring);
        self.heard_by_caller.take(heard_by_caller);
        self.heard_by_callee.take(heard_by_callee);
        self.mouth_to_ear.take(mouth_to_ear);
    }

    pub(crate) fn figures(&self) -> [&Figure; 4] {
        [&self.dial_to_ring, &self.heard_by_caller, &self.heard_by_callee, &self.mouth_to_ear]
    }
}

/// Mouths and ears of both, for as many calls as are wanted.
pub(crate) struct Talk {
    mouths: [Mouth; 2],
    /// The speakers of Ana and Ben.
    speakers: [Ears; 2],
    /// What goes into their microphones.
    microphones: [Ears; 2],
}

/// What happens to a call on purpose, so that a figure must show it.
pub(crate) trait Plant {
    /// Just before Ana dials.
    fn before_dial(&self) -> anyhow::Result<()>;
    /// Just before Ben answers.
    fn before_answer(&self) -> anyhow::Result<()>;
}

/// Nothing.
pub(crate) struct Plain;

impl Plant for Plain {
    fn before_dial(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn before_answer(&self) -> anyhow::Result<()> {
        Ok(())
    }
}

impl Talk {
    pub(crate) fn begin(pair: &Pair) -> anyhow::Result<Self> {
        let desks = [&pair.ana.desk, &pair.ben.desk];
        Ok(Self {
            mouths: [Mouth::open(desks[0], TONES[0])?, Mouth::open(desks[1], TONES[1])?],
            speakers: [Ears::open(desks[0], "speaker.monitor")?, Ears::open(desks[1], "speaker.monitor")?],
            microphones: [Ears::open(desks[0], "mic_in.monitor")?, Ears::open(desks[1], "mic_in.monitor")?],
        })
    }

    /// One call; the time that a sound server lost while they talked. `n` moves the answer against the sound server's period, so
    /// that twenty calls meet all of it.
    pub(crate) async fn call(
        &mut self,
        pair: &mut Pair,
        n: u32,
        plant: &impl Plant,
        into: &mut Calls,
    ) -> anyhow::Result<Duration> {
        plant.before_dial()?;
        let (dialed, rang, path) = pair.ring().await?;
        into.dial_to_ring.add(ms(dialed, rang));
        // The path is set up while it rings.
        pause(Duration::from_millis(500) + Duration::from_micros(u64::from(n * 1_700))).await;
        plant.before_answer()?;
        let answered = pair.answer(&path).await?;
        pause(Duration::from_millis(1900)).await;
        self.heard(dialed, answered, into)?;
        let (from, to) = (answered + Duration::from_millis(600), answered + Duration::from_millis(1800));
        let trips = self.trips(from, to);
        anyhow::ensure!(!trips.is_empty(), "no chirp went from a microphone to the other's speaker");
        into.mouth_to_ear.add(percentile(&trips, 50));
        let ears = self.speakers.iter_mut().chain(&mut self.microphones);
        let lost = ears.map(|ears| ears.recording().lost(from, to)).max().unwrap_or_default();
        pair.hang_up().await?;
        // What is still in the buffers of this call must not be heard in the next.
        pause(Duration::from_millis(200)).await;
        Ok(lost)
    }

    fn heard(&mut self, dialed: Instant, answered: Instant, into: &mut Calls) -> anyhow::Result<()> {
        let [ana, ben] = TONES;
        let sides = [(0, ben, &mut into.heard_by_caller), (1, ana, &mut into.heard_by_callee)];
        for (side, tone, figure) in sides {
            let speaker = self.speakers[side].recording();
            let (level, when) = speaker.loudest(tone, dialed, answered);
            if level >= QUIET {
                let (who, when) = (["Ana", "Ben"][side], ms(dialed, when));
                anyhow::bail!(
                    "{who} heard the other {when:.0} ms after the dialing, before the answer ({level:.0} dBFS)"
                );
            }
            let onset = speaker.onset(tone, answered, answered + Duration::from_millis(1500));
            figure.add(ms(
                answered,
                onset.with_context(|| format!("{tone} Hz was not heard after the answer"))?,
            ));
        }
        Ok(())
    }

    /// Chirps from one's microphone to the other's speaker, both ways, in milliseconds. Both ends are recorded in the same
    /// way, so that what the recording adds is in neither.
    pub(crate) fn trips(&mut self, from: Instant, to: Instant) -> Vec<f64> {
        let mut trips = Vec::new();
        for (mouth, ear) in [(0, 1), (1, 0)] {
            let mut begin = from;
            while begin + HALF <= to {
                let said = self.microphones[mouth].recording().chirp(begin, begin + WHOLE);
                // Where a recorder lost samples there is none.
                let Some(said) = said else {
                    begin += HALF;
                    continue;
                };
                let heard = self.speakers[ear].recording().chirp(said, (said + HALF).min(to + HALF));
                trips.extend(heard.map(|heard| ms(said, heard)));
                begin = said + Duration::from_millis(50);
            }
        }
        trips
    }

    /// Chirps of the last seconds of a call that goes on.
    pub(crate) fn trips_of_late(&mut self, lasting: Duration) -> Vec<f64> {
        let end = now() - HALF;
        self.trips(end - lasting, end)
    }

    /// Nobody listens any more, they talk on.
    pub(crate) fn talk_on(self) -> [Mouth; 2] {
        self.mouths
    }
}

/// A chirp comes so often, and is heard before the next one is said.
const HALF: Duration = Duration::from_millis(500);
/// In so long there is a whole one.
const WHOLE: Duration = Duration::from_millis(530);
