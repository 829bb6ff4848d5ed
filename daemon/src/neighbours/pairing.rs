//! Two who pair among neighbours: the number that is offered or looked for, and the one connection that carries what they say.
//!
//! Lives here: as a relay does it for them, with its bounds.
//! Must not: read what they say: it is sealed by what they share, or worthless.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::envelope::Body;
use ahoy_proto::limits;
use ahoy_proto::neighbour::knock::Knock;
use ahoy_proto::plate::{PlateNews, PlateOver};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection::Frames;
use super::sockets;
use crate::system::clock;

/// How long somebody who offers a number is looked for.
const FOUND_WITHIN: Duration = Duration::from_millis(1_500);
/// How long it may take to connect, and a message to be taken.
const WITHIN: Duration = Duration::from_secs(3);

/// The pairing of this daemon, if there is one.
#[derive(Default)]
pub(super) struct Pairing {
    /// A number of ours that nobody has come for yet.
    pub(super) offered: Option<u32>,
    /// A number that is looked for, until then.
    pub(super) wanted: Option<(u32, Moment)>,
    /// What is said to the other, once there is one.
    talk: Option<mpsc::Sender<Vec<u8>>>,
    /// The connection's task.
    tasks: JoinSet<()>,
    /// Which talk it is: late words of the one before mean nothing.
    turn: u64,
}

/// What a connection reports, with its turn.
pub(super) type Heard = (u64, PlateNews);

impl Pairing {
    /// Ends what runs.
    pub(super) fn clear(&mut self) {
        // What was said last is still on its way; the task ends behind it.
        self.tasks.detach_all();
        let turn = self.turn + 1;
        *self = Self { turn, ..Self::default() };
    }

    /// Looks for a number from now on.
    pub(super) fn look_for(&mut self, now: Moment, number: u32) {
        self.clear();
        self.wanted = Some((number, now + FOUND_WITHIN));
    }

    /// Whoever wanted that number is at this connection. False: nobody is waited for.
    pub(super) fn meet(&mut self, number: u32, stream: TcpStream, reports: mpsc::Sender<Heard>) -> bool {
        if self.offered != Some(number) || self.talk.is_some() {
            return false;
        }
        self.offered = None;
        self.begin(|turn, inbox| carry(turn, Ok(stream), inbox, reports));
        true
    }

    /// The number that is looked for is offered there.
    pub(super) fn join(&mut self, interface: String, at: SocketAddr, reports: mpsc::Sender<Heard>) {
        let Some((number, _)) = self.wanted.take() else { return };
        self.begin(|turn, inbox| async move {
            let stream = clock::timeout(WITHIN, knock(&interface, at, number)).await;
            carry(turn, stream.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())), inbox, reports)
                .await;
        });
    }

    fn begin<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        task: impl FnOnce(u64, mpsc::Receiver<Vec<u8>>) -> F,
    ) {
        let messages = usize::try_from(limits::PLATE_MESSAGES).unwrap_or(8);
        let (talk, inbox) = mpsc::channel(messages);
        self.talk = Some(talk);
        self.tasks.spawn(task(self.turn, inbox));
    }

    /// Says this to the other.
    pub(super) fn say(&self, body: Body) {
        if let Some(talk) = &self.talk
            && talk.try_send(body.into_bytes()).is_err()
        {
            tracing::debug!("the other side of a pairing does not listen");
        }
    }

    /// What a connection reported, if it is the present one.
    pub(super) fn hear(&mut self, (turn, news): Heard) -> Option<PlateNews> {
        (turn == self.turn).then_some(news)
    }
}

async fn knock(interface: &str, at: SocketAddr, number: u32) -> io::Result<TcpStream> {
    let mut stream = sockets::connect(interface, at).await?;
    stream.write_all(&Knock::Pair(number).encode()).await?;
    Ok(stream)
}

/// Carries what the two say until one has nothing to say any more.
async fn carry(
    turn: u64,
    stream: io::Result<TcpStream>,
    mut inbox: mpsc::Receiver<Vec<u8>>,
    reports: mpsc::Sender<Heard>,
) {
    let tell = async |news| {
        // The owner ends first at the end of the daemon.
        let _gone = reports.send((turn, news)).await;
    };
    let Ok(mut stream) = stream else { return tell(PlateNews::Over(PlateOver::NoSuch)).await };
    tell(PlateNews::Met).await;
    let (reader, mut writer) = stream.split();
    let mut frames = Frames::new(reader);
    let ends = clock::now() + limits::PLATE_TALKS;
    let (mut messages, mut bytes) = (0, 0);
    let over = loop {
        tokio::select! {
            frame = frames.next(limits::PLATE_BYTES) => {
                let Ok(frame) = frame else { break PlateOver::Left };
                (messages, bytes) = (messages + 1, bytes + frame.len());
                let fits = messages <= limits::PLATE_MESSAGES && bytes <= limits::PLATE_BYTES;
                match Body::try_from(frame) {
                    Ok(body) if fits => tell(PlateNews::Said(body)).await,
                    Ok(_) | Err(_) => break PlateOver::TooMuch,
                }
            }
            said = inbox.recv() => {
                let Some(said) = said else { return };
                let Ok(length) = u16::try_from(said.len()) else { break PlateOver::TooMuch };
                let frame = [&length.to_be_bytes()[..], &said].concat();
                match clock::timeout(WITHIN, writer.write_all(&frame)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => break PlateOver::Left,
                }
            }
            () = clock::sleep_until(ends) => break PlateOver::Expired,
        }
    };
    tell(PlateNews::Over(over)).await;
}

/// Four digits, as a relay gives.
pub(super) fn draw_number() -> Option<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).ok()?;
    Some(1_000 + u32::from_be_bytes(bytes) % 9_000)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    /// What is reported of somebody who comes for our number, says that and goes.
    async fn reported(says: &[u8]) -> Vec<PlateNews> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (reports, mut heard) = mpsc::channel(64);
        let mut pairing = Pairing { offered: Some(4_711), ..Pairing::default() };
        assert!(pairing.meet(4_711, stream, reports));
        let says = async {
            // Who says too much is not heard to the end.
            let _gone = there.write_all(says).await;
            let _gone = there.shutdown().await;
        };
        let hears = async {
            let mut all = Vec::new();
            while let Some(news) = heard.recv().await.and_then(|heard| pairing.hear(heard)) {
                all.push(news);
            }
            all
        };
        tokio::join!(says, hears).1
    }

    fn frame(of: usize) -> Vec<u8> {
        [&u16::try_from(of).unwrap().to_be_bytes()[..], &vec![7; of]].concat()
    }

    #[tokio::test]
    async fn a_neighbour_that_says_too_much_too_little_or_nothing_is_heard_within_bounds_and_it_is_over() {
        let most = usize::try_from(limits::PLATE_MESSAGES).unwrap();
        let half = limits::PLATE_BYTES / 2;
        for (story, says, heard, over) in [
            ("nothing", Vec::new(), 0, PlateOver::Left),
            ("two and a half", [frame(3), frame(5), frame(9)[..6].to_vec()].concat(), 2, PlateOver::Left),
            ("as much as there may be", frame(1).repeat(most), most, PlateOver::Left),
            ("one message more", frame(1).repeat(most + 1), most, PlateOver::TooMuch),
            ("as long as all may be", frame(half).repeat(2), 2, PlateOver::Left),
            ("one byte more", [frame(half).repeat(2), frame(1)].concat(), 2, PlateOver::TooMuch),
            ("one that is too long", vec![0xff; 70_000], 0, PlateOver::Left),
        ] {
            let all = reported(&says).await;
            assert_eq!(
                (all.first(), all.last()),
                (Some(&PlateNews::Met), Some(&PlateNews::Over(over))),
                "{story}"
            );
            let said = all.iter().filter(|news| matches!(news, PlateNews::Said(_))).count();
            assert_eq!((said, all.len()), (heard, heard + 2), "{story}");
        }
    }

    #[tokio::test]
    async fn nobody_comes_between_two_who_have_met() {
        let (reports, _heard) = mpsc::channel(64);
        let mut pairing = Pairing { offered: Some(4_711), ..Pairing::default() };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        for (number, meets) in [(4_712, false), (4_711, true), (4_711, false)] {
            let _there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            assert_eq!(pairing.meet(number, stream, reports.clone()), meets);
            pairing.offered = Some(4_711);
        }
    }
}
