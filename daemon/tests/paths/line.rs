//! What is shown of the line between two sessions: how good it is, which way it goes, what encrypts it.
//!
//! Lives here: what sessions tell of a real path, and that no address is in it.
//! Must not: judge the steps themselves: `media/quality.rs` has their table.

use std::time::Duration;

use ahoyd::system::clock;
use ahoyd::values::line::{CandidateKind, Line, PathKind, Quality};

use crate::between::{Between, COMPANY, FIRST, SECOND};

#[tokio::test]
async fn both_sides_agree_on_aes_128_gcm_for_the_voice_and_for_the_keys() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    for stats in [w.ana.stats().await, w.ben.stats().await] {
        let ciphers = stats.ciphers.expect("known once the path is up");
        // RFC 7714 §12, RFC 5289 §3.2 (ECDHE).
        assert_eq!(ciphers.srtp, "SRTP_AEAD_AES_128_GCM");
        assert_eq!(ciphers.dtls, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    }
    w.end().await;
}

#[tokio::test]
async fn a_direct_line_that_loses_nothing_is_excellent_and_its_numbers_hold_no_address() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    let good = |line: Line| line.quality == Some(Quality::Excellent) && line.path == Some(PathKind::Direct);
    w.until("an excellent line on both sides", |w| good(w.ana.line) && good(w.ben.line)).await;
    let (mut ana, give_up) = (w.ana.stats().await, clock::now() + Duration::from_secs(15));
    while ana.round_trip.is_none() || ana.mos.is_none() {
        assert!(clock::now() < give_up, "numbers in time: {ana:?}");
        w.pass(Duration::from_millis(50)).await;
        ana = w.ana.stats().await;
    }
    assert_eq!(ana.line.quality, Some(Quality::Excellent), "the same as is told");
    let pair = ana.pair.expect("the ends are known");
    assert_ne!(pair.local.kind, CandidateKind::Relay);
    assert!(ana.first_heard.is_some() && ana.mos > Some(3.0), "{ana:?}");
    assert_eq!(ana.line.repairs, 0);
    let shown = format!("{ana:?} {:?}", w.ana.line);
    for address in ["127.0.0.1", "::1", "0.0.0.0"] {
        assert!(!shown.contains(address), "{address} in {shown}");
    }
    w.end().await;
}

#[tokio::test]
async fn a_line_that_loses_every_fourth_packet_becomes_poor_for_both() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.lossy = Some(4);
    w.connect(FIRST).await;
    w.open(FIRST, false);
    let poor = |line: Line| line.quality == Some(Quality::Poor);
    w.until("a poor line on both sides, though only Ana's packets get lost", |w| {
        poor(w.ana.line) && poor(w.ben.line)
    })
    .await;
    w.end().await;
}

#[tokio::test]
async fn without_a_path_the_line_is_lost_and_another_path_is_a_repair() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    w.until("a line", |w| w.ana.line.quality.is_some() && w.ben.line.quality.is_some()).await;
    w.cut(FIRST);
    let lost = |line: Line| line.quality == Some(Quality::Lost) && line.path.is_none();
    w.until("a lost line on both sides", |w| lost(w.ana.line) && lost(w.ben.line)).await;
    assert_eq!(w.ana.line.repairs, 0);
    w.connect(SECOND).await;
    w.open(SECOND, false);
    w.until("a line again", |w| {
        let again = |line: Line| line.repairs == 1 && line.path == Some(PathKind::Direct);
        let known = |line: Line| line.quality.is_some_and(|quality| quality != Quality::Lost);
        again(w.ana.line) && again(w.ben.line) && known(w.ana.line) && known(w.ben.line)
    })
    .await;
    w.end().await;
}
