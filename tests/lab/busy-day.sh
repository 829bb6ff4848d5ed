#!/bin/bash
# A busy day of three people as they see it: every command that they type, and what it prints. (Run by `make busy-day`.)
#
#   busy-day.sh FOLDER_OF_THE_PROGRAMS
#
# Three private desktops with a bus, a sound server and a daemon each, and a relay between them, on this machine. Ends with 0 only
# if all of the day was so, and no daemon's engine waited for a disk or a name server (judged by engine-thread.sh).
#
# Lives here: the story, and what must be read in it.
# Must not: reach into a daemon otherwise than with ahoyctl.
people='ana ben cleo'
traces=()
# shellcheck source=tests/lab/story.sh
. "$(dirname "$(readlink -f "$0")")/story.sh"

columns=100

until_call() { # until_call WHO NAME STATE: the newest call with that person is in that state
  local n
  for n in $(seq 300); do
    [ "$(in_desk "$1" ahoyctl list 2>/dev/null | cut -f2,4 | grep -i "^$2" | tail -n 1 | cut -f2)" = "$3" ] && return
    sleep 0.1
  done
  not_so "at $1's the call with $2 did not become $3"
}

come() { # come WHO: the daemon is started, and online
  local trace; trace=$scratch/trace-${#traces[@]}
  traces+=("$trace")
  # Without -f: the first thread alone, which is the engine's. With -D the daemon is our child, and strace is not.
  under=(strace -D -qq -s 200 -o "$trace" -e 'trace=%file,%desc,connect')
  begin "$1"
  until_so "$1" 'status --format {{connection_state}}' online
}

begin_relay "$programs/ahoy-relay"
for who in $people; do
  mkdir -p "$scratch/$who/config/ahoy"
  printf '[account]\nname = "%s"\n[relay]\nurls = ["%s"]\n' "${who^}" "$url" >"$scratch/$who/config/ahoy/config.toml"
  come "$who"
done
introduce ana ben
introduce ana cleo

tell "Ana calls Ben and says what it is about"
type ana "ahoyctl call ben --note 'lunch today?'"
until_call ben ana incoming
type ben ahoyctl list; must 'lunch today?'
type ben ahoyctl answer
until_call ana ben active

tell "Cleo calls Ana meanwhile: it waits beside the first call"
type cleo ahoyctl call ana
until_call ana cleo waiting
type ana ahoyctl status; must 'waiting'; must 'Cleo'
type ana ahoyctl answer; must Cleo
until_call ana cleo active
type ana ahoyctl list; must held
tell "Ben sees that he is held; Ana changes between the two"
type ben ahoyctl list; must 'held there'
type ana ahoyctl swap
until_call ana ben active
type ana ahoyctl list
type ana ahoyctl hangup; must Ben; must completed
type ana ahoyctl resume; must Cleo
until_call ana cleo active
type ana ahoyctl hangup; must completed

tell "Ana goes away, and Ben calls her in vain"
kill "${daemon[ana]}"; wait "${daemon[ana]}" 2>/dev/null
type ben ahoyctl call ana --lifetime 10 --wait; must unavailable

tell "She comes back, finds the call with its own time, and calls back from history"
come ana
for n in $(seq 100); do in_desk ana ahoyctl history --missed | grep -q . && break; sleep 0.1; done
type ana ahoyctl status; must missed
type ana ahoyctl history --missed; must Ben
row=$(in_desk ana ahoyctl history --missed | head -n 1 | cut -f1)
type ana ahoyctl call "history:$row"
until_call ben ana incoming
type ben ahoyctl answer
until_call ana ben active
type ben ahoyctl hangup
type ana ahoyctl history seen

tell "She wants her peace, but for Ben"
type ana ahoyctl contact set ben --favorite on; must favorite
type ana ahoyctl dnd favorites --for 1h; must 'except favourites'
tell "To Cleo she looks offline"
type cleo ahoyctl call ana --lifetime 10 --wait; must unavailable
tell "Ben comes through; it does not suit her, and she says so"
type ben ahoyctl call ana
until_call ana ben incoming
type ana ahoyctl status; must 'do not disturb'
type ana "ahoyctl decline --reason later --message 'in ten minutes'"
until_call ben ana disconnected
type ben ahoyctl list; must 'in ten minutes'
type ana ahoyctl dnd off

tell "The day, newest first, and the story of its first call"
type ana ahoyctl history; must missed; must declined
first=$(in_desk ana ahoyctl history --limit 100 | tail -n 1 | cut -f1)
type ana ahoyctl history show "$first"; must hold

tell "What the engines asked of the kernel meanwhile"
said=$("$(dirname "$lab")/engine-thread.sh" "${traces[@]}") && echo "nothing that waits for a disk or a name" || not_so "$said"

judge
