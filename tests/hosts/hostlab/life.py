# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing hosts up and down, and telling what is there."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import container, image, machine, remote
from .layout import Layout, locked
from .process import alive, marked, say, start_time, stop
from .recipe import SUITES, Host, HostError, Suite, parse_host
from .supervisor import RECORD, clean

_PROGRAM = Path(__file__).parent.parent / "hosts.py"
_STOP_SECONDS = 30
_START_SECONDS = 240

# Runs on a host that is starting, in its Python 3; succeeds and prints the engine's version when all is ready. A
# restored machine (clock given) still lives in its snapshot's time, name and random state.
_READY = """\
import fcntl, http.client, json, socket, subprocess, sys, time
clock, name, seed = CLOCK, NAME, SEED
if clock is not None:
    # The hardware clock follows the outer machine; what we were told is as old as the log-in took.
    hardware = float(open("/sys/class/rtc/rtc0/since_epoch").read())
    time.clock_settime(time.CLOCK_REALTIME, max(clock, hardware))
    with open("/dev/urandom", "r+b", buffering=0) as pool:
        pool.write(bytes.fromhex(seed))
        fcntl.ioctl(pool, 0x5207)
    subprocess.check_call(["hostname", name])
    open("/etc/hostname", "w").write(name + "\\n")
    hosts = open("/etc/hosts").read()
    open("/etc/hosts", "w").write(hosts.split("127.0.1.1")[0] + "127.0.1.1 " + name + "\\n")
state = subprocess.run(["systemctl", "is-system-running", "--wait"], stdout=subprocess.PIPE).stdout.decode().strip()
if state != "running":
    subprocess.call(["systemctl", "list-units", "--failed", "--no-legend", "--no-pager"])
    sys.exit("system is " + (state or "not yet answering"))
engine = http.client.HTTPConnection("localhost")
engine.sock = socket.socket(socket.AF_UNIX)
engine.sock.connect("/run/docker.sock")
engine.request("GET", "/version")
print(json.load(engine.getresponse())["Version"])
"""


def record(layout: Layout, name: str) -> dict[str, object] | None:
    """What the supervisor of host `name` wrote, or None."""
    try:
        return dict(json.loads((layout.host(name) / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def is_up(layout: Layout, name: str) -> bool:
    """Whether the supervisor of host `name` runs."""
    known = record(layout, name)
    return known is not None and alive(int(str(known["supervisor"])), str(known["supervisor_start"]))


def owner() -> str | None:
    """`PID:START` of the process in BULWARK_OWNER_PID, whose end takes the hosts down; None when unset."""
    text = os.environ.get("BULWARK_OWNER_PID", "")
    if not text:
        return None
    began = start_time(int(text)) if text.isdigit() else None
    if began is None:
        raise HostError(f"BULWARK_OWNER_PID {text!r}: no such process; unset it or give a running one's id")
    return f"{text}:{began}"


def up(layout: Layout, names: list[str], *, replace: bool) -> None:
    """Bring hosts up, several at a time; when one fails, all that this call started go down again."""
    hosts = [parse_host(name) for name in names]
    watched = owner()
    for host in hosts:
        if is_up(layout, host.name) and not replace:
            raise HostError(f"host {host.name}: is up already; take it down or add --replace for a fresh one")
    if any(host.tier == "container" for host in hosts):
        container.check_outer_machine()
    remote.write_config(layout)
    ensure_images(layout, hosts)
    started: list[str] = []

    def one(host: Host) -> None:
        with locked(layout.run / f".lock-{host.name}", 120, f"host {host.name}"):
            if is_up(layout, host.name) and not replace:
                raise HostError(f"host {host.name}: is up already; take it down or add --replace for a fresh one")
            _down(layout, host.name)
            started.append(host.name)
            _up(layout, host, watched)

    pool = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2))
    try:
        errors = [job.exception() for job in [pool.submit(one, host) for host in hosts]]
        failures = [error for error in errors if error is not None]
        if failures:
            raise HostError("\n".join(str(error) for error in failures)) from failures[0]
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for name in started:
            _down(layout, name)
        raise


def ensure_images(layout: Layout, hosts: list[Host], *, rebuild: bool = False) -> list[Path]:
    """Return the images of hosts, building those that are missing (two at a time: each keeps a core busy)."""
    wanted = sorted({(host.tier, host.suite.name) for host in hosts})

    def one(tier: str, suite: Suite) -> Path:
        if tier == "container":
            return image.rootfs(layout, suite, rebuild=rebuild)
        return image.machine_image(layout, suite, rebuild=rebuild)

    # Not as a context: after Ctrl-C nobody should wait for the other build, which dies with this process.
    pool = ThreadPoolExecutor(max_workers=2)
    try:
        return [job.result() for job in [pool.submit(one, tier, SUITES[name]) for tier, name in wanted]]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _up(layout: Layout, host: Host, watched: str | None) -> None:
    began = time.monotonic()
    folder = layout.host(host.name)
    folder.mkdir(parents=True)
    arguments = [sys.executable, str(_PROGRAM), "_supervise", host.name, *([watched] if watched else [])]
    with (folder / "supervisor.log").open("wb") as log:
        keeper = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "BULWARK_CACHE": str(layout.cache), "BULWARK_RUN": str(layout.run)},
        )
    console, keeper_log = folder / "console.log", folder / "supervisor.log"
    try:
        while record(layout, host.name) is None:
            if keeper.poll() is not None:
                raise HostError(f"host {host.name}: its supervisor ended at once")
            time.sleep(0.05)

        def there() -> bool:
            return keeper.poll() is None

        def script() -> str:
            clock = repr(time.time()) if host.tier == "machine" else "None"
            text = _READY.replace("CLOCK", clock, 1).replace("NAME", repr(host.hostname), 1)
            return text.replace("SEED", repr(secrets.token_hex(64)), 1)

        version = remote.wait_for(
            layout.ssh_config,
            host.name,
            "python3 -",
            within=_START_SECONDS,
            per_try=120,
            stdin=script,
            still_there=there,
        ).strip()
    except HostError as error:
        said = machine.console_tail(keeper_log)
        raise HostError(f"{error}\nsupervisor:\n{said}\nconsole:\n{machine.console_tail(console)}") from error
    say(f"{host.name}: up in {time.monotonic() - began:.1f} s, engine {version}")


def down(layout: Layout, names: list[str]) -> None:
    """Take hosts down and make sure that nothing of them is left."""
    errors = []
    with ThreadPoolExecutor(max_workers=8) as pool:
        jobs = [pool.submit(_down_locked, layout, name) for name in names]
    for job in jobs:
        if job.exception() is not None:
            errors.append(str(job.exception()))
    if errors:
        raise HostError("\n".join(errors))


def _down_locked(layout: Layout, name: str) -> None:
    with locked(layout.run / f".lock-{name}", 120, f"host {name}"):
        if _down(layout, name):
            say(f"{name}: down")


def _down(layout: Layout, name: str) -> bool:
    """Take one host down, whatever state it is in; return whether there was anything."""
    folder = layout.host(name)
    known = record(layout, name)
    existed = folder.exists()
    if known is not None:
        stop(int(str(known["supervisor"])), str(known["supervisor_start"]), patience=_STOP_SECONDS)
    # A supervisor killed before it wrote its record, or processes that outlived a killed one.
    for pid in marked(folder):
        began = start_time(pid)
        if began is not None:
            stop(pid, began, patience=_STOP_SECONDS)
    clean(layout, name)
    left = [pid for pid in marked(folder) if start_time(pid) is not None]
    if left or str(folder) in Path("/proc/self/mountinfo").read_text(encoding="utf-8"):
        raise HostError(f"host {name}: still has processes {left} or mounts below {folder}; end them and try again")
    return existed


def table(layout: Layout) -> list[tuple[str, str, str]]:
    """(name, state, details) of each host that is up or left over."""
    rows = []
    for name in layout.names():
        known = record(layout, name)
        if known is None or not is_up(layout, name):
            rows.append((name, "left over", "clean up with `hosts.py down`"))
        else:
            minutes = (time.time() - float(str(known["since"]))) / 60
            rows.append((name, "up", f"{known['image']}, {minutes:.0f} min, supervisor {known['supervisor']}"))
    return rows
