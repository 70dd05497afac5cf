"""Real processes behind one database: what one was given the others find, and none needs the table to answer."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import httpx

from api import embedded
from models import migrate
from tests.faults.processes import Api, Postgres, eventually
from tests.persisted.conftest import Place, by_hash

SAID = {"data": {"__typename": "Query"}}


def numbered(n: int) -> str:
    return f"query P{n} {{ __typename }}"


async def ask(client: httpx.AsyncClient, api: Api, **given: Any) -> Any:
    return (await client.post(f"{api.url}/graphql", json=given)).json()


async def known(client: httpx.AsyncClient, api: Api, text: str) -> bool:
    """By the hash alone: answered, or to be sent."""
    found = await ask(client, api, **by_hash(text))
    assert found == SAID or found["errors"][0]["message"] == "PersistedQueryNotFound", found
    return bool(found == SAID)


async def test_one_registers_and_another_answers(place: Place, tmp_path: Path) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        first, second = [Api(place.api, tmp_path / f"log{n}") for n in range(2)]
        async with first, second:
            assert await ask(client, first, query=numbered(1), **by_hash(numbered(1))) == SAID
            await eventually(lambda: known(client, second, numbered(1)))  # shared within a second
            # What a process was given in its last second is not lost with it.
            assert await ask(client, second, query=numbered(2), **by_hash(numbered(2))) == SAID
            second.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(second.process.wait, 30)
            assert await known(client, first, numbered(2))


async def test_a_crash_of_the_database_empties_the_table_and_fails_nobody(tmp_path: Path) -> None:
    """It is unlogged: after a crash it is empty, published documents are there, and clients send theirs again."""
    postgres = await asyncio.to_thread(Postgres, tmp_path / "postgres")
    try:
        await asyncio.to_thread(migrate.upgrade, postgres.cluster.owner_url, embedded.API_ROLE)
        place = Place(postgres.cluster.api_url, postgres.cluster.owner_url, tmp_path)
        await place.publish("miniprogram", "1", numbered(3))
        async with (
            httpx.AsyncClient(timeout=30) as client,
            Api(place.api, tmp_path / "log1") as one,
            Api(place.api, tmp_path / "log2", WUSHE_DOCUMENTS="trusted") as two,
        ):
            assert await ask(client, one, query=numbered(4), **by_hash(numbered(4))) == SAID
            await eventually(lambda: place.sql("SELECT FROM registered_document"))
            await postgres.killed_and_back()
            assert await known(client, one, numbered(4))  # this process holds it
            assert (await place.sql("SELECT count(*) FROM registered_document"))[0]["count"] == 0
            for each in (one, two):
                assert await ask(client, each, **by_hash(numbered(3))) == SAID
            assert not await known(client, one, numbered(5))
            assert await ask(client, one, query=numbered(5), **by_hash(numbered(5))) == SAID
    finally:
        await asyncio.to_thread(postgres.remove)
