"""The field by which a thing shows its attachments; apart from their types, which refer to all of these things."""

from __future__ import annotations

from typing import Any

from models.files.rules import MOST
from models.files.tables import Attachment
from resolvers.engine import words as w


def attached(column: Any, what: str) -> Any:
    """The attachments of a thing, by the column that refers to it: `attached(Attachment.need_id, "need")`."""
    return w.many(
        column,
        order=(Attachment.created_at,),
        where=lambda row: row.removed_at.is_(None),
        limit=MOST,
        description=f"Files attached to this {what}, oldest first.",
    )
