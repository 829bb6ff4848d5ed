"""A real LiveKit server on loopback, a relay whose rooms are on it, and somebody in a room who has no key.

Lives here: their beginning and end, the tokens that the server's own key makes, what came of whom under which key.
Must not: know a call, or judge what is seen; be called as the library of LiveKit's client is, which stands beside it.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.request

LAB = pathlib.Path(__file__).parent
KEY, SECRET = "labkey", "a secret of the lab that is long enough"
SETTINGS = """port: %d
bind_addresses: [127.0.0.1]
keys: {%s: %s}
rtc: {tcp_port: 0, udp_port: %d, use_external_ip: false, node_ip: 127.0.0.1, enable_loopback_candidate: true, interfaces: {includes: [lo]},
      stun_servers: ['127.0.0.1:9'], allow_tcp_fallback: false}
turn: {enabled: false}
"""


def free(kind):
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def program():
    """Where the server is; None where nobody has built it."""
    built = subprocess.run([LAB / "livekit.sh", "--there"], stdout=subprocess.PIPE, text=True)
    return built.stdout.strip() if built.returncode == 0 else None


def until_listening(port):
    until = time.monotonic() + 20
    while True:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > until:
            raise RuntimeError("the server of the rooms does not listen")
        time.sleep(0.02)


class Front:
    """TLS before a server, until `close`."""

    def __init__(self, server, certificate, key):
        port = free(socket.SOCK_STREAM)
        self.url = f"wss://127.0.0.1:{port}"
        inner = server.url.rsplit(":", 1)[1]
        self.process = subprocess.Popen([sys.executable, LAB / "tls_front.py", str(port), inner, certificate, key])
        until_listening(port)

    def close(self):
        self.process.terminate()
        self.process.wait()


class LiveKit:
    """The server, until `close`."""

    def __init__(self, program, folder):
        self.folder, port = pathlib.Path(folder), free(socket.SOCK_STREAM)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.url = f"ws://127.0.0.1:{port}"
        # Where its sound comes from.
        self.media_port = free(socket.SOCK_DGRAM)
        (self.folder / "livekit.yaml").write_text(SETTINGS % (port, KEY, SECRET, self.media_port))
        with open(self.folder / "livekit.log", "w") as log:
            self.process = subprocess.Popen([program, "--config", self.folder / "livekit.yaml"], stdout=log, stderr=log)
        until_listening(port)

    def relay(self, url=None):
        """The configuration of a relay whose rooms are here; others reach the server at this address, if it is not ours."""
        (self.folder / "key").write_text(KEY)
        (self.folder / "secret").write_text(SECRET)
        config = self.folder / "relay.toml"
        config.write_text(f'[rooms]\nurl = "{url or self.url}"\nkey-file = "{self.folder}/key"\nsecret-file = "{self.folder}/secret"\n')
        return config

    def token(self, who, **grant):
        """Lets somebody do that for ten minutes (RFC 7519)."""
        times = {"nbf": int(time.time()) - 10, "exp": int(time.time()) + 600}
        claims = {"iss": KEY, "sub": who, **times, "video": grant}
        parts = b".".join(text(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return (parts + b"." + text(hmac.new(SECRET.encode(), parts, hashlib.sha256).digest())).decode()

    def rooms(self):
        """The names of the rooms that there are."""
        asked = urllib.request.Request(
            self.url.replace("ws:", "http:") + "/twirp/livekit.RoomService/ListRooms",
            data=b"{}",
            headers={"Content-Type": "application/json", "Authorization": "Bearer " + self.token("", roomList=True)},
        )
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return [room["name"] for room in json.load(answer).get("rooms", [])]

    def close(self):
        self.process.terminate()
        self.process.wait()


def text(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=")


class Tap:
    """Who is in the room unseen, and has no key, until `close`. Whoever runs the server can do that."""

    def __init__(self, program, server, interface="lo"):
        (room,) = server.rooms()
        token = server.folder / "token"
        token.write_text(server.token("tap", roomJoin=True, room=room, canPublish=True, canSubscribe=True, hidden=True))
        self.process = subprocess.Popen([program, server.url, token, interface], stdout=subprocess.PIPE, text=True)
        # By identity and key index: frames so far, when the first came and when the last, in seconds since boot.
        self.seen, self.changed = {}, threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            one = json.loads(line)
            with self.changed:
                self.seen[one["who"], one["index"]] = (one["frames"], one["first"], one["last"])
                self.changed.notify_all()

    def until_senders(self, count, since, seconds=20):
        """Until frames of so many came after that time."""
        until = time.monotonic() + seconds
        with self.changed:
            while len({who for (who, _), (*_, last) in self.seen.items() if last > since}) < count:
                if not self.changed.wait(until - time.monotonic()):
                    raise RuntimeError(f"not within {seconds} s: {count} send into the room: {list(self.seen.values())}")

    def last_under_old_keys(self, at, until):
        """When the last frame came under a key that was used before `at`, of those who send on after `until`; None if somebody who
        does never took a new one."""
        with self.changed:
            seen = dict(self.seen)
        on = {who for (who, _), (*_, last) in seen.items() if last > until}
        new = {who for (who, _), (_, first, _) in seen.items() if first > at}
        if not on or not on <= new:
            return None
        return max(last for (who, _), (_, first, last) in seen.items() if who in on and first <= at)

    def close(self):
        self.process.terminate()
        self.process.wait()
