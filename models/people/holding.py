"""What it is that a membership holds: begun, not ended, not taken back. Said once, for whoever asks it of a row."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

TODAY: sa.BindParameter[Any] = sa.bindparam("today", type_=sa.Date(), unique=False)
"""The day in Shanghai that a verb's statement is given; a query's is `visible.today(viewer)`."""


def holds(row: Any, today: Any = TODAY) -> sa.ColumnElement[bool]:
    """Whether a membership holds on a day. `row`: its columns."""
    return sa.and_(row.starts_on <= today, lasts(row, today))


def lasts(row: Any, today: Any = TODAY) -> sa.ColumnElement[bool]:
    """Whether a membership holds on a day, or will later."""
    return sa.and_(row.revoked_at.is_(None), _unended(row, today))


def on_these_days(row: Any, today: Any = TODAY) -> sa.ColumnElement[bool]:
    """Whether a day is one of a capacity's (the view `capacity`): what is no membership has no days, and every day is."""
    return sa.and_(sa.or_(row.starts_on.is_(None), row.starts_on <= today), _unended(row, today))


def _unended(row: Any, today: Any) -> sa.ColumnElement[bool]:
    return sa.or_(row.ends_on.is_(None), row.ends_on >= today)
