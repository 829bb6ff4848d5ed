//! The configuration without a daemon that runs: a file that keeps it from starting can be looked at and mended.
//!
//! Lives here: where the file lies, the editor on a draft of it, and asking the program `ahoyd` whether a file is right.
//! Must not: read a setting: the parser is the daemon's.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::{Exit, Fault};

/// How `ahoyd` ends when a configuration is wrong (EX_CONFIG of sysexits(3)).
const WRONG: i32 = 78;

/// What `ahoyd` says of a file.
#[derive(Debug)]
pub(in crate::cmd) enum Checked {
    /// It is right, and means this.
    Right(serde_json::Map<String, serde_json::Value>),
    /// It is wrong, in a sentence.
    Wrong(String),
    /// There is no `ahoyd` that could say.
    Nobody,
}

/// Where the daemon looks, by the XDG base directories.
pub(in crate::cmd) fn path() -> Result<PathBuf, Fault> {
    let var = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = var("XDG_CONFIG_HOME").or_else(|| Some(var("HOME")?.join(".config")));
    let folder = folder.ok_or_else(|| {
        Fault::new(Exit::Error, "There is no home directory: set HOME, or XDG_CONFIG_HOME.")
    })?;
    Ok(folder.join("ahoy/config.toml"))
}

/// Asks the program beside this one, else the one that a shell would find.
pub(in crate::cmd) fn check(file: &Path) -> Checked {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("ahoyd"));
    for program in beside.into_iter().chain([PathBuf::from("ahoyd")]) {
        let Ok(run) = Command::new(program).arg("--check-config").arg(file).output() else { continue };
        let said = String::from_utf8_lossy(&run.stderr);
        match run.status.code() {
            Some(0) => match serde_json::from_slice(&run.stdout) {
                Ok(settings) => return Checked::Right(settings),
                Err(_) => continue,
            },
            Some(WRONG) => return Checked::Wrong(said.trim().trim_start_matches("ahoyd: ").to_owned()),
            // An older one, which does not know the question.
            _ => {}
        }
    }
    Checked::Nobody
}

/// Lets the person edit a draft, which becomes the file when `ahoyd` finds it right. A draft that is wrong is kept beside it.
pub(super) fn edit(file: &Path) -> Result<(), Fault> {
    let cannot = |what: &Path, error: &io::Error| {
        Fault::new(Exit::Error, format!("Cannot write {}: {error}.", what.display()))
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
    }
    // Through a link, as dotfiles have it: the link stays.
    let whole = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let draft = beside(&whole, ".draft.toml");
    match std::fs::copy(&whole, &draft) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::write(&draft, "").map_err(|error| cannot(&draft, &error))?;
        }
        Err(error) => return Err(cannot(&draft, &error)),
    }
    let edited = run_editor(&draft);
    let checked = edited.map(|()| check(&draft));
    match checked {
        Ok(Checked::Right(_) | Checked::Nobody) => {
            std::fs::rename(&draft, &whole).map_err(|error| cannot(&whole, &error))
        }
        Ok(Checked::Wrong(sentence)) => {
            let kept = beside(&whole, ".wrong.toml");
            std::fs::rename(&draft, &kept).map_err(|error| cannot(&kept, &error))?;
            let sentence = sentence.replace(&draft.display().to_string(), &kept.display().to_string());
            let sentence =
                format!("{sentence}\nNothing was changed; what you wrote is in {}.", kept.display());
            Err(Fault::new(Exit::Usage, sentence))
        }
        Err(fault) => {
            let _ = std::fs::remove_file(&draft);
            Err(fault)
        }
    }
}

/// `config.toml` and an ending.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file.file_name().unwrap_or_default());
    name.push(ending);
    file.with_file_name(name)
}

/// Lets the person edit a file and waits for the end of it.
fn run_editor(file: &Path) -> Result<(), Fault> {
    let chosen = ["VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var(name).ok());
    let chosen = chosen.filter(|editor| !editor.trim().is_empty());
    let usual = ["sensible-editor", "nano", "vi"].map(str::to_owned);
    for editor in chosen.map_or_else(|| usual.to_vec(), |editor| vec![editor]) {
        // An editor may come with arguments, `code --wait`: the shell takes it apart as everywhere.
        let run =
            Command::new("/bin/sh").args(["-c", &format!("exec {editor} \"$1\""), "sh"]).arg(file).status();
        match run.map(|status| status.code()) {
            Ok(Some(0)) => return Ok(()),
            // Not found, says the shell: the next one.
            Ok(Some(127)) => {}
            Ok(_) => return Err(Fault::new(Exit::Error, format!("{editor} failed; nothing was applied."))),
            Err(error) => return Err(Fault::new(Exit::Error, format!("Cannot start a shell: {error}."))),
        }
    }
    Err(Fault::new(
        Exit::Error,
        format!("No editor was found. Set EDITOR, or change {} yourself.", file.display()),
    ))
}
