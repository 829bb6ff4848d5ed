"""A person's desk: a private desktop with a daemon, its bus, its microphone and its speaker.

Lives here: starting and stopping the processes of one person, verbs on the bus, signals with their time, recordings.
Must not: know the story, or judge what was heard.
"""

import contextlib
import fcntl
import os
import pathlib
import subprocess
import threading
import time

import numpy
from jeepney import DBusAddress, HeaderFields, message_bus, new_method_call
from jeepney.io.blocking import open_dbus_connection

import sound

LAB = pathlib.Path(__file__).parent
NAME = "org.ahoyd.Calls1"
ROOT = "/org/ahoyd/Calls1"
# What plays and records is real-time where that is allowed, and so is who reads a recording.
PRIORITY = 9
# F_SETPIPE_SZ of fcntl(2), which Python has a name for since 3.10.
SET_PIPE_SIZE = 1031
# A sample's time is reckoned by the pieces that came within so many seconds of it.
ABOUT = 0.4


def now():
    """Seconds of the one clock of all measurements."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Desktop:
    """A person's desktop without a daemon: bus, sound server (`pipewire`, `pulse`; None: no sound at all), microphone, speaker. `close`
    ends everything that was started."""

    def __init__(self, name, folder, server="pipewire"):
        self.name, self.folder, self.processes = name, pathlib.Path(folder), []
        lab, owner = [str(LAB / "soundlab.sh")], ["--owner", str(os.getpid())]
        if server:
            subprocess.run([*lab, "up", str(folder), "--sound", server, *owner], check=True)
        else:
            subprocess.run([*lab, "prepare", str(folder), *owner], check=True)
            subprocess.run([*lab, "start", str(folder), "bus"], check=True)
        lines = (self.folder / "env").read_text().split()
        self.env = {**os.environ, **dict(line.split("=", 1) for line in lines)}
        for other in ("DISPLAY", "WAYLAND_DISPLAY", "PULSE_SINK", "PULSE_SOURCE", "PIPEWIRE_REMOTE"):
            self.env.pop(other, None)

    def start(self, command, **streams):
        process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, **streams)
        self.processes.append(process)
        return process

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        subprocess.run([str(LAB / "soundlab.sh"), "down", str(self.folder)], check=False)

    # The ears and the mouth

    def speak(self, file):
        """Plays raw samples into the microphone; ends with the file, or when it is told to."""
        return self.player(open(file, "rb"))

    def hum(self, frequency):
        """A tone in the microphone, without end."""
        second = (sound.tone(frequency, 1.0) * 32767).astype("int16").tobytes()
        process = self.player(subprocess.PIPE)

        def play():
            with contextlib.suppress(BrokenPipeError, ValueError):
                while True:
                    process.stdin.write(second)

        threading.Thread(target=play, daemon=True).start()

    def player(self, samples):
        """What plays raw samples into the microphone."""
        command = [str(LAB / "realtime.sh"), str(PRIORITY), "pacat", "--raw", "--format=s16le", f"--rate={sound.RATE}", "--channels=1", "--latency-msec=40", "--device=mic_in"]
        process = subprocess.Popen(command, env=self.env, stdin=samples)
        self.processes.append(process)
        return process

    def record(self):
        """Begins to record the speaker, and beside it what goes into the microphone."""
        self.ears, self.mouth = (self.recorder(device) for device in ("speaker.monitor", "mic_in.monitor"))

    def recorder(self, device):
        lab = [str(LAB / "realtime.sh"), str(PRIORITY)]
        command = [*lab, "parec", "--raw", "--format=s16le", f"--rate={sound.RATE}", "--channels=1", "--latency-msec=10", f"--device={device}"]
        return Recording(self.start(command, stdout=subprocess.PIPE))

    def lost(self, start, end):
        """The most seconds that the sound server, or a recorder of it, lost between two times, at the speaker or the microphone."""
        return max(recording.lost(start, end) for recording in (self.ears, self.mouth))


class Desk(Desktop):
    """A desktop with a daemon, which the words `within` start; `relay` may be nobody's, `authority` signed its certificate. `media` are
    further lines of that part of its configuration, `more` of the rest."""

    def __init__(self, name, folder, binaries, relay, interfaces, more="", server="pipewire", authority=None, within=(), media=""):
        super().__init__(name, folder, server)
        self.binaries, self.events, self.changed = binaries, [], threading.Condition()
        config = self.folder / "config" / "ahoy" / "config.toml"
        config.parent.mkdir()
        signed = f'ca-file = "{authority}"\n' if authority else ""
        by_relay = f'[relay]\nurls = ["{relay}"]\n{signed}' if relay else ""
        config.write_text(
            f'[account]\nname = "{name}"\n{by_relay}[media]\ninterfaces = {interfaces}\n{media}[ring]\nmuted = true\ntones = false\n{more}'
        )
        self.log = open(self.folder / "log" / "ahoyd", "wb")
        self.within = within
        self.begin()
        self.calls = open_dbus_connection(bus=self.env["DBUS_SESSION_BUS_ADDRESS"])
        threading.Thread(target=self.listen, daemon=True).start()

    def begin(self):
        """Starts the daemon."""
        self.daemon = self.start([*self.within, str(self.binaries / "ahoyd")], stderr=self.log, stdout=self.log)

    def renew(self):
        """Another daemon in place of this one: it has heard of nobody's calls yet."""
        self.daemon.terminate()
        self.daemon.wait()
        self.begin()

    def ctl(self, *words, given=None):
        """Runs ahoyctl as this person; its output."""
        done = subprocess.run(
            [str(self.binaries / "ahoyctl"), *words], env=self.env, input=given, capture_output=True, text=True, timeout=30
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: ahoyctl {' '.join(words[:2])} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    # The bus

    def call(self, path, interface, method, signature="", *values):
        """A method of the daemon: its reply, with the times just before the call and just after the reply."""
        interface = interface if "." in interface else f"{NAME}.{interface}"
        message = new_method_call(DBusAddress(path, bus_name=NAME, interface=interface), method, signature or None, values)
        before = now()
        reply = self.calls.send_and_get_reply(message, timeout=10)
        after = now()
        if reply.header.message_type.name == "error":
            raise RuntimeError(f"{self.name}: {method}: {reply.header.fields.get(HeaderFields.error_name)} {reply.body}")
        return (reply.body[0] if reply.body else None), before, after

    def get(self, path, interface, name):
        return self.call(path, "org.freedesktop.DBus.Properties", "Get", "ss", f"{NAME}.{interface}", name)[0][1]

    def until_online(self, seconds=15):
        self.until_so("comes online", lambda: self.get(ROOT, "Manager", "Online") and self.get(ROOT, "Manager", "Ready"), seconds)

    def until_so(self, what, true, seconds=15):
        """Until the daemon says so, which may not be on the bus yet."""
        end, last = now() + seconds, None
        while now() < end:
            try:
                if true():
                    return
            except RuntimeError as error:
                last = error
            if self.daemon.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.name}: not within {seconds} s: {what}: {last}\n{self.words()}")

    def words(self):
        """The last lines of the daemon's log."""
        return "\n".join((self.folder / "log" / "ahoyd").read_text(errors="replace").splitlines()[-20:])

    def listen(self):
        bus = open_dbus_connection(bus=self.env["DBUS_SESSION_BUS_ADDRESS"])
        bus.send_and_get_reply(message_bus.AddMatch(f"type='signal',path_namespace='{ROOT}'"))
        while True:
            try:
                message = bus.receive()
            except (ConnectionError, OSError):
                return
            at, fields = now(), message.header.fields
            member, path = fields.get(HeaderFields.member), fields.get(HeaderFields.path)
            found = []
            if member == "PropertiesChanged":
                found = [(path, message.body[0], message.body[1])]
            elif member == "InterfacesAdded":
                found = [(message.body[0], interface, values) for interface, values in message.body[1].items()]
            with self.changed:
                for path, interface, values in found:
                    flat = {key: value for key, (_, value) in values.items()}
                    self.events.append((at, path, interface.removeprefix(NAME + "."), flat))
                self.changed.notify_all()

    def until(self, state, since=0.0, seconds=15):
        """When, and on which path, a call was first seen in that state after `since`."""
        end = now() + seconds
        with self.changed:
            while True:
                for at, path, interface, values in self.events:
                    if at >= since and interface == "Call" and values.get("State") == state:
                        return at, path
                if not self.changed.wait(end - now()):
                    raise RuntimeError(f"{self.name}: no call became {state} within {seconds} s\n{self.words()}")


class Recording:
    """Samples as they come, with the time of each piece."""

    def __init__(self, process):
        self.process, self.pieces, self.count = process, [], 0
        # When each piece came, and when the first sample of all would have been if none had got lost until then.
        self.times = []
        # Who is kept waiting for the processor loses nothing for some seconds, where a pipe may be so large.
        with contextlib.suppress(OSError):
            fcntl.fcntl(process.stdout, SET_PIPE_SIZE, 1 << 20)
        threading.Thread(target=self.read, args=(process.stdout,), daemon=True).start()

    def read(self, pipe):
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        while piece := os.read(pipe.fileno(), 1 << 16):
            at = now()
            self.count += len(piece) // 2
            self.pieces.append(piece)
            self.times.append((at, at - self.count / sound.RATE))

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def samples(self):
        raw = b"".join(self.pieces)
        return numpy.frombuffer(raw[: len(raw) // 2 * 2], numpy.int16) / 32768.0

    def began(self, start, end):
        """When the first sample would have been, by the pieces that came between two times. A piece can come late, never early: the
        earliest is nearest to the truth."""
        return min((began for at, began in list(self.times) if start <= at <= end), default=None)

    def lost(self, start, end):
        """How many seconds of sound there should have been between two times and were not: a server's cycle that comes late is lost,
        and with it its time."""
        first, last = self.began(start, start + 2 * ABOUT), self.began(end - 2 * ABOUT, end)
        return end - start if first is None or last is None else max(0.0, last - first)

    def between(self, start, end):
        """What was heard from one time to another."""
        began = self.began(start - ABOUT, start + ABOUT)
        if began is None:
            return numpy.zeros(0)
        at = [max(0, int((time - began) * sound.RATE)) for time in (start, end)]
        return self.samples()[at[0] : at[1]]
