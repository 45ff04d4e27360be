# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test host is made of. Pure data and functions: no files, no processes.

One root file system for each Debian suite serves the container tier and the machine tier. Whatever stands here is
part of the image's cache key, so an edit makes a new image and never silently reuses an old one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping


class HostError(Exception):
    """A test host cannot do what was asked; the text names the cause and the remedy."""


@dataclasses.dataclass(frozen=True)
class Suite:
    """One Debian generation.

    `generation` is the engine's version prefix that the tests may expect; it is empty for a suite that moves.
    """

    name: str
    codename: str
    generation: str
    packages: tuple[str, ...] = ()
    moving: bool = False


SUITES: Mapping[str, Suite] = {
    "debian12": Suite("debian12", "bookworm", "20.10."),
    "debian13": Suite("debian13", "trixie", "26.1.", ("docker-cli",)),
    "testing": Suite("testing", "forky", "", ("docker-cli", "openssh-client"), moving=True),
}
TIERS = ("container", "machine")

PACKAGES = (
    "apparmor",
    "busybox-static",
    "ca-certificates",
    "curl",
    "dbus",
    "docker.io",
    "e2fsprogs",
    "initramfs-tools",
    "iproute2",
    "iptables",
    "kmod",
    "libpam-systemd",
    "linux-image-cloud-amd64",
    "openssh-server",
    "openssl",
    "procps",
    "python3",
    "python3-apt",
    "strace",
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
    "zstd",
)

# Not installed, but in the image's own package repository together with everything they depend on.
REPOSITORY_PACKAGES = (
    "acl",
    "aide",
    "apparmor-utils",
    "auditd",
    "clamav-daemon",
    "clamdscan",
    "dbus-user-session",
    "fuse-overlayfs",
    "jq",
    "nginx",
    "passt",
    "plocate",
    "postgresql",
    "python3-cryptography",
    "python3-docker",
    "rkhunter",
    "rootlesskit",
    "slirp4netns",
    "uidmap",
)
REPOSITORY = "/opt/bulwark-repo"

# What the machine that runs the tests needs: program -> Debian package.
NEEDED_PROGRAMS: Mapping[str, str] = {
    "mmdebstrap": "mmdebstrap",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mkfs.ext4": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "dpkg-deb": "dpkg",
    "zstd": "zstd",
}
NEEDED_FILES: Mapping[str, str] = {
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}

# Background jobs that would change a host behind a test's back, and log-in prompts nobody sees.
MASKED_UNITS = (
    "apt-daily-upgrade.service",
    "apt-daily-upgrade.timer",
    "apt-daily.service",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "logrotate.timer",
    "man-db.timer",
    "serial-getty@ttyS0.service",
    "systemd-networkd-wait-online.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-timesyncd.service",
    "systemd-tmpfiles-clean.timer",
)

# In a container these reach for the outer machine's kernel, or fail for want of one. The mask lives in the
# container's /run only, because the machines that share this root file system need them.
CONTAINER_MASKED_UNITS = (
    "apparmor.service",
    "audit-rules.service",
    "auditd.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "kmod-static-nodes.service",
    "proc-sys-fs-binfmt_misc.automount",
    "proc-sys-fs-binfmt_misc.mount",
    "ssh.service",
    "ssh.socket",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-journald-audit.socket",
    "systemd-modules-load.service",
    "systemd-oomd.service",
    "systemd-oomd.socket",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
    "systemd-udev-load-credentials.service",
    "systemd-udev-settle.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd-varlink.socket",
    "systemd-udevd.service",
    "tmp.mount",
)

# Enough for dockerd, rootless engines and systemd; missing are those that could harm the outer machine.
CONTAINER_CAPABILITIES = (
    "audit_control",
    "audit_write",
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "ipc_lock",
    "kill",
    "linux_immutable",
    "mknod",
    "net_admin",
    "net_bind_service",
    "net_raw",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys_admin",
    "sys_chroot",
    "sys_nice",
    "sys_ptrace",
    "sys_resource",
    "syslog",
)

# Kernel features that the container tier borrows from the outer machine: path that shows it -> module that brings it.
CONTAINER_KERNEL: Mapping[str, str] = {
    "/dev/fuse": "fuse",
    "/dev/net/tun": "tun",
    "/proc/sys/net/bridge": "br_netfilter",
    "/proc/sys/net/netfilter": "nf_conntrack",
}

GUEST_ADDRESS = "10.0.2.15"
MACHINE_DISK = "8G"
KERNEL_ARGUMENTS = "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 panic=-1"
SNAPSHOT = "ready"

_UNIT_HEADER = "# Copyright (c) 2026, bulwark.docker contributors\n# SPDX-License-Identifier: GPL-3.0-or-later\n"

FILES: Mapping[str, str] = {
    "etc/apt/apt.conf.d/80bulwark": (
        'APT::Install-Recommends "false";\nAcquire::Languages "none";\nAPT::Periodic::Enable "0";\n'
    ),
    "etc/apt/sources.list": f"deb [trusted=yes] file:{REPOSITORY} ./\n",
    "etc/fstab": "",
    "etc/hostname": "bulwark\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    # A package that asks for a new initrd would keep an emulated machine busy for minutes.
    "etc/initramfs-tools/update-initramfs.conf": "update_initramfs=no\nbackup_initramfs=no\n",
    "etc/resolv.conf": "",
    # Multiplexed tests open many sessions on one connection; a boot loop of probes must not count as an attack.
    "etc/ssh/sshd_config.d/bulwark.conf": (
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "UseDNS no\nMaxSessions 200\nMaxStartups 200\nPrintMotd no\nPrintLastLog no\n"
    ),
    "etc/systemd/system/bulwark-network.service": (
        _UNIT_HEADER
        + "[Unit]\nDescription=Address of the test machine\nDefaultDependencies=no\n"
        + "Before=network.target docker.service\n"
        + "ConditionPathExists=/sys/class/net/eth0\n"
        + "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        + "ExecStart=ip link set lo up\nExecStart=ip link set eth0 up\n"
        + f"ExecStart=ip addr add {GUEST_ADDRESS}/24 dev eth0\n"
        + "[Install]\nWantedBy=multi-user.target\n"
    ),
    "etc/systemd/system/bulwark-ssh.socket": (
        _UNIT_HEADER
        + "[Unit]\nDescription=Log-in socket of the test container\nConditionPathIsMountPoint=/run/bulwark\n"
        + "[Socket]\nListenStream=/run/bulwark/ssh.sock\nSocketMode=0666\nAccept=yes\nMaxConnections=200\n"
        + "[Install]\nWantedBy=sockets.target\n"
    ),
    "etc/systemd/system/bulwark-ssh@.service": (
        _UNIT_HEADER
        + "[Unit]\nDescription=Log-in session of the test container\nCollectMode=inactive-or-failed\n"
        + "[Service]\nExecStart=-/usr/sbin/sshd -i\nStandardInput=socket\nStandardError=journal\n"
        + "RuntimeDirectory=sshd\nRuntimeDirectoryPreserve=yes\nKillMode=process\n"
    ),
}
WANTED_UNITS: Mapping[str, str] = {
    "bulwark-network.service": "multi-user.target",
    "bulwark-ssh.socket": "sockets.target",
}

_HOST = re.compile(r"(?P<suite>[a-z0-9]+)-(?P<tier>[a-z]+)(?:\.(?P<instance>[a-z0-9]+))?")


@dataclasses.dataclass(frozen=True)
class Host:
    """A host's name taken apart: `debian13-machine.2` is the instance `2` of suite `debian13` in tier `machine`."""

    name: str
    suite: Suite
    tier: str

    @property
    def hostname(self) -> str:
        """The name that the host itself gets (a dot would make a domain of the instance)."""
        return self.name.replace(".", "-")


def parse_host(name: str) -> Host:
    """Return the Host called `name`; raise HostError for a name that is none."""
    match = _HOST.fullmatch(name)
    if match is None or match["suite"] not in SUITES or match["tier"] not in TIERS:
        known = ", ".join(f"{suite}-{tier}" for tier in TIERS for suite in SUITES)
        raise HostError(f"host {name!r}: no such test host; use one of {known}, with .SUFFIX for one more of its kind")
    return Host(name, SUITES[match["suite"]], match["tier"])


def packages(suite: Suite) -> tuple[str, ...]:
    """Names of the packages installed in the suite's root file system, sorted."""
    return tuple(sorted({*PACKAGES, *suite.packages}))


def digest(parts: object) -> str:
    """Return 16 hex digits that change whenever any of the plain values in `parts` does."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def rootfs_key(suite: Suite, sources: Iterable[str], public_key: str) -> str:
    """Cache key of a suite's root file system; `sources` are the texts of the code that builds it."""
    return digest(
        {
            "suite": dataclasses.astuple(suite),
            "packages": packages(suite),
            "repository": [REPOSITORY, *REPOSITORY_PACKAGES],
            "masked": MASKED_UNITS,
            "files": dict(FILES),
            "wanted": dict(WANTED_UNITS),
            "public_key": public_key,
            "sources": list(sources),
        }
    )


def machine_key(rootfs: str, qemu: Iterable[str], qemu_version: str, sources: Iterable[str]) -> str:
    """Cache key of a machine image: its root file system and everything a snapshot depends on."""
    return digest(
        {
            "rootfs": rootfs,
            "disk": MACHINE_DISK,
            "kernel_arguments": KERNEL_ARGUMENTS,
            "qemu": list(qemu),
            "qemu_version": qemu_version,
            "sources": list(sources),
        }
    )


def choose_mirror(uris: Iterable[str]) -> str:
    """Return the Debian mirror among the machine's own apt URIs, or Debian's public one.

    A mirror of a derivative (its path does not end in `/debian`) has none of these suites.
    """
    for uri in uris:
        candidate = uri.rstrip("/")
        if re.fullmatch(r"https?://[^\s]+/debian", candidate):
            return candidate
    return "http://deb.debian.org/debian"


def packages_entry(control: str, filename: str, size: int, sha256: str) -> str:
    """One stanza of a flat repository's `Packages` index, from a package's control text."""
    return f"{control.strip()}\nFilename: ./{filename}\nSize: {size}\nSHA256: {sha256}\n"


def qemu_cpu(accelerator: str) -> str:
    """The CPU model for an accelerator: without cx16, kernel 6.12 survives software emulation by QEMU 7.2."""
    return "host" if accelerator == "kvm" else "max,-cx16"


def qemu_arguments(accelerator: str) -> list[str]:
    """QEMU's arguments that a snapshot depends on (same at save and at restore)."""
    accel = "kvm" if accelerator == "kvm" else "tcg,thread=multi,tb-size=512"
    return [
        *("-M", "q35", "-accel", accel, "-cpu", qemu_cpu(accelerator), "-smp", "2", "-m", "2048"),
        *("-nodefaults", "-no-user-config", "-display", "none"),
    ]


def qemu_devices(disk: str, port: int) -> list[str]:
    """QEMU's arguments for one machine's disk and network; ssh of the guest is 127.0.0.1:`port`, nothing else is."""
    return [
        *("-drive", f"file={disk},format=qcow2,if=none,id=d0,cache=unsafe,discard=unmap"),
        *("-device", "virtio-blk-pci,drive=d0"),
        *("-netdev", f"user,id=n0,ipv6=off,restrict=on,hostfwd=tcp:127.0.0.1:{port}-{GUEST_ADDRESS}:22"),
        *("-device", "virtio-net-pci,romfile=,netdev=n0", "-device", "virtio-rng-pci"),
    ]
