//! Do two who know the code get each other's card, and nobody else anything?
//!
//! Lives here: whole meetings, with somebody between the two who alters, drops, doubles, reorders and splices each message.
//! Must not: use true chance.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::card::CardDevice;
use crate::identity::DeviceCertificate;
use crate::relay_url::RelayUrl;

const RELAY: &str = "relay.example";

fn card(seed: u8) -> Card {
    let account = SigningKey::from_bytes(&[seed; 32]);
    let device = SigningKey::from_bytes(&[seed + 100; 32]).verifying_key();
    let noise = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from([seed + 50; 32]));
    let certificate = DeviceCertificate::sign(&account, &device, &noise, "desk", 1_000, 2_000).unwrap();
    let device = CardDevice { certificate, inboxes: Vec::new() };
    Card::sign(&account, "Somebody", 1, &[device], [seed; 16]).unwrap()
}

fn code(words: [u8; 4]) -> Code {
    Code::draw(4711, &RelayUrl::parse("wss://relay.example").unwrap(), words).unwrap()
}

fn chance(seed: u8) -> Chance {
    Chance { secret: Zeroizing::new([seed; 64]), session: [seed; 16] }
}

/// One side with its card, and what became of it.
struct Side {
    meeting: Meeting,
    card: Card,
    kept: Option<Card>,
    error: Option<MeetingError>,
}

impl Side {
    fn hear(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let heard = self.meeting.hear(message);
        self.follow(heard)
    }

    /// Does what follows as the daemon does: gives the card, keeps the other's, says so.
    fn follow(&mut self, heard: Result<Vec<Next>, MeetingError>) -> Vec<Vec<u8>> {
        let next = match heard {
            Ok(next) => next,
            Err(error) => {
                self.error.get_or_insert(error);
                return Vec::new();
            }
        };
        let mut said = Vec::new();
        for it in next {
            match it {
                Next::Say(message) => said.push(message),
                Next::WantsCard => {
                    assert!(self.meeting.is_confirmed());
                    let given = self.meeting.give(self.card.to_text());
                    said.extend(self.follow(given));
                }
                Next::Keep(card) => {
                    self.kept = Some(*card);
                    if self.meeting.role == Role::Started {
                        said.push(self.meeting.kept().unwrap());
                    }
                }
            }
        }
        said
    }
}

/// A message on its way, as what it was said.
#[derive(Clone, Debug)]
struct Sent {
    to: Role,
    bytes: Vec<u8>,
}

/// Runs a meeting through whoever stands between: for each message it says what really travels.
fn meet(
    codes: [&Code; 2],
    relays: [&str; 2],
    seed: u8,
    mut middle: impl FnMut(usize, Sent) -> Vec<Sent>,
) -> (Side, Side) {
    let (started, first) = Meeting::start(codes[0], relays[0], chance(seed));
    let joined = Meeting::join(codes[1], relays[1], chance(seed + 1));
    let side = |meeting, seed| Side { meeting, card: card(seed), kept: None, error: None };
    let (mut ana, mut ben) = (side(started, 1), side(joined, 2));
    let mut way: std::collections::VecDeque<Sent> = middle(0, Sent { to: Role::Joined, bytes: first }).into();
    let mut number = 0;
    while let Some(Sent { to, bytes }) = way.pop_front() {
        let said = if to == Role::Started { ana.hear(&bytes) } else { ben.hear(&bytes) };
        for bytes in said {
            number += 1;
            way.extend(middle(number, Sent { to: to.other(), bytes }));
        }
    }
    (ana, ben)
}

fn honest(_: usize, sent: Sent) -> Vec<Sent> {
    vec![sent]
}

/// All that is said in a meeting that nobody disturbs.
fn all(seed: u8) -> Vec<Sent> {
    let mut all = Vec::new();
    let code = code([0, 1, 0, 2]);
    let (ana, ben) = meet([&code, &code], [RELAY; 2], seed, |_, sent| {
        all.push(sent.clone());
        vec![sent]
    });
    assert_eq!((ana.kept, ben.kept), (Some(card(2)), Some(card(1))));
    assert_eq!((ana.error, ben.error), (None, None));
    all
}

/// Nobody got a contact; `told`: and both were told, by an error or by silence that ends them.
fn nobody(ana: &Side, ben: &Side, what: &str) {
    assert!(ana.kept.is_none() && ben.kept.is_none(), "{what}");
}

#[test]
fn two_who_know_the_code_get_each_other_s_card_in_six_messages() {
    let sent = all(10);
    assert_eq!(sent.len(), 6);
    let to_joined: Vec<bool> = sent.iter().map(|it| it.to == Role::Joined).collect();
    assert_eq!(to_joined, [true, false, true, true, false, true]);
    let bytes: usize = sent.iter().map(|it| it.bytes.len()).sum();
    assert!(bytes < 2 * limits::PLATE_BYTES);
}

#[test]
fn nothing_of_either_side_is_readable_on_the_way_and_no_card_goes_before_both_confirmed() {
    let sent = all(10);
    for word in ["ahoy:1", "Somebody", "desk", "abandon"] {
        let found = sent.iter().any(|it| it.bytes.windows(word.len()).any(|part| part == word.as_bytes()));
        assert!(!found, "{word}");
    }
    // Up to the confirmations the messages are of fixed length: there is no room for a card.
    let lengths: Vec<usize> = sent.iter().map(|it| it.bytes.len()).collect();
    assert_eq!(lengths[..3], [49, 65, 33]);
    assert!(lengths[3..].iter().all(|length| (length - 1 - 16) % PADDED == 0), "{lengths:?}");
}

#[test]
fn other_words_another_number_another_relay_end_it_without_a_card() {
    let (right, wrong) = (code([0, 1, 0, 2]), code([0, 1, 0, 3]));
    let swapped = code([0, 2, 0, 1]);
    let relay = RelayUrl::parse("wss://relay.example").unwrap();
    let number = Code::draw(4712, &relay, [0, 1, 0, 2]).unwrap();
    for (other, relay) in [(&wrong, RELAY), (&swapped, RELAY), (&number, RELAY), (&right, "evil.example")] {
        let mut cards = 0;
        let (ana, ben) = meet([&right, other], [RELAY, relay], 10, |_, sent| {
            cards += usize::from(sent.bytes.len() > 65);
            vec![sent]
        });
        nobody(&ana, &ben, relay);
        assert_eq!(ana.error, Some(MeetingError::WrongCode));
        assert_eq!((cards, ben.meeting.is_confirmed()), (0, false));
    }
}

#[test]
fn each_message_with_any_other_byte_ends_it_without_a_contact() {
    let count = all(10).len();
    for at in 0..count {
        for byte in [0, 16, 40, 64, 1_000] {
            let mut altered = false;
            let code = code([0, 1, 0, 2]);
            let (ana, ben) = meet([&code, &code], [RELAY; 2], 10, |number, mut sent| {
                if number == at
                    && let Some(byte) = sent.bytes.get_mut(byte)
                {
                    (*byte, altered) = (*byte ^ 1, true);
                }
                vec![sent]
            });
            if !altered {
                continue;
            }
            assert!(ana.error.is_some() || ben.error.is_some(), "{at}, {byte}");
            assert!(ben.kept.is_none(), "{at}, {byte}");
            // Only who started has kept a card when the very last message is spoilt.
            assert_eq!(ana.kept.is_some(), at == count - 1, "{at}, {byte}");
        }
    }
}

#[test]
fn each_message_left_out_cut_short_or_made_longer_ends_it_without_a_contact() {
    let count = all(10).len();
    type Spoil = fn(Vec<u8>) -> Option<Vec<u8>>;
    let spoil: [Spoil; 5] = [
        |_| None,
        |_| Some(Vec::new()),
        |bytes| Some(bytes[..bytes.len() - 1].to_vec()),
        |bytes| Some([bytes, vec![0]].concat()),
        |bytes| Some([vec![bytes[0]], vec![0; limits::PLATE_BYTES]].concat()),
    ];
    for at in 0..count {
        for spoil in spoil {
            let code = code([0, 1, 0, 2]);
            let (ana, ben) = meet([&code, &code], [RELAY; 2], 10, |number, sent| {
                let bytes = if number == at { spoil(sent.bytes) } else { Some(sent.bytes) };
                bytes.into_iter().map(|bytes| Sent { to: sent.to, bytes }).collect()
            });
            assert!(ben.kept.is_none(), "{at}");
            assert_eq!(ana.kept.is_some(), at == count - 1, "{at}");
        }
    }
}

#[test]
fn each_message_doubled_or_sent_back_ends_it_for_who_gets_it() {
    let count = all(10).len();
    for at in 0..count {
        for back in [false, true] {
            let code = code([0, 1, 0, 2]);
            let (ana, ben) = meet([&code, &code], [RELAY; 2], 10, |number, sent| {
                let again = Sent { to: if back { sent.to.other() } else { sent.to }, ..sent.clone() };
                if number == at { vec![again, sent] } else { vec![sent] }
            });
            // Behind the last that a side waits for, a double meets nobody: it is over there, and rightly.
            let last = at == count - 1 || at == count - 2 && !back;
            let broke = ana.error.is_some() || ben.error.is_some();
            assert!(broke, "{at}, {back}");
            assert_eq!(ben.kept.is_some(), last, "{at}, {back}");
            // A double behind her card ends it at Ben's when his is out already: as if the last one were lost.
            assert!(ana.kept.is_none() || at >= count - 2 || at == count - 3 && !back, "{at}, {back}");
        }
    }
}

#[test]
fn messages_in_another_order_end_it_without_a_contact() {
    let count = all(10).len();
    for at in 0..count {
        let mut kept_back = None;
        let code = code([0, 1, 0, 2]);
        let (ana, ben) =
            meet([&code, &code], [RELAY; 2], 10, |number, sent| match (number, kept_back.take()) {
                (number, _) if number == at => {
                    kept_back = Some(sent);
                    Vec::new()
                }
                (_, Some(earlier)) => vec![sent, earlier],
                (_, None) => vec![sent],
            });
        assert!(ben.kept.is_none(), "{at}");
        assert!(ana.kept.is_none() || at == count - 1, "{at}");
    }
}

#[test]
fn each_message_of_another_meeting_ends_it_without_a_contact() {
    // The same two with the same code, at another time: a relay that kept all of it.
    let earlier = all(50);
    let count = earlier.len();
    for (at, old) in earlier.iter().enumerate() {
        let code = code([0, 1, 0, 2]);
        let (ana, ben) =
            meet(
                [&code, &code],
                [RELAY; 2],
                10,
                |number, sent| {
                    if number == at { vec![old.clone()] } else { vec![sent] }
                },
            );
        assert!(ben.kept.is_none(), "{at}");
        assert_eq!(ana.kept.is_some(), at == count - 1, "{at}");
    }
    // And all of them, to one side alone.
    for to in [Role::Started, Role::Joined] {
        let code = code([0, 1, 0, 2]);
        let (ana, ben) = meet([&code, &code], [RELAY; 2], 10, |number, sent| {
            if sent.to == to { vec![earlier[number].clone()] } else { vec![sent] }
        });
        nobody(&ana, &ben, "replayed");
    }
}

#[test]
fn two_who_both_show_a_code_or_both_type_it_do_not_meet() {
    let code = code([0, 1, 0, 2]);
    let (mut one, first) = Meeting::start(&code, RELAY, chance(1));
    let (mut other, second) = Meeting::start(&code, RELAY, chance(2));
    assert_eq!(one.hear(&second), Err(MeetingError::Misplaced));
    assert_eq!(other.hear(&first), Err(MeetingError::Misplaced));
    let mut one = Meeting::join(&code, RELAY, chance(1));
    assert_eq!(one.hear(&[ANSWER; 65]), Err(MeetingError::Misplaced));
}

#[test]
fn a_share_that_is_sent_back_or_is_no_point_is_refused() {
    let code = code([0, 1, 0, 2]);
    let (mut ana, first) = Meeting::start(&code, RELAY, chance(1));
    let reflected = [&[ANSWER][..], &first[17..], &[0; 32]].concat();
    assert_eq!(ana.hear(&reflected), Err(MeetingError::WrongCode));
    for point in [[0; 32], [0xff; 32]] {
        let mut ben = Meeting::join(&code, RELAY, chance(1));
        assert_eq!(ben.hear(&[&[BEGIN][..], &[7; 16], &point].concat()), Err(MeetingError::WrongCode));
    }
}

#[test]
fn a_card_that_is_too_long_is_not_sent_and_none_before_it_is_wanted() {
    let code = code([0, 1, 0, 2]);
    let (mut ana, _) = Meeting::start(&code, RELAY, chance(1));
    assert_eq!(ana.give("ahoy:1".into()), Err(MeetingError::Misplaced));
    assert_eq!(ana.kept(), Err(MeetingError::Misplaced));
    let (mut ana, _) = Meeting::start(&code, RELAY, chance(1));
    assert_eq!(ana.give("x".repeat(limits::CARD_BYTES * 2)), Err(MeetingError::TooLong));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_message_breaks_a_side_or_gives_it_a_contact(messages: Vec<Vec<u8>>, started: bool) {
        let code = code([0, 1, 0, 2]);
        let meeting = if started { Meeting::start(&code, RELAY, chance(1)).0 } else { Meeting::join(&code, RELAY, chance(1)) };
        let mut side = Side { meeting, card: card(1), kept: None, error: None };
        for message in messages {
            side.hear(&message);
        }
        prop_assert!(side.kept.is_none() && !side.meeting.is_confirmed());
    }
}

#[test]
fn an_honest_meeting_needs_nobody_between() {
    let code = code([0, 1, 0, 2]);
    let (ana, ben) = meet([&code, &code], [RELAY; 2], 10, honest);
    assert!(ana.kept.is_some() && ben.kept.is_some());
}
