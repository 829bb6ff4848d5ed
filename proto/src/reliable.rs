//! Delivery that can be relied on, over paths that lose, double and reorder. Sans I/O, time as argument.
//!
//! Lives here: numbers, acknowledgements, repeats, and the removal of doubles.
//! Must not: keep an order (each body is delivered at once, whatever is missing before it); seal anything.
//!
//! A packet is `all up to this came (4) ‖ bits for the 64 after it (8) ‖ its own number (4; 0: none) ‖ body`.
//! A repeat is a new packet with the same number and is sealed anew. A body that means nothing any more is emptied and
//! keeps its number: the other end counts it and delivers nothing.
//!
//! Ours, because QUIC and SCTP come with connections, order and timers of their own, and no smaller library is Sans-I/O.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ahoy_call::Moment;

/// Bytes before the body.
const HEADER: usize = 16;
/// How far a number may run ahead of what came.
pub const SPAN: u32 = 64;
/// Bodies that wait for a number, beside those that are on their way. More means that the other end is gone.
const QUEUE: usize = 128;
/// So many with closing words: a call has one or two, and what a group's log is asked for is no way around the bound.
const QUEUE_WITH_CLOSING: usize = 192;
/// Until when a body is repeated. Longer than the longest that a call may wait for its path to come back (60 s), so that
/// the rules' own clock says what happened.
pub const GIVE_UP: Duration = Duration::from_secs(75);
/// Pauses before the repeats; the last one goes on.
const PAUSES_MS: [u64; 4] = [500, 1_000, 2_000, 4_000];
/// After so many sendings of one body without a word of the other end, it is silent: only probes are repeated, so that
/// what is repeated in vain does not use up what relays carry.
const SILENT_AFTER: usize = 3;
/// What is repeated at a time to an end that is silent. Its first word makes everything due.
const PROBES: usize = 4;
/// What is sent in a second, beside closing words, while a relay says that it is too much.
const SLOWLY: usize = 2;
/// How long after a relay's refusal.
const SLOW_FOR: Duration = Duration::from_secs(10);

/// How long what came is not acknowledged by a packet of its own: much of it is followed by more, or answered. So that nothing is
/// repeated for it, it is far less than the first pause before a repeat.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_millis(150);
/// Between two acknowledgements of what had come before: who repeats faster hears no more.
const DOUBLES_PAUSE: Duration = Duration::from_millis(400);

/// Why a packet was refused. Its sender was authenticated: it broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Shorter than its header, or a body without a number.
    #[error("a packet without head or number")]
    Malformed,
    /// A number that its sender could not use yet.
    #[error("a number that runs ahead")]
    Ahead,
    /// It acknowledges what was never sent.
    #[error("an acknowledgement of what was never sent")]
    NeverSent,
}

/// Nothing more can be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other end takes nothing")]
pub struct Undeliverable;

/// A packet that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// To be sealed and sent.
    pub bytes: Vec<u8>,
    /// It carries a body that was marked to go over every path.
    pub everywhere: bool,
    /// It was sent before and not acknowledged in time.
    pub repeated: bool,
}

/// How a body goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Over every path at once, and before everything else that waits.
    pub everywhere: bool,
    /// It means nothing once [`Reliable::supersede`] was told of a later one.
    pub epoch: Option<u16>,
}

#[derive(Debug)]
struct Sent {
    body: Vec<u8>,
    manner: Manner,
    first: Option<Moment>,
    due: Option<Moment>,
    tries: usize,
}

/// Both directions of one session.
#[derive(Debug, Default)]
pub struct Reliable {
    /// The number given out last.
    last: u32,
    /// What was not acknowledged, by number.
    waiting: BTreeMap<u32, Sent>,
    /// What has no number yet: too many are on their way.
    queue: VecDeque<(Vec<u8>, Manner)>,
    /// All of theirs up to this came.
    came: u32,
    /// Bit `i`: `came + 1 + i` came too. Bit 0 is never set.
    beyond: u64,
    /// Something new came that was not acknowledged yet.
    owes: bool,
    /// When it is acknowledged by a packet of its own; none before [`Self::due`] has seen it.
    owes_until: Option<Moment>,
    /// Something came again: its acknowledgement was lost, or its sender floods.
    doubles: bool,
    /// When something was acknowledged last.
    acknowledged: Option<Moment>,
    /// Until then a relay has no room for more than closing words and a little beside.
    slow_until: Option<Moment>,
}

impl Reliable {
    /// Takes a body; the next [`Self::due`] holds it, or a later one if too many are on their way. Fails when too many
    /// wait besides.
    pub fn send(&mut self, body: Vec<u8>, manner: Manner) -> Result<(), Undeliverable> {
        if self.queue.len() >= if manner.everywhere { QUEUE_WITH_CLOSING } else { QUEUE } {
            return Err(Undeliverable);
        }
        // Closing words are few: a call has one or two.
        let place = if manner.everywhere {
            self.queue.iter().take_while(|(_, before)| before.everywhere).count()
        } else {
            self.queue.len()
        };
        self.queue.insert(place, (body, manner));
        Ok(())
    }

    /// Everything of an epoch before this one means nothing any more.
    pub fn supersede(&mut self, epoch: u16) {
        let old = |manner: &Manner| manner.epoch.is_some_and(|it| it < epoch);
        self.queue.retain(|(_, manner)| !old(manner));
        for sent in self.waiting.values_mut().filter(|sent| old(&sent.manner)) {
            sent.body = Vec::new();
        }
    }

    /// Takes a packet. `Some`: a body that had not come before.
    pub fn receive<'a>(&mut self, packet: &'a [u8]) -> Result<Option<&'a [u8]>, PacketError> {
        let (came, beyond, number, body) = split(packet)?;
        let known = self.came.saturating_add(SPAN);
        if number > known {
            return Err(PacketError::Ahead);
        }
        let highest = 64 - beyond.leading_zeros();
        if came.checked_add(highest).is_none_or(|highest| highest > self.last) {
            return Err(PacketError::NeverSent);
        }
        self.waiting.retain(|number, _| match number.checked_sub(came.saturating_add(1)) {
            None => false,
            Some(ahead) => ahead >= 64 || beyond >> ahead & 1 == 0,
        });
        if self.is_silent() {
            self.hurry();
        }
        if number == 0 {
            return Ok(None);
        }
        let new = self.is_new(number);
        self.owes |= new;
        self.doubles |= !new;
        Ok((new && !body.is_empty()).then_some(body))
    }

    /// Packets that are due now. Fails when one was repeated for too long.
    pub fn due(&mut self, now: Moment) -> Result<Vec<Packet>, Undeliverable> {
        if self.waiting.values().any(|it| it.first.is_some_and(|first| first + GIVE_UP <= now)) {
            return Err(Undeliverable);
        }
        self.number()?;
        let (came, beyond) = (self.came, self.beyond);
        let due = |sent: &Sent| sent.due.is_none_or(|due| due <= now);
        let mut numbers: Vec<u32> =
            self.waiting.iter().filter(|(_, sent)| due(sent)).map(|(number, _)| *number).collect();
        if self.slow_until.is_some_and(|until| now < until) {
            self.choose(&mut numbers, |_| true, SLOWLY, now + Duration::from_secs(1));
        } else if self.is_silent() {
            let longest = Duration::from_millis(PAUSES_MS[PAUSES_MS.len() - 1]);
            self.choose(&mut numbers, |sent| sent.tries > 0, PROBES, now + longest);
        }
        let mut packets = Vec::new();
        for number in numbers {
            let Some(sent) = self.waiting.get_mut(&number) else { continue };
            let pause = PAUSES_MS[sent.tries.min(PAUSES_MS.len() - 1)];
            let repeated = sent.tries > 0;
            sent.tries += 1;
            sent.first.get_or_insert(now);
            sent.due = Some(now + Duration::from_millis(pause));
            packets.push(Packet {
                bytes: join(came, beyond, number, &sent.body),
                everywhere: sent.manner.everywhere,
                repeated,
            });
        }
        let doubles = self.doubles_due().is_some_and(|due| due <= now);
        let owes = self.owes && *self.owes_until.get_or_insert(now + ACKNOWLEDGE_WITHIN) <= now;
        if (owes || doubles) && packets.is_empty() {
            packets.push(Packet { bytes: join(came, beyond, 0, &[]), everywhere: false, repeated: false });
        }
        if !packets.is_empty() {
            self.acknowledged = Some(now);
            (self.owes, self.owes_until, self.doubles) = (false, None, false);
        }
        Ok(packets)
    }

    /// The acknowledgement that is owed, at once: nothing more will be said here.
    pub fn last_word(&mut self) -> Option<Vec<u8>> {
        self.owes_until = None;
        std::mem::take(&mut self.owes).then(|| join(self.came, self.beyond, 0, &[]))
    }

    /// When [`Self::due`] has something next. `None`: not before something is sent or comes.
    pub fn deadline(&self) -> Option<Moment> {
        let room = !self.queue.is_empty() && self.has_room();
        if room || self.waiting.values().any(|it| it.due.is_none()) {
            return Some(Moment::default());
        }
        let owes = self.owes.then(|| self.owes_until.unwrap_or_default());
        let give_up = |it: &Sent| it.first.map(|first| first + GIVE_UP);
        let waiting = self.waiting.values().filter_map(|it| it.due.min(give_up(it)));
        waiting.chain(self.doubles_due()).chain(owes).min()
    }

    /// When what came again is acknowledged again.
    fn doubles_due(&self) -> Option<Moment> {
        let due = self.acknowledged.map_or(Moment::default(), |at| at + DOUBLES_PAUSE);
        self.doubles.then_some(due)
    }

    /// A new path stands, or the other end is back: everything that waits is due at once.
    pub fn hurry(&mut self) {
        for sent in self.waiting.values_mut() {
            (sent.due, sent.tries) = (None, sent.tries.min(1));
        }
    }

    /// A relay refuses what goes that way as too much: for a while only closing words are sent as ever.
    pub fn slow_down(&mut self, now: Moment) {
        self.slow_until = Some(now + SLOW_FOR);
    }

    /// The other end is there after all: what was given up is repeated as if it were new.
    pub fn revive(&mut self) {
        for sent in self.waiting.values_mut() {
            (sent.first, sent.due, sent.tries) = (None, None, 0);
        }
    }

    /// Nothing waits to be acknowledged, by either end.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.queue.is_empty() && !self.owes
    }

    /// Whether another number may be given out.
    fn has_room(&self) -> bool {
        let oldest = self.waiting.keys().next().copied();
        oldest.is_none_or(|oldest| self.last - oldest < SPAN - 1)
    }

    /// Gives numbers to what waits for one.
    fn number(&mut self) -> Result<(), Undeliverable> {
        while self.has_room()
            && let Some((body, manner)) = self.queue.pop_front()
        {
            self.last = self.last.checked_add(1).ok_or(Undeliverable)?;
            self.waiting.insert(self.last, Sent { body, manner, first: None, due: None, tries: 0 });
        }
        Ok(())
    }

    /// Whether the other end has left several sendings without a word.
    fn is_silent(&self) -> bool {
        self.waiting.values().any(|sent| sent.tries >= SILENT_AFTER)
    }

    /// Of the numbers that are `bounded`, keeps closing words and the latest others, `most` of these; the rest waits until
    /// `later`.
    fn choose(&mut self, numbers: &mut Vec<u32>, bounded: fn(&Sent) -> bool, most: usize, later: Moment) {
        let is_bounded = |it: &Sent| !it.manner.everywhere && bounded(it);
        let mut some: Vec<u32> =
            numbers.extract_if(.., |it| self.waiting.get(it).is_some_and(is_bounded)).collect();
        some.sort_by_key(|it| (self.waiting.get(it).is_none_or(|sent| sent.body.is_empty()), u32::MAX - it));
        for put_off in some.split_off(some.len().min(most)) {
            if let Some(sent) = self.waiting.get_mut(&put_off) {
                sent.due = Some(later);
            }
        }
        numbers.extend(some);
    }

    fn is_new(&mut self, number: u32) -> bool {
        let Some(ahead) = number.checked_sub(self.came.saturating_add(1)) else { return false };
        if ahead >= 64 || self.beyond >> ahead & 1 == 1 {
            return false;
        }
        self.beyond |= 1 << ahead;
        while self.beyond & 1 == 1 {
            self.beyond >>= 1;
            self.came += 1;
        }
        true
    }
}

fn join(came: u32, beyond: u64, number: u32, body: &[u8]) -> Vec<u8> {
    [&came.to_be_bytes()[..], &beyond.to_be_bytes(), &number.to_be_bytes(), body].concat()
}

fn split(packet: &[u8]) -> Result<(u32, u64, u32, &[u8]), PacketError> {
    let (head, body) = packet.split_first_chunk::<HEADER>().ok_or(PacketError::Malformed)?;
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *head;
    let number = u32::from_be_bytes([m, n, o, p]);
    if number == 0 && !body.is_empty() {
        return Err(PacketError::Malformed);
    }
    Ok((u32::from_be_bytes([a, b, c, d]), u64::from_be_bytes([e, f, g, h, i, j, k, l]), number, body))
}

#[cfg(test)]
mod tests;
