"""The hard rules, each by an example that differs from one that fits in one thing only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.clock import SHANGHAI
from models.exchange import actions
from tests.make_exchange import END, NOW, START
from tests.ranking.conftest import Streets

Change = Callable[[Streets, UUID], Awaitable[Any]]


def need(sql: str, *values: Any) -> Change:
    """Changes the need."""
    return lambda s, id: s.c.execute(f"UPDATE need SET {sql} WHERE id = $1", id, *values)


def volunteer(sql: str, *values: Any) -> Change:
    """Changes the volunteer."""
    return lambda s, id: s.c.execute(f"UPDATE volunteer SET {sql} WHERE person_id = $1", s.n.people["wang"], *values)


def run(sql: str, *names: str) -> Change:
    """Runs a statement whose parameters are the ids of people."""
    return lambda s, id: s.c.execute(sql, *(s.n.people[name] for name in names))


async def booked(s: Streets, id: UUID) -> None:
    """He serves another need until 8:00, 8 km away: 40 minutes for 8 km, and there are 30."""
    other = await s.need(window_from=START - timedelta(hours=2), window_to=START - timedelta(minutes=30))
    await s.confirmed(other)
    await s.c.execute("UPDATE need SET x = 0, y = 8 WHERE id = $1", other)


async def nearly_booked(s: Streets, id: UUID) -> None:
    """The same, 5 km away: he is there in time."""
    await booked(s, id)
    await s.c.execute("UPDATE need SET y = 5 WHERE id <> $1", id)


async def committed(s: Streets, id: UUID) -> None:
    await actions.claim_need(s.as_("wang"), id)


async def held_elsewhere(s: Streets, id: UUID) -> None:
    """He is held for another need at that time; nobody has answered yet."""
    await actions.claim_need(s.as_("wang"), await s.need())


async def held_no_more(s: Streets, id: UUID) -> None:
    """The same, and nobody answered in time."""
    await held_elsewhere(s, id)
    await s.c.execute("UPDATE commitment SET hold_until = $1", NOW)


async def declined(s: Streets, id: UUID) -> None:
    """He was proposed for it, and said no."""
    made = await actions.propose_commitment(s.as_("staff"), id, volunteer=s.n.volunteer_ids["wang"])
    await actions.decline_commitment(s.as_("wang"), made)


async def lapsed(s: Streets, id: UUID) -> None:
    """He was proposed for it, and did not answer: he may not have seen it."""
    await actions.propose_commitment(s.as_("staff"), id, volunteer=s.n.volunteer_ids["wang"])
    await s.c.execute("UPDATE commitment SET hold_until = $1", NOW)


async def held_again(s: Streets, id: UUID) -> None:
    """A hold that is overdue holds nobody."""
    await committed(s, id)
    await s.c.execute("UPDATE commitment SET hold_until = $1", NOW)


async def with_paper(s: Streets, id: UUID, valid_to: date) -> None:
    await s.c.execute("UPDATE need SET certificate = 'NURSE' WHERE id = $1", id)
    await s.qualified("wang", "NURSE", valid_to)


async def half_full(s: Streets, id: UUID) -> None:
    """A week of one commitment, and it is made."""
    await s.c.execute("UPDATE volunteer SET weekly_cap = 1")
    await s.confirmed(await s.need(window_from=START + timedelta(days=2), window_to=END + timedelta(days=2)))


async def full_later(s: Streets, id: UUID) -> None:
    """The same, a week later."""
    await s.c.execute("UPDATE volunteer SET weekly_cap = 1")
    await s.confirmed(await s.need(window_from=START + timedelta(days=7), window_to=END + timedelta(days=7)))


async def two_appointments(s: Streets, id: UUID, fixed: int | None) -> None:
    """On Tuesday, when he has time, or on Thursday; one of them is fixed once somebody has promised to come."""
    for place in range(2):
        days = timedelta(days=2 * place)
        await s.c.execute(
            "INSERT INTO need_option (need_id, place, starts_at, ends_at) VALUES ($1, $2, $3, $4)",
            *(id, place, START + days, END + days),
        )
    await s.c.execute("UPDATE need SET options = 2, option_place = $2 WHERE id = $1", id, fixed)


TUESDAY = START.date()
ABSENT = "INSERT INTO volunteer_absence (person_id, starts_on, ends_on) VALUES ($1, '{}', '{}')"
AVOIDS = "INSERT INTO avoidance (person_id, avoided_person_id, created_at) VALUES ($1, $2, now())"
AVOIDS_KIND = "INSERT INTO avoidance (person_id, category_code, created_at) VALUES ($1, '{}', now())"

OUT: dict[str, Change] = {
    "not active": volunteer("state = 'SUSPENDED'"),
    "refuses the machine": volunteer("no_matching = true"),
    "another category": volunteer("categories = '{CHILDCARE}'"),
    "too far": volunteer("x = 3.2"),
    "a smaller radius": volunteer("radius_km = 0.5"),
    "lacks the skill": need("skill_code = 'NURSING'"),
    "lacks the paper": need("certificate = 'NURSE'"),
    "the paper ends the day before": lambda s, id: with_paper(s, id, TUESDAY - timedelta(days=1)),
    "the category's paper": need("category_code = 'HEALTH.TCM'"),
    "gender": need("gender_preference = 'FEMALE', gender_required = true"),
    "sign language": need("language = 'SIGN'"),
    "absent": run(ABSENT.format(TUESDAY, TUESDAY), "wang"),
    "another appointment was fixed": lambda s, id: two_appointments(s, id, 1),
    "avoids him": run(AVOIDS, "wang", "grandmother"),
    "is avoided": run(AVOIDS, "grandmother", "wang"),
    "avoids the kind": run(AVOIDS_KIND.format("ELDERLY"), "wang"),
    "his own": run("UPDATE need SET requester_id = $1", "wang"),
    "his household's": run(
        "INSERT INTO resident (person_id, area, community_id, household, care, created_at)"
        " SELECT $1, area, community_id, 'h1', care, created_at FROM resident WHERE household = 'h1' LIMIT 1",
        "wang",
    ),
    "committed to it": committed,
    "no time to travel": booked,
    "held for another at that time": held_elsewhere,
    "said no to it": declined,
    "his week is full": half_full,
    "a minor at night": lambda s, id: night(s, id, date(2010, 1, 1)),
    "a minor for what is risky": lambda s, id: risky(s, id, date(2010, 1, 1)),
    "the window begins later": lambda s, id: s.volunteers("wang", windows=[(2, 511, 720)]),
    "the window ends sooner": lambda s, id: s.volunteers("wang", windows=[(2, 480, 659)]),
    "another day": lambda s, id: s.volunteers("wang", windows=[(3, 480, 720)]),
    "he whom it is for refuses": run("UPDATE resident SET no_matching = true WHERE person_id = $1", "grandmother"),
    "not open": need("status = 'CANCELLED'"),
    "restricted": need("sensitivity = 'RESTRICTED'"),
    "nothing left": need("qty_committed = qty_total"),
    "past due": need("due_at = '2026-11-01+08'"),
    "money": need("kind = 'CASH_AID'"),
}
IN: dict[str, Change] = {
    "as it is": need("title = title"),
    "the category itself": volunteer("categories = '{ELDERLY.ESCORT}'"),
    "any category": volunteer("categories = '{}'"),
    "at the edge": volunteer("x = 3.0"),
    "a wide radius": volunteer("x = 20.0, radius_km = 25"),
    "has the skill": lambda s, id: both(need("skill_code = 'NURSING'"), volunteer("skills = '{NURSING}'"))(s, id),
    "the paper's last day": lambda s, id: with_paper(s, id, TUESDAY),
    "the gender": lambda s, id: both(
        need("gender_preference = 'FEMALE', gender_required = true"),
        run("UPDATE person SET gender = 'FEMALE' WHERE id = $1", "wang"),
    )(s, id),
    "another gender, only wished for": lambda s, id: both(
        need("gender_preference = 'FEMALE'"), run("UPDATE person SET gender = 'MALE' WHERE id = $1", "wang")
    )(s, id),
    "signs": lambda s, id: both(need("language = 'SIGN'"), volunteer("languages = '{SIGN}'"))(s, id),
    "another language, only wished for": need("language = 'KOREAN'"),
    "absent the day after": run(ABSENT.format(TUESDAY + timedelta(days=1), TUESDAY + timedelta(days=9)), "wang"),
    "avoids another kind": run(AVOIDS_KIND.format("CULTURE"), "wang"),
    "who is served avoids the kind": run(AVOIDS_KIND.format("ELDERLY"), "grandmother"),
    "one of two appointments": lambda s, id: two_appointments(s, id, None),
    "the appointment that was fixed": lambda s, id: two_appointments(s, id, 0),
    "an overdue hold": held_again,
    "an overdue hold elsewhere": held_no_more,
    "has not answered": lapsed,
    "in time from there": nearly_booked,
    "a full week later": full_later,
    "a minor by day": volunteer("adult_on = '2027-01-01'"),
    "exactly the window": lambda s, id: s.volunteers("wang", windows=[(2, 510, 660)]),
    "two windows that touch": lambda s, id: s.volunteers("wang", windows=[(2, 480, 600), (2, 600, 720)]),
}


def both(*changes: Change) -> Change:
    async def change(s: Streets, id: UUID) -> None:
        for one in changes:
            await one(s, id)

    return change


async def night(s: Streets, id: UUID, born: date) -> None:
    """21:00 to 22:30, for which he has a window."""
    await s.volunteers("wang", windows=[(2, 1200, 1440)], adult_on=born.replace(year=born.year + 18))
    at = datetime(2026, 11, 3, 21, tzinfo=SHANGHAI)
    await s.c.execute(
        "UPDATE need SET window_from = $2, window_to = $3 WHERE id = $1", id, at, at + timedelta(minutes=90)
    )


async def risky(s: Streets, id: UUID, born: date) -> None:
    await s.c.execute("UPDATE need SET category_code = 'ELDERLY.BATHING' WHERE id = $1", id)
    await s.c.execute("UPDATE volunteer SET adult_on = $1", born.replace(year=born.year + 18))


@pytest.mark.parametrize("name", OUT)
async def test_one_thing_that_bars(streets: Streets, name: str) -> None:
    await streets.volunteers("wang")
    id = await streets.need(beneficiary=streets.n.residents["grandmother"])
    assert await streets.candidates(id) == ["wang"]
    assert await streets.needs("wang") == [id]
    await OUT[name](streets, id)
    assert "wang" not in await streets.candidates(id)
    assert id not in await streets.needs("wang")


@pytest.mark.parametrize("name", IN)
async def test_one_thing_that_does_not(streets: Streets, name: str) -> None:
    await streets.volunteers("wang")
    id = await streets.need(beneficiary=streets.n.residents["grandmother"])
    await IN[name](streets, id)
    assert await streets.candidates(id) == ["wang"]
    assert id in await streets.needs("wang")


async def test_what_is_listed_is_as_near_as_was_asked(streets: Streets) -> None:
    close, far = await streets.need(), await streets.need()
    await streets.c.execute("UPDATE need SET x = 0.3 WHERE id = $1", close)
    await streets.c.execute("UPDATE need SET x = 0.9 WHERE id = $1", far)
    await streets.volunteers("wang", x=0.0)
    wang, now = streets.n.people["wang"], streets.now
    assert set(await streets.needs("wang")) == {close, far}

    async def listed(within: float | None = None) -> set[UUID]:
        rows = await streets.c.fetch("SELECT need_id FROM match_needs($1, $2, 10, $3)", wang, now, within)
        return {row["need_id"] for row in rows}

    assert (await listed(0.2), await listed(0.3), await listed(0.4)) == (set(), {close}, {close})
