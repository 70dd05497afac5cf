"""The verb that registers a resident: by the community's staff on his behalf, or by himself."""

from __future__ import annotations

import dataclasses
import secrets
from datetime import date
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.access import may, require, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.people.actions.once import once
from models.people.actions.places import a_community, a_grid
from models.people.identity import mask_name, mask_phone, read_birth_date, read_name, read_phone
from models.people.problems import AlreadyRegistered
from models.people.rules import Gender, PersonState, ResidentTag
from models.people.scopes import MAY
from models.people.tables import Person, PersonContact, PersonName, Resident
from models.pinyin import sort_key
from models.problems import Forbidden, InvalidInput, NotFound, refuses
from models.rules_text import clean

person, name, contact, resident = table(Person), table(PersonName), table(PersonContact), table(Resident)


@dataclasses.dataclass(frozen=True)
class PersonInput:
    """Somebody who is not on record yet."""

    name: str
    phone: str | None = None
    gender: Gender = Gender.UNKNOWN
    birth_date: date | None = None


@dataclasses.dataclass(frozen=True)
class ResidentInput:
    """Where a resident lives. `person` is None for whoever is signed in; the last two are for staff to say."""

    community: UUID
    grid: UUID | None = None
    address: str | None = None
    person: PersonInput | None = None
    household_of: UUID | None = None
    tags: tuple[ResidentTag, ...] = ()


SAME = Statement(
    sa.select(
        sa.exists().where(
            contact.c.phone == sa.bindparam("phone", type_=sa.Text()),
            name.c.person_id == contact.c.person_id,
            name.c.name == sa.bindparam("name", type_=sa.Text()),
            resident.c.person_id == contact.c.person_id,
        )
    )
)
INSERT_PERSON = Statement(
    sa.insert(person)
    .values(
        name_masked=sa.bindparam("name_masked"),
        phone_masked=sa.bindparam("phone_masked"),
        gender=sa.bindparam("gender"),
        birth_date=sa.bindparam("birth_date"),
        pinyin=sa.bindparam("pinyin"),
        area=sa.bindparam("area"),
        acts=False,
        state=PersonState.PRESENT,
        created_at=sa.bindparam("now"),
    )
    .returning(person.c.id)
)
INSERT_NAME = Statement(sa.insert(name).values(person_id=sa.bindparam("person"), name=sa.bindparam("name")))
INSERT_CONTACT = Statement(
    sa.insert(contact).values(
        person_id=sa.bindparam("person"), phone=sa.bindparam("phone"), address=sa.bindparam("address")
    )
)
ADDRESS = Statement(
    sa.update(contact)
    .where(contact.c.person_id == sa.bindparam("person", type_=sa.Uuid()))
    .values(address=sa.bindparam("address"))
    .returning(contact.c.person_id)
)
ME = Statement(
    sa.select(person.c.id, sa.exists().where(resident.c.person_id == person.c.id).label("registered"))
    .where(person.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .with_for_update()
)
HOME = Statement(
    sa.update(person).where(person.c.id == sa.bindparam("id", type_=sa.Uuid())).values(area=sa.bindparam("area"))
)
RELATIVE = Seen(
    lambda viewer: sa.select(resident.c.household, resident.c.community_id).where(
        resident.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(resident, "resident", viewer)
    )
)
INSERT = Statement(
    sa.insert(resident)
    .values(
        person_id=sa.bindparam("person"),
        area=sa.bindparam("area"),
        community_id=sa.bindparam("community"),
        grid_id=sa.bindparam("grid"),
        household=sa.bindparam("household"),
        tags=sa.bindparam("tags"),
        created_at=sa.bindparam("now"),
    )
    .returning(resident.c.id)
)


def read_tags(given: tuple[ResidentTag, ...]) -> list[ResidentTag]:
    """Tags in the order of their table, none twice."""
    return [tag for tag in ResidentTag if tag in given]


@may(MAY["resident.register_others"] | MAY["resident.register_myself"])
@refuses(AlreadyRegistered)
async def register_resident(db: Db, given: ResidentInput, *, fictional: bool = False) -> UUID:
    """Registers a resident; returns the resident's id.

    Staff give a person who is not on record yet, in their own community or grid, and may put him into the household
    of a resident there. Without a person it is whoever is signed in, in a household of his own. `fictional`: phone
    numbers that nobody has are accepted (never in production). Raises Forbidden, NotFound, InvalidInput,
    AlreadyRegistered (also for the same name and phone number).
    """
    community = await a_community(db, given.community)
    grid = None if given.grid is None else await a_grid(db, given.grid, community["id"])
    area: str = grid["code"] if grid else community["code"]
    address = None if given.address is None else clean(given.address, "address", most=200)
    household = secrets.token_hex(16)
    if given.person is not None:
        require(db.actor, MAY["resident.register_others"])
        if not db.actor.covers(area):
            raise Forbidden()
        if given.household_of is not None:
            household = await _household(db, given.household_of, community["id"])
        person_id = await _new_person(db, given.person, area, address, fictional)
    else:
        require(db.actor, MAY["resident.register_myself"])
        if given.household_of is not None or given.tags:
            field = "householdOf" if given.household_of is not None else "tags"
            raise InvalidInput(field=field, reason="同户关系与关爱标签由社区登记，请到社区办理。")
        person_id = await _myself(db, area, address)
    id_: UUID = await db.value(
        INSERT,
        person=person_id,
        area=area,
        community=community["id"],
        grid=grid["id"] if grid else None,
        household=household,
        tags=read_tags(given.tags),
    )
    db.tell("resident.registered", id_, area=area)
    return id_


async def _household(db: Db, relative: UUID, community: UUID) -> str:
    found: asyncpg.Record | None = await db.one(RELATIVE, id=relative)
    if found is None:
        raise NotFound(what="同户居民")
    if found["community_id"] != community:
        raise InvalidInput(field="householdOf", reason="同户居民须在同一社区。")
    return str(found["household"])


async def _new_person(db: Db, given: PersonInput, area: str, address: str | None, fictional: bool) -> UUID:
    plain = read_name(given.name)
    phone = None if given.phone is None else read_phone(given.phone, fictional=fictional)
    born = None if given.birth_date is None else read_birth_date(given.birth_date, db.now)
    if phone is not None:
        await once(db, f"resident {phone} {plain}")
        if await db.value(SAME, phone=phone, name=plain):
            raise AlreadyRegistered(what="居民")
    masked = mask_name(plain)
    id_: UUID = await db.value(
        INSERT_PERSON,
        name_masked=masked,
        phone_masked=None if phone is None else mask_phone(phone),
        gender=given.gender,
        birth_date=born,
        pinyin=sort_key(masked),
        area=area,
    )
    await db.one(INSERT_NAME, person=id_, name=plain)
    await db.one(INSERT_CONTACT, person=id_, phone=phone, address=address)
    return id_


async def _myself(db: Db, area: str, address: str | None) -> UUID:
    me = await db.one(ME, id=db.actor.person)
    if me is None:
        raise Forbidden()
    if me["registered"]:
        raise AlreadyRegistered(what="居民")
    await db.one(HOME, id=me["id"], area=area)
    if address is not None and await db.one(ADDRESS, person=me["id"], address=address) is None:
        await db.one(INSERT_CONTACT, person=me["id"], phone=None, address=address)
    found: UUID = me["id"]
    return found
