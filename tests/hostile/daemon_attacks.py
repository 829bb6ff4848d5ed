"""Attacks on a daemon by a contact, by what a contact's card names, and by who has kept what was said.

Lives here: what Eve does, one function an attack, and what must still be true for Ben and for those who call him.
Must not: use more than a wire and what a contact may hold: a card, and the sight of its own relay.
"""

import contextlib
import hashlib
import json
import os
import socket
import threading
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from callee import Callee
from people import resident
from relay_attacks import quietly
from wire import Card, Client, Person, Session, b64, hello, public, token_hash, unb64

EVE = "127.0.0.66"


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

    def post(self, body, ttl=30, envelope=None):
        self.link.send(self.card.inboxes[0][1], self.card.token, body, ttl, envelope)

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

    def say(self, session, message):
        self.post(session.packet(message))

    def until(self, session, kind, seconds=5):
        """Waits for a message of this kind in the session."""
        for body in self.letters(seconds):
            if body[17] == 3 and body[1:17] == session.id:
                message = session.open(body)
                if message and message["kind"] == kind:
                    return message
        raise TimeoutError(f"no {kind}")

    def leave(self):
        self.link.close()
        quietly(lambda: self.victim.says("contact", "rm", self.me_id()))

    def me_id(self):
        return hashlib.blake2s(public(self.me.account)).hexdigest()[:32]


def rest(until):
    """Lets time pass: the end of a ring is no event that its caller could wait for."""
    time.sleep(max(0.0, until - time.monotonic()))


def history(person):
    code, out, err = person.ctl("history", "--jsonl", "--limit", "500")
    if code:
        raise AssertionError(f"the history cannot be read: {err.strip()}")
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def a_nul_in_a_note(scene):
    """S-02: a note with U+0000, and looks at the bus while it rings and after."""
    ben, eve = scene.ben, Eve(scene, scene.ben)
    try:
        session = eve.ring("hi\0there\u202e")
        if session is None:
            raise AssertionError("it did not ring: the verb was lost")
        ben.until_state("incoming", "waiting", seconds=8)
        if any(ben.on_the_bus() is None for _ in range(20)):
            raise AssertionError("the daemon fell off the bus")
        note = [row["Note"] for _, row in ben.calls() if row["State"] in ("incoming", "waiting")][0]
        eve.say(session, {"kind": "cancel", "reason": "canceled"})
        ben.until(lambda: not ben.in_state("incoming", "waiting"))
        history(ben)
        if ben.on_the_bus() is None:
            raise AssertionError("the history took it off the bus")
        if "\u202e" in note or "\0" in note:
            raise AssertionError("the note is shown as it came")
        return f"shown as {note!r}"
    finally:
        eve.leave()


def a_nul_in_a_decline(scene):
    """S-02: a callee's decline with U+0000 and an escape."""
    ben, eve = scene.ben, Eve(scene, scene.ben, name="Eva")
    try:
        call = ben.dial("Eva")
        answered = answer_as_callee(eve, {"kind": "decline", "reason": "declined", "text": "no\0\x1b[2J\u2066"})
        if not answered:
            raise AssertionError("Ben's message 1 did not come")
        ben.until(lambda: dict(ben.calls()).get(call, {}).get("State") == "disconnected")
        row = dict(ben.calls())[call]
        if ben.on_the_bus() is None:
            raise AssertionError("off the bus")
        if any(letter in row["Message"] for letter in "\0\x1b\u2066"):
            raise AssertionError("shown as it came")
        return f"{row['StateReason']}, {row['Message']!r}"
    finally:
        eve.leave()


def answer_as_callee(eve, *messages, seconds=6):
    """Takes a message 1 that comes, answers it, and says these."""
    for body in eve.letters(seconds):
        if body[17] == 1:
            callee = Callee(eve.me, body)
            target, token = callee.reply_to(eve)
            eve.link.send(target, token, callee.message_2)
            for message in messages:
                eve.link.send(target, token, callee.packet(message))
            return callee
    return None


def a_name_that_hides(scene):
    """S-14: cards with names that turn, hide and imitate."""
    ben = scene.ben
    shown = []
    for name in ("An\u200ba", "\u202eanA", "Ana\u2028(verified)", "Caller\u00ad 1", "\u3164\u3164", "x" * 3_000):
        someone = Eve.__new__(Eve)
        someone.me = Person(name, [scene.relay.url])
        someone.victim = ben
        code, out, err = ben.ctl("contact", "add", "-", given=someone.me.card()[0].encode())
        if code == 0:
            found = json.loads(ben.says("contact", "show", someone.me_id(), "--json"))
            found = found.get("contact", found)
            shown.append(found["name"])
            ben.says("contact", "rm", someone.me_id())
    bad = [name for name in shown if len(name) > 64 or any(not letter.isprintable() or letter in "\u00ad\u3164" for letter in name)]
    if bad:
        raise AssertionError(f"shown: {bad!r}")
    return f"shown as {shown!r}"[:160]


def words_for_a_terminal(scene):
    """S-15: escapes, formulas and turns in notes, as the history writes them to terminals and tables."""
    ben, eve = scene.ben, Eve(scene, scene.ben, name="=1+1;Ed")
    try:
        session = eve.ring('\x1b]0;own\x07\x1b[31m;=cmd|x\n=2+2\u202e"')
        if session is None:
            raise AssertionError("it did not ring")
        ben.until_state("incoming", "waiting", seconds=8)
        seen = ben.says("list") + ben.says("show")
        eve.say(session, {"kind": "cancel", "reason": "canceled"})
        ben.until(lambda: not ben.in_state("incoming", "waiting"))
        for kind in ("csv", "json", "ics"):
            out = ben.says("history", "export", kind)
            seen += out if kind != "json" else json.dumps(json.loads(out), ensure_ascii=False) if out.strip().startswith(("{", "[")) else out
        found = [hex(ord(letter)) for letter in "\x1b\x07\u202e\0" if letter in seen]
        if found:
            raise AssertionError(f"raw: {found}")
        return "nothing raw"
    finally:
        eve.leave()


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


def a_card_that_names_a_port(scene):
    """S-08: a card whose relays are ports of the victim's own machine, with a path; the contact is never told an address."""
    ben, port = scene.ben, Listener()
    try:
        urls = [scene.relay.url] + [f"ws://127.0.0.1:{port.port}/any/path?do=this&x={n}" for n in range(3)]
        try:
            eve = Eve(scene, ben, name="Eve of ports", urls=urls)
        except RuntimeError as error:
            return f"the card is refused: {str(error)[-120:]}"
        ben.says("contact", "set", eve.me_id(), "--preconnect", "never")
        eve.ring()
        quietly(lambda: ben.until(lambda: port.came, 4))
        eve.leave()
        if port.came:
            raise AssertionError(f"a request came: {port.came[0]}")
        return "nobody came"
    finally:
        port.close()


def a_relay_of_the_callers_choice(scene):
    """S-08: a caller whose card names another relay beside ours: who runs that hears nothing before the answer."""
    ben, port = scene.ben, Listener()
    try:
        try:
            eve = Eve(scene, ben, name="Eve elsewhere", urls=[scene.relay.url, f"wss://127.0.0.1:{port.port}"])
        except RuntimeError as error:
            return f"the card is refused: {str(error)[-120:]}"
        ben.says("contact", "set", eve.me_id(), "--preconnect", "never")
        session = eve.ring()
        quietly(lambda: ben.until(lambda: port.came, 4))
        eve.leave()
        if port.came:
            raise AssertionError("the caller's relay heard from the callee before any answer")
        return f"nobody came; it {'rang by our own relay' if session else 'did not ring'}"
    finally:
        port.close()


def copies_of_message_1(scene):
    """S-10: 1,450 copies of one message 1 under new names, by five senders; then Ben calls somebody."""
    ben, eve = scene.ben, Eve(scene, scene.ben)
    try:
        session = Session(eve.me, eve.card, hello(eve.me))
        def copies(count):
            client = Client(scene.place, scene.fresh_address())
            client.claim(Ed25519PrivateKey.generate())
            for _ in range(count // 29):
                for _ in range(29):
                    client.send(eve.card.inboxes[0][1], eve.card.token, session.message_1)
                for _ in range(29):
                    client.hear("accepted", "refused")
            client.close()
        workers = [threading.Thread(target=lambda: quietly(lambda: copies(290))) for _ in range(5)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        answers = sum(1 for body in eve.letters(3) if body[17] == 2)
        if answers > 40:
            raise AssertionError(f"{answers} messages 2")
        call = ben.dial(scene.callers[0].name)
        scene.callers[0].until_state("incoming", contact="Ben", seconds=8)
        ben.verb(call, "Hangup")
        return f"{answers} messages 2 for 1,450 copies; Ben's own call rings"
    finally:
        eve.leave()


def many_calls_of_one(scene):
    """S-11: one contact begins as many calls at once as it can; an honest one rings and Ben can dial."""
    ben, eve = scene.ben, Eve(scene, scene.ben)
    try:
        sessions = [eve.begin() for _ in range(20)]
        answered = set()
        for body in eve.letters(3):
            for session in sessions:
                if body[17] == 2 and body[1:17] == session.id and session.id not in answered:
                    answered.add(session.id)
                    session.finish(body)
                    eve.post(session.packet({"kind": "offer", "remaining-ms": 150_000}))
        quietly(lambda: ben.until(lambda: len(ben.in_state("incoming", "waiting", contact="Eve")) > 2, 3))
        at_once = len(ben.in_state("incoming", "waiting", contact="Eve"))
        if at_once > 2:
            raise AssertionError(f"{at_once} calls of one contact")
        took = scene.probe()
        return f"{at_once} at once; an honest one rings in {took:.0f} ms"
    finally:
        eve.leave()


def notes_without_end(scene):
    """S-09, S-21: a thousand missed notes of one contact: rows, disk and the command line meanwhile."""
    ben, eve = scene.ben, Eve(scene, scene.ben)
    try:
        rows, disk, busy = len(history(ben)), ben.written(), ben.processor()
        slowest = 0.0
        for burst in range(20):
            for _ in range(50):
                eve.begin(kind="missed", ttl=60)
            quietly(lambda: [eve.link.hear("accepted", "refused", timeout=2) for _ in range(50)])
            slowest = max(slowest, ben.on_the_bus() or 99)
        more, disk, busy = len(history(ben)) - rows, (ben.written() - disk) / 2**20, ben.processor() - busy
        if more > 70 or disk > 24 or slowest > 2:
            raise AssertionError(f"{more} rows, {disk:.0f} MiB, the bus waits {slowest:.1f} s")
        return f"{more} rows, {disk:.1f} MiB written, {busy:.1f} s of processor, the bus answers within {slowest * 1000:.0f} ms"
    finally:
        eve.leave()


def a_kept_ring(scene):
    """S-13: a ring of Mia that somebody kept, played again after Eve has filled what is remembered."""
    ben, mia, eve = scene.ben, Eve(scene, scene.ben, name="Mia"), Eve(scene, scene.ben)
    try:
        began = time.monotonic()
        kept = Session(mia.me, mia.card, hello(mia.me, lifetime_ms=4_000))
        mia.post(kept.message_1)
        if not any(body[17] == 2 for body in mia.letters(4)):
            raise AssertionError("the first one was not answered")
        missed = hello(mia.me, kind="missed")
        note = Session(mia.me, mia.card, missed)
        mia.post(note.message_1, ttl=60)
        ben.until(lambda: any(row.get("name") == "Mia" for row in history(ben)))
        for _ in range(45):
            for _ in range(50):
                eve.begin(kind="missed", ttl=60)
            quietly(lambda: [eve.link.hear("accepted", "refused", timeout=2) for _ in range(50)])
        # While the ring lives a copy is a repeat, and is answered like one.
        rest(began + 8)
        before = sum(1 for row in history(ben) if row.get("name") == "Mia")
        for body in (kept.message_1, note.message_1):
            mia.post(body, ttl=60)
        again = sum(1 for body in mia.letters(3) if body[17] == 2)
        after = sum(1 for row in history(ben) if row.get("name") == "Mia")
        if again or after != before:
            raise AssertionError(f"answered {again} times, {after - before} rows more")
        return "not answered, no row"
    finally:
        mia.leave()
        eve.leave()


def mail_of_the_blocked(scene):
    """S-16: fifty letters of somebody who is blocked: none is opened."""
    ben, eve = scene.ben, Eve(scene, scene.ben)
    try:
        eve.ring()
        ben.says("contact", "block", eve.me_id())
        time.sleep(0.3)
        busy, log = ben.processor(), len(ben.words())
        for _ in range(50):
            eve.begin(kind="missed", ttl=5)
        quietly(lambda: [eve.link.hear("accepted", "refused", timeout=2) for _ in range(50)])
        ben.on_the_bus()
        said = ben.words()[log:]
        opened = said.lower().count("block")
        if opened > 5:
            raise AssertionError(f"{opened} were opened and then dropped")
        return f"{ben.processor() - busy:.2f} s of processor, {opened} opened"
    finally:
        eve.leave()


def flags_without_end(scene):
    """S-21: a thousand holds and resumes in a call that was answered."""
    ben, eve = scene.ben, Eve(scene, scene.ben)
    try:
        session = eve.ring()
        at_ben = ben.until_state("incoming", "waiting", contact="Eve")
        ben.verb(at_ben, "Answer")
        ben.until_state("connecting", "active", contact="Eve")
        for burst in range(20):
            for number in range(50):
                serial = burst * 50 + number + 1
                eve.say(session, {"kind": "state", "serial": serial, "muted": False, "held": serial % 2 == 1, "camera": False})
            quietly(lambda: [eve.link.hear("accepted", "refused", timeout=2) for _ in range(50)])
        took = scene.probe()
        eve.say(session, {"kind": "end", "reason": "completed"})
        quietly(lambda: ben.verb(at_ben, "Hangup"))
        row = ben.until(lambda: [row for row in history(ben) if row.get("name") == "Eve"])[0]
        code, out, _ = ben.ctl("history", "show", str(row.get("row", row.get("id"))), "--json")
        events = out.count('"held') + out.count('"resumed')
        if events > 120:
            raise AssertionError(f"{events} events in one call's log")
        return f"{events} events; an honest dial rings in {took:.0f} ms"
    finally:
        eve.leave()


def offers_without_end(scene):
    """S-21: two thousand new paths offered in a ring: descriptors and memory."""
    ben, eve = scene.ben, Eve(scene, scene.ben)
    try:
        session = eve.ring()
        ben.until_state("incoming", "waiting", contact="Eve")
        files, memory = ben.descriptors(), resident(ben.daemon.pid)
        sdp = b64(b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")
        for burst in range(40):
            for number in range(50):
                eve.say(session, {"kind": "description", "epoch": 2 * (burst * 50 + number) + 1, "sdp": "offer", "body": sdp})
            quietly(lambda: [eve.link.hear("accepted", "refused", timeout=2) for _ in range(50)])
        files, memory = ben.descriptors() - files, resident(ben.daemon.pid) - memory
        took = scene.probe()
        if files > 80 or memory > 30:
            raise AssertionError(f"{files} descriptors, {memory:.0f} MiB more")
        return f"{files} descriptors, {memory:.1f} MiB more; an honest dial rings in {took:.0f} ms"
    finally:
        eve.leave()


def a_device_that_ended(scene):
    """S-22: a contact whose device's certificate has ended is dialed: nothing goes to it."""
    ben = scene.ben
    eve = Eve(scene, ben, name="Eve of old", life=86_400 * 3, began=-86_400 * 5)
    try:
        with contextlib.suppress(RuntimeError):
            ben.dial("Eve of old")
        came = sum(1 for body in eve.letters(2) if body[17] == 1)
        if came:
            raise AssertionError("message 1 went to it")
        return "nothing came"
    finally:
        quietly(lambda: ben.ctl("hangup"))
        eve.leave()


def letters_that_open_nothing(scene):
    """Envelopes of noise, halves of message 1, other versions, frames of no session, five hundred of them."""
    ben, eve = scene.ben, Eve(scene, scene.ben)
    try:
        good = Session(eve.me, eve.card, hello(eve.me)).message_1
        busy = ben.processor()
        for number in range(500):
            cut = good[: os.urandom(1)[0] * 3 + 1]
            bent = bytearray(good)
            bent[number % len(bent)] ^= 1 + number % 255
            body = [os.urandom(600), cut, bytes(bent), bytes([9]) + good[1:], good[:17] + b"\3" + good[18:]][number % 5]
            eve.post(body)
            if number % 30 == 29:
                quietly(lambda: [eve.link.hear("accepted", "refused", timeout=2) for _ in range(30)])
        if ben.in_state("incoming", "waiting", contact="Eve"):
            raise AssertionError("one of them rang")
        return f"{ben.processor() - busy:.1f} s of processor"
    finally:
        eve.leave()


def a_token_of_another(scene):
    """A token that bound to Mia is used by Eve."""
    mia, eve = Eve(scene, scene.ben, name="Mia"), Eve(scene, scene.ben)
    try:
        if mia.ring() is None:
            raise AssertionError("Mia's own ring did not come through")
        eve.card = mia.card
        if eve.ring(seconds=3) is not None:
            raise AssertionError("it rang")
        return "no answer"
    finally:
        mia.leave()
        eve.leave()


def a_stranger(scene):
    """A stranger who has somebody else's card of Ben: nothing is answered."""
    ben, mia = scene.ben, Eve(scene, scene.ben, name="Mia")
    try:
        stranger = Eve.__new__(Eve)
        stranger.scene, stranger.victim, stranger.card = scene, ben, mia.card
        stranger.me = Person("Nobody", [scene.relay.url])
        stranger.token = os.urandom(16)
        stranger.link = Client(scene.place, scene.fresh_address())
        stranger.link.claim(stranger.me.claims[0], [token_hash(stranger.token)])
        if stranger.ring(seconds=3) is not None or ben.in_state("incoming", "waiting", contact="Nobody"):
            raise AssertionError("it rang")
        stranger.link.close()
        return "no answer"
    finally:
        mia.leave()


def candidates_of_everywhere(scene):
    """Candidates by the thousand, names, multicast and other people's ports, in a ring."""
    ben, eve = scene.ben, Eve(scene, scene.ben)
    try:
        session = eve.ring()
        ben.until_state("incoming", "waiting", contact="Eve")
        files = ben.descriptors()
        kinds = ["224.0.0.1 9", "255.255.255.255 9", "some.name.example 53", "::1 22", "127.0.0.1 22", "0.0.0.0 1"]
        for burst in range(10):
            for _ in range(30):
                found = [b64(f"candidate:1 1 udp 1 {kind} typ host".encode()) for kind in kinds * 5]
                eve.say(session, {"kind": "candidates", "epoch": 1, "list": found, "complete": False})
            quietly(lambda: [eve.link.hear("accepted", "refused", timeout=2) for _ in range(30)])
        took = scene.probe()
        if ben.descriptors() - files > 60:
            raise AssertionError("descriptors grow")
        return f"an honest dial rings in {took:.0f} ms"
    finally:
        eve.leave()


ATTACKS = [
    ("S-02", a_nul_in_a_note), ("S-02", a_nul_in_a_decline), ("S-14", a_name_that_hides), ("S-15", words_for_a_terminal),
    ("S-08", a_card_that_names_a_port), ("S-08", a_relay_of_the_callers_choice), ("S-10", copies_of_message_1), ("S-11", many_calls_of_one),
    ("S-09", notes_without_end), ("S-13", a_kept_ring), ("S-16", mail_of_the_blocked), ("S-21", flags_without_end), ("S-21", offers_without_end),
    ("S-22", a_device_that_ended), ("X-01", letters_that_open_nothing), ("X-05", a_token_of_another), ("X-02", a_stranger),
    ("R-054", candidates_of_everywhere),
]
