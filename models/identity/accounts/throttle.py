"""How many guesses are left, and to whom: counted before a password is looked at, given back when it was right.

Counting first is what holds when twenty guesses come at once. Strangers are counted by the login that they guess at,
all together, and by their network address; a device that signed in to the account before is counted by itself alone
(OWASP, "Slow down online guessing attacks with device cookies"). So whoever locks strangers out of an account does not
lock out its owner.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.base import INSTANT, table
from models.database import Db, Statement
from models.identity.accounts.rules import (
    CODES_FROM_ADDRESS,
    FORGOTTEN,
    GUESSES,
    GUESSES_FROM_ADDRESS,
    INVITATIONS,
    INVITING,
    LOCKED,
    LOCKED_MOST,
    WINDOW,
    network,
)
from models.identity.accounts.tables import SignInThrottle
from models.vault import Keys, Kind

throttle = table(SignInThrottle)
AHEAD = timedelta(minutes=1)
"""By how much the clocks of two processes may differ."""
KEY = throttle.c.key == sa.bindparam("who", type_=sa.LargeBinary())


@dataclasses.dataclass(frozen=True)
class Counter:
    """What guesses are counted by, and how many there may be in a window."""

    who: bytes
    most: int
    window: timedelta = WINDOW


@dataclasses.dataclass(frozen=True)
class Count:
    """How many guesses there were in the window that began at `since`, and until when there may be none."""

    guesses: int
    since: datetime
    locks: int = 0
    locked_until: datetime | None = None


def counted(was: Count, now: datetime, most: int, window: timedelta = WINDOW) -> tuple[Count, bool]:
    """The count after one more guess, and whether the guess may be made. Pure.

    The guess after the last one locks: for LOCKED, and twice as long each time that follows within a day; at least for
    a window. A count from more than a minute ahead was made by a clock that was wrong: it stands as if made now.
    """
    if (ahead := was.since - now) > AHEAD:
        until = None if was.locked_until is None else was.locked_until - ahead
        was = dataclasses.replace(was, since=now, locked_until=until)
    if was.locked_until is not None and now < was.locked_until:
        return was, False
    over = now - was.since >= window or (was.locked_until is not None and was.since < was.locked_until)
    present = dataclasses.replace(was, guesses=0, since=now) if over else was
    if present.guesses < most:
        return dataclasses.replace(present, guesses=present.guesses + 1), True
    locks = 0 if was.locked_until is None or now - was.locked_until >= FORGOTTEN else was.locks
    until = now + max(window, min(LOCKED * 2**locks, LOCKED_MOST))
    return dataclasses.replace(present, locks=locks + 1, locked_until=until), False


def of_strangers(keys: Keys, login: str, address: str | None) -> tuple[Counter, ...]:
    """By what strangers are counted: their address, then the login, whether anybody has it or not.

    By the login, not its account: if an e-mail address were locked by guesses at a phone number, that would tell whose
    it is.
    """
    by_login = Counter(_key(keys, f"login {login}"), GUESSES)
    if address is None:
        return (by_login,)
    return (Counter(_key(keys, f"address {network(address)}"), GUESSES_FROM_ADDRESS), by_login)


def of_device(keys: Keys, nonce: bytes) -> tuple[Counter, ...]:
    """By what a known device is counted."""
    return (Counter(_key(keys, f"device {nonce.hex()}"), GUESSES),)


def of_session(keys: Keys, session: object) -> tuple[Counter, ...]:
    """By what somebody is counted who is signed in and is asked for his password or a code again."""
    return (Counter(_key(keys, f"session {session}"), GUESSES),)


def of_codes(keys: Keys, address: str | None) -> tuple[Counter, ...]:
    """By what those are counted who send codes that WeChat does not know: each costs a call of it."""
    if address is None:
        return ()
    return (Counter(_key(keys, f"codes {network(address)}"), CODES_FROM_ADDRESS),)


def of_inviter(keys: Keys, person: object) -> tuple[Counter, ...]:
    """By what an organization's staff are counted who invite: each answer tells whether somebody has a login."""
    return (Counter(_key(keys, f"inviter {person}"), INVITATIONS, INVITING),)


def _key(keys: Keys, what: str) -> bytes:
    return keys.index(Kind.LOGIN, f"throttle {what}")


HOLD = Statement(
    insert(throttle)
    .values(key=sa.bindparam("who"), guesses=0, since=sa.bindparam("now"), locks=0, at=sa.bindparam("now"))
    .on_conflict_do_update(index_elements=["key"], set_={"at": sa.bindparam("now", type_=INSTANT, unique=False)})
    .returning(throttle.c.guesses, throttle.c.since, throttle.c.locks, throttle.c.locked_until)
)
"""The row, made when there is none, and locked: guesses that come at once wait for each other here, for a moment."""
WRITE = Statement(
    sa.update(throttle)
    .where(KEY)
    .values(
        guesses=sa.bindparam("guesses"),
        since=sa.bindparam("since"),
        locks=sa.bindparam("locks"),
        locked_until=sa.bindparam("locked_until"),
    )
)
LOCKED_UNTIL = Statement(
    sa.select(throttle.c.locked_until).where(KEY, throttle.c.locked_until > sa.bindparam("now", type_=INSTANT))
)
GIVE_BACK = Statement(sa.update(throttle).where(KEY).values(guesses=sa.func.greatest(throttle.c.guesses - 1, 0)))
CLEAR = Statement(sa.delete(throttle).where(KEY))


async def guess(db: Db, counters: tuple[Counter, ...]) -> int | None:
    """Takes one guess from each counter, in their order; how many seconds to wait when one has none left, or None."""
    for counter in counters:
        row = await db.one(HOLD, who=counter.who)
        assert row is not None
        count, allowed = counted(Count(**row), db.now, counter.most, counter.window)
        await db.one(WRITE, who=counter.who, **dataclasses.asdict(count))
        if not allowed:
            assert count.locked_until is not None
            return max(1, round((count.locked_until - db.now).total_seconds()))
    return None


async def locked(db: Db, counters: tuple[Counter, ...]) -> int | None:
    """How many seconds to wait while one of them is locked, or None. For what is counted once it has failed only."""
    for counter in counters:
        until: datetime | None = await db.value(LOCKED_UNTIL, who=counter.who)
        if until is not None:
            return max(1, round((until - db.now).total_seconds()))
    return None


async def give_back(db: Db, counters: tuple[Counter, ...]) -> None:
    """The guess was none: it was right, or could not be made."""
    for counter in counters:
        await db.one(GIVE_BACK, who=counter.who)


async def clear(db: Db, counters: tuple[Counter, ...]) -> None:
    """Forgets a known device's failures: its owner is there."""
    for counter in counters:
        await db.one(CLEAR, who=counter.who)
