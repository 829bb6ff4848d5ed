"""How soon two are each other's contacts once the code is typed.

    pairings.py TARGET_FOLDER [key=value...]      (run by `make pairings`, which prepares everything)

    programs=FOLDER     ahoyd, ahoyctl and ahoy-relay; TARGET_FOLDER/release by itself
    tries=N             pairings of each case, 10 by itself

Both and their relay are on hosts of their own; at `rtt50` every two of them are 25 ms apart each way.
target/bench/meeting.jsonl gets a line a case beside those of `make bench PART=meeting`: from JoinPairing until both contacts are there.
Ends with 0 only if none falls short.

Lives here: the cases, a pairing, and what must be reached.
Must not: run a desktop (pair.py) or touch a packet (network.py).
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

import machine
import network
from desk import ROOT, now
from pair import Pair
from setups import figures
from sound_cases import emulator

# Milliseconds there and back between every two, and from the code typed to both contacts: a second, and six round trips and a half.
CASES = {"loopback": (0, 1000), "rtt50": (50, 6 * 50 + 500)}
PATIENCE = 20
FIGURE = "code_typed_to_contacts_ms"


def main(words):
    target, options = pathlib.Path(words[0]).resolve(), dict(word.split("=", 1) for word in words[1:] if "=" in word)
    programs = pathlib.Path(options.get("programs") or target / "release").resolve()
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        print("SKIPPED: /dev/net/tun cannot be opened here")
        return 0
    out = target / "bench"
    out.mkdir(parents=True, exist_ok=True)
    awake, wrong = machine.Awake(), 0
    try:
        # What `make bench PART=meeting` has put there before stays.
        report = out / "meeting.jsonl"
        kept = [line for line in report.read_text().splitlines() if FIGURE not in line] if report.exists() else []
        report.write_text("".join(line + "\n" for line in kept))
        with report.open("a") as report:
            for name, (round_trip, must) in CASES.items():
                row = figures(FIGURE, name, measured(round_trip, programs, emulator(target), int(options.get("tries") or 10)))
                report.write(json.dumps(row) + "\n")
                short = row["median"] > must
                wrong += short
                told = f"{row['median']:6.1f} ms ({row['min']:.0f} to {row['max']:.0f}), at most {must}"
                print(f"{name:10} {row['figure']} {told}{'  FALLS SHORT' if short else ''}", flush=True)
    finally:
        awake.close()
    return 1 if wrong else 0


def measured(round_trip, programs, emulator, tries):
    """So many pairings."""
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ahoy-"))
    try:
        net = network.Network(emulator, scratch, 1)
        pair = Pair(net, "pulse", programs, scratch)
        try:
            net.set(f"delay={round_trip / 2}ms")
            return [paired(pair) for _ in range(tries)]
        finally:
            pair.close()
            net.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def paired(pair):
    """Both forget each other, and meet anew."""
    ana, ben = pair.desks
    for desk in pair.desks:
        for contact in json.loads(desk.ctl("contact", "list", "--json"))["contacts"]:
            desk.ctl("contact", "rm", contact["id"])
    code = ana.call(ROOT, "Manager", "StartPairing", "a{sv}", {})[0]
    _, typed, _ = ben.call(ROOT, "Manager", "JoinPairing", "sa{sv}", code, {})
    while now() < typed + PATIENCE:
        states = [desk.get(ROOT, "Manager", "Pairing")["state"][1] for desk in pair.desks]
        if states == ["paired"] * 2:
            return 1000 * (now() - typed)
        if "failed" in states:
            break
        time.sleep(0.002)
    raise RuntimeError(f"no pairing: {states}")


if __name__ == "__main__":
    # A network of our own, from which those of the hosts are made.
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--keep-caps", "--net"]
    if "alone" not in sys.argv:
        os.execvp(alone[0], [*alone, sys.executable, *sys.argv, "alone"])
    sys.exit(main(sys.argv[1:]))
