"""What is told of needs, commitments and sessions, to whom, and as what."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import orjson
import pytest

from api import errors
from api.live import hub as hubs
from api.operations import Failed
from models.access import Actor, Role
from models.exchange import actions
from models.exchange.kinds import Sensitivity
from models.pool import Pool
from resolvers.engine.engine import Engine, Refused
from tests.live.conftest import WATCH, Live, _true
from tests.worker.conftest import eventually

COMMITMENT = """subscription ($id: ID!) {
  commitmentChanged(id: $id) { cursor at topic label commitment { id status need { id } } }
}"""
NOTE = "subscription ($id: ID!) { needChanged(id: $id) { topic need { note } } }"


def code(refused: pytest.ExceptionInfo[Refused]) -> str:
    """Under what name it was refused."""
    (error,) = refused.value.errors
    return str((error.extensions or {}).get("code"))


# what is told


async def test_a_need_is_told_step_by_step(live: Live) -> None:
    need = await live.act("daughter", actions.submit_need, live.wanted())
    watch = await live.watch("daughter", need)
    await live.act("staff", actions.verify_need, need)
    claim = await live.act("wang", actions.claim_need, need, 1)
    await live.act("daughter", actions.accept_commitment, claim)
    first, *rest = [await watch.next() for _ in range(3)]
    assert first["topic"] == "OPENED" and first["label"] == "已开放认领"
    assert first["at"] == "2026-11-02T10:00:00.000+08:00"
    assert [c["topic"] for c in rest] == ["COMMITMENT", "COMMITMENT"]
    assert rest[-1]["need"] == {"id": f"need_{need}", "status": "OPEN", "quantityLeft": 1}
    assert len({c["cursor"] for c in watch.seen}) == 3
    await watch.nothing()


async def test_a_commitment_is_told_to_its_two_sides(live: Live) -> None:
    need = await live.opened()
    claim = await live.act("wang", actions.claim_need, need, 1)
    watches = [
        await live.watch(who, claim, text=COMMITMENT, kind="commitment") for who in ("wang", "daughter", "staff")
    ]
    await live.act("daughter", actions.accept_commitment, claim)
    await live.act("staff", actions.confirm_commitment, claim)
    for watch in watches:
        assert await watch.topics(2) == ["ACCEPTED", "CONFIRMED"]
        assert watch.seen[0]["label"] == "已接受"
        assert watch.seen[1]["commitment"]["status"] == "CONFIRMED"
        await watch.nothing(0.1)


async def test_only_its_own_events_wake_and_reach_a_subscriber(live: Live) -> None:
    mine, other = await live.opened(), await live.opened()
    watch = await live.watch("daughter", mine)
    await watch.nothing(0.3)
    reads = live.hub.reads
    for _ in range(3):
        version = await live.scene.c.fetchval("SELECT version FROM need WHERE id = $1", other)
        await live.act("staff", actions.edit_need, other, version, {"urgency": 3})
    await watch.nothing(0.4)
    assert live.hub.reads == reads
    version = await live.scene.c.fetchval("SELECT version FROM need WHERE id = $1", mine)
    await live.act("staff", actions.edit_need, mine, version, {"urgency": 3})
    assert await watch.topics(1) == ["EDITED"]


# to whom


async def test_who_may_not_see_a_commitment_is_told_of_quantities_only(live: Live) -> None:
    need = await live.opened()
    stranger, staff = await live.watch("public", need), await live.watch("staff", need)
    claim = await live.act("wang", actions.claim_need, need, 1)
    await live.act("daughter", actions.accept_commitment, claim)
    await live.act("daughter", actions.cancel_commitment, claim, "不需要了")
    assert await staff.topics(3) == ["COMMITMENT"] * 3
    assert await stranger.topics(2) == ["QUANTITY"] * 2  # that it was accepted changes no quantity
    await stranger.nothing(0.2)


async def test_who_handles_a_need_is_told_to_its_own_only(live: Live) -> None:
    need = await live.opened()
    watches = {who: await live.watch(who, need) for who in ("public", "wang", "staff", "grandmother")}
    await live.act("staff", actions.assign_need, need, live.n.social_worker)
    assert await watches["staff"].topics(1) == ["ASSIGNED"]
    assert await watches["grandmother"].topics(1) == ["ASSIGNED"]
    await watches["public"].nothing(0.2)
    await watches["wang"].nothing(0.1)


async def test_what_was_before_it_was_opened_is_nothing_to_strangers(live: Live) -> None:
    """Even with a cursor of another thing's event from before it, which anybody has."""
    live.scene.later(days=-1)
    await live.opened()
    before = await live.scene.c.fetchrow("SELECT xid, id FROM event ORDER BY xid DESC, id DESC LIMIT 1")
    need = await live.act("daughter", actions.submit_need, live.wanted())
    live.scene.later(days=1)
    await live.act("staff", actions.verify_need, need)
    at = int(live.scene.now.timestamp() * 1000)
    start = base64.b64encode(f"{before['xid']}.{before['id']}.{at}".encode()).decode()
    stranger, own = await live.watch("public", need, since=start), await live.watch("daughter", need, since=start)
    assert await own.topics(2) == ["SUBMITTED", "OPENED"]
    assert await stranger.topics(1) == ["OPENED"]
    await stranger.nothing(0.2)


@pytest.mark.parametrize("who", ["public", "wang", "staff_there", "viewer", "ngo"])
async def test_a_hidden_thing_is_as_absent_at_the_beginning(live: Live, who: str) -> None:
    hidden = await live.act("daughter", actions.submit_need, live.wanted(sensitivity=Sensitivity.RESTRICTED))
    found = []
    for id in (f"need_{hidden}", "need_01990000-0000-7000-8000-000000000000", f"commitment_{hidden}"):
        with pytest.raises(Refused) as refused:
            await anext(live.answers(who, WATCH, id=id))  # type: ignore[arg-type]
        found.append((code(refused), refused.value.errors[0].message))
    assert set(found) == {("NOT_FOUND", "没有找到该记录，或您无权查看。")}
    assert len(live.hub) == 0


async def test_whoever_loses_sight_in_mid_stream_is_told_no_more(live: Live) -> None:
    need = await live.opened()
    stranger, own = await live.watch("public", need), await live.watch("daughter", need)
    version = await live.scene.c.fetchval("SELECT version FROM need WHERE id = $1", need)
    await live.act("staff", actions.edit_need, need, version, {"urgency": 3})
    assert await stranger.topics(1) == ["EDITED"]
    await live.act("daughter", actions.cancel_need, need, "已经解决")
    with pytest.raises(Refused) as refused:
        await stranger.next()
    assert code(refused) == "NOT_FOUND"
    assert await own.topics(2) == ["EDITED", "CANCELLED"]
    assert len(live.hub) == 1


async def test_staff_who_are_moved_away_see_it_no_more(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who somebody is is asked again; what he sees then is what he is told."""
    monkeypatch.setattr(hubs, "FRESH", 0.0)
    need = await live.act("daughter", actions.submit_need, live.wanted())
    now = live.n.actor("staff")

    async def fresh() -> Actor:
        return now

    watch = await live.watch("staff", need, fresh=fresh)
    await live.act("colleague", actions.verify_need, need, publish=False)
    assert await watch.topics(1) == ["VERIFIED"]
    now = Actor(Role.COMMUNITY_STAFF, now.person, None, "210103005005")
    await live.act("colleague", actions.assign_need, need, live.n.social_worker)
    with pytest.raises(Refused) as refused:
        await watch.next()
    assert code(refused) == "NOT_FOUND"


async def test_a_token_that_has_ended_ends_it_before_anything_more_is_told(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = await live.opened()
    asked = 0

    async def fresh() -> Actor:
        nonlocal asked
        asked += 1
        raise Failed(errors.UNAUTHENTICATED)

    watch = await live.watch("daughter", need, fresh=fresh)
    claim = await live.act("wang", actions.claim_need, need, 1)
    assert await watch.topics(1) == ["COMMITMENT"] and asked == 0  # not yet time to ask
    monkeypatch.setattr(hubs, "FRESH", 0.0)
    await live.act("daughter", actions.accept_commitment, claim)
    with pytest.raises(Failed) as failed:
        await watch.next()
    assert failed.value.failure is errors.UNAUTHENTICATED and asked == 1 and len(watch.seen) == 1


async def test_the_clock_of_the_request_goes_on_from_where_it_was_given(live: Live) -> None:
    """What somebody may see depends on the time: it is the time of each delivery, by the clock that he gave."""
    need = await live.opened(quantity=1)
    claim = await live.act("wang", actions.claim_need, need, 1)  # held for 24 hours
    text = "subscription ($id: ID!) { needChanged(id: $id) { need { quantityLeft } } }"
    watch = await live.watch("daughter", need, text=text)
    later = await live.watch("daughter", need, text=text, now=live.scene.now + timedelta(hours=25))
    assert claim
    await live.act("staff", actions.assign_need, need, live.n.social_worker)
    assert (await watch.next())["need"]["quantityLeft"] == 0
    assert (await later.next())["need"]["quantityLeft"] == 1


# what is sealed


async def test_what_a_delivery_opens_is_on_the_audit_log_before_it_goes_out(live: Live) -> None:
    need = await live.opened()
    await live.settled()
    staff, relative = live.answers("staff", NOTE, id=f"need_{need}"), await live.watch("grandmother", need, text=NOTE)
    own = await live.watch("daughter", need, text=NOTE)
    first = asyncio.ensure_future(anext(staff))  # type: ignore[arg-type]
    await eventually(lambda: _true(len(live.hub) == 3))
    await live.act("wang", actions.claim_need, need, 1)
    answer = orjson.loads(await first)
    assert answer["data"]["needChanged"]["need"]["note"] == "三楼，行动不便"
    read = "SELECT * FROM audit_event WHERE action = 'personalData.read'"
    (found,) = [row for row in await live.scene.c.fetch(read) if row["person"] == live.n.people["staff"]]
    assert str(live.n.people["daughter"]) in found["detail"] and "CARE" in found["detail"]
    await relative.next(), await own.next()
    readers = [row["person"] for row in await live.scene.c.fetch(read)]
    assert sorted(readers) == sorted(live.n.people[who] for who in ("staff", "grandmother"))
    await staff.aclose()  # type: ignore[attr-defined]


async def test_nobody_is_told_what_is_sealed_for_others(live: Live) -> None:
    need = await live.opened()
    watch = await live.watch("wang", need, text=NOTE)
    await live.act("zhao", actions.claim_need, need, 1)
    assert await watch.next() == {"topic": "QUANTITY", "need": {"note": None}}
    assert await live.scene.c.fetchval("SELECT count(*) FROM audit_event WHERE action = 'personalData.read'") == 0


# how it is done


async def test_one_plan_serves_all_and_the_same_work_is_done_once(live: Live, engine: Engine) -> None:
    need = await live.opened()
    watches = [await live.watch("public", need) for _ in range(20)]
    await live.act("wang", actions.claim_need, need, 1)
    for watch in watches:
        await watch.next()
    compiled, reads = engine.compiled, live.hub.reads
    for who in ("zhao", "ngo"):
        version = await live.scene.c.fetchval("SELECT version FROM need WHERE id = $1", need)
        await live.act("staff", actions.edit_need, need, version, {"urgency": 3 if who == "ngo" else 4})
        for watch in watches:
            await watch.next()
    assert engine.compiled == compiled
    assert live.hub.reads - reads <= 4  # 40 deliveries


async def test_the_standard_path_answers_what_no_statement_can(live: Live) -> None:
    """A wrong argument inside is an error in its place, for each event, as in a query."""
    need = await live.opened()
    text = (
        "subscription ($id: ID!, $n: Int) { needChanged(id: $id) { topic need { id commitments(first: $n) { id } } } }"
    )
    await live.settled()
    answers = live.answers("daughter", text, id=f"need_{need}", n=5000)
    first = asyncio.ensure_future(anext(answers))  # type: ignore[arg-type]
    await asyncio.sleep(0.1)
    await live.act("wang", actions.claim_need, need, 1)
    answer = orjson.loads(await first)
    assert answer["data"]["needChanged"] == {"topic": "COMMITMENT", "need": None}
    assert [e["path"] for e in answer["errors"]] == [["needChanged", "need", "commitments"]]
    assert answer["errors"][0]["extensions"]["code"] == "BAD_INPUT"
    await answers.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('subscription { needChanged(id: "x") { at } }', "BAD_ID"),
        ("subscription ($id: ID!) { needChanged(id: $id) { at } }", None),  # no variable given
    ],
)
async def test_bad_arguments_are_refused_before_it_begins(live: Live, text: str, name: str | None) -> None:
    with pytest.raises(Refused) as refused:
        await anext(live.answers("public", text))  # type: ignore[arg-type]
    assert name is None or code(refused) == name
    assert len(live.hub) == 0


@pytest.mark.parametrize(
    "text",
    [
        'subscription { a: needChanged(id: "need_1") { at } b: needChanged(id: "need_1") { at } }',
        "subscription { __typename }",
        'subscription { ...F } fragment F on Subscription { needChanged(id: "need_1") { at } __typename }',
        'subscription { needChanged(id: "need_1") @skip(if: false) { at } }',
        'subscription ($x: Boolean!) { needChanged(id: "need_1") @include(if: $x) { at } }',
        'subscription { ...F @include(if: true) } fragment F on Subscription { needChanged(id: "need_1") { at } }',
        'subscription { needChanged(id: "need_1") { at nothing } }',
        'subscription { needChanged(id: "need_1") }',
        "subscription { needs { totalCount } }",
    ],
)
async def test_bad_documents_are_refused(engine: Engine, pool: Pool, live: Live, text: str) -> None:
    with pytest.raises(Refused):
        engine.document(live.context(live.n.actor("public"), text))


async def test_a_subscription_is_no_query(engine: Engine, live: Live) -> None:
    need = await live.opened()
    with pytest.raises(Refused) as refused:
        await engine.answer(live.context(live.n.actor("public"), WATCH, id=f"need_{need}"))
    assert code(refused) == "NOT_A_STREAM"
