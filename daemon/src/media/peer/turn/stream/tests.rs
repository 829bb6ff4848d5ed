//! A stream to servers of every kind: one that answers, one that closes, one that never reads, one that is not who it says.
//!
//! Lives here: the library's end and the server's end of one stream, on this machine.
//! Must not: wait for a time to pass.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// An Allocate request, as its head says.
fn request(transaction: u8) -> Vec<u8> {
    [&[0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[transaction; 12]].concat()
}

fn voice(number: u32) -> Vec<u8> {
    [&[0x40, 0, 3, 0xe8][..], &number.to_be_bytes(), &[7; 996]].concat()
}

struct Rig {
    library: UnixDatagram,
    ended: mpsc::Receiver<usize>,
    found: watch::Sender<Option<Carrier>>,
    _tasks: JoinSet<()>,
}

impl Rig {
    fn new(server: StreamServer, trust: Trust) -> Self {
        let (library, stream) = socket::pair().unwrap();
        let ((found, found_out), (ended_in, ended)) = (watch::channel(None), mpsc::channel(4));
        let tell_ended = Arc::new(move |number| ended_in.try_send(number).unwrap());
        let around = Around { local: Vec::new(), trust, names: None, found: found_out, ended: tell_ended };
        let mut tasks = JoinSet::new();
        tasks.spawn(run(0, server, stream, around));
        let library = UnixDatagram::from_std(library).unwrap();
        Self { library, ended, found, _tasks: tasks }
    }

    fn plain(port: u16) -> Self {
        Self::new(at(port, Carrier::Tcp), Trust::default())
    }

    async fn write(&self, datagram: &[u8]) {
        self.library.send(datagram).await.unwrap();
    }

    async fn read(&self) -> Vec<u8> {
        let mut bytes = [0; LONGEST];
        let count =
            clock::timeout(PATIENCE, self.library.recv(&mut bytes)).await.expect("an answer").unwrap();
        bytes[..count].to_vec()
    }

    async fn until_ended(&mut self) {
        assert_eq!(clock::timeout(PATIENCE, self.ended.recv()).await.expect("a word"), Some(0));
    }
}

fn at(port: u16, carrier: Carrier) -> StreamServer {
    StreamServer { host: "127.0.0.1".to_owned(), port, carrier, after: Duration::ZERO }
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn what_the_library_writes_reaches_the_server_padded_and_what_that_writes_in_pieces_comes_back_whole() {
    let (listener, port) = listener().await;
    let rig = Rig::plain(port);
    rig.write(&request(1)).await;
    let (mut server, _) = listener.accept().await.unwrap();
    let mut first = [0; 20];
    server.read_exact(&mut first).await.unwrap();
    assert_eq!(first[..], request(1)[..]);
    rig.write(&[0x40, 1, 0, 3, b'a', b'b', b'c']).await;
    // A check that some hostile candidate would send here, and a repetition, which a stream does not need.
    rig.write(&[0x80; 30]).await;
    rig.write(&request(1)).await;
    rig.write(&request(2)).await;
    let mut rest = vec![0; 8 + 20];
    server.read_exact(&mut rest).await.unwrap();
    let (data, asked) = (vec![0x40, 1, 0, 3, b'a', b'b', b'c', 0], request(2));
    let orders = [[data.clone(), asked.clone()].concat(), [asked, data].concat()];
    assert!(orders.contains(&rest), "{rest:x?}");
    let answer = [&[1, 3, 0, 4, 0x21, 0x12, 0xa4, 0x42][..], &[9; 16]].concat();
    for byte in &answer {
        server.write_all(&[*byte]).await.unwrap();
        server.flush().await.unwrap();
    }
    server.write_all(&[0x40, 1, 0, 2, 5, 6, 0, 0]).await.unwrap();
    assert_eq!(rig.read().await, answer);
    assert_eq!(rig.read().await, [0x40, 1, 0, 2, 5, 6], "without padding");
}

#[tokio::test]
async fn a_server_that_refuses_closes_or_talks_nonsense_costs_a_refused_request_each() {
    let (nobody, port) = listener().await;
    drop(nobody);
    let rig = Rig::plain(port);
    rig.write(&request(1)).await;
    assert_eq!(Some(rig.read().await), refusal(&request(1)), "nobody listens");

    let (listener, port) = listener().await;
    for words in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let mut rig = Rig::plain(port);
        rig.write(&request(1)).await;
        let (mut server, _) = listener.accept().await.unwrap();
        server.read_exact(&mut [0; 20]).await.unwrap();
        server.write_all(words).await.unwrap();
        if words.is_empty() {
            drop(server);
        }
        rig.until_ended().await;
        // One that went with the stream comes again.
        for asked in [request(1), request(2)] {
            rig.write(&asked).await;
            assert_eq!(Some(rig.read().await), refusal(&asked));
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_reading_loses_a_voice_and_nothing_piles_up() {
    let (listener, port) = listener().await;
    socket2::SockRef::from(&listener).set_recv_buffer_size(4_096).unwrap();
    let rig = Rig::plain(port);
    rig.write(&request(1)).await;
    let (mut server, _) = listener.accept().await.unwrap();
    // Far more than the kernel holds on both sides: most of it must be lost, and not wait.
    const MANY: u32 = 20_000;
    for number in 0..MANY {
        rig.write(&voice(number)).await;
    }
    server.read_exact(&mut [0; 20]).await.unwrap();
    let writing = async {
        for number in MANY.. {
            rig.write(&voice(number)).await;
        }
    };
    let reading = async {
        let (mut kept, mut last, mut message) = (0, None, [0; 1_004]);
        // The line is clear again.
        while last.is_none_or(|last| last < MANY + 50) {
            server.read_exact(&mut message).await.unwrap();
            let number = u32::from_be_bytes(message[4..8].try_into().unwrap());
            assert!(last.is_none_or(|last| last < number), "in their order");
            kept += u32::from(number < MANY);
            last = Some(number);
        }
        kept
    };
    let kept = tokio::select! {
        () = writing => unreachable!("it has no end"),
        kept = reading => kept,
    };
    assert!(kept < MANY / 4, "{kept} of {MANY} were kept for later");
}

#[tokio::test]
async fn what_is_not_needed_any_more_is_not_connected_to() {
    let (listener, port) = listener().await;
    let late = StreamServer { after: Duration::from_secs(3_600), ..at(port, Carrier::Tcp) };
    let rig = Rig::new(late, Trust::default());
    rig.write(&request(1)).await;
    rig.found.send_replace(Some(Carrier::Tcp));
    rig.found.send_replace(Some(Carrier::Udp));
    assert_eq!(Some(rig.read().await), refusal(&request(1)));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(listener.poll_accept(&mut context).is_pending(), "nobody came");
}

/// A server certified for this name, and the file of who certified it.
fn certified(name: &str) -> (TlsAcceptor, tempfile::NamedTempFile) {
    let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(own.serialize_der().into()),
            )
            .unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

#[tokio::test]
async fn by_tls_the_server_is_who_it_says_or_hears_nothing() {
    let (listener, port) = listener().await;
    for (name, right) in [("127.0.0.1", true), ("turn.example", false)] {
        let (tls, authority) = certified(name);
        let rig = Rig::new(at(port, Carrier::Tls), Trust::new(Some(authority.path().to_owned())));
        rig.write(&request(1)).await;
        let (tcp, _) = listener.accept().await.unwrap();
        match tls.accept(tcp).await {
            Ok(mut server) => {
                let mut came = [0; 20];
                let read = server.read_exact(&mut came).await;
                assert_eq!((read.is_ok(), right), (right, right));
                if right {
                    assert_eq!(came[..], request(1)[..]);
                    server.write_all(&refusal(&request(1)).unwrap()).await.unwrap();
                    server.flush().await.unwrap();
                }
            }
            Err(_) => assert!(!right, "who is certified is believed"),
        }
        assert_eq!(Some(rig.read().await), refusal(&request(1)));
    }
}
