#!/bin/bash
# Calls between this ahoy and that of the first release, both ways, over the relays of both. (`make old-peer`.)
#
#   old-peer.sh TARGET [FOLDER_OF_OLD_PROGRAMS]
#
# Builds the first release from the project's own history into TARGET/old-peer, unless its programs are given. Two private
# desktops, a bus and a sound server each; nothing leaves this machine. Ends with 0 only if every call was what it should be.
#
# Lives here: the calls, and what must become of them.
# Must not: reach into a daemon otherwise than with the ahoyctl of its own release.
set -u
target=$(readlink -f "$1")
first=3623dad7ab6ec52e565ed9cbb3c6a6ce334f6cae
root=$(dirname "$(readlink -f "$0")")/../..
lab=$(dirname "$(readlink -f "$0")")/soundlab.sh
old=${2:-$target/old-peer/target/release}
declare -A programs=([ana]=$old [ben]=$target/release) daemon=()
wrong=0 relay=

if [ ! -x "$old/ahoyd" ]; then
  echo "Building the first release: some minutes, once"
  mkdir -p "$target/old-peer/source"
  git -C "$root" archive "$first" | tar -x -C "$target/old-peer/source" || exit 1
  (cd "$target/old-peer/source" &&
    CARGO_TARGET_DIR=$target/old-peer/target cargo build --quiet --release -p ahoyd -p ahoyctl -p ahoy-relay) || exit 1
fi

scratch=$(mktemp -d)
close() {
  local who
  kill "${daemon[@]}" ${relay:+"$relay"} 2>/dev/null
  for who in ana ben; do "$lab" down "$scratch/$who"; done
  wait 2>/dev/null
  rm -rf "$scratch"
}
trap close EXIT

ctl() { # ctl WHO WORDS...: their own ahoyctl
  local who=$1; shift
  # shellcheck disable=SC2046
  (cd "$scratch/$who/home" && env $(tr '\n' ' ' <"$scratch/$who/env") "${programs[$who]}/ahoyctl" "$@")
}

until_so() { # until_so WHO TEXT WORDS...: ahoyctl prints that, within 60 s
  local who=$1 text=$2 n said=; shift 2
  for n in $(seq 600); do
    said=$(ctl "$who" "$@" 2>/dev/null)
    [ "$said" = "$text" ] && return 0
    sleep 0.1
  done
  echo "  NOT SO: ahoyctl $* at $who's says \"$said\", not \"$text\""
  wrong=$((wrong + 1))
  return 1
}

call() { # call FROM TO: it rings, is answered, talks, and is hung up by the caller
  local from=$1 to=$2 rows
  ctl "$from" call "$to" >/dev/null || { echo "  NOT SO: $from cannot call"; wrong=$((wrong + 1)); return; }
  until_so "$to" incoming list --format '{{state}}' || { ctl "$from" hangup >/dev/null; return; }
  until_so "$from" alerting list --format '{{state}}'
  ctl "$to" answer >/dev/null
  until_so "$from" active list --format '{{state}}' && until_so "$to" active list --format '{{state}}'
  ctl "$from" hangup >/dev/null
  until_so "$from" idle status --format '{{state}}' && until_so "$to" idle status --format '{{state}}'
  rows="$(ctl "$from" history --limit 1 --format '{{direction}} {{outcome}}'), $(ctl "$to" history --limit 1 --format '{{direction}} {{outcome}}')"
  if [ "$rows" = "outgoing answered, incoming answered" ]; then echo "  $from called $to: rang, was answered, talked, was hung up ($rows)"
  else echo "  NOT SO: $from called $to: $rows"; wrong=$((wrong + 1)); fi
}

for who in ana ben; do "$lab" up "$scratch/$who" --owner $$; done
mkfifo "$scratch/relay"
for of in "$target/release" "$old"; do
  release=today; [ "$of" = "$old" ] && release=first
  "$of/ahoy-relay" --listen 127.0.0.1:0 >"$scratch/relay" & relay=$!
  read -r _ url <"$scratch/relay"
  for who in ana ben; do
    if [ -z "${daemon[$who]:-}" ]; then
      # shellcheck disable=SC2046
      (cd "$scratch/$who/home" && exec env $(tr '\n' ' ' <"$scratch/$who/env") "${programs[$who]}/ahoyd") >>"$scratch/$who/log/ahoyd" 2>&1 </dev/null &
      daemon[$who]=$!
      until_so "$who" idle status --format '{{state}}'
      ctl "$who" account name "$who" >/dev/null
    fi
    ctl "$who" config set relay.urls "$url" >/dev/null
    until_so "$who" online status --format '{{connection_state}}'
  done
  ctl ana account card --for ben | ctl ben contact add - >/dev/null
  ctl ben account card --for ana | ctl ana contact add - >/dev/null
  for preconnect in always never; do
    echo "The relay of $release; ana has the first release, ben today's; call.preconnect of ben: $preconnect"
    ctl ben config set call.preconnect "$preconnect" >/dev/null
    call ana ben
    call ben ana
  done
  kill "$relay"; wait "$relay" 2>/dev/null; relay=
done

echo
[ $wrong = 0 ] && echo "All of it was so." || echo "$wrong things were not so."
exit $((wrong > 0))
