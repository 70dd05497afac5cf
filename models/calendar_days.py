"""Working days that were announced: what an administrator enters each November, for the year that the package lacks.

A term that begins is counted with what is known then, and stands. What is entered here goes before the package and
before the law's list (`working_days`): corrections come at short notice.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from models.access import public
from models.base import Table, instant, key, text, to


class CalendarDay(Table, table=True):
    """工作日历: that a day is worked, or free, as was announced."""

    __tablename__ = "calendar_day"
    __table_args__ = (sa.UniqueConstraint("day"),)
    id: UUID = key()
    day: date
    worked: bool
    note: str | None = text(optional=True)
    set_by: UUID = to("person.id", index=False)
    set_at: datetime = instant()


public("calendar_day")
