//! Does the page beside the contract say what the contract holds?
//!
//! Lives here: its two lists, what there is and what is to come, compared with the XML.
//! Must not: judge the words between them.

use std::collections::{BTreeMap, BTreeSet};

use ahoy_tests::introspection::interfaces;

const PAGE: &str = include_str!("../../../dbus/README.md");

/// The names in a list below this heading, by interface.
fn list(heading: &str) -> BTreeMap<String, BTreeSet<String>> {
    let (_, below) = PAGE.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    let section = below.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("**: "));
    let names = |words: &str| words.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    lines.map(|(interface, words)| (interface.to_owned(), names(words))).collect()
}

/// The names of all members, by interface.
fn written() -> BTreeMap<String, BTreeSet<String>> {
    let all = ahoy_dbus::XML.iter().flat_map(|(_, xml)| interfaces(xml));
    let name = |line: &String| line.split(' ').nth(1).unwrap_or_default().to_owned();
    all.map(|(interface, members)| {
        let short = interface.trim_start_matches("org.ahoyd.Calls1.").to_owned();
        (short, members.iter().map(name).collect())
    })
    .collect()
}

#[test]
fn the_page_names_every_member_that_there_is_and_what_is_to_come_is_not_there() {
    let (written, there, to_come) = (written(), list("Members that there are"), list("Members to come"));
    assert_eq!(there, written);
    assert!(to_come.len() > 5 && to_come.values().all(|names| !names.is_empty()), "{to_come:?}");
    for (interface, names) in to_come {
        let there = |name: &&String| written.get(&interface).is_some_and(|there| there.contains(*name));
        let already: Vec<&String> = names.iter().filter(there).collect();
        assert!(already.is_empty(), "{interface}: {already:?} came");
    }
}
