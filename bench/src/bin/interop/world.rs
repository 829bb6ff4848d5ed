//! Our side, the other program, and what passes between them.
//!
//! Lives here: the one loop that passes descriptions and candidates on, speaks, listens and asks.
//! Must not: judge what happens.

use std::collections::HashMap;
use std::time::Duration;

use ahoy_call::{Description, Moment, Opaque, SdpKind};
use ahoyd::media::transport::PathEvent;
use ahoyd::system::clock;
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::ours::{Manager, Out};
use crate::tone::Pitch;
use crate::wire::Wire;

/// Our voice and another one, and theirs.
pub(crate) const OURS: Pitch = 400;
pub(crate) const OTHER: Pitch = 700;
pub(crate) const THEIRS: Pitch = 1000;
/// So long anything may take.
const PATIENCE: Duration = Duration::from_secs(15);
const FRAME: Duration = Duration::from_millis(20);

/// What the other program has told of its own accord.
#[derive(Default)]
pub(crate) struct There {
    /// When it heard the tone that it listens for.
    pub(crate) heard: Option<Moment>,
    pub(crate) channel: bool,
    /// Length and first byte.
    pub(crate) frames: Vec<(u64, u64)>,
    pub(crate) state: String,
}

/// One description that passed.
pub(crate) struct Passed {
    pub(crate) ours: bool,
    pub(crate) kind: SdpKind,
    pub(crate) text: String,
}

/// What the other side hears.
pub(crate) struct Ear {
    pub(crate) gap: Duration,
    pub(crate) run: Duration,
    pub(crate) silence: Duration,
}

pub(crate) struct World {
    pub(crate) ours: Manager,
    pub(crate) there: There,
    pub(crate) passed: Vec<Passed>,
    wire: Wire,
    trickles: bool,
    asked: u64,
    replies: HashMap<u64, Value>,
    speaks_at: Moment,
}

impl World {
    pub(crate) async fn begin(mut wire: Wire) -> anyhow::Result<Self> {
        let hello = wire.hear().await?;
        let trickles = hello["trickles"].as_bool().context("the other side says no hello")?;
        let ours = Manager::initialize(Vec::new(), !trickles, THEIRS)?;
        let (there, passed, replies) = Default::default();
        let speaks_at = clock::now();
        Ok(Self { ours, there, passed, wire, trickles, asked: 0, replies, speaks_at })
    }

    /// A new connection on both sides, which we or they offer. Returns when that was.
    pub(crate) async fn connect(&mut self, we_offer: bool) -> anyhow::Result<Moment> {
        self.ours = Manager::initialize(Vec::new(), !self.trickles, THEIRS)?;
        self.ours.add_local_stream(OURS);
        (self.there, self.passed) = Default::default();
        let began = clock::now();
        self.ask(json!({ "do": "start", "offers": !we_offer, "tone": OURS })).await?;
        if we_offer {
            self.ours.offer();
        }
        Ok(began)
    }

    /// The end of it on both sides.
    pub(crate) async fn part(&mut self) -> anyhow::Result<()> {
        self.ask(json!({ "do": "close" })).await?;
        self.ours.close().await
    }

    pub(crate) async fn ask(&mut self, mut word: Value) -> anyhow::Result<Value> {
        self.asked += 1;
        let id = self.asked;
        word["id"] = json!(id);
        self.wire.say(&word).await?;
        let what = format!("a reply to {}", word["do"]);
        self.until(&what, |world| world.replies.contains_key(&id)).await?;
        let reply = self.replies.remove(&id).context("it is there")?;
        match reply["error"].as_str() {
            Some(error) => bail!("the other side: {error}"),
            None => Ok(reply),
        }
    }

    /// Asks for nothing back.
    pub(crate) async fn tell(&mut self, mut word: Value) -> anyhow::Result<()> {
        word["id"] = json!(0);
        self.wire.say(&word).await
    }

    /// What it hears of the tone that it listens for.
    pub(crate) async fn their_ear(&mut self) -> anyhow::Result<Ear> {
        let reply = self.ask(json!({ "do": "hears" })).await?;
        let time = |name: &str| Duration::from_millis(reply[name].as_u64().unwrap_or_default());
        Ok(Ear { gap: time("gap_ms"), run: time("run_ms"), silence: time("silence_ms") })
    }

    /// Lets the world go on until it is so.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        mut so: impl FnMut(&mut Self) -> bool,
    ) -> anyhow::Result<()> {
        let give_up = clock::now() + PATIENCE;
        while !so(self) {
            ensure!(clock::now() < give_up, "{what} in time");
            self.step().await.with_context(|| format!("waiting for {what}"))?;
        }
        Ok(())
    }

    pub(crate) async fn pass(&mut self, duration: Duration) -> anyhow::Result<()> {
        let until = clock::now() + duration;
        while clock::now() < until {
            self.step().await?;
        }
        Ok(())
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            word = self.wire.hear() => self.on_word(word?),
            event = self.ours.next() => self.on_event(event).await,
            () = clock::sleep_until(self.speaks_at) => {
                self.speaks_at = self.speaks_at + FRAME;
                self.ours.speak()
            }
        }
    }

    async fn on_event(&mut self, event: PathEvent) -> anyhow::Result<()> {
        match self.ours.take(event)? {
            Some(Out::Description(Description { kind, body })) => {
                let text = String::from_utf8(body.0)?;
                let description = json!({ "type": kind.word(), "sdp": text });
                self.tell(json!({ "do": "description", "description": description })).await?;
                self.passed.push(Passed { ours: true, kind, text });
            }
            Some(Out::Candidates(list)) => {
                for Opaque(candidate) in list {
                    let candidate: Value = serde_json::from_slice(&candidate)?;
                    self.tell(json!({ "do": "candidate", "candidate": candidate })).await?;
                }
            }
            None => {}
        }
        Ok(())
    }

    fn on_word(&mut self, word: Value) -> anyhow::Result<()> {
        if let Some(id) = word["re"].as_u64() {
            // Nobody asked for a reply to what has none, but what failed must not be missed.
            ensure!(id != 0 || word["error"].is_null(), "the other side: {}", word["error"]);
            self.replies.insert(id, word);
            return Ok(());
        }
        match word["say"].as_str().unwrap_or_default() {
            "description" => {
                let description = &word["description"];
                let offers = description["type"] == "offer";
                let kind = if offers { SdpKind::Offer } else { SdpKind::Answer };
                let text = description["sdp"].as_str().context("a description without text")?.to_owned();
                let body = Opaque(text.clone().into_bytes());
                self.passed.push(Passed { ours: false, kind, text });
                self.ours.handle_remote_description(Description { kind, body })
            }
            "candidate" => self.ours.handle_ice_candidate(word["candidate"].to_string().as_bytes()),
            "heard" => {
                self.there.heard = Some(clock::now());
                Ok(())
            }
            "channel" => {
                self.there.channel = true;
                Ok(())
            }
            "frame" => {
                let number = |name: &str| word[name].as_u64().unwrap_or_default();
                self.there.frames.push((number("bytes"), number("first")));
                Ok(())
            }
            "state" => {
                self.there.state = word["state"].as_str().unwrap_or_default().to_owned();
                Ok(())
            }
            other => bail!("the other side says {other}"),
        }
    }

    /// The newest description of this kind, of one side.
    pub(crate) fn newest(&self, ours: bool, kind: SdpKind) -> Option<&str> {
        let mut all = self.passed.iter().rev();
        all.find(|one| one.ours == ours && one.kind == kind).map(|one| one.text.as_str())
    }

    pub(crate) fn count(&self, ours: bool, kind: SdpKind) -> usize {
        self.passed.iter().filter(|one| one.ours == ours && one.kind == kind).count()
    }
}
