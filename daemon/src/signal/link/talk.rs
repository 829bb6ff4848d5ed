//! One connection of a link: what the relay says on it, and what is said to it.
//!
//! Lives here: claim, waiting envelopes, the differences of the token list, pings.
//! Must not: open a connection, or decide when the next one is tried.

use std::time::Duration;

use ahoy_proto::envelope::TokenHash;
use ahoy_proto::frame::{Claim, Nonce, ToClient, ToRelay, VERSION, Why};
use ahoy_proto::limits;
use ahoy_proto::plate::PlateNews;
use ed25519_dalek::SigningKey;
use futures_util::StreamExt as _;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::socket::{Ended, Sink, Source, read, say, write};
use super::{FINISH_WITHIN, FromLink, Link, LinkOrder};
use crate::system::clock;
use crate::values::ice::{IceServer, IceServers};

/// How long a relay may take for its answer after our network has changed, before the connection is given up.
const SIGN_WITHIN: Duration = Duration::from_millis(1_500);

impl Link {
    /// Until the connection or the link is over.
    pub(super) async fn converse(&mut self, sink: &mut Sink, source: &mut Source) -> Result<Ended, Ended> {
        self.listed = None;
        self.looks.clear();
        let mut welcome = false;
        say(sink, &ToRelay::Hello { version: VERSION }).await?;
        let mut heard = clock::now();
        let mut ping_at = heard + limits::PING_EVERY;
        // Until then the relay must have answered, because our network has changed.
        let mut sign_by = None;
        loop {
            if let Some(ends) = self.ends
                && (self.outbox.is_empty() || ends <= clock::now())
            {
                return Ok(Ended::Over);
            }
            let renew = self.renewal.due().filter(|_| welcome);
            let due = [
                Some(ping_at),
                Some(heard + limits::DEAD_AFTER),
                sign_by,
                self.hurry.due(),
                self.ends,
                renew,
            ];
            let due = due.into_iter().flatten().min().unwrap_or(ping_at);
            tokio::select! {
                order = self.orders.recv(), if self.ends.is_none() => match order {
                    None => self.ends = Some(clock::now() + FINISH_WITHIN),
                    Some(order) if welcome => {
                        // A ring goes after the right to answer it.
                        if self.wanted.has_changed().unwrap_or(false) {
                            self.list(sink).await?;
                        }
                        self.on_order(sink, order).await?;
                    }
                    Some(order) => self.take(order),
                },
                Ok(()) = self.wanted.changed() => {
                    let changed = self.new_network();
                    if changed {
                        // The next connection begins beside this one: what answers first stays.
                        self.try_again();
                    }
                    if changed | self.new_hurry() {
                        sign_by.get_or_insert(clock::now() + SIGN_WITHIN);
                        write(sink, Message::Ping(self.question())).await?;
                    }
                    if self.new_refresh() && welcome {
                        self.renew(sink).await?;
                    }
                    self.list(sink).await?;
                }
                message = source.next() => {
                    heard = clock::now();
                    if let Some(Ok(Message::Pong(repeated))) = &message {
                        self.looks.pong(heard, repeated, self.known.told_time);
                        // What the relay says by itself tells nothing of the way to it.
                        if *repeated == self.question() {
                            sign_by = None;
                            self.hurry.end();
                            self.tries.clear();
                        }
                    }
                    let frame = read(message)?;
                    let Some(frame) = frame else { continue };
                    self.hear(sink, frame, &mut welcome).await?;
                }
                (known, opened) = self.tries.opened(), if self.tries.any() => {
                    self.known = known;
                    if let Ok(socket) = opened {
                        tracing::debug!(link = self.id.0, "a newer connection takes a relay link's place");
                        self.tries.clear();
                        return Ok(Ended::Replaced(Box::new(socket)));
                    }
                }
                () = clock::sleep_until(due) => {
                    let now = clock::now();
                    if now >= heard + limits::DEAD_AFTER || sign_by.is_some_and(|by| by <= now) {
                        return Err(Ended::Failed("the relay fell silent".to_owned()));
                    }
                    if self.hurry.is_time(now) {
                        self.try_again();
                    }
                    if renew.is_some_and(|at| at <= now) {
                        self.renew(sink).await?;
                    }
                    if now >= ping_at {
                        write(sink, Message::Ping(Bytes::new())).await?;
                        ping_at = now + limits::PING_EVERY;
                    }
                }
            }
        }
    }

    /// What is asked of the relay after this change of our network, or since somebody waits for it.
    fn question(&self) -> Bytes {
        Bytes::from(format!("network {}", self.networks + self.hurries))
    }

    /// What the relay says.
    async fn hear(&mut self, sink: &mut Sink, frame: ToClient, welcome: &mut bool) -> Result<(), Ended> {
        match frame {
            ToClient::Challenge { nonce } if !*welcome => match self.claim.clone() {
                Some(key) => self.claim(sink, &key, &nonce).await,
                None => self.up(sink, IceServers::default(), false, welcome).await,
            },
            ToClient::Welcome { limits, ice_servers } if !*welcome => {
                let ice_servers = self.fresh(ice_servers);
                self.up(sink, ice_servers, limits.room > 0, welcome).await
            }
            ToClient::Accepted { id } => {
                self.outbox.done(id);
                self.report(FromLink::Accepted { id }).await;
                Ok(())
            }
            // Mail is for who claimed an inbox: a relay that we only speak to has nothing to bring.
            ToClient::Deliver(deliver) if self.claim.is_some() => {
                self.report(FromLink::Deliver(deliver)).await;
                Ok(())
            }
            ToClient::Refused { id, why } => {
                tracing::warn!(link = self.id.0, ?why, "the relay refuses");
                // Past a limit: sending it again at once would only prolong that. Its sender repeats it in its time.
                if let (Some(id), Why::Rate) = (id, why) {
                    self.outbox.done(id);
                    self.report(FromLink::TooMuch).await;
                }
                Ok(())
            }
            ToClient::Credentials { ice_servers } if *welcome && self.claim.is_some() => {
                let ice_servers = self.fresh(ice_servers);
                self.report(FromLink::Fresh { ice_servers }).await;
                Ok(())
            }
            // Numbers are for who claimed an inbox.
            ToClient::PlateClaimed { number, lives_s } if *welcome => {
                let lives = Duration::from_secs(lives_s.into());
                self.plate(PlateNews::Claimed(number, lives)).await
            }
            ToClient::PlateMet if *welcome => self.plate(PlateNews::Met).await,
            ToClient::PlateSaid { body } if *welcome => self.plate(PlateNews::Said(body)).await,
            ToClient::PlateOver { why } if *welcome => self.plate(PlateNews::Over(why)).await,
            ToClient::Room(news) if *welcome => {
                self.report(FromLink::Room(news)).await;
                Ok(())
            }
            ToClient::Rooms { passes } if *welcome && self.claim.is_some() => {
                self.report(FromLink::Rooms(passes > 0)).await;
                Ok(())
            }
            ToClient::PlateClaimed { .. }
            | ToClient::PlateMet
            | ToClient::PlateSaid { .. }
            | ToClient::PlateOver { .. }
            | ToClient::Room(_)
            | ToClient::Rooms { .. }
            | ToClient::Challenge { .. }
            | ToClient::Welcome { .. }
            | ToClient::Credentials { .. }
            | ToClient::Deliver(_)
            | ToClient::Unknown => Ok(()),
        }
    }

    async fn plate(&mut self, news: PlateNews) -> Result<(), Ended> {
        if self.claim.is_some() {
            self.report(FromLink::Plate(news)).await;
        }
        Ok(())
    }

    /// What a relay gives, from now on.
    fn fresh(&mut self, given: Vec<ahoy_proto::frame::IceServer>) -> IceServers {
        let own = |s: ahoy_proto::frame::IceServer| IceServer {
            urls: s.urls,
            username: s.username,
            credential: s.credential,
        };
        let now = clock::now();
        let servers = IceServers::fresh(now, given.into_iter().map(own).collect());
        self.renewal.came(now, &servers);
        servers
    }

    /// Asks for fresh credentials; who only sends gets none.
    async fn renew(&mut self, sink: &mut Sink) -> Result<(), Ended> {
        self.renewal.asked(clock::now());
        if self.claim.is_none() {
            return Ok(());
        }
        say(sink, &ToRelay::Credentials).await
    }

    async fn claim(&mut self, sink: &mut Sink, key: &SigningKey, nonce: &Nonce) -> Result<(), Ended> {
        let tokens = self.wanted.borrow().tokens.clone();
        let all: Vec<TokenHash> = tokens.iter().copied().collect();
        let (first, rest) = all.split_at(all.len().min(limits::TOKENS_IN_FRAME));
        let claim = Claim::sign(key, nonce, first.to_vec(), !rest.is_empty());
        say(sink, &ToRelay::Claim(claim)).await?;
        let chunks = rest.chunks(limits::TOKENS_IN_FRAME);
        let last = chunks.len();
        for (n, chunk) in chunks.enumerate() {
            say(sink, &ToRelay::Allow { tokens: chunk.to_vec(), more: n + 1 < last }).await?;
        }
        self.listed = Some(tokens);
        Ok(())
    }

    async fn up(
        &mut self,
        sink: &mut Sink,
        ice_servers: IceServers,
        rooms: bool,
        welcome: &mut bool,
    ) -> Result<(), Ended> {
        *welcome = true;
        self.up_since.get_or_insert(clock::now());
        self.hurry.end();
        self.last_why = None;
        tracing::debug!(link = self.id.0, "a relay link is up");
        self.report(FromLink::Up { ice_servers, rooms }).await;
        for ask in std::mem::take(&mut self.room_asks) {
            say(sink, &ToRelay::Room(ask)).await?;
        }
        self.flush(sink).await
    }

    /// Takes an order while connected.
    async fn on_order(&mut self, sink: &mut Sink, order: LinkOrder) -> Result<(), Ended> {
        match order {
            LinkOrder::Send(envelope) => {
                self.outbox.put(envelope, clock::now());
                self.flush(sink).await
            }
            LinkOrder::Ack(id) => say(sink, &ToRelay::Ack { id }).await,
            LinkOrder::Plate(ask) => say(sink, &ToRelay::from(ask)).await,
            LinkOrder::Room(ask) => say(sink, &ToRelay::Room(ask)).await,
            LinkOrder::Look(look) => {
                let ping = self.looks.ping(clock::now(), look);
                write(sink, Message::Ping(ping)).await
            }
        }
    }

    /// Tells the relay what has changed in the list of who may write, once it has one.
    async fn list(&mut self, sink: &mut Sink) -> Result<(), Ended> {
        let Some(listed) = &self.listed else { return Ok(()) };
        let new = self.wanted.borrow().tokens.clone();
        let gone: Vec<_> = listed.difference(&new).copied().collect();
        let come: Vec<_> = new.difference(listed).copied().collect();
        self.listed = Some(new);
        for chunk in gone.chunks(limits::TOKENS_IN_FRAME) {
            say(sink, &ToRelay::Revoke { tokens: chunk.to_vec() }).await?;
        }
        for chunk in come.chunks(limits::TOKENS_IN_FRAME) {
            say(sink, &ToRelay::Allow { tokens: chunk.to_vec(), more: false }).await?;
        }
        Ok(())
    }

    async fn flush(&mut self, sink: &mut Sink) -> Result<(), Ended> {
        while let Some(envelope) = self.outbox.next(clock::now()) {
            say(sink, &ToRelay::Send(envelope)).await?;
        }
        Ok(())
    }
}
