"""The called side of a session, as an attacker plays it.

Lives here: opening message 1, making message 2, sealing what follows.
Must not: decide what is said.
"""

import json
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wire import REPLY, SEALED, Symmetric, dh, header, hkdf, nonce96, pad, public, unb64, unpad


class Callee:
    """Answers a message 1 that came to `me`."""

    def __init__(self, me, frame):
        self.me, self.id = me, frame[1:17]
        state = Symmetric()
        state.mix_hash(b"ahoy/1" + self.id + public(me.device))
        state.mix_hash(public(me.noise))
        body = frame[26:]
        e = body[:32]
        state.mix_hash(e)
        state.mix_key(dh(me.noise, e))
        s = state.open(body[32:80])
        state.mix_key(dh(me.noise, s))
        self.hello = json.loads(unpad(state.open(body[80:])))
        ephemeral = X25519PrivateKey.generate()
        own = public(ephemeral)
        state.mix_hash(own)
        state.mix_key(dh(ephemeral, e))
        state.mix_key(dh(ephemeral, s))
        payload = json.dumps({"version": 1, "revision": 1, "features": []}).encode()
        self.message_2 = header(self.id, REPLY) + own + state.seal(pad(payload))
        self.receiving, self.sending = hkdf(state.chaining, b"", 2)
        self.number = self.last = 0

    def reply_to(self, eve):
        """The inbox and token that answers go to: the caller's reply inbox, else the one on its card."""
        named = self.hello.get("reply")
        if named:
            return unb64(named["inbox"]), unb64(named["token"])
        return eve.card.inboxes[0][1], eve.card.token

    def packet(self, message):
        self.number += 1
        self.last += 1
        plain = struct.pack(">IQI", 0, 0, self.last) + json.dumps(message).encode()
        sealed = ChaCha20Poly1305(self.sending).encrypt(nonce96(self.number), pad(plain), b"")
        return header(self.id, SEALED, self.number) + sealed
