"""Whose counts somebody may see: his area's, his organization's, or all (docs/domain.md).

Counts of restricted needs are counts too. What is told of small cells, and to whom: `small_cells`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import FUND_ROLES, NOBODY, STAFF_ROLES, VIEWER_ROLES, Role, Viewer, visible, within

Shown = sa.ColumnElement[bool] | None
LOCAL = STAFF_ROLES | VIEWER_ROLES | {Role.PARTY_SECRETARY}
"""Roles that see the counts of their area."""
OVERSEEING = frozenset({Role.AUDITOR, Role.ADMIN})


def _activity(row: Any, viewer: Viewer) -> Shown:
    """The area's; an organization's own; all for those who oversee."""
    if viewer.role in OVERSEEING:
        return None
    if viewer.role in LOCAL:
        return within(row.area, viewer)
    if viewer.role is Role.NGO_STAFF or viewer.role in FUND_ROLES:
        own: sa.ColumnElement[bool] = row.organization_id == viewer.organization
        return own
    return NOBODY


def _needs(row: Any, viewer: Viewer) -> Shown:
    """The area's; all for those who oversee."""
    if viewer.role in OVERSEEING:
        return None
    return within(row.area, viewer) if viewer.role in LOCAL else NOBODY


visible("session_fact")(_activity)
visible("attendance_fact")(_activity)
visible("hour_fact")(_activity)
visible("need_fact")(_needs)
visible("item_fact")(_needs)
