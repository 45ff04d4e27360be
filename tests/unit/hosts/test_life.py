# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity of processes, locks, folders and the ssh configuration of the test hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from hostlab import container, layout, life, process, recipe, remote


@pytest.fixture
def place(tmp_path):
    return layout.Layout(tmp_path / "cache", tmp_path / "run")


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def test_start_time_tells_a_process_from_a_later_one_with_its_id(sleeper):
    began = process.start_time(sleeper.pid)
    assert began is not None
    assert process.alive(sleeper.pid, began)
    assert not process.alive(sleeper.pid, str(int(began) + 1))


def test_ended_process_has_no_start_time_even_before_its_parent_asks():
    child = subprocess.Popen(["true"])
    deadline = time.monotonic() + 10
    while process.start_time(child.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.wait()
    assert process.start_time(child.pid) is None


def test_stop_ends_a_process_that_ignores_sigterm():
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        process.stop(child.pid, process.start_time(child.pid), patience=0.3)
        assert child.wait(5) == -9


def test_stop_leaves_a_reused_id_alone(sleeper):
    process.stop(sleeper.pid, "1", patience=0.1)
    assert sleeper.poll() is None


def test_marked_finds_the_processes_of_one_host_only(tmp_path):
    ours = subprocess.Popen(["sleep", "60"], env={process.MARKER: str(tmp_path / "a")})
    other = subprocess.Popen(["sleep", "60"], env={process.MARKER: str(tmp_path / "ab")})
    try:
        deadline = time.monotonic() + 10
        while process.marked(tmp_path / "a") != [ours.pid]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        for child in (ours, other):
            child.kill()
            child.wait()


def test_failed_program_is_told_with_its_last_words():
    with pytest.raises(recipe.HostError, match=r"a step: 'sh' ended with status 3.*\nlast words"):
        process.run(["sh", "-c", "echo last words; exit 3"], what="a step")


def test_missing_program_is_told_with_the_remedy():
    with pytest.raises(recipe.HostError, match=r"no program 'no-such-program'.*hosts\.py deps"):
        process.run(["no-such-program"], what="a step")


def test_second_holder_of_a_lock_waits_then_gives_up(tmp_path):
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with layout.locked(tmp_path / "lock", 1, "first"):
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(10)
    try:
        with (
            pytest.raises(recipe.HostError, match=r"second: another process has held .*lock"),
            layout.locked(tmp_path / "lock", 0.3, "second"),
        ):
            pytest.fail("the lock was free")
    finally:
        leave.set()
        holder.join()
    with layout.locked(tmp_path / "lock", 0, "third"):
        assert (tmp_path / "lock").exists()


def test_layout_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("BULWARK_CACHE", str(tmp_path / "c"))
    monkeypatch.delenv("BULWARK_RUN", raising=False)
    assert layout.default_layout().ssh_config == tmp_path / "c" / "run" / "ssh_config"
    monkeypatch.setenv("BULWARK_RUN", str(tmp_path / "r"))
    assert layout.default_layout().ssh_config == tmp_path / "r" / "ssh_config"


@pytest.mark.parametrize("bad", ["a:b", "a,b", 'a"b'])
def test_cache_path_that_mount_would_misread_is_refused(monkeypatch, tmp_path, bad):
    monkeypatch.setenv("BULWARK_CACHE", str(tmp_path / bad))
    with pytest.raises(recipe.HostError, match="choose another"):
        layout.default_layout()


def test_run_path_too_long_for_sockets_is_refused(tmp_path):
    deep = layout.Layout(tmp_path, tmp_path / ("x" * 100))
    with pytest.raises(recipe.HostError, match="shorter"):
        deep.host("debian13-container")


def test_owner_that_does_not_run_is_refused(monkeypatch):
    monkeypatch.setenv("BULWARK_OWNER_PID", "no-number")
    with pytest.raises(recipe.HostError, match="BULWARK_OWNER_PID 'no-number'"):
        life.owner()
    monkeypatch.setenv("BULWARK_OWNER_PID", str(os.getpid()))
    assert life.owner() == f"{os.getpid()}:{process.start_time(os.getpid())}"
    monkeypatch.setenv("BULWARK_OWNER_PID", "")
    assert life.owner() is None


def test_record_of_a_dead_supervisor_is_no_running_host(place):
    folder = place.host("debian13-container")
    folder.mkdir(parents=True)
    assert not life.is_up(place, "debian13-container")
    (folder / "host.json").write_text(json.dumps({"supervisor": os.getpid(), "supervisor_start": "1"}))
    assert not life.is_up(place, "debian13-container")
    assert life.table(place)[0][1] == "left over"


def test_ssh_reads_the_generated_configuration(place):
    remote.write_config(place)
    folder = place.host("debian13-machine")
    folder.mkdir()
    (folder / "ssh.conf").write_text(remote.machine_entry("debian13-machine", 2222))
    said = subprocess.check_output(["ssh", "-G", "-F", place.ssh_config, "debian13-machine"], text=True).splitlines()
    for line in ("user root", "hostname 127.0.0.1", "port 2222", "batchmode yes", f"identityfile {place.key}"):
        assert line in said
    elsewhere = subprocess.check_output(["ssh", "-G", "-F", place.ssh_config, "other"], text=True).splitlines()
    assert "port 22" in elsewhere
    place.control.rmdir()


def test_container_is_told_everything_its_start_script_reads(place):
    script = (layout.Path(container.__file__).parent / "container-start.sh").read_text()
    folder = place.host("debian13-container")
    (folder / "data").mkdir(parents=True)
    told = container.environment(recipe.parse_host("debian13-container"), place.images / "r", folder, "/dev/pts/0")
    for name in ("ROOTFS", "DATA", "IO", "HOST_NAME", "CONSOLE", "MASKED", "CAPABILITIES", "DATA_TMPFS"):
        assert f"${name}" in script
        assert told[name]
    assert told["DATA_TMPFS"] in {"0", "1"}
