//! Does a machine without a relay find the right one, and no wrong one? With a web server behind TLS, and an authority of the test.
//!
//! Lives here: lists and answers as hostile servers give them, and what is learned.
//! Must not: use a network beyond loopback, or wait for a limit of time.

mod server;

use std::time::Duration;

use ahoy_proto::relay_list::{ListKey, Lists, RelayList, Said, Taken};
use ed25519_dalek::SigningKey;
use simple_dns::rdata::{CNAME, RData, TXT};
use simple_dns::{
    CLASS, CharacterString, Name, Packet, PacketFlag, Question as Asked, RCODE, ResourceRecord, TYPE,
};
use tokio::sync::{mpsc, watch};

use self::server::{Answer, Server};
use super::{Looked, Question, Report, Standing, dns, https, spawn, task};
use crate::system::clock;
use crate::values::relays::Learned;

const DAY: i64 = 86_400;

fn secret(of: u8) -> SigningKey {
    SigningKey::from_bytes(&[of; 32])
}

fn keys(of: &[u8]) -> Vec<ListKey> {
    of.iter().map(|of| ListKey::of(&secret(*of))).collect()
}

/// A list of that key and serial, good for that many days from now.
fn list(by: u8, serial: u64, days: i64) -> RelayList {
    let now_s = clock::unix_us().div_euclid(1_000_000);
    let said = Said {
        serial,
        issued_s: now_s - 10 * DAY,
        expires_s: now_s + days * DAY,
        relays: vec![format!("wss://relay{serial}.example")],
        keys: keys(&[by]),
    };
    RelayList::sign(&secret(by), &said).unwrap()
}

fn text(list: RelayList) -> String {
    let mut lists = Lists::default();
    lists.push(list).unwrap();
    lists.to_text()
}

/// Of the list at that place, signed by key 1.
fn of_list(server: &Server, place: &str) -> Question {
    let list = Some((format!("{}{place}", server.url), keys(&[1])));
    Question { list, dns: None, ca_file: Some(server.ca_file.clone()) }
}

/// Of the domain `a.example`.
fn of_dns(server: &Server, place: &str) -> Question {
    let dns = Some(("a.example".to_owned(), format!("{}{place}", server.url)));
    Question { list: None, dns, ca_file: Some(server.ca_file.clone()) }
}

/// What was learned, and one sentence that says what was wrong.
async fn look(question: Question, taken: Option<Taken>) -> (Vec<Learned>, Looked, String) {
    let (learned, looked) = task::look(question, taken).await;
    let said = looked.missing.iter().chain(&looked.wrong).cloned().collect();
    (learned, looked, said)
}

#[tokio::test]
async fn a_list_that_is_signed_is_taken_and_one_that_does_not_count_is_not() {
    let mut server = Server::start().await;
    let mut bent = text(list(1, 6, 20)).into_bytes();
    let end = bent.len() - 6;
    bent[end] = if bent[end] == b'A' { b'B' } else { b'A' };
    let taken = |serial, by: u8| Some(Taken { serial, keys: keys(&[by]) });
    for (place, body, taken, wrong) in [
        ("/good", text(list(1, 6, 20)), None, ""),
        ("/newer", text(list(1, 6, 20)), taken(5, 1), ""),
        ("/lower", text(list(1, 4, 20)), taken(5, 1), "older"),
        ("/expired", text(list(1, 6, -1)), None, "expired"),
        ("/replaced", text(list(1, 6, 20)), taken(5, 2), "replaced"),
        ("/foreign", text(list(7, 6, 20)), None, "not in the configuration"),
        ("/bent", String::from_utf8(bent).unwrap(), None, "not taken"),
        ("/page", "<html>Please log in</html>".to_owned(), None, "no list"),
        ("/empty", String::new(), None, "no list"),
    ] {
        server.says(place, Answer::of("text/plain", body.as_bytes()));
        let (learned, looked, said) = look(of_list(&server, place), taken).await;
        assert!(looked.answered, "{place}");
        assert!(said.contains(wrong) && said.is_empty() == wrong.is_empty(), "{place}: {said}");
        match &learned[..] {
            [Learned::List(roots, taken)] if wrong.is_empty() => {
                assert_eq!((roots, taken.said.serial), (&keys(&[1]), 6));
            }
            [] if !wrong.is_empty() => {}
            other => panic!("{place}: {other:?}"),
        }
    }
    let same = Some(Taken { serial: 6, keys: keys(&[1]) });
    assert_eq!(look(of_list(&server, "/good"), same).await.0, [], "nothing new");
    assert_eq!(server.asked().await.len(), 10);
}

#[tokio::test]
async fn a_server_that_is_no_help_costs_no_more_than_its_bounds() {
    let server = Server::start().await;
    let good = text(list(1, 1, 20));
    server.says("/list", Answer::of("text/plain", good.as_bytes()));
    server.says("/moved", Answer::moved(&format!("{}/list", server.url)));
    server.says("/plain", Answer::moved(&format!("{}/list", server.plain_url)));
    server.says("/circle", Answer::moved(&format!("{}/circle", server.url)));
    server.says("/endless", Answer::endless());
    server.says("/long", Answer::of("text/plain", &vec![b'x'; 17 * 1024]));
    server.says("/head", Answer::long_head());
    server.says("/bytes", Answer::of("text/plain", &[0xff, 0xfe, 0x00]));
    server.says("/broken", Answer::broken());
    for (place, wrong) in [
        ("/list", ""),
        ("/moved", ""),
        ("/plain", "without TLS"),
        ("/circle", "from one address to the next"),
        ("/endless", "longer than 16 KiB"),
        ("/long", "longer than 16 KiB"),
        ("/head", "cannot be fetched"),
        ("/bytes", "something else than text"),
        ("/broken", "cannot be fetched"),
        ("/gone", "status 404"),
    ] {
        let (learned, _, said) = look(of_list(&server, place), None).await;
        assert!(said.contains(wrong) && said.is_empty() == wrong.is_empty(), "{place}: {said}");
        assert_eq!(learned.len(), usize::from(wrong.is_empty()), "{place}");
    }
    assert_eq!(server.asked_plainly(), 0, "nobody spoke without TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_given_up() {
    let server = Server::start().await;
    server.says("/silent", Answer::silent());
    let client = https::client(Some(&server.ca_file), Duration::from_millis(300)).unwrap();
    let url = format!("{}/silent", server.url);
    let asked = std::thread::Builder::new().spawn(move || https::text(&client, &url)).unwrap();
    let error = tokio::task::spawn_blocking(|| asked.join().unwrap()).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "it does not answer in time");
    assert!(!error.was_spoken());
}

#[tokio::test]
async fn a_server_that_the_authority_did_not_certify_is_not_asked() {
    let (mut server, other) = (Server::start().await, Server::start().await);
    server.says("/list", Answer::of("text/plain", text(list(1, 1, 20)).as_bytes()));
    let mut question = of_list(&server, "/list");
    question.ca_file = Some(other.ca_file.clone());
    let (learned, looked, said) = look(question.clone(), None).await;
    assert!(learned.is_empty() && !looked.answered && !said.is_empty(), "{said}");
    question.ca_file = Some("/nowhere.pem".into());
    let (_, _, said) = look(question, None).await;
    assert!(said.contains("ca-file"), "{said}");
    assert_eq!(server.asked().await, Vec::<String>::new());
}

/// A resolver's answer with these records.
fn answer(rcode: RCODE, records: &[(&str, &[&[u8]])]) -> Vec<u8> {
    aliased(rcode, &[], records)
}

/// Each name of the first stands for the one beside it.
fn aliased(rcode: RCODE, aliases: &[(&str, &str)], records: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let mut packet = Packet::new_reply(0);
    *packet.rcode_mut() = rcode;
    packet.set_flags(PacketFlag::RECURSION_AVAILABLE);
    let name = Name::new("_ahoy.a.example").unwrap();
    packet.questions.push(Asked::new(name, TYPE::TXT.into(), CLASS::IN.into(), false));
    for (name, to) in aliases {
        let to = RData::CNAME(CNAME(Name::new(to).unwrap()));
        packet.answers.push(ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, 60, to));
    }
    for (name, strings) in records {
        let mut text = TXT::new();
        for string in *strings {
            text.add_char_string(CharacterString::new(string).unwrap());
        }
        packet.answers.push(ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, 60, RData::TXT(text)));
    }
    packet.build_bytes_vec_compressed().unwrap()
}

const AT: &str = "_ahoy.a.example";

#[tokio::test]
async fn the_domain_name_system_is_asked_by_https_and_its_relays_are_taken() {
    let mut server = Server::start().await;
    let good = answer(
        RCODE::NoError,
        &[("_AHOY.a.Example", &[b"relay=wss://one.example", b"relay=wss://two.example:8443/x"])],
    );
    server.says("/dns-query", Answer::of(dns::KIND, &good));
    let (learned, looked, said) = look(of_dns(&server, "/dns-query"), None).await;
    let relays = ["wss://one.example", "wss://two.example:8443/x"].map(str::to_owned).to_vec();
    assert_eq!((learned, said), (vec![Learned::Dns("a.example".into(), relays)], String::new()));
    assert!(looked.answered);
    // The bytes of RFC 1035 §4.1, written by hand.
    let (line, asked) = server.taken().await.pop().unwrap();
    let mut expected = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    expected.extend_from_slice(b"\x05_ahoy\x01a\x07example\x00\x00\x10\x00\x01");
    assert_eq!(asked, expected);
    assert_eq!(line, "POST /dns-query");
}

#[tokio::test]
async fn an_answer_of_a_resolver_with_nonsense_gives_no_relay() {
    let server = Server::start().await;
    let good = answer(RCODE::NoError, &[(AT, &[b"relay=wss://one.example"])]);
    let mut many = good.clone();
    many[6..8].copy_from_slice(&[0xff, 0xff]);
    let no_reply = dns::question("a.example").unwrap();
    let found = |wanted: &[&str]| Ok(wanted.iter().map(|url| (*url).to_owned()).collect::<Vec<String>>());
    let five: Vec<Vec<u8>> = (0..5).map(|n| format!("relay=wss://r{n}.example").into_bytes()).collect();
    let five: Vec<&[u8]> = five.iter().map(Vec::as_slice).collect();
    // With the question: as many as are looked at, and one more.
    let one: (&str, &[&[u8]]) = (AT, &[b"relay=wss://one.example"]);
    let (full, over) = ([one; 63], [one; 64]);
    for (story, body, outcome) in [
        ("no DNS", b"<html>".to_vec(), Err("malformed")),
        ("nothing", Vec::new(), Err("malformed")),
        ("cut", good[..good.len() - 9].to_vec(), Err("malformed")),
        ("more records than it has", many, Err("malformed")),
        ("as many as are looked at", answer(RCODE::NoError, &full), found(&["wss://one.example"])),
        ("one more", answer(RCODE::NoError, &over), Err("malformed")),
        ("a question", no_reply, Err("malformed")),
        ("it failed", answer(RCODE::ServerFailure, &[]), Err("does not know")),
        ("no such name", answer(RCODE::NameError, &[]), found(&[])),
        (
            "of another name",
            answer(RCODE::NoError, &[("_ahoy.b.example", &[b"relay=wss://b.example"])]),
            found(&[]),
        ),
        (
            "by two aliases, in any order",
            aliased(
                RCODE::NoError,
                &[("b.example", "c.example"), (AT, "B.example")],
                &[("C.example", &[b"relay=wss://c.example"]), ("d.example", &[b"relay=wss://d.example"])],
            ),
            found(&["wss://c.example"]),
        ),
        (
            "a circle of aliases",
            aliased(
                RCODE::NoError,
                &[(AT, "b.example"), ("b.example", AT)],
                &[("c.example", &[b"relay=wss://c.example"])],
            ),
            found(&[]),
        ),
        ("of the parent", answer(RCODE::NoError, &[("a.example", &[b"relay=wss://b.example"])]), found(&[])),
        (
            "other words",
            answer(RCODE::NoError, &[(AT, &[b"v=spf1", b"relay", b"relays=wss://b.example", b"\xff\x00="])]),
            found(&[]),
        ),
        (
            "plain, abroad, no address",
            answer(
                RCODE::NoError,
                &[(
                    AT,
                    &[
                        b"relay=ws://127.0.0.1:631",
                        b"relay=ws://b.example",
                        b"relay=https://b.example",
                        b"relay=\xff",
                        b"relay=",
                    ],
                )],
            ),
            found(&[]),
        ),
        (
            "one twice",
            answer(RCODE::NoError, &[(AT, &[b"relay=wss://b.example", b"relay=wss://B.example:443/"])]),
            found(&["wss://b.example"]),
        ),
        (
            "five",
            answer(RCODE::NoError, &[(AT, &five)]),
            found(&["wss://r0.example", "wss://r1.example", "wss://r2.example", "wss://r3.example"]),
        ),
    ] {
        server.says("/dns-query", Answer::of(dns::KIND, &body));
        let (learned, _, said) = look(of_dns(&server, "/dns-query"), None).await;
        match outcome {
            Ok(relays) => assert_eq!(learned, [Learned::Dns("a.example".into(), relays)], "{story}: {said}"),
            Err(wrong) => assert!(learned.is_empty() && said.contains(wrong), "{story}: {said} {learned:?}"),
        }
    }
    server.says("/text", Answer::of("text/plain", &good));
    let (learned, _, said) = look(of_dns(&server, "/text"), None).await;
    assert!(learned.is_empty() && said.contains("application/dns-message"), "{said}");
}

#[test]
fn the_corpus_of_the_fuzz_target_relay_dns_is_replayed_and_reaches_both_ends() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/relay_dns");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let read: Vec<bool> = files.map(|bytes| super::tried(&bytes)).collect();
    assert!(read.contains(&true) && read.contains(&false), "{read:?}");
}

#[tokio::test]
async fn the_room_asks_when_it_is_told_what_and_again_only_for_a_reason() {
    let mut server = Server::start().await;
    server.says("/list", Answer::of("text/plain", text(list(1, 3, 20)).as_bytes()));
    server.says("/other", Answer::of("text/plain", text(list(1, 4, 20)).as_bytes()));
    let (standing, seen) = watch::channel(Standing::default());
    let (out, mut reports) = mpsc::channel(8);
    let room = spawn(seen, out);
    let next = async |reports: &mut mpsc::Receiver<Report>| reports.recv().await.unwrap();

    standing.send_replace(Standing { question: of_list(&server, "/list"), ..Standing::default() });
    let Report::Learned(Learned::List(_, list)) = next(&mut reports).await else { panic!("no list") };
    assert_eq!(list.said.serial, 3);
    let looked = Report::Looked(Looked { answered: true, ..Looked::default() });
    assert_eq!(next(&mut reports).await, looked);

    // What was taken comes back, the network changes, relays are away, right after a look that went well: the server is left alone.
    let taken = Some(Taken { serial: 3, keys: keys(&[1]) });
    let known = Standing { taken, ..standing.borrow().clone() };
    standing.send_replace(known.clone());
    standing.send_replace(Standing { networks: 1, ..known.clone() });
    standing.send_replace(Standing { networks: 1, missed: 1, ..known.clone() });
    standing.send_replace(Standing { question: of_list(&server, "/other"), ..known });
    let Report::Learned(Learned::List(_, list)) = next(&mut reports).await else { panic!("no list") };
    assert_eq!(list.said.serial, 4);
    assert_eq!(next(&mut reports).await, looked);
    assert_eq!(server.asked().await, ["GET /list", "GET /other"]);
    drop(standing);
    room.await.unwrap();
}
