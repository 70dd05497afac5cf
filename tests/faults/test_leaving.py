"""Clients that leave, statements that wait, and a server that is told to stop: each ends as it should, in time."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.client import CLAIM, NEED, NEEDS, Client, bare, key, leave, need, send_raw, status
from tests.faults.conftest import Town
from tests.faults.holding import WAITING, needs_locked, one_locked, waiting
from tests.faults.processes import Api, eventually

STANDARD = (
    "{ needs(first: 20) { edges { node { id title } } } serviceCategories { id } __schema { queryType { name } } }"
)


@pytest.mark.parametrize("query", [NEEDS, STANDARD], ids=["one statement", "the standard path"])
async def test_a_query_whose_client_leaves_stops_in_a_second(here: Town, api: Api, client: Client, query: str) -> None:
    staff = here.tokens["community-staff"]
    await client.ask(staff, NEEDS)
    async with needs_locked(here):
        writers = [await send_raw(api.port, staff, query) for _ in range(3)]
        await waiting(here, 3)
        for writer in writers:
            await leave(writer)
        assert await waiting(here, 0) < 1
    assert (await client.ask(staff, NEEDS)).outcome["edges"], "its connection serves on"


async def test_a_mutation_whose_client_leaves_commits(here: Town, api: Api, client: Client) -> None:
    volunteer = here.tokens["volunteer"]
    wanted, same = await need(client, here.tokens), key()
    async with one_locked(here, wanted):
        writer = await send_raw(api.port, volunteer, CLAIM, id=wanted, key=same)
        await waiting(here, 1)
        await leave(writer)
        await asyncio.sleep(1.2)
        assert len(await here.sql(WAITING)) == 1, "it waits on"

    async def claimed() -> list[Any]:
        return await here.sql("SELECT id FROM commitment WHERE need_id = $1", bare(wanted))

    await eventually(claimed)
    (row,) = await claimed()
    again = await client.ask(volunteer, CLAIM, id=wanted, key=same)
    assert bare(again.outcome["id"]) == row["id"], "who comes back with the key is told what was done"


async def test_five_seconds_are_the_most_that_an_operation_takes(here: Town, client: Client) -> None:
    staff, volunteer = here.tokens["community-staff"], here.tokens["volunteer"]
    wanted, same = await need(client, here.tokens), key()
    async with needs_locked(here):
        late = [client.ask(staff, NEEDS), client.ask(volunteer, CLAIM, id=wanted, key=same)]
        for answer in await asyncio.gather(*late):
            assert answer.code in ("DEADLINE", "BUSY") and 4.5 < answer.seconds < 6.5
        await waiting(here, 0)
    assert await here.sql("SELECT FROM commitment WHERE need_id = $1", bare(wanted)) == [], "nothing has changed"
    assert (await client.ask(staff, NEEDS)).outcome["edges"]
    assert (await client.ask(volunteer, CLAIM, id=wanted, key=same)).outcome["status"] == "PROPOSED"


async def test_an_exhausted_pool_is_busy_in_two_seconds_and_so_is_a_slow_statement(here: Town, log: Path) -> None:
    """Two connections, both of which wait for a lock until their statements' time is up; a third request finds none."""
    staff, volunteer = here.tokens["community-staff"], here.tokens["volunteer"]
    small = {"WUSHE_POOL_SIZE": "2", "WUSHE_STATEMENT_TIMEOUT": "3"}
    async with Api(here.api_url, log, **small) as api:
        client = Client(api.port)
        wanted, same = await need(client, here.tokens), key()
        await client.ask(volunteer, NEEDS)
        async with needs_locked(here):
            slow = [client.ask(staff, NEEDS), client.ask(volunteer, CLAIM, id=wanted, key=same)]
            both = asyncio.gather(*slow)
            await waiting(here, 2)
            third = await client.ask(staff, NEED, id=wanted)
            assert third.code == "BUSY" and 1.9 < third.seconds < 3
            for answer in await both:
                assert answer.code == "BUSY" and 2.9 < answer.seconds < 4.5
            await waiting(here, 0)
        assert await here.sql("SELECT FROM commitment WHERE need_id = $1", bare(wanted)) == []
        assert (await client.ask(staff, NEEDS)).outcome["edges"]
        assert (await client.ask(volunteer, CLAIM, id=wanted, key=same)).outcome["status"] == "PROPOSED"


async def test_told_to_stop_it_finishes_what_is_in_flight(here: Town, log: Path) -> None:
    volunteer = here.tokens["volunteer"]
    async with Api(here.api_url, log) as api:
        client = Client(api.port)
        wanted = await need(client, here.tokens)
        async with one_locked(here, wanted):
            mutation = asyncio.ensure_future(client.ask(volunteer, CLAIM, id=wanted, key=key()))
            await waiting(here, 1)
            api.process.send_signal(signal.SIGTERM)

            async def refuses() -> bool:
                try:
                    await status(api.port, "/healthz")
                except OSError as no:  # reset, where it stood in the queue as that closed
                    return isinstance(no, ConnectionRefusedError)
                return False

            assert await eventually(refuses) < 2
            assert api.process.poll() is None and not mutation.done()
        assert (await mutation).outcome["status"] == "PROPOSED"
        began = time.monotonic()
        assert await asyncio.to_thread(api.process.wait, 10) == 0
        assert time.monotonic() - began < 3
    (row,) = await here.sql("SELECT count(*) AS made FROM commitment WHERE need_id = $1", bare(wanted))
    assert row["made"] == 1
