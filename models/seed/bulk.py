"""What makes a load of millions of rows quick: constraints and indexes are put aside, and built at the end.

Everything happens in the load's one transaction, so that a load that fails or is killed leaves the database as it
was. What is put aside is read from the catalogue and made again from the catalogue's own words; building a constraint
checks all rows, so nothing comes in that it would have refused.
"""

from __future__ import annotations

import dataclasses

import asyncpg

from models.progress import Progress

CONSTRAINTS = """
SELECT c.conrelid::regclass::text AS on_table, quote_ident(c.conname) AS name, c.contype::text AS kind,
       pg_get_constraintdef(c.oid) AS definition
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid LEFT JOIN pg_class r ON r.oid = c.confrelid
WHERE t.relnamespace = current_schema()::regnamespace AND c.conparentid = 0
  AND (t.relname = ANY ($1) AND c.contype IN ('p', 'u', 'x') AND NOT (c.contype = 'p' AND t.relname = ANY ($2))
       OR c.contype = 'f' AND (t.relname = ANY ($1) OR r.relname = ANY ($1)))
ORDER BY c.contype = 'f', t.relname, c.contype <> 'p', c.conname
"""
INDEXES = """
SELECT quote_ident(i.relname) AS name, pg_get_indexdef(x.indexrelid) AS definition
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid
WHERE t.relname = ANY ($1) AND t.relnamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid AND c.contype IN ('p', 'u', 'x'))
ORDER BY t.relname, i.relname
"""
TRIGGERS = """
SELECT t.relname AS on_table, quote_ident(g.tgname) AS name
FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
WHERE t.relname = ANY ($1) AND t.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal
  AND g.tgname <> ALL ($2)
ORDER BY 1, 2
"""
KEPT_TRIGGERS = ["fund_opened", "ledger_rolled_up", "window_made"]
"""They write rows that follow from others: balances, accounts, months and offers' times are theirs in a load, too."""

KEYED = ["fund_balance", "fund_month", "ledger_account", "ledger_txn"]
"""Those triggers look things up here by primary key, so these keys stay on."""

SETTINGS = (
    "SET LOCAL maintenance_work_mem = '192MB'",
    "SET LOCAL work_mem = '64MB'",
    "SET LOCAL synchronous_commit = off",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = '5s'",
    "SET LOCAL jit = off",
    "SET LOCAL timezone = 'Asia/Shanghai'",
)


@dataclasses.dataclass(frozen=True)
class PutAside:
    """What was taken off the tables."""

    constraints: list[asyncpg.Record]
    indexes: list[asyncpg.Record]
    triggers: list[asyncpg.Record]


async def put_aside(connection: asyncpg.Connection, tables: list[str]) -> PutAside:
    """Takes constraints, indexes and guarding triggers off these tables."""
    for setting in SETTINGS:
        await connection.execute(setting)
    off = PutAside(
        await connection.fetch(CONSTRAINTS, tables, KEYED),
        await connection.fetch(INDEXES, tables),
        await connection.fetch(TRIGGERS, tables, KEPT_TRIGGERS),
    )
    for trigger in off.triggers:
        await connection.execute(f"ALTER TABLE {trigger['on_table']} DISABLE TRIGGER {trigger['name']}")
    for one in reversed(off.constraints):  # references first, then what they refer to
        await connection.execute(f"ALTER TABLE {one['on_table']} DROP CONSTRAINT {one['name']}")
    for index in off.indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    return off


async def put_back(connection: asyncpg.Connection, off: PutAside, progress: Progress) -> None:
    """Builds them again: keys, indexes, references, triggers. Raises asyncpg errors where rows break a promise."""
    with progress("索引与约束", len(off.constraints) + len(off.indexes)) as advance:
        for one in (c for c in off.constraints if c["kind"] != "f"):
            await connection.execute(f"ALTER TABLE {one['on_table']} ADD CONSTRAINT {one['name']} {one['definition']}")
            advance(1)
        for index in off.indexes:
            await connection.execute(index["definition"])
            advance(1)
        for one in (c for c in off.constraints if c["kind"] == "f"):
            await connection.execute(f"ALTER TABLE {one['on_table']} ADD CONSTRAINT {one['name']} {one['definition']}")
            advance(1)
        for trigger in off.triggers:
            await connection.execute(f"ALTER TABLE {trigger['on_table']} ENABLE TRIGGER {trigger['name']}")
