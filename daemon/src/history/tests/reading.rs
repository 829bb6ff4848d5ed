//! What lists and searches promise.
//!
//! Lives here: filters, pages, texts, events.
//! Must not: time anything: the benchmark does.

use super::*;
use crate::values::rows::Told;

#[test]
fn lists_are_newest_first_filtered_and_paged() {
    let (_dir, _path, mut history) = fresh();
    for call in 1..=5 {
        history.write(call.into(), missed(call));
    }
    let (view, entries) = until_up(6);
    history.write(6, entries);
    history.write(7, vec![ended(&view, 75, EndReason::Completed, Outcome::Answered)]);
    let ids = |filter: HistoryFilter| history.list(filter).iter().map(|row| row.id).collect::<Vec<_>>();
    let all = HistoryFilter::default;
    assert_eq!(ids(all()), [6, 5, 4, 3, 2, 1]);
    assert_eq!(ids(HistoryFilter { outcome: Some("missed".into()), limit: Some(2), ..all() }), [5, 4]);
    assert_eq!(ids(HistoryFilter { direction: Some("outgoing".into()), ..all() }), [6]);
    assert_eq!(ids(HistoryFilter { contact: Some("00".repeat(16)), ..all() }), [0; 0]);
    assert_eq!(ids(HistoryFilter { until: Some(BOOT), ..all() }), [0; 0]);
    assert_eq!(
        ids(HistoryFilter { since: Some(BOOT), text: Some("LUNCH".into()), limit: Some(1), ..all() }),
        [6]
    );
    assert_eq!(ids(HistoryFilter { text: Some("%".into()), ..all() }), [0; 0], "no pattern, a text");
    let page = |before| history.ask(HistoryRequest::List(HistoryFilter { limit: Some(4), before, ..all() }));
    let Ok(Answer::History(first, next)) = page(None) else { panic!() };
    let Ok(Answer::History(second, end)) = page(Some(next)) else { panic!() };
    assert_eq!((first.len(), next, second.len(), end), (4, 3, 2, 0));
    for bad in [
        HistoryFilter { limit: Some(0), ..all() },
        HistoryFilter { limit: Some(1001), ..all() },
        HistoryFilter { outcome: Some("lost".into()), ..all() },
        HistoryFilter { direction: Some("up".into()), ..all() },
    ] {
        let denied = history.ask(HistoryRequest::List(bad)).unwrap_err();
        assert_eq!(denied.kind, DeniedKind::InvalidOption);
    }
    assert_eq!(history.ask(HistoryRequest::Get(7)).unwrap_err().kind, DeniedKind::NoSuchRecord);
    history.drop_dead();
}

/// A small generator, the same rows each time.
struct Chance(u64);

impl Chance {
    fn of(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

#[test]
fn every_filter_finds_exactly_what_looking_at_each_row_finds() {
    let (_dir, _path, mut history) = fresh();
    let mut chance = Chance(7);
    // A name among the words: whoever is called so and what is told of them must meet on one page.
    let words = ["Lunch", "über", "ab", "a%b_c\"", "電話番号", "late", "Ana"];
    for call in 1..=120 {
        let mut entries = missed(call);
        let name = ["Ana", "Ben", "Çelik", "ANA Maria"][chance.of(4)];
        let note = format!("{} {}", words[chance.of(7)], words[chance.of(7)]);
        // Now and then the calendar is set back, and later set right.
        let step = if chance.of(9) == 0 { -3_600 } else { 0 } + i64::from(call) * 100;
        for entry in &mut entries {
            entry.at_unix_us += step * SECOND;
            entry.name = name.into();
            entry.record.view.note = (chance.of(3) != 0).then(|| note.clone());
            if entry.record.fact == Fact::Ended && chance.of(4) == 0 {
                entry.record.view.message = Some("In a Meeting".into());
            }
        }
        history.write(call.into(), entries);
    }
    let all = history.list(HistoryFilter { limit: Some(1000), ..HistoryFilter::default() });
    assert_eq!(all.len(), 120);
    let texts = [
        "",
        "a",
        "B",
        "ANA",
        "an",
        "lunch",
        "ÜBER",
        "ab",
        "b_c\"",
        "電話番",
        "meeting",
        "h lu",
        "zzz",
        "benaddress",
    ];
    for text in texts {
        for (since, until) in [(0, i64::MAX), (20 * 100, 60 * 100), (0, 10 * 100), (110 * 100, i64::MAX)] {
            let narrowed = (since, until) != (0, i64::MAX);
            let since = if narrowed { BOOT + since * SECOND } else { i64::MIN };
            let until = until.saturating_mul(SECOND).saturating_add(BOOT);
            let fits = |row: &&HistoryRow| {
                let told = [&row.name, &row.address, &row.note, &row.message];
                (row.created_at >= since && row.created_at < until)
                    && told.iter().any(|told| told.to_lowercase().contains(&text.to_lowercase()))
            };
            let expected: Vec<u64> = all.iter().filter(fits).map(|row| row.id).collect();
            let mut filter = HistoryFilter {
                text: Some(text.into()),
                since: narrowed.then_some(since),
                until: narrowed.then_some(until),
                limit: Some(7),
                ..HistoryFilter::default()
            };
            let mut found = Vec::new();
            loop {
                let asked = filter.clone();
                let Ok(Answer::History(rows, next)) = history.ask(HistoryRequest::List(asked)) else {
                    panic!("{filter:?}")
                };
                found.extend(rows.iter().map(|row| row.id));
                if next == 0 {
                    break;
                }
                filter.before = Some(next);
            }
            assert_eq!(found, expected, "{text:?} from {since} until {until}");
        }
    }
    history.drop_dead();
}

#[test]
fn the_events_of_a_row_tell_its_story_with_times_and_sources() {
    let (_dir, _path, mut history) = fresh();
    let (view, mut entries) = until_up(1);
    entries.push(ended(&view, 75, EndReason::Completed, Outcome::Answered));
    // The calendar is set back an hour in the call.
    for entry in &mut entries[4..] {
        entry.at_unix_us -= 3_600 * SECOND;
    }
    history.write(1, entries);
    let Ok(Answer::Events(events)) = history.ask(HistoryRequest::Events(1)) else { panic!() };
    let told: Vec<(&str, &str, &str, u64)> = events
        .iter()
        .map(|event| (event.event.as_str(), event.source.as_str(), event.state.as_str(), event.after_ms))
        .collect();
    assert_eq!(
        told,
        [
            ("dialed", "local", "dialing", 0),
            ("ringing-there", "remote", "alerting", 1_000),
            ("answered", "remote", "connecting", 5_000),
            ("connected", "network", "active", 6_000),
            ("path-lost", "network", "reconnecting", 10_000),
            ("path-restored", "network", "active", 12_000),
            ("ended", "remote", "disconnected", 65_000),
        ]
    );
    assert_eq!(events[0].at, BOOT + 10 * SECOND);
    assert_eq!(events[6].at, BOOT + (75 - 3_600) * SECOND, "as the calendar stood then");
    let name = Told::Text("Ben".into());
    assert!(events[0].data.contains(&("name".into(), name)), "{:?}", events[0].data);
    assert!(events[6].data.contains(&("reason".into(), Told::Text("completed".into()))));
    history.drop_dead();
}
