//! Do two signaling tasks reach each other through a real switchboard, and does nobody else learn anything?
//!
//! Lives here: whole handshakes over loopback sockets, a relay that dies and comes back, what the relay gets to see.
//! Must not: know a rule of calling; the test plays the engine.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap like the tests")]

#[path = "signaling/post.rs"]
mod post;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Description, Epoch, Event, LegId, Message, Opaque, PeerId, SdpKind, SignalOrder};
use ahoy_proto::card::Card;
use ahoy_proto::envelope::Token;
use ahoy_proto::session::{FrameKind, Header};
use ahoyd::identity;
use ahoyd::signal::{self, LinkState, Report, Setup, SignalingOrder, Standing};
use ahoyd::system::clock;
use ahoyd::system::store::Store;
use ahoyd::values::near::NearEnd;
use ahoyd::values::own::Own;
use ahoyd::values::roster::{self, Known, Roster};
use post::Relay;
use tokio::sync::{mpsc, watch};

const CALL: CallId = CallId::from_bytes([7; 16]);
/// Far beyond what anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

struct Phone {
    own: Arc<Own>,
    orders: mpsc::Sender<SignalingOrder>,
    standing: watch::Sender<Standing>,
    reports: mpsc::Receiver<Report>,
    contacts: Vec<Known>,
    cards: BTreeMap<PeerId, Card>,
    token: [u8; 16],
    links: LinkState,
    mutual: Vec<PeerId>,
    state: tempfile::TempDir,
    store: Store,
}

impl Phone {
    fn start(name: &str, relay: &str, token: u8) -> Self {
        let state = tempfile::tempdir().unwrap();
        let own = identity::open(state.path(), Some(name), &[relay.to_owned()]).unwrap();
        let (orders, from_engine) = mpsc::channel(64);
        let (to_engine, reports) = mpsc::channel(64);
        let (standing, standing_in) = watch::channel(Standing::default());
        let (store, _thread) = Store::spawn().unwrap();
        let (state_dir, near) = (state.path().to_owned(), NearEnd::nowhere());
        let setup = Setup { state: state_dir, store: store.clone(), standing: standing_in, near };
        drop(signal::spawn(setup, from_engine, to_engine));
        Self {
            own: Arc::new(own),
            orders,
            standing,
            reports,
            contacts: Vec::new(),
            cards: BTreeMap::new(),
            token: [token; 16],
            links: LinkState::default(),
            mutual: Vec::new(),
            state,
            store,
        }
    }

    fn leg(&self) -> LegId {
        self.own.leg_id()
    }

    fn peer(&self) -> PeerId {
        self.own.peer_id()
    }

    fn know(&mut self, other: &Phone) {
        let card = other.own.card(other.token).unwrap();
        self.contacts.push(Known { peer: card.peer_id(), blocked: false, preconnect: true, ping: false });
        self.cards.insert(card.peer_id(), card);
    }

    fn tell_roster(&self) {
        let hash = Token::from_bytes(self.token).hash().bytes();
        let tokens = Arc::new(vec![roster::Token { hash, bound: None, near: None }]);
        let (contacts, cards) = (self.contacts.as_slice().into(), Arc::new(self.cards.clone()));
        let roster = Roster::new(Arc::clone(&self.own), contacts, cards, tokens);
        self.standing.send_replace(Standing { roster: Some(Arc::new(roster)), ..Standing::default() });
    }

    async fn order(&self, leg: LegId, order: SignalOrder) {
        self.orders.send(SignalingOrder::Call { call: CALL, leg, order }).await.unwrap();
    }

    async fn send(&self, to: &Phone, message: Message) {
        self.order(to.leg(), SignalOrder::Send(message)).await;
    }

    async fn ring(&self, to: &Phone) {
        let order = SignalOrder::Ring { peer: to.peer(), lifetime: Duration::from_secs(60) };
        self.order(to.leg(), order).await;
    }

    async fn report(&mut self) -> Report {
        let report = clock::timeout(PATIENCE, self.reports.recv()).await;
        report.expect("no report came").expect("the task ended")
    }

    /// The next event for the rules.
    async fn event(&mut self) -> Event {
        loop {
            match self.report().await {
                Report::Event(event) => return event,
                Report::Links(links) => self.links = links,
                Report::Mutual(peer) => self.mutual.push(peer),
                Report::Frame { .. }
                | Report::Bound { .. }
                | Report::Looped { .. }
                | Report::Plate(..)
                | Report::Room { .. }
                | Report::CardTaken(..)
                | Report::CardNotTaken(_)
                | Report::Card(..)
                | Report::Asked { .. }
                | Report::Anew(_)
                | Report::PingThere(..)
                | Report::Pinged { .. }
                | Report::PingOver { .. }
                | Report::Farewell { .. }
                | Report::Ended(_) => {}
            }
        }
    }

    async fn until_online(&mut self, online: bool) {
        while self.links.online != online {
            if let Report::Links(links) = self.report().await {
                self.links = links;
            }
        }
    }
}

fn heard(from: &Phone, message: Message) -> Event {
    Event::Received { call: CALL, leg: from.leg(), message }
}

fn offer() -> Message {
    Message::Offer { remaining: Duration::from_secs(59), text: Some("the secret note".to_owned()) }
}

/// Ana and Ben with each other's cards, both online.
async fn friends(relay: &Relay) -> (Phone, Phone) {
    let mut ana = Phone::start("Ana Quelle", &relay.url(), 1);
    let mut ben = Phone::start("Ben Ziel", &relay.url(), 2);
    ana.know(&ben);
    ben.know(&ana);
    ana.tell_roster();
    ben.tell_roster();
    ana.until_online(true).await;
    ben.until_online(true).await;
    (ana, ben)
}

/// What is sealed in these frames.
fn bodies(frames: &str) -> Vec<Vec<u8>> {
    let bodies = frames.split("\"body\":\"").skip(1);
    let sealed = |rest: &str| data_encoding::BASE64URL_NOPAD.decode(rest.split('"').next()?.as_bytes()).ok();
    bodies.filter_map(sealed).collect()
}

/// From Dial to the opened message 3.
async fn shake_hands(ana: &mut Phone, ben: &mut Phone) {
    ana.ring(ben).await;
    assert_eq!(ana.event().await, Event::Carried { call: CALL, leg: ben.leg() });
    assert!(matches!(ben.event().await, Event::Rung { call: CALL, peer, .. } if peer == ana.peer()));
    ben.send(ana, Message::Ready { offers: false }).await;
    assert_eq!(ana.event().await, heard(ben, Message::Ready { offers: false }));
    ana.send(ben, offer()).await;
    assert_eq!(ben.event().await, heard(ana, offer()));
}

#[tokio::test]
async fn a_ring_is_answered_when_its_mark_is_on_the_disk_and_others_are_heard_meanwhile() {
    let mut relay = Relay::start().await;
    let (mut ana, mut ben) = friends(&relay).await;
    ana.ring(&ben).await;
    assert_eq!(ana.event().await, Event::Carried { call: CALL, leg: ben.leg() });
    assert!(matches!(ben.event().await, Event::Rung { call: CALL, .. }));
    let (wake, asleep) = std::sync::mpsc::sync_channel::<()>(1);
    let sleep = move || {
        let _woken = asleep.recv();
    };
    ben.store.run(Box::new(sleep)).unwrap();
    let description = Description { kind: SdpKind::Offer, body: Opaque(b"the first path".to_vec()) };
    let path = Message::Description { epoch: Epoch(1), description };
    ben.send(&ana, Message::Ready { offers: true }).await;
    ben.send(&ana, path.clone()).await;
    let other = CallId::from_bytes([8; 16]);
    let order = SignalOrder::Ring { peer: ben.peer(), lifetime: Duration::from_secs(60) };
    ana.orders.send(SignalingOrder::Call { call: other, leg: ben.leg(), order }).await.unwrap();
    assert!(matches!(ben.event().await, Event::Rung { call, .. } if call == other));
    assert_eq!(ana.event().await, Event::Carried { call: other, leg: ben.leg() });
    let marks = ben.state.path().join("replay.log");
    assert!(ana.reports.try_recv().is_err() && !marks.exists(), "a restart would let it be answered again");
    drop(wake);
    assert_eq!(ana.event().await, heard(&ben, Message::Ready { offers: true }));
    assert!(marks.exists());
    assert_eq!(ana.event().await, heard(&ben, path));
    let mut kinds = Vec::new();
    while let Ok(frame) = relay.heard.try_recv() {
        kinds.extend(bodies(&frame).iter().map(|body| Header::read(body).unwrap().kind));
    }
    kinds.retain(|kind| *kind != FrameKind::Hello);
    assert_eq!(
        kinds[..2],
        [FrameKind::Reply, FrameKind::Sealed],
        "what follows an answer does not overtake it"
    );
    relay.stop().await;
}

#[tokio::test]
async fn the_relay_never_sees_who_talks_or_what_is_said() {
    let mut relay = Relay::start().await;
    let (mut ana, mut ben) = friends(&relay).await;
    shake_hands(&mut ana, &mut ben).await;
    let mut frames = String::new();
    while let Ok(frame) = relay.heard.try_recv() {
        frames += &frame;
    }
    assert!(frames.contains("\"kind\":\"send\""), "the record holds frames");
    // Bodies travel as base64: what is searched is searched in what they decode to as well.
    let bodies: Vec<u8> = bodies(&frames).into_iter().flatten().collect();
    assert!(bodies.len() > 1_500, "three messages were decoded: {} bytes", bodies.len());
    let holds = |needle: &[u8]| {
        frames.as_bytes().windows(needle.len()).any(|it| it == needle)
            || bodies.windows(needle.len()).any(|it| it == needle)
    };
    assert!(holds(b"\"id\":\""), "the search finds what is there");
    for phone in [&ana, &ben] {
        let certificate = &phone.own.certificate;
        assert!(!holds(phone.own.display_name.as_bytes()));
        assert!(!holds(certificate.account().as_bytes()) && !holds(certificate.device().as_bytes()));
        assert!(!holds(&certificate.noise()) && !holds(&phone.own.address().into_bytes()));
        assert!(!holds(&phone.peer().bytes()) && !holds(&phone.leg().bytes()));
    }
    assert!(!holds(b"the secret note") && !holds(&CALL.bytes()) && !holds(b"offer"));
    relay.stop().await;
}

#[tokio::test]
async fn a_blocked_caller_and_one_whose_friend_is_offline_are_told_the_same() {
    let mut relay = Relay::start().await;
    let (mut ana, mut ben) = friends(&relay).await;
    ben.contacts[0].blocked = true;
    ben.tell_roster();
    ana.ring(&ben).await;
    assert_eq!(ana.event().await, Event::Carried { call: CALL, leg: ben.leg() });
    // Ben's daemon had the ring in its hands: it told the relay to forget it.
    while !clock::timeout(PATIENCE, relay.heard.recv()).await.unwrap().unwrap().contains("\"kind\":\"ack\"") {
    }
    assert!(ben.reports.try_recv().is_err(), "nothing was reported");

    let mut cloe = Phone::start("Cloe", &relay.url(), 3);
    let absent = Phone::start("Absent", &relay.url(), 4);
    cloe.know(&absent);
    cloe.tell_roster();
    cloe.until_online(true).await;
    cloe.ring(&absent).await;
    assert_eq!(cloe.event().await, Event::Carried { call: CALL, leg: absent.leg() });
    assert!(ana.reports.try_recv().is_err() && cloe.reports.try_recv().is_err(), "both hear nothing more");
    relay.stop().await;
}

#[tokio::test]
async fn without_a_relay_the_ring_is_not_carried_and_the_links_say_why() {
    let relay = Relay::start().await;
    let url = relay.url();
    relay.stop().await;
    let mut ana = Phone::start("Ana", &url, 1);
    let ben = Phone::start("Ben", &url, 2);
    ana.know(&ben);
    ana.tell_roster();
    ana.ring(&ben).await;
    let mut errors = Vec::new();
    while errors.last().is_none_or(String::is_empty) {
        match ana.report().await {
            Report::Links(links) => errors.push(links.error),
            Report::Anew(_) => {}
            other @ (Report::Event(_)
            | Report::Frame { .. }
            | Report::Mutual(_)
            | Report::Bound { .. }
            | Report::Looped { .. }
            | Report::Plate(..)
            | Report::Room { .. }
            | Report::CardTaken(..)
            | Report::CardNotTaken(_)
            | Report::Card(..)
            | Report::Asked { .. }
            | Report::PingThere(..)
            | Report::Pinged { .. }
            | Report::PingOver { .. }
            | Report::Farewell { .. }
            | Report::Ended(_)) => panic!("nothing else can be known: {other:?}"),
        }
    }
    assert!(!errors.concat().contains("127.0.0.1"), "no address in what is shown");
    assert!(ana.state.path().exists());
}
