"""Operations, whatever brought them: who asks, what it may cost, its answer, and every failure as an answer.

HTTP, sockets and streams hand theirs on from here to the engine, so that they mean and refuse the same everywhere.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import structlog
from graphql import ExecutionResult, GraphQLError, OperationType

from api import errors, limits
from api.asgi import Receive
from api.auth import NotSignedIn, Tokens
from api.databases import Databases
from api.errors import Failure
from api.limits import Limits
from api.logs import traced
from api.watching import Watching
from models import audit, audit_flood, clock
from models.access import PUBLIC_ACTOR, Actor, Role
from models.identity.rules import ApiScope
from models.pool import LOST
from models.problems import Busy
from resolvers.context import Context, asker
from resolvers.engine.documents import Document, too_long
from resolvers.engine.engine import Engine, Refused

if TYPE_CHECKING:
    from api.persisted import Persisted

log = structlog.get_logger("wushe.operations")
PLAIN = frozenset({"query", "variables", "operationName"})
"""What a request says that names no document by its hash."""


class Failed(Exception):
    """A request that ends with one failure."""

    def __init__(self, failure: Failure, detail: str | None = None) -> None:
        self.failure, self.detail = failure, detail


class Operations:
    """What every transport shares."""

    def __init__(
        self,
        engine: Engine,
        databases: Databases,
        tokens: Tokens,
        persisted: Persisted,
        *,
        limits: Limits,
        deadline: float,
        given_clock: bool,
        platform: Any = None,
        proxies: int = 0,
    ) -> None:
        self.limits = limits
        self.engine, self.databases, self.tokens, self.persisted = engine, databases, tokens, persisted
        self.deadline, self.given_clock, self.platform = deadline, given_clock, platform
        self.proxies = proxies
        self.watching = Watching(deadline)

    async def actor(self, authorization: str | None, at: datetime | None, address: str | None = None) -> Actor:
        """Who asks; the public without a credential. Raises Failed.

        `at`: the time that the request says it is, where that is believed. `address`: strangers there, guesses at
        credentials too, are heard no more once their points are spent; a credential that is known is.
        """
        if authorization is None or not self.tokens.knows(authorization):
            _limited(self.limits.closed(address))
            if authorization is None:
                return PUBLIC_ACTOR
        try:
            return await self.tokens.caller(authorization, clock.now(), at)
        except NotSignedIn as no:
            self.limits.fine(address, limits.STRANGE_TOKEN)
            raise Failed(errors.UNAUTHENTICATED, str(no)) from None

    async def known(
        self,
        find: Callable[[], Awaitable[Actor]],
        address: str | None,
        request_id: str,
        authorization: str | None = None,
    ) -> Actor:
        """Who asks for what is no operation: a file, or what is counted. Raises Failed.

        `find` says who that is, or raises NotSignedIn. Guesses are worth as much there as at `/graphql`: they are fined,
        on the audit log, and heard no more once the strangers at the address have spent their points. `authorization`: what
        `find` looks at; one that is known is heard.
        """
        if authorization is None or not self.tokens.knows(authorization):
            _limited(self.limits.closed(address))
        try:
            return await find()
        except NotSignedIn as no:
            self.limits.fine(address, limits.STRANGE_TOKEN)
            await self.turned_away(address, request_id, str(no))
            raise Failed(errors.UNAUTHENTICATED, str(no)) from None

    def at(self, given: str | None) -> datetime | None:
        """The time that a request says it is; None where that is not believed, or it says nothing. Raises Failed."""
        if given is None or not self.given_clock:
            return None
        try:
            return clock.read(given)
        except ValueError as no:
            raise Failed(errors.BAD_INPUT, f"X-Wushe-Now: {no}") from None

    def context(
        self,
        text: str,
        variables: dict[str, Any],
        name: str | None,
        actor: Actor,
        *,
        reads: Any,
        now: datetime,
        address: str | None,
        request_id: str,
    ) -> Context:
        """One operation of somebody, on its way. `reads`: where its queries run."""
        return Context(
            text,
            variables,
            name,
            actor,
            asker(actor, now),
            reads,
            self.databases.primary,
            now,
            self.deadline,
            address,
            request_id,
            self.platform,
        )

    async def text(self, given: dict[str, Any], actor: Actor, address: str | None) -> str:
        """The document's text: as it was sent, or of the hash that names it. Raises Refused, Failed.

        A name that is not known costs what a document costs that is refused.
        """
        try:
            too_long(given.get("query"))
            return await self.persisted.resolve(given, actor)
        except Refused:
            _limited(self.limits.arrive(actor, address), actor)
            raise

    def at_hand(
        self, given: Any, actor: Any, address: str | None, request_id: str, now: datetime, reads: Any
    ) -> tuple[Context, Document] | None:
        """A query whose document was read before, with what it costs taken at once.

        None for everything else, with nothing taken: it is looked at step by step (`text`, `document`, `charge`).
        """
        if actor.scopes is not None or self.persisted.published_only or type(given) is not dict:
            return None
        text, variables, name = given.get("query"), given.get("variables"), given.get("operationName")
        if (
            not given.keys() <= PLAIN
            or type(text) is not str
            or not (variables is None or type(variables) is dict)
            or not (name is None or type(name) is str)
        ):
            return None
        document = self.engine.documents.known(text, name)
        if document is None or document.kind is not OperationType.QUERY:
            return None
        variables = variables or {}
        try:
            document.limit(variables)
        except GraphQLError:
            return None
        if not self.limits.spend(actor, address, limits.OPERATION + document.cost(variables)):
            return None
        self.persisted.proven(text)
        context = self.context(
            text, variables, name, actor, reads=reads, now=now, address=address, request_id=request_id
        )
        return context, document

    def document(self, context: Context) -> Document:
        """The operation's document: measured, and within the scopes of a machine's key. Raises Refused, Failed.

        It costs a point, also one that is refused; what it asks for is charged before it is answered (`charge`).
        """
        actor: Any = context.actor
        _limited(self.limits.arrive(actor, context.address), actor)
        document = self.engine.document(context)
        self.persisted.proven(context.text)
        reads = document.kind is not OperationType.MUTATION
        if actor.scopes is not None and reads and ApiScope.READ not in actor.scopes:
            raise Failed(errors.OUT_OF_SCOPE)
        return document

    def arrive(self, actor: Actor, address: str | None) -> None:
        """Takes what anything costs that is asked for. Raises Failed (RATE_LIMITED)."""
        _limited(self.limits.arrive(actor, address), actor)

    def weigh(self, actor: Actor, address: str | None, size: int) -> None:
        """Takes what a body or a message of so many bytes costs, before it is read. Raises Failed (RATE_LIMITED)."""
        if size > limits.FREE:
            _limited(self.limits.arrive(actor, address, limits.weight(size)), actor)

    async def charge(self, context: Context, document: Document) -> None:
        """Takes what an operation costs from whoever asks, and from where he asks. Raises Failed (RATE_LIMITED).

        `answer` and `run` do it by themselves.
        """
        actor: Any = context.actor
        points = limits.price(document, document.cost(context.variables))
        if points and not self.limits.spend(actor, context.address, points):
            _limited(await self.limits.afford(actor, context.address, points), actor)
        if document.kind is OperationType.MUTATION and (tried := limits.sign_ins(document)):
            _limited(await self.limits.enter(context.address, tried), actor)

    async def answer(
        self, context: Context, document: Document, receive: Receive | None = None, *, charged: bool = False
    ) -> bytes | ExecutionResult:
        """What a query or a mutation answers; what it read of others is on the audit log by then.

        `receive`: where a client that leaves is heard of, so that its slow query ends. `charged`: what it costs was taken
        before. Raises Gone, and what verbs raise.
        """
        if not charged:
            await self.charge(context, document)
        if document.kind is OperationType.QUERY:
            return await self.read(context, document, receive)
        return await self.engine.answer(context, document)

    async def read(
        self, context: Context, document: Document, receive: Receive | None = None
    ) -> bytes | ExecutionResult:
        """What a query answers whose cost was taken; what it read of others is on the audit log by then.

        `receive`: as `answer` has it, which does this by itself.
        """
        watching = self.watching
        me = watching.begin(receive)
        try:
            answer = await self.engine.query(context, document)
        except asyncio.CancelledError:
            watching.told(me)
            raise
        finally:
            watching.end(me)
        if context.read or context.actor.role is Role.AUDITOR:
            await context.note_reading()
        return answer

    async def run(self, context: Context, document: Document, *, charged: bool = False) -> bytes:
        """The same as a whole answer, failures included. Raises only for being cancelled."""
        assert context.request_id is not None
        try:
            return self.written(await self.answer(context, document, charged=charged), context.request_id)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return self.told(error, context.request_id)[1]

    def written(self, answer: bytes | ExecutionResult, request_id: str) -> bytes:
        """An answer as JSON."""
        return answer if isinstance(answer, bytes) else _result(answer, request_id)

    def told(self, error: BaseException, request_id: str) -> tuple[int, bytes, int | None]:
        """A failure as an answer: its status, its JSON, and the seconds after which to try again.

        Raises `error` itself where it is no failure of the request's, such as being cancelled.
        """
        if isinstance(error, Refused):
            return 400, _refused(error, request_id), None
        detail = None
        if isinstance(error, Failed):
            failure, detail = error.failure, error.detail
        else:
            found = errors.failure_of(error)
            if found is None:
                raise error
            failure = found
            if failure is errors.INTERNAL:
                log.error("bug", request_id=request_id, error=traced(error))
        if failure.status >= 500:
            log.warning("failed", request_id=request_id, code=failure.code)
        body = orjson.dumps({"errors": [errors.failed(failure, request_id, detail)]})
        return failure.status, body, failure.retry_after_seconds

    async def turned_away(self, address: str | None, request_id: str, why: str | None) -> None:
        """Writes that a credential was refused: once a minute for each address, so that nobody fills the log with it."""
        row = audit.row(
            PUBLIC_ACTOR,
            clock.now(),
            "signIn.check",
            errors.UNAUTHENTICATED.code,
            address=address,
            request=request_id,
            detail={"why": why},
        )
        try:
            await audit_flood.note(self.databases.primary, ("door", address), audit_flood.DOOR, row)
        except (*LOST, Busy, asyncpg.PostgresError):
            log.warning("not on the audit log", action="signIn.check", request_id=request_id)


def _limited(seconds: int, actor: Actor = PUBLIC_ACTOR) -> None:
    """Raises Failed, if one has to wait."""
    if seconds:
        kind = errors.KEY_LIMITED if actor.key is not None else errors.RATE_LIMITED
        raise Failed(dataclasses.replace(kind, retry_after_seconds=seconds))


def parts(given: Any) -> tuple[str, dict[str, Any], str | None]:
    """The document, variables and operation name of a request object. Raises Failed.

    The document is empty where it is named by its hash: `Operations.text` has its text, once it is known who asks.
    """
    if not isinstance(given, dict):
        raise Failed(errors.MALFORMED, "a request is a JSON object with `query`")
    text, variables, name = given.get("query"), given.get("variables"), given.get("operationName")
    extensions = given.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise Failed(errors.MALFORMED, "`extensions` must be an object")
    if text is None and (given.get("documentId") is not None or (extensions and extensions.get("persistedQuery"))):
        text = ""
    if not isinstance(text, str):
        raise Failed(errors.MALFORMED, "`query` must be a string")
    if variables is not None and not isinstance(variables, dict):
        raise Failed(errors.MALFORMED, "`variables` must be an object")
    if name is not None and not isinstance(name, str):
        raise Failed(errors.MALFORMED, "`operationName` must be a string")
    return text, variables or {}, name


def _refused(refused: Refused, request_id: str) -> bytes:
    kind = errors.BAD_VARIABLES if refused.variables else errors.BAD_DOCUMENT
    return orjson.dumps({"errors": [errors.told(e, request_id, kind) for e in refused.errors[:10]]})


def _result(result: ExecutionResult, request_id: str) -> bytes:
    for error in result.errors or ():
        original = error.original_error
        if original is not None and not hasattr(original, "extensions"):
            log.error("bug", request_id=request_id, path=error.path, error=traced(original))
    if not result.errors:
        return orjson.dumps({"data": result.data})
    told = [errors.told(e, request_id, errors.BAD_INPUT) for e in result.errors[:20]]
    return orjson.dumps({"errors": told, "data": result.data})
