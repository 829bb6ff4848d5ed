//! What neighbours on a local network bring, and who of them is there.
//!
//! Lives here: which of their envelopes are for us, by the rules of a relay; calls under way to somebody who has just come.
//! Must not: know a connection.

use std::collections::BTreeSet;

use ahoy_call::PeerId;
use ahoy_proto::envelope::{Inbox, Token};
use ahoy_proto::neighbour::tag::inbox_of;

use super::{Sessions, Time};
use crate::signal::peer_line::{Out, Stage};
use crate::values::near::NearPlace;

impl Sessions {
    /// Whether an envelope with this inbox and token may be looked at, and if so, whether the inbox is a lasting one of ours. A
    /// relay asks the same: nothing is opened that did not come with a token of ours for it.
    pub(in crate::signal) fn takes(&self, inbox: Inbox, token: Token) -> Option<bool> {
        let own = self.peers.own()?;
        let mut answers = self.reply_inboxes();
        let lasting =
            inbox == inbox_of(own.certificate.device()) || own.inboxes.iter().any(|it| it.inbox() == inbox);
        if lasting {
            let of_group = self.call_cards.tokens().any(|it| it == token.hash());
            let listed = of_group || self.peers.owner(token.hash()).is_ok();
            let answered = |it: &_| matches!(it, crate::signal::peer_line::ReplyInbox { key: None, to, .. } if to.token == token);
            return (listed || answers.any(answered)).then_some(true);
        }
        answers.any(|it| (it.to.inbox, it.to.token) == (inbox, token)).then_some(false)
    }

    /// These contacts are seen now. Who is being rung and has just come is rung that way too.
    pub(in crate::signal) fn set_near(&mut self, time: Time, near: BTreeSet<PeerId>) -> Vec<Out> {
        let is_new = self.peers.set_near(near);
        for ((_, leg), line) in &mut self.lines {
            let Stage::Calling { repeat, .. } = &mut line.stage else { continue };
            if !is_new(line.peer) {
                continue;
            }
            let devices = self.peers.devices(time.unix_s, line.peer);
            let ways = devices.into_iter().find(|(it, _)| it.leg_id() == *leg).map(|(_, ways)| ways);
            let way =
                ways.and_then(|ways| ways.into_iter().find(|way| NearPlace::named(&way.relay).is_some()));
            if let Some(way) = way {
                line.route.add(&way);
                repeat.add(time.now, &way);
                repeat.due(time.now, &mut self.out);
            }
        }
        self.within_budget(time.now)
    }
}
