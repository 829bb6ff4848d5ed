"""What a relay is given to carry: somebody between it and its clients who counts.

Lives here: the connections through, and the envelopes that clients send.
Must not: change a byte, or judge a count.
"""

import json
import socket
import threading
import time
import urllib.parse

# A frame of text of a client, in one piece (RFC 6455 section 5.2).
TEXT = 0x81
WINDOW = 60.0


class Counted:
    """Stands before the relay at `url`, on plain TCP, until the program ends."""

    def __init__(self, url):
        there = urllib.parse.urlsplit(url)
        self.there, self.sent, self.lock = (there.hostname, there.port), {}, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = there._replace(netloc=f"127.0.0.1:{self.listener.getsockname()[1]}").geturl()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        number = 0
        while True:
            client, _ = self.listener.accept()
            relay = socket.create_connection(self.there)
            number += 1
            threading.Thread(target=carry, args=(relay, client), daemon=True).start()
            threading.Thread(target=carry, args=(client, relay, Frames(self, number)), daemon=True).start()

    def count(self, connection, at):
        with self.lock:
            self.sent.setdefault(connection, []).append(at)

    def since(self, mark):
        """Envelopes since then: in all, and the most that one connection sent within a minute."""
        with self.lock:
            times = [[at for at in sent if at >= mark] for sent in self.sent.values()]
        most = max((sum(at <= one < at + WINDOW for one in sent) for sent in times for at in sent), default=0)
        return sum(map(len, times)), most


def carry(source, sink, frames=None):
    try:
        while found := source.recv(65536):
            if frames:
                frames.read(found)
            sink.sendall(found)
    except OSError:
        pass
    finally:
        for one in (source, sink):
            one.close()


class Frames:
    """The frames of one client, after its request."""

    def __init__(self, counted, number):
        self.counted, self.number, self.rest, self.asked = counted, number, b"", False

    def read(self, found):
        self.rest += found
        if not self.asked:
            _, end, rest = self.rest.partition(b"\r\n\r\n")
            if not end:
                return
            self.asked, self.rest = True, rest
        while (frame := self.next()) is not None:
            first, body = frame
            if first == TEXT and json.loads(body)["kind"] == "send":
                self.counted.count(self.number, time.monotonic())

    def next(self):
        """The next whole frame: its first byte, and what it holds."""
        if len(self.rest) < 2:
            return None
        length, begin = self.rest[1] & 0x7F, 2
        if length >= 126:
            begin = 4 if length == 126 else 10
            length = int.from_bytes(self.rest[2:begin], "big")
        if len(self.rest) < begin + 4 + length:
            return None
        mask, body = self.rest[begin:begin + 4], self.rest[begin + 4:begin + 4 + length]
        first, self.rest = self.rest[0], self.rest[begin + 4 + length:]
        whole = (mask * (length // 4 + 1))[:length]
        return first, (int.from_bytes(body, "big") ^ int.from_bytes(whole, "big")).to_bytes(length, "big")
