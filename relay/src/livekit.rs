//! The server of the rooms, spoken to by its own way of being asked (Twirp: one POST of JSON a question).
//!
//! Lives here: carrying out orders, trying a deletion until it is done, looking every few seconds whether it answers.
//! Must not: decide who may what. What the server says is never logged: it echoes tokens.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ahoy_proto::limits;
use ahoy_proto::relay_url::RelayUrl;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::clock;
use crate::connection::Input;
use crate::rooms::{RoomOrder, RoomReport, RoomServer};
use crate::tickets::RoomId;
use crate::token::Right;

/// Orders that wait. What finds no room is answered like a server that is away.
pub(crate) const ORDERS: usize = 64;
/// Questions at once.
const AT_ONCE: usize = 8;
/// For one question, from the first packet to the last.
const WITHIN: Duration = Duration::from_secs(5);
/// Between two looks whether it answers, and while it does not.
const LOOK_EVERY: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Bytes of an answer: a full list of people comes to some 100 kB.
const ANSWER: usize = 512 * 1024;
/// A room in which nobody ever was, and one that everybody has left.
const EMPTY_S: u64 = 300;
const DEPARTED_S: u64 = 20;
/// Deletions that failed and are tried again, each so often; then the room ends by itself.
const DELETIONS: usize = 256;
const TRIES: u32 = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("it does not answer in time")]
    Late,
    #[error("it knows no such thing")]
    NotFound,
    #[error("it refuses our key")]
    Refused,
    #[error("it says {0}")]
    Status(u16),
    #[error("what it says is no answer")]
    Nonsense,
}

/// A deletion that is tried again.
struct Deletion {
    room: RoomId,
    tries: u32,
    due: crate::time::Moment,
}

/// How the server is reached.
#[derive(Clone)]
struct Api {
    server: RoomServer,
    tls: Option<Arc<ClientConfig>>,
}

/// Carries out orders until nobody gives any.
pub(crate) async fn run(
    server: RoomServer,
    mut orders: mpsc::Receiver<RoomOrder>,
    reports: mpsc::Sender<Input>,
) {
    let tls = server.urls.iter().any(|url| url.starts_with("wss:")).then(roots);
    let api = Api { server, tls };
    let (mut asked, mut deletions, mut up) = (JoinSet::new(), VecDeque::<Deletion>::new(), None);
    let mut look = clock::now();
    loop {
        let next = deletions.iter().map(|one| one.due).min().map_or(look, |due| due.min(look));
        tokio::select! {
            order = orders.recv(), if asked.len() < AT_ONCE => {
                let Some(order) = order else { return };
                let api = api.clone();
                asked.spawn(async move { api.perform(order).await });
            }
            Some(done) = asked.join_next() => {
                let Ok(done) = done else { continue };
                if let Some(again) = done.again {
                    if deletions.len() == DELETIONS {
                        deletions.pop_front();
                        tracing::warn!("a room is left to end by itself: too many wait to be deleted");
                    }
                    deletions.push_back(again);
                }
                if let Some(report) = done.report
                    && reports.send(Input::Room(report)).await.is_err()
                {
                    return;
                }
            }
            () = clock::sleep_until(next) => {
                let now = clock::now();
                if look <= now {
                    let answers = api.ask(Right::List, "", "ListRooms", &json!({ "names": [""] })).await;
                    let is_up = answers.is_ok();
                    if up.replace(is_up) != Some(is_up) {
                        match answers {
                            Ok(_) => tracing::info!("rooms: their server answers"),
                            Err(error) => tracing::warn!(%error, "no rooms: of their server"),
                        }
                        if reports.send(Input::Room(RoomReport::Health(is_up))).await.is_err() {
                            return;
                        }
                    }
                    look = clock::now() + if is_up { LOOK_EVERY } else { LOOK_AGAIN };
                }
                while let Some(place) = deletions.iter().position(|one| one.due <= now)
                    && asked.len() < AT_ONCE
                {
                    let Some(one) = deletions.remove(place) else { break };
                    let api = api.clone();
                    asked.spawn(async move { Done { report: None, again: api.delete(one.room, one.tries).await } });
                }
            }
        }
    }
}

/// What came of an order.
struct Done {
    report: Option<RoomReport>,
    again: Option<Deletion>,
}

impl Api {
    async fn perform(&self, order: RoomOrder) -> Done {
        let mut again = None;
        let report = match order {
            RoomOrder::Create { client, room, passes, lives_s } => {
                let wanted = json!({
                    "name": room.name(), "maxParticipants": limits::ROOM_PASSES, "emptyTimeout": EMPTY_S,
                    "departureTimeout": DEPARTED_S,
                });
                let made = self.done(self.ask(Right::Create, "", "CreateRoom", &wanted).await, "made");
                RoomReport::Created { client, room, passes, lives_s, made }
            }
            RoomOrder::Delete { client, room } => {
                again = self.delete(room, 0).await;
                RoomReport::Done { client, done: true }
            }
            RoomOrder::Remove { client, room, who } => {
                let name = room.name();
                let wanted = json!({ "room": name, "identity": who });
                let removed = match self.ask(Right::Admin, &name, "RemoveParticipant", &wanted).await {
                    // Nobody of that name is there: that is what was wanted.
                    Err(Failed::NotFound) => true,
                    other => self.done(other, "rid of somebody"),
                };
                RoomReport::Done { client, done: removed }
            }
            RoomOrder::People { client, room } => {
                let name = room.name();
                let people =
                    self.ask(Right::Admin, &name, "ListParticipants", &json!({ "room": name })).await;
                RoomReport::People { client, who: people.ok().map(|answer| identities(&answer)) }
            }
        };
        Done { report: Some(report), again }
    }

    /// Ends a room, or says when that is tried again.
    async fn delete(&self, room: RoomId, tries: u32) -> Option<Deletion> {
        let name = room.name();
        match self.ask(Right::Create, "", "DeleteRoom", &json!({ "room": name })).await {
            Ok(_) | Err(Failed::NotFound) => None,
            Err(error) => {
                let pause = LONGEST_PAUSE.min(Duration::from_secs(1) * 2_u32.saturating_pow(tries));
                let again = tries + 1 < TRIES;
                tracing::warn!(%error, again, "a room could not be deleted");
                again.then(|| Deletion { room, tries: tries + 1, due: clock::now() + pause })
            }
        }
    }

    fn done(&self, answer: Result<Value, Failed>, what: &str) -> bool {
        if let Err(error) = &answer {
            tracing::warn!(%error, "a room could not be {what}");
        }
        answer.is_ok()
    }

    /// Asks one server after the other, until one answers.
    async fn ask(&self, right: Right, room: &str, method: &str, body: &Value) -> Result<Value, Failed> {
        let mut last = Failed::Nonsense;
        for url in &self.server.urls {
            let token = self.server.key.request(clock::unix_s(), right, room);
            let asked = self.post(url, &token, method, body);
            match clock::timeout(WITHIN, asked).await.unwrap_or(Err(Failed::Late)) {
                Err(error @ (Failed::Unreachable(_) | Failed::Late)) => last = error,
                answered => return answered,
            }
        }
        Err(last)
    }

    async fn post(&self, url: &str, token: &str, method: &str, body: &Value) -> Result<Value, Failed> {
        let url = RelayUrl::parse(url).map_err(|_| Failed::Nonsense)?;
        let tcp = TcpStream::connect((url.host(), url.port())).await?;
        tcp.set_nodelay(true)?;
        let host = if url.host().contains(':') { format!("[{}]", url.host()) } else { url.host().to_owned() };
        let body = body.to_string();
        let request = format!(
            "POST /twirp/livekit.RoomService/{method} HTTP/1.1\r\nHost: {host}:{}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            url.port(),
            body.len(),
        );
        match &self.tls {
            Some(config) if url.is_sealed() => {
                let name = ServerName::try_from(url.host().to_owned()).map_err(|_| Failed::Nonsense)?;
                exchange(TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?, &request).await
            }
            _ => exchange(tcp, &request).await,
        }
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<Value, Failed> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let most = u64::try_from(ANSWER).unwrap_or(u64::MAX);
    match stream.take(most).read_to_end(&mut answer).await {
        // Some close without a word of TLS, all being said.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    read(&answer)
}

/// One answer of HTTP/1.1 (RFC 9112): its head, and a body that is as long as it says or comes in pieces.
fn read(answer: &[u8]) -> Result<Value, Failed> {
    const END: &[u8] = b"\r\n\r\n";
    let end = answer.windows(END.len()).position(|four| four == END).ok_or(Failed::Nonsense)?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| Failed::Nonsense)?;
    let body = &answer[end + END.len()..];
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
    match status {
        Some(200) => {}
        Some(401 | 403) => return Err(Failed::Refused),
        Some(404) => return Err(Failed::NotFound),
        Some(other) => return Err(Failed::Status(other)),
        None => return Err(Failed::Nonsense),
    }
    let header = |name: &str| {
        let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let chunked = header("Transfer-Encoding").is_some_and(|kind| kind.eq_ignore_ascii_case("chunked"));
    let whole = if chunked { pieces(body).ok_or(Failed::Nonsense)? } else { body.to_vec() };
    if header("Content-Length").is_some_and(|length| length.parse() != Ok(whole.len())) {
        return Err(Failed::Nonsense);
    }
    serde_json::from_slice(&whole).map_err(|_| Failed::Nonsense)
}

/// A body in pieces (RFC 9112 §7.1).
fn pieces(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(whole);
        }
        let (piece, after) = rest.split_at_checked(size)?;
        whole.extend_from_slice(piece);
        rest = after.strip_prefix(b"\r\n")?;
    }
}

/// Who is there, as far as their names can be.
fn identities(answer: &Value) -> Vec<String> {
    let people = answer.get("participants").and_then(Value::as_array).into_iter().flatten();
    let names = people.filter_map(|one| one.get("identity")?.as_str());
    let fits = |name: &&str| (1..=limits::ROOM_IDENTITY_BYTES).contains(&name.len());
    names.filter(fits).take(limits::ROOM_PEOPLE).map(str::to_owned).collect()
}

/// Whom this machine believes.
fn roots() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read believes nobody.
        let _unreadable = roots.add(certificate);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that it says");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whole_or_in_pieces() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        assert_eq!(read(whole).unwrap(), json!({ "a": 1 }));
        let pieces =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{\"a\r\n4;x\r\n\":1}\r\n0\r\n\r\n";
        assert_eq!(read(pieces).unwrap(), json!({ "a": 1 }));
    }

    #[test]
    fn what_is_no_answer_is_told_apart_and_shows_nothing_of_it() {
        let told = |answer: &str| read(answer.as_bytes()).unwrap_err().to_string();
        assert_eq!(told("HTTP/1.1 401 Unauthorized\r\n\r\ninvalid token: eyJsecret"), "it refuses our key");
        assert_eq!(told("HTTP/1.1 404 Not Found\r\n\r\n{\"code\":\"not_found\"}"), "it knows no such thing");
        assert_eq!(told("HTTP/1.1 503 Busy\r\n\r\nx"), "it says 503");
        for cut in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 2",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ] {
            assert_eq!(told(cut), "what it says is no answer", "{cut:?}");
        }
    }

    #[test]
    fn only_names_that_can_be_are_told() {
        let long = "x".repeat(limits::ROOM_IDENTITY_BYTES + 1);
        let answer =
            json!({ "participants": [{ "identity": "a" }, { "identity": "" }, { "identity": long }, {}, 7] });
        assert_eq!(identities(&answer), ["a"]);
        assert!(identities(&json!({})).is_empty());
    }
}
