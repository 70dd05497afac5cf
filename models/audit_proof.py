"""Proving the audit log: walking its seals and their rows, and naming the first that is not as it was written."""

from __future__ import annotations

import dataclasses
import enum
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from models import clock
from models.audit_seal import BEGINNING, DIGEST, NONE_BEFORE, ROWS, Place, canonical, digest, end, link, place
from models.vault import Keys, Kind

CHUNK = 200
"""Seals that are walked at once: at most as many thousand rows."""
Row = Mapping[str, Any]


class Fault(enum.StrEnum):
    """What is wrong with the first thing that is not as it was."""

    SEAL_MISSING = "a seal is missing"
    SEAL_CHANGED = "a seal was changed"
    KEY_MISSING = "the key of a seal is gone"
    ROW_CHANGED = "a row was changed"
    ROW_MISSING = "a row is missing"
    ROW_ADDED = "a row was added behind a seal"
    ARCHIVE_CHANGED = "the record of a dropped month was changed"
    CUT = "the end was cut off, or the log is another one: the hash given is of none of its seals"


@dataclasses.dataclass(eq=False)
class Broken(Exception):
    """The first thing that is not as it was written."""

    fault: Fault
    seal: int
    row: UUID | None = None
    at: datetime | None = None
    action: str | None = None

    def __str__(self) -> str:
        said = f"{self.fault.value}: seal {self.seal}"
        if self.row is not None:
            said += f", row {self.row}"
        if self.at is not None:
            said += f", {self.at.astimezone(clock.SHANGHAI).isoformat(timespec='milliseconds')}"
        return said if self.action is None else f"{said}, {self.action}"


@dataclasses.dataclass
class Proof:
    """What was walked and found whole."""

    seals: int = 0
    rows: int = 0
    archived: int = 0
    """Rows of months that were dropped when their time was over."""
    waiting: int = 0
    """Rows that no seal holds yet."""
    until: datetime | None = None
    """When the newest seal was made."""
    hash: bytes = NONE_BEFORE


SEALS = "SELECT * FROM audit_seal WHERE n > $1 ORDER BY n LIMIT $2"
BETWEEN = f"""
SELECT {ROWS} FROM audit_event
WHERE (era, xid, id) > ($1, $2, $3) AND (era, xid, id) <= ($4, $5, $6)
ORDER BY era, xid, id
"""  # noqa: S608 - column names of our own
BY_ID = f"SELECT {ROWS} FROM audit_event WHERE id = ANY ($1)"  # noqa: S608 - a scan: only where a row is not in its place
LATER = "SELECT held.id FROM audit_seal, unnest(row_ids) AS held (id) WHERE n > $1 AND held.id = ANY ($2)"
FIRST_OF = "SELECT min(n) FROM audit_seal WHERE month >= $1"
LAST_OF = "SELECT coalesce(max(n), 0) FROM audit_seal WHERE month <= $1"
WAITING = "SELECT count(*) FROM audit_event WHERE (era, xid, id) > ($1, $2, $3)"


async def head(connection: asyncpg.Connection) -> tuple[int, bytes]:
    """The newest seal's number and hash: kept elsewhere, it shows later that nothing was cut off."""
    last = await end(connection)
    return last.n, last.hash


async def verify(
    connection: asyncpg.Connection,
    keys: Keys,
    *,
    since: date | None = None,
    until: date | None = None,
    head: bytes | None = None,
) -> Proof:
    """Walks the log, or its months from one to another. Raises Broken for the first thing that is not as it was written.

    `head` is a hash that was kept: the walk begins early enough to come by it, and must.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        walk = _Walk(connection, keys, await _archived(connection, keys))
        await walk.begin(since, head)
        final = None if until is None else await connection.fetchval(LAST_OF, until)
        met = head in (None, NONE_BEFORE)
        while (final is None or walk.n < final) and (seals := await connection.fetch(SEALS, walk.n, CHUNK)):
            await walk.over(seals)
            met = met or head in {seal["hash"] for seal in seals}
        if not met:
            raise Broken(Fault.CUT, walk.n)
        walk.proof.waiting = await connection.fetchval(WAITING, *walk.read)
        return walk.proof


async def _archived(connection: asyncpg.Connection, keys: Keys) -> set[date]:
    """The months that were dropped. Raises Broken for a record of one that the sealer did not write."""
    months = set()
    for row in await connection.fetch("SELECT * FROM audit_archive ORDER BY month"):
        secret = keys.every(Kind.AUDIT).get(row["key"])
        if secret is None or not hmac.compare_digest(row["proof"], archive_proof(secret, row)):
            raise Broken(Fault.ARCHIVE_CHANGED, 0, at=clock.midnight(row["month"]))
        months.add(row["month"])
    return months


def archive_proof(secret: bytes, row: Row) -> bytes:
    """The HMAC of a dropped month's record."""
    return hmac.digest(secret, canonical("archive", [row["month"], row["at"], row["count"], row["key"]]), "sha256")


class _Walk:
    """How far a walk has come."""

    def __init__(self, connection: asyncpg.Connection, keys: Keys, archived: set[date]) -> None:
        self.connection, self.keys, self.archived = connection, keys, archived
        self.proof = Proof()
        self.n = 0
        self.read: Place = BEGINNING
        self.astray: dict[UUID, list[Row]] = {}
        """Rows met where they stand, which a later seal holds: written after a move, before it was put right."""

    async def begin(self, since: date | None, head: bytes | None) -> None:
        """Goes to the seal before the first one of a month; to one further back when the hash kept is of it."""
        if since is None:
            return
        ask = self.connection.fetchval
        first = await ask(FIRST_OF, since) or (await ask("SELECT max(n) FROM audit_seal") or 0) + 1
        kept = await ask("SELECT n FROM audit_seal WHERE hash = $1", head)
        before = min(first, kept or first) - 1
        if before < 1:
            return
        seal = await self.connection.fetchrow("SELECT * FROM audit_seal WHERE n = $1", before)
        if seal is None:
            raise Broken(Fault.SEAL_MISSING, before)
        self.n, self.proof.hash = before - 1, seal["previous"]
        self._link(seal)
        self.proof.seals = 0

    async def over(self, seals: Sequence[Row]) -> None:
        """Checks some seals, in order, with their rows."""
        last = seals[-1]
        there = list(await self.connection.fetch(BETWEEN, *self.read, last["era"], last["last_xid"], last["last_id"]))
        there.reverse()  # the next one at the end
        for seal in seals:
            secret = self._link(seal)
            reached = (seal["era"], seal["last_xid"], seal["last_id"])
            found: dict[UUID, list[Row]] = {}
            while there and place(there[-1]) <= reached:
                row = there.pop()
                found.setdefault(row["id"], []).append(row)
            await self._rows(seal, secret, found)
            await self._left(seal, found)

    def _link(self, seal: Row) -> bytes:
        """Checks a seal's own place in the chain; answers the key of its rows."""
        if seal["n"] != self.n + 1:
            raise Broken(Fault.SEAL_MISSING, self.n + 1)
        secret = self.keys.every(Kind.AUDIT).get(seal["key"])
        if secret is None:
            raise Broken(Fault.KEY_MISSING, seal["n"])
        if seal["previous"] != self.proof.hash or not hmac.compare_digest(seal["hash"], link(secret, seal)):
            raise Broken(Fault.SEAL_CHANGED, seal["n"])
        self.n = seal["n"]
        self.read = (seal["era"], seal["last_xid"], seal["last_id"])
        self.proof.seals += 1
        self.proof.hash, self.proof.until = seal["hash"], seal["at"]
        return secret

    async def _rows(self, seal: Row, secret: bytes, found: dict[UUID, list[Row]]) -> None:
        """Checks that each row which a seal holds is there, as it was; takes them out of `found`."""
        gone = [id for id in seal["row_ids"] if id not in found]
        for id in gone:
            if id in self.astray:
                found[id] = self.astray.pop(id)
        gone = [id for id in gone if id not in found]
        if gone and seal["month"] not in self.archived:
            for row in await self.connection.fetch(BY_ID, gone):
                found.setdefault(row["id"], []).append(row)
        for at, id in enumerate(seal["row_ids"]):
            wanted = seal["digests"][at * DIGEST : (at + 1) * DIGEST]
            rows = found.get(id)
            if not rows:
                if seal["month"] in self.archived:
                    self.proof.archived += 1
                    continue
                raise Broken(Fault.ROW_MISSING, seal["n"], id, written_at(id))
            whole = next((row for row in rows if hmac.compare_digest(digest(secret, row), wanted)), None)
            if whole is None:
                raise Broken(Fault.ROW_CHANGED, seal["n"], id, rows[0]["at"], rows[0]["action"])
            rows.remove(whole)
            if not rows:
                del found[id]
            self.proof.rows += 1

    async def _left(self, seal: Row, found: dict[UUID, list[Row]]) -> None:
        """Rows that stand before the end of a seal and are not in it: a later one holds them, or they were added."""
        if not found:
            return
        later = {r["id"] for r in await self.connection.fetch(LATER, seal["n"], list(found))}
        for id, rows in found.items():
            if id not in later:
                raise Broken(Fault.ROW_ADDED, seal["n"], id, rows[0]["at"], rows[0]["action"])
            self.astray[id] = rows


def written_at(id: UUID) -> datetime:
    """The millisecond in which a uuidv7 was made."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)
