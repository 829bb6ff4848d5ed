#!/bin/bash
# A house: machines that a router joins, and nothing else; each in a network of its own. All of it ends when its input does.
#
#   house.sh COUNT     prints the processes that hold the machines' networks (`nsenter --target PID --net -- CMD...`)
#
# Wants to be root, or in a user namespace with its rights (`unshare --map-current-user --keep-caps --net`).
#
# Lives here: the networks and what joins them.
# Must not: know a program that runs there.
set -eu
[ "${2-}" = inside ] || exec unshare --net "$0" "$1" inside

exec {input}<&0
ip link set lo up
# A network is known by its router's hardware address, and a bridge would change its own with every machine that comes.
ip link add br0 address 02:00:00:00:77:01 type bridge mcast_snooping 0
ip addr add 192.168.77.1/24 dev br0
ip link set br0 up
holders=()
for n in $(seq 2 $(($1 + 1))); do
  exec {said}< <(exec unshare --net sh -c 'ip link set lo up && echo up && exec cat >/dev/null' <&"$input")
  holder=$!
  read -r _ <&"$said"
  ip link add "port$n" type veth peer name eth0 netns "$holder"
  ip link set "port$n" master br0 up
  # Without a second of waiting for somebody who has the same address.
  nsenter --target "$holder" --net -- sh -ec "
    echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
    ip addr add 192.168.77.$n/24 dev eth0
    ip link set eth0 up
    ip route add default via 192.168.77.1"
  holders+=("$holder")
done
echo "${holders[@]}"
exec cat >/dev/null
