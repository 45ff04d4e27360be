#!/bin/sh
# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Faults that a search for words in files, or a comparison of modes as decimal numbers, passes over.
set -eu
mkdir -p /srv/image/bin
cp /bin/busybox /srv/image/bin/sleep
tar -C /srv/image -c . | docker import - local/sleep >/dev/null
docker run --detach --name survivor local/sleep /bin/sleep 86400 >/dev/null

# A member of the group by its main group alone, and an engine of that user's own that never ran.
useradd --create-home --gid docker eve
install -d -o eve /home/eve/.config /home/eve/.config/docker /home/eve/.config/systemd /home/eve/.config/systemd/user
echo '{"insecure-registries": ["registry.example:5000"]}' >/home/eve/.config/docker/daemon.json
chown eve /home/eve/.config/docker/daemon.json
chmod 0666 /home/eve/.config/docker/daemon.json
printf '[Service]\nExecStart=/usr/bin/dockerd-rootless.sh\n' >/home/eve/.config/systemd/user/docker.service
printf 'eve:200000:65536\nfrank:265000:65536\n' >>/etc/subuid

# A certificate that ends soon, its key for everybody.
mkdir -p /etc/docker/tls /etc/docker/certs.d/registry.example
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj /CN=bad -keyout /etc/docker/tls/key.pem \
  -out /etc/docker/tls/cert.pem 2>/dev/null
cp /etc/docker/tls/cert.pem /etc/docker/tls/ca.pem
chmod 0404 /etc/docker/tls/key.pem
chown eve /etc/docker/tls/ca.pem
cp /etc/docker/tls/key.pem /etc/docker/certs.d/registry.example/client.key
chmod 0404 /etc/docker/certs.d/registry.example/client.key

# The file that everybody looks at is a link into a user's home. While containers live on, icc stays as it was; what is
# written behind the start waits for the next one.
echo '{}' >/etc/docker/seccomp.json
cat >/home/eve/daemon.json <<'END'
{
  "live-restore": true,
  "icc": false,
  "debug": true,
  "log-driver": "none",
  "seccomp-profile": "/etc/docker/seccomp.json",
  "insecure-registries": ["0.0.0.0/0"],
  "tlscacert": "/etc/docker/tls/ca.pem",
  "tlscert": "/etc/docker/tls/cert.pem",
  "tlskey": "/etc/docker/tls/key.pem"
}
END
chown eve /home/eve
ln -sf /home/eve/daemon.json /etc/docker/daemon.json
echo 'DOCKER_OPTS="--no-new-privileges=false -H unix:///run/open.sock"' >/etc/default/docker
mkdir -p /etc/systemd/system/docker.socket.d
printf '[Socket]\nListenStream=127.0.0.1:2375\n' >/etc/systemd/system/docker.socket.d/port.conf
systemctl daemon-reload
systemctl stop docker.socket docker.service
systemctl start docker.socket docker.service
chmod 0666 /run/open.sock
sed -i 's/"icc"/"userland-proxy": false,\n  "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 1024}},\n  "icc"/' \
  /home/eve/daemon.json

# As decimal numbers these are within 644, 755 and 660.
chmod 0622 /home/eve/daemon.json
chmod 0622 "$(systemctl show docker.service --property=FragmentPath --value)"
chmod 0577 /etc/systemd/system/docker.socket.d/port.conf
chmod 0722 /etc/docker
chmod 0577 /etc/default/docker
chmod 0606 /run/docker.sock
chgrp daemon /run/docker.sock
chmod 0602 /run/containerd/containerd.sock

# A scanner that reads the engine's data, as far as one can tell.
printf '#!/bin/sh\n' >/usr/local/sbin/clamd
chmod 0755 /usr/local/sbin/clamd
mkdir -p /etc/clamav
echo 'ExcludePath ^/proc/' >/etc/clamav/clamd.conf
