"""Verbs of an offer: made by an organization or a volunteer, reviewed by the community, paused, taken back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.access import Role, may
from models.base import table
from models.database import Db, Seen, Statement
from models.exchange import rules
from models.exchange.actions.asking import the_category
from models.exchange.actions.ground import OFFER_COLUMNS, Row, bound, insertion, locked_offer, offer, write_offer
from models.exchange.actions.placing import DUE_OF_OFFER, lapse
from models.exchange.kinds import Kind, Unit
from models.exchange.problems import QuantityBelowCommitted, VolunteerInactive
from models.exchange.states import OFFER_STEPS, OfferStatus
from models.exchange.visible import is_any, touches
from models.labels import label
from models.people.actions.interests import no_conflict
from models.people.organizations import Organization
from models.people.problems import ConflictOfInterest
from models.people.rules import VolunteerRegistration
from models.people.tables import Volunteer
from models.problems import Forbidden, InvalidInput, InvalidTransition, StaleVersion, refuses
from models.territory.tables import Division

organization, volunteer, division = table(Organization), table(Volunteer), table(Division)
MOST_AREAS = 20


@dataclasses.dataclass(frozen=True)
class OfferInput:
    """What is offered. `areas`: the divisions that it serves; the provider's own area, when none is said."""

    title: str
    category: UUID
    window_from: datetime
    window_to: datetime
    kind: Kind = Kind.SERVICE
    note: str | None = None
    quantity: int = 1
    unit: Unit | None = None
    areas: tuple[UUID, ...] = ()
    draft: bool = False


OURS = Seen(
    lambda viewer: (
        sa.select(organization.c.area).where(organization.c.id == viewer.organization)
        if viewer.role is Role.NGO_STAFF
        else sa.select(volunteer.c.area).where(
            volunteer.c.person_id == viewer.person, is_any(volunteer.c.state, (VolunteerRegistration.ACTIVE,))
        )
    )
)
CODES = Statement(
    sa.select(division.c.code).where(division.c.id == sa.any_(bound("ids", ARRAY(sa.Uuid())))).order_by(division.c.code)
)
COLUMNS = (
    *("title", "note", "organization_id", "person_id", "kind", "category_id", "category_code", "unit", "qty_total"),
    *("window_from", "window_to", "service_areas", "area", "status", "created_at"),
)
INSERT = insertion(offer, COLUMNS)
TOUCHES = Seen(lambda viewer: sa.select(touches(offer.c, viewer)).where(offer.c.id == bound("id")))


@may(rules.MAY["offer.submit"])
@refuses(VolunteerInactive)
async def submit_offer(db: Db, given: OfferInput) -> UUID:
    """Offers something, free of charge (I13): an organization's staff for it, a volunteer for himself.

    It waits for the community's review. A draft waits for `submit_offer_draft`.
    """
    area = await db.value(OURS)
    if area is None:
        raise VolunteerInactive() if db.actor.role is Role.VOLUNTEER else Forbidden()
    window = rules.window(given.window_from, given.window_to, db.now)
    alone = db.actor.role is Role.VOLUNTEER
    made: UUID = await db.value(
        INSERT,
        title=rules.title(given.title),
        note=rules.note(given.note),
        organization_id=None if alone else db.actor.organization,
        person_id=db.actor.person if alone else None,
        kind=given.kind,
        unit=given.unit or rules.UNITS[given.kind],
        qty_total=rules.quantity(given.quantity),
        window_from=window[0],
        window_to=window[1],
        service_areas=await codes(db, given.areas) if given.areas else [area],
        area=area,
        status=OfferStatus.DRAFT if given.draft else OfferStatus.PENDING_REVIEW,
        created_at=db.now,
        **await the_category(db, given.category),
    )
    if not given.draft:
        db.tell("offer.pending_review", made, area=area)
    return made


async def codes(db: Db, ids: Iterable[UUID]) -> list[str]:
    """The codes of some divisions. Raises InvalidInput for too many, none, or one that does not exist."""
    wanted = list(dict.fromkeys(ids))
    if not 1 <= len(wanted) <= MOST_AREAS:
        raise InvalidInput(field="areas", reason=f"服务区域须为 1 至 {MOST_AREAS} 个。")
    found = [row["code"] for row in await db.all(CODES, ids=wanted)]
    if len(found) != len(wanted):
        raise InvalidInput(field="areas", reason="服务区域不存在。")
    return found


async def _own(db: Db, id: UUID) -> Row:
    """A locked offer of the actor's own. Raises Forbidden, NotFound."""
    row = await locked_offer(db, id)
    alone = db.actor.role is Role.VOLUNTEER
    own = row["person_id"] == db.actor.person if alone else row["organization_id"] == db.actor.organization
    if not own:
        raise Forbidden()
    return row


async def _move(db: Db, row: Row, name: str, **changes: Any) -> UUID:
    status = rules.step(OFFER_STEPS, name, OfferStatus(row["status"]))
    await write_offer(db, row, status=status, **changes)
    id: UUID = row["id"]
    return id


@may(rules.MAY["offer.submit"])
@refuses(InvalidTransition)
async def submit_offer_draft(db: Db, offer: UUID) -> UUID:
    """Sends a draft to the community's review."""
    return await _move(db, await _own(db, offer), "submit")


@may(rules.MAY["offer.edit"])
@refuses(InvalidTransition, StaleVersion, QuantityBelowCommitted)
async def edit_offer(db: Db, offer: UUID, version: int, changes: dict[str, Any]) -> UUID:
    """Changes an offer. Once it is published its title, note, category and areas stay as they were reviewed.

    `changes`: what is to change, by column, with `category` for a category's id and `areas` for divisions' ids. The
    quantity cannot go below what is promised or given.
    """
    await lapse(db, [row["need_id"] for row in await db.all(DUE_OF_OFFER, offer=offer)])
    row = await _own(db, offer)
    status = OfferStatus(row["status"])
    if status not in rules.OFFER_EDITABLE:
        raise InvalidTransition(status=status.value, label=label(status))
    if row["version"] != version:
        raise StaleVersion(current=row["version"])
    new = {name: rules.CHECKS[name](value) if name in rules.CHECKS else value for name, value in changes.items()}
    if "category" in new:
        new |= await the_category(db, new.pop("category"))
    if "areas" in new:
        new["service_areas"] = await codes(db, new.pop("areas"))
    if {"window_from", "window_to"} & new.keys():
        start, end = new.get("window_from", row["window_from"]), new.get("window_to", row["window_to"])
        new["window_from"], new["window_to"] = rules.window(start, end, db.now)
    assert new.keys() <= set(OFFER_COLUMNS), new.keys()
    published = status in (OfferStatus.PUBLISHED, OfferStatus.PAUSED)
    fixed = [name for name in rules.REVIEWED if new.get(name, row[name]) != row[name]]
    if published and fixed:
        field = {"category_id": "category", "service_areas": "areas"}.get(min(fixed), min(fixed))
        raise InvalidInput(field=field, reason="已发布的供给不能再改标题、说明、类别和服务区域，请撤回后重新提交。")
    promised = row["qty_reserved"] + row["qty_consumed"]
    if new.get("qty_total", promised) < promised:
        raise QuantityBelowCommitted(committed=promised)
    await write_offer(db, row, **new)
    return offer


@may(rules.MAY["offer.publish"])
@refuses(InvalidTransition, ConflictOfInterest)
async def publish_offer(db: Db, offer: UUID) -> UUID:
    """The review passed: whoever it serves may take it up."""
    return await _move(db, await _reviewed(db, offer), "publish", reason=None, reviewed_by=db.actor.person)


@may(rules.MAY["offer.reject"])
@refuses(InvalidTransition, ConflictOfInterest)
async def reject_offer(db: Db, offer: UUID, reason: str) -> UUID:
    """The review did not pass, with a reason that the provider reads."""
    why = rules.reason(reason)
    return await _move(db, await _reviewed(db, offer), "reject", reason=why, reviewed_by=db.actor.person)


async def _reviewed(db: Db, id: UUID) -> Row:
    """A locked offer that the actor may review: it comes from his community, or is meant for it, and is neither
    his own nor that of somebody he is close to, nor of an organization that he belongs to."""
    row = await locked_offer(db, id)
    if db.actor.role is not Role.ADMIN and not await db.value(TOUCHES, id=id):
        raise Forbidden()
    await no_conflict(db, concerns=[row["person_id"]], organizations=[row["organization_id"]])
    return row


@may(rules.MAY["offer.pause"])
@refuses(InvalidTransition)
async def pause_offer(db: Db, offer: UUID) -> UUID:
    """Not to be taken up for the time being; what was promised holds."""
    return await _move(db, await _own(db, offer), "pause")


@may(rules.MAY["offer.resume"])
@refuses(InvalidTransition)
async def resume_offer(db: Db, offer: UUID) -> UUID:
    """To be taken up again."""
    return await _move(db, await _own(db, offer), "resume")


@may(rules.MAY["offer.withdraw"])
@refuses(InvalidTransition)
async def withdraw_offer(db: Db, offer: UUID) -> UUID:
    """Takes it back for good; what was promised holds."""
    return await _move(db, await _own(db, offer), "withdraw")
