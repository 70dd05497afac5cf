"""Sessions and hours as clients see them: who sees what, and mutations with their unions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import orjson
import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from models import access
from models.access import Actor, Role
from models.activity import actions
from models.pool import Pool
from resolvers.activity import ActivityMutation, ActivityQuery
from resolvers.context import Context, asker, perform
from resolvers.engine.engine import Engine, Rules
from resolvers.exchange import ExchangeQuery
from resolvers.people import PeopleQuery
from resolvers.scalars import SCALARS
from resolvers.territory import TerritoryQuery
from tests.make_activity import ELSEWHERE, World, at, world


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, ExchangeQuery, ActivityQuery):
    pass


@pytest.fixture(scope="module")
def engine() -> Engine:
    schema = strawberry.Schema(Query, ActivityMutation, config=StrawberryConfig(scalar_map=SCALARS))
    rules = Rules(access.seen, access.PUBLIC, access.IMPLIED, access.VIEWER_TYPES)
    return Engine(schema, rules, set(access.VISIBLE), perform)


class Asking:
    """A world, and a way to ask about it."""

    def __init__(self, engine: Engine, pool: Pool, there: World) -> None:
        self.engine, self.pool, self.there = engine, pool, there

    async def __call__(self, text: str, actor: Actor, now: datetime | None = None, **variables: Any) -> Any:
        """The data of an answer without errors."""
        when = now or self.there.now
        context = Context(text, variables, None, actor, asker(actor, when), self.pool, self.pool, when, 5.0)
        answer = await self.engine.answer(context)
        if isinstance(answer, bytes):
            return orjson.loads(answer)["data"]
        assert not answer.errors, answer.errors
        return answer.data


@pytest.fixture
async def ask(engine: Engine, pool: Pool, now: datetime) -> AsyncIterator[Asking]:
    async with pool.connection() as connection:
        yield Asking(engine, pool, await world(connection, now))


SESSIONS = """query ($filter: SessionFilter, $order: SessionOrder! = STARTS_SOONEST) {
  sessions(filter: $filter, order: $order) { totalCount edges { node {
    id title startsAt endsAt place capacity acceptedCount placesLeft status openSignUp creditedMinutes version
    community { code } category { code } organization { name }
    signCode { code }
    viewerCan { edit publish cancel end confirm lock recordHeadcount signUp }
    attendances { totalCount edges { node { status position viewerCan { withdraw checkIn proposeHours } } } }
  } } } }"""


def nodes(data: Any, field: str = "sessions") -> list[Any]:
    return [edge["node"] for edge in data[field]["edges"]]


async def test_who_sees_which_sessions(ask: Asking) -> None:
    there = ask.there
    open_ = await there.session()
    planned = await there.session(publish=False, starts_at=at("14:00"), ends_at=at("15:00"))
    v = await there.volunteer()
    await actions.sign_up(there.as_(v), open_)
    mine = f"session_{open_}"
    for actor, ids in (
        (Actor(), [mine]),
        (v, [mine]),
        (Actor(Role.CITY_VIEWER, area="2101"), [mine]),
        (Actor(Role.FUND_REPORTER, organization=there.organization), [mine]),
        (there.ngo, [mine, f"session_{planned}"]),
        (there.staff, [mine, f"session_{planned}"]),
        (Actor(Role.COMMUNITY_STAFF, there.staff.person, area=ELSEWHERE), [mine]),
    ):
        data = await ask(SESSIONS, actor)
        assert [n["id"] for n in nodes(data)] == ids, actor.role
        assert data["sessions"]["totalCount"] == len(ids)
        one = await ask("query ($id: ID!) { session(id: $id) { id } }", actor, id=f"session_{planned}")
        assert (one["session"] is not None) == (len(ids) == 2)
        first = nodes(data)[0]
        organizes = len(ids) == 2
        assert (first["signCode"] is not None) == organizes
        assert first["attendances"]["totalCount"] == (1 if organizes or actor is v else 0)
        assert first["viewerCan"]["edit"] == first["viewerCan"]["cancel"] == organizes
        assert first["viewerCan"]["signUp"] is False
    [node] = nodes(await ask(SESSIONS, v))
    assert (node["startsAt"], node["placesLeft"], node["place"]) == ("2026-11-03T09:00:00.000+08:00", 14, "万莲社区")
    [part] = nodes(node, "attendances")
    assert part == {
        "status": "ACCEPTED",
        "position": 1,
        "viewerCan": {"withdraw": True, "checkIn": False, "proposeHours": False},
    }
    other = await there.volunteer()
    assert nodes(await ask(SESSIONS, other))[0]["viewerCan"]["signUp"] is True


async def test_lists_are_narrowed_and_ordered(ask: Asking) -> None:
    there = ask.there
    for hour in (14, 9, 11):
        await there.session(starts_at=at(f"{hour:02}:00"), ends_at=at(f"{hour + 1}:00"), capacity=hour)

    async def capacities(order: str = "STARTS_SOONEST", **filter: Any) -> list[int]:
        return [n["capacity"] for n in nodes(await ask(SESSIONS, Actor(), filter=filter, order=order))]

    assert await capacities() == [9, 11, 14]
    assert await capacities("STARTS_LATEST") == [14, 11, 9]
    assert await capacities("NEWEST") == [11, 9, 14]
    assert await capacities(category="CHILDCARE", under="210103", status=["PUBLISHED"]) == [9, 11, 14]
    assert (
        await capacities(category="CHILD")
        == await capacities(category="ELDERLY")
        == await capacities(under=ELSEWHERE)
        == []
    )
    assert await capacities(startsFrom="2026-11-03T11:00:00+08:00", startsBefore="2026-11-03T14:00:00+08:00") == [11]
    assert await capacities(organization=f"organization_{there.organization}", hasPlaces=True) == [9, 11, 14]
    assert await capacities(organization=None) == await capacities(openSignUp=False) == []
    assert await capacities(community=f"division_{there.community}") == [9, 11, 14]


CREATE = """mutation ($input: SessionCreateInput!) { sessionCreate(input: $input, idempotencyKey: "create-00") {
  __typename ... on ServiceSession { id status version capacity meetingPoint { latitude radiusM } }
  ... on Problem { code message } } }"""
EDIT = """mutation ($id: ID!, $input: SessionEditInput!, $version: Int!) {
  sessionEdit(id: $id, version: $version, input: $input, idempotencyKey: "edit-0000") {
  __typename ... on ServiceSession { capacity place version meetingPoint { latitude } }
  ... on CapacityBelowAccepted { code accepted } ... on StaleVersion { code current } ... on Problem { code } } }"""
PUBLISH = """mutation ($id: ID!) { sessionPublish(id: $id, idempotencyKey: "publish-0") {
  ... on ServiceSession { status signCode { code } } ... on Problem { code } } }"""
SIGN_UP = """mutation ($id: ID!, $key: String!) { sessionSignUp(id: $id, idempotencyKey: $key) {
  ... on Attendance { id status position session { id acceptedCount } } ... on Problem { code message } } }"""
CHECK_IN = """mutation ($id: ID!, $input: CheckInput) { attendanceCheckIn(id: $id, input: $input, idempotencyKey: "check-in") {
  ... on Attendance { status checkIn { at method } checkOut { at } } ... on Problem { code } } }"""
CHECK_OUT = """mutation ($id: ID!, $input: CheckInput) { attendanceCheckOut(id: $id, input: $input, idempotencyKey: "check-out") {
  ... on Attendance { status creditedMinutes entries { id kind minutes trust revision category { code } viewerCan { reverse } } }
  ... on Problem { code } } }"""


async def test_a_session_over_graphql(ask: Asking) -> None:
    there = ask.there
    given = {
        "title": "周六托管",
        "community": f"division_{there.community}",
        "category": f"service_category_{there.category}",
        "startsAt": "2026-11-03T09:00:00+08:00",
        "endsAt": "2026-11-03T12:00:00+08:00",
        "capacity": 2,
        "meetingPoint": {"latitude": 41.7968, "longitude": 123.4291},
    }
    made = (await ask(CREATE, there.ngo, input=given))["sessionCreate"]
    id = made.pop("id")
    assert made == {
        "__typename": "ServiceSession",
        "status": "PLANNED",
        "version": 1,
        "capacity": 2,
        "meetingPoint": {"latitude": 41.7968, "radiusM": 300},
    }
    edited = (await ask(EDIT, there.ngo, id=id, version=1, input={"place": "社区活动室", "meetingPoint": None}))[
        "sessionEdit"
    ]
    assert edited == {
        "__typename": "ServiceSession",
        "capacity": 2,
        "place": "社区活动室",
        "version": 2,
        "meetingPoint": None,
    }
    published = (await ask(PUBLISH, there.ngo, id=id))["sessionPublish"]
    assert published["status"] == "PUBLISHED"
    code = published["signCode"]["code"]
    assert len(code) == 8
    v = await there.volunteer()
    signed = [
        (await ask(SIGN_UP, v, id=id, key=key))["sessionSignUp"] for key in ("sign-up-1", "sign-up-1", "sign-up-2")
    ]
    assert signed[0] == signed[1]
    assert (signed[0]["status"], signed[0]["session"]) == ("ACCEPTED", {"id": id, "acceptedCount": 1})
    assert signed[2] == {"code": "ALREADY_SIGNED_UP", "message": "您已报名或曾报名该场次，当前状态“已录取”。"}
    part = signed[0]["id"]
    wrong = await ask(CHECK_IN, v, at("08:27"), id=part, input={"code": "NOTTHIS1"})
    assert wrong["attendanceCheckIn"] == {"code": "WRONG_SIGN_CODE"}
    came = (await ask(CHECK_IN, v, at("08:27"), id=part, input={"code": code}))["attendanceCheckIn"]
    assert came == {
        "status": "CHECKED_IN",
        "checkIn": {"at": "2026-11-03T08:27:00.000+08:00", "method": "CODE"},
        "checkOut": None,
    }
    for _ in range(3):
        left = (await ask(CHECK_OUT, v, at("12:05"), id=part, input={"code": code}))["attendanceCheckOut"]
        assert (left["status"], left["creditedMinutes"]) == ("CONFIRMED", 180)
        [entry] = left["entries"]
        entry.pop("id")
        assert entry == {
            "kind": "CREDIT",
            "minutes": 180,
            "trust": "SYSTEM",
            "revision": 1,
            "category": {"code": "CHILDCARE"},
            "viewerCan": {"reverse": False},
        }


HOURS = """{ myHours { totalMinutes systemMinutes confirmedMinutes manualMinutes sessions }
  myHoursByCategory { category { code } minutes sessions }
  attendances(filter: {mine: true}) { totalCount }
  hourEntries(filter: {mine: true}, order: OLDEST) { totalCount edges { node { kind minutes trust creditedOn
    attendance { session { title } } volunteer { id } approvedBy { id } viewerCan { reverse } } } } }"""


async def test_a_volunteer_reads_his_hours(ask: Asking) -> None:
    there = ask.there
    v = await there.volunteer()
    session = await there.session()
    part = await actions.sign_up(there.as_(v), session)
    await actions.check_in(there.as_(there.ngo, at("09:00")), part)
    await actions.check_out(there.as_(there.ngo, at("12:04")), part)
    entry = await there.connection.fetchval("SELECT id FROM hour_entry")
    data = await ask(
        """mutation ($id: ID!) { hoursReverse(entry: $id, minutes: 120, reason: "早退一小时", idempotencyKey: "reverse-1") {
          ... on Attendance { creditedMinutes entries { minutes trust } } ... on Problem { code } } }""",
        there.worker,
        at("13:00"),
        id=f"hour_{entry}",
    )
    assert data["hoursReverse"] == {
        "creditedMinutes": 120,
        "entries": [
            {"minutes": 180, "trust": "CONFIRMED"},
            {"minutes": -180, "trust": "CONFIRMED"},
            {"minutes": 120, "trust": "CONFIRMED"},
        ],
    }
    other = await there.session(starts_at=at("14:00"), ends_at=at("15:00"))
    forgot = await actions.sign_up(there.as_(v), other)
    proposal = await actions.propose_hours(there.as_(there.ngo, at("16:00")), forgot, 45, "忘记签到", "照片")
    queue = """{ manualProposals(filter: {status: [PENDING]}) { edges { node { id minutes viewerCan { approve reject } } } } }"""
    for actor, may in ((there.worker, True), (there.ngo, False), (v, False)):
        [waiting] = nodes(await ask(queue, actor, at("16:00")), "manualProposals")
        assert waiting == {
            "id": f"proposal_{proposal}",
            "minutes": 45,
            "viewerCan": {"approve": may, "reject": may},
        }
    await actions.approve_hours(there.as_(there.worker, at("17:00")), proposal)
    data = await ask(HOURS, v)
    assert data["myHours"] == {
        "totalMinutes": 165,
        "systemMinutes": 0,
        "confirmedMinutes": 120,
        "manualMinutes": 45,
        "sessions": 2,
    }
    assert data["myHoursByCategory"] == [{"category": {"code": "CHILDCARE"}, "minutes": 165, "sessions": 2}]
    assert (data["attendances"]["totalCount"], data["hourEntries"]["totalCount"]) == (2, 4)
    assert [n["minutes"] for n in nodes(data, "hourEntries")] == [180, -180, 120, 45]
    for stranger in (await there.volunteer(), Actor(), Actor(Role.CITY_VIEWER, area="2101")):
        data = await ask(
            "{ hourEntries { totalCount } attendances { totalCount } manualProposals { totalCount } }", stranger
        )
        assert data == {name: {"totalCount": 0} for name in ("hourEntries", "attendances", "manualProposals")}
    seen = await ask("{ hourEntries { totalCount edges { node { viewerCan { reverse } } } } }", there.worker)
    assert [n["viewerCan"]["reverse"] for n in nodes(seen, "hourEntries")] == [True, True, False, False]


async def test_who_served_a_need_is_seen_by_who_asked(ask: Asking) -> None:
    there = ask.there
    need = await there.need()
    asker_ = Actor(Role.RESIDENT, await there.connection.fetchval("SELECT requester_id FROM need"), area=there.area)
    promised = await there.commitment(need, (await there.volunteer()).person)
    session = await there.session(there.staff, commitments=((promised, None),))
    walk = """query ($id: ID!) { session(id: $id) { need { id } commitments { quantity commitment { id } }
      attendances { edges { node { volunteer { id } commitment { id } entries { minutes } } } } } }"""
    data = await ask(walk, asker_, id=f"session_{session}")
    assert data["session"]["commitments"] == [{"quantity": 1, "commitment": {"id": f"commitment_{promised}"}}]
    [part] = nodes(data["session"], "attendances")
    assert part["commitment"] == {"id": f"commitment_{promised}"}
    [person] = await there.all("SELECT volunteer_id, id FROM attendance")
    await actions.check_in(there.as_(there.staff, at("08:27")), person["id"])
    await actions.check_out(there.as_(there.staff, at("11:05")), person["id"])
    hours = """query ($id: ID!) { need(id: $id) { status sessions { id creditedMinutes }
      commitments { status sessions { session { id } } attendances { creditedMinutes entries { minutes } } } } }"""
    data = (await ask(hours, there.staff, id=f"need_{need}"))["need"]
    assert data == {
        "status": "DELIVERED",
        "sessions": [{"id": f"session_{session}", "creditedMinutes": 150}],
        "commitments": [
            {
                "status": "DELIVERED",
                "sessions": [{"session": {"id": f"session_{session}"}}],
                "attendances": [{"creditedMinutes": 150, "entries": [{"minutes": 150}]}],
            }
        ],
    }
    other = Actor(Role.RESIDENT, await there.person("孙*"), area=there.area)
    assert (await ask(walk, other, id=f"session_{session}"))["session"] is None


async def test_whoever_sees_an_attendance_sees_its_session(ask: Asking) -> None:
    there = ask.there
    need, secret = await there.need(quantity=3), await there.need(sensitivity="RESTRICTED")
    v = await there.volunteer()
    await there.connection.execute(
        "INSERT INTO need_staff (need_id, person_id, named_at) VALUES ($1, $2, $3)",
        secret,
        there.worker.person,
        there.now,
    )
    promised = [await there.commitment(need, v.person), await there.commitment(need, organization=there.organization)]
    mixed = await there.session(there.staff, commitments=tuple((p, None) for p in promised))
    await actions.sign_up(there.as_(await there.volunteer()), mixed)
    hidden = await there.commitment(secret, there.worker.person)
    await there.session(there.worker, commitments=((hidden, None),))
    await actions.sign_up(there.as_(v), await there.session(starts_at=at("14:00"), ends_at=at("15:00")))
    residents = [
        Actor(Role.RESIDENT, r["requester_id"], area=there.area)
        for r in await there.all("SELECT requester_id FROM need")
    ]
    grid = Actor(Role.GRID_OFFICER, there.staff.person, area=there.area)
    counts = {}
    for actor in (v, there.ngo, there.staff, there.worker, grid, *residents, Actor(Role.AUDITOR, there.staff.person)):
        rows = nodes(await ask("{ attendances { edges { node { id session { id } } } } }", actor), "attendances")
        assert all(r["session"] for r in rows)
        counts[actor.role] = len(rows)
    assert counts == {
        Role.VOLUNTEER: 2,
        Role.NGO_STAFF: 2,
        Role.COMMUNITY_STAFF: 3,
        Role.SOCIAL_WORKER: 4,
        Role.GRID_OFFICER: 3,
        Role.RESIDENT: 1,
        Role.AUDITOR: 0,
    }
