"""Who may see an attachment: whoever is shown what it is attached to, and nobody else."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import Viewer, visible
from models.files.subjects import with_subject


@visible("attachment")
def attachment(row: Any, viewer: Viewer) -> sa.ColumnElement[bool]:
    return with_subject(row, viewer)
