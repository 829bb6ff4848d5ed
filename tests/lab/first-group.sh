#!/bin/bash
# A call of many, by ahoyctl and by the bus: started, joined, left, entered again, ended; every command that is typed, and what it
# prints. (`make first-group`.)
#
#   first-group.sh FOLDER_OF_THE_PROGRAMS
#
# Private desktops with a bus and a sound server each, and a relay between them, on this machine. Ends with 0 only if all of it was so.
#
# Lives here: the story, and what must be read in it.
# Must not: reach into a daemon otherwise than with ahoyctl and busctl.
people='ana ben cleo dan'
# shellcheck source=tests/lab/story.sh
. "$(dirname "$(readlink -f "$0")")/story.sh"

bus='busctl --user'
name=org.ahoyd.Calls1
root=/org/ahoyd/Calls1

until_talks() { # until_talks WHO COUNT: so many others take part in the call there
  local n seen=
  for n in $(seq 600); do
    seen=$(in_desk "$1" ahoyctl show 2>/dev/null | grep -c '^member.*, joined')
    [ "$seen" = "$2" ] && return
    sleep 0.1
  done
  not_so "$seen others take part at $1's, not $2"
}

begin_relay "$programs/ahoy-relay"
for who in $people; do
  begin "$who"
  in_desk "$who" ahoyctl config set relay.urls "$url" >/dev/null
  in_desk "$who" ahoyctl account name "${who^}" >/dev/null
  until_so "$who" 'status --format {{connection_state}}' online
done
for one in $people; do for other in $people; do [[ $one < $other ]] && introduce "$one" "$other"; done; done

tell "Ana calls two at once; she names the group, so that two words call it the next time"
type ana ahoyctl group new book ben cleo; must book
type ana ahoyctl call book; must book dialing
for who in ben cleo; do until_so $who 'list --format {{state}}' incoming; done
type ben ahoyctl status; must incoming book
type ben ahoyctl show; must Ana Cleo
type ben ahoyctl answer; must book
type cleo ahoyctl answer; must book
for who in ana ben cleo; do until_talks $who 2; done
type ana ahoyctl list; must book active
type ana ahoyctl show; must Ben Cleo joined

tell "Cleo leaves; the call goes on, and says so to her"
type cleo ahoyctl hangup; must completed
until_talks ana 1
type cleo ahoyctl history; must book answered
tell "She enters it again"
type cleo ahoyctl join; must book
for who in ana ben cleo; do until_talks $who 2; done

tell "The same by the bus: Ben brings Dan, who answers and is seen by all"
call=$(in_desk ben $bus get-property $name $root/focus $name.Focus Call | cut -d'"' -f2)
type ben "$bus call $name $call $name.Call Invite 'sa{sv}' dan 0"
until_so dan 'list --format {{state}}' incoming
theirs=$(in_desk dan $bus get-property $name $root/focus $name.Focus Call | cut -d'"' -f2)
type dan "$bus get-property $name $theirs $name.Call Kind RemoteName State"; must group incoming
type dan "$bus call $name $theirs $name.Call Answer 'a{sv}' 0"
for who in $people; do until_talks $who 3; done
type dan "$bus tree --list $name"; must "$theirs/"
peer=$(in_desk dan $bus tree --list $name | grep "^$theirs/" | head -n 1)
type dan "$bus get-property $name $peer $name.Peer Name State Muted Role Volume"; must joined

tell "Ben is too loud for Cleo, who turns him down; Dan mutes himself; only who began it ends it for all"
type cleo ahoyctl volume ben 50; must '50 %'
type dan ahoyctl mute; must muted
type dan ahoyctl hangup --everyone; must 'Only who began the group'
type ana ahoyctl show; must Ben Cleo Dan

tell "Ana, whose call it is, puts Dan out, and ends it for the others"
type ana ahoyctl remove dan
until_so dan 'status --format {{state}}' idle
type dan ahoyctl history show "$(in_desk dan ahoyctl history --limit 1 | cut -f1)"; must "put you out"
type ana ahoyctl hangup --everyone; must ended-by-host
for who in ben cleo; do until_so $who 'status --format {{state}}' idle; done
type ben ahoyctl history show "$(in_desk ben ahoyctl history --limit 1 | cut -f1)"; must Ana Cleo Dan

judge
