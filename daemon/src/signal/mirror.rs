//! What a test call tells itself by way of the relays: sealed as the words of a call are, to an inbox that was made for it.
//!
//! Lives here: an inbox at each relay of ours, its session, and what came back.
//! Must not: know a contact, a call or what the bytes say; touch the inbox that is on our card.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, Opaque};
use ahoy_proto::envelope::{Body, Envelope, EnvelopeId, Inbox, Token, Ttl};
use ahoy_proto::hello::{Hello, HelloKind, VERSION};
use ahoy_proto::session::{Called, Calling, Ephemeral, Session, SessionError, SessionId};
use ed25519_dalek::SigningKey;
use tokio::sync::mpsc;

use super::Report;
use super::link::{FromLink, Link, LinkHandle, LinkId, LinkRole};
use super::peer_line::{chance, fresh_token};
use super::tls::{RelayUrl, Trust};
use crate::values::own::Own;

/// Reports of the links that wait.
const QUEUE: usize = 64;
/// How long a word may wait at a relay.
const LIVES: Duration = Duration::from_secs(20);

/// An inbox at one relay.
struct Place {
    link: LinkHandle,
    inbox: Inbox,
    token: Token,
}

/// Carries each frame that comes to itself, by every relay of ours, until there are no more. What comes back is reported once.
pub(super) async fn run(
    own: Arc<Own>,
    trust: Trust,
    mut frames: mpsc::Receiver<Opaque>,
    reports: mpsc::Sender<Report>,
) {
    let (told, mut links) = mpsc::channel(QUEUE);
    let claim = |(number, relay): (u32, &String)| Place::claim(LinkId(number), relay, &trust, &told);
    let places: Vec<Place> = (0..).zip(&own.relays()).filter_map(claim).collect();
    let Some((mut seals, mut opens)) = session(&own) else {
        return tracing::warn!("a test call has no session with itself");
    };
    let mut carried = BTreeSet::new();
    loop {
        tokio::select! {
            frame = frames.recv() => match frame.map(|frame| seals.seal(&frame.0)) {
                Some(Ok(sealed)) => places.iter().for_each(|place| place.post(&sealed)),
                Some(Err(error)) => tracing::debug!(%error, "a word of a test call is lost"),
                None => break,
            },
            Some((link, from)) = links.recv() => {
                let FromLink::Deliver(mail) = from else { continue };
                let place = usize::try_from(link.0).ok().and_then(|number| places.get(number));
                if place.is_some_and(|place| place.link.ack(mail.id).is_err()) {
                    tracing::debug!("a word of a test call comes again");
                }
                let bytes = match opens.open(mail.body.bytes()) {
                    Ok(bytes) => bytes,
                    // Another relay was faster; this one carried it all the same.
                    Err(SessionError::Replayed) => Vec::new(),
                    Err(error) => {
                        tracing::debug!(%error, "what came to a test call is none of its words");
                        continue;
                    }
                };
                carried.insert(link);
                if reports.send(Report::Looped { bytes: Opaque(bytes), relays: carried.len() }).await.is_err() {
                    break;
                }
            }
        }
    }
    futures_util::future::join_all(places.into_iter().map(|place| place.link.finish())).await;
}

impl Place {
    fn claim(
        id: LinkId,
        relay: &str,
        trust: &Trust,
        told: &mpsc::Sender<(LinkId, FromLink)>,
    ) -> Option<Self> {
        let (url, token) = (RelayUrl::parse(relay).ok()?, fresh_token()?);
        let key = SigningKey::from_bytes(&chance()?);
        let inbox = Inbox::of(key.verifying_key().as_bytes());
        let role = LinkRole::Claimed { key, tokens: vec![token.hash()] };
        Some(Self { link: Link::spawn(id, url, role, trust.clone(), told.clone()), inbox, token })
    }

    fn post(&self, sealed: &[u8]) {
        let (Some(id), Ok(body)) = (chance(), Body::try_from(sealed.to_vec())) else { return };
        let (inbox, token, id) = (self.inbox, self.token, EnvelopeId::from_bytes(id));
        if self.link.send(Envelope { inbox, token, id, ttl: Ttl::new(LIVES), body }).is_err() {
            tracing::debug!("a relay takes no word of a test call");
        }
    }
}

/// Both ends of a session with ourselves.
pub(super) fn session(own: &Own) -> Option<(Session, Session)> {
    let hello = Hello {
        certificate: own.certificate.clone(),
        revision: own.revision,
        call: CallId::from_bytes(chance()?),
        lifetime: LIVES,
        versions: vec![VERSION],
        features: Vec::new(),
        reply: None,
        sent_s: None,
        token: None,
        kind: HelloKind::Ping,
    };
    let (id, ours, theirs) = (SessionId(chance()?), Ephemeral(chance()?), Ephemeral(chance()?));
    let mut calling = Calling::begin(id, &ours, &own.noise, &own.certificate, &hello).ok()?;
    let device = own.device.verifying_key();
    let (called, _) = Called::open(&own.noise, &device, &theirs, calling.message_1()).ok()?;
    let (opens, message_2) = called.reply(own.revision, &[]).ok()?;
    let (seals, _) = calling.finish(&message_2).ok()?;
    Some((seals, opens))
}
