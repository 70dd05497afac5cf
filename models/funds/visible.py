"""Who may see which rows about money (docs/domain.md).

A token is for one capacity: a foundation's people see what is the foundation's, all of it, and their own gifts when
they come as themselves. So every condition of theirs is one equality, which an index serves.

I21: a donor's name leaves `donor_name` for the finance roles of the foundation that he gave to, in the answer of the very
mutation that reveals it (as in `models.people.visible`), and for nobody else; an anonymous donor has no row there. A gift whose donor does not consent is seen by that foundation, by its donor and
by auditors; `public_name` says nothing of him.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import FUND_ROLES, NOBODY, Role, Viewer, public, visible, within
from models.base import table
from models.funds.rules import FINANCE, DonationStatus
from models.funds.tables import DonorReveal
from models.people.visible import XID

Shown = sa.ColumnElement[bool] | None
LOCAL = frozenset({Role.SOCIAL_WORKER, Role.COMMUNITY_STAFF})
"""Staff who see what is planned and paid for their area."""

public("fund", "fund_balance", "fund_month")


def _foundations(row: Any, viewer: Viewer) -> sa.ColumnElement[bool]:
    """What is the asker's foundation's."""
    own: sa.ColumnElement[bool] = row.organization_id == viewer.organization
    return own


def _planned(row: Any, viewer: Viewer) -> sa.ColumnElement[bool]:
    """What staff see of allocations and all that hangs on them: their area's, and what they asked for."""
    asked: sa.ColumnElement[bool] = row.requested_by == viewer.person
    if viewer.role in LOCAL:
        return sa.or_(asked, sa.and_(within(row.area, viewer), sa.not_(row.sealed)))
    return asked if viewer.role is not Role.PUBLIC else NOBODY


@visible("donor")
def donor(row: Any, viewer: Viewer) -> Shown:
    """Masked: the foundation, auditors, and the donor himself."""
    if viewer.role in FUND_ROLES:
        return _foundations(row, viewer)
    if viewer.role is Role.AUDITOR:
        return None
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    return own if viewer.role is not Role.PUBLIC else NOBODY


@visible("donor_name")
def donor_name(row: Any, viewer: Viewer) -> Shown:
    """Plain: one reveal's answer, to the foundation's maker, checker or authoriser."""
    if viewer.role not in FINANCE:
        return NOBODY
    read = table(DonorReveal).alias("read")
    revealed = sa.exists().where(
        row.donor_id == sa.any_(read.c.donors),
        read.c.xid == XID,
        read.c.at == viewer.now,
        read.c.actor_id == viewer.person,
        read.c.organization_id == row.organization_id,
    )
    return sa.and_(_foundations(row, viewer), revealed)


@visible("donor_reveal")
def donor_reveal(row: Any, viewer: Viewer) -> Shown:
    """Who revealed, and auditors."""
    if viewer.role is Role.AUDITOR:
        return None
    return sa.and_(_foundations(row, viewer), row.actor_id == viewer.person) if viewer.role in FINANCE else NOBODY


@visible("disbursement_line")
def disbursement_line(row: Any, viewer: Viewer) -> Shown:
    """A matter of the verbs: nobody's to read."""
    return NOBODY


@visible("donation", implies=("fund_id",))
def donation(row: Any, viewer: Viewer) -> Shown:
    """The foundation and auditors; a donor his own; everybody those whose donor wishes to be named."""
    if viewer.role in FUND_ROLES:
        return _foundations(row, viewer)
    if viewer.role is Role.AUDITOR:
        return None
    named = sa.and_(row.publish_name, row.status == DonationStatus.RECEIVED.value)
    return named if viewer.role is Role.PUBLIC else sa.or_(named, row.person_id == viewer.person)


@visible("allocation")
def allocation(row: Any, viewer: Viewer) -> Shown:
    """The foundation, auditors, staff of the area, and who asked for it."""
    if viewer.role in FUND_ROLES:
        return _foundations(row, viewer)
    if viewer.role is Role.AUDITOR:
        return None
    if viewer.role is Role.NGO_STAFF:
        return sa.or_(row.requested_by == viewer.person, row.requester_organization_id == viewer.organization)
    return _planned(row, viewer)


@visible("allocation_line", implies=("allocation_id", "fund_id"))
def allocation_line(row: Any, viewer: Viewer) -> Shown:
    """Whoever sees the allocation, save an organization's other staff; the gift behind it has a rule of its own."""
    if viewer.role in FUND_ROLES:
        return _foundations(row, viewer)
    return None if viewer.role is Role.AUDITOR else _planned(row, viewer)


@visible("disbursement")
def disbursement(row: Any, viewer: Viewer) -> Shown:
    """The foundation, auditors, staff of the area, who asked for it, and the payee."""
    if viewer.role in FUND_ROLES:
        return _foundations(row, viewer)
    if viewer.role is Role.AUDITOR:
        return None
    if viewer.role is Role.NGO_STAFF:
        return sa.or_(
            row.requested_by == viewer.person,
            row.requester_organization_id == viewer.organization,
            row.payee_organization_id == viewer.organization,
        )
    if viewer.role is Role.PUBLIC:
        return NOBODY
    return sa.or_(_planned(row, viewer), row.payee_person_id == viewer.person)


@visible("spend_trace", implies=("fund_id",))
def spend_trace(row: Any, viewer: Viewer) -> Shown:
    """The foundation, auditors, staff of the area, who asked for it, and the donor whose money it was (art. 42)."""
    if viewer.role in FUND_ROLES:
        return _foundations(row, viewer)
    if viewer.role is Role.AUDITOR:
        return None
    if viewer.role is Role.PUBLIC:
        return NOBODY
    return sa.or_(_planned(row, viewer), row.donor_person_id == viewer.person)


def _books(row: Any, viewer: Viewer) -> Shown:
    """The foundation's people and auditors."""
    if viewer.role is Role.AUDITOR:
        return None
    return _foundations(row, viewer) if viewer.role in FUND_ROLES else NOBODY


visible("ledger_account", implies=("fund_id",))(_books)
visible("ledger_txn", implies=("donation_id", "disbursement_id"))(_books)
visible("ledger_entry", implies=("txn_id", "account_id", "fund_id"))(_books)
