"""Whether one administrator is really another one: not somebody whom the first has made so that he may agree with him.

Whoever gives an office, or hands over an invitation, could act in it himself. So two administrators are independent when
neither owes the other his office or his account, through however many in between, and they owe neither to the same
third. Only what those gave does not count whom a command made: everything begins with them.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from models import clock
from models.access import Role
from models.base import INSTANT, table
from models.database import Db, Statement
from models.people.holding import lasts
from models.people.organizations import Membership
from models.people.problems import AdministratorTooNew, NotIndependent

TENURE = timedelta(days=7)
"""For how long somebody must have administered: time enough for others to see whom one of them has made."""

office = table(Membership)
account = sa.table("account", sa.column("person_id", sa.Uuid()), sa.column("invited_by", sa.Uuid()))
"""Accounts belong to an area above this one, which this one does not import."""

HELD_LONG = Statement(
    sa.select(
        sa.exists().where(
            office.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
            office.c.role == Role.ADMIN.value,
            office.c.area.is_not_distinct_from(sa.bindparam("area", type_=sa.Text())),
            office.c.granted_at <= sa.bindparam("since", type_=INSTANT),
            office.c.starts_on <= sa.bindparam("day", type_=sa.Date()),
            lasts(office.c),
        )
    )
)
_made = sa.union_all(
    sa.select(office.c.person_id, office.c.granted_by.label("by")).where(
        office.c.role == Role.ADMIN.value, office.c.granted_by.is_not(None)
    ),
    sa.select(account.c.person_id, account.c.invited_by).where(account.c.invited_by.is_not(None)),
).subquery("made")
"""Who owes his office or his account to whom. An office that was revoked since counts too."""
_line = sa.select(
    sa.func.unnest(sa.bindparam("pair", type_=sa.ARRAY(sa.Uuid()))).label("whose"),
    sa.func.unnest(sa.bindparam("again", type_=sa.ARRAY(sa.Uuid()))).label("owes"),
).cte("line", recursive=True)
_line = _line.union(sa.select(_line.c.whose, _made.c.by).join(_made, _made.c.person_id == _line.c.owes))
_one, _other = _line.alias("one"), _line.alias("other")
_begins = sa.exists().where(
    office.c.person_id == _one.c.owes, office.c.role == Role.ADMIN.value, office.c.granted_by.is_(None)
)
OWING = Statement(
    sa.select(
        sa.exists(
            sa.select(sa.literal_column("1"))
            .select_from(_one.join(_other, _one.c.owes == _other.c.owes))
            .where(
                _one.c.whose < _other.c.whose,
                sa.or_(_one.c.owes.in_((_one.c.whose, _other.c.whose)), ~_begins),
            )
        )
    )
)


async def long_in_office(db: Db) -> None:
    """Raises AdministratorTooNew unless the actor has administered what he administers for TENURE."""
    since = db.now - TENURE
    values = {"person": db.actor.person, "area": db.actor.area, "since": since, "day": clock.day(since)}
    if not await db.value(HELD_LONG, today=clock.day(db.now), **values):
        raise AdministratorTooNew(days=TENURE.days)


async def independent(db: Db, one: UUID, other: UUID) -> None:
    """Raises NotIndependent where one of two administrators may have made the other, or a third one both."""
    if await db.value(OWING, pair=[one, other], again=[one, other]):
        raise NotIndependent()
