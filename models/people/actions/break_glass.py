"""Breaking the glass: an administrator asks, another one agrees, and for an hour he may reveal (D.5: a second person).

The second one is independent of the first (independence.py), both have administered for a while, and whom it is about
lives where both of them administer.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import may, seen, within
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.labels import label
from models.people.actions.independence import independent, long_in_office
from models.people.actions.interests import no_conflict
from models.people.break_glass import MOST, OPEN_FOR, BreakGlass, BreakGlassPerson, BreakGlassState, state
from models.people.problems import AdministratorTooNew, ConflictOfInterest, NotIndependent, OutsideArea, OwnCase
from models.people.rules import AccessPurpose
from models.people.scopes import MAY
from models.people.tables import Person
from models.problems import InvalidInput, InvalidTransition, NotFound, refuses
from models.rules_text import clean

REASON_AT_LEAST = 10
"""Characters of a reason: one that says something."""

request, about, person = table(BreakGlass), table(BreakGlassPerson), table(Person)
NOW = sa.bindparam("now", type_=INSTANT, unique=False)
PERSONS = sa.bindparam("persons", type_=postgresql.ARRAY(sa.Uuid()))

THERE = Seen(
    lambda viewer: sa.select(sa.func.count()).where(person.c.id == sa.any_(PERSONS), *seen(person, "person", viewer))
)
IN_AREA = Seen(
    lambda viewer: sa.select(sa.func.count()).where(person.c.id == sa.any_(PERSONS), within(person.c.area, viewer))
)
"""How many of them live in the asker's area."""
ABOUT = Statement(sa.select(about.c.person_id).where(about.c.break_glass_id == sa.bindparam("id", type_=sa.Uuid())))
ASK = Statement(
    sa.insert(request)
    .values(
        requested_by=sa.bindparam("asker", type_=sa.Uuid()),
        requested_at=NOW,
        purpose=sa.bindparam("purpose"),
        reason=sa.bindparam("reason"),
    )
    .returning(request.c.id)
)
NAME = Statement(
    sa.insert(about).from_select(
        ["break_glass_id", "person_id"],
        sa.select(sa.bindparam("request", type_=sa.Uuid()), sa.func.unnest(PERSONS)),
        include_defaults=False,
    )
)
_OWN = sa.exists().where(
    about.c.break_glass_id == request.c.id,
    about.c.person_id == sa.bindparam("viewer_person", type_=sa.Uuid(), unique=False),
)
LOAD = Seen(
    lambda viewer: (
        sa.select(request.c.id, request.c.requested_by, state(request.c, viewer.now).label("state"), _OWN.label("own"))
        .where(request.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(request, "break_glass", viewer))
        .with_for_update(of=request)
    )
)
AGREE = Statement(
    sa.update(request)
    .where(request.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        approved_by=sa.bindparam("approver", type_=sa.Uuid()),
        approved_at=NOW,
        until=sa.bindparam("until", type_=INSTANT),
    )
)
END = Statement(
    sa.update(request)
    .where(request.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(ended_by=sa.bindparam("ender", type_=sa.Uuid()), ended_at=NOW)
)


async def _in_area(db: Db, persons: Sequence[UUID]) -> None:
    """Raises OutsideArea where an administrator of an area reaches beyond it; others administer the whole platform."""
    if db.actor.area is not None and await db.value(IN_AREA, persons=persons) != len(persons):
        raise OutsideArea()


@may(MAY["break_glass"])
@refuses(AdministratorTooNew, OutsideArea)
async def request_break_glass(db: Db, persons: Sequence[UUID], purpose: AccessPurpose, reason: str) -> UUID:
    """Asks to read the contacts of up to 20 named people; returns the id of the request.

    It opens nothing until another administrator agrees, within 24 hours. Raises InvalidInput, NotFound when one of them
    does not exist, and the problems named above.
    """
    wanted = list(dict.fromkeys(persons))
    if not 1 <= len(wanted) <= MOST:
        raise InvalidInput(field="persons", reason=f"每次须选择 1 至 {MOST} 人。")
    reason = clean(reason, "reason", least=REASON_AT_LEAST, most=200)
    if await db.value(THERE, persons=wanted) != len(wanted):
        raise NotFound(what="其中的人员")
    await _in_area(db, wanted)
    await long_in_office(db)
    id_: UUID = await db.value(ASK, asker=db.actor.person, purpose=purpose, reason=reason)
    await db.one(NAME, request=id_, persons=wanted)
    db.detail |= {"purpose": purpose.value, "persons": wanted}
    db.tell("break_glass.requested", id_, count=len(wanted), purpose=purpose.value)
    return id_


async def _load(db: Db, id: UUID, *states: BreakGlassState) -> asyncpg.Record:
    row = await db.one(LOAD, id=id)
    if row is None:
        raise NotFound(what="该申请")
    found = BreakGlassState(row["state"])
    if found not in states:
        raise InvalidTransition(status=found.value, label=label(found))
    return row


@may(MAY["break_glass"])
@refuses(InvalidTransition, OwnCase, OutsideArea, AdministratorTooNew, ConflictOfInterest, NotIndependent)
async def approve_break_glass(db: Db, id: UUID) -> UUID:
    """Agrees to another administrator's request: for an hour he may reveal.

    Raises OwnCase for one's own, or about oneself; ConflictOfInterest for somebody's he is close to, and the problems
    named above.
    """
    row = await _load(db, id, BreakGlassState.REQUESTED)
    asker: UUID = row["requested_by"]
    if asker == db.actor.person or row["own"]:
        raise OwnCase()
    await _in_area(db, [r["person_id"] for r in await db.all(ABOUT, id=id)])
    await long_in_office(db)
    await no_conflict(db, concerns=[asker])
    assert db.actor.person is not None
    await independent(db, asker, db.actor.person)
    await db.one(AGREE, id=id, approver=db.actor.person, until=db.now + OPEN_FOR)
    db.detail["asker"] = asker
    db.tell("break_glass.approved", id)
    return id


@may(MAY["break_glass"])
@refuses(InvalidTransition)
async def end_break_glass(db: Db, id: UUID) -> UUID:
    """Refuses or withdraws a request, or ends it before its hour is over."""
    row = await _load(db, id, BreakGlassState.REQUESTED, BreakGlassState.OPEN)
    await db.one(END, id=id, ender=db.actor.person)
    db.detail |= {"asker": row["requested_by"], "state": row["state"]}
    db.tell("break_glass.ended", id)
    return id
