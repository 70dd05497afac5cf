"""Attention: counted as a sample in the process, written in batches, shared by what it makes of the order."""

from __future__ import annotations

from uuid import UUID, uuid4

import asyncpg
import orjson

from api.showing import Showing
from models.exchange.attention import Tally, listed
from models.pool import Pool
from resolvers.engine.engine import Engine
from tests.asking import Asked
from tests.make_exchange import NOW
from tests.ranking.conftest import Streets
from tests.ranking.test_graphql import RECOMMENDED, engine

__all__ = ["engine"]
A, B, C = (UUID(int=n) for n in (1, 2, 3))
SHOWN = "SELECT need_id, shown FROM need_attention WHERE shown > 0 ORDER BY need_id"


def answer(*needs: UUID, other: UUID | None = None) -> bytes:
    """An answer that lists some needs, and shows another one elsewhere."""
    found = [{"need": {"id": f"need_{id}"}} for id in needs]
    return orjson.dumps({"data": {"recommendedNeeds": found, "need": other and {"id": f"need_{other}"}}})


def test_what_stands_under_other_roots_is_not_counted() -> None:
    assert listed(orjson.loads(answer(A, B, other=C))["data"], ("recommendedNeeds",)) == {A, B}


def test_one_in_four_counts_for_four() -> None:
    tally = Tally(sampled=4, seed=1)
    for _ in range(40):
        tally.answered(("recommendedNeeds",), answer(A))
    assert tally.shown == {A: 40}


def test_no_more_needs_than_there_is_room_for() -> None:
    tally = Tally(sampled=1, most=100)
    tally.count(uuid4() for _ in range(150))
    tally.count([A])
    assert (len(tally.shown), tally.lost) == (100, 51)


async def test_several_processes_add_up(connection: asyncpg.Connection) -> None:
    for shown in ({A: 4, B: 8}, {B: 4, C: 4}):
        tally = Tally()
        tally.shown = dict(shown)
        assert await tally.write(connection, NOW) == 2
        assert tally.shown == {}
    assert [(r["need_id"], r["shown"]) for r in await connection.fetch(SHOWN)] == [(A, 4), (B, 12), (C, 4)]


async def test_what_was_recommended_is_written_and_sinks(lasting: Streets, engine: Engine, pool: Pool) -> None:
    """A read writes nothing; the batch does; then the other need stands first."""
    await lasting.volunteers("wang")
    seen, fresh = await lasting.need(), await lasting.need()
    showing = Showing(pool)
    showing.tally = Tally(sampled=1)
    engine.shown = showing.tally.answered
    try:
        ask = Asked(engine, pool, NOW)
        first = await ask(lasting.n.actor("wang"), RECOMMENDED, km=None)
    finally:
        engine.shown = None
    ids = [row["need"]["id"] for row in first["recommendedNeeds"]]
    assert set(ids) == {f"need_{seen}", f"need_{fresh}"}
    assert await lasting.c.fetch(SHOWN) == []
    showing.tally.count([UUID(ids[0][5:])] * 99)
    await showing.write()
    assert [r["shown"] for r in await lasting.c.fetch(SHOWN)] in ([100, 1], [1, 100])
    again = await ask(lasting.n.actor("wang"), RECOMMENDED, km=None)
    assert [row["need"]["id"] for row in again["recommendedNeeds"]] == ids[::-1]
    assert again["recommendedNeeds"][1]["terms"][-1] == {"code": "ATTENTION", "label": "关注度", "points": -438}


async def test_connections_are_counted_where_they_are_made(streets: Streets) -> None:
    await streets.volunteers("wang", "zhao")
    id = await streets.need()
    await streets.confirmed(id)
    assert await streets.c.fetchval("SELECT connected FROM need_attention WHERE need_id = $1", id) == 1
    await streets.confirmed(id, "zhao")
    assert await streets.c.fetchval("SELECT connected FROM need_attention WHERE need_id = $1", id) == 2


async def test_what_cannot_be_written_waits_for_the_next_time() -> None:
    showing = Showing(Pool("postgresql://nobody@127.0.0.1:1/none", 1))
    showing.tally.count([A])
    await showing.write()
    assert showing.tally.shown == {A: 4}
