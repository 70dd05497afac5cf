"""One database for each worker, with a schema for each of the random worlds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import asyncpg
import orjson
import pytest

from resolvers.engine.engine import Engine, Request
from resolvers.engine.plans import MARK
from tests.engine import domain, reference, rows
from tests.engine import tables as t
from tests.engine.rows import World
from tests.engine.tables import Actor
from tests.server import Server, own

WORLDS = 6


class Reads:
    """A connection that remembers what it was asked."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.statements: list[tuple[str, tuple[Any, ...]]] = []

    async def fetchval(self, sql: str, *args: Any) -> Any:
        self.statements.append((sql, args))
        return await self.connection.fetchval(sql, *args)


@pytest.fixture(scope="session")
def worlds() -> list[World]:
    """Random rows. The first has no broken promise."""
    return [rows.make(0, broken=0.0), *(rows.make(seed) for seed in range(1, WORLDS))]


@pytest.fixture(scope="session")
def broken_world() -> World:
    return rows.broken()


@pytest.fixture(scope="session")
def engine_url(server: Server, worker: str, worlds: list[World], broken_world: World) -> Iterator[str]:
    """The owner's URL of a database that has every world."""
    name = f"engine_{worker}"
    url = server.owner_url(name)

    async def fill() -> None:
        connection = await asyncpg.connect(url)
        try:
            for world in (*worlds, broken_world):
                await rows.store(connection, world)
            await connection.execute("ANALYZE")
        finally:
            await connection.close()

    asyncio.run(
        server._execute(
            f'DROP DATABASE IF EXISTS "{own(name)}" WITH (FORCE)',
            f'CREATE DATABASE "{own(name)}" TEMPLATE template0 OWNER wushe_owner',
        )
    )
    asyncio.run(fill())
    yield url
    server.drop(name)


@pytest.fixture(scope="session")
async def at(engine_url: str, worlds: list[World], broken_world: World) -> AsyncIterator[dict[str, asyncpg.Connection]]:
    """A connection into each world, by name."""
    made = {}
    for world in (*worlds, broken_world):
        settings = {"search_path": world.name, "jit": "off", "timezone": "Asia/Shanghai"}
        made[world.name] = await asyncpg.connect(engine_url, server_settings=settings)
    yield made
    for connection in made.values():
        await connection.close()


async def no_verbs(verb: Any) -> Any:
    raise AssertionError("queries only")


def make_engine(perform: Callable[[Any], Awaitable[Any]] = no_verbs, **kw: Any) -> Engine:
    return Engine(domain.schema(), t.RULES, set(t.SEEN), perform, **kw)


@pytest.fixture(scope="session")
def engine() -> Engine:
    return make_engine()


@pytest.fixture(scope="session")
def oracle() -> Any:
    """The reference's schema."""
    return reference.build()


class Opening(Request):
    """A request whose seals are no more than a form: what is between the marks is the text itself."""

    async def unmark(self, text: bytes) -> bytes:
        parts = text.split(MARK.encode())
        for n in range(1, len(parts), 2):
            how, _, *rest = parts[n].decode().split(":")
            plain = bytes.fromhex(rest[1]) if rest else b""
            parts[n] = b"null" if how == "?" else orjson.dumps(plain.decode()) if how == "s" else plain
        return b"".join(parts)


class Asking:
    """A short way to ask the engine in one world."""

    def __init__(self, engine: Engine, oracle: Any, world: World, connection: asyncpg.Connection) -> None:
        self.engine, self.oracle, self.world = engine, oracle, world
        self.reads = Reads(connection)

    def request(self, text: str, actor: Actor | None = None, name: str | None = None, /, **variables: Any) -> Request:
        actor = actor or self.world.actors[0]
        return Opening(text, variables, name, actor, t.asker(actor, rows.NOW), self.reads)

    async def fast(self, text: str, actor: Actor | None = None, name: str | None = None, /, **variables: Any) -> Any:
        """The fast path's data, or None."""
        request = self.request(text, actor, name, **variables)
        document = self.engine.document(request)
        found = await self.engine.fast(request, document, self.engine.coerced(document, request))
        return None if found is None else orjson.loads(found)["data"]

    async def standard(
        self, text: str, actor: Actor | None = None, name: str | None = None, /, **variables: Any
    ) -> Any:
        """The standard path's result."""
        request = self.request(text, actor, name, **variables)
        return await self.engine.standard(request, self.engine.document(request))

    def reference(self, text: str, actor: Actor | None = None, name: str | None = None, /, **variables: Any) -> Any:
        """The reference's result."""
        return reference.run(self.oracle, self.world.rows, actor or self.world.actors[0], text, variables, name)

    async def __call__(
        self, text: str, actor: Actor | None = None, name: str | None = None, /, **variables: Any
    ) -> Any:
        """The data, the same on every path: the fast one must have been taken."""
        data = await self.fast(text, actor, name, **variables)
        standard = await self.standard(text, actor, name, **variables)
        expected = self.reference(text, actor, name, **variables)
        assert expected.errors is None, expected.errors
        assert not list(differences(data, expected.data))
        assert list(keys(data)) == list(keys(expected.data))
        assert (standard.data, standard.errors) == (data, None)
        return data

    async def errors(
        self, text: str, actor: Actor | None = None, name: str | None = None, /, **variables: Any
    ) -> list[tuple[Any, Any]]:
        """(path, code) of the errors of an answer that is the same as the reference's; the fast path must have declined."""
        assert await self.fast(text, actor, name, **variables) is None
        standard = await self.standard(text, actor, name, **variables)
        expected = self.reference(text, actor, name, **variables)
        assert standard.data == expected.data
        assert sorted(str(e.path) for e in standard.errors) == sorted(str(e.path) for e in expected.errors)
        return [(e.path, (e.extensions or {}).get("code")) for e in standard.errors]


def keys(data: Any) -> Iterator[str]:
    """Every key, in the order of the answer."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield key
            yield from keys(value)
    elif isinstance(data, list):
        for value in data:
            yield from keys(value)


def differences(left: Any, right: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two answers differ."""
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        for key in left:
            yield from differences(left[key], right[key], f"{path}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for n, (a, b) in enumerate(zip(left, right, strict=True)):
            yield from differences(a, b, f"{path}.{n}")
    elif left != right:
        yield path, left, right


@pytest.fixture
def ask(engine: Engine, oracle: Any, worlds: list[World], at: dict[str, asyncpg.Connection]) -> Asking:
    """Asks in the world without broken promises."""
    return Asking(engine, oracle, worlds[0], at[worlds[0].name])
