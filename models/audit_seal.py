"""Seals of the audit log: what makes a change to it known afterwards, also one by who owns the database.

Writers insert rows and wait for nobody (`models.audit`). A sealer, one at a time and as the owner, reads the rows that
have been committed, in the order of (era, transaction, id) as the relay reads the outbox, and writes a seal over each
run of them: an HMAC of every row, and one over those and the seal before. The HMACs' key is a data key (Kind.AUDIT),
which the database holds wrapped only: without the master key nobody, not even its administrator, makes a seal that
fits. What no seal can show is a log whose end was cut off; so its newest hash belongs into other hands (`head`).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from models.base import READ_ONLY, Table, check, instant
from models.events import Xid8


class AuditSeal(Table, table=True):
    """One link of the chain: which rows it holds, in order, the HMAC of each (16 bytes), and its own."""

    __tablename__ = "audit_seal"
    __table_args__ = (
        check("rows", "count > 0 AND count = cardinality(row_ids) AND octet_length(digests) = 16 * count"),
        {"info": READ_ONLY},
    )
    n: int = Field(sa_column=sa.Column(sa.BigInteger, primary_key=True, autoincrement=False))
    """1, 2, 3, … without a gap."""
    at: datetime = instant()
    month: date
    """The month of all its rows, in Shanghai: months past their time are dropped, their seals stay."""
    era: int = Field(sa_type=sa.SmallInteger)
    first_xid: Any = Field(sa_type=Xid8, nullable=False)
    first_id: UUID
    last_xid: Any = Field(sa_type=Xid8, nullable=False)
    last_id: UUID
    count: int
    row_ids: list[UUID] = Field(sa_type=ARRAY(sa.Uuid()))
    digests: bytes
    """The rows' HMACs, one after another."""
    previous: bytes
    """The hash of the seal before; 32 zeros for the first."""
    hash: bytes
    key: UUID
    """The data key that it was made with."""


class AuditArchive(Table, table=True):
    """That a month of the log was past its time and was dropped; its seals stay, and no longer find their rows."""

    __tablename__ = "audit_archive"
    __table_args__ = ({"info": READ_ONLY},)
    month: date = Field(primary_key=True)
    at: datetime = instant()
    count: int = Field(sa_type=sa.BigInteger)
    proof: bytes
    """An HMAC over the month and the count: a month that somebody else dropped has none."""
    key: UUID
