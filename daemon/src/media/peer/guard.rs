//! What a description or a candidate of the other side must look like before the WebRTC library reads it.
//!
//! Lives here: the checks, pure; every byte here was written by the other side.
//! Must not: negotiate, log what it reads.

use std::net::IpAddr;

use ahoy_call::{Description, Opaque, SdpKind};

use super::sending::{self, PayloadTypes};
use super::turn::is_stand_in;
use crate::media::capture::MOST_FRAMES;
use crate::media::transport::{Takes, Track};

/// Longest description that is read. One of ours has about 1,200 bytes.
const LONGEST_DESCRIPTION: usize = 16 * 1024;
/// Longest candidate that is read. RFC 8839 lets them grow by extensions; ours have about 90 bytes.
pub(super) const LONGEST_CANDIDATE: usize = 512;

/// Why a description is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("an offer where an answer was due, or the other way round")]
    Kind,
    #[error("too long, or not text")]
    Text,
    #[error("not the sections that are offered")]
    Sections,
    #[error("no Opus")]
    Codec,
    #[error("not both ways")]
    Direction,
    #[error("no single SHA-256 fingerprint")]
    Fingerprint,
}

/// A description that may be given to the library.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// The text, without the candidates.
    pub(super) text: String,
    /// As it numbers them.
    pub(super) payload_types: PayloadTypes,
    /// What it takes beside plain packets.
    pub(super) takes: Takes,
    /// Candidates that stood in the text.
    pub(super) candidates: Vec<Opaque>,
}

/// One section of a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Packets of a track.
    Track(Track),
    /// The data channel.
    Frames,
}

impl Section {
    /// Whether a section of the text, which begins with the rest of its `m=` line, is one of these.
    fn fits(self, text: &str) -> bool {
        let line = text.lines().next().unwrap_or_default();
        match self {
            Self::Track(Track::Voice) => line.starts_with("audio "),
            Self::Frames => line.starts_with("application ") && line.ends_with(" webrtc-datachannel"),
        }
    }
}

/// Accepts what another ahoy writes: the offered sections in their order, both ways, one SHA-256 fingerprint.
pub(super) fn description(
    due: SdpKind,
    offered: &[Section],
    description: &Description,
) -> Result<Checked, Refused> {
    if description.kind != due {
        return Err(Refused::Kind);
    }
    let text = text(description)?;
    let sections = sections(text, offered)?;
    directions(text)?;
    fingerprint(text)?;
    let voice = sections.iter().find(|(section, _)| *section == Section::Track(Track::Voice));
    let (payload_types, takes) = voice.and_then(|(_, text)| codecs(text)).ok_or(Refused::Codec)?;
    let mut kept = String::with_capacity(text.len());
    let mut candidates = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("a=").filter(|rest| rest.starts_with("candidate:")) {
            Some(candidate) => candidates.push(Opaque(candidate.as_bytes().to_vec())),
            None => {
                // The library knows the hash's name in small letters only (RFC 8122 allows both).
                kept.push_str(&line.replace("a=fingerprint:SHA-256 ", "a=fingerprint:sha-256 "));
                kept.push_str("\r\n");
            }
        }
    }
    Ok(Checked { text: kept, payload_types, takes, candidates })
}

/// The text of a description, if it is one.
pub(super) fn text(description: &Description) -> Result<&str, Refused> {
    let bytes = &description.body.0;
    if bytes.len() > LONGEST_DESCRIPTION {
        return Err(Refused::Text);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Refused::Text)?;
    match text.chars().any(|c| c.is_control() && c != '\r' && c != '\n') {
        true => Err(Refused::Text),
        false => Ok(text),
    }
}

/// The text of each section.
fn sections<'a>(text: &'a str, offered: &[Section]) -> Result<Vec<(Section, &'a str)>, Refused> {
    // The first part is about all of them.
    let texts: Vec<&str> = text.split("\nm=").skip(1).collect();
    let sections: Vec<_> = offered.iter().copied().zip(texts.iter().copied()).collect();
    match texts.len() == offered.len() && sections.iter().all(|(section, text)| section.fits(text)) {
        true => Ok(sections),
        false => Err(Refused::Sections),
    }
}

/// The library answers a one-way offer wrongly, so none is let in; a call on hold says so in its own message.
fn directions(text: &str) -> Result<(), Refused> {
    let one_way = ["a=sendonly", "a=recvonly", "a=inactive"];
    match text.lines().any(|line| one_way.contains(&line.trim_end())) {
        true => Err(Refused::Direction),
        false => Ok(()),
    }
}

/// One SHA-256 fingerprint, or several that are the same.
pub(super) fn fingerprint(text: &str) -> Result<(), Refused> {
    let mut all = text.lines().filter_map(|line| line.strip_prefix("a=fingerprint:"));
    let first = all.next().ok_or(Refused::Fingerprint)?;
    let (hash, value) = first.split_once(' ').ok_or(Refused::Fingerprint)?;
    let well_formed = hash.eq_ignore_ascii_case("sha-256")
        && value.split(':').count() == 32
        && value.split(':').all(|byte| byte.len() == 2 && u8::from_str_radix(byte, 16).is_ok());
    match well_formed && all.all(|other| other == first) {
        true => Ok(()),
        false => Err(Refused::Fingerprint),
    }
}

/// The numbers of what we send, and what else is taken, of the voice's section.
pub(super) fn codecs(text: &str) -> Option<(PayloadTypes, Takes)> {
    let values = |name: &'static str| text.lines().filter_map(move |line| line.trim_end().strip_prefix(name));
    let numbered = |codec: &str| {
        values("a=rtpmap:").find_map(|map| {
            let (number, named) = map.split_once(' ')?;
            named.eq_ignore_ascii_case(codec).then(|| number.parse::<u8>().ok())?
        })
    };
    let opus = numbered("opus/48000/2")?;
    let of_opus = format!("{opus}/{opus}");
    let red = numbered("red/48000/2").filter(|red| {
        let mut formats = values("a=fmtp:").filter_map(|format| format.split_once(' '));
        *red != opus && formats.any(|(number, of)| number.parse() == Ok(*red) && of.trim() == of_opus)
    });
    let event = numbered("telephone-event/48000").filter(|event| {
        let mut formats = values("a=fmtp:").filter_map(|format| format.split_once(' '));
        let said = formats.find(|(number, _)| number.parse() == Ok(*event));
        // All digits, where nothing is said (RFC 4733 §2.4.1); who takes only some hears them in the voice.
        *event != opus && Some(*event) != red && said.is_none_or(|(_, digits)| all_digits(digits))
    });
    let feedback = |wanted: &str| {
        let mut all = values("a=rtcp-fb:").filter_map(|line| line.split_once(' '));
        all.any(|(number, said)| (number == "*" || number.parse() == Ok(opus)) && said.trim() == wanted)
    };
    let most_ms: Option<u8> = values("a=maxptime:").find_map(|ms| ms.trim().parse().ok());
    let takes = Takes {
        copies: red.is_some(),
        asks: feedback(sending::NACK),
        feedback: feedback(sending::APP_FEEDBACK),
        events: event.is_some(),
        frames: most_ms.map_or(1, |ms| (ms / 20).clamp(1, MOST_FRAMES)),
    };
    Some((PayloadTypes { opus, red, event }, takes))
}

/// Whether a list of events (`0-15,66`, RFC 4733 §7.1.1) has all digits in one range.
fn all_digits(list: &str) -> bool {
    let mut ranges = list.split(',').filter_map(|range| range.trim().split_once('-'));
    ranges.any(|(from, to)| from.parse() == Ok(0_u8) && to.parse().is_ok_and(|to: u8| to >= 15))
}

/// Our description, with what the library does not write of the voice: how much time one packet may hold (RFC 8866 §6.4), in ms,
/// and that our feedback is taken.
pub(super) fn with_what_we_take(text: &str) -> String {
    let ours = format!("{}\r\na=rtcp-fb:* {}\r\na=rtpmap:", longest(), sending::APP_FEEDBACK);
    text.replacen("a=rtpmap:", &ours, 1)
}

/// How much time one packet to us may hold (RFC 8866 §6.4), in ms.
pub(super) fn longest() -> String {
    format!("a=maxptime:{}", u16::from(MOST_FRAMES) * 20)
}

/// The candidate's text if it is one that may be tried: UDP, to a plain address that is somebody's.
/// Anything else could make us knock on strange doors, or look up names.
pub(super) fn candidate(candidate: &Opaque) -> Option<String> {
    if candidate.0.len() > LONGEST_CANDIDATE {
        return None;
    }
    let text = std::str::from_utf8(&candidate.0).ok()?;
    if text.chars().any(char::is_control) {
        return None;
    }
    let mut words = text.strip_prefix("candidate:")?.split(' ');
    let (_foundation, component, transport) = (words.next()?, words.next()?, words.next()?);
    let (priority, address, port) = (words.next()?, words.next()?, words.next()?);
    let known = component == "1" && transport.eq_ignore_ascii_case("udp") && words.next()? == "typ";
    let ip: IpAddr = address.parse().ok()?;
    let nobody = ip.is_unspecified() || ip.is_multicast() || address == "255.255.255.255" || is_stand_in(ip);
    let numbers = priority.parse::<u32>().is_ok() && port.parse::<u16>().is_ok_and(|port| port > 0);
    (known && !nobody && numbers).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &str =
        "AB:CD:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC";

    const BOTH: [Section; 2] = [Section::Track(Track::Voice), Section::Frames];

    fn sdp() -> String {
        format!(
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 {BYTES}\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=sendrecv\r\n\
             a=candidate:1 1 udp 5 192.0.2.1 4000 typ host\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"
        )
    }

    fn check(text: &str) -> Result<Checked, Refused> {
        let body = Opaque(text.as_bytes().to_vec());
        description(SdpKind::Offer, &BOTH, &Description { kind: SdpKind::Offer, body })
    }

    #[test]
    fn a_description_of_an_ahoy_passes_and_its_candidates_are_taken_out() {
        let checked = check(&sdp()).unwrap();
        assert_eq!(checked.payload_types, PayloadTypes { opus: 111, red: None, event: None });
        assert_eq!(checked.takes, Takes::default(), "a side that says nothing takes what everybody does");
        assert_eq!(checked.candidates.len(), 1);
        assert!(!checked.text.contains("candidate:"));
    }

    #[test]
    fn what_the_other_side_takes_is_what_its_description_says_of_our_codec() {
        let voice = "a=rtpmap:111 opus/48000/2\r\n";
        let says = |more: &str| {
            let checked = check(&sdp().replace(voice, &format!("{voice}{more}"))).unwrap();
            (checked.payload_types.red, checked.takes)
        };
        let red = "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n";
        let words = "a=rtcp-fb:111 nack\r\na=rtcp-fb:111 ack app ahoy\r\na=maxptime:120\r\n";
        let all = Takes { copies: true, asks: true, feedback: true, events: false, frames: 6 };
        assert_eq!(says(&format!("{red}{words}")), (Some(63), all));
        let plain = (None, Takes::default());
        for other in [
            "a=rtpmap:63 red/48000/2\r\n",
            "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/0\r\n",
            "a=rtpmap:63 red/8000\r\na=fmtp:63 111/111\r\n",
            "a=rtpmap:300 red/48000/2\r\na=fmtp:300 111/111\r\n",
            "a=rtpmap:111 red/48000/2\r\na=fmtp:111 111/111\r\n",
            "a=rtcp-fb:63 nack\r\n",
            "a=rtcp-fb:111 nack pli\r\n",
            "a=rtcp-fb:111 ack app other\r\n",
            "a=maxptime:20\r\n",
            "a=maxptime:0\r\n",
            "a=maxptime:-5\r\n",
        ] {
            assert_eq!(says(other), plain, "{other}");
        }
        let packets = |ms: &str| says(&format!("a=maxptime:{ms}\r\n")).1.frames;
        assert_eq!(["60", "200", "59"].map(packets), [3, 6, 2]);
        assert!(says("a=rtcp-fb:* nack\r\n").1.asks, "of every codec");
    }

    #[test]
    fn digits_go_as_events_to_who_takes_all_of_them_at_the_clock_of_the_voice() {
        let voice = "a=rtpmap:111 opus/48000/2\r\n";
        let event = |more: &str| {
            let checked = check(&sdp().replace(voice, &format!("{voice}{more}"))).unwrap();
            assert_eq!(checked.payload_types.event.is_some(), checked.takes.events);
            checked.payload_types.event
        };
        let map = "a=rtpmap:110 telephone-event/48000\r\n";
        for taken in ["", "a=fmtp:110 0-15\r\n", "a=fmtp:110 0-16\r\n", "a=fmtp:110 66, 0-15,70\r\n"] {
            assert_eq!(event(&format!("{map}{taken}")), Some(110), "{taken}");
        }
        for not in ["a=fmtp:110 0-11\r\n", "a=fmtp:110 1-15\r\n", "a=fmtp:110 0-999\r\n", "a=fmtp:110 -\r\n"]
        {
            assert_eq!(event(&format!("{map}{not}")), None, "{not}");
        }
        for other in ["110 telephone-event/8000", "111 telephone-event/48000", "256 telephone-event/48000"] {
            assert_eq!(event(&format!("a=rtpmap:{other}\r\n")), None, "{other}");
        }
        assert_eq!(event(""), None, "an older side");
    }

    #[test]
    fn what_we_add_to_our_description_stands_in_it_once_and_is_understood_by_ourselves() {
        let ours = with_what_we_take(&sdp());
        assert_eq!(ours.matches("a=maxptime:120\r\n").count(), 1);
        let takes = check(&ours).unwrap().takes;
        assert_eq!((takes.frames, takes.feedback), (6, true));
    }

    #[test]
    fn hostile_descriptions_are_refused_by_what_is_wrong() {
        let swap = |from: &str, to: &str| check(&sdp().replace(from, to));
        assert_eq!(swap("a=sendrecv", "a=sendonly"), Err(Refused::Direction));
        assert_eq!(swap("opus/48000/2", "PCMU/8000"), Err(Refused::Codec));
        assert_eq!(swap("111 opus", "999 opus"), Err(Refused::Codec));
        assert_eq!(swap("sha-256", "sha-1"), Err(Refused::Fingerprint));
        assert_eq!(swap("AB:CD", "ABCD"), Err(Refused::Fingerprint));
        assert_eq!(swap("m=application", "m=audio"), Err(Refused::Sections));
        assert_eq!(swap("s=-", "s=\u{7}"), Err(Refused::Text));
        assert_eq!(check(&(sdp() + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n")), Err(Refused::Sections));
        assert_eq!(check(&(sdp() + &"a=x\r\n".repeat(5000))), Err(Refused::Text));
        let other = sdp() + "a=fingerprint:sha-256 " + &BYTES.replace("AB", "00") + "\r\n";
        assert_eq!(check(&other), Err(Refused::Fingerprint));
        let offer = Description { kind: SdpKind::Offer, body: Opaque(sdp().into_bytes()) };
        assert_eq!(description(SdpKind::Answer, &BOTH, &offer), Err(Refused::Kind));
        let raw = Description { kind: SdpKind::Offer, body: Opaque(vec![0xff; 40]) };
        assert_eq!(description(SdpKind::Offer, &BOTH, &raw), Err(Refused::Text));
    }

    #[test]
    fn the_sections_are_those_that_are_offered_in_their_order() {
        let offered = |offered: &[Section]| {
            let body = Opaque(sdp().into_bytes());
            description(SdpKind::Offer, offered, &Description { kind: SdpKind::Offer, body }).map(drop)
        };
        let [voice, frames] = BOTH;
        assert_eq!(offered(&BOTH), Ok(()));
        for others in [&[][..], &[voice], &[frames], &[frames, voice], &[voice, frames, voice]] {
            assert_eq!(offered(others), Err(Refused::Sections), "{others:?}");
        }
        let misplaced = sdp().replace("a=rtpmap:111 opus/48000/2\r\n", "") + "a=rtpmap:111 opus/48000/2\r\n";
        assert_eq!(check(&misplaced), Err(Refused::Codec), "the codec of another section");
    }

    #[test]
    fn the_name_of_the_hash_may_be_written_large() {
        let checked = check(&sdp().replace("sha-256", "SHA-256")).unwrap();
        assert!(checked.text.contains("a=fingerprint:sha-256 "));
    }

    #[test]
    fn only_udp_candidates_with_a_real_address_are_tried() {
        let take = |text: &str| candidate(&Opaque(text.as_bytes().to_vec())).is_some();
        assert!(take("candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host"));
        assert!(take("candidate:1 1 UDP 1 fd00::2 4000 typ relay raddr 192.0.2.1 rport 9"));
        for hostile in [
            "",
            "candidate:",
            "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype passive",
            "candidate:1 1 udp 1 printer.local 4000 typ host",
            "candidate:1 1 udp 1 224.0.0.1 4000 typ host",
            "candidate:1 1 udp 1 255.255.255.255 4000 typ host",
            "candidate:1 1 udp 1 0.0.0.0 4000 typ host",
            "candidate:1 1 udp 1 192.0.0.8 1 typ host",
            "candidate:1 1 udp 1 0100::8 1 typ host",
            "candidate:1 1 udp 1 192.0.2.1 0 typ host",
            "candidate:1 1 udp 1 192.0.2.1 70000 typ host",
            "candidate:1 1 udp 99999999999 192.0.2.1 4000 typ host",
            "candidate:1 1 udp 1 192.0.2.1 4000 typ host\r\na=x",
        ] {
            assert!(!take(hostile), "{hostile:?}");
        }
        assert!(!take(&("candidate:1 1 udp 1 192.0.2.1 4000 typ host".to_owned() + &" x".repeat(300))));
    }
}
