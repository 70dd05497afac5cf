"""Verbs of an offer: made by an organization, a foundation or a volunteer, reviewed by the community, taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.access import Role, may
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.exchange import offering, rules
from models.exchange.actions.fitting import standing_offer
from models.exchange.actions.ground import OFFER_COLUMNS, Row, bound, insertion, locked_offer, offer, write_offer
from models.exchange.actions.placing import DUE_OF_OFFER, lapse
from models.exchange.offered import OfferOccurrence
from models.exchange.offering import Known, OfferInput
from models.exchange.problems import QuantityBelowCommitted, VolunteerInactive
from models.exchange.states import OFFER_STEPS, OfferStatus
from models.exchange.tables import ServiceCategory
from models.exchange.visible import is_any, touches
from models.labels import label
from models.people.actions.interests import no_conflict
from models.people.organizations import Organization
from models.people.problems import ConflictOfInterest
from models.people.rules import VolunteerRegistration
from models.people.skills import Skill
from models.people.tables import Volunteer
from models.problems import Forbidden, InvalidInput, InvalidTransition, StaleVersion, refuses
from models.territory.tables import Division

organization, volunteer, division = table(Organization), table(Volunteer), table(Division)
category, skill, occurrence = table(ServiceCategory), table(Skill), table(OfferOccurrence)
IDS = ARRAY(sa.Uuid())
NONE = sa.literal_column("'{}'::text[]", ARRAY(sa.Text()))

PROVIDER = Seen(
    lambda viewer: (
        sa.select(volunteer.c.area, volunteer.c.skills, volunteer.c.languages).where(
            volunteer.c.person_id == viewer.person, is_any(volunteer.c.state, (VolunteerRegistration.ACTIVE,))
        )
        if viewer.role is Role.VOLUNTEER
        else sa.select(organization.c.area, NONE.label("skills"), NONE.label("languages")).where(
            organization.c.id == viewer.organization
        )
    )
)
KNOWN = Statement(
    sa.union_all(
        sa.select(sa.literal_column("'category'").label("what"), category.c.id, category.c.code).where(
            category.c.id == sa.any_(bound("categories", IDS))
        ),
        sa.select(sa.literal_column("'division'"), division.c.id, division.c.code).where(
            division.c.id == sa.any_(bound("divisions", IDS))
        ),
        sa.select(sa.literal_column("'skill'"), skill.c.id, skill.c.code).where(
            skill.c.code == sa.any_(bound("skills", ARRAY(sa.Text())))
        ),
    )
)
MADE = (
    *("title", "note", "organization_id", "person_id", "kind", "category_id", "category_code", "unit", "qty_total"),
    *("window_from", "window_to", "service_areas", "area", "status", "created_at", "rrule", "duration_minutes"),
    *("min_notice_minutes", "parallel", "weekly_cap", "x", "y", "radius_km", "skills", "certificates", "languages"),
    *("external_id", "venue_address", "venue_seats", "venue_equipment", "venue_access"),
)
"""What is written of a new offer."""
INSERT = insertion(offer, MADE)
TIMES = Statement(
    sa.insert(occurrence).from_select(
        ["offer_id", "starts_at", "ends_at"],
        sa.select(
            sa.func.unnest(bound("offers", IDS)),
            sa.func.unnest(bound("starts", ARRAY(INSTANT))),
            sa.func.unnest(bound("ends", ARRAY(INSTANT))),
        ),
        include_defaults=False,
    )
)
TOUCHES = Seen(lambda viewer: sa.select(touches(offer.c, viewer)).where(offer.c.id == bound("id")))


async def known(db: Db, offers: Sequence[Mapping[str, Any]]) -> Known:
    """What some offers are checked against: `category`, `areas` and `skills` of each, as far as they are given.

    Raises VolunteerInactive, or Forbidden for whoever speaks for no organization.
    """
    provider = await db.one(PROVIDER)
    if provider is None:
        raise VolunteerInactive() if db.actor.role is Role.VOLUNTEER else Forbidden()
    rows = await db.all(
        KNOWN,
        categories=list({o["category"] for o in offers if "category" in o}),
        divisions=list({area for o in offers for area in o.get("areas") or ()}),
        skills=list({code for o in offers for code in o.get("skills") or ()} | {*provider["skills"]}),
    )
    skills = frozenset(row["code"] for row in rows if row["what"] == "skill")
    return Known(
        role=db.actor.role,
        area=provider["area"],
        categories={row["id"]: row["code"] for row in rows if row["what"] == "category"},
        divisions={row["id"]: row["code"] for row in rows if row["what"] == "division"},
        skills=skills,
        own_skills=[code for code in provider["skills"] if code in skills],
        own_languages=provider["languages"],
    )


def made(db: Db, given: OfferInput, checked: Known) -> dict[str, Any]:
    """A new offer's columns. Raises InvalidInput."""
    return {
        **offering.settled(offering.fresh(given, checked), {}, checked, db.now),
        "organization_id": None if checked.alone else db.actor.organization,
        "person_id": db.actor.person if checked.alone else None,
        "area": checked.area,
        "status": OfferStatus.DRAFT if given.draft else OfferStatus.PENDING_REVIEW,
        "created_at": db.now,
    }


async def write_times(db: Db, offers: Mapping[UUID, Row]) -> None:
    """Writes the times of offers that repeat, by their whole rows; a trigger has taken away what was there."""
    rows = [(id, *when) for id, row in offers.items() if row["rrule"] is not None for when in offering.times(row)]
    if rows:
        ids, starts, ends = zip(*rows, strict=True)
        await db.value(TIMES, offers=list(ids), starts=list(starts), ends=list(ends))


@may(rules.MAY["offer.submit"])
@refuses(VolunteerInactive)
async def submit_offer(db: Db, given: OfferInput) -> UUID:
    """Offers something, free of charge (I13): an organization's staff for it, a volunteer for himself, a foundation's
    people goods or money.

    It waits for the community's review. A draft waits for `submit_offer_draft`.
    """
    given_ = {"category": given.category, "areas": given.areas, "skills": given.skills}
    row = made(db, given, await known(db, [given_]))
    try:
        id: UUID = await db.value(INSERT, **row)
    except asyncpg.UniqueViolationError:
        raise InvalidInput(field="externalId", reason="该外部编号已用于本组织的另一项供给。") from None
    await write_times(db, {id: row})
    if not given.draft:
        db.tell("offer.pending_review", id, area=row["area"])
    return id


async def _own(db: Db, id: UUID) -> Row:
    """A locked offer of the actor's own. Raises Forbidden, NotFound."""
    row = await locked_offer(db, id)
    alone = db.actor.role is Role.VOLUNTEER
    own = row["person_id"] == db.actor.person if alone else row["organization_id"] == db.actor.organization
    if not own or not (alone or db.actor.role is Role.NGO_STAFF or row["kind"] in offering.FOUNDATION_KINDS):
        raise Forbidden()
    return row


async def _move(db: Db, row: Row, name: str, **changes: Any) -> UUID:
    """Takes an offer a step on. Raises InvalidTransition, also for one whose window is over."""
    status = rules.step(OFFER_STEPS, name, standing_offer(row, db.now))
    await write_offer(db, row, status=status, **changes)
    id: UUID = row["id"]
    return id


@may(rules.MAY["offer.submit"])
@refuses(InvalidTransition)
async def submit_offer_draft(db: Db, offer: UUID) -> UUID:
    """Sends a draft to the community's review."""
    row = await _own(db, offer)
    _must_last(row, db)
    return await _move(db, row, "submit")


def _must_last(row: Row, db: Db) -> None:
    """Raises InvalidInput where an offer that waits, or is to wait, for its review is over already."""
    if row["status"] in (OfferStatus.DRAFT, OfferStatus.PENDING_REVIEW) and row["window_to"] <= db.now:
        raise InvalidInput(field="windowTo", reason="供给的结束时间已过，请先修改时间。")


@may(rules.MAY["offer.edit"])
@refuses(InvalidTransition, StaleVersion, QuantityBelowCommitted)
async def edit_offer(db: Db, offer: UUID, version: int, changes: dict[str, Any], *, resubmit: bool = False) -> UUID:
    """Changes an offer. Once it is published, what was reviewed of it (`rules.REVIEWED`) stays.

    `changes`: what is to change, by column, with `category` for a category's id, `areas` for divisions' ids, `position`
    and `venue` as in `OfferInput`. The quantity cannot go below what is promised or given. `resubmit` sends it to the
    review again, from PUBLISHED, PAUSED, EXPIRED or REJECTED: then everything may change, and what is promised holds.
    """
    await lapse(db, [row["need_id"] for row in await db.all(DUE_OF_OFFER, offer=offer)])
    row = await _own(db, offer)
    if row["version"] != version:
        raise StaleVersion(current=row["version"])
    new = edited(row, changes, await known(db, [changes]), db, resubmit=resubmit)
    await write_offer(db, row, **new)
    if offering.changed(new, row, offering.REPEATING):
        await write_times(db, {offer: {**row, **new}})
    return offer


def edited(row: Row, changes: Mapping[str, Any], checked: Known, db: Db, *, resubmit: bool) -> dict[str, Any]:
    """The columns that an edit changes, with the state that it leads to. Raises what `edit_offer` refuses."""
    status = standing_offer(row, db.now)
    again = resubmit and ("resubmit", status) in OFFER_STEPS
    if status not in rules.OFFER_EDITABLE and not again:
        raise InvalidTransition(status=status.value, label=label(status))
    new = offering.settled(changes, row, checked, db.now)
    assert new.keys() <= set(OFFER_COLUMNS), new.keys()
    published = status in (OfferStatus.PUBLISHED, OfferStatus.PAUSED) and not again
    fixed = [name for name in rules.REVIEWED if new.get(name, row[name]) != row[name]]
    if published and fixed:
        raise InvalidInput(field=rules.REVIEWED[fixed[0]], reason="这项内容已经审核，改动后须重新送审。")
    promised = row["qty_reserved"] + row["qty_consumed"]
    if new.get("qty_total", promised) < promised:
        raise QuantityBelowCommitted(committed=promised)
    if again:
        new |= {"status": rules.step(OFFER_STEPS, "resubmit", status), "reviewed_by": None, "reason": None}
        _must_last({**row, **new}, db)
    return new


@may(rules.MAY["offer.publish"])
@refuses(InvalidTransition, ConflictOfInterest)
async def publish_offer(db: Db, offer: UUID) -> UUID:
    """The review passed: whoever it serves may take it up."""
    row = await _reviewed(db, offer)
    _must_last(row, db)
    return await _move(db, row, "publish", reason=None, reviewed_by=db.actor.person)


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
    """To be taken up again; not once its window is over: then it is edited and reviewed again."""
    return await _move(db, await _own(db, offer), "resume")


@may(rules.MAY["offer.withdraw"])
@refuses(InvalidTransition)
async def withdraw_offer(db: Db, offer: UUID) -> UUID:
    """Takes it back for good; what was promised holds."""
    return await _move(db, await _own(db, offer), "withdraw")
