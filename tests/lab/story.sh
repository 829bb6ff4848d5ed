# What stories that people live through with `ahoyctl` have in common. To be sourced, with `people` set to their names.
#
# Lives here: a private desktop for each, the relay between them, and the judgement of what was printed.
# Must not: know a story, or start a daemon.
# shellcheck shell=bash
set -u
programs=$(readlink -f "$1")
lab=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/soundlab.sh
scratch=$(mktemp -d)
wrong=0 said=
declare -A daemon

close() {
  local who
  kill "${daemon[@]}" "$relay" 2>/dev/null
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

mkfifo "$scratch/relay"
"$programs/ahoy-relay" --listen 127.0.0.1:0 >"$scratch/relay" & relay=$!
read -r _ url <"$scratch/relay"
for who in $people; do "$lab" up "$scratch/$who" --owner $$; done
