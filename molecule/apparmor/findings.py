# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks of this scenario kept for its tests, and the service under one profile after the other."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

# Runs on the host: starts the service under each profile, attacks from inside, stops it, and says what came of it.
SERVICE = r"""
import json, subprocess, sys, time, urllib.request

def docker(*words):
    done = subprocess.run(["docker", *words], capture_output=True, text=True)
    return done.stdout.strip() + (" " + done.stderr.strip() if done.returncode else "")

def page(name):
    address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
    for _attempt in range(60):
        try:
            return urllib.request.urlopen("http://%s:8080/" % address, timeout=5).read().decode().strip()
        except OSError as error:
            said = str(error)
            time.sleep(1)
    return said

seen = {}
for profile in sys.argv[1:]:
    docker("run", "-d", "--name", "web", "--security-opt", "apparmor=" + profile,
           "--security-opt", "systempaths=unconfined", "web")
    pid = docker("inspect", "-f", "{{.State.Pid}}", "web")
    served = page("web")
    attacks = docker("exec", "web", "/opt/busybox", "sh", "/opt/attacks").splitlines()
    seen[profile] = {
        "page": served,
        "inspect": docker("inspect", "-f", "{{.AppArmorProfile}}", "web"),
        "label": open("/proc/%s/attr/current" % pid).read().strip(),
        "attacks": dict(line.split() for line in attacks),
    }
    docker("stop", "-t", "120", "web")
    seen[profile]["exit_code"] = docker("inspect", "-f", "{{.State.ExitCode}}", "web")
    docker("rm", "-f", "web")
docker("run", "-d", "--restart", "always", "--name", "always", "--security-opt", "apparmor=docker-nginx",
       "--security-opt", "systempaths=unconfined", "web")
print(json.dumps(seen))
"""


def name_of(host: Any) -> str:
    """The host's name in the inventory."""
    return host.backend.get_pytest_id().rpartition("/")[2]


def is_machine(host: Any) -> bool:
    """Whether the host has a kernel of its own, so that profiles can be loaded."""
    return "-machine" in name_of(host)


def load(host: Any, name: str) -> Any:
    """Findings of one host, written by tasks_findings.yml."""
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    return json.loads((folder / f"{name_of(host)}-{name}.json").read_text(encoding="utf-8"))


def run_service(host: Any, profiles: list[str]) -> dict[str, Any]:
    """Findings by profile; leaves a container "always" behind, which the engine starts at each boot."""
    script = base64.b64encode(SERVICE.encode()).decode()
    return json.loads(host.check_output(f'python3 -c "$(echo {script} | base64 -d)" {" ".join(profiles)}'))
