"""What is known of a person, written sealed and masked in one place: his name, phone number, address, document.

Every area that meets somebody new writes him by `new_person`; values are read (normalized and checked) before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models import clock
from models.base import table
from models.database import Db, Statement
from models.people.actions.once import once, secret_name
from models.people.actions.registrations import lacks_consent, move, moved
from models.people.identity import ADULT, birthday, mask_address, mask_name, mask_number, mask_phone, read_birth_date
from models.people.problems import DocumentTaken
from models.people.rules import VOLUNTEER_STEPS, Gender, IdType, PersonState, PhoneWhose
from models.people.tables import Person, PersonContact, PersonIdentity, PersonName, Volunteer
from models.pinyin import sort_key
from models.problems import NotFound
from models.vault import Kind

person, name, contact = table(Person), table(PersonName), table(PersonContact)
identity, volunteer = table(PersonIdentity), table(Volunteer)
UNNAMED = "微信用户"
"""What stands for the name of somebody who has not said it."""


def consent_missing(of: sa.ColumnElement[Any], purpose: str, at: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether somebody is under 14 and no guardian has agreed to a use of his data: an SQL function of the area that
    keeps consents (PIPL art. 31)."""
    found: sa.ColumnElement[bool] = sa.func.consent_missing(
        of, sa.literal_column(f"'{purpose}'"), at, type_=sa.Boolean()
    )
    return found


INSERT = Statement(
    sa.insert(person)
    .values(
        name_masked=sa.bindparam("masked"),
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
_name = postgresql.insert(name).values(person_id=sa.bindparam("person"), name=sa.bindparam("name"))
NAME = Statement(_name.on_conflict_do_update(index_elements=["person_id"], set_={"name": _name.excluded.name}))
_phone = postgresql.insert(contact).values(
    person_id=sa.bindparam("person"),
    phone=sa.bindparam("phone"),
    phone_index=sa.bindparam("index"),
    phone_whose=sa.bindparam("whose"),
)
PHONE = Statement(
    _phone.on_conflict_do_update(
        index_elements=["person_id"],
        set_={name: _phone.excluded[name] for name in ("phone", "phone_index", "phone_whose")},
    )
)
_address = postgresql.insert(contact).values(person_id=sa.bindparam("person"), address=sa.bindparam("address"))
ADDRESS = Statement(
    _address.on_conflict_do_update(index_elements=["person_id"], set_={"address": _address.excluded.address})
)
_identity = postgresql.insert(identity).values(
    person_id=sa.bindparam("person"),
    id_type=sa.bindparam("type"),
    number=sa.bindparam("number"),
    number_index=sa.bindparam("index"),
    number_masked=sa.bindparam("masked"),
    recorded_by=sa.bindparam("by"),
    recorded_at=sa.bindparam("now"),
)
IDENTITY = Statement(
    _identity.on_conflict_do_update(
        index_elements=["person_id"],
        set_={c.name: _identity.excluded[c.name] for c in identity.c if c.name != "person_id"},
    )
)
_ID = person.c.id == sa.bindparam("person", type_=sa.Uuid())
ACTS = Statement(sa.update(person).where(person.c.id == sa.bindparam("id", type_=sa.Uuid())).values(acts=True))
"""That somebody acts for others, so that his masked name is shown more widely."""
PRESENT = person.c.state == sa.literal_column(f"'{PersonState.PRESENT.value}'")
"""Who has not been erased, and not become another record: of nobody else is anything written."""
MASKED_NAME = Statement(
    sa.update(person).where(_ID).values(name_masked=sa.bindparam("masked"), pinyin=sa.bindparam("pinyin"))
)
MASKED_PHONE = Statement(sa.update(person).where(_ID).values(phone_masked=sa.bindparam("masked")))
MASKED_ADDRESS = Statement(sa.update(person).where(_ID).values(address_masked=sa.bindparam("masked")))
GENDER = Statement(sa.update(person).where(_ID).values(gender=sa.bindparam("gender")))
BORN = Statement(sa.update(person).where(_ID).values(birth_date=sa.bindparam("born")))
ADULT_ON = Statement(
    sa.update(volunteer)
    .where(volunteer.c.person_id == sa.bindparam("person", type_=sa.Uuid()))
    .values(adult_on=sa.bindparam("adult_on"))
    .returning(volunteer)
)
LOCK = Statement(sa.select(person.c.id, person.c.birth_date).where(_ID, PRESENT).with_for_update())
_INDEXES = sa.bindparam("indexes", type_=postgresql.ARRAY(sa.LargeBinary()))
OF_PHONE = Statement(
    sa.select(contact.c.person_id, contact.c.phone_whose)
    .where(contact.c.phone_index == sa.any_(_INDEXES))
    .order_by(contact.c.person_id)
)
OF_NUMBER = Statement(
    sa.select(identity.c.person_id, identity.c.id_type).where(identity.c.number_index == sa.any_(_INDEXES))
)
OPEN_NAMES = Statement(
    sa.select(name.c.person_id, name.c.name).where(
        name.c.person_id == sa.any_(sa.bindparam("persons", type_=postgresql.ARRAY(sa.Uuid())))
    )
)


async def new_person(
    db: Db,
    *,
    name: str | None = None,
    phone: str | None = None,
    whose: PhoneWhose | None = None,
    address: str | None = None,
    gender: Gender = Gender.UNKNOWN,
    birth_date: date | None = None,
    area: str | None = None,
) -> UUID:
    """Writes a person, sealed and masked; returns his id. Whether he is on record already is the caller's to ask.

    Without a name he is shown as `UNNAMED` until he says it.
    """
    masked = UNNAMED if name is None else mask_name(name)
    id_: UUID = await db.value(
        INSERT, masked=masked, gender=gender, birth_date=birth_date, pinyin=sort_key(masked), area=area
    )
    if name is not None:
        await db.one(NAME, person=id_, name=(await db.keys()).seal(Kind.NAME, name, id_))
    if phone is not None:
        assert whose is not None, "whose number it is"
        await set_phone(db, id_, phone, whose)
    if address is not None:
        await set_address(db, id_, address)
    return id_


async def set_name(db: Db, person: UUID, name: str) -> None:
    """Writes a person's name, as `read_name` read it, in place of the one before."""
    masked = mask_name(name)
    await db.one(NAME, person=person, name=(await db.keys()).seal(Kind.NAME, name, person))
    await db.one(MASKED_NAME, person=person, masked=masked, pinyin=sort_key(masked))


async def set_phone(db: Db, person: UUID, phone: str, whose: PhoneWhose) -> None:
    """Writes a person's phone number, 11 digits, in place of the one before."""
    keys = await db.keys()
    sealed, index = keys.seal(Kind.PHONE, phone, person), keys.index(Kind.PHONE, phone)
    await db.one(PHONE, person=person, phone=sealed, index=index, whose=whose)
    await db.one(MASKED_PHONE, person=person, masked=mask_phone(phone))


async def set_address(db: Db, person: UUID, address: str | None) -> None:
    """Writes a person's address with its door, or that there is none, in place of the one before."""
    sealed = None if address is None else (await db.keys()).seal(Kind.ADDRESS, address, person)
    await db.one(ADDRESS, person=person, address=sealed)
    await db.one(MASKED_ADDRESS, person=person, masked=None if address is None else mask_address(address))


async def set_identity(db: Db, person: UUID, type: IdType, number: str) -> None:
    """Writes the document that somebody has shown, in place of the one before. Raises DocumentTaken."""
    keys = await db.keys()
    await once(db, secret_name("document", number))
    held = await of_number(db, type, number)
    if held is not None and held != person:
        raise DocumentTaken()
    await db.one(
        IDENTITY,
        person=person,
        type=type,
        number=keys.seal(Kind.IDENTITY, number, person),
        index=keys.index(Kind.IDENTITY, number),
        masked=mask_number(number),
        by=db.actor.person,
    )


async def of_phone(db: Db, phone: str) -> Sequence[asyncpg.Record]:
    """(person_id, phone_whose) of everybody on whose record a phone number stands, whoever asks."""
    keys = await db.keys()
    return await db.all(OF_PHONE, indexes=keys.indexes(Kind.PHONE, phone))


async def of_number(db: Db, type: IdType, number: str) -> UUID | None:
    """Whose document it is, whoever asks."""
    keys = await db.keys()
    rows = await db.all(OF_NUMBER, indexes=keys.indexes(Kind.IDENTITY, number))
    return next((row["person_id"] for row in rows if row["id_type"] == type), None)


async def of_some_number(db: Db, number: str) -> list[UUID]:
    """Whose documents of any kind have this number, whoever asks."""
    keys = await db.keys()
    rows = await db.all(OF_NUMBER, indexes=keys.indexes(Kind.IDENTITY, number))
    return [row["person_id"] for row in rows]


async def names(db: Db, persons: Sequence[UUID]) -> dict[UUID, str]:
    """The plain names of these people, to compare with: never to be answered."""
    rows = await db.all(OPEN_NAMES, persons=list(persons))
    return {row["person_id"]: await db.open(Kind.NAME, row["name"], row["person_id"]) for row in rows}


async def correct_person(
    db: Db,
    person: UUID,
    *,
    name: str | None = None,
    birth_date: date | None = None,
    gender: Gender | None = None,
    address: str | None = None,
) -> None:
    """Corrects what is recorded of a person and not None (PIPL, art. 46): decided by staff, or his own.

    A birth date that makes him a minor suspends a volunteer for whom no guardian has consented. Raises NotFound,
    InvalidInput.
    """
    row = await db.one(LOCK, person=person)
    if row is None:
        raise NotFound(what="该人员")
    if name is not None:
        await set_name(db, person, name)
    if address is not None:
        await set_address(db, person, address)
    if gender is not None:
        await db.one(GENDER, person=person, gender=gender)
    if birth_date is not None and birth_date != row["birth_date"]:
        await _correct_birth(db, person, read_birth_date(birth_date, db.now))


async def _correct_birth(db: Db, person: UUID, born: date) -> None:
    await db.one(BORN, person=person, born=born)
    adult_on = birthday(born, ADULT)
    row = await db.one(ADULT_ON, person=person, adult_on=adult_on)
    if row is None or adult_on <= clock.day(db.now):
        return
    if ("unconsent", row["state"]) in VOLUNTEER_STEPS and await lacks_consent(db, row):
        await move(db, row, moved("unconsent", row["state"]), "更正出生日期后为未成年人", "volunteer.unconsented")
