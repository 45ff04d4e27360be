# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the collection and the programs of this directory on a test host, so that they run there without a controller.

    python3 tests/real/payload.py SSH_CONFIG HOST

Needs the Python environment whose ansible-core is to be sent along.
"""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REMOTE = "/opt/bulwark-real"
COLLECTION = "ansible_collections/bulwark/docker/"
COPY_SECONDS = 120


def _only_sources(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if member.isdir():
        return None if member.name.endswith("__pycache__") else member
    return member if member.name.endswith(".py") else None


def ansible_directory() -> Path:
    """Where this Python's ansible-core is, without importing it."""
    found = importlib.util.find_spec("ansible")
    if found is None or found.origin is None:
        raise SystemExit("send the payload: this Python has no ansible-core; use one of the project's environments")
    return Path(found.origin).parent


def build(core: Path) -> bytes:
    """A tar archive: what modules import of ansible-core, the collection's plugins, the programs of tests/real."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name in ("release.py", "module_utils"):
            archive.add(core / name, f"ansible/{name}", filter=_only_sources)
        init = b"from ansible.release import __author__, __version__\n"
        entry = tarfile.TarInfo("ansible/__init__.py")
        entry.size = len(init)
        archive.addfile(entry, io.BytesIO(init))
        for name in ("plugins/module_utils", "plugins/modules"):
            archive.add(ROOT / name, COLLECTION + name, filter=_only_sources)
        archive.add(ROOT / "tests/real", "real", filter=_only_sources)
    return buffer.getvalue()


def send(ssh_config: str, host: str, archive: bytes) -> None:
    """Unpack the archive on a host, in place of an earlier one."""
    script = f"rm -rf {REMOTE} && mkdir -p {REMOTE} && tar -C {REMOTE} -xzf -"
    subprocess.run(["ssh", "-F", ssh_config, host, script], input=archive, check=True, timeout=COPY_SECONDS)


def command(program: str, *arguments: str) -> str:
    """The command line that runs one of the programs on the host."""
    words = [f"PYTHONPATH={REMOTE}:{REMOTE}/real", "python3", f"{REMOTE}/real/{program}", *arguments]
    return " ".join(words)


if __name__ == "__main__":
    send(sys.argv[1], sys.argv[2], build(ansible_directory()))
    print(command("run_module.py", "engine_info", "'{}'"))
