# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of this scenario share: the stranger, the search for private keys, runs of the role."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "daemon_baseline"))

from findings import load, name_of

__all__ = [
    "BUNDLE",
    "ROTATED",
    "SERVER",
    "Asked",
    "ProcessWatch",
    "asked_so_far",
    "encrypted_key_texts",
    "knock",
    "load",
    "places_on_controller",
    "private_texts",
    "run_role",
    "search_host",
]

SCENARIO = Path(__file__).resolve().parent
SERVER = "/etc/docker/tls/current"
BUNDLE = "/root/.docker"
# What the long, watched run asks for, and every run after it: new leaves, a longer life, one more CA and name.
ROTATED = {
    "daemon_tls_lifetime_days": 200,
    "daemon_tls_renew_before_days": 100,
    "daemon_tls_server_names": ["added.example.org"],
    "daemon_tls_trusted_cas": ["docker", "second"],
}
PLAY_SECONDS = 900
LINE_BYTES = 48


class Asked(NamedTuple):
    """What a stranger counted."""

    attempts: int
    connections: int
    answers: int


def counted(text: str) -> Asked:
    rounds = [[int(word) for word in line.split()] for line in text.splitlines()]
    return Asked(*(sum(column) for column in zip(*rounds, strict=True)))


def asked_so_far(host: Any) -> Asked:
    """What the stranger counted who asks all the time."""
    assert host.service("stranger.service").is_running
    # A loss of power leaves zeros where a file was about to be written.
    return counted(host.check_output("tr -d '\\000' < /srv/proof/asked"))


def knock(host: Any, port: int, rounds: int = 3) -> Asked:
    """Ask now, as the stranger does."""
    path = f"/srv/proof/knocked-{port}"
    return counted(
        host.check_output(f"rm -f {path}; python3 /srv/proof/stranger.py {port} {rounds} {path} 0.2; cat {path}")
    )


def run_role(host: Any, *options: str) -> str:
    """Run the role once more over this host, as ansible-playbook does; returns the whole output."""
    inventory = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory"
    argv = ["ansible-playbook", "-i", str(inventory), "-l", name_of(host), "-e", json.dumps(ROTATED), *options]
    done = subprocess.run(
        [*argv, str(SCENARIO / "converge.yml")], capture_output=True, text=True, timeout=PLAY_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def private_texts(pem: str) -> list[str]:
    """Texts that only somebody who has this EC key can write: lines of its file, its number, the file in base64.

    Lines that hold nothing but the public half are left out, since a certificate may have the same ones.
    """
    key = serialization.load_pem_private_key(pem.encode(), None)
    number = key.private_numbers().private_value.to_bytes(key.key_size // 8, "big")
    lines = pem.strip().splitlines()[1:-1]
    start = base64.b64decode("".join(lines)).index(number)
    secret = lines[start // LINE_BYTES : (start + len(number) - 1) // LINE_BYTES + 1]
    middle = base64.b64encode(pem.encode()).decode()[120:200]
    found = [line for line in secret if len(line) >= 40]
    assert found
    return [*found, number.hex(), middle]


def encrypted_key_texts(pem: str) -> list[str]:
    """The lines of an encrypted key's file."""
    assert "ENCRYPTED" in pem
    found = [line for line in pem.splitlines() if len(line) >= 40 and not line.startswith("-")]
    assert found
    return found


def search_host(host: Any, texts: dict[str, list[str]], *roots: str) -> Any:
    """Search files and journal of a host; the texts go through a pipe, so that the search leaves none of them there."""
    argv = ["ssh", "-F", os.environ["BULWARK_SSH_CONFIG"], name_of(host), "python3", "/srv/proof/search.py", *roots]
    done = subprocess.run(argv, input=json.dumps(texts), stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    return json.loads(done.stdout)


def places_on_controller(texts: dict[str, list[str]]) -> tuple[int, dict[str, list[str]]]:
    """Search what this scenario keeps on the controller: its directory, the ephemeral one, Ansible's home."""
    homes = [Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]), SCENARIO]
    homes.append(Path(os.environ.get("ANSIBLE_HOME") or Path.home() / ".ansible"))
    # One of them may lie inside another.
    files = {path.resolve() for home in homes for path in home.rglob("*") if path.is_file() and not path.is_symlink()}
    hits: dict[str, list[str]] = {name: [] for name in texts}
    for path in files:
        data = path.read_bytes()
        for name, wanted in texts.items():
            if any(text.encode() in data for text in wanted):
                hits[name].append(path.name)
    return len(files), hits


class ProcessWatch:
    """Collects the arguments of all processes on the controller while it is entered."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue
