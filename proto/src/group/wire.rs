//! The shapes in which a group's news and statements are written.
//!
//! Lives here: one struct a shape, both ways.
//! Must not: sign, or check a signature.

use ahoy_call::group::{
    Age, ENTRIES, Ending, Gone, Head, Invited, News, OLDEST, Presence, Removed, Start, Statement, TOLD,
};
use ahoy_call::{CallId, DeclineReason, EndReason, GroupId, LegId, PeerId, Scope};
use serde::{Deserialize, Serialize};

use super::{armored, entry};
use crate::armor;
use crate::codec_error::CodecError;

type Id = [u8; 16];

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct WireNews {
    start: WireStart,
    age_ms: u64,
    #[serde(default)]
    heads: Vec<WireHead>,
    #[serde(default)]
    entries: Vec<String>,
    #[serde(default)]
    told: Vec<WireId>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireStart {
    #[serde(with = "armor")]
    call: Id,
    #[serde(with = "armor")]
    device: Id,
    #[serde(with = "armor")]
    contact: Id,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<WireId>,
}

#[derive(Serialize, Deserialize)]
struct WireHead {
    #[serde(with = "armor")]
    author: Id,
    number: u32,
    print: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    contradicted: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct WireId(#[serde(with = "armor")] Id);

/// Which of the moments are there depends on the presence.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WireStatement {
    number: u32,
    presence: String,
    at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    invited: Vec<WireInvited>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removed: Vec<WireRemoved>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<WireGone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<WireEnding>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rooms: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireInvited {
    #[serde(with = "armor")]
    contact: Id,
    devices: u8,
    at_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireRemoved {
    #[serde(with = "armor")]
    contact: Id,
    at_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireGone {
    #[serde(with = "armor")]
    device: Id,
    number: u32,
    at_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireEnding {
    reason: String,
    at_ms: u64,
}

impl WireNews {
    /// Every entry must be sealed.
    pub(crate) fn of(news: &News) -> Result<Self, CodecError> {
        check(news.heads.len(), news.entries.len(), news.told.len())?;
        let head = |head: &Head| WireHead {
            author: head.author.bytes(),
            number: head.number,
            print: head.print,
            contradicted: head.contradicted,
        };
        Ok(Self {
            start: WireStart::of(news.start),
            age_ms: news.age.0,
            heads: news.heads.iter().map(head).collect(),
            entries: news.entries.iter().map(armored).collect::<Result<_, _>>()?,
            told: news.told.iter().map(|leg| WireId(leg.bytes())).collect(),
        })
    }

    /// One entry that does not hold is worth no more than none: the rest is read. Whoever passed it on is not its author.
    pub(crate) fn read(self) -> Result<News, CodecError> {
        check(self.heads.len(), self.entries.len(), self.told.len())?;
        let start = self.start.read();
        let head = |head: WireHead| Head {
            author: LegId::from_bytes(head.author),
            number: head.number,
            print: head.print,
            contradicted: head.contradicted,
        };
        let entries = self.entries.iter().filter_map(|text| armor::decode(text));
        Ok(News {
            start,
            age: Age(self.age_ms).min(OLDEST),
            heads: self.heads.into_iter().map(head).collect(),
            entries: entries.filter_map(|signed| entry(start, signed).ok()).collect(),
            told: self.told.into_iter().map(|it| LegId::from_bytes(it.0)).collect(),
        })
    }
}

fn check(heads: usize, entries: usize, told: usize) -> Result<(), CodecError> {
    let bounds =
        [(heads, ahoy_call::group::AUTHORS, "heads"), (entries, ENTRIES, "entries"), (told, TOLD, "told")];
    match bounds.into_iter().find(|(are, most, _)| are > most) {
        Some((_, _, field)) => Err(CodecError::OutOfRange(field)),
        None => Ok(()),
    }
}

impl WireStart {
    pub(super) fn of(start: Start) -> Self {
        let Start { call, leg, peer, group } = start;
        let group = group.map(|group| WireId(group.bytes()));
        Self { call: call.bytes(), device: leg.bytes(), contact: peer.bytes(), group }
    }

    pub(super) fn read(&self) -> Start {
        Start {
            call: CallId::from_bytes(self.call),
            leg: LegId::from_bytes(self.device),
            peer: PeerId::from_bytes(self.contact),
            group: self.group.as_ref().map(|group| GroupId::from_bytes(group.0)),
        }
    }
}

impl WireStatement {
    pub(super) fn of(statement: &Statement) -> Self {
        let Statement { number, presence, invited, removed, gone, ended, rooms } = statement;
        let (word, joined, reason, scope) = match presence {
            Presence::Joined { .. } => ("joined", None, None, None),
            Presence::Left { joined, .. } => ("left", *joined, None, None),
            Presence::Declined { reason, scope, .. } => {
                ("declined", None, Some(reason.word()), Some(scope.word()))
            }
        };
        let invited = invited.iter().map(|one| WireInvited {
            contact: one.peer.bytes(),
            devices: one.devices,
            at_ms: one.at.0,
        });
        let gone =
            gone.iter().map(|one| WireGone { device: one.leg.bytes(), number: one.number, at_ms: one.at.0 });
        Self {
            number: *number,
            presence: word.to_owned(),
            at_ms: presence.at().0,
            joined_ms: joined.map(|at| at.0),
            reason: reason.map(str::to_owned),
            scope: scope.map(str::to_owned),
            invited: invited.collect(),
            removed: removed
                .iter()
                .map(|it| WireRemoved { contact: it.peer.bytes(), at_ms: it.at.0 })
                .collect(),
            gone: gone.collect(),
            ended: ended.map(|end| WireEnding { reason: end.reason.word().to_owned(), at_ms: end.at.0 }),
            rooms: *rooms,
        }
    }

    /// A presence that a later version knows is none of ours: who is neither in nor out cannot be shown. A reason that it knows
    /// becomes the nearest of ours.
    pub(super) fn read(self) -> Option<Statement> {
        let age = |ms: u64| Age(ms).min(OLDEST);
        let at = age(self.at_ms);
        let presence = match self.presence.as_str() {
            "joined" => Presence::Joined { at },
            "left" => Presence::Left { joined: self.joined_ms.map(age), at },
            "declined" => Presence::Declined {
                reason: self
                    .reason
                    .and_then(|it| DeclineReason::named(&it))
                    .unwrap_or(DeclineReason::Declined),
                scope: self.scope.and_then(|it| Scope::named(&it)).unwrap_or(Scope::ThisDevice),
                at,
            },
            _ => return None,
        };
        let invited = self.invited.into_iter().map(|it| Invited {
            peer: PeerId::from_bytes(it.contact),
            devices: it.devices,
            at: age(it.at_ms),
        });
        let removed = self.removed.into_iter();
        let gone = self.gone.into_iter().map(|it| Gone {
            leg: LegId::from_bytes(it.device),
            number: it.number,
            at: age(it.at_ms),
        });
        let ended = self.ended.map(|end| Ending {
            reason: EndReason::named(&end.reason).unwrap_or(EndReason::EndedByHost),
            at: age(end.at_ms),
        });
        Some(Statement {
            number: self.number,
            presence,
            invited: invited.collect(),
            removed: removed
                .map(|it| Removed { peer: PeerId::from_bytes(it.contact), at: age(it.at_ms) })
                .collect(),
            gone: gone.collect(),
            ended,
            rooms: self.rooms,
        })
    }
}
