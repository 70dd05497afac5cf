"""Which needs a fund may pay for, in which order, and why: for the people of its foundation.

Hard rules first: the foundation was asked, the community says that the beneficiary is of those whom such aid is for,
he has not refused automatic matching (PIPL art. 24; staff's request to the foundation stands), and what binds the fund
admits it (`restrictions`). Then the score: how urgent it is, how long it has waited, whether the
fund can bear what is planned for it. Of whom it is for a foundation learns that he is eligible, and no more: no mark of
vulnerability has a part in the order, since it would tell of somebody's health (PIPL art. 28).

The terms together are the score. `points` and the SQL below say the same; a test compares them.
"""

from __future__ import annotations

import dataclasses
import enum
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, array

from models.access import FUND_ROLES
from models.exchange.matches import word
from models.exchange.queries import funds_for
from models.exchange.states import NeedStatus
from models.exchange.tables import Need, NeedFoundation
from models.exchange.visible import is_any
from models.funds.rules import AllocationStatus
from models.funds.spending import Allocation
from models.funds.tables import FundBalance
from models.labels import labelled

LONGEST = 50
"""The most needs that one list has."""
URGENT = 1500
"""Points for each step of urgency above the first: 4500 for the most urgent."""
DAY, MOST_DAYS = 50, 60
"""Points for each whole day since the foundation was asked, and after how many no more are added: 3000."""
BORNE = 1000
"""Points where the fund's balance bears all that is planned for the need; less in proportion."""
WANTED = (NeedStatus.VERIFIED, NeedStatus.OPEN, NeedStatus.IN_PROGRESS)
"""States in which a need still waits for money."""
PLANNED = (AllocationStatus.DRAFT, AllocationStatus.SUBMITTED, AllocationStatus.APPROVED, AllocationStatus.ACTIVE)
"""States in which a plan is still to be paid, wholly or in part."""


class FundTerm(enum.StrEnum):
    """A reason in the score of a need that a fund may pay for."""

    URGENCY = "URGENCY"
    WAITING = "WAITING"
    AMOUNT = "AMOUNT"


T = FundTerm
labelled(
    FundTerm,
    {T.URGENCY: "紧急程度", T.WAITING: "等候时间", T.AMOUNT: "基金承受力"},
    description="A reason in the score of a need that a fund may pay for. The points of all reasons together are the score.",
    describe={
        T.URGENCY: "How urgent the need is: 1500 points for each step above the first.",
        T.WAITING: "How long ago the foundation was asked: 50 points for each whole day, up to 60 days.",
        T.AMOUNT: "Whether the fund's balance bears what is planned for the need: 1000 points, less in proportion.",
    },
)
ELIGIBLE = "符合资助条件"
"""What every sentence begins with: the community's word, without its reason."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is known of a need and a fund, hard rules apart. Amounts in fen."""

    urgency: int
    waited: timedelta
    planned_fen: int
    balance_fen: int


def points(asked: Asked) -> dict[FundTerm, int]:
    """The terms of a score, in their order."""
    days = min(MOST_DAYS, max(0, asked.waited // timedelta(days=1)))
    borne = BORNE if asked.planned_fen == 0 else min(BORNE, BORNE * asked.balance_fen // asked.planned_fen)
    return {T.URGENCY: URGENT * (asked.urgency - 1), T.WAITING: DAY * days, T.AMOUNT: borne}


def sentence(asked: Asked) -> str:
    """The terms as a line: 「符合资助条件 · 紧急程度4级 +4500 · 已等候12天 +600 · 基金可承担 +1000」; those of 0 are left out."""
    scored = points(asked)
    days = max(0, asked.waited // timedelta(days=1))
    said = {
        T.URGENCY: f"紧急程度{asked.urgency}级",
        T.WAITING: f"已等候{days}天",
        T.AMOUNT: "基金可承担" if scored[T.AMOUNT] == BORNE else "基金可承担一部分",
    }
    return " · ".join([ELIGIBLE, *(f"{said[t]} +{n}" for t, n in scored.items() if n)])


def number(value: int) -> Any:
    """A constant of ours, written into the statement."""
    return sa.literal_column(str(value), sa.Integer())


def eligible_needs(fund: Any, view: Any, first: Any) -> sa.Select[Any]:
    """The needs that a fund may pay for, best first, for its foundation's people; none for anybody else."""
    actor = view.actor
    asked, needs, plans = view.rows(NeedFoundation), view.rows(Need), view.rows(Allocation)
    totals = view.rows(FundBalance)
    mine = fund.organization_id == actor.organization if actor.role in FUND_ROLES else sa.literal_column("false")
    planned = (
        sa.select(sa.func.coalesce(sa.func.sum(plans.c.amount_fen - plans.c.spent_fen), number(0)))
        .where(
            plans.c.need_id == needs.c.id,
            plans.c.organization_id == fund.organization_id,
            is_any(plans.c.status, PLANNED),
        )
        .scalar_subquery()
    )
    balance = sa.select(totals.c.balance_fen).where(totals.c.fund_id == fund.id).scalar_subquery()
    refused = sa.func.matching_refused(needs.c.beneficiary_id, sa.null(), actor.now, type_=sa.Boolean())
    waited = sa.func.floor(sa.extract("epoch", actor.now - asked.c.asked_at) / number(86400))
    rows = (
        sa.select(
            needs.c.id.label("need_id"),
            asked.c.id.label("asked_id"),
            needs.c.urgency,
            needs.c.due_at,
            sa.func.greatest(sa.cast(waited, sa.Integer()), number(0)).label("days"),
            sa.cast(planned, sa.BigInteger()).label("planned_fen"),
            sa.func.coalesce(balance, number(0)).label("balance_fen"),
        )
        .select_from(asked.join(needs, needs.c.id == asked.c.need_id))
        .where(mine, funds_for(fund, asked.c, view), is_any(needs.c.status, WANTED), sa.not_(refused))
        .offset(number(0))  # a fence: what is reckoned once is not reckoned for each use
        .subquery("waiting")
        .c
    )
    borne = sa.case(
        (rows.planned_fen == number(0), number(BORNE)),
        else_=sa.cast(sa.func.least(number(BORNE), number(BORNE) * rows.balance_fen // rows.planned_fen), sa.Integer()),
    )
    scored = [
        (rows.urgency - number(1)) * number(URGENT),
        sa.func.least(rows.days, number(MOST_DAYS)) * number(DAY),
        borne,
    ]
    total: Any = scored[0] + scored[1] + scored[2]
    return (
        sa.select(
            *(rows.need_id, rows.asked_id, rows.urgency, rows.days, rows.planned_fen),
            sa.cast(array(scored), ARRAY(sa.Integer())).label("points"),
            total.label("score"),
        )
        .order_by(total.desc(), rows.due_at, rows.need_id)
        .limit(first)
    )


def _phrases(row: Any) -> list[Any]:
    whole = row.points[number(3)] == number(BORNE)
    return [
        word("紧急程度").concat(sa.cast(row.urgency, sa.Text())).concat(word("级")),
        word("已等候").concat(sa.cast(row.days, sa.Text())).concat(word("天")),
        sa.case((whole, word("基金可承担")), else_=word("基金可承担一部分")),
    ]


def terms(row: Any, view: Any) -> sa.Select[Any]:
    """The reasons of one need: those that have points, in their order."""
    each = sa.func.unnest(row.points).table_valued(sa.column("points", sa.Integer()), with_ordinality="place", name="t")
    each = each.render_derived()
    codes = dict(enumerate((word(t.value) for t in FundTerm), 1))
    labels = dict(enumerate(_phrases(row), 1))
    return (
        sa.select(
            sa.case(*((each.c.place == number(n), code) for n, code in codes.items())).label("code"),
            sa.case(*((each.c.place == number(n), label) for n, label in labels.items())).label("label"),
            each.c.points,
        )
        .where(each.c.points != number(0))
        .order_by(each.c.place)
    )


def told(row: Any) -> Any:
    """The reasons of one need as a line: `sentence`."""
    said = []
    for place, phrase in enumerate(_phrases(row), 1):
        n = row.points[number(place)]
        said.append(sa.case((n != number(0), phrase.concat(word(" +")).concat(sa.cast(n, sa.Text())))))
    return sa.func.concat_ws(word(" · "), word(ELIGIBLE), *said, type_=sa.Text())
