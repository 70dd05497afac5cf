"""What somebody does with his own account: another password, an authenticator, recovery codes.

Each asks again for something that only he knows, so that a token that was left open somewhere is not enough.
"""

from __future__ import annotations

from typing import NoReturn
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.access import may
from models.base import table
from models.database import Db, Statement
from models.identity.accounts import throttle
from models.identity.accounts.actions.other_ways import shut_other_ways
from models.identity.accounts.actions.proof import Proof
from models.identity.accounts.actions.second import FORGET_CODES, LOCK, WHOSE, renew_codes, right_code
from models.identity.accounts.codes import new_secret, step_of, uri
from models.identity.accounts.problems import (
    CodeRefused,
    CodeRequired,
    PasswordRefused,
    PasswordWeak,
    TooManyAttempts,
    TotpCompulsory,
    TotpNotBegun,
)
from models.identity.accounts.rules import MAY
from models.identity.accounts.tables import Account, AccountLogin
from models.identity.actions.sign_ins import end_sign_ins_of
from models.identity.capacities import held
from models.identity.rules import STRONG_ROLES, SignInEnd
from models.problems import Kept, NotFound, Problem, refuses
from models.vault import Kind

account, login = table(Account), table(AccountLogin)
_own = sa.update(account).where(account.c.person_id == WHOSE)

PASSWORD = Statement(_own.values(password_hash=sa.bindparam("hash"), password_changed_at=sa.bindparam("now")))
PENDING = Statement(_own.values(totp_pending=sa.bindparam("secret")))
CONFIRMED = Statement(
    _own.values(
        totp_secret=account.c.totp_pending,
        totp_pending=sa.null(),
        totp_confirmed_at=sa.bindparam("now"),
        totp_last_step=sa.bindparam("step"),
    )
)
WITHOUT_TOTP = Statement(
    _own.values(totp_secret=sa.null(), totp_pending=sa.null(), totp_confirmed_at=sa.null(), totp_last_step=sa.null())
)
MASKED = Statement(sa.select(login.c.masked).where(login.c.person_id == WHOSE).order_by(login.c.kind.desc()).limit(1))


async def _proven(db: Db, proof: Proof) -> asyncpg.Record:
    """The caller's account, locked, if he gave his password where he was asked for it. Raises Kept refusals."""
    row = await db.one(LOCK, person=proof.person)
    if row is None:
        raise NotFound(what="您的账号")
    if not proof.right or row["password_hash"] != proof.hash:
        raise Kept(PasswordRefused())
    return row


def _id(row: asyncpg.Record) -> UUID:
    found: UUID = row["id"]
    return found


async def _no_guess(db: Db, proof: Proof, problem: Problem) -> NoReturn:
    """Refuses what guessed at nothing."""
    await throttle.give_back(db, proof.counters)
    raise Kept(problem)


async def _coded(db: Db, row: asyncpg.Record, proof: Proof, code: str | None) -> None:
    """Takes a code where an authenticator is confirmed. Raises Kept refusals."""
    if row["totp_confirmed_at"] is None:
        return
    if not (code or "").strip():
        await _no_guess(db, proof, CodeRequired())
    if not await right_code(db, row, code or ""):
        raise Kept(CodeRefused())


async def proven_again(db: Db, proof: Proof, code: str | None) -> asyncpg.Record:
    """The caller's account, locked, once he has given his password and, with an authenticator, a code of it again.

    Raises NotFound, and Kept refusals: PasswordRefused, CodeRequired, CodeRefused.
    """
    row = await _proven(db, proof)
    await _coded(db, row, proof, code)
    await throttle.give_back(db, proof.counters)
    return row


@may(MAY["account.own"])
@refuses(PasswordRefused, PasswordWeak, TooManyAttempts)
async def set_password(db: Db, proof: Proof) -> UUID:
    """Sets the new password that `proof` has hashed; the caller's other sign-ins, his WeChat and his keys end with the
    old one. Returns the account's id."""
    row = await _proven(db, proof)
    await throttle.give_back(db, proof.counters)
    await db.one(PASSWORD, person=row["person_id"], hash=proof.fresh)
    await end_sign_ins_of(db, row["person_id"], SignInEnd.PASSWORD_CHANGED, keep=db.actor.sign_in)
    await shut_other_ways(db, row["person_id"])
    return _id(row)


@may(MAY["account.own"])
@refuses(PasswordRefused, CodeRequired, CodeRefused, TooManyAttempts)
async def begin_totp(db: Db, proof: Proof, code: str | None) -> tuple[UUID, str, str]:
    """A new authenticator's secret, and what its QR code says: both told once. It counts from its first code on.

    Whoever has one already gives a code of it, or a recovery code; it goes on counting until then.
    """
    row = await proven_again(db, proof, code)
    secret = new_secret()
    who = row["person_id"]
    await db.one(PENDING, person=who, secret=(await db.keys()).seal(Kind.LOGIN, secret, who))
    return row["id"], secret, uri(secret, await db.value(MASKED, person=who))


@may(MAY["account.own"])
@refuses(TotpNotBegun, CodeRefused, PasswordRefused, TooManyAttempts)
async def confirm_totp(db: Db, proof: Proof, code: str) -> tuple[UUID, list[str]]:
    """Confirms the new authenticator by its first code; new recovery codes, told once.

    The sign-in that asks stays as it is: for a capacity that needs a second factor one signs in again.
    """
    row = await _proven(db, proof)
    if row["totp_pending"] is None:
        await _no_guess(db, proof, TotpNotBegun())
    who = row["person_id"]
    step = step_of((await db.keys()).open(Kind.LOGIN, row["totp_pending"], who), code, db.now)
    if step is None:
        raise Kept(CodeRefused())
    await throttle.give_back(db, proof.counters)
    await db.one(CONFIRMED, person=who, step=step)
    return row["id"], await renew_codes(db, who)


@may(MAY["account.own"])
@refuses(PasswordRefused, CodeRequired, CodeRefused, TooManyAttempts, TotpCompulsory)
async def end_totp(db: Db, proof: Proof, code: str | None) -> UUID:
    """Gives the authenticator up, and its recovery codes. Raises TotpCompulsory for who holds a strong capacity."""
    row = await _proven(db, proof)
    if any(capacity.role in STRONG_ROLES for capacity in await held(db, row["person_id"])):
        await _no_guess(db, proof, TotpCompulsory())
    await _coded(db, row, proof, code)
    await throttle.give_back(db, proof.counters)
    await db.one(WITHOUT_TOTP, person=row["person_id"])
    await db.one(FORGET_CODES, person=row["person_id"])
    return _id(row)


@may(MAY["account.own"])
@refuses(TotpNotBegun, PasswordRefused, CodeRequired, CodeRefused, TooManyAttempts)
async def renew_recovery_codes(db: Db, proof: Proof, code: str) -> tuple[UUID, list[str]]:
    """Ten new recovery codes, told once, in place of all the old ones; for a code of the authenticator."""
    row = await _proven(db, proof)
    if row["totp_confirmed_at"] is None:
        await _no_guess(db, proof, TotpNotBegun())
    await _coded(db, row, proof, code)
    await throttle.give_back(db, proof.counters)
    return row["id"], await renew_codes(db, row["person_id"])
