# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about scanners: how each one is told to leave a directory out (data, private)."""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

__all__ = ["SCANNERS", "Scanner"]


class Scanner(NamedTuple):
    """One scanner.

    program: it is on the host when this program is.
    files: where its configuration may be; the first one that exists counts.
    lines: one line of configuration for each path, with {path} and {regex} (escaped for extended expressions).
    helper_lines: more lines of that kind, by the program that reads them.
    words: a variable of the file that holds a list of paths in quotes, instead of lines.
    create: whether the tool works without a file, so that one may be made.
    units: services that read the file when they start.
    check: a command that says whether the tool can read its configuration, with {file}.
    verdict: a command that ends with verdict_rc when the tool leaves {path} out, with {file}.
    list_command, add_command, remove_command: for tools that keep exclusions themselves.
    proven: whether a test of this collection runs the real tool.
    """

    name: str
    program: str
    files: Tuple[str, ...] = ()
    lines: Tuple[str, ...] = ()
    helper_lines: Tuple[Tuple[str, str], ...] = ()
    words: str = ""
    create: bool = False
    units: Tuple[str, ...] = ()
    check: Tuple[str, ...] = ()
    verdict: Tuple[str, ...] = ()
    verdict_rc: int = 0
    list_command: Tuple[str, ...] = ()
    add_command: Tuple[str, ...] = ()
    remove_command: Tuple[str, ...] = ()
    proven: bool = False

    @property
    def keeps_list(self) -> bool:
        """Whether the tool keeps its exclusions itself, behind commands."""
        return bool(self.add_command)


_ALL = (
    # ExcludePath is an unanchored extended expression (man 5 clamd.conf). OnAccessExcludePath is a plain directory with
    # everything below it; with a slash at its end clamonacc 1.4 ignores it. Neither is read again without a restart.
    Scanner(
        name="clamav",
        program="clamd",
        files=("/etc/clamav/clamd.conf", "/etc/clamd.d/scan.conf", "/etc/clamd.conf"),
        lines=("ExcludePath ^{regex}(/|$)",),
        helper_lines=(("clamonacc", "OnAccessExcludePath {path}"),),
        units=(
            "clamav-daemon.service",
            "clamd@scan.service",
            "clamd.service",
            "clamav-clamonacc.service",
            "clamonacc.service",
        ),
        proven=True,
    ),
    # A negative rule is anchored at its start only, hence the end (man 5 aide.conf).
    Scanner(
        name="aide",
        program="aide",
        files=("/etc/aide/aide.conf", "/etc/aide.conf"),
        lines=("!{regex}(/|$)",),
        check=("aide", "--config={file}", "--config-check"),
        verdict=("aide", "--config={file}", "--path-check=d:{path}"),
        verdict_rc=1,
        proven=True,
    ),
    # rkhunter reads data paths only where USER_FILEPROP_FILES_DIRS names them; this takes them out of that list.
    Scanner(
        name="rkhunter",
        program="rkhunter",
        files=("/etc/rkhunter.conf",),
        lines=("EXCLUDE_USER_FILEPROP_FILES_DIRS={path}/*",),
        check=("rkhunter", "--configfile", "{file}", "--config-check"),
        proven=True,
    ),
    # One variable, which may be set only once; whole directories, never prefixes (man 5 updatedb.conf).
    Scanner(
        name="updatedb",
        program="updatedb",
        files=("/etc/updatedb.conf",),
        words="PRUNEPATHS",
        create=True,
        proven=True,
    ),
    # learn.microsoft.com: "Configure and validate exclusions for Microsoft Defender for Endpoint on Linux".
    Scanner(
        name="defender",
        program="mdatp",
        list_command=("mdatp", "exclusion", "list"),
        add_command=("mdatp", "exclusion", "folder", "add", "--path", "{path}/"),
        remove_command=("mdatp", "exclusion", "folder", "remove", "--path", "{path}/"),
    ),
)

SCANNERS: Dict[str, Scanner] = {scanner.name: scanner for scanner in _ALL}
