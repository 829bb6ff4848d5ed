//! What the bus shows, as a client holds it: objects, their properties, and how signals change them.
//!
//! Lives here: the mirror of `GetManagedObjects`, applying signals to it, and its JSON.
//! Must not: talk to the bus, or print.

use std::collections::{BTreeMap, HashMap};

use ahoy_dbus::types::{Reason, State};
use ahoy_dbus::{Dict, ROOT, interface};
use serde_json::{Map, Value, json};
use zbus::names::OwnedInterfaceName;
use zbus::{Message, OwnedObjectPath, Variant};

use crate::fault::Fault;

/// The answer of `GetManagedObjects`.
pub(crate) type Managed = HashMap<OwnedObjectPath, HashMap<OwnedInterfaceName, Dict>>;

/// The properties of one interface of one object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Props(Dict);

impl Props {
    /// A string or an object path; empty if there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.0.get(name).map(|value| &**value) {
            Some(Variant::Str(text)) => text.as_str(),
            Some(Variant::ObjectPath(path)) => path.as_str(),
            _ => "",
        }
    }

    /// A boolean; false if there is none.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.0.get(name).map(|value| &**value), Some(Variant::Bool(true)))
    }

    /// A number, 0 if there is none.
    pub(crate) fn number(&self, name: &str) -> u64 {
        match self.0.get(name).map(|value| &**value) {
            Some(Variant::U64(number)) => *number,
            Some(Variant::U32(number)) => u64::from(*number),
            _ => 0,
        }
    }

    /// A number with a fraction, 0 if there is none.
    pub(crate) fn real(&self, name: &str) -> f64 {
        match self.0.get(name).map(|value| &**value) {
            Some(Variant::F64(number)) => *number,
            Some(_) | None => 0.0,
        }
    }

    /// A time in microseconds since the Unix epoch, 0 if there is none.
    pub(crate) fn at(&self, name: &str) -> i64 {
        match self.0.get(name).map(|value| &**value) {
            Some(Variant::I64(at)) => *at,
            Some(_) | None => 0,
        }
    }

    /// A list of strings; empty if there is none.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let Some(Variant::Array(array)) = self.0.get(name).map(|value| &**value) else { return Vec::new() };
        array
            .iter()
            .filter_map(|item| if let Variant::Str(text) = item { Some(text.to_string()) } else { None })
            .collect()
    }

    /// A list of rows; empty if there is none.
    pub(crate) fn rows(&self, name: &str) -> Vec<Self> {
        let value = self.0.get(name).cloned();
        let rows = value.and_then(|value| Vec::<Dict>::try_from(value).ok());
        rows.unwrap_or_default().into_iter().map(Self).collect()
    }

    /// As a JSON object, names in snake case.
    pub(crate) fn json(&self) -> Map<String, Value> {
        row_json(&self.0)
    }

    /// The same as a value.
    pub(crate) fn value(&self) -> Value {
        Value::Object(self.json())
    }
}

impl From<Dict> for Props {
    fn from(dict: Dict) -> Self {
        Self(dict)
    }
}

/// A call with its path.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Its object.
    pub(crate) path: String,
    /// Its properties.
    pub(crate) props: Props,
}

impl Call {
    /// The public state.
    pub(crate) fn state(&self) -> State {
        State::from(self.props.text("State"))
    }

    /// Why it is over, once it is.
    pub(crate) fn reason(&self) -> Reason {
        Reason::from(self.props.text("StateReason"))
    }

    /// It ended and only lingers.
    pub(crate) fn is_over(&self) -> bool {
        self.state() == State::Disconnected
    }

    /// `{"path":…,"id":…,"state":…, …}`; `path` is the object's, so that `Path` of the contract stands as `network_path`.
    pub(crate) fn json(&self) -> Value {
        let mut object = self.props.json();
        if let Some(way) = object.insert("path".into(), json!(self.path)) {
            object.insert("network_path".into(), way);
        }
        Value::Object(object)
    }
}

/// A sound device with its path.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// Its object.
    pub(crate) path: String,
    /// Its properties.
    pub(crate) props: Props,
}

impl Device {
    /// `{"path":…,"id":…, …}`
    pub(crate) fn json(&self) -> Value {
        let mut object = self.props.json();
        object.insert("path".into(), json!(self.path));
        Value::Object(object)
    }
}

/// All that the bus shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    objects: BTreeMap<String, BTreeMap<String, Props>>,
}

/// What a signal changed.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Properties of an object, only those that changed.
    Changed {
        /// Which object.
        path: String,
        /// Which of its interfaces.
        interface: String,
        /// The new values.
        props: Props,
    },
    /// An object came.
    Added(String),
    /// A call went, as it was last.
    Removed(Call),
    /// `Event` of Manager.
    Event(Value),
    /// A contact came, went or changed.
    Contact(String),
    /// A row of history came or changed.
    History(u64),
}

impl World {
    /// From the answer of `GetManagedObjects`.
    pub(crate) fn new(managed: Managed) -> Self {
        let mut world = Self::default();
        for (path, interfaces) in managed {
            world.add(path.to_string(), interfaces);
        }
        world
    }

    /// Manager's properties: the answer of `GetAll` on the root, which `GetManagedObjects` leaves out.
    pub(crate) fn set_manager(&mut self, props: Dict) {
        self.objects.entry(ROOT.to_owned()).or_default().insert(interface::MANAGER.to_owned(), props.into());
    }

    fn add(&mut self, path: String, interfaces: HashMap<OwnedInterfaceName, Dict>) {
        let object = self.objects.entry(path).or_default();
        for (name, props) in interfaces {
            object.insert(name.to_string(), props.into());
        }
    }

    fn first(&self, interface: &str) -> Option<(&String, &Props)> {
        self.objects.iter().find_map(|(path, object)| object.get(interface).map(|props| (path, props)))
    }

    fn props(&self, interface: &str) -> Props {
        self.first(interface).map(|(_, props)| props.clone()).unwrap_or_default()
    }

    /// Manager.
    pub(crate) fn manager(&self) -> Props {
        self.props(interface::MANAGER)
    }

    /// Focus.
    pub(crate) fn focus(&self) -> Props {
        self.props(interface::FOCUS)
    }

    /// The account, if there is one.
    pub(crate) fn account(&self) -> Option<(String, Props)> {
        self.first(interface::ACCOUNT).map(|(path, props)| (path.clone(), props.clone()))
    }

    /// How many contacts there are, if the daemon says.
    pub(crate) fn contact_count(&self) -> Option<u64> {
        self.first(interface::CONTACTS).map(|(_, contacts)| contacts.number("Count"))
    }

    /// How many ask to be contacts, if the daemon says.
    pub(crate) fn request_count(&self) -> Option<u64> {
        self.first(interface::CONTACTS).map(|(_, contacts)| contacts.number("RequestCount"))
    }

    /// All calls, oldest first, lingering ones too.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let mut calls: Vec<Call> = self.objects.keys().filter_map(|path| self.call(path)).collect();
        calls.sort_by_key(|call| call.props.at("CreatedAt"));
        calls
    }

    /// All sound devices, loudspeakers first, by name.
    pub(crate) fn devices(&self) -> Vec<Device> {
        let device = |(path, object): (&String, &BTreeMap<String, Props>)| {
            let props = object.get(interface::AUDIO_DEVICE)?.clone();
            Some(Device { path: path.clone(), props })
        };
        let mut all: Vec<Device> = self.objects.iter().filter_map(device).collect();
        let key = |one: &Device| {
            let text = |name| one.props.text(name).to_owned();
            (std::cmp::Reverse(text("Direction")), text("Name"), text("Id"))
        };
        all.sort_by_key(key);
        all
    }

    /// The call at a path.
    pub(crate) fn call(&self, path: &str) -> Option<Call> {
        let props = self.objects.get(path)?.get(interface::CALL)?.clone();
        Some(Call { path: path.to_owned(), props })
    }

    /// The others in a call, by the paths of their objects, in the order of their coming.
    pub(crate) fn peers(&self, call: &Call) -> Vec<(String, Props)> {
        let beneath = format!("{}/", call.path);
        let of = |path: &&String| path.starts_with(&beneath);
        let mut peers: Vec<(String, Props)> = self
            .objects
            .keys()
            .filter(of)
            .filter_map(|path| Some((path.clone(), self.peer(path)?)))
            .collect();
        peers.sort_by_key(|(path, _)| (path.len(), path.clone()));
        peers
    }

    /// One of them.
    pub(crate) fn peer(&self, path: &str) -> Option<Props> {
        self.objects.get(path)?.get(interface::PEER).cloned()
    }

    /// Takes in a signal. `None`: it is none of ours, or changes nothing we hold.
    pub(crate) fn apply(&mut self, message: &Message) -> Option<Change> {
        let header = message.header();
        let path = header.path()?.to_string();
        let from = header.interface()?.as_str().to_owned();
        let member = header.member()?.as_str().to_owned();
        let body = message.body();
        match (from.as_str(), member.as_str()) {
            ("org.freedesktop.DBus.Properties", "PropertiesChanged") => {
                let (interface, changed, _): (String, Dict, Vec<String>) = body.deserialize().ok()?;
                let held = self.objects.get_mut(&path)?.get_mut(&interface)?;
                held.0.extend(
                    changed.iter().filter_map(|(name, value)| Some((name.clone(), value.try_clone().ok()?))),
                );
                Some(Change::Changed { path, interface, props: changed.into() })
            }
            ("org.freedesktop.DBus.ObjectManager", "InterfacesAdded") => {
                let (added, interfaces): (OwnedObjectPath, HashMap<OwnedInterfaceName, Dict>) =
                    body.deserialize().ok()?;
                self.add(added.to_string(), interfaces);
                Some(Change::Added(added.to_string()))
            }
            ("org.freedesktop.DBus.ObjectManager", "InterfacesRemoved") => {
                let (removed, _): (OwnedObjectPath, Vec<String>) = body.deserialize().ok()?;
                let call = self.call(removed.as_str());
                self.objects.remove(removed.as_str());
                call.map(Change::Removed)
            }
            (interface::MANAGER, "Event") => {
                let (kind, serial, data): (String, u64, Dict) = body.deserialize().ok()?;
                Some(Change::Event(json!({"type": kind, "serial": serial, "data": row_json(&data)})))
            }
            (interface::CONTACTS, "Changed") => Some(Change::Contact(body.deserialize().ok()?)),
            (interface::HISTORY, "Changed") => Some(Change::History(body.deserialize().ok()?)),
            _ => None,
        }
    }
}

/// Options, without those that were not given.
pub(crate) fn options<const N: usize>(given: [(&str, Option<Variant<'static>>); N]) -> Result<Dict, Fault> {
    let given = given.into_iter().filter_map(|(key, value)| Some((key, value?)));
    given.map(|(key, value)| Ok((key.to_owned(), value.try_into()?))).collect()
}

/// A row or the properties of an object, as a JSON object: names in snake case, whatever they are on the bus.
pub(crate) fn row_json(row: &Dict) -> Map<String, Value> {
    row.iter().map(|(name, value)| (snake(name), variant_json(value))).collect()
}

fn variant_json(value: &Variant<'_>) -> Value {
    match value {
        Variant::U8(number) => json!(number),
        Variant::Bool(flag) => json!(flag),
        Variant::I16(number) => json!(number),
        Variant::U16(number) => json!(number),
        Variant::I32(number) => json!(number),
        Variant::U32(number) => json!(number),
        Variant::I64(number) => json!(number),
        Variant::U64(number) => json!(number),
        Variant::F64(number) => json!(number),
        Variant::Str(text) => json!(text.as_str()),
        Variant::Signature(signature) => json!(signature.to_string()),
        Variant::ObjectPath(path) => json!(path.as_str()),
        Variant::Variant(inner) => variant_json(inner),
        Variant::Array(array) => Value::Array(array.iter().map(variant_json).collect()),
        Variant::Dict(dict) => {
            Value::Object(dict.iter().map(|(key, value)| (dict_key(key), variant_json(value))).collect())
        }
        Variant::Structure(structure) => Value::Array(structure.fields().iter().map(variant_json).collect()),
        Variant::Fd(_) => Value::Null,
    }
}

fn dict_key(key: &Variant<'_>) -> String {
    if let Variant::Str(text) = key { snake(text) } else { key.to_string() }
}

/// `DeadlineMonotonic` and `deadline-monotonic` as `deadline_monotonic`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if letter == '-' {
            out.push('_');
        } else if letter.is_ascii_uppercase() {
            if index > 0 {
                out.push('_');
            }
            out.push(letter.to_ascii_lowercase());
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_bus_become_snake_case() {
        assert_eq!(snake("DeadlineMonotonic"), "deadline_monotonic");
        assert_eq!(snake("created-at"), "created_at");
        assert_eq!(snake("Id"), "id");
    }
}
