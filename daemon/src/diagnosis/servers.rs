//! The STUN and TURN servers that our relays hand out.
//!
//! Lives here: which are asked, and what their answers, or their silence, mean to a person.
//! Must not: know how one is asked, or say where it is.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};

use crate::system::trust::Trust;
use crate::values::diagnosis::{Check, Datum, Finding, Surroundings, Useless, Verdict, Wire};
use crate::values::ice::IceServer;

/// Servers that are asked; a relay hands out a few.
const MOST: usize = 12;

type Answer = (Wire, Result<Duration, Useless>);

pub(super) async fn look<P>(around: &Surroundings, probe: P) -> Vec<Finding>
where
    P: Fn(IceServer, Wire, Trust) -> BoxFuture<'static, Result<Duration, Useless>>,
{
    let trust = Trust::new(around.ca_file.clone());
    let each = around.ice_servers.iter().flat_map(|server| {
        let one = |url: &String| IceServer { urls: vec![url.clone()], ..server.clone() };
        server.urls.iter().filter_map(move |url| Some((Wire::of(url)?, one(url))))
    });
    let asked = each.take(MOST).map(|(wire, server)| {
        let answer = probe(server, wire, trust.clone());
        async move { (wire, answer.await) }
    });
    findings(around, &join_all(asked).await)
}

fn findings(around: &Surroundings, answers: &[Answer]) -> Vec<Finding> {
    if around.relays == 0 || !around.enabled {
        return Vec::new();
    }
    if answers.is_empty() && !around.online {
        let sentence =
            "Not known: a relay tells which STUN and TURN servers there are, and none is connected.";
        return vec![Finding::warn(Check::Stun, sentence)];
    }
    let relayed = |answer: &Answer| answer.0 != Wire::Stun;
    let carries = answers.iter().any(|answer| relayed(answer) && answer.1.is_ok());
    let bad = if carries { Verdict::Warn } else { Verdict::Fail };
    let mut found: Vec<Finding> = answers
        .iter()
        .enumerate()
        .map(|(at, (wire, answer))| {
            // Several of a kind are told apart by their number.
            let number = 1 + answers[..at].iter().filter(|(before, _)| before == wire).count();
            let several = answers.iter().filter(|(other, _)| other == wire).count() > 1;
            let which = if several { format!(" {number}") } else { String::new() };
            let found = match answer {
                Ok(took) => {
                    Finding::ok(check(*wire), works(*wire, &which, *took)).with("took-ms", Datum::ms(*took))
                }
                Err(useless) => {
                    let found = Finding::new(check(*wire), bad, fails(*wire, &which, *useless));
                    match useless {
                        Useless::Refused(code) => found.with("code", Datum::Count((*code).into())),
                        Useless::Spelling
                        | Useless::NoName
                        | Useless::Silent
                        | Useless::Unreachable
                        | Useless::Certificate
                        | Useless::Nonsense => found,
                    }
                }
            };
            found.with("server", Datum::Count(u32::try_from(number).unwrap_or(u32::MAX)))
        })
        .collect();
    if !answers.iter().any(|(wire, _)| *wire == Wire::Stun) && !carries {
        let sentence = "The relay names no STUN server: two who both sit behind a router may not find each other. Ask who runs it for [ice] (man ahoy-relay).";
        found.push(Finding::warn(Check::Stun, sentence));
    }
    if !answers.iter().any(relayed) {
        let sentence = "The relay names no TURN server: where no direct way leads to the other, a call fails. Ask who runs it for [ice] (man ahoy-relay).";
        found.push(Finding::warn(Check::TurnUdp, sentence));
    }
    found
}

fn check(wire: Wire) -> Check {
    match wire {
        Wire::Stun => Check::Stun,
        Wire::Udp => Check::TurnUdp,
        Wire::Tcp => Check::TurnTcp,
        Wire::Tls => Check::TurnTls,
    }
}

fn transport(wire: Wire) -> &'static str {
    match wire {
        Wire::Stun | Wire::Udp => "UDP",
        Wire::Tcp => "TCP",
        Wire::Tls => "TLS",
    }
}

fn works(wire: Wire, which: &str, took: Duration) -> String {
    let ms = took.as_millis().max(1);
    match wire {
        Wire::Stun => format!("The STUN server{which} answers in {ms} ms."),
        Wire::Udp | Wire::Tcp | Wire::Tls => {
            format!("The TURN server{which} gives a relayed address by {} in {ms} ms.", transport(wire))
        }
    }
}

fn fails(wire: Wire, which: &str, why: Useless) -> String {
    let by = transport(wire);
    let kind = if wire == Wire::Stun { "STUN" } else { "TURN" };
    let server = format!("The {kind} server{which}");
    match why {
        Useless::Spelling => {
            format!("{server} is named in a way that is not understood: tell who runs the relay.")
        }
        Useless::NoName => format!(
            "{server} has a name that nobody knows here: look at your name server, or tell who runs the relay."
        ),
        Useless::Silent => {
            format!("{server} does not answer by {by}: a firewall here may drop that, or the server is away.")
        }
        Useless::Unreachable => format!(
            "{server} takes no connection by {by}: a firewall here may refuse that, or the server is away."
        ),
        Useless::Certificate => format!(
            "{server} shows a certificate that is not believed. If it is by an authority of your own: ahoyctl config set relay.ca-file FILE"
        ),
        Useless::Nonsense => format!("What answers by {by} is no {kind} server: tell who runs the relay."),
        Useless::Refused(401) => format!(
            "{server} refuses the credentials (401): tell who runs the relay that the two must share a secret and the time."
        ),
        Useless::Refused(486) => format!(
            "{server} gives nothing more to you (486): others at your address use all that it allows. Try later."
        ),
        Useless::Refused(508) => format!("{server} is full (508). Try later, or tell who runs the relay."),
        Useless::Refused(code) => format!("{server} refuses ({code}): tell who runs the relay."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(7);

    fn told(answers: &[Answer]) -> Vec<(Check, Verdict)> {
        let around = Surroundings { relays: 1, enabled: true, online: true, ..Surroundings::default() };
        findings(&around, answers).into_iter().map(|it| (it.check, it.verdict)).collect()
    }

    #[test]
    fn what_one_transport_lacks_is_bad_only_where_no_other_carries() {
        let silent = Err(Useless::Silent);
        let behind = [(Wire::Stun, silent), (Wire::Udp, silent), (Wire::Tls, Ok(TOOK))];
        let warned =
            [(Check::Stun, Verdict::Warn), (Check::TurnUdp, Verdict::Warn), (Check::TurnTls, Verdict::Ok)];
        assert_eq!(told(&behind), warned);
        let refused = [(Wire::Stun, Ok(TOOK)), (Wire::Udp, Err(Useless::Refused(401)))];
        assert_eq!(told(&refused), [(Check::Stun, Verdict::Ok), (Check::TurnUdp, Verdict::Fail)]);
        assert_eq!(told(&[(Wire::Stun, Ok(TOOK))])[1], (Check::TurnUdp, Verdict::Warn), "none is named");
        assert_eq!(told(&[]), [(Check::Stun, Verdict::Warn), (Check::TurnUdp, Verdict::Warn)]);
    }

    #[test]
    fn without_a_relay_nothing_is_said_to_be_bad_of_servers_that_nobody_knows() {
        let away = Surroundings { relays: 1, enabled: true, ..Surroundings::default() };
        let found = findings(&away, &[]);
        assert_eq!(found.iter().map(|it| it.verdict).collect::<Vec<_>>(), [Verdict::Warn]);
        assert!(findings(&Surroundings::default(), &[]).is_empty());
    }

    #[tokio::test]
    async fn each_url_is_asked_by_its_own_transport_with_its_credentials() {
        let server = |urls: &[&str]| IceServer {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            username: "u".to_owned(),
            credential: "c".to_owned(),
        };
        let ice_servers = vec![
            server(&["stun:s.example"]),
            server(&["turn:t.example", "turn:t.example?transport=tcp", "turns:t.example", "x:y"]),
        ];
        let around =
            Surroundings { relays: 1, enabled: true, online: true, ice_servers, ..Surroundings::default() };
        let found = look(&around, |server, wire, _trust| {
            assert!(server.username == "u" && Wire::of(&server.urls[0]) == Some(wire), "{:?}", server.urls);
            Box::pin(async { Err(Useless::Refused(403)) })
        });
        let found = found.await;
        let checks: Vec<Check> = found.iter().map(|it| it.check).collect();
        assert_eq!(checks, [Check::Stun, Check::TurnUdp, Check::TurnTcp, Check::TurnTls]);
        assert!(
            found.iter().all(|it| it.sentence.contains("403") && !it.sentence.contains("example")),
            "{found:?}"
        );
    }
}
