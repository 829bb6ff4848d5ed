//! What the service manager hears of us.
//!
//! Lives here: readiness, status line and watchdog of `Type=notify`, and the only reading of the manager's environment.
//! Must not: decide whether we are ready or alive: the engine says so.

use std::time::Duration;

use sd_notify::NotifyState;

/// Everything is served: units that wait for us may start.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`. Must hold no name and no address.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

/// We are about to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// A sign of life, to be given by the engine's own loop so that a hung engine is noticed.
pub fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`watchdog`] is to be called: half of the manager's patience. `None` without a watchdog.
pub fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 2)
}

/// A service manager runs us, and not merely a program that one runs, such as a terminal.
pub fn is_service() -> bool {
    let exec_pid = std::env::var("SYSTEMD_EXEC_PID").ok();
    std::env::var_os("INVOCATION_ID").is_some()
        && exec_pid.is_none_or(|pid| pid == std::process::id().to_string())
}

fn tell(states: &[NotifyState<'_>]) {
    // Without a service manager this does nothing and succeeds.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
