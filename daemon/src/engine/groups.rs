//! Named groups: lists of people under a name, with an id that all of them share.
//!
//! Lives here: which there are, how one is found, what becomes of one that a person or a caller changes.
//! Must not: write a file, or ring anybody.
//!
//! Who makes a group rings it under its id; message 3 tells the name, and who else is in it. So the others have the same group from its
//! first call on, and ring all of it by the same name. Whoever told of a group may change it by calling it again; what our own
//! person made or changed nobody else changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ahoy_call::group::PEOPLE;
use ahoy_call::{GroupId, PeerId};
use ahoy_proto::words::{NAME, Words, folded};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::values::request::{Denied, DeniedKind};

/// Groups of ours, and groups that others told of.
const MOST: usize = 64;
const MOST_LEARNED: usize = 32;

/// A group as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NamedGroup {
    /// 32 hex digits, as are those of people.
    id: String,
    name: String,
    members: Vec<String>,
    /// Who told of it; empty: our own person made or changed it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    by: String,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamedGroups(Vec<NamedGroup>);

/// What of a group is to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupChange {
    pub name: Option<String>,
    pub add: Vec<PeerId>,
    pub drop: Vec<PeerId>,
}

impl NamedGroup {
    pub(super) fn id(&self) -> Option<GroupId> {
        bytes(&self.id).map(GroupId::from_bytes)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn members(&self) -> impl Iterator<Item = PeerId> {
        self.members.iter().filter_map(|member| bytes(member).map(PeerId::from_bytes))
    }

    pub(super) fn by(&self) -> &str {
        &self.by
    }

    fn is_sound(&self) -> bool {
        let members = (1..PEOPLE).contains(&self.members.len())
            && self.members.iter().all(|member| bytes(member).is_some());
        members && self.id().is_some() && Words::own(&self.name, NAME).is_ok()
    }
}

impl NamedGroups {
    /// With what is kept. What cannot be understood is not there.
    pub(super) fn open(path: &Path) -> Self {
        let kept = std::fs::read(path).unwrap_or_default();
        let mut all: Vec<NamedGroup> = serde_json::from_slice(&kept).unwrap_or_default();
        all.retain(NamedGroup::is_sound);
        all.truncate(MOST);
        Self(all)
    }

    /// As it is kept.
    pub(super) fn written(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }

    /// By name.
    pub(super) fn all(&self) -> Vec<&NamedGroup> {
        let mut all: Vec<&NamedGroup> = self.0.iter().collect();
        all.sort_by_cached_key(|group| (folded(&group.name), group.id.clone()));
        all
    }

    pub(super) fn get(&self, id: GroupId) -> Option<&NamedGroup> {
        self.0.iter().find(|group| group.id() == Some(id))
    }

    /// What they are called, for who tells others.
    pub(super) fn names(&self) -> Arc<BTreeMap<GroupId, Words>> {
        let name = |group: &NamedGroup| Some((group.id()?, Words::of(&group.name, NAME)));
        Arc::new(self.0.iter().filter_map(name).collect())
    }

    /// The one that is meant: by id or name, or a unique beginning of its name.
    pub(super) fn resolve(&self, said: &str) -> Result<&NamedGroup, Denied> {
        let said = folded(said.trim());
        let those =
            |fits: &dyn Fn(&NamedGroup) -> bool| self.0.iter().filter(|it| fits(it)).collect::<Vec<_>>();
        let mut fitting = those(&|it| it.id == said || folded(&it.name) == said);
        if fitting.is_empty() && !said.is_empty() {
            fitting = those(&|it| folded(&it.name).starts_with(&said));
        }
        match fitting[..] {
            [one] => Ok(one),
            [] => {
                let sentence = "There is no group of that name: `ahoyctl group` shows them all.";
                Err(Denied::new(DeniedKind::NoSuchRecord, sentence))
            }
            _ => {
                let sentence = "Several groups fit: say the id, as `ahoyctl group` shows it.";
                Err(Denied::new(DeniedKind::Ambiguous, sentence))
            }
        }
    }

    /// With one more, of our own person's.
    pub(super) fn made(&self, id: GroupId, name: &str, members: &[PeerId]) -> Result<Self, Denied> {
        if self.0.len() >= MOST {
            return Err(unfit("There are 64 groups: forget one first."));
        }
        let mut all = self.clone();
        all.0.push(NamedGroup {
            id: HEXLOWER.encode(&id.bytes()),
            name: self.free_name(name, None)?,
            members: texts(members.iter().copied())?,
            by: String::new(),
        });
        Ok(all)
    }

    /// With this one changed. From then on it is our own person's.
    pub(super) fn changed(&self, id: GroupId, change: &GroupChange) -> Result<Self, Denied> {
        let mut all = self.clone();
        let Some(group) = all.0.iter_mut().find(|group| group.id() == Some(id)) else { return Ok(all) };
        if let Some(name) = &change.name {
            group.name = self.free_name(name, Some(id))?;
        }
        let mut members: Vec<PeerId> = group.members().filter(|it| !change.drop.contains(it)).collect();
        for one in &change.add {
            if !members.contains(one) {
                members.push(*one);
            }
        }
        group.members = texts(members.into_iter())?;
        group.by.clear();
        Ok(all)
    }

    /// Without it.
    pub(super) fn without(&self, id: GroupId) -> Self {
        let mut all = self.clone();
        all.0.retain(|group| group.id() != Some(id));
        all
    }

    /// A caller, who is a contact, tells of a group. None: that is no news, or it may not.
    pub(super) fn learned(&self, by: PeerId, id: GroupId, name: &Words, members: &[PeerId]) -> Option<Self> {
        let (by, members) = (HEXLOWER.encode(&by.bytes()), texts(members.iter().copied()).ok()?);
        let new = NamedGroup { id: HEXLOWER.encode(&id.bytes()), name: name.to_string(), members, by };
        if !new.is_sound() {
            return None;
        }
        let mut all = self.clone();
        match all.0.iter_mut().find(|group| group.id == new.id) {
            Some(group) if group.by != new.by || *group == new => return None,
            Some(group) => *group = new,
            None => {
                let others = self.0.iter().filter(|group| !group.by.is_empty()).count();
                if others >= MOST_LEARNED || self.0.len() >= MOST {
                    return None;
                }
                all.0.push(new);
            }
        }
        Some(all)
    }

    /// A name as our own person may give it: no other group has it.
    fn free_name(&self, name: &str, of: Option<GroupId>) -> Result<String, Denied> {
        let name = Words::own(name, NAME)
            .map_err(|why| unfit(format!("A group's name has 1 to 64 characters on one line; {why}")))?;
        let taken = |group: &NamedGroup| group.id() != of && folded(&group.name) == folded(name.as_str());
        match self.0.iter().any(taken) {
            true => Err(unfit("Another group has that name.")),
            false => Ok(name.to_string()),
        }
    }
}

fn bytes(text: &str) -> Option<[u8; 16]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn texts(members: impl Iterator<Item = PeerId>) -> Result<Vec<String>, Denied> {
    let all: Vec<String> = members.map(|member| HEXLOWER.encode(&member.bytes())).collect();
    match (1..PEOPLE).contains(&all.len()) {
        true => Ok(all),
        false => Err(unfit("A group is 1 to 24 others.")),
    }
}

fn unfit(sentence: impl Into<String>) -> Denied {
    Denied::new(DeniedKind::InvalidOption, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(id: u8) -> PeerId {
        PeerId::from_bytes([id; 16])
    }

    fn group(id: u8) -> GroupId {
        GroupId::from_bytes([id; 16])
    }

    fn words(text: &str) -> Words {
        Words::of(text, NAME)
    }

    #[test]
    fn a_group_is_made_found_changed_and_forgotten_and_outlives_a_restart() {
        let none = NamedGroups::default();
        let all = none.made(group(1), "Book club", &[peer(1), peer(2)]).unwrap();
        let all = all.made(group(2), "Boat", &[peer(3)]).unwrap();
        assert_eq!(all.resolve("BOOK").unwrap().name(), "Book club");
        assert_eq!(all.resolve("bo").unwrap_err().kind, DeniedKind::Ambiguous);
        assert_eq!(all.resolve("").unwrap_err().kind, DeniedKind::NoSuchRecord);
        assert_eq!(all.resolve(&"01".repeat(16)).unwrap().name(), "Book club");
        assert_eq!(all.made(group(3), "boat", &[peer(1)]).unwrap_err().kind, DeniedKind::InvalidOption);
        assert_eq!(all.made(group(3), "x", &[]).unwrap_err().kind, DeniedKind::InvalidOption);
        let change =
            GroupChange { name: Some("Books".into()), add: vec![peer(4), peer(1)], drop: vec![peer(2)] };
        let all = all.changed(group(1), &change).unwrap();
        let books = all.get(group(1)).unwrap();
        assert_eq!((books.name(), books.members().collect::<Vec<_>>()), ("Books", vec![peer(1), peer(4)]));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("groups.json");
        std::fs::write(&path, all.written()).unwrap();
        assert_eq!(NamedGroups::open(&path), all);
        assert_eq!(all.without(group(1)).all().len(), 1);
        std::fs::write(&path, br#"[{"id":"zz","name":"a","members":["b"]}]"#).unwrap();
        assert_eq!(NamedGroups::open(&path), none);
    }

    #[test]
    fn who_told_of_a_group_may_change_it_and_nobody_else_and_never_what_is_ours() {
        let (ana, ben) = (peer(1), peer(2));
        let none = NamedGroups::default();
        let all = none.learned(ana, group(1), &words("Book"), &[ana, peer(3)]).unwrap();
        assert_eq!(all.learned(ana, group(1), &words("Book"), &[ana, peer(3)]), None, "no news");
        assert_eq!(all.learned(ben, group(1), &words("Bank"), &[ben]), None);
        let all = all.learned(ana, group(1), &words("Books"), &[ana]).unwrap();
        assert_eq!(all.get(group(1)).unwrap().name(), "Books");
        let ours = all.changed(group(1), &GroupChange { add: vec![ben], ..GroupChange::default() }).unwrap();
        assert_eq!(ours.learned(ana, group(1), &words("Mine"), &[ana]), None);
        assert_eq!(none.learned(ana, group(2), &words(""), &[ana]), None);
        let many = (0..100)
            .fold(none, |all, id| all.learned(ana, group(id), &words("Flood"), &[ana]).unwrap_or(all));
        assert_eq!(many.all().len(), MOST_LEARNED, "a caller does not fill the list");
        assert!(many.made(group(200), "Ours", &[ben]).is_ok());
    }
}
