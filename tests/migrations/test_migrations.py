"""One head, up and down and up again, no drift, and rights that stop where they should."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from models import migrate, revisions
from models.tables import METADATA
from tests.server import Server


def apart(work: Callable[[], Any]) -> Any:
    """Runs what starts an event loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def looped(make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return apart(lambda: asyncio.run(make()))


@pytest.fixture
def empty(server: Server, worker: str) -> Any:
    name = f"migrated_{worker}"
    apart(lambda: server.make(name))
    yield server.owner_url(name)
    apart(lambda: server.drop(name))


def test_up_down_up_and_no_drift(empty: str) -> None:
    assert looped(lambda: migrate.revision(empty)) is None
    apart(lambda: migrate.upgrade(empty, "wushe_api"))
    assert looped(lambda: migrate.drift(empty)) == []
    apart(lambda: migrate.downgrade(empty))
    left = looped(lambda: tables(empty))
    assert left <= {"alembic_version"}
    apart(lambda: migrate.upgrade(empty, "wushe_api"))
    assert looped(lambda: migrate.revision(empty)) == migrate.head() == revisions.newest()
    assert looped(lambda: migrate.drift(empty)) == []


def test_merged_records_are_not_undone_by_a_downgrade(empty: str) -> None:
    apart(lambda: migrate.upgrade(empty, "wushe_api"))
    looped(lambda: merged(empty))
    with pytest.raises(RuntimeError, match="restore a backup"):
        apart(lambda: migrate.downgrade(empty, "0011"))
    assert looped(lambda: migrate.revision(empty)) == "0012"  # and there it stays


async def merged(url: str) -> None:
    """A record that was given up for another one, and of which nothing plain is left."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO person (name_masked, gender, pinyin, acts, state, created_at)"
            " VALUES ('*', 'UNKNOWN', '*', false, 'MERGED', now())"
        )
    finally:
        await connection.close()


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {r[0] for r in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    finally:
        await connection.close()


async def test_the_apis_role_can_only_add_to_what_is_append_only(connection: asyncpg.Connection) -> None:
    kept = [t.name for t in METADATA.sorted_tables if t.info.get("append_only")]
    assert {"event", "hour_entry", "ledger_entry", "ledger_txn", "spend_trace", "pii_access"} <= set(kept)
    for name in kept:
        for statement in (f"DELETE FROM {name}", f"TRUNCATE {name}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute(statement)
        column = await connection.fetchval(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' ORDER BY attnum LIMIT 1",
            name,
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute(f'UPDATE {name} SET "{column}" = "{column}"')


async def test_the_apis_role_owns_nothing_and_makes_nothing(connection: asyncpg.Connection) -> None:
    assert await connection.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connection.transaction():
            await connection.execute("CREATE TABLE mine (id int)")


async def test_constraints_are_called_as_they_are_declared(connection: asyncpg.Connection) -> None:
    """A refusal is told by its constraint's name; a drift check does not compare them."""
    rows = await connection.fetch(
        """
        SELECT c.conrelid::regclass::text AS table, c.conname AS name FROM pg_constraint c
        WHERE c.contype = 'c' AND c.connamespace = 'public'::regnamespace AND c.conrelid <> 0
          AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.conrelid)
        """
    )
    there = {(r["table"], r["name"]) for r in rows if not r["table"].startswith("pgqueuer")}
    declared = {
        (t.name, str(c.name if str(c.name).startswith("ck_") else f"ck_{t.name}_{c.name}"))
        for t in METADATA.sorted_tables
        if not t.info.get("view")
        for c in t.constraints
        if isinstance(c, sa.CheckConstraint)
    }
    assert there == declared
