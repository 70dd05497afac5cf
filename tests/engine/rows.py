"""Random rows of the small domain: several worlds, each in a schema of its own, and those who look at them."""

from __future__ import annotations

import dataclasses
import math
import random
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from models.clock import SHANGHAI
from tests.engine import tables as t
from tests.engine.tables import Actor, Role

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI)
INFINITY = datetime.max.replace(tzinfo=UTC)
"""What asyncpg reads and writes as `infinity`."""
Rows = dict[str, list[dict[str, Any]]]
WORDS = [
    "沈河",
    '铁西 "大楼"',
    "back\\slash",
    "it's",
    "a:b %s $1",
    "行\n二\t列",
    "\x01\x7f",
    "  \u2028",
    "😀五社",
    "",
    "A",
    "B",
    "<b>&",
]


@dataclasses.dataclass(frozen=True)
class World:
    """The rows of one schema, who looks at them, and what in them has a name."""

    name: str
    rows: Rows
    actors: tuple[Actor, ...]
    ids: tuple[str, ...]
    """Global ids: most of each kind's first rows."""


def make(seed: int, *, tasks: int = 24, pledges: int = 60, broken: float = 0.04) -> World:
    """A world. `broken` is the share of promises in it that are not kept: NaN, numbers that are no Int, closed teams."""
    r = random.Random(seed)
    rows: Rows = {name: [] for name in t.metadata.tables}

    def add(table: str, **values: Any) -> dict[str, Any]:
        row = {"id": uuid.UUID(int=r.getrandbits(128), version=4), **values}
        rows[table].append(row)
        return row

    def some(table: str, share: float = 0.8) -> Any:
        return r.choice(rows[table])["id"] if rows[table] and r.random() < share else None

    def text() -> str:
        return "".join(r.choice(WORDS) for _ in range(r.randrange(3)))

    def instant() -> datetime:
        """With few values, so that orders have ties; with microseconds, so that cursors need them."""
        return NOW + timedelta(days=r.randrange(-3, 4), microseconds=r.choice((0, 0, 0, 1, 999_999, 123_456)))

    for n in range(6):
        above = r.choice(rows["place"]) if n else None
        add(
            "place",
            code=f"2101{n}",
            parent_id=above and above["id"],
            path=(above["path"] if above else "") + f"/{n}",
            name=text() + str(n),
        )
    for n in range(6):
        add("team", name=text() + str(n % 4), closed=r.random() < 2 * broken, place_id=some("place", 1))
    for _ in range(8):
        add("person", name="张王李赵"[r.randrange(4)] + text(), hidden=r.random() < 0.3, team_id=some("team"))
    for _ in range(tasks):
        where = r.choice(rows["place"])
        add(
            "task",
            title=text(),
            note=r.choice((None, text())),
            state=r.choice(("OPEN", "OPEN", "DONE", "LOST")),
            urgency=r.randrange(4),
            score=r.choice((math.nan, math.inf)) if r.random() < broken else r.choice((0.1, -1e-7, 1e22, 3.0)),
            weight=r.choice((0.0, 0.1, 2.5, 1e300)),
            rating=r.choice((None, 4.5, 1 / 3)),
            price=Decimal(r.randrange(400)).scaleb(-2),
            cost_fen=r.randrange(10**6),
            budget_fen=r.choice((None, r.randrange(10**6))),
            big=2**40 if r.random() < broken else r.choice((None, 2**31 - 1, -(2**31))),
            at=instant(),
            seen_at=r.choice((None, instant())),
            due=r.choice((None, date(2026, 11, r.randrange(1, 4)))),
            tags=[text() for _ in range(r.randrange(3))],
            kinds=r.sample(("LIFT", "READ", "COOK"), r.randrange(4)),
            days=r.choice((None, [], [date(2026, 1, 31), date(1999, 12, 1)])),
            urgent=r.random() < 0.5,
            private=r.random() < 0.25,
            published_at=instant() - timedelta(days=2),
            place_id=where["id"],
            place_code=where["code"],
            asker_id=some("person"),
            team_id=some("team", 0.5),
            person_id=some("person", 0.6),
        )
    for _ in range(pledges):
        add(
            "pledge",
            task_id=some("task", 1),
            team_id=some("team", 1),
            person_id=some("person"),
            minutes=r.randrange(4) * 30,
            at=instant(),
        )
    actors = (
        Actor(Role.PUBLIC),
        Actor(Role.MEMBER, team=rows["team"][0]["id"], person=rows["person"][0]["id"]),
        Actor(Role.MEMBER),
        Actor(Role.STAFF, path=rows["place"][0]["path"], person=rows["person"][1]["id"]),
        Actor(Role.STAFF, path=rows["place"][2]["path"]),
    )
    ids = tuple(f"{kind}_{row['id']}" for kind in rows for row in rows[kind][:5])
    return World(f"world_{seed}", rows, actors, ids)


def broken() -> World:
    """A world whose first task breaks every promise that it can; it comes first by price. The second breaks none."""
    world = make(77, broken=0.0)
    first, second, *_ = world.rows["task"]
    same = {"private": False, "published_at": NOW, "urgent": True, "urgency": -1}
    closed = {**world.rows["team"][0], "id": uuid.UUID(int=1), "name": "关", "closed": True}
    world.rows["team"].append(closed)
    asker = {**world.rows["person"][0], "hidden": False}
    world.rows["person"][0] = asker
    bad = {
        "score": math.nan,
        "tags": ["a", None],
        "kinds": [None],
        "at": INFINITY,
        "big": 2**40,
        "price": Decimal("-1.00"),
    }
    first.update(same, **bad, asker_id=asker["id"], team_id=closed["id"])
    second.update(same, title="好")
    for row in world.rows["pledge"][:3]:
        row.update(task_id=first["id"], person_id=asker["id"], team_id=closed["id"], minutes=600)
    return dataclasses.replace(world, name="world_broken")


async def store(connection: asyncpg.Connection, world: World) -> None:
    """Makes the world's schema and fills it."""
    await connection.execute(f'CREATE SCHEMA "{world.name}"; SET search_path TO "{world.name}"')
    for table in t.metadata.sorted_tables:
        await connection.execute(str(CreateTable(table).compile(dialect=postgresql.dialect())))
        for index in table.indexes:
            await connection.execute(str(CreateIndex(index).compile(dialect=postgresql.dialect())))
        await insert(connection, table.name, world.rows[table.name])


async def insert(connection: asyncpg.Connection, table: str, rows: list[Mapping[str, Any]]) -> None:
    """Writes rows as they are."""
    names = list(rows[0])
    await connection.copy_records_to_table(table, records=[[row[n] for n in names] for row in rows], columns=names)
