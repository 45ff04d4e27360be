# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to a test host: the generated ssh configuration, waiting, running one command."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .layout import Layout, give_to_caller
from .recipe import HostError

_CONNECT = Path(__file__).parent / "connect.py"

_COMMON = """\
Host *
  User root
  IdentityFile "{key}"
  IdentitiesOnly yes
  BatchMode yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
  ConnectTimeout 60
  ServerAliveInterval 15
  ServerAliveCountMax 8
  ControlMaster auto
  ControlPersist 120
  ControlPath "{control}/%n"
"""


def write_config(layout: Layout) -> None:
    """Write the ssh configuration that all hosts share; each host adds its own file while it is up."""
    layout.run.mkdir(parents=True, exist_ok=True)
    layout.control.mkdir(mode=0o700, exist_ok=True)
    give_to_caller(layout.control)
    text = f'Include "{layout.run}/*/ssh.conf"\n' + shared_options(layout)
    if not layout.ssh_config.exists() or layout.ssh_config.read_text(encoding="utf-8") != text:
        draft = layout.ssh_config.with_suffix(".new")
        draft.write_text(text, encoding="utf-8")
        give_to_caller(draft)
        draft.replace(layout.ssh_config)


def shared_options(layout: Layout) -> str:
    """The ssh options that hold for every test host."""
    return _COMMON.format(key=layout.key, control=layout.control)


def container_entry(name: str, socket: Path) -> str:
    """The ssh configuration of a container: its sshd listens on a Unix socket."""
    proxy = f"{sys.executable} {_CONNECT} {socket}"
    return f"Host {name}\n  ProxyCommand {proxy}\n  ProxyUseFdpass yes\n"


def machine_entry(name: str, port: int) -> str:
    """The ssh configuration of a machine: its sshd is a port on loopback."""
    return f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n"


def ssh_command(config: Path, name: str) -> list[str]:
    """The ssh call for a host over a connection of its own (a shared one would keep our output pipe open)."""
    return ["ssh", "-F", str(config), "-o", "ControlMaster=no", "-o", "ControlPath=none", name]


def attempt(config: Path, name: str, command: str, *, limit: float, stdin: str = "") -> tuple[int, str]:
    """Run one command on a host; return its status (255 when there was no answer in `limit` seconds) and output."""
    try:
        done = subprocess.run(
            [*ssh_command(config, name), command],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 255, f"no answer within {limit:.0f} s"
    return done.returncode, done.stdout


def wait_for(
    config: Path,
    name: str,
    command: str,
    *,
    within: float,
    per_try: float,
    stdin: Callable[[], str] = str,
    still_there: Callable[[], bool],
) -> str:
    """Repeat a command on a host until it succeeds and return its output.

    Each try gets a new `stdin()` and at most `per_try` seconds. Raise HostError after `within` seconds, or when the
    host is no longer there.
    """
    deadline = time.monotonic() + within
    while True:
        status, output = attempt(config, name, command, limit=per_try, stdin=stdin())
        if status == 0:
            return output
        if not still_there():
            raise HostError(f"host {name}: ended while it started")
        if time.monotonic() > deadline:
            raise HostError(f"host {name}: did not start within {within:.0f} s; its last answer: {output}")
        time.sleep(0.1)
