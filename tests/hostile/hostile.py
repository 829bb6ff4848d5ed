"""Attacks a relay and daemons over the wire while honest people call each other.

    hostile.py BINARIES REPORT [ATTACK...]      (run by `make hostile`)

Over a plain relay and over one with TLS: a call between others stands all the time, and after each attack (and in the floods) a
dial between honest people must ring. Ends with `N tried, N held`, and with 0 only if all held.

Lives here: the scene around an attack, the times of honest dials, the report.
Must not: know how an attack works.
"""

import collections
import json
import pathlib
import resource
import statistics
import sys
import tempfile
import time

import daemon_attacks
import people
import relay_attacks
from people import Honest, Relay, introduce

# Callers take turns: a contact is heard five times a minute, and that limit stays on.
CALLERS = 10
HEARD, MINUTE = 5, 60.5
QUIET = 12
# What a dial may take in a flood before it counts as lost.
PATIENCE = 8.0


class Scene:
    """One relay, honest people, and the addresses that attackers and newcomers come from."""

    def __init__(self, binaries, folder, tls):
        self.binaries, self.folder, self.tls = binaries, folder, tls
        (folder / "relay").mkdir()
        self.relay = Relay(binaries, folder / "relay", tls)
        self.place, self.sockets = self.relay.place, 10_000 if not tls else 2_000
        self.addresses, self.flooded = 0, []
        self.people = []
        self.ben = self.person("Ben")
        self.callers = [self.person(f"Caller {number}") for number in range(CALLERS)]
        self.ana, self.cleo = self.person("Ana"), self.person("Cleo")
        for one in self.people:
            one.until_online()
        self.rang = collections.deque((caller, collections.deque(maxlen=HEARD)) for caller in self.callers)
        for caller in self.callers:
            introduce(caller, self.ben)
        introduce(self.ana, self.cleo)
        self.talk()

    def talk(self):
        """The call that stands beside all attacks."""
        self.ana.dial("Cleo")
        there = self.cleo.until_state("incoming")
        self.cleo.verb(there, "Answer")
        self.ana.until_state("active", seconds=20)

    def person(self, name):
        one = Honest(name, self.binaries, self.folder / name.replace(" ", "-"), self.relay)
        self.people.append(one)
        return one

    def fresh_address(self):
        """Loopback has sixteen million addresses: a newcomer has one of their own, outside of the attacker's /24."""
        self.addresses += 1
        return f"127.{1 + self.addresses // 60000}.{self.addresses // 250 % 240 + 1}.{self.addresses % 250 + 1}"

    def ring(self):
        """Milliseconds from Dial until it rings at the callee."""
        caller, rang = self.rang[0]
        self.rang.rotate(-1)
        if len(rang) == HEARD:
            # Nobody else is due sooner.
            time.sleep(max(0.0, rang[0] + MINUTE - people.now()))
        before = people.now()
        rang.append(before)
        call = caller.dial("Ben")
        self.ben.until_state("incoming", "waiting", contact=caller.name, seconds=PATIENCE)
        took = (people.now() - before) * 1000
        caller.verb(call, "Hangup")
        self.ben.until(lambda: not self.ben.in_state("incoming", "waiting", contact=caller.name), 10)
        return took

    def probe(self, times=1):
        """Honest dials in the flood; their median, kept for the report."""
        took = [self.ring() for _ in range(times)]
        self.flooded += took
        return statistics.median(took)

    def all_is_well(self):
        """What must be true after any attack."""
        if not self.relay.lives():
            raise AssertionError("the relay is gone")
        for one in self.people:
            if one.daemon.poll() is not None:
                raise AssertionError(f"{one.name}'s daemon is gone")
        if not self.ana.in_state("active") or not self.cleo.in_state("active"):
            raise AssertionError("the call that stood is over")

    def close(self):
        for one in self.people:
            one.close()
        self.relay.close()


def begin(binaries, root, tls):
    """A scene of its own folder: after an attack that came through the next one is judged for itself."""
    return Scene(binaries, pathlib.Path(tempfile.mkdtemp(dir=root)), tls)


def run(binaries, report_path, wanted):
    attacks = [*relay_attacks.ATTACKS, *daemon_attacks.ATTACKS]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    tried, held, quiet, flooded, lines = 0, 0, [], [], []
    for tls in (False, True):
        over, in_floods = "TLS" if tls else "plain", []
        with tempfile.TemporaryDirectory(prefix="ahoy-hostile-") as root:
            scene = begin(binaries, root, tls)
            try:
                quiet.append(statistics.median([scene.ring() for _ in range(QUIET)]))
                print(f"{over}: a quiet dial rings in {quiet[-1]:.0f} ms", flush=True)
                for number, attack in attacks:
                    if wanted and attack.__name__ not in wanted:
                        continue
                    tried += 1
                    before = time.monotonic()
                    try:
                        said = attack(scene)
                        scene.probe()
                        scene.all_is_well()
                        good = True
                    except Exception as error:  # an attack that came through, or broke the scene
                        said, good = f"{type(error).__name__}: {error}".replace("\n", " ")[:300], False
                    held += good
                    lines.append({"id": number, "attack": attack.__name__, "over": over, "held": good, "said": said})
                    what, took = attack.__doc__.splitlines()[0], time.monotonic() - before
                    print(f"{over:5} {'held  ' if good else 'BROKEN'} {number:12} {what}  [{said}; {took:.1f} s]", flush=True)
                    if not good:
                        in_floods += scene.flooded
                        scene.close()
                        scene = begin(binaries, root, tls)
                in_floods += scene.flooded
                flooded.append(statistics.median(in_floods) if in_floods else 0.0)
            finally:
                scene.close()
    report = {
        "tried": tried, "held": held, "quiet_ring_ms": round(max(quiet), 1), "flooded_ring_ms": round(max(flooded), 1), "attacks": lines,
    }
    report_path.parent.mkdir(parents=True, exist_ok=True)
    report_path.write_text(json.dumps(report, indent=1))
    late = report["flooded_ring_ms"] - report["quiet_ring_ms"]
    print(f"Dial until it rings: quiet {report['quiet_ring_ms']} ms, in the floods {report['flooded_ring_ms']} ms")
    if late > 300:
        print(f"NOT SO: in the floods it rings {late:.0f} ms later; 300 are allowed")
    print(f"{tried} tried, {held} held")
    return held == tried and late <= 300


if __name__ == "__main__":
    done = run(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), set(sys.argv[3:]))
    sys.exit(0 if done else 1)
