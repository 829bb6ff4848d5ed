//! Is the protection within its bounds, and the one that a person would choose?
//!
//! Lives here: a grid of loss, runs and round trips, and the choices that matter.
//! Must not: simulate a line.

use super::*;

fn loss(share: f32, run: f32, round_trip: u64) -> Loss {
    let ms = Duration::from_millis;
    let (round_trip, jitter, packet) = (ms(round_trip), ms(3), ms(20));
    Loss { share, run, round_trip, jitter, packet, copies: true, asks: true }
}

const RUNS: [f32; 6] = [1.0, 1.1, 1.5, 2.5, 4.0, 12.0];
const ROUND_TRIPS: [u64; 8] = [0, 1, 20, 60, 100, 150, 300, 2_000];

#[test]
fn nothing_is_done_on_a_clean_line_and_never_more_than_the_ceiling_and_the_floor_grows_with_loss() {
    for (run, round_trip) in RUNS.into_iter().flat_map(|run| ROUND_TRIPS.map(|time| (run, time))) {
        for (copies, asks) in [(false, false), (true, false), (false, true), (true, true)] {
            let at = |share| choose(Loss { copies, asks, ..loss(share, run, round_trip) });
            assert_eq!(at(0.0), Choice::default());
            assert_eq!(at(0.0019), Choice::default());
            assert_eq!(at(f32::NAN), Choice::default());
            let mut floor = Duration::ZERO;
            for share in (0..=100_u8).map(|per_cent| f32::from(per_cent) / 100.0) {
                let choice = at(share);
                assert!(choice.floor >= floor, "{share} {run} {round_trip}: {choice:?} after {floor:?}");
                assert!(choice.floor <= Duration::from_millis(190), "{share} {run} {round_trip}: {choice:?}");
                assert!(choice.wanted.copies <= COPIES && choice.wanted.spacing <= SPACING);
                assert!(copies || choice.wanted == Protection::default());
                assert!(asks || choice.asks == 0);
                floor = choice.floor;
            }
        }
    }
}

#[test]
fn asking_does_it_where_the_other_side_is_near_and_copies_where_it_is_far() {
    let near = choose(loss(0.1, 1.1, 1));
    assert_eq!(near.wanted.copies, 0, "{near:?}");
    assert!(near.asks >= 2, "{near:?}");
    let far = choose(loss(0.1, 1.1, 60));
    assert!(far.wanted.copies >= 1 && far.wanted.spacing == 1, "{far:?}");
    let farther = choose(loss(0.1, 1.1, 200));
    assert_eq!(farther.asks, 0, "{farther:?}");
    assert!(farther.wanted.copies >= 2, "{farther:?}");
}

#[test]
fn what_is_lost_together_is_not_copied_together() {
    let burst = choose(loss(0.1, 4.0, 60));
    assert!(burst.wanted.copies == 0 || burst.wanted.spacing == 3, "{burst:?}");
    let far = choose(loss(0.1, 4.0, 300));
    assert_eq!(far.wanted.spacing, 3, "{far:?}");
}

#[test]
fn a_row_of_losses_is_waited_for_and_the_time_grows_with_it() {
    let floor = |run| choose(loss(0.1, run, 1)).floor.as_millis();
    assert!(floor(1.1) <= 60, "{}", floor(1.1));
    assert!(floor(2.5) > floor(1.1) && floor(4.0) > floor(2.5), "{} {}", floor(2.5), floor(4.0));
    assert!(floor(4.0) >= 150, "{}", floor(4.0));
}

#[test]
fn long_packets_reach_as_far_with_fewer_copies() {
    let long = |packet| Loss { packet: Duration::from_millis(packet), ..loss(0.1, 1.1, 200) };
    assert!(choose(long(60)).wanted.copies <= choose(long(20)).wanted.copies);
}
