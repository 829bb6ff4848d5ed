//! Discovery of relays where a person has configured none: where to ask, what is remembered, which are taken.
//!
//! Lives here: a signed list by HTTPS, the domain name system by HTTPS, both only where the configuration names them; relays that
//! worked before; the choice among all of them.
//! Must not: ask anybody that the configuration does not name, nor anybody at all where it names relays; link to a relay; write a
//! file: the engine has the store do that.

mod choice;
mod dns;
mod https;
mod memory;
mod task;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use ahoy_proto::relay_list::{ListKey, Taken};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::values::relays::Learned;

pub use choice::{Sources, choose};
pub use memory::Memory;

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// A list, and the keys that are believed at first.
    pub list: Option<(String, Vec<ListKey>)>,
    /// A domain, and who resolves it.
    pub dns: Option<(String, String)>,
    /// One more certificate authority.
    pub ca_file: Option<PathBuf>,
}

impl Question {
    /// Nobody is asked anything.
    pub fn is_empty(&self) -> bool {
        self.list.is_none() && self.dns.is_none()
    }
}

/// What holds until the engine says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What is asked.
    pub question: Question,
    /// What was taken of lists before.
    pub taken: Option<Taken>,
    /// How often this machine's network has changed.
    pub networks: u64,
    /// How often all relays were away for so long that others are wanted.
    pub missed: u64,
}

/// What the engine hears.
#[derive(Debug, PartialEq, Eq)]
pub enum Report {
    /// Something was learned.
    Learned(Learned),
    /// A look is over.
    Looked(Looked),
}

/// How a look went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Somebody answered: there is a network.
    pub answered: bool,
    /// Who did not answer and why, in sentences.
    pub missing: Vec<String>,
    /// What was answered and is not believed.
    pub wrong: Vec<String>,
}

/// Reads a resolver's answer, and judges what is believed of it. True if it was understood.
#[cfg(any(test, feature = "sample"))]
pub fn tried(answer: &[u8]) -> bool {
    let Ok(relays) = dns::relays("a.example", answer) else { return false };
    let parsed = |relay: &String| ahoy_proto::relay_url::RelayUrl::parse(relay);
    assert!(relays.len() <= ahoy_proto::limits::DEVICE_INBOXES && relays.is_sorted());
    assert!(relays.iter().all(|it| parsed(it).is_ok_and(|url| url.is_sealed() && url.as_str() == it)));
    true
}

/// Begins the task. It ends with the standing.
pub fn spawn(standing: watch::Receiver<Standing>, reports: mpsc::Sender<Report>) -> JoinHandle<()> {
    #[expect(clippy::disallowed_methods, reason = "the task of discovery, ended with its standing")]
    tokio::spawn(task::run(standing, reports))
}
