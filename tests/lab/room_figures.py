"""How soon somebody is in a room on a real LiveKit server: on lines of 0, 50 and 100 ms there and back, and where a tenth of the datagrams
gets lost each way; and for how long nothing is heard when one of two interfaces goes.

    room_figures.py TARGET_FOLDER [tries=10] [joins=100] [changes=3]      (run by `make test-rooms FIGURES=1`)

Plain WebSockets are for loopback alone, so two hosts share a part of 127.0.0.0/8 between them.

Lives here: the networks, the server in one and the joins in the other.
Must not: judge a figure.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import network

LAB = pathlib.Path(__file__).parent
HERE, HERE_TOO, THERE = "127.77.0.1", "127.77.0.3", "127.77.0.2"
# The same as in daemon/tests/rooms/server.rs.
SERVER = """port: 7880
bind_addresses: [%s]
keys: {testkey: a secret of the tests that is long enough}
rtc: {tcp_port: 0, udp_port: 7882, use_external_ip: false, node_ip: %s, enable_loopback_candidate: true, interfaces: {includes: [link0]},
      stun_servers: ['%s:9'], allow_tcp_fallback: false}
turn: {enabled: false}
""" % (THERE, THERE, THERE)


def built():
    """The program of the tests."""
    command = ["cargo", "test", "--workspace", "--test", "rooms", "--no-run", "--message-format=json"]
    for line in subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines():
        told = json.loads(line)
        if told.get("executable") and told["target"]["name"] == "rooms":
            return told["executable"]
    raise SystemExit("cargo built no such program")


def loopback(net, host):
    """What a machine keeps of 127.0.0.0/8 for itself goes over the line."""
    words = "ip addr del 127.0.0.1/8 dev lo; ip addr add 127.0.0.1/32 dev lo"
    words += "; for file in /proc/sys/net/ipv4/conf/*/route_localnet; do echo 1 >$file; done"
    subprocess.run([*net.within(host), "sh", "-c", words], check=True)


def lose(net, share):
    """Datagrams that come to either side get lost."""
    rules = "table ip loss { chain come { type filter hook input priority 0; meta l4proto udp numgen random mod 100 < %d drop; }; }" % share
    for host in ("a", "b"):
        subprocess.run([*net.within(host), "nft", rules], check=True)


def figures(program, emulator, folder, condition, loss, test, tries, two=False):
    with contextlib.ExitStack() as over:
        addresses = {"a": HERE, "b": THERE} | ({"a2": HERE_TOO} if two else {})
        net = network.Network(emulator, folder, 1, addresses=addresses)
        over.callback(net.close)
        loopback(net, "a"), loopback(net, "b")
        net.set(condition)
        if loss:
            lose(net, loss)
        settings = pathlib.Path(folder) / "livekit.yaml"
        settings.write_text(SERVER)
        livekit = subprocess.run([LAB / "livekit.sh"], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
        with open(pathlib.Path(folder) / "livekit.log", "w") as log:
            server = subprocess.Popen([*net.within("b"), livekit, "--config", settings], stdout=log, stderr=log)
        over.callback(server.wait)
        over.callback(server.terminate)
        listens = "import socket, sys; sys.exit(socket.socket().connect_ex(('%s', 7880)))" % THERE
        until = time.monotonic() + 20
        while subprocess.run([*net.within("b"), sys.executable, "-c", listens]).returncode:
            if time.monotonic() > until:
                raise SystemExit("the server does not listen")
        interfaces, other = "link0,link1" if two else "link0", " ".join(net.within("b"))
        about = {"AHOY_ROOM_URL": f"ws://{THERE}:7880", "AHOY_ROOM_INTERFACE": interfaces, "AHOY_ROOM_TRIES": str(tries)}
        about["AHOY_ROOM_OTHER"] = other
        words = [*net.within("a"), program, "--ignored", "--nocapture", "--exact", f"figures::{test}"]
        run = subprocess.run(words, env=os.environ | about, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode:
            print(run.stdout)
            raise SystemExit(run.returncode)
        for line in run.stdout.splitlines():
            if "FIGURE " in line or "hung" in line:
                print("  " + line[line.find("FIGURE ") :].removeprefix("FIGURE "), flush=True)


def main():
    target = pathlib.Path(sys.argv[1])
    options = dict(word.split("=", 1) for word in sys.argv[2:])
    program, tries, joins = built(), int(options.get("tries") or 10), int(options.get("joins") or 100)
    with tempfile.TemporaryDirectory() as folder:
        for there_and_back in (0, 50, 100):
            print(f"{there_and_back} ms there and back", flush=True)
            condition = f"delay={there_and_back // 2}ms" if there_and_back else "clean"
            figures(program, target / "debug/emulator", folder, condition, 0, "from_the_join_to_the_first_frame", tries)
        for there_and_back in (0, 50):
            print(f"{there_and_back} ms there and back, one of two interfaces goes", flush=True)
            condition = f"delay={there_and_back // 2}ms" if there_and_back else "clean"
            figures(program, target / "debug/emulator", folder, condition, 0, "interfaces_go", int(options.get("changes") or 3), two=True)
        print("10 % of the datagrams lost each way", flush=True)
        figures(program, target / "debug/emulator", folder, "clean", 10, "joins_one_after_the_other", joins)


main()
