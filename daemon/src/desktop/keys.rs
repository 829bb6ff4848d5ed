//! Media keys and headset buttons: while there is a call, the daemon is a player.
//!
//! Lives here: what the player shows of a call, and what its buttons mean; the MPRIS name, which goes with the call.
//! Must not: let a mere `Pause` answer: programs pause all players for reasons of their own, and nobody's microphone
//! opens for that. Nor does it for a `Play` that plays other players too, or that comes before the ring could be heard: many
//! programs in sandboxes may press these buttons, and lock scripts and paired phones press those of every player.

use std::collections::HashMap;
use std::num::NonZero;
use std::time::Duration;

use ahoy_call::{DeclineReason, Moment, Others, Scope, State};
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, watch};
use zbus::conn::Builder;
use zbus::fdo::RequestNameFlags;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, Message, MessageStream, ObjectPath, OwnedVariant, Variant, interface};

use super::Asks;
use super::note::name;
use super::popup_content::Scene;
use crate::system::clock;
use crate::values::request::{CallRequest, Guard, Request, Verb, Which};

const NAME: &str = "org.mpris.MediaPlayer2.ahoy";
const PATH: &str = "/org/mpris/MediaPlayer2";
const PLAYER: &str = "org.mpris.MediaPlayer2.Player";
/// A key that several players get reaches them within this.
const TOGETHER: Duration = Duration::from_millis(300);
/// How long joining the bus, or saying something there, may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the player shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PlayerState {
    /// `Playing` while the microphone is open. So a headset that toggles sends `Play` to a ring and to a muted call, and
    /// `Pause` to an open one.
    playing: bool,
    title: String,
    who: String,
    track: String,
}

/// A button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Press {
    Toggle,
    Play,
    Pause,
    Stop,
}

impl PlayerState {
    fn of(scene: &Scene) -> Option<Self> {
        let row = scene.rings_first().or(scene.engaged.as_ref())?;
        let who = name(&row.name);
        let title = match row.view.state {
            State::Incoming | State::Waiting => format!("{who} is calling"),
            State::Dialing | State::Alerting => format!("Calling {who}"),
            State::Connecting | State::Active | State::Held | State::Reconnecting | State::Disconnected => {
                format!("Call with {who}")
            }
        };
        let playing = scene.ringing.is_empty() && !row.view.muted;
        let track = ahoy_dbus::call_path(&data_encoding::HEXLOWER.encode(&row.view.id.bytes()));
        Some(Self { playing, title, who, track })
    }

    fn status(&self) -> &'static str {
        if self.playing { "Playing" } else { "Paused" }
    }

    fn metadata(&self) -> HashMap<&'static str, Variant<'static>> {
        let track = ObjectPath::try_from(self.track.clone()).unwrap_or_default();
        HashMap::from([
            ("mpris:trackid", Variant::from(track)),
            ("xesam:title", Variant::from(self.title.clone())),
            ("xesam:artist", Variant::from(vec![self.who.clone()])),
        ])
    }
}

/// What a button means to these calls.
fn meaning(press: Press, scene: &Scene, now: Moment) -> Option<Request> {
    let of = |call, verb| {
        Some(Request::Call(CallRequest::Verb { call: Which::Id(call), verb, guard: Guard::default() }))
    };
    let rings = scene.rings_first().map(|row| row.view.id);
    let heard = scene.rings_first().is_some_and(|row| scene.could_be_heard(row, now));
    let engaged = scene.engaged.as_ref().map(|row| (row.view.id, row.view.muted));
    match (press, rings, engaged) {
        (Press::Toggle | Press::Play, Some(call), _) if heard => of(call, Verb::Answer(Others::Hold)),
        (Press::Toggle | Press::Play, Some(_), _) => {
            tracing::info!("a media key did not answer: the ring could not be heard yet");
            None
        }
        (Press::Stop, Some(call), _) => {
            let (reason, scope) = (DeclineReason::Declined, Scope::Everywhere);
            of(call, Verb::Decline { reason, scope, text: None })
        }
        (Press::Toggle, None, Some((call, muted))) => of(call, Verb::SetMuted(!muted)),
        (Press::Play, None, Some((call, _))) => of(call, Verb::SetMuted(false)),
        (Press::Pause, _, Some((call, _))) => of(call, Verb::SetMuted(true)),
        (Press::Stop, None, Some((call, _))) => of(call, Verb::HangUp),
        (Press::Pause, _, None) | (_, None, None) => None,
    }
}

/// It opens the microphone.
fn opens(request: &Request) -> bool {
    matches!(request, Request::Call(CallRequest::Verb { verb: Verb::Answer(_) | Verb::SetMuted(false), .. }))
}

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::popup_content::tests::{call, scene};
    use super::*;

    /// Two seconds after the rings began.
    const NOW: Moment = Moment::from_micros(3_000_000);

    fn rings(id: u8, name: &str, state: State) -> Arc<crate::values::board::CallRow> {
        let mut row = call(id, name, state);
        Arc::make_mut(&mut row).view.ringing = Some(Moment::from_micros(1_000_000));
        row
    }

    fn verb(press: Press, scene: &Scene) -> Option<(u8, Verb)> {
        verb_at(press, scene, NOW)
    }

    fn verb_at(press: Press, scene: &Scene, now: Moment) -> Option<(u8, Verb)> {
        let request = meaning(press, scene, now)?;
        let Request::Call(CallRequest::Verb { call: Which::Id(call), verb, .. }) = request else {
            panic!("{request:?}")
        };
        Some((call.bytes()[0], verb))
    }

    #[test]
    fn a_ring_is_answered_by_play_and_never_by_pause() {
        let ring = scene(vec![rings(1, "Ana", State::Incoming)]);
        for press in [Press::Toggle, Press::Play] {
            assert_eq!(verb(press, &ring), Some((1, Verb::Answer(Others::Hold))));
        }
        assert_eq!(verb(Press::Pause, &ring), None);
        assert!(matches!(verb(Press::Stop, &ring), Some((1, Verb::Decline { .. }))));
        assert!(!PlayerState::of(&ring).unwrap().playing, "so that a headset's button sends `Play`");
    }

    #[test]
    fn a_key_answers_only_a_ring_that_could_have_been_heard() {
        let answers = |scene: &Scene, now| verb_at(Press::Play, scene, now).is_some();
        let ring = scene(vec![rings(1, "Ana", State::Incoming)]);
        assert!(!answers(&ring, Moment::from_micros(1_999_999)), "not within its first second");
        assert!(answers(&ring, Moment::from_micros(2_000_000)));
        let mut silent = rings(1, "Ana", State::Incoming);
        Arc::make_mut(&mut silent).view.silenced = true;
        assert!(!answers(&scene(vec![silent]), NOW));
        let mut no_bell = scene(vec![rings(1, "Ana", State::Incoming)]);
        no_bell.bell = false;
        assert!(!answers(&no_bell, NOW), "the ringer is muted");
        let mut beside = scene(vec![call(1, "Ana", State::Active), rings(2, "Ben", State::Waiting)]);
        beside.bell = false;
        assert!(answers(&beside, NOW), "it sounds in the call");
        assert!(matches!(verb_at(Press::Stop, &no_bell, NOW), Some((1, Verb::Decline { .. }))));
    }

    #[test]
    fn a_call_is_muted_unmuted_and_hung_up() {
        let mut row = call(1, "Ana", State::Active);
        let open = scene(vec![Arc::clone(&row)]);
        Arc::make_mut(&mut row).view.muted = true;
        let muted = scene(vec![row]);
        assert_eq!(verb(Press::Toggle, &open), Some((1, Verb::SetMuted(true))));
        assert_eq!(verb(Press::Toggle, &muted), Some((1, Verb::SetMuted(false))));
        assert_eq!(verb(Press::Play, &muted), Some((1, Verb::SetMuted(false))));
        assert_eq!(verb(Press::Pause, &open), Some((1, Verb::SetMuted(true))));
        assert_eq!(verb(Press::Stop, &open), Some((1, Verb::HangUp)));
        let playing = |scene| PlayerState::of(scene).unwrap().playing;
        assert_eq!([&open, &muted].map(playing), [true, false]);
    }

    #[test]
    fn with_a_call_that_waits_the_keys_are_for_it_and_pause_still_mutes_the_other() {
        let both = scene(vec![call(1, "Ana", State::Active), rings(2, "Ben", State::Waiting)]);
        assert_eq!(verb(Press::Toggle, &both), Some((2, Verb::Answer(Others::Hold))));
        assert!(matches!(verb(Press::Stop, &both), Some((2, Verb::Decline { .. }))));
        assert_eq!(verb(Press::Pause, &both), Some((1, Verb::SetMuted(true))));
        assert_eq!(PlayerState::of(&both).unwrap().title, "Ben is calling");
    }

    #[test]
    fn without_a_call_there_is_no_player() {
        assert_eq!(PlayerState::of(&scene(vec![call(1, "Ana", State::Disconnected)])), None);
        assert_eq!(verb(Press::Toggle, &Scene::default()), None);
    }
}
