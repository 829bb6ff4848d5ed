//! One relay, as one connection that comes back by itself.
//!
//! Lives here: `Link`: claim, reclaim, waiting envelopes, the differences of the token list, pings.
//! Must not: open an envelope, know a call, or know other links.

use std::collections::BTreeSet;
use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::envelope::{Envelope, EnvelopeId, TokenHash};
use ahoy_proto::frame::{Claim, CloseCode, Deliver, Nonce, SUBPROTOCOL, ToClient, ToRelay, VERSION, Why};
use ahoy_proto::limits;
use ed25519_dalek::SigningKey;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::backoff::Backoff;
use super::outbox::Outbox;
use super::tls::{self, RelayUrl, Stream, Trust};
use crate::clock;
use crate::ice::IceServer;

/// Which link a report comes from; the owner of the links numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// What a link is for.
#[expect(clippy::large_enum_variant, reason = "made once for each link, and never kept")]
pub enum Role {
    /// Takes the mail of our inbox there. Is always connected.
    Claimed {
        /// The inbox's key.
        key: SigningKey,
        /// Who may write.
        tokens: Vec<TokenHash>,
    },
    /// Only sends. Connects when there is something to send, and does not come back before there is something again.
    Sender,
}

/// What a link reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromLink {
    /// Connected; for `Claimed`: the inbox is ours.
    Up {
        /// STUN and TURN servers of this relay; none for `Sender`.
        ice_servers: Vec<IceServer>,
    },
    /// Not connected, and trying again. Comes once for each reason, not for each try.
    Down {
        /// For a person. Names no address.
        why: String,
    },
    /// The relay took an envelope.
    Accepted {
        /// Which.
        id: EnvelopeId,
    },
    /// An envelope for us. Comes again after each reconnection until `ack`.
    Deliver(Deliver),
    /// Another connection claimed the same inbox; this one comes back after `limits::DISPLACED_FOR`.
    Displaced,
}

/// The link's queue is full, or the link has ended: as if the message had been lost on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link takes no more")]
pub struct LinkFull;

/// The owner's end of a link. The link ends when it is dropped.
#[derive(Debug)]
pub struct LinkHandle {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl LinkHandle {
    /// Sends an envelope now, or once connected while its ttl lasts. Repeats with the same id are one envelope.
    pub fn send(&self, envelope: Envelope) -> Result<(), LinkFull> {
        self.order(Order::Send(envelope))
    }

    /// A delivered envelope is in safe hands.
    pub fn ack(&self, id: EnvelopeId) -> Result<(), LinkFull> {
        self.order(Order::Ack(id))
    }

    /// Who may write from now on: the whole list, of which only the differences travel. For `Claimed` only.
    pub fn set_tokens(&self, tokens: Vec<TokenHash>) -> Result<(), LinkFull> {
        self.order(Order::Tokens(tokens))
    }

    /// Our own network has changed: a connection that is dead by it is noticed now and not by its silence, and one that
    /// waits for its next try has it now.
    pub fn network_changed(&self) -> Result<(), LinkFull> {
        self.order(Order::NetworkChanged)
    }

    /// Sends what is queued, for at most one second, and ends.
    pub async fn finish(self) {
        let Self { orders, mut task } = self;
        drop(orders);
        if clock::timeout(FINISH_WITHIN, &mut task).await.is_err() {
            task.abort();
        }
    }

    fn order(&self, order: Order) -> Result<(), LinkFull> {
        self.orders.try_send(order).map_err(|_| LinkFull)
    }
}

/// How long a link that ends may still send.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// How long one try may take. A lost first packet comes again after 1, 3 and 7 s.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long one message may take to leave; then the connection is dead.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// How long a relay may take for a sign of life after our network has changed.
const SIGN_WITHIN: Duration = Duration::from_secs(4);

/// Orders of one link that wait.
const QUEUE: usize = 256;

#[derive(Debug)]
enum Order {
    Send(Envelope),
    Ack(EnvelopeId),
    Tokens(Vec<TokenHash>),
    NetworkChanged,
}

/// One link's task.
pub struct Link {
    id: LinkId,
    url: RelayUrl,
    trust: Trust,
    claim: Option<SigningKey>,
    tokens: BTreeSet<TokenHash>,
    outbox: Outbox,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<(LinkId, FromLink)>,
    /// The relay of this connection has our list of tokens: from now on it hears the differences.
    listed: bool,
    /// The owner is gone; everything ends then.
    ends: Option<Moment>,
    last_why: Option<String>,
}

/// Why a connection ended.
enum Ended {
    /// Try again.
    Failed(String),
    /// Stay away for a while.
    Displaced,
    /// The owner is gone.
    Over,
}

type Sink = SplitSink<WebSocketStream<Stream>, Message>;
type Source = SplitStream<WebSocketStream<Stream>>;

impl Link {
    /// Begins a link. Its reports carry `id`; a full `reports` makes the link wait, and with it the relay.
    pub fn spawn(
        id: LinkId,
        url: RelayUrl,
        role: Role,
        trust: Trust,
        reports: mpsc::Sender<(LinkId, FromLink)>,
    ) -> LinkHandle {
        let (claim, tokens) = match role {
            Role::Claimed { key, tokens } => (Some(key), tokens),
            Role::Sender => (None, Vec::new()),
        };
        let (sender, orders) = mpsc::channel(QUEUE);
        let link = Self {
            id,
            url,
            trust,
            claim,
            tokens: bounded(tokens),
            outbox: Outbox::default(),
            orders,
            reports,
            listed: false,
            ends: None,
            last_why: None,
        };
        #[expect(clippy::disallowed_methods, reason = "the link's own task, ended by dropping its handle")]
        let task = tokio::spawn(link.run());
        LinkHandle { orders: sender, task }
    }

    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut not_before = clock::now();
        // Who was displaced stays away, whatever the network does.
        let mut displaced = false;
        while self.wait_for_reason(not_before, displaced).await {
            let began = clock::now();
            let mut up_since = None;
            let ended = self.one_connection(&mut up_since).await;
            let now = clock::now();
            if let Some(since) = up_since {
                backoff.lost(since, now);
            }
            displaced = matches!(ended, Ended::Displaced);
            not_before = match ended {
                Ended::Over => return,
                Ended::Displaced => {
                    self.report(FromLink::Displaced).await;
                    now + limits::DISPLACED_FOR
                }
                Ended::Failed(why) => {
                    tracing::debug!(link = self.id.0, why, "a relay link is down");
                    let again = backoff.next(began, now, jitter());
                    self.down(why, up_since.is_some()).await;
                    again
                }
            };
        }
    }

    /// Waits until it is time, and there is a reason, to connect. False when the link is over.
    async fn wait_for_reason(&mut self, mut not_before: Moment, displaced: bool) -> bool {
        loop {
            let now = clock::now();
            self.outbox.expire(now);
            let idle = self.outbox.is_empty() && (self.claim.is_none() || self.ends.is_some());
            if self.ends.is_some_and(|ends| idle || ends <= now) {
                return false;
            }
            if !idle && now >= not_before && self.orders.is_empty() {
                return true;
            }
            let until = self.ends.map_or(not_before, |ends| ends.min(not_before));
            tokio::select! {
                order = self.orders.recv(), if self.ends.is_none() => match order {
                    Some(Order::NetworkChanged) if !displaced => not_before = clock::now(),
                    Some(order) => { self.take(order); }
                    None => self.ends = Some(clock::now() + FINISH_WITHIN),
                },
                () = clock::sleep_until(until), if !idle => {}
            }
        }
    }

    /// Takes an order while not connected. An `ack` is moot: the relay delivers again.
    fn take(&mut self, order: Order) {
        match order {
            Order::Send(envelope) => self.outbox.put(envelope, clock::now()),
            Order::Tokens(tokens) => self.tokens = bounded(tokens),
            Order::Ack(_) | Order::NetworkChanged => {}
        }
    }

    async fn one_connection(&mut self, up_since: &mut Option<Moment>) -> Ended {
        let within = self.ends.map_or(CONNECT_WITHIN, |ends| ends.since(clock::now()));
        let socket = match clock::timeout(within, open(&self.url, &self.trust)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(why)) => return Ended::Failed(why),
            Err(_) => return Ended::Failed("the relay does not answer".to_owned()),
        };
        self.outbox.again();
        let (mut sink, mut source) = socket.split();
        let ended = match self.converse(&mut sink, &mut source, up_since).await {
            Ok(ended) | Err(ended) => ended,
        };
        if matches!(ended, Ended::Over) {
            let goodbye = async {
                let _sent = sink.send(Message::Close(None)).await;
                while let Some(Ok(_)) = source.next().await {}
            };
            let left = self.ends.map_or(FINISH_WITHIN, |ends| ends.since(clock::now()));
            let _late = clock::timeout(left, goodbye).await;
        }
        ended
    }

    async fn converse(
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

    async fn down(&mut self, why: String, was_up: bool) {
        if was_up || self.last_why.as_ref() != Some(&why) {
            self.last_why = Some(why.clone());
            self.report(FromLink::Down { why }).await;
        }
    }

    async fn report(&self, report: FromLink) {
        // The owner is gone: the link's own end is near, its orders are closed too.
        let _gone = self.reports.send((self.id, report)).await;
    }
}

/// No list is longer than a relay takes; who has more cards out than that loses some.
fn bounded(tokens: Vec<TokenHash>) -> BTreeSet<TokenHash> {
    let all: BTreeSet<TokenHash> = tokens.into_iter().collect();
    if all.len() <= limits::TOKENS_OF_INBOX {
        return all;
    }
    tracing::warn!(tokens = all.len(), "more cards are out than a relay lists");
    all.into_iter().take(limits::TOKENS_OF_INBOX).collect()
}

fn jitter() -> u8 {
    let mut byte = [0];
    // Without chance every wait is the longest: no harm.
    let _none = getrandom::fill(&mut byte);
    byte[0]
}

async fn open(url: &RelayUrl, trust: &Trust) -> Result<WebSocketStream<Stream>, String> {
    let stream = tls::connect(url, trust).await.map_err(|e| e.to_string())?;
    let mut request = url.as_str().into_client_request().map_err(|e| e.to_string())?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(limits::MESSAGE_BYTES))
        .max_frame_size(Some(limits::MESSAGE_BYTES));
    let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    opened.map(|(socket, _response)| socket).map_err(|_| "what answers there is no relay".to_owned())
}

/// One message of the relay, if it is a frame.
fn read(message: Option<Result<Message, Error>>) -> Result<Option<ToClient>, Ended> {
    match message {
        Some(Ok(Message::Text(text))) => match ToClient::parse(&text) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => {
                tracing::debug!(%error, "a relay's frame is dropped");
                Ok(None)
            }
        },
        Some(Ok(Message::Close(close))) => {
            let number = close.map_or(1005, |c| u16::from(c.code));
            match CloseCode::from_number(number) {
                Some(CloseCode::Displaced) => Err(Ended::Displaced),
                Some(CloseCode::GoingAway | CloseCode::Policy | CloseCode::TooBig | CloseCode::Slow)
                | None => Err(Ended::Failed(format!("the relay closed the connection ({number})"))),
            }
        }
        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Err(_)) | None => Err(Ended::Failed("the connection to the relay broke".to_owned())),
    }
}

async fn say(sink: &mut Sink, frame: &ToRelay) -> Result<(), Ended> {
    write(sink, Message::text(frame.to_text())).await
}

async fn write(sink: &mut Sink, message: Message) -> Result<(), Ended> {
    match clock::timeout(WRITE_WITHIN, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ended::Failed("the connection to the relay broke".to_owned())),
        Err(_) => Err(Ended::Failed("the relay does not read".to_owned())),
    }
}
