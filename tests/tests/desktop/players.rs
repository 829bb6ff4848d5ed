//! Players that play, and the daemon as one of them.
//!
//! Lives here: who is paused and goes on, and what media keys do.
//! Must not: know a notification.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::time::Duration;

use ahoy_call::{CallId, Others, State};
use ahoyd::values::request::{CallRequest, Request, Verb, Which};
use tokio::sync::mpsc;
use zbus::{Connection, OwnedVariant, interface};

use super::rig::{Rig, call, rings, until, within};

const PATH: &str = "/org/mpris/MediaPlayer2";
const OWN: &str = "org.mpris.MediaPlayer2.ahoy";
const PLAYER: &str = "org.mpris.MediaPlayer2.Player";
/// Twice as long as a key waits for word that other players got it too, and some.
const LATER: Duration = Duration::from_millis(700);

/// A player on a connection of its own.
struct Player {
    bus: Connection,
    orders: mpsc::Receiver<&'static str>,
}

struct Music {
    status: &'static str,
    orders: mpsc::Sender<&'static str>,
    hangs: bool,
}

#[interface(name = "org.mpris.MediaPlayer2.Player")]
impl Music {
    async fn pause(&mut self, #[zbus(signal_emitter)] emitter: zbus::object_server::SignalEmitter<'_>) {
        self.orders.send("Pause").await.unwrap();
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.status = "Paused";
        self.playback_status_changed(&emitter).await.unwrap();
    }

    async fn play(&mut self, #[zbus(signal_emitter)] emitter: zbus::object_server::SignalEmitter<'_>) {
        self.status = "Playing";
        self.playback_status_changed(&emitter).await.unwrap();
        self.orders.send("Play").await.unwrap();
    }

    #[zbus(property)]
    fn playback_status(&self) -> &'static str {
        self.status
    }

    #[zbus(property)]
    fn can_pause(&self) -> bool {
        true
    }
}

impl Player {
    async fn start(rig: &Rig, name: &str, status: &'static str) -> Self {
        Self::new(rig, name, status, false).await
    }

    async fn new(rig: &Rig, name: &str, status: &'static str, hangs: bool) -> Self {
        let (orders_out, orders) = mpsc::channel(16);
        let bus = rig.connect().await;
        bus.object_server().at(PATH, Music { status, orders: orders_out, hangs }).await.unwrap();
        bus.request_name(format!("org.mpris.MediaPlayer2.{name}")).await.unwrap();
        Self { bus, orders }
    }

    async fn told(&mut self) -> &'static str {
        within(self.orders.recv()).await.unwrap()
    }

    fn told_nothing(&mut self) -> bool {
        self.orders.try_recv().is_err()
    }

    /// A person does something to it.
    async fn set(&self, status: &'static str) {
        let music = self.bus.object_server().interface::<_, Music>(PATH).await.unwrap();
        let mut player = music.get_mut().await;
        player.status = status;
        player.playback_status_changed(music.signal_emitter()).await.unwrap();
    }
}

#[tokio::test]
async fn players_that_play_are_paused_and_those_alone_go_on() {
    let rig = Rig::start();
    let mut one = Player::start(&rig, "one", "Playing").await;
    let mut two = Player::start(&rig, "two", "Playing").await;
    let mut paused = Player::start(&rig, "paused", "Paused").await;
    let mut stand_in = Player::start(&rig, "playerctld", "Playing").await;
    rig.show(vec![call(1, "Ana", State::Incoming)]);
    assert_eq!((one.told().await, two.told().await), ("Pause", "Pause"));
    rig.show(vec![call(1, "Ana", State::Active)]);
    rig.show(vec![call(1, "Ana", State::Disconnected)]);
    assert_eq!((one.told().await, two.told().await), ("Play", "Play"));
    assert!(paused.told_nothing() && stand_in.told_nothing() && one.told_nothing() && two.told_nothing());
}

#[tokio::test]
async fn what_a_person_did_to_a_player_meanwhile_stays() {
    let rig = Rig::start();
    let mut untouched = Player::start(&rig, "untouched", "Playing").await;
    let mut stopped = Player::start(&rig, "stopped", "Playing").await;
    let mut restarted = Player::start(&rig, "restarted", "Playing").await;
    let mut begun = Player::start(&rig, "begun", "Paused").await;
    rig.show(vec![call(1, "Ana", State::Incoming)]);
    for player in [&mut untouched, &mut stopped, &mut restarted] {
        assert_eq!(player.told().await, "Pause");
    }
    // A later look of the port at the player comes after this, as all of one connection's words do.
    super::rooms::settled(&rig).await;
    stopped.set("Stopped").await;
    restarted.set("Playing").await;
    restarted.set("Paused").await;
    begun.set("Playing").await;
    rig.show(vec![]);
    assert_eq!(untouched.told().await, "Play");
    super::rooms::settled(&rig).await;
    assert!(stopped.told_nothing(), "the person stopped it");
    assert!(restarted.told_nothing(), "the person played and paused it");
    assert!(begun.told_nothing(), "the person began it");
}

#[tokio::test]
async fn a_player_that_hangs_holds_up_neither_the_others_nor_the_pop_up() {
    let (rig, mut server) = Rig::with_server().await;
    let mut hanging = Player::new(&rig, "a", "Playing", true).await;
    let mut healthy = Player::start(&rig, "b", "Playing").await;
    rig.show(vec![call(1, "Ana", State::Incoming)]);
    assert_eq!((hanging.told().await, healthy.told().await), ("Pause", "Pause"));
    server.shown().await;
    rig.show(vec![]);
    server.closed().await;
    assert_eq!(healthy.told().await, "Play");
}

#[tokio::test]
async fn a_ring_without_sound_disturbs_no_music_and_a_dial_does() {
    let rig = Rig::start();
    let mut music = Player::start(&rig, "one", "Playing").await;
    let mut server = super::rig::Server::come(&rig.bus, 0).await;
    let mut silent = call(1, "Ana", State::Incoming);
    silent.view.silenced = true;
    rig.show(vec![silent]);
    server.shown().await;
    super::rooms::settled(&rig).await;
    assert!(music.told_nothing());
    rig.show(vec![call(2, "Ben", State::Dialing)]);
    assert_eq!(music.told().await, "Pause");
}

/// Media keys as a desktop sends them.
struct Keys {
    bus: Connection,
}

impl Keys {
    /// Once the daemon is a player.
    async fn find(rig: &Rig) -> Self {
        let keys = Self { bus: rig.connect().await };
        until(&keys.bus, async || keys.there().await.then_some(())).await;
        keys
    }

    async fn there(&self) -> bool {
        let dbus = zbus::fdo::DBusProxy::new(&self.bus).await.unwrap();
        dbus.name_has_owner(OWN.try_into().unwrap()).await.unwrap()
    }

    async fn press(&self, key: &str) {
        self.bus.call_method(Some(OWN), PATH, Some(PLAYER), key, &()).await.unwrap();
    }

    async fn property(&self, interface: &str, name: &str) -> OwnedVariant {
        let properties = Some("org.freedesktop.DBus.Properties");
        let reply =
            self.bus.call_method(Some(OWN), PATH, properties, "Get", &(interface, name)).await.unwrap();
        reply.body().deserialize().unwrap()
    }

    /// Waits for a status that follows the boards.
    async fn status(&self, wanted: &str) {
        let shown = async || {
            let status = self.property(PLAYER, "PlaybackStatus").await;
            (<&str>::try_from(&status).unwrap() == wanted).then_some(())
        };
        until(&self.bus, shown).await;
    }
}

fn verb(request: &Request) -> &Verb {
    let id = CallId::from_bytes([1; 16]);
    let Request::Call(CallRequest::Verb { call: Which::Id(call), verb, .. }) = request else {
        panic!("{request:?}")
    };
    assert_eq!(*call, id);
    verb
}

#[tokio::test]
async fn media_keys_answer_mute_and_hang_up_and_the_player_goes_with_the_call() {
    let mut rig = Rig::start();
    rig.show(vec![rings(1, "Ana")]);
    let keys = Keys::find(&rig).await;
    keys.status("Paused").await;
    let metadata = format!("{:?}", keys.property(PLAYER, "Metadata").await);
    assert!(metadata.contains("Ana is calling"), "{metadata}");
    keys.property("org.mpris.MediaPlayer2", "Identity").await;
    // Whatever pauses all players opens no microphone.
    keys.press("Pause").await;
    keys.press("PlayPause").await;
    assert_eq!(*verb(&rig.asks().await.what), Verb::Answer(Others::Hold));
    rig.show(vec![call(1, "Ana", State::Active)]);
    keys.status("Playing").await;
    keys.press("PlayPause").await;
    assert_eq!(*verb(&rig.asks().await.what), Verb::SetMuted(true));
    let mut muted = call(1, "Ana", State::Active);
    muted.view.muted = true;
    rig.show(vec![muted]);
    keys.status("Paused").await;
    keys.press("Play").await;
    assert_eq!(*verb(&rig.asks().await.what), Verb::SetMuted(false));
    keys.press("Stop").await;
    assert_eq!(*verb(&rig.asks().await.what), Verb::HangUp);
    rig.show(vec![call(1, "Ana", State::Disconnected)]);
    until(&keys.bus, async || (!keys.there().await).then_some(())).await;
    assert!(rig.asks_nothing());
}

#[tokio::test]
async fn a_key_that_plays_other_players_too_opens_no_microphone_whoever_gets_it_first() {
    let mut rig = Rig::start();
    let mut music = Player::start(&rig, "one", "Playing").await;
    rig.show(vec![rings(1, "Ana")]);
    assert_eq!(music.told().await, "Pause");
    let keys = Keys::find(&rig).await;
    // What `playerctl -a play` does: every player there is gets it, ours among them.
    keys.press("Play").await;
    music.set("Playing").await;
    assert!(rig.asks_nothing_for(LATER).await, "ours was first");
    music.set("Paused").await;
    music.set("Playing").await;
    keys.press("Play").await;
    assert!(rig.asks_nothing_for(LATER).await, "the other was first");
    keys.press("Play").await;
    assert_eq!(*verb(&rig.asks().await.what), Verb::Answer(Others::Hold), "this one is for us alone");
}

#[tokio::test]
async fn a_key_that_comes_before_the_ring_was_heard_opens_no_microphone() {
    let mut rig = Rig::start();
    rig.show(vec![rings(1, "Ana")]);
    let keys = Keys::find(&rig).await;
    let mut young = call(1, "Ana", State::Incoming);
    young.view.ringing = Some(ahoyd::system::clock::now());
    rig.show(vec![young]);
    keys.status("Paused").await;
    super::rooms::settled(&rig).await;
    keys.press("Play").await;
    // A key waits for so long, and is forgotten with the next one.
    assert!(rig.asks_nothing_for(LATER).await, "it did not answer");
    keys.press("Stop").await;
    assert!(matches!(verb(&rig.asks().await.what), Verb::Decline { .. }));
    assert!(rig.asks_nothing());
}
