"""The last administrator of the whole platform: he lays nothing down, is not disabled and is not erased."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from models import clock
from models.access import Role
from models.base import table
from models.database import Db, Statement
from models.people.actions.once import once
from models.people.holding import TODAY, lasts
from models.people.organizations import Membership

membership = table(Membership)
account = sa.table("account", sa.column("person_id"), sa.column("disabled_at"))
"""Accounts belong to an area above this one, which this one does not import; that one is disabled is all it asks."""

ID = sa.bindparam("id", type_=sa.Uuid(), unique=False)
_whole = sa.and_(membership.c.role == Role.ADMIN.value, membership.c.area.is_(None), lasts(membership.c))
HIS = Statement(
    sa.select(
        sa.exists().where(
            _whole,
            sa.or_(membership.c.id == ID, membership.c.person_id == ID),
        )
    )
)
OTHERS = Statement(
    sa.select(
        sa.exists().where(
            _whole,
            membership.c.id != ID,
            membership.c.person_id != ID,
            membership.c.starts_on <= TODAY,
            membership.c.ends_on.is_(None),
            ~sa.exists().where(account.c.person_id == membership.c.person_id, account.c.disabled_at.is_not(None)),
        )
    )
)
"""One whose office has an end does not count: the day would come on which nobody is left, and nobody asks."""


async def last_administrator(db: Db, id: UUID) -> bool:
    """Whether a membership, or a person, is all that the platform has of an administrator who may stay.

    Whoever decides the same about another one waits until this transaction ends: of two at once one stays.
    """
    today = clock.day(db.now)
    if not await db.value(HIS, id=id, today=today):
        return False
    await once(db, "administrators")
    return not await db.value(OTHERS, id=id, today=today)
