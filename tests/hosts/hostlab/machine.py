# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine tier: QEMU with the suite's stock kernel, restored from a snapshot."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from . import recipe
from .layout import Layout
from .process import run, say
from .recipe import HostError

_TRIAL_SECONDS = 15
_MONITOR_SECONDS = 180


def qemu_version() -> str:
    """QEMU's own version line."""
    return run(["qemu-system-x86_64", "--version"], what="machine tier").splitlines()[0]


def processor() -> str:
    """The outer machine's processor: a snapshot under KVM fits that model only."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    match = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return match[1] if match else platform.machine()


def copy_kernel(root: Path, work: Path) -> None:
    """Copy the newest kernel of a root file system and its initrd to `work`."""
    kernels = sorted((root / "boot").glob("vmlinuz-*"), key=lambda p: [int(n) for n in re.findall(r"\d+", p.name)])
    if not kernels:
        raise HostError(f"root file system {root}: has no kernel in /boot; remove it and build it again")
    shutil.copyfile(kernels[-1], work / "vmlinuz")
    shutil.copyfile(root / "boot" / kernels[-1].name.replace("vmlinuz", "initrd.img"), work / "initrd")


def accelerator(layout: Layout, root: Path) -> str:
    """`kvm` when this kernel really boots under it here, else `tcg`. A trial is short and its result is kept."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    kernels = sorted(path.name for path in (root / "boot").glob("vmlinuz-*"))
    key = recipe.digest([kernels, qemu_version(), processor(), platform.release(), recipe.qemu_arguments("kvm")])
    record = layout.cache / "kvm" / f"{key}.json"
    if not record.exists():
        work = layout.cache / "kvm" / f"{key}.{os.getpid()}"
        work.mkdir(parents=True)
        try:
            copy_kernel(root, work)
            works = _kvm_trial(work)
        finally:
            shutil.rmtree(work)
        say(f"KVM trial with {kernels[-1]}: {'works' if works else 'does not boot, software emulation it is'}")
        record.write_text(json.dumps({"works": works}), encoding="utf-8")
    return "kvm" if json.loads(record.read_text(encoding="utf-8"))["works"] else "tcg"


def _kvm_trial(work: Path) -> bool:
    """Whether the kernel in `work` reaches its first program within a few seconds."""
    console = work / "console.log"
    command = [
        *("qemu-system-x86_64", *recipe.qemu_arguments("kvm"), "-no-reboot", "-serial", f"file:{console}"),
        *("-kernel", str(work / "vmlinuz"), "-initrd", str(work / "initrd")),
        *("-append", "console=ttyS0 panic=-1 rdinit=/bin/sh"),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as vm:
        deadline = time.monotonic() + _TRIAL_SECONDS
        works = False
        while not works and vm.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
            works = console.exists() and b"Run /bin/sh as init process" in console.read_bytes()
        vm.kill()
    return works


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(image: Path, disk: Path, folder: Path, accel: str, port: int, *, restore: bool) -> list[str]:
    """QEMU's full command line for the machine whose sockets and logs are in `folder`."""
    return [
        "qemu-system-x86_64",
        *recipe.qemu_arguments(accel),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd"), "-append", recipe.KERNEL_ARGUMENTS),
        *recipe.qemu_devices(str(disk), port),
        *("-serial", f"file:{folder / 'console.log'}"),
        *("-monitor", f"unix:{folder / 'monitor.sock'},server=on,wait=off"),
        *(("-loadvm", recipe.SNAPSHOT) if restore else ()),
    ]


def fresh_disk(image: Path, target: Path) -> None:
    """Copy the snapshot's disk (only its written parts) and point it at this image's base."""
    run(["cp", "--sparse=always", "--reflink=auto", image / "snap.qcow2", target], what="machine disk")
    # The image was built under another name, and the whole cache may have moved since.
    command = ["qemu-img", "rebase", "-q", "-u", "-F", "raw", "-b", image / "gold.raw", target]
    run(command, what="machine disk")


def console_tail(path: Path) -> str:
    """The last 40 lines that a host wrote to its console."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(none)"
    return "\n".join(text.splitlines()[-40:]) or "(none)"


def monitor(path: Path, line: str) -> str:
    """Send one line to QEMU's monitor and return its answer."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(_MONITOR_SECONDS)
        channel.connect(str(path))
        _until_prompt(channel)
        channel.sendall(line.encode() + b"\n")
        return _until_prompt(channel)


def _until_prompt(channel: socket.socket) -> str:
    data = b""
    while not data.rstrip().endswith(b"(qemu)"):
        piece = channel.recv(65536)
        if not piece:
            raise HostError("QEMU's monitor: closed before it answered; look at console.log")
        data += piece
    return data.decode(errors="replace")
