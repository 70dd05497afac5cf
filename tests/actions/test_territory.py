"""Loading the divisions, and what the tables of places promise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import asyncpg
import pytest

from models.territory import load
from models.territory.queries import division_ids
from tests.make_people import Town, insert, town
from tests.server import Server


@pytest.fixture
def owned(server: Server, worker: str) -> Iterator[str]:
    """The owner's URL of a fresh clone."""
    name = f"territory_{worker}"
    server.clone(name)
    yield server.owner_url(name)
    server.drop(name)


async def test_the_list_is_loaded_once_however_often_it_is_run(owned: str) -> None:
    connection = await asyncpg.connect(owned)
    try:
        assert await load.load_divisions(connection) == 2907
        first = await connection.fetch("SELECT id, code, name, xmin FROM division ORDER BY code")
        assert await load.load_divisions(connection) == 2907
        assert await connection.fetch("SELECT id, code, name, xmin FROM division ORDER BY code") == first
        assert len(first) == 2907
        assert len(await division_ids(connection)) == 2907
        levels = dict(await connection.fetch("SELECT level, count(*) FROM division GROUP BY level"))
        assert levels == {"CITY": 1, "DISTRICT": 13, "STREET": 190, "COMMUNITY": 1156, "VILLAGE": 1547}
        wrong = await connection.fetchval(
            "SELECT count(*) FROM division d JOIN division p ON p.id = d.parent_id WHERE NOT starts_with(d.code, p.code)"
        )
        assert wrong == 0
        counted = await connection.fetch(
            "SELECT value, as_of FROM division_count WHERE measure = 'COMMUNITIES' ORDER BY value"
        )
        assert [tuple(row) for row in counted] == [(955, None), (967, None)]
        assert await connection.fetchval("SELECT count(*) FROM division_count") == 10
    finally:
        await connection.close()


async def test_a_division_that_left_the_list_is_kept_with_its_last_day(
    owned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(owned)
    try:
        await load.load_divisions(connection)
        rows = [r for r in load.read_divisions() if r[0] != "210103005024"]
        renamed = [(c, "新名社区" if c == "210103005025" else n, p, lv, up) for c, n, p, lv, up in rows]
        monkeypatch.setattr(load, "read_divisions", lambda: renamed)
        monkeypatch.setattr(load, "LISTED", date(2024, 6, 30))
        assert await load.load_divisions(connection) == 2906
        left = await connection.fetchrow("SELECT name, valid_to FROM division WHERE code = '210103005024'")
        assert tuple(left) == ("多福社区", date(2024, 6, 29))
        assert await connection.fetchval("SELECT name FROM division WHERE code = '210103005025'") == "新名社区"
        assert await connection.fetchval("SELECT count(*) FROM division WHERE valid_to IS NOT NULL") == 1
    finally:
        await connection.close()


BAD = [
    ("code", {"code": "21010", "area": "21010", "level": "DISTRICT"}),
    ("area", {"code": "210199", "area": "2101", "level": "DISTRICT"}),
    ("level", {"code": "210199000000", "area": "210199000000", "level": "PROVINCE"}),
    ("parent", {"code": "2102", "area": "2102", "level": "CITY"}),
    ("valid", {"code": "210199", "area": "210199", "level": "DISTRICT", "valid_to": date(2019, 1, 1)}),
]


@pytest.mark.parametrize(("constraint", "values"), BAD)
async def test_the_database_refuses_divisions_that_cannot_be(
    connection: asyncpg.Connection, constraint: str, values: dict[str, object]
) -> None:
    there = await town(connection)
    whole = {
        "name": "某区",
        "pinyin": "mou qu",
        "parent_id": there.divisions["2101"],
        "valid_from": date(2020, 1, 1),
        "as_of": date(2020, 1, 1),
        **values,
    }
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await insert(connection, "division", **whole)
    assert refused.value.constraint_name == f"ck_division_{constraint}"


async def test_a_grid_has_fifteen_digits(connection: asyncpg.Connection) -> None:
    there = await town(connection)
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(
            connection,
            "grid",
            code=Town.COMMUNITY,
            area=Town.COMMUNITY,
            name="网格",
            community_id=there.community,
            valid_from=date(2020, 1, 1),
        )
