//! The moments at which a daemon is killed.
//!
//! Lives here: phases, roles, points, and how they are spread.
//! Must not: kill anybody.

use std::fmt;
use std::time::Duration;

/// What the call is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It was dialed; at the callee it was let in.
    Dialing,
    /// It rings.
    Ringing,
    /// It was answered, and there is no sound yet.
    Connecting,
    /// Sound flows.
    Active,
    /// The path broke.
    Reconnecting,
    /// It is over, and lingers.
    Ended,
}

/// Whose daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who dialed.
    Caller,
    /// Who was called.
    Callee,
}

/// How it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// It ends itself at a point of the code, when that is reached for the phase's fact or state.
    At(&'static str),
    /// From outside, so long after the bus showed the phase.
    After(Duration),
}

/// One moment.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// In which phase.
    pub phase: Phase,
    /// Whose daemon.
    pub role: Role,
    /// How.
    pub kill: Kill,
    /// Counts the moments; also decides what else differs from one to the next.
    pub number: usize,
}

const PHASES: [Phase; 6] =
    [Phase::Dialing, Phase::Ringing, Phase::Connecting, Phase::Active, Phase::Reconnecting, Phase::Ended];
/// Before a record is handed over, before and after its commit, before and after what it says is published.
const POINTS: [&str; 5] = ["record", "commit", "committed", "publish", "published"];

impl Plan {
    /// So many moments: every phase and role alike, at points and in between.
    pub fn spread(count: usize) -> Vec<Self> {
        let cells: Vec<(Phase, Role)> =
            PHASES.into_iter().flat_map(|phase| [(phase, Role::Caller), (phase, Role::Callee)]).collect();
        let moment = |number: usize| {
            let (phase, role) = cells[number % cells.len()];
            let round = number / cells.len();
            let delay = Duration::from_micros(u64::try_from(number * 7_919 % 120_000).unwrap_or(0));
            let kill = match round % 8 {
                point @ 0..5 => Kill::At(POINTS[point]),
                _ => Kill::After(delay),
            };
            // What was let in and does not ring yet is not shown, so that it has no publication.
            let hidden = phase == Phase::Dialing && role == Role::Callee;
            let kill = match kill {
                Kill::At("publish" | "published") if hidden => Kill::After(delay),
                kill @ (Kill::At(_) | Kill::After(_)) => kill,
            };
            Self { phase, role, kill, number }
        };
        (0..count).map(moment).collect()
    }

    /// Phase and role.
    pub fn cell(&self) -> String {
        format!("{:?} {:?}", self.phase, self.role).to_lowercase()
    }

    /// What arms the point: its name with the fact or state that the daemon calls it with.
    pub(super) fn armed(&self) -> Option<String> {
        let Kill::At(point) = self.kill else { return None };
        let caller = self.role == Role::Caller;
        let (fact, state) = match self.phase {
            Phase::Dialing if caller => ("Dialed", "Dialing"),
            Phase::Dialing => ("Offered", "Incoming"),
            Phase::Ringing if caller => ("RingingThere", "Alerting"),
            Phase::Ringing => ("RingingHere", "Incoming"),
            Phase::Connecting => ("Answered", "Connecting"),
            Phase::Active => ("Connected", "Active"),
            Phase::Reconnecting => ("PathLost", "Reconnecting"),
            Phase::Ended => ("Ended", "Disconnected"),
        };
        let shown = matches!(point, "publish" | "published");
        Some(format!("{point} {}", if shown { state } else { fact }))
    }

    /// The state of the phase on the bus of the one who is killed; for what is not shown there, on the other's.
    pub(super) fn state(&self) -> (Role, &'static str) {
        match (self.phase, self.role) {
            (Phase::Dialing, _) => (Role::Caller, "dialing"),
            (Phase::Ringing, Role::Caller) => (Role::Caller, "alerting"),
            (Phase::Ringing, Role::Callee) => (Role::Callee, "incoming"),
            (Phase::Connecting, role) => (role, "connecting"),
            (Phase::Active, role) => (role, "active"),
            (Phase::Reconnecting, role) => (role, "reconnecting"),
            (Phase::Ended, role) => (role, "disconnected"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.kill {
            Kill::At(point) => point.to_owned(),
            Kill::After(delay) => format!("after {} ms", delay.as_millis()),
        };
        write!(f, "kill {} ({}, {how})", self.number, self.cell())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hundred_moments_hold_twenty_of_every_phase_in_both_roles_at_every_point() {
        let plans = Plan::spread(200);
        for phase in PHASES {
            let here = || plans.iter().filter(move |plan| plan.phase == phase);
            assert!(here().count() >= 20, "{phase:?}");
            for role in [Role::Caller, Role::Callee] {
                assert!(here().filter(|plan| plan.role == role).count() >= 10, "{phase:?} {role:?}");
            }
            for point in POINTS {
                assert!(here().any(|plan| plan.kill == Kill::At(point)), "{phase:?} {point}");
            }
        }
    }
}
