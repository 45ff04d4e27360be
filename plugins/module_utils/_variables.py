# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of role variables, compared with what a role knows (pure, private)."""

from __future__ import annotations

import difflib
from typing import Any, List, Mapping, Sequence

__all__ = ["misspelt_variables"]


def misspelt_variables(names: Sequence[str], specification: Mapping[str, Any]) -> List[str]:
    """One sentence for each name that no entry point of an argument specification has as an option.

    Args:
        names: variables that carry the role's prefix.
        specification: content of C(meta/argument_specs.yml).
    """
    known = sorted({name for entry in specification["argument_specs"].values() for name in entry.get("options") or {}})
    sentences: List[str] = []
    for name in sorted(set(names) - set(known)):
        close = difflib.get_close_matches(name, known, n=1)
        advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}."
        sentences.append(f"{name} is no variable of this role; {advice}")
    return sentences
