//! Does what the bus offers about the account and about trust do what it says, in real daemons?
//!
//! Lives here: switching the account off and on, other relays, the safety number of a call, what a call says of its encryption.
//! Must not: need sound.

use std::time::Duration;

use ahoy_dbus::Dict;
use ahoy_dbus::proxy::{AccountProxy, CallProxy, ManagerProxy};
use ahoy_tests::lab::{Desk, dial, dial_in_vain, text, two_without_sound};

/// Long enough for a machine that has much to do.
const SOON: Duration = Duration::from_secs(30);

type Outcome = anyhow::Result<()>;

async fn account(desk: &Desk) -> anyhow::Result<AccountProxy<'static>> {
    let bus = desk.bus().await?;
    let objects = zbus::fdo::ObjectManagerProxy::new(&bus, ahoy_dbus::BUS_NAME, ahoy_dbus::ROOT).await?;
    let paths = objects.get_managed_objects().await?.into_keys();
    let path = paths.into_iter().find(|path| path.contains("/account_"));
    let path = path.ok_or_else(|| anyhow::anyhow!("no account"))?;
    let builder = AccountProxy::builder(&bus).path(path).cache_properties(zbus::proxy::CacheProperties::No);
    Ok(builder.build().await?)
}

#[tokio::test]
async fn an_account_that_is_switched_off_is_offline_and_its_relays_can_be_set() -> Outcome {
    let (place, ana, ben) = two_without_sound().await?;
    let (account, manager) = (account(&ben).await?, ManagerProxy::new(&ben.bus().await?).await?);
    anyhow::ensure!(account.enabled().await? && account.relays().await? == [place.relay.url.clone()]);

    account.set_enabled(false).await?;
    anyhow::ensure!(!account.enabled().await?);
    ben.until_so(SOON, async || Ok(account.connection_state().await? == "offline")).await?;
    anyhow::ensure!(account.relays().await? == [place.relay.url.clone()], "what is configured stays");
    let refused = manager.dial("Ana", &Dict::new()).await;
    anyhow::ensure!(refused.is_err_and(|error| error.to_string().contains("switched off")));
    let call = dial_in_vain(&ana, "Ben").await?;
    ana.until_call(&call, SOON, |row| text(row, "StateReason") == "unavailable").await?;

    account.set_enabled(true).await?;
    ben.until_online(SOON).await?;
    dial(&ana, "Ben").await?;
    ben.until_state("incoming", SOON).await?;
    ben.ctl_says(&["decline"])?;

    let wrong = account.set_relays(&["http://example.org"]).await;
    anyhow::ensure!(wrong.is_err() && account.relays().await? == [place.relay.url.clone()], "a wrong one");
    account.set_relays(&[]).await?;
    anyhow::ensure!(account.relays().await?.is_empty());
    ben.until_so(SOON, async || Ok(!manager.can_dial().await?)).await?;
    account.set_relays(&[&place.relay.url]).await?;
    ben.until_online(SOON).await?;
    let shown = ben.ctl_says(&["config", "get", "relay.urls"])?;
    anyhow::ensure!(shown.contains(&place.relay.url), "it is written down: {shown}");
    Ok(())
}

#[tokio::test]
async fn both_sides_of_a_call_read_the_same_safety_number_and_what_is_confirmed_stays() -> Outcome {
    let (_place, ana, ben) = two_without_sound().await?;
    let ours = dial(&ana, "Ben").await?;
    let theirs = ben.until_state("incoming", SOON).await?;
    let none = Dict::new();
    let at = async |desk: &Desk, path: &str| -> anyhow::Result<CallProxy<'static>> {
        let builder = CallProxy::builder(&desk.bus().await?).path(path.to_owned());
        Ok(builder.cache_properties(zbus::proxy::CacheProperties::No).build().await?)
    };
    let (at_anas, at_bens) = (at(&ana, &ours).await?, at(&ben, &theirs).await?);
    anyhow::ensure!(!at_bens.encrypted().await? && at_bens.codec().await?.is_empty(), "no sound flows yet");
    ben.ctl_says(&["answer"])?;
    ana.until_state("active", SOON).await?;
    anyhow::ensure!(at_anas.encrypted().await? && at_anas.codec().await? == "opus");

    let (number, groups) = at_anas.get_safety_number(&none).await?;
    anyhow::ensure!(groups.len() > 1 && groups.join(" ") == number, "{number}: {groups:?}");
    anyhow::ensure!(at_bens.get_safety_number(&none).await?.0 == number, "both read the same");
    anyhow::ensure!(!at_anas.verified().await?);
    at_anas.confirm_safety_number(true, &none).await?;
    anyhow::ensure!(at_anas.verified().await? && !at_bens.verified().await?, "each for themselves");
    let row = ana.ctl_says(&["contact", "show", "Ben", "--json"])?;
    let row: serde_json::Value = serde_json::from_str(&row)?;
    anyhow::ensure!(row["contact"]["verified"] == true, "{row}");
    at_anas.confirm_safety_number(false, &none).await?;
    anyhow::ensure!(!at_anas.verified().await?);
    Ok(())
}
