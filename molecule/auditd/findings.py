# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks of this scenario kept for its tests, and a way to touch many paths at once."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

# Runs on the host: touches each path in its own way and says what the audit log has about it.
TOUCH = r"""
import json, os, subprocess, sys, time
watches = json.loads(sys.argv[1])
touched = []
for watch in watches:
    path = watch["path"]
    if watch["permissions"] == "x":
        subprocess.run([path, "--version"], capture_output=True)
    elif watch["kind"] == "dir":
        path = os.path.join(path, ".touched")
        open(path, "w").close()
        os.unlink(path)
    elif os.path.exists(path):
        os.chmod(path, os.stat(path).st_mode & 0o7777)
    else:
        open(path, "w").close()
        os.unlink(path)
    touched.append(path)
time.sleep(3)
log = subprocess.run(["ausearch", "--input-logs", "--raw", "-ts", "recent"], capture_output=True, text=True).stdout
keys, names = {}, {}
for line in log.split("\n"):
    identity = line.partition("msg=audit(")[2].partition(")")[0]
    if line.startswith("type=SYSCALL"):
        keys[identity] = line.partition(' key="')[2].partition('"')[0]
    elif line.startswith("type=PATH"):
        names.setdefault(identity, []).append(line.partition(' name="')[2].partition('"')[0])
seen = {(keys.get(identity, ""), name) for identity, found in names.items() for name in found}
print(json.dumps([[watch["key"], path, (watch["key"], path) in seen] for watch, path in zip(watches, touched)]))
"""


def name_of(host: Any) -> str:
    """The host's name in the inventory."""
    return host.backend.get_pytest_id().rpartition("/")[2]


def is_machine(host: Any) -> bool:
    """Whether the host has a kernel of its own, so that rules can be loaded."""
    return "-machine" in name_of(host)


def load(host: Any, name: str) -> Any:
    """Findings of one host, written by tasks_findings.yml."""
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    return json.loads((folder / f"{name_of(host)}-{name}.json").read_text(encoding="utf-8"))


def touch(host: Any, watches: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    """Touch what is watched: (key, path, whether there is an event with that key about that path) for each."""
    script = base64.b64encode(TOUCH.encode()).decode()
    wanted = base64.b64encode(json.dumps(watches).encode()).decode()
    command = f'python3 -c "$(echo {script} | base64 -d)" "$(echo {wanted} | base64 -d)"'
    return [tuple(entry) for entry in json.loads(host.check_output(command))]
