"""Verbs by which staff find somebody whom they have in front of them or on the phone, and record his document."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import may, seen, within
from models.base import INSTANT, table
from models.database import AsViewer, Db, Seen, Statement
from models.people.actions.interests import no_conflict
from models.people.actions.once import once
from models.people.actions.persons import PRESENT, of_phone, of_some_number, set_identity
from models.people.identity import born_by, read_id_number, read_phone
from models.people.problems import ConflictOfInterest, DocumentOnRecord, DocumentTaken, OwnCase, TooManySearches
from models.people.rules import AccessPurpose, IdType, SearchKey
from models.people.scopes import MAY
from models.people.tables import Person, PersonIdentity, PersonSearch, Resident, Volunteer
from models.people.visible import registered
from models.problems import InvalidInput, NotFound, refuses
from models.rules_text import clean
from models.vault import Kind

MOST_AN_HOUR = 60
"""Searches by one person within an hour: nobody tries numbers out."""

person, search, resident, volunteer = table(Person), table(PersonSearch), table(Resident), table(Volunteer)
document = table(PersonIdentity)


def in_scope(viewer: AsViewer) -> sa.ColumnElement[bool]:
    """Who lives in the asker's area, or is registered there as a volunteer."""
    return sa.or_(within(person.c.area, viewer), person.c.id.in_(registered(viewer)))


FOUND = Seen(
    lambda viewer: (
        sa.select(person.c.id)
        .where(
            person.c.id == sa.any_(sa.bindparam("persons", type_=postgresql.ARRAY(sa.Uuid()))),
            in_scope(viewer),
            *seen(person, "person", viewer),
        )
        .order_by(person.c.id)
    )
)
LATELY = Statement(
    sa.select(sa.func.count()).where(
        search.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        search.c.at > sa.bindparam("since", type_=INSTANT),
    )
)
SEARCH = Statement(
    sa.insert(search)
    .values(
        at=sa.bindparam("now"),
        person_id=sa.bindparam("person"),
        role=sa.bindparam("role"),
        found_by=sa.bindparam("found_by"),
        purpose=sa.bindparam("purpose"),
        reason=sa.bindparam("reason"),
        found=sa.bindparam("found"),
    )
    .returning(search.c.id)
)
SUBJECT = Seen(
    lambda viewer: (
        sa.select(person.c.id, person.c.birth_date)
        .where(
            person.c.id == sa.bindparam("id", type_=sa.Uuid()),
            PRESENT,
            in_scope(viewer),
            *seen(person, "person", viewer),
        )
        .with_for_update()
    )
)
BORN = Statement(
    sa.update(person)
    .where(person.c.id == sa.bindparam("id", type_=sa.Uuid()), person.c.birth_date.is_(None))
    .values(birth_date=sa.bindparam("born"))
)
ON_RECORD = Statement(
    sa.select(document.c.id_type, document.c.number_index).where(
        document.c.person_id == sa.bindparam("id", type_=sa.Uuid())
    )
)


@may(MAY["person.find"])
@refuses(TooManySearches)
async def find_person(
    db: Db,
    purpose: AccessPurpose,
    *,
    phone: str | None = None,
    id_number: str | None = None,
    reason: str | None = None,
    fictional: bool = False,
) -> UUID:
    """Finds the people of the staff's area on whose record exactly this phone number or document stands.

    Returns the id of the search: it names who was found, and nobody where there is none or he is elsewhere. What was
    looked for is kept nowhere. Raises Forbidden, InvalidInput, TooManySearches.
    """
    if (phone is None) == (id_number is None):
        raise InvalidInput(field="phone", reason="请填写手机号或证件号码中的一项。")
    if reason is not None:
        reason = clean(reason, "reason", most=200)
    elif purpose is AccessPurpose.OTHER:
        raise InvalidInput(field="reason", reason="用途为“其他”时须说明理由。")
    if phone is not None:
        by, plain = SearchKey.PHONE, read_phone(phone, fictional=fictional)
    else:
        by, plain = SearchKey.ID_NUMBER, clean(id_number or "", "idNumber", most=40).replace(" ", "").upper()
    await once(db, f"search {db.actor.person}")
    if await db.value(LATELY, person=db.actor.person, since=db.now - timedelta(hours=1)) >= MOST_AN_HOUR:
        raise TooManySearches(most=MOST_AN_HOUR)
    if by is SearchKey.PHONE:
        persons = [row["person_id"] for row in await of_phone(db, plain)]
    else:
        persons = await of_some_number(db, plain)
    found = [row["id"] for row in await db.all(FOUND, persons=persons)]
    id_: UUID = await db.value(
        SEARCH,
        person=db.actor.person,
        role=db.actor.role,
        found_by=by,
        purpose=purpose,
        reason=reason,
        found=found,
    )
    db.detail.update(purpose=purpose.value, by=by.value, found=found)
    return id_


@may(MAY["identity.record"])
@refuses(DocumentTaken, DocumentOnRecord, OwnCase, ConflictOfInterest)
async def record_identity(db: Db, id: UUID, type: IdType, number: str) -> UUID:
    """The community's staff record a document that they have seen, of somebody of their community; returns his id.

    An identity card's birth date must agree with the one on record, and becomes it where there is none. A card on record
    is not replaced, for whoever knows its number may claim the record; a passport is by his next one. Raises Forbidden,
    NotFound, InvalidInput, and the problems named above.
    """
    plain = read_id_number(number, type, db.now)
    row = await db.one(SUBJECT, id=id)
    if row is None:
        raise NotFound(what="该人员")
    if row["id"] == db.actor.person:
        raise OwnCase()
    await no_conflict(db, concerns=[id])
    keys = await db.keys()
    db.detail.update(person=id, type=type.value, number=keys.index(Kind.IDENTITY, plain).hex()[:12])
    known = await db.one(ON_RECORD, id=id)
    same = known is not None and known["number_index"] in keys.indexes(Kind.IDENTITY, plain)
    if known is not None and (known["id_type"] != type or (type is IdType.ID_CARD and not same)):
        raise DocumentOnRecord()
    if type is IdType.ID_CARD:
        born = born_by(plain)
        if row["birth_date"] not in (None, born):
            raise InvalidInput(field="idNumber", reason="证件上的出生日期与登记的不一致，请先更正出生日期。")
        await db.one(BORN, id=id, born=born)
    if not same:
        await set_identity(db, id, type, plain)
    db.tell("person.identified", id)
    return id
