//! Lists and mail in memory: nothing to install, and a restart loses only waiting mail.
//!
//! Lives here: `Memory`, which carries out the switchboard's orders at once, bounded in every direction.
//! Must not: write to a disk, or outgrow its bounds.

use ahoy_proto::envelope::Inbox;

use super::lists::{Changed, Judged, Lists};
use super::mail::MailRoom;
use super::passes::Passes;
use super::{Mail, Store, Stored};
use crate::budgets;
use crate::client_id::ClientId;
use crate::time::Moment;

/// How much is kept in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all waiting envelopes. Past it who has sent most loses mail.
    pub mail_bytes: usize,
    /// Inboxes with a list. Past it lists of those who are away are forgotten.
    pub inboxes: usize,
    /// Tokens in all lists, beyond those that everybody may have. Past it who has most loses some.
    pub tokens: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { mail_bytes: 256 * 1024 * 1024, inboxes: 100_000, tokens: budgets::TOKENS }
    }
}

/// Lists and mail of one relay.
#[derive(Debug)]
pub struct Memory {
    lists: Lists,
    mail: MailRoom,
    passes: Passes,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl Memory {
    /// Empty.
    pub fn new(bounds: Bounds) -> Self {
        let Bounds { mail_bytes, inboxes, tokens } = bounds;
        Self {
            lists: Lists::new(inboxes, tokens),
            mail: MailRoom::new(mail_bytes),
            passes: Passes::default(),
        }
    }

    /// Carries out one order.
    pub fn perform(&mut self, now: Moment, order: Store) -> Vec<Stored> {
        match order {
            Store::Claim { client, inbox, from, tokens, more } => {
                let (displaced, changed) = self.lists.claim(client, inbox, from, &tokens, more);
                let mut out = vec![Stored::Claimed { client, displaced }];
                self.changed(client, inbox, changed, &mut out);
                out
            }
            Store::Allow { client, inbox, tokens, more } => {
                let changed = self.lists.allow(inbox, &tokens, more);
                let mut out = Vec::new();
                self.changed(client, inbox, changed, &mut out);
                out
            }
            Store::Revoke { inbox, tokens } => {
                self.lists.revoke(inbox, &tokens);
                self.mail.drop_if(inbox, |mail| tokens.contains(&mail.token));
                Vec::new()
            }
            Store::Settled { inbox } => {
                self.lists.settled(inbox);
                Vec::new()
            }
            Store::Left { client, inbox } => {
                let changed = self.lists.left(now, client, inbox);
                self.changed(client, inbox, changed, &mut Vec::new());
                Vec::new()
            }
            Store::Put { inbox, mail } => self.put(now, inbox, mail).into_iter().collect(),
            Store::Read { client, inbox, after, entries, bytes } => {
                let (mail, more) = match self.lists.is_whole(inbox) {
                    true => self.mail.read(inbox, after, entries, bytes),
                    false => (Vec::new(), false),
                };
                vec![Stored::Waiting { client, mail, more }]
            }
            Store::Ack { inbox, id } => {
                self.mail.drop_if(inbox, |mail| mail.id == id);
                Vec::new()
            }
            Store::Redeem { client, room, number, until } => {
                vec![Stored::Redeemed { client, room, outcome: self.passes.redeem(number, until) }]
            }
        }
    }

    /// Drops what is over.
    pub fn expire(&mut self, now: Moment) {
        self.mail.expire(now);
        self.passes.expire(now);
        let mut forgotten = Vec::new();
        self.lists.expire(now, &mut forgotten);
        self.forget(&forgotten);
    }

    /// When `expire` next has something to do.
    pub fn deadline(&self) -> Option<Moment> {
        [self.mail.deadline(), self.lists.deadline(), self.passes.deadline()].into_iter().flatten().min()
    }

    /// Who is here gets it, whether there is room to keep it or not.
    fn put(&mut self, now: Moment, inbox: Inbox, mut mail: Mail) -> Option<Stored> {
        let owner = match self.lists.judge(inbox, &mail.token) {
            Judged::Unlisted => return None,
            Judged::Undecided => None,
            Judged::Listed(owner) => owner,
        };
        if self.mail.holds(inbox, mail.id) {
            return None;
        }
        let (at, lives) = self.lists.owner(inbox)?;
        mail.until = mail.until.min(mail.came + lives);
        if mail.until <= now {
            return None;
        }
        let place = self.mail.keep(inbox, at, &mail);
        owner.map(|client| Stored::Arrived { client, mail, place })
    }

    fn changed(&mut self, client: ClientId, inbox: Inbox, changed: Changed, out: &mut Vec<Stored>) {
        let Changed { full, whole, gave_way, forgotten } = changed;
        self.forget(&forgotten);
        out.extend(gave_way.into_iter().map(|client| Stored::GaveWay { client }));
        if full {
            out.push(Stored::Full { client });
        }
        if whole {
            // What came before it was whole is judged.
            if let Some(tokens) = self.lists.judges(inbox) {
                self.mail.drop_if(inbox, |mail| tokens.binary_search(&mail.token).is_err());
            }
            out.push(Stored::Whole { client });
        }
    }

    fn forget(&mut self, inboxes: &[Inbox]) {
        for inbox in inboxes {
            self.mail.drop_if(*inbox, |_| true);
        }
    }
}
