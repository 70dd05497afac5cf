"""Offers: made, reviewed, taken up, changed, taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.exchange import actions
from models.exchange.kinds import Kind, Unit
from models.exchange.problems import (
    AlreadyCommitted,
    NeedFullyCommitted,
    OfferDoesNotFit,
    OfferExhausted,
    QuantityBelowCommitted,
    VolunteerInactive,
)
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion
from tests.make_exchange import HERE, NOW, THERE, Scene, neighbourhood, refused


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> AsyncIterator[Scene]:
    yield Scene(connection, await neighbourhood(connection))


async def test_an_offer_is_reviewed_by_a_community_that_it_touches(scene: Scene) -> None:
    offer = await scene.offer(published=False)
    row = await scene.row("offer", offer)
    assert (row["status"], row["service_areas"], row["area"], row["unit"]) == ("PENDING_REVIEW", [HERE], HERE, "HELPER")
    assert row["no"].startswith("GJ")
    for name in ("ngo", "wang", "social_worker", "daughter", "viewer", "public"):
        async with refused(scene, Forbidden):
            await actions.publish_offer(scene.as_(name), offer)
    async with refused(scene, NotFound):
        await actions.publish_offer(scene.as_("staff_there"), offer)
    await actions.publish_offer(scene.as_("staff"), offer)
    assert (await scene.row("offer", offer))["status"] == "PUBLISHED"
    wide = await scene.offer(published=False, areas=(scene.n.districts["210103"],))
    await actions.reject_offer(scene.as_("staff_there"), wide, "资质不全")
    row = await scene.row("offer", wide)
    assert (row["status"], row["reason"]) == ("REJECTED", "资质不全")
    async with refused(scene, InvalidTransition, status="REJECTED"):
        await actions.publish_offer(scene.as_("admin"), wide)


async def test_who_may_offer(scene: Scene) -> None:
    for name in ("public", "daughter", "staff", "social_worker", "viewer", "reporter"):
        async with refused(scene, Forbidden):
            await scene.offer(name)
    async with refused(scene, VolunteerInactive):
        await scene.offer("retired")
    row = await scene.row("offer", await scene.offer("wang", published=False))
    assert (row["person_id"], row["organization_id"]) == (scene.n.people["wang"], None)


@pytest.mark.parametrize(
    ("field", "over"),
    [
        ("title", {"title": " "}),
        ("quantity", {"quantity": 0}),
        ("windowTo", {"window_to": NOW}),
        ("windowTo", {"window_to": NOW + timedelta(days=401)}),
        ("category", {"category": UUID(int=3)}),
        ("areas", {"areas": (UUID(int=3),)}),
        ("areas", {"areas": tuple(UUID(int=n) for n in range(21))}),
    ],
)
async def test_input_is_refused_by_its_field(scene: Scene, field: str, over: dict[str, Any]) -> None:
    async with refused(scene, InvalidInput, field=field):
        await scene.offer(**over)


async def test_a_draft_waits_for_its_provider(scene: Scene) -> None:
    offer = await scene.offer(published=False, draft=True)
    async with refused(scene, NotFound):
        await actions.publish_offer(scene.as_("staff"), offer)
    async with refused(scene, NotFound):
        await actions.submit_offer_draft(scene.as_("wang"), offer)
    await actions.submit_offer_draft(scene.as_("ngo"), offer)
    await actions.publish_offer(scene.as_("staff"), offer)


async def test_claims_out_of_an_offer_use_it_up(scene: Scene) -> None:
    offer = await scene.offer(quantity=3)
    need = await scene.need(quantity=3)
    other = await scene.need(quantity=3, window_from=None, window_to=None)
    async with refused(scene, OfferDoesNotFit, reason="不是该服务方的供给"):
        await actions.claim_need(scene.as_("wang"), need, offer=offer)
    async with refused(scene, NeedFullyCommitted, remaining=3):
        await actions.claim_need(scene.as_("ngo"), need, 4, offer=offer)
    made = await actions.claim_need(scene.as_("ngo"), need, 2, offer=offer)
    row = await scene.row("offer", offer)
    assert (row["qty_reserved"], row["qty_consumed"]) == (2, 0)
    async with refused(scene, AlreadyCommitted):
        await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    async with refused(scene, OfferExhausted, remaining=1):
        await actions.claim_need(scene.as_("ngo"), other, 2, offer=offer)
    await actions.claim_need(scene.as_("ngo"), need)  # directly, beside the offer
    async with refused(scene, NotFound):
        await actions.claim_need(scene.as_("ngo"), other, offer=UUID(int=5))
    scene.later(hours=24)  # the hold on the other need lapses: three are left again
    await actions.claim_need(scene.as_("ngo"), other, 3, offer=offer)
    assert (await scene.row("commitment", made))["status"] == "LAPSED"
    row = await scene.row("offer", offer)
    assert (row["qty_reserved"], row["qty_consumed"]) == (3, 0)
    assert await scene.counts(need) == ("OPEN", 3, 0, 0)
    assert await scene.counts(other) == ("OPEN", 3, 3, 0)


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({"kind": Kind.GOODS}, "种类不同"),
        ({"unit": Unit.VISIT}, "计量单位不同"),
        ({"window_from": NOW + timedelta(days=3)}, "服务时间不重叠"),
    ],
)
async def test_an_offer_that_does_not_fit(scene: Scene, over: dict[str, Any], why: str) -> None:
    offer, need = await scene.offer(**over), await scene.need()
    async with refused(scene, OfferDoesNotFit, reason=why):
        await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    async with refused(scene, OfferDoesNotFit, reason=why):
        await actions.propose_commitment(scene.as_("staff"), need, offer=offer)


async def test_staff_propose_out_of_an_offer(scene: Scene) -> None:
    offer, need = await scene.offer("zhao", quantity=1), await scene.need()
    made = await actions.propose_commitment(scene.as_("staff"), need, offer=offer)
    row = await scene.row("commitment", made)
    assert (row["person_id"], row["offer_id"], row["origin"]) == (scene.n.people["zhao"], offer, "PROPOSAL")
    async with refused(scene, NotFound):
        await actions.accept_commitment(scene.as_("wang"), made)
    await actions.accept_commitment(scene.as_("zhao"), made)
    await actions.confirm_commitment(scene.as_("staff"), made)
    await actions.deliver(scene.as_("zhao"), made)
    row = await scene.row("offer", offer)
    assert (row["qty_reserved"], row["qty_consumed"]) == (0, 1)


async def test_only_published_offers_are_taken_up(scene: Scene) -> None:
    need = await scene.need()
    offer = await scene.offer(published=False)
    async with refused(scene, InvalidTransition, status="PENDING_REVIEW"):
        await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    await actions.publish_offer(scene.as_("staff"), offer)
    await actions.pause_offer(scene.as_("ngo"), offer)
    async with refused(scene, InvalidTransition, status="PAUSED"):
        await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    await actions.resume_offer(scene.as_("ngo"), offer)
    await actions.withdraw_offer(scene.as_("ngo"), offer)
    async with refused(scene, InvalidTransition, status="WITHDRAWN"):
        await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    short = await scene.offer(window_to=NOW + timedelta(hours=1))
    scene.later(hours=1)
    async with refused(scene, InvalidTransition, status="EXPIRED"):
        await actions.claim_need(scene.as_("ngo"), need, offer=short)
    assert await actions.expire_offers(scene.as_("admin")) == 1
    assert (await scene.row("offer", short))["status"] == "EXPIRED"


async def test_edits(scene: Scene) -> None:
    offer = await scene.offer(published=False)
    there = scene.n.communities[THERE]
    await actions.edit_offer(scene.as_("ngo"), offer, 1, {"title": "陪诊两小时", "areas": [there]})
    row = await scene.row("offer", offer)
    assert (row["title"], row["service_areas"], row["version"]) == ("陪诊两小时", [THERE], 2)
    async with refused(scene, StaleVersion, current=2):
        await actions.edit_offer(scene.as_("ngo"), offer, 1, {"title": "陪诊"})
    await actions.publish_offer(scene.as_("staff_there"), offer)
    async with refused(scene, Forbidden):
        await actions.edit_offer(scene.as_("wang"), offer, 3, {"note": "改"})
    for field, change in (
        ("title", {"title": "别的"}),
        ("note", {"note": "另收费用"}),
        ("areas", {"areas": [scene.n.communities[HERE]]}),
    ):
        async with refused(scene, InvalidInput, field=field):
            await actions.edit_offer(scene.as_("ngo"), offer, 3, change)
    await actions.edit_offer(scene.as_("ngo"), offer, 3, {"title": "陪诊两小时", "qty_total": 20})
    await actions.withdraw_offer(scene.as_("ngo"), offer)
    async with refused(scene, InvalidTransition, status="WITHDRAWN"):
        await actions.edit_offer(scene.as_("ngo"), offer, 5, {"note": None})


async def test_the_quantity_stays_above_what_is_promised(scene: Scene) -> None:
    offer, need = await scene.offer(), await scene.need()
    await actions.claim_need(scene.as_("ngo"), need, 2, offer=offer)
    version = (await scene.row("offer", offer))["version"]
    async with refused(scene, QuantityBelowCommitted, committed=2):
        await actions.edit_offer(scene.as_("ngo"), offer, version, {"qty_total": 1})
    await actions.edit_offer(scene.as_("ngo"), offer, version, {"qty_total": 2})
