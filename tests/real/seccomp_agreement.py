# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is what we know about seccomp profiles what the engine of this host does?

Runs on a test host as root, needs nothing but Python, busybox, seccomp_cases.py beside it and plugins/module_utils
(found from this file's place, or below --root). Five questions, each answered by containers:

filters    Is our base `engine` the filter that the engine itself gives to its runtime, for the default capabilities and
           for each one that can be added? Does the engine make of our profiles what we say that it makes?
mistakes   Does a container start, or not, with each profile of seccomp_cases.py as it says there?
essential  Does no container start without one of the calls that we take for essential?
calls      Do real system calls get the answers that the profiles declare, for both bases?
holes      Does a container get a socket of the family VSOCK, which the engine's own profile refuses, all the same: by a
           number that the kernel cuts to 32 bits, and by socketcall of a 32-bit program? From engine 23.0 on it does
           under the base `engine`, and never under `hardened`, with 32-bit programs or without.

Prints JSON: version, one object for each question with compared and differences, and what was left out. Exits with 1
when something differs or nothing was compared.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import platform
import shutil
import socket
import sys
import tarfile
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SOCKET = "/run/docker.sock"
IMAGE = "bulwark-seccomp:agreement"
LABEL = "bulwark.seccomp.agreement"
BUNDLE = "/run/containerd/io.containerd.runtime.v2.task/moby/{}/config.json"
MASK = (1 << 64) - 1
ENOSYS = 38
EAFNOSUPPORT = 97
# Numbers of x86_64 (arch/x86/entry/syscalls/syscall_64.tbl). With every argument -1 each of these does nothing.
NUMBERS = {
    name: int(number)
    for name, number in (
        pair.split("=")
        for pair in """
    accept=43 access=21 add_key=248 adjtimex=159 arch_prctl=158 bind=49 bpf=321 capget=125 chdir=80 chroot=161
    clock_adjtime=305 clone3=435 close_range=436 connect=42 copy_file_range=326 delete_module=176 dup=32
    epoll_create1=291 epoll_ctl_old=214 execveat=322 faccessat2=439 fanotify_init=300 fanotify_mark=301 fchmodat2=452
    finit_module=313 flock=73 fsconfig=431 fsmount=432 fsopen=430 fspick=433 fstat=5 futex_waitv=449 get_mempolicy=239
    get_robust_list=274 getdents64=217 getxattr=191 init_module=175 inotify_add_watch=254 io_setup=206 io_submit=209
    io_uring_enter=426 io_uring_register=427 io_uring_setup=425 ioctl=16 ioperm=173 iopl=172 kcmp=312
    kexec_file_load=320 kexec_load=246 keyctl=250 landlock_restrict_self=446 listen=50 lookup_dcookie=212 lseek=8
    mbind=237 memfd_create=319 memfd_secret=447 migrate_pages=256 mknod=133 mlock2=325 modify_ldt=154 mount=165
    mount_setattr=442 move_mount=429 move_pages=279 mq_open=240 mremap=25 name_to_handle_at=303 open=2
    open_by_handle_at=304 open_tree=428 openat2=437 perf_event_open=298 pidfd_getfd=438 pidfd_open=434
    pidfd_send_signal=424 pivot_root=155 pkey_free=331 prctl=157 pread64=17 process_madvise=440 process_mrelease=448
    process_vm_readv=310 process_vm_writev=311 ptrace=101 quotactl=179 quotactl_fd=443 readlink=89
    remap_file_pages=216 request_key=249 sched_getattr=315 seccomp=317 set_mempolicy=238 setdomainname=171
    sethostname=170 setns=308 settimeofday=164 setxattr=188 shmat=30 signalfd4=289 splice=275 statx=332 swapoff=168
    swapon=167 sync_file_range=277 syslog=103 tee=276 timerfd_create=283 umount2=166 unshare=272 uselib=134
    userfaultfd=323 ustat=136 vmsplice=278 write=1
    """.split()
    )
}
# Calls whose answer depends on an argument: name, number, arguments.
ARGUMENT_CALLS = [
    *(("socket", 41, (family, 99, 0)) for family in (1, 2, 10, 16, 17, 31, 38, 39, 40, 44)),
    ("socket", 41, ((1 << 32) | 40, 99, 0)),
    *(("personality", 135, (value,)) for value in (0x0, 0x8, 0x20000, 0x20008, 0x0040000, 0xFFFFFFFF)),
    *(("clone", 56, (flag | 0xFFFFFF00,)) for flag in (0, 0x80)),
    *(("clone", 56, (flag,)) for flag in (0x10000000 | 0x200, 0x20000000 | 0x200, 0x200 | 0x40000000)),
]
# Prints two lists as _seccomp_program does, one for each attack; the second one makes a call of i386 by hand.
ATTACKS = """
import ctypes, json, os, struct
library = ctypes.CDLL(None, use_errno=True)
library.syscall.restype = ctypes.c_long
library.mmap.restype = ctypes.c_void_p
library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
VSOCK, STREAM, MAP_32BIT = 40, 1, 0x40
def wide():
    result = library.syscall(ctypes.c_long(41), ctypes.c_ulong((1 << 32) | VSOCK), ctypes.c_ulong(STREAM), 0)
    return [result, ctypes.get_errno() if result == -1 else 0]
def multiplexed():
    page = library.mmap(None, 4096, 7, 0x22 | MAP_32BIT, -1, 0)
    ctypes.memmove(page + 2048, struct.pack("<3I", VSOCK, STREAM, 0), 12)
    # push rbx; mov eax, 102 (socketcall); mov ebx, 1 (SYS_SOCKET); mov ecx, arguments; int 0x80; pop rbx; ret
    code = b"\\x53\\xb8" + struct.pack("<I", 102) + b"\\xbb" + struct.pack("<I", 1) + b"\\xb9"
    code += struct.pack("<I", page + 2048) + b"\\xcd\\x80\\x5b\\xc3"
    ctypes.memmove(page, code, len(code))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(page)()
    return [result, 0] if result >= 0 else [-1, -result]
found = []
for attack in (wide, multiplexed):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(attack()).encode())
        os._exit(0)
    os.close(writer)
    status = os.waitpid(child, 0)[1]
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    found.append([os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, *(json.loads(said) if said else [None, 0])])
print(json.dumps(found))
"""


def load_core(root: Path) -> dict[str, Any]:
    """Import the core without an Ansible installation."""
    for depth, name in enumerate(
        ("ansible_collections", "ansible_collections.bulwark", "ansible_collections.bulwark.docker")
    ):
        module = types.ModuleType(name)
        module.__path__ = [str(root)] if depth == 2 else []
        sys.modules.setdefault(name, module)
    base = "ansible_collections.bulwark.docker."
    names = ("calls", "policy", "profile", "tables", "trial")
    found = {name: __import__(f"{base}plugins.module_utils._seccomp_{name}", fromlist=["x"]) for name in names}
    found["version"] = __import__(f"{base}plugins.module_utils._version", fromlist=["x"])
    found["image"] = __import__(f"{base}plugins.module_utils._probe_image", fromlist=["x"])
    found["cases"] = __import__("seccomp_cases")
    return found


class ApiError(Exception):
    """The engine refused."""


class Connection(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(SOCKET)


def api(method: str, path: str, body: bytes | None = None) -> bytes:
    """One request; ApiError with the engine's words."""
    connection = Connection("localhost")
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        raise ApiError(data.decode("utf-8", "replace")[:300])
    return data


def remove_all() -> None:
    """Take away all containers of this program."""
    query = '{"label":["' + LABEL + '"]}'
    for item in json.loads(api("GET", "/containers/json?all=1&filters=" + query.replace('"', "%22"))):
        api("DELETE", f"/containers/{item['Id']}?force=1&v=1")


class Engine:
    """Containers of one engine."""

    def __init__(self, core: dict[str, Any]) -> None:
        self.program = (Path(core["calls"].__file__).parent / "_seccomp_program.py").read_bytes()
        self.version = core["version"].parse_version(json.loads(api("GET", "/version"))["Version"])
        names = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")
        links = {path: os.readlink(path) if os.path.islink(path) else None for path in names}
        self.layout = core["image"].make_layout(links, [path for path in names if os.path.isdir(path)])
        buffer = io.BytesIO(core["image"].image_archive(self.layout, self.program, b"", ""))
        with tarfile.open(fileobj=buffer, mode="a") as archive:
            archive.add(shutil.which("busybox") or "/bin/busybox", "busybox")
        repository, tag = IMAGE.split(":")
        api("POST", f"/images/create?fromSrc=-&repo={repository}&tag={tag}", buffer.getvalue())

    def create(self, command: Sequence[str], profile: bytes | None, capabilities: Sequence[str] = ()) -> str:
        """A container, not started; capabilities None for the default ones."""
        host: dict[str, Any] = {"NetworkMode": "none", "LogConfig": {"Type": "json-file"}}
        host["Mounts"] = [
            {"Type": "bind", "Source": path, "Target": path, "ReadOnly": True} for path in self.layout.mounts
        ]
        if profile is not None:
            host["SecurityOpt"] = ["seccomp=" + profile.decode()]
        if capabilities:
            host["CapAdd"] = list(capabilities)
        body = {"Image": IMAGE, "Cmd": list(command), "HostConfig": host, "Labels": {LABEL: "1"}, "StopTimeout": 0}
        return str(json.loads(api("POST", "/containers/create", json.dumps(body).encode()))["Id"])

    def filter_of(self, profile: bytes | None, capabilities: Sequence[str] = ()) -> dict[str, Any]:
        """The bundle's configuration of a running container."""
        identity = self.create(["/busybox", "sleep", "600"], profile, capabilities)
        try:
            api("POST", f"/containers/{identity}/start")
            with open(BUNDLE.format(identity), encoding="utf-8") as handle:
                return dict(json.load(handle))
        finally:
            api("DELETE", f"/containers/{identity}?force=1&v=1")

    def run(self, command: Sequence[str], profile: bytes | None) -> tuple[int, str]:
        """Run to the end: status and output; ApiError when it does not start."""
        identity = self.create(command, profile)
        try:
            api("POST", f"/containers/{identity}/start")
            status = json.loads(api("POST", f"/containers/{identity}/wait"))["StatusCode"]
            raw = api("GET", f"/containers/{identity}/logs?stdout=1&stderr=1")
        finally:
            api("DELETE", f"/containers/{identity}?force=1&v=1")
        text = b""
        while len(raw) >= 8:
            size = int.from_bytes(raw[4:8], "big")
            text, raw = text + raw[8 : 8 + size], raw[8 + size :]
        return int(status), text.decode("utf-8", "replace")

    def starts(self, profile: bytes) -> str:
        """Why a small shell does not run under a profile, "" when it does."""
        try:
            status, output = self.run(["/busybox", "sh", "-c", ":"], profile)
        except ApiError as error:
            return str(error)
        return "" if status == 0 else f"status {status}: {output[:200]}"


class Agreement:
    """The five questions."""

    def __init__(self, core: dict[str, Any]) -> None:
        self.core = core
        self.engine = Engine(core)
        self.version = self.engine.version
        release = platform.release().split(".")
        self.kernel = (int(release[0]), int(release[1]))
        self.word = core["calls"].MACHINES[platform.machine()]
        self.left_out: list[str] = []

    def rendered(self, base: str, **more: Any) -> dict[str, Any]:
        """A base as plain data."""
        policy = self.core["policy"].parse_policy({"base": base, **more})
        return dict(self.core["profile"].render_profile(self.core["policy"].compose(policy, self.version)))

    def effect(self, profile: dict[str, Any], capabilities: frozenset[str]) -> Any:
        """What we say that the engine makes of a profile."""
        read = self.core["profile"].parse_profile(self.core["profile"].profile_text(profile))
        return self.core["profile"].effect_of(read.profile, self.word, capabilities, self.kernel)

    def filters(self) -> dict[str, Any]:
        """Question one."""
        differences, compared = [], 0
        added = sorted(self.core["calls"].CAPABILITIES - self.core["trial"].DEFAULT_CAPABILITIES)
        bases = {"engine": self.rendered("engine"), "hardened": self.rendered("hardened")}
        for name in ["", *added]:
            for given in (None, "engine", "hardened"):
                profile = None if given is None else json.dumps(bases[given]).encode()
                try:
                    config = self.engine.filter_of(profile, [name] if name else [])
                except ApiError as error:
                    if not name:
                        raise
                    self.left_out.append(f"capability {name}: {error}")
                    break
                bounding = frozenset(config["process"]["capabilities"]["bounding"])
                effect = self.effect(bases[given or "engine"], bounding)
                compared += 1
                problem = self.compare(config["linux"]["seccomp"], effect)
                if problem:
                    differences.append(f"{given or 'the own profile'}, added {name or 'nothing'}: {problem}")
        return {"compared": compared, "differences": differences}

    def compare(self, real: dict[str, Any], ours: Any) -> str:
        """What differs between a filter of the bundle and ours, "" when nothing."""
        words = self.core["calls"].OPERATORS
        tables, policy = self.core["tables"], self.core["policy"]
        rules = set()
        for rule in real["syscalls"]:
            arguments = [
                tables.Comparison(item["index"], words[item["op"]], item["value"], item.get("valueTwo", 0))
                for item in rule.get("args") or []
            ]
            errno = rule.get("errnoRet", 1) if rule["action"] == "SCMP_ACT_ERRNO" else 0
            rules |= {policy.Clause(name, rule["action"], errno, tuple(sorted(arguments))) for name in rule["names"]}
        said = []
        if rules != ours.rules:
            said.append(f"only real {sorted(rules - ours.rules)!r}, only ours {sorted(ours.rules - rules)!r}")
        theirs = (sorted(real.get("architectures") or []), real["defaultAction"], real.get("defaultErrnoRet", 1))
        mine = (sorted(ours.architectures), ours.default_action, ours.default_errno)
        if theirs != mine:
            said.append(f"real {theirs}, ours {mine}")
        return "; ".join(said)

    def mistakes(self) -> dict[str, Any]:
        """Question two."""
        good = self.rendered("engine")
        differences, compared, words = [], 0, {}
        for case in self.core["cases"].all_cases(good):
            problem = self.engine.starts(case.raw)
            words[case.code] = problem
            if case.starts is None:
                continue
            compared += 1
            if case.starts != (not problem):
                differences.append(f"{case.code}: said to start: {case.starts}, the engine: {problem or 'it starts'}")
        return {"compared": compared, "differences": differences, "words": words}

    def essential(self) -> dict[str, Any]:
        """Question three."""
        good = self.rendered("engine")
        calls = sorted(self.core["tables"].ESSENTIAL_CALLS)
        started = [call for call in calls if not self.engine.starts(self.core["cases"].without(good, call))]
        return {"compared": len(calls), "differences": [f"a container starts without {call}" for call in started]}

    def calls(self) -> dict[str, Any]:
        """Question four: the filter itself by a copy of the profile that kills what it refuses, then the errors."""
        if platform.machine() != "x86_64":
            self.left_out.append(f"calls: their numbers on {platform.machine()} are not known here")
            return {"compared": 0, "differences": []}
        wanted = [(name, number, (MASK,) * 6) for name, number in sorted(NUMBERS.items())] + ARGUMENT_CALLS
        spec = json.dumps([[number, list(arguments)] for _name, number, arguments in wanted])
        python = os.path.realpath("/usr/bin/python3")
        command = [python, "-I", "-S", "-B", self.core["image"].PROGRAM_PATH, spec]
        differences, compared = [], 0
        capabilities = self.core["trial"].DEFAULT_CAPABILITIES
        for base in ("engine", "hardened"):
            profile = self.rendered(base)
            trapping = {key: value for key, value in profile.items() if key != "defaultErrnoRet"}
            trapping["defaultAction"] = "SCMP_ACT_TRAP"
            effect = self.effect(profile, capabilities)
            outcomes = []
            for variant in (trapping, profile):
                status, output = self.engine.run(command, json.dumps(variant).encode())
                if status != 0 or not output.startswith("["):
                    raise RuntimeError(f"the program under {base}: status {status}, {output[:500]!r}")
                outcomes.append(json.loads(output))
            for (name, _number, arguments), trapped, plain in zip(wanted, *outcomes, strict=True):
                compared += 1
                declared = self.declared(effect, name, arguments)
                problem = judge(declared, trapped, plain)
                if problem:
                    differences.append(f"{base}: {name}{[hex(value) for value in arguments]}: {problem}")
        return {"compared": compared, "differences": differences}

    def holes(self) -> dict[str, Any]:
        """Question five."""
        if platform.machine() != "x86_64" or self.version < (23, 0):
            self.left_out.append(f"holes: engine {self.version} on {platform.machine()} does not refuse the family")
            return {"compared": 0, "differences": [], "nothing_to_compare": True}
        command = [os.path.realpath("/usr/bin/python3"), "-I", "-S", "-B", "-c", ATTACKS]
        compared, differences = 0, []
        # What each attack has to come to: signal and errno, None where it has to get its socket.
        wanted: list[tuple[dict[str, Any], list[Any]]] = [
            (self.rendered("engine"), [None, None]),
            (self.rendered("hardened"), [(0, 1), (31, 0)]),
            (self.rendered("hardened", compat_32bit=True), [(0, 1), (0, ENOSYS)]),
        ]
        for number, (profile, outcomes) in enumerate(wanted):
            status, output = self.engine.run(command, json.dumps(profile).encode())
            if status != 0 or not output.startswith("["):
                raise RuntimeError(f"the attacks on profile {number}: status {status}, {output[:500]!r}")
            for attack, outcome, (signal, _result, errno) in zip(
                ("wide", "multiplexed"), outcomes, json.loads(output), strict=True
            ):
                compared += 1
                # A kernel without VSOCK says that it does not know the family: the filter let the call pass too.
                passed = (signal, errno) in ((0, 0), (0, EAFNOSUPPORT))
                if (passed if outcome is None else (signal, errno) == outcome) is False:
                    differences.append(f"profile {number}, {attack}: wanted {outcome}, got {(signal, errno)}")
        return {"compared": compared, "differences": differences}

    def declared(self, effect: Any, name: str, arguments: Sequence[int]) -> int:
        """The error that a profile declares for a call, 0 where it is allowed, -1 for the default one.

        runc answers calls that are newer than all that a profile names with ENOSYS.
        """
        for rule in effect.answers(name):
            if all(self.holds(item, arguments) for item in rule.arguments):
                return int(rule.errno)
        newest = max(number for call, number in NUMBERS.items() if effect.answers(call))
        return ENOSYS if NUMBERS.get(name, 0) > newest else -1

    def holds(self, comparison: Any, arguments: Sequence[int]) -> bool:
        """Whether a comparison is true of these arguments."""
        value = arguments[comparison.argument]
        values = self.core["policy"].values_of(comparison)
        if comparison.operator == "masked_eq":
            return bool(value & values.mask == values.left)
        return any(low <= value <= high for low, high in values.ranges)


def judge(declared: int, trapped: Sequence[Any], plain: Sequence[Any]) -> str:
    """What is wrong with the outcomes [signal, result, errno] of one call, "" when nothing."""
    refused = trapped[0] == 31
    if refused != (declared == -1):
        return f"declared {declared}, under the trapping copy {trapped}"
    if declared == -1 and plain[1:] != [-1, 1]:
        return f"declared to give EPERM, and gave {plain}"
    if declared > 0 and (trapped[1:] != [-1, declared] or plain[1:] != [-1, declared]):
        return f"declared to give error {declared}, and gave {trapped} and {plain}"
    return ""


def main(argv: Sequence[str]) -> int:
    """Ask the wanted questions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("questions", nargs="*", help="filters, mistakes, essential, calls, holes; all without any")
    options = parser.parse_args(argv)
    core = load_core(options.root)
    agreement = Agreement(core)
    report: dict[str, Any] = {"version": str(agreement.version), "kernel": platform.release()}
    good = True
    try:
        for name in options.questions or ["filters", "mistakes", "essential", "calls", "holes"]:
            report[name] = getattr(agreement, name)()
            empty = report[name]["compared"] == 0 and not report[name].get("nothing_to_compare")
            good = good and not empty and not report[name]["differences"]
    finally:
        remove_all()
        api("DELETE", f"/images/{IMAGE}?force=1")
    report["left_out"] = agreement.left_out
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
