"""Many at once: no claim too many, whatever comes together."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from models.access import Actor, Role
from models.database import Db, transaction
from models.exchange import actions
from models.exchange.problems import AlreadyCommitted, NeedFullyCommitted, OfferExhausted
from models.pool import Pool
from models.problems import Busy, Problem
from tests.make_exchange import HERE, NOW, Scene, insert, neighbourhood


async def made(pool: Pool, work: Callable[[Scene], Awaitable[Any]]) -> tuple[Scene, Any]:
    """A neighbourhood, and what `work` makes in it, committed."""
    async with pool.connection() as connection, connection.transaction():
        scene = Scene(connection, await neighbourhood(connection))
        return scene, await work(scene)


async def volunteers(scene: Scene, count: int) -> list[Actor]:
    """So many active volunteers, from elsewhere."""
    out = []
    for _ in range(count):
        person = await insert(scene.c, "person", name_masked="志*", pinyin="z", created_at=NOW)
        await insert(
            *(scene.c, "volunteer"),
            person_id=person,
            state="ACTIVE",
            area=HERE,
            adult_on=date(2000, 1, 1),
            created_at=NOW,
        )
        out.append(Actor(Role.VOLUNTEER, person, None, HERE))
    return out


async def attempt(pool: Pool, actor: Actor, work: Callable[[Db], Awaitable[Any]], now: Any = NOW) -> str:
    """What came of a verb: `done`, or the name of the refusal. A busy server is asked again, as a client would."""
    while True:
        try:
            await transaction(pool, actor, now, work)
        except Busy:
            continue
        except Problem as problem:
            return type(problem).__name__
        return "done"


async def counters(pool: Pool, need: UUID) -> tuple[int, int]:
    """(what the need counts, what its commitments hold)."""
    async with pool.connection() as c:
        row = await c.fetchrow(
            """
            SELECT qty_committed, (SELECT coalesce(sum(qty), 0) FROM commitment WHERE need_id = need.id AND status IN
                ('PROPOSED', 'ACCEPTED', 'CONFIRMED')) AS held
            FROM need WHERE id = $1
            """,
            need,
        )
    return row["qty_committed"], row["held"]


async def test_a_hundred_claims_on_one_have_one_winner(pool: Pool) -> None:
    async def work(scene: Scene) -> Any:
        return await scene.need(quantity=1), await volunteers(scene, 100)

    _, (need, actors) = await made(pool, work)
    came = Counter(await asyncio.gather(*(attempt(pool, a, lambda db: actions.claim_need(db, need)) for a in actors)))
    assert came == {"done": 1, "NeedFullyCommitted": 99}
    assert await counters(pool, need) == (1, 1)


async def test_the_same_claim_at_once_is_made_once(pool: Pool) -> None:
    async def work(scene: Scene) -> Any:
        return await scene.need(quantity=50), await volunteers(scene, 1)

    _, (need, (actor,)) = await made(pool, work)
    came = Counter(
        await asyncio.gather(*(attempt(pool, actor, lambda db: actions.claim_need(db, need)) for _ in range(20)))
    )
    assert came == {"done": 1, "AlreadyCommitted": 19}
    assert await counters(pool, need) == (1, 1)


async def test_claims_against_due_holds_take_each_quantity_once(pool: Pool) -> None:
    async def work(scene: Scene) -> Any:
        need = await scene.need(quantity=3, window_from=None, window_to=None)
        actors = await volunteers(scene, 30)
        for actor in actors[:3]:
            await actions.claim_need(Db(scene.c, actor, NOW), need)
        return need, actors

    _, (need, actors) = await made(pool, work)
    due = NOW + timedelta(hours=24)
    job = Actor(Role.ADMIN)
    tasks = [attempt(pool, a, lambda db: actions.claim_need(db, need), due) for a in actors]
    tasks += [attempt(pool, job, actions.lapse_due_holds, due) for _ in range(3)]
    came = Counter(await asyncio.gather(*tasks))
    assert came == {"done": 6, "NeedFullyCommitted": 27}
    assert await counters(pool, need) == (3, 3)


async def test_an_offer_for_many_needs_is_never_overdrawn(pool: Pool) -> None:
    """Claims and cancellations of two needs out of one offer, all at once, twenty rounds: every counter stays true."""

    async def work(scene: Scene) -> Any:
        offer = await scene.offer(quantity=4)
        needs = [await scene.need(quantity=3, window_from=None, window_to=None) for _ in range(4)]
        return offer, needs

    scene, (offer, needs) = await made(pool, work)
    ngo, staff = scene.n.actor("ngo"), scene.n.actor("staff")
    chance = random.Random(7)
    seen: set[str] = set()

    async def claim(db: Db) -> None:
        await actions.claim_need(db, chance.choice(needs), chance.randint(1, 3), offer=offer)

    async def drop(db: Db) -> None:
        rows = await db.connection.fetch("SELECT id FROM commitment WHERE status = 'PROPOSED'")
        if rows:
            await actions.decline_commitment(db, chance.choice(rows)["id"])

    for _ in range(20):
        tasks = [attempt(pool, ngo, claim) for _ in range(5)] + [attempt(pool, staff, drop) for _ in range(4)]
        seen |= set(await asyncio.gather(*tasks))
        async with pool.connection() as c:
            held = await c.fetchval("SELECT coalesce(sum(qty), 0) FROM commitment WHERE status = 'PROPOSED'")
            assert await c.fetchval("SELECT qty_reserved FROM offer") == held <= 4
        for need in needs:
            counted, held = await counters(pool, need)
            assert counted == held <= 3
    refusals = {p.__name__ for p in (AlreadyCommitted, OfferExhausted, NeedFullyCommitted)}
    assert seen <= {"done", "InvalidTransition", *refusals}
    assert {"done", "OfferExhausted"} <= seen


async def test_overlapping_acceptances_book_once(pool: Pool) -> None:
    async def work(scene: Scene) -> Any:
        needs = [await scene.need() for _ in range(8)]
        return [await actions.claim_need(scene.as_("wang"), need) for need in needs]

    scene, claims = await made(pool, work)
    staff = scene.n.actor("staff")

    def accept(id: UUID) -> Callable[[Db], Awaitable[Any]]:
        return lambda db: actions.accept_commitment(db, id)

    came = Counter(await asyncio.gather(*(attempt(pool, staff, accept(id)) for id in claims)))
    assert came == {"done": 1, "OverlappingBooking": 7}
    async with pool.connection() as c:
        assert await c.fetchval("SELECT count(*) FROM commitment WHERE status = 'ACCEPTED'") == 1
        assert await c.fetchval("SELECT count(*) FROM booking") == 1


async def test_the_last_two_completions_close_the_need(pool: Pool) -> None:
    async def work(scene: Scene) -> Any:
        out = []
        for n in range(10):
            window = {"window_from": NOW + timedelta(days=n + 1), "window_to": NOW + timedelta(days=n + 1, hours=1)}
            need = await scene.need(**window)
            out.append((need, [await scene.delivered(need, name) for name in ("wang", "zhao")]))
        return out

    scene, pairs = await made(pool, work)
    daughter = scene.n.actor("daughter")

    def complete(id: UUID) -> Callable[[Db], Awaitable[Any]]:
        return lambda db: actions.complete_commitment(db, id)

    tasks = [attempt(pool, daughter, complete(id)) for _, ids in pairs for id in ids]
    assert set(await asyncio.gather(*tasks)) == {"done"}
    async with pool.connection() as c:
        assert await c.fetchval("SELECT count(*) FROM need WHERE status = 'CLOSED'") == 10
        done = await c.fetch("SELECT completed FROM volunteer WHERE completed > 0")  # none missed the one beside it
    assert [row["completed"] for row in done] == [10, 10]
