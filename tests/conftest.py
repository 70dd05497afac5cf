"""Real PostgreSQL for every test: one server, one migrated template, a clone for each worker.

`db` is a transaction that rolls back; `committed` is a clone of its own for races, NOTIFY and locks.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from models import vault
from models.clock import SHANGHAI
from models.pool import Pool
from tests.server import Server, running

# The same examples each time, so that a red build is a change's own; `thorough` looks further, by chance.
settings.register_profile(
    "default", max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.register_profile("thorough", max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("WUSHE_TEST_PROFILE", "default"))

MASTER = b"tests only".ljust(vault.KEY_BYTES)
"""The master key of every test that does not say another."""
vault.unlock(MASTER)

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI)
"""A Monday morning: the time of tests that do not say another."""


@pytest.fixture(autouse=True)
def unlocked() -> Iterator[None]:
    """A test may take another master key; the next one has the tests' own again."""
    yield
    vault.unlock(MASTER)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The PostgreSQL of this test run, with its migrated template `wushe_template`."""
    with running(tmp_path_factory, getattr(request.config, "workerinput", {}).get("workerid", "main")) as found:
        yield found


@pytest.fixture(scope="session")
def database(server: Server, worker: str) -> Iterator[str]:
    """The API role's URL of this worker's clone of the template."""
    name = f"test_{worker}"
    server.clone(name)
    yield server.api_url(name)
    server.drop(name)


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    return str(getattr(request.config, "workerinput", {}).get("workerid", "main"))


@pytest.fixture
def committed(server: Server, worker: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The API role's URL of a fresh clone, for what has to commit."""
    name = re.sub(r"\W", "_", f"c_{worker}_{request.node.name}")[:50].lower()
    server.clone(name)
    yield server.api_url(name)
    server.drop(name)


@pytest.fixture
async def pool(committed: str) -> AsyncIterator[Pool]:
    made = Pool(committed, 12)
    yield made
    await made.close()


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the API's role inside a transaction that rolls back."""
    made = await asyncpg.connect(database, server_settings={"timezone": "Asia/Shanghai", "jit": "off"})
    transaction = made.transaction()
    await transaction.start()
    try:
        yield made
    finally:
        if not made.is_closed():
            await transaction.rollback()
            await made.close()
