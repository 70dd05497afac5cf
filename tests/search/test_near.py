"""What is near: in order, whole, and from no nearer than one may know."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from models.access import Actor, Role
from models.seed.cast import account
from models.territory import geo
from tests.asking import Asked

HOME = "210103005024"
NEEDS = """query ($f: NeedFilter, $after: String) {
  needs(first: 9, after: $after, filter: $f, order: NEAREST) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { no distanceKm community { code } } }
  }
}"""
OFFERS = """query ($f: OfferFilter, $after: String) {
  offers(first: 9, after: $after, filter: $f, order: NEAREST) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { no distanceKm } }
  }
}"""
POINTS = """query ($f: ServicePointFilter, $after: String) {
  servicePoints(first: 9, after: $after, filter: $f, order: NEAREST) {
    totalCount pageInfo { hasNextPage endCursor }
    edges { node { name kind distanceKm position { latitude longitude } community { code } } }
  }
}"""
LISTED = "n.status IN ('OPEN', 'IN_PROGRESS') AND n.sensitivity = 'NORMAL' AND n.kind <> 'CASH_AID'"


async def home(rows: asyncpg.Connection) -> tuple[float, float]:
    """Where the accounts' community is, in km."""
    return tuple(await rows.fetchrow("SELECT x, y FROM division WHERE code = $1", HOME))


async def here(rows: asyncpg.Connection, **reach: float) -> dict[str, float]:
    latitude, longitude = geo.in_degrees(*await home(rows))
    return {"latitude": latitude, "longitude": longitude, **reach}


async def every(ask: Asked, actor: Actor, document: str, **filter: Any) -> list[dict[str, Any]]:
    """All pages' nodes; each once, the nearest first."""
    out: list[dict[str, Any]] = []
    after = None
    while True:
        (page,) = (await ask(actor, document, f=filter, after=after)).values()
        out += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(out)
            away = [node["distanceKm"] for node in out]
            assert away == sorted(away)
            return out


@pytest.mark.parametrize("km", [0.3, 2, 50])
async def test_a_strangers_needs_are_where_their_communities_are(
    ask: Asked, rows: asyncpg.Connection, km: float
) -> None:
    near = await here(rows, withinKm=km)
    x, y = geo.on_plane(near["latitude"], near["longitude"])
    around = await rows.fetch(
        f"SELECT n.no, km_between(d.x, d.y, $1, $2) AS km FROM need n JOIN division d ON d.id = n.community_id"
        f" WHERE {LISTED} AND km_between(d.x, d.y, $1, $2) <= $3",
        *(x, y, km),
    )
    got = await every(ask, Actor(), NEEDS, near=near)
    assert {node["no"]: node["distanceKm"] for node in got} == {
        row["no"]: pytest.approx(round(row["km"], 1), abs=0.051) for row in around
    }
    assert len(got) >= 5
    by_community = {node["community"]["code"]: node["distanceKm"] for node in got}
    assert all(node["distanceKm"] == by_community[node["community"]["code"]] for node in got), "never a grid's distance"


async def test_staff_are_told_from_the_needs_own_point(ask: Asked, rows: asyncpg.Connection) -> None:
    claims = await account(rows, "community-staff")
    assert claims is not None
    near = await here(rows, withinKm=50)
    x, y = geo.on_plane(near["latitude"], near["longitude"])
    got = await every(ask, Actor(Role.COMMUNITY_STAFF, claims.person, None, HOME), NEEDS, near=near, status=["OPEN"])
    own = await rows.fetch("SELECT no, km_between(x, y, $1, $2) AS km FROM need WHERE x IS NOT NULL", x, y)
    known = {row["no"]: row["km"] for row in own}
    assert got and all(abs(node["distanceKm"] - known[node["no"]]) <= 0.051 for node in got)
    assert len({node["distanceKm"] for node in got}) > 1, "grids lie apart"


async def test_offers_of_organizations_and_of_volunteers(ask: Asked, rows: asyncpg.Connection) -> None:
    near = await here(rows, withinKm=4)
    x, y = geo.on_plane(near["latitude"], near["longitude"])
    around = await rows.fetch(
        "SELECT o.no, km_between(coalesce(o.x, d.x), coalesce(o.y, d.y), $1, $2) AS km FROM offer o"
        " JOIN division d ON d.code = left(o.area, 12) WHERE o.status = 'PUBLISHED' AND o.kind <> 'CASH_AID'"
        " AND km_between(coalesce(o.x, d.x), coalesce(o.y, d.y), $1, $2) <= 4",
        *(x, y),
    )
    got = await every(ask, Actor(), OFFERS, near=near)
    assert {node["no"] for node in got} == {row["no"] for row in around} and got
    of_volunteers = await rows.fetch("SELECT x, no FROM offer WHERE person_id IS NOT NULL AND status = 'PUBLISHED'")
    assert all(row["x"] is None for row in of_volunteers), "where a volunteer sets out from is not for all"
    assert {row["no"] for row in of_volunteers} & {node["no"] for node in got}


async def test_service_points_within_a_walk(ask: Asked, rows: asyncpg.Connection) -> None:
    got = await every(ask, Actor(), POINTS, near=await here(rows))
    assert got == await every(ask, Actor(), POINTS, near=await here(rows, withinWalkMinutes=15))
    assert (got[0]["distanceKm"], got[0]["kind"]) == (0, "PARTY_SERVICE_CENTRE")
    assert all(node["distanceKm"] <= 1 for node in got)
    farther = await every(ask, Actor(), POINTS, near=await here(rows, withinKm=10))
    assert got == farther[: len(got)] and len(farther) > len(got)
    only = await every(ask, Actor(), POINTS, near=await here(rows, withinKm=10), kind=["ELDERLY_STATION"])
    assert only == [node for node in farther if node["kind"] == "ELDERLY_STATION"] and only


async def test_it_goes_together_with_search_and_other_orders(ask: Asked, rows: asyncpg.Connection) -> None:
    near = await here(rows, withinKm=6)
    around = await every(ask, Actor(), NEEDS, near=near)
    both = await every(ask, Actor(), NEEDS, near=near, search="老人")
    words = [
        edge["node"]["no"]
        for edge in (await ask(Actor(), '{ needs(first: 100, filter: {search: "老人"}) { edges { node { no } } } }'))[
            "needs"
        ]["edges"]
    ]
    assert [node["no"] for node in both] == [node["no"] for node in around if node["no"] in words] and both
    newest = (
        """query ($f: NeedFilter) { needs(first: 100, filter: $f) { edges { node { no distanceKm createdAt } } } }"""
    )
    listed = [edge["node"] for edge in (await ask(Actor(), newest, f={"near": near}))["needs"]["edges"]]
    assert {node["no"]: node["distanceKm"] for node in listed} == {n["no"]: n["distanceKm"] for n in around}
    made = [node["createdAt"] for node in listed]
    assert made == sorted(made, reverse=True)
    plain = await ask(Actor(), "{ needs(first: 1) { edges { node { distanceKm } } } }")
    assert plain["needs"]["edges"][0]["node"] == {"distanceKm": None}


@pytest.mark.parametrize(
    ("near", "said"),
    [
        ({"latitude": 39.9, "longitude": 116.4}, "位置不在沈阳市范围内"),
        ({"latitude": 123.43, "longitude": 41.8}, "位置不在沈阳市范围内"),
        ({"latitude": 41.8, "longitude": 123.4, "withinKm": 51}, "0.1 至 50 公里"),
        ({"latitude": 41.8, "longitude": 123.4, "withinKm": 0}, "0.1 至 50 公里"),
        ({"latitude": 41.8, "longitude": 123.4, "withinKm": -3}, "0.1 至 50 公里"),
        ({"latitude": 41.8, "longitude": 123.4, "withinWalkMinutes": 0}, "1 至 120 分钟"),
        ({"latitude": 41.8, "longitude": 123.4, "withinWalkMinutes": 15, "withinKm": 2}, "只能填一个"),
        ({"latitude": float("nan"), "longitude": 123.4}, "Float|nan"),
        ({"latitude": 41.8, "longitude": float("inf")}, "Float|inf"),
        (None, "按距离排序须给出位置"),
    ],
)
async def test_what_cannot_be_is_refused(ask: Asked, near: dict[str, float] | None, said: str) -> None:
    from resolvers.engine.documents import Refused

    with pytest.raises((AssertionError, Refused)) as refused:
        await ask(Actor(), NEEDS, f={"near": near})
    told = str(refused.value) + str(getattr(refused.value, "errors", ""))
    assert any(part in told for part in said.split("|")), told
