"""What this machine gives to a measurement: priorities, cores that are awake, and how much of its time was left over.

Lives here: asking for all of that, and saying whether there was enough.
Must not: know calls, or judge one.
"""

import contextlib
import os
import pathlib
import subprocess

LAB = pathlib.Path(__file__).parent
# So much of all cores' time must be left over by everybody, our own programs among them, that a machine counts as quiet.
QUIET = 0.5
# A machine that is itself a guest, and is kept waiting by its host for more than this share, is not quiet either.
STOLEN = 0.05


def realtime():
    """Whether this user may give real-time priority."""
    return subprocess.run([str(LAB / "realtime.sh"), "allowed"]).returncode == 0


def set_session(pid, nice):
    """Linux shares the processor between sessions first, by a nice value of theirs (sched(7), autogroup)."""
    with contextlib.suppress(OSError):
        pathlib.Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def busy_loop():
    """A program that never rests, in a session of its own; to be killed."""
    return subprocess.Popen(["setsid", "sh", "-c", "while :; do :; done"])


class Awake:
    """Cores that do not sleep, until `close` or the end of this process: all, or so many."""

    def __init__(self, count=None):
        count = len(os.sched_getaffinity(0)) if count is None else count
        self.loops = [subprocess.Popen([str(LAB / "awake.sh"), str(os.getpid())]) for _ in range(count)]

    def close(self):
        for loop in self.loops:
            loop.kill()
            loop.wait()

    def mark(self):
        """What `left` is to count from."""
        return sum(spent(loop.pid) for loop in self.loops), stolen(), uptime()

    def left(self, mark):
        """Since that mark: the share of the cores' time that nobody wanted, and the share that the host did not give."""
        loops, theirs, at = (now - then for now, then in zip(self.mark(), mark))
        whole = max(at, 0.01) * len(os.sched_getaffinity(0))
        return loops / whole, theirs / whole


def quiet(left, withheld):
    """Whether a machine that had so much left has nothing to do with how a call sounded on it."""
    return left >= QUIET and withheld <= STOLEN


def spent(pid):
    """Seconds on a processor so far; 0 if there is no such process."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stolen():
    """Seconds that the host of this machine kept from all of its cores so far."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK") if len(fields) > 8 else 0.0


def uptime():
    return float(pathlib.Path("/proc/uptime").read_text().split()[0])


class Weight:
    """What some programs, each with its pid, take from now on, on average."""

    def __init__(self, pids):
        self.pids, self.before, self.at = pids, [(spent(pid), switches(pid)) for pid in pids], uptime()

    def since(self):
        """Of one of them: seconds of processor a minute, switches a second, MiB of memory (proportional)."""
        seconds, count = max(uptime() - self.at, 0.01), len(self.pids)
        now = [(spent(pid), switches(pid)) for pid in self.pids]
        took, switched = (sum(new[n] - old[n] for new, old in zip(now, self.before)) / count / seconds for n in (0, 1))
        return {
            "cpu_s_min": round(60 * took, 2),
            "switches_s": round(switched, 1),
            "pss_mib": round(sum(map(memory, self.pids)) / count, 1),
        }


def switches(pid):
    """How often its threads were switched away from so far."""
    found = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            found += sum(int(line.split()[1]) for line in status.read_text().splitlines() if "_ctxt_switches" in line)
        except OSError:
            continue
    return found


def memory(pid):
    try:
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
