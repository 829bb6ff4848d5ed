//! Frames sealed, opened and refused.
//!
//! Lives here: an example that another implementation made, rotation, replays, what cannot be.
//! Must not: agree on keys.

use data_encoding::HEXLOWER;

use super::*;

fn who(name: &str) -> Identity {
    Identity::new(name).unwrap()
}

fn key(seed: u8) -> FrameKey {
    FrameKey::new([seed; 16])
}

fn own(index: u8, key: FrameKey) -> Keys {
    Keys { own: Some((index, key)), ..Keys::default() }
}

fn of(name: &str, keys: &[(u8, FrameKey)]) -> Keys {
    Keys { others: BTreeMap::from([(who(name), keys.iter().cloned().collect())]), ..Keys::default() }
}

/// Ana with this key, and Ben who knows it.
fn pair() -> (Frames, Frames) {
    let (mut ana, mut ben) = (Frames::default(), Frames::default());
    ana.set(&own(0, key(1)));
    ben.set(&of("ana", &[(0, key(1))]));
    (ana, ben)
}

fn frame(n: u32) -> Vec<u8> {
    [&[0x78][..], &n.to_be_bytes(), &[7; 60]].concat()
}

#[test]
fn a_frame_of_another_implementation_is_opened() {
    // The key is PBKDF2-HMAC-SHA256 of "a word" as LiveKit's clients derive it; sealed by OpenSSL with their nonce.
    let bytes: [u8; 16] = HEXLOWER.decode(b"07ffd277079619b766c84d5b4d62a4b4").unwrap().try_into().unwrap();
    let sealed = HEXLOWER
        .decode(b"78395019935c7dbaf49ace245263a1a42bf2eee5bf2ca54f87ca35b7c415d750d645528b01020304000100000000fff90c03")
        .unwrap();
    let mut frames = Frames::default();
    frames.set(&of("py", &[(3, FrameKey::new(bytes))]));
    let plain: Vec<u8> = (0x78..0x78 + 20).collect();
    assert_eq!(frames.open(&who("py"), &sealed), Ok(plain));
}

#[test]
fn what_one_seals_the_other_opens_and_nothing_but_the_first_byte_is_in_clear() {
    let (mut ana, mut ben) = pair();
    let sealed = ana.seal(9, 960, &frame(1)).unwrap();
    assert_eq!(sealed.len(), frame(1).len() + OVERHEAD);
    assert_eq!(sealed[0], 0x78);
    assert!(!sealed.windows(8).any(|part| part == [7; 8]));
    assert_eq!(ben.open(&who("ana"), &sealed), Ok(frame(1)));
    let longest = vec![3; FRAME_MAX];
    let sealed = ana.seal(9, 1_920, &longest).unwrap();
    assert_eq!(ben.open(&who("ana"), &sealed), Ok(longest));
    assert_eq!(ana.seal(9, 960, &[]), None);
    assert_eq!(ana.seal(9, 960, &[0; FRAME_MAX + 1]), None);
    assert_eq!(Frames::default().seal(9, 960, &frame(1)), None, "nothing goes without a key");
}

#[test]
fn no_nonce_is_used_twice_by_one_key() {
    let (mut ana, _) = pair();
    let nonces: std::collections::BTreeSet<Vec<u8>> = (0..1_000)
        .map(|_| ana.seal(9, 960, &frame(1)).unwrap())
        .map(|sealed| sealed[sealed.len() - 14..sealed.len() - 2].to_vec())
        .collect();
    assert_eq!(nonces.len(), 1_000, "even under one time stamp");
    ana.set(&own(0, key(1)));
    let sealed = ana.seal(9, 960, &frame(1)).unwrap();
    assert!(!nonces.contains(&sealed[sealed.len() - 14..sealed.len() - 2]), "the same key goes on counting");
}

#[test]
fn a_key_changes_by_a_new_index_and_the_old_one_opens_as_long_as_it_is_given() {
    let (mut ana, mut ben) = pair();
    let late = ana.seal(9, 960, &frame(1)).unwrap();
    let later = ana.seal(9, 1_920, &frame(2)).unwrap();
    ana.set(&own(1, key(2)));
    let new = ana.seal(9, 2_880, &frame(3)).unwrap();
    assert_eq!(ben.open(&who("ana"), &new), Err(Unopened::UnknownKey), "it is on its way");
    ben.set(&of("ana", &[(0, key(1)), (1, key(2))]));
    assert_eq!(ben.open(&who("ana"), &new), Ok(frame(3)), "at once when it is known");
    assert_eq!(ben.open(&who("ana"), &late), Ok(frame(1)));
    ben.set(&of("ana", &[(1, key(2))]));
    assert_eq!(ben.open(&who("ana"), &later), Err(Unopened::UnknownKey));
    assert_eq!(ben.refusals().unknown_key, 2);
}

#[test]
fn a_frame_is_taken_once_in_any_order_and_nobody_elses_is_taken_for_it() {
    let (mut ana, mut ben) = pair();
    let sealed: Vec<Vec<u8>> = (0..10).map(|n| ana.seal(9, 960 * n, &frame(n)).unwrap()).collect();
    for n in [0, 3, 1, 2, 9, 4, 8, 5, 7, 6] {
        assert!(ben.open(&who("ana"), &sealed[n]).is_ok(), "{n}");
    }
    for again in &sealed {
        assert_eq!(ben.open(&who("ana"), again), Err(Unopened::Replayed));
    }
    let far = ana.seal(9, 960 * 500, &frame(500)).unwrap();
    assert!(ben.open(&who("ana"), &far).is_ok());
    let old = ana.seal(9, 960 * 100, &frame(100)).unwrap();
    assert_eq!(ben.open(&who("ana"), &old), Err(Unopened::Replayed), "too old to tell");
    let mut cat = Frames::default();
    cat.set(&own(0, key(3)));
    ben.set(&Keys {
        others: BTreeMap::from([
            (who("ana"), BTreeMap::from([(0, key(1))])),
            (who("cat"), BTreeMap::from([(0, key(3))])),
        ]),
        ..Keys::default()
    });
    let hers = cat.seal(5, 960, &frame(1)).unwrap();
    assert_eq!(ben.open(&who("ana"), &hers), Err(Unopened::Forged), "a frame that the server swaps");
    assert_eq!(ben.open(&who("dan"), &hers), Err(Unopened::UnknownKey));
    assert!(ben.open(&who("cat"), &hers).is_ok());
}

#[test]
fn a_recording_of_a_stream_that_was_left_is_not_played_again() {
    let (mut ana, mut ben) = pair();
    let recorded: Vec<Vec<u8>> = (1..5).map(|n| ana.seal(9, 960 * n, &frame(n)).unwrap()).collect();
    for one in &recorded[..2] {
        assert!(ben.open(&who("ana"), one).is_ok());
    }
    let back = ana.seal(10, 960, &frame(1)).unwrap();
    assert!(ben.open(&who("ana"), &back).is_ok(), "she came again");
    for one in &recorded {
        assert_eq!(ben.open(&who("ana"), one), Err(Unopened::Replayed));
    }
}

#[test]
fn silence_of_the_server_and_whatever_is_no_frame_is_dropped_and_counted() {
    let (mut ana, mut ben) = pair();
    ben.set_trailer(b"made by the server");
    let silence = [&[0x78, 0xff, 0xfe][..], &[0; 60], b"made by the server"].concat();
    assert_eq!(ben.open(&who("ana"), &silence), Err(Unopened::Silence));
    let good = ana.seal(9, 960, &frame(1)).unwrap();
    for n in 0..good.len() {
        assert!(ben.open(&who("ana"), &good[..n]).is_err(), "cut after {n}");
        let mut changed = good.clone();
        changed[n] ^= 1;
        assert!(ben.open(&who("ana"), &changed).is_err(), "changed at {n}");
    }
    let too_long = vec![12; FRAME_MAX + OVERHEAD + 1];
    assert_eq!(ben.open(&who("ana"), &too_long), Err(Unopened::Malformed));
    let counted = ben.refusals();
    assert!(counted.malformed > 30 && counted.forged > 60 && counted.silence == 1, "{counted:?}");
    assert!(ben.open(&who("ana"), &good).is_ok(), "and the frame itself is still good");
}

#[test]
fn keys_that_are_given_while_frames_flow_count_from_the_next_frame_on() {
    let ((keys_in, keys), (_trailer_in, trailer)) = (watch::channel(own(0, key(1))), watch::channel(vec![]));
    let mut ring = Ring::new(keys, trailer);
    let index = |sealed: Option<Vec<u8>>| sealed.and_then(|sealed| sealed.last().copied());
    assert_eq!(index(ring.seal(1, 1, &frame(1))), Some(0));
    keys_in.send_replace(own(5, key(2)));
    assert_eq!(index(ring.seal(1, 2, &frame(1))), Some(5));
    drop(keys_in);
    assert_eq!(index(ring.seal(1, 3, &frame(1))), Some(5));
}

/// The key after this one, so many times.
fn stepped(key: &FrameKey, steps: usize) -> FrameKey {
    (0..steps).fold(key.clone(), |key, _| FrameKey(after(&key.0)))
}

#[test]
fn who_has_a_key_follows_its_steps_and_who_got_a_later_one_opens_nothing_of_before() {
    let (mut ana, mut ben) = pair();
    let before = ana.seal(9, 960, &frame(1)).unwrap();
    // Frames between are lost, or there were none.
    for (n, steps) in (2_u32..).zip([1_usize, 2, 7, 8, 16, 24, 25]) {
        let index = u8::try_from(steps % 16).unwrap();
        ana.set(&own(index, stepped(&key(1), steps)));
        let sealed = ana.seal(9, 960 * n, &frame(n)).unwrap();
        assert_eq!(ben.open(&who("ana"), &sealed), Ok(frame(n)), "{steps} steps");
    }
    // BLAKE2s-256 of the constant and the key, as Python's hashlib has it.
    assert_eq!(HEXLOWER.encode(&after(&[1; 16])[..]), "de747c6fafd6f883025bc1171aa66746");
    let mut late = Frames::default();
    for index in [0, 1] {
        late.set(&of("ana", &[(index, stepped(&key(1), 1))]));
        assert!(late.open(&who("ana"), &before).is_err(), "told as {index}");
    }
    // What was found goes with the key that it was found from.
    let last = ana.seal(9, 960 * 40, &frame(40)).unwrap();
    ben.set(&of("ana", &[(12, key(5))]));
    assert_eq!(ben.open(&who("ana"), &last), Err(Unopened::UnknownKey));
}

#[test]
fn a_key_that_is_no_step_of_the_one_before_is_none() {
    let (mut ana, mut ben) = pair();
    ana.set(&own(1, key(2)));
    let sealed = ana.seal(9, 960, &frame(1)).unwrap();
    assert_eq!(ben.open(&who("ana"), &sealed), Err(Unopened::UnknownKey));
    ben.set(&of("ana", &[(0, key(1)), (1, key(2))]));
    assert_eq!(ben.open(&who("ana"), &sealed), Ok(frame(1)));
    ana.set(&own(9, stepped(&key(2), 8)));
    let further = ana.seal(9, 1_920, &frame(2)).unwrap();
    assert_eq!(ben.open(&who("ana"), &further), Ok(frame(2)));
    let mut bent = ana.seal(9, 2_880, &frame(3)).unwrap();
    bent[5] ^= 1;
    assert_eq!(ben.open(&who("ana"), &bent), Err(Unopened::Forged));
}
