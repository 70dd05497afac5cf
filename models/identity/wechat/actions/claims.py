"""Claiming a record: whoever came by the mini-program and whoever stands on record are one person.

A phone number alone proves nothing: numbers are given out anew, and families share them. So the record's full name is
asked for as well, and compared with what the record holds; and five failures in a day are the end of it. Nor does a
card's number that was put on record a moment ago: whoever wrote it knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import may
from models.base import INSTANT, table
from models.database import Db, Statement
from models.identity.actions.sign_ins import Opened, open_sign_in
from models.identity.problems import CapacityNotHeld, SecondFactorRequired
from models.identity.rules import SignInMethod
from models.identity.tables import SignIn
from models.identity.wechat.actions.merging import acts, merge
from models.identity.wechat.actions.phones import alone_with, locked, others_of_phone, proven_phone
from models.identity.wechat.problems import (
    BothHaveHistory,
    ClaimMismatch,
    ClaimNeedsStaff,
    ClaimTriesExhausted,
    PhoneNotProven,
    RecordActs,
)
from models.identity.wechat.rules import CARD_AGE, MAY, TRIES, TRY_PERIOD, MergeProof
from models.identity.wechat.tables import ClaimTry, WechatIdentity
from models.people.actions.once import once
from models.people.actions.persons import names, of_number, of_phone
from models.people.identity import is_minor, read_id_number, read_name
from models.people.rules import IdType, PhoneWhose
from models.people.tables import Person, PersonIdentity
from models.problems import Forbidden, Kept, refuses

tried, identity, sign_in, person = table(ClaimTry), table(WechatIdentity), table(SignIn), table(Person)
document = table(PersonIdentity)

_SINCE = tried.c.at > sa.bindparam("since", type_=INSTANT)
TRIES_OF = Statement(
    sa.select(sa.func.count()).where(tried.c.person_id == sa.bindparam("person", type_=sa.Uuid()), _SINCE)
)
TRIES_ON = Statement(
    sa.select(sa.func.count()).where(
        tried.c.records.contains(sa.bindparam("records", type_=postgresql.ARRAY(sa.Uuid()))), _SINCE
    )
)
TRY = Statement(
    sa.insert(tried).values(person_id=sa.bindparam("person"), records=sa.bindparam("records"), at=sa.bindparam("now"))
)
TAKEN = Statement(sa.select(sa.exists().where(identity.c.person_id == sa.bindparam("record", type_=sa.Uuid()))))
RECORDED = Statement(
    sa.select(document.c.recorded_at).where(document.c.person_id == sa.bindparam("record", type_=sa.Uuid()))
)
BORN = Statement(sa.select(person.c.birth_date).where(person.c.id == sa.bindparam("record", type_=sa.Uuid())))
DEVICE = Statement(sa.select(sign_in.c.device).where(sign_in.c.id == sa.bindparam("id", type_=sa.Uuid())))


@may(MAY["person.claim"])
@refuses(
    PhoneNotProven,
    ClaimMismatch,
    ClaimTriesExhausted,
    ClaimNeedsStaff,
    RecordActs,
    BothHaveHistory,
    CapacityNotHeld,
    SecondFactorRequired,
)
async def claim_record(db: Db, name: str, id_number: str | None = None) -> Opened:
    """Makes the caller one person with a record, and opens a sign-in for it; the caller's own sign-ins end.

    The record must have the phone number that he proved in this sign-in within 15 minutes, as its own, and this full
    name; or, when an identity card's number is given, that number and this name, and then the number has been on record
    for a day, or he has proven the record's phone number too. What he had so far goes to the record. A record that was
    tried for too often today answers as one that is not there.
    Raises Forbidden for a token without a sign-in, InvalidInput, and the problems named above.
    """
    me = db.actor.person
    if me is None or db.actor.sign_in is None:
        raise Forbidden()
    plain = read_name(name)
    number = None if id_number is None else read_id_number(id_number, IdType.ID_CARD, db.now)
    await once(db, f"claims of {me}")
    since = db.now - TRY_PERIOD
    used = await db.value(TRIES_OF, person=me, since=since)
    if used >= TRIES:
        raise ClaimTriesExhausted()
    phone = await proven_phone(db, me) if number is None else None
    if phone is not None:
        await alone_with(db, phone)
    if not await locked(db, [me]):  # he has just become somebody else
        raise Forbidden()
    candidates, proof = await _candidates(db, me, number, phone)
    worn_out = await _worn_out(db, candidates, since)
    known = await names(db, candidates)
    matching = [record for record in candidates if known.get(record) == plain]
    if worn_out or not matching:
        await db.one(TRY, person=me, records=candidates)
        raise Kept(ClaimMismatch(left=TRIES - used - 1))
    record = matching[0]
    born = await db.value(BORN, record=record)
    if len(matching) > 1 or await db.value(TAKEN, record=record) or (born is not None and is_minor(born, db.now)):
        raise ClaimNeedsStaff()
    if proof is MergeProof.IDENTITY and not await _settled(db, me, record):
        raise ClaimNeedsStaff()
    if await acts(db, me) or await acts(db, record):
        raise RecordActs()
    device = await db.value(DEVICE, id=db.actor.sign_in)
    await merge(db, me, record, proof)
    return await open_sign_in(db, record, SignInMethod.WECHAT, strong=False, device=device)


async def _candidates(db: Db, me: UUID, number: str | None, phone: str | None) -> tuple[list[UUID], MergeProof]:
    """The records that the proof leads to, locked, and by what. Raises PhoneNotProven."""
    if number is not None:
        record = await of_number(db, IdType.ID_CARD, number)
        return ([] if record in (None, me) else await locked(db, [record]), MergeProof.IDENTITY)
    if phone is None:
        raise PhoneNotProven()
    return await others_of_phone(db, phone, me), MergeProof.PHONE


async def _worn_out(db: Db, records: Sequence[UUID], since: datetime) -> bool:
    """Whether one of these records was tried for too often, by whomever."""
    for record in records:
        await once(db, f"claims on {record}")
        if await db.value(TRIES_ON, records=[record], since=since) >= TRIES:
            return True
    return False


async def _settled(db: Db, me: UUID, record: UUID) -> bool:
    """Whether a card's number has been on record for a day, or the record's own phone number is proven too."""
    at = await db.value(RECORDED, record=record)
    if at is not None and at <= db.now - CARD_AGE:
        return True
    phone = await proven_phone(db, me)
    if phone is None:
        return False
    return any(row["person_id"] == record and row["phone_whose"] == PhoneWhose.OWN for row in await of_phone(db, phone))
