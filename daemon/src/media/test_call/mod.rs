//! A call to oneself: from the microphone over a real path to the far end and back to the loudspeaker, some seconds later.
//!
//! Lives here: its course. The near end is a session as every call has one, the far end a transport as every device has one, between
//! them lie sockets, ICE, DTLS and SRTP; what the two ends tell each other (`post.rs`) goes by a relay if there is one.
//! Must not: ring, know a contact, outlive its client.

mod echo;
mod findings;
mod post;

use std::time::Duration;

use ahoy_call::{
    CallId, Description, Epoch, LegId, MediaOrder, MediaReport, Message, Moment, Opaque, Role, Tracks,
};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::echo::{AFTER, Echo};
use self::findings::{End, Findings};
use self::post::{Post, To};
use super::peer::{Peer, Setup};
use super::session::{self, Ask};
use super::transport::{Events, PathEvent, PathOrder, Track, Transport};
use super::wanted::{Key, Wanted};
use super::{CallOrder, Report, Sound, TestReport};
use crate::system::clock;
use crate::values::media::MediaSettings;
use crate::values::request::Lease;

/// The name of the test in the log, and of its one path.
const CALL: CallId = CallId::from_bytes([0; 16]);
const EPOCH: Epoch = Epoch(1);
const NEAR: Key = (LegId::from_bytes([1; 16]), EPOCH);
const FAR: Key = (LegId::from_bytes([2; 16]), EPOCH);
/// Reports of each end that wait.
const QUEUE: usize = 256;
/// Between two looks at the numbers, the post and the clock.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long setting up may take; a relay that does not answer is waited for in it.
const SET_UP: Duration = Duration::from_secs(20);
/// How long everything may take to close.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a test call is given.
#[derive(Debug)]
pub struct TestCall {
    /// One end of a socket: lines of JSON go out, and what the client closes ends the test.
    pub client: Lease,
    /// How long sound flows at most.
    pub lasts: Duration,
    /// So many relays are to carry what the ends tell each other; with none they tell it directly.
    pub relays: usize,
}

/// What came by a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// As it was given, or nothing: another relay was faster.
    pub bytes: Opaque,
    /// So many relays have carried something by now.
    pub relays: usize,
}

/// Runs it until its time is over, its client or the last sender of `carried` is gone, or it fails.
pub(super) async fn run(
    given: TestCall,
    settings: MediaSettings,
    setup: Setup,
    sound: Box<dyn Sound>,
    mut carried: mpsc::Receiver<Carried>,
    reports: mpsc::Sender<Report>,
) {
    let TestCall { client, lasts, relays } = given;
    let Some(client) = stream(client) else {
        return tracing::warn!("the client of a test call cannot be spoken to");
    };
    let (near_told, mut near) = mpsc::channel(QUEUE);
    let (far_told, mut far) = mpsc::channel(QUEUE);
    let (asks, waiting) = mpsc::channel(session::QUEUE);
    let mut wanted = Wanted::default();
    wanted.take(NEAR, &MediaOrder::Prepare(Role::Offerer));
    let (wanted, follows) = watch::channel(wanted);
    let plan = Peer::plan(Role::Offerer, setup.clone());
    // The queue is empty and has room for it.
    let _room = asks.try_send(Ask::Prepare { key: NEAR, plan, is_room: false, wanted: follows.clone() });
    let mut tasks = JoinSet::new();
    tasks.spawn(session::run(CALL, settings.bitrate, settings.voice, sound, follows, waiting, near_told));
    let now = clock::now();
    let mut test = Running {
        client,
        setup,
        asks,
        wanted,
        far: None,
        early: Vec::new(),
        far_told,
        tasks,
        post: Post::new(relays > 0),
        reports,
        findings: Findings::new(relays),
        echo: Echo::default(),
        began: now,
        active: None,
        ends: now + SET_UP,
        lasts,
    };
    test.say(&Findings::connecting());
    let end = test.work(&mut near, &mut far, &mut carried).await;
    drop((near, far));
    test.close(end).await;
}

/// The client's end, as the runtime reads it.
fn stream(client: Lease) -> Option<UnixStream> {
    let stream = std::os::unix::net::UnixStream::from(client.0);
    stream.set_nonblocking(true).ok()?;
    UnixStream::from_std(stream).ok()
}

struct Running {
    client: UnixStream,
    setup: Setup,
    asks: mpsc::Sender<Ask>,
    wanted: watch::Sender<Wanted>,
    /// The far end, once it has the offer; candidates that came sooner.
    far: Option<Box<dyn Transport>>,
    early: Vec<Opaque>,
    far_told: Events,
    tasks: JoinSet<()>,
    post: Post,
    reports: mpsc::Sender<Report>,
    findings: Findings,
    echo: Echo,
    began: Moment,
    /// Since when sound flows.
    active: Option<Moment>,
    ends: Moment,
    lasts: Duration,
}

impl Running {
    async fn work(
        &mut self,
        near: &mut mpsc::Receiver<Report>,
        far: &mut mpsc::Receiver<(Key, PathEvent)>,
        carried: &mut mpsc::Receiver<Carried>,
    ) -> End {
        let mut look = self.began + LOOK_EVERY;
        loop {
            let due = self.echo.due().into_iter().chain([look, self.ends]).min().unwrap_or(look);
            let over = tokio::select! {
                report = near.recv() => match report {
                    Some(report) => self.near(report).await,
                    None => Some(End::Failed("media-failed")),
                },
                Some((_, event)) = far.recv() => self.far(event).await,
                came = carried.recv() => match came {
                    Some(came) => {
                        self.carried(came);
                        None
                    }
                    None => Some(End::Ordered),
                },
                ready = self.client.ready(Interest::READABLE) => match ready {
                    Ok(_) => self.listen(),
                    Err(_) => Some(End::Client),
                },
                () = clock::sleep_until(due) => None,
            };
            if let Some(end) = over {
                return end;
            }
            let now = clock::now();
            for packet in self.echo.take(now) {
                self.to_far(PathOrder::Packet(Track::Voice, packet));
            }
            if now >= look {
                look = now + LOOK_EVERY;
                for (to, message) in self.post.overdue(now) {
                    self.deliver(to, message);
                }
                // One question too few is no harm.
                let _room = self.asks.try_send(Ask::Order(CallOrder::Stats(0)));
            }
            if now >= self.ends {
                return if self.active.is_some() { End::Time } else { End::Failed("ice-failed") };
            }
        }
    }

    /// The client says nothing; that it closes its end is a word.
    fn listen(&self) -> Option<End> {
        let mut nothing = [0; 64];
        match self.client.try_read(&mut nothing) {
            Ok(0) => Some(End::Client),
            Ok(_) => None,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            Err(_) => Some(End::Client),
        }
    }

    async fn near(&mut self, report: Report) -> Option<End> {
        match report {
            Report::Event { report, .. } => match report {
                MediaReport::Described(description) => {
                    self.send(To::Far, Message::Description { epoch: EPOCH, description }).await;
                }
                MediaReport::Candidates { list, complete } => {
                    self.send(To::Far, Message::Candidates { epoch: EPOCH, list, complete }).await;
                }
                MediaReport::Up => self.up(),
                MediaReport::Voice(heard) => self.findings.microphone(heard),
                MediaReport::Lost => return Some(End::Failed("connection-lost")),
                MediaReport::Stuck => return Some(End::Failed("ice-failed")),
                MediaReport::Failed(_) => return Some(End::Failed("media-failed")),
            },
            Report::Stats { stats, .. } => {
                let played = self.active.is_some_and(|since| clock::now().since(since) > AFTER);
                self.findings.take(&stats, played);
            }
            Report::Gone { .. }
            | Report::Frame { .. }
            | Report::Channel { .. }
            | Report::Line { .. }
            | Report::Member { .. }
            | Report::ByRoom { .. }
            | Report::Problems(_)
            | Report::Notes(_)
            | Report::Devices(_)
            | Report::TestCall(_) => {}
        }
        None
    }

    async fn far(&mut self, event: PathEvent) -> Option<End> {
        match event {
            PathEvent::Described(description) => {
                self.send(To::Near, Message::Description { epoch: EPOCH, description }).await;
            }
            PathEvent::Candidates { list, complete } => {
                self.send(To::Near, Message::Candidates { epoch: EPOCH, list, complete }).await;
            }
            PathEvent::Packet { packet, .. } => self.echo.came(clock::now(), packet),
            PathEvent::Stuck => return Some(End::Failed("ice-failed")),
            PathEvent::Failed(_) => return Some(End::Failed("media-failed")),
            PathEvent::Up
            | PathEvent::Lost
            | PathEvent::Gone
            | PathEvent::Pair(_)
            | PathEvent::Ciphers(_)
            | PathEvent::Takes(_)
            | PathEvent::Reception(_)
            | PathEvent::Feedback(_)
            | PathEvent::Asked(_)
            | PathEvent::Frame(_)
            | PathEvent::Channel(_) => {}
        }
        None
    }

    /// The path is up: the microphone opens. Once.
    fn up(&mut self) {
        if self.active.is_some() {
            return;
        }
        let now = clock::now();
        (self.active, self.ends) = (Some(now), now + self.lasts);
        let open = MediaOrder::Open { tracks: Tracks::VOICE, muted: false, held: false };
        self.wanted.send_modify(|wanted| {
            wanted.take(NEAR, &open);
        });
        self.findings.set_up(now.since(self.began));
        self.say(&Findings::active(AFTER, self.lasts));
    }

    /// A word of one end to the other: by the relay, or by hand.
    async fn send(&mut self, to: To, message: Message) {
        match self.post.put(clock::now(), to, &message) {
            // An engine that is gone ends all of this.
            Some(bytes) => drop(self.reports.send(Report::TestCall(TestReport::Carry(Opaque(bytes)))).await),
            None => self.deliver(to, message),
        }
    }

    fn carried(&mut self, Carried { bytes, relays }: Carried) {
        let came = self.post.came(clock::now(), &bytes.0);
        self.findings.carried(relays, came.as_ref().map(|(took, ..)| *took));
        if let Some((_, to, message)) = came {
            self.deliver(to, message);
        }
    }

    fn deliver(&mut self, to: To, message: Message) {
        match (to, message) {
            (To::Far, Message::Description { description, .. }) => self.begin_far(description),
            (To::Far, Message::Candidates { list, .. }) if self.far.is_none() => self.early.extend(list),
            (To::Far, Message::Candidates { list, .. }) => self.to_far(PathOrder::Candidates(list)),
            (To::Near, Message::Description { description, .. }) => {
                self.to_near(MediaOrder::Remote(description))
            }
            (To::Near, Message::Candidates { list, complete, .. }) => {
                self.to_near(MediaOrder::Candidates { list, complete });
            }
            // The two ends tell each other nothing else.
            _ => {}
        }
    }

    fn begin_far(&mut self, offer: Description) {
        if self.far.is_some() {
            return;
        }
        let plan = Peer::plan(Role::Answerer(offer), self.setup.clone());
        let (transport, task) = plan(FAR, self.far_told.clone());
        self.tasks.spawn(task);
        self.far = Some(transport);
        let early = std::mem::take(&mut self.early);
        self.to_far(PathOrder::Candidates(early));
    }

    fn to_far(&self, order: PathOrder) {
        if self.far.as_ref().is_some_and(|far| far.order(order).is_err()) {
            tracing::debug!("the far end of a test call is overrun");
        }
    }

    fn to_near(&self, order: MediaOrder) {
        let order = CallOrder::Path { leg: NEAR.0, epoch: NEAR.1, order };
        if self.asks.try_send(Ask::Order(order)).is_err() {
            tracing::debug!("the near end of a test call is overrun");
        }
    }

    /// One line for the client. Who does not read loses lines, not our time.
    fn say(&self, line: &serde_json::Value) {
        let _unread = self.client.try_write(format!("{line}\n").as_bytes());
    }

    /// Closes both ends, and tells what was found.
    async fn close(self, end: End) {
        self.say(&self.findings.line(end));
        let Self { client, far, asks, wanted, mut tasks, .. } = self;
        wanted.send_replace(Wanted::default());
        // A session that is overrun ends by the drop of what it follows.
        let _full = asks.try_send(Ask::Stop);
        drop((client, far, asks, wanted));
        let all = async { while tasks.join_next().await.is_some() {} };
        if clock::timeout(FAREWELL, all).await.is_err() {
            tracing::warn!("a test call took too long to close");
        }
    }
}
