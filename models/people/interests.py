"""Declared interests: who is whose relative, or has a stake in which organization, so that he decides nothing of it.

Nobody approves what pays himself or somebody he is close to (Charity Law, articles 14 and 59; I17). People of one
household count as close without a word; everything else is declared by whoever it concerns. The database's function
`related` says the same of two people, and triggers ask it once more where money and hours are written.
"""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from models.base import Table, check, choice, chosen, instant, key, to
from models.labels import labelled


class Relation(enum.StrEnum):
    """What somebody is to whom he declares."""

    SPOUSE = "SPOUSE"
    PARENT = "PARENT"
    CHILD = "CHILD"
    SIBLING = "SIBLING"
    OTHER_RELATIVE = "OTHER_RELATIVE"
    EMPLOYMENT = "EMPLOYMENT"
    OWNERSHIP = "OWNERSHIP"
    OTHER = "OTHER"


labelled(
    Relation,
    {
        Relation.SPOUSE: "配偶",
        Relation.PARENT: "父母",
        Relation.CHILD: "子女",
        Relation.SIBLING: "兄弟姐妹",
        Relation.OTHER_RELATIVE: "其他近亲属",
        Relation.EMPLOYMENT: "任职或受雇",
        Relation.OWNERSHIP: "出资或持股",
        Relation.OTHER: "其他利害关系",
    },
    description="What somebody is to the person or organization that he declares an interest in.",
    describe={
        Relation.SPOUSE: "Husband or wife.",
        Relation.PARENT: "The other is his parent.",
        Relation.CHILD: "The other is his child.",
        Relation.SIBLING: "Brother or sister.",
        Relation.OTHER_RELATIVE: "Another close relative.",
        Relation.EMPLOYMENT: "Works, or worked lately, for the organization or the person.",
        Relation.OWNERSHIP: "Owns a part of the organization.",
        Relation.OTHER: "Any other stake.",
    },
)


class DeclaredInterest(Table, table=True):
    """利害关系申报: that somebody is close to a person, or has a stake in an organization. Ended, never deleted."""

    __tablename__ = "declared_interest"
    __table_args__ = (
        chosen("relation", Relation),
        check("whose", "num_nonnulls(other_id, organization_id) = 1"),
        check("two", "other_id <> person_id"),
        check("ever", "ended_at IS NULL OR ended_at >= declared_at"),
        sa.Index(
            "uq_declared_interest_live",
            "person_id",
            "other_id",
            "organization_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index("ix_declared_interest_person_id_declared_at", "person_id", "declared_at"),
        sa.Index("ix_declared_interest_other_id", "other_id", postgresql_where=sa.text("other_id IS NOT NULL")),
        sa.Index("ix_declared_interest_declared_at_id", "declared_at", "id"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    other_id: UUID | None = to("person.id", optional=True, index=False)
    organization_id: UUID | None = to("organization.id", optional=True)
    relation: Relation = choice(Relation)
    declared_at: datetime = instant()
    ended_at: datetime | None = instant(optional=True)
