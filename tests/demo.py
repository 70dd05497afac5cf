"""Demo data for tests: loaded once for a run, at the tests' time; and the account of every role in it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
from collections.abc import Iterator

import asyncpg
import pytest

from models.access import PUBLIC_ACTOR, Actor, Claims
from models.people.queries import actor_of
from models.seed import accounts, load
from tests.conftest import NOW
from tests.server import Server, _with, once


@dataclasses.dataclass(frozen=True)
class Demo:
    """A database with demo data."""

    api: str
    owner: str
    superuser: str
    claims: dict[str, Claims]
    """What the token of each role's account says, by slug. The public has none."""
    actors: dict[str, Actor]
    """Who that is, by slug; `public` among them."""


@contextlib.contextmanager
def demo_of(server: Server, factory: pytest.TempPathFactory, worker: str) -> Iterator[Demo]:
    """A fresh clone of the demo data; the first of the run's workers to come here loads them."""
    with_data = dataclasses.replace(server, template=f"{server.template}_demo_now")
    with once(factory, worker, "demo_now") as first:
        if first:
            server.clone(with_data.template)
            asyncio.run(load(server.owner_url(with_data.template), "demo", NOW))
    name = f"demo_{worker}_{secrets.token_hex(3)}"
    with_data.clone(name)
    try:
        yield asyncio.run(_demo(server, name))
    finally:
        server.drop(name)


async def _demo(server: Server, name: str) -> Demo:
    claims = dict(await accounts(server.api_url(name)))
    actors = {"public": PUBLIC_ACTOR}
    connection = await asyncpg.connect(server.api_url(name))
    try:
        for slug, said in claims.items():
            actor = await actor_of(connection, said.person, said.role, said.membership, NOW)
            assert actor is not None, slug
            actors[slug] = actor
    finally:
        await connection.close()
    return Demo(server.api_url(name), server.owner_url(name), _with(server.superuser, name), claims, actors)


@pytest.fixture(scope="session")
def demo(server: Server, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Demo data to read."""
    with demo_of(server, tmp_path_factory, worker) as found:
        yield found


@pytest.fixture(scope="module")
def demo_of_module(server: Server, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Demo data of the module's own."""
    with demo_of(server, tmp_path_factory, worker) as found:
        yield found


@pytest.fixture
def demo_to_change(server: Server, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Demo data of the test's own."""
    with demo_of(server, tmp_path_factory, worker) as found:
        yield found


__all__ = ["Demo", "demo", "demo_of_module", "demo_to_change"]
