//! What a player shows of a call, and what its buttons mean to it, pure.
//!
//! Lives here: that table.
//! Must not: let a mere `Pause` answer: programs pause all players for reasons of their own, and nobody's microphone
//! opens for that. Nor does it for a `Play` that comes before the ring could be heard.

use std::collections::HashMap;

use ahoy_call::{DeclineReason, Moment, Others, Scope, State};
use zbus::{ObjectPath, Variant};

use crate::desktop::note::name;
use crate::desktop::popup_content::Scene;
use crate::values::request::{CallRequest, Guard, Request, Verb, Which};

/// What the player shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlayerState {
    /// `Playing` while the microphone is open. So a headset that toggles sends `Play` to a ring and to a muted call, and
    /// `Pause` to an open one.
    playing: bool,
    title: String,
    who: String,
    track: String,
}

/// A button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Press {
    Toggle,
    Play,
    Pause,
    Stop,
}

impl PlayerState {
    /// None: there is no call.
    pub(super) fn of(scene: &Scene) -> Option<Self> {
        let row = scene.rings_first().or(scene.engaged.as_ref())?;
        let who = name(&row.name);
        let title = match row.view.state {
            State::Incoming | State::Waiting => format!("{who} is calling"),
            State::Dialing | State::Alerting => format!("Calling {who}"),
            State::Connecting | State::Active | State::Held | State::Reconnecting | State::Disconnected => {
                format!("Call with {who}")
            }
        };
        let playing = scene.ringing.is_empty() && !row.view.muted;
        let track = ahoy_dbus::call_path(&data_encoding::HEXLOWER.encode(&row.view.id.bytes()));
        Some(Self { playing, title, who, track })
    }

    /// In MPRIS's word.
    pub(super) fn status(&self) -> &'static str {
        if self.playing { "Playing" } else { "Paused" }
    }

    /// What runs, for whoever draws it.
    pub(super) fn metadata(&self) -> HashMap<&'static str, Variant<'static>> {
        let track = ObjectPath::try_from(self.track.clone()).unwrap_or_default();
        HashMap::from([
            ("mpris:trackid", Variant::from(track)),
            ("xesam:title", Variant::from(self.title.clone())),
            ("xesam:artist", Variant::from(vec![self.who.clone()])),
        ])
    }
}

/// What a button means to these calls.
pub(super) fn meaning(press: Press, scene: &Scene, now: Moment) -> Option<Request> {
    let of = |call, verb| {
        Some(Request::Call(CallRequest::Verb { call: Which::Id(call), verb, guard: Guard::default() }))
    };
    let rings = scene.rings_first().map(|row| row.view.id);
    let heard = scene.rings_first().is_some_and(|row| scene.could_be_heard(row, now));
    let engaged = scene.engaged.as_ref().map(|row| (row.view.id, row.view.muted));
    match (press, rings, engaged) {
        (Press::Toggle | Press::Play, Some(call), _) if heard => of(call, Verb::Answer(Others::Hold)),
        (Press::Toggle | Press::Play, Some(_), _) => {
            tracing::info!("a media key did not answer: the ring could not be heard yet");
            None
        }
        (Press::Stop, Some(call), _) => {
            let (reason, scope) = (DeclineReason::Declined, Scope::Everywhere);
            of(call, Verb::Decline { reason, scope, text: None })
        }
        (Press::Toggle, None, Some((call, muted))) => of(call, Verb::SetMuted(!muted)),
        (Press::Play, None, Some((call, _))) => of(call, Verb::SetMuted(false)),
        (Press::Pause, _, Some((call, _))) => of(call, Verb::SetMuted(true)),
        (Press::Stop, None, Some((call, _))) => of(call, Verb::HangUp),
        (Press::Pause, _, None) | (_, None, None) => None,
    }
}

/// It opens the microphone.
pub(super) fn opens(request: &Request) -> bool {
    matches!(request, Request::Call(CallRequest::Verb { verb: Verb::Answer(_) | Verb::SetMuted(false), .. }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::desktop::popup_content::tests::{call, scene};

    /// Two seconds after the rings began.
    const NOW: Moment = Moment::from_micros(3_000_000);

    fn rings(id: u8, name: &str, state: State) -> Arc<crate::values::board::CallRow> {
        let mut row = call(id, name, state);
        Arc::make_mut(&mut row).view.ringing = Some(Moment::from_micros(1_000_000));
        row
    }

    fn verb(press: Press, scene: &Scene) -> Option<(u8, Verb)> {
        verb_at(press, scene, NOW)
    }

    fn verb_at(press: Press, scene: &Scene, now: Moment) -> Option<(u8, Verb)> {
        let request = meaning(press, scene, now)?;
        let Request::Call(CallRequest::Verb { call: Which::Id(call), verb, .. }) = request else {
            panic!("{request:?}")
        };
        Some((call.bytes()[0], verb))
    }

    #[test]
    fn a_ring_is_answered_by_play_and_never_by_pause() {
        let ring = scene(vec![rings(1, "Ana", State::Incoming)]);
        for press in [Press::Toggle, Press::Play] {
            assert_eq!(verb(press, &ring), Some((1, Verb::Answer(Others::Hold))));
        }
        assert_eq!(verb(Press::Pause, &ring), None);
        assert!(matches!(verb(Press::Stop, &ring), Some((1, Verb::Decline { .. }))));
        assert!(!PlayerState::of(&ring).unwrap().playing, "so that a headset's button sends `Play`");
    }

    #[test]
    fn a_key_answers_only_a_ring_that_could_have_been_heard() {
        let answers = |scene: &Scene, now| verb_at(Press::Play, scene, now).is_some();
        let ring = scene(vec![rings(1, "Ana", State::Incoming)]);
        assert!(!answers(&ring, Moment::from_micros(1_999_999)), "not within its first second");
        assert!(answers(&ring, Moment::from_micros(2_000_000)));
        let mut silent = rings(1, "Ana", State::Incoming);
        Arc::make_mut(&mut silent).view.silenced = true;
        assert!(!answers(&scene(vec![silent]), NOW));
        let mut no_bell = scene(vec![rings(1, "Ana", State::Incoming)]);
        no_bell.bell = false;
        assert!(!answers(&no_bell, NOW), "the ringer is muted");
        let mut beside = scene(vec![call(1, "Ana", State::Active), rings(2, "Ben", State::Waiting)]);
        beside.bell = false;
        assert!(answers(&beside, NOW), "it sounds in the call");
        assert!(matches!(verb_at(Press::Stop, &no_bell, NOW), Some((1, Verb::Decline { .. }))));
    }

    #[test]
    fn a_call_is_muted_unmuted_and_hung_up() {
        let mut row = call(1, "Ana", State::Active);
        let open = scene(vec![Arc::clone(&row)]);
        Arc::make_mut(&mut row).view.muted = true;
        let muted = scene(vec![row]);
        assert_eq!(verb(Press::Toggle, &open), Some((1, Verb::SetMuted(true))));
        assert_eq!(verb(Press::Toggle, &muted), Some((1, Verb::SetMuted(false))));
        assert_eq!(verb(Press::Play, &muted), Some((1, Verb::SetMuted(false))));
        assert_eq!(verb(Press::Pause, &open), Some((1, Verb::SetMuted(true))));
        assert_eq!(verb(Press::Stop, &open), Some((1, Verb::HangUp)));
        let playing = |scene| PlayerState::of(scene).unwrap().playing;
        assert_eq!([&open, &muted].map(playing), [true, false]);
    }

    #[test]
    fn with_a_call_that_waits_the_keys_are_for_it_and_pause_still_mutes_the_other() {
        let both = scene(vec![call(1, "Ana", State::Active), rings(2, "Ben", State::Waiting)]);
        assert_eq!(verb(Press::Toggle, &both), Some((2, Verb::Answer(Others::Hold))));
        assert!(matches!(verb(Press::Stop, &both), Some((2, Verb::Decline { .. }))));
        assert_eq!(verb(Press::Pause, &both), Some((1, Verb::SetMuted(true))));
        assert_eq!(PlayerState::of(&both).unwrap().title, "Ben is calling");
    }

    #[test]
    fn without_a_call_there_is_no_player() {
        assert_eq!(PlayerState::of(&scene(vec![call(1, "Ana", State::Disconnected)])), None);
        assert_eq!(verb(Press::Toggle, &Scene::default()), None);
    }
}
