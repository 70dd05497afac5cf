"""Making one person of two records: after a claim, and by the community's staff."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models import clock
from models.access import Actor, may
from models.base import INSTANT, table
from models.database import Db, Statement
from models.identity.accounts.tables import Account
from models.identity.actions.sign_ins import end_sign_ins_of
from models.identity.rules import SignInEnd
from models.identity.wechat.merge import move_all, move_document
from models.identity.wechat.problems import (
    BothHaveHistory,
    BothSignIn,
    ChildsRecord,
    NamesDiffer,
    NotOnePerson,
    NumberUnproven,
    RecordActs,
)
from models.identity.wechat.rules import MAY, STAFF_PROOF_LIFE, MergeProof
from models.identity.wechat.tables import BoundPhone, PersonMerge, WechatIdentity
from models.people.actions.interests import no_conflict
from models.people.actions.persons import BORN, of_number, set_address, set_name, set_phone
from models.people.holding import lasts
from models.people.identity import HIDDEN, born_by, is_minor, read_id_number
from models.people.organizations import Membership
from models.people.problems import ConflictOfInterest, OwnCase
from models.people.reliability import reckon_reliability
from models.people.rules import Gender, IdType, PersonState, PhoneWhose, SearchKey
from models.people.tables import Person, PersonContact, PersonIdentity, PersonName, Resident, Volunteer
from models.problems import NotFound, refuses
from models.rules_text import clean
from models.vault import Keys, Kind

person, contact, name, document = table(Person), table(PersonContact), table(PersonName), table(PersonIdentity)
membership, account, merged = table(Membership), table(Account), table(PersonMerge)
resident, volunteer = table(Resident), table(Volunteer)
bound, wechat = table(BoundPhone), table(WechatIdentity)

ID = sa.bindparam("id", type_=sa.Uuid(), unique=False)
ACTS = Statement(
    sa.select(
        sa.or_(
            sa.exists().where(
                membership.c.person_id == ID,
                lasts(membership.c),
            ),
            sa.exists().where(account.c.person_id == ID),
        )
    )
)
KNOWN = Statement(
    sa.select(
        person,
        name.c.name,
        contact.c.phone,
        contact.c.phone_index,
        contact.c.phone_whose,
        contact.c.address,
        document.c.number,
        sa.select(resident.c.area).where(resident.c.person_id == person.c.id).scalar_subquery().label("lives"),
        sa.select(volunteer.c.area).where(volunteer.c.person_id == person.c.id).scalar_subquery().label("serves"),
    )
    .select_from(
        person.outerjoin(name, name.c.person_id == person.c.id)
        .outerjoin(contact, contact.c.person_id == person.c.id)
        .outerjoin(document, document.c.person_id == person.c.id)
    )
    .where(person.c.id == ID, person.c.state == PersonState.PRESENT.value)
    .with_for_update(of=person)
)
_PAIR = sa.bindparam("persons", type_=postgresql.ARRAY(sa.Uuid()))
PROVEN = Statement(
    sa.select(
        sa.exists().where(
            bound.c.person_id == sa.any_(_PAIR),
            bound.c.phone_index == sa.any_(sa.bindparam("indexes", type_=postgresql.ARRAY(sa.LargeBinary()))),
            bound.c.proven_at > sa.bindparam("since", type_=INSTANT),
        )
    )
)
WITH_WECHAT = Statement(
    sa.select(sa.func.count(wechat.c.person_id.distinct())).where(wechat.c.person_id == sa.any_(_PAIR))
)
FORGET = tuple(Statement(sa.delete(rows).where(rows.c.person_id == ID)) for rows in (name, contact, document))
GIVE_UP = Statement(
    sa.update(person)
    .where(person.c.id == ID)
    .values(
        state=PersonState.MERGED,
        name_masked=HIDDEN,
        pinyin=HIDDEN,
        phone_masked=None,
        address_masked=None,
        gender=Gender.UNKNOWN,
        birth_date=None,
        area=None,
        acts=False,
    )
)
TAKE_ON = Statement(
    sa.update(person)
    .where(person.c.id == ID)
    .values(
        gender=sa.bindparam("gender"),
        area=sa.bindparam("area"),
        acts=sa.bindparam("acts"),
        no_sharing=sa.bindparam("no_sharing"),
    )
)
MERGED = Statement(
    sa.insert(merged).values(
        from_id=sa.bindparam("from_"),
        into_id=sa.bindparam("into"),
        proof=sa.bindparam("proof"),
        reason=sa.bindparam("reason"),
        by_id=sa.bindparam("by"),
        at=sa.bindparam("now"),
    )
)


async def acts(db: Db, id: UUID) -> bool:
    """Whether somebody holds a capacity, now or later, or has an account to sign in with."""
    return bool(await db.value(ACTS, id=id, today=clock.day(db.now)))


async def merge(db: Db, from_: UUID, into: UUID, proof: MergeProof, reason: str | None = None) -> None:
    """Makes one person of two, whose proof is the caller's to ask: what the first has is the second's from now on.

    What the second record says counts; where it says nothing, the first one's word is taken. The first one's plain
    values are forgotten, its sign-ins end. Raises BothHaveHistory when the first has any that is not rewritten.
    """
    rows = {}
    for id in sorted((from_, into)):
        rows[id] = await db.one(KNOWN, id=id)
    old, new = rows[from_], rows[into]
    if old is None or new is None:
        raise NotFound(what="该人员")
    moved = await move_all(db, "person", from_, into)
    await _adopt(db, old, new)
    await reckon_reliability(db, into)
    await end_sign_ins_of(db, from_, SignInEnd.MERGED)
    await db.one(MERGED, from_=from_, into=into, proof=proof, reason=reason, by=db.actor.person)
    db.detail.update({"from": from_, "into": into, "proof": proof.value, "moved": moved})
    db.tell("person.merged", into, area=new["area"] or old["area"], gone=str(from_))


async def _adopt(db: Db, old: asyncpg.Record, new: asyncpg.Record) -> None:
    """Takes on what the record that stays does not say, and forgets the other one's plain values."""
    keys, from_, into = await db.keys(), old["id"], new["id"]

    def opened(kind: Kind, column: str) -> str | None:
        """What only the record that is given up says."""
        return None if new[column] is not None or old[column] is None else keys.open(kind, old[column], from_)

    plain, phone = opened(Kind.NAME, "name"), opened(Kind.PHONE, "phone")
    address = opened(Kind.ADDRESS, "address")
    if new["number"] is None:
        await move_document(db, from_, into)
    for statement in FORGET:
        await db.one(statement, id=from_)
    await db.one(GIVE_UP, id=from_)
    if plain is not None:
        await set_name(db, into, plain)
    if phone is not None:
        await set_phone(db, into, phone, PhoneWhose(old["phone_whose"]))
    if address is not None:
        await set_address(db, into, address)
    if new["birth_date"] is None and old["birth_date"] is not None:
        await db.one(BORN, person=into, born=old["birth_date"])
    await db.one(
        TAKE_ON,
        id=into,
        gender=old["gender"] if new["gender"] == Gender.UNKNOWN else new["gender"],
        area=new["area"] or old["area"],
        acts=new["acts"] or old["acts"],
        no_sharing=new["no_sharing"] or old["no_sharing"],
    )


@may(MAY["person.merge"])
@refuses(
    BothHaveHistory,
    NotOnePerson,
    NamesDiffer,
    NumberUnproven,
    BothSignIn,
    ChildsRecord,
    RecordActs,
    OwnCase,
    ConflictOfInterest,
)
async def merge_records(db: Db, from_: UUID, into: UUID, reason: str, id_number: str | None = None) -> UUID:
    """Community staff make one person of two records that have a phone number, as their own, in common.

    Or of one on which his identity card stands, and one on which no document does: when they have the card before them,
    and give its number. It is kept nowhere.

    Staff could write a number on a record themselves, and make a stranger's record their own by it. So the number in
    common was proven by its owner's telephone within 24 hours, the names are the same where both have one, not both sign
    in by WeChat already, and none of it is the staff's own matter or that of somebody close to them. A child's record
    takes on nothing but somebody who came by the mini-program and is nothing here yet.

    The record that stays must be of their community; the other one too, or of none, as one who came by the mini-program
    and registered nowhere. Returns the id of the one that stays. Raises NotFound, InvalidInput, OwnCase, RecordActs,
    NotOnePerson, the problems of the conditions above, and BothHaveHistory: then the other way round may do.
    """
    reason = clean(reason, "reason", most=200)
    number = None if id_number is None else read_id_number(id_number, IdType.ID_CARD, db.now)
    db.detail.update({"from": from_, "into": into})
    if db.actor.person in (from_, into):
        raise OwnCase()
    await no_conflict(db, concerns=[from_, into])
    rows = {}
    for id in sorted({from_, into}):
        rows[id] = await db.one(KNOWN, id=id)
    old, new = rows[from_], rows[into]
    if old is None or new is None or from_ == into:
        raise NotFound(what="该人员")
    places = _places(old)
    if not _his(db.actor, _places(new)) or (places and not _his(db.actor, places)):
        raise NotFound(what="该人员")
    if await acts(db, from_) or await acts(db, into):
        raise RecordActs()
    if not (_same_phone(old, new, await db.keys()) if number is None else await _of_card(db, old, new, number)):
        raise NotOnePerson()
    await _check_pair(db, old, new, by_phone=number is None)
    db.detail["by"] = (SearchKey.PHONE if number is None else SearchKey.ID_NUMBER).value
    await merge(db, from_, into, MergeProof.STAFF, reason)
    return into


def _places(row: asyncpg.Record) -> list[str]:
    return [place for place in (row["area"], row["lives"], row["serves"]) if place is not None]


def _his(actor: Actor, places: list[str]) -> bool:
    return any(actor.covers(place) for place in places)


def _same_phone(old: asyncpg.Record, new: asyncpg.Record, keys: Keys) -> bool:
    """Whether both have one number as their own. By the number, not its index: a rotation may be between them."""
    if old["phone_whose"] != PhoneWhose.OWN or new["phone_whose"] != PhoneWhose.OWN:
        return False
    numbers = [keys.open(Kind.PHONE, row["phone"], row["id"]) for row in (old, new)]
    return numbers[0] == numbers[1]


async def _check_pair(db: Db, old: asyncpg.Record, new: asyncpg.Record, *, by_phone: bool) -> None:
    """Whether two records may be one person besides what they have in common. Raises the problems of `merge_records`."""
    keys, pair = await db.keys(), [old["id"], new["id"]]
    names = {keys.open(Kind.NAME, row["name"], row["id"]) for row in (old, new) if row["name"] is not None}
    if len(names) > 1:
        raise NamesDiffer()
    if any(row["birth_date"] is not None and is_minor(row["birth_date"], db.now) for row in (old, new)):
        told = [old[column] for column in ("name", "birth_date", "number", "lives", "serves")]
        if any(value is not None for value in told):
            raise ChildsRecord()
    if await db.value(WITH_WECHAT, persons=pair) > 1:
        raise BothSignIn()
    if by_phone:
        indexes = keys.indexes(Kind.PHONE, keys.open(Kind.PHONE, new["phone"], new["id"]))
        if not await db.value(PROVEN, persons=pair, indexes=indexes, since=db.now - STAFF_PROOF_LIFE):
            raise NumberUnproven()


async def _of_card(db: Db, old: asyncpg.Record, new: asyncpg.Record, number: str) -> bool:
    """Whether a card is one record's, and nothing on the other one says that it is somebody else's."""
    holder = await of_number(db, IdType.ID_CARD, number)
    other = {old["id"]: new, new["id"]: old}.get(holder)
    born = {row["birth_date"] for row in (old, new)} - {None, born_by(number)}
    return other is not None and other["number"] is None and not born
