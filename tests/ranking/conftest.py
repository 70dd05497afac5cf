"""A neighbourhood with places on the plane: the community's centre at (0, 0), volunteers around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.pool import Pool
from tests.make_exchange import GRID, HERE, NOW, Scene, neighbourhood
from tests.server import Server, name_of


class Streets(Scene):
    """The scene of the marketplace, and what ranking needs of it."""

    async def volunteers(self, *names: str, **over: Any) -> None:
        """Gives volunteers a point, a week and a radius, unless said otherwise: Tuesday 8:00 to 12:00, 600 m away."""
        for name in names:
            who = self.n.people[name]
            given = {"x": 0.6, "y": 0.0, "radius_km": 3.0, "categories": ["ELDERLY"], "own_point": True, **over}
            windows = given.pop("windows", [(2, 480, 720)])
            columns = ", ".join(f"{column} = ${n}" for n, column in enumerate(given, 2))
            await self.c.execute(f"UPDATE volunteer SET {columns} WHERE person_id = $1", who, *given.values())
            await self.c.execute("DELETE FROM volunteer_window WHERE person_id = $1", who)
            for weekday, since, until in windows:
                await self.c.execute(
                    "INSERT INTO volunteer_window (person_id, weekday, from_minute, to_minute) VALUES ($1, $2, $3, $4)",
                    *(who, weekday, since, until),
                )

    async def qualified(self, name: str, type: str, valid_to: Any = None) -> None:
        """A paper of a volunteer's that staff have seen."""
        await self.c.execute(
            "INSERT INTO qualification (person_id, type, number, number_index, number_masked, issued_by, valid_to,"
            " status, decided_by, decided_at, created_at)"
            " VALUES ($1, $2, '', $3, 'x', 'x', $4, 'VERIFIED', $5, $6, $6)",
            *(self.n.people[name], type, f"{name}{type}".encode(), valid_to, self.n.people["staff"], NOW),
        )

    async def candidates(self, need: UUID, first: int = 10, at: datetime | None = None) -> list[str]:
        """The names of who may serve a need, best first; an offer's is `offer`."""
        rows = await self.listed("match_candidates", need, first, at)
        by_id = {id: name for name, id in self.n.people.items()}
        return [by_id.get(row["provider_id"], "offer") for row in rows]

    async def needs(self, name: str, first: int = 10, at: datetime | None = None) -> list[UUID]:
        """The needs that are recommended to a volunteer, best first."""
        return [row["need_id"] for row in await self.listed("match_needs", self.n.people[name], first, at)]

    async def listed(
        self, function: str, of: UUID, first: int = 10, at: datetime | None = None
    ) -> Sequence[asyncpg.Record]:
        """What a function of the database lists."""
        return await self.c.fetch(f"SELECT * FROM {function}($1, $2, $3)", of, at or self.now, first)


async def made(connection: asyncpg.Connection) -> Streets:
    """The scene, with its places."""
    scene = Streets(connection, await neighbourhood(connection))
    await connection.execute("UPDATE division SET x = 0, y = 0 WHERE code LIKE $1", HERE[:9] + "%")
    await connection.execute("UPDATE grid SET x = 0, y = 0 WHERE code = $1", GRID)
    return scene


@pytest.fixture
async def streets(connection: asyncpg.Connection) -> Streets:
    """In a transaction that rolls back."""
    return await made(connection)


@pytest.fixture
async def lasting(pool: Pool) -> AsyncIterator[Streets]:
    """Committed, for what is asked over the schema."""
    async with pool.connection() as connection:
        yield await made(connection)


@pytest.fixture
async def owner(server: Server, committed: str) -> AsyncIterator[asyncpg.Connection]:
    """The database's owner, who may read the views that the mirrors are made of."""
    made = await asyncpg.connect(server.owner_url(name_of(committed)))
    yield made
    await made.close()
