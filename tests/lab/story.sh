# What stories that people live through with `ahoyctl` have in common. To be sourced, with `people` set to their names; the first
# word is the folder of the programs. Who has others has them in `programs_of[NAME]`.
#
# Lives here: a private desktop for each, daemons and the relay between them, what is typed, and the judgement of what was printed.
# Must not: know a story.
# shellcheck shell=bash
set -u
programs=$(readlink -f "$1")
lab=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/soundlab.sh
scratch=$(mktemp -d)
# shellcheck disable=SC2034
wrong=0 said='' relay='' url='' under=() house=''
declare -A daemon=() programs_of=() machine=()

close() {
  local who
  kill "${daemon[@]}" ${relay:+"$relay"} 2>/dev/null
  [ -z "$house" ] || exec {house}>&-
  # Where a day was not so, whoever reads it wants to know what a daemon said last.
  [ $wrong = 0 ] || for who in $people; do echo "# $who's log ends:"; tail -n 25 "$scratch/$who/log/ahoyd"; done >&2
  for who in $people; do "$lab" down "$scratch/$who"; done
  wait 2>/dev/null
  rm -rf "$scratch"
}
trap close EXIT

tell() { printf '\n# %s\n' "$*"; }

not_so() { echo "NOT SO: $*"; wrong=$((wrong + 1)); }

must() { # must TEXT...: what was just printed holds each
  local text
  for text; do
    case $said in *"$text"*) ;; *) not_so "\"$text\" is not in it" ;; esac
  done
}

become() { # become WHO CMD...: this shell goes on as that command, at home on that desktop, with a terminal that is 80 wide
  local who=$1 at=(); shift
  [ -z "${machine[$who]:-}" ] || at=(nsenter --target "${machine[$who]}" --net --)
  # shellcheck disable=SC2046
  cd "$scratch/$who/home" && exec "${at[@]}" env $(tr '\n' ' ' <"$scratch/$who/env") \
    PATH="${programs_of[$who]:-$programs}:$PATH" TERM=dumb COLUMNS="${columns:-80}" NO_COLOR=1 "$@"
}

in_desk() { (become "$@"); } # in_desk WHO CMD...

# WHO$ LINE, a line of a shell, shown with what it prints to a terminal; its exit code is shown if it is not 0. With `screen` set, what
# it prints must fit so many lines.
type() {
  local who=$1 code; shift
  printf '%s$ %s\n' "$who" "$*"
  said=$(in_desk "$who" script -qec "$*" /dev/null </dev/null | tr -d '\r'; exit "${PIPESTATUS[0]}")
  code=$?
  [ -z "$said" ] || printf '%s\n' "$said"
  [ $code = 0 ] || echo "(exit code $code)"
  [ "$(wc -l <<<"$said")" -le "${screen:-1000}" ] || not_so "it does not fit a screen"
}

until_so() { # until_so WHO WORDS TEXT: ahoyctl prints that, within 60 s
  local n seen=
  for n in $(seq 600); do
    # shellcheck disable=SC2086
    seen=$(in_desk "$1" ahoyctl $2 2>/dev/null)
    [ "$seen" = "$3" ] && return
    sleep 0.1
  done
  not_so "ahoyctl $2 at $1's says \"$seen\", not \"$3\""
  return 1
}

begin() { # begin WHO: starts the daemon, under the command `under`, and waits until it can be asked
  (become "$1" "${under[@]}" ahoyd) >>"$scratch/$1/log/ahoyd" 2>&1 </dev/null & daemon[$1]=$!
  until_so "$1" 'status --format {{state}}' idle
}

introduce() { # introduce ONE OTHER: each gets the other's card
  in_desk "$1" ahoyctl account card --for "$2" | in_desk "$2" ahoyctl contact add - >/dev/null
  in_desk "$2" ahoyctl account card --for "$1" | in_desk "$1" ahoyctl contact add - >/dev/null
}

move_in() { # move_in WHO...: each has a machine from now on; a router joins them, and nothing else
  local pids who
  mkfifo "$scratch/house" "$scratch/machines"
  "$(dirname "$lab")/house.sh" $# <"$scratch/house" >"$scratch/machines" &
  exec {house}>"$scratch/house"
  read -ra pids <"$scratch/machines"
  for who; do machine[$who]=${pids[0]} pids=("${pids[@]:1}"); done
}

begin_relay() { # begin_relay PROGRAM: `relay` is its process, `url` where it listens
  "$1" --listen 127.0.0.1:0 >"$scratch/relay" & relay=$!
  read -r _ url <"$scratch/relay"
}

judge() { # The last words of a story.
  echo
  [ $wrong = 0 ] && echo "All of it was so." || echo "$wrong things were not so."
  exit $((wrong > 0))
}

mkfifo "$scratch/relay"
for who in $people; do "$lab" up "$scratch/$who" --owner $$; done
