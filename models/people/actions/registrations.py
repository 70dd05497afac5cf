"""A volunteer's registration, locked and moved from state to state: what its verbs and a guardian's share."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import seen
from models.base import table
from models.database import Db, Seen, Statement
from models.labels import label
from models.people.rules import VOLUNTEER_STEPS, VolunteerRegistration
from models.people.tables import GuardianConsent, Volunteer
from models.problems import Forbidden, InvalidTransition, NotFound

consent, volunteer = table(GuardianConsent), table(Volunteer)

ONE = Seen(
    lambda viewer: (
        sa.select(volunteer)
        .where(volunteer.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(volunteer, "volunteer", viewer))
        .with_for_update()
    )
)
CONSENTED = Statement(
    sa.select(
        sa.exists().where(
            consent.c.minor_id == sa.bindparam("minor", type_=sa.Uuid()), consent.c.withdrawn_at.is_(None)
        )
    )
)
MOVE = Statement(
    sa.update(volunteer)
    .where(volunteer.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(state=sa.bindparam("state"), state_reason=sa.bindparam("reason"), version=volunteer.c.version + 1)
)


async def load(db: Db, id: UUID) -> asyncpg.Record:
    """A registration that the caller may see, locked. Raises NotFound."""
    row = await db.one(ONE, id=id)
    if row is None:
        raise NotFound(what="该志愿者")
    return row


async def own(db: Db, id: UUID) -> asyncpg.Record:
    """One's own registration, locked. Raises NotFound, Forbidden."""
    row = await load(db, id)
    if row["person_id"] != db.actor.person:
        raise Forbidden()
    return row


def moved(step: str, state: str) -> VolunteerRegistration:
    """The state that a step leads to. Raises InvalidTransition."""
    now = VolunteerRegistration(state)
    after = VOLUNTEER_STEPS.get((step, now))
    if after is None:
        raise InvalidTransition(status=now.value, label=label(now))
    return after


async def move(db: Db, row: asyncpg.Record, state: VolunteerRegistration, reason: str | None, topic: str) -> UUID:
    """Writes the new state and tells it; returns the volunteer's id."""
    id_: UUID = row["id"]
    await db.one(MOVE, id=id_, state=state, reason=reason)
    db.tell(topic, id_, area=row["area"], state=state.value)
    return id_


async def lacks_consent(db: Db, row: asyncpg.Record) -> bool:
    """Whether this is a minor for whom no guardian's consent is on record today."""
    return row["adult_on"] > clock.day(db.now) and not await db.value(CONSENTED, minor=row["person_id"])
