"""Signing in by a code of `wx.login`, and binding WeChat to an account.

A code is good for one call of WeChat, and an answer can be lost behind that call. So whoever sends the same code again
within five minutes is given the sign-in that it led to, with new tokens, unless the first ones were used.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from datetime import datetime
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import may
from models.base import INSTANT, table
from models.database import Db, Statement
from models.identity.actions.sign_ins import Acting, Opened, open_again, open_sign_in
from models.identity.problems import CapacityNotHeld, SecondFactorRequired
from models.identity.rules import SignInMethod
from models.identity.wechat.ports import Wechat, WechatUser
from models.identity.wechat.problems import (
    WechatBusy,
    WechatCodeInvalid,
    WechatCodeUsed,
    WechatRefused,
    WechatTaken,
    WechatTooOften,
    WechatUnavailable,
)
from models.identity.wechat.rules import CODE_LIFE, MAY
from models.identity.wechat.tables import LoginCode, WechatIdentity
from models.people.actions.once import once, secret_name
from models.people.actions.persons import new_person
from models.people.rules import PersonState
from models.people.tables import Person
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, refuses
from models.vault import Keys, Kind

identity, login_code, person = table(WechatIdentity), table(LoginCode), table(Person)

WAITS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Seconds between looks for the outcome of a request with the same code that came a moment earlier."""
PLATFORM = (WechatCodeInvalid, WechatCodeUsed, WechatTooOften, WechatRefused, WechatBusy, WechatUnavailable)
"""What WeChat may refuse."""

_HASH = login_code.c.code_hash == sa.bindparam("hash", type_=sa.LargeBinary())
KNOWN = Statement(
    sa.select(login_code.c.sign_in_id).where(_HASH, login_code.c.at > sa.bindparam("since", type_=INSTANT))
)
_used = postgresql.insert(login_code).values(
    code_hash=sa.bindparam("hash"), sign_in_id=sa.bindparam("sign_in"), at=sa.bindparam("now")
)
USED = Statement(
    _used.on_conflict_do_update(
        constraint="pk_login_code", set_={name: _used.excluded[name] for name in ("sign_in_id", "at")}
    )
)
_INDEXES = sa.bindparam("indexes", type_=postgresql.ARRAY(sa.LargeBinary()))
_PRESENT = sa.and_(person.c.id == identity.c.person_id, person.c.state == PersonState.PRESENT.value)
_found = sa.select(identity.c.id, identity.c.person_id, identity.c.unionid.is_(None).label("alone"))
BY_OPENID = Statement(_found.where(identity.c.openid_index == sa.any_(_INDEXES), _PRESENT))
BY_UNIONID = Statement(
    _found.where(identity.c.unionid_index == sa.any_(_INDEXES), _PRESENT).order_by(identity.c.id).limit(1)
)
_columns = ("person_id", "openid", "unionid", "unionid_index", "bound_at")
_bind = postgresql.insert(identity).values(
    person_id=sa.bindparam("person"),
    appid=sa.bindparam("appid"),
    openid=sa.bindparam("openid"),
    openid_index=sa.bindparam("openid_index"),
    unionid=sa.bindparam("unionid"),
    unionid_index=sa.bindparam("unionid_index"),
    bound_at=sa.bindparam("now"),
)
BIND = Statement(
    _bind.on_conflict_do_update(  # of somebody whose data were erased
        constraint="uq_wechat_identity_openid_index", set_={name: _bind.excluded[name] for name in _columns}
    )
)
JOIN = Statement(
    sa.update(identity)
    .where(identity.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(unionid=sa.bindparam("unionid"), unionid_index=sa.bindparam("unionid_index"))
)


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A code that was shown to WeChat: the user that it stands for; None where it was used here before."""

    code_hash: bytes
    user: WechatUser | None


async def shown(wechat: Wechat | None, pool: Pool, code: str, now: datetime) -> Shown:
    """Shows a code to WeChat, unless it led to a sign-in within the last five minutes. Holds no connection meanwhile.

    Of two requests with one code that come at once, the second waits for what the first one makes of it. Raises
    InvalidInput and the problems of the platform.
    """
    if wechat is None:
        raise WechatUnavailable()
    code = read_code(code)
    digest = hashlib.sha256(f"{wechat.appid}\0{code}".encode()).digest()
    if await _known(pool, digest, now):
        return Shown(digest, None)
    try:
        return Shown(digest, await wechat.user(code))
    except WechatCodeUsed:
        for seconds in WAITS:
            await asyncio.sleep(seconds)
            if await _known(pool, digest, now):
                return Shown(digest, None)
        raise


def read_code(code: str) -> str:
    """A code as WeChat may have given it: 1 to 128 visible characters. Raises InvalidInput."""
    if not 1 <= len(code) <= 128 or not code.isascii() or not code.isprintable() or " " in code:
        raise InvalidInput(field="code", reason="微信凭证格式不正确。")
    return code


async def _known(pool: Pool, digest: bytes, now: datetime) -> bool:
    async with pool.connection() as connection:
        values = {"hash": digest, "since": now - CODE_LIFE}
        return await connection.fetchval(KNOWN.sql, *KNOWN.arguments(values)) is not None


@may(MAY["wechat.sign_in"])
@refuses(*PLATFORM, CapacityNotHeld, SecondFactorRequired)
async def sign_in_with_wechat(
    db: Db, given: Shown, *, device: str | None = None, acting: Acting | None = None
) -> Opened:
    """Begins a sign-in for whoever a code of `wx.login` stands for; who was never here becomes a person without a name.

    The same code again gives the same sign-in with new tokens. Raises WechatCodeUsed when those that it gave first
    have been used, and what `open_sign_in` raises.
    """
    await once(db, f"wechat code {given.code_hash.hex()}")
    before: UUID | None = await db.value(KNOWN, hash=given.code_hash, since=db.now - CODE_LIFE)
    if before is not None:
        again = await open_again(db, before)
        if again is None:
            raise WechatCodeUsed()
        db.detail["again"] = True
        return again
    if given.user is None:
        raise WechatCodeUsed()
    who = await _person_of(db, given.user)
    opened = await open_sign_in(db, who, SignInMethod.WECHAT, strong=False, device=device, acting=acting)
    await db.one(USED, hash=given.code_hash, sign_in=opened.sign_in)
    return opened


@may(MAY["wechat.bind"])
@refuses(*PLATFORM, WechatTaken)
async def bind_wechat(db: Db, given: Shown) -> UUID:
    """Lets whoever is signed in sign in by this WeChat user too: somebody with an account. Returns his id.

    Raises Forbidden for a token without a sign-in, WechatTaken when that user is another person, WechatCodeUsed.
    """
    me = db.actor.person
    if me is None or db.actor.sign_in is None:
        raise Forbidden()
    if given.user is None:
        raise WechatCodeUsed()
    found = await _known_as(db, given.user)
    if found is not None and found["person_id"] != me:
        raise WechatTaken()
    if found is None:
        await _bind_to(db, given.user, me)
    return me


async def _person_of(db: Db, user: WechatUser) -> UUID:
    """The person that a WeChat user is: known by this program, or by another one of its owner; else a new one."""
    found = await _known_as(db, user)
    if found is not None:
        who: UUID = found["person_id"]
        if found["alone"] and user.unionid is not None:  # the program has joined its owner's others since
            keys = await db.keys()
            await db.one(JOIN, id=found["id"], **_union(keys, user, who))
        return who
    if user.unionid is not None:
        keys = await db.keys()
        found = await db.one(BY_UNIONID, indexes=keys.indexes(Kind.LOGIN, _unionid(user)))
    who = await new_person(db) if found is None else found["person_id"]
    await _bind_to(db, user, who)
    db.detail["newPerson"] = found is None
    return who


async def _known_as(db: Db, user: WechatUser) -> asyncpg.Record | None:
    """The identity of a WeChat user. Until the transaction ends nobody else makes one of his."""
    names = (_openid(user), *([] if user.unionid is None else [_unionid(user)]))
    await once(db, *(secret_name("wechat", name) for name in names))
    return await db.one(BY_OPENID, indexes=(await db.keys()).indexes(Kind.LOGIN, _openid(user)))


async def _bind_to(db: Db, user: WechatUser, who: UUID) -> None:
    keys = await db.keys()
    await db.one(
        BIND,
        person=who,
        appid=user.appid,
        openid=keys.seal(Kind.LOGIN, _openid(user), who),
        openid_index=keys.index(Kind.LOGIN, _openid(user)),
        **_union(keys, user, who),
    )


def _union(keys: Keys, user: WechatUser, who: UUID) -> dict[str, bytes | None]:
    if user.unionid is None:
        return {"unionid": None, "unionid_index": None}
    plain = _unionid(user)
    return {"unionid": keys.seal(Kind.LOGIN, plain, who), "unionid_index": keys.index(Kind.LOGIN, plain)}


def _openid(user: WechatUser) -> str:
    return f"{user.appid}:{user.openid}"


def _unionid(user: WechatUser) -> str:
    return f"unionid:{user.unionid}"
