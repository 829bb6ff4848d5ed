//! The handle of the media port and its thread, with paths that are real and devices that are not.
//!
//! Lives here: when the thread begins and ends, what a broken session or a full queue does.
//! Must not: open a sound device.

use std::time::Duration;

use ahoy_call::{MediaFault, MediaReport, Role, Tracks};

use super::super::Sound;
use super::super::sound::NoSound;
use super::*;
use crate::system::clock;
use crate::values::ice::IceServer;

const PATIENCE: Duration = Duration::from_secs(10);

fn media() -> (Media, mpsc::Receiver<Report>) {
    let (reports, heard) = mpsc::channel(256);
    (Media::with_sound(on("lo"), Box::new(|_| Box::new(NoSound)), reports), heard)
}

fn on(interface: &str) -> MediaSettings {
    MediaSettings { interfaces: vec![interface.to_owned()], ..MediaSettings::default() }
}

fn order(media: &mut Media, call: u8, order: MediaOrder) {
    let order = CallOrder::Path { leg: LegId::from_bytes([2; 16]), epoch: Epoch(1), order };
    assert_eq!(media.call(CallId::from_bytes([call; 16]), order), Ok(()));
}

async fn described(heard: &mut mpsc::Receiver<Report>) -> CallId {
    loop {
        let report = clock::timeout(PATIENCE, heard.recv()).await.expect("a report in time").unwrap();
        if let Report::Event { call, report: MediaReport::Described(_), .. } = report {
            return call;
        }
    }
}

#[tokio::test]
async fn the_thread_begins_with_the_first_call_and_ends_with_stop() {
    let (mut media, mut heard) = media();
    order(&mut media, 1, MediaOrder::Open { tracks: Tracks::VOICE, muted: false, held: false });
    media.use_servers(Vec::new());
    assert!(media.thread.is_none(), "what belongs to no call begins nothing");
    for call in [1, 2] {
        order(&mut media, call, MediaOrder::Prepare(Role::Offerer));
        assert_eq!(described(&mut heard).await, CallId::from_bytes([call; 16]));
    }
    order(&mut media, 1, MediaOrder::Close);
    order(&mut media, 1, MediaOrder::SetMuted(true));
    order(&mut media, 1, MediaOrder::Prepare(Role::Offerer));
    assert_eq!(described(&mut heard).await, CallId::from_bytes([1; 16]), "a closed call may begin again");
    media.stop();
    let rest = async { while heard.recv().await.is_some() {} };
    clock::timeout(PATIENCE, rest).await.expect("nothing reports any more");
}

/// A microphone that breaks what opens it.
struct Broken;

impl Sound for Broken {
    fn capture(&mut self, on: bool) {
        assert!(!on, "planted");
    }
}

#[tokio::test]
async fn a_session_that_breaks_is_told_of_its_call_and_not_of_one_path() {
    let (reports, mut heard) = mpsc::channel(256);
    let mut media = Media::with_sound(on("lo"), Box::new(|_| Box::new(Broken)), reports);
    order(&mut media, 1, MediaOrder::Prepare(Role::Offerer));
    described(&mut heard).await;
    order(&mut media, 1, MediaOrder::Open { tracks: Tracks::VOICE, muted: false, held: false });
    let gone = async {
        loop {
            if let Report::Gone { call } = heard.recv().await.unwrap() {
                return call;
            }
        }
    };
    let call = clock::timeout(PATIENCE, gone).await.expect("it is told");
    assert_eq!(call, CallId::from_bytes([1; 16]));
    order(&mut media, 2, MediaOrder::Prepare(Role::Offerer));
    assert_eq!(described(&mut heard).await, CallId::from_bytes([2; 16]), "other calls go on");
    media.stop();
}

#[tokio::test]
async fn the_end_of_a_call_is_no_order_that_a_full_queue_could_lose() {
    let (mut media, mut heard) = media();
    order(&mut media, 1, MediaOrder::Prepare(Role::Offerer));
    described(&mut heard).await;
    let call = CallId::from_bytes([1; 16]);
    let wanted = media.wanted[&call].subscribe();
    // The thread is not given a turn: it shares this one's core only while something is awaited.
    let full = (0..=QUEUE * 100).any(|_| {
        media.call(call, CallOrder::Frame { leg: LegId::from_bytes([2; 16]), bytes: Vec::new() }).is_err()
    });
    order(&mut media, 1, MediaOrder::SetMuted(true));
    order(&mut media, 1, MediaOrder::Close);
    assert_eq!(media.call(call, CallOrder::End), Ok(()), "full: {full}");
    assert_eq!(*wanted.borrow(), Wanted::default());
    assert!(wanted.has_changed().is_err(), "nobody wants anything any more");
    media.stop();
}

#[tokio::test]
async fn that_one_is_deafened_is_a_state_of_a_call_that_is_there_and_no_full_queue_loses_it() {
    let (mut media, mut heard) = media();
    let call = CallId::from_bytes([1; 16]);
    assert_eq!(media.call(call, CallOrder::Deafen(true)), Ok(()));
    assert!(media.wanted.is_empty(), "nothing is remembered of a call without media");
    order(&mut media, 1, MediaOrder::Prepare(Role::Offerer));
    described(&mut heard).await;
    let frame = || CallOrder::Frame { leg: LegId::from_bytes([2; 16]), bytes: Vec::new() };
    assert!((0..=QUEUE * 100).any(|_| media.call(call, frame()).is_err()), "the queue is full");
    assert_eq!(media.call(call, CallOrder::Deafen(true)), Ok(()));
    assert!(media.wanted[&call].borrow().deafened);
    media.stop();
}

#[tokio::test]
async fn an_interface_that_is_not_there_fails_the_path_and_not_the_thread() {
    let (mut media, mut heard) = media();
    media.set(on("nowhere0"));
    order(&mut media, 1, MediaOrder::Prepare(Role::Offerer));
    let report = clock::timeout(PATIENCE, heard.recv()).await.expect("a report in time").unwrap();
    let failed = MediaReport::Failed(MediaFault::Media);
    assert!(matches!(report, Report::Event { report, .. } if report == failed));
    media.set(on("lo"));
    order(&mut media, 2, MediaOrder::Prepare(Role::Offerer));
    assert_eq!(described(&mut heard).await, CallId::from_bytes([2; 16]));
    media.stop();
}

#[tokio::test]
async fn every_question_for_numbers_is_answered_with_its_ticket() {
    let (mut media, mut heard) = media();
    let (call, other) = (CallId::from_bytes([1; 16]), CallId::from_bytes([2; 16]));
    media.call(call, CallOrder::Stats(1)).unwrap();
    order(&mut media, 1, MediaOrder::Prepare(Role::Offerer));
    for (ticket, call) in [(2, call), (3, other)] {
        media.call(call, CallOrder::Stats(ticket)).unwrap();
    }
    let mut tickets = Vec::new();
    let all = async {
        while tickets.len() < 3 {
            if let Report::Stats { ticket, stats } = heard.recv().await.unwrap() {
                assert_eq!(stats.packets_out, 0);
                tickets.push(ticket);
            }
        }
    };
    clock::timeout(PATIENCE, all).await.expect("all of them");
    tickets.sort_unstable();
    assert_eq!(tickets, [1, 2, 3], "before the thread begins, of a call, and of none");
    media.stop();
}

#[tokio::test]
async fn servers_that_make_no_sense_are_left_out() {
    let (mut media, mut heard) = media();
    let server = |url: &str| {
        let (urls, nobody) = (vec![url.to_owned()], String::new());
        IceServer { urls, username: nobody.clone(), credential: nobody }
    };
    let strange =
        ["", "nonsense", "turn:192.0.2.1:3478", "stuns:192.0.2.1", "stun:192.0.2.1:99999", "http://x"];
    let all = [strange.map(server).to_vec(), vec![IceServer { urls: Vec::new(), ..server("") }]].concat();
    order(&mut media, 1, MediaOrder::Prepare(Role::Offerer));
    described(&mut heard).await;
    media.use_servers(all);
    order(&mut media, 2, MediaOrder::Prepare(Role::Offerer));
    assert_eq!(described(&mut heard).await, CallId::from_bytes([2; 16]));
    media.stop();
}
