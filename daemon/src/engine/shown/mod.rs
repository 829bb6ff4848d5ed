//! What outsiders see, and when they see it.
//!
//! Lives here: the board, and the line of publications that wait for the commit of their records; which call matters:
//! `focus.rs`.
//! Must not: decide anything about a call; know the engine, D-Bus or SQL.

mod focus;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, MemberId, Moment};
pub use focus::Focus;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, mpsc, watch};

use crate::bus::Publication;
use crate::system::failpoint;
use crate::values::board::{AccountRow, Board, CallRow, ManagerRow, Newest};
use crate::values::happening::{EventData, Happening};
use crate::values::line::{Line, MemberLine};
use crate::values::request::Answered;

/// A publication that waits longer than this for its commit goes out anyway, and is counted.
const AT_MOST: Duration = Duration::from_millis(50);
/// So many events may wait for who follows; of more the oldest are lost.
const HAPPENINGS: usize = 64;

/// A change of what is shown.
#[derive(Debug)]
pub enum Change {
    /// A call looks like this now.
    Row(Box<CallRow>),
    /// A call's object goes.
    Gone(CallId),
}

/// What one step lets out, together.
#[derive(Debug, Default)]
pub struct Release {
    /// Calls.
    pub changes: Vec<Change>,
    /// What the rules say of all calls by then.
    pub phone: PhoneRow,
    /// `Manager.Event`s, after the publication: what happened to what.
    pub events: Vec<(&'static str, EventData)>,
    /// The answer to the request that caused it, last.
    pub reply: Option<Answered>,
}

/// What Manager and Focus show of the rules; let out with the calls, so that one transition is one signal an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhoneRow {
    /// The call that matters.
    pub focus: Focus,
    /// The switch for all calls.
    pub muted: bool,
    /// Why Dial would be refused; empty when it would not.
    pub cannot_dial: String,
}

#[derive(Debug)]
struct HeldRelease {
    /// The write that must be safe first.
    ticket: u64,
    due: Moment,
    release: Release,
}

/// The board and the line before it.
#[derive(Debug)]
pub struct Shown {
    bus: mpsc::Sender<Publication>,
    /// What the bus shows.
    bus_sees: watch::Sender<Option<Newest>>,
    /// The same for the desktop: the newest board, and what happened since.
    seen: watch::Sender<Arc<Board>>,
    happenings: broadcast::Sender<Happening>,
    board: Board,
    sent: Option<Arc<Board>>,
    line: VecDeque<HeldRelease>,
    committed: u64,
    newest: u64,
    /// `Manager.Event`s so far.
    events: u64,
    /// Publications that did not wait for their commit.
    overtaken: u64,
}

impl Shown {
    /// An empty board. `account` is what Account shows.
    pub fn new(bus: mpsc::Sender<Publication>, account: AccountRow) -> Self {
        let manager = ManagerRow { connection: account.connection, ..ManagerRow::default() };
        let board = Board { account, manager, ..Board::default() };
        let seen = watch::Sender::new(Arc::new(board.clone()));
        let happenings = broadcast::Sender::new(HAPPENINGS);
        Self {
            bus,
            bus_sees: watch::Sender::new(None),
            seen,
            happenings,
            board,
            sent: None,
            line: VecDeque::new(),
            committed: 0,
            newest: 0,
            events: 0,
            overtaken: 0,
        }
    }

    /// The next ticket for a write whose publication must wait.
    pub fn ticket(&mut self) -> u64 {
        self.newest += 1;
        self.newest
    }

    /// The ticket that was given last.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// The newest ticket whose write is safe.
    pub fn safe(&self) -> u64 {
        self.committed
    }

    /// When the line must be looked at again.
    pub fn deadline(&self) -> Option<Moment> {
        self.line.front().map(|waiting| waiting.due)
    }

    /// What is shown now.
    pub fn shown(&self) -> &Board {
        &self.board
    }

    /// What is shown now, to be changed in place; [`Self::flush`] shows it.
    pub fn board(&mut self) -> &mut Board {
        &mut self.board
    }

    /// Lets a step's results out: at once if nothing of it waits for a commit and nobody stands in the line.
    pub fn release(&mut self, now: Moment, ticket: Option<u64>, release: Release) {
        match ticket.or_else(|| self.line.back().map(|last| last.ticket)) {
            Some(ticket) if ticket > self.committed => {
                self.line.push_back(HeldRelease { ticket, due: now + AT_MOST, release });
            }
            Some(_) | None => self.let_out(release),
        }
    }

    /// A write is safe: `rows` are the rows of its calls.
    pub fn committed(&mut self, ticket: u64, rows: &[(String, u64)], missed: u32, last_id: u64) {
        self.committed = self.committed.max(ticket);
        self.board.missed = missed;
        self.board.last_history = last_id;
        for waiting in &mut self.line {
            for change in &mut waiting.release.changes {
                if let Change::Row(row) = change {
                    number(row, rows);
                }
            }
            for (_, data) in &mut waiting.release.events {
                data.history = data.history.or_else(|| row_of(data.call?, rows));
            }
        }
        for row in &mut self.board.calls {
            if rows.iter().any(|(call, id)| *call == hex(row.view.id) && *id != row.history_id) {
                number(Arc::make_mut(row), rows);
            }
        }
        while self.line.front().is_some_and(|waiting| waiting.ticket <= self.committed) {
            if let Some(waiting) = self.line.pop_front() {
                self.let_out(waiting.release);
            }
        }
        for (_, id) in rows {
            self.publish(Publication::HistoryChanged(*id));
        }
        self.flush();
    }

    /// Rows changed outside of a call; an answer that waits for it comes after it is shown.
    pub fn rows_changed(&mut self, rows: &[u64], missed: u32, last_id: u64, reply: Option<Answered>) {
        self.board.missed = missed;
        self.board.last_history = last_id;
        self.flush();
        for row in rows {
            self.publish(Publication::HistoryChanged(*row));
        }
        if let Some((reply, result)) = reply {
            self.publish(Publication::Reply(reply, result));
        }
    }

    /// How the line of a call is now.
    pub fn set_line(&mut self, call: CallId, line: Line) {
        if let Some(row) = self.board.calls.iter_mut().find(|row| row.view.id == call) {
            Arc::make_mut(row).line = line;
            self.flush();
        }
    }

    /// How one of the others in a call is heard now.
    pub fn set_member_line(&mut self, call: CallId, member: MemberId, line: MemberLine) {
        let Some(row) = self.board.calls.iter_mut().find(|row| row.view.id == call) else { return };
        let place = row.view.members.iter().position(|one| one.id == member);
        if let Some(shown) = place.and_then(|place| Arc::make_mut(row).members.get_mut(place)) {
            shown.line = line;
            self.flush();
        }
    }

    /// Lets out what has waited long enough.
    pub fn tick(&mut self, now: Moment) {
        while self.line.front().is_some_and(|waiting| waiting.due <= now) {
            if let Some(waiting) = self.line.pop_front() {
                self.overtaken += 1;
                tracing::warn!(count = self.overtaken, "history is slow: shown before it was safe");
                self.let_out(waiting.release);
            }
        }
    }

    /// Shows the board if it has changed.
    pub fn flush(&mut self) {
        let unchanged = self.sent.as_deref().is_some_and(|sent| *sent == self.board);
        if !unchanged {
            let board = Arc::new(self.board.clone());
            self.sent = Some(Arc::clone(&board));
            self.seen.send_replace(Arc::clone(&board));
            self.bus_sees.send_modify(|shown| {
                let lost = shown.as_ref().map_or(0, |before| before.lost);
                *shown = Some(Newest { board, lost });
            });
        }
    }

    /// What is shown from now on, for a port that looks over the bus's shoulder. Nobody is waited for: who is slow
    /// sees the newest board, and hears how much of what happened was missed.
    pub fn follow(&self) -> (watch::Receiver<Arc<Board>>, broadcast::Receiver<Happening>) {
        (self.seen.subscribe(), self.happenings.subscribe())
    }

    /// Something happened: one more `Manager.Event`.
    pub fn happened(&mut self, kind: &'static str, data: EventData) {
        self.events += 1;
        // Nobody listens where there is no desktop port, as in tests.
        let happening = Happening { kind, serial: self.events, data };
        let _listeners = self.happenings.send(happening.clone());
        self.publish(Publication::Event(happening));
    }

    /// One more order for the bus, after all that was let out.
    pub fn publish(&mut self, order: Publication) {
        // The last places of the queue are for replies, of which there are never more than clients that wait.
        let reply = matches!(order, Publication::Reply(..) | Publication::Stop);
        if !reply && self.bus.capacity() <= self.bus.max_capacity() / 4 {
            return self.lost();
        }
        match self.bus.try_send(order) {
            Ok(()) => {}
            // Better too early than never: the properties follow.
            Err(
                TrySendError::Full(Publication::Reply(reply, result))
                | TrySendError::Closed(Publication::Reply(reply, result)),
            ) => {
                if reply.send(result).is_err() {
                    tracing::debug!("a client left before its answer");
                }
            }
            Err(TrySendError::Full(_)) => self.lost(),
            Err(TrySendError::Closed(_)) => tracing::debug!("the bus port has ended"),
        }
    }

    /// An event did not get through: whoever listens is told everything again.
    fn lost(&mut self) {
        tracing::warn!("the bus port takes nothing: an event is lost, and everything is told again");
        self.bus_sees.send_if_modified(|shown| shown.as_mut().map(|shown| shown.lost += 1).is_some());
    }

    /// What the bus is to show, from now on.
    pub fn boards(&self) -> watch::Receiver<Option<Newest>> {
        self.bus_sees.subscribe()
    }

    fn let_out(&mut self, release: Release) {
        for change in release.changes {
            match change {
                Change::Row(row) => {
                    failpoint::reached("publish", row.view.state);
                    self.put(*row);
                }
                Change::Gone(call) => self.board.calls.retain(|row| row.view.id != call),
            }
        }
        let PhoneRow { focus, muted, cannot_dial } = release.phone;
        self.board.focus = focus.call;
        self.board.waiting = focus.waiting;
        self.board.focus_serial = focus.serial;
        self.board.manager.muted = muted;
        self.board.manager.cannot_dial = cannot_dial;
        self.flush();
        for (kind, data) in release.events {
            self.happened(kind, data);
        }
        if let Some((reply, result)) = release.reply {
            self.publish(Publication::Reply(reply, result));
        }
    }

    fn put(&mut self, mut row: CallRow) {
        match self.board.calls.iter_mut().find(|old| old.view.id == row.view.id) {
            Some(old) => {
                row.history_id = row.history_id.max(old.history_id);
                row.line = old.line;
                // A time that was shown stays, whatever the calendar has done since.
                let keep = |shown: i64, now: i64| if shown == 0 { now } else { shown };
                row.created_at = keep(old.created_at, row.created_at);
                row.ringing_at = keep(old.ringing_at, row.ringing_at);
                row.answered_at = keep(old.answered_at, row.answered_at);
                row.ended_at = keep(old.ended_at, row.ended_at);
                for (member, old) in row.members.iter_mut().zip(&old.members) {
                    member.joined_at = keep(old.joined_at, member.joined_at);
                    member.left_at = keep(old.left_at, member.left_at);
                    member.line = old.line;
                }
                *old = Arc::new(row);
            }
            None => self.board.calls.push(Arc::new(row)),
        }
    }
}

/// 32 hex digits of a call's id.
pub fn hex(call: CallId) -> String {
    data_encoding::HEXLOWER.encode(&call.bytes())
}

fn number(row: &mut CallRow, rows: &[(String, u64)]) {
    if let Some(id) = row_of(row.view.id, rows) {
        row.history_id = id;
    }
}

fn row_of(call: CallId, rows: &[(String, u64)]) -> Option<u64> {
    let call = hex(call);
    rows.iter().find(|(of, _)| *of == call).map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use ahoy_call::{CallView, State};

    use super::*;
    use crate::values::line::{PathKind, Quality};

    #[test]
    fn how_a_line_is_stands_in_its_call_over_other_changes_and_goes_with_the_sound() {
        let (bus, _orders) = mpsc::channel(8);
        let mut shown = Shown::new(bus, AccountRow::default());
        let now = Moment::from_micros(1);
        let show = |shown: &mut Shown, state, muted| {
            let row = CallRow::sample(CallView { muted, ..CallView::sample(1, state) }, "Ben");
            let changes = vec![Change::Row(Box::new(row))];
            shown.release(now, None, Release { changes, ..Release::default() });
            shown.shown().calls[0].shown_line()
        };
        let call = CallView::sample(1, State::Active).id;
        let (quality, path) = (Some(Quality::Good), Some(PathKind::Direct));
        let line = Line { quality, path, repairs: 1, speaking_muted: true };
        shown.set_line(call, line);
        assert_eq!(show(&mut shown, State::Active, true), Line::default(), "nobody had shown the call yet");
        shown.set_line(call, line);
        assert_eq!(show(&mut shown, State::Active, true), line);
        assert_eq!(show(&mut shown, State::Held, true), line);
        let unmuted = show(&mut shown, State::Active, false);
        assert_eq!(unmuted, Line { speaking_muted: false, ..line }, "at once, whatever media say");
        let bus_sees = shown.boards().borrow().clone().unwrap().board;
        assert_eq!(bus_sees.calls[0].shown_line(), unmuted, "and the bus shows it");
        assert_eq!(show(&mut shown, State::Disconnected, true), Line::default());
    }
}
