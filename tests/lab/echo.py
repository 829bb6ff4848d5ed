"""Ben talks to Ana, whose microphone stands in the same room as her loudspeaker: does he hear himself?

    echo.py TARGET_FOLDER [debug]      (run by `make echo`, which prepares everything)

The room is a filter of PipeWire between her speaker and her microphone: 60 ms of way, 160 ms of walls, and a hiss beside it.
First with voice processing as it comes, then with it off: then he must hear himself, or the room proves nothing.
Ends with 0 only if all was so; target/echo/ keeps the recordings and report.json.

Lives here: the room, who talks when, and what must hold.
Must not: compute with samples otherwise than by sound.py.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy

import demo
import machine
import sound
from desk import ROOT, Desk, now

# How much weaker than the loudspeaker the microphone hears it.
ROOM_DB = -12.0
ROOM = """
context.properties = { log.level = 1 }
context.spa-libs = { audio.convert.* = audioconvert/libspa-audioconvert support.* = support/libspa-support }
context.modules = [
  { name = libpipewire-module-protocol-native }
  { name = libpipewire-module-client-node }
  { name = libpipewire-module-adapter }
  { name = libpipewire-module-filter-chain
    args = {
      node.description = "Room"
      filter.graph = { nodes = [ { type = builtin name = room label = convolver config = { filename = "FILE" } } ] }
      capture.props = { node.name = room.in audio.position = [ MONO ] stream.capture.sink = true target.object = speaker }
      playback.props = { node.name = room.out audio.position = [ MONO ] target.object = mic_in }
    }
  }
]
"""


def walls():
    """An impulse response: the direct way after 60 ms, then a tail that falls by 60 dB in 350 ms."""
    random = numpy.random.default_rng(3)
    tail = random.normal(0, 1, int(0.16 * sound.RATE)) * 10 ** (-3 * numpy.arange(int(0.16 * sound.RATE)) / (0.35 * sound.RATE))
    tail *= 1 / numpy.sqrt(2 * numpy.sum(tail**2))
    response = numpy.concatenate([numpy.zeros(int(0.06 * sound.RATE)), [1.0], tail])
    return response * 10 ** (ROOM_DB / 20) / numpy.sqrt(numpy.sum(response**2))


def talk(story, binaries, out, scratch, voice, report, last, awake):
    """One call with Ana's processing like that. False if the machine was too busy for a judgement, which the last try gives all
    the same: where the sound server misses its time the way of the echo changes, and the canceller begins anew."""
    running = []
    try:
        relay = subprocess.Popen([str(binaries / "ahoy-relay"), "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        running.append(lambda: (relay.terminate(), relay.wait()))
        url = relay.stdout.readline().split()[-1]
        settings = f'[voice]\necho = "{voice}"\nnoise = "{voice}"\ngain = "{voice}"\n'
        off = '[voice]\necho = "off"\nnoise = "off"\ngain = "off"\n'
        interfaces = '"auto"' if "--alone" in sys.argv else '["lo"]'
        ana = Desk("Ana", scratch / f"ana-{voice}", binaries, url, interfaces, settings)
        running.append(ana.close)
        ben = Desk("Ben", scratch / f"ben-{voice}", binaries, url, interfaces, off)
        running.append(ben.close)
        for desk in (ana, ben):
            desk.until_online()
        for one, other in ((ana, ben), (ben, ana)):
            other.ctl("contact", "add", "-", given=one.ctl("account", "card"))
        sound.save(ana.folder / "room.wav", walls())
        room = ana.folder / "room.conf"
        room.write_text(ROOM.replace("FILE", str(ana.folder / "room.wav")))
        ana.start(["pipewire", "-c", str(room)])
        for desk in (ana, ben):
            desk.record()
        said = {ana: sound.say("en-gb+f3", demo.ANA_SAYS, out / "ana-says.wav"), ben: sound.say("en-us+m3", demo.BEN_SAYS, out / "ben-says.wav")}
        for desk in (ana, ben):
            demo.raw(desk, "says", said[desk])
        hiss = numpy.random.default_rng(4).normal(0, 10 ** (-70 / 20), 90 * sound.RATE)
        demo.raw(ana, "hiss", hiss)
        ana.speak(ana.folder / "hiss.raw")
        _, dialed, _ = ana.call(ROOT, "Manager", "Dial", "sa{sv}", "Ben", {})
        theirs = ben.until("incoming", since=dialed)[1]
        ben.call(theirs, "Call", "Answer", "a{sv}", {})
        ana.until("active", since=dialed)
        time.sleep(1.0)

        mark, began = awake.mark(), now()
        ben.speak(ben.folder / "says.raw").wait()
        time.sleep(1.0)
        left, withheld = awake.left(mark)
        until = began + len(said[ben]) / sound.RATE
        played, back = (desk.ears.between(began, until) for desk in (ana, ben))
        sound.save(out / f"alone-{voice}.wav", back)
        loss = lambda start, end: sound.level(played[start * sound.RATE : end * sound.RATE]) - sound.level(back[start * sound.RATE : end * sound.RATE])
        ends = int(len(back) / sound.RATE)
        result = {"loss_first_5_s_db": demo.rounded(loss(0, 5)), "loss_after_5_s_db": demo.rounded(loss(5, ends)), "worst_2_s_db": demo.rounded(min(loss(at, at + 2) for at in range(5, ends - 2)))}
        if voice == "off":
            report["off"] = result
            story.must(loss(5, ends) < 20, f"with processing off he hears himself: {loss(5, ends):.0f} dB weaker than he is played there")
            return True
        if loss(5, ends) < 35 and not last and not machine.quiet(left, withheld):
            story.tell(f"{loss(5, ends):.0f} dB, but the machine had only {100 * left:.0f} % of its time left over: once more")
            return False
        story.must(loss(5, ends) >= 35, f"after 5 s Ben hears himself {loss(5, ends):.0f} dB weaker than he is played in Ana's room (at least 35; worst 2 s {result['worst_2_s_db']:.0f}; first 5 s {loss(0, 5):.0f})")
        stats = ana.call(ana.until("active")[1], "Call", "GetStats", "a{sv}", {})[0]
        result["told_db"] = demo.rounded(stats["echo-return-loss-db"][1]) if "echo-return-loss-db" in stats else None

        began = now()
        processes = [desk.speak(desk.folder / "says.raw") for desk in (ben, ana)]
        for process in processes:
            process.wait()
        time.sleep(1.0)
        heard = ben.ears.between(began, now())
        sound.save(out / f"both-{voice}.wav", heard)
        result["stoi_double_talk"] = demo.rounded(sound.intelligibility(said[ana], sound.align(said[ana], heard)), 2)
        story.must(result["stoi_double_talk"] >= 0.5, f"both talk at once: Ben understands Ana, STOI {result['stoi_double_talk']:.2f} (at least 0.5)")
        cpu = sum(map(int, pathlib.Path(f"/proc/{ana.daemon.pid}/stat").read_text().split()[13:15])) / os.sysconf("SC_CLK_TCK")
        result["daemon_cpu_s"] = demo.rounded(cpu)
        report["on"] = result
        return True
    finally:
        for each in reversed(running):
            each()
        for log in scratch.glob(f"ana-{voice}/log/*"):
            shutil.copy(log, out / f"ana-{voice}-{log.name}.log")


def main(target):
    out = target / "echo"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    story, report, awake = demo.Story(), {}, machine.Awake()
    demo.quiet_network()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ahoy-"))
    binaries = target / ("debug" if "debug" in sys.argv else "release")
    try:
        for voice in ("auto", "off"):
            story.tell(f"A call with voice processing {voice}")
            for again in range(3):
                if talk(story, binaries, out, scratch / str(again), voice, report, again == 2, awake):
                    break
    except (RuntimeError, subprocess.SubprocessError, OSError) as error:
        story.must(False, str(error))
    finally:
        awake.close()
        (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        shutil.rmtree(scratch, ignore_errors=True)
    print("\n".join(f"Not so: {text}" for text in story.wrong) or "All of it was so.")
    print(f"Recordings and report: {out}")
    return 1 if story.wrong else 0


if __name__ == "__main__":
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--keep-caps", "--net"]
    if "--alone" not in sys.argv and subprocess.run([*alone, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0:
        os.execvp(alone[0], [*alone, sys.executable, *sys.argv, "--alone"])
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
