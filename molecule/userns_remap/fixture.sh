#!/bin/sh
# Copyright (c) 2026, bulwark.docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# An engine with a past: images, volumes and containers of many kinds, and a user with ids that somebody wrote by hand.
set -eu
mkdir -p /srv/image/bin /srv/owned
cp /bin/busybox /srv/image/bin/sh
for name in cat id sleep touch; do ln -f /srv/image/bin/sh "/srv/image/bin/$name"; done
tar -C /srv/image -c . | docker import - local/busybox:1
docker tag local/busybox:1 local/alias:1
for number in 1 2; do
    made=$(docker create "local/$([ "$number" = 1 ] && echo busybox || echo app):1" true)
    echo "layer $number" >"/srv/layer$number"
    docker cp "/srv/layer$number" "$made:/layer$number"
    docker commit "$made" "local/app:$number"
    docker rm "$made"
done
tar -C /srv -c layer1 | docker import -

docker volume create --label purpose=test data
docker volume create empty
docker volume create --opt type=tmpfs --opt device=tmpfs scratch
python3 - "$(docker volume inspect --format '{{.Mountpoint}}' data)" <<'PROGRAM'
import os, struct, sys
os.chdir(sys.argv[1])
os.chmod(".", 0o2775)
os.chown(".", 0, 33)
os.makedirs("deep/er", 0o750)
for name, owner, mode, content in (
    ("of-root", (0, 0), 0o600, b"secret\n"),
    ("of-a-user", (1000, 1000), 0o644, b"hello\n" * 1000),
    ("of-nobody", (65534, 65534), 0o400, b""),
    ("program", (0, 0), 0o4755, b"#!/bin/sh\n"),
    ("deep/er/name with\nend", (33, 33), 0o640, b"\0" * 5 + b"x"),
):
    with open(name, "wb") as stream:
        stream.write(content)
    os.chown(name, *owner)
    os.chmod(name, mode)
with open("sparse", "wb") as stream:
    stream.seek(8 << 20)
    stream.write(b"end")
os.link("of-root", "deep/same-as-of-root")
os.symlink("../of-root", "deep/link")
os.lchown("deep/link", 1000, 33)
os.mkfifo("pipe")
os.mknod("device", 0o20600, os.makedev(1, 3))
os.setxattr("of-a-user", "user.note", b"kept")
capability = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
os.setxattr("program", "security.capability", capability)
entries = ((1, 6, 2**32 - 1), (2, 4, 1000), (4, 0, 2**32 - 1), (8, 6, 33), (16, 6, 2**32 - 1), (32, 0, 2**32 - 1))
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr("of-nobody", "system.posix_acl_access", acl)
PROGRAM

docker create --name plain --volume data:/data --volume /anonymous local/app:2 sleep 1
docker create --name agent --privileged local/app:2 sleep 1
docker create --name neighbour --network host local/app:2 sleep 1
docker create --name writer --volume /srv/owned:/owned local/app:2 sleep 1
docker create --name reader --volume /srv/owned:/owned:ro local/app:2 sleep 1
docker create --name insider --privileged --userns host --pid host local/app:2 sleep 1
docker run --detach --name service local/busybox:1 sleep 86400

useradd --system --no-create-home alice
echo "# by hand
alice:100000:65536" >>/etc/subuid
echo "alice:100000:65536" >>/etc/subgid
