"""Working days that were announced: what an administrator enters each November, for the year that the package lacks.

A term that begins is counted with what is known then, and stands. What is entered here goes before the package and
before the law's list (`working_days`): corrections come at short notice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field

from models import clock
from models.access import Role, may, public
from models.base import Table, instant, key, table, text, to
from models.database import Db, Statement
from models.problems import InvalidInput, refuses
from models.rules_text import clean
from models.working_days import after_working_days

public("calendar_day")
MOST = 366
FURTHEST = 90
"""How many days are read ahead: the longest holiday is well within it, and so is every term that is counted here."""


class CalendarDay(Table, table=True):
    """工作日历: that a day is worked, or free, as was announced."""

    __tablename__ = "calendar_day"
    __table_args__ = (sa.UniqueConstraint("day"),)
    id: UUID = key()
    day: date
    worked: bool = Field()
    note: str | None = text(optional=True)
    set_by: UUID = to("person.id", index=False)
    set_at: datetime = instant()


calendar = table(CalendarDay)
ENTERED = Statement(
    sa.select(calendar.c.day, calendar.c.worked).where(
        calendar.c.day > sa.bindparam("since", type_=sa.Date()),
        calendar.c.day <= sa.bindparam("until", type_=sa.Date()),
    )
)
_entry = insert(calendar).values(
    {name: sa.bindparam(name, type_=calendar.c[name].type) for name in ("day", "worked", "note", "set_by", "set_at")}
)
ENTER = Statement(
    _entry.on_conflict_do_update(
        index_elements=["day"],
        set_={name: _entry.excluded[name] for name in ("worked", "note", "set_by", "set_at")},
    ).returning(calendar.c.id)
)


@dataclasses.dataclass(frozen=True)
class DayInput:
    """A day as it was announced."""

    day: date
    worked: bool
    note: str | None = None


async def entered(db: Db) -> dict[date, bool]:
    """Whether the days ahead are worked, as far as they were entered."""
    today = clock.day(db.now)
    rows = await db.all(ENTERED, since=today, until=today + timedelta(days=FURTHEST))
    return {row["day"]: row["worked"] for row in rows}


async def answer_by(db: Db, days: int) -> datetime:
    """The same time of day, so many working days from now: by the days entered, and else by what is known."""
    return after_working_days(db.now.astimezone(clock.SHANGHAI), days, await entered(db))


@may(frozenset({Role.ADMIN}))
@refuses()
async def set_calendar_days(db: Db, given: Sequence[DayInput]) -> list[UUID]:
    """Enters days as they were announced; one that was entered before is replaced. Terms that run already stay as they
    were counted. Raises InvalidInput for none, for more than a year's, for a day twice, for today (no term counts it)
    and what is past, and for what lies beyond the next year, whose days are announced in November."""
    today = clock.day(db.now)
    days = [one.day for one in given]
    if not 1 <= len(days) <= MOST or len(set(days)) < len(days):
        raise InvalidInput(field="days", reason=f"请填写 1 至 {MOST} 天，每天一次。")
    if any(not today < day <= date(today.year + 1, 12, 31) for day in days):
        raise InvalidInput(field="days", reason="日期须在今天之后，且不晚于明年年底。")
    made: list[UUID] = []
    for one in given:
        note = None if one.note is None else clean(one.note, "days", most=60)
        made.append(
            await db.value(ENTER, day=one.day, worked=one.worked, note=note, set_by=db.actor.person, set_at=db.now)
        )
    db.detail["days"] = len(days)
    return made
