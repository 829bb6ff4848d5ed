//! Running ahoyctl.
//!
//! Lives here: its environment, and what it left when it ended.
//! Must not: know what is played to it.

use std::process::{Output, Stdio};

use tokio::process::Command;

use super::bus::PrivateBus;

/// An ahoyctl on that bus, in UTC, with nothing else of this session.
pub(crate) fn command(bus: &PrivateBus, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ahoyctl"));
    command.args(args).env_clear().env("TZ", "UTC").env("DBUS_SESSION_BUS_ADDRESS", bus.address());
    command.stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs ahoyctl where nobody plays the daemon.
pub(crate) async fn alone(bus: &PrivateBus, args: &[&str]) -> Done {
    command(bus, args).stdin(Stdio::null()).stderr(Stdio::piped()).output().await.unwrap().into()
}

/// A finished ahoyctl.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
