#!/bin/bash
# A busy day of three people as they see it: every command that they type, and what it prints. (Run by `make busy-day`.)
#
#   busy-day.sh FOLDER_OF_THE_PROGRAMS
#
# Three private desktops with a bus, a sound server and a daemon each, and a relay between them, on this machine. Ends with 0 only
# if all of the day was so.
#
# Lives here: the story, and what must be read in it.
# Must not: reach into a daemon otherwise than with ahoyctl.
people='ana ben cleo'
# shellcheck source=tests/lab/story.sh
. "$(dirname "$(readlink -f "$0")")/story.sh"

in_desk() { # in_desk WHO CMD...: with the environment of that desktop and a terminal that is 100 wide
  local who=$1; shift
  env $(tr '\n' ' ' <"$scratch/$who/env") TERM=dumb NO_COLOR=1 "$@"
}

# WHO$ ahoyctl WORDS..., shown with what it prints to a terminal; its exit code is shown if it is not 0.
type() {
  local who=$1 code word; shift
  printf '%s$ ahoyctl' "$who"
  for word in "$@"; do
    case $word in *[!A-Za-z0-9:./=-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
  done
  echo
  said=$(in_desk "$who" script -qec "$(printf '%q ' "$programs/ahoyctl" "$@")" /dev/null </dev/null | tr -d '\r'; exit "${PIPESTATUS[0]}")
  code=$?
  [ -z "$said" ] || printf '%s\n' "$said"
  [ $code = 0 ] || echo "(exit code $code)"
}

until_so() { # until_so WHO NAME STATE: the newest call with that person is in that state
  local n
  for n in $(seq 300); do
    [ "$(in_desk "$1" "$programs/ahoyctl" list 2>/dev/null | cut -f2,4 | grep -i "^$2" | tail -n 1 | cut -f2)" = "$3" ] && return
    sleep 0.1
  done
  not_so "at $1's the call with $2 did not become $3"
}

begin() { # begin WHO: starts the daemon and waits until it is online
  local n
  env $(tr '\n' ' ' <"$scratch/$1/env") "$programs/ahoyd" >>"$scratch/$1/log/ahoyd" 2>&1 </dev/null &
  daemon[$1]=$!
  for n in $(seq 600); do
    [ "$(in_desk "$1" "$programs/ahoyctl" status --json 2>/dev/null | grep -c '"online":true')" = 1 ] && return
    sleep 0.05
  done
  not_so "the daemon of $1 is not online"
}

for who in $people; do
  mkdir -p "$scratch/$who/config/ahoy"
  printf '[account]\nname = "%s"\n[relay]\nurls = ["%s"]\n' "${who^}" "$url" >"$scratch/$who/config/ahoy/config.toml"
  begin $who
done
for pair in "ana ben" "ben ana" "ana cleo" "cleo ana"; do
  set -- $pair
  in_desk "$1" "$programs/ahoyctl" account card | in_desk "$2" "$programs/ahoyctl" contact add - >/dev/null
done

tell "Ana calls Ben and says what it is about"
type ana call ben --note 'lunch today?'
until_so ben ana incoming
type ben list; must 'lunch today?'
type ben answer
until_so ana ben active

tell "Cleo calls Ana meanwhile: it waits beside the first call"
type cleo call ana
until_so ana cleo waiting
type ana status; must 'waiting'; must 'Cleo'
type ana answer; must Cleo
until_so ana cleo active
type ana list; must held
tell "Ben sees that he is held; Ana changes between the two"
type ben list; must 'held there'
type ana swap
until_so ana ben active
type ana list
type ana hangup; must Ben; must completed
type ana resume; must Cleo
until_so ana cleo active
type ana hangup; must completed

tell "Ana goes away, and Ben calls her in vain"
kill "${daemon[ana]}"; wait "${daemon[ana]}" 2>/dev/null
type ben call ana --lifetime 10 --wait; must unavailable

tell "She comes back, finds the call with its own time, and calls back from history"
begin ana
for n in $(seq 100); do in_desk ana "$programs/ahoyctl" history --missed | grep -q . && break; sleep 0.1; done
type ana status; must missed
type ana history --missed; must Ben
row=$(in_desk ana "$programs/ahoyctl" history --missed | head -n 1 | cut -f1)
type ana call "history:$row"
until_so ben ana incoming
type ben answer
until_so ana ben active
type ben hangup
type ana history seen

tell "She wants her peace, but for Ben"
type ana contact set ben --favorite on; must favorite
type ana dnd favorites --for 1h; must 'except favourites'
tell "To Cleo she looks offline"
type cleo call ana --lifetime 10 --wait; must unavailable
tell "Ben comes through; it does not suit her, and she says so"
type ben call ana
until_so ana ben incoming
type ana status; must 'do not disturb'
type ana decline --reason later --message 'in ten minutes'
until_so ben ana disconnected
type ben list; must 'in ten minutes'
type ana dnd off

tell "The day, newest first, and the story of its first call"
type ana history; must missed; must declined
first=$(in_desk ana "$programs/ahoyctl" history --limit 100 | tail -n 1 | cut -f1)
type ana history show "$first"; must hold

echo
[ $wrong = 0 ] && echo "All of the day was so." || echo "$wrong things were not so."
exit $((wrong > 0))
