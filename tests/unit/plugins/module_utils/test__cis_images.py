# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are judged by their configuration and their steps, of both builders, and no secret is quoted."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.bulwark.docker.plugins.module_utils._cis_images import image_name
from ansible_collections.bulwark.docker.tests.unit.plugins.module_utils.cis_samples import (
    HISTORY,
    IMAGE,
    IMAGE_ID,
    KERNEL,
    OTHER_ID,
    container_of,
    details_of,
    engine_of,
    failures,
    verdicts,
)

PREFIX = "image_"
SECRET = "hunter2-Zp81"


def judged(config: dict[str, Any] | None = None, *steps: str) -> set[str]:
    """Controls that fail for an image with these members of Config and these steps on top, without their prefix."""
    image = copy.deepcopy(dict(IMAGE))
    image["Config"].update(config or {})
    engine = engine_of(images=(image,), histories={IMAGE_ID: (*steps, *HISTORY)})
    said = verdicts(engine, PREFIX)
    assert SECRET not in repr(said)
    return {name[len(PREFIX) :] for name in failures(engine, PREFIX)}


@pytest.mark.parametrize(
    ("config", "steps", "fails"),
    [
        ({}, (), set()),
        ({"Healthcheck": None}, (), {"health"}),
        ({"Healthcheck": {"Test": []}}, (), {"health"}),
        ({"Healthcheck": {"Test": ["NONE"]}}, (), {"health"}),
        ({}, ("/bin/sh -c apt-get update",), {"update_alone"}),
        ({}, ("RUN /bin/sh -c apt-get -q update # buildkit",), {"update_alone"}),
        ({}, ("/bin/sh -c apk update",), {"update_alone"}),
        ({}, ("/bin/sh -c dnf makecache",), {"update_alone"}),
        ({}, ("/bin/sh -c zypper --quiet refresh",), {"update_alone"}),
        ({}, ("/bin/sh -c apk update && apk add --no-cache curl",), set()),
        ({}, ("/bin/sh -c yum -y update",), set()),
        ({}, ("RUN /bin/sh -c apt-get update && apt-get -y --no-install-recommends install curl # buildkit",), set()),
        ({}, ("/bin/sh -c update-alternatives --all",), set()),
        ({}, ("/bin/sh -c #(nop) ADD file:9d35f9c0 in /file ",), {"add"}),
        ({}, ("ADD site.tar.gz /srv # buildkit",), {"add"}),
        ({}, ("ADD --chown=1000:1000 https://example.com/a.tgz /srv # buildkit",), {"add"}),
        ({}, ("COPY ADD /srv # buildkit",), set()),
        ({"Env": [f"DB_PASSWORD={SECRET}"]}, (), {"secrets"}),
        ({"Env": [f"API-KEY={SECRET}", f"github_token={SECRET}"]}, (), {"secrets"}),
        ({"Env": [f"AWS_SECRET_ACCESS_KEY={SECRET}"]}, (), {"secrets"}),
        ({"Env": ["DB_PASSWORD="]}, (), set()),
        ({"Env": ["DB_PASSWORD_FILE=/run/secrets/db", "TOKENIZER=fast", "PWD=/srv", "COMPASS=north"]}, (), set()),
        ({}, (f"/bin/sh -c curl -u u -d password={SECRET} https://example.com",), {"secrets"}),
        ({}, (f"|1 NPM_TOKEN={SECRET} /bin/sh -c npm ci",), {"secrets"}),
        ({}, (f"RUN /bin/sh -c login --password={SECRET} # buildkit",), {"secrets"}),
        ({}, ("/bin/sh -c login --password=$PASSWORD",), set()),
        ({}, ('/bin/sh -c TOKEN="$(cat /run/secrets/token)" npm ci',), set()),
        ({}, ("/bin/sh -c #(nop)  ENV DB_PASSWORD=",), set()),
    ],
)
def test_one_fault_fails_what_names_it(config: dict[str, Any], steps: tuple[str, ...], fails: set[str]) -> None:
    assert judged(config, *steps) == fails


def test_root_file_system_may_be_added_and_what_a_server_hands_out_may_not() -> None:
    for step, fails in (
        ("ADD rootfs.tar.xz / # buildkit", set()),
        ("/bin/sh -c #(nop) ADD file:966d in / ", set()),
        ("ADD https://example.com/rootfs.tar.xz / # buildkit", {"image_add"}),
    ):
        assert failures(engine_of(histories={IMAGE_ID: (step,)}), "image_add") == fails
        # An imported base has an empty first step; some bases are described before they are filled.
        for first in ("", "/bin/sh -c #(nop)  ARG RELEASE", "LABEL version=24.04 # buildkit"):
            engine = engine_of(histories={IMAGE_ID: (step, first)})
            assert failures(engine, "image_add") == fails
        for first in ("COPY rootfs / # buildkit", "/bin/sh -c true"):
            engine = engine_of(histories={IMAGE_ID: (step, first)})
            assert failures(engine, "image_add") == {"image_add"}


def test_findings_name_image_step_and_variable() -> None:
    image = {**IMAGE, "Config": {"Env": [f"DB_PASSWORD={SECRET}"], "Healthcheck": None}}
    steps = ("/bin/sh -c apt-get update", f"|1 TOKEN={SECRET} /bin/sh -c true", *HISTORY)
    said = verdicts(engine_of(images=(image,), histories={IMAGE_ID: steps}), PREFIX)
    assert said["image_update_alone"].findings == (
        ("good:1", "its step 6 reads the lists of packages and installs nothing"),
    )
    assert said["image_secrets"].findings == (
        ("good:1", "a value is given to DB_PASSWORD in its environment"),
        ("good:1", "a value is given to TOKEN in its build steps"),
    )


def test_no_sign_of_a_secret_is_no_proof() -> None:
    said = verdicts(engine_of(), "image_secrets")["image_secrets"]
    assert said.verdict == "manual"
    assert "build files" in said.reason


def test_leftovers_of_builds_count_as_sprawl_alone() -> None:
    nameless = {"Id": OTHER_ID, "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"], "Config": {}}
    used = container_of(details_of("26.1.5"), KERNEL)
    engine = engine_of(used, images=(IMAGE, nameless))
    said = verdicts(engine, PREFIX)
    assert failures(engine, PREFIX) == set()
    assert (said["image_sprawl"].verdict, said["image_sprawl"].evidence) == ("manual", (OTHER_ID[7:19],))
    assert verdicts(engine_of(used), PREFIX)["image_sprawl"].verdict == "pass"


def test_nameless_image_of_a_container_is_judged() -> None:
    details = details_of("26.1.5")
    nameless = {"Id": OTHER_ID, "RepoTags": [], "RepoDigests": [], "Config": {}}
    details["Image"] = OTHER_ID
    engine = engine_of(container_of(details, KERNEL), images=(nameless,))
    assert failures(engine, "image_health") == {"image_health"}


def test_names_of_images() -> None:
    assert image_name(IMAGE) == "good:1"
    assert image_name({"Id": OTHER_ID, "RepoDigests": ["web@sha256:1"]}) == "web@sha256:1"
    assert image_name({"Id": OTHER_ID, "RepoTags": None}) == OTHER_ID[7:19]


def test_engine_without_images_has_nothing_to_judge() -> None:
    said = verdicts(engine_of(images=(), histories={}), PREFIX)
    assert {one.verdict for one in said.values()} == {"not_applicable"}
