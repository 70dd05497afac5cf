"""Who came: check-in, and check-out, which credits the hours; who did not; and how it went."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

import sqlalchemy as sa

from models.access import may
from models.activity.actions.ledger import credit, deliver, room, start
from models.activity.actions.roster import (
    UNBOOK,
    Row,
    advance,
    attendance,
    bound,
    locked_attendance,
    move,
    must_run,
    reseat,
    runs,
)
from models.activity.problems import (
    CheckInClosed,
    CheckOutClosed,
    CodeNeeded,
    SecondPersonNeeded,
    TooFarAway,
    WrongSignCode,
)
from models.activity.rules import (
    ATTENDANCE_STEPS,
    MAY,
    SESSION_STEPS,
    STEWARDS,
    AttendanceStatus,
    CheckMethod,
    HourTrust,
    SessionStatus,
    bounded,
    check_in_opens,
    check_out_closes,
    credited_minutes,
    distance_m,
    step,
)
from models.activity.rules import (
    position as placed,
)
from models.base import INSTANT, table
from models.clock import day
from models.database import Db, Statement
from models.exchange.actions.serving import must_be_able
from models.exchange.problems import NotQualified
from models.exchange.visible import is_any
from models.labels import label
from models.people.actions.interests import no_conflict
from models.people.holding import holds
from models.people.organizations import Membership
from models.people.problems import ConflictOfInterest
from models.problems import Forbidden, InvalidTransition, refuses
from models.rules_text import clean

membership = table(Membership)
CAME = Statement(
    sa.update(attendance)
    .where(attendance.c.id == bound("of"))
    .values(check_in_at=bound("now", INSTANT), check_in_method=bound("method"), check_in_by=bound("by"))
)
LEFT = Statement(
    sa.update(attendance)
    .where(attendance.c.id == bound("of"))
    .values(check_out_at=bound("now", INSTANT), check_out_method=bound("method"))
)
RATE = Statement(sa.update(attendance).where(attendance.c.id == bound("of")).values(rating=bound("rating")))


def sign_hash(of: UUID, code: str) -> str:
    """What is stored of a session's sign code."""
    return hashlib.sha256(of.bytes + code.encode()).hexdigest()


INSIDER = Statement(
    sa.select(
        sa.exists().where(
            membership.c.person_id == bound("person", sa.Uuid()),
            holds(membership.c),
            sa.or_(
                membership.c.organization_id == bound("organization", sa.Uuid()),
                sa.and_(
                    is_any(membership.c.role, tuple(STEWARDS)),
                    sa.func.starts_with(bound("area", sa.Text()), membership.c.area),
                ),
            ),
        )
    )
)
"""Whether somebody may read a session's code in another capacity: staff of its organization, or of its area."""


async def proof(db: Db, held: Row, part: Row, code: str | None, at: tuple[float, float] | None) -> CheckMethod:
    """How a check-in or check-out is proven: for others the organizers' word; for oneself the code, or one's position.

    Raises Forbidden, WrongSignCode, TooFarAway, and ConflictOfInterest where an organizer marks somebody close to him.
    """
    if part["volunteer_id"] != db.actor.person:
        must_run(db.actor, part)
        if db.actor.person is None:
            raise Forbidden()
        await no_conflict(db, concerns=[part["volunteer_id"]])
        return CheckMethod.ROSTER
    if code is not None or at is None or held["latitude"] is None:
        given = sign_hash(held["id"], (code or "").strip().upper())
        if held["sign_code_hash"] is None or not hmac.compare_digest(given, held["sign_code_hash"]):
            raise WrongSignCode()
        return CheckMethod.CODE
    away = distance_m(held["latitude"], held["longitude"], *at)
    if away > held["radius_m"]:
        raise TooFarAway(distance_m=round(away), radius_m=held["radius_m"])
    return CheckMethod.GEO


@may(MAY["attendance.check"])
@refuses(InvalidTransition, CheckInClosed, WrongSignCode, TooFarAway, ConflictOfInterest, NotQualified)
async def check_in(
    db: Db, id: UUID, code: str | None = None, latitude: float | None = None, longitude: float | None = None
) -> UUID:
    """A volunteer is there. The first one starts the session, and the service of the commitment that he carries out.

    Whose paper was revoked since, or has ended, serves nobody who needs one (I11).
    """
    at = placed(latitude, longitude)
    held, part = await locked_attendance(db, id)
    method = await proof(db, held, part, code, at)
    step(ATTENDANCE_STEPS, "check_in", AttendanceStatus(part["status"]))
    status = SessionStatus(held["status"])
    if status is not SessionStatus.RUNNING:
        status = step(SESSION_STEPS, "start", status)
    opens = check_in_opens(held["starts_at"])
    if not opens <= db.now < held["ends_at"]:
        raise CheckInClosed(opens_at=opens, closes_at=held["ends_at"])
    if held["need_id"] is not None:
        await must_be_able(db, held["need_id"], part["volunteer_id"], (held["starts_at"], held["ends_at"]))
    if status != held["status"]:
        await advance(db, held, status)
    await db.value(CAME, of=id, method=method, by=db.actor.person if method is CheckMethod.ROSTER else None)
    await move(db, part, "check_in")
    await start(db, part)
    return id


@may(MAY["attendance.check"])
@refuses(
    InvalidTransition,
    CheckOutClosed,
    WrongSignCode,
    TooFarAway,
    CodeNeeded,
    SecondPersonNeeded,
    ConflictOfInterest,
)
async def check_out(
    db: Db, id: UUID, code: str | None = None, latitude: float | None = None, longitude: float | None = None
) -> UUID:
    """A volunteer leaves: his minutes are credited at once, and what his commitment promised is delivered.

    Credited are the whole minutes of his presence inside the session's time, at most 12 hours a day (I8). Where either
    mark is another's word, that person answers for the credit, and its trust is CONFIRMED. Who organizes the session, or
    is staff of its organization or area in any capacity, may know its code: another has to mark him at least once. A
    position is the phone's own word, and proves nothing without a code or an organizer's word beside it.
    """
    at = placed(latitude, longitude)
    held, part = await locked_attendance(db, id)
    method = await proof(db, held, part, code, at)
    step(ATTENDANCE_STEPS, "check_out", AttendanceStatus(part["status"]))
    if held["status"] not in (SessionStatus.RUNNING, SessionStatus.ENDED):
        raise InvalidTransition(status=held["status"], label=label(SessionStatus(held["status"])))
    by = await _answers(db, held, part, method)
    closes = check_out_closes(held["ends_at"])
    if db.now > closes:
        raise CheckOutClosed(closed_at=closes)
    await db.value(LEFT, of=id, method=method)
    await move(db, part, "check_out")
    left = await room(db, held, part["volunteer_id"])
    minutes = credited_minutes(part["check_in_at"], db.now, held["starts_at"], held["ends_at"], most=left)
    if by is None:
        await credit(db, held, part, minutes, HourTrust.SYSTEM)
    else:
        word = label(CheckMethod.ROSTER)
        await credit(db, held, part, minutes, HourTrust.CONFIRMED, approved_by=by, reason=word)
    await deliver(db, part["commitment_id"])
    return id


async def _answers(db: Db, held: Row, part: Row, left: CheckMethod) -> UUID | None:
    """Who answers for a credit: whoever marked the check-out from the roster, or else the check-in; None where nobody
    had to. Raises SecondPersonNeeded for an organizer whom nobody else has marked, CodeNeeded for positions alone."""
    if left is CheckMethod.ROSTER:
        return db.actor.person
    if part["check_in_by"] is not None:
        by: UUID = part["check_in_by"]
        return by
    unsigned = part["check_in_method"] == CheckMethod.ROSTER
    if unsigned or held["created_by"] == part["volunteer_id"] or runs(db.actor, part):
        raise SecondPersonNeeded()
    within = {"organization": held["organization_id"], "area": held["area"], "today": day(held["starts_at"])}
    if await db.value(INSIDER, person=part["volunteer_id"], **within):
        raise SecondPersonNeeded()
    if left is CheckMethod.GEO and part["check_in_method"] == CheckMethod.GEO:
        raise CodeNeeded()
    return None


@may(MAY["attendance.mark"])
@refuses(InvalidTransition)
async def mark_absent(db: Db, id: UUID) -> UUID:
    """The organizers record that somebody with a place did not come."""
    held, part = await locked_attendance(db, id)
    must_run(db.actor, part)
    if db.now < held["starts_at"]:
        raise InvalidTransition(status=held["status"], label=label(SessionStatus(held["status"])))
    await move(db, part, "mark_absent")
    await db.value(UNBOOK, of=id)
    return id


@may(MAY["attendance.mark"])
@refuses(InvalidTransition)
async def excuse(db: Db, id: UUID, reason: str) -> UUID:
    """The organizers release somebody from his place; the first of the waitlist moves up."""
    held, part = await locked_attendance(db, id)
    must_run(db.actor, part)
    await move(db, part, "excuse", reason=clean(reason, "reason"))
    await db.value(UNBOOK, of=id)
    await reseat(db, held, 1)
    return id


@may(MAY["attendance.rate"])
@refuses(InvalidTransition, SecondPersonNeeded, ConflictOfInterest)
async def rate(db: Db, id: UUID, rating: int) -> UUID:
    """The organizers evaluate a volunteer's service, 1 to 5, not their own (条例 art. 19 asks for a record of it)."""
    held, part = await locked_attendance(db, id)
    must_run(db.actor, part)
    if part["volunteer_id"] == db.actor.person:
        raise SecondPersonNeeded()
    await no_conflict(db, concerns=[part["volunteer_id"]])
    bounded(rating, "rating", 1, 5)
    if part["status"] != AttendanceStatus.CONFIRMED:
        raise InvalidTransition(status=part["status"], label=label(AttendanceStatus(part["status"])))
    if held["status"] == SessionStatus.LOCKED:
        raise InvalidTransition(status=held["status"], label=label(SessionStatus.LOCKED))
    await db.value(RATE, of=id, rating=rating)
    db.tell("attendance.rated", id, area=part["area"])
    return id
