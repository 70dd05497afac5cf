"""SQL that GraphQL's fields name: what the asker may do, and sums over the ledger of hours.

A session's or an attendance's `viewerCan` reads the same tables as the verbs do. `view` is what the engine hands to
expressions: `view.actor` who asks, `view.rows(Table)` what of a table he may see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, Role, within
from models.activity import rules
from models.activity.rules import (
    ATTENDANCE_STEPS,
    MAY,
    PROPOSAL_STEPS,
    SESSION_STEPS,
    AttendanceStatus,
    HourKind,
    HourTrust,
    SessionStatus,
    before,
)
from models.activity.tables import Attendance, HourEntry, ServiceSession
from models.exchange.visible import is_any
from models.people.conflicts import unconcerned

Can = Callable[[Any, Any], Any]
ONE: sa.ColumnElement[int] = sa.literal_column("1")


def _minutes(rule: Any) -> Any:
    return sa.literal_column(f"interval '{int(rule.total_seconds() // 60)} minutes'")


def runs(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker organizes what a row is about."""
    actor = view.actor
    if actor.role is Role.NGO_STAFF:
        return sa.and_(row.organization_id.is_not(None), row.organization_id == actor.organization)
    return sa.func.coalesce(within(row.area, actor), sa.false()) if actor.role in rules.STEWARDS else NOBODY


def to_organizers(row: Any, view: Any) -> Any:
    """Whether the asker may read how an attendance was judged: he whose it is, and who organizes it; not a grid officer."""
    own = sa.func.coalesce(row.volunteer_id == view.actor.person, sa.false())
    return sa.or_(own, sa.func.coalesce(runs(row, view), sa.false()))


def may_read_marks(row: Any, view: Any) -> Any:
    """Whether the asker may read when somebody checked in and out: whoever sees the attendance, save a grid officer."""
    if view.actor.role is not Role.GRID_OFFICER:
        return sa.true()
    return sa.func.coalesce(row.volunteer_id == view.actor.person, sa.false())


def session_can(step: str) -> Can:
    """Whether the asker may take a step on a session."""

    def can(row: Any, view: Any) -> Any:
        actor = view.actor
        if actor.role not in MAY[f"session.{step}"]:
            return NOBODY
        over = row.ends_at <= actor.now
        match step:
            case "edit":
                states = is_any(row.status, rules.EDITABLE)
            case "record_headcount":
                states = is_any(row.status, rules.COUNTED)
            case "publish":
                states = sa.and_(is_any(row.status, before(SESSION_STEPS, step)), sa.not_(over))
            case "end":
                unstarted = sa.and_(is_any(row.status, (SessionStatus.PUBLISHED,)), over)
                states = sa.or_(is_any(row.status, before(SESSION_STEPS, step)), unstarted)
            case "confirm":
                states = sa.and_(is_any(row.status, before(SESSION_STEPS, step)), over)
            case "sign_up":
                part = view.rows(Attendance)
                earlier = sa.exists(
                    sa.select(ONE).where(part.c.session_id == row.id, part.c.volunteer_id == actor.person)
                )
                return sa.and_(row.open_sign_up, is_any(row.status, rules.SIGNING), sa.not_(over), sa.not_(earlier))
            case _:
                states = is_any(row.status, before(SESSION_STEPS, step))
        return sa.and_(runs(row, view), states)

    return can


def _session(row: Any, view: Any, *conditions: Callable[[Any], Any]) -> Any:
    held = view.rows(ServiceSession)
    return sa.exists(sa.select(ONE).where(held.c.id == row.session_id, *(c(held.c) for c in conditions)))


def attendance_can(step: str) -> Can:
    """Whether the asker may take a step on an attendance."""

    def can(row: Any, view: Any) -> Any:
        actor = view.actor
        now, own = actor.now, sa.func.coalesce(row.volunteer_id == actor.person, sa.false())
        mine = own if actor.role is Role.VOLUNTEER else runs(row, view)
        if step in ("check_in", "check_out"):
            mine = sa.or_(own, mine)
        if actor.role not in MAY[ATTENDANCE_RIGHTS[step]]:
            return NOBODY
        if step == "rate":
            return sa.and_(mine, is_any(row.status, (AttendanceStatus.CONFIRMED,)), sa.not_(own))
        states = is_any(row.status, before(ATTENDANCE_STEPS, step))
        match step:
            case "withdraw":
                seated = is_any(row.status, (AttendanceStatus.ACCEPTED,))
                states = sa.and_(states, sa.or_(sa.not_(seated), row.starts_at > now))
            case "mark_absent":
                states = sa.and_(states, row.starts_at <= now)
            case "accept":
                states = sa.and_(
                    states,
                    sa.not_(own),
                    _session(row, view, _signing, lambda s: s.ends_at > now, lambda s: s.accepted_count < s.capacity),
                )
            case "check_in":
                opened = row.starts_at - _minutes(rules.CHECK_IN_EARLY) <= now
                states = sa.and_(states, opened, _session(row, view, _signing, lambda s: s.ends_at > now))
            case "check_out":
                late = _minutes(rules.CHECK_OUT_LATE)
                states = sa.and_(states, _session(row, view, lambda s: s.ends_at + late >= now))
            case "credit_manually":
                open_ = _session(row, view, lambda s: is_any(s.status, rules.UNSETTLED), lambda s: s.ends_at <= now)
                reversed_ = is_any(row.status, (AttendanceStatus.REVERSED,))
                states = sa.and_(states, sa.or_(open_, reversed_), sa.not_(own))
            case "credit_again":
                states = sa.and_(states, sa.not_(own))
        return sa.and_(mine, states)

    return can


def _signing(held: Any) -> Any:
    return is_any(held.status, rules.SIGNING)


ATTENDANCE_RIGHTS = {
    "withdraw": "attendance.withdraw",
    "accept": "attendance.decide",
    "refuse": "attendance.decide",
    "waitlist": "attendance.decide",
    "check_in": "attendance.check",
    "check_out": "attendance.check",
    "mark_absent": "attendance.mark",
    "excuse": "attendance.mark",
    "rate": "attendance.rate",
    "credit_manually": "hours.propose",
    "credit_again": "hours.reverse",
}
"""Which right each step on an attendance needs."""


def can_decide(row: Any, view: Any) -> Any:
    """Whether the asker may approve or reject a proposal of hours."""
    actor = view.actor
    if actor.role not in MAY["hours.decide"]:
        return NOBODY
    pending = is_any(row.status, before(PROPOSAL_STEPS, "approve"))
    others = unconcerned(view, [row.volunteer_id])
    return sa.and_(runs(row, view), pending, row.proposed_by != actor.person, *others)


def can_reverse(row: Any, view: Any) -> Any:
    """Whether the asker may take an entry of the ledger back: a credit that stands."""
    actor = view.actor
    if actor.role not in MAY["hours.reverse"]:
        return NOBODY
    later = view.rows(HourEntry)
    reversed_ = sa.exists(sa.select(ONE).where(later.c.reverses_id == row.id))
    credit = is_any(row.kind, (HourKind.CREDIT,))
    return sa.and_(runs(row, view), credit, *unconcerned(view, [row.volunteer_id]), sa.not_(reversed_))


def minutes_of_session(row: Any, view: Any) -> Any:
    """The minutes that a session's entries come to, of those that the asker may see."""
    entry = view.rows(HourEntry)
    total = sa.select(sa.func.coalesce(sa.func.sum(entry.c.minutes), 0)).where(entry.c.session_id == row.id)
    return sa.cast(total.scalar_subquery(), sa.Integer())


def minutes_of_volunteer(trust: HourTrust | None = None) -> Callable[[Any, Any], Any]:
    """A volunteer's balance: the sum of his entries, of one trust or of all."""

    def total(row: Any, view: Any) -> Any:
        entry = view.rows(HourEntry)
        wanted = () if trust is None else (is_any(entry.c.trust, (trust,)),)
        made = sa.select(sa.func.coalesce(sa.func.sum(entry.c.minutes), 0)).where(
            entry.c.volunteer_id == row.person_id, *wanted
        )
        return sa.cast(made.scalar_subquery(), sa.Integer())

    return total


def services_of_volunteer(row: Any, view: Any) -> Any:
    """How many sessions a volunteer has a standing credit for."""
    part = view.rows(Attendance)
    confirmed = is_any(part.c.status, (AttendanceStatus.CONFIRMED,))
    made = sa.select(sa.func.count()).select_from(part).where(part.c.volunteer_id == row.person_id, confirmed)
    return sa.cast(made.scalar_subquery(), sa.Integer())


def my_hours_by_category(view: Any) -> sa.Select[Any]:
    """The asker's own minutes and entries by category, the most first."""
    entry = view.rows(HourEntry)
    minutes = sa.cast(sa.func.sum(entry.c.minutes), sa.Integer())
    return (
        sa.select(
            entry.c.category_code,
            minutes.label("minutes"),
            sa.cast(sa.func.count(sa.distinct(entry.c.session_id)), sa.Integer()).label("sessions"),
        )
        .where(entry.c.volunteer_id == view.actor.person)
        .group_by(entry.c.category_code)
        .order_by(minutes.desc(), entry.c.category_code)
    )
