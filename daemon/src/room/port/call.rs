//! The room of one call: its tickets, our stay in it, who is heard by it, who does not belong there.
//!
//! Lives here: what an order, an answer of a relay or something that happened in the room comes to.
//! Must not: know another call, or that somebody whom the room's server names is a member.

mod asked;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ahoy_call::{CallId, Epoch, LegId, Moment, Opaque, RoomOrder, RoomReport};
use ahoy_proto::limits;
use ahoy_proto::relay_url::RelayUrl;
use ahoy_proto::room_words::{RoomKey, RoomPass};
use tokio::sync::{mpsc, watch};

pub(super) use self::asked::Want;
use super::names::Names;
use super::{Held, Out};
use crate::room::frames::{Keys, Ring};
use crate::room::said::RoomToken;
use crate::room::session::Place;
use crate::room::stay::{Parts, StayOrder};
use crate::system::trust::Trust;
use crate::values::room::{Identity, RoomAsk as PathAsk, RoomEnds, RoomEvent, RoomSaid};

/// What stay and connection may be behind with of each other's words, and a stay with our orders.
const WORDS: usize = 256;
const ORDERS: usize = 64;
/// Who opened the room puts out whom nobody knows after so long: a key takes some trips. And who was a member sooner.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
const GONE_FOR: Duration = Duration::from_secs(2);
/// So often it looks who is there.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Identities that do not belong there and are remembered; each is put out so often at most.
const SUSPECTS: usize = limits::ROOM_PEOPLE;
const PUT_OUT: u8 = 3;
/// So often a fresh token is asked for in one stay.
const TOKENS: u8 = 3;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct CallRoom {
    call: CallId,
    host: Option<Held>,
    seat: Option<Held>,
    wants: VecDeque<Want>,
    /// One is asked.
    waits: bool,
    members: BTreeSet<LegId>,
    /// Who may be there, and takes no part: their voices are asked for, and not opened.
    guests: BTreeSet<LegId>,
    names: Names,
    stay: Option<Stay>,
}

/// Our stay.
#[derive(Debug)]
struct Stay {
    number: u64,
    epoch: Epoch,
    /// Until the way in is known.
    door: Option<Door>,
    orders: mpsc::Sender<StayOrder>,
    keys: watch::Sender<Keys>,
    legs: watch::Sender<BTreeMap<Identity, LegId>>,
    /// Who it was told are members.
    admitted: BTreeSet<Identity>,
    own: Option<Identity>,
    up: bool,
    here: BTreeSet<Identity>,
    /// Whose frames come.
    comes: BTreeSet<LegId>,
    /// Who was reported as heard.
    heard: BTreeSet<LegId>,
    /// Who does not belong there, when they are put out, and how often they were.
    suspects: BTreeMap<Identity, (Moment, u8)>,
    look_at: Moment,
    tokens: u8,
    /// The relay that lets us in is on this machine: so may the server be.
    plain: bool,
}

/// What a stay is begun with.
#[derive(Debug)]
struct Door {
    asks: mpsc::Sender<PathAsk>,
    said: mpsc::Receiver<RoomSaid>,
    trailer: watch::Sender<Vec<u8>>,
    orders: mpsc::Receiver<StayOrder>,
}

impl CallRoom {
    pub(super) fn new(call: CallId) -> Self {
        let (host, seat, stay, wants, members, guests, names) = Default::default();
        Self { call, host, seat, wants, waits: false, members, guests, names, stay }
    }

    /// An order of the rules; `number` is that of a stay that begins by it. Returns the room that is to end.
    pub(super) fn order(
        &mut self,
        now: Moment,
        number: u64,
        order: RoomOrder,
        out: &mut Vec<Out>,
    ) -> Option<Held> {
        match order {
            RoomOrder::Open { passes } => self.want(Want::Open(passes), out),
            RoomOrder::Draw { passes } => self.want(Want::Draw(passes), out),
            RoomOrder::Enter { epoch, pass } => self.enter(now, number, epoch, &pass, out),
            RoomOrder::Members(members) => self.admit(now, members, self.guests.clone()),
            RoomOrder::Guests(guests) => self.admit(now, self.members.clone(), guests),
            RoomOrder::Key { leg, key } => match RoomKey::read(&key) {
                Ok(key) => {
                    let own = self.stay.as_ref().and_then(|stay| stay.own.as_ref());
                    self.names.learn(now, leg, &key, own);
                }
                Err(error) => tracing::debug!(%error, "what a member tells of its key is dropped"),
            },
            RoomOrder::Renew => {
                if self.names.renew(now, false) {
                    self.tell_key(false, out);
                } else {
                    tracing::warn!("no randomness for a key: the old one is used on");
                }
            }
            RoomOrder::Step => {
                self.names.step();
                self.tell_key(true, out);
            }
            RoomOrder::Leave { ends } => {
                self.leave();
                return if ends { self.host.take() } else { None };
            }
        }
        self.settle(out);
        None
    }

    /// Goes out, and asks nothing more.
    pub(super) fn leave(&mut self) {
        self.wants.clear();
        if let Some(stay) = self.stay.take() {
            stay.say(StayOrder::Leave);
        }
    }

    /// Nothing of it is there, and nothing is waited for.
    pub(super) fn is_idle(&self) -> bool {
        self.stay.is_none() && self.wants.is_empty() && !self.waits && self.host.is_none()
    }

    pub(super) fn stays(&self, number: u64) -> bool {
        self.stay.as_ref().is_some_and(|stay| stay.number == number)
    }

    pub(super) fn moved(&self) {
        if let Some(stay) = &self.stay {
            stay.say(StayOrder::Moved);
        }
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let stay = self.stay.as_ref().filter(|stay| stay.up && self.host.is_some());
        let suspects = stay.iter().flat_map(|stay| stay.suspects.values()).map(|(at, _)| *at).min();
        let look = stay.map(|stay| stay.look_at);
        [self.names.deadline(), suspects, look].into_iter().flatten().min()
    }

    pub(super) fn tick(&mut self, now: Moment, out: &mut Vec<Out>) {
        self.names.tick(now);
        let hosts = self.host.is_some();
        if let Some(stay) = self.stay.as_mut().filter(|stay| stay.up && hosts) {
            let mut wants = Vec::new();
            if stay.look_at <= now {
                stay.look_at = now + LOOK_EVERY;
                wants.push(Want::People);
            }
            for (who, (at, times)) in &mut stay.suspects {
                if *at <= now {
                    (*at, *times) = (now + UNKNOWN_FOR, *times + 1);
                    wants.push(Want::Remove(who.clone()));
                }
            }
            stay.suspects.retain(|_, (_, times)| *times < PUT_OUT);
            wants.into_iter().for_each(|want| self.want(want, out));
        }
        self.settle(out);
    }

    /// Something happened in our stay.
    pub(super) fn happened(&mut self, now: Moment, event: RoomEvent, out: &mut Vec<Out>) {
        let Some(stay) = &mut self.stay else { return };
        match event {
            RoomEvent::Entered(identity) => {
                let before = stay.own.replace(identity.clone());
                if before.as_ref() != Some(&identity) {
                    // Under another name what was sealed before would count as new.
                    if before.is_some() && !self.names.renew(now, true) {
                        tracing::warn!("no randomness for a key: the old one is used on");
                    }
                    self.tell_key(false, out);
                }
            }
            RoomEvent::Up => (stay.up, stay.look_at) = (true, now + LOOK_EVERY),
            RoomEvent::Down => stay.up = false,
            RoomEvent::Here(who) => {
                stay.suspect(who.clone(), now + UNKNOWN_FOR);
                stay.here.insert(who);
            }
            RoomEvent::Gone(who) => {
                stay.suspects.remove(&who);
                stay.here.remove(&who);
            }
            RoomEvent::Unsealed(_) => tracing::debug!("a member's voice in a room is not sealed"),
            RoomEvent::TokenRefused => {
                let number = stay.number;
                if stay.tokens < TOKENS {
                    stay.tokens += 1;
                    self.want(Want::FreshPass(number), out);
                }
            }
            RoomEvent::Ended(why) => {
                tracing::info!(?why, "a stay in a room is over");
                self.stay = None;
                out.push(Out::Tell(self.call, RoomReport::Over));
            }
        }
        self.settle(out);
    }

    /// Frames of this member come by the stay of that epoch, or come no more.
    pub(super) fn comes(&mut self, epoch: Epoch, member: LegId, comes: bool, out: &mut Vec<Out>) {
        let Some(stay) = self.stay.as_mut().filter(|stay| stay.epoch == epoch) else { return };
        if comes {
            stay.comes.insert(member)
        } else {
            stay.comes.remove(&member)
        };
        self.settle(out);
    }

    /// Goes in by this pass: the path is there at once, the stay when the way is known.
    fn enter(&mut self, now: Moment, number: u64, epoch: Epoch, pass: &Opaque, out: &mut Vec<Out>) {
        if let Some(stay) = self.stay.take() {
            stay.say(StayOrder::Leave);
        }
        self.admit(now, self.members.clone(), BTreeSet::new());
        let ((asks, asked), (says, said)) = (mpsc::channel(WORDS), mpsc::channel(WORDS));
        let (orders_in, orders) = mpsc::channel(ORDERS);
        let ((keys, keys_out), (legs, legs_out)) =
            (watch::channel(Keys::default()), watch::channel(BTreeMap::new()));
        let (trailer, trailer_out) = watch::channel(Vec::new());
        let cipher = Box::new(Ring::new(keys_out, trailer_out));
        let ends = RoomEnds { asks: asked, says, cipher, legs: legs_out };
        out.push(Out::Prepare { call: self.call, epoch, ends });
        let read = RoomPass::read(pass);
        // A key of its own for each stay: what was sealed in the last one is no nonce of this one.
        let Some(RoomPass { relay, ticket }) = read.ok().filter(|_| self.names.renew(now, true)) else {
            tracing::debug!("a pass leads nowhere");
            return out.push(Out::Tell(self.call, RoomReport::NoRoom));
        };
        let (admitted, here, comes, heard, suspects) = Default::default();
        self.stay = Some(Stay {
            number,
            epoch,
            door: Some(Door { asks, said, trailer, orders }),
            orders: orders_in,
            keys,
            legs,
            admitted,
            own: None,
            up: false,
            here,
            comes,
            heard,
            suspects,
            look_at: now + LOOK_EVERY,
            tokens: 0,
            plain: !relay.is_sealed(),
        });
        self.want(Want::Enter(number, relay, ticket), out);
    }

    /// The way in is known.
    fn begin(&mut self, urls: Vec<String>, token: &str, out: &mut Vec<Out>) {
        let members: BTreeSet<Identity> = self.names.legs(&self.known()).into_keys().collect();
        let Some(stay) = &mut self.stay else { return };
        let Some((Door { asks, said, trailer, orders }, token)) = stay.door.take().zip(RoomToken::new(token))
        else {
            self.stay = None;
            return out.push(Out::Tell(self.call, RoomReport::NoRoom));
        };
        // A relay elsewhere does not make us knock at what listens on this machine.
        let usable = |url: &String| {
            stay.plain || RelayUrl::parse(url.trim_end_matches('/')).is_ok_and(|url| url.is_sealed())
        };
        let urls = urls.into_iter().filter(usable).collect();
        stay.admitted.clone_from(&members);
        let place = Place { urls, token };
        // Whoever runs it forwards what happens.
        let (events, _) = mpsc::channel(1);
        let trust = Trust::default();
        let parts = Box::new(Parts { place, members, trust, asks, said, trailer, events, orders });
        out.push(Out::Stay { number: stay.number, parts });
        self.settle(out);
    }

    /// Those take part, and those may be there.
    fn admit(&mut self, now: Moment, members: BTreeSet<LegId>, guests: BTreeSet<LegId>) {
        let before = self.known();
        (self.members, self.guests) = (members, guests);
        let gone = self.names.keep(&self.known(), &before);
        if let Some(stay) = &mut self.stay {
            for who in gone.into_iter().filter(|who| stay.here.contains(who)) {
                stay.suspects.insert(who, (now + GONE_FOR, 0));
            }
        }
    }

    fn known(&self) -> BTreeSet<LegId> {
        self.members.union(&self.guests).copied().collect()
    }

    fn tell_key(&self, step: bool, out: &mut Vec<Out>) {
        let own = self.stay.as_ref().and_then(|stay| stay.own.as_ref());
        let key = own.and_then(|own| self.names.own(own)).and_then(|key| key.write().ok());
        out.extend(key.map(|key| Out::Tell(self.call, RoomReport::Key { key, step })));
    }

    /// Lets stay and connection know what counts now, and the rules who is heard.
    fn settle(&mut self, out: &mut Vec<Out>) {
        let admitted: BTreeSet<Identity> = self.names.legs(&self.known()).into_keys().collect();
        let Some(stay) = &mut self.stay else { return };
        let (keys, legs) = (self.names.keys(&self.members), self.names.legs(&self.members));
        stay.keys.send_if_modified(|had| replace(had, keys));
        stay.legs.send_if_modified(|had| replace(had, legs.clone()));
        stay.suspects.retain(|who, _| !admitted.contains(who) && stay.own.as_ref() != Some(who));
        if stay.admitted != admitted && stay.say(StayOrder::Members(admitted.clone())) {
            stay.admitted = admitted;
        }
        let is_heard = |(who, leg): &(&Identity, &LegId)| {
            stay.up && stay.here.contains(*who) && stay.comes.contains(*leg)
        };
        let heard: BTreeSet<LegId> = legs.iter().filter(is_heard).map(|(_, leg)| *leg).collect();
        let before = std::mem::replace(&mut stay.heard, heard);
        let now_heard = stay.heard.difference(&before).map(|leg| (*leg, true));
        let no_more = before.difference(&stay.heard).map(|leg| (*leg, false));
        for (leg, heard) in now_heard.chain(no_more) {
            out.push(Out::Tell(self.call, RoomReport::Heard { leg, heard }));
        }
    }
}

impl Stay {
    /// Somebody is there who may not belong there.
    fn suspect(&mut self, who: Identity, at: Moment) {
        if self.suspects.len() < SUSPECTS {
            self.suspects.entry(who).or_insert((at, 0));
        }
    }

    /// False: it takes no more orders for now.
    fn say(&self, order: StayOrder) -> bool {
        let taken = self.orders.try_send(order).is_ok();
        if !taken {
            tracing::debug!("a stay in a room takes no more orders");
        }
        taken
    }
}

fn replace<T: PartialEq>(had: &mut T, new: T) -> bool {
    let changed = *had != new;
    if changed {
        *had = new;
    }
    changed
}
