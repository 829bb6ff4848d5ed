//! A call through the database and out again, without a file.
//!
//! Lives here: what is stored, read and exported of one call, for tests and the fuzzer.
//! Must not: be used to keep anything.

use std::cell::RefCell;

use ahoy_call::{CallView, Fact, Record};
use rusqlite::Connection;

use super::{Entry, HistoryFilter, HistoryRow, events, export, query, schema};
use crate::values::request::Answer;
use crate::values::rows::{ExportFormat, HistoryEvent};

/// One row in each form of an export.
#[derive(Debug)]
pub struct Files {
    /// A JSON object.
    pub json: String,
    /// A sheet.
    pub csv: String,
    /// A calendar.
    pub ics: String,
}

thread_local! {
    /// Made once a thread: the steps take longer than all the rest.
    static EMPTY: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Stores the call, reads it, and takes it out of the database again.
pub(crate) fn through(
    view: &CallView,
    name: &str,
) -> rusqlite::Result<(HistoryRow, Vec<HistoryEvent>, Files)> {
    EMPTY.with_borrow_mut(|kept| {
        let mut db = match kept.take() {
            Some(db) => db,
            None => {
                let mut db = Connection::open_in_memory()?;
                schema::prepare(&mut db)?;
                db
            }
        };
        let record =
            |fact| Record { at: view.created, fact, view: view.clone(), about: None, at_unix_us: None };
        let entry = |fact| Entry {
            record: record(fact),
            at_unix_us: 1_700_000_000_000_000,
            name: name.to_owned(),
            address: "address".to_owned(),
            about: None,
            peers: Vec::new(),
            line: None,
        };
        let written = events::write(&mut db, &[entry(Fact::Offered), entry(Fact::Ended)])?;
        let id = written.first().map_or(0, |(_, row)| *row);
        let listed = query::list(&db, &HistoryFilter::default());
        let told = query::events(&db, id);
        // Deleted as a person would: what is searched goes, too.
        let _never_refused = super::prune::delete(&mut db, &[id]);
        *kept = Some(db);
        let (Ok(Answer::History(mut rows, _)), Ok(Answer::Events(told))) = (listed, told) else {
            return Err(rusqlite::Error::QueryReturnedNoRows);
        };
        let row = rows.pop().unwrap_or_default();
        let file = |format| export::whole(format, std::slice::from_ref(&row));
        let files = Files {
            json: file(ExportFormat::Json),
            csv: file(ExportFormat::Csv),
            ics: file(ExportFormat::Ics),
        };
        Ok((row, told, files))
    })
}
