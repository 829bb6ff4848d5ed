//! Between which ends a path runs, and what encrypts it.
//!
//! Lives here: what is asked of the library, without a word of an address.
//! Must not: let an address, a port or a server's name out.

use rtc::statistics::stats::RTCStatsType;
use webrtc::peer_connection::{
    PeerConnection, RTCIceCandidate, RTCIceCandidateType, RTCStatsReportEntry, StatsSelector,
};

use super::turn::{Carrier, server_of};
use crate::system::clock;
use crate::values::line::{Candidate, CandidateKind, Ciphers, Hop, Pair};

/// The ends that packets go between now; none before they are chosen.
pub(super) async fn selected(link: &dyn PeerConnection) -> Option<Pair> {
    let ice = link.sctp().await?.transport().ice_transport();
    let pair = ice.get_selected_candidate_pair().await.ok()??;
    // An end that was first seen as an address from which checks came stays so, whatever it is told to be later.
    let told = ice.get_remote_candidates().await.unwrap_or_default();
    let seen = pair.remote();
    let is_told = |one: &&RTCIceCandidate| one.address == seen.address && one.port == seen.port;
    let remote = told.iter().filter(is_told).find(|one| one.typ == RTCIceCandidateType::Relay);
    let server = server(link, pair.local()).await;
    Some(Pair {
        local: candidate(pair.local(), server.as_deref()),
        remote: candidate(remote.unwrap_or(seen), None),
    })
}

/// The TURN server by TCP or TLS over which packets go now, by its number; none if they go otherwise.
pub(super) async fn stream(link: &dyn PeerConnection) -> Option<usize> {
    let ice = link.sctp().await?.transport().ice_transport();
    let pair = ice.get_selected_candidate_pair().await.ok()??;
    server_of(&server(link, pair.local()).await?).map(|(number, _)| number)
}

/// The URL of the TURN server at which we have this address. The library keeps it in its statistics alone.
async fn server(link: &dyn PeerConnection, ours: &RTCIceCandidate) -> Option<String> {
    if ours.typ != RTCIceCandidateType::Relay {
        return None;
    }
    let report = link.get_stats(clock::instant(), StatsSelector::None).await;
    report.iter_by_type(RTCStatsType::LocalCandidate).find_map(|entry| {
        let RTCStatsReportEntry::LocalCandidate(it) = entry else { return None };
        let same = it.address.as_deref() == Some(&ours.address) && it.port == ours.port;
        (same && it.candidate_type == ours.typ).then(|| it.url.clone())
    })
}

/// What was negotiated; none before that.
pub(super) async fn ciphers(link: &dyn PeerConnection) -> Option<Ciphers> {
    let report = link.get_stats(clock::instant(), StatsSelector::None).await;
    let transport = report.transport()?;
    let (srtp, dtls) = (transport.srtp_cipher.clone(), transport.dtls_cipher.clone());
    (!srtp.is_empty() && !dtls.is_empty()).then_some(Ciphers { srtp, dtls })
}

/// `server`: the TURN server at which it is.
fn candidate(one: &RTCIceCandidate, server: Option<&str>) -> Candidate {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum may grow; nothing else is known")]
    let kind = match one.typ {
        RTCIceCandidateType::Srflx => CandidateKind::ServerReflexive,
        RTCIceCandidateType::Prflx => CandidateKind::PeerReflexive,
        RTCIceCandidateType::Relay => CandidateKind::Relay,
        _ => CandidateKind::Host,
    };
    Candidate { kind, hop: server.map_or(Hop::Udp, hop) }
}

/// How we reach the server of this URL, as the library knows it.
fn hop(url: &str) -> Hop {
    match server_of(url) {
        Some((_, Carrier::Tcp)) => Hop::Tcp,
        Some((_, Carrier::Tls)) => Hop::Tls,
        Some((_, Carrier::Udp)) | None => Hop::Udp,
    }
}

#[cfg(test)]
mod tests {
    use super::super::turn::stand_in;
    use super::*;

    #[test]
    fn an_end_is_told_by_its_kind_and_what_it_sends_by_and_nothing_else() {
        let of = |typ, url: Option<&str>| {
            let one = RTCIceCandidate {
                typ,
                address: "192.0.2.7".to_owned(),
                port: 4_242,
                ..RTCIceCandidate::default()
            };
            candidate(&one, url)
        };
        let by = |carrier| format!("turn:{}?transport=udp", stand_in(0, carrier, [192, 0, 2, 7].into()));
        let told = of(RTCIceCandidateType::Relay, Some(&by(Carrier::Tcp)));
        assert_eq!(told, Candidate { kind: CandidateKind::Relay, hop: Hop::Tcp });
        assert_eq!(of(RTCIceCandidateType::Relay, Some(&by(Carrier::Tls))).hop, Hop::Tls);
        assert_eq!(
            of(RTCIceCandidateType::Relay, Some("turn:turn.example:3478?transport=udp")).hop,
            Hop::Udp
        );
        assert_eq!(of(RTCIceCandidateType::Srflx, Some("stun:stun.example:3478")).hop, Hop::Udp);
        let shown = format!("{told:?}");
        assert!(
            !shown.contains("192.0.2.7") && !shown.contains("4242") && !shown.contains("example"),
            "{shown}"
        );
    }
}
