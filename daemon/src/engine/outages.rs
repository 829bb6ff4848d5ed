//! What stands or is broken, told as events: the relay, the paths of calls, the sound devices in use.
//!
//! Lives here: one level for each, told when it has stayed another for a while, so that what flaps tells nothing; pure.
//! Must not: be what anybody reads the state from (the board is), or know how an event is carried.

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::{CallId, Moment};

/// How long a path must stay broken or mended.
const PATH: Duration = Duration::from_secs(1);
/// How long a relay or a device must stay away or be back.
const OTHERS: Duration = Duration::from_secs(2);

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Relay,
    Path(CallId),
    /// By direction and id.
    Device(&'static str, String),
}

/// What is so now.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// An inbox of ours is claimed.
    pub online: bool,
    /// Calls in which sound flowed once, and whether their path is broken.
    pub paths: Vec<(CallId, bool)>,
    /// Devices that serve a role now: direction, id, name.
    pub serving: Vec<(&'static str, String, String)>,
    /// Devices that are there: direction, id.
    pub present: Vec<(&'static str, String)>,
}

/// Something that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// `relay.down`, …
    pub kind: &'static str,
    /// The call, if it is about one.
    pub call: Option<CallId>,
    /// The device's name, if it is about one.
    pub name: Option<String>,
}

/// One thing that stands or is broken.
#[derive(Clone, Debug)]
struct Level {
    name: String,
    /// As it was told last.
    told: bool,
    /// As it is.
    stands: bool,
    since: Moment,
}

/// Everything that is followed.
#[derive(Clone, Debug, Default)]
pub(super) struct Outages(BTreeMap<What, Level>);

impl Outages {
    /// Takes up what is so now, and returns what has been another for long enough.
    pub(super) fn observe(&mut self, now: Moment, seen: &Seen) -> Vec<Said> {
        self.0.retain(|what, level| match what {
            What::Relay => true,
            What::Path(call) => seen.paths.iter().any(|(of, _)| of == call),
            // One that is there and serves nothing any more was not lost; one that is away is told once.
            What::Device(flow, id) => {
                let is = |of: &&'static str, one: &String| of == flow && one == id;
                let serves = seen.serving.iter().any(|(of, one, _)| is(of, one));
                let there = seen.present.iter().any(|(of, one)| is(of, one));
                serves || !there && (level.told || level.stands)
            }
        });
        self.set(now, What::Relay, String::new(), false, seen.online);
        for (call, broken) in &seen.paths {
            self.set(now, What::Path(*call), String::new(), true, !broken);
        }
        for (flow, id, name) in &seen.serving {
            self.set(now, What::Device(flow, id.clone()), name.clone(), true, true);
        }
        for (what, level) in &mut self.0 {
            if let What::Device(flow, id) = what
                && level.stands
                && !seen.present.iter().any(|(of, one)| of == flow && one == id)
            {
                (level.stands, level.since) = (false, now);
            }
        }
        let mut said = Vec::new();
        for (what, level) in &mut self.0 {
            if level.told == level.stands || now.since(level.since) < what.patience() {
                continue;
            }
            level.told = level.stands;
            let (kind, call) = match (what, level.stands) {
                (What::Relay, true) => ("relay.up", None),
                (What::Relay, false) => ("relay.down", None),
                (What::Path(call), true) => ("path.restored", Some(*call)),
                (What::Path(call), false) => ("path.lost", Some(*call)),
                // It came back, and was told to be lost before: there is no word for that.
                (What::Device(..), true) => continue,
                (What::Device(..), false) => ("device.lost", None),
            };
            let name = matches!(what, What::Device(..)).then(|| level.name.clone());
            said.push(Said { kind, call, name });
        }
        said
    }

    /// When there may be something to tell.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let waiting = self.0.iter().filter(|(_, level)| level.told != level.stands);
        waiting.map(|(what, level)| level.since + what.patience()).min()
    }

    /// `told`: what is taken for known of one that is new.
    fn set(&mut self, now: Moment, what: What, name: String, told: bool, stands: bool) {
        let level =
            self.0.entry(what).or_insert(Level { name: String::new(), told, stands: told, since: now });
        level.name = name;
        if level.stands != stands {
            (level.stands, level.since) = (stands, now);
        }
    }
}

impl What {
    fn patience(&self) -> Duration {
        match self {
            Self::Path(_) => PATH,
            Self::Relay | Self::Device(..) => OTHERS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallId = CallId::from_bytes([1; 16]);

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + 1_000 * ms)
    }

    fn kinds(said: &[Said]) -> Vec<&'static str> {
        said.iter().map(|said| said.kind).collect()
    }

    #[test]
    fn a_relay_that_flaps_tells_nothing_and_one_that_stays_away_is_told_once() {
        let mut outages = Outages::default();
        let online = |online| Seen { online, ..Seen::default() };
        assert!(outages.observe(at(0), &online(true)).is_empty());
        assert_eq!(outages.deadline(), Some(at(2_000)));
        assert_eq!(kinds(&outages.observe(at(2_000), &online(true))), ["relay.up"]);
        for n in 0..10 {
            assert!(outages.observe(at(3_000 + 100 * n), &online(n % 2 == 1)).is_empty());
        }
        assert_eq!(outages.deadline(), None, "it is as it was told");
        outages.observe(at(5_000), &online(false));
        assert!(outages.observe(at(6_999), &online(false)).is_empty());
        assert_eq!(kinds(&outages.observe(at(7_000), &online(false))), ["relay.down"]);
        assert!(outages.observe(at(9_000), &online(false)).is_empty());
    }

    #[test]
    fn a_path_is_lost_after_a_second_restored_after_one_and_forgotten_with_its_call() {
        let mut outages = Outages::default();
        let path = |broken| Seen { paths: vec![(CALL, broken)], ..Seen::default() };
        outages.observe(at(0), &path(false));
        outages.observe(at(100), &path(true));
        outages.observe(at(900), &path(false));
        assert!(outages.observe(at(5_000), &path(false)).is_empty(), "mended at once: nobody noticed");
        outages.observe(at(5_000), &path(true));
        let said = outages.observe(at(6_000), &path(true));
        assert_eq!((kinds(&said), said[0].call), (vec!["path.lost"], Some(CALL)));
        outages.observe(at(7_000), &path(false));
        assert_eq!(kinds(&outages.observe(at(8_000), &path(false))), ["path.restored"]);
        outages.observe(at(9_000), &path(true));
        outages.observe(at(9_100), &Seen::default());
        assert_eq!(outages.deadline(), None, "the end of the call tells the rest");
    }

    #[test]
    fn a_device_in_use_that_goes_is_told_by_its_name_and_one_that_is_not_used_is_not() {
        let mut outages = Outages::default();
        let with = |serving: &[&str], present: &[&str]| Seen {
            serving: serving.iter().map(|id| ("input", (*id).to_owned(), format!("The {id}"))).collect(),
            present: present.iter().map(|id| ("input", (*id).to_owned())).collect(),
            ..Seen::default()
        };
        outages.observe(at(0), &with(&["usb"], &["usb", "inner"]));
        outages.observe(at(1_000), &with(&["inner"], &["inner"]));
        let said = outages.observe(at(3_000), &with(&["inner"], &["inner"]));
        assert_eq!((kinds(&said), said[0].name.as_deref()), (vec!["device.lost"], Some("The usb")));
        assert!(outages.observe(at(9_000), &with(&["inner"], &["inner"])).is_empty(), "once");
        outages.observe(at(10_000), &with(&["usb"], &["usb", "inner"]));
        outages.observe(at(11_000), &with(&["inner"], &["usb", "inner"]));
        let told = outages.observe(at(20_000), &with(&["inner"], &["usb", "inner"]));
        assert!(told.is_empty(), "another was chosen");
        outages.observe(at(21_000), &with(&["inner"], &["inner"]));
        assert!(outages.observe(at(30_000), &with(&["inner"], &["inner"])).is_empty(), "nobody used it");
    }
}
