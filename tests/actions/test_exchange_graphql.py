"""The marketplace over GraphQL: what each may see and do, and one walk through it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.database import Db
from models.exchange import actions
from models.exchange.kinds import Sensitivity, Unit
from models.pool import Pool
from models.problems import Problem
from resolvers.engine.engine import Engine
from resolvers.exchange import ExchangeMutation, ExchangeQuery
from tests.asking import Asked, engine_of
from tests.make_exchange import END, GRID, HERE, NOW, START, THERE, Scene, neighbourhood

NAMES = (
    *("public", "grandmother", "daughter", "neighbour", "wang", "zhao", "staff", "staff_there", "social_worker"),
    *("officer", "ngo", "viewer", "viewer_elsewhere", "admin", "reporter"),
)
FRAGMENTS = (
    """fragment C on Commitment {
  id quantity quantityDelivered origin status holdUntil slotFrom slotTo acceptedAt confirmedAt startedAt deliveredAt
  endedAt rating comment cancelledBy reason createdAt version community { code } organization { name }
  provider { __typename ... on Organization { name } ... on Person { id } } volunteer { volunteerNo }
  socialWorker { level } offer { no } need { no }
  viewerCan { accept decline confirm cancel noShow complete dispute resolve }
}""",
    """fragment O on Offer {
  id no title note kind unit quantity quantityConsumed quantityLeft exhausted windowFrom windowTo costFree status reason
  createdAt version category { code } areas(first: 2) { code } organization { name } provider { __typename }
  matchingNeeds(first: 3) { no } viewerCan { submit edit publish reject pause resume withdraw }
}""",
    """fragment N on Need {
  id no title note kind submittedVia unit quantity quantityCommitted quantityDelivered quantityLeft fulfilment
  windowFrom windowTo dueAt answerDueAt urgency sensitivity genderPreference status reason referredTo reopened openedAt
  closedAt createdAt version category { code parent { code } } community { code } grid { code } requester { id }
  beneficiary { id } matchingOffers(first: 3) { no }
  staff(first: 2) { person { id } namedBy { id } namedAt }
  viewerCan { submit edit verify open reject refer cancel close reopen claim propose nameStaff }
}""",
)
DOCUMENTS = (
    "{ serviceCategories { id code name pinyin parent { code } children(first: 5) { code } } }",
    "query ($c: ID) { needs(first: 3, filter: {community: $c}) { totalCount edges { node { ...N } } } }",
    "{ needs(first: 2) { edges { node { no commitments(first: 3) { ...C } } } } }",
    "{ myNeeds(first: 5) { totalCount edges { node { id } } } triageQueue(first: 5) { edges { node { id } } } }",
    "{ offers(first: 3) { totalCount edges { node { ...O commitments(first: 2) { edges { node { id } } } } } } }",
    "{ myOffers(first: 3) { totalCount edges { node { id } } } }",
    "{ commitments(first: 3) { totalCount edges { node { ...C } } } }",
    "{ myCommitments(first: 3, order: OLDEST) { totalCount edges { node { id } } } }",
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_of(ExchangeQuery, ExchangeMutation)


@pytest.fixture
async def scene(pool: Pool) -> AsyncIterator[Scene]:
    async with pool.connection() as connection:
        yield Scene(connection, await neighbourhood(connection))


@pytest.fixture
def ask(engine: Engine, pool: Pool) -> Asked:
    return Asked(engine, pool, NOW)


def gid(kind: str, id: UUID) -> str:
    return f"{kind}_{id}"


def nodes(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in page["edges"]]


async def test_everything_answers_for_everybody(scene: Scene, ask: Asked) -> None:
    need = await scene.need(beneficiary=scene.n.residents["grandmother"])
    await scene.need(opened=False, sensitivity=Sensitivity.RESTRICTED)
    offer = await scene.offer()
    await scene.delivered(need)
    await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    for name in ("public", "daughter", "wang", "staff", "social_worker", "officer", "ngo", "viewer", "reporter"):
        for document in DOCUMENTS:
            used = [part for part in FRAGMENTS if f"...{part[9]}" in document]
            given = {"c": gid("division", scene.n.communities[HERE])} if "$c" in document else {}
            await ask(scene.n.actor(name), document + "".join(used), **given)


SEEN = {
    # who: (open needs, submitted ones, RESTRICTED ones, drafts, commitments, drafts of offers)
    "public": (1, 0, 0, 0, 0, 0),
    "daughter": (1, 1, 1, 1, 2, 0),
    "grandmother": (1, 1, 0, 1, 2, 0),  # her daughter's RESTRICTED one is not the household's
    "neighbour": (1, 0, 0, 0, 0, 0),
    "wang": (1, 0, 0, 0, 1, 0),
    "zhao": (1, 0, 0, 0, 0, 0),
    "staff": (1, 1, 1, 0, 2, 0),
    "social_worker": (1, 1, 0, 0, 2, 0),
    "officer": (1, 1, 0, 0, 2, 0),
    "staff_there": (0, 0, 0, 0, 0, 0),
    "ngo": (1, 0, 0, 0, 1, 1),
    "viewer": (0, 0, 0, 0, 0, 0),
    "viewer_elsewhere": (0, 0, 0, 0, 0, 0),
    "reporter": (0, 0, 0, 0, 0, 1),
    "admin": (1, 0, 0, 0, 0, 0),
}


@pytest.mark.parametrize("name", SEEN)
async def test_who_sees_what(scene: Scene, ask: Asked, name: str) -> None:
    needs = [
        await scene.need(),
        await scene.need(opened=False),
        await scene.need(opened=False, sensitivity=Sensitivity.RESTRICTED),
        await scene.need(opened=False, draft=True),
    ]
    await actions.claim_need(scene.as_("wang"), needs[0])
    await actions.claim_need(scene.as_("ngo"), needs[0])
    offer = await scene.offer(published=False, draft=True)
    actor = scene.n.actor(name)
    seen = []
    for need in needs:
        answer = await ask(
            actor, "query ($id: ID!) { need(id: $id) { note commitments { need { no } } } }", id=gid("need", need)
        )
        seen.append(answer["need"])
    listed = await ask(actor, "{ needs { totalCount } commitments { totalCount } }")
    kept = await ask(actor, "query ($id: ID!) { offer(id: $id) { no } }", id=gid("offer", offer))
    commitments = len(seen[0]["commitments"]) if seen[0] else 0
    assert (*(need is not None for need in seen), commitments, kept["offer"] is not None) == SEEN[name]
    assert listed["needs"]["totalCount"] == sum(need is not None for need in seen)
    assert listed["commitments"]["totalCount"] == SEEN[name][4]
    may_read = name in ("daughter", "grandmother", "staff", "social_worker", "officer")
    assert [need["note"] for need in seen if need] == ["三楼，行动不便" if may_read else None] * sum(map(bool, seen))


async def test_a_provider_reads_particulars_from_confirmed_until_a_day_after(scene: Scene, ask: Asked) -> None:
    need = await scene.need(beneficiary=scene.n.residents["grandmother"])
    made = await actions.claim_need(scene.as_("wang"), need)
    text = "query ($id: ID!) { need(id: $id) { note beneficiary { id } grid { id } requester { id } } }"
    nothing = {"note": None, "beneficiary": None, "grid": None, "requester": None}

    async def reads(at: datetime = NOW) -> Any:
        return (await ask(scene.n.actor("wang"), text, at, id=gid("need", need)))["need"]

    assert await reads() == nothing
    await actions.accept_commitment(scene.as_("daughter"), made)
    assert await reads() == nothing
    await actions.confirm_commitment(scene.as_("staff"), made)
    all_of_it = {
        "note": "三楼，行动不便",
        "beneficiary": {"id": gid("resident", scene.n.residents["grandmother"])},
        "grid": {"id": gid("grid", scene.n.grid)},
        "requester": None,
    }
    assert await reads() == all_of_it
    closes = END + timedelta(hours=24)
    assert await reads(closes - timedelta(seconds=1)) == all_of_it
    assert await reads(closes) == nothing
    await actions.cancel_commitment(scene.as_("daughter"), made, "改日再约")
    assert await reads() == nothing


@pytest.mark.parametrize(
    "name", ("public", "neighbour", "wang", "ngo", "viewer", "reporter", "admin", "daughter", "staff", "officer")
)
async def test_no_filter_tells_of_a_grid_that_its_field_hides(scene: Scene, ask: Asked, name: str) -> None:
    need = await scene.need()
    await actions.claim_need(scene.as_("wang"), need)
    await actions.claim_need(scene.as_("ngo"), need)
    text = """
    query ($code: String!, $grid: ID!, $community: String!) {
      by_code: needs(filter: {under: $code}) { totalCount }
      by_id: needs(filter: {grid: $grid}) { totalCount }
      community: needs(filter: {under: $community}) { totalCount }
      commitments(filter: {under: $code}) { totalCount }
    }
    """
    answer = await ask(scene.n.actor(name), text, code=GRID, grid=gid("grid", scene.n.grid), community=HERE)
    told = int(name in ("daughter", "staff", "officer"))
    assert answer["by_code"]["totalCount"] == answer["by_id"]["totalCount"] == told
    assert answer["community"]["totalCount"] == int(name not in ("viewer", "reporter"))
    assert answer["commitments"]["totalCount"] == (2 if name in ("staff", "officer") else 0)


async def test_quantities_are_right_from_the_moment_a_hold_is_due(scene: Scene, ask: Asked) -> None:
    need = await scene.need(window_from=None, window_to=None)
    offer = await scene.offer()
    await actions.claim_need(scene.as_("wang"), need)
    await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    text = """
    query ($n: ID!, $o: ID!) {
      need(id: $n) { quantityLeft quantityCommitted fulfilment viewerCan { claim } commitments { status } }
      offer(id: $o) { quantityLeft exhausted }
    }
    """
    ids = {"n": gid("need", need), "o": gid("offer", offer)}
    ngo = scene.n.actor("ngo")
    answer = await ask(ngo, text, NOW + timedelta(hours=24, milliseconds=-1), **ids)
    assert answer["need"]["quantityLeft"] == 0
    assert answer["need"]["commitments"] == [{"status": "PROPOSED"}]
    assert answer["offer"] == {"quantityLeft": 9, "exhausted": False}
    answer = await ask(ngo, text, NOW + timedelta(hours=24), **ids)
    assert answer["need"]["quantityLeft"] == 2
    assert answer["need"]["quantityCommitted"] == 0
    assert answer["need"]["commitments"] == [{"status": "LAPSED"}]
    assert answer["offer"] == {"quantityLeft": 10, "exhausted": False}
    lapsed = "{ commitments(filter: {status: [LAPSED]}) { totalCount } }"
    assert (await ask(ngo, lapsed, NOW + timedelta(hours=24)))["commitments"]["totalCount"] == 1


async def test_offers_and_needs_find_each_other(scene: Scene, ask: Asked) -> None:
    c = scene.n.categories
    need = await scene.need(urgency=3)
    offers = {
        "same": await scene.offer(),
        "wider": await scene.offer(category=c["ELDERLY"], areas=(scene.n.districts["210103"],)),
        "other category": await scene.offer(category=c["HEALTH.TCM"]),
        "other unit": await scene.offer(unit=Unit.HOUR),
        "too late": await scene.offer(window_from=END),
        "used up": await scene.offer(quantity=1),
        "elsewhere": await scene.offer(areas=(scene.n.communities[THERE],)),
        "not reviewed": await scene.offer(published=False),
    }
    other = await scene.need("neighbour")
    await scene.need(category=c["ELDERLY"])
    await actions.claim_need(scene.as_("ngo"), other, offer=offers["used up"])
    text = "query ($id: ID!) { need(id: $id) { matchingOffers { id } } }"
    for name in ("staff", "public", "wang"):
        found = (await ask(scene.n.actor(name), text, id=gid("need", need)))["need"]["matchingOffers"]
        assert [f["id"] for f in found] == [gid("offer", offers["wider"]), gid("offer", offers["same"])]
    text = "query ($id: ID!) { offer(id: $id) { matchingNeeds { id } } }"
    found = (await ask(scene.n.actor("ngo"), text, id=gid("offer", offers["same"])))["offer"]["matchingNeeds"]
    assert [f["id"] for f in found] == [gid("need", need), gid("need", other)]
    found = (await ask(scene.n.actor("ngo"), text, id=gid("offer", offers["other category"])))["offer"]["matchingNeeds"]
    assert found == []


async def test_filters_and_orders(scene: Scene, ask: Asked) -> None:
    c = scene.n.categories
    first = await scene.need(urgency=1, title="第一个")
    scene.later(minutes=1)
    second = await scene.need(urgency=4, title="第二个", category=c["HEALTH.TCM"], window_from=None, window_to=None)
    scene.later(minutes=1)
    third = await scene.need("staff", urgency=4, title="第三个", opened=False)
    short = {gid("need", first): 1, gid("need", second): 2, gid("need", third): 3}
    staff = scene.n.actor("staff")

    async def found(filter: str = "{}", order: str = "NEWEST", field: str = "needs") -> list[int]:
        text = f"{{ {field}(filter: {filter}, order: {order}) {{ edges {{ node {{ id }} }} }} }}"
        return [short[n["id"]] for n in nodes((await ask(staff, text))[field])]

    assert await found() == [3, 2, 1]
    assert await found(order="URGENT_FIRST") == [3, 2, 1]
    assert await found(order="DUE_FIRST") == [1, 3, 2]
    assert await found("{status: [OPEN]}") == [2, 1]
    assert await found('{category: "ELDERLY"}') == [3, 1]
    assert await found('{category: "ELDER"}') == []
    assert await found("{grid: null}") == [3]
    assert await found(f'{{under: "{GRID}"}}') == [2, 1]
    assert await found("{urgencyMin: 4}") == [3, 2]
    assert await found('{createdAfter: "2026-11-02T10:00:00+08:00", createdBefore: "2026-11-02T10:02:00+08:00"}') == [2]
    assert await found('{titleContains: "第一"}') == [1]
    assert await found("{sensitivity: RESTRICTED}") == []
    assert await found("{submittedVia: [COUNTER]}") == [3]
    assert await found("{quantityLeftMin: 3}") == []
    assert await found(field="myNeeds") == [3]
    queue = await ask(staff, "{ triageQueue { edges { node { id } } } }")
    assert [short[n["id"]] for n in nodes(queue["triageQueue"])] == [3]


async def edit_need(db: Db, id: UUID) -> None:
    version = await db.connection.fetchval("SELECT version FROM need WHERE id = $1", id)
    await actions.edit_need(db, id, version, {"urgency": 3})


async def edit_offer(db: Db, id: UUID) -> None:
    version = await db.connection.fetchval("SELECT version FROM offer WHERE id = $1", id)
    await actions.edit_offer(db, id, version, {"qty_total": 9})


VERBS: dict[str, Any] = {
    "edit": edit_need,
    "submit": lambda db, id: actions.submit_draft(db, id),
    "verify": lambda db, id: actions.verify_need(db, id),
    "open": lambda db, id: actions.open_need(db, id),
    "reject": lambda db, id: actions.reject_need(db, id, "不属实"),
    "refer": lambda db, id: actions.refer_need(db, id, "区民政局"),
    "cancel": lambda db, id: actions.cancel_need(db, id, "不需要了"),
    "close": lambda db, id: actions.close_need(db, id),
    "reopen": lambda db, id: actions.reopen_need(db, id, "还需要"),
    "claim": lambda db, id: actions.claim_need(db, id),
}
COMMITMENT_VERBS: dict[str, Any] = {
    "accept": lambda db, id: actions.accept_commitment(db, id),
    "decline": lambda db, id: actions.decline_commitment(db, id),
    "confirm": lambda db, id: actions.confirm_commitment(db, id),
    "cancel": lambda db, id: actions.cancel_commitment(db, id, "临时有事"),
    "noShow": lambda db, id: actions.mark_no_show(db, id),
    "complete": lambda db, id: actions.complete_commitment(db, id),
    "dispute": lambda db, id: actions.dispute_commitment(db, id, "没有到场"),
    "resolve": lambda db, id: actions.resolve_commitment(db, id, delivered=False, reason="属实"),
}
OFFER_VERBS: dict[str, Any] = {
    "edit": edit_offer,
    "submit": lambda db, id: actions.submit_offer_draft(db, id),
    "publish": lambda db, id: actions.publish_offer(db, id),
    "reject": lambda db, id: actions.reject_offer(db, id, "不合规"),
    "pause": lambda db, id: actions.pause_offer(db, id),
    "resume": lambda db, id: actions.resume_offer(db, id),
    "withdraw": lambda db, id: actions.withdraw_offer(db, id),
}


async def test_viewer_can_is_what_the_verbs_do(scene: Scene, ask: Asked) -> None:
    """For everybody, every step and every state: `viewerCan` says yes exactly when the verb does."""
    await scene.c.execute("UPDATE volunteer SET adult_on = '2027-01-01' WHERE person_id = $1", scene.n.people["zhao"])
    needs = {
        "draft": await scene.need(opened=False, draft=True),
        "submitted": await scene.need(opened=False),
        "restricted": await scene.need(opened=False, sensitivity=Sensitivity.RESTRICTED),
        "open": await scene.need(),
        "at night": await scene.need(window_from=START.replace(hour=21), window_to=START.replace(hour=23)),
        "full": await scene.need(quantity=1, window_from=None, window_to=None),
        "confirmed": await scene.need(window_from=START + timedelta(days=1), window_to=END + timedelta(days=1)),
        "partly": await scene.need(window_from=None, window_to=None),
        "delivered": await scene.need(quantity=1, window_from=None, window_to=None),
        "disputed": await scene.need(quantity=1, window_from=None, window_to=None),
        "closed": await scene.need(quantity=1, window_from=None, window_to=None),
    }
    commitments = {
        "claimed": await actions.claim_need(scene.as_("zhao"), needs["full"]),
        "proposed": await actions.propose_commitment(
            scene.as_("staff"), needs["open"], volunteer=scene.n.volunteer_ids["wang"]
        ),
        "by the organization": await actions.claim_need(scene.as_("ngo"), needs["open"]),
        "confirmed": await scene.confirmed(needs["confirmed"]),
        "partly": await scene.delivered(needs["partly"]),
        "delivered": await scene.delivered(needs["delivered"]),
        "disputed": await scene.delivered(needs["disputed"]),
        "completed": await scene.delivered(needs["closed"]),
    }
    await actions.dispute_commitment(scene.as_("daughter"), commitments["disputed"], "没有到场")
    await actions.complete_commitment(scene.as_("daughter"), commitments["completed"])
    offers = {
        "draft": await scene.offer(published=False, draft=True),
        "pending": await scene.offer(published=False),
        "published": await scene.offer(),
        "paused": await scene.offer("zhao"),
    }
    await actions.pause_offer(scene.as_("zhao"), offers["paused"])
    for name in NAMES:
        for kind, rows, verbs in (
            ("need", needs, VERBS),
            ("commitment", commitments, COMMITMENT_VERBS),
            ("offer", offers, OFFER_VERBS),
        ):
            for what, id in rows.items():
                text = f"query ($id: ID!) {{ {kind}(id: $id) {{ viewerCan {{ {' '.join(verbs)} }} }} }}"
                answer = (await ask(scene.n.actor(name), text, id=gid(kind, id)))[kind]
                told = answer["viewerCan"] if answer else dict.fromkeys(verbs, False)
                done = {step: await works(scene, name, verb, id) for step, verb in verbs.items()}
                assert told == done, (name, kind, what)


async def works(scene: Scene, name: str, verb: Any, id: UUID) -> bool:
    """Whether a verb is not refused; nothing of it stays."""
    attempt = scene.c.transaction()
    await attempt.start()
    try:
        await verb(scene.as_(name), id)
    except Problem:
        return False
    else:
        return True
    finally:
        await attempt.rollback()


async def test_job_one_over_graphql(scene: Scene, ask: Asked) -> None:
    """A need of two: three claim, two win; accepted, confirmed, served, confirmed with five stars: CLOSED, 2/2."""
    n = scene.n

    async def do(name: str, mutation: str, want: str = "Need", at: Any = None, **variables: Any) -> Any:
        types = {"id": "ID!", "input": "NeedInput!", "rating": "Int"}
        head = ", ".join(f"${k}: {types[k]}" for k in variables)
        given = ", ".join(f"{k}: ${k}" for k in variables)
        key = f"key-{name}-{mutation}-{variables.get('id', '')}"
        of_need = mutation.startswith("need") and mutation != "needClaim"
        need_ = "id status fulfilment"
        fields = f"... on Need {{ {need_} }}" if of_need else f"... on Commitment {{ id status need {{ {need_} }} }}"
        text = f'mutation ({head}) {{ r: {mutation}({given}, idempotencyKey: "{key}") {{ __typename {fields} ... on Problem {{ code message }} }} }}'
        answer = (await ask(n.actor(name), text, at, **variables))["r"]
        assert answer["__typename"] == want, answer
        return answer

    need = await do(
        "daughter",
        "needSubmit",
        input={
            "title": "陪诊",
            "category": gid("service_category", n.categories["ELDERLY.ESCORT"]),
            "beneficiary": gid("resident", n.residents["grandmother"]),
            "quantity": 2,
            "windowFrom": "2026-11-03T08:30:00+08:00",
            "windowTo": "2026-11-03T11:00:00+08:00",
            "genderPreference": "FEMALE",
        },
    )
    assert need["status"] == "SUBMITTED"
    need = await do("staff", "needVerify", id=need["id"])
    assert need["status"] == "OPEN"
    claims = [await do(name, "needClaim", "Commitment", id=need["id"]) for name in ("wang", "zhao")]
    lost = await do("sun", "needClaim", "NeedFullyCommitted", id=need["id"])
    assert (lost["code"], lost["message"]) == ("NEED_FULLY_COMMITTED", "该需求只剩 0 个名额，无法按此数量认领。")
    again = await do("wang", "needClaim", "Commitment", id=need["id"])
    assert again["id"] == claims[0]["id"]
    for claim in claims:
        assert (await do("daughter", "commitmentAccept", "Commitment", id=claim["id"]))["status"] == "ACCEPTED"
        assert (await do("staff", "commitmentConfirm", "Commitment", id=claim["id"]))["status"] == "CONFIRMED"
    scene.now = END
    for claim, name in zip(claims, ("wang", "zhao"), strict=True):
        await actions.start_service(scene.as_(name), UUID(claim["id"][-36:]))
        await actions.deliver(scene.as_(name), UUID(claim["id"][-36:]))
    first, last = [
        await do("daughter", "commitmentComplete", "Commitment", END, id=claim["id"], rating=5) for claim in claims
    ]
    assert first["need"] == {"id": need["id"], "status": "DELIVERED", "fulfilment": "FULL"}
    assert last["need"] == {"id": need["id"], "status": "CLOSED", "fulfilment": "FULL"}
