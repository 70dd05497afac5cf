"""What else lets somebody in besides his password: it goes when the password is changed or taken away.

Whoever had his token for a moment may have left himself another way in; a new password has to shut it (NIST SP
800-63B, 5.2.12: what was bound is unbound when an account is recovered).
"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from models.base import table
from models.database import Db, Statement
from models.identity.tables import ApiKey
from models.identity.wechat.tables import WechatIdentity

wechat, api_key = table(WechatIdentity), table(ApiKey)
OF = sa.bindparam("person", type_=sa.Uuid())

UNBIND = Statement(sa.delete(wechat).where(wechat.c.person_id == OF).returning(wechat.c.id))
REVOKE = Statement(
    sa.update(api_key)
    .where(api_key.c.person_id == OF, api_key.c.revoked_at.is_(None), api_key.c.expires_at > sa.bindparam("now"))
    .values(revoked_at=sa.bindparam("now"), revoked_by=sa.bindparam("by"))
    .returning(api_key.c.id)
)


async def unbind(db: Db, person: UUID) -> int:
    """Unbinds every WeChat user of a person; how many."""
    gone = len(await db.all(UNBIND, person=person))
    db.detail["unboundWechat"] = gone
    return gone


async def shut_other_ways(db: Db, person: UUID) -> None:
    """Unbinds a person's WeChat, and revokes the keys that he made."""
    await unbind(db, person)
    db.detail["revokedKeys"] = len(await db.all(REVOKE, person=person, by=db.actor.person))
