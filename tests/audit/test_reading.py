"""Auditors read the log, nobody else does, and that they read it is written to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import strawberry

from models import audit
from models.access import Actor, Role
from models.pool import Pool
from resolvers.audit import AuditQuery
from resolvers.context import Context, asker
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.audit.conftest import Log
from tests.make_people import Town, person, town


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, AuditQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation):
    pass


ENGINE = engine_of(Query, Mutation)
READ = """
query ($filter: AuditEventFilter, $first: Int) { auditEvents(filter: $filter, first: $first) {
  totalCount
  edges { node { at action result role area person { name } subjectType subject address request detail } }
} }
"""


@pytest.fixture
async def ask(pool: Pool, now: datetime) -> AsyncIterator[Asked]:
    yield Asked(ENGINE, pool, now)


async def acts(pool: Pool, now: datetime) -> tuple[UUID, UUID]:
    """Three acts by two people; who they were."""
    async with pool.connection() as connection:
        there: Town = await town(connection)
        one, other = await person(connection, "李雷"), await person(connection, "韩梅梅", phone="10012345679")
        for n, (who, action, result) in enumerate(
            [(one, "needVerify", "DONE"), (one, "needClose", "FORBIDDEN"), (other, "needVerify", "DONE")]
        ):
            actor = Actor(Role.COMMUNITY_STAFF, who, area=there.COMMUNITY if who == one else there.FAR)
            row = audit.row(
                actor,
                now + timedelta(minutes=n),
                action,
                result,
                subject_type="Need",
                subject=one,
                address="203.0.113.7",
                request=f"request-{n}",
                detail={"n": n},
            )
            await audit.write(connection, *row)
        return one, other


def told(answer: Any) -> list[str]:
    return [f"{e['node']['action']} {e['node']['result']}" for e in answer["auditEvents"]["edges"]]


async def test_an_auditor_reads_it_all_the_latest_first(ask: Asked, pool: Pool, now: datetime) -> None:
    one, _ = await acts(pool, now)
    auditor = Actor(Role.AUDITOR, one)
    answer = await ask(auditor, READ, first=2)
    assert answer["auditEvents"]["totalCount"] == 3
    assert told(answer) == ["needVerify DONE", "needClose FORBIDDEN"]
    node = answer["auditEvents"]["edges"][1]["node"]
    assert node["person"] == {"name": "李*"}
    assert (node["subjectType"], node["subject"], node["address"]) == ("Need", str(one), "203.0.113.7")
    assert (node["request"], json.loads(node["detail"]), node["role"]) == ("request-1", {"n": 1}, "COMMUNITY_STAFF")


@pytest.mark.parametrize(
    ("only", "count"),
    [
        ({"actions": ["needVerify"]}, 2),
        ({"results": ["FORBIDDEN"]}, 1),
        ({"roles": ["ADMIN"]}, 0),
        ({"address": "203.0.113.7"}, 3),
        ({"since": "2026-11-02T10:01:00+08:00"}, 2),
        ({"since": "2026-11-02T10:01:00+08:00", "until": "2026-11-02T10:02:00+08:00"}, 1),
    ],
)
async def test_it_is_looked_through(ask: Asked, pool: Pool, now: datetime, only: dict[str, Any], count: int) -> None:
    await acts(pool, now)
    assert (await ask(Actor(Role.AUDITOR), READ, filter=only))["auditEvents"]["totalCount"] == count


async def test_by_person_and_by_subject(ask: Asked, pool: Pool, now: datetime) -> None:
    one, other = await acts(pool, now)
    auditor = Actor(Role.AUDITOR)
    assert len(told(await ask(auditor, READ, filter={"person": f"person_{other}"}))) == 1
    assert len(told(await ask(auditor, READ, filter={"person": f"person_{one}", "results": ["DONE"]}))) == 1
    assert len(told(await ask(auditor, READ, filter={"subject": f"need_{one}"}))) == 3


async def test_an_auditor_of_an_area_reads_its_acts(ask: Asked, pool: Pool, now: datetime) -> None:
    await acts(pool, now)
    assert len(told(await ask(Actor(Role.AUDITOR, area="210103"), READ))) == 2


@pytest.mark.parametrize("role", [r for r in Role if r is not Role.AUDITOR])
async def test_nobody_else_does(ask: Asked, pool: Pool, now: datetime, log: Log, role: Role) -> None:
    one, _ = await acts(pool, now)
    await log.seal(now)
    actor = Actor(role, None if role is Role.PUBLIC else one, one, "2101")
    answer = await ask(actor, READ)
    assert answer["auditEvents"] == {"totalCount": 0, "edges": []}
    assert await ask(actor, "{ auditSeals { number } }") == {"auditSeals": []}


async def test_seals_are_shown(ask: Asked, pool: Pool, now: datetime, log: Log) -> None:
    await acts(pool, now)
    await log.seal(now)
    (seal,) = (await ask(Actor(Role.AUDITOR), "{ auditSeals { number at month count hash } }"))["auditSeals"]
    assert (seal["number"], seal["month"], seal["count"], len(seal["hash"])) == (1, "2026-11-01", 3, 64)


async def test_reading_it_is_written_to_it(pool: Pool, now: datetime) -> None:
    one, _ = await acts(pool, now)
    auditor = Actor(Role.AUDITOR, one)
    context = Context(READ, {}, None, auditor, asker(auditor, now), pool, pool, now, 5.0, "203.0.113.9", "request-9")
    await context.note_reading()
    async with pool.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM audit_event WHERE action = 'audit.read'")
    assert (row["person"], row["role"], row["address"]) == (one, "AUDITOR", "203.0.113.9")
    other = Context("{ me { id } }", {}, None, auditor, asker(auditor, now), pool, pool, now, 5.0)
    await other.note_reading()
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit_event") == 4
