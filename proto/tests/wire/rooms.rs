//! Every frame about rooms, as it is written.
//!
//! Lives here: the frames, with fixed tickets.
//! Must not: compare them with anything.

use ahoy_proto::frame::{ToClient, ToRelay};
use ahoy_proto::room::{RoomAsk, RoomNews, RoomOver, Ticket};
use serde_json::{Value, json};

pub(crate) fn frames() -> Value {
    let ticket = |n| Ticket([n; 73]);
    let up = [
        RoomAsk::Open { passes: 3, lives_s: 90 },
        RoomAsk::Draw { by: ticket(1), passes: 1, lives_s: 90 },
        RoomAsk::Enter { pass: ticket(2) },
        RoomAsk::Remove { host: ticket(1), who: "5f".to_owned() },
        RoomAsk::People { host: ticket(1) },
        RoomAsk::Close { host: ticket(1) },
    ];
    let entry = RoomNews::Entry {
        urls: vec!["wss://rooms.example".to_owned()],
        token: "a.b.c".to_owned(),
        identity: "5f".to_owned(),
        seat: ticket(3),
    };
    let over = [RoomOver::None, RoomOver::Bad, RoomOver::Expired, RoomOver::Used, RoomOver::Rate];
    let news = [
        RoomNews::Passes { host: Some(ticket(1)), passes: vec![ticket(2)] },
        RoomNews::Passes { host: None, passes: vec![ticket(2)] },
        entry,
        RoomNews::Done,
        RoomNews::People { who: vec!["5f".to_owned()] },
    ];
    let down = news.into_iter().chain(over.map(|why| RoomNews::Over { why })).map(ToClient::Room);
    let down = down.chain([ToClient::Rooms { passes: 25 }]);
    json!({
        "to_relay": up.map(|ask| ToRelay::Room(ask).to_text()).to_vec(),
        "to_client": down.map(|frame| frame.to_text()).collect::<Vec<_>>(),
    })
}
