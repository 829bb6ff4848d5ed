#!/bin/bash
# What a person can rely on when systemd runs ahoyd. Runs inside user-manager.sh, as the made-up user.
#
#   service.sh activation|hang|calls|failures|hooks|cores|terminal|newcomer
#
# Lives here: one function a question; the first thing that is not so ends it with a sentence.
# Must not: sleep where something can be seen, or touch anything but this user's own.
set -u
bin=/srv/lab/bin
export PATH=$bin:$PATH

fail() {
  echo "FAILED: $*" >&2
  systemctl --user status ahoyd --no-pager -n 40 >&2 || true
  exit 1
}
# within SECONDS CMD...: repeats CMD until it succeeds.
within() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.05; done
}
of_unit() { systemctl --user show -p "$1" --value ahoyd; }
is() { [ "$(of_unit "$1")" = "$2" ]; }
owner() { busctl --user call org.freedesktop.DBus / org.freedesktop.DBus GetConnectionUnixProcessID s org.ahoyd.Calls1 | cut -d' ' -f2; }
ready() { is ActiveState active && [ "$(owner)" = "$(of_unit MainPID)" ]; }
# Between two lives it may still say that it is ready, and has no process.
begun_anew() { local now; ready && now=$(of_unit MainPID) && [ "$now" != 0 ] && [ "$now" != "$1" ]; }

# The journal is written by another process, in its own time.
logged() { journalctl --user-unit=ahoyd -o cat | grep -q "$1"; }
logs_say() { ahoyctl logs | grep -q "$1"; }

activation() {
  ahoyctl status 2>said; [ $? = 8 ] || fail "status without a daemon"
  grep -q 'systemctl --user start ahoyd' said || fail "status does not say how to start it"
  is ActiveState inactive || fail "a look has started the daemon"
  ahoyctl account >said || fail "a verb does not start the daemon: $(cat said)"
  ready || fail "the bus name is not the unit's: $(owner) and $(of_unit MainPID)"
  is StatusText ready || fail "the status line is '$(of_unit StatusText)'"
  local first; first=$(of_unit MainPID)
  timeout 10 ahoyd 2>said || fail "a second daemon ends with $?"
  grep -q 'another ahoyd' said || fail "a second daemon says: $(cat said)"
  systemctl --user start ahoyd || fail "starting what runs is an error"
  is MainPID "$first" || fail "the first daemon did not stay"
  systemctl --user stop ahoyd
  is Result success || fail "it did not stop well: $(of_unit Result)"
  ahoyctl account >said && begun_anew "$first" || fail "it does not start a second time"
  ahoyctl logs -n 5 >said && [ -s said ] || fail "ahoyctl logs shows nothing"
}

# Stops the engine's thread alone, as a debugger would, and holds it to its end. All other threads go on.
freeze='
import ctypes, os, sys
libc, pid = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
for request in (0x4206, 0x4207):  # PTRACE_SEIZE, PTRACE_INTERRUPT
    if libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, None) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(pid, 0x40000000)  # __WALL
print("frozen", flush=True)
while os.WIFSTOPPED(os.waitpid(pid, 0x40000000)[1]):
    pass
'
fed() { [ "$(of_unit WatchdogTimestampMonotonic)" != "$1" ]; }

hang() {
  ahoyctl account >/dev/null || fail "it does not start"
  is WatchdogUSec 2s || fail "the watchdog waits $(of_unit WatchdogUSec)"
  # It is fed again and again, by the engine.
  for _ in 1 2 3; do within 5 fed "$(of_unit WatchdogTimestampMonotonic)" || fail "nobody feeds the watchdog"; done
  is NRestarts 0 || fail "it was restarted without a reason"
  local hung; hung=$(of_unit MainPID)
  python3 -c "$freeze" "$hung" >frozen 2>refused & local holder=$!
  within 5 test -s frozen || { cat refused >&2; kill -STOP "$hung"; echo "NOTE: the whole process was stopped instead"; }
  within 30 begun_anew "$hung" || fail "a hung engine was not noticed"
  kill $holder 2>/dev/null; wait $holder 2>/dev/null
  is NRestarts 1 || fail "restarts: $(of_unit NRestarts)"
  within 10 logged 'Watchdog timeout' || fail "it was restarted for another reason"
  timeout 10 ahoyctl account >/dev/null || fail "the new one does not answer"
}

# Ben: another person with another bus and home, whom nobody restarts.
ben() { HOME=$ben_home XDG_RUNTIME_DIR=$ben_home/run DBUS_SESSION_BUS_ADDRESS=$ben_bus "$@"; }
two_people() {
  ahoy-relay --listen 127.0.0.1:0 >relay.url 2>relay.log &
  within 10 test -s relay.url || fail "no relay"
  local url; url=$(cut -d' ' -f2 relay.url)
  ben_home=$HOME/ben; mkdir -p "$ben_home/run"; chmod 700 "$ben_home/run"
  ben_bus=$(dbus-daemon --session --fork --nopidfile --print-address=1 --address="unix:path=$ben_home/run/bus")
  # Who runs the tests may ignore the end of terminals (nohup), and would pass that on.
  ben env --default-signal=HUP ahoyd 2>ben.log &
  within 20 ben ahoyctl status || fail "Ben's daemon does not come up: $(tail -3 ben.log)"
  ben ahoyctl account name Ben >/dev/null && ben ahoyctl config set relay.urls "$url" >/dev/null || fail "Ben's settings"
  ahoyctl account name Nora >/dev/null && ahoyctl config set relay.urls "$url" >/dev/null || fail "Nora's settings"
  ahoyctl account card --for Ben | ben ahoyctl contact add - >/dev/null || fail "Nora's card"
  ben ahoyctl account card --for Nora | ahoyctl contact add - >/dev/null || fail "Ben's card"
  within 20 online ahoyctl || fail "Nora is not online"
  within 20 online ben ahoyctl || fail "Ben is not online"
}
online() { [ "$("$@" status --format '{{ connection_state }}')" = online ]; }
in_a_call() {
  ahoyctl call Ben >/dev/null || fail "the call is refused"
  ben ahoyctl wait --state incoming --timeout 20 >/dev/null || fail "it does not ring at Ben's"
  ben ahoyctl answer >/dev/null || fail "Ben cannot answer"
  ahoyctl wait --state active --timeout 30 >/dev/null || fail "no sound flows"
  ben ahoyctl wait --state active --timeout 30 >/dev/null || fail "no sound flows at Ben's"
}
newest() { "$@" history --limit 1 --format '{{ outcome }} {{ reason }} {{ ended_by }}'; }
ended_as() { local expected=$1; shift; [ "$(newest "$@")" = "$expected" ]; }

calls() {
  two_people
  in_a_call
  local killed; killed=$(of_unit MainPID)
  kill -9 "$killed"
  within 20 begun_anew "$killed" || fail "a killed daemon is not begun anew"
  ben ahoyctl wait --timeout 20 >/dev/null || fail "Ben was not told that it is over"
  within 10 ended_as "answered interrupted local" ahoyctl || fail "the row of the killed one says: $(newest ahoyctl)"
  echo "NOTE: at Ben's: $(newest ben ahoyctl)"
  within 20 online ahoyctl || fail "not online again"
  in_a_call
  systemctl --user restart ahoyd || fail "it does not restart"
  ben ahoyctl wait --timeout 20 >/dev/null || fail "Ben was not told that it is over"
  within 10 ended_as "answered shutdown local" ahoyctl || fail "the row of the restarted one says: $(newest ahoyctl)"
  is NRestarts 0 || fail "a restart by the person counts as a failure"
}

refused_soon() {
  local from=$SECONDS
  timeout 20 ahoyctl account >said 2>&1; local code=$?
  [ $code = 8 ] || fail "a verb ends with $code: $(cat said)"
  [ $((SECONDS - from)) -le 10 ] || fail "a verb hangs $((SECONDS - from)) s"
  grep -q 'ahoyctl logs' said || fail "it does not say where to look: $(cat said)"
}

failures() {
  # What a person wrote is not mended by trying again.
  mkdir -p .config/ahoy; printf '[call]\nlifetme = 3\n' >.config/ahoy/config.toml
  refused_soon
  within 10 is ActiveState failed || fail "the unit is $(of_unit ActiveState)"
  is NRestarts 0 || fail "a wrong configuration was tried $(of_unit NRestarts) times"
  within 10 logs_say 'config.toml:2:1: .*lifetme' || fail "the log does not name the mistake: $(ahoyctl logs)"
  rm .config/ahoy/config.toml
  systemctl --user start ahoyd || fail "it does not start once that is mended"
  systemctl --user stop ahoyd
  # What may pass by itself is tried again, but not for ever.
  mv .local/state .local/kept; touch .local/state
  refused_soon
  within 30 is ActiveState failed || fail "it goes on for ever: $(of_unit ActiveState)"
  [ "$(of_unit NRestarts)" -ge 1 ] && [ "$(of_unit NRestarts)" -le 5 ] || fail "it was tried $(of_unit NRestarts) times"
  within 10 logged 'repeated too quickly' || fail "another reason than the limit"
  rm .local/state; mv .local/kept .local/state
  systemctl --user reset-failed ahoyd && systemctl --user start ahoyd || fail "it does not start once that is mended"
  ahoyctl account >said || fail "it does not answer then: $(cat said)"
}

# A hook is a program of the person's, not a part of the service: it has no part in its sandbox, and what it leaves running stays.
hooks() {
  local place=.config/ahoy/hooks.d/call.answered; mkdir -p "$place"
  cat >"$place/10-look.sh" <<'HOOK'
#!/bin/sh
sleep 300 </dev/null >/dev/null 2>&1 &
{ grep -E '^(NoNewPrivs|Seccomp)' /proc/self/status; echo "left $!"; echo "name $AHOY_NAME"; cat; } >hooked.new
mv hooked.new hooked
echo 'a word for the log'
HOOK
  chmod 755 "$place/10-look.sh"
  two_people
  in_a_call
  within 20 test -s hooked || fail "the hook did not run: $(ahoyctl logs | tail -5)"
  grep -E '^(NoNewPrivs|Seccomp)' /proc/self/status | while read -r line; do
    grep -qFx "$(printf '%s' "$line")" hooked || fail "the hook is in the service's sandbox: $(cat hooked), here $line"
  done || exit 1
  grep -qx 'name Ben' hooked && grep -q '"type":"call.answered"' hooked || fail "the hook was told: $(cat hooked)"
  within 10 logged 'a word for the log' || fail "what it said is not in the log"
  local left; left=$(sed -n 's/^left //p' hooked)
  systemctl --user restart ahoyd || fail "it does not restart"
  kill -0 "$left" || fail "what the hook left running went with the restart"
  kill "$left"
}

# Nobody finds keys in a core file, and nobody of the same name looks into a running daemon.
cores() {
  ahoyctl account >/dev/null || fail "it does not start"
  local pid; pid=$(of_unit MainPID)
  grep -Eq '^Max core file size +0 ' "/proc/$pid/limits" || fail "$(grep core "/proc/$pid/limits")"
  [ "$(stat -c %u "/proc/$pid/limits")" = 0 ] || fail "a crash would leave a core file"
}

# The end of a terminal is no worse a reason to say farewell than the service manager's.
terminal() {
  two_people
  in_a_call
  local pid; pid=$(busctl --address="$ben_bus" call org.freedesktop.DBus / org.freedesktop.DBus GetConnectionUnixProcessID s org.ahoyd.Calls1 | cut -d' ' -f2)
  kill -HUP "$pid"
  ahoyctl wait --timeout 15 >/dev/null || fail "Nora was not told that it is over"
  within 10 ended_as "answered completed remote" ahoyctl || fail "Nora's row says: $(newest ahoyctl)"
}

# What a person types at a terminal, and what stands there then.
typed() {
  echo "$ $*"
  TERM=xterm COLUMNS=80 timeout 30 script -qec "$*" /dev/null </dev/null | tr -d '\r' | tee said
}
shows() { grep -q "$1" said || fail "it does not show '$1'"; }

newcomer() {
  typed ahoyctl; shows 'ahoyctl pair'; [ "$(wc -l <said)" -le 3 ] || fail "more than three lines lead a newcomer"
  typed ahoyctl status; shows 'systemctl --user start ahoyd'
  typed systemctl --user start ahoyd
  typed ahoyctl; shows 'ahoyctl config set relay.urls'; [ "$(wc -l <said)" -le 3 ] || fail "more than three lines lead a newcomer"
  typed ahoyctl status; shows 'ahoyctl config set relay.urls'; shows 'ahoyctl pair'
  [ "$(wc -l <said)" -le 24 ] || fail "the first screen has $(wc -l <said) lines"
  two_people
  ahoyctl contact rm Ben >/dev/null; ben ahoyctl contact rm Nora >/dev/null
  typed ahoyctl status; shows 'ahoyctl pair'; ! grep -q 'relay.urls' said || fail "the relay is there already"
  ben ahoyctl pair >code 2>pair.log & local shows=$!
  within 20 test -s code || fail "Ben gets no code: $(cat pair.log)"
  typed ahoyctl pair "$(head -n 1 code)"; shows Ben; shows 'safety number'
  wait $shows || fail "Ben's side of the pairing: $(cat pair.log)"
  typed ahoyctl status; ! grep -q 'ahoyctl pair' said || fail "it still asks for a contact"
  typed ahoyctl call Ben --note "'our first call'"
  ben ahoyctl wait --state incoming --timeout 20 >/dev/null && ben ahoyctl answer >/dev/null || fail "it does not ring at Ben's"
  ahoyctl wait --state active --timeout 20 >/dev/null || fail "no sound flows"
  typed ahoyctl list; shows active
  typed ahoyctl mute; shows muted
  typed ahoyctl status; shows 'active Ben'
  typed ahoyctl hangup
  typed ahoyctl history; shows answered
  typed ahoyctl config set lifetime 5; shows '10 to 180'
  typed ahoyctl config set lifetime 90
  typed ahoyctl call Nobody; shows 'contact list'
}

trap 'kill $(jobs -p) 2>/dev/null; [ -z "${ben_home:-}" ] || pkill -u "$(id -u)" dbus-daemon' EXIT
# The look of a bar in a call is another script's question.
[ "${BASH_SOURCE[0]}" = "$0" ] || return 0
"$1" && echo "DONE: $1"
