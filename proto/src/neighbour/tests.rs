//! What neighbours can and cannot say to each other, and what strangers among them get.
//!
//! Lives here: tests of tags, handshakes and frames. Their recorded bytes: `proto/tests/vectors/neighbour.json`.
//! Must not: need a network.

use std::time::Duration;

use super::knock::Knock;
use super::link::{self, Dialing, Link, LinkError, MAX_FRAME};
use super::said::{MOST, Said, Unreadable};
use super::tag::{Hour, NeighbourKey, Tag, inbox_of};
use crate::envelope::{Body, Envelope, EnvelopeId, Inbox, Token, Ttl};
use crate::limits;
use crate::session::Ephemeral;

const HOUR: Hour = Hour(490_000);

fn key(of: u8) -> NeighbourKey {
    NeighbourKey::of(&Token::from_bytes([of; 16]))
}

fn envelope(bytes: usize) -> Envelope {
    Envelope {
        inbox: Inbox::from_bytes([1; 16]),
        token: Token::from_bytes([2; 16]),
        id: EnvelopeId::from_bytes([3; 16]),
        ttl: Ttl::new(Duration::from_secs(60)),
        body: Body::try_from(vec![4; bytes]).unwrap(),
    }
}

/// Both ends, where each goes by a key and an hour of its own.
fn connect(dials: (NeighbourKey, Hour), answers: (NeighbourKey, Hour)) -> Result<(Link, Link), LinkError> {
    let (dialing, opening) = Dialing::begin(&dials.0, dials.1, &Ephemeral([5; 32]))?;
    let (there, answer) = link::answer(&answers.0, answers.1, &Ephemeral([6; 32]), &opening)?;
    Ok((dialing.finish(&answer)?, there))
}

#[test]
fn a_tag_is_of_one_token_and_one_hour_and_its_key_is_another_value() {
    let tags: std::collections::BTreeSet<Tag> =
        (1..=4).flat_map(|of| (0..4).map(move |hour| key(of).tag(Hour(hour)))).collect();
    assert_eq!(tags.len(), 16);
    assert_eq!(key(1).tag(HOUR), key(1).tag(HOUR));
    assert_ne!(key(1).psk(HOUR)[..8], key(1).tag(HOUR).0);
    let token = Token::from_bytes([1; 16]);
    assert_ne!(key(1).bytes(), token.hash().bytes(), "a relay, which has the hash, cannot make a tag");
    assert!(!format!("{:?}", key(1)).contains("1, "));
}

#[test]
fn an_hour_is_that_of_the_calendar_and_knows_its_end() {
    assert_eq!((Hour::at(3_599), Hour::at(3_600), Hour::at(-5)), (Hour(0), Hour(1), Hour(0)));
    assert_eq!(Hour::at(3_600).ends_s(), 7_200);
    assert_eq!(Hour(u64::MAX).ends_s(), i64::MAX);
    assert_eq!(Hour(0).around(), [Hour(0), Hour(0), Hour(1)]);
}

#[test]
fn the_inbox_among_neighbours_is_another_for_each_device() {
    let of = |seed| inbox_of(&ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key());
    assert_ne!(of(1), of(2));
    let claimed = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
    assert_ne!(of(1), Inbox::of(claimed.as_bytes()), "nor can it be claimed at a relay");
}

#[test]
fn envelopes_and_their_acceptance_pass_both_ways_in_order() {
    let (mut here, mut there) = connect((key(1), HOUR), (key(1), HOUR)).unwrap();
    for bytes in [0, 1, limits::BODY_BYTES] {
        let said = Said::Send(envelope(bytes));
        let frame = here.seal(&said).unwrap();
        assert_eq!(usize::from(u16::from_be_bytes([frame[0], frame[1]])), frame.len() - 2);
        assert_eq!(there.open(&frame[2..]), Ok(Some(said)));
        let accepted = Said::Accepted(EnvelopeId::from_bytes([3; 16]));
        let frame = there.seal(&accepted).unwrap();
        assert_eq!(here.open(&frame[2..]), Ok(Some(accepted)));
    }
}

#[test]
fn who_lacks_the_token_or_lives_in_another_hour_is_not_even_answered() {
    assert_eq!(connect((key(2), HOUR), (key(1), HOUR)).unwrap_err(), LinkError::Seal);
    assert_eq!(connect((key(1), Hour(HOUR.0 + 1)), (key(1), HOUR)).unwrap_err(), LinkError::Seal);
    for opening in [[0; 48], [255; 48]] {
        assert_eq!(link::answer(&key(1), HOUR, &Ephemeral([6; 32]), &opening).unwrap_err(), LinkError::Seal);
    }
}

#[test]
fn an_answer_that_was_altered_and_a_frame_that_was_altered_doubled_or_left_out_end_it() {
    let (dialing, opening) = Dialing::begin(&key(1), HOUR, &Ephemeral([5; 32])).unwrap();
    let (_, mut answer) = link::answer(&key(1), HOUR, &Ephemeral([6; 32]), &opening).unwrap();
    answer[40] ^= 1;
    assert_eq!(dialing.finish(&answer).unwrap_err(), LinkError::Seal);

    let (mut here, mut there) = connect((key(1), HOUR), (key(1), HOUR)).unwrap();
    let said = Said::Send(envelope(100));
    let (first, second) = (here.seal(&said).unwrap(), here.seal(&said).unwrap());
    assert_eq!(there.open(&second[2..]), Err(LinkError::Seal), "one was left out");
    let mut altered = first.clone();
    altered[20] ^= 1;
    assert_eq!(there.open(&altered[2..]), Err(LinkError::Seal));
    assert!(there.open(&first[2..]).is_ok());
    assert_eq!(there.open(&first[2..]), Err(LinkError::Seal), "one came twice");
    assert_eq!(there.open(&vec![0; MAX_FRAME + 1]), Err(LinkError::Length));
}

#[test]
fn nothing_of_an_envelope_is_seen_on_the_way() {
    let (dialing, opening) = Dialing::begin(&key(1), HOUR, &Ephemeral([5; 32])).unwrap();
    let (_, answer) = link::answer(&key(1), HOUR, &Ephemeral([6; 32]), &opening).unwrap();
    let mut here = dialing.finish(&answer).unwrap();
    let knock = Knock::Contact { tag: key(1).tag(HOUR), opening }.encode();
    let seen = [knock, answer.to_vec(), here.seal(&Said::Send(envelope(64))).unwrap()].concat();
    for secret in [[1; 16], [2; 16], [3; 16], [4; 16], key(1).bytes()] {
        assert!(!seen.windows(16).any(|part| part == secret));
    }
}

#[test]
fn what_is_no_word_of_an_ahoy_is_refused_and_what_a_later_one_says_is_left_alone() {
    let good = Said::Send(envelope(10)).encode();
    for cut in 0..53 {
        assert_eq!(Said::decode(&good[..cut]), Err(Unreadable), "{cut}");
    }
    assert_eq!(Said::decode(&[&good[..], &vec![0; MOST]].concat()), Err(Unreadable));
    let accepted = Said::Accepted(EnvelopeId::from_bytes([3; 16])).encode();
    assert_eq!(Said::decode(&[&accepted[..], &[0]].concat()), Err(Unreadable));
    assert_eq!(Said::decode(&[9, 1, 2]), Ok(None));
}

#[test]
fn a_knock_is_read_whole_or_not_at_all() {
    let knocks = [Knock::Contact { tag: Tag([7; 8]), opening: [8; 48] }, Knock::Pair(4711)];
    for knock in knocks {
        let bytes = knock.encode();
        assert_eq!(Knock::length_behind(bytes[0]), Some(bytes.len() - 1));
        assert_eq!(Knock::decode(&bytes), Some(knock));
        for cut in 0..bytes.len() {
            assert_eq!(Knock::decode(&bytes[..cut]), None);
        }
    }
    assert_eq!((Knock::length_behind(0), Knock::length_behind(3)), (None, None));
    assert_eq!(Knock::decode(&Knock::Pair(999).encode()), None, "no number that is given out");
}
