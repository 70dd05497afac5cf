"""Verbs of qualifications: a volunteer says what papers he has; his community's staff look at them (I11, I17)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import may, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.labels import label
from models.people.actions.interests import no_conflict
from models.people.problems import ConflictOfInterest, OwnCase, QualificationPending, QualificationTaken
from models.people.qualifications import (
    QUALIFICATION_STEPS,
    Qualification,
    QualificationStatus,
    QualificationType,
    mask_licence,
)
from models.people.scopes import MAY
from models.people.tables import Volunteer
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion, refuses
from models.rules_text import clean
from models.vault import Kind

qualification, volunteer = table(Qualification), table(Volunteer)
S = QualificationStatus
NUMBER = re.compile(r"[0-9A-Z一-鿿()（）\-]{4,40}")
MOST = 30
LATEST = timedelta(days=366 * 60)
SOON = timedelta(days=30)
"""So long before its last day he is told that a qualification ends."""
BATCH = 200

AREA = Statement(
    sa.select(volunteer.c.area)
    .where(volunteer.c.person_id == sa.bindparam("person", type_=sa.Uuid()))
    .with_for_update()
)
COUNT = Statement(
    sa.select(sa.func.count()).where(qualification.c.person_id == sa.bindparam("person", type_=sa.Uuid()))
)
ADD = Statement(
    sa.insert(qualification)
    .values(
        {
            name: sa.bindparam(name)
            for name in (
                "person_id",
                "type",
                "number",
                "number_index",
                "number_masked",
                "issued_by",
                "valid_to",
                "status",
            )
        }
        | {"created_at": sa.bindparam("now")}
    )
    .returning(qualification.c.id)
)
ONE = Seen(
    lambda viewer: (
        sa.select(qualification)
        .where(
            qualification.c.id == sa.bindparam("id", type_=sa.Uuid()),
            *seen(qualification, "qualification", viewer),
        )
        .with_for_update()
    )
)
MOVE = Statement(
    sa.update(qualification)
    .where(qualification.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        status=sa.bindparam("status"),
        decided_by=sa.bindparam("by"),
        decided_at=sa.bindparam("now"),
        reason=sa.bindparam("reason"),
        version=qualification.c.version + 1,
    )
)
_ending = (
    sa.select(qualification.c.id)
    .where(
        qualification.c.status == sa.literal_column(f"'{S.VERIFIED.value}'"),
        qualification.c.told_at.is_(None),
        qualification.c.valid_to <= sa.bindparam("until", type_=sa.Date()),
        qualification.c.valid_to >= sa.bindparam("today", type_=sa.Date()),
    )
    .order_by(qualification.c.valid_to)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
TELL = Statement(
    sa.update(qualification)
    .where(qualification.c.id.in_(_ending), volunteer.c.person_id == qualification.c.person_id)
    .values(told_at=sa.bindparam("now"))
    .returning(
        qualification.c.id, qualification.c.person_id, qualification.c.type, qualification.c.valid_to, volunteer.c.area
    )
)


def read_number(given: str, field: str = "number") -> str:
    """A paper's number as it is sealed: capitals, without spaces. Raises InvalidInput."""
    number = re.sub(r"\s", "", given).upper()
    if not NUMBER.fullmatch(number):
        raise InvalidInput(field=field, reason="证书编号须为 4 至 40 位字母、数字或汉字。")
    return number


def read_valid_to(given: date | None, today: date) -> date | None:
    """A paper's last day; None for one that has no end. Raises InvalidInput for one that is over, or too far ahead."""
    if given is not None and given < today:
        raise InvalidInput(field="validTo", reason="证书已过有效期，请上传续期后的证书。")
    if given is not None and given > today + LATEST:
        raise InvalidInput(field="validTo", reason="有效期过长；长期有效的证书请不填有效期。")
    return given


@may(MAY["qualification.add"])
@refuses(QualificationPending)
async def add_qualification(
    db: Db, type: QualificationType, number: str, issued_by: str, valid_to: date | None = None
) -> UUID:
    """A volunteer says that he holds a paper; it counts once his community's staff have seen it. Renewed, it is added
    again: the old one counts on until its last day.

    Returns the qualification's id. Raises NotFound for who is no volunteer, InvalidInput, QualificationPending.
    """
    plain, issuer = read_number(number), clean(issued_by, "issuedBy", most=60, least=2)
    until = read_valid_to(valid_to, clock.day(db.now))
    me = db.actor.person
    area = await db.value(AREA, person=me)
    if area is None or me is None:
        raise NotFound(what="您的志愿者登记")
    if await db.value(COUNT, person=me) >= MOST:
        raise InvalidInput(field="type", reason=f"证书记录最多 {MOST} 条。")
    keys = await db.keys()
    sealed = {"number": keys.seal(Kind.IDENTITY, plain, me), "number_index": keys.index(Kind.IDENTITY, plain)}
    values = {
        "person_id": me,
        "type": type,
        "number_masked": mask_licence(plain),
        "issued_by": issuer,
        "valid_to": until,
    }
    try:
        made: UUID = await db.value(ADD, status=S.PENDING, **values, **sealed)
    except asyncpg.UniqueViolationError:
        raise QualificationPending() from None
    db.tell("qualification.added", made, area=area, type=type.value)
    return made


@may(MAY["qualification.decide"])
@refuses(InvalidTransition, StaleVersion, OwnCase, ConflictOfInterest, QualificationTaken)
async def verify_qualification(db: Db, id: UUID, version: int, number: str) -> UUID:
    """The community's staff say that they have seen the paper, and read its number from it: it has to be the one that the
    volunteer wrote. From then on it counts.

    Raises Forbidden, NotFound, InvalidInput, InvalidTransition, StaleVersion, OwnCase, ConflictOfInterest, and
    QualificationTaken where the number is somebody else's.
    """
    row, area = await _to_decide(db, id, version)
    status = _moved("verify", row)
    if row["number_index"] not in (await db.keys()).indexes(Kind.IDENTITY, read_number(number)):
        raise InvalidInput(field="number", reason="与本人填写的证书编号不一致，请核对原件。")
    if row["valid_to"] is not None and row["valid_to"] < clock.day(db.now):
        raise InvalidInput(field="id", reason="证书已过有效期，不能通过核验。")
    try:
        return await _move(db, row, status, area)
    except asyncpg.ExclusionViolationError:
        raise QualificationTaken() from None


@may(MAY["qualification.decide"])
@refuses(InvalidTransition, StaleVersion, OwnCase, ConflictOfInterest)
async def reject_qualification(db: Db, id: UUID, version: int, reason: str) -> UUID:
    """The community's staff do not recognize a paper, for a reason that its holder reads."""
    row, area = await _to_decide(db, id, version)
    return await _move(db, row, _moved("reject", row), area, clean(reason, "reason", least=2))


@may(MAY["qualification.decide"])
@refuses(InvalidTransition, StaleVersion, OwnCase, ConflictOfInterest)
async def revoke_qualification(db: Db, id: UUID, version: int, reason: str) -> UUID:
    """The community's staff find that a paper counts no longer: withdrawn by who issued it, say."""
    row, area = await _to_decide(db, id, version)
    return await _move(db, row, _moved("revoke", row), area, clean(reason, "reason", least=2))


@may(MAY["qualification.withdraw"])
@refuses(InvalidTransition, StaleVersion)
async def withdraw_qualification(db: Db, id: UUID, version: int) -> UUID:
    """Who added a qualification takes it back: it counts no longer."""
    row = await _load(db, id, version)
    if row["person_id"] != db.actor.person:
        raise Forbidden()
    area = await db.value(AREA, person=row["person_id"])
    return await _move(db, row, _moved("withdraw", row), area)


async def tell_ending(db: Db) -> int:
    """For the worker: tells, once for each, of verified qualifications that end within 30 days; how many there were."""
    today = clock.day(db.now)
    rows = await db.all(TELL, until=today + SOON, today=today)
    for row in rows:
        db.tell(
            "qualification.ending",
            row["id"],
            area=row["area"],
            person=str(row["person_id"]),
            type=row["type"],
            valid_to=row["valid_to"].isoformat(),
        )
    return len(rows)


def _moved(step: str, row: asyncpg.Record) -> QualificationStatus:
    now = S(row["status"])
    after = QUALIFICATION_STEPS.get((step, now))
    if after is None:
        raise InvalidTransition(status=now.value, label=label(now))
    return after


async def _load(db: Db, id: UUID, version: int) -> asyncpg.Record:
    """A qualification that the caller may see, locked. Raises NotFound, StaleVersion."""
    row = await db.one(ONE, id=id)
    if row is None:
        raise NotFound(what="该证书")
    if row["version"] != version:
        raise StaleVersion(current=row["version"])
    return row


async def _to_decide(db: Db, id: UUID, version: int) -> tuple[asyncpg.Record, str]:
    """A qualification of a volunteer of the staff's own community, and that community's code. Nobody decides on his own,
    nor on that of somebody he is close to. Raises Forbidden, NotFound, StaleVersion, OwnCase, ConflictOfInterest."""
    row = await _load(db, id, version)
    area = await db.value(AREA, person=row["person_id"])
    if row["person_id"] == db.actor.person:
        raise OwnCase()
    if area is None or not db.actor.covers(area):
        raise Forbidden()
    await no_conflict(db, concerns=[row["person_id"]])
    return row, area


async def _move(db: Db, row: asyncpg.Record, status: QualificationStatus, area: Any, reason: str | None = None) -> UUID:
    id_: UUID = row["id"]
    await db.one(MOVE, id=id_, status=status, by=db.actor.person, reason=reason)
    db.tell(f"qualification.{status.value.lower()}", id_, area=area, type=row["type"])
    return id_
