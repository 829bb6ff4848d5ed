//! The notification server as we meet it: what is asked of it, and which of its words are believed.
//!
//! Lives here: one connection for it, the calls `Notify` and `CloseNotification`, its signals.
//! Must not: decide what is shown. A signal counts only from the very connection that gave the note its number:
//! whoever else sends one is not heard.

use std::collections::HashMap;
use std::num::NonZero;
use std::time::Duration;

use futures_util::StreamExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zbus::conn::Builder;
use zbus::{Connection, Message, MessageStream, Variant};

use super::icon;
use super::note::Note;
use crate::system::clock;

const SERVER: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// How long joining the bus may take.
const JOIN: Duration = Duration::from_secs(2);
/// How long the server may take to close a note. Nobody waits for it but the end of the connection.
const CLOSE: Duration = Duration::from_secs(2);
/// The reasons of `NotificationClosed`: the server's own time for it was over; a person closed it.
const EXPIRED: u32 = 1;
const DISMISSED: u32 = 2;

/// A connection to the session bus, for the notification server alone.
#[derive(Debug)]
pub(super) struct Server {
    bus: Connection,
    /// For [`Self::signal`]; always read, because a full queue would hold up the whole connection.
    pub(super) signals: MessageStream,
    /// For [`Self::owner`].
    pub(super) owners: MessageStream,
}

/// What the server, or the bus about it, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A button was pressed.
    Pressed { by: String, id: u32, button: String },
    /// A note has gone.
    Closed { by: String, id: u32, why: Why },
    /// Another connection is the server now; none if empty.
    Owner(String),
    /// The connection is gone.
    Lost,
}

/// Why a note has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The server took it away when it thought that it had been there long enough.
    Expired,
    /// A person closed it.
    Dismissed,
    /// The server went, or does not say.
    Unknown,
}

/// A note that the server has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The server's unique name on the bus.
    pub(super) by: String,
    /// Its number of the note.
    pub(super) id: u32,
}

impl Server {
    /// Joins the session bus, or the one at that address. Listens before anything is shown.
    pub(super) async fn join(address: Option<&str>) -> zbus::Result<Self> {
        let joined = async {
            let builder = address.map_or_else(Builder::session, Builder::address);
            let bus = builder.build().await?;
            let signals = format!("type='signal',sender='{SERVER}',interface='{SERVER}',path='{PATH}'");
            let signals = MessageStream::for_match_rule(signals.as_str(), &bus, NonZero::new(64)).await?;
            let of_the_bus = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'";
            let owners = format!("{of_the_bus},arg0='{SERVER}'");
            let owners = MessageStream::for_match_rule(owners.as_str(), &bus, NonZero::new(16)).await?;
            Ok(Self { bus, signals, owners })
        };
        clock::timeout(JOIN, joined).await.unwrap_or(Err(zbus::Error::InvalidReply))
    }

    /// Who the server is, whenever that changes.
    pub(super) async fn owner(owners: &mut MessageStream) -> Word {
        Self::word(owners, owner).await
    }

    /// What a server, or somebody in its place, says of notes.
    pub(super) async fn signal(signals: &mut MessageStream) -> Word {
        Self::word(signals, signal).await
    }

    async fn word(stream: &mut MessageStream, read: impl Fn(&Message) -> Option<Word>) -> Word {
        loop {
            match stream.next().await {
                Some(Ok(message)) => {
                    if let Some(word) = read(&message) {
                        return word;
                    }
                }
                Some(Err(_)) | None => return Word::Lost,
            }
        }
    }

    /// The call that shows a note, in the place of the one with that number (0: a new one). It has no time limit:
    /// whoever forgets it could not take the note off the screen again.
    pub(super) fn show(
        &self,
        note: Note,
        replaces: u32,
    ) -> impl Future<Output = zbus::Result<Taken>> + Send + use<> {
        let bus = self.bus.clone();
        async move {
            let able = bus.call_method(Some(SERVER), PATH, Some(SERVER), "GetCapabilities", &()).await?;
            let able: Vec<String> = able.body().deserialize()?;
            let able = |what: &str| able.iter().any(|one| one == what);
            let body = body(&note, able("body-markup"), able("actions"));
            let buttons: Vec<&str> =
                note.buttons.iter().flat_map(|(key, label)| [*key, label.as_str()]).collect();
            let hints = hints(&note);
            let arguments =
                ("ahoy", replaces, "", note.summary.as_str(), body.as_str(), buttons, hints, NEVER);
            let reply = bus.call_method(Some(SERVER), PATH, Some(SERVER), "Notify", &arguments).await?;
            let by = reply.header().sender().map(ToString::to_string).unwrap_or_default();
            Ok(Taken { by, id: reply.body().deserialize()? })
        }
    }

    /// The call that takes a note off the screen. One that is gone already is fine.
    pub(super) fn close(&self, taken: Taken) -> impl Future<Output = ()> + Send + use<> {
        let bus = self.bus.clone();
        async move {
            let close =
                bus.call_method(Some(taken.by.as_str()), PATH, Some(SERVER), "CloseNotification", &taken.id);
            match clock::timeout(CLOSE, close).await {
                Ok(Ok(_done)) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a note could not be closed"),
                Err(_over) => tracing::debug!("the notification server does not close notes"),
            }
        }
    }
}

/// Notes do not expire: they go when what they are about has gone.
const NEVER: i32 = 0;

fn hints(note: &Note) -> HashMap<&'static str, Variant<'static>> {
    let picture = match note.picture.as_str() {
        "" => ("image-data", icon::image(note.icon)),
        file if file.starts_with('/') => {
            ("image-path", Variant::from(format!("file://{}", utf8_percent_encode(file, PATH_SET))))
        }
        name => ("image-path", Variant::from(name.to_owned())),
    };
    HashMap::from([
        ("urgency", Variant::from(if note.urgent { 2_u8 } else { 1_u8 })),
        ("category", Variant::from(note.category)),
        ("desktop-entry", Variant::from("org.ahoyd.Ahoy")),
        picture,
        // The ring has its own sound, on its own devices.
        ("suppress-sound", Variant::from(true)),
    ])
}

/// What is not itself in a path as a URI has it (RFC 3986).
const PATH_SET: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn body(note: &Note, markup: bool, buttons: bool) -> String {
    let mut body = note.body.clone();
    if !buttons && !note.buttons.is_empty() {
        if !body.is_empty() {
            body.push('\n');
        }
        body.push_str(note.without_buttons);
    }
    // To servers that read the body as markup, words of others must stay words.
    if markup { quick_xml::escape::escape(body).into_owned() } else { body }
}

fn signal(message: &Message) -> Option<Word> {
    let header = message.header();
    let by = header.sender()?.to_string();
    let body = message.body();
    match header.member()?.as_str() {
        "ActionInvoked" => {
            let (id, button) = body.deserialize().ok()?;
            Some(Word::Pressed { by, id, button })
        }
        "NotificationClosed" => {
            let (id, reason): (u32, u32) = body.deserialize().ok()?;
            let why = match reason {
                EXPIRED => Why::Expired,
                DISMISSED => Why::Dismissed,
                _ => Why::Unknown,
            };
            Some(Word::Closed { by, id, why })
        }
        _ => None,
    }
}

fn owner(message: &Message) -> Option<Word> {
    let header = message.header();
    // The bus itself, and nobody who speaks to us directly.
    if header.sender()?.as_str() != "org.freedesktop.DBus" {
        return None;
    }
    let (_, _, new): (String, String, String) = message.body().deserialize().ok()?;
    Some(Word::Owner(new))
}

#[cfg(test)]
mod tests {
    use super::super::note::tests::note;
    use super::*;

    #[test]
    fn words_of_others_are_no_markup() {
        let note = note("<b>fire</b> & \"flood\"");
        assert_eq!(body(&note, true, true), "&lt;b&gt;fire&lt;/b&gt; &amp; &quot;flood&quot;");
        assert_eq!(body(&note, false, true), "<b>fire</b> & \"flood\"");
    }

    #[test]
    fn a_contact_with_a_picture_is_shown_with_it() {
        let with = |picture: &str| {
            let note = Note { picture: picture.to_owned(), ..note("") };
            let hints = hints(&note);
            assert_eq!(hints.contains_key("image-data"), picture.is_empty());
            hints.get("image-path").map(|path| path.downcast_ref::<String>().unwrap())
        };
        assert_eq!(with(""), None);
        assert_eq!(with("/srv/a/Ana B.png").as_deref(), Some("file:///srv/a/Ana%20B.png"));
        assert_eq!(with("avatar-default").as_deref(), Some("avatar-default"));
    }
}
