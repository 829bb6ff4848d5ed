//! A model of media: a path is up when both descriptions met, and lost when it is cut.
//!
//! Lives here: what the media port would do with each order, and when it would report.
//! Must not: carry sound; know why an order came.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::{CallId, Description, Epoch, LegId, MediaOrder, MediaReport, Opaque, Role, SdpKind};

/// How long a description takes.
const DESCRIBE: Duration = Duration::from_millis(5);
/// How long checks and DTLS take once both descriptions met.
const CONNECT: Duration = Duration::from_millis(100);

/// One path of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathModel {
    /// Both descriptions are known here.
    pub met: bool,
    /// It was reported up and not lost since.
    pub up: bool,
    /// It was opened: the microphone may be read, sound may be played.
    pub open: bool,
}

/// The media port of one device.
#[derive(Clone, Debug, Default)]
pub struct MediaModel {
    /// By call, remote device and generation.
    pub paths: BTreeMap<(CallId, LegId, Epoch), PathModel>,
    /// Devices that get silence and of which nothing is played.
    pub held: BTreeSet<(CallId, LegId)>,
    /// Calls that send silence.
    pub muted: BTreeSet<CallId>,
    /// The paths on which digits were sent.
    pub digits: Vec<(LegId, Epoch)>,
}

impl MediaModel {
    /// Takes an order; returns what will be reported, and when.
    pub fn order(&mut self, key: (CallId, LegId, Epoch), order: MediaOrder) -> Vec<(Duration, MediaReport)> {
        let describe = |kind, body: &str| {
            let description = Description { kind, body: Opaque(body.as_bytes().to_vec()) };
            let candidate = MediaReport::Candidates { list: vec![Opaque(b"host".to_vec())], complete: true };
            vec![(DESCRIBE, MediaReport::Described(description)), (DESCRIBE * 2, candidate)]
        };
        match order {
            MediaOrder::Prepare(Role::Offerer) => {
                self.paths.insert(key, PathModel::default());
                return describe(SdpKind::Offer, "offer");
            }
            MediaOrder::Prepare(Role::Answerer(_) | Role::Early(_)) => {
                self.paths.insert(key, PathModel { met: true, ..PathModel::default() });
                return describe(SdpKind::Answer, "answer");
            }
            MediaOrder::Remote(_) => {
                if let Some(path) = self.paths.get_mut(&key) {
                    path.met = true;
                }
                return vec![(CONNECT, MediaReport::Up)];
            }
            // Whether something comes is looked at by the world.
            MediaOrder::Candidates { .. } | MediaOrder::Probe => {}
            MediaOrder::SendDigits(_) => {
                self.digits.push((key.1, key.2));
                let open = self.paths.iter().any(|(of, path)| of.0 == key.0 && path.open);
                assert!(self.paths.contains_key(&key), "digits on a path that there is not");
                assert!(open && !self.held.contains(&(key.0, key.1)), "digits where no voice goes");
            }
            MediaOrder::SetMuted(muted) => set(&mut self.muted, key.0, muted),
            MediaOrder::SetHeld(held) => set(&mut self.held, (key.0, key.1), held),
            MediaOrder::Open { tracks: _, muted, held } => {
                if let Some(path) = self.paths.get_mut(&key) {
                    path.open = true;
                    set(&mut self.muted, key.0, muted);
                    set(&mut self.held, (key.0, key.1), held);
                }
            }
            MediaOrder::Pause => {
                for (of, path) in &mut self.paths {
                    if of.0 == key.0 {
                        path.open = false;
                    }
                }
            }
            MediaOrder::Close => {
                self.paths.remove(&key);
                if !self.paths.keys().any(|of| of.0 == key.0) {
                    self.end(key.0);
                }
            }
        }
        Vec::new()
    }

    /// Nothing of the call is left.
    pub fn end(&mut self, call: CallId) {
        self.paths.retain(|key, _| key.0 != call);
        self.held.retain(|(of, _)| *of != call);
        self.muted.remove(&call);
    }

    /// Whether the microphone may be read in some call.
    pub fn microphone_open(&self) -> bool {
        self.paths.values().any(|path| path.open)
    }

    /// Calls in which sound is sent or played now.
    pub fn audible(&self) -> BTreeSet<CallId> {
        let open = self.paths.iter().filter(|(_, path)| path.open && path.up).map(|(key, _)| (key.0, key.1));
        open.filter(|to| !self.held.contains(to)).map(|(call, _)| call).collect()
    }
}

fn set<T: Ord>(of: &mut BTreeSet<T>, one: T, value: bool) {
    if value {
        of.insert(one);
    } else {
        of.remove(&one);
    }
}
