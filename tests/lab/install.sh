#!/bin/bash
# Installs what this machine lacks for one purpose, on Debian and what derives from it. Does nothing where nothing is missing.
#
#   install.sh build|sound|trace|bus|demo|line|beside|hostile|bench|test|net|desktop|deb|look|mutants|fuzz|interop|room|rust...
#
# Lives here: the package lists, and where a compiler comes from.
# Must not: remove or replace a package, or touch anything but packages and the compiler.
set -eu

packages() {
  case $1 in
    build) echo gcc libc6-dev make cmake pkg-config libclang-dev libasound2-dev libpipewire-0.3-dev ca-certificates ;;
    sound) echo dbus-daemon pipewire wireplumber pipewire-pulse pulseaudio-utils ;;
    trace) echo strace ;;
    bus) echo systemd ;;
    demo) echo python3 python3-venv python3-dev gcc libc6-dev espeak-ng iproute2 util-linux ;;
    line) echo pulseaudio openssl iproute2 util-linux ;;
    beside) echo baresip-core libasound2-plugins ;;
    hostile) echo python3 python3-venv openssl dbus-daemon ;;
    bench) echo iproute2 util-linux nftables ;;
    test) echo coturn pulseaudio rtkit polkitd libasound2-plugins iproute2 util-linux nftables systemd dbus-daemon python3 python3-icalendar man-db zsh fish bsdutils nodejs qt6-declarative-dev-tools libfaketime libnss-extrausers tcpdump strace gnome-keyring libsecret-tools ;;
    net) echo coturn nftables ;;
    deb) echo dpkg-dev ;;
    look) echo sway waybar grim fonts-dejavu-core ;;
    mutants) echo gcc libc6-dev ;;
    fuzz) echo g++ ;;
    interop) echo chromium firefox-esr pulseaudio python3 python3-venv ;;
    room) echo python3 python3-venv iproute2 nftables redis-tools ;;
    desktop) echo xvfb dunst imagemagick fonts-dejavu-core playerctl python3-dbusmock ;;
    *) echo "install.sh: no list is called '$1'" >&2; return 1 ;;
  esac
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo -E "$@"
  else echo "Run this as root: $*" >&2; return 1
  fi
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  local said
  said=$(as_root apt-get -qq install --yes --no-install-recommends --no-remove "$@" 2>&1) || { echo "$said" >&2; return 1; }
}

install_packages() {
  local missing=() package
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "Installing ${missing[*]}"
  as_root apt-get -qq update
  # apt says nothing unless it fails; who waits sees how many are there.
  local from=$SECONDS teller status=0
  while sleep 15 >/dev/null 2>&1 </dev/null && kill -0 $$ 2>/dev/null; do
    echo "  installing: $((SECONDS - from)) s, $(for package in "${missing[@]}"; do ! installed "$package" || echo; done | wc -l) of ${#missing[@]} are there"
  done &
  teller=$!
  apt_install "${missing[@]}" || status=$?
  kill $teller; wait $teller 2>/dev/null || true
  return $status
}

# The oldest compiler that will do, from Cargo.toml.
wanted_rust() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../../Cargo.toml"; }

new_enough() {
  local have
  have=$(rustc --version 2>/dev/null | cut -d' ' -f2) && [ -n "$have" ] || return 1
  command -v cargo >/dev/null || return 1
  [ "$(printf '%s\n%s\n' "$1" "$have" | sort -V | head -n1)" = "$1" ]
}

install_rust() {
  local want; want=$(wanted_rust)
  ! new_enough "$want" || return 0
  if ! command -v rustup >/dev/null && command -v apt-cache >/dev/null; then
    as_root apt-get -qq update
    [ -z "$(apt-cache search --names-only '^rustup$')" ] || apt_install rustup
  fi
  if command -v rustup >/dev/null; then
    echo "Installing the stable Rust toolchain, which takes a minute"
    rustup toolchain install stable --no-self-update --profile minimal --component rustfmt,clippy >/dev/null 2>&1 || true
    ! new_enough "$want" || return 0
  fi
  echo "Rust $want or newer is needed. Run:  curl https://sh.rustup.rs -sSf | sh -s -- -y && . ~/.cargo/env" >&2
  return 1
}

[ $# -gt 0 ] || { sed -n '2,5p' "$0"; exit 2; }
lists=()
for what in "$@"; do
  [ "$what" != rust ] || continue
  list=$(packages "$what")
  lists+=($list)
done
if [ ${#lists[@]} -gt 0 ]; then
  if command -v dpkg-query >/dev/null; then install_packages "${lists[@]}"
  else echo "No apt here. These Debian packages, or what your system calls them, must be there: ${lists[*]}"
  fi
fi
case " $* " in *" rust "*) install_rust ;; esac
case " $* " in *" deb "*) cargo deb --version >/dev/null 2>&1 || cargo install --locked cargo-deb ;; esac
case " $* " in *" mutants "*) cargo mutants --version >/dev/null 2>&1 || cargo install --locked cargo-mutants ;; esac
