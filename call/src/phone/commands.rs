//! What a person or program asks for.
//!
//! Lives here: each command, and which of them are refused where they stand.
//! Must not: know what happens inside one call.

use super::Phone;
use super::tombs::LastVerb;
use super::verbs::Found;
use crate::call::{Call, Dial, GroupDial, Out};
use crate::command::{Command, Refusal};
use crate::effect::Effects;
use crate::time::Moment;
use crate::view::Direction;

impl Phone {
    /// A person or program asks. May be refused; a refusal changes nothing.
    pub fn command(&mut self, now: Moment, command: Command) -> Result<Effects, Refusal> {
        self.pass(now);
        let before = self.shown();
        let mut out = Out::new(now);
        match command {
            Command::Dial { call, peer, devices, lifetime, note, hold_others, both_tell } => {
                let dial = Dial { call, own: self.own, peer, devices, lifetime, note, both_tell };
                self.dial(&mut out, dial, hold_others)?;
            }
            Command::Answer { call, others } => self.take(&mut out, call, others)?,
            Command::Decline { call, reason, scope, text } => match self.find(call)? {
                Found::Live(live) if live.rings_here() => {
                    let end = Call::decline(reason, scope, text);
                    self.change(&mut out, call, |_, _| Some(end));
                    self.remember(call, LastVerb::Decline);
                }
                Found::Live(live) if live.direction() == Direction::Incoming => {
                    return Err(Refusal::AlreadyHandled);
                }
                Found::Live(_) => return Err(Refusal::InvalidState),
                Found::Ended(tomb) => tomb.late_decline()?,
            },
            Command::Silence { call } => match self.find(call)? {
                Found::Live(live) if live.rings_here() => {
                    self.change(&mut out, call, |call, _| call.silence());
                }
                Found::Live(_) | Found::Ended(_) => return Err(Refusal::InvalidState),
            },
            Command::Hold { call } => {
                self.find_answered(call)?;
                self.hold(&mut out, call);
            }
            Command::Resume { call } => {
                self.find_answered(call)?;
                self.resume(&mut out, call)?;
            }
            Command::Swap => self.swap(&mut out)?,
            Command::Block { peer } => self.block(&mut out, peer),
            Command::StartGroup { call, group, targets, lifetime, note, hold_others } => {
                let (own, house) = ((self.own, self.me), self.house());
                let dial = GroupDial { call, own, group, targets, lifetime, note, house };
                self.start_group(&mut out, dial, hold_others)?;
            }
            Command::Invite { call, whom, lifetime } => self.invite(&mut out, call, &whom, lifetime)?,
            Command::Merge { call, other } => self.merge_calls(&mut out, call, other)?,
            Command::Join { call } => self.join(&mut out, call)?,
            Command::Remove { call, member } => self.remove(&mut out, call, member)?,
            Command::Unblock { peer } => self.unblock(&mut out, peer),
            Command::HangUp { call, everyone: true } => self.end_for_all(&mut out, call)?,
            Command::HangUp { call, everyone: false } => match self.find(call)? {
                Found::Live(live) if live.outside().is_some() => {}
                Found::Live(_) => self.hang_up(&mut out, call),
                Found::Ended(_) => {}
            },
            Command::HangUpAll => {
                for call in self.ids(|call| call.is_public() && call.outside().is_none()) {
                    self.hang_up(&mut out, call);
                }
            }
            Command::SetMuted { call, muted } => match self.find(call)? {
                Found::Live(live) if live.outside().is_some() => return Err(Refusal::InvalidState),
                Found::Live(_) => {
                    let everywhere = self.muted;
                    self.change(&mut out, call, |call, out| call.mute(out, Some(muted), everywhere));
                }
                Found::Ended(_) => return Err(Refusal::InvalidState),
            },
            Command::SendTones { call, digits } => match self.find(call)? {
                Found::Live(live) => {
                    live.takes_digits(now)?;
                    self.change(&mut out, call, |call, out| call.send_digits(out, digits));
                }
                Found::Ended(_) => return Err(Refusal::InvalidState),
            },
            Command::SetAllMuted { muted } => {
                self.muted = muted;
                for call in self.ids(|_| true) {
                    self.change(&mut out, call, |call, out| call.mute(out, None, muted));
                }
            }
        }
        Ok(self.leave(out, &before))
    }
}
