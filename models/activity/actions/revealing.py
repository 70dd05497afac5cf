"""A day's list: the contacts of the residents whom a day's services and one's own cases concern, in one reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.access import Role, may, seen, within
from models.activity.actions.creating import commitment, link, need
from models.activity.actions.roster import bound, session
from models.activity.rules import MAY, SessionStatus
from models.base import INSTANT, table
from models.clock import day, midnight
from models.database import AsViewer, Db, Seen
from models.exchange.states import ENDED, CommitmentStatus, NeedStatus
from models.exchange.visible import is_any
from models.people.actions import grant_contact, reveal_contacts
from models.people.actions.contacts import MOST
from models.people.problems import RevealNotAllowed
from models.people.rules import AccessPurpose, ContactField
from models.people.tables import ContactGrant, Resident
from models.problems import InvalidInput, refuses

resident, grant = table(Resident), table(ContactGrant)
SERVING = (CommitmentStatus.CONFIRMED, CommitmentStatus.IN_SERVICE)
FROM, TO = bound("since", INSTANT), bound("until", INSTANT)


def _served(viewer: AsViewer) -> Any:
    """Residents whom a confirmed commitment is to serve in a time: by its appointment, or in a session that stands; and
    the need for whose sake the asker may ask for the contact, unless he may already."""
    here = sa.exists(
        sa.select(sa.literal_column("1"))
        .select_from(link.join(session, session.c.id == link.c.session_id))
        .where(
            link.c.commitment_id == commitment.c.id,
            sa.not_(is_any(session.c.status, (SessionStatus.CANCELLED,))),
            session.c.starts_at < TO,
            session.c.ends_at > FROM,
        )
    )
    granted = sa.exists().where(
        grant.c.source_id.in_([commitment.c.id, need.c.id]),
        grant.c.viewer_person_id == viewer.person,
        sa.or_(grant.c.until.is_(None), grant.c.until >= TO),
    )
    return (
        sa.select(resident.c.person_id, sa.case((sa.not_(granted), need.c.id)).label("source"))
        .select_from(
            commitment.join(need, need.c.id == commitment.c.need_id).join(
                resident, resident.c.id == need.c.beneficiary_id
            )
        )
        .where(
            is_any(commitment.c.status, SERVING),
            sa.or_(sa.and_(commitment.c.slot_from < TO, commitment.c.slot_to > FROM), here),
            within(resident.c.area, viewer),
            *seen(commitment, "commitment", viewer),
        )
    )


def _cases(viewer: AsViewer) -> Any:
    """Residents whose needs are the asker's own cases."""
    return (
        sa.select(resident.c.person_id, sa.cast(sa.null(), sa.Uuid()).label("source"))
        .select_from(need.join(resident, resident.c.id == need.c.beneficiary_id))
        .where(
            need.c.assigned_to == viewer.person,
            sa.not_(is_any(need.c.status, (*ENDED, NeedStatus.DRAFT))),
            within(resident.c.area, viewer),
            *seen(need, "need", viewer),
        )
    )


LIST = Seen(lambda viewer: sa.union(_served(viewer), _cases(viewer)).order_by(sa.literal_column("1")))


@may(MAY["contact.reveal_day"])
@refuses(RevealNotAllowed)
async def reveal_day(
    db: Db,
    on: date,
    purpose: AccessPurpose,
    fields: Sequence[ContactField] = (ContactField.NAME, ContactField.PHONE, ContactField.ADDRESS),
) -> UUID:
    """Reads the plain contacts of the residents of a day's list, today's or tomorrow's; returns the id of the reveal.

    On it are, in the caller's own area, those whom confirmed commitments and sessions of that day serve; and for a social
    worker those whose needs are his cases. He may ask for them again until the day is over. One row of `pii_access` for
    each. Raises InvalidInput for another day, an empty list, and more than 100 people.
    """
    today = day(db.now)
    if not today <= on <= today + timedelta(days=1):
        raise InvalidInput(field="date", reason="只能查看今天或明天的名单。")
    until = midnight(on + timedelta(days=1))
    rows = await db.all(LIST, since=midnight(on), until=until)
    persons = list(dict.fromkeys(row["person_id"] for row in rows))
    if not persons:
        raise InvalidInput(field="date", reason="当日没有需要联系的居民。")
    if len(persons) > MOST:
        raise InvalidInput(field="date", reason=f"当日名单超过 {MOST} 人，请逐个查看。")
    if db.actor.role is Role.SOCIAL_WORKER:
        for row in rows:
            if row["source"] is not None:
                await grant_contact(
                    db, row["person_id"], row["source"], to_person=db.actor.person, until=until, for_staff=True
                )
    db.detail["date"] = on.isoformat()
    return await reveal_contacts(db, persons, purpose, fields)
