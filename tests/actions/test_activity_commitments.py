"""Sessions that carry out commitments: from the check-in to the closed need."""

from __future__ import annotations

import asyncpg
import pytest

from models.access import Actor, Role
from models.activity import actions, problems
from models.exchange.actions.commitments import cancel_commitment, complete_commitment
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from tests.make_activity import World, at, attend, balance, credits, world


@pytest.fixture
async def there(connection: asyncpg.Connection, now) -> World:
    return await world(connection, now)


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
        assert await credits(there, part["id"]) == [("CREDIT", 1, 150, "SYSTEM")]
        after = await there.row("attendance", part["id"])
        assert (after["status"], after["credited_minutes"]) == ("CONFIRMED", 150)
        assert (after["check_in_method"], after["check_out_method"]) == ("CODE", "CODE")
    asked = await there.row("need", need)
    assert (asked["status"], asked["qty_delivered"]) == ("DELIVERED", 2)
    for id in promised:
        await complete_commitment(there.as_(there.staff, at("12:00")), id, rating=5)
    asked = await there.row("need", need)
    assert (asked["status"], asked["qty_delivered"], asked["qty_total"]) == ("CLOSED", 2, 2)
    await there.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


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
    await there.connection.execute("UPDATE need SET skill_code = 'NURSING' WHERE id = $1", need)
    promised = await there.commitment(need, there.worker.person)  # who answers himself for what he can do
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


async def test_who_was_called_off_is_not_absent(there: World) -> None:
    need = await there.need(quantity=2)
    people = [await there.volunteer(), await there.volunteer()]
    promised = [await there.commitment(need, p.person) for p in people]
    session = await there.session(there.staff, commitments=tuple((c, None) for c in promised))
    await cancel_commitment(there.as_(there.staff), promised[0], "老人住院")
    [part] = await there.all("SELECT id FROM attendance WHERE volunteer_id = $1", people[0].person)
    with pytest.raises(InvalidTransition):
        async with there.connection.transaction():
            await actions.check_in(there.as_(there.staff, at("08:30")), part["id"])
    assert (await there.row("service_session", session))["status"] == "PUBLISHED"
    await actions.end_session(there.as_(there.staff, at("11:00")), session)
    await actions.confirm_session(there.as_(there.staff, at("11:00")), session)
    rows = await there.all("SELECT volunteer_id, status FROM attendance")
    assert {r["volunteer_id"]: r["status"] for r in rows} == {people[0].person: "EXCUSED", people[1].person: "ABSENT"}
    assert (await there.row("service_session", session))["accepted_count"] == 1
