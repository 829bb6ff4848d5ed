"""Where the time goes from Dial to the ring: every packet that a call needs until it rings, over a line of a chosen length.

    trips.py TARGET_FOLDER [rtt=50] [tries=5] [programs=FOLDER]      (run by `make trips`, which prepares everything)

Caller, callee and relay are on hosts of their own, half the round trip between every two of them. Of the call that took the median time
each packet is told: when it was sent, between whom, what it is, and how long its sender had had the last packet that came before it.

Lives here: the table, and what a packet is by its first byte.
Must not: judge a figure, run a desktop (pair.py) or touch a packet (network.py).
"""

import os
import pathlib
import shutil
import statistics
import sys
import tempfile

import network
from desk import ROOT, now
from pair import Pair
from sound_cases import emulator

# RFC 7983 §7, RFC 8489 §5; a record's type of DTLS (RFC 6347 §4.1).
KINDS = {"0001": "STUN check", "0101": "STUN answer", "16": "DTLS handshake", "14": "DTLS keys", "17": "data channel", "80": "RTP"}
# A contact is heard five times a minute.
MOST = 5
# Bytes at IP of a TCP packet with time stamps and nothing else.
ACKNOWLEDGEMENT = 52
HOSTS = {"a": "caller", "b": "callee", "relay": "relay"}


def main(words):
    target, options = pathlib.Path(words[0]).resolve(), dict(word.split("=", 1) for word in words[1:] if "=" in word)
    round_trip, tries = float(options.get("rtt") or 50), min(int(options.get("tries") or MOST), MOST)
    programs = pathlib.Path(options.get("programs") or target / "release").resolve()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ahoy-"))
    try:
        net = network.Network(emulator(target), scratch, 1)
        pair = Pair(net, "pulse", programs, scratch)
        try:
            net.set(f"delay={round_trip / 2}ms")
            calls = [ring(pair) for _ in range(tries)]
        finally:
            pair.close()
            net.command("flush")
            rows = net.log.read_text().splitlines()
            net.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    took = [rang - dialed for dialed, rang in calls]
    dialed, rang = calls[took.index(statistics.median_low(took))]
    print(f"{'ms':>7}  {'from > to':<16} {'':<15} {'bytes':>5}  ms after what came")
    print("\n".join(told(rows, dialed, rang, round_trip / 2)))
    all_of_them = " ".join(f"{1e3 * each:.0f}" for each in sorted(took))
    print(f"Dial to the ring: {1e3 * statistics.median(took):.0f} ms, the median of {all_of_them}, at {round_trip:.0f} ms to each other and back")


def ring(pair):
    """When a call was dialed, and when it rang."""
    dialed = now()
    pair.ana.call(ROOT, "Manager", "Dial", "sa{sv}", "Ben", {})
    rang, _ = pair.ben.until("incoming", since=dialed)
    pair.ana.ctl("hangup")
    pair.ana.until("disconnected", since=dialed)
    pair.ben.until("disconnected", since=dialed)
    return dialed, rang


def told(rows, dialed, rang, one_way):
    """The packets between these times, but those that only acknowledge."""
    came = {}
    for row in rows:
        at, link, size, datagram, first, *_ = row.split(" ")
        at, (sender, receiver) = int(at) / 1e6, link.split(">")
        if not dialed <= at < rang or datagram == "-" and int(size) <= ACKNOWLEDGEMENT:
            continue
        # What this host had got by then.
        last = max((there for there in came.get(sender, []) if there <= at), default=None)
        since = "" if last is None else f"{1e3 * (at - last):.1f}"
        kind = "TCP" if datagram == "-" else KINDS.get(first[:4]) or KINDS.get(first[:2]) or first[:2]
        yield f"{1e3 * (at - dialed):7.1f}  {HOSTS[sender] + ' > ' + HOSTS[receiver]:<16} {kind:<15} {size:>5}  {since}"
        came.setdefault(receiver, []).append(at + one_way / 1e3)


if __name__ == "__main__":
    # A network of our own, from which those of the hosts are made.
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--keep-caps", "--net"]
    if "alone" not in sys.argv:
        os.execvp(alone[0], [*alone, sys.executable, *sys.argv, "alone"])
    main(sys.argv[1:])
