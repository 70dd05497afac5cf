"""A small neighbourhood for tests of the marketplace: two communities of 沈河区, invented people, one organization."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from models import vault
from models.access import PUBLIC_ACTOR, Actor, Role
from models.clock import SHANGHAI
from models.database import Db
from models.exchange import actions
from models.exchange.actions import NeedInput, OfferInput
from models.exchange.kinds import Sensitivity
from models.problems import Problem

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI)
"""A Monday."""
START = datetime(2026, 11, 3, 8, 30, tzinfo=SHANGHAI)
END = datetime(2026, 11, 3, 11, 0, tzinfo=SHANGHAI)
HERE, THERE = "210103005003", "210103005005"
GRID = HERE + "001"


async def insert(c: asyncpg.Connection, table: str, **values: Any) -> Any:
    """Inserts a row as it is given; its id."""
    names = ", ".join(values)
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    return await c.fetchval(f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING id", *values.values())


@dataclasses.dataclass
class Neighbourhood:
    """Who and what there is. People are their person's ids; `volunteer_ids` are their registrations'."""

    districts: dict[str, UUID]
    communities: dict[str, UUID]
    grid: UUID
    categories: dict[str, UUID]
    people: dict[str, UUID]
    residents: dict[str, UUID]
    volunteer_ids: dict[str, UUID]
    organization: UUID
    social_worker: UUID

    def actor(self, name: str) -> Actor:
        """The actor that a name stands for, in his one capacity."""
        person = self.people.get(name)
        match name:
            case "public":
                return PUBLIC_ACTOR
            case "grandmother" | "daughter" | "neighbour":
                return Actor(Role.RESIDENT, person, None, HERE)
            case "wang" | "zhao" | "sun" | "retired":
                return Actor(Role.VOLUNTEER, person, None, HERE)
            case "staff" | "colleague":
                return Actor(Role.COMMUNITY_STAFF, person, None, HERE)
            case "staff_there":
                return Actor(Role.COMMUNITY_STAFF, person, None, THERE)
            case "social_worker":
                return Actor(Role.SOCIAL_WORKER, person, None, HERE)
            case "officer":
                return Actor(Role.GRID_OFFICER, person, None, GRID)
            case "ngo":
                return Actor(Role.NGO_STAFF, person, self.organization, None)
            case "viewer":
                return Actor(Role.DISTRICT_VIEWER, person, None, "210103")
            case "viewer_elsewhere":
                return Actor(Role.DISTRICT_VIEWER, person, None, "210102")
            case "reporter":
                return Actor(Role.FUND_REPORTER, person, self.organization)
            case "secretary":
                return Actor(Role.PARTY_SECRETARY, person, None, HERE)
            case "admin":
                return Actor(Role.ADMIN, person)
        raise KeyError(name)


async def neighbourhood(c: asyncpg.Connection) -> Neighbourhood:
    """Makes it. The grandmother and the neighbour live in the grid; her daughter shares the grandmother's household."""
    valid = {"valid_from": date(2023, 1, 1)}
    division: dict[str, UUID] = {}
    for code, name, level in (
        ("2101", "沈阳市", "CITY"),
        ("210103", "沈河区", "DISTRICT"),
        ("210103005", "滨河街道", "STREET"),
        (HERE, "永顺社区", "COMMUNITY"),
        (THERE, "祥顺社区", "COMMUNITY"),
    ):
        above = {6: 4, 9: 6, 12: 9}.get(len(code))
        parent = division[code[:above]] if above else None
        values = {"code": code, "name": name, "pinyin": "x", "level": level, "parent_id": parent, "area": code}
        division[code] = await insert(c, "division", **values, as_of=date(2023, 12, 31), **valid)
    unit = None
    for rank, code in enumerate(("210103", "210103005", HERE), 1):
        unit = await insert(
            c, "party_unit", name=f"党组织{rank}", pinyin="x", level=rank, parent_id=unit, area=code, **valid
        )
    people = {}
    for n, name in enumerate(
        (
            *("grandmother", "daughter", "neighbour", "wang", "zhao", "sun", "retired", "staff", "colleague"),
            *("staff_there", "social_worker", "officer", "ngo", "viewer", "viewer_elsewhere", "admin", "reporter"),
            "secretary",
        )
    ):
        masked = chr(ord("甲") + n) + "*"
        people[name] = await insert(
            c, "person", name_masked=masked, pinyin="x", area=HERE, acts=n > 2, created_at=NOW - timedelta(days=90)
        )
    grid = await insert(c, "grid", code=GRID, name="第一网格", community_id=division[HERE], area=GRID, **valid)
    residents, keys = {}, await vault.load(c)
    for name, household in (("grandmother", "h1"), ("daughter", "h1"), ("neighbour", "h2"), ("sun", "h3")):
        place = {"area": GRID, "community_id": division[HERE], "grid_id": grid}
        care = keys.seal(vault.Kind.CARE, "[]", people[name])
        residents[name] = await insert(
            c, "resident", person_id=people[name], household=household, care=care, created_at=NOW, **place
        )
    volunteers = {}
    for name in ("wang", "zhao", "sun", "retired"):
        state = "ACTIVE" if name != "retired" else "WITHDRAWN"
        volunteers[name] = await insert(
            c, "volunteer", person_id=people[name], state=state, area=HERE, adult_on=date(2000, 1, 1), created_at=NOW
        )
    organization = await insert(
        c,
        "organization",
        name="暖阳志愿服务队",
        pinyin="x",
        kind="SERVICE_ORG",
        legal_status="FILED",
        filing_no="备1",
        verified_state="VERIFIED",
        division_id=division[HERE],
        area=HERE,
        created_at=NOW,
    )
    await insert(c, "organization_volunteer", organization_id=organization, person_id=people["zhao"], since=NOW)
    worker = await insert(
        c,
        "social_worker",
        person_id=people["social_worker"],
        level="SENIOR",
        licence_no="L1",
        area=HERE,
        licence_until=date(2030, 1, 1),
    )
    for n, (name, role, area) in enumerate(
        (
            ("staff", "COMMUNITY_STAFF", HERE),
            ("colleague", "COMMUNITY_STAFF", HERE),
            ("social_worker", "SOCIAL_WORKER", HERE),
            ("staff_there", "COMMUNITY_STAFF", THERE),
        )
    ):
        granted = NOW - timedelta(days=90 - n)
        await insert(
            c,
            "membership",
            person_id=people[name],
            role=role,
            area=area,
            starts_on=date(2026, 1, 1),
            granted_at=granted,
        )
    categories = {r["code"]: r["id"] for r in await c.fetch("SELECT code, id FROM service_category")}
    communities = {code: division[code] for code in (HERE, THERE)}
    districts = {"210103": division["210103"]}
    return Neighbourhood(districts, communities, grid, categories, people, residents, volunteers, organization, worker)


@dataclasses.dataclass
class Scene:
    """A neighbourhood, a connection and a clock, so that a test reads `await scene.as_("wang").…`."""

    c: asyncpg.Connection
    n: Neighbourhood
    now: datetime = NOW

    def as_(self, name: str) -> Db:
        """A transaction's handle for somebody, now."""
        return Db(self.c, self.n.actor(name), self.now)

    def later(self, **by: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**by)

    async def need(self, by: str = "daughter", *, opened: bool = True, **over: Any) -> UUID:
        """A need for an escort, 08:30 to 11:00 tomorrow; verified and open, unless said otherwise.

        Nobody verifies what he wrote down: what staff did, a colleague checks, who is named for it if it is RESTRICTED.
        """
        given: dict[str, Any] = {
            "title": "陪诊",
            "category": self.n.categories["ELDERLY.ESCORT"],
            "note": "三楼，行动不便",
            "quantity": 2,
            "window_from": START,
            "window_to": END,
            **over,
        }
        made = await actions.submit_need(self.as_(by), NeedInput(**given))
        if opened:
            second = "colleague" if by == "staff" else "staff"
            if by == "staff" and given.get("sensitivity") == Sensitivity.RESTRICTED:
                await actions.name_staff(self.as_(by), made, self.n.people[second])
            await actions.verify_need(self.as_(second), made)
        return made

    async def offer(self, by: str = "ngo", *, published: bool = True, **over: Any) -> UUID:
        """An offer of ten escorts in November; published, unless said otherwise."""
        given: dict[str, Any] = {
            "title": "陪诊服务",
            "category": self.n.categories["ELDERLY.ESCORT"],
            "quantity": 10,
            "window_from": NOW,
            "window_to": NOW + timedelta(days=28),
            **over,
        }
        made = await actions.submit_offer(self.as_(by), OfferInput(**given))
        if published:
            await actions.publish_offer(self.as_("staff"), made)
        return made

    async def confirmed(self, need: UUID, by: str = "wang", quantity: int = 1) -> UUID:
        """A claim that was accepted and confirmed."""
        made = await actions.claim_need(self.as_(by), need, quantity)
        await actions.accept_commitment(self.as_("daughter"), made)
        await actions.confirm_commitment(self.as_("staff"), made)
        return made

    async def delivered(self, need: UUID, by: str = "wang", quantity: int = 1) -> UUID:
        """A commitment that was served."""
        made = await self.confirmed(need, by, quantity)
        await actions.start_service(self.as_(by), made)
        await actions.deliver(self.as_(by), made)
        return made

    async def row(self, table: str, id: UUID) -> dict[str, Any]:
        """A row as it is stored, its sealed words opened."""
        found = await self.c.fetchrow(f"SELECT * FROM {table} WHERE id = $1", id)
        assert found is not None
        keys = await vault.load(self.c)
        return {
            name: keys.open(vault.Kind.CARE, value, found["subject_id"]) if isinstance(value, bytes) else value
            for name, value in found.items()
        }

    async def counts(self, need: UUID) -> tuple[str, int, int, int]:
        """(status, total, committed, delivered) of a need; its counters are proven equal to its commitments' sums."""
        row = await self.row("need", need)
        held, delivered = await self.c.fetchrow(
            """
            SELECT coalesce(sum(CASE WHEN status IN ('DELIVERED', 'DISPUTED', 'COMPLETED') THEN qty_delivered
                                     ELSE qty END), 0),
                   coalesce(sum(qty_delivered) FILTER (WHERE status IN ('DELIVERED', 'DISPUTED', 'COMPLETED')), 0)
            FROM commitment
            WHERE need_id = $1 AND status NOT IN ('DECLINED', 'LAPSED', 'CANCELLED', 'NO_SHOW', 'VOID')
            """,
            need,
        )
        assert (row["qty_committed"], row["qty_delivered"]) == (held, delivered)
        return row["status"], row["qty_total"], held, delivered


class refused:
    """The block is refused by that problem, and no row of the marketplace has changed."""

    def __init__(self, scene: Scene, problem: type[Problem], **data: object) -> None:
        self.scene, self.problem, self.data = scene, problem, data

    async def _all(self) -> list[object]:
        tables = ("need", "need_staff", "offer", "commitment", "contact_grant")
        out: list[object] = [await self.scene.c.fetch(f"SELECT * FROM {t} ORDER BY id") for t in tables]
        return [*out, await self.scene.c.fetch("SELECT * FROM booking ORDER BY person_id, during")]

    async def __aenter__(self) -> None:
        self.before = await self._all()
        self.savepoint = self.scene.c.transaction()
        await self.savepoint.start()

    async def __aexit__(self, kind: type | None, error: BaseException | None, _: object) -> bool:
        await self.savepoint.rollback()
        assert isinstance(error, self.problem), f"{self.problem.__name__} expected, not {error!r}"
        for name, value in self.data.items():
            assert getattr(error, name) == value
        assert await self._all() == self.before
        return True
