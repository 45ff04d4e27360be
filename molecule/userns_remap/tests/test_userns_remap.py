# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was refused and forecast before, and what the mapped engine is, shows and keeps out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from findings import attack, load, look, name_of

VERSIONS = {"debian12": "20.10.", "debian13": "26.1.", "testing": "28."}
BROKEN = {
    "agent": ["runs privileged"],
    "neighbour": ["shares the host's network"],
    "writer": ["cannot read and write /srv/owned (at /owned)"],
}
KEPT_VOLUMES = {"data", "empty", "scratch"}
# Name of a case in prepare.yml: words of the refusal, the remedy among them.
REFUSED = {
    "unknown user": "no such user on this host (variable userns_remap_user); make it first",
    "unknown uid": "no such user on this host (variable userns_remap_user); make it first",
    "missing group": "no group with the name 'nobody-knows-it'",
    "root": "name a user without privileges",
    "too many parts": "none of default, USER, USER:GROUP, UID and UID:GID",
    "small range": "65536",
    "overlapping list": "310000",
    "ids of somebody else": "alice",
}


@pytest.fixture(scope="module")
def before(host):
    return load(host, "before")


@pytest.fixture(scope="module")
def now(host):
    return look(host)


def test_the_host_is_of_its_generation(host):
    suite = name_of(host).partition("-")[0]
    assert host.check_output("docker version --format '{{.Server.Version}}'").startswith(VERSIONS[suite])


def test_preflight_names_exactly_what_is_hidden_and_what_breaks(before):
    survey, engine = before["survey"], before["engine"]
    assert survey["switching"] is True
    found = {entry["name"]: entry["reasons"] for entry in survey["broken"]}
    assert set(found) == set(BROKEN)
    for name, reasons in BROKEN.items():
        assert [text.startswith(words) for text, words in zip(found[name], reasons, strict=True)] == [True]
    mapped = "{uids[0][start]}:{gids[0][start]}".format(**survey["mapping"])
    assert found["writer"][0].endswith(f"belongs to 0:0 with mode 0755 and would have to belong to {mapped}")
    hidden = survey["hidden"]
    tags = {line.split()[1] for line in engine["images"] if "<none>" not in line}
    untagged = {line.split()[0] for line in engine["images"] if "<none>" in line}
    assert (len(tags), len(untagged)) == (4, 1)
    assert set(hidden["images"]) == tags | untagged
    assert set(hidden["containers"]) == {line.split()[1] for line in engine["containers"]}
    assert len(hidden["containers"]) == 7
    assert set(hidden["volumes"]) == set(engine["volumes"])
    assert set(survey["left_hidden"]["volumes"]) == set(engine["volumes"]) - KEPT_VOLUMES
    assert survey["left_hidden"]["images"] == []
    assert survey["running"] == ["service"]


def test_refusal_names_everything_and_the_variables(before):
    words = before["refusal"]
    hidden = before["survey"]["hidden"]
    assert [name for names in hidden.values() for name in names if name not in words] == []
    for variable in (
        "userns_remap_accept_hidden: true",
        "userns_remap_migrate: true",
        "engine_allow_container_stop: true",
        *(f"adding '{name}' to userns_remap_accept_broken" for name in BROKEN),
    ):
        assert variable in words


def test_refusals_and_forecast_changed_nothing(before):
    # The engine forgets networks of containers that ended before, when it likes to.
    earlier, later = (
        [line for line in before[name] if not line.startswith("/run/docker/netns")]
        for name in ("files_before", "files_after")
    )
    assert len(earlier) > 1000
    assert earlier == later
    first, second = before["processes"]
    assert int(first) > 0
    assert first == second


def test_forecast_named_the_changes_that_came(host, before):
    assert before["forecast"]["changed"] is True
    assert before["forecast"]["diff"]["after"] == host.file("/etc/docker/daemon.json").content_string
    assert set(before["saved"]["volumes"]) == KEPT_VOLUMES
    assert before["saved"]["images"] == sorted({line.split()[0] for line in before["engine"]["images"]})


def test_bad_input_is_refused_with_the_remedy(before):
    messages = {entry["item"]["name"]: entry.get("msg", "") for entry in before["bad"]}
    assert {name: words in messages[name] for name, words in REFUSED.items()} == dict.fromkeys(REFUSED, True), messages


def test_engine_maps_and_its_directories_have_the_modes_that_it_gives_them(host, now):
    assert now["mapped"] is True
    uid, gid = now["first"]
    survey = load(host, "before")["survey"]
    assert now["root"] == f"/var/lib/docker/{survey['target']}"
    seen = host.check_output(f"stat --format '%a %u:%g' /var/lib/docker {now['root']}").splitlines()
    assert seen == [f"710 0:{gid}", f"710 0:{gid}"]
    assert uid >= 100000 + 65536


def test_images_have_the_same_ids_and_volumes_the_same_content(now, before):
    assert now["images"] == before["engine"]["images"]
    assert set(now["volumes"]) == KEPT_VOLUMES
    for name in KEPT_VOLUMES - {"scratch"}:
        assert now["volumes"][name] == before["engine"]["volumes"][name]
    assert now["volumes"]["scratch"]["options"] == before["engine"]["volumes"]["scratch"]["options"]
    assert len(now["volumes"]["data"]["files"]) == 13
    assert now["containers"] == []


def test_access_list_and_capability_moved_with_their_ids(host, now):
    place = f"{now['root']}/volumes/data/_data"
    uid, gid = now["first"]
    script = "import os, struct, sys; print(*struct.unpack(sys.argv[3], os.getxattr(sys.argv[1], sys.argv[2])))"
    acl = host.check_output(f"python3 -c '{script}' {place}/of-nobody system.posix_acl_access '<I{'HHI' * 6}'").split()
    assert (acl[6], acl[12]) == (str(uid + 1000), str(gid + 33))
    capability = host.check_output(f"python3 -c '{script}' {place}/program security.capability '<6I'").split()
    assert capability == [str(0x03000001), "1024", "0", "0", "0", str(uid)]


def test_loaded_image_runs_and_reads_the_volume_as_its_root(host, now):
    made = host.check_output("docker run -d -v data:/data local/app:2 sh -c 'cat /layer2 /data/of-root; sleep 100'")
    try:
        pid = host.check_output(f"docker inspect --format '{{{{.State.Pid}}}}' {made}")
        assert host.check_output(f"stat --format %u /proc/{pid}") == str(now["first"][0])
        ranges = host.check_output("grep ^dockremap: /etc/subuid").split(":")
        assert host.check_output(f"cat /proc/{pid}/uid_map").split() == ["0", *ranges[1:]]
        assert host.check_output(f"docker logs {made}").splitlines() == ["layer 2", "secret"]
    finally:
        host.run(f"docker rm -f {made}")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("agent", "--privileged"),
        ("neighbour", "--network host"),
        ("writer", "--volume /srv/owned:/owned"),
        ("reader", "--volume /srv/owned:/owned:ro"),
        ("processes", "--pid host"),
        ("ipc", "--ipc host"),
        ("uts", "--uts host"),
        ("insider", "--userns host --network host --pid host"),
    ],
)
def test_containers_break_as_the_preflight_says(host, name, arguments):
    """Those that it calls broken do not run, and those that it does not run."""
    work = {"writer": "touch /owned/x", "reader": "cat /owned/."}.get(name, "id")
    work = "cd /owned" if name == "reader" else work
    done = host.run(f"docker run --rm {arguments} local/app:2 sh -c '{work}'")
    assert (done.rc == 0) is (name in ("reader", "uts", "insider")), done.stderr


def test_attacks_that_worked_are_refused(host, before):
    earlier = {result["id"]: result for result in before["attack"]["results"]}
    after = attack(host)
    assert len(after) == len(earlier) >= 5
    assert {name: result["verdict"] for name, result in earlier.items()} == dict.fromkeys(earlier, "not_blocked"), (
        earlier
    )
    assert {name: result["verdict"] for name, result in after.items()} == dict.fromkeys(earlier, "blocked"), after


def test_nothing_of_the_way_is_left(host):
    assert not host.file("/var/lib/bulwark-docker/spool").exists
    assert not host.file("/var/lib/bulwark-docker/userns").exists
    assert host.run("ls -d /var/lib/bulwark-probe-*").rc != 0


def test_ids_written_by_hand_stay_and_are_nobody_elses(host):
    for path in ("/etc/subuid", "/etc/subgid"):
        lines = host.file(path).content_string.splitlines()
        assert "alice:100000:65536" in lines
        [own] = [line for line in lines if line.startswith("dockremap:")]
        assert int(own.split(":")[1]) >= 165536
