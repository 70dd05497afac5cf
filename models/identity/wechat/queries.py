"""Statements that other layers run: the shared token of a platform."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.base import table
from models.database import Statement
from models.identity.wechat.tables import PlatformToken

token = table(PlatformToken)

SHARED = Statement(
    sa.select(token.c.token, token.c.ends_at).where(token.c.name == sa.bindparam("name", type_=sa.Text()))
)
_values: dict[str, sa.ColumnElement[Any]] = {
    "token": sa.bindparam("token"),
    "ends_at": sa.bindparam("ends_at"),
    "renewed_at": sa.bindparam("now"),
}
RENEWED = Statement(
    postgresql.insert(token)
    .values(name=sa.bindparam("name"), **_values)
    .on_conflict_do_update(
        constraint="pk_platform_token",
        set_={name: postgresql.insert(token).excluded[name] for name in _values},
    )
)
