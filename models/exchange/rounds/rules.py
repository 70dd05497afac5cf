"""The laws of rounds: who may, over what, for how long, and until when a proposal may be accepted."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TypeVar

from models.access import Actor, Role
from models.exchange.rounds.states import MatchProposalStatus, MatchRoundStatus
from models.exchange.rules import PROVIDERS, STAFF, TRIAGERS
from models.labels import label
from models.problems import Forbidden, InvalidInput, InvalidTransition

STARTERS = frozenset({Role.COMMUNITY_STAFF, Role.ADMIN})
WATCHERS = STAFF | {Role.ADMIN, Role.DISTRICT_VIEWER, Role.CITY_VIEWER}
"""Who sees rounds at all: staff those that touch their area, viewers the large ones in theirs."""
MAY: dict[str, frozenset[Role]] = {
    "round.start": STARTERS,
    "round.cancel": STARTERS,
    "proposal.accept": PROVIDERS,
    "proposal.decline": PROVIDERS,
    "proposal.withdraw": TRIAGERS,
}

MOST_DAYS = 14
AHEAD_DAYS = 30
"""How far ahead the first day may lie."""
MOST_SECONDS = 600
SECONDS = 20
"""For how long a round plans where nobody says so: enough for a district."""
ANSWER = timedelta(hours=48)
"""How long a proposal waits; never beyond the time that it is for."""
LEAD = timedelta(hours=2)
"""Nobody is proposed for what begins sooner than this after the round was run."""
STALE = timedelta(seconds=30)
"""After this without a sign of life a round's worker counts as lost."""
FORGOTTEN = timedelta(minutes=2)
"""After this in the queue a round is told of again."""
TRIES = 2
"""How often a round is begun before it fails as WORKER_LOST."""
VISIBLE_FROM = 5
"""Figures over fewer needs than this are for whoever may see the needs (I30)."""

S = TypeVar("S", MatchRoundStatus, MatchProposalStatus)


def step(steps: dict[tuple[str, S], S], name: str, status: S) -> S:
    """The state that a step leads to. Raises InvalidTransition where the table has no such step."""
    after = steps.get((name, status))
    if after is None:
        raise InvalidTransition(status=status.value, label=label(status))
    return after


def horizon(first: date | None, days: int, today: date) -> tuple[date, date]:
    """The first and the last day of a round: 1 to 14 days, from today at the earliest. Raises InvalidInput."""
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput(field="horizonDays", reason=f"天数须在 1 至 {MOST_DAYS} 之间。")
    begins = first or today
    if not today <= begins <= today + timedelta(days=AHEAD_DAYS):
        raise InvalidInput(field="horizonFrom", reason=f"起始日须在今天起 {AHEAD_DAYS} 天以内。")
    return begins, begins + timedelta(days=days - 1)


def fairness(given: float) -> float:
    """0 to 1. Raises InvalidInput; also for what is no number."""
    if not 0 <= given <= 1:
        raise InvalidInput(field="fairness", reason="公平系数须在 0 至 1 之间。")
    return given


def seconds(given: int) -> int:
    """1 to 600. Raises InvalidInput."""
    if not 1 <= given <= MOST_SECONDS:
        raise InvalidInput(field="seconds", reason=f"计算时间须在 1 至 {MOST_SECONDS} 秒之间。")
    return given


def seed(given: int) -> int:
    """Not negative. Raises InvalidInput."""
    if given < 0:
        raise InvalidInput(field="seed", reason="随机种子不能为负。")
    return given


def must_cover(actor: Actor, code: str) -> None:
    """Raises Forbidden unless a division lies in the actor's area; the platform's own staff without an area have all."""
    if not (actor.covers(code) or (actor.role is Role.ADMIN and actor.area is None)):
        raise Forbidden()


def valid_until(now: datetime, slot_from: datetime) -> datetime:
    """Until when a proposal may be accepted."""
    return min(now + ANSWER, slot_from)
