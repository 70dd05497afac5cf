"""Signing up, the waitlist, and who is given a place."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from models.access import may
from models.activity.actions.roster import (
    SEATS,
    UNBOOK,
    WINDOW,
    Row,
    attendance,
    booking,
    bound,
    locked_attendance,
    locked_session,
    move,
    must_run,
    reseat,
    seat,
    session,
    takes_sign_ups,
    too_young,
    volunteer,
)
from models.activity.problems import (
    AlreadySignedUp,
    BelowMinimumAge,
    MinorAtNight,
    SecondPersonNeeded,
    SessionFull,
    SignUpClosed,
    TooLateToWithdraw,
)
from models.activity.rules import (
    ATTENDANCE_STEPS,
    MAY,
    AttendanceStatus,
    step,
)
from models.activity.tables import SessionCommitment
from models.base import table
from models.database import Db, Statement
from models.exchange.actions.serving import must_suit
from models.exchange.problems import NotQualified, OverlappingBooking, OwnNeed, VolunteerInactive
from models.exchange.states import CommitmentStatus
from models.exchange.tables import Commitment
from models.labels import label
from models.people.problems import NotAvailable
from models.people.reliability import LATE
from models.people.rules import VolunteerRegistration
from models.problems import Forbidden, InvalidTransition, NotFound, refuses
from models.rules_text import clean

link, commitment = table(SessionCommitment), table(Commitment)
WHO = Statement(sa.select(volunteer.c.state, volunteer.c.adult_on).where(volunteer.c.person_id == bound("person")))
EARLIER = Statement(
    sa.select(attendance.c.status).where(
        attendance.c.session_id == bound("of"), attendance.c.volunteer_id == bound("person")
    )
)
TAKEN = Statement(
    sa.select(sa.exists().where(booking.c.person_id == bound("person"), booking.c.during.overlaps(WINDOW)))
)
A_COMMITMENT = Statement(
    sa.select(link.c.commitment_id, commitment.c.organization_id)
    .join(commitment, commitment.c.id == link.c.commitment_id)
    .where(
        link.c.session_id == bound("of"),
        commitment.c.volunteer_person_id.is_(None),
        commitment.c.status == sa.any_(bound("serving", sa.ARRAY(sa.Text()))),
        link.c.quantity
        > sa.select(sa.func.count())
        .where(
            attendance.c.session_id == link.c.session_id,
            attendance.c.commitment_id == link.c.commitment_id,
            attendance.c.status == sa.any_(bound("going", sa.ARRAY(sa.Text()))),
        )
        .scalar_subquery(),
    )
    .order_by(link.c.id)
    .limit(1)
)
ARRIVE = Statement(
    sa.update(session)
    .where(session.c.id == bound("of"))
    .values(arrivals=session.c.arrivals + 1, accepted_count=session.c.accepted_count + bound("more", sa.Integer()))
)
SIGN = Statement(
    sa.insert(attendance)
    .values(
        {
            name: bound(name)
            for name in (
                "session_id",
                "volunteer_id",
                "commitment_id",
                "status",
                "position",
                "accepted_at",
                "starts_at",
                "restricted_need_id",
                "organization_id",
                "area",
            )
        }
        | {"applied_at": bound("now")}
    )
    .returning(attendance.c.id)
)
SERVING = (CommitmentStatus.CONFIRMED, CommitmentStatus.IN_SERVICE)
GOING = (
    AttendanceStatus.APPLIED,
    AttendanceStatus.ACCEPTED,
    AttendanceStatus.WAITLISTED,
    AttendanceStatus.CHECKED_IN,
    AttendanceStatus.CHECKED_OUT,
    AttendanceStatus.CONFIRMED,
)


async def must_be_fit(db: Db, held: Row, person: UUID) -> None:
    """Raises VolunteerInactive, BelowMinimumAge or MinorAtNight (条例 art. 15-17: fit for age and ability)."""
    found = await db.one(WHO, person=person)
    if found is None or found["state"] != VolunteerRegistration.ACTIVE:
        raise VolunteerInactive()
    young = too_young(held, found["adult_on"])
    if young is not None:
        raise young


async def enter(
    db: Db,
    held: Row,
    person: UUID,
    status: AttendanceStatus,
    *,
    position: int,
    commitment_id: UUID | None = None,
    organization_id: UUID | None = None,
) -> UUID:
    """Writes an attendance; one that is ACCEPTED is booked. Raises OverlappingBooking. The caller keeps the counts."""
    accepted = status is AttendanceStatus.ACCEPTED
    organization = held["organization_id"] or organization_id
    id: UUID = await db.value(
        SIGN,
        session_id=held["id"],
        volunteer_id=person,
        commitment_id=commitment_id,
        status=status,
        position=position,
        accepted_at=db.now if accepted else None,
        starts_at=held["starts_at"],
        restricted_need_id=held["restricted_need_id"],
        organization_id=organization,
        area=held["area"],
    )
    if accepted and not await seat(db, held, id, person, commitment_id, organization):
        raise OverlappingBooking()
    db.tell(f"attendance.{status.value.lower()}", id, area=held["area"], session=held["id"])
    return id


@may(MAY["session.sign_up"])
@refuses(
    *(AlreadySignedUp, SignUpClosed, VolunteerInactive, BelowMinimumAge, MinorAtNight, OwnNeed, OverlappingBooking),
    *(NotAvailable, NotQualified),
)
async def sign_up(db: Db, session_id: UUID) -> UUID:
    """A volunteer signs himself up: accepted while there are places, then waitlisted in the order of arrival.

    Where the session asks for approval he waits for staff instead. Returns the attendance.
    """
    held = await locked_session(db, session_id)
    person = db.actor.person
    if person is None:
        raise Forbidden()
    earlier = await db.value(EARLIER, of=session_id, person=person)
    if earlier is not None:
        raise AlreadySignedUp(status=earlier, label=label(AttendanceStatus(earlier)))
    if not held["open_sign_up"] or not takes_sign_ups(held, db.now):
        raise SignUpClosed()
    await must_be_fit(db, held, person)
    if held["need_id"] is not None:
        await must_suit(db, held["need_id"], person, (held["starts_at"], held["ends_at"]))
    if await db.value(TAKEN, person=person, starts_at=held["starts_at"], ends_at=held["ends_at"]):
        raise OverlappingBooking()
    if held["needs_approval"]:
        status = AttendanceStatus.APPLIED
    elif held["accepted_count"] < held["capacity"]:
        status = AttendanceStatus.ACCEPTED
    else:
        status = AttendanceStatus.WAITLISTED
    carries = await db.one(A_COMMITMENT, of=session_id, serving=list(SERVING), going=list(GOING))
    await db.value(ARRIVE, of=session_id, more=int(status is AttendanceStatus.ACCEPTED))
    return await enter(
        db,
        held,
        person,
        status,
        position=held["arrivals"] + 1,
        commitment_id=carries["commitment_id"] if carries else None,
        organization_id=carries["organization_id"] if carries else None,
    )


@may(MAY["attendance.withdraw"])
@refuses(InvalidTransition, TooLateToWithdraw)
async def withdraw(db: Db, id: UUID, reason: str | None = None) -> UUID:
    """A volunteer steps back, before the session starts; the first of the waitlist moves up."""
    held, part = await locked_attendance(db, id)
    if part["volunteer_id"] != db.actor.person:
        raise NotFound(what="该参与记录")
    step(ATTENDANCE_STEPS, "withdraw", AttendanceStatus(part["status"]))
    if part["status"] == AttendanceStatus.ACCEPTED and db.now >= held["starts_at"]:
        raise TooLateToWithdraw(starts_at=held["starts_at"])
    late = part["status"] == AttendanceStatus.ACCEPTED and db.now > held["starts_at"] - LATE
    await move(db, part, "withdraw", reason=None if reason is None else clean(reason, "reason"), late=late)
    if part["status"] == AttendanceStatus.ACCEPTED:
        await db.value(UNBOOK, of=id)
        await reseat(db, held, 1)
    return id


@may(MAY["attendance.decide"])
@refuses(
    InvalidTransition,
    SessionFull,
    SignUpClosed,
    OverlappingBooking,
    VolunteerInactive,
    BelowMinimumAge,
    MinorAtNight,
    SecondPersonNeeded,
)
async def accept(db: Db, id: UUID) -> UUID:
    """The organizers give a place to somebody else who applied. Who is waitlisted moves up by himself, in order."""
    held, part = await locked_attendance(db, id)
    must_run(db.actor, part)
    if part["volunteer_id"] == db.actor.person:
        raise SecondPersonNeeded()
    step(ATTENDANCE_STEPS, "accept", AttendanceStatus(part["status"]))
    if not takes_sign_ups(held, db.now):
        raise SignUpClosed()
    if held["accepted_count"] >= held["capacity"]:
        raise SessionFull(capacity=held["capacity"])
    await must_be_fit(db, held, part["volunteer_id"])
    if not await seat(db, held, id, part["volunteer_id"], part["commitment_id"], part["organization_id"]):
        raise OverlappingBooking()
    await db.value(SEATS, of=held["id"], more=1)
    await move(db, part, "accept")
    return id


@may(MAY["attendance.decide"])
@refuses(InvalidTransition)
async def refuse(db: Db, id: UUID, reason: str) -> UUID:
    """The organizers do not take somebody who applied."""
    _, part = await locked_attendance(db, id)
    must_run(db.actor, part)
    await move(db, part, "refuse", reason=clean(reason, "reason"))
    return id


@may(MAY["attendance.decide"])
@refuses(InvalidTransition)
async def waitlist(db: Db, id: UUID) -> UUID:
    """The organizers put somebody who applied on the waitlist, at the place of his signing up."""
    held, part = await locked_attendance(db, id)
    must_run(db.actor, part)
    await move(db, part, "waitlist")
    await reseat(db, held, 0)
    return id
