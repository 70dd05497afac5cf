"""What it is that a membership holds: begun, not ended, not taken back. Said once, for whoever asks it of a row."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

TODAY: sa.BindParameter[Any] = sa.bindparam("today", type_=sa.Date(), unique=False)
"""The day in Shanghai that a verb's statement is given; a query's is `visible.today(viewer)`."""


def on_day(row: Any, today: Any = TODAY) -> sa.ColumnElement[bool]:
    """Whether a day is one of a capacity's days, an open end being every day. `row`: anything with `starts_on` and
    `ends_on`; without a first day it has always begun, as somebody's being a resident."""
    begun = sa.or_(row.starts_on.is_(None), row.starts_on <= today)
    return sa.and_(begun, sa.or_(row.ends_on.is_(None), row.ends_on >= today))


def holds(row: Any, today: Any = TODAY) -> sa.ColumnElement[bool]:
    """Whether a membership holds on a day. `row`: its columns."""
    ends = sa.or_(row.ends_on.is_(None), row.ends_on >= today)
    return sa.and_(row.revoked_at.is_(None), row.starts_on <= today, ends)
