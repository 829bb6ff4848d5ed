#!/bin/bash
# Says where a real LiveKit server is, and builds it first where there is none: once a machine, some minutes.
#
#   livekit.sh          prints the path of the program
#   livekit.sh --there  only if it is there already; else nothing, and 1
#
# Lives here: the version, the folder in which it is kept (AHOY_CACHE, else ahoy/ in the cache folder of the user).
# Must not: install anything for all users, or start the server.
set -eu

version=v1.13.5
folder=${AHOY_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ahoy}/livekit-$version
program=$folder/livekit-server

if [ -x "$program" ]; then echo "$program"; exit 0; fi
[ "${1:-}" != --there ] || exit 1

# As Go's own archive is unpacked, for a shell that has not been told of it.
export PATH=$PATH:/usr/local/go/bin
if ! command -v go >/dev/null; then
  echo "LiveKit is built by Go 1.26 or newer, which is not here. On Debian: apt-get install golang-go; if that is older: https://go.dev/doc/install" >&2
  exit 1
fi

mkdir -p "$folder"
# Two at once build it once.
exec 9>"$folder/lock"
flock 9
if [ ! -x "$program" ]; then
  echo "Building LiveKit $version, which takes some minutes, once" >&2
  # What Go keeps of it goes again: half a gigabyte that nobody needs.
  build=$(mktemp -d -p "$folder")
  trap 'chmod -R u+w "$build" && rm -rf "$build"' EXIT
  GOBIN=$build GOPATH=$build/path GOCACHE=$build/cache GOFLAGS= nice -n 19 \
    go install -p "$(($(nproc) > 1 ? $(nproc) - 1 : 1))" -ldflags '-s -w' "github.com/livekit/livekit-server/cmd/server@$version" >&2
  mv "$build/server" "$program"
fi
echo "$program"
