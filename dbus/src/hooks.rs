//! Which programs in `hooks.d` are run when something happens, and why the others are not.
//!
//! Lives here: the one judgement that ahoyd goes by and `ahoyctl hook` shows.
//! Must not: run anything, or know an event.
//!
//! The event is the name of a program, or of a folder of programs: `hooks.d/call.missed/10-note.sh`. Links are followed. Whoever
//! may write a program, a folder on its way, or a link to it chooses what runs: all of them belong to the person or to root, and
//! nobody else may write them. A folder may be writable by a group with the person's own number, as some systems make them.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// So many programs has one event.
pub const PER_EVENT: usize = 16;
/// Links on the way to a program.
const LINKS: usize = 40;
/// As far as a first line is read.
const FIRST_LINE: u64 = 256;
/// What editors, packagers and people leave behind.
const LEFT_OVER: [&str; 11] =
    [".bak", ".old", ".orig", ".rej", ".swp", ".swo", ".tmp", ".disabled", ".rpmsave", ".rpmnew", ".rpmorig"];

/// One file of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The program, as it lies in the folder.
    pub program: PathBuf,
    /// Why it is not run; `None` if it is.
    pub remark: Option<String>,
}

/// The files of an event in the order of their names, hidden ones and those that end in `~` left out. `uid`: the person.
#[must_use]
pub fn of(folder: &Path, event: &str, uid: u32) -> Vec<Hook> {
    let place = folder.join(event);
    if Path::new(event).components().count() != 1 || event.starts_with('.') {
        return Vec::new();
    }
    let mut programs = if place.is_dir() { names(&place) } else { vec![place] };
    programs.retain(|program| program.metadata().is_ok_and(|is| is.is_file()));
    programs.sort();
    let hooks = programs.into_iter().map(|program| Hook { remark: judge(&program, uid).err(), program });
    hooks.collect()
}

/// Files that may be hooks.
fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let seen = |name: &OsStr| {
        let name = name.to_string_lossy();
        !name.starts_with('.') && !name.ends_with('~')
    };
    entries.filter(|entry| seen(&entry.file_name())).map(|entry| entry.path()).collect()
}

/// Whether a program is run; if not, why. To be asked just before it is.
///
/// # Errors
/// A sentence for the person.
pub fn judge(program: &Path, uid: u32) -> Result<(), String> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
        return Err("its name holds other characters than letters, digits, '.', '-' and '_'".to_owned());
    }
    if LEFT_OVER.iter().any(|end| name.ends_with(end)) || name.contains(".dpkg-") {
        return Err("its name says that it is a left-over".to_owned());
    }
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    for folder in folders(program).map_err(unreadable)? {
        let is = folder.metadata().map_err(unreadable)?;
        if !is_safe_folder(&is, uid) {
            return Err(format!("others may write its folder: chmod go-w {}", folder.display()));
        }
    }
    // What is judged is the file that is opened.
    let mut file = File::open(program).map_err(unreadable)?;
    let is = file.metadata().map_err(unreadable)?;
    if !is.is_file() {
        return Err("is no file".to_owned());
    }
    if is.mode() & 0o111 == 0 {
        return Err("not executable".to_owned());
    }
    if is.uid() != uid && is.uid() != 0 {
        return Err("belongs to somebody else".to_owned());
    }
    if is.mode() & 0o022 != 0 {
        return Err("others may write it: chmod go-w".to_owned());
    }
    begins_well(&mut file).map_err(unreadable)?
}

/// Every folder on the way to a program, through all links, each without a link in its path.
fn folders(program: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut file = std::path::absolute(program)?;
    for _ in 0..LINKS {
        let parent = file.parent().unwrap_or(Path::new("/")).to_owned();
        found.extend(links_in(&parent)?);
        let real = parent.canonicalize()?;
        found.extend(real.ancestors().map(Path::to_owned));
        match fs::read_link(&file) {
            Ok(target) => file = real.join(target),
            Err(_no_link) => return Ok(found),
        }
    }
    Err(io::Error::other("too many links"))
}

/// The folders in which the links of a folder's own path lie.
fn links_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut walked = PathBuf::new();
    for part in folder.components() {
        if let Component::Normal(_) = part
            && walked.join(part).is_symlink()
        {
            found.extend(walked.canonicalize()?.ancestors().map(Path::to_owned));
        }
        walked.push(part);
    }
    Ok(found)
}

/// A folder in which nobody else can put another file in the place of one of ours. In a sticky one nobody can.
fn is_safe_folder(is: &Metadata, uid: u32) -> bool {
    let sticky = is.mode() & 0o1000 != 0;
    let by_others = is.mode() & 0o002 != 0;
    let by_group = is.mode() & 0o020 != 0 && is.gid() != uid;
    (is.uid() == uid || is.uid() == 0) && (sticky || !(by_others || by_group))
}

/// A program that the kernel does not know is said so before it is run.
fn begins_well(file: &mut File) -> io::Result<Result<(), String>> {
    let mut begin = Vec::new();
    file.take(FIRST_LINE).read_to_end(&mut begin)?;
    let line = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if begin.contains(&0) {
        return Ok(Ok(()));
    }
    if !line.starts_with(b"#!") {
        return Ok(Err("its first line is no `#!` with the program that runs it".to_owned()));
    }
    if line.ends_with(b"\r") {
        return Ok(Err(
            "its first line ends in CR, as on Windows: dos2unix makes a file of this system".to_owned()
        ));
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// Who runs the tests.
    fn us() -> u32 {
        tempfile::tempdir().unwrap().path().metadata().unwrap().uid()
    }

    fn put(path: &Path, content: &str, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn remark(program: &Path) -> String {
        judge(program, us()).err().unwrap_or_default()
    }

    #[test]
    fn what_editors_and_packagers_leave_behind_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            ("10-note.sh", true),
            ("20_note", true),
            ("old.bak", false),
            ("old.dpkg-old", false),
            ("old.rpmsave", false),
            ("old.orig", false),
            ("old.swp", false),
            ("#x#", false),
            ("with blank", false),
        ];
        for (name, _) in names {
            put(&folder.path().join("call.missed").join(name), "#!/bin/sh\n", 0o755);
        }
        put(&folder.path().join("call.missed/x~"), "#!/bin/sh\n", 0o755);
        put(&folder.path().join("call.missed/.hidden"), "#!/bin/sh\n", 0o755);
        let hooks = of(folder.path(), "call.missed", us());
        assert_eq!(hooks.len(), names.len());
        for (name, runs) in names {
            let hook = hooks.iter().find(|hook| hook.program.ends_with(name)).unwrap();
            assert_eq!(hook.remark.is_none(), runs, "{hook:?}");
        }
        assert!(of(folder.path(), "../call.missed", us()).is_empty());
    }

    #[test]
    fn a_first_line_that_no_system_understands_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (content, expected) in [
            ("#!/bin/sh\r\necho\r\n", "ends in CR"),
            ("echo hello\n", "no `#!`"),
            ("#!/bin/sh\necho\n", ""),
            ("\u{7f}ELF\0\0", ""),
        ] {
            let program = folder.path().join("call.missed");
            put(&program, content, 0o755);
            let remark = remark(&program);
            assert!(
                remark.contains(expected) && remark.is_empty() == expected.is_empty(),
                "{content}: {remark}"
            );
        }
    }

    #[test]
    fn a_folder_or_link_that_others_may_write_keeps_a_program_from_being_run() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let hooks = folder.path().join("hooks.d");
        let program = hooks.join("call.missed/10-a");
        put(&program, "#!/bin/sh\n", 0o755);
        assert_eq!(remark(&program), "");
        for open in [hooks.join("call.missed"), hooks.clone(), folder.path().to_owned()] {
            mode(&open, 0o777);
            assert!(remark(&program).contains("others may write its folder"), "{}", open.display());
            mode(&open, 0o755);
        }
        // A link is judged with the place that it leads to.
        let dots = folder.path().join("dots");
        put(&dots.join("real"), "#!/bin/sh\n", 0o755);
        let link = hooks.join("call.missed/20-b");
        symlink(dots.join("real"), &link).unwrap();
        assert_eq!(remark(&link), "");
        mode(&dots, 0o777);
        assert!(remark(&link).contains("others may write its folder"));
        mode(&dots, 0o1777);
        assert_eq!(remark(&link), "", "in a sticky folder nobody else can replace it");
        mode(&dots.join("real"), 0o775);
        assert!(remark(&link).contains("others may write it"));
        assert_eq!(judge(&program, us() + 1).is_ok(), us() == 0, "root's alone is trusted");
    }
}
