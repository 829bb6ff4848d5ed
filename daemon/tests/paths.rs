//! Do two sessions of media, joined by hand over loopback, hear each other, and nobody else?
//!
//! Lives here: the story of each behaviour on a line that carries everything, from people who mean well. What gets lost is in
//! `paths/lost.rs` and `paths/handshake.rs`, what is shown of a line in `paths/line.rs`, what goes by a TURN server in
//! `paths/relayed.rs`, who means harm in `paths/hostile.rs`; the two sides and the network between them are beside those.
//! Must not: use a sound device, a relay or the rules.

#[cfg(test)]
#[path = "paths/between.rs"]
mod between;
#[cfg(test)]
#[path = "paths/digits.rs"]
mod digits;
#[cfg(test)]
#[path = "paths/handshake.rs"]
mod handshake;
#[cfg(test)]
#[path = "paths/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "paths/line.rs"]
mod line;
#[cfg(test)]
#[path = "paths/lost.rs"]
mod lost;
#[cfg(test)]
#[path = "paths/relayed.rs"]
mod relayed;
#[cfg(test)]
#[path = "paths/room.rs"]
mod room;
#[cfg(test)]
#[path = "paths/side.rs"]
mod side;
#[cfg(test)]
#[path = "paths/sound.rs"]
mod sound;
#[cfg(test)]
#[path = "paths/turn.rs"]
mod turn;
#[cfg(test)]
#[path = "paths/wire.rs"]
mod wire;

use std::net::UdpSocket;
use std::task::Poll;
use std::time::Duration;

use ahoy_call::{MediaOrder, MediaReport, Role};
use ahoyd::system::clock;
use between::{Between, COMPANY, FIRST, SECOND};
use room::Room;
use side::Side;
use sound::{ANA, BEN, CID};
use tokio::task::JoinSet;

#[tokio::test]
async fn two_sessions_hear_each_other_and_pass_frames_both_ways() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    let took = w.connect(FIRST).await;
    println!("Prepare to Up on both sides: {} ms", took.as_millis());
    w.until("both data channels", |w| w.ana.channel && w.ben.channel).await;
    w.ana.frame(b"from ana");
    w.ben.frame(&[7; 32_900]);
    w.until("both frames", |w| !w.ana.frames.is_empty() && !w.ben.frames.is_empty()).await;
    assert_eq!(w.ben.frames, [b"from ana".to_vec()]);
    assert_eq!(w.ana.frames, [vec![7; 32_900]], "a sealed frame of full size fits");
    w.open(FIRST, false);
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
    assert!(!w.ana.ear.hears(ANA) && !w.ben.ear.hears(BEN), "nobody hears oneself");
    w.end().await;
}

#[tokio::test]
async fn in_a_room_all_others_are_heard_over_one_transport() {
    let _shared = COMPANY.read().await;
    let room = Room::new();
    let mut people = [ANA, BEN, CID].map(Side::new);
    for (number, side) in (1..).zip(&mut people) {
        side.join(FIRST, room.seat(number));
        side.open(FIRST, false);
    }
    let give_up = clock::now() + Duration::from_secs(15);
    let [ana, ben, cid] = &mut people;
    let all = |ana: &mut Side, ben: &mut Side, cid: &mut Side| {
        let hears = |side: &mut Side, one, other| side.ear.hears(one) && side.ear.hears(other);
        hears(ana, BEN, CID) && hears(ben, ANA, CID) && hears(cid, ANA, BEN)
    };
    while !all(ana, ben, cid) {
        assert!(clock::now() < give_up, "all voices in time");
        clock::sleep(Duration::from_millis(5)).await;
    }
    let numbers = ana.stats().await;
    assert!(numbers.packets_in > numbers.packets_out, "two came for one that went: {numbers:?}");
    for side in [ana, ben, cid] {
        side.end().await;
    }
}

#[tokio::test]
async fn the_default_interfaces_serve_too() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.direct = true;
    (w.ana.interfaces, w.ben.interfaces) = (Vec::new(), vec!["auto".to_owned()]);
    let took = w.connect(FIRST).await;
    println!("Prepare to Up on both sides, over every address: {} ms", took.as_millis());
    w.open(FIRST, false);
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
    w.end().await;
}

#[tokio::test]
async fn before_the_answer_no_voice_is_sent_played_or_even_captured() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.connect(FIRST).await;
    w.until("both data channels", |w| w.ana.channel && w.ben.channel).await;
    w.pass(Duration::from_millis(400)).await;
    assert_eq!((w.voices(ANA), w.voices(BEN)), (0, 0), "no RTP before the answer");
    assert!(!w.ana.mic.was_read() && !w.ben.mic.was_read(), "no microphone before the answer");
    // Only Ana opens: Ben discards what comes until he opens too.
    w.ana.open(FIRST, false);
    w.until("Ana's packets on the wire", |w| w.voices(ANA) > 20).await;
    assert_eq!(w.voices(BEN), 0);
    assert!(w.ben.ear.is_untouched(), "nothing is played before the answer");
    w.ben.open(FIRST, false);
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
    w.end().await;
}

#[tokio::test]
async fn an_answer_that_is_made_while_it_rings_waits_until_it_may_go_and_comes_up_then() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.early = true;
    // Who says in the offer itself where they are still learns of nobody before the answer.
    let door = UdpSocket::bind("127.0.0.9:0").unwrap();
    door.set_nonblocking(true).unwrap();
    w.door = Some(door.local_addr().unwrap());
    w.begin(FIRST);
    w.until("Ben's answer", |w| w.ben.was_described(FIRST)).await;
    // Longer than a way is looked for, where the other side is there.
    w.pass(Duration::from_secs(11)).await;
    let over = |side: &Side| {
        [MediaReport::Lost, MediaReport::Stuck, MediaReport::Up].iter().any(|it| side.has(FIRST, it))
    };
    assert!(!over(&w.ana) && !over(&w.ben), "nobody misses anything");
    assert!(door.recv(&mut [0; 2_000]).is_err(), "nobody knocked");
    w.speak();
    w.open(FIRST, false);
    w.until("both voices", |w| w.ana.ear.hears(BEN) && w.ben.ear.hears(ANA)).await;
    w.end().await;
}

#[tokio::test]
async fn a_muted_side_goes_on_sending_silence() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    w.ana.order(FIRST, MediaOrder::SetMuted(true));
    w.until("silence at Ben's", |w| w.ben.ear.is_silent()).await;
    let before = w.voices(ANA);
    w.until("half a second of packets", |w| w.voices(ANA) >= before + 25).await;
    assert!(w.ben.ear.is_silent());
    w.until("Ben's voice at Ana's: one side is muted, the other is not", |w| w.ana.ear.hears(BEN)).await;
    assert!(w.ben.ear.is_silent());
    w.ana.order(FIRST, MediaOrder::SetMuted(false));
    w.until("Ana's voice again", |w| w.ben.ear.hears(ANA)).await;
    w.end().await;
}

#[tokio::test]
async fn the_other_is_played_as_loud_as_the_contact_is_set_to() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    w.ana.turn(0.0);
    w.until("silence at Ana's", |w| w.ana.ear.is_silent()).await;
    assert!(w.ben.ear.hears(ANA), "the other side is as it was");
    w.ana.turn(1.0);
    w.until("Ben's voice again", |w| w.ana.ear.hears(BEN)).await;
    w.end().await;
}

#[tokio::test]
async fn a_held_side_leaves_the_devices_to_others_and_sends_silence_until_it_resumes() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    for side in [&mut w.ana, &mut w.ben] {
        side.order(FIRST, MediaOrder::SetHeld(true));
    }
    w.until("free devices", |w| w.ana.mic.is_left_to_others() && w.ben.mic.is_left_to_others()).await;
    let before = (w.voices(ANA), w.voices(BEN));
    w.until("half a second of packets each way", |w| {
        w.voices(ANA) >= before.0 + 25 && w.voices(BEN) >= before.1 + 25
    })
    .await;
    // Mute and hold do not undo each other.
    w.ana.order(FIRST, MediaOrder::SetMuted(true));
    for side in [&mut w.ana, &mut w.ben] {
        side.ear.start_over();
        side.order(FIRST, MediaOrder::SetHeld(false));
    }
    w.until("Ben's voice again", |w| w.ana.ear.hears(BEN)).await;
    w.until("nothing of the muted Ana", |w| w.ben.ear.is_silent()).await;
    w.ana.order(FIRST, MediaOrder::SetMuted(false));
    w.until("Ana's voice again", |w| w.ben.ear.hears(ANA)).await;
    w.end().await;
}

#[tokio::test]
async fn the_statistics_of_a_call_go_on_over_a_hold() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    let before = w.ana.stats().await;
    assert!(before.packets_in > 10 && before.packets_played > 0, "{before:?}");
    w.ana.order(FIRST, MediaOrder::SetHeld(true));
    w.until("free devices", |w| w.ana.mic.is_left_to_others()).await;
    let held = w.ana.stats().await;
    assert!(held.packets_in >= before.packets_in, "{before:?}, then {held:?}");
    w.ana.ear.start_over();
    w.ana.order(FIRST, MediaOrder::SetHeld(false));
    w.until("Ben's voice again", |w| w.ana.ear.hears(BEN)).await;
    let after = w.ana.stats().await;
    assert!(
        after.packets_in > before.packets_in && after.packets_played > before.packets_played,
        "{before:?}, then {after:?}"
    );
    w.end().await;
}

#[tokio::test]
async fn without_a_microphone_encoded_silence_flows() {
    let _shared = COMPANY.read().await;
    let mut w = Between::new();
    w.ana.mic.unplug();
    w.connect(FIRST).await;
    w.open(FIRST, false);
    w.until("a second of packets", |w| w.voices(ANA) >= 50).await;
    assert!(w.ben.ear.is_silent());
    w.ana.mic.plug();
    w.until("Ana's voice", |w| w.ben.ear.hears(ANA)).await;
    w.end().await;
}

#[tokio::test]
async fn a_path_that_is_gone_closes_the_microphone_until_the_next_open() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    w.ana.order(FIRST, MediaOrder::Pause);
    w.until("a closed microphone", |w| !w.ana.mic.is_read()).await;
    w.until("silence at Ben's", |w| w.ben.ear.is_silent()).await;
    let before = w.voices(ANA);
    let heard = w.voices(BEN);
    w.until("half a second of Ben", |w| w.voices(BEN) >= heard + 25).await;
    assert!(w.voices(ANA) <= before + 1, "no RTP while paused");
    w.ana.open(FIRST, false);
    w.until("Ana's voice again", |w| w.ben.ear.hears(ANA)).await;
    w.end().await;
}

#[tokio::test]
async fn the_end_of_a_call_closes_the_microphone_and_every_path_that_nobody_closed() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    w.connect(SECOND).await;
    w.open(SECOND, false);
    w.until("voices on the new path", |w| w.voices_in(ANA, SECOND) > 20).await;
    // No order closes either of them.
    w.ana.end_call();
    w.until("a closed microphone", |w| !w.ana.mic.is_read()).await;
    w.until("an ended session", |w| w.ana.has_ended()).await;
    let before = (w.voices(ANA), w.voices(BEN));
    w.until("more of Ben, who has not ended", |w| {
        w.voices(BEN) >= before.1 + 25 || w.ben.has(SECOND, &MediaReport::Lost)
    })
    .await;
    assert_eq!(w.voices(ANA), before.0, "nothing is sent after the end");
    w.end().await;
}

#[tokio::test]
async fn what_is_closed_before_it_is_built_is_never_built() {
    let _shared = COMPANY.read().await;
    let mut side = Side::new(ANA);
    // The state is ahead of the queue: the path is closed when its order to build it is read.
    side.order(FIRST, MediaOrder::Prepare(Role::Offerer));
    side.order(FIRST, MediaOrder::Close);
    side.order(SECOND, MediaOrder::Prepare(Role::Offerer));
    side.until_described(SECOND).await;
    assert!(!side.was_described(FIRST));
    side.end().await;
}

#[tokio::test]
async fn a_path_that_is_asked_for_while_a_session_says_farewell_is_built_or_refused_in_words() {
    let _shared = COMPANY.read().await;
    // In a task of its own, which has its turn between any two of the session's.
    let mut beside = JoinSet::new();
    beside.spawn(async {
        let mut closing = 0;
        // At every moment of its end.
        for turns in 0..60 {
            let mut side = Side::new(ANA);
            side.order(FIRST, MediaOrder::Prepare(Role::Offerer));
            side.until_described(FIRST).await;
            side.order(FIRST, MediaOrder::Close);
            for _ in 0..turns {
                one_turn().await;
            }
            if side.try_order(SECOND, Role::Offerer) {
                side.until_anything(SECOND).await;
            } else if !side.has_ended() {
                closing += 1;
            }
            side.end().await;
        }
        assert!(closing > 0, "no order came in the middle of a farewell");
    });
    beside.join_next().await.unwrap().unwrap();
}

/// Every other task that is awake has its turn. Tokio's own way of yielding lets them have sixty.
async fn one_turn() {
    let mut had = false;
    std::future::poll_fn(|context| match std::mem::replace(&mut had, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

#[tokio::test]
async fn mute_and_close_reach_a_session_that_reads_none_of_its_orders() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    // More orders than its queue holds.
    w.ana.choke();
    w.ana.order(FIRST, MediaOrder::SetMuted(true));
    w.until("silence at Ben's", |w| w.ben.ear.is_silent()).await;
    w.ana.choke();
    w.ana.order(FIRST, MediaOrder::Close);
    w.until("a closed microphone", |w| !w.ana.mic.is_read()).await;
    w.end().await;
}

#[tokio::test]
async fn a_new_epoch_takes_over_without_a_gap() {
    let _shared = COMPANY.read().await;
    let mut w = Between::talking(FIRST).await;
    w.ana.ear.start_over();
    w.ben.ear.start_over();
    w.starved = Duration::ZERO;
    w.connect(SECOND).await;
    w.open(SECOND, false);
    w.until("voices on the new path", |w| w.voices_in(ANA, SECOND) > 20 && w.voices_in(BEN, SECOND) > 20)
        .await;
    let (ana, ben) = (w.voices_in(ANA, FIRST), w.voices_in(BEN, FIRST));
    w.until("more of them", |w| w.voices_in(ANA, SECOND) > 45 && w.voices_in(BEN, SECOND) > 45).await;
    assert_eq!((w.voices_in(ANA, FIRST), w.voices_in(BEN, FIRST)), (ana, ben), "the old path rests");
    w.close(FIRST);
    w.until("half a second more", |w| w.voices_in(ANA, SECOND) > 70 && w.voices_in(BEN, SECOND) > 70).await;
    let gaps = (w.ana.ear.longest_gap(), w.ben.ear.longest_gap());
    println!("longest gaps: {gaps:?}, starved {:?}", w.starved);
    let most = Duration::from_millis(200) + w.starved * 2;
    assert!(gaps.0 < most && gaps.1 < most, "{gaps:?}, starved {:?}", w.starved);
    w.end().await;
}

#[tokio::test]
async fn twenty_calls_leave_no_socket_behind() {
    let _alone = COMPANY.write().await;
    let mut before = (0, 0);
    let mut times = Vec::new();
    for n in 0..21 {
        let mut w = Between::new();
        times.push(w.connect(FIRST).await.as_millis());
        w.open(FIRST, false);
        w.until("a voice", |w| w.ben.ear.hears(ANA)).await;
        w.end().await;
        drop(w);
        if n == 0 {
            before = (open_files(), resident_kib());
        }
    }
    let after = (open_files(), resident_kib());
    times.sort_unstable();
    println!("Prepare to Up on both sides, ms: median {}, {times:?}", times[times.len() / 2]);
    println!("open files and resident KiB after 1 call {before:?}, after 21 {after:?}");
    assert_eq!(after.0, before.0, "open files");
}

#[cfg(test)]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[cfg(test)]
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
