"""Places, teams, people, tasks and pledges, and who may see them.

The tables have a MetaData of their own, so that the product's migrations never see them.
"""

from __future__ import annotations

import dataclasses
import enum
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from resolvers.engine.compiler import Rules

metadata = sa.MetaData()
TEXT = sa.Text(collation="C")
"""Sorted by code point, as Python sorts."""
INSTANT = TIMESTAMP(timezone=True)


def _table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(name, metadata, sa.Column("id", sa.Uuid, primary_key=True), *columns)


def _column(name: str, type_: Any, *more: Any, null: bool = False, **kw: Any) -> sa.Column[Any]:
    return sa.Column(name, type_, *more, nullable=null, **kw)


def _to(target: str) -> sa.ForeignKey:
    return sa.ForeignKey(target)


place = _table(
    "place",
    _column("code", TEXT, unique=True),
    _column("parent_id", sa.Uuid, _to("place.id"), null=True, index=True),
    _column("path", TEXT),
    _column("name", TEXT),
)
team = _table(
    "team",
    _column("name", TEXT),
    _column("closed", sa.Boolean),
    _column("place_id", sa.Uuid, _to("place.id"), index=True),
)
person = _table(
    "person",
    _column("name", TEXT),
    _column("hidden", sa.Boolean),
    _column("team_id", sa.Uuid, _to("team.id"), null=True, index=True),
)
task = _table(
    "task",
    _column("title", TEXT),
    _column("note", TEXT, null=True),
    _column("state", TEXT),
    _column("urgency", sa.Integer),
    _column("score", sa.Float),  # may be NaN: a promise that cannot be kept
    _column("weight", sa.Float),
    _column("rating", sa.Float, null=True),
    _column("price", sa.Numeric(12, 2)),
    _column("cost_fen", sa.BigInteger),
    _column("budget_fen", sa.BigInteger, null=True),
    _column("big", sa.BigInteger, null=True),  # may be more than an Int holds
    _column("at", INSTANT),
    _column("seen_at", INSTANT, null=True),
    _column("due", sa.Date, null=True),
    _column("tags", ARRAY(sa.Text)),
    _column("kinds", ARRAY(sa.Text)),
    _column("days", ARRAY(sa.Date), null=True),
    _column("urgent", sa.Boolean),
    _column("private", sa.Boolean),
    _column("published_at", INSTANT),
    _column("place_id", sa.Uuid, _to("place.id"), index=True),
    _column("place_code", TEXT, _to("place.code")),
    _column("asker_id", sa.Uuid, _to("person.id"), null=True, index=True),
    _column("team_id", sa.Uuid, _to("team.id"), null=True, index=True),
    _column("person_id", sa.Uuid, _to("person.id"), null=True, index=True),
)
pledge = _table(
    "pledge",
    _column("task_id", sa.Uuid, _to("task.id"), index=True),
    _column("team_id", sa.Uuid, _to("team.id"), index=True),
    _column("person_id", sa.Uuid, _to("person.id"), null=True, index=True),
    _column("minutes", sa.Integer),
    _column("at", INSTANT),
)


# Who asks, and what he may see


class Role(enum.Enum):
    PUBLIC = "PUBLIC"
    MEMBER = "MEMBER"
    STAFF = "STAFF"


@dataclasses.dataclass(frozen=True)
class Actor:
    role: Role
    path: str | None = None
    team: uuid.UUID | None = None
    person: uuid.UUID | None = None


def asker(actor: Actor, now: datetime) -> dict[str, Any]:
    """What statements bind of who asks."""
    return {"path": actor.path, "team": actor.team, "person": actor.person, "now": now}


VIEWER: Mapping[str, sa.types.TypeEngine[Any]] = {"path": TEXT, "team": sa.Uuid(), "person": sa.Uuid(), "now": INSTANT}


def team_seen(row: Any, viewer: Any) -> tuple[Any, ...]:
    if viewer.role is Role.STAFF:
        return ()
    if viewer.role is Role.MEMBER:
        return (sa.or_(sa.not_(row.c.closed), row.c.id == viewer.team),)
    return (sa.not_(row.c.closed),)


def person_seen(row: Any, viewer: Any) -> tuple[Any, ...]:
    if viewer.role is Role.STAFF:
        return ()
    if viewer.role is Role.MEMBER:
        return (sa.or_(sa.not_(row.c.hidden), row.c.id == viewer.person),)
    return (sa.not_(row.c.hidden),)


def task_seen(row: Any, viewer: Any) -> tuple[Any, ...]:
    if viewer.role is Role.STAFF:
        at = place.alias()
        return (sa.exists().where(at.c.id == row.c.place_id, at.c.path.startswith(viewer.path)),)
    published = sa.and_(sa.not_(row.c.private), row.c.published_at <= viewer.now)
    return (sa.or_(published, row.c.team_id == viewer.team),) if viewer.role is Role.MEMBER else (published,)


def pledge_seen(row: Any, viewer: Any) -> tuple[Any, ...]:
    of = task.alias()
    return (sa.exists().where(of.c.id == row.c.task_id, *task_seen(of, viewer)),)


SEEN = {"team": team_seen, "person": person_seen, "task": task_seen, "pledge": pledge_seen}
PUBLIC = {"place"}
IMPLIED = {
    ("pledge", "task_id"),
    ("pledge", "team_id"),  # not true, on purpose: the team may be closed
}


def seen(alias: Any, name: str, viewer: Any) -> tuple[Any, ...]:
    return () if name in PUBLIC else SEEN[name](alias, viewer)


RULES = Rules(seen, PUBLIC, IMPLIED, VIEWER)
