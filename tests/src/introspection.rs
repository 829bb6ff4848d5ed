//! Introspection data, reduced to what a client depends on.
//!
//! Lives here: reading the XML of D-Bus interfaces into comparable lines.
//! Must not: keep comments, annotations of documentation, or the order of members.

use std::collections::{BTreeMap, BTreeSet};

/// The members of each interface, a line each: `method Dial (in s target, in a{sv} options, out o call)`,
/// `signal Changed (s id)`, `property State s read`.
pub type Interfaces = BTreeMap<String, BTreeSet<String>>;

/// Reads the interfaces of the outermost node.
///
/// # Panics
/// If the text is not the XML of a D-Bus object.
pub fn interfaces(xml: &str) -> Interfaces {
    let mut found = Interfaces::new();
    let (mut depth, mut interface, mut member) = (0_u32, String::new(), None::<Member>);
    for tag in tags(xml) {
        match tag.name {
            "node" if tag.closes => depth -= 1,
            "node" => depth += u32::from(!tag.empty),
            _ if depth != 1 => {}
            "interface" if !tag.closes => {
                interface = tag.attribute("name");
                found.insert(interface.clone(), BTreeSet::new());
            }
            "method" | "signal" | "property" => {
                if !tag.closes {
                    member = Some(Member::begin(&tag));
                }
                if tag.closes || tag.empty {
                    let line = member.take().expect("a member that began").line();
                    let members = found.get_mut(&interface).expect("an interface that began");
                    assert!(members.insert(line.clone()), "twice: {line}");
                }
            }
            "arg" => member.as_mut().expect("an argument of a member").argument(&tag),
            "annotation" => {
                if let Some(member) = &mut member {
                    member.annotation(&tag);
                }
            }
            _ => {}
        }
    }
    found
}

struct Member {
    kind: String,
    name: String,
    rest: Vec<String>,
}

impl Member {
    fn begin(tag: &Tag<'_>) -> Self {
        let rest = if tag.name == "property" {
            vec![format!("{} {}", tag.attribute("type"), tag.attribute("access"))]
        } else {
            Vec::new()
        };
        Self { kind: tag.name.to_owned(), name: tag.attribute("name"), rest }
    }

    fn argument(&mut self, tag: &Tag<'_>) {
        let (name, signature) = (tag.attribute("name"), tag.attribute("type"));
        self.rest.push(match self.kind.as_str() {
            "method" => format!("{} {signature} {name}", tag.attribute("direction")),
            _ => format!("{signature} {name}"),
        });
    }

    fn annotation(&mut self, tag: &Tag<'_>) {
        let emits = tag.attribute("name") == "org.freedesktop.DBus.Property.EmitsChangedSignal";
        // `true` is what is meant where nothing is said.
        if emits && tag.attribute("value") != "true" {
            self.rest.push(tag.attribute("value"));
        }
    }

    fn line(self) -> String {
        match self.kind.as_str() {
            "property" => format!("property {} {}", self.name, self.rest.join(" ")),
            kind => format!("{kind} {} ({})", self.name, self.rest.join(", ")),
        }
    }
}

struct Tag<'a> {
    name: &'a str,
    text: &'a str,
    closes: bool,
    empty: bool,
}

impl Tag<'_> {
    fn attribute(&self, name: &str) -> String {
        let mut rest = self.text;
        while let Some((before, after)) = rest.split_once('=') {
            let mut quoted = after.trim_start().splitn(3, '"');
            let (value, tail) = (quoted.nth(1).unwrap_or_default(), quoted.next().unwrap_or_default());
            if before.split_whitespace().last() == Some(name) {
                return value.to_owned();
            }
            rest = tail;
        }
        String::new()
    }
}

fn tags(xml: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let end = match rest.strip_prefix("<!--") {
            Some(_) => rest.find("-->").map(|end| end + 2),
            None => closing_bracket(rest),
        };
        let (whole, after) = rest.split_at(end.expect("a tag that ends") + 1);
        rest = after;
        let inner = &whole[1..whole.len() - 1];
        if inner.starts_with(['!', '?']) {
            continue;
        }
        let (closes, empty) = (inner.starts_with('/'), inner.ends_with('/'));
        let text = inner.trim_matches('/');
        let name = text.split_whitespace().next().unwrap_or_default();
        tags.push(Tag { name, text, closes, empty });
    }
    tags
}

/// The first `>` outside quotes.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '>' && !quoted).then_some(at)
    })
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
