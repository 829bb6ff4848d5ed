#!/bin/bash
# A first start and a first call as two new users meet them: every command that they type, and what it prints. (`make first-call`.)
#
#   first-call.sh FOLDER_OF_THE_PROGRAMS
#
# Two private desktops with empty homes, a bus and a sound server each, and a relay between them, on this machine. Without systemd:
# ahoyd is started by hand, as its hint says. Ends with 0 only if all of it was so.
#
# Lives here: the story, and what must be read in it.
# Must not: write a configuration for them, or reach into a daemon otherwise than with ahoyctl.
people='ana ben'
# shellcheck source=tests/lab/story.sh
. "$(dirname "$(readlink -f "$0")")/story.sh"

# shellcheck disable=SC2034
screen=24

start() { # start WHO: by hand, as the hint says
  printf '%s$ ahoyd &\n' "$1"
  begin "$1"
}

begin_relay "$programs/ahoy-relay"
tell "Ana has just installed ahoy; nothing runs, nothing is configured"
type ana ahoyctl status; must 'systemctl --user start ahoyd'
start ana
type ana ahoyctl status; must 'ahoyctl config set relay.urls'
tell "Somebody gave her the address of a relay"
type ana ahoyctl config set relay.urls "$url"
type ana ahoyctl account name Ana
until_so ana 'status --format {{connection_state}}' online
type ana ahoyctl status; must 'online' 'ahoyctl contact add'
tell "She calls somebody whom she does not know yet"
type ana ahoyctl call ben; must 'contact list'

tell "Ben does the same; each sends the other a card, by mail or by a messenger"
start ben
type ben ahoyctl config set relay.urls "$url"
type ben ahoyctl account name Ben
until_so ben 'status --format {{connection_state}}' online
type ana 'ahoyctl account card --for Ben > for-ben.card'
in_desk ana cat for-ben.card | in_desk ben tee from-ana.card >/dev/null
type ben ahoyctl contact add from-ana.card; must Ana
tell "He is quick and calls at once: she has not his card yet"
type ben ahoyctl call ana --lifetime 10 --wait; must unavailable 'ahoyctl account card'
type ben 'ahoyctl account card --for Ana > for-ana.card'
in_desk ben cat for-ana.card | in_desk ana tee from-ben.card >/dev/null
type ana ahoyctl contact add from-ben.card; must Ben
type ana ahoyctl contact; must Ben
type ana ahoyctl status

tell "The first call"
type ana ahoyctl call ben; must Ben
until_so ben 'list --format {{state}}' incoming
type ben ahoyctl status; must 'Ana' 'ahoyctl answer'
type ben ahoyctl answer; must Ana
until_so ana 'list --format {{state}}' active
type ana ahoyctl status; must 'active' 'Ben'
type ana ahoyctl mute; must muted
type ben ahoyctl list; must muted
type ana ahoyctl mute off
type ben ahoyctl hangup; must completed
until_so ana 'status --format {{state}}' idle
type ana ahoyctl hangup
tell "And afterwards"
type ana ahoyctl history; must answered Ben
type ana ahoyctl history show "$(in_desk ana ahoyctl history --limit 1 | cut -f1)"; must Ben
type ana ahoyctl status
type ana ahoyctl call bnn; must 'contact list'

judge
