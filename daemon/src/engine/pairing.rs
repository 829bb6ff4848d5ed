//! Pairing by a code: the machine decides, signaling carries, the contacts keep.
//!
//! Lives here: what passes between them, and who waits for a code.
//! Must not: decide anything that `pair/` can decide without the engine; log a code.

use std::collections::VecDeque;
use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::card::Card;
use ahoy_proto::envelope::Token;
use ahoy_proto::pair::code::Code;
use ahoy_proto::pair::meeting::Chance;
use ahoy_proto::plate::PlateNews;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::bus;
use crate::engine::Engine;
use crate::engine::requests::{self, failed, hex};
use crate::neighbours::Order;
use crate::pair::{Do, Draw, Friend, Pairing};
use crate::signal::SignalingOrder;
use crate::values::near::PAIRING_PLACE;
use crate::values::pairing::{PairingRequest, PairingRow, PairingState};
use crate::values::request::{Answer, Asked, ContactRequest, Denied, DeniedKind, Reply};

/// Places where a code is looked up, at most: our relays, as many foreign ones, and the neighbours.
const MEETINGS: usize = 2 * ahoy_proto::limits::DEVICE_INBOXES + 1;

/// How long who has no relay waits for that of a code.
const RELAY_WITHIN: Duration = Duration::from_secs(10);

/// The machine, who waits for a code, and what the contacts were asked for, in order.
#[derive(Debug, Default)]
pub(super) struct Pairings {
    machine: Pairing,
    reply: Option<Reply>,
    asked: VecDeque<(Wanted, Waiting)>,
    held: Option<Held>,
}

/// A code whose relay is to be ours first, for there is no other.
#[derive(Debug)]
struct Held {
    code: Code,
    reply: Reply,
    until: Moment,
}

type Waiting = oneshot::Receiver<Result<Answer, Denied>>;

/// What the contacts were asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// A card of ours.
    Card,
    /// To keep theirs.
    Contact,
}

/// What came of it.
pub(super) type Done = (Wanted, Option<Answer>);

impl Pairings {
    /// What is shown.
    pub(super) fn row(&self) -> &PairingRow {
        self.machine.row()
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.machine.deadline().into_iter().chain(self.held.as_ref().map(|held| held.until)).min()
    }

    /// When the contacts have done what they were asked for; never if they were asked for nothing.
    pub(super) async fn done(&mut self) -> Done {
        let Some((wanted, waiting)) = self.asked.front_mut() else { return std::future::pending().await };
        let (wanted, answer) = (*wanted, waiting.await);
        self.asked.pop_front();
        (wanted, answer.ok().and_then(Result::ok))
    }
}

impl Engine {
    /// A client wants a code, typed one, or gives it up.
    pub(super) fn on_pairing_request(&mut self, reply: Reply, request: PairingRequest) {
        if let Some(Held { reply, .. }) = self.pairing.held.take() {
            let sentence = "Another pairing took the place of this one.";
            self.answer(reply, Err(Denied::new(DeniedKind::Failed, sentence)));
        }
        match request {
            PairingRequest::Join(code) if self.lacks_relay_of(&code) => self.hold(reply, code),
            request @ (PairingRequest::Start | PairingRequest::Join(_) | PairingRequest::Cancel) => {
                self.pair(reply, request);
            }
        }
    }

    /// A person follows a code to its relay: without any other it is ours, if it takes us in.
    fn lacks_relay_of(&self, code: &Code) -> bool {
        let finds = self.in_force.config().relay.find;
        finds && self.may_link() && self.own.inboxes.is_empty() && code.relay.is_some()
    }

    fn may_link(&self) -> bool {
        self.in_force.config().account.enabled && !self.own.is_away()
    }

    /// Relays that are none of ours where this code may be looked up: that which it names, else all that are known.
    fn foreign_relays(&self, code: &Code) -> Vec<String> {
        match &code.relay {
            Some(relay) if self.may_link() => vec![format!("wss://{relay}")],
            None if self.may_link() && self.in_force.config().relay.find => self.relays.known(&self.contacts),
            Some(_) | None => Vec::new(),
        }
    }

    fn hold(&mut self, reply: Reply, code: Code) {
        let until = self.now() + RELAY_WITHIN;
        if let Some(relay) = &code.relay {
            self.relays.follow_link(format!("wss://{relay}"));
        }
        self.pairing.held = Some(Held { code, reply, until });
        self.keep(Box::new(requests::reload), None);
    }

    /// The relay of a code took us in, or was waited for long enough.
    pub(super) fn go_on_pairing(&mut self) {
        let (now, is_up) = (self.now(), !self.links.up.is_empty());
        if let Some(held) = self.pairing.held.take_if(|held| is_up || held.until <= now) {
            self.pair(held.reply, PairingRequest::Join(held.code));
        }
    }

    fn pair(&mut self, reply: Reply, request: PairingRequest) {
        let (now, own) = (self.now(), self.own.peer_id());
        let mut up = self.links.up.clone();
        up.extend(self.networks.is_home().then(|| PAIRING_PLACE.to_owned()));
        let to_do = match request {
            PairingRequest::Cancel => Ok((self.pairing.machine.cancel(now), Some(reply))),
            PairingRequest::Start => {
                let begun = draw().and_then(|draw| self.pairing.machine.start(now, own, &up, draw));
                match begun {
                    Ok(to_do) => {
                        // Who waited for the last code hears first that there is none.
                        let (before, after): (Vec<Do>, Vec<Do>) =
                            to_do.into_iter().partition(|it| matches!(it, Do::Refuse(_)));
                        self.carry_out(before);
                        self.pairing.reply = Some(reply);
                        Ok((after, None))
                    }
                    Err(denied) => Err((denied, reply)),
                }
            }
            PairingRequest::Join(code) => {
                let foreign = self.foreign_relays(&code);
                let places = (&up[..], &foreign[..]);
                match draw().and_then(|draw| self.pairing.machine.join(now, own, places, draw, code)) {
                    Ok(to_do) => Ok((to_do, Some(reply))),
                    Err(denied) => Err((denied, reply)),
                }
            }
        };
        match to_do {
            Ok((to_do, reply)) => {
                self.carry_out(to_do);
                if let Some(reply) = reply {
                    self.answer(reply, Ok(Answer::Done));
                }
            }
            Err((denied, reply)) => {
                self.end_trial(false);
                self.answer(reply, Err(denied));
            }
        }
    }

    /// The relay at this address says something about a number.
    pub(super) fn on_plate(&mut self, relay: &str, news: PlateNews) {
        let now = self.now();
        let to_do = self.pairing.machine.hear(now, relay, news);
        self.carry_out(to_do);
    }

    /// The connection to it is another, or none.
    pub(super) fn on_relay_anew(&mut self, relay: &str) {
        let now = self.now();
        let to_do = self.pairing.machine.lost(now, relay);
        self.carry_out(to_do);
    }

    pub(super) fn tick_pairing(&mut self, now: Moment) {
        self.go_on_pairing();
        if self.pairing.machine.deadline().is_some_and(|due| due <= now) {
            let to_do = self.pairing.machine.tick(now);
            self.carry_out(to_do);
        }
    }

    /// The contacts have done what they were asked for.
    pub(super) fn on_pairing_done(&mut self, (wanted, answer): Done) {
        let now = self.now();
        let to_do = match (wanted, answer) {
            (Wanted::Card, Some(Answer::Text(card))) => self.pairing.machine.card_made(now, Some(card)),
            (Wanted::Card, _) => self.pairing.machine.card_made(now, None),
            (Wanted::Contact, Some(Answer::Text(id))) => {
                let peer = self.contacts.resolve(&id).ok();
                let friend = peer.and_then(|peer| {
                    let row = self.contacts.get(peer)?;
                    Some(Friend { peer, name: row.name, safety_number: row.safety_number })
                });
                self.pairing.machine.kept(now, friend)
            }
            (Wanted::Contact, _) => self.pairing.machine.kept(now, None),
        };
        self.carry_out(to_do);
    }

    fn carry_out(&mut self, to_do: Vec<Do>) {
        for it in to_do {
            match it {
                Do::Ask(place, ask) if place == PAIRING_PLACE => self.order_neighbours(Order::Plate(ask)),
                Do::Offer(number) => self.order_neighbours(Order::Offer(number)),
                Do::Ask(relay, ask) => self.order_signal(SignalingOrder::Plate(relay, ask)),
                Do::Show(code) => self.show_code(Ok(Answer::Text(code.say()))),
                Do::Refuse(denied) => self.show_code(Err(denied)),
                Do::MakeCard => self.ask_contacts(Wanted::Card, ContactRequest::ExportCard(String::new())),
                Do::Keep(card) => {
                    self.ask_contacts(Wanted::Contact, ContactRequest::AddPaired(card.to_text()));
                }
                Do::TakeBack(card) => {
                    if let Some(hash) = token_hash(&card) {
                        let id = data_encoding::HEXLOWER.encode(&hash);
                        self.ask_of_contacts(ContactRequest::RevokeCard(id));
                    }
                }
                Do::Bind(peer, card) => {
                    if token_hash(&card).is_some_and(|hash| self.contacts.bind(hash, peer)) {
                        self.send_roster();
                    }
                    self.contacts.set_mutual(peer);
                    self.contacts.set_told(peer, self.own.revision);
                    self.shown.publish(bus::Publication::ContactChanged(hex(peer)));
                }
            }
        }
        self.follow_end();
        self.refresh();
    }

    /// The relay of a link stays where somebody was met by it, and no longer.
    fn follow_end(&mut self) {
        let paired = match self.pairing.machine.row().state {
            Some(PairingState::Paired) => true,
            Some(PairingState::Failed) => false,
            Some(PairingState::Asking | PairingState::Waiting | PairingState::Meeting) | None => return,
        };
        if self.pairing.held.is_none() {
            self.end_trial(paired);
        }
    }

    fn end_trial(&mut self, paired: bool) {
        if self.relays.pairing_over(paired) {
            self.keep(Box::new(requests::reload), None);
        }
        if paired {
            let now = self.now();
            self.follow_relays(now);
        }
    }

    /// Who waits for a code has one, or hears why not.
    fn show_code(&mut self, outcome: Result<Answer, Denied>) {
        if let Some(reply) = self.pairing.reply.take() {
            self.answer(reply, outcome);
        }
    }

    fn ask_contacts(&mut self, wanted: Wanted, request: ContactRequest) {
        let waiting = self.ask_of_contacts(request);
        self.pairing.asked.push_back((wanted, waiting));
    }

    /// Asks as a client would, by the same way.
    fn ask_of_contacts(&mut self, request: ContactRequest) -> Waiting {
        let (reply, waiting) = oneshot::channel();
        self.on_request(Asked { what: request.into(), reply });
        waiting
    }
}

/// Of a card of ours.
fn token_hash(card: &str) -> Option<[u8; 16]> {
    let card = Card::parse(card).ok()?;
    Some(Token::from_bytes(card.token).hash().bytes())
}

fn draw() -> Result<Draw, Denied> {
    let none = |_| failed("the system has no random numbers");
    let mut words = [0; 64];
    getrandom::fill(&mut words).map_err(none)?;
    let mut meetings = Vec::new();
    for _ in 0..MEETINGS {
        let mut chance = Chance { secret: Zeroizing::new([0; 64]), session: [0; 16] };
        getrandom::fill(&mut chance.secret[..]).map_err(none)?;
        getrandom::fill(&mut chance.session).map_err(none)?;
        meetings.push(chance);
    }
    Ok(Draw { words, meetings })
}
