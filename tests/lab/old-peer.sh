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
people='ana ben'
target=$(readlink -f "$1")
first=3623dad7ab6ec52e565ed9cbb3c6a6ce334f6cae
root=$(dirname "$(readlink -f "$0")")/../..
old=${2:-$target/old-peer/target/release}

if [ ! -x "$old/ahoyd" ]; then
  echo "Building the first release: some minutes, once"
  mkdir -p "$target/old-peer/source"
  git -C "$root" archive "$first" | tar -x -C "$target/old-peer/source" || exit 1
  (cd "$target/old-peer/source" &&
    CARGO_TARGET_DIR=$target/old-peer/target cargo build --quiet --release -p ahoyd -p ahoyctl -p ahoy-relay) || exit 1
fi

# shellcheck source=tests/lab/story.sh
. "$(dirname "$(readlink -f "$0")")/story.sh" "$target/release"
programs_of=([ana]=$old)

ctl() { # ctl WHO WORDS...: their own ahoyctl
  local who=$1; shift
  in_desk "$who" ahoyctl "$@"
}

call() { # call FROM TO: it rings, is answered, talks, and is hung up by the caller
  local from=$1 to=$2 rows
  ctl "$from" call "$to" >/dev/null || { not_so "$from cannot call"; return; }
  until_so "$to" 'list --format {{state}}' incoming || { ctl "$from" hangup >/dev/null; return; }
  until_so "$from" 'list --format {{state}}' alerting
  ctl "$to" answer >/dev/null
  until_so "$from" 'list --format {{state}}' active && until_so "$to" 'list --format {{state}}' active
  ctl "$from" hangup >/dev/null
  until_so "$from" 'status --format {{state}}' idle && until_so "$to" 'status --format {{state}}' idle
  rows="$(ctl "$from" history --limit 1 --format '{{direction}} {{outcome}}'), $(ctl "$to" history --limit 1 --format '{{direction}} {{outcome}}')"
  if [ "$rows" = "outgoing answered, incoming answered" ]; then echo "  $from called $to: rang, was answered, talked, was hung up ($rows)"
  else not_so "$from called $to: $rows"; fi
}

for of in "$target/release" "$old"; do
  release=today; [ "$of" = "$old" ] && release=first
  begin_relay "$of/ahoy-relay"
  for who in $people; do
    if [ -z "${daemon[$who]:-}" ]; then
      begin "$who"
      ctl "$who" account name "$who" >/dev/null
    fi
    ctl "$who" config set relay.urls "$url" >/dev/null
    until_so "$who" 'status --format {{connection_state}}' online
  done
  introduce ana ben
  for preconnect in always never; do
    echo "The relay of $release; ana has the first release, ben today's; call.preconnect of ben: $preconnect"
    ctl ben config set call.preconnect "$preconnect" >/dev/null
    call ana ben
    call ben ana
  done
  kill "$relay"; wait "$relay" 2>/dev/null; relay=
done

judge
