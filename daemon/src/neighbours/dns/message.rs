//! What is said by multicast DNS (RFC 6762), of one service and nothing else, as bytes.
//!
//! Lives here: the announcement of an offer, the question for offers, and reading both.
//! Must not: keep anything; know whose tag is whose.
//!
//! An offer travels whole: its pointer, place, text and addresses in one packet. What comes in pieces is no ahoy's.

use std::net::IpAddr;

use ahoy_proto::limits;
use ahoy_proto::neighbour::tag::Tag;
use simple_dns::rdata::{A, AAAA, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, CharacterString, Name, Packet, PacketFlag, Question, ResourceRecord, TYPE};

/// The service of every daemon.
pub(super) const SERVICE: &str = "_ahoy._tcp.local";
/// How long an announcement is good for; who leaves takes it back.
const LIVES_S: u32 = 4_500;
/// The longest packet that is read.
pub(in crate::neighbours) const LONGEST: usize = 4_096;
/// Records and questions of one packet that are looked at.
const MOST_RECORDS: u16 = 64;
/// Tags in one string of a text: 30 × 8 bytes and the key stay below 255.
const TAGS_IN_STRING: usize = 30;
/// Of an interface.
const MOST_ADDRESSES: usize = 4;

/// What one daemon says on one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::neighbours) struct Offer {
    /// Random, of this offer alone.
    pub(in crate::neighbours) instance: String,
    /// Random, of this network and hour.
    pub(in crate::neighbours) host: String,
    pub(in crate::neighbours) port: u16,
    pub(in crate::neighbours) addresses: Vec<IpAddr>,
    pub(in crate::neighbours) says: Says,
}

/// What an offer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::neighbours) enum Says {
    /// To be found by contacts.
    Tags(Vec<Tag>),
    /// To pair, under this number.
    Number(u32),
}

/// Something that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Somebody asks for names, in lower case, and knows these instances.
    Question { names: Vec<String>, known: Vec<String> },
    /// Offers of others.
    Offers(Vec<Found>),
}

/// An offer of another, as far as it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) instance: String,
    pub(super) port: u16,
    /// It is taken back if none.
    pub(super) says: Option<Says>,
}

/// The packet that tells an offer, or takes it back.
pub(super) fn announcement(offer: &Offer, goodbye: bool) -> Option<Vec<u8>> {
    let lives = if goodbye { 0 } else { LIVES_S };
    let (instance, host) = (full(&offer.instance), format!("{}.local", offer.host));
    let (service, instance, host) =
        (Name::new(SERVICE).ok()?, Name::new(&instance).ok()?, Name::new(&host).ok()?);
    let strings = strings(&offer.says);
    let mut text = TXT::new();
    for string in &strings {
        text.add_char_string(CharacterString::new(string).ok()?);
    }
    let srv = SRV { priority: 0, weight: 0, port: offer.port, target: host.clone() };
    let own = |name: &Name<'_>, data| {
        ResourceRecord::new(name.clone().into_owned(), CLASS::IN, lives, data).with_cache_flush(true)
    };
    let mut packet = Packet::new_reply(0);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let pointer = RData::PTR(PTR(instance.clone()));
    packet.answers.push(ResourceRecord::new(service, CLASS::IN, lives, pointer));
    if goodbye {
        // What was told need not be told again.
        return packet.build_bytes_vec_compressed().ok();
    }
    packet.additional_records.push(own(&instance, RData::SRV(srv)));
    packet.additional_records.push(own(&instance, RData::TXT(text)));
    for ip in offer.addresses.iter().take(MOST_ADDRESSES) {
        let data = match ip {
            IpAddr::V4(ip) => RData::A(A::from(*ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA::from(*ip)),
        };
        packet.additional_records.push(own(&host, data));
    }
    packet.build_bytes_vec_compressed().ok()
}

/// The packet that asks for offers, with those that are known already.
pub(super) fn question<'a>(known: impl Iterator<Item = &'a String>) -> Option<Vec<u8>> {
    let service = Name::new(SERVICE).ok()?;
    let mut packet = Packet::new_query(0);
    packet.questions.push(Question::new(service.clone(), TYPE::PTR.into(), CLASS::IN.into(), false));
    let known: Vec<String> = known.take(usize::from(MOST_RECORDS) / 4).map(|it| full(it)).collect();
    for instance in &known {
        let pointer = RData::PTR(PTR(Name::new(instance).ok()?));
        packet.answers.push(ResourceRecord::new(service.clone(), CLASS::IN, LIVES_S, pointer));
    }
    packet.build_bytes_vec_compressed().ok()
}

/// Reads a packet; none if it is of no interest or no DNS.
pub(super) fn read(bytes: &[u8]) -> Option<Heard> {
    // Before anything is allocated for them.
    let counts = bytes.get(4..12)?.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    if bytes.len() > LONGEST || counts.fold(0_u16, u16::saturating_add) > MOST_RECORDS {
        return None;
    }
    let packet = Packet::parse(bytes).ok()?;
    if packet.has_flags(PacketFlag::RESPONSE) {
        let found = offers(&packet);
        return (!found.is_empty()).then_some(Heard::Offers(found));
    }
    let names = packet.questions.iter().map(|it| lower(&it.qname)).collect();
    // Whose copy is older than half its life asks to hear it again.
    let known = packet.answers.iter().filter(|it| it.ttl >= LIVES_S / 2).filter_map(pointer).collect();
    Some(Heard::Question { names, known })
}

fn offers(packet: &Packet<'_>) -> Vec<Found> {
    let records = || packet.answers.iter().chain(&packet.additional_records);
    let of = |name: &str| {
        let name = name.to_owned();
        records().filter(move |it| lower(&it.name) == name)
    };
    let mut found = Vec::new();
    for record in packet.answers.iter() {
        let Some(instance) = pointer(record) else { continue };
        let name = full(&instance);
        if record.ttl == 0 {
            found.push(Found { instance, port: 0, says: None });
            continue;
        }
        let port =
            of(&name).find_map(|it| if let RData::SRV(srv) = &it.rdata { Some(srv.port) } else { None });
        let says = of(&name).find_map(|it| if let RData::TXT(text) = &it.rdata { says(text) } else { None });
        if let (Some(port), Some(says)) = (port.filter(|port| *port != 0), says) {
            found.push(Found { instance, port, says: Some(says) });
        }
    }
    found
}

/// The instance that a pointer of our service leads to.
fn pointer(record: &ResourceRecord<'_>) -> Option<String> {
    let RData::PTR(PTR(to)) = &record.rdata else { return None };
    if lower(&record.name) != SERVICE {
        return None;
    }
    let name = lower(to);
    let instance = name.strip_suffix(SERVICE)?.strip_suffix('.')?;
    // As all ahoys make them.
    let plain = instance.len() <= 32 && instance.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && !instance.is_empty()).then(|| instance.to_owned())
}

pub(super) fn full(instance: &str) -> String {
    format!("{instance}.{SERVICE}")
}

fn lower(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}

/// `t0=` … `t2=` and tags, or `p=` and a number.
fn strings(says: &Says) -> Vec<Vec<u8>> {
    match says {
        Says::Tags(tags) => {
            let of = |(n, tags): (usize, &[Tag])| {
                let bytes = tags.iter().flat_map(|tag| tag.0);
                format!("t{n}=").into_bytes().into_iter().chain(bytes).collect()
            };
            tags.chunks(TAGS_IN_STRING).enumerate().map(of).collect()
        }
        Says::Number(number) => vec![format!("p={number}").into_bytes()],
    }
}

fn says(text: &TXT<'_>) -> Option<Says> {
    let mut tags = Vec::new();
    for (key, value) in text.iter_raw() {
        let value = value.unwrap_or_default();
        match key {
            b"p" => {
                let number = std::str::from_utf8(value).ok()?.parse().ok()?;
                return limits::PLATES.contains(&number).then_some(Says::Number(number));
            }
            [b't', b'0'..=b'9'] => {
                tags.extend(value.as_chunks::<8>().0.iter().map(|tag| Tag(*tag)));
            }
            _ => {}
        }
    }
    tags.truncate(limits::NEIGHBOUR_TAGS);
    Some(Says::Tags(tags))
}
