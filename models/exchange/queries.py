"""What is derived from needs, offers and commitments, as SQL over a row that somebody already sees.

`view` is what the engine hands to expressions: `view.actor` who asks, `view.rows(Table)` what of a table he may see.
`need_overdue` and `offer_overdue` are functions of the database (see the migration): they count holds that nobody has
answered in time, whoever looks, so that what is left is right for everybody from the moment on which a hold is due.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import sqlalchemy as sa

from models.access import FUND_ROLES, NOBODY, STAFF_ROLES, Role, within
from models.exchange import rules
from models.exchange.kinds import Fulfilment, Kind, Origin
from models.exchange.offering import FOUNDATION_KINDS
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
from models.exchange.tables import Commitment, Need, NeedFoundation
from models.exchange.visible import (
    COMMUNITY_DIGITS,
    FUNDED,
    PROVIDING,
    Where,
    by,
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
            open_ = [*_claimable(row, now), normal(row)]
            if role is Role.PARTY_SECRETARY:
                open_ += [is_any(row.kind, (Kind.LIVELIHOOD_ITEM,)), within(row.area, view.actor)]
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
            return _claimable(row, now)
        case "split":
            return [is_any(row.status, rules.sources(NEED_STEPS, step)), need_left(row, now) == row.qty_total]
        case "close":
            ready = sa.or_(is_any(row.status, (NeedStatus.DELIVERED, NeedStatus.IN_PROGRESS)), _paid(row, view))
            disputed = _has(row, view, (CommitmentStatus.DISPUTED,))
            return [ready, row.qty_committed == row.qty_delivered, sa.not_(disputed)]
        case "reopen":
            since = now - sa.literal_column(f"interval '{rules.REOPEN_DAYS} days'")
            return [is_any(row.status, rules.sources(NEED_STEPS, step)), sa.not_(row.reopened), row.closed_at > since]
        case "cancel":
            return [is_any(row.status, rules.sources(NEED_STEPS, step)), sa.not_(_has(row, view, UNCLEAR))]
    return [is_any(row.status, rules.sources(NEED_STEPS, step))]


def _claimable(row: Any, now: Any) -> list[Any]:
    """A need of anything but money that takes commitments; a livelihood item does when it is overdue, too."""
    in_time = sa.or_(row.due_at > now, is_any(row.kind, (Kind.LIVELIHOOD_ITEM,)))
    return [
        is_any(row.status, CLAIMABLE),
        in_time,
        need_left(row, now) > 0,
        sa.not_(is_any(row.kind, (Kind.CASH_AID,))),
    ]


def _paid(row: Any, view: Any) -> Any:
    """Whether a need of money may be closed: a foundation was asked to pay for it."""
    asked = view.rows(NeedFoundation).c
    aid = is_any(row.status, rules.sources(NEED_STEPS, "aid"))
    by_fund = sa.exists(sa.select(sa.literal_column("1")).where(asked.need_id == row.id))
    return sa.and_(is_any(row.kind, (Kind.CASH_AID,)), aid, by_fund)


def appointed(row: Any) -> tuple[Any, Any]:
    """A need's window where that is its appointment (`rules.slot`); NULLs where it is longer, or to be chosen."""
    short = sa.and_(
        row.options == sa.literal_column("0"), row.window_to - row.window_from <= _hours(rules.LONGEST_SLOT)
    )
    return sa.case((short, row.window_from)), sa.case((short, row.window_to))


def misses(row: Any, person: Any, times: tuple[Any, Any], on_day: Any) -> Any:
    """What somebody lacks to serve a need at an appointment, or on a day, as a `Missing`; NULL where it is nothing."""
    insists = sa.case((row.gender_required, row.gender_preference))
    required = (row.skill_code, row.certificate, row.category_code, row.language, insists)
    return sa.func.need_misses(person, *required, *times, on_day, type_=sa.Text())


def _may_serve(row: Any, view: Any) -> list[Any]:
    """For a volunteer himself: his registration is active, and the need is not his own or his household's."""
    if view.actor.role is not Role.VOLUNTEER:
        return []
    able = misses(row, view.actor.person, appointed(row), today(view.actor)).is_(None)
    return [active(view.actor.person, view), able, sa.not_(surely(own(row, view.actor, view.rows(Resident))))]


def active(person: Any, view: Any) -> Any:
    """Whether a volunteer whose registration the asker sees may serve now."""
    registered = view.rows(Volunteer).c
    return sa.exists(
        sa.select(sa.literal_column("1")).where(
            registered.person_id == person, is_any(registered.state, (VolunteerRegistration.ACTIVE,))
        )
    )


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
        elif actor.role in FUND_ROLES:
            mine = sa.and_(row.organization_id == actor.organization, is_any(row.kind, FOUNDATION_KINDS))
        elif actor.role is Role.VOLUNTEER:
            mine = row.person_id == actor.person
        else:
            mine = touches(row, actor) if actor.role in STAFF_ROLES else sa.true()
        states = rules.OFFER_EDITABLE if step == "edit" else rules.sources(OFFER_STEPS, step)
        reviewing = step in ("publish", "reject")
        others = unconcerned(view, [row.person_id], [row.organization_id]) if reviewing else []
        lasts = [] if step in ("reject", "resubmit") else [_lasts(step, row, actor.now)]
        return surely(mine, is_any(row.status, states), *lasts, *others)

    return can


def _lasts(step: str, row: Any, now: Any) -> Any:
    """Whether an offer's window is not over: then it is EXPIRED, or of no use to be reviewed; drafts may be edited."""
    before = is_any(row.status, (OfferStatus.DRAFT, OfferStatus.PENDING_REVIEW))
    return sa.or_(row.window_to > now, before) if step in ("edit", "withdraw") else row.window_to > now


def commitment_can(step: str) -> Can:
    """Whether the asker may take a step on a commitment that he sees."""

    def can(row: Any, view: Any) -> sa.ColumnElement[bool]:
        role = view.actor.role
        if role not in rules.MAY[f"commitment.{step}"]:
            return NOBODY
        now = view.actor.now
        conditions = [is_any(row.status, rules.sources(COMMITMENT_STEPS, "start" if step == "report" else step))]
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
        if step == "report":
            wanted = view.rows(Need).c
            item = sa.exists(
                sa.select(sa.literal_column("1")).where(
                    wanted.id == row.need_id, is_any(wanted.kind, (Kind.LIVELIHOOD_ITEM,))
                )
            )
            conditions += [item, by(row, view.actor)]
        if step == "no_show":
            conditions.append(sa.or_(row.slot_from.is_(None), row.slot_from <= now))
        return surely(*conditions)

    return can


def in_full(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may read the particulars of a need that he sees: its parties, and staff of its area."""
    role = view.actor.role
    if role is Role.RESIDENT:
        return _own(row, view)
    if role in rules.SERVING:
        return trusted(row, view.actor, view.rows(Commitment))
    return sa.true() if role in STAFF_ROLES else NOBODY


def hints(row: Any, view: Any) -> Any:
    """What whoever helps should know: for volunteers, who decide by it whether they can; for its parties and staff."""
    return row.hints if view.actor.role is Role.VOLUNTEER else sa.case((in_full(row, view), row.hints))


def duration(row: Any) -> Any:
    """How many minutes the help takes: as it was said, or as long as the appointment, or an hour."""
    since, until = appointed(row)
    minutes = sa.cast(sa.extract("epoch", until - since) / 60, sa.Integer())
    return sa.func.coalesce(row.duration_minutes, minutes, 60)


def _hours(length: timedelta) -> Any:
    return sa.literal_column(f"interval '{int(length.total_seconds() // 3600)} hours'")


def may_be_duplicate(other: Any, row: Any, view: Any) -> Any:
    """Whether staff should look whether two needs are one: for the same resident or place, of the same category, neither
    of them ended, written down within 14 days of each other, and not made of one another."""
    if view.actor.role not in STAFF_ROLES:
        return NOBODY
    fortnight: Any = sa.literal_column("interval '14 days'")
    same = sa.case(
        (row.beneficiary_id.is_not(None), other.beneficiary_id == row.beneficiary_id),
        else_=sa.and_(other.beneficiary_id.is_(None), other.area == row.area),
    )
    apart = sa.and_(
        other.id != row.id,
        other.parent_id.is_distinct_from(row.id),
        row.parent_id.is_distinct_from(other.id),
        sa.or_(other.parent_id.is_(None), other.parent_id.is_distinct_from(row.parent_id)),
    )
    going_on = sa.not_(is_any(other.status, (*ENDED, NeedStatus.DRAFT)))
    return sa.and_(
        other.community_id == row.community_id,
        surely(same),
        other.category_code == row.category_code,
        other.kind == row.kind,
        other.created_at.between(row.created_at - fortnight, row.created_at + fortnight),
        going_on,
        apart,
    )


def helped_before(volunteer: Any, row: Any, view: Any) -> Any:
    """Whether a volunteer is who last served the same resident in the same category: continuity, for parties and staff."""
    last = sa.func.previous_helper(row.id, type_=sa.Uuid())
    return sa.and_(in_full(row, view), volunteer.person_id == last)


def answer_overdue(row: Any, now: Any) -> Where:
    """Whether the community should have answered by now, and has not (条例 art. 13)."""
    return sa.and_(is_any(row.status, TRIAGE), row.answer_due_at < now)


def overdue(row: Any, now: Any) -> Where:
    """Whether a livelihood item's deadline has passed, and it is not settled."""
    going_on = is_any(row.status, (NeedStatus.OPEN, NeedStatus.IN_PROGRESS, NeedStatus.DELIVERED))
    return sa.and_(is_any(row.kind, (Kind.LIVELIHOOD_ITEM,)), going_on, row.due_at < now)


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


def external_id(row: Any, view: Any) -> Any:
    """An organization's own number for an offer: for its people."""
    role = view.actor.role
    mine = row.organization_id == view.actor.organization if role in PROVIDING else NOBODY
    return sa.case((mine, row.external_id))


def my_offers(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """The asker's own offers, or his organization's."""
    if view.actor.role in PROVIDING:
        return cast(Where, row.organization_id == view.actor.organization)
    return cast(Where, row.person_id == view.actor.person)


def my_commitments(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """What the asker, or his organization, serves or accompanies; for a resident, all that he sees: they are his."""
    actor = view.actor
    if actor.role is Role.NGO_STAFF:
        return cast(Where, row.organization_id == actor.organization)
    if actor.role in (Role.RESIDENT, Role.PARTY_SECRETARY):
        return sa.true()
    if actor.role is Role.SOCIAL_WORKER:
        workers = view.rows(SocialWorker)
        me = sa.select(workers.c.id).where(workers.c.person_id == actor.person).scalar_subquery()
        return sa.or_(row.volunteer_person_id == actor.person, row.social_worker_id == me)
    return cast(Where, row.volunteer_person_id == actor.person)
