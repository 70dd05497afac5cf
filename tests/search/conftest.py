"""The demo, and the API over it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import strawberry

from models.pool import Pool
from resolvers.engine.engine import Engine
from resolvers.exchange import ExchangeMutation, ExchangeQuery
from resolvers.people import PeopleQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.conftest import NOW
from tests.seed.conftest import Loaded, demo

__all__ = ["demo"]


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, ExchangeQuery):
    pass


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_of(Query, ExchangeMutation)


@pytest.fixture
async def rows(demo: Loaded) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(demo.api)
    yield connection
    await connection.close()


@pytest.fixture
async def ask(engine: Engine, demo: Loaded) -> AsyncIterator[Asked]:
    pool = Pool(demo.api, 2)
    yield Asked(engine, pool, NOW)
    await pool.close()
