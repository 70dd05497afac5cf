"""Declaring interests, and what every approving verb asks first: that who acts has none in the matter (I17)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import may, seen
from models.base import table
from models.clock import day
from models.database import Db, Seen, Statement
from models.people.holding import holds
from models.people.interests import DeclaredInterest, Relation
from models.people.organizations import Membership, Organization
from models.people.problems import ConflictOfInterest
from models.people.scopes import SIGNED_IN
from models.people.tables import Person
from models.problems import InvalidInput, NotFound, refuses

interest, person, organization = table(DeclaredInterest), table(Person), table(Organization)
membership = table(Membership)
UUIDS: Any = postgresql.ARRAY(sa.Uuid())
OF_PERSONS = frozenset({Relation.SPOUSE, Relation.PARENT, Relation.CHILD, Relation.SIBLING, Relation.OTHER_RELATIVE})
"""Relations to a person only."""

A_PERSON = Statement(sa.select(person.c.id).where(person.c.id == sa.bindparam("id", type_=sa.Uuid())))
"""Whom somebody is close to: he was given that person's id, and need not see him."""
AN_ORGANIZATION = Seen(
    lambda viewer: sa.select(organization.c.id).where(
        organization.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(organization, "organization", viewer)
    )
)
DECLARE = Statement(
    sa.insert(interest)
    .values(
        person_id=sa.bindparam("person", type_=sa.Uuid()),
        other_id=sa.bindparam("other", type_=sa.Uuid()),
        organization_id=sa.bindparam("organization", type_=sa.Uuid()),
        relation=sa.bindparam("relation", type_=sa.Text()),
        declared_at=sa.bindparam("now"),
    )
    .returning(interest.c.id)
)
LIVE = Statement(
    sa.select(interest.c.id).where(
        interest.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        interest.c.other_id.is_not_distinct_from(sa.bindparam("other", type_=sa.Uuid())),
        interest.c.organization_id.is_not_distinct_from(sa.bindparam("organization", type_=sa.Uuid())),
        interest.c.ended_at.is_(None),
    )
)
MINE = Statement(
    sa.select(interest)
    .where(interest.c.id == sa.bindparam("id", type_=sa.Uuid()), interest.c.person_id == sa.bindparam("person"))
    .with_for_update()
)
END = Statement(
    sa.update(interest).where(interest.c.id == sa.bindparam("of", type_=sa.Uuid())).values(ended_at=sa.bindparam("now"))
)


def _each(name: str) -> Any:
    ids = sa.func.unnest(sa.bindparam(name, type_=UUIDS)).table_valued(sa.column("id", sa.Uuid()), name=name)
    return ids.render_derived()


acting, concerned, bodies = _each("acting"), _each("concerned"), _each("bodies")
OFFICE = sa.exists().where(
    membership.c.organization_id == bodies.c.id,
    membership.c.person_id == acting.c.id,
    holds(membership.c),
)
CONTACT = sa.exists().where(organization.c.id == bodies.c.id, organization.c.contact_id == acting.c.id)
ONE: Any = sa.literal_column("1")
CLOSE = Statement(
    sa.select(
        sa.exists(
            sa.select(ONE)
            .select_from(acting.join(concerned, sa.true()))
            .where(sa.func.related(acting.c.id, concerned.c.id, type_=sa.Boolean()))
        ).label("related"),
        sa.exists(
            sa.select(ONE)
            .select_from(acting.join(bodies, sa.true()))
            .where(sa.or_(sa.func.interested(acting.c.id, bodies.c.id, type_=sa.Boolean()), OFFICE, CONTACT))
        ).label("interested"),
    )
)


async def no_conflict(
    db: Db,
    *,
    made_by: Iterable[UUID | None] = (),
    concerns: Iterable[UUID | None] = (),
    organizations: Iterable[UUID | None] = (),
    acting: Iterable[UUID | None] | None = None,
) -> None:
    """Raises ConflictOfInterest when one of those who act (the actor, unless others are named) made the matter, or is
    one of those whom it pays or credits, or close to them, or of an organization that it does, or with a stake in it."""
    hands = {p for p in ((db.actor.person,) if acting is None else acting) if p is not None}
    people, units = {p for p in concerns if p is not None}, {o for o in organizations if o is not None}
    if hands & {p for p in made_by if p is not None}:
        raise ConflictOfInterest(reason="本人经办")
    if hands & people:
        raise ConflictOfInterest(reason="本人的事项")
    if not hands or not (people or units):
        return
    found = await db.one(CLOSE, acting=sorted(hands), concerned=sorted(people), bodies=sorted(units), today=day(db.now))
    assert found is not None
    if found["related"]:
        raise ConflictOfInterest(reason="近亲属或同户人员的事项")
    if found["interested"]:
        raise ConflictOfInterest(reason="所在或有利害关系的组织")


@may(SIGNED_IN)
@refuses()
async def declare_interest(
    db: Db, relation: Relation, *, other: UUID | None = None, organization: UUID | None = None
) -> UUID:
    """Somebody declares that he is close to a person, or has a stake in an organization: from now on neither of the two
    decides what concerns the other. Declared already, it is that one. Returns its id. Raises InvalidInput, NotFound."""
    if (other is None) == (organization is None):
        raise InvalidInput(field="person", reason="请指定一个人或一个组织，二者选一。")
    if other == db.actor.person:
        raise InvalidInput(field="person", reason="不必申报本人。")
    if organization is not None and relation in OF_PERSONS:
        raise InvalidInput(field="relation", reason="该关系只适用于个人。")
    if other is not None and await db.value(A_PERSON, id=other) is None:
        raise NotFound(what="该人员")
    if organization is not None and await db.value(AN_ORGANIZATION, id=organization) is None:
        raise NotFound(what="该组织")
    of = {"person": db.actor.person, "other": other, "organization": organization}
    found: UUID | None = await db.value(LIVE, **of)
    if found is not None:
        return found
    try:
        made: UUID = await db.value(DECLARE, relation=relation, **of)
    except asyncpg.UniqueViolationError:
        raise InvalidInput(field="person", reason="正在申报，请刷新查看。") from None
    db.detail["relation"] = relation.value
    return made


@may(SIGNED_IN)
@refuses()
async def end_interest(db: Db, id: UUID) -> UUID:
    """Who declared an interest says that it is over. It stays on record, for auditors. Again changes nothing."""
    found = await db.one(MINE, id=id, person=db.actor.person)
    if found is None:
        raise NotFound(what="该申报")
    if found["ended_at"] is None:
        await db.value(END, of=id)
    return id
