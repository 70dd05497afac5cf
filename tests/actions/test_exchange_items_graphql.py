"""What needs ask, items, money and duplicates, over GraphQL: who is shown what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from api.schema import Mutation, Query
from models.calendar_days import DayInput, set_calendar_days
from models.exchange import actions
from models.exchange.actions import PartInput
from models.exchange.kinds import Kind, Sensitivity
from models.people.availability import Language
from models.pool import Pool
from resolvers.engine.engine import Engine
from tests.asking import Asked, engine_of
from tests.make_exchange import END, HERE, NOW, START, Scene, neighbourhood

ANY: dict[str, Any] = {"window_from": None, "window_to": None}
DAY = timedelta(days=1)
SLOTS = ((START, END), (START + DAY, END + DAY))
NEED = """fragment N on Need {
  id skill { code name } certificate language genderRequired vulnerability priority durationMinutes rrule
  options { id number startsAt endsAt } parent { no } parts { no } mergedInto { no }
  possibleDuplicates { id } previousHelpers { volunteerNo } answerOverdue overdue result
  commitments { partyUnit { name level } option { number } late result viewerCan { report } }
  viewerCan { split merge claim }
}"""
DOCUMENTS = (
    "{ needs(first: 5, filter: {overdue: false, answerOverdue: false}) { edges { node { ...N } } } }" + NEED,
    "{ triageQueue(first: 5, filter: {answerOverdue: true}) { edges { node { ...N } } } }" + NEED,
    '{ partyUnits(first: 5, filter: {under: "210103", level: 3}) { edges { node { name level area parent { name } } } } }',
    '{ calendarDays(first: 5, filter: {since: "2026-11-01", until: "2026-12-01"}) { edges { node { day worked note } } } }',
    '{ livelihoodItems(from: "2026-11-01", to: "2026-11-30", level: COMMUNITY) { published claimed completed overdue'
    " claimRate completionRate suppressed division { code } category { code } month } }",
)
NAMES = (
    *("public", "grandmother", "daughter", "neighbour", "wang", "zhao", "staff", "staff_there", "social_worker"),
    *("officer", "ngo", "viewer", "viewer_elsewhere", "admin", "reporter", "secretary"),
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_of(Query, Mutation)


@pytest.fixture
async def scene(pool: Pool) -> AsyncIterator[Scene]:
    async with pool.connection() as connection:
        yield Scene(connection, await neighbourhood(connection))


@pytest.fixture
def ask(engine: Engine, pool: Pool) -> Asked:
    return Asked(engine, pool, NOW)


def nodes(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in page["edges"]]


async def item(scene: Scene, **over: Any) -> UUID:
    return await scene.need(
        "staff",
        **{
            "title": "楼道照明更换",
            "kind": Kind.LIVELIHOOD_ITEM,
            "category": scene.n.categories["SAFETY.REPAIRS"],
            "quantity": 1,
            **ANY,
            **over,
        },
    )


async def test_everything_answers_for_everybody(scene: Scene, ask: Asked) -> None:
    await scene.need("staff", options=SLOTS, skill="HAIRDRESSING", vulnerability=2, **ANY)
    await actions.claim_need(scene.as_("secretary"), await item(scene))
    await scene.need(opened=False)
    await set_calendar_days(scene.as_("admin"), [DayInput(date(2026, 11, 7), True, "调休")])
    for name in NAMES:
        for document in DOCUMENTS:
            await ask(scene.n.actor(name), document)


CASH_READERS = {"grandmother", "daughter", "staff", "social_worker", "officer"}


@pytest.mark.parametrize("name", NAMES)
async def test_money_is_asked_of_nobody_but_a_fund(scene: Scene, ask: Asked, name: str) -> None:
    cash = await scene.need(kind=Kind.CASH_AID, title="临时生活救助", quantity=1, **ANY)
    actor = scene.n.actor(name)
    one = await ask(actor, "query ($id: ID!) { need(id: $id) { viewerCan { claim propose } } }", id=f"need_{cash}")
    every = await ask(actor, "{ needs(filter: {kind: [CASH_AID]}) { totalCount } }")
    assert (one["need"] is not None) is (name in CASH_READERS)  # Charity Law art. 124
    assert every["needs"]["totalCount"] == (name in CASH_READERS)
    if one["need"] is not None:
        assert one["need"]["viewerCan"] == {"claim": False, "propose": False}


PARTICULARS = "vulnerability priority language genderRequired options { number } possibleDuplicates { id }"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("public", (None, None, None, None, 0)),
        ("wang", (None, None, "SIGN", False, 2)),
        ("ngo", (None, None, "SIGN", False, 2)),
        ("neighbour", (None, None, "SIGN", False, 2)),
        ("daughter", (3, 3, "SIGN", False, 2)),
        ("staff", (3, 3, "SIGN", False, 2)),
    ],
)
async def test_how_hard_it_is_is_for_parties_and_staff(scene: Scene, ask: Asked, name: str, told: Any) -> None:
    need = await scene.need(
        "staff",
        beneficiary=scene.n.residents["grandmother"],
        vulnerability=3,
        language=Language.SIGN,
        options=SLOTS,
        **ANY,
    )
    again = await scene.need("daughter", beneficiary=scene.n.residents["grandmother"], opened=False)
    other = await scene.need("neighbour", opened=False)
    text = f"query ($id: ID!) {{ need(id: $id) {{ {PARTICULARS} }} }}"
    found = (await ask(scene.n.actor(name), text, id=f"need_{need}"))["need"]
    shown = (
        found["vulnerability"],
        found["priority"],
        found["language"],
        found["genderRequired"],
        len(found["options"]),
    )
    assert shown == told
    duplicates = [f"need_{again}"] if name == "staff" else []
    assert found["possibleDuplicates"] == [{"id": id} for id in duplicates]
    assert other != again


async def test_a_claim_names_an_appointment(scene: Scene, ask: Asked) -> None:
    need = await scene.need(options=SLOTS, **ANY)
    daughter, wang, zhao = (scene.n.actor(name) for name in ("daughter", "wang", "zhao"))
    text = "query ($id: ID!) { need(id: $id) { durationMinutes options { id number startsAt } } }"
    read = (await ask(daughter, text, id=f"need_{need}"))["need"]
    assert read["durationMinutes"] == 60
    assert [(o["number"], o["startsAt"]) for o in read["options"]] == [
        (1, "2026-11-03T08:30:00.000+08:00"),
        (2, "2026-11-04T08:30:00.000+08:00"),
    ]
    claim = """mutation ($id: ID!, $option: ID, $key: String!) {
      needClaim(id: $id, option: $option, idempotencyKey: $key) {
        __typename ... on Commitment { option { number } slotFrom } ... on Problem { code message } } }"""
    made = await ask(wang, claim, id=f"need_{need}", option=read["options"][1]["id"], key="claim-of-wang-1")
    assert made["needClaim"] == {
        "__typename": "Commitment",
        "option": {"number": 2},
        "slotFrom": "2026-11-04T08:30:00.000+08:00",
    }
    other = await ask(zhao, claim, id=f"need_{need}", option=read["options"][0]["id"], key="claim-of-zhao-1")
    assert other["needClaim"]["code"] == "OTHER_APPOINTMENT"
    assert other["needClaim"]["message"] == "其他人已选定该需求的第 2 个时段，请选择同一时段。"


async def test_a_series_over_graphql(scene: Scene, ask: Asked) -> None:
    submit = """mutation ($c: ID!, $rule: String!, $key: String!) {
      needSubmit(input: {title: "每周陪诊", category: $c, windowFrom: "2026-11-03T08:30:00+08:00",
        windowTo: "2026-11-03T11:00:00+08:00", rrule: $rule, hints: [NO_LIFT]}, idempotencyKey: $key) {
        __typename ... on Need { id rrule durationMinutes } ... on InvalidInput { field message } } }"""
    category = f"service_category_{scene.n.categories['ELDERLY.ESCORT']}"
    daughter, staff = scene.n.actor("daughter"), scene.n.actor("staff")
    endless = await ask(daughter, submit, c=category, rule="FREQ=WEEKLY", key="series-without-end")
    assert endless["needSubmit"] == {
        "__typename": "InvalidInput",
        "field": "rrule",
        "message": "重复须有结束：填写次数或截止日期之一。",
    }
    made = (await ask(daughter, submit, c=category, rule="FREQ=WEEKLY;COUNT=3", key="series-of-three"))["needSubmit"]
    assert (made["rrule"], made["durationMinutes"]) == ("FREQ=WEEKLY;COUNT=3", 150)
    verify = 'mutation ($id: ID!) { needVerify(id: $id, idempotencyKey: "verify-series") { ... on Need { parts { dueAt rrule } } } }'
    answer = await ask(staff, verify, id=made["id"])
    assert answer["needVerify"]["parts"] == [
        {"dueAt": "2026-11-10T11:00:00.000+08:00", "rrule": None},
        {"dueAt": "2026-11-17T11:00:00.000+08:00", "rrule": None},
    ]
    found = await ask(staff, "query ($s: ID!) { needs(filter: {series: $s}) { totalCount } }", s=made["id"])
    assert found["needs"]["totalCount"] == 3
    cancel = """mutation ($id: ID!) { needCancel(id: $id, reason: "不再需要", following: true,
      idempotencyKey: "cancel-series") { ... on Need { status parts { status } } } }"""
    answer = await ask(daughter, cancel, id=made["id"])
    assert answer["needCancel"] == {"status": "CANCELLED", "parts": [{"status": "CANCELLED"}] * 2}


async def test_split_and_merge_over_graphql(scene: Scene, ask: Asked) -> None:
    staff, daughter = scene.n.actor("staff"), scene.n.actor("daughter")
    need, other = await scene.need(quantity=3), await scene.need(quantity=1)
    split = """mutation ($id: ID!, $parts: [NeedPartInput!]!) { needSplit(id: $id, parts: $parts, idempotencyKey: "split-in-two") {
      __typename ... on Need { status parts { quantity status parent { status } } } ... on Problem { code } } }"""
    answer = await ask(staff, split, id=f"need_{need}", parts=[{"quantity": 1}, {"quantity": 2}])
    parts = sorted(answer["needSplit"].pop("parts"), key=lambda part: part["quantity"])
    assert answer["needSplit"] == {"__typename": "Need", "status": "SPLIT"}
    assert [(part["quantity"], part["status"], part["parent"]["status"]) for part in parts] == [
        (1, "OPEN", "SPLIT"),
        (2, "OPEN", "SPLIT"),
    ]
    again = await scene.need()
    merge = """mutation ($id: ID!, $into: ID!) { needMerge(id: $id, into: $into, reason: "重复提出",
      idempotencyKey: "merge-the-two") { ... on Need { status mergedInto { id } } } }"""
    answer = await ask(staff, merge, id=f"need_{again}", into=f"need_{other}")
    assert answer["needMerge"] == {"status": "CANCELLED", "mergedInto": {"id": f"need_{other}"}}
    seen = await ask(daughter, "query ($id: ID!) { need(id: $id) { mergedInto { title status } } }", id=f"need_{again}")
    assert seen["need"]["mergedInto"] == {"title": "陪诊", "status": "OPEN"}


async def test_an_item_from_claim_to_settlement(scene: Scene, ask: Asked) -> None:
    need = await item(scene, due_at=NOW + 2 * DAY)
    secretary, staff = scene.n.actor("secretary"), scene.n.actor("staff")
    claim = """mutation ($id: ID!) { needClaim(id: $id, idempotencyKey: "claim-item") {
      ... on Commitment { id partyUnit { name level area } provider { __typename } viewerCan { report } } } }"""
    made = (await ask(secretary, claim, id=f"need_{need}"))["needClaim"]
    assert made["partyUnit"] == {"name": "党组织3", "level": 3, "area": HERE}
    assert (made["provider"], made["viewerCan"]) == (None, {"report": False})
    id = UUID(made["id"].removeprefix("commitment_"))
    await actions.accept_commitment(scene.as_("staff"), id)
    await actions.confirm_commitment(scene.as_("staff"), id)
    mine = await ask(secretary, "{ myCommitments { edges { node { id viewerCan { report } } } } }")
    assert nodes(mine["myCommitments"]) == [{"id": made["id"], "viewerCan": {"report": True}}]
    report = """mutation ($id: ID!, $result: String, $key: String!) {
      commitmentReport(id: $id, result: $result, idempotencyKey: $key) {
        __typename ... on Commitment { status result } ... on Problem { code message } } }"""
    bare = await ask(secretary, report, id=made["id"], result=None, key="report-without")
    assert bare["commitmentReport"]["message"] == "销号须填写办理结果或上传佐证材料。"
    late = NOW + 3 * DAY
    overdue = await ask(staff, "{ needs(filter: {overdue: true}) { edges { node { id overdue } } } }", at=late)
    assert nodes(overdue["needs"]) == [{"id": f"need_{need}", "overdue": True}]
    done = await ask(secretary, report, id=made["id"], result="已更换 12 盏灯", key="report-with-result")
    assert done["commitmentReport"] == {"__typename": "Commitment", "status": "DELIVERED", "result": "已更换 12 盏灯"}
    await actions.complete_commitment(scene.as_("staff"), id)
    assert (
        nodes((await ask(staff, "{ needs(filter: {overdue: true}) { edges { node { id } } } }", at=late))["needs"])
        == []
    )


async def test_claim_and_completion_rates(scene: Scene, ask: Asked) -> None:
    items = [await item(scene, due_at=NOW + 2 * DAY) for _ in range(6)]
    for n, need in enumerate(items[:4]):
        made = await actions.claim_need(scene.as_("secretary"), need)
        await actions.accept_commitment(scene.as_("staff"), made)
        if n < 3:
            await actions.confirm_commitment(scene.as_("staff"), made)
            await actions.report_commitment(scene.as_("secretary"), made, result="已办结")
            await actions.complete_commitment(scene.as_("staff"), made)
    text = """{ livelihoodItems(from: "2026-11-01", to: "2026-11-30", level: COMMUNITY, byCategory: false) {
      division { code } month published claimed completed overdue claimRate completionRate suppressed } }"""
    late = NOW + 3 * DAY
    line = {"division": {"code": HERE}, "month": "2026-11-01", "published": 6}
    for name in ("staff", "officer"):
        found = (await ask(scene.n.actor(name), text, at=late))["livelihoodItems"]
        told = {"claimed": 4, "completed": 3, "overdue": 3, "claimRate": "0.6667", "completionRate": "0.5000"}
        assert found == ([{**line, **told, "suppressed": False}] if name == "staff" else [])  # none lies in a grid
    for name in ("viewer", "secretary"):
        found = (await ask(scene.n.actor(name), text, at=late))["livelihoodItems"]
        hidden = dict.fromkeys(("claimed", "completed", "overdue", "claimRate", "completionRate"))
        assert found == [{**line, **hidden, "suppressed": True}]  # under five (I30)
    for name in ("public", "wang", "ngo"):
        assert (await ask(scene.n.actor(name), text, at=late))["livelihoodItems"] == []


async def test_a_late_answer_stands_in_the_queue(scene: Scene, ask: Asked) -> None:
    await scene.need(opened=False)
    text = "{ triageQueue(filter: {answerOverdue: true}) { edges { node { answerOverdue answerDueAt } } } }"
    staff = scene.n.actor("staff")
    assert nodes((await ask(staff, text))["triageQueue"]) == []
    late = NOW + 4 * DAY
    assert nodes((await ask(staff, text, at=late))["triageQueue"]) == [
        {"answerOverdue": True, "answerDueAt": "2026-11-05T10:00:00.000+08:00"}
    ]


async def test_days_are_entered_by_an_administrator(scene: Scene, ask: Asked) -> None:
    text = """mutation { calendarDaysSet(days: [{day: "2027-02-06", worked: false, note: "春节"}, {day: "2027-02-14",
      worked: true}], idempotencyKey: "days-of-2027") { __typename ... on CalendarDay { day worked note } } }"""
    assert (await ask(scene.n.actor("staff"), text))["calendarDaysSet"] == {"__typename": "Forbidden"}
    answer = await ask(scene.n.actor("admin"), text)
    assert answer["calendarDaysSet"] == {"__typename": "CalendarDay", "day": "2027-02-14", "worked": True, "note": None}
    days = await ask(scene.n.actor("public"), "{ calendarDays { edges { node { day worked } } } }")
    assert nodes(days["calendarDays"]) == [
        {"day": "2027-02-06", "worked": False},
        {"day": "2027-02-14", "worked": True},
    ]


async def test_parts_of_a_restricted_need_are_hidden_as_it_is(scene: Scene, ask: Asked) -> None:
    need = await scene.need("staff", quantity=2, sensitivity=Sensitivity.RESTRICTED)
    await actions.split_need(scene.as_("staff"), need, [PartInput(1), PartInput(1)])
    for name, many in (
        ("staff", 3),
        ("colleague", 3),
        ("social_worker", 0),
        ("officer", 0),
        ("wang", 0),
        ("public", 0),
    ):
        found = await ask(scene.n.actor(name), "{ needs { totalCount } }")
        assert found["needs"]["totalCount"] == many, name
