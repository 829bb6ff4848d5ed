//! `ahoyctl call`.
//!
//! Lives here: dialing, and following the call to its end.
//! Must not: decide when it is over; the daemon says so.

use ahoy_dbus::types::{Reason, State};
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::print::Form;
use crate::wait::Follower;
use crate::world::{Call, options};

/// Call somebody, or several at once
#[derive(Debug, clap::Args)]
#[command(after_help = "With --wait the exit code is how the call ended: 0 completed or canceled by you,
3 no answer, 6 declined, 7 busy, 9 unavailable or lost, 11 no sound, 12 answered
elsewhere, 1 others. Ctrl-C leaves the call alone.
Example: ahoyctl call ana --wait --note 'about lunch'")]
pub(crate) struct Args {
    /// Contact or group, by name, id, address or a beginning, or history:ID; several ring at once
    #[arg(add = crate::complete::contacts(), required = true, value_name = "TARGET")]
    targets: Vec<String>,
    /// Follow the call until it has ended, or until sound flows
    #[arg(long, value_name = "UNTIL", num_args = 0..=1, require_equals = true, default_missing_value = "ended", value_enum)]
    wait: Option<Until>,
    /// How long it rings, in seconds
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(10..=180))]
    lifetime: Option<u32>,
    /// A short text, shown there while it rings
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Do not hold the call you are in; fail as busy while there is one
    #[arg(long)]
    no_hold: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Until {
    Active,
    Ended,
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let options = options([
        ("lifetime", args.lifetime.map(Variant::from)),
        ("hold-others", args.no_hold.then(|| false.into())),
        ("note", args.note.map(Variant::from)),
    ])?;
    let mut follower = Follower::subscribe(&desk.bus).await?;
    let manager = desk.bus.manager().await?;
    let path = match &args.targets[..] {
        [one] => ask(manager.dial(one, &options)).await?,
        several => {
            let targets: Vec<&str> = several.iter().map(String::as_str).collect();
            ask(manager.start_group(&targets, &options)).await?
        }
    };
    let Some(until) = args.wait else {
        desk.show_effect(path.as_str()).await?;
        return Ok(Exit::Ok);
    };
    follower.refresh().await?;
    let mut shown = None;
    let stream = desk.out.form != Form::Json;
    let call = follower
        .call_until(
            path.as_str(),
            |state| until == Until::Active && *state == State::Active,
            |call| {
                if stream && shown.replace(call.state()) != Some(call.state()) {
                    desk.show_call(call)
                } else {
                    Ok(())
                }
            },
        )
        .await?;
    if !stream {
        desk.show_call(&call)?;
    }
    if call.is_over() && call.reason() == Reason::Unavailable {
        desk.out.hint(if both_tell(desk, &call).await {
            "They are not reachable now."
        } else {
            "They are not there, or do not have your card: `ahoyctl account card` writes it."
        });
    }
    Ok(exit(&call, until))
}

/// Whether the two let each other see whether they can be reached: silence then means that they cannot.
async fn both_tell(desk: &Desk, call: &Call) -> bool {
    let row = pick::contact(&desk.bus, call.props.text("Contact")).await;
    row.is_ok_and(|row| row.flag("ping") && row.flag("ping-there"))
}

/// The exit code of a call that is over, or active when that was waited for.
fn exit(call: &Call, until: Until) -> Exit {
    if !call.is_over() {
        return Exit::Ok;
    }
    match (Exit::of_reason(&call.reason()), until) {
        // It never became active.
        (Exit::Ok, Until::Active) => Exit::NoCall,
        (exit, Until::Active | Until::Ended) => exit,
    }
}
