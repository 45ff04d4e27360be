# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing AppArmor profiles into force and taking them away (private).

Order: everything is checked (policy, lint, parser), what is ours is recorded, files are written, the kernel is given
them, and what the kernel says then is compared. A step that fails puts the files and profiles of before back. A run
that is killed in between leaves checked files, and the next run loads them.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_host import (
    DIRECTORY,
    PARSER,
    PARSER_SECONDS,
    DefaultProfile,
    EngineFacts,
    choose_abi,
    compile_text,
    engine_facts,
    kernel_digest,
    labels,
    load_text,
    loaded_profiles,
    look_at_default,
    parser_words,
    read_text,
    runtime_labels,
    unavailable,
)
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_lint import lint_text
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_policy import Policy, parse_policies, render
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import api_json
from ansible_collections.bulwark.docker.plugins.module_utils._errors import (
    BulwarkError,
    ConfigError,
    ConflictError,
    HostError,
    RefusedError,
)
from ansible_collections.bulwark.docker.plugins.module_utils._finding import Finding
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance

__all__ = ["Request", "apply_profiles"]

RECORD = "/var/lib/bulwark-docker/apparmor/state.json"
LOCK = "/run/bulwark-docker/apparmor.lock"
LOCK_SECONDS = 120.0
FORMAT = 1
MODE = 0o644


class Request(NamedTuple):
    """What the user asked for: see the module apparmor_profile."""

    present: bool
    instance: Instance
    profiles: Mapping[str, Any]
    shipped: Sequence[str]
    fail_when_missing: bool
    refresh_default: bool
    allow_unconfined: bool
    check_mode: bool


class _Wanted(NamedTuple):
    """One profile as it shall be."""

    policy: Policy
    path: str
    text: str
    findings: Tuple[Finding, ...]


class _Record(NamedTuple):
    """What is ours: checksum of the compiled text by profile, and what is known of the engine's own profile."""

    profiles: Dict[str, str]
    default: Dict[str, Any]


def _read_record(host: Host) -> _Record:
    text = read_text(host, RECORD)
    if text is None:
        return _Record({}, {})
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r} is not {FORMAT}")
        return _Record({str(name): str(value) for name, value in data["profiles"].items()}, dict(data["default"]))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"read the record of the AppArmor profiles: {exc!r} ({RECORD}); "
            "restore that file from a backup, or remove it if nothing of bulwark.docker is to be undone any more"
        ) from exc


def _path(name: str) -> str:
    return f"{DIRECTORY}/{name}"


class _Run:
    """One run against one host."""

    def __init__(self, host: Host, request: Request, engine: EngineFacts) -> None:
        self.host = host
        self.request = request
        self.engine = engine
        self.record = _read_record(host)
        self.loaded = loaded_profiles(host)
        self.reasons: List[str] = []
        self.warnings: List[str] = []
        self.before: Dict[str, Optional[str]] = {}
        self.compiled: Dict[str, str] = {}
        self.wanted: Dict[str, _Wanted] = {}
        self.default = DefaultProfile("unknown", "AppArmor is not available here")

    # -- deciding -----------------------------------------------------------------------------------------------------

    def plan(self) -> None:
        """Work out what is wanted and refuse what cannot be; nothing is changed."""
        abi, peers = choose_abi(self.host), runtime_labels(self.host)
        policies = parse_policies(self.request.profiles, self.request.shipped) if self.request.present else ()
        for policy in policies:
            text = render(policy, peers, abi)
            findings = tuple(lint_text(policy.name, text, policy.mode))
            fatal = [finding for finding in findings if finding.fatal]
            if fatal:
                raise ConfigError(f"{fatal[0].message} [{fatal[0].code}]")
            self.wanted[policy.name] = _Wanted(policy, _path(policy.name), text, findings)
            self.warnings += [f"{finding.message} [{finding.code}]" for finding in findings]
        self.before = {name: read_text(self.host, _path(name)) for name in {*self.wanted, *self.record.profiles}}
        self._refuse_foreign()

    def _refuse_foreign(self) -> None:
        for name, wanted in sorted(self.wanted.items()):
            if name in self.record.profiles or self.before[name] == wanted.text:
                continue
            if self.before[name] is not None:
                raise ConflictError(
                    f"profile {name!r}: {wanted.path} is there and not from this collection; choose another name, or "
                    "move that file away"
                )
            if name in self.loaded:
                raise ConflictError(
                    f"profile {name!r}: the kernel has one of that name, from another file; choose another name"
                )

    def stale_files(self) -> List[str]:
        """Profiles whose file differs."""
        return [name for name, wanted in self.wanted.items() if self.before[name] != wanted.text]

    def unloaded(self) -> List[str]:
        """Profiles that the kernel has not, or not with this text and mode."""
        return [name for name in self.wanted if not self._in_force(name)]

    def _in_force(self, name: str) -> bool:
        wanted = self.wanted[name]
        if self.before[name] != wanted.text:
            self._compile(name)
            return False
        if name not in self.loaded:
            self.reasons.append(f"{name}: not loaded")
            return False
        if self.loaded[name] != wanted.policy.mode:
            self.reasons.append(f"{name}: loaded in mode {self.loaded[name]} instead of {wanted.policy.mode}")
            return False
        now = kernel_digest(self.host, name)
        # Where the checksum is another one, a newer parser or kernel may be the reason.
        if now and now != self.record.profiles.get(name) and now != self._compile(name):
            self.reasons.append(f"{name}: loaded with another text than {wanted.path} has")
            return False
        self.compiled.setdefault(name, now)
        return True

    def _compile(self, name: str) -> str:
        if name not in self.compiled:
            algorithm = kernel_digest(self.host, name).partition(":")[0] or self._algorithm()
            self.compiled[name] = compile_text(self.host, name, self.wanted[name].text, algorithm)
        return self.compiled[name]

    def _algorithm(self) -> str:
        """The kernel's checksum, seen on any profile that it has."""
        known = next((kernel_digest(self.host, name) for name in sorted(self.loaded)), "")
        return known.partition(":")[0] or "sha256"

    def unwanted(self) -> List[str]:
        """Profiles of ours that shall go."""
        return sorted(set(self.record.profiles) - set(self.wanted))

    def refuse_unconfining(self, names: Sequence[str]) -> None:
        """RefusedError when processes run under a profile that shall go: they would go on without any."""
        if not names:
            return
        running = {label.name for label in labels(self.host).values() if label.name.partition("//")[0] in names}
        containers = self._containers()
        users = sorted(f"{one['name']} ({one['profile']})" for one in containers if one["profile"] in names)
        if running and not self.request.allow_unconfined:
            raise RefusedError(
                f"remove the profile {min(running)!r}: processes run under it and would be confined by nothing "
                f"({'containers ' + ', '.join(users) if users else 'none of them in a container of this engine'}); "
                "recreate them with another profile, or allow it (allow_unconfined)"
            )
        if users:
            self.warnings.append(f"Containers that cannot be started again without their profile: {', '.join(users)}")

    def _containers(self) -> List[Dict[str, str]]:
        found = []
        try:
            for summary in api_json(self.host, self.request.instance, "/containers/json?all=1"):
                details = api_json(self.host, self.request.instance, f"/containers/{summary['Id']}/json")
                found.append(
                    {"name": str(details["Name"]).lstrip("/"), "profile": str(details.get("AppArmorProfile") or "")}
                )
        except BulwarkError as exc:
            self.warnings.append(f"The engine could not be asked for its containers: {exc}")
        return found

    # -- doing --------------------------------------------------------------------------------------------------------

    def carry_out(self, files: Sequence[str], load: Sequence[str], remove: Sequence[str]) -> None:
        """Write, load and take away; what was there before is put back when a step fails."""
        names = {**self.record.profiles, **{name: self.compiled.get(name, "") for name in self.wanted}}
        self._write_record(_Record(names, self.record.default))
        try:
            for name in files:
                self.host.write_file(self.wanted[name].path, self.wanted[name].text.encode("utf-8"), MODE, 0, 0)
            if load:
                self._load([self.wanted[name].path for name in load])
            self._verify(load)
        except BulwarkError:
            self._put_back(files, load)
            raise
        for name in remove:
            self._remove(name)
        self._write_record(_Record({name: names[name] for name in self.wanted}, self.record.default))

    def _load(self, paths: Sequence[str]) -> None:
        answer = self.host.run([PARSER, "--replace", "--write-cache", *paths], timeout=PARSER_SECONDS)
        if answer.rc != 0:
            raise HostError(
                f"load profiles: {parser_words(answer.stderr)} ({PARSER}, exit status {answer.rc}); "
                "the profiles of before are in force again, look at the kernel's log"
            )

    def _verify(self, names: Sequence[str]) -> None:
        """HostError unless the kernel has what it was given."""
        now = loaded_profiles(self.host)
        for name in names:
            mode, found = self.wanted[name].policy.mode, kernel_digest(self.host, name)
            if now.get(name) != mode:
                raise HostError(f"load the profile {name!r}: the kernel has it as {now.get(name)!r}, not as {mode!r}")
            if found and self.compiled.get(name) and found != self.compiled[name]:
                raise HostError(f"load the profile {name!r}: the kernel has another text ({found}) than was loaded")
            self.compiled[name] = self.compiled.get(name) or found

    def _put_back(self, files: Sequence[str], load: Sequence[str]) -> None:
        for name in files:
            before = self.before[name]
            if before is None:
                self.host.remove_file(self.wanted[name].path)
            else:
                self.host.write_file(self.wanted[name].path, before.encode("utf-8", "surrogateescape"), MODE, 0, 0)
        for name in load:
            before = self.before[name]
            if before is not None and name in self.loaded:
                load_text(self.host, before)
            elif name not in self.loaded and name in loaded_profiles(self.host):
                load_text(self.host, f"profile {name} {{ }}\n", "--remove")
        self._write_record(self.record)

    def _remove(self, name: str) -> None:
        if name in loaded_profiles(self.host):
            load_text(self.host, f"profile {name} {{ }}\n", "--remove")
        self.host.remove_file(_path(name))
        cache = self.host.run([PARSER, "--print-cache-dir"], timeout=PARSER_SECONDS)
        if cache.rc == 0 and cache.stdout.strip().startswith("/"):
            self.host.remove_file(f"{cache.stdout.strip()}/{name}")
        if name in loaded_profiles(self.host):
            raise HostError(f"remove the profile {name!r}: the kernel still has it; look at the kernel's log")

    def _write_record(self, record: _Record) -> None:
        if not record.profiles and not record.default:
            self.host.remove_file(RECORD)
            self.host.remove_directory(RECORD.rpartition("/")[0])
            self.host.remove_directory(RECORD.rpartition("/")[0].rpartition("/")[0])
            return
        text = json.dumps({"format": FORMAT, **record._asdict()}, indent=1, sort_keys=True) + "\n"
        if text != read_text(self.host, RECORD):
            self.host.make_directory(RECORD.rpartition("/")[0], 0o700)
            self.host.write_file(RECORD, text.encode(), 0o600, 0, 0)

    def look_after_default(self) -> bool:
        """Compare the engine's own profile with the engine that runs; whether it has to be (or was) loaded again."""
        self.default = look_at_default(self.host, self.engine, self.record.default)
        mend = self.default.state in ("stale", "missing") and bool(self.default.text) and self.request.refresh_default
        if self.default.state in ("stale", "missing"):
            mended = (
                "it is replaced by the text of the engine that runs" if mend else "restart the host, or load it again"
            )
            (self.reasons if mend else self.warnings).append(f"{self.default.reason}; {mended}")
        if mend and not self.request.check_mode:
            load_text(self.host, self.default.text)
            self.default = look_at_default(self.host, self.engine, {})
            if self.default.state not in ("current", "unknown"):
                raise HostError(f"load the engine's own profile: {self.default.reason}; look at the kernel's log")
        return mend

    def keep_record(self) -> None:
        """Remember the checksums, so that the next run has nothing to compile."""
        names = {name: self.compiled.get(name, "") for name in self.wanted}
        default = {"origin": self.default.origin, "compiled": self.default.compiled} if self.default.origin else {}
        self._write_record(_Record(names, default))

    # -- telling ------------------------------------------------------------------------------------------------------

    def outcome(self, state: str, changed: bool) -> Dict[str, Any]:
        """The module's result."""
        result: Dict[str, Any] = {
            "changed": changed,
            "default_profile": {"state": self.default.state, "reason": self.default.reason},
            "findings": [_describe(finding) for one in self.wanted.values() for finding in one.findings],
            "profiles": [
                {"compiled": self.compiled.get(name, ""), "mode": one.policy.mode, "name": name, "path": one.path}
                for name, one in sorted(self.wanted.items())
            ],
            "reasons": self.reasons,
            "snippets": {name: _snippets(name) for name in sorted(self.wanted)},
            "state": state,
            "warnings": self.warnings,
        }
        if changed:
            result["diff"] = self._diff()
        return result

    def _diff(self) -> List[Dict[str, str]]:
        found = []
        for name in sorted(self.before):
            before, after = self.before[name] or "", self.wanted[name].text if name in self.wanted else ""
            if before != after:
                found.append(
                    {"before": before, "after": after, "before_header": _path(name), "after_header": _path(name)}
                )
        if self.reasons:
            now = "".join(f"{name} ({mode})\n" for name, mode in sorted(self.loaded.items()) if name in self.before)
            then = "".join(f"{name} ({one.policy.mode})\n" for name, one in sorted(self.wanted.items()))
            header = "profiles of the kernel"
            if now != then:
                found.append({"before": now, "after": then, "before_header": header, "after_header": header})
            else:
                text = "\n".join(self.reasons) + "\n"
                found.append({"before": text, "after": "", "before_header": header, "after_header": header})
        return found


def _describe(finding: Finding) -> Dict[str, Any]:
    return {"code": finding.code, "line": finding.line, "message": finding.message}


def _snippets(name: str) -> Dict[str, str]:
    """How a container gets the profile: on the command line, and in a Compose file."""
    return {
        "compose": f"security_opt:\n  - apparmor={name}\n",
        "run": f"docker run --security-opt apparmor={name}",
    }


def apply_profiles(host: Host, request: Request) -> Dict[str, Any]:
    """Have exactly the wanted profiles in force, or none of ours; see the module apparmor_profile.

    Raises ConfigError for a broken policy or text (nothing is touched then), ConflictError for a profile of somebody
    else, RefusedError where processes would be left unconfined, HostError when the kernel does not do as told.
    """
    engine = engine_facts(host, request.instance)
    reason = unavailable(host, request.instance, engine)
    with host.lock(LOCK, LOCK_SECONDS):
        run = _Run(host, request, engine)
        if reason:
            return _without_apparmor(run, reason)
        run.plan()
        files, load, remove = run.stale_files(), run.unloaded(), run.unwanted()
        run.reasons += [f"{name}: new text" for name in files] + [f"{name}: goes" for name in remove]
        run.refuse_unconfining(remove)
        if (files or load or remove) and not request.check_mode:
            run.carry_out(files, load, remove)
        mended = run.look_after_default() if request.present else False
        if not request.check_mode:
            run.keep_record()
    return run.outcome("loaded" if request.present else "removed", bool(files or load or remove or mended))


def _without_apparmor(run: _Run, reason: str) -> Dict[str, Any]:
    """What a host without AppArmor gets: a failure, or an answer that says so. Our files of earlier go on request."""
    if run.request.present:
        parse_policies(run.request.profiles, run.request.shipped)
        if run.request.fail_when_missing:
            raise HostError(f"confine containers with AppArmor: {reason}")
        run.warnings.append(f"No container is confined by AppArmor here: {reason}")
        return run.outcome("unavailable", False)
    left = sorted(run.record.profiles)
    run.reasons = [f"{name}: goes" for name in left]
    if not run.request.check_mode:
        for name in left:
            run.host.remove_file(_path(name))
        run.keep_record()
    return run.outcome("removed", bool(left))
