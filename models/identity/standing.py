"""Whether somebody is still who he was a little while ago: for what was signed for him and is used without a token."""

from __future__ import annotations

import sqlalchemy as sa

from models.access import Actor
from models.base import INSTANT, table
from models.database import Db, Statement
from models.identity.capacities import held
from models.identity.queries import LIVES
from models.identity.tables import ApiKey
from models.people import queries as people

api_key = table(ApiKey)
KEY_LIVES = Statement(
    sa.select(sa.literal_column("1")).where(
        api_key.c.id == sa.bindparam("id", type_=sa.Uuid()),
        api_key.c.revoked_at.is_(None),
        api_key.c.expires_at > sa.bindparam("now", type_=INSTANT),
    )
)


async def stands(db: Db, actor: Actor) -> bool:
    """Whether an actor's capacity, and the sign-in or key that he came by, have not ended. The public always is."""
    if actor.person is None:
        return True
    if actor.key is not None and await db.value(KEY_LIVES, id=actor.key) is None:
        return False
    if actor.sign_in is not None and await db.value(LIVES, sign_in=actor.sign_in, person=actor.person) is None:
        return False
    for acting in await held(db, actor.person):
        if acting.role is actor.role:
            now = await people.actor_of(db.connection, actor.person, acting.role, acting.membership, db.now)
            if now is not None and (now.organization, now.area) == (actor.organization, actor.area):
                return True
    return False
