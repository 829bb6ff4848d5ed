"""RTP on the loopback, counted as it passes.

Lives here: a packet socket, and which process sends from which port.
Must not: look into a packet beyond what tells RTP from the rest.
"""

import os
import socket
import threading

from desk import now

ETH_P_ALL = 3
OUTGOING = 4


class Counter:
    """Times of all RTP packets on `lo`, by the port that they were sent from. Wants the right to capture packets."""

    def __init__(self):
        self.seen = []
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.bind(("lo", 0))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            packet, (_, protocol, kind, _, _) = self.socket.recvfrom(2048)
            if kind != OUTGOING:  # on `lo` each packet is seen twice
                continue
            at, udp = now(), None
            if protocol == 0x0800 and packet[9] == socket.IPPROTO_UDP:
                udp = packet[(packet[0] & 15) * 4 :]
            elif protocol == 0x86DD and packet[6] == socket.IPPROTO_UDP:
                udp = packet[40:]
            # RFC 7983: 128-191 is RTP or RTCP; RFC 5761: payload types 64-95 are RTCP.
            if udp and len(udp) > 20 and 128 <= udp[8] <= 191 and not 64 <= udp[9] & 127 <= 95:
                self.seen.append((at, int.from_bytes(udp[:2], "big")))

    def count(self, process, start, end):
        """How many the process sent between two times."""
        ours = ports(process)
        return sum(1 for at, port in self.seen if start <= at < end and port in ours)

    def before(self, end):
        """How many anybody sent before that time."""
        return sum(1 for at, _ in self.seen if at < end)


def ports(process):
    """The UDP ports that a process has open."""
    folder = f"/proc/{process}/fd"
    links = (os.readlink(f"{folder}/{name}") for name in os.listdir(folder))
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for table in ("udp", "udp6"):
        with open(f"/proc/{process}/net/{table}") as rows:
            fields = [row.split() for row in list(rows)[1:]]
        found |= {int(row[1].split(":")[1], 16) for row in fields if row[9] in inodes}
    return found
