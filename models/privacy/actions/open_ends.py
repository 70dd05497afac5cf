"""What stands in the way of an erasure, and how it is cancelled: by the verbs that the person would use himself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable
from uuid import UUID

import sqlalchemy as sa

from models.access import Actor, Role
from models.activity.actions import withdraw
from models.activity.rules import AttendanceStatus
from models.activity.tables import Attendance
from models.base import table
from models.database import Db, Statement
from models.exchange.actions import cancel_commitment, cancel_need, decline_commitment, withdraw_offer
from models.exchange.kinds import SubmittedVia
from models.exchange.states import LIVE, NEED_STEPS, CommitmentStatus, NeedStatus, OfferStatus
from models.exchange.tables import Commitment, Need, Offer
from models.exchange.visible import is_any
from models.funds.rules import DisbursementStatus
from models.funds.tables import Disbursement
from models.people.actions.administrators import last_administrator
from models.people.tables import Resident, Volunteer
from models.privacy.rules import ErasureBar
from models.problems import Problem

need, offer, commitment = table(Need), table(Offer), table(Commitment)
attendance, disbursement = table(Attendance), table(Disbursement)
resident, volunteer = table(Resident), table(Volunteer)
WHO = sa.bindparam("person", type_=sa.Uuid(), unique=False)
REASON = "本人注销账户"

OPEN_NEEDS = (*dict.fromkeys(s for (_, s) in NEED_STEPS if s is not NeedStatus.CLOSED),)
OPEN_OFFERS = (OfferStatus.DRAFT, OfferStatus.PENDING_REVIEW, OfferStatus.PUBLISHED, OfferStatus.PAUSED)
UNSETTLED = (
    DisbursementStatus.DRAFT,
    DisbursementStatus.SUBMITTED,
    DisbursementStatus.APPROVED,
    DisbursementStatus.AUTHORISED,
    DisbursementStatus.PAYING,
    DisbursementStatus.FAILED,
    DisbursementStatus.PAID,
    DisbursementStatus.NOT_RECEIVED,
)
"""Payments of which it is not certain yet that they arrived."""
GOING = (
    AttendanceStatus.APPLIED,
    AttendanceStatus.ACCEPTED,
    AttendanceStatus.WAITLISTED,
    AttendanceStatus.CHECKED_IN,
)
OWN_NEED = sa.or_(
    need.c.subject_id == WHO,
    sa.and_(
        need.c.requester_id == WHO,
        need.c.beneficiary_id.is_(None),
        need.c.submitted_via == sa.literal_column(f"'{SubmittedVia.ONLINE.value}'"),
    ),
)
"""Needs that are for him, or that he asked for himself; what he asked for others goes on without him."""
NEEDS = Statement(sa.select(need.c.id).where(OWN_NEED, is_any(need.c.status, OPEN_NEEDS)).order_by(need.c.id))
OFFERS = Statement(
    sa.select(offer.c.id).where(offer.c.person_id == WHO, is_any(offer.c.status, OPEN_OFFERS)).order_by(offer.c.id)
)
COMMITMENTS = Statement(
    sa.select(commitment.c.id, commitment.c.status)
    .where(
        commitment.c.volunteer_person_id == WHO,
        is_any(commitment.c.status, LIVE),
        sa.or_(
            commitment.c.status != sa.literal_column(f"'{CommitmentStatus.PROPOSED.value}'"),
            commitment.c.hold_until > sa.bindparam("now"),
        ),
    )
    .order_by(commitment.c.id)
)
SESSIONS = Statement(
    sa.select(attendance.c.id)
    .where(attendance.c.volunteer_id == WHO, is_any(attendance.c.status, GOING))
    .order_by(attendance.c.id)
)
PAYMENTS = Statement(
    sa.select(disbursement.c.id).where(disbursement.c.payee_person_id == WHO, is_any(disbursement.c.status, UNSETTLED))
)
BARS = {
    ErasureBar.OPEN_NEEDS: NEEDS,
    ErasureBar.OPEN_OFFERS: OFFERS,
    ErasureBar.LIVE_COMMITMENTS: COMMITMENTS,
    ErasureBar.SESSIONS_AHEAD: SESSIONS,
    ErasureBar.PAYMENTS_PENDING: PAYMENTS,
}
AREA_OF = {
    Role.RESIDENT: Statement(sa.select(resident.c.area).where(resident.c.person_id == WHO)),
    Role.VOLUNTEER: Statement(sa.select(volunteer.c.area).where(volunteer.c.person_id == WHO)),
}


async def bars(db: Db, person: UUID) -> list[ErasureBar]:
    """What stands in the way of erasing somebody now."""
    found = [bar for bar, rows in BARS.items() if await db.one(rows, person=person) is not None]
    return [*found, ErasureBar.LAST_ADMINISTRATOR] if await last_administrator(db, person) else found


@contextlib.asynccontextmanager
async def _as(db: Db, person: UUID, role: Role) -> AsyncIterator[Db]:
    """The same transaction, as the person himself in another of his capacities."""
    own = Db(db.connection, Actor(role, person, None, await db.value(AREA_OF[role], person=person)), db.now, db.vault)
    yield own
    db.events += own.events


async def _tried(own: Db, verb: Awaitable[object]) -> None:
    """Runs one of his verbs; where it is refused, nothing of it stays, and nothing of it is told."""
    told = len(own.events)
    try:
        async with own.connection.transaction():
            await verb
    except Problem:
        del own.events[told:]


async def cancel_open(db: Db, person: UUID) -> None:
    """Takes back his needs and offers, calls off his commitments, and steps back from sessions, as far as that goes.

    What cannot be cancelled, such as a service that has begun, stays, and bars the erasure: then all is undone.
    """
    async with _as(db, person, Role.VOLUNTEER) as own:
        for row in await db.all(COMMITMENTS, person=person):
            if row["status"] == CommitmentStatus.PROPOSED:
                await _tried(own, decline_commitment(own, row["id"], reason=REASON))
            else:
                await _tried(own, cancel_commitment(own, row["id"], REASON))
        for row in await db.all(OFFERS, person=person):
            await _tried(own, withdraw_offer(own, row["id"]))
        for row in await db.all(SESSIONS, person=person):
            await _tried(own, withdraw(own, row["id"]))
    async with _as(db, person, Role.RESIDENT) as own:
        for row in await db.all(NEEDS, person=person):
            await _tried(own, cancel_need(own, row["id"], REASON))
