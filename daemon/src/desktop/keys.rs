//! Media keys and headset buttons: while there is a call, the daemon is a player.
//!
//! Lives here: the player with its MPRIS name, which goes with the call. What it shows and what its buttons mean: `keys/press.rs`.
//! Must not: let a `Play` that plays other players too open a microphone: many programs in sandboxes may press these buttons, and
//! lock scripts and paired phones press those of every player.

mod press;

use std::collections::HashMap;
use std::num::NonZero;
use std::time::Duration;

use ahoy_call::Moment;
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, watch};
use zbus::conn::Builder;
use zbus::fdo::RequestNameFlags;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, Message, MessageStream, ObjectPath, OwnedVariant, Variant, interface};

use self::press::{PlayerState, Press, meaning, opens};
use super::Asks;
use super::popup_content::Scene;
use crate::system::clock;
use crate::values::request::Request;

const NAME: &str = "org.mpris.MediaPlayer2.ahoy";
const PATH: &str = "/org/mpris/MediaPlayer2";
const PLAYER: &str = "org.mpris.MediaPlayer2.Player";
/// A key that several players get reaches them within this.
const TOGETHER: Duration = Duration::from_millis(300);
/// How long joining the bus, or saying something there, may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Is a player while there is a call, until nobody can say so any more.
pub(super) async fn follow(bus: Option<String>, mut scene: watch::Receiver<Scene>, asks: Asks) {
    while scene.wait_for(|scene| !scene.is_idle()).await.is_ok() {
        match clock::timeout(PATIENCE, Stage::enter(bus.as_deref(), &scene)).await {
            Ok(Ok(mut stage)) => stage.play(&mut scene, &asks).await,
            Ok(Err(error)) => tracing::debug!(%error, "media keys do not reach the call"),
            Err(_over) => tracing::debug!("the bus is too slow for media keys"),
        }
        if scene.wait_for(Scene::is_idle).await.is_err() {
            return;
        }
    }
}

/// One connection's worth of being a player.
struct Stage {
    bus: Connection,
    state: watch::Sender<PlayerState>,
    presses: mpsc::Receiver<Press>,
    /// What other players say of themselves.
    others: MessageStream,
    /// When another player began to play.
    began: Option<Moment>,
    /// What opens the microphone once it is sure that the key was for us alone.
    held_back: Option<(Moment, Request)>,
}

impl Stage {
    async fn enter(bus: Option<&str>, scene: &watch::Receiver<Scene>) -> zbus::Result<Self> {
        let state = PlayerState::of(&scene.borrow()).ok_or(zbus::Error::Unsupported)?;
        let (state, shown) = watch::channel(state);
        let (press, presses) = mpsc::channel(4);
        let builder = bus.map_or_else(Builder::session, Builder::address);
        let bus = builder.serve_at(PATH, Root).serve_at(PATH, MprisPlayer { shown, press }).build().await?;
        let rule = format!("type='signal',member='PropertiesChanged',path='{PATH}',arg0='{PLAYER}'");
        let others = MessageStream::for_match_rule(rule.as_str(), &bus, NonZero::new(32)).await?;
        bus.request_name_with_flags(NAME, RequestNameFlags::DO_NOT_QUEUE).await?;
        Ok(Self { bus, state, presses, others, began: None, held_back: None })
    }

    /// Until there is no call. The name goes with the connection.
    async fn play(&mut self, scene: &mut watch::Receiver<Scene>, asks: &Asks) {
        loop {
            tokio::select! {
                changed = scene.changed() => {
                    let now = if changed.is_ok() { scene.borrow_and_update().clone() } else { Scene::default() };
                    let Some(state) = PlayerState::of(&now) else { break };
                    if state != *self.state.borrow() && self.show(state).await.is_err() {
                        return tracing::debug!("the bus of the media keys has gone");
                    }
                }
                Some(press) = self.presses.recv() => {
                    let now = clock::now();
                    // The last key counts: a call that is hung up at once is not answered after it.
                    self.held_back = None;
                    match meaning(press, &scene.borrow(), now) {
                        Some(request) if opens(&request) => self.hold_back(now, request),
                        Some(request) => ask(asks, request),
                        None => {}
                    }
                }
                said = self.others.next() => match said {
                    Some(said) => self.heard(said),
                    None => return,
                },
                () = sleep_until(self.held_back.as_ref().map(|(due, _)| *due)) => {
                    if let Some((_, request)) = self.held_back.take() {
                        ask(asks, request);
                    }
                }
                () = self.bus.closed() => return,
            }
        }
        let left = async {
            self.bus.release_name(NAME).await?;
            self.bus.clone().close().await
        };
        if !matches!(clock::timeout(PATIENCE, left).await, Ok(Ok(()))) {
            tracing::debug!("the bus of the media keys was left without a word");
        }
    }

    /// A key that opens the microphone waits for a moment: one that every player got is for none.
    fn hold_back(&mut self, now: Moment, request: Request) {
        if self.began.is_some_and(|began| now.since(began) <= TOGETHER) {
            return tracing::info!("a media key played other players too: it opens no microphone");
        }
        self.held_back = Some((now + TOGETHER, request));
    }

    /// Another player began to play, if that is what it says.
    fn heard(&mut self, said: zbus::Result<Message>) {
        let Ok(message) = said else { return };
        let ours = self.bus.unique_name().map(|name| name.as_str());
        if message.header().sender().map(|name| name.as_str()) == ours || !plays(&message) {
            return;
        }
        self.began = Some(clock::now());
        if self.held_back.take().is_some() {
            tracing::info!("a media key played other players too: it opens no microphone");
        }
    }

    async fn show(&self, state: PlayerState) -> zbus::Result<()> {
        let changed = HashMap::from([
            ("PlaybackStatus", Variant::from(state.status())),
            ("Metadata", Variant::from(state.metadata())),
        ]);
        self.state.send_replace(state);
        let nothing: [&str; 0] = [];
        let emitter = SignalEmitter::new(&self.bus, PATH)?;
        let body = (PLAYER, changed, nothing.as_slice());
        let said = emitter.emit("org.freedesktop.DBus.Properties", "PropertiesChanged", &body);
        clock::timeout(PATIENCE, said).await.unwrap_or(Err(zbus::Error::InvalidReply))
    }
}

/// A player says that it plays now.
fn plays(message: &Message) -> bool {
    let changed: zbus::Result<(String, HashMap<String, OwnedVariant>, Vec<String>)> =
        message.body().deserialize();
    let Ok((_, changed, _)) = changed else { return false };
    changed
        .get("PlaybackStatus")
        .is_some_and(|status| <&str>::try_from(status).is_ok_and(|it| it == "Playing"))
}

fn ask(asks: &Asks, request: Request) {
    if asks.try_send(request).is_err() {
        tracing::debug!("a media key was lost: too many at once");
    }
}

async fn sleep_until(due: Option<Moment>) {
    match due {
        Some(due) => clock::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// An interface of MPRIS: what is written out, and properties that never change.
macro_rules! serve {
    ($name:tt for $type:ident { $($written_out:tt)* } always { $($property:ident: $kind:ty = $value:expr;)* }) => {
        #[interface(name = $name, spawn = false)]
        impl $type {
            $($written_out)*

            $(
                #[zbus(property(emits_changed_signal = "const"))]
                fn $property(&self) -> $kind {
                    $value
                }
            )*
        }
    };
}

struct Root;

serve! {
    "org.mpris.MediaPlayer2" for Root {
        fn raise(&self) {}

        fn quit(&self) {}
    } always {
        can_quit: bool = false;
        can_raise: bool = false;
        has_track_list: bool = false;
        identity: &'static str = "ahoy";
        desktop_entry: &'static str = "org.ahoyd.Ahoy";
        supported_uri_schemes: Vec<String> = Vec::new();
        supported_mime_types: Vec<String> = Vec::new();
    }
}

struct MprisPlayer {
    shown: watch::Receiver<PlayerState>,
    press: mpsc::Sender<Press>,
}

impl MprisPlayer {
    fn press(&self, press: Press) {
        if self.press.try_send(press).is_err() {
            tracing::debug!("a media key was lost: too many at once");
        }
    }
}

serve! {
    "org.mpris.MediaPlayer2.Player" for MprisPlayer {
        fn play_pause(&self) {
            self.press(Press::Toggle);
        }

        fn play(&self) {
            self.press(Press::Play);
        }

        fn pause(&self) {
            self.press(Press::Pause);
        }

        fn stop(&self) {
            self.press(Press::Stop);
        }

        fn next(&self) {}

        fn previous(&self) {}

        fn seek(&self, _offset: i64) {}

        fn set_position(&self, _track: ObjectPath<'_>, _position: i64) {}

        fn open_uri(&self, _uri: &str) {}

        #[zbus(property)]
        fn playback_status(&self) -> &'static str {
            self.shown.borrow().status()
        }

        #[zbus(property)]
        fn metadata(&self) -> HashMap<&'static str, Variant<'static>> {
            self.shown.borrow().metadata()
        }
    } always {
        rate: f64 = 1.0;
        minimum_rate: f64 = 1.0;
        maximum_rate: f64 = 1.0;
        volume: f64 = 1.0;
        position: i64 = 0;
        can_go_next: bool = false;
        can_go_previous: bool = false;
        can_play: bool = true;
        can_pause: bool = true;
        can_seek: bool = false;
        can_control: bool = true;
    }
}
