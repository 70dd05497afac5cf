"""Demo data, loaded once for a run and cloned for each module; and a durable server for what is killed."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from models import clock, migrate, vault
from models.access import Claims, Role
from models.progress import silent
from models.seed import accounts, load
from tests.faults.client import Client, token
from tests.faults.processes import Api, Postgres
from tests.server import Server, _with, once

THOROUGH = os.environ.get("WUSHE_TEST_PROFILE") == "thorough"
"""Whether to run the full sizes."""


@dataclasses.dataclass
class Town:
    """A database with demo data, and who may sign in there."""

    api_url: str
    owner_url: str
    superuser_url: str
    tokens: dict[str, str]
    volunteers: list[str]
    """Tokens of a hundred volunteers."""

    async def sql(self, query: str, *args: object) -> list[asyncpg.Record]:
        """What the superuser reads in it."""
        connection = await asyncpg.connect(self.superuser_url)
        try:
            return list(await connection.fetch(query, *args))
        finally:
            await connection.close()


async def town(api_url: str, owner_url: str, superuser_url: str) -> Town:
    """The town of a database that is loaded."""
    connection = await asyncpg.connect(api_url)
    try:
        keys = await vault.load(connection)
    finally:
        await connection.close()
    signed = {slug: token(claims, keys) for slug, claims in await accounts(api_url)}
    made = Town(api_url, owner_url, superuser_url, signed, [])
    some = await made.sql("SELECT person_id FROM volunteer WHERE state = 'ACTIVE' ORDER BY volunteer_no LIMIT 100")
    made.volunteers = [token(Claims(row["person_id"], Role.VOLUNTEER), keys) for row in some]
    return made


@pytest.fixture(scope="session")
def loaded(server: Server, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The run's server with a second template, which has demo data."""
    made = dataclasses.replace(server, template=f"{server.template}_demo")
    with once(tmp_path_factory, worker, "demo") as first:
        if first:
            server.clone(made.template)
            asyncio.run(load(server.owner_url(made.template), "demo", clock.now(), silent))
    return made


@pytest.fixture(scope="module")
async def here(loaded: Server, worker: str, request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    """The module's own town, on the run's server."""
    name = f"f_{worker}_{request.module.__name__.rpartition('.')[2]}"
    await asyncio.to_thread(loaded.clone, name)
    superuser = _with(loaded.superuser, name)
    yield await town(loaded.api_url(name), loaded.owner_url(name), superuser)
    await asyncio.to_thread(loaded.drop, name)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A durable server with demo data, for what kills it."""
    made = Postgres(tmp_path_factory.mktemp("durable"))
    try:
        migrate.upgrade(made.cluster.owner_url, "wushe_api")
        asyncio.run(load(made.cluster.owner_url, "demo", clock.now(), silent))
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
async def durable(postgres: Postgres) -> Town:
    """The town on the durable server."""
    run = postgres.cluster
    return await town(run.api_url, run.owner_url, run.superuser_url)


@pytest.fixture(scope="module")
async def api(here: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """One API process on the module's town."""
    async with Api(here.api_url, tmp_path_factory.mktemp("api") / "log") as made:
        yield made


@pytest.fixture
def client(api: Api) -> Client:
    """A client of it."""
    return Client(api.port)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where a process of one test writes what it says."""
    return tmp_path / "log"
