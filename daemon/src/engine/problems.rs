//! What is missing now, in sentences for a person.
//!
//! Lives here: the sentences by who said them; which of them must be read at once.
//! Must not: make a sentence; know the engine.

use std::collections::BTreeMap;

/// Who misses something, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Config,
    Keys,
    Relay,
    Discovery,
    Bus,
    History,
    Disk,
    Media,
    SoundNotes,
    Contacts,
}

/// All that is missing.
#[derive(Debug, Default)]
pub(super) struct Problems(BTreeMap<Source, Vec<String>>);

impl Problems {
    /// What this one says from now on; empty sentences say nothing.
    pub(super) fn set(&mut self, source: Source, sentences: impl IntoIterator<Item = String>) {
        let said = sentences.into_iter().filter(|sentence| !sentence.is_empty()).collect();
        self.0.insert(source, said);
    }

    /// All of it.
    pub(super) fn sentences(&self) -> Vec<String> {
        self.0.values().flatten().cloned().collect()
    }

    /// What no look at the machine would find: what is wrong with our own files.
    pub(super) fn of_files(&self) -> Vec<String> {
        let sources = [Source::Config, Source::Keys, Source::History, Source::Disk, Source::Contacts];
        sources.iter().filter_map(|source| self.0.get(source)).flatten().cloned().collect()
    }

    /// What a person must read at once: calls that are not filed any more; in a call, that nothing is heard or said.
    pub(super) fn alerts(&self, engaged: bool) -> Vec<String> {
        let sources = [Some(Source::History), engaged.then_some(Source::Media)];
        sources.into_iter().flatten().filter_map(|source| self.0.get(&source)).flatten().cloned().collect()
    }
}
