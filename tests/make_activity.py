"""Rows and actors for tests of sessions and hours: a community, who works in it, volunteers, needs and commitments."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from models.access import Actor, Role
from models.activity import actions
from models.clock import SHANGHAI
from models.database import Db

CITY, DISTRICT, STREET, COMMUNITY, ELSEWHERE = "2101", "210103", "210103005", "210103005024", "210103005025"
DIVISION = """
INSERT INTO division (code, area, name, pinyin, level, parent_id, valid_from, as_of)
VALUES ($1, $1, $2, '', $3, (SELECT id FROM division WHERE code = $4), '2023-06-30', '2023-06-30')
ON CONFLICT (code) DO NOTHING
"""
PERSON = "INSERT INTO person (name_masked, pinyin, area, acts, created_at) VALUES ($1, '', $2, true, $3) RETURNING id"
VOLUNTEER = "INSERT INTO volunteer (person_id, state, area, adult_on, created_at) VALUES ($1, $2, $3, $4, $5)"
ORGANIZATION = """
INSERT INTO organization (name, pinyin, kind, legal_status, filing_no, verified_state, division_id, area, created_at)
VALUES ($1, '', 'SOCIAL_ORG', 'FILED', $1, $2, (SELECT id FROM division WHERE code = $3), $3, $4) RETURNING id
"""
NEED = """
INSERT INTO need (title, kind, category_id, category_code, requester_id, submitted_via, community_id, area, unit,
    qty_total, window_from, window_to, due_at, answer_due_at, sensitivity, status, created_at)
VALUES ('陪同就医', 'SERVICE', (SELECT id FROM service_category WHERE code = $1), $1, $2, 'COUNTER',
    (SELECT id FROM division WHERE code = $3), $3, 'HELPER', $4, $5, $6, $6, $6, $7, 'OPEN', $8)
RETURNING id
"""
COMMITMENT = """
WITH counted AS (UPDATE need SET qty_committed = qty_committed + $5 WHERE id = $1)
INSERT INTO commitment (need_id, organization_id, person_id, volunteer_person_id, community_id, area, sensitivity,
    qty, origin, status, hold_until, accepted_at, confirmed_at, slot_from, slot_to, created_at)
SELECT id, $2, $3, $4, community_id, area, sensitivity, $5, 'CLAIM', 'CONFIRMED', $6, $6, $6, window_from, window_to, $6
FROM need WHERE id = $1
RETURNING id
"""
numbers = itertools.count(1)
MORNING = datetime(2026, 11, 3, 9, 0, tzinfo=SHANGHAI)
"""A Tuesday, the day after the tests' NOW."""


def at(clock: str, day: int = 3) -> datetime:
    """A time of the day on which the tests' sessions are."""
    hour, minute = clock.split(":")
    return datetime(2026, 11, day, int(hour), int(minute), tzinfo=SHANGHAI)


@dataclasses.dataclass
class World:
    """A community, its people, and an organization; `as_` acts as one of them at a time."""

    connection: asyncpg.Connection
    now: datetime
    community: UUID
    category: UUID
    organization: UUID
    staff: Actor
    worker: Actor
    ngo: Actor
    area: str = COMMUNITY

    def as_(self, actor: Actor, now: datetime | None = None) -> Db:
        """The open transaction, for an actor at a time."""
        return Db(self.connection, actor, now or self.now)

    async def volunteer(self, state: str = "ACTIVE", adult_on: date = date(2005, 5, 5)) -> Actor:
        """Somebody registered as a volunteer."""
        person = await self.person("王*")
        await self.connection.execute(VOLUNTEER, person, state, self.area, adult_on, self.now)
        return Actor(Role.VOLUNTEER, person, area=self.area)

    async def person(self, name: str) -> UUID:
        """Somebody."""
        return await self.connection.fetchval(PERSON, name, self.area, self.now)

    async def session(self, by: Actor | None = None, *, publish: bool = True, **over: Any) -> UUID:
        """An open session of the organization, 09:00 to 12:00 of the next day, with 15 places."""
        by = by or self.ngo
        given = {
            "title": "周六托管",
            "starts_at": at("09:00"),
            "ends_at": at("12:00"),
            "community": self.community,
            "category": self.category,
            "capacity": 15,
        }
        if over.get("commitments"):
            given = {}
        id = await actions.create_session(self.as_(by), actions.SessionDraft(**{**given, **over}))
        if publish:
            await actions.publish_session(self.as_(by), id)
        return id

    async def need(self, quantity: int = 1, requester: UUID | None = None, sensitivity: str = "NORMAL") -> UUID:
        """An open need for Tuesday 08:30 to 11:00."""
        requester = requester or await self.person("李*")
        window = at("08:30"), at("11:00")
        return await self.connection.fetchval(
            NEED, "ELDERLY", requester, self.area, quantity, *window, sensitivity, self.now
        )

    async def commitment(
        self,
        need: UUID,
        volunteer: UUID | None = None,
        organization: UUID | None = None,
        quantity: int = 1,
        status: str = "CONFIRMED",
    ) -> UUID:
        """A confirmed commitment to a need: a volunteer's own, or an organization's with or without one named."""
        id = await self.connection.fetchval(
            COMMITMENT,
            need,
            organization,
            None if organization else volunteer,
            volunteer,
            quantity,
            self.now - timedelta(hours=1),
        )
        if status != "CONFIRMED":
            await self.connection.execute("UPDATE commitment SET status = $2 WHERE id = $1", id, status)
        if volunteer is not None:
            await self.connection.execute(
                "INSERT INTO booking (person_id, during, commitment_id, created_at)"
                " SELECT volunteer_person_id, tstzrange(slot_from, slot_to), id, created_at FROM commitment WHERE id = $1",
                id,
            )
        return id

    async def code(self, session: UUID) -> str:
        """A session's sign code, as its organizers read it."""
        return await self.connection.fetchval("SELECT code FROM session_code WHERE session_id = $1", session)

    async def row(self, table: str, id: UUID) -> asyncpg.Record:
        """A row of a table."""
        return await self.connection.fetchrow(f"SELECT * FROM {table} WHERE id = $1", id)

    async def all(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """Rows."""
        return await self.connection.fetch(sql, *args)


async def world(connection: asyncpg.Connection, now: datetime) -> World:
    """The community and its people, made now. Safe to make more than one of in a database."""
    for code, name, level, parent in (
        (CITY, "沈阳市", "CITY", None),
        (DISTRICT, "沈河区", "DISTRICT", CITY),
        (STREET, "万莲街道", "STREET", DISTRICT),
        (COMMUNITY, "万莲社区", "COMMUNITY", STREET),
        (ELSEWHERE, "莲南社区", "COMMUNITY", STREET),
    ):
        await connection.execute(DIVISION, code, name, level, parent)
    people = [await connection.fetchval(PERSON, "赵*", None, now) for _ in range(3)]
    organization = await connection.fetchval(ORGANIZATION, f"莲园互助社{next(numbers)}", "VERIFIED", COMMUNITY, now)
    return World(
        connection,
        now,
        community=await connection.fetchval("SELECT id FROM division WHERE code = $1", COMMUNITY),
        category=await connection.fetchval("SELECT id FROM service_category WHERE code = 'CHILDCARE'"),
        organization=organization,
        staff=Actor(Role.COMMUNITY_STAFF, people[0], area=COMMUNITY),
        worker=Actor(Role.SOCIAL_WORKER, people[1], area=COMMUNITY),
        ngo=Actor(Role.NGO_STAFF, people[2], organization=organization),
    )


async def attend(there: World, session: UUID, volunteer: Actor, came: str, left: str | None) -> UUID:
    """Signs up, checks in, and out."""
    id = await actions.sign_up(there.as_(volunteer), session)
    await actions.check_in(there.as_(there.ngo, at(came)), id)
    if left is not None:
        await actions.check_out(there.as_(there.ngo, at(left)), id)
    return id


async def credits(there: World, attendance: UUID) -> list[tuple[str, int, int, str]]:
    rows = await there.all("SELECT * FROM hour_entry WHERE attendance_id = $1 ORDER BY at, id", attendance)
    return [(r["kind"], r["revision"], r["minutes"], r["trust"]) for r in rows]


async def balance(there: World, volunteer: Actor) -> int:
    rows = await there.all("SELECT minutes FROM hour_entry WHERE volunteer_id = $1", volunteer.person)
    return sum(r["minutes"] for r in rows)
