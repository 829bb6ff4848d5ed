//! What the tests of the contract say and hear, apart from the port itself.
//!
//! Lives here: the managed tree, arguments of any method, names of errors, a bound on waiting.
//! Must not: serve anything, or judge what it sees.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::collections::BTreeMap;

use ahoyd::bus::Report;
use zbus::fdo::ObjectManagerProxy;
use zbus::{DBusError, OwnedVariant, Variant};

use super::rig::{Port, Rig};

/// The root of the tree.
pub(crate) const ROOT: &str = "/org/ahoyd/Calls1";
/// Empty options.
pub(crate) static NOTHING: BTreeMap<&str, Variant<'static>> = BTreeMap::new();

/// Everything that the object manager tells, by path, interface and property.
pub(crate) async fn managed(rig: &Rig) -> BTreeMap<String, BTreeMap<String, BTreeMap<String, OwnedVariant>>> {
    let proxy = ObjectManagerProxy::new(&rig.client, "org.ahoyd.Calls1", ROOT).await.unwrap();
    let objects = proxy.get_managed_objects().await.unwrap().into_iter();
    objects
        .map(|(path, interfaces)| {
            let named = interfaces
                .into_iter()
                .map(|(name, properties)| (name.to_string(), properties.into_iter().collect()));
            (path.to_string(), named.collect())
        })
        .collect()
}

/// The next report, which must come soon.
#[expect(clippy::disallowed_methods, reason = "a bound on a test, not a synchronisation")]
pub(crate) async fn within_five_seconds(port: &mut Port) -> Report {
    tokio::select! {
        report = port.report() => report,
        () = tokio::time::sleep(std::time::Duration::from_secs(5)) => panic!("not within five seconds"),
    }
}

/// Arguments of the right types, with one option that no method knows. A filter or changes stay empty.
pub(crate) fn with_unknown_option(arguments: &str) -> zbus::wire::Structure<'static> {
    let inputs: Vec<&str> =
        arguments.split(", ").filter_map(|argument| argument.strip_prefix("in ")).collect();
    let mut body = zbus::wire::StructureBuilder::new();
    for input in inputs {
        let (signature, name) = input.trim_end_matches(')').split_once(' ').unwrap();
        body = match (signature, name) {
            ("a{sv}", "options") => body.add_field(BTreeMap::from([("no-such-option", Variant::from(true))])),
            ("a{sv}", _) => body.add_field(NOTHING.clone()),
            ("s", "reason") => body.add_field("declined"),
            ("s", "mode") => body.add_field("all"),
            ("s", "role") => body.add_field("ring"),
            ("as", _) => body.add_field(vec!["x"]),
            ("s", _) => body.add_field("x"),
            ("b", _) => body.add_field(true),
            ("t", _) => body.add_field(1_u64),
            ("x", _) => body.add_field(0_i64),
            ("v", _) => body.add_field(Variant::from("x")),
            ("ao", _) => body.add_field(vec![zbus::wire::ObjectPath::try_from("/x").unwrap()]),
            ("at", _) => body.add_field(vec![1_u64]),
            ("h", _) => {
                let nowhere: std::os::fd::OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
                body.add_field(zbus::Fd::from(nowhere))
            }
            other => panic!("no argument for {other:?}"),
        };
    }
    body.build().unwrap()
}

/// The name of an error reply.
pub(crate) fn error_name(error: &zbus::Error) -> String {
    if let zbus::Error::MethodError(name, ..) = error {
        return name.to_string();
    }
    let zbus::Error::FDO(standard) = error else { panic!("not an error reply: {error}") };
    standard.name().to_string()
}
