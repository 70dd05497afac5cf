"""What a need asks of whoever helps, and when: requirements, appointments to choose from, and what repeats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.clock import SHANGHAI
from models.exchange import actions
from models.exchange.kinds import GenderPreference, Hint, Missing, Sensitivity
from models.exchange.problems import CommitmentsUnderWay, NotQualified, OtherAppointment, OverlappingBooking
from models.people.availability import Language
from models.people.qualifications import QualificationType
from models.problems import InvalidInput, NotFound
from tests.make_exchange import END, NOW, START, Scene, insert, neighbourhood, refused

DAY, WEEK = timedelta(days=1), timedelta(days=7)
FIRST, SECOND, THIRD = (START, END), (START + DAY, END + DAY), (START + 2 * DAY, END + 2 * DAY)
ANY: dict[str, Any] = {"window_from": None, "window_to": None}


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> AsyncIterator[Scene]:
    yield Scene(connection, await neighbourhood(connection))


async def options(scene: Scene, need: UUID) -> list[UUID]:
    rows = await scene.c.fetch("SELECT id FROM need_option WHERE need_id = $1 ORDER BY place", need)
    return [row["id"] for row in rows]


async def chosen(scene: Scene, need: UUID) -> int | None:
    place: int | None = await scene.c.fetchval("SELECT option_place FROM need WHERE id = $1", need)
    return place


async def test_a_need_lies_where_its_grid_does_or_else_its_community(scene: Scene) -> None:
    await scene.c.execute("UPDATE division SET x = 1, y = 2 WHERE id = $1", next(iter(scene.n.communities.values())))
    before = await scene.row("need", await scene.need(opened=False))
    await scene.c.execute("UPDATE grid SET x = 3.5, y = 4.25 WHERE id = $1", scene.n.grid)
    after = await scene.row("need", await scene.need(opened=False))
    assert [(row["x"], row["y"]) for row in (before, after)] == [(1, 2), (3.5, 4.25)]


@pytest.mark.parametrize(
    ("field", "over"),
    [
        ("skill", {"skill": "FLYING"}),
        ("skill", {"skill": ""}),
        ("genderRequired", {"gender_required": True}),
        ("vulnerability", {"vulnerability": 2}),  # a resident does not say so of himself
        ("vulnerability", {"vulnerability": -1}),
        ("vulnerability", {"vulnerability": 4}),
        ("durationMinutes", {"duration_minutes": 0}),
        ("durationMinutes", {"duration_minutes": 1441}),
        ("hints", {"hints": (Hint.STEADY_ARM,)}),  # what it takes is the staff's to say
        ("options", {"options": (FIRST, SECOND, THIRD, (START + WEEK, END + WEEK)), **ANY}),
        ("options", {"options": ((END, START),), **ANY}),
        ("options", {"options": ((START, START),), **ANY}),
        ("options", {"options": ((NOW - DAY, NOW),), **ANY}),
        ("options", {"options": ((NOW, END),), **ANY}),
        ("options", {"options": ((START, START + DAY + timedelta(seconds=1)),), **ANY}),
        ("options", {"options": ((START + 400 * DAY, END + 400 * DAY),), **ANY}),
        ("options", {"options": (FIRST, FIRST), **ANY}),
        ("options", {"options": (FIRST,)}),  # beside a window
        ("options", {"options": (FIRST,), "rrule": "FREQ=DAILY;COUNT=2", **ANY}),
        ("dueAt", {"options": (FIRST, SECOND), "due_at": END + 2 * DAY, **ANY}),
        ("rrule", {"rrule": "FREQ=WEEKLY"}),  # without an end
        ("rrule", {"rrule": "FREQ=YEARLY;COUNT=2"}),
        ("rrule", {"rrule": "FREQ=DAILY;COUNT=61"}),
        ("rrule", {"rrule": "FREQ=DAILY;COUNT=1"}),
        ("rrule", {"rrule": "FREQ=MONTHLY;COUNT=15"}),  # more than 400 days
        ("rrule", {"rrule": "FREQ=WEEKLY;BYDAY=MO;COUNT=4"}),  # the window is a Tuesday's
        ("rrule", {"rrule": "FREQ=WEEKLY;UNTIL=20261101"}),  # over before it begins
        ("rrule", {"rrule": "FREQ=WEEKLY;COUNT=4", **ANY}),  # nothing to repeat
        ("rrule", {"rrule": "FREQ=WEEKLY;COUNT=4", "window_to": START + 2 * DAY}),  # no appointment
    ],
)
async def test_bad_input_is_refused_by_field(scene: Scene, field: str, over: dict[str, Any]) -> None:
    async with refused(scene, InvalidInput, field=field):
        await scene.need(opened=False, **over)


async def test_staff_say_how_hard_it_is_and_it_comes_one_step_earlier(scene: Scene) -> None:
    for urgency, vulnerability, priority in ((2, 0, 2), (2, 1, 2), (2, 2, 3), (3, 3, 4), (4, 3, 4)):
        need = await scene.need("staff", opened=False, urgency=urgency, vulnerability=vulnerability)
        assert (await scene.row("need", need))["priority"] == priority


async def test_how_one_gets_in_is_for_whoever_asks_to_say(scene: Scene) -> None:
    need = await scene.need(opened=False, hints=(Hint.NO_LIFT, Hint.STEPS_AT_DOOR))
    assert (await scene.row("need", need))["hints"] == ["NO_LIFT", "STEPS_AT_DOOR"]
    async with refused(scene, InvalidInput, field="hints"):
        await actions.edit_need(scene.as_("daughter"), need, 1, {"hints": [Hint.LIFTING]})
    await actions.edit_need(scene.as_("daughter"), need, 1, {"hints": [Hint.BARRIER_FREE]})
    await actions.edit_need(scene.as_("staff"), need, 2, {"hints": [Hint.LIFTING, Hint.NO_LIFT]})
    await actions.edit_need(scene.as_("daughter"), need, 3, {"hints": [Hint.NARROW_DOOR]})  # the staff's stay
    assert (await scene.row("need", need))["hints"] == ["LIFTING", "NARROW_DOOR"]


async def qualify(scene: Scene, name: str, type: str, until: datetime) -> None:
    await insert(
        scene.c,
        "qualification",
        person_id=scene.n.people[name],
        type=type,
        number=b"x",
        number_index=name.encode(),
        number_masked="*",
        issued_by="发证机关",
        valid_to=until.date(),
        status="VERIFIED",
        decided_by=scene.n.people["staff"],
        decided_at=NOW,
        created_at=NOW,
    )


@pytest.mark.parametrize(
    ("over", "missing"),
    [
        ({"skill": "HAIRDRESSING"}, Missing.SKILL),
        ({"certificate": QualificationType.NURSE}, Missing.CERTIFICATE),
        ({"language": Language.SIGN}, Missing.LANGUAGE),
        ({"gender_required": True, "gender_preference": GenderPreference.FEMALE}, Missing.GENDER),
    ],
)
async def test_who_lacks_what_is_required_does_not_serve(scene: Scene, over: dict[str, Any], missing: Missing) -> None:
    need = await scene.need(**over)
    wang, zhao = (scene.n.volunteer_ids[name] for name in ("wang", "zhao"))
    for _ in range(2):
        async with refused(scene, NotQualified, missing=missing):
            await actions.claim_need(scene.as_("wang"), need)
        async with refused(scene, NotQualified, missing=missing):
            await actions.propose_commitment(scene.as_("staff"), need, volunteer=wang)
        async with refused(scene, NotQualified, missing=missing):
            await actions.claim_need(scene.as_("ngo"), need, volunteer=zhao)
        await qualify(scene, "wang", "NURSE", NOW - DAY)  # expired yesterday: nothing changes (I11)
    unnamed = await actions.claim_need(scene.as_("ngo"), need)
    await actions.decline_commitment(scene.as_("ngo"), unnamed)
    await scene.c.execute("UPDATE volunteer SET skills = '{HAIRDRESSING}', languages = '{SIGN}'")
    await scene.c.execute("UPDATE person SET gender = 'FEMALE' WHERE id = $1", scene.n.people["zhao"])
    await qualify(scene, "zhao", "NURSE", NOW + WEEK)
    await actions.claim_need(scene.as_("zhao"), need)
    assert await scene.counts(need) == ("OPEN", 2, 1, 0)


async def test_a_korean_speaker_is_wished_for_and_no_bar(scene: Scene) -> None:
    need = await scene.need(language=Language.KOREAN, gender_preference=GenderPreference.FEMALE)
    await actions.claim_need(scene.as_("wang"), need)


async def test_all_who_serve_come_at_the_same_appointment(scene: Scene) -> None:
    need = await scene.need(quantity=3, options=(FIRST, SECOND, THIRD), **ANY)
    row = await scene.row("need", need)
    assert (row["window_from"], row["window_to"], row["due_at"]) == (START, THIRD[1], THIRD[1])
    first, second, third = await options(scene, need)
    made = await actions.claim_need(scene.as_("wang"), need, option=second)
    held = await scene.row("commitment", made)
    assert (held["option_id"], held["slot_from"], held["slot_to"]) == (second, *SECOND)
    assert await chosen(scene, need) == 1
    for other in (first, third):
        async with refused(scene, OtherAppointment, number=2):
            await actions.claim_need(scene.as_("zhao"), need, option=other)
    async with refused(scene, OtherAppointment, number=2):
        await actions.propose_commitment(scene.as_("staff"), need, volunteer=scene.n.volunteer_ids["zhao"], slot=FIRST)
    follows = await actions.claim_need(scene.as_("zhao"), need)  # the default is what others chose
    assert (await scene.row("commitment", follows))["option_id"] == second
    await actions.accept_commitment(scene.as_("daughter"), made)
    booked = await scene.c.fetchval("SELECT during FROM booking WHERE commitment_id = $1", made)
    assert (booked.lower, booked.upper) == SECOND


async def test_without_a_word_it_is_the_first_that_is_not_over(scene: Scene) -> None:
    need = await scene.need(quantity=3, options=(FIRST, SECOND), **ANY)
    first, second = await options(scene, need)
    made = await actions.claim_need(scene.as_("wang"), need)
    assert (await scene.row("commitment", made))["option_id"] == first
    await actions.decline_commitment(scene.as_("wang"), made)
    assert await chosen(scene, need) is None
    scene.now = FIRST[1]
    async with refused(scene, InvalidInput, field="option"):
        await actions.claim_need(scene.as_("wang"), need, option=first)
    made = await actions.claim_need(scene.as_("wang"), need)
    assert (await scene.row("commitment", made))["option_id"] == second


async def test_when_nobody_is_left_the_appointments_are_free_again(scene: Scene) -> None:
    need = await scene.need(quantity=2, options=(FIRST, SECOND), **ANY)
    first, second = await options(scene, need)
    a = await actions.claim_need(scene.as_("wang"), need, option=first)
    b = await actions.claim_need(scene.as_("zhao"), need)
    await actions.decline_commitment(scene.as_("wang"), a)
    assert await chosen(scene, need) == 0
    async with refused(scene, OtherAppointment, number=1):
        await actions.claim_need(scene.as_("wang"), need, option=second)
    scene.later(hours=24)  # b's hold is over: released, whether or not a job has written so
    made = await actions.claim_need(scene.as_("wang"), need, option=second)
    assert (await scene.row("commitment", b))["status"] == "LAPSED"
    assert (await scene.row("commitment", made))["slot_from"] == SECOND[0]
    assert await chosen(scene, need) == 1


async def test_what_is_over_leaves_the_rest_to_choose(scene: Scene) -> None:
    need = await scene.need(quantity=2, options=(FIRST, SECOND), **ANY)
    await scene.delivered(need, "wang")
    assert await chosen(scene, need) is None
    second = (await options(scene, need))[1]
    made = await actions.claim_need(scene.as_("zhao"), need, option=second)
    assert (await scene.row("commitment", made))["option_id"] == second


async def test_an_appointment_of_another_need_is_none(scene: Scene) -> None:
    need, other = [await scene.need(options=(FIRST, SECOND), **ANY) for _ in range(2)]
    stranger = (await options(scene, other))[0]
    async with refused(scene, InvalidInput, field="option"):
        await actions.claim_need(scene.as_("wang"), need, option=stranger)
    async with refused(scene, InvalidInput, field="option"):
        await actions.claim_need(scene.as_("wang"), await scene.need(), option=stranger)
    async with refused(scene, InvalidInput, field="option"):
        await actions.propose_commitment(
            scene.as_("staff"), need, volunteer=scene.n.volunteer_ids["wang"], slot=(START, END + timedelta(minutes=1))
        )


async def test_two_appointments_at_one_time_book_nobody_twice(scene: Scene) -> None:
    need = await scene.need(options=(FIRST, SECOND), **ANY)
    busy = await scene.need(window_from=SECOND[0], window_to=SECOND[1])
    for made in (
        await actions.claim_need(scene.as_("wang"), busy),
        await actions.claim_need(scene.as_("zhao"), need, option=(await options(scene, need))[1]),
    ):
        await actions.accept_commitment(scene.as_("daughter"), made)
    made = await actions.claim_need(scene.as_("wang"), need)
    async with refused(scene, OverlappingBooking):
        await actions.accept_commitment(scene.as_("daughter"), made)


async def test_appointments_change_until_somebody_has_promised(scene: Scene) -> None:
    need = await scene.need(opened=False, options=(FIRST, SECOND), **ANY)
    async with refused(scene, InvalidInput, field="options"):
        await actions.edit_need(scene.as_("daughter"), need, 1, {"window_from": START})
    await actions.edit_need(scene.as_("daughter"), need, 1, {"choices": [SECOND, THIRD]})
    row = await scene.row("need", need)
    assert (row["options"], row["window_from"], row["due_at"]) == (2, SECOND[0], THIRD[1])
    await actions.verify_need(scene.as_("staff"), need)
    made = await actions.claim_need(scene.as_("wang"), need)
    version = (await scene.row("need", need))["version"]
    for change in ({"choices": [FIRST]}, {"skill_code": "HAIRDRESSING"}, {"language": Language.SIGN}):
        async with refused(scene, CommitmentsUnderWay, count=1):
            await actions.edit_need(scene.as_("staff"), need, version, change)
    await actions.decline_commitment(scene.as_("wang"), made)
    await actions.edit_need(scene.as_("staff"), need, version, {"choices": [], "window_from": START, "window_to": END})
    assert await options(scene, need) == []
    assert (await scene.row("commitment", made))["option_id"] is None  # what it was for stays in its slot
    with pytest.raises(InvalidInput, match="技能不存在"):
        await actions.edit_need(scene.as_("staff"), need, version + 1, {"skill_code": "FLYING"})


async def series(scene: Scene, need: UUID) -> list[dict[str, Any]]:
    rows = await scene.c.fetch("SELECT id FROM need WHERE series_id = $1 ORDER BY window_from", need)
    return [await scene.row("need", row["id"]) for row in rows]


WEEKLY = "FREQ=WEEKLY;BYDAY=TU;COUNT=4"


async def test_what_repeats_becomes_needs_of_their_own_when_it_opens(scene: Scene) -> None:
    need = await scene.need(opened=False, rrule=WEEKLY)
    assert await series(scene, need) == []
    await actions.verify_need(scene.as_("staff"), need, hints=[Hint.STEADY_ARM])
    rows = await series(scene, need)
    assert [row["window_from"] for row in rows] == [START + n * WEEK for n in range(4)]
    assert {f"{row['window_from'].astimezone(SHANGHAI):%H:%M}" for row in rows} == {"08:30"}
    first, *others = rows
    assert (first["id"], first["rrule"], first["parent_id"]) == (
        need,
        WEEKLY.replace("BYDAY=TU;COUNT=4", "COUNT=4;BYDAY=TU"),
        None,
    )
    for row in others:
        assert (row["parent_id"], row["rrule"], row["status"], row["due_at"]) == (need, None, "OPEN", row["window_to"])
        assert (row["title"], row["note"], row["hints"]) == ("陪诊", "三楼，行动不便", ["STEADY_ARM"])
        assert (row["qty_total"], row["qty_committed"], row["beneficiary_id"]) == (2, 0, scene.n.residents["daughter"])
        assert row["no"] != first["no"]
    await actions.claim_need(scene.as_("wang"), others[0]["id"])
    assert await scene.counts(need) == ("OPEN", 2, 0, 0)


async def test_what_is_held_back_repeats_when_it_opens(scene: Scene) -> None:
    need = await scene.need(opened=False, rrule=WEEKLY)
    await actions.verify_need(scene.as_("staff"), need, publish=False)
    assert await series(scene, need) == []
    scene.now = START + WEEK  # the second is under way, and the first is over
    with pytest.raises(InvalidInput):  # its window is over, so it cannot be edited into a later one
        await actions.edit_need(scene.as_("staff"), need, 2, {"window_from": START - DAY, "window_to": END - DAY})
    await actions.open_need(scene.as_("staff"), need)
    assert len(await series(scene, need)) == 4


async def test_one_of_a_series_or_all_that_follow_are_taken_back(scene: Scene) -> None:
    need = await scene.need(rrule=WEEKLY)
    ids = [row["id"] for row in await series(scene, need)]
    claimed = await actions.claim_need(scene.as_("wang"), ids[3])
    await actions.cancel_need(scene.as_("daughter"), ids[1], "那天有事")
    assert [(await scene.counts(id))[0] for id in ids] == ["OPEN", "CANCELLED", "OPEN", "OPEN"]
    await actions.cancel_need(scene.as_("daughter"), ids[2], "不再需要", following=True)
    assert [(await scene.counts(id))[0] for id in ids] == ["OPEN", "CANCELLED", "CANCELLED", "CANCELLED"]
    assert (await scene.row("commitment", claimed))["status"] == "DECLINED"


async def test_what_is_being_served_keeps_the_rest_of_its_series(scene: Scene) -> None:
    need = await scene.need(rrule=WEEKLY)
    ids = [row["id"] for row in await series(scene, need)]
    made = await scene.confirmed(ids[3])
    await actions.start_service(scene.as_("wang"), made)
    async with refused(scene, CommitmentsUnderWay, count=1):
        await actions.cancel_need(scene.as_("staff"), need, "不再需要", following=True)


async def test_the_rule_changes_until_it_has_opened(scene: Scene) -> None:
    need = await scene.need(opened=False, rrule=WEEKLY)
    async with refused(scene, InvalidInput, field="rrule"):
        await actions.edit_need(scene.as_("daughter"), need, 1, {"rrule": "FREQ=DAILY"})
    async with refused(scene, InvalidInput, field="rrule"):  # a Monday would not be the first
        moved = {"window_from": START - DAY + WEEK, "window_to": END - DAY + WEEK}
        await actions.edit_need(scene.as_("daughter"), need, 1, moved)
    await actions.edit_need(scene.as_("daughter"), need, 1, {"rrule": "FREQ=DAILY;COUNT=2"})
    await actions.verify_need(scene.as_("staff"), need)
    assert len(await series(scene, need)) == 2
    version = (await scene.row("need", need))["version"]
    async with refused(scene, InvalidInput, field="rrule"):
        await actions.edit_need(scene.as_("staff"), need, version, {"rrule": None})


async def test_staff_of_a_restricted_series_see_each_of_it(scene: Scene) -> None:
    need = await scene.need("staff", rrule=WEEKLY, sensitivity=Sensitivity.RESTRICTED)
    for row in await series(scene, need):
        named = await scene.c.fetch("SELECT person_id FROM need_staff WHERE need_id = $1", row["id"])
        assert {r["person_id"] for r in named} == {scene.n.people["staff"], scene.n.people["colleague"]}
        with pytest.raises(NotFound):
            await actions.cancel_need(scene.as_("social_worker"), row["id"], "看不到")


async def test_who_served_last_is_known_for_the_next_time(scene: Scene) -> None:
    need = await scene.need(rrule=WEEKLY)
    first, second = [row["id"] for row in await series(scene, need)][:2]

    async def previous(of: UUID) -> UUID | None:
        found: UUID | None = await scene.c.fetchval("SELECT previous_helper($1)", of)
        return found

    assert await previous(second) is None
    done = await scene.delivered(first)
    assert await previous(second) is None  # not before it is found good
    await actions.complete_commitment(scene.as_("daughter"), done)
    assert await previous(second) == scene.n.people["wang"]
    assert await previous(first) is None
    other = await scene.need(category=scene.n.categories["HEALTH.LECTURES"])
    assert await previous(other) is None
