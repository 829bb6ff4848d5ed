//! The networks that this machine is in, and which of them the person trusts.
//!
//! Lives here: what the neighbours' room has told of them, what is kept of the trust in them.
//! Must not: write a file, find out which network it is.

use std::path::Path;

use ahoy_call::PeerId;

use crate::values::near::{NearView, NetworkRow, Trusted};
use crate::values::request::{Denied, DeniedKind};

/// Networks that are remembered; the one that was trusted first is forgotten.
const MOST: usize = 64;

/// Both.
#[derive(Debug, Default)]
pub(super) struct Networks {
    view: NearView,
    trusted: Vec<Trusted>,
    /// How often this machine's network has changed.
    changes: u64,
}

impl Networks {
    /// With what is kept.
    pub(super) fn open(path: &Path) -> Self {
        let kept = std::fs::read(path).unwrap_or_default();
        // What cannot be read is trusted no more: the person is asked again.
        Self { trusted: serde_json::from_slice(&kept).unwrap_or_default(), ..Self::default() }
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

    /// Which networks are trusted.
    pub(super) fn trusted(&self) -> &[Trusted] {
        &self.trusted
    }

    /// Other ones, as they were kept.
    pub(super) fn set_trusted(&mut self, trusted: Vec<Trusted>) {
        self.trusted = trusted;
    }

    /// It is another network, perhaps.
    pub(super) fn changed(&mut self) {
        self.changes += 1;
    }

    /// How often.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// What is trusted once the network at this interface is, or is not any more. No name: where there is only one.
    pub(super) fn with(&self, interface: &str, trust: bool) -> Result<Vec<Trusted>, Denied> {
        let row = self.row(interface)?;
        let Some(of) = Trusted::of(row) else {
            let sentence = "The router of this network has not answered yet: try again in a moment.";
            return Err(Denied::new(DeniedKind::NotReady, sentence));
        };
        let mut all: Vec<Trusted> = self.trusted.iter().filter(|it| **it != of).cloned().collect();
        if trust {
            let many = (all.len() + 1).saturating_sub(MOST);
            all.drain(..many);
            all.push(of);
        }
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
        NetworkRow { interface: interface.to_owned(), prefix: "192.0.2.0/24".to_owned(), id, trusted: false }
    }

    fn networks(rows: Vec<NetworkRow>) -> Networks {
        let mut networks = Networks::default();
        networks.set_view(NearView { networks: rows, ..NearView::default() });
        networks
    }

    #[test]
    fn a_network_is_trusted_once_and_until_that_is_taken_back() {
        let mut all = networks(vec![row("eth0", Some(1))]);
        for _ in 0..2 {
            all.set_trusted(all.with("", true).unwrap());
            assert_eq!(all.trusted().len(), 1);
        }
        assert_eq!(all.with("eth0", false).unwrap(), []);
        for id in 0..100 {
            all.set_view(NearView { networks: vec![row("eth0", Some(id))], ..NearView::default() });
            all.set_trusted(all.with("", true).unwrap());
        }
        assert_eq!(all.trusted().len(), MOST);
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
