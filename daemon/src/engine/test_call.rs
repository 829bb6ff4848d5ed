//! A call to oneself: media run it, signaling carries its words, the rules know nothing of it.
//!
//! Lives here: its beginning, and what passes between the two ports.
//! Must not: look into what passes; show it as a call, or write it down as one.

use std::time::Duration;

use crate::engine::Engine;
use crate::engine::requests::failed;
use crate::media::{self, TestCall, TestReport};
use crate::signal::SignalingOrder;
use crate::values::request::{Answer, Denied, Lease};

impl Engine {
    /// Begins a test call; that none runs, and no call is there, was looked at.
    pub(super) fn begin_test_call(&mut self, client: Lease, lasts: Duration) -> Result<Answer, Denied> {
        let enabled = self.in_force.config().account.enabled;
        let relays = if enabled { self.own.relays().len() } else { 0 };
        let begun = self.ports.media.begin_test_call(TestCall { client, lasts, relays });
        begun.map_err(|_| failed("The test call cannot begin now: try again."))?;
        self.test_call = true;
        if relays > 0 {
            self.order_signal(SignalingOrder::BeginMirror);
        }
        Ok(Answer::Done)
    }

    /// Media say something about it.
    pub(super) fn on_test_call(&mut self, report: TestReport) {
        match report {
            TestReport::Carry(bytes) => self.order_signal(SignalingOrder::Mirror(bytes)),
            TestReport::Over => {
                self.test_call = false;
                self.order_signal(SignalingOrder::EndMirror);
            }
        }
    }

    /// A relay carried something for it.
    pub(super) fn on_looped(&mut self, carried: media::Carried) {
        if self.ports.media.carried(carried).is_err() {
            tracing::debug!("a word of the test call was dropped: the media queue is full");
        }
    }
}
