//! The one place that prints.
//!
//! Lives here: a table on a terminal, tab-separated lines in a pipe, one JSON object, a stream of JSON lines; sentences on standard error.
//! Must not: ask the bus, or know a command.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::Value;
use tokio::sync::Notify;
use unicode_width::UnicodeWidthStr as _;

use crate::clean;
use crate::complain::complain;
use crate::fault::{Exit, Fault};
use crate::template;

/// Which form a person or program asked for; every command takes these.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct FormArgs {
    /// One JSON object, with "v":1
    #[arg(long, global = true, display_order = 900, conflicts_with = "jsonl")]
    json: bool,
    /// JSON lines: a stream, or one line an item
    #[arg(long, global = true, display_order = 901)]
    jsonl: bool,
    /// By a template, such as '{{ peer }} {{ state }}'
    #[arg(
        long, global = true, display_order = 902, value_name = "TEMPLATE",
        value_parser = template::parse, conflicts_with_all = ["json", "jsonl"]
    )]
    format: Option<&'static str>,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For a person at a terminal.
    Table,
    /// For a pipe: tab-separated, no head.
    Tabs,
    /// One object.
    Json,
    /// One object a line.
    JsonLines,
    /// One text an object, by a template.
    Template(&'static str),
}

/// Standard output in a form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    /// The form.
    pub(crate) form: Form,
}

impl Printer {
    /// The form that was asked for, else the one that fits standard output.
    pub(crate) fn new(args: FormArgs) -> Self {
        let form = if args.json {
            Form::Json
        } else if args.jsonl {
            Form::JsonLines
        } else if let Some(template) = args.format {
            Form::Template(template)
        } else if std::io::stdout().is_terminal() {
            Form::Table
        } else {
            Form::Tabs
        };
        Self { form }
    }

    /// Objects are wanted: a program reads them, or a template does.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self.form, Form::Json | Form::JsonLines | Form::Template(_))
    }

    /// One JSON object on one line, `"v":1` put in; or what the template makes of it.
    pub(crate) fn object(&self, mut object: Value) -> Result<(), Fault> {
        if let Form::Template(template) = self.form {
            return line(&template::render(template, &object)?);
        }
        if let Value::Object(map) = &mut object {
            map.insert("v".into(), 1.into());
        }
        line(&clean::json(&object.to_string()))
    }

    /// A row for each of these: aligned below their heads, tab-separated, one object that holds all under `key`, or one
    /// object a row. `extra` joins the one object.
    pub(crate) fn rows<T>(
        &self,
        heads: &[&str],
        all: &[T],
        row: impl Fn(&T) -> Vec<String>,
        (key, item): (&str, impl Fn(&T) -> Value),
        extra: Value,
    ) -> Result<(), Fault> {
        let rows: Vec<Vec<String>> = all.iter().map(row).collect();
        let mut items = all.iter().map(item);
        match self.form {
            Form::Table if rows.is_empty() => Ok(()),
            Form::Table => {
                let heads = heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>();
                let all: Vec<&Vec<String>> = std::iter::once(&heads).chain(&rows).collect();
                let mut lines = align(&all);
                if let Some(head) = lines.first_mut() {
                    *head = bold(head);
                }
                lines.iter().try_for_each(|text| line(text))
            }
            Form::Tabs => rows.iter().try_for_each(|row| line(&tabs(row))),
            Form::Json => {
                let mut object = extra;
                if let Value::Object(map) = &mut object {
                    map.insert(key.into(), items.collect());
                }
                self.object(object)
            }
            Form::JsonLines | Form::Template(_) => items.try_for_each(|item| self.object(item)),
        }
    }

    /// Names and values: aligned, or `name TAB value`. Only for people and pipes; JSON goes through `object`.
    pub(crate) fn pairs(&self, pairs: &[(&str, String)]) -> Result<(), Fault> {
        let rows: Vec<Vec<String>> =
            pairs.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
        if self.form == Form::Table {
            align(&rows.iter().collect::<Vec<_>>()).iter().try_for_each(|text| line(text))
        } else {
            rows.iter().try_for_each(|row| line(&tabs(row)))
        }
    }

    /// Words of one line: apart by two spaces for a person, by tabs in a pipe.
    pub(crate) fn words(&self, words: &[String]) -> Result<(), Fault> {
        if self.form == Form::Table {
            let words: Vec<String> =
                words.iter().filter(|word| !word.is_empty()).map(|word| clean::line(word)).collect();
            line(&words.join("  "))
        } else {
            line(&tabs(words))
        }
    }

    /// An object for programs, else the words of one line.
    pub(crate) fn either(&self, object: Value, words: &[&str]) -> Result<(), Fault> {
        if self.is_json() {
            return self.object(object);
        }
        self.words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    /// A bare text, the same in a pipe.
    pub(crate) fn text(&self, text: &str) -> Result<(), Fault> {
        line(text)
    }

    /// A line of a terminal that is written over by the next one.
    pub(crate) fn redraw(&self, text: &str) -> Result<(), Fault> {
        written(std::io::stdout().lock(), &format!("\r{text}\u{1b}[K"))
    }

    /// A hint on standard error, for a person only.
    pub(crate) fn hint(&self, text: &str) {
        if self.form == Form::Table {
            complain(text);
        }
    }
}

/// A line on standard output. A reader that went away (`| head`) ends the program quietly.
fn line(text: &str) -> Result<(), Fault> {
    written(std::io::stdout().lock(), &format!("{text}\n"))
}

fn written(mut out: impl Write, text: &str) -> Result<(), Fault> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Fault::new(Exit::Ok, "")),
        Err(error) => Err(Fault::new(Exit::Error, format!("Cannot write to standard output: {error}."))),
    }
}

/// Whether whoever read standard output has gone: the other end of the pipe is closed.
pub(crate) fn reader_is_gone() -> bool {
    let stdout = std::io::stdout();
    let mut watched = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let broken = PollFlags::ERR | PollFlags::HUP;
    poll(&mut watched, Some(&now)).is_ok() && watched[0].revents().intersects(broken)
}

/// Notified when whoever read standard output has gone, even while there is nothing to write. Never for what cannot go: a file.
pub(crate) fn reader_leaves() -> Arc<Notify> {
    let gone = Arc::new(Notify::new());
    let tell = Arc::clone(&gone);
    // The kernel tells it to who polls for nothing at all; it ends with the program.
    let watch = move || {
        let stdout = std::io::stdout();
        loop {
            let mut watched = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty())];
            match poll(&mut watched, None) {
                Ok(_) if watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => break,
                // Interrupted: again. Closed from the beginning: nobody is waited for.
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return,
            }
        }
        tell.notify_one();
    };
    // Without the thread it goes on until its next line, as it would without us.
    let _ = std::thread::Builder::new().name("reader".to_owned()).spawn(watch);
    gone
}

/// Bold on a terminal that can, unless the person wants none of it (<https://no-color.org>).
fn bold(text: &str) -> String {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if unwanted || dumb { text.to_owned() } else { format!("\u{1b}[1m{text}\u{1b}[0m") }
}

fn tabs(row: &[String]) -> String {
    row.iter().map(|cell| clean::line(cell)).collect::<Vec<_>>().join("\t")
}

/// In columns as wide as a terminal shows their widest cell.
fn align(rows: &[&Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| clean::line(cell)).collect()).collect();
    let columns = rows.iter().map(|row| row.len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or_default()
        })
        .collect();
    rows.iter()
        .map(|row| {
            let blanks = |cell: &str, width: usize| " ".repeat(width.saturating_sub(cell.width()));
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", blanks(cell, *width)))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["ID".to_owned(), "NAME".to_owned()], vec!["3f2a".to_owned(), "Zoë".to_owned()]];
        assert_eq!(align(&rows.iter().collect::<Vec<_>>()), ["ID    NAME", "3f2a  Zoë"]);
    }

    #[test]
    fn wide_letters_take_two_places_and_marks_none() {
        let rows = [["王小明", "x"], ["Zoe\u{308}", "x"], ["👩 Kim", "x"], ["Jörg", "x"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        let lines = align(&rows.iter().collect::<Vec<_>>());
        assert_eq!(lines, ["王小明  x", "Zoe\u{308}     x", "👩 Kim  x", "Jörg    x"]);
    }

    #[test]
    fn a_name_cannot_forge_a_column_or_steer_the_terminal() {
        assert_eq!(tabs(&["a\tb\n\u{1b}[2J".to_owned(), "c".to_owned()]), "a b  [2J\tc");
    }
}
