//! Which relays does a link speak to over TLS?
//!
//! Lives here: authorities that are known, foreign, added later; names that are right and wrong.
//! Must not: know what is said over a link.

use std::path::Path;

use ahoyd::signal::link::LinkRole;
use ahoyd::signal::tls::{RelayUrl, Trust};

use super::authority::Authority;
use super::rig::*;

/// A relay of that name, certified by this authority.
fn trusted(authority: &Authority, name: &str) -> Relay {
    Relay::on(0, Some(authority.certify(name)))
}

/// A link to it that believes the authorities in that file.
fn line(relay: &Relay, ca_file: &Path) -> Line {
    let url = RelayUrl::parse(&format!("wss://localhost:{}", relay.address.port())).unwrap();
    Line::new(url, LinkRole::Claimed { key: key(1), tokens: vec![] }, Trust::new(Some(ca_file.to_owned())))
}

#[tokio::test]
async fn an_authority_that_is_added_later_is_believed_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, foreign) = (Authority::new(), Authority::new());
    let relay = trusted(&ours, "localhost");
    let foreign_file = foreign.ca_file(folder.path());
    let mut ana = line(&relay, &foreign_file);
    assert!(ana.down().await.contains("certificate is refused"));
    ours.ca_file(folder.path());
    ana.up().await;
    drop(ana);
    // Another file, told while the link waits for its next try.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut ben = line(&relay, &foreign.ca_file(folder.path()));
    assert!(ben.down().await.contains("certificate is refused"));
    ben.link.set_trust(Trust::new(Some(ours.ca_file(elsewhere.path()))));
    ben.up().await;
    relay.stop().await;
}

#[tokio::test]
async fn after_a_refusal_authorities_are_read_anew_though_nothing_shows_that_they_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, foreign) = (Authority::new(), Authority::new());
    let relay = trusted(&ours, "localhost");
    let file = foreign.ca_file(folder.path());
    // As long as the other, written in the same place, at the same time: so changes of the system's own authorities look to us.
    let write = |text: String| {
        let mut open = std::fs::File::options().write(true).open(&file).unwrap();
        std::io::Write::write_all(&mut open, format!("{text:<2000}").as_bytes()).unwrap();
        open.set_modified(std::time::UNIX_EPOCH).unwrap();
    };
    write(foreign.pem());
    let mut ana = line(&relay, &file);
    assert!(ana.down().await.contains("certificate is refused"));
    write(ours.pem());
    ana.up().await;
    relay.stop().await;
}

#[tokio::test]
async fn only_a_believed_certificate_with_the_right_name_is_spoken_to() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, foreign) = (Authority::new(), Authority::new());
    let ca_file = ours.ca_file(folder.path());
    let good = trusted(&ours, "localhost");
    line(&good, &ca_file).up().await;
    for (name, relay) in
        [("another name", trusted(&ours, "elsewhere.test")), ("another CA", trusted(&foreign, "localhost"))]
    {
        let why = line(&relay, &ca_file).down().await;
        assert!(why.contains("certificate is refused"), "{name}: {why}");
        relay.stop().await;
    }
    let why = line(&good, &folder.path().join("missing.pem")).down().await;
    assert!(why.contains("ca-file"), "{why}");
    let mut plain = Line::claimed(&good, &key(1), vec![]);
    assert!(plain.down().await.contains("no relay"), "plain text to a sealed relay");
    good.stop().await;
}
