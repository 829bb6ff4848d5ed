//! A notification server that does as it is told, and tells what it was asked for.
//!
//! Lives here: the server's side of org.freedesktop.Notifications on any bus.
//! Must not: draw anything, or judge what it was asked for.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedVariant, interface};

use crate::bus::PrivateBus;

const PATH: &str = "/org/freedesktop/Notifications";
const NAME: &str = "org.freedesktop.Notifications";
/// What is waited for comes within this, also on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a notification server was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// To show this.
    Notify {
        /// Which number it was given.
        id: u32,
        /// Which one it takes the place of; 0 for none.
        replaces: u32,
        /// The program that asked.
        app: String,
        /// A name of the icon theme; empty for none.
        icon: String,
        /// The first line.
        summary: String,
        /// The rest.
        body: String,
        /// Keys and labels in turn.
        buttons: Vec<String>,
        /// 0 low, 1 normal, 2 critical. 1 if none was asked for.
        urgency: u8,
        /// What kind of thing it is about; empty if that was not said.
        category: String,
        /// The application's desktop file; empty if that was not said.
        entry: String,
    },
    /// To take that one off.
    Close(u32),
}

/// A notification server.
#[derive(Debug)]
pub struct Server {
    /// It is this one on the bus.
    pub bus: Connection,
    told: mpsc::Receiver<Told>,
}

struct Desktop {
    told: mpsc::Sender<Told>,
    last: u32,
    able: Vec<&'static str>,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Desktop {
    fn get_capabilities(&self) -> Vec<&'static str> {
        self.able.clone()
    }

    #[expect(clippy::too_many_arguments, reason = "the notification specification has eight")]
    async fn notify(
        &mut self,
        app: String,
        replaces: u32,
        icon: String,
        summary: String,
        body: String,
        buttons: Vec<String>,
        hints: HashMap<String, OwnedVariant>,
        _expires: i32,
    ) -> u32 {
        if replaces == 0 {
            self.last += 1;
        }
        let id = if replaces == 0 { self.last } else { replaces };
        let urgency = hints.get("urgency").and_then(|hint| u8::try_from(hint).ok()).unwrap_or(1);
        let word = |key| hints.get(key).and_then(|hint| <&str>::try_from(hint).ok()).unwrap_or_default();
        let (category, entry) = (word("category").to_owned(), word("desktop-entry").to_owned());
        let told = Told::Notify { id, replaces, app, icon, summary, body, buttons, urgency, category, entry };
        self.tell(told).await;
        id
    }

    async fn close_notification(&self, id: u32) {
        self.tell(Told::Close(id)).await;
    }
}

impl Desktop {
    /// Whoever does not look any more knows enough.
    async fn tell(&self, told: Told) {
        drop(self.told.send(told).await);
    }
}

impl Server {
    /// With buttons and markup; its numbers begin after `last`.
    pub async fn come(bus: &PrivateBus, last: u32) -> Self {
        Self::able(bus, last, vec!["actions", "body", "body-markup"]).await
    }

    /// The same, able to do just that.
    pub async fn able(bus: &PrivateBus, last: u32, able: Vec<&'static str>) -> Self {
        let address: &str = &bus.address();
        let builder = zbus::conn::Builder::address(address);
        let bus = builder.method_timeout(PATIENCE).build().await.expect("the bus is there");
        Self::on(bus, last, able).await.expect("nobody else serves there")
    }

    /// The same on a connection that is there.
    pub async fn on(bus: Connection, last: u32, able: Vec<&'static str>) -> zbus::Result<Self> {
        let (told_out, told) = mpsc::channel(64);
        bus.object_server().at(PATH, Desktop { told: told_out, last, able }).await?;
        bus.request_name(NAME).await?;
        Ok(Self { bus, told })
    }

    /// What it was asked for next.
    pub async fn told(&mut self) -> Told {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        told.expect("it comes in time").expect("the server lives")
    }

    /// The number and first line of the next note.
    pub async fn shown(&mut self) -> (u32, String) {
        match self.told().await {
            Told::Notify { id, summary, .. } => (id, summary),
            Told::Close(id) => panic!("{id} was closed"),
        }
    }

    /// Which note is taken off next.
    pub async fn closed(&mut self) -> u32 {
        match self.told().await {
            Told::Close(id) => id,
            told @ Told::Notify { .. } => panic!("{told:?}"),
        }
    }

    /// Whether it was asked for nothing since the last question.
    pub fn told_nothing(&mut self) -> bool {
        self.told.try_recv().is_err()
    }

    /// Says that a button was pressed.
    pub async fn press(&self, id: u32, button: &str) {
        press(&self.bus, None, id, button).await;
    }

    /// Says that a note has gone: 2 by a person, others for reasons of its own.
    pub async fn gone(&self, id: u32, reason: u32) {
        let emitter = SignalEmitter::new(&self.bus, PATH).expect("a good path");
        emitter.emit(NAME, "NotificationClosed", &(id, reason)).await.expect("the bus is there");
    }

    /// Leaves the bus without a word.
    pub async fn go(self) {
        self.bus.close().await.expect("the bus is there");
    }
}

/// Says, as whoever is on that connection, that a button was pressed; to all or to one.
pub async fn press(bus: &Connection, to: Option<&str>, id: u32, button: &str) {
    let emitter = SignalEmitter::new(bus, PATH).expect("a good path");
    let emitter = match to {
        Some(to) => emitter.set_destination(to.to_owned().try_into().expect("a name on the bus")),
        None => emitter,
    };
    emitter.emit(NAME, "ActionInvoked", &(id, button)).await.expect("the bus is there");
}
