# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppArmor profiles from a short policy: checking it, composing it with a base, writing it out (pure, private).

A policy is a mapping, see the documentation of the module apparmor_profile. Rendering is a function of the policy's
meaning: the order in which somebody wrote lists and keys does not show.
"""

from __future__ import annotations

import re
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._apparmor_tables import (
    CAPABILITIES,
    GROUPS,
    KERNEL_DENIALS,
    NETWORK_FAMILIES,
    RUNTIME_PROFILES,
    SHIPPED,
    SOCKET_TYPES,
)
from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError

__all__ = ["DEFAULT_NAME", "MODES", "Policy", "parse_policies", "parse_policy", "render"]

# The engine's own profile; from 29.4.3 on the engine puts its text back at each start.
DEFAULT_NAME = "docker-default"
MODES = ("enforce", "complain")
PTRACE = ("none", "read", "self")
FILES = ("all", "listed")
LISTS = (
    "capabilities",
    "deny_capabilities",
    "deny_execute",
    "deny_network",
    "deny_read",
    "deny_write",
    "execute",
    "network",
    "read",
    "signal_peers",
    "without",
    "write",
)
SWITCHES = ("log_denials", "mounts", "user_namespaces")
PATHS = ("execute", "read", "write")
DENIALS = ("deny_execute", "deny_read", "deny_write")
KEYS = frozenset((*LISTS, *SWITCHES, "base", "files", "mode", "ptrace", "text"))
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# What can stand in a path without quotes, with AppArmor's patterns and variables.
PATH = re.compile(r"(?:/|@\{[A-Za-z_]+\})[A-Za-z0-9_./*?\[\]^{},@+:=%~-]*")
PEER = re.compile(r"[A-Za-z0-9_./@{}*?-]+")
HEADER = "# Written by the Ansible collection bulwark.docker (role apparmor): the next run overwrites changes.\n"


class Policy(NamedTuple):
    """A checked policy with its base worked in; C(text) is a whole profile of the user's own, "" for the other fields.

    The lists have neither groups nor repetitions; C(network) holds "inet stream", "unix" or "all".
    """

    name: str
    mode: str
    text: str = ""
    files: str = "listed"
    ptrace: str = "none"
    log_denials: bool = False
    mounts: bool = False
    user_namespaces: bool = False
    read: FrozenSet[str] = frozenset()
    write: FrozenSet[str] = frozenset()
    execute: FrozenSet[str] = frozenset()
    deny_read: FrozenSet[str] = frozenset()
    deny_write: FrozenSet[str] = frozenset()
    deny_execute: FrozenSet[str] = frozenset()
    network: FrozenSet[str] = frozenset()
    deny_network: FrozenSet[str] = frozenset()
    capabilities: FrozenSet[str] = frozenset()
    deny_capabilities: FrozenSet[str] = frozenset()
    signal_peers: FrozenSet[str] = frozenset()


def _wrong(name: str, what: str, remedy: str) -> ConfigError:
    return ConfigError(f"profile {name!r}: {what}; {remedy}")


def _choice(name: str, key: str, value: object, choices: Sequence[str]) -> str:
    if value not in choices:
        raise _wrong(name, f"{key} is {value!r}", f"use one of {', '.join(choices)}")
    return str(value)


def _words(name: str, key: str, value: object) -> List[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise _wrong(name, f"{key} is {value!r}", "write a list of texts")
    return value


def _check_paths(name: str, key: str, words: Iterable[str]) -> None:
    for word in words:
        if word.startswith("@") and not word.startswith("@{"):
            if word not in GROUPS:
                raise _wrong(name, f"{key} has no group {word!r}", f"use one of {', '.join(sorted(GROUPS))}")
        elif not PATH.fullmatch(word):
            raise _wrong(name, f"{key} has {word!r}", "write an absolute path without spaces, quotes and line ends")
        elif any(word.count(pair[0]) != word.count(pair[1]) for pair in ("{}", "[]")):
            raise _wrong(name, f"{key} has {word!r}, whose brackets do not match", "close each of them")


def _check_network(name: str, key: str, words: Iterable[str]) -> None:
    for word in words:
        family, _blank, kind = word.partition(" ")
        if word != "all" and (family not in NETWORK_FAMILIES or (kind and kind not in SOCKET_TYPES)):
            raise _wrong(
                name,
                f"{key} has {word!r}",
                f"write all, a family ({', '.join(sorted(NETWORK_FAMILIES))}), or a family and a type "
                f"({', '.join(sorted(SOCKET_TYPES))})",
            )


def _check_capabilities(name: str, key: str, words: Iterable[str]) -> None:
    unknown = sorted(set(words) - CAPABILITIES - {"all"})
    if unknown:
        raise _wrong(
            name, f"{key} has {unknown[0]!r}", "write names as net_raw (without CAP_, in small letters), or all"
        )


def _check_lists(name: str, policy: Mapping[str, Any]) -> None:
    for key in LISTS:
        words = _words(name, key, policy.get(key, []))
        if key in (*PATHS, *DENIALS):
            _check_paths(name, key, words)
        elif key in ("network", "deny_network"):
            _check_network(name, key, words)
        elif key in ("capabilities", "deny_capabilities"):
            _check_capabilities(name, key, words)
        elif key == "signal_peers" and not all(PEER.fullmatch(word) for word in words):
            raise _wrong(name, f"signal_peers has {words!r}", "write names of profiles")


def _check(name: str, policy: Mapping[str, Any]) -> None:
    """ConfigError for anything wrong in one policy by itself."""
    unknown = sorted(str(key) for key in set(policy) - KEYS)
    if unknown:
        raise _wrong(name, f"there is no key {unknown[0]!r}", f"use {', '.join(sorted(KEYS))}")
    _choice(name, "mode", policy.get("mode", "enforce"), MODES)
    _choice(name, "files", policy.get("files", "listed"), FILES)
    _choice(name, "ptrace", policy.get("ptrace", "none"), PTRACE)
    for key in SWITCHES:
        if not isinstance(policy.get(key, False), bool):
            raise _wrong(name, f"{key} is {policy[key]!r}", "use true or false")
    if "text" in policy:
        if not isinstance(policy["text"], str) or not policy["text"].strip():
            raise _wrong(name, "text is not a profile", "write the whole profile, or leave text out")
        if set(policy) - {"text", "mode"}:
            raise _wrong(name, "text stands beside other keys", "give text and mode alone, or a policy")
    _check_lists(name, policy)
    if "base" in policy and policy["base"] not in SHIPPED:
        raise _wrong(name, f"base is {policy['base']!r}", f"use one of {', '.join(sorted(SHIPPED))}")


def _compose(name: str, policy: Mapping[str, Any]) -> Dict[str, Any]:
    """A policy with its bases worked in: lists are joined, other keys replaced, C(without) is taken out of the base."""
    if "base" not in policy:
        if policy.get("without"):
            raise _wrong(name, "without takes something out of a base, and there is none", "name a base, or drop it")
        return dict(policy)
    merged = _compose(name, SHIPPED[policy["base"]])
    dropped = set(policy.get("without", []))
    inherited = {word for key in LISTS for word in merged.get(key, [])}
    if dropped - inherited:
        raise _wrong(
            name,
            f"without has {min(dropped - inherited)!r}, which is not in {policy['base']}",
            "take it out of without",
        )
    for key in LISTS:
        kept = [word for word in merged.get(key, []) if word not in dropped]
        merged[key] = kept + [word for word in policy.get(key, []) if word not in kept]
    merged.update({key: value for key, value in policy.items() if key not in LISTS})
    return merged


def _expand(words: Iterable[str]) -> FrozenSet[str]:
    return frozenset(path for word in words for path in GROUPS.get(word, (word,)))


def parse_policy(name: str, policy: Mapping[str, Any]) -> Policy:
    """A checked policy.

    Raises ConfigError for an unknown key or word, a path that is not absolute, and for policies that contradict
    themselves: the same path allowed and refused, lists of paths where every file is allowed anyway.
    """
    if not NAME.fullmatch(name):
        raise _wrong(name, "this is no name for a profile", "use letters, digits, dots, dashes and underscores")
    if name == DEFAULT_NAME:
        raise _wrong(name, "the engine owns this name and writes its own text over it", "choose another name")
    if not isinstance(policy, dict):
        raise _wrong(name, f"the policy is {policy!r}", "write a mapping, for example {base: docker-bulwark}")
    _check(name, policy)
    if "text" in policy:
        return Policy(name, policy.get("mode", "enforce"), policy["text"])
    merged = _compose(name, policy)
    fields: Dict[str, Any] = {key: frozenset(merged.get(key, [])) for key in LISTS if key != "without"}
    fields.update({key: _expand(fields[key]) for key in (*PATHS, *DENIALS)})
    fields.update({key: bool(merged.get(key, False)) for key in SWITCHES})
    found = Policy(
        name,
        merged.get("mode", "enforce"),
        files=merged.get("files", "listed"),
        ptrace=merged.get("ptrace", "none"),
        **fields,
    )
    _check_sense(found)
    return found


def _check_sense(policy: Policy) -> None:
    allowed = policy.read | policy.write | policy.execute
    if policy.files == "all" and allowed:
        raise _wrong(policy.name, f"{min(allowed)!r} is allowed by files: all anyway", "use files: listed, or drop it")
    if policy.files == "listed" and not policy.execute:
        raise _wrong(policy.name, "no program can be run with it", "list programs in execute, or set files: all")
    pairs = (("read", "deny_read"), ("write", "deny_write"), ("execute", "deny_execute"))
    both = [
        (path, allow, deny)
        for allow, deny in (*pairs, ("network", "deny_network"), ("capabilities", "deny_capabilities"))
        for path in sorted(getattr(policy, allow) & getattr(policy, deny))
    ]
    if both:
        word, allow, deny = both[0]
        raise _wrong(policy.name, f"{word!r} stands in {allow} and in {deny}", "leave it in one of them")


def parse_policies(policies: Mapping[str, Any], shipped: Sequence[str]) -> Tuple[Policy, ...]:
    """All wanted profiles by name: the shipped ones that are named, and the user's own.

    A policy of the user with the name of a shipped one replaces it.
    """
    unknown = sorted(set(shipped) - set(SHIPPED))
    if unknown:
        raise ConfigError(f"shipped profiles: there is no {unknown[0]!r}; use {', '.join(sorted(SHIPPED))}")
    wanted: Dict[str, Any] = {name: dict(SHIPPED[name]) for name in shipped}
    wanted.update(policies)
    return tuple(parse_policy(str(name), wanted[name]) for name in sorted(wanted, key=str))


def _network_rules(prefix: str, words: Iterable[str]) -> List[str]:
    return [f"{prefix}network{'' if word == 'all' else ' ' + word}" for word in sorted(words)]


def _capability_rules(prefix: str, words: FrozenSet[str]) -> List[str]:
    if not words:
        return []
    return [f"{prefix}capability" if "all" in words else f"{prefix}capability {' '.join(sorted(words))}"]


def _allowed_files(policy: Policy) -> List[str]:
    if policy.files == "all":
        return ["file"]
    access: Dict[str, str] = dict.fromkeys(policy.read, "r")
    access.update(dict.fromkeys(policy.write, "rwkl"))
    access.update({path: access.get(path, "r") + "mix" for path in policy.execute})
    return [f"{path} {access[path]}" for path in sorted(access)]


def _refused_files(policy: Policy, deny: str) -> List[str]:
    refused: Dict[str, str] = dict.fromkeys(policy.deny_execute, "mx")
    refused.update({path: "wkl" + refused.get(path, "") for path in policy.deny_write})
    refused.update(dict.fromkeys(policy.deny_read, "rwklmx"))
    return [f"{deny}{path} {refused[path]}" for path in sorted(refused)]


def _mount_rules(policy: Policy, deny: str) -> List[str]:
    if policy.mounts:
        return ["mount", "remount", "umount", "pivot_root"]
    return [f"{deny}{word}" for word in ("mount", "remount", "umount", "pivot_root")]


def _ptrace_rules(policy: Policy, deny: str) -> List[str]:
    if policy.ptrace == "none":
        return [f"{deny}ptrace (read, trace)"]
    access = "read, readby" if policy.ptrace == "read" else "read, readby, trace, tracedby"
    return [f"ptrace ({access}) peer={policy.name}"]


def _namespace_rules(policy: Policy, abi: str) -> List[str]:
    """Rules that only the newer rule language has; where it is older, the kernel is not asked about these things."""
    if abi != "4.0":
        return []
    return (["userns"] if policy.user_namespaces else []) + ["mqueue"]


def render(policy: Policy, peers: Iterable[str], abi: str) -> str:
    """The profile as text.

    Args:
        policy: what it says; a text of the user's own is given back as it is.
        peers: labels of the programs on this host that stop containers, beside the usual ones.
        abi: "4.0", "3.0", or "" for a host whose parser knows none.
    """
    if policy.text:
        return policy.text if policy.text.endswith("\n") else policy.text + "\n"
    deny = "audit deny " if policy.log_denials else "deny "
    flags = "attach_disconnected,mediate_deleted" + (",complain" if policy.mode == "complain" else "")
    senders = sorted({*RUNTIME_PROFILES, *peers, *policy.signal_peers} - {policy.name})
    rules = [f"signal (receive) peer={peer}" for peer in senders]
    rules.append(f"signal (send, receive) peer={policy.name}")
    rules += _ptrace_rules(policy, deny)
    rules += _network_rules("", policy.network)
    rules += ["unix"] if policy.network & {"all", "unix"} else []
    rules += _network_rules(deny, policy.deny_network)
    rules += _capability_rules("", policy.capabilities) + _capability_rules(deny, policy.deny_capabilities)
    rules += _namespace_rules(policy, abi)
    rules += _allowed_files(policy) + _refused_files(policy, deny)
    rules += [f"{deny}{path} {access}" for path, access in KERNEL_DENIALS]
    rules += _mount_rules(policy, deny)
    lines = [f"  {rule},\n" for rule in rules]
    base = ["  include <abstractions/base>\n"] if policy.files == "listed" else []
    head = [f"abi <abi/{abi}>,\n"] if abi else []
    start = f"profile {policy.name} flags=({flags}) {{\n"
    return "".join([HEADER, *head, "include <tunables/global>\n\n", start, *base, *lines, "}\n"])
