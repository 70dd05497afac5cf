"""Sign-ins and what they are made by."""

from __future__ import annotations

import models.identity.accounts.tables
import models.identity.wechat.tables  # noqa: F401
