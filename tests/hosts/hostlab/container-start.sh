#!/bin/sh
# Copyright (c) 2026, bulwark.docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Turns fresh namespaces into a host and becomes its init. Runs as process 1 of them; every mount it makes is in their
# mount namespace and dies with it. Input by environment: ROOTFS DATA IO HOST_NAME CONSOLE MASKED CAPABILITIES DATA_TMPFS.
set -eu

mount --make-rprivate /
if [ "$DATA_TMPFS" = 1 ]; then
    # The outer file system cannot carry an overlay (it is one itself): keep this host's disk in memory.
    mount -t tmpfs -o mode=0755 tmpfs "$DATA"
fi
new="$DATA/root"
mkdir -p "$DATA/upper" "$DATA/work" "$DATA/plain" "$new"
mount -t overlay overlay -o "lowerdir=$ROOTFS,upperdir=$DATA/upper,workdir=$DATA/work" "$new"

# An engine cannot put its overlays on an overlay: where data may live is plain disk.
for folder in var/lib/docker var/lib/containerd home srv; do
    mkdir -p "$new/$folder" "$DATA/plain/$folder"
    mount --bind "$DATA/plain/$folder" "$new/$folder"
done
chmod 0710 "$new/var/lib/docker"

mount -t proc -o nosuid,nodev,noexec proc "$new/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$new/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$new/sys/fs/cgroup"

mount -t tmpfs -o nosuid,mode=0755 tmpfs "$new/dev"
mkdir "$new/dev/pts" "$new/dev/shm" "$new/dev/mqueue" "$new/dev/net"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$new/dev/pts"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$new/dev/shm"
mount -t mqueue mqueue "$new/dev/mqueue"
node() {
    mknod -m "$2" "$new/dev/$1" c "$3" "$4"
}
node null 0666 1 3
node zero 0666 1 5
node full 0666 1 7
node random 0666 1 8
node urandom 0666 1 9
node tty 0666 5 0
node net/tun 0666 10 200
node fuse 0666 10 229
ln -s pts/ptmx "$new/dev/ptmx"
ln -s /proc/self/fd "$new/dev/fd"
ln -s /proc/self/fd/0 "$new/dev/stdin"
ln -s /proc/self/fd/1 "$new/dev/stdout"
ln -s /proc/self/fd/2 "$new/dev/stderr"
: >"$new/dev/console"
mount --bind "$CONSOLE" "$new/dev/console"

mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs "$new/run"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$new/tmp"
mkdir -p "$new/run/bulwark" "$new/run/lock" "$new/run/systemd/system"
mount --bind "$IO" "$new/run/bulwark"
for unit in $MASKED; do
    ln -s /dev/null "$new/run/systemd/system/$unit"
done

# A journal on the disk hangs whenever that disk is busy with the other hosts.
mkdir "$new/run/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\n' >"$new/run/systemd/journald.conf.d/volatile.conf"

hostname "$HOST_NAME"
echo "$HOST_NAME" >"$new/etc/hostname"
echo "127.0.1.1 $HOST_NAME" >>"$new/etc/hosts"
tr -d - </proc/sys/kernel/random/uuid >"$new/etc/machine-id"
ip link set lo up

mkdir "$new/.outer"
cd "$new"
pivot_root . .outer
umount -l /.outer
rmdir /.outer
exec setpriv --bounding-set "-all,$CAPABILITIES" env -i container=bulwark TERM=dumb \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin /sbin/init </dev/console >/dev/console 2>&1
