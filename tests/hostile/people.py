"""The honest people of the hostile test: a relay, daemons on buses of their own, and what they are asked.

Lives here: starting and ending the programs, verbs by ahoyctl and the bus.
Must not: attack, or judge.
"""

import contextlib
import json
import os
import pathlib
import select
import ssl
import subprocess
import time

from jeepney import DBusAddress, HeaderFields, new_method_call
from jeepney.io.blocking import open_dbus_connection

NAME, ROOT = "org.ahoyd.Calls1", "/org/ahoyd/Calls1"


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def certificate(folder):
    """An authority and a server certificate of it, for localhost."""
    run = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-keyout", "ca.key",
        "-out", "ca.pem", "-subj", "/CN=test authority")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "server.csr",
        "-subj", "/CN=localhost")
    (folder / "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
        "-extfile", "extensions", "-out", "cert.pem")


class Relay:
    """A relay on a free port of loopback."""

    def __init__(self, binaries, folder, tls):
        self.folder, self.tls, context = folder, tls, None
        words = [str(binaries / "ahoy-relay"), "--listen", "127.0.0.1:0"]
        (folder / "turn-secret").write_text("a secret of the test\n")
        (folder / "relay.toml").write_text(
            f'[ice]\nturn = ["turn:localhost:3478?transport=udp"]\nturn-secret-file = "{folder}/turn-secret"\n'
        )
        words += ["--config", str(folder / "relay.toml")]
        if tls:
            certificate(folder)
            words += ["--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]
            context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        self.log = open(folder / "relay.log", "wb")
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline().decode()
        self.port = int(line.rsplit(":", 1)[1].strip().rstrip("/"))
        self.url = f"{'wss' if tls else 'ws'}://{'localhost' if tls else '127.0.0.1'}:{self.port}"
        self.place = ("localhost" if tls else "127.0.0.1", self.port, context)

    def memory_mib(self):
        return resident(self.process.pid)

    def lives(self):
        return self.process.poll() is None

    def close(self):
        self.process.kill()
        self.process.wait()


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


class Honest:
    """A person with a daemon and no sound."""

    def __init__(self, name, binaries, folder, relay, more=""):
        self.name, self.binaries, self.folder = name, binaries, pathlib.Path(folder)
        for sub in ("run", "config/ahoy", "state", "cache", "data"):
            (self.folder / sub).mkdir(parents=True)
        (self.folder / "run").chmod(0o700)
        ca = f'ca-file = "{relay.folder}/ca.pem"\n' if relay.tls else ""
        (self.folder / "config/ahoy/config.toml").write_text(
            f'[account]\nname = "{name}"\n[relay]\nurls = ["{relay.url}"]\n{ca}[log]\nlevel = "debug"\n[ring]\nmuted = true\ntones = false\n{more}'
        )
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder / "run")}
        for kind in ("config", "state", "cache", "data"):
            self.env[f"XDG_{kind.upper()}_HOME"] = str(self.folder / kind)
        self.env["LC_ALL"] = "C.UTF-8"
        session = pathlib.Path(__file__).parent / "session.conf"
        self.bus = subprocess.Popen(
            ["dbus-daemon", f"--config-file={session}", f"--address=unix:path={self.folder}/run/b", "--print-address=1", "--nofork"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env,
        )
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self.bus.stdout.readline().decode().strip()
        self.log = open(self.folder / "ahoyd.log", "wb")
        self.daemon = subprocess.Popen([str(binaries / "ahoyd")], env=self.env, stdout=self.log, stderr=self.log)
        self.connection = open_dbus_connection(bus=self.env["DBUS_SESSION_BUS_ADDRESS"])

    def close(self):
        for process in (self.daemon, self.bus):
            process.kill()
            process.wait()

    def ctl(self, *words, given=None, timeout=20):
        done = subprocess.run([str(self.binaries / "ahoyctl"), *words], env=self.env, input=given, capture_output=True, timeout=timeout)
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def says(self, *words, given=None):
        code, out, err = self.ctl(*words, given=given.encode() if given else None)
        if code:
            raise RuntimeError(f"{self.name}: ahoyctl {words}: exit {code}: {err.strip()}")
        return out

    def call(self, path, interface, method, signature="", *values, timeout=10):
        interface = interface if "." in interface else f"{NAME}.{interface}"
        message = new_method_call(DBusAddress(path, bus_name=NAME, interface=interface), method, signature or None, values)
        reply = self.connection.send_and_get_reply(message, timeout=timeout)
        if reply.header.message_type.name == "error":
            raise RuntimeError(f"{self.name}: {method}: {reply.header.fields.get(HeaderFields.error_name)} {reply.body}")
        return reply.body[0] if reply.body else None

    def get(self, interface, name, path=ROOT):
        return self.call(path, "org.freedesktop.DBus.Properties", "Get", "ss", f"{NAME}.{interface}", name)[1]

    def on_the_bus(self):
        """Whether the daemon answers there, with its time."""
        before = now()
        with contextlib.suppress(Exception):
            self.get("Manager", "Ready")
            return now() - before
        return None

    def until(self, what, seconds=15):
        """Asks until there is an answer; the answer."""
        end, last = now() + seconds, None
        while now() < end:
            try:
                answer = what()
                if answer:
                    return answer
            except Exception as error:  # the daemon may be on its way
                last = error
            select.select([], [], [], 0.01)
        raise TimeoutError(f"{self.name}: {last}")

    def until_online(self):
        self.until(lambda: self.get("Manager", "Online"))

    def calls(self):
        """Calls as the bus shows them: path and plain properties."""
        objects = self.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        found = []
        for path, interfaces in objects.items():
            if f"{NAME}.Call" in interfaces:
                found.append((path, {key: value[1] for key, value in interfaces[f"{NAME}.Call"].items()}))
        return found

    def dial(self, whom, **options):
        known = {"lifetime": ("u", 10), **options}
        return self.call(ROOT, "Manager", "Dial", "sa{sv}", whom, known)

    def verb(self, path, verb, *more):
        signature, values = (more[0], more[1:]) if more else ("", ())
        return self.call(path, "Call", verb, signature + "a{sv}", *values, {})

    def in_state(self, *states, contact=None):
        return [path for path, row in self.calls() if row["State"] in states and (contact is None or row["RemoteName"] == contact)]

    def until_state(self, *states, contact=None, seconds=15):
        return self.until(lambda: self.in_state(*states, contact=contact), seconds)[0]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def processor(self):
        """Seconds of processor time so far."""
        fields = pathlib.Path(f"/proc/{self.daemon.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def written(self):
        """Bytes that it gave to the disk so far."""
        for line in pathlib.Path(f"/proc/{self.daemon.pid}/io").read_text().splitlines():
            if line.startswith("write_bytes"):
                return int(line.split()[1])
        return 0

    def words(self):
        return (self.folder / "ahoyd.log").read_text(errors="replace")


def introduce(one, other):
    for source, target in ((one, other), (other, one)):
        target.says("contact", "add", "-", given=source.says("account", "card", "--for", target.name))
