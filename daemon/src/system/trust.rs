//! Whose certificates are believed.
//!
//! Lives here: the system's authorities and one more file, read when they are needed, on another thread.
//! Must not: connect; know who shows a certificate.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use ahoy_call::Moment;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::watch;

use crate::system::clock;

/// Which certificates we believe: the system's authorities, and one more file. Read when the first `wss://` link connects,
/// when that file has changed, and after a certificate was refused: an authority may have come since.
#[derive(Clone, Debug)]
pub struct Trust {
    ca_file: Option<PathBuf>,
    /// Shared by all links that go by this file.
    loaded: Arc<watch::Sender<Option<Loaded>>>,
}

#[derive(Clone, Debug)]
struct Loaded {
    config: Arc<ClientConfig>,
    /// What the file was like.
    stamp: Stamp,
    at: Moment,
}

/// What changes with a file's content: when it was written, its length, its place on the disk.
type Stamp = Option<(i64, i64, u64, u64)>;

/// How long reading them may take; then something is wrong with the disk.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Authorities that were read so lately are not read again because of a refusal: who shows us wrong certificates must not
/// keep the disk busy.
const READ_LATELY: Duration = Duration::from_secs(2);

/// Why no certificate can be judged.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The configured file cannot be read, or holds no certificate.
    #[error("`ca-file` cannot be used: {0}")]
    CaFile(String),
    /// The disk does not answer.
    #[error("the certificate authorities cannot be read now: the disk does not answer")]
    Disk,
    /// Neither the system nor the configuration names an authority.
    #[error("no certificate authority is known on this system")]
    NoRoots,
    /// The library refuses.
    #[error("TLS cannot be set up")]
    Library(#[source] rustls::Error),
}

impl Trust {
    /// Nothing is read yet.
    pub fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, loaded: Arc::new(watch::Sender::new(None)) }
    }

    /// What TLS is set up with. Reads the disk where that is needed, on another thread.
    pub async fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let (ca_file, known) = (self.ca_file.clone(), self.loaded.borrow().clone());
        let read = tokio::task::spawn_blocking(move || {
            let stamp = ca_file.as_deref().and_then(stamp);
            match known.filter(|known| known.stamp == stamp) {
                Some(known) => Ok(known),
                None => load(ca_file.as_deref()).map(|config| Loaded {
                    config: Arc::new(config),
                    stamp,
                    at: clock::now(),
                }),
            }
        });
        let Ok(Ok(read)) = clock::timeout(READ_WITHIN, read).await else { return Err(TrustError::Disk) };
        let loaded = read?;
        let config = Arc::clone(&loaded.config);
        self.loaded.send_replace(Some(loaded));
        Ok(config)
    }

    /// TLS failed. If it was the certificate, what we believe is read anew next time.
    pub fn failed(&self, error: &io::Error) {
        if !Self::refuses(error) {
            return;
        }
        self.loaded.send_if_modified(|loaded| {
            loaded.take_if(|it| clock::now().since(it.at) >= READ_LATELY).is_some()
        });
    }
}

impl Trust {
    /// Whether TLS failed for the certificate, and not for the network.
    pub fn refuses(error: &io::Error) -> bool {
        let inner = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
        inner.is_some_and(|it| matches!(it, rustls::Error::InvalidCertificate(_)))
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self::new(None)
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
}

fn load(ca_file: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities(ca_file)?);
    if roots.is_empty() {
        return Err(TrustError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(TrustError::Library)?.with_root_certificates(roots).with_no_client_auth())
}

/// The certificates of all authorities: the system's, which are taken as far as they can be read, and those of the file, which
/// must all be good. Waits for the disk.
pub fn authorities(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::debug!(%error, "a system certificate cannot be read");
    }
    let mut found = system.certs;
    if let Some(path) = ca_file {
        let bad = |why: &dyn fmt::Display| TrustError::CaFile(why.to_string());
        let certificates: Vec<_> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|e| bad(&e))?;
        if certificates.is_empty() {
            return Err(bad(&"it holds no certificate"));
        }
        let mut judged = RootCertStore::empty();
        for certificate in &certificates {
            judged.add(certificate.clone()).map_err(|e| bad(&e))?;
        }
        found.extend(certificates);
    }
    if found.is_empty() { Err(TrustError::NoRoots) } else { Ok(found) }
}
