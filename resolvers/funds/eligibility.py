"""Needs that a fund may pay for, and why they stand in that order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from models.funds import eligibility
from models.funds.eligibility import FundTerm
from resolvers.common import Money, money
from resolvers.engine import words as w
from resolvers.enums import shown

if TYPE_CHECKING:
    from resolvers.exchange import Need, NeedFoundation

shown(FundTerm)


@strawberry.type(description="One reason for the place of a need among those that a fund may pay for.")
class FundReason:
    term: FundTerm = w.named("code", description="Which reason.")
    label: str = w.named("label", description="The same in words: `已等候12天`.")
    points: int = w.named("points", description="How many points of the score come of it; never 0.")


@strawberry.type(
    description="A need that a fund may pay for. Of whom it is for a foundation learns that he is eligible, and no more. 可资助需求。"
)
class EligibleNeed:
    need: Annotated[Need, strawberry.lazy("resolvers.exchange")] | None = w.one(
        "need_id", description="The need, without particulars."
    )
    request: Annotated[NeedFoundation, strawberry.lazy("resolvers.exchange")] | None = w.one(
        "asked_id", description="How the foundation was asked."
    )
    planned: Money = money(
        "planned_fen",
        description="What the foundation's plans hold for it and have not paid yet; 0 where there is no plan.",
    )
    waiting_days: int = w.named("days", description="Whole days since the foundation was asked.")
    score: int = w.named("score", description="The sum of the reasons' points; the higher, the earlier in the list.")
    reasons: list[FundReason] = w.listing(
        eligibility.terms, limit=3, description="Why it stands there: the reasons that have points."
    )
    sentence: str = w.expression(
        lambda row: eligibility.told(row),
        description="The same as a line: `符合资助条件 · 紧急程度4级 +4500 · 已等候12天 +600 · 基金可承担 +1000`.",
    )
