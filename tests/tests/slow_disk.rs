//! Does a disk that hangs hold up a person?
//!
//! Lives here: a daemon whose files cannot be written for a while, and what it answers meanwhile. The disk is stood for by a
//! named pipe in the place of the file that is written first: opening it for writing waits, as a dead disk does. Or both threads
//! that write are asleep (a failpoint).
//! Must not: repeat what the tests of contacts and configuration show without a daemon.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::lab::{daemon_with_failpoints, dial, flag, text, two_without_sound};
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(20);

type Outcome = anyhow::Result<()>;

/// Makes the next write of this file hang until somebody reads.
fn hang(file: &Path) -> anyhow::Result<std::path::PathBuf> {
    let pipe = file.with_extension("new");
    anyhow::ensure!(Command::new("mkfifo").arg(&pipe).status()?.success(), "no pipe at {}", pipe.display());
    Ok(pipe)
}

/// Lets it through: what was being written fails, since a pipe is no file.
async fn wake(pipe: std::path::PathBuf) -> anyhow::Result<()> {
    let read = pipe.clone();
    tokio::task::spawn_blocking(move || std::fs::read(read)).await??;
    // The daemon has taken the half file away by itself.
    if pipe.exists() {
        std::fs::remove_file(pipe)?;
    }
    Ok(())
}

#[tokio::test]
async fn calls_are_answered_muted_and_ended_while_a_change_of_a_contact_waits_for_a_hung_disk() -> Outcome {
    let (_place, ana, ben) = two_without_sound().await?;
    let bus = ben.bus().await?;
    let contacts = proxy::ContactsProxy::new(&bus).await?;
    let manager = proxy::ManagerProxy::new(&bus).await?;
    let found = contacts.find("Ana", &Dict::new()).await?;
    let id = found.first().map(|row| text(row, "id").to_owned()).unwrap_or_default();
    let pipe = hang(&ben.state_folder().join("contacts").join(&id).with_extension("json"))?;

    // A person blocks Ana; the disk does not take it.
    let (blocking, blocked) = (contacts.clone(), id.clone());
    let (mut blocks, mut sliders) = (JoinSet::new(), JoinSet::new());
    blocks.spawn(async move { blocking.block(&blocked, &Dict::new()).await });
    // The first that asks after it is answered while it waits: requests are taken in order.
    anyhow::ensure!(contacts.list(&Dict::new(), &Dict::new()).await?.0.len() == 1);
    sliders.spawn({
        let manager = manager.clone();
        // Fifty of a slider: in force at once, whatever the disk does.
        async move {
            for step in 0..50_u8 {
                let mut options = Dict::new();
                let volume = zbus::Variant::from(f64::from(step) / 100.0);
                options.insert("volume".to_owned(), volume.try_into()?);
                manager.set_ringer(&options).await?;
            }
            anyhow::Ok(())
        }
    });

    let call = dial(&ana, "Ben").await?;
    let ringing = ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["answer"])?;
    ben.until_state("active", SOON).await?;
    let there = ben.steer(&ringing).await?;
    there.set_muted(true, &Dict::new()).await?;
    anyhow::ensure!(flag(&ben.call(&ringing).await?, "Muted"));
    sliders.join_next().await.ok_or_else(|| anyhow::anyhow!("no slider"))???;
    anyhow::ensure!((manager.ring_volume().await? - 0.49).abs() < 0.001);
    there.hangup(&Dict::new()).await?;
    ana.until_call(&call, SOON, |row| text(row, "State") == "disconnected").await?;

    // It was told that nothing was changed, and nothing was, then and when the disk wakes.
    let denied = blocks
        .join_next()
        .await
        .ok_or_else(|| anyhow::anyhow!("no block"))??
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    anyhow::ensure!(denied.contains("nothing was changed"), "{denied}");
    let problems = manager.problems().await?.join("\n");
    anyhow::ensure!(problems.contains("the disk does not answer"), "{problems}");
    wake(pipe).await?;
    let mut options = Dict::new();
    options.insert("volume".to_owned(), zbus::Variant::from(1.0).try_into()?);
    contacts.set(&id, &options, &Dict::new()).await?;
    let row = contacts.get(&id, &Dict::new()).await?;
    anyhow::ensure!(!flag(&row, "blocked"), "what was given up is not made later");
    anyhow::ensure!(manager.problems().await?.iter().all(|problem| !problem.contains("disk")));
    Ok(())
}

#[tokio::test]
async fn while_both_stores_sleep_getters_and_calls_go_on_and_changes_that_must_last_wait() -> Outcome {
    let (place, ana, mut ben) = two_without_sound().await?;
    ben.stop_daemon()?;
    ben.set_program(daemon_with_failpoints());
    place.run(&mut ben, &[]).await?;
    let bus = ben.bus().await?;
    let contacts = proxy::ContactsProxy::new(&bus).await?;
    let manager = proxy::ManagerProxy::new(&bus).await?;
    let found = contacts.find("Ana", &Dict::new()).await?;
    let id = found.first().map(|row| text(row, "id").to_owned()).unwrap_or_default();

    // It rings, and then both disks fall asleep. They wake when this file goes: whatever ends before that did not wait for them.
    dial(&ana, "Ben").await?;
    let ringing = ben.until_state("incoming", SOON).await?;
    let asleep = ben.runtime_folder().join("ahoy-failpoint");
    std::fs::write(&asleep, "asleep")?;
    let there = ben.steer(&ringing).await?;
    there.answer(&Dict::new()).await?;
    ben.until_state("active", SOON).await?;
    there.set_muted(true, &Dict::new()).await?;
    anyhow::ensure!(flag(&ben.call(&ringing).await?, "Muted"));
    there.hangup(&Dict::new()).await?;
    ana.until_state("disconnected", SOON).await?;
    let called = dial(&ben, "Ana").await?;
    ana.until_state("incoming", SOON).await?;
    ben.until_call(&called, SOON, |row| text(row, "State") == "alerting").await?;
    ben.steer(&called).await?.hangup(&Dict::new()).await?;

    let mut waiting = JoinSet::new();
    {
        let (contacts, id, manager) = (contacts.clone(), id.clone(), manager.clone());
        let history = proxy::HistoryProxy::new(&bus).await?;
        waiting.spawn(async move { history.list(&Dict::new(), &Dict::new()).await.map(drop) });
        waiting.spawn(async move { contacts.block(&id, &Dict::new()).await });
        waiting.spawn(async move {
            manager.set_setting("call.lifetime", &zbus::Variant::from(30_u32), &Dict::new()).await
        });
    }
    // Asked after them, answered before them.
    anyhow::ensure!(!flag(&contacts.get(&id, &Dict::new()).await?, "blocked"));
    anyhow::ensure!(!manager.problems().await?.join("").contains("disk"));
    anyhow::ensure!(waiting.try_join_next().is_none(), "a sleeping disk has answered");
    std::fs::remove_file(&asleep)?;
    while let Some(changed) = waiting.join_next().await {
        changed??;
    }
    anyhow::ensure!(flag(&contacts.get(&id, &Dict::new()).await?, "blocked"));
    ben.until_row(SOON, |row| text(row, "outcome") == "canceled").await?;
    let rows = ben.history().await?;
    anyhow::ensure!(rows.len() == 2 && rows.iter().any(|row| text(row, "outcome") == "answered"), "{rows:?}");
    Ok(())
}

#[tokio::test]
async fn the_ringer_and_the_devices_can_be_chosen_where_the_configuration_cannot_be_written() -> Outcome {
    let (place, _ana, mut ben) = two_without_sound().await?;
    let config = ben.folder().join("config/ahoy/config.toml");
    let before = std::fs::read_to_string(&config)?;
    let mut options = Dict::new();
    options.insert("volume".to_owned(), zbus::Variant::from(0.25).try_into()?);
    options.insert("muted".to_owned(), zbus::Variant::from(false).try_into()?);
    proxy::ManagerProxy::new(&ben.bus().await?).await?.set_ringer(&options).await?;
    ben.stop_daemon()?;
    anyhow::ensure!(std::fs::read_to_string(&config)? == before, "what a person wrote is theirs");
    place.run(&mut ben, &[]).await?;
    let manager = proxy::ManagerProxy::new(&ben.bus().await?).await?;
    anyhow::ensure!((manager.ring_volume().await? - 0.25).abs() < 0.001 && !manager.ringer_muted().await?);
    // Another value in the file is newer than the choice.
    std::fs::write(&config, before.replace("muted = true", "muted = true\nvolume = 0.75"))?;
    manager.reload(&Dict::new()).await?;
    anyhow::ensure!((manager.ring_volume().await? - 0.75).abs() < 0.001);
    Ok(())
}
