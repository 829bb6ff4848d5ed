//! Links to relays that are none of ours.
//!
//! Lives here: how long one lives that a pairing needs, and what its relay may say.
//! Must not: reach a relay: `tests/tests/relay_sources.rs` does.

use super::*;
use ahoy_proto::envelope::{Body, Token};

/// Nobody listens there.
const FOREIGN: [&str; 2] = ["wss://127.0.0.1:9", "wss://127.0.0.1:10"];

fn deliver() -> FromLink {
    let (id, token) = (EnvelopeId::from_bytes([1; 16]), Token::from_bytes([2; 16]).hash());
    FromLink::Deliver(Deliver { id, held_ms: 0, token, body: Body::try_from(vec![1]).unwrap() })
}

#[tokio::test]
async fn a_foreign_relay_is_linked_to_for_one_pairing_alone() {
    let (to_us, _reports) = mpsc::channel(64);
    let mut links = Links::new(Trust::new(None), to_us);
    // No code of ours is there, and nobody is met yet.
    for ask in [PlateAsk::Claim, PlateAsk::Leave] {
        links.ask(FOREIGN[0], ask);
    }
    assert!(links.links.is_empty());

    links.ask(FOREIGN[0], PlateAsk::Join(4_711));
    let id = *links.links.keys().next().unwrap();
    assert_eq!(links.plate_relay(id), Some((FOREIGN[0], false)));
    assert_eq!(links.links[&id].to_ask, Some(PlateAsk::Join(4_711)), "it waits for the connection");
    assert!(links.room_relay(id).is_none() && links.place(id) == Some((FOREIGN[0], false)));

    let up = FromLink::Up { ice_servers: IceServers::default(), rooms: true };
    assert!(matches!(links.hear(id, up), News::Anew));
    assert!(links.is_up(id) && links.links[&id].to_ask.is_none());
    let state = links.state();
    assert!(!state.online && state.up.is_empty() && state.rooms.is_empty(), "it is none of ours: {state:?}");
    assert!(matches!(links.hear(id, deliver()), News::Nothing), "it has no mail for us");
    // What other links come and go by is nothing to it.
    links.claim(&[], &[]);
    links.claim_for_calls(std::iter::empty());
    links.prune(&BTreeSet::new());
    assert_eq!(links.links.len(), 1);

    links.ask(FOREIGN[1], PlateAsk::Join(4_711));
    let relays: Vec<&str> = links.links.values().map(|one| &one.relay[..]).collect();
    assert_eq!(relays, [FOREIGN[1]], "one at a time");
    links.ask(FOREIGN[1], PlateAsk::Leave);
    assert!(links.links.is_empty());
}
