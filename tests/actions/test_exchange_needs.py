"""Needs by themselves: asking, triage, editing, taking back, closing, asking again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.exchange import actions
from models.exchange.actions import NeedInput
from models.exchange.actions.ground import locked_need
from models.exchange.kinds import GenderPreference, Hint, Kind, Sensitivity, SubmittedVia
from models.exchange.offering import Venue
from models.exchange.problems import CommitmentsUnderWay, QuantityBelowCommitted, ReopenTooLate
from models.exchange.venues import VenueAccess
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion
from tests.make_exchange import END, GRID, HERE, NOW, START, Scene, neighbourhood, refused


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> AsyncIterator[Scene]:
    yield Scene(connection, await neighbourhood(connection))


async def test_staff_ask_for_residents_and_places_of_their_area(scene: Scene) -> None:
    who = scene.n.residents["grandmother"]
    for name, via in (("staff", "COUNTER"), ("officer", "GRID"), ("social_worker", "COUNTER")):
        row = await scene.row("need", await scene.need(name, opened=False, beneficiary=who))
        assert (row["submitted_via"], row["beneficiary_id"], row["household"], row["area"]) == (via, who, "h1", GRID)
    row = await scene.row("need", await scene.need("staff", opened=False))
    assert (row["area"], row["grid_id"], row["community_id"]) == (HERE, None, scene.n.communities[HERE])
    row = await scene.row("need", await scene.need("staff", opened=False, grid=scene.n.grid))
    assert (row["area"], row["grid_id"]) == (GRID, scene.n.grid)
    row = await scene.row("need", await scene.need("officer", opened=False, submitted_via=SubmittedVia.VISIT))
    assert (row["area"], row["submitted_via"]) == (GRID, "VISIT")
    async with refused(scene, NotFound):
        await scene.need("staff_there", beneficiary=who)
    async with refused(scene, Forbidden):
        await scene.need("staff_there", grid=scene.n.grid)
    async with refused(scene, InvalidInput, field="submittedVia"):
        await scene.need("staff", submitted_via=SubmittedVia.ONLINE)


async def test_residents_ask_for_their_household_only(scene: Scene) -> None:
    row = await scene.row("need", await scene.need("daughter", opened=False))
    assert (row["beneficiary_id"], row["submitted_via"]) == (scene.n.residents["daughter"], "ONLINE")
    async with refused(scene, NotFound):
        await scene.need("daughter", beneficiary=scene.n.residents["neighbour"])
    for name in ("public", "wang", "ngo", "viewer", "admin"):
        async with refused(scene, Forbidden):
            await scene.need(name)


@pytest.mark.parametrize(
    ("field", "over"),
    [
        ("title", {"title": "x"}),
        ("title", {"title": "好" * 61}),
        ("title", {"title": "坏\x00字"}),
        ("title", {"title": "坏\ud800字"}),
        ("note", {"note": "坏\x07"}),
        ("quantity", {"quantity": 0}),
        ("quantity", {"quantity": 2**31 - 1}),
        ("urgency", {"urgency": 5}),
        ("windowTo", {"window_to": START}),
        ("windowTo", {"window_to": None}),
        ("windowFrom", {"window_from": None}),
        ("windowTo", {"window_from": NOW - timedelta(days=2), "window_to": NOW}),
        ("windowTo", {"window_to": NOW + timedelta(days=500)}),
        ("dueAt", {"due_at": NOW}),
        ("dueAt", {"due_at": END + timedelta(minutes=1)}),
        ("category", {"category": UUID(int=1)}),
    ],
)
async def test_input_is_refused_by_its_field(scene: Scene, field: str, over: dict[str, Any]) -> None:
    async with refused(scene, InvalidInput, field=field):
        await scene.need(**over)


async def test_what_is_restricted_is_not_the_whole_households(scene: Scene) -> None:
    """She asked, or it is for her: who lives with her neither reads it nor takes it back; of NORMAL ones he may."""
    for by in ("daughter", "staff"):
        given = {"opened": False, "sensitivity": Sensitivity.RESTRICTED, "title": "家庭矛盾"}
        need = await scene.need(by, beneficiary=scene.n.residents["daughter"], **given)
        async with refused(scene, NotFound):
            await actions.cancel_need(scene.as_("grandmother"), need, "不必了")
        async with refused(scene, NotFound):
            await actions.edit_need(scene.as_("grandmother"), need, 1, {"sensitivity": Sensitivity.NORMAL})
        assert await _sees(scene, "daughter", need) and not await _sees(scene, "grandmother", need)
        await actions.cancel_need(scene.as_("daughter"), need, "不必了")
    need = await scene.need("daughter", opened=False)
    assert await _sees(scene, "grandmother", need)
    await actions.cancel_need(scene.as_("grandmother"), need, "不必了")


async def _sees(scene: Scene, name: str, need: UUID) -> bool:
    try:
        await locked_need(scene.as_(name), need)
    except NotFound:
        return False
    return True


async def test_units_and_due_times_have_defaults(scene: Scene) -> None:
    given = NeedInput("过冬煤", scene.n.categories["POVERTY.HEATING"], Kind.GOODS)
    row = await scene.row("need", await actions.submit_need(scene.as_("daughter"), given))
    assert (row["unit"], row["qty_total"], row["due_at"]) == ("PIECE", 1, NOW + timedelta(days=30))
    assert row["no"].startswith("XQ") and len(row["no"]) == 11
    assert row["category_code"] == "POVERTY.HEATING"


async def test_a_draft_is_its_authors_until_it_is_sent(scene: Scene) -> None:
    need = await scene.need(opened=False, draft=True)
    async with refused(scene, NotFound):
        await actions.verify_need(scene.as_("staff"), need)
    async with refused(scene, NotFound):
        await actions.submit_draft(scene.as_("neighbour"), need)
    scene.later(days=0.5)
    await actions.submit_draft(scene.as_("daughter"), need)
    row = await scene.row("need", need)
    assert (row["status"], row["answer_due_at"]) == ("SUBMITTED", scene.now + timedelta(days=3))
    async with refused(scene, InvalidTransition, status="SUBMITTED"):
        await actions.submit_draft(scene.as_("daughter"), need)


async def test_triage_is_the_communitys(scene: Scene) -> None:
    need = await scene.need(opened=False)
    for verb in (actions.verify_need, actions.open_need, actions.close_need):
        for name in ("daughter", "wang", "officer", "ngo", "viewer", "public"):
            async with refused(scene, Forbidden):
                await verb(scene.as_(name), need)
        async with refused(scene, NotFound):
            await verb(scene.as_("staff_there"), need)
    await actions.verify_need(scene.as_("staff"), need, publish=False)
    assert (await scene.row("need", need))["status"] == "VERIFIED"
    await actions.open_need(scene.as_("social_worker"), need)
    row = await scene.row("need", need)
    assert (row["status"], row["opened_at"]) == ("OPEN", scene.now)
    async with refused(scene, InvalidTransition, status="OPEN"):
        await actions.verify_need(scene.as_("staff"), need)


async def test_rejected_and_referred(scene: Scene) -> None:
    rejected, referred = await scene.need(opened=False), await scene.need(opened=False)
    await actions.reject_need(scene.as_("staff"), rejected, "不属于服务范围")
    await actions.refer_need(scene.as_("staff"), referred, "区民政局", "需低保审核")
    row = await scene.row("need", rejected)
    assert (row["status"], row["reason"]) == ("REJECTED", "不属于服务范围")
    row = await scene.row("need", referred)
    assert (row["status"], row["referred_to"], row["reason"]) == ("REFERRED", "区民政局", "需低保审核")
    for need in (rejected, referred):
        async with refused(scene, InvalidTransition):
            await actions.cancel_need(scene.as_("daughter"), need, "不需要了")


async def test_edits_carry_a_version(scene: Scene) -> None:
    need = await scene.need(opened=False)
    await actions.edit_need(scene.as_("daughter"), need, 1, {"title": "陪诊两人", "qty_total": 3, "note": None})
    row = await scene.row("need", need)
    assert (row["title"], row["qty_total"], row["note"], row["version"]) == ("陪诊两人", 3, None, 2)
    async with refused(scene, StaleVersion, current=2):
        await actions.edit_need(scene.as_("staff"), need, 1, {"title": "陪诊"})
    async with refused(scene, NotFound):
        await actions.edit_need(scene.as_("neighbour"), need, 2, {"title": "陪诊"})
    await actions.verify_need(scene.as_("staff"), need)
    async with refused(scene, InvalidTransition, status="OPEN"):
        await actions.edit_need(scene.as_("daughter"), need, 3, {"title": "陪诊"})
    await actions.edit_need(scene.as_("staff"), need, 3, {"category": scene.n.categories["HEALTH.SCREENING"]})
    assert (await scene.row("need", need))["category_code"] == "HEALTH.SCREENING"


async def test_an_edit_keeps_what_was_promised(scene: Scene) -> None:
    need = await scene.need()
    await actions.claim_need(scene.as_("wang"), need)
    await actions.claim_need(scene.as_("zhao"), need)
    version = (await scene.row("need", need))["version"]
    edit = actions.edit_need
    async with refused(scene, QuantityBelowCommitted, committed=2):
        await edit(scene.as_("staff"), need, version, {"qty_total": 1})
    for change in (
        {"category": scene.n.categories["HEALTH.SCREENING"]},
        {"sensitivity": Sensitivity.RESTRICTED},
        {"window_to": END + timedelta(hours=1)},
    ):
        async with refused(scene, CommitmentsUnderWay, count=2):
            await edit(scene.as_("staff"), need, version, change)
    await edit(scene.as_("staff"), need, version, {"qty_total": 5, "urgency": 4})
    scene.later(hours=24)  # both holds have lapsed: the window may move, and the due time with it
    over = END + timedelta(days=1)
    await edit(scene.as_("staff"), need, version + 1, {"window_to": over})
    assert (await scene.row("need", need))["due_at"] == over
    assert await scene.counts(need) == ("OPEN", 5, 0, 0)
    async with refused(scene, InvalidInput, field="windowTo"):
        await edit(scene.as_("staff"), need, version + 2, {"window_from": START, "window_to": START})


async def test_an_edit_asks_no_more_of_who_has_committed(scene: Scene) -> None:
    staff, edit = scene.as_("staff"), actions.edit_need
    await scene.c.execute("UPDATE person SET gender = 'FEMALE' WHERE id = $1", scene.n.people["wang"])
    wish = {"gender_preference": GenderPreference.FEMALE, "gender_required": True}
    need = await scene.need(duration_minutes=60, **wish)
    made = await actions.claim_need(scene.as_("wang"), need)
    version = (await scene.row("need", need))["version"]
    for change in (
        {"gender_preference": GenderPreference.MALE},
        {"duration_minutes": 61},
        {"duration_minutes": None},  # as long as the appointment: two hours and a half
        {"due_at": END - timedelta(minutes=1)},
    ):
        async with refused(scene, CommitmentsUnderWay, count=1):
            await edit(staff, need, version, change)
    await edit(staff, need, version, {"duration_minutes": 30, "hints": [Hint.WHEELCHAIR]})  # less, and good to know
    await actions.accept_commitment(scene.as_("daughter"), made)
    await actions.confirm_commitment(staff, made)
    await actions.start_service(staff, made)
    await actions.deliver(staff, made)
    version = (await scene.row("need", need))["version"]
    await edit(staff, need, version, {"duration_minutes": 90})  # who has served is asked nothing more


async def test_a_deadline_comes_no_sooner_than_what_was_agreed(scene: Scene) -> None:
    staff, wang = scene.as_("staff"), scene.n.volunteer_ids["wang"]
    whenever = {"window_from": None, "window_to": None, "due_at": NOW + timedelta(days=10)}
    agreed, open_ = await scene.need(**whenever), await scene.need(**whenever)
    await actions.propose_commitment(staff, agreed, volunteer=wang, slot=(START, END))
    await actions.claim_need(scene.as_("wang"), open_)
    version = (await scene.row("need", agreed))["version"]
    async with refused(scene, CommitmentsUnderWay, count=1):
        await actions.edit_need(staff, agreed, version, {"due_at": END - timedelta(hours=1)})
    await actions.edit_need(staff, agreed, version, {"due_at": END})
    version = (await scene.row("need", open_))["version"]
    async with refused(scene, CommitmentsUnderWay, count=1):
        await actions.edit_need(staff, open_, version, {"due_at": NOW + timedelta(days=9)})
    await actions.edit_need(staff, open_, version, {"due_at": NOW + timedelta(days=11)})


@pytest.mark.parametrize(("access", "stays"), [((), True), ((VenueAccess.STEP_FREE,), False)])
async def test_no_wheelchair_is_sent_to_a_venue_with_steps(
    scene: Scene, access: tuple[VenueAccess, ...], stays: bool
) -> None:
    of: dict[str, Any] = {"kind": Kind.VENUE, "category": scene.n.categories["CULTURE"], "quantity": 1}
    offer = await scene.offer(**of, venue=Venue("万柳塘路 1 号", 20, access=access))
    need = await scene.need(**of)
    await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    version, change = (await scene.row("need", need))["version"], {"hints": [Hint.WHEELCHAIR]}
    if stays:
        async with refused(scene, CommitmentsUnderWay, count=1):
            await actions.edit_need(scene.as_("staff"), need, version, change)
    else:
        await actions.edit_need(scene.as_("staff"), need, version, change)


async def test_a_need_that_asks_for_no_more_is_done(scene: Scene) -> None:
    need = await scene.need()
    made = await scene.delivered(need)
    version = (await scene.row("need", need))["version"]
    await actions.edit_need(scene.as_("staff"), need, version, {"qty_total": 1})
    assert await scene.counts(need) == ("DELIVERED", 1, 1, 1)
    await actions.complete_commitment(scene.as_("daughter"), made)
    assert await scene.counts(need) == ("CLOSED", 1, 1, 1)


async def test_cancelling_ends_what_was_agreed(scene: Scene) -> None:
    need = await scene.need(quantity=3)
    proposed = await actions.claim_need(scene.as_("wang"), need)
    confirmed = await scene.confirmed(need, "zhao")
    async with refused(scene, NotFound):
        await actions.cancel_need(scene.as_("staff_there"), need, "不需要了")
    async with refused(scene, Forbidden):
        await actions.cancel_need(scene.as_("neighbour"), need, "不需要了")
    await actions.cancel_need(scene.as_("daughter"), need, "不需要了")
    assert await scene.counts(need) == ("CANCELLED", 3, 0, 0)
    assert (await scene.row("commitment", proposed))["status"] == "DECLINED"
    row = await scene.row("commitment", confirmed)
    assert (row["status"], row["cancelled_by"], row["reason"]) == ("CANCELLED", "BENEFICIARY", "不需要了")
    assert await scene.c.fetchval("SELECT count(*) FROM booking") == 0


async def test_what_is_being_served_is_not_cancelled(scene: Scene) -> None:
    need = await scene.need()
    made = await scene.confirmed(need)
    await actions.start_service(scene.as_("wang"), made)
    async with refused(scene, CommitmentsUnderWay, count=1):
        await actions.cancel_need(scene.as_("daughter"), need, "不需要了")
    async with refused(scene, CommitmentsUnderWay, count=1):
        await actions.close_need(scene.as_("staff"), need)
    await actions.deliver(scene.as_("wang"), made)
    await actions.close_need(scene.as_("staff"), need)  # one of two is enough, say staff
    assert await scene.counts(need) == ("CLOSED", 2, 1, 1)
    assert (await scene.row("commitment", made))["status"] == "COMPLETED"


async def closed(scene: Scene) -> UUID:
    need = await scene.need(quantity=1)
    made = await scene.delivered(need)
    await actions.complete_commitment(scene.as_("daughter"), made)
    return need


async def test_a_closed_need_is_asked_for_again_once_within_fifteen_days(scene: Scene) -> None:
    need = await closed(scene)
    scene.later(days=14, hours=23)
    async with refused(scene, Forbidden):
        await actions.reopen_need(scene.as_("wang"), need, "还需要")
    await actions.reopen_need(scene.as_("daughter"), need, "还需要复诊", quantity=2)
    row = await scene.row("need", need)
    assert (row["window_from"], row["due_at"]) == (None, scene.now + timedelta(days=30))
    assert await scene.counts(need) == ("REOPENED", 3, 1, 1)
    await actions.open_need(scene.as_("staff"), need)
    made = await actions.claim_need(scene.as_("wang"), need)
    await actions.accept_commitment(scene.as_("daughter"), made)
    await actions.confirm_commitment(scene.as_("staff"), made)
    await actions.deliver(scene.as_("wang"), made)
    await actions.close_need(scene.as_("staff"), need)
    assert await scene.counts(need) == ("CLOSED", 3, 2, 2)
    async with refused(scene, ReopenTooLate, days=15):
        await actions.reopen_need(scene.as_("daughter"), need, "再来一次")


async def test_not_after_fifteen_days(scene: Scene) -> None:
    need = await closed(scene)
    scene.later(days=15)
    async with refused(scene, ReopenTooLate):
        await actions.reopen_need(scene.as_("daughter"), need, "还需要")


async def test_staff_reopen_at_once(scene: Scene) -> None:
    need = await closed(scene)
    await actions.reopen_need(scene.as_("staff"), need, "回访不满意")
    assert await scene.counts(need) == ("OPEN", 2, 1, 1)
    scene.later(days=31)
    assert await actions.expire_needs(scene.as_("admin")) == 1


async def test_the_database_keeps_the_counters_in_bounds(scene: Scene) -> None:
    need, offer = await scene.need(), await scene.offer()
    made = await actions.claim_need(scene.as_("wang"), need)
    for table, id, change in (
        ("need", need, "qty_committed = 3"),
        ("need", need, "qty_delivered = 2"),
        ("need", need, "qty_committed = -1"),
        ("need", need, "status = 'LOST'"),
        ("offer", offer, "qty_reserved = 11"),
        ("offer", offer, "cost_free = false"),
        ("offer", offer, "person_id = organization_id"),
        ("commitment", made, "rating = 6"),
        ("commitment", made, "volunteer_person_id = NULL"),
    ):
        attempt = scene.c.transaction()
        await attempt.start()
        with pytest.raises(asyncpg.CheckViolationError):
            await scene.c.execute(f"UPDATE {table} SET {change} WHERE id = $1", id)
        await attempt.rollback()
    again = "INSERT INTO commitment (need_id, person_id, volunteer_person_id, community_id, area, qty, origin, status, hold_until, created_at) SELECT need_id, person_id, volunteer_person_id, community_id, area, 1, 'CLAIM', 'ACCEPTED', hold_until, created_at FROM commitment"
    with pytest.raises(asyncpg.UniqueViolationError):
        await scene.c.execute(again)


async def test_a_grid_officer_does_not_hide_a_need_from_himself(scene: Scene) -> None:
    need = await scene.need(opened=False)
    async with refused(scene, InvalidInput, field="sensitivity"):
        await actions.edit_need(scene.as_("officer"), need, 1, {"sensitivity": Sensitivity.RESTRICTED})
    own = await scene.need("officer", opened=False)
    await actions.edit_need(scene.as_("officer"), own, 1, {"sensitivity": Sensitivity.RESTRICTED})
    await actions.edit_need(scene.as_("staff"), need, 1, {"sensitivity": Sensitivity.RESTRICTED})
