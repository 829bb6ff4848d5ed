//! What comes of cards that travel: ours for one contact, a newer one of theirs, one of somebody who asks.
//!
//! Lives here: what each of them writes. The daemon's own wishes.
//! Must not: know who asked for one, or how it travels.

use std::io;

use ahoy_call::PeerId;
use ahoy_proto::card::Card;

use super::contacts::{ContactDone, written};
use super::{Components, Done, Plan};
use crate::contacts::{Added, Asked, Change};
use crate::system::store::Gate;
use crate::values::request::{Answer, Denied};

/// A card of ours for a contact.
#[derive(Debug)]
pub(in crate::engine) struct CardDone {
    /// For whom.
    pub peer: PeerId,
    /// What keeps its token, how far that was written, and the card; none if there is none for them.
    pub made: Option<(Change, io::Result<()>, Box<Card>)>,
}

/// Makes a card of ours for a contact, and keeps its token.
pub(in crate::engine) fn card_for(with: &mut Components<'_>, peer: PeerId) -> Result<Plan, Denied> {
    let made = with.contacts.card_for(peer, with.unix_us).unwrap_or_else(|error| {
        tracing::warn!(%error, "no card for a contact");
        None
    });
    let store = with.store.clone();
    Ok(Plan::Write(Box::new(move |gate: &Gate| {
        let made = made.map(|(card, mut change)| {
            let result = change.write(&store, gate);
            (change, result, Box::new(card))
        });
        Done::Card(Box::new(CardDone { peer, made }))
    })))
}

/// Takes the card of a contact, if it is a newer one.
pub(in crate::engine) fn newer_card(
    with: &mut Components<'_>,
    peer: PeerId,
    card: &Card,
) -> Result<Plan, Denied> {
    // Removed meanwhile: it does not come back by itself.
    if with.contacts.get(peer).is_none() {
        return Ok(Plan::Now(Answer::Done));
    }
    let (added, change) = with.contacts.add(&card.to_text(), with.unix_us)?;
    if matches!(added, Added::Known(_)) {
        return Ok(Plan::Now(Answer::Done));
    }
    tracing::info!("a contact has a newer card");
    let done = ContactDone { peer: Some(peer), ..ContactDone::nobody(Answer::Done) };
    Ok(written(with, change, done))
}

/// Keeps the request of somebody who is no contact.
pub(in crate::engine) fn stranger(
    with: &mut Components<'_>,
    token: [u8; 16],
    card: &Card,
) -> Result<Plan, Denied> {
    let (peer, name, change) = match with.contacts.ask(token, card, with.unix_us) {
        Asked::New(peer, name, change) => (peer, Some(name), change),
        Asked::Again(peer, change) => (peer, None, change),
        Asked::Nothing => return Ok(Plan::Now(Answer::Done)),
    };
    let done = ContactDone {
        peer: Some(peer),
        asks: name.map(|name| (peer, name)),
        ..ContactDone::nobody(Answer::Done)
    };
    Ok(written(with, change, done))
}
