//! What gets lost between two sessions: packets of the voice, checks of the path, all of it.
//!
//! Lives here: the story of each loss, what is reported of it and what mends it.
//! Must not: measure how a lossy line sounds: `tests/loss.rs` does.

use std::time::Duration;

use ahoy_call::MediaReport;
use ahoyd::system::clock;

use crate::between::{Between, COMPANY, FIRST, SECOND};
use crate::sound::{ANA, BEN};
use crate::wire::RED;

#[tokio::test]
async fn what_the_other_side_loses_and_how_far_away_it_is_comes_back_in_its_reports() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.lossy = Some(4);
    w.connect(FIRST).await;
    w.open(FIRST, false);
    let (mut ana, mut ben) = (w.ana.stats().await, w.ben.stats().await);
    assert_eq!((ana.loss_out, ana.round_trip), (None, None), "nobody has reported");
    let give_up = clock::now() + Duration::from_secs(60);
    while ana.round_trip.is_none() || ben.round_trip.is_none() || ana.loss_out < Some(0.2) {
        assert!(clock::now() < give_up, "reports in time: {ana:?} {ben:?}");
        w.pass(Duration::from_millis(50)).await;
        (ana, ben) = (w.ana.stats().await, w.ben.stats().await);
    }
    assert!(ana.loss_out < Some(0.3), "every fourth is lost: {ana:?}");
    assert_eq!(ben.loss_out, Some(0.0), "the other way nothing is");
    assert!(
        ana.round_trip < Some(Duration::from_millis(250) + w.starved),
        "{ana:?}, starved {:?}",
        w.starved
    );
    w.end().await;
}

/// Another packet under the same number would be encrypted with the same nonce.
#[tokio::test]
async fn what_is_lost_is_asked_for_and_goes_again_as_the_same_packet_to_the_last_bit() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    // Copies would leave little to ask for.
    (w.lossy, w.ben_lacks) = (Some(10), Some(RED));
    w.connect(FIRST).await;
    w.open(FIRST, false);
    let (mut ana, mut ben) = (w.ana.stats().await, w.ben.stats().await);
    let give_up = clock::now() + Duration::from_secs(60);
    while w.repeats(FIRST).0 < 15 || ben.packets_repaired < 10 {
        assert!(clock::now() < give_up, "repeats in time: {ana:?} {ben:?}");
        w.pass(Duration::from_millis(50)).await;
        (ana, ben) = (w.ana.stats().await, w.ben.stats().await);
    }
    let (again, others) = w.repeats(FIRST);
    assert_eq!(others, 0, "of {again}");
    assert!(ana.asked_out > 10 && ben.asked_in > 10, "{ana:?} {ben:?}");
    w.end().await;
}

#[tokio::test]
async fn a_path_on_which_the_voice_comes_is_not_lost_though_a_full_line_swallows_its_checks() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    w.swallow_checks(FIRST);
    w.pass(Duration::from_secs(4)).await;
    assert!(!w.ana.has(FIRST, &MediaReport::Lost) && !w.ben.has(FIRST, &MediaReport::Lost));
    w.cut(FIRST);
    w.until("both lose it", |w| w.ana.has(FIRST, &MediaReport::Lost) && w.ben.has(FIRST, &MediaReport::Lost))
        .await;
    w.end().await;
}

#[tokio::test]
async fn a_cut_path_is_reported_and_a_new_epoch_heals_it() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    let cut = clock::now();
    w.starved = Duration::ZERO;
    w.cut(FIRST);
    w.until("the loss on both sides", |w| {
        w.ana.has(FIRST, &MediaReport::Lost) && w.ben.has(FIRST, &MediaReport::Lost)
    })
    .await;
    let noticed = clock::now() - cut;
    println!("lost noticed after {} ms", noticed.as_millis());
    assert!(noticed < Duration::from_millis(2500) + w.starved * 4, "{noticed:?}, starved {:?}", w.starved);
    w.until("no way for frames", |w| !w.ana.channel && !w.ben.channel).await;
    w.until("silence", |w| w.ben.ear.is_silent() && w.ana.ear.is_silent()).await;
    w.connect(SECOND).await;
    w.open(SECOND, false);
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
    assert!(w.ben.ear.longest_gap() > Duration::from_secs(1), "a gap is noticed where there is one");
    w.until("both data channels", |w| w.ana.channel && w.ben.channel).await;
    w.end().await;
}

#[tokio::test]
async fn a_short_cut_heals_by_itself_on_the_same_path() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    w.cut(FIRST);
    w.until("the loss", |w| w.ana.has(FIRST, &MediaReport::Lost)).await;
    w.ana.forget();
    w.ben.forget();
    w.mend(FIRST);
    w.until("up again", |w| w.ana.has(FIRST, &MediaReport::Up)).await;
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
    w.end().await;
}
