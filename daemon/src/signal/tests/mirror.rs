//! What a test call tells itself.
//!
//! Lives here: the session with ourselves; the inbox and the relay are tried in `tests/tests/test_call.rs`.
//! Must not: open a socket.

use ahoy_proto::session::SessionError;

use super::rig::Phone;
use crate::signal::mirror::session;

#[test]
fn what_is_sealed_to_oneself_is_opened_once_and_nothing_of_it_is_seen_on_the_way() {
    let ana = Phone::new(1);
    let (mut seals, mut opens) = session(&ana.own).unwrap();
    let said = b"candidate:1 1 udp 1 192.0.2.1 4000 typ host";
    let sealed = seals.seal(said).unwrap();
    assert!(!sealed.windows(9).any(|part| part == b"candidate"));
    assert_eq!(opens.open(&sealed).unwrap(), said);
    assert_eq!(opens.open(&sealed), Err(SessionError::Replayed));
    let (_, mut another) = session(&ana.own).unwrap();
    assert!(another.open(&seals.seal(b"x").unwrap()).is_err(), "another test");
}
