"""Ranked matches over the schema: who reads which, with which reasons, and from when no more."""

from __future__ import annotations

from typing import Any

import pytest

from models.pool import Pool
from resolvers.engine.engine import Engine
from resolvers.exchange import ExchangeMutation, ExchangeQuery
from resolvers.exchange.matching import MatchingMutation, MatchingQuery
from tests.asking import Asked, engine_of
from tests.make_exchange import NOW
from tests.ranking.conftest import Streets

REASONS = "score distanceKm sentence weightsVersion option terms { code label points }"
CANDIDATES = (
    "query ($id: ID!) { need(id: $id) { matchCandidates(first: 5) { volunteer { id } offer { title } "
    + REASONS
    + " } } }"
)
RECOMMENDED = (
    "query ($km: Float) { recommendedNeeds(first: 5, withinKm: $km) { need { id title note grid { id } requester { id } } "
    + REASONS
    + " } }"
)
FOR_OFFER = "query ($id: ID!) { openNeedsFor(offer: $id) { need { id } score } offer(id: $id) { rankedNeeds { need { id } sentence } } }"
EVERYBODY = (
    *("public", "grandmother", "daughter", "neighbour", "wang", "zhao", "staff", "staff_there", "social_worker"),
    *("officer", "ngo", "viewer", "admin", "reporter", "secretary"),
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    class Query(ExchangeQuery, MatchingQuery):
        pass

    class Mutation(ExchangeMutation, MatchingMutation):
        pass

    import strawberry

    return engine_of(strawberry.type(Query), strawberry.type(Mutation))


@pytest.fixture
def ask(engine: Engine, pool: Pool) -> Asked:
    return Asked(engine, pool, NOW)


async def test_candidates_with_their_reasons(lasting: Streets, ask: Asked) -> None:
    """For the staff of the need's area; nobody else, and staff of elsewhere do not see the need at all."""
    await lasting.volunteers("wang")
    id = f"need_{await lasting.need()}"
    found = {name: await ask(lasting.n.actor(name), CANDIDATES, id=id) for name in EVERYBODY}
    (one,) = found["staff"]["need"]["matchCandidates"]
    assert one == {
        "volunteer": {"id": f"volunteer_{lasting.n.volunteer_ids['wang']}"},
        "offer": None,
        "score": 5140,
        "distanceKm": 0.6,
        "weightsVersion": 1,
        "option": 0,
        "sentence": "距需求0.6公里 +2800 · 履约情况 +640 · 不限性别 +800 · 普通话即可 +500 · 时间合意 +400",
        "terms": [
            {"code": "PROXIMITY", "label": "距需求0.6公里", "points": 2800},
            {"code": "RELIABILITY", "label": "履约情况", "points": 640},
            {"code": "GENDER", "label": "不限性别", "points": 800},
            {"code": "LANGUAGE", "label": "普通话即可", "points": 500},
            {"code": "TIME", "label": "时间合意", "points": 400},
        ],
    }
    readers = {name for name, data in found.items() if data["need"] and data["need"]["matchCandidates"]}
    assert readers == {"staff", "social_worker", "officer"}
    assert sum(term["points"] for term in one["terms"]) == one["score"]


async def test_recommendations_with_their_reasons(lasting: Streets, ask: Asked) -> None:
    """For the volunteer himself, in words to him, and of the need no more than the public list says."""
    await lasting.volunteers("wang", "zhao")
    id = await lasting.need()
    found = {name: (await ask(lasting.n.actor(name), RECOMMENDED, km=None))["recommendedNeeds"] for name in EVERYBODY}
    assert {name for name, rows in found.items() if rows} == {"wang", "zhao"}
    (one,) = found["wang"]
    assert one["need"] == {"id": f"need_{id}", "title": "陪诊", "note": None, "grid": None, "requester": None}
    assert one["sentence"].startswith("距您0.6公里 +2800 · 您的履约情况 +640 · ")
    assert one["sentence"].endswith(" · 关注度 +600")
    assert (await ask(lasting.n.actor("wang"), RECOMMENDED, km=0.5))["recommendedNeeds"] == []


async def test_needs_for_an_offer(lasting: Streets, ask: Asked) -> None:
    offer, id = await lasting.offer(), await lasting.need()
    for name in EVERYBODY:
        data = await ask(lasting.n.actor(name), FOR_OFFER, id=f"offer_{offer}")
        reads = name in ("ngo", "staff", "social_worker")  # staff of elsewhere see the offer, and not the need
        assert [row["need"]["id"] for row in data["openNeedsFor"]] == [f"need_{id}"] * reads
        assert [row["need"]["id"] for row in data["offer"]["rankedNeeds"]] == [f"need_{id}"] * reads
    staff = await ask(lasting.n.actor("staff"), CANDIDATES, id=f"need_{id}")
    assert [c["offer"] for c in staff["need"]["matchCandidates"]] == [{"title": "陪诊服务"}]


@pytest.mark.parametrize(
    "refuses",
    [
        "UPDATE volunteer SET no_matching = true WHERE person_id = $1",
        "UPDATE volunteer SET state = 'SUSPENDED' WHERE person_id = $1",
        "UPDATE person SET birth_date = '2014-01-01' WHERE id = $1",
    ],
)
async def test_who_refuses_is_in_no_list_from_the_next_query_on(lasting: Streets, ask: Asked, refuses: str) -> None:
    """He who is under 14 has a guardian who has not agreed (PIPL art. 31). The public list stays open to him."""
    await lasting.volunteers("wang", "zhao")
    id = f"need_{await lasting.need()}"
    before = await ask(lasting.n.actor("staff"), CANDIDATES, id=id)
    assert len(before["need"]["matchCandidates"]) == 2
    await lasting.c.execute(refuses, lasting.n.people["wang"])
    if "birth" in refuses:
        await lasting.c.execute(
            "UPDATE volunteer SET adult_on = '2032-01-01' WHERE person_id = $1", lasting.n.people["wang"]
        )
    after = await ask(lasting.n.actor("staff"), CANDIDATES, id=id)
    assert [c["volunteer"]["id"] for c in after["need"]["matchCandidates"]] == [
        f"volunteer_{lasting.n.volunteer_ids['zhao']}"
    ]
    assert (await ask(lasting.n.actor("wang"), RECOMMENDED, km=None))["recommendedNeeds"] == []
    needs = await ask(lasting.n.actor("wang"), "{ needs(first: 5) { edges { node { id } } } }")
    assert needs["needs"]["edges"] == [{"node": {"id": id}}]


SET = """mutation ($input: MatchWeightsInput!, $key: String!) {
  matchWeightsSet(input: $input, note: "试点：先看熟人", idempotencyKey: $key) {
    __typename ... on MatchWeights { version continuity proximity note } ... on Problem { code message }
  }
}"""
WEIGHTS = "{ matchWeights { version continuity } matchWeightsVersions(first: 5) { edges { node { version note } } } }"


async def test_weights_are_set_by_administrators_and_count_at_once(lasting: Streets, ask: Asked) -> None:
    await lasting.volunteers("wang")
    id = f"need_{await lasting.need()}"
    given: dict[str, Any] = {"continuity": 5000, "proximity": 1000}
    for name in EVERYBODY:
        if name != "admin":
            refused = await ask(lasting.n.actor(name), SET, input=given, key=f"weights-{name}")
            assert refused["matchWeightsSet"]["code"] in ("FORBIDDEN", "NOT_SIGNED_IN", "UNAUTHENTICATED")
    assert (await ask(lasting.n.actor("public"), WEIGHTS))["matchWeights"] == {"version": 1, "continuity": 2500}
    made = await ask(lasting.n.actor("admin"), SET, input=given, key="weights-admin")
    assert made["matchWeightsSet"] == {
        "__typename": "MatchWeights",
        "version": 2,
        "continuity": 5000,
        "proximity": 1000,
        "note": "试点：先看熟人",
    }
    told = await ask(lasting.n.actor("public"), WEIGHTS)
    assert told["matchWeights"] == {"version": 2, "continuity": 5000}
    assert [e["node"]["version"] for e in told["matchWeightsVersions"]["edges"]] == [2, 1]
    (one,) = (await ask(lasting.n.actor("staff"), CANDIDATES, id=id))["need"]["matchCandidates"]
    assert (one["weightsVersion"], one["terms"][0]["points"]) == (2, 800)


@pytest.mark.parametrize(
    "wrong",
    [
        {"proximity": -1},
        {"gender": 10_001},
        {"secondChoice": 401},
        dict.fromkeys(
            (
                "proximity",
                "continuity",
                "certificate",
                "reliability",
                "gender",
                "language",
                "firstChoice",
                "secondChoice",
            ),
            0,
        ),
    ],
)
async def test_weights_out_of_bounds(lasting: Streets, ask: Asked, wrong: dict[str, int]) -> None:
    refused = await ask(lasting.n.actor("admin"), SET, input=wrong, key="weights-wrong")
    assert refused["matchWeightsSet"]["code"] == "INVALID_INPUT"
    assert await lasting.c.fetchval("SELECT max(version) FROM match_weights") == 1
