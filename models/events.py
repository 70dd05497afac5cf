"""The outbox: what happened, inserted in the same transaction, read by the relay in the order of commit."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlmodel import Field

from models.base import APPEND_ONLY, INSTANT, Table


class Xid8(sa.types.UserDefinedType[str]):
    """A full transaction id, which never wraps."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "xid8"


ischema_names["xid8"] = Xid8


class EventRow(Table, table=True):
    """An event, of no personal data. Partitioned by month; `xid` orders it against snapshots."""

    __tablename__ = "event"
    __table_args__ = (
        sa.Index("ix_event_xid_id", "xid", "id"),
        sa.Index("ix_event_subject_at", "subject", "at"),
        {"info": APPEND_ONLY, "postgresql_partition_by": "RANGE (at)"},
    )
    id: int = Field(sa_column=sa.Column(sa.BigInteger, sa.Identity(always=True), primary_key=True))
    at: datetime = Field(sa_type=INSTANT, primary_key=True)
    xid: Any = Field(default=None, sa_type=Xid8, sa_column_kwargs={"server_default": sa.text("pg_current_xact_id()")})
    topic: str = Field(sa_type=sa.Text)
    subject: UUID
    area: str | None = Field(default=None, sa_type=sa.Text)
    person: UUID | None = None
    role: str = Field(sa_type=sa.Text)
    data: dict[str, Any] = Field(sa_type=JSONB)


class IdempotencyRecord(Table, table=True):
    """That a mutation was done under a key: a hash of its arguments and the outcome's type and id, for seven days."""

    __tablename__ = "idempotency_record"
    __table_args__ = ({"info": APPEND_ONLY},)
    actor: str = Field(primary_key=True, sa_type=sa.Text)
    mutation: str = Field(primary_key=True, sa_type=sa.Text)
    key: str = Field(primary_key=True, sa_type=sa.Text)
    arguments_hash: bytes
    outcome_type: str = Field(sa_type=sa.Text)
    outcome_id: UUID
    at: datetime = Field(sa_type=INSTANT, index=True)


class RelayPosition(Table, table=True):
    """How far a relay has read the outbox: everything up to here has been told. Its row lock chooses the one that reads."""

    __tablename__ = "relay_position"
    name: str = Field(primary_key=True, sa_type=sa.Text)
    xid: Any = Field(default=None, sa_type=Xid8, nullable=False)
    event_id: int = Field(sa_type=sa.BigInteger)
    at: datetime = Field(sa_type=INSTANT)
