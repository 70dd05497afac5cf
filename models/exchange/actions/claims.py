"""Verbs that make commitments: a provider claims a need, or staff propose a provider for it.

A claim is what is done most at once. Its way is one statement, which takes the quantity under the need's row lock and
inserts the commitment; only when that finds nothing does `place` look closer: it writes down overdue holds, tries
again with the rows locked, and says what was wrong. No count is ever read outside a lock and trusted.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models import clock
from models.access import Role, Viewer, may, seen
from models.base import table
from models.database import AsViewer, Db, Seen, Statement
from models.exchange import rules
from models.exchange.actions.choosing import Slot
from models.exchange.actions.ground import bound, commitment, locked_need, need
from models.exchange.actions.placing import Provider, locked_offer_of, place, volunteer
from models.exchange.actions.serving import UUID_, is_own, is_refused, service_day
from models.exchange.kinds import Kind, Origin, Sensitivity
from models.exchange.problems import (
    AlreadyCommitted,
    CashNeed,
    NeedFullyCommitted,
    NotForParty,
    NotQualified,
    OfferDoesNotFit,
    OfferExhausted,
    OtherAppointment,
    OwnNeed,
    RestrictedNeed,
    VolunteerInactive,
)
from models.exchange.queries import appointed, misses
from models.exchange.states import CLAIMABLE, LIVE, CommitmentStatus
from models.exchange.visible import is_any
from models.people.organization_rules import VerifiedState
from models.people.organizations import Organization, OrganizationVolunteer
from models.people.problems import NotAvailable
from models.people.rules import VolunteerRegistration
from models.people.tables import SocialWorker
from models.people.visible import ongoing, taken, today
from models.problems import InvalidInput, InvalidTransition, NotFound, refuses
from models.territory.tables import PartyUnit

organization, social_worker, took = table(Organization), table(SocialWorker), table(OrganizationVolunteer)
unit = table(PartyUnit)
ONE: Any = sa.literal_column("1")


def interval(length: timedelta) -> Any:
    """A length of time, written into a statement."""
    return sa.literal_column(f"interval '{int(length.total_seconds())} seconds'")


def _claim(viewer: AsViewer) -> sa.ClauseElement:
    """Take the quantity from the need if it is there, and insert the commitment; nothing, if anything is in the way."""
    qty = bound("qty", sa.Integer())
    alone = viewer.role is Role.VOLUNTEER
    nobody = sa.cast(sa.null(), UUID_)
    serving = viewer.person if alone else bound("serving", UUID_)
    by = (
        (commitment.c.organization_id.is_(None), commitment.c.person_id == viewer.person)
        if alone
        else (commitment.c.organization_id == viewer.organization, commitment.c.person_id.is_(None))
    )
    since, until = appointed(need.c)
    on_day = service_day(until, today(viewer))
    again = sa.select(ONE).where(
        commitment.c.need_id == need.c.id, commitment.c.offer_id.is_(None), *by, is_any(commitment.c.status, LIVE)
    )
    conditions = [
        need.c.id == bound("need", UUID_),
        *seen(need, "need", viewer),
        is_any(need.c.status, CLAIMABLE),
        is_any(need.c.sensitivity, (Sensitivity.NORMAL,)),
        sa.or_(need.c.due_at > viewer.now, need.c.kind == sa.literal_column(f"'{Kind.LIVELIHOOD_ITEM.value}'")),
        need.c.kind != sa.literal_column(f"'{Kind.CASH_AID.value}'"),
        need.c.options == sa.literal_column("0"),
        need.c.qty_committed + qty <= need.c.qty_total,
        sa.not_(sa.exists(again)),
        sa.not_(is_own(serving)),
        sa.not_(is_refused(serving)),
        sa.or_(serving.is_(None), misses(need.c, serving, (since, until), on_day).is_(None)),
    ]
    if alone:
        active = is_any(volunteer.c.state, (VolunteerRegistration.ACTIVE,))
        conditions.append(sa.exists(sa.select(ONE).where(volunteer.c.person_id == viewer.person, active)))
    held = (
        sa.update(need)
        .where(*conditions)
        .values(qty_committed=need.c.qty_committed + qty)
        .returning(
            need.c.id,
            need.c.community_id,
            need.c.area,
            need.c.sensitivity,
            need.c.subject_id,
            since.label("slot_from"),
            until.label("slot_to"),
        )
        .cte("held")
    )
    values = {
        "need_id": held.c.id,
        "organization_id": nobody if alone else viewer.organization,
        "person_id": viewer.person if alone else nobody,
        "volunteer_person_id": serving,
        "community_id": held.c.community_id,
        "area": held.c.area,
        "sensitivity": held.c.sensitivity,
        "subject_id": held.c.subject_id,
        "qty": qty,
        "origin": sa.literal_column(f"'{Origin.CLAIM.value}'"),
        "status": sa.literal_column(f"'{CommitmentStatus.PROPOSED.value}'"),
        "hold_until": viewer.now + interval(rules.HOLD),
        "slot_from": held.c.slot_from,
        "slot_to": held.c.slot_to,
        "created_at": viewer.now,
    }
    rows = sa.select(*(value.label(f"v_{name}") for name, value in values.items())).select_from(held)
    return (
        insert(commitment)
        .from_select(list(values), rows, include_defaults=False)
        .returning(commitment.c.id, commitment.c.area)
    )


CLAIM = Seen(_claim)
VOLUNTEER = Seen(
    lambda viewer: sa.select(volunteer.c.person_id, volunteer.c.state, _ours(viewer).label("ours")).where(
        volunteer.c.id == bound("id"), *seen(volunteer, "volunteer", viewer)
    )
)
ORGANIZATION = Seen(
    lambda viewer: sa.select(organization.c.id).where(
        organization.c.id == bound("id"),
        is_any(organization.c.verified_state, (VerifiedState.VERIFIED,)),
        *seen(organization, "organization", viewer),
    )
)
OF_ORGANIZATION = Seen(
    lambda viewer: sa.select(
        sa.exists().where(
            took.c.organization_id == bound("organization", UUID_),
            took.c.person_id == bound("person", UUID_),
            ongoing(took.c, viewer),
        )
    )
)
UNIT = Statement(
    sa.select(unit.c.id).where(
        unit.c.area == bound("area", sa.Text()), sa.or_(unit.c.valid_to.is_(None), unit.c.valid_to >= bound("today"))
    )
)
SOCIAL_WORKER = Statement(sa.select(social_worker.c.id).where(social_worker.c.id == bound("id")))


def _ours(viewer: Viewer) -> Any:
    return volunteer.c.person_id.in_(taken(viewer)) if viewer.role is Role.NGO_STAFF else sa.true()


IN_THE_WAY = (
    *(NeedFullyCommitted, AlreadyCommitted, OwnNeed, VolunteerInactive, NotQualified, OfferDoesNotFit, OfferExhausted),
    *(RestrictedNeed, CashNeed, OtherAppointment, InvalidTransition, NotAvailable),
)
"""What keeps somebody from serving a need."""


@may(rules.MAY["need.claim"])
@refuses(*IN_THE_WAY, NotForParty)
async def claim_need(
    db: Db,
    need: UUID,
    quantity: int = 1,
    *,
    offer: UUID | None = None,
    volunteer: UUID | None = None,
    option: UUID | None = None,
) -> UUID:
    """Claims some of a need for 24 hours: a volunteer for himself, an organization's staff for it, a party secretary for
    his unit.

    `offer`: out of which of the provider's own offers; `volunteer`: whom the organization names, of its own; `option`:
    which of the need's appointments. Returns the commitment's id; it waits for the beneficiary or the community to
    accept.
    """
    rules.quantity(quantity)
    if db.actor.role is Role.PARTY_SECRETARY:
        if offer is not None or volunteer is not None:
            raise InvalidInput(field="offer" if offer else "volunteer", reason="党组织认领不需填写供给或志愿者。")
        return await place(db, need, await _party(db, need), quantity, Origin.CLAIM, offer=None, option=option)
    alone = db.actor.role is Role.VOLUNTEER
    if volunteer is not None and alone:
        raise InvalidInput(field="volunteer", reason="志愿者只能为自己认领。")
    serving = db.actor.person if alone else await named_volunteer(db, volunteer)
    if offer is None and option is None:
        try:
            made = await db.one(CLAIM, need=need, qty=quantity, serving=serving)
        except asyncpg.UniqueViolationError:
            raise AlreadyCommitted() from None
        if made is not None:
            db.tell("commitment.proposed", made["id"], area=made["area"], need=need)
            return made["id"]  # type: ignore[no-any-return]
    provider = Provider(None if alone else db.actor.organization, db.actor.person if alone else None, serving)
    return await place(db, need, provider, quantity, Origin.CLAIM, offer=offer, option=option)


async def _party(db: Db, need: UUID) -> Provider:
    """The unit that a secretary claims for, he answering for it. Raises NotForParty for what it does not take on."""
    row = await locked_need(db, need)
    unit = await db.value(UNIT, area=db.actor.area, today=clock.day(db.now))
    if unit is None or row["kind"] != Kind.LIVELIHOOD_ITEM or not db.actor.covers(row["area"]):
        raise NotForParty()
    return Provider(None, None, db.actor.person, unit)


@may(rules.MAY["need.propose"])
@refuses(*IN_THE_WAY)
async def propose_commitment(
    db: Db,
    need: UUID,
    quantity: int = 1,
    *,
    offer: UUID | None = None,
    organization: UUID | None = None,
    volunteer: UUID | None = None,
    staff: UUID | None = None,
    social_worker: UUID | None = None,
    slot: Slot = (None, None),
    option: UUID | None = None,
) -> UUID:
    """Proposes a provider for some of a need, for 24 hours; the provider accepts.

    The provider is the offer's, or the organization (with the volunteer named, if any, who must be one of its own: it
    will learn his name), or the volunteer himself; for a RESTRICTED need, `staff`: a person of the staff named for it.
    Returns the commitment's id.
    """
    rules.quantity(quantity)
    agreed = rules.window(*slot, db.now, ("slotFrom", "slotTo"))
    await social_worker_exists(db, social_worker)
    serving = await named_volunteer(db, volunteer)
    if offer is not None:
        given = await locked_offer_of(db, offer, need)
        organization, person = given["organization_id"], given["person_id"]
    elif organization is not None:
        if await db.value(ORGANIZATION, id=organization) is None:
            raise NotFound(what="该组织")
        person = None
    else:
        person = serving or staff
        if person is None:
            raise InvalidInput(field="volunteer", reason="请指定志愿者、组织或供给。")
    joined = organization is None or serving is None
    if not (joined or await db.value(OF_ORGANIZATION, organization=organization, person=serving)):
        raise VolunteerInactive()
    provider = Provider(organization, person, person if organization is None else serving)
    return await place(
        db,
        need,
        provider,
        quantity,
        Origin.PROPOSAL,
        offer=offer,
        social_worker=social_worker,
        slot=agreed,
        option=option,
    )


async def named_volunteer(db: Db, volunteer: UUID | None) -> UUID | None:
    """The person of a volunteer who may be named. Raises NotFound, or VolunteerInactive when he is not active or, for
    an organization's staff, none of its own."""
    if volunteer is None:
        return None
    found = await db.one(VOLUNTEER, id=volunteer)
    if found is None:
        raise NotFound(what="该志愿者")
    if found["state"] != VolunteerRegistration.ACTIVE or not found["ours"]:
        raise VolunteerInactive()
    return found["person_id"]  # type: ignore[no-any-return]


async def social_worker_exists(db: Db, social_worker: UUID | None) -> None:
    """Raises NotFound for a social worker who does not exist."""
    if social_worker is not None and await db.value(SOCIAL_WORKER, id=social_worker) is None:
        raise NotFound(what="该社会工作者")
