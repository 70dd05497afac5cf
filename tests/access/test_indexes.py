"""What somebody may see of a long table is found by its indexes: a page of a few rows reads few, whoever asks.

Each table is filled with rows of other people, far away; then every list is asked by those who see a handful of them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from resolvers.engine.engine import Engine
from resolvers.engine.plans import Run
from tests.access.conftest import _connected, as_api
from tests.access.crawl import Crawler, without_limits
from tests.conftest import NOW
from tests.demo import Demo, demo_of_module

MANY = 60_000
FEW = 400
"""The most rows of a long table that a page may read."""
FAR = "'2199' || lpad((n % 900)::text, 8, '0')"
"""A place in which nobody who asks has anything to do with."""
AT = f"timestamptz '{NOW.isoformat()}' - n * interval '90 seconds'"

FILL = {
    "consent": f"""INSERT INTO consent (person_id, purpose, version, state, asked_at, given_at, ended_at)
        SELECT uuidv7(), 'MATCHING', '2026-01', 'WITHDRAWN', {AT}, {AT}, {AT} FROM generate_series(1, {MANY}) n""",
    "guardianship": f"""
        INSERT INTO guardianship (minor_id, guardian_id, relation, evidence, area, recorded_by, recorded_at, verified_by, verified_at)
        SELECT uuidv7(), uuidv7(), 'PARENT', 'HOUSEHOLD_REGISTER', {FAR}, uuidv7(), {AT}, uuidv7(), {AT}
        FROM generate_series(1, {MANY}) n""",
    "subject_request": f"""INSERT INTO subject_request (kind, state, person_id, made_by, area, received_at, due_at, handled_at)
        SELECT 'ACCESS', 'DONE', uuidv7(), uuidv7(), {FAR}, {AT}, {AT}, {AT} FROM generate_series(1, {MANY}) n""",
    "pii_access": f"""INSERT INTO pii_access (reveal_id, at, actor_id, role, subject_id, fields, purpose, area)
        SELECT uuidv7(), {AT}, ('00000000-0000-7000-8000-' || lpad((n % 40)::text, 12, '0'))::uuid, 'COMMUNITY_STAFF', uuidv7(),
            '{{PHONE}}', 'SERVICE', {FAR} FROM generate_series(1, {MANY}) n""",
    "declared_interest": f"""INSERT INTO declared_interest (person_id, other_id, relation, declared_at, ended_at)
        SELECT uuidv7(), uuidv7(), 'SIBLING', {AT}, {AT} FROM generate_series(1, {MANY}) n""",
    "sign_in": f"""INSERT INTO sign_in (person_id, method, role, created_at, last_seen_at, expires_at)
        SELECT uuidv7(), 'WECHAT', 'RESIDENT', {AT}, {AT}, {AT} + interval '1 day' FROM generate_series(1, {MANY}) n""",
    "membership": f"""INSERT INTO membership (person_id, role, area, starts_on, ends_on, granted_at)
        SELECT uuidv7(), 'GRID_OFFICER', {FAR}, '2025-01-01', '2025-02-01', {AT} FROM generate_series(1, {MANY}) n""",
    "audit_event": f"""INSERT INTO audit_event (at, action, result, role, person, subject, area, address, detail)
        SELECT {AT}, 'needClaim', 'DONE', 'VOLUNTEER', uuidv7(), uuidv7(), {FAR}, '192.0.2.' || n % 200, '{{}}'
        FROM generate_series(1, {MANY}) n""",
}
LISTS = {
    "consent": ("consents", "myConsents"),
    "guardianship": ("guardianships",),
    "subject_request": ("subjectRequests", "mySubjectRequests"),
    "pii_access": ("piiAccesses",),
    "declared_interest": ("interests", "myInterests"),
    "sign_in": ("mySignIns",),
    "membership": ("memberships",),
}
SLUGS = ("person", "resident", "volunteer", "ngo-staff", "community-staff", "grid-officer", "admin")
ALL = {("membership", "admin")}
"""Who sees all of a table."""


@pytest.fixture(scope="module")
def full(demo_of_module: Demo) -> Iterator[Demo]:
    async def fill(connection: asyncpg.Connection) -> None:
        await connection.execute("SET session_replication_role = replica")
        for table, statement in FILL.items():
            await connection.execute(statement)
            await connection.execute(f"ANALYZE {table}")

    asyncio.run(_connected(demo_of_module.superuser, fill))
    yield demo_of_module


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def written(value: Any) -> str:
    """A parameter as SQL, of no type yet."""
    if value is None:
        return "NULL"
    text = "{" + ",".join(str(v) for v in value) + "}" if isinstance(value, list | tuple) else str(value)
    return "'" + text.replace("'", "''") + "'"


async def explained(crawler: Crawler, text: str, mode: str) -> dict[str, Any]:
    """What PostgreSQL does for a query of the crawler's caller, prepared as the application prepares it.

    By itself it chooses after five runs whether it keeps a plan for all values.
    """
    context = crawler.context(text)
    document = crawler.engine.document(context)
    values = crawler.engine.coerced(document, context)
    plan = crawler.engine.plan(document, values, crawler.actor.role, strict=True)
    given = ", ".join(map(written, plan.arguments(Run(values, context.asker))))
    connection = crawler.connection
    await connection.execute(f"SET plan_cache_mode = {mode}")
    await connection.execute(f"PREPARE looked_at AS {plan.sql}")
    run = f"EXECUTE looked_at({given})" if given else "EXECUTE looked_at"
    for _ in range(6 if mode == "auto" else 0):
        await connection.execute(run)
    found = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {run}")
    await connection.execute("DEALLOCATE looked_at")
    return dict(json.loads(found)[0]["Plan"])


def read(plan: dict[str, Any], table: str) -> int:
    """How many rows of a table, and of its partitions, a plan touches."""
    total = 0
    for node in nodes(plan):
        if node.get("Relation Name", "").startswith(table):
            rows = (
                node["Actual Rows"]
                + node.get("Rows Removed by Filter", 0)
                + node.get("Rows Removed by Index Recheck", 0)
            )
            total += round(rows * node["Actual Loops"])
    return total


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_a_page_of_ones_own_reads_few_rows(full: Demo, engine: Engine, slug: str, mode: str) -> None:
    async def look(connection: asyncpg.Connection) -> list[Any]:
        crawler, wrong = Crawler(engine, full.actors[slug], connection), []
        for table, roots in LISTS.items():
            if (table, slug) in ALL:
                continue
            for root in roots:
                page = "{ id }" if root == "myInterests" else "(first: 20) { totalCount edges { node { id } } }"
                plan = await explained(crawler, f"{{ {root} {page} }}", mode)
                if (touched := read(plan, table)) > FEW:
                    wrong.append((root, touched))
        return wrong

    with without_limits():
        assert as_api(full, look) == []


LOOKED_FOR = (
    "",
    'person: "person_00000000-0000-7000-8000-000000000001"',
    'subject: "need_00000000-0000-7000-8000-000000000001"',
    'actions: ["roleGrant", "roleRevoke"]',
    'actions: ["needClaim"]',
    'results: ["RATE_LIMITED"]',
    "roles: [ADMIN]",
    'address: "198.51.100.7"',
    'since: "2026-10-20T00:00:00+08:00", until: "2026-10-20T08:00:00+08:00"',
)
"""Conditions that hardly any act meets, and two that nearly all do."""


@pytest.mark.parametrize("area", [None, "210106010001"])
def test_an_auditor_s_page_reads_few_rows(full: Demo, engine: Engine, area: str | None) -> None:
    async def look(connection: asyncpg.Connection) -> list[Any]:
        crawler = Crawler(engine, dataclasses.replace(full.actors["auditor"], area=area), connection)
        wrong = []
        for filter_ in LOOKED_FOR:
            narrowed = f", filter: {{{filter_}}}" if filter_ else ""
            page = f"(first: 20{narrowed}) {{ pageInfo {{ hasNextPage }} edges {{ node {{ at }} }} }}"
            if (touched := read(await explained(crawler, f"{{ auditEvents{page} }}", "auto"), "audit_event")) > FEW:
                wrong.append((filter_, touched))
        return wrong

    with without_limits():
        assert as_api(full, look) == []


__all__ = ["demo_of_module"]
