# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Docker hosts to throw away: `hosts.py up debian13-container`, `hosts.py ssh debian13-container docker info`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys

from hostlab import image, life, machine, recipe, remote
from hostlab.layout import Layout, default_layout
from hostlab.process import run, say
from hostlab.recipe import HostError, parse_host
from hostlab.supervisor import supervise

_KEPT_VARIABLES = "BULWARK_CACHE,BULWARK_RUN,BULWARK_OWNER_PID"


def missing_packages() -> list[str]:
    """Debian packages that the hosts need and this machine lacks."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = {package for name, package in recipe.NEEDED_PROGRAMS.items() if shutil.which(name, path=path) is None}
    missing |= {package for name, package in recipe.NEEDED_FILES.items() if not os.path.exists(name)}
    return sorted(missing)


def install_packages(*, only_check: bool) -> None:
    """Install the missing Debian packages, or say which they are."""
    missing = missing_packages()
    if not missing:
        return
    advice = f"run: apt-get install --no-install-recommends {' '.join(missing)}"
    if only_check:
        raise HostError(f"test hosts: need the packages {', '.join(missing)}; {advice}")
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise HostError(
            f"test hosts: need the packages {', '.join(missing)} and root to install them; as root, {advice}"
        )
    say(f"installing {', '.join(missing)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-q", "update"], what="deps", env=quiet)
    run(["apt-get", "-q", "-y", "--no-install-recommends", "install", *missing], what="deps", timeout=1800, env=quiet)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="hosts.py", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text)

    add("deps", "install the Debian packages that test hosts need").add_argument(
        "--check", action="store_true", help="only tell what is missing"
    )
    command = add("image", "build the images of hosts")
    command.add_argument("hosts", nargs="+", metavar="HOST")
    command.add_argument("--rebuild", action="store_true", help="build again from today's packages")
    command = add("up", "bring hosts up, each with a fresh disk")
    command.add_argument("hosts", nargs="+", metavar="HOST")
    command.add_argument("--replace", action="store_true", help="take a running host of that name down first")
    command = add("down", "take hosts down, with everything that belongs to them")
    command.add_argument("hosts", nargs="*", metavar="HOST")
    command.add_argument("--all", action="store_true", help="every host of this run folder")
    add("reset", "give a running host a fresh disk").add_argument("hosts", nargs=1, metavar="HOST")
    command = add("ssh", "log in to a host, or run a command there")
    command.add_argument("hosts", nargs=1, metavar="HOST")
    command.add_argument("rest", nargs=argparse.REMAINDER, metavar="CMD")
    add("list", "tell which hosts are up")
    add("key", "print the cache keys of all images")
    add("prune", "remove images of old recipes and left-over hosts")
    add("ssh-config", "print the path of the ssh configuration")
    command = commands.add_parser("_supervise")
    command.add_argument("hosts", nargs=1)
    command.add_argument("owner", nargs="?")
    return top


def as_root(layout: Layout) -> None:
    """Start over under sudo when the caller is not root: namespaces, images and their mounts need it."""
    if os.geteuid() == 0 or shutil.which("sudo") is None:
        return
    os.environ |= {"BULWARK_CACHE": str(layout.cache), "BULWARK_RUN": str(layout.run)}
    layout.run.mkdir(parents=True, exist_ok=True)
    layout.cache.mkdir(parents=True, exist_ok=True)
    os.execvp("sudo", ["sudo", f"--preserve-env={_KEPT_VARIABLES}", sys.executable, *sys.argv])


def keys(layout: Layout) -> list[str]:
    """`rootfs-…` and `machine-…` names of the images that the present recipe makes."""
    names = []
    for suite in recipe.SUITES.values():
        base = image.rootfs_path(layout, suite)
        names.append(base.name)
        if (base / "root").is_dir():
            accelerator = machine.accelerator(layout, base / "root")
            names.append(image.machine_path(layout, suite, accelerator).name)
    return names


def interrupt(*_: object) -> None:
    """A polite end is handled as Ctrl-C is."""
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Carry one command out; return the exit status."""
    options = parser().parse_args(arguments)
    os.environ["PATH"] += os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"
    signal.signal(signal.SIGTERM, interrupt)
    layout = default_layout()
    command = options.command
    if command == "ssh-config":
        remote.write_config(layout)
        print(layout.ssh_config)
        return 0
    for name in getattr(options, "hosts", []):
        parse_host(name)
    if command == "ssh":
        name = options.hosts[0]
        if not life.is_up(layout, name):
            raise HostError(f"host {name}: is not up; run `hosts.py up {name}`")
        return subprocess.call(["ssh", "-F", str(layout.ssh_config), name, *options.rest])
    if command == "deps" and options.check:
        install_packages(only_check=True)
        return 0
    if command == "list":
        for row in life.table(layout):
            print("  ".join(row))
        return 0
    as_root(layout)
    install_packages(only_check=command != "deps")
    if command == "_supervise":
        supervise(layout, options.hosts[0], options.owner)
    elif command == "image":
        for path in life.ensure_images(layout, [parse_host(name) for name in options.hosts], rebuild=options.rebuild):
            print(path)
    elif command == "up":
        life.up(layout, options.hosts, replace=options.replace)
    elif command == "reset":
        if not life.is_up(layout, options.hosts[0]):
            raise HostError(f"host {options.hosts[0]}: is not up; run `hosts.py up {options.hosts[0]}`")
        life.up(layout, options.hosts, replace=True)
    elif command == "down":
        if bool(options.hosts) == options.all:
            raise HostError("down: give names of hosts, or --all")
        life.down(layout, layout.names() if options.all else options.hosts)
    elif command == "key":
        print("\n".join(keys(layout)))
    elif command == "prune":
        life.down(layout, [name for name in layout.names() if not life.is_up(layout, name)])
        for name in image.prune(layout):
            say(f"{name}: removed")
    return 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except HostError as problem:
        print(f"hosts.py: {problem}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.stdout.flush()
    # Threads that still build or wait end with the process, and what they started ends with them.
    os._exit(status)
