"""Verbs of avoidances: 「不要给我派」, and that it is over."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.access import may
from models.base import table
from models.database import Db, Statement
from models.people.avoidances import Avoidance
from models.people.scopes import MAY
from models.people.tables import Person
from models.problems import Forbidden, InvalidInput, NotFound, refuses

MOST = 100
avoidance, person = table(Avoidance), table(Person)
category = sa.table("service_category", sa.column("code", sa.Text()))
"""Categories belong to an area above this one, which this one does not import."""

WHO: Any = sa.bindparam("person", type_=sa.Uuid())
ME = Statement(sa.select(person.c.id).where(person.c.id == WHO).with_for_update(key_share=True))
A_PERSON = Statement(sa.select(person.c.id).where(person.c.id == sa.bindparam("id", type_=sa.Uuid())))
"""Whom somebody has met: he was given that person's id, and need not see him."""
A_CATEGORY = Statement(sa.select(sa.exists().where(category.c.code == sa.bindparam("code", type_=sa.Text()))))
COUNT = Statement(sa.select(sa.func.count()).where(avoidance.c.person_id == WHO))
FOUND = Statement(
    sa.select(avoidance.c.id).where(
        avoidance.c.person_id == WHO,
        avoidance.c.avoided_person_id.is_not_distinct_from(sa.bindparam("avoided", type_=sa.Uuid())),
        avoidance.c.category_code.is_not_distinct_from(sa.bindparam("category", type_=sa.Text())),
    )
)
ADD = Statement(
    insert(avoidance)
    .values(
        person_id=WHO,
        avoided_person_id=sa.bindparam("avoided", type_=sa.Uuid()),
        category_code=sa.bindparam("category", type_=sa.Text()),
        created_at=sa.bindparam("now"),
    )
    .returning(avoidance.c.id)
)
REMOVE = Statement(
    sa.delete(avoidance)
    .where(avoidance.c.id == sa.bindparam("id", type_=sa.Uuid()), avoidance.c.person_id == WHO)
    .returning(avoidance.c.id)
)


@may(MAY["avoidance"])
@refuses()
async def add_avoidance(db: Db, *, avoided: UUID | None = None, category: str | None = None) -> UUID:
    """Somebody does not want to be matched with a person, or with a service category; no reason is asked for.

    From the next query on, neither stands in the other's lists. Said again, it is that one. Returns its id; neither the
    event nor the audit log says whom it names. Raises InvalidInput, NotFound.
    """
    me = db.actor.person
    if me is None:
        raise Forbidden()
    if (avoided is None) == (category is None):
        raise InvalidInput(field="person", reason="请指定一个人或一个服务类别，二者选一。")
    if avoided == me:
        raise InvalidInput(field="person", reason="不能回避本人。")
    if avoided is not None and await db.value(A_PERSON, id=avoided) is None:
        raise NotFound(what="该人员")
    if category is not None and not await db.value(A_CATEGORY, code=category):
        raise InvalidInput(field="category", reason="服务类别不存在。")
    await db.one(ME, person=me)
    of = {"person": me, "avoided": avoided, "category": category}
    found: UUID | None = await db.value(FOUND, **of)
    if found is not None:
        return found
    if await db.value(COUNT, person=me) >= MOST:
        raise InvalidInput(field="person", reason=f"回避最多 {MOST} 条，请先移除不再需要的。")
    made: UUID = await db.value(ADD, **of)
    return made


@may(MAY["avoidance"])
@refuses()
async def remove_avoidance(db: Db, id: UUID) -> UUID:
    """Who does not want somebody, or something, any more to be kept from him says so. Returns his own id as a person.

    Raises NotFound.
    """
    if db.actor.person is None or await db.value(REMOVE, id=id, person=db.actor.person) is None:
        raise NotFound(what="该回避记录")
    return db.actor.person
