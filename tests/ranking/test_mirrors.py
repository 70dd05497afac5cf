"""The mirrors say what they mirror, whatever is done; and they are searched without anything else being read."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import asyncpg
import pytest

from models.access import Actor
from models.exchange import actions
from models.problems import Problem
from tests.make_exchange import END, HERE, START
from tests.ranking.conftest import Streets

DIFFERENCES = """
SELECT count(*) FROM (
    (SELECT * FROM {0} EXCEPT ALL SELECT * FROM {0}_due) UNION ALL (SELECT * FROM {0}_due EXCEPT ALL SELECT * FROM {0})
) d
"""


async def differences(c: asyncpg.Connection) -> dict[str, int]:
    """How many rows of each mirror are not what they would be made anew."""
    return {name: await c.fetchval(DIFFERENCES.format(name)) for name in ("availability", "demand")}


async def test_after_whatever_verbs(lasting: Streets, owner: asyncpg.Connection) -> None:
    s, rng = lasting, random.Random(3)
    needs, offers, commitments = [], [], []

    async def volunteer() -> None:
        name = rng.choice(("wang", "zhao", "sun"))
        windows = [(rng.randint(1, 7), 480, rng.choice((700, 1100, 1440))) for _ in range(rng.randint(0, 1))]
        categories = rng.choice((["ELDERLY"], ["ELDERLY", "CULTURE"], []))
        radius = rng.choice((1.0, 5.0, 30.0))
        await s.volunteers(
            name, windows=windows, categories=categories, radius_km=radius, no_matching=rng.random() < 0.2
        )

    async def qualified() -> None:
        await s.c.execute("DELETE FROM qualification")
        await s.qualified(rng.choice(("wang", "zhao")), rng.choice(("NURSE", "TEACHER")))

    async def asked() -> None:
        span = {"window_from": START, "window_to": rng.choice((END, END + timedelta(days=9)))}
        needs.append(await s.need(opened=rng.random() < 0.8, **span))

    async def options() -> None:
        for k in range(rng.randint(0, 3)):
            at = START + timedelta(days=k)
            values = (rng.choice(needs), k, at, at + timedelta(hours=1))
            await s.c.execute(
                "INSERT INTO need_option (need_id, place, starts_at, ends_at) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT DO NOTHING",
                *values,
            )

    async def offered() -> None:
        offers.append(await s.offer(rng.choice(("ngo", "zhao")), published=rng.random() < 0.8))

    async def claimed() -> None:
        whose = rng.choice(("wang", "zhao", "sun"))
        commitments.append(await actions.claim_need(s.as_(whose), rng.choice(needs), rng.randint(1, 2)))

    async def ended() -> None:
        await actions.cancel_commitment(s.as_("staff"), rng.choice(commitments), "不来了")

    async def accepted() -> None:
        await actions.accept_commitment(s.as_("daughter"), rng.choice(commitments))

    async def cancelled() -> None:
        await actions.cancel_need(s.as_("staff"), rng.choice(needs), "不需要了")

    async def paused() -> None:
        await actions.pause_offer(s.as_("ngo"), rng.choice(offers))

    async def person() -> None:
        name = rng.choice(("wang", "zhao"))
        gender = rng.choice(("FEMALE", "MALE"))
        await s.c.execute("UPDATE person SET gender = $2 WHERE id = $1", s.n.people[name], gender)

    steps = (
        volunteer,
        qualified,
        asked,
        asked,
        options,
        offered,
        claimed,
        claimed,
        accepted,
        ended,
        cancelled,
        paused,
        person,
    )
    done = 0
    for turn in range(150):
        step = rng.choice(steps)
        try:
            async with s.c.transaction():
                await step()
            done += 1
        except (Problem, IndexError):
            continue
        if turn % 10 == 9:
            assert await differences(owner) == {"availability": 0, "demand": 0}, step.__name__
    assert done > 80
    before = (
        await owner.fetch("SELECT * FROM availability ORDER BY 1, 2, 3, 4, 5, 9"),
        await owner.fetch("SELECT * FROM demand ORDER BY 1, 2, 3"),
    )
    assert before[0]
    assert before[1]
    await owner.execute("SELECT match_mirrors_rebuilt()")
    assert before == (
        await owner.fetch("SELECT * FROM availability ORDER BY 1, 2, 3, 4, 5, 9"),
        await owner.fetch("SELECT * FROM demand ORDER BY 1, 2, 3"),
    )


async def test_two_changes_at_once_leave_one_truth(lasting: Streets, owner: asyncpg.Connection, committed: str) -> None:
    """The second waits for the first, and then sees it."""
    await lasting.volunteers("wang")
    who = lasting.n.people["wang"]
    other = await asyncpg.connect(committed)
    try:
        async with lasting.c.transaction():
            await lasting.c.execute("UPDATE volunteer SET radius_km = 5 WHERE person_id = $1", who)
            window = "INSERT INTO volunteer_window (person_id, weekday, from_minute, to_minute) VALUES ($1, 5, 0, 600)"
            waiting = asyncio.ensure_future(other.execute(window, who))
            await asyncio.sleep(0.2)
            assert not waiting.done()
        await waiting
    finally:
        await other.close()
    assert await differences(owner) == {"availability": 0, "demand": 0}
    assert await owner.fetchval("SELECT count(DISTINCT slot) FROM availability WHERE provider_id = $1", who) == 3


async def test_a_community_that_moves_takes_who_starts_there_along(lasting: Streets, owner: asyncpg.Connection) -> None:
    """Whoever has named a point of his own stays where he is."""
    s = lasting
    await s.volunteers("wang", own_point=False)
    await s.volunteers("zhao")
    await s.offer("zhao")
    await s.c.execute("UPDATE division SET x = 4, y = 4 WHERE code = $1", HERE)
    where = dict(await owner.fetch("SELECT provider_id, array_agg(DISTINCT x) FROM availability GROUP BY 1"))
    assert where[s.n.people["wang"]] == [4.0]
    assert where[s.n.people["zhao"]] == [pytest.approx(0.6)]
    assert await differences(owner) == {"availability": 0, "demand": 0}


async def test_a_category_that_takes_a_paper_from_now_on(lasting: Streets, owner: asyncpg.Connection) -> None:
    s = lasting
    await s.volunteers("wang")
    await s.need(window_from=START)
    needs = "SELECT count(*) FROM match_needs($1, $2, 5)"
    assert await owner.fetchval(needs, s.n.people["wang"], s.now) == 1
    await s.c.execute("UPDATE service_category SET certificates = '{NURSE}' WHERE code LIKE 'ELDERLY%'")
    assert await differences(owner) == {"availability": 0, "demand": 0}
    assert await owner.fetchval("SELECT DISTINCT licence = match_bits('{NURSE}') FROM demand") is True
    assert await owner.fetchval(needs, s.n.people["wang"], s.now) == 0


async def test_nothing_stays_under_a_record_that_is_given_up(lasting: Streets, owner: asyncpg.Connection) -> None:
    """Whatever is pointed at another person, in whatever order."""
    s = lasting
    await s.volunteers("wang")
    await s.qualified("wang", "NURSE")
    await s.offer("wang")
    former, other = s.n.people["wang"], s.n.people["neighbour"]
    for table in ("volunteer_window", "qualification", "offer", "volunteer"):
        await s.c.execute(f"UPDATE {table} SET person_id = $2 WHERE person_id = $1", former, other)
        assert await differences(owner) == {"availability": 0, "demand": 0}, table
    assert await owner.fetchval("SELECT count(*) FROM availability WHERE provider_id = $1", former) == 0
    assert await owner.fetchval("SELECT count(*) FROM availability WHERE provider_id = $1", other) > 0


async def test_searches_read_the_index_only(owner: asyncpg.Connection) -> None:
    """With enough rows that the planner cares, and vacuumed: else every row of the index is looked up in the table."""
    whenever = "n % 21, n % 400, 'V', 0, 0"
    await owner.execute(
        f"""INSERT INTO availability (provider_id, category, slot, cell, kind, x, y, radius, from_minute, to_minute, gender,
        languages, skills, certificates, certified_until, reliability)
        SELECT gen_random_uuid(), 'C' || n % 20, {whenever}, 3, 480, 720, 'FEMALE', 1, 0, 0, 'infinity', 0.8
        FROM generate_series(1, 20000) n"""
    )
    await owner.execute(
        f"""INSERT INTO demand (need_id, place, category, slot, cell, kind, x, y, from_minute, to_minute, due_at, gender,
        gender_required, language, skills, certificates, priority, area, licence)
        SELECT gen_random_uuid(), 0, 'C' || n % 20, {whenever}, 480, 720, now(), 'ANY', false, 1, 0, 0, 1, 'A', 0
        FROM generate_series(1, 20000) n"""
    )
    for table, searched in (
        (
            "availability",
            "SELECT provider_id, kind, x, y, radius, from_minute, to_minute, gender, languages, skills, certificates, certified_until, reliability",
        ),
        (
            "demand",
            "SELECT need_id, place, kind, x, y, starts_at, ends_at, from_minute, to_minute, due_at, gender, gender_required, language, skills, certificates, beneficiary_id, priority, area, licence",
        ),
    ):
        await owner.execute(f"VACUUM (ANALYZE) {table}")
        plan = await owner.fetch(
            f"EXPLAIN {searched} FROM {table} WHERE category = ANY ('{{C1,C2}}') AND slot = ANY ('{{1,-2}}'::smallint[])"
            " AND cell = ANY ('{1,2,3}'::int[])"
        )
        text = "\n".join(row[0] for row in plan)
        assert f"Index Only Scan using ix_{table}_search" in text, text


async def test_nobody_asks_the_mirrors_over_the_api() -> None:
    from models import access

    assert not {"availability", "demand", "need_attention"} & (access.PUBLIC | set(access.VISIBLE))
    assert Actor().role.value == "PUBLIC"
