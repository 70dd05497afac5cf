"""What is kept no longer than it is needed (PIPL art. 19): forgotten by the clock, in batches."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from models.base import INSTANT, table
from models.database import Db, Statement
from models.people.tables import ContactGrant
from models.privacy.rules import FORGET_AFTER, GRANTS_KEPT, RequestState
from models.privacy.tables import Correction, SubjectRequest

asked, correction, grant = table(SubjectRequest), table(Correction), table(ContactGrant)
BATCH = 500
BEFORE = sa.bindparam("before", type_=INSTANT)

PROPOSALS = Statement(
    sa.update(correction)
    .where(
        correction.c.id.in_(
            sa.select(correction.c.id)
            .join(asked, asked.c.id == correction.c.request_id)
            .where(correction.c.proposed.is_not(None), asked.c.handled_at < BEFORE)
            .limit(BATCH)
            .with_for_update(of=correction, skip_locked=True)
        )
    )
    .values(proposed=None)
    .returning(correction.c.id)
)
FILES = Statement(
    sa.update(asked)
    .where(
        asked.c.id.in_(
            sa.select(asked.c.id)
            .where(
                asked.c.state == sa.literal_column(f"'{RequestState.IN_PROGRESS.value}'"),
                asked.c.expires_at < sa.bindparam("now", type_=INSTANT, unique=False),
            )
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
    )
    .values(
        state=sa.literal_column(f"'{RequestState.WITHDRAWN.value}'"),
        handled_at=sa.bindparam("now", type_=INSTANT, unique=False),
    )
    .returning(asked.c.id)
)
GRANTS = Statement(
    sa.delete(grant)
    .where(
        grant.c.id.in_(
            sa.select(grant.c.id).where(grant.c.until < BEFORE).limit(BATCH).with_for_update(skip_locked=True)
        )
    )
    .returning(grant.c.id)
)


async def forget_proposals(db: Db) -> int:
    """Clears what decided corrections proposed, 30 days later; how many."""
    return await _many(db, PROPOSALS, FORGET_AFTER)


async def forget_grants(db: Db) -> int:
    """Deletes that a contact could be revealed, 180 days after it ended; how many. Who did read it stays."""
    return await _many(db, GRANTS, GRANTS_KEPT)


async def close_files(db: Db) -> int:
    """Closes requests whose file nobody fetched in time; how many."""
    return len(await db.all(FILES))


async def _many(db: Db, statement: Statement, age: timedelta) -> int:
    return len(await db.all(statement, before=db.now - age))
