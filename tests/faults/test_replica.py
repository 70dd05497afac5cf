"""Two API processes, a primary and a streaming replica: who has written reads his write, and a lost replica is no loss."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from api import embedded
from api.databases import BEHIND, LOOK, UNKNOWN, Databases
from models.pool import Pool
from tests.faults.client import CATEGORIES, NEED, NEEDS, SUBMIT, Client, key
from tests.faults.conftest import Town
from tests.faults.processes import Api, Postgres, eventually

OURS = "application_name = 'wushe'"
SERVED = f"SELECT count(*) FROM pg_stat_activity WHERE query ILIKE '%need%' AND query_start > '{{}}' AND {OURS}"
"""How many connections have answered a question about needs since then."""


@pytest.fixture(scope="module")
async def replica(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    """A streaming replica of the durable server."""
    folder = tmp_path_factory.mktemp("replica")
    copy = await asyncio.to_thread(embedded.replicate, postgres.cluster, folder)
    made = Postgres(folder, run=copy)
    yield made
    await asyncio.to_thread(made.remove)


@pytest.fixture(scope="module")
async def two(
    durable: Town, replica: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[int, int]]:
    """Two API processes that know of both."""
    logs, env = tmp_path_factory.mktemp("api"), {"DATABASE_REPLICA_URLS": replica.cluster.api_url}
    async with Api(durable.api_url, logs / "a", **env) as a, Api(durable.api_url, logs / "b", **env) as b:
        yield a.port, b.port


async def asked(client: Client, staff: str) -> tuple[str, str]:
    """Submits a need; its id, and the position that came with the answer."""
    categories = {c["code"]: c["id"] for c in (await client.ask(None, CATEGORIES)).outcome}
    given = {"title": "帮忙送饭", "category": categories["ELDERLY.ESCORT"]}
    answer = await client.ask(staff, SUBMIT, input=given, key=key())
    assert answer.wal is not None
    return answer.outcome["id"], answer.wal


async def streaming(replica: Postgres) -> bool:
    """Whether API processes hold connections to it."""
    return int(await asyncio.to_thread(replica.cluster.sql, f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}")) > 0


async def test_who_has_written_reads_his_write(durable: Town, replica: Postgres, two: tuple[int, int]) -> None:
    staff = durable.tokens["community-staff"]
    client = Client(*two)
    await asyncio.to_thread(replica.cluster.sql, "SELECT pg_wal_replay_pause()")
    try:
        made, wal = await asked(client, staff)
        for port in two:
            stale = await client.ask(staff, NEED, to=port, id=made)
            assert stale.outcome is None, "without the header, a query goes to the replica, which lags"
            own = await client.ask(staff, NEED, to=port, wal=wal, id=made)
            assert own.outcome["id"] == made, "with it, to the primary"
            assert own.wal == wal, "and it is handed back, to be sent again"
    finally:
        await asyncio.to_thread(replica.cluster.sql, "SELECT pg_wal_replay_resume()")

    async def caught_up() -> bool:
        answers = [await client.ask(staff, NEED, to=port, id=made) for port in two]
        return all(a.outcome is not None for a in answers)

    await eventually(caught_up)
    began = (await asyncio.to_thread(replica.cluster.sql, "SELECT clock_timestamp()")).strip()
    for _ in range(4):
        assert (await client.ask(staff, NEED, wal=wal, id=made)).outcome["id"] == made
    assert int(await asyncio.to_thread(replica.cluster.sql, SERVED.format(began))) > 0, (
        "once it has caught up, it serves them too"
    )


async def test_a_replica_that_falls_behind_serves_nobody_until_it_has_caught_up(
    durable: Town, replica: Postgres, two: tuple[int, int]
) -> None:
    """Nobody echoes a position here: he is told what was true seconds ago, not what was true when recovery stopped."""
    staff = durable.tokens["community-staff"]
    client = Client(*two)
    for port in two:
        await client.ask(staff, NEEDS, to=port)
    await asyncio.to_thread(replica.cluster.sql, "SELECT pg_wal_replay_pause()")
    try:
        made, wal = await asked(client, staff)

        async def seen() -> bool:
            return all([(await client.ask(staff, NEED, to=port, id=made)).outcome is not None for port in two])

        assert 1 < await eventually(seen) < BEHIND + 2 * LOOK + 1
        later, wal = await asked(client, staff)
        for port in two:
            assert (await client.ask(staff, NEED, to=port, id=later)).outcome["id"] == later
            assert (await client.ask(staff, NEED, to=port, wal=wal, id=later)).outcome["id"] == later
    finally:
        await asyncio.to_thread(replica.cluster.sql, "SELECT pg_wal_replay_resume()")

    async def serves() -> bool:
        begun = (await asyncio.to_thread(replica.cluster.sql, "SELECT clock_timestamp()")).strip()
        for port in two:
            await client.ask(staff, NEEDS, to=port)
        return int(await asyncio.to_thread(replica.cluster.sql, SERVED.format(begun))) >= len(two)

    await eventually(serves)


async def test_writes_and_reads_of_many_clients_over_both(durable: Town, two: tuple[int, int]) -> None:
    """Each echoes what it was last told, whichever process answers, and always finds what it wrote."""
    staff = durable.tokens["community-staff"]
    client = Client(*two)

    async def one(rounds: int) -> None:
        for _ in range(rounds):
            made, wal = await asked(client, staff)
            for port in two:
                assert (await client.ask(staff, NEED, to=port, wal=wal, id=made)).outcome["id"] == made

    await asyncio.gather(*(one(5) for _ in range(16)))


async def test_a_replica_killed_is_no_loss_and_serves_again_when_back(
    durable: Town, replica: Postgres, two: tuple[int, int]
) -> None:
    staff = durable.tokens["community-staff"]
    stop, seen = asyncio.Event(), []
    client = Client(*two)

    async def read() -> None:
        for n in itertools.count():
            if stop.is_set():
                return
            seen.append(await client.ask(staff, NEEDS, wal="0/1" if n % 2 else None))

    readers = [asyncio.ensure_future(read()) for _ in range(8)]
    await asyncio.sleep(0.3)
    assert await streaming(replica)
    await asyncio.to_thread(replica.kill)
    made, wal = await asked(client, staff)
    assert (await client.ask(staff, NEED, wal=wal, id=made)).outcome["id"] == made
    await asyncio.sleep(1)
    await asyncio.to_thread(replica.start)
    await eventually(lambda: streaming(replica))
    stop.set()
    await asyncio.gather(*readers)
    assert all(a.status == 200 and a.outcome["edges"] for a in seen), "no reader has noticed"
    assert max(a.seconds for a in seen) < 2


async def test_a_replica_that_hangs_holds_nobody_for_long(
    durable: Town, replica: Postgres, two: tuple[int, int]
) -> None:
    """Stopped, not dead: connections stand and nothing answers, as when a network is cut."""
    staff = durable.tokens["community-staff"]
    client = Client(*two)

    async def reads() -> list[float]:
        answers = await asyncio.gather(*(client.ask(staff, NEEDS) for _ in range(16)))
        assert all(a.outcome["edges"] for a in answers)
        return [a.seconds for a in answers]

    await reads()
    await eventually(lambda: streaming(replica))
    with replica.stopped():
        assert max(await reads()) < 4, "two seconds of patience, then the primary"
        for _ in range(4):
            assert max(await reads()) < 1, "it is left alone"
            made, wal = await asked(client, staff)
            assert (await client.ask(staff, NEED, wal=wal, id=made)).outcome["id"] == made
            await asyncio.sleep(1)

    async def serves() -> bool:
        await reads()
        return await streaming(replica)

    await eventually(serves)


async def test_a_commit_is_answered_even_when_its_position_cannot_be_told(durable: Town) -> None:
    """The primary goes between the commit and that question: a position that no replica has sends reads to it."""
    gone = Pool(durable.api_url.replace("/wushe?", "/no_such_database?"), 1)
    databases = Databases(gone, [Pool(durable.api_url, 1)])
    assert await databases.position() == UNKNOWN
    assert await databases.reads(UNKNOWN) is gone
    await databases.close()
