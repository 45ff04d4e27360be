# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a machine's disk with a snapshot of its running system. This file is part of the cache key."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from . import machine, recipe, remote
from .layout import Layout
from .process import run, say
from .recipe import HostError

_FIRST_BOOT_SECONDS = 900
_PROOF_SECONDS = 600
_QUIT_SECONDS = 120

# Run on the machine before its snapshot is taken: it must be a good one.
_PROOF = "systemctl is-system-running --wait && docker version --format '{{.Server.Version}}' && sync"


def make(layout: Layout, base: Path, work: Path, accelerator: str) -> None:
    """Make kernel, disk, snapshot and `info.json` in `work` from the root file system in `base`."""
    name = work.name.removeprefix(".tmp-")
    machine.copy_kernel(base / "root", work)
    say(f"{name}: making its disk")
    with (work / "gold.raw").open("wb") as disk:
        disk.truncate(int(recipe.MACHINE_DISK.removesuffix("G")) << 30)
    disk_options = ["-L", "bulwark", "-d", base / "root", work / "gold.raw"]
    run(["mkfs.ext4", "-q", "-F", *disk_options], what=f"image {name}: mkfs.ext4")
    overlay = ["-f", "qcow2", "-F", "raw", "-b", work / "gold.raw", work / "snap.qcow2"]
    run(["qemu-img", "create", "-q", *overlay], what=f"image {name}: overlay")
    say(f"{name}: first boot under {accelerator} (about a minute)")
    _first_boot(layout, work, accelerator)
    info = {"accelerator": accelerator, "qemu": machine.qemu_version(), "rootfs": base.name}
    (work / "info.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")


def _first_boot(layout: Layout, work: Path, accel: str) -> None:
    """Boot a new disk once, prove that the engine answers, and save the running state in the disk."""
    port = machine.free_port()
    name = "first-boot"
    config = work / "ssh_config"
    config.write_text(remote.machine_entry(name, port) + remote.shared_options(layout), encoding="utf-8")
    line = machine.command(work, work / "snap.qcow2", work, accel, port, restore=False)
    with (work / "qemu.log").open("wb") as log:
        vm = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *line], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        remote.wait_for(
            config, name, "true", within=_FIRST_BOOT_SECONDS, per_try=15, still_there=lambda: vm.poll() is None
        )
        say(f"{work.name.removeprefix('.tmp-')}: logged in, waiting for the engine")
        remote.wait_for(config, name, _PROOF, within=_PROOF_SECONDS, per_try=300, still_there=lambda: vm.poll() is None)
        answer = machine.monitor(work / "monitor.sock", f"savevm {recipe.SNAPSHOT}")
        if "rror" in answer:
            raise HostError(f"machine snapshot: QEMU says {answer}")
        vm.terminate()
        vm.wait(_QUIT_SECONDS)
    except HostError as error:
        tail = machine.console_tail(work / "console.log")
        raise HostError(f"{error}\nlast lines of its console:\n{tail}") from error
    finally:
        vm.kill()
        vm.wait()
    for leftover in ("ssh_config", "qemu.log", "console.log", "monitor.sock"):
        (work / leftover).unlink(missing_ok=True)
