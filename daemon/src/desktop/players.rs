//! Music makes room for a call, and goes on after it.
//!
//! Lives here: pausing the MPRIS players that play, watching what a person does to them meanwhile, playing those alone.
//! Must not: touch a player that it did not pause, or wait for one that hangs. It has a connection of its own, only as
//! long as it is needed: a player that floods it holds up nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::watch;
use zbus::conn::Builder;
use zbus::{Connection, Message, MessageStream, OwnedVariant};

use crate::system::clock;

const PREFIX: &str = "org.mpris.MediaPlayer2.";
const PATH: &str = "/org/mpris/MediaPlayer2";
const PLAYER: &str = "org.mpris.MediaPlayer2.Player";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// How long one player may take for one question or order, and the bus for being joined.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many players are looked at.
const MOST: usize = 32;

/// Pauses and plays as `quiet` says, until nobody can say it any more.
pub(super) async fn follow(bus: Option<String>, mut quiet: watch::Receiver<bool>) {
    while quiet.wait_for(|quiet| *quiet).await.is_ok() {
        match clock::timeout(PATIENCE, Room::enter(bus.as_deref())).await {
            Ok(Ok(mut room)) => {
                room.pause_all().await;
                room.watch_until_over(&mut quiet).await;
                room.go_on().await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "players were not looked for"),
            Err(_over) => tracing::debug!("the bus was too slow to look for players"),
        }
        if quiet.wait_for(|quiet| !*quiet).await.is_err() {
            return;
        }
    }
}

/// One call's worth of players.
struct Room {
    bus: Connection,
    changes: MessageStream,
    /// Players that we paused, by their unique name; true once a person did something else with one.
    paused: BTreeMap<String, bool>,
}

impl Room {
    async fn enter(bus: Option<&str>) -> zbus::Result<Self> {
        let builder = bus.map_or_else(Builder::session, Builder::address);
        let bus = builder.build().await?;
        let rule = format!("type='signal',member='PropertiesChanged',path='{PATH}',arg0='{PLAYER}'");
        let changes = MessageStream::for_match_rule(rule.as_str(), &bus, NonZero::new(256)).await?;
        Ok(Self { bus, changes, paused: BTreeMap::new() })
    }

    /// Pauses every player that plays.
    async fn pause_all(&mut self) {
        let owners = clock::timeout(PATIENCE, self.owners()).await;
        let Ok(Ok(owners)) = owners else {
            return tracing::debug!("the bus does not tell which players there are");
        };
        let bus = &self.bus;
        let mut pausing: FuturesUnordered<_> = owners.into_iter().map(|owner| pause(bus, owner)).collect();
        loop {
            tokio::select! {
                biased;
                said = self.changes.next() => {
                    if said.is_none() {
                        break;
                    }
                    on_change(&mut self.paused, said);
                }
                next = pausing.next() => match next {
                    Some(Some(owner)) => {
                        // What it said before it obeyed is about the time before.
                        while let Some(said) = self.changes.next().now_or_never() {
                            if said.is_none() {
                                break;
                            }
                            on_change(&mut self.paused, said);
                        }
                        self.paused.insert(owner, false);
                    }
                    Some(None) => {}
                    None => break,
                },
            }
        }
        if !self.paused.is_empty() {
            tracing::info!(players = self.paused.len(), "paused for a call");
        }
    }

    /// Who plays music here, by unique name: neither we ourselves nor a stand-in for the others.
    async fn owners(&self) -> zbus::Result<BTreeSet<String>> {
        let dbus = zbus::fdo::DBusProxy::new(&self.bus).await?;
        let names = dbus.list_names().await?;
        let mut owners = BTreeSet::new();
        for name in names.into_iter().filter(|name| is_player(name.as_str())).take(MOST) {
            // It may have left since.
            if let Ok(owner) = dbus.get_name_owner(name.into()).await {
                owners.insert(owner.to_string());
            }
        }
        Ok(owners)
    }

    /// Notes what a person does to the players that we paused.
    async fn watch_until_over(&mut self, quiet: &mut watch::Receiver<bool>) {
        loop {
            let message = tokio::select! {
                _over = quiet.wait_for(|quiet| !*quiet) => return,
                message = self.changes.next() => message,
            };
            if message.is_none() {
                // The bus went, and the players' names with it.
                self.paused.clear();
                let _over = quiet.wait_for(|quiet| !*quiet).await;
                return;
            }
            on_change(&mut self.paused, message);
        }
    }

    /// Plays those that we paused, that nobody touched, and that are still paused.
    async fn go_on(&mut self) {
        let Self { bus, changes, paused } = self;
        let owners: Vec<String> = paused.keys().cloned().collect();
        let mut asking = std::pin::pin!(join_all(owners.into_iter().map(async |owner| {
            let still = status(bus, &owner).await == Some(Status::Paused);
            still.then_some(owner)
        })));
        let still = loop {
            tokio::select! {
                biased;
                said = changes.next() => {
                    if said.is_none() {
                        return;
                    }
                    on_change(paused, said);
                }
                still = &mut asking => break still,
            }
        };
        // What they said before they answered has been heard by now.
        let untouched = still.into_iter().flatten().filter(|owner| paused.get(owner) == Some(&false));
        let mut playing =
            std::pin::pin!(join_all(untouched.map(async |owner| order(bus, &owner, "Play").await)));
        loop {
            tokio::select! {
                biased;
                said = changes.next() => if said.is_none() { return },
                _played = &mut playing => return,
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Playing,
    Paused,
    Stopped,
}

/// `playerctld` stands for another player, which is asked itself; `ahoy` is us.
fn is_player(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let own = rest.split('.').next().unwrap_or(rest);
    !matches!(own, "ahoy" | "playerctld")
}

fn read_status(word: &str) -> Option<Status> {
    match word {
        "Playing" => Some(Status::Playing),
        "Paused" => Some(Status::Paused),
        "Stopped" => Some(Status::Stopped),
        _ => None,
    }
}

async fn property(bus: &Connection, owner: &str, name: &str) -> Option<OwnedVariant> {
    let which = (PLAYER, name);
    let asked = bus.call_method(Some(owner), PATH, Some(PROPERTIES), "Get", &which);
    let reply = clock::timeout(PATIENCE, asked).await.ok()?.ok()?;
    reply.body().deserialize().ok()
}

async fn status(bus: &Connection, owner: &str) -> Option<Status> {
    let value = property(bus, owner, "PlaybackStatus").await?;
    read_status(<&str>::try_from(&value).ok()?)
}

/// Players that do not say so can.
async fn can_pause(bus: &Connection, owner: &str) -> bool {
    let value = property(bus, owner, "CanPause").await;
    value.and_then(|value| bool::try_from(&value).ok()).unwrap_or(true)
}

/// Pauses a player that plays and can be paused; its name if so. One that hangs may still obey, later.
async fn pause(bus: &Connection, owner: String) -> Option<String> {
    let playing = status(bus, &owner).await == Some(Status::Playing) && can_pause(bus, &owner).await;
    if playing {
        order(bus, &owner, "Pause").await;
    }
    playing.then_some(owner)
}

/// Notes that a player which we paused is not paused any more: a person wants something else with it.
fn on_change(paused: &mut BTreeMap<String, bool>, said: Option<zbus::Result<Message>>) {
    if let Some(Ok(message)) = said
        && let Some((owner, status)) = change(&message)
        && status != Status::Paused
        && let Some(touched) = paused.get_mut(&owner)
    {
        *touched = true;
    }
}

async fn order(bus: &Connection, owner: &str, method: &'static str) {
    let ordered = bus.call_method(Some(owner), PATH, Some(PLAYER), method, &());
    match clock::timeout(PATIENCE, ordered).await {
        Ok(Ok(_done)) => {}
        Ok(Err(error)) => tracing::debug!(%error, method, "a player refused"),
        Err(_over) => tracing::debug!(method, "a player hangs"),
    }
}

/// Who changed to which status, if a message says so.
fn change(message: &Message) -> Option<(String, Status)> {
    let (_, changed, _): (String, BTreeMap<String, OwnedVariant>, Vec<String>) =
        message.body().deserialize().ok()?;
    let status = read_status(<&str>::try_from(changed.get("PlaybackStatus")?).ok()?)?;
    Some((message.header().sender()?.to_string(), status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_and_we_ourselves_are_no_players() {
        for name in ["org.mpris.MediaPlayer2.vlc", "org.mpris.MediaPlayer2.firefox.instance_1_84"] {
            assert!(is_player(name), "{name}");
        }
        for name in [
            "org.mpris.MediaPlayer2.playerctld",
            "org.mpris.MediaPlayer2.ahoy",
            "org.mpris.MediaPlayer2.ahoy.instance7",
            "org.mpris.MediaPlayer3.vlc",
            ":1.5",
        ] {
            assert!(!is_player(name), "{name}");
        }
    }
}
