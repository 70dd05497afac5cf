"""Which capacities somebody has today, and in which of them he is to act."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from models import clock
from models.access import Role
from models.base import table
from models.database import Db, Statement
from models.identity.accounts.tables import Account
from models.identity.problems import CapacityNotHeld, SecondFactorRequired
from models.identity.rules import STRONG_ROLES
from models.identity.tables import Capacity
from models.people.holding import on_these_days

capacity, account = table(Capacity), table(Account)


def disabled(person: sa.ColumnElement[UUID]) -> sa.Exists:
    """Whether an administrator has disabled somebody's account: then no membership counts, however he comes."""
    return sa.exists().where(account.c.person_id == person, account.c.disabled_at.is_not(None))


@dataclasses.dataclass(frozen=True, slots=True)
class Acting:
    """A capacity: a role, and the membership that gives it. As a wish, the membership may be left open."""

    role: Role
    membership: UUID | None = None

    def fits(self, held: Acting) -> bool:
        """Whether a capacity is the one wished for."""
        return self.role is held.role and self.membership in (None, held.membership)


HELD = Statement(
    sa.select(capacity.c.role, capacity.c.membership_id)
    .where(
        capacity.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        on_these_days(capacity.c),
        sa.or_(capacity.c.membership_id.is_(None), ~disabled(capacity.c.person_id)),
    )
    .order_by(capacity.c.id)
)
WITHOUT = (Role.VOLUNTEER, Role.RESIDENT, Role.PERSON)
"""The capacities that need no membership, in the order in which they are chosen."""


async def held(db: Db, person: UUID) -> list[Acting]:
    """The capacities that a person has today, what is chosen first first; none once his data were erased.

    While his account is disabled he is a volunteer, a resident or just himself, and holds no office.
    """
    rows = await db.all(HELD, person=person, today=clock.day(db.now))
    found = [Acting(Role(row["role"]), row["membership_id"]) for row in rows]
    if Acting(Role.PERSON) not in found:
        return []
    return sorted(found, key=lambda c: WITHOUT.index(c.role) + 1 if c.membership is None else 0)


def chosen(held: Sequence[Acting], *, strong: bool, wanted: Acting | None, last: Acting | None) -> Acting:
    """The capacity to act in: the one that was asked for, else the last one, else the first that may be had.

    Without a second factor (`strong`) the strong roles are passed over. Raises CapacityNotHeld, and SecondFactorRequired
    when such a role was asked for by name.
    """
    first = sorted(held, key=lambda c: c != last)
    if wanted is not None:
        first = [c for c in first if wanted.fits(c)]
        if first and not strong and wanted.role in STRONG_ROLES:
            raise SecondFactorRequired()
    found = next((c for c in first if strong or c.role not in STRONG_ROLES), None)
    if found is None:
        raise CapacityNotHeld()
    return found
