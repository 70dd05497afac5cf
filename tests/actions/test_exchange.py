"""A need from its asking to its closing, on the real database."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from models.database import Db
from models.exchange import actions
from models.exchange.kinds import Kind, Sensitivity
from models.exchange.problems import (
    AlreadyCommitted,
    NeedFullyCommitted,
    NotYourTurn,
    OverlappingBooking,
    OwnNeed,
    RestrictedNeed,
    TooEarly,
    VolunteerInactive,
)
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from tests.make_exchange import END, GRID, NOW, START, Scene, neighbourhood, refused


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> AsyncIterator[Scene]:
    yield Scene(connection, await neighbourhood(connection))


async def test_two_commitments_close_a_need_of_two(scene: Scene) -> None:
    need = await scene.need(opened=False, beneficiary=scene.n.residents["grandmother"])
    row = await scene.row("need", need)
    assert (row["status"], row["area"], row["submitted_via"], row["household"]) == ("SUBMITTED", GRID, "ONLINE", "h1")
    assert row["due_at"] == END
    assert row["answer_due_at"] == NOW + timedelta(days=3)
    scene.later(minutes=40)
    await actions.verify_need(scene.as_("staff"), need)
    first = await actions.claim_need(scene.as_("wang"), need)
    second = await actions.claim_need(scene.as_("zhao"), need)
    async with refused(scene, NeedFullyCommitted, remaining=0):
        await actions.claim_need(scene.as_("sun"), need)
    assert await scene.counts(need) == ("OPEN", 2, 2, 0)
    for made in (first, second):
        row = await scene.row("commitment", made)
        assert (row["status"], row["slot_from"], row["slot_to"]) == ("PROPOSED", START, END)
        assert row["hold_until"] == scene.now + timedelta(hours=24)
        await actions.accept_commitment(scene.as_("daughter"), made)
        await actions.confirm_commitment(scene.as_("staff"), made, social_worker=scene.n.social_worker)
    grants = await scene.c.fetch("SELECT * FROM contact_grant ORDER BY id")
    assert [(g["viewer_person_id"], g["subject_id"], g["until"]) for g in grants] == [
        (scene.n.people[who], scene.n.people["grandmother"], END + timedelta(hours=24))
        for who in ("social_worker", "wang", "social_worker", "zhao")
    ]
    assert await scene.c.fetchval("SELECT count(*) FROM booking") == 2
    scene.now = END
    for made, who in ((first, "wang"), (second, "zhao")):
        await actions.start_service(scene.as_(who), made)
        await actions.start_service(scene.as_(who), made)
    assert await scene.counts(need) == ("IN_PROGRESS", 2, 2, 0)
    await actions.deliver(scene.as_("wang"), first)
    await actions.deliver(scene.as_("wang"), first)
    assert await scene.counts(need) == ("IN_PROGRESS", 2, 2, 1)
    await actions.complete_commitment(scene.as_("daughter"), first, rating=5)
    await actions.deliver(scene.as_("zhao"), second)
    assert await scene.counts(need) == ("DELIVERED", 2, 2, 2)
    await actions.complete_commitment(scene.as_("daughter"), second, rating=5, comment="很好")
    assert await scene.counts(need) == ("CLOSED", 2, 2, 2)
    assert (await scene.row("need", need))["closed_at"] == END
    assert await scene.c.fetchval("SELECT count(*) FROM booking") == 0
    async with refused(scene, InvalidTransition, status="COMPLETED"):
        await actions.complete_commitment(scene.as_("daughter"), second)


async def test_a_hold_counts_as_released_from_the_moment_it_is_due(scene: Scene) -> None:
    need = await scene.need(quantity=1, window_from=None, window_to=None)
    first = await actions.claim_need(scene.as_("wang"), need)
    scene.later(hours=23, minutes=59)
    async with refused(scene, NeedFullyCommitted, remaining=0):
        await actions.claim_need(scene.as_("zhao"), need)
    scene.later(minutes=1)
    left = "SELECT qty_total - qty_committed + need_overdue(id, $2) FROM need WHERE id = $1"
    assert await scene.c.fetchval(left, need, scene.now) == 1
    async with refused(scene, InvalidTransition, status="LAPSED"):
        await actions.accept_commitment(scene.as_("daughter"), first)
    second = await actions.claim_need(scene.as_("zhao"), need)
    row = await scene.row("commitment", first)
    assert (row["status"], row["ended_at"]) == ("LAPSED", row["hold_until"])
    assert await scene.counts(need) == ("OPEN", 1, 1, 0)
    scene.later(hours=24)
    third = await actions.claim_need(scene.as_("zhao"), need)  # his own hold is over, too
    assert third != second
    assert await scene.counts(need) == ("OPEN", 1, 1, 0)


async def test_the_job_writes_due_holds_down(scene: Scene) -> None:
    need = await scene.need(window_from=None, window_to=None)
    offer = await scene.offer()
    await actions.claim_need(scene.as_("wang"), need)
    await actions.claim_need(scene.as_("ngo"), need, offer=offer)
    assert (await scene.row("offer", offer))["qty_reserved"] == 1
    assert await actions.lapse_due_holds(scene.as_("admin")) == 0
    scene.later(hours=24)
    assert await actions.lapse_due_holds(scene.as_("admin")) == 2
    assert await actions.lapse_due_holds(scene.as_("admin")) == 0
    assert await scene.counts(need) == ("OPEN", 2, 0, 0)
    assert (await scene.row("offer", offer))["qty_reserved"] == 0


async def test_who_may_claim(scene: Scene) -> None:
    need = await scene.need()
    for name in ("public", "daughter", "staff", "social_worker", "officer", "viewer", "admin"):
        async with refused(scene, Forbidden):
            await actions.claim_need(scene.as_(name), need)
    async with refused(scene, VolunteerInactive):
        await actions.claim_need(scene.as_("retired"), need)
    for quantity in (0, -1, 10_001):
        async with refused(scene, InvalidInput, field="quantity"):
            await actions.claim_need(scene.as_("wang"), need, quantity)
    async with refused(scene, NeedFullyCommitted, remaining=2):
        await actions.claim_need(scene.as_("wang"), need, 3)
    async with refused(scene, NotFound):
        await actions.claim_need(scene.as_("wang"), UUID(int=7))
    await actions.claim_need(scene.as_("wang"), need)
    async with refused(scene, AlreadyCommitted):
        await actions.claim_need(scene.as_("wang"), need)


async def test_nobody_serves_his_own_household(scene: Scene) -> None:
    lives_with = await scene.need("staff", beneficiary=scene.n.residents["sun"])
    async with refused(scene, OwnNeed):
        await actions.claim_need(scene.as_("sun"), lives_with)
    await actions.claim_need(scene.as_("wang"), lives_with)  # who is no resident here


async def test_only_open_needs_are_claimed(scene: Scene) -> None:
    submitted = await scene.need(opened=False)
    async with refused(scene, NotFound):
        await actions.claim_need(scene.as_("wang"), submitted)
    over = await scene.need(window_from=None, window_to=None, due_at=NOW + timedelta(days=2))
    scene.later(days=2)
    async with refused(scene, InvalidTransition, status="EXPIRED"):
        await actions.claim_need(scene.as_("wang"), over)
    assert await actions.expire_needs(scene.as_("admin")) == 1
    assert await scene.counts(over) == ("EXPIRED", 2, 0, 0)


async def test_a_need_with_something_agreed_does_not_expire(scene: Scene) -> None:
    need = await scene.need(window_from=None, window_to=None, due_at=NOW + timedelta(days=2))
    await scene.confirmed(need)
    scene.later(days=3)
    assert await actions.expire_needs(scene.as_("admin")) == 0


async def test_an_organization_claims_and_names_its_own_volunteer(scene: Scene) -> None:
    need = await scene.need()
    async with refused(scene, VolunteerInactive):
        await actions.claim_need(scene.as_("ngo"), need, volunteer=scene.n.volunteer_ids["wang"])
    made = await actions.claim_need(scene.as_("ngo"), need, volunteer=scene.n.volunteer_ids["zhao"])
    row = await scene.row("commitment", made)
    assert (row["organization_id"], row["person_id"]) == (scene.n.organization, None)
    assert row["volunteer_person_id"] == scene.n.people["zhao"]
    async with refused(scene, AlreadyCommitted):
        await actions.claim_need(scene.as_("ngo"), need)
    await actions.accept_commitment(scene.as_("staff"), made)
    await actions.confirm_commitment(scene.as_("staff"), made)
    grants = await scene.c.fetch("SELECT viewer_person_id, viewer_organization_id FROM contact_grant ORDER BY 1")
    assert [tuple(g) for g in grants] == [(scene.n.people["zhao"], None), (None, scene.n.organization)]


async def test_a_proposal_is_accepted_by_the_provider(scene: Scene) -> None:
    need = await scene.need()
    made = await actions.propose_commitment(
        scene.as_("staff"), need, volunteer=scene.n.volunteer_ids["wang"], social_worker=scene.n.social_worker
    )
    for name in ("staff", "daughter"):
        async with refused(scene, NotYourTurn):
            await actions.accept_commitment(scene.as_(name), made)
    async with refused(scene, NotFound):
        await actions.accept_commitment(scene.as_("zhao"), made)
    await actions.accept_commitment(scene.as_("wang"), made)
    to_organization = await actions.propose_commitment(scene.as_("staff"), need, organization=scene.n.organization)
    await actions.accept_commitment(scene.as_("ngo"), to_organization, volunteer=scene.n.volunteer_ids["zhao"])
    assert (await scene.row("commitment", to_organization))["volunteer_person_id"] == scene.n.people["zhao"]
    assert await scene.counts(need) == ("OPEN", 2, 2, 0)
    async with refused(scene, InvalidInput, field="volunteer"):
        await actions.propose_commitment(scene.as_("staff"), need)


async def test_an_organization_names_nobody_whose_own_need_it_is(scene: Scene) -> None:
    need, zhao = await scene.need(), scene.n.people["zhao"]
    made = await actions.propose_commitment(scene.as_("staff"), need, organization=scene.n.organization)
    await scene.c.execute("UPDATE need SET requester_id = $1 WHERE id = $2", zhao, need)
    async with refused(scene, OwnNeed):
        await actions.accept_commitment(scene.as_("ngo"), made, volunteer=scene.n.volunteer_ids["zhao"])


async def test_an_organization_is_given_no_volunteer_who_did_not_join_it(scene: Scene) -> None:
    """It would learn his name, and he would be booked, and nobody has asked him."""
    need, organization = await scene.need(), scene.n.organization
    async with refused(scene, VolunteerInactive):
        wang = scene.n.volunteer_ids["wang"]
        await actions.propose_commitment(scene.as_("staff"), need, organization=organization, volunteer=wang)
    zhao = scene.n.volunteer_ids["zhao"]
    await actions.propose_commitment(scene.as_("staff"), need, organization=organization, volunteer=zhao)


async def test_a_claim_is_not_accepted_by_who_made_it(scene: Scene) -> None:
    need = await scene.need()
    made = await actions.claim_need(scene.as_("wang"), need)
    async with refused(scene, NotYourTurn):
        await actions.accept_commitment(scene.as_("wang"), made)
    async with refused(scene, NotFound):
        await actions.accept_commitment(scene.as_("neighbour"), made)
    async with refused(scene, NotFound):
        await actions.accept_commitment(scene.as_("staff_there"), made)
    async with refused(scene, InvalidTransition, status="PROPOSED"):
        await actions.confirm_commitment(scene.as_("staff"), made)
    await actions.decline_commitment(scene.as_("wang"), made, reason="临时有事")
    assert await scene.counts(need) == ("OPEN", 2, 0, 0)


async def test_nobody_answers_for_his_own_service_in_another_capacity(scene: Scene) -> None:
    need = await scene.need()
    made = await actions.claim_need(scene.as_("wang"), need)
    as_staff = dataclasses.replace(scene.n.actor("staff"), person=scene.n.people["wang"])
    async with refused(scene, NotYourTurn):
        await actions.accept_commitment(Db(scene.c, as_staff, scene.now), made)
    await actions.accept_commitment(scene.as_("staff"), made)
    async with refused(scene, Forbidden):
        await actions.confirm_commitment(Db(scene.c, as_staff, scene.now), made)
    await actions.confirm_commitment(scene.as_("staff"), made)
    await actions.start_service(scene.as_("wang"), made)
    await actions.deliver(scene.as_("wang"), made)
    async with refused(scene, Forbidden):
        await actions.complete_commitment(Db(scene.c, as_staff, scene.now), made, rating=5)


async def test_a_volunteer_is_never_booked_twice(scene: Scene) -> None:
    one, other = await scene.need(), await scene.need(window_from=START + timedelta(hours=1))
    later = await scene.need(window_from=END, window_to=END + timedelta(hours=2))
    await scene.confirmed(one)
    made = await actions.claim_need(scene.as_("wang"), other)
    async with refused(scene, OverlappingBooking):
        await actions.accept_commitment(scene.as_("daughter"), made)
    await scene.confirmed(later)  # begins when the first one ends


@pytest.mark.parametrize("name", ["wang", "daughter", "staff"])
async def test_what_is_cancelled_gives_everything_back(scene: Scene, name: str) -> None:
    need = await scene.need(quantity=1)
    made = await scene.confirmed(need)
    async with refused(scene, InvalidInput, field="reason"):
        await actions.cancel_commitment(scene.as_(name), made, " ")
    await actions.cancel_commitment(scene.as_(name), made, "临时住院")
    row = await scene.row("commitment", made)
    side = {"wang": "PROVIDER", "daughter": "BENEFICIARY", "staff": "STAFF"}[name]
    assert (row["status"], row["cancelled_by"], row["reason"]) == ("CANCELLED", side, "临时住院")
    assert await scene.counts(need) == ("OPEN", 1, 0, 0)
    assert await scene.c.fetchval("SELECT count(*) FROM booking") == 0
    assert await scene.c.fetchval("SELECT until FROM contact_grant") == scene.now
    await scene.confirmed(need)


async def test_no_show_not_before_the_time_has_begun(scene: Scene) -> None:
    need = await scene.need()
    made = await scene.confirmed(need)
    async with refused(scene, TooEarly):
        await actions.mark_no_show(scene.as_("staff"), made)
    scene.now = START
    async with refused(scene, Forbidden):
        await actions.mark_no_show(scene.as_("wang"), made)
    await actions.mark_no_show(scene.as_("daughter"), made)
    assert await scene.counts(need) == ("OPEN", 2, 0, 0)


async def test_a_dispute_is_decided_by_staff(scene: Scene) -> None:
    need = await scene.need()
    first, second = await scene.delivered(need), await scene.delivered(need, "zhao")
    assert await scene.counts(need) == ("DELIVERED", 2, 2, 2)
    await actions.dispute_commitment(scene.as_("daughter"), first, "没有到场")
    await actions.complete_commitment(scene.as_("daughter"), second)
    assert await scene.counts(need) == ("DELIVERED", 2, 2, 2)
    async with refused(scene, Forbidden):
        await actions.resolve_commitment(scene.as_("daughter"), first, delivered=False, reason="确未到场")
    await actions.resolve_commitment(scene.as_("staff"), first, delivered=False, reason="确未到场")
    assert await scene.counts(need) == ("IN_PROGRESS", 2, 1, 1)
    assert (await scene.row("commitment", first))["status"] == "VOID"
    third = await actions.claim_need(scene.as_("wang"), need)
    await actions.accept_commitment(scene.as_("daughter"), third)
    await actions.confirm_commitment(scene.as_("staff"), third)
    await actions.deliver(scene.as_("wang"), third)
    await actions.dispute_commitment(scene.as_("staff"), third, "迟到")
    await actions.resolve_commitment(scene.as_("social_worker"), third, delivered=True, reason="已服务")
    assert await scene.counts(need) == ("CLOSED", 2, 2, 2)


async def test_part_of_a_commitment_is_delivered(scene: Scene) -> None:
    need = await scene.need(kind=Kind.GOODS, quantity=10, window_from=None, window_to=None)
    offer = await scene.offer(kind=Kind.GOODS)
    made = await actions.claim_need(scene.as_("ngo"), need, 10, offer=offer)
    await actions.accept_commitment(scene.as_("daughter"), made)
    await actions.confirm_commitment(scene.as_("staff"), made)
    await actions.deliver(scene.as_("ngo"), made, 6)
    assert await scene.counts(need) == ("IN_PROGRESS", 10, 6, 6)
    row = await scene.row("offer", offer)
    assert (row["qty_reserved"], row["qty_consumed"]) == (0, 6)
    await actions.dispute_commitment(scene.as_("daughter"), made, "缺货")
    await actions.resolve_commitment(scene.as_("staff"), made, delivered=False, reason="缺货属实")
    assert await scene.counts(need) == ("IN_PROGRESS", 10, 0, 0)
    assert (await scene.row("offer", offer))["qty_consumed"] == 0


async def test_nothing_starts_that_was_not_confirmed(scene: Scene) -> None:
    need = await scene.need()
    made = await actions.claim_need(scene.as_("wang"), need)
    for verb in (actions.start_service, actions.deliver):
        async with refused(scene, InvalidTransition, status="PROPOSED"):
            await verb(scene.as_("wang"), made)


async def test_restricted_needs_are_for_those_named(scene: Scene) -> None:
    need = await scene.need(opened=False, sensitivity=Sensitivity.RESTRICTED, title="家庭矛盾")
    assert await scene.c.fetchval("SELECT person_id FROM need_staff") == scene.n.people["staff"]
    async with refused(scene, NotFound):
        await actions.verify_need(scene.as_("social_worker"), need)
    await actions.verify_need(scene.as_("staff"), need)
    for name in ("wang", "ngo"):
        async with refused(scene, NotFound):
            await actions.claim_need(scene.as_(name), need)
    async with refused(scene, RestrictedNeed):
        await actions.propose_commitment(scene.as_("staff"), need, volunteer=scene.n.volunteer_ids["wang"])
    worker = scene.n.people["social_worker"]
    async with refused(scene, RestrictedNeed):
        await actions.propose_commitment(scene.as_("staff"), need, staff=worker)
    async with refused(scene, NotFound):
        await actions.name_staff(scene.as_("staff"), need, scene.n.people["staff_there"])
    await actions.name_staff(scene.as_("staff"), need, worker)
    made = await actions.propose_commitment(scene.as_("staff"), need, staff=worker)
    async with refused(scene, NotYourTurn):
        await actions.accept_commitment(scene.as_("staff"), made)
    await actions.accept_commitment(scene.as_("social_worker"), made)
    await actions.confirm_commitment(scene.as_("staff"), made)


async def test_a_job_of_quantity_one_is_won_once(scene: Scene) -> None:
    need = await scene.need(quantity=1)
    await actions.claim_need(scene.as_("wang"), need)
    for name in ("zhao", "sun", "ngo"):
        async with refused(scene, NeedFullyCommitted, remaining=0):
            await actions.claim_need(scene.as_(name), need)
