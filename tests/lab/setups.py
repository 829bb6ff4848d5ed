"""How soon a call rings and is heard, near and far, on both sound servers.

    setups.py TARGET_FOLDER [key=value...]      (run by `make setups`, which prepares everything)

    programs=FOLDER     ahoyd, ahoyctl and ahoy-relay; TARGET_FOLDER/release by itself
    cases="A B"         only these: direct, rtt50 (on PipeWire), direct-pulse, rtt50-pulse
    tries=N             calls of each case, 20 by itself
    beside=baresip      the same of that program, right after ours in each case: it rings at once and makes its path after the answer

Caller, callee and relay are on hosts of their own; at `rtt50` every two of them are 25 ms apart each way. The cores are kept awake. It
rings for half a second.
target/bench/setups.jsonl has a line a figure, as `make bench` writes them: from Dial to the ring with the path up, and from Answer until
the other's tone is at the speaker of the caller and of the callee. Ends with 0 only if none falls short.

Lives here: the cases, their figures and what they must reach.
Must not: run a call (net_cases.py), a desktop (pair.py) or touch a packet (network.py).
"""

import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

import machine
import network
from baresip import Baresips
from desk import now
from net_cases import BATCH, TONES, Lab, first_heard
from sound_cases import emulator
from ways import Case

FIGURES = {"setup_ms": "dial_to_ring_ms", "heard_a": "answer_to_heard_caller_ms", "heard_b": "answer_to_heard_callee_ms"}
# Dial to the ring, Answer to heard at caller and callee, in milliseconds: what the median of each may be.
CASES = {
    "direct": (Case("direct", rtt=0, server="pipewire"), (60, 60, 60)),
    "rtt50": (Case("rtt50", rtt=50, server="pipewire"), (380, 95, 120)),
    "direct-pulse": (Case("direct-pulse", rtt=0), (60, 80, 80)),
    "rtt50-pulse": (Case("rtt50-pulse", rtt=50), (380, 115, 140)),
}


# Nobody answers sooner. The answers of a case fall on all of a sound server's period.
RINGS_S, STEP_S = 0.5, 0.0017


def main(words):
    target, options = pathlib.Path(words[0]).resolve(), dict(word.split("=", 1) for word in words[1:] if "=" in word)
    programs = pathlib.Path(options.get("programs") or target / "release").resolve()
    names = (options.get("cases") or " ".join(CASES)).split()
    if unknown := set(names) - set(CASES):
        raise SystemExit(f"no case is called {' '.join(sorted(unknown))}: {' '.join(CASES)}")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        print("SKIPPED: /dev/net/tun cannot be opened here")
        return 0
    out = target / "bench"
    out.mkdir(parents=True, exist_ok=True)
    labs = [Lab, BaresipLab] if options.get("beside") else [Lab]
    awake, wrong = machine.Awake(), 0
    try:
        with (out / "setups.jsonl").open("w") as report:
            for name, lab in ((name, lab) for name in names for lab in labs):
                case, musts = CASES[name]
                calls = measured(lab, case, programs, emulator(target), int(options.get("tries") or 20))
                for (key, figure), must in zip(FIGURES.items(), musts):
                    row = figures(figure, name + lab.called, [call[key] for call in calls])
                    report.write(json.dumps(row) + "\n")
                    short = lab is Lab and row["median"] > must
                    wrong += short
                    verdict = f", at most {must}{'  FALLS SHORT' if short else ''}" if lab is Lab else ""
                    print(f"{row['case']:22} {figure:28} {row['median']:6.1f} ms ({row['min']:.0f} to {row['max']:.0f}){verdict}", flush=True)
    finally:
        awake.close()
    print("None falls short." if not wrong else f"{wrong} fall short.")
    return 1 if wrong else 0


def figures(figure, case, samples):
    at = {"median": statistics.median(samples), "min": min(samples), "max": max(samples)}
    return {"figure": figure, "case": case, "unit": "ms", "n": len(samples), **{key: round(each, 1) for key, each in at.items()}}


def measured(lab_of, case, programs, emulator, tries):
    """So many calls."""
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ahoy-"))
    calls = []
    try:
        lab = lab_of(case, programs, emulator, scratch)
        try:
            for n in range(tries):
                if n % BATCH == 0 and n:
                    lab.renew()
                calls.append(lab.call(None, RINGS_S + n * STEP_S))
        finally:
            lab.close(None)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return calls


class BaresipLab:
    """As `Lab`, with two people at baresip."""

    called = ", baresip"

    def __init__(self, case, programs, emulator, scratch):
        self.net = network.Network(emulator, scratch, 1, case.addresses, case.routers)
        try:
            self.net.set(f"delay={case.rtt / 2}ms")
            self.pair = Baresips(self.net, case.server, programs, scratch)
            for desk, tone in zip(self.pair.desks, TONES):
                desk.hum(tone)
                desk.ears = desk.recorder("speaker.monitor")
        except BaseException:
            self.net.close()
            raise

    def renew(self):
        """It may ring as often as it likes."""

    def call(self, event, rings):
        dialed = now()
        self.pair.since = dialed
        self.pair.tell(0, "dial", f"sip:b@{network.ADDRESS['b']}")
        rang = self.pair.until(1, "CALL_INCOMING")
        time.sleep(rings)
        answered = now()
        self.pair.tell(1, "accept")
        found = {"setup_ms": 1000 * (rang - dialed)}
        for key, listener, tone in (("heard_a", 0, TONES[1]), ("heard_b", 1, TONES[0])):
            heard = first_heard(self.pair.desks[listener], tone, answered)
            if heard is None:
                raise RuntimeError(f"{self.pair.desks[listener].name} never heard the other")
            found[key] = 1000 * heard
        self.pair.hang_up()
        time.sleep(0.3)
        return found

    def close(self, out):
        self.pair.close()
        self.net.close()


if __name__ == "__main__":
    # A network of our own, from which those of the hosts are made.
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--keep-caps", "--net"]
    if "alone" not in sys.argv:
        os.execvp(alone[0], [*alone, sys.executable, *sys.argv, "alone"])
    sys.exit(main(sys.argv[1:]))
