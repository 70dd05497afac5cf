"""Needs that a fund may pay for: which, in which order, with which reasons, and who reads the list."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import strawberry

from models.access import PUBLIC_ACTOR, Actor, Role
from models.funds.eligibility import Asked as Facts
from models.funds.eligibility import points, sentence
from models.funds.rules import FundKind
from models.pool import Pool
from resolvers.engine.engine import Engine
from resolvers.exchange import ExchangeQuery
from resolvers.funds import FundsMutation, FundsQuery
from resolvers.people import PeopleQuery
from resolvers.territory import TerritoryQuery
from tests import make_funds as make
from tests.asking import Asked, engine_of
from tests.make_funds import COMMUNITY, DISABLED, ELDERLY, HEPING, POVERTY, SHENHE, Books


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, ExchangeQuery, FundsQuery):
    pass


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_of(Query, FundsMutation)


TEXT = """query ($id: ID!, $first: Int!) { fund(id: $id) { eligibleNeeds(first: $first) {
  need { id note beneficiary { id } } request { eligible } planned { amount } waitingDays score
  reasons { term label points } sentence } } }"""


class Scene:
    """A foundation with its books, and needs that it is asked to pay for."""

    def __init__(self, ask: Asked, books: Books, staff: UUID) -> None:
        self.ask, self.books, self.at, self.staff = ask, books, books.at, staff
        self.c, self.now = books.connection, books.now

    async def need(
        self, *, urgency: int = 2, days: float = 0, eligible: bool | None = True, by: UUID | None = None, **over: Any
    ) -> str:
        """A need that the foundation was asked to pay for so many days ago; its global id."""
        id = await make.need(self.c, self.now + timedelta(days=30), self.staff, **over)
        await self.c.execute("UPDATE need SET urgency = $2 WHERE id = $1", id, urgency)
        await make.asked(self.c, id, by or self.at.id, self.staff, self.now - timedelta(days=days))
        await self.c.execute("UPDATE need_foundation SET eligible = $2 WHERE need_id = $1", id, eligible)
        return f"need_{id}"

    async def plan(self, need: str, yuan: int) -> None:
        """A request for money for a need, which nobody has chosen gifts for yet."""
        await self.c.execute(
            "INSERT INTO allocation (organization_id, title, category_code, area, need_id, amount_fen, requested_by,"
            " requested_at) VALUES ($1, '无障碍改造', 'DISABLED.AIDS', $2, $3, $4, $5, $6)",
            *(self.at.id, COMMUNITY, UUID(need[5:]), yuan * 100, self.staff, self.now),
        )

    async def listed(self, fund: UUID, actor: Actor | None = None, first: int = 50) -> list[Any]:
        """The list of a fund, as somebody reads it."""
        data = await self.ask(actor or self.at.maker, TEXT, id=f"fund_{fund}", first=first)
        found: list[Any] = data["fund"]["eligibleNeeds"]
        return found

    async def ids(self, fund: UUID, actor: Actor | None = None) -> list[str]:
        return [one["need"]["id"] for one in await self.listed(fund, actor)]


@pytest.fixture
async def scene(engine: Engine, pool: Pool, now: datetime) -> AsyncIterator[Scene]:
    async with pool.connection() as connection:
        at = await make.foundation(connection)
        staff = await make.person(connection)
        yield Scene(Asked(engine, pool, now), Books(connection, now, at), staff)


async def test_the_most_pressing_comes_first_with_its_reasons(scene: Scene) -> None:
    fund = await scene.books.fund()
    await scene.books.gift(fund, 1000)
    late = await scene.need(urgency=2, days=12)
    urgent = await scene.need(urgency=4, days=1)
    planned = await scene.need(urgency=1, days=3)
    await scene.plan(planned, 4000)
    first, second, third = await scene.listed(fund)
    assert first["need"] == {"id": urgent, "note": None, "beneficiary": None}
    assert first["request"] == {"eligible": True}
    assert (first["score"], first["waitingDays"], first["planned"]) == (5550, 1, {"amount": "0.00"})
    assert first["sentence"] == "符合资助条件 · 紧急程度4级 +4500 · 已等候1天 +50 · 基金可承担 +1000"
    assert (second["need"]["id"], second["score"]) == (late, 3100)
    assert second["reasons"] == [
        {"term": "URGENCY", "label": "紧急程度2级", "points": 1500},
        {"term": "WAITING", "label": "已等候12天", "points": 600},
        {"term": "AMOUNT", "label": "基金可承担", "points": 1000},
    ]
    assert (third["planned"], third["score"]) == ({"amount": "4000.00"}, 400)
    assert third["sentence"] == "符合资助条件 · 已等候3天 +150 · 基金可承担一部分 +250"
    assert [one["need"]["id"] for one in await scene.listed(fund, first=1)] == [urgent]


async def test_only_what_the_fund_may_pay_for(scene: Scene) -> None:
    need = await scene.need()
    for over in (
        {"eligible": None},
        {"eligible": False},
        {"status": "CLOSED"},
        {"status": "CANCELLED"},
        {"sensitivity": "RESTRICTED"},
        {"by": (await make.foundation(scene.c, "乙试验基金会")).id},
    ):
        await scene.need(**over)  # type: ignore[arg-type]
    day = scene.now.date()
    bounds: list[tuple[FundKind, dict[str, Any], bool]] = [
        (FundKind.UNRESTRICTED, {}, True),
        (FundKind.PURPOSE, {"category": DISABLED}, True),
        (FundKind.PURPOSE, {"category": ELDERLY}, False),
        (FundKind.PURPOSE, {"category": POVERTY}, False),
        (FundKind.BENEFICIARY_AREA, {"area": SHENHE}, True),
        (FundKind.BENEFICIARY_AREA, {"area": HEPING}, False),
        (FundKind.TIME, {"since": day - timedelta(days=3), "until": day + timedelta(days=3)}, True),
        (FundKind.TIME, {"since": day + timedelta(days=2)}, False),
    ]
    for number, (kind, bound, admitted) in enumerate(bounds):
        fund = await scene.books.fund(f"第{number}号基金", kind, **bound)
        assert await scene.ids(fund) == ([need] if admitted else []), bound


async def test_for_the_foundations_people_alone(scene: Scene) -> None:
    fund = await scene.books.fund()
    need = await scene.need()
    for actor in (scene.at.maker, scene.at.checker, scene.at.authoriser, scene.at.reporter):
        assert await scene.ids(fund, actor) == [need]
    other = await make.foundation(scene.c, "乙试验基金会")
    auditor = Actor(Role.AUDITOR, scene.staff)
    staff = Actor(Role.COMMUNITY_STAFF, scene.staff, None, COMMUNITY)
    for actor in (other.maker, auditor, staff, Actor(Role.CITY_VIEWER, scene.staff, None, "2101"), PUBLIC_ACTOR):
        assert await scene.ids(fund, actor) == []


async def test_who_refuses_automatic_matching_is_not_listed_from_the_next_query_on(scene: Scene) -> None:
    """What staff asked the foundation stays asked: only the list by rules leaves him out."""
    fund = await scene.books.fund()
    beneficiary = await make.resident(scene.c, await make.person(scene.c))
    need = await scene.need()
    await scene.c.execute("UPDATE need SET beneficiary_id = $2 WHERE id = $1", UUID(need[5:]), beneficiary)
    assert await scene.ids(fund) == [need]
    await scene.c.execute("UPDATE resident SET no_matching = true WHERE id = $1", beneficiary)
    assert await scene.ids(fund) == []
    asked = await scene.ask(scene.at.maker, "query ($id: ID!) { need(id: $id) { foundations { eligible } } }", id=need)
    assert asked["need"]["foundations"] == [{"eligible": True}]


async def test_the_statement_says_what_the_rules_say(scene: Scene) -> None:
    chance = random.Random(20261122)
    fund = await scene.books.fund()
    await scene.books.gift(fund, 3000)
    facts = {}
    for _ in range(40):
        urgency, waited = chance.randint(1, 4), timedelta(days=round(chance.random() * 90, 3))
        id = await scene.need(urgency=urgency, days=waited / timedelta(days=1))
        yuan = chance.choice((0, 100, 2999, 3000, 3001, 70_000))
        if yuan:
            await scene.plan(id, yuan)
        facts[id] = Facts(urgency, waited, yuan * 100, 300_000)
    listed = await scene.listed(fund)
    assert len(listed) == 40
    for one in listed:
        fact = facts[one["need"]["id"]]
        assert one["score"] == sum(points(fact).values())
        assert {r["term"]: r["points"] for r in one["reasons"]} == {t.value: n for t, n in points(fact).items() if n}
        assert one["sentence"] == sentence(fact)
    assert [one["score"] for one in listed] == sorted((one["score"] for one in listed), reverse=True)
