//! What passes, what is changed on its way and what is refused, of text as browsers write it.
//!
//! Lives here: an offer of a browser, an answer of the library, and each rule.
//! Must not: connect.

use super::*;

const BYTES: &str =
    "AB:CD:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC";

/// A section of a browser's, with what every section of it has.
fn section(line: &str, mid: &str, rest: &str) -> String {
    format!(
        "m={line}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:theirs\r\na=ice-pwd:secret\r\na=fingerprint:sha-256 {BYTES}\r\n\
         a=setup:actpass\r\na=mid:{mid}\r\n{rest}"
    )
}

fn voice(direction: &str) -> String {
    let rest = format!(
        "a=candidate:1 1 udp 5 192.0.2.1 4000 typ host\r\na={direction}\r\na=rtcp-mux\r\na=rtpmap:96 opus/48000/2\r\n\
         a=fmtp:96 minptime=10;useinbandfec=0\r\na=ssrc:7 cname:x\r\n"
    );
    section("audio 9 UDP/TLS/RTP/SAVPF 96", "0", &rest)
}

fn video(mid: &str) -> String {
    section("video 9 UDP/TLS/RTP/SAVPF 97 98", mid, "a=sendrecv\r\na=rtpmap:97 VP8/90000\r\n")
}

fn frames() -> String {
    section("application 9 UDP/DTLS/SCTP webrtc-datachannel", "d", "a=sctp-port:5000\r\n")
}

fn browser(version: u64, sections: &[String]) -> String {
    let mids: Vec<&str> = sections.iter().filter_map(|section| value(section, "a=mid:")).collect();
    let group = mids.join(" ");
    format!(
        "v=0\r\no=- 42 {version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {group}\r\na=msid-semantic: WMS\r\n{}",
        sections.concat()
    )
}

fn offer(text: &str) -> Description {
    Description { kind: SdpKind::Offer, body: Opaque(text.as_bytes().to_vec()) }
}

fn read(text: &str) -> Result<Theirs, Refused> {
    Sections::default().read(&offer(text))
}

/// As the library answers an offer with these sections.
fn library(mids: [&str; 2], direction: &str) -> String {
    let [voice, frames] = mids;
    format!(
        "v=0\r\no=- 9 99 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 {BYTES}\r\na=group:BUNDLE {voice} {frames}\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=setup:active\r\na=mid:{voice}\r\na=ice-ufrag:ours\r\n\
         a=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=10;useinbandfec=0\r\na={direction}\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=setup:active\r\na=mid:{frames}\r\na=ice-ufrag:ours\r\n"
    )
}

fn answer(sections: &Sections, setup: Option<DtlsRole>) -> String {
    sections.write(SdpKind::Answer, &library(["0", "d"], "sendrecv"), 3, setup).unwrap().0
}

#[test]
fn pictures_are_refused_in_their_place_and_the_library_never_hears_of_them() {
    let theirs = read(&browser(2, &[video("v"), voice("sendrecv"), frames()])).unwrap();
    assert!(!theirs.text.contains("video") && theirs.text.contains("a=group:BUNDLE 0 d\r\n"));
    assert_eq!(theirs.payload_types, PayloadTypes { opus: 96, red: None, event: None });
    assert_eq!((theirs.ufrag.as_deref(), theirs.candidates.len()), (Some("theirs"), 1));
    assert!(!theirs.text.contains("candidate:"));
    let ours = answer(&theirs.sections, None);
    let (head, sections) = split(&ours);
    assert!(head.contains("a=group:BUNDLE 0 d\r\n") && head.contains("o=- 9 3 IN IP4 0.0.0.0\r\n"), "{head}");
    let expected = ["m=video 0 UDP/TLS/RTP/SAVPF 0\r\n", "m=audio 9 ", "m=application 9 "];
    assert_eq!(sections.len(), expected.len());
    assert!(sections.iter().zip(expected).all(|(section, begin)| section.starts_with(begin)), "{ours}");
    assert_eq!(value(sections[0], "a=mid:"), Some("v"));
}

#[test]
fn sections_keep_their_places_and_one_that_is_refused_may_become_another() {
    let first = read(&browser(2, &[voice("sendrecv"), frames(), video("v")])).unwrap().sections;
    let again = |list: &[String]| first.read(&offer(&browser(3, list))).map(|theirs| theirs.sections);
    assert_eq!(again(&[voice("sendrecv"), frames(), video("v")]), Ok(first.clone()));
    let other = again(&[voice("sendrecv"), frames(), video("w"), video("x")]).unwrap();
    assert!(answer(&other, None).contains("a=mid:x\r\n"));
    let second_voice =
        section("audio 9 UDP/TLS/RTP/SAVPF 96", "2", "a=sendrecv\r\na=rtpmap:96 opus/48000/2\r\n");
    let other = again(&[voice("sendrecv"), frames(), second_voice]).unwrap();
    assert!(answer(&other, None).contains("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n"), "there is one voice");
    for fewer in [&[voice("sendrecv"), frames()][..], &[frames(), voice("sendrecv"), video("v")]] {
        assert_eq!(again(fewer), Err(Refused::Sections));
    }
    let many: Vec<String> = (0..MOST_SECTIONS).map(|n| video(&format!("m{n}"))).collect();
    assert_eq!(again(&[vec![voice("sendrecv"), frames()], many].concat()), Err(Refused::Sections));
}

#[test]
fn an_answer_has_the_sections_of_our_offer() {
    let (ours, sections) =
        Sections::default().write(SdpKind::Offer, &library(["0", "d"], "sendrecv"), 1, None).unwrap();
    assert!(
        ours.contains("a=fmtp:96 ") && ours.contains("a=setup:active"),
        "nothing is agreed on yet: {ours}"
    );
    let answered = |list: &[String]| {
        let body = Opaque(browser(2, list).into_bytes());
        sections.read(&Description { kind: SdpKind::Answer, body }).map(|theirs| theirs.flow)
    };
    assert_eq!(answered(&[voice("sendonly"), frames()]), Ok(Flow { send: true, receive: false }));
    assert_eq!(answered(&[voice("sendonly")]), Err(Refused::Sections));
    assert_eq!(answered(&[voice("sendonly"), frames(), video("v")]), Err(Refused::Sections));
}

#[test]
fn a_voice_flows_as_far_as_both_want_it_to() {
    let [both, send, receive, none] = [(true, true), (true, false), (false, true), (false, false)]
        .map(|(send, receive)| Flow { send, receive });
    for (ours, theirs, result) in [
        (both, both, both),
        (both, send, receive),
        (both, receive, send),
        (both, none, none),
        (send, both, send),
        (send, send, none),
        (send, receive, send),
        (receive, receive, none),
        (receive, send, receive),
        (none, both, none),
    ] {
        assert_eq!(agreed(ours, theirs), result, "{ours:?} and {theirs:?}");
    }
}

#[test]
fn the_library_is_never_told_that_a_voice_is_inactive_in_an_offer() {
    for (said, told) in [
        ("sendrecv", "sendrecv"),
        ("sendonly", "sendonly"),
        ("recvonly", "recvonly"),
        ("inactive", "recvonly"),
    ] {
        let theirs = read(&browser(2, &[voice(said), frames()])).unwrap();
        assert_eq!(Some(theirs.flow), flow(&format!("a={said}")));
        let directions: Vec<&str> = theirs.text.lines().filter(|line| flow(line).is_some()).collect();
        assert_eq!(directions, [format!("a={told}")]);
    }
    let unsaid = read(&browser(2, &[voice("x-none"), frames()])).unwrap();
    assert_eq!(unsaid.flow, Flow::BOTH);
    assert!(unsaid.text.contains("a=sendrecv\r\n"), "the library wants it written");
}

#[test]
fn an_answer_says_our_wishes_for_the_codec_and_keeps_the_role_of_the_first_one() {
    let sections = read(&browser(2, &[voice("sendrecv"), frames()])).unwrap().sections;
    let first = answer(&sections, None);
    assert!(first.contains(&format!("a=fmtp:96 {OPUS_FORMAT}\r\n")) && !first.contains("useinbandfec=0"));
    assert!(first.contains("a=maxptime:120\r\n") && !first.contains("ahoy"), "{first}");
    assert_eq!(setup(&first), Some(DtlsRole::Active));
    let later = answer(&sections, Some(DtlsRole::Passive));
    assert_eq!((later.matches("a=setup:passive").count(), later.matches("a=setup:active").count()), (2, 0));
}

#[test]
fn one_fingerprint_that_the_library_checks_is_enough_and_two_are_too_many() {
    let offer = browser(2, &[voice("sendrecv"), frames()]);
    let beside = offer.replacen("a=setup", "a=fingerprint:sha-512 00:11\r\na=setup", 1);
    assert!(!read(&beside).unwrap().text.contains("sha-512"));
    let other = offer.replacen(BYTES, &BYTES.replace("AB", "00"), 1);
    assert_eq!(read(&other), Err(Refused::Fingerprint));
    assert_eq!(read(&offer.replace("sha-256", "sha-1")), Err(Refused::Fingerprint));
    assert_eq!(read(&browser(2, &[frames()])), Err(Refused::Sections), "there must be a voice");
    assert_eq!(read(&offer.replace("opus", "PCMU")), Err(Refused::Codec));
    assert_eq!(read("nonsense"), Err(Refused::Sections));
}

#[test]
fn descriptions_are_numbered_by_their_writers() {
    assert_eq!(version(&browser(7, &[])), 7);
    assert_eq!(version("v=0\r\no=- 1 -5 IN IP4 0.0.0.0\r\n"), 0);
    assert_eq!(version("v=0\r\n"), 0);
}

#[test]
fn candidates_say_their_section_and_their_credentials() {
    let sections = read(&browser(2, &[video("v"), voice("sendrecv"), frames()])).unwrap().sections;
    let plain = "candidate:1 1 udp 5 192.0.2.1 4000 typ host";
    let ours = sections.candidate(&Opaque(plain.as_bytes().to_vec()), "abcd").unwrap();
    let json: serde_json::Value = serde_json::from_slice(&ours.0).unwrap();
    assert_eq!(
        json,
        serde_json::json!({ "candidate": format!("{plain} ufrag abcd"), "sdpMid": "0", "sdpMLineIndex": 1,
            "usernameFragment": "abcd" })
    );
    let read = |json: &str| candidate(&Opaque(json.as_bytes().to_vec())).map(|candidate| candidate.ufrag);
    let with = |rest: &str| format!("{{\"candidate\":\"{plain}{rest}}}");
    assert_eq!(read(&with(" generation 0 ufrag xy network-id 1\"")), Some(Some("xy".to_owned())));
    assert_eq!(read(&with("\",\"usernameFragment\":\"z\"")), Some(Some("z".to_owned())));
    assert_eq!(read(&with("\",\"sdpMid\":null,\"usernameFragment\":null")), Some(None));
    for nothing in ["", "[]", "{}", "{\"candidate\":\"\"}", &with("\",\"usernameFragment\":7")] {
        assert_eq!(read(nothing), None, "{nothing}");
    }
    assert_eq!(read(&with(&format!("{}\"", " x".repeat(600)))), None);
}
