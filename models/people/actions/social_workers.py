"""The verb that records a social worker's licence."""

from __future__ import annotations

import re
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from models import clock
from models.access import Role, may, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.people.actions.once import once
from models.people.actions.persons import ACTS
from models.people.actions.places import a_division
from models.people.problems import AlreadyRegistered, OwnCase
from models.people.rules import SocialWorkerLevel
from models.people.scopes import MAY
from models.people.tables import Person, SocialWorker
from models.problems import Forbidden, InvalidInput, NotFound, refuses
from models.rules_text import clean

person, worker = table(Person), table(SocialWorker)
LICENCE = re.compile(r"[0-9A-Z-]{6,40}", re.ASCII)

PERSON = Seen(
    lambda viewer: (
        sa.select(person.c.id)
        .where(person.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(person, "person", viewer))
        .with_for_update()
    )
)
HOLDS = Statement(
    sa.select(worker.c.person_id).where(
        sa.or_(
            worker.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
            worker.c.licence_no == sa.bindparam("licence", type_=sa.Text()),
        )
    )
)
INSERT = Statement(
    sa.insert(worker)
    .values(
        person_id=sa.bindparam("person"),
        level=sa.bindparam("level"),
        licence_no=sa.bindparam("licence"),
        licence_until=sa.bindparam("until"),
        area=sa.bindparam("area"),
    )
    .returning(worker.c.id)
)


def read_licence(given: str) -> str:
    """A licence number: 6 to 40 digits, capital letters and hyphens. Raises InvalidInput."""
    licence = clean(given, "licenceNo", most=40).upper()
    if not LICENCE.fullmatch(licence):
        raise InvalidInput(field="licenceNo", reason="证书编号应为 6 至 40 位数字、字母或短横线。")
    return licence


@may(MAY["social_worker.register"])
@refuses(AlreadyRegistered, OwnCase)
async def register_social_worker(
    db: Db, person_id: UUID, division: UUID, level: SocialWorkerLevel, licence_no: str, licence_until: date
) -> UUID:
    """Records a licence that staff have seen; returns the social worker's id.

    Staff in their own community, an administrator anywhere; nobody his own. Raises Forbidden, NotFound, InvalidInput,
    AlreadyRegistered, OwnCase.
    """
    licence = read_licence(licence_no)
    place = await a_division(db, division)
    if not (db.actor.covers(place["code"]) or (db.actor.role is Role.ADMIN and db.actor.area is None)):
        raise Forbidden()
    if licence_until < clock.day(db.now):
        raise InvalidInput(field="licenceUntil", reason="证书已过有效期。")
    found = await db.value(PERSON, id=person_id)
    if found is None:
        raise NotFound(what="该人员")
    if found == db.actor.person:
        raise OwnCase()
    await once(db, f"licence {licence}")
    if await db.value(HOLDS, person=found, licence=licence) is not None:
        raise AlreadyRegistered(what="社会工作者")
    id_: UUID = await db.value(
        INSERT, person=found, level=level, licence=licence, until=licence_until, area=place["code"]
    )
    await db.one(ACTS, id=found)
    db.tell("social_worker.registered", id_, area=place["code"])
    return id_
