"""Who sees which proofs of phone numbers, and whether a WeChat user is bound. The other tables have no rule here: no type can show them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, Role, Viewer, visible


@visible("bound_phone")
def bound_phone(row: Any, viewer: Viewer) -> sa.ColumnElement[bool] | None:
    """One's own."""
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    return own if viewer.role is not Role.PUBLIC else NOBODY


@visible("wechat_identity")
def wechat_identity(row: Any, viewer: Viewer) -> sa.ColumnElement[bool] | None:
    """One's own; all that is told of it is that there is one."""
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    return own if viewer.role is not Role.PUBLIC else NOBODY
