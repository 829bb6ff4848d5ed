//! A state that others watch: the newest counts.
//!
//! Lives here: setting it so that nobody is woken for what is no news.
//! Must not: know what it is.

use tokio::sync::watch;

/// It is this now. Whether that is another state than before.
pub fn set<T: PartialEq>(level: &watch::Sender<T>, now: T) -> bool {
    level.send_if_modified(|before| {
        let news = *before != now;
        *before = now;
        news
    })
}
