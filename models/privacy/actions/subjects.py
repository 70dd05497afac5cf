"""Whose data it is about, and whether whoever asks may decide: himself, or the guardian of a child under 14."""

from __future__ import annotations

import dataclasses
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from models.base import table
from models.database import Db, Seen
from models.people.rules import PersonState
from models.people.tables import Person
from models.privacy.problems import NotGuardian
from models.privacy.rules import is_child
from models.privacy.visible import wards
from models.problems import NotFound

person = table(Person)

SUBJECT = Seen(
    lambda viewer: (
        sa.select(person.c.id, person.c.area, person.c.birth_date, person.c.id.in_(wards(viewer)).label("ward"))
        .where(
            person.c.id == sa.bindparam("person", type_=sa.Uuid()),
            person.c.state == sa.literal_column(f"'{PersonState.PRESENT.value}'"),
        )
        .with_for_update(key_share=True, of=person)
    )
)


@dataclasses.dataclass(frozen=True)
class Subject:
    """A person whose data somebody decides on; his row is locked, so that one decision comes after the other."""

    id: UUID
    area: str | None
    born: date | None
    child: bool
    """Under 14."""
    guardian: UUID | None
    """The guardian who acts for him; None where he acts himself."""

    @property
    def waits(self) -> bool:
        """Whether a guardian has to co-sign (PIPL art. 31)."""
        return self.child and self.guardian is None


async def the_subject(db: Db, person: UUID | None = None) -> Subject:
    """The caller himself, or the child whose verified guardian he is, locked. Raises NotGuardian.

    NotFound for somebody who was erased a moment ago.
    """
    wanted = person or db.actor.person
    row = None if wanted is None else await db.one(SUBJECT, person=wanted)
    if row is None and wanted == db.actor.person:
        raise NotFound(what="您的个人信息")
    himself = row is not None and row["id"] == db.actor.person
    if row is None or not (himself or row["ward"]):
        raise NotGuardian()
    child = is_child(row["birth_date"], db.now)
    return Subject(row["id"], row["area"], row["birth_date"], child, None if himself else db.actor.person)


async def the_ward(db: Db, person: UUID) -> Subject:
    """The child whose verified guardian the caller is, locked. Raises NotGuardian, also for the child himself."""
    found = await the_subject(db, person)
    if found.guardian is None:
        raise NotGuardian()
    return found
