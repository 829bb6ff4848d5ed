//! A description that waits for all of our candidates, for a side that takes none after it (RFC 8838 §4: no trickle).
//!
//! Lives here: how long it waits, and its text with the candidates, pure.
//! Must not: gather.

use std::time::Duration;

use ahoy_call::{Description, Moment, Opaque};

/// So long candidates are waited for: a server that does not answer must not keep a call from coming about.
const WAITS: Duration = Duration::from_secs(10);

/// See the head of this file. Only the first description waits: the library writes into later ones what it has by then.
#[derive(Default)]
pub(super) struct Gathering {
    waiting: Option<(Moment, Description)>,
    candidates: Vec<Opaque>,
    complete: bool,
}

impl Gathering {
    /// A description was made. Returned if it can be sent.
    pub(super) fn described(&mut self, now: Moment, description: Description) -> Option<Description> {
        if self.complete {
            return Some(description);
        }
        // The newest one counts: the other side has seen none.
        let until = self.due().unwrap_or(now + WAITS);
        self.waiting = Some((until, description));
        None
    }

    /// Candidates came, the last ones if `complete`. Returns what can be sent now.
    pub(super) fn gathered(&mut self, list: Vec<Opaque>, complete: bool) -> Option<Description> {
        if !self.complete {
            self.candidates.extend(list);
        }
        if complete { self.send() } else { None }
    }

    /// Until when is waited.
    pub(super) fn due(&self) -> Option<Moment> {
        self.waiting.as_ref().map(|(until, _)| *until)
    }

    /// No more is waited for. Returns what can be sent now, with the candidates that there are.
    pub(super) fn send(&mut self) -> Option<Description> {
        self.complete = true;
        let (_, description) = self.waiting.take()?;
        let text = String::from_utf8_lossy(&description.body.0);
        let text = with(&text, &std::mem::take(&mut self.candidates));
        Some(Description { body: Opaque(text.into_bytes()), ..description })
    }
}

/// The text with candidates at the end of its first section that is not refused.
fn with(text: &str, candidates: &[Opaque]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let is_section = |line: &&str| line.starts_with("m=");
    let stands = |line: &&str| is_section(line) && line.split(' ').nth(1) != Some("0");
    let first = lines.iter().position(stands).unwrap_or(lines.len());
    let end = lines.iter().skip(first + 1).position(is_section).map_or(lines.len(), |more| first + 1 + more);
    let mut all: Vec<String> = lines[..end].iter().map(|&line| line.to_owned()).collect();
    all.extend(candidates.iter().map(|one| format!("a={}", String::from_utf8_lossy(&one.0))));
    all.push("a=end-of-candidates".to_owned());
    all.extend(lines[end..].iter().map(|&line| line.to_owned()));
    all.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
}

#[cfg(test)]
mod tests {
    use ahoy_call::SdpKind;

    use super::*;

    fn description(text: &str) -> Description {
        Description { kind: SdpKind::Offer, body: Opaque(text.as_bytes().to_vec()) }
    }

    fn candidates(names: &[&str]) -> Vec<Opaque> {
        names.iter().map(|name| Opaque(format!("candidate:{name}").into_bytes())).collect()
    }

    const TEXT: &str = "v=0\r\nm=video 0 x 0\r\nm=audio 9 x 111\r\na=mid:0\r\nm=application 9 x y\r\n";

    #[test]
    fn a_description_waits_for_the_last_candidate_and_has_them_all() {
        let mut gathering = Gathering::default();
        assert_eq!(gathering.gathered(candidates(&["early"]), false), None);
        assert_eq!(gathering.described(Moment::default(), description(TEXT)), None);
        assert_eq!(gathering.gathered(candidates(&["late"]), false), None);
        let whole = "v=0\r\nm=video 0 x 0\r\nm=audio 9 x 111\r\na=mid:0\r\na=candidate:early\r\na=candidate:late\r\n\
             a=candidate:last\r\na=end-of-candidates\r\nm=application 9 x y\r\n";
        assert_eq!(gathering.gathered(candidates(&["last"]), true), Some(description(whole)));
        assert_eq!(gathering.due(), None);
        let later = description("v=0\r\n");
        assert_eq!(gathering.described(Moment::default(), later.clone()), Some(later), "it waits once");
    }

    #[test]
    fn after_ten_seconds_it_goes_with_what_there_is() {
        let mut gathering = Gathering::default();
        let now = Moment::default();
        gathering.described(now, description(TEXT));
        let until = now + Duration::from_secs(10);
        assert_eq!(gathering.due(), Some(until));
        gathering.described(now + Duration::from_secs(3), description(TEXT));
        assert_eq!(gathering.due(), Some(until), "another one waits no longer");
        gathering.gathered(candidates(&["only"]), false);
        let sent = gathering.send().unwrap();
        assert_eq!(String::from_utf8(sent.body.0).unwrap().matches("a=candidate:").count(), 1);
        assert_eq!(gathering.gathered(candidates(&["late"]), true), None, "that one is never told");
    }
}
