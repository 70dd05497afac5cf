"""Deadlocks that really happen, made by sessions which lock the other way round: a client sees answers, never those."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import chain
from typing import Any

import asyncpg
import pytest

from models import clock
from tests.faults.client import (
    CANCEL,
    CATEGORIES,
    CLAIM,
    DECLINE,
    OFFER,
    PUBLISH,
    WITHDRAW,
    Client,
    bare,
    key,
    need,
    page,
)
from tests.faults.conftest import THOROUGH, Town
from tests.faults.processes import Api, eventually

SOON = "50ms"
"""How long the API's sessions wait before they look for a deadlock; PostgreSQL's default is a second."""
WRITERS = 32
PATIENT = {"WUSHE_ACQUIRE_TIMEOUT": "10", "WUSHE_DEADLINE": "20", "WUSHE_METRICS": "public"}
"""Thirty-two wait for a few rows in turn: on a loaded machine longer than a person would."""
ROUNDS = 8 if THOROUGH else 5
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
NEEDS = """
SELECT qty_total, qty_committed AS counted,
       (SELECT coalesce(sum(qty), 0) FROM commitment WHERE need_id = need.id AND status = 'PROPOSED') AS held
FROM need WHERE id = ANY ($1)
"""
OFFERS = """
SELECT qty_total, qty_reserved AS counted,
       (SELECT coalesce(sum(qty), 0) FROM commitment WHERE offer_id = offer.id AND status = 'PROPOSED') AS held
FROM offer WHERE id = ANY ($1)
"""


@pytest.fixture(scope="module")
async def api(here: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """One whose sessions soon find out that they wait for each other."""
    ((database,),) = await here.sql("SELECT current_database()")
    await here.sql(f"ALTER DATABASE \"{database}\" SET deadlock_timeout = '{SOON}'")
    async with Api(here.api_url, tmp_path_factory.mktemp("api") / "log", **PATIENT) as made:
        yield made


async def retried(api: Api, why: str) -> int:
    """How often the API has begun a transaction again, and no client was told."""
    counted = (await page(api.port, "/metrics")).decode()
    return int(float(counted.partition(f'wushe_transactions_retried{{why="{why}"}} ')[2].partition("\n")[0]))


async def stage(here: Town, client: Client, count: int) -> tuple[list[str], list[str]]:
    """So many needs, and as many offers of the organization, of all of which there is plenty."""
    staff, ngo = here.tokens["community-staff"], here.tokens["ngo-staff"]
    categories = {c["code"]: c["id"] for c in (await client.ask(None, CATEGORIES)).outcome}
    (row,) = await here.sql("SELECT community_id FROM need WHERE id = $1", bare(await need(client, here.tokens)))
    given: dict[str, Any] = {
        "title": "陪伴小队",
        "category": categories["ELDERLY.ESCORT"],
        "windowFrom": (clock.now() - timedelta(days=1)).isoformat(),
        "windowTo": (clock.now() + timedelta(days=300)).isoformat(),
        "quantity": 1_000,
        "areas": [f"division_{row['community_id']}"],
    }
    needs = [await need(client, here.tokens, quantity=1_000) for _ in range(count)]
    offers = []
    for _ in range(count):
        offers.append((await client.do(ngo, OFFER, input=given))["id"])
        await client.do(staff, PUBLISH, id=offers[-1])
    return needs, offers


async def against(here: Town, offers: list[str], needs: list[str], stop: asyncio.Event, turn: int) -> None:
    """A session that locks an offer and then a need, over and over: no verb does, all go the other way.

    It looks for a deadlock later than the API's sessions do, so that those are most often the ones to be ended.
    """
    connection = await asyncpg.connect(here.superuser_url, server_settings={"deadlock_timeout": "300ms"})
    try:
        while not stop.is_set():
            with contextlib.suppress(asyncpg.DeadlockDetectedError):
                async with connection.transaction():
                    await connection.execute("SELECT FROM offer WHERE id = $1 FOR UPDATE", bare(offers[turn % 3]))
                    await asyncio.sleep(0.01)
                    await connection.execute("SELECT FROM need WHERE id = $1 FOR UPDATE", bare(needs[turn % 3]))
            turn += 1
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def deadlocks(here: Town) -> int:
    (row,) = await here.sql(DEADLOCKS)
    return int(row["deadlocks"])


async def true(here: Town, needs: list[str], offers: list[str]) -> None:
    """Every counter is what its rows hold."""
    for query, ids in ((NEEDS, needs), (OFFERS, offers)):
        rows = await here.sql(query, [bare(id) for id in ids])
        assert len(rows) == len(ids)
        assert all(r["counted"] == r["held"] <= r["qty_total"] for r in rows), rows


async def test_thirty_two_writers_of_needs_and_offers_do_not_deadlock_each_other(here: Town, client: Client) -> None:
    """Claims, their withdrawals, and the end of needs and offers, on few rows at once: all verbs lock in one order."""
    ngo, staff = here.tokens["ngo-staff"], here.tokens["community-staff"]
    needs, offers = await stage(here, client, 4)
    every, before = (list(needs), list(offers)), await deadlocks(here)
    chance = random.Random(5)

    async def write(number: int) -> list[str]:
        came, mine = [], []
        for _ in range(ROUNDS):
            if mine and chance.random() < 0.4:
                answer = await client.ask(ngo, DECLINE, id=mine.pop(), key=key())
            elif number == 0 and len(needs) > 2:
                answer = await client.ask(staff, CANCEL, id=needs.pop(), key=key())
            elif number == 1 and len(offers) > 2:
                answer = await client.ask(ngo, WITHDRAW, id=offers.pop(), key=key())
            else:
                answer = await client.ask(ngo, CLAIM, id=chance.choice(needs), offer=chance.choice(offers), key=key())
                if "id" in answer.outcome:
                    mine.append(answer.outcome["id"])
            came.append(answer.outcome.get("code", "done"))
        return came

    came = Counter(chain.from_iterable(await asyncio.gather(*(write(n) for n in range(WRITERS)))))
    assert set(came) <= {"done", "ALREADY_COMMITTED", "INVALID_TRANSITION", "NOT_FOUND"}, came
    assert came["done"] >= ROUNDS
    await asyncio.sleep(1)
    assert await deadlocks(here) == before
    await true(here, *every)


async def test_opposite_orders_of_locks_are_never_seen_by_a_client(here: Town, api: Api, client: Client) -> None:
    ngo, staff = here.tokens["ngo-staff"], here.tokens["community-staff"]
    needs, offers = await stage(here, client, 3)
    before, stop = await deadlocks(here), asyncio.Event()

    async def write(number: int) -> list[str]:
        """Claims a need out of an offer, takes the claim back, and again; what came of each."""
        came = []
        for round in range(ROUNDS):
            wanted, out_of = needs[(number + round) % 3], offers[number % 3]
            answer = await client.ask(ngo, CLAIM, id=wanted, offer=out_of, key=key())
            came.append(answer.code or answer.outcome.get("code", "done"))
            if came[-1] == "done":
                undone = await client.ask(staff if number % 2 else ngo, DECLINE, id=answer.outcome["id"], key=key())
                came.append(undone.code or undone.outcome.get("code", "done"))
        return came

    others = [asyncio.ensure_future(against(here, offers, needs, stop, n)) for n in range(2)]
    came = Counter(chain.from_iterable(await asyncio.gather(*(write(n) for n in range(WRITERS)))))
    stop.set()
    await asyncio.gather(*others)
    assert set(came) <= {"done", "ALREADY_COMMITTED"}, came
    assert came["done"] >= 2 * ROUNDS

    async def counted() -> bool:
        return await deadlocks(here) > before

    await eventually(counted)
    await true(here, needs, offers)
    assert await retried(api, "DeadlockDetectedError") > 0


async def test_conflicts_of_serializable_transactions_are_never_seen_by_a_client(
    here: Town, api: Api, client: Client
) -> None:
    """Where a database is set to be serializable, PostgreSQL ends what cannot be put into an order: it is begun again."""
    ngo = here.tokens["ngo-staff"]
    needs, offers = await stage(here, client, 3)
    ((database,),) = await here.sql("SELECT current_database()")
    await here.sql(f"ALTER DATABASE \"{database}\" SET default_transaction_isolation = 'serializable'")
    try:
        api.kill()
        api.start()
        await api.ready()

        async def write(number: int) -> list[str]:
            came = []
            for round in range(3):
                wanted, out_of = needs[(number + round) % 3], offers[number % 3]
                answer = await client.ask(ngo, CLAIM, id=wanted, offer=out_of, key=key())
                came.append(answer.code or answer.outcome.get("code", "done"))
                if came[-1] == "done":
                    undone = await client.ask(ngo, DECLINE, id=answer.outcome["id"], key=key())
                    came.append(undone.code or undone.outcome.get("code", "done"))
            return came

        came = Counter(chain.from_iterable(await asyncio.gather(*(write(n) for n in range(WRITERS)))))
        assert set(came) <= {"done", "ALREADY_COMMITTED"}, came
        assert came["done"] >= WRITERS
        assert await retried(api, "SerializationError") > 0
        await true(here, needs, offers)
    finally:
        await here.sql(f'ALTER DATABASE "{database}" RESET default_transaction_isolation')
        api.kill()
        api.start()
        await api.ready()
