//! Calls of every kind, each led from the dialing to its end as people would.
//!
//! Lives here: the kinds, what leads through each, and the reasons that each ends with.
//! Must not: do anything to the world but by the people's verbs; judge an end.

use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use anyhow::Context as _;

use super::town::{Person, Town};
use super::{pause, within};

/// What a state may take; a broken path that is mended lies within it.
const SOON: Duration = Duration::from_secs(30);
/// The shortest time that a call may ring, in seconds.
const SHORT: u32 = 10;
/// How long they talk.
const TALK: Duration = Duration::from_millis(1_500);

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Answered, and hung up by one of them.
    Answered,
    /// Declined.
    Declined,
    /// Nobody answers.
    Missed,
    /// The caller hangs up while it rings.
    Canceled,
    /// A third person's call waits, is answered, and the first one is taken up again.
    Waiting,
    /// A third person is told that the line is busy.
    Busy,
    /// Put aside by each, and resumed.
    Held,
    /// Muted by each.
    Muted,
    /// Both dial at the same time.
    Glare,
    /// Muted and put aside while the path is mended; a third person's call waits meanwhile.
    Repair,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Answered,
        Self::Declined,
        Self::Missed,
        Self::Canceled,
        Self::Waiting,
        Self::Busy,
        Self::Held,
        Self::Muted,
        Self::Glare,
        Self::Repair,
    ];
}

/// One side of a call that has been begun.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) who: usize,
    pub(super) path: String,
    pub(super) expected: &'static [&'static str],
}

/// The calls of one story: what was begun, even if the story broke off.
#[derive(Clone, Debug, Default)]
pub(super) struct Begun {
    pub(super) sides: Vec<Side>,
    pub(super) calls: usize,
}

const COMPLETED: &[&str] = &["completed"];

/// Ana calls Ben, whoever they are; a third is at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cast {
    pub(super) ana: usize,
    pub(super) ben: usize,
    pub(super) third: usize,
}

/// Leads through a call of that kind.
pub(super) async fn lead(town: &mut Town, kind: Kind, cast: Cast, begun: &mut Begun) -> anyhow::Result<()> {
    let Cast { ana, ben, third } = cast;
    match kind {
        Kind::Declined => {
            let path = begin(town, ana, ben, begun, [&["declined"], &["declined"]], "incoming").await?;
            steer(town, ben, &path).await?.decline("declined", &Dict::new()).await?;
        }
        Kind::Missed => {
            let path = begin(town, ana, ben, begun, [&["no-answer"], &["missed"]], "incoming").await?;
            until(&town.people[ana], &path, "disconnected").await?;
        }
        Kind::Canceled => {
            let path =
                begin(town, ana, ben, begun, [&["canceled"], &["canceled", "missed"]], "incoming").await?;
            steer(town, ana, &path).await?.hangup(&Dict::new()).await?;
        }
        Kind::Answered => {
            let path = talk(town, ana, ben, begun).await?;
            hang_up(town, ben, &path).await?;
        }
        Kind::Muted => {
            let path = talk(town, ana, ben, begun).await?;
            for (one, other) in [(ana, ben), (ben, ana)] {
                for muted in [true, false] {
                    steer(town, one, &path).await?.set_muted(muted, &Dict::new()).await?;
                    town.people[other].desk.until_flag(&path, "RemoteMuted", muted, SOON).await?;
                }
            }
            hang_up(town, ana, &path).await?;
        }
        Kind::Held => {
            let path = talk(town, ana, ben, begun).await?;
            for (one, other) in [(ana, ben), (ben, ana)] {
                steer(town, one, &path).await?.hold(&Dict::new()).await?;
                town.people[other].desk.until_flag(&path, "RemoteHold", true, SOON).await?;
                steer(town, one, &path).await?.resume(&Dict::new()).await?;
                town.people[other].desk.until_flag(&path, "RemoteHold", false, SOON).await?;
            }
            hang_up(town, ana, &path).await?;
        }
        Kind::Waiting => {
            let first = talk(town, ana, ben, begun).await?;
            let second = begin(town, third, ben, begun, [COMPLETED, COMPLETED], "waiting").await?;
            steer(town, ben, &second).await?.answer(&Dict::new()).await?;
            until(&town.people[third], &second, "active").await?;
            town.people[ana].desk.until_flag(&first, "RemoteHold", true, SOON).await?;
            hang_up(town, third, &second).await?;
            steer(town, ben, &first).await?.resume(&Dict::new()).await?;
            town.people[ana].desk.until_flag(&first, "RemoteHold", false, SOON).await?;
            hang_up(town, ben, &first).await?;
        }
        Kind::Busy => {
            let first = talk(town, ana, ben, begun).await?;
            let words: [&[&str]; 2] = [&["busy"], &["busy", "declined"]];
            let second = begin(town, third, ben, begun, words, "waiting").await?;
            steer(town, ben, &second).await?.decline("busy", &Dict::new()).await?;
            until(&town.people[third], &second, "disconnected").await?;
            hang_up(town, ana, &first).await?;
        }
        Kind::Glare => {
            let (theirs, ours) = (town.people[ben].record.position(), town.people[ana].record.position());
            let (one, other) = tokio::join!(dial(town, ana, ben), dial(town, ben, ana));
            begun.calls += 1;
            for (who, path) in [(ana, one), (ben, other)] {
                let path = path?;
                begun.sides.push(Side { who, path, expected: COMPLETED });
            }
            for (who, from) in [(ana, ours), (ben, theirs)] {
                let record = &town.people[who].record;
                within(SOON, record.until_state(from, "active")).await.context("glare: active")?;
            }
            pause(TALK).await;
            manager(town, ana).await?.hangup_all(&Dict::new()).await?;
        }
        Kind::Repair => {
            let path = talk(town, ana, ben, begun).await?;
            town.cut_sound()?;
            let repaired = in_repair(town, cast, &path, begun).await;
            town.mend_sound()?;
            let second = repaired?;
            for who in [ana, ben] {
                until_now(town, who, &path, &["active", "held"]).await?;
            }
            steer(town, ana, &path).await?.resume(&Dict::new()).await?;
            steer(town, third, &second).await?.hangup(&Dict::new()).await?;
            town.people[ben].desk.until_flag(&path, "RemoteHold", false, SOON).await?;
            hang_up(town, ana, &path).await?;
        }
    }
    Ok(())
}

/// The path is broken: one mutes and holds, a third calls.
async fn in_repair(town: &Town, cast: Cast, path: &str, begun: &mut Begun) -> anyhow::Result<String> {
    let Cast { ana, ben, third } = cast;
    until_now(town, ana, path, &["reconnecting"]).await?;
    steer(town, ana, path).await?.set_muted(true, &Dict::new()).await?;
    steer(town, ana, path).await?.set_muted(false, &Dict::new()).await?;
    steer(town, ana, path).await?.hold(&Dict::new()).await?;
    begin(town, third, ben, begun, [&["canceled"], &["canceled", "missed"]], "waiting").await
}

/// They talk; the path of the call, which is the same for both.
pub(super) async fn talk(town: &Town, ana: usize, ben: usize, begun: &mut Begun) -> anyhow::Result<String> {
    let path = begin(town, ana, ben, begun, [COMPLETED, COMPLETED], "incoming").await?;
    steer(town, ben, &path).await?.answer(&Dict::new()).await?;
    for who in [ana, ben] {
        until(&town.people[who], &path, "active").await?;
    }
    pause(TALK).await;
    Ok(path)
}

/// A call that comes to this state at the other's.
async fn begin(
    town: &Town,
    from: usize,
    to: usize,
    begun: &mut Begun,
    [caller, callee]: [&'static [&'static str]; 2],
    state: &'static str,
) -> anyhow::Result<String> {
    begun.calls += 1;
    let path = dial(town, from, to).await?;
    begun.sides.push(Side { who: from, path: path.clone(), expected: caller });
    until(&town.people[to], &path, state).await?;
    begun.sides.push(Side { who: to, path: path.clone(), expected: callee });
    Ok(path)
}

async fn dial(town: &Town, from: usize, to: usize) -> anyhow::Result<String> {
    let options = Dict::from([("lifetime".to_owned(), SHORT.into())]);
    let path = manager(town, from).await?.dial(&town.people[to].desk.name, &options).await;
    Ok(path.context("dialing")?.to_string())
}

async fn manager(town: &Town, who: usize) -> anyhow::Result<proxy::ManagerProxy<'static>> {
    Ok(proxy::ManagerProxy::new(&town.people[who].desk.bus().await?).await?)
}

async fn steer(town: &Town, who: usize, path: &str) -> anyhow::Result<proxy::CallProxy<'static>> {
    town.people[who].desk.steer(path).await
}

async fn hang_up(town: &Town, who: usize, path: &str) -> anyhow::Result<()> {
    Ok(steer(town, who, path).await?.hangup(&Dict::new()).await?)
}

/// That call has been, or comes to be, in that state.
async fn until(person: &Person, path: &str, state: &str) -> anyhow::Result<()> {
    let waiting = within(SOON, person.record.until_call(0, path, state)).await;
    waiting.map(drop).with_context(|| format!("{} of {}", state, person.desk.name))
}

/// That call is in one of those states as the bus shows it now.
pub(super) async fn until_now(town: &Town, who: usize, path: &str, states: &[&str]) -> anyhow::Result<()> {
    let fits = |row: &Dict| states.contains(&crate::lab::text(row, "State"));
    town.people[who].desk.until_call(path, SOON, fits).await.map(drop)
}

/// Ends whatever is left of anybody's calls.
pub(super) async fn end_all(town: &Town) -> anyhow::Result<()> {
    for who in 0..town.people.len() {
        let over = async { Ok(manager(town, who).await?.hangup_all(&Dict::new()).await?) };
        within(SOON, over).await?;
    }
    Ok(())
}

/// Why a call is over for one of its people; `None` if it does not end.
pub(super) async fn end_of(town: &Town, side: &Side) -> Option<String> {
    within(SOON, town.people[side.who].record.until_call(0, &side.path, "disconnected")).await.ok()
}
