//! How the numbers of a call are spelled: the keys of `GetStats`.
//!
//! Lives here: their names, units and ranges; what is not known is left out.
//! Must not: measure, or let an address out: there is none in what it gets.

use std::time::Duration;

use ahoy_call::Moment;
use zbus::Variant;

use super::object::Properties;
use crate::values::line::{Candidate, PathKind, Quality};
use crate::values::rows::Stats;

/// What can be believed of a delay, and of jitter, ms. What others report has no other bound.
const LATEST: f64 = 10_000.0;
const SHAKIEST: f64 = 5_000.0;

/// `answered`: when the call was. Shares lie between 0 and 1.
pub(super) fn spelled(stats: &Stats, answered: Option<Moment>) -> Properties {
    let share = |part: u64, of: u64| {
        let (part, of) = (u32::try_from(part), u32::try_from(of));
        part.ok().zip(of.ok()).filter(|(_, of)| *of > 0).map(|(part, of)| f64::from(part) / f64::from(of))
    };
    let due = stats.packets_played + stats.packets_concealed;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let whole = |share: f64| share.clamp(0.0, 1.0);
    let arriving = stats.packets_in > 0;
    let counts: [(&str, Option<u64>); 8] = [
        ("packets-in", Some(stats.packets_in)),
        ("packets-out", Some(stats.packets_out)),
        ("packets-lost", Some(stats.packets_lost)),
        ("copies-in", Some(stats.copies_in)),
        ("copies-out", Some(stats.copies_out)),
        ("asked-in", Some(stats.asked_in)),
        ("asked-out", Some(stats.asked_out)),
        ("repairs", Some(stats.line.repairs.into())),
    ];
    let first_sound =
        stats.first_heard.zip(answered).map(|(heard, answered)| ms(heard.since(answered)).round());
    let numbers: [(&str, Option<f64>); 13] = [
        ("level-in", stats.level_in),
        ("level-out", stats.level_out),
        ("echo-return-loss-db", stats.echo_return_loss),
        ("loss-in", share(stats.packets_lost, due).map(whole)),
        ("loss-out", stats.loss_out.map(whole)),
        ("repaired-in", share(stats.packets_repaired, due).map(whole)),
        ("repaired-out", stats.repaired_out.map(whole)),
        ("concealed", share(stats.packets_concealed, due).map(whole)),
        ("concealed-out", stats.concealed_out.map(whole)),
        ("rtt-ms", stats.round_trip.map(|trip| ms(trip).min(LATEST))),
        ("playout-delay-ms", arriving.then(|| ms(stats.playout_delay).min(LATEST))),
        ("jitter-ms", arriving.then(|| ms(stats.jitter).min(SHAKIEST))),
        ("mos", stats.mos.map(|mos| mos.clamp(1.0, 5.0))),
    ];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and 0 to 2^32 - 1")]
    let setup = first_sound.map(|ms| ms.clamp(0.0, f64::from(u32::MAX)) as u32);
    let sizes: [(&str, Option<u32>); 3] =
        [("bitrate-in", stats.bitrate_in), ("bitrate-out", stats.bitrate_out), ("setup-ms", setup)];
    let words: [(&str, Option<String>); 6] = [
        ("quality", stats.line.quality.map(Quality::word).map(str::to_owned)),
        ("path", stats.line.path.map(PathKind::word).map(str::to_owned)),
        ("candidate-local", stats.pair.map(|pair| end(pair.local))),
        ("candidate-remote", stats.pair.map(|pair| end(pair.remote))),
        ("srtp-profile", stats.ciphers.as_ref().map(|ciphers| ciphers.srtp.clone())),
        ("dtls-cipher", stats.ciphers.as_ref().map(|ciphers| ciphers.dtls.clone())),
    ];
    let mut all = Properties::new();
    known(&mut all, counts);
    known(&mut all, numbers);
    known(&mut all, sizes);
    known(&mut all, words);
    all
}

fn known<T: Into<Variant<'static>>, const N: usize>(
    all: &mut Properties,
    of: [(&'static str, Option<T>); N],
) {
    all.extend(of.into_iter().filter_map(|(key, value)| Some((key, value?.into()))));
}

/// `host udp`, `relay tls`.
fn end(of: Candidate) -> String {
    format!("{} {}", of.kind.word(), of.hop.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::line::{CandidateKind, Ciphers, Hop, Line, Pair};

    fn real(all: &Properties, key: &str) -> f64 {
        match all.get(key) {
            Some(Variant::F64(number)) => *number,
            other => panic!("{key}: {other:?}"),
        }
    }

    fn everything() -> Stats {
        let end = Candidate { kind: CandidateKind::Relay, hop: Hop::Tls };
        Stats {
            packets_in: 50,
            packets_played: 90,
            packets_concealed: 10,
            loss_out: Some(0.5),
            round_trip: Some(Duration::from_millis(40)),
            jitter: Duration::from_millis(7),
            mos: Some(4.2),
            line: Line { quality: Some(Quality::Good), path: Some(PathKind::RelayTls), ..Line::default() },
            pair: Some(Pair { local: end, remote: Candidate { kind: CandidateKind::Host, hop: Hop::Udp } }),
            ciphers: Some(Ciphers { srtp: "SRTP_AEAD_AES_128_GCM".into(), dtls: "TLS_X".into() }),
            first_heard: Some(Moment::from_micros(1_060_400)),
            ..Stats::default()
        }
    }

    #[test]
    fn what_is_shown_lies_in_sane_ranges_whatever_was_measured_or_reported() {
        let far = Duration::from_secs(3_600);
        let wild = Stats {
            round_trip: Some(far),
            jitter: far,
            playout_delay: far,
            loss_out: Some(7.0),
            repaired_out: Some(-1.0),
            concealed_out: Some(f64::INFINITY),
            packets_lost: 1_000,
            mos: Some(99.0),
            ..everything()
        };
        for stats in [everything(), wild] {
            let all = spelled(&stats, None);
            for key in ["rtt-ms", "playout-delay-ms"] {
                assert!((0.0..=10_000.0).contains(&real(&all, key)), "{key}");
            }
            assert!((0.0..=5_000.0).contains(&real(&all, "jitter-ms")));
            for key in ["loss-in", "loss-out", "concealed"] {
                assert!((0.0..=1.0).contains(&real(&all, key)), "{key}");
            }
            assert!((1.0..=5.0).contains(&real(&all, "mos")));
        }
        let all = spelled(&everything(), None);
        assert_eq!((real(&all, "rtt-ms"), real(&all, "jitter-ms"), real(&all, "loss-out")), (40.0, 7.0, 0.5));
    }

    #[test]
    fn the_ends_of_a_path_are_told_by_kind_and_transport() {
        let all = spelled(&everything(), Some(Moment::from_micros(1_000_000)));
        let text = |key: &str| match all.get(key) {
            Some(Variant::Str(text)) => text.to_string(),
            other => panic!("{key}: {other:?}"),
        };
        assert_eq!(
            (text("candidate-local"), text("candidate-remote")),
            ("relay tls".into(), "host udp".into())
        );
        assert_eq!((text("path"), text("quality")), ("relay-tls".into(), "good".into()));
        assert_eq!(all.get("setup-ms"), Some(&Variant::from(60_u32)));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let all = spelled(&Stats::default(), None);
        for key in ["rtt-ms", "jitter-ms", "mos", "setup-ms", "candidate-local", "quality", "srtp-profile"] {
            assert!(!all.contains_key(key), "{key}");
        }
        assert_eq!(all.get("packets-in"), Some(&Variant::from(0_u64)));
    }
}
