"""The API and PostgreSQL killed under load: nothing is half done, and service comes back by itself."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from tests.faults.client import CLAIM, NEEDS, SUBMIT, Client, bare, key, need, status
from tests.faults.conftest import Town
from tests.faults.holding import held, waiting
from tests.faults.processes import Api, Postgres, eventually

HALF = """
SELECT (SELECT qty_committed FROM need WHERE id = $1) AS counted,
       (SELECT count(*) FROM commitment WHERE need_id = $1) AS made,
       (SELECT count(*) FROM event WHERE topic = 'commitment.proposed' AND data->>'need' = $1::text) AS told,
       (SELECT count(*) FROM idempotency_record WHERE key = $2) AS kept
"""


async def test_the_api_killed_in_mid_transaction_leaves_nothing_half_done(here: Town, log: Path) -> None:
    """A claim has written all but the record of its key, for which it waits, when its process is killed."""
    volunteer = here.tokens["volunteer"]
    async with Api(here.api_url, log) as api:
        client = Client(api.port)
        wanted, same = await need(client, here.tokens), key()
        async with held(here, "LOCK TABLE idempotency_record IN EXCLUSIVE MODE"):
            asked = asyncio.ensure_future(client.ask(volunteer, CLAIM, id=wanted, key=same))
            await waiting(here, 1)
            api.kill()
            ((failed),) = await asyncio.gather(asked, return_exceptions=True)
            assert isinstance(failed, OSError), "no answer has come"
            assert await waiting(here, 0) < 3, "its statement ends soon after it, and lets go of what it had locked"
        assert await state(here, wanted, same) == (0, 0, 0, 0)
        api.start()
        await api.ready()
        told = [(await client.ask(volunteer, CLAIM, id=wanted, key=same)).outcome["id"] for _ in range(2)]
        assert len(set(told)) == 1
        assert await state(here, wanted, same) == (1, 1, 1, 1)


async def test_the_api_killed_before_its_answer_has_done_it_once(here: Town, log: Path) -> None:
    """The other side of the commit: killed when it is done and the answer is not out. The retry is told of it."""
    volunteer, rounds = here.tokens["volunteer"], 3
    async with Api(here.api_url, log) as api:
        client = Client(api.port)
        for _ in range(rounds):
            wanted, same = await need(client, here.tokens), key()
            asked = asyncio.ensure_future(client.ask(volunteer, CLAIM, id=wanted, key=same))

            async def committed(id: str = wanted) -> list[Any]:
                return await here.sql("SELECT FROM commitment WHERE need_id = $1", bare(id))

            await eventually(committed)
            api.kill()
            await asyncio.gather(asked, return_exceptions=True)
            api.start()
            await api.ready()
            assert (await client.ask(volunteer, CLAIM, id=wanted, key=same)).outcome["status"] == "PROPOSED"
            assert await state(here, wanted, same) == (1, 1, 1, 1)


async def state(here: Town, wanted: str, same: str) -> tuple[int, ...]:
    """What a claim has left: the need's counter, commitments, events, and records of its key."""
    (row,) = await here.sql(HALF, bare(wanted), same)
    return tuple(row)


async def test_postgresql_killed_and_back_is_served_from_at_once(durable: Town, postgres: Postgres, log: Path) -> None:
    """Meanwhile every answer is a named error, in time; then the same process serves, without a restart."""
    staff = durable.tokens["community-staff"]
    async with Api(durable.api_url, log) as api:
        client = Client(api.port)
        categories = (await client.ask(None, "{ serviceCategories { id code } }")).outcome
        given = {"title": "帮忙买菜", "category": next(c["id"] for c in categories if c["code"] == "ELDERLY.ESCORT")}

        async def write() -> Any:
            return await client.ask(staff, SUBMIT, input=given, key=key())

        async def read() -> Any:
            return await client.ask(staff, NEEDS)

        for _ in range(3):  # many connections are held when it goes
            for answer in await asyncio.gather(*(read() for _ in range(20)), *(write() for _ in range(10))):
                assert answer.status == 200

        stop = asyncio.Event()
        seen: list[tuple[float, Any]] = []

        async def watch(ask: Any) -> None:
            while not stop.is_set():
                began = time.monotonic()
                seen.append((began, await ask()))
                await asyncio.sleep(0.02)

        watchers = [asyncio.ensure_future(watch(ask)) for ask in (read, write) for _ in range(4)]
        await asyncio.sleep(0.2)
        down = time.monotonic()
        await asyncio.to_thread(postgres.kill)
        await asyncio.sleep(1)
        gone = await asyncio.gather(*(ask() for ask in (read, write) for _ in range(20)))
        assert {(a.status, a.code) for a in gone} <= {(503, "UNAVAILABLE"), (503, "BUSY")}
        assert await status(api.port, "/readyz") == 503
        assert await status(api.port, "/healthz") == 200
        await asyncio.to_thread(postgres.start)
        back = time.monotonic()

        async def served() -> bool:
            return all(a.status == 200 for a in await asyncio.gather(read(), write()))

        assert await eventually(served) < 2
        assert all(a.status == 200 for a in await asyncio.gather(*(ask() for ask in (read, write) for _ in range(30))))
        stop.set()
        await asyncio.gather(*watchers)
        assert {a.code for began, a in seen if began + a.seconds < down} == {None}
        assert {a.code for began, a in seen if began > back + 2} <= {None}
        assert max(a.seconds for _, a in seen) < 3
