"""The attacker of daemons: a contact who speaks by herself, and a port that listens for who comes.

Lives here: what she can do; an attack says what she does.
Must not: judge anything.
"""

import contextlib
import hashlib
import socket
import threading
import time

from relay_attacks import quietly
from wire import Called, Card, Client, Person, Session, hello, public, token_hash, unb64


class Eve:
    """A contact of the victim, with an inbox at the victim's relay, who speaks by herself."""

    def __init__(self, scene, victim, name="Eve", urls=None, **more):
        self.scene, self.victim = scene, victim
        self.me = Person(name, urls or [scene.relay.url], **more)
        self.card = Card(victim.says("account", "card", "--for", "Eve"))
        text, self.token = self.me.card()
        victim.says("contact", "add", "-", given=text)
        self.link = Client(scene.place, scene.fresh_address())
        self.link.claim(self.me.claims[0], [token_hash(self.token)])

    def begin(self, call=None, ttl=30, **more):
        """A message 1, sent; the session, not yet answered."""
        session = Session(self.me, self.card, hello(self.me, call=call, **more))
        self.post(session.message_1, ttl)
        return session

    def post(self, body, ttl=30):
        self.link.send(self.card.inboxes[0][1], self.card.token, body, ttl)

    def letters(self, seconds):
        """What comes within so long, as it comes."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                letter = self.link.hear("deliver", timeout=left)
            except TimeoutError:
                return
            self.link.say(kind="ack", id=letter["id"])
            yield unb64(letter["body"])

    def ring(self, note=None, call=None, seconds=5):
        """Rings as a right caller does: the session, with message 3 sent. None: nobody answered."""
        session = self.begin(call)
        for body in self.letters(seconds):
            if body[17] == 2 and body[1:17] == session.id:
                session.finish(body)
                offer = {"kind": "offer", "remaining-ms": 25_000}
                self.post(session.packet({**offer, "text": note} if note is not None else offer))
                return session
        return None

    def ring_at(self, ben):
        session = self.ring()
        ben.until_state("incoming", "waiting", contact="Eve")
        return session

    def say(self, session, message):
        self.post(session.packet(message))

    def hear_of(self, many):
        """What the relay says of so many letters, as far as it does."""
        quietly(lambda: [self.link.hear("accepted", "refused", timeout=2) for _ in range(many)])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()
        quietly(lambda: self.victim.says("contact", "rm", self.me_id()))

    def me_id(self):
        return hashlib.blake2s(public(self.me.account)).hexdigest()[:32]


class Listener:
    """A port of loopback that notes who comes, and may speak as a relay that pushes."""

    def __init__(self, serve=None):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.came, self.serve = self.socket.getsockname()[1], [], serve
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                made, _ = self.socket.accept()
                made.settimeout(3)
                with contextlib.suppress(OSError):
                    self.came.append(made.recv(2_000).split(b"\r\n")[0].decode(errors="replace"))
                made.close()

    def close(self):
        self.socket.close()


def answer_as_callee(eve, *messages, seconds=6):
    """Takes a ring that comes, answers it, and says these."""
    for body in eve.letters(seconds):
        if body[17] == 1:
            callee = Called(eve.me, body)
            # Whom the victim added is sent its card, too.
            if callee.hello["kind"] != "ring":
                continue
            target, token = callee.reply_to(eve.card)
            eve.link.send(target, token, callee.message_2)
            for message in messages:
                eve.link.send(target, token, callee.packet(message))
            return callee
    return None
