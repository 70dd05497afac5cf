"""A session's course: edited, published, cancelled, ended, confirmed, locked; and how many were served."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.access import may
from models.activity import rules
from models.activity.actions.creating import keep_providers
from models.activity.actions.ledger import settle
from models.activity.actions.presence import sign_hash
from models.activity.actions.roster import (
    SEATS,
    WINDOW,
    Row,
    advance,
    attendance,
    booking,
    bound,
    each,
    locked_session,
    must_run,
    promote,
    session,
    too_young,
    volunteer,
)
from models.activity.problems import (
    BelowMinimumAge,
    CapacityBelowAccepted,
    MinorAtNight,
    SessionNotOver,
    SessionUnsettled,
)
from models.activity.rules import MAY, SESSION_STEPS, AttendanceStatus, ProposalStatus, SessionStatus, step
from models.activity.tables import ManualProposal, SessionCode
from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange.problems import OverlappingBooking
from models.exchange.states import CommitmentStatus
from models.exchange.tables import Commitment
from models.labels import label
from models.problems import InvalidInput, InvalidTransition, StaleVersion, refuses
from models.rules_text import clean

code, proposal, commitment = table(SessionCode), table(ManualProposal), table(Commitment)
A = AttendanceStatus
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Letters and digits that are not mistaken for one another."""
CODE_LENGTH = 8
TEXTS = {"title": (60, 2), "place": (100, 1)}
EDITED = (
    "title",
    "starts_at",
    "ends_at",
    "place",
    "latitude",
    "longitude",
    "radius_m",
    "capacity",
    "min_age",
    "needs_approval",
)
EDIT = Statement(
    sa.update(session)
    .where(session.c.id == bound("of"))
    .values({name: bound(name) for name in EDITED} | {"version": session.c.version + 1})
)
OF_SESSION = sa.select(attendance.c.id).where(attendance.c.session_id == bound("of"))
REBOOK = Statement(
    sa.update(booking)
    .where(
        sa.or_(
            booking.c.attendance_id.in_(OF_SESSION),
            sa.and_(
                booking.c.commitment_id.in_(
                    sa.select(attendance.c.commitment_id).where(
                        attendance.c.session_id == bound("of"),
                        attendance.c.status == AttendanceStatus.ACCEPTED.value,
                        attendance.c.volunteer_id == booking.c.person_id,
                    )
                ),
                booking.c.during
                == sa.func.tstzrange(bound("from_at", INSTANT), bound("to_at", INSTANT), type_=booking.c.during.type),
            ),
        )
    )
    .values(during=WINDOW)
)
RETIME = Statement(
    sa.update(attendance).where(attendance.c.session_id == bound("of")).values(starts_at=bound("starts_at"))
)
PARTS = Statement(
    sa.select(attendance)
    .where(attendance.c.session_id == bound("of"), attendance.c.status == sa.any_(bound("in", sa.ARRAY(sa.Text()))))
    .order_by(attendance.c.position)
    .with_for_update(key_share=True)
)
COMES_OF_AGE = Statement(
    sa.select(volunteer.c.adult_on)
    .join(attendance, attendance.c.volunteer_id == volunteer.c.person_id)
    .where(attendance.c.session_id == bound("of"), attendance.c.status == AttendanceStatus.ACCEPTED.value)
)
PUBLISH = Statement(
    sa.update(session)
    .where(session.c.id == bound("of"))
    .values(
        status=SessionStatus.PUBLISHED.value,
        published_at=bound("now", INSTANT),
        sign_code_hash=bound("hash"),
    )
)
SHOW_CODE = Statement(
    insert(code).values(
        session_id=bound("of"), code=bound("code"), organization_id=bound("organization"), area=bound("area")
    )
)
HIDE_CODE = Statement(sa.delete(code).where(code.c.session_id == bound("of")))
CANCEL = Statement(
    sa.update(session)
    .where(session.c.id == bound("of"))
    .values(status=SessionStatus.CANCELLED.value, cancelled_reason=bound("reason"), accepted_count=0)
)
UNBOOK_ALL = Statement(sa.delete(booking).where(booking.c.attendance_id.in_(OF_SESSION)))
UNBOOK_ABSENT = Statement(
    sa.delete(booking).where(
        booking.c.attendance_id.in_(OF_SESSION.where(attendance.c.status == AttendanceStatus.ABSENT.value))
    )
)
CALLED_OFF = Statement(
    sa.select(attendance)
    .join(commitment, commitment.c.id == attendance.c.commitment_id)
    .where(
        attendance.c.session_id == bound("of"),
        attendance.c.status == AttendanceStatus.ACCEPTED.value,
        commitment.c.status == CommitmentStatus.CANCELLED.value,
    )
)
WAITING = Statement(
    sa.select(sa.func.count()).where(
        proposal.c.session_id == bound("of"), proposal.c.status == ProposalStatus.PENDING.value
    )
)
HEADCOUNT = Statement(
    sa.update(session)
    .where(session.c.id == bound("of"))
    .values(headcount_registered=bound("registered"), headcount_unregistered=bound("unregistered"))
)


def _refuse(held: Row) -> InvalidTransition:
    return InvalidTransition(status=held["status"], label=label(SessionStatus(held["status"])))


@may(MAY["session.edit"])
@refuses(InvalidTransition, StaleVersion, CapacityBelowAccepted, OverlappingBooking, BelowMinimumAge, MinorAtNight)
async def edit_session(db: Db, id: UUID, version: int, changes: dict[str, Any]) -> UUID:
    """The organizers change a session. `changes`: columns of EDITED and their new values.

    More places go to the waitlist at once; a new time moves the bookings of all who have a place, and neither it nor a
    higher age may leave somebody with a place too young (I10). When the session runs, only its capacity may still change.
    """
    held = await locked_session(db, id)
    must_run(db.actor, held)
    if held["version"] != version:
        raise StaleVersion(current=held["version"])
    if held["status"] not in rules.EDITABLE or (
        held["status"] == SessionStatus.RUNNING and changes.keys() - {"capacity"}
    ):
        raise _refuse(held)
    after = _changed(held, changes, db.now)
    if after["capacity"] < held["accepted_count"]:
        raise CapacityBelowAccepted(accepted=held["accepted_count"])
    if changes.keys() & {"starts_at", "ends_at", "min_age"}:
        await _must_stay_fit(db, held, after)
    await db.value(EDIT, of=id, **{name: after[name] for name in EDITED})
    times = {"starts_at": after["starts_at"], "ends_at": after["ends_at"]}
    if times != {name: held[name] for name in times}:
        await _retime(db, held, times)
    given = await promote(db, after, after["capacity"] - held["accepted_count"])
    if given:
        await db.value(SEATS, of=id, more=given)
    db.tell("session.edited", id, area=held["area"], changed=sorted(changes))
    return id


async def _must_stay_fit(db: Db, held: Row, after: Row) -> None:
    """Raises BelowMinimumAge or MinorAtNight where the change would leave somebody with a place too young."""
    for row in await db.all(COMES_OF_AGE, of=held["id"]):
        young = too_young(after, row["adult_on"])
        if young is not None and type(young) is not type(too_young(held, row["adult_on"])):
            raise young


def _changed(held: Row, changes: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The session as it will be. Raises InvalidInput."""
    after = {**held, **changes}
    for name, (most, least) in TEXTS.items():
        after[name] = clean(after[name], name, most=most, least=least)
    if changes.keys() & {"starts_at", "ends_at"}:
        rules.window(after["starts_at"], after["ends_at"], now)
    rules.position(after["latitude"], after["longitude"])
    rules.bounded(after["radius_m"], "radiusM", 20, 5000)
    rules.bounded(after["min_age"], "minAge", 0, 120)
    rules.capacity(after["capacity"])
    return after


async def _retime(db: Db, held: Row, times: dict[str, datetime]) -> None:
    try:
        await db.value(REBOOK, of=held["id"], from_at=held["starts_at"], to_at=held["ends_at"], **times)
    except asyncpg.ExclusionViolationError:
        raise OverlappingBooking() from None
    await db.value(RETIME, of=held["id"], starts_at=times["starts_at"])
    await keep_providers(db, held["id"])


@may(MAY["session.publish"])
@refuses(InvalidTransition)
async def publish_session(db: Db, id: UUID) -> UUID:
    """The organizers announce a session. Its sign code is made now, shown to them alone, until the session ends."""
    held = await locked_session(db, id)
    must_run(db.actor, held)
    step(SESSION_STEPS, "publish", SessionStatus(held["status"]))
    if held["ends_at"] <= db.now:
        raise InvalidInput(field="endsAt", reason="场次时间已经过去，不能发布。")
    made = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    await db.value(PUBLISH, of=id, hash=sign_hash(id, made))
    await db.value(SHOW_CODE, of=id, code=made, organization=held["organization_id"], area=held["area"])
    db.tell("session.published", id, area=held["area"])
    return id


@may(MAY["session.cancel"])
@refuses(InvalidTransition)
async def cancel_session(db: Db, id: UUID, reason: str) -> UUID:
    """The organizers call a session off before anybody has checked in. Everybody's time is free again.

    Who had a place is EXCUSED, who had applied is WITHDRAWN, who waited LAPSED. Commitments stand, and may be served
    by another session.
    """
    why = clean(reason, "reason")
    held = await locked_session(db, id)
    must_run(db.actor, held)
    step(SESSION_STEPS, "cancel", SessionStatus(held["status"]))
    for status, name in ((A.ACCEPTED, "excuse"), (A.APPLIED, "withdraw"), (A.WAITLISTED, "lapse")):
        await each(db, await db.all(PARTS, of=id, **{"in": [status]}), name, reason=why)
    await db.value(UNBOOK_ALL, of=id)
    await db.value(HIDE_CODE, of=id)
    await db.value(CANCEL, of=id, reason=why)
    await keep_providers(db, id)
    db.tell("session.cancelled", id, area=held["area"])
    return id


@may(MAY["session.end"])
@refuses(InvalidTransition, SessionNotOver)
async def end_session(db: Db, id: UUID) -> UUID:
    """The organizers end a session: who still waits has LAPSED, who still applied is REFUSED; the code is gone.

    A session that runs may end early; one that nobody has come to ends when its time is over.
    """
    held = await locked_session(db, id)
    must_run(db.actor, held)
    status = SessionStatus(held["status"])
    if status is SessionStatus.PUBLISHED:
        if db.now < held["ends_at"]:
            raise SessionNotOver(ends_at=held["ends_at"])
        status = step(SESSION_STEPS, "start", status)
    to = step(SESSION_STEPS, "end", status)
    await each(db, await db.all(PARTS, of=id, **{"in": [A.WAITLISTED]}), "lapse")
    await each(db, await db.all(PARTS, of=id, **{"in": [A.APPLIED]}), "refuse", reason="场次已结束")
    await db.value(HIDE_CODE, of=id)
    await advance(db, held, to)
    return id


@may(MAY["session.confirm"])
@refuses(InvalidTransition, SessionNotOver, SessionUnsettled)
async def confirm_session(db: Db, id: UUID) -> UUID:
    """The organizers stand by the roster: who had a place and neither came nor was excused is ABSENT,
    save where his commitment was called off: then he is EXCUSED.

    Commitments of which no more is to come are delivered now, as far as they were served.

    Refused while somebody has not checked out, or a proposal of hours waits.
    """
    held = await locked_session(db, id)
    must_run(db.actor, held)
    to = step(SESSION_STEPS, "confirm", SessionStatus(held["status"]))
    if db.now < held["ends_at"]:
        raise SessionNotOver(ends_at=held["ends_at"])
    inside = await db.all(PARTS, of=id, **{"in": [A.CHECKED_IN, A.CHECKED_OUT]})
    pending: int = await db.value(WAITING, of=id)
    if inside or pending:
        raise SessionUnsettled(checked_in=len(inside), pending=pending)
    off = await db.all(CALLED_OFF, of=id)
    await each(db, off, "excuse", reason="对接已取消")
    await db.value(SEATS, of=id, more=-len(off))
    await each(db, await db.all(PARTS, of=id, **{"in": [A.ACCEPTED]}), "mark_absent")
    await db.value(UNBOOK_ABSENT, of=id)
    await advance(db, held, to)
    await settle(db, id)
    return id


@may(MAY["session.lock"])
@refuses(InvalidTransition)
async def lock_session(db: Db, id: UUID) -> UUID:
    """Staff close a session with its period: nothing of it changes any more; corrections are booked later (I24)."""
    held = await locked_session(db, id)
    must_run(db.actor, held)
    await advance(db, held, step(SESSION_STEPS, "lock", SessionStatus(held["status"])))
    return id


@may(MAY["session.record_headcount"])
@refuses(InvalidTransition)
async def record_headcount(db: Db, id: UUID, registered: int, unregistered: int) -> UUID:
    """The organizers record how many were served: known beneficiaries, each once, and walk-ins."""
    rules.bounded(registered, "registered", 0, 100_000)
    rules.bounded(unregistered, "unregistered", 0, 100_000)
    held = await locked_session(db, id)
    must_run(db.actor, held)
    if held["status"] not in rules.COUNTED:
        raise _refuse(held)
    await db.value(HEADCOUNT, of=id, registered=registered, unregistered=unregistered)
    db.tell("session.counted", id, area=held["area"])
    return id
