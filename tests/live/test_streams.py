"""What is told of all that is somebody's own, or lies in his area; new things among it, and nobody else's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from models.access import Actor
from models.exchange import actions
from models.exchange.kinds import Sensitivity
from models.exchange.rounds import actions as rounds
from models.exchange.rounds.actions.starting import RoundInput
from resolvers.engine.engine import Refused
from tests.live.conftest import Live, Watch, _true
from tests.live.test_changes import code
from tests.make_exchange import HERE
from tests.rounds.making import X, Y, placed
from tests.worker.conftest import eventually

NEEDS = "subscription ($since: String) { myNeedsChanged(since: $since) { cursor topic label need { id status } } }"
COMMITMENTS = (
    "subscription ($since: String) { myCommitmentsChanged(since: $since) { cursor topic commitment { id status } } }"
)
TRIAGE = "subscription ($since: String) { triageChanged(since: $since) { cursor topic label need { id status } } }"
NEAR = "subscription { recommendationsChanged { topic label need { id } } }"
ROUND = "subscription ($id: ID!) { matchRoundChanged(id: $id) { topic label round { status stage progress } } }"


async def watching_(live: Live, who: str | Actor, text: str, **variables: Any) -> Watch:
    """A subscription without an id that has begun, after all that has happened so far was told."""
    await live.settled()
    before = len(live.hub)
    made = Watch(live.answers(who, text, **variables))
    live.watches.append(made)
    await eventually(lambda: _true(len(live.hub) > before or not made._new.empty()))
    return made


async def test_ones_own_needs_new_ones_among_them(live: Live) -> None:
    daughter = await watching_(live, "daughter", NEEDS)
    grandmother = await watching_(live, "grandmother", NEEDS)
    neighbour = await watching_(live, "neighbour", NEEDS)
    need = await live.act("daughter", actions.submit_need, live.wanted())
    await live.act("staff", actions.verify_need, need)
    await live.act("wang", actions.claim_need, need, 1)
    for own in (daughter, grandmother):  # of one household
        assert await own.topics(3) == ["SUBMITTED", "OPENED", "COMMITMENT"]
        assert own.seen[-1]["need"] == {"id": f"need_{need}", "status": "OPEN"}
    await neighbour.nothing()


async def test_what_is_restricted_is_told_to_whom_it_concerns(live: Live) -> None:
    beneficiary = live.n.residents["grandmother"]
    daughter, grandmother = await watching_(live, "daughter", NEEDS), await watching_(live, "grandmother", NEEDS)
    staff = await watching_(live, "staff", TRIAGE)
    wanted = live.wanted(sensitivity=Sensitivity.RESTRICTED, beneficiary=beneficiary)
    await live.act("grandmother", actions.submit_need, wanted)
    assert await grandmother.topics(1) == ["SUBMITTED"]
    await daughter.nothing()
    named = await live.scene.c.fetch("SELECT person_id FROM need_staff")
    if live.n.people["staff"] in {row["person_id"] for row in named}:
        assert await staff.topics(1) == ["ENTERED"]
    other = await watching_(live, "colleague", TRIAGE)
    if live.n.people["colleague"] not in {row["person_id"] for row in named}:
        await other.nothing()


async def test_ones_own_commitments(live: Live) -> None:
    need = await live.opened()
    wang, sun = await watching_(live, "wang", COMMITMENTS), await watching_(live, "sun", COMMITMENTS)
    daughter = await watching_(live, "daughter", COMMITMENTS)
    mine = await live.act("wang", actions.claim_need, need, 1)
    await live.act("daughter", actions.accept_commitment, mine)
    await live.act("staff", actions.confirm_commitment, mine)
    for watch in (wang, daughter):
        assert await watch.topics(3) == ["PROPOSED", "ACCEPTED", "CONFIRMED"]
        assert watch.seen[-1]["commitment"]["id"] == f"commitment_{mine}"
    await sun.nothing()


async def test_an_organizations_staff_are_told_of_its_commitments(live: Live) -> None:
    need = await live.opened()
    ngo = await watching_(live, "ngo", COMMITMENTS)
    await live.act("ngo", actions.claim_need, need, 1)
    await live.act("sun", actions.claim_need, need, 1)
    assert await ngo.topics(1) == ["PROPOSED"]
    await ngo.nothing()


async def test_a_stream_goes_on_where_it_was_left(live: Live) -> None:
    need = await live.opened()
    watch = await watching_(live, "wang", COMMITMENTS)
    mine = await live.act("wang", actions.claim_need, need, 1)
    assert await watch.topics(1) == ["PROPOSED"]
    await watch.end()
    await live.act("daughter", actions.accept_commitment, mine)
    again = await watching_(live, "wang", COMMITMENTS, since=watch.seen[-1]["cursor"])
    assert await again.topics(1) == ["ACCEPTED"]
    await again.nothing()


async def test_the_queue_of_an_area(live: Live) -> None:
    staff, there = await watching_(live, "staff", TRIAGE), await watching_(live, "staff_there", TRIAGE)
    officer = await watching_(live, "officer", TRIAGE)
    need = await live.act("daughter", actions.submit_need, live.wanted())
    await live.act("staff", actions.verify_need, need)
    version = await live.scene.c.fetchval("SELECT version FROM need WHERE id = $1", need)
    await live.act("staff", actions.edit_need, need, version, {"urgency": 3})  # it waits no more
    for watch in (staff, officer):
        assert (await watch.next())["topic"] == "ENTERED"
        last = (await watch.next())["topic"]
        assert last == "LEFT"
    assert staff.seen[0]["label"] == "有新的待办需求"
    await staff.nothing()
    await there.nothing(0.1)


@pytest.mark.parametrize("text", [TRIAGE, NEAR])
async def test_what_is_not_for_somebody_is_not_there(live: Live, text: str) -> None:
    for who in ("public", "daughter", "ngo"):
        watch = Watch(live.answers(who, text))
        live.watches.append(watch)
        with pytest.raises(Refused) as refused:
            await watch.next()
        assert code(refused) == "NOT_FOUND"


async def test_recommendations_become_stale_by_what_is_near_and_fits(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    await placed(live.scene)
    sql = "UPDATE volunteer SET x = $2, y = $3, own_point = true, radius_km = 2, categories = $4 WHERE person_id = $1"
    for who, x, categories in (("wang", X, []), ("zhao", X + 9, []), ("sun", X, ["CHILDCARE"])):
        await live.scene.c.execute(sql, live.n.people[who], x, Y, categories)
    wang, zhao, sun = [await watching_(live, who, NEAR) for who in ("wang", "zhao", "sun")]
    need = await live.act("daughter", actions.submit_need, live.wanted())
    await wang.nothing(0.3)  # it is no one's business yet
    await live.act("staff", actions.verify_need, need)
    assert await wang.next() == {"topic": "OPENED", "label": "附近有新需求", "need": {"id": f"need_{need}"}}
    other = await live.opened()
    await live.act("staff", actions.cancel_need, other, "重复登记")
    await wang.nothing(0.6)  # not again so soon
    await zhao.nothing(0.1)
    await sun.nothing(0.1)
    hidden = await live.act("daughter", actions.submit_need, live.wanted(sensitivity=Sensitivity.RESTRICTED))
    assert hidden


async def test_nobody_is_woken_for_whom_the_machine_is_not_to_match(live: Live) -> None:
    await placed(live.scene)
    sql = "UPDATE volunteer SET x = $2, y = $3, own_point = true, categories = '{}' WHERE person_id = $1"
    await live.scene.c.execute(sql, live.n.people["wang"], X, Y)
    grandmother = live.n.residents["grandmother"]
    await live.scene.c.execute("UPDATE resident SET no_matching = true WHERE id = $1", grandmother)
    wang = await watching_(live, "wang", NEAR)
    await live.opened(beneficiary=grandmother)
    await wang.nothing(0.6)
    await live.scene.c.execute("UPDATE resident SET no_matching = false WHERE id = $1", grandmother)
    need = await live.opened(beneficiary=grandmother)
    assert (await wang.next())["need"] == {"id": f"need_{need}"}


async def test_what_is_over_is_told_and_not_named(live: Live) -> None:
    await placed(live.scene)
    await live.scene.c.execute(
        "UPDATE volunteer SET x = $2, y = $3, own_point = true WHERE person_id = $1", live.n.people["wang"], X, Y
    )
    need = await live.opened()
    wang = await watching_(live, "wang", NEAR)
    await live.act("staff", actions.cancel_need, need, "重复登记")
    assert await wang.next() == {"topic": "GONE", "label": "附近有需求已结束", "need": None}


async def test_how_far_a_round_is(live: Live) -> None:
    community = live.n.communities[HERE]
    round: UUID = await live.act("staff", rounds.start_round, community, RoundInput())
    watch = await live.watch("staff", round, text=ROUND, kind="match_round")
    with pytest.raises(Refused) as refused:
        await (await live.watch("staff_there", round, text=ROUND, kind="match_round")).next()
    assert code(refused) == "NOT_FOUND"
    with pytest.raises(Refused):
        await (await live.watch("wang", round, text=ROUND, kind="match_round")).next()
    await live.act("staff", rounds.cancel_round, round)
    found = await watch.next()
    assert (found["topic"], found["label"]) == ("CANCELLED", "本轮已取消")
    assert found["round"] == {"status": "CANCELLED", "stage": "DONE", "progress": 0}
