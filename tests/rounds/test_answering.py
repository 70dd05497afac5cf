"""Proposals, accepted, declined, withdrawn, too late: quantities are right whoever comes first."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from models.access import Actor, seen
from models.database import Db, Seen, transaction
from models.exchange import actions as exchange
from models.exchange.kinds import Sensitivity
from models.exchange.problems import (
    AlreadyCommitted,
    NeedFullyCommitted,
    NotQualified,
    OfferDoesNotFit,
    OverlappingBooking,
    OwnNeed,
    VolunteerInactive,
)
from models.exchange.rounds import actions
from models.exchange.rounds.actions.answering import proposal as proposals
from models.exchange.rounds.problems import ProposalLapsed
from models.exchange.rounds.states import MatchDeclineReason
from models.people.problems import NotAvailable
from models.pool import Pool
from models.problems import Forbidden, InvalidTransition, Kept, NotFound, Problem
from tests.actions.test_exchange_races import counters, made, volunteers
from tests.make_exchange import NOW, THERE, Scene, insert, neighbourhood, refused
from tests.rounds.making import Slot, a_proposal, a_round, ready


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> Scene:
    return Scene(connection, await neighbourhood(connection))


@pytest.fixture
async def round(scene: Scene) -> UUID:
    return await ready(scene, await a_round(scene))


async def states(scene: Scene, *proposals: UUID) -> list[str]:
    return [(await scene.row("match_proposal", id))["status"] for id in proposals]


async def test_accepting_makes_a_commitment_that_is_accepted_and_booked(scene: Scene, round: UUID) -> None:
    need = await scene.need()
    mine = await a_proposal(scene, round, need)
    db = scene.as_("wang")
    commitment = await actions.accept_proposal(db, mine)
    row = await scene.row("commitment", commitment)
    assert (row["status"], row["origin"], row["qty"]) == ("ACCEPTED", "PROPOSAL", 1)
    assert (row["slot_from"], row["slot_to"]) == (Slot().start, Slot().end)
    assert row["volunteer_person_id"] == row["person_id"] == scene.n.people["wang"]
    found = await scene.row("match_proposal", mine)
    assert (found["status"], found["commitment_id"], found["answered_at"]) == ("ACCEPTED", commitment, NOW)
    assert await scene.counts(need) == ("OPEN", 2, 1, 0)
    assert await scene.c.fetchval("SELECT count(*) FROM booking WHERE commitment_id = $1", commitment) == 1
    assert [e.topic for e in db.events] == ["commitment.proposed", "commitment.accepted", "match_proposal.accepted"]
    assert db.events[-1].data == {"round": round}
    with pytest.raises(InvalidTransition):
        await actions.accept_proposal(scene.as_("wang"), mine)
    assert await scene.counts(need) == ("OPEN", 2, 1, 0)


async def test_an_organization_names_who_serves(scene: Scene, round: UUID) -> None:
    need, offer = await scene.need(), await scene.offer()
    over = {"organization_id": scene.n.organization, "person_id": None, "offer_id": offer}
    its = await a_proposal(scene, round, need, **over)
    with pytest.raises(NotFound):
        await actions.accept_proposal(scene.as_("wang"), its)
    async with refused(scene, NotFound):
        await actions.accept_proposal(scene.as_("ngo"), its, volunteer=scene.n.volunteer_ids["retired"])
    assert await states(scene, its) == ["OPEN"]
    commitment = await actions.accept_proposal(scene.as_("ngo"), its, volunteer=scene.n.volunteer_ids["zhao"])
    row = await scene.row("commitment", commitment)
    assert (row["organization_id"], row["offer_id"]) == (scene.n.organization, offer)
    assert row["volunteer_person_id"] == scene.n.people["zhao"]
    assert (await scene.row("offer", offer))["qty_reserved"] == 1


async def test_nobody_accepts_for_a_volunteer(scene: Scene, round: UUID) -> None:
    """Not even staff of the organization that he belongs to."""
    his = await a_proposal(scene, round, await scene.need(), person_id=scene.n.people["zhao"])
    for name, problem in (("ngo", NotFound), ("wang", NotFound), ("staff", Forbidden), ("admin", Forbidden)):
        async with refused(scene, problem):
            await actions.accept_proposal(scene.as_(name), his)
        if name == "ngo":
            async with refused(scene, problem):
                await actions.accept_proposal(scene.as_(name), his, volunteer=scene.n.volunteer_ids["zhao"])
    assert await states(scene, his) == ["OPEN"]


async def test_whom_an_organization_names_is_asked_for_but_not_asked(scene: Scene, round: UUID) -> None:
    """Somebody else's, booked then, or avoided: refused. Away that day: the organization answers for it; he calls it off."""
    need, offer = await scene.need(beneficiary=scene.n.residents["grandmother"]), await scene.offer()
    people, named = scene.n.people, scene.n.volunteer_ids["zhao"]
    over = {"organization_id": scene.n.organization, "person_id": None, "offer_id": offer}
    its = await a_proposal(scene, round, need, **over)

    async def told(problem: type[Problem], volunteer: UUID = named) -> None:
        async with refused(scene, problem):
            await actions.accept_proposal(scene.as_("ngo"), its, volunteer=volunteer)
        assert await states(scene, its) == ["OPEN"]

    await told(VolunteerInactive, scene.n.volunteer_ids["wang"])
    avoided = {"person_id": people["zhao"], "avoided_person_id": people["grandmother"], "created_at": NOW}
    await insert(scene.c, "avoidance", **avoided)
    await told(NotAvailable)
    await scene.c.execute("DELETE FROM avoidance")
    other = await exchange.claim_need(scene.as_("zhao"), await scene.need())
    await exchange.accept_commitment(scene.as_("daughter"), other)
    await told(OverlappingBooking)
    await exchange.cancel_commitment(scene.as_("zhao"), other, "去不了")
    day = Slot().start.date()
    await insert(scene.c, "volunteer_absence", person_id=people["zhao"], starts_on=day, ends_on=day)
    made = await actions.accept_proposal(scene.as_("ngo"), its, volunteer=named)
    await exchange.cancel_commitment(scene.as_("zhao"), made, "那天不在")
    assert (await scene.row("commitment", made))["status"] == "CANCELLED"


async def test_who_comes_too_late_is_told_and_the_proposal_is_over(scene: Scene, round: UUID) -> None:
    need = await scene.need(quantity=1)
    mine = await a_proposal(scene, round, need)
    await exchange.claim_need(scene.as_("sun"), need)
    db = scene.as_("wang")
    with pytest.raises(Kept) as late:
        await actions.accept_proposal(db, mine)
    assert isinstance(late.value.problem, NeedFullyCommitted) and late.value.problem.remaining == 0
    assert await states(scene, mine) == ["SUPERSEDED"]
    assert [e.topic for e in db.events] == ["match_proposal.superseded"]
    assert await scene.counts(need) == ("OPEN", 1, 1, 0)


async def test_what_is_taken_or_ended_is_over_for_whoever_tries(scene: Scene, round: UUID) -> None:
    need, other = await scene.need(), await scene.need(quantity=1)
    mine = await a_proposal(scene, round, need)
    await exchange.claim_need(scene.as_("wang"), need)
    with pytest.raises(Kept) as again:
        await actions.accept_proposal(scene.as_("wang"), mine)
    assert isinstance(again.value.problem, AlreadyCommitted)
    gone = await a_proposal(scene, round, other)
    await exchange.cancel_need(scene.as_("daughter"), other, "不需要了")
    with pytest.raises(Kept):
        await actions.accept_proposal(scene.as_("wang"), gone)
    assert await states(scene, mine, gone) == ["SUPERSEDED", "SUPERSEDED"]


async def test_who_has_not_what_is_asked_is_over(scene: Scene, round: UUID) -> None:
    """A paper that was revoked, an offer that was narrowed, a household that he has moved into: a new round sees it."""
    by_paper = await a_proposal(scene, round, await scene.need(certificate="NURSE"))
    offer = await scene.offer()
    over = {"organization_id": scene.n.organization, "person_id": None, "offer_id": offer}
    narrowed = await a_proposal(scene, round, await scene.need(), **over)
    await scene.c.execute("UPDATE offer SET service_areas = $2 WHERE id = $1", offer, [THERE])
    own = await a_proposal(scene, round, await scene.need(), person_id=scene.n.people["sun"])
    await scene.c.execute("UPDATE resident SET household = 'h1' WHERE person_id = $1", scene.n.people["sun"])
    for name, id, problem in (
        ("wang", by_paper, NotQualified),
        ("ngo", narrowed, OfferDoesNotFit),
        ("sun", own, OwnNeed),
    ):
        with pytest.raises(Kept) as kept:
            await actions.accept_proposal(scene.as_(name), id)
        assert isinstance(kept.value.problem, problem)
    assert await states(scene, by_paper, narrowed, own) == ["SUPERSEDED"] * 3


async def test_whom_an_organization_names_may_be_another(scene: Scene, round: UUID) -> None:
    offer = await scene.offer()
    await scene.c.execute("UPDATE offer SET certificates = '{NURSE}' WHERE id = $1", offer)
    over = {"organization_id": scene.n.organization, "person_id": None, "offer_id": offer}
    its = await a_proposal(scene, round, await scene.need(certificate="NURSE"), **over)
    async with refused(scene, NotQualified):
        await actions.accept_proposal(scene.as_("ngo"), its, volunteer=scene.n.volunteer_ids["zhao"])
    assert await states(scene, its) == ["OPEN"]


async def test_a_suspension_may_end(scene: Scene, round: UUID) -> None:
    mine = await a_proposal(scene, round, await scene.need())
    suspend = "UPDATE volunteer SET state = $2 WHERE person_id = $1"
    await scene.c.execute(suspend, scene.n.people["wang"], "SUSPENDED")
    async with refused(scene, VolunteerInactive):
        await actions.accept_proposal(scene.as_("wang"), mine)
    assert await states(scene, mine) == ["OPEN"]
    await scene.c.execute(suspend, scene.n.people["wang"], "ACTIVE")
    assert await actions.accept_proposal(scene.as_("wang"), mine)


async def test_a_booked_volunteer_keeps_his_proposal(scene: Scene, round: UUID) -> None:
    need, other = await scene.need(), await scene.need()
    mine = await a_proposal(scene, round, need)
    taken = await exchange.claim_need(scene.as_("wang"), other)
    await exchange.accept_commitment(scene.as_("daughter"), taken)
    async with refused(scene, OverlappingBooking):
        await actions.accept_proposal(scene.as_("wang"), mine)
    assert await states(scene, mine) == ["OPEN"]


async def test_the_time_to_answer_is_over_at_its_instant(scene: Scene, round: UUID) -> None:
    mine = await a_proposal(scene, round, await scene.need(), valid_until=NOW + timedelta(hours=1))
    scene.later(hours=1)
    async with refused(scene, ProposalLapsed):
        await actions.accept_proposal(scene.as_("wang"), mine)
    assert await actions.lapse_proposals(scene.as_("admin")) == 1
    assert await states(scene, mine) == ["LAPSED"]


async def test_the_job_ends_what_can_not_be_taken_any_more(scene: Scene, round: UUID) -> None:
    full, free = await scene.need(quantity=1), await scene.need()
    over, open_ = await a_proposal(scene, round, full), await a_proposal(scene, round, free)
    await exchange.claim_need(scene.as_("sun"), full)
    assert await actions.lapse_proposals(scene.as_("admin")) == 1
    assert await states(scene, over, open_) == ["SUPERSEDED", "OPEN"]


async def test_declining_and_withdrawing(scene: Scene, round: UUID) -> None:
    need = await scene.need()
    mine = await a_proposal(scene, round, need)
    other = await a_proposal(scene, round, need, person_id=scene.n.people["sun"])
    for name in ("sun", "zhao"):
        with pytest.raises(NotFound):
            await actions.decline_proposal(scene.as_(name), mine, MatchDeclineReason.OTHER)
    await actions.decline_proposal(scene.as_("wang"), mine, MatchDeclineReason.TOO_FAR)
    row = await scene.row("match_proposal", mine)
    assert (row["status"], row["decline_reason"]) == ("DECLINED", "TOO_FAR")
    with pytest.raises(NotFound):
        await actions.withdraw_proposal(scene.as_("staff_there"), other)
    with pytest.raises(Forbidden):
        await actions.withdraw_proposal(scene.as_("wang"), other)
    await actions.withdraw_proposal(scene.as_("staff"), other)
    assert await states(scene, other) == ["WITHDRAWN"]
    with pytest.raises(InvalidTransition):
        await actions.accept_proposal(scene.as_("sun"), other)


SEEN = Seen(lambda viewer: sa.select(proposals.c.id).where(*seen(proposals, "match_proposal", viewer)))


async def who_sees(scene: Scene, id: UUID) -> set[str]:
    names = ("wang", "sun", "ngo", "staff", "staff_there", "social_worker", "officer", "daughter", "neighbour", "admin",
             "viewer", "public", "reporter")  # fmt: skip
    return {name for name in names if any(r["id"] == id for r in await scene.as_(name).all(SEEN))}


async def test_who_sees_a_proposal(scene: Scene, round: UUID) -> None:
    need = await scene.need()
    mine = await a_proposal(scene, round, need)
    staff = {"staff", "social_worker", "officer", "admin"}
    assert await who_sees(scene, mine) == {"wang", *staff}
    await actions.accept_proposal(scene.as_("wang"), mine)
    assert await who_sees(scene, mine) == {"wang", *staff, "daughter"}  # with the reasons: PIPL art. 24


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE volunteer SET no_matching = true WHERE person_id = $1",
        "UPDATE resident SET no_matching = true WHERE person_id = $2 AND $1::uuid IS NOT NULL",
        "INSERT INTO avoidance (person_id, avoided_person_id, created_at) VALUES ($1, $2, now())",
        "INSERT INTO avoidance (person_id, avoided_person_id, created_at) VALUES ($2, $1, now())",
        "INSERT INTO avoidance (person_id, category_code, created_at) SELECT $1, 'ELDERLY', now() WHERE $2::uuid IS NOT NULL",
    ],
)
async def test_who_refuses_is_in_no_proposal_from_the_next_question_on(scene: Scene, round: UUID, sql: str) -> None:
    beneficiary = scene.n.residents["grandmother"]
    mine = await a_proposal(scene, round, await scene.need(beneficiary=beneficiary))
    people = [scene.n.people["wang"], scene.n.people["grandmother"]]
    await scene.c.execute(sql, *people[: 1 + ("$2" in sql)])
    assert await who_sees(scene, mine) == set()
    async with refused(scene, NotFound):
        await actions.accept_proposal(scene.as_("wang"), mine)


async def test_for_a_place_it_is_who_asks_that_refuses(scene: Scene, round: UUID) -> None:
    mine = await a_proposal(scene, round, await scene.need("staff", grid=scene.n.grid))
    assert "wang" in await who_sees(scene, mine)
    people = {"person_id": scene.n.people["staff"], "avoided_person_id": scene.n.people["wang"]}
    await insert(scene.c, "avoidance", created_at=NOW, **people)
    assert await who_sees(scene, mine) == set()
    async with refused(scene, NotFound):
        await actions.accept_proposal(scene.as_("wang"), mine)


async def test_a_need_that_became_restricted_shows_no_proposal(scene: Scene, round: UUID) -> None:
    need = await scene.need()
    mine = await a_proposal(scene, round, need)
    await scene.c.execute("UPDATE need SET sensitivity = $2 WHERE id = $1", need, Sensitivity.RESTRICTED)
    assert await who_sees(scene, mine) == set()


async def answered(pool: Pool, actor: Actor, id: UUID) -> str:
    async def work(db: Db) -> Any:
        try:
            return await actions.accept_proposal(db, id)
        except Kept as kept:
            return kept.problem

    try:
        done = await transaction(pool, actor, NOW, work)
    except Problem as problem:
        return type(problem).__name__
    return type(done).__name__ if isinstance(done, Problem) else "done"


async def test_two_of_a_need_for_two_accept_at_once(pool: Pool) -> None:
    async def work(scene: Scene) -> Any:
        need, round = await scene.need(quantity=2), await ready(scene, await a_round(scene))
        actors = await volunteers(scene, 2)
        ids = [await a_proposal(scene, round, need, person_id=a.person) for a in actors]
        return need, actors, ids

    _, (need, actors, ids) = await made(pool, work)
    came = await asyncio.gather(*(answered(pool, a, id) for a, id in zip(actors, ids, strict=True)))
    assert came == ["done", "done"]
    assert await counters(pool, need) == (2, 2)


async def test_proposals_and_claims_at_once_never_take_more_than_there_is(pool: Pool) -> None:
    """Forty proposals of two rounds, sixty claims, on three needs for four: twelve win, nobody is booked twice."""

    async def work(scene: Scene) -> Any:
        needs = [await scene.need(quantity=4) for _ in range(3)]
        here, there = await ready(scene, await a_round(scene)), await ready(scene, await a_round(scene))
        actors = await volunteers(scene, 40)
        ids = []
        for n, actor in enumerate(actors):
            round, need = (here, there)[n % 2], needs[n % 3]
            ids.append((actor, await a_proposal(scene, round, need, person_id=actor.person)))
            ids.append((actor, await a_proposal(scene, round, needs[(n + 1) % 3], person_id=actor.person)))
        return needs, ids, await volunteers(scene, 60)

    _, (needs, ids, others) = await made(pool, work)

    async def claimed(n: int, actor: Actor) -> str:
        async def work(db: Db) -> Any:
            return await exchange.claim_need(db, needs[n % 3])

        try:
            await transaction(pool, actor, NOW, work)
        except Problem as problem:
            return type(problem).__name__
        return "done"

    came = Counter(
        await asyncio.gather(
            *(answered(pool, actor, id) for actor, id in ids), *(claimed(n, a) for n, a in enumerate(others))
        )
    )
    assert came["done"] == 12
    assert set(came) <= {"done", "NeedFullyCommitted", "OverlappingBooking", "NotFound"}
    for need in needs:
        assert await counters(pool, need) == (4, 4)
    async with pool.connection() as c:
        accepted = await c.fetchval("SELECT count(*) FROM match_proposal WHERE status = 'ACCEPTED'")
        agreed = await c.fetchval("SELECT count(*) FROM commitment WHERE status = 'ACCEPTED'")
        twice = await c.fetchval("SELECT count(*) FROM (SELECT person_id FROM booking GROUP BY 1 HAVING count(*) > 1)")
    assert accepted == agreed and twice == 0
