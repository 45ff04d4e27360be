# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong or dangerous in the text of an AppArmor profile for containers (pure, private).

The grammar is the parser's business (apparmor_parser -Q); this looks at meaning: what the parser takes and what still
breaks a container, confines the wrong program, or confines nothing.
"""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_tables import DANGEROUS_CAPABILITIES
from ansible_collections.bulwark.docker.plugins.module_utils._finding import Finding

__all__ = ["lint_text"]

HEAD = re.compile(
    r"(?P<outer>(?:profile|hat)\s+)?(?P<name>\"[^\"]+\"|\S+?)(?:\s+(?P<path>[/@]\S*))?"
    r"(?:\s+flags=\((?P<flags>[^)]*)\)|\s*\((?P<bare>[^)]*)\))?"
)
ACCESS = re.compile(r"^(?P<path>(?:/|@\{)\S*|\"[^\"]+\")\s+(?P<access>[rwaklmixpPcCuUdbs]+)(?:\s*->\s*\S+)?$")
LEADING = re.compile(r"^(?:file\s+)?(?P<access>[rwakl]*[pPcCuUi]*x?m?)\s+(?P<path>(?:/|@\{)\S*)$")
# Patterns that reach into /proc/sys or /sys, as far as one can tell without running them.
WIDE_PATHS = ("/**", "/{**,}", "/{,**}", "/{proc,sys}/**", "/proc/**", "@{PROC}/**", "/proc/sys/**", "@{PROC}/sys/**")
GUARDED = re.compile(r"(?:@\{PROC\}|/proc)/(?:\[|\{|sys|\*)")


class Rule(NamedTuple):
    """One rule without its final comma: words, the line it begins on, how deep in blocks, and whether it refuses."""

    text: str
    line: int
    depth: int
    refuses: bool


class Head(NamedTuple):
    """The beginning of a block: the profile's name, its attachment path, its flags, the line, how deep."""

    name: str
    path: str
    flags: Tuple[str, ...]
    line: int
    depth: int


class Parsed(NamedTuple):
    """A text taken apart."""

    heads: Tuple[Head, ...]
    rules: Tuple[Rule, ...]
    preamble: Tuple[str, ...]

    @property
    def allowed(self) -> Iterator[Rule]:
        """Rules that allow something."""
        return (rule for rule in self.rules if not rule.refuses)


def _without_comments(text: str) -> Iterator[Tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("#") and not stripped.startswith("#include"):
            continue
        yield number, re.sub(r"\s#.*$", "", line) if not stripped.startswith("#include") else stripped


def _characters(text: str) -> Iterator[Tuple[int, str]]:
    for number, line in _without_comments(text):
        for character in line:
            yield number, character
        yield number, "\n"


def _parse_head(words: str, line: int, depth: int) -> Head:
    found = HEAD.fullmatch(words)
    if found is None:
        return Head(words, "", (), line, depth)
    flags = found.group("flags") or found.group("bare") or ""
    name, path = found.group("name").strip('"'), found.group("path") or ""
    if not found.group("outer") and name[:1] in "/@":
        path = name
    return Head(name, path, tuple(re.split(r"[\s,]+", flags.strip())) if flags.strip() else (), line, depth)


def _make_rule(words: str, line: int, depth: int) -> Rule:
    plain = re.sub(r"^(?:(?:audit|quiet|owner|allow|priority\s*=\s*-?\d+)\s+)*", "", words)
    refuses = plain.startswith("deny ")
    plain = re.sub(r"^deny\s+(?:owner\s+)?", "", plain)
    return Rule(re.sub(r"^owner\s+", "", plain), line, depth, refuses)


def _parse(text: str) -> Parsed:
    """Blocks and rules; what is not understood is passed over, since the parser has its say about it anyway."""
    heads: List[Head] = []
    rules: List[Rule] = []
    preamble: List[str] = []
    words, start, depth, inner = "", 0, 0, 0
    for line, character in _characters(text):
        if not words.strip():
            words, start = "", line
        if character == "{" and words[-1:] in ("", " ", "\t", ")") and not _is_path_start(words):
            heads.append(_parse_head(words.strip(), start, depth))
            words, depth = "", depth + 1
        elif character == "}" and inner == 0:
            words, depth = "", max(0, depth - 1)
        elif character == "\n" and re.match(r"#?include\s", words.strip()):
            preamble += [words.strip()] if depth == 0 else []
            words = ""
        elif character == "," and inner == 0:
            stripped = " ".join(words.split())
            if depth:
                rules.append(_make_rule(stripped, start, depth))
            else:
                preamble.append(stripped)
            words = ""
        else:
            inner += (character in "{(") - (character in "})")
            words += " " if character == "\n" else character
    return Parsed(tuple(heads), tuple(rules), tuple(preamble))


def _is_path_start(words: str) -> bool:
    last = words.split()[-1] if words.split() and not words[-1:].isspace() else ""
    return last[:1] in ("/", "@")


def _file_access(rule: Rule) -> Optional[Tuple[str, str]]:
    """(path, access) of a rule about files; ("/**", everything) for the word "file" alone."""
    if rule.text == "file":
        return "/**", "rwklmix"
    found = ACCESS.match(re.sub(r"^file\s+", "", rule.text)) or LEADING.match(rule.text)
    return (found.group("path").strip('"'), found.group("access")) if found else None


Found = Iterator[Tuple[int, str]]


class Rules(NamedTuple):
    """One kind of finding: its word, whether it makes the profile unusable, and what looks for it."""

    code: str
    fatal: bool
    look: Callable[[Parsed, str, str], Found]


def _outer(parsed: Parsed) -> List[Head]:
    return [head for head in parsed.heads if head.depth == 0]


def _no_profile(parsed: Parsed, name: str, _mode: str) -> Found:
    if not _outer(parsed):
        yield 1, f"there is no profile in this text; begin it with: profile {name} flags=(attach_disconnected) {{"


def _several_profiles(parsed: Parsed, _name: str, _mode: str) -> Found:
    for head in _outer(parsed)[1:]:
        yield head.line, f"a second profile {head.name!r}; write it into an entry of its own"


def _other_name(parsed: Parsed, name: str, _mode: str) -> Found:
    for head in _outer(parsed)[:1]:
        if head.name != name:
            yield (
                head.line,
                f"the text is about the profile {head.name!r}; name it {name!r}, or change the entry's name",
            )


def _attachment(parsed: Parsed, name: str, _mode: str) -> Found:
    for head in _outer(parsed):
        if head.path:
            yield (
                head.line,
                f"{head.path} after the name confines that program of the host itself; write: profile {name} alone",
            )


def _other_mode(parsed: Parsed, _name: str, mode: str) -> Found:
    for head in _outer(parsed)[:1]:
        wanted = "complain" in head.flags
        if wanted != (mode == "complain"):
            yield (
                head.line,
                f"flags are {', '.join(head.flags) or 'none'}, but mode is {mode}; let flags and mode say the same",
            )


def _unconfined_flag(parsed: Parsed, _name: str, _mode: str) -> Found:
    for head in parsed.heads:
        if {"unconfined", "default_allow", "prompt"} & set(head.flags):
            yield head.line, f"a flag of {', '.join(head.flags)} lets everything pass; take it out of flags"


def _no_attach_disconnected(parsed: Parsed, _name: str, _mode: str) -> Found:
    for head in _outer(parsed):
        if "attach_disconnected" not in head.flags:
            yield (
                head.line,
                "without the flag attach_disconnected, files that a container was handed from outside are refused; "
                "add it to flags",
            )


def _no_abi(parsed: Parsed, _name: str, _mode: str) -> Found:
    if not any(words.startswith("abi ") for words in parsed.preamble):
        yield 1, "no abi is named, so newer kinds of access are not looked at; begin with: abi <abi/3.0>,"


def _no_tunables(parsed: Parsed, _name: str, _mode: str) -> Found:
    used = [rule for rule in parsed.rules if "@{" in rule.text]
    if used and not any("tunables/" in words or words.startswith("@{") for words in parsed.preamble):
        yield used[0].line, "a variable is used, and none is defined; add: include <tunables/global>"


def _stop_signals(parsed: Parsed, _name: str, _mode: str) -> Found:
    received = [rule.text for rule in parsed.allowed if rule.text.startswith("signal") and "(send)" not in rule.text]
    bare = any(re.fullmatch(r"signal(?: \([a-z, ]*receive[a-z, ]*\))?", text) for text in received)
    missing = [
        peer
        for peer in ("unconfined", "runc", "crun")
        if not bare and not any(re.search(rf"peer=\"?{peer}\"?$", text) for text in received)
    ]
    if missing:
        yield (
            1,
            f"signals of {', '.join(missing)} are not received, so a container cannot be stopped gently; add: "
            f"signal (receive) peer={missing[0]},",
        )


def _mounts(parsed: Parsed, _name: str, _mode: str) -> Found:
    for rule in parsed.allowed:
        if re.match(r"(mount|remount|pivot_root)\b", rule.text):
            yield rule.line, f"{rule.text!r} lets a container with SYS_ADMIN mount what it likes; take it out"


def _all_capabilities(parsed: Parsed, _name: str, _mode: str) -> Found:
    for rule in parsed.allowed:
        if rule.text == "capability":
            yield (
                rule.line,
                "every capability is allowed, also those that somebody adds to a container; name the needed ones",
            )


def _dangerous_capabilities(parsed: Parsed, _name: str, _mode: str) -> Found:
    for rule in parsed.allowed:
        dangerous = (
            sorted(DANGEROUS_CAPABILITIES & set(rule.text.split()[1:])) if rule.text[:11] == "capability " else []
        )
        if dangerous:
            yield rule.line, f"capability {', '.join(dangerous)} is a way out of the container; take it out"


def _raw_network(parsed: Parsed, _name: str, _mode: str) -> Found:
    refused = {rule.text for rule in parsed.rules if rule.refuses}
    for rule in parsed.allowed:
        if re.fullmatch(r"network(?: (?:inet6?|packet))?(?: raw)?", rule.text) and "network raw" not in refused:
            yield rule.line, f"{rule.text!r} allows raw sockets, which forge and read packets; name families with types"


def _kernel_files(parsed: Parsed, _name: str, _mode: str) -> Found:
    guarded = any(rule.refuses and GUARDED.search(rule.text) for rule in parsed.rules)
    for rule in parsed.allowed:
        access = _file_access(rule)
        if access and not guarded and access[0] in WIDE_PATHS and "w" in access[1]:
            yield rule.line, f"{rule.text!r} reaches the kernel's settings; add: deny @{{PROC}}/[^1-9]** wkl,"


def _free_execution(parsed: Parsed, _name: str, _mode: str) -> Found:
    for rule in parsed.allowed:
        access = _file_access(rule)
        if access and re.search(r"[uU]x", access[1]):
            yield rule.line, f"{rule.text!r} starts a program without any profile; use ix"


def _other_profile(parsed: Parsed, _name: str, _mode: str) -> Found:
    for rule in parsed.allowed:
        if rule.text.startswith("change_profile"):
            yield rule.line, f"{rule.text!r} lets the container leave this profile; take it out"


def _any_ptrace(parsed: Parsed, _name: str, _mode: str) -> Found:
    for rule in parsed.allowed:
        if rule.text.startswith("ptrace") and "peer=" not in rule.text:
            yield (
                rule.line,
                f"{rule.text!r} allows to look into processes of every profile; add peer= and this profile's name",
            )


def _runtime_socket(parsed: Parsed, _name: str, _mode: str) -> Found:
    for rule in parsed.allowed:
        access = _file_access(rule)
        if access and re.search(r"(docker|containerd|podman)\.sock$", access[0]):
            yield (
                rule.line,
                f"{rule.text!r} gives the container an engine's socket, which is root on the host; take it out",
            )


def _policy_files(parsed: Parsed, _name: str, _mode: str) -> Found:
    for rule in parsed.allowed:
        access = _file_access(rule)
        if access and "w" in access[1] and access[0].startswith("/sys/kernel/security"):
            yield rule.line, f"{rule.text!r} lets the container load profiles; take it out"


CHECKS: Sequence[Rules] = (
    Rules("no_profile", True, _no_profile),
    Rules("several_profiles", True, _several_profiles),
    Rules("other_name", True, _other_name),
    Rules("attachment", True, _attachment),
    Rules("other_mode", True, _other_mode),
    Rules("unconfined_flag", False, _unconfined_flag),
    Rules("no_attach_disconnected", False, _no_attach_disconnected),
    Rules("no_abi", False, _no_abi),
    Rules("no_tunables", False, _no_tunables),
    Rules("stop_signals", False, _stop_signals),
    Rules("mounts", False, _mounts),
    Rules("all_capabilities", False, _all_capabilities),
    Rules("dangerous_capabilities", False, _dangerous_capabilities),
    Rules("raw_network", False, _raw_network),
    Rules("kernel_files", False, _kernel_files),
    Rules("free_execution", False, _free_execution),
    Rules("other_profile", False, _other_profile),
    Rules("any_ptrace", False, _any_ptrace),
    Rules("runtime_socket", False, _runtime_socket),
    Rules("policy_files", False, _policy_files),
)


def lint_text(name: str, text: str, mode: str = "enforce") -> List[Finding]:
    """Everything to be said about the text of one profile for containers, in the order of its lines.

    C(fatal) findings are those with which it could not do what was asked (another name, another mode, a program of
    the host confined); with the others it is only less safe.
    """
    parsed = _parse(text)
    found = [
        Finding(check.code, f"profile {name!r}, line {line}: {message}", line=line, fatal=check.fatal)
        for check in CHECKS
        for line, message in check.look(parsed, name, mode)
    ]
    return sorted(found, key=lambda finding: (finding.line or 0, finding.code))
