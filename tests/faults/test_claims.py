"""A hundred who want the same: one has it, over one API process and over two."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.faults.client import CLAIM, Client, bare, key, need
from tests.faults.conftest import THOROUGH, Town
from tests.faults.processes import Api

NEEDS = 100 if THOROUGH else 10
PATIENT = {"WUSHE_ACQUIRE_TIMEOUT": "20"}
"""A hundred at once have to wait for connections: on a loaded machine longer than a person would."""

COUNTERS = """
SELECT n.qty_total, n.qty_committed, n.status,
       (SELECT coalesce(sum(qty), 0) FROM commitment c WHERE c.need_id = n.id AND c.status = 'PROPOSED') AS held,
       (SELECT count(*) FROM commitment c WHERE c.need_id = n.id) AS made,
       (SELECT count(*) FROM event e WHERE e.topic = 'commitment.proposed' AND e.data->>'need' = n.id::text) AS told
FROM need n WHERE n.id = $1
"""


@pytest.fixture(scope="module")
async def two(here: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[int, int]]:
    """Two API processes on one database."""
    logs = tmp_path_factory.mktemp("api")
    async with Api(here.api_url, logs / "a", **PATIENT) as a, Api(here.api_url, logs / "b", **PATIENT) as b:
        yield a.port, b.port


async def test_a_hundred_claims_at_once_have_one_winner(here: Town, two: tuple[int, int]) -> None:
    alone, both = Client(two[0]), Client(*two)
    for round in range(NEEDS):
        client = both if round % 2 else alone
        wanted = await need(client, here.tokens)
        answers = await asyncio.gather(
            *(client.ask(volunteer, CLAIM, id=wanted, key=key()) for volunteer in here.volunteers)
        )
        came = Counter(a.outcome.get("code", a.outcome.get("status")) for a in answers)
        assert came == {"PROPOSED": 1, "NEED_FULLY_COMMITTED": 99}
        assert {a.outcome["remaining"] for a in answers if "remaining" in a.outcome} == {0}
        (row,) = await here.sql(COUNTERS, bare(wanted))
        assert (row["qty_total"], row["qty_committed"], row["held"], row["made"], row["told"]) == (1, 1, 1, 1, 1)


async def test_the_same_claim_sent_by_a_hundred_hands_is_made_once(here: Town, two: tuple[int, int]) -> None:
    """One key, to two processes at once: everybody is told of the same commitment."""
    client = Client(*two)
    wanted, same = await need(client, here.tokens, quantity=5), key()
    answers = await asyncio.gather(
        *(client.ask(here.tokens["volunteer"], CLAIM, id=wanted, key=same) for _ in range(100))
    )
    assert len({a.outcome["id"] for a in answers}) == 1
    (row,) = await here.sql(COUNTERS, bare(wanted))
    assert (row["qty_committed"], row["held"], row["made"], row["told"]) == (1, 1, 1, 1)
