# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine with mutual TLS, and a stranger who asked all the time since before it was installed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from proofs import (
    BUNDLE,
    SERVER,
    ProcessWatch,
    asked_so_far,
    encrypted_key_texts,
    knock,
    load,
    places_on_controller,
    private_texts,
    run_role,
    search_host,
)

CONFIG = "/etc/docker/daemon.json"
UNIT = "/usr/lib/systemd/system/docker.service"
PLACES = ("/etc", "/home", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var")


def keys_of(host):
    """The texts of the keys on the host, each with the place where it belongs."""
    found = {}
    for link in (f"{SERVER}/key.pem", f"{BUNDLE}/key.pem"):
        found[host.check_output(f"readlink -f {link}")] = private_texts(host.check_output(f"cat {link}"))
    return found


def authority_keys():
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "ca"
    return {path.parent.name: encrypted_key_texts(path.read_text("utf-8")) for path in folder.glob("*/key.pem")}


@pytest.fixture(scope="module")
def rotation(host):
    """A run that makes all leaves and one CA anew, with all that Ansible can tell, and every process watched."""
    before = {"asked": asked_so_far(host), "keys": keys_of(host)}
    host.check_output("systemd-run --unit=watch python3 /srv/proof/watch.py /srv/proof/processes")
    with ProcessWatch() as watch:
        log = run_role(host, "-vvv", "--diff")
    host.check_output("systemctl stop watch.service")
    keys = {**before["keys"], **keys_of(host)}
    return {"asked": before["asked"], "log": log, "seen": watch.seen, "keys": keys, "authorities": authority_keys()}


def test_forecast_on_the_virgin_host_left_no_trace(host):
    # Ansible itself has a directory for what it sends.
    noise = ("/root d ", "/root/.ansible")
    kept = load(host, "before")
    before, after = (
        [line for line in kept[name] if not line.startswith(noise)] for name in ("files_before", "files_after")
    )
    assert len(before) > 1000
    assert before == after


def test_open_door_would_not_be_refused(host):
    for port, more in ((2398, ""), (2399, f"{SERVER}/cert.pem {SERVER}/key.pem")):
        host.check_output(f"systemd-run --unit=door-{port} python3 /srv/proof/door.py {port} {more}")
        try:
            host.check_output(f"for turn in $(seq 100); do ss -tln | grep -q :{port} && exit; sleep 0.2; done; exit 1")
            asked = knock(host, port, 1)
            assert (asked.attempts, asked.answers) == (4, 2), asked
        finally:
            host.check_output(f"systemctl stop door-{port}.service")


def test_stranger_was_refused_through_the_rotation(host, rotation):
    now = asked_so_far(host)
    assert now.attempts > rotation["asked"].attempts + 40
    assert now.connections > rotation["asked"].connections + 20
    assert now.answers == 0


def test_every_leaf_was_made_anew(rotation):
    assert len(rotation["keys"]) == 4
    assert sorted(rotation["authorities"]) == ["docker", "second"]
    assert len({text for texts in rotation["keys"].values() for text in texts}) >= 12


def test_no_private_key_is_in_the_log_or_among_the_arguments_of_processes(host, rotation):
    log, seen = rotation["log"], b"\n".join(rotation["seen"])
    # The log and the lists hold what they should, or nothing could be found there.
    for part in ("BEGIN CERTIFICATE", "key.pem", "added.example.org", "ESTABLISH SSH CONNECTION"):
        assert part in log
    assert b"ansible-playbook" in seen
    processes = host.file("/srv/proof/processes").content
    assert b"--tlskey=" in processes
    assert len(processes.splitlines()) > 20
    texts = [text for group in ("keys", "authorities") for entry in rotation[group].values() for text in entry]
    assert len(texts) > 12
    assert [text for text in texts if text in log] == []
    assert [text for text in texts if text.encode() in seen or text.encode() in processes] == []


def test_keys_are_where_they_are_used_and_nowhere_else(host, rotation):
    found = search_host(host, {**rotation["keys"], **rotation["authorities"]}, *PLACES)
    print(f"{found['files']} files and {found['journal']} bytes of the journal searched")
    assert found["files"] > 1000
    assert found["journal"] > 10000
    # Handles of the kernel's, not files.
    assert [path for path in found["unreadable"] if "/netns/" not in path] == []
    assert {name: found["hits"][name] for name in rotation["authorities"]} == {"docker": [], "second": []}
    # A generation of before may be there still, for a rollback; a key is in no place but its own.
    for path in rotation["keys"]:
        assert set(found["hits"][path]) <= {path}
    assert sum(bool(found["hits"][path]) for path in rotation["keys"]) >= 2


def test_keys_of_the_host_never_reached_the_controller(rotation):
    count, hits = places_on_controller({**rotation["keys"], **rotation["authorities"]})
    assert count > 5
    assert {name: places for name, places in hits.items() if places} == {"docker": ["key.pem"], "second": ["key.pem"]}


def test_container_kept_its_process(host, rotation):
    kept = load(host, "before")["container"]
    assert int(kept) > 0
    assert host.check_output("docker inspect --format '{{.State.Pid}}' survivor") == kept
    assert host.file(f"/proc/{kept}").exists


def test_clients_reach_the_engine(host, rotation):
    version = host.check_output("docker version --format '{{.Server.Version}}'")
    ask = "docker {} version --format '{{{{.Server.Version}}}}'"
    assert host.check_output(ask.format("--tlsverify -H tcp://localhost:2376")) == version
    assert host.check_output(ask.format(f"--context {host.check_output('hostname')}")) == version


def test_foreign_rewrite_of_the_file_is_no_attack(host):
    before = host.file(CONFIG).content_string
    rewritten = json.dumps({**json.loads(before), "tls": False})
    try:
        host.check_output(f"echo '{rewritten}' >{CONFIG} && systemctl restart docker.service")
        assert host.check_output("docker info --format '{{.ServerVersion}}'") != ""
        asked = knock(host, 2376)
        assert (asked.connections, asked.answers) == (12, 0), asked
    finally:
        host.check_output(f"printf %s '{before}' >{CONFIG} && systemctl restart docker.service")
    assert host.file(CONFIG).content_string == before
    assert asked_so_far(host).answers == 0


def test_upgrade_that_changes_the_unit_is_told_and_mended(host):
    line = "systemctl show docker.service --property=ExecStart --value"
    host.check_output(f"cp -p {UNIT} /srv/proof/unit && sed -i '/^ExecStart=/s/$/ --log-level=warn/' {UNIT}")
    try:
        host.check_output("systemctl daemon-reload")
        assert "--log-level=warn" not in host.check_output(line)
        told = host.ansible("bulwark.docker.engine_info")["engine"]["listener"]
        assert len(told["drift"]) > 0
        run_role(host)
        assert "--log-level=warn" in host.check_output(line)
        assert "--tlsverify" in host.check_output(line)
        assert host.ansible("bulwark.docker.engine_info")["engine"]["listener"]["drift"] == []
    finally:
        host.check_output(f"cp -p /srv/proof/unit {UNIT} && systemctl daemon-reload")
    asked = asked_so_far(host)
    print(asked)
    assert asked.answers == 0
