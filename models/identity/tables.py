"""Sign-ins and what they are made by."""

from __future__ import annotations

import models.identity.wechat.tables  # noqa: F401
