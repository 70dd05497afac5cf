"""Who sees which sign-ins, capacities and keys. Refresh tokens have no rule here: no type can show one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, Role, Viewer, visible
from models.people.visible import XID

Shown = sa.ColumnElement[bool] | None


@visible("sign_in")
def sign_in(row: Any, viewer: Viewer) -> Shown:
    """One's own, for who came by one himself: a machine that acts for him does not see his devices.

    Whoever has just signed in is nobody yet: what his own transaction has made or renewed is shown to him there.
    """
    fresh: sa.ColumnElement[bool] = row.xid == XID
    if viewer.role is Role.PUBLIC:
        return fresh
    return sa.or_(fresh, sa.and_(row.person_id == viewer.person, viewer.sign_in.is_not(None)))


@visible("capacity")
def capacity(row: Any, viewer: Viewer) -> Shown:
    """One's own."""
    if viewer.role is Role.PUBLIC:
        return NOBODY
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    return own


@visible("api_key")
def api_key(row: Any, viewer: Viewer) -> Shown:
    """The organization's staff theirs; administrators and auditors all."""
    if viewer.role in (Role.ADMIN, Role.AUDITOR):
        return None
    if viewer.role is Role.NGO_STAFF:
        own: sa.ColumnElement[bool] = row.organization_id == viewer.organization
        return own
    return NOBODY
