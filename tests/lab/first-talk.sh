# What both stories of newcomers have in common. To be sourced behind story.sh.
#
# Lives here: the first call of two contacts, and what they read afterwards.
# Must not: know how they met.
# shellcheck shell=bash

first_talk() { # Ana calls Ben.
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
}
