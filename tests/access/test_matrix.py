"""docs/access.md, cell by cell: what it says of a role is what the role is answered, over all rows of the demo data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from graphql import get_named_type

from api.access_cells import ALWAYS, NEVER, Cell, How, item_of
from api.access_matrix import Matrix, document
from api.commands.checking import MATRIX
from models import access
from models.access import STAFF_ROLES, Actor, Role
from resolvers.engine import words
from resolvers.engine.engine import Engine
from tests.access.conftest import ROLES, as_api, as_superuser
from tests.access.crawl import Crawler, unmasked, without_limits
from tests.access.everything import at, everything, told
from tests.demo import Demo

Cells = dict[str, dict[str, Cell]]
"""By type and path."""

PEERS = {
    Role.RESIDENT: """
        SELECT r.person_id, NULL::uuid, r.area FROM resident r
        JOIN need n ON n.requester_id = r.person_id OR n.beneficiary_id = r.id
        GROUP BY r.person_id, r.area ORDER BY count(DISTINCT n.status) DESC, r.person_id LIMIT 6""",
    Role.VOLUNTEER: """
        SELECT volunteer_id, NULL::uuid, min(area) FROM attendance
        GROUP BY volunteer_id ORDER BY count(DISTINCT status) DESC, count(*) DESC, volunteer_id LIMIT 6""",
    Role.NGO_STAFF: """
        SELECT NULL::uuid, organization_id, NULL FROM commitment WHERE organization_id IS NOT NULL
        GROUP BY organization_id ORDER BY count(DISTINCT status) DESC, organization_id LIMIT 3""",
    Role.SOCIAL_WORKER: "SELECT NULL::uuid, NULL::uuid, area FROM social_worker GROUP BY area ORDER BY area LIMIT 3",
    Role.COMMUNITY_STAFF: """
        SELECT m.person_id, NULL::uuid, m.area FROM membership m WHERE m.role = 'COMMUNITY_STAFF'
        ORDER BY EXISTS (SELECT FROM manual_proposal p WHERE starts_with(p.area, m.area)) DESC, m.id LIMIT 3""",
    Role.GRID_OFFICER: """
        SELECT NULL::uuid, NULL::uuid, area FROM need WHERE length(area) = 15
        GROUP BY area ORDER BY count(*) DESC, area LIMIT 3""",
}
"""Others in the same capacity, asked where the demo account alone has no row that a condition is true of."""
WITH_A_PAST = """
(SELECT volunteer_id FROM attendance GROUP BY 1 ORDER BY count(DISTINCT status) DESC, count(*) DESC, 1 LIMIT 2)
UNION ALL (SELECT person_id FROM volunteer WHERE state_reason IS NOT NULL ORDER BY 1 LIMIT 1)
UNION ALL (SELECT person_id FROM resident ORDER BY person_id LIMIT 4)
UNION ALL (SELECT person_id FROM donation WHERE person_id IS NOT NULL AND status = 'REVERSED' ORDER BY id LIMIT 2)
UNION ALL (SELECT person_id FROM donation WHERE person_id IS NOT NULL AND designation IS NOT NULL ORDER BY id LIMIT 1)
UNION ALL (SELECT contact_id FROM organization WHERE verified_state IN ('DRAFT', 'REJECTED') ORDER BY id LIMIT 1)
UNION ALL (SELECT person_id FROM volunteer WHERE no_matching ORDER BY 1 LIMIT 1)
UNION ALL (SELECT a.volunteer_id FROM attendance a JOIN service_session s ON s.id = a.session_id
    WHERE a.status = 'CHECKED_IN' AND s.status = 'RUNNING' ORDER BY a.id LIMIT 1)
UNION ALL (SELECT c.volunteer_person_id FROM commitment c JOIN need n ON n.id = c.need_id
    WHERE c.status = 'CONFIRMED' AND c.volunteer_person_id IS NOT NULL AND n.note IS NOT NULL ORDER BY c.id LIMIT 1)
"""
"""People who are somebody in several ways: what is one's own is seen in every capacity."""

NO_SUCH_ROW: dict[str, str] = {
    **dict.fromkeys(
        (f"RevealedContact.{field}" for field in ("name", "phone", "phoneWhose", "address", "idNumber")),
        "only in the answer of the reveal itself: tests/actions/test_people_contacts.py",
    ),
    "Attendance.viewerCan.checkIn": "at this minute no session has its doors open",
    "Attendance.viewerCan.markAbsent": "at this minute no session has begun",
    **dict.fromkeys(
        ("Commitment.viewerCan.accept", "Commitment.viewerCan.decline"), "few commitments wait, and each for one side"
    ),
    **dict.fromkeys(
        ("Commitment.viewerCan.complete", "Commitment.viewerCan.dispute"), "few are delivered and not judged yet"
    ),
    **dict.fromkeys(("Allocation.viewerCan.spend", "Allocation.viewerCan.submit"), "the maker has no such plan now"),
    "Disbursement.viewerCan.confirm (resident)": "no resident is a payee who has not answered",
    "Disbursement.viewerCan.pay": "none waits to be paid",
    "Donation.designation": "who gave with words gave to foundations that are not looked at by him",
    "Membership.viewerCan.revoke": "residents and strangers hold no office",
    **dict.fromkeys(("Need.reason", "Need.referredTo"), "what was refused or referred was never served"),
    **dict.fromkeys(
        ("Need.viewerCan.open", "Need.viewerCan.reopen", "Need.viewerCan.submit"),
        "few needs are held back, closed of late, or drafts",
    ),
    **dict.fromkeys(
        (f"Offer.viewerCan.{step}" for step in ("submit", "edit", "pause", "resume", "withdraw")),
        "volunteers' offers are few, and drafts and pauses fewer",
    ),
    **dict.fromkeys(("Organization.viewerCan.verify", "Organization.viewerCan.reject"), "no application waits"),
    **dict.fromkeys(
        ("ServiceSession.viewerCan.confirm", "ServiceSession.viewerCan.publish"), "few sessions are drafts or unsettled"
    ),
    "VolunteerHours.manualMinutes": "hours by hand are few",
    "Volunteer.takenThisWeek": "whoever looks as something else has taken nothing on this week",
    "Need.assignedTo (resident)": "no need of theirs has a case worker yet",
    "Donor.name": "only in the answer of the reveal itself",
    "Need.result (resident)": "livelihood items are written down by grid officers",
    **dict.fromkeys(
        (f"Need.result ({who})" for who in ("volunteer", "ngo-staff", "party-secretary")),
        "who settled an item reads of it for a day, and the demo's are older: tests/actions/test_exchange_items.py",
    ),
    "Commitment.viewerCan.report (ngo-staff)": "no organization has taken a livelihood item on",
    **dict.fromkeys(
        ("Need.hints (party-secretary)", "Need.vulnerability (party-secretary)"),
        "nothing of the kind is said of livelihood items",
    ),
    **dict.fromkeys(
        (f"Fund.eligibleNeeds (fund-{part})" for part in ("maker", "checker", "authoriser", "reporter")),
        "a foundation is asked here only for what it has a plan for",
    ),
    **dict.fromkeys(
        (f"Offer.externalId (fund-{part})" for part in ("maker", "checker", "authoriser", "reporter")),
        "what foundations give comes from no other system",
    ),
    "Offer.rankedNeeds (volunteer)": "volunteers' offers are few, and no need fits those that are asked of",
    "Resident.careNote": "nobody has written one",
    "Resident.viewerCan.verify": "staff registered them all",
    **dict.fromkeys(
        ("Resident.viewerCan.reject", "Resident.refusal", "Resident.refusedAt"), "staff registered them all"
    ),
    "Me.wechatBound": "no demo account came by WeChat",
    "UserAccount.recoveryCodesLeft": "no demo account has bound an authenticator",
}
"""Conditional cells that no row of the demo data fulfils for some role, and why: `Type.path`, or `Type.path (role)`."""


@pytest.fixture(scope="session")
def cells(matrix: Matrix) -> dict[Role, Cells]:
    """Every cell, by role, type and path."""
    found: dict[Role, Cells] = {role: {} for role in Role}
    for type_ in matrix.types():
        for path, _, row in matrix.fields(type_):
            for role in Role:
                found[role].setdefault(type_.name, {})[path] = row[role]
    return found


def test_the_committed_matrix_is_what_the_code_says(matrix: Matrix) -> None:
    assert MATRIX.read_text(encoding="utf-8") == document(matrix), "run ./wushe access and look at what changes"


async def peers(connection: asyncpg.Connection, actor: Actor) -> list[Actor]:
    """Others in an actor's role: elsewhere, and with a past of their own."""
    if actor.role is Role.PUBLIC:
        return []
    query = PEERS.get(actor.role)
    rows = [] if query is None else await connection.fetch(query)
    elsewhere = [
        Actor(actor.role, person or actor.person, organization or actor.organization, area or actor.area)
        for person, organization, area in rows
    ]
    people = [row[0] for row in await connection.fetch(WITH_A_PAST)]
    return [*elsewhere, *(Actor(actor.role, person, actor.organization, actor.area) for person in people)]


async def totals(connection: asyncpg.Connection, matrix: Matrix) -> dict[str, int]:
    """How many rows there are of each table that a type shows."""
    names = {entity.table.name for t in matrix.types() if (entity := words.entity_of(t)) is not None}
    return {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in names}


def wrong(type_: Any, cells: dict[str, Cell], rows: list[Any], counts: dict[str, int]) -> Iterator[str]:
    """Where an answer about a type is more, or less, than the cells say."""
    for path, cell in cells.items():
        if not rows or path.split(".")[0] not in rows[0]:
            continue
        said = sum(told(at(row, path)) for row in rows)
        if cell == NEVER and said:
            yield f"{type_.name}.{path}: never, and yet {said} times"
        word = words.word_of(type_.fields[path]) if "." not in path else None
        column = (
            word.name
            if isinstance(word, words.Column)
            else word.on
            if isinstance(word, words.One) and word.target == "id"
            else None
        )
        if cell == ALWAYS and column is not None:
            there = sum(at(row, path) is not None for row in rows)
            if there != counts[column]:
                yield f"{type_.name}.{path}: always, and yet {there} of {counts[column]}"


@pytest.mark.parametrize("slug", ROLES)
def test_each_cell(demo: Demo, engine: Engine, matrix: Matrix, cells: dict[Role, Cells], slug: str) -> None:
    actor = demo.actors[slug]
    mine = cells[actor.role]
    looked = 0
    others = as_superuser(demo, lambda connection: peers(connection, actor))
    there = as_superuser(demo, lambda connection: totals(connection, matrix))

    async def look(connection: asyncpg.Connection) -> list[str]:
        nonlocal looked
        found = []
        for type_ in matrix.types():
            entity = words.entity_of(type_)
            assert entity is not None
            rows, total = matrix.of[actor.role].rows(entity.table.name), there[entity.table.name]
            own = await everything(Crawler(engine, actor, connection), type_, [next(iter(type_.fields))])
            if rows in (NEVER, ALWAYS) and own.data and len(own.data) != (total if rows == ALWAYS else 0):
                found.append(f"{type_.name}: {rows.how.value} of {total} rows, and yet {len(own.data)}")
            if rows == NEVER or not total:
                continue
            only = {path.split(".")[0] for path, cell in mine[type_.name].items() if cell.how is not How.LEADS}
            due = {
                path for path, cell in mine[type_.name].items() if cell.how is How.WHEN and _expected(type_, path, slug)
            }
            for asking in (actor, *others):
                crawler = Crawler(engine, asking, connection)
                plain = await everything(crawler, type_, only)
                lists = await everything(crawler, type_, only, lists=True, most=200)
                for answer in (plain, lists):
                    found += wrong(type_, mine[type_.name], answer.data, answer.counts)
                    due -= {
                        path for path in due if any(path.split(".")[0] in r and told(at(r, path)) for r in answer.data)
                    }
                    looked += len(answer.data)
                if not due:
                    break
            found += [f"{type_.name}.{path}: no row fulfils {mine[type_.name][path].when}" for path in sorted(due)]
        return found

    with without_limits():
        assert as_api(demo, look) == []
    assert looked > 1000


def _expected(type_: Any, path: str, slug: str) -> bool:
    name = f"{type_.name}.{path}"
    return name not in NO_SUCH_ROW and f"{name} ({slug})" not in NO_SUCH_ROW


@pytest.mark.parametrize("slug", ROLES)
def test_each_root(demo: Demo, engine: Engine, matrix: Matrix, slug: str) -> None:
    """A root that gives nothing to a role gives it nothing; one that leads somewhere gives what is there."""
    actor = demo.actors[slug]
    roots = {name: row[actor.role] for name, _, row in matrix.roots}

    there = as_superuser(demo, lambda connection: totals(connection, matrix))

    async def look(connection: asyncpg.Connection) -> None:
        crawler = Crawler(engine, actor, connection)
        for name, field in crawler.roots().items():
            if roots[name] not in (NEVER, ALWAYS):
                continue
            entity = words.entity_of(item_of(get_named_type(field.type)))
            data = (await crawler.ask(crawler.brief(name)))[name]
            if entity is not None or roots[name] == NEVER:  # a report may have no line
                assert told(data) is (roots[name] == ALWAYS and entity is not None and there[entity.table.name] > 0), (
                    name
                )

    with without_limits():
        as_api(demo, look)


@pytest.mark.parametrize(
    ("table", "sign"),
    [
        ("need", "| need |"),
        ("donor", "| donor |"),
        ("person_name", "| person_name |"),
        ("session_code", "| session_code |"),
    ],
)
def test_a_widened_rule_is_a_changed_line(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, table: str, sign: str
) -> None:
    monkeypatch.setitem(access.VISIBLE, table, lambda row, viewer: None)
    widened = Matrix(engine).rows(table)
    assert set(widened.values()) == {ALWAYS}
    monkeypatch.undo()
    assert ALWAYS not in {Matrix(engine).rows(table)[role] for role in (Role.PUBLIC, Role.RESIDENT, Role.NGO_STAFF)}


def test_a_widened_scope_is_a_changed_condition(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Matrix(engine).rows("commitment")
    monkeypatch.setattr("models.exchange.visible.in_scope", lambda area, viewer: sa.true())
    after = Matrix(engine).rows("commitment")
    assert {role for role in Role if before[role] != after[role]} == STAFF_ROLES


def test_a_removed_mask_is_a_changed_cell(engine: Engine) -> None:
    type_: Any = engine.schema.type_map["Need"]
    before = {path: row for path, _, row in Matrix(engine).fields(type_)}
    assert before["note"][Role.PUBLIC] == NEVER
    with unmasked(type_, "note"):
        after = {path: row for path, _, row in Matrix(engine).fields(type_)}
    assert after["note"][Role.PUBLIC] == ALWAYS
    assert {path for path in before if before[path] != after[path]} == {"note"}


def test_every_mutation_says_who_may(engine: Engine) -> None:
    """The decorator is the outermost one, and where one role more is let in is a changed cell."""
    assert engine.schema.mutation_type is not None
    for name, field in engine.schema.mutation_type.fields.items():
        verb = words.word_of(field).does
        assert isinstance(getattr(verb, "may", None), frozenset), f"{name}: @may stands above everything on its verb"
        assert verb.may <= frozenset(Role), name
