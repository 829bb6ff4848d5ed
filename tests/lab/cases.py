"""The lines and machines on which a call is measured, and what it must reach there.

Lives here: every case by name, and what falls short of it.
Must not: run a call, or know how a figure is measured.
"""

from dataclasses import dataclass, field

from sentences import SLOT

SERVERS = {"pipewire": "pipewire", "pulseaudio": "pulse"}
# The line changes in the middle of the second sentence; the fourth and the seven after it are judged.
CHANGE, JUDGED, LENGTH = 1.5 * SLOT, 3 * SLOT, 11 * SLOT
# The most sentences of any case.
LONGEST = 24


@dataclass
class Case:
    """`line` is a list of (seconds, condition). `pesq` must be reached; `delay` is the most milliseconds, by server. `loops` run beside
    it. `windows` are (name, start, end): of the last the sentences are judged, of the others they are told."""

    name: str
    line: list
    pesq: float = 0.0
    delay: dict = field(default_factory=dict)
    windows: list = field(default_factory=lambda: [("", JUDGED, LENGTH)])
    loops: int = 0
    # Measured on PulseAudio alone unless it is asked for.
    further: bool = False
    # Measured only if it is asked for.
    asked: bool = False
    # Otherwise it is enough that the call lives.
    heard: bool = True
    # The path must have been replaced, else nothing was measured.
    repaired: bool = False


def plain(name, condition, pesq=0.0, delay=None, **more):
    return Case(name, [(CHANGE, condition)], pesq, delay or {}, **more)


def repair(rtt):
    """The path is replaced, which takes some seven times there and back from when the loss is seen; what is said after that."""
    line = [(CHANGE, f"delay={rtt / 2}ms"), (5 * SLOT - 0.6, "cut")]
    return Case(f"repair-rtt{rtt}", line, 3.7, windows=[("", 6 * SLOT, 10 * SLOT)], repaired=True, further=True)


def both(most):
    return {server: most for server in SERVERS}


CASES = [
    plain("clean", "clean", 3.8, {"pipewire": 60, "pulseaudio": 80}),
    plain("loss2", "loss=2", 3.75),
    plain("loss5", "loss=5", 3.7),
    plain("loss10", "loss=10", 3.6),
    plain("loss20", "loss=20", 3.5),
    plain("burst10", "burst=10:4", 3.3),
    plain("jitter40", "jitter=40ms", 3.65),
    plain("jitter80", "jitter=80ms", 3.5),
    plain("loss10-jitter80", "loss=10 jitter=80ms", 3.3),
    plain("loss10-rtt60", "loss=10 delay=30ms", 3.4),
    plain("burst10-rtt60", "burst=10:4 delay=30ms", 3.2),
    plain("busy", "clean", 3.5, both(110), loops=4),
    plain("rate64", "rate=64kbit", 3.4),
    plain("rate48", "rate=48kbit", 2.8, both(250)),
    plain("rate32", "rate=32kbit", 2.4),
    plain("rate64-queue500", "rate=64kbit queue=500ms", further=True),
    plain("rate48-queue500", "rate=48kbit queue=500ms", further=True),
    plain("rate32-queue500", "rate=32kbit queue=500ms", further=True),
    plain("rate24", "rate=24kbit", further=True),
    plain("rate16", "rate=16kbit", further=True, heard=False),
    # Repairs of 0.1, 0.3, 0.5 and 2 s.
    *(repair(rtt) for rtt in (10, 50, 70, 280)),
    plain("loss5-jitter40", "loss=5 jitter=40ms", asked=True),
    # A minute of a plain call: what it weighs.
    Case("plain", [(CHANGE, "clean")], windows=[("", JUDGED, JUDGED + 18 * SLOT)], asked=True),
    # What is judged begins 10 s after the line is good again.
    Case(
        "step",
        [(CHANGE, "rate=100kbit"), (5 * SLOT, "rate=24kbit"), (11 * SLOT, "rate=100kbit")],
        windows=[("100", JUDGED, 5 * SLOT), ("24", 7 * SLOT, 11 * SLOT), ("after", 11 * SLOT + 10, 18 * SLOT)],
        further=True,
    ),
    # Three times, so that it is no matter of luck: the first 8 s of loss.
    Case(
        "onset",
        [(2 * SLOT, "loss=10"), (5 * SLOT, "clean"), (8 * SLOT, "loss=10"), (11 * SLOT, "clean"), (14 * SLOT, "loss=10")],
        3.0,
        windows=[("", 2 * SLOT, 17 * SLOT)],
        further=True,
    ),
]
ONSETS, FIRST = [2 * SLOT, 8 * SLOT, 14 * SLOT], 8.0
RECOVERY_S, REACTION_S = 10.0, 0.7
BESIDE = "plain clean loss5 loss10 loss20 burst10 jitter40 jitter80 loss5-jitter40 loss10-jitter80".split()


def broken(case, row):
    """What no call may do on any line, in words."""
    wrong = []
    if not row["lives"]:
        wrong.append(f"the call ended ({'/'.join(row['end_reasons'])})")
    elif case.heard and row["delay_ms"] is None:
        wrong.append("nothing was heard")
    return wrong


def short_of(case, row):
    """What a case does not reach, in words."""
    wrong = broken(case, row)
    if row["pesq"] < case.pesq:
        wrong.append(f"PESQ {row['pesq']}, at least {case.pesq}")
    if case.repaired and not row["repairs"]:
        wrong.append("the path was not replaced")
    most = case.delay.get(row["server"])
    if most and (row["delay_ms"] is None or row["delay_ms"] > most):
        wrong.append(f"mouth to ear {row['delay_ms']} ms, at most {most}")
    if "recovery_s" in row and (row["recovery_s"] is None or row["recovery_s"] > RECOVERY_S):
        wrong.append(f"recovered after {row['recovery_s']} s, at most {RECOVERY_S:.0f}")
    if any(seconds is None or seconds > REACTION_S for seconds in row.get("reaction_s", [])):
        wrong.append(f"first change after {row['reaction_s']} s, at most {REACTION_S}")
    return wrong


# What a plain call may take: of baresip's processor time, and MiB.
PROCESSOR, MEMORY = 1.0, 12.0


def heavier(ours, theirs):
    """Where a plain call takes more than it may, in words."""
    wrong, ratio = [], ours["cpu_s_min"] / theirs["cpu_s_min"]
    if ratio > PROCESSOR:
        wrong.append(f"a plain call takes {ratio:.2f} times baresip's processor, at most {PROCESSOR}")
    if ours["pss_mib"] > MEMORY:
        wrong.append(f"a plain call takes {ours['pss_mib']} MiB, at most {MEMORY:.0f}")
    return wrong
