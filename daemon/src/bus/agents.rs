//! Clients that show the ring themselves, for as long as they are on the bus.
//!
//! Lives here: the lease of an agent, which ends when its connection does.
//! Must not: know what is kept back for them.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Semaphore;
use zbus::message::Header;
use zbus::{Connection, MessageStream};

use super::engine_handle::EngineHandle;
use super::fault::Fault;
use crate::system::clock;
use crate::values::request::{Answer, DaemonRequest, Denied, DeniedKind};

/// So many agents at once, and so many leases that have not ended yet.
const MOST: usize = 16;
/// How long the bus may take to say who is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// The leases of one connection to the bus.
#[derive(Clone, Debug)]
pub(super) struct Agents(Arc<Semaphore>);

impl Agents {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }

    /// The caller shows the ring from now on. Listens for its leaving before it counts.
    pub(super) async fn register(
        &self,
        engine: &EngineHandle,
        bus: &Connection,
        header: &Header<'_>,
    ) -> Result<(), Fault> {
        let client = sender(header)?;
        let Ok(lease) = Arc::clone(&self.0).try_acquire_owned() else {
            let sentence = "Too many clients show the ring already.";
            return Err(Denied::new(DeniedKind::RateLimited, sentence).into());
        };
        let gone = clock::timeout(PATIENCE, leaving(bus, &client)).await;
        let Ok(Ok(mut gone)) = gone else {
            let sentence = "The bus does not say who you are: try again.";
            return Err(Denied::new(DeniedKind::Failed, sentence).into());
        };
        let Answer::Flag(new) = engine.ask(DaemonRequest::RegisterAgent(client.clone())).await? else {
            return Err(super::engine_handle::surprised());
        };
        if new {
            let engine = engine.clone();
            #[expect(
                clippy::disallowed_methods,
                reason = "an agent's lease, ended by the agent or with the bus"
            )]
            tokio::spawn(async move {
                let _word = gone.next().await;
                // Whatever else waits: a forgotten agent would keep every later ring off the screen.
                engine.insist(DaemonRequest::UnregisterAgent(client)).await;
                drop(lease);
            });
        }
        Ok(())
    }
}

/// Who calls, by its unique name.
pub(super) fn sender(header: &Header<'_>) -> Result<String, Fault> {
    let sender = header.sender().map(ToString::to_string);
    sender.ok_or_else(|| Denied::new(DeniedKind::Failed, "This needs a message bus.").into())
}

/// Its leaving, as a stream that speaks once or ends with the bus. An error if it has left already.
async fn leaving(bus: &Connection, client: &str) -> zbus::Result<MessageStream> {
    let of_the_bus = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'";
    let rule = format!("{of_the_bus},arg0='{client}',arg2=''");
    let stream = MessageStream::for_match_rule(rule.as_str(), bus, NonZero::new(4)).await?;
    let there = zbus::fdo::DBusProxy::new(bus).await?.name_has_owner(client.try_into()?).await?;
    if there { Ok(stream) } else { Err(zbus::Error::InvalidReply) }
}
