//! Sound devices as values, on their way from the sound server to whoever shows or chooses them.
//!
//! Lives here: what a device is, its kind, and what is known of all of them at one moment.
//! Must not: know a sound server, a stream or D-Bus.

ahoy_call::words! {
    /// Which way sound goes.
    #[derive(PartialOrd, Ord, Hash)]
    pub enum Flow {
        /// A microphone.
        Input = "input",
        /// A loudspeaker.
        Output = "output",
    }
}

ahoy_call::words! {
    /// What a device is to a person.
    #[derive(Default)]
    pub enum Kind {
        /// A loudspeaker in a room.
        Speaker = "speaker",
        /// On the ears.
        Headphones = "headphones",
        /// On the ears, with a microphone.
        Headset = "headset",
        /// A telephone's handset, at the ear.
        Handset = "handset",
        /// A loudspeaker with a microphone, as in a car.
        HandsFree = "hands-free",
        /// A microphone.
        Microphone = "microphone",
        /// A camera's microphone.
        Webcam = "webcam",
        /// A screen or receiver behind a digital cable.
        Digital = "digital",
        /// A socket that anything may hang on.
        Line = "line",
        /// Made by software.
        Virtual = "virtual",
        /// Nobody says.
        #[default]
        Other = "other",
    }
}

impl Kind {
    /// What it plays stays at the ear, so that the microphone does not hear it: no echo to cancel.
    pub fn at_the_ear(self) -> bool {
        matches!(self, Self::Headphones | Self::Headset | Self::Handset)
    }
}

/// One device that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// The sound server's node name: the same after every restart and every plugging in.
    pub id: String,
    /// For people.
    pub name: String,
    /// Which way.
    pub flow: Flow,
    /// What it is.
    pub kind: Kind,
    /// The system's own choice for this direction.
    pub default: bool,
    /// As mixers show it: 0 is silence, 1 is full, up to 1.5.
    pub volume: f64,
    /// Muted in the sound server, for every program.
    pub muted: bool,
}

/// Who knows the devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Server {
    /// Nobody has been asked yet.
    #[default]
    Unknown,
    /// No sound server runs, and there is no bare sound card either.
    None,
    /// PulseAudio, or PipeWire in its place.
    PulseAudio,
    /// PipeWire alone.
    PipeWire,
    /// A sound card without a server.
    Card,
}

/// What is known of all devices at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Who says so.
    pub server: Server,
    /// It is PulseAudio itself. A PipeWire beside it has no devices: it is there for pictures.
    pub genuine: bool,
    /// Those that are there, in the server's order.
    pub devices: Vec<Device>,
}

impl Found {
    /// The device of that id and direction, if it is there.
    pub fn device(&self, flow: Flow, id: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.flow == flow && device.id == id)
    }

    /// The system's choice.
    pub fn usual(&self, flow: Flow) -> Option<&Device> {
        self.devices.iter().find(|device| device.flow == flow && device.default)
    }

    /// The wished device if it is there, else the system's choice.
    pub fn serving(&self, flow: Flow, wished: Option<&str>) -> Option<&Device> {
        wished.and_then(|id| self.device(flow, id)).or_else(|| self.usual(flow))
    }

    /// The devices that sounds play on which are no call's voice: those of `wished` that are there, else the system's choice.
    pub fn ringing(&self, wished: &[String]) -> Vec<&Device> {
        let there: Vec<&Device> = wished.iter().filter_map(|id| self.device(Flow::Output, id)).collect();
        if there.is_empty() { self.usual(Flow::Output).into_iter().collect() } else { there }
    }
}

/// A change to a device, made in the sound server for every program.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjust {
    /// Which device.
    pub id: String,
    /// Its direction.
    pub flow: Flow,
    /// A new volume, 0 to 1.5.
    pub volume: Option<f64>,
    /// Muted or not.
    pub muted: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, flow: Flow, default: bool) -> Device {
        let (id, name) = (id.to_owned(), id.to_uppercase());
        Device { id, name, flow, kind: Kind::Other, default, volume: 1.0, muted: false }
    }

    #[test]
    fn a_chosen_device_serves_while_it_is_there_and_the_default_else() {
        let (out, inp) = (Flow::Output, Flow::Input);
        let devices = vec![device("a", out, true), device("b", out, false), device("b", inp, true)];
        let found = Found { server: Server::PipeWire, devices, ..Found::default() };
        let serving = |wished| found.serving(out, wished).map(|device| device.id.as_str());
        assert_eq!(serving(Some("b")), Some("b"));
        assert_eq!(serving(Some("gone")), Some("a"));
        assert_eq!(serving(None), Some("a"));
        let names = |wished: &[&str]| {
            let wished: Vec<String> = wished.iter().map(|id| (*id).to_owned()).collect();
            found.ringing(&wished).iter().map(|device| device.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&["b", "gone"]), ["b"]);
        assert_eq!(names(&["gone"]), ["a"]);
        assert_eq!(names(&[]), ["a"]);
    }
}
