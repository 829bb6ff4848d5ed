//! Where a sound of the desktop's sound theme lies (XDG Sound Theme and Sound Naming Specifications).
//!
//! Lives here: the search through themes, what they inherit, and less special names.
//! Must not: read a sound.

use std::path::{Path, PathBuf};

/// The theme that every other one falls back to.
const BASE: &str = "freedesktop";
/// Themes that are looked through at most: some inherit each other.
const MOST_THEMES: usize = 16;
/// The largest `index.theme` that is read.
const LARGEST_INDEX: u64 = 64 * 1024;
/// In this order; `disabled` means that this sound is not to be heard.
const ENDINGS: [&str; 4] = ["disabled", "oga", "ogg", "wav"];

/// What a theme says of a sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It lies here.
    At(PathBuf),
    /// It is switched off.
    Disabled,
    /// No theme has it.
    Nowhere,
}

/// The folders that hold themes, the person's own first.
pub(super) fn folders(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let home = set("HOME").map(|home| Path::new(&home).join(".local/share"));
    let own = set("XDG_DATA_HOME").map(PathBuf::from).or(home);
    let shared = set("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".to_owned());
    let shared = shared.split(':').map(PathBuf::from).collect::<Vec<_>>();
    own.into_iter().chain(shared).filter(|path| path.is_absolute()).map(|path| path.join("sounds")).collect()
}

/// Whether one of the folders holds a theme of that name.
pub(super) fn is_there(folders: &[PathBuf], theme: &str) -> bool {
    is_name(theme) && folders.iter().any(|folder| folder.join(theme).is_dir())
}

/// Looks for a sound by its name in a theme, then in those that it inherits; then by less special names.
pub(super) fn find(folders: &[PathBuf], theme: &str, name: &str) -> Found {
    if !is_name(name) {
        return Found::Nowhere;
    }
    let themed = |theme: String| folders.iter().map(move |folder| folder.join(&theme).join("stereo"));
    let chain = chain(folders, theme);
    let places: Vec<PathBuf> = chain.into_iter().flat_map(themed).chain(folders.iter().cloned()).collect();
    let mut name = name;
    loop {
        if let Some(found) = places.iter().find_map(|folder| look(folder, name)) {
            return found;
        }
        let Some((shorter, _)) = name.rsplit_once('-') else { return Found::Nowhere };
        name = shorter;
    }
}

/// A theme or a sound is one name, no way to another folder.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && !name.contains(['/', '\0'])
}

fn look(folder: &Path, name: &str) -> Option<Found> {
    let paths = ENDINGS.into_iter().map(|ending| (ending, folder.join(format!("{name}.{ending}"))));
    let (ending, path) = paths.into_iter().find(|(_, path)| path.exists())?;
    Some(if ending == "disabled" { Found::Disabled } else { Found::At(path) })
}

/// The theme, what it inherits, and the base theme, each once.
fn chain(folders: &[PathBuf], theme: &str) -> Vec<String> {
    let mut chain: Vec<String> = Vec::new();
    let mut waiting = vec![theme.to_owned()];
    while let Some(next) = waiting.pop() {
        if !is_name(&next) || chain.contains(&next) || chain.len() >= MOST_THEMES {
            continue;
        }
        let index = folders.iter().map(|folder| folder.join(&next).join("index.theme"));
        let inherits = index.into_iter().find_map(|path| read(&path)).map(|text| inherited(&text));
        waiting.extend(inherits.into_iter().flatten().rev());
        chain.push(next);
    }
    if !chain.iter().any(|theme| theme == BASE) {
        chain.push(BASE.to_owned());
    }
    chain
}

fn read(path: &Path) -> Option<String> {
    let facts = std::fs::metadata(path).ok()?;
    let fits = facts.is_file() && facts.len() <= LARGEST_INDEX;
    fits.then(|| std::fs::read_to_string(path).ok()).flatten()
}

fn inherited(index: &str) -> Vec<String> {
    let lines = index.lines().map(str::trim).skip_while(|line| *line != "[Sound Theme]").skip(1);
    let mut entries = lines.take_while(|line| !line.starts_with('['));
    let value = entries.find_map(|line| line.strip_prefix("Inherits")?.trim_start().strip_prefix('='));
    let names = value.unwrap_or("").split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay(root: &Path, files: &[(&str, &str)]) -> Vec<PathBuf> {
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        vec![root.join("own"), root.join("shared")]
    }

    #[test]
    fn the_environment_says_where_themes_lie() {
        let environment = |name: &str| match name {
            "HOME" => Some("/h".to_owned()),
            "XDG_DATA_DIRS" => Some("/a:relative:/b".to_owned()),
            _ => None,
        };
        let expected = ["/h/.local/share/sounds", "/a/sounds", "/b/sounds"].map(PathBuf::from);
        assert_eq!(folders(environment), expected);
        assert_eq!(folders(|_| None).len(), 2);
    }

    #[test]
    fn a_theme_is_there_where_a_folder_has_it() {
        let root = tempfile::tempdir().unwrap();
        let folders = lay(root.path(), &[("shared/ocean/index.theme", "")]);
        assert!(is_there(&folders, "ocean"));
        for name in ["forest", "", "..", "../shared/ocean", "ocean/index.theme"] {
            assert!(!is_there(&folders, name), "{name}");
        }
    }

    #[test]
    fn a_theme_is_searched_then_what_it_inherits_then_the_base() {
        let root = tempfile::tempdir().unwrap();
        let folders = lay(
            root.path(),
            &[
                (
                    "own/mine/index.theme",
                    "[Sound Theme]\nName=Mine\nInherits = theirs, other\n[stereo]\nInherits=no\n",
                ),
                ("shared/theirs/index.theme", "[Sound Theme]\nInherits=mine\n"),
                ("shared/theirs/stereo/bell.oga", ""),
                ("shared/other/stereo/bell.wav", ""),
                ("shared/other/stereo/horn.ogg", ""),
                ("shared/freedesktop/stereo/phone-incoming-call.oga", ""),
                ("own/mine/stereo/busy.disabled", ""),
                ("shared/theirs/stereo/busy.oga", ""),
                ("own/loose.wav", ""),
                ("shared/other/stereo/phone.wav", ""),
            ],
        );
        let at = |path: &str| Found::At(root.path().join(path));
        let find = |theme, name| find(&folders, theme, name);
        assert_eq!(find("mine", "bell"), at("shared/theirs/stereo/bell.oga"));
        assert_eq!(find("mine", "horn"), at("shared/other/stereo/horn.ogg"));
        assert_eq!(find("mine", "busy"), Found::Disabled);
        assert_eq!(find("mine", "loose"), at("own/loose.wav"));
        let call = at("shared/freedesktop/stereo/phone-incoming-call.oga");
        assert_eq!(find("mine", "phone-incoming-call"), call, "the whole name before a shorter one");
        assert_eq!(find("unknown", "phone-incoming-call"), call);
        assert_eq!(find("mine", "phone-outgoing-call"), at("shared/other/stereo/phone.wav"), "less special");
        assert_eq!(find("mine", "nothing"), Found::Nowhere);
    }

    #[test]
    fn no_name_leads_out_of_the_themes() {
        let root = tempfile::tempdir().unwrap();
        let folders = lay(root.path(), &[("secret.wav", ""), ("own/x/stereo/a.wav", "")]);
        for (theme, name) in
            [("x", "../../../secret"), ("..", "secret"), ("../..", "a"), ("x", ""), ("x", ".")]
        {
            assert_eq!(find(&folders, theme, name), Found::Nowhere, "{theme}, {name}");
        }
    }
}
