"""Verbs of residents: register, by staff on his behalf or by himself; verify; say what care he may need."""

from __future__ import annotations

import dataclasses
import secrets
from datetime import date
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import Role, may, require, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.people.actions.interests import no_conflict
from models.people.actions.once import once, secret_name
from models.people.actions.persons import PRESENT, consent_missing, names, new_person, of_phone, set_address
from models.people.actions.places import a_community, a_grid
from models.people.actions.residences import HOME, NEEDS_FOLLOW, Place, settle
from models.people.care import ResidentTag, written_tags, written_tier
from models.people.identity import read_birth_date, read_name, read_phone
from models.people.problems import (
    AlreadyRegistered,
    AlreadyVerified,
    CareRefused,
    ConflictOfInterest,
    OwnCase,
    ResidentUnverified,
)
from models.people.rules import Gender, PhoneWhose
from models.people.scopes import MAY
from models.people.tables import Person, Resident
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, refuses
from models.rules_text import clean
from models.vault import Keys, Kind

person, resident = table(Person), table(Resident)


@dataclasses.dataclass(frozen=True)
class PersonInput:
    """Somebody who is not on record yet."""

    name: str
    phone: str | None = None
    gender: Gender = Gender.UNKNOWN
    birth_date: date | None = None
    phone_whose: PhoneWhose | None = None
    """To be said wherever there is a phone number: nobody's daughter is he by an oversight."""


@dataclasses.dataclass(frozen=True)
class ResidentInput:
    """Where a resident lives. `person` is None for whoever is signed in; the last three are for staff to say."""

    community: UUID
    grid: UUID | None = None
    address: str | None = None
    person: PersonInput | None = None
    household_of: UUID | None = None
    tags: tuple[ResidentTag, ...] = ()
    care_note: str | None = None


REGISTERED = Statement(
    sa.select(resident.c.person_id).where(
        resident.c.refused_at.is_(None),
        resident.c.person_id == sa.any_(sa.bindparam("persons", type_=postgresql.ARRAY(sa.Uuid()))),
    )
)
ME = Statement(
    sa.select(person.c.id).where(person.c.id == sa.bindparam("id", type_=sa.Uuid()), PRESENT).with_for_update()
)
MINE = Statement(sa.select(resident).where(resident.c.person_id == sa.bindparam("id", type_=sa.Uuid())))
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
        care=sa.bindparam("care"),
        care_note=sa.bindparam("care_note"),
        care_tier=sa.bindparam("care_tier"),
        created_at=sa.bindparam("now"),
        verified_at=sa.bindparam("verified_at"),
        verified_by=sa.bindparam("verified_by"),
    )
    .returning(resident.c.id)
)


ONE = Seen(
    lambda viewer: (
        sa.select(resident)
        .where(resident.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(resident, "resident", viewer))
        .with_for_update()
    )
)
VERIFY = Statement(
    sa.update(resident)
    .where(resident.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        verified_at=sa.bindparam("now"),
        verified_by=sa.bindparam("by"),
        household=sa.func.coalesce(sa.bindparam("household", type_=sa.Text()), resident.c.household),
    )
)
NO_CARE = Statement(
    sa.select(
        consent_missing(sa.bindparam("person", type_=sa.Uuid()), "SENSITIVE_CARE", sa.bindparam("now", type_=INSTANT))
    )
)
CARE = Statement(
    sa.update(resident)
    .where(resident.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(care=sa.bindparam("care"), care_note=sa.bindparam("care_note"), care_tier=sa.bindparam("care_tier"))
)


def read_whose(phone: str | None, given: PhoneWhose | None) -> PhoneWhose | None:
    """Whose a number is, as whoever writes it down was told. Raises InvalidInput for a number of which it is not said,
    and for one that somebody is said to have proven or not: that is not anybody's to say."""
    if phone is None:
        return None
    if given not in (PhoneWhose.OWN, PhoneWhose.RELATIVE):
        raise InvalidInput(field="phoneWhose", reason="请说明手机号是本人的还是亲属的。")
    return given


def read_note(given: str | None) -> str | None:
    """What is written of somebody's health or poverty: up to 500 characters. Raises InvalidInput."""
    return None if given is None else clean(given, "careNote", most=500)


@may(MAY["resident.register_others"] | MAY["resident.register_myself"])
@refuses(AlreadyRegistered, CareRefused)
async def register_resident(db: Db, given: ResidentInput, *, fictional: bool = False) -> UUID:
    """Registers a resident; returns the resident's id.

    Staff give a person who is not on record yet, in their own community or grid; the community's staff may put him into
    the household of a resident there, which is shown what is the household's: a grid officer may not. Without a person
    it is whoever is signed in, in a household of his own, unverified until staff have made sure; who was refused
    somewhere may register again, there or elsewhere. `fictional`: phone numbers that nobody has are accepted (never in production). Raises
    Forbidden, NotFound, InvalidInput, AlreadyRegistered (also for the same name and phone number), CareRefused for the
    care of a child under 14: its guardian has to agree first.
    """
    community = await a_community(db, given.community)
    grid = None if given.grid is None else await a_grid(db, given.grid, community["id"])
    area: str = grid["code"] if grid else community["code"]
    address = None if given.address is None else clean(given.address, "address", most=200)
    note = read_note(given.care_note)
    household = secrets.token_hex(16)
    by_staff = given.person is not None
    if given.person is not None:
        require(db.actor, MAY["resident.register_others"])
        if not db.actor.covers(area):
            raise Forbidden()
        if given.household_of is not None:
            if db.actor.role is not Role.COMMUNITY_STAFF:
                raise InvalidInput(field="householdOf", reason="同户关系由社区工作人员登记。")
            household = await _household(db, given.household_of, community["id"])
        person_id = await _new_person(db, given.person, area, address, fictional)
        if (given.tags or note) and await db.value(NO_CARE, person=person_id):
            raise CareRefused()
    else:
        require(db.actor, MAY["resident.register_myself"])
        for field, said in (("householdOf", given.household_of), ("tags", given.tags), ("careNote", note)):
            if said:
                raise InvalidInput(field=field, reason="同户关系与关爱信息由社区登记，请到社区办理。")
        person_id, before = await _myself(db, address)
        if before is not None:
            return await settle(db, before, Place(community["id"], grid["id"] if grid else None, area))
        await db.one(HOME, id=person_id, area=area)
    keys = await db.keys()
    id_: UUID = await db.value(
        INSERT,
        person=person_id,
        area=area,
        community=community["id"],
        grid=grid["id"] if grid else None,
        household=household,
        care=keys.seal(Kind.CARE, written_tags(given.tags), person_id),
        care_note=None if note is None else keys.seal(Kind.CARE, note, person_id),
        care_tier=sealed_tier(keys, given.tags, person_id),
        verified_at=db.now if by_staff else None,
        verified_by=db.actor.person if by_staff else None,
    )
    db.tell("resident.registered", id_, area=area, verified=by_staff)
    return id_


@may(MAY["resident.verify"])
@refuses(AlreadyVerified, InvalidTransition, OwnCase, ConflictOfInterest)
async def verify_resident(db: Db, id: UUID, *, household_of: UUID | None = None) -> UUID:
    """The community's staff says that somebody who registered himself, or moved here, lives there. Nobody says so of
    himself. `household_of`: and that he is of the household of that resident.

    Raises Forbidden, NotFound, AlreadyVerified, InvalidTransition, OwnCase, ConflictOfInterest, InvalidInput.
    """
    row = await waiting(db, id)
    household = None if household_of is None else await _household(db, household_of, row["community_id"])
    if household is not None:
        db.detail["householdOf"] = household_of
    await db.one(VERIFY, id=id, by=db.actor.person, household=household)
    if household is not None:
        await db.one(NEEDS_FOLLOW, resident=id, household=household)
    db.tell("resident.verified", id, area=row["area"])
    return id


@may(MAY["resident.care"])
@refuses(CareRefused, ResidentUnverified)
async def edit_care(
    db: Db, id: UUID, *, tags: tuple[ResidentTag, ...] | None = None, note: str | None = None, no_note: bool = False
) -> UUID:
    """Staff of the community say why a resident may need care: what is not None changes; `no_note` takes the note away.

    Raises Forbidden, NotFound, InvalidInput, CareRefused, ResidentUnverified.
    """
    note = read_note(note)
    row = await in_scope(db, id)
    if row["verified_at"] is None:
        raise ResidentUnverified()
    if (tags or note) and (row["no_care"] or await db.value(NO_CARE, person=row["person_id"])):
        raise CareRefused()
    keys, whose = await db.keys(), row["person_id"]
    if tags is None:
        care, tier = row["care"], row["care_tier"]
    else:
        care, tier = keys.seal(Kind.CARE, written_tags(tags), whose), sealed_tier(keys, tags, whose)
    if note is not None:
        kept: bytes | None = keys.seal(Kind.CARE, note, whose)
    else:
        kept = None if no_note else row["care_note"]
    await db.one(CARE, id=id, care=care, care_note=kept, care_tier=tier)
    db.tell("resident.care_edited", id, area=row["area"])
    return id


def sealed_tier(keys: Keys, tags: tuple[ResidentTag, ...], whose: UUID) -> bytes | None:
    """How closely somebody with these tags is looked after, as it is stored."""
    tier = written_tier(tags)
    return None if tier is None else keys.seal(Kind.CARE, tier, whose)


def refused() -> InvalidTransition:
    """Of whoever was refused: he registers again first."""
    return InvalidTransition(status="REFUSED", label="未通过核验")


async def waiting(db: Db, id: UUID) -> asyncpg.Record:
    """A resident of the staff's own area who waits to be verified, and is none of theirs, locked.

    Raises NotFound, Forbidden, OwnCase, ConflictOfInterest, AlreadyVerified, InvalidTransition where he was refused.
    """
    row = await in_scope(db, id)
    if row["person_id"] == db.actor.person:
        raise OwnCase()
    await no_conflict(db, concerns=[row["person_id"]])
    if row["verified_at"] is not None:
        raise AlreadyVerified()
    if row["refused_at"] is not None:
        raise refused()
    return row


async def in_scope(db: Db, id: UUID) -> asyncpg.Record:
    """A resident of the staff's own area, locked. Raises NotFound, Forbidden."""
    row = await db.one(ONE, id=id)
    if row is None:
        raise NotFound(what="该居民")
    if not db.actor.covers(row["area"]):
        raise Forbidden()
    return row


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
    whose = read_whose(phone, given.phone_whose)
    born = None if given.birth_date is None else read_birth_date(given.birth_date, db.now)
    if phone is not None and await _same(db, phone, plain):
        raise AlreadyRegistered(what="居民")
    return await new_person(
        db,
        name=plain,
        phone=phone,
        whose=whose,
        address=address,
        gender=given.gender,
        birth_date=born,
        area=area,
    )


async def _same(db: Db, phone: str, plain: str) -> bool:
    """Whether a resident of this name with this phone number is on record. Until the end nobody else registers one."""
    await once(db, secret_name("resident", phone))
    persons = [row["person_id"] for row in await of_phone(db, phone)]
    residents = [row["person_id"] for row in await db.all(REGISTERED, persons=persons)]
    return plain in (await names(db, residents)).values()


async def _myself(db: Db, address: str | None) -> tuple[UUID, asyncpg.Record | None]:
    """Whoever is signed in, and his registration that was refused, if there is one."""
    me: UUID | None = await db.value(ME, id=db.actor.person)
    if me is None:
        raise Forbidden()
    registered = await db.one(MINE, id=me)
    if registered is not None and registered["refused_at"] is None:
        raise AlreadyRegistered(what="居民")
    if address is not None:
        await set_address(db, me, address)
    return me, registered
