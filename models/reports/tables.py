"""What reports count: views that hold no more of a row than a count needs.

A district's viewer sees counts of attendances and needs, and not one of them; so a report does not read those tables
past their rules, but these views, which have rules of their own (visible.py). No GraphQL type shows a row of them.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import SQLModel

from models.base import INSTANT, VIEW

SESSION_FACT = sa.Table(
    "session_fact",
    SQLModel.metadata,
    sa.Column("id", sa.Uuid()),
    sa.Column("area", sa.Text()),
    sa.Column("category_code", sa.Text()),
    sa.Column("organization_id", sa.Uuid()),
    sa.Column("on_day", sa.Date()),
    sa.Column("registered", sa.Integer()),
    sa.Column("unregistered", sa.Integer()),
    info=VIEW,
)
"""Sessions that took place."""
ATTENDANCE_FACT = sa.Table(
    "attendance_fact",
    SQLModel.metadata,
    sa.Column("session_id", sa.Uuid()),
    sa.Column("volunteer_id", sa.Uuid()),
    sa.Column("area", sa.Text()),
    sa.Column("category_code", sa.Text()),
    sa.Column("organization_id", sa.Uuid()),
    sa.Column("on_day", sa.Date()),
    info=VIEW,
)
"""Volunteers who came to them."""
HOUR_FACT = sa.Table(
    "hour_fact",
    SQLModel.metadata,
    sa.Column("area", sa.Text()),
    sa.Column("category_code", sa.Text()),
    sa.Column("organization_id", sa.Uuid()),
    sa.Column("on_day", sa.Date()),
    sa.Column("trust", sa.Text()),
    sa.Column("minutes", sa.Integer()),
    info=VIEW,
)
"""Entries of the hours ledger, by the day whose period they belong to."""
NEED_FACT = sa.Table(
    "need_fact",
    SQLModel.metadata,
    sa.Column("id", sa.Uuid()),
    sa.Column("area", sa.Text()),
    sa.Column("category_code", sa.Text()),
    sa.Column("on_day", sa.Date()),
    sa.Column("status", sa.Text()),
    sa.Column("created_at", INSTANT),
    sa.Column("opened_at", INSTANT),
    sa.Column("closed_at", INSTANT),
    sa.Column("due_at", INSTANT),
    sa.Column("qty_total", sa.Integer()),
    sa.Column("qty_committed", sa.Integer()),
    sa.Column("qty_delivered", sa.Integer()),
    info=VIEW,
)
"""Needs that were submitted."""
ITEM_FACT = sa.Table(
    "item_fact",
    SQLModel.metadata,
    sa.Column("id", sa.Uuid()),
    sa.Column("area", sa.Text()),
    sa.Column("category_code", sa.Text()),
    sa.Column("on_day", sa.Date()),
    sa.Column("status", sa.Text()),
    sa.Column("due_at", INSTANT),
    sa.Column("closed_at", INSTANT),
    sa.Column("claimed", sa.Boolean()),
    info=VIEW,
)
"""Livelihood items that were published, by the day on which they were."""
