"""Who sees rounds, what they propose, and what they left open.

A proposal is for whom it would have serve, and for the staff of the need's area; the beneficiary sees one that was
accepted, with its reasons (PIPL art. 24). One that is still open is gone from the moment on which either side refuses
automatic matching, or wishes not to meet the other. The platform's administrators see proposals, and of persons what
their rules show: a surname and a star.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, STAFF_ROLES, VIEWER_ROLES, Role, Viewer, visible, within
from models.base import table
from models.exchange.rounds.rules import VISIBLE_FROM
from models.exchange.rounds.states import MatchProposalStatus
from models.exchange.tables import Need
from models.exchange.visible import ancestors, asking_side, in_scope, is_any, normal, own
from models.people.avoidances import avoids
from models.people.tables import Resident

Where = sa.ColumnElement[bool]
ONE: Any = sa.literal_column("1")
DISTRICT_DIGITS: Any = sa.literal_column("6")
LEAST: Any = sa.literal_column(str(VISIBLE_FROM))


def touching(area: Any, viewer: Viewer) -> Where:
    """Whether a unit lies in the asker's area, or around it."""
    return sa.or_(within(area, viewer), area == sa.any_(ancestors(viewer.area)))


def large(area: Any, viewer: Viewer) -> Where:
    """Whether a unit lies in the asker's area and is a district at least."""
    return sa.and_(within(area, viewer), sa.func.length(area) <= DISTRICT_DIGITS)


@visible("match_round")
def match_round(row: Any, viewer: Viewer) -> Where | None:
    if viewer.role is Role.ADMIN:
        return None
    if viewer.role in STAFF_ROLES:
        return touching(row.area, viewer)
    return large(row.area, viewer) if viewer.role in VIEWER_ROLES else NOBODY


@visible("match_figure")
def match_figure(row: Any, viewer: Viewer) -> Where | None:
    """Of one's own area; whoever sees no needs sees figures of no few of them (I30)."""
    if viewer.role is Role.ADMIN:
        return None
    if viewer.role in STAFF_ROLES:
        return within(row.area, viewer)
    return sa.and_(large(row.area, viewer), row.needs >= LEAST) if viewer.role in VIEWER_ROLES else NOBODY


@visible("match_coverage")
def match_coverage(row: Any, viewer: Viewer) -> Where | None:
    if viewer.role is Role.ADMIN:
        return None
    return within(row.area, viewer) if viewer.role in STAFF_ROLES else NOBODY


def still(row: Any, viewer: Viewer, *conditions: Any) -> Where:
    """Whether a proposal's need may be listed, and, while it is open, the two may be brought together by a machine."""
    asked = table(Need).alias()
    apart = sa.or_(
        sa.func.matching_refused(asked.c.beneficiary_id, row.person_id, viewer.now, type_=sa.Boolean()),
        avoids(row.person_id, asking_side(asked.c), asked.c.category_code),
    )
    together = sa.or_(sa.not_(is_any(row.status, (MatchProposalStatus.OPEN,))), sa.not_(apart))
    return sa.exists(
        sa.select(ONE).select_from(asked).where(asked.c.id == row.need_id, normal(asked.c), together, *conditions)
    )


@visible("match_proposal")
def match_proposal(row: Any, viewer: Viewer) -> Where:
    role = viewer.role
    if role is Role.VOLUNTEER:
        return sa.and_(row.person_id == viewer.person, still(row, viewer))
    if role is Role.NGO_STAFF:
        return sa.and_(row.organization_id == viewer.organization, still(row, viewer))
    if role in STAFF_ROLES:
        return sa.and_(in_scope(row.area, viewer), still(row, viewer))
    if role is Role.RESIDENT:
        asked, residents = table(Need).alias(), table(Resident).alias()
        mine = sa.exists(
            sa.select(ONE).select_from(asked).where(asked.c.id == row.need_id, own(asked.c, viewer, residents))
        )
        return sa.and_(is_any(row.status, (MatchProposalStatus.ACCEPTED,)), mine)
    return still(row, viewer) if role is Role.ADMIN else NOBODY


@visible("match_open")
def match_open(row: Any, viewer: Viewer) -> Where:
    if viewer.role not in (*STAFF_ROLES, Role.ADMIN):
        return NOBODY
    asked = table(Need).alias()
    listed = sa.exists(sa.select(ONE).select_from(asked).where(asked.c.id == row.need_id, normal(asked.c)))
    return listed if viewer.role is Role.ADMIN else sa.and_(in_scope(row.area, viewer), listed)
