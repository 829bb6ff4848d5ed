//! Keys that lie in the Secret Service, and their way there and back.
//!
//! Lives here: which of the two places counts, moving from one to the other so that each moment has one whole copy at least,
//! waiting for a keyring that is locked or not there.
//! Must not: make a new account because the keys of one cannot be read.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ahoy_proto::identity::peer_id;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use zbus::Connection;
use zeroize::{Zeroize as _, Zeroizing};

use super::vault::{Ask, Trouble, Vault};
use super::{Begun, IdentityError, Stored, bring_up, make, now_s, revive, save};
use crate::system::clock;
use crate::values::keys::KeysIn;
use crate::values::own::{Account, KeysNews, Own};

/// The version of a file whose keys lie in the Secret Service.
pub(super) const APART: u32 = 3;

/// Between two looks for keys that are waited for.
const AGAIN: Duration = Duration::from_millis(500);

/// What lies there.
#[derive(Serialize, Deserialize)]
struct Secrets {
    account: Option<String>,
    device: String,
    noise: String,
    inboxes: std::collections::BTreeMap<String, String>,
}

impl Drop for Secrets {
    fn drop(&mut self) {
        let secrets = [&mut self.device, &mut self.noise].into_iter().chain(&mut self.account);
        secrets.for_each(|secret| secret.zeroize());
        self.inboxes.values_mut().for_each(|secret| secret.zeroize());
    }
}

impl Stored {
    /// Its keys lie in the Secret Service.
    pub(super) fn is_apart(&self) -> bool {
        self.version == APART
    }

    fn secrets(&self) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let secrets = Secrets {
            account: self.account.clone(),
            device: self.device.clone(),
            noise: self.noise.clone(),
            inboxes: self.inboxes.clone(),
        };
        serde_json::to_vec(&secrets).map(Zeroizing::new).map_err(|error| Trouble::Refused(error.to_string()))
    }

    /// As its file is while the keys lie elsewhere.
    fn without_secrets(&self) -> Self {
        let mut public = self.clone();
        public.version = APART;
        public.account = None;
        (public.device, public.noise) = (String::new(), String::new());
        public.inboxes.values_mut().for_each(|secret| *secret = String::new());
        public
    }

    /// Whole again; what the file alone says of inboxes is forgotten.
    pub(super) fn with_secrets(&self, secrets: &[u8]) -> Option<Self> {
        let secrets: Secrets = serde_json::from_slice(secrets).ok()?;
        let mut whole = self.clone();
        whole.version = if secrets.account.is_some() { super::HOLDER } else { super::CERTIFIED };
        whole.account.clone_from(&secrets.account);
        whole.device.clone_from(&secrets.device);
        whole.noise.clone_from(&secrets.noise);
        whole.inboxes.clone_from(&secrets.inboxes);
        Some(whole)
    }

    /// By what the Secret Service and contacts know an account.
    fn id(&self) -> String {
        data_encoding::HEXLOWER.encode(&peer_id(self.certificate.account()).bytes())
    }
}

/// Opens the identity, or makes one, where keys may lie apart. `held`: the secrets, where a running daemon has them.
pub(super) async fn begin(
    path: &Path,
    name: Option<&str>,
    relays: &[String],
    keys: KeysIn,
    held: Option<&[u8]>,
) -> Result<Begun, IdentityError> {
    let begun =
        |own, trouble: Option<Trouble>| Begun { own, trouble: trouble.map(|trouble| trouble.to_string()) };
    let Some(stored) = super::read(path)? else {
        return Ok(match first(path, name, relays).await {
            Ok(own) => begun(own, None),
            Err(Fault::Keys(trouble)) => {
                tracing::warn!(%trouble, "no account is made");
                begun(nobody()?, Some(trouble))
            }
            Err(Fault::File(error)) => return Err(error),
        });
    };
    if !stored.is_apart() {
        // The file has them: whatever becomes of the move, it is used.
        return match move_in(path, &stored, name, relays).await {
            Ok(own) => Ok(begun(own, None)),
            Err(Fault::File(error)) => Err(error),
            Err(Fault::Keys(trouble)) => {
                let mut stored = stored.clone();
                let (own, changed) = bring_up(&mut stored, path, name, relays, now_s())?;
                if changed {
                    save(path, &stored)?;
                }
                tracing::warn!(%trouble, "the keys stay in their file");
                let sentence = format!("the keys of this account still lie in their file: {trouble}");
                Ok(Begun { own, trouble: Some(sentence) })
            }
        };
    }
    let found = match held {
        Some(held) => Ok(Zeroizing::new(held.to_vec())),
        None => find(&stored).await,
    };
    let away = |trouble: Trouble| {
        tracing::warn!(%trouble, "the keys of this account are not to be had");
        Ok(begun(away(&stored)?, Some(trouble)))
    };
    let found = match found {
        Ok(found) => found,
        Err(trouble) => return away(trouble),
    };
    let Some(mut whole) = stored.with_secrets(&found) else { return away(Trouble::Lost) };
    let (mut own, changed) = bring_up(&mut whole, path, name, relays, now_s())?;
    if keys == KeysIn::File {
        save(path, &whole)?;
        if let Err(trouble) = forget(&whole.id()).await {
            tracing::warn!(%trouble, "the keys lie in their file again, and a copy stays in the keyring");
        }
        return Ok(begun(own, None));
    }
    let secrets = whole.secrets().map_err(refused(path))?;
    if *secrets != *found {
        let kept = async { Vault::open().await?.keep(&whole.id(), &own.display_name, &secrets).await };
        // An inbox whose key would be lost with this run is none that others may be told of.
        kept.await.map_err(refused(path))?;
    }
    if changed {
        save(path, &whole.without_secrets())?;
    }
    own.apart = Some(Arc::new(secrets));
    Ok(begun(own, None))
}

/// Takes the keys of an account that ends out of the Secret Service.
pub(super) async fn forget(account: &str) -> Result<(), Trouble> {
    Vault::open().await?.forget(account).await
}

/// Waits for keys that could not be had, and tells how they stand; asks the person once. Ends when they are there.
pub async fn follow(account: Option<String>, news: watch::Sender<KeysNews>) {
    let (mut ask, mut dismissed) = (Ask::Person, false);
    while let Ok(bus) = Connection::session().await {
        let Ok(changes) = Vault::changes(&bus).await else { return };
        let looked = async { Vault::open().await?.is_ready(account.as_deref(), ask).await };
        match looked.await {
            Ok(()) => {
                news.send_replace(KeysNews::Here);
                return;
            }
            Err(trouble) => {
                dismissed |= matches!(trouble, Trouble::Dismissed);
                // What a person did not want to be asked again is not told as if they never were.
                let again = dismissed && matches!(trouble, Trouble::Locked);
                let trouble = if again { Trouble::Dismissed } else { trouble };
                tracing::info!(%trouble, "waiting for the keys");
                news.send_replace(KeysNews::Missing(trouble.to_string()));
            }
        }
        ask = Ask::Nobody;
        changes.await;
        // However much a service has to say.
        clock::sleep_until(clock::now() + AGAIN).await;
    }
}

enum Fault {
    Keys(Trouble),
    File(IdentityError),
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        Self::Keys(trouble)
    }
}

impl From<IdentityError> for Fault {
    fn from(error: IdentityError) -> Self {
        Self::File(error)
    }
}

/// A first start, where the keys can be kept: from the file that they lie in for a moment, as any others.
async fn first(path: &Path, name: Option<&str>, relays: &[String]) -> Result<Own, Fault> {
    Vault::open().await?.is_ready(None, Ask::Nobody).await?;
    let mut stored = make(name, relays, now_s())?;
    bring_up(&mut stored, path, name, relays, now_s())?;
    save(path, &stored)?;
    tracing::info!("made a new account");
    move_in(path, &stored, name, relays).await
}

async fn move_in(path: &Path, stored: &Stored, name: Option<&str>, relays: &[String]) -> Result<Own, Fault> {
    let vault = Vault::open().await?;
    let own = into(&vault, path, &mut stored.clone(), name, relays).await?;
    tracing::info!("the keys of this account have moved into the Secret Service");
    Ok(own)
}

/// Kept there, read back, and only then no longer in the file.
async fn into(
    vault: &Vault,
    path: &Path,
    stored: &mut Stored,
    name: Option<&str>,
    relays: &[String],
) -> Result<Own, Fault> {
    let (mut own, _) = bring_up(stored, path, name, relays, now_s())?;
    let secrets = stored.secrets()?;
    vault.keep(&stored.id(), &own.display_name, &secrets).await?;
    let kept = vault.find(&stored.id()).await?;
    if kept.is_none_or(|kept| *kept != *secrets) {
        return Err(Trouble::Refused("what it keeps is not what it was given".to_owned()).into());
    }
    save(path, &stored.without_secrets())?;
    own.apart = Some(Arc::new(secrets));
    Ok(own)
}

async fn find(stored: &Stored) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let vault = Vault::open().await?;
    vault.find(&stored.id()).await?.ok_or(Trouble::Lost)
}

/// Who we are, without anything that could sign or be reached: what stands for the keys is chance, and has no inbox.
fn away(stored: &Stored) -> Result<Own, IdentityError> {
    let name = stored.name.as_ref().unwrap_or(&stored.shown_name);
    Ok(Own {
        certificate: stored.certificate.clone(),
        display_name: ahoy_proto::words::name(name, "Somebody"),
        revision: stored.revision,
        account: Account::Away,
        ..nobody()?
    })
}

/// No account at all.
fn nobody() -> Result<Own, IdentityError> {
    let chance = make(None, &[], now_s())?;
    Ok(Own { account: Account::Nobody, ..revive(&chance, Path::new(""))? })
}

fn refused(path: &Path) -> impl Fn(Trouble) -> IdentityError + use<> {
    let path = path.to_owned();
    move |trouble| IdentityError::Unusable {
        path: path.clone(),
        source: std::io::Error::other(trouble.to_string()),
    }
}
