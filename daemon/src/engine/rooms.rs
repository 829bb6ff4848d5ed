//! The rooms of calls: what their port wants of the others, and what comes back to it.
//!
//! Lives here: its questions to relays, its stays, its paths, its reports to the rules.
//! Must not: decide which room a call has, or who gets in.

use ahoy_call::{CallId, Epoch, Event, LegId, MediaFault, MediaReport, Moment, RoomOrder, RoomReport};
use ahoy_proto::room::RoomNews;

use crate::engine::Engine;
use crate::room::port::Out;
use crate::room::stay;
use crate::system::trust::Trust;
use crate::values::room::RoomEvent;
use crate::{media, signal};

impl Engine {
    /// Gives an order of the rules. What it means to them at once is returned.
    pub(super) fn order_room(&mut self, now: Moment, call: CallId, order: RoomOrder) -> Vec<Event> {
        self.rooms.order(now, call, order);
        self.carry_out_rooms()
    }

    /// Nothing of this call is there any more.
    pub(super) fn room_is_over(&mut self, call: CallId) {
        self.rooms.over(call);
    }

    /// Our relays are others, or say something else of their rooms.
    pub(super) fn follow_rooms(&mut self) {
        if let Some(any) = self.rooms.set_relays(&self.links.rooms) {
            self.on_event(Event::Rooms(any));
        }
    }

    pub(super) fn on_room_news(&mut self, job: u64, news: Option<RoomNews>) {
        let now = self.now();
        self.rooms.answered(now, job, news);
        self.tell_of_rooms();
    }

    pub(super) fn on_stay(&mut self, number: u64, event: RoomEvent) {
        let now = self.now();
        self.rooms.happened(now, number, event);
        self.tell_of_rooms();
    }

    pub(super) fn on_voice_by_room(&mut self, call: CallId, epoch: Epoch, member: LegId, comes: bool) {
        self.rooms.comes(call, epoch, member, comes);
        self.tell_of_rooms();
    }

    pub(super) fn tick_rooms(&mut self, now: Moment) {
        self.rooms.tick(now);
        self.tell_of_rooms();
    }

    fn tell_of_rooms(&mut self) {
        self.carry_out_rooms().into_iter().for_each(|event| self.on_event(event));
    }

    /// Does what the port wants done. What it reports to the rules is returned.
    fn carry_out_rooms(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for one in self.rooms.take() {
            match one {
                Out::Ask { job, relay, ask } => {
                    self.order_signal(signal::SignalingOrder::Room { job, relay, ask });
                }
                Out::Tell(call, report) => {
                    if let RoomReport::Heard { leg, heard: true } = report {
                        self.play_as_set(call, leg);
                    }
                    events.push(Event::Room { call, report });
                }
                Out::Prepare { call, epoch, ends } => {
                    let leg = self.own.leg_id();
                    let failed = match self.ports.media.enter_room(call, (leg, epoch), ends) {
                        Ok(()) => None,
                        Err(media::Refused::Full) => {
                            let report = MediaReport::Failed(MediaFault::Media);
                            Some(Event::Media { call, leg, epoch, report })
                        }
                        Err(media::Refused::Gone) => Some(Event::MediaGone { call }),
                    };
                    events.extend(failed);
                    self.deafen_if_wanted(call);
                }
                Out::Stay { number, mut parts } => {
                    parts.trust = Trust::new(self.in_force.config().relay.ca_file.clone());
                    let happens = self.stays_in.clone();
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "the stay's own task; it ends when its owner lets it go"
                    )]
                    drop(tokio::spawn(stay::follow(number, *parts, happens)));
                }
            }
        }
        events
    }
}
