#!/bin/bash
# Judges what a daemon's engine asked of the kernel: nothing that waits for a disk or a name server, once it serves.
#
#   engine-thread.sh TRACE...     strace's lines of the daemon's first thread, from its start
#
# Ends with 0 if nothing was found; prints what was.
#
# Lives here: the calls that the engine's thread never makes.
# Must not: run a daemon.
set -u
found=$(for trace; do
  sed -n '/serving on the session bus/,$p' "$trace" | grep -E \
    -e '^(creat|(f|fd)?sync(fs|_file_range)?|f?datasync|msync|rename(at2?)?|unlink(at)?|rmdir|mkdir(at)?|(sym)?link(at)?)\(' \
    -e '^(f?truncate|fallocate|fchmod(at)?|chmod|pwrite(64|v2?))\(' \
    -e '^open(at2?)?\(.*O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)' \
    -e '^open(at2?)?\(.*(history\.db|/etc/(resolv\.conf|hosts|nsswitch\.conf))' \
    -e '^connect\(.*(htons\(53\)|nscd)' | grep -v '"/dev/null"'
done)
# Of a trace that does not show a daemon that serves, nothing is known.
for trace; do
  grep -q 'serving on the session bus' "$trace" || found="$found${found:+$'\n'}$trace: no daemon serves here"
done
[ -z "$found" ] || { echo "$found"; exit 1; }
