//! What one daemon said on its bus, heard from outside.
//!
//! Lives here: a monitor of the whole bus, which notes what was announced of calls and rows.
//! Must not: ask the daemon anything.

use std::sync::Arc;

use ahoy_dbus::{BUS_NAME, Dict, interface};
use anyhow::Context as _;
use futures_util::StreamExt;
use tokio::sync::watch;
use zbus::{Connection, Message, MessageStream};

use crate::lab::{Desk, changed_calls, text};

/// Something that a client could know from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A call, by its path, was shown in that state; when it ended, with that reason.
    State(String, String, String),
    /// `Manager.Event` of that type about that call.
    Event(String, String),
    /// A row was written or changed.
    Row(u64),
    /// The name came to somebody or was lost.
    Owner(bool),
}

/// The record so far. It goes on until it is dropped.
#[derive(Debug)]
pub(crate) struct Recorder {
    heard: watch::Receiver<Arc<Vec<Heard>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Recorder {
    /// Listens to everything on the bus of that desk.
    pub(crate) async fn start(desk: &Desk) -> anyhow::Result<Self> {
        let bus = desk.bus().await?;
        let monitoring = zbus::fdo::MonitoringProxy::new(&bus).await?;
        monitoring.become_monitor(&[], 0).await.context("becoming a monitor")?;
        let (tell, heard) = watch::channel(Arc::new(Vec::new()));
        #[expect(clippy::disallowed_methods, reason = "ended when the recorder is dropped")]
        let task = tokio::spawn(listen(bus, tell));
        Ok(Self { heard, task })
    }

    /// All that was heard from that position on.
    pub(crate) fn since(&self, position: usize) -> Vec<Heard> {
        self.heard.borrow().get(position..).unwrap_or_default().to_vec()
    }

    /// How much was heard.
    pub(crate) fn position(&self) -> usize {
        self.heard.borrow().len()
    }

    /// Waits until something that fits is heard after that position.
    pub(crate) async fn until(&self, from: usize, fits: impl Fn(&Heard) -> bool) -> anyhow::Result<Heard> {
        let mut heard = self.heard.clone();
        let now = heard.wait_for(|all| all.iter().skip(from).any(&fits)).await;
        let now = now.context("the bus went away")?;
        now.iter().skip(from).find(|it| fits(it)).cloned().context("heard and gone")
    }

    /// Waits until a call that came after that position is in that state; its path.
    pub(crate) async fn until_state(&self, position: usize, state: &str) -> anyhow::Result<String> {
        let found = self.until(position, |it| matches!(it, Heard::State(_, now, _) if now == state)).await?;
        let Heard::State(path, ..) = found else { anyhow::bail!("not a state") };
        Ok(path)
    }
}

impl Recorder {
    /// Waits until this call has come to that state; with what reason.
    pub(crate) async fn until_call(&self, from: usize, call: &str, state: &str) -> anyhow::Result<String> {
        let fits = |it: &Heard| matches!(it, Heard::State(of, now, _) if of == call && now == state);
        let Heard::State(_, _, reason) = self.until(from, fits).await? else { anyhow::bail!("not a state") };
        Ok(reason)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(bus: Connection, tell: watch::Sender<Arc<Vec<Heard>>>) {
    let mut messages = MessageStream::from(&bus);
    while let Some(Ok(message)) = messages.next().await {
        // A message of another shape is none of ours.
        let news = understand(&message).unwrap_or_default();
        if !news.is_empty() {
            tell.send_modify(|all| Arc::make_mut(all).extend(news));
        }
    }
}

fn understand(message: &Message) -> anyhow::Result<Vec<Heard>> {
    let header = message.header();
    let body = message.body();
    let member = header.member().map(|member| member.as_str().to_owned()).unwrap_or_default();
    let mut heard: Vec<_> =
        changed_calls(message)?.into_iter().filter_map(|(path, changed)| state(path, &changed)).collect();
    match member.as_str() {
        "Event" => {
            let (kind, _, data): (String, u64, Dict) = body.deserialize()?;
            let call = data.get("call").and_then(|value| <&zbus::ObjectPath<'_>>::try_from(&**value).ok());
            heard.extend(call.map(|call| Heard::Event(kind, call.to_string())));
        }
        "Changed" if header.interface().is_some_and(|of| of.as_str() == interface::HISTORY) => {
            heard.push(Heard::Row(body.deserialize()?));
        }
        "NameOwnerChanged" => {
            let (name, _, new): (String, String, String) = body.deserialize()?;
            if name == BUS_NAME {
                heard.push(Heard::Owner(!new.is_empty()));
            }
        }
        _ => {}
    }
    Ok(heard)
}

fn state(path: String, changed: &Dict) -> Option<Heard> {
    let state = text(changed, "State");
    (!state.is_empty()).then(|| Heard::State(path, state.to_owned(), text(changed, "StateReason").to_owned()))
}
