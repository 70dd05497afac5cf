"""Statements that other layers run: the shared token of a platform."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.base import INSTANT, table
from models.database import Statement
from models.identity.wechat.tables import PlatformToken

token = table(PlatformToken)

SHARED = Statement(
    sa.select(token.c.token, token.c.ends_at).where(token.c.name == sa.bindparam("name", type_=sa.Text()))
)
_NAMED = token.c.name == sa.bindparam("name", type_=sa.Text())
_UNTIL = sa.bindparam("until", type_=INSTANT, unique=False)
_lease = postgresql.insert(token).values(name=sa.bindparam("name"), leased_until=sa.bindparam("until"))
LEASED = Statement(
    _lease.on_conflict_do_update(
        constraint="pk_platform_token",
        set_={"leased_until": _lease.excluded.leased_until},
        where=sa.or_(token.c.leased_until.is_(None), token.c.leased_until <= sa.bindparam("now", type_=INSTANT)),
    ).returning(token.c.name)
)
"""Nothing while somebody else has it."""
RELEASED = Statement(
    sa.update(token)
    .where(_NAMED, token.c.leased_until == _UNTIL)
    .values(leased_until=sa.null())
    .returning(token.c.name)
)
RENEWED = Statement(
    sa.update(token)
    .where(_NAMED)
    .values(
        token=sa.bindparam("token"),
        ends_at=sa.bindparam("ends_at"),
        renewed_at=sa.bindparam("now"),
        leased_until=sa.null(),
    )
    .returning(token.c.name)
)
