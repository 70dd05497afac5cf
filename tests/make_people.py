"""Makers of places and people: what tests of every area begin with. All people are invented."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from models import vault
from models.access import Actor, Role
from models.clock import SHANGHAI
from models.database import Db
from models.people.care import ResidentTag, written_tags
from models.people.identity import (
    ADULT,
    birthday,
    check_digit,
    mask_address,
    mask_name,
    mask_number,
    mask_phone,
    uscc_of,
)
from models.people.organization_rules import LegalStatus, OrganizationKind, VerifiedState
from models.people.rules import IdType, PhoneWhose, SocialWorkerLevel, VolunteerRegistration
from models.pinyin import sort_key
from models.vault import Kind

EARLIER = datetime(2026, 1, 5, 9, 0, tzinfo=SHANGHAI)
"""When everything that tests begin with was written."""
GROWN = date(1980, 5, 1)

PLACES = (
    ("2101", "沈阳市", "CITY"),
    ("210103", "沈河区", "DISTRICT"),
    ("210104", "大东区", "DISTRICT"),
    ("210103005", "万莲街道", "STREET"),
    ("210104002", "北海街道", "STREET"),
    ("210103005024", "多福社区", "COMMUNITY"),
    ("210103005025", "万莲社区", "COMMUNITY"),
    ("210104002014", "北苑社区", "COMMUNITY"),
)
GRIDS = (
    ("210103005024001", "第一网格"),
    ("210103005024002", "第二网格"),
    ("210103005025001", "第一网格"),
    ("210104002014001", "第一网格"),
)


@dataclasses.dataclass(frozen=True)
class Town:
    """Divisions and grids by code: two districts, three communities, four grids."""

    divisions: dict[str, UUID]
    grids: dict[str, UUID]

    CITY = "2101"
    DISTRICT = "210103"
    OTHER_DISTRICT = "210104"
    STREET = "210103005"
    COMMUNITY = "210103005024"
    NEIGHBOUR = "210103005025"
    FAR = "210104002014"
    GRID = "210103005024001"
    OTHER_GRID = "210103005024002"

    @property
    def community(self) -> UUID:
        return self.divisions[self.COMMUNITY]

    @property
    def neighbour(self) -> UUID:
        return self.divisions[self.NEIGHBOUR]

    @property
    def far(self) -> UUID:
        return self.divisions[self.FAR]

    @property
    def grid(self) -> UUID:
        return self.grids[self.GRID]


async def town(connection: asyncpg.Connection) -> Town:
    """A small part of Shenyang; the one that is there already, if it is."""
    divisions: dict[str, UUID] = {r["code"]: r["id"] for r in await connection.fetch("SELECT code, id FROM division")}
    for code, name, level in PLACES:
        if code not in divisions:
            parent = next((divisions[code[:n]] for n in (9, 6, 4) if n < len(code)), None)
            divisions[code] = await connection.fetchval(
                "INSERT INTO division (code, area, name, pinyin, level, parent_id, valid_from, as_of)"
                " VALUES ($1, $1, $2, $3, $4, $5, '2020-01-01', '2023-06-30') RETURNING id",
                code,
                name,
                sort_key(name),
                level,
                parent,
            )
    grids: dict[str, UUID] = {r["code"]: r["id"] for r in await connection.fetch("SELECT code, id FROM grid")}
    for code, name in GRIDS:
        if code not in grids:
            grids[code] = await connection.fetchval(
                "INSERT INTO grid (code, area, name, community_id, valid_from) VALUES ($1, $1, $2, $3, '2020-01-01')"
                " RETURNING id",
                code,
                name,
                divisions[code[:12]],
            )
    return Town(divisions, grids)


async def insert(connection: asyncpg.Connection, into: str, returning: str = "id", **values: Any) -> UUID:
    """One row; returns its id."""
    columns = ", ".join(values)
    places = ", ".join(f"${n + 1}" for n in range(len(values)))
    sql = f"INSERT INTO {into} ({columns}) VALUES ({places}) RETURNING {returning}"
    made: UUID = await connection.fetchval(sql, *values.values())
    return made


async def person(
    connection: asyncpg.Connection,
    name: str = "张三",
    *,
    phone: str | None = "10012345678",
    address: str | None = None,
    **over: Any,
) -> UUID:
    """A person with his plain name and contact; returns his id."""
    masked, keys = mask_name(name), await vault.of(connection).keys(connection)
    values = {
        "name_masked": masked,
        "phone_masked": phone and mask_phone(phone),
        "address_masked": address and mask_address(address),
        "gender": "UNKNOWN",
        "birth_date": GROWN,
        "pinyin": sort_key(masked),
        "created_at": EARLIER,
        **over,
    }
    made = await insert(connection, "person", **values)
    await insert(connection, "person_name", "person_id", person_id=made, name=keys.seal(Kind.NAME, name, made))
    await insert(
        connection,
        "person_contact",
        "person_id",
        person_id=made,
        phone=phone and keys.seal(Kind.PHONE, phone, made),
        phone_index=phone and keys.index(Kind.PHONE, phone),
        phone_whose=phone and PhoneWhose.OWN,
        address=address and keys.seal(Kind.ADDRESS, address, made),
    )
    return made


async def identity(connection: asyncpg.Connection, who: UUID, number: str = "219999194403080011") -> None:
    """The identity card of somebody; the last character is put right."""
    keys, number = await vault.of(connection).keys(connection), number[:17] + check_digit(number[:17])
    await insert(
        connection,
        "person_identity",
        "person_id",
        person_id=who,
        id_type=IdType.ID_CARD,
        number=keys.seal(Kind.IDENTITY, number, who),
        number_index=keys.index(Kind.IDENTITY, number),
        number_masked=mask_number(number),
        recorded_at=EARLIER,
    )


async def opened(connection: asyncpg.Connection, kind: Kind, sql: str, whose: UUID, *arguments: Any) -> str | None:
    """What a sealed cell of somebody's says; None for an empty one."""
    sealed = await connection.fetchval(sql, *(arguments or (whose,)))
    keys = await vault.of(connection).keys(connection)
    return None if sealed is None else keys.open(kind, sealed, whose)


@dataclasses.dataclass(frozen=True)
class Known:
    """Somebody, and what he is registered as."""

    person: UUID
    id: UUID
    area: str


async def resident(
    connection: asyncpg.Connection,
    where: Town,
    name: str = "李奶奶",
    *,
    area: str = Town.GRID,
    household: str | None = None,
    tags: tuple[str, ...] = (),
    care_note: str | None = None,
    verified: bool = True,
    **over: Any,
) -> Known:
    """A resident of a grid (or of a community, by its code)."""
    keys = await vault.of(connection).keys(connection)
    who = over.pop("person", None) or await person(connection, name, address="1 号楼 2-3-1", area=area, **over)
    made = await insert(
        connection,
        "resident",
        person_id=who,
        area=area,
        community_id=where.divisions[area[:12]],
        grid_id=where.grids.get(area),
        household=household or f"household of {who}",
        care=keys.seal(Kind.CARE, written_tags([ResidentTag(t) for t in tags]), who),
        care_note=care_note and keys.seal(Kind.CARE, care_note, who),
        created_at=EARLIER,
        verified_at=EARLIER if verified else None,
        verified_by=who if verified else None,
    )
    return Known(who, made, area)


async def volunteer(
    connection: asyncpg.Connection,
    where: Town,
    name: str = "王五",
    *,
    area: str = Town.COMMUNITY,
    state: VolunteerRegistration = VolunteerRegistration.ACTIVE,
    skills: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    born: date = GROWN,
    **over: Any,
) -> Known:
    """A volunteer; an active one by default."""
    acts = state is VolunteerRegistration.ACTIVE
    who = over.pop("person", None)
    if who is None:
        who = await person(connection, name, area=area, birth_date=born, acts=acts)
    elif acts:
        await connection.execute("UPDATE person SET acts = true WHERE id = $1", who)
    values = {
        "person_id": who,
        "state": state,
        "area": area,
        "adult_on": birthday(born, ADULT),
        "skills": list(skills),
        "categories": list(categories),
        "created_at": EARLIER,
        **over,
    }
    return Known(who, await insert(connection, "volunteer", **values), area)


async def social_worker(
    connection: asyncpg.Connection, name: str = "赵社工", *, area: str = Town.COMMUNITY, **over: Any
) -> Known:
    """A social worker with a licence until 2030."""
    who = over.pop("person", None) or await person(connection, name, acts=True)
    values = {
        "person_id": who,
        "level": SocialWorkerLevel.INTERMEDIATE,
        "licence_no": f"SW-{who.hex[-12:]}".upper(),
        "licence_until": date(2030, 12, 31),
        "area": area,
        **over,
    }
    return Known(who, await insert(connection, "social_worker", **values), area)


async def organization(
    connection: asyncpg.Connection, where: Town, name: str = "暖邻服务社", *, code: str = Town.DISTRICT, **over: Any
) -> UUID:
    """A verified, registered service organization of the district; returns its id."""
    values = {
        "name": name,
        "pinyin": sort_key(name),
        "kind": OrganizationKind.SERVICE_ORG,
        "legal_status": LegalStatus.REGISTERED,
        "verified_state": VerifiedState.VERIFIED,
        "division_id": where.divisions[code],
        "area": code,
        "created_at": EARLIER,
        **over,
    }
    if values["legal_status"] is LegalStatus.REGISTERED and "uscc" not in values:
        count = await connection.fetchval("SELECT count(*) FROM organization")
        values["uscc"] = uscc_of(f"52210103MJ{count:07d}")
    if values["legal_status"] is LegalStatus.FILED:
        values.setdefault("filing_no", f"沈河备 {name}")
    return await insert(connection, "organization", **values)


async def membership(
    connection: asyncpg.Connection, of: UUID, role: Role, *, organization: UUID | None = None, **over: Any
) -> UUID:
    """A membership that began this year; returns its id."""
    values = {
        "person_id": of,
        "role": role,
        "organization_id": organization,
        "starts_on": date(2026, 1, 1),
        "granted_at": EARLIER,
        **over,
    }
    await connection.execute("UPDATE person SET acts = true WHERE id = $1", of)
    return await insert(connection, "membership", **values)


async def staff(
    connection: asyncpg.Connection,
    role: Role,
    name: str = "陈工",
    *,
    area: str | None = None,
    organization: UUID | None = None,
) -> Actor:
    """A new person with a membership of that role, as an actor."""
    who = await person(connection, name, phone="10000000001")
    await membership(connection, who, role, organization=organization, area=area)
    return Actor(role, who, organization, area)


def as_resident(who: Known) -> Actor:
    """A resident as an actor."""
    return Actor(Role.RESIDENT, who.person, None, who.area)


def as_volunteer(who: Known) -> Actor:
    """A volunteer as an actor."""
    return Actor(Role.VOLUNTEER, who.person, None, who.area)


def handle(connection: asyncpg.Connection, actor: Actor, now: datetime) -> Db:
    """What a verb is given."""
    return Db(connection, actor, now)
