//! Whatever comes: numbers, lengths, copies, wishes and clocks by chance.
//!
//! Lives here: that nothing breaks, and that every bound holds.
//! Must not: take real time.

use super::super::*;
use super::Chance;

#[test]
fn whatever_comes_in_whatever_order_nothing_breaks_and_the_bounds_hold() {
    for seed in 1..9 {
        let mut chance = Chance(seed);
        let mut buffer = Playout::new();
        let (mut now, mut asked, mut filled) = (1_000_000_u64, Vec::new(), 0);
        buffer.asking(true);
        for n in 0..20_000_u32 {
            now += match chance.below::<u64>(500) {
                0 => chance.below::<u64>(5_000_000),
                1 => 0,
                _ => chance.below::<u64>(30_000),
            };
            let at = Moment::from_micros(now);
            let near = chance.below::<u64>(10) < 8;
            let frames = chance.below::<usize>(8);
            let jump = if near { chance.below::<u32>(8) } else { chance.below::<u32>(1 << 31) };
            let steps = if near { chance.below::<u16>(4) } else { chance.below::<u16>(u16::MAX.into()) };
            let numbers = Numbers {
                path: if near { 1 } else { chance.below(5) },
                sequence: u16::try_from(n % 65_536).unwrap().wrapping_sub(steps),
                timestamp: n.wrapping_mul(960).wrapping_sub(jump.wrapping_mul(960)),
                first: chance.below::<u64>(50) == 0,
                frames: if near { frames.clamp(1, 3) } else { frames },
            };
            let size = chance.below::<usize>(40);
            if let Some(number) = buffer.push(at, numbers, &vec![1; size]) {
                for _ in 0..chance.below::<u64>(3) {
                    buffer.copy(number, chance.below(256), chance.below(8), &[2]);
                }
            }
            if chance.below::<u64>(100) == 0 {
                buffer.need(Duration::from_micros(chance.below(400_000)));
            }
            let round_trip = Duration::from_micros(chance.below(200_000));
            asked.extend(buffer.ask(at, round_trip).into_iter().map(|_| now));
            for _ in 0..chance.below::<u64>(4) {
                match buffer.pull(at) {
                    Frame::Decode { frames, part, .. } => assert!(part < frames && frames <= FRAMES_MAX),
                    Frame::Fec { missing, .. } => assert!((1..=3).contains(&missing)),
                    Frame::Conceal | Frame::Silence => {}
                }
                filled += 1;
                buffer.changed(chance.below::<isize>(960) - 480);
            }
            assert!((10..=300).contains(&buffer.target().as_millis()), "{:?}", buffer.target());
            let heard = buffer.heard(at);
            assert!((0.0..=1.0).contains(&heard.lost) && (0.0..=1.0).contains(&heard.recent), "{heard:?}");
            assert!((0.0..=512.0).contains(&heard.run), "{heard:?}");
        }
        let told = buffer.statistics();
        assert!(told.played > 100 && told.rejected > 100 && filled > told.played, "{told:?}");
        for (n, first) in asked.iter().enumerate() {
            let within = asked[n..].iter().take_while(|at| **at < first + 1_000_000).count();
            assert!(within <= 60, "{within} in a second");
        }
    }
}
