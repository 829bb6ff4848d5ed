//! Rings that are let in or not, do-not-disturb, what a person says of a contact.
//!
//! Lives here: asking who may ring before the rules hear of a ring; keeping and ending do-not-disturb.
//! Must not: decide who may ring (`ring_policy/admission.rs` does), or know D-Bus.

pub mod admission;

use std::path::Path;

use ahoy_call::{CallId, CallView, Command, Event, LegId, Moment, PeerId, RingPolicy, SignalOrder, State};

use crate::engine::Engine;
use crate::engine::perform::Step;
use crate::engine::ring_policy::admission::{Admission, Caller, how_it_rings};
use crate::system::clock;
use crate::values::dnd::Dnd;
use crate::{media, signal};

/// Do-not-disturb as it was kept over a restart.
pub(crate) fn open(path: &Path) -> Admission {
    match std::fs::read(path) {
        Ok(kept) => Admission::open(Some(&kept)),
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(%error, "what do-not-disturb was set to cannot be read: it is off");
            }
            Admission::open(None)
        }
    }
}

/// Rings that are kept away at once, and of one contact.
const KEPT: usize = 8;
const KEPT_OF_A_CONTACT: usize = 2;

/// A ring that do-not-disturb keeps away. Its session is there and has answered nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    call: CallId,
    leg: LegId,
    peer: PeerId,
    preconnect: bool,
    until: Moment,
}

/// The rings that are kept away, oldest first.
#[derive(Debug, Default)]
pub(crate) struct KeptAway(Vec<Kept>);

impl KeptAway {
    /// One more. Returns those that are kept no longer for it; what its caller has given up goes too.
    fn keep(&mut self, now: Moment, one: Kept) -> Vec<(CallId, LegId)> {
        let mut over: Vec<Kept> = self.0.extract_if(.., |kept| kept.until <= now).collect();
        if self.0.iter().filter(|kept| kept.peer == one.peer).count() >= KEPT_OF_A_CONTACT
            && let Some(oldest) = self.0.iter().position(|kept| kept.peer == one.peer)
        {
            over.push(self.0.remove(oldest));
        }
        if self.0.len() >= KEPT {
            over.push(self.0.remove(0));
        }
        self.0.push(one);
        over.into_iter().map(|kept| (kept.call, kept.leg)).collect()
    }

    /// Those whose caller still waits. None is kept after that.
    fn take(&mut self, now: Moment) -> Vec<Kept> {
        let all = std::mem::take(&mut self.0);
        all.into_iter().filter(|kept| kept.until > now).collect()
    }
}

impl Engine {
    /// Something came in. A note of a contact that was blocked meanwhile is dropped.
    pub(crate) fn heard(&mut self, event: Event) {
        if let Event::MissedNote { peer, .. } = event {
            let known = self.contacts.manner(peer).is_some_and(|(_, blocked)| !blocked);
            if !known {
                return;
            }
        }
        self.rung(event);
    }

    /// A sealed frame came by a call's data channel. More of them than any honest program sends do not reach signaling,
    /// whose queue is for everybody.
    pub(crate) fn framed(&mut self, call: CallId, leg: LegId, bytes: Vec<u8>) {
        let now = self.now();
        if self.admission.frame(now, call) {
            self.tell_signal(signal::SignalingOrder::Frame { call, leg, bytes });
        } else {
            tracing::debug!("a frame of a data channel was dropped: there are too many");
        }
    }

    /// A ring came in. Who is kept away gets nothing: the session is dropped unanswered.
    fn rung(&mut self, event: Event) {
        let Event::Rung { call, leg, peer, lifetime, preconnect, policy: _ } = event else {
            return self.feed(event);
        };
        let now = self.now();
        match self.admit(now, peer) {
            Some(policy) => {
                self.feed(Event::Rung { call, leg, peer, lifetime, preconnect, policy });
            }
            None => {
                tracing::debug!(?call, "a ring was kept away");
                let waits = self.contacts.manner(peer).is_some_and(|(manner, blocked)| {
                    !blocked && self.admission.is_kept_away(clock::unix_us(), &manner)
                });
                let over = match waits {
                    true => {
                        self.kept_away.keep(now, Kept { call, leg, peer, preconnect, until: now + lifetime })
                    }
                    false => vec![(call, leg)],
                };
                self.drop_rings(over);
            }
        }
    }

    fn drop_rings(&mut self, rings: Vec<(CallId, LegId)>) {
        for (call, leg) in rings {
            self.tell_signal(signal::SignalingOrder::Call { call, leg, order: SignalOrder::Forget });
        }
    }

    /// Do-not-disturb began, changed or ended, or what a person says of a contact did. What rings falls silent if it would be
    /// kept away now; who was kept away and still calls rings if it would not: nothing was said to them until now.
    pub(crate) fn admission_changed(&mut self) {
        let (now, unix_us) = (self.now(), clock::unix_us());
        let disturbs = |view: &CallView| {
            let rings = matches!(view.state, State::Incoming | State::Waiting) && !view.silenced;
            let manner = self.contacts.manner(view.peer).filter(|_| rings);
            manner.is_some_and(|(manner, _)| self.admission.is_kept_away(unix_us, &manner))
        };
        let views = self.phone.views();
        let silent: Vec<CallId> = views.iter().filter(|view| disturbs(view)).map(|view| view.id).collect();
        for call in silent {
            if let Ok(effects) = self.phone.command(now, Command::Silence { call }) {
                Step::new(self, now, "do-not-disturb").perform(effects).release(None);
            }
        }
        for kept in self.kept_away.take(now) {
            let Kept { call, leg, peer, preconnect, until } = kept;
            match self.contacts.manner(peer) {
                Some((manner, false)) if self.admission.is_kept_away(unix_us, &manner) => {
                    let over = self.kept_away.keep(now, kept);
                    self.drop_rings(over);
                }
                Some((manner, false))
                    if manner.ring_policy != crate::values::contact_rules::RingPolicy::Never =>
                {
                    let (policy, lifetime) = (how_it_rings(&manner), until.since(now));
                    self.feed(Event::Rung { call, leg, peer, lifetime, preconnect, policy });
                }
                Some(_) | None => self.drop_rings(vec![(call, leg)]),
            }
        }
    }

    fn admit(&mut self, now: Moment, peer: PeerId) -> Option<RingPolicy> {
        // Signaling has asked already; since then the contact may have been blocked or removed.
        let (manner, blocked) = self.contacts.manner(peer)?;
        let caller = Caller { peer, manner: &manner, dialed: self.phone.dials(peer) };
        if blocked { None } else { self.admission.ring(now, clock::unix_us(), caller) }
    }

    /// Plays the other of a call as loud as the contact is set to. `call`: as media know it.
    pub(crate) fn set_volume(&mut self, call: CallId) {
        let of = self.phone.views().into_iter().find(|view| self.phone.on_wire(view.id) == call);
        let manner = of.and_then(|view| self.contacts.manner(view.peer));
        if let Some((manner, _)) = manner {
            #[expect(clippy::cast_possible_truncation, reason = "0 to 2, and no ear hears the difference")]
            let volume = if self.deafened { 0.0 } else { manner.volume as f32 };
            let call = self.phone.on_wire(call);
            self.tell_media(call, media::CallOrder::Volume(volume));
        }
    }

    /// Silences the others in all calls, or lets them be heard again.
    pub(crate) fn set_deafened(&mut self, deafened: bool) {
        self.deafened = deafened;
        let answered = self.phone.views().into_iter().filter(|view| view.answered.is_some());
        for call in answered.map(|view| self.phone.on_wire(view.id)).collect::<Vec<_>>() {
            self.set_volume(call);
        }
        self.refresh();
    }

    /// The same for every call with a contact whose setting changed.
    pub(crate) fn set_volume_of(&mut self, peer: PeerId) {
        let with = self.phone.views().into_iter().filter(|view| view.peer == peer && view.answered.is_some());
        for call in with.map(|view| self.phone.on_wire(view.id)).collect::<Vec<_>>() {
            self.set_volume(call);
        }
    }

    /// Do-not-disturb is set so, or ended, and will be after a restart.
    pub(crate) fn dnd_is(&mut self, dnd: Dnd) {
        self.admission.dnd = dnd;
    }

    /// Ends do-not-disturb whose time is over. At the next start it would be over too, so that nothing needs the disk.
    pub(crate) fn end_dnd(&mut self) {
        if self.admission.dnd.is_over(clock::unix_us()) {
            tracing::info!("do-not-disturb is over");
            self.admission.dnd = Dnd::default();
        }
    }

    /// Resolves when do-not-disturb ends by the calendar; never, if it does not.
    pub(crate) fn dnd_ends(&self) -> impl Future<Output = ()> + use<> {
        let until = self.admission.dnd.until;
        async move {
            match until {
                0 => std::future::pending().await,
                until => clock::sleep_until_unix(until).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn kept(number: u8, peer: u8, until: Moment) -> Kept {
        let (call, leg) = (CallId::from_bytes([number; 16]), LegId::from_bytes([number; 16]));
        Kept { call, leg, peer: PeerId::from_bytes([peer; 16]), preconnect: false, until }
    }

    #[test]
    fn few_rings_are_kept_away_and_none_longer_than_its_caller_waits() {
        let now = Moment::from_micros(1_000_000);
        let until = now + Duration::from_secs(60);
        let mut away = KeptAway::default();
        assert_eq!(away.keep(now, kept(1, 1, now + Duration::from_secs(1))), []);
        assert_eq!(away.keep(now, kept(2, 1, until)), []);
        let first = (CallId::from_bytes([1; 16]), LegId::from_bytes([1; 16]));
        assert_eq!(away.keep(now, kept(3, 1, until)), [first], "two of a contact");
        for number in 4..10 {
            assert_eq!(away.keep(now, kept(number, number, until)), []);
        }
        assert_eq!(away.keep(now, kept(10, 10, until)).len(), 1, "and eight of all");
        assert_eq!(away.take(now).len(), KEPT);
        away.keep(now, kept(11, 11, until));
        assert_eq!((away.take(until), away.0.len()), (Vec::new(), 0));
    }
}
