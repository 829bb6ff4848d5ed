//! Do random operations ever break an invariant?
//!
//! Lives here: fixed seeds, the invariants after each step, how often each (phase, input) was hit.
//! Must not: use fresh chance: a run must be repeatable.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too")]

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_tests::network::Chance;
use ahoy_tests::op::Op;
use ahoy_tests::world::World;

const LISTS: u64 = 2_000;
const OPERATIONS: usize = 40;

fn play(seed: u64, ops: &[Op]) -> World {
    let mut world = World::new(seed, &["ada", "bob", "eve"]);
    let mut chance = Chance::new(seed ^ 0x6e6f);
    world.network.loss = [0.0, 0.05, 0.2][usize::try_from(chance.below(3)).unwrap()];
    world.network.doubling = 0.1;
    world.network.jitter = Duration::from_millis(1 + chance.below(300));
    world.preconnect = chance.below(4) > 0;
    for op in ops {
        // A refusal is checked inside; it is no failure here.
        let _ = op.run(&mut world);
        world.check();
    }
    world.network.offline.clear();
    world.network.loss = 0.0;
    for (a, b) in world.network.cut.clone() {
        world.cut(a, b, false);
    }
    world.until_quiet();
    world.check();
    world.check_quiet();
    world
}

fn list(seed: u64) -> Vec<Op> {
    let mut chance = Chance::new(seed);
    // Chance alone seldom gets far into a call: most lists begin with one at some depth.
    let deep =
        [Op::Dial(0, 1), Op::Wait(1_500), Op::Answer(1), Op::Wait(500), Op::Cut(0, 1, true), Op::Wait(2_500)];
    let begun = usize::try_from(chance.below(7)).unwrap_or(0);
    let random = (begun..OPERATIONS).map(|_| Op::random(&mut chance, 3));
    deep.into_iter().take(begun).chain(random).collect()
}

#[test]
fn no_list_of_operations_breaks_an_invariant() {
    let mut hits: BTreeMap<(String, &'static str), u64> = BTreeMap::new();
    for seed in 1..=LISTS {
        let ops = list(seed);
        let ran = std::panic::catch_unwind(|| play(seed, &ops));
        match ran {
            Ok(world) => {
                for (cell, count) in world.hits {
                    *hits.entry(cell).or_default() += count;
                }
            }
            Err(_) => panic!("seed {seed} breaks an invariant with\n{:#?}", shortened(seed, ops)),
        }
    }
    println!("{LISTS} lists of {OPERATIONS} operations; hits for each (state, input):");
    for ((state, input), count) in &hits {
        println!("{count:>8}  {state:<13} {input}");
    }
    // The table would be worthless if most cells were empty: a floor for what every person meets.
    for state in
        ["Idle", "Dialing", "Alerting", "Incoming", "Connecting", "Active", "Reconnecting", "Disconnected"]
    {
        for input in ["Answer", "HangUp", "SetMuted", "Dial"] {
            let count = hits.get(&(state.to_owned(), input)).copied().unwrap_or(0);
            assert!(count >= 10, "({state}, {input}) was hit only {count} times");
        }
    }
}

#[test]
fn the_same_operations_give_the_same_effects() {
    for seed in 1..=20 {
        let ops = list(seed);
        let (one, other) = (play(seed, &ops), play(seed, &ops));
        for (a, b) in one.people.iter().zip(&other.people) {
            assert_eq!(a.records, b.records, "seed {seed}");
            assert_eq!(a.published, b.published, "seed {seed}");
        }
    }
}

/// Leaves out what is not needed to break it.
fn shortened(seed: u64, mut ops: Vec<Op>) -> Vec<Op> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut at = 0;
    while at < ops.len() {
        let mut fewer = ops.clone();
        fewer.remove(at);
        if std::panic::catch_unwind(|| play(seed, &fewer)).is_err() {
            ops = fewer;
        } else {
            at += 1;
        }
    }
    std::panic::set_hook(hook);
    ops
}
