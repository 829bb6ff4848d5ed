//! `ahoyctl device …`.
//!
//! Lives here: the verbs on sound devices, finding one by what a person says, and how they are shown.
//! Must not: know a sound server.

use ahoy_dbus::Dict;
use serde_json::json;

use super::Desk;
use crate::bus::ask;
use crate::fault::{Exit, Fault};
use crate::pick;
use crate::world::Device;

/// Microphones and loudspeakers: which there are, and which are used
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Without a verb it lists them. DEVICE is a name or id, or a unique beginning.
A chosen device that is unplugged takes over again when it is back.
Example: ahoyctl device use output headset"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List devices and what each is used for
    #[command(
        after_help = "In a pipe: direction, name, id, kind, remarks, apart by tabs.\nExample: ahoyctl device list"
    )]
    List,
    /// Choose devices, also in a running call
    #[command(after_help = "`default` leaves it to the desktop. It may ring on several devices.
Example: ahoyctl device use ring speakers headset")]
    Use {
        /// input, output, ring
        #[arg(value_parser = ["input", "output", "ring"], hide_possible_values = true)]
        role: String,
        /// Name or id, or a unique beginning of one; `default`
        #[arg(required = true)]
        device: Vec<String>,
    },
    /// See how loud it is: whether you are heard
    #[command(
        after_help = "In a call: the call's microphone, and the others. Without one: the microphone that\n\
calls use, or DEVICE. In a pipe 25 lines a second: microphone and others in dBFS,\n\
-120 is silence. It ends with the call, or when one begins.\n\
Example: ahoyctl device meter --once"
    )]
    Meter {
        /// A microphone, while there is no call
        device: Option<String>,
        /// The loudest of two seconds, then end
        #[arg(long)]
        once: bool,
    },
    /// Hear a loudspeaker, or yourself through a microphone
    #[command(after_help = "A microphone is listened to for three seconds, then you hear what it heard.
Example: ahoyctl device test headset --input")]
    Test {
        /// Name or id, or a unique beginning of one
        device: String,
        /// Its microphone, where a device has both
        #[arg(long, conflicts_with = "output")]
        input: bool,
        /// Its loudspeaker
        #[arg(long)]
        output: bool,
    },
}

/// Runs it.
pub(crate) async fn run(desk: &Desk, args: Args) -> Result<Exit, Fault> {
    desk.bus.wake().await?;
    let none = Dict::new();
    match args.what {
        None | Some(What::List) => show(desk, desk.bus.look().await?.devices())?,
        Some(What::Use { role, device, .. }) => {
            let direction = if role == "input" { "input" } else { "output" };
            let all = desk.bus.look().await?.devices();
            let mut ids: Vec<String> = Vec::new();
            for named in device.iter().filter(|named| *named != "default") {
                ids.push(meant(&all, named, Some(direction))?.props.text("Id").to_owned());
            }
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            ask(desk.bus.manager().await?.set_device(&role, &ids, &none)).await?;
            let mut used = desk.bus.look().await?.devices();
            used.retain(|one| one.props.list("Roles").contains(&role));
            show(desk, used)?;
        }
        Some(What::Meter { device, once, .. }) => {
            let all = desk.bus.look().await?.devices();
            let named = device.map(|named| meant(&all, &named, Some("input"))).transpose()?;
            return super::meter::run(desk, named, once).await;
        }
        Some(What::Test { device, input, output, .. }) => {
            let direction = if input { Some("input") } else { output.then_some("output") };
            let one = meant(&desk.bus.look().await?.devices(), &device, direction)?;
            ask(desk.bus.device(&one.path).await?.test(&none)).await?;
            if one.props.text("Direction") == "input" {
                desk.out.hint("Speak now: in three seconds you hear yourself.");
            }
            show(desk, vec![one])?;
        }
    }
    Ok(Exit::Ok)
}

/// The device that was named, of this direction if one is wanted.
fn meant(all: &[Device], named: &str, direction: Option<&str>) -> Result<Device, Fault> {
    let mut those = all.to_vec();
    those.retain(|one| direction.is_none_or(|direction| one.props.text("Direction") == direction));
    let keys =
        |one: &Device| vec![one.props.text("Id").into(), one.props.text("Name").into(), one.path.clone()];
    let line = |one: &Device| ["Direction", "Name", "Id"].map(|key| one.props.text(key)).join("  ");
    let several = format!("Several devices fit '{named}'; name one by its id:");
    pick::only(pick::fitting(&those, named, keys), &several, line, || {
        let what =
            direction.map_or("device", |way| if way == "input" { "microphone" } else { "loudspeaker" });
        Fault::new(Exit::NoSuch, format!("There is no {what} '{named}'. See: ahoyctl device"))
    })
}

fn show(desk: &Desk, all: Vec<Device>) -> Result<(), Fault> {
    if all.is_empty() {
        desk.out.hint("No sound device is there.");
    }
    let heads = ["DIRECTION", "NAME", "ID", "KIND", "REMARKS"];
    desk.out.rows(&heads, &all, row, ("devices", Device::json), json!({}))
}

fn row(one: &Device) -> Vec<String> {
    let props = &one.props;
    let mut remarks = props.list("Roles").iter().map(|role| format!("serves {role}")).collect::<Vec<_>>();
    if props.flag("Default") {
        remarks.push("default".to_owned());
    }
    if !props.flag("Present") {
        remarks.push("unplugged".to_owned());
    }
    if props.flag("Muted") {
        remarks.push("muted".to_owned());
    }
    let text = |key| props.text(key).to_owned();
    vec![text("Direction"), text("Name"), text("Id"), text("Kind"), remarks.join(", ")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(direction: &str, name: &str, id: &str) -> Device {
        let text = |value: &str| zbus::OwnedVariant::try_from(zbus::Variant::from(value.to_owned())).unwrap();
        let pairs = [("Direction", direction), ("Name", name), ("Id", id)];
        let props = pairs.into_iter().map(|(key, value)| (key.to_owned(), text(value))).collect::<Dict>();
        Device { path: format!("/{direction}/{id}"), props: props.into() }
    }

    #[test]
    fn a_device_is_found_by_the_beginning_of_its_name_within_its_direction() {
        let all = [
            device("output", "Headset", "usb.out"),
            device("input", "Headset", "usb.in"),
            device("output", "Head unit", "car"),
        ];
        let id = |named: &str, direction: Option<&str>| {
            meant(&all, named, direction).map(|one| one.props.text("Id").to_owned())
        };
        assert_eq!(id("heads", Some("output")).unwrap(), "usb.out");
        assert_eq!(id("heads", Some("input")).unwrap(), "usb.in");
        assert_eq!(id("CAR", None).unwrap(), "car");
        let several = id("head", Some("output")).unwrap_err();
        assert_eq!(several.exit, Exit::Usage);
        assert!(["Head unit", "usb.out"].iter().all(|part| several.sentence.contains(part)), "{several:?}");
        assert_eq!(id("car", Some("input")).unwrap_err().exit, Exit::NoSuch);
    }
}
