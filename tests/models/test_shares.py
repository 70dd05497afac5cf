"""Who gets the connections of a pool when some work is slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from models.pool import Pool
from models.problems import Busy
from models.shares import MOST, Line, Shares

SLEEP = "SELECT 1 FROM pg_sleep($1)"


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time_of() -> Clock:
    return Clock()


@pytest.fixture
def shares(time_of: Clock) -> Shares:
    made = Shares(15)
    made.clock = time_of
    return made


def ran(shares: Shares, time_of: Clock, kind: str, seconds: float) -> Line:
    """The line of a kind of work that was run once, and took so long."""
    line = shares.line(kind)
    shares.taken(line)
    time_of.now += seconds
    shares.given_back(line, time_of.now - seconds)
    return line


def most(shares: Shares, *lines: Line) -> int:
    """How many connections these lines are given, in turn, until none is admitted."""
    given = 0
    while (line := next((each for each in lines if shares.admits(each)), None)) is not None and given < 100:
        shares.taken(line)
        given += 1
    return given


def test_one_kind_of_work_has_a_half(shares: Shares, time_of: Clock) -> None:
    assert most(shares, ran(shares, time_of, "fast", 0.001)) == 8
    assert most(shares, ran(shares, time_of, "another", 0.001)) == 8, "the pool's own size is the pool's affair"


def test_slow_kinds_have_a_third_together(shares: Shares, time_of: Clock) -> None:
    assert most(shares, *(ran(shares, time_of, f"slow {n}", 0.3) for n in range(9))) == 5
    assert most(shares, ran(shares, time_of, "fast", 0.001)) == 8, "which hinders no fast one"


def test_slow_and_new_kinds_have_two_thirds_together(shares: Shares, time_of: Clock) -> None:
    assert most(shares, *(ran(shares, time_of, f"slow {n}", 0.3) for n in range(9))) == 5
    assert most(shares, *(shares.line(f"new {n}") for n in range(9))) == 5
    assert most(shares, ran(shares, time_of, "fast", 0.001)) == 8


def test_what_hangs_is_slow_before_it_has_ended(shares: Shares, time_of: Clock) -> None:
    fast = ran(shares, time_of, "fast until now", 0.001)
    new = [shares.line(f"new {n}") for n in range(20)]
    assert most(shares, *new) == 10
    assert most(shares, fast) == 8
    time_of.now += 0.5
    shares.given_back(fast)
    assert shares.slow_held == 10, "the ten, and not what has just moved on"
    time_of.now += 0.5
    assert shares.slow_held == 17
    assert not shares.admits(fast)
    assert shares.admits(ran(shares, time_of, "another", 0.001))


def test_what_was_slow_once_is_soon_forgiven(shares: Shares, time_of: Clock) -> None:
    line = ran(shares, time_of, "a report", 60.0)
    for _ in range(5):
        ran(shares, time_of, "a report", 0.001)
    assert not line.fast
    ran(shares, time_of, "a report", 0.001)
    assert line.fast


def test_at_once_gives_no_more_than_admits(shares: Shares, time_of: Clock) -> None:
    fast, slow, new = ran(shares, time_of, "fast", 0.001), ran(shares, time_of, "slow", 1.0), shares.line("new")
    assert [shares.at_once(fast, time_of.now) for _ in range(10)] == [True] * 8 + [False] * 2
    assert not shares.at_once(slow, time_of.now) and not shares.at_once(new, time_of.now)
    other = ran(shares, time_of, "other", 0.001)
    assert shares.at_once(other, time_of.now)
    time_of.now += 0.5
    assert not shares.at_once(other, time_of.now), "it hangs"


def test_our_own_is_never_held_back(shares: Shares) -> None:
    assert most(shares, shares.own) == 100


def test_idle_kinds_are_forgotten(shares: Shares) -> None:
    kept = shares.line("kept")
    shares.taken(kept)
    for n in range(2 * MOST):
        shares.line(str(n))
    assert len(shares.known) <= MOST
    assert shares.line("kept") is kept


async def test_lines_are_served_in_turn(shares: Shares) -> None:
    loop = asyncio.get_running_loop()
    order: list[str] = []
    for kind, count in (("long", 3), ("short", 1)):
        for _ in range(count):
            handed = loop.create_future()
            handed.add_done_callback(lambda _, kind=kind: order.append(kind))
            shares.stand(shares.line(kind), handed)
    assert shares.waiting == 4
    while (handed := shares.next()) is not None:
        handed.set_result(None)
    await asyncio.sleep(0)
    assert order == ["long", "short", "long", "long"]
    assert shares.waiting == 0 and not shares.lines


@pytest.mark.parametrize("kinds", [1, 40], ids=["of one kind", "of forty kinds"])
@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
async def test_forty_slow_statements_leave_the_fast_ones_in_peace(committed: str, kinds: int, known: bool) -> None:
    """Two seconds each, in a pool of fifteen: others are answered all the while."""
    pool = Pool(committed, 15)
    slow = [f"{SLEEP} -- {n % kinds}" for n in range(40)]
    await asyncio.gather(*(pool.fetchval(f"SELECT {n}") for n in range(5)))
    if known:
        for sql in set(slow):
            pool.shares.line(sql).pace = 2.0
    began = time.monotonic()
    late = [asyncio.ensure_future(pool.fetchval(sql, 2.0)) for sql in slow]
    waited = await fast(pool, until=began + 1.9)
    assert max(waited) < 0.5 and len(waited) > 100
    done = await asyncio.gather(*late, return_exceptions=True)
    assert all(answer == 1 or isinstance(answer, Busy) for answer in done)
    assert done.count(1) >= 5, "the slow ones get their share"
    assert max(await fast(pool, until=time.monotonic() + 0.1)) < 0.5
    assert pool.waiting == 0 and all(not line.held for line in pool.shares.known.values())
    assert pool.made == pool.free <= 15
    await pool.close()


async def fast(pool: Pool, *, until: float) -> Sequence[float]:
    """Five clients ask small things until then; how long each answer took."""
    waited = []

    async def client(n: int) -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            assert await pool.fetchval(f"SELECT {n}") == n
            waited.append(time.monotonic() - began)
            await asyncio.sleep(0.02)

    await asyncio.gather(*(client(n) for n in range(5)))
    return waited


async def test_whatever_happens_every_connection_and_place_comes_back(committed: str) -> None:
    """Waiters that are cancelled, that lose patience, and connections that break, all at once."""
    pool = Pool(committed, 6, patience=0.3)

    async def one(n: int) -> object:
        try:
            async with asyncio.timeout(0.05 + n % 7 * 0.1):
                if n % 11 == 0:
                    return await pool.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
                if n % 3 == 0:
                    async with pool.connection(f"work {n % 2}") as connection:
                        return await connection.fetchval(SLEEP, 0.05)
                return await pool.fetchval(f"{SLEEP} -- {n % 5}", n % 4 * 0.1)
        except BaseException as no:
            return no

    for _ in range(3):
        came = await asyncio.gather(*(one(n) for n in range(120)))
        assert any(answer == 1 for answer in came) and any(isinstance(answer, Busy) for answer in came)
        assert any(isinstance(answer, TimeoutError) for answer in came)
    await asyncio.gather(*pool._quarantined)
    assert await pool.fetchval("SELECT 5") == 5
    assert all(not line.held and not line.waiting for line in (*pool.shares.known.values(), pool.shares.own))
    assert not pool.shares.lines and not pool.shares._busy
    assert pool.made == pool.free <= 6
    await pool.close()
