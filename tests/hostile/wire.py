"""The wire of ahoy, written a second time from its description: frames of a relay, cards, Noise sessions.

Lives here: a client that can speak rightly; attacks bend what it makes.
Must not: share code with the project, or judge anything.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def private(key):
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def inbox_of(claim_key):
    return hashlib.blake2s(public(claim_key), digest_size=16).digest()


def token_hash(token):
    return hashlib.blake2s(b"ahoy token" + token).digest()[:16]


# WebSocket (RFC 6455), as much of it as a relay speaks


def frame(opcode, payload, final=True):
    """A client's frame. The mask is zero: it is a mask like any other, and costs a flood nothing."""
    head = bytes([(0x80 if final else 0) | opcode])
    n = len(payload)
    if n < 126:
        head += bytes([0x80 | n])
    elif n < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", n)
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", n)
    return head + b"\0\0\0\0" + payload


def text(value):
    return frame(TEXT, json.dumps(value, separators=(",", ":")).encode())


class Gone(Exception):
    """The other end closed the connection."""

    def __init__(self, why="", code=None):
        super().__init__(why)
        self.code = code


def tcp(place, source="127.0.0.1", timeout=5.0):
    """A TCP connection to a relay's place (host, port, ssl context or None), from one of the loopback addresses."""
    host, port, context = place
    made = socket.socket()
    made.settimeout(timeout)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        made.bind((source, 0))
        made.connect(("127.0.0.1", port))
        return context.wrap_socket(made, server_hostname=host) if context else made
    except (OSError, ssl.SSLError):
        made.close()
        raise


def handshake(place, extra="", path="/"):
    host, port, _ = place
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ahoy.relay.1\r\n{extra}\r\n"
    ).encode()


class Client:
    """One connection to a relay."""

    def __init__(self, place, source="127.0.0.1", timeout=5.0, extra="", path="/"):
        self.socket = tcp(place, source, timeout)
        self.buffer = b""
        self.frames = []
        self.socket.sendall(handshake(place, extra, path))
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            self.close()
            raise Gone(head.split(b"\r\n")[0].decode(errors="replace"))

    def more(self):
        try:
            piece = self.socket.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            raise TimeoutError from None
        except OSError as error:
            raise Gone(str(error)) from None
        if not piece:
            raise Gone("closed")
        self.buffer += piece

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone(str(error)) from None

    def say(self, **value):
        self.raw(text(value))

    def hear(self, *kinds, timeout=5.0):
        """The next frame of these kinds (any, if none); pings are answered, others are dropped."""
        end = time.monotonic() + timeout
        while True:
            while self.frames:
                value = self.frames.pop(0)
                if not kinds or value["kind"] in kinds:
                    return value
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.socket.settimeout(left)
            self.parse() or self.more()

    def parse(self):
        """Takes whole frames out of the buffer; whether there was one."""
        data, found = self.buffer, False
        while len(data) >= 2:
            opcode, n, at = data[0] & 15, data[1] & 127, 2
            if n == 126:
                if len(data) < 4:
                    break
                n, at = struct.unpack(">H", data[2:4])[0], 4
            elif n == 127:
                if len(data) < 10:
                    break
                n, at = struct.unpack(">Q", data[2:10])[0], 10
            if len(data) < at + n:
                break
            payload, data, found = data[at : at + n], data[at + n :], True
            if opcode == PING:
                self.raw(frame(PONG, payload))
            elif opcode == CLOSE:
                self.buffer = data
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None
                raise Gone(f"close {code} {payload[2:].decode(errors='replace')}", code)
            elif opcode == TEXT:
                self.frames.append(json.loads(payload))
        self.buffer = data
        return found

    def claim(self, key, tokens=(), more=False, nonce=None):
        """Says hello and takes the inbox of this key; the relay's welcome."""
        self.say(kind="hello", version=1)
        nonce = nonce or unb64(self.hear("challenge")["nonce"])
        self.say(**claimed(key, nonce, tokens, more))
        return self.hear("welcome")

    def send(self, inbox, token, body, ttl=60, envelope=None):
        self.say(**envelope_of(inbox, token, body, ttl, envelope))

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def claimed(key, nonce, tokens=(), more=False):
    signed = key.sign(b"ahoy relay claim 1" + nonce + public(key))
    value = {"kind": "claim", "key": b64(public(key)), "signature": b64(signed), "tokens": [b64(t) for t in tokens]}
    return {**value, "more": True} if more else value


def envelope_of(inbox, token, body, ttl=60, envelope=None):
    name = b64(envelope or os.urandom(16))
    return {"kind": "send", "inbox": b64(inbox), "token": b64(token), "id": name, "ttl": ttl, "body": b64(body)}


# Who somebody is


class Person:
    """An account with one device, at relays of its own choice."""

    def __init__(self, name, urls, life=365 * 86400, began=-60):
        self.name, self.urls, self.revision = name, urls, 1
        self.account, self.device = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.noise = X25519PrivateKey.generate()
        self.claims = [Ed25519PrivateKey.generate() for _ in urls]
        now = int(time.time())
        body = {
            "account": b64(public(self.account)),
            "device": b64(public(self.device)),
            "noise": b64(public(self.noise)),
            "name": "laptop",
            "created": now + began,
            "expires": now + began + life,
        }
        self.certificate = signed(self.account, b"ahoy device certificate 1\0", body)

    def card(self, token=None, **changes):
        """The text of a card, and the token in it."""
        token = token or os.urandom(16)
        inboxes = [{"relay": url, "inbox": b64(inbox_of(key))} for url, key in zip(self.urls, self.claims)]
        body = {
            "account": b64(public(self.account)),
            "name": self.name,
            "revision": self.revision,
            "devices": [{"certificate": b64(self.certificate), "inboxes": inboxes}],
            "token": b64(token),
            **changes,
        }
        return "ahoy:1" + b64(signed(self.account, b"ahoy card 1\0", body)), token


def signed(key, domain, body):
    body = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return key.sign(domain + body) + body


class Card:
    """What stands on somebody's card."""

    def __init__(self, text):
        body = json.loads(unb64(text.strip()[6:])[64:])
        self.account, self.token = unb64(body["account"]), unb64(body["token"])
        self.name, self.devices = body["name"], body["devices"]
        certificate = json.loads(unb64(self.devices[0]["certificate"])[64:])
        self.device, self.noise = unb64(certificate["device"]), unb64(certificate["noise"])
        self.inboxes = [(at["relay"], unb64(at["inbox"])) for at in self.devices[0]["inboxes"]]


# Noise_IK_25519_ChaChaPoly_BLAKE2s


def hkdf(chaining, material, count):
    temp = hmac.new(chaining, material, hashlib.blake2s).digest()
    out, last = [], b""
    for number in range(1, count + 1):
        last = hmac.new(temp, last + bytes([number]), hashlib.blake2s).digest()
        out.append(last)
    return out


def nonce96(number):
    return b"\0\0\0\0" + struct.pack("<Q", number)


class Symmetric:
    def __init__(self):
        # Longer than a hash, so it is hashed (Noise, section 5.2).
        self.hash = hashlib.blake2s(b"Noise_IK_25519_ChaChaPoly_BLAKE2s").digest()
        self.chaining, self.key, self.number = self.hash, None, 0

    def mix_hash(self, data):
        self.hash = hashlib.blake2s(self.hash + data).digest()

    def mix_key(self, material):
        self.chaining, self.key = hkdf(self.chaining, material, 2)
        self.number = 0

    def seal(self, plain):
        sealed = ChaCha20Poly1305(self.key).encrypt(nonce96(self.number), plain, self.hash) if self.key else plain
        self.number += 1
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed):
        plain = ChaCha20Poly1305(self.key).decrypt(nonce96(self.number), sealed, self.hash) if self.key else sealed
        self.number += 1
        self.mix_hash(sealed)
        return plain


def dh(own, other):
    return own.exchange(X25519PublicKey.from_public_bytes(other))


def pad(content):
    full = 512
    while full < len(content) + 2:
        full *= 2
    return (struct.pack(">H", len(content)) + content).ljust(full, b"\0")


def unpad(plain):
    return plain[2 : 2 + struct.unpack(">H", plain[:2])[0]]


HELLO, REPLY, SEALED = 1, 2, 3


def header(session, kind, number=0):
    return bytes([1]) + session + bytes([kind]) + struct.pack(">Q", number)


class Session:
    """A Noise session that we begin with a device (its card), and what is said in it."""

    def __init__(self, me, card, hello):
        self.me, self.card, self.id = me, card, os.urandom(16)
        self.state, self.ephemeral = Symmetric(), X25519PrivateKey.generate()
        self.state.mix_hash(b"ahoy/1" + self.id + card.device)
        self.state.mix_hash(card.noise)
        e = public(self.ephemeral)
        self.state.mix_hash(e)
        self.state.mix_key(dh(self.ephemeral, card.noise))
        s = self.state.seal(public(me.noise))
        self.state.mix_key(dh(me.noise, card.noise))
        payload = self.state.seal(pad(json.dumps(hello, separators=(",", ":")).encode()))
        self.message_1 = header(self.id, HELLO) + e + s + payload
        self.sending, self.receiving, self.number, self.last, self.came = None, None, 0, 0, 0

    def finish(self, message_2):
        """Opens message 2; its payload."""
        body = message_2[26:]
        e = body[:32]
        self.state.mix_hash(e)
        self.state.mix_key(dh(self.ephemeral, e))
        self.state.mix_key(dh(self.me.noise, e))
        payload = unpad(self.state.open(body[32:]))
        self.sending, self.receiving = hkdf(self.state.chaining, b"", 2)
        return json.loads(payload)

    def seal(self, plain):
        self.number += 1
        sealed = ChaCha20Poly1305(self.sending).encrypt(nonce96(self.number), pad(plain), b"")
        return header(self.id, SEALED, self.number) + sealed

    def packet(self, message):
        """A message under the next number of the layer that repeats, sealed."""
        self.last += 1
        body = message if isinstance(message, bytes) else json.dumps(message, separators=(",", ":")).encode()
        return self.seal(struct.pack(">IQI", self.came, 0, self.last) + body)

    def open(self, frame_bytes):
        """The message of a sealed frame; None for an acknowledgement."""
        number = struct.unpack(">Q", frame_bytes[18:26])[0]
        plain = unpad(ChaCha20Poly1305(self.receiving).decrypt(nonce96(number), frame_bytes[26:], b""))
        theirs = struct.unpack(">I", plain[12:16])[0]
        if theirs == self.came + 1:
            self.came = theirs
        return json.loads(plain[16:]) if theirs else None


def hello(me, kind="ring", call=None, lifetime_ms=30_000, **more):
    return {
        "kind": kind,
        "certificate": b64(me.certificate),
        "revision": me.revision,
        "call": b64(call or os.urandom(16)),
        "lifetime-ms": lifetime_ms,
        "versions": [1],
        "features": [],
        **more,
    }
