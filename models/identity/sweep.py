"""What the worker does with sign-ins: marks those whose time is up, and forgets those that ended long ago."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.base import table
from models.database import Db, Statement
from models.identity.rules import KEPT, SignInEnd
from models.identity.tables import RefreshToken, SignIn

CHUNK = 500
"""Sign-ins in one transaction."""

sign_in, refresh_token = table(SignIn), table(RefreshToken)

_due = (
    sa.select(sign_in.c.id)
    .where(sign_in.c.ended_at.is_(None), sign_in.c.expires_at <= sa.bindparam("now"))
    .order_by(sign_in.c.expires_at)
    .limit(CHUNK)
    .with_for_update(skip_locked=True)
)
EXPIRE = Statement(
    sa.update(sign_in)
    .where(sign_in.c.id.in_(_due))
    .values(ended_at=sign_in.c.expires_at, end_reason=SignInEnd.EXPIRED.value)
    .returning(sign_in.c.id)
)
OLD = Statement(
    sa.select(sign_in.c.id)
    .where(sign_in.c.ended_at < sa.bindparam("before"))
    .order_by(sign_in.c.ended_at)
    .limit(CHUNK)
    .with_for_update(skip_locked=True)
)
_these = sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(sa.Uuid())))
FORGET_TOKENS = Statement(sa.delete(refresh_token).where(refresh_token.c.sign_in_id == _these))
FORGET = Statement(sa.delete(sign_in).where(sign_in.c.id == _these))


async def sweep_sign_ins(db: Db) -> int:
    """Marks sign-ins that have expired, deletes those that ended 90 days ago, with their tokens; how many of both."""
    expired = await db.all(EXPIRE)
    old = [row["id"] for row in await db.all(OLD, before=db.now - KEPT)]
    if old:
        await db.one(FORGET_TOKENS, ids=old)
        await db.one(FORGET, ids=old)
    return len(expired) + len(old)
