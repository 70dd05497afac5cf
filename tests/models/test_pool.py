import asyncio

import pytest

from models.pool import Pool
from models.problems import Busy


async def test_a_waiter_gets_the_connection_that_comes_back(committed: str) -> None:
    pool = Pool(committed, 1, patience=2)
    held = await pool.acquire()
    waiter = asyncio.ensure_future(pool.fetchval("SELECT 7"))
    await asyncio.sleep(0.01)
    assert pool.waiting == 1
    pool.release(held)
    assert await waiter == 7
    assert (pool.made, pool.free) == (1, 1)
    await pool.close()


async def test_nobody_waits_longer_than_patience(committed: str) -> None:
    pool = Pool(committed, 1, patience=0.05)
    held = await pool.acquire()
    with pytest.raises(Busy):
        await pool.acquire()
    pool.release(held)
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()


async def test_a_cancelled_read_keeps_its_connection(committed: str) -> None:
    pool = Pool(committed, 1)
    read = asyncio.ensure_future(pool.fetchval("SELECT pg_sleep(5)"))
    await asyncio.sleep(0.05)
    read.cancel()
    with pytest.raises(asyncio.CancelledError):
        await read
    assert await pool.fetchval("SELECT 2") == 2
    assert pool.made == 1
    await pool.close()


async def test_broken_connections_are_found_on_checkout(committed: str) -> None:
    pool = Pool(committed, 3)
    assert await asyncio.gather(*[pool.fetchval("SELECT 1 FROM pg_sleep(0.05)") for _ in range(3)]) == [1, 1, 1]
    killer = Pool(committed, 1)
    await killer.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND datname = current_database() AND usename = current_user"  # not a vacuum that happens to run
    )
    await asyncio.sleep(0.05)
    assert [await pool.fetchval("SELECT 1") for _ in range(3)] == [1, 1, 1]
    assert pool.made <= 3
    await pool.close()
    await killer.close()
