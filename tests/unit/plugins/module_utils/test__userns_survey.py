# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a switch hides and breaks."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FileStat
from ansible_collections.bulwark.docker.plugins.module_utils._subid import Range
from ansible_collections.bulwark.docker.plugins.module_utils._userns_mapping import Mapping
from ansible_collections.bulwark.docker.plugins.module_utils._userns_survey import (
    Broken,
    Consent,
    Hidden,
    Kernel,
    can_search,
    image_names,
    is_anonymous,
    judge_container,
    kernel_problem,
    refusals,
    remaining,
)

MAPPING = Mapping((Range(231072, 65536),), (Range(331072, 65536),))
PATH = "/srv/x"
NONE, ALL = Consent(False, (), False), Consent(True, ("a", "b"), True)
HIDDEN = Hidden(("app:1",), ("web",), ("data",))


def container(user: str = "", mount: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    """Answer of GET /containers/ID/json."""
    return {"Name": "/web", "Config": {"User": user}, "HostConfig": config, "Mounts": [mount] if mount else []}


def bind(writes: bool = True, kind: str = "bind") -> dict[str, Any]:
    return {"Type": kind, "Source": PATH, "Destination": "/y", "RW": writes}


def path(kind: str, mode: int, uid: int = 0, gid: int = 0) -> dict[str, FileStat | None]:
    return {PATH: FileStat(kind, mode, uid, gid, 0, 0, 0)}


@pytest.mark.parametrize(
    ("config", "reasons"),
    [
        ({}, ()),
        ({"Privileged": True}, ("runs privileged",)),
        ({"NetworkMode": "host"}, ("shares the host's network",)),
        ({"PidMode": "host"}, ("shares the host's processes",)),
        ({"IpcMode": "host"}, ("shares the host's IPC",)),
        ({"UTSMode": "host", "CgroupnsMode": "host", "IpcMode": "shareable", "NetworkMode": "bridge"}, ()),
        ({"Privileged": True, "PidMode": "host"}, ("runs privileged", "shares the host's processes")),
        ({"Privileged": True, "NetworkMode": "host", "UsernsMode": "host"}, ()),
    ],
)
def test_namespaces_of_the_host_break(config: dict[str, Any], reasons: tuple[str, ...]) -> None:
    found = judge_container(container(**config), MAPPING, {})
    assert (found.reasons if found else ()) == reasons
    assert found is None or found.name == "web"


@pytest.mark.parametrize(
    ("user", "writes", "found", "works"),
    [
        ("", True, path("directory", 0o755), False),
        ("", False, path("directory", 0o755), True),
        ("", False, path("directory", 0o750), False),
        ("", True, path("directory", 0o777), True),
        ("", False, path("directory", 0o744), False),
        ("", False, path("file", 0o644), True),
        ("", True, path("file", 0o644), False),
        ("", False, path("file", 0o600), False),
        ("", True, path("directory", 0o700, 231072, 331072), True),
        ("", True, path("directory", 0o000, 231072 + 1000, 331072), True),
        ("1000", True, path("directory", 0o700, 231072, 331072), False),
        ("1000", True, path("directory", 0o700, 232072, 331072), True),
        ("1000:33", True, path("directory", 0o770, 0, 331105), True),
        ("1000:33", True, path("directory", 0o770, 0, 33), False),
        ("web", True, path("directory", 0o700, 231072, 331072), True),
        ("70000", True, path("directory", 0o777), False),
        ("", True, path("socket", 0o660, 0, 999), False),
        ("", False, path("socket", 0o660, 0, 999), False),
        ("", False, path("socket", 0o666), True),
        # Owned by the mapped root, but by a group of the host: the capabilities of root do not reach it.
        ("", True, path("directory", 0o077, 231072, 0), False),
        ("", True, {PATH: None}, True),
    ],
)
def test_bind_mounts_are_judged_as_the_kernel_does(
    user: str, writes: bool, found: dict[str, FileStat | None], works: bool
) -> None:
    assert (judge_container(container(user, bind(writes)), MAPPING, found) is None) is works


def test_a_mount_names_the_owner_that_is_needed() -> None:
    found = judge_container(container("1000:33", bind()), MAPPING, path("directory", 0o2755, 5, 6))
    assert found == Broken(
        "web",
        (
            "cannot read and write /srv/x (at /y), which belongs to 5:6 with mode 2755 and would have to belong to "
            "232072:331105",
        ),
    )


def test_volumes_are_no_bind_mounts() -> None:
    assert judge_container(container("", bind(kind="volume")), MAPPING, path("directory", 0o700)) is None


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (Kernel(True, None, None), ""),
        (Kernel(True, 15000, 0), ""),
        (Kernel(True, 0, 1), "user.max_user_namespaces is 0"),
        (Kernel(False, None, None), "no user namespaces"),
    ],
)
def test_kernel_limits(kernel: Kernel, words: str) -> None:
    problem = kernel_problem(kernel)
    assert bool(problem) is bool(words)
    assert words in problem


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "passes"),
    [
        (0o755, 0, 0, True),
        (0o710, 0, 0, False),
        (0o710, 0, 331072, True),
        (0o700, 231072, 0, True),
        (0o077, 231072, 0, False),
        (0o701, 0, 0, True),
    ],
)
def test_parents_let_the_mapped_root_pass(mode: int, uid: int, gid: int, passes: bool) -> None:
    assert can_search(FileStat("directory", mode, uid, gid, 0, 0, 0), 231072, 331072) is passes


def test_names_of_images_and_volumes_without_one() -> None:
    assert image_names({"Id": "sha256:a", "RepoTags": ["a:1", "b:1"]}) == ["a:1", "b:1"]
    assert image_names({"Id": "sha256:a", "RepoTags": None}) == ["sha256:a"]
    assert image_names({"Id": "sha256:a", "RepoTags": ["<none>:<none>"]}) == ["sha256:a"]
    assert is_anonymous({"Name": "f" * 64, "Labels": None})
    assert is_anonymous({"Name": "x", "Labels": {"com.docker.volume.anonymous": ""}})
    assert not is_anonymous({"Name": "data", "Labels": {"a": "b"}})


def test_consent_is_asked_for_each_thing() -> None:
    broken = [Broken("a", ("runs privileged", "shares the host's network")), Broken("b", ("runs privileged",))]
    words = refusals(HIDDEN, broken, ["web"], NONE, False)
    assert len(words) == 4
    assert "1 image(s): app:1; 1 container(s): web; 1 volume(s): data" in words[0]
    assert "userns_remap_accept_hidden: true, or bring images" in words[0]
    assert "the container a could not run any more: it runs privileged, and shares the host's network" in words[1]
    assert "adding 'b' to userns_remap_accept_broken" in words[2]
    assert "1 running container(s) would be lost to the engine: web" in words[3]
    assert refusals(HIDDEN, broken, ["web"], ALL, False) == []
    assert refusals(Hidden((), (), ()), [], [], NONE, False) == []
    assert len(refusals(HIDDEN, broken, ["web"], ALL._replace(broken=("b",)), True)) == 1
    assert "migrate" not in refusals(HIDDEN, [], [], NONE, True)[0]


def test_what_moves_does_not_stay_hidden() -> None:
    assert remaining(HIDDEN, Hidden(("app:1",), (), ("data",))) == Hidden((), ("web",), ())
    assert bool(HIDDEN) is True
    assert bool(Hidden((), (), ())) is False
