//! Codes while nobody has come yet, and what a wrong one costs.
//!
//! Lives here: tests of the time before both are there.
//! Must not: know what the two say to each other.

use super::*;

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

/// Who shows the code may have guessed the words, and looks at our answer by itself whether it was right.
#[test]
fn who_breaks_off_behind_our_answer_has_had_its_guess_however_it_does_so() {
    for way in 0..3 {
        let mut r = Rig::new();
        for _ in 0..3 {
            r.passes = usize::MAX;
            r.start(ANA).unwrap();
            // He comes, her first word comes, and his answer goes nowhere.
            r.passes = 2;
            r.join(BEN, r.code()).unwrap();
            match way {
                0 => r.after(Duration::from_secs(60)),
                1 => r.hear(BEN, PlateNews::Over(PlateOver::Rate)),
                _ => r.hear(BEN, PlateNews::Said(Body::try_from(vec![9; 40]).unwrap())),
            }
            assert_eq!(r.state(BEN), Some(PairingState::Failed), "{way}");
            r.after(Duration::from_secs(60));
        }
        let code = r.code();
        assert_eq!(r.join(BEN, code).unwrap_err().kind, DeniedKind::RateLimited, "{way}");
        r.nobody();
    }
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
