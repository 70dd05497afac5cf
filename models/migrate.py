"""Bringing a database to the newest migration, and giving the API's role exactly what it needs.

Tables belong to the owner. The API's role may read and write them, save those marked append-only, which it may read
and insert into and nothing else.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa
from alembic import command, util
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from models import audit_seal, clock, vault
from models.relay import REBASE, foreign
from models.tables import METADATA

HERE = Path(__file__).parent / "migrations"
PARTITIONED = ("event", "audit_event")
MONTHS_AHEAD = 3
QUEUE = ("pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics")
"""The job queue's tables: pgqueuer declares them, the first migration makes them."""


def config(owner_url: str) -> Config:
    """Alembic's configuration for one database."""
    made = Config()
    made.set_main_option("script_location", str(HERE).replace("%", "%%"))
    made.set_main_option("sqlalchemy.url", owner_url.replace("%", "%%"))
    return made


def head() -> str:
    """The newest revision. Raises when there is more than one head."""
    found = ScriptDirectory(str(HERE)).get_current_head()
    assert found is not None
    return found


def upgrade(owner_url: str, api_role: str, to: str = "head") -> None:
    """Migrates, makes the coming months' partitions, and grants. Safe to run again at any time."""
    command.upgrade(config(owner_url), to)
    asyncio.run(_settle(owner_url, api_role))


def downgrade(owner_url: str, to: str = "base") -> None:
    """Goes back to an older revision."""
    command.downgrade(config(owner_url), to)


async def revision(url: str) -> str | None:
    """The revision that a database is at; None for an empty one."""
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return found
    finally:
        await connection.close()


def compared(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """What a drift check looks at: not the partitions, which jobs make, and not views."""
    if kind == "table" and thing.info.get("view"):
        return False
    table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", None)
    foreign = {"alembic_version"}
    return not (table and (table in foreign or table.startswith(("pgqueuer", *(f"{p}_p" for p in PARTITIONED)))))


async def drift(owner_url: str) -> list[Any]:
    """How the database at head differs from the tables as declared; an empty list when it does not."""
    engine = create_async_engine(owner_url.replace("postgresql://", "postgresql+asyncpg://", 1))
    options = {"compare_type": True, "include_object": compared}

    def look(connection: sa.Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))

    try:
        async with engine.connect() as connection:
            return await connection.run_sync(look)
    finally:
        await engine.dispose()


async def _settle(owner_url: str, api_role: str) -> None:
    connection = await asyncpg.connect(owner_url)
    try:
        async with connection.transaction():
            await make_partitions(connection, clock.month(clock.now()))
            if await foreign(connection):
                for statement in REBASE:
                    await connection.execute(statement)
            for statement in grants(api_role):
                await connection.execute(statement)
            await vault.found(connection)
            if await audit_seal.foreign(connection):
                await audit_seal.move(connection, await vault.load(connection), clock.now())
    finally:
        await connection.close()


async def make_partitions(connection: asyncpg.Connection, first: dt.date) -> None:
    """The monthly partitions from `first` on, a few months ahead. Rows of other months fall into the default one.

    A month of which the default one has rows already stays there: PostgreSQL refuses a partition that would take them.
    """
    for parent in PARTITIONED:
        month = first
        for _ in range(MONTHS_AHEAD + 1):
            after = clock.next_month(month)
            name, since, until = f"{parent}_p{month:%Y%m}", clock.midnight(month), clock.midnight(after)
            made = await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", name)
            kept = f"SELECT EXISTS (SELECT FROM {parent}_pdefault WHERE at >= $1 AND at < $2)"  # noqa: S608
            if not made and not await connection.fetchval(kept, since, until):
                await connection.execute(
                    f"CREATE TABLE {name} PARTITION OF {parent} FOR VALUES"
                    f" FROM ('{since.isoformat()}') TO ('{until.isoformat()}')"
                )
                if parent == "audit_event":
                    await connection.execute(
                        f"CREATE TRIGGER kept_whole BEFORE TRUNCATE ON {name} EXECUTE FUNCTION refuse_change()"
                    )
            month = after


def grants(api_role: str) -> list[str]:
    """The statements that give the API's role what it needs, and take the rest."""
    role = '"' + api_role.replace('"', '""') + '"'
    out = [
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        f"GRANT SELECT ON alembic_version TO {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ]
    for table in METADATA.sorted_tables:
        rights = (
            "SELECT"
            if table.info.get("read_only")
            else "SELECT, INSERT"
            if table.info.get("append_only")
            else "SELECT, INSERT, UPDATE, DELETE"
        )
        out.append(f"GRANT {rights} ON {table.name} TO {role}")
    out += [f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}" for table in QUEUE]
    return out


__all__ = [
    "compared",
    "config",
    "downgrade",
    "drift",
    "grants",
    "head",
    "make_partitions",
    "revision",
    "upgrade",
    "util",
]
