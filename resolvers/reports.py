"""Reports: sums and counts over what the caller may have counted. Their SELECTs stand in `models.reports.queries`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from models.reports import queries, visible
from models.territory.rules import DivisionLevel
from resolvers.common import Money, money
from resolvers.engine import words as w
from resolvers.engine.plans import BadInput
from resolvers.funds import Fund, Restriction
from resolvers.funds.types import bounds
from resolvers.territory import Division

if TYPE_CHECKING:
    from resolvers.exchange import ServiceCategory


@strawberry.type(description="Where money stood, what moved, and where it stands.")
class Movements:
    opening: Money = money("opening", description="At the beginning of the first day.")
    received: Money = money("received", description="Gifts, less those reversed.")
    spent: Money = money("spent", description="Payments, less those that came back.")
    refunded: Money = money("refunded", description="What went back to donors.")
    closing: Money = money("closing", description="At the end of the last day.")


AMOUNTS = ("opening", "received", "spent", "refunded", "closing")


@strawberry.type(description="A fund's statement over some days. Opening and movements reconcile to its ledger.")
class FundStatementLine:
    fund: Fund = w.one("fund_id", description="The fund.")
    total: Movements = w.inside(
        lambda row: {name: getattr(row, name) for name in AMOUNTS}, description="All of its money."
    )
    restricted: Movements = w.inside(
        lambda row: {name: getattr(row, f"{name}_restricted") for name in AMOUNTS},
        description="The part that donors have restricted.",
    )
    unrestricted: Movements = w.inside(
        lambda row: {name: getattr(row, name) - getattr(row, f"{name}_restricted") for name in AMOUNTS},
        description="The part that is free.",
    )


@strawberry.type(description="The part of a fund's statement that one restriction has. The parts sum to the statement.")
class FundRestrictionLine:
    fund: Fund = w.one("fund_id", description="The fund.")
    restriction: Restriction | None = w.inside(
        bounds, present="bound", description="What binds the gifts; null for those that nothing binds."
    )
    amounts: Movements = w.inside(
        lambda row: {name: getattr(row, name) for name in AMOUNTS}, description="Their money."
    )


@strawberry.type(description="One month of one fund.")
class FundMonth:
    fund: Fund = w.one("fund_id", description="The fund.")
    month: date = w.named("month", description="The month's first day.")
    opening: Money = money("opening", description="At the beginning of the month.")
    received: Money = money("received", description="Gifts, less those reversed.")
    spent: Money = money("spent", description="Payments, less those that came back.")
    refunded: Money = money("refunded", description="What went back to donors.")
    closing: Money = money("closing", description="At the end of the month.")
    donation_count: int = w.named("donation_count", description="How many gifts came, less those reversed.")


@strawberry.type(description="What was done in one division, of one category, in one month.")
class ParticipationLine:
    division: Division | None = w.one("division_code", target="code", description="The division.")
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] | None = w.one(
        "category_code", target="code", description="The root category; null where the report is not by category."
    )
    month: date | None = w.named("month", description="The month's first day; null where it is not by month.")
    sessions: int = w.named("sessions", description="Service sessions that took place. 场次。")
    person_times: int | None = w.named("person_times", description="How often somebody came as a volunteer. 人次。")
    persons: int | None = w.named(
        "persons", description="How many different volunteers came; does not add up over lines. 人数。"
    )
    served_registered: int | None = w.named(
        "served_registered", description="People served who are on record, once for each session."
    )
    served_unregistered: int | None = w.named("served_unregistered", description="People served who walked in.")
    minutes: int | None = w.named(
        "minutes", description="Minutes credited, less those reversed, booked in this period."
    )
    minutes_system: int | None = w.named("minutes_system", description="Of these, resting on check-in and check-out.")
    minutes_confirmed: int | None = w.named("minutes_confirmed", description="Of these, corrected by staff.")
    minutes_manual: int | None = w.named(
        "minutes_manual", description="Of these, proposed by hand and approved by another."
    )
    suppressed: bool = w.named(
        "suppressed",
        description="Whether some of the line's counts are withheld, and null: those under five, and those from which one could be reckoned. Staff who see the people themselves are told all.",
    )


@strawberry.type(description="How far the needs submitted in one division and month have come.")
class NeedFunnelLine:
    division: Division | None = w.one("division_code", target="code", description="The division.")
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] | None = w.one(
        "category_code", target="code", description="The root category; null where the report is not by category."
    )
    month: date | None = w.named(
        "month", description="The first day of the month of submission; null where it is not by month."
    )
    submitted: int | None = w.named("submitted", description="Needs submitted.")
    verified: int | None = w.named("verified", description="Of these, verified and opened.")
    matched: int | None = w.named("matched", description="Of these, some quantity is held by a commitment.")
    delivered: int | None = w.named("delivered", description="Of these, the whole quantity is delivered.")
    closed: int | None = w.named("closed", description="Of these, closed.")
    unmet: int | None = w.named("unmet", description="Of these, expired, or open and past due.")
    median_hours_to_verify: Decimal | None = w.named(
        "median_hours_to_verify", description="Half of the verified ones were opened within so many hours."
    )
    median_hours_to_close: Decimal | None = w.named(
        "median_hours_to_close", description="Half of the closed ones were closed within so many hours."
    )
    suppressed: bool = w.named(
        "suppressed",
        description="Whether some of the line's counts are withheld, and null: those under five, and those from which one could be reckoned. Staff who see the people themselves are told all.",
    )


@strawberry.type(description="How far the livelihood items of one division and month have come. 民生实事认领与办结。")
class LivelihoodLine:
    division: Division | None = w.one("division_code", target="code", description="The division.")
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] | None = w.one(
        "category_code", target="code", description="The root category; null where the report is not by category."
    )
    month: date | None = w.named(
        "month", description="The first day of the month of publication; null where it is not by month."
    )
    published: int | None = w.named("published", description="Items published.")
    claimed: int | None = w.named("claimed", description="Of these, taken on by somebody who was accepted. 认领。")
    completed: int | None = w.named("completed", description="Of these, settled with evidence. 销号。")
    overdue: int | None = w.named("overdue", description="Of these, past their deadline and not settled.")
    claim_rate: Decimal | None = w.named("claim_rate", description="`claimed` as a share of `published`, 0 to 1.")
    completion_rate: Decimal | None = w.named(
        "completion_rate", description="`completed` as a share of `published`, 0 to 1."
    )
    suppressed: bool = w.named(
        "suppressed",
        description="Whether some of the line's counts are withheld, and null: those under five, and those from which one could be reckoned. Staff who see the items themselves are told all.",
    )


def in_order(given: Mapping[str, Any]) -> None:
    """Raises BadInput for a span that ends before it begins."""
    if given["since"] > given["until"]:
        raise BadInput("结束日不能早于开始日。")


def some_months(given: Mapping[str, Any]) -> None:
    """Raises BadInput for no months, and for too many."""
    if not 1 <= given["months"] <= queries.MONTHS_AT_MOST:
        raise BadInput(f"月数须在 1 至 {queries.MONTHS_AT_MOST} 之间。")


SINCE = Annotated[date, strawberry.argument(name="from", description="The first day, in Shanghai.")]
UNTIL = Annotated[date, strawberry.argument(name="to", description="The last day, included.")]
FUND = Annotated[
    strawberry.ID | None, strawberry.argument(description="The one fund; all of the foundation's by default.")
]
MONTHS = Annotated[int, strawberry.argument(description="How many months, 1 to 36.")]
LEVEL = Annotated[DivisionLevel, strawberry.argument(description="By the divisions of which level.")]
AREA = Annotated[str | None, strawberry.argument(name="areaCode", description="Only inside the division of this code.")]
BY_CATEGORY = Annotated[bool, strawberry.argument(description="Whether lines are apart by root category.")]
BY_MONTH = Annotated[bool, strawberry.argument(description="Whether lines are apart by month.")]
GROUPED = {
    "since": (SINCE, strawberry.UNSET),
    "until": (UNTIL, strawberry.UNSET),
    "level": (LEVEL, DivisionLevel.DISTRICT),
    "area": (AREA, None),
    "by_category": (BY_CATEGORY, True),
    "by_month": (BY_MONTH, True),
}
SPAN = {"since": (SINCE, strawberry.UNSET), "until": (UNTIL, strawberry.UNSET), "fund": (FUND, None)}


@strawberry.type
class ReportsQuery:
    fund_statement: list[FundStatementLine] = w.report(
        queries.fund_statement,
        SPAN,
        check=in_order,
        description="Where the funds of the caller's foundation stood, what moved, where they stand; by the name of the fund. Auditors read all.",
    )
    fund_restrictions: list[FundRestrictionLine] = w.report(
        queries.fund_restrictions,
        SPAN,
        check=in_order,
        description="The same, by what donors bound their gifts to.",
    )
    fund_months: list[FundMonth] = w.report(
        queries.fund_months,
        {"since": (SINCE, strawberry.UNSET), "months": (MONTHS, 12)},
        check=some_months,
        description="Every fund of the caller's foundation, month by month, quiet months included; by name, then month. Auditors read all.",
    )
    five_society_participation: list[ParticipationLine] = w.report(
        queries.five_society_participation,
        GROUPED,
        check=in_order,
        description="Sessions, person-times, distinct persons and minutes in the caller's area or of his organization.",
    )
    need_funnel: list[NeedFunnelLine] = w.report(
        queries.need_funnel,
        GROUPED,
        check=in_order,
        description="How far needs came in the caller's area, by the month in which they were submitted.",
    )
    livelihood_items: list[LivelihoodLine] = w.report(
        queries.livelihood_items,
        GROUPED,
        check=in_order,
        description="How far livelihood items came in the caller's area, by the month in which they were published.",
    )


__all__ = ["ReportsQuery", "visible"]
