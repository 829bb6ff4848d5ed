//! One connection to a neighbour, from its first byte to its end.
//!
//! Lives here: the knock, the handshake, frames both ways, and what one connection may cost.
//! Must not: know whose a tag is (it asks), or what an envelope is for.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ahoy_proto::limits;
use ahoy_proto::neighbour::knock::{ANSWER, Knock};
use ahoy_proto::neighbour::link::{self, Dialing, Link, MAX_FRAME};
use ahoy_proto::neighbour::said::Said;
use ahoy_proto::neighbour::tag::{Hour, NeighbourKey, Tag};
use ahoy_proto::session::Ephemeral;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::sockets;
use crate::system::clock;
use crate::values::budget::{Budget, Rate};

/// How long a neighbour may take to connect, and to say what it wants.
const BEGINS_WITHIN: Duration = Duration::from_secs(3);
/// A connection by which nothing goes for so long is closed: it is made again in some milliseconds.
const IDLE: Duration = Duration::from_secs(60);
/// How long a frame may wait for somebody who does not read.
const TAKES_WITHIN: Duration = Duration::from_secs(5);
/// Frames that are taken: of one sender to one inbox, as at a relay.
const FRAMES: Rate = Rate { burst: limits::TO_ONE_INBOX_PER_MINUTE, minute: limits::TO_ONE_INBOX_PER_MINUTE };

/// What its owner hears.
#[derive(Debug)]
pub(super) enum FromConnection {
    /// It names this tag: whose is it?
    Knocked(Tag, oneshot::Sender<Option<(NeighbourKey, Hour)>>),
    /// It wants to pair.
    Pairs(u32, TcpStream),
    /// The other said this.
    Said(Said),
    /// It is over. True: nobody was there.
    Ended(bool),
}

/// What it says to its owner, and hears.
pub(super) struct Ends {
    pub(super) number: u64,
    pub(super) reports: mpsc::Sender<(u64, FromConnection)>,
    pub(super) outbox: mpsc::Receiver<Said>,
}

impl Ends {
    async fn report(&self, what: FromConnection) {
        // Its owner ends first at the end of the daemon.
        let _gone = self.reports.send((self.number, what)).await;
    }
}

/// Somebody has connected.
pub(super) async fn accept(mut stream: TcpStream, mut ends: Ends) {
    match clock::timeout(BEGINS_WITHIN, welcome(&mut stream, &ends)).await {
        Ok(Ok(Welcome::Link(link))) => converse(stream, link, &mut ends).await,
        Ok(Ok(Welcome::Pairs(number))) => return ends.report(FromConnection::Pairs(number, stream)).await,
        Ok(Err(error)) => tracing::debug!(%error, "a neighbour was not understood"),
        Err(_late) => tracing::debug!("a neighbour connected and said nothing"),
    }
    ends.report(FromConnection::Ended(false)).await;
}

/// Connects to a neighbour, whose tag that is.
pub(super) async fn dial(interface: String, at: SocketAddr, key: NeighbourKey, hour: Hour, mut ends: Ends) {
    let begun = clock::timeout(BEGINS_WITHIN, greet(&interface, at, key, hour)).await;
    let (stream, link) = match begun {
        Ok(Ok(begun)) => begun,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a neighbour does not answer");
            return ends.report(FromConnection::Ended(true)).await;
        }
        Err(_late) => return ends.report(FromConnection::Ended(true)).await,
    };
    converse(stream, link, &mut ends).await;
    ends.report(FromConnection::Ended(false)).await;
}

enum Welcome {
    Link(Link),
    Pairs(u32),
}

async fn welcome(stream: &mut TcpStream, ends: &Ends) -> io::Result<Welcome> {
    stream.set_nodelay(true)?;
    let first = stream.read_u8().await?;
    let length = Knock::length_behind(first).ok_or_else(strange)?;
    let mut knock = vec![first; 1 + length];
    stream.read_exact(&mut knock[1..]).await?;
    match Knock::decode(&knock).ok_or_else(strange)? {
        Knock::Pair(number) => Ok(Welcome::Pairs(number)),
        Knock::Contact { tag, opening } => {
            let (reply, waiting) = oneshot::channel();
            ends.report(FromConnection::Knocked(tag, reply)).await;
            // Who names a tag that is none of ours is treated as who cannot seal with its key.
            let (key, hour) = waiting.await.ok().flatten().ok_or_else(strange)?;
            let (link, answer) =
                link::answer(&key, hour, &ephemeral()?, &opening).map_err(io::Error::other)?;
            stream.write_all(&answer).await?;
            Ok(Welcome::Link(link))
        }
    }
}

async fn greet(
    interface: &str,
    at: SocketAddr,
    key: NeighbourKey,
    hour: Hour,
) -> io::Result<(TcpStream, Link)> {
    let mut stream = sockets::connect(interface, at).await?;
    let (dialing, opening) = Dialing::begin(&key, hour, &ephemeral()?).map_err(io::Error::other)?;
    stream.write_all(&Knock::Contact { tag: key.tag(hour), opening }.encode()).await?;
    let mut answer = [0; ANSWER];
    stream.read_exact(&mut answer).await?;
    Ok((stream, dialing.finish(&answer).map_err(io::Error::other)?))
}

/// Carries what is said, until one has nothing to say any more.
async fn converse(mut stream: TcpStream, mut link: Link, ends: &mut Ends) {
    let (reader, mut writer) = stream.split();
    let mut frames = Frames::new(reader);
    let mut budget = Budget::new(FRAMES);
    loop {
        let idle = clock::now() + IDLE;
        tokio::select! {
            frame = frames.next(MAX_FRAME) => {
                let said = match frame.map(|frame| link.open(&frame)) {
                    Ok(Ok(said)) => said,
                    Ok(Err(error)) => return tracing::debug!(%error, "a neighbour's connection ends"),
                    Err(error) => return tracing::debug!(%error, "a neighbour's connection ends"),
                };
                if !budget.take(clock::now(), ()) {
                    return tracing::debug!("a neighbour says too much");
                }
                if let Some(said) = said {
                    ends.report(FromConnection::Said(said)).await;
                }
            }
            said = ends.outbox.recv() => {
                let Some(frame) = said.and_then(|said| link.seal(&said).ok()) else { return };
                match clock::timeout(TAKES_WITHIN, writer.write_all(&frame)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return tracing::debug!("a neighbour does not read"),
                }
            }
            () = clock::sleep_until(idle) => return,
        }
    }
}

/// Frames with two bytes of length before each. A read that is given up loses nothing.
pub(super) struct Frames<R> {
    from: R,
    came: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, came: Vec::new() }
    }

    /// The next one, which is no longer than that.
    pub(super) async fn next(&mut self, most: usize) -> io::Result<Vec<u8>> {
        loop {
            if let Some((length, rest)) = self.came.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*length));
                if length > most {
                    return Err(strange());
                }
                if let Some(frame) = rest.get(..length) {
                    let frame = frame.to_vec();
                    self.came.drain(..2 + length);
                    return Ok(frame);
                }
            }
            if self.from.read_buf(&mut self.came).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "nothing that an ahoy says")
}

fn ephemeral() -> io::Result<Ephemeral> {
    let mut bytes = Ephemeral([0; 32]);
    getrandom::fill(&mut bytes.0).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_whole_however_they_were_cut_and_none_is_longer_than_allowed() {
        let bytes: &[u8] = &[0, 2, 7, 8, 0, 0, 0, 3, 1, 2, 3, 0, 9];
        for cut in 1..bytes.len() {
            let mut frames = Frames::new(bytes[..cut].chain(&bytes[cut..]));
            assert_eq!(frames.next(8).await.unwrap(), [7, 8]);
            assert_eq!(frames.next(8).await.unwrap(), [0_u8; 0]);
            assert_eq!(frames.next(8).await.unwrap(), [1, 2, 3]);
            assert_eq!(frames.next(8).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
