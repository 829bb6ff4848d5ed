//! Do two machines and a relay between them make two contacts, and in every other case none and a sentence?
//!
//! Lives here: whole pairings in virtual time, with links that break, people who give up, and strangers.
//! Must not: know what the messages between the two hold; proto's tests alter each.

use std::collections::VecDeque;

use ahoy_proto::card::CardDevice;
use ahoy_proto::identity::DeviceCertificate;
use ahoy_proto::pair::meeting::Chance;
use ahoy_proto::relay_url::RelayUrl;
use ed25519_dalek::SigningKey;

use super::*;

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

/// What is between two people: a relay that holds one number, links, disks.
struct Rig {
    now: Moment,
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
        let to_do = self.sides[who].start(self.now, own, &RELAYS.map(str::to_owned)[..1], draw)?;
        self.carry_out(who, to_do);
        Ok(())
    }

    fn join(&mut self, who: usize, code: Code) -> Result<(), Denied> {
        let (draw, own) = (self.draw(), self.cards[who].peer_id());
        let to_do = self.sides[who].join(self.now, own, &RELAYS.map(str::to_owned)[..1], draw, code)?;
        self.carry_out(who, to_do);
        Ok(())
    }

    fn hear(&mut self, who: usize, news: PlateNews) {
        self.way.push_back((who, news));
        self.settle();
    }

    fn settle(&mut self) {
        while let Some((who, news)) = self.way.pop_front() {
            let to_do = self.sides[who].hear(self.now, RELAYS[0], news);
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
                    self.tell(other, PlateNews::Said(body));
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

/// Words that are not the right ones.
fn wrong(code: &Code) -> Code {
    let other = Code::draw(code.number, &RelayUrl::parse(RELAYS[0]).unwrap(), [200, 7, 200, 7]).unwrap();
    assert_ne!(other, *code);
    other
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
fn a_code_ends_after_ten_minutes_and_says_so_half_a_minute_before() {
    let mut r = Rig::new();
    r.start(ANA).unwrap();
    r.after(Duration::from_secs(569));
    assert!(!r.sides[ANA].row().ends_soon);
    r.after(Duration::from_secs(1));
    assert!(r.sides[ANA].row().ends_soon && r.state(ANA) == Some(PairingState::Waiting));
    r.after(Duration::from_secs(30));
    r.failed(ANA, PairingEnd::Expired);
    // And who types it then hears so.
    r.join(BEN, r.code()).unwrap();
    r.failed(BEN, PairingEnd::NoSuchCode);
    r.nobody();
}

#[test]
fn wrong_words_spend_the_code_and_the_third_makes_both_wait() {
    let mut r = Rig::new();
    for _ in 0..3 {
        r.start(ANA).unwrap();
        r.join(BEN, wrong(&r.code())).unwrap();
        r.failed(ANA, PairingEnd::WrongCode);
        r.failed(BEN, PairingEnd::WrongCode);
        assert_eq!(r.made, [0, 0], "no card is even made");
    }
    let code = r.code();
    for who in [ANA, BEN] {
        assert_eq!(r.start(who).unwrap_err().kind, DeniedKind::RateLimited);
        let denied = r.join(who, code.clone()).unwrap_err();
        assert!(denied.sentence.contains("10 min"), "{denied:?}");
    }
    r.after(Duration::from_secs(599));
    assert!(r.start(ANA).is_err());
    r.after(Duration::from_secs(1));
    r.start(ANA).unwrap();
    r.join(BEN, r.code()).unwrap();
    assert_eq!(r.state(BEN), Some(PairingState::Paired));
}

#[test]
fn a_success_forgives_what_failed_before() {
    let mut r = Rig::new();
    for _ in 0..3 {
        for _ in 0..2 {
            r.start(ANA).unwrap();
            r.join(BEN, wrong(&r.code())).unwrap();
        }
        r.start(ANA).unwrap();
        r.join(BEN, r.code()).unwrap();
        assert_eq!(r.state(ANA), Some(PairingState::Paired));
    }
}

#[test]
fn a_spent_code_brings_nobody() {
    let mut r = Rig::new();
    r.start(ANA).unwrap();
    let code = r.code();
    r.join(BEN, wrong(&code)).unwrap();
    r.join(BEN, code).unwrap();
    r.failed(BEN, PairingEnd::NoSuchCode);
    r.nobody();
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
fn a_link_that_breaks_at_any_moment_ends_it_with_a_sentence() {
    for passes in 1..12 {
        for breaks in [ANA, BEN] {
            let mut r = Rig::new();
            r.passes = passes;
            r.start(ANA).unwrap();
            r.join(BEN, r.code()).unwrap();
            r.passes = 0;
            let to_do = r.sides[breaks].lost(r.now, RELAYS[0]);
            r.carry_out(breaks, to_do);
            let row = r.sides[breaks].row();
            assert!(
                row.state == Some(PairingState::Paired) || row.reason == Some(PairingEnd::Lost),
                "{row:?}"
            );
            // The other is told by the relay, or hears nothing.
            r.after(Duration::from_secs(700));
            for who in [ANA, BEN] {
                let row = r.sides[who].row();
                match row.state {
                    Some(PairingState::Paired) => assert_eq!(r.kept[who].len(), 1),
                    Some(PairingState::Failed) => {
                        assert!(!row.sentence.is_empty());
                        assert_eq!((r.kept[who].len(), r.made[who] - r.taken_back[who]), (0, 0));
                    }
                    other => panic!("{passes}: {other:?}"),
                }
            }
            assert!(r.kept[BEN].is_empty() || !r.kept[ANA].is_empty(), "who joined keeps last");
        }
    }
}

#[test]
fn a_link_of_another_relay_and_late_words_change_nothing() {
    let mut r = Rig::new();
    r.start(ANA).unwrap();
    assert_eq!(r.sides[ANA].lost(r.now, RELAYS[1]), []);
    assert_eq!(r.sides[ANA].hear(r.now, RELAYS[1], PlateNews::Over(PlateOver::Expired)), []);
    r.hear(ANA, PlateNews::Claimed(4_712, Duration::from_secs(600)));
    assert_eq!((r.code().number, r.state(ANA)), (4_711, Some(PairingState::Waiting)));
    r.hear(ANA, PlateNews::Said(Body::try_from(vec![1]).unwrap()));
    assert_eq!(r.state(ANA), Some(PairingState::Waiting), "before anybody is there");
}

#[test]
fn both_may_start_and_either_may_join_the_other() {
    let mut r = Rig::new();
    r.start(BEN).unwrap();
    let of_ben = r.code();
    r.start(ANA).unwrap();
    r.plate = [Some(BEN), None];
    assert_ne!(r.code(), of_ben);
    r.join(ANA, of_ben).unwrap();
    for who in [ANA, BEN] {
        assert_eq!(r.state(who), Some(PairingState::Paired));
    }
    assert_eq!(r.sides[ANA].row().serial, 2, "the code that Ana showed is another pairing");
}

#[test]
fn ones_own_code_is_refused_and_stays_good() {
    let mut r = Rig::new();
    r.start(ANA).unwrap();
    for code in [r.code(), r.code().anywhere()] {
        let denied = r.join(ANA, code).unwrap_err();
        assert_eq!(denied.kind, DeniedKind::InvalidOption);
    }
    r.join(BEN, r.code()).unwrap();
    assert_eq!(r.state(ANA), Some(PairingState::Paired));
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
fn a_relay_that_does_not_answer_is_too_old_and_the_next_one_is_asked() {
    let mut r = Rig::new();
    r.passes = 0;
    r.start(ANA).unwrap();
    r.after(ANSWERS_WITHIN);
    r.failed(ANA, PairingEnd::OldRelay);
    assert_eq!(r.refused.pop().unwrap().kind, DeniedKind::NotSupported);

    let (draw, own) = (r.draw(), r.cards[ANA].peer_id());
    let up = RELAYS.map(str::to_owned);
    let ask = |to_do: &[Do]| match to_do {
        [Do::Ask(relay, PlateAsk::Claim)] => relay.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(ask(&r.sides[ANA].start(r.now, own, &up, draw).unwrap()), RELAYS[0]);
    assert_eq!(ask(&r.sides[ANA].tick(r.now + ANSWERS_WITHIN)), RELAYS[1]);
    let full = r.sides[ANA].hear(r.now, RELAYS[1], PlateNews::Over(PlateOver::Full));
    assert!(full.iter().any(|it| matches!(it, Do::Refuse(denied) if denied.kind == DeniedKind::RateLimited)));
}

#[test]
fn a_code_is_looked_up_at_every_relay_and_a_named_one_there_alone() {
    let mut r = Rig::new();
    let up = RELAYS.map(str::to_owned);
    let two = RelayUrl::parse(RELAYS[1]).unwrap();
    let code = Code::draw(4_711, &two, [1, 2, 3, 4]).unwrap();
    let asked = |to_do: &[Do]| -> Vec<String> {
        let joins = to_do.iter().filter_map(|it| {
            if let Do::Ask(relay, PlateAsk::Join(4_711)) = it { Some(relay.clone()) } else { None }
        });
        joins.collect()
    };
    let (draw, own) = (r.draw(), r.cards[BEN].peer_id());
    let bare = code.clone().anywhere();
    assert_eq!(asked(&r.sides[BEN].join(r.now, own, &up, draw, bare.clone()).unwrap()), [RELAYS[0]]);
    let none = PlateNews::Over(PlateOver::NoSuch);
    assert_eq!(asked(&r.sides[BEN].hear(r.now, RELAYS[0], none.clone())), [RELAYS[1]]);
    r.sides[BEN].hear(r.now, RELAYS[1], none);
    r.failed(BEN, PairingEnd::NoSuchCode);

    // A stranger holds that number at the first relay: the words do not fit there, and it goes on.
    let draw = r.draw();
    r.sides[BEN].join(r.now, own, &up, draw, bare).unwrap();
    let chance = Chance { secret: [7; 64].into(), session: [7; 16] };
    let (_, first) = Meeting::start(&wrong(&code), "one.example", chance);
    r.sides[BEN].hear(r.now, RELAYS[0], PlateNews::Met);
    r.sides[BEN].hear(r.now, RELAYS[0], PlateNews::Said(Body::try_from(first).unwrap()));
    let left = r.sides[BEN].hear(r.now, RELAYS[0], PlateNews::Over(PlateOver::Left));
    assert_eq!(asked(&left), [RELAYS[1]]);

    let draw = r.draw();
    assert_eq!(asked(&r.sides[BEN].join(r.now, own, &up, draw, code.clone()).unwrap()), [RELAYS[1]]);
    let draw = r.draw();
    let denied = r.sides[BEN].join(r.now, own, &up[..1], draw, code).unwrap_err();
    assert_eq!(denied.kind, DeniedKind::NotConnected);
    let draw = r.draw();
    assert_eq!(r.sides[BEN].start(r.now, own, &[], draw).unwrap_err().kind, DeniedKind::NotConnected);
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
