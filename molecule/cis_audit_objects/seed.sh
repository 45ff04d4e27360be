#!/bin/sh
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes images and containers with one fault each, named after it, and some without.
set -eu
root=/srv/objects
mkdir -p "$root/image/bin" "$root/image/etc" "$root/data" "$root/shared" "$root/build"
cp /bin/busybox "$root/image/bin/sh"
cp /bin/busybox "$root/image/bin/sleep"
cp /bin/busybox "$root/image/bin/true"
printf '#!/bin/sh\n' >"$root/image/bin/apt-get"
chmod 0755 "$root/image/bin/apt-get"
printf 'root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n' >"$root/image/etc/passwd"
tar -C "$root/image" -c . | docker import -c 'CMD ["/bin/sleep", "100000"]' - plain:1 >/dev/null
echo content >"$root/build/file"
cat >"$root/build/bad" <<'END'
FROM plain:1
ENV DB_PASSWORD=hunter2
RUN apt-get update
ADD file /file
END
cat >"$root/build/good" <<'END'
FROM plain:1
ENV PASSWORD_FILE=/run/secrets/db
RUN apt-get update && apt-get install -y nothing
COPY file /file
HEALTHCHECK CMD true
USER 1000
END
# The classic builder needs no plugin; newer clients only warn about it.
for name in bad good; do
  DOCKER_BUILDKIT=0 docker build -q -t "$name:1" -f "$root/build/$name" "$root/build" >/dev/null 2>&1
done
docker network create apart >/dev/null
ln -sfn /etc "$root/link"
docker volume create -d local -o type=none -o o=bind -o device=/etc hidden >/dev/null
mountpoint -q "$root/shared" || mount --bind "$root/shared" "$root/shared"
mount --make-shared "$root/shared"
echo '{}' >"$root/empty.json"

limits="--memory 64m --cpu-shares 512 --pids-limit 50 --restart on-failure:3"
health="--health-cmd true --health-interval 1h"
gain="--security-opt no-new-privileges"
user="--user 1000:1000"
network="--network apart"
common="--cap-drop ALL --read-only $limits"
careful="$common $health $gain"

verb="run -d"
# Words of these variables are meant to be split.
# shellcheck disable=SC2086
run() {
  name=$1
  shift
  docker $verb --name "$name" "$@" >/dev/null
}
# shellcheck disable=SC2086
{
  run careful $careful $user $network -v "$root/data:/data:ro" -v /etc/ssl/certs:/certs:ro --device /dev/full \
    -p 127.0.0.1:8100:80 good:1
  run root $careful $network plain:1
  run other-root $careful --user toor $network plain:1
  run capability $careful $user $network --cap-add SYS_ADMIN plain:1
  run privileged $careful $user $network --privileged plain:1
  run mount-link $careful $user $network -v "$root/link:/data:ro" plain:1
  run mount-volume $careful $user $network -v hidden:/data:ro plain:1
  run mount-run $careful $user $network -v /run:/data plain:1
  run mount-socket $careful $user $network -v /var/run/docker.sock:/socket plain:1
  run ssh $careful $user $network plain:1 sh -c 'echo sshd >/proc/self/comm; while true; do sleep 1000; done'
  run low-port $careful $user $network -p 127.0.0.1:81:80 plain:1
  run all-addresses $careful $user $network -p 8101:80 plain:1
  run host-network $careful $user --network host plain:1
  run through-network $careful $user --network container:host-network plain:1
  run host-pid $careful $user $network --pid host plain:1
  run host-ipc $careful $user $network --ipc host plain:1
  run host-uts $careful $user $network --uts host plain:1
  run host-users $careful $user $network --userns host plain:1
  run host-cgroups $careful $user $network --cgroupns host plain:1
  run writable $limits --cap-drop ALL $health $gain $user $network plain:1
  run restart $careful $user $network --restart unless-stopped plain:1
  run device $careful $user $network --device /dev/tty plain:1
  run propagation $careful $user $network -v "$root/shared:/data:shared" plain:1
  run seccomp-off $careful $user $network --security-opt seccomp=unconfined plain:1
  run seccomp-empty $careful $user $network --security-opt "seccomp=$root/empty.json" plain:1
  run cgroup $careful $user $network --cgroup-parent odd.slice plain:1
  run gains $common $health $user $network plain:1
  run no-health $common $gain $user $network plain:1
  run default-network $careful $user plain:1
  run system-paths $careful $user $network --security-opt systempaths=unconfined plain:1
  run command $careful $user $network plain:1
  docker tag plain:1 moving:1
  run old-image $careful $user $network moving:1
  docker tag good:1 moving:1
  verb=create
  run idle $careful $user $network -v "$root/data:/data:ro" plain:1
  run idle-gains $common $health $user $network plain:1
  run idle-every-port $careful $user $network --expose 80 -P plain:1
}
docker exec -d --user 0 command sleep 100000
