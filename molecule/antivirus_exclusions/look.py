# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each scanner of this host sees of the planted files, by asking the scanners. Prints JSON: scanner -> paths."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

PLACES = ("/srv", "/var/lib", "/home")
PLANTED = "planted-virus"


def run(*argv, **options):
    """Output of a program, whatever its exit status."""
    return subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False, **options).stdout


def clamd():
    """Planted files that the daemon finds when everything is scanned."""
    lines = run("clamdscan", "--fdpass", "--no-summary", *PLACES).splitlines()
    return [line.partition(": ")[0] for line in lines if line.endswith(" FOUND")]


def on_access():
    """Planted files whose opening the kernel refuses while clamonacc runs."""
    paths = [path for path in planted() if path.startswith(("/srv", "/home"))]
    watcher = subprocess.Popen(["clamonacc", "--foreground", "--fdpass"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not refused("/srv/plain/" + PLANTED):
            time.sleep(0.5)
        time.sleep(2)
        return [path for path in paths if refused(path)]
    finally:
        watcher.kill()
        watcher.wait()


def refused(path):
    """Whether a file cannot be opened."""
    try:
        with open(path, "rb") as stream:
            stream.read(1)
    except PermissionError:
        return True
    return False


def aide():
    """Planted files that AIDE takes into its database."""
    if os.path.exists("/tmp/aide.db"):
        os.unlink("/tmp/aide.db")
    run("aide", "--config=/etc/aide/aide.conf", "--init")
    with open("/tmp/aide.db", encoding="utf-8") as stream:
        return [line.split()[0] for line in stream if line.split()[:1] and line.split()[0].endswith(PLANTED)]


def updatedb():
    """Planted files that locate knows after an update of its database."""
    run("updatedb", "--output", "/tmp/locate.db")
    return run("plocate", "--database", "/tmp/locate.db", PLANTED).split()


def planted():
    """All planted files that are there."""
    return run("find", *PLACES, "-name", PLANTED).split()


def rkhunter():
    """Planted files whose properties rkhunter keeps."""
    run("rkhunter", "--propupd")
    with open("/var/lib/rkhunter/db/rkhunter.dat", encoding="utf-8", errors="replace") as stream:
        return re.findall(rf"^File:[^:]*:(/[^:]*{PLANTED}):", stream.read(), re.MULTILINE)


def listed(path):
    """Lines of a file that a stand-in for a scanner keeps."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read().split()
    except FileNotFoundError:
        return []


def main():
    """Ask all scanners, or all but those that are named."""
    scanners = {
        "clamd": clamd,
        "on_access": on_access,
        "aide": aide,
        "updatedb": updatedb,
        "rkhunter": rkhunter,
        "defender": lambda: listed("/etc/opt/mdatp-stand-in"),
        "planted": planted,
    }
    print(json.dumps({name: sorted(ask()) for name, ask in scanners.items() if name not in sys.argv[1:]}))


if __name__ == "__main__":
    main()
