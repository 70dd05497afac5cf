"""What stands outside the database, and verbs are handed: one of each for the process."""

from __future__ import annotations

import dataclasses

from models.files.ports import Storage
from models.identity.accounts.ports import Passwords
from models.identity.wechat.ports import Wechat


@dataclasses.dataclass(frozen=True, slots=True)
class Platform:
    """Reached as `context.platform` from a mutation's `before`."""

    passwords: Passwords | None = None
    wechat: Wechat | None = None
    """The WeChat platform; None where no mini-program is configured."""
    files: Storage | None = None
    """Where attachments are kept."""
