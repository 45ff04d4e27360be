# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing one seccomp profile, or giving back what was there before (private).

Order: compose, lint, try, remember what is there, write. Whatever is refused is refused before anything is touched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import parse_document
from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    BulwarkError,
    ConfigError,
    EngineError,
    HostError,
    RefusedError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import FileStat, Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_lint import LintFinding, lint_profile
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_policy import (
    compose,
    merge_policies,
    parse_policy,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_profile import (
    parse_profile,
    profile_text,
    render_profile,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import MEASURED_VERSIONS
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_trial import try_profile
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version, parse_version

__all__ = ["Request", "apply_profile", "drop_unset"]

FORMAT = 1
MODE = 0o644
DIRECTORY_MODE = 0o755
RECORD_MODE = 0o600
RECORD_NAME = "seccomp.json"
LOCK_SECONDS = 120.0
API_SECONDS = 15.0
# Nothing below depends on the version here: only the form of the file does.
ANY_VERSION = Version(28, 0, 0)


class Request(NamedTuple):
    """What the user asked for: see the module seccomp_profile."""

    instance: Instance
    path: str
    present: bool
    policies: Optional[Tuple[Mapping[str, Any], ...]]
    content: Optional[str]
    waivers: Mapping[str, str]
    accept: Tuple[str, ...]
    engine_version: str
    probe: bool
    run_id: str
    check_mode: bool


class _Entry(NamedTuple):
    """One profile that was written: what was there before (None: nothing), and digests of what may be there now.

    There are two of them after an update, since a run may have been killed before the file was replaced.
    """

    before: Optional[bytes]
    mode: int
    uid: int
    gid: int
    written: Tuple[str, ...]
    directory: str  # where the file lies, if this collection made that; "" otherwise


class _Wanted(NamedTuple):
    raw: bytes
    version: Version
    findings: List[LintFinding]
    waived: List[Tuple[str, str]]


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


# -- what is remembered -----------------------------------------------------------------------------------------------


def _record_path(instance: Instance) -> str:
    return posixpath.join(posixpath.dirname(instance.state_path), RECORD_NAME)


def _read_record(host: Host, path: str) -> Dict[str, _Entry]:
    raw = host.read_file(path)
    if raw is None:
        return {}
    try:
        data = json.loads(raw)
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}")
        return {
            name: _Entry(
                None if item["before"] is None else base64.b64decode(item["before"], validate=True),
                int(item["mode"]),
                int(item["uid"]),
                int(item["gid"]),
                tuple(str(digest) for digest in item["written"]),
                str(item["directory"]),
            )
            for name, item in data["profiles"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"read what is remembered of seccomp profiles: {exc} ({path}); it was changed by hand or by a newer "
            "release; put it right or remove it"
        ) from exc


def _write_record(host: Host, path: str, entries: Mapping[str, _Entry]) -> None:
    if not entries:
        host.remove_file(path)
        directory = posixpath.dirname(path)
        host.remove_directory(directory)
        host.remove_directory(posixpath.dirname(directory))
        return
    profiles = {}
    for name, entry in sorted(entries.items()):
        before = None if entry.before is None else base64.b64encode(entry.before).decode("ascii")
        profiles[name] = {**entry._asdict(), "before": before}
    host.make_directory(posixpath.dirname(path), 0o700)
    text = json.dumps({"format": FORMAT, "profiles": profiles}, indent=1, sort_keys=True) + "\n"
    host.write_file(path, text.encode("utf-8"), RECORD_MODE, 0, 0)


# -- what is wanted ---------------------------------------------------------------------------------------------------


def drop_unset(value: Any) -> Any:
    """Plain data without the members that are None, as a module's options have them."""
    if isinstance(value, dict):
        return {key: drop_unset(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return tuple(drop_unset(item) for item in value)
    return value


def _info(host: Host, instance: Instance) -> Dict[str, Any]:
    answer = host.api(instance.api_socket, "GET", "/info", None, API_SECONDS)
    if answer.status != 200:
        raise EngineError(f"ask the engine for its version: status {answer.status} ({instance.api_socket})")
    return dict(json.loads(answer.body))


def _version(host: Host, request: Request) -> Version:
    if request.engine_version:
        return parse_version(request.engine_version)
    try:
        return parse_version(str(_info(host, request.instance)["ServerVersion"]))
    except HostError as exc:
        raise HostError(f"{exc}; or name the version with engine_version") from exc


def _wanted(host: Host, request: Request) -> _Wanted:
    version = _version(host, request)
    waived: List[Tuple[str, str]] = []
    names = set(request.waivers)
    if request.policies is not None:
        policy = merge_policies(
            [parse_policy(item, f"the policy number {number}") for number, item in enumerate(request.policies, 1)]
        )
        composition = compose(policy, version)
        raw = profile_text(render_profile(composition))
        waived = list(composition.waived)
        names |= {call for call, _reason in waived}
    else:
        raw = (request.content or "").encode("utf-8")
        waived = sorted(request.waivers.items())
    findings = lint_profile(raw, version, request.path, names)
    bad = [
        finding
        for finding in findings
        if finding.severity == "fatal" or (finding.severity == "weak" and finding.code not in request.accept)
    ]
    if bad:
        text = "\n".join(f"{finding.message} [{finding.code}]" for finding in bad)
        remedy = "correct it" if bad[0].severity == "fatal" else "correct it, or name the word in brackets in accept"
        raise RefusedError(f"write the seccomp profile {request.path}: it has mistakes; {remedy}\n{text}")
    return _Wanted(raw, version, findings, waived)


# -- doing it ---------------------------------------------------------------------------------------------------------


def _as_wanted(found: Optional[FileStat], instance: Instance) -> bool:
    return found is not None and (found.mode, found.uid, found.gid) == (MODE, instance.uid, instance.gid)


def _result(request: Request, changed: bool, before: bytes, after: bytes) -> Dict[str, Any]:
    result: Dict[str, Any] = {"changed": changed, "path": request.path, "warnings": []}
    if changed:
        result["diff"] = {
            "before": before.decode("utf-8", "replace"),
            "after": after.decode("utf-8", "replace"),
            "before_header": request.path,
            "after_header": request.path,
        }
    return result


def _warnings(wanted: _Wanted) -> List[str]:
    said = [f"{finding.message} [{finding.code}]" for finding in wanted.findings]
    if tuple(wanted.version) > MEASURED_VERSIONS[-1]:
        said.append(
            f"Engine {wanted.version} is newer than {Version(*MEASURED_VERSIONS[-1])}, the last one whose own profile "
            "was measured; compare them with tests/real/seccomp_agreement.py"
        )
    return said


def _present(host: Host, request: Request) -> Dict[str, Any]:
    wanted = _wanted(host, request)
    before, found = host.read_file(request.path), host.stat(request.path)
    same_text = before == wanted.raw
    changed = not (same_text and _as_wanted(found, request.instance))
    result = _result(request, changed, before or b"", wanted.raw)
    result.update(
        engine_version=str(wanted.version),
        findings=[finding._asdict() for finding in wanted.findings],
        sha256=_digest(wanted.raw),
        tried=[],
        waived=[{"call": call, "reason": reason} for call, reason in wanted.waived],
        warnings=_warnings(wanted),
    )
    if not changed or request.check_mode:
        return result
    if request.probe and not same_text:
        profile = parse_profile(wanted.raw).profile
        if profile is not None:
            result["tried"] = try_profile(host, request.instance.api_socket, request.run_id, wanted.raw, profile)
    _write(host, request, wanted.raw, before, found)
    return result


def _write(host: Host, request: Request, raw: bytes, before: Optional[bytes], found: Optional[FileStat]) -> None:
    instance, directory = request.instance, posixpath.dirname(request.path)
    record_path = _record_path(instance)
    entries = _read_record(host, record_path)
    known = entries.get(request.path)
    if known is None:
        mode, uid, gid = (found.mode, found.uid, found.gid) if found else (MODE, instance.uid, instance.gid)
        ours = host.stat(directory) is None or any(entry.directory == directory for entry in entries.values())
        known = _Entry(before, mode, uid, gid, (), directory if ours else "")
    written = (_digest(raw), *(digest for digest in known.written if before is not None and digest == _digest(before)))
    _write_record(host, record_path, {**entries, request.path: known._replace(written=written)})
    host.make_directory(directory, DIRECTORY_MODE, instance.uid, instance.gid)
    host.write_file(request.path, raw, MODE, instance.uid, instance.gid)


def _in_use(host: Host, instance: Instance, path: str) -> str:
    """Who would miss the file, "" when nobody."""
    raw = host.read_file(instance.config_path)
    named = parse_document(raw, ANY_VERSION, instance.config_path).data.get("seccomp-profile")
    if named == path:
        return f"seccomp-profile names it ({instance.config_path})"
    try:
        options = _info(host, instance).get("SecurityOptions") or []
    except BulwarkError:
        return ""  # an engine that does not run uses nothing
    used = f"name=seccomp,profile={path}" in options
    return "the running engine was started with it" if used else ""


def _absent(host: Host, request: Request) -> Dict[str, Any]:
    record_path = _record_path(request.instance)
    entries = _read_record(host, record_path)
    entry, now = entries.get(request.path), host.read_file(request.path)
    if entry is None:
        result = _result(request, False, b"", b"")
        if now is not None:
            result["warnings"] = [f"{request.path} was not written by this module, so it was left"]
        return result
    if now is not None and _digest(now) not in entry.written and now != entry.before:
        raise RefusedError(
            f"remove the seccomp profile: it was changed by somebody since it was written ({request.path}); save what "
            "is needed of it, write it once more with state present, then remove it"
        )
    user = _in_use(host, request.instance, request.path)
    if user and entry.before is None:
        raise RefusedError(
            f"remove the seccomp profile {request.path}: {user}, and no container would start any more; take the key "
            "out and restart the engine first"
        )
    result = _result(request, True, now or b"", entry.before or b"")
    if request.check_mode:
        return result
    if entry.before is None:
        host.remove_file(request.path)
    else:
        host.write_file(request.path, entry.before, entry.mode, entry.uid, entry.gid)
    if entry.directory:
        host.remove_directory(entry.directory)
    _write_record(host, record_path, {name: item for name, item in entries.items() if name != request.path})
    return result


def apply_profile(host: Host, request: Request) -> Dict[str, Any]:
    """Bring one profile into the wanted state; the module's result.

    Raises RefusedError for a profile that lint or trial do not pass, ConfigError for a wrong policy.
    """
    if request.present and request.policies is None and request.content is None:
        raise ConfigError(f"write the seccomp profile {request.path}: nothing to write; give policies or content")
    if not posixpath.isabs(request.path):
        raise ConfigError(f"write a seccomp profile: path is {request.path!r}; give an absolute path")
    with host.lock(request.instance.lock_path, LOCK_SECONDS):
        return _present(host, request) if request.present else _absent(host, request)
