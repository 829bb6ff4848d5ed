//! What a desk's daemon shows on its bus.
//!
//! Lives here: calls, rows and flags as a client reads them, and waiting for what is shown.
//! Must not: wait by sleeping: every wait is for a signal, and bounded; start or stop anything.

use std::num::NonZero;
use std::time::Duration;

use ahoy_dbus::{BUS_NAME, Dict, ROOT, interface, proxy};
use futures_util::{Stream, StreamExt};
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedVariant, message};

use super::super::Watch;
use super::Desk;

impl Desk {
    /// Waits until the daemon is ready and online.
    pub async fn until_online(&self, patience: Duration) -> anyhow::Result<()> {
        self.until("online", patience, async |bus| {
            let manager = manager(bus).await?;
            Ok((manager.ready().await? && manager.online().await?).then_some(()))
        })
        .await
    }

    /// Waits until the daemon has a problem that says `word`, or none if there is no word.
    pub async fn until_problem(&self, word: Option<&str>, patience: Duration) -> anyhow::Result<()> {
        self.until("problems", patience, async |bus| {
            let problems = manager(bus).await?.problems().await?;
            let fits = word.map_or(problems.is_empty(), |word| problems.iter().any(|p| p.contains(word)));
            Ok(fits.then_some(()))
        })
        .await
    }

    /// Waits until a property of a call is that.
    pub async fn until_flag(
        &self,
        path: &str,
        property: &str,
        value: bool,
        patience: Duration,
    ) -> anyhow::Result<()> {
        self.until_call(path, patience, |row| flag(row, property) == value).await.map(drop)
    }

    /// Waits until the bus shows that device as present or not.
    pub async fn until_device(&self, id: &str, present: bool, patience: Duration) -> anyhow::Result<()> {
        self.until(id, patience, async |bus| {
            let all = rows(bus, interface::AUDIO_DEVICE).await?;
            let there = all.iter().any(|(_, row)| text(row, "Id") == id && flag(row, "Present"));
            Ok((there == present).then_some(()))
        })
        .await
    }

    /// Waits until a call that is not `over` yet is in that state; its path.
    pub async fn until_state(&self, state: &str, patience: Duration) -> anyhow::Result<String> {
        self.until(state, patience, async |bus| {
            let calls = calls(bus).await?;
            Ok(calls.into_iter().rev().find(|(_, row)| text(row, "State") == state).map(|(path, _)| path))
        })
        .await
    }

    /// Waits until a call is so; its properties then.
    pub async fn until_call(
        &self,
        path: &str,
        patience: Duration,
        fits: impl Fn(&Dict) -> bool,
    ) -> anyhow::Result<Dict> {
        self.until(path, patience, async |bus| {
            let found = calls(bus).await?.into_iter().find(|(at, _)| at == path);
            Ok(found.map(|(_, row)| row).filter(|row| fits(row)))
        })
        .await
    }

    /// Waits until history has a row that is so.
    pub async fn until_row(&self, patience: Duration, fits: impl Fn(&Dict) -> bool) -> anyhow::Result<Dict> {
        self.until("such a row", patience, async |bus| {
            let history = proxy::HistoryProxy::new(bus).await?;
            Ok(history.list(&Dict::new(), &Dict::new()).await?.0.into_iter().find(&fits))
        })
        .await
    }

    /// One call as the bus shows it, by its path.
    pub async fn call(&self, path: &str) -> anyhow::Result<Dict> {
        let found = calls(&self.bus().await?).await?.into_iter().find(|(at, _)| at == path);
        found.map(|(_, row)| row).ok_or_else(|| anyhow::anyhow!("{}: no call {path}", self.name))
    }

    /// A proxy of one call.
    pub async fn steer(&self, path: &str) -> anyhow::Result<proxy::CallProxy<'static>> {
        Ok(proxy::CallProxy::builder(&self.bus().await?).path(path.to_owned()).build().await?)
    }

    /// The rows of history, newest first.
    pub async fn history(&self) -> anyhow::Result<Vec<Dict>> {
        let history = proxy::HistoryProxy::new(&self.bus().await?).await?;
        Ok(history.list(&Dict::new(), &Dict::new()).await?.0)
    }

    /// Asks again and again, at the pace of the bus, until it is so: for what no signal tells.
    pub async fn until_so(
        &self,
        patience: Duration,
        ask: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let bus = self.bus().await?;
        let dbus = zbus::fdo::DBusProxy::new(&bus).await?;
        let asking = async {
            while !ask().await? {
                dbus.get_id().await?;
            }
            Ok(())
        };
        tokio::time::timeout(patience, asking)
            .await
            .map_err(|_| anyhow::anyhow!("{}: not so within {patience:?}:\n{}", self.name, self.tail()))?
    }

    /// Asks again after each signal of the daemon until there is an answer.
    async fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        ask: impl AsyncFn(&Connection) -> zbus::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let bus = self.bus().await?;
        let mut signals = signals(&bus).await?;
        let mut last = None;
        let asking = async {
            loop {
                match ask(&bus).await {
                    Ok(Some(answer)) => return Some(answer),
                    Ok(None) => {}
                    Err(error) => last = Some(error),
                }
                signals.next().await?.ok()?;
            }
        };
        let answer = tokio::time::timeout(patience, asking).await.ok().flatten();
        answer.ok_or_else(|| {
            let tail = self.tail();
            anyhow::anyhow!("{}: not {what} within {patience:?} ({last:?}); its log ends:\n{tail}", self.name)
        })
    }

    /// Notes from now on what the bus says of calls.
    pub async fn watch(&self) -> anyhow::Result<Watch> {
        let bus = self.bus().await?;
        Ok(Watch::new(Box::pin(signals(&bus).await?), bus))
    }
}

/// All signals of the daemon on a bus, and its coming and going.
async fn signals(
    bus: &Connection,
) -> anyhow::Result<impl Stream<Item = zbus::Result<Message>> + Send + use<>> {
    let signals = || MatchRule::builder().msg_type(message::Type::Signal);
    let of_daemon =
        MessageStream::for_match_rule(signals().path_namespace(ROOT).build()?, bus, NonZero::new(256));
    let of_name = signals().member("NameOwnerChanged").arg(0, BUS_NAME).build()?;
    let of_name = MessageStream::for_match_rule(of_name, bus, NonZero::new(16));
    Ok(futures_util::stream::select(of_daemon.await?, of_name.await?))
}

/// All calls on a bus, in the order of their making.
/// With its properties as they are when they are read.
async fn manager(bus: &Connection) -> zbus::Result<proxy::ManagerProxy<'static>> {
    proxy::ManagerProxy::builder(bus).cache_properties(zbus::proxy::CacheProperties::No).build().await
}

async fn calls(bus: &Connection) -> zbus::Result<Vec<(String, Dict)>> {
    let mut calls = rows(bus, interface::CALL).await?;
    calls.sort_by_key(|(_, row): &(String, Dict)| number(row, "CreatedAt"));
    Ok(calls)
}

/// All objects of an interface.
async fn rows(bus: &Connection, interface: &str) -> zbus::Result<Vec<(String, Dict)>> {
    let objects = zbus::fdo::ObjectManagerProxy::new(bus, BUS_NAME, ROOT).await?;
    let rows = objects
        .get_managed_objects()
        .await?
        .into_iter()
        .filter_map(|(path, mut interfaces)| {
            let row = interfaces.remove(interface)?;
            Some((path.to_string(), row.into_iter().map(|(key, value)| (key.to_string(), value)).collect()))
        })
        .collect();
    Ok(rows)
}

/// A text of a row; empty if there is none.
pub fn text<'a>(row: &'a Dict, key: &str) -> &'a str {
    row.get(key).and_then(|value| <&str>::try_from(value).ok()).unwrap_or("")
}

/// A number or a time of a row; 0 if there is none.
pub fn number(row: &Dict, key: &str) -> i64 {
    let whole = |value: &OwnedVariant| {
        i64::try_from(value).ok().or_else(|| u64::try_from(value).ok().and_then(|n| i64::try_from(n).ok()))
    };
    row.get(key).and_then(whole).unwrap_or(0)
}

/// A flag of a row; false if there is none.
pub fn flag(row: &Dict, key: &str) -> bool {
    row.get(key).and_then(|value| bool::try_from(value).ok()).unwrap_or(false)
}
