//! What the two ends of a test call tell each other, and by which way.
//!
//! Lives here: each word as bytes for a relay, which of them came, and which must go by hand because none came.
//! Must not: know a relay, or what seals the bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use ahoy_call::{Message, Moment};
use ahoy_proto::codec;

/// A relay that has not carried a word after so long is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whom a word is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Near,
    Far,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Post {
    /// Words go by the relay, for it is believed to carry them.
    by_relay: bool,
    next: u16,
    under_way: BTreeMap<u16, (Moment, To, Message)>,
}

impl Post {
    pub(super) fn new(by_relay: bool) -> Self {
        Self { by_relay, next: 0, under_way: BTreeMap::new() }
    }

    /// What is to be carried of a word; none: it goes by hand.
    pub(super) fn put(&mut self, now: Moment, to: To, message: &Message) -> Option<Vec<u8>> {
        if !self.by_relay {
            return None;
        }
        let content = codec::encode(message).ok()?;
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.under_way.insert(number, (now, to, message.clone()));
        Some([&number.to_be_bytes()[..], &content].concat())
    }

    /// The relay brought this: how long it took, and the word, which is read from what came.
    pub(super) fn came(&mut self, now: Moment, bytes: &[u8]) -> Option<(Duration, To, Message)> {
        let (number, content) = bytes.split_first_chunk::<2>()?;
        let message = codec::decode(content).ok()??;
        let (since, to, _) = self.under_way.remove(&u16::from_be_bytes(*number))?;
        Some((now.since(since), to, message))
    }

    /// Words that were waited for long enough. From then on all go by hand.
    pub(super) fn overdue(&mut self, now: Moment) -> Vec<(To, Message)> {
        if !self.under_way.values().any(|(since, ..)| now.since(*since) >= PATIENCE) {
            return Vec::new();
        }
        self.by_relay = false;
        std::mem::take(&mut self.under_way).into_values().map(|(_, to, message)| (to, message)).collect()
    }
}

#[cfg(test)]
mod tests {
    use ahoy_call::{Epoch, Opaque};

    use super::*;

    fn word(text: &str) -> Message {
        let list = vec![Opaque(text.as_bytes().to_vec())];
        Message::Candidates { epoch: Epoch(1), list, complete: false }
    }

    fn at(ms: u64) -> Moment {
        Moment::from_micros(1_000_000 + ms * 1_000)
    }

    #[test]
    fn a_word_that_the_relay_brings_is_known_once_with_the_time_it_took() {
        let mut post = Post::new(true);
        let there = post.put(at(0), To::Far, &word("a")).unwrap();
        let back = post.put(at(5), To::Near, &word("b")).unwrap();
        assert_eq!(post.came(at(30), &back), Some((Duration::from_millis(25), To::Near, word("b"))));
        assert_eq!(post.came(at(31), &back), None, "twice");
        assert_eq!(post.came(at(40), &there), Some((Duration::from_millis(40), To::Far, word("a"))));
        for hostile in [&[][..], &[0], &[0, 9, 1, 2], &[0xff; 80]] {
            assert_eq!(post.came(at(50), hostile), None);
        }
        assert!(post.overdue(at(60_000)).is_empty());
    }

    #[test]
    fn what_no_relay_brings_goes_by_hand_in_its_order_and_so_does_all_that_follows() {
        let mut post = Post::new(true);
        post.put(at(0), To::Far, &word("a"));
        post.put(at(3_000), To::Far, &word("b"));
        assert!(post.overdue(at(3_999)).is_empty());
        assert_eq!(post.overdue(at(4_000)), [(To::Far, word("a")), (To::Far, word("b"))]);
        assert_eq!(post.put(at(4_001), To::Near, &word("c")), None);
        assert_eq!(Post::new(false).put(at(0), To::Far, &word("a")), None, "there is no relay");
    }
}
