"""Search and near me: how long the statement takes inside PostgreSQL, one after the other on one connection, warm.

Rare words are two characters of communities' names; common ones stand in many titles or in a category's name. Each is
asked with two further filters, in turn of a district, a category, a state and an order, as a stranger and as a
volunteer; some of these find nothing, which is the dearest answer of all. What is near is asked from communities' centres.
What is measured is the whole page as GraphQL asks it, with the round trip to PostgreSQL.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import time
from datetime import datetime
from typing import Any

import asyncpg

from api.schema import build
from models import access
from models.access import Actor, Claims, Role
from models.seed import places
from models.territory import geo
from resolvers.context import Context, asker, perform
from resolvers.engine.engine import Engine, Rules
from resolvers.engine.plans import Run

COMMON = ("老人", "需要", "服务", "陪诊", "社区", "上门", "养老服务", "物资帮扶", "陪同", "peizhen", "fuwu", "lr", "老")
RARE = ("多福", "滨河", "中航", "七号", "西瓦窑", "guotai")
DISTRICTS = ("210102", "210103", "210106", "210112", "210123")
CATEGORIES = ("ELDERLY", "DISABLED", "CHILDCARE.TUTORING", "HEALTH", "SAFETY.REPAIRS")
GOALS_MS = {"search, rare word": 10.0, "search, common word": 30.0}
"""At most, at the 95th percentile."""
NEEDS = """query ($f: NeedFilter, $o: NeedOrder!) {
  needs(first: 20, filter: $f, order: $o) { edges { node { id title status createdAt community { name } distanceKm } }
  pageInfo { hasNextPage endCursor } }
}"""
OFFERS = NEEDS.replace("Need", "Offer").replace("needs", "offers").replace("community", "category")
POINTS = """query ($f: ServicePointFilter) {
  servicePoints(first: 20, filter: $f, order: NEAREST) { edges { node { id name distanceKm } } }
}"""
DOCUMENTS = {"Q6": NEEDS.replace("query (", "query Q6("), "Q7": NEEDS.replace("query (", "query Q7(")}
"""What is asked over HTTP, too: a search with two filters, and what is near."""
ORGANIZATIONS = "query ($f: OrganizationFilter) { organizations(first: 20, filter: $f) { edges { node { id name } } } }"


@dataclasses.dataclass(frozen=True)
class Timing:
    """What one kind of question took, in milliseconds."""

    name: str
    count: int
    p50: float
    p95: float
    p99: float
    worst: float
    dearest: str
    """The question that took longest."""

    def __str__(self) -> str:
        goal = GOALS_MS.get(self.name)
        told = "" if goal is None else f"   goal {goal:.0f}: {'met' if self.p95 <= goal else 'MISSED'}"
        head = f"{self.name:<34}{self.count:>6}{self.p50:>9.2f}{self.p95:>9.2f}{self.p99:>9.2f}{self.worst:>9.2f}"
        return f"{head}{told}\n{'':>36}{self.dearest}"


Asked = tuple[str, dict[str, Any]]


def engine() -> Engine:
    """The whole schema's, as the server has it."""
    rules = Rules(access.seen, access.PUBLIC, access.IMPLIED, access.VIEWER_TYPES)
    return Engine(build(), rules, set(access.VISIBLE), perform)


def variables(name: str) -> list[dict[str, Any]]:
    """Q6's or Q7's, in turn: common and rare words; 2 km around the districts' centres."""
    if name == "Q6":
        return [given for _, given in _searches((*COMMON, *RARE))]
    centres = [{"latitude": north, "longitude": east, "withinKm": 2} for north, east, _ in places.DISTRICTS.values()]
    return [{"f": {"near": near}, "o": "NEAREST"} for near in centres]


async def measure(url: str, volunteer: Claims, now: datetime, times: int = 3) -> list[Timing]:
    """Every kind of question, each of its questions `times` times after a first one that warms."""
    connection = await asyncpg.connect(url, server_settings={"jit": "off", "timezone": "Asia/Shanghai"})
    try:
        actors = {"stranger": Actor(), "volunteer": Actor(Role.VOLUNTEER, volunteer.person)}
        names = await connection.fetch(
            "SELECT left(name, 2) AS word, x, y FROM division WHERE level = 'COMMUNITY' ORDER BY md5(code) LIMIT 30"
        )
        kinds = {
            "search, rare word": _searches([row["word"] for row in names]),
            "search, common word": _searches(COMMON),
            "search, alone": [(NEEDS, {"f": {"search": word}, "o": "NEWEST"}) for word in COMMON],
            "search of offers": [(OFFERS, {"f": {"search": word}, "o": "NEWEST"}) for word in COMMON],
            "search of organizations": [
                (ORGANIZATIONS, {"f": {"search": word, "under": code}})
                for word, code in itertools.product(("志愿", "合唱队", "shuhua", "中心", "hcd"), DISTRICTS)
            ],
            "needs near, 15 min on foot": _near(NEEDS, names, {}),
            "needs near, 5 km": _near(NEEDS, names, {"withinKm": 5}),
            "needs near, 50 km": _near(NEEDS, names, {"withinKm": 50}),
            "offers near, 5 km": _near(OFFERS, names, {"withinKm": 5}),
            "service points near, 5 km": _near(POINTS, names, {"withinKm": 5}),
        }
        answering = engine()
        out = []
        for name, questions in kinds.items():
            asked = [(who, actor, *question) for who, actor in actors.items() for question in questions]
            out.append(await _timed(connection, answering, name, asked, now, times))
        return out
    finally:
        await connection.close()


def _searches(words: Any) -> list[Asked]:
    """Each word with two further filters, newest or most urgent first."""
    chance = random.Random(2101)
    more: list[dict[str, Any]] = [
        *({"under": code, "status": ["OPEN"]} for code in DISTRICTS),
        *({"category": code, "status": ["OPEN"]} for code in CATEGORIES),
        *({"under": under, "category": category} for under, category in zip(DISTRICTS, CATEGORIES, strict=True)),
    ]
    return [
        (NEEDS, {"f": {"search": word, **filters}, "o": chance.choice(("NEWEST", "NEWEST", "URGENT_FIRST"))})
        for word, filters in itertools.product(words, more)
    ]


def _near(document: str, places: Any, reach: dict[str, Any]) -> list[Asked]:
    asked: list[Asked] = []
    for row in places:
        latitude, longitude = geo.in_degrees(row["x"], row["y"])
        near = {"latitude": latitude, "longitude": longitude, **reach}
        asked.append((document, {"f": {"near": near}, **({} if document is POINTS else {"o": "NEAREST"})}))
    return asked


async def _timed(
    connection: asyncpg.Connection, answering: Engine, name: str, asked: Any, now: datetime, times: int
) -> Timing:
    took: list[tuple[float, str]] = []
    for who, actor, document, variables in asked:
        sql, arguments = statement(answering, actor, document, variables, now)
        await connection.fetchval(sql, *arguments)
        for _ in range(times):
            began = time.perf_counter()
            await connection.fetchval(sql, *arguments)
            took.append(((time.perf_counter() - began) * 1000, f"{who}: {variables}"))
    took.sort()
    p50, p95, p99 = (took[min(len(took) - 1, int(len(took) * share))][0] for share in (0.5, 0.95, 0.99))
    return Timing(name, len(took), p50, p95, p99, *took[-1])


def statement(
    answering: Engine, actor: Actor, document: str, variables: dict[str, Any], now: datetime
) -> tuple[str, list[Any]]:
    """What a question becomes: the statement and its parameters."""
    context = Context(
        *(document, variables, None, actor, asker(actor, now)),
        None,  # type: ignore[arg-type]  # nothing is run: no pool
        None,  # type: ignore[arg-type]
        now,
        10.0,
    )
    read = answering.document(context)
    values = answering.coerced(read, context)
    plan = answering.plan(read, values, actor.role, strict=True)
    return plan.sql, plan.arguments(Run(values, context.asker))


def table(timings: list[Timing]) -> str:
    """The timings, to read."""
    head = f"{'inside PostgreSQL, ms':<34}{'n':>6}{'p50':>9}{'p95':>9}{'p99':>9}{'worst':>9}"
    return "\n".join([head, *map(str, timings)])
