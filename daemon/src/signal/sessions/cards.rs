//! Cards that travel: ours to contacts who lack it, newer ones of contacts, and those of strangers who ask to be one.
//!
//! Lives here: ours that are on their way, until their relays have them; how many of theirs are looked at.
//! Must not: keep a card; decide who gets ours, or who becomes a contact: the engine and a person do. Nothing is answered.

use std::time::Duration;

use ahoy_call::{CallId, Moment, PeerId};
use ahoy_proto::card::Card;
use ahoy_proto::envelope::{EnvelopeId, TokenHash};
use ahoy_proto::hello::{Hello, HelloKind};
use ahoy_proto::limits;

use super::handshake::is_kept_for_too_long;
use super::rings::About;
use super::{Sessions, Time};
use crate::signal::Report;
use crate::signal::dropped::Cause;
use crate::signal::peer_line::{Out, Repeat, Route, chance};
use crate::signal::replay::Mark;
use crate::values::budget::{self, Budget};

/// How long a card of ours is offered to a relay that does not take it; the engine tries again later.
const TRIED: Duration = Duration::from_secs(60);
/// Cards of ours on their way at once, to all devices of all contacts.
const MOST: usize = 32;

/// A card of ours on its way to one device.
struct Sending {
    repeat: Repeat,
    peer: PeerId,
    revision: u64,
}

/// All of them.
pub(super) struct Cards {
    ours: Vec<Sending>,
    theirs: Budget<PeerId>,
    asked: Budget<TokenHash>,
    asked_by: Budget<(TokenHash, PeerId)>,
}

impl Default for Cards {
    fn default() -> Self {
        Self {
            ours: Vec::new(),
            theirs: Budget::new(budget::CARDS),
            asked: Budget::hourly(budget::REQUESTS_AT_ONCE, budget::REQUESTS_AN_HOUR),
            asked_by: Budget::hourly(budget::REQUESTS_OF_ONE, budget::REQUESTS_OF_ONE),
        }
    }
}

impl Cards {
    /// The ways of ours.
    pub(super) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.ours.iter().map(|it| &it.repeat.route)
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.ours.iter().filter_map(|it| it.repeat.deadline()).min()
    }
}

impl Sessions {
    /// Sends a card of ours to every device of a contact. `news`: they have an earlier one, and nobody here has asked for it
    /// now. Then a contact that may not learn our address before an answer gets it by relays of our own, if at all.
    pub(super) fn give_card(&mut self, time: Time, peer: PeerId, card: &Card, news: bool) {
        let shy = news && !self.peers.may_preconnect(peer);
        let mut all = Vec::new();
        for (device, _) in self.peers.devices(time.unix_s, peer) {
            let Some(call) = chance().map(CallId::from_bytes) else { break };
            let (leg, kind) = (device.leg_id(), HelloKind::Card(Box::new(card.clone())));
            let about = About { call, peer, leg, lifetime: Duration::ZERO, kind };
            let sending = self.begin(time, &about).and_then(|(calling, mut route)| {
                let left = !shy || route.keep_ours();
                left.then(|| Repeat::new(route, calling.message_1().to_vec(), time.now, TRIED))?
            });
            let Some(repeat) = sending else { continue };
            all.push(Sending { repeat: repeat.kept(limits::TTL), peer, revision: card.revision });
        }
        self.cards.ours.retain(|it| it.peer != peer);
        if all.is_empty() || self.cards.ours.len() + all.len() > MOST {
            self.out.push(Out::Report(Report::CardNotTaken(peer)));
            return;
        }
        all.iter_mut().for_each(|it| it.repeat.due(time.now, &mut self.out));
        self.cards.ours.append(&mut all);
    }

    /// A relay took an envelope.
    pub(super) fn card_taken(&mut self, relay: &str, envelope: EnvelopeId) {
        let taken = |it: &mut Sending| it.repeat.id == envelope && it.repeat.route.taken(relay);
        let ours = &mut self.cards.ours;
        let Some(place) = ours.iter_mut().position(taken) else { return };
        let Sending { peer, revision, .. } = ours.swap_remove(place);
        if !ours.iter().any(|it| it.peer == peer) {
            self.out.push(Out::Report(Report::CardTaken(peer, revision)));
        }
    }

    /// What is due of cards.
    pub(super) fn tick_cards(&mut self, now: Moment) {
        let ours = &mut self.cards.ours;
        ours.iter_mut().for_each(|it| it.repeat.due(now, &mut self.out));
        let over: Vec<PeerId> =
            ours.iter().filter(|it| it.repeat.deadline().is_none()).map(|it| it.peer).collect();
        // To whom one device is not reached all is sent once more, later.
        ours.retain(|it| !over.contains(&it.peer));
        self.out.extend(over.into_iter().map(|peer| Out::Report(Report::CardNotTaken(peer))));
    }

    /// Who is no contact any more, or is blocked, gets no card.
    pub(super) fn keep_cards(&mut self) {
        let (cards, peers) = (&mut self.cards, &self.peers);
        cards.ours.retain(|it| peers.may_speak(it.peer));
    }

    /// A contact sends its card.
    pub(super) fn card_came(
        &mut self,
        time: Time,
        peer: PeerId,
        hello: &Hello,
        card: &Card,
        handshake: Mark,
    ) -> Result<(), Cause> {
        if !self.cards.theirs.take(time.now, peer) {
            return Err(Cause::TooMany);
        }
        // One of the same revision with a token that was taken back must not come again.
        self.replay.insert(peer, handshake);
        self.hear_features(peer, &hello.features);
        self.out.push(Out::Report(Report::Mutual(peer)));
        self.out.push(Out::Report(Report::Card(peer, Box::new(card.clone()))));
        Ok(())
    }

    /// A stranger sends its card, with a token of ours: it has a card that we gave out. Whether it comes twice does not
    /// matter: one person asks once.
    pub(super) fn asked(&mut self, time: Time, token: TokenHash, hello: Hello) -> Result<(), Cause> {
        self.peers.may_ask(time.unix_s, token, &hello)?;
        if is_kept_for_too_long(time.unix_s, &hello) {
            return Err(Cause::Replayed);
        }
        let by = (token, hello.certificate.peer_id());
        if !self.cards.asked_by.take(time.now, by) || !self.cards.asked.take(time.now, token) {
            return Err(Cause::TooMany);
        }
        let HelloKind::Card(card) = hello.kind else { return Err(Cause::UnknownSender) };
        self.out.push(Out::Report(Report::Asked { token: token.bytes(), card }));
        Ok(())
    }
}
