"""Documents that are known by their hash: those that a released front end was built with, and those that clients registered.

What is published is written by a command, as the owner of the tables; the API's role may only read it, so nothing that
comes in through the door can make a document a trusted one. What clients registered is a cache: unlogged, bounded,
lost with the server's crash and sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlmodel import Field

from models.base import READ_ONLY, Table, check, count, flag, instant, key, text, to
from models.manifests import Entry

LIVE_DOCUMENTS, LIVE_BYTES = 20_000, 64_000_000
"""Documents and bytes of all releases that are live, at most: every process of the API holds them."""
SHARED, LONGEST_SHARED = 2_000, 16_000
"""Registered documents that are kept of strangers, and as many of others; characters of one at most."""


class ClientRelease(Table, table=True):
    """A released front end. What it was published with never changes; once retired, its documents are trusted no more."""

    __tablename__ = "client_release"
    __table_args__ = (
        check("retired", "retired_at >= published_at"),
        sa.Index(
            "uq_client_release_live", "client", "version", unique=True, postgresql_where=sa.text("retired_at IS NULL")
        ),
        {"info": READ_ONLY},
    )
    id: UUID = key()
    client: str = text()
    """The front end's name, such as `miniprogram`."""
    version: str = text()
    documents: int = count()
    published_at: datetime = instant()
    retired_at: datetime | None = instant(optional=True)


class TrustedDocument(Table, table=True):
    """A document of a release."""

    __tablename__ = "trusted_document"
    __table_args__ = (check("hash", "octet_length(hash) = 32"), {"info": READ_ONLY})
    release_id: UUID = to("client_release.id", index=False, primary_key=True)
    hash: bytes = Field(primary_key=True)
    """SHA-256 of its text."""
    name: str = text()
    """Its operation's name, for people."""
    text: str = text()


class RegisteredDocument(Table, table=True):
    """A document that a client sent with its hash, shared by the processes of the API. Valid against the schema then."""

    __tablename__ = "registered_document"
    __table_args__ = (
        check("hash", "octet_length(hash) = 32"),
        sa.Index("ix_registered_document_by_stranger_at", "by_stranger", "at"),
        {"prefixes": ["UNLOGGED"]},
    )
    hash: bytes = Field(primary_key=True)
    text: str = text()
    by_stranger: bool = flag()
    """Whether nobody who had signed in has sent it: strangers have a share of their own, and fill no other."""
    at: datetime = instant()
    """When it was last sent."""


# what is published

LIVE = "SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM client_release WHERE retired_at IS NULL"
HASHES = """
SELECT DISTINCT d.hash FROM trusted_document d JOIN client_release r ON r.id = d.release_id WHERE r.retired_at IS NULL
"""
TEXTS = "SELECT DISTINCT ON (hash) hash, text FROM trusted_document WHERE hash = ANY($1::bytea[])"
LISTED = """
SELECT client, version, documents, published_at, retired_at FROM client_release ORDER BY client, published_at, id
"""
DOCUMENTS = """
SELECT r.client, r.version, d.hash, d.name, d.text
FROM trusted_document d JOIN client_release r ON r.id = d.release_id
WHERE r.retired_at IS NULL ORDER BY r.client, r.version, d.name, d.hash
"""
ROOM = """
SELECT count(*), coalesce(sum(octet_length(text)), 0)::bigint FROM (
    SELECT DISTINCT ON (d.hash) d.text
    FROM trusted_document d JOIN client_release r ON r.id = d.release_id WHERE r.retired_at IS NULL
) AS live
"""


class OtherDocuments(Exception):
    """A release of that name and version is live with other documents."""


class NoRoom(Exception):
    """With this release there would be more live documents than every process can hold."""


async def publish(
    connection: asyncpg.Connection, client: str, version: str, entries: Sequence[Entry], now: datetime
) -> bool:
    """Publishes a release, in the caller's transaction; False when it is live already with the same documents.

    Raises OtherDocuments, NoRoom.
    """
    await connection.execute("LOCK TABLE client_release IN EXCLUSIVE MODE")
    there = await connection.fetchval(
        "SELECT id FROM client_release WHERE client = $1 AND version = $2 AND retired_at IS NULL", client, version
    )
    hashes = {bytes.fromhex(e.hash) for e in entries}
    if there is not None:
        rows = await connection.fetch("SELECT hash FROM trusted_document WHERE release_id = $1", there)
        if {row["hash"] for row in rows} != hashes:
            raise OtherDocuments
        return False
    made = await connection.fetchval(
        "INSERT INTO client_release (client, version, documents, published_at) VALUES ($1, $2, $3, $4) RETURNING id",
        client,
        version,
        len(entries),
        now,
    )
    await connection.executemany(
        "INSERT INTO trusted_document (release_id, hash, name, text) VALUES ($1, $2, $3, $4)",
        [(made, bytes.fromhex(e.hash), e.name, e.text) for e in entries],
    )
    documents, size = await connection.fetchrow(ROOM)
    if documents > LIVE_DOCUMENTS or size > LIVE_BYTES:
        raise NoRoom
    return True


async def retire(connection: asyncpg.Connection, client: str, version: str, now: datetime) -> bool:
    """Ends a release; False when no such one is live."""
    done: str = await connection.execute(
        "UPDATE client_release SET retired_at = greatest($3, published_at)"
        " WHERE client = $1 AND version = $2 AND retired_at IS NULL",
        client,
        version,
        now,
    )
    return done != "UPDATE 0"


async def live(connection: asyncpg.Connection) -> tuple[UUID, ...]:
    """The live releases: while they are the same, so are the documents."""
    return tuple(await connection.fetchval(LIVE))


async def trusted(connection: asyncpg.Connection, known: Iterable[str]) -> tuple[set[str], dict[str, str]]:
    """The hashes of every live document, and the texts of those that are not known yet, by hash."""
    hashes = {row["hash"].hex() for row in await connection.fetch(HASHES)}
    new = [bytes.fromhex(h) for h in hashes.difference(known)]
    return hashes, {row["hash"].hex(): row["text"] for row in await connection.fetch(TEXTS, new)} if new else {}


# what clients registered

FIND = "SELECT text, by_stranger FROM registered_document WHERE hash = $1"
KEEP = """
INSERT INTO registered_document AS r (hash, text, by_stranger, at)
SELECT hash, text, by_stranger, $4
FROM unnest($1::bytea[], $2::text[], $3::boolean[]) AS sent (hash, text, by_stranger) ORDER BY hash
ON CONFLICT (hash) DO UPDATE SET at = excluded.at, by_stranger = r.by_stranger AND excluded.by_stranger
"""
SHED = """
DELETE FROM registered_document WHERE hash IN (
    SELECT hash FROM registered_document
    WHERE hash IN (SELECT hash FROM registered_document WHERE by_stranger = $1 ORDER BY at DESC OFFSET $2)
    FOR UPDATE SKIP LOCKED
)
"""
"""Waits for nobody: what another process just now sends again is left."""


async def keep(connection: asyncpg.Connection, sent: Sequence[tuple[str, str, bool]], now: datetime) -> None:
    """Keeps registered documents, (hash, text, whether a stranger sent it); the longest unsent of each share go."""
    hashes, texts, strangers = zip(*sent, strict=True)
    await connection.execute(KEEP, [bytes.fromhex(h) for h in hashes], list(texts), list(strangers), now)
    for share in set(strangers):
        await connection.execute(SHED, share, SHARED)


__all__ = ["ClientRelease", "RegisteredDocument", "TrustedDocument", "keep", "live", "publish", "retire", "trusted"]
