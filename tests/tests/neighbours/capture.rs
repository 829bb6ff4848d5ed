//! What a stranger reads in the packets of a house.
//!
//! Lives here: secrets and marks of two people in every spelling, and looking for them; who has sent anything.
//! Must not: know how the packets came about.

use std::collections::BTreeSet;

use ahoy_proto::card::Card;
use ahoy_proto::envelope::Token;
use ahoy_proto::neighbour::tag::{NeighbourKey, inbox_of};
use ahoy_tests::lab::Desk;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// Everything that would tell who somebody is or how to reach them.
pub(crate) struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    /// Of these people, each with the name of the other, and of the code by which they met.
    pub(crate) fn of(people: &[(&Desk, &str)], code: &str) -> anyhow::Result<Self> {
        let mut all = Vec::new();
        for (desk, other) in people {
            anyhow::ensure!(desk.name.len() >= 10, "a shorter name stands in a capture by chance");
            all.push(("a name".to_owned(), desk.name.clone().into_bytes()));
            all.push(("a name".to_owned(), desk.name.to_ascii_lowercase().into_bytes()));
            let id = desk.ctl_says(&["contact", "show", other, "--format", "{{ id }}"])?;
            let file = desk.state_folder().join("contacts").join(id.trim()).with_extension("json");
            let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
            let text = kept["card"].as_str().unwrap_or_default().to_owned();
            let card = Card::parse(&text).map_err(|error| anyhow::anyhow!("{error}"))?;
            let token = Token::from_bytes(card.token);
            let mut put = |what: &str, bytes: &[u8]| all.push((what.to_owned(), bytes.to_vec()));
            put("a card", &text.as_bytes()[6..40]);
            put("an address", card.address().as_bytes());
            put("an account's key", card.account.as_bytes());
            put("a contact's id", &card.peer_id().bytes());
            put("a token", &card.token);
            put("a token's hash", &token.hash().bytes());
            put("a token's digest for neighbours", &NeighbourKey::of(&token).bytes());
            put("a neighbour's key", &NeighbourKey::of(&token).of_giver(&card.account).bytes());
            for device in &card.devices {
                put("a device's key", device.certificate.device().as_bytes());
                put("a Noise key", &device.certificate.noise());
                put("an inbox among neighbours", &inbox_of(device.certificate.device()).bytes());
                for at in &device.inboxes {
                    put("an inbox", &at.inbox.bytes());
                }
            }
        }
        let words = code.split('@').next().unwrap_or_default().split_once('-').map(|(_, words)| words);
        if let Some(words) = words {
            all.push(("the words of the code".to_owned(), words.as_bytes().to_vec()));
            let each = words.split('-');
            all.extend(each.map(|word| ("a word of the code".to_owned(), word.as_bytes().to_vec())));
        }
        anyhow::ensure!(all.len() > 20, "too little to look for");
        Ok(Self(all))
    }

    /// An error that says what is in there.
    pub(crate) fn are_not_in(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let bytes = &without_constants(bytes);
        for (what, secret) in &self.0 {
            let spelled = [
                secret.clone(),
                HEXLOWER.encode(secret).into_bytes(),
                HEXUPPER.encode(secret).into_bytes(),
                BASE64URL_NOPAD.encode(secret).into_bytes(),
                BASE64.encode(secret).trim_end_matches('=').as_bytes().to_vec(),
            ];
            for spelling in spelled {
                // Three letters stand in any ten megabytes: a word of a code may have no more.
                let found = match spelling.len() {
                    0..=3 => is_alone(bytes, &spelling),
                    _ => holds(bytes, &spelling),
                };
                anyhow::ensure!(!found, "{what} is in the capture");
            }
        }
        Ok(())
    }
}

/// What every call of everybody holds. Three words that a code may have stand in it.
const SAID_BY_ALL: [&[u8]; 3] = [b"\x05local\0", b"\tlocalhost", b"rcgen self signed cert"];

fn without_constants(bytes: &[u8]) -> Vec<u8> {
    let mut left = bytes.to_vec();
    for constant in SAID_BY_ALL {
        let mut from = 0;
        while let Some(at) = left[from..].windows(constant.len()).position(|part| part == constant) {
            left[from + at..][..constant.len()].fill(0);
            from += at + constant.len();
        }
    }
    left
}

/// Whether it is in there.
pub(crate) fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|part| part == what)
}

/// Whether a short word is in there behind a quote, its length or what it is the value of: as a text or a packet of ours would hold it.
fn is_alone(bytes: &[u8], word: &[u8]) -> bool {
    let before = [b'"', u8::try_from(word.len()).unwrap_or(0), b'='];
    before.iter().any(|before| holds(bytes, &[&[*before], word].concat()))
}

/// One packet: its bytes from the Ethernet header on.
fn packets(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(24..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_le_bytes(rest.get(8..12)?.try_into().ok()?);
        let packet = rest.get(16..)?.get(..usize::try_from(length).ok()?)?;
        rest = &rest[16 + packet.len()..];
        Some(packet)
    })
}

/// The hardware addresses of all whose programs have sent anything: not what a kernel says by itself to have an address.
pub(crate) fn sources(bytes: &[u8]) -> BTreeSet<[u8; 6]> {
    let program = |packet: &&[u8]| match packet.get(12..14) {
        // Not that it leaves a group (IGMP).
        Some([8, 0]) => packet.get(23) != Some(&2),
        Some([0x86, 0xdd]) => matches!(packet.get(20), Some(6 | 17)),
        Some(_) | None => false,
    };
    packets(bytes).filter(program).filter_map(|packet| packet.get(6..12)?.try_into().ok()).collect()
}

/// What all offers of all daemons have in common.
const CONSTANT: [&str; 3] = ["_ahoy", "_tcp", "local"];

/// Everything in an hour's multicast DNS that could be known again: labels of names, strings of texts, tags, ports. Addresses are in the
/// header of each packet anyway.
fn marks(bytes: &[u8]) -> anyhow::Result<BTreeSet<String>> {
    let mut marks = BTreeSet::new();
    for packet in packets(bytes).filter(|packet| holds(packet, b"_ahoy")) {
        let dns = behind_headers(packet).ok_or_else(|| anyhow::anyhow!("other headers: {packet:?}"))?;
        read(dns, &mut marks).ok_or_else(|| anyhow::anyhow!("no DNS: {dns:?}"))?;
    }
    for constant in CONSTANT {
        marks.remove(&label(constant.as_bytes()));
    }
    Ok(marks)
}

/// How many marks there are in each of these hours; an error if one is in two of them.
pub(crate) fn nothing_in_common(hours: &[Vec<u8>]) -> anyhow::Result<Vec<usize>> {
    let hours: Vec<_> = hours.iter().map(|hour| marks(hour)).collect::<anyhow::Result<_>>()?;
    for (n, here) in hours.iter().enumerate() {
        anyhow::ensure!(here.len() >= 8, "too little was heard in hour {n}: {here:?}");
        let both: Vec<_> = hours[n + 1..].iter().flat_map(|later| later.intersection(here)).collect();
        anyhow::ensure!(both.is_empty(), "hour {n} and a later one share {both:?}");
    }
    Ok(hours.iter().map(BTreeSet::len).collect())
}

/// What a packet of UDP carries.
fn behind_headers(packet: &[u8]) -> Option<&[u8]> {
    let ip = packet.get(14..)?;
    let (length, protocol) = match ip.first()? >> 4 {
        4 => (4 * usize::from(ip[0] & 15), ip.get(9)?),
        _ => (40, ip.get(6)?),
    };
    (*protocol == 17).then(|| ip.get(length + 8..))?
}

/// The marks of one packet; none if it is cut or another kind of packet.
fn read(dns: &[u8], marks: &mut BTreeSet<String>) -> Option<()> {
    let two = |at: usize| Some(u16::from_be_bytes(*dns.get(at..)?.first_chunk()?));
    let mut at = 12;
    for _ in 0..two(4)? {
        at = name(dns, at, marks)? + 4;
    }
    for _ in 0..two(6)? + two(8)? + two(10)? {
        at = name(dns, at, marks)?;
        let (kind, end) = (two(at)?, at + 10 + usize::from(two(at + 8)?));
        at += 10;
        match kind {
            // A pointer.
            12 => {
                name(dns, at, marks)?;
            }
            // A text.
            16 => {
                while at < end {
                    let string = dns.get(at + 1..)?.get(..usize::from(*dns.get(at)?))?;
                    match string {
                        [b't', b'0'..=b'9', b'=', tags @ ..] => {
                            marks.extend(tags.chunks(8).map(|tag| HEXLOWER.encode(tag)));
                        }
                        _ => {
                            marks.insert(format!("text {}", HEXLOWER.encode(string)));
                        }
                    }
                    at += 1 + string.len();
                }
            }
            // A place: priority, weight, port.
            33 => {
                marks.insert(format!("port {}", two(at + 4)?));
                name(dns, at + 6, marks)?;
            }
            _ => {}
        }
        at = end;
    }
    (at == dns.len()).then_some(())
}

/// Where what follows a name begins. A pointer leads to labels that were read before.
fn name(dns: &[u8], mut at: usize, marks: &mut BTreeSet<String>) -> Option<usize> {
    loop {
        let length = *dns.get(at)?;
        match length {
            0 => return Some(at + 1),
            192.. => return Some(at + 2),
            _ => {
                marks.insert(label(dns.get(at + 1..)?.get(..usize::from(length))?));
            }
        }
        at += 1 + usize::from(length);
    }
}

fn label(bytes: &[u8]) -> String {
    format!("label {}", String::from_utf8_lossy(bytes).to_ascii_lowercase())
}

#[test]
fn a_stranger_would_find_a_name_wherever_it_stands_and_knows_every_label_and_text_again() {
    let secrets = Secrets(vec![("a name".to_owned(), b"Anastasija".to_vec())]);
    for seen in [&b"\x0aAnastasija\x05_ahoy"[..], b"name=Anastasija", b"xAnastasijax"] {
        assert!(secrets.are_not_in(seen).is_err());
    }
    let word = Secrets(vec![("a word".to_owned(), b"act".to_vec())]);
    assert!(word.are_not_in(b"\x03act\x05_ahoy").is_err() && word.are_not_in(b"w=act").is_err());
    assert!(word.are_not_in(b"exact").is_ok(), "by chance");
    let local = Secrets(vec![("a word".to_owned(), b"local".to_vec())]);
    assert!(local.are_not_in(b"\x04_tcp\x05local\0\0\x0c\x04_tcp\x05local\0").is_ok(), "every name ends so");
    assert!(local.are_not_in(b"\x05local\0 and w=local").is_err());
    let mut dns = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    dns.extend(b"\x05_ahoy\x04_tcp\x05local\0\0\x0c\0\x01\0\0\0\x09\0\x06\x03Ana\xc0\x0c");
    dns.extend(b"\xc0\x22\0\x10\0\x01\0\0\0\x09\0\x15\x08name=Ana\x0bt0=12345678");
    let packet = [&[0; 12][..], &[8, 0, 0x45], &[0; 8], &[17], &[0; 10], &[0; 8], &dns].concat();
    let length = u32::try_from(packet.len()).unwrap_or(0).to_le_bytes();
    let capture = [&[0; 24][..], &[0; 8], &length, &length, &packet].concat();
    let marks: Vec<String> = marks(&capture).unwrap_or_default().into_iter().collect();
    assert_eq!(marks, ["3132333435363738", "label ana", "text 6e616d653d416e61"]);
}
