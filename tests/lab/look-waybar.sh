#!/bin/bash
# A bar with a call in it, to be looked at: pictures in TARGET_FOLDER/look/.
#
#   look-waybar.sh TARGET_FOLDER
#
# Lives here: the way into the made-up user's desktop and the pictures' way out.
# Must not: judge a picture.
set -eu
cd "$(dirname "$0")/../.."
programs=$(readlink -f "$1")/${2:-release}; out=$1/look; mkdir -p "$out"
units=$(mktemp -d); trap 'rm -rf "$units"' EXIT
mkdir -p "$units/dbus-1" "$units/files/.local/state"
sed 's|/usr/bin/|/srv/lab/bin/|' systemd/ahoyd.service >"$units/ahoyd.service"
sed 's|@bindir@|/srv/lab/bin|' dbus/org.ahoyd.Calls1.service >"$units/dbus-1/org.ahoyd.Calls1.service"
cp -r tests/lab/service.sh tests/lab/bar.sh contrib "$units/files/"
tests/lab/user-manager.sh "$units" "$programs" bash /srv/lab/nora/bar.sh >"$out/said"
awk -v out="$out" '
  /^PICTURE / { file = out "/waybar-" $2 ".base64"; printf "" >file; next }
  /^$/ { file = ""; next }
  file { print >>file; next }
  { print }' "$out/said"
for file in "$out"/*.base64; do base64 -d "$file" >"${file%.base64}.png"; rm "$file"; done
rm "$out/said"; echo "Look at:" "$out"/waybar-*.png
