#!/bin/bash
# One person's private desktop underpinnings: a session bus and a sound server with one microphone and one speaker.
# Needs no systemd, no sound hardware and no root; several stand side by side, each in its own folder.
#
#   soundlab.sh up DIR [--sound pipewire|pulse] [--owner PID]   prepare DIR, start the bus and the sound server;
#                                                               all ends by itself when the process PID ends
#   soundlab.sh prepare DIR [--sound …] [--owner PID]           the same, but starts nothing yet
#   soundlab.sh start|stop DIR bus|sound                        one of the two
#   soundlab.sh env DIR           KEY=VALUE lines: run a program with them, and it lives in this desktop
#   soundlab.sh run DIR CMD...    the same, done
#   soundlab.sh play DIR FILE     play into the microphone
#   soundlab.sh rec DIR FILE      record what the speaker plays, until stopped
#   soundlab.sh plug DIR output|input NAME   a further device comes (record `NAME.monitor`; play into `NAME_in`)
#   soundlab.sh unplug DIR NAME   it goes; `speaker` and `mic` can go and come, too
#   soundlab.sh default DIR output|input NAME   the desktop's own choice
#   soundlab.sh down DIR          stop everything
#
# Devices: sink `speaker` (record `speaker.monitor`), source `mic` (play into the sink `mic_in`). Both are the defaults.
#
# Lives here: the processes of a private desktop and their settings.
# Must not: know ahoy, or what is said.
set -eu

die() { echo "soundlab: $*" >&2; exit 1; }

# within SECONDS WHAT CMD...: repeats CMD until it succeeds.
within() {
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "soundlab: $what did not come up; see $dir/log" >&2; return 1; }
    sleep 0.02
  done
}

begin() { # begin NAME CMD...
  local name=$1; shift
  setsid "$@" >>"$dir/log/$name" 2>&1 </dev/null &
  echo $! >"$dir/pids/$name"
}

end() { # end NAME
  local pid n
  [ -f "$dir/pids/$1" ] || return 0
  pid=$(cat "$dir/pids/$1"); rm -f "$dir/pids/$1"
  kill "$pid" 2>/dev/null || return 0
  for n in $(seq 100); do
    case $(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null) in '' | Z) return 0 ;; esac
    sleep 0.02
  done
  kill -KILL "$pid" 2>/dev/null || true
}

prepare() {
  local sound=pipewire owner=
  while [ $# -gt 0 ]; do
    case $1 in
      --sound) sound=$2 ;;
      --owner) owner=$2 ;;
      *) die "no option is called '$1'" ;;
    esac
    shift 2
  done
  [ "$sound" = pipewire ] || [ "$sound" = pulse ] || die "the sound server is pipewire or pulse"
  [ ! -e "$dir/env" ] || die "$dir is in use"
  # A socket's path has at most 107 characters, and the longest of ours adds 21.
  [ ${#dir} -le 80 ] || die "$dir: the path is too long for sockets in it"
  mkdir -p "$dir"/{home,run/pulse,config,state,data,cache,log,pids}
  chmod 700 "$dir/run" "$dir/run/pulse"
  echo "$sound" >"$dir/sound"
  cat >"$dir/env" <<E
HOME=$dir/home
XDG_RUNTIME_DIR=$dir/run
XDG_CONFIG_HOME=$dir/config
XDG_STATE_HOME=$dir/state
XDG_DATA_HOME=$dir/data
XDG_CACHE_HOME=$dir/cache
DBUS_SESSION_BUS_ADDRESS=unix:path=$dir/run/bus
DBUS_SYSTEM_BUS_ADDRESS=unix:path=$dir/run/bus
PULSE_SERVER=unix:$dir/run/pulse/native
PULSE_RUNTIME_PATH=$dir/run/pulse
PULSE_COOKIE=$dir/config/pulse-cookie
E
  # No service folders: nothing of the machine is activated by itself.
  cat >"$dir/bus.conf" <<E
<busconfig>
  <type>session</type><listen>unix:path=$dir/run/bus</listen><auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
E
  "configure_$sound"
  if [ -n "$owner" ]; then
    ( trap '' TERM HUP INT; exec >/dev/null 2>&1 </dev/null
      tail --pid="$owner" -f /dev/null; [ ! -e "$dir/env" ] || down ) &
  fi
}

configure_pipewire() {
  local pw=$dir/config/pipewire wp=$dir/config/wireplumber
  mkdir -p "$pw/pipewire.conf.d" "$pw/pipewire-pulse.conf.d" "$wp/main.lua.d" "$wp/bluetooth.lua.d" "$wp/wireplumber.conf.d"
  # In a virtual machine PipeWire raises its smallest block to 21 ms; here it stays as on a desktop.
  cat >"$pw/pipewire.conf.d/lab.conf" <<'E'
context.properties = {
  default.clock.rate = 48000
  default.clock.min-quantum = 32
  vm.overrides = { default.clock.min-quantum = 32 }
}
E
  cat >"$pw/pipewire-pulse.conf.d/lab.conf" <<'E'
pulse.properties = { vm.overrides = { pulse.min.quantum = 256/48000 } }
E
  # Hardware and Bluetooth want udev, logind and the system bus; without logind the Bluetooth monitor even ends
  # WirePlumber. Once for the versions configured in Lua (0.4), once for the later ones.
  cat >"$wp/main.lua.d/80-lab.lua" <<'E'
alsa_monitor.enabled = false
v4l2_monitor.enabled = false
libcamera_monitor.enabled = false
default_access.properties["enable-flatpak-portal"] = false
stream_defaults.properties["restore-props"] = false
stream_defaults.properties["restore-target"] = false
E
  echo 'bluez_monitor.enabled = false' >"$wp/bluetooth.lua.d/80-lab.lua"
  cat >"$wp/wireplumber.conf.d/80-lab.conf" <<'E'
wireplumber.profiles = {
  main = {
    hardware.audio = disabled
    hardware.bluetooth = disabled
    hardware.video-capture = disabled
    support.logind = disabled
    support.reserve-device = disabled
    support.portal-permissionstore = disabled
  }
}
wireplumber.settings = { node.stream.restore-props = false, node.stream.restore-target = false }
E
}

configure_pulse() {
  cat >"$dir/config/lab.pa" <<E
.fail
load-module module-native-protocol-unix auth-anonymous=1 socket=$dir/run/pulse/native
load-module module-always-sink
E
}

start_bus() {
  rm -f "$dir/run/bus"
  begin bus dbus-daemon --config-file="$dir/bus.conf" --nofork --nopidfile --nosyslog
  within 5 "the bus" test -S "$dir/run/bus"
}

wireplumber_ready() { pw-cli ls Metadata | grep -q '"default"'; }

start_sound() {
  if [ "$(cat "$dir/sound")" = pipewire ]; then
    begin pipewire pipewire
    within 10 PipeWire test -S "$dir/run/pipewire-0"
    begin wireplumber wireplumber
    begin pipewire-pulse pipewire-pulse
  else
    begin pulseaudio pulseaudio -n -F "$dir/config/lab.pa" --daemonize=no --exit-idle-time=-1 --use-pid-file=no \
      --realtime=no --high-priority=no --log-target=stderr
  fi
  within 10 "the sound server" pactl info
  [ ! -e "$dir/pids/wireplumber" ] || within 10 WirePlumber wireplumber_ready
  rm -f "$dir/plugged/"*
  plug output speaker
  plug input mic
  within 5 "the microphone" defaults_set
}

# The names of the modules stand in plugged/NAME, the last one first.
plug() { # plug output|input NAME
  local more= sink
  # Else an idle sink of PulseAudio works in blocks of 2 s, and a new stream waits for the next one.
  [ "$(cat "$dir/sound")" = pipewire ] || more=norewinds=1
  mkdir -p "$dir/plugged"
  if [ "$1" = output ]; then
    pactl load-module module-null-sink sink_name="$2" rate=48000 channels=2 $more \
      sink_properties=device.description="${2^}" >"$dir/plugged/$2"
  else
    sink=$(pactl load-module module-null-sink sink_name="$2_in" rate=48000 channels=1 channel_map=mono $more \
      sink_properties=device.description="${2^}Input")
    if [ "$(cat "$dir/sound")" = pipewire ]; then
      # PipeWire's own copy of a source (0.3.65) falls silent for good now and then when a reader comes.
      pactl load-module module-null-sink media.class=Audio/Source/Virtual sink_name="$2" rate=48000 channels=1 \
        channel_map=mono sink_properties=device.description="${2^}" >"$dir/plugged/$2"
      within 5 "the way into $2" pw-link "$2_in:monitor_MONO" "$2:input_MONO"
    else
      pactl load-module module-remap-source source_name="$2" master="$2_in.monitor" channels=1 channel_map=mono \
        master_channel_map=mono source_properties=device.description="${2^}" >"$dir/plugged/$2"
    fi
    echo "$sink" >>"$dir/plugged/$2"
  fi
}

unplug() { # unplug NAME
  local module
  # Unloading the sink takes what is made of it along.
  while read -r module; do pactl unload-module "$module" 2>/dev/null || true; done <"$dir/plugged/$1"
  rm -f "$dir/plugged/$1"
}

set_default() { # set_default output|input NAME
  if [ "$1" = output ]; then pactl set-default-sink "$2"; else pactl set-default-source "$2"; fi
}

defaults_set() {
  pactl set-default-sink speaker && pactl set-default-source mic
  [ "$(pactl get-default-sink)" = speaker ] && [ "$(pactl get-default-source)" = mic ]
}

stop_bus() { end bus; rm -f "$dir/run/bus"; }

stop_sound() {
  end pipewire-pulse; end wireplumber; end pipewire; end pulseaudio
  rm -f "$dir/run/"pipewire-0* "$dir/run/pulse/native" "$dir/run/pulse/pid"
}

down() { stop_sound; stop_bus; rm -f "$dir/env"; }

enter() {
  [ -e "$dir/env" ] || die "$dir is not prepared"
  set -a; . "$dir/env"; set +a
  unset DISPLAY WAYLAND_DISPLAY PULSE_SINK PULSE_SOURCE PIPEWIRE_REMOTE PIPEWIRE_RUNTIME_DIR
}

[ $# -ge 2 ] || { sed -n '2,21p' "$0"; exit 2; }
verb=$1 dir=$(readlink -m "$2"); shift 2
case $verb in
  up) prepare "$@"; enter; trap '[ $? = 0 ] || down' EXIT; start_bus; start_sound ;;
  prepare) prepare "$@" ;;
  start | stop) enter; "${verb}_${1:?bus or sound}" ;;
  env) cat "$dir/env" ;;
  run) enter; exec "$@" ;;
  play) enter; exec paplay --latency-msec=40 --device=mic_in "$1" ;;
  rec) enter; exec parecord --latency-msec=20 --file-format=wav --rate=48000 --channels=1 --device=speaker.monitor "$1" ;;
  plug) enter; plug "$1" "$2" ;;
  unplug) enter; unplug "$1" ;;
  default) enter; set_default "$1" "$2" ;;
  down) [ ! -e "$dir/env" ] || { enter; down; } ;;
  *) die "no command is called '$verb'" ;;
esac
