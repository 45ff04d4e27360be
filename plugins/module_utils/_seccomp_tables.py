# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about system calls and about what engines allow by default, as data (private).

GROUPS sorts the system calls by what they are for. DEFAULTS says, call by call, what the engine's own profile does in
which releases. Its amd64 part was read off the filters that engines 20.10.24, 26.1.5 and 28.5.2 gave to their runtime,
for every capability (tests/real/seccomp_agreement.py repeats that); releases in between and other architectures are
known from moby's change log. The numbers of arguments are those of the kernel's headers.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, NamedTuple, Tuple

__all__ = [
    "ALLOW",
    "CLONE_NAMESPACES",
    "DEFAULTS",
    "ERRNO",
    "ESSENTIAL_CALLS",
    "FIRST_VERSION",
    "GROUPS",
    "HARDENED_FAMILIES",
    "HARDENED_PERSONALITIES",
    "MEASURED_VERSIONS",
    "MINIMAL_CALLS",
    "TAKEOVER_GROUPS",
    "TRIAL_CALLS",
    "TRIAL_NUMBERS",
    "Comparison",
    "Default",
    "Group",
]

Floors = Tuple[Tuple[int, int, int], ...]

ALLOW = "SCMP_ACT_ALLOW"
ERRNO = "SCMP_ACT_ERRNO"
ENOSYS = 38
FIRST_VERSION = (20, 10, 0)
MEASURED_VERSIONS = ((20, 10, 24), (26, 1, 5), (28, 5, 2))


class Comparison(NamedTuple):
    """A condition on argument number C(argument) (0 to 5) of a call.

    C(operator) is a word of OPERATORS. With masked_eq C(value) is the mask and C(value_two) what has to be left.
    """

    argument: int
    operator: str
    value: int
    value_two: int = 0


class Group(NamedTuple):
    """System calls of one purpose; C(hardened) tells whether the base `hardened` keeps what the engine allows."""

    reason: str
    hardened: bool
    calls: FrozenSet[str]


class Default(NamedTuple):
    """One rule of the engine's own profile.

    All C(capabilities) are needed and none of C(without); one of C(architectures), none of C(not_architectures).
    C(since) and C(until) name the first release of each line that has, or has no longer, this rule; empty: always.
    """

    calls: Tuple[str, ...]
    action: str = ALLOW
    errno: int = 0
    arguments: Tuple[Comparison, ...] = ()
    capabilities: Tuple[str, ...] = ()
    without: Tuple[str, ...] = ()
    architectures: Tuple[str, ...] = ()
    not_architectures: Tuple[str, ...] = ()
    min_kernel: str = ""
    since: Floors = ()
    until: Floors = ()


def _group(reason: str, calls: str, hardened: bool = True) -> Group:
    return Group(reason, hardened, frozenset(calls.split()))


# Kept: what programs are made of. Dropped: what few programs need and exploits like.
GROUPS: Dict[str, Group] = {
    "process": _group(
        "start, end and wait for processes and threads",
        """arch_prctl clone clone3 execve execveat exit exit_group fork prctl restart_syscall riscv_hwprobe rseq
        set_robust_list set_thread_area get_thread_area set_tid_address set_tls sched_yield seccomp uretprobe vfork
        wait4 waitid waitpid""",
    ),
    "identity": _group(
        "ids, groups and capabilities of the own process",
        """capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp
        getpid getppid getresgid getresgid32 getresuid getresuid32 getsid gettid getuid getuid32 setfsgid setfsgid32
        setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid setregid setregid32 setresgid setresgid32
        setresuid setresuid32 setreuid setreuid32 setsid setuid setuid32""",
    ),
    "signals": _group(
        "send and receive signals",
        """kill pause pidfd_open pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
        rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd
        signalfd4 sigprocmask sigreturn tgkill tkill""",
    ),
    "files": _group(
        "open, read, write, name and describe files",
        """_llseek access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat
        faccessat2 fadvise64 fadvise64_64 arm_fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32
        fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64
        fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat ioctl
        lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat
        lstat64 mkdir mkdirat mknod mknodat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev
        pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir
        sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 statx symlink symlinkat sync
        sync_file_range sync_file_range2 arm_sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat
        utime utimensat utimensat_time64 utimes write writev""",
    ),
    "watching": _group(
        "wait for events of files and descriptors",
        """_newselect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
        inotify_add_watch inotify_init inotify_init1 inotify_rm_watch pipe pipe2 poll ppoll ppoll_time64 pselect6
        pselect6_time64 select""",
    ),
    "memory": _group(
        "the own address space",
        """brk cachestat cacheflush madvise map_shadow_stack membarrier memfd_create mincore mlock mlock2 mlockall mmap
        mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
        riscv_flush_icache""",
    ),
    "network": _group(
        "sockets",
        """accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
        recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socket socketpair""",
    ),
    "ipc": _group(
        "locks, queues and memory shared between processes",
        """futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake ipc mq_getsetattr mq_notify mq_open
        mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd
        semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget""",
    ),
    "time": _group(
        "read clocks, sleep and set timers",
        """alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64
        getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime
        timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
        timerfd_settime timerfd_settime64 times""",
    ),
    "resources": _group(
        "limits, priorities and usage",
        """getcpu getpriority getrandom getrlimit getrusage ioprio_get ioprio_set prlimit64 sched_get_priority_max
        sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
        sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
        sched_setscheduler setpriority setrlimit sysinfo ugetrlimit uname""",
    ),
    "sandboxing": _group(
        "restrict the own process further",
        "landlock_add_rule landlock_create_ruleset landlock_restrict_self",
    ),
    "personality": _group("the execution domain of the own process", "personality"),
    "aio": _group(
        "asynchronous input and output as databases use it",
        "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit",
    ),
    "change_root": _group("another root directory, tied to CAP_SYS_CHROOT", "chroot"),
    "mount": _group(
        "mount file systems, tied to CAP_SYS_ADMIN",
        """fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree open_tree_attr pivot_root umount
        umount2""",
    ),
    "namespaces": _group("enter and make namespaces, tied to CAP_SYS_ADMIN", "setns unshare"),
    "host_name": _group("set the name of the host, tied to CAP_SYS_ADMIN", "setdomainname sethostname"),
    "set_clock": _group(
        "set the host's clock, tied to CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"
    ),
    "kernel_log": _group("read the kernel's log, tied to CAP_SYSLOG", "syslog"),
    "numa": _group(
        "place memory on nodes, tied to CAP_SYS_NICE",
        "get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node",
    ),
    "terminal": _group("hang up a terminal, tied to CAP_SYS_TTY_CONFIG", "vhangup"),
    "lsm": _group(
        "ask for and set attributes of security modules", "lsm_get_self_attr lsm_list_modules lsm_set_self_attr"
    ),
    "debugging": _group(
        "read and write other processes; debuggers need it",
        "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
        hardened=False,
    ),
    "process_extras": _group(
        "reach into other processes, rarely used", "get_robust_list process_mrelease", hardened=False
    ),
    "adjust_clock": _group(
        "read and discipline the clock; servers of time need it",
        "adjtimex clock_adjtime clock_adjtime64",
        hardened=False,
    ),
    "file_handles": _group(
        "open files by number past every mount; containers have been left with it",
        "name_to_handle_at open_by_handle_at",
        hardened=False,
    ),
    "mount_query": _group("list mounts", "listmount listns statmount", hardened=False),
    "fanotify": _group("watch whole file systems", "fanotify_init fanotify_mark", hardened=False),
    "secret_memory": _group("memory that the kernel itself cannot read", "memfd_secret", hardened=False),
    "page_gifts": _group("give pages of memory to a pipe", "vmsplice", hardened=False),
    "legacy": _group(
        "old or odd calls that no current program makes",
        """breakpoint epoll_ctl_old epoll_wait_old modify_ldt remap_file_pages s390_pci_mmio_read s390_pci_mmio_write
        s390_runtime_instr swapcontext""",
        hardened=False,
    ),
    "socketcall": _group(
        "sockets through one call whose arguments no filter can see; 32-bit programs from before 2016 need it",
        "socketcall",
        hardened=False,
    ),
    "io_uring": _group(
        "asynchronous input and output past other filters; the source of many holes in the kernel",
        "io_uring_enter io_uring_register io_uring_setup",
        hardened=False,
    ),
    "keyring": _group("keys of the kernel, which no namespace separates", "add_key keyctl request_key", hardened=False),
    "bpf": _group("load programs into the kernel", "bpf", hardened=False),
    "perf": _group("measure and trace the host", "lookup_dcookie perf_event_open uprobe", hardened=False),
    "page_faults": _group(
        "handle page faults in the own process, which gives exploits all the time they need",
        "userfaultfd",
        hardened=False,
    ),
    "modules": _group(
        "load and remove modules of the kernel",
        "create_module delete_module finit_module get_kernel_syms init_module query_module",
        hardened=False,
    ),
    "kexec": _group("start another kernel", "kexec_file_load kexec_load", hardened=False),
    "raw_io": _group("ports of the hardware", "ioperm iopl", hardened=False),
    "reboot": _group("restart the machine", "reboot", hardened=False),
    "swap": _group("swap space of the host", "swapoff swapon", hardened=False),
    "quota": _group("disk quotas of the host", "quotactl quotactl_fd", hardened=False),
    "accounting": _group("record all processes of the host", "acct", hardened=False),
    "obsolete": _group(
        "calls that current kernels have only as a number",
        """_sysctl afs_syscall bdflush break ftime getpmsg gtty idle lock mpx nfsservctl prof profil putpmsg security
        sgetmask ssetmask stty sysfs tuxcall ulimit uselib ustat vm86 vm86old vserver""",
        hardened=False,
    ),
}

# Each of these by itself is enough to leave a container or to harm the host.
TAKEOVER_GROUPS = (
    "accounting",
    "bpf",
    "file_handles",
    "kexec",
    "keyring",
    "modules",
    "mount",
    "namespaces",
    "raw_io",
    "reboot",
    "set_clock",
    "swap",
)

# linux/sched.h: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
CLONE_NAMESPACES = 0x7E020000
AF_ALG, AF_VSOCK = 38, 40
# sys/socket.h: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK.
HARDENED_FAMILIES = (1, 2, 10, 16)
# sys/personality.h: PER_LINUX, and the question for the current one. The engine also allows PER_LINUX32, UNAME26, both.
HARDENED_PERSONALITIES = (0x0, 0xFFFFFFFF)
ENGINE_PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)

_FIRST_23 = ((23, 0, 0),)
_KERNEL_5_16 = ((20, 10, 18), (23, 0, 0))
_KERNEL_6_7 = ((23, 0, 10), (25, 0, 3))
_KERNEL_6_13 = ((28, 2, 0),)
_NO_VSOCK = (Comparison(0, "ne", AF_VSOCK),)


def _calls(*names: str) -> Tuple[str, ...]:
    return tuple(sorted(call for name in names for call in GROUPS[name].calls))


def _without(calls: Tuple[str, ...], *left_out: str) -> Tuple[str, ...]:
    return tuple(call for call in calls if call not in left_out)


# Kernel 5.13 to 5.16, 5.17, 6.7 and 6.13 brought these.
_NEW_IN_20_10_18 = (
    "futex_waitv landlock_add_rule landlock_create_ruleset landlock_restrict_self memfd_secret process_mrelease".split()
)
_NEW_IN_23 = "pkey_alloc pkey_free pkey_mprotect".split()
_NEW_IN_25 = "cachestat fchmodat2 futex_requeue futex_wait futex_wake map_shadow_stack".split()
_NEW_IN_28 = "getxattrat listmount listxattrat mseal removexattrat riscv_hwprobe setxattrat statmount uretprobe".split()
# Allowed under a condition only, or on some architectures only.
_CONDITIONAL = """
    arch_prctl arm_fadvise64_64 arm_sync_file_range cacheflush clone clone3 fanotify_init name_to_handle_at
    open_by_handle_at personality riscv_flush_icache set_tls socket socketcall sync_file_range2""".split()
_PLAIN = _without(
    _calls(
        *("process", "identity", "signals", "files", "watching", "memory", "network", "ipc", "time", "resources"),
        *("sandboxing", "aio", "process_extras", "adjust_clock", "mount_query", "fanotify", "secret_memory"),
        "page_gifts",
    ),
    *(_NEW_IN_20_10_18 + _NEW_IN_23 + _NEW_IN_25 + _NEW_IN_28 + _CONDITIONAL),
    "listns",
)

DEFAULTS: Tuple[Default, ...] = (
    Default((*_PLAIN, "epoll_ctl_old", "epoll_wait_old", "remap_file_pages")),
    Default(tuple(_NEW_IN_20_10_18), since=_KERNEL_5_16),
    Default(tuple(_NEW_IN_23), since=_FIRST_23),
    Default(tuple(_NEW_IN_25), since=_KERNEL_6_7),
    Default(tuple(_NEW_IN_28), since=_KERNEL_6_13),
    Default(_calls("io_uring"), until=((25, 0, 0),)),
    Default(("name_to_handle_at",), since=((20, 10, 26), (23, 0, 7), (24, 0, 3))),
    # sockets: VSOCK has been refused in one release of 20.10 and from 23.0 on, the kernel's ciphers since 29.4.2
    Default(("socket",), until=((20, 10, 22),)),
    Default(("socket",), arguments=_NO_VSOCK, since=((20, 10, 22),), until=((20, 10, 23),)),
    Default(("socket",), since=((20, 10, 23),), until=_FIRST_23),
    Default(("socket",), arguments=_NO_VSOCK, since=_FIRST_23, until=((29, 4, 2),)),
    Default(("socket",), arguments=(Comparison(0, "lt", AF_ALG),), since=((29, 4, 2),)),
    Default(("socket",), arguments=(Comparison(0, "eq", AF_ALG + 1),), since=((29, 4, 2),)),
    Default(("socket",), arguments=(Comparison(0, "gt", AF_VSOCK),), since=((29, 4, 2),)),
    Default(("socketcall",), until=((29, 4, 2),)),
    Default(("socketcall",), ERRNO, ENOSYS, since=((29, 4, 2),), until=((29, 4, 3),)),
    Default(("socketcall",), since=((29, 4, 3),)),
    *(Default(("personality",), arguments=(Comparison(0, "eq", value),)) for value in ENGINE_PERSONALITIES),
    # architectures
    Default(("arch_prctl",), architectures=("amd64", "x32")),
    Default(("modify_ldt",), architectures=("amd64", "x32", "x86")),
    Default(
        ("arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush", "set_tls", "sync_file_range2"),
        architectures=("arm", "arm64"),
    ),
    Default(("swapcontext", "sync_file_range2"), architectures=("ppc64le",)),
    Default(("riscv_flush_icache",), architectures=("riscv64",), since=_FIRST_23),
    Default(
        ("s390_pci_mmio_read", "s390_pci_mmio_write", "s390_runtime_instr"),
        architectures=("s390", "s390x"),
    ),
    # new processes: no namespaces without CAP_SYS_ADMIN; nobody can look into the structure that clone3 gets
    Default(
        ("clone",),
        arguments=(Comparison(0, "masked_eq", CLONE_NAMESPACES),),
        without=("CAP_SYS_ADMIN",),
        not_architectures=("s390", "s390x"),
    ),
    Default(
        ("clone",),
        arguments=(Comparison(1, "masked_eq", CLONE_NAMESPACES),),
        without=("CAP_SYS_ADMIN",),
        architectures=("s390", "s390x"),
    ),
    Default(("clone3",), ERRNO, ENOSYS, without=("CAP_SYS_ADMIN",), since=((20, 10, 10),)),
    # debugging has been safe for filters since kernel 4.8
    Default(("ptrace",), min_kernel="4.8"),
    Default(("process_vm_readv", "process_vm_writev"), min_kernel="4.8", since=_FIRST_23),
    # capabilities
    Default(_calls("debugging"), capabilities=("CAP_SYS_PTRACE",)),
    Default(("open_by_handle_at",), capabilities=("CAP_DAC_READ_SEARCH",)),
    Default(
        (
            *_without(_calls("mount"), "open_tree_attr", "pivot_root"),
            *_calls("namespaces", "host_name"),
            *(
                "bpf",
                "clone",
                "clone3",
                "fanotify_init",
                "lookup_dcookie",
                "perf_event_open",
                "quotactl",
                "quotactl_fd",
            ),
            "syslog",
        ),
        capabilities=("CAP_SYS_ADMIN",),
    ),
    Default(
        ("name_to_handle_at",),
        capabilities=("CAP_SYS_ADMIN",),
        until=((20, 10, 26), (23, 0, 7), (24, 0, 3)),
    ),
    Default(_calls("lsm"), capabilities=("CAP_SYS_ADMIN",), since=_KERNEL_6_13),
    Default(("reboot",), capabilities=("CAP_SYS_BOOT",)),
    Default(("chroot",), capabilities=("CAP_SYS_CHROOT",)),
    Default(("delete_module", "finit_module", "init_module"), capabilities=("CAP_SYS_MODULE",)),
    Default(("acct",), capabilities=("CAP_SYS_PACCT",)),
    Default(_calls("raw_io"), capabilities=("CAP_SYS_RAWIO",)),
    Default(("clock_settime", "settimeofday", "stime"), capabilities=("CAP_SYS_TIME",)),
    Default(("clock_settime64",), capabilities=("CAP_SYS_TIME",), since=_FIRST_23),
    Default(_calls("terminal"), capabilities=("CAP_SYS_TTY_CONFIG",)),
    Default(("get_mempolicy", "mbind", "set_mempolicy"), capabilities=("CAP_SYS_NICE",)),
    Default(("set_mempolicy_home_node",), capabilities=("CAP_SYS_NICE",), since=_FIRST_23),
    Default(_calls("kernel_log"), capabilities=("CAP_SYSLOG",)),
    Default(("bpf",), capabilities=("CAP_BPF",), since=_FIRST_23),
    Default(("perf_event_open",), capabilities=("CAP_PERFMON",), since=_FIRST_23),
)

# Without one of these no container starts: each was taken by itself out of the profile of the engines 20.10.24, 26.1.5
# and 28.5.2 (amd64, a static busybox; names that other architectures spell differently are left out).
ESSENTIAL_CALLS: FrozenSet[str] = frozenset(
    """capget capset chdir close execve fstat fstatfs futex getcwd getdents64 getppid mprotect openat prctl
    read setgid setgroups setuid write""".split()
)

# The base `minimal`: that, and how programs end and come back from a signal. They are not logged by a recording.
MINIMAL_CALLS: FrozenSet[str] = ESSENTIAL_CALLS | frozenset(
    "exit exit_group restart_syscall rt_sigreturn sigreturn".split()
)

# Calls that show a filter: with every argument 2**64 - 1 they do nothing, and most kernels do not answer with EPERM.
TRIAL_CALLS: Tuple[str, ...] = tuple(
    """
    add_key clone3 get_mempolicy io_uring_enter io_uring_setup kcmp keyctl name_to_handle_at pidfd_getfd
    process_vm_readv ptrace request_key setns unshare userfaultfd vmsplice read close
    """.split()
)
# `uname -m`: their numbers there, in the same order (asked of libseccomp 2.6.1).
TRIAL_NUMBERS: Dict[str, Tuple[int, ...]] = {
    "aarch64": (217, 435, 236, 426, 425, 272, 219, 264, 438, 270, 117, 218, 268, 97, 282, 75, 63, 57),
    "armv7l": (309, 435, 320, 426, 425, 378, 311, 370, 438, 376, 26, 310, 375, 337, 388, 343, 3, 6),
    "i686": (286, 435, 275, 426, 425, 349, 288, 341, 438, 347, 26, 287, 346, 310, 374, 316, 3, 6),
    "ppc64le": (269, 435, 260, 426, 425, 354, 271, 345, 438, 351, 26, 270, 350, 282, 364, 285, 3, 6),
    "riscv64": (217, 435, 236, 426, 425, 272, 219, 264, 438, 270, 117, 218, 268, 97, 282, 75, 63, 57),
    "s390x": (278, 435, 269, 426, 425, 343, 280, 335, 438, 340, 26, 279, 339, 303, 355, 309, 3, 6),
    "x86_64": (248, 435, 239, 426, 425, 312, 250, 303, 438, 310, 101, 249, 308, 272, 323, 278, 0, 3),
}
