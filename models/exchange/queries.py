"""What is derived from needs, offers and commitments, as SQL over a row that somebody already sees.

`view` is what the engine hands to expressions: `view.actor` who asks, `view.rows(Table)` what of a table he may see.
`need_overdue` and `offer_overdue` are functions of the database (see the migration): they count holds that nobody has
answered in time, whoever looks, so that what is left is right for everybody from the moment on which a hold is due.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, array

from models.access import NOBODY, STAFF_ROLES, Role
from models.exchange import rules
from models.exchange.kinds import Fulfilment, Origin
from models.exchange.states import (
    CLAIMABLE,
    COMMITMENT_STEPS,
    ENDED,
    LIVE,
    NEED_STEPS,
    OFFER_STEPS,
    TRIAGE,
    CommitmentStatus,
    NeedStatus,
    OfferStatus,
)
from models.exchange.tables import Commitment, Need
from models.exchange.visible import (
    COMMUNITY_DIGITS,
    FUNDED,
    Where,
    ancestors,
    is_any,
    normal,
    own,
    served,
    touches,
    trusted,
)
from models.people.conflicts import unconcerned
from models.people.rules import VolunteerRegistration
from models.people.tables import Resident, SocialWorker, Volunteer
from models.people.visible import today

Can = Callable[[Any, Any], sa.ColumnElement[bool]]
UNCLEAR = (CommitmentStatus.IN_SERVICE, CommitmentStatus.DELIVERED, CommitmentStatus.DISPUTED)
"""Commitments that stand in the way of cancelling a need: something is being, or was, done."""


def need_left(row: Any, now: Any) -> Any:
    """How much of a need may still be claimed, overdue holds counted as released."""
    overdue = sa.case(
        (row.qty_committed > row.qty_delivered, sa.func.need_overdue(row.id, now, type_=sa.Integer())), else_=0
    )
    return row.qty_total - row.qty_committed + overdue


def offer_left(row: Any, now: Any) -> Any:
    """How much of an offer may still be taken up, overdue holds counted as released."""
    overdue = sa.case((row.qty_reserved > 0, sa.func.offer_overdue(row.id, now, type_=sa.Integer())), else_=0)
    return row.qty_total - row.qty_reserved - row.qty_consumed + overdue


def fulfilment(row: Any) -> Any:
    """How much of a need has been delivered (`rules.fulfilment`)."""
    return sa.case(
        (row.qty_delivered == 0, Fulfilment.NONE.value),
        (row.qty_delivered >= row.qty_total, Fulfilment.FULL.value),
        else_=Fulfilment.PARTIAL.value,
    )


def standing(row: Any, now: Any) -> Any:
    """Where a commitment stands: LAPSED from the moment its hold is due, whether or not a job has written so."""
    due = sa.and_(is_any(row.status, (CommitmentStatus.PROPOSED,)), row.hold_until <= now)
    return sa.case((due, CommitmentStatus.LAPSED.value), else_=row.status)


def in_category(column: Any, code: Any) -> Any:
    """Whether a category's code is another one's, or below it. One range of an index: in ASCII `/` comes after `.`."""
    return sa.and_(column >= code, column < code.concat("/"))


def fits(offer: Any, need: Any, *, searched: str) -> Any:
    """Whether an offer can serve a need (`rules.misfit`). `searched`: which of the two is looked for, by its index."""
    above = sa.cast(array([sa.func.split_part(need.category_code, ".", 1), need.category_code]), ARRAY(sa.Text()))
    category = (
        in_category(need.category_code, offer.category_code)
        if searched == "need"
        else offer.category_code == sa.any_(above)
    )
    return sa.and_(
        offer.kind == need.kind,
        offer.unit == need.unit,
        category,
        serves(offer, need.area),
        sa.or_(
            need.window_from.is_(None),
            sa.and_(offer.window_from < need.window_to, need.window_from < offer.window_to),
        ),
    )


def serves(offer: Any, code: Any) -> Any:
    """Whether an offer is meant for a division or grid, or for something around it."""
    return offer.service_areas.overlap(ancestors(code))


def unmatched(need: Any, offer: Any, now: Any) -> Any:
    """Whether whom a need is for, or the volunteer who offers, is not to be matched by the machine (PIPL art. 24, 31)."""
    return sa.func.matching_refused(need.beneficiary_id, offer.person_id, now, type_=sa.Boolean())


def matching_offers(offer: Any, need: Any, view: Any) -> Any:
    """Published offers with something left that can serve a need which may still be claimed, of and for the willing."""
    now = view.actor.now
    return sa.and_(
        is_any(offer.status, (OfferStatus.PUBLISHED,)),
        fits(offer, need, searched="offer"),
        is_any(need.status, CLAIMABLE),
        sa.case((offer.window_to <= now, 0), (unmatched(need, offer, now), 0), else_=offer_left(offer, now)) > 0,
    )


def matching_needs(need: Any, offer: Any, view: Any) -> Any:
    """Open needs with something left that a published offer can serve, of and for the willing."""
    now = view.actor.now
    return sa.and_(
        is_any(need.status, CLAIMABLE),
        normal(need),
        fits(offer, need, searched="need"),
        is_any(offer.status, (OfferStatus.PUBLISHED,)),
        # not a condition of its own: an index on the due time would be read for nearly every open need
        sa.case((need.due_at <= now, 0), (unmatched(need, offer, now), 0), else_=need_left(need, now)) > 0,
    )


def surely(*conditions: Any) -> Where:
    """Whether all of some conditions are true; where one is unknown, they are not."""
    return sa.func.coalesce(sa.and_(*conditions), sa.false(), type_=sa.Boolean())


def need_can(step: str) -> Can:
    """Whether the asker may take a step on a need: the same tables as the verbs'."""

    def can(row: Any, view: Any) -> sa.ColumnElement[bool]:
        role = view.actor.role
        if role not in rules.MAY[f"need.{step}"]:
            return NOBODY
        return surely(_own(row, view), *_need_conditions(step, row, view))

    return can


def _own(row: Any, view: Any) -> sa.ColumnElement[bool]:
    if view.actor.role is Role.RESIDENT:
        return own(row, view.actor, view.rows(Resident))
    return sa.true()  # what staff see lies in their area; what providers may claim is whatever they see


def _need_conditions(step: str, row: Any, view: Any) -> list[Any]:
    now, role = view.actor.now, view.actor.role
    match step:
        case "edit":
            return [is_any(row.status, tuple(s for s, roles in rules.EDITABLE.items() if role in roles))]
        case "claim":
            open_ = [is_any(row.status, CLAIMABLE), row.due_at > now, need_left(row, now) > 0, normal(row)]
            mine = view.rows(Commitment)
            again = served(row.id, view.actor, mine, is_any(mine.c.status, LIVE))
            return [*open_, sa.not_(again), *_may_serve(row, view)]
        case "verify" | "open":
            made = [row.requester_id.is_distinct_from(view.actor.person)] if step == "verify" else []
            return [is_any(row.status, rules.sources(NEED_STEPS, step)), *made, *unconcerned(view, [row.subject_id])]
        case "assign":
            return [sa.not_(is_any(row.status, (*ENDED, NeedStatus.DRAFT)))]
        case "ask_foundation":
            return [is_any(row.status, FUNDED), normal(row)]
        case "propose":
            return [is_any(row.status, CLAIMABLE), row.due_at > now, need_left(row, now) > 0]
        case "close":
            ready = is_any(row.status, (NeedStatus.DELIVERED, NeedStatus.IN_PROGRESS))
            disputed = _has(row, view, (CommitmentStatus.DISPUTED,))
            return [ready, row.qty_committed == row.qty_delivered, sa.not_(disputed)]
        case "reopen":
            since = now - sa.literal_column(f"interval '{rules.REOPEN_DAYS} days'")
            return [is_any(row.status, rules.sources(NEED_STEPS, step)), sa.not_(row.reopened), row.closed_at > since]
        case "cancel":
            return [is_any(row.status, rules.sources(NEED_STEPS, step)), sa.not_(_has(row, view, UNCLEAR))]
    return [is_any(row.status, rules.sources(NEED_STEPS, step))]


def _may_serve(row: Any, view: Any) -> list[Any]:
    """For a volunteer himself: his registration is active, and the need is not his own or his household's."""
    if view.actor.role is not Role.VOLUNTEER:
        return []
    mine = view.rows(Volunteer).c
    active = sa.exists(
        sa.select(sa.literal_column("1")).where(
            mine.person_id == view.actor.person, is_any(mine.state, (VolunteerRegistration.ACTIVE,))
        )
    )
    return [active, sa.not_(surely(own(row, view.actor, view.rows(Resident))))]


def _has(row: Any, view: Any, statuses: tuple[CommitmentStatus, ...]) -> Any:
    c = view.rows(Commitment).c
    return sa.exists(sa.select(sa.literal_column("1")).where(c.need_id == row.id, is_any(c.status, statuses)))


def offer_can(step: str) -> Can:
    """Whether the asker may take a step on an offer."""

    def can(row: Any, view: Any) -> sa.ColumnElement[bool]:
        actor = view.actor
        if actor.role not in rules.MAY[f"offer.{step}"]:
            return NOBODY
        if actor.role is Role.NGO_STAFF:
            mine = row.organization_id == actor.organization
        elif actor.role is Role.VOLUNTEER:
            mine = row.person_id == actor.person
        else:
            mine = touches(row, actor) if actor.role in STAFF_ROLES else sa.true()
        states = rules.OFFER_EDITABLE if step == "edit" else rules.sources(OFFER_STEPS, step)
        reviewing = step in ("publish", "reject")
        others = unconcerned(view, [row.person_id], [row.organization_id]) if reviewing else []
        return surely(mine, is_any(row.status, states), *others)

    return can


def commitment_can(step: str) -> Can:
    """Whether the asker may take a step on a commitment that he sees."""

    def can(row: Any, view: Any) -> sa.ColumnElement[bool]:
        role = view.actor.role
        if role not in rules.MAY[f"commitment.{step}"]:
            return NOBODY
        now = view.actor.now
        conditions = [is_any(row.status, rules.sources(COMMITMENT_STEPS, step))]
        if step in ("accept", "decline"):
            conditions.append(row.hold_until > now)
        if step == "accept":
            turn = is_any(row.origin, tuple(o for o in Origin if rules.SIDES[role] in rules.ANSWERS[o]))
            himself = row.volunteer_person_id == view.actor.person
            proposed = is_any(row.origin, (Origin.PROPOSAL,))
            conditions.append(sa.case((himself, proposed), else_=turn))
        if step in rules.BY_OTHERS:
            conditions.append(row.volunteer_person_id.is_distinct_from(view.actor.person))
        if step in rules.UNRELATED and role in STAFF_ROLES:
            sides = unconcerned(view, [row.volunteer_person_id, row.subject_id], [row.organization_id])
            conditions.append(sa.or_(row.volunteer_person_id.is_not_distinct_from(view.actor.person), sa.and_(*sides)))
        if step == "no_show":
            conditions.append(sa.or_(row.slot_from.is_(None), row.slot_from <= now))
        return surely(*conditions)

    return can


def in_full(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may read the particulars of a need that he sees: its parties, and staff of its area."""
    role = view.actor.role
    if role is Role.RESIDENT:
        return _own(row, view)
    if role in rules.PROVIDERS:
        return trusted(row, view.actor, view.rows(Commitment))
    return sa.true() if role in STAFF_ROLES else NOBODY


def hints(row: Any, view: Any) -> Any:
    """What whoever helps should know: for volunteers, who decide by it whether they can; for its parties and staff."""
    return row.hints if view.actor.role is Role.VOLUNTEER else sa.case((in_full(row, view), row.hints))


def funds_for(fund: Any, asked: Any, view: Any) -> Any:
    """Whether a fund of the foundation that was asked may pay for the need, by what it is bound to (`Restriction.admits`
    in the funds area), and the community's word that the beneficiary is of those whom such aid is for."""
    wanted, now = view.rows(Need).c, today(view.actor)
    admits = sa.exists(
        sa.select(sa.literal_column("1")).where(
            wanted.id == asked.need_id,
            sa.or_(fund.category_code.is_(None), in_category(wanted.category_code, fund.category_code)),
            sa.or_(fund.restricted_area.is_(None), sa.func.starts_with(wanted.area, fund.restricted_area)),
        )
    )
    return sa.and_(
        fund.organization_id == asked.organization_id,
        sa.func.coalesce(asked.eligible, sa.false()),
        sa.or_(fund.restricted_from.is_(None), fund.restricted_from <= now),
        sa.or_(fund.restricted_to.is_(None), fund.restricted_to >= now),
        admits,
    )


def by_staff(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may read who handles a need: its parties on the asking side, and staff of its area."""
    return in_full(row, view) if view.actor.role in (Role.RESIDENT, *STAFF_ROLES) else NOBODY


def coarse(code: Any) -> Any:
    """Whether a code is a division's: what is asked by it tells of no grid."""
    return sa.func.length(code) <= COMMUNITY_DIGITS


def in_grid(code: Any, view: Any) -> Any:
    """Whether the asker may ask by this code what lies somewhere: staff by a grid's, others by a division's."""
    return sa.true() if view.actor.role in STAFF_ROLES else coarse(code)


def my_needs(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """The asker's own needs, and the NORMAL ones of his household."""
    return own(row, view.actor, view.rows(Resident))


def awaiting_answer(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Needs that wait for the community's answer."""
    return is_any(row.status, TRIAGE) if view.actor.role in STAFF_ROLES else NOBODY


def my_offers(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """The asker's own offers, or his organization's."""
    if view.actor.role is Role.NGO_STAFF:
        return cast(Where, row.organization_id == view.actor.organization)
    return cast(Where, row.person_id == view.actor.person)


def my_commitments(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """What the asker, or his organization, serves or accompanies; for a resident, all that he sees: they are his."""
    actor = view.actor
    if actor.role is Role.NGO_STAFF:
        return cast(Where, row.organization_id == actor.organization)
    if actor.role is Role.RESIDENT:
        return sa.true()
    if actor.role is Role.SOCIAL_WORKER:
        workers = view.rows(SocialWorker)
        me = sa.select(workers.c.id).where(workers.c.person_id == actor.person).scalar_subquery()
        return sa.or_(row.volunteer_person_id == actor.person, row.social_worker_id == me)
    return cast(Where, row.volunteer_person_id == actor.person)
