//! The switchboard, and the way to each client.
//!
//! Lives here: every socket from the moment it is taken to the end of its task, the queue to each client, work in fair
//! order, and the memory that all queues may take together.
//! Must not: listen, or decide anything about frames.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahoy_proto::frame::{CloseCode, ToRelay};
use ahoy_proto::limits;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::address::{Address, Wide};
use crate::budgets;
use crate::client_id::ClientId;
use crate::clock;
use crate::connection::{ClientText, Connection, Input, Said, Timing};
use crate::crowd::Room;
use crate::fair::FairQueue;
use crate::handshakes::Handshakes;
use crate::livekit;
use crate::load::{Load, Queue};
use crate::pace::Paces;
use crate::rooms::{RoomOrder, RoomReport};
use crate::settings::Settings;
use crate::single::Single;
use crate::sockets::Sockets;
use crate::switchboard::{Delivery, What};
use crate::time::Moment;

/// What clients bring before it is sorted; past it they are read more slowly.
const INPUTS: usize = 1_024;

/// The switchboard and all sockets.
pub(crate) struct Exchange {
    board: Single,
    rooms: Option<mpsc::Sender<RoomOrder>>,
    tls: Option<TlsAcceptor>,
    timing: Timing,
    queue_bytes: usize,
    sockets: Sockets,
    last: u64,
    clients: BTreeMap<ClientId, Client>,
    /// Closed, and not over yet: past a bound the oldest are cut.
    goodbyes: BTreeMap<ClientId, AbortHandle>,
    tasks: BTreeMap<Id, ClientId>,
    connections: JoinSet<()>,
    /// What speaks to the server of the rooms; ends with this.
    beside: JoinSet<()>,
    inputs: mpsc::Sender<Input>,
    work: FairQueue<Work>,
    paces: Paces,
    handshakes: Handshakes,
    /// Knocks that wait for one of their neighbours' to end.
    knocks: BTreeMap<ClientId, oneshot::Sender<()>>,
    /// Bytes in all queues.
    held: Arc<AtomicUsize>,
}

/// The way to one client.
struct Client {
    address: Address,
    ip: IpAddr,
    load: Arc<Load>,
    queue: mpsc::Sender<ClientText>,
    close: oneshot::Sender<CloseCode>,
    task: AbortHandle,
}

/// What is done in fair order.
enum Work {
    /// Lets a handshake begin.
    Handshake(oneshot::Sender<()>),
    /// Hears a client.
    Hear(Said),
    /// It was done already.
    Done,
}

impl Exchange {
    /// With nobody connected, and what its connections will say.
    pub(crate) fn new(seed: [u8; 32], settings: Settings) -> (Self, mpsc::Receiver<Input>) {
        let Settings { listen: _, tls, ice, rooms, limits, timing } = settings;
        let (inputs, receiver) = mpsc::channel(INPUTS);
        let mut board = Single::with_bounds(seed, ice, limits.bounds());
        let sockets = Sockets::for_connections(limits.connections);
        board.set_room(Room { connections: sockets.connections, ..limits.room() });
        board.claim_within(timing.claim_within);
        board.set_rooms(rooms.clone());
        let mut beside = JoinSet::new();
        let rooms = rooms.map(|server| {
            let (orders, waiting) = mpsc::channel(livekit::ORDERS);
            beside.spawn(livekit::run(server, waiting, inputs.clone()));
            orders
        });
        let exchange = Self {
            board,
            rooms,
            beside,
            tls: tls.map(TlsAcceptor::from),
            timing,
            queue_bytes: limits.queue_bytes,
            sockets,
            last: 0,
            clients: BTreeMap::new(),
            goodbyes: BTreeMap::new(),
            tasks: BTreeMap::new(),
            connections: JoinSet::new(),
            inputs,
            work: FairQueue::default(),
            paces: Paces::default(),
            handshakes: Handshakes::default(),
            knocks: BTreeMap::new(),
            held: Arc::default(),
        };
        (exchange, receiver)
    }

    /// A socket was taken.
    pub(crate) fn arrived(&mut self, tcp: TcpStream, ip: IpAddr) {
        let now = clock::now();
        self.last += 1;
        let (client, address) = (ClientId(self.last), Address::from(ip));
        let (queue, lines) = mpsc::channel(limits::QUEUE_MESSAGES);
        let (close, closed) = oneshot::channel();
        let load = Load::new(Arc::clone(&self.held));
        let connection = Connection {
            client,
            tls: self.tls.clone(),
            timing: self.timing,
            pace: self.paces.of(now, address),
            load: Arc::clone(&load),
            board: self.inputs.clone(),
            queue: lines,
            close: closed,
        };
        let task = self.connections.spawn(connection.run(tcp));
        self.tasks.insert(task.id(), client);
        self.clients.insert(client, Client { address, ip, load, queue, close, task });
        let gave_way = self.board.accept(now, client, ip);
        self.deliver(now, gave_way);
    }

    /// What a connection says; its work is put in line.
    pub(crate) fn take(&mut self, input: Input) {
        let now = clock::now();
        match input {
            Input::Knocks(client, grant) => {
                let Some(known) = self.clients.get(&client) else { return };
                if self.handshakes.ask(now, client, known.address.near) {
                    self.work.push(known.address.wide, client, budgets::HANDSHAKE, Work::Handshake(grant));
                } else {
                    self.knocks.insert(client, grant);
                }
            }
            Input::Opened(client) => {
                self.handshake_over(now, client);
                if let Some(known) = self.clients.get(&client) {
                    self.board.calendar(now, clock::unix_s());
                    let told = self.board.connect(now, client, known.ip);
                    self.deliver(now, told);
                }
            }
            Input::Said(client, said) => {
                let Some(known) = self.clients.get(&client) else { return };
                let bytes = said.text.as_ref().map_or(0, |(text, _)| text.len());
                let cost = budgets::FRAME + u64::try_from(bytes).unwrap_or(u64::MAX);
                self.work.push(known.address.wide, client, cost, Work::Hear(said));
                self.relieve(now);
            }
            Input::Room(report) => {
                let told = self.board.roomed(now, report);
                self.deliver(now, told);
            }
            Input::Gone(client) => {
                self.hear_out(now, client);
                self.gone(now, client);
            }
        }
    }

    /// What a client said before it left counts, an acknowledgement above all. A connection is read only a few messages
    /// ahead, so that this is little.
    fn hear_out(&mut self, now: Moment, client: ClientId) {
        let last: Vec<Work> = self.work.of(client).map(|work| std::mem::replace(work, Work::Done)).collect();
        for work in last {
            if let Work::Hear(said) = work {
                self.hear(now, client, said);
            }
        }
    }

    /// Whether something waits to be done.
    pub(crate) fn has_work(&self) -> bool {
        !self.work.is_empty()
    }

    /// Does a little of it.
    pub(crate) fn work(&mut self) {
        let mut left = budgets::WORK_AT_ONCE;
        while left > 0
            && let Some((client, cost, work)) = self.work.pop()
        {
            if !self.clients.contains_key(&client) {
                continue;
            }
            left = left.saturating_sub(cost);
            match work {
                // Its task may have ended by itself.
                Work::Handshake(grant) => drop(grant.send(())),
                Work::Hear(said) => self.hear(clock::now(), client, said),
                Work::Done => {}
            }
        }
    }

    /// Waits until a connection's task is over, by whatever end, and forgets it.
    pub(crate) async fn ended(&mut self) {
        let id = match self.connections.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                if error.is_panic() {
                    tracing::error!(%error, "a connection's task failed");
                }
                error.id()
            }
            None => return std::future::pending().await,
        };
        if let Some(client) = self.tasks.remove(&id) {
            self.gone(clock::now(), client);
            self.goodbyes.remove(&client);
        }
    }

    /// When `tick` next has something to do.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        [self.board.deadline(), self.handshakes.deadline()].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Moment) {
        let told = self.board.tick(now);
        self.deliver(now, told);
        for late in self.handshakes.late(now) {
            self.board.disconnect(now, late);
            self.close(now, late, CloseCode::Slow);
        }
    }

    /// Closes every connection, and tells when all have said goodbye.
    pub(crate) fn close_all(mut self) -> impl Future<Output = ()> {
        for (_, client) in std::mem::take(&mut self.clients) {
            let _gone = client.close.send(CloseCode::GoingAway);
        }
        // It holds the other end of the inputs, which are waited for.
        self.beside.abort_all();
        let mut connections = self.connections;
        async move { while connections.join_next().await.is_some() {} }
    }

    fn hear(&mut self, now: Moment, client: ClientId, said: Said) {
        let frame = said.text.as_ref().map(|(text, _)| ToRelay::parse(text));
        let told = match frame {
            Some(Ok(frame)) => self.board.handle(now, client, frame),
            Some(Err(error)) => {
                tracing::debug!(%error, "a frame is dropped");
                self.board.nonsense(now, client)
            }
            None => self.board.nonsense(now, client),
        };
        // The next of this client may come.
        drop(said);
        self.deliver(now, told);
    }

    fn gone(&mut self, now: Moment, client: ClientId) {
        self.handshake_over(now, client);
        self.board.disconnect(now, client);
        if let Some(known) = self.clients.remove(&client) {
            self.says_goodbye(client, known.task);
        }
    }

    fn deliver(&mut self, now: Moment, told: Vec<Delivery>) {
        self.order_rooms(now);
        for Delivery { to, what } in told {
            match what {
                What::Close(code) => self.close(now, to, code),
                What::Say(frame) => {
                    let Some(client) = self.clients.get(&to) else { continue };
                    let text = frame.to_text();
                    let fits = client.load.queued() + text.len() <= limits::QUEUE_BYTES;
                    let held = client.load.hold(Queue::Out, text.len());
                    if !fits || client.queue.try_send(ClientText { text, held }).is_err() {
                        tracing::debug!("a client does not read");
                        self.board.disconnect(now, to);
                        self.close(now, to, CloseCode::Slow);
                    }
                }
            }
        }
        self.relieve(now);
    }

    /// Passes on what is to be done at the server of the rooms; what finds no place is answered at once.
    fn order_rooms(&mut self, now: Moment) {
        for order in self.board.room_orders() {
            let full = match &self.rooms {
                Some(rooms) => rooms.try_send(order).err().map(mpsc::error::TrySendError::into_inner),
                None => Some(order),
            };
            let Some(order) = full else { continue };
            tracing::warn!("the server of the rooms is asked for too much at once");
            let report = match order {
                RoomOrder::Create { client, room, passes, lives_s } => {
                    RoomReport::Created { client, room, passes, lives_s, made: false }
                }
                RoomOrder::Delete { client, .. } | RoomOrder::Remove { client, .. } => {
                    RoomReport::Done { client, done: false }
                }
                RoomOrder::People { client, .. } => RoomReport::People { client, who: None },
            };
            let told = self.board.roomed(now, report);
            self.deliver(now, told);
        }
    }

    fn close(&mut self, now: Moment, client: ClientId, code: CloseCode) {
        self.handshake_over(now, client);
        if let Some(known) = self.clients.remove(&client) {
            // Its task may have ended by itself.
            let _gone = known.close.send(code);
            self.says_goodbye(client, known.task);
        }
    }

    fn says_goodbye(&mut self, client: ClientId, task: AbortHandle) {
        if self.tasks.get(&task.id()) == Some(&client) {
            self.goodbyes.insert(client, task);
        }
        if self.goodbyes.len() > self.sockets.goodbyes
            && let Some((_, oldest)) = self.goodbyes.pop_first()
        {
            oldest.abort();
        }
    }

    fn handshake_over(&mut self, now: Moment, client: ClientId) {
        self.knocks.remove(&client);
        let mut over = Some(client);
        while let Some(client) = over {
            over = self.handshakes.over(now, client);
            let Some(next) = over else { return };
            if let (Some(grant), Some(known)) = (self.knocks.remove(&next), self.clients.get(&next)) {
                self.work.push(known.address.wide, next, budgets::HANDSHAKE, Work::Handshake(grant));
                return;
            }
        }
    }

    /// All queues together have a bound. Past it the address that holds most loses its heaviest connections.
    fn relieve(&mut self, now: Moment) {
        if self.held.load(Ordering::Relaxed) <= self.queue_bytes {
            return;
        }
        // What was closed is let go by its task in a moment, and is not counted here.
        let mut of: BTreeMap<Wide, (usize, Vec<(usize, ClientId)>)> = BTreeMap::new();
        let mut all = 0;
        for (client, known) in &self.clients {
            let bytes = known.load.total();
            let (sum, heavy) = of.entry(known.address.wide).or_default();
            *sum += bytes;
            all += bytes;
            heavy.push((bytes, *client));
        }
        if all <= self.queue_bytes {
            return;
        }
        let mut heaviest: Vec<_> = of.into_values().collect();
        heaviest.sort_unstable();
        // To three quarters, so that this is rare.
        while all > self.queue_bytes / 4 * 3
            && let Some((_, mut heavy)) = heaviest.pop()
        {
            heavy.sort_unstable();
            while all > self.queue_bytes / 4 * 3
                && let Some((bytes, client)) = heavy.pop()
            {
                tracing::debug!("the queues are full: a client goes");
                all -= bytes;
                self.board.disconnect(now, client);
                self.close(now, client, CloseCode::Slow);
            }
        }
    }
}

#[cfg(test)]
mod tests;
