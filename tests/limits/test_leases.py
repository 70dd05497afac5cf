"""Leases of points: exact in one process, within the advances in several, bounded in memory, cheap when nothing is due."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from api.limits import ADVANCE, KEPT, LEASE, Limits
from api.rates import Rates
from api.settings import ROOT
from models import clock
from models.access import PUBLIC_ACTOR, Actor, Role
from models.database import transaction
from models.limits import Wish, sweep_buckets, take
from models.pool import Pool

RATES = Rates(person=6_000, anonymous=3_000, address=100_000_000, sign_in=30)
HERE = "203.0.113.7"


class Time:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def somebody(n: int = 1) -> Actor:
    return Actor(Role.PERSON, UUID(int=n))


async def settled(limits: Limits) -> None:
    """Waits until no statement is under way."""
    while limits._renewing is not None:
        await asyncio.wait([limits._renewing])


async def all_of(limits: Limits, actor: Actor, points: float = 1) -> float:
    """Everything that somebody is let spend at once."""
    spent = 0.0
    while not await limits.afford(actor, HERE, points):
        spent += points
    return spent


async def test_a_bucket_gives_what_it_holds_and_says_when_it_does_again(pool: Pool) -> None:
    limits = Limits(pool, RATES)
    assert await limits.afford(somebody(), HERE, 6_000) == 0
    assert not limits.spend(somebody(), HERE, 1_000)
    assert 5 <= await limits.afford(somebody(), HERE, 1_000) <= 10  # a hundred a second
    assert await limits.afford(somebody(2), HERE, 5_000) == 0  # each has his own
    await limits.close()


async def test_what_costs_more_than_a_bucket_holds_costs_all_of_it(pool: Pool) -> None:
    limits = Limits(pool, RATES)
    assert await limits.afford(somebody(), HERE, 50_000) == 0
    assert await limits.afford(somebody(), HERE, 3_000) > 0
    await limits.close()


async def test_an_address_is_a_limit_of_its_own_and_takes_nothing_from_who_is_refused(pool: Pool) -> None:
    limits = Limits(pool, Rates(person=6_000, anonymous=3_000, address=4_000, sign_in=30))
    assert await limits.afford(somebody(1), HERE, 3_900) == 0
    assert await limits.afford(somebody(2), HERE, 3_000) > 0
    assert await limits.afford(somebody(2), "203.0.113.8", 3_000) == 0
    assert await limits.afford(PUBLIC_ACTOR, HERE, 1_000) > 0
    await limits.close()


async def test_a_network_of_ipv6_is_one_address(pool: Pool) -> None:
    limits = Limits(pool, RATES)
    assert await limits.afford(PUBLIC_ACTOR, "2001:db8:0:1::1", 3_000) == 0
    assert await limits.afford(PUBLIC_ACTOR, "2001:db8:0:1:ffff::9", 100) > 0
    assert await limits.afford(PUBLIC_ACTOR, "2001:db8:0:2::1", 100) == 0
    await limits.close()


async def test_a_key_has_its_own_budget_the_least_until_it_is_known(pool: Pool) -> None:
    limits = Limits(pool, RATES)
    one, two = (Actor(Role.NGO_STAFF, UUID(int=9), key=UUID(int=n)) for n in (1, 2))
    limits.allow(UUID(int=1), 10_000)
    assert await limits.afford(one, HERE, 9_000) == 0
    assert await limits.afford(two, HERE, 1_000) == 0
    assert 1 <= await limits.afford(two, HERE, 500) <= 30
    limits.allow(UUID(int=1), 1_000)  # lowered: at once
    assert await limits.afford(one, HERE, 1_000) > 0
    await limits.close()


async def test_small_callers_never_come_to_the_database(pool: Pool) -> None:
    limits = Limits(pool, RATES)
    for n in range(5_000):
        assert limits.spend(PUBLIC_ACTOR, f"198.51.{n // 250}.{n % 250}", 10)
    await settled(limits)
    assert limits.renewals == 0
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM rate_bucket") == 0
    await limits.close()


async def test_many_leases_are_one_statement(pool: Pool) -> None:
    limits = Limits(pool, RATES)
    for n in range(500):
        assert limits.spend(somebody(n), HERE, 100)
    await settled(limits)
    assert limits.renewals <= 2
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM rate_bucket") == 500
        left = await connection.fetchval("SELECT min(points) FROM rate_bucket WHERE size = 6000")
    assert left == pytest.approx(6_000 - 100 - 6_000 * LEASE)
    assert all(b.left == pytest.approx(6_000 * LEASE) for b in limits.people.kept.values())
    await limits.close()


async def test_what_was_not_used_flows_back(pool: Pool) -> None:
    time_ = Time()
    limits = Limits(pool, RATES, now=time_)
    assert await limits.afford(somebody(), HERE, 500) == 0
    await limits.close()
    async with pool.connection() as connection:
        points = await connection.fetchval("SELECT points FROM rate_bucket WHERE size = 6000")
    assert 5_500 <= points <= 5_600  # a little has flown in meanwhile
    await limits.close()


async def test_the_quiet_are_let_go_and_their_leases_flow_back(pool: Pool) -> None:
    time_ = Time()
    limits = Limits(pool, RATES, now=time_)
    assert await limits.afford(somebody(), HERE, 500) == 0
    assert limits.spend(somebody(2), HERE, 1)
    await settled(limits)
    for _ in range(2):
        limits._sweep()
    assert set(limits.people.kept) == {UUID(int=2)}  # he had an advance only, which is not given again in this minute
    time_.now += 61
    limits._sweep()
    assert not any(family.kept for family in limits.families)
    await asyncio.gather(*limits._settling)
    async with pool.connection() as connection:
        assert 5_500 <= await connection.fetchval("SELECT points FROM rate_bucket WHERE size = 6000") <= 5_600
    await limits.close()


async def test_memory_is_bounded_by_number_whoever_comes(pool: Pool) -> None:
    limits = Limits(pool, RATES, kept=1_000)
    for n in range(30_000):
        limits.spend(PUBLIC_ACTOR, f"2001:db8:{n:x}::1", 1)
        limits.allow(UUID(int=n), 1_000)
    for n in range(30_000):
        limits.spend(PUBLIC_ACTOR, f"2001:db8::{n:x}", 1)  # one network
    assert max(len(family.kept) for family in limits.families) <= 1_000 < KEPT
    assert len(limits._budgets) <= 1_000
    await limits.close()


async def test_a_flood_of_addresses_does_not_make_a_process_forget_who_is_signed_in(pool: Pool) -> None:
    limits = Limits(pool, RATES, kept=100)
    await limits.afford(somebody(), HERE, 6_000)
    for n in range(1_000):
        limits.spend(PUBLIC_ACTOR, f"198.51.100.{n}", 1)
    assert await limits.afford(somebody(), HERE, 1_000) > 0
    await limits.close()


async def test_sign_ins_have_a_stricter_bucket(pool: Pool) -> None:
    limits = Limits(pool, RATES)
    for _ in range(30):
        assert await limits.enter(HERE, 1) == 0
    assert 1 <= await limits.enter(HERE, 20) <= 40  # one in two seconds
    assert await limits.enter("203.0.113.8", 20) == 0
    assert limits.spend(PUBLIC_ACTOR, HERE, 1)
    await limits.close()


async def test_without_the_database_a_quarter_of_the_flow_goes_on(pool: Pool) -> None:
    time_ = Time()
    away = Pool("postgresql://nobody@127.0.0.1:1/nothing", 1, patience=0.2)
    limits = Limits(away, RATES, now=time_)
    advance = 6_000 * ADVANCE
    assert await all_of(limits, somebody()) == advance
    assert limits.away
    for _ in range(3):
        time_.now += 10
        await limits.afford(somebody(), HERE, 6_000)  # asks, and fills what its share of these seconds is
        assert await all_of(limits, somebody()) == 250  # a quarter of a hundred a second
    await limits.close()
    await away.close()


async def test_a_bucket_fills_evenly_and_never_over_whatever_the_clocks_say(pool: Pool) -> None:
    async with pool.connection() as connection:
        keys, now = await pool.vault.keys(connection), clock.now()

        async def got(seconds: float, points: float) -> float:
            wish = Wish("somebody", points, 6_000)
            return (await take(connection, keys, [wish], now + timedelta(seconds=seconds)))["somebody"]

        assert await got(0, 5_000) == 5_000
        assert await got(0, 5_000) == 1_000
        assert await got(10, 5_000) == pytest.approx(1_000)
        assert await got(5, 5_000) == pytest.approx(0)  # a clock behind takes nothing twice
        assert await got(12, 5_000) == pytest.approx(200)
        assert await got(10_000, 9_000) == 6_000
        assert await got(10_000, -10_000) <= 0
        assert await got(10_000, 9_000) == 6_000  # what flows back fills it, and never over
        assert await got(20, 10) == 0  # the clock was wrong, and is set right
        assert await got(30, 5_000) == pytest.approx(1_000)


async def test_a_bucket_that_is_being_asked_is_not_let_go_and_made_anew(pool: Pool) -> None:
    limits = Limits(pool, RATES, kept=1)
    for n in range(3):
        assert limits.spend(somebody(), HERE, 90)  # of an advance of 120: it is asked
        assert limits.spend(somebody(2 + n), HERE, 1)
        assert not limits.spend(somebody(), HERE, 90)
        assert [bucket.name for bucket in limits._due].count(f"person {UUID(int=1)}") == 1
        await settled(limits)
        limits.people.kept.clear()
    assert not limits.away
    await limits.close()


async def test_wishes_of_one_name_are_one(pool: Pool) -> None:
    async with pool.connection() as connection:
        keys, now = await pool.vault.keys(connection), clock.now()
        wishes = [Wish("one", 40, 100), Wish("other", 1, 100), Wish("one", 70, 100)]
        assert await take(connection, keys, wishes, now) == {"one": pytest.approx(100), "other": pytest.approx(1)}


async def test_where_no_address_is_known_nobody_pays_for_strangers(pool: Pool) -> None:
    limits = Limits(pool, Rates(person=6_000, anonymous=3_000, address=4_000, sign_in=30))
    for _ in range(100):
        limits.fine(None, 50)
        await settled(limits)
        assert limits.closed(None) == 0
    assert not limits.addresses.kept
    await limits.close()


async def test_full_buckets_are_swept(pool: Pool) -> None:
    now = clock.now()
    async with pool.connection() as connection:
        keys = await pool.vault.keys(connection)
        await take(connection, keys, [Wish("old", 1, 10)], now - timedelta(minutes=3))
        await take(connection, keys, [Wish("new", 1, 10)], now - timedelta(minutes=1))
    assert await transaction(pool, PUBLIC_ACTOR, now, sweep_buckets) == 1
    assert await transaction(pool, PUBLIC_ACTOR, now, sweep_buckets) == 0


async def test_the_table_costs_no_disk_and_holds_no_address(pool: Pool) -> None:
    limits = Limits(pool, RATES)
    await limits.afford(PUBLIC_ACTOR, HERE, 3_000)
    async with pool.connection() as connection:
        kind = await connection.fetchval("SELECT relpersistence FROM pg_class WHERE relname = 'rate_bucket'")
        rows = await connection.fetch("SELECT who FROM rate_bucket")
    assert kind == b"u"
    assert len(rows) == 1 and all(HERE.encode() not in row["who"] and len(row["who"]) == 32 for row in rows)
    await limits.close()


async def test_within_a_lease_a_request_costs_less_than_a_microsecond_or_two(pool: Pool) -> None:
    """Measured: 0.5 µs; the bound is for a shared machine."""
    limits = Limits(pool, Rates(10**9, 10**9, 10**9, 10**6))
    who = somebody()
    await limits.afford(who, HERE, 10**6)
    best = 1.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(10_000):
            limits.spend(who, HERE, 1)
        best = min(best, (time.perf_counter() - began) / 10_000)
    print(f"spend: {best * 1e6:.2f} µs")
    assert best < 2e-6
    await limits.close()


PROCESS = """
import asyncio, base64, json, sys, time
from uuid import UUID
from api.limits import Limits
from api.rates import Rates
from models import vault
from models.access import Actor, Role
from models.pool import Pool

async def main(url, seconds):
    vault.unlock(b"tests only".ljust(vault.KEY_BYTES))
    pool = Pool(url, 2)
    limits = Limits(pool, Rates(10**6, 10**6, 10**9, 10))
    key = UUID(int=1)
    limits.allow(key, 6000)
    actor = Actor(Role.NGO_STAFF, UUID(int=2), key=key)
    spent = asked = 0
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.monotonic() + seconds
    async def hammer():
        nonlocal spent, asked
        while time.monotonic() < until:
            asked += 1
            if await limits.afford(actor, "203.0.113.7", 7) == 0:
                spent += 7
            else:
                await asyncio.sleep(0.002)
    await asyncio.gather(*(hammer() for _ in range(8)))
    print(json.dumps({"spent": spent, "asked": asked, "statements": limits.renewals}), flush=True)
    await pool.close()

asyncio.run(main(sys.argv[1], float(sys.argv[2])))
"""


def started(database: str, seconds: float) -> subprocess.Popen[str]:
    given = [sys.executable, "-c", PROCESS, database, str(seconds)]
    return subprocess.Popen(given, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_four_processes_on_one_key_exceed_it_by_no_more_than_their_advances(committed: str) -> None:
    seconds = 4.0
    processes = [started(committed, seconds) for _ in range(4)]
    try:
        for each in processes:
            assert each.stdout is not None
            assert await asyncio.to_thread(each.stdout.readline) == "ready\n"
        began = time.monotonic()
        for each in processes:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        told = [json.loads((await asyncio.to_thread(each.communicate))[0]) for each in processes]
        took = time.monotonic() - began
    finally:
        for each in processes:
            each.kill()
            each.wait()
    spent = sum(t["spent"] for t in told)
    print(told)
    most = 6_000 + took * 100 + 4 * 6_000 * ADVANCE
    least = 6_000 + (seconds - 1) * 100 - 4 * 6_000 * LEASE
    assert least <= spent <= most
    assert sum(t["statements"] for t in told) < 200 < sum(t["asked"] for t in told)
    connection = await asyncpg.connect(committed)
    assert await connection.fetchval("SELECT points FROM rate_bucket WHERE size = 6000") < 6_000
    await connection.close()


async def test_a_bug_in_a_renewal_keeps_nobody_waiting(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object) -> dict[str, float]:
        raise ZeroDivisionError

    limits = Limits(pool, RATES)
    with monkeypatch.context() as patched:
        patched.setattr("api.limits.take", broken)
        assert await limits.afford(somebody(), HERE, 3_000) > 0
        assert "ZeroDivisionError" in "".join(capsys.readouterr())  # wherever the log goes by now
    limits.people.kept[UUID(int=1)].dry = 0
    assert await limits.afford(somebody(), HERE, 3_000) == 0
    assert not limits.away
    await limits.close()
