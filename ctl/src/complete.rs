//! What a shell offers after Tab: contacts, calls, settings, as the daemon knows them now.
//!
//! Lives here: the short questions behind a completion, and who answers a shell.
//! Must not: start the daemon, or keep a person waiting at their prompt.

use std::time::Duration;

use ahoy_dbus::{BUS_NAME, CONTACTS, Dict, ROOT, interface};
use clap::CommandFactory;
use clap_complete::env::CompleteEnv;
use clap_complete::{ArgValueCandidates, CompletionCandidate};
use zbus::proxy::MethodFlags;

use crate::bus::Bus;
use crate::world::Props;

/// Who presses Tab waits no longer.
const PATIENCE: Duration = Duration::from_millis(700);

/// Answers a shell that asks for completions, and ends the program then.
pub(crate) fn answer_the_shell<C: CommandFactory>() {
    CompleteEnv::with_factory(C::command).complete();
}

/// The script that a shell reads once to ask us from then on.
pub(crate) fn script(shell: &str) -> Option<Vec<u8>> {
    let shells = clap_complete::env::Shells::builtins();
    let mut script = Vec::new();
    let program = "ahoyctl";
    shells.completer(shell)?.write_registration("COMPLETE", program, program, program, &mut script).ok()?;
    Some(script)
}

/// Names of contacts.
pub(crate) fn contacts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let rows = now(async |bus| {
            let question = (Dict::from([("limit".to_owned(), 1000_u32.into())]), Dict::new());
            let answer: (Vec<Dict>, String) =
                quietly(bus, CONTACTS, interface::CONTACTS, "List", &question).await?;
            Some(answer.0)
        });
        let rows = rows.unwrap_or_default().into_iter().map(Props::from);
        rows.map(|row| CompletionCandidate::new(row.text("name").to_owned())).collect()
    })
}

/// Names of those who ask to be contacts.
pub(crate) fn requests() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let rows: Option<Vec<Dict>> =
            now(async |bus| quietly(bus, CONTACTS, interface::CONTACTS, "Requests", &Dict::new()).await);
        let rows = rows.unwrap_or_default().into_iter().map(Props::from);
        rows.map(|row| CompletionCandidate::new(row.text("name").to_owned())).collect()
    })
}

/// Names of groups.
pub(crate) fn groups() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let rows: Option<Vec<Dict>> =
            now(async |bus| quietly(bus, CONTACTS, interface::CONTACTS, "Groups", &Dict::new()).await);
        let rows = rows.unwrap_or_default().into_iter().map(Props::from);
        rows.map(|row| CompletionCandidate::new(row.text("name").to_owned())).collect()
    })
}

/// Who is in a call now.
pub(crate) fn calls() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let calls = now(async |bus| bus.look().await.ok().map(|world| world.calls())).unwrap_or_default();
        let offer = |call: &crate::world::Call| {
            let help = call.state().to_string();
            CompletionCandidate::new(call.props.text("RemoteName").to_owned()).help(Some(help.into()))
        };
        calls.iter().filter(|call| !call.is_over()).map(offer).collect()
    })
}

/// Names of settings.
pub(crate) fn settings() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let known: Option<Dict> =
            now(async |bus| quietly(bus, ROOT, interface::MANAGER, "GetSettings", &Dict::new()).await);
        let mut names: Vec<String> = known.unwrap_or_default().into_keys().collect();
        names.sort();
        names.into_iter().map(CompletionCandidate::new).collect()
    })
}

/// Asks the daemon if it is there, on a runtime of its own: completion comes before the program's.
fn now<T>(question: impl AsyncFnOnce(&Bus) -> Option<T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let asked = async { question(&Bus::connect().await.ok()?).await };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
    })
}

async fn quietly<B, R>(
    bus: &Bus,
    path: &'static str,
    interface: &'static str,
    member: &'static str,
    body: &B,
) -> Option<R>
where
    B: serde::Serialize + zbus::DynamicType,
    R: for<'d> zbus::wire::DynamicDeserialize<'d>,
{
    let proxy = zbus::Proxy::new(&bus.connection, BUS_NAME, path, interface).await.ok()?;
    proxy.call_with_flags(member, MethodFlags::NO_AUTO_START, body).await.ok()?
}
