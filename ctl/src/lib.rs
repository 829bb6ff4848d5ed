//! ahoyctl: the command line of ahoy, a client of the bus like any other.
//!
//! Lives here: parsing, connecting, choosing the command, the exit code.
//! Must not: know more than the bus tells; read the daemon's files.

mod bar;
mod bus;
pub mod clean;
mod cmd;
mod complain;
mod complete;
mod draft;
mod fault;
mod pick;
mod print;
mod qr;
mod secret;
mod template;
mod time;
mod tone;
mod wait;
mod world;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::bus::Bus;
use crate::cmd::{Desk, Which};
use crate::fault::{Exit, Fault};
use crate::print::{FormArgs, Printer};

/// Make and steer calls with ahoy
#[derive(Debug, Parser)]
#[command(
    name = "ahoyctl",
    version,
    term_width = 80,
    disable_help_subcommand = true,
    help_template = "{about}\n\n{usage-heading} {usage}{after-help}",
    // By hand, to fit a screen; a test sees that no command is left out.
    after_help = "Calls      call answer decline silence hangup hold resume swap mute dtmf
           list show wait test-call
Groups     group invite join merge remove volume
To watch   status doctor stats watch events history logs version
People     pair open contact ping account
Settings   dnd device config hook completions

Each tells more with --help, and gives an example. A call need not be named if
only one fits; else its id, the other's name, or a beginning of one will do.
In a pipe: tabs, and no heads; or take --json, --jsonl, --format.
Exit codes: 0 ok, 1 error, 2 usage or ambiguous, 3 timeout, 4 not registered,
5 no call in that state, 6 declined, 7 busy, 8 ahoyd not running, 9 unreachable,
10 no such thing, 11 no device, 12 handled by another.
Example: ahoyctl call ana --wait"
)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    form: FormArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Call(cmd::call::Args),
    Answer(cmd::answer::AnswerArgs),
    Decline(cmd::answer::DeclineArgs),
    /// Stop the ringing here; theirs goes on, and you can still answer
    #[command(after_help = "Example: ahoyctl silence")]
    Silence(Which),
    Hangup(cmd::hangup::Args),
    Group(cmd::groups::Args),
    Invite(cmd::group::InviteArgs),
    /// Enter a group call that runs without you; one that you talk in is held for it
    #[command(after_help = "Example: ahoyctl join")]
    Join(Which),
    Merge(cmd::group::MergeArgs),
    Remove(cmd::group::RemoveArgs),
    Volume(cmd::group::VolumeArgs),
    /// Put the call aside: neither hears the other
    #[command(after_help = "Example: ahoyctl hold && ahoyctl call ben")]
    Hold(Which),
    /// Take a held call up again; another that you talk in is held for it
    #[command(after_help = "Example: ahoyctl resume ana")]
    Resume(Which),
    /// Change between the call you talk in and the one you hold
    #[command(after_help = "Example: ahoyctl swap")]
    Swap,
    TestCall(cmd::test_call::Args),
    Mute(cmd::mute::Args),
    Dtmf(cmd::dtmf::Args),
    Dnd(cmd::dnd::Args),
    Status(cmd::status::Args),
    Doctor(cmd::doctor::Args),
    List(cmd::show::ListArgs),
    /// Show all about one call
    #[command(after_help = "Example: ahoyctl show ana --json")]
    Show(Which),
    Stats(cmd::stats::Args),
    Watch(cmd::watch::Args),
    Events(cmd::events::Args),
    Wait(cmd::wait::Args),
    History(cmd::history::Args),
    Contact(cmd::contact::Args),
    Pair(cmd::pair::Args),
    Open(cmd::open::Args),
    Ping(cmd::ping::Args),
    Device(cmd::device::Args),
    Account(cmd::account::Args),
    Config(cmd::config::Args),
    Hook(cmd::hook::Args),
    Logs(cmd::logs::Args),
    Completions(cmd::completions::Args),
    Version(cmd::version::Args),
}

/// The whole command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Args::command()
}

/// The script by which a shell (`bash`, `zsh`, `fish`) completes our command lines.
#[must_use]
pub fn completion_script(shell: &str) -> Option<Vec<u8>> {
    complete::script(shell)
}

/// Answers a shell that asks for completions, and ends the program then. To be called before any runtime and thread is there.
pub fn answer_the_shell() {
    complete::answer_the_shell::<Args>();
}

/// The program: reads its arguments, runs the command, tells how it ended.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    let args = Args::parse();
    let exit = match run(args.command, Printer::new(args.form)).await {
        Ok(exit) => exit,
        Err(fault) => {
            if !fault.sentence.is_empty() {
                complain::complain(&format!("ahoyctl: {}", fault.sentence));
            }
            fault.exit
        }
    };
    ExitCode::from(exit as u8)
}

async fn run(command: Option<Command>, out: Printer) -> Result<Exit, Fault> {
    let Some(command) = command else { return cmd::first::run(out).await };
    // These need no bus.
    if let Command::Logs(args) = &command {
        return cmd::logs::run(args, out.is_json());
    }
    if let Command::Completions(args) = &command {
        return cmd::completions::run(args);
    }
    // And this must work where the configuration keeps the daemon from starting.
    if let Command::Config(args) = command {
        return cmd::config::run(out, args).await;
    }
    // And this where nothing else works.
    if let Command::Doctor(_) = command {
        return cmd::doctor::run(out).await;
    }
    let desk = Desk { bus: Bus::connect().await?, out };
    match command {
        Command::Call(args) => cmd::call::run(&desk, args).await,
        Command::Answer(args) => cmd::answer::answer(&desk, args).await,
        Command::Decline(args) => cmd::answer::decline(&desk, args).await,
        Command::Silence(which) => cmd::hold::silence(&desk, which).await,
        Command::Hangup(args) => cmd::hangup::run(&desk, args).await,
        Command::Group(args) => cmd::groups::run(&desk, args).await,
        Command::Invite(args) => cmd::group::invite(&desk, args).await,
        Command::Join(which) => cmd::group::join(&desk, which).await,
        Command::Merge(args) => cmd::group::merge(&desk, args).await,
        Command::Remove(args) => cmd::group::remove(&desk, args).await,
        Command::Volume(args) => cmd::group::volume(&desk, args).await,
        Command::Hold(which) => cmd::hold::hold(&desk, which).await,
        Command::Resume(which) => cmd::hold::resume(&desk, which).await,
        Command::Swap => cmd::hold::swap(&desk).await,
        Command::Mute(args) => cmd::mute::run(&desk, args).await,
        Command::TestCall(args) => cmd::test_call::run(&desk, args).await,
        Command::Dtmf(args) => cmd::dtmf::run(&desk, args).await,
        Command::Dnd(args) => cmd::dnd::run(&desk, args).await,
        Command::Status(_) => cmd::status::run(&desk).await,
        Command::Doctor(_) => cmd::doctor::run(desk.out).await,
        Command::List(_) => cmd::show::list(&desk).await,
        Command::Show(which) => cmd::show::show(&desk, which).await,
        Command::Stats(args) => cmd::stats::run(&desk, args).await,
        Command::Watch(args) => cmd::watch::run(&desk, &args).await,
        Command::Events(args) => cmd::events::run(&desk, args).await,
        Command::Wait(args) => cmd::wait::run(&desk, args).await,
        Command::History(args) => cmd::history::run(&desk, args).await,
        Command::Contact(args) => cmd::contact::run(&desk, args).await,
        Command::Pair(args) => cmd::pair::run(&desk, args).await,
        Command::Open(args) => cmd::open::run(&desk, args).await,
        Command::Ping(args) => cmd::ping::run(&desk, args).await,
        Command::Device(args) => cmd::device::run(&desk, args).await,
        Command::Account(args) => cmd::account::run(&desk, args).await,
        Command::Config(args) => cmd::config::run(desk.out, args).await,
        Command::Hook(args) => cmd::hook::run(&desk, args).await,
        Command::Logs(args) => cmd::logs::run(&args, desk.out.is_json()),
        Command::Completions(args) => cmd::completions::run(&args),
        Command::Version(_) => cmd::version::run(&desk).await,
    }
}
