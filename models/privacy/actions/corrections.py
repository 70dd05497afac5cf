"""Corrections (PIPL art. 46): what a person wants put right, read and sealed when he asks, written when staff agree."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from models.base import table
from models.database import Db, Statement
from models.labels import label
from models.people.actions.contacts import record_reading
from models.people.actions.persons import correct_person, set_identity, set_phone
from models.people.identity import (
    mask_address,
    mask_name,
    mask_number,
    mask_phone,
    read_birth_date,
    read_id_number,
    read_name,
    read_phone,
)
from models.people.rules import AccessPurpose, ContactField, Gender, IdType, PhoneWhose
from models.people.tables import Person, PersonIdentity
from models.privacy.actions.subjects import Subject
from models.privacy.problems import CorrectionUnproven
from models.privacy.rules import CorrectionField
from models.privacy.tables import Correction
from models.problems import InvalidInput
from models.rules_text import clean
from models.vault import Kind

person, identity, correction = table(Person), table(PersonIdentity), table(Correction)
F = CorrectionField
PROVING = frozenset({F.NAME, F.PHONE, F.BIRTH_DATE, F.ID_NUMBER})
"""By what somebody is known to be who he is, comes by his record, and is a child or none."""

AS_IT_IS = Statement(
    sa.select(
        person.c.name_masked,
        person.c.phone_masked,
        person.c.address_masked,
        person.c.gender,
        person.c.birth_date,
        identity.c.number_masked,
    )
    .select_from(person.outerjoin(identity, identity.c.person_id == person.c.id))
    .where(person.c.id == sa.bindparam("person", type_=sa.Uuid()))
)
_COLUMNS = ("request_id", "person_id", "area", "field", "proposed", "before", "after")
INSERT = Statement(sa.insert(correction).values({name: sa.bindparam(name) for name in _COLUMNS}))
READ_AS: dict[F, ContactField] = {field: ContactField(field.value) for field in F if field is not F.GENDER}
"""As what the reading of a proposed value is on record. A gender is proposed unmasked."""
PROPOSED = Statement(
    sa.select(correction.c.field, correction.c.proposed)
    .where(correction.c.request_id == sa.bindparam("request", type_=sa.Uuid()))
    .order_by(correction.c.field)
)


@dataclasses.dataclass(frozen=True)
class CorrectionInput:
    """How a person's data ought to be; what is None stays."""

    name: str | None = None
    phone: str | None = None
    address: str | None = None
    gender: Gender | None = None
    birth_date: date | None = None
    id_number: str | None = None


def mask_birth_date(born: date) -> str:
    """The year only: 1944-**-**."""
    return f"{born.year}-**-**"


def read(db: Db, given: CorrectionInput, *, fictional: bool) -> Iterator[tuple[CorrectionField, str, str]]:
    """(field, normalized value, masked) of each field that is to change. Raises InvalidInput."""
    if given.name is not None:
        name = read_name(given.name)
        yield F.NAME, name, mask_name(name)
    if given.phone is not None:
        phone = read_phone(given.phone, fictional=fictional)
        yield F.PHONE, phone, mask_phone(phone)
    if given.address is not None:
        address = clean(given.address, "address", most=200)
        yield F.ADDRESS, address, mask_address(address)
    if given.gender is not None:
        yield F.GENDER, given.gender.value, label(given.gender)
    if given.birth_date is not None:
        born = read_birth_date(given.birth_date, db.now)
        yield F.BIRTH_DATE, born.isoformat(), mask_birth_date(born)
    if given.id_number is not None:
        number = read_id_number(given.id_number, IdType.ID_CARD, db.now)
        yield F.ID_NUMBER, number, mask_number(number)


async def propose(db: Db, request: UUID, subject: Subject, given: CorrectionInput, *, fictional: bool) -> None:
    """Writes what a request proposes, sealed. Raises InvalidInput, also when nothing is to change, and CorrectionUnproven
    for who somebody of no community is: nobody would hold it against his papers."""
    fields = list(read(db, given, fictional=fictional))
    if not fields:
        raise InvalidInput(field="correction", reason="请填写要更正的内容。")
    if subject.area is None and any(field in PROVING for field, _, _ in fields):
        raise CorrectionUnproven()
    now = await db.one(AS_IT_IS, person=subject.id)
    assert now is not None
    before = {
        F.NAME: now["name_masked"],
        F.PHONE: now["phone_masked"],
        F.ADDRESS: now["address_masked"],
        F.GENDER: label(Gender(now["gender"])),
        F.BIRTH_DATE: None if now["birth_date"] is None else mask_birth_date(now["birth_date"]),
        F.ID_NUMBER: now["number_masked"],
    }
    keys = await db.keys()
    for field, plain, masked in fields:
        await db.one(
            INSERT,
            request_id=request,
            person_id=subject.id,
            area=subject.area,
            field=field,
            proposed=keys.seal(Kind.IDENTITY, plain, subject.id),
            before=before[field],
            after=masked,
        )


async def read_proposed(db: Db, request: UUID, person: UUID, area: str | None) -> None:
    """Writes that the caller reads what a request proposes (I27): its answer may show it. Raises InvalidInput."""
    rows = await db.all(PROPOSED, request=request)
    fields = [READ_AS[F(row["field"])] for row in rows if row["field"] in READ_AS]
    if not fields:
        raise InvalidInput(field="id", reason="该请求没有需要查看的内容。")
    await record_reading(db, [(person, area)], AccessPurpose.VERIFICATION, fields, "核对更正请求")


async def unread(db: Db, request: UUID) -> None:
    """Raises CorrectionUnproven where a request proposes what only those may accept who read it."""
    if any(F(row["field"]) in PROVING for row in await db.all(PROPOSED, request=request)):
        raise CorrectionUnproven()


async def write(db: Db, request: UUID, person: UUID) -> None:
    """Writes what a request proposed. Raises DocumentTaken."""
    keys = await db.keys()
    rows = await db.all(PROPOSED, request=request)
    plain = {F(row["field"]): keys.open(Kind.IDENTITY, row["proposed"], person) for row in rows}
    await correct_person(
        db,
        person,
        name=plain.get(F.NAME),
        address=plain.get(F.ADDRESS),
        gender=Gender(plain[F.GENDER]) if F.GENDER in plain else None,
        birth_date=date.fromisoformat(plain[F.BIRTH_DATE]) if F.BIRTH_DATE in plain else None,
    )
    if F.PHONE in plain:
        await set_phone(db, person, plain[F.PHONE], PhoneWhose.UNPROVEN)  # `phoneBind` proves whose it is
    if F.ID_NUMBER in plain:
        await set_identity(db, person, IdType.ID_CARD, plain[F.ID_NUMBER])
    db.detail["fields"] = sorted(plain)
