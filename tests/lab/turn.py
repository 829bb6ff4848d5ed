"""A STUN and TURN server on a host of its own: coturn, as people run it.

Lives here: its command line, what a relay must be told of it, and its end.
Must not: know who uses it, or what for.
"""

import re
import shutil
import subprocess
import time

from network import literal
from pair import certificate

PLAIN, TLS = 3478, 5349
SECRET = "the secret of the lab"


class Turn:
    """It runs on the host `turn` until `close`. A nonce of its is good for so many seconds."""

    def __init__(self, net, folder, nonce_s=None):
        self.address, self.folder, self.log = net.addresses["turn"], folder, folder / "turn.log"
        certificate(folder, self.address, "turn")
        (folder / "turn-secret").write_text(SECRET)
        words = [shutil.which("turnserver") or "/usr/bin/turnserver", "-n", "--no-cli", "--no-software-attribute", "--simple-log"]
        words += [f"--listening-ip={self.address}", f"--relay-ip={self.address}", f"--listening-port={PLAIN}", f"--tls-listening-port={TLS}"]
        words += [f"--cert={folder / 'turn.pem'}", f"--pkey={folder / 'turn.key'}", "--realm=lab", "--fingerprint"]
        words += ["--use-auth-secret", f"--static-auth-secret={SECRET}", f"--userdb={folder / 'turndb'}", f"--pidfile={folder / 'turn.pid'}"]
        words += [f"--log-file={self.log}", "--verbose"]
        words += [f"--stale-nonce={nonce_s}"] if nonce_s else []
        self.process = subprocess.Popen([*net.within("turn"), *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for port in (PLAIN, TLS):
                self.until_open(net, port)
        except BaseException:
            self.close()
            raise

    def until_open(self, net, port, seconds=20):
        knock = [*net.within("turn"), "bash", "-c", f"exec 3<>/dev/tcp/{self.address}/{port}"]
        for _ in range(seconds * 20):
            if subprocess.run(knock, stderr=subprocess.DEVNULL).returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("the TURN server did not start")

    def ice(self, *transports):
        """A relay's configuration that offers STUN, and TURN by these transports: `udp`, `tcp`, `tls`."""
        host = literal(self.address)
        urls = {"udp": f"turn:{host}:{PLAIN}?transport=udp", "tcp": f"turn:{host}:{PLAIN}?transport=tcp", "tls": f"turns:{host}:{TLS}?transport=tcp"}
        given = [urls[transport] for transport in transports]
        secret = f'turn-secret-file = "{self.folder / "turn-secret"}"\n' if given else ""
        return f'[ice]\nstun = ["stun:{host}:{PLAIN}"]\nturn = {str(given).replace(chr(39), chr(34))}\n{secret}'

    def bound_anew(self):
        """How often a channel was asked for right after the same client was refused something for an old nonce."""
        refused, count = {}, 0
        for session, request, outcome in re.findall(r"session (\d+): .*incoming packet (\w+) processed, (.*)", self.log.read_text()):
            count += request == "CHANNEL_BIND" and refused.get(session, False)
            refused[session] = "438" in outcome
        return count

    def close(self):
        self.process.terminate()
        self.process.wait()
