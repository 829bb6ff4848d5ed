//! `ahoy-relay`, the program.
//!
//! Lives here: options, the one line on standard output, the end by signal.
//! Must not: hold anything that a test of the library could not reach.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use ahoy_relay::cli::{Command, Options};
use ahoy_relay::config::Config;
use ahoy_relay::serve::{self, Server, Settings, Timing};
use ahoy_relay::sign_list;
use anyhow::{Context as _, Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Where it listens if nobody says.
const USUAL: &str = "127.0.0.1:8790";

/// One thread: what a client is answered then always leaves before the look-up that follows it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            let _gone = writeln!(std::io::stderr(), "ahoy-relay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    if let Some(Command::SignList(wanted)) = options.command {
        let printed = sign_list::run(&wanted)?;
        return write!(std::io::stdout(), "{printed}").context("writing to standard output");
    }
    let filter = EnvFilter::builder().parse("info").context("setting up the log")?;
    // Colours are for a terminal; in a file or a journal they are letters that nobody wants.
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(ansi).with_env_filter(filter).init();
    let config = match &options.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    let files = match (options.tls_cert, options.tls_key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => config.tls.clone().map(|tls| (tls.cert, tls.key)),
        (Some(_), None) | (None, Some(_)) => bail!("--tls-cert and --tls-key come together"),
    };
    let tls = files.map(|(cert, key)| serve::tls(&cert, &key)).transpose()?;
    let listen = match options.listen.or(config.listen) {
        Some(listen) => listen,
        None => USUAL.parse().context("reading the usual address")?,
    };
    let settings = Settings {
        listen,
        tls,
        ice: config.ice()?,
        rooms: config.rooms()?,
        limits: config.limits,
        timing: Timing::default(),
    };
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let server = Server::bind(settings)?;
    #[expect(clippy::disallowed_methods, reason = "ends with the runtime")]
    drop(tokio::spawn(census()));
    writeln!(std::io::stdout(), "listening {}", server.url()).context("saying where")?;
    server
        .run(async {
            tokio::select! {
                _signal = terminate.recv() => {}
                _signal = interrupt.recv() => {}
            }
        })
        .await;
    Ok(())
}

/// Says how many tasks live when somebody asks with SIGUSR1: what connections leave behind would show there.
async fn census() {
    let Ok(mut asked) = signal(SignalKind::user_defined1()) else { return };
    while asked.recv().await.is_some() {
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        tracing::info!(of = "relay", tasks, "tasks that live");
    }
}
