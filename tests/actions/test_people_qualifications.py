"""Papers: who says that he has one, who has seen it, until when it counts; and what nobody serves without (I11)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.access import Actor, Role
from models.people import actions
from models.people.problems import ConflictOfInterest, OwnCase, QualificationPending, QualificationTaken
from models.people.qualifications import QualificationType as T
from models.people.qualifications import mask_licence
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion
from models.vault import Kind
from tests.make_people import Known, Town, as_volunteer, handle, opened, resident, staff, town, volunteer

NUMBER = "2021-1101 0012345678"
PLAIN = "2021-11010012345678"
ISSUER = "沈阳市卫生健康委员会"


async def row(connection: asyncpg.Connection, id: UUID) -> asyncpg.Record:
    return await connection.fetchrow("SELECT * FROM qualification WHERE id = $1", id)


async def add(connection: asyncpg.Connection, who: Known, now: datetime, **over: Any) -> UUID:
    given = {"type": T.NURSE, "number": NUMBER, "issued_by": ISSUER, "valid_to": now.date(), **over}
    return await actions.add_qualification(handle(connection, as_volunteer(who), now), **given)


async def clerk(connection: asyncpg.Connection, area: str = Town.COMMUNITY) -> Actor:
    return await staff(connection, Role.COMMUNITY_STAFF, area=area)


async def counts(connection: asyncpg.Connection, who: Known, on: date, type: T = T.NURSE) -> bool:
    return await connection.fetchval("SELECT qualified($1, $2, $3)", who.person, type.value, on)


async def test_it_counts_once_staff_have_read_its_number_and_until_its_last_day(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    me, office = await volunteer(connection, there), await clerk(connection)
    made = await add(connection, me, now)
    found = await row(connection, made)
    assert (found["status"], found["number_masked"], found["valid_to"]) == ("PENDING", "20****78", now.date())
    assert PLAIN.encode() not in bytes(found["number"])
    number = "SELECT number FROM qualification WHERE person_id = $1"
    assert await opened(connection, Kind.IDENTITY, number, me.person) == PLAIN
    assert not await counts(connection, me, now.date())

    theirs = handle(connection, office, now)
    with pytest.raises(InvalidInput) as refused:
        await actions.verify_qualification(theirs, made, 1, "2021-11010012345679")
    assert refused.value.field == "number"
    assert (await row(connection, made))["status"] == "PENDING"
    assert await actions.verify_qualification(theirs, made, 1, PLAIN.lower()) == made
    found = await row(connection, made)
    assert (found["status"], found["decided_by"], found["decided_at"], found["version"]) == (
        "VERIFIED",
        office.person,
        now,
        2,
    )
    assert [e.topic for e in theirs.events] == ["qualification.verified"]
    assert await counts(connection, me, now.date())
    assert not await counts(connection, me, now.date() + timedelta(days=1))
    assert not await counts(connection, me, now.date(), T.DOCTOR)


async def test_one_without_an_end_counts_for_ever(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await volunteer(connection, there)
    made = await add(connection, me, now, type=T.TEACHER, valid_to=None)
    await actions.verify_qualification(handle(connection, await clerk(connection), now), made, 1, NUMBER)
    assert await counts(connection, me, date(2099, 1, 1), T.TEACHER)


async def test_nobody_decides_on_his_own_nor_on_that_of_somebody_close(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    office = await clerk(connection)
    assert office.person is not None
    own = await volunteer(connection, there, person=office.person)
    mine = await add(connection, own, now)
    wife = await resident(connection, there, "陈嫂", household="h")
    await resident(connection, there, person=office.person, household="h")
    hers = await add(connection, await volunteer(connection, there, person=wife.person), now, number="XY-77777777")
    theirs = handle(connection, office, now)
    for id, problem in ((mine, OwnCase), (hers, ConflictOfInterest)):
        with pytest.raises(problem):
            await actions.verify_qualification(theirs, id, 1, NUMBER)
        with pytest.raises(problem):
            await actions.reject_qualification(theirs, id, 1, "不清晰")
        assert (await row(connection, id))["status"] == "PENDING"
    with pytest.raises(asyncpg.CheckViolationError):
        async with connection.transaction():
            await connection.execute(
                "UPDATE qualification SET status = 'VERIFIED', decided_by = person_id, decided_at = $1 WHERE id = $2",
                now,
                mine,
            )


async def test_who_may_decide(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me, other = await volunteer(connection, there), await volunteer(connection, there, "赵六")
    made = await add(connection, me, now)
    for who, problem in (
        (as_volunteer(me), Forbidden),
        (as_volunteer(other), Forbidden),
        (await staff(connection, Role.GRID_OFFICER, area=Town.GRID), Forbidden),
        (await staff(connection, Role.ADMIN), Forbidden),
        (await clerk(connection, Town.NEIGHBOUR), NotFound),
    ):
        with pytest.raises(problem):
            await actions.verify_qualification(handle(connection, who, now), made, 1, NUMBER)
    with pytest.raises(NotFound):
        await actions.withdraw_qualification(handle(connection, as_volunteer(other), now), made, 1)
    assert (await row(connection, made))["version"] == 1


async def test_rejected_revoked_withdrawn_are_ends(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me, theirs = await volunteer(connection, there), handle(connection, await clerk(connection), now)
    mine = handle(connection, as_volunteer(me), now)
    rejected = await add(connection, me, now)
    await actions.reject_qualification(theirs, rejected, 1, "照片不清晰")
    assert (await row(connection, rejected))["reason"] == "照片不清晰"
    revoked = await add(connection, me, now)
    await actions.verify_qualification(theirs, revoked, 1, NUMBER)
    with pytest.raises(StaleVersion):
        await actions.revoke_qualification(theirs, revoked, 1, "已被吊销")
    await actions.revoke_qualification(theirs, revoked, 2, "已被吊销")
    assert not await counts(connection, me, now.date())
    withdrawn = await add(connection, me, now)
    await actions.withdraw_qualification(mine, withdrawn, 1)
    for id in (rejected, revoked, withdrawn):
        version = (await row(connection, id))["version"]
        for act in (
            actions.verify_qualification(theirs, id, version, NUMBER),
            actions.reject_qualification(theirs, id, version, "理由"),
            actions.revoke_qualification(theirs, id, version, "理由"),
            actions.withdraw_qualification(mine, id, version),
        ):
            with pytest.raises(InvalidTransition):
                await act
        assert (await row(connection, id))["version"] == version


async def test_one_waits_at_a_time_and_a_renewal_stands_beside_the_old(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    me, theirs = await volunteer(connection, there), handle(connection, await clerk(connection), now)
    old = await add(connection, me, now)
    with pytest.raises(QualificationPending):
        async with connection.transaction():
            await add(connection, me, now)
    await actions.verify_qualification(theirs, old, 1, NUMBER)
    renewed = await add(connection, me, now, valid_to=now.date() + timedelta(days=365))
    assert await counts(connection, me, now.date())
    await actions.verify_qualification(theirs, renewed, 1, NUMBER)
    assert await counts(connection, me, now.date() + timedelta(days=365))


async def test_a_number_is_one_persons(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me, other = await volunteer(connection, there), await volunteer(connection, there, "赵六")
    theirs = handle(connection, await clerk(connection), now)
    first, second = await add(connection, me, now), await add(connection, other, now)
    await actions.verify_qualification(theirs, first, 1, NUMBER)
    with pytest.raises(QualificationTaken):
        async with connection.transaction():
            await actions.verify_qualification(theirs, second, 1, NUMBER)
    assert (await row(connection, second))["status"] == "PENDING"


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"number": "12"}, "number"),
        ({"number": "a<b>c!!"}, "number"),
        ({"number": "1" * 41}, "number"),
        ({"issued_by": ""}, "issuedBy"),
        ({"valid_to": date(2026, 11, 1)}, "validTo"),
        ({"valid_to": date(2199, 1, 1)}, "validTo"),
    ],
)
async def test_what_is_wrong_is_named(
    connection: asyncpg.Connection, now: datetime, over: dict[str, Any], field: str
) -> None:
    me = await volunteer(connection, await town(connection))
    with pytest.raises(InvalidInput) as refused:
        await add(connection, me, now, **over)
    assert refused.value.field == field
    assert await connection.fetchval("SELECT count(*) FROM qualification") == 0


async def test_one_that_ended_meanwhile_is_not_verified(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    made = await add(connection, await volunteer(connection, there), now)
    later = handle(connection, await clerk(connection), now + timedelta(days=1))
    with pytest.raises(InvalidInput, match="有效期"):
        await actions.verify_qualification(later, made, 1, NUMBER)


async def test_who_is_no_volunteer_adds_none(connection: asyncpg.Connection, now: datetime) -> None:
    who = await resident(connection, await town(connection))
    with pytest.raises(NotFound):
        await add(connection, who, now)


async def test_he_is_told_once_thirty_days_before_it_ends(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    theirs = handle(connection, await clerk(connection), now)
    made = {}
    for days in (0, 30, 31):
        who = await volunteer(connection, there, f"王{days}")
        end = now.date() + timedelta(days=days)
        made[days] = await add(connection, who, now, number=f"XY-0000{days:04d}", valid_to=end)
        await actions.verify_qualification(theirs, made[days], 1, f"XY-0000{days:04d}")
    waiting = await add(connection, await volunteer(connection, there, "王等"), now)
    system = handle(connection, Actor(Role.ADMIN), now)
    assert await actions.tell_ending(system) == 2
    assert {e.subject for e in system.events} == {made[0], made[30]}
    assert {e.topic for e in system.events} == {"qualification.ending"}
    assert not any("number" in e.data for e in system.events)
    assert await actions.tell_ending(system) == 0
    assert await actions.tell_ending(handle(connection, Actor(Role.ADMIN), now + timedelta(days=1))) == 1
    assert (await row(connection, waiting))["told_at"] is None


def test_a_masked_number_shows_four_characters_of_a_long_one() -> None:
    assert mask_licence("12345678") == "12****78"
    assert mask_licence("1234567") == "****"
