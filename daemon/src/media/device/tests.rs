//! The handle and the callbacks, without any device.
//!
//! Lives here: what holds whatever the sound server does.
//! Must not: open a device.

use allocation_counter::{AllocationInfo, measure};
use rtrb::RingBuffer;

use super::rings::{Feed, Seat, Tap};
use super::*;

/// A handle whose other end is in our hands.
fn handle() -> (DeviceHandle, SyncSender<End>, Receiver<Command>) {
    let (commands, orders) = sync_channel(COMMANDS);
    let (ends_out, ends) = sync_channel(ENDS);
    let (_, state) = watch::channel(DeviceState::default());
    let handle = DeviceHandle {
        commands,
        ends,
        state,
        meters: Arc::new(Meters::default()),
        capture: None,
        playback: None,
        played: None,
        opened: 0,
        open: false,
        closed: false,
        margin: Margin::default(),
        underruns: 0,
    };
    (handle, ends_out, orders)
}

fn tap(ring: Producer<f32>, channels: usize) -> Tap {
    Tap { ring, meters: Arc::new(Meters::default()), channels, seat: Seat::default() }
}

fn feed(ring: Consumer<f32>, channels: usize) -> Feed {
    let (played, _nobody) = RingBuffer::new(1_000);
    Feed { ring, played, meters: Arc::new(Meters::default()), channels, seat: Seat::default() }
}

#[test]
fn callbacks_never_allocate() {
    assert_eq!(measure(|| drop(vec![0_u8; 32])).count_total, 1, "the check itself sees an allocation");
    for channels in [1, 2] {
        let (producer, consumer) = RingBuffer::new(2_000);
        let (mut tap, mut feed) = (tap(producer, channels), feed(consumer, channels));
        let mut block = vec![0.25; 512 * channels];
        let taken = measure(|| {
            for _ in 0..10 {
                tap.captured(&block);
            }
            for _ in 0..10 {
                feed.play(&mut block);
            }
        });
        assert_eq!(taken, AllocationInfo::default(), "{channels} channels");
        assert_eq!(tap.meters.counts().overruns, 5_120 - 2_000, "a full ring was met");
    }
}

#[test]
fn callbacks_copy_the_voice_and_fill_up_with_silence() {
    let (producer, consumer) = RingBuffer::new(100);
    let mut tap = tap(producer, 2);
    tap.captured(&[0.2, 0.0, 0.0, 0.4, 0.3, 0.3]);
    let mut feed = feed(consumer, 2);
    let mut out = [7.0; 8];
    feed.meters.primed.store(true, Ordering::Relaxed);
    feed.play(&mut out);
    assert_eq!(out, [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.0, 0.0]);
    feed.play(&mut out);
    assert_eq!(out, [0.0; 8]);
    let counts = feed.meters.counts();
    assert_eq!((counts.played, counts.underruns), (8, 1), "one run dry is one underrun");
}

#[test]
fn what_was_played_comes_back_with_the_silence_of_an_underrun() {
    for channels in [1, 2] {
        let (mut samples, consumer) = RingBuffer::new(100);
        let (tell, mut played) = RingBuffer::new(6);
        let meters = Arc::new(Meters::default());
        let mut feed = Feed { ring: consumer, played: tell, meters, channels, seat: Seat::default() };
        samples.push_entire_slice(&[0.1, 0.2, 0.3]).unwrap();
        feed.play(&mut vec![7.0; 4 * channels]);
        samples.push_entire_slice(&[0.4]).unwrap();
        feed.play(&mut vec![7.0; 4 * channels]);
        let mut heard = [9.0; 6];
        played.pop_entire_slice(&mut heard).unwrap();
        assert_eq!(
            heard,
            [0.1, 0.2, 0.3, 0.0, 0.4, 0.0],
            "{channels} channels, and a full ring loses the rest"
        );
    }
}

#[test]
fn nothing_of_an_earlier_opening_is_ever_read() {
    let (mut handle, ends, orders) = handle();
    let mut out = [0.0; 960];
    handle.open_capture();
    let (mut old, samples) = RingBuffer::new(1_000);
    ends.send(End::Capture { opened: 1, samples }).unwrap();
    old.push_entire_slice(&[0.5; 10]).unwrap();
    assert_eq!(handle.read(&mut out), 10);
    old.push_entire_slice(&[0.5; 10]).unwrap();
    handle.pause_capture();
    assert_eq!(handle.read(&mut out), 0, "closed");
    handle.open_capture();
    let (_late, samples) = RingBuffer::new(1_000);
    ends.send(End::Capture { opened: 1, samples }).unwrap();
    assert_eq!(handle.read(&mut out), 0);
    let told: Vec<_> = orders.try_iter().collect();
    assert_eq!(told, [Command::Capture(Some(1)), Command::Capture(None), Command::Capture(Some(2))]);
}

/// Some moment.
const THEN: Moment = Moment::from_micros(7_000_000);

/// A handle with a speaker, whose ring's other end is in our hands.
fn speaker() -> (DeviceHandle, Consumer<f32>) {
    let (mut handle, ends, _orders) = handle();
    assert_eq!(handle.wanted(THEN), 0, "no speaker");
    let (samples, ring) = RingBuffer::new(24_000);
    let (_tell, played) = RingBuffer::new(1);
    ends.send(End::Playback { samples, played }).unwrap();
    (handle, ring)
}

fn callback(meters: &Meters, at: Moment) {
    meters.played_at.store(at.micros(), Ordering::Relaxed);
}

#[test]
fn playback_without_a_rhythm_wants_a_block_and_a_margin_that_grows_with_underruns() {
    let (mut handle, mut ring) = speaker();
    assert_eq!(handle.wanted(THEN), 512 + 240);
    handle.write(&[0.1; 512 + 240]);
    assert_eq!(handle.wanted(THEN), 0, "enough");
    assert_eq!(handle.due(THEN, None), POLL);
    ring.pop_entire_slice(&mut [0.0; 512]).unwrap();
    assert_eq!(handle.wanted(THEN), 512);
    handle.meters.underruns.store(1, Ordering::Relaxed);
    assert_eq!(handle.wanted(THEN), 512 + 120, "more after an underrun");
    for n in 2..100 {
        handle.meters.underruns.store(n, Ordering::Relaxed);
        handle.wanted(THEN);
    }
    assert_eq!(handle.wanted(THEN), 512 + 1_920 - 240, "bounded");
}

#[test]
fn a_block_is_written_a_moment_before_the_speaker_takes_it() {
    let (mut handle, mut ring) = speaker();
    let ms = Duration::from_millis;
    handle.meters.block.store(480, Ordering::Relaxed);
    callback(&handle.meters, THEN);
    assert_eq!(
        handle.due(THEN, None),
        ms(4),
        "the next callback comes after 10 ms, 5 before it and one to wake"
    );
    assert_eq!(handle.wanted(Moment::from_micros(THEN.micros() - 5_000)), 0, "too soon");
    assert_eq!(handle.wanted(THEN + ms(4)), 480);
    handle.write(&[0.1; 480]);
    assert_eq!(handle.wanted(THEN + ms(8)), 0);
    assert_eq!(handle.wanted(THEN + ms(9)), 480, "who is awake anyway writes what is due soon");
    assert_eq!(handle.due(THEN + ms(4), None), ms(10), "the one after it");
    ring.pop_entire_slice(&mut [0.0; 480]).unwrap();
    callback(&handle.meters, THEN + ms(10));
    assert_eq!(handle.due(THEN + ms(12), None), ms(2));
    for _ in 0..3 {
        handle.margin.underran();
    }
    assert_eq!(handle.wanted(THEN + ms(12)), 960, "after underruns sooner, and more than a block");
    let stopped = THEN + ms(100);
    assert_eq!(handle.wanted(stopped), 480 + 810, "a stream that stopped has no rhythm");
    assert_eq!(handle.due(stopped, None), POLL);
}

#[test]
fn the_microphone_is_read_just_after_it_gave_what_completes_a_frame() {
    let (mut handle, ends, _orders) = handle();
    handle.open_capture();
    let (mut ring, samples) = RingBuffer::new(4_800);
    ends.send(End::Capture { opened: 1, samples }).unwrap();
    assert_eq!(handle.due(THEN, Some(960)), POLL, "it gave nothing yet");
    handle.meters.given.store(256, Ordering::Relaxed);
    handle.meters.captured_at.store(THEN.micros(), Ordering::Relaxed);
    ring.push_entire_slice(&[0.1; 256]).unwrap();
    let block = Duration::from_micros(5_333);
    assert_eq!(handle.due(THEN, Some(700)), 2 * block + LATE, "two more blocks");
    let late = THEN + 2 * block + Duration::from_millis(3);
    assert_eq!(handle.due(late, Some(700)), AGAIN, "one that is late is looked for");
    assert_eq!(handle.due(THEN, None), POLL);
    assert_eq!(handle.due(THEN + Duration::from_secs(1), Some(700)), POLL, "a dead one is not waited for");
}

#[test]
fn devices_that_a_held_call_has_left_wake_the_task_no_oftener_than_a_packet_is_due() {
    let (mut handle, _ends, _orders) = handle();
    let now = Moment::from_micros(1_000_000);
    handle.warm();
    assert_eq!(handle.due(now, None), POLL, "its loudspeaker is on its way");
    handle.close();
    assert_eq!((handle.due(now, None), handle.due(now, Some(960))), (IDLE, IDLE));
    handle.warm();
    assert_eq!(handle.due(now, None), POLL);
    handle.close();
    handle.open_capture();
    assert_eq!(handle.due(now, Some(960)), POLL);
}
