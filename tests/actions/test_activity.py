"""Sessions from planning to locking, and who gets a place in them."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import asyncpg
import pytest

from models import vault
from models.access import Actor, Role
from models.activity import actions, problems
from models.exchange.problems import OverlappingBooking, OwnNeed, VolunteerInactive
from models.people.problems import OrganizationNotVerified
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion
from tests.make_activity import ELSEWHERE, MORNING, World, at, attend, world


@pytest.fixture
async def there(connection: asyncpg.Connection, now) -> World:
    return await world(connection, now)


async def test_places_are_given_in_order_and_the_waitlist_moves_up(there: World) -> None:
    session = await there.session(capacity=3)
    people = [await there.volunteer() for _ in range(6)]
    parts = [await actions.sign_up(there.as_(p), session) for p in people]
    states = [(await there.row("attendance", p))["status"] for p in parts]
    assert states == ["ACCEPTED"] * 3 + ["WAITLISTED"] * 3
    await actions.withdraw(there.as_(people[1]), parts[1])
    states = [(await there.row("attendance", p))["status"] for p in parts]
    assert states == ["ACCEPTED", "WITHDRAWN", "ACCEPTED", "ACCEPTED", "WAITLISTED", "WAITLISTED"]
    held = await there.row("service_session", session)
    assert (held["accepted_count"], held["arrivals"]) == (3, 6)
    with pytest.raises(problems.CapacityBelowAccepted) as caught:
        await actions.edit_session(there.as_(there.ngo), session, 1, {"capacity": 2})
    assert caught.value.accepted == 3
    assert (await there.row("service_session", session))["capacity"] == 3
    await actions.edit_session(there.as_(there.ngo), session, 1, {"capacity": 4})
    states = [(await there.row("attendance", p))["status"] for p in parts]
    assert states == ["ACCEPTED", "WITHDRAWN", "ACCEPTED", "ACCEPTED", "ACCEPTED", "WAITLISTED"]
    with pytest.raises(StaleVersion):
        await actions.edit_session(there.as_(there.ngo), session, 1, {"capacity": 9})


async def test_the_waitlist_passes_over_who_cannot_come(there: World) -> None:
    session, other = await there.session(capacity=1), await there.session(capacity=5)
    first, busy, free = [await there.volunteer() for _ in range(3)]
    part = await actions.sign_up(there.as_(first), session)
    waiting = [await actions.sign_up(there.as_(p), session) for p in (busy, free)]
    await actions.sign_up(there.as_(busy), other)
    await actions.excuse(there.as_(there.ngo), part, "家中有事")
    assert [(await there.row("attendance", w))["status"] for w in waiting] == ["WAITLISTED", "ACCEPTED"]
    assert (await there.row("service_session", session))["accepted_count"] == 1


async def test_who_may_not_sign_up(there: World) -> None:
    session = await there.session(min_age=16)
    fine = await there.volunteer()
    await actions.sign_up(there.as_(fine), session)
    with pytest.raises(problems.AlreadySignedUp) as caught:
        await actions.sign_up(there.as_(fine), session)
    assert caught.value.status == "ACCEPTED"
    overlapping = await there.session(starts_at=at("11:59"), ends_at=at("13:00"))
    with pytest.raises(OverlappingBooking):
        await actions.sign_up(there.as_(fine), overlapping)
    unconsented = await there.volunteer("PENDING_GUARDIAN", date(2029, 11, 3))
    with pytest.raises(VolunteerInactive):
        await actions.sign_up(there.as_(unconsented), session)
    with pytest.raises(problems.BelowMinimumAge):
        await actions.sign_up(there.as_(await there.volunteer(adult_on=date(2028, 11, 4))), session)
    sixteen = await there.volunteer(adult_on=date(2028, 11, 3))
    await actions.sign_up(there.as_(sixteen), session)
    night = await there.session(starts_at=at("20:00", 4), ends_at=at("22:30", 4))
    with pytest.raises(problems.MinorAtNight):
        await actions.sign_up(there.as_(sixteen), night)
    with pytest.raises(problems.SignUpClosed):
        await actions.sign_up(there.as_(await there.volunteer(), at("12:00")), session)
    with pytest.raises(Forbidden):
        await actions.sign_up(there.as_(there.ngo), session)
    planned = await there.session(publish=False)
    with pytest.raises(NotFound):
        await actions.sign_up(there.as_(await there.volunteer()), planned)
    assert (await there.row("service_session", session))["accepted_count"] == 2
    assert (await there.row("service_session", overlapping))["arrivals"] == 0


async def test_nobody_serves_his_own_need(there: World) -> None:
    asker = await there.volunteer()
    need = await there.need(quantity=3, requester=asker.person)
    promised = await there.commitment(need, organization=there.organization, quantity=3)
    session = await there.session(commitments=((promised, None),))
    with pytest.raises(OwnNeed):
        await actions.sign_up(there.as_(asker), session)


async def test_where_approval_is_asked_staff_decide(there: World) -> None:
    session = await there.session(capacity=1, needs_approval=True)
    people = [await there.volunteer() for _ in range(4)]
    parts = [await actions.sign_up(there.as_(p), session) for p in people]
    assert (await there.row("service_session", session))["accepted_count"] == 0
    with pytest.raises(Forbidden):
        await actions.accept(there.as_(people[0]), parts[0])
    await actions.accept(there.as_(there.ngo), parts[2])
    with pytest.raises(problems.SessionFull):
        await actions.accept(there.as_(there.ngo), parts[0])
    await actions.waitlist(there.as_(there.ngo), parts[1])
    await actions.waitlist(there.as_(there.ngo), parts[0])
    await actions.refuse(there.as_(there.ngo), parts[3], "人手已够")
    await actions.withdraw(there.as_(people[2]), parts[2])
    states = [(await there.row("attendance", p))["status"] for p in parts]
    assert states == ["ACCEPTED", "WAITLISTED", "WITHDRAWN", "REFUSED"]
    with pytest.raises(InvalidTransition):
        await actions.accept(there.as_(there.ngo), parts[1])


async def test_a_session_is_cancelled_before_it_runs(there: World) -> None:
    session = await there.session(capacity=1)
    people = [await there.volunteer() for _ in range(2)]
    parts = [await actions.sign_up(there.as_(p), session) for p in people]
    foreign = Actor(Role.NGO_STAFF, there.ngo.person, organization=UUID(int=7))
    for actor in (foreign, people[0]):
        with pytest.raises(Forbidden):
            await actions.cancel_session(there.as_(actor), session, "大雪")
    await actions.cancel_session(there.as_(there.ngo), session, "大雪")
    rows = [await there.row("attendance", p) for p in parts]
    keys = await vault.load(there.connection)
    told = [keys.open(vault.Kind.CARE, r["reason"], r["volunteer_id"]) for r in rows]
    assert [(r["status"], why) for r, why in zip(rows, told, strict=True)] == [("EXCUSED", "大雪"), ("LAPSED", "大雪")]
    assert await there.all("SELECT 1 FROM booking") == []
    assert (await there.row("service_session", session))["accepted_count"] == 0
    again = await there.session()
    await actions.sign_up(there.as_(people[0]), again)
    with pytest.raises(InvalidTransition):
        await actions.cancel_session(there.as_(there.ngo), session, "大雪")


async def test_a_new_time_moves_the_bookings(there: World) -> None:
    session = await there.session()
    v = await there.volunteer()
    part = await actions.sign_up(there.as_(v), session)
    later = {"starts_at": at("14:00"), "ends_at": at("16:00")}
    await actions.edit_session(there.as_(there.ngo), session, 1, later)
    [booked] = await there.all("SELECT lower(during) AS f, upper(during) AS t FROM booking")
    assert (booked["f"], booked["t"]) == (at("14:00"), at("16:00"))
    assert (await there.row("attendance", part))["starts_at"] == at("14:00")
    other = await there.session()
    await actions.sign_up(there.as_(v), other)
    async with there.connection.transaction():
        with pytest.raises(OverlappingBooking):
            async with there.connection.transaction():
                await actions.edit_session(there.as_(there.ngo), session, 2, {"starts_at": at("11:00")})
    assert (await there.row("service_session", session))["starts_at"] == at("14:00")
    for bad in ({"ends_at": at("13:00")}, {"capacity": 0}, {"title": "x"}, {"place": "\x00"}, {"latitude": 1.0}):
        with pytest.raises(InvalidInput):
            await actions.edit_session(there.as_(there.ngo), session, 2, bad)


async def test_a_session_is_settled_confirmed_and_locked(there: World) -> None:
    session = await there.session()
    came, forgot, absent = [await there.volunteer() for _ in range(3)]
    credited = await attend(there, session, came, "09:00", "12:00")
    open_ = await attend(there, session, forgot, "09:00", None)
    missing = await actions.sign_up(there.as_(absent), session)
    with pytest.raises(InvalidTransition):
        await actions.cancel_session(there.as_(there.ngo, at("10:00")), session, "大雪")
    await actions.end_session(there.as_(there.ngo, at("12:30")), session)
    with pytest.raises(problems.SessionUnsettled) as caught:
        await actions.confirm_session(there.as_(there.ngo, at("15:00")), session)
    assert (caught.value.checked_in, caught.value.pending) == (1, 0)
    proposal = await actions.propose_hours(there.as_(there.ngo, at("15:00")), open_, 170, "忘记签退", "照片")
    with pytest.raises(problems.SessionUnsettled):
        await actions.confirm_session(there.as_(there.ngo, at("15:00")), session)
    await actions.approve_hours(there.as_(there.worker, at("15:30")), proposal)
    await actions.rate(there.as_(there.ngo, at("15:30")), credited, 5)
    await actions.record_headcount(there.as_(there.ngo, at("15:30")), session, 12, 5)
    await actions.confirm_session(there.as_(there.ngo, at("16:00")), session)
    assert (await there.row("attendance", missing))["status"] == "ABSENT"
    with pytest.raises(Forbidden):
        await actions.lock_session(there.as_(there.ngo, at("16:00")), session)
    await actions.lock_session(there.as_(there.staff, at("16:00")), session)
    for change in (
        actions.record_headcount(there.as_(there.ngo, at("17:00")), session, 1, 1),
        actions.rate(there.as_(there.ngo, at("17:00")), credited, 1),
        actions.edit_session(there.as_(there.ngo, at("17:00")), session, 1, {"capacity": 99}),
    ):
        with pytest.raises(InvalidTransition):
            await change
    for sql in (
        "UPDATE service_session SET headcount_registered = 1",
        "DELETE FROM service_session",
        "UPDATE attendance SET rating = 1 WHERE status = 'CONFIRMED'",
        "DELETE FROM attendance",
    ):
        with pytest.raises(asyncpg.PostgresError, match="a locked session does not change"):
            async with there.connection.transaction():
                await there.connection.execute(sql)
    held = await there.row("service_session", session)
    assert (held["headcount_registered"], held["headcount_unregistered"]) == (12, 5)


async def test_a_correction_after_locking_is_booked_in_the_open_period(there: World) -> None:
    session = await there.session()
    part = await attend(there, session, await there.volunteer(), "09:00", "12:00")
    await actions.end_session(there.as_(there.ngo, at("12:30")), session)
    await actions.confirm_session(there.as_(there.ngo, at("12:30")), session)
    await actions.lock_session(there.as_(there.staff, at("12:30")), session)
    [credit] = await there.all("SELECT * FROM hour_entry")
    december = MORNING + timedelta(days=30)
    await actions.reverse_hours(there.as_(there.worker, december), credit["id"], "早退一小时", 120)
    days = [r["credited_on"] for r in await there.all("SELECT credited_on FROM hour_entry ORDER BY at, id")]
    assert days == [date(2026, 11, 3), date(2026, 12, 3), date(2026, 12, 3)]
    assert (await there.row("attendance", part))["credited_minutes"] == 120


async def test_a_session_that_nobody_came_to_ends(there: World) -> None:
    session = await there.session()
    with pytest.raises(problems.SessionNotOver):
        await actions.end_session(there.as_(there.ngo, at("11:00")), session)
    await actions.end_session(there.as_(there.ngo, at("12:00")), session)
    assert (await there.row("service_session", session))["status"] == "ENDED"


async def test_an_activity_has_sessions_of_its_own_organization(there: World) -> None:
    draft = actions.ActivityDraft("周六托管班", there.category, there.community, date(2026, 11, 1), date(2026, 12, 31))
    id = await actions.create_activity(there.as_(there.ngo), draft)
    session = await actions.create_session(
        there.as_(there.ngo),
        actions.SessionDraft(activity=id, starts_at=at("09:00"), ends_at=at("11:00"), capacity=15),
    )
    held = await there.row("service_session", session)
    assert (held["activity_id"], held["title"], held["category_code"]) == (id, "周六托管班", "CHILDCARE")
    with pytest.raises(NotFound):
        await there.session(there.staff, activity=id)
    await there.connection.execute("UPDATE organization SET verified_state = 'PENDING'")
    with pytest.raises(OrganizationNotVerified):
        await actions.create_activity(there.as_(there.ngo), draft)
    with pytest.raises(InvalidInput):
        bad = actions.ActivityDraft("周六托管班", there.category, there.community, date(2026, 11, 2), date(2026, 11, 1))
        await actions.create_activity(there.as_(there.staff), bad)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"capacity": None}, "capacity"),
        ({"capacity": 0}, "capacity"),
        ({"ends_at": at("08:00")}, "endsAt"),
        ({"starts_at": None}, "startsAt"),
        ({"category": None}, "category"),
        ({"radius_m": 1}, "radiusM"),
        ({"title": "\ud800x"}, "title"),
        ({"latitude": 95.0, "longitude": 0.0}, "latitude"),
    ],
)
async def test_a_session_is_of_sound_input(there: World, bad: dict, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await there.session(**bad)
    assert caught.value.field == field


async def test_a_community_plans_no_session_of_another_ones_activity(there: World) -> None:
    draft = actions.ActivityDraft("邻里读书会", there.category, there.community, date(2026, 11, 1))
    programme = await actions.create_activity(there.as_(there.staff), draft)
    elsewhere = Actor(Role.COMMUNITY_STAFF, there.worker.person, area=ELSEWHERE)
    other = await there.connection.fetchval("SELECT id FROM division WHERE code = $1", ELSEWHERE)
    with pytest.raises(NotFound):
        await there.session(elsewhere, activity=programme, community=other)
    await there.session(there.staff, activity=programme)


async def test_a_change_leaves_nobody_too_young(there: World) -> None:
    session = await there.session(capacity=2)
    sixteen = await there.volunteer(adult_on=date(2028, 11, 3))
    part = await actions.sign_up(there.as_(sixteen), session)
    await actions.sign_up(there.as_(await there.volunteer()), session)
    waiting = await actions.sign_up(there.as_(await there.volunteer(adult_on=date(2028, 11, 3))), session)
    for problem, change in (
        (problems.MinorAtNight, {"starts_at": at("20:00"), "ends_at": at("22:30")}),
        (problems.MinorAtNight, {"ends_at": at("22:30")}),
        (problems.BelowMinimumAge, {"min_age": 17}),
        (problems.BelowMinimumAge, {"min_age": 16, "starts_at": at("20:00", 2)}),
    ):
        with pytest.raises(problem):
            await actions.edit_session(there.as_(there.ngo), session, 1, change)
    await actions.edit_session(there.as_(there.ngo), session, 1, {"min_age": 16})
    await actions.excuse(there.as_(there.ngo), part, "家中有事")
    assert (await there.row("attendance", waiting))["status"] == "ACCEPTED"
    await actions.excuse(there.as_(there.ngo), waiting, "家中有事")
    await actions.edit_session(there.as_(there.ngo), session, 2, {"min_age": 17})


async def test_the_waitlist_passes_over_who_has_become_too_young(there: World) -> None:
    session = await there.session(capacity=1)
    part = await actions.sign_up(there.as_(await there.volunteer()), session)
    young, grown = await there.volunteer(adult_on=date(2028, 11, 3)), await there.volunteer()
    waiting = [await actions.sign_up(there.as_(p), session) for p in (young, grown)]
    await actions.edit_session(there.as_(there.ngo), session, 1, {"min_age": 18})
    await actions.withdraw(
        there.as_(Actor(Role.VOLUNTEER, (await there.row("attendance", part))["volunteer_id"])), part
    )
    assert [(await there.row("attendance", w))["status"] for w in waiting] == ["WAITLISTED", "ACCEPTED"]


async def test_nobody_gives_himself_a_place(there: World) -> None:
    session = await there.session(needs_approval=True)
    v = await there.volunteer()
    part = await actions.sign_up(there.as_(v), session)
    himself = Actor(Role.COMMUNITY_STAFF, v.person, area=there.area)
    with pytest.raises(problems.SecondPersonNeeded):
        await actions.accept(there.as_(himself), part)
    await actions.accept(there.as_(there.staff), part)
