//! A daemon of somebody who knows ten thousand people and has made a hundred thousand calls.
//!
//! Lives here: such a state, made as the daemon itself would have written it; memory and start with it and without.
//! Must not: ask the daemon to make it: that would take an hour.

use std::fs;
use std::path::Path;

use ahoy_proto::card::{Card, CardDevice, InboxAt};
use ahoy_proto::envelope::{Inbox, Token};
use ahoy_proto::identity::DeviceCertificate;
use ahoy_tests::lab::Place;
use ed25519_dalek::SigningKey;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::figure::{Figure, Sheet};
use crate::history::write;
use crate::load::{STARTS, rested, start};
use crate::pair::{Side, desk};

const CONTACTS: u32 = 10_000;
const ROWS: u64 = 100_000;

pub(crate) async fn measure(sheet: &mut Sheet) -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut side = Side::of(desk("Ana", &place).await?).await?;
    sheet.put(&start(&mut side, &place.net, "", STARTS).await?)?;
    let small = rested(&side).await?;

    side.desk.kill_daemon();
    contacts(&side.desk.folder().join("state/ahoy/contacts"), &place.relay.url)?;
    sheet.put(&start(&mut side, &place.net, "contacts", STARTS).await?)?;
    let many = rested(&side).await?;
    sheet.put(&Figure::one("contacts_10000_mib", "", "MiB", many - small))?;

    side.desk.kill_daemon();
    let base = side.desk.folder().join("state/ahoy/history.db");
    tokio::task::spawn_blocking(move || write(&base, ROWS)).await??;
    sheet.put(&start(&mut side, &place.net, "large", STARTS).await?)?;
    sheet.put(&Figure::one("idle_pss_mib", "large", "MiB", rested(&side).await?))?;
    let known = side.desk.ctl_says(&["contact", "list", "--json"])?.matches("\"id\"").count();
    anyhow::ensure!(known >= 100, "the contacts were not read: {known}");
    Ok(())
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

fn short(seed: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&seed[..16]);
    half
}

fn hex(bytes: [u8; 16]) -> String {
    data_encoding::HEXLOWER.encode(&bytes)
}
