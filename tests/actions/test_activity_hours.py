"""Check-in, check-out, and the hours that come of them, with exact figures."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from models.access import Actor, Role, seen
from models.activity import actions, problems
from models.activity.tables import SessionCode
from models.base import table
from models.database import Seen
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from tests.make_activity import VOLUNTEER, World, at, attend, balance, credits, world


@pytest.fixture
async def there(connection: asyncpg.Connection, now) -> World:
    return await world(connection, now)


async def test_hours_of_a_morning(there: World) -> None:
    session = await there.session()
    a, b = await there.volunteer(), await there.volunteer()
    first = await attend(there, session, a, "09:00", "12:04")
    second = await attend(there, session, b, "09:00", "10:30")
    assert await credits(there, first) == [("CREDIT", 1, 180, "CONFIRMED")]
    assert await credits(there, second) == [("CREDIT", 1, 90, "CONFIRMED")]
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
    assert await credits(there, part) == []
    await actions.approve_hours(there.as_(there.worker, late), proposal)
    for _ in range(4):
        with pytest.raises(InvalidTransition):
            await actions.approve_hours(there.as_(there.worker, late), proposal)
    assert await credits(there, part) == [("CREDIT", 1, 180, "MANUAL")]
    [entry] = await there.all("SELECT * FROM hour_entry")
    assert (entry["approved_by"], entry["reason"]) == (there.worker.person, "忘记签退")


async def test_a_rejected_proposal_makes_room_for_another(there: World) -> None:
    session = await there.session()
    part = await actions.sign_up(there.as_(await there.volunteer()), session)
    first = await actions.propose_hours(there.as_(there.ngo, at("13:00")), part, 60, "未签到", "照片")
    await actions.reject_hours(there.as_(there.worker, at("13:10")), first, "照片看不清")
    second = await actions.propose_hours(there.as_(there.ngo, at("13:20")), part, 60, "未签到", "签到表")
    await actions.approve_hours(there.as_(there.staff, at("13:30")), second)
    assert await credits(there, part) == [("CREDIT", 1, 60, "MANUAL")]


async def test_a_credit_is_corrected_by_reversal(there: World) -> None:
    session = await there.session()
    a = await there.volunteer()
    part = await attend(there, session, a, "09:00", "12:04")
    [credit] = await there.all("SELECT id FROM hour_entry")
    with pytest.raises(Forbidden):
        await actions.reverse_hours(there.as_(there.ngo, at("15:00")), credit["id"], "早退", 120)
    await actions.reverse_hours(there.as_(there.worker, at("15:00")), credit["id"], "早退一小时", 120)
    assert await credits(there, part) == [
        ("CREDIT", 1, 180, "CONFIRMED"),
        ("REVERSAL", 1, -180, "CONFIRMED"),
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
    assert (await credits(there, part))[-1] == ("CREDIT", 3, 30, "CONFIRMED")


async def test_a_day_holds_twelve_hours(there: World) -> None:
    a = await there.volunteer()
    day = await there.session(starts_at=at("06:00"), ends_at=at("16:00"))
    evening = await there.session(starts_at=at("16:00"), ends_at=at("20:00"))
    first = await attend(there, day, a, "06:00", "16:00")
    second = await attend(there, evening, a, "16:00", "20:00")
    assert [e[2] for e in await credits(there, first) + await credits(there, second)] == [600, 120]


async def test_checking_out_twice_credits_once(there: World) -> None:
    session = await there.session()
    part = await attend(there, session, await there.volunteer(), "09:00", "12:00")
    for again in (actions.check_in, actions.check_out):
        with pytest.raises(InvalidTransition):
            await again(there.as_(there.ngo, at("12:01")), part)
    assert await credits(there, part) == [("CREDIT", 1, 180, "CONFIRMED")]


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
    session = await there.session()
    code = table(SessionCode)
    read = Seen(lambda viewer: sa.select(code.c.code).where(*seen(code, "session_code", viewer)))
    foreign = Actor(Role.NGO_STAFF, there.ngo.person, organization=UUID(int=7))
    for actor in (await there.volunteer(), foreign, Actor(Role.CITY_VIEWER, area="2101"), Actor()):
        assert await there.as_(actor).all(read) == []
    for actor in (there.ngo, there.staff):
        assert len(await there.as_(actor).all(read)) == 1
    await actions.end_session(there.as_(there.ngo, at("12:00")), session)
    assert await there.as_(there.ngo).all(read) == []


@pytest.mark.parametrize("marked", ["in", "out", "both"])
async def test_hours_on_anothers_word_say_so(there: World, marked: str) -> None:
    session = await there.session()
    v = await there.volunteer()
    part = await actions.sign_up(there.as_(v), session)
    code = await there.code(session)
    came = there.ngo if marked != "out" else v
    left = there.staff if marked != "in" else v
    await actions.check_in(there.as_(came, at("09:00")), part, code=code)
    await actions.check_out(there.as_(left, at("12:00")), part, code=code)
    assert await credits(there, part) == [("CREDIT", 1, 180, "CONFIRMED")]
    [entry] = await there.all("SELECT approved_by, reason FROM hour_entry")
    assert entry["approved_by"] == (there.ngo.person if marked == "in" else there.staff.person)
    assert entry["reason"] == "工作人员点名"


async def test_nobody_answers_for_his_own_hours(there: World) -> None:
    session = await there.session(there.worker)
    own = Actor(Role.VOLUNTEER, there.worker.person, area=there.area)
    await there.connection.execute(VOLUNTEER, own.person, "ACTIVE", there.area, date(2005, 5, 5), there.now)
    part = await actions.sign_up(there.as_(own), session)
    code = await there.code(session)
    with pytest.raises(problems.WrongSignCode):
        await actions.check_in(there.as_(there.worker, at("09:00")), part)
    await actions.check_in(there.as_(own, at("09:00")), part, code=code)
    for actor in (own, there.worker):
        with pytest.raises(problems.SecondPersonNeeded):
            async with there.connection.transaction():
                await actions.check_out(there.as_(actor, at("12:00")), part, code=code)
    await actions.check_out(there.as_(there.staff, at("12:00")), part)
    assert await credits(there, part) == [("CREDIT", 1, 180, "CONFIRMED")]
    with pytest.raises(problems.SecondPersonNeeded):
        await actions.rate(there.as_(there.worker, at("13:00")), part, 5)
    await actions.rate(there.as_(there.staff, at("13:00")), part, 5)
    with pytest.raises(asyncpg.CheckViolationError):
        async with there.connection.transaction():
            await there.connection.execute(
                "UPDATE attendance SET check_in_method = 'ROSTER', check_in_by = volunteer_id WHERE id = $1", part
            )


async def test_one_person_does_not_raise_hours(there: World) -> None:
    session = await there.session()
    part = await attend(there, session, await there.volunteer(), "09:00", "11:00")
    [credit] = await there.all("SELECT id FROM hour_entry")
    late = at("15:00")
    with pytest.raises(problems.MoreThanCredited) as caught:
        async with there.connection.transaction():
            await actions.reverse_hours(there.as_(there.worker, late), credit["id"], "少记一小时", 180)
    assert caught.value.credited == 120
    await actions.reverse_hours(there.as_(there.worker, late), credit["id"], "少记一小时")
    with pytest.raises(problems.MoreThanCredited):
        await actions.credit_again(there.as_(there.staff, late), part, 121, "少记一小时")
    proposal = await actions.propose_hours(there.as_(there.ngo, late), part, 180, "少记一小时", "签到表")
    await actions.approve_hours(there.as_(there.worker, late), proposal)
    assert [e[:3] for e in await credits(there, part)] == [
        ("CREDIT", 1, 120),
        ("REVERSAL", 1, -120),
        ("CREDIT", 2, 180),
    ]
    assert (await credits(there, part))[-1] == ("CREDIT", 2, 180, "MANUAL")
