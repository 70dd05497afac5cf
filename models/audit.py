"""The audit log: who did what, to what, when, from where, and what came of it. Only ever added to.

A writer inserts a row of its own in its own transaction and waits for nobody. The rows are chained afterwards, in
batches, by one sealer (`audit_seal`): a row that is changed, removed, or added behind a seal is found by name. No row
holds personal data: whom an act concerned stands there by id.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from models.access import NOBODY, PUBLIC_ACTOR, Actor, Role, Viewer, visible, within
from models.base import APPEND_ONLY, INSTANT, Table
from models.events import Xid8

DONE = "DONE"
"""The result of what was done; anything else is the code of what it was refused with."""


class AuditEvent(Table, table=True):
    """One act, refused act, or reading of personal data. Partitioned by month; `xid` orders it against snapshots.

    An auditor looks for what is rare, by any of its columns: each has its index, for some 3 µs a row and index.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        sa.PrimaryKeyConstraint("at", "id"),
        sa.Index("ix_audit_event_era_xid_id", "era", "xid", "id"),
        sa.Index("ix_audit_event_person_at", "person", "at", postgresql_where=sa.text("person IS NOT NULL")),
        sa.Index("ix_audit_event_subject_at", "subject", "at", postgresql_where=sa.text("subject IS NOT NULL")),
        sa.Index("ix_audit_event_area_at", "area", "at", postgresql_where=sa.text("area IS NOT NULL")),
        sa.Index("ix_audit_event_address_at", "address", "at", postgresql_where=sa.text("address IS NOT NULL")),
        sa.Index("ix_audit_event_action_at", "action", "at"),
        sa.Index("ix_audit_event_result_at", "result", "at"),
        sa.Index("ix_audit_event_role_at", "role", "at"),
        {"info": APPEND_ONLY, "postgresql_partition_by": "RANGE (at)"},
    )
    id: UUID = Field(default=None, primary_key=True, sa_column_kwargs={"server_default": sa.text("uuidv7()")})
    at: datetime = Field(sa_type=INSTANT, primary_key=True)
    era: int = Field(default=1, sa_type=sa.SmallInteger, sa_column_kwargs={"server_default": sa.text("1")})
    """Which server's transactions `xid` counts: migrating raises the column's default after a move (`audit_seal`)."""
    xid: Any = Field(default=None, sa_type=Xid8, sa_column_kwargs={"server_default": sa.text("pg_current_xact_id()")})
    action: str = Field(sa_type=sa.Text)
    """A mutation's name, as the schema spells it; `personalData.read`; or a job's or a command's name."""
    result: str = Field(sa_type=sa.Text)
    subject_type: str | None = Field(default=None, sa_type=sa.Text)
    subject: UUID | None = None
    role: str = Field(sa_type=sa.Text)
    person: UUID | None = None
    organization: UUID | None = None
    area: str | None = Field(default=None, sa_type=sa.Text)
    sign_in: UUID | None = None
    key: UUID | None = None
    """The API key that was used, if one was."""
    address: str | None = Field(default=None, sa_type=sa.Text)
    """The client's network address."""
    request: str | None = Field(default=None, sa_type=sa.Text)
    """The request's id, as its answer and the logs have it."""
    detail: dict[str, Any] = Field(sa_type=JSONB)


COLUMNS = "at, action, result, subject_type, subject, role, person, organization, area, sign_in, key, address, request, detail"
ROLE = COLUMNS.split(", ").index("role")
WRITE = f"INSERT INTO audit_event ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"  # noqa: S608 - column names


def row(
    actor: Actor,
    at: datetime,
    action: str,
    result: str,
    *,
    subject_type: str | None = None,
    subject: UUID | None = None,
    address: str | None = None,
    request: str | None = None,
    detail: dict[str, Any] | None = None,
) -> tuple[Any, ...]:
    """The parameters that insert one row, in the order of `COLUMNS`."""
    return (
        at,
        action,
        result,
        subject_type,
        subject,
        actor.role.value,
        actor.person,
        actor.organization,
        actor.area,
        actor.sign_in,
        actor.key,
        address,
        request,
        json.dumps(detail, default=str, ensure_ascii=False) if detail else "{}",
    )


@visible("audit_event")
def audit_event(row: Any, viewer: Viewer) -> sa.ColumnElement[bool] | None:
    """Auditors, and nobody else: who administers does not read what is written about him (等保: 三权分立)."""
    if viewer.role is not Role.AUDITOR:
        return NOBODY
    return sa.or_(viewer.area.is_(None), within(row.area, viewer))  # one of an area, the acts of that area


SYSTEM = "SYSTEM"
"""The role of what no person did: jobs, and commands of who runs the machines."""


def by_system(at: datetime, action: str, result: str = DONE, **more: Any) -> tuple[Any, ...]:
    """The parameters of a row about a job or a command, in the order of `COLUMNS`."""
    made = list(row(PUBLIC_ACTOR, at, action, result, **more))
    made[ROLE] = SYSTEM
    return tuple(made)


async def write(connection: asyncpg.Connection, *parameters: Any) -> None:
    """Inserts a row made by `row`."""
    await connection.execute(WRITE, *parameters)
