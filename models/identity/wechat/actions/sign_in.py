"""Signing in by a code of `wx.login`, and binding WeChat to an account.

A code is good for one call of WeChat, and an answer can be lost behind that call. So whoever sends the same code again
within five minutes is given the sign-in that it led to, with new tokens, unless the first ones were used.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import may
from models.base import INSTANT, table
from models.database import Db, Statement, transaction
from models.identity.accounts import throttle
from models.identity.accounts.actions.other_ways import unbind
from models.identity.accounts.actions.own import proven_again
from models.identity.accounts.actions.proof import Proof
from models.identity.accounts.ports import Asking
from models.identity.accounts.problems import CodeRefused, CodeRequired, PasswordRefused, TooManyAttempts
from models.identity.accounts.tables import Account
from models.identity.actions.sign_ins import Acting, Opened, end_sign_ins_of, open_again, open_sign_in
from models.identity.problems import CapacityNotHeld, SecondFactorRequired
from models.identity.rules import SignInEnd, SignInMethod
from models.identity.tables import SignIn
from models.identity.wechat.ports import Wechat, WechatUser
from models.identity.wechat.problems import (
    WechatBound,
    WechatBusy,
    WechatCodeInvalid,
    WechatCodeUsed,
    WechatOnly,
    WechatRefused,
    WechatTaken,
    WechatTooOften,
    WechatUnavailable,
)
from models.identity.wechat.rules import CODE_LIFE, MAY
from models.identity.wechat.tables import LoginCode, WechatIdentity
from models.people.actions.once import once, secret_name
from models.people.actions.persons import new_person
from models.people.organizations import Membership
from models.people.rules import PersonState
from models.people.tables import Person, PersonIdentity, PersonName, Resident, Volunteer
from models.problems import Forbidden, InvalidInput, refuses
from models.vault import Keys, Kind

identity, login_code, person = table(WechatIdentity), table(LoginCode), table(Person)
account, sign_in = table(Account), table(SignIn)

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
_WHO = sa.bindparam("who", type_=sa.Uuid(), unique=False)
BOUND = Statement(sa.select(sa.exists().where(identity.c.person_id == _WHO)))
SOMEBODY = Statement(
    sa.select(
        sa.or_(
            *(
                sa.exists().where(table(rows).c.person_id == _WHO)
                for rows in (PersonName, PersonIdentity, Resident, Volunteer, Membership, Account)
            )
        )
    )
)
HAS_PASSWORD = Statement(
    sa.select(
        sa.exists().where(
            account.c.person_id == _WHO, account.c.password_hash.is_not(None), account.c.disabled_at.is_(None)
        )
    )
)
END_BY_WECHAT = Statement(
    sa.update(sign_in)
    .where(sign_in.c.person_id == _WHO, sign_in.c.method == SignInMethod.WECHAT.value, sign_in.c.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now"), end_reason=SignInEnd.ENDED_BY_OWNER.value)
)


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A code that was shown to WeChat: the user that it stands for; None where it was used here before."""

    code_hash: bytes
    user: WechatUser | None


async def shown(wechat: Wechat | None, asking: Asking, code: str) -> Shown:
    """Shows a code to WeChat, unless it led to a sign-in within the last five minutes. Holds no connection meanwhile.

    Of two requests with one code that come at once, the second waits for what the first one makes of it. Raises
    InvalidInput, the problems of the platform, and TooManyAttempts for an address that has sent many unknown codes.
    """
    if wechat is None:
        raise WechatUnavailable()
    code = read_code(code)
    digest = hashlib.sha256(f"{wechat.appid}\0{code}".encode()).digest()
    known, wait = await transaction(asking.pool, asking.actor, asking.now, lambda db: _looked_up(db, digest, asking))
    if known:
        return Shown(digest, None)
    if wait is not None:
        raise TooManyAttempts(retry_after_seconds=wait)
    try:
        return Shown(digest, await wechat.user(code))
    except WechatCodeInvalid:
        await _counted(asking)
        raise
    except WechatCodeUsed:
        for seconds in WAITS:
            await asyncio.sleep(seconds)
            if await _known(asking, digest):
                return Shown(digest, None)
        await _counted(asking)
        raise


async def _looked_up(db: Db, digest: bytes, asking: Asking) -> tuple[bool, int | None]:
    """Whether a code led to a sign-in of late; and how long its sender has to wait before WeChat is asked for him."""
    known = await db.value(KNOWN, hash=digest, since=db.now - CODE_LIFE) is not None
    return known, await throttle.locked(db, throttle.of_codes(await db.keys(), asking.address))


async def _counted(asking: Asking) -> None:
    """Counts a code that WeChat did not take against the address that sent it."""

    async def count(db: Db) -> None:
        await throttle.guess(db, throttle.of_codes(await db.keys(), asking.address))

    await transaction(asking.pool, asking.actor, asking.now, count)


def read_code(code: str) -> str:
    """A code as WeChat may have given it: 1 to 128 visible characters. Raises InvalidInput."""
    if not 1 <= len(code) <= 128 or not code.isascii() or not code.isprintable() or " " in code:
        raise InvalidInput(field="code", reason="微信凭证格式不正确。")
    return code


async def _known(asking: Asking, digest: bytes) -> bool:
    async with asking.pool.connection() as connection:
        values = {"hash": digest, "since": asking.now - CODE_LIFE}
        return await connection.fetchval(KNOWN.sql, *KNOWN.arguments(values)) is not None


@may(MAY["wechat.sign_in"])
@refuses(*PLATFORM, TooManyAttempts, CapacityNotHeld, SecondFactorRequired)
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
@refuses(*PLATFORM, WechatTaken, WechatBound, PasswordRefused, CodeRequired, CodeRefused, TooManyAttempts)
async def bind_wechat(db: Db, given: Shown | None, proof: Proof, code: str | None) -> UUID:
    """Lets whoever is signed in sign in by this WeChat user too: somebody with an account. Returns his id.

    He has proven his password before, and gives a code if he has an authenticator: a token lasts minutes, this for good.
    A WeChat user who came here and has said nothing of himself yet is taken over. Raises Forbidden for a token without
    a sign-in, NotFound for one without an account, and the problems named above; `given` is None where the password was
    wrong.
    """
    me = db.actor.person
    if me is None or db.actor.sign_in is None:
        raise Forbidden()
    await proven_again(db, proof, code)
    if given is None or given.user is None:
        raise WechatCodeUsed()
    keys = await db.keys()
    db.detail.update(person=me, wechat=keys.index(Kind.LOGIN, _openid(given.user)).hex()[:12])
    found = await _known_as(db, given.user)
    if found is not None and found["person_id"] == me:
        return me
    if await db.value(BOUND, who=me):
        raise WechatBound()
    if found is not None:
        if await db.value(SOMEBODY, who=found["person_id"]):
            raise WechatTaken()
        await end_sign_ins_of(db, found["person_id"], SignInEnd.MERGED)
        db.detail["from"] = found["person_id"]
    await _bind_to(db, given.user, me)
    return me


@may(MAY["wechat.unbind"])
@refuses(WechatOnly)
async def unbind_wechat(db: Db) -> UUID:
    """The caller's WeChat no longer signs in as him, and what it has signed in ends; returns his id.

    Raises WechatOnly for one who has no password to come by.
    """
    me = db.actor.person
    if me is None or not await db.value(HAS_PASSWORD, who=me):
        raise WechatOnly()
    await unbind(db, me)
    await db.one(END_BY_WECHAT, who=me)
    db.detail["person"] = me
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
