//! Lists and mail in memory: nothing to install, and a restart loses only waiting mail.
//!
//! Lives here: `Memory`, bounded in every direction.
//! Must not: write to a disk, or outgrow its bounds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ahoy_proto::envelope::{EnvelopeId, Inbox, TokenHash};
use ahoy_proto::limits;

use super::{Backend, Full, Mail, Put};
use crate::time::Moment;

/// How much is kept in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all waiting bodies. Past it new mail is dropped.
    pub mail_bytes: usize,
    /// Inboxes with a list. Past it the lists of those that left longest ago are forgotten.
    pub inboxes: usize,
    /// Tokens in all lists. Past it likewise.
    pub tokens: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { mail_bytes: 256 * 1024 * 1024, inboxes: 100_000, tokens: 4_000_000 }
    }
}

/// Lists and mail of one relay.
#[derive(Debug, Default)]
pub struct Memory {
    bounds: Bounds,
    boxes: BTreeMap<Inbox, Mailbox>,
    /// When which envelope is over.
    ends: BTreeSet<(Moment, Inbox, EnvelopeId)>,
    /// When the list of an absent owner is over.
    absent: BTreeSet<(Moment, Inbox)>,
    mail_bytes: usize,
    tokens: usize,
}

#[derive(Debug, Default)]
struct Mailbox {
    tokens: BTreeSet<TokenHash>,
    whole: bool,
    forgotten_at: Option<Moment>,
    mail: VecDeque<Mail>,
}

impl Memory {
    /// Empty.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Makes room for one more inbox or `more` tokens.
    fn make_room(&mut self, inboxes: usize, more: usize) -> Result<(), Full> {
        while self.boxes.len() + inboxes > self.bounds.inboxes || self.tokens + more > self.bounds.tokens {
            let Some((_, oldest)) = self.absent.first().copied() else {
                return Err(Full);
            };
            self.forget(oldest);
        }
        Ok(())
    }

    fn forget(&mut self, inbox: Inbox) {
        self.drop_mail(inbox, |_| false);
        if let Some(gone) = self.boxes.remove(&inbox) {
            self.tokens -= gone.tokens.len();
            if let Some(at) = gone.forgotten_at {
                self.absent.remove(&(at, inbox));
            }
        }
    }

    /// Drops what `keep` does not keep.
    fn drop_mail(&mut self, inbox: Inbox, keep: impl Fn(&Mail) -> bool) {
        let Some(mailbox) = self.boxes.get_mut(&inbox) else { return };
        mailbox.mail.retain(|mail| {
            let kept = keep(mail);
            if !kept {
                self.ends.remove(&(mail.until, inbox, mail.id));
                self.mail_bytes -= mail.body.bytes().len();
            }
            kept
        });
    }

    /// The list is whole: what came before it was is judged.
    fn judge(&mut self, inbox: Inbox) {
        let Some(mailbox) = self.boxes.get_mut(&inbox) else { return };
        if mailbox.whole {
            let listed = std::mem::take(&mut mailbox.tokens);
            self.drop_mail(inbox, |mail| listed.contains(&mail.token));
            if let Some(mailbox) = self.boxes.get_mut(&inbox) {
                mailbox.tokens = listed;
            }
        }
    }
}

impl Backend for Memory {
    fn claim(&mut self, inbox: Inbox, tokens: &[TokenHash], more: bool) -> Result<(), Full> {
        let mailbox = self.boxes.entry(inbox).or_default();
        self.tokens -= mailbox.tokens.len();
        mailbox.tokens.clear();
        mailbox.whole = false;
        // Present again: must not be forgotten to make room for itself.
        if let Some(at) = mailbox.forgotten_at.take() {
            self.absent.remove(&(at, inbox));
        }
        if let Err(full) = self.make_room(0, 0) {
            self.forget(inbox);
            return Err(full);
        }
        self.allow(inbox, tokens, more)
    }

    fn allow(&mut self, inbox: Inbox, tokens: &[TokenHash], more: bool) -> Result<(), Full> {
        let Some(mailbox) = self.boxes.get(&inbox) else { return Err(Full) };
        let new: BTreeSet<TokenHash> =
            tokens.iter().filter(|token| !mailbox.tokens.contains(*token)).copied().collect();
        let room = mailbox.tokens.len() + new.len() <= limits::TOKENS_OF_INBOX;
        let room = if room { self.make_room(0, new.len()) } else { Err(Full) };
        let Some(mailbox) = self.boxes.get_mut(&inbox) else { return Err(Full) };
        if room.is_ok() {
            self.tokens += new.len();
            mailbox.tokens.extend(new);
        }
        mailbox.whole = !more;
        self.judge(inbox);
        room
    }

    fn revoke(&mut self, inbox: Inbox, tokens: &[TokenHash]) {
        let Some(mailbox) = self.boxes.get_mut(&inbox) else { return };
        for token in tokens {
            if mailbox.tokens.remove(token) {
                self.tokens -= 1;
            }
        }
        self.drop_mail(inbox, |mail| !tokens.contains(&mail.token));
    }

    fn left(&mut self, now: Moment, inbox: Inbox) {
        let Some(mailbox) = self.boxes.get_mut(&inbox) else { return };
        let at = now + limits::LIST_LIVES;
        if let Some(before) = mailbox.forgotten_at.replace(at) {
            self.absent.remove(&(before, inbox));
        }
        self.absent.insert((at, inbox));
        // Who left in the middle of a list has the list that came.
        mailbox.whole = true;
        self.judge(inbox);
    }

    fn put(&mut self, inbox: Inbox, mail: Mail) -> Put {
        let bytes = mail.body.bytes().len();
        let Some(mailbox) = self.boxes.get(&inbox) else { return Put::Dropped };
        if mailbox.whole && !mailbox.tokens.contains(&mail.token) {
            return Put::Dropped;
        }
        if mailbox.mail.iter().any(|waiting| waiting.id == mail.id) {
            return Put::Dropped;
        }
        if mailbox.mail.len() >= limits::MAILBOX_ENTRIES
            && let Some(gives_way) = greediest(&mailbox.mail)
        {
            self.drop_mail(inbox, |waiting| waiting.id != gives_way);
        }
        if self.mail_bytes + bytes > self.bounds.mail_bytes {
            return Put::Dropped;
        }
        let Some(mailbox) = self.boxes.get_mut(&inbox) else { return Put::Dropped };
        let put = if mailbox.whole { Put::Waits } else { Put::Undecided };
        self.mail_bytes += bytes;
        self.ends.insert((mail.until, inbox, mail.id));
        mailbox.mail.push_back(mail);
        put
    }

    fn waiting(&self, inbox: Inbox) -> impl Iterator<Item = &Mail> {
        self.boxes.get(&inbox).filter(|mailbox| mailbox.whole).into_iter().flat_map(|mailbox| &mailbox.mail)
    }

    fn ack(&mut self, inbox: Inbox, id: EnvelopeId) {
        self.drop_mail(inbox, |mail| mail.id != id);
    }

    fn expire(&mut self, now: Moment) {
        while let Some((until, inbox, id)) = self.ends.first().copied()
            && until <= now
        {
            self.drop_mail(inbox, |mail| mail.id != id);
        }
        while let Some((at, inbox)) = self.absent.first().copied()
            && at <= now
        {
            self.forget(inbox);
        }
    }

    fn deadline(&self) -> Option<Moment> {
        let mail = self.ends.first().map(|(until, ..)| *until);
        let lists = self.absent.first().map(|(at, _)| *at);
        mail.into_iter().chain(lists).min()
    }
}

/// Who gives way in a full mailbox: the oldest envelope of the token that has most, so that one contact cannot push out
/// another's.
fn greediest(mail: &VecDeque<Mail>) -> Option<EnvelopeId> {
    let mut counts: BTreeMap<TokenHash, usize> = BTreeMap::new();
    for waiting in mail {
        *counts.entry(waiting.token).or_default() += 1;
    }
    let most = counts.values().max().copied()?;
    mail.iter().find(|waiting| counts.get(&waiting.token) == Some(&most)).map(|waiting| waiting.id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ahoy_proto::envelope::Body;

    use super::*;

    const BOX: Inbox = Inbox::from_bytes([1; 16]);

    fn token(n: u8) -> TokenHash {
        TokenHash::from_bytes([n; 16])
    }

    fn mail(id: u8, with: u8, seconds: u64) -> Mail {
        Mail {
            id: EnvelopeId::from_bytes([id; 16]),
            token: token(with),
            body: Body::try_from(vec![id; 10]).unwrap(),
            came: Moment::default(),
            until: Moment::default() + Duration::from_secs(seconds),
        }
    }

    fn ids(memory: &Memory) -> Vec<u8> {
        memory.waiting(BOX).map(|m| m.id.bytes()[0]).collect()
    }

    #[test]
    fn one_contact_cannot_push_out_anothers_mail() {
        let mut m = Memory::default();
        m.claim(BOX, &[token(1), token(2)], false).unwrap();
        m.put(BOX, mail(200, 2, 60));
        for id in 0..150 {
            assert_eq!(m.put(BOX, mail(id, 1, 60)), Put::Waits);
        }
        let left = ids(&m);
        assert_eq!(left.len(), limits::MAILBOX_ENTRIES);
        assert_eq!((left[0], left[1], left[63]), (200, 87, 149), "the newest of one, all of the other");
        assert_eq!((m.mail_bytes, m.ends.len()), (640, 64));
    }

    #[test]
    fn what_comes_before_the_list_is_whole_is_judged_when_it_is() {
        let mut m = Memory::default();
        m.claim(BOX, &[token(1)], true).unwrap();
        assert_eq!(m.put(BOX, mail(1, 1, 60)), Put::Undecided);
        assert_eq!(m.put(BOX, mail(2, 2, 60)), Put::Undecided);
        assert_eq!(m.put(BOX, mail(3, 3, 60)), Put::Undecided);
        assert_eq!(ids(&m), [0_u8; 0]);
        m.allow(BOX, &[token(2)], false).unwrap();
        assert_eq!(ids(&m), [1, 2]);
    }

    #[test]
    fn a_list_ends_at_its_limit_and_keeps_what_it_had() {
        let mut m = Memory::default();
        m.claim(BOX, &[], true).unwrap();
        let many: Vec<_> = (0..16_385_u32)
            .map(|n| TokenHash::from_bytes(std::array::from_fn(|i| n.to_le_bytes()[i % 4])))
            .collect();
        assert_eq!(m.allow(BOX, &many[..16_384], false), Ok(()));
        assert_eq!(m.allow(BOX, &many[..5], false), Ok(()), "known ones take no room");
        assert_eq!(m.allow(BOX, &many[16_384..], false), Err(Full));
        assert_eq!(m.tokens, 16_384);
        m.revoke(BOX, &many[..1]);
        assert_eq!(m.allow(BOX, &many[16_384..], false), Ok(()));
    }

    #[test]
    fn room_is_made_by_forgetting_who_left_longest_ago_and_nobody_who_is_here() {
        let at = |s| Moment::default() + Duration::from_secs(s);
        let inbox = |n| Inbox::from_bytes([n; 16]);
        let mut m = Memory::new(Bounds { inboxes: 2, ..Bounds::default() });
        for n in 1..=2 {
            m.claim(inbox(n), &[token(n)], false).unwrap();
        }
        assert_eq!(m.claim(inbox(3), &[token(3)], false), Err(Full));
        m.left(at(2), inbox(2));
        m.left(at(1), inbox(1));
        assert_eq!(m.claim(inbox(3), &[token(3)], false), Ok(()));
        assert!(!m.boxes.contains_key(&inbox(1)) && m.boxes.contains_key(&inbox(2)));
        assert_eq!((m.tokens, m.absent.len()), (2, 1));
    }

    #[test]
    fn all_bodies_together_are_bounded() {
        let mut m = Memory::new(Bounds { mail_bytes: 25, ..Bounds::default() });
        m.claim(BOX, &[token(1)], false).unwrap();
        assert_eq!(m.put(BOX, mail(1, 1, 60)), Put::Waits);
        assert_eq!(m.put(BOX, mail(2, 1, 60)), Put::Waits);
        assert_eq!(m.put(BOX, mail(3, 1, 60)), Put::Dropped);
        m.ack(BOX, EnvelopeId::from_bytes([1; 16]));
        assert_eq!(m.put(BOX, mail(3, 1, 60)), Put::Waits);
    }
}
