#!/bin/bash
# A real `systemd --user` where process 1 need not be systemd: a manager, its bus and its journal for a made-up user.
#
#   user-manager.sh UNITS PROGRAMS CMD...
#
# UNITS: a folder with *.service, *.d/, dbus-1/*.service, and files/ for what shall lie in the user's home. PROGRAMS: a folder that
# stands at /srv/lab/bin inside. CMD runs as that user, in that home.
# Needs root, for a mount namespace and a cgroup of its own. CMD finds HOME, XDG_RUNTIME_DIR, the session bus, `systemctl --user`
# and `journalctl --user-unit` as on a desktop. Everything ends and goes with it.
#
# Lives here: the manager and what it needs around it.
# Must not: know ahoy, or leave anything behind.
set -eu
if [ -z "${LAB_MANAGER_INSIDE:-}" ]; then
  export LAB_MANAGER_INSIDE=1
  exec unshare --mount --propagation private -- "$0" "$@"
fi
unset LAB_MANAGER_INSIDE
units=$1 programs=$2; shift 2
# A made-up user, another one for each run that goes on at the same time.
uid=$((61000 + $$ % 900))
mount -t tmpfs -o mode=755 tmpfs /srv
scratch=/srv/lab; mkdir -p "$scratch/bin"
mount --bind "$programs" "$scratch/bin"

# Looks booted to the manager; the journal's sockets and files are private.
mount -t tmpfs -o mode=755 tmpfs /run/systemd
mkdir -p /run/systemd/system /run/systemd/journal /run/systemd/unit-root /run/log
mount -t tmpfs -o mode=755 tmpfs /run/log

{ cat /etc/passwd; echo "newcomer:x:$uid:$uid:Nora Newcomer:$scratch/nora:/bin/bash"; } >"$scratch/passwd"
{ cat /etc/group; echo "newcomer:x:$uid:"; } >"$scratch/group"
mount --bind "$scratch/passwd" /etc/passwd
mount --bind "$scratch/group" /etc/group

# A delegated cgroup below the path from which the journal derives the user's unit; in each hierarchy there is.
top=user.slice/user-$uid.slice; group=$top/user@$uid.service
hierarchies=()
for folder in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  [ ! -f "$folder/cgroup.procs" ] || hierarchies+=("$folder")
done
for folder in "${hierarchies[@]}"; do
  mkdir -p "$folder/$group/init.scope"
  chown -R "$uid:$uid" "$folder/$group"
  echo $$ >"$folder/$group/init.scope/cgroup.procs"
done

# The distribution's targets, a session bus, and the units under test: nothing else of this machine.
home=$scratch/nora; run=$scratch/run; mine=$home/.config/systemd/user; base=$scratch/base
mkdir -p "$mine" "$home/.local/share/dbus-1/services" "$run" "$base/sockets.target.wants"; chmod 700 "$run"
cp /usr/lib/systemd/user/*.target /usr/lib/systemd/user/*.slice /usr/lib/systemd/user/systemd-exit.service "$base/"
cat >"$base/dbus.socket" <<UNIT
[Unit]
Description=Session bus
[Socket]
ListenStream=%t/bus
UNIT
cat >"$base/dbus.service" <<UNIT
[Unit]
Description=Session bus
Requires=dbus.socket
[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/bin/dbus-daemon --config-file=$scratch/bus.conf --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only
UNIT
ln -s ../dbus.socket "$base/sockets.target.wants/"
cat >"$scratch/bus.conf" <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><keep_umask/><listen>unix:path=$run/unused</listen><auth>EXTERNAL</auth>
<servicedir>$home/.local/share/dbus-1/services</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
CONF
cp -r "$units"/. "$mine/"
[ ! -d "$mine/dbus-1" ] || mv "$mine"/dbus-1/*.service "$home/.local/share/dbus-1/services/"
[ ! -d "$mine/files" ] || { cp -r "$mine/files/." "$home/"; rm -r "$mine/files"; }
chown -R "$uid:$uid" "$home" "$run" "$base"

mkdir -p /run/log/journal; chgrp systemd-journal /run/log/journal; chmod 2755 /run/log/journal
/lib/systemd/systemd-journald >"$scratch/journald.log" 2>&1 & journal=$!
for _ in $(seq 200); do [ ! -S /run/systemd/journal/stdout ] || break; sleep 0.05; done

readers=$(getent group systemd-journal | cut -d: -f3)
as() {
  setpriv --reuid="$uid" --regid="$uid" --groups="$readers" --inh-caps=-all \
    env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME="$home" XDG_RUNTIME_DIR="$run" LANG=C.UTF-8 USER=newcomer LOGNAME=newcomer \
    SYSTEMD_UNIT_PATH="$mine:$base" DBUS_SESSION_BUS_ADDRESS="unix:path=$run/bus" "$@"
}
as /lib/systemd/systemd --user --log-target=journal --log-level=notice >"$scratch/manager.log" 2>&1 & manager=$!

cleanup() {
  trap - EXIT INT TERM
  as timeout 5 systemctl --user exit 2>/dev/null || true
  for _ in $(seq 50); do kill -0 "$manager" 2>/dev/null || break; sleep 0.1; done
  kill -9 "$manager" 2>/dev/null || true
  kill "$journal" 2>/dev/null || true
  wait 2>/dev/null || true
  for folder in "${hierarchies[@]}"; do
    echo $$ >"$folder/cgroup.procs"
    for _ in 1 2 3 4 5; do
      find "$folder/$top" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -9 2>/dev/null || true
      find "$folder/$top" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [ -d "$folder/$top" ] || break
      sleep 0.1
    done
    rmdir "$folder/user.slice" 2>/dev/null || true
  done
}
trap cleanup EXIT; trap 'exit 143' INT TERM
for _ in $(seq 200); do ! as systemctl --user is-active --quiet dbus.socket 2>/dev/null || break; sleep 0.1; done
as systemctl --user is-active --quiet dbus.socket || {
  echo "the user's systemd did not start" >&2; cat "$scratch/manager.log" "$scratch/journald.log" >&2; exit 1
}
cd "$home"
status=0
as "$@" & wait $! || status=$?
exit $status
