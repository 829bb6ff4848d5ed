//! What is asked about named groups.
//!
//! Lives here: their rows, and what is to be written when one is made, changed, forgotten, or told of by a caller.
//! Must not: know a file of theirs, or ring anybody (`calls.rs`).

use ahoy_call::{GroupId, PeerId};
use ahoy_proto::words::Words;

use super::{Act, Components, Done, Plan, fresh_id, hex, keep};
use crate::engine::groups::{GroupChange, NamedGroup, NamedGroups};
use crate::system::file;
use crate::values::request::{Answer, Denied, DeniedKind};
use crate::values::rows::GroupRow;

/// All of them.
pub(super) fn rows(with: &Components<'_>) -> Act {
    let row = |group: &NamedGroup| {
        let members: Vec<PeerId> = group.members().collect();
        GroupRow {
            id: group.id().map(|id| data_encoding::HEXLOWER.encode(&id.bytes())).unwrap_or_default(),
            name: group.name().to_owned(),
            names: members.iter().map(|peer| with.contacts.name_and_address(*peer).0).collect(),
            members: members.into_iter().map(hex).collect(),
            by: group.by().to_owned(),
        }
    };
    Act::Answer(Answer::Groups(with.groups.all().into_iter().map(row).collect()))
}

/// A new one.
pub(super) fn make(name: String, members: Vec<String>) -> Result<Act, Denied> {
    keep(move |with| {
        if with.contacts.resolve(&name).is_ok_and(|peer| is_called(with, peer, &name)) {
            let sentence = "A contact has that name: to call it would be to call them.";
            return Err(Denied::new(DeniedKind::InvalidOption, sentence));
        }
        let id = GroupId::from_bytes(fresh_id()?.bytes());
        let groups = with.groups.made(id, &name, &people(with, &members)?)?;
        let text = data_encoding::HEXLOWER.encode(&id.bytes());
        Ok(written(with, groups, Answer::Text(text)))
    })
}

/// Another name, or other people.
pub(super) fn change(
    group: String,
    name: Option<String>,
    add: Vec<String>,
    drop: Vec<String>,
) -> Result<Act, Denied> {
    keep(move |with| {
        let of = with.groups.resolve(&group)?;
        let Some(id) = of.id() else { return Ok(Plan::Now(Answer::Done)) };
        let drop = drop.iter().map(|who| member(with, of, who)).collect::<Result<_, _>>()?;
        let change = GroupChange { name, add: people(with, &add)?, drop };
        let groups = with.groups.changed(id, &change)?;
        Ok(written(with, groups, Answer::Done))
    })
}

/// It is not kept here any more.
pub(super) fn forget(group: String) -> Result<Act, Denied> {
    keep(move |with| {
        let Some(id) = with.groups.resolve(&group)?.id() else { return Ok(Plan::Now(Answer::Done)) };
        Ok(written(with, with.groups.without(id), Answer::Done))
    })
}

/// A contact rings us by a named group, and tells who is in it. The daemon's own wish.
pub(in crate::engine) fn learned(
    with: &mut Components<'_>,
    by: PeerId,
    id: GroupId,
    name: &Words,
    members: &[PeerId],
) -> Result<Plan, Denied> {
    Ok(match with.groups.learned(by, id, name, members) {
        Some(groups) => written(with, groups, Answer::Done),
        None => Plan::Now(Answer::Done),
    })
}

fn people(with: &Components<'_>, named: &[String]) -> Result<Vec<PeerId>, Denied> {
    let mut all = Vec::new();
    for one in named {
        let peer = with.contacts.resolve(one)?;
        if !all.contains(&peer) {
            all.push(peer);
        }
    }
    Ok(all)
}

/// One who is in it: a contact, or an id.
fn member(with: &Components<'_>, of: &NamedGroup, who: &str) -> Result<PeerId, Denied> {
    let by_id = of.members().find(|peer| hex(*peer) == who);
    let found =
        by_id.or_else(|| with.contacts.resolve(who).ok().filter(|peer| of.members().any(|it| it == *peer)));
    found.ok_or_else(|| {
        Denied::new(DeniedKind::NoSuchContact, format!("\"{who}\" is not in the group: nothing was changed."))
    })
}

/// Whether that is their whole name, and not a beginning of it.
fn is_called(with: &Components<'_>, peer: PeerId, name: &str) -> bool {
    use ahoy_proto::words::folded;
    folded(&with.contacts.name_and_address(peer).0) == folded(name.trim())
}

fn written(with: &Components<'_>, groups: NamedGroups, answer: Answer) -> Plan {
    let (path, store) = (with.paths.groups(), with.store.clone());
    let kept = groups.written();
    Plan::Write(Box::new(move |gate| {
        let result = file::write_past(&path, &kept, file::Access::Private, || gate.pass());
        store.note(&path, &result);
        Done::Groups(result, groups, answer)
    }))
}
