//! The ring's pop-up, as a notification server sees it come and go.
//!
//! Lives here: a server that notes when it is asked, and the time from the end of a ring to the word that takes the pop-up off.
//! Must not: draw anything, or be quicker than a server that does: it answers at once, as they do.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ahoy_dbus::{Dict, proxy};
use anyhow::Context as _;
use tokio::sync::mpsc;
use zbus::{Connection, OwnedVariant, interface};

use crate::figure::{Figure, Sheet};
use crate::pair::Pair;
use crate::time::{PATIENCE, boot_time, ms, now};

/// Rings of each kind. One contact may ring five times in a minute, so daemons are renewed in between.
const ROUNDS: u32 = 5;
/// Rings that nobody takes: ten seconds each.
const UNTAKEN: u32 = 3;
/// The least lifetime there is, in seconds.
const LIFETIME: u32 = 10;

/// What ends a ring.
#[derive(Clone, Copy, Debug)]
enum End {
    Answer,
    Decline,
    Cancel,
    Timeout,
}

pub(crate) async fn measure(sheet: &mut Sheet) -> anyhow::Result<()> {
    let mut pair = Pair::start().await?;
    let mut screen = Screen::come(pair.ben.desk.bus().await?).await?;
    let kinds = [
        (End::Answer, "answer", ROUNDS),
        (End::Decline, "decline", ROUNDS),
        (End::Cancel, "cancel", ROUNDS),
        (End::Timeout, "timeout", UNTAKEN),
    ];
    for (end, case, rounds) in kinds {
        pair.renew().await?;
        let mut gone = Figure::new("popup_gone_ms", case, "ms");
        for n in 0..rounds {
            gone.add(ring(&mut pair, &mut screen, end).await.with_context(|| format!("{case} {n}"))?);
        }
        sheet.put(&gone)?;
    }
    Ok(())
}

/// One ring, to its end; how long its pop-up stood after that.
async fn ring(pair: &mut Pair, screen: &mut Screen, end: End) -> anyhow::Result<f64> {
    let lifetime = matches!(end, End::Timeout).then_some(LIFETIME);
    let (_, _, path) = pair.ring_for(lifetime).await?;
    let shown = screen.shown().await?;
    let call = proxy::CallProxy::builder(&pair.ben.bus).path(path).build().await?;
    // What ends it comes after this moment.
    let mut from = now();
    match end {
        End::Answer => call.answer(&Dict::new()).await?,
        End::Decline => call.decline("declined", &Dict::new()).await?,
        End::Cancel => proxy::ManagerProxy::new(&pair.ana.bus).await?.hangup_all(&Dict::new()).await?,
        End::Timeout => {
            let due = Duration::from_micros(call.deadline_monotonic().await?);
            from += due.saturating_sub(boot_time());
        }
    }
    let gone = screen.closed(shown).await?;
    anyhow::ensure!(gone > from, "the pop-up went before the ring");
    if matches!(end, End::Answer) {
        pair.hang_up().await?;
    }
    Ok(ms(from, gone))
}

/// A notification server that shows nothing and notes everything.
struct Screen {
    told: mpsc::Receiver<Told>,
    #[expect(dead_code, reason = "serves as long as it lives")]
    bus: Connection,
}

/// What it was asked, and when.
#[derive(Debug)]
enum Told {
    Shown(u32),
    Close(u32, Instant),
}

impl Screen {
    async fn come(bus: Connection) -> anyhow::Result<Self> {
        let (tell, told) = mpsc::channel(64);
        bus.object_server().at("/org/freedesktop/Notifications", Server { tell, last: 0 }).await?;
        bus.request_name("org.freedesktop.Notifications").await?;
        Ok(Self { told, bus })
    }

    async fn next(&mut self) -> anyhow::Result<Told> {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        told.context("the daemon does not speak to the notification server")?.context("the server has gone")
    }

    /// The number of a note that is shown now.
    async fn shown(&mut self) -> anyhow::Result<u32> {
        loop {
            if let Told::Shown(id) = self.next().await? {
                return Ok(id);
            }
        }
    }

    /// When that note was taken off.
    async fn closed(&mut self, note: u32) -> anyhow::Result<Instant> {
        loop {
            if let Told::Close(id, at) = self.next().await?
                && id == note
            {
                return Ok(at);
            }
        }
    }
}

struct Server {
    tell: mpsc::Sender<Told>,
    last: u32,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Server {
    fn get_capabilities(&self) -> Vec<&'static str> {
        vec!["actions", "body"]
    }

    #[expect(clippy::too_many_arguments, reason = "the notification specification has eight")]
    async fn notify(
        &mut self,
        _name: String,
        replaces: u32,
        _icon: String,
        _summary: String,
        _body: String,
        buttons: Vec<String>,
        _hints: HashMap<String, OwnedVariant>,
        _expires: i32,
    ) -> u32 {
        let id = if replaces == 0 { self.last + 1 } else { replaces };
        self.last = self.last.max(id);
        // Whoever does not look any more has measured enough.
        // Whoever does not look any more has measured enough.
        // A notice of a missed call is no pop-up.
        if buttons.iter().any(|button| button == "answer") {
            drop(self.tell.send(Told::Shown(id)).await);
        }
        id
    }

    async fn close_notification(&self, id: u32) {
        drop(self.tell.send(Told::Close(id, now())).await);
    }
}
