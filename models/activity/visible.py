"""Who may see activities, sessions, attendances and hours.

A session that is open to sign-up is public once it is published. Everything else is for those whom it concerns: the
volunteer, the organization that runs it or provides for it, community staff, social workers and grid officers of its
area, and residents whose need it serves. District and city viewers see counts in the reports, and of sessions no more
than the public; of hours, grid officers see their own. Sessions of a RESTRICTED need are seen, of all staff, by those named for it.
Lists of what is "mine" are arrays that a statement reads once, so that the conditions stay cheap for each row.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, STAFF_ROLES, Role, Viewer, public, visible, within
from models.activity.tables import Attendance, SessionCommitment
from models.base import table
from models.exchange.tables import Commitment, Need, NeedStaff
from models.exchange.visible import own
from models.people.tables import Resident

Where = sa.ColumnElement[bool]

public("service_activity")


def among(column: Any, rows: sa.Select[Any]) -> Where:
    """Whether a value is one of those of a SELECT, which does not depend on the row."""
    return sa.and_(column == sa.any_(sa.func.array(rows.scalar_subquery())))


def own_needs(viewer: Viewer) -> sa.Select[Any]:
    """The asker's own needs: what sessions serve them is his to see as far as they are."""
    need = table(Need).alias()
    return sa.select(need.c.id).where(own(need.c, viewer, table(Resident).alias()))


def of_area(row: Any, viewer: Viewer) -> Where:
    """Whether staff may see a row: in his area, and named for it where it serves a RESTRICTED need."""
    named = table(NeedStaff).alias()
    mine = sa.select(named.c.need_id).where(named.c.person_id == viewer.person)
    return sa.and_(
        within(row.area, viewer), sa.or_(row.restricted_need_id.is_(None), among(row.restricted_need_id, mine))
    )


@visible("service_session")
def service_session(row: Any, viewer: Viewer) -> Where:
    announced = row.published_at.is_not(None)
    shown = sa.and_(row.open_sign_up, announced)
    if viewer.role is Role.PUBLIC:
        return shown
    part = table(Attendance).alias()
    ways = [shown, among(row.id, sa.select(part.c.session_id).where(part.c.volunteer_id == viewer.person))]
    if viewer.role in STAFF_ROLES:
        ways.append(of_area(row, viewer))
    elif viewer.role is Role.NGO_STAFF:
        link = table(SessionCommitment).alias()
        ways.append(row.organization_id == viewer.organization)
        ways.append(among(row.id, sa.select(link.c.session_id).where(link.c.organization_id == viewer.organization)))
    elif viewer.role is Role.RESIDENT:
        ways.append(among(row.need_id, own_needs(viewer)))
    return sa.or_(*ways)


@visible("attendance", implies=("session_id",))
def attendance(row: Any, viewer: Viewer) -> Where:
    if viewer.role is Role.PUBLIC:
        return NOBODY
    own = sa.and_(row.volunteer_id == viewer.person)
    if viewer.role in STAFF_ROLES:
        return sa.or_(own, of_area(row, viewer))
    if viewer.role is Role.NGO_STAFF:
        return sa.or_(own, row.organization_id == viewer.organization)
    if viewer.role is Role.RESIDENT:
        commitment = table(Commitment).alias()
        served = sa.select(commitment.c.id).where(among(commitment.c.need_id, own_needs(viewer)))
        return sa.or_(own, among(row.commitment_id, served))
    return own


@visible("session_commitment")
def session_commitment(row: Any, viewer: Viewer) -> Where:
    """The link shows no more than two things that have rules of their own."""
    if viewer.role in STAFF_ROLES:
        return within(row.area, viewer)
    if viewer.role is Role.NGO_STAFF:
        return sa.and_(row.organization_id == viewer.organization)
    if viewer.role not in (Role.RESIDENT, Role.VOLUNTEER):
        return NOBODY
    commitment = table(Commitment).alias()
    mine = commitment.c.volunteer_person_id == viewer.person
    if viewer.role is Role.RESIDENT:
        mine = sa.or_(mine, among(commitment.c.need_id, own_needs(viewer)))
    return among(row.commitment_id, sa.select(commitment.c.id).where(mine))


@visible("session_code")
def session_code(row: Any, viewer: Viewer) -> Where:
    if viewer.role in (Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER):
        return within(row.area, viewer)
    if viewer.role is Role.NGO_STAFF:
        return sa.and_(row.organization_id == viewer.organization)
    return NOBODY


@visible("hour_entry")
def hour_entry(row: Any, viewer: Viewer) -> Where:
    return _of_the_volunteer(row, viewer)


@visible("manual_proposal")
def manual_proposal(row: Any, viewer: Viewer) -> Where:
    return _of_the_volunteer(row, viewer)


def _of_the_volunteer(row: Any, viewer: Viewer) -> Where:
    """His own, his organization's, his area's. Nothing in it tells of whom he served."""
    if viewer.role is Role.PUBLIC:
        return NOBODY
    own = sa.and_(row.volunteer_id == viewer.person)
    if viewer.role in (Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER):
        return sa.or_(own, within(row.area, viewer))
    if viewer.role is Role.NGO_STAFF:
        return sa.or_(own, row.organization_id == viewer.organization)
    return own
