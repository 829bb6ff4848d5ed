//! Does this program still write, and read, what an older one wrote?
//!
//! Lives here: the comparison with `vectors/`, both ways.
//! Must not: make new vectors.

use std::path::Path;

use ahoy_proto::card::Card;
use ahoy_proto::codec;
use ahoy_proto::frame::{ToClient, ToRelay};
use ahoy_proto::hello::Hello;
use ahoy_proto::identity::{DeviceCertificate, parse_address};
use ahoy_proto::reliable::Reliable;
use ahoy_proto::room::{RoomAsk, RoomNews};
use ahoy_proto::session::{Called, Ephemeral};
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::known;

fn vector(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name).with_extension("json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

#[test]
fn what_is_written_today_is_what_was_written() {
    for (name, value) in known::vectors() {
        assert_eq!(value, vector(name), "{name}");
    }
}

#[test]
fn a_recorded_certificate_and_card_are_read() {
    let identity = vector("identity");
    let certificate = DeviceCertificate::from_bytes(&bytes(&identity["certificate"])).unwrap();
    assert_eq!(certificate.name(), "desk");
    assert_eq!(certificate.account().as_bytes()[..], bytes(&identity["account"])[..]);
    assert_eq!(certificate.peer_id().bytes()[..], bytes(&identity["contact_id"])[..]);
    assert_eq!(parse_address(identity["address"].as_str().unwrap()).as_ref(), Some(certificate.account()));
    let card = Card::parse(vector("card")["text"].as_str().unwrap()).unwrap();
    assert_eq!((card.name.as_str(), card.revision, card.token), ("Ben", 4, [9; 16]));
    assert_eq!(card.devices[0].certificate, certificate);
    assert_eq!(card.devices[0].inboxes[0].relay, "wss://relay.example");
}

#[test]
fn a_recorded_session_is_opened_with_the_callee_s_keys_alone() {
    let (session, identity) = (vector("session"), vector("identity"));
    let noise: [u8; 32] = bytes(&identity["noise_secret"]).try_into().unwrap();
    let device = DeviceCertificate::from_bytes(&bytes(&identity["certificate"])).unwrap();
    let ephemeral: [u8; 32] = bytes(&session["callee_ephemeral"]).try_into().unwrap();
    let (called, hello) = Called::open(
        &x25519_dalek::StaticSecret::from(noise),
        device.device(),
        &Ephemeral(ephemeral),
        &bytes(&session["message_1"]),
    )
    .unwrap();
    let payload = session["payload_1"].as_str().unwrap();
    assert_eq!(Hello::decode(payload.as_bytes()).unwrap(), Some(hello));
    let (mut there, message_2) = called.reply(4, &[]).unwrap();
    assert_eq!(message_2, bytes(&session["message_2"]));
    for sealed in session["sealed_by_caller"].as_array().unwrap() {
        let opened = there.open(&bytes(&sealed["frame"])).unwrap();
        assert_eq!(opened, sealed["content"].as_str().unwrap().as_bytes());
    }
}

#[test]
fn recorded_messages_and_packets_are_read() {
    for (text, message) in vector("messages").as_array().unwrap().iter().zip(known::messages()) {
        assert_eq!(codec::decode(text.as_str().unwrap().as_bytes()), Ok(Some(message)));
    }
    for (text, message) in vector("group").as_array().unwrap().iter().zip(known::group()) {
        assert_eq!(codec::decode(text.as_str().unwrap().as_bytes()), Ok(Some(message)));
    }
    let rooms = vector("rooms");
    let lines = |to: &str| rooms[to].as_array().unwrap().clone();
    for line in lines("to_relay") {
        let text = line.as_str().unwrap();
        assert!(matches!(ToRelay::parse(text), Ok(ToRelay::Room(ask)) if ask != RoomAsk::Unknown), "{text}");
    }
    for line in lines("to_client") {
        let text = line.as_str().unwrap();
        let known = ToClient::parse(text).unwrap();
        assert!(!matches!(known, ToClient::Unknown | ToClient::Room(RoomNews::Unknown)), "{text}");
    }
    let recorded = vector("packets");
    let mut there = Reliable::default();
    for (packet, body) in recorded["packets"].as_array().unwrap().iter().zip(["one", "two", "three"]) {
        assert_eq!(there.receive(&bytes(packet)), Ok(Some(body.as_bytes())));
    }
}
