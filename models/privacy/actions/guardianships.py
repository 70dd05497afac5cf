"""Verbs of guardians: put on record, verified by staff who have seen the evidence, ended (Civil Code art. 27, PIPL art. 31)."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.access import Role, may, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.people.identity import is_minor
from models.people.problems import GuardianUnfit, OwnCase
from models.people.tables import Person, Resident
from models.privacy.problems import GuardianshipExists
from models.privacy.rules import MAY, GuardianEvidence, GuardianRelation
from models.privacy.tables import Guardianship
from models.problems import Forbidden, InvalidInput, NotFound, refuses

person, resident, link = table(Person), table(Resident), table(Guardianship)

PERSON = Seen(
    lambda viewer: sa.select(person.c.id, person.c.birth_date, person.c.area, person.c.state).where(
        person.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(person, "person", viewer)
    )
)
TOGETHER = Statement(
    sa.select(
        sa.exists(
            sa.select(sa.literal_column("1"))
            .select_from(resident)
            .join(other := resident.alias("other"), other.c.household == resident.c.household)
            .where(
                resident.c.person_id == sa.bindparam("one", type_=sa.Uuid()),
                other.c.person_id == sa.bindparam("two", type_=sa.Uuid()),
            )
        )
    )
)
ONE = Seen(
    lambda viewer: (
        sa.select(link)
        .where(link.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(link, "guardianship", viewer))
        .with_for_update()
    )
)
BORN = Statement(sa.select(person.c.birth_date).where(person.c.id == sa.bindparam("id", type_=sa.Uuid())))
_COLUMNS = (
    *("minor_id", "guardian_id", "relation", "evidence", "area", "recorded_by", "recorded_at"),
    *("verified_by", "verified_at"),
)
INSERT = Statement(
    sa.insert(link)
    .values({name: sa.bindparam(name, type_=link.c[name].type) for name in _COLUMNS})
    .returning(link.c.id)
)
VERIFY = Statement(
    sa.update(link)
    .where(link.c.id == sa.bindparam("of", type_=sa.Uuid()))
    .values(
        evidence=sa.bindparam("evidence", type_=sa.Text()),
        verified_by=sa.bindparam("by", type_=sa.Uuid()),
        verified_at=sa.bindparam("now", type_=INSTANT),
    )
)
END = Statement(
    sa.update(link)
    .where(link.c.id == sa.bindparam("of", type_=sa.Uuid()))
    .values(ended_by=sa.bindparam("by", type_=sa.Uuid()), ended_at=sa.bindparam("now", type_=INSTANT))
)


@may(MAY["guardianship.record"])
@refuses(GuardianUnfit, GuardianshipExists)
async def record_guardianship(
    db: Db,
    minor: UUID,
    relation: GuardianRelation,
    guardian: UUID | None = None,
    evidence: GuardianEvidence | None = None,
) -> UUID:
    """Puts a guardian on record; returns the guardianship's id.

    Staff of the minor's community, who have seen the evidence: it counts at once. The guardian himself, a grown-up of
    the same household: it counts when staff have verified it. Raises Forbidden, NotFound, InvalidInput, GuardianUnfit,
    GuardianshipExists.
    """
    child, adult = await _person(db, minor), await _person(db, guardian or db.actor.person)
    if child["birth_date"] is None:
        raise InvalidInput(field="minor", reason="被监护人的出生日期尚未登记，请先由社区登记。")
    if not is_minor(child["birth_date"], db.now):
        raise GuardianUnfit(reason="该人员已成年。")
    staff = db.actor.role is Role.COMMUNITY_STAFF and child["area"] is not None and db.actor.covers(child["area"])
    counts = staff and db.actor.person not in (child["id"], adult["id"])
    if not counts:
        if adult["id"] != db.actor.person:
            raise Forbidden()
        if not await db.value(TOGETHER, one=adult["id"], two=child["id"]):
            raise GuardianUnfit(reason="监护人须与未成年人登记在同一户，或到社区办理。")
    elif evidence is None:
        raise InvalidInput(field="evidence", reason="请选择已核对的证明材料。")
    _grown(adult["id"], child["id"], adult["birth_date"], db, known=not counts)
    try:
        id_: UUID = await db.value(
            INSERT,
            minor_id=child["id"],
            guardian_id=adult["id"],
            relation=relation,
            evidence=evidence if counts else None,
            area=child["area"] or "",
            recorded_by=db.actor.person,
            recorded_at=db.now,
            verified_by=db.actor.person if counts else None,
            verified_at=db.now if counts else None,
        )
    except asyncpg.UniqueViolationError:
        raise GuardianshipExists() from None
    db.tell("guardianship.verified" if counts else "guardianship.recorded", id_, area=child["area"])
    return id_


async def _person(db: Db, id: UUID | None) -> asyncpg.Record:
    found = await db.one(PERSON, id=id)
    if found is None:
        raise NotFound(what="该人员")
    return found


def _grown(guardian: UUID, minor: UUID, born: date | None, db: Db, *, known: bool) -> None:
    """Raises GuardianUnfit unless this is another person, and grown up; `known`: his birth date must be on record."""
    if guardian == minor:
        raise GuardianUnfit(reason="不能作自己的监护人。")
    if born is None and known:
        raise GuardianUnfit(reason="您的出生日期尚未登记，请到社区办理。")
    if born is not None and is_minor(born, db.now):
        raise GuardianUnfit(reason="监护人须年满十八周岁。")


@may(MAY["guardianship.verify"])
@refuses(OwnCase)
async def verify_guardianship(db: Db, id: UUID, evidence: GuardianEvidence) -> UUID:
    """Staff of the minor's community have seen the evidence: from now on it counts. Nobody verifies his own.

    Again changes nothing. Raises Forbidden, NotFound, OwnCase.
    """
    row = await _one(db, id)
    if not db.actor.covers(row["area"]):
        raise Forbidden()
    if db.actor.person in (row["guardian_id"], row["minor_id"]):
        raise OwnCase()
    if row["verified_at"] is None:
        await db.one(VERIFY, of=id, evidence=evidence, by=db.actor.person)
        db.tell("guardianship.verified", id, area=row["area"])
    return id


@may(MAY["guardianship.end"])
@refuses()
async def end_guardianship(db: Db, id: UUID) -> UUID:
    """The guardian himself, or staff of the community: from now on he acts for nobody. Raises Forbidden, NotFound."""
    row = await _one(db, id)
    staff = db.actor.role is Role.COMMUNITY_STAFF and db.actor.covers(row["area"])
    if not staff and row["guardian_id"] != db.actor.person:
        raise Forbidden()
    await db.one(END, of=id, by=db.actor.person)
    db.tell("guardianship.ended", id, area=row["area"])
    return id


async def _one(db: Db, id: UUID) -> asyncpg.Record:
    row = await db.one(ONE, id=id)
    if row is None or row["ended_at"] is not None:
        raise NotFound(what="该监护关系")
    return row
