"""Breaking the glass: how an administrator, who sees no plain personal data, comes to read it when he must.

He asks for named people and says why; another administrator agrees; for an hour he may reveal their contacts. Each
reveal is a row of `pii_access` that the person sees, and every step stands on the audit log.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from models.base import Table, check, choice, chosen, instant, key, text, to
from models.people.rules import AccessPurpose

OPEN_FOR = timedelta(hours=1)
"""How long contacts may be revealed once another administrator has agreed."""
WAITS_FOR = timedelta(hours=24)
"""How long a request may be agreed to."""
MOST = 20
"""People in one request."""


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
