# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing seccomp profiles, or giving back what was there before (private).

Order: compose, lint, try, remember what is there, write, each for all profiles. Whatever is refused is refused before
anything is touched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

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
    Profile,
    parse_profile,
    profile_text,
    render_profile,
)
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_tables import ALLOW, MEASURED_VERSIONS
from ansible_collections.bulwark.docker.plugins.module_utils._seccomp_trial import try_profiles
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version, parse_version

__all__ = ["Request", "Wish", "apply_profiles", "drop_unset", "profile_path"]

FORMAT = 1
MODE = 0o644
DIRECTORY_MODE = 0o755
RECORD_MODE = 0o600
RECORD_NAME = "seccomp.json"
LOCK_SECONDS = 120.0
API_SECONDS = 15.0
DIGEST_LENGTH = 12
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Nothing below depends on the version here: only the form of the file does.
ANY_VERSION = Version(28, 0, 0)


class Wish(NamedTuple):
    """One profile that the user asked for: see the module seccomp_profile.

    With C(by_content) a digest of the text becomes a part of the file's name, so that another text is another file.
    """

    path: str
    policies: Optional[Tuple[Mapping[str, Any], ...]] = None
    content: Optional[str] = None
    waivers: Mapping[str, str] = {}
    accept: Tuple[str, ...] = ()
    by_content: bool = False


class Request(NamedTuple):
    """What the user asked for.

    C(exclusive) takes away what was written before and is not among the wishes, C(paths) are more files to take away
    unless the engine still needs them.
    """

    instance: Instance
    wishes: Tuple[Wish, ...]
    paths: Tuple[str, ...]
    present: bool
    exclusive: bool
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
    engine: str  # the version that the last one was made for


class _Wanted(NamedTuple):
    path: str
    raw: bytes
    profile: Optional[Profile]
    findings: List[LintFinding]
    waived: List[Tuple[str, str]]


class _Step(NamedTuple):
    """A wanted profile beside what is there now; C(old) is the text that it takes the place of, at C(old_path)."""

    wanted: _Wanted
    before: Optional[bytes]
    found: Optional[FileStat]
    old_path: str
    old: Optional[bytes]

    @property
    def same_text(self) -> bool:
        """Whether only mode or owner may be wrong."""
        return self.before == self.wanted.raw


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def profile_path(directory: str, name: str) -> str:
    """The file of a profile with this name. Raises ConfigError for what cannot be one."""
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"write a seccomp profile: its name is {name!r}; use letters, digits, dots, underscores and hyphens, "
            "beginning with a letter or a digit"
        )
    if not posixpath.isabs(directory):
        raise ConfigError(f"write a seccomp profile: directory is {directory!r}; give an absolute path")
    return posixpath.join(directory, name + ".json")


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
                str(item["engine"]),
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


def _wanted(wish: Wish, version: Version) -> _Wanted:
    waived: List[Tuple[str, str]] = []
    names = set(wish.waivers)
    if wish.policies is not None:
        policy = merge_policies(
            [
                parse_policy(item, f"the policy number {number} for {wish.path}")
                for number, item in enumerate(wish.policies, 1)
            ]
        )
        composition = compose(policy, version)
        raw = profile_text(render_profile(composition))
        waived = list(composition.waived)
        names |= {call for call, _reason in waived}
    elif wish.content is not None:
        raw = wish.content.encode("utf-8")
        waived = sorted(wish.waivers.items())
    else:
        raise ConfigError(f"write the seccomp profile {wish.path}: nothing to write; give policies or content")
    findings = lint_profile(raw, version, wish.path, names)
    bad = [
        finding
        for finding in findings
        if finding.severity == "fatal" or (finding.severity == "weak" and finding.code not in wish.accept)
    ]
    if bad:
        text = "\n".join(f"{finding.message} [{finding.code}]" for finding in bad)
        remedy = "correct it" if bad[0].severity == "fatal" else "correct it, or name the word in brackets in accept"
        raise RefusedError(f"write the seccomp profile {wish.path}: it has mistakes; {remedy}\n{text}")
    path = wish.path
    if wish.by_content:
        path = f"{path[: -len('.json')]}-{_digest(raw)[:DIGEST_LENGTH]}.json"
    return _Wanted(path, raw, parse_profile(raw).profile, findings, waived)


# -- doing it ---------------------------------------------------------------------------------------------------------


def _as_wanted(found: Optional[FileStat], instance: Instance) -> bool:
    return found is not None and (found.mode, found.uid, found.gid) == (MODE, instance.uid, instance.gid)


def _diff(path: str, before: bytes, after: bytes, before_path: str = "") -> Dict[str, str]:
    return {
        "before": before.decode("utf-8", "replace"),
        "after": after.decode("utf-8", "replace"),
        "before_header": before_path or path,
        "after_header": path,
    }


def _allowed(raw: bytes) -> Set[str]:
    """Names of the calls that a profile allows to some container."""
    profile = parse_profile(raw).profile
    rules = profile.rules if profile else ()
    return {name for rule in rules if rule.action == ALLOW for name in rule.names}


def _drift(step: _Step, entry: Optional[_Entry], version: Version) -> str:
    """What a profile that was made for another release of the engine does wrong on this one, "" when nothing."""
    if step.old is None or entry is None or step.old == step.wanted.raw or entry.engine == str(version):
        return ""
    old, new = _allowed(step.old), _allowed(step.wanted.raw)
    said = [
        f"{word} {', '.join(sorted(calls))}"
        for word, calls in (("it allows", old - new), ("it lacks", new - old))
        if calls
    ]
    what = "; ".join(said) or "it has other conditions"
    return f"{step.old_path} was made for engine {entry.engine}, and {version} is there: {what}"


def _warnings(wanted: _Wanted) -> List[str]:
    return [f"{finding.message} [{finding.code}]" for finding in wanted.findings]


def _unmeasured(version: Version) -> List[str]:
    if tuple(version) <= MEASURED_VERSIONS[-1]:
        return []
    return [
        f"Engine {version} is newer than {Version(*MEASURED_VERSIONS[-1])}, the last one whose own profile was "
        "measured; compare them with tests/real/seccomp_agreement.py"
    ]


def _steps(host: Host, request: Request, entries: Mapping[str, _Entry], version: Version) -> List[_Step]:
    steps: List[_Step] = []
    paths = [wish.path for wish in request.wishes]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise ConfigError(
            f"write the seccomp profile {twice[0]}: it is asked for twice; give each profile a name of its own"
        )
    for wish in request.wishes:
        wanted = _wanted(wish, version)
        before, old_path = host.read_file(wanted.path), wanted.path
        old = before
        if wish.by_content and before is None:
            stem = re.compile(re.escape(wish.path[: -len(".json")]) + f"-[0-9a-f]{{{DIGEST_LENGTH}}}\\.json")
            old_path = next((path for path in sorted(entries) if stem.fullmatch(path)), wanted.path)
            old = host.read_file(old_path)
        steps.append(_Step(wanted, before, host.stat(wanted.path), old_path, old))
    return steps


def _present(host: Host, request: Request) -> Dict[str, Any]:
    entries = _read_record(host, _record_path(request.instance))
    version = _version(host, request) if request.wishes else None
    steps = _steps(host, request, entries, version) if version else []
    due = [step for step in steps if not (step.same_text and _as_wanted(step.found, request.instance))]
    leaving, left = _superseded(host, request, entries, {step.wanted.path for step in steps})
    gone = [_diff(path, host.read_file(path) or b"", entries[path].before or b"") for path in leaving]
    tried: Dict[str, List[str]] = {}
    if not request.check_mode:
        new = {step.wanted.path: step for step in due if not step.same_text}
        if request.probe and new:
            tried = _try(host, request, list(new.values()))
        for step in due:
            _write(host, request, step, str(version))
        for path in leaving:
            _take_away(host, request.instance, path)
    profiles, warnings, diffs = [], [] if version is None else _unmeasured(version), []
    for step in steps:
        drift = _drift(step, entries.get(step.old_path), version) if version else ""
        there = step.before is not None or not request.check_mode
        profiles.append(_described(step, step in due, there, tried.get(step.wanted.path, []), drift))
        warnings += _warnings(step.wanted) + ([drift] if drift else [])
        if step in due:
            diffs.append(_diff(step.wanted.path, step.old or b"", step.wanted.raw, step.old_path))
    result = {
        "changed": bool(due or leaving),
        "engine_version": str(version or ""),
        "left": left,
        "profiles": profiles,
        "removed": leaving,
        "warnings": warnings,
    }
    return {**result, "diff": diffs + gone} if diffs or gone else result


def _try(host: Host, request: Request, steps: Sequence[_Step]) -> Dict[str, List[str]]:
    wanted = {step.wanted.path: (step.wanted.raw, step.wanted.profile) for step in steps}
    ready = {path: (raw, profile) for path, (raw, profile) in wanted.items() if profile is not None}
    return try_profiles(host, request.instance.api_socket, request.run_id, ready)


def _described(step: _Step, changed: bool, there: bool, tried: List[str], drift: str) -> Dict[str, Any]:
    wanted = step.wanted
    return {
        "changed": changed,
        "drift": drift,
        "exists": there,
        "findings": [finding._asdict() for finding in wanted.findings],
        "path": wanted.path,
        "security_option": f"seccomp={wanted.path}",
        "sha256": _digest(wanted.raw),
        "tried": tried,
        "waived": [{"call": call, "reason": reason} for call, reason in wanted.waived],
    }


def _write(host: Host, request: Request, step: _Step, engine: str) -> None:
    path, raw, before, found = step.wanted.path, step.wanted.raw, step.before, step.found
    instance, directory = request.instance, posixpath.dirname(path)
    record_path = _record_path(instance)
    entries = _read_record(host, record_path)
    known = entries.get(path)
    if known is None:
        mode, uid, gid = (found.mode, found.uid, found.gid) if found else (MODE, instance.uid, instance.gid)
        ours = host.stat(directory) is None or any(entry.directory == directory for entry in entries.values())
        known = _Entry(before, mode, uid, gid, (), directory if ours else "", engine)
    written = (_digest(raw), *(digest for digest in known.written if before is not None and digest == _digest(before)))
    _write_record(host, record_path, {**entries, path: known._replace(written=written, engine=engine)})
    host.make_directory(directory, DIRECTORY_MODE, instance.uid, instance.gid)
    host.write_file(path, raw, MODE, instance.uid, instance.gid)


# -- taking away ------------------------------------------------------------------------------------------------------


class _Use(NamedTuple):
    """Which file the configuration names, and the options that the running engine shows."""

    named: str
    config_path: str
    options: Tuple[str, ...]

    def of(self, path: str) -> str:
        """Who would miss a file, "" when nobody."""
        if self.named == path:
            return f"seccomp-profile names it ({self.config_path})"
        used = f"name=seccomp,profile={path}" in self.options
        return "the running engine was started with it" if used else ""


def _use(host: Host, instance: Instance) -> _Use:
    raw = host.read_file(instance.config_path)
    named = str(parse_document(raw, ANY_VERSION, instance.config_path).data.get("seccomp-profile", ""))
    try:
        options = _info(host, instance).get("SecurityOptions") or []
    except BulwarkError:
        options = []  # an engine that does not run uses nothing
    return _Use(named, instance.config_path, tuple(str(option) for option in options))


def _refuse_foreign(host: Host, path: str, entry: _Entry) -> None:
    now = host.read_file(path)
    if now is not None and _digest(now) not in entry.written and now != entry.before:
        raise RefusedError(
            f"remove the seccomp profile: it was changed by somebody since it was written ({path}); save what is "
            "needed of it, write it once more with state present, then remove it"
        )


def _superseded(
    host: Host, request: Request, entries: Mapping[str, _Entry], wanted: Set[str]
) -> Tuple[List[str], List[str]]:
    """What was written before and is not wanted any more: what can go, and what the engine still needs."""
    others = sorted(set(entries) - wanted) if request.exclusive else []
    if not others:
        return [], []
    use = _use(host, request.instance)
    left = [path for path in others if entries[path].before is None and use.of(path)]
    leaving = [path for path in others if path not in left]
    for path in leaving:
        _refuse_foreign(host, path, entries[path])
    return leaving, left


def _take_away(host: Host, instance: Instance, path: str) -> None:
    """Give back what was there before."""
    record_path = _record_path(instance)
    entries = _read_record(host, record_path)
    entry = entries[path]
    if entry.before is None:
        host.remove_file(path)
    else:
        host.write_file(path, entry.before, entry.mode, entry.uid, entry.gid)
    if entry.directory:
        host.remove_directory(entry.directory)
    _write_record(host, record_path, {name: item for name, item in entries.items() if name != path})


def _absent(host: Host, request: Request) -> Dict[str, Any]:
    entries = _read_record(host, _record_path(request.instance))
    use = _use(host, request.instance)
    named = [wish.path for wish in request.wishes]
    leaving, left, warnings = [], [], []
    for path in [*named, *(path for path in request.paths if path not in named)]:
        entry = entries.get(path)
        if entry is None:
            if host.read_file(path) is not None:
                warnings.append(f"{path} was not written by this module, so it was left")
            continue
        _refuse_foreign(host, path, entry)
        user = use.of(path)
        if user and entry.before is None:
            if path in request.paths:
                left.append(path)
                continue
            raise RefusedError(
                f"remove the seccomp profile {path}: {user}, and no container would start any more; take the key out "
                "and restart the engine first"
            )
        leaving.append(path)
    diffs = [_diff(path, host.read_file(path) or b"", entries[path].before or b"") for path in leaving]
    if not request.check_mode:
        for path in leaving:
            _take_away(host, request.instance, path)
    result = {"changed": bool(leaving), "left": left, "profiles": [], "removed": leaving, "warnings": warnings}
    return {**result, "diff": diffs} if diffs else result


def apply_profiles(host: Host, request: Request) -> Dict[str, Any]:
    """Bring profiles into the wanted state; the module's result.

    Raises RefusedError for a profile that lint or trial do not pass, ConfigError for a wrong policy; then nothing was
    touched.
    """
    with host.lock(request.instance.lock_path, LOCK_SECONDS):
        return _present(host, request) if request.present else _absent(host, request)
