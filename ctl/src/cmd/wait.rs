//! `ahoyctl wait`.
//!
//! Lives here: waiting for a state of a call, or for peace.
//! Must not: start the daemon.

use std::time::Duration;

use ahoy_dbus::types::State;
use serde_json::json;

use super::Desk;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::wait::{Follower, Next};
use crate::world::World;

/// Wait until a call is in a state, or until there is no call
#[derive(Debug, clap::Args)]
#[command(after_help = "Without CALL: any call. If the call ends while another state is waited for, the
exit code is its end reason (see `call --help`), or 5.
Example: ahoyctl wait --state incoming --timeout 60 && ahoyctl answer")]
pub(crate) struct Args {
    /// Which call: its id or the peer's name, or a beginning of it
    #[arg(add = crate::complete::calls())]
    call: Option<String>,
    /// idle, dialing, alerting, incoming, waiting, connecting, active, held,
    /// reconnecting or disconnected [default: idle, with CALL disconnected]
    #[arg(long, value_parser = known)]
    state: Option<State>,
    /// Give up after so many seconds, with exit code 3
    #[arg(long, value_name = "S", value_parser = seconds)]
    timeout: Option<Duration>,
}

fn known(word: &str) -> Result<State, String> {
    if State::WORDS.contains(&word) {
        Ok(State::from(word))
    } else {
        Err(format!("the states are {}", State::WORDS.join(", ")))
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "seconds, such as 60 or 0.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    let Some(limit) = args.timeout else { return wait(desk, args).await };
    match tokio::time::timeout(limit, wait(desk, args)).await {
        Ok(ended) => ended,
        Err(_) => {
            Err(Fault::new(Exit::Timeout, format!("It was not so within {} seconds.", limit.as_secs_f64())))
        }
    }
}

async fn wait(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    let mut follower = Follower::subscribe(&desk.bus).await?;
    follower.refresh().await?;
    match &args.call {
        Some(named) => one(desk, &mut follower, named, args.state.unwrap_or(State::Disconnected)).await,
        None => any(desk, &mut follower, &args.state.unwrap_or(State::Idle)).await,
    }
}

async fn one(desk: &Desk, follower: &mut Follower, named: &str, wanted: State) -> Result<Exit, Fault> {
    let call = pick::call(&follower.world, Some(named), |_| true, "")?;
    let call = follower.call_until(&call.path, |state| *state == wanted, |_| Ok(())).await?;
    desk.show_call(&call)?;
    if call.state() == wanted {
        return Ok(Exit::Ok);
    }
    let exit = Exit::of_reason(&call.reason());
    Ok(if exit == Exit::Ok { Exit::NoCall } else { exit })
}

async fn any(desk: &Desk, follower: &mut Follower, wanted: &State) -> Result<Exit, Fault> {
    loop {
        if *wanted == State::Idle {
            if is_idle(&follower.world) {
                if desk.out.is_json() {
                    desk.out.object(json!({"state": "idle"}))?;
                }
                return Ok(Exit::Ok);
            }
        } else if let Some(call) = follower.world.calls().iter().find(|call| call.state() == *wanted) {
            desk.show_call(call)?;
            return Ok(Exit::Ok);
        }
        match follower.next().await? {
            Next::Change(_) => {}
            Next::Gone | Next::Here => return Err(Fault::not_running()),
        }
    }
}

fn is_idle(world: &World) -> bool {
    world.calls().iter().all(crate::world::Call::is_over)
}
