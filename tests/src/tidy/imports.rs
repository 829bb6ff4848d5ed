//! What a source file imports, read from its text.
//!
//! Lives here: the paths that a file names, the file that each lies in, and circles of files.
//! Must not: know which import is allowed: `house.rs` does.

use std::collections::{BTreeMap, BTreeSet};

/// A module's path inside its crate, without `crate`.
type Module = Vec<String>;

/// The paths of all `use` trees, one by one, and those in the code that begin with `crate`, `super` or `self`. The text is without
/// comments.
pub(super) fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    let mut others = String::new();
    while let Some(at) = next_use(rest) {
        others.push_str(&rest[..at]);
        let tree = &rest[at + "use ".len()..];
        let end = tree.find(';').unwrap_or(tree.len());
        leaves("", &tree[..end], &mut found);
        rest = &tree[end..];
    }
    others.push_str(rest);
    for start in ["crate::", "super::", "self::"] {
        let begins =
            |at: usize| !others[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let all = others.match_indices(start).filter(|(at, _)| begins(*at));
        found.extend(all.map(|(at, _)| path_at(&others[at..]).to_owned()));
    }
    found
}

/// Where the next `use` stands as a word.
fn next_use(text: &str) -> Option<usize> {
    let alone = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"');
    text.match_indices("use ").map(|(at, _)| at).find(|at| alone(*at))
}

fn leaves(before: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((path, group)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or(tree).trim();
        found.push(format!("{before}{name}"));
        return;
    };
    let (mut depth, mut start) = (0_i32, 0);
    let group = group.strip_suffix('}').unwrap_or(group);
    let before = format!("{before}{}", path.trim());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                leaves(&before, &group[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !group[start..].trim().is_empty() {
        leaves(&before, &group[start..], found);
    }
}

fn path_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
    text[..end].trim_end_matches(':')
}

/// Files of one crate that import each other in a circle; a module and what lies under it are one thing. `files`: path from the
/// crate's `src/` and text without comments.
pub(super) fn circles(files: &[(&str, String)]) -> Vec<BTreeSet<String>> {
    let modules: BTreeMap<Module, &str> = files.iter().map(|(path, _)| (module_of(path), *path)).collect();
    let arrows: BTreeMap<&str, BTreeSet<&str>> = files
        .iter()
        .map(|(path, code)| {
            let me = module_of(path);
            let named = paths(code).into_iter().chain(bare(code, &me, &modules));
            let to = named.filter_map(|name| target(&me, &name, &modules));
            (*path, to.filter(|module| !related(&me, module)).map(|module| modules[module]).collect())
        })
        .collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        arrows.keys().map(|path| (*path, all_from(path, &arrows))).collect();
    let mut found = BTreeSet::new();
    for (path, there) in &reached {
        let back = there.iter().filter(|other| reached.get(*other).is_some_and(|from| from.contains(path)));
        let circle: BTreeSet<String> = back.map(|other| (*other).to_owned()).collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// Everything that can be reached in one step or more.
fn all_from<'a>(path: &'a str, arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = arrows[path].iter().copied().collect();
    while let Some(at) = next.pop() {
        if seen.insert(at) {
            next.extend(arrows.get(at).into_iter().flatten());
        }
    }
    seen
}

fn module_of(path: &str) -> Module {
    let mut parts: Module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// Child modules that the code names without `self::`.
fn bare(code: &str, me: &Module, modules: &BTreeMap<Module, &str>) -> Vec<String> {
    let mut children = modules.keys().filter(|module| module.len() == me.len() + 1 && module.starts_with(me));
    children
        .by_ref()
        .filter_map(|module| module.last())
        .filter(|name| code.contains(&format!("{name}::")))
        .cloned()
        .collect()
}

/// The module that a path lies in.
fn target<'a>(me: &Module, path: &str, modules: &'a BTreeMap<Module, &str>) -> Option<&'a Module> {
    let mut parts: Vec<&str> = path.split("::").map(str::trim).collect();
    let mut at: Module = match *parts.first()? {
        "crate" => Module::new(),
        "self" | "super" => me.clone(),
        // A child that is named as it is.
        first if modules.contains_key(&[me.as_slice(), &[first.to_owned()]].concat()) => {
            parts.insert(0, "self");
            me.clone()
        }
        _ => return None,
    };
    let ups = parts.iter().take_while(|part| **part == "super").count();
    at.truncate(at.len().checked_sub(ups)?);
    let names = parts.iter().skip(ups.max(usize::from(ups == 0)));
    let mut last = modules.get_key_value(&at);
    for name in names {
        at.push((*name).to_owned());
        last = modules.get_key_value(&at).or(last);
    }
    last.map(|(module, _)| module)
}

fn related(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_import_is_read() {
        let code = "use crate::{\n  a::{B, c as d},\n  e,\n};\npub use super::f::*; fn g() { crate::h::i(); self::j::k() }";
        let mut all = paths(code);
        all.sort();
        assert_eq!(all.join(" "), "crate::a::B crate::a::c crate::e crate::h::i self::j::k super::f::*");
    }

    #[test]
    fn a_circle_is_found_over_any_number_of_files() {
        let files = |texts: [(&'static str, &str); 4]| texts.map(|(path, text)| (path, text.to_owned()));
        let circle = files([
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::x;"),
            ("b/mod.rs", "use super::c::{self, y};"),
            ("c.rs", "fn f() { crate::a::z() }"),
        ]);
        assert_eq!(circles(&circle), [["a.rs", "b/mod.rs", "c.rs"].map(str::to_owned).into()]);
        let none = files([
            ("lib.rs", "mod a; mod b; use a::x;"),
            ("a.rs", "use crate::b::x; use crate::Thing;"),
            ("b/mod.rs", "mod c; use c::y;"),
            ("b/c.rs", "use super::Z; use crate::b::w;"),
        ]);
        assert!(circles(&none).is_empty(), "a module and its own children are one thing");
    }
}
