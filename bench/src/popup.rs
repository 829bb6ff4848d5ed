//! The ring's pop-up, as a notification server sees it come and go.
//!
//! Lives here: the time from the end of a ring to the word that takes the pop-up off.
//! Must not: draw anything: what a server needs for that is its own.

use std::time::{Duration, Instant};

use ahoy_dbus::{Dict, proxy};
use ahoy_tests::notifications::{Server, Told};
use anyhow::Context as _;
use zbus::Connection;

use crate::figure::{Figure, Sheet};
use crate::pair::Pair;
use crate::time::{boot_time, ms, now};

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
        (End::Answer, "answer", sheet.either(ROUNDS, 2)),
        (End::Decline, "decline", sheet.either(ROUNDS, 2)),
        (End::Cancel, "cancel", sheet.either(ROUNDS, 2)),
        (End::Timeout, "timeout", sheet.either(UNTAKEN, 0)),
    ];
    for (end, case, rounds) in kinds.into_iter().filter(|(_, _, rounds)| *rounds > 0) {
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
    let shown = screen.shown().await;
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
    let gone = screen.closed(shown).await;
    anyhow::ensure!(gone > from, "the pop-up went before the ring");
    if matches!(end, End::Answer) {
        pair.hang_up().await?;
    }
    Ok(ms(from, gone))
}

/// A notification server that shows nothing.
struct Screen(Server);

impl Screen {
    async fn come(bus: Connection) -> anyhow::Result<Self> {
        Ok(Self(Server::on(bus, 0, vec!["actions", "body"]).await?))
    }

    /// The number of a pop-up that is shown now. A notice of a missed call is none.
    async fn shown(&mut self) -> u32 {
        loop {
            if let Told::Notify { id, buttons, .. } = self.0.told().await
                && buttons.iter().any(|button| button == "answer")
            {
                return id;
            }
        }
    }

    /// When that note was taken off.
    async fn closed(&mut self, note: u32) -> Instant {
        while self.0.told().await != Told::Close(note) {}
        now()
    }
}
