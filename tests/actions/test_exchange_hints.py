"""What whoever helps is told to know, never why; and what a foundation is told of whom it would pay for: yes or no."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import strawberry

from models.access import Actor, Role
from models.database import Db
from models.exchange import actions
from models.exchange.kinds import Hint
from models.people.problems import CareRefused, ConflictOfInterest
from models.pool import Pool
from models.privacy.actions.effects import turn_off
from models.privacy.rules import ConsentPurpose
from models.problems import InvalidInput
from resolvers.exchange import ExchangeMutation, ExchangeQuery
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.territory import TerritoryQuery
from tests import make_funds
from tests.asking import Asked, engine_of
from tests.make_exchange import HERE, NOW, THERE, Scene, insert, neighbourhood


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, ExchangeQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation, ExchangeMutation):
    pass


ENGINE = engine_of(Query, Mutation)
HINTS = "query ($id: ID!) { need(id: $id) { hints note } }"


@pytest.fixture
async def scene(pool: Pool) -> AsyncIterator[Scene]:
    async with pool.connection() as connection:
        yield Scene(connection, await neighbourhood(connection))


@pytest.fixture
def ask(pool: Pool) -> Asked:
    return Asked(ENGINE, pool, NOW)


async def test_a_volunteer_is_told_what_to_bring_before_anything_is_confirmed(scene: Scene, ask: Asked) -> None:
    need = await scene.need(opened=False)
    await actions.verify_need(scene.as_("staff"), need, hints=[Hint.FIRST_AID, Hint.STEADY_ARM, Hint.FIRST_AID])

    async def told(who: Actor) -> Any:
        return (await ask(who, HINTS, id=f"need_{need}"))["need"]

    chosen = ["STEADY_ARM", "FIRST_AID"]
    assert await told(scene.n.actor("wang")) == {"hints": chosen, "note": None}
    for name in ("staff", "social_worker", "officer", "daughter"):
        assert await told(scene.n.actor(name)) == {"hints": chosen, "note": "三楼，行动不便"}
    for other in (Actor(), scene.n.actor("ngo"), Actor(Role.PERSON, scene.n.people["neighbour"])):
        assert await told(other) == {"hints": None, "note": None}
    assert await told(scene.n.actor("neighbour")) == {"hints": None, "note": None}


async def test_hints_are_the_staff_s_to_choose(scene: Scene) -> None:
    need = await scene.need(opened=False)
    version = (await scene.row("need", need))["version"]
    with pytest.raises(InvalidInput) as refused:
        await actions.edit_need(scene.as_("daughter"), need, version, {"hints": [Hint.DIET]})
    assert refused.value.field == "hints"
    assert (await scene.row("need", need))["hints"] == []
    await actions.edit_need(scene.as_("officer"), need, version, {"hints": [Hint.DIET, Hint.WHEELCHAIR]})
    assert (await scene.row("need", need))["hints"] == ["WHEELCHAIR", "DIET"]
    with pytest.raises(asyncpg.CheckViolationError):
        async with scene.c.transaction():
            await scene.c.execute("UPDATE need SET hints = '{CANCER}' WHERE id = $1", need)


async def foundation(scene: Scene, **funds: dict[str, Any]) -> UUID:
    """A foundation with these funds, by name."""
    made = await insert(
        *(scene.c, "organization"),
        name="试验基金会",
        pinyin="x",
        kind="FOUNDATION",
        legal_status="FILED",
        filing_no="备2",
        verified_state="VERIFIED",
        division_id=scene.n.communities[HERE],
        area=HERE,
        created_at=NOW,
    )
    for name, bound in funds.items():
        values = {"organization_id": made, "name": name, "created_by": scene.n.people["staff"], "created_at": NOW}
        await insert(scene.c, "fund", **values, **bound)
    return made


async def test_a_foundation_is_told_yes_or_no_by_the_fund_and_never_why(scene: Scene, ask: Asked) -> None:
    unit = await foundation(
        scene,
        a_elderly={"kind": "PURPOSE", "category_code": "ELDERLY"},
        b_disabled={"kind": "PURPOSE", "category_code": "DISABLED"},
        c_free={"kind": "UNRESTRICTED"},
        d_over={"kind": "TIME", "restricted_to": date(2026, 10, 31)},
        e_today={"kind": "TIME", "restricted_from": date(2026, 11, 2), "restricted_to": date(2026, 11, 2)},
        f_here={"kind": "BENEFICIARY_AREA", "restricted_area": "210103"},
        g_elsewhere={"kind": "BENEFICIARY_AREA", "restricted_area": THERE},
    )
    maker = Actor(Role.FUND_MAKER, await make_funds.person(scene.c), unit)
    need = await scene.need()
    text = "{ needs(first: 2) { edges { node { note hints beneficiary { id } foundations(first: 2) { eligible eligibleFunds(first: 9) { name } } } } } }"

    async def told() -> Any:
        (edge,) = (await ask(maker, text))["needs"]["edges"]
        (asked,) = edge["node"].pop("foundations")
        assert edge["node"] == {"note": None, "hints": None, "beneficiary": None}
        return asked["eligible"], [fund["name"] for fund in asked["eligibleFunds"]]

    await actions.ask_foundation(scene.as_("staff"), need, unit)
    assert await told() == (None, [])
    await actions.ask_foundation(scene.as_("staff"), need, unit, eligible=False)
    assert await told() == (False, [])
    by = scene.as_("staff")
    await actions.ask_foundation(by, need, unit, eligible=True)
    assert by.detail["eligible"] is True
    every = ["a_elderly", "c_free", "e_today", "f_here"]
    assert await told() == (True, every)
    await actions.ask_foundation(scene.as_("social_worker"), need, unit)
    assert await told() == (True, every)


async def test_nobody_speaks_for_a_relative_nor_against_one_s_will(scene: Scene) -> None:
    unit, need = await foundation(scene), await scene.need()
    subject = (await scene.row("need", need))["subject_id"]
    await insert(
        *(scene.c, "declared_interest"),
        person_id=scene.n.people["staff"],
        other_id=subject,
        relation="SIBLING",
        declared_at=NOW,
    )
    with pytest.raises(ConflictOfInterest):
        await actions.ask_foundation(scene.as_("staff"), need, unit, eligible=True)
    assert await scene.c.fetchval("SELECT count(*) FROM need_foundation") == 0
    await actions.ask_foundation(scene.as_("colleague"), need, unit, eligible=True)
    await turn_off(Db(scene.c, Actor(Role.RESIDENT, subject), NOW), subject, ConsentPurpose.SENSITIVE_CARE)
    assert await scene.c.fetchval("SELECT eligible FROM need_foundation WHERE need_id = $1", need) is None
    with pytest.raises(CareRefused):
        await actions.ask_foundation(scene.as_("colleague"), need, unit, eligible=True)
