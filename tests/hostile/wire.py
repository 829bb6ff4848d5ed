"""The wire of ahoy, written a second time from its description: frames of a relay, cards, Noise sessions.

Lives here: a client that can speak rightly; attacks bend what it makes.
Must not: share code with the project, or judge anything.
"""

import base64
import contextlib
import hashlib
import json
import os
import socket
import struct
import time

import websocket
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from noise.connection import Keypair, NoiseConnection

TEXT = websocket.ABNF.OPCODE_TEXT


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def packed(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def private(key):
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def inbox_of(claim_key):
    return hashlib.blake2s(public(claim_key), digest_size=16).digest()


def token_hash(token):
    return hashlib.blake2s(b"ahoy token" + token).digest()[:16]


# WebSocket


def frame(opcode, payload, final=True):
    """A client's frame. The mask is zero: it is a mask like any other, and costs a flood nothing."""
    made = websocket.ABNF(int(final), opcode=opcode, data=payload)
    made.get_mask_key = bytes
    return made.format()


def text(value):
    return frame(TEXT, packed(value))


class Gone(Exception):
    """The other end closed the connection."""


def tcp(place, source="127.0.0.1", timeout=5.0):
    """A TCP connection to a relay's place (host, port, ssl context or None), from one of the loopback addresses."""
    host, port, context = place
    made = socket.create_connection(("127.0.0.1", port), timeout, (source, 0))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(made, server_hostname=host) if context else made


class Client:
    """One connection to a relay."""

    def __init__(self, place, source="127.0.0.1", timeout=5.0, origin=None):
        self.socket = tcp(place, source, timeout)
        self.talk = websocket.WebSocket()
        url, protocols = f"ws://{place[0]}:{place[1]}/", ["ahoy.relay.1"]
        with self.or_gone():
            self.talk.connect(url, socket=self.socket, subprotocols=protocols, origin=origin, suppress_origin=not origin)

    @contextlib.contextmanager
    def or_gone(self):
        try:
            yield
        except websocket.WebSocketTimeoutException:
            raise TimeoutError from None
        except (OSError, websocket.WebSocketException) as error:
            self.close()
            raise Gone(str(error)) from None

    def raw(self, data):
        with self.or_gone():
            self.socket.sendall(data)

    def say(self, **value):
        self.raw(text(value))

    def hear(self, *kinds, timeout=5.0):
        """The next frame of these kinds (any, if none); pings are answered, others are dropped."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            self.talk.settimeout(left)
            with self.or_gone():
                said = self.talk.recv()
            if not said:
                raise Gone("closed")
            value = json.loads(said)
            if not kinds or value["kind"] in kinds:
                return value
        raise TimeoutError

    def claim(self, key, tokens=()):
        """Says hello and takes the inbox of this key; the relay's welcome."""
        self.say(kind="hello", version=1)
        self.say(**claimed(key, unb64(self.hear("challenge")["nonce"]), tokens))
        return self.hear("welcome")

    def send(self, inbox, token, body, ttl=60):
        self.say(**envelope_of(inbox, token, body, ttl))

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def claimed(key, nonce, tokens=()):
    signed = key.sign(b"ahoy relay claim 1" + nonce + public(key))
    return {"kind": "claim", "key": b64(public(key)), "signature": b64(signed), "tokens": [b64(t) for t in tokens]}


def envelope_of(inbox, token, body, ttl=60):
    name = b64(os.urandom(16))
    return {"kind": "send", "inbox": b64(inbox), "token": b64(token), "id": name, "ttl": ttl, "body": b64(body)}


# Who somebody is


class Person:
    """An account with one device, at relays of its own choice."""

    def __init__(self, name, urls, life=365 * 86400, began=-60):
        self.name, self.urls = name, urls
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

    def card(self):
        """The text of a card, and the token in it."""
        token = os.urandom(16)
        inboxes = [{"relay": url, "inbox": b64(inbox_of(key))} for url, key in zip(self.urls, self.claims)]
        body = {
            "account": b64(public(self.account)),
            "name": self.name,
            "revision": 1,
            "devices": [{"certificate": b64(self.certificate), "inboxes": inboxes}],
            "token": b64(token),
        }
        return "ahoy:1" + b64(signed(self.account, b"ahoy card 1\0", body)), token


def signed(key, domain, body):
    body = packed(body)
    return key.sign(domain + body) + body


class Card:
    """What stands on somebody's card."""

    def __init__(self, text):
        body = json.loads(unb64(text.strip()[6:])[64:])
        self.token, device = unb64(body["token"]), body["devices"][0]
        certificate = json.loads(unb64(device["certificate"])[64:])
        self.device, self.noise = unb64(certificate["device"]), unb64(certificate["noise"])
        self.inboxes = [(at["relay"], unb64(at["inbox"])) for at in device["inboxes"]]


# Noise


def noise(session, device, own, other=None):
    """A handshake with the device of this key: we begin it, if the other one's key is known."""
    made = NoiseConnection.from_name(b"Noise_IK_25519_ChaChaPoly_BLAKE2s")
    made.set_prologue(b"ahoy/1" + session + device)
    made.set_keypair_from_private_bytes(Keypair.STATIC, private(own))
    if other:
        made.set_as_initiator()
        made.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, other)
    else:
        made.set_as_responder()
    made.start_handshake()
    return made


def pad(content):
    full = 512
    while full < len(content) + 2:
        full *= 2
    return (struct.pack(">H", len(content)) + content).ljust(full, b"\0")


def unpad(plain):
    return plain[2 : 2 + struct.unpack(">H", plain[:2])[0]]


HELLO, REPLY, SEALED = 1, 2, 3
VERSIONS = {"version": 1, "revision": 1, "features": []}


def header(session, kind, number=0):
    return bytes([1]) + session + bytes([kind]) + struct.pack(">Q", number)


class Sealed:
    """What is said in a session once its handshake is done."""

    def __init__(self, session, handshake):
        self.id, self.noise = session, handshake
        self.number, self.last, self.came = 0, 0, 0

    def seal(self, plain):
        self.number += 1
        self.noise.noise_protocol.cipher_state_encrypt.set_nonce(self.number)
        return header(self.id, SEALED, self.number) + self.noise.encrypt(pad(plain))

    def packet(self, message):
        """A message under the next number of the layer that repeats, sealed."""
        self.last += 1
        return self.seal(struct.pack(">IQI", self.came, 0, self.last) + packed(message))

    def open(self, sealed):
        """The message of a sealed frame; None for an acknowledgement."""
        self.noise.noise_protocol.cipher_state_decrypt.set_nonce(struct.unpack(">Q", sealed[18:26])[0])
        plain = unpad(self.noise.decrypt(sealed[26:]))
        theirs = struct.unpack(">I", plain[12:16])[0]
        if theirs == self.came + 1:
            self.came = theirs
        return json.loads(plain[16:]) if theirs else None


class Session(Sealed):
    """A session that we begin with a device (its card)."""

    def __init__(self, me, card, hello):
        session = os.urandom(16)
        super().__init__(session, noise(session, card.device, me.noise, card.noise))
        self.message_1 = header(session, HELLO) + self.noise.write_message(pad(packed(hello)))

    def finish(self, message_2):
        """Opens message 2; its payload."""
        return json.loads(unpad(self.noise.read_message(message_2[26:])))


class Called(Sealed):
    """The called side of a session that a message 1 to `me` begins."""

    def __init__(self, me, message_1):
        session = message_1[1:17]
        super().__init__(session, noise(session, public(me.device), me.noise))
        self.hello = json.loads(unpad(self.noise.read_message(message_1[26:])))
        self.message_2 = header(session, REPLY) + self.noise.write_message(pad(packed(VERSIONS)))

    def reply_to(self, caller):
        """The inbox and token that answers go to: the caller's reply inbox, else the one on its card."""
        named = self.hello.get("reply")
        return (unb64(named["inbox"]), unb64(named["token"])) if named else (caller.inboxes[0][1], caller.token)


def hello(me, kind="ring", call=None, lifetime_ms=30_000, **more):
    return {
        "kind": kind,
        "certificate": b64(me.certificate),
        "revision": 1,
        "call": b64(call or os.urandom(16)),
        "lifetime-ms": lifetime_ms,
        "versions": [1],
        "features": [],
        **more,
    }
