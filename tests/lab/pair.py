"""Ana and Ben, each on a host of their own with a desktop, and a relay on a third one.

Lives here: starting all of it, a call between the two, what each side says of it.
Must not: know what the network does to them, or judge what was heard.
"""

import os
import shutil
import subprocess

import network
from desk import ROOT, Desk, now
from rtkit import RealtimeKit

PORT = 8790
# Sound as it is: what is measured is the way, not what improves a microphone.
VOICE = '[voice]\necho = "{0}"\nnoise = "{0}"\ngain = "{0}"\n'


class Pair:
    """Both people, online and known to each other. `ice` is the relay's configuration of STUN and TURN, `media` lines of that part of a
    person's. `close` ends everything that was started."""

    def __init__(self, net, server, programs, folder, voice="off", interfaces='["link0"]', ice="", media=None):
        self.running = []
        try:
            authority = certificate(folder, net.addresses["relay"], "relay")
            listen = f"{network.literal(net.addresses['relay'])}:{PORT}"
            relay = [*net.within("relay"), str(programs / "ahoy-relay"), "--listen", listen]
            relay += ["--tls-cert", str(folder / "relay.pem"), "--tls-key", str(folder / "relay.key")]
            if ice:
                (folder / "relay.toml").write_text(ice)
                relay += ["--config", str(folder / "relay.toml")]
            self.relay = subprocess.Popen(relay, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.running.append(lambda: (self.relay.terminate(), self.relay.wait()))
            self.relay.stdout.readline()
            self.desks = []
            for name, host in (("Ana", "a"), ("Ben", "b")):
                # In a session of its own, as on a desktop.
                within = [*net.within(host), "setsid"]
                more = VOICE.format(voice)
                own = (media or {}).get(name, "")
                desk = Desk(name, folder / name.lower(), programs, f"wss://{listen}", interfaces, more, server, authority, within, own)
                self.desks.append(desk)
                self.running.append(desk.close)
                desk.realtime = RealtimeKit(desk.env["DBUS_SYSTEM_BUS_ADDRESS"])
            for desk in self.desks:
                desk.until_online()
            self.ana, self.ben = self.desks
            for one, other in ((self.ana, self.ben), (self.ben, self.ana)):
                other.ctl("contact", "add", "-", given=one.ctl("account", "card"))
        except BaseException:
            self.close()
            raise

    def close(self):
        for each in reversed(self.running):
            each()
        self.running = []

    def renew(self):
        """Other daemons: who is called more than five times a minute by one contact does not ring."""
        for desk in self.desks:
            desk.renew()
        for desk in self.desks:
            desk.until_online()

    def connect(self):
        """A call that is answered at once; its path on each side."""
        since = now()
        self.ana.call(ROOT, "Manager", "Dial", "sa{sv}", "Ben", {})
        _, path = self.ben.until("incoming", since=since)
        self.ben.call(path, "Call", "Answer", "a{sv}", {})
        self.since = since
        self.paths = [desk.until("active", since=since)[1] for desk in self.desks]

    def pids(self):
        """The daemons' processes."""
        return [desk.daemon.pid for desk in self.desks]

    def lives(self):
        """Whether the call has not ended on either side."""
        return not any(self.states(desk) & {"disconnected", "idle"} for desk in self.desks)

    def repairs(self):
        """How often a path was lost, on both sides."""
        return sum(len([1 for row in self.rows(desk) if row[3].get("State") == "reconnecting"]) for desk in self.desks)

    def states(self, desk):
        return {row[3].get("State") for row in self.rows(desk)}

    def rows(self, desk):
        with desk.changed:
            events = list(desk.events)
        return [row for row in events if row[0] >= self.since and row[2] == "Call" and row[1] in self.paths]

    def stats(self):
        """What each side's GetStats says, with the time; empty where there is no call any more."""
        found = []
        for desk, path in zip(self.desks, self.paths):
            try:
                said, _, at = desk.call(path, "Call", "GetStats", "a{sv}", {})
            except RuntimeError:
                said, at = {}, now()
            found.append((at, {key: value for key, (_, value) in said.items()}))
        return found

    def hang_up(self):
        """Why the call ended, as each side says; it may have before."""
        if self.lives():
            self.ana.ctl("hangup")
        for desk in self.desks:
            desk.until("disconnected", since=self.since)
        # As it was told: some seconds later there is nobody to ask.
        return [next((row[3]["StateReason"] for row in self.rows(desk) if row[3].get("StateReason")), "") for desk in self.desks]

    def keep_logs(self, folder):
        for desk in self.desks:
            if (desk.folder / "log" / "ahoyd").exists():
                shutil.copy(desk.folder / "log" / "ahoyd", folder / f"{desk.name.lower()}.log")


def certificate(folder, address, name):
    """A certificate for that address, in files of that name, with who signed it: the file of the latter."""
    run = lambda *words: subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    if not (folder / "authority.pem").exists():
        authority = ["-keyout", "authority.key", "-out", "authority.pem", "-days", "2", "-subj", "/CN=lab"]
        run("req", "-x509", *curve, *authority, "-addext", "basicConstraints=critical,CA:TRUE")
    run("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={address}")
    (folder / f"{name}.ext").write_text(f"subjectAltName=IP:{address}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext"]
    run("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    os.chmod(folder / f"{name}.key", 0o600)
    return folder / "authority.pem"
