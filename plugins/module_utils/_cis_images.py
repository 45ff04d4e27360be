# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging images by their configuration and by the steps that made them (pure, private).

Steps are read as GET /images/ID/history shows them: of the classic builder ("/bin/sh -c #(nop)  ADD ...") and of
BuildKit ("ADD ... # buildkit"). They hold what people typed, secrets too, so that evidence names a step by its first
word and never quotes it.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Set, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._cis import (
    Control,
    Engine,
    Judge,
    Judgement,
    Snapshot,
    manual,
    not_applicable,
    over_objects,
    passed,
)

__all__ = ["IMAGES_JUDGES", "SECRET_NAME", "image_name"]

SECRET_NAME = re.compile(
    r"(?i)(?:^|[_-])(?:PASS|PASSWD|PASSWORD|PASSPHRASE|PWD|SECRET|TOKEN|CREDENTIALS?|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)"
    r"(?:[_-]|$)"
)
# Not secrets, but words about them, or the path of a file that holds one.
HARMLESS_NAME = re.compile(r"(?i)_(?:FILE|PATH|DIR|URL|LENGTH|POLICY|EXPIRY|TTL|TIMEOUT)$|^(?:PWD|OLDPWD)$")
ASSIGNMENT = re.compile(r"(?<![\w$-])-{0,2}([A-Za-z][A-Za-z0-9_-]{2,60})=(?!\s|$|[\"']?\$|\"\"|'')")
CLASSIC = "/bin/sh -c #(nop) "
REFRESH = re.compile(
    r"\b(?:apt-get|apt|apk|yum|dnf|microdnf|zypper)\b(?:\s+-\S+)*\s+(?:update|makecache|refresh|ref)\b"
)
INSTALL = re.compile(
    r"\b(?:apt-get|apt|apk|yum|dnf|microdnf|zypper)\b(?:\s+-\S+)*\s+"
    r"(?:install|add|in|upgrade|dist-upgrade|full-upgrade|build-dep|groupinstall|patch|up)\b"
)
# A dnf or yum "update" puts in newer packages itself.
SELF_SUFFICIENT = re.compile(r"\b(?:yum|dnf|microdnf|zypper)\b(?:\s+-\S+)*\s+update\b")
ADDED = re.compile(r"ADD\s+(?:--\S+\s+)*(\S+)")
# These leave the file system as it is. The root file system is added before anything else is done to it.
DESCRIBING = re.compile(
    r"(?:ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)\b|$"
)


def image_name(image: Mapping[str, Any]) -> str:
    """A name of an image; the beginning of its id where it has none."""
    names = [str(tag) for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"]
    names += [str(digest) for digest in image.get("RepoDigests") or [] if digest != "<none>@<none>"]
    return names[0] if names else str(image.get("Id") or "").partition(":")[2][:12]


def _used(engine: Engine) -> Set[str]:
    return {str(one.details.get("Image") or "") for one in engine.objects.containers}


def _judged(engine: Engine) -> List[Mapping[str, Any]]:
    """Images that have a name or a container; the others are left-overs of builds."""
    used = _used(engine)
    short = [(image, str(image.get("Id") or "")) for image in engine.objects.images]
    return [image for image, key in short if image_name(image) != key.partition(":")[2][:12] or key in used]


def _findings(
    engine: Engine, check: Callable[[Mapping[str, Any], Sequence[str]], Iterator[str]]
) -> List[Tuple[str, str]]:
    histories = engine.objects.histories
    return [
        (image_name(image), text)
        for image in _judged(engine)
        for text in check(image, histories.get(str(image.get("Id")), ()))
    ]


def _each(check: Callable[[Mapping[str, Any], Sequence[str]], Iterator[str]], good: str) -> Judge:
    """A judge that looks at every image by itself."""

    def judge(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
        return over_objects(_findings(engine, check), len(_judged(engine)), "images", good)

    return judge


def _health(image: Mapping[str, Any], steps: Sequence[str]) -> Iterator[str]:
    test = ((image.get("Config") or {}).get("Healthcheck") or {}).get("Test") or []
    if not test or test[0] == "NONE":
        yield "has no health check"


def _refresh_alone(image: Mapping[str, Any], steps: Sequence[str]) -> Iterator[str]:
    for number, step in enumerate(reversed(steps), 1):
        if REFRESH.search(step) and not INSTALL.search(step) and not SELF_SUFFICIENT.search(step):
            yield f"its step {number} reads the lists of packages and installs nothing"


def _instruction(step: str) -> str:
    """A step as it stood in the build file, as far as it is one of those that run no program."""
    return step[len(CLASSIC) :].strip() if step.startswith(CLASSIC) else step.strip()


def _adds(image: Mapping[str, Any], steps: Sequence[str]) -> Iterator[str]:
    ordered = [_instruction(step) for step in reversed(steps)]
    for number, step in enumerate(ordered, 1):
        found = ADDED.match(step)
        if not found:
            continue
        if found.group(1).lower().startswith(("http://", "https://", "ftp://", "git@")):
            yield f"its step {number} adds what a server hands out at that moment"
        elif not all(DESCRIBING.match(earlier) for earlier in ordered[: number - 1]):
            yield f"its step {number} uses ADD"


def _secret_names(image: Mapping[str, Any], steps: Sequence[str]) -> Iterator[str]:
    config = image.get("Config") or {}
    named = {str(entry).partition("=")[0] for entry in config.get("Env") or [] if str(entry).partition("=")[2]}
    typed = {name for step in steps for name in ASSIGNMENT.findall(step)} - named
    for where, names in (("environment", named), ("build steps", typed)):
        found = sorted(name for name in names if SECRET_NAME.search(name) and not HARMLESS_NAME.search(name))
        if found:
            yield f"a value is given to {', '.join(found[:10])} in its {where}"


def _judge_secrets(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    found, seen = _findings(engine, _secret_names), len(_judged(engine))
    if found or not seen:
        return over_objects(found, seen, "images", "")
    return manual(f"no name in {seen} images looks like that of a secret; look at {control.look}")


def _judge_sprawl(control: Control, snapshot: Snapshot, engine: Engine) -> Judgement:
    images = engine.objects.images
    if not images:
        return not_applicable("there are no images")
    used = _used(engine)
    idle = [image_name(image) for image in images if str(image.get("Id")) not in used]
    if not idle:
        return passed(f"each of {len(images)} images is used")
    return manual(f"{len(idle)} of {len(images)} images have no container; look at {control.look}", evidence=idle)


IMAGES_JUDGES: Dict[str, Judge] = {
    "image_health": _each(_health, "each has a health check"),
    "image_update_alone": _each(_refresh_alone, "none keeps old lists of packages in a step of its own"),
    "image_add": _each(_adds, "none uses ADD beyond its root file system"),
    "image_secrets": _judge_secrets,
    "image_sprawl": _judge_sprawl,
}
