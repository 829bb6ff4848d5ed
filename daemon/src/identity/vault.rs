//! Our keys in the Secret Service of the desktop (org.freedesktop.secrets).
//!
//! Lives here: looking for them, keeping them, taking them out; each failure as a person must know it.
//! Must not: make a key; ask the person anything unless that is wanted; wait for ever.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use zbus::{Connection, DBusError as _, OwnedObjectPath, OwnedVariant, Proxy, Variant};
use zeroize::Zeroizing;

use super::wrapped::{ALGORITHM, Half, Key};
use crate::system::clock;

const SERVICE: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
/// What no object is called.
const NONE: &str = "/";
/// By this our secret is found among those of other programs.
const SCHEMA: &str = "org.ahoyd.Account";
/// How long one answer may take; a desktop may have to start the service first.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a person may think about a question.
const THOUGHT: Duration = Duration::from_secs(300);

/// Why the keys are not to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// Nobody serves it.
    #[error("there is no Secret Service on the session bus: start gnome-keyring, KWallet or KeePassXC")]
    Absent,
    /// The person has to unlock it.
    #[error("the keyring is locked: unlock it, and ahoyd goes on by itself")]
    Locked,
    /// The person was asked and did not want to.
    #[error(
        "the keyring is locked, and the question for its password was dismissed: unlock it, and ahoyd goes on by itself"
    )]
    Dismissed,
    /// It has no keyring yet.
    #[error("the Secret Service has no default keyring: make one, for example with seahorse")]
    NoKeyring,
    /// It is there and has no such secret.
    #[error(
        "the keys of this account are not in the Secret Service any more: bring them back there, or import the account"
    )]
    Lost,
    /// It did not answer in time.
    #[error("the Secret Service does not answer")]
    Silent,
    /// Anything else.
    #[error("the Secret Service refuses: {0}")]
    Refused(String),
}

impl From<zbus::Error> for Trouble {
    fn from(error: zbus::Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "another library's errors")]
        let name = match &error {
            zbus::Error::MethodError(name, ..) => name.to_string(),
            zbus::Error::FDO(error) => error.name().to_string(),
            // No bus at all, or one that went.
            zbus::Error::InputOutput(_) | zbus::Error::Address(_) | zbus::Error::Handshake(_) => {
                return Self::Absent;
            }
            _ => String::new(),
        };
        match name.strip_prefix("org.freedesktop.") {
            Some("DBus.Error.ServiceUnknown" | "DBus.Error.NameHasNoOwner") => Self::Absent,
            Some("Secret.Error.IsLocked") => Self::Locked,
            Some("DBus.Error.NoReply") => Self::Silent,
            Some(_) | None => Self::Refused(error.to_string()),
        }
    }
}

/// Whether the person may be asked for the keyring's password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// They see a question, if it is locked.
    Person,
    /// Nobody is disturbed.
    Nobody,
}

/// A session with the service.
pub(super) struct Vault {
    bus: Connection,
    session: OwnedObjectPath,
    key: Key,
}

/// A secret as it travels: session, parameter, value, kind.
type Secret = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

impl Vault {
    /// Joins the bus and opens a session.
    pub(super) async fn open() -> Result<Self, Trouble> {
        in_time(async {
            let bus = Connection::session().await?;
            let mut chance = Zeroizing::new([0; 128]);
            getrandom::fill(&mut chance[..]).map_err(|error| Trouble::Refused(error.to_string()))?;
            let half = Half::of(chance);
            let service = proxy(&bus, ROOT, "Service").await?;
            let ours = Variant::from(half.public().to_vec());
            let (theirs, session): (OwnedVariant, OwnedObjectPath) =
                service.call("OpenSession", &(ALGORITHM, ours)).await?;
            let theirs: Vec<u8> =
                Vec::try_from(theirs).map_err(|error| Trouble::Refused(error.to_string()))?;
            let key = half
                .key(&theirs)
                .ok_or_else(|| Trouble::Refused("its half of the exchange is none".to_owned()))?;
            Ok(Self { bus, session, key })
        })
        .await
    }

    /// What is kept for this account.
    pub(super) async fn find(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Trouble> {
        let Some(item) = self.item(Some(account), Ask::Nobody).await? else { return Ok(None) };
        let read = in_time(async {
            let item = proxy(&self.bus, item.as_str(), "Item").await?;
            let (_, parameter, value, _): Secret = item.call("GetSecret", &(&self.session,)).await?;
            Ok(self.key.unwrap(&parameter, &value))
        });
        read.await?
            .map(Some)
            .ok_or_else(|| Trouble::Refused("its secret is wrapped by another key".to_owned()))
    }

    /// Whether the keys of this account are to be had; without one, whether those of a new one could be kept.
    pub(super) async fn is_ready(&self, account: Option<&str>, ask: Ask) -> Result<(), Trouble> {
        let found = self.item(account, ask).await?;
        if account.is_some() && found.is_none() { Err(Trouble::Lost) } else { Ok(()) }
    }

    /// Keeps this for the account, in the place of what was kept for it.
    pub(super) async fn keep(&self, account: &str, name: &str, secret: &[u8]) -> Result<(), Trouble> {
        let mut parameter = [0; 16];
        getrandom::fill(&mut parameter).map_err(|error| Trouble::Refused(error.to_string()))?;
        let wrapped = self.key.wrap(&parameter, secret);
        let prompt = in_time(async {
            let keyring = self.keyring().await?;
            let label = format!("ahoy: the keys of {name}");
            let properties = HashMap::from([
                ("org.freedesktop.Secret.Item.Label", Variant::from(label)),
                ("org.freedesktop.Secret.Item.Attributes", Variant::from(attributes(Some(account)))),
            ]);
            let secret = (&self.session, parameter.to_vec(), wrapped, "application/json");
            let (_, prompt): (OwnedObjectPath, OwnedObjectPath) =
                keyring.call("CreateItem", &(properties, secret, true)).await?;
            Ok(prompt)
        });
        match prompt.await? {
            prompt if prompt.as_str() == NONE => Ok(()),
            // It wants to ask the person first: whoever waits here does not.
            _asks => Err(Trouble::Locked),
        }
    }

    /// Takes out what is kept for the account.
    pub(super) async fn forget(&self, account: &str) -> Result<(), Trouble> {
        let Some(item) = self.item(Some(account), Ask::Nobody).await? else { return Ok(()) };
        in_time(async {
            let item = proxy(&self.bus, item.as_str(), "Item").await?;
            let prompt: OwnedObjectPath = item.call("Delete", &()).await?;
            if prompt.as_str() == NONE { Ok(()) } else { Err(Trouble::Locked) }
        })
        .await
    }

    /// Waits until the service says that something of it has changed, or comes or goes.
    pub(super) async fn changes(bus: &Connection) -> Result<impl Future<Output = ()>, Trouble> {
        let rule = |interface: &str, member: &str, more: &str| {
            format!("type='signal',interface='{interface}',member='{member}'{more}")
        };
        let rules = [
            rule("org.freedesktop.DBus", "NameOwnerChanged", ",arg0='org.freedesktop.secrets'"),
            rule(
                "org.freedesktop.DBus.Properties",
                "PropertiesChanged",
                ",path_namespace='/org/freedesktop/secrets'",
            ),
            rule("org.freedesktop.Secret.Service", "CollectionChanged", ""),
        ];
        let messages = zbus::MessageStream::from(bus);
        let daemon = zbus::fdo::DBusProxy::new(bus).await?;
        for rule in &rules {
            daemon.add_match_rule(rule.as_str().try_into()?).await.map_err(zbus::Error::from)?;
        }
        Ok(async move {
            // To be on a bus is told by a signal, too.
            let tells = |it: &zbus::Message| {
                let member = it.header().member().is_some_and(|name| name != "NameAcquired");
                it.message_type() == zbus::message::Type::Signal && member
            };
            let mut signals =
                Box::pin(messages.filter(move |it| std::future::ready(it.as_ref().is_ok_and(tells))));
            if signals.next().await.is_none() {
                // The bus went, and the daemon with it before long.
                std::future::pending::<()>().await;
            }
        })
    }

    /// The one that is kept, unlocked.
    async fn item(&self, account: Option<&str>, ask: Ask) -> Result<Option<OwnedObjectPath>, Trouble> {
        let (open, locked) = self.search(account).await?;
        if let Some(item) = open.into_iter().next() {
            return Ok(Some(item));
        }
        let shut = match locked.into_iter().next() {
            Some(item) => item,
            // Some services do not look into what is locked.
            None => {
                let keyring = in_time(self.keyring()).await?;
                let is_locked: bool = in_time(async { Ok(keyring.get_property("Locked").await?) }).await?;
                if !is_locked {
                    return Ok(None);
                }
                OwnedObjectPath::from(keyring.path().to_owned())
            }
        };
        if ask == Ask::Nobody {
            return Err(Trouble::Locked);
        }
        self.unlock(&shut).await?;
        Ok(self.search(account).await?.0.into_iter().next())
    }

    async fn search(
        &self,
        account: Option<&str>,
    ) -> Result<(Vec<OwnedObjectPath>, Vec<OwnedObjectPath>), Trouble> {
        in_time(async {
            let service = proxy(&self.bus, ROOT, "Service").await?;
            Ok(service.call("SearchItems", &(attributes(account),)).await?)
        })
        .await
    }

    /// Where new secrets go.
    async fn keyring(&self) -> Result<Proxy<'static>, Trouble> {
        let service = proxy(&self.bus, ROOT, "Service").await?;
        let keyring: OwnedObjectPath = service.call("ReadAlias", &("default",)).await?;
        if keyring.as_str() == NONE {
            return Err(Trouble::NoKeyring);
        }
        proxy(&self.bus, keyring.as_str(), "Collection").await
    }

    /// Unlocks an item or a keyring, with a question to the person if the service has one.
    async fn unlock(&self, what: &OwnedObjectPath) -> Result<(), Trouble> {
        let prompt = in_time(async {
            let service = proxy(&self.bus, ROOT, "Service").await?;
            let (_, prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) =
                service.call("Unlock", &(vec![what],)).await?;
            Ok(prompt)
        })
        .await?;
        if prompt.as_str() == NONE {
            return Ok(());
        }
        let asked = async {
            let prompt = proxy(&self.bus, prompt.as_str(), "Prompt").await?;
            let mut over = prompt.receive_signal("Completed").await?;
            prompt.call::<_, _, ()>("Prompt", &("",)).await?;
            let message = over.next().await.ok_or(Trouble::Absent)?;
            let (dismissed, _): (bool, OwnedVariant) = message.body().deserialize()?;
            if dismissed { Err(Trouble::Dismissed) } else { Ok(()) }
        };
        clock::timeout(THOUGHT, asked).await.unwrap_or(Err(Trouble::Dismissed))
    }
}

fn attributes(account: Option<&str>) -> HashMap<String, String> {
    let named = account.map(|account| ("account".to_owned(), account.to_owned()));
    [("xdg:schema".to_owned(), SCHEMA.to_owned())].into_iter().chain(named).collect()
}

async fn proxy(bus: &Connection, path: &str, interface: &str) -> Result<Proxy<'static>, Trouble> {
    let (path, interface) = (path.to_owned(), format!("org.freedesktop.Secret.{interface}"));
    let made = zbus::proxy::Builder::new(bus)
        .destination(SERVICE)
        .path(path)
        .interface(interface)
        .cache_properties(zbus::proxy::CacheProperties::No)
        .build()
        .await?;
    Ok(made)
}

async fn in_time<T>(asked: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    clock::timeout(PATIENCE, asked).await.unwrap_or(Err(Trouble::Silent))
}
