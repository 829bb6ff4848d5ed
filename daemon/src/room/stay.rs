//! A stay in a room, carried out.
//!
//! Lives here: the task that runs the machine of `session/` between a socket, a connection and an owner.
//! Must not: decide anything, or wait for the connection: one that does not listen is a failed one.

use std::collections::BTreeSet;
use std::future::pending;
use std::net::IpAddr;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::said::RoomToken;
use super::session::{Closed, Input, Output, Place, Session};
use super::socket::{self, Opened, Sink, Source};
use crate::system::clock;
use crate::system::netlink::Network;
use crate::system::trust::Trust;
use crate::values::room::{Identity, RoomAsk, RoomEvent, RoomSaid};

/// What the owner of a stay orders.
#[derive(Clone, Debug)]
pub enum StayOrder {
    /// Those are the members of the call now; nobody else is listened to.
    Members(BTreeSet<Identity>),
    /// A fresh token.
    Token(RoomToken),
    /// Our network has changed.
    Moved,
    /// Go. So does who drops the sender.
    Leave,
}

/// What a stay works with.
#[derive(Debug)]
pub struct Parts {
    /// Where.
    pub place: Place,
    /// Those who are members at first.
    pub members: BTreeSet<Identity>,
    /// Which certificates are believed.
    pub trust: Trust,
    /// To the connection.
    pub asks: mpsc::Sender<RoomAsk>,
    /// From it.
    pub said: mpsc::Receiver<RoomSaid>,
    /// To whoever opens frames: how the server ends its own silence.
    pub trailer: watch::Sender<Vec<u8>>,
    /// To the owner.
    pub events: mpsc::Sender<RoomEvent>,
    /// From the owner.
    pub orders: mpsc::Receiver<StayOrder>,
}

/// Runs a stay until it is over; the last that its owner hears is [`RoomEvent::Ended`].
pub async fn run(parts: Parts) {
    let Parts { place, members, trust, asks, mut said, trailer, events, mut orders } = parts;
    let (session, mut out) = Session::begin(clock::now(), place, members);
    let mut stay = Stay {
        session,
        trust,
        asks,
        trailer,
        events,
        sink: None,
        source: None,
        from: BTreeSet::new(),
        opening: JoinSet::new(),
    };
    loop {
        stay.carry_out(out).await;
        if stay.session.is_over() {
            break;
        }
        let input = tokio::select! {
            opened = opened(&mut stay.opening) => match opened {
                Ok(Opened { sink, source, from }) => {
                    (stay.sink, stay.source, stay.from) = (Some(sink), Some(source), [from].into());
                    Input::Opened
                }
                Err(why) => Input::Closed(why),
            },
            message = read(&mut stay.source) => match message {
                Some(bytes) => Input::Frame(bytes),
                None => {
                    stay.drop_socket();
                    Input::Closed(Closed::Broken)
                }
            },
            word = said.recv() => match word {
                Some(word) => Input::Media(word),
                // The connection's owner has let it go.
                None => Input::Leave,
            },
            order = orders.recv() => match order {
                Some(StayOrder::Members(members)) => Input::Members(members),
                Some(StayOrder::Token(token)) => Input::Token(token),
                Some(StayOrder::Moved) => {
                    let cut = is_cut(&stay.from, &Network::look().running());
                    if cut {
                        // Nobody at the other end hears a goodbye.
                        stay.drop_socket();
                    }
                    Input::Moved { cut }
                }
                Some(StayOrder::Leave) | None => Input::Leave,
            },
            () = clock::at(stay.session.deadline()) => Input::Tick,
        };
        out = stay.session.take(clock::now(), input);
    }
}

/// Runs a stay, and passes on what happens under this number. Its own `events` are not used.
pub async fn follow(number: u64, parts: Parts, to: mpsc::Sender<(u64, RoomEvent)>) {
    let (events, mut happens) = mpsc::channel(1);
    let passing = async {
        while let Some(event) = happens.recv().await {
            // An owner that is gone has let the stay go too.
            let _unheard = to.send((number, event)).await;
        }
    };
    futures_util::future::join(run(Parts { events, ..parts }), passing).await;
}

/// What the machine orders of the world.
struct Stay {
    session: Session,
    trust: Trust,
    asks: mpsc::Sender<RoomAsk>,
    trailer: watch::Sender<Vec<u8>>,
    events: mpsc::Sender<RoomEvent>,
    sink: Option<Sink>,
    source: Option<Source>,
    /// The address of ours that the socket left from; while it is opened, all by one of which it may.
    from: BTreeSet<IpAddr>,
    opening: JoinSet<Result<Opened, Closed>>,
}

impl Stay {
    async fn carry_out(&mut self, out: Vec<Output>) {
        for one in out {
            match one {
                Output::Open { url, path, token } => {
                    self.close().await;
                    self.from = Network::look().running();
                    self.opening.spawn(socket::open(url, path, token, self.trust.clone()));
                }
                Output::Send(bytes) => {
                    let Some(sink) = &mut self.sink else { continue };
                    if !socket::write(sink, bytes).await {
                        // What follows finds no socket; that it is gone is seen by who reads.
                        self.sink = None;
                    }
                }
                Output::Close => self.close().await,
                Output::Media(ask) => {
                    if self.asks.try_send(ask).is_err() {
                        tracing::debug!("the connection to a room takes no more orders");
                    }
                }
                // Nobody opens frames any more, then.
                Output::Trailer(bytes) => drop(self.trailer.send_replace(bytes)),
                Output::Tell(event) => {
                    // An owner that is gone needs no word.
                    let _unheard = self.events.send(event).await;
                }
            }
        }
    }

    fn drop_socket(&mut self) {
        (self.sink, self.source) = (None, None);
    }

    async fn close(&mut self) {
        self.opening.abort_all();
        while self.opening.join_next().await.is_some() {}
        self.source = None;
        if let Some(sink) = self.sink.take() {
            socket::close(sink).await;
        }
    }
}

/// Whether one of these addresses has gone. Where none is to be seen at all the look failed.
fn is_cut(from: &BTreeSet<IpAddr>, here: &BTreeSet<IpAddr>) -> bool {
    !here.is_empty() && !from.is_subset(here)
}

async fn opened(opening: &mut JoinSet<Result<Opened, Closed>>) -> Result<Opened, Closed> {
    match opening.join_next().await {
        Some(Ok(opened)) => opened,
        Some(Err(_)) => Err(Closed::Broken),
        None => pending().await,
    }
}

async fn read(source: &mut Option<Source>) -> Option<Vec<u8>> {
    match source {
        Some(source) => socket::read(source).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_socket_is_cut_when_its_address_has_gone_and_not_when_nothing_is_seen() {
        let of = |list: &[u8]| list.iter().map(|n| Ipv4Addr::new(192, 0, 2, *n).into()).collect();
        for (from, here, cut) in [
            (&[1][..], &[1, 2][..], false),
            (&[1], &[2], true),
            (&[1, 2], &[2], true),
            (&[1], &[], false),
            (&[], &[2], false),
        ] {
            assert_eq!(is_cut(&of(from), &of(here)), cut, "{from:?} {here:?}");
        }
    }
}
