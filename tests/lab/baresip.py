"""Two people who call each other with baresip, on the same desktops and hosts as Ana and Ben.

Lives here: its settings, its control connection, and a call as pair.py leads it.
Must not: know what the network does to it, or judge what was heard.
"""

import ctypes
import json
import re
import socket
import threading
import time

import network
from desk import Desktop, now

CONFIG = """poll_method epoll
sip_listen {address}:5060
call_local_timeout 120
call_max_calls 4
audio_path /nonexistent
audio_player alsa,pulse
audio_source alsa,pulse
audio_alert alsa,pulse
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 1
auplay_channels 1
rtp_tos 184
rtcp_mux yes
jitter_buffer_type fixed
jitter_buffer_delay 5-10
rtp_stats no
module_path /usr/lib/baresip/modules
module opus.so
module alsa.so
module srtp.so
module dtls_srtp.so
module ice.so
module stun.so
module turn.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:4444
statmode_default off
opus_bitrate 32000
opus_stereo no
opus_sprop_stereo no
opus_inbandfec yes
opus_packet_loss 10
"""
ACCOUNT = "<sip:{name}@{address}>;regint=0;mediaenc=dtls_srtp;medianat=ice;audio_codecs=opus;ptime=20;answermode=manual\n"


class Baresips:
    """Both, ready to call. `close` ends everything that was started."""

    def __init__(self, net, server, programs, folder, voice="off"):
        self.running, self.desks, self.processes, self.controls = [], [], [], []
        self.said, self.changed = [], threading.Condition()
        try:
            for name, host in (("Ana", "a"), ("Ben", "b")):
                desk = Desktop(name, folder / name.lower(), server)
                self.desks.append(desk)
                self.running.append(desk.close)
                self.begin(net, desk, host)
        except BaseException:
            self.close()
            raise

    def begin(self, net, desk, host):
        address, home = network.ADDRESS[host], desk.folder / "home"
        settings = home / ".baresip"
        settings.mkdir()
        (home / ".asoundrc").write_text("pcm.pulse { type pulse }\nctl.pulse { type pulse }\n")
        (settings / "config").write_text(CONFIG.format(address=address))
        (settings / "accounts").write_text(ACCOUNT.format(name=host, address=address))
        (settings / "contacts").write_text("")
        log = open(desk.folder / "log" / "baresip", "wb")
        words = [*net.within(host), "setsid", "baresip", "-f", str(settings)]
        self.processes.append(desk.start(words, stdout=log, stderr=log))
        control = connected(net.hosts[host])
        self.controls.append(control)
        threading.Thread(target=self.listen, args=(len(self.controls) - 1, control), daemon=True).start()

    def listen(self, who, control):
        begun = b""
        while piece := control.recv(65536):
            at, begun = now(), begun + piece
            # A netstring: its length, a colon, that many bytes, a comma.
            while (head := re.match(rb"(\d+):", begun)) and len(begun) > head.end() + int(head[1]):
                said = json.loads(begun[head.end() : head.end() + int(head[1])])
                begun = begun[head.end() + int(head[1]) + 1 :]
                with self.changed:
                    self.said.append((at, who, said.get("type")))
                    self.changed.notify_all()

    def tell(self, who, command, words=""):
        text = json.dumps({"command": command, "params": words, "token": "t"}).encode()
        self.controls[who].sendall(str(len(text)).encode() + b":" + text + b",")

    def until(self, who, kind, seconds=15):
        """When it came."""
        end = now() + seconds
        with self.changed:
            while not self.seen(who, kind):
                if not self.changed.wait(end - now()):
                    raise RuntimeError(f"baresip of {self.desks[who].name}: no {kind} within {seconds} s")
            return self.seen(who, kind)

    def seen(self, who, kind):
        return next((at for at, whom, what in self.said if at >= self.since and who == whom and kind == what), None)

    def close(self):
        for each in reversed(self.running):
            each()
        self.running = []

    # As pair.Pair

    def connect(self):
        self.since = now()
        self.tell(0, "dial", f"sip:b@{network.ADDRESS['b']}")
        self.until(1, "CALL_INCOMING")
        time.sleep(0.3)
        self.tell(1, "accept")
        for who in (0, 1):
            self.until(who, "CALL_ESTABLISHED")

    def pids(self):
        return [process.pid for process in self.processes]

    def lives(self):
        with self.changed:
            return not any(self.seen(who, "CALL_CLOSED") for who in (0, 1))

    def repairs(self):
        return 0

    def stats(self):
        return [(now(), {})] * 2

    def hang_up(self):
        if self.lives():
            self.tell(0, "hangup")
        for who in (0, 1):
            self.until(who, "CALL_CLOSED")
        return ["", ""]

    def keep_logs(self, folder):
        pass


def connected(process):
    """The control connection to the baresip in that process's network."""
    found = []

    def enter():
        # In a thread of its own, so that nobody else is moved (CLONE_NEWNET of <linux/sched.h>).
        with open(f"/proc/{process}/ns/net") as there:
            if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), 0x40000000) != 0:
                return
        for _ in range(100):
            try:
                found.append(socket.create_connection(("127.0.0.1", 4444), 1))
                return
            except OSError:
                time.sleep(0.1)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if not found:
        raise RuntimeError("baresip did not start")
    found[0].settimeout(None)
    return found[0]
