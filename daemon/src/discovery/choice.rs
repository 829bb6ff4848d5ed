//! Which relays are ours.
//!
//! Lives here: the order of the sources, and what becomes of relays that are away.
//! Must not: know how a relay was found.

use std::collections::BTreeSet;

use ahoy_proto::limits;
use ahoy_proto::relay_url::RelayUrl;

use crate::values::relays::{ChosenRelay, RelayFrom};

/// What each source says, the best relay first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// The configuration.
    pub configured: &'a [String],
    /// A signed list that has not expired.
    pub list: &'a [String],
    /// The domain name system.
    pub dns: &'a [String],
    /// Relays that took us in before.
    pub worked: &'a [String],
    /// Those at which contacts are reached.
    pub cards: &'a [String],
    /// That of a code or link which a person follows.
    pub link: Option<&'a String>,
}

/// The relays that are to hold our inboxes, at most [`limits::DEVICE_INBOXES`]; none where only the local network is left.
///
/// Sources are not mixed: the first that has anything is believed. What a person configured stands, however it fares. Of the others
/// a relay that is `away` gives way to another of the same source, and a source of which all are away to the next one.
pub fn choose(sources: Sources<'_>, away: &BTreeSet<String>) -> Vec<ChosenRelay> {
    let Sources { configured, list, dns, worked, cards, link } = sources;
    if !configured.is_empty() {
        return taken(RelayFrom::Configuration, configured.iter());
    }
    let link = link.map_or(&[][..], std::slice::from_ref);
    let found = [
        (RelayFrom::List, list),
        (RelayFrom::Dns, dns),
        (RelayFrom::Worked, worked),
        (RelayFrom::Card, cards),
        (RelayFrom::Link, link),
    ];
    let is_there = |url: &&String| !away.contains(*url);
    let has_one = |(_, urls): &&(RelayFrom, &[String])| urls.iter().any(|url| is_there(&url));
    let some = |(_, urls): &&(RelayFrom, &[String])| !urls.is_empty();
    let Some((from, urls)) = found.iter().find(has_one).or_else(|| found.iter().find(some)) else {
        return Vec::new();
    };
    let wanted = taken(*from, urls.iter().filter(is_there).chain(urls.iter().filter(|url| !is_there(url))));
    // In their own order: who comes back to the same relays has the same card.
    let mut wanted: Vec<_> =
        wanted.into_iter().map(|it| (urls.iter().position(|url| *url == it.url), it)).collect();
    wanted.sort_by_key(|(at, _)| *at);
    wanted.into_iter().map(|(_, it)| it).collect()
}

fn taken<'a>(from: RelayFrom, urls: impl Iterator<Item = &'a String>) -> Vec<ChosenRelay> {
    let mut read: Vec<RelayUrl> = Vec::new();
    // A list is for many: it makes nobody knock at what listens on their own machine.
    let fits = |url: &RelayUrl| from != RelayFrom::List || url.is_sealed();
    for url in urls.filter_map(|url| RelayUrl::parse(url).ok()).filter(fits) {
        if read.len() < limits::DEVICE_INBOXES && !read.contains(&url) {
            read.push(url);
        }
    }
    read.iter().map(|url| ChosenRelay { url: url.as_str().to_owned(), from }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` is `wss://a.example`.
    fn urls(names: &str) -> Vec<String> {
        names.chars().map(|name| format!("wss://{name}.example")).collect()
    }

    #[test]
    fn which_relays_are_taken() {
        use RelayFrom::{Card, Configuration, Dns, Link, List, Worked};
        // Configuration, list, DNS, worked before, cards, link; who is away; who is taken.
        for (story, sources, away, taken) in [
            ("nothing: the local network alone", ["", "", "", "", "", ""], "", ("", Link)),
            ("what a person wrote", ["a", "b", "c", "d", "e", "f"], "", ("a", Configuration)),
            ("even if it is away", ["a", "b", "c", "d", "e", "f"], "a", ("a", Configuration)),
            ("the list", ["", "bc", "d", "e", "f", "g"], "", ("bc", List)),
            ("four of it", ["", "bcdefghi", "", "", "", ""], "", ("bcde", List)),
            ("one takes the place of who is away", ["", "bcdefghi", "", "", "", ""], "c", ("bdef", List)),
            ("there is no other", ["", "bc", "d", "", "", ""], "b", ("bc", List)),
            ("the domain, where the list is away", ["", "bc", "d", "e", "", ""], "bc", ("d", Dns)),
            ("the domain", ["", "", "de", "f", "g", "h"], "", ("de", Dns)),
            ("what worked", ["", "", "", "fa", "g", "h"], "", ("fa", Worked)),
            ("a contact's", ["", "", "", "", "g", "h"], "", ("g", Card)),
            ("that of a link", ["", "", "", "", "", "h"], "", ("h", Link)),
            ("all are away: the first that there is", ["", "bc", "d", "", "", ""], "bcd", ("bc", List)),
            ("none twice", ["", "bbcb", "", "", "", ""], "", ("bc", List)),
        ] {
            let [configured, list, dns, worked, cards, link] = sources.map(urls);
            let sources = Sources {
                configured: &configured,
                list: &list,
                dns: &dns,
                worked: &worked,
                cards: &cards,
                link: link.first(),
            };
            let away = urls(away).into_iter().collect();
            let (names, from) = taken;
            let wanted: Vec<_> = urls(names).into_iter().map(|url| ChosenRelay { url, from }).collect();
            assert_eq!(choose(sources, &away), wanted, "{story}");
        }
        let nonsense = ["https://a.example", "ws://a.example", "ws://127.0.0.1:631"].map(str::to_owned);
        assert_eq!(choose(Sources { list: &nonsense, ..Sources::default() }, &BTreeSet::new()), []);
    }
}
