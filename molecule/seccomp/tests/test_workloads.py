# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ordinary programs of the distribution do their work in containers under the hardened profile.

The engine of this host gives it to every container. Attacks on such a container are refused, see the other tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "daemon_baseline"))

from findings import name_of

WORKER = "debian13-container"
RUN = "docker run -v /usr:/usr:ro -v /etc:/etc:ro --tmpfs /tmp:mode=1777,exec --tmpfs /run --tmpfs /var:exec"
POSTGRES = (
    "mkdir /tmp/db && b=$(ls -d /usr/lib/postgresql/*/bin) && $b/initdb -D /tmp/db -A trust >/tmp/log "
    "&& exec $b/postgres -D /tmp/db -k /tmp"
)
NGINX = (
    "mkdir -p /var/log/nginx /var/lib/nginx /var/www/html && echo hello >/var/www/html/index.html "
    '&& exec nginx -g "daemon off;"'
)
# A whole package manager: its lists, a download, a check of digests, an installation with its scripts left out.
APT = """set -e
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial /var/lib/dpkg/info /var/lib/dpkg/updates
touch /var/lib/dpkg/status
apt-get -qq update
cd /tmp && apt-get -qq -o APT::Sandbox::User=root download acl
mkdir -p /tmp/root && dpkg --root=/tmp/root --force-depends --unpack acl_*.deb >/dev/null
/tmp/root/usr/bin/getfacl --version"""
ASK = """import sys, time, urllib.request as u
for n in range(100):
    try:
        print(u.urlopen(sys.argv[1]).status); break
    except OSError:
        time.sleep(0.2)
"""


@pytest.fixture
def container(host):
    """Start a container and give its name and address; it is removed at the end."""
    made = []

    def start(command, options=""):
        assert (
            host.check_output("docker info --format '{{.SecurityOptions}}'").count("/etc/docker/seccomp/default-") == 1
        )
        name = host.check_output(f"{RUN} -d {options} local/host {command}")
        made.append(name)
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return name, host.check_output(f"docker inspect --format '{form}' {name}")

    yield start
    for name in made:
        host.check_output(f"docker rm -f {name}")


def is_worker(host):
    return name_of(host) == WORKER


def served(host, address, port):
    return host.check_output(f"python3 -c '{ASK}' http://{address}:{port}/")


def test_python_web_server(host, container):
    if is_worker(host):
        name, address = container("python3 -m http.server 8000 --directory /usr/share")
        assert served(host, address, 8000) == "200"
        assert "Seccomp:\t2" in host.check_output(f"docker exec {name} cat /proc/1/status")


def test_nginx(host, container):
    if is_worker(host):
        name, address = container(f"sh -c '{NGINX}'")
        assert served(host, address, 80) == "200"
        assert host.check_output(f"docker exec {name} cat /proc/1/comm") == "nginx"


def test_postgresql(host, container):
    if is_worker(host):
        user = host.check_output("id -u postgres")
        name, _address = container(f"sh -c '{POSTGRES}'", f"--user {user}")
        ask = f"docker exec {name} psql -h /tmp -At postgres -c"
        host.check_output(
            f"for n in $(seq 100); do {ask} 'select 1' >/dev/null 2>&1 && exit 0; sleep 0.2; done; exit 1"
        )
        host.check_output(f"{ask} 'create table t as select generate_series(1, 5000) as n' -c 'vacuum analyze t'")
        assert host.check_output(f"{ask} 'select sum(n) from t'") == "12502500"


def test_package_manager(host):
    if is_worker(host):
        said = host.check_output(
            f"{RUN} -v /opt/bulwark-repo:/opt/bulwark-repo:ro --rm --network none local/host sh -c '{APT}'"
        )
        assert said.startswith("getfacl ")


def test_busybox(host):
    if is_worker(host):
        script = (
            "cd /tmp && echo one >a && /busybox tar -cf b a && /busybox rm a && /busybox tar -xf b && /busybox cat a"
        )
        assert host.check_output(f"{RUN} --rm --network none local/host /busybox sh -c '{script}'") == "one"
