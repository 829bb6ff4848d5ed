//! Sound: whether a server answers, and what calls would use of it.
//!
//! Lives here: what the server's answer means to a person.
//! Must not: ask the server by itself, open a device, or name one: people name them after themselves.

use futures_util::future::BoxFuture;

use crate::values::devices::{Flow, Found, Server};
use crate::values::diagnosis::{Check, Finding, SoundServer, Surroundings};

pub(super) async fn look(
    around: &Surroundings,
    ask: impl Fn() -> BoxFuture<'static, SoundServer>,
) -> Vec<Finding> {
    findings(around, &ask().await)
}

fn findings(around: &Surroundings, said: &SoundServer) -> Vec<Finding> {
    let server =
        |found: fn(Check, String) -> Finding, sentence: &str| found(Check::SoundServer, sentence.to_owned());
    let found = match said {
        SoundServer::Found(found) => found,
        SoundServer::Silent => {
            let sentence =
                "The sound server does not answer: systemctl --user restart pipewire pipewire-pulse";
            return vec![server(Finding::fail, sentence)];
        }
    };
    let server = match found.server {
        Server::PulseAudio if found.genuine => server(Finding::ok, "PulseAudio answers."),
        Server::PulseAudio => server(Finding::ok, "PipeWire answers."),
        Server::PipeWire => {
            let sentence = "PipeWire is there without pipewire-pulse, so devices cannot be listed or chosen: install that.";
            return vec![server(Finding::warn, sentence)];
        }
        Server::Card => server(
            Finding::warn,
            "No sound server runs: the sound card is used alone, by one program at a time. PipeWire serves better.",
        ),
        Server::None | Server::Unknown => {
            let sentence = "No sound server runs, so calls have no sound: systemctl --user start pipewire pipewire-pulse wireplumber";
            return vec![server(Finding::fail, sentence)];
        }
    };
    let microphone = device(found, Flow::Input, around.input.as_deref());
    let loudspeaker = device(found, Flow::Output, around.output.as_deref());
    vec![server, microphone, loudspeaker]
}

fn device(found: &Found, flow: Flow, chosen: Option<&str>) -> Finding {
    let (check, what, verb) = match flow {
        Flow::Input => (Check::Microphone, "microphone", "input"),
        Flow::Output => (Check::Loudspeaker, "loudspeaker", "output"),
    };
    let Some(device) = found.serving(flow, chosen) else {
        let so = if flow == Flow::Input { "the others hear nothing of you" } else { "you hear nothing" };
        return Finding::fail(check, format!("No {what} is there, so {so}: plug one in."));
    };
    if device.muted || device.volume <= 0.0 {
        return Finding::warn(
            check,
            format!("The {what} is silenced in the sound server: turn it up in your mixer."),
        );
    }
    if chosen.is_some_and(|chosen| chosen != device.id) {
        let sentence = format!(
            "The chosen {what} is not there, and the system's serves: plug it in, or `ahoyctl device use {verb}`."
        );
        return Finding::warn(check, sentence);
    }
    Finding::ok(check, format!("A {what} is there ({}).", device.kind.word()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::values::devices::{Device, Kind};
    use crate::values::diagnosis::Verdict;

    fn device(flow: Flow, muted: bool) -> Device {
        let (id, name) = (flow.word().to_owned(), "Ana's own".to_owned());
        Device { id, name, flow, kind: Kind::Headset, default: true, volume: 1.0, muted }
    }

    fn told(around: &Surroundings, server: Server, devices: Vec<Device>) -> Vec<(Check, Verdict)> {
        let said = SoundServer::Found(Arc::new(Found { server, genuine: false, devices }));
        let found = findings(around, &said);
        assert!(found.iter().all(|it| !it.sentence.contains("Ana")), "{found:?}");
        found.into_iter().map(|it| (it.check, it.verdict)).collect()
    }

    #[test]
    fn a_server_with_both_devices_is_well_and_each_that_is_missing_is_told() {
        let (usual, pulse) = (Surroundings::default(), Server::PulseAudio);
        let both = || vec![device(Flow::Input, false), device(Flow::Output, false)];
        let all = [Check::SoundServer, Check::Microphone, Check::Loudspeaker];
        assert_eq!(told(&usual, pulse, both()), all.map(|check| (check, Verdict::Ok)));
        assert_eq!(
            told(&usual, pulse, vec![device(Flow::Output, false)])[1],
            (Check::Microphone, Verdict::Fail)
        );
        let muted = vec![device(Flow::Input, true), device(Flow::Output, false)];
        assert_eq!(told(&usual, pulse, muted)[1], (Check::Microphone, Verdict::Warn));
        let wishes = Surroundings { output: Some("gone".to_owned()), ..Surroundings::default() };
        assert_eq!(told(&wishes, pulse, both())[2], (Check::Loudspeaker, Verdict::Warn));
    }

    #[test]
    fn without_a_server_that_answers_nothing_is_said_of_devices() {
        let usual = Surroundings::default();
        assert_eq!(told(&usual, Server::None, Vec::new()), [(Check::SoundServer, Verdict::Fail)]);
        assert_eq!(told(&usual, Server::PipeWire, Vec::new()), [(Check::SoundServer, Verdict::Warn)]);
        let silent = findings(&usual, &SoundServer::Silent);
        assert_eq!((silent.len(), silent[0].verdict), (1, Verdict::Fail));
    }
}
