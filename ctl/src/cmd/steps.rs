//! What a newcomer still has to do before a call is possible.
//!
//! Lives here: each step, and the command that does it.
//! Must not: print; ask the bus.

use super::network;
use crate::world::World;

/// A line that explains, and the command that it leads to.
pub(super) type Step = (&'static str, String);

/// What a newcomer still has to do before a call is possible, each with the command that does it. Nobody to call yet: three
/// at most.
pub(super) fn next_steps(world: &World) -> Vec<Step> {
    let relays = world.account().map_or(0, |(_, account)| account.list("Relays").len());
    let lonely = world.contact_count() == Some(0);
    let mut steps = if lonely { meet() } else { Vec::new() };
    if relays == 0 && !network::is_home(&world.manager()) {
        // A relay's address comes from whoever runs one.
        steps.push((
            "to be called from elsewhere, a relay",
            "ahoyctl config set relay.urls wss://…".to_owned(),
        ));
    }
    steps
}

/// How two become each other's contacts.
pub(super) fn meet() -> Vec<Step> {
    vec![
        ("to meet somebody, show them a code", "ahoyctl pair".to_owned()),
        ("or type the code that they show", "ahoyctl pair CODE".to_owned()),
    ]
}
