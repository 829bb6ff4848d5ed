"""Through which networks a call finds its way, how soon, and what a break of its path costs.

    net_cases.py TARGET_FOLDER [key=value...]      (run by `make test-net`, which prepares everything)

    programs=FOLDER     ahoyd, ahoyctl and ahoy-relay; TARGET_FOLDER/release by itself
    cases="A B"         only these
    tries=N             set-ups of each case, 10 by itself
    beside=N            cases that run beside each other, 3 by itself
    short               figures are not judged (`make test`)

Each case has hosts, an emulated network between them, a relay, where it is wanted a TURN server, and two desktops of its own. Ana hums
one tone and Ben another. Daemons are new after four calls: a contact is heard five times a minute.
target/net/report.jsonl has an object for each case: medians of its calls, times in milliseconds. `setup_ms` is from Dial until it rings
with the path up, `heard_a` and `heard_b` from Answer until the other's tone is at that speaker, `restart_gap_ms` the longest silence at
either speaker around a break. target/net/CASE/ has the logs. Ends with 0 only if none falls short.

Lives here: a call of a case, how it is measured, and the report.
Must not: know the cases (ways.py), compute with samples (sound.py), run a desktop (pair.py) or touch a packet (network.py).
"""

import concurrent.futures
import json
import math
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import network
import sound
from desk import ROOT, now
from pair import Pair
from sound_cases import emulator
from turn import Turn
from ways import CASES, RTT, WINDOW, broken, short_of

# What Ana hums, and Ben, in hertz.
TONES = (2000, 3000)
# Calls that two daemons make with each other.
BATCH = 4
# Whoever has not heard the other after so many seconds never does.
PATIENCE = 12
OUTAGE, LATER = 10, 1
# After five minutes the WebRTC library renews the channels by which a TURN server carries packets.
RENEWED = 300
# Links, and whether datagrams go there, by how a path is called.
RELAYED = {"relay-udp": True, "relay-tcp": False, "relay-tls": False}
WAYS = {"direct": {("a>b", True), ("b>a", True)}, **{way: {("a>turn", udp)} for way, udp in RELAYED.items()}}
# Of a steady voice, so many packets a second.
STREAM = 20


def main(words):
    target, options = pathlib.Path(words[0]).resolve(), dict(word.split("=", 1) for word in words[1:] if "=" in word)
    programs = pathlib.Path(options.get("programs") or target / "release").resolve()
    names = (options.get("cases") or "").split()
    unknown = set(names) - {case.name for case in CASES}
    if unknown:
        raise SystemExit(f"no case is called {' '.join(sorted(unknown))}: {' '.join(case.name for case in CASES)}")
    wanted = [case for case in CASES if case.name in names or not names and not (case.long and "short" in words)]
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        print("SKIPPED: /dev/net/tun cannot be opened here")
        return 0
    out = target / "net"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    # Who is told to end ends what he has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began, tries, judge = now(), int(options.get("tries") or 10), broken if "short" in words else short_of
    print(f"RTT {RTT} ms, medians in ms\n{'case':17} tried failed  setup  (p90)  heard by Ana, Ben  gap  path", flush=True)

    def run(case):
        row = measured(case, programs, emulator(target), tries, out / case.name)
        row["short_of"] = judge(case, row)
        print(line(row), flush=True)
        return row

    with concurrent.futures.ThreadPoolExecutor(int(options.get("beside") or 3)) as threads:
        # What takes longest begins first.
        found = {case.name: threads.submit(run, case) for case in sorted(wanted, key=lambda case: case.tries != 1)}
        rows = [found[case.name].result() for case in wanted]
    report = out / "report.jsonl"
    report.write_text("".join(json.dumps(row) + "\n" for row in rows))
    wrong = [f"{row['case']}: {what}" for row in rows for what in row["short_of"]]
    print()
    print("\n".join(f"Falls short: {what}" for what in wrong) or "None falls short.")
    print(f"{len(rows)} cases in {(now() - began) / 60:.1f} min; report: {report}")
    return 1 if wrong else 0


def measured(case, programs, emulator, tries, out):
    """All calls of a case."""
    tries = case.tries or tries
    out.mkdir()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ahoy-"))
    calls, why = [], []
    try:
        lab = Lab(case, programs, emulator, scratch)
        try:
            for n in range(tries):
                if n % BATCH == 0 and n:
                    lab.renew()
                try:
                    calls.append(lab.call(case.event if n < case.events else None))
                except RuntimeError as error:
                    why.append(str(error))
                    lab.renew()
        finally:
            lab.close(out)
    except Exception as error:  # it costs the other cases nothing
        why += [f"{type(error).__name__}: {error}"] * (tries - len(calls) - len(why))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    (out / "why").write_text("\n\n".join(why))
    row = {"case": case.name, "tried": tries, "failed": len(why)}
    for key in ("setup_ms", "setup_p90_ms", "heard_a", "heard_b", "restart_gap_ms"):
        found = sorted(call[key.replace("_p90", "")] for call in calls if key.replace("_p90", "") in call)
        share = 0.9 if "p90" in key else 0.5
        row[key] = round(found[math.ceil(share * len(found)) - 1], 1) if found else None
    paths = {call["path"] for call in calls}
    row["path"] = "/".join(sorted(paths)) or None
    row["why"] = [words.split("\n")[0] for words in why]
    return row


class Lab:
    """Two people who hum and listen, in the networks of a case."""

    called = ""

    def __init__(self, case, programs, emulator, scratch):
        self.case, self.turn, self.pair, self.net, self.undo = case, None, None, None, []
        try:
            self.net = network.Network(emulator, scratch, 1, case.addresses, case.routers)
            self.clear()
            if "turn" in case.addresses:
                self.turn = Turn(self.net, scratch, case.nonce_s)
            ice = self.turn.ice(*case.turn) if self.turn else ""
            if case.event == "arrive":
                self.net.ip("a", "link set link1 down")
            self.pair = Pair(self.net, case.server, programs, scratch, interfaces='["auto"]', ice=ice, media=case.media)
            for desk, tone in zip(self.pair.desks, TONES):
                desk.hum(tone)
                desk.ears = desk.recorder("speaker.monitor")
        except BaseException:
            self.close(None)
            raise

    def close(self, out):
        if self.pair:
            if out:
                self.pair.keep_logs(out)
            self.pair.close()
        if self.turn and out:
            shutil.copy(self.turn.log, out)
        for each in (self.turn, self.net):
            if each:
                each.close()

    def renew(self):
        """Other daemons, in the network as it was."""
        self.clear()
        self.pair.renew()
        for desk in self.pair.desks:
            desk.ears.stop()
            desk.ears = desk.recorder("speaker.monitor")

    def clear(self):
        """The network as it is when nothing happens to it."""
        for words in self.undo:
            self.net.ip("a", *words)
        self.undo = []
        delay = f"delay={self.case.rtt / 2}ms"
        self.net.set(delay)
        for link, condition in self.case.line.items():
            self.net.set(f"{delay} {condition}", link=link)

    def call(self, event, rings=0.0):
        """A call from Dial to its end, answered after it rang for so many seconds; what was measured."""
        ana, ben = self.pair.desks
        since = now()
        ours, dialed, _ = ana.call(ROOT, "Manager", "Dial", "sa{sv}", "Ben", {})
        rang, theirs = ben.until("incoming", since=since, seconds=PATIENCE)
        self.pair.since, self.pair.paths = since, [ours, theirs]
        time.sleep(rings)
        answered = now()
        ben.call(theirs, "Call", "Answer", "a{sv}", {})
        active, _ = ben.until("active", since=since, seconds=PATIENCE)
        ana.until("active", since=since, seconds=PATIENCE)
        # Answered at once: who was not active by that had no path yet.
        found = {"setup_ms": 1000 * ((active if "connecting" in self.pair.states(ben) else rang) - dialed)}
        for key, listener, tone in (("heard_a", ana, TONES[1]), ("heard_b", ben, TONES[0])):
            heard = first_heard(listener, tone, answered)
            before = sound.tone_begins(listener.ears.between(dialed, answered), tone)
            if heard is None or before is not None:
                raise RuntimeError(f"{listener.name} heard the other {'never' if heard is None else 'before the answer'}\n{listener.words()}")
            found[key] = 1000 * heard
        time.sleep(0.5)
        found["path"] = self.path(now() - 0.5)
        if event:
            found.update(getattr(self, event)())
        self.pair.hang_up()
        if self.case.hidden and any(udp and link in ("a>b", "b>a") for link, udp in self.net.carried(since, now())):
            raise RuntimeError("a datagram went between the two")
        self.clear()
        # What is still in buffers must not be heard in the next call.
        time.sleep(0.3)
        return found

    def path(self, since):
        """Which way the voices go, as Ana's daemon tells it, if the packets of the hosts tell the same."""
        told = self.pair.ana.get(self.pair.paths[0], "Call", "Path")
        # Reading the log takes its time, which is not counted.
        end = now()
        counted = self.net.carried(since, end)
        streams = {link for link, count in counted.items() if count > STREAM * (end - since)}
        if not told or not WAYS[told] <= streams or told != "direct" and WAYS["direct"] & streams:
            raise RuntimeError(f"the path is said to be {told!r}, and the voices go by {dict(counted)}")
        return told

    # What happens to a call

    def cut(self):
        """All that the path uses is forgotten by the routers on it; what begins anew passes."""
        since = now()
        self.net.cut(*({"a", "b", "turn"} & set(self.case.addresses)))
        return self.gap(since)

    def leave(self):
        """Ana's first interface goes, the second one works."""
        since = now()
        self.lose_first()
        return self.gap(since)

    def arrive(self):
        """Ana's second interface, which she did not have when the call began, comes after the first one went."""
        self.lose_first()
        time.sleep(LATER)
        since = now()
        self.net.ip("a", "link set link1 up", "route add default dev link1 metric 200")
        self.undo.append(["link set link1 down"])
        return self.gap(since)

    def lose_first(self):
        self.net.ip("a", "link set link0 down")
        self.undo.append(["link set link0 up", "route add default dev link0 metric 100"])

    def outage(self):
        """Ana's network carries nothing for a while."""
        for link in ("a>*", "*>a"):
            self.net.set("down", link=link)
        time.sleep(OUTAGE)
        since = now()
        self.clear()
        return self.gap(since)

    def both_gone(self):
        """Both lose their networks for good: the call ends when its window is over."""
        since = now()
        for host in ("a", "b"):
            self.net.ip(host, "link set link0 down")
        for desk in self.pair.desks:
            desk.until("disconnected", since=since, seconds=WINDOW + PATIENCE)
        reasons = self.pair.hang_up()
        if reasons != ["connection-lost"] * 2:
            raise RuntimeError(f"the call ended {reasons}")
        return {}

    def outlast(self):
        """Nothing happens, until the TURN server has refused to renew a channel."""
        patience = now() + RENEWED + WINDOW
        time.sleep(RENEWED)
        while not self.turn.bound_anew():
            if now() > patience:
                raise RuntimeError("no channel was renewed under a nonce that had ended")
            time.sleep(0.5)
        since = now() - LATER
        # A channel that the library gave up for it is missed by then.
        time.sleep(3 * LATER)
        return self.gap(since)

    def gap(self, since):
        """The longest silence at either speaker from then on, once both hear each other again."""
        sides = list(zip(self.pair.desks, reversed(TONES)))
        until = now() + WINDOW
        while now() < until:
            time.sleep(0.5)
            if now() > since + 2 and all(sound.longest_without(desk.ears.between(now() - 0.6, now() - 0.1), tone) < 0.1 for desk, tone in sides):
                silences = [sound.longest_without(desk.ears.between(since, now() - 0.1), tone) for desk, tone in sides]
                return {"restart_gap_ms": 1000 * max(silences)}
        raise RuntimeError(f"not heard again {WINDOW} s after a break\n" + "\n".join(desk.words() for desk in self.pair.desks))


def first_heard(desk, tone, since):
    """After how many seconds a tone is at a speaker; None if it never is."""
    while now() < since + PATIENCE:
        time.sleep(0.5)
        begins = sound.tone_begins(desk.ears.between(since, now()), tone)
        if begins is not None:
            return begins
    return None


def line(row):
    show = lambda key: "-" if row[key] is None else f"{row[key]:.0f}"
    text = f"{row['case']:17} {row['tried']:5} {row['failed']:6}  {show('setup_ms'):>5}  {show('setup_p90_ms'):>5}  {show('heard_a'):>7} {show('heard_b'):>8}"
    text += f"  {show('restart_gap_ms'):>6}  {row['path'] or '-'}"
    return text + "".join(f"\n    FALLS SHORT: {what}" for what in row["short_of"])


if __name__ == "__main__":
    # A network of our own, from which those of the hosts are made.
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--keep-caps", "--net"]
    if "alone" not in sys.argv:
        os.execvp(alone[0], [*alone, sys.executable, *sys.argv, "alone"])
    sys.exit(main(sys.argv[1:]))
