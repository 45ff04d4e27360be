# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of four hosts and a name that nobody answers to, and the playbooks of the built collection."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from ansible_collections.bulwark.docker.tests.artefact.install import build, install

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO.parent / "inventory"
NAMES = [entry["name"] for entry in yaml.safe_load((SCENARIO / "molecule.yml").read_text("utf-8"))["platforms"]]
GONE = "gone-container"
PLAY_SECONDS = 300
RECAP = re.compile(
    r"^(\S+)\s*: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)\s+skipped=\d+\s+rescued=(\d+)", re.MULTILINE
)
# Roles that no test here is about; what is left writes settings and restarts the engine.
LEFT_OUT = {f"bulwark_{role}": False for role in ("antivirus_exclusions", "apparmor", "auditd", "seccomp")}
# Not by the playbook that is tested, and in less time. One restart, and none where nothing was written.
RESET = (
    "if test -e /etc/docker/daemon.json || test -e /var/lib/bulwark-docker; then rm -rf /etc/docker/daemon.json "
    "/etc/docker/seccomp /var/lib/bulwark-docker && systemctl restart docker.service; fi "
    "&& docker version > /dev/null && echo as it came"
)
IMAGE = (
    "test -e /srv/image || { mkdir -p /srv/image/bin && cp /bin/busybox /srv/image/bin/sleep && "
    "tar -C /srv/image -c . | docker import - local/busybox; }"
)


class Count(NamedTuple):
    """What the last lines of a run say about a host."""

    changed: int
    unreachable: int
    failed: int
    rescued: int


class Run(NamedTuple):
    """A run of a playbook."""

    status: int
    text: str
    hosts: dict[str, Count]

    def failed(self) -> list[str]:
        """Names of the hosts that failed, in their order."""
        return [name for name, count in self.hosts.items() if count.failed]


class Fleet:
    """The hosts over ssh, and playbooks on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The recap is read; colours would stand between its words.
        self.environ = {**install(build(folder), folder), "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
        self.inventory = folder / "inventory"
        self.inventory.mkdir()
        for name in ("group_vars", "kinds.yml"):
            (self.inventory / name).symlink_to(INVENTORY / name)
        self.describe({})

    def describe(self, variables: dict[str, dict[str, Any]]) -> None:
        """Write the inventory, with variables for some of its hosts."""
        # Nothing listens on that port.
        hosts = {**{name: {} for name in NAMES}, GONE: {"ansible_host": "127.0.0.1", "ansible_port": 1}}
        hosts = {name: {**values, **variables.get(name, {})} for name, values in hosts.items()}
        document = {"all": {"hosts": hosts, "vars": variables.get("all", {})}}
        (self.inventory / "hosts.yml").write_text(yaml.safe_dump(document), "utf-8")

    def command(self, name: str, names: Sequence[str], *options: str, **variables: Any) -> list[str]:
        """The command line that runs a playbook on some hosts."""
        values = {"bulwark_hosts": ":".join(names), "engine_start_deadline": 20, **variables}
        argv = ["ansible-playbook", "-i", str(self.inventory), "-e", json.dumps(values)]
        return [*argv, *options, f"bulwark.docker.{name}"]

    def play(self, name: str, names: Sequence[str], *options: str, **variables: Any) -> Run:
        """Run a playbook of the built collection to its end."""
        argv = self.command(name, names, *options, **variables)
        done = subprocess.run(
            argv, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=PLAY_SECONDS, check=False
        )
        recap = {host: Count(*map(int, counts)) for host, *counts in RECAP.findall(done.stdout)}
        return Run(done.returncode, done.stdout + done.stderr, recap)

    def harden(self, names: Sequence[str], *options: str, **variables: Any) -> Run:
        """Harden some hosts with the role daemon_baseline alone."""
        return self.play("harden", names, *options, **{**LEFT_OUT, **variables})

    def run(self, name: str, command: str) -> str:
        """Run a shell command on a host and return what it prints, whatever its status is."""
        argv = ["ssh", "-F", os.environ["BULWARK_SSH_CONFIG"], name, command]
        return subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=120, check=False).stdout.strip()

    def starts(self, names: Sequence[str]) -> dict[str, int]:
        """How often each engine has been started."""
        ask = "journalctl --sync; journalctl --unit=docker.service --output=cat --no-pager | grep -c 'Starting up'"
        return {name: int(self.run(name, ask)) for name in names}

    def is_hardened(self, name: str) -> bool:
        """Whether the engine itself shows settings of the role."""
        return self.run(name, "docker info --format '{{.LiveRestoreEnabled}}'") == "true"

    def break_engine(self, name: str) -> None:
        """Let the engine be down, and not start any more."""
        self.run(
            name,
            "mkdir -p /etc/systemd/system/docker.service.d; systemctl stop docker.socket docker.service; "
            "printf '[Service]\\nExecStartPre=/bin/false\\n' > /etc/systemd/system/docker.service.d/broken.conf; "
            "systemctl daemon-reload; systemctl start docker.service",
        )

    def mend_engine(self, name: str) -> None:
        """Let the engine start again."""
        self.run(
            name,
            "rm -f /etc/systemd/system/docker.service.d/broken.conf; systemctl daemon-reload; "
            "systemctl reset-failed docker.service docker.socket; systemctl start docker.socket docker.service",
        )

    def start_container(self, name: str) -> None:
        """Start the container web."""
        self.run(name, f"{IMAGE}; docker rm -f web; docker run -d --name web local/busybox sleep 86400")


@pytest.fixture(scope="session")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Any:
    """The fleet, with nobody hardened before; afterwards each engine is as it came."""
    yield shared_fleet
    shared_fleet.describe({})
    with ThreadPoolExecutor(len(NAMES)) as pool:
        assert set(pool.map(lambda name: shared_fleet.run(name, RESET), NAMES)) == {"as it came"}
