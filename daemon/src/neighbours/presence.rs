//! Being there on one trusted network.
//!
//! Lives here: its sockets and their tasks, what is offered there under which random names.
//! Must not: judge whether the network is trusted, or know whose a tag is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ahoy_call::Moment;
use ahoy_proto::neighbour::tag::Tag;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::dns::{Dns, LONGEST, Offer, Says};
use super::place::Place;
use super::sockets;

/// Something that came at one interface.
#[derive(Debug)]
pub(super) enum Input {
    /// By multicast DNS.
    Packet(SocketAddr, Vec<u8>),
    /// Somebody connected.
    Connected(TcpStream, SocketAddr),
}

/// One network.
pub(super) struct Presence {
    pub(super) place: Place,
    pub(super) dns: Dns,
    sockets: Vec<Arc<UdpSocket>>,
    inputs: mpsc::Sender<(u32, Input)>,
    /// What listens by multicast.
    hearing: JoinSet<()>,
    /// What takes connections.
    listening: JoinSet<()>,
    port: u16,
    host: String,
    tags: Vec<Tag>,
    /// The name of the offer of tags, and of that to pair.
    names: [String; 2],
    number: Option<u32>,
}

impl Presence {
    /// Begins to listen. What comes is told to `inputs` with the interface. `before`: ours at that interface until now; who was seen
    /// there stays seen if the network is the same.
    pub(super) fn begin(
        now: Moment,
        place: Place,
        inputs: mpsc::Sender<(u32, Input)>,
        before: Option<&mut Self>,
    ) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut hearing = JoinSet::new();
        let mut last = None;
        for four in [true, false] {
            match sockets::multicast(&place, four) {
                Ok(socket) => {
                    let socket = Arc::new(socket);
                    hearing.spawn(hear(place.interface, Arc::clone(&socket), inputs.clone()));
                    sockets.push(socket);
                }
                Err(error) => last = Some(error),
            }
        }
        if let (true, Some(error)) = (sockets.is_empty(), last) {
            return Err(error);
        }
        let before = before.filter(|it| it.place.is_same_network(&place));
        let dns = before.map_or_else(|| Dns::new(now), |it| Dns::again(now, &mut it.dns));
        Ok(Self {
            place,
            dns,
            sockets,
            inputs,
            hearing,
            listening: JoinSet::new(),
            port: 0,
            host: String::new(),
            tags: Vec::new(),
            names: Default::default(),
            number: None,
        })
    }

    /// These tags from now on, under names and at a port that nobody has seen before.
    pub(super) fn set_tags(&mut self, now: Moment, tags: Vec<Tag>) -> io::Result<()> {
        self.tags = tags;
        self.names = [name()?, name()?];
        self.host = name()?;
        let (port, listeners) = sockets::listen(&self.place)?;
        self.port = port;
        self.listening = JoinSet::new();
        for listener in listeners {
            self.listening.spawn(take(self.place.interface, listener, self.inputs.clone()));
        }
        self.offer(now);
        Ok(())
    }

    /// Somebody may pair under this number; nobody if none.
    pub(super) fn set_number(&mut self, now: Moment, number: Option<u32>) {
        if self.number != number {
            self.number = number;
            self.offer(now);
        }
    }

    /// Under which number somebody may pair.
    #[cfg(test)]
    pub(super) fn number(&self) -> Option<u32> {
        self.number
    }

    fn offer(&mut self, now: Moment) {
        let [tags, pair] = self.names.clone();
        let make = |instance, says| Offer {
            instance,
            host: self.host.clone(),
            port: self.port,
            addresses: self.place.addresses.clone(),
            says,
        };
        let tags = (!self.tags.is_empty()).then(|| make(tags, Says::Tags(self.tags.clone())));
        let number = self.number.map(|number| make(pair, Says::Number(number)));
        let offers = if self.port == 0 { Vec::new() } else { tags.into_iter().chain(number).collect() };
        let goodbyes = self.dns.offer(now, offers);
        // Nobody who hears both is without us in between.
        self.tick(now);
        self.send(&goodbyes);
    }

    /// Sends what is due. True: what is seen has changed.
    pub(super) fn tick(&mut self, now: Moment) -> bool {
        let (packets, changed) = self.dns.tick(now);
        self.send(&packets);
        changed
    }

    /// Takes back what is offered.
    pub(super) fn leave(&mut self, now: Moment) {
        let goodbyes = self.dns.offer(now, Vec::new());
        self.send(&goodbyes);
        self.hearing.abort_all();
        self.listening.abort_all();
    }

    fn send(&self, packets: &[Vec<u8>]) {
        for packet in packets {
            for socket in &self.sockets {
                let four = socket.local_addr().is_ok_and(|at| at.is_ipv4());
                let all = sockets::group(four, self.place.interface).into();
                // Straight into the socket: the runtime takes a new one for full until it has looked at it. What does not fit is told
                // again.
                if let Err(error) = SockRef::from(&**socket).send_to(packet, &all) {
                    tracing::debug!(%error, "neighbours were not told");
                }
            }
        }
    }
}

/// Until its presence ends.
async fn hear(interface: u32, socket: Arc<UdpSocket>, inputs: mpsc::Sender<(u32, Input)>) {
    let mut bytes = vec![0; LONGEST + 1];
    loop {
        match socket.recv_from(&mut bytes).await {
            Ok((length, from)) => {
                let packet = bytes[..length].to_vec();
                if inputs.send((interface, Input::Packet(from, packet))).await.is_err() {
                    return;
                }
            }
            // As when the interface goes down: the next look at the network ends this.
            Err(error) => return tracing::debug!(%error, "neighbours are not heard any more"),
        }
    }
}

/// Until its presence ends, or other tags come.
async fn take(interface: u32, listener: TcpListener, inputs: mpsc::Sender<(u32, Input)>) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                if inputs.send((interface, Input::Connected(stream, from))).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a neighbour could not connect");
                crate::system::clock::pace(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// Sixteen letters that were never said before.
fn name() -> io::Result<String> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}
