# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what subid_range says about /etc/subuid and /etc/subgid with what newuidmap, useradd and dockerd do.

    python3 subid_agreement.py [--files N] [--seed N]

Runs on a disposable host as root, beside run_module.py (payload.py puts both there), with the package uidmap. It makes
users of its own, changes the two files, and puts them back. Prints JSON; the exit status is 0 when all checks agree.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab

SUBUID, SUBGID = Path("/etc/subuid"), Path("/etc/subgid")
USER = "subidtest"
OTHER = "subidother"
GARBAGE = (
    "# a comment",
    "",
    "no colons",
    f"{OTHER}:0x186a0:65536",
    f"{OTHER}:0300000:70000",
    "ghost:300000:65536:more",
    "ghost: 400000:65536",
    "ghost:500000:x",
    "+nis",
)


class Findings:
    """What was compared, and what differs."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.faults: list[str] = []

    def expect(self, what: str, agrees: bool, evidence: Any = "") -> None:
        """Count one comparison."""
        self.counts[what] = self.counts.get(what, 0) + 1
        if not agrees:
            self.faults.append(f"{what}: {evidence}")


def module(**arguments: Any) -> lab.Result:
    """Run subid_range."""
    return lab.Module("subid_range", arguments).result()


def uid_of(name: str) -> int:
    """The uid of a user of ours."""
    return int(lab.shell(f"id -u {name}"))


def random_file(source: random.Random) -> str:
    """Lines of others: ranges, comments and garbage, with or without the last line's end."""
    lines = [source.choice(GARBAGE) for _turn in range(source.randint(0, 3))]
    for slot in source.sample(range(12), source.randint(0, 4)):
        lines.append(
            f"{source.choice((OTHER, 'ghost', '4711'))}:{100000 + slot * 65536}:{source.choice((65536, 1000))}"
        )
    source.shuffle(lines)
    return "\n".join(lines) + source.choice(("", "\n", "\n", "\n"))


@contextlib.contextmanager
def sleeper() -> Iterator[int]:
    """A process of the user in a fresh user namespace without any mapping."""
    command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "unshare", "--user", "sleep", "60"]
    with subprocess.Popen(command) as process:
        own = os.readlink("/proc/self/ns/user")
        if not lab.wait_until(lambda: os.readlink(f"/proc/{process.pid}/ns/user") != own, 10.0):
            raise lab.LabError("no process in a user namespace of its own")
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGKILL)


def maps(program: str, ranges: list[dict[str, int]], shift: int = 0) -> list[list[int]] | None:
    """Have newuidmap or newgidmap map ranges for the user; the kernel's map afterwards, None when it refuses."""
    words: list[str] = []
    inside = 0
    for entry in ranges:
        words += [str(inside), str(entry["start"] + shift), str(entry["count"])]
        inside += entry["count"]
    with sleeper() as pid:
        done = subprocess.run(
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", program, str(pid), *words],
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            return None
        name = "uid_map" if program == "newuidmap" else "gid_map"
        text = Path(f"/proc/{pid}/{name}").read_text(encoding="ascii")
    return [[int(word) for word in line.split()] for line in text.splitlines()]


def chained(ranges: list[dict[str, int]]) -> list[list[int]]:
    """Ranges as the kernel shows them when they are mapped one after the other from 0 on."""
    found, inside = [], 0
    for entry in ranges:
        found.append([inside, entry["start"], entry["count"]])
        inside += entry["count"]
    return found


def dockerd_root(value: str) -> str:
    """What a dockerd with userns-remap makes of the files: "UID.GID" of its root, or why it does not start."""
    with tempfile.TemporaryDirectory(prefix="subid-", dir="/var/lib/docker") as folder:
        os.chmod(folder, 0o755)
        log = Path(folder) / "log"
        flags = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
        flags += [f"--host=unix://{folder}/socket", f"--userns-remap={value}", "--bridge=none", "--iptables=false"]
        flags += [f"--config-file={folder}/empty", "--storage-driver=vfs"]
        flags += ["--containerd=/run/containerd/containerd.sock"]
        Path(folder, "empty").write_text("{}", encoding="ascii")
        with log.open("wb") as stream, subprocess.Popen(["dockerd", *flags], stdout=stream, stderr=stream) as process:
            try:
                lab.wait_until(lambda: bool(_roots(folder)) or process.poll() is not None, 20.0)
                found = _roots(folder)
            finally:
                process.send_signal(signal.SIGKILL)
        return found or log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]


def _roots(folder: str) -> str:
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(f"{folder}/data"):
            if re.fullmatch(r"[0-9]+\.[0-9]+", name):
                return name
    return ""


def compare_files(findings: Findings, count: int, seed: int) -> None:
    """Random files: newuidmap maps exactly our ranges, dockerd chooses our root, or refuses where we say so."""
    source = random.Random(seed)
    for number in range(count):
        before = random_file(source), random_file(source)
        SUBUID.write_text(before[0], encoding="utf-8")
        SUBGID.write_text(before[1], encoding="utf-8")
        wanted = [{"count": 65536}] * source.randint(1, 3)
        result = module(name=USER, ranges=wanted)
        findings.expect("the module succeeds", not result.failed, (before, result.output))
        if result.failed:
            continue
        answer = result.answer
        for program, file in (("newuidmap", "subuid"), ("newgidmap", "subgid")):
            ranges = answer["ranges"][file]
            seen = maps(program, ranges)
            findings.expect(
                f"{program} maps our ranges", seen == _merged(chained(ranges)) or seen == chained(ranges), seen
            )
            findings.expect(f"{program} refuses an id below", maps(program, ranges[:1], -1) is None, before)
        engine = answer["engine"]
        root = dockerd_root(USER)
        if engine["problem"]:
            findings.expect("dockerd refuses the file", "subuid" in root or "subgid" in root, (root, before))
        else:
            said = f"{engine['subuid'][0]['start']}.{engine['subgid'][0]['start']}"
            findings.expect("dockerd has our root", root == said, (root, said, before))
        if number % 2:
            lab.shell(
                "useradd --system subidlate; useradd subidlater; userdel -r subidlater 2>/dev/null; userdel subidlate"
            )
            again = module(name=USER, ranges=wanted)
            agrees = not again.answer.get("changed") and again.answer.get("ranges") == answer["ranges"]
            findings.expect("the ranges survive useradd's sorting", agrees, (again.output, SUBUID.read_text()))
            module(name=USER, state="absent")
        else:
            removed = module(name=USER, state="absent")
            after = SUBUID.read_text(encoding="utf-8"), SUBGID.read_text(encoding="utf-8")
            findings.expect("absent gives the bytes back", after == before and not removed.failed, (before, after))


def _merged(lines: list[list[int]]) -> list[list[int]]:
    """As newuidmap may write them: neighbours as one line."""
    found: list[list[int]] = []
    for line in lines:
        if found and found[-1][1] + found[-1][2] == line[1]:
            found[-1] = [*found[-1][:2], found[-1][2] + line[2]]
        else:
            found.append(line)
    return found


def compare_forms(findings: Findings) -> None:
    """Lines by name and by uid: the root is the one that this version of dockerd takes."""
    uid = uid_of(USER)
    for lines in (
        f"{USER}:300000:65536\n{uid}:500000:65536\n",
        f"{uid}:500000:65536\n{USER}:300000:65536\n",
        f"{uid}:300000:65536\n",
    ):
        SUBUID.write_text(lines, encoding="ascii")
        SUBGID.write_text(lines, encoding="ascii")
        result = module(name=USER)
        root = dockerd_root(USER)
        said = f"{result.answer['engine']['subuid'][0]['start']}.{result.answer['engine']['subgid'][0]['start']}"
        findings.expect(
            "dockerd takes the line that we say", root == said and not result.answer["changed"], (root, said)
        )


def compare_refusals(findings: Findings) -> None:
    """What the module refuses is what would have hurt."""
    SUBGID.write_text("", encoding="ascii")
    SUBUID.write_text(f"{USER}:100000:65536\n{OTHER}:150000:65536\n", encoding="ascii")
    result = module(name=USER)
    findings.expect(
        "an overlap is refused", result.failed and "shares ids with line 2" in result.message, result.output
    )
    SUBUID.write_text(f"{USER}:0x30000:65536\n", encoding="ascii")
    SUBGID.write_text(f"{USER}:300000:65536\n", encoding="ascii")
    result = module(name=USER)
    findings.expect("a doubtful line is refused", result.failed and "line 1" in result.message, result.output)
    root = dockerd_root(USER)
    # From 28.0 on the container's root would be the root of the host.
    wanted = root == "0.300000" if lab.version() >= (28,) else not re.fullmatch(r"[0-9.]+", root)
    findings.expect("dockerd takes such a line as we say", wanted, root)


def compare_default(findings: Findings) -> None:
    """The engine's own choice for userns-remap=default, which from 28.0 on does not look at other users' ranges."""
    lab.shell("userdel dockremap 2>/dev/null; groupdel dockremap 2>/dev/null; true")
    for path in (SUBUID, SUBGID):
        path.write_text(f"{OTHER}:100000:65536\n", encoding="ascii")
    dockerd_root("default")
    result = module(name="dockremap")
    collides = result.failed and "shares ids with line 1" in result.message
    findings.expect("the collision of default is found", collides == (lab.version() >= (28,)), result.output)
    lab.shell("userdel dockremap; groupdel dockremap 2>/dev/null; true")


def compare_locking(findings: Findings) -> None:
    """Side by side with useradd nothing is lost and nothing is shared; a lock of somebody else is respected."""
    SUBUID.write_text("", encoding="ascii")
    SUBGID.write_text("", encoding="ascii")
    names = [f"subidrace{number}" for number in range(6)]
    adders = [subprocess.Popen(["useradd", name], stderr=subprocess.DEVNULL) for name in names[:3]]
    ours = [lab.Module("subid_range", {"name": name}) for name in (USER, OTHER, "nobody")]
    adders += [subprocess.Popen(["useradd", name], stderr=subprocess.DEVNULL) for name in names[3:]]
    results = [entry.result() for entry in ours]
    statuses = [process.wait(60) for process in adders]
    lines = [line.split(":") for line in SUBUID.read_text(encoding="ascii").splitlines()]
    spans = sorted((int(start), int(count)) for _owner, start, count in lines)
    apart = all(one[0] + one[1] <= two[0] for one, two in itertools.pairwise(spans))
    worked = not any(entry.failed for entry in results) and not any(statuses)
    findings.expect("nothing is lost beside useradd", worked and len(spans) == 9 and apart, (statuses, lines))
    for name in names:
        lab.shell(f"userdel -r {name} 2>/dev/null", check=False)
    for name in (USER, OTHER, "nobody"):
        module(name=name, state="absent")
    left = SUBUID.read_text(encoding="ascii"), list(Path("/etc").glob("sub?id.*"))
    findings.expect("no line and no lock is left", left == ("", []), left)
    with subprocess.Popen(["sleep", "60"]) as holder:
        Path("/etc/subgid.lock").write_text(f"{holder.pid}\0", encoding="ascii")
        waiting = lab.Module("subid_range", {"name": USER})
        time.sleep(1.5)
        findings.expect("a lock with a living process is waited for", waiting.running() and not SUBUID.read_text())
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        result = waiting.result()
        findings.expect("a lock of a dead process is taken over", bool(result.answer.get("changed")), result.output)
    module(name=USER, state="absent")


def compare_containers(findings: Findings) -> None:
    """A real container of the real engine: the kernel's map is what the module said, and root is an id of ours."""
    SUBUID.write_text(f"{OTHER}:100000:65536\n", encoding="ascii")
    SUBGID.write_text("", encoding="ascii")
    answer = module(name=USER, ranges=[{"count": 65536}, {"start": 900000, "count": 70000}]).answer
    config = Path("/etc/docker/daemon.json")
    before = config.read_bytes() if config.exists() else None
    try:
        lab.write(str(config), json.dumps({"userns-remap": USER}))
        lab.shell("systemctl reset-failed docker.service; systemctl restart docker.service")
        lab.shell("tar -C / -c bin/busybox | docker import - subid:busybox")
        name = lab.shell("docker run -d --network=none subid:busybox /bin/busybox sleep 60").strip()
        pid = lab.shell(f"docker inspect -f '{{{{.State.Pid}}}}' {name}").strip()
        for file, kind in (("subuid", "uid_map"), ("subgid", "gid_map")):
            text = Path(f"/proc/{pid}/{kind}").read_text(encoding="ascii")
            seen = [[int(word) for word in line.split()] for line in text.splitlines()]
            findings.expect("a container has our ranges", seen == chained(answer["engine"][file]), (seen, answer))
        owner = os.stat(f"/proc/{pid}").st_uid
        findings.expect("root of a container is our first id", owner == answer["ranges"]["subuid"][0]["start"], owner)
        lab.shell(f"docker rm -f {name}; docker rmi subid:busybox")
    finally:
        if before is None:
            config.unlink()
        else:
            config.write_bytes(before)
        lab.shell("systemctl reset-failed docker.service; systemctl restart docker.service")
        for folder in Path("/var/lib/docker").glob("[0-9]*.[0-9]*"):
            shutil.rmtree(folder)
    module(name=USER, state="absent")


def main() -> int:
    """Compare and print; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Compare our reading of subordinate ids with the real programs'.")
    parser.add_argument("--files", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    kept = [(path, lab.facts(str(path))) for path in (SUBUID, SUBGID)]
    findings = Findings()
    for name in (USER, OTHER):
        lab.shell(f"useradd --system --user-group --shell /usr/sbin/nologin {name}")
    try:
        compare_files(findings, options.files, options.seed)
        compare_forms(findings)
        compare_refusals(findings)
        compare_default(findings)
        compare_locking(findings)
        compare_containers(findings)
    finally:
        for name in (USER, OTHER):
            lab.shell(f"userdel {name}", check=False)
        for path, facts in kept:
            if facts.raw is None:
                path.unlink(missing_ok=True)
            else:
                lab.write(str(path), facts.raw, facts.mode, facts.uid, facts.gid)
    version = ".".join(map(str, lab.version()))
    print(json.dumps({"version": version, "compared": findings.counts, "faults": findings.faults}, indent=1))
    return 0 if findings.counts and not findings.faults else 1


if __name__ == "__main__":
    sys.exit(main())
