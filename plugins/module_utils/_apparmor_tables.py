# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about AppArmor: its words, groups of programs and paths, and the profiles that are shipped (data, private).

Sources: apparmor.d(5), capabilities(7), socket(2); what a container engine's own profile guards: moby/profiles.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Tuple

__all__ = [
    "ABIS",
    "CAPABILITIES",
    "DANGEROUS_CAPABILITIES",
    "GROUPS",
    "KERNEL_DENIALS",
    "NETWORK_FAMILIES",
    "RUNTIME_PROFILES",
    "SHIPPED",
    "SOCKET_TYPES",
]

# The newest first; a profile is compiled for the first one that the host has.
ABIS = ("4.0", "3.0")

CAPABILITIES = frozenset(
    """
    audit_control audit_read audit_write block_suspend bpf checkpoint_restore chown dac_override dac_read_search fowner
    fsetid ipc_lock ipc_owner kill lease linux_immutable mac_admin mac_override mknod net_admin net_bind_service
    net_broadcast net_raw perfmon setfcap setgid setpcap setuid sys_admin sys_boot sys_chroot sys_module sys_nice
    sys_pacct sys_ptrace sys_rawio sys_resource sys_time sys_tty_config syslog wake_alarm
    """.split()
)
# Each of them is a way out of a container, or to other processes' secrets.
DANGEROUS_CAPABILITIES = frozenset(
    """
    bpf checkpoint_restore dac_read_search mac_admin mac_override perfmon sys_admin sys_boot sys_module sys_ptrace
    sys_rawio sys_time syslog
    """.split()
)
NETWORK_FAMILIES = frozenset("alg bluetooth can inet inet6 netlink packet qipcrtr rds tipc unix vsock xdp".split())
SOCKET_TYPES = frozenset("stream dgram seqpacket rdm raw packet".split())

# Labels of the programs that stop a container: runc and crun have profiles of their own from AppArmor 4 on, which
# confine nothing but carry a name (moby#47749).
RUNTIME_PROFILES = ("crun", "runc", "unconfined")

_BIN = "/{,usr/}{,local/}{,s}bin"

GROUPS: Mapping[str, Tuple[str, ...]] = {
    # The kernel looks at the file behind a link, so busybox and what "sh" points to have to be named.
    "@shells": (f"{_BIN}/{{,a,ba,da,mk,k,z,c,tc,fi,rba}}sh", f"{_BIN}/busybox", f"{_BIN}/toybox"),
    "@process_tools": (
        f"{_BIN}/{{top,htop,atop,ps,pgrep,pkill,pidof,pmap,pwdx,vmstat,w}}",
        f"{_BIN}/{{gdb,gcore,strace,ltrace,perf,bpftrace,nsenter,unshare}}",
    ),
    "@network_tools": (
        f"{_BIN}/{{curl,wget,nc,ncat,nc.traditional,nc.openbsd,netcat,socat,telnet,ssh,scp,sftp,ftp,tftp}}",
        f"{_BIN}/{{nmap,tcpdump,ping,traceroute,ip,iptables,nft}}",
        f"{_BIN}/xtables-{{legacy,nft}}-multi",
    ),
    "@package_tools": (
        f"{_BIN}/{{apt,apt-get,dpkg,apk,yum,dnf,microdnf,rpm,zypper,pacman,pip,pip3,npm,gem}}",
        f"{_BIN}/{{gcc,cc,ld,make,as}}",
    ),
    "@programs": (f"{_BIN}/**", "/{,usr/}{,local/}lib{,32,64,x32,exec}/**", "/boot/**"),
    "@start_up": ("/etc/ld.so.preload", "/etc/ld.so.conf{,.d/**}", "/etc/sudoers{,.d/**}", "/etc/cron*{,/**}"),
}

# What no container needs of the kernel's own files: (paths, what is refused). Process directories begin with 1 to 9.
KERNEL_DENIALS: Tuple[Tuple[str, str], ...] = (
    ("@{PROC}/[^1-9]**", "wkl"),
    ("@{PROC}/{kallsyms,kcore,keys,kmsg,latency_stats,sched_debug,sysrq-trigger,timer_list}", "rwklx"),
    ("/sys/**", "wklx"),
    ("/sys/devices/virtual/powercap/**", "rwklx"),
    ("/sys/firmware/**", "rwklx"),
    ("/sys/kernel/{debug,security,tracing}/**", "rwklx"),
)

# For nearly every container: programs and libraries of the image cannot be replaced, no raw network, no devices, no
# foreign memory, no capability beyond those that servers use.
_GENERAL: Dict[str, Any] = {
    "files": "all",
    "network": ["inet stream", "inet dgram", "inet6 stream", "inet6 dgram", "netlink raw", "unix"],
    "capabilities": [
        "chown",
        "dac_override",
        "fowner",
        "fsetid",
        "kill",
        "net_bind_service",
        "setgid",
        "setpcap",
        "setuid",
        "sys_chroot",
    ],
    "deny_write": ["@programs", "@start_up"],
    "ptrace": "read",
    "log_denials": True,
}

SHIPPED: Mapping[str, Mapping[str, Any]] = {
    "docker-bulwark": _GENERAL,
    # For a service whose image starts its program without a shell: no tools for an intruder, a fixed configuration.
    "docker-bulwark-service": {
        "base": "docker-bulwark",
        "deny_execute": ["@shells", "@process_tools", "@network_tools", "@package_tools"],
        "deny_write": ["/etc/**"],
        "deny_read": ["/root/**"],
        "ptrace": "none",
    },
}
