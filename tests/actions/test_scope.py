"""Scope as D.5 says: for how long a provider reads what, whose case a need is, the day's list, what a foundation sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import strawberry

from models import vault
from models.access import Actor, Role
from models.activity import actions as activity
from models.activity.actions import SessionDraft
from models.activity.problems import CodeNeeded, SecondPersonNeeded
from models.clock import SHANGHAI
from models.database import Db
from models.exchange import actions
from models.exchange.kinds import Sensitivity
from models.people.actions import reveal_contacts
from models.people.problems import RevealNotAllowed
from models.people.rules import AccessPurpose, ContactField
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound
from resolvers.activity import ActivityMutation, ActivityQuery
from resolvers.engine.engine import Engine
from resolvers.exchange import ExchangeMutation, ExchangeQuery
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.people.interests import InterestMutation, InterestQuery
from tests import make_activity, make_funds
from tests.asking import Asked, engine_of
from tests.make_activity import at
from tests.make_exchange import END, GRID, HERE, NOW, START, THERE, Scene, insert, neighbourhood

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@strawberry.type
class Query(PeopleQuery, InterestQuery, ExchangeQuery, ActivityQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation, InterestMutation, ExchangeMutation, ActivityMutation):
    pass


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_of(Query, Mutation)


@pytest.fixture
async def scene(pool: Pool) -> AsyncIterator[Scene]:
    async with pool.connection() as connection:
        yield Scene(connection, await neighbourhood(connection))


@pytest.fixture
def ask(engine: Engine, pool: Pool) -> Asked:
    return Asked(engine, pool, NOW)


class Window:
    """What wang may read of a need, and whether he may ask for the contact, at an instant."""

    def __init__(self, scene: Scene, ask: Asked, need: UUID) -> None:
        self.scene, self.ask, self.need = scene, ask, need

    async def reads(self, when: datetime) -> tuple[bool, bool]:
        text = "query ($id: ID!) { need(id: $id) { note } }"
        found = await self.ask(self.scene.n.actor("wang"), text, when, id=f"need_{self.need}")
        contact = Db(self.scene.c, self.scene.n.actor("wang"), when)
        savepoint = self.scene.c.transaction()
        await savepoint.start()
        try:
            await reveal_contacts(contact, [self.scene.n.people["grandmother"]], AccessPurpose.SERVICE)
            told = True
        except (RevealNotAllowed, NotFound):
            told = False
        finally:
            await savepoint.rollback()
        return found["need"] is not None and found["need"]["note"] is not None, told

    async def closes(self, when: datetime) -> None:
        """Open to the last second before an instant, and not from it on."""
        assert await self.reads(when - SECOND) == (True, True)
        assert await self.reads(when) == (False, False)


@pytest.fixture
async def served(scene: Scene, ask: Asked) -> tuple[Window, UUID]:
    need = await scene.need(quantity=1, beneficiary=scene.n.residents["grandmother"])
    window = Window(scene, ask, need)
    made = await actions.claim_need(scene.as_("wang"), need)
    assert await window.reads(NOW) == (False, False)
    await actions.accept_commitment(scene.as_("daughter"), made)
    assert await window.reads(NOW) == (False, False)
    await actions.confirm_commitment(scene.as_("staff"), made)
    await window.closes(END + DAY)
    return window, made


async def test_a_session_says_when_it_closes(scene: Scene, served: tuple[Window, UUID]) -> None:
    window, made = served
    staff, later = scene.as_("staff"), timedelta(hours=3)
    draft = SessionDraft(starts_at=START, ends_at=END + later, commitments=((made, None),))
    session = await activity.create_session(staff, draft)
    await window.closes(END + later + DAY)
    await activity.edit_session(staff, session, 1, {"starts_at": START + 2 * DAY, "ends_at": END + 2 * DAY})
    await window.closes(END + 3 * DAY)
    await activity.edit_session(staff, session, 2, {"starts_at": START, "ends_at": START + timedelta(hours=1)})
    await window.closes(START + timedelta(hours=25))
    await activity.cancel_session(staff, session, "大雪")
    await window.closes(END + DAY)


async def test_what_is_called_off_closes_at_once_and_stays_closed(scene: Scene, served: tuple[Window, UUID]) -> None:
    window, made = served
    staff = scene.as_("staff")
    session = await activity.create_session(
        staff, SessionDraft(starts_at=START, ends_at=END, commitments=((made, None),))
    )
    scene.later(minutes=5)
    await actions.cancel_commitment(scene.as_("daughter"), made, "改日再约")
    assert await window.reads(scene.now) == (False, False)
    await activity.edit_session(scene.as_("staff"), session, 1, {"ends_at": END + timedelta(hours=2)})
    assert await window.reads(scene.now) == (False, False)
    await activity.cancel_session(scene.as_("staff"), session, "不再需要")
    assert await window.reads(scene.now) == (False, False)


async def test_who_does_not_come_reads_no_more(scene: Scene, served: tuple[Window, UUID]) -> None:
    window, made = served
    scene.now = START + timedelta(minutes=30)
    assert await window.reads(scene.now) == (True, True)
    await actions.mark_no_show(scene.as_("staff"), made)
    assert await window.reads(scene.now) == (False, False)


async def test_completed_it_closes_a_day_after_the_service(scene: Scene, served: tuple[Window, UUID]) -> None:
    window, made = served
    scene.now = END
    await actions.start_service(scene.as_("wang"), made)
    await actions.deliver(scene.as_("wang"), made)
    await actions.complete_commitment(scene.as_("daughter"), made)
    await window.closes(END + DAY)


async def test_what_is_said_of_somebody_lies_sealed(scene: Scene, ask: Asked) -> None:
    need = await scene.need(quantity=1, beneficiary=scene.n.residents["grandmother"])
    stored = await scene.c.fetchrow("SELECT note, subject_id FROM need WHERE id = $1", need)
    assert stored is not None and stored["subject_id"] == scene.n.people["grandmother"]
    assert "三楼".encode() not in stored["note"]
    keys = await vault.load(scene.c)
    assert keys.open(vault.Kind.CARE, stored["note"], stored["subject_id"]) == "三楼，行动不便"
    with pytest.raises(vault.Tampered):
        keys.open(vault.Kind.CARE, stored["note"], scene.n.people["neighbour"])
    await actions.complete_commitment(
        scene.as_("daughter"), await scene.delivered(need), comment="老人血压高，搀扶很稳"
    )
    text = "query ($id: ID!) { need(id: $id) { note commitments { comment } } }"
    for name in ("daughter", "staff"):
        found = (await ask(scene.n.actor(name), text, END, id=f"need_{need}"))["need"]
        assert found == {"note": "三楼，行动不便", "commitments": [{"comment": "老人血压高，搀扶很稳"}]}
    place = await scene.need("officer", opened=False, title="楼道照明")
    assert await scene.c.fetchval("SELECT subject_id FROM need WHERE id = $1", place) == vault.NO_ONE
    assert (await scene.row("need", place))["note"] == "三楼，行动不便"


async def test_a_case_is_its_social_workers(scene: Scene, ask: Asked) -> None:
    grandmother, worker = scene.n.people["grandmother"], scene.n.actor("social_worker")
    need = await scene.need(
        opened=False, sensitivity=Sensitivity.RESTRICTED, beneficiary=scene.n.residents["grandmother"]
    )
    text = "query ($id: ID!) { need(id: $id) { note assignedTo { name } } }"

    async def sees() -> Any:
        return (await ask(worker, text, id=f"need_{need}"))["need"]

    async def may_ask() -> bool:
        savepoint = scene.c.transaction()
        await savepoint.start()
        try:
            await reveal_contacts(scene.as_("social_worker"), [grandmother], AccessPurpose.VISIT)
        except RevealNotAllowed:
            return False
        finally:
            await savepoint.rollback()
        return True

    assert (await sees(), await may_ask()) == (None, False)
    for who in ("social_worker", "officer", "daughter", "staff_there"):
        with pytest.raises((Forbidden, NotFound)):
            await actions.assign_need(scene.as_(who), need, scene.n.social_worker)
    await actions.assign_need(scene.as_("staff"), need, scene.n.social_worker)
    await actions.assign_need(scene.as_("staff"), need, scene.n.social_worker)
    found = await sees()
    assert found["note"] == "三楼，行动不便" and found["assignedTo"] is not None
    assert await may_ask()
    await actions.assign_need(scene.as_("staff"), need, None)
    assert (await sees(), await may_ask()) == (None, False)
    await actions.assign_need(scene.as_("staff"), need, scene.n.social_worker)
    assert await may_ask()
    await actions.reject_need(scene.as_("staff"), need, "已由亲属照料")
    assert not await may_ask()
    with pytest.raises(InvalidTransition):
        await actions.assign_need(scene.as_("staff"), need, None)
    await scene.c.execute("UPDATE membership SET revoked_at = $1 WHERE role = 'SOCIAL_WORKER'", scene.now)
    other = await scene.need(opened=False)
    with pytest.raises(NotFound):
        await actions.assign_need(scene.as_("staff"), other, scene.n.social_worker)


async def test_an_expired_case_tells_nothing_more(scene: Scene) -> None:
    need = await scene.need(
        beneficiary=scene.n.residents["grandmother"], due_at=START, window_from=None, window_to=None
    )
    await actions.assign_need(scene.as_("staff"), need, scene.n.social_worker)
    scene.now = START
    assert await actions.expire_needs(scene.as_("staff")) == 1
    until = await scene.c.fetchval("SELECT until FROM contact_grant WHERE source_id = $1", need)
    assert until == START


LIST = """
mutation ($date: Date!) {
  contactRevealDay(date: $date, purpose: VISIT) {
    __typename
    ... on ContactReveal { purpose contacts { name phone } }
    ... on InvalidInput { message }
  }
}
"""


async def contacts(scene: Scene) -> None:
    """The plain names of the grandmother, the neighbour and sun."""
    keys = await vault.load(scene.c)
    for who in ("grandmother", "neighbour", "sun"):
        person = scene.n.people[who]
        name = keys.seal(vault.Kind.NAME, f"{who}的名", person)
        await scene.c.execute("INSERT INTO person_name (person_id, name) VALUES ($1, $2)", person, name)
        await scene.c.execute("UPDATE person SET area = $2 WHERE id = $1", person, GRID)


async def test_the_days_list(scene: Scene, ask: Asked) -> None:
    await contacts(scene)
    tomorrow, today = date(2026, 11, 3), date(2026, 11, 2)
    worker, officer = scene.n.actor("social_worker"), scene.n.actor("officer")

    async def listed(actor: Actor, on: date) -> Any:
        answer = (await ask(actor, LIST, date=on.isoformat()))["contactRevealDay"]
        return sorted(p["name"] for p in answer["contacts"]) if "contacts" in answer else answer["__typename"]

    assert await listed(worker, tomorrow) == "InvalidInput"
    first = await scene.need(quantity=1, beneficiary=scene.n.residents["grandmother"])
    await scene.confirmed(first)
    case = await scene.need(
        "staff", beneficiary=scene.n.residents["sun"], window_from=None, window_to=None, due_at=NOW + 9 * DAY
    )
    await actions.assign_need(scene.as_("staff"), case, scene.n.social_worker)
    unconfirmed = await scene.need("staff", beneficiary=scene.n.residents["neighbour"])
    await actions.claim_need(scene.as_("zhao"), unconfirmed)
    assert await listed(worker, tomorrow) == ["grandmother的名", "sun的名"]
    assert await listed(worker, today) == ["sun的名"]
    assert await listed(officer, tomorrow) == ["grandmother的名"]
    assert await listed(officer, today) == "InvalidInput"
    for on in (date(2026, 11, 1), date(2026, 11, 4)):
        assert await listed(worker, on) == "InvalidInput"
    rows = await scene.c.fetch("SELECT actor_id, subject_id, fields FROM pii_access ORDER BY at, actor_id, subject_id")
    assert len(rows) == 4
    assert {tuple(r["fields"]) for r in rows} == {("NAME", "PHONE", "ADDRESS")}
    grant = await scene.c.fetchrow(
        "SELECT * FROM contact_grant WHERE viewer_person_id = $1 AND subject_id = $2",
        *(worker.person, scene.n.people["grandmother"]),
    )
    assert grant is not None and grant["until"] == datetime(2026, 11, 4, tzinfo=SHANGHAI)
    for name in ("staff", "ngo", "wang", "daughter", "viewer", "public"):
        with pytest.raises(Forbidden):
            await activity.reveal_day(scene.as_(name), tomorrow, AccessPurpose.VISIT)
    again = [ContactField.NAME]
    await reveal_contacts(scene.as_("social_worker"), [scene.n.people["grandmother"]], AccessPurpose.VISIT, again)
    with pytest.raises(RevealNotAllowed):
        await reveal_contacts(scene.as_("social_worker"), [scene.n.people["neighbour"]], AccessPurpose.VISIT, again)
    elsewhere = Actor(Role.SOCIAL_WORKER, scene.n.people["colleague"], None, THERE)
    with pytest.raises(InvalidInput):
        await activity.reveal_day(Db(scene.c, elsewhere, NOW), tomorrow, AccessPurpose.VISIT)


async def test_a_foundation_sees_what_it_was_asked_to_pay_for(scene: Scene, ask: Asked) -> None:
    foundation = await insert(
        *(scene.c, "organization"),
        name="试验基金会",
        pinyin="x",
        kind="FOUNDATION",
        legal_status="FILED",
        filing_no="备2",
        verified_state="VERIFIED",
        division_id=scene.n.communities[HERE],
        area=HERE,
        created_at=NOW,
    )
    maker = Actor(Role.FUND_MAKER, await make_funds.person(scene.c), foundation)
    other = Actor(Role.FUND_MAKER, await make_funds.person(scene.c), scene.n.organization)
    asked, unasked = await scene.need(), await scene.need()
    text = "{ needs { totalCount edges { node { id note grid { id } foundations { organization { name } } } } } }"
    assert (await ask(maker, text))["needs"]["totalCount"] == 0
    for who in ("ngo", "daughter", "officer"):
        with pytest.raises(Forbidden):
            await actions.ask_foundation(scene.as_(who), asked, foundation)
    with pytest.raises(NotFound):
        await actions.ask_foundation(scene.as_("staff"), asked, scene.n.organization)
    await actions.ask_foundation(scene.as_("staff"), asked, foundation)
    await actions.ask_foundation(scene.as_("social_worker"), asked, foundation)
    seen = (await ask(maker, text))["needs"]
    assert seen["totalCount"] == 1
    node = {
        "id": f"need_{asked}",
        "note": None,
        "grid": None,
        "foundations": [{"organization": {"name": "试验基金会"}}],
    }
    assert seen["edges"][0]["node"] == node
    assert (await ask(other, text))["needs"]["totalCount"] == 0
    assert (await ask(scene.n.actor("viewer"), text))["needs"]["totalCount"] == 0
    by_id = "query ($id: ID!) { need(id: $id) { no } }"
    assert (await ask(maker, by_id, id=f"need_{unasked}"))["need"] is None
    early = await scene.need(opened=False)
    with pytest.raises(InvalidTransition):
        await actions.ask_foundation(scene.as_("staff"), early, foundation)
    secret = await scene.need(sensitivity=Sensitivity.RESTRICTED)
    with pytest.raises(InvalidInput):
        await actions.ask_foundation(scene.as_("staff"), secret, foundation)


async def test_the_overdue_holds_of_an_offer_are_written_down_before_it_is_edited(scene: Scene) -> None:
    offer, need = await scene.offer(quantity=5), await scene.need(quantity=3, window_from=None, window_to=None)
    await actions.claim_need(scene.as_("ngo"), need, 3, offer=offer)
    scene.later(hours=24)
    version = (await scene.row("offer", offer))["version"]
    await actions.edit_offer(scene.as_("ngo"), offer, version, {"qty_total": 1})
    row = await scene.row("offer", offer)
    assert (row["qty_total"], row["qty_reserved"]) == (1, 0)
    assert (await scene.counts(need))[2] == 0


async def test_who_sees_a_declared_interest(scene: Scene, ask: Asked) -> None:
    verb = """mutation ($person: ID!) { interestDeclare(relation: SIBLING, person: $person, idempotencyKey: "interest-1") {
      ... on DeclaredInterest { id relation person { name } organization { name } endedAt } ... on Problem { code } } }"""
    wang = scene.n.people["wang"]
    made = (await ask(scene.n.actor("staff"), verb, person=f"person_{wang}"))["interestDeclare"]
    assert (made["relation"], made["organization"], made["endedAt"]) == ("SIBLING", None, None)
    text = "{ myInterests { id relation } interests { totalCount } }"
    auditor = Actor(Role.AUDITOR, scene.n.people["admin"])
    for actor, mine, seen in (
        (scene.n.actor("staff"), 1, 1),
        (scene.n.actor("wang"), 0, 1),
        (auditor, 0, 1),
        (scene.n.actor("colleague"), 0, 0),
        (scene.n.actor("admin"), 0, 0),
        (scene.n.actor("ngo"), 0, 0),
        (scene.n.actor("public"), 0, 0),
    ):
        found = await ask(actor, text)
        assert (len(found["myInterests"]), found["interests"]["totalCount"]) == (mine, seen)
    need = await scene.need(quantity=1)
    claimed = await actions.claim_need(scene.as_("wang"), need)
    can = "query ($id: ID!) { commitment(id: $id) { viewerCan { accept confirm } } }"
    for name, may in (("staff", False), ("colleague", True)):
        found = (await ask(scene.n.actor(name), can, id=f"commitment_{claimed}"))["commitment"]
        assert found["viewerCan"]["accept"] is may
    refused = """mutation ($id: ID!) { commitmentAccept(id: $id, idempotencyKey: "interest-2") {
      ... on ConflictOfInterest { code message detail } } }"""
    told = (await ask(scene.n.actor("staff"), refused, id=f"commitment_{claimed}"))["commitmentAccept"]
    assert told == {
        "code": "CONFLICT_OF_INTEREST",
        "message": "您与此事有利害关系（近亲属或同户人员的事项），请由其他人员办理。",
        "detail": "近亲属或同户人员的事项",
    }
    end = """mutation ($id: ID!) { interestEnd(id: $id, idempotencyKey: "interest-3") {
      ... on DeclaredInterest { endedAt } ... on Problem { code } } }"""
    assert (await ask(scene.n.actor("wang"), end, id=made["id"]))["interestEnd"] == {"code": "NOT_FOUND"}
    assert (await ask(scene.n.actor("staff"), end, id=made["id"]))["interestEnd"]["endedAt"] is not None


@pytest.fixture
async def there(scene: Scene) -> make_activity.World:
    return await make_activity.world(scene.c, NOW)


async def test_staff_of_the_organization_need_anothers_word(there: make_activity.World) -> None:
    session, insider, outsider = await there.session(), await there.volunteer(), await there.volunteer()
    for person, scope in ((insider, {"organization_id": there.organization, "role": "NGO_STAFF"}),):
        await insert(
            *(there.connection, "membership"),
            person_id=person.person,
            starts_on=NOW.date(),
            granted_at=NOW,
            **scope,
        )
    code = await there.code(session)
    parts = {}
    for person in (insider, outsider):
        parts[person] = await activity.sign_up(there.as_(person), session)
        await activity.check_in(there.as_(person, at("09:00")), parts[person], code)
    await activity.check_out(there.as_(outsider, at("12:00")), parts[outsider], code)
    with pytest.raises(SecondPersonNeeded):
        await activity.check_out(there.as_(insider, at("12:00")), parts[insider], code)
    await activity.check_out(there.as_(there.ngo, at("12:00")), parts[insider])
    assert await make_activity.credits(there, parts[outsider]) == [("CREDIT", 1, 180, "SYSTEM")]
    assert await make_activity.credits(there, parts[insider]) == [("CREDIT", 1, 180, "CONFIRMED")]


@pytest.mark.parametrize(
    ("role", "area", "trusted"),
    [
        ("COMMUNITY_STAFF", "210103005024", False),
        ("COMMUNITY_STAFF", "210103005025", True),
        ("GRID_OFFICER", "210103005024001", True),
    ],
)
async def test_staff_of_the_area_know_its_codes(
    there: make_activity.World, role: str, area: str, trusted: bool
) -> None:
    session, somebody = await there.session(), await there.volunteer()
    await insert(
        *(there.connection, "membership"),
        person_id=somebody.person,
        role=role,
        area=area,
        starts_on=NOW.date(),
        granted_at=NOW,
    )
    code = await there.code(session)
    part = await activity.sign_up(there.as_(somebody), session)
    await activity.check_in(there.as_(somebody, at("09:00")), part, code)
    if trusted:
        await activity.check_out(there.as_(somebody, at("12:00")), part, code)
        assert await make_activity.credits(there, part) == [("CREDIT", 1, 180, "SYSTEM")]
    else:
        with pytest.raises(SecondPersonNeeded):
            await activity.check_out(there.as_(somebody, at("12:00")), part, code)


async def test_a_position_alone_is_no_proof(there: make_activity.World) -> None:
    session = await there.session(latitude=41.8, longitude=123.4)
    code, here = await there.code(session), (41.8, 123.4)
    people = [await there.volunteer() for _ in range(3)]
    parts = [await activity.sign_up(there.as_(p), session) for p in people]
    for person, part in zip(people, parts, strict=True):
        await activity.check_in(there.as_(person, at("09:00")), part, None, *here)
    with pytest.raises(CodeNeeded):
        await activity.check_out(there.as_(people[0], at("12:00")), parts[0], None, *here)
    await activity.check_out(there.as_(people[0], at("12:00")), parts[0], code)
    await activity.check_out(there.as_(there.ngo, at("12:00")), parts[1])
    assert await make_activity.credits(there, parts[0]) == [("CREDIT", 1, 180, "SYSTEM")]
    assert await make_activity.credits(there, parts[1]) == [("CREDIT", 1, 180, "CONFIRMED")]
    assert await make_activity.credits(there, parts[2]) == []


async def test_a_grid_officer_sees_no_ledger_and_no_judgement(
    scene: Scene, there: make_activity.World, ask: Asked
) -> None:
    session, somebody = await there.session(), await there.volunteer()
    part = await make_activity.attend(there, session, somebody, "09:00", "12:00")
    await activity.rate(there.as_(there.ngo, at("13:00")), part, 4)
    text = "query ($id: ID!) { session(id: $id) { attendances { edges { node { rating checkIn { at } entries { minutes } volunteer { name } } } } } }"
    officer = Actor(Role.GRID_OFFICER, scene.n.people["officer"], None, there.area)
    for actor, rating, entries in ((there.staff, 4, [{"minutes": 180}]), (officer, None, [])):
        (edge,) = (await ask(actor, text, at("13:00"), id=f"session_{session}"))["session"]["attendances"]["edges"]
        assert (edge["node"]["rating"], edge["node"]["entries"]) == (rating, entries)
        assert (edge["node"]["checkIn"] is None) is (actor is officer)
        assert edge["node"]["volunteer"]["name"] == "王*"
