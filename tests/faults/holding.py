"""Locks that a test holds so that the API's statements wait, and how many wait."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from tests.faults.client import bare
from tests.faults.conftest import Town
from tests.faults.processes import eventually

WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'wushe' AND state = 'active' AND wait_event_type = 'Lock'
"""


def held(here: Town, statement: str, *args: Any) -> contextlib.AbstractAsyncContextManager[None]:
    """Another session of the town's holds a lock while the block runs."""
    return locked(here.superuser_url, statement, *args)


@contextlib.asynccontextmanager
async def locked(superuser_url: str, statement: str, *args: Any) -> AsyncIterator[None]:
    """Another session holds a lock while the block runs, so that statements which need it wait."""
    connection = await asyncpg.connect(superuser_url)
    try:
        async with connection.transaction():
            await connection.execute(statement, *args)
            yield
    finally:
        await connection.close()


def needs_locked(here: Town) -> contextlib.AbstractAsyncContextManager[None]:
    """Nobody can read a need."""
    return held(here, "LOCK TABLE need IN ACCESS EXCLUSIVE MODE")


def one_locked(here: Town, id: str) -> contextlib.AbstractAsyncContextManager[None]:
    """Nobody can change one need."""
    return held(here, "SELECT FROM need WHERE id = $1 FOR UPDATE", bare(id))


async def waiting(here: Town, count: int) -> float:
    """Seconds until so many statements of the API wait for a lock."""

    async def so_many() -> bool:
        return len(await here.sql(WAITING)) == count

    return await eventually(so_many)
