"""Breaking the glass: how an administrator, who sees no plain personal data, comes to read it when he must.

He asks for named people and says why; another administrator agrees; for an hour he may reveal their contacts. Each
reveal is a row of `pii_access` that the person sees, and every step stands on the audit log.
"""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.access import Viewer
from models.base import Table, check, choice, chosen, instant, key, table, text, to
from models.labels import labelled
from models.people.rules import AccessPurpose

OPEN_FOR = timedelta(hours=1)
"""How long contacts may be revealed once another administrator has agreed."""
WAITS_FOR = timedelta(hours=24)
"""How long a request may be agreed to."""
MOST = 20
"""People in one request."""


class BreakGlassState(enum.StrEnum):
    """How far a request has come."""

    REQUESTED = "REQUESTED"
    OPEN = "OPEN"
    OVER = "OVER"


labelled(
    BreakGlassState,
    {
        BreakGlassState.REQUESTED: "待同意",
        BreakGlassState.OPEN: "已开启",
        BreakGlassState.OVER: "已结束",
    },
    description="How far a request to break the glass has come.",
    describe={
        BreakGlassState.REQUESTED: "Another administrator has not yet agreed.",
        BreakGlassState.OPEN: "Agreed to: for an hour the contacts of its people may be revealed by who asked.",
        BreakGlassState.OVER: "Refused, withdrawn, ended, or its time is over.",
    },
    next={
        BreakGlassState.REQUESTED: {BreakGlassState.OPEN, BreakGlassState.OVER},
        BreakGlassState.OPEN: {BreakGlassState.OVER},
    },
)


class BreakGlass(Table, table=True):
    """An administrator's request to read plain contacts, and who agreed to it."""

    __tablename__ = "break_glass"
    __table_args__ = (
        chosen("purpose", AccessPurpose),
        check("two", "approved_by <> requested_by"),
        check("approved", "num_nonnulls(approved_by, approved_at, until) IN (0, 3)"),
        check("ended", "num_nonnulls(ended_by, ended_at) IN (0, 2)"),
        sa.Index("ix_break_glass_requested_at_id", "requested_at", "id"),
        sa.Index("ix_break_glass_requested_by_until", "requested_by", "until"),
    )
    id: UUID = key()
    requested_by: UUID = to("person.id", index=False)
    requested_at: datetime = instant()
    purpose: AccessPurpose = choice(AccessPurpose)
    reason: str = text()
    approved_by: UUID | None = to("person.id", optional=True, index=False)
    approved_at: datetime | None = instant(optional=True)
    until: datetime | None = instant(optional=True)
    """One hour after it was agreed to."""
    ended_by: UUID | None = to("person.id", optional=True, index=False)
    """Who refused it, withdrew it, or ended it before its hour was over."""
    ended_at: datetime | None = instant(optional=True)


class BreakGlassPerson(Table, table=True):
    """One person whose contact a request is about."""

    __tablename__ = "break_glass_person"
    __table_args__ = (sa.UniqueConstraint("break_glass_id", "person_id"),)
    id: UUID = key()
    break_glass_id: UUID = to("break_glass.id", index=False)
    person_id: UUID = to("person.id")


def open_now(row: Any, now: Any) -> sa.ColumnElement[bool]:
    """Whether a request has been agreed to and its hour is not over."""
    return sa.and_(row.until > now, sa.or_(row.ended_at.is_(None), row.ended_at > now))


def state(row: Any, now: Any) -> sa.ColumnElement[Any]:
    """How far a request has come."""
    waits = sa.and_(row.approved_at.is_(None), row.ended_at.is_(None), row.requested_at > now - WAITS_FOR)
    return sa.case(
        (open_now(row, now), BreakGlassState.OPEN.value),
        (waits, BreakGlassState.REQUESTED.value),
        else_=BreakGlassState.OVER.value,
    )


def unlocked(viewer: Viewer) -> sa.Select[Any]:
    """The people whose contact the asking administrator may reveal, because another one has agreed."""
    request, about = table(BreakGlass).alias("request"), table(BreakGlassPerson).alias("about")
    return (
        sa.select(about.c.person_id)
        .join(request, request.c.id == about.c.break_glass_id)
        .where(request.c.requested_by == viewer.person, open_now(request.c, viewer.now))
    )
