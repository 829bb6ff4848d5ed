//! Who is in the room, and to whom we listen: members of the call whose voice is sealed, and nobody else.
//!
//! Lives here: the others by their names, their voices, what server and connection were told of them.
//! Must not: believe that somebody is a member because the server says that they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::super::said::{self, PEOPLE, Person, Voice};
use super::super::wire::{Request, Subscription};
use super::Output;
use crate::values::room::{Identity, RoomAsk, RoomEvent, TrackSid};

/// See the head of this file.
#[derive(Debug)]
pub(super) struct People {
    /// Our name.
    pub(super) own: Option<Identity>,
    members: BTreeSet<Identity>,
    here: BTreeMap<Identity, Here>,
    /// What the connection was told last.
    tracks: BTreeMap<TrackSid, Identity>,
    /// What the server was asked for.
    asked: BTreeSet<TrackSid>,
    /// Of whom was told that their voice is not sealed.
    unsealed: BTreeSet<Identity>,
}

#[derive(Debug)]
struct Here {
    sid: String,
    voices: Vec<Voice>,
}

impl People {
    pub(super) fn new(members: BTreeSet<Identity>) -> Self {
        let (here, tracks, asked, unsealed) = Default::default();
        Self { own: None, members, here, tracks, asked, unsealed }
    }

    /// Those are the members now.
    pub(super) fn admit(&mut self, members: BTreeSet<Identity>) {
        self.members = members;
    }

    /// All that are there, besides us.
    pub(super) fn all(&mut self, people: Vec<Person>, out: &mut Vec<Output>) {
        let before = mem::take(&mut self.here);
        self.update(people, &mut Vec::new());
        let news = |who: &&Identity| !before.contains_key(who);
        out.extend(self.here.keys().filter(news).cloned().map(RoomEvent::Here).map(Output::Tell));
        let left = before.into_keys().filter(|who| !self.here.contains_key(who));
        out.extend(left.map(RoomEvent::Gone).map(Output::Tell));
    }

    /// Some came, went or changed.
    pub(super) fn update(&mut self, people: Vec<Person>, out: &mut Vec<Output>) {
        for person in people {
            let Person { sid, identity, gone, voices } = person;
            if self.own.as_ref() == Some(&identity) {
                continue;
            }
            let known = self.here.get(&identity).map(|here| here.sid == sid);
            match (gone, known) {
                // Of a stay that another one has replaced: they are there all the same.
                (true, Some(false) | None) => {}
                (true, Some(true)) => {
                    self.here.remove(&identity);
                    out.push(Output::Tell(RoomEvent::Gone(identity)));
                }
                (false, Some(_)) => {
                    self.here.insert(identity, Here { sid, voices });
                }
                (false, None) if self.here.len() < PEOPLE => {
                    self.here.insert(identity.clone(), Here { sid, voices });
                    out.push(Output::Tell(RoomEvent::Here(identity)));
                }
                (false, None) => tracing::debug!("a room with too many people"),
            }
        }
    }

    /// The voices that we want.
    pub(super) fn wanted(&self) -> Vec<String> {
        self.voices().into_keys().map(|sid| sid.0).collect()
    }

    /// Server and connection know nothing of what they were told.
    pub(super) fn forget_what_was_said(&mut self) {
        self.asked.clear();
        self.tracks.clear();
    }

    /// Tells both what is new to them.
    pub(super) fn listen(&mut self, out: &mut Vec<Output>) {
        self.tell_unsealed(out);
        let voices = self.voices();
        let wanted: BTreeSet<TrackSid> = voices.keys().cloned().collect();
        if voices != self.tracks {
            out.push(Output::Media(RoomAsk::Tracks(voices.clone())));
            self.tracks = voices;
        }
        let there: BTreeSet<&TrackSid> =
            self.here.values().flat_map(|here| &here.voices).map(|voice| &voice.sid).collect();
        let more: Vec<TrackSid> = wanted.difference(&self.asked).cloned().collect();
        let less: Vec<TrackSid> =
            self.asked.difference(&wanted).filter(|sid| there.contains(sid)).cloned().collect();
        for (sids, subscribe) in [(more, true), (less, false)] {
            if !sids.is_empty() {
                let track_sids = sids.into_iter().map(|sid| sid.0).collect();
                let request = Request::Subscription(Subscription { track_sids, subscribe });
                out.push(Output::Send(said::write(request)));
            }
        }
        self.asked = wanted;
    }

    fn tell_unsealed(&mut self, out: &mut Vec<Output>) {
        for (who, here) in &self.here {
            let open = here.voices.iter().any(|voice| !voice.sealed);
            if open && self.members.contains(who) && self.unsealed.insert(who.clone()) {
                out.push(Output::Tell(RoomEvent::Unsealed(who.clone())));
            }
        }
        self.unsealed.retain(|who| self.here.contains_key(who));
    }

    fn voices(&self) -> BTreeMap<TrackSid, Identity> {
        let members = self.here.iter().filter(|(who, _)| self.members.contains(who));
        let mut voices = BTreeMap::new();
        for (who, here) in members {
            for voice in here.voices.iter().filter(|voice| voice.sealed) {
                // A track that two are said to have is whose it was first: only their key opens it anyway.
                voices.entry(voice.sid.clone()).or_insert_with(|| who.clone());
            }
        }
        voices
    }
}
