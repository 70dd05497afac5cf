"""The file of one's own data (PIPL art. 45): who may fetch it, and what is in it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.access import Actor
from models.base import INSTANT, table
from models.database import Db, Seen, Statement, transaction
from models.pool import Pool
from models.privacy.export.build import own_data
from models.privacy.rules import FETCHABLE_STATES, FILES, RequestState
from models.privacy.tables import SubjectRequest
from models.privacy.visible import own
from models.problems import NotFound

asked = table(SubjectRequest)
THERE = asked.c.state.in_([sa.literal_column(f"'{state.value}'") for state in FETCHABLE_STATES])
"""Whether the file was not taken back."""

FETCHABLE = Seen(
    lambda viewer: sa.select(asked.c.person_id, asked.c.kind).where(
        asked.c.id == sa.bindparam("id", type_=sa.Uuid()),
        asked.c.kind.in_([sa.literal_column(f"'{kind.value}'") for kind in FILES]),
        THERE,
        asked.c.expires_at > viewer.now,
        own(asked.c.person_id, viewer),
    )
)
FETCHED = Statement(
    sa.update(asked)
    .where(asked.c.id == sa.bindparam("id", type_=sa.Uuid()), THERE)
    .values(
        state=sa.literal_column(f"'{RequestState.DONE.value}'"),
        handled_at=sa.func.coalesce(asked.c.handled_at, sa.bindparam("now", type_=INSTANT)),
        size_bytes=sa.bindparam("size", type_=sa.Integer()),
    )
    .returning(asked.c.id)
)


async def export(pool: Pool, actor: Actor, now: datetime, request: UUID) -> tuple[UUID, bytes]:
    """(whose, the file) of a request: for the person himself and a child's guardian, until the request's file expires.

    Its data are of one snapshot. What was fetched is done: that is committed before the file is handed out. Raises
    NotFound for everybody else.
    """

    async def may_fetch(db: Db) -> Any:
        found = await db.one(FETCHABLE, id=request)
        if found is None or db.actor.key is not None:
            raise NotFound(what="该文件")
        return found

    found = await transaction(pool, actor, now, may_fetch)
    async with pool.connection() as connection:
        keys = await pool.vault.keys(connection, newest=True)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            data = await own_data(connection, keys, found["person_id"], now)
    text = json.dumps(data, ensure_ascii=False, indent=1).encode()

    async def fetched(db: Db) -> None:
        await may_fetch(db)
        if await db.one(FETCHED, id=request, size=len(text)) is None:  # taken back while it was made
            raise NotFound(what="该文件")
        db.tell("subject_request.done", request, kind=found["kind"])

    await transaction(pool, actor, now, fetched)
    return found["person_id"], text
