"""A hundredth of the city, by the same code as the whole: counts, promises, and the same rows each time."""

from __future__ import annotations

import hashlib

import asyncpg
import pytest

from models import rotation, vault
from models.seed import scales
from models.seed.world import shares
from tests.seed import raw
from tests.seed.conftest import Loaded, loaded
from tests.server import Server


async def test_how_much_there_is(hundredth: Loaded) -> None:
    scale = scales.read("city/100")
    want = {
        "grid": 82,
        "building": 142,
        "social_worker": 200,
        "volunteer": 2000,
        "need": 3006,  # and the home community's livelihood items
        "offer": 1006,
        "commitment": 4004,
        "service_session": 2770,
        "attendance": 10_000,
        "donation": 5000,
        "fund": scale.funds,
        "resident": scale.residents,
        "organization": scale.organizations + 4,
        "division": 2907,
    }
    assert {name: hundredth.counts[name] for name in want} == want
    assert abs(hundredth.counts["hour_entry"] - 9_000) < 600


@pytest.mark.parametrize("promise", [raw.marketplace, raw.hours, raw.volunteers, raw.money])
async def test_promises_hold(hundredth: Loaded, promise: raw.marketplace) -> None:
    connection = await asyncpg.connect(hundredth.api)
    try:
        await promise(connection)
    finally:
        await connection.close()


async def test_about_a_third_of_the_needs_is_open(hundredth: Loaded) -> None:
    connection = await asyncpg.connect(hundredth.api)
    try:
        open_ = await connection.fetchval("SELECT count(*) FROM need WHERE status = 'OPEN'")
        filed = await connection.fetchval("SELECT count(*) FROM organization WHERE legal_status = 'FILED'")
    finally:
        await connection.close()
    assert 0.28 < open_ / 3000 < 0.38
    assert filed / hundredth.counts["organization"] > 0.95


SAME = ("person", "volunteer", "attendance", "hour_entry", "booking", "donation", "spend_trace")
"""Tables without a reference to what the database numbers itself, such as divisions."""
SEALED = [c.name for c in rotation.sealed_columns()] + [c.name for c in rotation.blind_columns()]


async def opened(connection: asyncpg.Connection) -> str:
    """A checksum of every sealed value, opened."""
    keys, told = await vault.load(connection), hashlib.md5(usedforsecurity=False)
    for column in rotation.sealed_columns():
        subject = column.subject or "NULL"
        order = ", ".join(c.name for c in column.table.primary_key)
        sql = (
            f"SELECT {subject}, {column.name} FROM {column.table.name} WHERE {column.name} IS NOT NULL ORDER BY {order}"
        )
        for whose, sealed in await connection.fetch(sql):
            told.update(keys.open(column.kind, sealed, whose or vault.NO_ONE).encode())
    return told.hexdigest()


async def checksums(url: str) -> dict[str, str]:
    """By table, of what is not sealed; and of what is."""
    connection = await asyncpg.connect(url)
    try:
        found = {
            name: await connection.fetchval(
                f"SELECT md5(string_agg((to_jsonb(t) - $1::text[])::text, '|' ORDER BY (to_jsonb(t) - $1::text[])::text)) FROM {name} t",
                SEALED,
            )
            for name in SAME
        }
        return {**found, "sealed": await opened(connection)}
    finally:
        await connection.close()


@pytest.fixture
def again(server: Server, worker: str) -> Loaded:
    yield loaded(server, f"again_{worker}", "city/100")
    server.drop(f"again_{worker}")


async def test_the_same_rows_each_time(hundredth: Loaded, again: Loaded) -> None:
    assert hundredth.counts == again.counts
    assert await checksums(hundredth.owner) == await checksums(again.owner)


@pytest.mark.parametrize("name", ["", "village", "city/0", "city/", "1/1000", "demo ", "2/3", "city/١"])
def test_unknown_scales(name: str) -> None:
    with pytest.raises(ValueError, match="There is no scale"):
        scales.read(name)


def test_the_whole_city() -> None:
    city = scales.read("city")
    assert scales.fraction(1) == city
    assert (city.grids, city.buildings, city.organizations) == (8_255, 14_289, 130_000)
    assert (city.needs, city.commitments, city.sessions, city.attendances) == (300_000, 400_000, 277_000, 1_000_000)
    assert scales.read("1/100") == scales.read("city/100")


def test_shares_are_whole_and_complete() -> None:
    assert shares(10, [1, 1, 1]) == [4, 3, 3]
    assert shares(7, [5, 1], least=2) == [5, 2]
    assert sum(shares(130_000, [0.1 * i + 0.3 for i in range(1156)], least=1)) == 130_000
