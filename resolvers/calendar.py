"""Working days that were announced, as an administrator enters them. Open data."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from models import calendar_days
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.verbs import Call, mutation


@w.entity(calendar_days.CalendarDay, "calendar_day")
@strawberry.type(
    description="That a day is worked, or free, as was announced: legal terms are counted by it. 工作日历。"
)
class CalendarDay(Node):
    day: date = w.column(calendar_days.CalendarDay.day, description="The day.")
    worked: bool = w.column(calendar_days.CalendarDay.worked, description="Whether it is a working day.")
    note: str | None = w.column(
        calendar_days.CalendarDay.note, description="What it is: 春节调休; null where nobody said."
    )
    set_at: datetime = w.column(calendar_days.CalendarDay.set_at, description="When it was entered.")


@strawberry.input(description="Which days. What is not given does not narrow.")
class CalendarFilter:
    since: date | None = w.where(lambda row, value: row.day >= value, description="From this day on.")
    until: date | None = w.where(lambda row, value: row.day <= value, description="Up to this day, included.")


@strawberry.input(description="A day as it was announced.")
class CalendarDayInput:
    day: date = strawberry.field(description="The day: after today, until the end of next year.")
    worked: bool = strawberry.field(description="Whether it is a working day.")
    note: str | None = strawberry.field(default=None, description="What it is, up to 60 characters.")


@strawberry.type
class CalendarQuery:
    calendar_days: Connection[CalendarDay] = w.connection(
        order=(calendar_days.CalendarDay.day,),
        filter=CalendarFilter,
        description="The days that were entered; of all others the law's list and what was announced before are known.",
    )


@strawberry.type
class CalendarMutation:
    @mutation(
        CalendarDay,
        calendar_days.set_calendar_days,
        description="Administrators: enter the days of a year as they were announced; those entered before are replaced. Terms that run already stay as they were counted. Answers the last of them.",
    )
    async def calendar_days_set(
        call: Call,
        days: Annotated[
            list[CalendarDayInput], strawberry.argument(description="1 to 366 days, each once: those that differ.")
        ],
    ) -> UUID:
        given = [calendar_days.DayInput(one.day, one.worked, one.note) for one in days]
        return (await calendar_days.set_calendar_days(call.db, given))[-1]
