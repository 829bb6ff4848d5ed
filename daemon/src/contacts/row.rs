//! One contact in memory: all but its card.
//!
//! Lives here: what a row holds, to and from its file, and as clients see it.
//! Must not: grow. Ten thousand rows take 2 MiB at most; what is seldom asked for is read from the file.

use ahoy_call::PeerId;
use ahoy_proto::identity::AccountBytes;
use ahoy_proto::words;

use super::ContactRow;
use super::format::{ContactFile, VERSION, hex};
use crate::values::contact_rules::{self, ContactRules};
use crate::values::preconnect::Preconnect;

/// One contact. Times are microseconds since the Unix epoch.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) account: AccountBytes,
    pub(super) name: Box<str>,
    pub(super) blocked: bool,
    pub(super) mutual: bool,
    /// They answer our pings, as they said last.
    pub(super) ping_there: bool,
    /// They said that their account has ended.
    pub(super) ended: bool,
    /// The revision of our card that they were sent last, or got when we paired; 0: none that we know of.
    pub(super) told: u64,
    pub(super) added_at: i64,
    pub(super) last_call_at: i64,
    /// What a person decided, if it is not the usual: most contacts pay nothing for it.
    pub(super) manner: Option<Box<ContactRules>>,
}

impl Row {
    /// Somebody who was added just now.
    pub(super) fn new(account: AccountBytes, name: &str, added_at: i64) -> Self {
        let (blocked, mutual, ping_there, told) = (false, false, false, 0);
        Self {
            account,
            name: name.into(),
            blocked,
            mutual,
            ping_there,
            ended: false,
            told,
            added_at,
            last_call_at: 0,
            manner: None,
        }
    }

    /// From its file.
    pub(super) fn of(account: AccountBytes, file: ContactFile) -> Self {
        let ContactFile {
            version: _,
            card: _,
            name,
            blocked,
            mutual,
            ping_there,
            ended,
            told,
            added_at,
            last_call_at,
            manner,
        } = file;
        let manner = boxed(manner);
        // A version before took names as they came.
        let name = words::name(&name, "Somebody");
        let name = name.into();
        Self { account, name, blocked, mutual, ping_there, ended, told, added_at, last_call_at, manner }
    }

    /// As its file, with the text of the card.
    pub(super) fn file(&self, card: String) -> ContactFile {
        ContactFile {
            version: VERSION,
            card,
            name: self.name.to_string(),
            blocked: self.blocked,
            mutual: self.mutual,
            ping_there: self.ping_there,
            ended: self.ended,
            told: self.told,
            added_at: self.added_at,
            last_call_at: self.last_call_at,
            manner: self.manner(),
        }
    }

    /// As clients see it, who are at that account.
    pub(super) fn shown(&self, peer: PeerId, own: AccountBytes) -> ContactRow {
        ContactRow {
            id: hex(peer.bytes()),
            address: self.account.address(),
            name: self.name.to_string(),
            twins: Vec::new(),
            blocked: self.blocked,
            mutual: self.mutual,
            ping_there: self.ping_there,
            ended: self.ended,
            ping: None,
            manner: self.manner(),
            safety_number: own.safety_number(self.account),
            added_at: self.added_at,
            last_call_at: self.last_call_at,
        }
    }

    /// Whether they may see that we can be reached: not who is never to ring, for we look offline to them.
    pub(super) fn may_ping(&self) -> bool {
        let never = contact_rules::RingPolicy::Never;
        self.manner.as_ref().is_some_and(|manner| manner.ping && manner.ring_policy != never)
    }

    pub(super) fn is_favorite(&self) -> bool {
        self.manner.as_ref().is_some_and(|manner| manner.favorite)
    }

    pub(super) fn manner(&self) -> ContactRules {
        self.manner.as_deref().cloned().unwrap_or_default()
    }

    /// Whether this contact may learn our network address before we answer; its own setting wins.
    pub(super) fn preconnect(&self, for_all: Preconnect) -> bool {
        let verified = self.manner.as_ref().is_some_and(|manner| manner.verified);
        match self.manner.as_ref().map_or(contact_rules::Preconnect::Default, |manner| manner.preconnect) {
            contact_rules::Preconnect::Always => true,
            contact_rules::Preconnect::Trusted => verified,
            contact_rules::Preconnect::Never => false,
            contact_rules::Preconnect::Default => match for_all {
                Preconnect::Always => true,
                Preconnect::Trusted => verified,
                Preconnect::Never => false,
            },
        }
    }
}

/// What is usual is not kept.
pub(super) fn boxed(manner: ContactRules) -> Option<Box<ContactRules>> {
    (manner != ContactRules::default()).then(|| Box::new(manner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_and_its_place_take_no_more_than_104_bytes() {
        assert!(size_of::<(PeerId, Row)>() <= 104, "{}", size_of::<(PeerId, Row)>());
    }
}
