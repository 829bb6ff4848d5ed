"""Runs every test program of the workspace, two at a time: most of their time they wait for each other's daemons, not for a core.

    lanes.py

Lives here: which program runs when, and its output as one piece of the log, in the words of `cargo test`.
Must not: choose among tests, run one again, or judge what they say.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import tomllib

# A program that hangs is ended, and has failed; the longest takes two minutes where nothing runs beside it.
PATIENCE_S = 900
# Those that start daemons, and most of them a sound server. The other lane takes from this end when its own are done.
WITH_DAEMONS = "ahoy-tests"


def programs():
    """Builds them all; (package, its folder, name, path) each."""
    command = ["cargo", "test", "--workspace", "--no-run", "--message-format=json"]
    built = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    for line in built.splitlines():
        told = json.loads(line)
        if told.get("reason") == "compiler-artifact" and told["profile"]["test"] and told.get("executable"):
            manifest = pathlib.Path(told["manifest_path"])
            package = tomllib.loads(manifest.read_text())["package"]["name"]
            kind = "" if "test" in told["target"]["kind"] else "unit tests of "
            yield package, manifest.parent, f"{kind}{package} {told['target']['name']}", told["executable"]


class Lanes:
    """Two queues with their lock, and the log that both write."""

    def __init__(self, log):
        self.log, self.lock, self.failed = log, threading.Lock(), []
        found = sorted(programs(), key=lambda each: each[2])
        self.queues = ([each for each in found if each[0] == WITH_DAEMONS], [each for each in found if each[0] != WITH_DAEMONS])

    def next(self, lane):
        with self.lock:
            own, other = self.queues[lane], self.queues[1 - lane]
            return own.pop(0) if own else other.pop() if other else None

    def run(self, lane):
        while taken := self.next(lane):
            package, folder, name, path = taken
            environment = os.environ | {"CARGO_MANIFEST_DIR": str(folder), "CARGO_PKG_NAME": package}
            # The programs were built with the tests; built by themselves they would be other ones, for their libraries' features differ.
            environment["AHOY_LAB_PROGRAMS"] = str(pathlib.Path(path).parent.parent)
            # No pipe: what a program leaves behind ends when that program is gone, and would hold the pipe open until then.
            with tempfile.TemporaryFile() as said:
                try:
                    # Two desks with their sound at a time are enough for two cores: a third starves all of them.
                    alone = ["--test-threads=1"] if package == WITH_DAEMONS else []
                    command = [path, "--show-output", *alone]
                    status = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said,
                                            stderr=subprocess.STDOUT, timeout=PATIENCE_S).returncode
                except subprocess.TimeoutExpired:
                    status = f"more than {PATIENCE_S} s"
                said.seek(0)
                with self.lock:
                    self.log.write(f"     Running {name} ({path})\n".encode() + said.read())
                    if status:
                        self.failed.append(name)
                        self.log.write(f"error: {name} failed ({status})\n".encode())
                    self.log.flush()


def main():
    log = sys.stdout.buffer
    lanes = Lanes(log)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        list(threads.map(lanes.run, (0, 1)))
    documented = subprocess.run(["cargo", "test", "--workspace", "--doc", "--no-fail-fast"], stdout=log, stderr=subprocess.STDOUT)
    return 1 if lanes.failed or documented.returncode else 0


sys.exit(main())
