//! Who hears from us first, and whom do we believe? Signaling tasks, relays with TLS, and a listening socket that stands for the
//! caller's.
//!
//! Lives here: that before an answer nothing reaches a relay of the caller's choice, and that the call works without it; that other
//! authorities are believed as soon as they are told.
//! Must not: know a rule of calling; the test plays the engine.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap like the tests")]

#[path = "link/authority.rs"]
mod authority;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, DeclineReason, Event, LegId, Message, PeerId, Scope, SignalOrder};
use ahoy_proto::card::{Card, CardDevice, InboxAt};
use ahoy_proto::envelope::Token;
use ahoy_relay::config::Limits;
use ahoy_relay::serve::{Server, Settings, Timing};
use ahoy_relay::turn::Ice;
use ahoyd::identity;
use ahoyd::signal::{self, Report, Setup, SignalingOrder, Standing};
use ahoyd::system::clock;
use ahoyd::system::store::Store;
use ahoyd::values::near::NearEnd;
use ahoyd::values::own::Own;
use ahoyd::values::roster::{self, Known, Roster};
use authority::Authority;
use futures_util::FutureExt as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// Far beyond what anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A relay with TLS on a free port, as a URL. It ends with the test.
#[expect(clippy::disallowed_methods, reason = "the relay of one test, ended with its runtime")]
fn relay(authority: &Authority) -> String {
    let tls = Some(authority.certify("localhost"));
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let (ice, limits, timing) = (Ice::default(), Limits::default(), Timing::default());
    let server = Server::bind(Settings { listen, tls, ice, rooms: None, limits, timing }).unwrap();
    let address: SocketAddr = server.url().split_once("://").unwrap().1.parse().unwrap();
    tokio::spawn(server.run(std::future::pending()));
    format!("wss://localhost:{}", address.port())
}

struct Phone {
    own: Arc<Own>,
    orders: mpsc::Sender<SignalingOrder>,
    standing: watch::Sender<Standing>,
    reports: mpsc::Receiver<Report>,
    contacts: Vec<Known>,
    cards: BTreeMap<PeerId, Card>,
    token: [u8; 16],
    _state: tempfile::TempDir,
}

impl Phone {
    fn start(name: &str, relay: &str, ca_file: PathBuf, token: u8) -> Self {
        let state = tempfile::tempdir().unwrap();
        let own = identity::open(state.path(), Some(name), &[relay.to_owned()]).unwrap();
        let (orders, from_engine) = mpsc::channel(64);
        let (to_engine, reports) = mpsc::channel(64);
        let (standing, standing_in) =
            watch::channel(Standing { ca_file: Some(ca_file), ..Standing::default() });
        let (store, _thread) = Store::spawn().unwrap();
        let setup =
            Setup { state: state.path().to_owned(), store, standing: standing_in, near: NearEnd::nowhere() };
        drop(signal::spawn(setup, from_engine, to_engine));
        let (contacts, cards) = (Vec::new(), BTreeMap::new());
        Self {
            own: Arc::new(own),
            orders,
            standing,
            reports,
            contacts,
            cards,
            token: [token; 16],
            _state: state,
        }
    }

    fn leg(&self) -> LegId {
        self.own.leg_id()
    }

    fn add(&mut self, card: Card, preconnect: bool) {
        self.contacts.push(Known { peer: card.peer_id(), blocked: false, preconnect, ping: false });
        self.cards.insert(card.peer_id(), card);
    }

    fn tell_roster(&self) {
        let hash = Token::from_bytes(self.token).hash().bytes();
        let tokens = Arc::new(vec![roster::Token { hash, bound: None, near: None }]);
        let (contacts, cards) = (self.contacts.as_slice().into(), Arc::new(self.cards.clone()));
        let roster = Roster::new(Arc::clone(&self.own), contacts, cards, tokens);
        self.standing.send_modify(|it| it.roster = Some(Arc::new(roster)));
    }

    async fn order(&self, call: CallId, leg: LegId, order: SignalOrder) {
        self.orders.send(SignalingOrder::Call { call, leg, order }).await.unwrap();
    }

    async fn send(&self, call: CallId, to: LegId, message: Message) {
        self.order(call, to, SignalOrder::Send(message)).await;
    }

    async fn report(&mut self) -> Report {
        let report = clock::timeout(PATIENCE, self.reports.recv()).await;
        report.expect("no report came").expect("the task ended")
    }

    async fn event(&mut self) -> Event {
        loop {
            if let Report::Event(event) = self.report().await {
                return event;
            }
        }
    }

    async fn until_online(&mut self) {
        while !matches!(self.report().await, Report::Links(links) if links.online) {}
    }

    async fn until_heard(&mut self, wanted: &Message) {
        loop {
            if let Event::Received { message, .. } = self.event().await
                && message == *wanted
            {
                return;
            }
        }
    }
}

fn offer() -> Message {
    Message::Offer { remaining: Duration::from_secs(59), text: None }
}

/// Ana rings Ben until his phone rings too.
async fn ring(ana: &mut Phone, ben: &mut Phone, call: CallId) {
    let (to_ana, to_ben) = (ana.leg(), ben.leg());
    let lifetime = Duration::from_secs(60);
    ana.order(call, to_ben, SignalOrder::Ring { peer: ben.own.peer_id(), lifetime }).await;
    while !matches!(ben.event().await, Event::Rung { call: rung, .. } if rung == call) {}
    ben.send(call, to_ana, Message::Ready { offers: false }).await;
    ana.until_heard(&Message::Ready { offers: false }).await;
    ana.send(call, to_ben, offer()).await;
    ben.until_heard(&offer()).await;
    ben.send(call, to_ana, Message::Ringing).await;
    ana.until_heard(&Message::Ringing).await;
}

#[tokio::test]
async fn before_the_answer_no_relay_of_the_callers_choice_hears_from_us_and_the_call_works_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ca_file = authority.ca_file(folder.path());
    let (of_ana, of_ben) = (relay(&authority), relay(&authority));
    let mut ana = Phone::start("Ana", &of_ana, ca_file.clone(), 1);
    let mut ben = Phone::start("Ben", &of_ben, ca_file, 2);

    // What Ana's card says is her relay: whoever comes there is heard here, and nobody but Ben has the card.
    let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let relay = format!("wss://localhost:{}", listening.local_addr().unwrap().port());
    let inboxes = vec![InboxAt { relay, inbox: ana.own.inboxes[0].inbox() }];
    let device = CardDevice { certificate: ana.own.certificate.clone(), inboxes };
    let card = Card::sign(ana.own.holder().unwrap(), "Ana", 1, &[device], ana.token).unwrap();
    ben.add(card, false);
    let card_of_ben = ben.own.card(ben.token).unwrap();
    ana.add(card_of_ben, true);
    ana.tell_roster();
    ben.tell_roster();
    ana.until_online().await;
    ben.until_online().await;

    // He declines, she takes back: both over his relay alone.
    let first = CallId::from_bytes([1; 16]);
    ring(&mut ana, &mut ben, first).await;
    let decline = Message::Decline { reason: DeclineReason::Declined, scope: Scope::Everywhere, text: None };
    ben.send(first, ana.leg(), decline.clone()).await;
    ana.until_heard(&decline).await;
    let second = CallId::from_bytes([2; 16]);
    ring(&mut ana, &mut ben, second).await;
    let cancel = Message::Cancel { reason: ahoy_call::CancelReason::Canceled };
    ana.send(second, ben.leg(), cancel.clone()).await;
    ben.until_heard(&cancel).await;
    assert!(listening.accept().now_or_never().is_none(), "somebody came before the answer");

    // The third time he answers: now her relay is a second way.
    let third = CallId::from_bytes([3; 16]);
    ring(&mut ana, &mut ben, third).await;
    assert!(listening.accept().now_or_never().is_none(), "somebody came before the answer");
    ben.send(third, ana.leg(), Message::Accept).await;
    ana.until_heard(&Message::Accept).await;
    clock::timeout(PATIENCE, listening.accept()).await.expect("nobody came after the answer").unwrap();
}

#[tokio::test]
async fn another_file_of_authorities_takes_effect_while_signaling_runs() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (ours, foreign) = (Authority::new(), Authority::new());
    let mut ana = Phone::start("Ana", &relay(&ours), foreign.ca_file(folders[0].path()), 1);
    ana.tell_roster();
    while !matches!(ana.report().await, Report::Links(links) if links.error.contains("refused")) {}
    ana.standing.send_modify(|it| it.ca_file = Some(ours.ca_file(folders[1].path())));
    ana.until_online().await;
}
