#!/bin/bash
# The same by a relay, and a card for somebody who is never there at the same time: every command that they type, and what it
# prints. (`make first-call`, after `first-call.sh`.)
#
#   first-relay.sh FOLDER_OF_THE_PROGRAMS
#
# Private desktops with empty homes, a bus and a sound server each, and a relay between them, on this machine. Without systemd:
# ahoyd is started by hand, as its hint says. Ends with 0 only if all of it was so.
#
# Lives here: the story, and what must be read in it.
# Must not: write a configuration for them, or reach into a daemon otherwise than with ahoyctl.
people='ana ben cleo'
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

begin_relay "$programs/ahoy-relay"
start ana
type ana ahoyctl; must 'ahoyctl config set relay.urls'
tell "Somebody gave her the address of a relay"
type ana ahoyctl config set relay.urls "$url"
type ana ahoyctl account name Ana
until_so ana 'status --format {{connection_state}}' online
type ana ahoyctl status; must 'online' 'ahoyctl pair'
tell "She calls somebody whom she does not know yet"
type ana ahoyctl call ben; must 'contact list'

tell "Ben does the same"
start ben
type ben ahoyctl config set relay.urls "$url"
type ben ahoyctl account name Ben
until_so ben 'status --format {{connection_state}}' online
tell "She shows a code and says it to him; he types it"
printf 'ana$ ahoyctl pair\n'
mkfifo "$scratch/shown"
(become ana ahoyctl pair) >"$scratch/shown" & shows=$!
exec 3<"$scratch/shown"
read -r code <&3
printf '%s\n' "$code"
type ben ahoyctl pair "$code"; must Ana 'safety number'
cat <&3
wait $shows || not_so "her side of it ended with $?"
exec 3<&-
type ana ahoyctl contact; must Ben mutual
type ben ahoyctl contact; must Ana mutual
type ana ahoyctl

tell "Cleo is never there when Ana is: she gets a card, and adding it asks Ana"
start cleo
type cleo ahoyctl config set relay.urls "$url"
type cleo ahoyctl account name Cleo
until_so cleo 'status --format {{connection_state}}' online
type ana 'ahoyctl account card --for Cleo > for-cleo.card'
in_desk ana cat for-cleo.card | in_desk cleo tee from-ana.card >/dev/null
type cleo ahoyctl contact add from-ana.card; must Ana
until_so ana 'contact requests --format {{name}}' Cleo
type ana ahoyctl status; must 'ahoyctl contact requests'
type ana ahoyctl contact requests; must Cleo 'ahoyctl contact accept'
type ana ahoyctl contact accept cleo; must Cleo mutual
until_so cleo 'contact show ana --format {{contact.mutual}}' True

first_talk
type ana ahoyctl call bnn; must 'contact list'

judge
