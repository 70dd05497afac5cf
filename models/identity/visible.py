"""Who sees which sign-ins, capacities and keys. Refresh tokens have no rule here: no type can show one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, Role, Viewer, visible
from models.people.holding import holds
from models.people.organizations import Membership
from models.people.visible import XID, today

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


def sign_in_lives(row: Any, viewer: Viewer) -> sa.ColumnElement[bool]:
    """Whether a sign-in has not ended."""
    return sa.and_(row.ended_at.is_(None), row.expires_at > viewer.now)


def key_lives(row: Any, viewer: Viewer) -> sa.ColumnElement[bool]:
    """Whether a key is neither revoked nor expired."""
    return sa.and_(row.revoked_at.is_(None), row.expires_at > viewer.now)


def in_office(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the membership that a row names holds today, as the asker sees it."""
    by = view.rows(Membership)
    held: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
        by.c.id == row.membership_id, holds(by.c, today(view.actor))
    )
    return sa.exists(held)
