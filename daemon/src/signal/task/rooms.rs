//! Questions about rooms on their way through the signaling task.
//!
//! Lives here: whom a relay's answer is for, what is asked next, what is given up.
//! Must not: count or order questions (`room_asks.rs` does).

use ahoy_proto::room::RoomNews;

use super::Task;
use crate::signal::Report;
use crate::signal::link::LinkId;
use crate::signal::peer_line::Out;
use crate::system::clock;

impl Task {
    /// Asks a relay what is next about rooms.
    pub(super) fn ask_rooms(&mut self, relay: &str) -> Vec<Out> {
        let mut out = Vec::new();
        let Some((_, ask)) = self.room_asks.next(clock::now(), relay) else { return out };
        if !self.links.ask_room(relay, ask) {
            let lost = self.room_asks.lost(relay);
            out.extend(lost.into_iter().map(|job| Out::Report(Report::Room { job, news: None })));
        }
        out
    }

    /// What relays were asked about rooms and have not answered.
    pub(super) fn no_answers(&mut self) -> Vec<Out> {
        let late = self.room_asks.late(clock::now());
        late.into_iter().map(|job| Out::Report(Report::Room { job, news: None })).collect()
    }

    /// A link of a relay came up or went down.
    pub(super) fn room_relay_anew(&mut self, link: LinkId) -> Vec<Out> {
        match self.links.room_relay(link) {
            Some((relay, true)) => {
                self.room_asks.fresh(relay);
                Vec::new()
            }
            Some((relay, false)) => {
                let lost = self.room_asks.lost(relay);
                lost.into_iter().map(|job| Out::Report(Report::Room { job, news: None })).collect()
            }
            None => Vec::new(),
        }
    }

    /// A relay says something about a room.
    pub(super) fn on_room_news(&mut self, link: LinkId, news: RoomNews) -> Vec<Out> {
        let Some((relay, _)) = self.links.room_relay(link) else { return Vec::new() };
        let relay = relay.to_owned();
        let Some(job) = self.room_asks.answered(&relay) else {
            tracing::debug!("a relay says something about a room that nobody asked, or too late");
            return Vec::new();
        };
        let mut out = vec![Out::Report(Report::Room { job, news: Some(news) })];
        out.extend(self.ask_rooms(&relay));
        out
    }
}
