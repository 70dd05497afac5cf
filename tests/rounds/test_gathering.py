"""From rows to arrays: what the solver is asked is what the database holds, number for number."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from uuid import UUID

import asyncpg
import numpy as np
import pytest

from models.exchange import actions as exchange
from models.exchange.kinds import GenderPreference, Kind, Sensitivity
from models.exchange.rounds.days import DAY, Days, joined, within
from models.exchange.rounds.gathering import Gathered
from models.exchange.rounds.states import MatchOpenReason
from tests.make_exchange import END, HERE, NOW, START, Scene, insert, neighbourhood
from tests.rounds.making import X, Y, a_proposal, a_round, gathered, of, placed, ready, willing

TUESDAY = DAY
"""The minute at which tomorrow begins."""


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> Scene:
    made = Scene(connection, await neighbourhood(connection))
    await placed(made)
    return made


def spans(found: Gathered, helper: int) -> list[tuple[int, int]]:
    w = found.instance.windows
    mine = w.provider == helper
    return sorted(zip(w.start[mine].tolist(), w.end[mine].tolist(), strict=True))


async def test_a_need_and_a_volunteer_number_for_number(scene: Scene) -> None:
    need = await scene.need(urgency=3, gender_preference=GenderPreference.FEMALE)
    await scene.c.execute(
        "UPDATE need SET language = 'KOREAN', gender_required = true, vulnerability = 2 WHERE id = $1", need
    )
    await willing(scene, "wang", x=2.5, y=-1.25, radius_km=2.5, weekly_cap=4, reliability=0.5)
    await scene.c.execute(
        "UPDATE volunteer SET languages = '{KOREAN,SIGN}' WHERE person_id = $1", scene.n.people["wang"]
    )
    await scene.c.execute("UPDATE person SET gender = 'FEMALE' WHERE id = $1", scene.n.people["wang"])
    found = await gathered(scene)
    needs, people = found.instance.needs, found.instance.providers
    assert [w.id for w in found.wants] == [need] and found.districts == ["210103"] and found.left_out == []
    assert needs.xy == pytest.approx(np.array([[X, Y]]), abs=0.5)
    assert needs.priority.tolist() == [4] and needs.quantity.tolist() == [2] and needs.duration.tolist() == [150]
    assert needs.gender.tolist() == [1] and needs.gender_hard.tolist() == [True] and needs.language.tolist() == [1]
    assert needs.options.tolist() == [[TUESDAY + 8 * 60 + 30, -1, -1]]
    assert (
        needs.previous.tolist() == [[-1, -1]]
        and needs.district.tolist() == [0]
        and needs.certificate.tolist() == [False]
    )
    assert people.xy.tolist() == [[2.5, -1.25]] and people.radius.tolist() == [2.5]
    assert people.weekly_cap.tolist() == [4] and people.parallel.tolist() == [1]
    assert people.gender.tolist() == [1] and people.language.tolist() == [3] and people.reliability.tolist() == [0.5]
    assert people.skill.tolist() == [[True]] and people.certificate.tolist() == [[False]]
    # today from two hours ahead, then each day of the week
    assert spans(found, 0) == [(12 * 60, 18 * 60), *((n * DAY + 480, n * DAY + 1080) for n in range(1, 7))]


async def test_appointments_keep_their_places(scene: Scene) -> None:
    need = await scene.need(window_from=None, window_to=None)
    for place, hours in ((0, -2), (1, 30), (2, 24 * 9)):
        start = NOW + timedelta(hours=hours)
        await insert(
            scene.c, "need_option", need_id=need, place=place, starts_at=start, ends_at=start + timedelta(hours=1)
        )
    await scene.c.execute("UPDATE need SET options = 3 WHERE id = $1", need)
    found = await gathered(scene)
    assert found.instance.needs.options.tolist() == [[-1, TUESDAY + 16 * 60, -1]]  # one is past, one beyond the horizon
    assert found.wants[0].slot(1, found.days) == (NOW + timedelta(hours=30), NOW + timedelta(hours=31))
    await scene.c.execute("UPDATE need SET option_place = 2 WHERE id = $1", need)
    found = await gathered(scene)
    assert [(row["id"], why) for row, why in found.left_out] == [(need, MatchOpenReason.NOT_IN_HORIZON)]
    found = await gathered(scene, days=14)
    assert found.instance.needs.options.tolist() == [[-1, -1, 9 * DAY + 10 * 60]]


async def test_any_time_is_when_people_are_free(scene: Scene) -> None:
    await scene.need(window_from=None, window_to=None)
    await willing(scene, "wang")
    await scene.c.execute("DELETE FROM volunteer_window WHERE weekday <> 6")
    found = await gathered(scene)
    saturday = 5 * DAY
    options = found.instance.needs.options[0]
    assert {t for t in options.tolist() if saturday <= t < saturday + DAY} == {
        saturday + m for m in (510, 600, 840, 930)
    }
    assert len(options) <= 12 and found.wants[0].duration == 60 and not found.wants[0].named


async def test_needs_that_are_not_planned(scene: Scene) -> None:
    refusing = await scene.need(beneficiary=scene.n.residents["grandmother"])
    await scene.c.execute("UPDATE resident SET no_matching = true WHERE id = $1", scene.n.residents["grandmother"])
    await scene.need("staff", sensitivity=Sensitivity.RESTRICTED)
    await scene.need(kind=Kind.GOODS)
    full = await scene.need(quantity=1)
    await exchange.claim_need(scene.as_("sun"), full)
    await scene.need(opened=False)
    later = await scene.need(window_from=START + timedelta(days=20), window_to=END + timedelta(days=20))
    found = await gathered(scene)
    assert found.wants == []
    assert {(row["id"], why) for row, why in found.left_out} == {
        (refusing, MatchOpenReason.NOT_AUTOMATIC),
        (later, MatchOpenReason.NOT_IN_HORIZON),
    }
    scene.later(hours=25)
    assert [
        w.id for w in (await gathered(scene, first=date(2026, 11, 3))).wants
    ] == []  # the hold is over, and so is the day


async def test_volunteers_who_are_not_asked(scene: Scene) -> None:
    await scene.need()
    for name in ("wang", "zhao", "sun", "retired"):
        await willing(scene, name)
    people = scene.n.people
    await scene.c.execute("UPDATE volunteer SET no_matching = true WHERE person_id = $1", people["zhao"])
    await scene.c.execute("UPDATE volunteer SET x = x + 10 WHERE person_id = $1", people["sun"])
    assert {h.person for h in (await gathered(scene)).helpers} == {people["wang"]}
    await insert(
        scene.c, "volunteer_absence", person_id=people["wang"], starts_on=date(2026, 11, 3), ends_on=date(2026, 11, 30)
    )
    found = await gathered(scene)
    assert spans(found, 0) == [(12 * 60, 18 * 60)]
    await scene.c.execute("DELETE FROM volunteer_window")
    assert (await gathered(scene)).helpers == []


async def test_caps_are_by_the_week(scene: Scene) -> None:
    """A round over two weeks: what is promised in the first takes of the first."""
    await scene.need()
    await willing(scene, "wang", weekly_cap=2)
    found = await gathered(scene, days=14)
    assert [(h.week, h.cap) for h in found.helpers] == [(0, 2), (1, 2)]
    assert all(end <= 7 * DAY for _, end in spans(found, 0)) and all(start >= 7 * DAY for start, _ in spans(found, 1))
    other = await scene.need(window_from=START + timedelta(days=1), window_to=END + timedelta(days=1))
    claim = await exchange.claim_need(scene.as_("wang"), other)
    found = await gathered(scene, days=14)
    assert [(h.week, h.cap) for h in found.helpers] == [(0, 1), (1, 2)]
    busy = found.instance.busy
    assert (busy.provider.tolist(), busy.start.tolist(), busy.end.tolist()) == ([0], [2 * DAY + 510], [2 * DAY + 660])
    await exchange.accept_commitment(scene.as_("daughter"), claim)  # booked now, and counted once
    found = await gathered(scene, days=14)
    assert [(h.week, h.cap) for h in found.helpers] == [(0, 1), (1, 2)]
    await scene.c.execute("UPDATE volunteer SET weekly_cap = 1 WHERE person_id = $1", scene.n.people["wang"])
    assert [(h.week, h.cap) for h in (await gathered(scene, days=14)).helpers] == [(1, 1)]


async def test_who_must_not_meet(scene: Scene) -> None:
    need = await scene.need(beneficiary=scene.n.residents["grandmother"])
    for name in ("wang", "zhao", "sun"):
        await willing(scene, name)
    people = scene.n.people

    async def apart() -> set[UUID | None]:
        found = await gathered(scene)
        (n,) = [k for k, want in enumerate(found.wants) if want.id == need]
        skill = found.instance.providers.skill[:, found.instance.needs.category[n]]
        refused = {p for k, p in found.instance.refused.tolist() if k == n}
        return {h.person for p, h in enumerate(found.helpers) if p in refused or not skill[p]}

    assert await apart() == set()
    await insert(
        scene.c, "avoidance", person_id=people["grandmother"], avoided_person_id=people["wang"], created_at=NOW
    )
    assert await apart() == {people["wang"]}
    await insert(scene.c, "avoidance", person_id=people["zhao"], category_code="ELDERLY", created_at=NOW)
    assert await apart() == {people["wang"], people["zhao"]}
    await exchange.claim_need(scene.as_("sun"), need)
    assert await apart() == {people["wang"], people["zhao"], people["sun"]}
    await scene.c.execute("DELETE FROM avoidance")
    await scene.c.execute("UPDATE commitment SET status = 'DECLINED', ended_at = created_at")
    await scene.c.execute("UPDATE need SET qty_committed = 0")
    assert await apart() == {people["sun"]}
    await scene.c.execute("UPDATE commitment SET status = 'LAPSED'")
    assert await apart() == set()
    round = await ready(scene, await a_round(scene))
    why = {"status": "DECLINED", "decline_reason": "TOO_FAR", "answered_at": NOW}
    await a_proposal(scene, round, need, person_id=people["zhao"], **why)
    assert await apart() == {people["zhao"]}
    await scene.c.execute("UPDATE resident SET household = 'h1' WHERE person_id = $1", people["sun"])
    assert await apart() == {people["zhao"], people["sun"]}


async def test_categories_skills_and_papers_are_one_number(scene: Scene) -> None:
    plain, skilled, sealed = await scene.need(), await scene.need(), await scene.need()
    await scene.c.execute("UPDATE need SET skill_code = 'WHEELCHAIR' WHERE id = $1", skilled)
    await scene.c.execute("UPDATE need SET certificate = 'NURSE' WHERE id = $1", sealed)
    for name in ("wang", "zhao", "sun"):
        await willing(scene, name)
    people = scene.n.people
    await scene.c.execute("UPDATE volunteer SET skills = '{WHEELCHAIR}' WHERE person_id = $1", people["wang"])
    await scene.c.execute("UPDATE volunteer SET categories = '{ELDERLY}' WHERE person_id = $1", people["zhao"])
    await scene.c.execute("UPDATE volunteer SET categories = '{CHILDCARE}' WHERE person_id = $1", people["sun"])
    found = await gathered(scene)
    kind = {w.id: found.instance.needs.category[n] for n, w in enumerate(found.wants)}
    skill = found.instance.providers.skill

    def able(name: str) -> set[UUID]:
        (p,) = of(found, people[name])
        return {need for need, number in kind.items() if skill[p, number]}

    assert able("wang") == {plain, skilled, sealed}  # no categories: all
    assert able("zhao") == {plain, sealed} and able("sun") == set()
    asked = {w.id: bool(found.instance.needs.certificate[n]) for n, w in enumerate(found.wants)}
    assert asked == {plain: False, skilled: False, sealed: True}
    assert not found.instance.providers.certificate.any()


async def test_an_organizations_offer(scene: Scene) -> None:
    here = await scene.need()
    offer = await scene.offer(quantity=7)
    await scene.c.execute("UPDATE offer SET parallel = 3, weekly_cap = 5 WHERE id = $1", offer)
    found = await gathered(scene, days=14)
    first, second = of(found, offer)
    people = found.instance.providers
    assert (people.parallel[first], people.weekly_cap[first], people.weekly_cap[second]) == (3, 5, 2)
    assert people.gender[first] == 0 and found.helpers[first].organization == scene.n.organization
    assert found.instance.refused.tolist() == []
    await scene.c.execute("UPDATE offer SET service_areas = '{210103005005}' WHERE id = $1", offer)
    assert of(await gathered(scene), offer) == []  # it serves another community
    await scene.c.execute(
        "UPDATE offer SET service_areas = '{210103005003002}', weekly_cap = NULL WHERE id = $1", offer
    )
    found = await gathered(scene)
    (only,) = of(found, offer)
    bounds = found.instance.bounds
    assert bounds is not None and found.wants[0].id == here
    assert not bounds.serves[bounds.group[only], bounds.sort[0]]  # another grid than the need's
    await exchange.pause_offer(scene.as_("ngo"), offer)
    assert of(await gathered(scene), offer) == []


async def test_what_other_rounds_proposed_is_as_good_as_promised(scene: Scene) -> None:
    await scene.need()
    await willing(scene, "wang", weekly_cap=1)
    theirs = await ready(scene, await a_round(scene, "staff_there", "210103005005"))
    need = await scene.need()
    pending = await a_proposal(scene, theirs, need, area="210103005005")
    assert (await gathered(scene)).helpers == []  # the week is full
    await scene.c.execute("UPDATE match_proposal SET area = $2 WHERE id = $1", pending, HERE)
    assert len((await gathered(scene)).helpers) == 1  # what this round plans anew is no hindrance


async def test_nothing_at_all(scene: Scene) -> None:
    found = await gathered(scene)
    assert found.instance.size == (0, 0) and found.instance.needs.options.shape == (0, 3)
    assert found.instance.providers.skill.shape == (0, 0) and len(found.instance.windows.provider) == 0


@pytest.mark.parametrize(
    ("first", "days", "weeks"),
    [(date(2026, 11, 2), 7, 1), (date(2026, 11, 8), 1, 1), (date(2026, 11, 8), 2, 2), (date(2026, 11, 4), 14, 3)],
)
def test_weeks_are_the_calendars(first: date, days: int, weeks: int) -> None:
    span = Days(first, first + timedelta(days=days - 1), NOW - timedelta(days=9))
    assert span.weeks == weeks
    ends = [span.of_week(n) for n in range(weeks)]
    assert ends[0][0] == 0 and ends[-1][1] == days * DAY
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ends))
    assert all(span.at(start).isoweekday() == 1 for start, _ in ends[1:])


def test_hours_that_touch_are_one() -> None:
    assert joined([(10, 20), (20, 30), (40, 50), (5, 8)]) == [(5, 8), (10, 30), (40, 50)]
    assert within([(0, 10), (20, 30)], 5, 25) == [(5, 10), (20, 25)]
