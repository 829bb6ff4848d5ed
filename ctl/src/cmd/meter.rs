//! `ahoyctl device meter`.
//!
//! Lives here: whose levels are read, from the pipe to the output.
//! Must not: measure anything: ahoyd does.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;

use ahoy_dbus::Dict;
use serde_json::json;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::print::Form;
use crate::world::Device;

/// Readings of which `--once` tells the loudest: two seconds.
const ONCE: usize = 50;
/// What silence reads, dBFS.
const FLOOR: f32 = -120.0;
/// The left end of a bar, dBFS, and its letters, one for 2 dB.
const QUIET: i8 = -60;
const LETTERS: usize = 30;

/// Microphone and loudspeaker, dBFS.
type Pair = (f32, f32);

/// Shows levels until the call ends, a call begins, or nobody reads any more.
pub(super) async fn run(desk: &Desk, device: Option<Device>, once: bool) -> Result<Exit, Fault> {
    let world = desk.bus.look().await?;
    let none = Dict::new();
    let call = world.calls().into_iter().find(|call| !call.is_over());
    let fd = match (device, call) {
        (None, Some(call)) => ask(desk.bus.call(&call.path).await?.open_levels(&none)).await?,
        (Some(device), _) => ask(desk.bus.device(&device.path).await?.open_levels(&none)).await?,
        (None, None) => {
            let serves = |one: &Device| one.props.list("Roles").contains(&"input".to_owned());
            let Some(used) = world.devices().into_iter().find(serves) else {
                return Err(Fault::new(Exit::NoDevice, "No microphone is there. See: ahoyctl device"));
            };
            ask(desk.bus.device(&used.path).await?.open_levels(&none)).await?
        }
    };
    // Nothing else is waited for: what ends this closes the pipe.
    let mut pipe = File::from(OwnedFd::from(fd));
    let mut told = false;
    if once {
        let loudest = (0..ONCE).map_while(|_| next(&mut pipe));
        let louder = |one: Pair, other: Pair| (one.0.max(other.0), one.1.max(other.1));
        if let Some(pair) = loudest.reduce(louder) {
            told = true;
            show(desk, pair, false)?;
        }
    } else {
        while let Some(pair) = next(&mut pipe) {
            told = true;
            show(desk, pair, true)?;
        }
    }
    match told {
        true => Ok(Exit::Ok),
        false => Err(Fault::new(Exit::Error, "Nothing is told: the call ended, or too many look already.")),
    }
}

fn next(pipe: &mut File) -> Option<Pair> {
    let mut bytes = [0; 8];
    pipe.read_exact(&mut bytes).ok()?;
    let [a, b, c, d, e, f, g, h] = bytes;
    Some((f32::from_ne_bytes([a, b, c, d]), f32::from_ne_bytes([e, f, g, h])))
}

fn show(desk: &Desk, (input, output): Pair, again: bool) -> Result<(), Fault> {
    if desk.out.is_json() {
        let rounded = |level: f32| (f64::from(level) * 10.0).round() / 10.0;
        return desk.out.object(json!({"input_dbfs": rounded(input), "output_dbfs": rounded(output)}));
    }
    if desk.out.form == Form::Table {
        let mut text = format!("microphone {}", bar(input));
        if output > FLOOR {
            text.push_str(&format!("   others {}", bar(output)));
        }
        return if again { desk.out.redraw(&text) } else { desk.out.text(&text) };
    }
    desk.out.words(&[format!("{input:.1}"), format!("{output:.1}")])
}

/// Full at 0 dBFS.
fn bar(level: f32) -> String {
    let mark = |at: &usize| level > f32::from(QUIET) + 2.0 * f32::from(u8::try_from(*at).unwrap_or(u8::MAX));
    let full = (0..LETTERS).filter(mark).count();
    format!("[{}{}] {level:4.0} dB", "#".repeat(full), " ".repeat(LETTERS - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_empty_in_silence_and_full_at_the_loudest_and_always_as_wide() {
        let letters = |level| bar(level).matches('#').count();
        assert_eq!([FLOOR, -60.0, -30.0, 0.0, 6.0].map(letters), [0, 0, 15, 30, 30]);
        assert_eq!(bar(FLOOR).len(), bar(0.0).len());
    }
}
