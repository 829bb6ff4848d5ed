//! What a device is to a person, from what the sound server says of it.
//!
//! Lives here: the words of ports and properties.
//! Must not: know where they come from.

use crate::values::devices::{Flow, Kind};

/// What a server says of a device.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs<'a> {
    /// The active port's name, as `analog-output-headphones`.
    pub(super) port: &'a str,
    /// `device.form_factor`.
    pub(super) form: &'a str,
    /// There is hardware behind it.
    pub(super) hardware: bool,
}

/// The socket in use says most, then the device's form.
pub(super) fn kind(flow: Flow, signs: Signs<'_>) -> Kind {
    const PORTS: [(&str, Kind); 9] = [
        ("headset", Kind::Headset),
        ("headphone", Kind::Headphones),
        ("handset", Kind::Handset),
        ("earpiece", Kind::Handset),
        ("hdmi", Kind::Digital),
        ("iec958", Kind::Digital),
        ("speaker", Kind::Speaker),
        ("mic", Kind::Microphone),
        ("line", Kind::Line),
    ];
    let port = signs.port.to_ascii_lowercase();
    if let Some((_, kind)) = PORTS.iter().find(|(word, _)| port.contains(word)) {
        return *kind;
    }
    match signs.form {
        "headset" => Kind::Headset,
        "headphone" | "headphones" => Kind::Headphones,
        "handset" => Kind::Handset,
        "hands-free" | "car" => Kind::HandsFree,
        "webcam" => Kind::Webcam,
        "microphone" => Kind::Microphone,
        "speaker" | "tv" | "hifi" | "computer" | "portable" => Kind::Speaker,
        "internal" if flow == Flow::Input => Kind::Microphone,
        "internal" => Kind::Speaker,
        _ if !signs.hardware => Kind::Virtual,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(flow: Flow, port: &str, form: &str) -> Kind {
        kind(flow, Signs { port, form, hardware: true })
    }

    #[test]
    fn the_socket_in_use_outweighs_the_form_of_the_device() {
        let (out, inp) = (Flow::Output, Flow::Input);
        assert_eq!(of(out, "analog-output-headphones", "internal"), Kind::Headphones);
        assert_eq!(of(out, "analog-output-speaker", "internal"), Kind::Speaker);
        assert_eq!(of(out, "[Out] Headphones", ""), Kind::Headphones);
        assert_eq!(of(out, "hdmi-output-0", ""), Kind::Digital);
        assert_eq!(of(inp, "analog-input-internal-mic", "internal"), Kind::Microphone);
        assert_eq!(of(out, "headset-output", "headset"), Kind::Headset);
        assert_eq!(of(out, "analog-output", "headset"), Kind::Headset);
        assert_eq!(of(inp, "", "webcam"), Kind::Webcam);
        assert_eq!(of(inp, "", "internal"), Kind::Microphone);
        assert_eq!(of(out, "", "something new"), Kind::Other);
        assert_eq!(kind(out, Signs::default()), Kind::Virtual);
    }
}
