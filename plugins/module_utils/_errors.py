# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception family of this collection (private; may change at any time).

A message reads "<what was asked>: <what is wrong> (<where>); <what to do>" and can be shown to a user as it is.
"""

from __future__ import annotations

__all__ = ["BulwarkError", "ConfigError", "ConflictError", "EngineError", "HostError", "RefusedError"]


class BulwarkError(Exception):
    """Anything this collection can explain; modules turn it into a failure, filters into a template error."""


class ConfigError(BulwarkError):
    """A file, a unit or a value is wrong in itself."""


class ConflictError(BulwarkError):
    """Two sides (roles, flags, the administrator) want different things of one setting."""


class RefusedError(BulwarkError):
    """The request is possible, but would hurt and was not allowed."""


class HostError(BulwarkError):
    """A file, a program or a socket of the host did not do what was asked."""


class EngineError(BulwarkError):
    """The engine did not react as promised."""
