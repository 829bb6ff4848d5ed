#!/bin/bash
# The multicast DNS responder that most desktops run (avahi-daemon), on a bus of its own, where no other has the port.
#
#   responder.sh fetch FOLDER   unpacks it there
#   responder.sh run FOLDER     says "ready", and at the end of its input "heard N": it sees so many offers of ahoys
#
# The packages are unpacked and not installed: installed, they would announce every machine that runs the tests.
#
# Lives here: fetching it, running it, asking it as a person does.
# Must not: touch the machine's own bus or responder; run where ahoy is not tested.
set -euo pipefail
DOES=$1 FOLDER=$2
PACKAGES="avahi-daemon avahi-utils libavahi-core7 libavahi-common3 libavahi-client3 libdaemon0"

unpack() {
  mkdir -p "$FOLDER"
  exec 9>"$FOLDER/lock"; flock 9
  [ ! -e "$FOLDER/ready" ] || return 0
  (cd "$FOLDER" && apt-get -qq download $PACKAGES 2>/dev/null || { apt-get -qq update && apt-get -qq download $PACKAGES; }) >&2
  for package in "$FOLDER"/*.deb; do dpkg-deb -x "$package" "$FOLDER/unpacked"; done
  touch "$FOLDER/ready"
}
case $DOES in
  fetch) unpack; exit ;;
  run) exec unshare --mount "$0" inside "$FOLDER" ;;
esac

# Two of them on one machine would find each other's files.
mount -t tmpfs none /run
WORK=/run/responder; mkdir -p "$WORK"
# It looks up its own user, whom the package would have made.
for file in passwd group; do
  { cat /etc/$file; [ $file = group ] && echo avahi:x:65534: || echo avahi:x:65534:65534::/:/bin/false; } >"$WORK/$file"
  mount --bind "$WORK/$file" /etc/$file
done
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
export LD_LIBRARY_PATH=$(echo "$FOLDER"/unpacked/usr/lib/*-linux-gnu)
cat >"$WORK/bus.conf" <<EOF
<busconfig><listen>unix:path=$WORK/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy></busconfig>
EOF
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/bus
printf '[server]\nuse-ipv4=yes\nuse-ipv6=yes\nenable-dbus=yes\n' >"$WORK/responder.conf"
mkfifo "$WORK/said"
dbus-daemon --config-file="$WORK/bus.conf" --nofork --print-address=1 >"$WORK/said" & read -r _ <"$WORK/said"
"$FOLDER/unpacked/usr/sbin/avahi-daemon" --no-drop-root --no-chroot --no-rlimits -f "$WORK/responder.conf" >"$WORK/log" 2>&1 &
for _ in $(seq 200); do ! grep -q 'startup complete' "$WORK/log" || break; sleep 0.1; done
grep -q 'startup complete' "$WORK/log" || { cat "$WORK/log" >&2; exit 1; }
echo ready
cat >/dev/null
echo "heard $("$FOLDER/unpacked/usr/bin/avahi-browse" --parsable --terminate _ahoy._tcp | cut -d';' -f4 | sort -u | grep -c .)"
