//! Which lists count, and which texts are none?
//!
//! Lives here: the rules as tables, with keys made of one number.
//! Must not: read a clock.

use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn secret(of: u8) -> SigningKey {
    SigningKey::from_bytes(&[of; 32])
}

fn public(of: u8) -> ListKey {
    ListKey::of(&secret(of))
}

fn said(serial: u64, keys: &[u8]) -> Said {
    Said {
        serial,
        issued_s: NOW - DAY,
        expires_s: NOW + 30 * DAY,
        relays: vec![format!("wss://relay{serial}.example")],
        keys: keys.iter().map(|of| public(*of)).collect(),
    }
}

fn list(by: u8, serial: u64, keys: &[u8]) -> RelayList {
    RelayList::sign(&secret(by), &said(serial, keys)).unwrap()
}

/// As it travels.
fn text(lists: &[RelayList]) -> Lists {
    Lists::parse(&Lists(lists.to_vec()).to_text()).unwrap()
}

fn taken(serial: u64, keys: &[u8]) -> Taken {
    Taken { serial, keys: keys.iter().map(|of| public(*of)).collect() }
}

#[test]
fn which_list_counts() {
    use ListError::{Expired, ForeignKey, NotYet, Older, Replaced};
    let (one, two) = (list(1, 1, &[1]), list(1, 2, &[2]));
    let three = list(2, 3, &[2]);
    let old = RelayList::sign(&secret(1), &Said { expires_s: NOW, ..said(4, &[1]) }).unwrap();
    let early = Said { issued_s: NOW + 2 * DAY, ..said(4, &[1]) };
    let early = RelayList::sign(&secret(1), &early).unwrap();
    let known = taken(2, &[2]);
    for (story, lists, before, outcome) in [
        ("the first one", vec![one.clone()], None, Ok(Some(1))),
        (
            "a key that is handed over, to who knows only the first",
            vec![two.clone(), three.clone()],
            None,
            Ok(Some(3)),
        ),
        ("without what handed it over", vec![three.clone()], None, Err(ForeignKey)),
        ("to who has seen that", vec![three.clone()], Some(&known), Ok(Some(3))),
        ("the same again", vec![two.clone()], Some(&known), Ok(None)),
        ("a lower serial", vec![one.clone()], Some(&known), Err(Older)),
        ("a key that was replaced", vec![list(1, 9, &[1])], Some(&known), Err(Replaced)),
        ("behind the true ones", vec![two.clone(), list(1, 9, &[1])], Some(&known), Err(Replaced)),
        ("the same to who knows only the first", vec![two.clone(), list(1, 9, &[1])], None, Err(Replaced)),
        ("a stranger's of the same serial changes nothing", vec![list(7, 2, &[7])], Some(&known), Ok(None)),
        ("a stranger's", vec![list(7, 3, &[7])], Some(&known), Err(Replaced)),
        ("a stranger's, at first", vec![list(7, 3, &[7])], None, Err(ForeignKey)),
        ("its time is over", vec![old.clone()], None, Err(Expired)),
        (
            "what handed a key over may be over",
            vec![
                RelayList::sign(&secret(1), &Said { expires_s: NOW, ..said(2, &[2]) }).unwrap(),
                three.clone(),
            ],
            None,
            Ok(Some(3)),
        ),
        ("from the future", vec![early], None, Err(NotYet)),
    ] {
        let lists = text(&lists);
        let newest = lists.newest(&[public(1)], before, NOW);
        assert_eq!(newest.map(|list| list.map(|list| list.said.serial)), outcome, "{story}");
    }
}

#[test]
fn who_signs_keeps_only_the_lines_that_lead_to_the_present_key() {
    let mut lists = Lists::default();
    for serial in 1..=3 {
        lists.push(list(1, serial, &[1])).unwrap();
    }
    assert_eq!(lists.0.len(), 1, "nothing was handed over");
    lists.push(list(1, 4, &[1, 2])).unwrap();
    lists.push(list(2, 5, &[2])).unwrap();
    lists.push(list(2, 6, &[2])).unwrap();
    lists.push(list(2, 7, &[2, 3])).unwrap();
    let serials: Vec<u64> = lists.0.iter().map(|list| list.said.serial).collect();
    assert_eq!(serials, [4, 7]);
    assert_eq!(text(&lists.0).newest(&[public(1)], None, NOW).unwrap().unwrap().said.serial, 7);
    assert_eq!(lists.push(list(3, 7, &[3])), Err(ListError::Older));
    assert_eq!(lists.push(list(1, 8, &[1])), Err(ListError::Replaced));
    for serial in 8..=13 {
        let (by, next) = (u8::try_from(serial - 5).unwrap(), u8::try_from(serial - 4).unwrap());
        lists.push(list(by, serial, &[next])).unwrap();
    }
    assert_eq!(
        lists.push(list(9, 14, &[10])),
        Err(ListError::TooLong),
        "who was away for so long begins anew"
    );
}

#[test]
fn a_list_that_says_too_much_or_too_little_is_none() {
    let url = |n: usize| format!("wss://r{n}.example");
    let (few, many) = (said(1, &[1]), (0..9).map(url).collect::<Vec<_>>());
    for (story, said, wrong) in [
        ("serial 0", Said { serial: 0, ..few.clone() }, ListError::Malformed),
        ("no relay", Said { relays: Vec::new(), ..few.clone() }, ListError::BadRelays),
        ("nine relays", Said { relays: many, ..few.clone() }, ListError::BadRelays),
        ("one twice", Said { relays: vec![url(1), url(1) + ":443/"], ..few.clone() }, ListError::BadRelays),
        ("plain abroad", Said { relays: vec!["ws://r.example".into()], ..few.clone() }, ListError::BadRelays),
        (
            "no relay's address",
            Said { relays: vec!["https://r.example".into()], ..few.clone() },
            ListError::BadRelays,
        ),
        ("no key", Said { keys: Vec::new(), ..few.clone() }, ListError::BadKeys),
        ("five keys", said(1, &[1, 2, 3, 4, 5]), ListError::BadKeys),
        ("over at once", Said { expires_s: few.issued_s, ..few.clone() }, ListError::BadTimes),
        ("for ever", Said { expires_s: few.issued_s + 401 * DAY, ..few.clone() }, ListError::BadTimes),
        ("for longer", Said { issued_s: 0, expires_s: i64::MAX, ..few.clone() }, ListError::BadTimes),
        ("before all", Said { issued_s: i64::MIN, expires_s: i64::MAX, ..few.clone() }, ListError::BadTimes),
    ] {
        assert_eq!(RelayList::sign(&secret(1), &said), Err(wrong), "{story}");
    }
}

#[test]
fn a_text_that_is_no_list_is_refused() {
    let good = text(&[list(1, 1, &[1])]).to_text();
    let mut bent = list(1, 1, &[1]).signed;
    let last = bent.len() - 3;
    bent[last] ^= 1;
    let other = [&list(1, 1, &[1]).signed[..64], &list(1, 2, &[1]).signed[64..]].concat();
    let as_card = sign(&secret(1), b"ahoy card 1\0", &list(1, 1, &[1]).signed[64..]);
    let line = |signed: &[u8]| format!("{PREFIX}{}", armor::encode(signed));
    for (text, wrong) in [
        (String::new(), ListError::NoList),
        ("<html>".to_owned(), ListError::NoList),
        (good.replace("ahoy-relays:1", "ahoy-relays:2"), ListError::NoList),
        (format!("{good}x"), ListError::NoList),
        (format!("{PREFIX}!"), ListError::Malformed),
        (PREFIX.to_owned(), ListError::Malformed),
        (line(&other), ListError::BadSignature),
        (line(&as_card), ListError::BadSignature),
        (format!("{good}{good}"), ListError::Malformed),
        ("x".repeat(limits::RELAY_LIST_BYTES + 1), ListError::TooLong),
        ((1..=9).map(|serial| Lists(vec![list(1, serial, &[1])]).to_text()).collect(), ListError::TooLong),
    ] {
        assert_eq!(Lists::parse(&text), Err(wrong), "{text:.60}");
    }
    assert!(Lists::parse(&line(&bent)).is_err());
    assert!(Lists::parse(&format!("\r\n{}\r\n", good.trim())).is_ok(), "ends of lines are no matter");
    assert_eq!(ListKey::parse(&public(1).to_string()), Some(public(1)));
    assert_eq!(ListKey::parse(&armor::encode(&[0; 32])), None, "a weak key");
    assert_eq!(ListKey::parse("x"), None);
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "(ahoy-relays:1)?[A-Za-z0-9_\\-\n]{0,300}") {
        let _read = Lists::parse(&text);
    }

    #[test]
    fn a_list_with_one_bit_changed_is_none_or_says_the_same(at in 0usize..2_000, bit in 0u8..8) {
        let whole = list(1, 1, &[1, 2]);
        let mut signed = whole.signed.clone();
        let at = at % signed.len();
        signed[at] ^= 1 << bit;
        prop_assert!(RelayList::from_bytes(signed).is_err());
    }
}
