//! Proxies: the contract as Rust methods, for clients.
//!
//! Lives here: one proxy an interface, member by member as in the XML.
//! Must not: add anything that a client in another language would lack.
//!
//! Verbs on a call and on what only a running daemon holds carry NO_AUTO_START: they start nothing. The others start the daemon where
//! the desktop lets D-Bus do that.

#![expect(
    missing_docs,
    reason = "the macro makes public types without comments; each member is documented in the XML"
)]

use zbus::proxy;
use zbus::{OwnedFd, OwnedObjectPath, Variant};

use crate::Dict;

/// The daemon as a whole.
#[proxy(
    interface = "org.ahoyd.Calls1.Manager",
    default_service = "org.ahoyd.Calls1",
    default_path = "/org/ahoyd/Calls1"
)]
pub trait Manager {
    fn dial(&self, target: &str, options: &Dict) -> zbus::Result<OwnedObjectPath>;
    #[zbus(no_autostart)]
    fn swap_calls(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn hold_and_answer(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn release_and_answer(&self, options: &Dict) -> zbus::Result<()>;
    fn set_dnd(&self, mode: &str, until: i64, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn hangup_all(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn set_muted(&self, muted: bool, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn set_deafened(&self, deafened: bool, options: &Dict) -> zbus::Result<()>;
    fn set_device(&self, role: &str, ids: &[&str], options: &Dict) -> zbus::Result<()>;
    fn set_ringer(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn register_agent(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn unregister_agent(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn reload(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn set_log_level(&self, level: &str, options: &Dict) -> zbus::Result<()>;
    fn get_settings(&self, options: &Dict) -> zbus::Result<Dict>;
    fn set_setting(&self, key: &str, value: &Variant<'_>, options: &Dict) -> zbus::Result<()>;
    fn reset_setting(&self, key: &str, options: &Dict) -> zbus::Result<()>;
    #[zbus(signal)]
    fn event(&self, r#type: &str, serial: u64, data: Dict) -> zbus::Result<()>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn config_file(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn dnd(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn dnd_until(&self) -> zbus::Result<i64>;
    #[zbus(property)]
    fn ringer_muted(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn ring_volume(&self) -> zbus::Result<f64>;
    #[zbus(property)]
    fn ready(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn online(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn connection_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn capabilities(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property)]
    fn problems(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property)]
    fn active_call(&self) -> zbus::Result<OwnedObjectPath>;
    #[zbus(property)]
    fn incoming_count(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn missed_count(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn can_dial(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn cannot_dial_reason(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn muted(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn deafened(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn input_device(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn output_device(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn ring_devices(&self) -> zbus::Result<Vec<String>>;
}

/// One sound device.
#[proxy(
    interface = "org.ahoyd.Calls1.AudioDevice",
    default_service = "org.ahoyd.Calls1",
    assume_defaults = false
)]
pub trait AudioDevice {
    fn r#use(&self, role: &str, options: &Dict) -> zbus::Result<()>;
    fn test(&self, options: &Dict) -> zbus::Result<()>;
    fn open_levels(&self, options: &Dict) -> zbus::Result<OwnedFd>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn direction(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn name(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn kind(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn present(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn default(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn roles(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn volume(&self) -> zbus::Result<f64>;
    #[zbus(property)]
    fn set_volume(&self, volume: f64) -> zbus::Result<()>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn muted(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn set_muted(&self, muted: bool) -> zbus::Result<()>;
}

/// The call that matters.
#[proxy(
    interface = "org.ahoyd.Calls1.Focus",
    default_service = "org.ahoyd.Calls1",
    default_path = "/org/ahoyd/Calls1/focus"
)]
pub trait Focus {
    #[zbus(no_autostart)]
    fn answer(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn decline(&self, reason: &str, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn hangup(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn silence(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn toggle_hold(&self, options: &Dict) -> zbus::Result<bool>;
    #[zbus(no_autostart)]
    fn toggle_mute(&self, options: &Dict) -> zbus::Result<bool>;
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn call(&self) -> zbus::Result<OwnedObjectPath>;
    #[zbus(property)]
    fn peer_icon(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn waiting(&self) -> zbus::Result<OwnedObjectPath>;
    #[zbus(property)]
    fn waiting_name(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn held(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn silenced(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn others(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn dnd(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn can_hold(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn peer_name(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn direction(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn muted(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn remote_hears_only(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn remote_muted(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn since_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn since_at(&self) -> zbus::Result<i64>;
    #[zbus(property)]
    fn deadline_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn missed(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn can_answer(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn can_decline(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn can_hangup(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn can_mute(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn serial(&self) -> zbus::Result<u64>;
}

/// One call.
#[proxy(interface = "org.ahoyd.Calls1.Call", default_service = "org.ahoyd.Calls1", assume_defaults = false)]
pub trait Call {
    #[zbus(no_autostart)]
    fn answer(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn decline(&self, reason: &str, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn hangup(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn silence(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn hold(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn resume(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(no_autostart)]
    fn set_muted(&self, muted: bool, options: &Dict) -> zbus::Result<()>;
    fn open_levels(&self, options: &Dict) -> zbus::Result<OwnedFd>;
    fn get_stats(&self, options: &Dict) -> zbus::Result<Dict>;
    fn get_safety_number(&self, options: &Dict) -> zbus::Result<(String, Vec<String>)>;
    fn confirm_safety_number(&self, same: bool, options: &Dict) -> zbus::Result<()>;
    #[zbus(property)]
    fn codec(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn encrypted(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn verified(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn local_hold(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn remote_hold(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn silenced(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn auto_answered(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn can_hold(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn state_reason(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn ended_by(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn serial(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn deadline_monotonic(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn history_id(&self) -> zbus::Result<u64>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn direction(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn kind(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn account(&self) -> zbus::Result<OwnedObjectPath>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn contact(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn remote_name(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn remote_address(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn started_by(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn note(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn message(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn muted(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn hears_only(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn remote_hears_only(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn remote_muted(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn can_answer(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn can_decline(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn can_hangup(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn can_mute(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn created_at(&self) -> zbus::Result<i64>;
    #[zbus(property)]
    fn ringing_at(&self) -> zbus::Result<i64>;
    #[zbus(property)]
    fn answered_at(&self) -> zbus::Result<i64>;
    #[zbus(property)]
    fn ended_at(&self) -> zbus::Result<i64>;
    #[zbus(property)]
    fn answered_monotonic(&self) -> zbus::Result<u64>;
}

/// One of the others in a call.
#[proxy(interface = "org.ahoyd.Calls1.Peer", default_service = "org.ahoyd.Calls1", assume_defaults = false)]
pub trait Peer {
    #[zbus(no_autostart)]
    fn remove(&self, options: &Dict) -> zbus::Result<()>;
    #[zbus(property)]
    fn name(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn contact(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn muted(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn video(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn screen(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn speaking(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn quality(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn volume(&self) -> zbus::Result<f64>;
    #[zbus(property)]
    fn set_volume(&self, volume: f64) -> zbus::Result<()>;
    #[zbus(property)]
    fn role(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn joined_at(&self) -> zbus::Result<i64>;
    #[zbus(property)]
    fn left_at(&self) -> zbus::Result<i64>;
}

/// The people we know.
#[proxy(
    interface = "org.ahoyd.Calls1.Contacts",
    default_service = "org.ahoyd.Calls1",
    default_path = "/org/ahoyd/Calls1/contacts"
)]
pub trait Contacts {
    fn list(&self, filter: &Dict, options: &Dict) -> zbus::Result<(Vec<Dict>, String)>;
    fn get(&self, id: &str, options: &Dict) -> zbus::Result<Dict>;
    fn find(&self, text: &str, options: &Dict) -> zbus::Result<Vec<Dict>>;
    fn add(&self, card: &str, options: &Dict) -> zbus::Result<String>;
    fn set(&self, id: &str, changes: &Dict, options: &Dict) -> zbus::Result<()>;
    fn verify(&self, id: &str, verified: bool, options: &Dict) -> zbus::Result<()>;
    fn block(&self, id: &str, options: &Dict) -> zbus::Result<()>;
    fn unblock(&self, id: &str, options: &Dict) -> zbus::Result<()>;
    fn remove(&self, id: &str, options: &Dict) -> zbus::Result<()>;
    #[zbus(signal)]
    fn changed(&self, id: &str) -> zbus::Result<()>;
    #[zbus(property)]
    fn count(&self) -> zbus::Result<u32>;
}

/// Who we are.
#[proxy(
    interface = "org.ahoyd.Calls1.Account",
    default_service = "org.ahoyd.Calls1",
    assume_defaults = false
)]
pub trait Account {
    fn export_card(&self, options: &Dict) -> zbus::Result<String>;
    fn cards(&self, options: &Dict) -> zbus::Result<Vec<Dict>>;
    fn revoke_card(&self, id: &str, options: &Dict) -> zbus::Result<()>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn address(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn display_name(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn set_display_name(&self, name: &str) -> zbus::Result<()>;
    #[zbus(property)]
    fn connection_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn connection_error(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn enabled(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn set_enabled(&self, enabled: bool) -> zbus::Result<()>;
    #[zbus(property)]
    fn relays(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property)]
    fn set_relays(&self, relays: &[&str]) -> zbus::Result<()>;
    #[zbus(property)]
    fn devices(&self) -> zbus::Result<Vec<Dict>>;
}

pub use history::HistoryProxy;

/// Apart, because its signal `Changed` would share a type name with that of Contacts.
pub mod history {
    use zbus::proxy;

    use crate::Dict;

    /// What happened.
    #[proxy(
        interface = "org.ahoyd.Calls1.History",
        default_service = "org.ahoyd.Calls1",
        default_path = "/org/ahoyd/Calls1/history"
    )]
    pub trait History {
        fn list(&self, filter: &Dict, options: &Dict) -> zbus::Result<(Vec<Dict>, u64)>;
        fn get(&self, id: u64, options: &Dict) -> zbus::Result<Dict>;
        fn events(&self, id: u64, options: &Dict) -> zbus::Result<Vec<Dict>>;
        fn mark_seen(&self, ids: &[u64], options: &Dict) -> zbus::Result<()>;
        fn delete(&self, ids: &[u64], options: &Dict) -> zbus::Result<()>;
        fn export(&self, format: &str, into: zbus::Fd<'_>, options: &Dict) -> zbus::Result<u32>;
        #[zbus(signal)]
        fn changed(&self, id: u64) -> zbus::Result<()>;
        #[zbus(property)]
        fn missed(&self) -> zbus::Result<u32>;
        #[zbus(property)]
        fn last_id(&self) -> zbus::Result<u64>;
    }
}
