"""Selections of money: which gifts admit a purpose, how much of each is free, and whose locks are taken first.

Whoever moves a fund's money, or binds it, holds the fund's row: locks are taken on funds by id, then on the
allocation, then on the disbursement. Gifts and lines of a locked fund need no lock of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

import models.exchange.visible
import models.funds.visible
import models.people.visible  # noqa: F401  (statements below, and the verbs', are written with these rules)
from models.access import Role, seen
from models.base import INSTANT, table
from models.database import Seen, Statement
from models.exchange.tables import ServiceCategory
from models.funds.rules import FINANCE, MAY
from models.funds.tables import Allocation, AllocationLine, Disbursement, DisbursementLine, Donation, Fund
from models.people.conflicts import unconcerned
from models.people.holding import holds
from models.people.organizations import Membership, Organization
from models.people.visible import today
from models.territory.tables import Division

allocation, disbursement, donation = table(Allocation), table(Disbursement), table(Donation)
fund, line, held = table(Fund), table(AllocationLine), table(DisbursementLine)
ID = sa.bindparam("id", type_=sa.Uuid())
ORGANIZATION = sa.bindparam("organization", type_=sa.Uuid())
FUND = sa.bindparam("fund", type_=sa.Uuid())
PAGE = 1_000
"""How many gifts are looked at at once."""


def free(row: Any) -> Any:
    """How much of a gift, in fen, is neither held by an allocation nor given back."""
    return row.amount_fen - row.allocated_fen - row.refunded_fen


def unspent(row: Any) -> Any:
    """How much of a gift, in fen, is neither spent nor given back."""
    return row.amount_fen - row.spent_fen - row.refunded_fen


def admits(row: Any, category: Any, area: Any, on: Any) -> sa.ColumnElement[bool]:
    """Whether a gift admits a purpose (I15); `restrictions.Restriction.admits` says the same of one."""
    return sa.and_(
        sa.or_(row.category_code.is_(None), sa.func.category_within(category, row.category_code)),
        sa.or_(row.restricted_area.is_(None), sa.func.starts_with(area, row.restricted_area)),
        sa.or_(row.restricted_from.is_(None), row.restricted_from <= on),
        sa.or_(row.restricted_to.is_(None), row.restricted_to >= on),
    )


PURPOSE = (
    sa.bindparam("category", type_=sa.Text()),
    sa.bindparam("area", type_=sa.Text()),
    sa.bindparam("on", type_=sa.Date()),
)
FREE = sa.and_(
    donation.c.amount_fen > donation.c.allocated_fen + donation.c.refunded_fen,
    donation.c.status == sa.literal_column("'RECEIVED'"),
)
GIFT = (
    donation.c.id,
    donation.c.no,
    donation.c.fund_id,
    donation.c.restricted,
    donation.c.category_code,
    donation.c.restricted_area,
    donation.c.restricted_from,
    donation.c.restricted_to,
    donation.c.breadth,
    donation.c.received_at,
    free(donation.c).label("free"),
)
NARROWEST = (donation.c.breadth, donation.c.received_at, donation.c.id)


def scope(one_fund: bool) -> sa.ColumnElement[bool]:
    """A foundation's gifts, or one fund's."""
    own: sa.ColumnElement[bool] = donation.c.organization_id == ORGANIZATION
    return sa.and_(own, donation.c.fund_id == FUND) if one_fund else own


def candidates(one_fund: bool) -> Statement:
    """Free gifts that admit a purpose, narrowest first, from a place in that order on."""
    after = (
        sa.bindparam("breadth", type_=sa.Integer()),
        sa.bindparam("received_at", type_=INSTANT),
        sa.bindparam("after", type_=sa.Uuid()),
    )
    return Statement(
        sa.select(*GIFT)
        .where(scope(one_fund), FREE, admits(donation.c, *PURPOSE), sa.tuple_(*NARROWEST) > sa.tuple_(*after))
        .order_by(*NARROWEST)
        .limit(PAGE)
    )


CANDIDATES = {one_fund: candidates(one_fund) for one_fund in (False, True)}
NAMED = Statement(
    sa.select(*GIFT)
    .where(
        donation.c.organization_id == ORGANIZATION,
        donation.c.status == sa.literal_column("'RECEIVED'"),
        donation.c.id == sa.any_(sa.bindparam("donations", type_=sa.ARRAY(sa.Uuid()))),
    )
    .order_by(*NARROWEST)
)
ALL_FREE = {
    one_fund: Statement(
        sa.select(
            sa.func.coalesce(sa.func.sum(free(donation.c)), 0).label("free"),
            sa.func.coalesce(sa.func.sum(free(donation.c)).filter(admits(donation.c, *PURPOSE)), 0).label("admitted"),
        ).where(scope(one_fund), FREE)
    )
    for one_fund in (False, True)
}
"""How much is free at all, and how much of it admits a purpose."""

LOCK_FUND = Statement(sa.select(fund).where(fund.c.id == ID).with_for_update(key_share=True))
LOCK_FUNDS = Statement(
    sa.select(fund.c.id)
    .where(fund.c.organization_id == ORGANIZATION, sa.or_(sa.cast(FUND, sa.Uuid()).is_(None), fund.c.id == FUND))
    .order_by(fund.c.id)
    .with_for_update(key_share=True)
)
"""Every fund of a foundation, or the one that is named."""
LOCK_HELD = Statement(
    sa.select(fund.c.id)
    .where(fund.c.id.in_(sa.select(line.c.fund_id).where(line.c.allocation_id == ID)))
    .order_by(fund.c.id)
    .with_for_update(key_share=True)
)
"""The funds whose gifts an allocation holds."""

A_FUND = Statement(sa.select(fund).where(fund.c.id == ID))
PEEK_ALLOCATION = Seen(
    lambda viewer: sa.select(allocation).where(allocation.c.id == ID, *seen(allocation, "allocation", viewer))
)
LOCK_ALLOCATION = Statement(sa.select(allocation).where(allocation.c.id == ID).with_for_update())
PEEK_DISBURSEMENT = Seen(
    lambda viewer: sa.select(disbursement).where(disbursement.c.id == ID, *seen(disbursement, "disbursement", viewer))
)
LOCK_DISBURSEMENT = Statement(sa.select(disbursement).where(disbursement.c.id == ID).with_for_update())
PEEK_DONATION = Seen(lambda viewer: sa.select(donation).where(donation.c.id == ID, *seen(donation, "donation", viewer)))
LOCK_DONATION = Statement(sa.select(donation).where(donation.c.id == ID).with_for_update())

LINES = Statement(
    sa.select(
        line.c.id,
        line.c.donation_id,
        line.c.fund_id,
        line.c.restricted,
        (line.c.amount_fen - line.c.consumed_fen - line.c.returned_fen - line.c.held_fen).label("rest"),
        donation.c.no,
        donation.c.person_id,
        donation.c.category_code,
        donation.c.restricted_area,
        donation.c.restricted_from,
        donation.c.restricted_to,
    )
    .select_from(line.join(donation, donation.c.id == line.c.donation_id))
    .where(
        line.c.allocation_id == ID,
        line.c.amount_fen > line.c.consumed_fen + line.c.returned_fen + line.c.held_fen,
    )
    .order_by(line.c.position)
)
"""What an allocation still holds of each gift and no payment at the bank does, in the order in which it is consumed."""
HELD = Statement(
    sa.select(held.c.line_id, held.c.amount_fen, line.c.fund_id, line.c.restricted)
    .select_from(held.join(line, line.c.id == held.c.line_id))
    .where(held.c.disbursement_id == ID)
    .order_by(line.c.position)
)
"""What a payment at the bank holds of its allocation's lines."""

category, division = table(ServiceCategory), table(Division)
KNOWN = Statement(
    sa.select(
        sa.or_(PURPOSE[0].is_(None), sa.exists().where(category.c.code == PURPOSE[0])).label("category"),
        sa.or_(PURPOSE[1].is_(None), sa.exists().where(division.c.code == PURPOSE[1])).label("area"),
    )
)
"""Whether a category and a division of these codes exist; none is fine."""


NO = sa.literal_column("false", sa.Boolean())


def may(row: Any, viewer: Any, verb: str, steps: Mapping[tuple[str, Any], Any], *others: Any) -> Any:
    """Whether the asker may take a step of his foundation's now, as its verb decides: role, state, and other hands.

    `others` are columns of people none of whom he may be.
    """
    if viewer.role not in MAY[verb]:
        return NO
    name = verb.rpartition(".")[2]
    states = ", ".join(f"'{status.value}'" for (taken, status) in steps if taken == name)
    return sa.func.coalesce(
        sa.and_(
            row.organization_id == viewer.organization,
            row.status == sa.any_(sa.literal_column(f"ARRAY[{states}]::text[]")),
            *(other.is_distinct_from(viewer.person) for other in others),
        ),
        NO,
    )


def belongs(memberships: Any, organizations: Any, payee: Any, person: Any, on: Any) -> Any:
    """Whether a person holds an office in an organization that is paid, or is its contact (I17)."""
    office = sa.exists().where(
        memberships.organization_id == payee,
        memberships.person_id == person,
        holds(memberships, on),
    )
    return sa.or_(office, sa.exists().where(organizations.id == payee, organizations.contact_id == person))


def may_sign(row: Any, view: Any, verb: str, steps: Mapping[tuple[str, Any], Any], *others: Any) -> Any:
    """The same for a payment's checker and authoriser, who is nobody of the payee: one's own offices one may see."""
    if view.actor.role not in MAY[verb]:
        return NO
    paid = belongs(
        *(view.rows(Membership).c, view.rows(Organization).c),
        *(row.payee_organization_id, view.actor.person, today(view.actor)),
    )
    close = unconcerned(view, [row.payee_person_id], [row.payee_organization_id])
    return sa.and_(may(row, view.actor, verb, steps, row.payee_person_id, *others), sa.not_(paid), *close)


def may_confirm(row: Any, viewer: Any) -> Any:
    """Whether the asker, who sees a payment, may say now what became of it."""
    if viewer.role not in MAY["disbursement.confirm"]:
        return NO
    possible = row.status == sa.any_(sa.literal_column("ARRAY['PAID', 'NOT_RECEIVED']::text[]"))
    concerned = {
        **dict.fromkeys(FINANCE, row.organization_id == viewer.organization),
        Role.NGO_STAFF: sa.or_(
            row.payee_organization_id == viewer.organization, row.requester_organization_id == viewer.organization
        ),
        Role.RESIDENT: row.payee_person_id == viewer.person,
    }
    another = row.maker_id.is_distinct_from(viewer.person)
    return sa.func.coalesce(sa.and_(possible, another, concerned.get(viewer.role, sa.true())), NO)


def plain_name(names: Any, donor: Any) -> Any:
    """A donor's sealed name among the rows that may be seen."""
    return sa.select(names.c.name).where(names.c.donor_id == donor).scalar_subquery()


def account_balance(entries: Any, row: Any) -> Any:
    """An account's balance on its own side, in fen: credits less debits where credits raise it."""
    total = sa.select(sa.func.coalesce(sa.func.sum(entries.c.amount_fen), 0)).where(entries.c.account_id == row.id)
    raised_by_debits = row.kind == sa.any_(sa.literal_column("ARRAY['ASSET', 'EXPENSE']::text[]"))
    sign = sa.case((raised_by_debits, 1), else_=-1)
    return sa.cast(total.scalar_subquery() * sign, sa.BigInteger())
