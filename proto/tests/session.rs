//! Do two sessions carry what they should, and nothing that they should not?
//!
//! Lives here: whole handshakes, and what an attacker on the way can try.
//! Must not: look inside a frame by other means than the wire's own rules.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may unwrap like the tests")]

use std::mem::MaybeUninit;
use std::time::Duration;

use ahoy_call::CallId;
use ahoy_proto::hello::{Hello, HelloKind};
use ahoy_proto::identity::DeviceCertificate;
use ahoy_proto::session::{Called, Calling, Ephemeral, HEADER, Header, Session, SessionError, SessionId};
use ed25519_dalek::SigningKey;
use x25519_dalek::{PublicKey, StaticSecret};

struct Phone {
    device: SigningKey,
    noise: StaticSecret,
    certificate: DeviceCertificate,
}

fn phone(seed: u8) -> Phone {
    let account = SigningKey::from_bytes(&[seed; 32]);
    let device = SigningKey::from_bytes(&[seed + 100; 32]);
    let noise = StaticSecret::from([seed; 32]);
    let public = PublicKey::from(&noise);
    let certificate =
        DeviceCertificate::sign(&account, &device.verifying_key(), &public, "desk", 1, 2).unwrap();
    Phone { device, noise, certificate }
}

fn hello(of: &Phone) -> Hello {
    Hello {
        certificate: of.certificate.clone(),
        revision: 4,
        call: CallId::from_bytes([7; 16]),
        lifetime: Duration::from_secs(60),
        versions: vec![1],
        features: vec!["relay-hint".to_owned()],
        reply: None,
        sent_s: None,
        token: None,
        kind: HelloKind::Ring,
    }
}

fn begin(from: &Phone, to: &Phone, hello: &Hello) -> Calling {
    Calling::begin(SessionId([5; 16]), &Ephemeral([31; 32]), &from.noise, &to.certificate, hello).unwrap()
}

fn open(at: &Phone, frame: &[u8]) -> Result<(Called, Hello), SessionError> {
    Called::open(&at.noise, &at.device.verifying_key(), &Ephemeral([32; 32]), frame)
}

fn pair() -> (Session, Session) {
    let (ana, ben) = (phone(1), phone(2));
    let mut calling = begin(&ana, &ben, &hello(&ana));
    let (called, _) = open(&ben, calling.message_1()).unwrap();
    let (there, message_2) = called.reply(9, &[]).unwrap();
    let (here, reply) = calling.finish(&message_2).unwrap();
    assert_eq!(reply.revision, 9);
    (here, there)
}

#[test]
fn a_handshake_carries_the_hello_and_ends_in_a_session() {
    let (ana, ben) = (phone(1), phone(2));
    let calling = begin(&ana, &ben, &hello(&ana));
    let (_, heard) = open(&ben, calling.message_1()).unwrap();
    assert_eq!(heard, hello(&ana));
    let (mut here, mut there) = pair();
    let frame = here.seal(b"offer").unwrap();
    assert_eq!(there.open(&frame).unwrap(), b"offer");
    let frame = there.seal(b"ringing").unwrap();
    assert_eq!(here.open(&frame).unwrap(), b"ringing");
}

#[test]
fn nothing_of_either_side_is_readable_on_the_way() {
    let (ana, ben) = (phone(1), phone(2));
    let calling = begin(&ana, &ben, &hello(&ana));
    let frame = calling.message_1();
    let holds = |needle: &[u8]| frame.windows(needle.len()).any(|window| window == needle);
    assert!(holds(&[5; 16]), "the session id is in clear: the search works");
    for secret in [ana.certificate.account(), ana.certificate.device(), ben.certificate.device()] {
        assert!(!holds(secret.as_bytes()));
    }
    assert!(!holds(&ana.certificate.noise()));
    assert!(!holds(&ana.certificate.as_bytes()[64..80]));
    assert!(!holds(b"desk"));
    assert!(!holds(&[7; 16]), "the call id");
}

#[test]
fn frames_come_in_any_order_and_each_once() {
    let (mut here, mut there) = pair();
    let frames: Vec<_> = (0..70_u8).map(|n| here.seal(&[n]).unwrap()).collect();
    assert_eq!(there.open(&frames[1]).unwrap(), [1]);
    assert_eq!(there.open(&frames[0]).unwrap(), [0]);
    assert_eq!(there.open(&frames[0]), Err(SessionError::Replayed));
    assert_eq!(there.open(&frames[69]).unwrap(), [69]);
    assert_eq!(there.open(&frames[6]).unwrap(), [6]);
    assert_eq!(there.open(&frames[5]), Err(SessionError::Replayed), "64 behind");
    assert_eq!(here.open(&frames[7]), Err(SessionError::Seal), "reflected to its sender");
}

#[test]
fn a_frame_with_any_other_byte_is_refused_and_the_true_one_still_opens() {
    let (mut here, mut there) = pair();
    let frame = here.seal(b"accept").unwrap();
    for at in 0..frame.len() {
        let mut bad = frame.clone();
        bad[at] ^= 0x40;
        assert!(there.open(&bad).is_err(), "byte {at}");
        assert!(there.open(&frame[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(there.open(&frame).unwrap(), b"accept");
}

#[test]
fn a_damaged_message_1_opens_nothing() {
    let (ana, ben) = (phone(1), phone(2));
    let calling = begin(&ana, &ben, &hello(&ana));
    let frame = calling.message_1();
    for at in (0..frame.len()).step_by(13).chain(0..HEADER) {
        let mut bad = frame.to_vec();
        bad[at] ^= 1;
        assert!(open(&ben, &bad).is_err(), "byte {at}");
        assert!(open(&ben, &frame[..at]).is_err(), "cut at {at}");
    }
    assert!(open(&ben, frame).is_ok());
}

#[test]
fn a_damaged_message_2_does_not_spoil_the_true_one() {
    let (ana, ben) = (phone(1), phone(2));
    let mut calling = begin(&ana, &ben, &hello(&ana));
    let (called, _) = open(&ben, calling.message_1()).unwrap();
    let (_, message_2) = called.reply(1, &[]).unwrap();
    for at in (0..message_2.len()).step_by(7) {
        let mut bad = message_2.clone();
        bad[at] ^= 1;
        assert!(calling.finish(&bad).is_err(), "byte {at}");
    }
    assert!(calling.finish(&message_2).is_ok());
    assert_eq!(calling.finish(&message_2).err(), Some(SessionError::Misplaced), "only once");
}

#[test]
fn another_device_cannot_open_what_was_meant_for_one() {
    let (ana, ben, eve) = (phone(1), phone(2), phone(3));
    let calling = begin(&ana, &ben, &hello(&ana));
    assert_eq!(open(&eve, calling.message_1()).err(), Some(SessionError::Seal));
    let other_device = Phone { device: eve.device, ..ben };
    let opened = open(&other_device, calling.message_1());
    assert_eq!(opened.err(), Some(SessionError::Seal), "the prologue binds");
}

#[test]
fn a_stolen_certificate_does_not_fit_the_thief_s_handshake() {
    let (ana, ben, eve) = (phone(1), phone(2), phone(3));
    let calling = begin(&eve, &ben, &hello(&ana));
    assert_eq!(open(&ben, calling.message_1()).err(), Some(SessionError::WrongStatic));
}

#[test]
fn an_answer_of_somebody_else_is_refused() {
    let (ana, ben, eve) = (phone(1), phone(2), phone(3));
    let mut calling = begin(&ana, &ben, &hello(&ana));
    let forged = begin(&ana, &eve, &hello(&ana));
    let (called, _) = open(&eve, forged.message_1()).unwrap();
    let (_, message_2) = called.reply(1, &[]).unwrap();
    assert_eq!(calling.finish(&message_2).err(), Some(SessionError::Seal));
}

#[test]
fn the_same_message_1_gets_the_stored_message_2_and_another_gets_nothing() {
    let (ana, ben) = (phone(1), phone(2));
    let calling = begin(&ana, &ben, &hello(&ana));
    let (called, _) = open(&ben, calling.message_1()).unwrap();
    assert!(called.is_repeat(calling.message_1()));
    let (session, message_2) = called.reply(1, &[]).unwrap();
    assert_eq!(session.again(calling.message_1()), Some(&message_2[..]));
    let mut other = calling.message_1().to_vec();
    other[30] ^= 1;
    assert_eq!(session.again(&other), None);
}

#[test]
fn a_caller_of_another_version_is_refused() {
    let (ana, ben) = (phone(1), phone(2));
    let mut later = hello(&ana);
    later.versions = vec![2, 3];
    assert_eq!(open(&ben, begin(&ana, &ben, &later).message_1()).err(), Some(SessionError::NoVersion));
    later.versions = vec![2, 1];
    assert!(open(&ben, begin(&ana, &ben, &later).message_1()).is_ok());
}

#[test]
fn sizes_on_the_wire_are_few() {
    let (mut here, mut there) = pair();
    let overhead = HEADER + 16;
    for (content, padded) in [(0, 512), (510, 512), (511, 1024), (3000, 4096), (32_766, 32_768)] {
        let frame = here.seal(&vec![1; content]).unwrap();
        assert_eq!(frame.len(), padded + overhead, "{content} bytes");
        assert_eq!(there.open(&frame).unwrap().len(), content);
    }
    assert_eq!(here.seal(&vec![1; 32_767]), Err(SessionError::TooMuch));
}

#[test]
fn the_clear_header_is_read_strictly() {
    let good = pair().0.seal(b"x").unwrap();
    assert!(Header::read(&good).is_ok());
    for (at, value) in [(0, 0), (0, 2), (17, 0), (17, 4)] {
        let mut bad = good.clone();
        bad[at] = value;
        assert_eq!(Header::read(&bad), Err(SessionError::UnknownFrame), "byte {at} = {value}");
    }
    let mut handshake_with_nonce = good.clone();
    (handshake_with_nonce[17], handshake_with_nonce[25]) = (1, 1);
    assert_eq!(Header::read(&handshake_with_nonce), Err(SessionError::UnknownFrame));
    assert_eq!(Header::read(&good[..HEADER]), Err(SessionError::Length));
    assert_eq!(Header::read(&vec![1; 40_000]), Err(SessionError::Length));
}

#[test]
#[expect(unsafe_code, reason = "nothing safe looks at what is left of a dropped value")]
fn an_ephemeral_is_wiped_when_it_is_dropped() {
    fn bytes(place: &MaybeUninit<Ephemeral>) -> [u8; 32] {
        // SAFETY: the place was filled, and all that a drop could do to 32 bytes leaves 32 bytes.
        unsafe { place.as_ptr().cast::<[u8; 32]>().read_volatile() }
    }
    let mut place = MaybeUninit::new(Ephemeral([31; 32]));
    assert_eq!(bytes(&place), [31; 32], "the look itself sees a key");
    // SAFETY: it was filled, and is dropped once.
    unsafe { place.assume_init_drop() };
    assert_eq!(bytes(&place), [0; 32]);
}
