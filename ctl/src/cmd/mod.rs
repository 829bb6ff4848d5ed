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
pub(crate) mod doctor;
pub(crate) mod dtmf;
pub(crate) mod events;
pub(crate) mod first;
pub(crate) mod group;
pub(crate) mod groups;
pub(crate) mod hangup;
pub(crate) mod history;
pub(crate) mod hold;
pub(crate) mod hook;
pub(crate) mod logs;
mod meter;
pub(crate) mod mute;
mod network;
pub(crate) mod open;
pub(crate) mod pair;
pub(crate) mod ping;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod status;
mod steps;
pub(crate) mod test_call;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod watch;

use ahoy_dbus::proxy::CallProxy;
use ahoy_dbus::types::State;
use serde_json::json;

use crate::bus::{Bus, ask};
use crate::fault::{Exit, Fault};
use crate::print::Printer;
use crate::world::{Call, Props};
use crate::{pick, time};

/// Where commands ask and where they print.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    /// The daemon.
    pub(crate) bus: Bus,
    /// The output.
    pub(crate) out: Printer,
}

/// The call that a verb is for.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Which call, if several fit: its id or the peer's name, or a beginning
    #[arg(add = crate::complete::calls())]
    pub(crate) call: Option<String>,
}

impl Desk {
    /// Does something to the call that was named, or to the only one that `fits`, and shows what it made of it.
    pub(crate) async fn act(
        &self,
        which: Which,
        fits: impl Fn(&Props) -> bool,
        none: &str,
        verb: impl AsyncFnOnce(CallProxy<'static>) -> zbus::Result<()>,
    ) -> Result<Exit, Fault> {
        let world = self.bus.look().await?;
        let call = pick::call(&world, which.call.as_deref(), |call| fits(&call.props), none)?;
        ask(verb(self.bus.call(&call.path).await?)).await?;
        self.show_effect(&call.path).await.map(|()| Exit::Ok)
    }

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
        let (id, name) = (call.props.text("Id"), call.props.text("RemoteName"));
        self.out.either(json!({"call": call.json()}), &[id, name, call.state().as_str(), &remark(call)])
    }
}

/// The end reason with the decline's text, or the time it has lasted, and what is special about it.
fn remark(call: &Call) -> String {
    let mut words = Vec::new();
    if call.is_over() {
        words.push(call.props.text("StateReason").to_owned());
        if call.props.flag("CanJoin") {
            words.push("goes on without you: ahoyctl join".to_owned());
        }
        words.push(call.props.text("Message").to_owned());
    } else {
        let flag = |name| call.props.flag(name);
        words.push(time::since(call.props.number("AnsweredMonotonic")));
        words.push(call.props.text("Note").to_owned());
        let told = [
            (flag("SpeakingMuted"), "you speak, and are muted"),
            (flag("Muted") && !flag("SpeakingMuted"), "muted"),
            (flag("RemoteMuted"), "muted there"),
            (flag("HearsOnly"), "no microphone here"),
            (flag("RemoteHearsOnly"), "hears only: no microphone there"),
            (flag("LocalHold") && call.state() != State::Held, "held"),
            (flag("RemoteHold"), "held there"),
            (flag("Alone"), "nobody else is in it"),
            (flag("AutoAnswered"), "answered by itself"),
            (flag("CanAnswer") && flag("Silenced"), "silenced"),
        ];
        words.extend(told.iter().filter(|(so, _)| *so).map(|(_, words)| (*words).to_owned()));
    }
    words.retain(|word| !word.is_empty());
    words.join(", ")
}

/// `yes` or `no`.
pub(crate) fn yes_or_no(word: &str) -> Result<bool, String> {
    match word {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}
