"""Hosts in networks of their own, joined by an emulator that delays, loses and queues what they send.

Lives here: the namespaces, the routers before them, the emulator's commands, and what its log says of the packets that passed.
Must not: know what a call is, or what is said in it.
"""

import collections
import itertools
import subprocess
from pathlib import Path

LAB = Path(__file__).parent
# Above what plays and records: a packet must not wait for them.
PRIORITY = "12"
ADDRESS = {"a": "10.77.0.1", "b": "10.77.0.2", "relay": "10.77.0.3"}
# How a router gives its own address to those behind it. `restricted`: the port stays, whoever is talked to, and only who was talked to
# is let in. `symmetric`: another port by chance for each who is talked to.
ROUTERS = {"restricted": "", "symmetric": " fully-random"}
INSIDE, BEHIND = "192.168.0.1", "192.168.0.2"


class Network:
    """Hosts by their names, of which `a` and `b` are two people's; `a2` is a further interface of `a`. `routers` are the kinds of those
    that hosts live behind. Wants a network namespace of our own, with its rights."""

    def __init__(self, emulator, folder, seed, addresses=ADDRESS, routers=None):
        self.log, self.processes, self.hosts = Path(folder) / "packets", [], {}
        self.addresses, outside = addresses, {}
        for name in addresses:
            host = name.rstrip("0123456789")
            if host in self.hosts:
                continue
            self.hosts[host] = outside[host] = self.namespace()
            if host in (routers or {}):
                outside[host] = self.router(host, ROUTERS[routers[host]])
        hosts = [f"{name}={outside[name.rstrip('0123456789')]}:{address}" for name, address in addresses.items()]
        # In a network of its own too: there the interfaces are made, and others make some of the same names.
        words = ["unshare", "--net", str(LAB / "realtime.sh"), PRIORITY, str(emulator), "--seed", str(seed), "--log", str(self.log), *hosts]
        self.emulator = self.start(words)
        if self.emulator.stdout.readline().strip() != "ready":
            raise RuntimeError("the emulator did not start")

    def namespace(self):
        """A network of its own; the process that holds it."""
        host = self.start(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"])
        if host.stdout.readline().strip() != "up":
            raise RuntimeError("no network of its own for a host")
        return host.pid

    def router(self, host, more):
        """A router of its own before a host; the process that holds its network."""
        pid = self.namespace()
        run = lambda *words: subprocess.run(words, check=True)
        run("ip", "link", "add", "inside", "netns", str(pid), "type", "veth", "peer", "name", "link0", "netns", str(self.hosts[host]))
        self.ip(host, f"addr add {BEHIND}/24 dev link0", "link set link0 up", f"route add default via {INSIDE}")
        for words in (f"ip addr add {INSIDE}/24 dev inside", "ip link set inside up", "echo 1 >/proc/sys/net/ipv4/ip_forward"):
            run(*entering(pid), "sh", "-c", words)
        # What nobody behind it asked for is dropped as every such router does; let in to itself it would take the place of an answer.
        rules = "table ip way { chain out { type nat hook postrouting priority srcnat; oifname link0 masquerade%s; }; " % more
        rules += "chain in { type filter hook input priority filter; iifname link0 drop; }; }"
        run(*entering(pid), "nft", rules)
        return pid

    def ip(self, host, *commands):
        """Runs `ip` there."""
        for words in commands:
            subprocess.run([*self.within(host), "ip", *words.split(" ")], check=True)

    def start(self, words):
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def close(self):
        for process in reversed(self.processes):
            process.stdin.close()
            process.wait()

    def within(self, host):
        """The words that begin the command line of a program of that host's."""
        return entering(self.hosts[host])

    def command(self, line):
        """Gives the emulator a command; its answer."""
        self.emulator.stdin.write(line + "\n")
        self.emulator.stdin.flush()
        said = self.emulator.stdout.readline().strip()
        if not said or said.startswith("error"):
            raise RuntimeError(f"emulator: {line}: {said}")
        return said

    def set(self, condition, seed=None, link="*"):
        """What links do from now on, the first packet meeting the first fate of the seed."""
        if seed is not None:
            self.command(f"seed {seed}")
        self.command(f"set {link} {condition}")

    def change(self, condition, seed):
        """The same, or `cut`: the path between the two people must be replaced."""
        if condition == "cut":
            self.cut("a", "b")
        else:
            self.set(condition, seed)

    def cut(self, *hosts):
        """What goes between these hosts now goes no more: only what begins anew passes."""
        for one, other in itertools.permutations(hosts, 2):
            self.command(f"cut {one}>{other}")

    def keep(self, file, since):
        """Keeps the packets since then, with their seconds after it: link, bytes at IP and in the datagram, its first four, its fate and
        its microseconds in the queue."""
        self.command("flush")
        with open(self.log) as rows, open(file, "w") as kept:
            for row in whole(rows):
                at, rest = row.split(" ", 1)
                if int(at) / 1e6 >= since:
                    kept.write(f"{int(at) / 1e6 - since:.6f} {rest}")

    def packets(self, start, end, links=("a>b", "b>a")):
        """Datagrams on these links that were sent between two times; by themselves those between the two people."""
        found = []
        for at, link, size, first, fate, queued in self.rows(start, end):
            if size != "-" and link in links:
                found.append(Packet(at, link, int(size), bytes.fromhex(first), fate, int(queued) / 1e3))
        return found

    def carried(self, start, end):
        """How many packets were sent between two times on each link, by whether they were datagrams."""
        return collections.Counter((link, size != "-") for _, link, size, *_ in self.rows(start, end))

    def rows(self, start, end):
        self.command("flush")
        with open(self.log) as rows:
            for row in whole(rows):
                at, link, _, size, first, fate, queued = row.split(" ")
                at = int(at) / 1e6
                if start <= at < end:
                    yield at, link, size, first, fate, queued


def whole(rows):
    """Rows up to one that is being written, which is younger than what was asked for."""
    return itertools.takewhile(lambda row: row.endswith("\n"), rows)


def literal(address):
    """As it stands before a port."""
    return f"[{address}]" if ":" in address else address


def entering(pid):
    """The words that begin the command line of a program in that network."""
    return ["nsenter", "--target", str(pid), "--net", "--"]


class Packet:
    """A datagram: when it was sent, which way, its bytes and the first four of them, its fate, and its milliseconds in the queue."""

    def __init__(self, at, link, size, first, fate, queued_ms):
        self.at, self.link, self.size, self.first, self.fate, self.queued_ms = at, link, size, first, fate, queued_ms
        # RFC 7983: 128-191 is RTP or RTCP; RFC 5761: of these, payload types 64-95 are RTCP.
        realtime = size >= 12 and 128 <= first[0] <= 191
        self.rtcp = realtime and 192 <= first[1] <= 223
        self.rtp = realtime and not self.rtcp
        self.payload_type, self.number = first[1] & 127, int.from_bytes(first[2:4], "big")
        # RFC 4585 §6.2.1.
        self.nack = self.rtcp and first[1] == 205 and first[0] & 31 == 1


def kbit(packets, seconds):
    """Kilobits a second of UDP payload, one way."""
    return sum(packet.size for packet in packets) * 8 / 1000 / seconds / 2


def reaction(before, after):
    """Seconds from the first packet that was lost `after` something to the first thing that its sender had not done `before`: another
    payload type (copies), or a number again (a repeat). Of the slower side; none if one never did."""
    found = []
    for link in ("a>b", "b>a"):
        known = {packet.payload_type for packet in before if packet.link == link and packet.rtp}
        seen, lost = set(), None
        for packet in (packet for packet in after if packet.link == link and packet.rtp):
            if packet.payload_type not in known or packet.number in seen:
                found.append(packet.at - (lost or packet.at))
                break
            seen.add(packet.number)
            lost = lost or (packet.at if packet.fate == "lost" else None)
        else:
            found.append(None)
    return None if None in found else round(max(found), 2)


def rates(packets, start, end):
    """The kilobits of each whole second, one way."""
    return [kbit([p for p in packets if second <= p.at - start < second + 1], 1) for second in range(int(end - start))]
