# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One supervising process for each host: starts it, watches its owner, and takes it down completely."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from . import container, image, machine, remote
from .layout import Layout
from .process import MARKER, alive, remove_tree, say, start_time
from .recipe import Host, HostError, parse_host

RECORD = "host.json"


def supervise(layout: Layout, name: str, owner: str | None) -> None:
    """Run one host until it ends, a signal asks for its end, or its owner is gone. `owner` is `PID:START` or None."""
    host = parse_host(name)
    folder = layout.host(name)
    stop_reader, stop_writer = os.pipe()
    os.set_blocking(stop_writer, False)
    signal.set_wakeup_fd(stop_writer)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)

    watched = [stop_reader]
    if owner is not None:
        pid, _colon, started = owner.partition(":")
        try:
            watched.append(os.pidfd_open(int(pid)))
        except ProcessLookupError:
            raise HostError(
                f"BULWARK_OWNER_PID {pid}: that process has ended; the host {name} is not started"
            ) from None
        if not alive(int(pid), started):
            raise HostError(f"BULWARK_OWNER_PID {pid}: is another process by now; the host {name} is not started")

    child, console, record = _start(layout, host, folder)
    try:
        record |= {"name": name, "supervisor": os.getpid(), "supervisor_start": start_time(os.getpid())}
        record |= {"child": child.pid, "since": time.time()}
        draft = folder / f"{RECORD}.new"
        draft.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        draft.replace(folder / RECORD)
        ended = _watch(child, console, folder / "console.log", watched)
    finally:
        child.kill()
        child.wait()
    clean(layout, name, keep_logs=ended)


def _start(layout: Layout, host: Host, folder: Path) -> tuple[subprocess.Popen[bytes], int | None, dict[str, object]]:
    """Start the host's process; return it, the console's file descriptor (containers) and what to remember."""
    (folder / "io").mkdir()
    if host.tier == "container":
        rootfs = image.rootfs_path(layout, host.suite)
        _hold(layout, rootfs)
        (folder / "data").mkdir()
        master, slave = pty.openpty()
        group = container.make_cgroup(folder)
        child = subprocess.Popen(
            container.command(group),
            env=container.environment(host, rootfs, folder, os.ttyname(slave)),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        entry = remote.container_entry(host.name, folder / "io" / "ssh.sock")
        record: dict[str, object] = {"image": rootfs.name}
        (folder / "ssh.conf").write_text(entry, encoding="utf-8")
        # The slave stays open here: without any opener the master would report the end of the console.
        return child, master, record

    accel = machine.accelerator(layout, image.rootfs_path(layout, host.suite) / "root")
    target = image.machine_path(layout, host.suite, accel)
    _hold(layout, target)
    machine.fresh_disk(target, folder / "disk.qcow2")
    port = machine.free_port()
    line = machine.command(target, folder / "disk.qcow2", folder, accel, port, restore=True)
    child = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *line],
        env={**os.environ, MARKER: str(folder)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    (folder / "ssh.conf").write_text(remote.machine_entry(host.name, port), encoding="utf-8")
    return child, None, {"image": target.name, "port": port, "accelerator": accel}


def _hold(layout: Layout, target: Path) -> None:
    """Keep a shared lock on an image for the life of this process, so that nobody removes it underneath."""
    descriptor = os.open(layout.images / f".lock-{target.name}", os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if not target.is_dir():
        raise HostError(f"image {target.name}: is missing; run `hosts.py image` for this host")


def _watch(child: subprocess.Popen[bytes], console: int | None, log: Path, watched: list[int]) -> bool:
    """Copy the console to its log until a `watched` descriptor says stop; return whether the host ended by itself."""
    ended = os.pidfd_open(child.pid)
    sources = [ended, *watched, *([] if console is None else [console])]
    with log.open("ab", buffering=0) as sink:
        while True:
            ready = select.select(sources, [], [])[0]
            if console in ready:
                sink.write(os.read(console, 65536))
            if ended in ready:
                say("the host has ended")
                return True
            if any(source in ready for source in watched):
                say("asked to stop" if watched[0] in ready else "its owner is gone")
                return False


def clean(layout: Layout, name: str, *, keep_logs: bool = False) -> None:
    """Remove what a dead host leaves: cgroup, shared ssh connection, disk, folder (unless its logs are to stay)."""
    folder = layout.host(name)
    _patiently(lambda: container.remove_cgroup(folder))
    (layout.control / name).unlink(missing_ok=True)
    if keep_logs:
        _patiently(lambda: remove_tree(folder / "data"))
        (folder / "disk.qcow2").unlink(missing_ok=True)
    else:
        _patiently(lambda: remove_tree(folder))


def _patiently(action: Callable[[], None]) -> None:
    """Repeat an action that fails while the kernel still buries the host's last processes."""
    for _attempt in range(50):
        try:
            action()
            return
        except OSError:
            time.sleep(0.1)
    action()
