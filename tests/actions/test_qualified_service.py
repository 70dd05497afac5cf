"""What takes a paper is claimed, accepted, signed up for and served with one that is in force on that day only (I11)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from models import vault
from models.activity import actions as activity
from models.exchange import actions as exchange
from models.exchange.kinds import Kind, Missing, Sensitivity
from models.exchange.problems import NotQualified
from models.people.qualifications import QualificationType as T
from tests.make_activity import at, world
from tests.make_exchange import END, START, Scene, neighbourhood, refused
from tests.make_people import insert

LACKS = {"missing": Missing.CERTIFICATE}


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> Scene:
    return Scene(connection, await neighbourhood(connection))


async def paper(connection: asyncpg.Connection, who: UUID, type: T, valid_to: date | None, now: datetime) -> UUID:
    """A verified paper of somebody's."""
    keys, number = await vault.load(connection), f"XY-{who.hex[-12:]}"
    return await insert(
        connection,
        "qualification",
        person_id=who,
        type=type,
        number=keys.seal(vault.Kind.IDENTITY, number, who),
        number_index=keys.index(vault.Kind.IDENTITY, number),
        number_masked="****",
        issued_by="沈阳市卫生健康委员会",
        valid_to=valid_to,
        status="VERIFIED",
        decided_by=await connection.fetchval("SELECT id FROM person WHERE id <> $1 LIMIT 1", who),
        decided_at=now,
        created_at=now,
    )


async def test_it_has_to_be_in_force_on_the_day_of_the_service(scene: Scene) -> None:
    need, wang, tomorrow = await scene.need(certificate=T.NURSE), scene.n.people["wang"], END.date()
    async with refused(scene, NotQualified, **LACKS):
        await exchange.claim_need(scene.as_("wang"), need)
    held = await paper(scene.c, wang, T.NURSE, tomorrow - timedelta(days=1), scene.now)
    assert await scene.c.fetchval("SELECT qualified($1, 'NURSE', $2)", wang, scene.now.date())
    async with refused(scene, NotQualified, **LACKS):
        await exchange.claim_need(scene.as_("wang"), need)
    await scene.c.execute("UPDATE qualification SET valid_to = $1 WHERE id = $2", tomorrow, held)
    assert await exchange.claim_need(scene.as_("wang"), need)


@pytest.mark.parametrize(("type", "enough"), [(T.DOCTOR, True), (T.NURSE, True), (T.TEACHER, False)])
async def test_of_what_a_category_takes_one_is_enough(scene: Scene, type: T, enough: bool) -> None:
    need = await scene.need(category=scene.n.categories["HEALTH.SCREENING"])
    await paper(scene.c, scene.n.people["wang"], type, None, scene.now)
    if enough:
        assert await exchange.claim_need(scene.as_("wang"), need)
    else:
        async with refused(scene, NotQualified, **LACKS):
            await exchange.claim_need(scene.as_("wang"), need)


async def test_an_organization_names_somebody_who_holds_it(scene: Scene) -> None:
    need, zhao = await scene.need(certificate=T.NURSE), scene.n.volunteer_ids["zhao"]
    async with refused(scene, NotQualified, **LACKS):
        await exchange.claim_need(scene.as_("ngo"), need, volunteer=zhao)
    made = await exchange.propose_commitment(scene.as_("staff"), need, organization=scene.n.organization)
    async with refused(scene, NotQualified, **LACKS):
        await exchange.accept_commitment(scene.as_("ngo"), made, volunteer=zhao)
    await paper(scene.c, scene.n.people["zhao"], T.NURSE, START.date(), scene.now)
    assert await exchange.accept_commitment(scene.as_("ngo"), made, volunteer=zhao)


async def test_a_paper_that_is_revoked_meanwhile_is_asked_for_again(scene: Scene) -> None:
    need = await scene.need(certificate=T.NURSE)
    held = await paper(scene.c, scene.n.people["wang"], T.NURSE, None, scene.now)
    made = await exchange.claim_need(scene.as_("wang"), need)
    await scene.c.execute("UPDATE qualification SET status = 'REVOKED', reason = '已吊销' WHERE id = $1", held)
    async with refused(scene, NotQualified, **LACKS):
        await exchange.accept_commitment(scene.as_("daughter"), made)


async def test_a_session_for_such_a_need_is_signed_up_for_and_served_with_it(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await world(connection, now)
    me, other = await there.volunteer(), await there.volunteer()
    assert me.person is not None
    need = await there.need(quantity=3)
    await connection.execute("UPDATE need SET certificate = 'NURSE' WHERE id = $1", need)
    promised = await there.commitment(need, organization=there.organization, quantity=3)
    session = await there.session(commitments=((promised, None),))
    held = await paper(connection, me.person, T.NURSE, at("11:00").date(), now)
    with pytest.raises(NotQualified):
        await activity.sign_up(there.as_(other), session)
    part = await activity.sign_up(there.as_(me), session)
    await connection.execute("UPDATE qualification SET status = 'REVOKED', reason = '已吊销' WHERE id = $1", held)
    with pytest.raises(NotQualified):
        await activity.check_in(there.as_(there.ngo, at("08:30")), part)
    assert (await there.row("attendance", part))["status"] == "ACCEPTED"
    await connection.execute("UPDATE qualification SET status = 'VERIFIED', reason = NULL WHERE id = $1", held)
    await activity.check_in(there.as_(there.ngo, at("08:30")), part)
    assert (await there.row("attendance", part))["status"] == "CHECKED_IN"


async def test_hours_of_who_did_not_check_in_take_the_paper_of_that_day(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await world(connection, now)
    me = await there.volunteer()
    assert me.person is not None
    need = await there.need()
    await connection.execute("UPDATE need SET certificate = 'NURSE' WHERE id = $1", need)
    promised = await there.commitment(need, organization=there.organization)
    session = await there.session(commitments=((promised, None),))
    held = await paper(connection, me.person, T.NURSE, at("11:00").date(), now)
    part = await activity.sign_up(there.as_(me), session)
    late = there.as_(there.worker, at("13:10", 4))
    hours = await activity.propose_hours(there.as_(there.ngo, at("13:00")), part, 60, "未签到", "签到表")
    for change in (
        "status = 'REVOKED', reason = '已吊销'",
        "valid_to = '2026-11-02'",
        "decided_at = '2026-11-04 09:00+08'",  # after the service
    ):
        attempt = connection.transaction()
        await attempt.start()
        await connection.execute(f"UPDATE qualification SET {change} WHERE id = $1", held)
        with pytest.raises(NotQualified) as caught:
            await activity.approve_hours(late, hours)
        await attempt.rollback()
        assert caught.value.missing is Missing.CERTIFICATE, change
    assert (await there.row("attendance", part))["status"] == "ACCEPTED"
    assert (await there.row("commitment", promised))["status"] == "CONFIRMED"
    await activity.approve_hours(late, hours)  # the paper has ended since: it was in force that day
    assert (await there.row("commitment", promised))["status"] == "DELIVERED"


async def test_staff_named_for_a_restricted_need_hold_its_paper_and_a_party_unit_answers_for_its_people(
    scene: Scene,
) -> None:
    of, colleague = {"beneficiary": scene.n.residents["grandmother"]}, scene.n.people["colleague"]
    need = await scene.need(
        "staff", sensitivity=Sensitivity.RESTRICTED, certificate=T.PSYCHOLOGIST, skill="NURSING", **of
    )
    async with refused(scene, NotQualified, **LACKS):
        await exchange.propose_commitment(scene.as_("staff"), need, staff=colleague)
    held = await paper(scene.c, colleague, T.PSYCHOLOGIST, None, scene.now)
    made = await exchange.propose_commitment(scene.as_("staff"), need, staff=colleague)
    await scene.c.execute("UPDATE qualification SET status = 'REVOKED', reason = '已吊销' WHERE id = $1", held)
    async with refused(scene, NotQualified, **LACKS):
        await exchange.accept_commitment(scene.as_("colleague"), made)
    item = await scene.need("staff", kind=Kind.LIVELIHOOD_ITEM, certificate=T.ELECTRICIAN)
    assert await exchange.claim_need(scene.as_("secretary"), item)


async def test_a_minor_does_not_serve_what_is_risky(scene: Scene) -> None:
    need = await scene.need(category=scene.n.categories["ELDERLY.BATHING"])
    wang = scene.n.people["wang"]
    await scene.c.execute(
        "UPDATE volunteer SET adult_on = $2 WHERE person_id = $1", wang, END.date() + timedelta(days=1)
    )
    async with refused(scene, NotQualified, missing=Missing.AGE):
        await exchange.claim_need(scene.as_("wang"), need)
    await scene.c.execute("UPDATE volunteer SET adult_on = $2 WHERE person_id = $1", wang, END.date())
    assert await exchange.claim_need(scene.as_("wang"), need)


NIGHT = END.replace(hour=21, minute=30), END.replace(hour=22, minute=30)
NEXT_DAY = END.date() + timedelta(days=1)


async def minor(scene: Scene, *names: str, adult_on: date = NEXT_DAY) -> None:
    """Makes volunteers come of age on a day: the one after the service, unless said otherwise."""
    people = [scene.n.people[name] for name in names]
    await scene.c.execute("UPDATE volunteer SET adult_on = $2 WHERE person_id = ANY ($1)", people, adult_on)


async def test_a_minor_claims_and_is_proposed_for_nothing_at_night(scene: Scene) -> None:
    await minor(scene, "wang", "zhao")
    need, young = await scene.need(window_from=NIGHT[0], window_to=NIGHT[1]), {"missing": Missing.AGE}
    async with refused(scene, NotQualified, **young):
        await exchange.claim_need(scene.as_("wang"), need)
    async with refused(scene, NotQualified, **young):
        await exchange.claim_need(scene.as_("ngo"), need, volunteer=scene.n.volunteer_ids["zhao"])
    async with refused(scene, NotQualified, **young):
        await exchange.propose_commitment(scene.as_("staff"), need, volunteer=scene.n.volunteer_ids["wang"])
    made = await exchange.propose_commitment(scene.as_("staff"), need, organization=scene.n.organization)
    async with refused(scene, NotQualified, **young):
        await exchange.accept_commitment(scene.as_("ngo"), made, volunteer=scene.n.volunteer_ids["zhao"])
    await minor(scene, "wang", adult_on=END.date())
    assert await exchange.claim_need(scene.as_("wang"), need)


async def test_it_is_the_time_that_is_agreed_which_counts(scene: Scene) -> None:
    await minor(scene, "wang")
    anytime, wang = {"window_from": None, "window_to": None}, scene.n.volunteer_ids["wang"]
    need = await scene.need(**anytime)
    async with refused(scene, NotQualified, missing=Missing.AGE):
        await exchange.propose_commitment(scene.as_("staff"), need, volunteer=wang, slot=NIGHT)
    assert await exchange.propose_commitment(scene.as_("staff"), need, volunteer=wang, slot=(START, END))
    several = await scene.need(options=(NIGHT, (START, END)), **anytime)
    ids = await scene.c.fetch("SELECT id FROM need_option WHERE need_id = $1 ORDER BY place", several)
    async with refused(scene, NotQualified, missing=Missing.AGE):
        await exchange.claim_need(scene.as_("wang"), several, option=ids[0]["id"])
    assert await exchange.claim_need(scene.as_("wang"), several, option=ids[1]["id"])


async def test_who_turns_out_to_be_a_minor_does_not_come_at_night(scene: Scene) -> None:
    need = await scene.need(window_from=NIGHT[0], window_to=NIGHT[1])
    made = await exchange.claim_need(scene.as_("wang"), need)
    await minor(scene, "wang")
    async with refused(scene, NotQualified, missing=Missing.AGE):
        await exchange.accept_commitment(scene.as_("daughter"), made)


async def test_who_is_no_volunteer_is_not_asked_his_age(scene: Scene) -> None:
    given = {"sensitivity": Sensitivity.RESTRICTED, "window_from": NIGHT[0], "window_to": NIGHT[1]}
    need = await scene.need("staff", beneficiary=scene.n.residents["grandmother"], **given)
    assert await exchange.propose_commitment(scene.as_("staff"), need, staff=scene.n.people["colleague"])
