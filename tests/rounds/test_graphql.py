"""Rounds as clients read them: figures and gain, proposals with reasons, what was left open, and who sees which."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from api.app import engine as whole
from models.access import Actor
from models.pool import Pool
from resolvers.engine.engine import Engine
from tests.asking import Asked
from tests.make_exchange import HERE, NOW, Scene, insert, neighbourhood
from tests.rounds.making import a_proposal, a_round, placed, ready

START = """mutation ($division: ID!, $input: MatchRoundInput!, $key: String!) {
  matchRoundStart(division: $division, input: $input, idempotencyKey: $key) {
    __typename
    ... on MatchRound { id status horizonFrom horizonTo dryRun progress viewerCan { cancel } }
    ... on Problem { code message }
  }
}"""
ROUND = """query ($id: ID!) { matchRound(id: $id) {
  no status stage division { code } requestedBy { id }
  figures { needs served coverage helpers meanKm continuity worstDistrict
            coverageByPriority { priority district { code } needs share }
            coverageByDistrict { priority district { code } needs share } }
  greedy { served helpers objective }
  gain { served helpers coverage meanKm continuity objective }
  proposals(filter: {status: [OPEN]}) { totalCount edges { node {
    id sentence score distanceKm priority status provider { ... on Person { maskedName: name } } volunteer { id } need { title }
    viewerCan { accept decline withdraw } } } }
  openNeeds { totalCount edges { node { need { id } reason label wanted priority } } }
  viewerCan { cancel }
} }"""
MINE = """{ matchProposals { totalCount edges { node {
  id status priority sentence reasons { code label points } weightsVersion round { no } need { title note } viewerCan { accept decline withdraw }
} } } }"""
ACCEPT = """mutation ($id: ID!, $key: String!) { matchProposalAccept(id: $id, idempotencyKey: $key) {
  __typename
  ... on Commitment { status origin need { quantityLeft } proposal { id sentence status } }
  ... on NeedFullyCommitted { remaining }
  ... on Problem { code }
} }"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return whole(production=False)


@pytest.fixture
async def asked(engine: Engine, pool: Pool) -> Asked:
    return Asked(engine, pool, NOW)


@pytest.fixture
async def scene(pool: Pool) -> AsyncIterator[Scene]:
    async with pool.connection() as connection:
        made = Scene(connection, await neighbourhood(connection))
        await placed(made)
        yield made


async def planned(scene: Scene) -> tuple[UUID, UUID, UUID]:
    """A round that is planned: (round, proposal to 王, the need that it left open)."""
    round = await ready(scene, await a_round(scene))
    need, open_ = await scene.need(quantity=1), await scene.need()
    mine = await a_proposal(scene, round, need)
    figures = await scene.c.fetchval("SELECT figures_id FROM match_round WHERE id = $1", round)
    for part, code, share in (("PRIORITY", "2", 1.0), ("DISTRICT", "210103", 0.5)):
        await insert(
            scene.c, "match_coverage", figure_id=figures, area=HERE, part=part, code=code, needs=2, share=share
        )
    await insert(
        scene.c, "match_open", round_id=round, need_id=open_, area=HERE + "001", priority=2, wanted=2, reason="NO_TIME"
    )
    return round, mine, open_


def nodes(page: Any) -> list[Any]:
    return [edge["node"] for edge in page["edges"]]


async def test_asking_for_a_round(asked: Asked, scene: Scene) -> None:
    staff, division = scene.n.actor("staff"), f"division_{scene.n.communities[HERE]}"
    given = {"division": division, "input": {"horizonDays": 3, "dryRun": True}, "key": "round-0001"}
    found = (await asked(staff, START, **given))["matchRoundStart"]
    assert {k: v for k, v in found.items() if k != "id"} == {
        "__typename": "MatchRound",
        "status": "QUEUED",
        "horizonFrom": "2026-11-02",
        "horizonTo": "2026-11-04",
        "dryRun": True,
        "progress": 0,
        "viewerCan": {"cancel": True},
    }
    assert (await asked(staff, START, **given))["matchRoundStart"]["id"] == found["id"]  # the same key, the same round
    again = (await asked(staff, START, **{**given, "key": "round-0002"}))["matchRoundStart"]
    assert again["code"] == "ROUND_UNDER_WAY" and "LC" in again["message"]
    bad = {**given, "input": {"horizonDays": 99}, "key": "round-0003"}
    assert (await asked(staff, START, **bad))["matchRoundStart"]["code"] == "INVALID_INPUT"
    assert (await asked(scene.n.actor("wang"), START, **{**given, "key": "round-0004"}))["matchRoundStart"][
        "code"
    ] == "FORBIDDEN"


async def test_what_a_round_is_worth(asked: Asked, scene: Scene) -> None:
    round, mine, open_ = await planned(scene)
    found = (await asked(scene.n.actor("staff"), ROUND, id=f"match_round_{round}"))["matchRound"]
    assert (found["status"], found["division"]) == ("READY", {"code": HERE})
    figures = found["figures"]
    assert (figures["needs"], figures["served"], figures["coverage"], figures["helpers"]) == (2, 2, 1.0, 3)
    assert figures["coverageByPriority"] == [{"priority": 2, "district": None, "needs": 2, "share": 1.0}]
    assert figures["coverageByDistrict"] == [
        {"priority": None, "district": {"code": "210103"}, "needs": 2, "share": 0.5}
    ]
    gain = {"served": 1, "helpers": 2, "coverage": 0.5, "meanKm": 0.0, "continuity": 0.0, "objective": 0.0}
    assert found["gain"] == gain
    (proposal,) = nodes(found["proposals"])
    assert proposal["sentence"] == "距需求0.5公里 +2917 · 上次也是TA服务 +2500"
    assert (proposal["score"], proposal["priority"], proposal["distanceKm"]) == (5417, 2, 0.5)
    assert proposal["viewerCan"] == {"accept": False, "decline": False, "withdraw": True}
    assert found["openNeeds"] == {
        "totalCount": 1,
        "edges": [
            {
                "node": {
                    "need": {"id": f"need_{open_}"},
                    "reason": "NO_TIME",
                    "label": "合适的人时间都对不上",
                    "wanted": 2,
                    "priority": 2,
                }
            }
        ],
    }
    assert found["viewerCan"] == {"cancel": True} and mine


async def test_an_administrator_sees_figures_and_masked_names(asked: Asked, scene: Scene) -> None:
    round, _, _ = await planned(scene)
    found = (await asked(scene.n.actor("admin"), ROUND, id=f"match_round_{round}"))["matchRound"]
    (proposal,) = nodes(found["proposals"])
    assert found["figures"]["served"] == 2 and proposal["provider"] == {"maskedName": "电*"}


@pytest.mark.parametrize("who", ["wang", "ngo", "daughter", "public", "staff_there", "viewer", "viewer_elsewhere"])
async def test_who_sees_no_round(asked: Asked, scene: Scene, who: str) -> None:
    round, _, _ = await planned(scene)
    assert (await asked(scene.n.actor(who), ROUND, id=f"match_round_{round}"))["matchRound"] is None


async def test_district_viewers_see_totals_of_districts_that_are_not_few(asked: Asked, scene: Scene) -> None:
    round = await ready(scene, await a_round(scene, "admin", "210103"))
    await scene.c.execute("UPDATE match_figure SET area = '210103'")
    viewer: Actor = scene.n.actor("viewer")
    text = (
        "query ($id: ID!) { matchRound(id: $id) { figures { served coverageByPriority { share } } gain { served } } }"
    )
    assert (await asked(viewer, text, id=f"match_round_{round}"))["matchRound"] == {"figures": None, "gain": None}
    await scene.c.execute("UPDATE match_figure SET needs = 5")
    found = (await asked(viewer, text, id=f"match_round_{round}"))["matchRound"]
    assert found["gain"] == {"served": 1} and found["figures"] == {"served": 2, "coverageByPriority": []}
    staff = (await asked(scene.n.actor("staff"), text, id=f"match_round_{round}"))["matchRound"]
    assert staff == {"figures": None, "gain": None}  # of a part of it


async def test_a_provider_reads_his_own_and_accepts(asked: Asked, scene: Scene) -> None:
    _, mine, _ = await planned(scene)
    found = (await asked(scene.n.actor("wang"), MINE))["matchProposals"]
    assert nodes(found) == [
        {
            "id": f"match_proposal_{mine}",
            "status": "OPEN",
            "priority": None,
            "sentence": "距您0.5公里 +2917 · 上次也是您服务 +2500",
            "reasons": [
                {"code": "PROXIMITY", "label": "距您0.5公里", "points": 2917},
                {"code": "CONTINUITY", "label": "上次也是您服务", "points": 2500},
            ],
            "weightsVersion": 1,
            "round": None,
            "need": {"title": "陪诊", "note": None},
            "viewerCan": {"accept": True, "decline": True, "withdraw": False},
        }
    ]
    assert nodes((await asked(scene.n.actor("sun"), MINE))["matchProposals"]) == []
    given = {"id": f"match_proposal_{mine}", "key": "accept-0001"}
    done = (await asked(scene.n.actor("wang"), ACCEPT, **given))["matchProposalAccept"]
    assert done == {
        "__typename": "Commitment",
        "status": "ACCEPTED",
        "origin": "PROPOSAL",
        "need": {"quantityLeft": 0},
        "proposal": {
            "id": f"match_proposal_{mine}",
            "sentence": "距您0.5公里 +2917 · 上次也是您服务 +2500",
            "status": "ACCEPTED",
        },
    }
    assert (await asked(scene.n.actor("wang"), ACCEPT, **given))["matchProposalAccept"] == done


async def test_he_may_accept_what_the_verb_would_take(asked: Asked, scene: Scene) -> None:
    """Not while he is suspended; and not once it is over, for a paper that he has not."""
    _, mine, _ = await planned(scene)
    wang = scene.n.actor("wang")

    async def may() -> bool:
        [found] = nodes((await asked(wang, MINE))["matchProposals"])
        return bool(found["viewerCan"]["accept"])

    for state, expected in (("SUSPENDED", False), ("ACTIVE", True)):
        await scene.c.execute("UPDATE volunteer SET state = $2 WHERE person_id = $1", wang.person, state)
        assert await may() is expected
    await scene.c.execute(
        "UPDATE need SET certificate = 'NURSE' WHERE id = (SELECT need_id FROM match_proposal WHERE id = $1)", mine
    )
    given = {"id": f"match_proposal_{mine}", "key": "accept-0003"}
    assert (await asked(wang, ACCEPT, **given))["matchProposalAccept"]["code"] == "NOT_QUALIFIED"
    assert not await may()


async def test_too_late_is_told_once_and_kept(asked: Asked, scene: Scene) -> None:
    _, mine, _ = await planned(scene)
    await scene.c.execute("UPDATE need SET qty_total = 1, qty_committed = 1 WHERE status = 'OPEN' AND qty_total = 1")
    given = {"id": f"match_proposal_{mine}", "key": "accept-0002"}
    found = (await asked(scene.n.actor("wang"), ACCEPT, **given))["matchProposalAccept"]
    assert found == {"__typename": "NeedFullyCommitted", "remaining": 0, "code": "NEED_FULLY_COMMITTED"}
    assert (await scene.row("match_proposal", mine))["status"] == "SUPERSEDED"
    told = await scene.c.fetch("SELECT topic FROM event WHERE subject = $1", mine)
    assert [row["topic"] for row in told] == ["match_proposal.superseded"]
