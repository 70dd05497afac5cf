"""Accounts, what one signs in to them by, their recovery codes; and how many guesses strangers have left.

No password, code or token is here: only hashes, and what the vault has sealed.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from models.base import Table, blind, check, choice, chosen, count, instant, key, sealed, text, to
from models.identity.accounts.rules import LoginKind
from models.vault import Kind


class Account(Table, table=True):
    """账号: how a person of the staff signs in with a password. Without `password_hash` he is invited, no more."""

    __tablename__ = "account"
    __table_args__ = (
        sa.UniqueConstraint("person_id"),
        sa.UniqueConstraint("invitation_hash"),
        check("password", "(password_hash IS NULL) = (password_changed_at IS NULL)"),
        check("totp", "totp_confirmed_at IS NULL OR totp_secret IS NOT NULL"),
        check("invitation", "(invitation_hash IS NULL) = (invitation_until IS NULL)"),
        sa.Index("ix_account_created_at_id", "created_at", "id"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    password_hash: str | None = text(optional=True)
    """Argon2id, with its parameters (PHC string)."""
    password_changed_at: datetime | None = instant(optional=True)
    totp_secret: bytes | None = sealed(Kind.LOGIN, optional=True)
    """The secret of the codes that count."""
    totp_confirmed_at: datetime | None = instant(optional=True)
    totp_last_step: int | None = Field(default=None, sa_type=sa.BigInteger)
    """The latest 30-second step whose code was taken: it and those before it are not taken again."""
    totp_pending: bytes | None = sealed(Kind.LOGIN, optional=True)
    """A new secret that waits for its first code; the old one counts until then."""
    invitation_hash: bytes | None = None
    """SHA-256 of the invitation's token, which was told once."""
    invitation_until: datetime | None = instant(optional=True)
    invited_by: UUID | None = to("person.id", optional=True, index=False)
    """Who invited last; None for the first administrator, whom a command made."""
    invited_for: UUID | None = to("organization.id", optional=True, index=False)
    """The organization whose staff invited last, as its member; None where an administrator or the command did."""
    disabled_at: datetime | None = instant(optional=True)
    created_at: datetime = instant()


class AccountLogin(Table, table=True):
    """What a person signs in by: at most one phone number and one e-mail address."""

    __tablename__ = "account_login"
    __table_args__ = (
        chosen("kind", LoginKind),
        sa.UniqueConstraint("person_id", "kind"),
        sa.UniqueConstraint("login_index"),
    )
    id: UUID = key()
    person_id: UUID = Field(foreign_key="account.person_id")
    kind: LoginKind = choice(LoginKind)
    login: bytes = sealed(Kind.LOGIN)
    login_index: bytes = blind("login", index=False)
    masked: str = text()


class RecoveryCode(Table, table=True):
    """恢复码: takes the place of one code of the authenticator, once."""

    __tablename__ = "recovery_code"
    __table_args__ = (sa.UniqueConstraint("person_id", "code_hash"),)
    id: UUID = key()
    person_id: UUID = Field(foreign_key="account.person_id")
    code_hash: bytes
    """SHA-256: a code has 80 bits of chance."""
    used_at: datetime | None = instant(optional=True)


class SignInThrottle(Table, table=True):
    """How many guesses were made of late, by a blind index of who is guessed at, or from where."""

    __tablename__ = "sign_in_throttle"
    __table_args__ = (sa.Index("ix_sign_in_throttle_at", "at"),)
    key: bytes = Field(primary_key=True)
    guesses: int = count()
    """In the window that began at `since`, those under way included."""
    since: datetime = instant()
    locks: int = count(0)
    """How many locks in a row there have been."""
    locked_until: datetime | None = instant(optional=True)
    at: datetime = instant()
    """When it was last touched: two days later it is swept."""
