"""Ten people in one room of a real LiveKit server, of whom three speak: what one daemon weighs there and how it sounds, with LiveKit's own
client beside it.

    room_of_ten.py TARGET_FOLDER [lines=0,5] [seconds=45]      (run by `make room-of-ten`)

Ana is measured. Ben, Cleo and Dan have microphones, too; six more daemons have no sound server: they send what a silent microphone sends,
and have the call on hold while it is listened to: what nine decode for nobody's ears is more than two cores have left beside the rest.
LiveKit's own client takes all ten voices in, unseen and without a key: what it hears is noise to it, what that costs is the same. Ana, who
opened the room, looks once a minute who is there and puts it out; it enters anew and is weighed before the next look. A
second run loses a twentieth of what the server sends to anybody. What the relay carries is counted. Figures:
target/bench/room-of-ten.jsonl, and what they must be.

Lives here: the call, the windows, the figures and their limits.
Must not: run a desktop (desk.py) or a server (room_server.py).
"""

import contextlib
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import machine
import relay_count
import room_server
import sound
from demo import begin_relay, quiet_network, raw, stop, within_own_network
from demo_group import SAYS, everybody
from desk import LAB, Desk, now

SILENT = [f"P{n}" for n in range(5, 11)]
SPEAKERS = ["Ben", "Cleo", "Dan"]
BEEPS = 8
# How often the room's opener looks who is there, in seconds.
LOOKS_EVERY = 60
# What must hold: at most, but for PESQ.
CPU_S_MIN, PSS_MIB, MOUTH_TO_EAR_MS, PESQ, PESQ_LOSS = 5, 30, 110, 3.6, 3.5
# Messages that the relay carries for a pair, from Ana's dial until she has ended the call for all; and for one member in a minute, of the
# thousand that it allows.
A_PAIR, A_MEMBER = 12, 500


def main(target, options):
    if not quiet_network():
        raise SystemExit("This wants a network of its own: as root, or where a user may have one")
    binaries, out = target / "release", target / "bench"
    out.mkdir(exist_ok=True)
    server = room_server.program()
    if server is None:
        raise SystemExit("There is no LiveKit server: tests/lab/livekit.sh builds it")
    awake, scratch = machine.Awake(), pathlib.Path(tempfile.mkdtemp(prefix="ahoy-"))
    speech = {name: sound.say(SAYS[name][0], f"{SAYS[name][1]} {SAYS[name][1]}", scratch / f"{name}.wav") for name in SPEAKERS}
    rows, wrong = [], []
    try:
        for lost in [int(word) for word in options.get("lines", "0,5").split(",")]:
            with contextlib.ExitStack() as running:
                rooms = room_server.LiveKit(server, scratch / f"livekit-{lost}")
                running.callback(rooms.close)
                row = measure(binaries, target, scratch / str(lost), running, rooms, speech, lost, awake, float(options.get("seconds", 45)))
            rows.append(row)
            wrong += judge(row)
    finally:
        awake.close()
        for log in scratch.glob("*/*/log/ahoyd"):
            shutil.copy(log, out / f"room-{log.parts[-3]}.log")
        shutil.rmtree(scratch, ignore_errors=True)
    (out / "room-of-ten.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for row in rows:
        print(json.dumps(row))
    print("\n".join(f"Falls short: {text}" for text in wrong) or "All of it was so.")
    return 1 if wrong else 0


def measure(binaries, target, scratch, running, rooms, speech, lost, awake, seconds):
    counted = relay_count.Counted(begin_relay(binaries, running, rooms.relay()))
    url, desks = counted.url, {}
    for name in ["Ana", *SPEAKERS, *SILENT]:
        server = None if name in SILENT else "pipewire"
        desks[name] = Desk(name, scratch / name.lower(), binaries, url, '"auto"', server=server)
        running.callback(desks[name].close)
    for desk in desks.values():
        desk.until_online()
    everyone = list(desks.values())
    for one in everyone:
        for other in everyone:
            if one is not other:
                other.ctl("contact", "add", "-", given=one.ctl("account", "card"))
    ana, hearing = desks["Ana"], [desks[name] for name in ("Ana", *SPEAKERS)]
    for desk in hearing:
        desk.record()
    for name in SPEAKERS:
        raw(desks[name], "says", speech[name])
        raw(desks[name], "beep", sound.tone(1000, 0.2))
    since, dialed = now(), time.monotonic()
    ana.ctl("call", *(desk.name.lower() for desk in everyone[1:]))
    for desk in everyone[1:]:
        desk.until("incoming", since=since)
        desk.ctl("answer")
    everybody(everyone)
    time.sleep(4)
    if lost:
        lose(rooms.media_port, lost)
    row, speakers = {"members": len(everyone), "lost_percent": lost}, [desks[name] for name in SPEAKERS]
    silent = [desks[name] for name in SILENT]
    for desk in silent:
        desk.ctl("hold")
    with contextlib.closing(Client(target, rooms)) as client:
        row.update(listen(ana, speakers, speech))
        row["delay_ms"] = late(ana, speakers)
        client.out.wait(LOOKS_EVERY + 5)
    for desk in silent:
        desk.ctl("resume")
    with contextlib.closing(Client(target, rooms)) as client:
        time.sleep(3)
        row.update(weigh(ana, client.process, speakers, seconds, awake))
        row["client_stayed"] = not client.out.is_set()
    ana.ctl("hangup", "--everyone")
    for desk in everyone[1:]:
        desk.until("disconnected", since=since)
    messages, most = counted.since(dialed)
    row.update(messages_a_pair=round(messages / (len(everyone) * (len(everyone) - 1) / 2), 1), messages_of_a_member=most)
    return row


class Client:
    """LiveKit's own client in the room, unseen and without a key, until it is put out or `close`."""

    def __init__(self, target, rooms):
        (room,) = rooms.rooms()
        token = rooms.token("client", roomJoin=True, room=room, canSubscribe=True, canPublish=False, hidden=True)
        command = [target / "room-python/bin/python", LAB / "room_client.py", "--url", rooms.url, "--token", token]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.out = threading.Event()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            if json.loads(line).get("name") == "disconnected":
                self.out.set()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def weigh(ana, client, speakers, seconds, awake):
    """Three speak all the time."""
    speaking = [desk.speak(desk.folder / "says.raw") for desk in speakers]
    mark, weights = awake.mark(), {"ahoyd": machine.Weight([ana.daemon.pid]), "client": machine.Weight([client.pid])}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for n, desk in enumerate(speakers):
            if speaking[n].poll() is not None:
                speaking[n] = desk.speak(desk.folder / "says.raw")
        time.sleep(0.1)
    found = {who: weight.since() for who, weight in weights.items()}
    left, withheld = awake.left(mark)
    stop(*speaking)
    return {**found, "left_over": round(left, 2), "withheld": round(withheld, 2)}


def listen(ana, speakers, speech):
    """One after the other."""
    pesq, lost = {}, 0.0
    for desk in speakers:
        time.sleep(0.5)
        began = now()
        desk.speak(desk.folder / "says.raw").wait()
        time.sleep(0.8)
        end = now()
        lost = max(lost, 1000 * ana.lost(began, end), 1000 * desk.lost(began, end))
        pesq[desk.name] = round(sound.score(speech[desk.name], ana.ears.between(began, end))[0], 2)
    return {"pesq": pesq, "lost_ms": round(lost, 1)}


def late(ana, speakers):
    """From a speaker's microphone to Ana's speaker: the median of some beeps each."""
    found = []
    for desk in speakers:
        for _ in range(BEEPS):
            began = now()
            desk.speak(desk.folder / "beep.raw").wait()
            time.sleep(0.4)
            end = now()
            said, heard = (sound.onset(recording.between(began, end)) for recording in (desk.mouth, ana.ears))
            if said is not None and heard is not None:
                found.append(1000 * (heard - said))
    return round(statistics.median(found), 1) if found else None


def lose(port, percent):
    """So much of what comes from the server's port for sound gets lost, in a network of our own that ends with us."""
    rule = f"chain come {{ type filter hook input priority 0; udp sport {port} numgen random mod 100 < {percent} drop; }}"
    subprocess.run(["nft", f"table ip loss {{ {rule}; }}"], check=True)


def judge(row):
    """What is not as it must be."""
    least = PESQ_LOSS if row["lost_percent"] else PESQ
    ours, wrong = row["ahoyd"], []
    if not row["lost_percent"]:
        wrong += [f"{ours['cpu_s_min']} s of processor a minute, at most {CPU_S_MIN}"] if ours["cpu_s_min"] > CPU_S_MIN else []
        wrong += [f"{ours['pss_mib']} MiB, at most {PSS_MIB}"] if ours["pss_mib"] > PSS_MIB else []
        late = row["delay_ms"]
        wrong += [f"mouth to ear {late} ms, at most {MOUTH_TO_EAR_MS}"] if late is None or late > MOUTH_TO_EAR_MS else []
    pair, member = row["messages_a_pair"], row["messages_of_a_member"]
    wrong += [f"{pair} messages a pair, at most {A_PAIR}"] if pair > A_PAIR else []
    wrong += [f"{member} messages of one member in a minute, at most {A_MEMBER}"] if member > A_MEMBER else []
    wrong += [f"{name} is heard with PESQ {found}, at least {least}" for name, found in row["pesq"].items() if found < least]
    return [f"{text} ({row['lost_percent']} % lost)" for text in wrong]


if __name__ == "__main__":
    within_own_network()
    given = dict(word.split("=", 1) for word in sys.argv[2:] if "=" in word)
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), given))
