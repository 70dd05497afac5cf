"""Verbs that bring somebody to a need: the social worker whose case it is, a foundation that is asked to pay."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models import clock
from models.access import Role, may, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.exchange import rules
from models.exchange.actions.asking import NAME, SERVING, staff
from models.exchange.actions.commitments import whose_contact
from models.exchange.actions.ground import Row, bound, locked_need, write_need
from models.exchange.kinds import Sensitivity
from models.exchange.states import ENDED, NeedStatus
from models.exchange.tables import NeedFoundation
from models.exchange.visible import FUNDED
from models.labels import label
from models.people.actions import end_contact_grants, grant_contact
from models.people.actions.interests import no_conflict
from models.people.actions.persons import consent_missing
from models.people.organization_rules import OrganizationKind
from models.people.organizations import Membership, Organization
from models.people.problems import CareRefused, ConflictOfInterest
from models.people.tables import Resident, SocialWorker
from models.problems import InvalidInput, InvalidTransition, NotFound, refuses

worker, membership, organization = table(SocialWorker), table(Membership), table(Organization)
asked, resident = table(NeedFoundation), table(Resident)

A_WORKER = Statement(
    sa.select(worker.c.person_id).where(
        worker.c.id == bound("id", sa.Uuid()),
        sa.exists().where(
            membership.c.person_id == worker.c.person_id,
            membership.c.role == sa.literal_column(f"'{Role.SOCIAL_WORKER.value}'"),
            SERVING,
        ),
    )
)
"""The person of a social worker who serves in a community now."""
UNNAME = Statement(
    sa.delete(staff).where(staff.c.need_id == bound("need", sa.Uuid()), staff.c.person_id == bound("person", sa.Uuid()))
)
A_FOUNDATION = Seen(
    lambda viewer: sa.select(organization.c.id).where(
        organization.c.id == bound("id", sa.Uuid()),
        organization.c.kind == sa.literal_column(f"'{OrganizationKind.FOUNDATION.value}'"),
        *seen(organization, "organization", viewer),
    )
)
NO_CARE = Statement(
    sa.select(sa.or_(resident.c.no_care, consent_missing(resident.c.person_id, "SENSITIVE_CARE", bound("now")))).where(
        resident.c.id == bound("id", sa.Uuid())
    )
)
"""Whether a resident does not wish his health and poverty to be handled: nobody speaks of them then, not by a yes."""
ASK = Statement(
    insert(asked)
    .values(
        need_id=bound("need", sa.Uuid()),
        organization_id=bound("foundation", sa.Uuid()),
        asked_by=bound("by", sa.Uuid()),
        asked_at=bound("now"),
        eligible=bound("eligible", sa.Boolean()),
    )
    .on_conflict_do_update(
        index_elements=["need_id", "organization_id"],
        set_={"eligible": sa.func.coalesce(bound("eligible", sa.Boolean()), asked.c.eligible)},
    )
)


@may(rules.MAY["need.assign"])
@refuses(InvalidTransition)
async def assign_need(db: Db, need: UUID, social_worker: UUID | None) -> UUID:
    """Community staff make a need a social worker's case, or nobody's.

    While it is his he sees it, RESTRICTED or not, and may ask for the beneficiary's contact; who had it before no more.
    Raises NotFound for one who does not serve as a social worker in the need's community.
    """
    row = await locked_need(db, need)
    status = NeedStatus(row["status"])
    if status in ENDED or status is NeedStatus.DRAFT:
        raise InvalidTransition(status=status.value, label=label(status))
    person: UUID | None = None
    if social_worker is not None:
        person = await db.value(A_WORKER, id=social_worker, area=row["area"][:12], today=clock.day(db.now))
        if person is None:
            raise NotFound(what="该社区的这名社会工作者")
    if person == row["assigned_to"]:
        return need
    if row["assigned_to"] is not None:
        await end_contact_grants(db, need)
        await db.value(UNNAME, need=need, person=row["assigned_to"])
    await write_need(db, row, assigned_to=person)
    if person is not None:
        await entrust(db, row, person)
    db.tell("need.assigned", need, area=row["area"])
    return need


async def entrust(db: Db, row: Row, person: UUID) -> None:
    """Lets the social worker whose case a need is see it, and ask for the contact until it ends."""
    if row["sensitivity"] == Sensitivity.RESTRICTED:
        await db.value(NAME, need=row["id"], person=person, by=db.actor.person)
    subject = await whose_contact(db, row)
    if subject is not None:
        await grant_contact(db, subject, row["id"], to_person=person, for_staff=True)


@may(rules.MAY["need.ask_foundation"])
@refuses(InvalidTransition, ConflictOfInterest, CareRefused)
async def ask_foundation(db: Db, need: UUID, foundation: UUID, *, eligible: bool | None = None) -> UUID:
    """Asks a foundation to pay for a need that was found true: from now on its people see it, without its particulars.

    `eligible`: whether the community says that the beneficiary is of those whom such aid is for, a yes or no without the
    reason; not for oneself or somebody one is close to, and not against his will. Asked before, it stays so, and a new
    word on that replaces the old one. Not for a RESTRICTED need: that is nobody's but its staff's.
    """
    row = await locked_need(db, need)
    status = NeedStatus(row["status"])
    if status not in FUNDED:
        raise InvalidTransition(status=status.value, label=label(status))
    if row["sensitivity"] == Sensitivity.RESTRICTED:
        raise InvalidInput(field="id", reason="敏感需求不能转介给基金会，请直接提出用款申请。")
    if await db.value(A_FOUNDATION, id=foundation) is None:
        raise NotFound(what="该基金会")
    if eligible is not None:
        await no_conflict(db, concerns=[row["subject_id"]])
        if await db.value(NO_CARE, id=row["beneficiary_id"]):
            raise CareRefused()
        db.detail["eligible"] = eligible
    await show_to_foundation(db, row, foundation, eligible)
    return need


async def show_to_foundation(db: Db, row: Any, foundation: UUID, eligible: bool | None = None) -> None:
    """Writes that a foundation was asked: also for the funds area, when money is asked for."""
    await db.value(ASK, need=row["id"], foundation=foundation, by=db.actor.person, eligible=eligible)
    db.tell("need.foundation_asked", row["id"], area=row["area"])
