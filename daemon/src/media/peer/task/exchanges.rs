//! Descriptions of a path: to another ahoy once, to others as often as either side wants.
//!
//! Lives here: which of the two it is, and what an exchange changes of the path.
//! Must not: know what stands in a description.

use ahoy_call::{Description, MediaFault, Moment, Role};

use super::PeerPath;
use crate::media::peer::foreign::{Foreign, Outcome, Unusable};
use crate::media::transport::{Flow, PathEvent, Renewal};
use crate::system::clock;

impl PeerPath {
    pub(super) async fn begin(&mut self, role: Role) -> Result<(), Unusable> {
        let Some(foreign) = &mut self.foreign else { return self.describe(role).await };
        let link = &*self.connection.link;
        let outcomes = match role {
            Role::Offerer => foreign.renew(link, None, Renewal::Describe).await,
            Role::Answerer(offer) | Role::Early(offer) => foreign.came(clock::now(), link, offer).await,
        }?;
        self.exchanged(outcomes).await;
        Ok(())
    }

    pub(super) async fn description_came(&mut self, description: Description) {
        let done = match &mut self.foreign {
            Some(foreign) => foreign.came(clock::now(), &*self.connection.link, description).await,
            None => self.answered(&description).await.map(|()| Vec::new()),
        };
        self.exchanged_or_failed(done).await;
    }

    pub(super) async fn renew(&mut self, flow: Option<Flow>, renewal: Renewal) {
        let Some(foreign) = &mut self.foreign else {
            return tracing::debug!("another ahoy is sent no second description");
        };
        let done = foreign.renew(&*self.connection.link, flow, renewal).await;
        self.exchanged_or_failed(done).await;
    }

    /// Until when a description waits for candidates.
    pub(super) fn waits_until(&self) -> Option<Moment> {
        self.foreign.as_ref().and_then(Foreign::due)
    }

    /// It waits no longer.
    pub(super) async fn waited(&mut self) {
        if let Some(event) = self.foreign.as_mut().and_then(Foreign::waited) {
            self.tell(event).await;
        }
    }

    /// Whether our voice goes out.
    pub(super) fn sends(&self) -> bool {
        self.state.is_up() && self.foreign.as_ref().is_none_or(Foreign::sends)
    }

    async fn exchanged_or_failed(&mut self, done: Result<Vec<Outcome>, Unusable>) {
        match done {
            Ok(outcomes) => self.exchanged(outcomes).await,
            Err(error) => {
                tracing::debug!(%error, "a description could not be used");
                self.fail(MediaFault::Negotiation).await;
            }
        }
    }

    async fn exchanged(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Described(description) => {
                    let foreign = self.foreign.as_mut();
                    if let Some(ready) = foreign.and_then(|it| it.described(clock::now(), description)) {
                        self.tell(PathEvent::Described(ready)).await;
                    }
                }
                Outcome::Takes(payload_types, takes) => {
                    self.sending.payload_types = payload_types;
                    self.tell(PathEvent::Takes(takes)).await;
                }
            }
        }
    }
}
