//! What is asked of sound devices.
//!
//! Lives here: whether it can be done, in a sentence if not.
//! Must not: know a sound server.

use super::{Act, Components};
use crate::media;
use crate::values::devices::Flow;
use crate::values::request::{Denied, DeniedKind, DeviceRequest, DeviceRole};

pub(super) fn on_request(request: DeviceRequest, with: &mut Components<'_>) -> Result<Act, Denied> {
    let denied = |kind, sentence| Err(Denied::new(kind, sentence));
    let in_call = !with.phone.views().iter().all(|view| view.ended.is_some());
    match request {
        DeviceRequest::Choose { role, ids } => {
            with.devices.may_choose(role, &ids, &with.board.devices)?;
            with.in_force.choose(with.now, |chosen, written| match role {
                DeviceRole::Input => chosen.set_input(written, ids.into_iter().next()),
                DeviceRole::Output => chosen.set_output(written, ids.into_iter().next()),
                DeviceRole::Ring => chosen.set_ring(written, ids),
            });
            Ok(Act::Chosen { lasting: true })
        }
        DeviceRequest::Adjust(adjust) => {
            with.devices.present(adjust.flow, &adjust.id)?;
            Ok(Act::Adjust(adjust))
        }
        DeviceRequest::Test(flow, id) => {
            with.devices.present(flow, &id)?;
            if flow == Flow::Input && in_call {
                let sentence = "There is a call: a microphone is tested when it is over.";
                return denied(DeniedKind::InvalidState, sentence);
            }
            Ok(Act::OfDevice(media::DeviceOrder::Test { flow, id }, "The test does not begin: try again."))
        }
        DeviceRequest::OpenLevels(flow, id, into) => {
            with.devices.present(flow, &id)?;
            if flow == Flow::Output {
                let sentence =
                    "A loudspeaker has no level of its own here: a call's OpenLevels tells what is played.";
                return denied(DeniedKind::NotSupported, sentence);
            }
            if in_call {
                let sentence = "There is a call: its own OpenLevels tells what its microphone gives.";
                return denied(DeniedKind::InvalidState, sentence);
            }
            let sentence = "Too many look at levels already: close one and try again.";
            Ok(Act::OfDevice(media::DeviceOrder::Gauge { id, into }, sentence))
        }
    }
}
