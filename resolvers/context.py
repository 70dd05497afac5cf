"""What a request carries into the engine, and how a verb is run: one transaction, once for each idempotency key."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import structlog
from strawberry.utils.str_converters import to_camel_case

from models import audit, audit_flood
from models.access import Actor, Role
from models.database import Db, event_rows, transaction
from models.files.reading import signed
from models.identity.rules import ApiScope
from models.pool import LOST, Pool
from models.problems import Busy, Forbidden, IdempotencyConflict, InvalidInput, Kept, NotFound, Problem
from models.vault import NO_ONE, Keys, Kind, Locked, UnknownKey
from resolvers.engine.engine import Outcome, Request, Told, Verb
from resolvers.engine.plans import MARK as MARK_TEXT
from resolvers.problems import told
from resolvers.scopes import scope_of
from resolvers.verbs import Call

log = structlog.get_logger("wushe.verbs")
KEY = re.compile(r"[\x21-\x7e]{8,100}")


@dataclasses.dataclass(slots=True, eq=False)
class Context(Request):
    """A request of this API: besides what the engine needs, where its verbs are run, until when, and from where."""

    pool: Pool
    now: datetime
    deadline: float
    """Seconds that a verb may take until its commit."""
    address: str | None = None
    """The client's network address."""
    request_id: str | None = None
    platform: Any = None
    """What stands outside: the WeChat platform, the hasher of passwords, the signer of tokens (`models.identity.ports`)."""
    secrets: dict[str, str | list[str]] = dataclasses.field(default_factory=dict)
    """What the running verb tells once."""
    read: set[tuple[str, UUID]] = dataclasses.field(default_factory=set)
    """(kind, person): the sealed values that this request has opened."""

    async def unmark(self, text: bytes) -> bytes:
        """The text with its sealed values opened and its secrets told. Whose were opened is kept, for the audit log."""
        async with self.pool.connection() if self.pool.vault.held is None else contextlib.nullcontext() as connection:
            keys = self.pool.vault.held or await self.pool.vault.keys(connection)
        closed = self._closed
        try:
            return replaced(text, keys, self.secrets, self.read, self._made(keys), closed=closed)
        except UnknownKey:  # another process has made a new one
            async with self.pool.connection() as connection:
                keys = await self.pool.vault.keys(connection, newest=True)
            return replaced(text, keys, self.secrets, self.read, self._made(keys), closed=closed)

    def _made(self, keys: Keys) -> Callable[[UUID], str]:
        """What this request makes of an attachment's id: its address, signed for whoever asks."""
        actor: Any = self.actor
        return lambda id: signed(keys, id, actor, self.now)

    @property
    def _closed(self) -> bool:
        """Whether sealed values stay closed: to a machine's key that was not given the scope CONTACTS."""
        scopes: frozenset[str] | None = self.actor.scopes  # type: ignore[attr-defined]
        return scopes is not None and ApiScope.CONTACTS not in scopes

    @property
    def of_others(self) -> list[tuple[str, UUID]]:
        """What this request has opened of others than the caller."""
        person: UUID | None = self.actor.person  # type: ignore[attr-defined]
        return sorted(((kind, who) for kind, who in self.read if who not in (person, NO_ONE)), key=str)

    def audited(self, action: str, result: str, **more: Any) -> tuple[Any, ...]:
        """The parameters of an audit row about this request."""
        actor: Any = self.actor
        return audit.row(actor, self.now, action, result, address=self.address, request=self.request_id, **more)

    async def note(self, action: str, result: str, **more: Any) -> None:
        """Writes an audit row in a transaction of its own: of what was read."""
        async with self.pool.connection() as connection:
            await audit.write(connection, *self.audited(action, result, **more))

    async def refused(self, action: str, code: str) -> None:
        """Writes that something was refused; from the tenth of its kind, and the sixtieth of somebody's minute, on it is counted."""
        actor: Any = self.actor
        who = actor.key or actor.person or self.address
        await audit_flood.note(self.pool, ("refused", who), audit_flood.EACH, self.audited(action, code))

    async def failed(self, action: str, problem: Exception) -> None:
        """Writes that something came to no decision. Where it could not be written it is counted only."""
        code = failure(problem)
        row = self.audited(action, code)
        if code in (Busy.code, UNAVAILABLE, STORAGE_FULL):
            audit_flood.count(self.pool, ("failed", code), row)
            return
        try:
            await audit_flood.note(self.pool, ("failed", code), audit_flood.EACH, row)
        except (*LOST, Busy, asyncpg.PostgresError):
            log.warning("not on the audit log", action=action, result=code, request_id=self.request_id)

    async def note_reading(self) -> None:
        """Writes which personal data of others this request has opened, before they are sent (I27), and that an auditor
        read the log: he looks at nobody unseen."""
        if self.actor.role is Role.AUDITOR and "auditEvents" in self.text:
            await self.note("audit.read", audit.DONE)
        if found := self.of_others:
            detail = {"kinds": sorted({kind for kind, _ in found}), "persons": sorted({str(who) for _, who in found})}
            await self.note("personalData.read", audit.DONE, detail=detail)
            self.read.clear()  # what a further mutation of this request opens is another reading


UNAVAILABLE, STORAGE_FULL = "UNAVAILABLE", "STORAGE_FULL"
BEFORE = 10.0
"""Seconds for what a verb does before its transaction: a slow hash, a call of another system. They are not taken from
the transaction's: what another system gave away for good, such as a code that is good once, is not lost to the clock."""


def failure(problem: Exception) -> str:
    """What the audit log, and the door (`api.errors`), call an exception that is no refusal of a verb's own."""
    match problem:
        case asyncpg.DiskFullError():
            return STORAGE_FULL
        case asyncpg.InsufficientResourcesError():  # of connections, memory, locks
            return Busy.code
        case (
            Busy()
            | asyncpg.QueryCanceledError()
            | asyncpg.LockNotAvailableError()
            | asyncpg.IdleInTransactionSessionTimeoutError()
            | asyncpg.DeadlockDetectedError()
            | asyncpg.SerializationError()
        ):
            return Busy.code
        case TimeoutError():
            return "DEADLINE"
        case asyncpg.DataError():
            return "BAD_INPUT"
    gone = (*LOST, Locked, asyncpg.ReadOnlySQLTransactionError)  # the last: where there was a primary is a replica now
    return UNAVAILABLE if isinstance(problem, gone) else "INTERNAL"


MARK = MARK_TEXT.encode()


def replaced(
    text: bytes,
    keys: Keys,
    secrets: dict[str, str | list[str]],
    read: set[tuple[str, UUID]],
    made: Callable[[UUID], str],
    *,
    closed: bool = False,
) -> bytes:
    """A text with its marks replaced, and, in `read`, whose sealed values they were. Raises UnknownKey, Tampered.

    `made` writes an address for an id; `closed`: sealed values and addresses are left out instead, as if they were absent.
    """
    parts = text.split(MARK)
    for n in range(1, len(parts), 2):
        how, kind, *rest = parts[n].decode("ascii").split(":")
        if how == "?":
            secret = secrets.get(kind)
            parts[n] = b"null" if secret is None else orjson.dumps(secret)
            continue
        if closed:
            parts[n] = b"null"
            continue
        if how == "!":
            parts[n] = orjson.dumps(made(UUID(rest[0])))
            continue
        subject = UUID(rest[0])
        plain = keys.open(kind, bytes.fromhex(rest[1]), subject)
        parts[n] = orjson.dumps(plain) if how == "s" else plain.encode()
        read.add((kind, subject))
    return b"".join(parts)


def asker(actor: Actor, now: datetime) -> dict[str, Any]:
    """The values that statements bind of who asks."""
    return {
        "person": actor.person,
        "organization": actor.organization,
        "area": actor.area,
        "area_end": actor.area_end,
        "sign_in": actor.sign_in,
        "now": now,
    }


FIND = "SELECT outcome_type, outcome_id, arguments_hash FROM idempotency_record WHERE actor = $1 AND mutation = $2 AND key = $3"
RECORD = f"""
WITH told AS (
    INSERT INTO event (at, topic, subject, area, person, role, data)
    SELECT $1, topic, subject, area, $2, $3, data
    FROM unnest($4::text[], $5::uuid[], $6::text[], $7::jsonb[]) AS told (topic, subject, area, data)
), noted AS (
    INSERT INTO audit_event ({audit.COLUMNS})
    VALUES ($1, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
)
INSERT INTO idempotency_record (actor, mutation, key, arguments_hash, outcome_type, outcome_id, at)
VALUES ($8, $9, $10, $11, $12, $13, $1)
"""  # noqa: S608 - column names


async def perform(verb: Verb) -> Outcome | Told:
    """Runs a verb: its outcome as its author may see it, or a refusal. A refusal, or any failure, changes nothing.

    Nothing is looked up before the work: the record of the key is inserted last, and whoever comes second with the
    same key fails on it, is undone, and is given the first one's outcome (I29). What is refused is on the audit log
    all the same; and so is whose personal data an outcome has opened.
    """
    context = verb.request
    assert isinstance(context, Context)
    key = None
    try:
        try:
            key = _key(verb)
            allowed(context, verb)
            done = await _work(context, verb, key)
        except Busy:  # nothing was decided about this request: the door says so
            raise
        except Problem as problem:
            again = await _replay(context, verb, key)
            if again is None:
                await context.refused(_action(verb), problem.code)
                return told(problem)
            done = again
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "pk_idempotency_record":
                raise
            replay = await _replay(context, verb, key)
            assert replay is not None, "the key was taken, and is not there"
            done = replay
    except Exception as problem:
        await context.failed(_action(verb), problem)
        raise
    await context.note_reading()
    return done


def allowed(context: Context, verb: Verb) -> None:
    """Raises Forbidden for a role that may not call it, before anything is done; and for what a key has no scope for."""
    may: frozenset[Any] = verb.word.does.may  # type: ignore[union-attr]
    if context.actor.role not in may:
        raise Forbidden()
    scopes: frozenset[str] | None = context.actor.scopes  # type: ignore[attr-defined]
    if scopes is not None and scope_of(verb.name) not in scopes:
        raise Forbidden()


def _action(verb: Verb) -> str:
    return to_camel_case(verb.name)


def _key(verb: Verb) -> tuple[str, str, str, bytes] | None:
    """(actor, mutation, key, digest of the arguments); None for a mutation that takes no key."""
    if not verb.word.idempotent:
        return None
    key = verb.arguments.pop("idempotency_key")
    if not KEY.fullmatch(key):
        raise InvalidInput(field="idempotencyKey", reason="幂等键须为 8 至 100 个可见的 ASCII 字符。")
    given = {k: v for k, v in verb.given.items() if k != "idempotencyKey"}
    written = orjson.dumps(given, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return str(verb.request.actor.person), verb.name, key, hashlib.sha256(written).digest()  # type: ignore[attr-defined]


def _hashed(secret: bytes, arguments: bytes) -> bytes:
    """What is stored of a mutation's arguments: under a key, or whoever has a dump would find phone numbers by trying."""
    return hmac.digest(secret, b"arguments" + arguments, "sha256")


async def _work(context: Context, verb: Verb, key: tuple[str, str, str, bytes] | None) -> Outcome | Told:
    async def work(db: Db) -> Outcome | Told:
        async with asyncio.timeout_at(until):
            context.secrets.clear()
            db.address = context.address
            try:
                outcome: UUID = await verb.run(Call(db, ready, context.secrets), **verb.arguments)
            except Kept as kept:
                row = context.audited(_action(verb), kept.problem.code, detail=db.detail)
                await audit.write(db.connection, *row)
                return told(kept.problem)
            row = context.audited(
                _action(verb), audit.DONE, subject_type=verb.word.outcome, subject=outcome, detail=db.detail
            )
            if key is not None:
                hashed = _hashed((await db.keys()).secret(Kind.AUDIT)[1], key[3])
                record = (*event_rows(db), *key[:3], hashed, verb.word.outcome, outcome, *row[1:])
                await db.connection.execute(RECORD, *record)
            else:
                await audit.write(db.connection, *row)
            return await verb.payload(db.connection, verb.word.outcome, outcome)

    actor: Any = context.actor
    ready = None
    if verb.word.before is not None:
        async with asyncio.timeout(BEFORE):
            ready = await verb.word.before(context, **verb.arguments)
    until = asyncio.get_running_loop().time() + context.deadline  # for all tries of it together
    return await transaction(context.pool, actor, context.now, work, _action(verb))


async def _replay(context: Context, verb: Verb, key: tuple[str, str, str, bytes] | None) -> Outcome | Told | None:
    """The outcome that a key has already, read again; None when it has none."""
    if key is None:
        return None
    context.secrets.clear()  # what was told by the attempt that was undone is worth nothing
    async with context.pool.connection() as connection:
        found = await connection.fetchrow(FIND, *key[:3])
        if found is None:
            return None
        keys = await context.pool.vault.keys(connection)
        if found["arguments_hash"] in [_hashed(secret, key[3]) for secret in keys.every(Kind.AUDIT).values()]:
            return await verb.payload(connection, found["outcome_type"], found["outcome_id"])
    await context.refused(_action(verb), IdempotencyConflict.code)
    return told(IdempotencyConflict())


__all__ = ["Context", "NotFound", "asker", "perform"]
