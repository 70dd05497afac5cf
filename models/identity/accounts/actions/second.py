"""The second factor: a code of the authenticator, each taken once; or a recovery code, in its place, once."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.base import table
from models.database import Db, Statement
from models.identity.accounts.codes import new_recovery_codes, recovery_hash, step_of
from models.identity.accounts.tables import Account, RecoveryCode
from models.vault import Kind

account, recovery = table(Account), table(RecoveryCode)
WHOSE = sa.bindparam("person", type_=sa.Uuid())

LOCK = Statement(sa.select(account).where(account.c.person_id == WHOSE).with_for_update())
"""An account, while the transaction lasts nobody else's: what is compared cannot change meanwhile."""
TAKE_STEP = Statement(
    sa.update(account)
    .where(
        account.c.person_id == WHOSE,
        sa.func.coalesce(account.c.totp_last_step, 0) < sa.bindparam("step", type_=sa.BigInteger(), unique=False),
    )
    .values(totp_last_step=sa.bindparam("step", type_=sa.BigInteger(), unique=False))
    .returning(account.c.id)
)
USE_CODE = Statement(
    sa.update(recovery)
    .where(
        recovery.c.person_id == WHOSE,
        recovery.c.code_hash == sa.bindparam("hash", type_=sa.LargeBinary()),
        recovery.c.used_at.is_(None),
    )
    .values(used_at=sa.bindparam("now"))
    .returning(recovery.c.id)
)
FORGET_CODES = Statement(sa.delete(recovery).where(recovery.c.person_id == WHOSE))
NEW_CODE = Statement(sa.insert(recovery).values(person_id=WHOSE, code_hash=sa.bindparam("hash")))


async def right_code(db: Db, row: asyncpg.Record, code: str) -> bool:
    """Takes a code of a locked account's confirmed authenticator, or one of its recovery codes: never a second time."""
    who: UUID = row["person_id"]
    secret = (await db.keys()).open(Kind.LOGIN, row["totp_secret"], who)
    step = step_of(secret, code, db.now)
    if step is not None:
        return await db.value(TAKE_STEP, person=who, step=step) is not None
    if await db.value(USE_CODE, person=who, hash=recovery_hash(code)) is None:
        return False
    db.detail["recoveryCode"] = True
    return True


async def renew_codes(db: Db, who: UUID) -> list[str]:
    """Ten new recovery codes, in place of all that there were."""
    codes = new_recovery_codes()
    await db.one(FORGET_CODES, person=who)
    for code in codes:
        await db.one(NEW_CODE, person=who, hash=recovery_hash(code))
    return codes
