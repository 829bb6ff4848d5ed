//! Who we are: the long-term keys of this account and device.
//!
//! Lives here: the keys and their file, made at the first start; our name, inboxes and card.
//! Must not: overwrite a file that it cannot read, show a secret, or know a contact.

mod apart;
mod stored;
mod user;
mod vault;
mod wrapped;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ahoy_proto::identity::{CertificateError, DeviceCertificate};
use ahoy_proto::words::{self, NAME, Unfit, Words};
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use x25519_dalek::StaticSecret;
use zeroize::{Zeroize as _, Zeroizing};

use self::apart::APART;
pub use self::apart::follow;
use self::stored::{Stored, Versioned, damaged, read, save};
use crate::system::clock;
use crate::values::keys::KeysIn;
use crate::values::own::{Account, Own, OwnInbox};

/// How long a certificate of our own device is good; it is renewed after half of that.
const CERTIFICATE_LIFE_S: i64 = 4 * 365 * 86_400;
/// Claim keys that are kept of relays which are no longer ours. A list that changes every day must not fill the file.
const FORMER_RELAYS: usize = 32;
/// The newest version of the file that this program understands.
const VERSION: u32 = APART;
/// That of a device that does not hold its account.
const CERTIFIED: u32 = 2;
/// The version of a file that holds the account's key.
const HOLDER: u32 = 1;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("{} cannot be used", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is there and is not what was written.
    #[error(
        "the identity in {} is damaged ({what}) and was left as it is: bring it back from a copy, \
         or move it away to begin as a new account, which no contact knows",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, without its content.
        what: String,
    },
    /// A later program wrote the file.
    #[error("the identity in {} was written by a newer ahoyd: use that one", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
    },
    /// The kernel gave no random bytes.
    #[error("the system has no random numbers to make keys of")]
    NoRandom,
    /// They lie in the Secret Service.
    #[error("the keys of this account lie in the Secret Service, and nobody has asked that")]
    Apart,
    /// No name that others could be shown.
    #[error("a name has 1 to 64 characters on one line; {0}")]
    BadName(#[source] Unfit),
    /// The configuration decides the name.
    #[error("the name is set in config.toml ([account] name): change it there")]
    NameIsConfigured,
    /// The certificate could not be signed.
    #[error("the device could not be certified")]
    Uncertified(#[from] CertificateError),
}

/// Opens the identity in `dir`, or makes one if there is none. `name` and `relays` are the configured ones;
/// calling it again after they changed gives the identity with a higher revision.
/// Without a configured name: the one that was set over the bus, else the user database's, else the login name.
pub fn open(dir: &Path, name: Option<&str>, relays: &[String]) -> Result<Own, IdentityError> {
    open_at(dir, name, relays, now_s())
}

/// Who we are, and what is to be told of our keys.
#[derive(Debug)]
pub struct Begun {
    /// Who we are; [`Own::is_away`] where the keys cannot be read.
    pub own: Own,
    /// Why the keys are not where they are to be.
    pub trouble: Option<String>,
}

/// The same with keys that may lie in the Secret Service, now or before. Waits for that some seconds, and asks the person nothing.
pub async fn begin(
    dir: &Path,
    name: Option<&str>,
    relays: &[String],
    keys: KeysIn,
    held: Option<&Own>,
) -> Result<Begun, IdentityError> {
    let path = dir.join("own.json");
    if keys == KeysIn::File && !read(&path)?.is_some_and(|stored| stored.is_apart()) {
        return Ok(Begun { own: open(dir, name, relays)?, trouble: None });
    }
    let held = held.and_then(|own| own.apart.as_ref()).map(|secrets| secrets.as_slice());
    apart::begin(&path, name, relays, keys, held).await
}

/// [`begin`] where no runtime is: on the store's thread.
pub fn begin_again(
    dir: &Path,
    name: Option<&str>,
    relays: &[String],
    keys: KeysIn,
    own: &Own,
) -> Result<Begun, IdentityError> {
    wait(begin(dir, name, relays, keys, Some(own)), dir)?
}

/// Takes the keys of an account that ends out of the Secret Service, if they lie there.
pub fn forget(dir: &Path, own: &Own) -> Result<(), IdentityError> {
    if !read(&dir.join("own.json"))?.is_some_and(|stored| stored.is_apart()) {
        return Ok(());
    }
    let account = data_encoding::HEXLOWER.encode(&own.peer_id().bytes());
    wait(apart::forget(&account), dir)?.map_err(|trouble| IdentityError::Unusable {
        path: dir.to_owned(),
        source: io::Error::other(trouble.to_string()),
    })
}

fn wait<T>(what: impl Future<Output = T>, dir: &Path) -> Result<T, IdentityError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| IdentityError::Unusable { path: dir.to_owned(), source })?;
    Ok(runtime.block_on(what))
}

/// Whether others would find a certificate not valid now, or soon: [`open`] makes a new one. It may have been made while the
/// calendar was wrong, in either direction.
pub fn is_stale(certificate: &DeviceCertificate) -> bool {
    is_stale_at(certificate, now_s())
}

fn is_stale_at(certificate: &DeviceCertificate, now_s: i64) -> bool {
    let age = now_s.saturating_sub(certificate.created_s());
    !certificate.is_valid_at(now_s) || age > CERTIFICATE_LIFE_S / 2
}

fn now_s() -> i64 {
    clock::unix_us().div_euclid(1_000_000)
}

fn open_at(dir: &Path, name: Option<&str>, relays: &[String], now_s: i64) -> Result<Own, IdentityError> {
    let path = dir.join("own.json");
    let (mut stored, new) = match read(&path)? {
        Some(stored) if stored.is_apart() => return Err(IdentityError::Apart),
        Some(stored) => (stored, false),
        None => (make(name, relays, now_s)?, true),
    };
    let (own, changed) = bring_up(&mut stored, &path, name, relays, now_s)?;
    if new || changed {
        save(&path, &stored)?;
    }
    if new {
        tracing::info!("made a new account");
    }
    Ok(own)
}

/// The identity in a whole file, with an inbox at each of these relays; whether that changed what is to be kept.
fn bring_up(
    stored: &mut Stored,
    path: &Path,
    name: Option<&str>,
    relays: &[String],
    now_s: i64,
) -> Result<(Own, bool), IdentityError> {
    let mut own = revive(stored, path)?;
    let before = (stored.revision, stored.inboxes.len());
    own.display_name = match name {
        Some(name) => name.to_owned(),
        // A version before had other rules.
        None => stored.name.as_deref().map_or_else(user::name, |name| words::name(name, "Somebody")),
    };
    for relay in relays {
        let claim = match stored.inboxes.get(relay) {
            Some(text) => signing_key(text).ok_or_else(|| damaged(path, "the key of an inbox"))?,
            None => fresh_key()?,
        };
        stored.inboxes.insert(relay.clone(), text_of(claim.as_bytes()));
        own.inboxes.push(OwnInbox { relay: relay.clone(), claim });
    }
    let former: Vec<String> =
        stored.inboxes.keys().filter(|relay| !relays.contains(relay)).cloned().collect();
    for relay in former.iter().skip(FORMER_RELAYS) {
        // Before it goes the key is wiped.
        stored.inboxes.remove(relay).unwrap_or_default().zeroize();
    }
    let old = is_stale_at(&own.certificate, now_s);
    match &own.account {
        Account::Holder(account) if old => {
            own.certificate = certify(account, &own.device, &own.noise, own.certificate.name(), now_s)?;
            stored.certificate = own.certificate.clone();
        }
        Account::Certified if old => {
            tracing::warn!("the certificate of this device ends: the one that holds the account renews it");
        }
        Account::Holder(_) | Account::Certified | Account::Away | Account::Nobody => {}
    }
    if old && matches!(own.account, Account::Holder(_))
        || stored.shown_name != own.display_name
        || stored.shown_relays != relays
    {
        stored.revision += 1;
        stored.shown_name.clone_from(&own.display_name);
        stored.shown_relays = relays.to_vec();
    }
    own.revision = stored.revision;
    Ok((own, before != (stored.revision, stored.inboxes.len())))
}

/// The whole file, for a sealed copy of the account.
pub fn whole(dir: &Path, own: &Own) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let path = dir.join("own.json");
    let mut stored = read(&path)?.ok_or_else(|| damaged(&path, "it is gone"))?;
    if stored.is_apart() {
        let secrets = own.apart.as_ref().ok_or(IdentityError::Apart)?;
        stored =
            stored.with_secrets(secrets).ok_or_else(|| damaged(&path, "what the Secret Service keeps"))?;
    }
    serde_json::to_vec_pretty(&stored)
        .map(Zeroizing::new)
        .map_err(|error| IdentityError::Unusable { path, source: error.into() })
}

/// The address of the account whose keys are in such a file, whoever wrote it; a sentence if they are none.
pub fn judge(file: &[u8]) -> Result<String, String> {
    let none = || "The keys in the file are damaged.".to_owned();
    let Versioned { version } = serde_json::from_slice(file).map_err(|_| none())?;
    if version > VERSION {
        return Err("The keys in the file were written by a newer ahoyd.".to_owned());
    }
    let stored: Stored = serde_json::from_slice(file).map_err(|_| none())?;
    if stored.is_apart() {
        return Err("The file was written without the account's keys.".to_owned());
    }
    let own = revive(&stored, Path::new("")).map_err(|_| none())?;
    let inboxes = stored.inboxes.values().all(|text| signing_key(text).is_some());
    if inboxes { Ok(own.address()) } else { Err(none()) }
}

/// Changes our name as others see it, for this and later starts. `configured` says that the configuration holds a name,
/// which then is the only one.
pub fn set_display_name(dir: &Path, own: &Own, name: &str, configured: bool) -> Result<Own, IdentityError> {
    if configured {
        return Err(IdentityError::NameIsConfigured);
    }
    Words::own(name, NAME).map_err(IdentityError::BadName)?;
    let path = dir.join("own.json");
    let mut stored = read(&path)?.ok_or_else(|| damaged(&path, "it is gone"))?;
    name.clone_into(&mut stored.shown_name);
    stored.name = Some(name.to_owned());
    stored.revision += 1;
    save(&path, &stored)?;
    Ok(Own { display_name: name.to_owned(), revision: stored.revision, ..own.clone() })
}

fn make(name: Option<&str>, relays: &[String], now_s: i64) -> Result<Stored, IdentityError> {
    let (account, device) = (fresh_key()?, fresh_key()?);
    let noise = StaticSecret::from(*random()?);
    let certificate = certify(&account, &device, &noise, &user::device(), now_s)?;
    Ok(Stored {
        version: HOLDER,
        account: Some(text_of(account.as_bytes())),
        device: text_of(device.as_bytes()),
        noise: text_of(noise.as_bytes()),
        certificate,
        inboxes: BTreeMap::new(),
        name: None,
        revision: 1,
        shown_name: name.map_or_else(user::name, str::to_owned),
        shown_relays: relays.to_vec(),
    })
}

fn certify(
    account: &SigningKey,
    device: &SigningKey,
    noise: &StaticSecret,
    name: &str,
    now_s: i64,
) -> Result<DeviceCertificate, CertificateError> {
    let public = x25519_dalek::PublicKey::from(noise);
    DeviceCertificate::sign(
        account,
        &device.verifying_key(),
        &public,
        name,
        now_s,
        now_s + CERTIFICATE_LIFE_S,
    )
}

/// The keys of the file, checked against each other. Name and inboxes are still empty.
fn revive(stored: &Stored, path: &Path) -> Result<Own, IdentityError> {
    let account = match &stored.account {
        Some(text) => Account::Holder(signing_key(text).ok_or_else(|| damaged(path, "the account's key"))?),
        None => Account::Certified,
    };
    let device = signing_key(&stored.device).ok_or_else(|| damaged(path, "the device's key"))?;
    let noise = secret(&stored.noise).ok_or_else(|| damaged(path, "the session key"))?;
    let noise = StaticSecret::from(*noise);
    let certificate = &stored.certificate;
    let held = match &account {
        Account::Holder(key) => *certificate.account() == key.verifying_key(),
        Account::Certified | Account::Away | Account::Nobody => stored.version > HOLDER,
    };
    let ours = held
        && *certificate.device() == device.verifying_key()
        && certificate.noise() == x25519_dalek::PublicKey::from(&noise).to_bytes();
    if !ours {
        return Err(damaged(path, "its certificate is for other keys"));
    }
    Ok(Own {
        account,
        device,
        noise,
        certificate: certificate.clone(),
        inboxes: Vec::new(),
        display_name: String::new(),
        revision: stored.revision,
        apart: None,
    })
}

fn random() -> Result<Zeroizing<[u8; 32]>, IdentityError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut()).map_err(|_| IdentityError::NoRandom)?;
    Ok(bytes)
}

fn fresh_key() -> Result<SigningKey, IdentityError> {
    Ok(SigningKey::from_bytes(&*random()?))
}

fn text_of(bytes: &[u8; 32]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn secret(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?);
    Some(Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?))
}

fn signing_key(text: &str) -> Option<SigningKey> {
    Some(SigningKey::from_bytes(&*secret(text)?))
}

#[cfg(test)]
mod tests;
