"""What is derived from rounds and proposals, as SQL over a row that somebody already sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

import models.exchange.rounds.visible  # noqa: F401 - its rules register themselves
from models.access import NOBODY, STAFF_ROLES, Role, within
from models.exchange.queries import active, need_left, surely
from models.exchange.rounds import rules
from models.exchange.rounds.states import PROPOSAL_STEPS, ROUND_STEPS, MatchProposalStatus, Part
from models.exchange.rounds.tables import MatchFigure
from models.exchange.states import CLAIMABLE
from models.exchange.tables import Need
from models.exchange.visible import Where, is_any

NOTHING: Any = sa.literal_column("0")


def constant(value: str) -> Any:
    """Text that is written into the statement; none of ours has a quote."""
    return sa.literal_column(f"'{value}'", sa.Text())


def spelled(column: Any, texts: Mapping[str, str]) -> list[tuple[Any, Any]]:
    """The branches of a CASE that says a value's label."""
    return [(column == constant(value), constant(said)) for value, said in texts.items()]


def standing(row: Any, now: Any) -> Any:
    """Where a proposal stands: LAPSED from the moment its time is over, whether or not a job has written so."""
    due = sa.and_(is_any(row.status, (MatchProposalStatus.OPEN,)), row.valid_until <= now)
    return sa.case((due, constant(MatchProposalStatus.LAPSED.value)), else_=row.status)


def of_part(row: Any, part: Part) -> Where:
    """Whether a coverage is by priority, or by district."""
    found: Where = row.part == constant(part.value)
    return found


def as_priority(row: Any) -> Any:
    """The priority that a coverage is of."""
    return sa.case((of_part(row, Part.PRIORITY), sa.cast(row.code, sa.Integer())))


def coverage(row: Any) -> Any:
    """The share of needs that a plan serves; 1 where there are none."""
    whole = sa.cast(row.needs, sa.Float())
    return sa.case((row.needs == NOTHING, sa.literal_column("1.0", sa.Float())), else_=row.served / whole)


def gain(row: Any, view: Any) -> Mapping[str, Any]:
    """What a round's plan gives beyond the greedy one; NULL where the asker sees neither."""
    ours, theirs = view.rows(MatchFigure), view.rows(MatchFigure)

    def more(build: Callable[[Any], Any]) -> Any:
        return (
            sa.select(build(ours.c) - build(theirs.c))
            .select_from(ours.join(theirs, theirs.c.id == row.greedy_id))
            .where(ours.c.id == row.figures_id)
            .scalar_subquery()
        )

    return {
        "served": more(lambda f: f.served),
        "helpers": more(lambda f: f.helpers),
        "coverage": more(coverage),
        "mean_km": more(lambda f: sa.cast(f.mean_km, sa.Float())),
        "continuity": more(lambda f: sa.cast(f.continuity, sa.Float())),
        "objective": more(lambda f: sa.cast(f.objective, sa.Float())),
    }


def for_staff(column: str) -> Callable[[Any, Any], Any]:
    """A column for the staff of a need's area, and administrators; null for providers and residents."""

    def build(row: Any, view: Any) -> Any:
        if view.actor.role in (*STAFF_ROLES, Role.ADMIN):
            return getattr(row, column)
        return sa.null()

    return build


def can_cancel(row: Any, view: Any) -> Where:
    """Whether the asker may call a round off."""
    role = view.actor.role
    if role not in rules.MAY["round.cancel"]:
        return NOBODY
    mine = within(row.area, view.actor)
    covered = sa.or_(view.actor.area.is_(None), mine) if role is Role.ADMIN else mine
    return surely(covered, is_any(row.status, tuple(s for step, s in ROUND_STEPS if step == "cancel")))


def _open(row: Any, view: Any, step: str) -> list[Any]:
    if view.actor.role not in rules.MAY[f"proposal.{step}"]:
        return [NOBODY]
    return [is_any(row.status, tuple(s for name, s in PROPOSAL_STEPS if name == step))]


def can_accept(row: Any, view: Any) -> Where:
    """Whether the asker may accept a proposal of his: it waits, something of the need is left, and he is not suspended."""
    now, asked = view.actor.now, view.rows(Need)
    there = sa.exists(
        sa.select(sa.literal_column("1"))
        .select_from(asked)
        .where(
            asked.c.id == row.need_id,
            is_any(asked.c.status, CLAIMABLE),
            asked.c.due_at > now,
            need_left(asked.c, now) > NOTHING,
        )
    )
    serving = sa.or_(row.person_id.is_(None), active(row.person_id, view))
    return surely(*_open(row, view, "accept"), row.valid_until > now, there, serving)


def can_decline(row: Any, view: Any) -> Where:
    """Whether the asker may decline a proposal of his."""
    return surely(*_open(row, view, "decline"), row.valid_until > view.actor.now)


def can_withdraw(row: Any, view: Any) -> Where:
    """Whether the asker, of the need's staff, may take a proposal back."""
    return surely(*_open(row, view, "withdraw"), row.valid_until > view.actor.now)
