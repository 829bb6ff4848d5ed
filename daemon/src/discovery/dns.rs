//! The domain name system by HTTPS (RFC 8484): relays in the text records of `_ahoy.DOMAIN`.
//!
//! Lives here: the question and the answer as bytes.
//! Must not: send either; believe a relay without TLS.

use ahoy_proto::limits;
use ahoy_proto::relay_url::RelayUrl;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

/// What both are called in HTTP.
pub(super) const KIND: &str = "application/dns-message";
/// What stands before the domain.
const PLACE: &str = "_ahoy";
/// What stands before a relay's address, in a string of its own.
const RELAY: &[u8] = b"relay=";
/// Records and questions of one answer that are looked at.
const MOST_RECORDS: u16 = 64;

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DnsError {
    /// No question can be asked about that.
    #[error("`relay.domain` is no name of a domain")]
    Name,
    /// No DNS, or too much of it.
    #[error("the resolver's answer is malformed")]
    Malformed,
    /// The resolver says that it failed.
    #[error("the resolver does not know")]
    Refused,
}

/// The question. Its id is 0, so that answers can be cached (RFC 8484 §4.1).
pub(super) fn question(domain: &str) -> Result<Vec<u8>, DnsError> {
    let name = format!("{PLACE}.{domain}");
    let name = Name::new(&name).map_err(|_| DnsError::Name)?;
    let mut packet = Packet::new_query(0);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(name, TYPE::TXT.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().map_err(|_| DnsError::Name)
}

/// The relays in an answer, each once, at most [`limits::DEVICE_INBOXES`]: the first by their letters, for the order of records says
/// nothing and changes with each answer. None if the name does not exist.
pub(super) fn relays(domain: &str, answer: &[u8]) -> Result<Vec<String>, DnsError> {
    // Before anything is allocated for them.
    let counts = answer.get(4..12).ok_or(DnsError::Malformed)?;
    let counts = counts.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    if counts.fold(0_u16, u16::saturating_add) > MOST_RECORDS {
        return Err(DnsError::Malformed);
    }
    let packet = Packet::parse(answer).map_err(|_| DnsError::Malformed)?;
    if !packet.has_flags(PacketFlag::RESPONSE) || packet.has_flags(PacketFlag::TRUNCATION) {
        return Err(DnsError::Malformed);
    }
    if !matches!(packet.rcode(), RCODE::NoError | RCODE::NameError) {
        return Err(DnsError::Refused);
    }
    let names = names(format!("{PLACE}.{domain}"), &packet);
    let mut found: Vec<RelayUrl> = Vec::new();
    for record in &packet.answers {
        let RData::TXT(text) = &record.rdata else { continue };
        let owner = record.name.to_string().to_ascii_lowercase();
        if record.class != CLASS::IN || !names.contains(&owner) {
            continue;
        }
        for (key, value) in text.iter_raw() {
            let Some(value) = value.filter(|_| [key, b"="].concat() == RELAY) else { continue };
            let url = std::str::from_utf8(value).ok().and_then(|url| RelayUrl::parse(url).ok());
            let Some(url) = url.filter(RelayUrl::is_sealed) else { continue };
            if !found.contains(&url) {
                found.push(url);
            }
        }
    }
    found.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    found.truncate(limits::DEVICE_INBOXES);
    Ok(found.iter().map(|url| url.as_str().to_owned()).collect())
}

/// The name that was asked for, and those that it stands for: a resolver answers with the records of both (RFC 1034 §3.6.2).
fn names(asked: String, packet: &Packet<'_>) -> Vec<String> {
    let mut names = vec![asked.to_ascii_lowercase()];
    // Once a record: a circle ends.
    for _ in &packet.answers {
        let next = packet.answers.iter().find_map(|record| {
            let RData::CNAME(to) = &record.rdata else { return None };
            let of = record.name.to_string();
            let to = to.0.to_string().to_ascii_lowercase();
            (names.last().is_some_and(|last| of.eq_ignore_ascii_case(last)) && !names.contains(&to))
                .then_some(to)
        });
        let Some(next) = next else { break };
        names.push(next);
    }
    names
}
