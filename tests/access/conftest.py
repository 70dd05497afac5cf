"""Demo data, and what each role's account may see of them by the rules alone."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from api.access_cells import alias_of
from api.access_matrix import Matrix
from api.app import engine as build_engine
from models import vault
from models.access import STAFF_ROLES, Actor, Role, seen
from models.database import Db, Seen
from models.tables import METADATA
from models.vault import NO_ONE
from resolvers.engine import words
from resolvers.engine.compiler import Compiler
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


def as_superuser(demo: Demo, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Runs something on a connection that sees all."""
    return asyncio.run(_connected(demo.superuser, work))


async def _connected(url: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    connection = await asyncpg.connect(url, server_settings={"timezone": "Asia/Shanghai", "jit": "off"})
    try:
        return await work(connection)
    finally:
        await connection.close()


@dataclasses.dataclass(frozen=True)
class Stock:
    """What is really there, as the superuser sees it, opened by the vault."""

    ids: dict[str, set[UUID]]
    """By table."""
    plain: dict[str, set[str]]
    """By kind of key: every sealed value that there is, opened."""
    donors: set[str]
    """Plain names of donors who are people."""
    consented: set[str]
    """Names under which donors allow their gifts to be published."""
    of: dict[UUID, tuple[str | None, str | None, str | None]]
    """A person's plain name, phone and address."""
    near: dict[str, set[UUID]]
    """By demo account: the people whose particulars he may read without a reveal, by D.5 and not by the rules."""

    @property
    def names(self) -> set[str]:
        """Plain names of everybody, donors included."""
        return self.plain["NAME"]

    @property
    def phones(self) -> set[str]:
        return self.plain["PHONE"]


CONSENTED = "SELECT DISTINCT public_name FROM donation WHERE publish_name AND status = 'RECEIVED'"
STAFFED = """
SELECT subject_id FROM need WHERE area LIKE $1 UNION SELECT person_id FROM resident WHERE area LIKE $1
UNION SELECT volunteer_id FROM attendance WHERE area LIKE $1
"""
SERVED = """
SELECT n.subject_id FROM need n JOIN commitment c ON c.need_id = n.id WHERE c.{column} = $1
UNION SELECT volunteer_id FROM attendance WHERE organization_id = $1
"""
LIVED_WITH = """
SELECT n.subject_id FROM need n WHERE n.requester_id = $1
   OR n.household = (SELECT household FROM resident WHERE person_id = $1)
"""


async def near(connection: asyncpg.Connection, actor: Actor) -> set[UUID]:
    """Of whom somebody may read what needs and attendances say: staff of their area, providers and parties."""
    asked: tuple[str, Any] | None = None
    if actor.role in STAFF_ROLES:
        asked = STAFFED, f"{actor.area}%"
    elif actor.role is Role.NGO_STAFF:
        asked = SERVED.format(column="organization_id"), actor.organization
    elif actor.role is Role.VOLUNTEER:
        asked = SERVED.format(column="volunteer_person_id"), actor.person
    elif actor.role is Role.RESIDENT:
        asked = LIVED_WITH, actor.person
    return {NO_ONE} if asked is None else {NO_ONE, *[row[0] for row in await connection.fetch(*asked)]}


def sealed_columns() -> list[sa.Column[Any]]:
    """Every column that holds sealed values of people."""
    every = [c for t in METADATA.sorted_tables for c in t.columns]
    return [c for c in every if "sealed" in c.info and c.info["subject"] is not None]


async def opened(connection: asyncpg.Connection, column: sa.Column[Any]) -> list[tuple[UUID, str]]:
    """(whose, plain) of every value in a sealed column."""
    keys = await vault.of(connection).keys(connection)
    whose, name, table = column.info["subject"], column.name, column.table.name
    rows = await connection.fetch(f"SELECT {whose}, {name} FROM {table} WHERE {name} IS NOT NULL")
    return [(row[0] or NO_ONE, keys.open(column.info["sealed"], row[1], row[0] or NO_ONE)) for row in rows]


@pytest.fixture(scope="session")
def stock(demo: Demo, engine: Engine) -> Stock:
    async def read(connection: asyncpg.Connection) -> Stock:
        ids = {t: {r[0] for r in await connection.fetch(f"SELECT id FROM {t}")} for t in prefixes(engine).values()}
        by_column = {(c.table.name, c.name): await opened(connection, c) for c in sealed_columns()}
        plain: dict[str, set[str]] = {kind.value: set() for kind in vault.Kind}
        for column in sealed_columns():
            plain[column.info["sealed"].value] |= {text for _, text in by_column[column.table.name, column.name]}
        names, phones, addresses = (
            dict(by_column[c])
            for c in (("person_name", "name"), ("person_contact", "phone"), ("person_contact", "address"))
        )
        of = {id: (names.get(id), phones.get(id), addresses.get(id)) for id in ids["person"]}
        donors = {name for _, name in by_column["donor_name", "name"]}
        consented = {r[0] for r in await connection.fetch(CONSENTED)}
        known = {slug: await near(connection, actor) for slug, actor in demo.actors.items()}
        return Stock(ids, plain, donors, consented, of, known)

    return asyncio.run(_connected(demo.superuser, read))


def prefixes(engine: Engine) -> dict[str, str]:
    """The table of each prefix of global ids."""
    entities = [words.entity_of(type_) for type_ in engine.schema.type_map.values()]
    return {e.prefix: e.table.name for e in entities if e is not None and e.prefix is not None}


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The application's engine. Hundreds of statements are written for every role: of what each calls `t1`, `t2`, …
    (no statement calls two things alike) the columns are made once."""

    def alias(compiler: Compiler, table: sa.Table) -> Any:
        made = alias_of(table, compiler.name("t"))
        compiler.made.add(made.name)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compiler, "alias", alias)
        yield build_engine(production=False)


@pytest.fixture(scope="session")
def matrix(engine: Engine) -> Matrix:
    return Matrix(engine)


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
