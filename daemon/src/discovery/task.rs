//! When somebody is asked, and what is made of the answers.
//!
//! Lives here: one look at a time, on a thread of its own; when the next one is due.
//! Must not: keep what was learned: the engine hands it back.

use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::relay_list::{Lists, Taken};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Looked, Question, Report, Standing, dns, https};
use crate::system::clock;
use crate::values::relays::Learned;

/// How long after a look that went well the next one is.
const DAILY: Duration = Duration::from_secs(86_400);
/// How long after one that failed; twice as long each time, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(2 * 3_600);
/// How long after a look that went well there is no other, whatever happens: a server has many clients.
const LATELY: Duration = Duration::from_secs(600);
/// A look with its two questions, and what a machine may take that has much to do.
const LOOK_WITHIN: Duration = Duration::from_secs(30);

/// When a look is due.
#[derive(Debug, Default)]
struct Pace {
    failures: u32,
    last: Option<Moment>,
}

impl Pace {
    /// A look is over. `chance` spreads the machines of an office over the day: a share of up to a quarter more.
    fn over(&mut self, now: Moment, well: bool, chance: u8) -> Moment {
        self.last = well.then_some(now);
        self.failures = if well { 0 } else { self.failures.saturating_add(1) };
        let wait = match self.failures {
            0 => DAILY,
            failed => SHORTEST.saturating_mul(1 << (failed - 1).min(16)).min(LONGEST),
        };
        now + wait + wait / 4 * u32::from(chance) / 255
    }

    /// When another network, or relays that are away, are a reason to look again.
    fn soonest(&self, now: Moment) -> Moment {
        self.last.map_or(now, |last| now.max(last + LATELY))
    }
}

pub(super) async fn run(mut standing: watch::Receiver<Standing>, reports: mpsc::Sender<Report>) {
    let (mut pace, mut due, mut asked) = (Pace::default(), clock::now(), Question::default());
    loop {
        let Standing { question, taken, networks, missed } = standing.borrow_and_update().clone();
        if question != asked {
            (pace, due) = (Pace::default(), clock::now());
            asked = question.clone();
        }
        if due <= clock::now() && !question.is_empty() {
            let mut end = standing.clone();
            let (learned, looked) = tokio::select! {
                found = look(question, taken) => found,
                // Who stops does not wait for a server.
                () = async { while end.changed().await.is_ok() {} } => return,
            };
            let well = looked.missing.is_empty() && looked.wrong.is_empty();
            for it in learned.into_iter().map(Report::Learned).chain([Report::Looked(looked)]) {
                if reports.send(it).await.is_err() {
                    return;
                }
            }
            let mut chance = [0];
            // Without chance all machines ask at once, which is no harm to us.
            let _all_at_once = getrandom::fill(&mut chance);
            due = pace.over(clock::now(), well, chance[0]);
        }
        // Where nobody is to be asked only another standing is waited for.
        let next = (!asked.is_empty()).then_some(due);
        tokio::select! {
            () = clock::at(next) => {}
            changed = standing.changed() => {
                if changed.is_err() {
                    return;
                }
                let reason = {
                    let now = standing.borrow();
                    now.networks != networks || now.missed != missed
                };
                if reason {
                    due = due.min(pace.soonest(clock::now()));
                }
            }
        }
    }
}

type Found = (Vec<Learned>, Looked);

/// One look on a thread of its own, which may hang in the system's resolver for longer than it is waited for.
pub(super) async fn look(question: Question, taken: Option<Taken>) -> Found {
    let (tell, told) = oneshot::channel();
    let thread = move || drop(tell.send(ask(&question, taken.as_ref())));
    let begun = std::thread::Builder::new().name("discovery".to_owned()).spawn(thread);
    let failed =
        |sentence: &str| (Vec::new(), Looked { missing: vec![sentence.to_owned()], ..Looked::default() });
    if let Err(error) = begun {
        tracing::warn!(%error, "no thread to look for relays");
        return failed("Relays cannot be looked for: the system gives no thread.");
    }
    match clock::timeout(LOOK_WITHIN, told).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) | Err(_) => failed("Relays cannot be looked for: nobody answers in time."),
    }
}

/// Both questions, one after the other. Blocks.
fn ask(question: &Question, taken: Option<&Taken>) -> Found {
    let (mut learned, mut looked) = (Vec::new(), Looked::default());
    let client = match https::client(question.ca_file.as_deref(), https::WITHIN) {
        Ok(client) => client,
        Err(error) => {
            looked.missing.push(format!("Relays cannot be looked for: {error}."));
            return (learned, looked);
        }
    };
    if let Some((url, roots)) = &question.list {
        let now_s = clock::unix_us().div_euclid(1_000_000);
        match https::text(&client, url) {
            Ok(text) => {
                looked.answered = true;
                let lists = Lists::parse(&text);
                let newest = lists.and_then(|lists| Ok(lists.newest(roots, taken, now_s)?.cloned()));
                match newest {
                    Ok(Some(list)) => learned.push(Learned::List(roots.clone(), Box::new(list))),
                    Ok(None) => {}
                    Err(error) => looked.wrong.push(format!("The list of relays is not taken: {error}.")),
                }
            }
            Err(error) => {
                looked.answered |= error.was_spoken();
                looked.missing.push(format!("The list of relays cannot be fetched: {error}."));
            }
        }
    }
    if let Some((domain, resolver)) = &question.dns {
        match resolve(&client, domain, resolver) {
            Ok(relays) => {
                looked.answered = true;
                learned.push(Learned::Dns(domain.clone(), relays));
            }
            Err(Unresolved::NoAnswer(error)) => {
                looked.answered |= error.was_spoken();
                looked.missing.push(format!("The resolver cannot be asked for relays: {error}."));
            }
            Err(Unresolved::Answer(error)) => {
                looked.answered = true;
                looked.wrong.push(format!("The domain has no relays for us: {error}."));
            }
        }
    }
    (learned, looked)
}

/// Why a domain says nothing.
enum Unresolved {
    NoAnswer(https::NoAnswer),
    Answer(dns::DnsError),
}

fn resolve(client: &ureq::Agent, domain: &str, resolver: &str) -> Result<Vec<String>, Unresolved> {
    let question = dns::question(domain).map_err(Unresolved::Answer)?;
    let answer = https::exchange(client, resolver, dns::KIND, &question).map_err(Unresolved::NoAnswer)?;
    dns::relays(domain, &answer).map_err(Unresolved::Answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_went_well_is_made_again_after_a_day_and_one_that_failed_ever_more_rarely() {
        let (mut pace, start) = (Pace::default(), Moment::from_micros(0));
        let mut after = |well, chance| pace.over(start, well, chance).since(start).as_secs();
        assert_eq!((after(true, 0), after(true, 255)), (86_400, 108_000));
        let failed: Vec<u64> = (0..10).map(|_| after(false, 0)).collect();
        assert_eq!(failed, [30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_200, 7_200]);
        assert_eq!((0..60).map(|_| after(false, 255)).last(), Some(9_000));
        assert_eq!(after(true, 0), 86_400, "and begins again");
    }

    #[test]
    fn a_reason_hurries_but_not_right_after_a_look_that_went_well() {
        let (mut pace, start) = (Pace::default(), Moment::from_micros(0));
        assert_eq!(pace.soonest(start), start);
        pace.over(start, true, 0);
        assert_eq!(pace.soonest(start + Duration::from_secs(1)), start + LATELY);
        assert_eq!(pace.soonest(start + LATELY * 2), start + LATELY * 2);
        pace.over(start, false, 0);
        assert_eq!(pace.soonest(start), start, "what failed may go well there");
    }
}
