//! The sounds of a telephone that are no voice: which file or which computed tone, on which devices, how loud.
//!
//! Lives here: the ringer's thread and what it plays; a ring that cannot be had from a file is computed.
//! Must not: know why something sounds (`tones.rs` does), or open a microphone.

mod decode;
mod synth;
mod theme;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::watch;

use super::device::{Clip, Speakers};
use crate::system::level;
use crate::values::devices::Found;
use crate::values::media::{MediaSettings, Ringing};
use crate::values::tone::Tone;
use theme::Found as Named;

/// Orders that wait while a file is read.
const ORDERS: usize = 64;
/// The sound that themes have for this.
const RING_NAME: &str = "phone-incoming-call";
/// The theme that is asked unless a person decided.
const THEME: &str = "freedesktop";
/// From one beginning of a short ring to the next at least: 3 s.
const PERIOD: usize = 144_000;
/// Between two turns of a long one: 0.5 s.
const PAUSE: usize = 24_000;

/// Whether this machine has a sound theme of that name.
pub fn has_theme(name: &str) -> bool {
    theme::is_there(&theme::folders(|name| std::env::var(name).ok()), name)
}

/// A tone that sounds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sounding {
    /// Which.
    pub tone: Tone,
    /// The caller's own ring, a file or a name; empty for the usual one.
    pub own: String,
}

/// The tone as it goes into a running call; none for those that have a stream of their own.
pub(super) fn in_call(tone: Tone) -> Option<Clip> {
    match tone {
        Tone::Waiting(_) => Some(synth::waiting()),
        Tone::AutoAnswered(_) => Some(synth::auto_answered()),
        Tone::Ring(_) | Tone::Ringback(_) | Tone::Busy(_) | Tone::Failed(_) | Tone::Ended(_) => None,
    }
}

enum RingerOrder {
    Sound(Option<Sounding>),
    Settings(Box<MediaSettings>),
}

/// Whether that tone can ring, a file or a name of the sound theme (the usual one if `theme` is none): else the sentence that says
/// why not. Reads and decodes the file: not for a thread that answers people.
pub fn check(tone: &str, theme: Option<&str>) -> Result<(), String> {
    let folders = theme::folders(|name| std::env::var(name).ok());
    find(&folders, theme, tone).and_then(|found| match found {
        Some(path) => decode::file(&path, &|| false).map(drop).map_err(|error| unplayable(tone, &error)),
        // The theme says that it is not to be heard.
        None => Ok(()),
    })
}

/// The file of a tone; none where the theme wants silence.
fn find(folders: &[PathBuf], theme: Option<&str>, tone: &str) -> Result<Option<PathBuf>, String> {
    if let Some(path) = place(tone) {
        return Ok(Some(path));
    }
    match theme::find(folders, theme.unwrap_or(THEME), tone) {
        Named::At(path) => Ok(Some(path)),
        Named::Disabled => Ok(None),
        Named::Nowhere => Err(format!(
            "The ring tone {tone:?} cannot be played: it is neither a whole path nor a sound of the theme."
        )),
    }
}

fn unplayable(tone: &str, why: &decode::Unplayable) -> String {
    format!("The ring tone {tone:?} cannot be played: {why}.")
}

/// The ringer's handle. Dropping it ends every sound.
pub(super) struct Ringer {
    found: watch::Receiver<Arc<Found>>,
    settings: MediaSettings,
    /// What is wrong with the tone that should ring.
    trouble: Arc<watch::Sender<Option<String>>>,
    /// Counts looks at a tone: only the last one's word counts.
    looks: Arc<AtomicU64>,
    orders: Option<SyncSender<RingerOrder>>,
    /// Counts orders, so that a long file is left off when the phone no longer rings.
    given: Arc<AtomicU64>,
}

impl Ringer {
    /// Silent so far; the thread begins with the first sound.
    pub(super) fn new(settings: MediaSettings, found: watch::Receiver<Arc<Found>>) -> Self {
        let (trouble, looks) = (Arc::new(watch::channel(None).0), Arc::default());
        let ringer = Self { found, settings, trouble, looks, orders: None, given: Arc::default() };
        ringer.look();
        ringer
    }

    /// What is wrong with the tone that should ring, now and at each change.
    pub(super) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    /// Tries what a person decided, on a thread of its own: long before somebody calls.
    fn look(&self) {
        let number = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(tone) = self.settings.ringing.tone.clone() else {
            level::set(&self.trouble, None);
            return;
        };
        let theme = self.settings.ringing.theme.clone();
        let (trouble, looks) = (Arc::clone(&self.trouble), Arc::clone(&self.looks));
        let run = move || {
            let found = check(&tone, theme.as_deref()).err();
            if looks.load(Ordering::Relaxed) == number {
                level::set(&trouble, found);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("ring-look".into()).spawn(run) {
            tracing::error!(%error, "a ring tone is not tried");
        }
    }

    /// This sounds now, instead of what sounded before.
    pub(super) fn sound(&mut self, sounding: Option<Sounding>) {
        if self.orders.is_none() && sounding.is_some() {
            let (orders, waiting) = sync_channel(ORDERS);
            let (settings, given) = (self.settings.clone(), Arc::clone(&self.given));
            let speakers = Speakers::new(self.found.clone());
            let trouble = Arc::clone(&self.trouble);
            let player =
                RingPlayer { orders: waiting, given, taken: 0, settings, trouble, speakers, now: None };
            match std::thread::Builder::new().name("ring".into()).spawn(move || player.run()) {
                Ok(_runs) => self.orders = Some(orders),
                Err(error) => return tracing::error!(%error, "the thread that rings does not begin"),
            }
        }
        self.order(RingerOrder::Sound(sounding));
    }

    /// Other devices, another ring, louder, softer or mute: also for what sounds now.
    pub(super) fn set(&mut self, settings: &MediaSettings) {
        if *settings != self.settings {
            let before = std::mem::replace(&mut self.settings, settings.clone()).ringing;
            if (before.tone, before.theme) != (settings.ringing.tone.clone(), settings.ringing.theme.clone())
            {
                self.look();
            }
            self.order(RingerOrder::Settings(Box::new(settings.clone())));
        }
    }

    fn order(&self, order: RingerOrder) {
        let Some(orders) = &self.orders else { return };
        self.given.fetch_add(1, Ordering::Relaxed);
        if orders.try_send(order).is_err() {
            tracing::error!("the ringer takes no orders");
        }
    }
}

struct RingPlayer {
    orders: Receiver<RingerOrder>,
    given: Arc<AtomicU64>,
    taken: u64,
    settings: MediaSettings,
    trouble: Arc<watch::Sender<Option<String>>>,
    speakers: Speakers,
    now: Option<Sounding>,
}

impl RingPlayer {
    fn run(mut self) {
        while let Ok(order) = self.orders.recv() {
            self.taken += 1;
            match order {
                RingerOrder::Sound(sounding) => {
                    self.now = sounding;
                    self.begin();
                }
                RingerOrder::Settings(settings) => {
                    let before = std::mem::replace(&mut self.settings, *settings);
                    self.change(&before);
                }
            }
        }
    }

    fn begin(&mut self) {
        let Some(Sounding { tone, own }) = &self.now else { return self.speakers.stop() };
        let clip = match tone {
            Tone::Ring(_) if self.settings.ringing.muted => None,
            Tone::Ring(_) => self.ring(own),
            Tone::Ringback(_) | Tone::Busy(_) | Tone::Failed(_) | Tone::Ended(_)
                if !self.settings.ringing.tones =>
            {
                None
            }
            Tone::Ringback(_) => Some(synth::ringback()),
            Tone::Busy(_) => Some(synth::busy()),
            Tone::Failed(_) => Some(synth::failed()),
            Tone::Ended(_) => Some(synth::ended()),
            Tone::Waiting(_) | Tone::AutoAnswered(_) => None,
        };
        let Some(clip) = clip else { return self.speakers.stop() };
        if matches!(tone, Tone::Ring(_)) {
            self.speakers.play(clip, &self.settings.ring, self.settings.ringing.volume.factor());
        } else {
            self.speakers.play(clip, self.settings.output.as_slice(), 1.0);
        }
    }

    fn change(&mut self, before: &MediaSettings) {
        if before.ringing.tones && !self.settings.ringing.tones {
            return self.begin();
        }
        let Some(Sounding { tone: Tone::Ring(_), .. }) = self.now else { return };
        let louder = Ringing { volume: self.settings.ringing.volume, ..before.ringing.clone() };
        if louder != self.settings.ringing || before.ring != self.settings.ring {
            self.begin();
        } else {
            self.speakers.set_volume(self.settings.ringing.volume.factor());
        }
    }

    /// The ring: the caller's own, else what a person decided, else the theme's, else a computed one. None where the theme
    /// says that it is not to be heard.
    fn ring(&self, own: &str) -> Option<Clip> {
        let late = || self.given.load(Ordering::Relaxed) != self.taken;
        let folders = theme::folders(|name| std::env::var(name).ok());
        let usual = self.settings.ringing.theme.as_deref();
        let configured = self.settings.ringing.tone.as_deref().unwrap_or("");
        let mut wrong = None;
        for wished in [own, configured, RING_NAME].into_iter().filter(|wished| !wished.is_empty()) {
            let sentence = match find(&folders, usual, wished) {
                Ok(None) => return None,
                Ok(Some(path)) => match decode::file(&path, &late) {
                    Ok(samples) => {
                        level::set(&self.trouble, wrong);
                        return Some(spaced(samples));
                    }
                    Err(decode::Unplayable::Late) => return None,
                    Err(error) => unplayable(wished, &error),
                },
                // That the usual theme lacks it is nobody's mistake.
                Err(_) if wished == RING_NAME => continue,
                Err(sentence) => sentence,
            };
            tracing::warn!(sentence, "the next ring tone is tried");
            wrong = wrong.or(Some(sentence));
        }
        level::set(&self.trouble, wrong);
        Some(synth::ring())
    }
}

/// A ring that is given as a file: by its path.
fn place(wished: &str) -> Option<PathBuf> {
    match wished.strip_prefix("~/") {
        Some(rest) => std::env::var("HOME").ok().map(|home| Path::new(&home).join(rest)),
        None => wished.starts_with('/').then(|| PathBuf::from(wished)),
    }
}

/// Rings are repeated; short ones get a pause, so that they do not become one noise.
fn spaced(mut samples: Vec<f32>) -> Clip {
    samples.resize((samples.len() + PAUSE).max(PERIOD), 0.0);
    Clip { samples: Arc::from(samples), repeat: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::media::Volume;

    #[test]
    fn a_volume_is_a_share_of_full() {
        for (share, kept) in [(0.0, 0.0), (0.25, 0.25), (0.3334, 0.333), (1.0, 1.0)] {
            assert!((Volume::of(share).unwrap().share() - kept).abs() < 1e-9, "{share}");
        }
        for outside in [-0.1, 1.001, f64::NAN, f64::INFINITY] {
            assert_eq!(Volume::of(outside), None, "{outside}");
        }
    }

    #[test]
    fn a_tone_that_cannot_ring_is_refused_by_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("page.ogg");
        std::fs::write(&page, "<html>").unwrap();
        let texts = [page, folder.path().join("none"), folder.path().to_owned(), "no-such-sound".into()];
        for tone in texts.map(|path| path.to_string_lossy().into_owned()) {
            let sentence = check(&tone, None).unwrap_err();
            assert!(sentence.contains("cannot be played: ") && sentence.contains(&tone), "{sentence}");
        }
    }

    #[test]
    fn a_path_is_a_file_and_the_rest_a_name() {
        assert_eq!(place("/a/b.wav"), Some(PathBuf::from("/a/b.wav")));
        assert_eq!(place("bell"), None);
        assert_eq!(place("../b.wav"), None, "a name of the theme, which has none such");
    }

    #[test]
    fn a_short_ring_has_a_pause_of_seconds_and_a_long_one_a_moment() {
        assert_eq!(spaced(vec![0.5; 10]).samples.len(), PERIOD);
        assert_eq!(spaced(vec![0.5; 200_000]).samples.len(), 200_000 + PAUSE);
    }
}
