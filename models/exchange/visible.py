"""Who may see the marketplace (docs/domain.md).

Open needs of the NORMAL kind are public by title, category and community; what else a need says is for those in whom
`queries.in_full` trusts: its parties, staff of its area, and a provider from CONFIRMED until 24 h after the service.
RESTRICTED ones are for those whom they concern and the staff named for them, nobody else. A fund's people see what their
foundation was asked to pay for; district and city viewers see counts, and no need. Published offers are public. A
commitment is for its two sides and the staff of its area.
"""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, array

from models.access import (
    FUND_ROLES,
    NOBODY,
    STAFF_ROLES,
    STRANGERS,
    VIEWER_ROLES,
    Role,
    Viewer,
    public,
    seen,
    visible,
    within,
)
from models.base import table
from models.exchange.kinds import Kind, Sensitivity
from models.exchange.offered import OfferBatch
from models.exchange.states import CLAIMABLE, NeedStatus, OfferStatus
from models.exchange.tables import Commitment, Need, NeedFoundation, NeedStaff, Offer
from models.people.tables import Resident
from models.vault import NO_ONE

Where = sa.ColumnElement[bool]

public("service_category")

PROVIDING = FUND_ROLES | {Role.NGO_STAFF}
"""Roles in which somebody acts for an organization that offers something."""

FUNDED = (
    NeedStatus.VERIFIED,
    NeedStatus.OPEN,
    NeedStatus.IN_PROGRESS,
    NeedStatus.DELIVERED,
    NeedStatus.CLOSED,
)
"""States in which a foundation may be asked to pay for a need."""


COMMUNITY_DIGITS: Any = sa.literal_column("12")


def in_scope(area: Any, viewer: Viewer) -> Where:
    """Whether a row lies in the asker's area. Staff serve one community, or one grid: then its community's code is
    compared, which the indexes begin with, and whose statistics tell the planner how few rows that is."""
    if viewer.role not in STAFF_ROLES:
        return within(area, viewer)
    community = sa.func.left(area, COMMUNITY_DIGITS)
    if viewer.role is Role.GRID_OFFICER:
        return sa.and_(community == sa.func.left(viewer.area, COMMUNITY_DIGITS), area == viewer.area)
    return community == viewer.area


def is_any(column: Any, values: tuple[Any, ...]) -> Where:
    """Whether a column holds one of some constants, written into the statement so that partial indexes serve."""
    return sa.or_(sa.false(), *(column == sa.literal_column(f"'{v.value}'") for v in values))


def normal(row: Any) -> Where:
    """Whether a need, or a commitment to it, is of the kind that may be listed."""
    return is_any(row.sensitivity, (Sensitivity.NORMAL,))


def listed(row: Any) -> Where:
    """Whether a need stands in the public list. One of money never does: nobody gives to it (Charity Law art. 124)."""
    return sa.and_(taken_on(row), is_any(row.status, CLAIMABLE))


def taken_on(row: Any) -> Where:
    """Whether somebody may provide for a need at all: it is NORMAL, and not for money."""
    money: Any = sa.literal_column(f"'{Kind.CASH_AID.value}'")
    return sa.and_(normal(row), row.kind != money)


def own(row: Any, viewer: Viewer, residents: Any) -> Where:
    """Whether a need is the asker's own: he submitted it, or it is for him; or, as far as it is NORMAL, for somebody of
    his household: of what is RESTRICTED a wife may well keep her husband out. `residents`: a FROM."""
    mine = sa.select(residents.c.household).where(residents.c.person_id == viewer.person).scalar_subquery()
    me = viewer.person
    return sa.or_(row.requester_id == me, row.subject_id == me, sa.and_(normal(row), row.household == mine))


def asking_side(row: Any) -> Any:
    """Whose 「不要给我派」 counts on a need's side: whom it is for, or, where that is a place or a group, who asked."""
    nobody: Any = sa.literal_column(f"'{NO_ONE}'::uuid")
    return sa.case((row.subject_id == nobody, row.requester_id), else_=row.subject_id)


def served(need_id: Any, viewer: Viewer, commitments: Any, *narrowed: Where) -> Where:
    """Whether the asker, or his organization, is or was a provider for a need. `commitments`: a FROM; `narrowed`:
    conditions on its rows."""
    c = commitments.c
    return sa.exists(sa.select(sa.literal_column("1")).where(c.need_id == need_id, by(c, viewer), *narrowed))


def by(row: Any, viewer: Viewer) -> Where:
    """Whether a commitment is the asker's, his organization's, or his party unit's."""
    if viewer.role is Role.NGO_STAFF:
        return cast(Where, row.organization_id == viewer.organization)
    if viewer.role is Role.PARTY_SECRETARY:
        return cast(Where, row.party_unit_id == sa.func.party_unit_of(viewer.area, type_=sa.Uuid()))
    return cast(Where, row.volunteer_person_id == viewer.person)


def trusted(row: Any, viewer: Viewer, commitments: Any) -> Where:
    """Whether a provider may read a need's particulars: a commitment of his was confirmed, and the service is not 24 h past."""
    return served(row.id, viewer, commitments, commitments.c.open_until > viewer.now)


def named(need_id: Any, viewer: Viewer) -> Where:
    """Whether the asker is of the staff named for a need."""
    staff = table(NeedStaff).alias()
    return sa.exists(
        sa.select(sa.literal_column("1")).where(staff.c.need_id == need_id, staff.c.person_id == viewer.person)
    )


@visible("need")
def need(row: Any, viewer: Viewer) -> Where:
    role = viewer.role
    if role in STAFF_ROLES:
        submitted = sa.and_(normal(row), row.status != sa.literal_column("'DRAFT'"))
        return sa.and_(
            in_scope(row.area, viewer), sa.or_(submitted, row.requester_id == viewer.person, named(row.id, viewer))
        )
    if role in VIEWER_ROLES:
        return NOBODY
    if role in FUND_ROLES:
        return sa.and_(normal(row), asked_for(row.id, viewer))
    if role is Role.RESIDENT:
        return sa.or_(listed(row), own(row, viewer, table(Resident).alias()))
    if role in (Role.VOLUNTEER, Role.NGO_STAFF, Role.PARTY_SECRETARY):
        return sa.and_(
            taken_on(row), sa.or_(is_any(row.status, CLAIMABLE), served(row.id, viewer, table(Commitment).alias()))
        )
    return listed(row)


@visible("need_staff")
def need_staff(row: Any, viewer: Viewer) -> Where:
    if viewer.role not in STAFF_ROLES:
        return NOBODY
    return sa.or_(row.person_id == viewer.person, named(row.need_id, viewer))


def asked_for(need_id: Any, viewer: Viewer) -> Where:
    """Whether the asker's foundation was asked to pay for a need."""
    asked = table(NeedFoundation).alias()
    return sa.exists(
        sa.select(sa.literal_column("1")).where(
            asked.c.need_id == need_id, asked.c.organization_id == viewer.organization
        )
    )


@visible("need_foundation")
def need_foundation(row: Any, viewer: Viewer) -> Where:
    if viewer.role in FUND_ROLES:
        return cast(Where, row.organization_id == viewer.organization)
    if viewer.role not in STAFF_ROLES:
        return NOBODY
    asked = table(Need).alias()
    return sa.exists(sa.select(sa.literal_column("1")).where(asked.c.id == row.need_id, in_scope(asked.c.area, viewer)))


def _offer(row: Any, viewer: Viewer) -> Where:
    """Published ones are for all; money is asked of a foundation by staff, so that it stands in no public list."""
    role = viewer.role
    published = sa.and_(is_any(row.status, (OfferStatus.PUBLISHED,)), row.kind != sa.literal_column("'CASH_AID'"))
    if role is Role.VOLUNTEER:
        return sa.or_(published, row.person_id == viewer.person)
    if role in FUND_ROLES or role is Role.NGO_STAFF:
        return sa.or_(published, row.organization_id == viewer.organization)
    submitted: Where = row.status != sa.literal_column("'DRAFT'")
    if role in STAFF_ROLES:
        return sa.or_(published, sa.and_(submitted, touches(row, viewer)))
    if role in VIEWER_ROLES:
        return sa.or_(published, sa.and_(submitted, in_scope(row.area, viewer)))
    if role is Role.ADMIN:
        return submitted
    return published


visible("offer")(_offer)


@visible("offer_occurrence", implies=("offer_id",))
def offer_occurrence(row: Any, viewer: Viewer) -> Where:
    of = table(Offer).alias()
    return sa.exists(sa.select(sa.literal_column("1")).where(of.c.id == row.offer_id, _offer(of.c, viewer)))


def _batch(row: Any, viewer: Viewer) -> Where:
    """An organization's people see what was sent for it."""
    return cast(Where, row.organization_id == viewer.organization) if viewer.role in PROVIDING else NOBODY


visible("offer_batch")(_batch)


@visible("offer_batch_item", implies=("batch_id",))
def offer_batch_item(row: Any, viewer: Viewer) -> Where:
    of = table(OfferBatch).alias()
    return sa.exists(sa.select(sa.literal_column("1")).where(of.c.id == row.batch_id, _batch(of.c, viewer)))


def ancestors(area: Any) -> Any:
    """A code and those of the units around it, as an array: it lies in whatever is among them."""
    parts = [sa.func.left(area, sa.literal_column(str(digits))) for digits in (4, 6, 9, 12)]
    return sa.cast(array([*parts, area]), ARRAY(sa.Text()))


def touches(row: Any, viewer: Viewer) -> Where:
    """Whether an offer comes from the asker's area, or is meant for it."""
    meant: Where = row.service_areas.overlap(ancestors(viewer.area))
    return sa.or_(within(row.area, viewer), meant)


@visible("commitment", implies=("need_id",))
def commitment(row: Any, viewer: Viewer) -> Where:
    role = viewer.role
    if role in STAFF_ROLES:
        return sa.and_(in_scope(row.area, viewer), sa.or_(normal(row), named(row.need_id, viewer)))
    if role in (Role.VOLUNTEER, Role.NGO_STAFF, Role.PARTY_SECRETARY):
        return sa.and_(by(row, viewer), normal(row))
    if role is Role.RESIDENT:
        asked, residents = table(Need).alias(), table(Resident).alias()
        return sa.exists(
            sa.select(sa.literal_column("1")).where(asked.c.id == row.need_id, own(asked.c, viewer, residents))
        )
    return NOBODY


@visible("booking")
def booking(row: Any, viewer: Viewer) -> Where:
    return row.person_id == viewer.person if viewer.role is Role.VOLUNTEER else NOBODY


@visible("need_option", implies=("need_id",))
def need_option(row: Any, viewer: Viewer) -> Where:
    """With their need, for whoever is registered as something: when somebody waits at home is not for everybody."""
    if viewer.role in STRANGERS:
        return NOBODY
    of = table(Need).alias()
    return sa.exists(sa.select(sa.literal_column("1")).where(of.c.id == row.need_id, *seen(of, "need", viewer)))
