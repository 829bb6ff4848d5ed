//! Do random operations ever break an invariant?
//!
//! Lives here: fixed seeds, the invariants after each step, how often each (phase, input) was hit.
//! Must not: use fresh chance, but for the nightly run, which says what it drew.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use ahoy_call::{Input, PhaseKind};
use ahoy_tests::op::{List, direct};

const LISTS: u64 = 10_000;
const OPERATIONS: usize = 30;
const GROUP_LISTS: u64 = 3_000;
/// Each cell that can be reached is, so often.
const FLOOR: u64 = 100;

type Hits = BTreeMap<(PhaseKind, Input), u64>;

/// Plays these seeds on every core; ends with the shortened list of the first one that breaks an invariant.
fn play(from: u64, to: u64) -> Hits {
    play_of(from, to, |seed| List::of(seed, OPERATIONS))
}

fn play_of(from: u64, to: u64, list_of: impl Fn(u64) -> List + Sync) -> Hits {
    let next = AtomicU64::new(from);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut hits = Hits::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to {
                return hits;
            }
            let list = list_of(seed);
            let Ok(world) = std::panic::catch_unwind(|| list.play()) else {
                let short = list.shortened();
                let ops: Vec<String> = short.ops.iter().map(|op| format!("    {op:?}")).collect();
                panic!(
                    "List {{ seed: {seed}, honest: {}, groups: {}, ops }} breaks an invariant with ops\n{}",
                    short.honest,
                    short.groups,
                    ops.join(",\n")
                );
            };
            for (cell, count) in world.hits {
                *hits.entry(cell).or_default() += count;
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut all = Hits::new();
        for worker in workers {
            match worker.join() {
                Ok(hits) => hits.into_iter().for_each(|(cell, count)| *all.entry(cell).or_default() += count),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

/// Why a cell can never be hit.
fn unreachable(phase: PhaseKind, input: Input) -> Option<&'static str> {
    match (phase, input) {
        (PhaseKind::Nothing, Input::Tick) => Some("without a call nothing is ever due"),
        _ => None,
    }
}

#[test]
fn no_list_of_operations_breaks_an_invariant() {
    let hits = play(1, 1 + LISTS);
    println!("{LISTS} lists of at least {OPERATIONS} operations; hits for each input and phase:\n");
    print!("{:<15}", "");
    let (inputs, phases) = direct();
    phases.iter().for_each(|phase| print!("{:>13}", format!("{phase:?}")));
    println!();
    let mut seldom = Vec::new();
    for input in &inputs {
        print!("{:<15}", format!("{input:?}"));
        for phase in &phases {
            let count = hits.get(&(*phase, *input)).copied().unwrap_or(0);
            print!("{count:>13}");
            match unreachable(*phase, *input) {
                Some(why) => assert_eq!(count, 0, "({phase:?}, {input:?}) is said to be out of reach: {why}"),
                None if count < FLOOR => seldom.push((phase, input, count)),
                None => {}
            }
        }
        println!();
    }
    assert!(seldom.is_empty(), "hit less than {FLOOR} times: {seldom:?}");
}

#[test]
fn no_list_of_operations_on_groups_breaks_an_invariant() {
    let lists =
        std::env::var("AHOY_GROUP_LISTS").ok().and_then(|text| text.parse().ok()).unwrap_or(GROUP_LISTS);
    let hits = play_of(1, 1 + lists, |seed| List::of_groups(seed, OPERATIONS));
    for phase in PhaseKind::ALL {
        let count: u64 = hits.iter().filter(|((of, _), _)| of == phase).map(|(_, count)| count).sum();
        println!("{:<15}{count:>13}", format!("{phase:?}"));
    }
}

/// A list that broke an invariant is found again by its seed.
#[test]
fn a_seed_gives_the_list_that_it_always_gave() {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let all = (1..=LISTS).fold(0xcbf2_9ce4_8422_2325, |hash, seed| {
        let list = List::of(seed, OPERATIONS);
        // A call to one person is written as that person's number.
        let text = format!("{:?}", list.ops).replace("Targets::of(&[", "").replace("])", "");
        text.bytes().fold(hash, fold)
    });
    assert_eq!(all, 0x9e7f_9a88_4e02_f999, "other lists than since digits can be sent");
}

#[test]
fn the_same_operations_give_the_same_effects() {
    for seed in 1..=40 {
        let list = List::of(seed, OPERATIONS);
        let (one, other) = (list.play(), list.play());
        for (a, b) in one.people.iter().zip(&other.people) {
            assert_eq!(a.records, b.records, "seed {seed}");
            assert_eq!(a.published, b.published, "seed {seed}");
            assert!(a.phone == b.phone, "seed {seed}");
        }
    }
}

/// `make nightly`: fresh seeds until stopped, or for `AHOY_NIGHTLY_SECONDS`.
#[test]
#[ignore = "runs without limit: make nightly"]
fn fresh_lists_break_no_invariant_either() {
    let seconds =
        std::env::var("AHOY_NIGHTLY_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    let begun = std::time::UNIX_EPOCH.elapsed().expect("a calendar after 1970").as_secs();
    let mut seed = begun << 20;
    while std::time::UNIX_EPOCH.elapsed().expect("a calendar after 1970").as_secs() - begun < seconds {
        play(seed, seed + LISTS);
        seed += LISTS;
        println!("{} lists held; the next seed is {seed}", seed - (begun << 20));
    }
}
