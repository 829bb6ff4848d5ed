//! `ahoyctl answer` and `ahoyctl decline`.
//!
//! Lives here: the two verbs on a call that rings here.
//! Must not: judge whether the call may be answered, but to find the one that is meant.

use ahoy_dbus::proxy::CallProxy;
use ahoy_dbus::types;
use zbus::Variant;

use super::{Desk, Which};
use crate::fault::{Exit, Fault};
use crate::world::{Props, options};

/// Answer the call that rings
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl answer")]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    which: Which,
    /// Hang up the call you talk in; without it that one is held
    #[arg(long)]
    release: bool,
}

/// Decline the call that rings
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl decline --reason later --message 'in ten minutes'")]
pub(crate) struct DeclineArgs {
    #[command(flatten)]
    which: Which,
    /// The word that they hear
    #[arg(long, default_value = "declined", value_parser = ["declined", "busy", "later"])]
    reason: String,
    /// A short text for them
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Stop the ringing of this device alone
    #[arg(long)]
    only_here: bool,
}

/// Runs `answer`.
pub(crate) async fn answer(desk: &Desk, args: AnswerArgs) -> Result<Exit, Fault> {
    let options = options([("hold-others", args.release.then(|| false.into()))])?;
    let fits = |call: &Props| call.flag("CanAnswer");
    desk.act(args.which, fits, "No call rings here.", async |call| call.answer(&options).await).await
}

/// Runs `decline`.
pub(crate) async fn decline(desk: &Desk, args: DeclineArgs) -> Result<Exit, Fault> {
    let scope = args.only_here.then(|| types::Scope::ThisDevice.to_string().into());
    let options = options([("message", args.message.map(Variant::from)), ("scope", scope)])?;
    let fits = |call: &Props| call.flag("CanDecline");
    let verb = async |call: CallProxy<'static>| call.decline(&args.reason, &options).await;
    desk.act(args.which, fits, "No call rings here.", verb).await
}
