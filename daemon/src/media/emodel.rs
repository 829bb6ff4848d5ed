//! How a call would be judged by people: the E-model (ITU-T G.107), cut down to what a call over the internet can measure.
//!
//! Lives here: from delay, loss and the codec's rate to R, and from R to a mean opinion score.
//! Must not: measure anything.
//!
//! All other terms keep their defaults, which come to 93.2 (G.107 table 3): what a telephone's handset, line and room do is not
//! known. The scale is that of a telephone's narrow band, on which every wider voice counts as at most as good.

/// R of a call without delay, loss and codec.
const WITHOUT_FAULT: f64 = 93.2;
/// What a call that loses everything is impaired by (G.107 §7.5).
const ALL_LOST: f64 = 95.0;

/// What Opus itself costs at these rates, bit/s, and how well it bears loss, in per cent: the equipment impairment factor and the
/// packet-loss robustness of narrow-band Opus that M. Alahmadi, P. Počta and H. Melvin derived ("An Adaptive Bitrate Switching
/// Algorithm for Speech Applications in Context of WebRTC", ACM TOMM 17-4, 2021, <https://doi.org/10.1145/3458751>): variable
/// rate up to 9 kbit/s, constant above. ITU-T G.113 has none for it. Above the last rate no more is heard on this scale.
const OPUS: [(u32, f64, f64); 6] = [
    (6_000, 23.0, 24.6),
    (7_000, 21.3, 22.5),
    (8_000, 16.0, 20.3),
    (9_000, 11.7, 18.9),
    (10_000, 6.2, 15.3),
    (11_000, 2.0, 16.0),
];

/// What is known of a voice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// From mouth to ear, ms.
    pub delay_ms: f64,
    /// The share of frames that had to be made up, 0 to 1: loss as the codec sees it, after all repair.
    pub lost: f64,
    /// The rate at which the voice is coded, bit/s.
    pub bitrate: u32,
}

/// The mean opinion score that such a voice would get: 1 (bad) to 4.5.
pub fn mos(heard: Heard) -> f64 {
    let (codec, robust) = opus(heard.bitrate);
    of_rating(WITHOUT_FAULT - delay(heard.delay_ms) - equipment(codec, robust, heard.lost * 100.0))
}

/// From R to a mean opinion score (G.107 annex B).
fn of_rating(r: f64) -> f64 {
    match r {
        r if r <= 6.5 => 1.0,
        r if r >= 100.0 => 4.5,
        r => 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6,
    }
}

/// What so long a way costs (Idd of G.107 §7.4, default sensitivity): nothing up to 100 ms. An echo is taken to be cancelled.
fn delay(ms: f64) -> f64 {
    if ms <= 100.0 {
        return 0.0;
    }
    let x = (ms / 100.0).log2();
    let root = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

/// What the codec and random loss, in per cent, cost together (Ie,eff of G.107 §7.5).
fn equipment(codec: f64, robust: f64, lost: f64) -> f64 {
    let lost = lost.clamp(0.0, 100.0);
    codec + (ALL_LOST - codec) * lost / (lost + robust)
}

/// Between two rates of the table it lies on the line between them.
fn opus(bitrate: u32) -> (f64, f64) {
    let [(first, ..), .., (last, ..)] = OPUS;
    let bitrate = f64::from(bitrate.clamp(first, last));
    let between = OPUS.windows(2).find_map(|pair| {
        let [(low, codec, robust), (high, better, other)] = *pair else { return None };
        let share = (bitrate - f64::from(low)) / (f64::from(high) - f64::from(low));
        (share <= 1.0).then_some((codec + (better - codec) * share, robust + (other - robust) * share))
    });
    let [.., (_, codec, robust)] = OPUS;
    between.unwrap_or((codec, robust))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: f64, expected: f64, within: f64, what: &str) {
        assert!((found - expected).abs() <= within, "{what}: {found}, not {expected}");
    }

    #[test]
    fn the_rating_becomes_the_score_of_the_recommendation() {
        let table =
            [(90.0, 4.34), (80.0, 4.02), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58), (0.0, 1.0), (100.0, 4.5)];
        for (r, score) in table {
            assert_near(of_rating(r), score, 0.05, "R");
        }
        assert_near(of_rating(f64::NEG_INFINITY), 1.0, 0.0, "no worse than bad");
        assert_near(of_rating(6.6), 1.0, 0.01, "no step where the curve begins");
    }

    #[test]
    fn delay_costs_nothing_at_first_little_at_150_ms_and_much_at_400() {
        for (ms, cost) in [(0.0, 0.0), (100.0, 0.0), (150.0, 0.16), (400.0, 24.07)] {
            assert_near(delay(ms), cost, 0.05, "Idd");
        }
    }

    #[test]
    fn loss_costs_what_the_formula_says() {
        // A codec without fault and robustness 4.3, as G.711 has (G.113 appendix I): 95 * 5 / 9.3.
        for (lost, cost) in [(0.0, 0.0), (5.0, 51.08), (100.0, 91.08)] {
            assert_near(equipment(0.0, 4.3, lost), cost, 0.05, "Ie,eff");
        }
        assert_near(equipment(11.0, 19.0, 5.0), 28.5, 0.05, "the codec's own counts once");
    }

    #[test]
    fn opus_costs_less_the_higher_its_rate_and_nothing_more_above_the_table() {
        assert_eq!([6_000, 9_000, 11_000].map(|rate| opus(rate).0), [23.0, 11.7, 2.0]);
        assert_eq!((opus(0), opus(64_000)), (opus(6_000), opus(11_000)), "the ends hold beyond them");
        assert_near(opus(9_500).0, 8.95, 0.01, "half way");
        let all: Vec<f64> = (6..=64).map(|kbit| opus(kbit * 1_000).0).collect();
        assert!(all.is_sorted_by(|a, b| a >= b), "{all:?}");
    }

    #[test]
    fn a_voice_is_scored_by_all_of_it_together() {
        let at = |delay_ms, lost| mos(Heard { delay_ms, lost, bitrate: 32_000 });
        // R by hand: 93.2 less 2.0 for the codec, less the delay's 0, 0.16, 24.07, less 22.14 for 5 %.
        let table = [
            (0.0, 0.0, 4.37),
            (150.0, 0.0, 4.37),
            (400.0, 0.0, 3.46),
            (0.0, 0.05, 3.56),
            (150.0, 0.05, 3.55),
            (400.0, 0.05, 2.31),
        ];
        for (delay_ms, lost, score) in table {
            assert_near(at(delay_ms, lost), score, 0.05, &format!("{delay_ms} ms, {lost}"));
        }
        assert_near(at(1e9, 1.0), 1.0, 0.0, "nothing gets through");
    }
}
