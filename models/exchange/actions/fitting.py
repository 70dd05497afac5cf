"""Whether an offer, locked, can give so much to a need: what its row, its provider and its other commitments say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from models import clock
from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange import offering, rules
from models.exchange.actions.ground import Row, bound
from models.exchange.kinds import Kind
from models.exchange.problems import OfferDoesNotFit, OfferExhausted
from models.exchange.states import OfferStatus
from models.exchange.tables import NeedOption, ServiceCategory
from models.labels import label
from models.people.qualifications import qualified_for
from models.people.tables import Person
from models.problems import InvalidTransition

option, person, category = table(NeedOption), table(Person), table(ServiceCategory)
UUID_ = sa.Uuid()

OPTIONS = Statement(
    sa.select(option.c.starts_at, option.c.ends_at)
    .where(
        option.c.need_id == bound("need", UUID_),
        sa.or_(bound("place", sa.Integer()).is_(None), option.c.place == bound("place", sa.Integer())),
    )
    .order_by(option.c.place)
)
ABLE = Statement(
    sa.select(
        person.c.gender,
        qualified_for(
            person.c.id, bound("certificate", sa.Text()), bound("category", sa.Text()), bound("today", sa.Date())
        ).label("qualified"),
    ).where(person.c.id == bound("person", UUID_))
)
PAPERS = Statement(sa.select(category.c.certificates).where(category.c.code == bound("code", sa.Text())))
LOAD = Statement(
    sa.select(
        sa.func.offer_busy(
            bound("offer", UUID_), bound("start", INSTANT), bound("end", INSTANT), bound("now", INSTANT)
        ).label("busy"),
        sa.func.offer_week(
            bound("offer", UUID_),
            sa.func.coalesce(bound("start", INSTANT), bound("now", INSTANT)),
            bound("now", INSTANT),
        ).label("week"),
    )
)


def standing_offer(row: Row, now: Any) -> OfferStatus:
    """Where an offer stands: EXPIRED once its window is over, whether or not that has been written."""
    status = OfferStatus(row["status"])
    over = status in (OfferStatus.PUBLISHED, OfferStatus.PAUSED) and row["window_to"] <= now
    return OfferStatus.EXPIRED if over else status


async def must_fit(db: Db, given: Row, asked: Row, slot: offering.Times | None, quantity: int) -> None:
    """Raises InvalidTransition, OfferDoesNotFit or OfferExhausted unless an offer can give so much to a need.

    `slot`: when, where that is agreed; otherwise any of the need's appointments will do. The offer is locked, so that
    what else it is taken up for stays as it is.
    """
    status = standing_offer(given, db.now)
    if status is not OfferStatus.PUBLISHED:
        raise InvalidTransition(status=status.value, label=label(status))
    if given["kind"] == Kind.CASH_AID:
        raise OfferDoesNotFit(reason="资金救助由基金会拨付，不能认领")
    options = [slot] if slot is not None else await _options(db, asked)
    papers = await db.value(PAPERS, code=asked["category_code"]) or ()
    able = await _able(db, given, asked, papers)
    wrong = offering.misfit(able, asked, now=db.now, options=options, papers=papers)
    wrong = wrong or await _full(db, given, rules.slot(*options[0]) if len(options) == 1 else None)
    if wrong is not None:
        raise OfferDoesNotFit(reason=wrong)
    left = given["qty_total"] - given["qty_reserved"] - given["qty_consumed"]
    if quantity > left:
        raise OfferExhausted(remaining=left)


async def _options(db: Db, asked: Row) -> list[offering.Times]:
    """The need's appointments that are open, or the one that was chosen; its window, where it is one."""
    rows = await db.all(OPTIONS, need=asked["id"], place=asked["option_place"]) if asked["options"] else ()
    return offering.wanted(asked, ((row["starts_at"], row["ends_at"]) for row in rows))


async def _able(db: Db, given: Row, asked: Row, papers: Sequence[str]) -> Row:
    """The offer, with what counts of a volunteer's papers today, and his gender."""
    if given["person_id"] is None:
        return given
    keys = {"certificate": asked["certificate"], "category": asked["category_code"], "today": clock.day(db.now)}
    found = await db.one(ABLE, person=given["person_id"], **keys)
    assert found is not None
    held = [asked["certificate"], *papers] if found["qualified"] else []
    return {**given, "gender": found["gender"], "certificates": held}


async def _full(db: Db, given: Row, slot: offering.Times | None) -> str | None:
    """Why an offer takes no more at a time, in a phrase; None when it does."""
    start, end = slot or (None, None)
    load = await db.one(LOAD, offer=given["id"], start=start, end=end)
    assert load is not None
    if given["kind"] in offering.TIMED and load["busy"] >= given["parallel"]:
        return "这个时间段已排满"
    if given["weekly_cap"] is not None and load["week"] >= given["weekly_cap"]:
        return "当周已排满"
    return None
