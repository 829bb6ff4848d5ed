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
            all.push(("a name".to_owned(), desk.name.clone().into_bytes()));
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
            put("a neighbour's key", &NeighbourKey::of(&token).bytes());
            for device in &card.devices {
                put("a device's key", device.certificate.device().as_bytes());
                put("a Noise key", &device.certificate.noise());
                put("an inbox among neighbours", &inbox_of(device.certificate.device()).bytes());
                for at in &device.inboxes {
                    put("an inbox", &at.inbox.bytes());
                }
            }
        }
        let words = code.split('@').next().unwrap_or_default().split('-').skip(1);
        all.extend(words.map(|word| ("a word of the code".to_owned(), word.as_bytes().to_vec())));
        anyhow::ensure!(all.len() > 20, "too little to look for");
        Ok(Self(all))
    }

    /// An error that says what is in there.
    pub(crate) fn are_not_in(&self, bytes: &[u8]) -> anyhow::Result<()> {
        for (what, secret) in &self.0 {
            let spelled = [
                secret.clone(),
                HEXLOWER.encode(secret).into_bytes(),
                HEXUPPER.encode(secret).into_bytes(),
                BASE64URL_NOPAD.encode(secret).into_bytes(),
                BASE64.encode(secret).trim_end_matches('=').as_bytes().to_vec(),
            ];
            for spelling in spelled {
                // Three letters stand in any ten megabytes.
                let found = spelling.len() > 3 && holds(bytes, &spelling);
                let named = spelling.len() == 3 && is_alone(bytes, &spelling);
                anyhow::ensure!(!found && !named, "{what} is in the capture");
            }
        }
        Ok(())
    }
}

/// Whether it is in there.
pub(crate) fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|part| part == what)
}

/// Whether a short name is in there, between quotes or behind its length: as a text of ours would hold it.
fn is_alone(bytes: &[u8], name: &[u8]) -> bool {
    let quoted = [b"\"", name, b"\""].concat();
    let framed = [&[u8::try_from(name.len()).unwrap_or(0)][..], name, &[0]].concat();
    holds(bytes, &quoted) || holds(bytes, &framed)
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
        Some([8, 0]) => true,
        Some([0x86, 0xdd]) => matches!(packet.get(20), Some(6 | 17)),
        Some(_) | None => false,
    };
    packets(bytes).filter(program).filter_map(|packet| packet.get(6..12)?.try_into().ok()).collect()
}

/// Everything in an hour's multicast DNS that could be known again: random names, tags, ports.
pub(crate) fn marks(bytes: &[u8]) -> anyhow::Result<BTreeSet<String>> {
    let mut marks = BTreeSet::new();
    for packet in packets(bytes).filter(|packet| holds(packet, b"_ahoy")) {
        // Behind the header, which holds who is there anyway: labels of sixteen letters, strings of tags, places.
        for (at, window) in packet.windows(17).enumerate() {
            if window[0] == 16 && window[1..].iter().all(|byte| byte.is_ascii_hexdigit()) {
                marks.insert(String::from_utf8(window[1..].to_vec())?);
            }
            if at > 42 && window.starts_with(&[0, 33]) {
                // Type, class, time to live, length, priority, weight, port.
                marks.insert(format!("port {}", u16::from_be_bytes([window[14], window[15]])));
            }
        }
        for at in 0..packet.len() {
            let [length, b't', b'0'..=b'9', b'=', ref tags @ ..] = packet[at..] else { continue };
            let tags = tags.get(..usize::from(length).saturating_sub(3)).unwrap_or_default();
            marks.extend(tags.chunks_exact(8).map(|tag| HEXLOWER.encode(tag)));
        }
    }
    Ok(marks)
}
