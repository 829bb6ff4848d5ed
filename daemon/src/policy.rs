//! The engine at the door: rings that are let in or not, do-not-disturb, what a person says of a contact.
//!
//! Lives here: asking the door before the rules hear of a ring; keeping and ending do-not-disturb.
//! Must not: decide who may ring (`door.rs` does), or know D-Bus.

use std::path::Path;

use ahoy_call::{CallId, Event, LegId, Moment, PeerId, RingPolicy, SignalOrder};

use crate::door::{Caller, Dnd, Door};
use crate::engine::Engine;
use crate::{clock, media, signal};

/// The door as it was kept over a restart.
pub(crate) fn open(path: &Path) -> Door {
    match std::fs::read(path) {
        Ok(kept) => Door::open(Some(&kept)),
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(%error, "what do-not-disturb was set to cannot be read: it is off");
            }
            Door::open(None)
        }
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
        if self.frames.take(now, call) {
            self.tell_signal(signal::Order::Frame { call, leg, bytes });
        } else {
            tracing::debug!("a frame of a data channel was dropped: there are too many");
        }
    }

    /// A ring came in. Whom the door keeps away gets nothing: the session is dropped unanswered.
    fn rung(&mut self, event: Event) {
        let Event::Rung { call, leg, peer, lifetime, preconnect, policy: _ } = event else {
            return self.feed(event);
        };
        let now = self.now();
        match self.door_answers(now, peer) {
            Some(policy) => {
                self.feed(Event::Rung { call, leg, peer, lifetime, preconnect, policy });
            }
            None => {
                tracing::debug!(?call, "a ring was kept away");
                self.tell_signal(signal::Order::Call { call, leg, order: SignalOrder::Forget });
            }
        }
    }

    fn door_answers(&mut self, now: Moment, peer: PeerId) -> Option<RingPolicy> {
        // Signaling has asked already; since then the contact may have been blocked or removed.
        let (manner, blocked) = self.contacts.manner(peer)?;
        let caller = Caller { peer, manner: &manner, dialed: self.phone.dials(peer) };
        if blocked { None } else { self.door.ring(now, clock::unix_us(), caller) }
    }

    /// Plays the other of a call as loud as the contact is set to. `call`: as media know it.
    pub(crate) fn set_volume(&mut self, call: CallId) {
        let of = self.phone.views().into_iter().find(|view| self.phone.on_wire(view.id) == call);
        let manner = of.and_then(|view| self.contacts.manner(view.peer));
        if let Some((manner, _)) = manner {
            #[expect(clippy::cast_possible_truncation, reason = "0 to 2, and no ear hears the difference")]
            let volume = if self.deafened { 0.0 } else { manner.volume as f32 };
            let call = self.phone.on_wire(call);
            self.tell_media(media::Order::Volume { call, volume });
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
        self.door.dnd = dnd;
    }

    /// Ends do-not-disturb whose time is over. At the next start it would be over too, so that nothing needs the disk.
    pub(crate) fn end_dnd(&mut self) {
        if self.door.dnd.is_over(clock::unix_us()) {
            tracing::info!("do-not-disturb is over");
            self.door.dnd = Dnd::default();
        }
    }

    /// Resolves when do-not-disturb ends by the calendar; never, if it does not.
    pub(crate) fn dnd_ends(&self) -> impl Future<Output = ()> + use<> {
        let until = self.door.dnd.until;
        async move {
            match until {
                0 => std::future::pending().await,
                until => clock::sleep_until_unix(until).await,
            }
        }
    }
}
