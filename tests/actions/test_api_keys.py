"""Keys of machines: made by people, told once, two of a name, ended with their maker's membership."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from models.access import Actor, Role
from models.database import Db, transaction
from models.identity import actions
from models.identity.problems import TooManyKeys
from models.identity.queries import hash_of, machine_of, note_use
from models.identity.rules import ApiScope
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, Problem
from tests.make_people import Town, organization, staff, town

DAY = timedelta(days=1)


async def maker(connection: asyncpg.Connection, name: str = "暖邻服务社") -> Actor:
    """Staff of an organization."""
    ngo = await organization(connection, await town(connection), name)
    return await staff(connection, Role.NGO_STAFF, organization=ngo)


async def made(connection: asyncpg.Connection, now: datetime, actor: Actor, **more: Any) -> actions.Made:
    given = {"name": "数据同步", "scopes": [ApiScope.READ, ApiScope.OFFERS], "live": False, **more}
    return await actions.make_key(Db(connection, actor, now), **given)


async def count(connection: asyncpg.Connection) -> int:
    found: int = await connection.fetchval("SELECT count(*) FROM api_key")
    return found


async def test_a_key_acts_as_staff_in_its_makers_name(connection: asyncpg.Connection, now: datetime) -> None:
    actor = await maker(connection)
    key = await made(connection, now, actor)
    assert re.fullmatch(r"wsl_test_[a-z0-9]{8}_[A-Za-z0-9]{32}", key.key)
    assert key.key not in repr(key)
    found = await machine_of(connection, key.key, now, live=False)
    assert found is not None
    scopes = frozenset({"READ", "OFFERS"})
    assert found.actor == dataclasses.replace(actor, key=key.id, scopes=scopes)
    assert (found.until, found.budget) == (now + 90 * DAY, 10_000)
    row = await connection.fetchrow("SELECT * FROM api_key")
    assert row["hash"] == hash_of(key.key.rpartition("_")[2])
    assert row["scopes"] == ["READ", "OFFERS"]


async def test_what_is_no_key(connection: asyncpg.Connection, now: datetime) -> None:
    key = (await made(connection, now, await maker(connection))).key
    for wrong in (
        key.replace("wsl_test_", "wsl_live_"),
        key[:-1],
        key + "a",
        key[:-1] + ("a" if key[-1] != "a" else "b"),
        key.replace(key[9:17], "aaaaaaaa"),
        "wsl_test__",
        "wsl_test_" + "\u0661" * 8 + key[17:],
    ):
        assert await machine_of(connection, wrong, now, live=False) is None, wrong
    assert await machine_of(connection, key, now, live=True) is None
    assert await machine_of(connection, key, now, live=False) is not None


async def test_a_key_ends_by_itself_by_revoking_and_with_the_membership(
    connection: asyncpg.Connection, now: datetime
) -> None:
    actor = await maker(connection)
    one, two = await made(connection, now, actor, days=1), await made(connection, now, actor)
    assert await machine_of(connection, one.key, now + DAY - timedelta(seconds=1), live=False) is not None
    assert await machine_of(connection, one.key, now + DAY, live=False) is None
    colleague = await staff(connection, Role.NGO_STAFF, "李四", organization=actor.organization)
    assert await actions.revoke_key(Db(connection, colleague, now), two.id) == two.id
    assert await machine_of(connection, two.key, now, live=False) is None
    with pytest.raises(InvalidTransition):
        await actions.revoke_key(Db(connection, actor, now), two.id)
    three = await made(connection, now, actor, name="大屏")
    await connection.execute("UPDATE membership SET ends_on = $2 WHERE person_id = $1", actor.person, now.date())
    assert await machine_of(connection, three.key, now, live=False) is not None
    assert await machine_of(connection, three.key, now + DAY, live=False) is None
    await connection.execute("UPDATE membership SET ends_on = NULL WHERE person_id = $1", actor.person)
    assert await machine_of(connection, three.key, now + DAY, live=False) is not None
    await connection.execute("UPDATE person SET state = 'PSEUDONYM' WHERE id = $1", actor.person)
    assert await machine_of(connection, three.key, now, live=False) is None


async def test_a_key_rests_while_its_makers_account_is_disabled(connection: asyncpg.Connection, now: datetime) -> None:
    actor = await maker(connection)
    key = await made(connection, now, actor)
    switch = "INSERT INTO account (person_id, created_at, disabled_at) VALUES ($1, $2, $2)"
    await connection.execute(switch, actor.person, now)
    assert await machine_of(connection, key.key, now, live=False) is None
    await connection.execute("UPDATE account SET disabled_at = NULL")
    assert await machine_of(connection, key.key, now, live=False) is not None


async def test_two_live_keys_of_a_name(connection: asyncpg.Connection, now: datetime) -> None:
    actor = await maker(connection)
    old = await made(connection, now, actor, days=5)
    await made(connection, now, actor)
    with pytest.raises(TooManyKeys):
        await made(connection, now, actor)
    assert await count(connection) == 2
    await made(connection, now, actor, name="大屏")
    await made(connection, now, await maker(connection, "和邻社"))
    await actions.revoke_key(Db(connection, actor, now), old.id)
    await made(connection, now, actor, days=2)
    with pytest.raises(TooManyKeys):
        await made(connection, now + DAY, actor)
    await made(connection, now + 2 * DAY, actor)  # the one of two days has ended


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "x"}, "name"),
        ({"name": "一" * 41}, "name"),
        ({"scopes": []}, "scopes"),
        ({"days": 0}, "days"),
        ({"days": 366}, "days"),
        ({"budget": 999}, "pointsPerMinute"),
        ({"budget": 10_001}, "pointsPerMinute"),
    ],
)
async def test_bad_input(connection: asyncpg.Connection, now: datetime, wrong: dict[str, Any], field: str) -> None:
    actor = await maker(connection)
    with pytest.raises(InvalidInput) as raised:
        await made(connection, now, actor, **wrong)
    assert raised.value.field == field
    assert await count(connection) == 0


async def test_a_year_is_the_most(connection: asyncpg.Connection, now: datetime) -> None:
    await made(connection, now, await maker(connection), days=365, budget=1000)


async def test_who_may_not(connection: asyncpg.Connection, now: datetime) -> None:
    actor = await maker(connection)
    key = await made(connection, now, actor)
    by_machine = dataclasses.replace(actor, key=key.id, scopes=frozenset(ApiScope))
    admin, other = await staff(connection, Role.ADMIN), await maker(connection, "和邻社")
    officer = await staff(connection, Role.GRID_OFFICER, area=Town.GRID)
    for stranger in (by_machine, admin, officer, Actor()):
        with pytest.raises(Forbidden):
            await made(connection, now, stranger)
    with pytest.raises(Forbidden):  # a token is older than the end of his membership
        await made(connection, now, dataclasses.replace(actor, organization=other.organization))
    for stranger, problem in ((by_machine, Forbidden), (officer, Forbidden), (other, NotFound)):
        with pytest.raises(problem):
            await actions.revoke_key(Db(connection, stranger, now), key.id)
    with pytest.raises(NotFound):
        await actions.revoke_key(Db(connection, actor, now), uuid4())
    assert await connection.fetchval("SELECT revoked_at FROM api_key") is None
    await actions.revoke_key(Db(connection, admin, now), key.id)
    assert await count(connection) == 1


async def test_last_use_is_written_once_a_minute(connection: asyncpg.Connection, now: datetime) -> None:
    key = await made(connection, now, await maker(connection))
    for seconds, seen in ((0, 0), (30, 0), (60, 0), (61, 61)):
        await note_use(connection, key.id, now + timedelta(seconds=seconds))
        found = await connection.fetchval("SELECT last_used_at FROM api_key")
        assert found == now + timedelta(seconds=seen)


async def test_eight_at_once_make_two(pool: Pool, now: datetime) -> None:
    async with pool.connection() as connection:
        actor = await maker(connection)

    async def one() -> str:
        try:
            await transaction(pool, actor, now, lambda db: actions.make_key(db, "同步", [ApiScope.READ], live=False))
        except Problem as problem:
            return problem.code
        return "DONE"

    assert Counter(await asyncio.gather(*(one() for _ in range(8)))) == {"DONE": 2, "TOO_MANY_KEYS": 6}
