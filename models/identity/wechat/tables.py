"""Who signs in by WeChat, which numbers he has proven, and which records turned out to be one person."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from models.base import APPEND_ONLY, Table, blind, check, choice, chosen, flag, instant, key, sealed, several, text, to
from models.identity.wechat.rules import MergeProof
from models.vault import Kind


class WechatIdentity(Table, table=True):
    """A WeChat user as one mini-program knows him, and the person that he is.

    What is sealed are `appid:openid` and `unionid`. The unionid, which WeChat gives to users of several programs of one
    owner, joins his identities.
    """

    __tablename__ = "wechat_identity"
    id: UUID = key()
    person_id: UUID = to("person.id")
    appid: str = text()
    openid: bytes = sealed(Kind.LOGIN)
    openid_index: bytes = blind("openid", index=False, unique=True)
    unionid: bytes | None = sealed(Kind.LOGIN, optional=True)
    unionid_index: bytes | None = blind("unionid", optional=True)
    bound_at: datetime = instant()


class LoginCode(Table, table=True):
    """A code of wx.login that was used here: for five minutes it gives the same sign-in again."""

    __tablename__ = "login_code"
    code_hash: bytes = Field(primary_key=True)
    """SHA-256 of the appid and the code."""
    sign_in_id: UUID
    at: datetime = instant(index=True)


class BoundPhone(Table, table=True):
    """That a person proved, in a sign-in, that he has a phone number: WeChat told it of a button that he pressed."""

    __tablename__ = "bound_phone"
    __table_args__ = (sa.Index("ix_bound_phone_sign_in_id_proven_at", "sign_in_id", "proven_at"),)
    id: UUID = key()
    person_id: UUID = to("person.id")
    phone: bytes = sealed(Kind.PHONE)
    phone_index: bytes = blind("phone", index=False)
    phone_masked: str = text()
    records_found: bool = flag()
    """Whether another record had this number then, which he may claim."""
    sign_in_id: UUID
    proven_at: datetime = instant(index=True)


class ClaimTry(Table, table=True):
    """A failed attempt to claim a record: five a day end it, for the person who tries and for each of the records."""

    __tablename__ = "claim_try"
    __table_args__ = (
        sa.Index("ix_claim_try_person_id_at", "person_id", "at"),
        sa.Index("ix_claim_try_records", "records", postgresql_using="gin"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    records: list[UUID] = several(sa.Uuid)
    """The records that the number or the card led to, whose names were others."""
    at: datetime = instant(index=True)


class PersonMerge(Table, table=True):
    """That two records were one person: what the first had is the second's."""

    __tablename__ = "person_merge"
    __table_args__ = (
        sa.UniqueConstraint("from_id"),
        chosen("proof", MergeProof),
        check("two", "from_id <> into_id"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    from_id: UUID = to("person.id", index=False)
    into_id: UUID = to("person.id")
    proof: MergeProof = choice(MergeProof)
    reason: str | None = text(optional=True)
    """What the staff member who merged them said; None where the person himself did."""
    by_id: UUID = to("person.id")
    at: datetime = instant()


class PlatformToken(Table, table=True):
    """A token of an outside platform that every process shares. Without one yet, somebody is asking for the first."""

    __tablename__ = "platform_token"
    __table_args__ = (check("token", "(token IS NULL) = (ends_at IS NULL) AND (token IS NULL) = (renewed_at IS NULL)"),)
    name: str = Field(primary_key=True, sa_type=sa.Text)
    token: bytes | None = sealed(Kind.TOKEN, None, optional=True)
    ends_at: datetime | None = instant(optional=True)
    renewed_at: datetime | None = instant(optional=True)
    leased_until: datetime | None = instant(optional=True)
    """Until when one process alone renews it."""
