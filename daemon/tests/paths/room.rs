//! A room: a transport of another kind, over which a session hears several people at once.
//!
//! Lives here: who sits in it; what one says, all others get.
//! Must not: lose, delay or change a packet.

use ahoy_call::{Description, LegId, Opaque};
use ahoyd::media::transport::{Events, Packet, PathEvent, Plan, QueueFull, Track, Transport};
use ahoyd::media::wanted::Key;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

enum Word {
    Joined(LegId, Key, Events),
    Said(LegId, Track, Packet),
}

pub(crate) struct Room {
    words: mpsc::Sender<Word>,
    _task: JoinSet<()>,
}

impl Room {
    pub(crate) fn new() -> Self {
        let (words, heard) = mpsc::channel(256);
        let mut task = JoinSet::new();
        task.spawn(pass_on(heard));
        Self { words, _task: task }
    }

    /// A place in it for the device of this number.
    pub(crate) fn seat(&self, number: u8) -> Plan {
        let (member, words) = (LegId::from_bytes([number; 16]), self.words.clone());
        Plan::new(move |key, events| {
            let (here, mut left) = mpsc::channel(1);
            let seat = Seat { member, words: words.clone(), _here: here };
            let sitting = async move {
                events.send((key, PathEvent::Up)).await.ok();
                words.send(Word::Joined(member, key, events)).await.ok();
                left.recv().await;
            };
            (Box::new(seat), Box::pin(sitting))
        })
    }
}

async fn pass_on(mut words: mpsc::Receiver<Word>) {
    let mut seats = Vec::new();
    while let Some(word) = words.recv().await {
        match word {
            Word::Joined(member, key, events) => seats.push((member, key, events)),
            Word::Said(member, track, packet) => {
                for (_, key, events) in seats.iter().filter(|(other, ..)| *other != member) {
                    let packet = packet.clone();
                    events.try_send((*key, PathEvent::Packet { member, track, packet })).ok();
                }
            }
        }
    }
}

struct Seat {
    member: LegId,
    words: mpsc::Sender<Word>,
    _here: mpsc::Sender<()>,
}

impl Transport for Seat {
    fn remote(&self, _answer: Description) -> Result<(), QueueFull> {
        Ok(())
    }

    fn candidates(&self, _list: Vec<Opaque>) -> Result<(), QueueFull> {
        Ok(())
    }

    fn send(&self, track: Track, packet: Packet) -> Result<(), QueueFull> {
        self.words.try_send(Word::Said(self.member, track, packet)).map_err(|_| QueueFull)
    }

    fn frame(&self, _bytes: Vec<u8>) -> Result<(), QueueFull> {
        Ok(())
    }
}
