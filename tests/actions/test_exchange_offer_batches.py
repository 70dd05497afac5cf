"""Offers of an organization's own system: made, changed, left as they are or refused, each by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.exchange import actions, offering
from models.exchange.actions import OfferUpsert
from models.exchange.kinds import Kind
from models.problems import Forbidden, InvalidInput
from resolvers.verbs import read_id
from tests.make_exchange import NOW, START, Scene, neighbourhood, refused


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> AsyncIterator[Scene]:
    yield Scene(connection, await neighbourhood(connection))


def sent(scene: Scene, number: str, *, resubmit: bool = False, **over: Any) -> OfferUpsert:
    """An offer as a system sends it."""
    terms: dict[str, Any] = {
        "title": "陪诊服务",
        "category": scene.n.categories["ELDERLY.ESCORT"],
        "quantity": 10,
        "window_from": NOW,
        "window_to": NOW + timedelta(days=28),
        **over,
    }
    return OfferUpsert(number, lambda: terms, resubmit)


class Counted:
    """Counts the statements of a connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection, self.statements = connection, 0

    def __call__(self, record: Any) -> None:
        self.statements += 1


async def upsert(scene: Scene, *given: OfferUpsert) -> list[tuple[str, str | None, str | None]]:
    """(outcome, field, message) of each."""
    batch = await actions.upsert_offers(scene.as_("ngo"), given)
    rows = await scene.c.fetch("SELECT * FROM offer_batch_item WHERE batch_id = $1 ORDER BY place", batch)
    assert [row["place"] for row in rows] == list(range(len(given)))
    whole = await scene.row("offer_batch", batch)
    outcomes = [row["outcome"] for row in rows]
    for name in ("CREATED", "UPDATED", "UNCHANGED", "REFUSED"):
        assert whole[name.lower()] == outcomes.count(name)
    return [(row["outcome"], row["field"], row["message"]) for row in rows]


DONE = {name: (name, None, None) for name in ("CREATED", "UPDATED", "UNCHANGED")}


async def by_number(scene: Scene, number: str) -> dict[str, Any]:
    id = await scene.c.fetchval("SELECT id FROM offer WHERE external_id = $1", number)
    return await scene.row("offer", id)


async def test_new_ones_wait_for_review_and_again_changes_nothing(scene: Scene) -> None:
    given = [
        sent(scene, "A-1"),
        sent(scene, "A-2", window_from=START, rrule="FREQ=DAILY;COUNT=3", duration_minutes=60, skills=("FIRST_AID",)),
        sent(scene, "A-3", position=(41.81, 123.4), radius_km=2.3, parallel=2, weekly_cap=5, note="两人一组"),
        sent(scene, "A-4", kind=Kind.VENUE, venue=offering.Venue("一层多功能厅", 60)),
    ]
    assert await upsert(scene, *given) == [DONE["CREATED"]] * 4
    rows = {number: await by_number(scene, number) for number in ("A-1", "A-2", "A-3", "A-4")}
    assert {row["status"] for row in rows.values()} == {"PENDING_REVIEW"}
    times = await scene.c.fetch(
        "SELECT starts_at, ends_at FROM offer_occurrence WHERE offer_id = $1", rows["A-2"]["id"]
    )
    assert sorted(tuple(t) for t in times) == offering.times(rows["A-2"]) and len(times) == 3
    assert (rows["A-3"]["service_areas"], rows["A-3"]["parallel"]) == (["2101"], 2)
    assert all(row["grams"] for row in rows.values())
    assert await upsert(scene, *given) == [DONE["UNCHANGED"]] * 4
    assert {number: await by_number(scene, number) for number in rows} == rows
    scene.later(days=40)  # over: what is sent as it was stays as it was
    assert await upsert(scene, *given) == [DONE["UNCHANGED"]] * 4


async def test_one_bad_item_changes_nothing_of_the_others(scene: Scene) -> None:
    await upsert(scene, sent(scene, "A-1"))

    def unreadable() -> dict[str, Any]:
        return {"category": read_id("ELDERLY", "service_category", "category")}

    answers = await upsert(
        scene,
        sent(scene, "B-1"),
        sent(scene, "A-1", title="改过的名字"),
        sent(scene, "B-2", quantity=-3),
        sent(scene, "B-3", category=UUID(int=8)),
        OfferUpsert("B-4", unreadable),
        sent(scene, ""),
        sent(scene, "C\x07"),
        sent(scene, "D" * 65),
        sent(scene, "B-5", skills=("FLYING",)),
        sent(scene, "B-6", areas=(UUID(int=8),)),
        sent(scene, "B-7", window_to=NOW - timedelta(days=1), window_from=NOW - timedelta(days=2)),
        sent(scene, "B-8", kind=Kind.CASH_AID),
    )
    number = "外部编号须为 1 至 64 个字符，不含控制字符。"
    assert answers == [
        DONE["CREATED"],
        DONE["UPDATED"],
        ("REFUSED", "quantity", "数量须在 1 至 10000 之间。"),
        ("REFUSED", "category", "服务类别不存在。"),
        ("REFUSED", "category", "“ELDERLY”不是有效的 ID。"),
        ("REFUSED", "externalId", number),
        ("REFUSED", "externalId", number),
        ("REFUSED", "externalId", number),
        ("REFUSED", "skills", "技能不存在。"),
        ("REFUSED", "areas", "服务区域不存在。"),
        ("REFUSED", "windowTo", "结束时间须晚于现在。"),
        ("REFUSED", "kind", "资金救助只能由基金会提供。"),
    ]
    assert await scene.c.fetchval("SELECT count(*) FROM offer") == 2
    assert (await by_number(scene, "A-1"))["title"] == "改过的名字"


async def test_a_number_that_comes_twice_is_refused_wherever_it_stands(scene: Scene) -> None:
    answers = await upsert(scene, sent(scene, "A-1"), sent(scene, "A-2"), sent(scene, " A-1 ", title="别的"))
    twice = ("REFUSED", "externalId", "同一批中外部编号重复。")
    assert answers == [twice, DONE["CREATED"], twice]
    assert await scene.c.fetchval("SELECT array_agg(external_id) FROM offer") == ["A-2"]


async def test_what_was_reviewed_stays_unless_it_is_sent_to_review_again(scene: Scene) -> None:
    await upsert(scene, sent(scene, "A-1"))
    id = (await by_number(scene, "A-1"))["id"]
    await actions.publish_offer(scene.as_("staff"), id)
    assert await upsert(scene, sent(scene, "A-1", quantity=12, min_notice_minutes=60)) == [DONE["UPDATED"]]
    assert (await by_number(scene, "A-1"))["status"] == "PUBLISHED"
    renamed = {"quantity": 12, "min_notice_minutes": 60, "title": "全程陪诊"}
    refusal = ("REFUSED", "title", "这项内容已经审核，改动后须重新送审。")
    assert await upsert(scene, sent(scene, "A-1", **renamed)) == [refusal]
    assert (await by_number(scene, "A-1"))["title"] == "陪诊服务"
    assert await upsert(scene, sent(scene, "A-1", **renamed, resubmit=True)) == [DONE["UPDATED"]]
    row = await by_number(scene, "A-1")
    assert (row["status"], row["title"], row["reviewed_by"]) == ("PENDING_REVIEW", "全程陪诊", None)
    kind = ("REFUSED", "kind", "供给的种类和计量单位不能更改，请使用新的外部编号。")
    assert await upsert(scene, sent(scene, "A-1", kind=Kind.GOODS)) == [kind]
    await actions.withdraw_offer(scene.as_("ngo"), id)
    gone = ("REFUSED", None, "当前状态“已撤回”不允许此操作。")
    assert await upsert(scene, sent(scene, "A-1", title="又改", resubmit=True)) == [gone]


async def test_what_is_promised_stays_possible(scene: Scene) -> None:
    await upsert(scene, sent(scene, "A-1"))
    id = (await by_number(scene, "A-1"))["id"]
    await actions.publish_offer(scene.as_("staff"), id)
    await actions.claim_need(scene.as_("ngo"), await scene.need(), 2, offer=id)
    below = ("REFUSED", None)
    assert [a[:2] for a in await upsert(scene, sent(scene, "A-1", quantity=1, parallel=10))] == [below]
    scene.later(hours=25)  # the hold has lapsed, though nobody has written so
    assert await upsert(scene, sent(scene, "A-1", quantity=1, parallel=10)) == [DONE["UPDATED"]]
    row = await by_number(scene, "A-1")
    assert (row["qty_total"], row["qty_reserved"]) == (1, 0)


async def test_who_may_and_how_many(scene: Scene) -> None:
    for name in ("public", "daughter", "wang", "staff", "social_worker", "reporter", "admin"):
        async with refused(scene, Forbidden):
            await actions.upsert_offers(scene.as_(name), [sent(scene, "A-1")])
    for many in (0, 501):
        async with refused(scene, InvalidInput, field="items", reason="每次须提交 1 至 500 项供给。"):
            await actions.upsert_offers(scene.as_("ngo"), [sent(scene, f"A-{n}") for n in range(many)])


async def test_five_hundred_take_as_many_statements_as_five(scene: Scene) -> None:
    counts = []
    for many in (3, 5, 500):  # the first has asyncpg ask what types there are
        counted = Counted(scene.c)
        with scene.c.query_logger(counted):
            given = [sent(scene, f"{many}-{n}", rrule="FREQ=DAILY;COUNT=4", duration_minutes=60) for n in range(many)]
            await actions.upsert_offers(scene.as_("ngo"), given)
            changed = [sent(scene, f"{many}-{n}", quantity=11, parallel=3) for n in range(many)]
            await actions.upsert_offers(scene.as_("ngo"), changed)
        counts.append(counted.statements)
    assert counts[1] == counts[2] <= 20
    assert await scene.c.fetchval("SELECT count(*) FROM offer_occurrence") == 508
