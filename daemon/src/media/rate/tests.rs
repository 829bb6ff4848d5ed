//! A line in virtual time: what is sent on it fills its queue, and the word about it comes back.
//!
//! Lives here: such a line, and what becomes of the rate on it.
//! Must not: use a socket or a clock.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of a small line")]

use std::collections::VecDeque;

use super::*;

const BEST: u32 = 32_000;

fn at(ms: u64) -> Moment {
    Moment::from_micros(1_000_000 + ms * 1_000)
}

/// A line that carries so much (bit/s at IP) and keeps so much when more comes.
struct Narrow {
    carries: f64,
    /// In milliseconds.
    keeps: f64,
    /// Bits that wait.
    waiting: f64,
    came: f64,
    lost: f64,
    sent: f64,
    /// How long the last packets took, in ms, the newest first.
    arrivals: VecDeque<f64>,
}

/// What else travels: words, reports and checks of the path.
const BESIDE: f64 = 3_500.0;

impl Narrow {
    fn new(carries: f64, keeps: f64) -> Self {
        Self { carries, keeps, waiting: 0.0, came: 0.0, lost: 0.0, sent: 0.0, arrivals: VecDeque::new() }
    }

    /// 20 ms at this rate.
    fn carry(&mut self, rate: f64) {
        let sent = (rate + BESIDE) * 0.02;
        self.sent += sent;
        self.waiting += sent;
        let through = self.waiting.min(self.carries * 0.02);
        self.waiting -= through;
        self.came += through;
        let room = self.carries * self.keeps / 1e3;
        self.lost += (self.waiting - room).max(0.0);
        self.waiting = self.waiting.min(room);
    }

    fn queue(&self) -> f64 {
        self.waiting / self.carries * 1e3
    }
}

struct Seen {
    rungs: Vec<Encoding>,
    queues: Vec<f64>,
}

/// So many seconds on lines that change, every 20 ms.
fn run(
    rate: &mut Rate,
    line: &mut Narrow,
    from: u64,
    seconds: u64,
    copies: bool,
    wanted: Protection,
) -> Seen {
    let mut seen = Seen { rungs: Vec::new(), queues: Vec::new() };
    let mut second = VecDeque::new();
    for ms in (from..from + seconds * 1_000).step_by(20) {
        let now = at(ms);
        let there = if copies { rate.room_for(now, wanted).copies } else { 0 };
        let encoding = rate.encoding().beside(there);
        let packets = f64::from(FRAMES) / f64::from(encoding.frames);
        let rest = f64::from(there) * f64::from(encoding.bitrate + 32 * FRAMES);
        let before = (line.came, line.lost, line.sent);
        line.carry(f64::from(encoding.on_line()) + rest);
        let packet = f64::from(encoding.on_line()) / packets;
        let arrival = line.queue() + packet / line.carries * 1e3;
        line.arrivals.push_front(arrival);
        line.arrivals.truncate(1_500);
        second.push_back((line.came - before.0, line.lost - before.1, line.sent - before.2));
        if second.len() > 30 {
            second.pop_front();
        }
        if ms % 200 == 0 {
            let sum = |of: fn(&(f64, f64, f64)) -> f64| second.iter().map(of).sum::<f64>();
            let bits = sum(|one| one.0) * 50.0 / second.len() as f64;
            // As the other side measures: the fastest of the last moment, of the nine seconds before, of half a minute.
            let least = |from: usize, until: usize| {
                line.arrivals.iter().skip(from).take(until - from).copied().reduce(f64::min)
            };
            let later = |one: Option<f64>, other: Option<f64>| {
                let later = one.zip(other).map_or(0.0, |(one, other)| one - other);
                Duration::from_secs_f64(later.max(0.0) / 1e3)
            };
            let feedback = Feedback {
                recent: (sum(|one| one.1) / sum(|one| one.2)) as f32,
                queue: later(least(0, 19), least(0, 1_500)),
                sooner: later(least(19, 480), least(0, 19)),
                bytes: (bits / 8.0 - packets * 44.0).max(0.0) as u16,
                packets: packets as u16,
                ..Feedback::default()
            };
            let sent = (sum(|one| one.2) * 50.0 / second.len() as f64 / 8.0 - packets * 44.0).max(0.0) as u32;
            rate.heard(now, &feedback, Duration::from_millis(40), (sent, packets as u32), there > 0);
        }
        seen.rungs.push(rate.encoding());
        seen.queues.push(line.queue());
    }
    seen
}

fn alone(carries: f64, keeps: f64, seconds: u64) -> Seen {
    run(&mut Rate::new(BEST, 6), &mut Narrow::new(carries, keeps), 0, seconds, false, Protection::default())
}

#[test]
fn every_rung_takes_less_of_the_line_and_none_is_beaten_by_one_that_takes_less() {
    for (bitrate, longest) in [(12_000, 1), (12_000, 6), (32_000, 1), (32_000, 3), (64_000, 6), (40_000, 6)] {
        let rungs = rungs(bitrate, longest);
        assert_eq!(rungs[0], Encoding::new(bitrate, 1), "what was set is the best there is");
        assert!(rungs.windows(2).all(|two| two[0].on_line() > two[1].on_line()), "{rungs:?}");
        assert!(rungs.iter().all(|rung| rung.frames <= longest && rung.bitrate <= bitrate), "{rungs:?}");
        let last = rungs.last().unwrap().on_line();
        assert!(last <= if longest == 6 { 10_000 } else { 29_000 }, "{rungs:?}");
    }
}

#[test]
fn a_line_that_carries_it_all_gets_it_all() {
    let seen = alone(100_000.0, 200.0, 60);
    assert!(seen.rungs.iter().all(|rung| *rung == Encoding::new(BEST, 1)));
}

#[test]
fn a_thin_line_is_not_full_after_five_seconds_and_hardly_ever_again() {
    for (carries, least, keeps) in [
        (64_000.0, 32_000, 200.0),
        (48_000.0, 20_000, 200.0),
        (48_000.0, 20_000, 500.0),
        (32_000.0, 12_000, 200.0),
        (24_000.0, 9_000, 200.0),
        (24_000.0, 9_000, 500.0),
        (16_000.0, 6_000, 200.0),
    ] {
        let seen = alone(carries, keeps, 60);
        let after = seen.queues.len() / 12;
        let mut soon = seen.queues[after..2 * after].to_vec();
        soon.sort_by(f64::total_cmp);
        assert!(soon[soon.len() / 2] < 30.0, "{carries} {keeps}: {} ms after 5 s", soon[soon.len() / 2]);
        let later = &seen.queues[after..];
        let full = later.iter().filter(|queue| **queue > 100.0).count() as f64 / later.len() as f64;
        assert!(full < 0.12, "{carries} {keeps}: full in {full} of the time");
        let mut rates: Vec<u32> = seen.rungs[after..].iter().map(|rung| rung.bitrate).collect();
        rates.sort_unstable();
        assert!(rates[rates.len() / 2] >= least, "{carries}: {} bit/s", rates[rates.len() / 2]);
    }
}

#[test]
fn a_line_that_becomes_wide_again_is_used_within_ten_seconds() {
    let (mut rate, mut line) = (Rate::new(BEST, 6), Narrow::new(100_000.0, 200.0));
    run(&mut rate, &mut line, 0, 10, false, Protection::default());
    line.carries = 24_000.0;
    run(&mut rate, &mut line, 10_000, 60, false, Protection::default());
    assert!(rate.encoding().on_line() <= 24_000);
    line.carries = 100_000.0;
    let seen = run(&mut rate, &mut line, 70_000, 10, false, Protection::default());
    assert_eq!(*seen.rungs.last().unwrap(), Encoding::new(BEST, 1));
}

#[test]
fn copies_go_first_and_stay_away_from_a_line_that_they_fill() {
    let wanted = Protection::clamped(2, 1);
    let (mut rate, mut line) = (Rate::new(BEST, 6), Narrow::new(64_000.0, 200.0));
    let seen = run(&mut rate, &mut line, 0, 60, true, wanted);
    assert!(rate.encoding().bitrate >= 24_000, "the voice is kept: {:?}", rate.encoding());
    let full = seen.queues.iter().filter(|queue| **queue > 100.0).count() as f64 / seen.queues.len() as f64;
    assert!(full < 0.15, "full in {full} of the time");
    assert_eq!(rate.room_for(at(60_000), wanted).copies, 0);
    let (mut rate, mut line) = (Rate::new(BEST, 6), Narrow::new(200_000.0, 200.0));
    run(&mut rate, &mut line, 0, 60, true, wanted);
    assert_eq!(rate.room_for(at(60_000), wanted), wanted, "a wide line has room");
    assert_eq!(rate.encoding().beside(2).bitrate, 24_000);
}

#[test]
fn a_side_that_speaks_rtcp_alone_is_judged_by_its_round_trip_and_keeps_short_packets() {
    let mut rate = Rate::new(BEST, 1);
    let ms = Duration::from_millis;
    rate.reported(at(0), 0.0, ms(40));
    rate.reported(at(1_000), 0.0, ms(130));
    assert_eq!(rate.encoding(), Encoding::new(BEST, 1), "one report may be late by chance");
    rate.reported(at(2_000), 0.0, ms(180));
    assert!(rate.encoding().bitrate < BEST && rate.encoding().frames == 1);
    for second in 3..40 {
        rate.reported(at(second * 1_000), 0.2, ms(41));
    }
    assert_eq!(rate.encoding(), Encoding::new(BEST, 1), "loss alone is not a full line");
}

#[test]
fn words_that_lie_do_no_more_than_make_the_voice_thin() {
    let mut rate = Rate::new(BEST, 6);
    let worst = Feedback { lost: 1.0, recent: 1.0, queue: Duration::from_secs(65), ..Feedback::default() };
    for ms in (0..60_000).step_by(10) {
        rate.heard(at(ms), &worst, Duration::MAX, (0, 0), ms % 20 == 0);
    }
    assert_eq!(rate.encoding(), *rate.rungs.last().unwrap());
    let never = Feedback { recent: 1.0, bytes: u16::MAX, packets: u16::MAX, ..Feedback::default() };
    for ms in (60_000..120_000).step_by(10) {
        rate.heard(at(ms), &never, Duration::ZERO, (1, 1), false);
    }
    assert_eq!(rate.encoding(), rate.rungs[0], "100 % loss for ever, and no queue: it is the air");
}

#[test]
fn what_is_late_all_the_time_and_loses_nothing_is_no_queue() {
    let mut rate = Rate::new(BEST, 6);
    let ms = Duration::from_millis;
    let busy = |queue| Feedback { queue: ms(queue), bytes: 5_000, packets: 50, ..Feedback::default() };
    for second in 0..60 {
        for word in 0..5 {
            let now = at(second * 1_000 + word * 200);
            rate.heard(now, &busy(70 + word), ms(40), (5_000, 50), false);
        }
    }
    assert_eq!(rate.encoding(), Encoding::new(BEST, 1), "it went down, and came back");
    for word in 0..20 {
        rate.heard(at(60_000 + word * 200), &busy(70 + word * 20), ms(40), (6_000, 50), false);
    }
    assert!(rate.encoding().bitrate < BEST, "what grows is one");
}

#[test]
fn a_side_that_says_nothing_any_more_gets_the_least() {
    let mut rate = Rate::new(BEST, 6);
    (0..50).for_each(|n| rate.unheard(at(n * 200), Duration::from_millis(40)));
    assert_eq!(rate.encoding(), *rate.rungs.last().unwrap());
}

#[test]
fn who_takes_shorter_packets_gets_the_best_that_is_no_more_on_the_line_or_else_the_least() {
    let all = rungs(BEST, 6);
    for rung in &all {
        for longest in 1..=6 {
            let within = rung.within(longest);
            assert!(within.frames <= longest && within.bitrate <= rung.bitrate, "{rung:?} {within:?}");
            if rung.frames <= longest {
                assert_eq!(within, *rung);
            }
        }
    }
    assert_eq!(Encoding::new(16_000, 3).within(2), Encoding::new(16_000, 2));
    assert_eq!(Encoding::new(6_000, 6).within(1), Encoding::new(6_000, 1), "there is nothing thinner");
}
