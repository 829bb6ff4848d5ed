//! What a change of our network does to a path that brings a voice.
//!
//! Lives here: the question to the path, and what follows from its answer.
//! Must not: change a network.

use super::*;
use crate::media::transport::PathEvent;

/// Keeps what it is told to do.
struct Noting(SyncSender<PathOrder>);

impl Transport for Noting {
    fn order(&self, order: PathOrder) -> Result<(), QueueFull> {
        self.0.try_send(order).map_err(|_| QueueFull)
    }
}

fn packet() -> PathEvent {
    let packet = Packet {
        sequence: 1,
        timestamp: 960,
        first: true,
        payload: vec![0xf8],
        copies: Vec::new(),
        event: None,
    };
    PathEvent::Packet { member: KEY.0, track: Track::Voice, packet }
}

/// A session with a path that brings a voice, what is asked of that path, and what the session reports.
fn talking() -> (Session, Receiver<PathOrder>, mpsc::Receiver<Report>) {
    let (mut session, _) = session(Takes::default());
    let (way, asked) = sync_channel(8);
    let (reports, told) = mpsc::channel(8);
    session.reports = reports;
    let path = session.legs.get_mut(&KEY.0).and_then(|leg| leg.paths.get_mut(&KEY.1)).unwrap();
    path.transport = Box::new(Noting(way));
    session.hear(clock::now(), KEY, packet()).now_or_never().unwrap();
    (session, asked, told)
}

fn reports(told: &mut mpsc::Receiver<Report>) -> Vec<MediaReport> {
    let each = std::iter::from_fn(|| told.try_recv().ok());
    each.filter_map(|one| if let Report::Event { report, .. } = one { Some(report) } else { None }).collect()
}

#[test]
fn after_a_change_of_our_network_a_path_that_brings_a_voice_is_asked_whether_it_has_gone() {
    let (mut session, asked, mut told) = talking();
    session.probe(clock::now(), KEY).now_or_never().unwrap();
    assert!(matches!(asked.try_iter().collect::<Vec<_>>()[..], [PathOrder::Look]));
    assert!(reports(&mut told).is_empty());
}

#[test]
fn a_path_that_has_gone_is_lost_at_once_and_up_again_when_the_voice_comes_by_it_all_the_same() {
    let (mut session, _asked, mut told) = talking();
    session.hear(clock::now(), KEY, PathEvent::Gone).now_or_never().unwrap();
    assert_eq!(reports(&mut told), [MediaReport::Lost]);
    session.hear(clock::now(), KEY, packet()).now_or_never().unwrap();
    assert_eq!(reports(&mut told), [MediaReport::Up]);
}
