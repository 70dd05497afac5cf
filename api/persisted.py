"""Documents named by their hash: trusted ones, which a released front end was built with, and those that clients registered.

A request says `documentId` (GraphQL over HTTP, appendix A) or `extensions.persistedQuery` (automatic persisted queries,
as Apollo and urql speak them). Every transport asks for its text once it knows who asks (`Operations.text`).

What is published lives in each process, which asks the database every few seconds whether that has changed; a hash that
is known costs the lookup in a dict, and its text is always the same object, whose own hash Python reckons once. What
clients register is kept in each process and shared through a table that a miss looks into.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg
import structlog
from graphql import GraphQLError, OperationDefinitionNode, parse

from api import errors, metrics
from api.operations import Failed
from models import clock, documents
from models.access import Actor
from models.documents import LONGEST_SHARED, SHARED
from models.identity.rules import ApiScope
from models.manifests import HASH, digest
from models.pool import LOST, Pool
from models.problems import Busy
from resolvers.engine import limits
from resolvers.engine.documents import Refused

TICK = 1.0
"""Seconds between two writings of what was registered; and between two looks that requests ask for, at least."""
EVERY = 5.0
"""Seconds between two looks at what is published."""
KEPT_TEXT = 4_000_000
"""Characters of registered documents that a process keeps of each share."""
WAITING = 200
"""Texts that came with their hash and were not found valid yet; documents that wait to be shared."""
OF_STRANGERS = 20
"""How many of those may be strangers': so many rows they can make a process write in a tick."""
LOOKUPS = 200
"""Misses that may ask the shared table in a tick; to others the client is told to send the text."""
DOWN = (*LOST, Busy, TimeoutError, asyncpg.PostgresError)

log = structlog.get_logger("wushe.documents")


class Persisted:
    """What this process knows of documents and their hashes.

    `published_only`: no others are taken (WUSHE_DOCUMENTS), but those that ask for the schema alone, where it is told.
    `own`: documents that need no publishing, of pages that are released with this code.
    """

    def __init__(
        self, pool: Pool, *, published_only: bool = False, introspection: bool = False, own: Iterable[str] = ()
    ) -> None:
        self.pool, self.published_only, self.introspection = pool, published_only, introspection
        self._own = {digest(text): text for text in own}
        self._trusted = dict(self._own)
        self._texts = frozenset(self._trusted.values())
        self._releases: tuple[Any, ...] | None = None
        """The live releases when they were last read; None before that."""
        self._looked = -TICK
        self._looking: asyncio.Task[None] | None = None
        self._registered = (Share(), Share())
        """Of who signed in, and of strangers."""
        self._unproven: OrderedDict[str, tuple[str, bool]] = OrderedDict()
        """Text -> its hash and whether a stranger sent it, until it is found valid."""
        self._unshared: dict[str, tuple[str, bool]] = {}
        """Hash -> text and whether a stranger sent it, until the next tick."""
        self._lookups = 0
        self._lookups_since = 0.0
        self._living: asyncio.Task[None] | None = None

    # the ways in

    async def resolve(self, given: Mapping[str, Any], actor: Actor) -> str:
        """The text of a request: its `query`, or what it names by a hash.

        `given` is the decoded request object, whose types `api.operations.parts` has looked at. Raises Failed for names
        that cannot be read; Refused for those that are not known, for a text that is not its hash's, and, where only
        published documents are taken, for any other.
        """
        text: str | None = given.get("query")
        if "documentId" in given or "extensions" in given:
            by_id, hash = _named(given)
            if hash is not None:
                found = self._trusted.get(hash)
                if found is None:
                    return await self._untrusted(hash, text, actor, by_id=by_id)
                if text is not None and text != found:
                    raise _mismatch()
                return found
        assert text is not None, "parts() lets nothing pass that names no document"
        if self.published_only and text not in self._texts and not _free(actor):
            await self.look()
            if text not in self._texts and not (self.introspection and _only_introspects(text)):
                raise _refused("本平台只接受已发布的查询文档，不接受自拟的。")
        return text

    def proven(self, text: str) -> None:
        """Says that a text is valid: if it came with its hash, it is known by that from now on."""
        if self._unproven and (sent := self._unproven.pop(text, None)) is not None:
            hash, stranger = sent
            self._registered[stranger].put(hash, text)
            crowded = stranger and sum(s for _, s in self._unshared.values()) >= OF_STRANGERS
            if not crowded and len(self._unshared) < WAITING:
                self._unshared[hash] = (text, stranger)
            metrics.DOCUMENTS.labels("registered").inc()

    # a hash that no front end was published with

    async def _untrusted(self, hash: str, text: str | None, actor: Actor, *, by_id: bool) -> str:
        if not HASH.fullmatch(hash):
            raise Failed(errors.MALFORMED, "a document is named by 64 lower-case hex digits, its SHA-256")
        if not self.published_only:
            for share in self._registered:
                known = share.get(hash)
                if known is not None and text in (None, known):
                    return known
        if text is not None and digest(text) != hash:
            raise _mismatch()
        await self.look()
        published = self._trusted.get(hash)
        if published is not None:
            return published
        if self.published_only:
            return self._not_published(text, actor, by_id=by_id)
        if text is None:
            return await self._shared(hash, by_id=by_id)
        if len(text) <= LONGEST_SHARED:
            self._unproven[text] = (hash, actor.person is None)
            if len(self._unproven) > WAITING:
                self._unproven.popitem(last=False)
        return text

    def _not_published(self, text: str | None, actor: Actor, *, by_id: bool) -> str:
        if not _free(actor) or by_id:
            raise _refused("没有这一已发布的查询文档，请更新应用后再试。")
        if text is None:  # its client sends texts from now on
            raise _told("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
        return text

    async def _shared(self, hash: str, *, by_id: bool) -> str:
        """A document that another process was given. Raises Refused."""
        now = time.monotonic()
        if now - self._lookups_since >= TICK:
            self._lookups, self._lookups_since = 0, now
        self._lookups += 1
        found: str | None = None
        if self._lookups <= LOOKUPS:
            with contextlib.suppress(*DOWN):  # then the client sends it, which is correct
                async with self.pool.connection("documents") as connection:
                    row = await connection.fetchrow(documents.FIND, bytes.fromhex(hash))
                if row is not None:
                    found = row["text"]
                    self._registered[row["by_stranger"]].put(hash, row["text"])
        if found is not None:
            return found
        if by_id:
            raise _refused("没有这一已发布的查询文档，请更新应用后再试。")
        metrics.DOCUMENTS.labels("missed").inc()
        raise _told("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")

    # what is published

    @property
    def published(self) -> int:
        """How many documents are trusted, as far as this process knows."""
        return len(self._trusted)

    async def look(self) -> None:
        """Reads what is published, if nobody tried within the last second.

        Raises what is raised when there is no database only while nothing was ever read: what is known stays true.
        """
        if self._looking is None:
            if time.monotonic() - self._looked < TICK:
                if self._releases is None:
                    raise ConnectionError("what is published was not read yet")
                return
            self._looking = asyncio.ensure_future(self._read())
            self._looking.add_done_callback(self._looked_at)
        with contextlib.suppress(*(() if self._releases is None else DOWN)):
            await asyncio.shield(self._looking)

    def _looked_at(self, task: asyncio.Task[None]) -> None:
        self._looking, self._looked = None, time.monotonic()
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.warning("what is published could not be read", error=type(problem).__name__)

    async def _read(self) -> None:
        async with self.pool.connection() as connection:
            releases = await documents.live(connection)
            if releases == self._releases:
                return
            hashes, new = await documents.trusted(connection, self._trusted)
        kept = {h: self._trusted[h] if h in self._trusted else new[h] for h in hashes}
        self._trusted = {**kept, **self._own}
        self._texts = frozenset(self._trusted.values())
        self._releases = releases

    # in the background

    def start(self) -> None:
        """Begins to keep up with what is published, and to share what is registered."""
        self._living = asyncio.ensure_future(self._live())

    async def close(self) -> None:
        """Ends that; what waits to be shared is shared."""
        if self._living is not None:
            self._living.cancel()
            await asyncio.gather(self._living, return_exceptions=True)
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)
        await self.share()

    async def _live(self) -> None:
        while True:
            if time.monotonic() - self._looked >= EVERY or self._releases is None:
                with contextlib.suppress(*DOWN):
                    await self.look()
            await self.share()
            await asyncio.sleep(TICK)

    async def share(self) -> None:
        """Writes what was registered since the last tick. What cannot be written is not shared."""
        if not self._unshared:
            return
        sent, self._unshared = [(h, t, s) for h, (t, s) in self._unshared.items()], {}
        with contextlib.suppress(*DOWN):
            async with self.pool.connection() as connection:
                await documents.keep(connection, sent, clock.now())


class Share:
    """Registered documents, the least used given up first."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._size = 0

    def get(self, hash: str) -> str | None:
        """The text of a hash."""
        found = self._texts.get(hash)
        if found is not None:
            self._texts.move_to_end(hash)
        return found

    def put(self, hash: str, text: str) -> None:
        """Keeps a text."""
        if hash not in self._texts:
            self._texts[hash] = text
            self._size += len(text)
            while self._size > KEPT_TEXT or len(self._texts) > SHARED:
                _, old = self._texts.popitem(last=False)
                self._size -= len(old)


def _named(given: Mapping[str, Any]) -> tuple[bool, str | None]:
    """Whether a request names its document by `documentId`, and by which hash it names it; None for by none.

    Whether that looks like a hash is asked only of one that is not known.
    """
    given_id = given.get("documentId")
    if given_id is not None:
        if not isinstance(given_id, str):
            raise Failed(errors.MALFORMED, "`documentId` must be a string")
        if given.get("query") is not None:
            raise Failed(errors.MALFORMED, "give `query` or `documentId`, not both")
        return True, given_id.removeprefix("sha256:")
    extensions = given.get("extensions")
    said = None if extensions is None else extensions.get("persistedQuery")
    if said is None:
        return False, None
    if not isinstance(said, dict) or said.get("version") != 1:
        raise Failed(errors.MALFORMED, "`persistedQuery` must be an object with version 1")
    sent = said.get("sha256Hash")
    if not isinstance(sent, str):
        raise Failed(errors.MALFORMED, "`sha256Hash` must be a string")
    return False, sent


def _free(actor: Actor) -> bool:
    """Whether it is a machine's key that may send documents of its own."""
    return actor.scopes is not None and ApiScope.DOCUMENTS in actor.scopes


def _only_introspects(text: str) -> bool:
    """Whether a document asks for the schema, and for nothing in it."""
    try:
        found = parse(text, max_tokens=limits.TOKENS).definitions
    except (GraphQLError, RecursionError):
        return False
    operations = [d for d in found if isinstance(d, OperationDefinitionNode)]
    return bool(operations) and all(limits.only_introspects(o) for o in operations)


def _told(message: str, code: str) -> Refused:
    return Refused([GraphQLError(message, extensions={"code": code})])


def _mismatch() -> Refused:
    metrics.DOCUMENTS.labels("mismatched").inc()
    return _told("查询文档与它的 SHA-256 不符。", "DOCUMENT_HASH_MISMATCH")


def _refused(message: str) -> Refused:
    metrics.DOCUMENTS.labels("refused").inc()
    return _told(message, "DOCUMENT_NOT_PUBLISHED")
