#!/bin/sh
# Runs a program with the priority that a desktop gives to its sound: real-time, where this user may give it, else as it is.
#
#   realtime.sh PRIORITY CMD...   a sound server has 10, what plays and records for it 9
#   realtime.sh allowed           whether this user may give it
#
# AHOY_LAB_ORDINARY=1 stands for a user who may not.
#
# Lives here: the one question whether real-time is allowed, and giving it.
# Must not: know what it runs.
allowed() { [ -z "${AHOY_LAB_ORDINARY:-}" ] && chrt -f 1 true 2>/dev/null; }
case ${1:-} in
  allowed) allowed ;;
  [1-9]*)
    priority=$1; shift
    if allowed; then exec chrt -f "$priority" "$@"; fi
    exec "$@"
    ;;
  *) sed -n '2,7p' "$0"; exit 2 ;;
esac
