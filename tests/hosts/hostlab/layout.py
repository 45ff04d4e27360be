# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where images, keys and running hosts live, and how two processes keep out of each other's way."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .recipe import HostError

# A Unix socket's path holds 107 bytes; the longest one below a host's folder is "/monitor.sock".
_SOCKET_LIMIT = 107


@dataclasses.dataclass(frozen=True)
class Layout:
    """Folders of one user's test hosts: `cache` outlives runs, `run` holds what is up now."""

    cache: Path
    run: Path

    @property
    def images(self) -> Path:
        """Finished images and the half-made ones (`.tmp-…`)."""
        return self.cache / "images"

    @property
    def key(self) -> Path:
        """Private key that logs in as root on every test host."""
        return self.cache / "ssh" / "id_ed25519"

    @property
    def ssh_config(self) -> Path:
        """The one ssh configuration for all hosts; its path never changes."""
        return self.run / "ssh_config"

    @property
    def control(self) -> Path:
        """Short folder for ssh's shared connections (a control path has little room)."""
        tag = hashlib.sha256(str(self.run).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"bulwark-{_caller()[0]}-{tag}"

    def host(self, name: str) -> Path:
        """Folder of the running host `name`."""
        path = self.run / name
        if len(str(path)) + len("/io/monitor.sock") > _SOCKET_LIMIT:
            raise HostError(f"BULWARK_RUN {str(self.run)!r}: too long for the sockets below it; choose a shorter path")
        return path

    def names(self) -> list[str]:
        """Names of the hosts that have a folder, running or left over."""
        if not self.run.is_dir():
            return []
        return sorted(p.name for p in self.run.iterdir() if p.is_dir() and not p.name.startswith("."))


def default_layout() -> Layout:
    """The layout of BULWARK_CACHE and BULWARK_RUN, or of the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = Path(os.environ.get("BULWARK_CACHE") or Path(base) / "bulwark-docker").absolute()
    run = Path(os.environ.get("BULWARK_RUN") or cache / "run").absolute()
    if set(str(cache) + str(run)) & set(':,"\\\n'):
        raise HostError(
            f"BULWARK_CACHE {str(cache)!r}: has a character that mount or QEMU would misread; choose another"
        )
    return Layout(cache, run)


def _caller() -> tuple[int, int]:
    """User and group ids of the person at the keyboard: under sudo, those of its caller."""
    if os.geteuid() == 0 and os.environ.get("SUDO_UID") and os.environ.get("SUDO_GID"):
        return int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
    return os.getuid(), os.getgid()


def give_to_caller(path: Path) -> None:
    """Make the person at the keyboard the owner of `path`."""
    if _caller() != (os.getuid(), os.getgid()):
        os.chown(path, *_caller(), follow_symlinks=False)


@contextlib.contextmanager
def locked(path: Path, timeout: float, what: str) -> Iterator[None]:
    """Hold the lock file `path`; wait at most `timeout` seconds for another process that has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise HostError(
                        f"{what}: another process has held {path} for {timeout:.0f} s; wait for it or end it"
                    ) from None
                time.sleep(0.1)
        yield
