"""Skills: what volunteers say that they can do, from one list, so that a need can ask for exactly that."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from models.base import Table, check, count, key, text


class Skill(Table, table=True):
    """技能: one that volunteers say they have and needs may ask for. The list is a migration's; codes stay for ever."""

    __tablename__ = "skill"
    __table_args__ = (sa.UniqueConstraint("code"), check("code", "code ~ '^[A-Z][A-Z_]*$'"))
    id: UUID = key()
    code: str = text()
    name: str = text()
    pinyin: str = text()
    place: int = count()
    """Where it stands in lists."""
