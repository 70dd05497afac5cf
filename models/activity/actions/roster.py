"""What the verbs share: loading and locking, who runs a session, bookings, seats, and the waitlist moving up.

Locks are taken in one order: session, attendance, volunteer, then what the exchange locks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSTZRANGE, insert

from models import clock, vault
from models.access import Actor, Role, seen
from models.activity import visible
from models.activity.problems import BelowMinimumAge, MinorAtNight
from models.activity.rules import (
    ADULT_AGE,
    ATTENDANCE_STEPS,
    SIGNING,
    STEWARDS,
    AttendanceStatus,
    SessionStatus,
    at_night,
    old_enough_on,
    step,
)
from models.activity.tables import Attendance, ServiceSession
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.exchange.problems import OverlappingBooking
from models.exchange.tables import Booking
from models.people.actions import take_volunteer
from models.people.reliability import reckon_reliability
from models.people.rules import VolunteerRegistration
from models.people.tables import Volunteer
from models.problems import Forbidden, NotFound, Problem

Row: TypeAlias = Any
"""A row of the database, by its columns' names."""
session, attendance, booking = table(ServiceSession), table(Attendance), table(Booking)
volunteer = table(Volunteer)


def bound(name: str, type_: sa.types.TypeEngine[Any] | None = None) -> sa.BindParameter[Any]:
    """A parameter of a statement."""
    return sa.bindparam(name, type_=type_)


WINDOW = sa.func.tstzrange(bound("starts_at", INSTANT), bound("ends_at", INSTANT), type_=TSTZRANGE())

LOCK_SESSION = Seen(
    lambda viewer: (
        sa.select(session)
        .where(session.c.id == bound("id"), *seen(session, "service_session", viewer))
        .with_for_update(key_share=True, of=session)
    )
)
SESSION_OF = Seen(
    lambda viewer: sa.select(attendance.c.session_id).where(
        attendance.c.id == bound("id"), *seen(attendance, "attendance", viewer)
    )
)
RELOCK_SESSION = Statement(
    sa.select(session).where(session.c.id == bound("id")).with_for_update(key_share=True, of=session)
)
LOCK_ATTENDANCE = Statement(sa.select(attendance).where(attendance.c.id == bound("id")).with_for_update(key_share=True))
ADVANCE_SESSION = Statement(sa.update(session).where(session.c.id == bound("of")).values(status=bound("status")))
SEATS = Statement(
    sa.update(session)
    .where(session.c.id == bound("of"))
    .values(accepted_count=session.c.accepted_count + bound("more", sa.Integer()))
)
MOVE = Statement(
    sa.update(attendance)
    .where(attendance.c.id == bound("of"))
    .values(
        status=bound("status"),
        late=bound("late"),
        reason=sa.func.coalesce(bound("reason", sa.LargeBinary()), attendance.c.reason),
        accepted_at=sa.case(
            (bound("status", sa.Text()) == AttendanceStatus.ACCEPTED.value, bound("now", INSTANT)),
            else_=attendance.c.accepted_at,
        ),
    )
)
BOOK = Statement(
    insert(booking)
    .values(person_id=bound("person"), during=WINDOW, attendance_id=bound("of"), created_at=bound("now"))
    .on_conflict_do_nothing()
    .returning(booking.c.attendance_id)
)
ADOPT = Statement(
    sa.update(booking)
    .where(
        booking.c.commitment_id == bound("commitment"),
        booking.c.person_id == bound("person"),
        booking.c.during.overlaps(WINDOW),
    )
    .values(during=WINDOW)
    .returning(booking.c.commitment_id)
)
UNBOOK = Statement(sa.delete(booking).where(booking.c.attendance_id == bound("of")))
NEXT_IN_LINE = Statement(
    sa.select(attendance, volunteer.c.adult_on)
    .join(volunteer, volunteer.c.person_id == attendance.c.volunteer_id)
    .where(
        attendance.c.session_id == bound("of"),
        attendance.c.status == AttendanceStatus.WAITLISTED.value,
        volunteer.c.state == VolunteerRegistration.ACTIVE.value,
    )
    .order_by(attendance.c.position)
    .with_for_update(key_share=True, of=attendance)
)


async def locked_session(db: Db, id: UUID) -> Row:
    """A session that the actor may see, locked. Raises NotFound."""
    found = await db.one(LOCK_SESSION, id=id)
    if found is None:
        raise NotFound(what="该场次")
    return found


async def locked_attendance(db: Db, id: UUID) -> tuple[Row, Row]:
    """The session and the attendance that the actor may see, locked in that order. Raises NotFound."""
    of = await db.value(SESSION_OF, id=id)
    if of is None:
        raise NotFound(what="该参与记录")
    held = await db.one(RELOCK_SESSION, id=of)
    part = await db.one(LOCK_ATTENDANCE, id=id)
    assert held is not None and part is not None
    return held, part


def runs(actor: Actor, row: Row) -> bool:
    """Whether the actor organizes what a row is about: his organization's, or as staff what lies in his area."""
    if actor.role is Role.NGO_STAFF:
        return actor.organization is not None and row["organization_id"] == actor.organization
    return actor.role in STEWARDS and actor.covers(row["area"])


def must_run(actor: Actor, row: Row) -> None:
    """Raises Forbidden unless the actor organizes what the row is about."""
    if not runs(actor, row):
        raise Forbidden()


async def advance(db: Db, held: Row, to: SessionStatus) -> None:
    """Writes a session's next state and tells of it."""
    await db.value(ADVANCE_SESSION, of=held["id"], status=to)
    db.tell(f"session.{to.value.lower()}", held["id"], area=held["area"])


async def move(db: Db, part: Row, name: str, *, reason: str | None = None, late: bool = False) -> AttendanceStatus:
    """Takes an attendance one step on, and tells of it; `late`: he steps back at the last moment. Raises
    InvalidTransition."""
    to = step(ATTENDANCE_STEPS, name, AttendanceStatus(part["status"]))
    why = None if reason is None else (await db.keys()).seal(vault.Kind.CARE, reason, part["volunteer_id"])
    await db.value(MOVE, of=part["id"], status=to, reason=why, late=late)
    db.tell(f"attendance.{to.value.lower()}", part["id"], area=part["area"], session=part["session_id"])
    if late or to is AttendanceStatus.ABSENT:
        await reckon_reliability(db, part["volunteer_id"])
    return to


async def book(db: Db, held: Row, of: UUID, person: UUID, commitment: UUID | None) -> bool:
    """Takes a volunteer's time for a session; False when it is taken already.

    A commitment that has booked him for this time keeps its booking, which is fitted to the session.
    """
    times = {"starts_at": held["starts_at"], "ends_at": held["ends_at"]}
    if commitment is not None:
        try:
            if await db.value(ADOPT, commitment=commitment, person=person, **times):
                return True
        except asyncpg.ExclusionViolationError:
            raise OverlappingBooking() from None
    return await db.value(BOOK, of=of, person=person, **times) is not None


async def seat(db: Db, held: Row, of: UUID, person: UUID, commitment: UUID | None, organization: UUID | None) -> bool:
    """Books an accepted volunteer and lets the organization know him by name; False when his time is taken."""
    if not await book(db, held, of, person, commitment):
        return False
    if organization is not None:
        await take_volunteer(db, organization, person)
    return True


async def promote(db: Db, held: Row, free: int) -> int:
    """Gives up to `free` places to the waitlist, first come first served; how many were given.

    Who is booked elsewhere by now, suspended, or too young for what the session has become, keeps waiting.
    """
    given = 0
    if free <= 0 or not takes_sign_ups(held, db.now):
        return 0
    for part in await db.all(NEXT_IN_LINE, of=held["id"]):
        if given == free:
            break
        if too_young(held, part["adult_on"]) is not None:
            continue
        if await seat(db, held, part["id"], part["volunteer_id"], part["commitment_id"], part["organization_id"]):
            await move(db, part, "promote")
            given += 1
    return given


async def reseat(db: Db, held: Row, left: int) -> None:
    """`left` places have come free: gives them to the waitlist and keeps the session's count."""
    capacity, accepted = held["capacity"], held["accepted_count"] - left
    given = await promote(db, held, capacity - accepted)
    if given != left:
        await db.value(SEATS, of=held["id"], more=given - left)


def too_young(held: Row, adult_on: date) -> Problem | None:
    """Why somebody who comes of age on a day may not serve in a session for his age; None where he may (I10)."""
    on = clock.day(held["starts_at"])
    if on < old_enough_on(adult_on, held["min_age"]):
        return BelowMinimumAge(min_age=held["min_age"])
    if on < old_enough_on(adult_on, ADULT_AGE) and at_night(held["starts_at"], held["ends_at"]):
        return MinorAtNight()
    return None


def takes_sign_ups(held: Row, now: datetime) -> bool:
    """Whether places are still given: published, and not over."""
    return held["status"] in SIGNING and now < held["ends_at"]


async def each(db: Db, parts: Sequence[Row], name: str, *, reason: str | None = None) -> None:
    """Takes several attendances the same step on."""
    for part in parts:
        await move(db, part, name, reason=reason)


__all__ = ["visible"]
