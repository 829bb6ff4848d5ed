//! A web server behind TLS, with an authority of its own, and a port beside it without TLS.
//!
//! Lives here: what it answers by place, and what it was asked.
//! Must not: judge what comes of it.

#![expect(clippy::disallowed_methods, reason = "its tasks end with the runtime of their test")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

/// The longest request that a test makes.
const MOST: usize = 8 * 1024;

/// What stands at a place.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    head: String,
    body: Vec<u8>,
    endless: bool,
}

impl Answer {
    pub(super) fn of(kind: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n", body.len());
        Self { head, body: body.to_vec(), endless: false }
    }

    pub(super) fn moved(to: &str) -> Self {
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n");
        Self { head, body: Vec::new(), endless: false }
    }

    /// A body that never ends.
    pub(super) fn endless() -> Self {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n".to_owned();
        Self { head, body: vec![b'x'; 1_024], endless: true }
    }

    /// Nothing at all.
    pub(super) fn silent() -> Self {
        Self { head: String::new(), body: Vec::new(), endless: true }
    }

    /// A head that is longer than any.
    pub(super) fn long_head() -> Self {
        let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n", "x".repeat(20 * 1024));
        Self { head, body: Vec::new(), endless: false }
    }

    /// No HTTP.
    pub(super) fn broken() -> Self {
        Self { head: "220 mail.example ESMTP\r\n".to_owned(), body: Vec::new(), endless: false }
    }
}

type Answers = watch::Sender<BTreeMap<String, Answer>>;

pub(super) struct Server {
    /// Of the port with TLS, without a slash at the end.
    pub(super) url: String,
    /// Of the one without.
    pub(super) plain_url: String,
    pub(super) ca_file: PathBuf,
    answers: Arc<Answers>,
    requests: mpsc::Receiver<(String, Vec<u8>)>,
    plain: watch::Receiver<u32>,
    _folder: TempDir,
}

impl Server {
    pub(super) async fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = names.signed_by(&key, &authority).unwrap().into();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, authority.pem()).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let answers: Arc<Answers> = Arc::new(watch::Sender::new(BTreeMap::new()));
        let (tell, requests) = mpsc::channel(64);
        let (acceptor, known) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&answers));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, known, tell) = (acceptor.clone(), Arc::clone(&known), tell.clone());
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    serve(tls, &known, &tell).await;
                });
            }
        });

        let beside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain_url = format!("http://{}", beside.local_addr().unwrap());
        let (count, plain) = watch::channel(0);
        tokio::spawn(async move {
            while beside.accept().await.is_ok() {
                count.send_modify(|count| *count += 1);
            }
        });
        Self { url, plain_url, ca_file, answers, requests, plain, _folder: folder }
    }

    pub(super) fn says(&self, place: &str, answer: Answer) {
        self.answers.send_modify(|answers| drop(answers.insert(place.to_owned(), answer)));
    }

    /// What it was asked since the last time, as `GET /place`.
    pub(super) async fn asked(&mut self) -> Vec<String> {
        self.taken().await.into_iter().map(|(line, _)| line).collect()
    }

    /// The same with what came along.
    pub(super) async fn taken(&mut self) -> Vec<(String, Vec<u8>)> {
        // Requests are told of before they are answered.
        tokio::task::yield_now().await;
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }

    /// How often somebody came without TLS.
    pub(super) fn asked_plainly(&self) -> u32 {
        *self.plain.borrow()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answers: &Answers,
    tell: &mpsc::Sender<(String, Vec<u8>)>,
) {
    let (mut read, mut chunk) = (Vec::new(), [0; 1_024]);
    let (line, body) = loop {
        let Ok(count @ 1..) = stream.read(&mut chunk).await else { return };
        read.extend_from_slice(&chunk[..count]);
        if let Some(request) = request(&read) {
            break request;
        }
        if read.len() > MOST {
            return;
        }
    };
    let place = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let _test_is_over = tell.try_send((line, body));
    let gone = Answer {
        head: "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n".to_owned(),
        body: Vec::new(),
        endless: false,
    };
    let Answer { head, body, endless } = answers.borrow().get(&place).cloned().unwrap_or(gone);
    if head.is_empty() {
        return std::future::pending().await;
    }
    let head = format!("{head}connection: close\r\n\r\n");
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    while stream.write_all(&body).await.is_ok() && endless {}
    let _gone = stream.shutdown().await;
}

/// `GET /place` and the body, when all of it is there.
fn request(read: &[u8]) -> Option<(String, Vec<u8>)> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let body = read.get(end..end + length.trim().parse::<usize>().ok()?)?;
    let first = String::from_utf8_lossy(&read[..end]);
    let line = first.lines().next()?.rsplit_once(' ')?.0.to_owned();
    Some((line, body.to_vec()))
}
