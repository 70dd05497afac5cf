"""Verbs of sign-ins: begin one, refresh it, change its capacity, end it.

A sign-in is a family of refresh tokens, each used once for the next. One that comes a second time has been copied: the
whole family ends. A client whose answer was lost may ask again for half a minute, while nobody has used the answer.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.access import Claims, Role, may
from models.base import table
from models.database import Db, Statement
from models.identity.capacities import Acting, chosen, held
from models.identity.problems import (
    CapacityNotHeld,
    RefreshInvalid,
    RefreshReused,
    SecondFactorRequired,
)
from models.identity.rules import ACCESS, GRACE, MAY, SignInEnd, SignInMethod, lasts_until, still_strong
from models.identity.tables import RefreshToken, SignIn
from models.identity.tokens import sign
from models.problems import Forbidden, Kept, NotFound, refuses
from models.rules_text import clean

PREFIX = "wsr_"
"""What a refresh token begins with, so that people and scanners know one when they see it."""
DEVICE_MOST = 60

sign_in, refresh_token = table(SignIn), table(RefreshToken)
XID = sa.func.pg_current_xact_id()
ID = sa.bindparam("id", type_=sa.Uuid())

LAST = Statement(
    sa.select(sign_in.c.role, sign_in.c.membership_id)
    .where(
        sign_in.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        sign_in.c.method == sa.bindparam("method", type_=sa.Text()),
        sign_in.c.strong == sa.bindparam("strong", type_=sa.Boolean()),
        sign_in.c.role != Role.PERSON.value,
    )
    .order_by(sign_in.c.last_seen_at.desc())
    .limit(1)
)
OPEN = Statement(
    sa.insert(sign_in)
    .values(
        person_id=sa.bindparam("person"),
        method=sa.bindparam("method"),
        strong=sa.bindparam("strong"),
        role=sa.bindparam("role"),
        membership_id=sa.bindparam("membership"),
        device=sa.bindparam("device"),
        network=sa.bindparam("network"),
        created_at=sa.bindparam("now"),
        last_seen_at=sa.bindparam("now"),
        expires_at=sa.bindparam("until"),
    )
    .returning(sign_in.c.id)
)
ISSUE = Statement(
    sa.insert(refresh_token).values(
        hash=sa.bindparam("hash"), sign_in_id=sa.bindparam("sign_in"), issued_at=sa.bindparam("now")
    )
)
FAMILY = Statement(
    sa.select(refresh_token.c.sign_in_id).where(refresh_token.c.hash == sa.bindparam("hash", type_=sa.LargeBinary()))
)
LOCK = Statement(sa.select(sign_in).where(sign_in.c.id == ID).with_for_update())
_next = refresh_token.alias("next")
TOKEN = Statement(
    sa.select(
        refresh_token.c.hash,
        refresh_token.c.used_at,
        refresh_token.c.replaced_by,
        _next.c.used_at.is_(None).label("next_unused"),
    )
    .select_from(refresh_token.outerjoin(_next, _next.c.hash == refresh_token.c.replaced_by))
    .where(refresh_token.c.hash == sa.bindparam("hash", type_=sa.LargeBinary()))
)
USE = Statement(
    sa.update(refresh_token)
    .where(refresh_token.c.hash == sa.bindparam("hash", type_=sa.LargeBinary()))
    .values(
        used_at=sa.func.coalesce(refresh_token.c.used_at, sa.bindparam("now")),
        replaced_by=sa.bindparam("by", type_=sa.LargeBinary()),
    )
)
RENEW = Statement(
    sa.update(sign_in)
    .where(sign_in.c.id == ID)
    .values(
        role=sa.bindparam("role"),
        membership_id=sa.bindparam("membership"),
        strong=sa.bindparam("strong"),
        last_seen_at=sa.bindparam("now"),
        expires_at=sa.bindparam("until"),
        device=sa.func.coalesce(sa.bindparam("device", type_=sa.Text()), sign_in.c.device),
        network=sa.func.coalesce(sa.bindparam("network", type_=sa.Text()), sign_in.c.network),
        xid=XID,
    )
)
_end = sa.update(sign_in).where(sign_in.c.ended_at.is_(None))
_ended: dict[str, Any] = {"ended_at": sa.bindparam("now"), "end_reason": sa.bindparam("reason")}
END = Statement(_end.where(sign_in.c.id == ID).values(**_ended))
END_OF = Statement(
    _end.where(
        sign_in.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        sign_in.c.id.is_distinct_from(sa.bindparam("keep", type_=sa.Uuid())),
    )
    .values(**_ended)
    .returning(sign_in.c.id)
)
END_ALL = Statement(_end.values(**_ended).returning(sign_in.c.id))
USED = Statement(sa.select(sa.exists().where(refresh_token.c.sign_in_id == ID, refresh_token.c.used_at.is_not(None))))
FORGET = Statement(sa.delete(refresh_token).where(refresh_token.c.sign_in_id == ID))
OWN = Statement(
    sa.select(sa.literal_column("1")).where(
        sign_in.c.id == ID, sign_in.c.person_id == sa.bindparam("person", type_=sa.Uuid())
    )
)


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A sign-in and the tokens to use it by, told once. (No repr: it is never written anywhere.)"""

    sign_in: UUID
    access_token: str
    refresh_token: str


async def open_sign_in(
    db: Db,
    person: UUID,
    method: SignInMethod,
    *,
    strong: bool,
    device: str | None = None,
    acting: Acting | None = None,
) -> Opened:
    """Begins a sign-in for somebody who has just proven who he is; `strong`: by a second factor too.

    He acts as `acting` if he has that capacity, else as the last time that he came this way, else as the first that he
    has: who is staff at a desk stays a resident on his phone. Raises InvalidInput for a device's name,
    SecondFactorRequired when he asks for a role that needs one, CapacityNotHeld when his data were erased.
    """
    last, has, now = await db.one(LAST, person=person, method=method, strong=strong), await held(db, person), db.now
    wanted = acting if acting is not None and any(acting.fits(c) for c in has) else None
    as_ = chosen(has, strong=strong, wanted=wanted, last=None if last is None else _acting(last))
    until = lasts_until(as_.role, now, now)
    id: UUID = await db.value(
        OPEN,
        person=person,
        method=method,
        strong=strong,
        role=as_.role,
        membership=as_.membership,
        device=device_of(device),
        network=network_of(db.address),
        until=until,
    )
    token, digest = made()
    await db.one(ISSUE, hash=digest, sign_in=id)
    db.detail.update(person=person, signIn=id, method=method.value, role=as_.role.value)
    return Opened(id, await _access(db, person, as_, id, until), token)


async def open_again(db: Db, id: UUID) -> Opened | None:
    """New tokens for a sign-in whose first answer was lost; what was told then is worth nothing from now on.

    None when it was not lost, because its refresh token has been used, and when the sign-in has ended. Raises
    CapacityNotHeld, SecondFactorRequired.
    """
    row = await db.one(LOCK, id=id)
    if row is None or row["ended_at"] is not None or row["expires_at"] <= db.now or await db.value(USED, id=id):
        return None
    await db.one(FORGET, id=id)
    db.detail.update(person=row["person_id"], signIn=id)
    access = await _renew(db, row, None, None)
    token, digest = made()
    await db.one(ISSUE, hash=digest, sign_in=id)
    return Opened(id, access, token)


@may(MAY["sign_in.refresh"])
@refuses(RefreshInvalid, RefreshReused, CapacityNotHeld, SecondFactorRequired)
async def refresh(db: Db, token: str, *, acting: Acting | None = None, device: str | None = None) -> Opened:
    """New tokens for a refresh token, which is used up; by `acting` the capacity changes too.

    Whoever comes with a used one ends the sign-in, unless it was used within the last 30 seconds and nobody has used
    what was given for it: then that is replaced. Raises the problems named above.
    """
    digest = hash_of(token)
    family = await db.value(FAMILY, hash=digest)
    row = None if family is None else await db.one(LOCK, id=family)
    given = None if row is None else await db.one(TOKEN, hash=digest)  # read once the family is ours alone
    if row is None or given is None or row["ended_at"] is not None:
        raise RefreshInvalid()
    db.detail.update(person=row["person_id"], signIn=row["id"])
    if row["expires_at"] <= db.now:
        await db.one(END, id=row["id"], reason=SignInEnd.EXPIRED)
        raise Kept(RefreshInvalid())
    if not usable(given, db.now):
        await db.one(END, id=row["id"], reason=SignInEnd.REUSED)
        db.tell("signIn.reused", row["id"])
        raise Kept(RefreshReused())
    fresh, by = made()
    if given["replaced_by"] is not None:
        await db.one(USE, hash=given["replaced_by"], by=by)
    await db.one(USE, hash=digest, by=by)
    access = await _renew(db, row, acting, device)
    await db.one(ISSUE, hash=by, sign_in=row["id"])
    return Opened(row["id"], access, fresh)


def usable(given: asyncpg.Record, now: datetime) -> bool:
    """Whether a refresh token may be used: for the first time, or again because its answer was lost on the way."""
    return given["used_at"] is None or (now < given["used_at"] + GRACE and given["next_unused"] is True)


@may(MAY["sign_in.switch"])
@refuses(CapacityNotHeld, SecondFactorRequired)
async def switch(db: Db, acting: Acting) -> tuple[UUID, str]:
    """Changes the capacity of the sign-in that asks: its id, and an access token for the new one.

    Raises Forbidden for a token without a sign-in, and the problems named above.
    """
    row = None if db.actor.sign_in is None else await db.one(LOCK, id=db.actor.sign_in)
    if row is None or row["ended_at"] is not None or row["expires_at"] <= db.now:
        raise Forbidden()
    return row["id"], await _renew(db, row, acting, None)


async def _renew(db: Db, row: asyncpg.Record, acting: Acting | None, device: str | None) -> str:
    """Chooses the capacity again, moves the end on, and signs an access token."""
    since = row["created_at"]
    strong = row["strong"] and still_strong(since, row["last_seen_at"], db.now)
    as_ = chosen(await held(db, row["person_id"]), strong=strong, wanted=acting, last=_acting(row))
    until = lasts_until(as_.role, since, db.now)
    await db.one(
        RENEW,
        id=row["id"],
        role=as_.role,
        membership=as_.membership,
        strong=strong,
        until=until,
        device=device_of(device),
        network=network_of(db.address),
    )
    db.detail["role"] = as_.role.value
    return await _access(db, row["person_id"], as_, row["id"], until)


async def _access(db: Db, person: UUID, as_: Acting, sign_in: UUID, until: datetime) -> str:
    claims = Claims(person, as_.role, as_.membership, sign_in)
    return sign(await db.keys(), claims, db.now, min(ACCESS, until - db.now))


@may(MAY["sign_in.end"])
async def end_sign_in(db: Db, id: UUID) -> UUID:
    """Ends one of the caller's sign-ins, his present one or another; one that has ended stays as it is.

    Its access tokens die with it, within a minute. Raises NotFound; for a token without a sign-in there is none.
    """
    if db.actor.sign_in is None or await db.value(OWN, id=id, person=db.actor.person) is None:
        raise NotFound(what="该登录")
    reason = SignInEnd.SIGNED_OUT if id == db.actor.sign_in else SignInEnd.ENDED_BY_OWNER
    await db.one(END, id=id, reason=reason)
    return id


@may(MAY["sign_in.end"])
async def end_all_sign_ins(db: Db, except_this: bool) -> UUID:
    """Ends all of the caller's sign-ins, or all but the present one; returns his id. Raises Forbidden without one."""
    person = db.actor.person
    if db.actor.sign_in is None or person is None:
        raise Forbidden()
    await end_sign_ins_of(db, person, SignInEnd.ENDED_BY_OWNER, keep=db.actor.sign_in)
    if not except_this:
        await db.one(END, id=db.actor.sign_in, reason=SignInEnd.SIGNED_OUT)
    return person


async def end_sign_ins_of(db: Db, person: UUID, reason: SignInEnd, *, keep: UUID | None = None) -> int:
    """Ends a person's sign-ins, save one: when his data are erased, his records merged, his password changed. How many."""
    ended = await db.all(END_OF, person=person, reason=reason, keep=keep)
    db.detail["endedSignIns"] = len(ended)
    return len(ended)


async def end_everybodys(db: Db) -> int:
    """Ends every sign-in that there is, for a command of whoever runs the platform; how many."""
    return len(await db.all(END_ALL, reason=SignInEnd.ENDED_BY_PLATFORM))


def made() -> tuple[str, bytes]:
    """A new refresh token of 256 bits, and its hash."""
    token = PREFIX + secrets.token_urlsafe(32)
    return token, hash_of(token)


def hash_of(token: str) -> bytes:
    """What is kept of a token. It is all chance, so one fast hash hides it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def device_of(given: str | None) -> str | None:
    """What a client calls itself, cut to a label. Raises InvalidInput for what cannot be stored."""
    if given is None or not given.strip():
        return None
    return clean(given.strip()[:DEVICE_MOST], "device", most=DEVICE_MOST)


def network_of(address: str | None) -> str | None:
    """The network that an address belongs to: enough for its owner to know it again, too little to find a house by."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(ip) >> 80 << 80, 48)))
        ip = ip.ipv4_mapped
    return f"{str(ip).rpartition('.')[0]}.*"


def _acting(row: asyncpg.Record) -> Acting:
    return Acting(Role(row["role"]), row["membership_id"])


__all__ = [
    "Acting",
    "Opened",
    "end_all_sign_ins",
    "end_everybodys",
    "end_sign_in",
    "end_sign_ins_of",
    "open_again",
    "open_sign_in",
    "refresh",
    "switch",
]
