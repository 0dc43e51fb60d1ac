#!/bin/sh
# The first process of a node, in namespaces of its own (mounts, network, processes): whatever is mounted, added or
# started here is gone when it ends, and none of it was ever seen outside.
# usage: node.sh serin-node DIR      the word is there to be found by; DIR is the cluster's, and /run/serin in the node
set -eu
dir=$2
cd "$dir"

# runc refuses a mix of both cgroup hierarchies: where they are mounted together, the unified one is hidden here.
if grep -q ' /sys/fs/cgroup/unified ' /proc/mounts; then umount /sys/fs/cgroup/unified; fi

# Places that containerd, kubelet and the network plugins write to by fixed names. /run comes first, since the directory
# may lie below it; it is entered already, so that it is reached by "." when its name is covered.
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/lock /run/serin
mount --no-canonicalize --bind . /run/serin
mount -t tmpfs -o mode=0755 tmpfs /var/lib
mount -t tmpfs -o mode=0755 tmpfs /var/log
cd /run/serin

# kubelet sets some of the kernel's switches, which are the whole machine's: here it sets copies of them.
for switch in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
    kernel/keys/root_maxbytes; do
    copy=/run/switches/$switch
    mkdir -p "${copy%/*}"
    cat "/proc/sys/$switch" >"$copy"
    mount --bind "$copy" "/proc/sys/$switch"
done

ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
exec /run/serin/bin/pause serin-node "$dir"
