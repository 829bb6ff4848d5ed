//! Do two sides of a negotiation always end with one description?
//!
//! Lives here: each rule by itself; and a pair with a network that delays and reorders, by seeds, over a model of a connection
//! that is as strict as the library.
//! Must not: use a real connection: `daemon/tests/foreign.rs` does.

use std::collections::VecDeque;

use super::*;

/// A small seeded generator (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}

/// What the model's descriptions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Text {
    /// Whose, and the how many-eth.
    side: usize,
    number: u64,
    /// The writer's ICE credentials, by number.
    ufrag: u32,
}

/// A connection as the library has it: a wrong order of steps is a panic.
#[derive(Default)]
struct Connection {
    /// The last exchange that is complete: offer and answer.
    current: Option<(Text, Text)>,
    ours_pending: Option<Text>,
    theirs_pending: Option<Text>,
    ufrag: u32,
    their_ufrag: Option<u32>,
}

impl Connection {
    fn rollback(&mut self) {
        // The new credentials of an offer that is taken back stay: the library has thrown the old ones away.
        assert!(self.ours_pending.take().is_some(), "nothing to take back");
    }

    fn take(&mut self, kind: SdpKind, theirs: Text) {
        match kind {
            SdpKind::Offer => {
                assert!(self.ours_pending.is_none(), "our own offer is out");
                if self.their_ufrag.is_some_and(|ufrag| ufrag != theirs.ufrag) {
                    self.ufrag += 1;
                }
                self.theirs_pending = Some(theirs);
            }
            SdpKind::Answer => {
                let ours = self.ours_pending.take().expect("an offer that it answers");
                self.current = Some((ours, theirs));
            }
        }
        self.their_ufrag = Some(theirs.ufrag);
    }

    fn describe(&mut self, kind: SdpKind, renewal: Renewal, side: usize, number: u64) -> Text {
        if renewal == Renewal::Restart {
            self.ufrag += 1;
        }
        let ours = Text { side, number, ufrag: self.ufrag };
        match kind {
            SdpKind::Offer => {
                assert!(self.ours_pending.is_none() && self.theirs_pending.is_none(), "not stable");
                self.ours_pending = Some(ours);
            }
            SdpKind::Answer => {
                let theirs = self.theirs_pending.take().expect("an offer to answer");
                self.current = Some((theirs, ours));
            }
        }
        ours
    }
}

struct End {
    side: usize,
    negotiation: Negotiation<Text>,
    connection: Connection,
    numbers: u64,
    /// Our credentials when a restart was wished last.
    restart_from: Option<u32>,
    rollbacks: usize,
}

impl End {
    fn new(side: usize, manners: Manners) -> Self {
        let (connection, negotiation) = (Connection::default(), Negotiation::new(manners));
        Self { side, negotiation, connection, numbers: 0, restart_from: None, rollbacks: 0 }
    }

    /// What it sends by these steps.
    fn act(&mut self, steps: Vec<Step<Text>>, numbered: bool) -> Vec<Numbered<Text>> {
        let mut sent = Vec::new();
        for step in steps {
            match step {
                Step::Rollback => {
                    self.rollbacks += 1;
                    self.connection.rollback();
                }
                Step::Take(kind, text) => self.connection.take(kind, text),
                Step::Describe(kind, renewal) => {
                    self.numbers += 1;
                    let body = self.connection.describe(kind, renewal, self.side, self.numbers);
                    sent.push(Numbered { kind, version: if numbered { self.numbers } else { 1 }, body });
                }
            }
        }
        sent
    }
}

/// Whether what is sent may be overtaken, and says how many-eth it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Network {
    Reorders,
    InOrder,
    /// In order, and all say the same number, as some peers do that are not browsers.
    InOrderUnnumbered,
}

struct Pair {
    ends: [End; 2],
    /// Under way to each.
    towards: [VecDeque<Numbered<Text>>; 2],
    network: Network,
    sent: usize,
    wishes: usize,
}

impl Pair {
    fn new(manners: [Manners; 2], network: Network) -> Self {
        let [a, b] = manners;
        let towards = Default::default();
        Self { ends: [End::new(0, a), End::new(1, b)], towards, network, sent: 0, wishes: 0 }
    }

    fn act(&mut self, side: usize, steps: Vec<Step<Text>>) {
        let sent = self.ends[side].act(steps, self.network != Network::InOrderUnnumbered);
        self.sent += sent.len();
        self.towards[1 - side].extend(sent);
    }

    fn wish(&mut self, side: usize, renewal: Renewal) {
        self.wishes += 1;
        let end = &mut self.ends[side];
        if renewal == Renewal::Restart {
            end.restart_from = Some(end.connection.ufrag);
        }
        let steps = end.negotiation.wish(renewal);
        self.act(side, steps);
    }

    fn deliver(&mut self, side: usize, chance: &mut Chance) {
        let waiting = &mut self.towards[side];
        if waiting.is_empty() {
            return;
        }
        let which = if self.network == Network::Reorders { chance.below(waiting.len()) } else { 0 };
        let came = waiting.remove(which).unwrap();
        let steps = self.ends[side].negotiation.came(Moment::default(), came).unwrap();
        self.act(side, steps);
    }

    /// A life with wishes at any time, until everything has arrived. What is wrong at its end.
    fn live(&mut self, chance: &mut Chance) -> Result<(), String> {
        let mut left = chance.below(9);
        self.wish(chance.below(2), Renewal::Describe);
        while left > 0 || self.towards.iter().any(|waiting| !waiting.is_empty()) {
            let side = chance.below(2);
            if left > 0 && chance.below(3) == 0 {
                left -= 1;
                let renewal = if chance.below(3) == 0 { Renewal::Restart } else { Renewal::Describe };
                self.wish(side, renewal);
                // Both at once.
                if left > 0 && chance.below(2) == 0 {
                    left -= 1;
                    self.wish(1 - side, renewal);
                }
            } else {
                self.deliver(side, chance);
            }
        }
        self.check()
    }

    fn check(&self) -> Result<(), String> {
        let [a, b] = &self.ends;
        for end in &self.ends {
            if end.negotiation.offered.is_some() || end.negotiation.wished.is_some() {
                return Err("an offer was never answered, or never made".to_owned());
            }
            if end.restart_from.is_some_and(|ufrag| end.connection.ufrag <= ufrag) {
                return Err("a restart was wished for and never made".to_owned());
            }
        }
        if a.connection.current.is_none() || a.connection.current != b.connection.current {
            return Err(format!("{:?} here, {:?} there", a.connection.current, b.connection.current));
        }
        let agree = |one: &End, other: &End| one.connection.their_ufrag == Some(other.connection.ufrag);
        if !agree(a, b) || !agree(b, a) {
            return Err("one checks with credentials that the other has no more".to_owned());
        }
        // Each wish costs one exchange; an offer that is taken back was made in vain, and so was its answer if that was overtaken.
        let most = 2 * (self.wishes + a.rollbacks + b.rollbacks);
        if self.sent > most { Err(format!("{} sent where {most} do", self.sent)) } else { Ok(()) }
    }
}

const OPPOSITE: [Manners; 2] = [Manners::Polite, Manners::Impolite];

#[test]
fn both_sides_end_with_one_description_whatever_each_wishes_and_when() {
    let mut collisions = 0;
    for network in [Network::Reorders, Network::InOrder, Network::InOrderUnnumbered] {
        for seed in 0..1_000 {
            let mut pair = Pair::new(OPPOSITE, network);
            pair.live(&mut Chance(seed)).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
            assert_eq!(pair.ends[1].rollbacks, 0, "only the polite one takes back");
            collisions += pair.ends[0].rollbacks;
        }
    }
    assert!(collisions > 1_000, "both must offer at once often enough: {collisions} times");
}

#[test]
fn two_of_the_same_manners_do_not_agree() {
    let disagree = (0..1_000).filter(|&seed| {
        let mut pair = Pair::new([Manners::Impolite; 2], Network::InOrder);
        pair.live(&mut Chance(seed)).is_err()
    });
    assert!(disagree.count() > 300, "the pair above would see it");
}

fn numbered(kind: SdpKind, version: u64) -> Numbered<u64> {
    Numbered { kind, version, body: version }
}

fn came(negotiation: &mut Negotiation<u64>, kind: SdpKind, version: u64) -> Vec<Step<u64>> {
    negotiation.came(Moment::default(), numbered(kind, version)).unwrap()
}

const OFFER: Step<u64> = Step::Describe(SdpKind::Offer, Renewal::Describe);
const ANSWER: Step<u64> = Step::Describe(SdpKind::Answer, Renewal::Describe);

#[test]
fn the_kind_of_a_description_follows_from_the_state() {
    let mut ours = Negotiation::new(Manners::Polite);
    assert_eq!(ours.wish(Renewal::Describe), [OFFER], "nothing is out");
    assert_eq!(ours.wish(Renewal::Describe), [], "ours is out");
    assert_eq!(came(&mut ours, SdpKind::Answer, 1), [Step::Take(SdpKind::Answer, 1), OFFER]);
    assert_eq!(came(&mut ours, SdpKind::Answer, 2), [Step::Take(SdpKind::Answer, 2)]);
    assert_eq!(came(&mut ours, SdpKind::Offer, 3), [Step::Take(SdpKind::Offer, 3), ANSWER]);
    assert_eq!(came(&mut ours, SdpKind::Answer, 4), [], "to no offer of ours");
}

#[test]
fn of_two_offers_at_once_the_polite_side_takes_its_own_back_and_makes_it_again() {
    let mut polite = Negotiation::new(Manners::Polite);
    let restart = Step::Describe(SdpKind::Offer, Renewal::Restart);
    assert_eq!(polite.wish(Renewal::Restart), std::slice::from_ref(&restart));
    assert_eq!(
        came(&mut polite, SdpKind::Offer, 1),
        [Step::Rollback, Step::Take(SdpKind::Offer, 1), ANSWER, restart],
        "it is still to be a restart"
    );
    let mut impolite = Negotiation::new(Manners::Impolite);
    assert_eq!(impolite.wish(Renewal::Describe), [OFFER]);
    assert_eq!(came(&mut impolite, SdpKind::Offer, 1), []);
    assert_eq!(came(&mut impolite, SdpKind::Answer, 2), [Step::Take(SdpKind::Answer, 2)], "and forgets it");
}

#[test]
fn an_offer_that_overtook_the_answer_before_it_is_answered_and_an_old_one_is_not() {
    let mut ours = Negotiation::new(Manners::Impolite);
    assert_eq!(ours.wish(Renewal::Describe), [OFFER]);
    assert_eq!(came(&mut ours, SdpKind::Offer, 3), []);
    assert_eq!(came(&mut ours, SdpKind::Offer, 1), []);
    let both = [Step::Take(SdpKind::Answer, 2), Step::Take(SdpKind::Offer, 3), ANSWER];
    assert_eq!(came(&mut ours, SdpKind::Answer, 2), both);
    assert_eq!(came(&mut ours, SdpKind::Offer, 1), [], "it comes late");
}

#[test]
fn the_lower_key_is_polite() {
    assert_eq!(Manners::between(&[1, 9], &[2, 0]), Manners::Polite);
    assert_eq!(Manners::between(&[2, 0], &[1, 9]), Manners::Impolite);
}

#[test]
fn offers_without_end_end_the_connection_and_many_in_a_long_call_do_not() {
    let mut ours = Negotiation::new(Manners::Polite);
    let mut now = Moment::default();
    for version in 0..u64::from(3 * MOST_OFFERS) {
        now = now + SPAN / MOST_OFFERS + Duration::from_millis(1);
        assert!(ours.came(now, numbered(SdpKind::Offer, version)).is_ok());
    }
    now = now + SPAN;
    for _ in 0..MOST_OFFERS {
        assert!(ours.came(now, numbered(SdpKind::Offer, 999)).is_ok());
    }
    assert_eq!(ours.came(now, numbered(SdpKind::Offer, 999)), Err(TooMany));
}
