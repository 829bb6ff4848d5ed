//! The address from which the packets of a path leave.
//!
//! Lives here: what the library says of it, and whether it is still of use.
//! Must not: judge a path by anything else, or log an address.

use std::net::IpAddr;

use rtc::peer_connection::transport::RTCIceCandidateType;
use webrtc::peer_connection::PeerConnection;

use super::addresses;

/// Whether that address has gone with its interface, while others of those that the person allows lead out. Where there is no other
/// one it may be back in a moment: a wireless network is left for that long by who moves through a house. Where the library does not
/// say which address it is, it has not gone.
pub(super) async fn is_gone(link: &dyn PeerConnection, allowed: &[String]) -> bool {
    local(link).await.is_some_and(|ip| addresses::only_others_run(ip, allowed))
}

async fn local(link: &dyn PeerConnection) -> Option<IpAddr> {
    let ice = link.sctp().await?.transport().ice_transport();
    let pair = ice.get_selected_candidate_pair().await.ok()??;
    let ours = pair.local();
    let own = matches!(ours.typ, RTCIceCandidateType::Host | RTCIceCandidateType::Unspecified);
    // The others are how we are seen; the related address is their base (RFC 8445 §5.1.1.2).
    let of_this_machine = if own { &ours.address } else { &ours.related_address };
    of_this_machine.parse().ok()
}
