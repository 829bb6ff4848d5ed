//! A daemon of somebody who knows ten thousand people and has made a hundred thousand calls.
//!
//! Lives here: such a state, made as the daemon itself would have written it; memory and start with it and without.
//! Must not: ask the daemon to make it: that would take an hour.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ahoy_call::{CallId, Command, Effect, Effects, LegId, Moment, PeerId, Phone, Settings};
use ahoy_proto::card::{Card, CardDevice, InboxAt};
use ahoy_proto::envelope::{Inbox, Token};
use ahoy_proto::identity::DeviceCertificate;
use ahoy_tests::lab::{Net, Relay};
use ahoyd::history::{self, Entry, HistoryOrder, Report, Retention};
use ahoyd::system::clock;
use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, watch};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::figure::{Figure, Sheet};
use crate::pair::{Side, desk};
use crate::process::pss_mib;
use crate::time::{PATIENCE, ms, now, pause};

const CONTACTS: u32 = 10_000;
const ROWS: u32 = 100_000;
const STARTS: usize = 10;

pub(crate) async fn measure(sheet: &mut Sheet) -> anyhow::Result<()> {
    let net = Net::new()?;
    let relay = Relay::start(&net, 0)?;
    let mut side = Side::of(desk("Ana", &relay, &net).await?).await?;
    sheet.put(&start(&mut side, &net, "").await?)?;
    let small = rested(&side).await?;

    side.desk.kill_daemon();
    contacts(&side.desk.folder().join("state/ahoy/contacts"), &relay.url)?;
    sheet.put(&start(&mut side, &net, "contacts").await?)?;
    let many = rested(&side).await?;
    sheet.put(&Figure::one("contacts_10000_mib", "", "MiB", many - small))?;

    side.desk.kill_daemon();
    let base = side.desk.folder().join("state/ahoy/history.db");
    tokio::task::spawn_blocking(move || history_rows(&base)).await??;
    sheet.put(&start(&mut side, &net, "large").await?)?;
    sheet.put(&Figure::one("idle_pss_mib", "large", "MiB", rested(&side).await?))?;
    let known = side.desk.ctl_says(&["contact", "list", "--json"])?.matches("\"id\"").count();
    anyhow::ensure!(known >= 100, "the contacts were not read: {known}");
    Ok(())
}

/// From the start of the process to a daemon that is online.
pub(crate) async fn start(side: &mut Side, net: &Net, case: &str) -> anyhow::Result<Figure> {
    let mut took = Figure::new("start_ms", case, "ms");
    for _ in 0..STARTS {
        side.desk.kill_daemon();
        let from = now();
        side.desk.start_daemon(net)?;
        side.desk.until_online(PATIENCE).await?;
        took.add(ms(from, now()));
    }
    Ok(took)
}

/// Memory some seconds after the start, when what the start needed is given back.
pub(crate) async fn rested(side: &Side) -> anyhow::Result<f64> {
    pause(Duration::from_secs(6)).await;
    side.desk.until_online(PATIENCE).await?;
    pss_mib(side.pid().await?)
}

/// Each has a card with one device and one inbox, and holds one of ours.
fn contacts(dir: &Path, relay: &str) -> anyhow::Result<()> {
    for n in 0..CONTACTS {
        let name = format!("Contact Number {n}");
        let id = |what: u8| {
            let mut seed = [what; 32];
            seed[..4].copy_from_slice(&n.to_le_bytes());
            seed
        };
        let (account, device) = (SigningKey::from_bytes(&id(1)), SigningKey::from_bytes(&id(2)));
        let noise = PublicKey::from(&StaticSecret::from(id(3)));
        let certificate =
            DeviceCertificate::sign(&account, &device.verifying_key(), &noise, "laptop", 1, i64::MAX)?;
        let inbox = Inbox::of(&id(4));
        let device = CardDevice { certificate, inboxes: vec![InboxAt { relay: relay.to_owned(), inbox }] };
        let card = Card::sign(&account, &name, 1, &[device], short(id(5)))?;
        let peer = hex(card.peer_id().bytes());
        let row = serde_json::json!({
            "version": 1, "card": card.to_text(), "name": name, "blocked": false, "mutual": true,
            "added_at": 1_700_000_000_000_000_i64, "last_call_at": 1_700_000_000_000_000_i64,
        });
        fs::write(dir.join(&peer).with_extension("json"), row.to_string())?;
        let hash = hex(Token::from_bytes(short(id(6))).hash().bytes());
        let token = serde_json::json!({"version": 1, "name": name, "bound": peer, "issued_at": 1_700_000_000_000_000_i64});
        fs::write(dir.join("tokens").join(hash).with_extension("json"), token.to_string())?;
    }
    Ok(())
}

/// Calls that were dialed and given up, one a minute, by the rules and the history themselves.
fn history_rows(path: &Path) -> anyhow::Result<()> {
    let (orders, inbox) = mpsc::channel(8);
    let (outbox, mut reports) = mpsc::channel(64);
    let thread = history::spawn(path.to_owned(), watch::channel(Retention::default()).1, inbox, outbox)?;
    let written = std::thread::Builder::new().name("reports".into()).spawn(move || {
        let mut last = 0;
        while let Some(report) = reports.blocking_recv() {
            if let Report::Committed { last_id, .. } = report {
                last = last_id;
            }
        }
        last
    })?;
    // The last one was a moment ago: none is old enough to be forgotten.
    let first = clock::unix_us() - i64::from(ROWS + 1) * 60_000_000;
    let mut phone = Phone::new(LegId::from_bytes([1; 16]), Settings::default());
    let mut entries = Vec::new();
    for n in 0..ROWS {
        let from = Moment::from_micros(u64::from(n + 1) * 60_000_000);
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        id[15] = 1;
        let call = CallId::from_bytes(id);
        let mut peer = [7; 16];
        peer[..4].copy_from_slice(&(n % 500).to_be_bytes());
        let mut keep = |at: Moment, effects: Effects| {
            for effect in effects {
                if let Effect::Record(record) = effect {
                    let at_unix_us = first + i64::try_from(at.micros()).unwrap_or(0);
                    let (name, address) = (format!("Contact Number {}", n % 500), "y".repeat(52));
                    entries.push(Entry { record: *record, at_unix_us, name, address });
                }
            }
        };
        if phone.deadline().is_some_and(|deadline| deadline.at <= from) {
            keep(from, phone.event(from, ahoy_call::Event::Tick));
        }
        let dial = Command::Dial {
            call,
            peer: PeerId::from_bytes(peer),
            devices: vec![LegId::from_bytes([2; 16])],
            lifetime: Duration::from_secs(60),
            note: None,
            hold_others: true,
        };
        let refused = |refusal| anyhow::anyhow!("the rules refuse: {refusal:?}");
        keep(from, phone.command(from, dial).map_err(refused)?);
        let end = from + Duration::from_secs(5);
        keep(end, phone.command(end, Command::HangUp { call }).map_err(refused)?);
        if entries.len() >= 400 || n + 1 == ROWS {
            let order = HistoryOrder::Write { ticket: u64::from(n), entries: std::mem::take(&mut entries) };
            orders.blocking_send(order).context("the history ended")?;
        }
    }
    drop(orders);
    thread.join().map_err(|_| anyhow::anyhow!("the history panicked"))?;
    let last = written.join().map_err(|_| anyhow::anyhow!("the reports panicked"))?;
    anyhow::ensure!(last == u64::from(ROWS), "only {last} rows were written");
    Ok(())
}

fn short(seed: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&seed[..16]);
    half
}

fn hex(bytes: [u8; 16]) -> String {
    data_encoding::HEXLOWER.encode(&bytes)
}
