//! Does a link do what it says?
//!
//! Lives here: packets by the thousand in time that does not pass.
//! Must not: open a socket.

use super::*;

const MS: Duration = Duration::from_millis(1);

fn datagram(port: u16) -> Packet {
    let (source, destination) = ([10, 77, 0, 1].into(), [10, 77, 0, 2].into());
    Packet { source, destination, flow: Some((true, port, 9)), udp: Some((100, [0; 4])) }
}

/// The fates of datagrams of that size, one each so many milliseconds.
fn fates(condition: &str, seed: u64, count: u32, gap: u32, bytes: usize) -> Vec<(Duration, Fate)> {
    let mut link = Link::new(seed, 0);
    link.condition = condition.parse().unwrap();
    (0..count).map(|n| (gap * n * MS, link.fate(gap * n * MS, bytes, &datagram(1)))).collect()
}

fn lost(fates: &[(Duration, Fate)]) -> Vec<bool> {
    fates.iter().map(|(_, fate)| *fate == Fate::Lost).collect()
}

/// How long each delivered one was under way, in milliseconds.
fn delays(fates: &[(Duration, Fate)]) -> Vec<f64> {
    let each = fates.iter().filter_map(|(sent, fate)| match fate {
        Fate::Delivered { at, .. } => Some((*at - *sent).as_secs_f64() * 1000.0),
        Fate::Lost | Fate::Dropped => None,
    });
    each.collect()
}

fn share_of(flags: &[bool]) -> f64 {
    f64::from(u32::try_from(flags.iter().filter(|flag| **flag).count()).unwrap())
        / f64::from(u32::try_from(flags.len()).unwrap())
}

#[test]
fn as_many_are_lost_as_asked_for_each_by_itself() {
    for percent in [1.0, 2.0, 5.0, 10.0, 20.0] {
        let lost = lost(&fates(&format!("loss={percent}"), 7, 100_000, 20, 100));
        let share = 100.0 * share_of(&lost);
        assert!((share - percent).abs() < 0.4, "asked for {percent} %, got {share} %");
        let after: Vec<bool> = lost.windows(2).filter(|pair| pair[0]).map(|pair| pair[1]).collect();
        assert!((100.0 * share_of(&after) - percent).abs() < 1.5, "after a loss as likely as else");
    }
}

#[test]
fn bursts_lose_as_many_and_are_as_long_as_asked_for() {
    for (percent, length) in [(5.0, 3.0), (10.0, 4.0), (20.0, 2.0)] {
        let lost = lost(&fates(&format!("burst={percent}:{length}"), 3, 200_000, 20, 100));
        let begun: Vec<bool> = lost.windows(2).map(|pair| !pair[0] && pair[1]).collect();
        let (share, mean) = (100.0 * share_of(&lost), share_of(&lost) / share_of(&begun));
        assert!((share - percent).abs() < 0.6, "asked for {percent} %, got {share} %");
        assert!((mean - length).abs() < 0.1 * length, "asked for bursts of {length}, got {mean}");
    }
}

#[test]
fn the_same_seed_gives_the_same_fates_and_another_gives_others() {
    let all = "delay=25ms jitter=40ms loss=5 burst=5:3";
    let [one, same, other] = [42, 42, 43].map(|seed| fates(all, seed, 5000, 20, 100));
    assert_eq!(one, same);
    assert_ne!(one, other);
    let mut link = Link::new(43, 0);
    link.condition = all.parse().unwrap();
    let _: Vec<Fate> = (0..100).map(|n| link.fate(n * MS, 100, &datagram(1))).collect();
    link.begin_anew(42);
    let again: Vec<bool> =
        (200..700).map(|n| link.fate(20 * n * MS, 100, &datagram(1)) == Fate::Lost).collect();
    assert_eq!(again, lost(&one)[..500], "begun anew, whenever that is");
}

#[test]
fn what_is_no_datagram_is_not_lost_and_shifts_no_fate() {
    let plain = lost(&fates("loss=20", 9, 2000, 20, 100));
    let mut link = Link::new(9, 0);
    link.condition = "loss=20".parse().unwrap();
    let other = Packet { udp: None, ..datagram(2) };
    let mixed: Vec<bool> = (0..2000)
        .map(|n| {
            assert!(matches!(link.fate(20 * n * MS, 60, &other), Fate::Delivered { .. }));
            link.fate(20 * n * MS, 100, &datagram(1)) == Fate::Lost
        })
        .collect();
    assert_eq!(mixed, plain);
}

#[test]
fn jitter_comes_on_top_of_the_delay_and_keeps_the_order() {
    // So far apart that none holds back the next.
    let spread = delays(&fates("delay=25ms jitter=40ms", 1, 50_000, 100, 100));
    let mean = spread.iter().sum::<f64>() / 50_000.0;
    let (least, most) = spread.iter().fold((f64::MAX, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
    assert!(least >= 25.0 && most <= 65.0 && (mean - 45.0).abs() < 0.3, "{least} to {most}, mean {mean}");
    let close = fates("delay=25ms jitter=80ms", 1, 5000, 20, 100);
    let arrived: Vec<f64> =
        close.iter().zip(delays(&close)).map(|((sent, _), d)| sent.as_secs_f64() * 1000.0 + d).collect();
    assert!(arrived.windows(2).all(|pair| pair[1] >= pair[0] - 1e-6));
}

#[test]
fn a_rate_lets_so_much_through_and_no_more_waits_than_the_queue_holds() {
    let fates = fates("rate=64kbit queue=300ms", 1, 1000, 10, 160);
    let through = delays(&fates);
    let bits = f64::from(u32::try_from(through.len()).unwrap()) * 160.0 * 8.0 / 10.0;
    assert!((bits - 64_000.0).abs() < 3000.0, "{bits} bit/s");
    // 20 ms a packet: the last one that is let in waits 300 ms for its turn.
    let most = through.iter().fold(0.0_f64, |a, b| a.max(*b));
    assert!((300.0..=320.1).contains(&most), "{most} ms");
    assert!(fates.iter().any(|(_, fate)| *fate == Fate::Dropped));
}

#[test]
fn what_passed_before_a_cut_is_lost_after_it_and_what_begins_then_passes() {
    let mut link = Link::new(1, 0);
    let mut passes = |packet: &Packet| link.fate(MS, 100, packet) != Fate::Lost;
    let (old, tcp) = (datagram(1), Packet { flow: Some((false, 1, 9)), udp: None, ..datagram(1) });
    assert!(passes(&old) && passes(&tcp));
    link.cut();
    let mut passes = |packet: &Packet| link.fate(2 * MS, 100, packet) != Fate::Lost;
    assert!(!passes(&old) && !passes(&tcp) && passes(&datagram(2)));
}

#[test]
fn nothing_passes_a_link_that_is_down_and_its_fates_go_on_after_it() {
    let plain = lost(&fates("loss=20", 9, 200, 20, 100));
    let mut link = Link::new(9, 0);
    link.condition = "down".parse().unwrap();
    let other = Packet { udp: None, ..datagram(2) };
    assert!([datagram(1), other].iter().all(|packet| link.fate(MS, 100, packet) == Fate::Lost));
    link.condition = "loss=20".parse().unwrap();
    let after: Vec<bool> =
        (0..200).map(|n| link.fate(20 * n * MS, 100, &datagram(1)) == Fate::Lost).collect();
    assert_eq!(after, plain);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bad = [
        "loss=101",
        "loss=-1",
        "loss=NaN",
        "delay=5",
        "delay=-5ms",
        "delay=xms",
        "foo=1",
        "burst=5",
        "burst=5:0.5",
        "burst=90:1",
        "rate=NaNkbit",
        "rate=0kbit",
        "rate=64",
        "loss",
    ];
    for text in bad {
        assert!(text.parse::<Condition>().is_err(), "{text}");
    }
    assert_eq!("clean".parse::<Condition>().unwrap(), Condition::default());
}
