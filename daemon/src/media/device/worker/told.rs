//! What is said of the sound devices in use: which serve, and in sentences what is wrong with them.
//!
//! Lives here: the state that is told, when it has changed.
//! Must not: change what runs.

use super::super::streams::OpenError;
use super::super::{DeviceState, Wish};
use super::Worker;
use super::side::Side;
use crate::values::devices::{Flow, Found};

/// What is said while there is none.
pub(in super::super) const NO_SERVER: &str = "No sound server is running: calls have no sound.";

/// From so many underruns in a call on it is worth a word why.
const STARVED: u64 = 3;

impl Worker {
    /// Tells it, unless nothing has changed.
    pub(super) fn tell(&self, found: &Found, wish: &Wish) {
        let mut problems = Vec::new();
        let mut say = |is: bool, sentence: String| {
            if is {
                problems.push(sentence);
            }
        };
        let no_server = !self.server && self.output.running.is_none() && self.input.running.is_none();
        if self.playback {
            say(no_server, NO_SERVER.to_owned());
        }
        let silent = self.capture.is_some() && !no_server;
        say(
            silent && self.input.failed.is_some(),
            why(&self.input, "microphone", "the other side hears silence"),
        );
        let deaf = self.playback && !no_server;
        say(deaf && self.output.failed.is_some(), why(&self.output, "loudspeaker", "calls cannot be heard"));
        let other = |side: &Side, wish: &Option<String>| {
            side.running.is_some() && *wish != side.at.wished && wish.is_some()
        };
        // It may be there, and this way has no names for devices.
        let there = |flow, wish: &Option<String>| {
            wish.as_deref().is_some_and(|wish| found.device(flow, wish).is_some())
        };
        let instead = |what: &str, there: bool| match there {
            true => {
                format!("The chosen {what} cannot be reached just now: the sound server's default is used.")
            }
            false => format!("The chosen {what} is not there: the sound server's default is used."),
        };
        let (input, output) = (there(Flow::Input, &wish.input), there(Flow::Output, &wish.output));
        say(other(&self.input, &wish.input), instead("microphone", input));
        say(other(&self.output, &wish.output), instead("loudspeaker", output));
        let counts = self.meters.counts();
        let serves = |flow, side: &Side| {
            let at = side.at.wished.as_deref();
            side.running.as_ref().and_then(|_| found.serving(flow, at)).cloned()
        };
        let state = DeviceState {
            playing: self.output.flows(counts.played),
            capturing: self.input.flows(counts.captured),
            input: serves(Flow::Input, &self.input),
            output: serves(Flow::Output, &self.output),
            problems,
            starved: self.playback && counts.underruns - self.underruns >= STARVED,
        };
        let news = *self.state.borrow() != state;
        if news {
            if let Some(shown) = &self.shown {
                shown.set(&state);
            }
            self.state.send_replace(state);
        }
    }
}

/// Told apart, for what a person can do about each is another thing.
fn why(side: &Side, what: &str, so: &str) -> String {
    match &side.failed {
        Some(OpenError::Busy) => format!("Another program keeps the {what} for itself: {so}."),
        Some(OpenError::Forbidden) => format!("The system does not let us use the {what}: {so}."),
        Some(OpenError::NoDevice) if side.at.nowhere => format!("No {what} is there: {so}."),
        Some(OpenError::Silent) => format!("The sound server does not answer: {so}."),
        Some(OpenError::NoDevice | OpenError::Server(_) | OpenError::Library(_)) | None => {
            format!("No {what} works: {so}.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::side::Place;
    use super::*;

    #[test]
    fn what_keeps_a_device_from_opening_is_told_apart() {
        let kinds = [
            (cpal::ErrorKind::DeviceBusy, "Another program"),
            (cpal::ErrorKind::PermissionDenied, "does not let us"),
            (cpal::ErrorKind::DeviceNotAvailable, "No microphone is there"),
            (cpal::ErrorKind::BackendError, "No microphone works"),
        ];
        for (kind, words) in kinds {
            let failed = Some(OpenError::from(cpal::Error::new(kind)));
            let side = Side { failed, at: Place { nowhere: true, ..Place::default() }, ..Side::default() };
            let sentence = why(&side, "microphone", "the other side hears silence");
            assert!(sentence.contains(words), "{sentence}");
        }
    }
}
