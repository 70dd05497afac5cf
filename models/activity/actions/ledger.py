"""Writing the ledger of hours, and telling the exchange what was served."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from models import clock
from models.activity.actions.roster import Row, attendance, bound, session, volunteer
from models.activity.rules import (
    DAY_CAP_MINUTES,
    AttendanceStatus,
    HourKind,
    HourTrust,
    SessionStatus,
)
from models.activity.tables import HourEntry, SessionCommitment
from models.base import table
from models.database import Db, Statement
from models.exchange.actions.commitments import deliver as deliver_commitment
from models.exchange.actions.commitments import start_service
from models.exchange.actions.ground import locked_commitment
from models.exchange.states import CommitmentStatus
from models.exchange.tables import Commitment
from models.exchange.visible import is_any
from models.people.reliability import reckon_reliability

entry, link, commitment = table(HourEntry), table(SessionCommitment), table(Commitment)
ONE_AT_A_TIME = Statement(
    sa.select(volunteer.c.id).where(volunteer.c.person_id == bound("person")).with_for_update(key_share=True)
)
SERVED = Statement(
    sa.select(sa.func.coalesce(sa.func.sum(entry.c.minutes), 0)).where(
        entry.c.volunteer_id == bound("person"), entry.c.served_on == bound("served_on")
    )
)
COLUMNS = (
    "attendance_id",
    "session_id",
    "volunteer_id",
    "kind",
    "revision",
    "reverses_id",
    "follows_id",
    "minutes",
    "trust",
    "approved_by",
    "reason",
    "served_on",
    "credited_on",
    "category_code",
    "organization_id",
    "area",
)
WRITE = Statement(
    sa.insert(entry).values({name: bound(name) for name in COLUMNS} | {"at": bound("now")}).returning(entry.c.id)
)
STAND = Statement(
    sa.update(attendance)
    .where(attendance.c.id == bound("of"))
    .values(status=bound("status"), credited_minutes=bound("minutes"))
)
CARRIED_OUT = Statement(
    sa.select(
        sa.func.coalesce(
            sa.func.sum(
                sa.case((attendance.c.volunteer_id == commitment.c.volunteer_person_id, link.c.quantity), else_=1)
            ),
            0,
        )
    )
    .select_from(attendance)
    .join(commitment, commitment.c.id == attendance.c.commitment_id)
    .join(link, sa.and_(link.c.commitment_id == commitment.c.id, link.c.session_id == attendance.c.session_id))
    .where(
        attendance.c.commitment_id == bound("commitment"),
        is_any(attendance.c.status, (AttendanceStatus.CONFIRMED, AttendanceStatus.REVERSED)),
    )
)
"""How much of a commitment was served: by the volunteer whom it names his session's share, by others one each."""
ALLOTTED = Statement(
    sa.select(
        sa.func.coalesce(sa.func.sum(link.c.quantity), 0).label("quantity"),
        sa.func.coalesce(
            sa.func.bool_or(sa.not_(is_any(session.c.status, (SessionStatus.CONFIRMED, SessionStatus.LOCKED)))),
            sa.false(),
        ).label("open"),
    )
    .select_from(link)
    .join(session, session.c.id == link.c.session_id)
    .where(
        link.c.commitment_id == bound("commitment"),
        sa.not_(is_any(session.c.status, (SessionStatus.CANCELLED,))),
    )
)
LINKED = Statement(
    sa.select(link.c.commitment_id).where(link.c.session_id == bound("of")).order_by(link.c.commitment_id)
)


async def room(db: Db, held: Row, person: UUID) -> int:
    """How many minutes the day's cap leaves a volunteer; his other credits wait until this one is written."""
    await db.value(ONE_AT_A_TIME, person=person)
    served: int = await db.value(SERVED, person=person, served_on=clock.day(held["starts_at"]))
    return DAY_CAP_MINUTES - served


async def _write(
    db: Db,
    held: Row,
    part: Row,
    *,
    kind: HourKind,
    minutes: int,
    trust: HourTrust,
    revision: int,
    reverses: UUID | None = None,
    follows: UUID | None = None,
    approved_by: UUID | None = None,
    reason: str | None = None,
) -> UUID:
    served_on = clock.day(held["starts_at"])
    id: UUID = await db.value(
        WRITE,
        attendance_id=part["id"],
        session_id=held["id"],
        volunteer_id=part["volunteer_id"],
        kind=kind,
        revision=revision,
        reverses_id=reverses,
        follows_id=follows,
        minutes=minutes,
        trust=trust,
        approved_by=approved_by,
        reason=reason,
        served_on=served_on,
        credited_on=clock.day(db.now) if held["status"] == SessionStatus.LOCKED else served_on,
        category_code=held["category_code"],
        organization_id=part["organization_id"],
        area=part["area"],
    )
    db.tell(f"hours.{kind.value.lower()}", id, area=part["area"], minutes=minutes)
    return id


async def credit(
    db: Db,
    held: Row,
    part: Row,
    minutes: int,
    trust: HourTrust,
    *,
    revision: int = 1,
    follows: UUID | None = None,
    approved_by: UUID | None = None,
    reason: str | None = None,
) -> UUID:
    """Credits an attendance and moves it to CONFIRMED. Returns the entry."""
    id = await _write(
        db,
        held,
        part,
        kind=HourKind.CREDIT,
        minutes=minutes,
        trust=trust,
        revision=revision,
        follows=follows,
        approved_by=approved_by,
        reason=reason,
    )
    await db.value(STAND, of=part["id"], status=AttendanceStatus.CONFIRMED, minutes=minutes)
    db.tell("attendance.confirmed", part["id"], area=part["area"], session=held["id"])
    await reckon_reliability(db, part["volunteer_id"])
    return id


async def reverse(db: Db, held: Row, part: Row, credited: Row, approved_by: UUID, reason: str) -> UUID:
    """Takes a credit back, whole, and moves its attendance to REVERSED. Returns the entry."""
    id = await _write(
        db,
        held,
        part,
        kind=HourKind.REVERSAL,
        minutes=-credited["minutes"],
        trust=HourTrust(credited["trust"]),
        revision=credited["revision"],
        reverses=credited["id"],
        approved_by=approved_by,
        reason=reason,
    )
    await db.value(STAND, of=part["id"], status=AttendanceStatus.REVERSED, minutes=None)
    db.tell("attendance.reversed", part["id"], area=part["area"], session=held["id"])
    await reckon_reliability(db, part["volunteer_id"])
    return id


async def start(db: Db, part: Row) -> None:
    """Service begins on the commitment that an attendance carries out. Raises InvalidTransition when that has ended."""
    if part["commitment_id"] is not None:
        await start_service(db, part["commitment_id"])


async def deliver(db: Db, commitment_id: UUID | None) -> None:
    """Delivers a commitment as soon as the credited attendances carry out the whole of it."""
    if commitment_id is None:
        return
    promise, _ = await locked_commitment(db, commitment_id, checked=False)
    if await db.value(CARRIED_OUT, commitment=commitment_id) >= promise["qty"]:
        await deliver_commitment(db, commitment_id)


async def settle(db: Db, session_id: UUID) -> None:
    """A session was confirmed: of its commitments, those of which no more is to come are delivered as far as they were.

    No more is to come when sessions were made for the whole quantity, and all of them are confirmed.
    """
    for row in await db.all(LINKED, of=session_id):
        promise, _ = await locked_commitment(db, row["commitment_id"], checked=False)
        if promise["status"] != CommitmentStatus.IN_SERVICE:
            continue
        allotted = await db.one(ALLOTTED, commitment=promise["id"])
        if allotted is not None and allotted["quantity"] >= promise["qty"] and not allotted["open"]:
            await deliver_commitment(db, promise["id"], await db.value(CARRIED_OUT, commitment=promise["id"]))
