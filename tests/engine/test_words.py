"""Each word, once: the fast path, the standard path and the reference say the same."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Asking

TASK = """
fragment Everything on Task {
  __typename id label title note sealed marks whispered state urgency score weight rating price big at seenAt due tags kinds days urgent
  place { code label } asker { id label } team { label closed } owner { __typename ... on Team { label } ... on Person { id } }
  cost { amount currency } budget { amount } left { amount currency }
  viewerCan { edit pledge } pledgeCount minutes firstPledgeAt
  pledges { minutes person { label } team { label } task { id } }
  allPledges(first: 2) { totalCount edges { cursor node { id at } } pageInfo { hasNextPage startCursor endCursor } }
}
"""


@pytest.mark.parametrize("number", range(5))
async def test_every_word_of_a_page(ask: Asking, number: int) -> None:
    data = await ask(
        "{ tasks(first: 30) { totalCount edges { cursor node { ...Everything } } } }" + TASK, ask.world.actors[number]
    )
    assert data["tasks"]["totalCount"] == len(data["tasks"]["edges"])


@pytest.mark.parametrize("number", range(5))
async def test_roots(ask: Asking, number: int) -> None:
    await ask(
        """{
          places(first: 9) { code parent { code } children { code } openTeams { label } teams(first: 9) { totalCount edges { node { label place { code } } } } }
          urgentTasks { title } me { id label team { label } } myTeam { id people { label } }
          tally { state place { code } tasks cost { amount } highest } busiest { tasks place { label } state }
          kinds(howPolite: 2) { kind said rank nextKinds parent { kind } }
          one: kinds(only: READ) { said }
          people { edges { node { label pledges(last: 2) { edges { node { minutes } } } } } }
        }""",
        ask.world.actors[number],
    )


async def test_roots_by_id(ask: Asking) -> None:
    for given in ask.world.ids:
        data = await ask(
            """query($id: ID!) {
              node(id: $id) { __typename id ... on Task { title } ... on Labelled { label } }
              labelled(id: $id) { label ... on Team { place { code } } }
              working(id: $id) { __typename tasks(first: 1) { totalCount } }
              task(id: $id) { title }
              place(id: $id) { code }
            }""",
            ask.world.actors[3],
            id=given,
        )
        kind = given.partition("_")[0].capitalize()
        assert data["node"] is None or data["node"]["__typename"] == kind
        assert (data["task"] is None) or kind == "Task"
