//! A room: a transport of another kind, over which a session hears several people at once.
//!
//! Lives here: who sits in it; what one says, all others get.
//! Must not: lose, delay or change a packet.

use ahoy_call::LegId;
use ahoyd::media::transport::{Packet, PathEvent, PathOrder, Plan, QueueFull, Track, Transport};
use tokio::sync::{broadcast, mpsc};

type Words = broadcast::Sender<(LegId, Track, Packet)>;

pub(crate) struct Room(Words);

impl Room {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(256).0)
    }

    /// A place in it for the device of this number.
    pub(crate) fn seat(&self, number: u8) -> Plan {
        let (us, words) = (LegId::from_bytes([number; 16]), self.0.clone());
        Box::new(move |key, events| {
            let (here, mut left) = mpsc::channel::<()>(1);
            let mut said = words.subscribe();
            let sitting = async move {
                events.send((key, PathEvent::Up)).await.ok();
                loop {
                    let word = tokio::select! {
                        _ = left.recv() => return,
                        word = said.recv() => word,
                    };
                    // On a starved machine some may be missed.
                    if let Ok((member, track, packet)) = word
                        && member != us
                    {
                        events.try_send((key, PathEvent::Packet { member, track, packet })).ok();
                    }
                }
            };
            (Box::new(Seat { us, words, _here: here }), Box::pin(sitting))
        })
    }
}

struct Seat {
    us: LegId,
    words: Words,
    _here: mpsc::Sender<()>,
}

impl Transport for Seat {
    fn order(&self, order: PathOrder) -> Result<(), QueueFull> {
        if let PathOrder::Packet(track, packet) = order {
            self.words.send((self.us, track, packet)).map_err(|_| QueueFull)?;
        }
        Ok(())
    }
}
