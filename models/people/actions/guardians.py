"""Verbs of guardians: that a minor may serve as a volunteer, and that he no longer may (I10; PIPL, art. 31)."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import Role, may, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.people.actions.registrations import CONSENTED, load, move, moved
from models.people.identity import is_minor
from models.people.problems import GuardianUnfit
from models.people.rules import VOLUNTEER_STEPS
from models.people.scopes import MAY
from models.people.tables import GuardianConsent, Person, Resident
from models.problems import Forbidden, NotFound, refuses

consent, person, resident = table(GuardianConsent), table(Person), table(Resident)

GUARDIAN = Seen(
    lambda viewer: sa.select(person.c.id, person.c.birth_date).where(
        person.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(person, "person", viewer)
    )
)
HOUSEHOLD = Statement(
    sa.select(resident.c.household).where(resident.c.person_id == sa.bindparam("person", type_=sa.Uuid()))
)
LIVE = Statement(
    sa.select(consent.c.id)
    .where(
        consent.c.minor_id == sa.bindparam("minor", type_=sa.Uuid()),
        consent.c.guardian_id == sa.bindparam("guardian", type_=sa.Uuid()),
        consent.c.withdrawn_at.is_(None),
    )
    .with_for_update()
)
GIVE = Statement(
    sa.insert(consent).values(
        minor_id=sa.bindparam("minor"),
        guardian_id=sa.bindparam("guardian"),
        recorded_by=sa.bindparam("by"),
        area=sa.bindparam("area"),
        given_at=sa.bindparam("now"),
    )
)
WITHDRAW = Statement(
    sa.update(consent)
    .where(consent.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(withdrawn_at=sa.bindparam("now"))
)


@may(MAY["guardian.consent"])
@refuses(GuardianUnfit)
async def record_consent(db: Db, volunteer: UUID, guardian: UUID | None = None) -> UUID:
    """Records that a guardian consents; returns the volunteer's id.

    The guardian himself, of the minor's household; or the community's staff, to whom he came. A second consent of the
    same guardian changes nothing. Raises Forbidden, NotFound, GuardianUnfit.
    """
    row, guardian_id = await _both(db, volunteer, guardian)
    if row["adult_on"] <= clock.day(db.now):
        raise GuardianUnfit(reason="该志愿者已成年，无需监护人同意。")
    if await db.one(LIVE, minor=row["person_id"], guardian=guardian_id) is None:
        await db.one(GIVE, minor=row["person_id"], guardian=guardian_id, by=db.actor.person, area=row["area"])
    if ("consent", row["state"]) in VOLUNTEER_STEPS:
        return await move(db, row, moved("consent", row["state"]), None, "volunteer.consented")
    return volunteer


@may(MAY["guardian.consent"])
@refuses(GuardianUnfit)
async def withdraw_consent(db: Db, volunteer: UUID, guardian: UUID | None = None) -> UUID:
    """Records that a guardian no longer consents; without another consent the minor may not serve on.

    Returns the volunteer's id. Raises Forbidden, GuardianUnfit, and NotFound when there is no such consent.
    """
    row, guardian_id = await _both(db, volunteer, guardian)
    live = await db.value(LIVE, minor=row["person_id"], guardian=guardian_id)
    if live is None:
        raise NotFound(what="该监护人的同意记录")
    await db.one(WITHDRAW, id=live)
    left = await db.value(CONSENTED, minor=row["person_id"])
    if not left and row["adult_on"] > clock.day(db.now) and ("unconsent", row["state"]) in VOLUNTEER_STEPS:
        state = moved("unconsent", row["state"])
        return await move(db, row, state, "监护人撤回同意", "volunteer.unconsented")
    return volunteer


async def _both(db: Db, volunteer: UUID, guardian: UUID | None) -> tuple[asyncpg.Record, UUID]:
    """The minor's registration, locked, and the guardian, who is fit. Raises Forbidden, NotFound, GuardianUnfit."""
    row = await load(db, volunteer)
    wanted = guardian or db.actor.person
    found = await db.one(GUARDIAN, id=wanted)
    if found is None:
        raise NotFound(what="该监护人")
    if found["id"] == row["person_id"]:
        raise GuardianUnfit(reason="不能为自己作监护人同意。")
    staff = db.actor.role is Role.COMMUNITY_STAFF and db.actor.covers(row["area"])
    if not staff:
        if found["id"] != db.actor.person:
            raise Forbidden()
        theirs = await db.value(HOUSEHOLD, person=found["id"])
        if theirs is None or theirs != await db.value(HOUSEHOLD, person=row["person_id"]):
            raise GuardianUnfit(reason="监护人须与未成年人登记在同一户，或到社区办理。")
    db.detail.update(minor=row["person_id"], guardian=found["id"])
    born = found["birth_date"]
    if born is None and not staff:
        raise GuardianUnfit(reason="您的出生日期尚未登记，请到社区办理。")
    if born is not None and is_minor(born, db.now):
        raise GuardianUnfit(reason="监护人须年满十八周岁。")
    return row, found["id"]
