//! Who may write to which inbox, and who is here, in memory.
//!
//! Lives here: `Lists`: token lists, their owners' presence, and whose list gives way when there is no room. Passers-by
//! go before who stayed for a while, and of the address that has most.
//! Must not: know what waits.

use std::collections::{BTreeMap, BTreeSet};

use ahoy_proto::envelope::{Inbox, TokenHash};
use ahoy_proto::limits;

use crate::address::{Address, Near, Wide};
use crate::budgets;
use crate::client_id::ClientId;
use crate::shares::Shares;
use crate::time::Moment;

/// All lists.
#[derive(Debug)]
pub(crate) struct Lists {
    inboxes: usize,
    tokens: usize,
    lists: BTreeMap<Inbox, List>,
    /// Tokens beyond the floor.
    long: Shares<Wide, Inbox, ()>,
    /// Lists of who is away: of passers-by, and of who stayed for a while.
    passing: Shares<Wide, Near, (Moment, Inbox)>,
    settled: Shares<Wide, Near, (Moment, Inbox)>,
    /// When the list of an absent owner is over.
    ends: BTreeSet<(Moment, Inbox)>,
}

#[derive(Debug)]
struct List {
    from: Address,
    owner: Option<ClientId>,
    settled: bool,
    /// When its owner left.
    left: Option<Moment>,
    /// In their order.
    tokens: Vec<TokenHash>,
    whole: bool,
    /// The list as it was, until the new one is whole.
    before: Option<Vec<TokenHash>>,
    /// Something of it found no room: what it does not name is not judged by it.
    cut: bool,
}

impl List {
    fn new(from: Address) -> Self {
        let (owner, left, before) = (None, None, None);
        Self { from, owner, settled: false, left, tokens: Vec::new(), whole: false, before, cut: false }
    }

    fn lives(&self) -> std::time::Duration {
        if self.settled { limits::LIST_LIVES } else { budgets::PASSING_LIVES }
    }

    /// Tokens beyond the floor. Who comes back with the same list takes no more room than before.
    fn excess(&self) -> usize {
        let before = self.before.as_ref().map_or(0, Vec::len);
        self.tokens.len().max(before).saturating_sub(budgets::TOKENS_FLOOR)
    }

    fn lists(&self, token: &TokenHash) -> bool {
        self.tokens.binary_search(token).is_ok()
    }
}

/// What a change of a list led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Tokens found no room.
    pub(crate) full: bool,
    /// The list is whole.
    pub(crate) whole: bool,
    /// Whose list was cut to make room, and who is here.
    pub(crate) gave_way: Vec<ClientId>,
    /// Inboxes that nobody remembers any more.
    pub(crate) forgotten: Vec<Inbox>,
}

/// What becomes of an envelope by its token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Unknown inbox, or an unlisted token.
    Unlisted,
    /// The rest of the list decides.
    Undecided,
    /// The owner may have it, and may be here.
    Listed(Option<ClientId>),
}

impl Lists {
    /// Room for the lists of so many inboxes, and for so many tokens beyond everybody's floor.
    pub(crate) fn new(inboxes: usize, tokens: usize) -> Self {
        Self {
            inboxes,
            tokens,
            lists: BTreeMap::new(),
            long: Shares::default(),
            passing: Shares::default(),
            settled: Shares::default(),
            ends: BTreeSet::new(),
        }
    }

    /// The owner is here. Never refused: lists of who is away give way. Tells who was its owner's connection until now.
    pub(crate) fn claim(
        &mut self,
        client: ClientId,
        inbox: Inbox,
        from: Address,
        tokens: &[TokenHash],
        more: bool,
    ) -> (Option<ClientId>, Changed) {
        self.away(inbox, false);
        if let Some(known) = self.lists.get(&inbox) {
            self.long.take(known.from.wide, inbox, ());
        }
        let list = self.lists.entry(inbox).or_insert_with(|| List::new(from));
        let displaced = list.owner.replace(client).filter(|older| *older != client);
        list.from = from;
        list.left = None;
        let tokens_before = std::mem::take(&mut list.tokens);
        if list.whole {
            list.before = Some(tokens_before);
        }
        list.whole = false;
        list.cut = false;
        self.weigh(inbox);
        let mut changed = self.allow(inbox, tokens, more);
        self.make_room(&mut changed.forgotten);
        (displaced, changed)
    }

    /// Adds to a list.
    pub(crate) fn allow(&mut self, inbox: Inbox, tokens: &[TokenHash], more: bool) -> Changed {
        let mut changed = Changed::default();
        let mut new = tokens.to_vec();
        new.sort_unstable();
        new.dedup();
        let Some(list) = self.lists.get(&inbox) else { return changed };
        new.retain(|token| !list.lists(token));
        if !self.has_room(inbox, new.len(), &mut changed.gave_way) {
            changed.full = true;
            if let Some(list) = self.lists.get_mut(&inbox) {
                list.cut = true;
                // Better the list as it was than a part of the new one.
                if let Some(before) = list.before.take() {
                    list.tokens = before;
                    new.retain(|token| !list.lists(token));
                }
                new.truncate(budgets::TOKENS_FLOOR.saturating_sub(list.tokens.len()));
            }
        }
        if let Some(list) = self.lists.get_mut(&inbox) {
            list.tokens.extend(new);
            list.tokens.sort_unstable();
            list.whole = !more;
            changed.whole = list.whole;
            if list.whole {
                list.before = None;
            }
        }
        self.weigh(inbox);
        changed
    }

    /// Takes off a list.
    pub(crate) fn revoke(&mut self, inbox: Inbox, tokens: &[TokenHash]) {
        // In order: both lists may be long.
        let mut gone = tokens.to_vec();
        gone.sort_unstable();
        if let Some(list) = self.lists.get_mut(&inbox) {
            list.tokens.retain(|token| gone.binary_search(token).is_err());
            if let Some(before) = &mut list.before {
                before.retain(|token| gone.binary_search(token).is_err());
            }
        }
        self.weigh(inbox);
    }

    /// The owner has been here for a while.
    pub(crate) fn settled(&mut self, inbox: Inbox) {
        self.away(inbox, false);
        if let Some(list) = self.lists.get_mut(&inbox) {
            list.settled = true;
        }
        self.away(inbox, true);
    }

    /// The owner left. Who left in the middle of a list has the one before, or what came of it.
    pub(crate) fn left(&mut self, now: Moment, client: ClientId, inbox: Inbox) -> Changed {
        let mut changed = Changed::default();
        let Some(list) = self.lists.get_mut(&inbox) else { return changed };
        if list.owner != Some(client) {
            return changed;
        }
        list.owner = None;
        list.left = Some(now);
        match list.before.take() {
            Some(before) => list.tokens = before,
            None => changed.whole = !list.whole,
        }
        list.whole = true;
        self.weigh(inbox);
        self.away(inbox, true);
        self.make_room(&mut changed.forgotten);
        changed
    }

    /// What the list says of an envelope with this token.
    pub(crate) fn judge(&self, inbox: Inbox, token: &TokenHash) -> Judged {
        match self.lists.get(&inbox) {
            Some(list) if !list.whole => Judged::Undecided,
            Some(list) if list.lists(token) => Judged::Listed(list.owner),
            Some(_) | None => Judged::Unlisted,
        }
    }

    /// The tokens by which what waits is judged; `None` while that cannot be.
    pub(crate) fn judges(&self, inbox: Inbox) -> Option<&[TokenHash]> {
        self.lists.get(&inbox).filter(|list| list.whole && !list.cut).map(|list| &list.tokens[..])
    }

    /// Where an inbox's owner is, or was, and how long mail for it may wait.
    pub(crate) fn owner(&self, inbox: Inbox) -> Option<(Address, std::time::Duration)> {
        self.lists.get(&inbox).map(|list| (list.from, list.lives()))
    }

    /// Whether mail may be read.
    pub(crate) fn is_whole(&self, inbox: Inbox) -> bool {
        self.lists.get(&inbox).is_some_and(|list| list.whole)
    }

    /// Forgets what is over.
    pub(crate) fn expire(&mut self, now: Moment, forgotten: &mut Vec<Inbox>) {
        while let Some((at, inbox)) = self.ends.first().copied()
            && at <= now
        {
            self.forget(inbox, forgotten);
        }
    }

    /// When something is over next.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// Lists of who is away go, until no more than the bound are left: passers-by first, of the address that has most,
    /// and who left longest ago.
    fn make_room(&mut self, forgotten: &mut Vec<Inbox>) {
        while self.lists.len() > self.inboxes {
            let next = self.passing.gives_way().or_else(|| self.settled.gives_way());
            // Who is here is bounded by the connections.
            let Some((_, _, (_, inbox))) = next else { return };
            self.forget(inbox, forgotten);
        }
    }

    /// Whether a list may grow by so many; makes room, where others have more.
    fn has_room(&mut self, inbox: Inbox, more: usize, gave_way: &mut Vec<ClientId>) -> bool {
        let Some(list) = self.lists.get(&inbox) else { return false };
        let (now, before) = (list.tokens.len(), list.before.as_ref().map_or(0, Vec::len));
        if now + more > limits::TOKENS_OF_INBOX {
            return false;
        }
        let wide = list.from.wide;
        let excess = list.excess();
        let mine = (now + more).max(before).saturating_sub(budgets::TOKENS_FLOOR);
        let needed = mine.saturating_sub(excess);
        if needed == 0 {
            return true;
        }
        while self.long.of(wide) + needed > budgets::TOKENS_OF_ADDRESS {
            if !self.longest_gives_way(wide, inbox, mine, gave_way) {
                return false;
            }
        }
        while self.long.total() + needed > self.tokens {
            let Some(most) = self.long.heaviest() else { return false };
            let other = most != wide && self.long.of(most) > self.long.of(wide) + needed;
            if !self.longest_gives_way(if other { most } else { wide }, inbox, mine, gave_way) {
                return false;
            }
        }
        true
    }

    /// The longest list of an address is cut to the floor, if it is longer than the one that wants room.
    fn longest_gives_way(
        &mut self,
        wide: Wide,
        wants: Inbox,
        mine: usize,
        gave_way: &mut Vec<ClientId>,
    ) -> bool {
        let Some(longest) = self.long.heaviest_in(wide) else { return false };
        let of_own = self.lists.get(&wants).is_some_and(|list| list.from.wide == wide);
        if longest == wants || (of_own && self.long.of_inner(wide, longest) <= mine) {
            return false;
        }
        let Some(list) = self.lists.get_mut(&longest) else { return false };
        list.tokens.truncate(budgets::TOKENS_FLOOR);
        list.before = None;
        list.cut = true;
        gave_way.extend(list.owner);
        self.weigh(longest);
        true
    }

    fn forget(&mut self, inbox: Inbox, forgotten: &mut Vec<Inbox>) {
        self.away(inbox, false);
        if let Some(gone) = self.lists.remove(&inbox) {
            self.long.take(gone.from.wide, inbox, ());
            forgotten.push(inbox);
        }
    }

    fn weigh(&mut self, inbox: Inbox) {
        let Some(list) = self.lists.get(&inbox) else { return };
        match list.excess() {
            0 => self.long.take(list.from.wide, inbox, ()),
            excess => self.long.put(list.from.wide, inbox, (), excess),
        }
    }

    /// Enters an absent owner's list among those that may go, or takes it out.
    fn away(&mut self, inbox: Inbox, enter: bool) {
        let Some(list) = self.lists.get(&inbox) else { return };
        let Some(left) = list.left else { return };
        let shares = if list.settled { &mut self.settled } else { &mut self.passing };
        let Address { near, wide } = list.from;
        let end = (left + list.lives(), inbox);
        if enter {
            shares.put(wide, near, (left, inbox), 1);
            self.ends.insert(end);
        } else {
            shares.take(wide, near, (left, inbox));
            self.ends.remove(&end);
        }
    }
}

#[cfg(test)]
mod tests;
