//! Envelopes on their way through a relay.
//!
//! Lives here: what a sender is told, and what waits to be looked up or read.
//! Must not: let an answer depend on the inbox, or open a body.

use ahoy_proto::envelope::Envelope;
use ahoy_proto::frame::{ToClient, Why};
use ahoy_proto::limits;

use super::{Switchboard, refuse, say};
use crate::client_id::ClientId;
use crate::output::Output;
use crate::store::{Mail, Store};
use crate::time::Moment;

impl Switchboard {
    /// Nothing here depends on the inbox.
    pub(super) fn send(&mut self, now: Moment, client: ClientId, envelope: Envelope, out: &mut Vec<Output>) {
        let Some(known) = self.clients.get_mut(&client) else { return };
        let Envelope { inbox, token, id, ttl, body } = envelope;
        if known.nonce.is_none() {
            return refuse(out, client, Some(id), Why::HelloFirst);
        }
        known.sent_at = Some(now);
        self.crowd.busy(now, client);
        let most =
            if known.inbox.is_some() { limits::CLAIMED_PER_MINUTE } else { limits::UNCLAIMED_PER_MINUTE };
        if !known.quota.allows(now, most, inbox) {
            return refuse(out, client, Some(id), Why::Rate);
        }
        say(out, client, ToClient::Accepted { id });
        let (token, from, until) = (token.hash(), known.address, now + ttl.duration());
        self.pending.push_back((Mail { id, token, body, from, came: now, until }, inbox));
    }

    pub(super) fn look_up(&mut self, now: Moment, out: &mut Vec<Output>) {
        for (mail, inbox) in self.pending.drain(..) {
            if mail.until > now {
                out.push(Output::Store(Store::Put { inbox, mail }));
            }
        }
    }

    /// Asks for what waits, as far as a client has acknowledged what it got.
    pub(super) fn read(&mut self, now: Moment, client: ClientId, out: &mut Vec<Output>) {
        if let Some(known) = self.clients.get_mut(&client)
            && let Some(inbox) = known.inbox
            && let Some((after, entries, bytes)) = known.bag.wants(now)
        {
            out.push(Output::Store(Store::Read { client, inbox, after, entries, bytes }));
        }
    }
}
