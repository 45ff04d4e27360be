# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases that need more than one run: kills, rollbacks, other runs, containers, drift."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import lab
from corpus_table import BASE, NEWEST, SMALL, STOCK
from lab import CONFIG, DIRECTORY, RECORD_ROOT, SCRATCH, FileFacts, KillPoint, Module, Result
from verdict import Verdict

OLD = b'{\n  "debug": true\n}\n'
SECCOMP = {"seccomp-profile": SCRATCH + "/profile.json"}
PROFILE = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]})


class Script(NamedTuple):
    """One case that is a program; since and until say which engines it concerns."""

    id: str
    title: str
    body: Callable[[Verdict], None]
    since: tuple[int, ...] = (0,)
    until: tuple[int, ...] = NEWEST


def _begin(config: bytes | None = OLD) -> FileFacts:
    """An engine that was started with this file (None: without one)."""
    if config is not None:
        lab.write(CONFIG, config)
    lab.start_engine()
    return lab.facts()


def _written(verdict: Verdict) -> str:
    """Write the small set of settings without bringing it into force; the id of that run."""
    result = lab.present(SMALL)
    verdict.worked(result, "present")
    return str(result.answer.get("run_id", ""))


def _refuse_start(word: str, then: str = "exit 1") -> None:
    """From now on the engine does not start while that word is in daemon.json."""
    script = f"if grep -qs {word} {CONFIG}; then echo corpus: {word} is not welcome >&2; {then}; fi"
    lab.write(*lab.drop_in("refuse", f"[Service]\nExecStartPre=/bin/sh -c '{script}'\n"))
    lab.shell("systemctl daemon-reload")


def _start_as_before() -> None:
    lab.shell(f"rm -f {lab.DROP_INS}/refuse.conf; systemctl daemon-reload")


def _moment() -> float:
    """Now, with everything in the journal that was said before: a line has the time at which it arrived there."""
    lab.shell("journalctl --sync")
    return time.time()


def _starts_since(moment: float) -> int:
    lab.shell("journalctl --sync")
    text = lab.shell(f"journalctl -u docker.service --since=@{moment:.6f} -o cat --no-pager")
    return sum(line.startswith(("Started docker.service", "Started Docker Application")) for line in text.splitlines())


def _went_back(verdict: Verdict, result: Result, before: FileFacts, *says: str) -> None:
    verdict.refusal(result, ("Rolled back", *says))
    verdict.check(lab.wait_until(lab.answers, lab.START_SECONDS), "the engine is down after a rollback")
    verdict.check(lab.facts() == before, f"a rollback gives {lab.facts()!r} for {before!r}")
    verdict.check(not os.path.exists(lab.RECORD), "a rollback leaves a record")
    verdict.check(not lab.leftovers(), f"a rollback leaves {lab.leftovers()}")


# --- killed runs -----------------------------------------------------------------------------------------------------


def _watch(stage: tuple[str, dict[str, Any]], verdict: Verdict) -> list[KillPoint]:
    result, points = lab.traced(*stage)
    verdict.worked(result, f"the watched run of {stage[0]}")
    return points


PRESENT = ("daemon_config", lab.present_arguments(SMALL))
ABSENT = ("daemon_config", lab.absent_arguments())
COMMIT = ("engine_commit", lab.commit_arguments())
Stages = tuple[tuple[str, dict[str, Any]], ...]


def _sweep(verdict: Verdict, original: FileFacts, stages: Stages, least: int, about: str = "") -> None:
    """Kill each run of a life cycle before each of its writes, on paths with that text; the next run heals it."""
    # Once without being watched: whoever comes first makes the lock's directory.
    for stage in stages:
        verdict.worked(Module(*stage).result(), f"the first run of {stage[0]}")
    points = []
    allowed = [original.raw]
    for stage in stages:
        points.append([point for point in _watch(stage, verdict) if about in point.text])
        allowed.append(lab.facts().raw)
    kills = [0] * len(stages)
    for turn in range(max(len(found) for found in points)):
        for number, (stage, found) in enumerate(zip(stages, points, strict=True)):
            if turn < len(found):
                kills[number] += _kill_at(verdict, stage, found[turn], allowed)
            verdict.worked(Module(*stage).result(), f"{stage[0]} after a kill at {found[: turn + 1][-1:]}")
            if stages[: number + 1] == (PRESENT, COMMIT):
                for problem in lab.ineffective(SMALL):
                    verdict.check(False, f"after a kill at turn {turn}: {problem}")
        verdict.check(lab.facts() == original, f"turn {turn}: removal gives {lab.facts()!r} for {original!r}")
        verdict.check(not os.path.exists(RECORD_ROOT), f"turn {turn}: the record is still there")
        verdict.check(not lab.leftovers(), f"turn {turn}: left behind {lab.leftovers()}")
    # After a kill the next runs may have fewer writes to make than those that were watched.
    for stage, count, found in zip(stages, kills, points, strict=True):
        verdict.check(count >= len(found) - 4, f"{stage[0]}: {count} kills at {len(found)} writes {found}")
    verdict.check(sum(kills) >= least, f"only {kills} kills")


def _kill_at(
    verdict: Verdict, stage: tuple[str, dict[str, Any]], point: KillPoint, allowed: list[bytes | None]
) -> bool:
    """Whether the run got as far as that call."""
    result = lab.traced(*stage, inject=point)[0]
    verdict.check(result.killed or not result.failed, f"{stage[0]} with a kill at {point}: {result.output}")
    verdict.check(lab.facts().raw in allowed, f"killed at {point}: daemon.json is {lab.facts().raw!r}")
    verdict.check(lab.wait_until(lab.answers, lab.START_SECONDS), f"killed at {point}: the engine does not answer")
    return result.killed


def kill_writes(verdict: Verdict) -> None:
    _sweep(verdict, _begin(), (PRESENT, COMMIT, ABSENT, COMMIT), 40)


def kill_writes_no_file(verdict: Verdict) -> None:
    """The same without a file, and without a restart in between."""
    original = _begin(None)
    _sweep(verdict, original, (PRESENT, ABSENT, COMMIT), 25)
    verdict.good_run(SMALL)
    verdict.given_back(original)


def _systemctl_restarts() -> bool:
    for name in os.listdir("/proc"):
        if name.isdigit() and lab.argv_of(int(name))[:2] == ["systemctl", "restart"]:
            return True
    return False


def _kill_commit_when(verdict: Verdict, ready: Callable[[int], bool]) -> None:
    """Kill a commit at a moment that depends on the engine's process of before."""
    original = _begin()
    pid = lab.main_pid()
    verdict.worked(lab.present(SMALL), "present")
    module = Module("engine_commit", lab.commit_arguments())
    verdict.check(lab.wait_until(lambda: ready(pid), 20.0), "the moment for the kill never came")
    module.kill()
    verdict.check(module.result().killed, "the module ended before the kill")
    verdict.engine_is_well(original.raw)
    verdict.good_run(SMALL)
    verdict.given_back(original)


def kill_during_restart(verdict: Verdict) -> None:
    _kill_commit_when(verdict, lambda _pid: _systemctl_restarts())


def kill_after_restart(verdict: Verdict) -> None:
    _kill_commit_when(verdict, lambda pid: lab.main_pid() not in (0, pid))


def kill_rollback(verdict: Verdict) -> None:
    """Kill a rollback before each of its writes, too."""
    original = _begin()
    _refuse_start("icc")
    run = _written(verdict)
    result, points = lab.traced("engine_commit", lab.commit_arguments(run_id=run))
    _went_back(verdict, result, original)
    points = [point for point in points if point.call.startswith(("rename", "unlink", "fsync"))]
    verdict.check(len(points) >= 2, f"a rollback makes only {len(points)} writes: {points}")
    for point in points:
        _refuse_start("icc")
        run = _written(verdict)
        new = lab.facts().raw
        killed = lab.traced("engine_commit", lab.commit_arguments(run_id=run), inject=point)[0]
        verdict.check(killed.killed, f"survived the kill at {point}: {killed.output}")
        verdict.check(lab.facts().raw in (original.raw, new), f"killed at {point}: daemon.json is {lab.facts().raw!r}")
        _start_as_before()
        verdict.good_run(SMALL)
        verdict.given_back(original)


# --- engines that do not come back -----------------------------------------------------------------------------------


def refused_start(verdict: Verdict) -> None:
    original = _begin()
    _refuse_start("icc")
    run = _written(verdict)
    _went_back(verdict, lab.commit(run_id=run), original, "corpus: icc is not welcome")
    _start_as_before()
    verdict.good_run(SMALL)
    verdict.given_back(original)


def refused_start_no_file(verdict: Verdict) -> None:
    original = _begin(None)
    _refuse_start("icc")
    run = _written(verdict)
    _went_back(verdict, lab.commit(run_id=run), original, "corpus: icc is not welcome")
    _start_as_before()
    verdict.good_run(SMALL)
    verdict.given_back(original)


def refused_removal(verdict: Verdict) -> None:
    """The engine does not start without the settings: removal is rolled back, and they are in force again."""
    original = _begin()
    verdict.good_run(SMALL)
    hardened = lab.facts()
    script = f"if ! grep -qs icc {CONFIG}; then echo corpus: icc is missed >&2; exit 1; fi"
    lab.write(*lab.drop_in("refuse", f"[Service]\nExecStartPre=/bin/sh -c '{script}'\n"))
    lab.shell("systemctl daemon-reload")
    removal = lab.absent()
    verdict.worked(removal, "absent")
    result = lab.commit(run_id=removal.answer.get("run_id", ""))
    verdict.refusal(result, ("Rolled back", "corpus: icc is missed"))
    verdict.check(lab.wait_until(lab.answers, lab.START_SECONDS), "the engine is down after a rollback")
    verdict.check(lab.facts() == hardened, "the rollback of a removal gives other bytes")
    _start_as_before()
    verdict.good_run(SMALL)
    verdict.given_back(original)


def hanging_start(verdict: Verdict) -> None:
    original = _begin()
    _refuse_start("icc", "sleep 600")
    run = _written(verdict)
    _went_back(verdict, lab.commit(run_id=run, deadline=4), original, "4 s")
    _start_as_before()
    verdict.good_run(SMALL)
    verdict.given_back(original)


def slow_start(verdict: Verdict) -> None:
    """The engine needs longer than the deadline with any file: it comes up by itself in the end."""
    original = _begin()
    lab.write(*lab.drop_in("slow", "[Service]\nExecStartPre=/bin/sleep 6\n"))
    lab.shell("systemctl daemon-reload")
    run = _written(verdict)
    verdict.refusal(lab.commit(run_id=run, deadline=2), ("2 s",))
    verdict.check(lab.facts() == original, "a rollback gives other bytes")
    verdict.engine_is_well(original.raw)
    lab.shell(f"rm {lab.DROP_INS}/slow.conf; systemctl daemon-reload")
    verdict.good_run(SMALL)
    verdict.given_back(original)


def engine_killed_once(verdict: Verdict) -> None:
    original = _begin()
    before = lab.main_pid()
    run = _written(verdict)
    module = Module("engine_commit", lab.commit_arguments(run_id=run))
    killed = lab.wait_until(lambda: lab.main_pid() not in (0, before), 20.0)
    verdict.check(killed, "the engine was never restarted")
    os.kill(lab.main_pid(), signal.SIGKILL)
    result = module.result()
    if result.failed:
        _went_back(verdict, result, original)
    verdict.engine_is_well(original.raw)
    verdict.good_run(SMALL)
    verdict.given_back(original)


def engine_killed_again(verdict: Verdict) -> None:
    """Each engine that reads the new file is killed, until the run gives up."""
    original = _begin()
    before = lab.main_pid()
    run = _written(verdict)
    module = Module("engine_commit", lab.commit_arguments(run_id=run, deadline=8))
    kills = 0
    while module.running():
        pid = lab.main_pid()
        if (
            pid not in (0, before)
            and b"icc" in (lab.facts().raw or b"")
            and lab.argv_of(pid)[:1] == ["/usr/sbin/dockerd"]
        ):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
        time.sleep(0.05)
    verdict.check(kills > 0, "nothing was killed")
    _went_back(verdict, module.result(), original)
    verdict.good_run(SMALL)
    verdict.given_back(original)


def start_limit(verdict: Verdict) -> None:
    """A unit that was started too often; its file was mended by hand since."""
    lab.write(CONFIG, b'{"debug": true,}\n')
    for _try in range(5):
        lab.shell("systemctl restart docker.service", check=False)
    lab.wait_until(lambda: lab.show("docker.service", "ActiveState")["ActiveState"] == "failed", 30.0)
    verdict.check(not lab.answers(), "the set-up leaves the engine up")
    lab.write(CONFIG, OLD)
    original = lab.facts()
    verdict.good_run(SMALL)
    verdict.given_back(original)


def stopped_on_purpose(verdict: Verdict) -> None:
    """Settings are written and checked, an engine that somebody stopped is not started; its next start finds them."""
    original = _begin()
    lab.shell("systemctl stop docker.service docker.socket")
    run_id = _written(verdict)
    done = lab.commit(run_id=run_id)
    verdict.worked(done, "commit while stopped")
    verdict.check("was stopped before this run" in done.output, f"no word about the stopped engine: {done.output}")
    verdict.check(not lab.answers(), "an engine that was stopped on purpose was started")
    quiet = lab.present(SMALL)
    verdict.check(not quiet.answer.get("commit_required", True), "a stopped engine is to be committed again")
    lab.start_engine()
    for problem in lab.ineffective(SMALL):
        verdict.check(False, f"after its next start: {problem}")
    verdict.good_run(SMALL)
    verdict.given_back(original)


def started_by_nobody(verdict: Verdict) -> None:
    """The engine crashed for good: a run without changes starts it again."""
    original = _begin()
    verdict.good_run(SMALL)
    lab.write(*lab.drop_in("refuse", "[Service]\nRestart=no\n"))
    lab.shell("systemctl daemon-reload")
    os.kill(lab.main_pid(), signal.SIGKILL)
    lab.wait_until(lambda: lab.show("docker.service", "ActiveState")["ActiveState"] == "failed", 20.0)
    verdict.check(not lab.answers(), "the set-up leaves the engine up")
    _start_as_before()
    verdict.good_run(SMALL)
    verdict.given_back(original)


def port_in_use(verdict: Verdict) -> None:
    """A drop-in adds a listener, and somebody else has that port."""
    original = _begin(None)
    _certificates()
    flags = f"--tlsverify --tlscacert {SCRATCH}/ca.pem --tlscert {SCRATCH}/cert.pem --tlskey {SCRATCH}/key.pem"
    text = f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd {STOCK} -H tcp://127.0.0.1:2376 {flags}\n"
    lab.write(*lab.drop_in("tls", text))
    lab.shell("systemctl daemon-reload")
    pid = lab.main_pid()
    with lab.listening(2376):
        verdict.refusal(lab.present(SMALL), ("2376",))
        verdict.check(lab.facts() == original and lab.main_pid() == pid, "a refused run changed something")
        verdict.engine_is_well(original.raw)
    verdict.good_run(SMALL)
    listeners = [entry for entry in lab.engine_info()["listeners"] if entry["port"] == 2376]
    verdict.check([entry["plaintext"] for entry in listeners] == [False], f"the TLS listener is shown as {listeners}")
    verdict.given_back(original)


def metrics_port_in_use(verdict: Verdict) -> None:
    _begin(None)
    lab.write(CONFIG, b'{"metrics-addr": "127.0.0.1:9323", "experimental": true}\n')
    original = lab.facts()
    with lab.listening(9323):
        result = lab.present(SMALL)
        if not result.failed:
            result = lab.commit(run_id=result.answer["run_id"])
        verdict.refusal(result, ("9323",))
        verdict.check(lab.facts() == original, "daemon.json is another one")
        verdict.engine_is_well(original.raw)
    verdict.good_run(SMALL)
    verdict.given_back(original)


def _certificates() -> None:
    lab.shell(
        f"mkdir -p {SCRATCH}; cd {SCRATCH}; openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=corpus "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem 2>/dev/null; cp cert.pem ca.pem"
    )


def foreign_kills_engine(verdict: Verdict) -> None:
    """The administrator's unread change kills the engine when our restart reads it: ours must not leave it down."""
    original = _begin()
    lab.write(CONFIG, b'{\n  "debug": true,\n  "labels": ["deadly=1"]\n}\n')
    pending = lab.facts()
    _refuse_start("deadly")
    result = lab.present(SMALL)
    if not result.failed:
        result = lab.commit(run_id=result.answer["run_id"])
    verdict.refusal(result, ("deadly",))
    verdict.check(lab.wait_until(lab.answers, lab.START_SECONDS), "the engine is down because of a foreign change")
    verdict.check(lab.facts().raw in (original.raw, pending.raw), f"daemon.json is {lab.facts().raw!r}")
    lab.write(CONFIG, OLD)
    _start_as_before()
    verdict.good_run(SMALL)
    verdict.given_back(original)


def _unread(verdict: Verdict, config: bytes, *says: str) -> None:
    """A setting that the engine has not read yet and dies of: refused, or taken back after the failed start."""
    original = _begin()
    lab.write(CONFIG, config)
    pending = lab.facts()
    result = lab.present(SMALL)
    if not result.failed:
        result = lab.commit(run_id=result.answer["run_id"])
    verdict.refusal(result, says)
    verdict.check(lab.wait_until(lab.answers, lab.START_SECONDS), "the engine is down because of a foreign change")
    verdict.check(lab.facts().raw in (original.raw, pending.raw), f"daemon.json is {lab.facts().raw!r}")
    lab.write(CONFIG, OLD)
    verdict.good_run(SMALL)
    verdict.given_back(original)


def unread_storage_driver(verdict: Verdict) -> None:
    _unread(verdict, b'{"storage-driver": "aufs"}\n', "AUFS", "not supported")


def unread_userns(verdict: Verdict) -> None:
    _unread(verdict, b'{"userns-remap": "corpus-user"}\n', "corpus-user")


# --- disks -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _small_disk(path: str) -> Iterator[Callable[[], None]]:
    """Mount a small file system there; the function that it gives fills it up."""
    os.makedirs(path, exist_ok=True)
    lab.shell(
        f"cp -a {path} /etc/docker-saved; mount -t tmpfs -o size=64k corpus {path}; cp -a /etc/docker-saved/. {path}/"
    )
    lab.shell("rm -r /etc/docker-saved")
    try:
        yield lambda: lab.shell(f"cat /dev/zero > {path}/filler 2>/dev/null || true")
    finally:
        lab.shell(f"umount {path}")


def disk_fills_before_commit(verdict: Verdict) -> None:
    """No space for the record when the commit wants to note its success."""
    with _small_disk(RECORD_ROOT) as fill:
        original = _begin()
        verdict.worked(lab.present(SMALL), "present")
        fill()
        result = lab.commit()
        if result.failed:
            verdict.refusal(result, (RECORD_ROOT, "free space"))
        verdict.engine_is_well(original.raw)
        os.unlink(RECORD_ROOT + "/filler")
        verdict.good_run(SMALL)
        removal = lab.absent()
        verdict.worked(removal, "absent")
        verdict.worked(lab.commit(), "the commit of the removal")
        verdict.check(lab.facts() == original, "removal gives other bytes")


def disk_fills_before_rollback(verdict: Verdict) -> None:
    """No space under /etc/docker when the old file has to come back."""
    with _small_disk(DIRECTORY) as fill:
        original = _begin()
        run = _written(verdict)
        new = lab.facts()
        _refuse_start("icc")
        fill()
        verdict.refusal(lab.commit(run_id=run), ())
        verdict.check(lab.wait_until(lab.answers, lab.START_SECONDS), "the engine is down: no space to go back")
        verdict.check(lab.facts() in (original, new), f"daemon.json is {lab.facts()!r}")
        os.unlink(DIRECTORY + "/filler")
        _start_as_before()
        verdict.good_run(SMALL)
        verdict.given_back(original)


def read_only_before_rollback(verdict: Verdict) -> None:
    """/etc/docker becomes read-only between the write and the commit."""
    original = _begin()
    run = _written(verdict)
    new = lab.facts()
    _refuse_start("icc")
    lab.shell(f"mount --bind {DIRECTORY} {DIRECTORY}; mount -o remount,bind,ro {DIRECTORY}")
    verdict.refusal(lab.commit(run_id=run), ())
    verdict.check(lab.wait_until(lab.answers, lab.START_SECONDS), "the engine is down: the old file cannot come back")
    verdict.check(lab.facts() in (original, new), f"daemon.json is {lab.facts()!r}")
    lab.shell(f"umount {DIRECTORY}")
    _start_as_before()
    verdict.good_run(SMALL)
    verdict.given_back(original)


def symlink(verdict: Verdict) -> None:
    lab.write(SCRATCH + "/real.json", OLD, mode=0o640)
    os.symlink(SCRATCH + "/real.json", CONFIG)
    lab.start_engine()
    original = lab.facts()
    verdict.good_run(SMALL)
    verdict.check(lab.facts().link == original.link, "the symbolic link was replaced by a file")
    verdict.check(os.path.samefile(CONFIG, SCRATCH + "/real.json"), "the link's target is another file")
    verdict.given_back(original)


def symlink_nowhere(verdict: Verdict) -> None:
    """daemon.json is a link to a file that does not exist: for the engine there is no file."""
    os.makedirs(SCRATCH)
    os.symlink(SCRATCH + "/real.json", CONFIG)
    original = _begin(None)
    verdict.good_run(SMALL)
    verdict.check(lab.facts().link == original.link, "the symbolic link was replaced by a file")
    verdict.given_back(original)


# --- containers ------------------------------------------------------------------------------------------------------


def containers_live(verdict: Verdict) -> None:
    """live-restore is on already: all settings of the role, and the containers do not notice."""
    original = _begin(b'{"live-restore": true}\n')
    before = {name: lab.start_container(name) for name in ("one", "two")}
    run = lab.present(BASE)
    verdict.worked(run, "present")
    verdict.check("icc" in run.answer.get("deferred", []), f"icc is not announced as deferred: {run.answer}")
    result = lab.commit(run_id=run.answer["run_id"])
    verdict.worked(result, "commit")
    verdict.check("icc" in str(result.answer.get("warnings")), f"no warning about icc: {result.answer}")
    verdict.check(lab.containers() == before, f"containers {before} became {lab.containers()}")
    for problem in lab.ineffective(BASE, icc_deferred=True):
        verdict.check(False, problem)
    found = " ".join(lab.engine_info()["divergences"])
    verdict.check("icc" in found, f"engine_info does not see that icc waits: {found}")
    verdict.check("no-new-privileges" in found, f"engine_info does not see the older containers: {found}")
    again = lab.present(BASE)
    verdict.check(not again.answer["changed"] and not again.answer["commit_required"], f"not quiet: {again.answer}")
    verdict.check(lab.containers() == before, "the second run touched the containers")
    allowed = lab.present(BASE, allow_container_stop=True)
    verdict.worked(lab.commit(run_id=allowed.answer["run_id"], allow_container_stop=True), "the allowed stop")
    for problem in lab.ineffective(BASE):
        verdict.check(False, f"after the allowed stop: {problem}")
    verdict.check(set(lab.containers()) == set(before), f"not all containers run again: {lab.containers()}")
    verdict.given_back(original, options={"allow_container_stop": True})


def containers_enable_first(verdict: Verdict) -> None:
    """live-restore is off and wanted: it is switched on by a reload before the restart."""
    original = _begin(None)
    before = {name: lab.start_container(name) for name in ("one", "two")}
    verdict.good_run(BASE, icc_deferred=True)
    verdict.check(lab.containers() == before, f"containers {before} became {lab.containers()}")
    refused = lab.absent()
    verdict.refusal(refused, ("engine_allow_container_stop", "one", "two"))
    verdict.check(lab.containers() == before, "a refused removal touched the containers")
    verdict.check(b"icc" in (lab.facts().raw or b""), "a refused removal changed the file")
    verdict.given_back(original, options={"allow_container_stop": True})
    verdict.check(set(lab.containers()) == set(before), f"not all containers run again: {lab.containers()}")


def containers_refused(verdict: Verdict) -> None:
    """Neither live-restore nor leave to stop containers: refused before anything is written."""
    original = _begin()
    before = {"one": lab.start_container("one")}
    wanted = {"icc": False, "log-driver": "json-file"}
    result = lab.present(wanted)
    verdict.refusal(result, ("one", "daemon_baseline_live_restore", "engine_allow_container_stop"))
    verdict.check(lab.facts() == original, "a refused run changed daemon.json")
    verdict.check(lab.containers() == before, "a refused run touched the container")
    verdict.good_run(wanted, options={"allow_container_stop": True})
    verdict.check(set(lab.containers()) == {"one"}, f"the container does not run again: {lab.containers()}")
    verdict.given_back(original, options={"allow_container_stop": True})


def containers_reload(verdict: Verdict) -> None:
    """Settings that a reload brings into force: no restart at all."""
    original = _begin()
    before = {"one": lab.start_container("one")}
    pid = lab.main_pid()
    verdict.good_run({"live-restore": True, "default-cgroupns-mode": "private"})
    verdict.check(lab.main_pid() == pid, "the engine was restarted for reloadable settings")
    verdict.check(lab.containers() == before, "the container was touched")
    verdict.given_back(original, options={"allow_container_stop": True})


def containers_rolled_back(verdict: Verdict) -> None:
    """A rollback under live-restore keeps the containers, too."""
    original = _begin(b'{"live-restore": true}\n')
    before = {"one": lab.start_container("one")}
    _refuse_start("icc")
    run = _written(verdict)
    _went_back(verdict, lab.commit(run_id=run), original)
    verdict.check(lab.containers() == before, f"containers {before} became {lab.containers()}")
    _start_as_before()
    verdict.good_run(SMALL, icc_deferred=True)
    verdict.given_back(original, options={"allow_container_stop": True})


def containers_auto_remove(verdict: Verdict) -> None:
    """A container that removes itself when it stops is not asked to come back."""
    original = _begin()
    lab.start_container("gone", "--rm")
    lab.start_container("stays")
    verdict.good_run({"icc": False, "log-driver": "json-file"}, options={"allow_container_stop": True})
    verdict.check(set(lab.containers()) == {"stays"}, f"containers are {lab.containers()}")
    verdict.given_back(original, options={"allow_container_stop": True})


def swarm(verdict: Verdict) -> None:
    """live-restore on a swarm node."""
    original = _begin(None)
    lab.shell("docker swarm init --advertise-addr 127.0.0.1")
    verdict.refusal(lab.present(SMALL), ("swarm", "daemon_baseline_live_restore"))
    verdict.check(lab.facts() == original, "a refused run changed daemon.json")
    verdict.engine_is_well(original.raw)
    verdict.good_run({"icc": False, "log-driver": "json-file"})
    verdict.given_back(original)


# --- other runs ------------------------------------------------------------------------------------------------------


def died_before_restart(verdict: Verdict) -> None:
    original = _begin()
    verdict.worked(lab.present(BASE), "present")
    verdict.check(lab.engine_info()["uncommitted"] is True, "engine_info does not see the unfinished run")
    again = lab.present(BASE)
    verdict.check(not again.answer.get("changed", True), f"the second run writes again: {again.answer}")
    verdict.check(again.answer.get("commit_required") is True, f"the second run wants no restart: {again.answer}")
    verdict.worked(lab.commit(run_id=again.answer["run_id"]), "commit")
    for problem in lab.ineffective(BASE):
        verdict.check(False, problem)
    verdict.given_back(original)


def died_then_removed(verdict: Verdict) -> None:
    """The next run after an unfinished one is a removal."""
    original = _begin()
    pid = lab.main_pid()
    verdict.worked(lab.present(BASE), "present")
    verdict.given_back(original)
    verdict.check(lab.main_pid() == pid, "the engine was restarted although it never read the settings")


def died_then_changed(verdict: Verdict) -> None:
    """The next run after an unfinished one wants other values."""
    original = _begin()
    verdict.worked(lab.present({**SMALL, "log-level": "warn"}), "present")
    verdict.good_run({"icc": False, "log-driver": "json-file", "log-level": "info"})
    verdict.given_back(original)


def one_restart(verdict: Verdict) -> None:
    """All settings of the role cost one restart; a run without changes costs none."""
    original = _begin(None)
    moment = _moment()
    run = lab.present(BASE)
    verdict.worked(run, "present")
    verdict.worked(lab.commit(run_id=run.answer["run_id"]), "commit")
    verdict.check(_starts_since(moment) == 1, f"{_starts_since(moment)} starts of the engine")
    moment = _moment()
    for _again in range(2):
        verdict.check(lab.present(BASE).answer.get("changed") is False, "a later run changes something")
        verdict.check(lab.commit().answer.get("changed") is False, "a later commit changes something")
    verdict.check(_starts_since(moment) == 0, "runs without changes started the engine")
    verdict.given_back(original)


def two_owners(verdict: Verdict) -> None:
    """Two roles in one run: one restart; removed one after the other."""
    original = _begin()
    lab.write(SCRATCH + "/profile.json", PROFILE)
    moment = _moment()
    first = lab.present(SMALL)
    verdict.worked(first, "the first owner")
    second = lab.present(SECCOMP, "seccomp", run_id=first.answer["run_id"], lease=60)
    verdict.worked(second, "the second owner")
    verdict.worked(lab.commit(run_id=second.answer["run_id"], lease=60), "commit")
    verdict.check(_starts_since(moment) == 1, f"{_starts_since(moment)} starts of the engine")
    security = str(lab.api("GET", "/info")[1]["SecurityOptions"])
    verdict.check(SCRATCH in security, f"the profile is not in force: {security}")
    for problem in lab.ineffective(SMALL):
        verdict.check(False, problem)
    verdict.worked(lab.absent(), "removal of the first owner")
    verdict.worked(lab.commit(), "its commit")
    verdict.check(set(json.loads(lab.facts().raw or b"{}")) == {"debug", "seccomp-profile"}, f"{lab.facts().raw!r}")
    verdict.worked(lab.absent("seccomp"), "removal of the second owner")
    verdict.worked(lab.commit(), "its commit")
    verdict.check(lab.facts() == original, "removal gives other bytes")
    verdict.check(not os.path.exists(RECORD_ROOT), "the record is still there")


def two_runs(verdict: Verdict) -> None:
    """Two runs at once: the second waits until the first has restarted the engine, then both are in force."""
    original = _begin()
    lab.write(SCRATCH + "/profile.json", PROFILE)
    moment = _moment()
    options = {"lease": 60, "patience": 60}
    runs = [
        Module("daemon_config", lab.present_arguments(SMALL, **options)),
        Module("daemon_config", lab.present_arguments(SECCOMP, "seccomp", **options)),
    ]
    lab.wait_until(lambda: not all(run.running() for run in runs), 30.0)
    runs.sort(key=lambda run: run.running())
    first = runs[0].result()
    verdict.worked(first, "the first run")
    time.sleep(1.5)
    verdict.check(runs[1].running(), "the second run did not wait")
    verdict.worked(lab.commit(run_id=first.answer["run_id"], **options), "the first commit")
    second = runs[1].result()
    verdict.worked(second, "the second run")
    verdict.worked(lab.commit(run_id=second.answer["run_id"], **options), "the second commit")
    verdict.check(_starts_since(moment) == 2, f"{_starts_since(moment)} starts of the engine")
    verdict.check(SCRATCH in str(lab.api("GET", "/info")[1]["SecurityOptions"]), "the profile is not in force")
    for problem in lab.ineffective(SMALL):
        verdict.check(False, problem)
    verdict.worked(lab.absent("seccomp"), "removal of one owner")
    verdict.worked(lab.commit(), "its commit")
    verdict.given_back(original)


def lease_refuses(verdict: Verdict) -> None:
    original = _begin()
    lab.write(SCRATCH + "/profile.json", PROFILE)
    first = lab.present(SMALL, lease=60)
    verdict.worked(first, "the first run")
    new = lab.facts()
    verdict.refusal(lab.present(SECCOMP, "seccomp", lease=60, patience=1), ("another run",))
    verdict.refusal(lab.commit(run_id="somebody", lease=60, patience=1), ("another run",))
    verdict.check(lab.facts() == new, "a refused run changed daemon.json")
    verdict.engine_is_well(original.raw)
    verdict.worked(lab.commit(run_id=first.answer["run_id"], lease=60), "the first commit")
    verdict.good_run(SMALL)
    verdict.given_back(original)


def lease_runs_out(verdict: Verdict) -> None:
    """The first run is gone; the second one takes over when the lease is over, and finishes the work of both."""
    original = _begin()
    lab.write(SCRATCH + "/profile.json", PROFILE)
    first = lab.present(SMALL, lease=3)
    second = lab.present(SECCOMP, "seccomp", lease=3, patience=20)
    verdict.worked(second, "the second run")
    verdict.worked(lab.commit(run_id=second.answer["run_id"], lease=3), "its commit")
    for problem in lab.ineffective(SMALL):
        verdict.check(False, problem)
    late = lab.commit(run_id=first.answer["run_id"], lease=3)
    verdict.worked(late, "the late commit of the first run")
    verdict.check(late.answer.get("changed") is False, "the late commit did something")
    verdict.worked(lab.absent("seccomp"), "removal of one owner")
    verdict.worked(lab.commit(), "its commit")
    verdict.given_back(original)


def rolled_back_by_another(verdict: Verdict) -> None:
    """The run that takes over has to take back what the first one wrote: the first one is told."""
    original = _begin()
    lab.write(SCRATCH + "/profile.json", PROFILE)
    _refuse_start("seccomp")
    first = lab.present(SMALL)
    second = lab.present(SECCOMP, "seccomp")
    verdict.worked(second, "the second run")
    verdict.refusal(lab.commit(run_id=second.answer["run_id"]), ("Rolled back", "seccomp is not welcome"))
    verdict.check(lab.facts() == original, "the rollback gives other bytes")
    verdict.check(lab.answers(), "the engine is down")
    verdict.refusal(lab.commit(run_id=first.answer["run_id"]), ("another run", "take them back"))
    verdict.check(not os.path.exists(RECORD_ROOT), "the record stays after everybody was told")
    _start_as_before()
    verdict.good_run(SMALL)
    verdict.given_back(original)


def lock_held(verdict: Verdict) -> None:
    """Another process holds the lock for longer than the patience."""
    original = _begin()
    path = "/run/bulwark-docker/system.lock"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    holder = os.fork()
    if holder == 0:
        os.execvp("flock", ["flock", path, "sleep", "60"])
    verdict.check(lab.wait_until(lambda: b"sleep" in _tree(holder), 10.0), "the lock is not held")
    verdict.refusal(lab.present(SMALL, patience=1), ("another run", path))
    verdict.check(lab.facts() == original, "a refused run changed daemon.json")
    lab.shell(f"pkill -KILL -P {holder}; true")
    os.waitpid(holder, 0)
    verdict.engine_is_well(original.raw)
    verdict.good_run(SMALL)
    verdict.given_back(original)


def _tree(pid: int) -> bytes:
    return lab.shell(f"pgrep -a -P {pid}", check=False).encode()


def check_mode(verdict: Verdict) -> None:
    """Check mode tells what would change and leaves the whole file system as it is."""
    original = _begin(None)
    before = _snapshot()
    told = lab.present(BASE, _ansible_check_mode=True, _ansible_diff=True)
    verdict.check(told.answer.get("changed") is True, f"no change is announced: {told.answer}")
    verdict.check('"icc": false' in told.answer.get("diff", {}).get("after", ""), f"no diff: {told.answer}")
    verdict.worked(lab.commit(_ansible_check_mode=True), "commit in check mode")
    verdict.check(_snapshot() == before, f"check mode changed {sorted(set(_snapshot()) ^ set(before))[:6]}")
    run = lab.present(BASE)
    same = {key: run.answer.get(key) == told.answer.get(key) for key in ("reasons", "action", "deferred")}
    verdict.check(all(same.values()), f"check mode told another story: {same}")
    verdict.worked(lab.commit(run_id=run.answer["run_id"]), "commit")
    before = _snapshot()
    verdict.check(lab.absent(_ansible_check_mode=True).answer.get("changed") is True, "no removal is announced")
    verdict.check(_snapshot() == before, "check mode of a removal changed something")
    verdict.given_back(original)


def _snapshot() -> list[str]:
    skipped = "-path /var/log -prune -o -path /opt/bulwark-real -prune -o -path /tmp -prune -o"
    return lab.shell(
        f"find / /run/bulwark-docker /run/docker.sock -xdev {skipped} -printf '%p %m %U %G %s %T@ %C@\\n'", check=False
    ).splitlines()


# --- drift -----------------------------------------------------------------------------------------------------------


def edited_by_hand(verdict: Verdict) -> None:
    original = _begin()
    verdict.good_run(SMALL)
    text = (lab.facts().raw or b"").replace(b'"icc": false', b'"icc": true')
    verdict.check(b'"icc": true' in text, f"the set-up finds no icc in {text!r}")
    lab.write(CONFIG, text)
    lab.start_engine()
    run = lab.present(SMALL)
    verdict.check(run.answer.get("changed") is True, f"the drift was not seen: {run.answer or run.output}")
    verdict.worked(lab.commit(run_id=run.answer.get("run_id", "")), "commit")
    verdict.good_run(SMALL)
    verdict.given_back(original)


def removed_by_hand(verdict: Verdict) -> None:
    """The administrator removes daemon.json: the settings come back, and removal leaves nothing of ours."""
    _begin()
    verdict.good_run(SMALL)
    os.unlink(CONFIG)
    verdict.good_run(SMALL)
    verdict.worked(lab.absent(), "absent")
    verdict.worked(lab.commit(), "commit")
    left = json.loads(lab.facts().raw or b"{}")
    verdict.check(not set(left) & set(SMALL), f"our keys are still there: {left}")
    verdict.check(not os.path.exists(RECORD_ROOT), "the record is still there")
    verdict.engine_is_well(None)


def extended_by_hand(verdict: Verdict) -> None:
    """The administrator adds keys and another format while ours are in the file: both survive removal."""
    _begin()
    verdict.good_run(SMALL)
    data = {"labels": ["later=1"], **json.loads(lab.facts().raw or b"{}"), "shutdown-timeout": 20}
    lab.write(CONFIG, json.dumps(data, indent=7))
    lab.start_engine()
    verdict.good_run(SMALL)
    verdict.worked(lab.absent(), "absent")
    verdict.worked(lab.commit(), "commit")
    left = json.loads(lab.facts().raw or b"{}")
    verdict.check(left == {"labels": ["later=1"], "debug": True, "shutdown-timeout": 20}, f"removal leaves {left}")
    verdict.engine_is_well(None)


def reformatted_by_hand(verdict: Verdict) -> None:
    original = _begin()
    verdict.good_run(SMALL)
    lab.write(CONFIG, json.dumps(json.loads(lab.facts().raw or b"{}"), separators=(",", ":")))
    verdict.good_run(SMALL)
    verdict.given_back(original)


def broken_by_hand(verdict: Verdict) -> None:
    """The administrator breaks the file while ours are in it: refused, also removal; mended, removal works."""
    original = _begin()
    verdict.good_run(SMALL)
    good = lab.facts().raw or b""
    lab.write(CONFIG, good.replace(b"{", b"{,", 1))
    verdict.refusal(lab.present(SMALL), (CONFIG, "line 1"))
    verdict.refusal(lab.absent(), (CONFIG, "line 1"))
    verdict.refusal(lab.commit(), (CONFIG, "line 1"))
    verdict.check(lab.answers(), "the engine does not answer")
    lab.write(CONFIG, good)
    verdict.good_run(SMALL)
    verdict.given_back(original)


def settings_leave(verdict: Verdict) -> None:
    """A setting that is no longer wanted goes back to what was there."""
    original = _begin(b'{"log-level": "warn", "debug": true}\n')
    verdict.good_run({**SMALL, "log-level": "info"}, options={"override": True})
    verdict.good_run(SMALL)
    verdict.check(json.loads(lab.facts().raw or b"{}").get("log-level") == "warn", f"{lab.facts().raw!r}")
    verdict.good_run({"log-driver": "json-file"})
    verdict.given_back(original)


def command_line_drifts(verdict: Verdict) -> None:
    """A package brings another command line after the settings were in force: the next run restarts once."""
    original = _begin()
    verdict.good_run(SMALL)
    lab.write(*lab.drop_in("refuse", f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd {STOCK} --label rack=9\n"))
    lab.shell("systemctl daemon-reload")
    run = lab.present(SMALL)
    verdict.check(run.answer.get("changed") is False, f"the file was changed: {run.answer}")
    verdict.check(run.answer.get("commit_required") is True, f"the drift was not seen: {run.answer}")
    moment = _moment()
    verdict.worked(lab.commit(run_id=run.answer["run_id"]), "commit")
    verdict.check(_starts_since(moment) == 1, f"{_starts_since(moment)} starts of the engine")
    verdict.check("rack=9" in str(lab.api("GET", "/info")[1]["Labels"]), "the new command line is not in force")
    verdict.good_run(SMALL)
    _start_as_before()
    verdict.given_back(original)


def divergences(verdict: Verdict) -> None:
    """What reading daemon.json cannot show."""
    lab.write(CONFIG, b'{"live-restore": true}\n')
    lab.start_engine()
    lab.start_container("older")
    lab.write(CONFIG, b'{"live-restore": true, "icc": false, "no-new-privileges": true}\n')
    lab.write(f"{lab.SOCKET_DROP_INS}/tcp.conf", "[Socket]\nListenStream=127.0.0.1:2375\n")
    lab.restart_socket()
    lab.start_engine()
    report = lab.engine_info()
    text = " ".join(report["divergences"])
    icc = next(entry for entry in report["settings"] if entry["name"] == "icc")
    verdict.check(icc["configured"] is False and icc["effective"] is True, f"icc is shown as {icc}")
    verdict.check(icc["pending"] == "full_stop" and "icc" in text, f"icc is not pending: {icc}")
    plain = [entry for entry in report["listeners"] if entry["kind"] == "tcp"]
    verdict.check([(entry["port"], entry["plaintext"]) for entry in plain] == [(2375, True)], f"listeners: {plain}")
    verdict.check("2375" in text, f"no word about the open port: {text}")
    verdict.check(
        "older is older than no-new-privileges" in text or "older: is older" in text,
        f"no word about the container: {text}",
    )
    verdict.refusal(lab.present(SMALL), ("2375",))


# --- the listener with TLS -------------------------------------------------------------------------------------------

TLS_DROP_IN = f"{lab.DROP_INS}/zz-bulwark-tls.conf"
LISTENER = {
    "addresses": ["127.0.0.1"],
    "ca": f"{SCRATCH}/ca.pem",
    "certificate": f"{SCRATCH}/cert.pem",
    "key": f"{SCRATCH}/key.pem",
}
CERTIFICATES = f"""
mkdir -p {SCRATCH}; cd {SCRATCH}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca-key.pem -out ca.pem -subj /CN=ca
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj /CN=engine
printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\n' > extensions
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out cert.pem -extfile extensions
"""
STRANGER = """
import socket, ssl, sys, time
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
asked = 0
while True:
    for port, address in ((2375, "127.0.0.1"), (2376, "127.0.0.1"), (2376, "::1")):
        for wrap in (lambda plain: plain, context.wrap_socket):
            try:
                with socket.create_connection((address, port), timeout=1) as plain, wrap(plain) as stream:
                    stream.sendall(b"GET /version HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n")
                    answer = stream.recv(400)
                    asked += 1
            except OSError:
                continue
            if b" 200 " in answer.split(b"\\r\\n")[0]:
                print("SERVED", port, flush=True)
    print("asked", asked, flush=True)
    time.sleep(0.02)
"""
FOREIGN_FILES = (
    {"tls": False},
    {"tlsverify": False},
    {"tls": True, "tlsverify": False},
    {"hosts": ["tcp://127.0.0.1:2375"]},
    {"tlscacert": ""},
)
OPEN = ("daemon_config", lab.present_arguments({}, "daemon_tls", listener=LISTENER))
CLOSE = ("daemon_config", lab.absent_arguments("daemon_tls"))
OPTIONS_UNIT = f"""[Service]
EnvironmentFile=-{lab.DEFAULTS}
ExecStart=
ExecStart=/usr/sbin/dockerd {STOCK} $DOCKER_OPTS
"""


@contextlib.contextmanager
def _stranger(verdict: Verdict) -> Iterator[None]:
    """A client without a certificate that tries all the time, with TLS and without, and must never be served."""
    with subprocess.Popen(["python3", "-c", STRANGER], stdout=subprocess.PIPE, text=True) as client:
        try:
            yield
        finally:
            client.kill()
            said = client.communicate()[0].splitlines()
    verdict.check("SERVED" not in " ".join(said), "a client without a certificate was served")
    verdict.check(any(line.startswith("asked") and line != "asked 0" for line in said), "no port was ever open")


def _restart_anyhow() -> bool:
    lab.shell("systemctl daemon-reload; systemctl reset-failed docker.service; systemctl restart docker.service", False)
    return lab.answers()


def kill_listener(verdict: Verdict) -> None:
    lab.shell(CERTIFICATES)
    original = _begin()
    with _stranger(verdict):
        _sweep(verdict, original, (OPEN, COMMIT, CLOSE, COMMIT), 10, about=lab.DROP_INS)
    verdict.check(not os.path.exists(lab.DROP_INS), "removal leaves the directory of the drop-in")


def listener_fails_closed(verdict: Verdict) -> None:
    """Whatever somebody writes into daemon.json: no stranger is served, and the next start without it is right."""
    lab.shell(CERTIFICATES)
    original = _begin(None)
    verdict.worked(Module(*OPEN).result(), "opening the listener")
    verdict.worked(lab.commit(), "its commit")
    with _stranger(verdict):
        for content in FOREIGN_FILES:
            lab.write(CONFIG, json.dumps(content))
            _restart_anyhow()
            time.sleep(0.5)
        os.unlink(CONFIG)
        verdict.check(_restart_anyhow(), "the engine does not come back without the foreign file")
    verdict.worked(Module(*CLOSE).result(), "closing the listener")
    verdict.worked(lab.commit(), "its commit")
    verdict.check(lab.facts() == original, f"removal gives {lab.facts()!r}")
    verdict.check(not os.path.exists(lab.DROP_INS), "removal leaves the directory of the drop-in")


def listener_taken_over(verdict: Verdict) -> None:
    """A listener of the administrator, its flag in a drop-in and its TLS in daemon.json, changes hands and back."""
    lab.shell(CERTIFICATES)
    keys = {
        "tlsverify": True,
        "tlscacert": LISTENER["ca"],
        "tlscert": LISTENER["certificate"],
        "tlskey": LISTENER["key"],
    }
    lab.write(
        *lab.drop_in("own", f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd {STOCK} -H tcp://127.0.0.1:2376\n")
    )
    lab.shell("systemctl daemon-reload")
    original = _begin(json.dumps({**keys, "debug": True}, indent=1).encode())
    with _stranger(verdict):
        verdict.refusal(Module(*OPEN).result(), ("'tlsverify'", "engine_override"))
        verdict.check(lab.facts() == original, "a refused run wrote something")
        verdict.worked(lab.present({}, "daemon_tls", listener=LISTENER, override=True), "taking over")
        verdict.worked(lab.commit(), "its commit")
        flags = lab.argv_of(lab.main_pid())
        verdict.check(flags.count("tcp://127.0.0.1:2376") == 1 and "--tlsverify" in flags, f"it runs with {flags}")
        verdict.check(json.loads(lab.facts().raw or b"") == {"debug": True}, f"the file is {lab.facts().raw!r}")
        verdict.worked(Module(*CLOSE).result(), "giving back")
        verdict.worked(lab.commit(), "its commit")
    verdict.check(lab.facts() == original, f"removal gives {lab.facts()!r} for {original!r}")
    verdict.check(not os.path.exists(TLS_DROP_IN), "removal leaves the drop-in")
    verdict.check(not os.path.exists(RECORD_ROOT), "removal leaves the record")


def listener_addresses(verdict: Verdict) -> None:
    """All addresses, and one of IPv6 alone, on a unit whose options come from a file."""
    lab.shell(CERTIFICATES)
    lab.write(*lab.drop_in("own", OPTIONS_UNIT))
    lab.write(lab.DEFAULTS, 'DOCKER_OPTS="--log-level=warn"\n')
    original = _begin()
    with _stranger(verdict):
        for address, family in (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6), ("::1", socket.AF_INET6)):
            listener = {**LISTENER, "addresses": [address]}
            verdict.worked(lab.present({}, "daemon_tls", listener=listener), f"listening on {address}")
            verdict.worked(lab.commit(), f"its commit ({address})")
            flags = lab.argv_of(lab.main_pid())
            verdict.check({"--log-level=warn", "--tlsverify", "fd://"} <= set(flags), f"it runs with {flags}")
            with socket.socket(family) as client:
                verdict.check(client.connect_ex(("::1" if ":" in address else "127.0.0.1", 2376)) == 0, f"no {address}")
            again = lab.present({}, "daemon_tls", listener=listener)
            verdict.check(again.answer.get("changed") is False, f"the second run changes something: {again.answer}")
        verdict.worked(Module(*CLOSE).result(), "closing the listener")
        verdict.worked(lab.commit(), "its commit")
    verdict.check(lab.facts() == original, f"removal gives {lab.facts()!r}")
    verdict.check(not os.path.exists(TLS_DROP_IN), "removal leaves the drop-in")


SCRIPTS: tuple[Script, ...] = (
    Script("listener-addresses", "a TLS listener on all addresses, and on IPv6 alone", listener_addresses),
    Script("listener-kill", "killed before each write of the drop-in with the TLS listener", kill_listener),
    Script("listener-fails-closed", "somebody rewrites daemon.json beside the TLS listener", listener_fails_closed),
    Script("listener-taken-over", "a TLS listener of the administrator is taken over", listener_taken_over),
    Script("kill-writes", "killed before each write of a whole life cycle, with a file", kill_writes),
    Script(
        "kill-writes-no-file", "killed before each write of a whole life cycle, without a file", kill_writes_no_file
    ),
    Script("kill-during-restart", "killed while systemctl restarts the engine", kill_during_restart),
    Script("kill-after-restart", "killed while waiting for the new engine", kill_after_restart),
    Script("kill-rollback", "killed before each write of a rollback", kill_rollback),
    Script("start-refused", "the engine does not start with the new file", refused_start),
    Script("start-refused-no-file", "the engine does not start with the first file", refused_start_no_file),
    Script("start-refused-removal", "the engine does not start without the settings", refused_removal),
    Script("start-hangs", "the engine hangs at start with the new file", hanging_start),
    Script("start-slow", "the engine needs longer than the deadline", slow_start),
    Script("engine-killed", "dockerd is killed while the commit waits for it", engine_killed_once),
    Script("engine-killed-again", "dockerd is killed each time it starts with the new file", engine_killed_again),
    Script("start-limit", "the unit has hit its start limit", start_limit),
    Script("stopped-on-purpose", "the engine was stopped on purpose", stopped_on_purpose),
    Script("crashed", "the engine crashed and nobody started it again", started_by_nobody),
    Script("port-in-use", "another process has the port of a new listener", port_in_use),
    Script("metrics-port-in-use", "another process has the port of metrics-addr", metrics_port_in_use),
    Script("foreign-kills-engine", "an unread foreign setting kills the engine at our restart", foreign_kills_engine),
    Script("unread-storage", "an unread storage driver that the kernel lacks", unread_storage_driver, until=(24,)),
    Script("unread-userns", "an unread userns-remap for nobody", unread_userns),
    Script("disk-fills-commit", "no space for the record at the end of a commit", disk_fills_before_commit),
    Script("disk-fills-rollback", "no space under /etc/docker for the rollback", disk_fills_before_rollback),
    Script("read-only-rollback", "/etc/docker is read-only when the rollback comes", read_only_before_rollback),
    Script("symlink", "daemon.json is a symbolic link", symlink),
    Script("symlink-nowhere", "daemon.json is a symbolic link to nothing", symlink_nowhere),
    Script("containers-live", "containers under live-restore keep running, icc is deferred", containers_live),
    Script("containers-enable-first", "live-restore is switched on before the restart", containers_enable_first),
    Script("containers-refused", "containers would have to stop", containers_refused),
    Script("containers-reload", "a reload is enough", containers_reload),
    Script("containers-rolled-back", "a rollback keeps the containers", containers_rolled_back),
    Script("containers-auto-remove", "containers that remove themselves", containers_auto_remove),
    Script("swarm", "live-restore on a swarm node", swarm),
    Script("died-before-restart", "a play died between write and restart", died_before_restart),
    Script("died-then-removed", "a play died, the next one removes", died_then_removed),
    Script("died-then-changed", "a play died, the next one wants something else", died_then_changed),
    Script("one-restart", "all settings cost one restart", one_restart),
    Script("two-owners", "two roles share one restart", two_owners),
    Script("two-runs", "two runs at once", two_runs),
    Script("lease-refuses", "another run is between write and restart", lease_refuses),
    Script("lease-runs-out", "another run never came back", lease_runs_out),
    Script("rolled-back-by-another", "another run took our settings back", rolled_back_by_another),
    Script("lock-held", "another process holds the lock", lock_held),
    Script("check-mode", "check mode changes nothing", check_mode),
    Script("edited-by-hand", "the administrator changed one of our values", edited_by_hand),
    Script("removed-by-hand", "the administrator removed the file", removed_by_hand),
    Script("extended-by-hand", "the administrator added keys", extended_by_hand),
    Script("reformatted-by-hand", "the administrator reformatted the file", reformatted_by_hand),
    Script("broken-by-hand", "the administrator broke the file", broken_by_hand),
    Script("settings-leave", "settings that are no longer wanted", settings_leave),
    Script("command-line-drifts", "the unit's command line changed", command_line_drifts),
    Script("divergences", "engine_info finds what the file does not show", divergences),
)
