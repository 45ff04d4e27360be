# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check has to say about an engine's configuration (private; may change at any time)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One problem.

    code: a stable word for programs; message: sentence with what, where and what to do;
    key: the key of daemon.json concerned; line and column: its place in the file, counted from 1, None for a flag;
    fatal: the engine does not start with it, or containers do not; otherwise it is only less safe or without effect;
    covered_by_validate: dockerd itself says so when it loads its configuration (`dockerd --validate` from 23.0 on).
    """

    code: str
    message: str
    key: Optional[str] = None
    line: Optional[int] = None
    column: Optional[int] = None
    fatal: bool = True
    covered_by_validate: bool = False
