"""A stranger on a local network, who shares no code with ahoy.

Lives here: asking by multicast DNS who is there; saying again what was overheard, with a door of one's own; standing between two who pair.
Must not: know a key.
"""

import os
import select
import socket
import struct
import sys

GROUP, PORT = "224.0.0.251", 5353
SERVICE = b"\x05_ahoy\x04_tcp\x05local\x00"


def listen():
    heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    heard.bind((GROUP, PORT))
    own = own_address()
    heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(own))
    heard.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
    heard.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    return heard, own


def own_address():
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.connect(("192.168.77.250", 9))
    return probe.getsockname()[0]


def offers(packet):
    """Whether it is an answer that tells of an ahoy with tags, and does not take it back."""
    return packet[2] & 0x80 and SERVICE[:6] in packet and b"t0=" in packet and ttl(packet) > 0


def ttl(packet):
    at = packet.index(SERVICE) + len(SERVICE)
    return struct.unpack(">I", packet[at + 4:at + 8])[0]


def ask():
    heard, own = listen()
    question = struct.pack(">6H", 0, 0, 1, 0, 0, 0) + SERVICE + struct.pack(">2H", 12, 1)
    for _ in range(20):
        heard.sendto(question, (GROUP, PORT))
        ready, _, _ = select.select([heard], [], [], 0.5)
        while ready:
            packet, (source, _) = heard.recvfrom(9000)
            if source != own and offers(packet):
                return
            ready, _, _ = select.select([heard], [], [], 0.5)
    sys.exit("nobody answers")


def lie():
    heard, own = listen()
    door = socket.create_server((own, 0))
    port = door.getsockname()[1]
    print("ready", flush=True)
    said, got, lied = set(), [], False
    while True:
        ready, _, _ = select.select([heard, door, sys.stdin], [], [])
        if sys.stdin in ready:
            break
        if heard in ready:
            packet, (source, _) = heard.recvfrom(9000)
            if source != own and offers(packet) and packet not in said:
                said.add(packet)
                heard.sendto(altered(packet, port), (GROUP, PORT))
                if len({p for p in said}) >= 2 and not lied:
                    lied = True
                    print("lied", flush=True)
        if door in ready:
            one, _ = door.accept()
            one.settimeout(2)
            bytes_ = b""
            try:
                while len(bytes_) < 57:
                    more = one.recv(4096)
                    if not more:
                        break
                    bytes_ += more
                one.sendall(b"\x5a" * 48)
                while more := one.recv(4096):
                    bytes_ += more
            except OSError:
                pass
            got.append(len(bytes_))
            one.close()
    for count in got:
        print("got", count, flush=True)


def altered(packet, port, named=None):
    """The same under another name, at our door."""
    at = packet.index(b"\x10", 12)
    while not packet[at + 1:at + 17].isalnum():
        at = packet.index(b"\x10", at + 1)
    name = packet[at + 1:at + 17]
    packet = packet.replace(name, named or bytes(reversed(name)))
    # The place: type 33, class, time to live, length, priority, weight, port.
    place = packet.index(b"\x00\x21\x80\x01")
    return packet[:place + 14] + struct.pack(">H", port) + packet[place + 16:]


def between(spoilt):
    """Says of the number that it is at our door, under a name that comes before all others; what passes there is carried on, one byte
    changed in the frame of that number, and the count of frames is said at the end."""
    heard, own = listen()
    door = socket.create_server((own, 0))
    print("ready", flush=True)
    offer, host, frames = None, None, 0
    while True:
        ready, _, _ = select.select([heard, door, sys.stdin], [], [])
        if sys.stdin in ready:
            break
        if heard in ready:
            packet, (source, _) = heard.recvfrom(9000)
            if source == own or SERVICE[:6] not in packet:
                continue
            if packet[2] & 0x80:
                # One byte is the length: four digits.
                if b"\x06p=" in packet and ttl(packet) > 0 and host is None:
                    named = b"0000" + os.urandom(6).hex().encode()
                    offer, host = altered(packet, door.getsockname()[1], named), (source, port_of(packet))
                    heard.sendto(offer, (GROUP, PORT))
                    print("heard", flush=True)
            elif offer is not None and source != host[0]:
                heard.sendto(offer, (GROUP, PORT))
        if door in ready:
            guest, _ = door.accept()
            with socket.create_connection(host) as other, guest:
                frames += carry(guest, other, spoilt)
    print("carried", frames, flush=True)


def carry(guest, other, spoilt):
    other.sendall(exactly(guest, 5))
    frames = 0
    while True:
        ready, _, _ = select.select([guest, other], [], [], 30)
        if not ready:
            return frames
        source, sink = (guest, other) if guest in ready else (other, guest)
        try:
            head = exactly(source, 2)
            frame = bytearray(exactly(source, struct.unpack(">H", head)[0]))
            if frames == spoilt:
                frame[min(16, len(frame) - 1)] ^= 1
            sink.sendall(head + frame)
        except OSError:
            return frames
        frames += 1


def exactly(source, count):
    got = b""
    while len(got) < count:
        more = source.recv(count - len(got))
        if not more:
            raise OSError("the end")
        got += more
    return got


def port_of(packet):
    place = packet.index(b"\x00\x21\x80\x01")
    return struct.unpack(">H", packet[place + 14:place + 16])[0]


if __name__ == "__main__":
    {"ask": ask, "lie": lie, "between": between}[sys.argv[1]](*map(int, sys.argv[2:]))
