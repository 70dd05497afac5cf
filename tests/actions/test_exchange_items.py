"""Livelihood items of party units, and needs of money, which nobody claims; parts and duplicates; late answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.access import Role
from models.calendar_days import DayInput, set_calendar_days
from models.exchange import actions
from models.exchange.actions import PartInput
from models.exchange.kinds import Kind, Sensitivity
from models.exchange.problems import (
    AlreadyCommitted,
    CashNeed,
    CommitmentsUnderWay,
    EvidenceMissing,
    NeedFullyCommitted,
    NotForParty,
)
from models.people.problems import ConflictOfInterest
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from tests.make_exchange import END, HERE, NOW, START, Scene, insert, neighbourhood, refused

ANY: dict[str, Any] = {"window_from": None, "window_to": None}


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> AsyncIterator[Scene]:
    yield Scene(connection, await neighbourhood(connection))


async def item(scene: Scene, by: str = "staff", **over: Any) -> UUID:
    given = {"title": "楼道照明更换", "kind": Kind.LIVELIHOOD_ITEM, "quantity": 1, **ANY, **over}
    return await scene.need(by, category=scene.n.categories["SAFETY.REPAIRS"], **given)


async def taken(scene: Scene, need: UUID, by: str = "secretary") -> UUID:
    made = await actions.claim_need(scene.as_(by), need)
    await actions.accept_commitment(scene.as_("staff"), made)
    await actions.confirm_commitment(scene.as_("staff"), made)
    return made


async def attach(scene: Scene, **to: UUID) -> None:
    await insert(
        scene.c,
        "attachment",
        uploader_id=scene.n.people["secretary"],
        role="PARTY_SECRETARY",
        media="JPEG",
        size_bytes=1,
        sha256=bytes(32),
        stored=str(scene.now.timestamp()),
        opener=b"x",
        created_at=scene.now,
        **to,
    )


async def test_a_party_unit_takes_an_item_on_and_settles_it_with_a_result(scene: Scene) -> None:
    need = await item(scene)
    made = await taken(scene, need)
    row = await scene.row("commitment", made)
    unit = await scene.c.fetchrow("SELECT * FROM party_unit WHERE id = $1", row["party_unit_id"])
    assert (unit["area"], row["volunteer_person_id"]) == (HERE, scene.n.people["secretary"])
    async with refused(scene, EvidenceMissing):
        await actions.report_commitment(scene.as_("secretary"), made)
    await actions.report_commitment(scene.as_("secretary"), made, result="已更换灯具 12 盏")
    assert await scene.counts(need) == ("DELIVERED", 1, 1, 1)
    assert (await scene.row("commitment", made))["result"] == "已更换灯具 12 盏"
    await actions.complete_commitment(scene.as_("staff"), made)
    assert await scene.counts(need) == ("CLOSED", 1, 1, 1)


async def test_an_attachment_shows_it_too_unless_it_was_there_before(scene: Scene) -> None:
    need = await item(scene)
    await attach(scene, need_id=need)  # the lamp, broken
    scene.later(minutes=1)
    made = await taken(scene, need)
    async with refused(scene, EvidenceMissing):
        await actions.report_commitment(scene.as_("secretary"), made)
    scene.later(minutes=1)
    await attach(scene, commitment_id=made)  # the lamp, lit
    await actions.report_commitment(scene.as_("secretary"), made)
    await actions.complete_commitment(scene.as_("staff"), made)
    assert (await scene.counts(need))[0] == "CLOSED"


async def test_what_was_served_in_a_session_is_not_settled_without_evidence(scene: Scene) -> None:
    need = await item(scene)
    made = await taken(scene, need, "wang")
    await actions.start_service(scene.as_("wang"), made)
    await actions.deliver(scene.as_("wang"), made)
    async with refused(scene, EvidenceMissing):
        await actions.complete_commitment(scene.as_("staff"), made)
    async with refused(scene, EvidenceMissing):
        await actions.close_need(scene.as_("staff"), need)
    with pytest.raises(InvalidInput, match="民生实事"):
        await actions.close_need(scene.as_("staff"), await scene.need(), result="做完了")
    await actions.close_need(scene.as_("staff"), need, result="井盖已固定")
    assert (await scene.counts(need))[0] == "CLOSED"
    assert (await scene.row("need", need))["result"] == "井盖已固定"


async def test_a_party_unit_takes_on_items_of_its_area_and_nothing_else(scene: Scene) -> None:
    async with refused(scene, NotForParty):
        await actions.claim_need(scene.as_("secretary"), await scene.need())
    async with refused(scene, NotForParty):
        await actions.claim_need(scene.as_("secretary"), await elsewhere(scene))
    need = await item(scene, quantity=2)
    with pytest.raises(InvalidInput):
        await actions.claim_need(scene.as_("secretary"), need, volunteer=scene.n.volunteer_ids["wang"])
    await actions.claim_need(scene.as_("secretary"), need)
    async with refused(scene, AlreadyCommitted):
        await actions.claim_need(scene.as_("secretary"), need)
    await actions.claim_need(scene.as_("wang"), need)  # a party member, as himself: no record of a party is kept
    async with refused(scene, NeedFullyCommitted, remaining=0):
        await actions.claim_need(scene.as_("zhao"), need)
    await scene.c.execute("UPDATE party_unit SET valid_to = '2026-10-31'")
    async with refused(scene, NotForParty):
        await actions.claim_need(scene.as_("secretary"), await item(scene))


async def elsewhere(scene: Scene) -> UUID:
    made = await actions.submit_need(
        scene.as_("staff_there"),
        actions.NeedInput("座椅加装", scene.n.categories["SAFETY.REPAIRS"], kind=Kind.LIVELIHOOD_ITEM),
    )
    await scene.c.execute("UPDATE need SET status = 'OPEN', opened_at = $2 WHERE id = $1", made, NOW)
    return made


async def test_a_secretary_answers_for_his_unit_and_not_for_the_other_side(scene: Scene) -> None:
    need = await item(scene)
    made = await actions.claim_need(scene.as_("secretary"), need)
    for name in ("wang", "ngo", "staff_there"):
        async with refused(scene, NotFound):
            await actions.decline_commitment(scene.as_(name), made)
    own = scene.n.actor("staff").__class__(Role.COMMUNITY_STAFF, scene.n.people["secretary"], None, HERE)
    db = scene.as_("staff")
    db.actor = own  # the same person, in the community's office
    with pytest.raises(Exception) as why:
        await actions.accept_commitment(db, made)
    assert type(why.value).__name__ in {"NotYourTurn", "ConflictOfInterest"}
    await actions.accept_commitment(scene.as_("staff"), made)
    async with refused(scene, InvalidTransition):
        await actions.report_commitment(scene.as_("secretary"), made, result="已办结")  # not confirmed yet
    async with refused(scene, Forbidden):
        await actions.report_commitment(scene.as_("staff"), made, result="已办结")
    await actions.cancel_commitment(scene.as_("secretary"), made, "需上级立项")
    assert await scene.counts(need) == ("OPEN", 1, 0, 0)


async def test_only_items_are_reported_by_who_took_them_on(scene: Scene) -> None:
    made = await scene.confirmed(await scene.need())
    async with refused(scene, InvalidInput, field="id"):
        await actions.report_commitment(scene.as_("wang"), made, result="做完了")


async def test_an_overdue_item_stays_and_is_settled_all_the_same(scene: Scene) -> None:
    need = await item(scene, due_at=NOW + timedelta(days=2))
    ordinary = await scene.need("staff", **ANY, due_at=NOW + timedelta(days=2))
    scene.later(days=3)
    assert await actions.expire_needs(scene.as_("staff")) == 1
    assert [(await scene.counts(id))[0] for id in (need, ordinary)] == ["OPEN", "EXPIRED"]
    made = await taken(scene, need)
    await actions.report_commitment(scene.as_("secretary"), made, result="已完成")
    await actions.complete_commitment(scene.as_("staff"), made)
    assert (await scene.counts(need))[0] == "CLOSED"


async def cash(scene: Scene, by: str = "daughter", **over: Any) -> UUID:
    over = {"title": "临时生活救助", "kind": Kind.CASH_AID, "quantity": 1, **ANY, **over}
    return await scene.need(by, category=scene.n.categories["POVERTY.LIVING_AID"], **over)


@pytest.mark.parametrize("name", ["wang", "zhao", "ngo", "secretary"])
async def test_nobody_claims_a_need_of_money(scene: Scene, name: str) -> None:
    need = await cash(scene)
    async with refused(scene, NotFound):  # he does not even see it (Charity Law art. 124)
        await actions.claim_need(scene.as_(name), need)


async def test_nobody_is_proposed_for_a_need_of_money(scene: Scene) -> None:
    need = await cash(scene)
    ways: list[dict[str, Any]] = [{"volunteer": scene.n.volunteer_ids["wang"]}, {"organization": scene.n.organization}]
    for to in ways:
        async with refused(scene, CashNeed):
            await actions.propose_commitment(scene.as_("staff"), need, **to)
    with pytest.raises(asyncpg.CheckViolationError, match="ck_need_cash"):
        await scene.c.execute("UPDATE need SET qty_committed = 1 WHERE id = $1", need)


async def test_a_need_of_money_closes_when_the_fund_that_was_asked_has_paid(scene: Scene) -> None:
    need = await cash(scene)
    async with refused(scene, InvalidInput, field="id"):
        await actions.close_need(scene.as_("staff"), need)
    foundation = await insert(
        scene.c,
        "organization",
        name="暖阳基金会",
        pinyin="x",
        kind="FOUNDATION",
        legal_status="REGISTERED",
        uscc="53210100MJ0000001Y",
        verified_state="VERIFIED",
        division_id=scene.n.communities[HERE],
        area=HERE,
        created_at=NOW,
    )
    await actions.ask_foundation(scene.as_("staff"), need, foundation)
    await actions.close_need(scene.as_("staff"), need)
    assert await scene.c.fetchrow("SELECT status, qty_committed, qty_delivered FROM need WHERE id = $1", need) == (
        "CLOSED",
        1,
        1,
    )


async def parts_of(scene: Scene, need: UUID) -> list[dict[str, Any]]:
    rows = await scene.c.fetch("SELECT id FROM need WHERE parent_id = $1 ORDER BY qty_total, id", need)
    return [await scene.row("need", row["id"]) for row in rows]


async def test_a_need_is_split_into_parts_that_make_the_whole(scene: Scene) -> None:
    need = await scene.need(quantity=5)
    await actions.split_need(scene.as_("staff"), need, [PartInput(2), PartInput(3)])
    assert await scene.counts(need) == ("SPLIT", 5, 0, 0)
    parts = await parts_of(scene, need)
    assert [(p["qty_total"], p["status"], p["window_from"], p["note"]) for p in parts] == [
        (2, "OPEN", START, "三楼，行动不便"),
        (3, "OPEN", START, "三楼，行动不便"),
    ]
    await actions.claim_need(scene.as_("wang"), parts[0]["id"], 2)
    async with refused(scene, NotFound):
        await actions.claim_need(scene.as_("wang"), need)


async def test_parts_take_an_appointment_each_or_all_of_them(scene: Scene) -> None:
    day = timedelta(days=1)
    slots = ((START, END), (START + day, END + day))
    need = await scene.need(quantity=3, options=slots, **ANY)
    ids = await scene.c.fetch("SELECT id FROM need_option WHERE need_id = $1 ORDER BY place", need)
    other = await scene.need(options=slots, **ANY)
    stranger = await scene.c.fetchval("SELECT id FROM need_option WHERE need_id = $1 LIMIT 1", other)
    async with refused(scene, InvalidInput, field="parts"):
        await actions.split_need(scene.as_("staff"), need, [PartInput(1, stranger), PartInput(2)])
    await actions.split_need(scene.as_("staff"), need, [PartInput(1, ids[1]["id"]), PartInput(2)])
    one, two = await parts_of(scene, need)
    assert (one["window_from"], one["options"]) == (slots[1][0], 0)
    assert (two["window_from"], two["window_to"], two["options"]) == (START, slots[1][1], 2)
    copied = await scene.c.fetch(
        "SELECT starts_at, ends_at FROM need_option WHERE need_id = $1 ORDER BY place", two["id"]
    )
    assert [tuple(row) for row in copied] == list(slots)


@pytest.mark.parametrize("quantities", [[5], [2, 2], [3, 3], [5, 0], [6, -1], [1] * 21])
async def test_parts_that_do_not_make_the_whole_are_refused(scene: Scene, quantities: list[int]) -> None:
    need = await scene.need(quantity=5)
    async with refused(scene, InvalidInput, field="parts"):
        await actions.split_need(scene.as_("staff"), need, [PartInput(n) for n in quantities])


async def test_what_is_promised_is_not_split(scene: Scene) -> None:
    need = await scene.need(quantity=2)
    made = await actions.claim_need(scene.as_("wang"), need)
    async with refused(scene, CommitmentsUnderWay):
        await actions.split_need(scene.as_("staff"), need, [PartInput(1), PartInput(1)])
    await actions.decline_commitment(scene.as_("wang"), made)
    for name in ("daughter", "wang", "officer", "ngo"):
        async with refused(scene, Forbidden):
            await actions.split_need(scene.as_(name), need, [PartInput(1), PartInput(1)])
    await actions.split_need(scene.as_("social_worker"), need, [PartInput(1), PartInput(1)])


async def test_a_duplicate_ends_and_says_what_it_was(scene: Scene) -> None:
    need = await scene.need("daughter", beneficiary=scene.n.residents["grandmother"])
    again = await scene.need("grandmother", opened=False)
    await actions.merge_need(scene.as_("staff"), again, need, "与女儿提出的是同一件事")
    row = await scene.row("need", again)
    assert (row["status"], row["merged_into"], row["reason"]) == ("CANCELLED", need, "与女儿提出的是同一件事")
    assert await scene.counts(need) == ("OPEN", 2, 0, 0)
    assert await actions.needs.mine(scene.as_("grandmother"), await scene.row("need", need))
    async with refused(scene, InvalidTransition):
        await actions.merge_need(scene.as_("staff"), need, again, "已经合并")


async def test_what_is_not_the_same_is_not_merged(scene: Scene) -> None:
    need = await scene.need()
    others = [
        need,
        await scene.need("neighbour"),
        await scene.need("staff", sensitivity=Sensitivity.RESTRICTED, beneficiary=scene.n.residents["daughter"]),
        await item(scene),
        await scene.need("staff", opened=False),
    ]
    for other in others:
        async with refused(scene, InvalidInput, field="into"):
            await actions.merge_need(scene.as_("staff"), need, other, "看起来一样")
    made = await actions.claim_need(scene.as_("wang"), need)
    same = await scene.need()
    async with refused(scene, CommitmentsUnderWay, count=1):
        await actions.merge_need(scene.as_("staff"), need, same, "看起来一样")
    await actions.merge_need(scene.as_("staff"), same, need, "看起来一样")
    await actions.decline_commitment(scene.as_("wang"), made)
    for name in ("daughter", "officer", "wang"):
        async with refused(scene, Forbidden):
            await actions.merge_need(scene.as_(name), need, same, "看起来一样")


async def test_nobody_merges_his_own(scene: Scene) -> None:
    one, two = [await scene.need("staff", opened=False, beneficiary=scene.n.residents["sun"]) for _ in range(2)]
    db = scene.as_("staff")
    db.actor = db.actor.__class__(Role.COMMUNITY_STAFF, scene.n.people["sun"], None, HERE)
    async with refused(scene, ConflictOfInterest):
        await actions.merge_need(db, one, two, "重复")


async def test_a_late_answer_is_told_once(scene: Scene) -> None:
    need = await scene.need(opened=False)
    answered = await scene.need()
    due = (await scene.row("need", need))["answer_due_at"]
    scene.now = due
    db = scene.as_("staff")
    assert await actions.tell_overdue_answers(db) == 0  # it is due then, and late from then on
    scene.now = due + timedelta(seconds=1)
    for expected in (1, 0):
        db = scene.as_("staff")
        assert await actions.tell_overdue_answers(db) == expected
        assert [(e.topic, e.subject) for e in db.events] == [("need.answer_overdue", need)] * expected
    assert answered != need
    assert (await scene.row("need", need))["overdue_told_at"] == scene.now


async def test_days_that_were_announced_move_a_term(scene: Scene) -> None:
    admin = scene.as_("admin")
    before = (await scene.row("need", await scene.need(opened=False)))["answer_due_at"]
    assert before == NOW + timedelta(days=3)  # Monday to Thursday
    days = [DayInput(date(2026, 11, n), False, "停水停电调休") for n in (3, 4, 5)] + [DayInput(date(2026, 11, 7), True)]
    await set_calendar_days(admin, days)
    moved = (await scene.row("need", await scene.need(opened=False)))["answer_due_at"]
    assert moved == NOW + timedelta(days=7)  # Friday, the Saturday that is worked, Monday
    await set_calendar_days(admin, [DayInput(date(2026, 11, 7), False)])
    again = (await scene.row("need", await scene.need(opened=False)))["answer_due_at"]
    assert again == NOW + timedelta(days=8)
    assert await scene.c.fetchval("SELECT count(*) FROM calendar_day") == 4


@pytest.mark.parametrize(
    "days",
    [
        [],
        [date(2026, 11, 3)] * 2,
        [date(2026, 11, 1)],
        [date(2026, 11, 2)],  # today counts in no term
        [date(2028, 1, 1)],  # announced in a year
    ],
)
async def test_days_that_cannot_be_entered(scene: Scene, days: list[date]) -> None:
    with pytest.raises(InvalidInput) as refused_:
        await set_calendar_days(scene.as_("admin"), [DayInput(day, False) for day in days])
    assert refused_.value.field == "days"
    with pytest.raises(Forbidden):
        await set_calendar_days(scene.as_("staff"), [DayInput(date(2026, 11, 3), False)])
    ends = [DayInput(day, False) for day in (date(2026, 11, 3), date(2027, 12, 31))]
    assert len(await set_calendar_days(scene.as_("admin"), ends)) == 2


@pytest.mark.parametrize(("hours", "late"), [(24, False), (23.9, True), (-0.1, True)])
async def test_calling_off_within_a_day_of_the_service_is_late(scene: Scene, hours: float, late: bool) -> None:
    day = timedelta(days=7)
    need = await scene.need(window_from=START + day, window_to=END + day)
    one, two = [await actions.claim_need(scene.as_(name), need) for name in ("wang", "zhao")]
    for made in (one, two):
        await actions.accept_commitment(scene.as_("daughter"), made)
    scene.now = START + day - timedelta(hours=hours)
    await actions.cancel_commitment(scene.as_("wang"), one, "临时有事")
    assert (await scene.row("commitment", one))["late"] is late
    assert await scene.counts(need) == ("OPEN", 2, 1, 0)
    await actions.cancel_need(scene.as_("daughter"), need, "不去了")
    assert (await scene.row("commitment", two))["late"] is late
