"""「不要给我派」: who wishes it is nobody's business, and it works in both directions."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from models.access import Role, seen
from models.base import table
from models.database import Seen
from models.exchange import actions as exchange
from models.exchange.problems import OwnNeed
from models.people import actions
from models.people.avoidances import Avoidance
from models.people.problems import NotAvailable
from models.problems import Forbidden, InvalidInput, NotFound
from tests.make_exchange import Scene, insert, neighbourhood, refused

avoidance = table(Avoidance)
SHOWN = Seen(lambda viewer: sa.select(avoidance.c.id).where(*seen(avoidance, "avoidance", viewer)))
ESCORT = "ELDERLY.ESCORT"


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> Scene:
    return Scene(connection, await neighbourhood(connection))


async def avoids(scene: Scene, one: str, other: str, category: str = ESCORT) -> bool:
    people = scene.n.people
    return await scene.c.fetchval("SELECT avoids($1, $2, $3)", people[one], people[other], category)


async def whose(scene: Scene, need: UUID) -> str:
    """Whom a need is for."""
    subject = await scene.c.fetchval("SELECT subject_id FROM need WHERE id = $1", need)
    return next(name for name, person in scene.n.people.items() if person == subject)


async def test_it_counts_in_both_directions_and_for_nobody_else(scene: Scene) -> None:
    wang = scene.n.people["wang"]
    made = await actions.add_avoidance(scene.as_("grandmother"), avoided=wang)
    assert await actions.add_avoidance(scene.as_("grandmother"), avoided=wang) == made
    assert await avoids(scene, "grandmother", "wang")
    assert await avoids(scene, "wang", "grandmother")
    assert not await avoids(scene, "grandmother", "zhao")
    assert not await avoids(scene, "daughter", "wang")
    assert await scene.c.fetchval("SELECT avoids(NULL, $1, $2)", wang, ESCORT) is False
    assert await actions.remove_avoidance(scene.as_("grandmother"), made) == scene.n.people["grandmother"]
    assert not await avoids(scene, "grandmother", "wang")


@pytest.mark.parametrize(
    ("said", "asked", "stands"),
    [
        (ESCORT, ESCORT, True),
        ("ELDERLY", ESCORT, True),
        ("ELDERLY", "ELDERLY", True),
        (ESCORT, "ELDERLY", False),
        (ESCORT, "ELDERLY.MEALS", False),
        ("DISABLED", ESCORT, False),
    ],
)
async def test_a_category_stands_for_all_under_it(scene: Scene, said: str, asked: str, stands: bool) -> None:
    await actions.add_avoidance(scene.as_("wang"), category=said)
    assert await avoids(scene, "wang", "grandmother", asked) is stands
    assert not await avoids(scene, "grandmother", "wang", asked), "he may well need such help himself"


async def test_nobody_else_sees_it_whatever_his_office(scene: Scene) -> None:
    made = await actions.add_avoidance(scene.as_("grandmother"), avoided=scene.n.people["wang"])
    assert await scene.as_("grandmother").value(SHOWN) == made
    for name in ("wang", "daughter", "staff", "social_worker", "officer", "ngo", "viewer", "admin", "public"):
        assert await scene.as_(name).all(SHOWN) == [], name


async def test_neither_events_nor_the_audit_row_tell_whom_it_names(scene: Scene) -> None:
    db = scene.as_("grandmother")
    await actions.add_avoidance(db, avoided=scene.n.people["wang"])
    assert (db.events, db.detail) == ([], {})


async def test_what_is_wrong_is_named(scene: Scene) -> None:
    me, wang = scene.as_("grandmother"), scene.n.people["wang"]
    for given, problem in (
        ({}, InvalidInput),
        ({"avoided": wang, "category": ESCORT}, InvalidInput),
        ({"avoided": scene.n.people["grandmother"]}, InvalidInput),
        ({"category": "FLYING"}, InvalidInput),
        ({"avoided": scene.n.organization}, NotFound),
    ):
        with pytest.raises(problem):
            await actions.add_avoidance(me, **given)
    for name in ("staff", "public", "ngo"):
        with pytest.raises(Forbidden):
            await actions.add_avoidance(scene.as_(name), avoided=wang)
    made = await actions.add_avoidance(scene.as_("wang"), avoided=scene.n.people["grandmother"])
    with pytest.raises(NotFound):
        await actions.remove_avoidance(me, made)
    assert await scene.c.fetchval("SELECT count(*) FROM avoidance") == 1


async def test_whom_a_resident_avoids_cannot_claim_and_is_told_nothing(scene: Scene) -> None:
    need = await scene.need()
    await actions.add_avoidance(scene.as_(await whose(scene, need)), avoided=scene.n.people["wang"])
    async with refused(scene, NotAvailable):
        await exchange.claim_need(scene.as_("wang"), need)
    message = NotAvailable().message
    assert not any(word in message for word in ("回避", "拒绝", "不愿", "居民", "对方"))
    assert await exchange.claim_need(scene.as_("zhao"), need)


async def test_for_a_place_or_a_group_the_word_of_who_asks_counts(scene: Scene) -> None:
    need = await scene.need("staff", grid=scene.n.grid)
    claimed = await exchange.claim_need(scene.as_("zhao"), need)
    for name in ("wang", "zhao"):
        people = scene.n.people["staff"], scene.n.people[name]
        await insert(scene.c, "avoidance", person_id=people[0], avoided_person_id=people[1], created_at=scene.now)
    async with refused(scene, NotAvailable):
        await exchange.claim_need(scene.as_("wang"), need)
    async with refused(scene, NotAvailable):
        await exchange.propose_commitment(scene.as_("staff"), need, volunteer=scene.n.volunteer_ids["wang"])
    async with refused(scene, NotAvailable):
        await exchange.accept_commitment(scene.as_("colleague"), claimed)
    assert await exchange.claim_need(scene.as_("sun"), need)


async def test_a_claim_against_his_own_wish_is_his_to_make(scene: Scene) -> None:
    need = await scene.need()
    await actions.add_avoidance(scene.as_("wang"), category=ESCORT)
    async with refused(scene, NotAvailable):
        await exchange.propose_commitment(scene.as_("staff"), need, volunteer=scene.n.volunteer_ids["wang"])
    assert await exchange.claim_need(scene.as_("wang"), need)


async def test_a_wish_between_claim_and_answer_stands(scene: Scene) -> None:
    need = await scene.need()
    made = await exchange.propose_commitment(scene.as_("staff"), need, volunteer=scene.n.volunteer_ids["wang"])
    await actions.add_avoidance(scene.as_(await whose(scene, need)), avoided=scene.n.people["wang"])
    async with refused(scene, NotAvailable):
        await exchange.accept_commitment(scene.as_("wang"), made)


async def test_whose_own_need_it_is_is_told_so_first(scene: Scene) -> None:
    need = await scene.need("neighbour")
    await scene.c.execute("UPDATE resident SET household = 'h2' WHERE person_id = $1", scene.n.people["sun"])
    await actions.add_avoidance(scene.as_("neighbour"), avoided=scene.n.people["sun"])
    async with refused(scene, OwnNeed):
        await exchange.claim_need(scene.as_("sun"), need)


def test_who_may_wish_it() -> None:
    assert actions.add_avoidance.may == {Role.RESIDENT, Role.VOLUNTEER}  # type: ignore[attr-defined]
