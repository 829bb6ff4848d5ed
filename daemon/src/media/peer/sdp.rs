//! Descriptions and candidates as they pass between us and a side that is no ahoy (RFC 8866, RFC 8829, RFC 8839).
//!
//! Lives here: what of the other side's text reaches the library, and what of the library's text leaves, pure. The library knows
//! two sections, the voice and the frames; the other side may have more of them, which are refused and keep their places.
//! Must not: decide who describes what when: `negotiation.rs` does.

use ahoy_call::{Description, Opaque, SdpKind};
use serde::{Deserialize, Serialize};

use super::guard::{self, Refused};
use super::sending::{OPUS_FORMAT, PayloadTypes};
use crate::media::transport::{Flow, Takes};

/// Sections of one description. One that is refused stays for good (RFC 8829 §5.2.2), so their number can only grow.
const MOST_SECTIONS: usize = 32;

/// Who opens DTLS (RFC 8842 §5.2). Agreed on once: a later answer that says otherwise would begin it anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DtlsRole {
    Active,
    Passive,
}

impl DtlsRole {
    fn of(word: &str) -> Option<Self> {
        [Self::Active, Self::Passive].into_iter().find(|setup| setup.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive => Self::Active,
        }
    }
}

/// What is agreed with a side that says `theirs`, where we would have `ours`.
pub(super) fn agreed(ours: Flow, theirs: Flow) -> Flow {
    Flow { send: ours.send && theirs.receive, receive: ours.receive && theirs.send }
}

/// The place of one section in every description of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Section {
    /// The library has it, by this name.
    Ours(String),
    /// Its kind and protocol, and its name.
    Refused(String, String),
}

/// The sections of a connection, in their order. Empty before the first exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sections(Vec<Section>);

/// A description of the other side, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Theirs {
    /// For the library: no candidates, no section that it does not know.
    pub(super) text: String,
    /// The sections from now on, if it comes to an agreement.
    pub(super) sections: Sections,
    /// How the voice may flow, seen from them.
    pub(super) flow: Flow,
    pub(super) payload_types: PayloadTypes,
    pub(super) takes: Takes,
    /// What names its ICE credentials.
    pub(super) ufrag: Option<String>,
    /// Candidates that stood in the text.
    pub(super) candidates: Vec<Opaque>,
    /// What it wants to be at DTLS; none in an offer that leaves it to us.
    pub(super) setup: Option<DtlsRole>,
}

/// The how many-eth description of its writer it is; 0 where it does not say.
pub(super) fn version(text: &str) -> u64 {
    let origin = text.lines().find_map(|line| line.strip_prefix("o="));
    origin.and_then(|origin| origin.split(' ').nth(2)?.parse().ok()).unwrap_or_default()
}

/// A value that stands in a line of its own.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn flow(line: &str) -> Option<Flow> {
    let (send, receive) = match line.trim_end() {
        "a=sendrecv" => (true, true),
        "a=sendonly" => (true, false),
        "a=recvonly" => (false, true),
        "a=inactive" => (false, false),
        _ => return None,
    };
    Some(Flow { send, receive })
}

/// The part about all sections, and each section from its `m=` on.
fn split(text: &str) -> (&str, Vec<&str>) {
    let starts: Vec<usize> = text.match_indices("\nm=").map(|(at, _)| at + 1).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let sections = starts.iter().zip(ends).map(|(&start, end)| &text[start..end]).collect();
    (&text[..starts.first().copied().unwrap_or(text.len())], sections)
}

impl Sections {
    /// Reads a description of the other side.
    pub(super) fn read(&self, description: &Description) -> Result<Theirs, Refused> {
        let whole = guard::text(description)?;
        let (head, texts) = split(whole);
        let sections = self.with(description.kind, &texts)?;
        let mut voice = None;
        let mut kept = vec![head];
        for (section, text) in sections.0.iter().zip(&texts) {
            if matches!(section, Section::Ours(_)) {
                kept.push(text);
                if text.starts_with("m=audio ") {
                    voice = Some(*text);
                }
            }
        }
        let voice = voice.ok_or(Refused::Sections)?;
        let (payload_types, takes) = guard::codecs(voice).ok_or(Refused::Codec)?;
        let either = |name: &str| value(voice, name).or_else(|| value(head, name));
        let flow = voice.lines().chain(head.lines()).find_map(flow).unwrap_or(Flow::BOTH);
        let setup = either("a=setup:").and_then(DtlsRole::of);
        let kept = kept.concat();
        // Other hashes may stand beside the one that the library checks.
        let kept = lines(kept.lines().filter(|line| {
            line.strip_prefix("a=fingerprint:")
                .is_none_or(|rest| rest.get(..8).is_some_and(|hash| hash.eq_ignore_ascii_case("sha-256 ")))
        }));
        guard::fingerprint(&kept)?;
        let ufrag = either("a=ice-ufrag:").map(str::to_owned);
        let candidates = whole
            .lines()
            .filter_map(|line| line.strip_prefix("a=").filter(|rest| rest.starts_with("candidate:")))
            .map(|candidate| Opaque(candidate.as_bytes().to_vec()))
            .collect();
        let text = sections.inwards(description.kind, &kept, flow);
        Ok(Theirs { text, sections, flow, payload_types, takes, ufrag, candidates, setup })
    }

    /// The sections once these are among them.
    fn with(&self, kind: SdpKind, texts: &[&str]) -> Result<Self, Refused> {
        let enough = match kind {
            SdpKind::Offer => texts.len() >= self.0.len(),
            SdpKind::Answer => texts.len() == self.0.len(),
        };
        if !enough || texts.len() > MOST_SECTIONS {
            return Err(Refused::Sections);
        }
        let first = self.0.is_empty();
        let (mut voice, mut frames) = (!first, !first);
        let each = texts.iter().enumerate().map(|(place, text)| {
            let mid = value(text, "a=mid:").filter(|mid| !mid.is_empty()).ok_or(Refused::Sections)?;
            let mut words = text.lines().next().unwrap_or_default().trim_start_matches("m=").split(' ');
            let (media, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (protocol, format) =
                (words.next().ok_or(Refused::Sections)?, words.next().ok_or(Refused::Sections)?);
            match self.0.get(place) {
                Some(Section::Ours(ours)) if ours == mid => Ok(Section::Ours(ours.clone())),
                Some(Section::Ours(_)) => Err(Refused::Sections),
                // Another may take the place of a refused one.
                Some(Section::Refused(..)) | None => {
                    let ours = port != "0"
                        && match media {
                            "audio" => !std::mem::replace(&mut voice, true),
                            "application" if format == "webrtc-datachannel" => {
                                !std::mem::replace(&mut frames, true)
                            }
                            _ => false,
                        };
                    let format = if protocol.contains("RTP") { "0" } else { format };
                    Ok(match ours {
                        true => Section::Ours(mid.to_owned()),
                        false => Section::Refused(format!("{media} 0 {protocol} {format}"), mid.to_owned()),
                    })
                }
            }
        });
        each.collect::<Result<_, _>>().map(Self)
    }

    fn is_ours(&self, mid: &str) -> bool {
        self.0.iter().any(|section| matches!(section, Section::Ours(ours) if ours == mid))
    }

    /// The group of what travels together (RFC 9143), without what is refused.
    fn group(&self, line: &str) -> Option<String> {
        let mids = line.trim_end().strip_prefix("a=group:BUNDLE ")?;
        let kept: Vec<&str> = mids.split(' ').filter(|mid| self.is_ours(mid)).collect();
        Some(format!("a=group:BUNDLE {}", kept.join(" ")))
    }

    fn inwards(&self, kind: SdpKind, kept: &str, flow: Flow) -> String {
        // An offer with an inactive voice would end the library's section for good. That nobody listens has the same answer.
        let word = match (flow.send, flow.receive) {
            (true, true) => "a=sendrecv",
            (true, false) => "a=sendonly",
            (false, false) if kind == SdpKind::Answer => "a=inactive",
            (false, _) => "a=recvonly",
        };
        let mut voice = false;
        let mut text = Vec::new();
        for line in kept.lines() {
            voice = if line.starts_with("m=") { line.starts_with("m=audio ") } else { voice };
            if line.starts_with("a=candidate:") || self::flow(line).is_some() {
                continue;
            }
            // The library knows the hash's name in small letters only (RFC 8122 allows both).
            let line = line.replace("a=fingerprint:SHA-256 ", "a=fingerprint:sha-256 ");
            text.push(self.group(&line).unwrap_or(line));
            if voice && text.last().is_some_and(|line| line.starts_with("a=mid:")) {
                text.push(word.to_owned());
            }
        }
        lines(text.iter().map(String::as_str))
    }

    /// What of the library's text leaves, and the sections that it has then. `number`: the how many-eth it is; the library
    /// counts in seconds. `setup`: what we are at DTLS, if that is agreed on.
    pub(super) fn write(
        &self,
        kind: SdpKind,
        text: &str,
        number: u64,
        setup: Option<DtlsRole>,
    ) -> Result<(String, Self), Refused> {
        let (head, texts) = split(text);
        let after = if self.0.is_empty() { self.with(SdpKind::Offer, &texts)? } else { self.clone() };
        let mut out: Vec<String> = Vec::new();
        for line in head.lines() {
            out.push(match line.strip_prefix("o=") {
                Some(origin) => {
                    let words = origin.split(' ').enumerate();
                    let words =
                        words.map(|(n, word)| if n == 2 { number.to_string() } else { word.to_owned() });
                    format!("o={}", words.collect::<Vec<_>>().join(" "))
                }
                None => after.group(line).unwrap_or_else(|| line.to_owned()),
            });
        }
        for section in &after.0 {
            match section {
                Section::Ours(mid) => {
                    let named = |text: &&&str| value(text, "a=mid:") == Some(mid.as_str());
                    let section = texts.iter().find(named).ok_or(Refused::Sections)?;
                    out.extend(ours(kind, section, setup));
                }
                Section::Refused(line, mid) => {
                    let refused = format!("m={line}\nc=IN IP4 0.0.0.0\na=mid:{mid}\na=inactive");
                    out.extend(refused.lines().map(str::to_owned));
                }
            }
        }
        Ok((lines(out.iter().map(String::as_str)), after))
    }

    /// A candidate of ours, with these credentials.
    pub(super) fn candidate(&self, candidate: &Opaque, ufrag: &str) -> Option<Opaque> {
        let text = std::str::from_utf8(&candidate.0).ok()?;
        let (place, mid) = self.0.iter().enumerate().find_map(|(place, section)| match section {
            Section::Ours(mid) => Some((place, mid)),
            Section::Refused(..) => None,
        })?;
        let written = Written {
            candidate: format!("{text} ufrag {ufrag}"),
            mid: Some(mid.clone()),
            place: u16::try_from(place).ok(),
            ufrag: Some(ufrag.to_owned()),
        };
        serde_json::to_vec(&written).ok().map(Opaque)
    }
}

/// One of the library's sections as it leaves.
fn ours(kind: SdpKind, text: &str, setup: Option<DtlsRole>) -> Vec<String> {
    let opus = guard::codecs(text).map(|(types, _)| types.opus);
    let formats = opus.map(|opus| format!("a=fmtp:{opus} "));
    let mut out = Vec::new();
    for line in text.lines() {
        if let (Some(setup), SdpKind::Answer, true) = (setup, kind, line.starts_with("a=setup:")) {
            out.push(format!("a=setup:{}", setup.word()));
            continue;
        }
        // In its answers the library says the other side's wishes again, instead of ours.
        if formats.as_ref().is_some_and(|formats| line.starts_with(formats.as_str())) {
            continue;
        }
        out.push(line.to_owned());
        if opus.is_some_and(|opus| line.starts_with(&format!("a=rtpmap:{opus} "))) {
            out.extend(formats.iter().map(|formats| format!("{formats}{OPUS_FORMAT}")));
            out.push(guard::longest());
        }
    }
    out
}

fn lines<'a>(list: impl Iterator<Item = &'a str>) -> String {
    list.flat_map(|line| [line, "\r\n"]).collect()
}

/// What names the credentials of a description that we wrote.
pub(super) fn ufrag(text: &str) -> Option<&str> {
    value(text, "a=ice-ufrag:")
}

/// What an answer that we wrote makes us at DTLS.
pub(super) fn setup(text: &str) -> Option<DtlsRole> {
    value(text, "a=setup:").and_then(DtlsRole::of)
}

/// `RTCIceCandidateInit` (W3C WebRTC §4.8.1).
#[derive(Serialize, Deserialize)]
struct Written {
    candidate: String,
    #[serde(rename = "sdpMid", default)]
    mid: Option<String>,
    #[serde(rename = "sdpMLineIndex", default)]
    place: Option<u16>,
    #[serde(rename = "usernameFragment", default)]
    ufrag: Option<String>,
}

/// A candidate of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// For the library.
    pub(super) text: String,
    /// The credentials that it belongs to, if it says so.
    pub(super) ufrag: Option<String>,
}

/// Reads a candidate; none if it may not be tried, or only says that no more will come.
pub(super) fn candidate(json: &Opaque) -> Option<Candidate> {
    if json.0.len() > 2 * guard::LONGEST_CANDIDATE {
        return None;
    }
    let written: Written = serde_json::from_slice(&json.0).ok()?;
    let text = guard::candidate(&Opaque(written.candidate.into_bytes()))?;
    let said = || text.split_once(" ufrag ").and_then(|(_, rest)| rest.split(' ').next()).map(str::to_owned);
    Some(Candidate { ufrag: written.ufrag.filter(|ufrag| !ufrag.is_empty()).or_else(said), text })
}

#[cfg(test)]
mod tests;
