"""LiveKit's own client as somebody in a room, whom a test can steer: it shares no code with ours.

    room_client.py --url URL --token TOKEN [--identity NAME --tone HZ] [--key WHO=WORD ...]

Says one JSON object a line: joined, first (sound of somebody), heard (once a second of each who is heard: hz, rms, frames), event (what the
room told). Hears one a line:
    {"do": "key", "who": "x", "word": "y", "index": 1}   {"do": "use", "index": 1}   {"do": "mute", "on": true}   {"do": "leave"}

Lives here: a tone out, what is heard in, keys of frames.
Must not: judge what it hears.
"""

import argparse
import asyncio
import json
import sys
import time

import numpy
from livekit import rtc

RATE = 48_000


def say(what, **more):
    print(json.dumps({"what": what, "t": round(time.time() * 1000, 1), **more}), flush=True)


def pitch(samples):
    spectrum = numpy.abs(numpy.fft.rfft(samples * numpy.hanning(len(samples))))
    return round(int(spectrum.argmax()) * RATE / len(samples)), round(float((samples**2).mean() ** 0.5))


async def listen(track, who):
    window, frames, first = [], 0, True
    async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
        samples = numpy.frombuffer(event.frame.data, dtype=numpy.int16).astype(float)
        if first and numpy.abs(samples).max() > 500:
            say("first", who=who)
            first = False
        frames += 1
        window.append(samples)
        if len(window) * len(samples) >= RATE:
            hz, rms = pitch(numpy.concatenate(window)[-9600:])
            say("heard", who=who, hz=hz, rms=rms, frames=frames)
            window = []


async def tone(source, hz):
    n = 0
    while True:
        t = (numpy.arange(480) + n * 480) / RATE
        n += 1
        pcm = (8000 * numpy.sin(2 * numpy.pi * hz * t)).astype(numpy.int16)
        await source.capture_frame(rtc.AudioFrame(pcm.tobytes(), RATE, 1, 480))


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("--url", required=True)
    p.add_argument("--token", required=True)
    p.add_argument("--identity")
    p.add_argument("--tone", type=float)
    p.add_argument("--key", action="append", default=[])
    a = p.parse_args()
    room, tasks, tracks = rtc.Room(), [], {}

    @room.on("track_subscribed")
    def _(track, _publication, participant):
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            tasks.append(asyncio.ensure_future(listen(track, participant.identity)))

    def told(name):
        def tell(*args):
            say("event", name=name, args=[getattr(x, "identity", None) or getattr(x, "sid", None) or str(x) for x in args])

        room.on(name, tell)

    for name in ("participant_connected", "participant_disconnected", "track_muted", "e2ee_state_changed", "reconnecting", "reconnected", "disconnected"):
        told(name)
    options = rtc.RoomOptions(auto_subscribe=True)
    if a.key:
        options.encryption = rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=None))
    await room.connect(a.url, a.token, options)
    say("joined")
    keys = room.e2ee_manager.key_provider if options.encryption else None
    for pair in a.key:
        who, word = pair.split("=", 1)
        keys.set_key(who, word.encode(), 0)
    if a.tone:
        source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        tracks["mic"] = rtc.LocalAudioTrack.create_audio_track("mic", source)
        publish = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False, red=False)
        await room.local_participant.publish_track(tracks["mic"], publish)
        tasks.append(asyncio.ensure_future(tone(source, a.tone)))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        order = json.loads(line)
        match order["do"]:
            case "key":
                keys.set_key(order["who"], order["word"].encode(), order["index"])
            case "use":
                for cryptor in room.e2ee_manager.frame_cryptors():
                    if cryptor.participant_identity == a.identity:
                        cryptor.set_key_index(order["index"])
            case "mute":
                tracks["mic"].mute() if order["on"] else tracks["mic"].unmute()
            case "leave":
                break
    for task in tasks:
        task.cancel()
    await room.disconnect()
    say("left")


asyncio.run(main())
