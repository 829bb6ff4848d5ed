"""How soon who answers or joins a group is heard, and hears: in a mesh, and in a room of a real LiveKit server, beside a call of two.

    group_setups.py TARGET_FOLDER [programs=FOLDER] [tries=10]      (run by `make group-setups`, which prepares everything)

Ana and Ben hum into microphones of their own; Cleo, Dan and Emil have a daemon each, and no sound server. All are on one machine. In each
round Ana calls Ben alone; then him and two more, who have not answered when he does: a mesh; then him and three more, which is a room: he
answers when all are inside, while it rings. At last he has declined, the others talk in their room, and he joins. The way to the room's
server is sealed by TLS.
target/bench/group-setups.jsonl has a line a figure, as `make bench` writes them. Ends with 0 only if none falls short.

Lives here: the rounds, their figures and what they must reach.
Must not: run a desktop (desk.py) or a server (room_server.py).
"""

import contextlib
import json
import pathlib
import shutil
import sys
import tempfile
import time

import machine
import room_server
import sound
from demo import begin_relay, quiet_network, within_own_network
from desk import ROOT, Desk, now
from net_cases import first_heard
from pair import VOICE, certificate
from setups import figures

TONES = {"Ana": 700, "Ben": 1100}
SILENT = ["Cleo", "Dan", "Emil"]
# It rings for so long, so that every path is there; the answers fall on all of a sound server's period.
RINGS_S, STEP_S = 0.7, 0.0017
# A group may take so much longer than a call of two.
MORE_MS = 20
CASES = TWO, MESH, ROOM, JOIN = "two", "mesh", "room, entered while it rings", "room, Join by TLS"
FIGURES = {"Ana": "answer_to_heard_caller_ms", "Ben": "answer_to_heard_callee_ms"}


def main(target, options):
    if not quiet_network():
        raise SystemExit("This wants a network of its own: as root, or where a user may have one")
    server = room_server.program()
    if server is None:
        raise SystemExit("There is no LiveKit server: tests/lab/livekit.sh builds it")
    programs = pathlib.Path(options.get("programs") or target / "release").resolve()
    out, scratch, awake = target / "bench", pathlib.Path(tempfile.mkdtemp(prefix="ahoy-")), machine.Awake()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.ExitStack() as running:
            lab = Lab(programs, scratch, running, server)
            rounds = [lab.round(n) for n in range(int(options.get("tries") or 10))]
    finally:
        awake.close()
        shutil.rmtree(scratch, ignore_errors=True)
    named = lambda case, who: FIGURES[who].replace("answer", "join") if case == JOIN else FIGURES[who]
    rows = [figures(named(case, who), case, [each[case][who] for each in rounds]) for case in CASES for who in TONES]
    (out / "group-setups.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return judge(rows)


def judge(rows):
    """Prints them. Ends with 1 if a group is slower than it may be."""
    alone, wrong = {row["figure"]: row["median"] for row in rows if row["case"] == TWO}, 0
    for row in rows:
        must, verdict = None if row["case"] in (TWO, JOIN) else alone[row["figure"]] + MORE_MS, ""
        if must is not None:
            verdict = f", at most {must:.1f}" + ("  FALLS SHORT" if row["median"] > must else "")
            wrong += row["median"] > must
        print(f"{row['case']:30} {row['figure']:28} {row['median']:6.1f} ms ({row['min']:.0f} to {row['max']:.0f}){verdict}", flush=True)
    print("None falls short." if not wrong else f"{wrong} fall short.")
    return 1 if wrong else 0


class Lab:
    """Five people, a relay and a server of rooms behind TLS."""

    def __init__(self, programs, scratch, running, server):
        self.livekit = room_server.LiveKit(server, scratch / "livekit")
        running.callback(self.livekit.close)
        authority = certificate(scratch, "127.0.0.1", "room")
        front = room_server.Front(self.livekit, scratch / "room.pem", scratch / "room.key")
        running.callback(front.close)
        url = begin_relay(programs, running, self.livekit.relay(front.url), {"SSL_CERT_FILE": str(authority)})
        self.desks = {}
        for name in [*TONES, *SILENT]:
            sound_server = "pipewire" if name in TONES else None
            desk = Desk(name, scratch / name.lower(), programs, url, '"auto"', VOICE.format("off"), sound_server, authority)
            running.callback(desk.close)
            self.desks[name] = desk
        self.online()
        for one in self.desks.values():
            for other in self.desks.values():
                if one is not other:
                    other.ctl("contact", "add", "-", given=one.ctl("account", "card"))
        self.pair = [self.desks[name] for name in TONES]
        for desk, tone in zip(self.pair, TONES.values()):
            desk.hum(tone)
            desk.ears = desk.recorder("speaker.monitor")

    def online(self):
        for desk in self.desks.values():
            desk.until_online()

    def round(self, n):
        """By case and listener, in milliseconds."""
        # Whoever is called more than five times a minute by one contact does not ring.
        for desk in self.desks.values():
            desk.renew()
        self.online()
        for desk in self.pair:
            desk.ears.stop()
            desk.ears = desk.recorder("speaker.monitor")
        rings = RINGS_S + n * STEP_S
        found = {TWO: self.answered(["Ben"], rings), MESH: self.answered(["Ben", "Cleo", "Dan"], rings)}
        everyone = ["Ben", *SILENT]
        found[ROOM] = self.answered(everyone, rings, inside=5)
        found[JOIN] = self.joined(everyone)
        return found

    def dial(self, names):
        """Ana calls them; when, and each one's call."""
        since = now()
        ana = self.desks["Ana"]
        if len(names) == 1:
            ana.call(ROOT, "Manager", "Dial", "sa{sv}", names[0], {})
        else:
            ana.call(ROOT, "Manager", "StartGroup", "asa{sv}", names, {})
        return since, {name: self.desks[name].until("incoming", since=since)[1] for name in names}

    def answered(self, names, rings, inside=0):
        """Ben answers, who is one of several."""
        there = self.entered()
        since, paths = self.dial(names)
        if inside:
            until = now() + 15
            while self.entered() < there + inside:
                if now() > until:
                    raise RuntimeError(f"{self.entered() - there} of {inside} are in the room while it rings")
                time.sleep(0.02)
        time.sleep(rings)
        at = now()
        self.desks["Ben"].call(paths["Ben"], "Call", "Answer", "a{sv}", {})
        found = self.heard(since, at)
        self.over(names, since)
        return found

    def joined(self, names):
        """Ben declines, the others talk in a room, and he comes."""
        since, paths = self.dial(names)
        self.desks["Ben"].call(paths["Ben"], "Call", "Decline", "sa{sv}", "declined", {})
        for name in names:
            if name != "Ben":
                self.desks[name].call(paths[name], "Call", "Answer", "a{sv}", {})
                self.desks[name].until("active", since=since)
        time.sleep(2)
        at = now()
        self.desks["Ben"].call(paths["Ben"], "Call", "Join", "a{sv}", {})
        found = self.heard(since, at)
        self.over(names, since)
        return found

    def heard(self, since, at):
        found = {}
        for listener, other in (("Ana", "Ben"), ("Ben", "Ana")):
            desk = self.desks[listener]
            heard = first_heard(desk, TONES[other], at)
            before = sound.tone_begins(desk.ears.between(since, at), TONES[other])
            if heard is None or before is not None:
                raise RuntimeError(f"{listener} heard {other} {'never' if heard is None else 'before'}\n{desk.words()}")
            found[listener] = 1000 * heard
        return found

    def over(self, names, since):
        ana, group = self.desks["Ana"], len(names) > 1
        ana.ctl("hangup", *(["--everyone"] if group else []))
        for name in ["Ana", *names]:
            self.desks[name].until("disconnected", since=since)
        # What is still in buffers must not be heard in the next call.
        time.sleep(0.5)

    def entered(self):
        """How often somebody came into a room so far."""
        return (self.livekit.folder / "livekit.log").read_text().count("participant active")


if __name__ == "__main__":
    within_own_network()
    given = dict(word.split("=", 1) for word in sys.argv[2:] if "=" in word)
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), given))
