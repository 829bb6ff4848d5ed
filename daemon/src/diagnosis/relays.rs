//! The relays, and the clock that they are compared with.
//!
//! Lives here: what each link said of itself, in sentences; whether our calendar is right.
//! Must not: connect to a relay, or say where one is.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;

use super::machine;
use crate::system::clock;
use crate::values::diagnosis::{Check, Datum, Finding, LinkNews, Surroundings, Verdict};

/// How long a relay may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A trip there and back after which a call is slow to begin: its set-up takes five.
const SLOW: Duration = Duration::from_secs(1);

/// What is known of one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Down(String),
    Silent,
    Answered(Duration),
}

pub(super) async fn look(around: &Surroundings, mut links: mpsc::Receiver<LinkNews>) -> Vec<Finding> {
    let mut seen = BTreeMap::new();
    let mut ahead_s = None;
    let heard = async {
        // Ends when nobody is left who could say more.
        while let Some(news) = links.recv().await {
            match news {
                LinkNews::Down(relay, why) => drop(seen.insert(relay, Seen::Down(why))),
                LinkNews::Up(relay) => drop(seen.entry(relay).or_insert(Seen::Silent)),
                LinkNews::Answered { relay, took, ahead_s: ahead } => {
                    seen.insert(relay, Seen::Answered(took));
                    ahead_s = ahead.or(ahead_s);
                }
            }
        }
    };
    if clock::timeout(PATIENCE, heard).await.is_err() {
        tracing::debug!("a relay did not answer in time");
    }
    let mut found = findings(around, &seen);
    found.push(machine::clock(ahead_s));
    found
}

fn findings(around: &Surroundings, seen: &BTreeMap<u32, Seen>) -> Vec<Finding> {
    if around.relays == 0 {
        let sentence = "No relay is configured, so nobody can call: ahoyctl config set relay.urls wss://…";
        return vec![Finding::fail(Check::Relay, sentence)];
    }
    if !around.enabled {
        let sentence = "You are switched off, so nobody can call: ahoyctl config set account.enabled true";
        return vec![Finding::warn(Check::Relay, sentence)];
    }
    let reached = seen.values().any(|it| matches!(it, Seen::Answered(_)));
    let without = if reached { Verdict::Warn } else { Verdict::Fail };
    let each = (1..=around.relays).map(|relay| {
        let which = if around.relays == 1 { "The relay".to_owned() } else { format!("Relay {relay}") };
        let connected = matches!(seen.get(&relay), Some(Seen::Silent | Seen::Answered(_)));
        let found = match seen.get(&relay) {
            Some(Seen::Answered(took)) => {
                let (ms, slow) = (took.as_millis().max(1), *took > SLOW);
                let end = if slow { ": calls are slow to begin. A relay that is nearer would help." } else { "." };
                let verdict = if slow { Verdict::Warn } else { Verdict::Ok };
                Finding::new(Check::Relay, verdict, format!("{which} answers in {ms} ms{end}"))
                    .with("rtt-ms", Datum::ms(*took))
            }
            Some(Seen::Silent) => {
                let sentence = format!("{which} is connected and does not answer: look at your network, or ask who runs it.");
                Finding::new(Check::Relay, without, sentence)
            }
            Some(Seen::Down(why)) => {
                let why = without_names(why);
                let sentence = format!("{which} is not connected: {why}. Look at your network and at `ahoyctl config get relay.urls`.");
                Finding::new(Check::Relay, without, sentence)
            }
            None => {
                let sentence = format!("Nothing is known of {which}: try again.", which = which.to_lowercase());
                Finding::new(Check::Relay, without, sentence)
            }
        };
        found.with("relay", Datum::Count(relay)).with("connected", Datum::Flag(connected))
    });
    each.collect()
}

/// Of a certificate others tell whose it is and whose it should be.
fn without_names(why: &str) -> &str {
    const CERTIFICATE: &str = "the relay's certificate is refused";
    if why.starts_with(CERTIFICATE) { CERTIFICATE } else { why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(relays: u32, seen: &[(u32, Seen)]) -> Vec<(Verdict, String)> {
        let around = Surroundings { relays, enabled: true, ..Surroundings::default() };
        let found = findings(&around, &seen.iter().cloned().collect());
        found.into_iter().map(|it| (it.verdict, it.sentence)).collect()
    }

    #[test]
    fn a_relay_that_is_away_is_bad_unless_another_answers() {
        let down = Seen::Down("the relay cannot be reached: Connection refused".to_owned());
        let answered = Seen::Answered(Duration::from_millis(12));
        let one = told(1, &[(1, down.clone())]);
        assert_eq!(one[0].0, Verdict::Fail);
        assert!(
            one[0].1.starts_with("The relay is not connected: the relay cannot be reached: Conn"),
            "{one:?}"
        );
        let two = told(2, &[(1, down), (2, answered)]);
        assert_eq!(two.iter().map(|it| it.0).collect::<Vec<_>>(), [Verdict::Warn, Verdict::Ok]);
        assert_eq!(two[1].1, "Relay 2 answers in 12 ms.");
        assert_eq!(told(1, &[(1, Seen::Silent)])[0].0, Verdict::Fail);
        assert_eq!(told(1, &[(1, Seen::Answered(Duration::from_secs(2)))])[0].0, Verdict::Warn);
        assert_eq!([told(0, &[])[0].0, told(1, &[])[0].0], [Verdict::Fail; 2]);
    }

    #[test]
    fn a_refused_certificate_is_told_without_its_names() {
        let why = "the relay's certificate is refused: invalid peer certificate: not valid for name \"relay.example\"";
        let (verdict, sentence) = told(1, &[(1, Seen::Down(why.to_owned()))]).remove(0);
        assert!(verdict == Verdict::Fail && !sentence.contains("example"), "{sentence}");
    }
}
