"""What the worker does when its time has come: overdue holds are written down, needs and offers expire.

None of it decides anything: a hold that is due counts as released, and a need or offer past its time takes nothing
more, whether or not these jobs have run. Each call does a batch and says how many; rows that somebody works on wait
for the next call.
"""

from __future__ import annotations

import sqlalchemy as sa

from models.base import INSTANT
from models.database import Db, Statement
from models.exchange.actions.ground import bound, commitment, need, offer
from models.exchange.actions.placing import lapse
from models.exchange.kinds import Kind
from models.exchange.states import TRIAGE, CommitmentStatus, NeedStatus, OfferStatus
from models.exchange.visible import is_any
from models.people.actions import end_contact_grants

BATCH = 200

DUE = Statement(
    sa.select(commitment.c.need_id)
    .where(is_any(commitment.c.status, (CommitmentStatus.PROPOSED,)), commitment.c.hold_until <= bound("now", INSTANT))
    .order_by(commitment.c.hold_until)
    .limit(BATCH)
)
FREE = Statement(
    sa.select(need.c.id)
    .where(need.c.id == sa.any_(bound("ids", sa.ARRAY(sa.Uuid()))))
    .order_by(need.c.id)
    .with_for_update(key_share=True, skip_locked=True)
)
_stale_needs = (
    sa.select(need.c.id)
    .where(
        is_any(need.c.status, (NeedStatus.OPEN,)),
        need.c.kind != sa.literal_column(f"'{Kind.LIVELIHOOD_ITEM.value}'"),
        need.c.due_at <= bound("now", INSTANT),
        need.c.qty_committed == need.c.qty_delivered,
    )
    .order_by(need.c.due_at)
    .limit(BATCH)
    .with_for_update(key_share=True, skip_locked=True)
)
EXPIRE_NEEDS = Statement(
    sa.update(need)
    .where(need.c.id.in_(_stale_needs))
    .values(status=NeedStatus.EXPIRED.value, closed_at=need.c.due_at, version=need.c.version + 1)
    .returning(need.c.id, need.c.area, need.c.assigned_to)
)
_stale_offers = (
    sa.select(offer.c.id)
    .where(
        is_any(offer.c.status, (OfferStatus.PUBLISHED, OfferStatus.PAUSED)),
        offer.c.window_to <= bound("now", INSTANT),
    )
    .order_by(offer.c.window_to)
    .limit(BATCH)
    .with_for_update(key_share=True, skip_locked=True)
)
EXPIRE_OFFERS = Statement(
    sa.update(offer)
    .where(offer.c.id.in_(_stale_offers))
    .values(status=OfferStatus.EXPIRED.value, version=offer.c.version + 1)
    .returning(offer.c.id, offer.c.area)
)


_unanswered = (
    sa.select(need.c.id)
    .where(
        is_any(need.c.status, TRIAGE), need.c.answer_due_at < bound("now", INSTANT), need.c.overdue_told_at.is_(None)
    )
    .order_by(need.c.answer_due_at)
    .limit(BATCH)
    .with_for_update(key_share=True, skip_locked=True)
)
TELL_OVERDUE = Statement(
    sa.update(need)
    .where(need.c.id.in_(_unanswered))
    .values(overdue_told_at=bound("now", INSTANT))
    .returning(need.c.id, need.c.area)
)


async def lapse_due_holds(db: Db) -> int:
    """Writes LAPSED for holds that are due, and returns their quantities; how many there were."""
    due = {row["need_id"] for row in await db.all(DUE)}
    free = [row["id"] for row in await db.all(FREE, ids=list(due))]
    return await lapse(db, free)


async def expire_needs(db: Db) -> int:
    """Writes EXPIRED for open needs whose due time has passed with nothing under way; how many there were. A livelihood
    item stays: it is overdue, and is settled all the same."""
    rows = await db.all(EXPIRE_NEEDS)
    for row in rows:
        db.tell("need.expired", row["id"], area=row["area"])
        if row["assigned_to"] is not None:
            await end_contact_grants(db, row["id"])
    return len(rows)


async def tell_overdue_answers(db: Db) -> int:
    """Tells, once, of each need that the community should have answered by now (条例 art. 13); how many there were."""
    rows = await db.all(TELL_OVERDUE)
    for row in rows:
        db.tell("need.answer_overdue", row["id"], area=row["area"])
    return len(rows)


async def expire_offers(db: Db) -> int:
    """Writes EXPIRED for offers whose window is over; how many there were."""
    rows = await db.all(EXPIRE_OFFERS)
    for row in rows:
        db.tell("offer.expired", row["id"], area=row["area"])
    return len(rows)
