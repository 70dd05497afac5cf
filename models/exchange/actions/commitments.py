"""Verbs that move a commitment on: both sides agree, the community confirms, it is served, and judged.

Leaving the states that hold returns the quantity to need and offer in the same transaction; a need is DELIVERED when
all that it wants was, and CLOSED when all of that is completed. A volunteer's time is booked from the moment on which
both sides have agreed until the commitment ends.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSTZRANGE, insert

from models.access import Role, may, require
from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange import rules
from models.exchange.actions.claims import named_volunteer, social_worker_exists
from models.exchange.actions.ground import (
    Row,
    bound,
    commitment,
    count,
    give_back,
    locked_commitment,
    move_need,
    sides,
    standing,
    write_commitment,
)
from models.exchange.actions.serving import must_suit
from models.exchange.kinds import Kind, Origin, Side, SubmittedVia
from models.exchange.problems import (
    EvidenceMissing,
    NotQualified,
    NotYourTurn,
    OverlappingBooking,
    OwnNeed,
    TooEarly,
    VolunteerInactive,
)
from models.exchange.states import COMMITMENT_STEPS, CommitmentStatus, NeedStatus
from models.exchange.tables import Booking
from models.exchange.visible import is_any
from models.people.actions import end_contact_grants, grant_contact, take_volunteer
from models.people.actions.interests import no_conflict
from models.people.problems import ConflictOfInterest, NotAvailable
from models.people.reliability import reckon_reliability
from models.people.tables import ContactGrant, Resident, SocialWorker
from models.problems import Forbidden, InvalidInput, InvalidTransition, refuses

booking, resident, worker, grant = table(Booking), table(Resident), table(SocialWorker), table(ContactGrant)
C = CommitmentStatus
BEGUN = (C.IN_SERVICE, C.DELIVERED, C.DISPUTED, C.COMPLETED)

BOOK = Statement(
    insert(booking).values(
        person_id=bound("person", sa.Uuid()),
        during=sa.func.tstzrange(bound("slot_from", INSTANT), bound("slot_to", INSTANT), type_=TSTZRANGE()),
        commitment_id=bound("commitment", sa.Uuid()),
        created_at=bound("now", INSTANT),
    )
)
UNBOOK = Statement(sa.delete(booking).where(booking.c.commitment_id == bound("commitment", sa.Uuid())))
PERSON_OF_WORKER = Statement(sa.select(worker.c.person_id).where(worker.c.id == bound("id")))
PERSON_OF = Statement(sa.select(resident.c.person_id).where(resident.c.id == bound("id")))
STANDS = is_any(commitment.c.status, (C.CONFIRMED, *BEGUN))
KEEP_OPEN = Statement(
    sa.update(commitment)
    .where(commitment.c.id == bound("of", sa.Uuid()), STANDS)
    .values(open_until=bound("until", INSTANT))
)
KEEP_GRANTS = Statement(
    sa.update(grant)
    .where(
        grant.c.source_id == bound("of", sa.Uuid()),
        sa.exists().where(commitment.c.id == grant.c.source_id, STANDS),
    )
    .values(until=sa.func.greatest(grant.c.since, bound("until", INSTANT)))
)
EVIDENT = Statement(sa.select(sa.func.item_evident(bound("need", sa.Uuid()), type_=sa.Boolean())))
UNJUDGED = Statement(
    sa.select(
        sa.exists().where(
            commitment.c.need_id == bound("need", sa.Uuid()), is_any(commitment.c.status, (C.DELIVERED, C.DISPUTED))
        )
    )
)


async def _step(db: Db, id: UUID, name: str) -> tuple[Row, Row, CommitmentStatus]:
    """Locks a commitment and its need, and finds where a step leads.

    Raises Forbidden, NotFound, InvalidTransition, and ConflictOfInterest for staff who are close to either side.
    """
    row, asked = await locked_commitment(db, id)
    if name in rules.BY_OTHERS and Side.PROVIDER in sides(db.actor, row):
        raise Forbidden()
    if name in rules.UNRELATED and Side.STAFF in sides(db.actor, row):
        concerns = [row["volunteer_person_id"], row["subject_id"]]
        await no_conflict(db, concerns=concerns, organizations=[row["organization_id"]])
    return row, asked, rules.step(COMMITMENT_STEPS, name, standing(row, db))


@may(rules.MAY["commitment.accept"])
@refuses(
    *(InvalidTransition, NotYourTurn, OverlappingBooking, VolunteerInactive, OwnNeed, NotAvailable, NotQualified),
    ConflictOfInterest,
)
async def accept_commitment(db: Db, commitment: UUID, *, volunteer: UUID | None = None) -> UUID:
    """Says yes, for the side that did not make the first move; an organization may name who of its own will serve.

    Who serves must still be able to. Books his time; from now on the organization's staff sees his name.
    """
    row, _, status = await _step(db, commitment, "accept")
    if not sides(db.actor, row) & rules.ANSWERS[Origin(row["origin"])]:
        raise NotYourTurn()
    serving = row["volunteer_person_id"]
    if volunteer is not None:
        if db.actor.role is not Role.NGO_STAFF:
            raise Forbidden()
        serving = await named_volunteer(db, volunteer)
    if serving is not None:
        await must_suit(
            db,
            row["need_id"],
            serving,
            (row["slot_from"], row["slot_to"]),
            proposed=row["origin"] == Origin.PROPOSAL,
            party=row["party_unit_id"] is not None,
        )
    await write_commitment(db, row, status, accepted_at=db.now, volunteer_person_id=serving)
    if serving is not None:
        await book(db, row, serving)
        if row["organization_id"] is not None:
            await take_volunteer(db, row["organization_id"], serving)
    return commitment


@may(rules.MAY["commitment.decline"])
@refuses(InvalidTransition)
async def decline_commitment(db: Db, commitment: UUID, *, reason: str | None = None) -> UUID:
    """Says no before both sides have said yes; also for who made the first move, and takes it back."""
    row, asked, status = await _step(db, commitment, "decline")
    await end(db, row, asked, status, reason=rules.note(reason, "reason"))
    return commitment


@may(rules.MAY["commitment.confirm"])
@refuses(InvalidTransition, ConflictOfInterest)
async def confirm_commitment(db: Db, commitment: UUID, *, social_worker: UUID | None = None) -> UUID:
    """The community confirms what both sides have agreed, and may say which social worker accompanies it.

    The provider may read the need's particulars and ask for the beneficiary's contact from now on, until 24 h after the
    service; so may the social worker ask for the contact.
    """
    row, asked, status = await _step(db, commitment, "confirm")
    await social_worker_exists(db, social_worker)
    accompanied = social_worker or row["social_worker_id"]
    until = (row["slot_to"] or asked["window_to"] or asked["due_at"]) + rules.GRANT_AFTER
    by = {"confirmed_at": db.now, "confirmed_by": db.actor.person}
    await write_commitment(db, row, status, **by, open_until=until, social_worker_id=accompanied)
    subject = await whose_contact(db, asked)
    if subject is not None:
        if accompanied is not None:
            accompanies = await db.value(PERSON_OF_WORKER, id=accompanied)
            await grant_contact(db, subject, commitment, to_person=accompanies, until=until, for_staff=True)
        if row["organization_id"] is not None:
            await grant_contact(db, subject, commitment, to_organization=row["organization_id"], until=until)
        if row["volunteer_person_id"] is not None:
            await grant_contact(db, subject, commitment, to_person=row["volunteer_person_id"], until=until)
    return commitment


@may(rules.MAY["commitment.cancel"])
@refuses(InvalidTransition)
async def cancel_commitment(db: Db, commitment: UUID, reason: str) -> UUID:
    """Calls off what was agreed, with a reason; the quantity is wanted again."""
    why = rules.reason(reason)
    row, asked, status = await _step(db, commitment, "cancel")
    by = Side.PROVIDER if Side.PROVIDER in sides(db.actor, row) else rules.SIDES[db.actor.role]
    await end(db, row, asked, status, reason=why, cancelled_by=by, late=rules.late(row["slot_from"], db.now))
    return commitment


@may(rules.MAY["commitment.no_show"])
@refuses(InvalidTransition, TooEarly)
async def mark_no_show(db: Db, commitment: UUID) -> UUID:
    """Records that the provider did not come to what was confirmed. Not before the agreed time has begun."""
    row, asked, status = await _step(db, commitment, "no_show")
    if row["slot_from"] is not None and db.now < row["slot_from"]:
        raise TooEarly()
    await end(db, row, asked, status)
    return commitment


@may(rules.MAY["commitment.complete"])
@refuses(InvalidTransition, ConflictOfInterest, EvidenceMissing)
async def complete_commitment(
    db: Db, commitment: UUID, *, rating: int | None = None, comment: str | None = None
) -> UUID:
    """The beneficiary, or staff for him, says that it was done, with 1 to 5 stars if he likes.

    When nothing of the need is open any more, it closes by itself.
    """
    stars, words = rules.rating(rating), rules.note(comment, "comment")
    row, asked, status = await _step(db, commitment, "complete")
    await complete(db, row, status, rating=stars, comment=words)
    await close_if_done(db, asked)
    return commitment


@may(rules.MAY["commitment.dispute"])
@refuses(InvalidTransition)
async def dispute_commitment(db: Db, commitment: UUID, reason: str) -> UUID:
    """The beneficiary disagrees that it was done as agreed; staff decide."""
    why = rules.reason(reason)
    row, _, status = await _step(db, commitment, "dispute")
    await write_commitment(db, row, status, reason=why)
    return commitment


@may(rules.MAY["commitment.uphold"] | rules.MAY["commitment.void"])
@refuses(InvalidTransition, ConflictOfInterest, EvidenceMissing)
async def resolve_commitment(db: Db, commitment: UUID, *, delivered: bool, reason: str) -> UUID:
    """Decides a dispute: it was delivered, and is completed; or it was not, is void, and its quantity wanted again."""
    require(db.actor, rules.MAY["commitment.uphold" if delivered else "commitment.void"])
    why = rules.reason(reason)
    row, asked, status = await _step(db, commitment, "uphold" if delivered else "void")
    if delivered:
        await complete(db, row, status, reason=why)
        await close_if_done(db, asked)
        return commitment
    if asked["status"] == NeedStatus.DELIVERED:
        await move_need(db, asked, "return")
    await end(db, row, asked, status, reason=why)
    return commitment


@may(rules.MAY["commitment.report"])
@refuses(InvalidTransition, EvidenceMissing)
async def report_commitment(db: Db, commitment: UUID, *, result: str | None = None) -> UUID:
    """Whoever took a livelihood item on says that it is done: a written result, or something attached to it, shows so.

    Others are served in a session, whose check-ins deliver them.
    """
    words = rules.note(result, "result")
    row, asked = await locked_commitment(db, commitment)
    if Side.PROVIDER not in sides(db.actor, row):
        raise Forbidden()
    if asked["kind"] != Kind.LIVELIHOOD_ITEM:
        raise InvalidInput(field="id", reason="只有民生实事由承接方填报办理结果。")
    rules.step(COMMITMENT_STEPS, "start", standing(row, db))
    await deliver(db, commitment, result=words)
    await must_be_evident(db, asked)
    return commitment


async def must_be_evident(db: Db, asked: Row) -> None:
    """Raises EvidenceMissing where a livelihood item shows no result: nothing written, nothing attached since it was
    taken on."""
    if asked["kind"] == Kind.LIVELIHOOD_ITEM and not await db.value(EVIDENT, need=asked["id"]):
        raise EvidenceMissing()


async def start_service(db: Db, commitment: UUID) -> None:
    """For the activity area, on a check-in: the commitment is in service, and so is its need. Again changes nothing.

    Who may was decided there. Raises InvalidTransition when it was never confirmed, or has ended.
    """
    row, asked = await locked_commitment(db, commitment, checked=False)
    if row["status"] not in BEGUN:
        await _start(db, row, asked)


async def _start(db: Db, row: Row, asked: Row) -> None:
    status = rules.step(COMMITMENT_STEPS, "start", standing(row, db))
    await write_commitment(db, row, status, started_at=db.now)
    if asked["status"] == NeedStatus.OPEN:
        await move_need(db, asked, "start")


async def deliver(db: Db, commitment: UUID, quantity: int | None = None, **changes: Any) -> None:
    """For the activity area, on the last check-out: so much of the commitment was delivered (all, unless said less).

    What was not delivered is returned to need and offer. A commitment that was confirmed but not started starts first;
    one that is delivered already stays as it is. Raises InvalidTransition when it was never confirmed, or has ended.
    """
    row, asked = await locked_commitment(db, commitment, checked=False)
    if row["status"] in (C.DELIVERED, C.DISPUTED, C.COMPLETED):
        return
    if row["status"] != C.IN_SERVICE:
        await _start(db, row, asked)
        row, asked = await locked_commitment(db, commitment, checked=False)
    status = rules.step(COMMITMENT_STEPS, "deliver", standing(row, db))
    given = row["qty"] if quantity is None else max(0, min(quantity, row["qty"]))
    await write_commitment(db, row, status, delivered_at=db.now, qty_delivered=given, **changes)
    await count(db, row, held=given - row["qty"], delivered=given)
    if asked["qty_delivered"] + given >= asked["qty_total"]:
        await move_need(db, asked, "deliver")


async def complete(db: Db, row: Row, status: CommitmentStatus, **changes: Any) -> None:
    """Completes a locked commitment: its volunteer's time is free again."""
    await write_commitment(db, row, status, ended_at=db.now, **changes)
    await db.value(UNBOOK, commitment=row["id"])
    await reckon_reliability(db, row["volunteer_person_id"])


async def close_if_done(db: Db, asked: Row) -> None:
    """Closes a locked need that was delivered when nothing of it waits for a word any more."""
    if asked["status"] == NeedStatus.DELIVERED and not await db.value(UNJUDGED, need=asked["id"]):
        await must_be_evident(db, asked)
        await move_need(db, asked, "close", closed_at=db.now)


async def end(db: Db, row: Row, asked: Row, status: CommitmentStatus, **changes: Any) -> None:
    """Ends a locked commitment that will not be served: its quantity, its booking and its grants are given back."""
    if row["open_until"] is not None:
        changes["open_until"] = min(row["open_until"], db.now)
    await write_commitment(db, row, status, ended_at=db.now, **changes)
    await give_back(db, row)
    await db.value(UNBOOK, commitment=row["id"])
    await end_contact_grants(db, row["id"])
    await reckon_reliability(db, row["volunteer_person_id"])


async def book(db: Db, row: Row, person: UUID) -> None:
    """Books a person for a commitment's appointment, if it has one. Raises OverlappingBooking (I6)."""
    if row["slot_from"] is None:
        return
    try:
        await db.value(BOOK, person=person, commitment=row["id"], slot_from=row["slot_from"], slot_to=row["slot_to"])
    except asyncpg.ExclusionViolationError:
        raise OverlappingBooking() from None


async def keep_open(db: Db, commitment: UUID, until: datetime) -> None:
    """For the activity area, when sessions are planned, moved or called off: until when the provider of a commitment that
    stands may read its need's particulars and ask for the contact. One that was called off stays closed."""
    await db.value(KEEP_OPEN, of=commitment, until=until)
    await db.value(KEEP_GRANTS, of=commitment, until=until)


async def whose_contact(db: Db, asked: Row) -> UUID | None:
    """Whom a provider has to reach: the beneficiary; or, where none is named, the resident who asked himself."""
    if asked["beneficiary_id"] is not None:
        found: UUID | None = await db.value(PERSON_OF, id=asked["beneficiary_id"])
        return found
    return asked["requester_id"] if asked["submitted_via"] == SubmittedVia.ONLINE else None
