//! One connection of a link: what the relay says on it, and what is said to it.
//!
//! Lives here: claim, waiting envelopes, the differences of the token list, pings.
//! Must not: open a connection, or decide when the next one is tried.

use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::envelope::TokenHash;
use ahoy_proto::frame::{Claim, Nonce, ToClient, ToRelay, VERSION, Why};
use ahoy_proto::limits;
use ed25519_dalek::SigningKey;
use futures_util::StreamExt as _;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::socket::{Ended, Sink, Source, read, say, write};
use super::{FINISH_WITHIN, FromLink, Link, Order, bounded};
use crate::clock;
use crate::ice::IceServer;

/// How long a relay may take for a sign of life after our network has changed.
const SIGN_WITHIN: Duration = Duration::from_secs(4);

impl Link {
    /// Until the connection or the link is over.
    pub(super) async fn converse(
        &mut self,
        sink: &mut Sink,
        source: &mut Source,
        up_since: &mut Option<Moment>,
    ) -> Result<Ended, Ended> {
        self.listed = false;
        say(sink, &ToRelay::Hello { version: VERSION }).await?;
        let mut heard = clock::now();
        let mut ping_at = heard + limits::PING_EVERY;
        // Until then the relay must have given a sign of life, because our network has changed.
        let mut sign_by = None;
        loop {
            if let Some(ends) = self.ends
                && (self.outbox.is_empty() || ends <= clock::now())
            {
                return Ok(Ended::Over);
            }
            let due = [Some(ping_at), Some(heard + limits::DEAD_AFTER), sign_by, self.ends];
            let due = due.into_iter().flatten().min().unwrap_or(ping_at);
            tokio::select! {
                order = self.orders.recv(), if self.ends.is_none() => match order {
                    None => self.ends = Some(clock::now() + FINISH_WITHIN),
                    Some(Order::NetworkChanged) => {
                        write(sink, Message::Ping(Bytes::new())).await?;
                        sign_by = Some(clock::now() + SIGN_WITHIN);
                    }
                    Some(order) if up_since.is_some() => self.obey(sink, order).await?,
                    // Between our claim and its answer: the claim holds the list as it was.
                    Some(order @ Order::Tokens(_)) if self.listed => self.obey(sink, order).await?,
                    Some(order) => self.take(order),
                },
                message = source.next() => {
                    heard = clock::now();
                    sign_by = None;
                    let Some(frame) = read(message)? else { continue };
                    self.hear(sink, frame, up_since).await?;
                }
                () = clock::sleep_until(due) => {
                    let now = clock::now();
                    if now >= heard + limits::DEAD_AFTER || sign_by.is_some_and(|by| by <= now) {
                        return Err(Ended::Failed("the relay fell silent".to_owned()));
                    }
                    if now >= ping_at {
                        write(sink, Message::Ping(Bytes::new())).await?;
                        ping_at = now + limits::PING_EVERY;
                    }
                }
            }
        }
    }

    /// What the relay says.
    async fn hear(
        &mut self,
        sink: &mut Sink,
        frame: ToClient,
        up_since: &mut Option<Moment>,
    ) -> Result<(), Ended> {
        match frame {
            ToClient::Challenge { nonce } if up_since.is_none() => match self.claim.clone() {
                Some(key) => self.claim(sink, &key, &nonce).await,
                None => self.up(sink, Vec::new(), up_since).await,
            },
            ToClient::Welcome { limits: _, ice_servers } if up_since.is_none() => {
                let ice_servers = ice_servers
                    .into_iter()
                    .map(|s| IceServer { urls: s.urls, username: s.username, credential: s.credential })
                    .collect();
                self.up(sink, ice_servers, up_since).await
            }
            ToClient::Accepted { id } => {
                self.outbox.done(id);
                self.report(FromLink::Accepted { id }).await;
                Ok(())
            }
            ToClient::Deliver(deliver) => {
                self.report(FromLink::Deliver(deliver)).await;
                Ok(())
            }
            ToClient::Refused { id, why } => {
                tracing::warn!(link = self.id.0, ?why, "the relay refuses");
                // Past a limit: sending it again at once would only prolong that. Its sender repeats it in its time.
                if let (Some(id), Why::Rate) = (id, why) {
                    self.outbox.done(id);
                }
                Ok(())
            }
            ToClient::Challenge { .. }
            | ToClient::Welcome { .. }
            | ToClient::Credentials { .. }
            | ToClient::Unknown => Ok(()),
        }
    }

    async fn claim(&mut self, sink: &mut Sink, key: &SigningKey, nonce: &Nonce) -> Result<(), Ended> {
        let all: Vec<TokenHash> = self.tokens.iter().copied().collect();
        let (first, rest) = all.split_at(all.len().min(limits::TOKENS_IN_FRAME));
        let claim = Claim::sign(key, nonce, first.to_vec(), !rest.is_empty());
        say(sink, &ToRelay::Claim(claim)).await?;
        let chunks = rest.chunks(limits::TOKENS_IN_FRAME);
        let last = chunks.len();
        for (n, chunk) in chunks.enumerate() {
            say(sink, &ToRelay::Allow { tokens: chunk.to_vec(), more: n + 1 < last }).await?;
        }
        self.listed = true;
        Ok(())
    }

    async fn up(
        &mut self,
        sink: &mut Sink,
        ice_servers: Vec<IceServer>,
        up_since: &mut Option<Moment>,
    ) -> Result<(), Ended> {
        *up_since = Some(clock::now());
        self.last_why = None;
        tracing::debug!(link = self.id.0, "a relay link is up");
        self.report(FromLink::Up { ice_servers }).await;
        self.flush(sink).await
    }

    /// Takes an order while connected.
    async fn obey(&mut self, sink: &mut Sink, order: Order) -> Result<(), Ended> {
        match order {
            Order::Send(envelope) => {
                self.outbox.put(envelope, clock::now());
                self.flush(sink).await
            }
            Order::Ack(id) => say(sink, &ToRelay::Ack { id }).await,
            // Looked after where the silence is.
            Order::NetworkChanged => Ok(()),
            Order::Tokens(tokens) => {
                let new = bounded(tokens);
                let gone: Vec<_> = self.tokens.difference(&new).copied().collect();
                let come: Vec<_> = new.difference(&self.tokens).copied().collect();
                self.tokens = new;
                if self.claim.is_none() {
                    return Ok(());
                }
                for chunk in gone.chunks(limits::TOKENS_IN_FRAME) {
                    say(sink, &ToRelay::Revoke { tokens: chunk.to_vec() }).await?;
                }
                for chunk in come.chunks(limits::TOKENS_IN_FRAME) {
                    say(sink, &ToRelay::Allow { tokens: chunk.to_vec(), more: false }).await?;
                }
                Ok(())
            }
        }
    }

    async fn flush(&mut self, sink: &mut Sink) -> Result<(), Ended> {
        while let Some(envelope) = self.outbox.next(clock::now()) {
            say(sink, &ToRelay::Send(envelope)).await?;
        }
        Ok(())
    }
}
