"""The outbox: what happened, inserted in the same transaction, read by the relay in the order of commit."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlmodel import Field

from models import clock
from models.base import APPEND_ONLY, INSTANT, Table


class Xid8(sa.types.UserDefinedType[str]):
    """A full transaction id, which never wraps."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "xid8"


ischema_names["xid8"] = Xid8


WHOLES = ("need", "session", "round")
"""What an event's data may name besides its subject: the thing that the subject is a part of, by its UUID. A need has
changed when a commitment to it has, a session when somebody's part in it has, a round when a proposal of it has."""


COMMUNITY = sa.text('"left"(area, 12)')
OF_NEEDS = "\"left\"(topic, 5) = 'need.'"
"""Events of needs themselves, by the community that they lie in: what a queue is told from."""


class EventRow(Table, table=True):
    """An event, of no personal data. Partitioned by month; `xid` orders it against snapshots."""

    __tablename__ = "event"
    __table_args__ = (
        sa.Index("ix_event_xid_id", "xid", "id"),
        sa.Index("ix_event_subject_xid_id", "subject", "xid", "id"),
        *[
            sa.Index(
                f"ix_event_of_{whole}",
                sa.text(f"(data ->> '{whole}'::text)"),
                "xid",
                "id",
                postgresql_where=sa.text(f"(data ->> '{whole}'::text) IS NOT NULL"),
            )
            for whole in WHOLES
        ],
        sa.Index("ix_event_need_scope", COMMUNITY, "xid", "id", postgresql_where=sa.text(OF_NEEDS)),
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


def of(event: Any, whole: str, id: Any) -> sa.ColumnElement[bool]:
    """Whether an event's subject is a part of a thing. Written as the index is."""
    key = sa.literal_column(f"'{whole}'", sa.Text())
    found: sa.ColumnElement[bool] = event.data.op("->>", return_type=sa.Text())(key) == sa.cast(id, sa.Text())
    return found


def cursor(event: Any) -> sa.ColumnElement[str]:
    """Where an event stands, as text that clients keep: its transaction, its id, and when it was, in milliseconds."""
    at = sa.func.floor(sa.func.date_part(sa.literal_column("'epoch'"), event.at) * sa.literal_column("1000"))
    dot = sa.literal_column("'.'", sa.Text())
    parts = sa.func.concat(
        sa.cast(event.xid, sa.Text()), dot, sa.cast(event.id, sa.Text()), dot, sa.cast(at, sa.Text())
    )
    utf8, base64 = sa.literal_column("'UTF8'", sa.Text()), sa.literal_column("'base64'", sa.Text())
    return sa.func.encode(sa.func.convert_to(parts, utf8), base64, type_=sa.Text())


CURSOR = re.compile(rb"([0-9]{1,20})\.([0-9]{1,20})\.([0-9]{1,20})")


def read_cursor(text: str) -> tuple[tuple[int, int], datetime]:
    """The place that a cursor names, (transaction, id), and when its event was, as it says. Raises ValueError for what is none.

    Clients keep it, and could have written it: when the event was is to be looked up.
    """
    said = CURSOR.fullmatch(base64.b64decode(text, validate=True))
    if said is None:
        raise ValueError("not three numbers")
    xid, id, at = map(int, said.groups())
    if not (0 <= xid < 2**63 and 0 <= id < 2**63):
        raise ValueError("out of range")
    try:
        return (xid, id), datetime.fromtimestamp(at / 1000, clock.SHANGHAI)
    except (OverflowError, OSError) as no:
        raise ValueError(str(no)) from no


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
