"""Verbs of machines' keys: make one, revoke one. By people only, never by a key."""

from __future__ import annotations

import dataclasses
import secrets
import string
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

import models.identity.visible  # noqa: F401  (statements below are written with these rules)
from models import clock
from models.access import Role, may, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.identity.accounts.actions.own import proven_again
from models.identity.accounts.actions.proof import Proof
from models.identity.accounts.actions.second import LOCK
from models.identity.accounts.problems import CodeRefused, CodeRequired, PasswordRefused, TooManyAttempts
from models.identity.problems import TooManyKeys
from models.identity.queries import hash_of, world
from models.identity.rules import BUDGET, BUDGET_LEAST, KEY_DAYS, KEY_DAYS_MOST, KEYS_OF_ONE_NAME, MAY, ApiScope
from models.identity.tables import ApiKey
from models.people.actions.once import once
from models.people.holding import holds
from models.people.organizations import Membership
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, refuses
from models.rules_text import clean

NAMES, SECRETS = string.ascii_lowercase + string.digits, string.ascii_letters + string.digits
NAME_LENGTH, SECRET_LENGTH = 8, 32

api_key, membership = table(ApiKey), table(Membership)

OFFICE = Statement(
    sa.select(membership.c.id).where(
        membership.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        membership.c.organization_id == sa.bindparam("organization", type_=sa.Uuid()),
        membership.c.role == Role.NGO_STAFF.value,
        holds(membership.c),
    )
)
"""Of one kind nobody has two at once."""
LIVE = Statement(
    sa.select(sa.func.count())
    .select_from(api_key)
    .where(
        api_key.c.organization_id == sa.bindparam("organization", type_=sa.Uuid()),
        api_key.c.name == sa.bindparam("name", type_=sa.Text()),
        api_key.c.revoked_at.is_(None),
        api_key.c.expires_at > sa.bindparam("now"),
    )
)
INSERT = Statement(
    sa.insert(api_key)
    .values(
        prefix=sa.bindparam("prefix"),
        hash=sa.bindparam("hash"),
        organization_id=sa.bindparam("organization"),
        person_id=sa.bindparam("person"),
        membership_id=sa.bindparam("membership"),
        name=sa.bindparam("name"),
        scopes=sa.bindparam("scopes", type_=postgresql.ARRAY(sa.Text())),
        budget=sa.bindparam("budget"),
        created_at=sa.bindparam("now"),
        expires_at=sa.bindparam("until"),
    )
    .returning(api_key.c.id)
)
ONE = Seen(
    lambda viewer: (
        sa.select(api_key.c.revoked_at)
        .where(api_key.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(api_key, "api_key", viewer))
        .with_for_update()
    )
)
REVOKE = Statement(
    sa.update(api_key)
    .where(api_key.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(revoked_at=sa.bindparam("now"), revoked_by=sa.bindparam("person"))
)


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Made:
    """A key that was made, told once. (No repr: it is never written anywhere.)"""

    id: UUID
    key: str


@may(MAY["api_key.make"])
@refuses(TooManyKeys, PasswordRefused, CodeRequired, CodeRefused, TooManyAttempts)
async def make_key(
    db: Db,
    name: str,
    scopes: Sequence[ApiScope],
    *,
    live: bool,
    days: int = KEY_DAYS,
    budget: int = BUDGET,
    proof: Proof | None = None,
    code: str | None = None,
) -> Made:
    """Makes a key for the caller's organization, valid for some days; `budget` in points a minute.

    It acts in the caller's name and ends with his membership. Two live ones may have one name, so that a new one can
    take the old one's place. Whoever has an account has proven his password before, and gives a code if he has an
    authenticator: a token lasts minutes, a key up to a year. Raises Forbidden, InvalidInput, and the problems named above.
    """
    actor = db.actor
    if actor.key is not None:
        raise Forbidden()
    name = clean(name, "name", least=2, most=40)
    if not scopes:
        raise InvalidInput(field="scopes", reason="请至少选择一项权限。")
    if not 1 <= days <= KEY_DAYS_MOST:
        raise InvalidInput(field="days", reason=f"有效期须为 1 至 {KEY_DAYS_MOST} 天。")
    if not BUDGET_LEAST <= budget <= BUDGET:
        raise InvalidInput(field="pointsPerMinute", reason=f"每分钟用量须为 {BUDGET_LEAST} 至 {BUDGET} 点。")
    if proof is not None:
        await proven_again(db, proof, code)
    elif await db.one(LOCK, person=actor.person) is not None:  # it is disabled, or was made this moment
        raise Forbidden()
    who = {"person": actor.person, "organization": actor.organization}
    office = await db.value(OFFICE, today=clock.day(db.now), **who)
    if office is None:
        raise Forbidden()
    await once(db, f"api_key/{actor.organization}/{name}")
    if await db.value(LIVE, organization=actor.organization, name=name) >= KEYS_OF_ONE_NAME:
        raise TooManyKeys()
    prefix, secret = _chance(NAMES, NAME_LENGTH), _chance(SECRETS, SECRET_LENGTH)
    id: UUID = await db.value(
        INSERT,
        prefix=prefix,
        hash=hash_of(secret),
        membership=office,
        name=name,
        scopes=[scope for scope in ApiScope if scope in scopes],
        budget=budget,
        until=db.now + timedelta(days=days),
        **who,
    )
    db.detail.update(key=id, scopes=sorted(scopes))
    return Made(id, f"wsl_{world(live)}_{prefix}_{secret}")


@may(MAY["api_key.revoke"])
@refuses(InvalidTransition)
async def revoke_key(db: Db, id: UUID) -> UUID:
    """Ends a key, within a minute everywhere; returns its id. The organization's staff any of theirs; administrators all.

    Raises Forbidden, NotFound, InvalidTransition when it was revoked before.
    """
    if db.actor.key is not None:
        raise Forbidden()
    row = await db.one(ONE, id=id)
    if row is None:
        raise NotFound(what="该密钥")
    if row["revoked_at"] is not None:
        raise InvalidTransition(status="REVOKED", label="已吊销")
    await db.one(REVOKE, id=id, person=db.actor.person)
    return id


def _chance(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))
