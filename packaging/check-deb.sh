#!/bin/bash
# Unpacks a Debian package and looks whether everything is in it, at its place, and works.
#
#   check-deb.sh TARGET_FOLDER PACKAGE
#
# Lives here: the comparison with the list of `files.sh`, and the programs that are asked for their version.
# Must not: install anything on this machine.
set -eu
cd "$(dirname "$0")/.."
target=$1 package=$2
there=$(mktemp -d); trap 'rm -rf "$there"' EXIT
dpkg-deb --extract "$package" "$there"
# Debian's own places: pages that may be compressed, completions for zsh of vendors.
packaging/files.sh list /usr "" "$target" | sed 's|zsh/site-functions|zsh/vendor-completions|; s|\(doc/ahoy\)/CHANGELOG.md|\1/changelog.Debian.gz|' | sort >"$there.wanted"
(cd "$there" && find . -type f | sed 's|^\.||; s|\(/man1/.*\)\.gz$|\1|' | grep -v '/doc/ahoy/copyright$' | sort) >"$there.found"
diff "$there.wanted" "$there.found" || { echo "the package is not what is listed" >&2; exit 1; }
rm "$there.wanted" "$there.found"
for program in ahoyd ahoyctl ahoy-relay; do "$there/usr/bin/$program" --version; done
grep -q '^ExecStart=/usr/bin/ahoyd$' "$there/usr/lib/systemd/user/ahoyd.service"
grep -q '^Exec=/usr/bin/ahoyd$' "$there/usr/share/dbus-1/services/org.ahoyd.Calls1.service"
[ -x "$there/usr/share/doc/ahoy/contrib/polybar/ahoy.sh" ]
depends=$(dpkg-deb --field "$package" Depends)
echo "depends: $depends"
# What the programs are linked with, and the bus, are named.
for need in libc6 libasound2 libpipewire dbus; do
  case $depends in *"$need"*) ;; *) echo "$need is not among the dependencies" >&2; exit 1 ;; esac
done
echo "good: $package"
