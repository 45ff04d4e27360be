# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dockerd of a version says to a daemon.json and a command line when it loads them (pure, private).

The order of moby daemon/config/config.go: flags are parsed, unknown keys and keys given twice (file and flag) are
refused, Go types are enforced, values are validated. Held against the real dockerd of 20.10, 26.1 and 28.5.
Combinations that only fail later, and everything that needs the host, are in _engine_combinations.
"""

from __future__ import annotations

import difflib
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._daemon_json import Document, Member, Node
from ansible_collections.bulwark.docker.plugins.module_utils._engine_combinations import (
    HostFacts,
    PortUse,
    check_combinations,
    paths_to_inspect,
    runtime_paths,
)
from ansible_collections.bulwark.docker.plugins.module_utils._engine_keys import (
    FLAT_MAPS,
    INERT_NAMES,
    KEYS,
    UNREACHABLE_FIELDS,
    Key,
)
from ansible_collections.bulwark.docker.plugins.module_utils._finding import Finding
from ansible_collections.bulwark.docker.plugins.module_utils._flags import Flags, known_flags
from ansible_collections.bulwark.docker.plugins.module_utils._go_values import (
    fits_int64,
    parse_address,
    parse_flag_integer,
    parse_prefix,
    problem_dns_search,
    problem_duration,
    problem_exec_opt,
    problem_generic_resources,
    problem_host,
    problem_ipv6_subnet,
    problem_label,
    problem_mirror,
    problem_size,
)
from ansible_collections.bulwark.docker.plugins.module_utils._version import Version

__all__ = [
    "Finding",
    "HostFacts",
    "PortUse",
    "check_combinations",
    "check_config",
    "known_keys",
    "paths_to_inspect",
    "runtime_paths",
]

ALWAYS_ACCEPTED: Mapping[str, Tuple[int, ...]] = {
    "features": (0,),
    "builder": (0,),
    "deprecated-key-path": (0,),
    "allow-nondistributable-artifacts": (28, 1),
    "min-api-version": (29,),
}
# Accepted for the sake of old files, no longer decoded.
UNREAD_SINCE: Mapping[str, Tuple[int, ...]] = {
    "deprecated-key-path": (24,),
    "allow-nondistributable-artifacts": (28, 1),
}
NEVER = (1000,)
STOCK_RUNTIMES = ("runc", "io.containerd.runtime.v1.linux", "io.containerd.runc.v2")
LOG_LEVELS = ("panic", "fatal", "error", "warn", "info", "debug", "trace")
IPC_MODES = ("", "private", "shareable")
CGROUPNS_MODES = ("", "private", "host")
FIREWALL_BACKENDS = ("", "iptables", "nftables")


class _Type(NamedTuple):
    """A Go type: kind, the type of its elements, and its fields by lower-case name."""

    kind: str
    inner: Optional[_Type] = None
    fields: Mapping[str, _Type] = {}


_BOOL, _INT, _STR, _ANY = _Type("bool"), _Type("int"), _Type("str"), _Type("any")
_STRINGS = _Type("list", _STR)
_RULE = {"all": _BOOL, "filter": _Type("filter"), "keepstorage": _STR}
_SHAPES: Dict[str, _Type] = {
    "bool": _BOOL,
    "opt_bool": _BOOL,
    "int": _INT,
    "int64": _INT,
    "uint32": _Type("uint32"),
    "str": _STR,
    "list_str": _STRINGS,
    "ip": _Type("ip"),
    "list_ip": _Type("list", _Type("ip")),
    "list_addr": _Type("list", _Type("addr")),
    "size": _Type("size"),
    "map_str": _Type("map", _STR),
    "map_bool": _Type("map", _BOOL),
    "map_map_str": _Type("map", _Type("map", _STR)),
    "ulimits": _Type("map", _Type("struct", None, {"name": _STR, "hard": _INT, "soft": _INT})),
    "proxies": _Type("struct", None, {"http-proxy": _STR, "https-proxy": _STR, "no-proxy": _STR}),
    "nri": _Type("struct", None, {"enable": _BOOL}),
}
_WORDS = {
    "bool": "true or false",
    "int": "a whole number",
    "uint32": "a whole number from 0",
    "str": "a string",
    "list": "a list",
    "map": "an object",
    "struct": "an object",
    "ip": "an IP address as a string",
    "addr": "an IP address as a string",
    "prefix": 'a network as a string, such as "10.10.0.0/16"',
    "size": 'a size as a string, such as "64m"',
    "duration": 'a duration as a string, such as "48h"',
    "filter": 'a list of strings such as "unused-for=48h"',
}


def _pools(version: Version) -> _Type:
    base = _Type("prefix") if version >= (27,) else _STR
    return _Type("pools", _Type("struct", None, {"base": base, "size": _INT}))


def _runtimes(version: Version) -> _Type:
    fields = {"path": _STR, "runtimeargs": _STRINGS}
    if version >= (23,):
        fields.update(runtimetype=_STR, options=_Type("map", _ANY))
    return _Type("map", _Type("struct", None, fields))


def _builder(version: Version) -> _Type:
    rule, collector = dict(_RULE), {"enabled": _BOOL, "defaultkeepstorage": _STR}
    if version >= (28,):
        rule.update(reservedspace=_STR, maxusedspace=_STR, minfreespace=_STR)
        collector.update(defaultreservedspace=_STR, defaultmaxusedspace=_STR, defaultminfreespace=_STR)
    collector["policy"] = _Type("list", _Type("struct", None, rule))
    entitlements = {"network-host": _BOOL, "security-insecure": _BOOL}
    if version >= (29,):
        entitlements["device"] = _BOOL
    fields = {"gc": _Type("struct", None, collector), "entitlements": _Type("struct", None, entitlements)}
    if version >= (25,):
        fields["history"] = _Type("struct", None, {"maxage": _Type("duration"), "maxentries": _INT})
    return _Type("struct", None, fields)


def _type_of(shape: str, version: Version) -> Optional[_Type]:
    """The Go type behind a shape, None when the value is never decoded."""
    if shape == "pools":
        return _pools(version)
    if shape == "runtimes":
        return _runtimes(version)
    if shape == "builder":
        return _builder(version)
    if shape == "list_ip" and version < (23,):
        return _STRINGS
    return _SHAPES.get(shape)


def _fold(name: str) -> str:
    """Go compares field names under simple case folding."""
    return name.replace("\u017f", "s").replace("\u212a", "k").lower()


class _Mismatch(NamedTuple):
    node: Node
    wanted: str


def _mismatches(node: Node, wanted: _Type, text: str, version: Version) -> Iterator[_Mismatch]:
    """Every value in the node that Go cannot decode into the type."""
    kind = wanted.kind
    if kind == "any" or (node.kind == "null" and kind != "size"):
        return
    if kind in ("list", "pools"):
        if node.kind != "array":
            yield _Mismatch(node, _WORDS["list"])
        for item in node.items:
            yield from _mismatches(item, wanted.inner or _ANY, text, version)
    elif kind in ("map", "struct"):
        if node.kind != "object":
            yield _Mismatch(node, _WORDS[kind])
        for name, _start, value in node.members:
            field = wanted.inner if kind == "map" else wanted.fields.get(_fold(name))
            yield from _mismatches(value, field or _ANY, text, version)
    elif kind == "filter":
        if not _is_filter(node, version):
            yield _Mismatch(node, _WORDS[kind])
    elif not _is_scalar(node, kind, text, version):
        yield _Mismatch(node, _WORDS[kind])


def _is_filter(node: Node, version: Version) -> bool:
    if node.kind == "array":
        texts = all(item.kind in ("string", "null") for item in node.items)
        return texts and (version >= (23,) or all("=" in str(item.value or "") for item in node.items))
    if node.kind != "object":
        return False
    inner = [value for _name, _start, value in node.members if value.kind != "null"]
    return all(
        value.kind == "object" and all(truth.kind in ("bool", "null") for _name, _start, truth in value.members)
        for value in inner
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_scalar(node: Node, kind: str, text: str, version: Version) -> bool:
    if kind == "bool":
        return node.kind == "bool"
    if kind in ("int", "uint32"):
        if node.kind != "number" or not _is_whole(node.value):
            return False
        return fits_int64(node.value) if kind == "int" else 0 <= node.value < 2**32
    if node.kind != "string":
        return False
    value = str(node.value)
    if kind in ("ip", "addr"):
        return not value or parse_address(value, zone=kind == "addr") is not None
    if kind == "prefix":
        return not value or parse_prefix(value) is not None
    if kind == "size":
        return problem_size(text[node.start + 1 : node.end - 1], version) is None
    return kind == "str" or problem_duration(value) is None


def _accepts(key: Key, version: Version) -> bool:
    return version >= key.since and (key.until is None or version < key.until)


def known_keys(version: Version) -> Set[str]:
    """Every top-level name that dockerd of that version does not call unknown, effective or not."""
    names = {name for name, since in ALWAYS_ACCEPTED.items() if version >= since}
    for name, key in known_flags(version).items():
        names.add(name)
        if key is not None and _accepts(key, version):
            names.add(key.name)
    names.update(key.name for key in KEYS.values() if key.flag and _accepts(key, version) and version >= key.flag_since)
    return names


class _Place(NamedTuple):
    """Where a (possibly nested) name of the file stands, and its value as dockerd's conflict check sees it."""

    value: Any
    member: Member


class _Check:
    def __init__(self, document: Document, flags: Flags, version: Version) -> None:
        self.document = document
        self.flags = flags
        self.version = version
        self.findings: List[Finding] = []
        self.names = self.flatten()

    def add(
        self,
        code: str,
        key: Optional[str],
        problem: str,
        advice: str,
        offset: Optional[int] = None,
        fatal: bool = True,
        covered: bool = True,
    ) -> None:
        """Note a finding; the place is the given position, the key's member, or the flag that sets the key."""
        line = column = None
        member = self.document.member(key) if key is not None else None
        if offset is not None:
            line, column = self.document.position(offset)
        elif member is not None:
            line, column = member.line, member.column
        if line is not None:
            where = f"{self.document.path}, line {line}, column {column}"
        else:
            where = f"flag {self.flags.names[key]}" if key in self.flags.names and key is not None else "command line"
        message = f"Load the engine's configuration: {problem} ({where}); {advice}"
        self.findings.append(Finding(code, message, key, line, column, fatal, covered))

    def refuse(self, key: str, problem: Optional[str], covered: bool = True) -> None:
        """Note that the engine refuses a key's value, when there is a problem."""
        if problem is not None:
            known = KEYS.get(key)
            advice = f"correct it, or set {known.variable}" if known is not None and known.variable else "correct it"
            self.add("value", key, f"{key}: {problem}", advice, covered=covered)

    def flatten(self) -> Dict[str, _Place]:
        """The names dockerd compares with its flags: objects that are not known maps give their inner names."""
        names: Dict[str, _Place] = {}
        last = {member.key: member for member in self.document.members}
        for member in last.values():
            flat = member.key in FLAT_MAPS and self.version >= KEYS[member.key].since
            if isinstance(member.value, dict) and not flat:
                names.update((inner, _Place(value, member)) for inner, value in member.value.items())
            else:
                names[member.key] = _Place(member.value, member)
        return names

    # what the file says, else the flags, as dockerd merges them

    def texts(self, key: str) -> List[str]:
        found = self.document.data.get(key)
        if isinstance(found, list) and found:
            return ["" if item is None else item for item in found if item is None or isinstance(item, str)]
        return list(self.flags.values.get(key, ()))

    def text(self, key: str) -> str:
        found = self.document.data.get(key)
        if isinstance(found, str) and found:
            return found
        given = self.flags.values.get(key)
        return given[-1] if given else ""

    def number(self, key: str) -> int:
        found = self.document.data.get(key)
        if _is_whole(found) and found:
            return int(found)
        given = self.flags.values.get(key)
        return (parse_flag_integer(given[-1]) or 0) if given else 0

    # the steps

    def check_flags(self) -> None:
        for error in self.flags.errors:
            self.findings.append(Finding("flag", error, covered_by_validate=True))

    def check_names(self) -> None:
        known = known_keys(self.version)
        for name, place in self.names.items():
            member = place.member
            if name in known:
                continue
            outer = (
                "" if member.key == name else f" (inside {member.key!r}, which is itself no key that takes an object)"
            )
            key = KEYS.get(name)
            if key is not None and self.version < key.since:
                advice = f"remove it: it came with {'.'.join(map(str, key.since))}"
            elif key is not None and key.until is not None:
                advice = f"remove it: it is gone since {'.'.join(map(str, key.until))}"
            else:
                close = difflib.get_close_matches(member.key, sorted(known), 1, 0.75)
                advice = f"did you mean {close[0]!r}?" if close else "remove it or correct its name"
            problem = f"engine {self.version} does not know the key {name!r}{outer}"
            self.add("unknown_key", member.key, problem, advice)

    def check_ineffective(self) -> None:
        flags = known_flags(self.version)
        for member in self.document.members:
            key = KEYS.get(member.key)
            if member.key in INERT_NAMES or (key is None and member.key in flags):
                meant = flags.get(member.key)
                advice = f"write {meant.name!r}" if meant is not None else "remove it"
                self.add(
                    "ineffective",
                    member.key,
                    f"{member.key!r} does nothing in the file",
                    advice,
                    fatal=False,
                    covered=False,
                )
            elif key is not None and key.ignored is not None and self.version >= key.ignored:
                advice = 'write it inside "proxies"' if member.key.endswith("-proxy") else "remove it"
                problem = f"engine {self.version} accepts {member.key!r}, but ignores it"
                self.add("ineffective", member.key, problem, advice, fatal=False, covered=False)

    def check_conflicts(self) -> None:
        for name, spelling in self.given().items():
            place = self.names.get(name)
            if place is None or name == "runtimes":
                continue
            self.add(
                "flag_conflict",
                place.member.key,
                f"{name!r} is set both here and by the flag {spelling}, which the engine refuses even for equal values",
                "remove one of them" + self.unless(name),
            )
        if self.version >= (28,) and "host-gateway-ip" in self.names and "host-gateway-ips" in self.names:
            problem = "'host-gateway-ip' and 'host-gateway-ips' are both set"
            self.add("key_conflict", self.names["host-gateway-ip"].member.key, problem, "keep the second one")
        if self.version < (23,):
            both = self.document.data
            if both.get("graph") and both.get("data-root"):
                self.add("key_conflict", "graph", "'graph' and 'data-root' are both set", "keep 'data-root'")
            if "graph" in self.flags.values and "data-root" in self.flags.values:
                self.add("flag_conflict", "graph", "--graph and --data-root are both given", "keep --data-root")

    def unless(self, name: str) -> str:
        key = KEYS.get(name)
        return f" (the role sets it through {key.variable})" if key is not None and key.variable else ""

    def given(self) -> Dict[str, str]:
        """Names that the flags on the command line occupy in the file, with the flag's spelling."""
        given = {name: f"--{name}" for name in self.flags.other}
        given.update(self.flags.names)
        if self.version >= (28,) and "host-gateway-ips" in given:
            given["host-gateway-ip"] = given["host-gateway-ips"]
        return given

    def check_types(self) -> None:
        fields = {
            _fold(key.name): (key.name, kind)
            for key in KEYS.values()
            if _accepts(key, self.version) and self.version < UNREAD_SINCE.get(key.name, NEVER)
            for kind in (_type_of(key.shape, self.version),)
            if kind is not None
        }
        fields.update((name, (name, _SHAPES[shape])) for name, shape in UNREACHABLE_FIELDS.items())
        for member in self.document.members:
            known = fields.get(_fold(member.key))
            if known is None:
                continue
            for mismatch in _mismatches(member.node, known[1], self.document.text, self.version):
                found = self.document.text[mismatch.node.start : mismatch.node.end]
                shown = found if len(found) <= 60 else found[:57] + "..."
                key = KEYS.get(known[0])
                advice = f"write {mismatch.wanted}" + (f", or set {key.variable}" if key and key.variable else "")
                problem = f"{member.key}: {shown} is not {mismatch.wanted}"
                self.add("type", member.key, problem, advice, offset=mismatch.node.start)

    def check_values(self) -> None:
        modern = self.version >= (23,)
        if not modern:
            self.each("dns", lambda text: None if parse_address(text.strip()) else f"{text!r} is not an IP address")
        self.each("dns-search", problem_dns_search)
        self.each("labels", problem_label)
        self.check_label_conflicts()
        self.refuse("node-generic-resources", problem_generic_resources(self.texts("node-generic-resources")))
        self.each("hosts", lambda text: problem_host(text, self.version), covered=modern)
        self.each("registry-mirrors", lambda text: problem_mirror(text, self.version), covered=self.version >= (28,))
        if self.version >= (28,):
            self.each("exec-opts", problem_exec_opt)
        self.check_numbers(modern)
        self.check_words()
        if self.version >= (26,):
            self.refuse("fixed-cidr-v6", problem_ipv6_subnet(self.text("fixed-cidr-v6"), self.version))
        if self.version >= (28,):
            addresses = [parse_address(text, zone=True) for text in self.texts("host-gateway-ips")]
            fours = [address for address in addresses if address is not None and address.version == 4]
            if len(fours) > 1 or len(addresses) - len(fours) > 1:
                self.refuse("host-gateway-ips", "there can be one IPv4 and one IPv6 address at most")
            if self.text("api-cors-header"):
                problem = f"engine {self.version} has no CORS headers any more and refuses 'api-cors-header'"
                self.add("value", "api-cors-header", problem, "remove it")
        self.check_runtimes()

    def each(self, key: str, problem_of: Any, covered: bool = True) -> None:
        for text in self.texts(key):
            self.refuse(key, problem_of(text), covered)

    def check_label_conflicts(self) -> None:
        seen: Dict[str, str] = {}
        for label in self.texts("labels"):
            name, equals, value = label.partition("=")
            if equals and seen.setdefault(name, value) != value:
                self.refuse("labels", f"the label {name!r} is there with two values, {seen[name]!r} and {value!r}")

    def check_numbers(self, modern: bool) -> None:
        for key in ("max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts"):
            if self.number(key) < 0:
                self.refuse(key, f"{self.number(key)} is below 0")
        if not modern and self.is_zero("max-download-attempts"):
            self.refuse("max-download-attempts", "0 is too few for this engine")
        if modern and self.number("mtu") < 0:
            self.refuse("mtu", f"{self.number('mtu')} is below 0")
        if self.version >= (28,) and not 0 <= self.number("network-diagnostic-port") <= 65535:
            self.refuse("network-diagnostic-port", f"{self.number('network-diagnostic-port')} is not a port")

    def is_zero(self, key: str) -> bool:
        found = self.document.data.get(key)
        if _is_whole(found):
            return found == 0
        given = self.flags.values.get(key)
        return bool(given) and parse_flag_integer(given[-1]) == 0 if given else False

    def check_words(self) -> None:
        level = self.text("log-level")
        levels = LOG_LEVELS if self.version >= (23,) else (*LOG_LEVELS, "warning")
        if level and level.lower() not in levels:
            self.refuse("log-level", f"{level!r} is none of {', '.join(levels)}")
        choices = {"default-ipc-mode": IPC_MODES, "default-cgroupns-mode": CGROUPNS_MODES}
        if self.version >= (25,):
            choices["log-format"] = ("", "text", "json")
        if self.version >= (29,):
            choices["firewall-backend"] = FIREWALL_BACKENDS
        for key, words in choices.items():
            if self.text(key) not in words:
                self.refuse(key, f"{self.text(key)!r} is none of {', '.join(word for word in words if word)}")
        if (24,) <= self.version < (28,):
            features = self.document.data.get("features")
            if isinstance(features, dict) and "windows-dns-proxy" in features:
                self.refuse("features", "'windows-dns-proxy' exists on Windows only")

    def check_runtimes(self) -> None:
        """Below 23.0 dockerd compares runtimes while loading; later ones do it at start."""
        if self.version >= (23,):
            return
        runtimes = self.document.data.get("runtimes")
        in_file = set(runtimes) if isinstance(runtimes, dict) else set()
        if "runc" in in_file:
            self.refuse("runtimes", "the name 'runc' is reserved")
        found = self.document.data.get("default-runtime")
        from_file = isinstance(found, str) and bool(found)
        default = self.text("default-runtime")
        by_flag = {text.partition("=")[0].strip().lower() for text in self.flags.values.get("runtimes", ())}
        known = in_file if from_file else in_file | by_flag
        if default and default not in STOCK_RUNTIMES and default not in known:
            self.refuse("default-runtime", f"the runtime {default!r} is not defined in 'runtimes'")

    def run(self) -> List[Finding]:
        self.check_flags()
        self.check_names()
        self.check_conflicts()
        self.check_types()
        self.check_values()
        self.check_ineffective()
        return self.findings


def check_config(document: Document, flags: Flags, version: Version) -> List[Finding]:
    """What dockerd says to the file together with the flags when it loads them.

    Fatal findings with covered_by_validate are exactly what `dockerd --validate` refuses (below 23.0: what dockerd
    refuses before it touches the host); other fatal ones make it fail later in its start.
    """
    return _Check(document, flags, version).run()
