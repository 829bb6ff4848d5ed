//! Finding a contact by what a person types.
//!
//! Lives here: names, ids, addresses and their beginnings; lists with filters.
//! Must not: change anything.

use ahoy_call::PeerId;
use ahoy_proto::identity;
use ahoy_proto::words::{folded, plain};

use super::format::{self, hex};
use super::row::Row;
use super::store::{Contacts, no_such_contact};
use super::{ContactFilter, ContactRow};
use crate::values::request::{Denied, DeniedKind};

/// The shortest beginning of an id or address that counts, so that a short name never means a key.
const SHORTEST_KEY: usize = 4;
/// How many contacts an ambiguity lists.
const LISTED: usize = 8;

impl Contacts {
    /// The one contact that is meant: by id, address or name, else by the beginning of one of them.
    /// What fits exactly outdoes what only begins so; letter case and normal form of names do not count, and accents only
    /// where something fits with them.
    pub fn resolve(&self, target: &str) -> Result<PeerId, Denied> {
        let target = target.trim();
        let lower = folded(target);
        if target.is_empty() {
            return Err(no_such_contact());
        }
        if let Some(peer) = format::peer(&lower).filter(|peer| self.rows.contains_key(peer)) {
            return Ok(peer);
        }
        if let Some(key) = identity::parse_address(target) {
            let peer = identity::peer_id(&key);
            return if self.rows.contains_key(&peer) { Ok(peer) } else { Err(no_such_contact()) };
        }
        let mut fitting = self.those(|_, row| folded(&row.name) == lower);
        if fitting.is_empty() {
            fitting = self.those(|peer, row| begins(peer, row, &lower));
        }
        // Accents that a keyboard has not.
        let bare = plain(target);
        if fitting.is_empty() {
            fitting = self.those(|_, row| plain(&row.name) == bare);
        }
        if fitting.is_empty() {
            fitting = self.those(|_, row| plain(&row.name).starts_with(&bare));
        }
        match fitting.as_slice() {
            [] => Err(no_such_contact()),
            [(peer, _)] => Ok(*peer),
            several => Err(ambiguous(several)),
        }
    }

    /// All whose name, id or address holds this text, by name. At most 1000.
    pub fn find(&self, text: &str) -> Vec<ContactRow> {
        let filter =
            ContactFilter { text: Some(text.to_owned()), limit: Some(1000), ..ContactFilter::default() };
        self.list(&filter).map_or_else(|_| Vec::new(), |(rows, _)| rows)
    }

    /// Rows by name, and the id to go on after (empty: no more).
    pub fn list(&self, filter: &ContactFilter) -> Result<(Vec<ContactRow>, String), Denied> {
        let limit = filter.limit.unwrap_or(100);
        if !(1..=1000).contains(&limit) {
            return Err(Denied::new(DeniedKind::InvalidOption, "`limit` is 1 to 1000"));
        }
        let limit = usize::try_from(limit).unwrap_or(1000);
        let text = folded(filter.text.as_deref().unwrap_or("").trim());
        let wanted = |row: &Row| {
            filter.blocked.is_none_or(|blocked| row.blocked == blocked)
                && filter.favorite.is_none_or(|favorite| row.is_favorite() == favorite)
        };
        let mut fitting = self.those(|peer, row| wanted(row) && (text.is_empty() || holds(peer, row, &text)));
        let bare = plain(&text);
        if fitting.is_empty() && !bare.is_empty() {
            fitting = self.those(|_, row| wanted(row) && plain(&row.name).contains(&bare));
        }
        fitting.sort_by_cached_key(|(peer, row)| key(*peer, row));
        let begin = match &filter.after {
            None => 0,
            Some(after) => {
                let last = format::peer(after).and_then(|peer| Some((peer, self.rows.get(&peer)?)));
                let Some((peer, row)) = last else {
                    return Err(Denied::new(
                        DeniedKind::InvalidOption,
                        "`after` is no contact any more: begin again",
                    ));
                };
                let last = key(peer, row);
                fitting.partition_point(|(peer, row)| key(*peer, row) <= last)
            }
        };
        let page: Vec<ContactRow> =
            fitting.iter().skip(begin).take(limit).map(|(peer, row)| self.shown(*peer, row)).collect();
        let more = begin + page.len() < fitting.len();
        let next = page.last().filter(|_| more).map_or_else(String::new, |row| row.id.clone());
        Ok((page, next))
    }

    fn those(&self, fits: impl Fn(PeerId, &Row) -> bool) -> Vec<(PeerId, &Row)> {
        self.rows.iter().filter(|(peer, row)| fits(**peer, row)).map(|(peer, row)| (*peer, row)).collect()
    }
}

fn key(peer: PeerId, row: &Row) -> (String, PeerId) {
    (folded(&row.name), peer)
}

fn begins(peer: PeerId, row: &Row, lower: &str) -> bool {
    folded(&row.name).starts_with(lower)
        || (lower.len() >= SHORTEST_KEY
            && (hex(peer.bytes()).starts_with(lower) || row.account.address().starts_with(lower)))
}

fn holds(peer: PeerId, row: &Row, lower: &str) -> bool {
    folded(&row.name).contains(lower)
        || hex(peer.bytes()).contains(lower)
        || row.account.address().contains(lower)
}

fn ambiguous(several: &[(PeerId, &Row)]) -> Denied {
    let one = |(peer, row): &(PeerId, &Row)| format!("{} ({})", row.name, hex(peer.bytes()));
    let listed: Vec<String> = several.iter().take(LISTED).map(one).collect();
    let more = several.len().saturating_sub(LISTED);
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    Denied::new(
        DeniedKind::Ambiguous,
        format!("several contacts fit, say the id: {}{rest}", listed.join(", ")),
    )
}
