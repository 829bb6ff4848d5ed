//! Inputs that no honest peer and no healthy port would give just now.
//!
//! Lives here: each kind of input for a call of a device, whatever its phase.
//! Must not: choose only what fits.

use std::time::Duration;

use ahoy_call::{
    CallId, CancelReason, Command, DeclineReason, Description, EndReason, Epoch, Event, Input, LegId,
    MediaFault, MediaReport, Message, Opaque, Others, PeerId, Refusal, RingPolicy, RoomReport, RoomWord,
    Scope, SdpKind,
};

use super::{World, device, digits, peer};

impl World {
    /// Gives this kind of input to a device: about its newest call, or about another one it has to do with.
    ///
    /// # Errors
    /// If it is a command, and refused.
    pub fn inject(&mut self, who: usize, input: Input, newest: bool) -> Result<(), Refusal> {
        let (call, leg, peer) = self.target(who, newest);
        match self.command_of(who, input, (call, peer)) {
            Some(command) => self.command(who, command),
            None => {
                if let Some(event) = self.event_of(who, input, (call, leg, peer)) {
                    self.event(who, event);
                }
                Ok(())
            }
        }
    }

    fn target(&mut self, who: usize, newest: bool) -> (CallId, LegId, PeerId) {
        let phone = &self.people[who].phone;
        let living: Vec<CallId> = phone.standing().into_iter().map(|(call, _)| call).collect();
        let ended: Vec<CallId> =
            self.people[who].sessions.keys().map(|key| key.0).filter(|call| !living.contains(call)).collect();
        let all = if newest { living } else { [living, ended].concat() };
        let call = match (newest, all.len()) {
            (_, 0) => self.fresh_call(),
            (true, _) => all[all.len() - 1],
            (false, n) => all[usize::try_from(self.chance.below(n as u64)).unwrap_or(0)],
        };
        let legs = self.people[who].sessions.iter().filter(|((of, _), _)| *of == call);
        let legs: Vec<(LegId, usize)> = legs.map(|((_, leg), to)| (*leg, *to)).collect();
        let other = (who + 1) % self.people.len();
        let (leg, to) = legs.first().copied().unwrap_or((device(other), other));
        (call, leg, peer(self.people[to].owner))
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an input that is never given is noticed: each cell is counted"
    )]
    fn command_of(&mut self, who: usize, input: Input, (call, peer): (CallId, PeerId)) -> Option<Command> {
        // The command names the call as this person knows it.
        let views = self.people[who].phone.views();
        let call = views
            .iter()
            .find(|view| self.people[who].phone.on_wire(view.id) == call)
            .map_or(call, |view| view.id);
        let yes = self.chance.below(2) == 0;
        Some(match input {
            Input::Dial => {
                let owner = usize::from(peer.bytes()[0]);
                let owner = if owner == self.people[who].owner { (owner + 1) % self.owners() } else { owner };
                Command::Dial {
                    call: self.fresh_call(),
                    peer: super::peer(owner),
                    devices: self.devices_of(owner),
                    lifetime: Duration::from_secs(30),
                    note: None,
                    hold_others: yes,
                    both_tell: self.tells(who, owner),
                }
            }
            Input::StartGroup
            | Input::Invite
            | Input::Merge
            | Input::Join
            | Input::Remove
            | Input::Unblock => self.command_of_a_group(who, input, (call, peer)),
            Input::Answer => {
                Command::Answer { call, others: if yes { Others::Hold } else { Others::Release } }
            }
            Input::Decline => Command::Decline {
                call,
                reason: if yes { DeclineReason::Declined } else { DeclineReason::Busy },
                scope: if yes { Scope::Everywhere } else { Scope::ThisDevice },
                text: yes.then(|| "later".to_owned()),
            },
            Input::Silence => Command::Silence { call },
            Input::Hold => Command::Hold { call },
            Input::Resume => Command::Resume { call },
            Input::Swap => Command::Swap,
            Input::Block => Command::Block { peer },
            Input::HangUp => Command::HangUp { call, everyone: false },
            Input::HangUpAll => Command::HangUpAll,
            Input::SetMuted => Command::SetMuted { call, muted: yes },
            Input::SendTones => Command::SendTones { call, digits: digits() },
            Input::SetAllMuted => Command::SetAllMuted { muted: yes },
            _ => return None,
        })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an input that is never given is noticed: each cell is counted"
    )]
    fn event_of(
        &mut self,
        who: usize,
        input: Input,
        (call, leg, peer): (CallId, LegId, PeerId),
    ) -> Option<Event> {
        let chance = self.chance.below(8);
        let yes = chance.is_multiple_of(2);
        let list = vec![Opaque(b"host".to_vec())];
        let offered = Duration::from_secs(30);
        let description = |offer| Description {
            kind: if offer { SdpKind::Offer } else { SdpKind::Answer },
            body: Opaque(Vec::new()),
        };
        let paths = self.people[who].media.paths.keys().filter(|key| key.0 == call && key.1 == leg);
        let prepared: Vec<Epoch> = paths.map(|key| key.2).collect();
        let newest = prepared.last().copied().unwrap_or(Epoch(u16::try_from(chance).unwrap_or(0)));
        // The media port speaks of any path that was prepared, not only of the newest.
        let of_a_path = matches!(input, Input::Up | Input::Lost | Input::Stuck | Input::Failed);
        let epoch = if of_a_path && !prepared.is_empty() {
            prepared[usize::try_from(self.chance.below(prepared.len() as u64)).unwrap_or(0)]
        } else {
            newest
        };
        let said = |message| Some(Event::Received { call, leg, message });
        let reported = |report| Some(Event::Media { call, leg, epoch, report });
        match input {
            Input::Rung => Some(Event::Rung {
                call,
                leg,
                peer,
                lifetime: offered,
                preconnect: yes,
                callee_offers: false,
                policy: RingPolicy::Normal,
            }),
            Input::MissedNote => Some(Event::MissedNote { call, peer, at_unix_us: 1, why: None }),
            Input::Ready => said(Message::Ready { offers: false }),
            Input::Met => Some(Event::Met { call, leg, peer }),
            Input::Invited => {
                let (remaining, news) = (offered, Box::new(self.lies(call, leg, peer)));
                said(Message::Invite { remaining, text: None, instead_of: yes.then_some(call), news })
            }
            Input::Log => said(Message::Log(Box::new(self.lies(call, leg, peer)))),
            Input::Offer => said(Message::Offer { remaining: offered, text: None }),
            Input::Description => said(Message::Description {
                epoch: Epoch(epoch.0.saturating_add(u16::try_from(chance).unwrap_or(0))),
                description: description(yes),
            }),
            Input::Candidates => said(Message::Candidates { epoch, list, complete: yes }),
            Input::Rings => said(Message::Ringing),
            Input::Accept => said(Message::Accept),
            Input::Declined => said(Message::Decline {
                reason: if chance < 4 { DeclineReason::Declined } else { DeclineReason::Busy },
                scope: if yes { Scope::Everywhere } else { Scope::ThisDevice },
                text: yes.then(|| "later".to_owned()),
            }),
            Input::Cancel => said(Message::Cancel {
                reason: match chance {
                    0 => CancelReason::NoAnswer,
                    1 => CancelReason::AnsweredElsewhere,
                    2 => CancelReason::DeclinedElsewhere,
                    _ => CancelReason::Canceled,
                },
            }),
            Input::End => {
                said(Message::End { reason: if yes { EndReason::Completed } else { EndReason::MediaFailed } })
            }
            Input::State => {
                let serial = u32::try_from(chance).unwrap_or(0);
                said(Message::State { serial, muted: yes, held: chance < 4, camera: false, listening: !yes })
            }
            Input::Carried => Some(Event::Carried { call, leg }),
            Input::Undeliverable => Some(Event::Undeliverable { call, leg }),
            Input::Bye => Some(Event::Bye { call, leg }),
            Input::Described => reported(MediaReport::Described(description(yes))),
            Input::Gathered => reported(MediaReport::Candidates { list, complete: yes }),
            Input::Up | Input::Lost => {
                let up = input == Input::Up;
                if let Some(path) = self.people[who].media.paths.get_mut(&(call, leg, epoch)) {
                    path.up = up;
                }
                reported(if up { MediaReport::Up } else { MediaReport::Lost })
            }
            Input::Stuck => reported(MediaReport::Stuck),
            Input::Voice => reported(MediaReport::Voice(yes)),
            Input::Failed => {
                let fault = match chance {
                    0..3 => MediaFault::Negotiation,
                    3..6 => MediaFault::Media,
                    _ => MediaFault::NoTurn,
                };
                reported(MediaReport::Failed(fault))
            }
            Input::RoomWord => {
                let serial = u32::try_from(chance).unwrap_or(0);
                said(Message::Room(match chance {
                    0..3 => RoomWord::Pass(Opaque(vec![7; 8])),
                    3..6 => RoomWord::Key { serial, key: Opaque(vec![7; 16]) },
                    _ => RoomWord::Hears { serial, heard: yes },
                }))
            }
            Input::Passes => {
                Some(Event::Room { call, report: RoomReport::Passes(vec![Opaque(vec![9; 8]); 3]) })
            }
            Input::NoRoom => Some(Event::Room { call, report: RoomReport::NoRoom }),
            Input::RoomKey => {
                Some(Event::Room { call, report: RoomReport::Key { key: Opaque(vec![8; 16]), step: yes } })
            }
            Input::HeardByRoom => Some(Event::Room { call, report: RoomReport::Heard { leg, heard: yes } }),
            Input::RoomOver => Some(Event::Room { call, report: RoomReport::Over }),
            Input::Rooms => Some(Event::Rooms(yes)),
            Input::MediaGone => Some(Event::MediaGone { call }),
            Input::NetworkChanged => Some(Event::NetworkChanged),
            Input::Stopping => Some(Event::Stopping),
            // A tick comes when it is due and not otherwise; commands are not events.
            _ => None,
        }
    }

    /// How many people there are.
    pub fn owners(&self) -> usize {
        self.people.iter().map(|person| person.owner + 1).max().unwrap_or(0)
    }
}
