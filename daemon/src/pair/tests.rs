//! Do two machines and a relay between them make two contacts, and in every other case none and a sentence?
//!
//! Lives here: the rig, whole pairings in virtual time, people who give up, disks, strangers. Codes: `tests/codes.rs`; relays:
//! `tests/relays.rs`.
//! Must not: know what the messages between the two hold; proto's tests alter each.

mod near;

use std::collections::VecDeque;

use ahoy_proto::card::CardDevice;
use ahoy_proto::identity::DeviceCertificate;
use ahoy_proto::pair::meeting::Chance;
use ahoy_proto::plate::{PlateNews, PlateOver};
use ahoy_proto::relay_url::RelayUrl;
use ed25519_dalek::SigningKey;

use super::*;

mod codes;
mod relays;

const ANA: usize = 0;
const BEN: usize = 1;
const RELAYS: [&str; 2] = ["wss://one.example", "wss://two.example"];

fn card(seed: u8) -> Card {
    let account = SigningKey::from_bytes(&[seed; 32]);
    let device = SigningKey::from_bytes(&[seed + 100; 32]).verifying_key();
    let noise = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from([seed + 50; 32]));
    let certificate = DeviceCertificate::sign(&account, &device, &noise, "desk", 1_000, 2_000).unwrap();
    let device = CardDevice { certificate, inboxes: Vec::new() };
    Card::sign(&account, "Somebody", 1, &[device], [seed; 16]).unwrap()
}

/// Somebody whom each message passes: of its number and whom it is for, who gets what instead.
type Between = Box<dyn FnMut(usize, usize, Body) -> Vec<(usize, Body)>>;

/// What is between two people: a relay or neighbours with one number, links, disks.
struct Rig {
    now: Moment,
    /// Where they meet.
    spot: &'static str,
    between: Between,
    said: usize,
    sides: [Pairing; 2],
    cards: [Card; 2],
    draws: u8,
    /// Who holds the number, who joined it.
    plate: [Option<usize>; 2],
    code: Option<Code>,
    refused: Vec<Denied>,
    kept: [Vec<PeerId>; 2],
    bound: [usize; 2],
    taken_back: [usize; 2],
    made: [usize; 2],
    /// Messages that still pass; then everything is swallowed.
    passes: usize,
    /// The disk of Ben takes nothing.
    full_disk: bool,
    /// No disk has taken anything yet.
    slow_disk: bool,
    /// What the relay says, on its way.
    way: VecDeque<(usize, PlateNews)>,
}

impl Rig {
    fn new() -> Self {
        Self {
            now: Moment::from_micros(1),
            spot: RELAYS[0],
            between: Box::new(|_, to, body| vec![(to, body)]),
            said: 0,
            sides: Default::default(),
            cards: [card(1), card(2)],
            draws: 0,
            plate: [None; 2],
            code: None,
            refused: Vec::new(),
            kept: Default::default(),
            bound: [0; 2],
            taken_back: [0; 2],
            made: [0; 2],
            passes: usize::MAX,
            full_disk: false,
            slow_disk: false,
            way: VecDeque::new(),
        }
    }

    fn draw(&mut self) -> Draw {
        self.draws += 1;
        let chance = |n: u8| Chance { secret: [self.draws * 8 + n; 64].into(), session: [n; 16] };
        Draw { words: [self.draws; 64], meetings: (0..4).map(chance).collect() }
    }

    fn start(&mut self, who: usize) -> Result<(), Denied> {
        let (draw, own) = (self.draw(), self.cards[who].peer_id());
        let to_do = self.sides[who].start(self.now, own, &[self.spot.to_owned()], draw)?;
        self.carry_out(who, to_do);
        Ok(())
    }

    fn join(&mut self, who: usize, code: Code) -> Result<(), Denied> {
        let (draw, own) = (self.draw(), self.cards[who].peer_id());
        let to_do = self.sides[who].join(self.now, own, (&[self.spot.to_owned()], &[]), draw, code)?;
        self.carry_out(who, to_do);
        Ok(())
    }

    fn hear(&mut self, who: usize, news: PlateNews) {
        self.way.push_back((who, news));
        self.settle();
    }

    fn settle(&mut self) {
        while let Some((who, news)) = self.way.pop_front() {
            let to_do = self.sides[who].hear(self.now, self.spot, news);
            self.perform(who, to_do);
        }
    }

    fn carry_out(&mut self, who: usize, to_do: Vec<Do>) {
        self.perform(who, to_do);
        self.settle();
    }

    fn perform(&mut self, who: usize, to_do: Vec<Do>) {
        for it in to_do {
            match it {
                Do::Ask(_, ask) => self.relay(who, ask),
                Do::Offer(_) => {}
                Do::Show(code) => self.code = Some(code),
                Do::Refuse(denied) => self.refused.push(denied),
                Do::MakeCard => {
                    self.made[who] += 1;
                    let card = self.cards[who].to_text();
                    let to_do = self.sides[who].card_made(self.now, Some(card));
                    self.perform(who, to_do);
                }
                Do::Keep(_) if self.slow_disk => {}
                Do::Keep(card) => {
                    let peer = card.peer_id();
                    let fits = !(self.full_disk && who == BEN);
                    let friend = Friend { peer, name: "Somebody".into(), safety_number: "12345".into() };
                    if fits {
                        self.kept[who].push(peer);
                    }
                    let to_do = self.sides[who].kept(self.now, fits.then_some(friend));
                    self.perform(who, to_do);
                }
                Do::TakeBack(_) => self.taken_back[who] += 1,
                Do::Bind(..) => self.bound[who] += 1,
            }
        }
    }

    /// What an honest relay does.
    fn relay(&mut self, who: usize, ask: PlateAsk) {
        if self.passes == 0 {
            return;
        }
        self.passes -= 1;
        match ask {
            PlateAsk::Claim => {
                self.plate = [Some(who), None];
                self.tell(who, PlateNews::Claimed(4_711, Duration::from_secs(600)));
            }
            PlateAsk::Join(4_711) if self.plate[0].is_some() && self.plate[1].is_none() => {
                self.plate[1] = Some(who);
                for who in self.plate.into_iter().flatten() {
                    self.tell(who, PlateNews::Met);
                }
            }
            PlateAsk::Join(_) => self.tell(who, PlateNews::Over(PlateOver::NoSuch)),
            PlateAsk::Say(body) => {
                if let Some(other) = self.other(who) {
                    let passes = (self.between)(self.said, other, body);
                    self.said += 1;
                    passes.into_iter().for_each(|(to, body)| self.tell(to, PlateNews::Said(body)));
                }
            }
            PlateAsk::Leave => {
                let other = self.other(who);
                if self.plate.contains(&Some(who)) {
                    self.plate = [None; 2];
                }
                if let Some(other) = other {
                    self.tell(other, PlateNews::Over(PlateOver::Left));
                }
            }
        }
    }

    fn tell(&mut self, who: usize, news: PlateNews) {
        self.way.push_back((who, news));
    }

    fn other(&self, who: usize) -> Option<usize> {
        match self.plate {
            [Some(host), Some(guest)] if host == who => Some(guest),
            [Some(host), Some(guest)] if guest == who => Some(host),
            _ => None,
        }
    }

    fn after(&mut self, time: Duration) {
        let until = self.now + time;
        for who in [ANA, BEN] {
            while let Some(due) = self.sides[who].deadline()
                && due <= until
            {
                self.now = self.now.max(due);
                let to_do = self.sides[who].tick(self.now);
                self.carry_out(who, to_do);
                assert!(self.sides[who].deadline().is_none_or(|due| due > self.now), "a tick does all");
            }
        }
        self.now = until;
    }

    fn code(&self) -> Code {
        self.code.clone().unwrap()
    }

    fn state(&self, who: usize) -> Option<PairingState> {
        self.sides[who].row().state
    }

    /// Over without a contact, for this reason, said in its sentence.
    fn failed(&self, who: usize, why: PairingEnd) {
        let row = self.sides[who].row();
        assert_eq!((row.state, row.reason), (Some(PairingState::Failed), Some(why)), "{row:?}");
        assert_eq!((row.sentence.as_str(), row.contact, row.deadline_boot), (why.sentence(), None, 0));
        assert_eq!(self.made[who], self.taken_back[who], "no card of ours stays out");
        assert!(self.sides[who].deadline().is_none() && !row.ends_soon);
    }

    fn nobody(&self) {
        assert_eq!(self.kept, [Vec::new(), Vec::new()]);
    }
}

/// Who is asked what, in order.
fn asks(to_do: &[Do]) -> Vec<(String, PlateAsk)> {
    let asks = to_do
        .iter()
        .filter_map(|it| if let Do::Ask(at, ask) = it { Some((at.clone(), ask.clone())) } else { None });
    asks.collect()
}

/// Words that are not the right ones.
fn wrong(code: &Code) -> Code {
    let other = Code::draw(code.number, &RelayUrl::parse(RELAYS[0]).unwrap(), [200, 7, 200, 7]).unwrap();
    assert_ne!(other, *code);
    other
}

#[test]
fn a_card_that_an_earlier_pairing_asked_for_is_taken_back_and_ends_nothing() {
    let mut rig = Rig::new();
    rig.start(ANA).unwrap();
    // They meet, and nothing of what they say arrives.
    rig.passes = 1;
    rig.join(BEN, rig.code.clone().unwrap()).unwrap();
    for late in [Some(card(7).to_text()), None] {
        let to_do = rig.sides[BEN].card_made(rig.now, late.clone());
        assert!(to_do.iter().all(|it| matches!(it, Do::TakeBack(_))) && to_do.len() == late.iter().count());
        assert_eq!(rig.sides[BEN].row().state, Some(PairingState::Meeting));
    }
}

#[test]
fn a_code_said_and_typed_makes_two_contacts() {
    let mut r = Rig::new();
    r.start(ANA).unwrap();
    assert_eq!(r.state(ANA), Some(PairingState::Waiting));
    let row = r.sides[ANA].row();
    assert_eq!(
        (row.serial, row.joined, row.deadline_boot),
        (1, false, (r.now + Duration::from_secs(600)).micros())
    );
    r.join(BEN, r.code().anywhere()).unwrap();
    assert_eq!(r.kept, [vec![r.cards[BEN].peer_id()], vec![r.cards[ANA].peer_id()]]);
    for who in [ANA, BEN] {
        let row = r.sides[who].row();
        assert_eq!((row.state, row.contact), (Some(PairingState::Paired), Some(r.kept[who][0])));
        assert_eq!((row.name.as_str(), row.safety_number.as_str()), ("Somebody", "12345"));
        assert_eq!((r.bound[who], r.taken_back[who], r.made[who]), (1, 0, 1));
        assert_eq!(r.sides[who].deadline(), None);
    }
    // The number is free, and late words of the relay change nothing.
    assert_eq!(r.plate, [None; 2]);
    r.hear(ANA, PlateNews::Over(PlateOver::Expired));
    assert_eq!(r.state(ANA), Some(PairingState::Paired));
}

#[test]
fn who_gives_up_ends_it_for_both_at_any_moment() {
    for passes in 1..12 {
        for gives_up in [ANA, BEN] {
            let mut r = Rig::new();
            r.passes = passes;
            r.start(ANA).unwrap();
            r.join(BEN, r.code()).unwrap();
            let done = [ANA, BEN].map(|who| r.state(who) == Some(PairingState::Paired));
            r.passes = usize::MAX;
            let to_do = r.sides[gives_up].cancel(r.now);
            r.carry_out(gives_up, to_do);
            r.after(Duration::from_secs(700));
            for who in [ANA, BEN] {
                let ended = matches!(r.state(who), Some(PairingState::Failed | PairingState::Paired));
                assert!(ended, "{passes}: {:?}", r.state(who));
                assert_eq!(r.kept[who].len(), usize::from(done[who]), "{passes}");
            }
        }
    }
}

#[test]
fn another_daemon_of_ours_is_no_contact() {
    let mut r = Rig::new();
    r.cards[BEN] = r.cards[ANA].clone();
    r.start(ANA).unwrap();
    r.join(BEN, r.code()).unwrap();
    r.failed(ANA, PairingEnd::Own);
    r.nobody();
    assert_eq!(r.state(BEN), Some(PairingState::Failed));
}

#[test]
fn a_full_disk_makes_no_contact_and_takes_the_card_back() {
    let mut r = Rig::new();
    r.full_disk = true;
    r.start(BEN).unwrap();
    r.join(ANA, r.code()).unwrap();
    r.failed(BEN, PairingEnd::NotKept);
    r.failed(ANA, PairingEnd::Left);
    r.nobody();
}

#[test]
fn what_is_about_to_succeed_is_not_cut_off() {
    let mut r = Rig::new();
    r.slow_disk = true;
    r.start(ANA).unwrap();
    r.join(BEN, r.code()).unwrap();
    // Ana's disk has their card in hand.
    assert_eq!(r.sides[ANA].cancel(r.now), []);
    assert_eq!(r.sides[ANA].lost(r.now, RELAYS[0]), []);
    assert_eq!(r.start(ANA).unwrap_err().kind, DeniedKind::Busy);
    let code = r.code();
    assert_eq!(r.join(ANA, code).unwrap_err().kind, DeniedKind::Busy);
    r.hear(ANA, PlateNews::Over(PlateOver::Expired));
    r.slow_disk = false;
    let friend = Friend { peer: r.cards[BEN].peer_id(), name: "Ben".into(), safety_number: "1".into() };
    let to_do = r.sides[ANA].kept(r.now, Some(friend));
    r.carry_out(ANA, to_do);
    for who in [ANA, BEN] {
        assert_eq!(r.state(who), Some(PairingState::Paired));
    }
}

#[test]
fn a_stranger_s_messages_are_never_a_contact() {
    let mut r = Rig::new();
    r.start(ANA).unwrap();
    r.plate[1] = Some(BEN);
    r.hear(ANA, PlateNews::Met);
    r.hear(ANA, PlateNews::Said(Body::try_from(vec![2; 65]).unwrap()));
    r.failed(ANA, PairingEnd::WrongCode);
    r.start(ANA).unwrap();
    r.plate[1] = Some(BEN);
    r.hear(ANA, PlateNews::Met);
    r.hear(ANA, PlateNews::Said(Body::try_from(vec![9; 20]).unwrap()));
    r.failed(ANA, PairingEnd::Altered);
    r.nobody();
}

#[test]
fn nothing_that_is_shown_or_logged_of_a_pairing_holds_its_words() {
    let mut r = Rig::new();
    r.start(ANA).unwrap();
    let said = r.code().say();
    let words: Vec<&str> = said.split(['-', '@']).skip(1).take(2).collect();
    for text in [format!("{:?}", r.sides[ANA]), format!("{:?}", Do::Show(r.code()))] {
        assert!(words.iter().all(|word| !text.contains(word)), "{text}");
    }
}
