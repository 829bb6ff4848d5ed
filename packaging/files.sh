#!/bin/bash
# Installs what belongs on a machine, or takes exactly the same away.
#
#   files.sh install|uninstall|list PREFIX DESTDIR TARGET_FOLDER
#
# Programs lie in TARGET_FOLDER/release, man pages and completions in TARGET_FOLDER/papers.
#
# Lives here: the one list of files, for the makefile and the Debian package alike.
# Must not: build anything, or remove a file that is not in the list.
set -eu
cd "$(dirname "$0")/.."
what=$1 prefix=$2 destdir=$3 target=$4

# files: calls `one MODE SOURCE PLACE` for each file; PLACE is below the prefix.
files() {
  local file name
  for name in ahoyd ahoyctl ahoy-relay; do
    one 755 "$target/release/$name" "bin/$name"
    one 644 "$target/papers/man/$name.1" "share/man/man1/$name.1"
    one 644 "$target/papers/completions/bash/$name.bash" "share/bash-completion/completions/$name"
    one 644 "$target/papers/completions/zsh/_$name" "share/zsh/site-functions/_$name"
    one 644 "$target/papers/completions/fish/$name.fish" "share/fish/vendor_completions.d/$name.fish"
  done
  for file in dbus/*.xml; do one 644 "$file" "share/dbus-1/interfaces/${file##*/}"; done
  one placed dbus/org.ahoyd.Calls1.service share/dbus-1/services/org.ahoyd.Calls1.service
  one placed systemd/ahoyd.service lib/systemd/user/ahoyd.service
  one placed systemd/ahoy-relay.service lib/systemd/system/ahoy-relay.service
  one 644 packaging/org.ahoyd.Ahoy.desktop share/applications/org.ahoyd.Ahoy.desktop
  one 644 packaging/org.ahoyd.Ahoy.svg share/icons/hicolor/scalable/apps/org.ahoyd.Ahoy.svg
  one 644 README.md share/doc/ahoy/README.md
  one 644 CHANGELOG.md share/doc/ahoy/CHANGELOG.md
  while read -r file; do
    one "$([ -x "$file" ] && echo 755 || echo 644)" "$file" "share/doc/ahoy/$file"
  done < <(find contrib -type f | sort)
}

install_one() {
  local place=$destdir$prefix/$3
  install -d "${place%/*}"
  if [ "$1" = placed ]; then
    # The programs' folder stands in it.
    sed "s|/usr/bin/|$prefix/bin/|; s|@bindir@|$prefix/bin|" "$2" >"$place"
    chmod 644 "$place"
  else
    install -m "$1" "$2" "$place"
  fi
}
remove_one() {
  rm -f "$destdir$prefix/$3"
  # Folders of our own alone; others stay although they may be empty now.
  case $3 in share/doc/ahoy/*) rmdir -p --ignore-fail-on-non-empty "$destdir$prefix/$(dirname "$3")" 2>/dev/null || true ;; esac
}
list_one() { echo "$prefix/$3"; }

case $what in
  install) one() { install_one "$@"; } ;;
  uninstall) one() { remove_one "$@"; } ;;
  list) one() { list_one "$@"; } ;;
  *) echo "files.sh: what is '$what'?" >&2; exit 2 ;;
esac
files
