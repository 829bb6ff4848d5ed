//! One question by HTTPS, on the thread of who asks.
//!
//! Lives here: the client with its bounds, and the sentences about what went wrong.
//! Must not: know what is asked or said; speak to anybody without TLS.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Error};

use crate::system::trust::{TrustError, authorities};

/// How long one question may take in all, redirects, names and the body included.
pub(super) const WITHIN: Duration = Duration::from_secs(10);
/// The longest answer that is read.
pub(super) const MOST: u64 = 16 * 1024;
/// The longest head of an answer.
const MOST_HEAD: usize = 16 * 1024;
/// A site that moved, and one that adds its usual name.
const REDIRECTS: u32 = 3;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nothing can be believed.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The network, TLS, or no HTTP.
    #[error("{0}")]
    Failed(Told),
    /// Something else than what was asked for.
    #[error("it is answered with status {0}")]
    Status(u16),
    /// The answer is of another kind.
    #[error("it is answered with something else than {0}")]
    Kind(&'static str),
}

/// What the client says of an error, in our words where a person could do something.
#[derive(Debug)]
pub(super) struct Told(Box<Error>);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = &*self.0;
        let ours = [
            (matches!(error, Error::Timeout(_)), "it does not answer in time"),
            (matches!(error, Error::BodyExceedsLimit(_)), "the answer is longer than 16 KiB"),
            (matches!(error, Error::RequireHttpsOnly(_)), "it leads to an address without TLS"),
            (matches!(error, Error::TooManyRedirects), "it leads from one address to the next"),
            (matches!(error, Error::HostNotFound), "its name is not found"),
        ];
        match ours.into_iter().find(|(fits, _)| *fits) {
            Some((_, sentence)) => f.write_str(sentence),
            None => write!(f, "{error}"),
        }
    }
}

impl NoAnswer {
    /// Somebody spoke to us, be it nonsense: there is a network.
    pub(super) fn was_spoken(&self) -> bool {
        match self {
            Self::Status(_) | Self::Kind(_) => true,
            Self::Failed(Told(error)) => {
                matches!(**error, Error::BodyExceedsLimit(_) | Error::RequireHttpsOnly(_))
            }
            Self::Trust(_) => false,
        }
    }
}

impl From<Error> for NoAnswer {
    fn from(error: Error) -> Self {
        if let Error::StatusCode(status) = error {
            return Self::Status(status);
        }
        Self::Failed(Told(Box::new(error)))
    }
}

/// Who asks, for so long at most, and whose certificates count. Reads the disk.
pub(super) fn client(ca_file: Option<&Path>, within: Duration) -> Result<Agent, NoAnswer> {
    let roots = authorities(ca_file)?;
    let roots: Vec<Certificate<'static>> =
        roots.iter().map(|it| Certificate::from_der(it).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .https_only(true)
        .max_redirects(REDIRECTS)
        .max_response_header_size(MOST_HEAD)
        .max_idle_connections(0)
        .proxy(None)
        .timeout_global(Some(within))
        .user_agent("ahoy")
        .tls_config(tls)
        .build();
    Ok(config.new_agent())
}

/// The text at an address.
pub(super) fn text(client: &Agent, url: &str) -> Result<String, NoAnswer> {
    let bytes = whole(client.get(url).call()?)?;
    String::from_utf8(bytes).map_err(|_| NoAnswer::Kind("text"))
}

/// What is answered to these bytes, both of this kind.
pub(super) fn exchange(
    client: &Agent,
    url: &str,
    kind: &'static str,
    bytes: &[u8],
) -> Result<Vec<u8>, NoAnswer> {
    let answer = client.post(url).header("content-type", kind).header("accept", kind).send(bytes)?;
    let said = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !said.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind) {
        return Err(NoAnswer::Kind(kind));
    }
    whole(answer)
}

fn whole(mut answer: ureq::http::Response<Body>) -> Result<Vec<u8>, NoAnswer> {
    if answer.status().as_u16() != 200 {
        return Err(NoAnswer::Status(answer.status().as_u16()));
    }
    Ok(answer.body_mut().with_config().limit(MOST).read_to_vec()?)
}
