#!/bin/bash
# A first start, a pairing and a first call of two newcomers at home, with no server: every command that they type, and what it
# prints. (`make first-call`.)
#
#   first-call.sh FOLDER_OF_THE_PROGRAMS
#
# Private desktops with empty homes, a bus and a sound server each, on two machines that a router joins. Without systemd: ahoyd is
# started by hand, as its hint says. Ends with 0 only if all of it was so.
#
# Lives here: the story, and what must be read in it.
# Must not: write a configuration for them, or reach into a daemon otherwise than with ahoyctl.
people='ana ben'
if [ "${2-}" != inside ]; then
  # A router and machines are root's to make, or of who may have a namespace of users.
  for alone in "unshare --net" "unshare --map-current-user --keep-caps --net"; do
    # shellcheck disable=SC2086
    $alone ip link set lo up 2>/dev/null && exec $alone "$0" "$1" inside
  done
  echo "SKIPPED: machines with networks of their own are root's here"
  exit 0
fi
# shellcheck source=tests/lab/story.sh
. "$(dirname "$(readlink -f "$0")")/story.sh"
# shellcheck source=tests/lab/first-talk.sh
. "$(dirname "$(readlink -f "$0")")/first-talk.sh"

# shellcheck disable=SC2034
screen=24

start() { # start WHO: by hand, as the hint says
  printf '%s$ ahoyd &\n' "$1"
  begin "$1"
}

move_in ana ben
tell "Ana has just installed ahoy; nothing runs, nothing is configured"
type ana ahoyctl; must 'ahoyctl pair' 'ahoyctl pair CODE'
[ "$(wc -l <<<"$said")" -le 3 ] || not_so "more than three lines lead her"
type ana ahoyctl status; must 'systemctl --user start ahoyd'
start ana
type ana ahoyctl; must 'ahoyctl pair' 'ahoyctl pair CODE' 'relay'
[ "$(wc -l <<<"$said")" -le 3 ] || not_so "more than three lines lead her"
type ana ahoyctl account name Ana

tell "Ben does the same"
start ben
type ben ahoyctl account name Ben
tell "She shows a code, and says that this is her network; he types it, and says so, too"
mkfifo "$scratch/typed" "$scratch/shown"
printf 'ana$ ahoyctl pair\n'
(become ana script -qec 'ahoyctl pair --qr no' /dev/null <"$scratch/typed") >"$scratch/shown" & shows=$!
exec 3<"$scratch/shown" 4>"$scratch/typed"
echo y >&4
code=
while [ -z "$code" ] && read -r line <&3; do
  line=${line//$'\r'/}
  printf '%s\n' "$line"
  [[ $line =~ ^\ *([0-9]+(-[a-z]+)+)$ ]] && code=${BASH_REMATCH[1]}
done
[ -n "$code" ] || not_so "there is no code"
printf 'ben$ ahoyctl pair %s\n' "$code"
said=$(echo y | in_desk ben script -qec "ahoyctl pair $code" /dev/null | tr -d '\r')
printf '%s\n' "$said"; must 'home network' Ana 'safety number'
tr -d '\r' <&3
wait $shows || not_so "her side of it ended with $?"
exec 3<&- 4>&-
type ana ahoyctl contact; must Ben mutual
type ben ahoyctl contact; must Ana mutual
type ana ahoyctl status; must 'at home, without a relay' 'trusted'
until_so ana 'status --format {{neighbours}}' 1
until_so ben 'status --format {{neighbours}}' 1

first_talk

judge
