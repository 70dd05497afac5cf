"""The SQL that GraphQL fields about consents and requests name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from models.privacy.rules import OPEN_REQUESTS, ConsentState
from models.privacy.tables import Consent, ConsentText, SubjectRequest

ONE: sa.ColumnElement[int] = sa.literal_column("1")

BEFORE: sa.ColumnElement[str] = sa.literal_column("'/privacy/export/subject_request_'")
AFTER: sa.ColumnElement[str] = sa.literal_column("'.json'")


def in_force(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether a text is the newest of its purpose that is in force now."""
    later = view.rows(ConsentText).c
    newer = sa.exists(
        sa.select(ONE).where(later.purpose == row.purpose, later.since <= view.actor.now, later.since > row.since)
    )
    return sa.and_(row.since <= view.actor.now, sa.not_(newer))


def needed(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether a text is in force and the asker has not agreed to it: never, or to an older version, or withdrawn."""
    mine = view.rows(Consent).c
    agreed = sa.exists(
        sa.select(ONE).where(
            mine.person_id == view.actor.person,
            mine.purpose == row.purpose,
            mine.version == row.version,
            mine.state == sa.literal_column(f"'{ConsentState.GIVEN.value}'"),
        )
    )
    return sa.and_(in_force(row, view), sa.not_(agreed), view.actor.person.is_not(None))


def still_open(row: Any) -> sa.ColumnElement[bool]:
    """Whether a request is not answered yet."""
    return sa.or_(*(row.state == sa.literal_column(f"'{state.value}'") for state in OPEN_REQUESTS))


def overdue(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether a request is open and past due."""
    return sa.and_(still_open(row), row.due_at < view.actor.now)


def file(row: Any, view: Any) -> Mapping[str, Any]:
    """The file that answers a request: NULL where there is none."""
    return {
        "path": sa.func.concat(BEFORE, sa.cast(row.id, sa.Text()), AFTER, type_=sa.Text()),
        "is_available": row.expires_at > view.actor.now,
        "expires_at": row.expires_at,
        "size_bytes": row.size_bytes,
    }


def counts(view: Any) -> sa.Select[Any]:
    """Requests that the asker sees, by kind and state."""
    row = view.rows(SubjectRequest).c
    return (
        sa.select(
            row.kind,
            row.state,
            sa.cast(sa.func.count(), sa.Integer()).label("count"),
            sa.cast(sa.func.count().filter(overdue(row, view)), sa.Integer()).label("overdue"),
        )
        .group_by(row.kind, row.state)
        .order_by(row.kind, row.state)
    )
