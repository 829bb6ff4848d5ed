"""A real call between Ana and Ben, told as it happens and measured at the other one's speaker.

    demo.py TARGET_FOLDER [debug] [busy=N]      (run by `make demo`, which prepares everything)

Two private desktops with a bus, a sound server and a daemon each, and a relay between them, in a network of their own. Then the same
two anew, at home: on two machines that a router joins, with no server at all.
Ends with 0 only if all of the story was so; target/demo/ keeps the recordings and report.json.

How a call sounds is judged where the machine was quiet and its sound servers kept their time, and else only printed: a window in
which a server lost time is measured again.

Lives here: the story, and what must hold.
Must not: compute with samples (sound.py), run a desktop (desk.py) or count packets (rtp.py).
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy

import machine
import network
import rtp
import sound
from desk import LAB, ROOT, Desk, now

ANA_SAYS = (
    "Good morning, Ben. I walked along the river before breakfast, and the water was higher than last week. "
    "Two boats had come loose and lay under the old bridge. A man with a long hook was pulling them back to the shore. "
    "He told me that the rain will go on until Friday. Shall we still take the train to the coast, "
    "or would you rather stay and paint the kitchen with me?"
)
BEN_SAYS = (
    "Hello, Ana. The market was nearly empty today, so I bought cheese, six brown eggs and a very large pumpkin. "
    "My neighbour lent me her bicycle, because mine has a broken wheel. On the way home I met our teacher from school. "
    "She is learning to play the cello, and every evening the whole street can hear it. "
    "Bring warm clothes on Saturday, since the house by the sea has no heating at all."
)
TONE_OF = {"Ana": 600, "Ben": 950}
# A window in which a sound server lost more than this is measured again, so often at most. A block of 256 frames is 5.3 ms.
LOST_MS = 2.0
TRIES = 3
# What each must hear of the other, and what on a machine that is kept busy.
LEAST, LEAST_BUSY = 3.0, 3.4


class Story:
    """Prints what happens, with the time since the beginning, and remembers what was not so."""

    def __init__(self):
        self.began, self.wrong = now(), []

    def tell(self, text):
        print(f"{now() - self.began:7.2f} s  {text}", flush=True)

    def must(self, true, text):
        self.tell(("     ok  " if true else "NOT SO:  ") + text)
        if not true:
            self.wrong.append(text)


def main(target):
    return play(target / "demo", tale)


def play(out, tale):
    """Tells a tale that gives a report, and what of it was not so. With `debug` among the arguments by programs without optimization."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    story, scratch, awake = Story(), pathlib.Path(tempfile.mkdtemp(prefix="ahoy-")), machine.Awake()
    binaries = out.parent / ("debug" if "debug" in sys.argv else "release")
    try:
        report = tale(story, binaries, scratch, out, awake)
        (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    except (RuntimeError, subprocess.SubprocessError, OSError) as error:
        story.must(False, str(error))
    finally:
        awake.close()
        for log in scratch.glob("*/log/ahoyd"):
            shutil.copy(log, out / f"{log.parts[-3]}.log")
        shutil.rmtree(scratch, ignore_errors=True)
    print()
    print("\n".join(f"Not so: {text}" for text in story.wrong) or "All of it was so.")
    print(f"Recordings and report: {out}")
    return 1 if story.wrong else 0


def tale(story, binaries, scratch, out, awake):
    """By a relay, and at home."""
    alone = quiet_network()
    speech = {"Ana": sound.say("en-gb+f3", ANA_SAYS, out / "ana-says.wav"), "Ben": sound.say("en-us+m3", BEN_SAYS, out / "ben-says.wav")}
    story.must(min(len(said) for said in speech.values()) >= 20 * sound.RATE, "each says at least 20 s")
    with contextlib.ExitStack() as running:
        report = by_relay(story, speech, out, by_relay_desks(story, binaries, scratch, running, alone), alone, awake)
    if alone:
        with contextlib.ExitStack() as running:
            report["at_home"] = at_home(story, speech, out / "at-home", home_desks(story, binaries, scratch, running), awake)
    else:
        story.tell("At home, with no server: not shown, networks are root's here")
    return report


def begin_relay(binaries, running, config=None, more_env=None):
    """A relay on the loopback; its address."""
    more = ["--config", str(config)] if config else []
    command, env = [str(binaries / "ahoy-relay"), "--listen", "127.0.0.1:0", *more], os.environ | (more_env or {})
    relay = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    running.callback(lambda: (relay.terminate(), relay.wait()))
    return relay.stdout.readline().split()[-1]


def by_relay_desks(story, binaries, scratch, running, alone):
    """Ana and Ben, who know each other by a relay."""
    story.tell("Ana and Ben get a desktop each: a bus, a sound server, a microphone, a speaker")
    url = begin_relay(binaries, running)
    desks = []
    for name in TONE_OF:
        desks.append(Desk(name, scratch / name.lower(), binaries, url, '"auto"' if alone else '["lo"]'))
        running.callback(desks[-1].close)
    for desk in desks:
        desk.until_online()
    story.tell(f"A relay listens on {url}; both daemons are online")
    ana, ben = desks
    for one, other in ((ana, ben), (ben, ana)):
        other.ctl("contact", "add", "-", given=one.ctl("account", "card"))
    story.tell("They exchange cards: ahoyctl account card | ahoyctl contact add -")
    return desks


def home_desks(story, binaries, scratch, running):
    """The same two as newcomers at home, who become contacts by a code."""
    story.tell("At home: Ana and Ben anew, on two machines that a router joins, with no relay and no other server")
    house = subprocess.Popen([str(LAB / "house.sh"), str(len(TONE_OF))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    running.callback(lambda: (house.stdin.close(), house.wait()))
    desks = []
    for name, machine_of in zip(TONE_OF, house.stdout.readline().split()):
        desks.append(Desk(name, scratch / f"{name.lower()}-at-home", binaries, None, '"auto"', within=network.entering(machine_of)))
        running.callback(desks[-1].close)
    ana, ben = desks
    for desk in desks:
        desk.until_so("is ready", lambda: desk.get(ROOT, "Manager", "Ready"))
    shows = ana.start([str(binaries / "ahoyctl"), "pair", "--here"], stdout=subprocess.PIPE)
    code = shows.stdout.readline().decode().strip()
    typed = now()
    ben.ctl("pair", "--here", code)
    if shows.wait(30) != 0:
        raise RuntimeError(f"Ana's side of the pairing ended with {shows.returncode}")
    story.tell(f"Ana says a code, {code}; Ben types it; {1000 * (now() - typed):.0f} ms later they are contacts")
    for desk in desks:
        desk.until_so("sees a neighbour", lambda: desk.get(ROOT, "Manager", "Neighbours") == 1)
    story.must("without a relay" in ana.ctl("status"), "ahoyctl status: at home, without a relay")
    return desks


def prepare(desks, speech):
    """Ears, and what each is to say."""
    for desk in desks:
        desk.record()
        raw(desk, "says", speech[desk.name])
        raw(desk, "tone", sound.tone(TONE_OF[desk.name], 90))


def at_home(story, speech, out, desks, awake):
    """A shorter call: that it rings, and how it sounds."""
    out.mkdir()
    prepare(desks, speech)
    ana, ben = desks
    report = answer(story, ana, ben, None, awake)
    report.update(busy_loops=0)
    talk(story, ana, ben, speech, out, report, awake)
    hang_up(story, ana, ben, report)
    return report


def by_relay(story, speech, out, desks, alone, awake):
    realtime = machine.realtime()
    if realtime:
        story.tell("Sound servers, players and recorders are real-time, the cores are kept awake")
    else:
        story.tell("No right to real-time priority (root has it): the sound servers keep their own, larger blocks")
    packets = rtp.Counter() if alone or os.geteuid() == 0 else None
    prepare(desks, speech)
    ana, ben = desks
    report = answer(story, ana, ben, packets, awake)
    busy = int(next((word[5:] for word in sys.argv if word.startswith("busy=")), "") or 0)
    report.update(realtime=realtime, busy_loops=busy)
    if busy:
        story.tell(f"{busy} programs that never rest run beside the talk")
    talk(story, ana, ben, speech, out, report, awake)
    mute(story, ana, ben, packets, report, awake)
    hang_up(story, ana, ben, report)
    return report


def answer(story, ana, ben, packets, awake):
    """A call that rings and is answered: again if it is heard too late in a disturbed window. What it took, and how many calls it
    was."""
    for n in range(1, TRIES + 1):
        mark = awake.mark()
        found, report, window = answer_once(story, ana, ben, packets if n == 1 else None)
        why = disturbed((ana, ben), window, awake.left(mark))
        if all(true for true, _ in found) or not why or n == TRIES:
            break
        story.tell(f"Heard too late while {why}: hung up, and once more")
        since = now()
        ana.ctl("hangup")
        for desk in (ana, ben):
            desk.until("disconnected", since=since)
    for true, text in found:
        story.must(true, text)
    return {**report, "calls": n}


def answer_once(story, ana, ben, packets):
    tones = [desk.speak(desk.folder / "tone.raw") for desk in (ana, ben)]
    time.sleep(0.5)
    _, dialed, _ = ana.call(ROOT, "Manager", "Dial", "sa{sv}", "Ben", {})
    rang, theirs = ben.until("incoming", since=dialed)
    ana.until("alerting", since=dialed)
    ring = 1000 * (rang - dialed)
    story.tell(f"Ana dials; Ben's phone rings after {ring:.0f} ms")
    time.sleep(1.0)
    before = now()
    quiet = max(sound.loudest(desk.ears.between(dialed, before - 0.1)) for desk in (ana, ben))
    story.must(quiet <= -70, f"while it rings, with a tone in both microphones, nothing is heard ({quiet:.0f} dBFS)")
    if packets:
        story.must(packets.before(before) == 0, "and no RTP is sent")
    _, answered, _ = ben.call(theirs, "Call", "Answer", "a{sv}", {})
    ben.until("active", since=answered)
    ana.until("active", since=answered)
    time.sleep(1.5)
    heard, found = {}, []
    for desk, other in ((ana, ben), (ben, ana)):
        at = sound.onset(desk.ears.between(answered, answered + 1.4))
        heard[desk] = None if at is None else 1000 * at
        if at is None:
            found.append((False, f"{desk.name} hears {other.name}"))
            continue
        pitch = sound.pitch(desk.ears.between(answered + at + 0.2, answered + at + 0.4))
        found.append((abs(pitch - TONE_OF[other.name]) < 10, f"what {desk.name} hears is {other.name}'s tone ({pitch:.0f} Hz)"))
        found.append((heard[desk] <= 150, f"Ben answers; {desk.name} hears {other.name} after {heard[desk]:.0f} ms (at most 150)"))
    stop(*tones)
    report = {"dial_to_ring_ms": rounded(ring), "answer_to_heard_caller_ms": rounded(heard[ana]), "answer_to_heard_callee_ms": rounded(heard[ben])}
    return found, report, (answered - 0.8, answered + 1.4)


def talk(story, ana, ben, speech, out, report, awake):
    """Both talk, and how that sounds is judged where the machine was quiet and the sound servers kept their time."""
    for n in range(1, TRIES + 1):
        loops = [machine.busy_loop() for _ in range(report["busy_loops"])]
        try:
            heard, lost, (left, withheld) = talk_once(story, ana, ben, awake)
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()
        # What our own loops took is no reason not to judge.
        quiet = machine.quiet(max(left, machine.QUIET if loops else 0), withheld)
        # On a busy machine the next window would be no better, and is not judged anyway.
        if lost <= LOST_MS or n == TRIES or not quiet:
            break
        story.tell(f"A sound server lost {lost:.0f} ms meanwhile, which is not the call's fault: once more")
    for desk in (ana, ben):
        sound.save(out / f"{desk.name.lower()}-heard.wav", heard[desk])
    judged, least = lost <= LOST_MS and quiet, LEAST_BUSY if report["busy_loops"] else LEAST
    report.update(windows=n, lost_ms=rounded(lost), left_over=rounded(left, 2), withheld=rounded(withheld, 2), pesq_judged=judged)
    why = f"the sound servers lost {lost:.1f} ms, the machine had {100 * left:.0f} % of its time left over, its host kept {100 * withheld:.0f} %"
    story.tell(("How it sounded is judged: " if judged else "How it sounded is printed and not judged: ") + why)
    for key, one, other in (("pesq_a_to_b", ana, ben), ("pesq_b_to_a", ben, ana)):
        whole, worst = sound.score(speech[one.name], heard[other])
        report[key] = rounded(whole, 2)
        text = f"{other.name}'s speaker says what {one.name} said: PESQ {whole:.2f} (at least {least}), worst 6 s {worst:.2f}"
        if judged:
            story.must(whole >= least, text)
        else:
            story.tell(" printed  " + text)
    crossed = max(sound.likeness(speech[desk.name], heard[desk]) for desk in (ana, ben))
    report["pesq_crossed"] = rounded(crossed, 2)
    story.must(crossed <= 1.6, f"and not what was said on its own side: PESQ {crossed:.2f} (at most 1.6)")


def talk_once(story, ana, ben, awake):
    """What each heard, the milliseconds that the sound servers lost, and what the machine had left over."""
    time.sleep(0.5)
    story.tell("They talk, both at once")
    mark, began = awake.mark(), now()
    for process in [desk.speak(desk.folder / "says.raw") for desk in (ana, ben)]:
        process.wait()
    time.sleep(0.8)
    end = now()
    return {desk: desk.ears.between(began, end) for desk in (ana, ben)}, lost_ms((ana, ben), began, end), awake.left(mark)


def lost_ms(desks, start, end):
    return 1000 * max(desk.lost(start, end) for desk in desks)


def mute(story, ana, ben, packets, report, awake):
    """Ana mutes: again if she is heard too long in a disturbed window."""
    tone = ana.speak(ana.folder / "tone.raw")
    time.sleep(1.0)
    path = ana.until("active")[1]
    before = sound.level(ben.ears.between(now() - 0.5, now() - 0.2))
    story.must(before > -30, f"Ana's microphone hears a tone; so does Ben ({before:.0f} dBFS)")
    for n in range(1, TRIES + 1):
        mark = awake.mark()
        found, level, window = mute_once(ana, ben, path, packets)
        why = disturbed((ana, ben), window, awake.left(mark))
        if all(true for true, _ in found) or not why or n == TRIES:
            break
        story.tell(f"Ben heard her too long while {why}: once more")
    report["mute_dbfs"] = rounded(level)
    for true, text in found:
        story.must(true, text)
    stop(tone)


def mute_once(ana, ben, path, packets):
    datagrams = udp_datagrams()
    _, _, muted = ana.call(path, "Call", "SetMuted", "ba{sv}", True, {})
    time.sleep(2.2)
    end = muted + 2.1
    level = sound.loudest(ben.ears.between(muted + 0.1, end))
    found = [(level <= -70, f"Ana mutes; from 100 ms later on Ben hears {level:.0f} dBFS (at most -70), the tone goes on")]
    if packets:
        sent = packets.count(ana.daemon.pid, muted + 0.1, end)
        found.append((sent >= 90, f"while her daemon still sends RTP: {sent} packets in 2 s"))
    else:
        sent = udp_datagrams() - datagrams
        found.append((sent >= 180, f"while RTP goes on: {sent} datagrams of both in 2 s (no right to look closer)"))
    _, _, opened = ana.call(path, "Call", "SetMuted", "ba{sv}", False, {})
    time.sleep(1.2)
    back = sound.onset(ben.ears.between(opened, opened + 1.0))
    found.append((back is not None, "Ana unmutes; Ben hears her again" + (f" after {1000 * back:.0f} ms" if back else "")))
    return found, level, (muted - 0.4, end)


def disturbed(desks, window, left):
    """Why a window says little about a call; nothing if it does not."""
    lost = lost_ms(desks, *window)
    if lost > LOST_MS:
        return f"a sound server lost {lost:.0f} ms"
    return "" if machine.quiet(*left) else f"the machine had {100 * left[0]:.0f} % of its time left over"


def hang_up(story, ana, ben, report):
    since = now()
    ben.ctl("hangup")
    reasons = []
    for desk in (ana, ben):
        path = desk.until("disconnected", since=since)[1]
        reasons.append(desk.get(path, "Call", "StateReason"))
    story.must(reasons == ["completed"] * 2, f"Ben hangs up; the call ended as {reasons[0]} for Ana, {reasons[1]} for Ben")
    report["end_reason"] = reasons[0] if reasons[0] == reasons[1] else "/".join(reasons)
    for key, desk in (("history_rows_a", ana), ("history_rows_b", ben)):
        rows, _ = desk.call(f"{ROOT}/history", "History", "List", "a{sv}a{sv}", {}, {})[0:2]
        report[key] = len(rows)
        story.must(len(rows) == report["calls"], f"{desk.name}'s history has {len(rows)} row{'s' if len(rows) > 1 else ''}:")
        print("\n".join("               " + line for line in desk.ctl("history").rstrip().splitlines()))


def raw(desk, name, samples):
    (desk.folder / f"{name}.raw").write_bytes((numpy.clip(samples, -1, 1) * 32767).astype(numpy.int16).tobytes())


def stop(*processes):
    for process in processes:
        process.terminate()
        process.wait()


def rounded(value, digits=1):
    return None if value is None else round(float(value), digits)


def udp_datagrams():
    """How many datagrams this network has taken in."""
    rows = [line.split() for line in open("/proc/net/snmp") if line.startswith("Udp:")]
    return int(rows[1][rows[0].index("InDatagrams")])


def quiet_network():
    """Whether this runs in a network of its own; brings its loopback up."""
    if "--alone" not in sys.argv:
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return True


def within_own_network():
    """Begins the program anew in a network of its own, where that can be: it has loopback and nothing else, and lets a user without
    rights count packets."""
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--keep-caps", "--net"]
    if "--alone" not in sys.argv and subprocess.run([*alone, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0:
        os.execvp(alone[0], [*alone, sys.executable, *sys.argv, "--alone"])


if __name__ == "__main__":
    within_own_network()
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
