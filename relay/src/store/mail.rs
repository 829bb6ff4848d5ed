//! Envelopes that wait, in memory.
//!
//! Lives here: `MailRoom`: which wait where, when each is over, and which gives way when there is no room. Nobody's
//! flood takes the room of others: who has sent most loses first.
//! Must not: know tokens' lists, or who is here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ahoy_proto::envelope::{EnvelopeId, Inbox, TokenHash};
use ahoy_proto::limits;

use super::{Mail, Place};
use crate::address::{Address, Near, Wide};
use crate::budgets;
use crate::shares::Shares;
use crate::time::Moment;

/// What lives longest gives way first.
type Key = (Reverse<Moment>, Inbox, EnvelopeId);

/// All envelopes that wait.
#[derive(Debug)]
pub(crate) struct MailRoom {
    bytes: usize,
    boxes: BTreeMap<Inbox, VecDeque<Kept>>,
    ends: BTreeSet<(Moment, Inbox, EnvelopeId)>,
    /// By who sent it.
    sent: Shares<Wide, Near, Key>,
    /// By whom it waits for.
    owed: Shares<Wide, Inbox, Key>,
    last: u64,
}

#[derive(Debug)]
struct Kept {
    place: Place,
    mail: Mail,
    owner: Wide,
}

fn weight(mail: &Mail) -> usize {
    mail.body.bytes().len() + budgets::ENVELOPE
}

impl MailRoom {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let (boxes, ends) = (BTreeMap::new(), BTreeSet::new());
        Self { bytes, boxes, ends, sent: Shares::default(), owed: Shares::default(), last: 0 }
    }

    /// Whether this envelope waits there.
    pub(crate) fn holds(&self, inbox: Inbox, id: EnvelopeId) -> bool {
        self.boxes.get(&inbox).is_some_and(|kept| kept.iter().any(|kept| kept.mail.id == id))
    }

    /// Keeps an envelope for an inbox whose owner is, or was, at `owner`. `None` if there is no room that it may take.
    pub(crate) fn keep(&mut self, inbox: Inbox, owner: Address, mail: &Mail) -> Option<Place> {
        let (new, from) = (weight(mail), mail.from);
        let key: Key = (Reverse(mail.until), inbox, mail.id);
        let of_owner = self.bytes / budgets::MAIL_OF_ADDRESS;
        if new > of_owner {
            return None;
        }
        // Only what surely makes room goes.
        while self.owed.of(owner.wide) + new > of_owner {
            let (fullest, longest) = self.owed.gives_way_in(owner.wide)?;
            if fullest == inbox && key < longest {
                return None;
            }
            self.drop_key(longest);
        }
        while self.sent.total() + new > self.bytes {
            let (most, _, longest) = self.sent.gives_way()?;
            if self.sent.of(most) > self.sent.of(from.wide) + new {
                self.drop_key(longest);
                continue;
            }
            // Who sends this has most itself.
            let (_, longest) = self.sent.gives_way_in(from.wide)?;
            if key < longest {
                return None;
            }
            self.drop_key(longest);
        }
        let kept = self.boxes.entry(inbox).or_default();
        if kept.len() >= limits::MAILBOX_ENTRIES
            && let Some(gives_way) = greediest(kept)
        {
            self.drop_if(inbox, |mail| mail.id == gives_way);
        }
        self.last += 1;
        let place = Place(self.last);
        self.ends.insert((mail.until, inbox, mail.id));
        self.sent.put(from.wide, from.near, key, new);
        self.owed.put(owner.wide, inbox, key, new);
        let kept = Kept { place, mail: mail.clone(), owner: owner.wide };
        self.boxes.entry(inbox).or_default().push_back(kept);
        Some(place)
    }

    /// What waits behind a place, oldest first, and whether there is more.
    pub(crate) fn read(
        &self,
        inbox: Inbox,
        after: Place,
        entries: usize,
        mut bytes: usize,
    ) -> (Vec<(Place, Mail)>, bool) {
        let mut out = Vec::new();
        let waiting = self.boxes.get(&inbox).into_iter().flatten().filter(|kept| kept.place > after);
        for Kept { place, mail, .. } in waiting {
            let body = mail.body.bytes().len();
            if out.len() >= entries || body > bytes {
                return (out, true);
            }
            bytes -= body;
            out.push((*place, mail.clone()));
        }
        (out, false)
    }

    /// Drops what is meant.
    pub(crate) fn drop_if(&mut self, inbox: Inbox, is_meant: impl Fn(&Mail) -> bool) {
        let Some(waiting) = self.boxes.get_mut(&inbox) else { return };
        waiting.retain(|kept| {
            let meant = is_meant(&kept.mail);
            if meant {
                let mail = &kept.mail;
                let key = (Reverse(mail.until), inbox, mail.id);
                self.ends.remove(&(mail.until, inbox, mail.id));
                self.sent.take(mail.from.wide, mail.from.near, key);
                self.owed.take(kept.owner, inbox, key);
            }
            !meant
        });
        if waiting.is_empty() {
            self.boxes.remove(&inbox);
        }
    }

    /// Drops what is over.
    pub(crate) fn expire(&mut self, now: Moment) {
        while let Some((until, inbox, id)) = self.ends.first().copied()
            && until <= now
        {
            self.drop_if(inbox, |mail| mail.id == id);
        }
    }

    /// When something is over next.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.ends.first().map(|(until, ..)| *until)
    }

    fn drop_key(&mut self, (_, inbox, id): Key) {
        self.drop_if(inbox, |mail| mail.id == id);
    }

    /// What all of it weighs.
    #[cfg(test)]
    fn weight(&self) -> usize {
        let all: usize = self.boxes.values().flatten().map(|kept| weight(&kept.mail)).sum();
        assert_eq!((self.sent.total(), self.owed.total()), (all, all));
        assert_eq!(self.ends.len(), self.boxes.values().map(VecDeque::len).sum::<usize>());
        all
    }
}

/// Who gives way in a full mailbox: the oldest envelope of the token that has most, so that one contact cannot push out
/// another's.
fn greediest(kept: &VecDeque<Kept>) -> Option<EnvelopeId> {
    let mut counts: BTreeMap<TokenHash, usize> = BTreeMap::new();
    for waiting in kept {
        *counts.entry(waiting.mail.token).or_default() += 1;
    }
    let most = counts.values().max().copied()?;
    kept.iter().find(|waiting| counts.get(&waiting.mail.token) == Some(&most)).map(|waiting| waiting.mail.id)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use ahoy_proto::envelope::Body;

    use super::*;

    fn at(n: u8) -> Address {
        Address::from(IpAddr::from([192, 0, 2, n]))
    }

    fn inbox(n: u8) -> Inbox {
        Inbox::from_bytes([n; 16])
    }

    fn mail(id: u8, from: u8, bytes: usize, seconds: u64) -> Mail {
        Mail {
            id: EnvelopeId::from_bytes([id; 16]),
            token: TokenHash::from_bytes([from; 16]),
            body: Body::try_from(vec![id; bytes]).unwrap(),
            from: at(from),
            came: Moment::default(),
            until: Moment::default() + Duration::from_secs(seconds),
        }
    }

    fn ids(room: &MailRoom, of: u8) -> Vec<u8> {
        let (mail, more) = room.read(inbox(of), Place(0), 1_000, usize::MAX);
        assert!(!more);
        mail.iter().map(|(_, mail)| mail.id.bytes()[0]).collect()
    }

    #[test]
    fn one_contact_cannot_push_out_anothers_mail() {
        let mut room = MailRoom::new(10_000_000);
        room.keep(inbox(1), at(9), &mail(200, 2, 10, 60)).unwrap();
        for id in 0..150 {
            room.keep(inbox(1), at(9), &mail(id, 1, 10, 60)).unwrap();
        }
        let left = ids(&room, 1);
        assert_eq!(left.len(), limits::MAILBOX_ENTRIES);
        assert_eq!((left[0], left[1], left[63]), (200, 87, 149), "the newest of one, all of the other");
        room.weight();
    }

    #[test]
    fn who_has_sent_most_loses_first_and_what_lives_longest_of_it() {
        // Room for ten of these.
        let mut room = MailRoom::new(10 * (1_000 + budgets::ENVELOPE));
        for n in 0..9 {
            room.keep(inbox(n), at(100 + n), &mail(n, 1, 1_000, if n == 4 { 600 } else { 60 })).unwrap();
        }
        room.keep(inbox(50), at(50), &mail(50, 2, 1_000, 6_000)).unwrap();
        room.keep(inbox(51), at(51), &mail(51, 3, 1_000, 6_000)).unwrap();
        assert_eq!((ids(&room, 4), ids(&room, 50), ids(&room, 51)), (vec![], vec![50], vec![51]));
        let long = room.keep(inbox(60), at(60), &mail(60, 1, 1_000, 600));
        assert_eq!(long, None, "what is longer than its own");
        assert!(room.keep(inbox(60), at(60), &mail(60, 1, 1_000, 30)).is_some(), "in place of its own");
        assert!(room.weight() <= 10 * (1_000 + budgets::ENVELOPE));
    }

    #[test]
    fn the_inboxes_of_one_address_share_an_eighth_and_the_fullest_gives_way() {
        let mut room = MailRoom::new(8 * 10 * (1_000 + budgets::ENVELOPE));
        for n in 0..30 {
            room.keep(inbox(1), at(9), &mail(n, n, 1_000, 60));
        }
        assert_eq!(ids(&room, 1).len(), 10, "of all senders together");
        room.keep(inbox(2), at(9), &mail(100, 200, 1_000, 60)).unwrap();
        room.keep(inbox(3), at(8), &mail(101, 200, 1_000, 60)).unwrap();
        assert_eq!((ids(&room, 1).len(), ids(&room, 2), ids(&room, 3)), (9, vec![100], vec![101]));
        room.weight();
    }

    #[test]
    fn nothing_gives_way_to_what_finds_no_room_in_the_end() {
        let mut room = MailRoom::new(8 * 2_000);
        for n in 0..3 {
            room.keep(inbox(1), at(9), &mail(n, 1, 10, 60)).unwrap();
        }
        assert_eq!(room.keep(inbox(1), at(9), &mail(9, 1, 3_000, 60)), None);
        assert_eq!(ids(&room, 1), [0, 1, 2]);
    }

    #[test]
    fn what_is_over_makes_room() {
        let mut room = MailRoom::new(1_000_000);
        room.keep(inbox(1), at(9), &mail(1, 1, 10, 60)).unwrap();
        room.keep(inbox(1), at(9), &mail(2, 1, 10, 30)).unwrap();
        assert_eq!(room.deadline(), Some(Moment::default() + Duration::from_secs(30)));
        room.expire(Moment::default() + Duration::from_secs(30));
        assert_eq!(ids(&room, 1), [1]);
        room.drop_if(inbox(1), |_| true);
        assert_eq!((room.weight(), room.deadline()), (0, None));
    }
}
