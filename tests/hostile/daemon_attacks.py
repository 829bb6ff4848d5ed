"""Attacks on a daemon by a contact, by what a contact's card names, and by who has kept what was said.

Lives here: what Eve does, one function an attack, and what must still be true for Ben and for those who call him.
Must not: use more than a wire and what a contact may hold: a card, and the sight of its own relay.
"""

import contextlib
import json
import os
import threading
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eve import Eve, Listener, answer_as_callee
from people import resident
from relay_attacks import quietly
from wire import Card, Client, Person, Session, b64, hello, token_hash


def rest(until):
    """Lets time pass: the end of a ring is no event that its caller could wait for."""
    time.sleep(max(0.0, until - time.monotonic()))


def history(person):
    code, out, err = person.ctl("history", "--jsonl", "--limit", "500")
    assert not code, f"the history cannot be read: {err.strip()}"
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def a_nul_in_a_note(scene):
    """S-02: a note with U+0000, and looks at the bus while it rings and after."""
    ben = scene.ben
    with Eve(scene, ben) as eve:
        session = eve.ring("hi\0there\u202e")
        assert session is not None, "it did not ring: the verb was lost"
        ben.until_state("incoming", "waiting", seconds=8)
        assert not any(ben.on_the_bus() is None for _ in range(20)), "the daemon fell off the bus"
        note = [row["Note"] for _, row in ben.calls() if row["State"] in ("incoming", "waiting")][0]
        eve.say(session, {"kind": "cancel", "reason": "canceled"})
        ben.until(lambda: not ben.in_state("incoming", "waiting"))
        history(ben)
        assert ben.on_the_bus() is not None, "the history took it off the bus"
        assert not set("\u202e\0") & set(note), "the note is shown as it came"
        return f"shown as {note!r}"


def a_nul_in_a_decline(scene):
    """S-02: a callee's decline with U+0000 and an escape."""
    ben = scene.ben
    with Eve(scene, ben, name="Eva") as eve:
        call = ben.dial("Eva")
        answered = answer_as_callee(eve, {"kind": "decline", "reason": "declined", "text": "no\0\x1b[2J\u2066"})
        assert answered, "Ben's message 1 did not come"
        ben.until(lambda: dict(ben.calls()).get(call, {}).get("State") == "disconnected")
        row = dict(ben.calls())[call]
        assert ben.on_the_bus() is not None, "off the bus"
        assert not any(letter in row["Message"] for letter in "\0\x1b\u2066"), "shown as it came"
        return f"{row['StateReason']}, {row['Message']!r}"


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
    assert not bad, f"shown: {bad!r}"
    return f"shown as {shown!r}"[:160]


def words_for_a_terminal(scene):
    """S-15: escapes, formulas and turns in notes, as the history writes them to terminals and tables."""
    ben = scene.ben
    with Eve(scene, ben, name="=1+1;Ed") as eve:
        session = eve.ring('\x1b]0;own\x07\x1b[31m;=cmd|x\n=2+2\u202e"')
        assert session is not None, "it did not ring"
        ben.until_state("incoming", "waiting", seconds=8)
        seen = ben.says("list") + ben.says("show")
        eve.say(session, {"kind": "cancel", "reason": "canceled"})
        ben.until(lambda: not ben.in_state("incoming", "waiting"))
        for kind in ("csv", "json", "ics"):
            out = ben.says("history", "export", kind)
            seen += out if kind != "json" else json.dumps(json.loads(out), ensure_ascii=False) if out.strip().startswith(("{", "[")) else out
        found = [hex(ord(letter)) for letter in "\x1b\x07\u202e\0" if letter in seen]
        assert not found, f"raw: {found}"
        return "nothing raw"


def a_card_that_names(scene, name, url_of, why):
    """A card that names a port of the victim's own machine beside ours; the contact is never told an address."""
    with contextlib.closing(Listener()) as port:
        try:
            eve = Eve(scene, scene.ben, name=name, urls=[scene.relay.url, *url_of(port.port)])
        except RuntimeError as error:
            return f"the card is refused: {str(error)[-120:]}"
        with eve:
            scene.ben.says("contact", "set", eve.me_id(), "--preconnect", "never")
            session = eve.ring()
            quietly(lambda: scene.ben.until(lambda: port.came, 4))
        assert not port.came, f"{why}: {port.came[0]}"
        return f"nobody came; it {'rang by our own relay' if session else 'did not ring'}"


def a_card_that_names_a_port(scene):
    """S-08: a card whose relays are ports of the victim's own machine, with a path."""
    urls = lambda port: [f"ws://127.0.0.1:{port}/any/path?do=this&x={n}" for n in range(3)]
    return a_card_that_names(scene, "Eve of ports", urls, "a request came")


def a_relay_of_the_callers_choice(scene):
    """S-08: a caller whose card names another relay beside ours: who runs that hears nothing before the answer."""
    urls = lambda port: [f"wss://127.0.0.1:{port}"]
    return a_card_that_names(scene, "Eve elsewhere", urls, "the caller's relay heard from the callee before any answer")


def copies_of_message_1(scene):
    """S-10: 1,450 copies of one message 1 under new names, by five senders; then Ben calls somebody."""
    ben = scene.ben
    with Eve(scene, ben) as eve:
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
        assert answers <= 40, f"{answers} messages 2"
        call = ben.dial(scene.callers[0].name)
        scene.callers[0].until_state("incoming", contact="Ben", seconds=8)
        ben.verb(call, "Hangup")
        return f"{answers} messages 2 for 1,450 copies; Ben's own call rings"


def many_calls_of_one(scene):
    """S-11: one contact begins as many calls at once as it can; an honest one rings and Ben can dial."""
    ben = scene.ben
    with Eve(scene, ben) as eve:
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
        assert at_once <= 2, f"{at_once} calls of one contact"
        took = scene.probe()
        return f"{at_once} at once; an honest one rings in {took:.0f} ms"


def notes_without_end(scene):
    """S-09, S-21: a thousand missed notes of one contact: rows, disk and the command line meanwhile."""
    ben = scene.ben
    with Eve(scene, ben) as eve:
        rows, disk, busy = len(history(ben)), ben.written(), ben.processor()
        slowest = 0.0
        for burst in range(20):
            for _ in range(50):
                eve.begin(kind="missed", ttl=60)
            eve.hear_of(50)
            slowest = max(slowest, ben.on_the_bus() or 99)
        more, disk, busy = len(history(ben)) - rows, (ben.written() - disk) / 2**20, ben.processor() - busy
        assert not (more > 70 or disk > 24 or slowest > 2), f"{more} rows, {disk:.0f} MiB, the bus waits {slowest:.1f} s"
        return f"{more} rows, {disk:.1f} MiB written, {busy:.1f} s of processor, the bus answers within {slowest * 1000:.0f} ms"


def a_kept_ring(scene):
    """S-13: a ring of Mia that somebody kept, played again after Eve has filled what is remembered."""
    ben = scene.ben
    with Eve(scene, scene.ben, name="Mia") as mia, Eve(scene, scene.ben) as eve:
        began = time.monotonic()
        kept = Session(mia.me, mia.card, hello(mia.me, lifetime_ms=4_000))
        mia.post(kept.message_1)
        assert any(body[17] == 2 for body in mia.letters(4)), "the first one was not answered"
        missed = hello(mia.me, kind="missed")
        note = Session(mia.me, mia.card, missed)
        mia.post(note.message_1, ttl=60)
        ben.until(lambda: any(row.get("name") == "Mia" for row in history(ben)))
        for _ in range(45):
            for _ in range(50):
                eve.begin(kind="missed", ttl=60)
            eve.hear_of(50)
        # While the ring lives a copy is a repeat, and is answered like one.
        rest(began + 8)
        before = sum(1 for row in history(ben) if row.get("name") == "Mia")
        for body in (kept.message_1, note.message_1):
            mia.post(body, ttl=60)
        again = sum(1 for body in mia.letters(3) if body[17] == 2)
        after = sum(1 for row in history(ben) if row.get("name") == "Mia")
        assert not (again or after != before), f"answered {again} times, {after - before} rows more"
        return "not answered, no row"


def mail_of_the_blocked(scene):
    """S-16: fifty letters of somebody who is blocked: none is opened."""
    ben = scene.ben
    with Eve(scene, ben) as eve:
        eve.ring()
        ben.says("contact", "block", eve.me_id())
        time.sleep(0.3)
        busy, log = ben.processor(), len(ben.words())
        for _ in range(50):
            eve.begin(kind="missed", ttl=5)
        eve.hear_of(50)
        ben.on_the_bus()
        said = ben.words()[log:]
        opened = said.lower().count("block")
        assert opened <= 5, f"{opened} were opened and then dropped"
        return f"{ben.processor() - busy:.2f} s of processor, {opened} opened"


def flags_without_end(scene):
    """S-21: a thousand holds and resumes in a call that was answered."""
    ben = scene.ben
    with Eve(scene, ben) as eve:
        session = eve.ring()
        at_ben = ben.until_state("incoming", "waiting", contact="Eve")
        ben.verb(at_ben, "Answer")
        ben.until_state("connecting", "active", contact="Eve")
        for burst in range(20):
            for number in range(50):
                serial = burst * 50 + number + 1
                eve.say(session, {"kind": "state", "serial": serial, "muted": False, "held": serial % 2 == 1, "camera": False})
            eve.hear_of(50)
        took = scene.probe()
        eve.say(session, {"kind": "end", "reason": "completed"})
        quietly(lambda: ben.verb(at_ben, "Hangup"))
        row = ben.until(lambda: [row for row in history(ben) if row.get("name") == "Eve"])[0]
        code, out, _ = ben.ctl("history", "show", str(row.get("row", row.get("id"))), "--json")
        events = out.count('"held') + out.count('"resumed')
        assert events <= 120, f"{events} events in one call's log"
        return f"{events} events; an honest dial rings in {took:.0f} ms"


def offers_without_end(scene):
    """S-21: two thousand new paths offered in a ring: descriptors and memory."""
    ben = scene.ben
    with Eve(scene, ben) as eve:
        session = eve.ring_at(ben)
        files, memory = ben.descriptors(), resident(ben.daemon.pid)
        sdp = b64(b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")
        for burst in range(40):
            for number in range(50):
                eve.say(session, {"kind": "description", "epoch": 2 * (burst * 50 + number) + 1, "sdp": "offer", "body": sdp})
            eve.hear_of(50)
        files, memory = ben.descriptors() - files, resident(ben.daemon.pid) - memory
        took = scene.probe()
        assert not (files > 80 or memory > 30), f"{files} descriptors, {memory:.0f} MiB more"
        return f"{files} descriptors, {memory:.1f} MiB more; an honest dial rings in {took:.0f} ms"


def a_device_that_ended(scene):
    """S-22: a contact whose device's certificate has ended is dialed: nothing goes to it."""
    ben = scene.ben
    with Eve(scene, ben, name="Eve of old", life=86_400 * 3, began=-86_400 * 5) as eve:
        with contextlib.suppress(RuntimeError):
            ben.dial("Eve of old")
        came = sum(1 for body in eve.letters(2) if body[17] == 1)
        assert not came, "message 1 went to it"
        quietly(lambda: ben.ctl("hangup"))
        return "nothing came"


def letters_that_open_nothing(scene):
    """Envelopes of noise, halves of message 1, other versions, frames of no session, five hundred of them."""
    ben = scene.ben
    with Eve(scene, ben) as eve:
        good = Session(eve.me, eve.card, hello(eve.me)).message_1
        busy = ben.processor()
        for number in range(500):
            cut = good[: os.urandom(1)[0] * 3 + 1]
            bent = bytearray(good)
            bent[number % len(bent)] ^= 1 + number % 255
            body = [os.urandom(600), cut, bytes(bent), bytes([9]) + good[1:], good[:17] + b"\3" + good[18:]][number % 5]
            eve.post(body)
            if number % 30 == 29:
                eve.hear_of(30)
        assert not ben.in_state("incoming", "waiting", contact="Eve"), "one of them rang"
        return f"{ben.processor() - busy:.1f} s of processor"


def a_token_of_another(scene):
    """A token that bound to Mia is used by Eve."""
    with Eve(scene, scene.ben, name="Mia") as mia, Eve(scene, scene.ben) as eve:
        assert mia.ring() is not None, "Mia's own ring did not come through"
        eve.card = mia.card
        assert eve.ring(seconds=3) is None, "it rang"
        return "no answer"


def a_stranger(scene):
    """A stranger who has somebody else's card of Ben: nothing is answered."""
    ben = scene.ben
    with Eve(scene, scene.ben, name="Mia") as mia:
        stranger = Eve.__new__(Eve)
        stranger.scene, stranger.victim, stranger.card = scene, ben, mia.card
        stranger.me = Person("Nobody", [scene.relay.url])
        stranger.token = os.urandom(16)
        stranger.link = Client(scene.place, scene.fresh_address())
        stranger.link.claim(stranger.me.claims[0], [token_hash(stranger.token)])
        assert stranger.ring(seconds=3) is None and not ben.in_state("incoming", "waiting", contact="Nobody"), "it rang"
        stranger.link.close()
        return "no answer"


def requests_without_end(scene):
    """A card of Ben's that leaked: forty strangers ask with it, again and again; then Mia asks with her own."""
    ben = scene.ben

    def ask(link, me, card):
        said = hello(me, kind="card", card=me.card()[0], token=b64(token_hash(card.token)), lifetime_ms=0)
        link.send(card.inboxes[0][1], card.token, Session(me, card, said).message_1)

    def asking():
        return json.loads(ben.says("contact", "requests", "--json"))["requests"]

    leaked, hers = (Card(ben.says("account", "card", "--for", name)) for name in ("Eve", "Mia"))
    busy = ben.processor()
    with contextlib.closing(Client(scene.place, scene.fresh_address())) as link:
        link.claim(Ed25519PrivateKey.generate())
        for number in range(40):
            stranger = Person(f"Stranger {number}", [scene.relay.url])
            for _ in range(5):
                ask(link, stranger, leaked)
            quietly(lambda: [link.hear("accepted", "refused", timeout=2) for _ in range(5)])
        took = scene.probe()
        crowd = asking()
        assert len(crowd) <= 2, f"{len(crowd)} ask with one card"
        assert not ben.in_state("incoming", "waiting"), "a request rang"
        ask(link, Person("Mia", [scene.relay.url]), hers)
        ben.until(lambda: any(row["name"] == "Mia" for row in asking()))
    for row in asking():
        ben.says("contact", "dismiss", row["id"])
    assert not asking(), "a dismissed request is still there"
    return f"{len(crowd)} of 40 heard; an honest dial rings in {took:.0f} ms; {ben.processor() - busy:.1f} s of processor"


def candidates_of_everywhere(scene):
    """Candidates by the thousand, names, multicast and other people's ports, in a ring."""
    ben = scene.ben
    with Eve(scene, ben) as eve:
        session = eve.ring_at(ben)
        files = ben.descriptors()
        kinds = ["224.0.0.1 9", "255.255.255.255 9", "some.name.example 53", "::1 22", "127.0.0.1 22", "0.0.0.0 1"]
        for burst in range(10):
            for _ in range(30):
                found = [b64(f"candidate:1 1 udp 1 {kind} typ host".encode()) for kind in kinds * 5]
                eve.say(session, {"kind": "candidates", "epoch": 1, "list": found, "complete": False})
            eve.hear_of(30)
        took = scene.probe()
        assert ben.descriptors() - files <= 60, "descriptors grow"
        return f"an honest dial rings in {took:.0f} ms"


ATTACKS = [
    ("S-02", a_nul_in_a_note), ("S-02", a_nul_in_a_decline), ("S-14", a_name_that_hides), ("S-15", words_for_a_terminal),
    ("S-08", a_card_that_names_a_port), ("S-08", a_relay_of_the_callers_choice), ("S-10", copies_of_message_1), ("S-11", many_calls_of_one),
    ("S-09", notes_without_end), ("S-13", a_kept_ring), ("S-16", mail_of_the_blocked), ("S-21", flags_without_end), ("S-21", offers_without_end),
    ("S-22", a_device_that_ended), ("X-01", letters_that_open_nothing), ("X-05", a_token_of_another), ("X-02", a_stranger),
    ("T-Z07", requests_without_end), ("R-054", candidates_of_everywhere),
]
