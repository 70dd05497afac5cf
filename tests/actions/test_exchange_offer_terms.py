"""What an offer can do at once, in a week and at what notice, as claims meet it; reviewed again; foundations' offers."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from models.access import Actor, Role
from models.base import table
from models.clock import SHANGHAI
from models.database import Db, Statement
from models.exchange import actions, matches, offering
from models.exchange.actions import OfferInput
from models.exchange.kinds import Kind, Unit
from models.exchange.problems import CashNeed, OfferDoesNotFit
from models.exchange.tables import Need, Offer
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from tests.make_exchange import END, HERE, NOW, START, THERE, Scene, insert, neighbourhood, refused


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> AsyncIterator[Scene]:
    yield Scene(connection, await neighbourhood(connection))


async def occurrences(scene: Scene, offer: UUID) -> list[tuple[datetime, datetime]]:
    rows = await scene.c.fetch(
        "SELECT starts_at, ends_at FROM offer_occurrence WHERE offer_id = $1 ORDER BY starts_at", offer
    )
    return [(row["starts_at"], row["ends_at"]) for row in rows]


async def test_the_times_of_an_offer_are_rows_kept_with_it(scene: Scene) -> None:
    once = await scene.offer()
    assert await occurrences(scene, once) == [(NOW, NOW + timedelta(days=28))]
    weekly = await scene.offer(window_from=START, rrule="FREQ=WEEKLY;COUNT=9", duration_minutes=150, published=False)
    row = await scene.row("offer", weekly)
    assert await occurrences(scene, weekly) == offering.times(row)
    assert len(offering.times(row)) == 4
    await actions.edit_offer(scene.as_("ngo"), weekly, 1, {"rrule": "FREQ=DAILY;COUNT=3"})
    assert await occurrences(scene, weekly) == [(START + timedelta(days=n), END + timedelta(days=n)) for n in range(3)]
    await actions.edit_offer(scene.as_("ngo"), weekly, 2, {"title": "每日陪诊"})
    assert len(await occurrences(scene, weekly)) == 3
    await actions.edit_offer(scene.as_("ngo"), weekly, 3, {"rrule": None, "duration_minutes": None})
    assert await occurrences(scene, weekly) == [(START, row["window_to"])]
    async with refused(scene, InvalidInput, field="durationMinutes"):
        await actions.edit_offer(scene.as_("ngo"), weekly, 4, {"duration_minutes": 30})


async def test_only_so_many_at_one_instant(scene: Scene) -> None:
    offer = await scene.offer(parallel=2)
    at_once = [await scene.need() for _ in range(3)]
    after = await scene.need(window_from=END, window_to=END + timedelta(hours=2))
    for need in at_once[:2]:
        await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    async with refused(scene, OfferDoesNotFit, reason="这个时间段已排满"):
        await actions.claim_need(scene.as_("ngo"), at_once[2], offer=offer)
    async with refused(scene, OfferDoesNotFit, reason="这个时间段已排满"):
        await actions.propose_commitment(scene.as_("staff"), at_once[2], offer=offer, slot=(START, END))
    await actions.claim_need(scene.as_("ngo"), after, offer=offer)
    assert await scene.counts(at_once[2]) == ("OPEN", 2, 0, 0)
    held = await scene.c.fetchval("SELECT id FROM commitment WHERE need_id = $1", at_once[0])
    await actions.decline_commitment(scene.as_("ngo"), held)
    await actions.claim_need(scene.as_("ngo"), at_once[2], offer=offer)


async def test_the_fullest_instant_counts_not_all_that_touch(scene: Scene) -> None:
    offer = await scene.offer(parallel=1)
    day = START.replace(hour=9)
    for hour in (0, 2):
        begins = day + timedelta(hours=hour)
        need = await scene.need(window_from=begins, window_to=begins + timedelta(hours=1))
        await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    busy = "SELECT offer_busy($1, $2, $3, $4)"
    assert await scene.c.fetchval(busy, offer, day, day + timedelta(hours=3), NOW) == 1
    assert await scene.c.fetchval(busy, offer, day + timedelta(hours=1), day + timedelta(hours=2), NOW) == 0
    assert await scene.c.fetchval(busy, offer, day, day + timedelta(hours=3), NOW + timedelta(hours=25)) == 0


async def test_goods_are_given_whatever_the_hour(scene: Scene) -> None:
    terms: dict[str, Any] = {"kind": Kind.GOODS, "category": scene.n.categories["POVERTY.MATERIALS"]}
    offer = await scene.offer(**terms, parallel=1)
    for _ in range(2):
        await actions.claim_need(scene.as_("ngo"), await scene.need(**terms), offer=offer)


async def test_only_so_many_in_a_week_of_shanghais(scene: Scene) -> None:
    offer = await scene.offer(weekly_cap=1)
    sunday = datetime(2026, 11, 8, 22, 30, tzinfo=SHANGHAI)  # in UTC it is Sunday until Monday 8:00
    monday = datetime(2026, 11, 9, 1, 0, tzinfo=SHANGHAI)
    needs = [await scene.need(window_from=at, window_to=at + timedelta(hours=1)) for at in (sunday, START, monday)]
    await actions.claim_need(scene.as_("ngo"), needs[0], offer=offer)
    async with refused(scene, OfferDoesNotFit, reason="当周已排满"):
        await actions.claim_need(scene.as_("ngo"), needs[1], offer=offer)
    await actions.claim_need(scene.as_("ngo"), needs[2], offer=offer)


async def test_the_notice_is_kept(scene: Scene) -> None:
    offer = await scene.offer(min_notice_minutes=24 * 60)
    need = await scene.need()
    async with refused(scene, OfferDoesNotFit, reason="预约时间太近，未留足提前量"):
        await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    later = await scene.need(window_from=START + timedelta(days=1), window_to=END + timedelta(days=1))
    await actions.claim_need(scene.as_("ngo"), later, offer=offer)


async def test_an_organizations_number_is_one_offers(scene: Scene) -> None:
    await scene.offer(external_id="GY-1")
    async with refused(scene, InvalidInput, field="externalId", reason="该外部编号已用于本组织的另一项供给。"):
        await scene.offer(external_id="GY-1")
    await scene.offer(external_id="GY-2")


async def test_what_was_reviewed_changes_only_with_another_review(scene: Scene) -> None:
    offer, need = await scene.offer(), await scene.need()
    made = await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    version = (await scene.row("offer", offer))["version"]
    for field, change in (
        ("skills", {"skills": ["FIRST_AID"]}),
        ("certificates", {"certificates": ["NURSE"]}),
        ("position", {"position": (41.8, 123.43)}),
        ("languages", {"languages": ["SIGN"]}),
    ):
        async with refused(scene, InvalidInput, field=field, reason="这项内容已经审核，改动后须重新送审。"):
            await actions.edit_offer(scene.as_("ngo"), offer, version, change)
    await actions.edit_offer(scene.as_("ngo"), offer, version, {"parallel": 3, "min_notice_minutes": 60})
    await actions.edit_offer(scene.as_("ngo"), offer, version + 1, {"skills": ["FIRST_AID"]}, resubmit=True)
    row = await scene.row("offer", offer)
    assert (row["status"], row["reviewed_by"], row["skills"], row["qty_reserved"]) == (
        *("PENDING_REVIEW", None, ["FIRST_AID"]),
        1,
    )
    assert (await scene.row("commitment", made))["status"] == "PROPOSED"
    async with refused(scene, InvalidTransition, status="PENDING_REVIEW"):
        await actions.claim_need(scene.as_("ngo"), await scene.need(), offer=offer)
    await actions.publish_offer(scene.as_("staff"), offer)


async def test_what_was_rejected_is_mended_and_what_expired_is_renewed(scene: Scene) -> None:
    offer = await scene.offer(published=False)
    await actions.reject_offer(scene.as_("staff"), offer, "请写明时间")
    async with refused(scene, InvalidTransition, status="REJECTED"):
        await actions.edit_offer(scene.as_("ngo"), offer, 2, {"note": "每周二上午"})
    await actions.edit_offer(scene.as_("ngo"), offer, 2, {"note": "每周二上午"}, resubmit=True)
    row = await scene.row("offer", offer)
    assert (row["status"], row["reason"]) == ("PENDING_REVIEW", None)
    await actions.publish_offer(scene.as_("staff"), offer)
    await actions.pause_offer(scene.as_("ngo"), offer)
    scene.later(days=28)
    for verb in (actions.resume_offer, actions.withdraw_offer, actions.pause_offer):
        async with refused(scene, InvalidTransition, status="EXPIRED", label="已过期"):
            await verb(scene.as_("ngo"), offer)
    version = (await scene.row("offer", offer))["version"]
    async with refused(scene, InvalidTransition, status="EXPIRED"):
        await actions.edit_offer(scene.as_("ngo"), offer, version, {"window_to": scene.now + timedelta(days=9)})
    async with refused(scene, InvalidInput, field="windowTo", reason="供给的结束时间已过，请先修改时间。"):
        await actions.edit_offer(scene.as_("ngo"), offer, version, {"note": "续期"}, resubmit=True)
    longer = {"window_to": scene.now + timedelta(days=9)}
    await actions.edit_offer(scene.as_("ngo"), offer, version, longer, resubmit=True)
    await actions.publish_offer(scene.as_("staff"), offer)
    assert await occurrences(scene, offer) == [(NOW, longer["window_to"])]
    await actions.withdraw_offer(scene.as_("ngo"), offer)
    async with refused(scene, InvalidTransition, status="WITHDRAWN"):
        await actions.edit_offer(scene.as_("ngo"), offer, version + 3, longer, resubmit=True)


async def test_nothing_that_is_over_is_sent_to_review_or_passes_it(scene: Scene) -> None:
    draft, waiting = await scene.offer(published=False, draft=True), await scene.offer(published=False)
    scene.later(days=28)
    async with refused(scene, InvalidInput, field="windowTo", reason="供给的结束时间已过，请先修改时间。"):
        await actions.submit_offer_draft(scene.as_("ngo"), draft)
    async with refused(scene, InvalidInput, field="windowTo", reason="供给的结束时间已过，请先修改时间。"):
        await actions.publish_offer(scene.as_("staff"), waiting)
    await actions.reject_offer(scene.as_("staff"), waiting, "已过期")


async def foundation(scene: Scene) -> Db:
    """A foundation's maker, ready to act."""
    id = await insert(
        *(scene.c, "organization"),
        name="甲试验基金会",
        pinyin="x",
        kind="FOUNDATION",
        legal_status="REGISTERED",
        verified_state="VERIFIED",
        filing_no="基1",
        division_id=scene.n.districts["210103"],
        area="210103",
        created_at=NOW,
    )
    return Db(scene.c, Actor(Role.FUND_MAKER, scene.n.people["retired"], id), NOW)


async def test_a_foundation_offers_goods_and_money(scene: Scene) -> None:
    db = await foundation(scene)
    window = {"window_from": NOW, "window_to": NOW + timedelta(days=90)}
    goods = OfferInput("冬衣棉被", scene.n.categories["POVERTY.MATERIALS"], **window, kind=Kind.GOODS, quantity=300)
    money = OfferInput(
        "临时救助金", scene.n.categories["POVERTY.LIVING_AID"], **window, kind=Kind.CASH_AID, quantity=50
    )
    ids = [await actions.submit_offer(db, given) for given in (goods, money)]
    for id in ids:
        await actions.publish_offer(scene.as_("admin"), id)
        await actions.pause_offer(db, id)
        await actions.resume_offer(db, id)
    assert (await scene.row("offer", ids[1]))["unit"] == Unit.HOUSEHOLD
    async with refused(scene, InvalidInput, field="kind"):
        await actions.submit_offer(db, OfferInput("陪诊", scene.n.categories["ELDERLY"], **window))
    async with refused(scene, Forbidden):
        reporter = Actor(Role.FUND_REPORTER, db.actor.person, db.actor.organization)
        await actions.submit_offer(Db(scene.c, reporter, NOW), money)
    for name in ("public", "daughter", "wang", "ngo"):
        async with refused(scene, Forbidden if name not in ("wang", "ngo") else NotFound):
            await actions.pause_offer(scene.as_(name), ids[1])
    cash = await scene.need(kind=Kind.CASH_AID, category=scene.n.categories["POVERTY.LIVING_AID"])
    async with refused(scene, CashNeed):
        await actions.propose_commitment(scene.as_("staff"), cash, offer=ids[1])


async def test_the_statement_fits_what_the_rules_fit(scene: Scene) -> None:
    """A few hundred random pairs: SQL and Python agree on each, and both answers come up often."""
    chance = random.Random(20261122)
    one: Any = chance.choice
    offers, needs = [], []
    for _ in range(40):
        begins = NOW + timedelta(hours=chance.randrange(-48, 72))
        repeats = one((None, "FREQ=DAILY;COUNT=5", "FREQ=WEEKLY;COUNT=4"))
        near = chance.random() < 0.5
        alone = chance.random() < 0.3
        offers.append(
            await insert(
                *(scene.c, "offer"),
                title="x",
                organization_id=None if alone else scene.n.organization,
                person_id=scene.n.people["wang"] if alone else None,
                kind=one(("SERVICE", "SERVICE", "VENUE")),
                category_id=scene.n.categories["ELDERLY"],
                category_code=one(("ELDERLY", "ELDERLY.ESCORT", "HEALTH")),
                unit="HELPER",
                qty_total=10,
                window_from=begins,
                window_to=begins + timedelta(hours=chance.randrange(2, 400)),
                service_areas=one(([HERE], [THERE], ["2101"])),
                area=HERE,
                status="PUBLISHED",
                created_at=NOW,
                rrule=repeats,
                duration_minutes=one((45, 120, 600)) if repeats else None,
                min_notice_minutes=one((0, 0, 600)),
                x=0.0 if near and not alone else None,
                y=0.0 if near and not alone else None,
                radius_km=one((None, 2.0)) if near and not alone else None,
                skills=one(([], ["FIRST_AID"])),
                certificates=one(([], ["NURSE"])) if not alone else [],
                languages=one(([], ["SIGN"])),
                venue_access=[],
            )
        )
        row = await scene.row("offer", offers[-1])
        if row["kind"] == "VENUE" and chance.random() < 0.5:
            await scene.c.execute("UPDATE offer SET venue_access = '{STEP_FREE}' WHERE id = $1", offers[-1])
        times = offering.times(row) if repeats else []
        for start, end in times:
            await insert(scene.c, "offer_occurrence", offer_id=offers[-1], starts_at=start, ends_at=end)
        start = NOW + timedelta(minutes=15 * chance.randrange(-100, 700))
        options = one((0, 0, 0, 2))
        anytime = chance.random() < 0.25 and not options
        length = timedelta(minutes=one((30, 60, 150, 2000, 6000)))
        if options:
            length = timedelta(days=options - 1, minutes=60)  # a need's window spans its appointments
        place = one(((None, None), (1.0, 1.0), (3.0, 0.0)))
        need = await insert(
            *(scene.c, "need"),
            title="x",
            kind=row["kind"] if chance.random() < 0.8 else "SERVICE",
            category_id=scene.n.categories["ELDERLY.ESCORT"],
            category_code=one(("ELDERLY.ESCORT", "ELDERLY")),
            requester_id=scene.n.people["daughter"],
            submitted_via="ONLINE",
            community_id=scene.n.communities[HERE],
            area=HERE,
            unit="HELPER",
            qty_total=2,
            window_from=None if anytime else start,
            window_to=None if anytime else start + length,
            due_at=NOW + timedelta(days=30),
            answer_due_at=NOW,
            status="OPEN",
            created_at=NOW,
            x=place[0],
            y=place[1],
            skill_code=one((None, None, "FIRST_AID")),
            certificate=one((None, None, "NURSE")),
            language=one(("MANDARIN", "MANDARIN", "SIGN")),
            gender_preference="FEMALE",
            gender_required=chance.random() < 0.2,
            hints=one(([], ["WHEELCHAIR"])),
            duration_minutes=one((None, 30, 240)),
            options=options,
        )
        for number in range(options):
            at = start + timedelta(days=number)
            ends = at + timedelta(minutes=60)
            await insert(scene.c, "need_option", need_id=need, place=number, starts_at=at, ends_at=ends)
        needs.append(need)
    a, b = table(Offer), table(Need)
    agreed = {True: 0, False: 0}
    fitting = sa.select(a.c.id.label("offer"), b.c.id.label("need")).where(
        matches.fits(a.c, b.c, sa.bindparam("now", type_=a.c.created_at.type), searched="offer"),
        a.c.id == sa.any_(sa.bindparam("offers", type_=sa.ARRAY(sa.Uuid()))),
        b.c.id == sa.any_(sa.bindparam("needs", type_=sa.ARRAY(sa.Uuid()))),
    )
    found = {
        (row["offer"], row["need"])
        for row in await scene.as_("staff").all(Statement(fitting), offers=offers, needs=needs)
    }
    for offer in offers:
        given = await scene.row("offer", offer)
        given |= {"gender": "UNKNOWN"}
        for need in needs:
            asked = await scene.row("need", need)
            rows = await scene.c.fetch(
                "SELECT starts_at, ends_at FROM need_option WHERE need_id = $1 ORDER BY place", need
            )
            why = offering.misfit(given, asked, now=NOW, options=[(r["starts_at"], r["ends_at"]) for r in rows])
            fits = (offer, need) in found
            assert fits == (why is None), (why, given, asked)
            agreed[fits] += 1
    assert agreed[True] >= 30 and agreed[False] >= 300, agreed
