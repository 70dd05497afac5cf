"""Demo data, and what each role's account may see of them by the rules alone."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from api.app import engine as build_engine
from models import vault
from models.access import Actor, Role, seen
from models.database import Db, Seen
from models.tables import METADATA
from resolvers.engine import words
from resolvers.engine.engine import Engine
from tests.conftest import NOW
from tests.demo import Demo, demo

ROLES = [role.slug for role in Role]
Key = UUID | str
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Looking:
    """One caller, and a connection of the API's role."""

    actor: Actor
    connection: asyncpg.Connection

    async def seen(self, table: str, column: str) -> set[Key]:
        """A column's values in the rows that the caller may see, by the table's rule and nothing else."""
        rows = METADATA.tables[table]

        def build(viewer: Any) -> Any:
            alias = rows.alias("looked_at")
            return sa.select(alias.c[column]).where(alias.c[column].is_not(None), *seen(alias, table, viewer))

        found = await Db(self.connection, self.actor, NOW).all(Seen(build))
        return {row[0] for row in found}


def as_api(demo: Demo, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Runs something on a connection of the API's role."""
    return asyncio.run(_connected(demo.api, work))


async def _connected(url: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    connection = await asyncpg.connect(url, server_settings={"timezone": "Asia/Shanghai", "jit": "off"})
    try:
        return await work(connection)
    finally:
        await connection.close()


@dataclasses.dataclass(frozen=True)
class Stock:
    """What is really there, as the superuser sees it."""

    ids: dict[str, set[UUID]]
    """By table."""
    names: set[str]
    """Plain names of everybody, donors included."""
    phones: set[str]
    consented: set[str]
    """Names under which donors allow their gifts to be published."""
    of: dict[UUID, tuple[str, str | None, str | None]]
    """A person's plain name, phone and address."""


PEOPLE = (
    "SELECT p.person_id, p.name, c.phone, c.address FROM person_name p LEFT JOIN person_contact c USING (person_id)"
)


def opened(row: asyncpg.Record, keys: vault.Keys) -> tuple[str, str | None, str | None]:
    """A person's plain name, phone and address."""
    whose = row["person_id"]

    def plain(kind: vault.Kind, column: str) -> str | None:
        return None if row[column] is None else keys.open(kind, row[column], whose)

    name = keys.open(vault.Kind.NAME, row["name"], whose)
    return name, plain(vault.Kind.PHONE, "phone"), plain(vault.Kind.ADDRESS, "address")


DONORS = "SELECT name FROM donor_name WHERE kind = 'PERSON'"
CONSENTED = "SELECT DISTINCT public_name FROM donation WHERE publish_name AND status = 'RECEIVED'"


@pytest.fixture(scope="session")
def stock(demo: Demo, engine: Engine) -> Stock:
    async def read(connection: asyncpg.Connection) -> Stock:
        ids = {t: {r[0] for r in await connection.fetch(f"SELECT id FROM {t}")} for t in prefixes(engine).values()}
        keys = await vault.load(connection)
        people = {r["person_id"]: opened(r, keys) for r in await connection.fetch(PEOPLE)}
        phones = {phone for _, phone, _ in people.values() if phone}
        names = {name for name, _, _ in people.values()} | {r[0] for r in await connection.fetch(DONORS)}
        consented = {r[0] for r in await connection.fetch(CONSENTED)}
        return Stock(ids, names, phones, consented, people)

    return asyncio.run(_connected(demo.superuser, read))


def prefixes(engine: Engine) -> dict[str, str]:
    """The table of each prefix of global ids."""
    entities = [words.entity_of(type_) for type_ in engine.schema.type_map.values()]
    return {e.prefix: e.table.name for e in entities if e is not None and e.prefix is not None}


@pytest.fixture(scope="session")
def engine() -> Engine:
    return build_engine(production=False)


async def others(connection: asyncpg.Connection, how_many: int, seed: int) -> list[Actor]:
    """Callers who have no demo account: by chance, people of the demo data in every capacity, and for any place."""
    r = random.Random(seed)
    people = [row[0] for row in await connection.fetch("SELECT person_id FROM volunteer ORDER BY volunteer_no")]
    people += [row[0] for row in await connection.fetch("SELECT person_id FROM resident ORDER BY id")]
    organizations = [row[0] for row in await connection.fetch("SELECT id FROM organization ORDER BY id")]
    places = [row[0] for row in await connection.fetch("SELECT DISTINCT area FROM need ORDER BY area")]
    made = []
    for n in range(how_many):
        role = list(Role)[n % len(Role)]
        area = r.choice(places)
        digits = {Role.DISTRICT_VIEWER: 6, Role.CITY_VIEWER: 4, Role.GRID_OFFICER: 15}.get(role, 12)
        if role is Role.PUBLIC:
            continue
        made.append(Actor(role, r.choice(people), r.choice(organizations), area[:digits]))
    return made


__all__ = ["demo"]
