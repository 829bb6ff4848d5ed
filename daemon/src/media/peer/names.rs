//! The names of STUN and TURN servers, looked up ahead of the paths that need them.
//!
//! Lives here: the addresses last heard of each name; all lookups side by side, each with a deadline of its own.
//! Must not: hold up a path: one that begins takes what is known, and goes without the rest.

use std::collections::{HashMap, HashSet};
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::time::Duration;

use ahoy_call::Moment;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::known::Known;
use super::servers;
use crate::system::clock;
use crate::values::ice::IceServer;

/// A name that has no answer by then has none.
const WITHIN: Duration = Duration::from_secs(5);
/// What was asked so lately is not asked again.
const ANEW: Duration = Duration::from_secs(10);

/// See the head of this file.
#[derive(Debug)]
pub struct Names {
    known: watch::Sender<Known>,
    under_way: HashSet<String>,
    asked: HashMap<String, Moment>,
    lookups: JoinSet<(String, Vec<SocketAddr>)>,
}

impl Default for Names {
    fn default() -> Self {
        let (under_way, asked, lookups) = Default::default();
        Self { known: watch::channel(Known::new()).0, under_way, asked, lookups }
    }
}

impl Names {
    /// What is known, now and later.
    pub fn known(&self) -> watch::Receiver<Known> {
        self.known.subscribe()
    }

    /// Asks for every name of these servers that was not asked for a moment ago. Nothing is waited for.
    pub fn look_up(&mut self, now: Moment, servers: &[IceServer]) {
        self.look_up_by(now, servers, |host| async move {
            let found = tokio::net::lookup_host(host).await;
            found.map(Iterator::collect).unwrap_or_default()
        });
    }

    fn look_up_by<F>(&mut self, now: Moment, servers: &[IceServer], lookup: impl Fn(String) -> F)
    where
        F: Future<Output = Vec<SocketAddr>> + Send + 'static,
    {
        let names: HashSet<String> = servers::hosts(servers).into_iter().collect();
        // What no server is called any more is forgotten.
        self.asked.retain(|host, _| names.contains(host));
        self.known.send_if_modified(|known| {
            known.retain(|host, _| names.contains(host));
            false
        });
        for host in names {
            let lately = self.asked.get(&host).is_some_and(|at| now.since(*at) < ANEW);
            if lately || host.parse::<SocketAddr>().is_ok() || !self.under_way.insert(host.clone()) {
                continue;
            }
            self.asked.insert(host.clone(), now);
            let found = lookup(host.clone());
            self.lookups
                .spawn(async move { (host, clock::timeout(WITHIN, found).await.unwrap_or_default()) });
        }
    }

    /// Takes in the next answer; waits for ever while nothing is asked.
    pub async fn answered(&mut self) {
        match self.lookups.join_next().await {
            Some(Ok((host, found))) => {
                self.under_way.remove(&host);
                match found.is_empty() {
                    // The name stays out of the log: it may say whose network this is.
                    true => tracing::debug!("the name of a STUN or TURN server has no answer"),
                    false => {
                        self.known.send_modify(|known| {
                            known.insert(host, found);
                        });
                    }
                }
            }
            Some(Err(error)) => tracing::warn!(%error, "a lookup broke"),
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, mpsc};

    use super::super::known::of;
    use super::*;

    fn servers(urls: &[&str]) -> Vec<IceServer> {
        let urls = urls.iter().map(|&url| url.to_owned()).collect();
        vec![IceServer { urls, username: "u".to_owned(), credential: "c".to_owned() }]
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 3478))
    }

    #[tokio::test]
    async fn all_names_are_asked_for_at_once_and_none_waits_for_another() {
        let mut names = Names::default();
        let (asked_in, mut asked) = mpsc::channel(8);
        let gate = Arc::new(Semaphore::new(0));
        let lookup = {
            let gate = Arc::clone(&gate);
            move |host: String| {
                let (asked, gate) = (asked_in.clone(), Arc::clone(&gate));
                async move {
                    asked.send(host.clone()).await.unwrap();
                    let _passed = gate.acquire().await.unwrap();
                    if host.starts_with("dead") { Vec::new() } else { vec![address(1)] }
                }
            }
        };
        let urls =
            ["stun:dead.example", "stun:a.example:3478", "turn:b.example?transport=udp", "stun:192.0.2.9"];
        names.look_up_by(clock::now(), &servers(&urls), &lookup);
        // None has an answer yet, and every one is asked.
        let mut all = Vec::new();
        for _ in 0..3 {
            let one = clock::timeout(Duration::from_secs(10), asked.recv()).await;
            all.push(one.expect("all of them are asked").unwrap());
        }
        all.sort();
        assert_eq!(all, ["a.example:3478", "b.example:3478", "dead.example:3478"]);
        let known = names.known();
        let now = clock::now();
        assert_eq!(
            of(Some(&known), "a.example:3478", now).await,
            None,
            "a path goes without what is not known"
        );
        assert_eq!(
            of(Some(&known), "192.0.2.9:3478", now).await,
            Some(vec![address(9)]),
            "an address is known"
        );
        gate.add_permits(3);
        for _ in 0..3 {
            names.answered().await;
        }
        assert_eq!(of(Some(&known), "a.example:3478", now).await, Some(vec![address(1)]));
        assert_eq!(of(Some(&known), "dead.example:3478", now).await, None);
        // Asked a moment ago; later once more, and until there is an answer the last one counts.
        names.look_up_by(now, &servers(&urls), &lookup);
        assert!(asked.try_recv().is_err() && names.lookups.is_empty());
        names.look_up_by(now + ANEW, &servers(&urls), &lookup);
        for _ in 0..3 {
            asked.recv().await.unwrap();
        }
        assert_eq!(of(Some(&known), "a.example:3478", now).await, Some(vec![address(1)]));
    }

    #[tokio::test]
    async fn a_path_waits_a_moment_for_an_answer_that_is_under_way() {
        let mut names = Names::default();
        names.look_up_by(clock::now(), &servers(&["stun:a.example"]), |_host| async { vec![address(7)] });
        let known = names.known();
        let soon = clock::now() + Duration::from_secs(60);
        let (found, ()) = tokio::join!(of(Some(&known), "a.example:3478", soon), names.answered());
        assert_eq!(found, Some(vec![address(7)]));
    }
}
