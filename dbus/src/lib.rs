//! What the desktop sees: the D-Bus contract of ahoyd, for clients written in Rust.
//!
//! Lives here: names and paths, the vocabularies, the table of errors, proxies, which hooks are run. The contract itself is the XML beside this crate.
//! Must not: know the rules of a call, the wire between phones, or an async runtime.
//!
//! # Versions
//!
//! The major version stands once, in the prefix `org.ahoyd.Calls1`. Within it members, options, row keys, states, reasons and
//! errors are only added; none changes its meaning or type, none goes. Whoever treats an unknown state as "other" and ignores
//! unknown keys works with every later `Calls1`.
//!
//! # How a client starts
//!
//! 1. Add a match for the signals of [`BUS_NAME`] with `path_namespace` [`ROOT`].
//! 2. Call `GetManagedObjects` on [`ROOT`]: that is every object below it with all its properties. Who wants Manager's own
//!    properties adds `GetAll` there: an object manager does not tell of itself.
//! 3. Apply `PropertiesChanged`, `InterfacesAdded` and `InterfacesRemoved` that came after those replies. One transition is one
//!    `PropertiesChanged` an object.
//!
//! A bar or a hotkey needs only the one object at [`FOCUS`]. When a method returns, the properties show its effect; no method waits
//! for the network. Nothing ticks: count from the `…Monotonic` times (CLOCK_BOOTTIME), draw countdowns to `DeadlineMonotonic`.
//!
//! ```no_run
//! # async fn mute() -> zbus::Result<()> {
//! let bus = zbus::connection::Builder::session().build().await?;
//! let focus = ahoy_dbus::proxy::FocusProxy::new(&bus).await?;
//! if focus.state().await? == "incoming" {
//!     focus.answer(&Default::default()).await?;
//! }
//! # Ok(()) }
//! ```
//!
//! Who only wants to look sets the message flag NO_AUTO_START, so that a look starts nothing.

pub mod error;
pub mod hooks;
pub mod proxy;
pub mod types;

use std::collections::HashMap;

use zbus::OwnedVariant;

pub use error::{Error, ErrorName};

/// The well-known name on the session bus.
pub const BUS_NAME: &str = "org.ahoyd.Calls1";
/// Manager and ObjectManager; every other object lies below.
pub const ROOT: &str = "/org/ahoyd/Calls1";
/// Focus.
pub const FOCUS: &str = "/org/ahoyd/Calls1/focus";
/// Contacts.
pub const CONTACTS: &str = "/org/ahoyd/Calls1/contacts";
/// History.
pub const HISTORY: &str = "/org/ahoyd/Calls1/history";
/// "None" where a property holds a path.
pub const NO_OBJECT: &str = "/";

/// Interface names.
pub mod interface {
    /// The daemon as a whole.
    pub const MANAGER: &str = "org.ahoyd.Calls1.Manager";
    /// The call that matters.
    pub const FOCUS: &str = "org.ahoyd.Calls1.Focus";
    /// One call.
    pub const CALL: &str = "org.ahoyd.Calls1.Call";
    /// One of the others in a call.
    pub const PEER: &str = "org.ahoyd.Calls1.Peer";
    /// Rows of contacts.
    pub const CONTACTS: &str = "org.ahoyd.Calls1.Contacts";
    /// Who we are.
    pub const ACCOUNT: &str = "org.ahoyd.Calls1.Account";
    /// One sound device.
    pub const AUDIO_DEVICE: &str = "org.ahoyd.Calls1.AudioDevice";
    /// Rows of history.
    pub const HISTORY: &str = "org.ahoyd.Calls1.History";
}

/// The contract: name of the interface, text of its XML.
pub const XML: [(&str, &str); 8] = [
    (interface::MANAGER, include_str!("../org.ahoyd.Calls1.Manager.xml")),
    (interface::FOCUS, include_str!("../org.ahoyd.Calls1.Focus.xml")),
    (interface::CALL, include_str!("../org.ahoyd.Calls1.Call.xml")),
    (interface::PEER, include_str!("../org.ahoyd.Calls1.Peer.xml")),
    (interface::CONTACTS, include_str!("../org.ahoyd.Calls1.Contacts.xml")),
    (interface::ACCOUNT, include_str!("../org.ahoyd.Calls1.Account.xml")),
    (interface::AUDIO_DEVICE, include_str!("../org.ahoyd.Calls1.AudioDevice.xml")),
    (interface::HISTORY, include_str!("../org.ahoyd.Calls1.History.xml")),
];

/// `a{sv}`: options, rows, properties. Keys of options and rows are lower case with hyphens.
pub type Dict = HashMap<String, OwnedVariant>;

/// The object of a call. For the daemon and tests: clients get paths from the bus and treat them as opaque.
///
/// `hex` is the id as 32 hex digits.
#[must_use]
pub fn call_path(hex: &str) -> String {
    format!("{ROOT}/call_{hex}")
}

/// The object of one of the others in a call. For the daemon and tests: clients get paths from the bus and treat them as opaque.
///
/// `hex` is the call's id as 32 hex digits.
#[must_use]
pub fn peer_path(hex: &str, number: u16) -> String {
    format!("{}/peer_{number}", call_path(hex))
}

/// The object of an account. For the daemon and tests: clients get paths from the bus and treat them as opaque.
///
/// `hex` is the id as 32 hex digits.
#[must_use]
pub fn account_path(hex: &str) -> String {
    format!("{ROOT}/account_{hex}")
}

/// The object of a sound device. For the daemon and tests: clients get paths from the bus and treat them as opaque.
///
/// `hex` is 32 hex digits.
#[must_use]
pub fn device_path(hex: &str) -> String {
    format!("{ROOT}/device_{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_of_the_contract_defines_the_interface_it_is_named_after() {
        for (name, xml) in XML {
            assert!(xml.contains(&format!("<interface name=\"{name}\">")), "{name}");
            assert_eq!(xml.matches("<interface ").count(), 1, "{name}: one file, one interface");
        }
    }

    #[test]
    fn each_member_is_documented_and_says_since_when() {
        for (name, xml) in XML {
            let members: usize =
                ["<method ", "<signal ", "<property "].iter().map(|tag| xml.matches(tag).count()).sum();
            // The interface itself has both annotations too.
            assert_eq!(xml.matches("\"org.gtk.GDBus.DocString\"").count(), members + 1, "{name}");
            assert_eq!(xml.matches("\"org.gtk.GDBus.Since\"").count(), members + 1, "{name}");
        }
    }

    #[test]
    fn each_method_ends_in_options() {
        for (name, xml) in XML {
            for method in xml.split("<method ").skip(1) {
                let body = method.split("</method>").next().unwrap();
                let last_in = body.lines().rfind(|line| line.contains("direction=\"in\"")).unwrap();
                assert!(
                    last_in.contains("name=\"options\" type=\"a{sv}\""),
                    "{name}: {}",
                    body.lines().next().unwrap()
                );
            }
        }
    }
}
