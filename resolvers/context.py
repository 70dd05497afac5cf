"""What a request carries into the engine, and how a verb is run: one transaction, once for each idempotency key."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import re
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from models.access import Actor
from models.database import Db, event_rows, transaction
from models.pool import Pool
from models.problems import IdempotencyConflict, InvalidInput, NotFound, Problem
from resolvers.engine.engine import Outcome, Request, Told, Verb
from resolvers.problems import told
from resolvers.verbs import Call

KEY = re.compile(r"[\x21-\x7e]{8,100}")


@dataclasses.dataclass(frozen=True, slots=True)
class Context(Request):
    """A request of this API: besides what the engine needs, where its verbs are run, and until when."""

    pool: Pool
    now: datetime
    deadline: float
    """Seconds that a verb may take until its commit."""


def asker(actor: Actor, now: datetime) -> dict[str, Any]:
    """The values that statements bind of who asks."""
    return {
        "person": actor.person,
        "organization": actor.organization,
        "area": actor.area,
        "area_end": actor.area_end,
        "now": now,
    }


FIND = "SELECT outcome_type, outcome_id, arguments_hash FROM idempotency_record WHERE actor = $1 AND mutation = $2 AND key = $3"
RECORD = """
WITH told AS (
    INSERT INTO event (at, topic, subject, area, person, role, data)
    SELECT $1, topic, subject, area, $2, $3, data
    FROM unnest($4::text[], $5::uuid[], $6::text[], $7::jsonb[]) AS told (topic, subject, area, data)
)
INSERT INTO idempotency_record (actor, mutation, key, arguments_hash, outcome_type, outcome_id, at)
VALUES ($8, $9, $10, $11, $12, $13, $1)
"""


async def perform(verb: Verb) -> Outcome | Told:
    """Runs a verb: its outcome as its author may see it, or a refusal. A refusal, or any failure, changes nothing.

    Nothing is looked up before the work: the record of the key is inserted last, and whoever comes second with the
    same key fails on it, is undone, and is given the first one's outcome (I29).
    """
    context = verb.request
    assert isinstance(context, Context)
    try:
        key = _key(verb)
    except Problem as problem:
        return told(problem)
    try:
        return await _work(context, verb, key)
    except Problem as problem:
        again = await _replay(context, verb, key)
        return told(problem) if again is None else again
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "pk_idempotency_record":
            raise
        again = await _replay(context, verb, key)
        assert again is not None, "the key was taken, and is not there"
        return again


def _key(verb: Verb) -> tuple[str, str, str, bytes] | None:
    """(actor, mutation, key, hash of the arguments); None for a mutation that takes no key."""
    if not verb.word.idempotent:
        return None
    key = verb.arguments.pop("idempotency_key")
    if not KEY.fullmatch(key):
        raise InvalidInput(field="idempotencyKey", reason="幂等键须为 8 至 100 个可见的 ASCII 字符。")
    given = {k: v for k, v in verb.given.items() if k != "idempotencyKey"}
    written = orjson.dumps(given, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return str(verb.request.actor.person), verb.name, key, hashlib.sha256(written).digest()  # type: ignore[attr-defined]


async def _work(context: Context, verb: Verb, key: tuple[str, str, str, bytes] | None) -> Outcome:
    until = asyncio.get_running_loop().time() + context.deadline  # for all tries of it together

    async def work(db: Db) -> Outcome:
        async with asyncio.timeout_at(until):
            outcome: UUID = await verb.run(Call(db), **verb.arguments)
            if key is not None:
                await db.connection.execute(RECORD, *event_rows(db), *key, verb.word.outcome, outcome)
            return await verb.payload(db.connection, verb.word.outcome, outcome)

    actor: Any = context.actor
    return await transaction(context.pool, actor, context.now, work)


async def _replay(context: Context, verb: Verb, key: tuple[str, str, str, bytes] | None) -> Outcome | Told | None:
    """The outcome that a key has already, read again; None when it has none."""
    if key is None:
        return None
    async with context.pool.connection() as connection:
        found = await connection.fetchrow(FIND, *key[:3])
        if found is None:
            return None
        if found["arguments_hash"] != key[3]:
            return told(IdempotencyConflict())
        return await verb.payload(connection, found["outcome_type"], found["outcome_id"])


__all__ = ["Context", "NotFound", "asker", "perform"]
