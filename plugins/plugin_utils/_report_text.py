# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of foreign hosts made fit for people: nothing in it acts, all of it can be seen (private)."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

__all__ = ["plural", "show_value", "visible"]

# Control characters but tab and newline, lone surrogates, what XML forbids, and what turns the direction of a line.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]"
)


def visible(text: Any) -> str:
    """Return a text in which each character that cannot be seen is written as its escape."""
    return _UNSEEN.sub(lambda match: ascii(match[0])[1:-1], str(text))


def one_line(text: Any) -> str:
    """Return a visible text without line breaks."""
    return " ".join(visible(text).split())


def show_value(value: Any) -> str:
    """Return a configured or effective value as a person would write it; an empty text for none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return visible(value)
    return visible(json.dumps(value, ensure_ascii=False, sort_keys=True))


def plural(number: int, one: str, many: str = "") -> str:
    """Return "1 host", "2 hosts"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def width_of(text: str) -> int:
    """Return how many columns of a terminal a visible text takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def fit(text: str, width: int) -> str:
    """Return a text of exactly that many columns, cut with an ellipsis or filled with spaces."""
    if width_of(text) > width:
        while width_of(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - width_of(text))
