"""The networks between two people by which a call must find its way, and what may happen to it there.

Lives here: every case by name, and what falls short of it.
Must not: run a call, or know how a figure is measured.
"""

from dataclasses import dataclass, field

from network import ADDRESS

# Milliseconds there and back between every two hosts.
RTT = 50
# What the emulator does to the datagrams of a host where there are none.
NO_UDP = "loss=100"
WITH_TURN = {**ADDRESS, "turn": "10.77.0.4"}
IPV6 = {name: f"fd77::{n}" for n, name in enumerate(ADDRESS, 1)}
# Ana's machine has a second interface in another network.
TWO = {"a": "10.77.0.1", "a2": "10.77.1.1", "b": "10.77.0.2", "relay": "10.77.0.3"}
SOON = 1.5 + 5 * RTT / 1000
# After so many seconds a call whose path is not mended ends.
WINDOW = 30


@dataclass
class Case:
    """`line` is what the emulator's links do, by their names, beyond the delay. `routers` are Ana's and Ben's. `turn` are the transports
    that the relay offers; none is no STUN either. `path` is the one that must be found."""

    name: str
    path: str = "direct"
    line: dict = field(default_factory=dict)
    routers: dict = field(default_factory=dict)
    turn: tuple | None = None
    addresses: dict = field(default_factory=lambda: ADDRESS)
    media: dict = field(default_factory=dict)
    # For so many seconds a nonce of the TURN server is good; coturn's own time by itself.
    nonce_s: int | None = None
    # It takes minutes: measured where figures are judged, and if it is asked for.
    long: bool = False
    # What happens in the call, by its name in net_cases.py; of the calls of a case, the first so many.
    event: str = "cut"
    events: int = 3
    # No datagram goes between the two, before the answer or after it.
    hidden: bool = False
    # Set-ups, if another number than is asked for.
    tries: int | None = None
    rtt: int = RTT
    server: str = "pulse"
    # Seconds within which a set-up must be done, by the 90th percentile, and of silence that `event` may cost.
    setup_s: float | None = None
    gap_s: float | None = None


def lossy(percent):
    return Case(f"loss{percent}", line={"*": f"loss={percent}"}, setup_s=SOON)


def relayed(name, path, *transports, **more):
    return Case(name, path, turn=transports, addresses=WITH_TURN, **more)


def outlasting(name, transport, line):
    """The library renews the channel of its packets after five minutes, under a nonce that has ended since it last heard of one."""
    more = dict(event="outlast", tries=1, nonce_s=5, gap_s=0.2, long=True)
    return relayed(name, f"relay-{transport}", transport, line=line, **more)


def without_udp(*hosts):
    return {link: NO_UDP for host in hosts for link in (f"{host}>*", f"*>{host}")}


BOTH = ("a>b", "b>a")
CASES = [
    Case("direct"),
    Case("nat-both", routers={"a": "restricted", "b": "restricted"}, turn=(), addresses=WITH_TURN),
    relayed("nat-symmetric", "relay-udp", "udp", routers={"a": "symmetric", "b": "symmetric"}),
    relayed("relay-udp", "relay-udp", "udp", line={link: "down" for link in BOTH}),
    relayed("relay-tcp", "relay-tcp", "tcp", line=without_udp("a", "b")),
    relayed("relay-tls", "relay-tls", "tls", line=without_udp("a", "b")),
    Case("ipv6", addresses=IPV6),
    relayed("one-side-no-udp", "relay-tcp", "udp", "tcp", "tls", line=without_udp("a")),
    relayed("relay-only", "relay-udp", "udp", "tcp", "tls", media={"Ana": "relay-only = true\n"}, hidden=True),
    outlasting("relay-nonce", "udp", {link: "down" for link in BOTH}),
    outlasting("relay-nonce-tcp", "tcp", without_udp("a", "b")),
    outlasting("relay-nonce-tls", "tls", without_udp("a", "b")),
    lossy(2),
    lossy(5),
    lossy(10),
    # With a second interface that works, what Ana's first one carried moves over: near, and far.
    Case("second-interface", addresses=TWO, event="leave", events=9, tries=6, rtt=2, gap_s=0.3),
    Case("second-far", addresses=TWO, event="leave", events=9, tries=4, gap_s=SOON),
    # It comes a second after the first one went.
    Case("new-interface", addresses=TWO, event="arrive", events=9, tries=4, gap_s=SOON),
    Case("outage", event="outage", events=9, tries=2, gap_s=SOON),
    Case("both-gone", event="both_gone", tries=1),
]


def broken(case, row):
    """What must not happen on any machine, in words."""
    wrong = [f"{row['failed']} of {row['tried']} failed: {row['why'][0]}"] if row["failed"] else []
    if row["path"] not in (case.path, None):
        wrong.append(f"the path is {row['path']}, not {case.path}")
    return wrong


def short_of(case, row):
    """What a case does not reach, in words."""
    wrong = broken(case, row)
    if case.setup_s and (row["setup_p90_ms"] or 0) > 1000 * case.setup_s:
        wrong.append(f"nine of ten set-ups within {row['setup_p90_ms']} ms, at most {1000 * case.setup_s:.0f}")
    if case.gap_s and (row["restart_gap_ms"] or 0) > 1000 * case.gap_s:
        wrong.append(f"a gap of {row['restart_gap_ms']} ms, at most {1000 * case.gap_s:.0f}")
    return wrong
