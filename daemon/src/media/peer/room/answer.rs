//! What an answer or a candidate of a room's server must look like before the WebRTC library reads it.
//!
//! Lives here: the checks, pure; every byte here was written by the server.
//! Must not: negotiate, log what it reads.

use ahoy_call::Opaque;
use serde::{Deserialize, Serialize};

use super::connection::PAYLOAD_TYPE;
use crate::media::peer::guard;

/// Candidates of the server's for one description that are tried.
pub(super) const CANDIDATES: usize = 32;
/// Lines of an answer, and bytes of one: of the longest that a server of today writes, and twice that.
const LINES: usize = 2_048;
const LINE: usize = 512;

/// Why an answer is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("too long, or not text")]
    Text,
    #[error("not the sections that were offered")]
    Sections,
    #[error("no Opus under the number that was offered")]
    Codec,
    #[error("no single SHA-256 fingerprint")]
    Fingerprint,
}

/// The text for the library, and the candidates that stood in it. `sections`: how many were offered, all of them of sound.
pub(super) fn answer(text: &str, sections: usize) -> Result<(String, Vec<String>), Refused> {
    let strange = |c: char| c.is_control() && c != '\r' && c != '\n';
    if text.chars().any(strange) || text.lines().count() > LINES || text.lines().any(|line| line.len() > LINE)
    {
        return Err(Refused::Text);
    }
    guard::fingerprint(text).map_err(|_| Refused::Fingerprint)?;
    let parts: Vec<&str> = text.split("\nm=").skip(1).collect();
    if parts.len() != sections || parts.iter().any(|part| !part.starts_with("audio ")) {
        return Err(Refused::Sections);
    }
    let rejected = |part: &&&str| !part.starts_with("audio 0 ");
    for part in parts.iter().filter(rejected) {
        let opus = guard::codecs(part).map(|(types, _)| types.opus);
        if opus != Some(PAYLOAD_TYPE) {
            return Err(Refused::Codec);
        }
    }
    let (mut kept, mut candidates) = (String::with_capacity(text.len()), Vec::new());
    for line in text.lines() {
        match line.strip_prefix("a=").filter(|rest| rest.starts_with("candidate:")) {
            Some(one) => candidates.extend(usable(one)),
            None => {
                kept.push_str(line);
                kept.push_str("\r\n");
            }
        }
    }
    candidates.truncate(CANDIDATES);
    Ok((kept, candidates))
}

/// `RTCIceCandidateInit` (W3C WebRTC §4.8.1).
#[derive(Serialize, Deserialize)]
struct Init {
    candidate: String,
    #[serde(rename = "sdpMid", default)]
    mid: Option<String>,
    #[serde(rename = "sdpMLineIndex", default)]
    place: Option<u16>,
}

/// A candidate of the server's, if it may be tried.
pub(super) fn candidate(json: &str) -> Option<String> {
    let init: Init = serde_json::from_str(json).ok()?;
    usable(&init.candidate)
}

/// The same by TCP, which a server offers for who has no UDP: only one that waits to be connected to (RFC 6544 §4.5).
fn usable(text: &str) -> Option<String> {
    let check = |text: &str| guard::candidate(&Opaque(text.as_bytes().to_vec()));
    let by_tcp = text.split(' ').nth(2).is_some_and(|word| word.eq_ignore_ascii_case("tcp"));
    if !by_tcp {
        return check(text);
    }
    let mut words: Vec<&str> = text.split(' ').collect();
    let passive = words.windows(2).any(|two| two == ["tcptype", "passive"]);
    words[2] = "udp";
    (passive && check(&words.join(" ")).is_some()).then(|| text.to_owned())
}

/// A candidate of ours as it is told.
pub(super) fn written(candidate: &Opaque) -> Option<String> {
    let candidate = String::from_utf8(candidate.0.clone()).ok()?;
    serde_json::to_string(&Init { candidate, mid: Some("0".to_owned()), place: Some(0) }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a real server answered to a client of ours.
    fn real() -> String {
        let bytes =
            "AB:CD:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC";
        let section = |mid: u8, way: &str| {
            format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=setup:active\r\na=mid:{mid}\r\na=ice-ufrag:x\r\n\
                 a=ice-pwd:y\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na={way}\r\n"
            )
        };
        format!(
            "v=0\r\no=- 4253348664856092155 1795967951 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=msid-semantic:WMS *\r\n\
             a=fingerprint:sha-256 {bytes}\r\na=group:BUNDLE 0 1\r\n{}{}a=candidate:1 1 udp 5 192.0.2.1 4000 typ host\r\n",
            section(0, "recvonly"),
            section(1, "sendonly"),
        )
    }

    #[test]
    fn an_answer_of_a_real_server_passes_and_its_candidates_are_taken_out() {
        let (text, candidates) = answer(&real(), 2).unwrap();
        assert_eq!(candidates.len(), 1);
        assert!(!text.contains("candidate:") && text.contains("m=audio 9"));
    }

    #[test]
    fn an_answer_that_is_not_one_to_our_offer_is_refused() {
        let with = |from: &str, to: &str| answer(&real().replace(from, to), 2).map(|_| ());
        assert_eq!(answer(&real(), 3).map(|_| ()), Err(Refused::Sections));
        assert_eq!(answer(&real(), 1).map(|_| ()), Err(Refused::Sections));
        assert_eq!(with("m=audio 9", "m=video 9"), Err(Refused::Sections));
        assert_eq!(with("111 opus", "112 opus"), Err(Refused::Codec));
        assert_eq!(with("opus/48000/2", "PCMU/8000"), Err(Refused::Codec));
        assert_eq!(with("sha-256", "sha-1"), Err(Refused::Fingerprint));
        assert_eq!(with("a=setup:active", "a=setup:\u{7}"), Err(Refused::Text));
        assert_eq!(with("a=setup:active", &format!("a=x:{}", "y".repeat(LINE))), Err(Refused::Text));
        assert_eq!(with("t=0 0", &"a=x\r\n".repeat(LINES)), Err(Refused::Text));
        let two = format!("a=fingerprint:sha-256 {}\r\nt=0 0", ["00"; 32].join(":"));
        assert_eq!(with("t=0 0", &two), Err(Refused::Fingerprint));
        assert_eq!(
            with(
                "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=setup:active\r\na=mid:1",
                "m=audio 0 x 0\r\na=mid:1"
            ),
            Ok(())
        );
    }

    #[test]
    fn a_candidate_by_udp_or_one_that_waits_by_tcp_is_tried_and_no_other() {
        let of = |text: &str| {
            candidate(&format!(r#"{{"candidate":"{text}","sdpMid":"0","sdpMLineIndex":0,"x":[]}}"#))
        };
        for good in [
            "candidate:1 1 udp 5 192.0.2.1 4000 typ host",
            "candidate:1 1 tcp 5 192.0.2.1 4000 typ host tcptype passive",
        ] {
            assert_eq!(of(good).as_deref(), Some(good));
        }
        for bad in [
            "candidate:1 1 tcp 5 192.0.2.1 4000 typ host tcptype active",
            "candidate:1 1 tcp 5 rooms.example 4000 typ host tcptype passive",
            "candidate:1 1 tcp 5 224.0.0.1 4000 typ host tcptype passive",
            "candidate:1 2 udp 5 192.0.2.1 4000 typ host",
            "",
            "candidate:",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(candidate("not json"), None);
        let ours = written(&Opaque(b"candidate:1 1 udp 5 192.0.2.1 4000 typ host".to_vec())).unwrap();
        assert!(candidate(&ours).is_some(), "{ours}");
    }
}
