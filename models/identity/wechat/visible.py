"""Who sees which proofs of phone numbers. The other tables have no rule here: no type can show them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, Role, Viewer, visible


@visible("bound_phone")
def bound_phone(row: Any, viewer: Viewer) -> sa.ColumnElement[bool] | None:
    """One's own."""
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    return own if viewer.role is not Role.PUBLIC else NOBODY
