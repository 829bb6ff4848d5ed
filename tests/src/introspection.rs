//! Introspection data, reduced to what a client depends on.
//!
//! Lives here: reading the XML of D-Bus interfaces into comparable lines.
//! Must not: keep comments, annotations of documentation, or the order of members.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::{Document, Node, ParsingOptions};

/// The members of each interface, a line each: `method Dial (in s target, in a{sv} options, out o call)`,
/// `signal Changed (s id)`, `property State s read`.
pub type Interfaces = BTreeMap<String, BTreeSet<String>>;

/// Reads the interfaces of the outermost node.
///
/// # Panics
/// If the text is not the XML of a D-Bus object.
pub fn interfaces(xml: &str) -> Interfaces {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(xml, options).expect("the XML of an object");
    let mut found = Interfaces::new();
    for interface in document.root_element().children().filter(|node| node.has_tag_name("interface")) {
        let members = found.entry(of(interface, "name").to_owned()).or_default();
        for line in interface.children().filter_map(line) {
            assert!(members.insert(line.clone()), "twice: {line}");
        }
    }
    found
}

fn of<'a>(node: Node<'a, '_>, attribute: &str) -> &'a str {
    node.attribute(attribute).unwrap_or_default()
}

fn line(member: Node<'_, '_>) -> Option<String> {
    let (kind, name) = (member.tag_name().name(), of(member, "name"));
    let inside = |tag: &'static str| member.children().filter(move |node| node.has_tag_name(tag));
    let arguments = inside("arg").map(|arg| {
        let direction = if kind == "method" { format!("{} ", of(arg, "direction")) } else { String::new() };
        format!("{direction}{} {}", of(arg, "type"), of(arg, "name"))
    });
    // `true` is what is meant where nothing is said.
    let emits = inside("annotation")
        .filter(|it| of(*it, "name") == "org.freedesktop.DBus.Property.EmitsChangedSignal")
        .map(|it| of(it, "value"))
        .filter(|value| *value != "true");
    match kind {
        "property" => {
            let rest: Vec<&str> =
                [of(member, "type"), of(member, "access")].into_iter().chain(emits).collect();
            Some(format!("property {name} {}", rest.join(" ")))
        }
        "method" | "signal" => Some(format!("{kind} {name} ({})", arguments.collect::<Vec<_>>().join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = r#"<!DOCTYPE node><node>
      <!-- <interface name="commented.out"> -->
      <interface name="a.B">
        <annotation name="doc" value="x > y = z"/>
        <method name="Do"><arg direction="in" name="what" type="a{sv}"/></method>
        <method name="Rest"/>
        <signal name="Done"><arg name="id" type="s"/></signal>
        <property name="P" type="s" access="read">
          <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="const"/>
        </property>
        <property access="readwrite" type="u" name="Q"/>
      </interface>
      <node name="child"><interface name="of.Child"/></node>
    </node>"#;

    #[test]
    fn members_become_lines_and_children_are_left_out() {
        let lines = ["method Do (in a{sv} what)", "method Rest ()", "property P s read const"];
        let more = ["property Q u readwrite", "signal Done (s id)"];
        let members = lines.into_iter().chain(more).map(str::to_owned).collect();
        assert_eq!(interfaces(XML), BTreeMap::from([("a.B".to_owned(), members)]));
    }

    #[test]
    fn a_changed_signature_is_another_line() {
        assert_ne!(interfaces(XML), interfaces(&XML.replace("a{sv}", "a{ss}")));
    }
}
