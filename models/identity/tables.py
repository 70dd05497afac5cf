"""Sign-ins and what they are made by; the capacities that they may be for; keys of machines.

No token lies here that could be used: of refresh tokens and keys there are hashes only, and access tokens nowhere.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

import models.identity.accounts.tables
import models.identity.wechat.tables  # noqa: F401 - its classes register themselves
from models.access import Role
from models.base import VIEW, Table, check, choice, chosen, count, flag, instant, key, several, text, to
from models.events import Xid8
from models.identity.rules import BUDGET, BUDGET_LEAST, KEY_DAYS_MOST, ApiScope, SignInEnd, SignInMethod

ROLES = ", ".join(f"'{role.value}'" for role in Role if role is not Role.PUBLIC)
SCOPES = ", ".join(f"'{scope.value}'" for scope in ApiScope)


class SignIn(Table, table=True):
    """登录: a person on one device, from when he proved who he is until it ends; and the family of its refresh tokens.

    `xid` is the transaction that last renewed it: there, and nowhere else, it is shown to a caller who is not its
    person yet (visible.py).
    """

    __tablename__ = "sign_in"
    __table_args__ = (
        chosen("method", SignInMethod),
        chosen("end_reason", SignInEnd),
        check("role", f"role IN ({ROLES})"),
        check("ended", "(ended_at IS NULL) = (end_reason IS NULL)"),
        check("lasts", "created_at < expires_at"),
        sa.Index("ix_sign_in_person_id_created_at", "person_id", "created_at"),
        sa.Index("ix_sign_in_expires_at", "expires_at", postgresql_where=sa.text("ended_at IS NULL")),
        sa.Index("ix_sign_in_ended_at", "ended_at"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    method: SignInMethod = choice(SignInMethod)
    strong: bool = flag()
    """A second factor was given, and still counts."""
    role: str = text()
    """As what it was last acted."""
    membership_id: UUID | None = to("membership.id", optional=True, index=False)
    device: str | None = text(optional=True)
    """What the client calls itself."""
    network: str | None = text(optional=True)
    """Where it was last refreshed from: the address without its last part."""
    created_at: datetime = instant()
    last_seen_at: datetime = instant()
    """When it was last refreshed, or changed its capacity."""
    expires_at: datetime = instant()
    """When it ends, if it is not refreshed before."""
    ended_at: datetime | None = instant(optional=True)
    end_reason: SignInEnd | None = choice(SignInEnd, optional=True)
    xid: Any = Field(default=None, sa_type=Xid8, sa_column_kwargs={"server_default": sa.text("pg_current_xact_id()")})


class RefreshToken(Table, table=True):
    """A refresh token, as its SHA-256. Each is used once, for the next one."""

    __tablename__ = "refresh_token"
    __table_args__ = (
        check("hash", "octet_length(hash) = 32"),
        check("used", "(used_at IS NULL) = (replaced_by IS NULL)"),
    )
    hash: bytes = Field(primary_key=True)
    sign_in_id: UUID = to("sign_in.id")
    issued_at: datetime = instant()
    used_at: datetime | None = instant(optional=True)
    replaced_by: bytes | None = None
    """The hash of the one that was given for it."""


class ApiKey(Table, table=True):
    """密钥: by it a machine acts as staff of an organization, in the name of the person who made it."""

    __tablename__ = "api_key"
    __table_args__ = (
        check("hash", "octet_length(hash) = 32"),
        check("scopes", f"scopes <@ ARRAY[{SCOPES}]::text[] AND cardinality(scopes) > 0"),
        check("budget", f"budget BETWEEN {BUDGET_LEAST} AND {BUDGET}"),
        check("lasts", f"created_at < expires_at AND expires_at <= created_at + interval '{KEY_DAYS_MOST * 24} hours'"),
        check("revoked", "(revoked_at IS NULL) = (revoked_by IS NULL)"),
        sa.UniqueConstraint("prefix"),
        sa.Index("ix_api_key_organization_id_created_at", "organization_id", "created_at"),
        sa.Index("ix_api_key_membership_id", "membership_id"),
    )
    id: UUID = key()
    prefix: str = text()
    """Its first part, which is no secret: it is found by it, and known again in a list."""
    hash: bytes
    """SHA-256 of its second part, which has 190 bits of chance: nothing slower is needed."""
    organization_id: UUID = to("organization.id", index=False)
    person_id: UUID = to("person.id")
    membership_id: UUID = to("membership.id", index=False)
    """It ends with this membership."""
    name: str = text()
    scopes: list[str] = several()
    budget: int = count(BUDGET)
    """Points a minute that it may spend (resolvers/engine/limits.py says what costs how many)."""
    created_at: datetime = instant()
    expires_at: datetime = instant()
    last_used_at: datetime | None = instant(optional=True)
    revoked_at: datetime | None = instant(optional=True)
    revoked_by: UUID | None = to("person.id", optional=True, index=False)


class Capacity(Table, table=True):
    """A capacity that a person may act in: a membership, what he is registered as, or just himself. A view.

    Whether a membership has begun and not ended is asked of its days; one that was revoked is not here.
    """

    __tablename__ = "capacity"
    __table_args__ = ({"info": VIEW},)
    id: UUID = key()
    """Of the membership, resident, volunteer or person that it comes from."""
    person_id: UUID
    role: str = text()
    membership_id: UUID | None = None
    organization_id: UUID | None = None
    area: str | None = text(optional=True)
    starts_on: date | None = None
    ends_on: date | None = None
