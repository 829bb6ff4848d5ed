//! Two people who can call each other, as every figure of a call needs them.
//!
//! Lives here: their desks, what their buses say and when, calls between them.
//! Must not: measure.

use std::time::{Duration, Instant};

use ahoy_dbus::{BUS_NAME, Dict, ROOT, proxy};
use ahoy_tests::lab::{Desk, Place, changed_calls, introduce, text};
use anyhow::Context as _;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use zbus::message::Type;
use zbus::{Connection, MatchRule, MessageStream};

use crate::time::{PATIENCE, now, pause};

/// The caller, the callee, and the relay between them.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) ana: Side,
    pub(crate) ben: Side,
    place: Place,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) desk: Desk,
    pub(crate) bus: Connection,
    states: mpsc::Receiver<(Instant, String, String)>,
}

impl Pair {
    /// Both online, each with the other's card. Ben runs a copy of the program: else each would pay for only half of it.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let place = Place::new()?;
        let ana = desk("Ana", &place).await?;
        let ben = desk_of_its_own("Ben", &place).await?;
        introduce(&ana, &ben)?;
        Ok(Self { ana: Side::of(ana).await?, ben: Side::of(ben).await?, place })
    }

    /// Echo, noise and gain of both `on` or `off`; a steady tone is noise, so it is heard only with `off`.
    pub(crate) async fn set_voice(&self, switch: &str) -> anyhow::Result<()> {
        for side in [&self.ana, &self.ben] {
            let manager = proxy::ManagerProxy::new(&side.bus).await?;
            for key in ["voice.echo", "voice.noise", "voice.gain"] {
                manager.set_setting(key, &switch.into(), &Dict::new()).await?;
            }
        }
        Ok(())
    }

    /// New daemons for both. Who is called more than five times in a minute by one contact does not ring: each new one
    /// hears five calls.
    pub(crate) async fn renew(&mut self) -> anyhow::Result<()> {
        for side in [&mut self.ana, &mut self.ben] {
            side.desk.kill_daemon();
            side.desk.start_daemon(&self.place.net)?;
        }
        for side in [&self.ana, &self.ben] {
            side.desk.until_online(PATIENCE).await?;
        }
        Ok(())
    }

    /// Ana dials; when, and the call on Ben's side once it rings there, and when it did.
    pub(crate) async fn ring(&mut self) -> anyhow::Result<(Instant, Instant, String)> {
        self.ring_for(None).await
    }

    /// The same, with a lifetime in seconds.
    pub(crate) async fn ring_for(
        &mut self,
        seconds: Option<u32>,
    ) -> anyhow::Result<(Instant, Instant, String)> {
        let manager = proxy::ManagerProxy::new(&self.ana.bus).await?;
        anyhow::ensure!(manager.online().await?, "Ana has no relay");
        self.ben.forget();
        let dialed = now();
        let lifetime = seconds.map(|seconds| ("lifetime".to_owned(), seconds.into()));
        manager.dial("Ben", &Dict::from_iter(lifetime)).await.context("dialing")?;
        let (rang, path) = self.ben.until("incoming").await?;
        Ok((dialed, rang, path))
    }

    /// Ben answers; when he did. Both are active when this returns.
    pub(crate) async fn answer(&mut self, path: &str) -> anyhow::Result<Instant> {
        let call = proxy::CallProxy::builder(&self.ben.bus).path(path.to_owned()).build().await?;
        self.ana.forget();
        let answered = now();
        call.answer(&Dict::new()).await.context("answering")?;
        self.ana.until("active").await?;
        Ok(answered)
    }

    /// Ben hangs up, and both know.
    pub(crate) async fn hang_up(&mut self) -> anyhow::Result<()> {
        self.ana.forget();
        self.ben.forget();
        proxy::ManagerProxy::new(&self.ben.bus).await?.hangup_all(&Dict::new()).await?;
        self.ben.until("disconnected").await?;
        self.ana.until("disconnected").await?;
        Ok(())
    }
}

impl Side {
    pub(crate) async fn of(desk: Desk) -> anyhow::Result<Self> {
        let bus = desk.bus().await?;
        let rule = MatchRule::builder().msg_type(Type::Signal).path_namespace(ROOT).build()?;
        let mut signals = MessageStream::for_match_rule(rule, &bus, std::num::NonZero::new(256)).await?;
        let (tell, states) = mpsc::channel(1024);
        let follow = async move {
            while let Some(Ok(message)) = signals.next().await {
                let at = now();
                for (path, row) in changed_calls(&message).unwrap_or_default() {
                    if tell.send((at, path, text(&row, "State").to_owned())).await.is_err() {
                        return;
                    }
                }
            }
        };
        #[expect(clippy::disallowed_methods, reason = "ends with the bus")]
        drop(tokio::spawn(follow));
        Ok(Self { desk, bus, states })
    }

    /// The process that owns the daemon's name.
    pub(crate) async fn pid(&self) -> anyhow::Result<u32> {
        let bus = zbus::fdo::DBusProxy::new(&self.bus).await?;
        Ok(bus.get_connection_unix_process_id(BUS_NAME.try_into()?).await?)
    }

    /// When a call was first seen in that state, since the last `forget`.
    pub(crate) async fn until(&mut self, state: &str) -> anyhow::Result<(Instant, String)> {
        let found = async {
            while let Some((at, path, seen)) = self.states.recv().await {
                if seen == state {
                    return Ok((at, path));
                }
            }
            anyhow::bail!("the bus of {} has gone", self.desk.name)
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found
            .with_context(|| format!("no call of {} became {state}:\n{}", self.desk.name, self.desk.tail()))?
    }

    pub(crate) fn forget(&mut self) {
        while self.states.try_recv().is_ok() {}
    }
}

/// A desk with a daemon that is online and logs as much as it does for everybody.
pub(crate) async fn desk(name: &str, place: &Place) -> anyhow::Result<Desk> {
    begin(place.desk(name)?, place).await
}

/// The same, with a copy of the program: it shares no page with any other daemon.
pub(crate) async fn desk_of_its_own(name: &str, place: &Place) -> anyhow::Result<Desk> {
    let mut desk = place.desk(name)?;
    desk.use_a_copy()?;
    begin(desk, place).await
}

async fn begin(mut desk: Desk, place: &Place) -> anyhow::Result<Desk> {
    let (name, url) = (&desk.name, &place.relay.url);
    desk.configure(&format!("[account]\nname = \"{name}\"\n[relay]\nurls = [\"{url}\"]\n"))?;
    desk.begin("bus")?;
    desk.begin("sound")?;
    desk.unplug("mic")?;
    desk.plug("direct", "mic")?;
    desk.set_default("input", "mic")?;
    place.run(&mut desk, &[]).await?;
    Ok(desk)
}

/// The calls of a moment ago linger for ten seconds; three more, and what they needed is given back.
pub(crate) async fn until_all_is_over() {
    pause(Duration::from_secs(16)).await;
}
