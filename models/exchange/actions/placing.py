"""Placing a commitment with every row locked: what a claim falls back on, and how a proposal is made.

Overdue holds are written down first, so that a counter read here is what is really held.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange import rules
from models.exchange.actions.choosing import Slot, appointment
from models.exchange.actions.fitting import must_fit
from models.exchange.actions.ground import (
    COUNT_NEED,
    COUNT_OFFER,
    HOLD_NEED,
    LOCK_NEEDS,
    LOCK_OFFERS,
    UUIDS,
    Row,
    bound,
    commitment,
    insertion,
    locked_need,
    locked_offer,
)
from models.exchange.actions.serving import UUID_, must_suit
from models.exchange.kinds import Kind, Origin, Sensitivity
from models.exchange.problems import (
    AlreadyCommitted,
    CashNeed,
    NeedFullyCommitted,
    OfferDoesNotFit,
    RestrictedNeed,
    VolunteerInactive,
)
from models.exchange.states import CLAIMABLE, LIVE, CommitmentStatus, NeedStatus
from models.exchange.tables import NeedStaff
from models.exchange.visible import is_any
from models.labels import label
from models.people.rules import VolunteerRegistration
from models.people.tables import Resident, Volunteer
from models.problems import InvalidTransition

volunteer, resident, need_staff = table(Volunteer), table(Resident), table(NeedStaff)


@dataclasses.dataclass(frozen=True)
class Provider:
    """Who is to serve: an organization, with or without one of its volunteers, a party unit, or a person himself."""

    organization: UUID | None
    person: UUID | None
    serving: UUID | None
    """The person who serves; of an organization, the one that it names; of a party unit, its secretary."""
    party_unit: UUID | None = None


DUE_OF_OFFER = Statement(
    sa.select(commitment.c.need_id)
    .distinct()
    .where(
        commitment.c.offer_id == bound("offer", UUID_),
        is_any(commitment.c.status, (CommitmentStatus.PROPOSED,)),
        commitment.c.hold_until <= bound("now", INSTANT),
    )
)
LAPSE = Statement(
    sa.update(commitment)
    .where(
        commitment.c.need_id == sa.any_(bound("needs", UUIDS)),
        is_any(commitment.c.status, (CommitmentStatus.PROPOSED,)),
        commitment.c.hold_until <= bound("now", INSTANT),
    )
    .values(status=CommitmentStatus.LAPSED.value, ended_at=commitment.c.hold_until, version=commitment.c.version + 1)
    .returning(commitment.c.id, commitment.c.need_id, commitment.c.offer_id, commitment.c.qty, commitment.c.area)
)
LIVE_ALREADY = Statement(
    sa.select(
        sa.exists().where(
            commitment.c.need_id == bound("need", UUID_),
            commitment.c.offer_id.is_not_distinct_from(bound("offer", UUID_)),
            commitment.c.organization_id.is_not_distinct_from(bound("organization", UUID_)),
            commitment.c.person_id.is_not_distinct_from(bound("person", UUID_)),
            commitment.c.party_unit_id.is_not_distinct_from(bound("party_unit", UUID_)),
            is_any(commitment.c.status, LIVE),
        )
    )
)
COLUMNS = (
    *("need_id", "offer_id", "organization_id", "person_id", "volunteer_person_id", "social_worker_id"),
    *(
        "community_id",
        "area",
        "sensitivity",
        "subject_id",
        "qty",
        "origin",
        "status",
        "hold_until",
        "slot_from",
        "slot_to",
    ),
    *("created_at", "party_unit_id", "option_id"),
)
INSERT = insertion(commitment, COLUMNS)
ACTIVE = Statement(
    sa.select(
        sa.exists().where(
            volunteer.c.person_id == bound("person", UUID_),
            is_any(volunteer.c.state, (VolunteerRegistration.ACTIVE,)),
        )
    )
)
NAMED = Statement(
    sa.select(sa.exists().where(need_staff.c.need_id == bound("need"), need_staff.c.person_id == bound("person")))
)


async def locked_offer_of(db: Db, offer: UUID, need: UUID) -> Row:
    """An offer, locked after the needs that a commitment out of it touches, with its overdue holds written down."""
    due = [row["need_id"] for row in await db.all(DUE_OF_OFFER, offer=offer)]
    await lapse(db, {need, *due})
    return await locked_offer(db, offer)


async def place(
    db: Db,
    id: UUID,
    provider: Provider,
    quantity: int,
    origin: Origin,
    *,
    offer: UUID | None,
    social_worker: UUID | None = None,
    slot: Slot = (None, None),
    option: UUID | None = None,
) -> UUID:
    """Makes a commitment with every row locked and every overdue hold written down, or says what is in the way."""
    if offer is None:
        await lapse(db, {id})
    given = await locked_offer_of(db, offer, id) if offer is not None else None
    asked = await locked_need(db, id)
    must_be_claimable(asked, db.now)
    chosen = await appointment(db, asked, option, slot)
    await must_be_eligible(db, asked, provider, origin, chosen.slot or (None, None))
    keys = {"organization": provider.organization, "person": provider.person, "party_unit": provider.party_unit}
    if await db.value(LIVE_ALREADY, need=id, offer=offer, **keys):
        raise AlreadyCommitted()
    left = asked["qty_total"] - asked["qty_committed"]
    if quantity > left:
        raise NeedFullyCommitted(remaining=left)
    if given is not None:
        if (given["organization_id"], given["person_id"]) != (provider.organization, provider.person):
            raise OfferDoesNotFit(reason="不是该服务方的供给")
        await must_fit(db, given, asked, chosen.slot, quantity)
        await db.value(COUNT_OFFER, of=given["id"], qty_reserved=quantity, qty_consumed=0)
    await db.value(HOLD_NEED, of=id, qty=quantity, option_place=chosen.place)
    made: UUID = await db.value(
        INSERT,
        need_id=id,
        offer_id=offer,
        organization_id=provider.organization,
        person_id=provider.person,
        volunteer_person_id=provider.serving,
        social_worker_id=social_worker,
        community_id=asked["community_id"],
        area=asked["area"],
        sensitivity=asked["sensitivity"],
        subject_id=asked["subject_id"],
        qty=quantity,
        origin=origin,
        status=CommitmentStatus.PROPOSED,
        hold_until=db.now + rules.HOLD,
        slot_from=chosen.slot and chosen.slot[0],
        slot_to=chosen.slot and chosen.slot[1],
        created_at=db.now,
        party_unit_id=provider.party_unit,
        option_id=chosen.option,
    )
    db.tell("commitment.proposed", made, area=asked["area"], need=id)
    return made


def must_be_claimable(asked: Row, now: datetime) -> None:
    """Raises CashNeed, or InvalidTransition, unless a need takes commitments now. A livelihood item does when it is
    overdue, too: late is better than never."""
    if asked["kind"] == Kind.CASH_AID:
        raise CashNeed()
    status = NeedStatus(asked["status"])
    if status in CLAIMABLE and asked["due_at"] <= now and asked["kind"] != Kind.LIVELIHOOD_ITEM:
        status = NeedStatus.EXPIRED
    if status not in CLAIMABLE:
        raise InvalidTransition(status=status.value, label=label(status))


async def must_be_eligible(db: Db, asked: Row, provider: Provider, origin: Origin, slot: Slot) -> None:
    """Raises VolunteerInactive, OwnNeed, NotAvailable, NotQualified, or RestrictedNeed where somebody may not serve a
    need then.

    Staff who are named for a RESTRICTED need answer themselves for what they can do, the paper that it takes apart; a
    party unit for its people.
    """
    if asked["sensitivity"] == Sensitivity.RESTRICTED:
        if provider.person is None or not await db.value(NAMED, need=asked["id"], person=provider.person):
            raise RestrictedNeed()
    elif (
        provider.serving is not None
        and provider.party_unit is None
        and not await db.value(ACTIVE, person=provider.serving)
    ):
        raise VolunteerInactive()
    if provider.serving is not None:
        proposed, party = origin is Origin.PROPOSAL, provider.party_unit is not None
        await must_suit(db, asked["id"], provider.serving, slot, proposed=proposed, party=party)


async def lapse(db: Db, needs: Iterable[UUID]) -> int:
    """Locks some needs and writes down what of their holds is overdue, quantities returned; how many there were."""
    ids = list(needs)
    await db.all(LOCK_NEEDS, ids=ids)
    due = await db.all(LAPSE, needs=ids)
    offers = list({row["offer_id"] for row in due if row["offer_id"] is not None})
    if offers:
        await db.all(LOCK_OFFERS, ids=offers)
    for row in due:
        await db.value(COUNT_NEED, of=row["need_id"], qty_committed=-row["qty"], qty_delivered=0)
        if row["offer_id"] is not None:
            await db.value(COUNT_OFFER, of=row["offer_id"], qty_reserved=-row["qty"], qty_consumed=0)
        db.tell("commitment.lapsed", row["id"], area=row["area"], need=row["need_id"])
    return len(due)
