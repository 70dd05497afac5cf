"""What stands outside the database, and verbs are handed: one of each for the process."""

from __future__ import annotations

import dataclasses
from typing import Any

from models.identity.accounts.ports import Passwords


@dataclasses.dataclass(frozen=True, slots=True)
class Platform:
    """Reached as `context.platform` from a mutation's `before`."""

    passwords: Passwords | None = None
    wechat: Any = None
    """The WeChat platform."""
