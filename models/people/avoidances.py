"""「不要给我派」: whom, or what kind of service, somebody does not want to be brought together with.

It is his own word, and needs no reason: nobody else reads it, least of all whom it names. It counts in both directions:
he is in none of the other's lists, nor the other in his.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.base import Table, check, instant, key, text, to


class Avoidance(Table, table=True):
    """回避: that somebody does not want to be matched with a person, or with a service category."""

    __tablename__ = "avoidance"
    __table_args__ = (
        check("what", "num_nonnulls(avoided_person_id, category_code) = 1"),
        check("two", "avoided_person_id <> person_id"),
        sa.Index(
            "uq_avoidance_person_id",
            "person_id",
            "avoided_person_id",
            "category_code",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        sa.Index(
            "ix_avoidance_avoided_person_id",
            "avoided_person_id",
            "person_id",
            postgresql_where=sa.text("avoided_person_id IS NOT NULL"),
        ),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    """Who wishes it."""
    avoided_person_id: UUID | None = to("person.id", optional=True, index=False)
    category_code: str | None = text(optional=True)
    """A service category; a parent stands for all its children."""
    created_at: datetime = instant()


def avoids(serves: Any, served: Any, category: Any) -> Any:
    """Whether one of two people does not want the other, or whoever would serve not this category, as SQL: who does not
    wish to help the elderly may well need help himself. Nobody (NULL) avoids nobody."""
    return sa.func.avoids(serves, served, category, type_=sa.Boolean())
