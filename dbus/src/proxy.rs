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

use zbus::{OwnedFd, OwnedObjectPath, Variant, proxy};

use crate::Dict;

/// One interface: a line for each method (`running` ones start nothing) and signal, and for all properties of a type.
macro_rules! interface {
    (
        $(#[$about:meta])*
        $name:ident = $interface:literal $(at $path:literal)?;
        $(starting { $($starting:ident($($in:ident: $type:ty),*) -> $out:ty;)* })?
        $(running { $($running:ident($($run_in:ident: $run_type:ty),*) -> $run_out:ty;)* })?
        $(signals { $($signal:ident($($told:ident: $told_type:ty),*);)* })?
        $(constant { $($constant_type:ty: $($constant:ident)+;)* })?
        $(changing { $($changing_type:ty: $($changing:ident)+;)* })?
        $(silent { $($silent_type:ty: $($silent:ident)+;)* })?
        $(set { $($set:ident($value:ident: $set_type:ty);)* })?
    ) => {
        $(#[$about])*
        #[proxy(
            interface = $interface, default_service = "org.ahoyd.Calls1", $(default_path = $path,)?
            assume_defaults = false
        )]
        pub trait $name {
            $($(fn $starting(&self, $($in: $type,)* options: &Dict) -> zbus::Result<$out>;)*)?
            $($(
                #[zbus(no_autostart)]
                fn $running(&self, $($run_in: $run_type,)* options: &Dict) -> zbus::Result<$run_out>;
            )*)?
            $($(#[zbus(signal)] fn $signal(&self, $($told: $told_type),*) -> zbus::Result<()>;)*)?
            $($($(
                #[zbus(property(emits_changed_signal = "const"))]
                fn $constant(&self) -> zbus::Result<$constant_type>;
            )+)*)?
            $($($(#[zbus(property)] fn $changing(&self) -> zbus::Result<$changing_type>;)+)*)?
            $($($(
                #[zbus(property(emits_changed_signal = "false"))]
                fn $silent(&self) -> zbus::Result<$silent_type>;
            )+)*)?
            $($(#[zbus(property)] fn $set(&self, $value: $set_type) -> zbus::Result<()>;)*)?
        }
    };
}

interface! {
    /// The daemon as a whole.
    Manager = "org.ahoyd.Calls1.Manager" at "/org/ahoyd/Calls1";
    starting {
        dial(target: &str) -> OwnedObjectPath;
        start_group(targets: &[&str]) -> OwnedObjectPath;
        set_dnd(mode: &str, until: i64) -> ();
        set_device(role: &str, ids: &[&str]) -> ();
        set_ringer() -> ();
        get_settings() -> Dict;
        set_setting(key: &str, value: &Variant<'_>) -> ();
        reset_setting(key: &str) -> ();
        test_call() -> OwnedFd;
        trust_network(interface: &str, trusted: bool) -> ();
        start_pairing() -> String;
        open_link(link: &str) -> Dict;
        join_pairing(code: &str) -> ();
    }
    running {
        cancel_pairing() -> ();
        merge(calls: &[OwnedObjectPath]) -> ();
        swap_calls() -> ();
        hold_and_answer() -> ();
        release_and_answer() -> ();
        hangup_all() -> ();
        set_muted(muted: bool) -> ();
        set_deafened(deafened: bool) -> ();
        register_agent() -> ();
        unregister_agent() -> ();
        reload() -> ();
        set_log_level(level: &str) -> ();
        diagnose() -> Vec<(String, String, String, Dict)>;
    }
    signals {
        event(r#type: &str, serial: u64, data: Dict);
    }
    constant {
        String: version config_file;
    }
    changing {
        String: dnd connection_state cannot_dial_reason input_device output_device;
        i64: dnd_until;
        bool: ringer_muted ready online can_dial muted deafened;
        f64: ring_volume;
        Vec<String>: capabilities problems ring_devices;
        OwnedObjectPath: active_call;
        u32: incoming_count missed_count neighbours;
        Dict: pairing;
        Vec<Dict>: networks;
    }
}

interface! {
    /// One sound device.
    AudioDevice = "org.ahoyd.Calls1.AudioDevice";
    starting {
        r#use(role: &str) -> ();
        test() -> ();
        open_levels() -> OwnedFd;
    }
    constant {
        String: id direction;
    }
    changing {
        String: name kind;
        bool: present default;
        Vec<String>: roles;
    }
    silent {
        f64: volume;
        bool: muted;
    }
    set {
        set_volume(volume: f64);
        set_muted(muted: bool);
    }
}

interface! {
    /// The call that matters.
    Focus = "org.ahoyd.Calls1.Focus" at "/org/ahoyd/Calls1/focus";
    running {
        answer() -> ();
        decline(reason: &str) -> ();
        hangup() -> ();
        silence() -> ();
        toggle_hold() -> bool;
        toggle_mute() -> bool;
    }
    changing {
        String: state peer_icon waiting_name dnd peer_name direction quality;
        OwnedObjectPath: call waiting;
        bool: held silenced muted speaking_muted remote_muted remote_hears_only;
        bool: can_answer can_decline can_hangup can_hold can_mute;
        u32: others missed;
        u64: since_monotonic deadline_monotonic serial;
        i64: since_at;
    }
}

interface! {
    /// One call.
    Call = "org.ahoyd.Calls1.Call";
    starting {
        open_levels() -> OwnedFd;
        get_stats() -> Dict;
        get_safety_number() -> (String, Vec<String>);
        confirm_safety_number(same: bool) -> ();
    }
    running {
        answer() -> ();
        decline(reason: &str) -> ();
        hangup() -> ();
        silence() -> ();
        hold() -> ();
        resume() -> ();
        join() -> ();
        invite(target: &str) -> ();
        set_muted(muted: bool) -> ();
        send_tones(tones: &str) -> ();
    }
    constant {
        String: id direction contact remote_address started_by;
        OwnedObjectPath: account;
    }
    changing {
        String: codec state state_reason ended_by ended_by_name note message quality path kind remote_name;
        bool: speaking_muted encrypted verified local_hold remote_hold silenced auto_answered muted remote_muted;
        bool: hears_only remote_hears_only can_answer can_decline can_hangup can_hold can_mute;
        bool: host alone can_join can_invite;
        u64: serial deadline_monotonic history_id answered_monotonic;
        i64: created_at ringing_at answered_at ended_at;
    }
}

interface! {
    /// One of the others in a call.
    Peer = "org.ahoyd.Calls1.Peer";
    running {
        remove() -> ();
    }
    changing {
        String: name contact state quality role;
        bool: blocked muted video screen speaking;
        i64: joined_at left_at;
    }
    silent {
        f64: volume;
    }
    set {
        set_volume(volume: f64);
    }
}

interface! {
    /// The people we know.
    Contacts = "org.ahoyd.Calls1.Contacts" at "/org/ahoyd/Calls1/contacts";
    starting {
        list(filter: &Dict) -> (Vec<Dict>, String);
        get(id: &str) -> Dict;
        find(text: &str) -> Vec<Dict>;
        add(card: &str) -> String;
        set(id: &str, changes: &Dict) -> ();
        verify(id: &str, verified: bool) -> ();
        block(id: &str) -> ();
        unblock(id: &str) -> ();
        ping(id: &str) -> String;
        remove(id: &str) -> ();
        requests() -> Vec<Dict>;
        accept(request: &str) -> String;
        dismiss(request: &str) -> ();
        groups() -> Vec<Dict>;
        make_group(name: &str, members: &[&str]) -> String;
        change_group(group: &str, changes: &Dict) -> ();
        forget_group(group: &str) -> ();
    }
    signals {
        changed(id: &str);
    }
    changing {
        u32: count request_count;
    }
}

interface! {
    /// Who we are.
    Account = "org.ahoyd.Calls1.Account";
    starting {
        export_card() -> String;
        cards() -> Vec<Dict>;
        revoke_card(id: &str) -> ();
        export(into: zbus::Fd<'_>) -> ();
        import(from: zbus::Fd<'_>) -> String;
        remove() -> (u32, u32);
    }
    constant {
        String: id address;
    }
    changing {
        String: display_name connection_state connection_error;
        bool: enabled;
        Vec<String>: relays;
        Vec<Dict>: devices serving;
    }
    set {
        set_display_name(name: &str);
        set_enabled(enabled: bool);
        set_relays(relays: &[&str]);
    }
}

pub use history::HistoryProxy;

/// Apart, because its signal `Changed` would share a type name with that of Contacts.
pub mod history {
    use zbus::proxy;

    use crate::Dict;

    interface! {
        /// What happened.
        History = "org.ahoyd.Calls1.History" at "/org/ahoyd/Calls1/history";
        starting {
            list(filter: &Dict) -> (Vec<Dict>, u64);
            get(id: u64) -> Dict;
            events(id: u64) -> Vec<Dict>;
            mark_seen(ids: &[u64]) -> ();
            delete(ids: &[u64]) -> ();
            export(format: &str, into: zbus::Fd<'_>) -> u32;
        }
        signals {
            changed(id: u64);
        }
        changing {
            u32: missed;
            u64: last_id;
        }
    }
}
