"""Ten people in one room of a real LiveKit server, of whom three speak: what one daemon weighs there and how it sounds, with LiveKit's own
client beside it.

    room_of_ten.py TARGET_FOLDER [lines=0,5] [seconds=45]      (run by `make room-of-ten`)

Ana is measured. Ben, Cleo and Dan have microphones, too; six more daemons have no sound server: they send what a silent microphone sends,
and have the call on hold while it is listened to: what nine decode for nobody's ears is more than two cores have left beside the rest.
While three speak at once and Ana is weighed, LiveKit's own client takes all ten voices in, unseen and without a key: what it hears is
noise, which it decodes. Ana, who opened the room, looks once a minute who is there and puts it out; another enters and is weighed before
the next look. A second run loses a twentieth of what the server sends to anybody. What the relay carries is counted. Figures:
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
# Messages that the relay carries for a pair, from Ana's dial until all hear each other, and when she ends the call for all; and for one
# member in a minute, of the thousand that it allows. What is said while they talk is printed: nothing but beats of who is not heard.
A_PAIR, A_MEMBER = 12, 500


def main(target, options):
    if not quiet_network():
        raise SystemExit("This wants a network of its own: as root, or where a user may have one")
    # LiveKit's own client takes loopback for no network.
    for words in ("link add lab0 type veth peer name lab1", "link set lab1 up", "link set lab0 up", "address add 192.0.2.1/24 dev lab0"):
        subprocess.run(["ip", *words.split()], check=True)
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
    since, count = now(), Messages(counted, len(everyone))
    ana.ctl("call", *(desk.name.lower() for desk in everyone[1:]))
    for desk in everyone[1:]:
        desk.until("incoming", since=since)
        desk.ctl("answer")
    everybody(everyone)
    time.sleep(4)
    row = {"members": len(everyone), "lost_percent": lost, "messages_a_pair": count.lap()}
    if lost:
        lose(rooms.media_port, lost)
    speakers = [desks[name] for name in SPEAKERS]
    silent = [desks[name] for name in SILENT]
    for desk in silent:
        desk.ctl("hold")
    row.update(listen(ana, speakers, speech))
    row["delay_ms"] = late(ana, speakers)
    # Whoever comes right after a look is weighed before the next.
    with contextlib.closing(Client(target, rooms)) as client:
        client.out.wait(LOOKS_EVERY + 15)
    for desk in silent:
        desk.ctl("resume")
    with contextlib.closing(Client(target, rooms)) as client:
        time.sleep(3)
        count.lap()
        row.update(weigh(ana, client.process, [desk.daemon for desk in everyone[1:]], speakers, seconds, awake))
        row["client_stayed"] = not client.out.is_set()
    row["messages_a_pair_while_they_talk"] = count.lap()
    ana.ctl("hangup", "--everyone")
    for desk in everyone[1:]:
        desk.until("disconnected", since=since)
    time.sleep(1)
    row["messages_a_pair_at_the_end"] = count.lap()
    row["messages_of_a_member"] = count.most()
    return row


class Messages:
    """What the relay carried, lap by lap."""

    def __init__(self, counted, members):
        self.counted, self.pairs = counted, members * (members - 1) / 2
        self.begun = self.mark = time.monotonic()

    def lap(self):
        """For a pair, since it was asked last."""
        (messages, _), self.mark = self.counted.since(self.mark), time.monotonic()
        return round(messages / self.pairs, 1)

    def most(self):
        """Of one member within a minute."""
        return self.counted.since(self.begun)[1]


class Client:
    """LiveKit's own client in the room, unseen and without a key, from when it is in until it is put out or `close`."""

    def __init__(self, target, rooms):
        (room,) = rooms.rooms()
        token = rooms.token(f"client {time.monotonic()}", roomJoin=True, room=room, canSubscribe=True, canPublish=False, hidden=True)
        command = [target / "room-python/bin/python", LAB / "room_client.py", "--url", rooms.url, "--token", token]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.out = threading.Event()
        joined = threading.Event()
        threading.Thread(target=self.read, args=(joined,), daemon=True).start()
        if not joined.wait(20):
            self.close()
            raise RuntimeError("LiveKit's own client did not come in")

    def read(self, joined):
        for line in self.process.stdout:
            said = json.loads(line)
            if said["what"] == "joined":
                joined.set()
            if said.get("name") == "disconnected":
                self.out.set()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def weigh(ana, client, others, speakers, seconds, awake):
    """Three speak all the time. What the machine does beside the two is told, too: where it has nothing left, all of them cost more."""
    speaking = [desk.speak(desk.folder / "says.raw") for desk in speakers]
    pids = {"ahoyd": [ana.daemon.pid], "client": [client.pid], "nine_daemons": [daemon.pid for daemon in others]}
    mark, weights = awake.mark(), {who: machine.Weight(each) for who, each in pids.items()}
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
    numbers = json.loads(ana.ctl("stats", "--json"))
    return {"pesq": pesq, "lost_ms": round(lost, 1), **{name: round(numbers[name], 3) for name in ("concealed", "playout_delay_ms")}}


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
    pair, member = row["messages_a_pair"] + row["messages_a_pair_at_the_end"], row["messages_of_a_member"]
    wrong += [f"{pair:.1f} messages a pair, at most {A_PAIR}"] if pair > A_PAIR else []
    wrong += [f"{member} messages of one member in a minute, at most {A_MEMBER}"] if member > A_MEMBER else []
    wrong += [f"{name} is heard with PESQ {found}, at least {least}" for name, found in row["pesq"].items() if found < least]
    return [f"{text} ({row['lost_percent']} % lost)" for text in wrong]


if __name__ == "__main__":
    within_own_network()
    given = dict(word.split("=", 1) for word in sys.argv[2:] if "=" in word)
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), given))
