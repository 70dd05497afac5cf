"""Who a token or a key stands for now."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
from datetime import datetime
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.access import Actor, Claims, Role
from models.base import INSTANT, table
from models.database import Statement
from models.identity.capacities import disabled
from models.identity.tables import ApiKey, SignIn
from models.people import queries as people

sign_in, api_key = table(SignIn), table(ApiKey)

PREFIX = "wsl_"
"""What every key of a machine begins with."""
KEY = re.compile(r"wsl_(live|test)_([a-z0-9]{8})_([A-Za-z0-9]{32})", re.ASCII)
"""The world it is for, the part that names it, the secret."""

LIVES = Statement(
    sa.select(sa.literal_column("1")).where(
        sign_in.c.id == sa.bindparam("sign_in", type_=sa.Uuid()),
        sign_in.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        sign_in.c.ended_at.is_(None),
        sign_in.c.expires_at > sa.bindparam("now", type_=INSTANT),
    )
)
NAMED = Statement(
    sa.select(
        api_key.c.id,
        api_key.c.hash,
        api_key.c.person_id,
        api_key.c.organization_id,
        api_key.c.membership_id,
        api_key.c.scopes,
        api_key.c.budget,
        api_key.c.expires_at,
    ).where(
        api_key.c.prefix == sa.bindparam("prefix", type_=sa.Text()),
        api_key.c.revoked_at.is_(None),
        api_key.c.expires_at > sa.bindparam("now", type_=INSTANT),
        ~disabled(api_key.c.person_id),
    )
)
DISABLED = Statement(sa.select(disabled(sa.bindparam("person", type_=sa.Uuid()))))
USED = Statement(
    sa.update(api_key)
    .where(
        api_key.c.id == sa.bindparam("id", type_=sa.Uuid()),
        sa.or_(
            api_key.c.last_used_at.is_(None),
            api_key.c.last_used_at
            < sa.bindparam("now", type_=INSTANT, unique=False) - sa.literal_column("interval '1 minute'"),
        ),
    )
    .values(last_used_at=sa.bindparam("now", type_=INSTANT, unique=False))
)
NOTHING = bytes(32)


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What a key stands for, until when, and how many points a minute it may spend."""

    actor: Actor
    until: datetime
    budget: int


async def actor_of(connection: asyncpg.Connection, claims: Claims, now: datetime) -> Actor | None:
    """Whom a token stands for, if he is there, has that capacity today, and his sign-in has not ended; else None.

    Nor is he anything by a membership while his account is disabled.
    """
    actor = await people.actor_of(connection, claims.person, claims.role, claims.membership, now)
    if actor is not None and claims.membership is not None:
        off = await connection.fetchval(DISABLED.sql, *DISABLED.arguments({"person": claims.person}))
        actor = None if off else actor
    if actor is None or claims.sign_in is None:
        return actor
    values = {"sign_in": claims.sign_in, "person": claims.person, "now": now}
    if await connection.fetchval(LIVES.sql, *LIVES.arguments(values)) is None:
        return None
    return dataclasses.replace(actor, sign_in=claims.sign_in)


async def machine_of(connection: asyncpg.Connection, key: str, now: datetime, *, live: bool) -> Machine | None:
    """Whom a key stands for: staff of its organization, while its maker is and may sign in; None for one that is none, or has ended.

    `live`: whether this is the real platform. A key for trying things out opens nothing there, and the other way round.
    """
    parts = KEY.fullmatch(key)
    if parts is None or parts[1] != world(live):
        return None
    found = await connection.fetchrow(NAMED.sql, *NAMED.arguments({"prefix": parts[2], "now": now}))
    same = hmac.compare_digest(hash_of(parts[3]), NOTHING if found is None else found["hash"])
    if found is None or not same:
        return None
    person: UUID = found["person_id"]
    actor = await people.actor_of(connection, person, Role.NGO_STAFF, found["membership_id"], now)
    if actor is None or actor.organization != found["organization_id"]:
        return None
    made = dataclasses.replace(actor, key=found["id"], scopes=frozenset(found["scopes"]))
    return Machine(made, found["expires_at"], found["budget"])


def world(live: bool) -> str:
    """The word in a key that says whether it is for the real platform."""
    return "live" if live else "test"


def hash_of(secret: str) -> bytes:
    """What is kept of a key's secret part."""
    return hashlib.sha256(secret.encode()).digest()


async def note_use(connection: asyncpg.Connection, key: UUID, now: datetime) -> None:
    """Writes when a key was last used, at most once a minute."""
    await connection.execute(USED.sql, *USED.arguments({"id": key, "now": now}))
