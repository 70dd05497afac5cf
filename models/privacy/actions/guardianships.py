"""Verbs of guardians: put on record, verified by staff who have seen the evidence, ended (Civil Code art. 27, PIPL art. 31).

Whoever is a child's guardian may have it erased. So nobody makes one alone: who recorded it does not verify it, nor who
put the guardian on record as a resident, nor anybody close to one of the two.
"""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.access import Role, may, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.people.actions.interests import no_conflict
from models.people.identity import is_minor
from models.people.problems import ConflictOfInterest, GuardianUnfit, OwnCase
from models.people.tables import Person, Resident
from models.privacy.actions.rows import insertion
from models.privacy.problems import GuardianshipExists, GuardianTooNew
from models.privacy.rules import GUARDIAN_DAYS, MAY, GuardianEvidence, GuardianRelation
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
REGISTERED = Statement(
    sa.select(resident.c.verified_by).where(resident.c.person_id == sa.bindparam("person", type_=sa.Uuid()))
)
VERIFIED = Statement(
    sa.select(link.c.verified_at).where(
        link.c.minor_id == sa.bindparam("minor", type_=sa.Uuid()),
        link.c.guardian_id == sa.bindparam("guardian", type_=sa.Uuid()),
        link.c.ended_at.is_(None),
    )
)
_COLUMNS = ("minor_id", "guardian_id", "relation", "evidence", "area", "recorded_by", "recorded_at")
INSERT = insertion(link, _COLUMNS)
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
@refuses(GuardianUnfit, GuardianshipExists, ConflictOfInterest)
async def record_guardianship(
    db: Db,
    minor: UUID,
    relation: GuardianRelation,
    guardian: UUID | None = None,
    evidence: GuardianEvidence | None = None,
) -> UUID:
    """Puts a guardian on record; returns the guardianship's id.

    Staff of the minor's community, who have seen the evidence, or the guardian himself, a grown-up of the same
    household: it counts when somebody else of the staff has verified it. Raises Forbidden, NotFound, InvalidInput,
    GuardianUnfit, GuardianshipExists, ConflictOfInterest.
    """
    child, adult = await _person(db, minor), await _person(db, guardian or db.actor.person)
    if child["birth_date"] is None:
        raise InvalidInput(field="minor", reason="被监护人的出生日期尚未登记，请先由社区登记。")
    if not is_minor(child["birth_date"], db.now):
        raise GuardianUnfit(reason="该人员已成年。")
    staff = db.actor.role is Role.COMMUNITY_STAFF and child["area"] is not None and db.actor.covers(child["area"])
    for_others = staff and db.actor.person not in (child["id"], adult["id"])
    if not for_others:
        if adult["id"] != db.actor.person:
            raise Forbidden()
        if not await db.value(TOGETHER, one=adult["id"], two=child["id"]):
            raise GuardianUnfit(reason="监护人须与未成年人登记在同一户，或到社区办理。")
    elif evidence is None:
        raise InvalidInput(field="evidence", reason="请选择已核对的证明材料。")
    else:
        await no_conflict(db, concerns=[child["id"], adult["id"]])
    _grown(adult["id"], child["id"], adult["birth_date"], db, known=not for_others)
    try:
        id_: UUID = await db.value(
            INSERT,
            minor_id=child["id"],
            guardian_id=adult["id"],
            relation=relation,
            evidence=evidence if for_others else None,
            area=child["area"] or "",
            recorded_by=db.actor.person,
            recorded_at=db.now,
        )
    except asyncpg.UniqueViolationError:
        raise GuardianshipExists() from None
    _told(db, "guardianship.recorded", id_, child["id"], adult["id"], child["area"])
    return id_


def _told(db: Db, event: str, id: UUID, minor: UUID, guardian: UUID, area: str | None) -> None:
    db.detail.update(minor=str(minor), guardian=str(guardian))
    db.tell(event, id, area=area)


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
@refuses(OwnCase, ConflictOfInterest)
async def verify_guardianship(db: Db, id: UUID, evidence: GuardianEvidence) -> UUID:
    """Staff of the minor's community have seen the evidence: from now on it counts. Nobody verifies his own, what he
    recorded himself, or that of a resident whom he put on record himself.

    Again changes nothing. Raises Forbidden, NotFound, OwnCase, ConflictOfInterest.
    """
    row = await _one(db, id)
    if not db.actor.covers(row["area"]):
        raise Forbidden()
    if db.actor.person in (row["guardian_id"], row["minor_id"]):
        raise OwnCase()
    if row["verified_at"] is not None:
        return id
    registered = await db.value(REGISTERED, person=row["guardian_id"])
    hands = [row["recorded_by"], registered]
    await no_conflict(db, made_by=hands, concerns=[row["minor_id"], row["guardian_id"]])
    await db.one(VERIFY, of=id, evidence=evidence, by=db.actor.person)
    _told(db, "guardianship.verified", id, row["minor_id"], row["guardian_id"], row["area"])
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
    _told(db, "guardianship.ended", id, row["minor_id"], row["guardian_id"], row["area"])
    return id


async def long_verified(db: Db, minor: UUID, guardian: UUID) -> None:
    """Raises GuardianTooNew unless he was verified as the minor's guardian GUARDIAN_DAYS ago: for what cannot be undone.

    So whoever the child really belongs to, and the staff, may see it and end it.
    """
    since = await db.value(VERIFIED, minor=minor, guardian=guardian)
    if since is None or since > db.now - timedelta(days=GUARDIAN_DAYS):
        raise GuardianTooNew(days=GUARDIAN_DAYS)


async def _one(db: Db, id: UUID) -> asyncpg.Record:
    row = await db.one(ONE, id=id)
    if row is None or row["ended_at"] is not None:
        raise NotFound(what="该监护关系")
    return row
