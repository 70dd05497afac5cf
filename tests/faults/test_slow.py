"""Slow statements and fast ones in one process: forty that take two seconds, and everybody else is answered at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.client import CATEGORIES, FUND, NEEDS, Answer, Client, key
from tests.faults.conftest import Town
from tests.faults.holding import needs_locked
from tests.faults.processes import Api

FIFTEEN = {"WUSHE_POOL_SIZE": "15", "WUSHE_STATEMENT_TIMEOUT": "2"}
"""So a statement that waits for a lock takes two seconds, and ends as BUSY."""
FUNDS = "{ funds(first: 5) { edges { node { id name } } } }"


@pytest.mark.parametrize("fresh", [True, False], ids=["just started", "warm"])
async def test_forty_slow_statements_let_the_fast_ones_pass(here: Town, log: Path, fresh: bool) -> None:
    """Slow: needs, whose table is locked. Fast: categories, funds, and the mutation that makes a fund."""
    staff, maker = here.tokens["community-staff"], here.tokens["fund-maker"]
    async with Api(here.api_url, log, **FIFTEEN) as api:
        client = Client(api.port)
        await client.ask(maker, CATEGORIES)  # as whom one asks is known
        if not fresh:
            for _ in range(3):
                await asyncio.gather(*(client.ask(staff, NEEDS) for _ in range(15)))
        async with needs_locked(here):
            began = time.monotonic()
            slow = [asyncio.ensure_future(client.ask(staff, NEEDS)) for _ in range(40)]
            await asyncio.sleep(0.1)
            passed = await asyncio.gather(*(others(client, maker, began + 2) for _ in range(4)))
            ended = Counter(a.code for a in await asyncio.gather(*slow))
        assert ended == {"BUSY": 40}
        seen = [answer for each in passed for answer in each]
        assert len(seen) > 40 and all(a.code is None and "code" not in a.outcome for a in seen)
        assert max(a.seconds for a in seen) < 0.5
        assert (await client.ask(staff, NEEDS)).outcome["edges"], "and once they can be, they are answered too"


async def others(client: Client, maker: str, until: float) -> list[Answer]:
    """What somebody else is answered until then."""
    seen = []
    while time.monotonic() < until:
        for query in (CATEGORIES, FUNDS):
            seen.append(await client.ask(maker, query))
        same = key()
        seen.append(await client.ask(maker, FUND, input={"name": same[-20:], "kind": "UNRESTRICTED"}, key=same))
        await asyncio.sleep(0.05)
    return seen
