# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images from distribution packages: one root file system for each suite, and machine disks with a snapshot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from . import machine, recipe, snapshot
from . import rootfs as rootfs_maker
from .layout import Layout, give_to_caller, locked
from .process import remove_tree, run, say
from .recipe import HostError, Suite

_HERE = Path(__file__).parent
_BUILD_LIMIT = 3600


def _sources(*names: str) -> list[str]:
    return [(_HERE / name).read_text(encoding="utf-8") for name in names]


def public_key(layout: Layout) -> str:
    """The public key that the images let in; the pair is made on first use."""
    with locked(layout.cache / "ssh.lock", 30, "ssh key"):
        if not layout.key.exists():
            layout.key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bulwark-test-hosts", "-f", layout.key]
            run(command, what="ssh key")
            for path in (layout.key, layout.key.with_suffix(".pub")):
                give_to_caller(path)
            give_to_caller(layout.key.parent)
    return layout.key.with_suffix(".pub").read_text(encoding="utf-8").strip()


def rootfs_path(layout: Layout, suite: Suite) -> Path:
    """Where the suite's root file system is, or will be."""
    key = recipe.rootfs_key(suite, _sources("rootfs.py"), public_key(layout))
    return layout.images / f"rootfs-{suite.name}-{key}"


def machine_path(layout: Layout, suite: Suite, accelerator: str) -> Path:
    """Where the suite's machine image for one accelerator is, or will be."""
    arguments = recipe.qemu_arguments(accelerator) + recipe.qemu_devices("DISK", 0)
    if accelerator == "kvm":
        arguments.append(machine.processor())
    key = recipe.machine_key(
        rootfs_path(layout, suite).name, arguments, machine.qemu_version(), _sources("snapshot.py")
    )
    return layout.images / f"machine-{suite.name}-{key}"


def rootfs(layout: Layout, suite: Suite, *, rebuild: bool = False) -> Path:
    """Return the suite's root file system (a folder with `root/` and `info.json`); build it when it is missing."""

    def make(work: Path) -> None:
        rootfs_maker.make(suite, public_key(layout), work)

    return _build(layout, rootfs_path(layout, suite), make, rebuild=rebuild)


def machine_image(layout: Layout, suite: Suite, *, rebuild: bool = False) -> Path:
    """Return the suite's machine image (a folder with disk, kernel and snapshot); build it when it is missing."""
    base = rootfs(layout, suite, rebuild=rebuild)
    accelerator = machine.accelerator(layout, base / "root")
    target = machine_path(layout, suite, accelerator)

    def make(work: Path) -> None:
        snapshot.make(layout, base, work, accelerator)

    return _build(layout, target, make, rebuild=rebuild)


def _build(layout: Layout, target: Path, make: Callable[[Path], None], *, rebuild: bool) -> Path:
    """Run `make(work)` into a temporary folder and rename it to `target`, once, however many ask at a time."""
    if target.exists() and not rebuild:
        return target
    with locked(layout.images / f".lock-{target.name}", _BUILD_LIMIT, f"image {target.name}"):
        if target.exists() and not rebuild:
            return target
        work = layout.images / f".tmp-{target.name}"
        remove_tree(work)
        work.mkdir(parents=True)
        try:
            make(work)
            if target.exists():
                remove_tree(target)
            work.rename(target)
        except BaseException:
            remove_tree(work)
            raise
    say(f"{target.name}: ready")
    return target


def prune(layout: Layout) -> list[str]:
    """Remove images that no current recipe makes and half-made ones that nobody is making; return their names."""
    keep = set()
    for suite in recipe.SUITES.values():
        keep.add(rootfs_path(layout, suite).name)
        if shutil.which("qemu-system-x86_64"):
            keep.update(machine_path(layout, suite, accelerator).name for accelerator in ("kvm", "tcg"))
    removed = []
    for path in sorted(layout.images.glob("*")) + sorted(layout.images.glob(".tmp-*")):
        name = path.name.removeprefix(".tmp-")
        if path.is_dir() and (path.name.startswith(".tmp-") or name not in keep):
            try:
                with locked(layout.images / f".lock-{name}", 0, f"image {name}"):
                    remove_tree(path)
            except HostError as busy:
                say(f"{path.name}: stays, it is in use ({busy})")
            else:
                removed.append(path.name)
    return removed
