//! Relays of ours: which are in force, where each comes from, which are away.
//!
//! Lives here: what is known of them beside the configuration, and when another takes the place of one.
//! Must not: know the engine; ask anybody; link to a relay.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahoy_call::Moment;
use ahoy_proto::limits;
use ahoy_proto::relay_url::RelayUrl;

use crate::config::Config;
use crate::contacts::Contacts;
use crate::discovery::{Looked, Memory, Question, Sources, Standing, choose};
use crate::values::relays::{ChosenRelay, RelayFrom, ServingRow};

/// A relay that was down for so long, while there is a network, is away: a restart takes less.
const AWAY_AFTER: Duration = Duration::from_secs(180);
/// Contacts whose cards are looked at for a relay: those called last.
const CARDS: usize = 16;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Relays {
    memory: Memory,
    chosen: Vec<ChosenRelay>,
    /// That of a code by which a person pairs.
    link: Option<String>,
    /// Somebody was met by it.
    paired: bool,
    /// Those in force that are down, and since when.
    down: BTreeMap<String, Moment>,
    /// One of those in force serves.
    served: bool,
    away: BTreeSet<String>,
    /// That all are down was told to who looks for others.
    is_missed: bool,
    missed: u64,
    /// How the last look for relays went.
    looked: Looked,
}

/// What is known beside the configuration, when relays are chosen.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    memory: Memory,
    cards: Vec<String>,
    link: Option<String>,
    away: BTreeSet<String>,
}

impl Elsewhere {
    /// The relays of ours by this configuration.
    pub(super) fn choose(&self, config: &Config, unix_us: i64) -> Vec<ChosenRelay> {
        let (relay, memory) = (&config.relay, &self.memory);
        if !relay.find {
            return choose(Sources { configured: &relay.urls, ..Sources::default() }, &self.away);
        }
        let now_s = unix_us.div_euclid(1_000_000);
        let question = question(config);
        let list = question.list.map_or(&[][..], |(_, roots)| memory.list(&roots, now_s));
        let dns = question.dns.map_or(&[][..], |(domain, _)| memory.dns(&domain));
        let link = self.link.as_ref();
        let sources =
            Sources { configured: &relay.urls, list, dns, worked: memory.worked(), cards: &self.cards, link };
        choose(sources, &self.away)
    }

    /// A contact is reached at some relay.
    pub(super) fn has_cards(&self) -> bool {
        !self.cards.is_empty()
    }
}

/// Which relays a daemon begins with.
pub fn at_the_start(config: &Config, memory: &Memory, unix_us: i64) -> Vec<ChosenRelay> {
    Elsewhere { memory: memory.clone(), ..Elsewhere::default() }.choose(config, unix_us)
}

/// Their addresses.
pub fn urls(relays: &[ChosenRelay]) -> Vec<String> {
    relays.iter().map(|relay| relay.url.clone()).collect()
}

/// Who is asked for relays by this configuration; nobody where it names relays.
fn question(config: &Config) -> Question {
    let relay = &config.relay;
    if !relay.urls.is_empty() || !relay.find {
        return Question::default();
    }
    let roots = relay.roots();
    let list = relay.list.clone().filter(|_| !roots.is_empty()).map(|url| (url, roots));
    Question { list, dns: relay.domain.clone().zip(relay.resolver.clone()), ca_file: relay.ca_file.clone() }
}

impl Relays {
    /// With what was remembered, and chosen by that.
    pub(super) fn new(memory: Memory, chosen: Vec<ChosenRelay>) -> Self {
        Self { memory, chosen, ..Self::default() }
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Something is remembered. Another list is another chance for all that it names.
    pub(super) fn set_memory(&mut self, memory: Memory) {
        if self.memory.expires_s() != memory.expires_s() {
            self.away.clear();
        }
        self.memory = memory;
    }

    /// These are in force from now on.
    pub(super) fn set_chosen(&mut self, chosen: Vec<ChosenRelay>) {
        self.chosen = chosen;
        self.down.retain(|url, _| self.chosen.iter().any(|it| it.url == *url));
        if self.chosen.iter().all(|it| self.away.contains(&it.url)) {
            // There is no other: from the beginning.
            self.away.clear();
        }
    }

    /// What they are chosen by. Cards are read only where nothing better is known.
    pub(super) fn elsewhere(&self, contacts: &Contacts) -> Elsewhere {
        let needed = self.chosen.iter().all(|it| it.from >= RelayFrom::Card);
        let cards = if needed { of_cards(contacts) } else { Vec::new() };
        let (memory, link, away) = (self.memory.clone(), self.link.clone(), self.away.clone());
        Elsewhere { memory, cards, link, away }
    }

    /// Relays that are not in force and took us in before, then those at which contacts are reached; at most
    /// [`limits::DEVICE_INBOXES`].
    pub(super) fn known(&self, contacts: &Contacts) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for url in self.memory.worked().iter().cloned().chain(of_cards(contacts)) {
            let new = !known.contains(&url) && self.chosen.iter().all(|it| it.url != url);
            if new && known.len() < limits::DEVICE_INBOXES {
                known.push(url);
            }
        }
        known
    }

    /// A person who has no relay pairs by this one.
    pub(super) fn follow_link(&mut self, url: String) {
        (self.link, self.paired) = (Some(url), false);
    }

    /// Whether it serves only until that pairing is over: nobody but the link speaks for it.
    pub(super) fn is_on_trial(&self, url: &str) -> bool {
        !self.paired && self.link.as_deref() == Some(url)
    }

    /// That pairing is over. Whether relays are to be chosen anew: of a link that led to nobody nothing is kept.
    pub(super) fn pairing_over(&mut self, paired: bool) -> bool {
        if self.paired || self.link.is_none() {
            return false;
        }
        self.paired = paired;
        if !paired {
            self.link = None;
        }
        !paired
    }

    /// The machine is in another network: who could not be reached from the last one may be from this.
    pub(super) fn network_changed(&mut self) {
        self.away.clear();
        self.down.clear();
        self.is_missed = false;
    }

    /// Which of them serve now.
    pub(super) fn observe(&mut self, now: Moment, up: &[String]) {
        for it in &self.chosen {
            if up.contains(&it.url) {
                self.down.remove(&it.url);
            } else {
                self.down.entry(it.url.clone()).or_insert(now);
            }
        }
        self.served = self.chosen.iter().any(|it| up.contains(&it.url));
        self.is_missed &= !self.served;
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Moment> {
        if !self.served && self.is_missed {
            return None;
        }
        let waits = self.replaceable().filter(|url| !self.away.contains(*url));
        let since = waits.filter_map(|url| self.down.get(url)).copied();
        let due = if self.served { since.min() } else { since.max() };
        due.map(|since| since + AWAY_AFTER)
    }

    /// Notes who is away; whether relays are to be chosen anew.
    pub(super) fn tick(&mut self, now: Moment) -> bool {
        if self.deadline().is_none_or(|due| due > now) {
            return false;
        }
        if self.served {
            return self.give_up(now);
        }
        // The network may be what is missing: somebody else is asked first.
        self.is_missed = true;
        self.missed = self.missed.wrapping_add(1);
        false
    }

    /// A look for relays is over; whether relays are to be chosen anew: there is a network, and yet none serves.
    pub(super) fn looked(&mut self, now: Moment, looked: Looked) -> bool {
        let gives_up = looked.answered && !self.served && self.is_missed;
        self.looked = looked;
        self.is_missed &= !gives_up;
        gives_up && self.give_up(now)
    }

    fn give_up(&mut self, now: Moment) -> bool {
        let over = |url: &&String| self.down.get(*url).is_some_and(|since| now.since(*since) >= AWAY_AFTER);
        let gone: Vec<String> = self.replaceable().filter(over).cloned().collect();
        for url in &gone {
            // If it stays in force for want of another it has as long again.
            self.down.insert(url.clone(), now);
        }
        let before = self.away.len();
        self.away.extend(gone);
        self.away.len() > before
    }

    fn replaceable(&self) -> impl Iterator<Item = &String> {
        self.chosen.iter().filter(|it| it.from != RelayFrom::Configuration).map(|it| &it.url)
    }

    /// The relays are those of a list that counts no more.
    pub(super) fn list_is_over(&self, unix_us: i64) -> bool {
        let of_list = self.chosen.iter().any(|it| it.from == RelayFrom::List);
        of_list && self.memory.expires_s().is_none_or(|end| end <= unix_us.div_euclid(1_000_000))
    }

    /// What whoever looks for relays goes by. `wanted`: the person wants to be reached.
    pub(super) fn standing(&self, config: &Config, wanted: bool, networks: u64) -> Standing {
        let question = if wanted { question(config) } else { Question::default() };
        let taken = question.list.as_ref().and_then(|(_, roots)| self.memory.taken(roots));
        Standing { question, taken, networks, missed: self.missed }
    }

    /// What is wrong with the search, for a person.
    pub(super) fn problems(&self, config: &Config, online: bool) -> Vec<String> {
        let (relay, question) = (&config.relay, question(config));
        if !relay.urls.is_empty() || !relay.find {
            return Vec::new();
        }
        let half = [
            (relay.list.is_some() && question.list.is_none())
                .then_some("relay.list is set and relay.list-keys is not: without a key no list is believed"),
            (relay.domain.is_some() != relay.resolver.is_some())
                .then_some("relay.domain and relay.resolver belong together, and one is not set"),
        ];
        let said = half.into_iter().flatten().map(str::to_owned);
        let Looked { missing, wrong, .. } = &self.looked;
        let asked = !question.is_empty();
        let missing = missing.iter().filter(|_| asked && !online);
        said.chain(wrong.iter().filter(|_| asked).chain(missing).cloned()).collect()
    }

    /// Somebody is asked for relays.
    pub(super) fn is_looking(&self, config: &Config) -> bool {
        !question(config).is_empty()
    }

    /// As they are shown.
    pub(super) fn rows(&self, up: &[String]) -> Vec<ServingRow> {
        let row = |it: &ChosenRelay| ServingRow {
            url: it.url.clone(),
            serves: up.contains(&it.url),
            from: it.from.word(),
        };
        self.chosen.iter().map(row).collect()
    }
}

/// Relays of contacts that are not blocked, each once. What others write about this machine is not believed: only relays behind TLS.
fn of_cards(contacts: &Contacts) -> Vec<String> {
    let mut found: Vec<RelayUrl> = Vec::new();
    for peer in contacts.recent().iter().take(CARDS) {
        if contacts.manner(*peer).is_none_or(|(_, blocked)| blocked) {
            continue;
        }
        let devices = contacts.card(*peer).map_or_else(Vec::new, |card| card.devices);
        for inbox in devices.iter().flat_map(|device| &device.inboxes) {
            let url = RelayUrl::parse(&inbox.relay).ok().filter(RelayUrl::is_sealed);
            found.extend(url.filter(|url| found.len() < limits::DEVICE_INBOXES && !found.contains(url)));
        }
    }
    found.iter().map(|url| url.as_str().to_owned()).collect()
}
