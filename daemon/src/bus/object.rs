//! What every interface of ours shows: its properties, as a table of values.
//!
//! Lives here: the trait of such an interface, and how introspection tells of its table.
//! Must not: know who may read, or emit a change: the publication alone does.

use std::collections::{BTreeMap, HashMap};

use zbus::object_server::Interface;
use zbus::{OwnedVariant, Variant, fdo};

use super::fault::Fault;

/// Properties by name.
pub(super) type Properties = BTreeMap<&'static str, Variant<'static>>;

/// An interface: its methods are the library's, its properties a table.
pub(super) trait Object: Interface + Clone {
    /// Properties that can be set.
    const SETTABLE: &'static [&'static str] = &[];
    /// Whether introspection promises a signal for what can be set.
    const SETTABLE_EMIT: bool = true;

    /// Properties that stay as long as the object.
    fn constant(&self) -> Properties {
        Properties::new()
    }

    /// Those that may change; an error when what the object shows is gone.
    fn changing(&self) -> fdo::Result<Properties>;

    /// Sets one that can be set. The value may be of any type.
    fn set_property(
        &self,
        property: &str,
        _value: &Variant<'_>,
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        std::future::ready(Err(Fault::arguments(format!("{property} cannot be set."))))
    }

    /// All that can be read now.
    fn all(&self) -> Properties {
        let mut all = self.constant();
        all.append(&mut self.changing().unwrap_or_default());
        all
    }
}

/// Properties as they are sent.
pub(super) fn owned(properties: Properties) -> fdo::Result<HashMap<String, OwnedVariant>> {
    let owned = properties.into_iter().map(|(name, value)| Ok((name.to_owned(), value.try_into_owned()?)));
    owned.collect::<zbus::Result<_>>().map_err(Into::into)
}

/// The properties of an interface, as introspection tells them.
pub(super) fn described<I: Object>(of: &I, level: usize) -> String {
    let (outer, inner) = (" ".repeat(level + 2), " ".repeat(level + 4));
    let line = |name: &str, value: &Variant<'_>, constant: bool| {
        let settable = I::SETTABLE.contains(&name);
        let access = if settable { "readwrite" } else { "read" };
        let emits =
            if constant { "const" } else { ["false", "true"][usize::from(!settable || I::SETTABLE_EMIT)] };
        let signature = value.value_signature();
        format!(
            "{outer}<property name=\"{name}\" type=\"{signature}\" access=\"{access}\">\n\
             {inner}<annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" value=\"{emits}\"/>\n\
             {outer}</property>\n"
        )
    };
    let constant = of.constant();
    of.all().iter().map(|(name, value)| line(name, value, constant.contains_key(name))).collect()
}

/// A value of the wrong type.
pub(super) fn mistyped(property: &str, expected: &str, value: &Variant<'_>) -> Fault {
    Fault::arguments(format!("{property} is {expected}, not {}.", value.value_signature()))
}
