//! A side that is no ahoy: descriptions are exchanged with it as often as either side wants.
//!
//! Lives here: what `negotiation.rs` decides, done with the library's connection, with the text that `sdp.rs` lets through.
//! Must not: decide whose offer stands, or know what carries the descriptions.

use std::collections::{HashSet, VecDeque};

use ahoy_call::{Description, Moment, Opaque, SdpKind};
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::rtp_transceiver::RTCRtpTransceiverDirection;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription};

use super::gathering::Gathering;
use super::guard::{self, Refused};
use super::negotiation::{Manners, Negotiation, Numbered, Step, TooMany};
use super::sdp::{self, Candidate, DtlsRole, Sections};
use super::sending::PayloadTypes;
use crate::media::transport::{Flow, PathEvent, Renewal, Takes};

/// Candidates of one generation that are tried, and those that wait for their description.
const MOST_CANDIDATES: usize = 32;

/// Why a description could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the library refused it")]
    Library(#[from] webrtc::error::Error),
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

/// What an exchange comes to.
pub(super) enum Outcome {
    /// To be sent.
    Described(Description),
    /// How the other side numbers what we send, and what it takes.
    Takes(PayloadTypes, Takes),
}

/// See the head of this file.
pub(super) struct Foreign {
    negotiation: Negotiation<Description>,
    /// Of descriptions that wait for candidates.
    gathering: Option<Gathering>,
    /// As of the last exchange, and of the one under way.
    sections: Sections,
    pending: Option<Sections>,
    /// How we would have the voice flow, and how it may.
    ours: Flow,
    agreed: Flow,
    setup: Option<DtlsRole>,
    /// Descriptions of ours so far.
    written: u64,
    our_ufrag: String,
    /// None before its first description.
    their_ufrag: Option<Option<String>>,
    early: VecDeque<Candidate>,
    /// Candidates of the present generation that the library has.
    tried: HashSet<String>,
}

impl Foreign {
    /// `whole`: descriptions wait for all candidates.
    pub(super) fn new(manners: Manners, whole: bool) -> Self {
        Self {
            negotiation: Negotiation::new(manners),
            gathering: whole.then(Gathering::default),
            sections: Sections::default(),
            pending: None,
            ours: Flow::BOTH,
            agreed: Flow::BOTH,
            setup: None,
            written: 0,
            our_ufrag: String::new(),
            their_ufrag: None,
            early: VecDeque::new(),
            tried: HashSet::new(),
        }
    }

    /// Whether the other side listens, and we want it to.
    pub(super) fn sends(&self) -> bool {
        self.agreed.send
    }

    /// We want to describe ourselves anew; with `flow`, to say how we would have the voice flow from now on.
    pub(super) async fn renew(
        &mut self,
        link: &dyn PeerConnection,
        flow: Option<Flow>,
        renewal: Renewal,
    ) -> Result<Vec<Outcome>, Unusable> {
        if let Some(flow) = flow {
            self.ours = flow;
            self.agreed.send &= flow.send;
        }
        let steps = self.negotiation.wish(renewal);
        self.act(link, steps).await
    }

    /// A description of the other side. One that cannot be read is passed over once there was one that can.
    pub(super) async fn came(
        &mut self,
        now: Moment,
        link: &dyn PeerConnection,
        body: Description,
    ) -> Result<Vec<Outcome>, Unusable> {
        let kind = body.kind;
        if let Err(refused) = self.sections_of(kind).read(&body) {
            tracing::debug!(%refused, "a description of a side that is no ahoy was refused");
            return if self.their_ufrag.is_some() { Ok(Vec::new()) } else { Err(refused.into()) };
        }
        let version = guard::text(&body).map(sdp::version)?;
        let steps = self.negotiation.came(now, Numbered { kind, version, body })?;
        self.act(link, steps).await
    }

    /// What a description of the other side is about: an answer is about our offer, an offer about what holds now.
    fn sections_of(&self, kind: SdpKind) -> &Sections {
        match kind {
            SdpKind::Offer => &self.sections,
            SdpKind::Answer => self.pending.as_ref().unwrap_or(&self.sections),
        }
    }

    async fn act(
        &mut self,
        link: &dyn PeerConnection,
        steps: Vec<Step<Description>>,
    ) -> Result<Vec<Outcome>, Unusable> {
        let mut outcomes = Vec::new();
        for step in steps {
            match step {
                Step::Rollback => {
                    link.set_local_description(RTCSessionDescription::rollback(None)?).await?;
                    self.pending = None;
                    self.tried.clear();
                }
                Step::Take(kind, description) => outcomes.push(self.take(link, kind, &description).await?),
                Step::Describe(kind, renewal) => outcomes.push(self.describe(link, kind, renewal).await?),
            }
        }
        self.try_candidates(link).await;
        Ok(outcomes)
    }

    async fn take(
        &mut self,
        link: &dyn PeerConnection,
        kind: SdpKind,
        description: &Description,
    ) -> Result<Outcome, Unusable> {
        let theirs = self.sections_of(kind).read(description)?;
        match kind {
            SdpKind::Offer => {
                link.set_remote_description(RTCSessionDescription::offer(theirs.text)?).await?;
                self.pending = Some(theirs.sections);
            }
            SdpKind::Answer => {
                link.set_remote_description(RTCSessionDescription::answer(theirs.text)?).await?;
                self.sections = theirs.sections;
                self.pending = None;
                self.setup = self.setup.or(theirs.setup.map(DtlsRole::other));
            }
        }
        self.agreed = sdp::agreed(self.ours, theirs.flow);
        if self.their_ufrag.as_ref() != Some(&theirs.ufrag) {
            self.their_ufrag = Some(theirs.ufrag.clone());
            self.tried.clear();
        }
        let texts = theirs.candidates.iter().filter_map(guard::candidate);
        let ufrag = theirs.ufrag;
        for text in texts.take(MOST_CANDIDATES).collect::<Vec<_>>() {
            self.keep(Candidate { text, ufrag: ufrag.clone() });
        }
        Ok(Outcome::Takes(theirs.payload_types, theirs.takes))
    }

    async fn describe(
        &mut self,
        link: &dyn PeerConnection,
        kind: SdpKind,
        renewal: Renewal,
    ) -> Result<Outcome, Unusable> {
        let flow = match kind {
            SdpKind::Offer => self.ours,
            SdpKind::Answer => self.agreed,
        };
        // The library has one transceiver: the voice's.
        for voice in link.get_transceivers().await {
            voice.set_direction(direction(flow)).await?;
        }
        if renewal == Renewal::Restart {
            // The library forgets them.
            self.tried.clear();
        }
        let description = match kind {
            SdpKind::Offer => {
                let ice_restart = renewal == Renewal::Restart;
                link.create_offer(Some(RTCOfferOptions { ice_restart })).await?
            }
            SdpKind::Answer => link.create_answer(None).await?,
        };
        self.written += 1;
        let sections = self.pending.as_ref().unwrap_or(&self.sections);
        let (text, sections) = sections.write(kind, &description.sdp, self.written, self.setup)?;
        // The library holds to nothing but its own last text.
        link.set_local_description(description).await?;
        self.our_ufrag = sdp::ufrag(&text).unwrap_or_default().to_owned();
        match kind {
            SdpKind::Offer => self.pending = Some(sections),
            SdpKind::Answer => {
                self.sections = sections;
                self.pending = None;
                self.setup = self.setup.or_else(|| sdp::setup(&text));
            }
        }
        Ok(Outcome::Described(Description { kind, body: Opaque(text.into_bytes()) }))
    }

    /// A description of ours is to be sent. Returned unless it waits for candidates.
    pub(super) fn described(&mut self, now: Moment, description: Description) -> Option<Description> {
        match &mut self.gathering {
            Some(gathering) => gathering.described(now, description),
            None => Some(description),
        }
    }

    /// Candidates of ours came. Returns what of them is to be told.
    pub(super) fn gathered(&mut self, list: Vec<Opaque>, complete: bool) -> Option<PathEvent> {
        if let Some(gathering) = &mut self.gathering {
            return gathering.gathered(list, complete).map(PathEvent::Described);
        }
        let sections = self.pending.as_ref().unwrap_or(&self.sections);
        let list = list.iter().filter_map(|one| sections.candidate(one, &self.our_ufrag)).collect();
        Some(PathEvent::Candidates { list, complete })
    }

    /// Until when a description waits for candidates.
    pub(super) fn due(&self) -> Option<Moment> {
        self.gathering.as_ref().and_then(Gathering::due)
    }

    /// It waits no longer.
    pub(super) fn waited(&mut self) -> Option<PathEvent> {
        self.gathering.as_mut().and_then(Gathering::send).map(PathEvent::Described)
    }

    /// Candidates of the other side.
    pub(super) async fn add_candidates(&mut self, link: &dyn PeerConnection, list: &[Opaque]) {
        for candidate in list.iter().filter_map(sdp::candidate) {
            self.keep(candidate);
        }
        self.try_candidates(link).await;
    }

    fn keep(&mut self, candidate: Candidate) {
        if self.early.len() == MOST_CANDIDATES {
            // What waits longest is likeliest to belong to a description that will never hold.
            self.early.pop_front();
        }
        self.early.push_back(candidate);
    }

    /// Those of the present description are tried. The others wait for theirs, which they may have overtaken.
    async fn try_candidates(&mut self, link: &dyn PeerConnection) {
        let Some(present) = self.their_ufrag.clone() else { return };
        let of_present = |one: &Candidate| one.ufrag.is_none() || present.is_none() || one.ufrag == present;
        for candidate in std::mem::take(&mut self.early) {
            if !of_present(&candidate) {
                self.early.push_back(candidate);
            } else if self.tried.len() < MOST_CANDIDATES && self.tried.insert(candidate.text.clone()) {
                let candidate = RTCIceCandidateInit { candidate: candidate.text, ..Default::default() };
                if link.add_ice_candidate(candidate).await.is_err() {
                    tracing::debug!("a candidate was refused");
                }
            }
        }
    }
}

fn direction(flow: Flow) -> RTCRtpTransceiverDirection {
    match (flow.send, flow.receive) {
        (true, true) => RTCRtpTransceiverDirection::Sendrecv,
        (true, false) => RTCRtpTransceiverDirection::Sendonly,
        (false, true) => RTCRtpTransceiverDirection::Recvonly,
        (false, false) => RTCRtpTransceiverDirection::Inactive,
    }
}
