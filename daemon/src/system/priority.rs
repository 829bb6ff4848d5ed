//! Priority for the threads that serve sound, so that a busy machine does not make a voice stutter.
//!
//! Lives here: who is asked for, when, and what came of it; the list of threads is `priority/roll.rs`, the asking `priority/rtkit.rs`.
//! Must not: hold up sound or the engine; know a call, a stream, or a sentence for a person.
//!
//! The shape: a thread enlists itself; `ask` when a call begins, `look` now and then while sound runs. `serve` then gives each new
//! thread real-time priority: by this user's own right (`limits.d`), else by RealtimeKit; where that is refused, high priority;
//! else the thread stays as it is. A refusal stands until the next call.

mod roll;
mod rtkit;

use std::sync::mpsc::sync_channel;

use tokio::sync::{Notify, oneshot, watch};

use self::roll::State;
pub use self::roll::{Enlisted, enlist};
use self::rtkit::RealtimeKit;
use super::level;

/// There may be something to do.
static NEWS: Notify = Notify::const_new();

/// Why there is no real-time priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody is there to give it.
    Absent,
    /// It was refused, or not answered in time.
    Refused,
}

/// What the threads of sound have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Real-time priority, or nobody has asked yet.
    #[default]
    RealTime,
    /// High priority.
    High(Why),
    /// None.
    Plain(Why),
    /// None any more: a thread ran away.
    RanAway,
}

/// A call begins: who was refused is asked for again.
pub fn ask() {
    roll::ask_again();
    NEWS.notify_one();
}

/// Whether real-time priority is given now: asked for as in a call, for a thread of no use that ends with the question.
pub async fn is_given() -> Result<(), Why> {
    let (named, name) = oneshot::channel();
    let (over, ends) = sync_channel::<()>(1);
    let idle = move || {
        // Who asks may be gone.
        let _gone = named.send(roll::own_number());
        let _over = ends.recv();
    };
    let begun = std::thread::Builder::new().name("priority".to_owned()).spawn(idle);
    let (Ok(_thread), Ok(thread)) = (begun, name.await) else { return Err(Why::Refused) };
    let given = async {
        if !roll::limit() {
            return Err(Why::Refused);
        }
        if roll::give(thread) {
            return Ok(());
        }
        RealtimeKit::connect().await?.make_real_time(u64::try_from(thread).unwrap_or(0)).await
    };
    let given = given.await;
    drop(over);
    given
}

/// Threads may have come since, or one may have run away. Costs nothing where not.
pub fn look(ran_away: &mut u32) {
    if roll::anybody_waits() || roll::ran_away() != *ran_away {
        *ran_away = roll::ran_away();
        NEWS.notify_one();
    }
}

/// Asks for whoever waits, each time that there is news, until nobody reads what came of it.
pub async fn serve(standing: watch::Sender<Standing>) {
    let mut ran_away = roll::ran_away();
    loop {
        tokio::select! {
            () = NEWS.notified() => {}
            () = standing.closed() => return,
        }
        if ran_away != roll::ran_away() {
            ran_away = roll::ran_away();
            tracing::warn!(
                "a thread of sound ran away and lost its real-time priority, with all others of sound"
            );
            level::set(&standing, Standing::RanAway);
        }
        let waiting = roll::waiting();
        if !waiting.is_empty() {
            level::set(&standing, promote(&waiting).await);
        }
    }
}

/// The worst of what they get. What one is refused the others are not asked for.
async fn promote(threads: &[i32]) -> Standing {
    let mut refused = None;
    if !roll::limit() {
        tracing::warn!("real-time priority without a limit would be dangerous: none is asked for");
        refused = Some(Why::Refused);
    }
    let mut asker = None;
    let mut worst = Standing::RealTime;
    for thread in threads {
        let (state, standing) = match refused {
            None if roll::give(*thread) => (State::RealTime, Standing::RealTime),
            why => {
                if asker.is_none() {
                    asker = Some(RealtimeKit::connect().await);
                }
                match &asker {
                    Some(Ok(kit)) => by(kit, *thread, why).await,
                    Some(Err(why)) => (State::Other, Standing::Plain(*why)),
                    None => (State::Other, Standing::Plain(Why::Absent)),
                }
            }
        };
        roll::settle(*thread, state);
        tracing::debug!(thread, ?standing, "priority of sound");
        match standing {
            Standing::RealTime => {}
            Standing::High(why) | Standing::Plain(why) => {
                refused = Some(why);
                worst = standing;
            }
            Standing::RanAway => worst = standing,
        }
    }
    worst
}

/// By RealtimeKit; real-time is not asked for where it was refused just now.
async fn by(kit: &RealtimeKit, thread: i32, refused: Option<Why>) -> (State, Standing) {
    let number = u64::try_from(thread).unwrap_or(0);
    let real_time = match refused {
        None => kit.make_real_time(number).await,
        Some(why) => Err(why),
    };
    match real_time {
        Ok(()) => (State::RealTime, Standing::RealTime),
        Err(Why::Absent) => (State::Other, Standing::Plain(Why::Absent)),
        Err(Why::Refused) => match kit.make_high(number).await {
            Ok(()) => (State::Other, Standing::High(Why::Refused)),
            Err(_refused_too) => (State::Other, Standing::Plain(Why::Refused)),
        },
    }
}
