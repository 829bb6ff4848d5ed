//! What is asked about contacts and cards.
//!
//! Lives here: what is looked up at once, and what is to be written first.
//! Must not: know a file of theirs, or when it is written.

use ahoy_call::PeerId;

use super::{Act, Components, Done, Plan, fresh_id, groups, hex, keep, no_contact};
use crate::contacts::{Added, Change, Contacts};
use crate::values::contact_rules::RingPolicy;
use crate::values::request::{Answer, ContactRequest, Denied, DeniedKind};
use crate::values::rows::{ContactRow, RequestRow};

/// What is to be done when a change is safe.
#[derive(Debug)]
pub(in crate::engine) struct ContactDone {
    /// Who changed.
    pub peer: Option<PeerId>,
    /// They are out of every call.
    pub out: bool,
    /// They are played at another volume.
    pub louder: bool,
    /// They are to have our card.
    pub greets: bool,
    /// Somebody asks to be a contact, who did not before: who, and what they call themselves.
    pub asks: Option<(PeerId, String)>,
    /// What the client hears.
    pub answer: Answer,
}

impl ContactDone {
    pub(super) fn nobody(answer: Answer) -> Self {
        Self { peer: None, out: false, louder: false, greets: false, asks: None, answer }
    }
}

pub(super) fn on_request(request: ContactRequest, with: &mut Components<'_>) -> Result<Act, Denied> {
    let contacts = with.contacts;
    match request {
        ContactRequest::List(filter) => {
            let (rows, next) = contacts.list(&filter)?;
            Ok(Act::Answer(Answer::Contacts(rows, next)))
        }
        ContactRequest::Get(id) => {
            let peer = contacts.resolve(&id)?;
            let row = contacts.get(peer).ok_or_else(|| no_contact(&id))?;
            let row = ContactRow { twins: contacts.twins(peer), ping: with.pings.last(peer), ..row };
            Ok(Act::Answer(Answer::Contact(Box::new(row))))
        }
        ContactRequest::Ping(id) => ping(&id, with),
        ContactRequest::Find(text) => Ok(Act::Answer(Answer::Contacts(contacts.find(&text), String::new()))),
        ContactRequest::Add(card) => keep(move |with| {
            let (added, change) = with.contacts.add(&card, with.unix_us)?;
            let peer = added.peer();
            // Whom we have long had we need not ask again.
            let greets = !matches!(added, Added::Known(_));
            let done =
                ContactDone { peer: Some(peer), greets, ..ContactDone::nobody(Answer::Text(hex(peer))) };
            Ok(written(with, change, done))
        }),
        ContactRequest::AddPaired(card) => keep(move |with| {
            let (added, change) = with.contacts.add(&card, with.unix_us)?;
            let peer = added.peer();
            let done = ContactDone { peer: Some(peer), ..ContactDone::nobody(Answer::Text(hex(peer))) };
            Ok(written(with, change, done))
        }),
        ContactRequest::Requests => keep(|with| {
            let (asking, dir) = (with.contacts.requests(), with.paths.contacts());
            Ok(Plan::Write(Box::new(move |_gate| {
                let named = |(row, token): (RequestRow, [u8; 16])| RequestRow {
                    given_to: Contacts::given_to(&dir, token),
                    ..row
                };
                Done::Answer(Answer::Requests(asking.into_iter().map(named).collect()))
            })))
        }),
        ContactRequest::Accept(who) => keep(move |with| {
            let (peer, change) = with.contacts.accept(&who, with.unix_us)?;
            let answer = Answer::Text(hex(peer));
            let done = ContactDone { peer: Some(peer), greets: true, ..ContactDone::nobody(answer) };
            Ok(written(with, change, done))
        }),
        ContactRequest::Dismiss(who) => keep(move |with| {
            let (peer, change) = with.contacts.dismiss(&who)?;
            let done = ContactDone { peer: Some(peer), ..ContactDone::nobody(Answer::Done) };
            Ok(written(with, change, done))
        }),
        ContactRequest::Change(id, what) => keep(move |with| {
            let peer = with.contacts.resolve(&id)?;
            let (out, louder) = (what.blocked == Some(true), what.manner.volume.is_some());
            // Who was blocked was told nothing meanwhile.
            let greets = what.blocked == Some(false) && with.contacts.lacking().contains(&peer);
            let done =
                ContactDone { peer: Some(peer), out, louder, greets, ..ContactDone::nobody(Answer::Done) };
            Ok(written(with, with.contacts.change(peer, &what)?, done))
        }),
        ContactRequest::Remove(id) => keep(move |with| {
            let peer = with.contacts.resolve(&id)?;
            let done = ContactDone { peer: Some(peer), out: true, ..ContactDone::nobody(Answer::Done) };
            Ok(written(with, with.contacts.remove(peer)?, done))
        }),
        ContactRequest::Groups => Ok(groups::rows(with)),
        ContactRequest::MakeGroup { name, members } => groups::make(name, members),
        ContactRequest::ChangeGroup { group, name, add, drop } => groups::change(group, name, add, drop),
        ContactRequest::ForgetGroup(group) => groups::forget(group),
        ContactRequest::ExportCard(name) => keep(move |with| {
            let (card, change) = with.contacts.export(&name, with.unix_us)?;
            Ok(written(with, change, ContactDone::nobody(Answer::Text(card))))
        }),
        ContactRequest::ListCards => keep(|with| {
            let (cards, dir) = (with.contacts.unused_cards(), with.paths.contacts());
            Ok(Plan::Write(Box::new(move |_gate| {
                let named = |(hash, at): ([u8; 16], i64)| {
                    (data_encoding::HEXLOWER.encode(&hash), Contacts::given_to(&dir, hash), at)
                };
                Done::Answer(Answer::Cards(cards.into_iter().map(named).collect()))
            })))
        }),
        ContactRequest::RevokeCard(id) => {
            keep(move |with| Ok(written(with, with.contacts.revoke(&id)?, ContactDone::nobody(Answer::Done))))
        }
    }
}

/// Only between two who both allow it; what the other allows shows in whether an answer comes.
fn ping(id: &str, with: &mut Components<'_>) -> Result<Act, Denied> {
    let peer = with.contacts.resolve(id)?;
    let Some((rules, blocked)) = with.contacts.manner(peer) else { return Err(no_contact(id)) };
    if !rules.ping || blocked || rules.ring_policy == RingPolicy::Never {
        let sentence = "To see whether they can be reached, let them see the same of you: ahoyctl contact set NAME --ping yes";
        return Err(Denied::new(DeniedKind::PermissionDenied, sentence));
    }
    if !with.board.manager.online && !with.networks.sees(peer) {
        let sentence = "No relay is connected, so nobody can be asked: `ahoyctl doctor` tells why.";
        return Err(Denied::new(DeniedKind::NotConnected, sentence));
    }
    let job = fresh_id()?;
    if !with.pings.begin(with.now, peer, job, with.unix_us) {
        let sentence = "You have asked that very often: wait a moment.";
        return Err(Denied::new(DeniedKind::RateLimited, sentence));
    }
    Ok(Act::Ping(job, peer))
}

/// Cards that nobody has used for long are taken back. The daemon's own wish.
pub(in crate::engine) fn expire(with: &mut Components<'_>) -> Result<Plan, Denied> {
    Ok(written(with, with.contacts.expire(with.unix_us), ContactDone::nobody(Answer::Done)))
}

/// A change is written; one of nothing is answered as it is.
pub(super) fn written(with: &Components<'_>, mut change: Change, done: ContactDone) -> Plan {
    if change.is_empty() {
        return Plan::Now(done.answer);
    }
    let store = with.store.clone();
    Plan::Write(Box::new(move |gate| {
        let result = change.write(&store, gate);
        Done::Contacts(change, result, done)
    }))
}
