//! The networks that this machine is in, and which of them the person trusts.
//!
//! Lives here: what the neighbours' room has told of them, what is kept of the trust in them.
//! Must not: write a file, find out which network it is.

use std::path::Path;

use ahoy_call::PeerId;

use crate::values::near::{Judged, NearView, NetworkRow};
use crate::values::request::{Denied, DeniedKind};

/// Networks that are remembered; the one that was judged first is forgotten.
const MOST: usize = 64;

/// Both.
#[derive(Debug, Default)]
pub(super) struct Networks {
    view: NearView,
    judged: Vec<Judged>,
    /// How often this machine's network has changed.
    changes: u64,
}

impl Networks {
    /// With what is kept.
    pub(super) fn open(path: &Path) -> Self {
        let kept = std::fs::read(path).unwrap_or_default();
        // What cannot be read is trusted no more: the person is asked again.
        Self { judged: serde_json::from_slice(&kept).unwrap_or_default(), ..Self::default() }
    }

    /// What is shown.
    pub(super) fn view(&self) -> &NearView {
        &self.view
    }

    /// The room has told.
    pub(super) fn set_view(&mut self, view: NearView) {
        self.view = view;
    }

    /// Whether this contact is seen.
    pub(super) fn sees(&self, peer: PeerId) -> bool {
        self.view.seen.contains(&peer)
    }

    /// Whether we are found anywhere.
    pub(super) fn is_home(&self) -> bool {
        self.view.networks.iter().any(|row| row.trusted)
    }

    /// What the person has said of networks.
    pub(super) fn judged(&self) -> &[Judged] {
        &self.judged
    }

    /// Something else, as it was kept.
    pub(super) fn set_judged(&mut self, judged: Vec<Judged>) {
        self.judged = judged;
    }

    /// It is another network, perhaps.
    pub(super) fn changed(&mut self) {
        self.changes += 1;
    }

    /// How often.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// What is said of networks once the one at this interface is trusted, or is not. No name: where there is only one.
    pub(super) fn with(&self, interface: &str, trusted: bool) -> Result<Vec<Judged>, Denied> {
        let row = self.row(interface)?;
        let Some(word) = Judged::new(row, trusted) else {
            let sentence = "The router of this network has not answered yet: try again in a moment.";
            return Err(Denied::new(DeniedKind::NotReady, sentence));
        };
        let mut all: Vec<Judged> = self.judged.iter().filter(|it| !it.is_of(&word)).cloned().collect();
        let many = (all.len() + 1).saturating_sub(MOST);
        all.drain(..many);
        all.push(word);
        Ok(all)
    }

    fn row(&self, interface: &str) -> Result<&NetworkRow, Denied> {
        let fits = |row: &&NetworkRow| interface.is_empty() || row.interface == interface;
        let mut fitting = self.view.networks.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(row), None) => Ok(row),
            (None, _) => {
                let sentence = "There is no local network here: no interface leads out by a router.";
                Err(Denied::new(DeniedKind::InvalidState, sentence))
            }
            (Some(_), Some(_)) => {
                let names: Vec<&str> = self.view.networks.iter().map(|row| row.interface.as_str()).collect();
                let sentence = format!(
                    "This machine is in several networks: name the interface, of {}.",
                    names.join(", ")
                );
                Err(Denied::new(DeniedKind::Ambiguous, sentence))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::near::NetworkId;

    fn row(interface: &str, id: Option<u8>) -> NetworkRow {
        let id = id.map(|id| NetworkId([id; 16]));
        let (interface, prefix) = (interface.to_owned(), "192.0.2.0/24".to_owned());
        NetworkRow { interface, prefix, id, trusted: false, judged: false }
    }

    fn networks(rows: Vec<NetworkRow>) -> Networks {
        let mut networks = Networks::default();
        networks.set_view(NearView { networks: rows, ..NearView::default() });
        networks
    }

    #[test]
    fn the_last_word_of_a_network_counts_and_a_no_is_kept_like_a_yes() {
        let mut all = networks(vec![row("eth0", Some(1))]);
        for trusted in [true, true, false, true, false] {
            all.set_judged(all.with("", trusted).unwrap());
            assert_eq!((all.judged().len(), all.judged()[0].trusted), (1, trusted));
        }
        let of_0_1 = r#"[{"id":"01","prefix":"192.0.2.0/24"}]"#;
        let read: Vec<Judged> = serde_json::from_str(of_0_1).unwrap();
        assert!(read[0].trusted);
        for id in 0..100 {
            all.set_view(NearView { networks: vec![row("eth0", Some(id))], ..NearView::default() });
            all.set_judged(all.with("", true).unwrap());
        }
        assert_eq!(all.judged().len(), MOST);
    }

    #[test]
    fn none_several_and_one_that_is_not_known_yet_are_said() {
        let kind = |all: &Networks, name| all.with(name, true).unwrap_err().kind;
        assert_eq!(kind(&networks(Vec::new()), ""), DeniedKind::InvalidState);
        let two = networks(vec![row("eth0", Some(1)), row("wlan0", None)]);
        assert_eq!(kind(&two, ""), DeniedKind::Ambiguous);
        assert_eq!(kind(&two, "wlan0"), DeniedKind::NotReady);
        assert_eq!(kind(&two, "ppp0"), DeniedKind::InvalidState);
        assert_eq!(two.with("eth0", true).unwrap().len(), 1);
    }
}
