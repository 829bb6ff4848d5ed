"""Attacks on a relay by people who hold nothing: sockets, claims, envelopes, floods.

Lives here: what an attacker does, one function an attack, and what must still be true for everybody else.
Must not: use more than a wire; measure the honest people's calls (the scene does, around each attack).
"""

import concurrent.futures
import contextlib
import os
import socket
import struct
import threading
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire import TEXT, Client, Gone, b64, claimed, envelope_of, frame, inbox_of, text, token_hash, unb64

EVE = "127.0.0.66"


def newcomer(scene, within=5.0):
    """Somebody new, from an address of their own, claims an inbox and gets a message through it; the seconds that it took."""
    before = time.monotonic()
    key, token, client = claimant(scene, timeout=within)
    with client, greeted(scene, timeout=within) as other:
        other.hear("challenge", timeout=within)
        other.send(inbox_of(key), token, b"hello")
        other.hear("accepted", timeout=within)
        client.hear("deliver", timeout=within)
    return time.monotonic() - before


def greeted(scene, source=None, timeout=5.0):
    """A connection that has said hello; without `source` from an address of its own."""
    client = Client(scene.place, source or scene.fresh_address(), timeout)
    client.say(kind="hello", version=1)
    return client


def claimant(scene, source=None, timeout=5.0):
    """A new inbox with one token: its key, the token, and the connection that holds it."""
    key, token = Ed25519PrivateKey.generate(), os.urandom(16)
    client = Client(scene.place, source or scene.fresh_address(), timeout)
    client.claim(key, [token_hash(token)])
    return key, token, client


def served(scene):
    took = newcomer(scene)
    return f"a newcomer is served in {took * 1000:.0f} ms"


def quietly(work):
    with contextlib.suppress(Gone, OSError, TimeoutError):
        return work()


def many(count, work, threads=16):
    """Does this so often, beside each other; what came of each (None: it failed)."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda number: quietly(lambda: work(number)), range(count)))


def sockets_that_close(scene):
    """S-01: ten thousand connections that are closed at once."""
    def one(_):
        made = socket.socket()
        made.bind((EVE, 0))
        made.connect(("127.0.0.1", scene.place[1]))
        made.close()
    many(10_050, one)
    return served(scene)


def handshakes_that_fail(scene):
    """S-01: requests that are no WebSocket, and halves of handshakes, closed."""
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", os.urandom(600), b"GET / HT"):
        def one(_, data=data):
            made = socket.create_connection(("127.0.0.1", scene.place[1]), 5, (EVE, 0))
            made.sendall(data)
            made.close()
        many(400, one)
    return served(scene)


def handshakes_that_wait(scene):
    """S-01: handshakes that are begun and never ended, held open."""
    held = many(600, lambda _: socket.create_connection(("127.0.0.1", scene.place[1]), 5, (EVE, 0)))
    try:
        return served(scene)
    finally:
        for made in filter(None, held):
            made.close()


def held_sockets(scene):
    """S-06: as many connections of one address as there may be, each having said one thing."""
    target, token = os.urandom(16), os.urandom(16)
    said = text({"kind": "hello", "version": 1}) + text(envelope_of(target, token, b"x"))
    def one(_):
        client = Client(scene.place, EVE)
        client.raw(said)
        return client
    held = many(scene.sockets, one, 24)
    try:
        open_ones = sum(1 for client in held if client)
        return f"{open_ones} opened; " + served(scene)
    finally:
        for client in filter(None, held):
            client.close()


def mail_of_one(scene):
    """S-03: 110 inboxes of one address, each with 64 letters of 40 kB for seven days."""
    def one(_):
        key, token, owner = claimant(scene, EVE)
        owner.close()
        sender = greeted(scene, EVE)
        for _ in range(64):
            sender.send(inbox_of(key), token, os.urandom(40_000), ttl=7 * 86400)
        sender.close()
        return True
    many(110, one, 8)
    return served(scene)


def quota_table(scene):
    """S-04: 200 claims that each write to a thousand inboxes that are not there."""
    token = os.urandom(16)
    def one(_):
        with Client(scene.place, EVE) as client:
            client.claim(Ed25519PrivateKey.generate())
            client.raw(b"".join(text(envelope_of(os.urandom(16), token, b"x")) for _ in range(1_000)))
        return True
    done = many(200, one, 8)
    before = time.monotonic()
    said = served(scene)
    took = time.monotonic() - before
    assert took <= 3, f"each message is slow: {took:.1f} s"
    return f"{sum(1 for it in done if it)} claims; {said}"


def token_lists(scene):
    """S-05: connections that fill the list of tokens, 16,384 each; and who comes back keeps list and mail."""
    key, token, owner = claimant(scene)
    held = []
    def one(_):
        client = Client(scene.place, EVE, timeout=20)
        client.claim(Ed25519PrivateKey.generate())
        for _ in range(16):
            client.say(kind="allow", tokens=[b64(os.urandom(16)) for _ in range(1_024)])
        held.append(client)
        return True
    many(245, one, 8)
    try:
        owner.close()
        sender = greeted(scene)
        sender.send(inbox_of(key), token, b"while away")
        sender.hear("accepted")
        sender.close()
        with Client(scene.place, scene.fresh_address()) as again:
            again.claim(key, [token_hash(token)])
            letter = again.hear("deliver")
        assert unb64(letter["body"]) == b"while away", "another letter came"
        return "who came back has list and mail; " + served(scene)
    finally:
        for client in held:
            client.close()


def eviction(scene):
    """S-12: thousands of claims that leave at once, while somebody is away whose note waits."""
    key, token, owner = claimant(scene)
    owner.close()
    sender = greeted(scene)
    sender.send(inbox_of(key), token, b"a note", ttl=3600)
    sender.hear("accepted")
    def one(_):
        with Client(scene.place, EVE) as client:
            client.claim(Ed25519PrivateKey.generate(), [os.urandom(16)])
        return True
    done = many(2_000, one)
    with sender, Client(scene.place, scene.fresh_address()) as again:
        again.claim(key, [token_hash(token)])
        again.hear("deliver")
    return f"{sum(1 for it in done if it)} claims went through, the note came"


def costly_frames(scene):
    """S-07: twenty clients that send frames of a thousand tokens as fast as they are read."""
    stop = threading.Event()
    def one(_):
        client = Client(scene.place, EVE)
        client.claim(Ed25519PrivateKey.generate())
        flood = text({"kind": "allow", "tokens": [b64(os.urandom(16)) for _ in range(1_024)]})
        sent = 0
        while not stop.is_set():
            client.raw(flood)
            sent += 1
        return sent
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        flooding = [pool.submit(quietly, lambda: one(0)) for _ in range(20)]
        time.sleep(1.0)
        try:
            probed = scene.probe(3)
            said = served(scene)
        finally:
            stop.set()
        done = sum(1 for it in flooding if it.result())
    return f"{said}; a dial rings in {probed:.0f} ms in it; {done} clients were not cut off"


def pings(scene):
    """S-20: WebSocket pings as fast as they are read."""
    stop = threading.Event()
    def flood():
        while not stop.is_set():
            def one():
                client = Client(scene.place, EVE)
                client.claim(Ed25519PrivateKey.generate())
                many_pings = frame(9, b"x" * 100) * 500
                while not stop.is_set():
                    client.raw(many_pings)
            quietly(one)
    workers = [threading.Thread(target=flood) for _ in range(4)]
    for worker in workers:
        worker.start()
    try:
        probed = scene.probe(3)
        said = served(scene)
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    return f"{said}; a dial rings in {probed:.0f} ms in it"


def turn_credentials(scene):
    """S-17: TURN credentials two thousand times, by fresh keys."""
    names = set()
    def one(_):
        with Client(scene.place, EVE) as client:
            welcome = client.claim(Ed25519PrivateKey.generate())
            client.say(kind="credentials")
            for answer in (welcome, client.hear("credentials", timeout=2)):
                names.update(server["username"] for server in answer["ice_servers"] if server.get("username"))
    many(2_000, one)
    assert 1 <= len(names) <= 2, f"one address has {len(names)} names at the TURN server"
    return f"{len(names)} names for one address"


def unclaimed_credentials(scene):
    """R-189: TURN credentials for who has claimed nothing."""
    client = greeted(scene)
    client.hear("challenge")
    client.send(os.urandom(16), os.urandom(16), b"x")
    client.hear("accepted")
    client.say(kind="credentials")
    with contextlib.suppress(TimeoutError, Gone):
        answer = client.hear("credentials", timeout=1.5)
        assert not any(server.get("credential") for server in answer["ice_servers"]), "credentials for nobody"
    client.close()
    return "none"


def a_web_page(scene):
    """S-23: a handshake as a browser's page makes it, with Origin."""
    newcomer(scene)
    try:
        client = Client(scene.place, EVE, origin="https://a.page.example")
        client.say(kind="hello", version=1)
        client.hear("challenge")
    except (Gone, OSError):
        return "refused"
    raise AssertionError("any page makes its visitors clients")


def large_frames(scene):
    """Frames above 64 KiB, a length of 2^62, and continuation without end."""
    def one(data):
        client = Client(scene.place, EVE)
        client.claim(Ed25519PrivateKey.generate())
        with contextlib.suppress(Gone, OSError, TimeoutError):
            client.raw(data)
            for _ in range(200):
                client.raw(frame(0, b"a" * 60_000, final=False))
            client.hear(timeout=2)
            raise AssertionError("such a frame was taken")
    before = scene.relay.memory_mib()
    one(frame(TEXT, b"[" + b" " * 70_000 + b"]"))
    one(bytes([0x81, 0x80 | 127]) + struct.pack(">Q", 1 << 62) + b"\0\0\0\0")
    one(frame(TEXT, b'{"kind":"', final=False))
    grown = scene.relay.memory_mib() - before
    assert grown <= 16, f"it cost {grown:.0f} MiB"
    return served(scene)


def nonsense(scene):
    """Frames that are no frames: deep, wrong, binary, unknown, twice the same key."""
    deep = "[" * 30_000
    for value in (deep, "{}", '{"kind":7}', '{"kind":"send"}', "\0", '{"kind":"claim","key":"x"}', '{"kind":"hello","kind":"claim"}', "null"):
        quietly(lambda value=value: _say(scene, frame(TEXT, value.encode())))
    quietly(lambda: _say(scene, frame(2, os.urandom(2_000))))
    return served(scene)


def _say(scene, data):
    client = greeted(scene, EVE)
    client.raw(data)
    client.hear("accepted", "welcome", timeout=1)


def a_slow_reader(scene):
    """Owners that read nothing while they get as much as they may."""
    held = []
    def one(_):
        key, token = Ed25519PrivateKey.generate(), os.urandom(16)
        owner = Client(scene.place, EVE)
        owner.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        owner.claim(key, [token_hash(token)])
        held.append(owner)
        sender = greeted(scene, EVE)
        for _ in range(100):
            sender.send(inbox_of(key), token, os.urandom(30_000))
        sender.close()
    before = scene.relay.memory_mib()
    many(60, one)
    grown = scene.relay.memory_mib() - before
    said = served(scene)
    for owner in held:
        owner.close()
    assert grown <= 200, f"slow readers cost {grown:.0f} MiB"
    return f"{grown:.0f} MiB more; {said}"


def foreign_claims(scene):
    """An inbox of somebody else: a signature over another nonce, another key's signature, a claim that was heard."""
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    owner = greeted(scene)
    nonce = unb64(owner.hear("challenge")["nonce"])
    good = claimed(key, nonce)
    owner.say(**good)
    owner.hear("welcome")
    for bad in (good, {**claimed(other, nonce), "key": good["key"]}, claimed(key, os.urandom(32))):
        thief = greeted(scene, EVE)
        thief.hear("challenge")
        thief.say(**bad)
        try:
            thief.hear("welcome", timeout=2)
        except (Gone, TimeoutError):
            continue
        raise AssertionError("a foreign inbox was taken")
    owner.say(kind="credentials")
    owner.hear("credentials", "refused")
    owner.close()
    return "three ways, none through"


def who_is_there(scene):
    """X-03: whether an inbox exists, is present, or knows a token, by the answer."""
    key, token, owner = claimant(scene)
    asker = greeted(scene)
    asker.hear("challenge")
    answers = set()
    for inbox, with_token in ((inbox_of(key), token), (inbox_of(key), os.urandom(16)), (os.urandom(16), token)):
        asker.send(inbox, with_token, b"x")
        answer = asker.hear()
        answers.add((answer["kind"], tuple(sorted(answer))))
    owner.close()
    asker.close()
    assert answers == {("accepted", ("id", "kind"))}, f"answers differ: {answers}"
    return "one answer for all"


def one_target(scene):
    """S-10's relay half: an envelope flood at one inbox costs its sender that inbox alone."""
    client = Client(scene.place, scene.fresh_address())
    client.claim(Ed25519PrivateKey.generate())
    victim = os.urandom(16)
    refused = 0
    for _ in range(30):
        # As many at once as an answer's queue holds: who does not read is cut off for that alone.
        client.raw(b"".join(text(envelope_of(victim, os.urandom(16), b"x")) for _ in range(30)))
        for _ in range(30):
            refused += client.hear("accepted", "refused", timeout=5)["kind"] == "refused"
    other = os.urandom(16)
    client.send(other, os.urandom(16), b"x")
    assert client.hear("accepted", "refused")["kind"] == "accepted", "refusals at one inbox use up the rest"
    client.close()
    return f"{refused} of 900 refused, another inbox is written to"


def numbers(scene):
    """T-Z07: the numbers of people who pair, tried one after the other by many who share an address."""
    _, _, host = claimant(scene)
    host.say(kind="plate-claim")
    number = host.hear("plate-claimed")["number"]
    eves = [claimant(scene, EVE)[2] for _ in range(8)]
    answers = []
    for tried in range(400):
        eve = eves[tried % len(eves)]
        eve.say(kind="plate-join", number=1000 + (number - 1000 + 1 + tried) % 9000)
        answers.append(eve.hear("plate-over", "plate-met")["why"])
    through = len(answers) - answers.count("rate")
    assert through <= 10, f"{through} numbers of 400 were looked up"
    _, _, guest = claimant(scene)
    guest.say(kind="plate-join", number=number)
    for side in (guest, host):
        side.hear("plate-met")
    for client in (host, guest, *eves):
        client.close()
    return f"{through} of 400 looked up, and who is meant still meets"


ATTACKS = [
    ("S-01", sockets_that_close), ("S-01", handshakes_that_fail), ("S-01", handshakes_that_wait), ("S-06", held_sockets),
    ("S-03", mail_of_one), ("S-04", quota_table), ("S-05", token_lists), ("S-12", eviction), ("S-07", costly_frames), ("S-20", pings),
    ("S-17", turn_credentials), ("R-189", unclaimed_credentials), ("S-23-origin", a_web_page), ("T-Z10", large_frames),
    ("R-054", nonsense), ("T-Z10", a_slow_reader), ("R-053", foreign_claims), ("X-03", who_is_there), ("S-10", one_target),
    ("T-Z07", numbers),
]
