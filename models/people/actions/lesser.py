"""An account that an organization's staff made, when its person is given more than they could give.

Whoever made it may have taken the invitation up himself, chosen the password and bound his own authenticator or
his own WeChat: as their member he could act anyway. So all of it falls when an administrator gives that person anything else, and an
administrator invites him anew.
"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from models.access import Role
from models.base import INSTANT
from models.database import Db, Statement

WHOSE = sa.bindparam("person", type_=sa.Uuid())
SECRETS = (
    "password_hash",
    "password_changed_at",
    "totp_secret",
    "totp_confirmed_at",
    "totp_last_step",
    "totp_pending",
    "invitation_hash",
    "invitation_until",
)
account = sa.table(
    "account", sa.column("person_id"), sa.column("invited_for", sa.Uuid()), *(sa.column(name) for name in SECRETS)
)
WAYS = (sa.table("recovery_code", sa.column("person_id")), sa.table("wechat_identity", sa.column("person_id")))
sign_in = sa.table("sign_in", sa.column("person_id"), sa.column("ended_at", INSTANT), sa.column("end_reason"))
"""Accounts and sign-ins belong to an area above this one, which this one does not import."""

FORGET = Statement(
    sa.update(account)
    .where(
        account.c.person_id == WHOSE,
        account.c.invited_for.is_not(None),
        account.c.invited_for.is_distinct_from(sa.bindparam("still", type_=sa.Uuid())),
    )
    .values(dict.fromkeys(SECRETS, sa.null()))
    .returning(account.c.person_id)
)
SHUT = tuple(Statement(sa.delete(way).where(way.c.person_id == WHOSE)) for way in WAYS)
END = Statement(
    sa.update(sign_in)
    .where(sign_in.c.person_id == WHOSE, sign_in.c.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now", type_=INSTANT), end_reason=sa.literal_column("'PASSWORD_CHANGED'"))
)


async def outgrown(db: Db, person: UUID, role: Role, organization: UUID | None) -> None:
    """Empties an account that was made for an organization's member, who is now given something else than that."""
    still = organization if role is Role.NGO_STAFF else None
    if await db.value(FORGET, person=person, still=still) is None:
        return
    for way in SHUT:
        await db.one(way, person=person)
    await db.one(END, person=person)
    db.detail["accountReset"] = True
