"""aiortc's side of `make interop`: one RTCPeerConnection that does what it is told over a WebSocket, with a tone for a voice.

Lives here: the words of page.html that aiortc can follow.
Must not: restart ICE, which aiortc cannot.
"""

import asyncio
import fractions
import json
import math
import sys
from array import array

import websockets
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame

TONE, RATE, FRAME = 1000, 48000, 960


class Voice(MediaStreamTrack):
    """A steady tone, frame by frame."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.sent, self.begun = 0, None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.begun = self.begun or loop.time()
        await asyncio.sleep(max(0, self.begun + self.sent * FRAME / RATE - loop.time()))
        wave = array("h", (int(9000 * math.sin(2 * math.pi * TONE * n / RATE)) for n in range(FRAME)))
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(wave.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.sent * FRAME, fractions.Fraction(1, RATE)
        self.sent += 1
        return frame


class Ear:
    """Tells whether a tone is there, frame by frame."""

    def __init__(self, tone, heard):
        self.tone, self.heard = tone, heard
        self.run = self.silence = self.gap = 0
        self.told = False

    def look(self, left):
        sine = sum(s * math.sin(2 * math.pi * self.tone * n / RATE) for n, s in enumerate(left))
        cosine = sum(s * math.cos(2 * math.pi * self.tone * n / RATE) for n, s in enumerate(left))
        there = math.hypot(sine, cosine) * 2 / len(left) / 32768 > 0.03
        self.run, self.silence = (self.run + 20, 0) if there else (0, self.silence + 20)
        self.gap = max(self.gap, self.silence)
        if self.run >= 60 and not self.told:
            self.told = True
            self.heard()

    async def listen(self, track):
        while True:
            frame = await track.recv()
            samples = array("h", bytes(frame.planes[0])[: frame.samples * 2 * len(frame.layout.channels)])
            self.look(samples[:: len(frame.layout.channels)])


async def main(url):
    tasks = set()
    async with websockets.connect(url) as socket:

        def say(**word):
            task = asyncio.ensure_future(socket.send(json.dumps(word)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        pc = channel = ear = None

        def start(tone):
            nonlocal pc, channel, ear
            pc, ear = RTCPeerConnection(), Ear(tone, lambda: say(say="heard"))
            pc.addTrack(Voice())
            channel = pc.createDataChannel("ahoy", negotiated=True, id=0, ordered=False, maxRetransmits=0)
            channel.on("open", lambda: say(say="channel"))
            channel.on("message", lambda data: say(say="frame", bytes=len(data), first=data[0]))
            pc.on("connectionstatechange", lambda: say(say="state", state=pc.connectionState))

            @pc.on("track")
            def on_track(track):
                task = asyncio.ensure_future(ear.listen(track))
                tasks.add(task)

        async def describe(description):
            # Candidates stand in its text: aiortc gathers them all at first.
            await pc.setLocalDescription(description)
            local = pc.localDescription
            say(say="description", description={"type": local.type, "sdp": local.sdp})

        async def act(word):
            match word["do"]:
                case "start":
                    start(word["tone"])
                    if word["offers"]:
                        await describe(await pc.createOffer())
                case "description":
                    description = RTCSessionDescription(**word["description"])
                    await pc.setRemoteDescription(description)
                    if description.type == "offer":
                        await describe(await pc.createAnswer())
                case "frame":
                    channel.send(bytes([word["first"]]) + bytes(word["bytes"] - 1))
                case "forget":
                    ear.gap = ear.silence = 0
                case "hears":
                    return {"gap_ms": ear.gap, "run_ms": ear.run, "silence_ms": ear.silence}
                case "close":
                    await pc.close()
                case other:
                    raise ValueError(f"aiortc cannot {other}")
            return {}

        say(say="hello", trickles=False)
        async for text in socket:
            word = json.loads(text)
            try:
                say(re=word["id"], **await act(word))
            except Exception as error:  # whatever it is, the other program must hear of it
                say(re=word["id"], error=f"{word['do']}: {error!r}")


asyncio.run(main(sys.argv[1]))
