//! Do-not-disturb.
//!
//! Lives here: whom it keeps away, and until when.
//! Must not: judge a ring; read a clock.

use serde::{Deserialize, Serialize};

ahoy_call::words! {
    /// Whom do-not-disturb keeps away.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum DndMode {
        /// Nobody.
        #[default]
        Off = "off",
        /// Everybody but those whose policy is `always`.
        All = "all",
        /// The same, and favourites come through too.
        Favorites = "favorites",
    }
}

/// Do-not-disturb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dnd {
    /// Whom it keeps away.
    pub mode: DndMode,
    /// When it ends by itself, microseconds since the Unix epoch; 0: when somebody ends it.
    pub until: i64,
}

impl Dnd {
    /// It ended by itself.
    pub fn is_over(self, unix_us: i64) -> bool {
        self.mode != DndMode::Off && self.until != 0 && self.until <= unix_us
    }
}
