"""Proving a phone number: WeChat tells it of a button that its owner pressed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import may
from models.base import INSTANT, table
from models.database import Db, Statement
from models.identity.wechat.actions.sign_in import PLATFORM
from models.identity.wechat.rules import MAY, PROOF_LIFE
from models.identity.wechat.tables import BoundPhone
from models.people.actions.once import once, secret_name
from models.people.actions.persons import of_phone, set_phone
from models.people.identity import mask_phone, read_phone
from models.people.rules import PersonState, PhoneWhose
from models.people.tables import Person
from models.problems import Forbidden, refuses
from models.vault import Kind

bound, person = table(BoundPhone), table(Person)

LOCK = Statement(
    sa.select(person.c.id)
    .where(
        person.c.id == sa.any_(sa.bindparam("persons", type_=postgresql.ARRAY(sa.Uuid()))),
        person.c.state == PersonState.PRESENT.value,
    )
    .order_by(person.c.id)
    .with_for_update()
)
INSERT = Statement(
    sa.insert(bound)
    .values(
        person_id=sa.bindparam("person"),
        phone=sa.bindparam("phone"),
        phone_index=sa.bindparam("index"),
        phone_masked=sa.bindparam("masked"),
        records_found=sa.bindparam("found"),
        sign_in_id=sa.bindparam("sign_in"),
        proven_at=sa.bindparam("now"),
    )
    .returning(bound.c.id)
)
PROVEN = Statement(
    sa.select(bound.c.phone)
    .where(
        bound.c.sign_in_id == sa.bindparam("sign_in", type_=sa.Uuid()),
        bound.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        bound.c.proven_at > sa.bindparam("since", type_=INSTANT),
    )
    .order_by(bound.c.proven_at.desc(), bound.c.id.desc())
    .limit(1)
)


async def alone_with(db: Db, phone: str) -> None:
    """Until the end nobody else proves this number or claims by it: each would lock the others' records besides his."""
    await once(db, secret_name("proven", phone))


async def locked(db: Db, persons: Sequence[UUID]) -> list[UUID]:
    """Those of these people whose data are their own still, locked in one order."""
    return [row["id"] for row in await db.all(LOCK, persons=list(persons))]


@may(MAY["phone.bind"])
@refuses(*PLATFORM)
async def bind_phone(db: Db, given: str, *, fictional: bool = False) -> UUID:
    """Writes the number that WeChat told of the caller as his own, and that he proved it in this sign-in.

    Returns the proof's id. Raises Forbidden for a token without a sign-in, InvalidInput for a number from abroad.
    """
    me = db.actor.person
    if me is None or db.actor.sign_in is None:
        raise Forbidden()
    phone = read_phone(given, "code", fictional=fictional)
    await alone_with(db, phone)
    if not await locked(db, [me]):
        raise Forbidden()
    keys = await db.keys()
    found = await others_of_phone(db, phone, me)
    await set_phone(db, me, phone, PhoneWhose.OWN)
    id_: UUID = await db.value(
        INSERT,
        person=me,
        phone=keys.seal(Kind.PHONE, phone, me),
        index=keys.index(Kind.PHONE, phone),
        masked=mask_phone(phone),
        found=bool(found),
        sign_in=db.actor.sign_in,
    )
    db.tell("phone.bound", id_)
    return id_


async def others_of_phone(db: Db, phone: str, me: UUID) -> list[UUID]:
    """The people besides him on whose record a number stands as their own."""
    rows = await of_phone(db, phone)
    persons = [row["person_id"] for row in rows if row["phone_whose"] == PhoneWhose.OWN and row["person_id"] != me]
    return await locked(db, persons)


async def proven_phone(db: Db, me: UUID) -> str | None:
    """The number that the caller proved last in this sign-in, within the last 15 minutes."""
    sealed = await db.value(PROVEN, sign_in=db.actor.sign_in, person=me, since=db.now - PROOF_LIFE)
    return None if sealed is None else (await db.keys()).open(Kind.PHONE, sealed, me)
