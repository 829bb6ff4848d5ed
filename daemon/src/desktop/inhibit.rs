//! The machine stays awake while the person is in a call, unless the person says otherwise.
//!
//! Lives here: logind's locks, which last as long as their file descriptors are open: idleness is blocked, sleep is delayed, so
//! that the others are told before the machine is gone.
//! Must not: keep a connection to the system bus without a call, or mind that there is no logind.

use std::num::NonZero;
use std::time::Duration;

use ahoy_call::CallId;
use futures_util::StreamExt as _;
use tokio::sync::watch;
use zbus::conn::Builder;
use zbus::wire::OwnedFd;
use zbus::{Connection, MessageStream};

use super::Asks;
use super::popup_content::InCall;
use crate::system::clock;
use crate::values::request::{CallRequest, Guard, Request, Verb, Which};

const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
/// How long logind may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the calls may take to be put aside before a sleep. logind waits five seconds, unless it is told otherwise.
const PUT_ASIDE: Duration = Duration::from_secs(2);
/// What was put aside is told to the others within this.
const CARRIED: Duration = Duration::from_millis(500);

/// Holds the locks while there are calls, until nobody can say it any more.
pub(super) async fn follow(bus: Option<String>, mut calls: watch::Receiver<Vec<InCall>>, ask: Asks) {
    while calls.wait_for(|calls| !calls.is_empty()).await.is_ok() {
        match clock::timeout(PATIENCE, Guarding::begin(bus.as_deref())).await {
            Ok(Ok(guarding)) => guarding.follow(&mut calls, &ask).await,
            Ok(Err(error)) => tracing::debug!(%error, "the machine may fall asleep in the call"),
            Err(_over) => tracing::debug!("logind does not answer: the machine may fall asleep in the call"),
        }
        if calls.wait_for(Vec::is_empty).await.is_err() {
            return;
        }
    }
}

/// What is held in a call.
struct Guarding {
    bus: Connection,
    sleeps: MessageStream,
    _idle: OwnedFd,
    sleep: Option<OwnedFd>,
}

impl Guarding {
    async fn begin(bus: Option<&str>) -> zbus::Result<Self> {
        let bus = bus.map_or_else(Builder::system, Builder::address).build().await?;
        let rule = format!("type='signal',sender='{LOGIND}',interface='{MANAGER}',member='PrepareForSleep'");
        let sleeps = MessageStream::for_match_rule(rule.as_str(), &bus, NonZero::new(4)).await?;
        let idle = lock(&bus, "idle", "block").await?;
        let sleep = lock(&bus, "sleep", "delay").await?;
        Ok(Self { bus, sleeps, _idle: idle, sleep: Some(sleep) })
    }

    /// Until there is no call, or logind is gone.
    async fn follow(mut self, calls: &mut watch::Receiver<Vec<InCall>>, ask: &Asks) {
        let mut put_aside = Vec::new();
        while !calls.borrow_and_update().is_empty() {
            let said = tokio::select! {
                changed = calls.changed() => match changed {
                    Ok(()) => continue,
                    Err(_over) => return,
                },
                said = self.sleeps.next() => said,
            };
            match said.map(|said| said.and_then(|it| it.body().deserialize())) {
                Some(Ok(true)) => {
                    put_aside = put_all_aside(calls, ask).await;
                    self.sleep = None;
                }
                Some(Ok(false)) => {
                    let there = calls.borrow().clone();
                    let still = |call: &CallId| there.iter().any(|one| one.call == *call && one.held);
                    for call in put_aside.drain(..).filter(still) {
                        tell(ask, call, Verb::Resume);
                    }
                    let again = clock::timeout(PATIENCE, lock(&self.bus, "sleep", "delay")).await;
                    self.sleep = again.ok().and_then(Result::ok);
                }
                Some(Err(error)) => tracing::debug!(%error, "logind said something else"),
                None => return,
            }
        }
    }
}

/// Holds every call, so that the others see why nobody speaks, and takes back what was only dialed. Which were held.
async fn put_all_aside(calls: &mut watch::Receiver<Vec<InCall>>, ask: &Asks) -> Vec<CallId> {
    let now = calls.borrow_and_update().clone();
    let mut held = Vec::new();
    for one in now {
        match one {
            InCall { answered: false, call, .. } => tell(ask, call, Verb::HangUp),
            InCall { held: false, call, .. } => {
                tell(ask, call, Verb::Hold);
                held.push(call);
            }
            InCall { held: true, .. } => {}
        }
    }
    let done = calls.wait_for(|calls| calls.iter().all(|one| one.held));
    if !matches!(clock::timeout(PUT_ASIDE, done).await, Ok(Ok(_))) {
        tracing::debug!("the machine falls asleep before every call was put aside");
    }
    clock::sleep(CARRIED).await;
    held
}

fn tell(ask: &Asks, call: CallId, verb: Verb) {
    let request = Request::Call(CallRequest::Verb { call: Which::Id(call), verb, guard: Guard::default() });
    if ask.try_send(request).is_err() {
        tracing::warn!("a call was not put aside: too many requests wait");
    }
}

async fn lock(bus: &Connection, what: &str, how: &str) -> zbus::Result<OwnedFd> {
    let what = (what, "ahoy", "A call is going on", how);
    let reply = bus.call_method(Some(LOGIND), PATH, Some(MANAGER), "Inhibit", &what).await?;
    reply.body().deserialize()
}
