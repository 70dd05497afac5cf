"""Rounds ask of people what lists ask: who serves already, who came last, where one comes from, whose week is full."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
import pytest

from models.activity import actions as activity
from models.activity.actions import SessionDraft
from models.exchange import actions as exchange
from models.exchange.matching import solve, why_open
from models.exchange.matching.candidates import candidates
from models.exchange.rounds.writing import Proposed, paired
from models.exchange.scoring import points
from tests.make_exchange import END, NOW, START, THERE, Scene, neighbourhood
from tests.rounds.making import X, Y, gathered, of, placed, willing


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> Scene:
    made = Scene(connection, await neighbourhood(connection))
    await placed(made)
    return made


async def served(scene: Scene, name: str, when: timedelta, *, by: str | None = None, **over: Any) -> None:
    """The grandmother was served by somebody, on behalf of an organization if said so."""
    times = {"window_from": START + when, "window_to": END + when}
    before = await scene.need(beneficiary=scene.n.residents["grandmother"], quantity=1, **times)
    volunteer = scene.n.volunteer_ids[name] if by == "ngo" else None
    made = await exchange.claim_need(scene.as_(by or name), before, volunteer=volunteer)
    await scene.c.execute(
        "UPDATE commitment SET status = 'COMPLETED', accepted_at = created_at, qty_delivered = 1, ended_at = $2"
        " WHERE id = $1",
        *(made, END + when),
    )
    await scene.c.execute("UPDATE need SET status = 'CLOSED', qty_delivered = 1 WHERE id = $1", before)
    for column, value in over.items():
        await scene.c.execute(f"UPDATE need SET {column} = $2 WHERE id = $1", before, value)


async def again(scene: Scene) -> set[UUID | None]:
    """Whom the one need is known by, as its score has them; the same as lists say."""
    found = await gathered(scene, days=14)
    identity, previous = found.instance.providers.identity, found.instance.needs.previous
    known = {h.person or h.organization for p, h in enumerate(found.helpers) if identity[p] in previous[0]}
    row = found.wants[0].row
    for by_organization in (False, True):
        last = await scene.c.fetchval(
            "SELECT served_last(beneficiary_id, category_code, $2) FROM need WHERE id = $1", row["id"], by_organization
        )
        assert last in {None, *known}
    for p, h in enumerate(found.helpers):
        pair = paired(found, Proposed(0, p, 0))
        assert pair.continuity == ((h.person or h.organization) in known)
    return known


async def test_who_came_last_time(scene: Scene) -> None:
    """A volunteer in each of his weeks, an organization with each of its offers."""
    for name in ("wang", "zhao", "sun"):
        await willing(scene, name)
    offers = {await scene.offer(), await scene.offer()}
    await served(scene, "sun", timedelta(days=1))
    await scene.need(beneficiary=scene.n.residents["grandmother"], quantity=1)
    assert await again(scene) == {scene.n.people["sun"]}
    found = await gathered(scene, days=14)
    same = found.instance.providers.identity
    assert len({same[p] for p in of(found, scene.n.people["sun"])}) == 1 == len({same[of(found, o)[0]] for o in offers})
    assert len(of(found, scene.n.people["sun"])) == 2 and len(set(same.tolist())) == 4


async def test_who_came_for_an_organization_is_known_and_so_is_it(scene: Scene) -> None:
    for name in ("wang", "zhao", "sun"):
        await willing(scene, name)
    await scene.offer()
    need = await scene.need(beneficiary=scene.n.residents["grandmother"], quantity=1)
    people, organization = scene.n.people, scene.n.organization
    await served(scene, "sun", timedelta(days=1))
    await served(scene, "zhao", timedelta(days=2), by="ngo")
    assert await again(scene) == {people["zhao"], organization}
    await served(scene, "wang", timedelta(days=3))  # the last volunteer; the last organization is as before
    assert await again(scene) == {people["wang"], organization}
    await served(scene, "sun", timedelta(days=4), sensitivity="RESTRICTED")
    await served(scene, "sun", timedelta(days=5), category_code="ELDERLY.BATHING")
    assert await again(scene) == {people["wang"], organization}
    await scene.c.execute("UPDATE need SET category_code = 'ELDERLY.BATHING' WHERE id = $1", need)
    assert await again(scene) == {people["sun"]}


async def test_who_serves_it_for_an_organization_is_not_asked_himself(scene: Scene) -> None:
    need = await scene.need()
    for name in ("wang", "zhao"):
        await willing(scene, name)

    async def apart() -> set[UUID | None]:
        found = await gathered(scene)
        return {found.helpers[p].person for _, p in found.instance.refused.tolist()}

    await exchange.claim_need(scene.as_("ngo"), need, volunteer=scene.n.volunteer_ids["zhao"])
    assert await apart() == {scene.n.people["zhao"]}
    await scene.c.execute("UPDATE commitment SET hold_until = $1", NOW)  # nobody answered in time
    assert await apart() == set()


async def test_what_an_offer_was_declined_for_is_not_proposed_to_it_again(scene: Scene) -> None:
    need, offer = await scene.need(), await scene.offer()
    assert (await gathered(scene)).instance.refused.tolist() == []
    made = await exchange.propose_commitment(scene.as_("staff"), need, offer=offer)
    await exchange.decline_commitment(scene.as_("ngo"), made)
    found = await gathered(scene)
    assert found.instance.refused.tolist() == [[0, p] for p in of(found, offer)] != []


async def free(scene: Scene, name: str, need: UUID, **over: Any) -> bool:
    """Whether somebody could serve a need when it is asked for; a round and a list say the same."""
    found = await gathered(scene, **over)
    edges, options = candidates(found.instance), found.instance.needs.options.shape[1]
    mine = np.isin(edges.provider, of(found, scene.n.people[name]))
    could = {found.wants[row // options].id for row in edges.rows()[mine]}
    listed = await scene.c.fetchval(
        "SELECT EXISTS (SELECT FROM match_needs($1, $2, 100) WHERE need_id = $3)", scene.n.people[name], scene.now, need
    )
    assert listed == (need in could)
    return need in could


async def test_who_comes_from_a_session_sets_out_from_there(scene: Scene) -> None:
    """He helps at a session, 8 km away, until 8:00: 40 minutes of way, and there are 30."""
    need = await scene.need(quantity=1)
    await willing(scene, "wang")
    assert await free(scene, "wang", need)
    times = {"starts_at": START - timedelta(hours=2), "ends_at": START - timedelta(minutes=30)}
    draft = SessionDraft(
        title="清洁", community=scene.n.communities[THERE], category=scene.n.categories["ELDERLY"], capacity=5, **times
    )
    session = await activity.create_session(scene.as_("staff_there"), draft)
    await activity.publish_session(scene.as_("staff_there"), session)
    await activity.sign_up(scene.as_("wang"), session)
    assert await scene.c.fetchval("SELECT count(*) FROM booking WHERE attendance_id IS NOT NULL") == 1
    await scene.c.execute("UPDATE division SET x = $2 WHERE code = $1", THERE, X + 8)
    assert not await free(scene, "wang", need)
    await scene.c.execute("UPDATE division SET x = $2 WHERE code = $1", THERE, X + 3)
    assert await free(scene, "wang", need)


async def offered(scene: Scene, offer: UUID, **over: Any) -> dict[UUID, tuple[float, list[int]]]:
    """The needs that an offer could serve: how far they are, and the points; a round and a list say the same."""
    found = await gathered(scene, **over)
    edges, options = candidates(found.instance), found.instance.needs.options.shape[1]
    could = {}
    for row, provider in zip(edges.rows().tolist(), edges.provider.tolist(), strict=True):
        if found.helpers[provider].offer == offer:
            pair = paired(found, Proposed(row // options, provider, row % options))
            could[found.wants[row // options].id] = pair.km, list(points(pair, found.weights).values())
    rows = await scene.c.fetch("SELECT * FROM match_needs_for_offer($1, $2, 50)", offer, scene.now)
    assert {row["need_id"]: row["km"] for row in rows} == pytest.approx({id: km for id, (km, _) in could.items()})
    assert {row["need_id"]: row["points"][:7] for row in rows} == {id: told[:7] for id, (_, told) in could.items()}
    return could  # type: ignore[return-value]  # the distance is known


async def test_an_offer_without_a_radius_goes_wherever_its_areas_reach(scene: Scene) -> None:
    near, far, elsewhere = [await scene.need(quantity=1) for _ in range(3)]
    await scene.c.execute("UPDATE need SET x = $2 WHERE id = $1", far, X + 30)
    await scene.c.execute("UPDATE need SET area = '210102001001' WHERE id = $1", elsewhere)
    offer = await scene.offer()
    await scene.c.execute("UPDATE offer SET service_areas = '{210103}' WHERE id = $1", offer)
    could = await offered(scene, offer, area="2101")
    assert could.keys() == {near, far}
    assert could[far][0] == pytest.approx(30, abs=0.5) and could[far][1][0] == 0 < could[near][1][0]
    found = await gathered(scene, area="2101")
    plan = solve(found.instance)
    assert {found.wants[n].id for n in plan.need} == {near, far}
    assert [(found.wants[n].id, why.value) for n, why in why_open(found.instance, plan).items()] == [
        (elsewhere, "NOBODY_IN_REACH")
    ]
    await scene.c.execute("UPDATE offer SET x = $2, y = $3, radius_km = 12 WHERE id = $1", offer, X, Y)
    assert (await offered(scene, offer, area="2101")).keys() == {near}
    await scene.c.execute("UPDATE offer SET radius_km = 40 WHERE id = $1", offer)
    assert (await offered(scene, offer, area="2101")).keys() == {near, far}


async def test_an_offer_serves_what_is_counted_as_it_is(scene: Scene) -> None:
    need, offer = await scene.need(quantity=1), await scene.offer()
    assert (await offered(scene, offer)).keys() == {need}
    await scene.c.execute("UPDATE need SET unit = 'VISIT' WHERE id = $1", need)
    assert await offered(scene, offer) == {}


def on(day: int, clock: str) -> datetime:
    """A time of a day in November."""
    return datetime.fromisoformat(f"2026-11-{day:02} {clock}+08:00")


@pytest.mark.parametrize("booked", [False, True], ids=["held", "booked"])
@pytest.mark.parametrize(
    ("asked", "promised", "days"),
    [
        ((START, END), (on(3, "06:30"), on(3, "08:00")), 7),
        ((START, END), (on(3, "11:30"), on(3, "12:30")), 7),
        ((on(2, "12:15"), on(2, "14:00")), (on(2, "10:30"), on(2, "11:45")), 7),
        ((on(2, "21:00"), on(2, "23:50")), (on(3, "00:20"), on(3, "02:00")), 1),
    ],
    ids=["before", "after", "over before the round begins", "beyond its days"],
)
async def test_the_way_from_what_is_promised(
    scene: Scene, asked: tuple[datetime, datetime], promised: tuple[datetime, datetime], days: int, booked: bool
) -> None:
    """30 minutes between the two, and 40 of way: whether it is booked, or held and nobody has answered yet."""
    need, other = [await scene.need(quantity=1, window_from=a, window_to=b) for a, b in (asked, promised)]
    await willing(scene, "wang")
    await scene.c.execute("UPDATE volunteer_window SET from_minute = 0, to_minute = 1440")
    claim = await exchange.claim_need(scene.as_("wang"), other)
    if booked:
        await exchange.accept_commitment(scene.as_("daughter"), claim)
    await scene.c.execute("UPDATE need SET x = x + 8 WHERE id = $1", other)
    assert not await free(scene, "wang", need, days=days)
    await scene.c.execute("UPDATE need SET x = x - 7 WHERE id = $1", other)
    assert await free(scene, "wang", need, days=days)


async def test_an_overdue_hold_holds_nobody(scene: Scene) -> None:
    need, other = await scene.need(quantity=1), await scene.need(quantity=1)
    await willing(scene, "wang")
    await exchange.claim_need(scene.as_("wang"), other)
    assert not await free(scene, "wang", need)
    await scene.c.execute("UPDATE commitment SET hold_until = $1", NOW)
    assert await free(scene, "wang", need)


async def test_a_week_is_full_though_the_round_ends_before_it(scene: Scene) -> None:
    need = await scene.need(quantity=1)
    later = timedelta(days=3)
    other = await scene.need(quantity=1, window_from=START + later, window_to=END + later)
    await willing(scene, "wang", weekly_cap=1)
    await exchange.claim_need(scene.as_("wang"), other)
    assert not await free(scene, "wang", need, days=2)
    await scene.c.execute("UPDATE volunteer SET weekly_cap = 2")
    assert await free(scene, "wang", need, days=2)
