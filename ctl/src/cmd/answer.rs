//! `ahoyctl answer` and `ahoyctl decline`.
//!
//! Lives here: the two verbs on a call that rings here.
//! Must not: judge whether the call may be answered, but to find the one that is meant.

use ahoy_dbus::{Dict, types};
use zbus::Variant;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::print::FormArgs;

/// Answer the call that rings
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl answer")]
pub(crate) struct AnswerArgs {
    /// Which call, if several ring: its id or the peer's name, or a beginning of it
    #[arg(add = crate::complete::calls())]
    call: Option<String>,
    /// Hang up the call you talk in; without it that one is held
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Decline the call that rings
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ahoyctl decline --reason later --message 'in ten minutes'")]
pub(crate) struct DeclineArgs {
    /// Which call, if several ring: its id or the peer's name, or a beginning of it
    #[arg(add = crate::complete::calls())]
    call: Option<String>,
    /// The word that they hear
    #[arg(long, default_value = "declined", value_parser = ["declined", "busy", "later"])]
    reason: String,
    /// A short text for them
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Stop the ringing of this device alone
    #[arg(long)]
    only_here: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Runs `answer`.
pub(crate) async fn answer(desk: &Desk, args: AnswerArgs) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let fits = |call: &crate::world::Call| call.props.flag("CanAnswer");
    let call = pick::call(&world, args.call.as_deref(), fits, "No call rings here.")?;
    let mut options = Dict::new();
    if args.release {
        options.insert("hold-others".to_owned(), false.into());
    }
    ask(desk.bus.call(&call.path).await?.answer(&options)).await?;
    desk.show_effect(&call.path).await?;
    Ok(Exit::Ok)
}

/// Runs `decline`.
pub(crate) async fn decline(desk: &Desk, args: DeclineArgs) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let fits = |call: &crate::world::Call| call.props.flag("CanDecline");
    let call = pick::call(&world, args.call.as_deref(), fits, "No call rings here.")?;
    let mut options = Dict::new();
    if let Some(message) = args.message {
        options.insert("message".to_owned(), Variant::from(message).try_into()?);
    }
    if args.only_here {
        let scope = types::Scope::ThisDevice.as_str().to_owned();
        options.insert("scope".to_owned(), Variant::from(scope).try_into()?);
    }
    ask(desk.bus.call(&call.path).await?.decline(&args.reason, &options)).await?;
    desk.show_effect(&call.path).await?;
    Ok(Exit::Ok)
}
