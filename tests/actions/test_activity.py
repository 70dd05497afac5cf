"""Sessions from planning to locking, sign-ups, check-ins and hours, with exact figures."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import asyncpg
import pytest

from models.access import Actor, Role
from models.activity import actions, problems
from models.exchange.actions.commitments import complete_commitment
from models.exchange.problems import OverlappingBooking, OwnNeed, VolunteerInactive
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion
from tests.make_activity import MORNING, World, at, world


@pytest.fixture
async def there(connection: asyncpg.Connection, now) -> World:
    return await world(connection, now)


async def attend(there: World, session: UUID, volunteer: Actor, came: str, left: str | None) -> UUID:
    """Signs up, checks in, and out."""
    id = await actions.sign_up(there.as_(volunteer), session)
    await actions.check_in(there.as_(there.ngo, at(came)), id)
    if left is not None:
        await actions.check_out(there.as_(there.ngo, at(left)), id)
    return id


async def entries(there: World, attendance: UUID) -> list[tuple[str, int, int, str]]:
    rows = await there.all("SELECT * FROM hour_entry WHERE attendance_id = $1 ORDER BY at, id", attendance)
    return [(r["kind"], r["revision"], r["minutes"], r["trust"]) for r in rows]


async def balance(there: World, volunteer: Actor) -> int:
    rows = await there.all("SELECT minutes FROM hour_entry WHERE volunteer_id = $1", volunteer.person)
    return sum(r["minutes"] for r in rows)


async def settle(there: World) -> None:
    await there.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


# Job 1: a need of two, served by two volunteers


async def test_two_volunteers_serve_a_need_and_it_closes(there: World) -> None:
    need = await there.need(quantity=2)
    people = [await there.volunteer(), await there.volunteer()]
    promised = [await there.commitment(need, p.person) for p in people]
    session = await there.session(there.staff, commitments=tuple((c, None) for c in promised))
    held = await there.row("service_session", session)
    assert (held["starts_at"], held["ends_at"]) == (at("08:30"), at("11:00"))
    assert (held["capacity"], held["accepted_count"], held["open_sign_up"]) == (2, 2, False)
    assert (held["need_id"], held["category_code"], held["place"]) == (need, "ELDERLY", "万莲社区")
    roster = await there.all("SELECT * FROM attendance WHERE session_id = $1 ORDER BY position", session)
    code = await there.code(session)
    for person in people:
        [part] = [r for r in roster if r["volunteer_id"] == person.person]
        await actions.check_in(there.as_(person, at("08:27")), part["id"], code=code.lower())
    assert (await there.row("service_session", session))["status"] == "RUNNING"
    assert (await there.row("need", need))["status"] == "IN_PROGRESS"
    for person in people:
        [part] = [r for r in roster if r["volunteer_id"] == person.person]
        await actions.check_out(there.as_(person, at("11:05")), part["id"], code=code)
        assert await entries(there, part["id"]) == [("CREDIT", 1, 150, "SYSTEM")]
        after = await there.row("attendance", part["id"])
        assert (after["status"], after["credited_minutes"]) == ("CONFIRMED", 150)
        assert (after["check_in_method"], after["check_out_method"]) == ("CODE", "CODE")
    asked = await there.row("need", need)
    assert (asked["status"], asked["qty_delivered"]) == ("DELIVERED", 2)
    for id in promised:
        await complete_commitment(there.as_(there.staff, at("12:00")), id, rating=5)
    asked = await there.row("need", need)
    assert (asked["status"], asked["qty_delivered"], asked["qty_total"]) == ("CLOSED", 2, 2)
    await settle(there)


# Job 2: forty for fifteen places


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


# Job 3: hours, a forgotten check-out, a correction


async def test_hours_of_a_morning(there: World) -> None:
    session = await there.session()
    a, b = await there.volunteer(), await there.volunteer()
    first = await attend(there, session, a, "09:00", "12:04")
    second = await attend(there, session, b, "09:00", "10:30")
    assert await entries(there, first) == [("CREDIT", 1, 180, "SYSTEM")]
    assert await entries(there, second) == [("CREDIT", 1, 90, "SYSTEM")]
    assert (await there.row("attendance", first))["check_in_method"] == "ROSTER"


async def test_a_forgotten_check_out_is_mended_by_two(there: World) -> None:
    session = await there.session()
    c = await there.volunteer()
    part = await attend(there, session, c, "09:00", None)
    with pytest.raises(problems.SessionNotOver):
        await actions.propose_hours(there.as_(there.ngo, at("11:59")), part, 180, "忘记签退", "现场照片")
    late = at("14:01")
    with pytest.raises(problems.CheckOutClosed):
        await actions.check_out(there.as_(there.ngo, late), part)
    with pytest.raises(problems.MinutesOverLimit) as caught:
        await actions.propose_hours(there.as_(there.ngo, late), part, 181, "忘记签退", "现场照片")
    assert caught.value.most == 180
    proposal = await actions.propose_hours(there.as_(there.ngo, late), part, 180, "忘记签退", "现场照片")
    with pytest.raises(problems.ProposalPending):
        await actions.propose_hours(there.as_(there.ngo, late), part, 170, "忘记签退", "现场照片")
    with pytest.raises(Forbidden):
        await actions.approve_hours(there.as_(there.ngo, late), proposal)
    turned = Actor(Role.SOCIAL_WORKER, there.ngo.person, area=there.area)
    with pytest.raises(problems.SecondPersonNeeded):
        await actions.approve_hours(there.as_(turned, late), proposal)
    with pytest.raises(problems.SecondPersonNeeded):
        await actions.approve_hours(there.as_(Actor(Role.SOCIAL_WORKER, c.person, area=there.area), late), proposal)
    with pytest.raises(NotFound):
        elsewhere = Actor(Role.SOCIAL_WORKER, there.worker.person, area="210103005025")
        await actions.approve_hours(there.as_(elsewhere, late), proposal)
    assert await entries(there, part) == []
    await actions.approve_hours(there.as_(there.worker, late), proposal)
    for _ in range(4):
        with pytest.raises(InvalidTransition):
            await actions.approve_hours(there.as_(there.worker, late), proposal)
    assert await entries(there, part) == [("CREDIT", 1, 180, "MANUAL")]
    [entry] = await there.all("SELECT * FROM hour_entry")
    assert (entry["approved_by"], entry["reason"]) == (there.worker.person, "忘记签退")


async def test_a_rejected_proposal_makes_room_for_another(there: World) -> None:
    session = await there.session()
    part = await actions.sign_up(there.as_(await there.volunteer()), session)
    first = await actions.propose_hours(there.as_(there.ngo, at("13:00")), part, 60, "未签到", "照片")
    await actions.reject_hours(there.as_(there.worker, at("13:10")), first, "照片看不清")
    second = await actions.propose_hours(there.as_(there.ngo, at("13:20")), part, 60, "未签到", "签到表")
    await actions.approve_hours(there.as_(there.staff, at("13:30")), second)
    assert await entries(there, part) == [("CREDIT", 1, 60, "MANUAL")]


async def test_a_credit_is_corrected_by_reversal(there: World) -> None:
    session = await there.session()
    a = await there.volunteer()
    part = await attend(there, session, a, "09:00", "12:04")
    [credit] = await there.all("SELECT id FROM hour_entry")
    with pytest.raises(Forbidden):
        await actions.reverse_hours(there.as_(there.ngo, at("15:00")), credit["id"], "早退", 120)
    await actions.reverse_hours(there.as_(there.worker, at("15:00")), credit["id"], "早退一小时", 120)
    assert await entries(there, part) == [
        ("CREDIT", 1, 180, "SYSTEM"),
        ("REVERSAL", 1, -180, "SYSTEM"),
        ("CREDIT", 2, 120, "CONFIRMED"),
    ]
    assert await balance(there, a) == 120
    assert (await there.row("attendance", part))["credited_minutes"] == 120
    with pytest.raises(problems.CreditNotLive):
        await actions.reverse_hours(there.as_(there.worker, at("15:00")), credit["id"], "早退", 60)
    [live] = await there.all("SELECT id FROM hour_entry WHERE revision = 2")
    await actions.reverse_hours(there.as_(there.worker, at("16:00")), live["id"], "未到场")
    after = await there.row("attendance", part)
    assert (after["status"], after["credited_minutes"], await balance(there, a)) == ("REVERSED", None, 0)
    await actions.credit_again(there.as_(there.staff, at("17:00")), part, 30, "核实到场半小时")
    assert await balance(there, a) == 30
    assert (await entries(there, part))[-1] == ("CREDIT", 3, 30, "CONFIRMED")


async def test_a_day_holds_twelve_hours(there: World) -> None:
    a = await there.volunteer()
    day = await there.session(starts_at=at("06:00"), ends_at=at("16:00"))
    evening = await there.session(starts_at=at("16:00"), ends_at=at("20:00"))
    first = await attend(there, day, a, "06:00", "16:00")
    second = await attend(there, evening, a, "16:00", "20:00")
    assert [e[2] for e in await entries(there, first) + await entries(there, second)] == [600, 120]


async def test_checking_out_twice_credits_once(there: World) -> None:
    session = await there.session()
    part = await attend(there, session, await there.volunteer(), "09:00", "12:00")
    for again in (actions.check_in, actions.check_out):
        with pytest.raises(InvalidTransition):
            await again(there.as_(there.ngo, at("12:01")), part)
    assert await entries(there, part) == [("CREDIT", 1, 180, "SYSTEM")]


# Proofs of presence


async def test_proofs_of_presence(there: World) -> None:
    session = await there.session(latitude=41.7968, longitude=123.4291, radius_m=200)
    v = await there.volunteer()
    part = await actions.sign_up(there.as_(v), session)
    code = await there.code(session)
    with pytest.raises(problems.CheckInClosed) as caught:
        await actions.check_in(there.as_(v, at("07:59")), part, code=code)
    assert (caught.value.opens_at, caught.value.closes_at) == (at("08:00"), at("12:00"))
    for wrong in (None, "", "AAAAAAAA"):
        with pytest.raises(problems.WrongSignCode):
            await actions.check_in(there.as_(v, at("09:00")), part, code=wrong)
    with pytest.raises(problems.TooFarAway) as far:
        await actions.check_in(there.as_(v, at("09:00")), part, latitude=41.7968, longitude=123.4391)
    assert far.value.distance_m == pytest.approx(829, abs=2)
    with pytest.raises(InvalidInput):
        await actions.check_in(there.as_(v, at("09:00")), part, latitude=41.7968)
    await actions.check_in(there.as_(v, at("09:00")), part, latitude=41.7970, longitude=123.4291)
    await actions.check_out(there.as_(v, at("12:00")), part, code=code)
    done = await there.row("attendance", part)
    assert (done["check_in_method"], done["check_out_method"], done["credited_minutes"]) == ("GEO", "CODE", 180)
    with pytest.raises(problems.CheckInClosed):
        other = await actions.sign_up(there.as_(await there.volunteer(), at("11:00")), session)
        await actions.check_in(there.as_(there.ngo, at("12:00")), other)


async def test_nobody_but_organizers_reads_the_code(there: World) -> None:
    from models.access import seen
    from models.activity.tables import SessionCode
    from models.base import table
    from models.database import Seen

    session = await there.session()
    code = table(SessionCode)
    import sqlalchemy as sa

    read = Seen(lambda viewer: sa.select(code.c.code).where(*seen(code, "session_code", viewer)))
    foreign = Actor(Role.NGO_STAFF, there.ngo.person, organization=UUID(int=7))
    for actor in (await there.volunteer(), foreign, Actor(Role.CITY_VIEWER, area="2101"), Actor()):
        assert await there.as_(actor).all(read) == []
    for actor in (there.ngo, there.staff):
        assert len(await there.as_(actor).all(read)) == 1
    await actions.end_session(there.as_(there.ngo, at("12:00")), session)
    assert await there.as_(there.ngo).all(read) == []


# A session's course


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
    assert [(r["status"], r["reason"]) for r in rows] == [("EXCUSED", "大雪"), ("LAPSED", "大雪")]
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


# Sessions and commitments


async def test_an_organization_sends_several(there: World) -> None:
    need = await there.need(quantity=5)
    promised = await there.commitment(need, organization=there.organization, quantity=3)
    session = await there.session(commitments=((promised, None),))
    held = await there.row("service_session", session)
    assert (held["capacity"], held["open_sign_up"], held["organization_id"]) == (3, True, there.organization)
    parts = [await attend(there, session, await there.volunteer(), "08:30", "11:00") for _ in range(2)]
    assert {(await there.row("attendance", p))["commitment_id"] for p in parts} == {promised}
    assert (await there.row("commitment", promised))["status"] == "IN_SERVICE"
    await actions.end_session(there.as_(there.ngo, at("11:30")), session)
    await actions.confirm_session(there.as_(there.ngo, at("11:30")), session)
    done = await there.row("commitment", promised)
    assert (done["status"], done["qty_delivered"]) == ("DELIVERED", 2)
    asked = await there.row("need", need)
    assert (asked["qty_committed"], asked["qty_delivered"], asked["status"]) == (2, 2, "IN_PROGRESS")


async def test_a_commitment_in_several_sessions_is_delivered_with_the_last(there: World) -> None:
    v = await there.volunteer()
    promised = await there.commitment(await there.need(quantity=2), v.person, quantity=2)
    for day, status in ((3, "IN_SERVICE"), (4, "DELIVERED")):
        session = await there.session(
            there.staff, commitments=((promised, 1),), starts_at=at("09:00", day), ends_at=at("10:00", day)
        )
        [part] = await there.all("SELECT id FROM attendance WHERE session_id = $1", session)
        await actions.check_in(there.as_(there.staff, at("09:00", day)), part["id"])
        await actions.check_out(there.as_(there.staff, at("10:00", day)), part["id"])
        assert (await there.row("commitment", promised))["status"] == status
    assert await balance(there, v) == 120


async def test_a_session_keeps_the_booking_of_its_commitment(there: World) -> None:
    v = await there.volunteer()
    promised = await there.commitment(await there.need(), v.person)
    session = await there.session(there.staff, commitments=((promised, None),), starts_at=at("09:00"))
    [booked] = await there.all("SELECT lower(during) AS f, commitment_id FROM booking")
    assert (booked["f"], booked["commitment_id"]) == (at("09:00"), promised)
    await actions.edit_session(there.as_(there.staff), session, 1, {"starts_at": at("08:00")})
    [booked] = await there.all("SELECT lower(during) AS f FROM booking")
    assert booked["f"] == at("08:00")


async def test_which_commitments_a_session_cannot_carry(there: World) -> None:
    v = await there.volunteer()
    need = await there.need()
    mine = await there.commitment(need, v.person, status="ACCEPTED")
    with pytest.raises(problems.NotServing):
        await there.session(there.staff, commitments=((mine, None),))
    await there.connection.execute("UPDATE commitment SET status = 'CONFIRMED'")
    with pytest.raises(NotFound):
        await there.session(there.ngo, commitments=((mine, None),))
    foreign = await there.commitment(await there.need(), organization=there.organization)
    with pytest.raises(InvalidInput):
        await there.session(there.staff, commitments=((mine, None), (foreign, None)))
    with pytest.raises(InvalidInput):
        await there.session(there.staff, commitments=((mine, None), (mine, None)))
    elsewhere = Actor(Role.COMMUNITY_STAFF, there.staff.person, area="210103005025")
    with pytest.raises(NotFound):
        await there.session(elsewhere, commitments=((mine, None),))
    with pytest.raises(Forbidden):
        await there.session(elsewhere)
    assert await there.all("SELECT 1 FROM service_session") == []


async def test_a_restricted_need_is_served_out_of_sight(there: World) -> None:
    need = await there.need(sensitivity="RESTRICTED")
    promised = await there.commitment(need, there.worker.person)
    with pytest.raises(NotFound):
        await there.session(there.staff, commitments=((promised, None),))
    await there.connection.execute(
        "INSERT INTO need_staff (need_id, person_id, named_at) VALUES ($1, $2, $3)",
        need,
        there.worker.person,
        there.now,
    )
    with pytest.raises(InvalidInput):
        await there.session(there.worker, commitments=((promised, None),), open_sign_up=True)
    session = await there.session(there.worker, commitments=((promised, None),))
    with pytest.raises(NotFound):
        await actions.cancel_session(there.as_(there.staff), session, "大雪")
    [part] = await there.all("SELECT id FROM attendance")
    code = await there.code(session)
    with pytest.raises(problems.WrongSignCode):
        await actions.check_in(there.as_(there.worker, at("08:30")), part["id"])
    await actions.check_in(there.as_(there.worker, at("08:30")), part["id"], code=code)


async def test_the_contact_is_open_until_a_day_after_the_session(there: World) -> None:
    v = await there.volunteer()
    promised = await there.commitment(await there.need(), v.person)
    await there.connection.execute(
        "INSERT INTO contact_grant (viewer_person_id, subject_id, source_id, since, until) VALUES ($1, $2, $3, $4, $5)",
        v.person,
        there.staff.person,
        promised,
        there.now,
        at("11:00", 30),
    )
    await there.session(there.staff, commitments=((promised, None),), ends_at=at("10:00"), starts_at=at("09:00"))
    [grant] = await there.all("SELECT until FROM contact_grant")
    assert grant["until"] == at("10:00", 4)


# Activities


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
    from models.people.problems import OrganizationNotVerified

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
