"""Sign-ins: in which capacity, how long, families of refresh tokens, and how they end."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.access import PUBLIC_ACTOR, Actor, Claims, Role
from models.database import Db, transaction
from models.identity import actions
from models.identity.actions.sign_ins import device_of, hash_of, network_of
from models.identity.capacities import Acting, held
from models.identity.problems import CapacityNotHeld, RefreshInvalid, RefreshReused, SecondFactorRequired
from models.identity.queries import actor_of
from models.identity.rules import STRONG_ROLES, SignInEnd, SignInMethod, lasts_until, still_strong
from models.identity.sweep import sweep_sign_ins
from models.identity.tokens import read
from models.people.rules import PersonState
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, Kept, NotFound, Problem
from tests.make_people import Town, membership, organization, person, resident, staff, town, volunteer

MINUTE = timedelta(minutes=1)


def db(connection: asyncpg.Connection, now: datetime, actor: Actor = PUBLIC_ACTOR) -> Db:
    return Db(connection, actor, now)


async def opened(
    connection: asyncpg.Connection, who: UUID, now: datetime, *, strong: bool = False, **more: Any
) -> actions.Opened:
    return await actions.open_sign_in(
        db(connection, now), who, SignInMethod.PASSWORD if strong else SignInMethod.WECHAT, strong=strong, **more
    )


async def claims(connection: asyncpg.Connection, token: str, now: datetime) -> Claims:
    return read(await db(connection, now).keys(), token, now).claims


async def row(connection: asyncpg.Connection, id: UUID) -> asyncpg.Record:
    found = await connection.fetchrow("SELECT * FROM sign_in WHERE id = $1", id)
    assert found is not None
    return found


async def everything(connection: asyncpg.Connection) -> Any:
    return await connection.fetch("SELECT * FROM sign_in ORDER BY id"), await connection.fetch(
        "SELECT * FROM refresh_token ORDER BY hash"
    )


async def kept(work: Awaitable[Any]) -> Problem:
    with pytest.raises(Kept) as raised:
        await work
    return raised.value.problem


# in which capacity


async def test_whoever_is_nothing_yet_acts_for_himself(connection: asyncpg.Connection, now: datetime) -> None:
    who = await person(connection)
    made = await opened(connection, who, now)
    assert made.refresh_token.startswith("wsr_") and len(made.refresh_token) == 47
    said = await claims(connection, made.access_token, now)
    assert said == Claims(who, Role.PERSON, None, made.sign_in)
    assert await actor_of(connection, said, now) == Actor(Role.PERSON, who, sign_in=made.sign_in)


async def test_the_first_capacity_is_a_membership_then_a_volunteers_then_a_residents(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    assert [c.role for c in await held(db(connection, now), one.person)] == [Role.RESIDENT, Role.PERSON]
    await volunteer(connection, there, person=one.person)
    ngo = await organization(connection, there)
    past = await membership(connection, one.person, Role.NGO_STAFF, organization=ngo, ends_on=date(2026, 10, 1))
    assert [c.role for c in await held(db(connection, now), one.person)] == [
        Role.VOLUNTEER,
        Role.RESIDENT,
        Role.PERSON,
    ]
    other = await organization(connection, there, "和邻社")
    present = await membership(connection, one.person, Role.NGO_STAFF, organization=other)
    assert (await held(db(connection, now), one.person))[0] == Acting(Role.NGO_STAFF, present)
    said = await claims(connection, (await opened(connection, one.person, now)).access_token, now)
    assert (said.role, said.membership) == (Role.NGO_STAFF, present)
    lost = await opened(connection, one.person, now, acting=Acting(Role.NGO_STAFF, past))
    assert (await row(connection, lost.sign_in))["membership_id"] == present  # he does not have that one any more


async def test_the_last_capacity_comes_again_and_a_wish_comes_first(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    await volunteer(connection, there, person=one.person)
    first = await opened(connection, one.person, now, acting=Acting(Role.RESIDENT))
    again = await opened(connection, one.person, now + MINUTE)
    assert [(await row(connection, o.sign_in))["role"] for o in (first, again)] == ["RESIDENT", "RESIDENT"]


async def test_a_strong_role_is_passed_over_without_a_second_factor(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    await membership(connection, one.person, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    weak = await opened(connection, one.person, now)
    assert (await row(connection, weak.sign_in))["role"] == "RESIDENT"
    before = await everything(connection)
    with pytest.raises(SecondFactorRequired):
        await opened(connection, one.person, now, acting=Acting(Role.COMMUNITY_STAFF))
    with pytest.raises(SecondFactorRequired):
        await actions.refresh(db(connection, now), weak.refresh_token, acting=Acting(Role.COMMUNITY_STAFF))
    assert (await everything(connection))[0] == before[0]
    strong = await opened(connection, one.person, now, strong=True)
    found = await row(connection, strong.sign_in)
    assert (found["role"], found["expires_at"]) == ("COMMUNITY_STAFF", now + timedelta(hours=2))


async def test_nobody_signs_in_as_a_pseudonym(connection: asyncpg.Connection, now: datetime) -> None:
    who = await person(connection)
    await connection.execute("UPDATE person SET state = $2 WHERE id = $1", who, PersonState.PSEUDONYM)
    with pytest.raises(CapacityNotHeld):
        await opened(connection, who, now)


@given(st.sampled_from([r for r in Role if r is not Role.PUBLIC]), st.integers(0, 2880), st.integers(0, 2880))
def test_a_strong_role_never_outlasts_its_second_factor(role: Role, began: int, idle: int) -> None:
    since = datetime(2026, 11, 2, 10).astimezone()
    seen = since + began * MINUTE
    now = seen + idle * MINUTE
    lives = now < lasts_until(role, since, seen)
    assert lives == (still_strong(since, seen, now) if role in STRONG_ROLES else now < since + timedelta(days=30))


# families


async def test_each_refresh_token_is_used_once_for_the_next(connection: asyncpg.Connection, now: datetime) -> None:
    who = await person(connection)
    made = await opened(connection, who, now, device="小程序 · Android")
    tokens = [made.refresh_token]
    for n in range(1, 4):
        at = now + n * timedelta(days=1)
        again = await actions.refresh(db(connection, at), tokens[-1])
        assert again.sign_in == made.sign_in
        assert (await claims(connection, again.access_token, at)).sign_in == made.sign_in
        tokens.append(again.refresh_token)
    assert len(set(tokens)) == 4
    found = await row(connection, made.sign_in)
    assert (found["device"], found["last_seen_at"]) == ("小程序 · Android", now + timedelta(days=3))
    assert found["expires_at"] == now + timedelta(days=30)  # refreshing does not move that
    stored = await connection.fetch("SELECT hash, used_at FROM refresh_token WHERE sign_in_id = $1", made.sign_in)
    assert {r["hash"] for r in stored} == {hash_of(t) for t in tokens}
    assert sum(r["used_at"] is None for r in stored) == 1


async def test_a_lost_answer_may_be_asked_for_again(connection: asyncpg.Connection, now: datetime) -> None:
    made = await opened(connection, await person(connection), now)
    lost = await actions.refresh(db(connection, now), made.refresh_token)
    again = await actions.refresh(db(connection, now + timedelta(seconds=29)), made.refresh_token)
    assert again.refresh_token != lost.refresh_token
    after = await actions.refresh(db(connection, now + MINUTE), again.refresh_token)
    # what was lost, and found by somebody else, is worth nothing and ends the family
    problem = await kept(actions.refresh(db(connection, now + 2 * MINUTE), lost.refresh_token))
    assert isinstance(problem, RefreshReused)
    with pytest.raises(RefreshInvalid):
        await actions.refresh(db(connection, now + 2 * MINUTE), after.refresh_token)
    assert (await row(connection, made.sign_in))["end_reason"] == SignInEnd.REUSED


@pytest.mark.parametrize(("seconds", "used"), [(30, False), (1, True)])
async def test_reuse_ends_the_family(connection: asyncpg.Connection, now: datetime, seconds: int, used: bool) -> None:
    """After the grace, and within it once somebody has used what was given."""
    who = await person(connection)
    made = await opened(connection, who, now)
    other = await opened(connection, who, now)
    following = await actions.refresh(db(connection, now), made.refresh_token)
    if used:
        await actions.refresh(db(connection, now), following.refresh_token)
    at = now + timedelta(seconds=seconds)
    assert isinstance(await kept(actions.refresh(db(connection, at), made.refresh_token)), RefreshReused)
    assert (await row(connection, made.sign_in))["end_reason"] == SignInEnd.REUSED
    assert await actor_of(connection, await claims(connection, following.access_token, at), at) is None
    with pytest.raises(RefreshInvalid):
        await actions.refresh(db(connection, at), following.refresh_token)
    await actions.refresh(db(connection, at), other.refresh_token)  # another device's goes on


async def test_what_is_no_refresh_token_of_ours(connection: asyncpg.Connection, now: datetime) -> None:
    made = await opened(connection, await person(connection), now)
    before = await everything(connection)
    for wrong in ("", "wsr_", made.refresh_token[:-1], made.refresh_token.upper(), made.access_token, "\ud800"):
        with pytest.raises(RefreshInvalid):
            await actions.refresh(db(connection, now), wrong)
    assert await everything(connection) == before


async def test_a_sign_in_ends_after_thirty_days_whatever_is_done(connection: asyncpg.Connection, now: datetime) -> None:
    made = await opened(connection, await person(connection), now)
    last = now + timedelta(days=30) - timedelta(seconds=5)
    again = await actions.refresh(db(connection, last), made.refresh_token)
    keys = await db(connection, last).keys()
    assert read(keys, again.access_token, last).ends == (now + timedelta(days=30)).timestamp()
    problem = await kept(actions.refresh(db(connection, now + timedelta(days=30)), again.refresh_token))
    assert isinstance(problem, RefreshInvalid)
    assert (await row(connection, made.sign_in))["end_reason"] == SignInEnd.EXPIRED


async def test_a_strong_sign_in_ends_idle_after_two_hours_and_at_last_after_twelve(
    connection: asyncpg.Connection, now: datetime
) -> None:
    admin = await staff(connection, Role.ADMIN)
    assert admin.person is not None
    idle = await opened(connection, admin.person, now, strong=True)
    problem = await kept(actions.refresh(db(connection, now + timedelta(hours=2)), idle.refresh_token))
    assert isinstance(problem, RefreshInvalid)
    made = await opened(connection, admin.person, now, strong=True)
    token = made.refresh_token
    for minutes in range(100, 720, 100):
        token = (await actions.refresh(db(connection, now + minutes * MINUTE), token)).refresh_token
    assert (await row(connection, made.sign_in))["expires_at"] == now + timedelta(hours=12)
    assert isinstance(await kept(actions.refresh(db(connection, now + 720 * MINUTE), token)), RefreshInvalid)


async def test_a_second_factor_lapses_and_the_rest_goes_on(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    await membership(connection, one.person, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    made = await opened(connection, one.person, now, strong=True, acting=Acting(Role.RESIDENT))
    late = now + timedelta(hours=3)
    again = await actions.refresh(db(connection, late), made.refresh_token)
    assert (await row(connection, made.sign_in))["strong"] is False
    with pytest.raises(SecondFactorRequired):
        await actions.refresh(db(connection, late + MINUTE), again.refresh_token, acting=Acting(Role.COMMUNITY_STAFF))


async def test_a_capacity_that_is_gone_is_left_for_another(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    await volunteer(connection, there, person=one.person)
    made = await opened(connection, one.person, now)
    said = await claims(connection, made.access_token, now)
    assert said.role is Role.VOLUNTEER
    await connection.execute("UPDATE volunteer SET state = 'SUSPENDED' WHERE person_id = $1", one.person)
    assert await actor_of(connection, said, now) is None
    again = await actions.refresh(db(connection, now + MINUTE), made.refresh_token)
    assert (await claims(connection, again.access_token, now + MINUTE)).role is Role.RESIDENT
    await connection.execute("UPDATE person SET state = 'PSEUDONYM' WHERE id = $1", one.person)
    assert await actor_of(connection, await claims(connection, again.access_token, now + MINUTE), now) is None
    with pytest.raises(CapacityNotHeld):
        await actions.refresh(db(connection, now + MINUTE), again.refresh_token)


# switching


async def test_switching_keeps_the_family(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there)
    await volunteer(connection, there, person=one.person)
    made = await opened(connection, one.person, now)
    actor = await actor_of(connection, await claims(connection, made.access_token, now), now)
    assert actor is not None
    id, token = await actions.switch(db(connection, now + MINUTE, actor), Acting(Role.RESIDENT))
    assert id == made.sign_in
    assert (await claims(connection, token, now + MINUTE)).role is Role.RESIDENT
    with pytest.raises(CapacityNotHeld):
        await actions.switch(db(connection, now + MINUTE, actor), Acting(Role.NGO_STAFF))
    again = await actions.refresh(db(connection, now + 2 * MINUTE), made.refresh_token)
    assert (await claims(connection, again.access_token, now + 2 * MINUTE)).role is Role.RESIDENT
    with pytest.raises(Forbidden):  # a demo token has no sign-in to switch
        await actions.switch(db(connection, now, dataclasses.replace(actor, sign_in=None)), Acting(Role.RESIDENT))
    await actions.end_sign_in(db(connection, now, actor), made.sign_in)
    with pytest.raises(Forbidden):
        await actions.switch(db(connection, now, actor), Acting(Role.RESIDENT))


async def test_of_two_memberships_the_one_that_is_named(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    who = await person(connection)
    ngos = [await organization(connection, there, name) for name in ("暖邻服务社", "和邻社")]
    held_ = [await membership(connection, who, Role.NGO_STAFF, organization=ngo) for ngo in ngos]
    made = await opened(connection, who, now)
    token = made.refresh_token
    for n, id in enumerate((held_[1], held_[0])):
        again = await actions.refresh(db(connection, now + n * MINUTE), token, acting=Acting(Role.NGO_STAFF, id))
        token = again.refresh_token
        assert (await claims(connection, again.access_token, now + n * MINUTE)).membership == id
    again = await actions.refresh(db(connection, now + 3 * MINUTE), token, acting=Acting(Role.NGO_STAFF))
    assert (await claims(connection, again.access_token, now + 3 * MINUTE)).membership == held_[0]  # the last one


# ending


async def test_one_ends_ones_own(connection: asyncpg.Connection, now: datetime) -> None:
    one, two = await person(connection), await person(connection, "李四")
    made = [await opened(connection, who, now) for who in (one, one, one, two)]
    actor = Actor(Role.PERSON, one, sign_in=made[0].sign_in)
    await actions.end_sign_in(db(connection, now + MINUTE, actor), made[1].sign_in)
    with pytest.raises(NotFound):
        await actions.end_sign_in(db(connection, now, actor), made[3].sign_in)
    with pytest.raises(NotFound):
        await actions.end_sign_in(db(connection, now, Actor(Role.PERSON, one)), made[2].sign_in)
    assert await actions.end_sign_in(db(connection, now + 2 * MINUTE, actor), made[1].sign_in) == made[1].sign_in
    assert await actions.end_all_sign_ins(db(connection, now + MINUTE, actor), True) == one
    await actions.end_sign_in(db(connection, now + MINUTE, actor), made[0].sign_in)
    reasons = [(await row(connection, m.sign_in))["end_reason"] for m in made]
    assert reasons == ["SIGNED_OUT", "ENDED_BY_OWNER", "ENDED_BY_OWNER", None]
    assert (await row(connection, made[1].sign_in))["ended_at"] == now + MINUTE  # the first end counts


async def test_all_end(connection: asyncpg.Connection, now: datetime) -> None:
    who = await person(connection)
    made = [await opened(connection, who, now) for _ in range(3)]
    actor = Actor(Role.PERSON, who, sign_in=made[0].sign_in)
    await actions.end_all_sign_ins(db(connection, now, actor), False)
    for one in made:
        with pytest.raises(RefreshInvalid):
            await actions.refresh(db(connection, now), one.refresh_token)
    with pytest.raises(Forbidden):
        await actions.end_all_sign_ins(db(connection, now, Actor(Role.PERSON, who)), False)


async def test_a_changed_password_ends_the_others(connection: asyncpg.Connection, now: datetime) -> None:
    who = await person(connection)
    made = [await opened(connection, who, now) for _ in range(3)]
    work = db(connection, now)
    assert await actions.end_sign_ins_of(work, who, SignInEnd.PASSWORD_CHANGED, keep=made[2].sign_in) == 2
    assert work.detail == {"endedSignIns": 2}
    assert [(await row(connection, m.sign_in))["end_reason"] for m in made] == ["PASSWORD_CHANGED"] * 2 + [None]
    assert await actions.end_sign_ins_of(db(connection, now), who, SignInEnd.PERSON_ERASED) == 1


async def test_old_ones_are_swept(connection: asyncpg.Connection, now: datetime) -> None:
    who = await person(connection)
    made = await opened(connection, who, now)
    fresh = await opened(connection, who, now + timedelta(days=29))
    assert await sweep_sign_ins(db(connection, now + timedelta(days=29))) == 0
    assert await sweep_sign_ins(db(connection, now + timedelta(days=31))) == 1
    ended = await row(connection, made.sign_in)
    assert (ended["ended_at"], ended["end_reason"]) == (now + timedelta(days=30), "EXPIRED")
    assert await sweep_sign_ins(db(connection, now + timedelta(days=58))) == 0
    assert await sweep_sign_ins(db(connection, now + timedelta(days=120, hours=1))) == 2  # one marked, one gone
    left = await connection.fetch("SELECT id FROM sign_in")
    assert [r["id"] for r in left] == [fresh.sign_in]
    assert await connection.fetchval("SELECT count(*) FROM refresh_token") == 1


# where from


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.*"),
        ("2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8:85a3::/48"),
        ("::ffff:203.0.113.77", "203.0.113.*"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", None),
        (None, None),
    ],
)
def test_an_address_is_kept_as_its_network(address: str | None, network: str | None) -> None:
    assert network_of(address) == network


def test_a_devices_name_is_a_label() -> None:
    assert device_of("  小程序 · iPhone ") == "小程序 · iPhone"
    assert device_of("x" * 500) == "x" * 60
    assert device_of(" ") is None
    with pytest.raises(InvalidInput):
        device_of("a\x00b")


# many at once


async def at_once(pool: Pool, now: datetime, times: int, work: Callable[[Db], Awaitable[Any]]) -> list[Any]:
    async def one() -> Any:
        async def kept_or_done(db: Db) -> Any:
            try:
                return await work(db)
            except Kept as no:
                return no.problem

        try:
            return await transaction(pool, PUBLIC_ACTOR, now, kept_or_done)
        except Problem as problem:
            return problem

    return await asyncio.gather(*(one() for _ in range(times)))


async def test_eight_refreshes_at_once_leave_one_family_with_one_token(pool: Pool, now: datetime) -> None:
    async with pool.connection() as connection:
        made = await opened(connection, await person(connection), now)
    outcomes = await at_once(pool, now, 8, lambda db: actions.refresh(db, made.refresh_token))
    assert all(isinstance(o, actions.Opened) and o.sign_in == made.sign_in for o in outcomes)
    assert len({o.refresh_token for o in outcomes}) == 8
    live = await pool.fetchval("SELECT array_agg(hash) FROM refresh_token WHERE used_at IS NULL")
    assert len(live) == 1
    (good,) = [o for o in outcomes if hash_of(o.refresh_token) == live[0]]
    async with pool.connection() as connection:
        assert (await row(connection, made.sign_in))["ended_at"] is None
        await actions.refresh(db(connection, now + MINUTE), good.refresh_token)


async def test_eight_reuses_at_once_end_it_once(pool: Pool, now: datetime) -> None:
    async with pool.connection() as connection:
        made = await opened(connection, await person(connection), now)
        await actions.refresh(db(connection, now), made.refresh_token)
    outcomes = await at_once(pool, now + MINUTE, 8, lambda db: actions.refresh(db, made.refresh_token))
    assert Counter(type(o) for o in outcomes) == {RefreshReused: 1, RefreshInvalid: 7}
    assert await pool.fetchval("SELECT count(*) FROM event WHERE topic = 'signIn.reused'") == 1
