"""Signing in by password, and by an invitation, which sets the first one."""

from __future__ import annotations

import sqlalchemy as sa

from models.access import may
from models.base import table
from models.database import Db, Statement
from models.identity.accounts import throttle
from models.identity.accounts.actions.proof import Proof
from models.identity.accounts.actions.second import LOCK, WHOSE, right_code
from models.identity.accounts.codes import new_device, token_hash
from models.identity.accounts.problems import (
    CodeRefused,
    CodeRequired,
    InvitationInvalid,
    PasswordWeak,
    SignInRefused,
    TooManyAttempts,
)
from models.identity.accounts.rules import MAY
from models.identity.accounts.tables import Account
from models.identity.actions.sign_ins import Acting, Opened, open_sign_in
from models.identity.problems import CapacityNotHeld, SecondFactorRequired
from models.identity.rules import SignInMethod
from models.problems import Kept, refuses

account = table(Account)
REHASH = Statement(sa.update(account).where(account.c.person_id == WHOSE).values(password_hash=sa.bindparam("hash")))
ACTIVATE = Statement(
    sa.update(account)
    .where(account.c.person_id == WHOSE)
    .values(
        password_hash=sa.bindparam("hash"),
        password_changed_at=sa.bindparam("now"),
        invitation_hash=sa.null(),
        invitation_until=sa.null(),
    )
)


@may(MAY["account.enter"])
@refuses(SignInRefused, CodeRequired, CodeRefused, TooManyAttempts, CapacityNotHeld, SecondFactorRequired)
async def sign_in(
    db: Db,
    proof: Proof,
    code: str | None,
    *,
    known_by: str | None = None,
    device: str | None = None,
    acting: Acting | None = None,
) -> tuple[Opened, str]:
    """Signs somebody in whose password was compared before; what he uses from now on, and his device's token.

    `known_by` is the token that the device has already. Whoever has confirmed an authenticator gives a code, too;
    without one he gets no capacity that asks for a second factor. Raises the problems named above; failures stay
    counted, and a right password without a code costs no guess.
    """
    if proof.person is not None:
        db.detail["person"] = proof.person
    row = await db.one(LOCK, person=proof.person) if proof.right else None
    if row is None or row["password_hash"] != proof.hash or row["disabled_at"] is not None:
        raise Kept(SignInRefused())
    strong = row["totp_confirmed_at"] is not None
    if strong:
        if not (code or "").strip():
            await throttle.give_back(db, proof.counters)
            raise Kept(CodeRequired())
        if not await right_code(db, row, code or ""):
            raise Kept(CodeRefused())
    if proof.known:
        await throttle.clear(db, proof.counters)
    else:
        await throttle.give_back(db, proof.counters)
    if proof.fresh is not None:
        await db.one(REHASH, person=row["person_id"], hash=proof.fresh)
    try:
        opened = await open_sign_in(
            db, row["person_id"], SignInMethod.PASSWORD, strong=strong, device=device, acting=acting
        )
    except (CapacityNotHeld, SecondFactorRequired) as problem:  # he has proven who he is: no guess is used up
        raise Kept(problem) from None
    token = known_by if proof.known and known_by else new_device(await db.keys(), row["person_id"])
    return opened, token


@may(MAY["account.enter"])
@refuses(InvitationInvalid, PasswordWeak, CapacityNotHeld)
async def activate(db: Db, proof: Proof, token: str, *, device: str | None = None) -> tuple[Opened, str]:
    """Takes up an invitation: sets the password that was chosen, and signs its person in, without a second factor.

    Raises InvitationInvalid when it was taken up, replaced or disabled meanwhile.
    """
    row = await db.one(LOCK, person=proof.person)
    if (
        row is None
        or row["invitation_hash"] != token_hash(token)
        or row["invitation_until"] <= db.now
        or row["disabled_at"] is not None
    ):
        raise InvitationInvalid()
    await db.one(ACTIVATE, person=row["person_id"], hash=proof.fresh)
    opened = await open_sign_in(db, row["person_id"], SignInMethod.PASSWORD, strong=False, device=device)
    return opened, new_device(await db.keys(), row["person_id"])
