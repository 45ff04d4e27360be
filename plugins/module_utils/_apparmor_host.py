# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a host about AppArmor: kernel, parser, processes, and the engine's own profile (private)."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_kernel import (
    TEMPLATE_MARK,
    Label,
    default_text,
    digest,
    parse_label,
    parse_loaded,
    parser_number,
)
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_policy import DEFAULT_NAME
from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_tables import ABIS
from ansible_collections.bulwark.docker.plugins.module_utils._engine_state import api_json
from ansible_collections.bulwark.docker.plugins.module_utils._errors import BulwarkError, ConfigError, HostError
from ansible_collections.bulwark.docker.plugins.module_utils._host_api import Host
from ansible_collections.bulwark.docker.plugins.module_utils._instance import Instance
from ansible_collections.bulwark.docker.plugins.module_utils._version import parse_version

__all__ = [
    "DIRECTORY",
    "PARSER",
    "DefaultProfile",
    "EngineFacts",
    "choose_abi",
    "compile_text",
    "engine_facts",
    "kernel_digest",
    "labels",
    "load_text",
    "loaded_profiles",
    "look_at_default",
    "parser_words",
    "read_text",
    "runtime_labels",
    "unavailable",
]

# The parser does not go into directories below it at boot.
DIRECTORY = "/etc/apparmor.d"
PARSER = "apparmor_parser"
SECURITYFS = "/sys/kernel/security/apparmor"
ENABLED = "/sys/module/apparmor/parameters/enabled"
PARSER_SECONDS = 300.0
# include/linux/proc_ns.h: the number of the initial user namespace. Only from there profiles can be loaded.
FIRST_USER_NAMESPACE = "user:[4026531837]"
# As much of the engine's program file as surely holds its template.
TEMPLATE_BYTES = 8192
# From here on the engine loads its text at each start; before, only where there is none (moby 29.4.3).
KEPT_BY_ENGINE = (29, 4, 3)
CHECKSUMS = (("raw_sha256", "sha256"), ("raw_sha1", "sha1"))


class EngineFacts(NamedTuple):
    """The engine: whether it answers, its version, whether it uses AppArmor, its process (0: unknown) and label."""

    answering: bool
    version: str
    uses_apparmor: bool
    pid: int
    label: str


class DefaultProfile(NamedTuple):
    """The engine's own profile.

    C(state): V(current), V(stale), V(missing), V(kept_by_engine), V(foreign) or V(unknown); C(reason) a sentence;
    C(text) what the engine would load, "" where it is not known; C(compiled) its checksum; C(origin) names the engine
    that the checksum belongs to.
    """

    state: str
    reason: str
    text: str = ""
    compiled: str = ""
    origin: str = ""


def read_text(host: Host, path: str) -> Optional[str]:
    """A file as text, None when there is none."""
    raw = host.read_file(path)
    return None if raw is None else raw.decode("utf-8", "surrogateescape")


def _process_text(host: Host, path: str) -> str:
    """A file below /proc, "" when its process has ended or the kernel has nothing to say there."""
    try:
        return read_text(host, path) or ""
    except HostError:
        return ""


def unavailable(host: Host, instance: Instance, engine: EngineFacts) -> str:
    """Why no profile can confine containers here, "" when it can: kernel, container, parser, engine."""
    if instance.rootless:
        return (
            f"the rootless engine of {instance.user} cannot put containers under AppArmor profiles; use seccomp there"
        )
    if (read_text(host, ENABLED) or "").strip() != "Y":
        return "this kernel runs without AppArmor; boot one that has it (lsm=…,apparmor), or use seccomp and SELinux"
    namespace = host.read_link("/proc/self/ns/user")
    if namespace not in (None, FIRST_USER_NAMESPACE) or host.stat(f"{SECURITYFS}/profiles") is None:
        return "this host is a container, and the kernel's profiles are out of reach; use the role on the real host"
    if host.which(PARSER) is None:
        return f"{PARSER} is not installed; install the package apparmor"
    if engine.answering and not engine.uses_apparmor:
        return (
            "the engine does not use AppArmor (docker info names none); restart it after the package apparmor is there"
        )
    return ""


def engine_facts(host: Host, instance: Instance) -> EngineFacts:
    """What the engine says of itself, and its process; an engine that does not answer is no error."""
    try:
        info = api_json(host, instance, "/info")
    except BulwarkError:
        info = {}
    pid = 0 if instance.rootless else _engine_pid(host)
    options = {str(option).partition(",")[0] for option in info.get("SecurityOptions") or []}
    label = parse_label(_process_text(host, f"/proc/{pid}/attr/current")) if pid else Label("unconfined", "")
    return EngineFacts(bool(info), str(info.get("ServerVersion", "")), "name=apparmor" in options, pid, label.name)


def _engine_pid(host: Host) -> int:
    """The oldest dockerd outside of containers and users' namespaces, 0 when there is none."""
    own = host.read_link("/proc/self/ns/user")
    for pid in sorted(int(name) for name in host.list_directory("/proc") if name.isdigit()):
        if _process_text(host, f"/proc/{pid}/comm").strip() != "dockerd":
            continue
        if host.read_link(f"/proc/{pid}/ns/user") == own:
            return pid
    return 0


def loaded_profiles(host: Host) -> Dict[str, str]:
    """Mode of each profile that the kernel has, by name."""
    return parse_loaded(_process_text(host, f"{SECURITYFS}/profiles"))


def kernel_digest(host: Host, name: str) -> str:
    """Checksum of the text that the kernel was given for a profile, with its algorithm in front; "" where unknown."""
    base = f"{SECURITYFS}/policy/profiles"
    for entry in host.list_directory(base):
        stem, _dot, number = entry.rpartition(".")
        if stem != name or not number.isdigit():
            continue
        for file_name, algorithm in CHECKSUMS:
            found = _process_text(host, f"{base}/{entry}/{file_name}").strip()
            if found:
                return f"{algorithm}:{found}"
    return ""


def labels(host: Host) -> Dict[int, Label]:
    """Profile of every process that runs under one."""
    found: Dict[int, Label] = {}
    for entry in host.list_directory("/proc"):
        text = _process_text(host, f"/proc/{entry}/attr/current") if entry.isdigit() else ""
        if text and parse_label(text).mode:
            found[int(entry)] = parse_label(text)
    return found


def choose_abi(host: Host) -> str:
    """The newest rule language that the host's parser knows, "" when it knows none by name."""
    return next((abi for abi in ABIS if host.stat(f"{DIRECTORY}/abi/{abi}") is not None), "")


def parser_words(text: str) -> str:
    """What the parser has to say about an error, in one line."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return next(
        (line for line in lines if "rror" in line or "line " in line), lines[-1] if lines else "no reason given"
    )


def compile_text(host: Host, name: str, text: str, algorithm: str = "sha256") -> str:
    """Have the parser check a text without loading it; checksum of what it would give to the kernel.

    Raises ConfigError with the parser's own line.
    """
    argv = [PARSER, "--skip-kernel-load", "--skip-cache", "--stdout"]
    answer = host.run(argv, data=text, timeout=PARSER_SECONDS)
    if answer.rc != 0:
        raise ConfigError(
            f"profile {name!r}: {parser_words(answer.stderr)} ({PARSER}, exit status {answer.rc}); "
            "correct that line, what was in force before still is"
        )
    return f"{algorithm}:{digest(answer.stdout, algorithm)}"


def load_text(host: Host, text: str, action: str = "--replace") -> None:
    """Give a text to the kernel, or take its profiles out of it (C(action) "--remove"); nothing is kept on disk."""
    argv = [PARSER, action, "--skip-cache"]
    answer = host.run(argv, data=text, timeout=PARSER_SECONDS)
    if answer.rc != 0:
        raise HostError(
            f"{'load' if action == '--replace' else 'unload'} a profile: {parser_words(answer.stderr)} "
            f"({' '.join(argv)}, exit status {answer.rc}); look at the kernel's log"
        )


def look_at_default(host: Host, engine: EngineFacts, known: Dict[str, Any]) -> DefaultProfile:
    """Whether the engine's own profile is loaded, and with the text of the engine that runs.

    C(known) are "origin" and "compiled" of an earlier look; they save the parser's work.
    """
    if host.stat(f"{DIRECTORY}/{DEFAULT_NAME}") is not None:
        return DefaultProfile("foreign", f"somebody keeps a file {DIRECTORY}/{DEFAULT_NAME}, so it is not looked at")
    if not engine.pid or not engine.version:
        return DefaultProfile("unknown", "the engine does not run, so its text is not known")
    is_loaded = DEFAULT_NAME in loaded_profiles(host)
    if tuple(parse_version(engine.version)) >= KEPT_BY_ENGINE:
        if is_loaded:
            return DefaultProfile("kept_by_engine", f"engine {engine.version} loads its text at each start")
        return DefaultProfile("missing", f"{DEFAULT_NAME} is not loaded; restart the engine")
    try:
        return _compare_default(host, engine, known, is_loaded)
    except ConfigError as exc:
        return DefaultProfile("unknown", str(exc))


def _origin(host: Host, engine: EngineFacts) -> str:
    """A word that changes with the engine's program, the parser, and the rules and features that a text rests on."""
    paths = [f"/proc/{engine.pid}/exe", host.which(PARSER) or "", *(f"{DIRECTORY}/{one}" for one in SHARED)]
    facts = [host.stat(path) for path in paths]
    boot = (read_text(host, "/proc/sys/kernel/osrelease") or "").strip()
    return " ".join([engine.version, engine.label, boot, *(f"{one.size}/{one.mtime_ns}" for one in facts if one)])


SHARED = ("tunables/global", "abstractions/base", "abi")


def _compare_default(host: Host, engine: EngineFacts, known: Dict[str, Any], is_loaded: bool) -> DefaultProfile:
    origin = _origin(host, engine)
    now = kernel_digest(host, DEFAULT_NAME)
    algorithm = now.partition(":")[0] or "sha256"
    if is_loaded and known.get("origin") == origin and known.get("compiled") == now:
        return DefaultProfile("current", "it has the text of the engine that runs", "", now, origin)
    text = _engine_text(host, engine)
    compiled = compile_text(host, DEFAULT_NAME, text, algorithm)
    if not is_loaded:
        return DefaultProfile("missing", f"{DEFAULT_NAME} is not loaded", text, compiled, origin)
    if not now:
        return DefaultProfile("unknown", "this kernel does not tell which text it was given", text, compiled, origin)
    if now != compiled:
        reason = f"{DEFAULT_NAME} has another text than engine {engine.version} brings: an older engine loaded it"
        return DefaultProfile("stale", reason, text, compiled, origin)
    return DefaultProfile("current", "it has the text of the engine that runs", text, compiled, origin)


def _engine_text(host: Host, engine: EngineFacts) -> str:
    """The engine's own profile as it would load it, from its program file."""
    path = f"/proc/{engine.pid}/exe"
    places = host.run(["grep", "-a", "-b", "-o", "-m", "1", "-F", TEMPLATE_MARK, path], timeout=PARSER_SECONDS)
    offset = places.stdout.partition(":")[0]
    if places.rc != 0 or not offset.isdigit():
        raise ConfigError("read the engine's own profile: its program file has no template that can be read")
    cut = ["dd", f"if={path}", "iflag=skip_bytes,count_bytes", f"skip={offset}", f"count={TEMPLATE_BYTES}"]
    data = host.run([*cut, "status=none"], timeout=PARSER_SECONDS).stdout
    version = host.run([PARSER, "--version"], timeout=PARSER_SECONDS)
    return default_text(
        data,
        DEFAULT_NAME,
        engine.label,
        parser_number(version.stdout + version.stderr),
        host.stat(f"{DIRECTORY}/tunables/global") is not None,
        host.stat(f"{DIRECTORY}/abstractions/base") is not None,
    )


def runtime_labels(host: Host) -> List[str]:
    """Labels under which engine, containerd and their shims run on this host, "unconfined" left out."""
    found = set()
    for entry in host.list_directory("/proc"):
        name = _process_text(host, f"/proc/{entry}/comm").strip() if entry.isdigit() else ""
        if name in ("dockerd", "containerd") or name.startswith("containerd-shim"):
            found.add(parse_label(_process_text(host, f"/proc/{entry}/attr/current")).name)
    return sorted(found - {"unconfined", ""})
