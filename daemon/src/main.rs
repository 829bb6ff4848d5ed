//! `ahoyd`: parse, build, wire, run, stop.
//!
//! Lives here: the only place that knows every part, and the exit codes.
//! Must not: decide or do anything that a part could.

use std::future::Future;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ahoyd::config::{Chosen, Config, ConfigError};
use ahoyd::contacts::Contacts;
use ahoyd::engine::shown::Shown;
use ahoyd::engine::{self, Ended, Engine, Files, Inbox, Ports};
use ahoyd::system::cli::Arguments;
use ahoyd::system::lock::{LockError, StateLock};
use ahoyd::system::paths::Paths;
use ahoyd::system::store::Store;
use ahoyd::system::{census, clock, log, memory, ready};
use ahoyd::values::near::NearEnd;
use ahoyd::values::own::{Account, KeysNews};
use ahoyd::{
    account, bus, contacts, desktop, diagnosis, discovery, history, identity, media, neighbours, signal,
};
use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal as unix_signal};
use tokio::sync::{mpsc, watch};

/// EX_CONFIG of sysexits(3): the unit is not to try again what only a person can mend.
const WRONG_CONFIGURATION: u8 = 78;

/// How long one program in `hooks.d` may run.
const HOOK: Duration = Duration::from_secs(10);

/// How long a daemon that is just ending is waited for; it is given as long by its unit (`TimeoutStopSec`).
const PREDECESSOR: Duration = Duration::from_secs(5);

/// What a second daemon says before it ends well.
const SECOND: &str = "another ahoyd of this user runs already and goes on";

/// And what it says first, in case the other is about to end.
const WAITING: &str = "another ahoyd of this user runs: waiting up to 5 seconds for its end";

pub(crate) fn main() -> ExitCode {
    memory::keep_little();
    let arguments = Arguments::parse();
    keep_memory_private();
    if let Some(file) = &arguments.check_config {
        return check(file);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.context("starting the runtime").and_then(|runtime| {
        let outcome = runtime.block_on(run(arguments));
        // A port that hangs must not hold the process.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(Last::Over) => ExitCode::SUCCESS,
        Ok(Last::Anew) => {
            eprintln!("ahoyd: cannot begin anew: {}", begin_anew());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("ahoyd: {error:#}");
            if error.is::<ConfigError>() { ExitCode::from(WRONG_CONFIGURATION) } else { ExitCode::FAILURE }
        }
    }
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// With the process.
    Over,
    /// With another one in the same process: nothing in memory is left of an account that is no longer ours.
    Anew,
}

/// Runs this program once more, in the place of this one. Returns only if that fails.
fn begin_anew() -> std::io::Error {
    let program = std::env::current_exe().ok().filter(|program| program.exists());
    // The file may have been replaced by an update: the kernel still knows the one that runs.
    let program = program.unwrap_or_else(|| "/proc/self/exe".into());
    std::process::Command::new(program).args(std::env::args_os().skip(1)).exec()
}

/// Whether a file would be taken as the configuration, by the parser that takes it.
fn check(file: &Path) -> ExitCode {
    let told = Config::load(file).map_err(anyhow::Error::from).and_then(|config| {
        let settings: serde_json::Map<String, serde_json::Value> =
            config.listed().into_iter().map(|(key, value)| (key, value.json())).collect();
        writeln!(std::io::stdout(), "{}", serde_json::Value::Object(settings)).context("writing the settings")
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ahoyd: {error:#}");
            ExitCode::from(WRONG_CONFIGURATION)
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<Last> {
    let paths = Paths::find(arguments.config)?;
    let config = Config::load(&paths.config)?;
    log::begin(config.log.level);
    #[expect(clippy::disallowed_methods, reason = "ends with the runtime")]
    drop(tokio::spawn(census::answer("main")));

    let waiting = || {
        ready::status(WAITING);
        eprintln!("ahoyd: {WAITING}");
    };
    let _lock = match StateLock::take_within(&paths.lock(), PREDECESSOR, waiting).await {
        Ok(lock) => lock,
        Err(LockError::Taken) => return second(),
        Err(error) => return Err(error).context("locking the state directory"),
    };
    let settled = account::settle(&paths).context("settling what was decided about the account")?;
    if let Some(aside) = &settled.came {
        tracing::info!(kept = %aside.display(), "an imported account is in use; what was here before is kept aside");
    }
    if settled.left {
        tracing::info!("the account was taken off this machine");
    }
    // An imported account brings its settings.
    let config = if settled.came.is_some() { Config::load(&paths.config)? } else { config };
    let (name, keys) = (config.account.name.as_deref(), config.account.keys);
    let memory = discovery::Memory::read(&std::fs::read(paths.relays()).unwrap_or_default());
    let relays = engine::at_the_start(&config, &memory, clock::unix_us());
    let begun = identity::begin(&paths.identity(), name, &engine::urls(&relays), keys, None).await;
    let identity::Begun { own, trouble } = begun.context("loading the identity")?;
    let own = Arc::new(own);
    let (keys_out, keys_news) = watch::channel(KeysNews::Nothing);
    if let Some(trouble) = trouble {
        keys_out.send_replace(KeysNews::Missing(trouble));
    }
    if own.is_away() {
        let account = (!matches!(own.account, Account::Nobody)).then(|| engine::shown_id(&own));
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends when the keys are there, or with the process"
        )]
        drop(tokio::spawn(identity::follow(account, keys_out)));
    }
    let (store, store_thread) = Store::spawn().context("starting the store")?;
    let contacts = Contacts::open(&paths.contacts(), Arc::clone(&own), config.call.preconnect, store.clone())
        .context("opening the contacts")?;

    let (command_in, commands) = mpsc::channel(16);
    let (bus_orders, bus_in) = mpsc::channel(256);
    let (bus_out, bus_reports) = mpsc::channel(16);
    let (signal_orders, signal_in) = mpsc::channel(256);
    let (signal_out, signal_reports) = mpsc::channel(256);
    let (media_out, media_reports) = mpsc::channel(256);
    let (history_orders, history_in) = mpsc::channel(256);
    let (history_out, history_reports) = mpsc::channel(64);

    let (desktop_out, desktop_reports) = mpsc::channel(4);
    let (diagnosis_out, findings) = mpsc::channel(1);
    let (account_out, account_reports) = mpsc::channel(1);

    let shown = Shown::new(bus_orders, engine::account_row(&own, "offline", String::new()));
    let (keep, kept) = watch::channel(config.history);
    history::spawn(paths.history(), kept, history_in, history_out).context("starting history")?;
    let (standing, standing_in) = watch::channel(signal::Standing::default());
    let (posts, near_posts) = mpsc::channel(64);
    let (near_news, news) = mpsc::channel(64);
    let near = NearEnd { posts, news };
    let setup =
        signal::Setup { state: paths.state.clone(), store: store.clone(), standing: standing_in, near };
    let signaling = signal::spawn(setup, signal_in, signal_out);
    let (places, places_in) = watch::channel(neighbours::Standing::default());
    let (neighbour_orders, neighbours_in) = mpsc::channel(16);
    let (neighbours_out, neighbours_reports) = mpsc::channel(64);
    let setup = neighbours::Setup {
        standing: places_in,
        orders: neighbours_in,
        reports: neighbours_out,
        posts: near_posts,
        news: near_news,
    };
    let neighbouring = neighbours::spawn(setup);
    let (questions, asked) = watch::channel(discovery::Standing::default());
    let (discovery_out, discovered) = mpsc::channel(8);
    let discovering = discovery::spawn(asked, discovery_out);
    let media = media::Media::spawn(config.media_settings(), media_out);
    let bus_sees = shown.boards();
    let (boards, happened) = shown.follow();
    let hooks = desktop::Hooks { folder: paths.hooks(), limit: HOOK };
    let setup = desktop::Setup { session_bus: None, system_bus: None, hooks };
    let sight = desktop::Sight { boards, happened };
    let desktop = desktop::spawn(setup, sight, command_in.clone(), desktop_out);
    #[expect(clippy::disallowed_methods, reason = "the bus port's task, ended by its orders")]
    let serving = tokio::spawn(bus::serve(None, command_in, bus_sees, bus_in, bus_out));

    let probes = diagnosis::Probes {
        sound: || Box::pin(media::device::roster::look()),
        server: |server, wire, trust| Box::pin(media::peer::probe(server, wire, trust)),
    };
    let diagnosis = diagnosis::Diagnosis::new(probes, diagnosis_out);
    let judges = account::Judges {
        whole: |dir, own| identity::whole(dir, own).map_err(|error| error.to_string()),
        keys: identity::judge,
        contact: contacts::is_contact,
        token: contacts::is_token,
        settings: |text| {
            Config::parse(text, Path::new("config.toml")).map(drop).map_err(|error| error.to_string())
        },
    };
    let account = account::Accounts::new(judges, account_out);
    let ports = Ports {
        signal: signal_orders,
        standing,
        neighbours: neighbour_orders,
        places,
        discovery: questions,
        media,
        history: history_orders,
        keep,
        diagnosis,
        account,
    };
    let inbox = Inbox {
        commands,
        bus: bus_reports,
        signal: signal_reports,
        neighbours: neighbours_reports,
        discovery: discovered,
        media: media_reports,
        history: history_reports,
        desktop: desktop_reports,
        diagnosis: findings,
        account: account_reports,
        keys: keys_news,
    };
    let chosen = Chosen::read(&std::fs::read(paths.chosen()).unwrap_or_default());
    let files = Files { paths, store, chosen, relays: (memory, relays) };
    let engine = Engine::new(config, files, own, contacts, shown, ports);
    let ended = engine.run(inbox, asked_to_stop()?).await;
    let goodbye = async {
        // Both end by themselves once the engine has told them to.
        let _ = serving.await;
        let _ = signaling.await;
        let _ = neighbouring.await;
        let _ = discovering.await;
        let _ = desktop.await;
    };
    if clock::timeout(Duration::from_secs(1), goodbye).await.is_err() {
        tracing::debug!("a port was still busy at the end");
    }
    store_thread.end();
    match ended {
        Ended::Stopped => Ok(Last::Over),
        Ended::Anew => Ok(Last::Anew),
        Ended::NameTaken => second(),
    }
}

/// The first daemon goes on; for the service manager this start was a success.
fn second() -> anyhow::Result<Last> {
    ready::ready(SECOND);
    eprintln!("ahoyd: {SECOND}");
    Ok(Last::Over)
}

/// No core file of ours: keys, names and calls would lie in it, where others keep files for a long time. A debugger of the same
/// person cannot look in either.
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
    // Only ours: a hook that we start may raise it again.
    let none = Rlimit { current: Some(0), ..getrlimit(Resource::Core) };
    let done =
        setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = done {
        eprintln!("ahoyd: a crash may leave a core file: {error}");
    }
}

/// Resolves at the first SIGTERM, SIGINT or SIGHUP: the end of a terminal is no worse a reason to say farewell.
fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut term = unix_signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut int = unix_signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut hangup = match is_ignored(SignalKind::hangup()) {
        // `nohup ahoyd &` is meant to outlive its terminal.
        true => None,
        false => Some(unix_signal(SignalKind::hangup()).context("listening for SIGHUP")?),
    };
    Ok(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            _ = hung_up => {}
        }
    })
}

/// Whoever started us wants this signal ignored.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let number = u32::try_from(kind.as_raw_value()).unwrap_or(0);
    number.checked_sub(1).is_some_and(|bit| mask >> bit & 1 == 1)
}
