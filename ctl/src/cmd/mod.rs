//! The commands, one file each.
//!
//! Lives here: what they share: how a call is shown, and the connection with the output.
//! Must not: hold a command.

pub(crate) mod account;
pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod contact;
pub(crate) mod device;
pub(crate) mod dnd;
pub(crate) mod events;
pub(crate) mod hangup;
pub(crate) mod history;
pub(crate) mod hold;
pub(crate) mod hook;
pub(crate) mod logs;
mod meter;
pub(crate) mod mute;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod watch;

use ahoy_dbus::types::State;
use serde_json::json;

use crate::bus::Bus;
use crate::fault::Fault;
use crate::print::Printer;
use crate::time;
use crate::world::Call;

/// Where commands ask and where they print.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    /// The daemon.
    pub(crate) bus: Bus,
    /// The output.
    pub(crate) out: Printer,
}

impl Desk {
    /// Shows what a verb made of a call: `{"v":1,"call":{…}}`, or one line.
    pub(crate) async fn show_effect(&self, path: &str) -> Result<(), Fault> {
        let world = self.bus.look().await?;
        match world.call(path) {
            Some(call) => self.show_call(&call),
            None => Ok(()),
        }
    }

    /// One line about a call: id, name, state, and what is special about it.
    pub(crate) fn show_call(&self, call: &Call) -> Result<(), Fault> {
        if self.out.is_json() {
            return self.out.object(json!({"call": call.json()}));
        }
        self.out.words(&[
            call.props.text("Id").to_owned(),
            call.props.text("RemoteName").to_owned(),
            call.state().to_string(),
            remark(call),
        ])
    }
}

/// The end reason with the decline's text, or the time it has lasted, and what is special about it.
fn remark(call: &Call) -> String {
    let mut words = Vec::new();
    if call.is_over() {
        words.push(call.props.text("StateReason").to_owned());
        words.push(call.props.text("Message").to_owned());
    } else {
        words.push(time::since(call.props.number("AnsweredMonotonic")));
        words.push(call.props.text("Note").to_owned());
        if call.props.flag("Muted") {
            words.push("muted".to_owned());
        }
        if call.props.flag("RemoteMuted") {
            words.push("muted there".to_owned());
        }
        if call.props.flag("HearsOnly") {
            words.push("no microphone here".to_owned());
        }
        if call.props.flag("RemoteHearsOnly") {
            words.push("hears only: no microphone there".to_owned());
        }
        if call.props.flag("LocalHold") && call.state() != State::Held {
            words.push("held".to_owned());
        }
        if call.props.flag("RemoteHold") {
            words.push("held there".to_owned());
        }
        if call.props.flag("AutoAnswered") {
            words.push("answered by itself".to_owned());
        }
        if call.props.flag("CanAnswer") && call.props.flag("Silenced") {
            words.push("silenced".to_owned());
        }
    }
    words.retain(|word| !word.is_empty());
    words.join(", ")
}
