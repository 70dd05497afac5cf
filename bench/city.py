"""The database that is measured: a cluster of its own, the whole city in a template, a fresh copy for each server."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import date, timedelta
from uuid import UUID

import asyncpg

from api import embedded
from api.embedded import Cluster
from api.settings import Settings, Trouble
from bench.candidates import ASKED, open_needs
from models import clock, migrate
from models.access import Claims
from models.progress import progress
from models.seed.cast import account

POSTGRES = {
    "shared_buffers": "1GB",
    "max_connections": "150",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
    "random_page_cost": "1.1",
}
"""The same for all. Commits are durable; only what comes at a time of its own (vacuum, checkpoints) is put off."""

CLAIMS = 80_000
"""Needs that are claimed, one after the other, none twice."""
LEAST_CLAIMS = 100
DRAWN = 100
"""Volunteers who ask for recommendations, in turn."""

COMMUNITY = "SELECT d.id FROM membership m JOIN division d ON d.code = m.area WHERE m.id = $1"
FOUNDATION = "SELECT organization_id FROM membership WHERE id = $1"
NEEDS = """
SELECT id FROM need WHERE community_id = $1 AND sensitivity = 'NORMAL' AND status <> 'DRAFT' ORDER BY id LIMIT 500
"""
CLAIMABLE = """
SELECT n.id FROM need n
WHERE n.status = 'OPEN' AND n.sensitivity = 'NORMAL' AND n.qty_committed < n.qty_total AND n.due_at > $1
  AND n.kind <> 'CASH_AID' AND n.options = 0 AND n.skill_code IS NULL AND n.certificate IS NULL
  AND n.language <> 'SIGN' AND NOT n.gender_required
  AND EXISTS (SELECT FROM service_category s WHERE s.id = n.category_id AND s.certificates = '{}')
  AND n.requester_id <> $2
  AND n.household IS DISTINCT FROM (SELECT household FROM resident WHERE person_id = $2)
  AND NOT EXISTS (SELECT FROM commitment c WHERE c.need_id = n.id AND c.volunteer_person_id = $2)
ORDER BY md5(n.id::text) LIMIT $3
"""
"""Which the volunteer may claim as they are, in no order that the database knows."""


CLAIMED = "SELECT count(*) FROM commitment WHERE origin = 'CLAIM' AND person_id = $1"


@dataclasses.dataclass(frozen=True)
class Subjects:
    """About what, and as whom, is asked."""

    staff: Claims
    reporter: Claims
    auditor: Claims
    volunteer: Claims
    drawn: list[Claims]
    """Volunteers, in no order that the database knows."""
    community: UUID
    foundation: UUID
    """The reporter's."""
    needs: list[UUID]
    """Of that community."""
    wanted: list[UUID]
    """Those that candidates may be asked for."""
    claimable: list[UUID]
    since: date
    """The first of the twelve months that are reported: the last is the one in which the city was made."""
    claimed: int
    """What the volunteer has claimed already."""
    rows: dict[str, int]
    """How many rows the larger tables have."""


def cluster(settings: Settings) -> Cluster:
    """The benchmark's own server, beside the demo's."""
    return embedded.start(settings.data / "bench", POSTGRES)


def template(at: Cluster, scale: str, *, fresh: bool) -> str:
    """The name of the loaded database, made when it is absent or of an older migration. Nobody is connected to it."""
    name = "city" if scale == "city" else "city_" + "".join(c if c.isalnum() else "_" for c in scale)
    there = name in at.sql("SELECT datname FROM pg_database").split()
    if there and not fresh and asyncio.run(migrate.revision(at.url("owner", name))) == migrate.head():
        return name
    making = f"{name}_making"
    at.drop(making)
    at.create(making)
    migrate.upgrade(at.url("owner", making), embedded.API_ROLE)
    began = time.monotonic()
    try:
        from models.seed import load

        asyncio.run(load(at.url("owner", making), scale, clock.now(), progress))
    except ValueError as problem:
        raise Trouble(str(problem)) from problem
    at.sql("VACUUM (FREEZE, ANALYZE)", database=making)
    at.sql("CHECKPOINT")
    at.drop(name)
    at.sql(f'ALTER DATABASE "{making}" RENAME TO "{name}"')
    print(f"The data were made in {time.monotonic() - began:.0f} s.", flush=True)
    return name


def subjects(url: str) -> Subjects:
    """Chooses them, the same at each run over the same data. Raises Trouble when the data have none."""
    return asyncio.run(_subjects(url))


async def _subjects(url: str) -> Subjects:
    connection = await asyncpg.connect(url)
    try:
        who = [await account(connection, slug) for slug in ("community-staff", "fund-reporter", "auditor", "volunteer")]
        staff, reporter, auditor, volunteer = (claims for claims in who if claims is not None)
        community = await connection.fetchval(COMMUNITY, staff.membership)
        foundation = await connection.fetchval(FOUNDATION, reporter.membership)
        needs = [row["id"] for row in await connection.fetch(NEEDS, community)]
        wanted = await open_needs(connection, community)
        soon = clock.now() + timedelta(hours=1)
        claimable = [row["id"] for row in await connection.fetch(CLAIMABLE, soon, volunteer.person, CLAIMS)]
        people = await connection.fetch(ASKED["recommendations"][0], soon, DRAWN)
        drawn = [dataclasses.replace(volunteer, person=row["provider_id"]) for row in people]
        newest = await connection.fetchval("SELECT max(month) FROM fund_month")
        claimed = await connection.fetchval(CLAIMED, volunteer.person)
        counted = await connection.fetch(
            "SELECT relname, reltuples::bigint AS n FROM pg_class WHERE relkind = 'r' AND reltuples > 40000"
            " AND relnamespace = 'public'::regnamespace ORDER BY n DESC"
        )
    finally:
        await connection.close()
    if len(needs) < 50 or newest is None:
        raise Trouble("The data have too few needs or no fund: make them anew with --fresh.")
    if len(claimable) < LEAST_CLAIMS:
        raise Trouble("The data are old, and hardly any need may still be claimed: make them anew with --fresh.")
    since = date(newest.year - 1, newest.month, 1) + timedelta(days=31)
    rows = {row["relname"]: row["n"] for row in counted}
    return Subjects(
        staff=staff,
        reporter=reporter,
        auditor=auditor,
        volunteer=volunteer,
        drawn=drawn,
        community=community,
        foundation=foundation,
        needs=needs,
        wanted=wanted,
        claimable=claimable,
        since=since.replace(day=1),
        claimed=claimed,
        rows=rows,
    )
