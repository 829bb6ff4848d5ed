//! Delivery that can be relied on, over paths that lose, double and reorder. Sans I/O, time as argument.
//!
//! Lives here: numbers, acknowledgements, repeats, and the removal of doubles.
//! Must not: keep an order (each body is delivered at once, whatever is missing before it); seal anything.
//!
//! A packet is `all up to this came (4) ‖ bits for the 64 after it (8) ‖ its own number (4; 0: none) ‖ body`.
//! A repeat is a new packet with the same number and is sealed anew.

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::Moment;

/// Bytes before the body.
const HEADER: usize = 16;
/// Most bodies on their way, and how far a number may run ahead of what came.
pub const SPAN: u32 = 64;
/// Until when a body is repeated. Longer than a call waits for its path to come back (30 s), so that the rules'
/// own clock says what happened.
pub const GIVE_UP: Duration = Duration::from_secs(45);
/// Pauses before the repeats; the last one goes on.
const PAUSES_MS: [u64; 4] = [500, 1_000, 2_000, 4_000];

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

#[derive(Debug)]
struct Sent {
    body: Vec<u8>,
    everywhere: bool,
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
    /// All of theirs up to this came.
    came: u32,
    /// Bit `i`: `came + 1 + i` came too. Bit 0 is never set.
    beyond: u64,
    /// Something new came that was not acknowledged yet.
    owes: bool,
    /// Something came again: its acknowledgement was lost, or its sender floods.
    doubles: bool,
    /// When something was acknowledged last.
    acknowledged: Option<Moment>,
}

impl Reliable {
    /// Takes a body; the next [`Self::due`] holds it. Fails when too many are on their way.
    pub fn send(&mut self, body: Vec<u8>, everywhere: bool) -> Result<(), Undeliverable> {
        let oldest = self.waiting.keys().next().copied().unwrap_or(self.last);
        if self.last.saturating_sub(oldest) >= SPAN - 1 {
            return Err(Undeliverable);
        }
        self.last = self.last.checked_add(1).ok_or(Undeliverable)?;
        self.waiting.insert(self.last, Sent { body, everywhere, first: None, due: None, tries: 0 });
        Ok(())
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
        if number == 0 {
            return Ok(None);
        }
        let new = self.is_new(number);
        self.owes |= new;
        self.doubles |= !new;
        Ok(new.then_some(body))
    }

    /// Packets that are due now. Fails when one was repeated for too long.
    pub fn due(&mut self, now: Moment) -> Result<Vec<Packet>, Undeliverable> {
        if self.waiting.values().any(|it| it.first.is_some_and(|first| first + GIVE_UP <= now)) {
            return Err(Undeliverable);
        }
        let (came, beyond) = (self.came, self.beyond);
        let mut packets = Vec::new();
        for (number, sent) in &mut self.waiting {
            if sent.due.is_some_and(|due| due > now) {
                continue;
            }
            let pause = PAUSES_MS[sent.tries.min(PAUSES_MS.len() - 1)];
            let repeated = sent.tries > 0;
            sent.tries += 1;
            sent.first.get_or_insert(now);
            sent.due = Some(now + Duration::from_millis(pause));
            packets.push(Packet {
                bytes: join(came, beyond, *number, &sent.body),
                everywhere: sent.everywhere,
                repeated,
            });
        }
        let doubles = self.doubles_due().is_some_and(|due| due <= now);
        if (self.owes || doubles) && packets.is_empty() {
            packets.push(Packet { bytes: join(came, beyond, 0, &[]), everywhere: false, repeated: false });
        }
        if !packets.is_empty() {
            self.acknowledged = Some(now);
            (self.owes, self.doubles) = (false, false);
        }
        Ok(packets)
    }

    /// When [`Self::due`] has something next. `None`: not before something is sent or comes.
    pub fn deadline(&self) -> Option<Moment> {
        if self.owes || self.waiting.values().any(|it| it.due.is_none()) {
            return Some(Moment::default());
        }
        let give_up = |it: &Sent| it.first.map(|first| first + GIVE_UP);
        let waiting = self.waiting.values().filter_map(|it| it.due.min(give_up(it)));
        waiting.chain(self.doubles_due()).min()
    }

    /// When what came again is acknowledged again.
    fn doubles_due(&self) -> Option<Moment> {
        let due = self.acknowledged.map_or(Moment::default(), |at| at + DOUBLES_PAUSE);
        self.doubles.then_some(due)
    }

    /// A new path stands: everything that waits is due at once.
    pub fn hurry(&mut self) {
        for sent in self.waiting.values_mut() {
            sent.due = None;
        }
    }

    /// Nothing waits to be acknowledged.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    fn pass(from: &mut Reliable, to: &mut Reliable, now: Moment) -> Vec<Vec<u8>> {
        let packets = from.due(now).unwrap();
        packets.iter().filter_map(|it| to.receive(&it.bytes).unwrap().map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn a_body_comes_once_and_its_acknowledgement_ends_the_repeats() {
        let (mut a, mut b) = (Reliable::default(), Reliable::default());
        a.send(b"one".to_vec(), false).unwrap();
        assert_eq!(a.deadline(), Some(Moment::default()), "at once");
        assert_eq!(pass(&mut a, &mut b, at(0)), [b"one"]);
        assert_eq!(a.deadline(), Some(at(500)));
        assert!(pass(&mut b, &mut a, at(10)).is_empty());
        assert!(a.is_idle());
        assert_eq!((a.deadline(), b.deadline()), (None, None));
    }

    #[test]
    fn repeats_come_after_half_a_second_then_slower_until_it_gives_up() {
        let mut a = Reliable::default();
        a.send(b"one".to_vec(), false).unwrap();
        let mut sent = Vec::new();
        let end = loop {
            let now = a.deadline().unwrap();
            match a.due(now) {
                Ok(packets) => sent.extend(packets.iter().map(|_| now.micros() / 1000)),
                Err(Undeliverable) => break now,
            }
        };
        assert_eq!(
            sent,
            [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 35500, 39500, 43500]
        );
        assert_eq!(end, at(45_000));
    }

    #[test]
    fn a_hole_delays_nobody_and_is_filled_once() {
        let (mut a, mut b) = (Reliable::default(), Reliable::default());
        for body in [b"1", b"2", b"3"] {
            a.send(body.to_vec(), false).unwrap();
        }
        let packets = a.due(at(0)).unwrap();
        assert_eq!(b.receive(&packets[2].bytes), Ok(Some(&b"3"[..])));
        assert_eq!(b.receive(&packets[2].bytes), Ok(None), "a double");
        assert_eq!(b.receive(&packets[0].bytes), Ok(Some(&b"1"[..])));
        assert!(pass(&mut b, &mut a, at(1)).is_empty());
        assert_eq!(pass(&mut a, &mut b, at(500)), [b"2"], "only the missing one is repeated");
    }

    #[test]
    fn sixty_four_may_be_on_their_way_and_no_more() {
        let (mut a, mut b) = (Reliable::default(), Reliable::default());
        for _ in 0..64 {
            a.send(vec![1], false).unwrap();
        }
        assert_eq!(a.send(vec![1], false), Err(Undeliverable));
        let packets = a.due(at(0)).unwrap();
        assert_eq!(b.receive(&packets[63].bytes), Ok(Some(&[1][..])), "the last may come first");
        pass(&mut b, &mut a, at(1));
        assert_eq!(a.send(vec![1], false), Err(Undeliverable), "the oldest still waits");
        b.receive(&packets[0].bytes).unwrap();
        pass(&mut b, &mut a, at(2));
        assert_eq!(a.send(vec![1], false), Ok(()));
    }

    #[test]
    fn what_breaks_the_protocol_is_refused_and_changes_nothing() {
        let mut a = Reliable::default();
        assert_eq!(a.receive(&[0; 15]), Err(PacketError::Malformed));
        assert_eq!(a.receive(&join(0, 0, 0, b"x")), Err(PacketError::Malformed));
        assert_eq!(a.receive(&join(0, 0, 65, b"x")), Err(PacketError::Ahead));
        assert_eq!(a.receive(&join(1, 0, 1, b"x")), Err(PacketError::NeverSent));
        assert_eq!(a.receive(&join(0, 1 << 63, 1, b"x")), Err(PacketError::NeverSent));
        assert_eq!(a.receive(&join(u32::MAX, u64::MAX, 1, b"x")), Err(PacketError::NeverSent));
        assert_eq!(a.deadline(), None);
    }

    #[test]
    fn a_new_path_makes_what_waits_due() {
        let mut a = Reliable::default();
        a.send(vec![1], true).unwrap();
        assert!(a.due(at(0)).unwrap()[0].everywhere);
        assert!(a.due(at(1)).unwrap().is_empty());
        a.hurry();
        assert_eq!(a.due(at(2)).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn over_a_bad_network_all_comes_exactly_once(
            fates in proptest::collection::vec((0_u8..4, 0_usize..6), 0..200), count in 1_u8..60
        ) {
            let mut ends = [Reliable::default(), Reliable::default()];
            let mut got = [Vec::new(), Vec::new()];
            for n in 0..count {
                ends[0].send(vec![n], false).unwrap();
                ends[1].send(vec![n], false).unwrap();
            }
            let mut fates = fates.into_iter();
            let mut air: Vec<(usize, Vec<u8>)> = Vec::new();
            let mut now = 0;
            while !(ends[0].is_idle() && ends[1].is_idle()) {
                prop_assert!(now < 44_000);
                for (from, end) in ends.iter_mut().enumerate() {
                    for packet in end.due(at(now)).unwrap() {
                        let (fate, place) = fates.next().unwrap_or((1, 0));
                        for _ in 0..fate.min(2) {
                            air.insert(place.min(air.len()), (1 - from, packet.bytes.clone()));
                        }
                    }
                }
                for (to, bytes) in air.drain(..) {
                    if let Some(body) = ends[to].receive(&bytes).unwrap() {
                        got[to].push(body[0]);
                    }
                }
                now += 100;
            }
            for mut bodies in got {
                bodies.sort_unstable();
                prop_assert_eq!(bodies, (0..count).collect::<Vec<_>>());
            }
        }

        #[test]
        fn any_packet_is_read_or_refused(
            packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)
        ) {
            let mut a = Reliable::default();
            a.send(vec![1], false).unwrap();
            for packet in packets {
                let _ = a.receive(&packet);
                prop_assert!(a.due(at(0)).is_ok());
            }
        }
    }
}
