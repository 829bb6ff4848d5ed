//! What each port's report means.
//!
//! Lives here: one `match` a port.
//! Must not: know how a port came to say so.

use ahoy_call::{CallId, Event, LegId};

use crate::engine::Engine;
use crate::engine::problems::Source;
use crate::engine::requests::hex;
use crate::system::{clock, ready};
use crate::values::diagnosis::Finding;
use crate::values::line::{Line, MemberLine};
use crate::values::request::Answer;
use crate::{bus, history, media, signal};

impl Engine {
    pub(super) fn on_signal(&mut self, report: signal::Report) {
        match report {
            signal::Report::Event(event) => self.on_news(event),
            signal::Report::Frame { call, leg, bytes } => {
                if self.ports.media.call(call, media::CallOrder::Frame { leg, bytes }).is_err() {
                    tracing::debug!("a frame for the data channel was dropped: the media queue is full");
                }
            }
            signal::Report::Links(links) => {
                if links.ice_servers.list != self.links.ice_servers.list {
                    self.ports.media.use_servers(links.ice_servers.list.clone());
                }
                let now = self.now();
                self.links = links;
                self.follow_ways(now);
                self.follow_relays(now);
                self.follow_rooms();
                self.go_on_pairing();
                self.begin_paths(now);
                self.refresh();
            }
            signal::Report::Plate(relay, news) => self.on_plate(&relay, news),
            signal::Report::Room { job, news } => self.on_room_news(job, news),
            signal::Report::Anew(relay) => self.on_relay_anew(&relay),
            signal::Report::Looped { bytes, relays } => self.on_looped(media::Carried { bytes, relays }),
            signal::Report::Mutual(peer) => {
                if self.contacts.set_mutual(peer) {
                    self.shown.publish(bus::Publication::ContactChanged(hex(peer)));
                }
            }
            signal::Report::Farewell { peer, told } => self.on_farewell(peer, told),
            signal::Report::Ended(peer) => {
                if self.contacts.set_ended(peer) {
                    self.shown.publish(bus::Publication::ContactChanged(hex(peer)));
                }
            }
            signal::Report::CardTaken(peer, revision) => self.on_card_over(peer, Some(revision)),
            signal::Report::CardNotTaken(peer) => self.on_card_over(peer, None),
            signal::Report::Card(peer, card) => self.on_card(peer, *card),
            signal::Report::Asked { token, card } => self.on_asked(token, *card),
            signal::Report::Pinged { call, leg, peer } => self.on_ping(call, leg, peer),
            signal::Report::PingOver { job, peer, took } => {
                if self.pings.over(peer, job, took) {
                    self.shown.publish(bus::Publication::ContactChanged(hex(peer)));
                }
            }
            signal::Report::PingThere(peer, answers) => {
                if self.contacts.set_ping_there(peer, answers) {
                    self.shown.publish(bus::Publication::ContactChanged(hex(peer)));
                }
            }
            signal::Report::Bound { token, peer } => {
                if self.contacts.bind(token, peer) {
                    self.send_roster();
                }
            }
        }
    }

    pub(super) fn on_media(&mut self, report: media::Report) {
        match report {
            media::Report::Event { call, leg, epoch, report } => {
                self.on_event(Event::Media { call, leg, epoch, report });
            }
            media::Report::Gone { call } => {
                self.numbers.give_up(call);
                self.on_event(Event::MediaGone { call });
            }
            media::Report::Stats { ticket, stats } => self.numbers.answered(ticket, stats),
            media::Report::Line { call, line } => self.on_line(call, line),
            media::Report::Member { call, leg, line } => self.on_member_line(call, leg, line),
            media::Report::ByRoom { call, epoch, member, comes } => {
                self.on_voice_by_room(call, epoch, member, comes);
            }
            media::Report::Frame { call, leg, bytes } => self.on_frame(call, leg, bytes),
            media::Report::Channel { call, leg, open } => {
                self.order_signal(signal::SignalingOrder::Channel { call, leg, open });
            }
            media::Report::TestCall(report) => self.on_test_call(report),
            media::Report::Devices(found) => {
                self.devices.set(found);
                self.refresh();
            }
            media::Report::Problems(problems) => {
                for problem in &problems {
                    tracing::warn!(problem, "sound");
                }
                self.on_problem(Source::Media, problems);
            }
            media::Report::Notes(notes) => self.on_problem(Source::SoundNotes, notes),
        }
    }

    pub(super) fn on_history(&mut self, report: history::Report) {
        match report {
            history::Report::Committed { ticket, rows, missed, last_id } => {
                self.shown.committed(ticket, &rows, missed, last_id);
            }
            history::Report::Changed { rows, missed, last_id, reply } => {
                self.shown.rows_changed(&rows, missed, last_id, reply.map(|it| (it.reply, it.outcome)));
            }
            history::Report::Interrupted(calls) => {
                for history::Unfinished { call, peer, unanswered } in calls {
                    self.order_signal(signal::SignalingOrder::Bye { call, peer, unanswered });
                }
            }
            history::Report::Problem(sentence) => self.on_problem(Source::History, [sentence]),
        }
    }

    /// The session bus is there, or why it is not.
    pub(super) fn on_bus(&mut self, problem: String) {
        if problem.is_empty() {
            tracing::info!("serving on the session bus");
        } else {
            tracing::warn!(problem, "no session bus");
            // Their names went with it.
            self.agents.clear();
        }
        if !std::mem::replace(&mut self.announced, true) {
            self.shown.board().manager.ready = true;
            ready::ready("ready");
        }
        self.on_problem(Source::Bus, [problem]);
    }

    pub(super) fn on_network(&mut self) {
        tracing::info!("the network has changed");
        self.order_signal(signal::SignalingOrder::NetworkChanged);
        self.networks.changed();
        self.rooms.moved();
        self.relays.network_changed();
        self.ask_for_relays();
        self.send_near();
        self.on_event(Event::NetworkChanged);
    }

    /// A look around is over.
    pub(super) fn on_findings(&mut self, findings: Vec<Finding>) {
        for reply in self.diagnoses.over() {
            self.answer(reply, Ok(Answer::Findings(findings.clone())));
        }
    }

    /// What is missing is another.
    pub(super) fn on_problem(&mut self, source: Source, sentences: impl IntoIterator<Item = String>) {
        self.problems.set(source, sentences);
        self.refresh();
    }

    /// The line of a call is another: it is shown at once, for no verb acts on it.
    fn on_line(&mut self, on_wire: CallId, line: Line) {
        let views = self.phone.views();
        let Some(view) = views.iter().find(|view| self.phone.on_wire(view.id) == on_wire) else { return };
        self.lines.is(clock::now(), view.id, line);
        self.shown.set_line(view.id, line);
    }

    /// One of the others in a call speaks, or does no more, or the line to them is another.
    fn on_member_line(&mut self, on_wire: CallId, leg: LegId, line: MemberLine) {
        let Some(peer) = self.phone.whose(on_wire, leg) else { return };
        let views = self.phone.views();
        let Some(view) = views.iter().find(|view| self.phone.on_wire(view.id) == on_wire) else { return };
        if let Some(member) = view.members.iter().find(|member| member.peer == peer) {
            self.shown.set_member_line(view.id, member.id, line);
        }
    }

    /// A sealed frame came by a call's data channel. More of them than any honest program sends do not reach signaling,
    /// whose queue is for everybody.
    fn on_frame(&mut self, call: CallId, leg: LegId, bytes: Vec<u8>) {
        if self.ring_policy.frame(clock::now(), call, leg) {
            self.order_signal(signal::SignalingOrder::Frame { call, leg, bytes });
        } else {
            tracing::debug!("a frame of a data channel was dropped: there are too many");
        }
    }
}
