"""Reports as SELECTs: what counts, by what, in which order. Every FROM is handed over by `view`, already filtered.

Days and months are Shanghai's; both ends of a span are inside it. Money is fen, effort minutes. An argument that a
caller leaves out is bound as NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from models.access import FUND_ROLES, NOBODY, Role
from models.base import table
from models.funds.tables import (
    Donation,
    Fund,
    FundMonth,
    LedgerAccount,
    LedgerEntry,
    LedgerTxn,
    SpendTrace,
)
from models.reports.small_cells import guarded
from models.reports.tables import ATTENDANCE_FACT, HOUR_FACT, ITEM_FACT, NEED_FACT, SESSION_FACT
from models.territory.queries import under

MONTHS_AT_MOST = 36
DIGITS = {"CITY": 4, "DISTRICT": 6, "STREET": 9, "COMMUNITY": 12, "VILLAGE": 12}
"""How many digits the code of each level of division has."""
ZERO = sa.literal_column("0", sa.BigInteger())
MONTH = sa.literal_column("'month'", sa.Text())


def whole(expression: Any) -> Any:
    """A sum as a whole number, 0 for none."""
    return sa.cast(sa.func.coalesce(expression, ZERO), sa.BigInteger())


def summed(column: Any, *conditions: Any) -> Any:
    """A sum over the rows that meet conditions, 0 for none."""
    return whole(sa.func.sum(column).filter(sa.and_(*conditions)))


def first_of(day: Any) -> Any:
    """The first day of a day's month."""
    return sa.cast(sa.func.date_trunc(MONTH, sa.cast(day, sa.TIMESTAMP())), sa.Date())


def midnight(day: Any) -> Any:
    """The instant at which a day begins in Shanghai."""
    return sa.func.timezone("Asia/Shanghai", sa.cast(day, sa.TIMESTAMP()))


def own_funds(view: Any, fund: Any) -> Any:
    """Whose books the asker may read: his foundation's; an auditor everybody's."""
    if view.actor.role is Role.AUDITOR:
        return sa.true()
    return fund.c.organization_id == view.actor.organization if view.actor.role in FUND_ROLES else NOBODY


def fund_months(view: Any, since: Any, months: Any) -> sa.Select[Any]:
    """The caller's funds, month by month from the month of `since` on, from the roll-up; quiet months included."""
    fund = view.rows(Fund, order=("name", "id"), where=lambda fund: own_funds(view, fund))
    rolled, before = view.rows(FundMonth), view.rows(FundMonth)
    ahead = sa.values(sa.column("months", sa.Integer()), name="ahead", literal_binds=True).data(
        [(n,) for n in range(MONTHS_AT_MOST)]
    )  # not generate_series, of which the planner believes a thousand rows, and so would plan anew each time
    first = sa.cast(first_of(since), sa.TIMESTAMP())
    span = (
        sa.select(
            sa.cast(first + sa.func.make_interval(sa.literal_column("0"), ahead.c.months), sa.Date()).label("month"),
            ahead.c.months,
        )
        .where(ahead.c.months < sa.func.greatest(sa.func.coalesce(months, 12), 1))
        .offset(sa.literal_column("0"))  # each month is reckoned once, not wherever it is read
        .subquery("span")
    )
    month = span.c.month
    carried = (
        sa.select(before.c.closing_fen)
        .where(before.c.fund_id == fund.c.id, before.c.month < month)
        .order_by(before.c.month.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        sa.select(
            fund.c.id.label("fund_id"),
            month.label("month"),
            sa.func.coalesce(rolled.c.opening_fen, carried, ZERO).label("opening"),
            sa.func.coalesce(rolled.c.received_fen, ZERO).label("received"),
            sa.func.coalesce(rolled.c.spent_fen, ZERO).label("spent"),
            sa.func.coalesce(rolled.c.refunded_fen, ZERO).label("refunded"),
            sa.func.coalesce(rolled.c.closing_fen, carried, ZERO).label("closing"),
            sa.func.coalesce(rolled.c.gift_count, 0).label("donation_count"),
        )
        .select_from(
            fund.join(span, sa.true()).outerjoin(
                rolled, sa.and_(rolled.c.fund_id == fund.c.id, rolled.c.month == month)
            )
        )
        .order_by(fund.c.place * MONTHS_AT_MOST + span.c.months)  # one number: by name and id, then month
    )


def fund_statement(view: Any, since: Any, until: Any, fund: Any = None) -> sa.Select[Any]:
    """Where the caller's funds stood, what moved, where they stand: in all, and the restricted part of it (R4).

    The opening is the last month closed before `since`, and what the ledger has between that month's end and
    `since`; all else is the ledger's entries of the span. So opening and movements of a span reconcile to the ledger.
    """
    funds, before = view.rows(Fund), view.rows(FundMonth)
    entry, account, txn = view.rows(LedgerEntry), view.rows(LedgerAccount), view.rows(LedgerTxn)
    start, end = midnight(since), midnight(sa.cast(until, sa.Date()) + 1)
    earlier, within = entry.c.at < start, entry.c.at >= start
    cash, income = account.c.kind == "ASSET", account.c.kind == "INCOME"
    refund = txn.c.kind == "REFUND"
    moved = (
        sa.select(
            entry.c.fund_id,
            summed(entry.c.amount_fen, earlier, cash).label("carried"),
            summed(-entry.c.amount_fen, earlier, account.c.restricted).label("carried_restricted"),
            summed(-entry.c.amount_fen, within, income, sa.not_(refund)).label("received"),
            summed(-entry.c.amount_fen, within, income, sa.not_(refund), account.c.restricted).label(
                "received_restricted"
            ),
            summed(entry.c.amount_fen, within, account.c.kind == "EXPENSE").label("spent"),
            summed(entry.c.amount_fen, within, account.c.account == "NET_RESTRICTED").label("spent_restricted"),
            summed(entry.c.amount_fen, within, income, refund).label("refunded"),
            summed(entry.c.amount_fen, within, income, refund, account.c.restricted).label("refunded_restricted"),
        )
        .select_from(entry.join(account, account.c.id == entry.c.account_id).join(txn, txn.c.id == entry.c.txn_id))
        .where(entry.c.at >= midnight(first_of(since)), entry.c.at < end)
        .group_by(entry.c.fund_id)
        .subquery("moved")
    )
    closed = (
        sa.select(before.c.fund_id, before.c.closing_fen, before.c.restricted_fen)
        .where(before.c.month < first_of(since))
        .ext(distinct_on(before.c.fund_id))
        .order_by(before.c.fund_id, before.c.month.desc())
        .subquery("closed")
    )
    opening = whole(closed.c.closing_fen) + whole(moved.c.carried)
    restricted = whole(closed.c.restricted_fen) + whole(moved.c.carried_restricted)
    columns: list[Any] = [funds.c.id.label("fund_id"), opening.label("opening"), restricted.label("opening_restricted")]
    for name in ("received", "spent", "refunded"):
        columns += [whole(moved.c[n]).label(n) for n in (name, f"{name}_restricted")]
    columns += [
        (opening + whole(moved.c.received) - whole(moved.c.spent) - whole(moved.c.refunded)).label("closing"),
        (
            restricted
            + whole(moved.c.received_restricted)
            - whole(moved.c.spent_restricted)
            - whole(moved.c.refunded_restricted)
        ).label("closing_restricted"),
    ]
    return (
        sa.select(*columns)
        .select_from(
            funds.outerjoin(moved, moved.c.fund_id == funds.c.id).outerjoin(closed, closed.c.fund_id == funds.c.id)
        )
        .where(own_funds(view, funds), sa.or_(sa.cast(fund, sa.Uuid()).is_(None), funds.c.id == fund))
        .order_by(funds.c.name, funds.c.id)
    )


def fund_restrictions(view: Any, since: Any, until: Any, fund: Any = None) -> sa.Select[Any]:
    """The same, by what donors bound their gifts to: from the postings of gifts and the traces of payments (R4).

    The sum of its lines is the statement of the fund.
    """
    gift, posting, trace = view.rows(Donation), view.rows(LedgerTxn), view.rows(SpendTrace)
    entry, account, funds = view.rows(LedgerEntry), view.rows(LedgerAccount), view.rows(Fund)
    start, end = midnight(since), midnight(sa.cast(until, sa.Date()) + 1)
    income = sa.case((posting.c.kind == "REFUND", 0), else_=entry.c.amount_fen)
    came = (
        sa.select(
            posting.c.donation_id,
            posting.c.at,
            income.label("received"),
            (income - entry.c.amount_fen).label("refunded"),
            ZERO.label("spent"),
        )
        .select_from(
            posting.join(entry, entry.c.txn_id == posting.c.id).join(account, account.c.id == entry.c.account_id)
        )
        .where(account.c.account == "BANK", posting.c.donation_id.is_not(None), posting.c.at < end)
    )
    went = sa.select(
        trace.c.donation_id,
        trace.c.at,
        ZERO.label("received"),
        ZERO.label("refunded"),
        trace.c.amount_fen.label("spent"),
    ).where(trace.c.at < end)
    moves = sa.union_all(came, went).subquery("moves")
    net = moves.c.received - moves.c.refunded - moves.c.spent
    bounds = (gift.c.category_code, gift.c.restricted_area, gift.c.restricted_from, gift.c.restricted_to)
    earlier, within = moves.c.at < start, moves.c.at >= start
    return (
        sa.select(
            gift.c.fund_id,
            *bounds,
            summed(net, earlier).label("opening"),
            *(summed(moves.c[name], within).label(name) for name in ("received", "spent", "refunded")),
            whole(sa.func.sum(net)).label("closing"),
        )
        .select_from(moves.join(gift, gift.c.id == moves.c.donation_id).join(funds, funds.c.id == gift.c.fund_id))
        .where(own_funds(view, gift), sa.or_(sa.cast(fund, sa.Uuid()).is_(None), gift.c.fund_id == fund))
        .group_by(funds.c.name, gift.c.fund_id, *bounds)
        .order_by(funds.c.name, gift.c.fund_id, *(b.nulls_first() for b in bounds))
    )


def by_place(rows: Any, level: Any, by_category: Any, by_month: Any) -> tuple[Any, Any, Any]:
    """What a report groups by: the division of a level, the root of the category and the month, where asked for."""
    digits = sa.case(*((level == name, n) for name, n in DIGITS.items()))
    return (
        sa.func.left(rows.c.area, digits),
        sa.case((sa.func.coalesce(by_category, True), sa.func.split_part(rows.c.category_code, ".", 1))),
        sa.case((sa.func.coalesce(by_month, True), first_of(rows.c.on_day))),
    )


def spanned(rows: Any, since: Any, until: Any, area: Any) -> Any:
    """Which rows a report counts: of its days, and of its area where it names one."""
    code = sa.cast(area, sa.Text())
    return sa.and_(rows.c.on_day >= since, rows.c.on_day <= until, sa.or_(code.is_(None), under(rows.c.area, code)))


ACTIVITY = (
    "sessions",
    "person_times",
    "persons",
    "served_registered",
    "served_unregistered",
    "minutes",
    "minutes_system",
    "minutes_confirmed",
    "minutes_manual",
)


def five_society_participation(
    view: Any, since: Any, until: Any, level: Any, area: Any = None, by_category: Any = None, by_month: Any = None
) -> sa.Select[Any]:
    """Sessions, person-times and distinct persons, people served and minutes, by division, category root and month (R1).

    Sessions and who came to them count by the day of the session, minutes by the day whose period their entry belongs
    to: a locked session's corrections fall into a later one (I24). Distinct persons do not add up over lines.
    """

    def part(rows: Any, **measures: Any) -> sa.Select[Any]:
        groups = by_place(rows, level, by_category, by_month)
        columns = [whole(measures[name]).label(name) if name in measures else ZERO.label(name) for name in ACTIVITY]
        return (
            sa.select(*(g.label(n) for g, n in zip(groups, GROUPS, strict=True)), *columns)
            .where(spanned(rows, since, until, area))
            .group_by(sa.text("1, 2, 3"))
        )

    session, came, hour = view.rows(SESSION_FACT), view.rows(ATTENDANCE_FACT), view.rows(HOUR_FACT)
    of_trust = {
        f"minutes_{trust.lower()}": sa.func.sum(hour.c.minutes).filter(hour.c.trust == trust)
        for trust in ("SYSTEM", "CONFIRMED", "MANUAL")
    }
    counted = sa.union_all(
        part(
            session,
            sessions=sa.func.count(),
            served_registered=sa.func.sum(session.c.registered),
            served_unregistered=sa.func.sum(session.c.unregistered),
        ),
        part(came, person_times=sa.func.count(), persons=sa.func.count(sa.distinct(came.c.volunteer_id))),
        part(hour, minutes=sa.func.sum(hour.c.minutes), **of_trust),
    ).subquery("counted")
    lines = _lines(counted, [whole(sa.func.sum(counted.c[name])).label(name) for name in ACTIVITY])
    minutes = [name for name in ACTIVITY if name.startswith("minutes")]  # of one person they are his
    people = ("person_times", "persons", "served_registered", "served_unregistered")
    return guarded(view.actor, lines, GROUPS, people, dict.fromkeys(minutes, "persons"))


GROUPS = ("division_code", "category_code", "month")


def _lines(rows: Any, measures: list[Any]) -> sa.Select[Any]:
    """A report's lines by division, category and month."""
    groups = [rows.c[name] for name in GROUPS]
    return sa.select(*groups, *measures).group_by(*groups)


def need_funnel(
    view: Any, since: Any, until: Any, level: Any, area: Any = None, by_category: Any = None, by_month: Any = None
) -> sa.Select[Any]:
    """How far the needs of a span came: submitted, verified, matched, delivered, closed; how fast; what is unmet (R2).

    A need counts in the month in which it was submitted, by what is known of it now. Verified: it was opened.
    Matched: a commitment holds some of it. Delivered: the whole quantity. Unmet: expired, or past due and open.
    """
    need = view.rows(NEED_FACT)
    groups = by_place(need, level, by_category, by_month)
    rows = (
        sa.select(*(g.label(n) for g, n in zip(groups, GROUPS, strict=True)), *need.c)
        .where(spanned(need, since, until, area))
        .subquery("needs")
    )
    c = rows.c
    unmet = sa.or_(
        c.status == "EXPIRED",
        sa.and_(
            c.status == sa.any_(sa.literal_column("ARRAY['OPEN', 'IN_PROGRESS']::text[]")), c.due_at < view.actor.now
        ),
    )

    def median_hours(until_: Any, condition: Any) -> Any:
        hours = sa.func.extract("epoch", until_ - c.created_at) / 3600
        median = sa.func.percentile_cont(0.5).within_group(hours).filter(condition)
        return sa.cast(sa.func.round(sa.cast(median, sa.Numeric()), 2), sa.Numeric(20, 2))

    opened, closed = c.opened_at.is_not(None), c.status == "CLOSED"
    lines = _lines(
        rows,
        [
            sa.func.count().label("submitted"),
            sa.func.count().filter(opened).label("verified"),
            sa.func.count().filter(c.qty_committed > 0).label("matched"),
            sa.func.count().filter(c.qty_delivered >= c.qty_total).label("delivered"),
            sa.func.count().filter(closed).label("closed"),
            sa.func.count().filter(unmet).label("unmet"),
            median_hours(c.opened_at, opened).label("median_hours_to_verify"),
            median_hours(c.closed_at, closed).label("median_hours_to_close"),
        ],
    )
    steps = ("submitted", "verified", "matched", "delivered", "closed", "unmet")
    speeds = {"median_hours_to_verify": "verified", "median_hours_to_close": "closed"}
    return guarded(view.actor, lines, GROUPS, steps, speeds)


def livelihood_items(
    view: Any, since: Any, until: Any, level: Any, area: Any = None, by_category: Any = None, by_month: Any = None
) -> sa.Select[Any]:
    """How far livelihood items came that were published in a span: taken on, settled, overdue, and the rates (R9).

    An item counts in the month in which it was published, by what is known of it now; rates are shares of what was
    published, to four places. Overdue: past its deadline and not settled.
    """
    item = view.rows(ITEM_FACT)
    groups = by_place(item, level, by_category, by_month)
    rows = (
        sa.select(*(g.label(n) for g, n in zip(groups, GROUPS, strict=True)), *item.c)
        .where(spanned(item, since, until, area))
        .subquery("items")
    )
    c = rows.c
    closed = c.status == "CLOSED"
    overdue = sa.and_(sa.not_(closed), c.due_at < view.actor.now)

    def share(*conditions: Any) -> Any:
        part = sa.cast(sa.func.count().filter(*conditions), sa.Numeric())
        return sa.cast(sa.func.round(part / sa.func.count(), 4), sa.Numeric(5, 4))

    lines = _lines(
        rows,
        [
            sa.func.count().label("published"),
            sa.func.count().filter(c.claimed).label("claimed"),
            sa.func.count().filter(closed).label("completed"),
            sa.func.count().filter(overdue).label("overdue"),
            share(c.claimed).label("claim_rate"),
            share(closed).label("completion_rate"),
        ],
    )
    counts = ("published", "claimed", "completed", "overdue")
    return guarded(view.actor, lines, GROUPS, counts, {"claim_rate": "claimed", "completion_rate": "completed"})


class Looking:
    """What the engine's `view` is, for statements that verbs and exports run: rows that a viewer may see."""

    def __init__(self, viewer: Any, seen: Any) -> None:
        self.actor, self._seen = viewer, seen

    def rows(self, of: Any, order: Sequence[str] = (), where: Callable[[Any], Any] | None = None) -> Any:
        """A table's rows that he may see, as a FROM; `where` leaves some out; in an order each says its `place`."""
        source: sa.Table = of if isinstance(of, sa.Table) else table(of)
        alias = source.alias()
        conditions = (*self._seen(alias, source.name, self.actor), *((where(alias),) if where is not None else ()))
        place = [sa.func.row_number().over(order_by=[alias.c[name] for name in order]).label("place")] if order else []
        return sa.select(*alias.c, *place).where(*conditions).subquery() if conditions or place else alias
