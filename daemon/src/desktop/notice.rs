//! Notices of what a person missed or must know.
//!
//! Lives here: missed calls gathered by contact, and plain sentences that ask nothing.
//! Must not: know how a note is kept on the screen, or hold up anybody: a plain notice is sent and forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ahoy_call::{CallId, PeerId};
use tokio::sync::watch;

use super::note::{Key, Note, Sign, WORDS, clean, name};
use crate::system::clock;
use crate::values::board::CallRow;
use crate::values::happening::Happening;
use crate::values::request::{CallRequest, Guard, Request, Verb, Which};

/// The buttons' keys.
const CALL_BACK: &str = "call-back";
/// Of a group call that still runs.
const JOIN: &str = "join";
/// So many contacts have a notice of their own; who missed more looks into the history.
const CONTACTS: usize = 8;
/// A problem that stands so long is no hiccup.
const STANDS: Duration = Duration::from_secs(3);
/// How long the notification server may take for a plain notice.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls that were missed and that nobody has looked at yet.
#[derive(Debug, Default)]
pub(super) struct Missed {
    by_contact: BTreeMap<PeerId, Gathered>,
    /// How many rows of history say so.
    unseen: u32,
}

#[derive(Debug)]
struct Gathered {
    name: String,
    count: u32,
    /// The last one: as a group it may still run.
    call: Option<CallId>,
    /// Local time of the last one, `14:05`.
    last: String,
    /// The note of the last dial.
    words: Option<String>,
}

impl Missed {
    /// Something happened; `words` are the note of that call. True if that changed the notices.
    pub(super) fn heard(&mut self, happening: &Happening, words: Option<&str>) -> bool {
        let Some(peer) = happening.data.contact else { return false };
        match happening.kind {
            "call.missed" => {
                if self.by_contact.len() >= CONTACTS && !self.by_contact.contains_key(&peer) {
                    return false;
                }
                let gathered = self.by_contact.entry(peer).or_insert_with(|| Gathered {
                    name: String::new(),
                    count: 0,
                    call: None,
                    last: String::new(),
                    words: None,
                });
                gathered.name = name(happening.data.name.as_deref().unwrap_or_default());
                gathered.count += 1;
                gathered.call = happening.data.call;
                gathered.last = local_time(happening.data.at_unix_us);
                gathered.words = words.map(|words| clean(words, WORDS)).filter(|words| !words.is_empty());
                true
            }
            // Whoever is spoken to needs no notice any more.
            "call.answered" => self.by_contact.remove(&peer).is_some(),
            _ => false,
        }
    }

    /// So many rows of history are unseen. True if that changed the notices: all were looked at elsewhere.
    pub(super) fn unseen(&mut self, rows: u32) -> bool {
        let looked_at = rows == 0 && self.unseen > 0 && !self.by_contact.is_empty();
        self.unseen = rows;
        if looked_at {
            self.by_contact.clear();
        }
        looked_at
    }

    /// A person has seen the notice of a contact.
    pub(super) fn seen(&mut self, peer: PeerId) {
        self.by_contact.remove(&peer);
    }

    /// The notices that should be on the screen. `rows`: calls that are shown, among them groups that run without us.
    pub(super) fn notes(&self, rows: &[Arc<CallRow>]) -> Vec<Note> {
        self.by_contact.iter().map(|(peer, gathered)| gathered.note(*peer, rows)).collect()
    }

    /// What a pressed button of the notice of a contact asks for.
    pub(super) fn pressed(&self, peer: PeerId, button: &str) -> Option<Request> {
        let call = self.by_contact.get(&peer).and_then(|gathered| gathered.call);
        match (button, call) {
            (CALL_BACK, _) => Some(dial(peer)),
            (JOIN, Some(call)) => {
                let (call, guard) = (Which::Id(call), Guard::default());
                Some(Request::Call(CallRequest::Verb { call, verb: Verb::Join, guard }))
            }
            _ => None,
        }
    }
}

impl Gathered {
    /// The last one, as long as one may enter it.
    fn runs<'r>(&self, rows: &'r [Arc<CallRow>]) -> Option<&'r Arc<CallRow>> {
        rows.iter().find(|row| Some(row.view.id) == self.call && row.view.can.join)
    }

    fn note(&self, peer: PeerId, rows: &[Arc<CallRow>]) -> Note {
        let (who, at) = (&self.name, &self.last);
        let (summary, time) = match self.count {
            1 => (format!("Missed call from {who}"), format!("At {at}.")),
            count => (format!("{count} missed calls from {who}"), format!("The last at {at}.")),
        };
        let body = match &self.words {
            Some(words) => format!("“{words}”\n{time}"),
            None => time,
        };
        let (body, without_buttons, button) = match self.runs(rows) {
            Some(_) => (format!("{body}\nIt goes on."), "To enter it: ahoyctl join.", (JOIN, "Join")),
            None => (body, "To call back: ahoyctl call.", (CALL_BACK, "Call back")),
        };
        Note {
            key: Key::Missed(peer),
            summary,
            body,
            without_buttons,
            buttons: vec![(button.0, button.1.to_owned())],
            urgent: false,
            category: "call.unanswered",
            icon: Sign::Missed,
            picture: String::new(),
            outlives_us: true,
        }
    }
}

/// A dial of that very contact.
pub(super) fn dial(peer: PeerId) -> Request {
    let target = data_encoding::HEXLOWER.encode(&peer.bytes());
    Request::Call(CallRequest::Dial { target, lifetime: None, note: None, hold_others: true })
}

fn local_time(at_unix_us: i64) -> String {
    let moment = jiff::Timestamp::from_microsecond(at_unix_us).unwrap_or_default();
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string()
}

/// Tells each sentence that stands, once as long as it stands. What goes by itself at once is told to nobody.
pub(super) async fn alerts(mut standing: watch::Receiver<Vec<String>>) {
    let mut told = BTreeSet::new();
    loop {
        let now = standing.borrow_and_update().clone();
        told.retain(|sentence| now.contains(sentence));
        let new: Vec<String> = now.into_iter().filter(|sentence| !told.contains(sentence)).collect();
        if new.is_empty() {
            if standing.changed().await.is_err() {
                return;
            }
            continue;
        }
        tokio::select! {
            changed = standing.changed() => if changed.is_err() { return },
            () = clock::sleep(STANDS) => {
                for sentence in new {
                    plain("Calls", sentence.clone()).await;
                    told.insert(sentence);
                }
            }
        }
    }
}

/// Sends a plain notice and forgets it. No server, a slow one: it is lost, and the sentence stands in `Problems` or in
/// the log anyhow.
pub(super) async fn plain(summary: &'static str, sentence: String) {
    let mut notice = notify_rust::Notification::new();
    // Bodies may be read as markup: what looks like it is taken out, because this server is not asked.
    let sentence: String = sentence.chars().filter(|c| !matches!(c, '<' | '>' | '&')).collect();
    notice.appname("ahoy").summary(summary).body(&clean(&sentence, WORDS)).icon("dialog-warning");
    // Without our desktop entry: a server that knows the application may take its notes away when the connection goes,
    // and this one goes at once.
    notice.urgency(notify_rust::Urgency::Normal).hint(notify_rust::Hint::Category("call".to_owned()));
    match clock::timeout(PATIENCE, notice.show_async()).await {
        Ok(Ok(_shown)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a notice was not shown"),
        Err(_over) => tracing::debug!("the notification server does not answer"),
    }
}

#[cfg(test)]
mod tests {
    use ahoy_call::{CallView, Can, State};

    use super::*;
    use crate::values::happening::EventData;

    fn happens(kind: &'static str, who: u8) -> Happening {
        let peer = PeerId::from_bytes([who; 16]);
        let data =
            EventData { contact: Some(peer), name: Some(format!("Friend {who}")), ..EventData::default() };
        Happening { kind, serial: 1, data }
    }

    #[test]
    fn several_missed_calls_of_one_person_gather_in_one_notice() {
        let mut missed = Missed::default();
        assert!(missed.heard(&happens("call.missed", 1), Some("it is\nurgent")));
        assert_eq!(missed.notes(&[])[0].summary, "Missed call from Friend 1");
        assert!(missed.notes(&[])[0].body.starts_with("“it is urgent”\nAt "), "{:?}", missed.notes(&[]));
        missed.heard(&happens("call.missed", 1), None);
        missed.heard(&happens("call.missed", 2), None);
        let notes = missed.notes(&[]);
        assert_eq!(notes.len(), 2);
        assert_eq!(notes[0].summary, "2 missed calls from Friend 1");
        assert_eq!(notes[1].summary, "Missed call from Friend 2");
    }

    #[test]
    fn a_missed_group_call_that_goes_on_can_be_entered_and_one_that_is_over_called_back() {
        let (call, peer) = (CallId::from_bytes([7; 16]), PeerId::from_bytes([1; 16]));
        let row = |join| {
            let view = CallView::sample(7, State::Disconnected);
            let can = Can { join, ..view.can };
            vec![Arc::new(CallRow::sample(CallView { can, ..view }, "Friend 1"))]
        };
        let mut missed = Missed::default();
        let happening = happens("call.missed", 1);
        let data = EventData { call: Some(call), ..happening.data };
        missed.heard(&Happening { data, ..happening }, None);
        let note = &missed.notes(&row(true))[0];
        assert_eq!(note.buttons, [(JOIN, "Join".to_owned())]);
        assert!(note.body.ends_with("It goes on."), "{}", note.body);
        let Some(Request::Call(CallRequest::Verb { call: Which::Id(asked), verb: Verb::Join, .. })) =
            missed.pressed(peer, JOIN)
        else {
            panic!("no verb")
        };
        assert_eq!(asked, call);
        let note = &missed.notes(&row(false))[0];
        assert_eq!(note.buttons, [(CALL_BACK, "Call back".to_owned())]);
        assert!(matches!(missed.pressed(peer, CALL_BACK), Some(Request::Call(CallRequest::Dial { .. }))));
    }

    #[test]
    fn a_notice_goes_when_it_was_seen_here_or_in_the_history_or_the_person_was_spoken_to() {
        let one = PeerId::from_bytes([1; 16]);
        let mut missed = Missed::default();
        missed.heard(&happens("call.missed", 1), None);
        missed.seen(one);
        assert_eq!(missed.notes(&[]), []);
        missed.heard(&happens("call.missed", 1), None);
        assert_eq!(missed.notes(&[])[0].summary, "Missed call from Friend 1", "it counts anew");
        assert!(!missed.unseen(2) && missed.unseen(0));
        assert_eq!(missed.notes(&[]), []);
        missed.heard(&happens("call.missed", 1), None);
        assert!(missed.heard(&happens("call.answered", 1), None));
        assert_eq!(missed.notes(&[]), []);
    }

    #[test]
    fn a_row_that_is_not_yet_counted_takes_no_notice_away() {
        let mut missed = Missed::default();
        missed.heard(&happens("call.missed", 1), None);
        assert!(!missed.unseen(0), "the count was nought before too");
        assert_eq!(missed.notes(&[]).len(), 1);
    }

    #[test]
    fn strangers_by_the_dozen_do_not_fill_the_screen() {
        let mut missed = Missed::default();
        for who in 0..20 {
            missed.heard(&happens("call.missed", who), None);
        }
        assert_eq!(missed.notes(&[]).len(), CONTACTS);
    }
}
