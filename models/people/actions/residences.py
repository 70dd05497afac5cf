"""Where a resident is registered: put somewhere else, where it has to be verified anew."""

from __future__ import annotations

import dataclasses
import secrets
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.base import table
from models.database import Db, Statement
from models.people.tables import FormerResidence, Person, Resident

person, resident, former = table(Person), table(Resident), table(FormerResidence)
need = sa.table("need", sa.column("beneficiary_id", sa.Uuid()), sa.column("household", sa.Text()))
"""Needs belong to an area above this one, which this one does not import."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A community, and a grid of it where that is known; `area` is the code of the narrower one."""

    community: UUID
    grid: UUID | None
    area: str


HOME = Statement(
    sa.update(person).where(person.c.id == sa.bindparam("id", type_=sa.Uuid())).values(area=sa.bindparam("area"))
)
LEAVE = Statement(
    sa.insert(former).values(
        person_id=sa.bindparam("person"),
        community_id=sa.bindparam("community"),
        area=sa.bindparam("area"),
        since=sa.bindparam("since"),
        until=sa.bindparam("until"),
        refused=sa.bindparam("refused"),
        ended_by=sa.bindparam("by"),
    )
)
SETTLE = Statement(
    sa.update(resident)
    .where(resident.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        area=sa.bindparam("area"),
        community_id=sa.bindparam("community"),
        grid_id=sa.bindparam("grid"),
        household=sa.bindparam("household"),
        created_at=sa.bindparam("now"),
        **dict.fromkeys(("verified_at", "verified_by", "refused_at", "refused_by", "refusal"), sa.null()),
    )
)
NEEDS_FOLLOW = Statement(
    sa.update(need)
    .where(need.c.beneficiary_id == sa.bindparam("resident", type_=sa.Uuid()))
    .values(household=sa.bindparam("household"))
)
"""What a household sees of its members' needs: theirs, not that of those with whom they lived."""


async def settle(db: Db, row: asyncpg.Record, to: Place) -> UUID:
    """Registers a resident, whose row is given, in another place: unverified, in a household of his own.

    Where he was stands in `former_residence` from now on. What he needs there stays there. Returns the resident's id.
    """
    id_: UUID = row["id"]
    await db.one(
        LEAVE,
        person=row["person_id"],
        community=row["community_id"],
        area=row["area"],
        since=row["created_at"],
        until=row["refused_at"] or db.now,
        refused=row["refused_at"] is not None,
        by=db.actor.person,
    )
    household = secrets.token_hex(16)
    await db.one(SETTLE, id=id_, area=to.area, community=to.community, grid=to.grid, household=household)
    await db.one(NEEDS_FOLLOW, resident=id_, household=household)
    await db.one(HOME, id=row["person_id"], area=to.area)
    db.detail.update({"from": row["area"], "to": to.area})
    db.tell("resident.registered", id_, area=to.area, verified=False)
    return id_
