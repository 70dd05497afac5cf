"""The hasher of passwords: few at once, a short line, and as much work for nobody as for somebody."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from api.app import create
from api.passwords import CHEAP, THOROUGH, Hasher, nobodys
from models.problems import Busy
from resolvers.people import numbers
from tests.site import MASTER, settings


class Watched(Hasher):
    """A slow hasher that sees how many work at once."""

    def __init__(self, **more: int) -> None:
        super().__init__(CHEAP, **more)
        self.lock, self.working, self.most_working, self.done = threading.Lock(), 0, 0, 0

    def _verified(self, known: str, password: str) -> bool:
        with self.lock:
            self.working += 1
            self.most_working = max(self.most_working, self.working)
        time.sleep(0.05)
        with self.lock:
            self.working -= 1
            self.done += 1
        return super()._verified(known, password)


async def settled(hasher: Hasher) -> None:
    while hasher.under_way:  # noqa: ASYNC110 - a thread ends, and no event says so
        await asyncio.sleep(0.01)


async def test_two_at_once_and_a_short_line() -> None:
    hasher = Watched(at_once=2, waiting=4)
    outcomes = await asyncio.gather(*(hasher.verify(None, "x") for _ in range(20)), return_exceptions=True)
    assert [o for o in outcomes if not isinstance(o, Busy)] == [False] * 6
    await settled(hasher)
    assert (hasher.most_working, hasher.done) == (2, 6)
    assert await hasher.verify(await hasher.hash("x"), "x")


async def test_who_leaves_the_line_is_not_hashed_for() -> None:
    hasher = Watched(at_once=1, waiting=4)
    tasks = [asyncio.ensure_future(hasher.verify(None, "x")) for _ in range(5)]
    await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await settled(hasher)
    assert hasher.done == 1


async def test_nobody_s_hash_is_somebody_s_in_all_but_the_password() -> None:
    hasher = Hasher(CHEAP)
    real, nobody = await hasher.hash("x"), nobodys(CHEAP)
    assert real.rsplit("$", 2)[0] == nobody.rsplit("$", 2)[0]
    assert [len(part) for part in real.split("$")] == [len(part) for part in nobody.split("$")]
    assert not hasher.stale(nobody) and hasher.stale(nobodys(THOROUGH))
    assert await hasher.verify(real, "x") and not await hasher.verify(real, "y")
    assert not await hasher.verify(None, "x") and not await hasher.verify("no hash", "x")


@pytest.mark.parametrize(("mode", "algorithm"), [("test", CHEAP), ("demo", THOROUGH), ("production", THOROUGH)])
def test_only_tests_hash_cheaply(mode: str, algorithm: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "fictional", numbers.fictional)  # which an application sets for its process
    given = settings("postgresql://a:p@127.0.0.1/x", WUSHE_MODE=mode, WUSHE_MASTER_KEY=MASTER)
    assert create(given).operations.platform.passwords.algorithm is algorithm
    assert (THOROUGH.memory_cost, THOROUGH.time_cost) >= (19 * 1024, 2)
