"""Separation of duties (I9, I17): nobody decides on what he made, nor on what concerns himself or somebody close to him.

`VERBS` is the list of every verb that approves something. Each is tried by somebody who may, but for his interest: his
household's, a declared relative's, declared by either of the two, and ended; the database says no as well where it can.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

import models.activity.rules
import models.exchange.rules
import models.funds.rules
from models import vault
from models.access import Actor, Role
from models.activity import actions as activity
from models.database import Db
from models.exchange import actions as exchange
from models.funds import actions as funds
from models.funds.inputs import AllocationInput, DonorInput
from models.funds.rules import DonorKind
from models.people import actions as people
from models.people.actions.interests import declare_interest, end_interest
from models.people.interests import Relation
from models.people.problems import ConflictOfInterest
from models.people.qualifications import QualificationType
from models.problems import Forbidden, InvalidInput, NotFound
from tests import make_activity, make_exchange, make_funds
from tests.make_activity import at
from tests.make_exchange import Scene, insert


@dataclasses.dataclass
class Place:
    """The marketplace's neighbourhood, the sessions' community and a foundation, on one connection."""

    scene: Scene
    world: make_activity.World
    books: make_funds.Books

    @property
    def c(self) -> asyncpg.Connection:
        return self.scene.c

    async def declared(self, who: Actor | None, other: UUID | None, by_other: bool = False) -> UUID:
        """A declared interest of one in the other."""
        person = None if who is None else who.person
        assert person is not None and other is not None
        first, second = (other, person) if by_other else (person, other)
        db = Db(self.c, Actor(Role.PERSON, first), self.scene.now)
        return await declare_interest(db, Relation.SIBLING, other=second)


@pytest.fixture
async def place(connection: asyncpg.Connection) -> Place:
    scene = Scene(connection, await make_exchange.neighbourhood(connection))
    world = await make_activity.world(connection, make_exchange.NOW)
    return Place(scene, world, make_funds.Books(connection, make_exchange.NOW, await make_funds.foundation(connection)))


Prepared = tuple[Actor, UUID | None, Callable[[], Awaitable[Any]]]
"""Who acts, with whom he would have an interest, and the act."""
VERBS: dict[str, Callable[[Place], Awaitable[Prepared]]] = {}


def verb(name: str) -> Callable[..., Any]:
    def register(prepare: Callable[[Place], Awaitable[Prepared]]) -> Any:
        VERBS[name] = prepare
        return prepare

    return register


def _need(name: str, act: Callable[[Db, UUID], Awaitable[Any]], **given: Any) -> None:
    async def prepare(place: Place) -> Prepared:
        scene = place.scene
        need = await scene.need(opened=False, **given)
        if name == "need.open":
            await exchange.verify_need(scene.as_("colleague"), need, publish=False)
        return scene.n.actor("staff"), scene.n.people["grandmother"], lambda: act(scene.as_("staff"), need)

    async def about_grandmother(place: Place) -> Prepared:
        given.setdefault("beneficiary", place.scene.n.residents["grandmother"])
        return await prepare(place)

    VERBS[name] = about_grandmother


_need("need.verify", exchange.verify_need)
_need("need.open", exchange.open_need)


@verb("need.reopen")
async def _reopen(place: Place) -> Prepared:
    scene = place.scene
    need = await scene.need(quantity=1, beneficiary=scene.n.residents["grandmother"])
    await exchange.complete_commitment(scene.as_("daughter"), await scene.delivered(need))
    staff, grandmother = scene.n.actor("staff"), scene.n.people["grandmother"]
    return staff, grandmother, lambda: exchange.reopen_need(scene.as_("staff"), need, "还需要一次")


def _commitment(name: str, act: Callable[[Db, UUID], Awaitable[Any]]) -> None:
    async def prepare(place: Place) -> Prepared:
        scene = place.scene
        need = await scene.need(quantity=1)
        if name in ("commitment.accept", "commitment.confirm"):
            made = await exchange.claim_need(scene.as_("wang"), need)
            if name == "commitment.confirm":
                await exchange.accept_commitment(scene.as_("daughter"), made)
        else:
            made = await scene.delivered(need)
            if name != "commitment.complete":
                await exchange.dispute_commitment(scene.as_("daughter"), made, "没有到场")
        return scene.n.actor("staff"), scene.n.people["wang"], lambda: act(scene.as_("staff"), made)

    VERBS[name] = prepare


_commitment("commitment.accept", exchange.accept_commitment)
_commitment("commitment.confirm", exchange.confirm_commitment)
_commitment("commitment.complete", exchange.complete_commitment)
_commitment("commitment.uphold", lambda db, id: exchange.resolve_commitment(db, id, delivered=True, reason="属实"))
_commitment("commitment.void", lambda db, id: exchange.resolve_commitment(db, id, delivered=False, reason="不属实"))


def _offer(name: str, act: Callable[[Db, UUID], Awaitable[Any]]) -> None:
    async def prepare(place: Place) -> Prepared:
        scene = place.scene
        offer = await scene.offer("wang", published=False)
        return scene.n.actor("staff"), scene.n.people["wang"], lambda: act(scene.as_("staff"), offer)

    VERBS[name] = prepare


_offer("offer.publish", exchange.publish_offer)
_offer("offer.reject", lambda db, id: exchange.reject_offer(db, id, "资质不全"))


def _hours(name: str, act: Callable[[make_activity.World, UUID, UUID, Db], Awaitable[Any]]) -> None:
    async def prepare(place: Place) -> Prepared:
        there = place.world
        session = await there.session()
        somebody = await there.volunteer()
        part = await activity.sign_up(there.as_(somebody), session)
        if name != "attendance.check_in":
            await activity.check_in(there.as_(there.ngo, at("09:00")), part)
        after, subject = at("12:30"), part
        if name in ("hours.approve", "hours.reject"):
            subject = await activity.propose_hours(there.as_(there.ngo, after), part, 60, "忘记签退", "签到表")
        if name in ("hours.reverse", "hours.credit_again", "attendance.rate"):
            await activity.check_out(there.as_(there.ngo, at("12:00")), part)
            subject = await there.connection.fetchval("SELECT id FROM hour_entry WHERE attendance_id = $1", part)
        if name == "hours.credit_again":
            await activity.reverse_hours(there.as_(there.worker, after), subject, "重复")
        early = at("09:00") if name == "attendance.check_in" else at("11:00") if name.endswith("check_out") else after
        return there.staff, somebody.person, lambda: act(there, part, subject, there.as_(there.staff, early))

    VERBS[name] = prepare


_hours("attendance.check_in", lambda there, part, _, db: activity.check_in(db, part))
_hours("attendance.check_out", lambda there, part, _, db: activity.check_out(db, part))
_hours("attendance.rate", lambda there, part, _, db: activity.rate(db, part, 5))
_hours("hours.propose", lambda there, part, _, db: activity.propose_hours(db, part, 60, "忘记签退", "签到表"))
_hours("hours.approve", lambda there, part, proposal, db: activity.approve_hours(db, proposal))
_hours("hours.reject", lambda there, part, proposal, db: activity.reject_hours(db, proposal, "不属实"))
_hours("hours.reverse", lambda there, part, entry, db: activity.reverse_hours(db, entry, "记错"))
_hours("hours.credit_again", lambda there, part, _, db: activity.credit_again(db, part, 60, "更正"))


def _payment(name: str, act: Callable[[make_funds.Books, UUID], Awaitable[Any]]) -> None:
    async def prepare(place: Place) -> Prepared:
        books = place.books
        await books.gift(await books.fund(), 500)
        plan = await books.approved(500)
        payee = await make_funds.person(place.c)
        resident = await make_funds.resident(place.c, payee, household="elsewhere")
        step = name.rpartition(".")[2]
        who = {"approve": books.at.checker, "authorise": books.at.authoriser}.get(step, books.at.maker)
        if step == "create":
            return who, payee, lambda: books.payment(plan, 500, payee_resident=resident)
        # Another maker and checker have signed it: only who acts has an interest.
        other = dataclasses.replace(
            books.at,
            maker=Actor(Role.FUND_MAKER, await make_funds.person(place.c), books.at.id),
            checker=Actor(Role.FUND_CHECKER, await make_funds.person(place.c), books.at.id),
        )
        theirs = make_funds.Books(place.c, books.now, other)
        made = await theirs.payment(plan, 500, payee_resident=resident)
        await funds.submit_disbursement(theirs.db(other.maker), made)
        if step != "approve":
            await funds.approve_disbursement(theirs.db(other.checker), made)
        if step == "settle":
            await funds.pay_disbursement(theirs.db(other.maker), made)
        return who, payee, lambda: act(books, made)

    VERBS[name] = prepare


_payment("disbursement.create", lambda books, _: books.payment(_, 1))
_payment("disbursement.approve", lambda b, id: funds.approve_disbursement(b.db(b.at.checker), id))
_payment("disbursement.authorise", lambda b, id: funds.authorise_disbursement(b.db(b.at.authoriser), id))
_payment("disbursement.pay", lambda b, id: funds.pay_disbursement(b.db(b.at.maker), id))
_payment("disbursement.settle", lambda b, id: funds.settle_disbursement(b.db(b.at.maker), id, "BK-1"))


def _plan(name: str, act: Callable[[make_funds.Books, UUID], Awaitable[Any]]) -> None:
    async def prepare(place: Place) -> Prepared:
        books = place.books
        beneficiary = await make_funds.person(place.c)
        asker = await make_funds.person(place.c)
        need = await make_funds.need(place.c, books.now, asker, subject_id=beneficiary)
        await make_funds.asked(place.c, need, books.at.id, asker, books.now)
        await books.gift(await books.fund(), 500)
        given = AllocationInput("坡道改造", 10_000, need=need)
        maker = books.db(books.at.maker)
        if name == "allocation.create":
            return books.at.maker, beneficiary, lambda: funds.create_allocation(maker, given)
        plan = await funds.create_allocation(maker, given)
        if name == "allocation.submit":
            return books.at.maker, beneficiary, lambda: funds.submit_allocation(maker, plan)
        await funds.submit_allocation(maker, plan)
        return books.at.checker, beneficiary, lambda: act(books, plan)

    VERBS[name] = prepare


for plan_step in ("create", "submit", "approve"):
    _plan(f"allocation.{plan_step}", lambda b, id: funds.approve_allocation(b.db(b.at.checker), id))


@verb("donation.reverse")
async def _reverse(place: Place) -> Prepared:
    books = place.books
    donor = await make_funds.person(place.c)
    gift = await books.gift(await books.fund(), 5, by=DonorInput(DonorKind.PERSON, "钱试验", person=donor))
    return books.at.checker, donor, lambda: funds.reverse_donation(books.db(books.at.checker), gift, "重复登记")


def _organization(name: str, act: Callable[[Db, UUID], Awaitable[Any]]) -> None:
    async def prepare(place: Place) -> Prepared:
        scene = place.scene
        applicant = scene.n.people["zhao"]
        made = await insert(
            *(place.c, "organization"),
            name="试验互助社",
            pinyin="x",
            kind="SOCIAL_ORG",
            legal_status="FILED",
            filing_no="备9",
            verified_state="PENDING",
            division_id=scene.n.communities[make_exchange.HERE],
            area=make_exchange.HERE,
            contact_id=applicant,
            created_at=scene.now,
        )
        return scene.n.actor("staff"), applicant, lambda: act(scene.as_("staff"), made)

    VERBS[name] = prepare


_organization("organization.verify", people.verify_organization)
_organization("organization.reject", lambda db, id: people.reject_organization(db, id, "材料不全"))


@verb("resident.verify")
async def _resident(place: Place) -> Prepared:
    scene = place.scene
    id, person = scene.n.residents["neighbour"], scene.n.people["neighbour"]
    return scene.n.actor("staff"), person, lambda: people.verify_resident(scene.as_("staff"), id)


@verb("volunteer.verify")
async def _volunteer(place: Place) -> Prepared:
    scene = place.scene
    person = scene.n.people["wang"]
    await place.c.execute("UPDATE volunteer SET state = 'PENDING_VERIFICATION' WHERE person_id = $1", person)
    id = scene.n.volunteer_ids["wang"]
    return scene.n.actor("staff"), person, lambda: people.verify_volunteer(scene.as_("staff"), id)


@verb("qualification.verify")
async def _qualification(place: Place) -> Prepared:
    scene, number = place.scene, "XY-20260001"
    id = await people.add_qualification(scene.as_("wang"), QualificationType.NURSE, number, "沈阳市卫生健康委员会")
    act = functools.partial(people.verify_qualification, scene.as_("staff"), id, 1, number)
    return scene.n.actor("staff"), scene.n.people["wang"], act


async def tried(place: Place, act: Callable[[], Awaitable[Any]]) -> str:
    """DONE, or the code of the refusal; undone either way."""
    savepoint = place.c.transaction()
    await savepoint.start()
    try:
        await act()
    except ConflictOfInterest as problem:
        return problem.code
    finally:
        await savepoint.rollback()
    return "DONE"


REFUSED = "CONFLICT_OF_INTEREST"


@pytest.mark.parametrize("name", VERBS)
async def test_nobody_decides_for_somebody_close_to_him(place: Place, name: str) -> None:
    actor, other, act = await VERBS[name](place)
    assert await tried(place, act) == "DONE"
    declared = await place.declared(actor, other)
    assert await tried(place, act) == REFUSED
    db = Db(place.c, Actor(Role.PERSON, actor.person), place.scene.now)
    assert await end_interest(db, declared) == declared
    assert await tried(place, act) == "DONE"
    await place.declared(actor, other, by_other=True)
    assert await tried(place, act) == REFUSED


async def test_a_household_is_close_without_a_word(place: Place) -> None:
    scene = place.scene
    need = await scene.need(opened=False)
    keys = await vault.load(place.c)
    staff = scene.n.people["staff"]
    place_of = await place.c.fetchrow("SELECT community_id, area FROM resident LIMIT 1")
    assert place_of is not None
    care = keys.seal(vault.Kind.CARE, "[]", staff)
    await insert(
        *(place.c, "resident"), person_id=staff, household="h1", care=care, created_at=scene.now, **dict(place_of)
    )
    assert await tried(place, lambda: exchange.verify_need(scene.as_("staff"), need)) == REFUSED
    assert await tried(place, lambda: exchange.verify_need(scene.as_("colleague"), need)) == "DONE"


async def test_nobody_finds_true_what_he_wrote_down(place: Place) -> None:
    scene = place.scene
    need = await scene.need("staff", opened=False, beneficiary=scene.n.residents["neighbour"])
    assert await tried(place, lambda: exchange.verify_need(scene.as_("staff"), need)) == REFUSED
    await exchange.verify_need(scene.as_("colleague"), need)
    row = await scene.row("need", need)
    assert row["verified_by"] == scene.n.people["colleague"]
    with pytest.raises(asyncpg.CheckViolationError, match="ck_need_second_person"):
        async with place.c.transaction():
            await place.c.execute("UPDATE need SET verified_by = requester_id WHERE id = $1", need)


async def test_nobody_reviews_his_own_or_his_organizations_offer(place: Place) -> None:
    scene = place.scene
    own = await scene.offer("wang", published=False)
    both = Actor(Role.COMMUNITY_STAFF, scene.n.people["wang"], None, make_exchange.HERE)
    assert await tried(place, lambda: exchange.publish_offer(Db(place.c, both, scene.now), own)) == REFUSED
    theirs = await scene.offer("ngo", published=False)
    publish = functools.partial(exchange.publish_offer, scene.as_("staff"), theirs)
    assert await tried(place, publish) == "DONE"
    office = await insert(
        *(place.c, "membership"),
        person_id=scene.n.people["staff"],
        organization_id=scene.n.organization,
        role="NGO_STAFF",
        starts_on=scene.now.date(),
        granted_at=scene.now,
    )
    assert await tried(place, publish) == REFUSED
    await place.c.execute("UPDATE membership SET revoked_at = $2 WHERE id = $1", office, scene.now)
    assert await tried(place, publish) == "DONE"
    await declare_interest(scene.as_("staff"), Relation.OWNERSHIP, organization=scene.n.organization)
    assert await tried(place, publish) == REFUSED
    with pytest.raises(asyncpg.CheckViolationError, match="ck_offer_second_person"):
        async with place.c.transaction():
            await place.c.execute("UPDATE offer SET reviewed_by = person_id WHERE id = $1", own)


async def test_the_database_refuses_hands_that_have_an_interest(place: Place) -> None:
    books = place.books
    await books.gift(await books.fund(), 500)
    plan = await books.approved(500)
    payee = await make_funds.person(place.c)
    resident = await make_funds.resident(place.c, payee)
    made = await books.payment(plan, 100, payee_resident=resident)
    await place.declared(books.at.checker, payee)
    for sql in (
        "UPDATE disbursement SET checker_id = $2 WHERE id = $1",
        "UPDATE disbursement SET authoriser_id = $2 WHERE id = $1",
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="no interest in its payee"):
            async with place.c.transaction():
                await place.c.execute(sql, made, books.at.checker.person)
    there = place.world
    session, somebody = await there.session(), await there.volunteer()
    part = await make_activity.attend(there, session, somebody, "09:00", None)
    await place.declared(there.ngo, somebody.person)
    with pytest.raises(ConflictOfInterest):
        await activity.check_out(there.as_(there.ngo, at("12:00")), part)
    with pytest.raises(asyncpg.CheckViolationError, match="somebody he is close to"):
        async with place.c.transaction():
            await place.c.execute(
                "INSERT INTO hour_entry (attendance_id, session_id, volunteer_id, kind, revision, minutes, trust,"
                " approved_by, reason, served_on, credited_on, at, category_code, area) VALUES ($1, $2, $3, 'CREDIT', 1,"
                " 60, 'CONFIRMED', $4, '点名', $5, $5, $6, 'CHILDCARE', '210103005024')",
                *(part, session, somebody.person, there.ngo.person, make_exchange.NOW.date(), make_exchange.NOW),
            )
    with pytest.raises(asyncpg.CheckViolationError, match="ck_disbursement_confirmed_by"):
        async with place.c.transaction():
            await place.c.execute("UPDATE disbursement SET confirmed_by = maker_id WHERE id = $1", made)


async def test_declaring(place: Place) -> None:
    scene = place.scene
    staff, wang = scene.as_("staff"), scene.n.people["wang"]
    first = await declare_interest(staff, Relation.SPOUSE, other=wang)
    assert await declare_interest(staff, Relation.SPOUSE, other=wang) == first
    for wrong in ({}, {"other": wang, "organization": scene.n.organization}, {"other": staff.actor.person}):
        with pytest.raises(InvalidInput):
            await declare_interest(staff, Relation.OTHER, **wrong)
    with pytest.raises(InvalidInput):
        await declare_interest(staff, Relation.SPOUSE, organization=scene.n.organization)
    with pytest.raises(NotFound):
        await declare_interest(staff, Relation.SPOUSE, other=UUID(int=9))
    with pytest.raises(Forbidden):
        await declare_interest(scene.as_("public"), Relation.OTHER, other=wang)
    with pytest.raises(NotFound):
        await end_interest(scene.as_("wang"), first)
    scene.later(days=1)
    await end_interest(scene.as_("staff"), first)
    scene.later(days=1)
    await end_interest(scene.as_("staff"), first)
    row = await place.c.fetchrow("SELECT * FROM declared_interest WHERE id = $1", first)
    assert row is not None and row["ended_at"] == make_exchange.NOW + timedelta(days=1)
    assert await declare_interest(scene.as_("staff"), Relation.SPOUSE, other=wang) != first


def test_every_approving_verb_is_here() -> None:
    """Who adds a verb that decides on something adds it to VERBS, or says here why nobody can have an interest in it."""
    decided = {"verify", "open", "reopen", "publish", "approve", "authorise", "confirm", "complete", "uphold", "void"}
    elsewhere = {
        "session.publish": "announces a service; credits nobody",
        "session.confirm": "stands by a roster whose hours are credited one by one",
        "disbursement.confirm": "the payee's word; not its maker's (tests/actions/test_funds_payments.py)",
    }
    laws = (models.activity.rules.MAY, models.exchange.rules.MAY, models.funds.rules.MAY)
    found = {name for may in laws for name in may if name.rpartition(".")[2] in decided}
    assert found - set(elsewhere) <= set(VERBS)
