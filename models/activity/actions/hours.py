"""Mending hours: a forgotten check-out by two people, and the correction of a credit."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from models.access import may, seen
from models.activity.actions.ledger import credit, deliver, entry, reverse, room, start
from models.activity.actions.roster import Row, bound, locked_attendance, must_run
from models.activity.problems import (
    CreditNotLive,
    MinutesOverLimit,
    MoreThanCredited,
    ProposalPending,
    SecondPersonNeeded,
    SessionNotOver,
)
from models.activity.rules import (
    ATTENDANCE_STEPS,
    DAY_CAP_MINUTES,
    MAY,
    PROPOSAL_STEPS,
    UNSETTLED,
    AttendanceStatus,
    HourKind,
    HourTrust,
    ProposalStatus,
    SessionStatus,
    bounded,
    length_minutes,
    step,
)
from models.activity.tables import ManualProposal
from models.base import table
from models.database import Db, Seen, Statement
from models.exchange.actions.serving import must_be_able
from models.exchange.problems import NotQualified
from models.labels import label
from models.people.actions.interests import no_conflict
from models.people.problems import ConflictOfInterest
from models.problems import Forbidden, InvalidTransition, NotFound, refuses
from models.rules_text import clean

proposal = table(ManualProposal)
PENDING = Statement(
    sa.select(
        sa.exists().where(proposal.c.attendance_id == bound("of"), proposal.c.status == ProposalStatus.PENDING.value)
    )
)
COLUMNS = (
    "attendance_id",
    "session_id",
    "volunteer_id",
    "minutes",
    "reason",
    "evidence",
    "proposed_by",
    "organization_id",
    "area",
)
PROPOSE = Statement(
    sa.insert(proposal)
    .values({name: bound(name) for name in COLUMNS} | {"proposed_at": bound("now")})
    .returning(proposal.c.id)
)
PROPOSAL = Seen(
    lambda viewer: sa.select(proposal).where(proposal.c.id == bound("id"), *seen(proposal, "manual_proposal", viewer))
)
LOCK_PROPOSAL = Statement(sa.select(proposal).where(proposal.c.id == bound("id")).with_for_update())
DECIDE = Statement(
    sa.update(proposal)
    .where(proposal.c.id == bound("of"))
    .values(status=bound("status"), decided_by=bound("by"), decided_at=bound("now"), note=bound("note"))
)
ENTRY = Seen(lambda viewer: sa.select(entry).where(entry.c.id == bound("id"), *seen(entry, "hour_entry", viewer)))
LATEST = Statement(
    sa.select(entry)
    .where(entry.c.attendance_id == bound("of"))
    .order_by(entry.c.revision.desc(), entry.c.kind.desc())
    .limit(1)
)


async def _within_limit(db: Db, held: Row, part: Row, minutes: int) -> None:
    """Raises MinutesOverLimit above the session's length, or above what the day's cap leaves."""
    bounded(minutes, "minutes", 0, DAY_CAP_MINUTES)
    most = max(0, min(length_minutes(held["starts_at"], held["ends_at"]), await room(db, held, part["volunteer_id"])))
    if minutes > most:
        raise MinutesOverLimit(most=most)


@may(MAY["hours.propose"])
@refuses(InvalidTransition, SessionNotOver, MinutesOverLimit, ProposalPending, SecondPersonNeeded, ConflictOfInterest)
async def propose_hours(db: Db, attendance_id: UUID, minutes: int, reason: str, evidence: str) -> UUID:
    """The organizers propose hours for somebody with a place who forgot to check in or out, or whose credit was
    reversed. Returns the proposal.

    `minutes`: whole minutes, at most the session's length; `evidence`: what shows that he was there (I9).
    """
    held, part = await locked_attendance(db, attendance_id)
    must_run(db.actor, part)
    status = SessionStatus(held["status"])
    if status not in UNSETTLED and part["status"] != AttendanceStatus.REVERSED:
        raise InvalidTransition(status=status.value, label=label(status))
    step(ATTENDANCE_STEPS, "credit_manually", AttendanceStatus(part["status"]))
    if db.now < held["ends_at"]:
        raise SessionNotOver(ends_at=held["ends_at"])
    if part["volunteer_id"] == db.actor.person:
        raise SecondPersonNeeded()
    await no_conflict(db, concerns=[part["volunteer_id"]])
    if await db.value(PENDING, of=attendance_id):
        raise ProposalPending()
    await _within_limit(db, held, part, minutes)
    id: UUID = await db.value(
        PROPOSE,
        attendance_id=attendance_id,
        session_id=held["id"],
        volunteer_id=part["volunteer_id"],
        minutes=minutes,
        reason=clean(reason, "reason"),
        evidence=clean(evidence, "evidence", most=2000, lines=True),
        proposed_by=db.actor.person,
        organization_id=part["organization_id"],
        area=part["area"],
    )
    db.tell("hours.proposed", id, area=part["area"])
    return id


async def _decided(db: Db, id: UUID, name: str, note: str | None) -> tuple[Row, Row, Row]:
    """Writes the decision on a proposal. Returns its session, attendance and the proposal.

    Raises NotFound, Forbidden outside his area, InvalidTransition, and SecondPersonNeeded for whoever proposed it or
    would be credited, ConflictOfInterest for whoever is close to the one who would.
    """
    found = await db.one(PROPOSAL, id=id)
    if found is None:
        raise NotFound(what="该补录申请")
    held, part = await locked_attendance(db, found["attendance_id"])
    found = await db.one(LOCK_PROPOSAL, id=id)
    assert found is not None
    if not db.actor.covers(part["area"]):
        raise Forbidden()
    to = step(PROPOSAL_STEPS, name, ProposalStatus(found["status"]))
    if db.actor.person in (found["proposed_by"], found["volunteer_id"]):
        raise SecondPersonNeeded()
    await no_conflict(db, concerns=[found["volunteer_id"]])
    await db.value(
        DECIDE, of=id, status=to, by=db.actor.person, note=None if note is None else clean(note, "note", least=0)
    )
    db.tell(f"hours.{to.value.lower()}", id, area=part["area"])
    return held, part, found


@may(MAY["hours.decide"])
@refuses(InvalidTransition, SecondPersonNeeded, ConflictOfInterest, MinutesOverLimit, NotQualified)
async def approve_hours(db: Db, id: UUID, note: str | None = None) -> UUID:
    """A second person approves proposed hours: credited with trust MANUAL, once. Returns the proposal.

    Who did not check in is asked now what a check-in asks: whether he was able to serve the need on that day (I11).
    """
    held, part, found = await _decided(db, id, "approve", note)
    step(ATTENDANCE_STEPS, "credit_manually", AttendanceStatus(part["status"]))
    await _within_limit(db, held, part, found["minutes"])
    before = await db.one(LATEST, of=part["id"]) if part["status"] == AttendanceStatus.REVERSED else None
    if part["status"] == AttendanceStatus.ACCEPTED and held["need_id"] is not None:
        await must_be_able(db, held["need_id"], part["volunteer_id"], (held["starts_at"], held["ends_at"]))
    if before is None:
        await start(db, part)
    await credit(
        db,
        held,
        part,
        found["minutes"],
        HourTrust.MANUAL,
        revision=before["revision"] + 1 if before else 1,
        follows=before["id"] if before else None,
        approved_by=db.actor.person,
        reason=found["reason"],
    )
    if before is None:
        await deliver(db, part["commitment_id"])
    return id


@may(MAY["hours.decide"])
@refuses(InvalidTransition, SecondPersonNeeded, ConflictOfInterest)
async def reject_hours(db: Db, id: UUID, note: str) -> UUID:
    """A second person rejects proposed hours, saying why. Returns the proposal."""
    await _decided(db, id, "reject", clean(note, "note"))
    return id


async def _correcting(db: Db, attendance_id: UUID) -> tuple[Row, Row, UUID]:
    """The session and attendance whose hours the actor may correct, and who he is. Raises NotFound, Forbidden."""
    held, part = await locked_attendance(db, attendance_id)
    person = db.actor.person
    if person is None or not db.actor.covers(part["area"]):
        raise Forbidden()
    if person == part["volunteer_id"]:
        raise SecondPersonNeeded()
    await no_conflict(db, concerns=[part["volunteer_id"]])
    return held, part, person


async def _credit_again(db: Db, held: Row, part: Row, minutes: int, reason: str, before: Row, by: UUID) -> None:
    """Credits in the place of a reversal, no more than it took back. Raises MinutesOverLimit, MoreThanCredited."""
    if minutes > -before["minutes"]:
        raise MoreThanCredited(credited=-before["minutes"])
    await _within_limit(db, held, part, minutes)
    await credit(
        db,
        held,
        part,
        minutes,
        HourTrust.CONFIRMED,
        revision=before["revision"] + 1,
        follows=before["id"],
        approved_by=by,
        reason=reason,
    )


@may(MAY["hours.reverse"])
@refuses(CreditNotLive, MinutesOverLimit, MoreThanCredited, SecondPersonNeeded, ConflictOfInterest)
async def reverse_hours(db: Db, entry_id: UUID, reason: str, minutes: int | None = None) -> UUID:
    """Staff take a credit back, whole; with `minutes`, a lower credit stands in its place. Returns the attendance.

    The entries of a locked session's correction belong to the day on which they are made (I24).
    """
    why = clean(reason, "reason")
    found = await db.one(ENTRY, id=entry_id)
    if found is None:
        raise NotFound(what="该时长分录")
    held, part, by = await _correcting(db, found["attendance_id"])
    latest = await db.one(LATEST, of=part["id"])
    if latest is None or latest["id"] != entry_id or latest["kind"] != HourKind.CREDIT:
        raise CreditNotLive()
    step(ATTENDANCE_STEPS, "reverse", AttendanceStatus(part["status"]))
    id = await reverse(db, held, part, latest, by, why)
    if minutes is not None:
        taken = {"id": id, "revision": latest["revision"], "minutes": -latest["minutes"]}
        await _credit_again(db, held, part, minutes, why, taken, by)
    return part["id"]  # type: ignore[no-any-return]


@may(MAY["hours.reverse"])
@refuses(InvalidTransition, MinutesOverLimit, MoreThanCredited, SecondPersonNeeded, ConflictOfInterest)
async def credit_again(db: Db, attendance_id: UUID, minutes: int, reason: str) -> UUID:
    """Staff credit an attendance whose credit was reversed and none put in its place, at most as much. Returns it."""
    held, part, by = await _correcting(db, attendance_id)
    step(ATTENDANCE_STEPS, "credit_again", AttendanceStatus(part["status"]))
    latest = await db.one(LATEST, of=attendance_id)
    assert latest is not None and latest["kind"] == HourKind.REVERSAL
    await _credit_again(db, held, part, minutes, clean(reason, "reason"), latest, by)
    return attendance_id
