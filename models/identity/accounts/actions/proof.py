"""What is done before a transaction begins: a guess is taken, and a password is hashed. No connection is held meanwhile."""

from __future__ import annotations

import dataclasses
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.base import table
from models.database import Db, Statement, transaction
from models.identity.accounts import throttle
from models.identity.accounts.codes import device_of, token_hash
from models.identity.accounts.passwords import check_password, prepared
from models.identity.accounts.ports import Asking, Passwords
from models.identity.accounts.problems import InvitationInvalid, PasswordWeak, TooManyAttempts
from models.identity.accounts.rules import read_login
from models.identity.accounts.tables import Account, AccountLogin
from models.identity.accounts.throttle import Counter
from models.people.actions.persons import names
from models.people.rules import PersonState
from models.people.tables import Person
from models.pinyin import sort_key
from models.problems import Busy, NotFound
from models.vault import Kind

account, login, person = table(Account), table(AccountLogin), table(Person)

USABLE = sa.and_(account.c.disabled_at.is_(None), person.c.state == PersonState.PRESENT.value)
BY_LOGIN = Statement(
    sa.select(account.c.person_id, sa.case((USABLE, account.c.password_hash)).label("password_hash"))
    .join(login, login.c.person_id == account.c.person_id)
    .join(person, person.c.id == account.c.person_id)
    .where(login.c.login_index == sa.any_(sa.bindparam("indexes", type_=postgresql.ARRAY(sa.LargeBinary()))))
)
OWN = Statement(
    sa.select(account.c.person_id, account.c.password_hash)
    .join(person, person.c.id == account.c.person_id)
    .where(account.c.person_id == sa.bindparam("person", type_=sa.Uuid()), USABLE)
)
INVITED = Statement(
    sa.select(account.c.person_id)
    .join(person, person.c.id == account.c.person_id)
    .where(
        account.c.invitation_hash == sa.bindparam("token", type_=sa.LargeBinary()),
        account.c.invitation_until > sa.bindparam("now"),
        USABLE,
    )
)
LOGINS = Statement(sa.select(login.c.login).where(login.c.person_id == sa.bindparam("person", type_=sa.Uuid())))


@dataclasses.dataclass(frozen=True)
class Proof:
    """What came of a guess."""

    person: UUID | None
    """Whose account it was made at; None for a login that nobody has."""
    counters: tuple[Counter, ...]
    """What it was taken from."""
    right: bool = False
    hash: str | None = None
    """The stored hash that the password was compared with: the verb makes sure that it is still the one."""
    fresh: str | None = None
    """A hash to be stored: of the new password, or of the same one with today's parameters."""
    known: bool = False
    """Whether the device was known."""


async def prove_login(
    asking: Asking, passwords: Passwords, given: str, password: str, device: str | None, *, fictional: bool
) -> Proof:
    """Takes a guess and compares a password, for whoever comes. An unknown login costs what a known one does.

    Raises InvalidInput for what cannot be a login, TooManyAttempts when no guess is left (nothing is looked at then), Busy.
    """
    _, plain = read_login(given, fictional=fictional)

    async def begin(db: Db) -> tuple[Proof, str | None, int | None]:
        keys = await db.keys()
        found = await db.one(BY_LOGIN, indexes=keys.indexes(Kind.LOGIN, plain))
        nonce = device_of(keys, found["person_id"], device) if found else None
        if nonce is not None:
            counters = throttle.of_device(keys, nonce)
        else:
            counters = throttle.of_strangers(keys, plain, asking.address)
        proof = Proof(found["person_id"] if found else None, counters, known=nonce is not None)
        return proof, found["password_hash"] if found else None, await throttle.guess(db, counters)

    proof, known, wait = await transaction(asking.pool, asking.actor, asking.now, begin)
    if wait is not None:
        raise TooManyAttempts(retry_after_seconds=wait)
    return await _compared(asking, passwords, proof, known, password)


async def prove_again(asking: Asking, passwords: Passwords, password: str | None) -> Proof:
    """Takes a guess for somebody who is signed in, and compares his password if he is asked for it.

    Raises NotFound for one who has no account, TooManyAttempts, Busy.
    """

    async def begin(db: Db) -> tuple[Proof, str | None, int | None]:
        counters = throttle.of_session(await db.keys(), db.actor.sign_in or db.actor.person)
        found = await db.one(OWN, person=db.actor.person)
        if found is None:
            raise NotFound(what="您的账号")
        return Proof(found["person_id"], counters), found["password_hash"], await throttle.guess(db, counters)

    proof, known, wait = await transaction(asking.pool, asking.actor, asking.now, begin)
    if wait is not None:
        raise TooManyAttempts(retry_after_seconds=wait)
    if password is None:
        return dataclasses.replace(proof, right=True, hash=known)
    return await _compared(asking, passwords, proof, known, password)


async def prove_if_account(asking: Asking, passwords: Passwords, password: str | None) -> Proof | None:
    """As `prove_again`; None for one who has no account. An absent password is a wrong one."""
    try:
        return await prove_again(asking, passwords, password or "")
    except NotFound:
        return None


async def _compared(asking: Asking, passwords: Passwords, proof: Proof, known: str | None, password: str) -> Proof:
    try:
        right = await passwords.verify(known, prepared(password))
        fresh = await passwords.hash(prepared(password)) if right and known and passwords.stale(known) else None
    except Busy:
        await _give_back(asking, proof)
        raise
    return dataclasses.replace(proof, right=right, hash=known, fresh=fresh)


async def _give_back(asking: Asking, proof: Proof) -> None:
    async def undo(db: Db) -> None:
        await throttle.give_back(db, proof.counters)

    await transaction(asking.pool, asking.actor, asking.now, undo)


async def prove_and_choose(asking: Asking, passwords: Passwords, password: str, new: str) -> Proof:
    """As `prove_again`, and the new password's hash. Raises PasswordWeak besides; a wrong password is told first."""
    proof = await prove_again(asking, passwords, password)
    if not proof.right or proof.person is None:
        return proof
    try:
        await _check_new(asking, proof.person, new)
        return dataclasses.replace(proof, fresh=await passwords.hash(prepared(new)))
    except (PasswordWeak, Busy):
        await _give_back(asking, proof)
        raise


async def choose_by_invitation(asking: Asking, passwords: Passwords, token: str, new: str) -> Proof:
    """The hash of the password that somebody chooses who was invited. Raises InvitationInvalid, PasswordWeak, Busy.

    No guess is counted: a token has 256 bits, and nothing is hashed slowly for one that is not known.
    """

    async def find(db: Db) -> asyncpg.Record | None:
        return await db.one(INVITED, token=token_hash(token))

    found = await transaction(asking.pool, asking.actor, asking.now, find)
    if found is None:
        raise InvitationInvalid()
    await _check_new(asking, found["person_id"], new)
    return Proof(found["person_id"], (), right=True, fresh=await passwords.hash(prepared(new)))


async def _check_new(asking: Asking, who: UUID, new: str) -> None:
    async def read(db: Db) -> tuple[str, ...]:
        keys = await db.keys()
        logins = [keys.open(Kind.LOGIN, row["login"], who) for row in await db.all(LOGINS, person=who)]
        named = (await names(db, [who])).values()
        words = [part for one in logins for part in (one, one.partition("@")[0])]
        return (*words, *named, *(sort_key(plain).replace(" ", "") for plain in named))

    check_password(new, await transaction(asking.pool, asking.actor, asking.now, read))
