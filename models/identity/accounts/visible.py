"""Who may see accounts: whose they are, administrators and auditors, and for its members an organization's staff."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, Role, Viewer, visible
from models.base import table
from models.people.holding import lasts
from models.people.organizations import Membership
from models.people.visible import today

Shown = sa.ColumnElement[bool] | None


def colleagues(viewer: Viewer) -> sa.Select[Any]:
    """The people who have a capacity for the asker's organization, or will have one: not those who had one."""
    with_us = table(Membership).alias("with_us")
    return sa.select(with_us.c.person_id).where(
        with_us.c.organization_id == viewer.organization,
        lasts(with_us.c, today(viewer)),
    )


@visible("account")
def account(row: Any, viewer: Viewer) -> Shown:
    """One's own; an organization's members', for its staff; every one for administrators and auditors."""
    if viewer.role in (Role.ADMIN, Role.AUDITOR):
        return None
    if viewer.role is Role.PUBLIC:
        return NOBODY
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    return sa.or_(own, row.person_id.in_(colleagues(viewer))) if viewer.role is Role.NGO_STAFF else own


@visible("account_login")
def account_login(row: Any, viewer: Viewer) -> Shown:
    """As the account; masked for whoever sees it."""
    return account(row, viewer)


@visible("recovery_code")
def recovery_code(row: Any, viewer: Viewer) -> Shown:
    """One's own, to be counted."""
    return row.person_id == viewer.person if viewer.role is not Role.PUBLIC else NOBODY


@visible("sign_in_throttle")
def sign_in_throttle(row: Any, viewer: Viewer) -> Shown:
    """Nobody's."""
    return NOBODY
