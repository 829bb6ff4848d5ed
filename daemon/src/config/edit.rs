//! Changing one key of the file, and nothing else of it.
//!
//! Lives here: where a key is put, how comments and order stay, and why a change is refused.
//! Must not: judge a value by itself: the changed text is read as any other, before it is written.

use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use super::{Config, ConfigError};
use crate::system::file::{self, Access};
use crate::values::setting::Setting;

/// A byte order mark, as some editors put it before the text.
const MARK: &str = "\u{feff}";
/// Links that are followed, one after the other; the system's own limit.
const LINKS: usize = 40;

/// Why a setting was not written. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// No setting has this name.
    #[error("there is no setting `{0}`: `ahoyctl config get` shows them all")]
    Unknown(String),
    /// The value cannot stand; the sentence says what can.
    #[error("{0}")]
    Refused(String),
    /// The file is wrong already, or cannot be read.
    #[error("mend the file first: {0}")]
    File(#[source] ConfigError),
    /// The disk does not take it.
    #[error("{} cannot be written: {source}", path.display())]
    NotWritten {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Sets `key` (`table.key`) in the file at `path`, or takes it out for its default. A text is also tried as the file would spell the
/// value, and as a list of one. A missing file is made; a symbolic link is followed, not replaced, be it that its target is
/// missing. The file's mode, its line ends and its byte order mark stay. `gate` is asked when all is prepared.
pub fn write_past(
    path: &Path,
    key: &str,
    value: Option<&Setting>,
    gate: impl FnOnce() -> io::Result<()>,
) -> Result<(), EditError> {
    let not_written = |source| EditError::NotWritten { path: path.to_owned(), source };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => {
            return Err(EditError::File(ConfigError::Unreadable { path: path.to_owned(), source }));
        }
    };
    let (mark, body) =
        if let Some(body) = text.strip_prefix(MARK) { (MARK, body) } else { ("", text.as_str()) };
    let windows = body.contains("\r\n");
    let plain = if windows { body.replace("\r\n", "\n") } else { body.to_owned() };
    let changed = changed(&plain, path, key, value)?;
    if changed == plain {
        return Ok(());
    }
    let changed = if windows { changed.replace('\n', "\r\n") } else { changed };
    let target = followed(path);
    if let Some(dir) = target.parent() {
        file::make_dir(dir).map_err(not_written)?;
    }
    let content = [mark, &changed].concat();
    file::write_past(&target, content.as_bytes(), Access::AsBefore, gate).map_err(not_written)
}

/// Where a link leads in the end, be it to nothing yet. Of a circle: the path itself.
fn followed(path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        match std::fs::read_link(&at) {
            Ok(target) => at = at.parent().map_or_else(|| target.clone(), |dir| dir.join(&target)),
            Err(_no_link) => return at,
        }
    }
    path.to_owned()
}

/// The text with the key changed, which then is a right configuration.
pub(super) fn changed(
    text: &str,
    path: &Path,
    key: &str,
    value: Option<&Setting>,
) -> Result<String, EditError> {
    let known = Config::parse(text, path).map_err(EditError::File)?.listed();
    if !known.iter().any(|(name, _)| name == key) {
        return Err(EditError::Unknown(key.to_owned()));
    }
    let Some((table, name)) = key.rsplit_once('.') else { return Err(EditError::Unknown(key.to_owned())) };
    let mut refused = None;
    for spelled in spellings(value) {
        let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            EditError::Refused(format!("{}: {}", path.display(), error.message()))
        })?;
        let fresh = document.is_empty();
        let table = document.entry(table).or_insert_with(|| Item::Table(new_table(fresh)));
        let Some(table) = table.as_table_like_mut() else { return Err(EditError::Unknown(key.to_owned())) };
        match spelled {
            Some(value) => put(table, name, value),
            None => drop(table.remove(name)),
        }
        let changed = document.to_string();
        match Config::parse(&changed, path) {
            Ok(_) => return Ok(changed),
            // The first spelling is the plain one: what is said of it fits best.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(EditError::Refused(match refused {
        Some(ConfigError::Wrong { sentence, .. }) => sentence,
        Some(error @ ConfigError::Unreadable { .. }) => error.to_string(),
        None => format!("`{name}` cannot have this value"),
    }))
}

/// The ways in which the file may spell a value; `None` is to leave the key out.
fn spellings(value: Option<&Setting>) -> Vec<Option<Value>> {
    match value {
        None => vec![None],
        Some(Setting::Flag(flag)) => vec![Some((*flag).into())],
        Some(Setting::Whole(number)) => vec![Some((*number).into())],
        Some(Setting::Real(number)) => vec![Some((*number).into())],
        Some(Setting::Texts(texts)) => vec![Some(list(texts))],
        Some(Setting::Text(text)) => {
            let as_written = text.trim().parse::<Value>().ok().filter(|value| !value.is_inline_table());
            let plain = Some(Value::from(text.as_str()));
            let one = Some(list(std::slice::from_ref(text)));
            [plain, as_written, one].into_iter().flatten().map(Some).collect()
        }
    }
}

fn list(texts: &[String]) -> Value {
    Value::Array(texts.iter().map(String::as_str).collect::<Array>())
}

/// A table at the end, apart from what stands above by an empty line.
fn new_table(first: bool) -> Table {
    let mut table = Table::new();
    if !first {
        table.decor_mut().set_prefix("\n");
    }
    table
}

/// What stands around the old value, a comment behind it, stays.
fn put(table: &mut dyn TableLike, name: &str, mut value: Value) {
    match table.get_mut(name) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        Some(other) => *other = Item::Value(value),
        None => drop(table.insert(name, Item::Value(value))),
    }
}
